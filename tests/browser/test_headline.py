"""The headline, the marks and the folded page in a real Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Live
from tests.browser.test_live import serious

GREEN = "rgb(42, 105, 28)"


@pytest.mark.parametrize(
    ("question", "label", "headline"),
    [
        ("does it differ? 5", "Results differ", "The LLM chain got the router's result, tool calling another."),
        ("unreadable 5", "Tool failed", "The router's tool failed, and no other path got a result."),
        ("3 boxes of 14", "Handed over", "handed over to the LLM, so it saved nothing against tool calling."),
        ("thx", "Results differ", "The router answered without a tool, the LLM chain and tool calling with one."),
    ],
)
def test_only_a_confirmed_answer_is_green(live: Live, question: str, label: str, headline: str) -> None:
    live.asked(question)
    page = live.page
    expect(page.locator(".headline")).to_contain_text(headline)
    expect(page.locator(".outcome")).to_have_text(label)
    expect(page.locator(".verdict")).to_have_attribute("data-good", "false")
    expect(page.locator(".headline")).not_to_have_css("color", GREEN)
    page.locator(".verdict").evaluate("box => { box.dataset.good = 'true'; }")  # a race's real seconds would not do
    expect(page.locator(".headline")).to_have_css("color", GREEN)


def test_a_hand_over_shows_its_real_reason(live: Live) -> None:
    live.asked("3 boxes of 14")
    decision = live.card("router").locator(".decision")
    expect(decision.locator(".choice")).to_contain_text("97 % sure, handed over")
    expect(decision.locator(".reason")).to_have_text("calculator does not take '3 boxes' in.")
    expect(live.page.locator(".verdict .lines")).to_contain_text("Why it was handed over: calculator does not take")
    expect(live.page.locator(".verdict")).not_to_contain_text("faster")


def test_each_path_is_marked_where_a_reference_is_known(live: Live) -> None:
    live.asked("I need to leave an 18% tip on a bill of 64.50, how much is that")
    expect(live.page.locator(".card .mark")).to_have_text(["✓ right"] * 3)
    expect(live.page.locator(".outcome")).to_have_text("Right")
    live.asked("convert 98.6 f to celsius")  # the script says 11.61, whatever it is asked
    expect(live.page.locator(".card .mark")).to_have_text(["✗ wrong"] * 3)
    expect(live.page.locator(".headline")).to_contain_text("The router's answer is wrong")
    live.asked("12 * 12")
    expect(live.page.locator(".card .mark")).to_have_text([""] * 3)


def test_success_and_failure_do_not_depend_on_the_paths_colour(live: Live) -> None:
    look = "all => all.map(e => getComputedStyle(e).backgroundColor + getComputedStyle(e, '::before').content)"
    live.asked("12 * 12")
    good = live.page.locator(".result").evaluate_all(look)
    assert len(good) == 3 and len(set(good)) == 1 and "→" in good[0]
    live.asked("unreadable 5")
    bad = live.page.locator(".result").evaluate_all(look)
    assert len(bad) == 3 and len(set(bad)) == 1 and "✗" in bad[0] and bad[0] != good[0]
    expect(live.card("llm_chain").locator(".steps li.tool .title")).to_have_text("calculator – failed")


def test_the_running_seconds_never_go_back(live: Live) -> None:
    live.ask("slow 5")
    cell = live.card("llm_chain").locator('.kpi [data-key="seconds"] dd').first
    cell.evaluate(
        """e => { window.seen = []; new MutationObserver(() => seen.push(e.textContent)).observe(
          e, {childList: true, characterData: true, subtree: true}); }"""
    )
    live.page.wait_for_function("window.seen.length > 25")
    seen = live.page.evaluate("window.seen")
    live.page.keyboard.press("Escape")
    live.answered()
    values = [float(text.split()[0]) * (0.001 if text.endswith("ms") else 1) for text in seen]
    assert values == sorted(values)


def test_on_a_phone_the_page_is_folded_and_every_fold_opens_by_the_keyboard(live: Live) -> None:
    page = live.page
    page.set_viewport_size({"width": 360, "height": 800})
    live.asked("I need to leave an 18% tip on a bill of 64.50, how much is that")
    assert page.evaluate("document.documentElement.scrollHeight") < 2000
    expect(live.card("router").locator(".answer")).to_be_visible()
    expect(live.card("router").locator('.kpi [data-key="tokens"] dd').first).to_be_visible()
    hidden = (".card .steps", ".decision:not([hidden])", ".timeline", ".projection table", ".history table", ".notes p")
    for selector in hidden:
        expect(page.locator(selector).first).to_be_hidden()
    assert serious(page) == []
    assert page.locator(".unfold:visible").count() == 7
    for fold in page.locator(".unfold").all():
        expect(fold).to_have_attribute("aria-expanded", "false")
        fold.press("Enter")
        expect(fold).to_have_attribute("aria-expanded", "true")
    for selector in hidden:
        expect(page.locator(selector).first).to_be_visible()
    assert serious(page) == []
    page.locator(".unfold").first.press("Enter")
    expect(live.card("llm_chain").locator(".steps")).to_be_hidden()
