"""A taught phrase is answered in the browser, with the request log as proof."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Live

FACTS = re.compile(r"answered in your browser · 0 requests · (< 1|\d+\.\d) ms · saved 131 tokens")


@pytest.fixture
def taught(live: Live) -> Live:
    """A page whose model has just taught it to answer "thx"."""
    live.asked("thx")
    expect(live.card("router").locator(".lesson")).to_contain_text("Your browser has learned this")
    expect(live.page.locator(".pill")).to_contain_text("1 rule · 0 hits")
    live.page.wait_for_timeout(300)
    return live


def hit(live: Live, text: str, by: str = "Enter") -> None:
    """Ask and claim that the browser answers alone."""
    live.quiet(100)
    live.ask(text, by)
    expect(live.page.locator(".hit .reply")).to_have_text("You're welcome!")
    expect(live.page.locator(".hit .facts")).to_have_text(FACTS)
    live.page.wait_for_timeout(250)
    assert [request.url for request in live.requests] == []


def test_the_first_is_asked_and_the_next_are_not(taught: Live) -> None:
    for number, (text, by) in enumerate((("thx", "Enter"), (" THX!! ", "button"), ("thx 🙏", "Enter")), start=1):
        hit(taught, text, by)
        expect(taught.page.locator(".pill")).to_contain_text(f"1 rule · {number} hit")
    expect(taught.card("llm_chain").locator(".status")).to_have_text("3 LLM calls")


def test_a_hit_needs_no_network(taught: Live) -> None:
    taught.page.context.set_offline(True)
    hit(taught, "thx")
    taught.ask("12 * 12")
    expect(taught.page.locator("#sy-alert")).to_contain_text("You are offline")
    expect(taught.page.locator("#sy-question")).to_have_value("12 * 12")
    taught.page.context.set_offline(False)


def test_rules_outlive_a_reload(taught: Live) -> None:
    taught.open()
    expect(taught.page.locator(".history tbody tr")).to_have_count(1)  # the reload's own request is over
    taught.page.wait_for_timeout(300)
    hit(taught, "thx")


def test_a_forgotten_phrase_is_asked_again(taught: Live) -> None:
    hit(taught, "thx")
    taught.page.evaluate("Gatekeeper.shared().forget('thx')")
    taught.requests.clear()
    taught.asked("thx")
    assert any("queue/join" in request.url for request in taught.requests)


def test_ask_anyway_sends_it(taught: Live) -> None:
    hit(taught, "thx")
    taught.page.get_by_role("button", name="Ask anyway").click()
    taught.answered()
    expect(taught.page.locator(".history tbody tr")).to_have_count(2)


def test_a_wrong_answer_is_forgotten_and_not_learned_again(taught: Live) -> None:
    hit(taught, "thx")
    taught.page.get_by_role("button", name="Wrong answer").click()
    expect(taught.page.locator(".pill")).to_contain_text("0 rules")
    taught.asked("thx")
    expect(taught.card("router").locator(".lesson")).to_contain_text("Not taught to your browser")
    expect(taught.page.locator(".pill")).to_contain_text("0 rules")


def test_a_visitor_teaches_by_hand(taught: Live) -> None:
    hit(taught, "thx")
    page = taught.page
    page.get_by_role("button", name="Always answer this with…").click()
    page.locator(".teach input").fill("<b>Any time!</b>")
    page.get_by_role("button", name="Teach").click()
    expect(page.locator(".hit .note")).to_contain_text("Not taught: The reply holds markup")
    page.locator(".teach input").fill("Any time & always!")
    page.get_by_role("button", name="Teach").click()
    expect(page.locator(".hit .note")).to_contain_text("Taught.")
    taught.ask("thx")
    expect(page.locator(".hit .reply")).to_have_text("Any time & always!")


def test_the_chart_counts_hits_and_saved_tokens_and_the_race_before_is_named_so(taught: Live) -> None:
    page = taught.page
    before = "getComputedStyle(document.querySelector('.verdict .asked'), '::before').content"
    assert page.evaluate(before) == "none"
    hit(taught, "thx")
    hit(taught, "THX")
    assert page.evaluate(before) == '"The race before: "'
    expect(page.locator(".pill")).to_have_text("In your browser: 1 rule · 2 hits")
    expect(page.locator(".key span")).to_have_text(["2 in your browser", "1 sent to the paths"])
    plot = page.locator('[data-figure="browser"]')
    expect(plot).to_have_attribute(
        "aria-label", "2 messages answered in the browser, 1 sent to the paths, 262 tokens saved."
    )
    expect(plot).to_contain_text("tokens saved")
