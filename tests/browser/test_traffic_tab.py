"""The page's own traffic in the Hand-over tab as a visitor uses it: race, see it noted, promote, correct; and an own log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from app import build_page
from pages import frame
from tests.browser.scripted import services
from tests.browser.watching import hear_faults, of_the_page
from tests.test_handover_page import COUNTS_ROWS

PERCENT = "what is 18% of 64.50"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    page = build_page(replace(services(), watch=(sys.executable, "-c", COUNTS_ROWS)))
    found, _ = frame.serve(page, "127.0.0.1", None)
    yield found
    page.close()


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    faults: list[str] = []
    hear_faults(page, faults)
    page.set_default_timeout(120_000)
    page.goto(address)
    expect(page.locator(".send")).to_be_enabled()
    yield page
    context.close()
    assert of_the_page(faults) == []


def race(tab: Page, question: str, answered_here: bool = False) -> None:
    tab.get_by_role("tab", name="Race").click()
    tab.locator("#sy-question").fill(question)
    tab.locator("#sy-question").press("Enter")
    if answered_here:
        expect(tab.locator(".sy-board .hit .reply")).to_be_visible()
    else:
        expect(tab.locator(".verdict .asked")).to_contain_text(question)
        expect(tab.locator(".verdict")).to_have_attribute("data-phase", "done")


def test_the_races_questions_are_noted_promoted_corrected_and_counted_in_bands(tab: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    race(tab, PERCENT)
    race(tab, "thx a lot")
    race(tab, "thx a lot", answered_here=True)
    tab.get_by_role("tab", name="Hand-over").click()
    own = tab.locator(".tr-live")
    expect(own.locator(".ho-words dd").first).to_have_text("0 %".replace(" ", "\u00a0"))
    expect(own.locator(".tr-decisions li")).to_have_count(2)
    expect(own.locator(".tr-tools tbody tr").first).to_contain_text("more agreeing calls")
    expect(tab.locator('[data-traffic="bands"]')).to_have_attribute("aria-label", "Of 5 LLM calls, 1 fell to phrases "
        "answered in your browser, 2 to calls made by the router, and 2 were left to the LLM.")  # fmt: skip
    tab.locator(".tr-bands").get_by_label("Tokens").check()
    expect(tab.locator('[data-traffic="bands"]')).to_have_attribute("aria-label", "Of 1,319 tokens, 131 fell to phrases "
        "answered in your browser, 936 to calls made by the router, and 252 were left to the LLM.")  # fmt: skip

    own.get_by_role("button", name="Promote calculator").press("Enter")
    expect(own.get_by_role("status")).to_contain_text("calculator is live by your hand")
    race(tab, PERCENT)
    tab.get_by_role("tab", name="Hand-over").click()
    expect(own.locator(".ho-words dd.more").first).to_contain_text("1 of 3 requests")
    newest = own.locator(".tr-decisions li").first
    expect(newest).to_contain_text("handled by the router")

    newest.locator("summary").press("Enter")
    expect(newest).to_contain_text("Words for calculator rather than unit_converter")
    newest.get_by_label("What is right").select_option("other")
    newest.get_by_label("Arguments, as JSON").fill("18 %")
    newest.get_by_role("button", name="Teach").press("Enter")
    expect(own.get_by_role("alert")).to_contain_text("no JSON object: '18 %'")
    newest.get_by_label("What is right").select_option("none")
    newest.get_by_role("button", name="Teach").press("Enter")
    expect(own.locator(".tr-decisions li").first).to_contain_text("You said: no tool is right.")
    expect(own.get_by_role("alert")).to_be_hidden()

    found = Axe().run(tab, context=".tr").response["violations"]
    assert not [v["id"] + ": " + v["nodes"][0]["html"][:120] for v in found if v["impact"] in ("serious", "critical")]
    tab.set_viewport_size({"width": 360, "height": 800})
    tab.wait_for_timeout(500)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_own_log_is_pasted_refused_mended_and_played(tab: Page) -> None:
    rows = [
        json.dumps({"question": f"light {n}", "tool": ("lamp", "parcel")[n % 2], "arguments": {}}) for n in range(70)
    ]
    tab.get_by_role("tab", name="Hand-over").click()
    form = tab.locator(".ho-setup")
    form.get_by_label("Your own log").check()
    form.get_by_role("button", name="Start").click()
    expect(form.get_by_role("alert")).to_contain_text("No log is chosen.")
    form.get_by_label("or paste its rows").fill("\n".join(rows[:9]))
    form.get_by_role("button", name="Start").click()
    expect(form.get_by_role("alert")).to_contain_text("9 rows that can be read; a play needs 60")
    form.get_by_label("or paste its rows").fill("\n".join([*rows, "oops"]))
    form.get_by_role("button", name="Start").click()
    expect(form.locator(".ho-progress p")).to_have_text("All 70 requests played, at a target of 95 %.")
    expect(form.locator(".ho-left")).to_contain_text("1 row cannot be read and is left out: line 71: ")
    expect(form.get_by_label("or paste its rows")).to_be_enabled()
