"""The Hand-over tab as a visitor uses it: play, stop, reload, wait for a turn; a real process plays a short stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import call_log
import pytest
from playwright.sync_api import Browser, Page, expect

from app import build_page
from pages import frame
from tests.browser.scripted import services
from tests.browser.watching import hear_faults, of_the_page

PATIENT = 240_000  # small networks, but trained at low priority
WATCH = Path(__file__).parent / "small_watch.py"
ROWS = 240


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose stream is short enough to train on once."""
    stream: Path = tmp_path_factory.mktemp("stream") / "stream.jsonl"
    rows = [row for row in call_log.log(4 * ROWS) if row.tool in ("lamp", "parcel")][:ROWS]
    stream.write_text("".join(json.dumps(_row(row)) + "\n" for row in rows), encoding="utf-8")
    page = build_page(replace(services(), stream=stream, watch=(sys.executable, str(WATCH))))
    found, _ = frame.serve(page, "127.0.0.1", None)
    yield found
    page.close()


def _row(example: call_log.Example) -> dict[str, object]:
    return {name: asdict(example)[name] for name in ("question", "tool", "arguments")}


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    faults: list[str] = []
    hear_faults(page, faults)
    page.set_default_timeout(120_000)
    page.goto(f"{address}#handover")
    expect(page.locator(".ho [name=start]")).to_be_enabled(timeout=120_000)
    yield page
    context.close()
    assert of_the_page(faults) == []


def start(tab: Page, pace: str = "0") -> None:
    tab.locator(".ho [name=pace]").select_option(pace)
    tab.get_by_role("button", name="Start").click()


def under_way(tab: Page) -> None:
    """Wait until requests have been played; there is as much time as the training takes to see it."""
    expect(tab.locator(".ho-progress p")).to_contain_text(f"of {ROWS} requests", timeout=PATIENT)
    expect(tab.locator(".ho-words dd").first).to_be_visible(timeout=PATIENT)


def stopped(tab: Page) -> None:
    tab.get_by_role("button", name="Stop").click()
    expect(tab.locator(".ho-progress p")).to_contain_text("Stopped after", timeout=PATIENT)


def test_a_play_learns_hands_over_and_says_from_what_each_figure_is(tab: Page) -> None:
    tab.locator(".ho [name=target]").press("Home")
    start(tab)
    expect(tab.locator(".ho-progress p")).to_have_text(
        f"All {ROWS} requests played, at a target of 90 %.", timeout=PATIENT
    )
    expect(tab.locator(".ho-words dd.more").first).to_contain_text(f"of {ROWS} calls")
    expect(tab.locator(".ho-table tbody tr")).to_have_count(2)
    expect(tab.locator(".ho-table tbody tr").first).not_to_contain_text("Collecting")
    expect(tab.locator(".ho-grid .plot .main-svg").first).to_be_visible(timeout=PATIENT)
    label = tab.locator("[data-figure=share]").get_attribute("aria-label")
    assert label and label.startswith(f"After {ROWS} of {ROWS} requests")
    tab.reload()
    expect(tab.locator(".ho-progress p")).to_have_text(f"All {ROWS} requests played, at a target of 90 %.")
    expect(tab.locator(".ho output")).to_have_text("90 %")


def test_stop_keeps_what_was_played_and_the_page_can_start_again(tab: Page) -> None:
    start(tab, "30")
    under_way(tab)
    stopped(tab)
    expect(tab.locator(".sy-handover [role=status]")).to_contain_text("Stopped after")
    expect(tab.locator(".sy-handover .ho-words")).to_contain_text("nothing is handed over until 95 % is proven")
    expect(tab.get_by_role("button", name="Start")).to_be_enabled()


def test_a_reload_ends_the_play_and_says_how_far_it_was(tab: Page) -> None:
    start(tab, "30")
    under_way(tab)
    tab.reload()
    expect(tab.locator(".ho-progress p")).to_contain_text("The page was reloaded after")
    expect(tab.locator(".ho-table tbody tr").first).to_be_visible()
    start(tab, "30")  # the server has let go of the first one, or says that it waits for it
    under_way(tab)
    stopped(tab)


def test_a_second_visitor_waits_for_a_turn(tab: Page, browser: Browser, address: str) -> None:
    start(tab, "30")
    under_way(tab)
    other = browser.new_page()
    other.goto(f"{address}#handover")
    other.locator(".ho [name=start]:enabled").click(timeout=120_000)
    expect(other.locator(".ho-progress p")).to_contain_text("1 play before yours", timeout=PATIENT)
    stopped(tab)
    expect(other.locator(".ho-progress p")).to_contain_text(f"of {ROWS} requests", timeout=PATIENT)
    other.get_by_role("button", name="Stop").click()
    expect(other.locator(".ho-progress p")).to_contain_text("Stopped", timeout=PATIENT)
    other.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_tab_has_no_serious_accessibility_fault_and_fits_a_phone(tab: Page, dark: bool) -> None:
    from axe_playwright_python.sync_playwright import Axe

    tab.locator(".ho [name=start]").focus()
    tab.keyboard.press("Enter")
    under_way(tab)
    stopped(tab)
    if dark:
        tab.get_by_role("button", name="Switch between light and dark").click()
    found = Axe().run(tab, context=".ho").response["violations"]
    assert not [v["id"] + ": " + v["nodes"][0]["html"][:120] for v in found if v["impact"] in ("serious", "critical")]
    tab.set_viewport_size({"width": 360, "height": 800})
    tab.wait_for_timeout(500)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
