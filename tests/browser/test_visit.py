"""What a visit to the page keeps and says: its address, a reload, what cannot be run, and one fault for all paths."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from app import build_page
from pages import frame
from pages.services import Limits
from tests.browser.conftest import Live
from tests.browser.scripted import services


def opened(page: Page, name: str) -> None:
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def settings(page: Page) -> None:
    page.locator(".settings summary").click()


def races_on_the_server() -> int:
    return sum(thread.name == "pump" for thread in threading.enumerate())


def none_on_the_server(page: Page) -> None:
    for _ in range(100):
        if not races_on_the_server():
            break
        page.wait_for_timeout(100)
    assert races_on_the_server() == 0


# ---- the address


def test_the_open_tab_stands_in_the_address_and_back_returns_to_the_one_before(live: Live) -> None:
    page = live.page
    for name in ("Rules", "Evaluate", "Hand-over", "Race"):
        page.get_by_role("tab", name=name).click()
        opened(page, name)
        assert page.url == f"{live.url}#{name.lower().replace('-', '')}"
    for back in ("Hand-over", "Evaluate", "Rules", "Race"):
        page.go_back()
        opened(page, back)
    assert page.url == live.url
    page.go_forward()
    opened(page, "Rules")
    expect(page.locator(".ru-teach")).to_be_visible()


@pytest.mark.parametrize("name", ["Rules", "Evaluate", "Hand-over", "Race"])
def test_a_link_opens_its_tab(live: Live, context: BrowserContext, name: str) -> None:
    page = context.new_page()
    page.goto(f"{live.url}#{name.lower().replace('-', '')}")
    opened(page, name)
    page.reload()
    opened(page, name)
    page.close()


def test_a_tab_that_was_opened_before_the_scripts_came_stays_open(live: Live) -> None:
    page, held = live.page, []
    page.route("**/tabs.js", lambda route: held.append(route))
    live.leaving = True
    page.goto(live.url)
    page.get_by_role("tab", name="Evaluate").click()
    expect(page.locator(".ev-setup")).to_be_visible()
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(100)
    held[0].continue_()
    expect(page.locator(".pill")).to_contain_text("hit")
    opened(page, "Evaluate")
    assert page.url == f"{live.url}#evaluate"
    page.unroute_all()


def test_an_address_that_names_no_tab_leaves_the_race_open(live: Live) -> None:
    live.page.evaluate("location.hash = 'nowhere'")
    opened(live.page, "Race")
    live.asked("12 * 12")


def test_the_pill_opens_the_rules_and_back_returns_to_the_race(live: Live) -> None:
    live.page.locator(".pill").click()
    opened(live.page, "Rules")
    live.page.go_back()
    opened(live.page, "Race")


# ---- a reload


def test_a_reload_in_mid_run_says_so_gives_the_question_back_and_stops_the_servers_race(live: Live) -> None:
    page = live.page
    live.ask("slow 5")
    expect(live.card("llm_chain").locator(".steps li").first).to_be_visible()
    assert races_on_the_server() == 1
    live.open()
    expect(page.locator("#sy-alert")).to_contain_text("reloaded while “slow 5” was running, which stopped its race")
    expect(page.locator("#sy-question")).to_have_value("slow 5")
    none_on_the_server(page)
    live.asked("12 * 12")
    expect(page.locator("#sy-alert")).to_be_hidden()
    live.open()
    expect(page.locator(".verdict .asked")).to_contain_text("12 * 12")
    expect(page.locator("#sy-alert")).to_be_hidden()


def test_a_reload_in_mid_run_loses_neither_the_question_nor_what_was_typed_since(live: Live) -> None:
    live.ask("slow 5")
    expect(live.card("llm_chain").locator(".steps li").first).to_be_visible()
    expect(live.page.locator("#sy-question")).to_have_value("")
    live.page.locator("#sy-question").press_sequentially("and then")
    live.open()
    expect(live.page.locator("#sy-alert")).to_contain_text("“slow 5” was running")
    expect(live.page.locator("#sy-question")).to_have_value("and then")


def test_settings_outlive_a_reload_and_the_key_does_not(live: Live) -> None:
    page = live.page
    settings(page)
    page.locator('.settings [name="lm"]').fill("openai/gpt-4o")
    page.locator('.settings [name="key"]').fill("sk-very-secret-key")
    page.locator('.settings [name="mode"]').select_option("concurrent")
    page.locator('.settings [name="priced_as"]').select_option("gpt-4o-mini")
    page.locator('.settings [name="counts"]').select_option("own")
    page.get_by_label("Prices for cached input").check()
    page.locator('[name="paths"][value="llm_chain"]').uncheck()
    kept = page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert "gpt-4o-mini" in kept and "sk-very" not in kept
    live.open()
    expect(page.locator(".chosen")).to_have_text("openai/gpt-4o · all at once · priced as gpt-4o-mini (cached)")
    settings(page)
    expect(page.locator('.settings [name="key"]')).to_have_value("")
    expect(page.locator('.settings [name="counts"]')).to_have_value("own")
    expect(page.locator('[name="paths"]:checked')).to_have_count(2)


def test_a_reload_gives_a_demos_visitor_no_new_questions(context: BrowserContext) -> None:
    page = build_page(services(Limits(questions_per_session=3)))
    address, _ = frame.serve(page, "127.0.0.1", None)
    visit = context.new_page()
    visit.goto(f"{address}#evaluate")
    visit.locator("[name=limit]").fill("2")
    visit.get_by_role("button", name="Run", exact=True).click()
    expect(visit.locator(".ev-progress p")).to_have_text("6 runs done.")
    visit.reload()
    visit.locator("[name=limit]").fill("2")
    visit.get_by_role("button", name="Run", exact=True).click()
    expect(visit.locator(".ev-fault")).to_contain_text("limit is 3 a visit, of which you have 1 left")
    visit.get_by_role("tab", name="Race").click()
    visit.locator("#sy-question").fill("12 * 12")
    visit.locator(".send").click()
    expect(visit.locator(".verdict .asked")).to_contain_text("12 * 12")
    expect(visit.locator(".send")).to_be_visible()
    visit.reload()
    visit.locator("#sy-question").fill("13 * 13")
    visit.locator(".send").click()
    expect(visit.locator("#sy-alert")).to_contain_text("limit is 3 a visit")
    visit.close()
    page.close()


# ---- what is not run


def test_without_a_path_nothing_runs_and_the_boxes_say_so(live: Live) -> None:
    page = live.page
    settings(page)
    for box in page.locator('[name="paths"]').all():
        box.uncheck()
    settings(page)
    expect(page.locator(".chosen")).to_contain_text("no path ticked")
    live.quiet(100)
    live.ask("12 * 12")
    expect(page.locator(".pathless")).to_have_text("No path is ticked, so nothing can race. Tick at least one.")
    expect(page.locator('[name="paths"]').first).to_be_focused()
    expect(page.locator("#sy-question")).to_have_value("12 * 12")
    page.wait_for_timeout(250)
    assert [request.url for request in live.requests] == []
    page.locator('[name="paths"][value="router"]').check()
    expect(page.locator(".pathless")).to_be_hidden()
    live.asked("12 * 12")
    expect(live.card("llm_chain")).to_be_hidden()


def test_that_a_race_is_running_is_said_until_it_has_ended(live: Live) -> None:
    live.ask("slow 5")
    expect(live.card("llm_chain").locator(".steps li").first).to_be_visible()
    live.ask("12 * 12")
    expect(live.page.locator("#sy-alert")).to_contain_text("A race is running")
    live.page.keyboard.press("Escape")
    live.answered()
    expect(live.page.locator("#sy-alert")).to_be_hidden()
    expect(live.page.locator("#sy-question")).to_have_value("12 * 12")


def test_a_server_that_falls_silent_ends_the_waiting_until_it_speaks_again(live: Live) -> None:
    page = live.page
    live.ask("slow 5")
    expect(live.card("llm_chain").locator(".steps li").first).to_be_visible()
    page.evaluate("[window.heard, Switchyard.show] = [Switchyard.show, () => {}]")  # nothing arrives any more
    live.answered()
    expect(page.locator("#sy-alert")).to_contain_text("has not answered for 20 seconds")
    expect(page.locator("#sy-question")).to_have_value("slow 5")
    page.evaluate("Switchyard.show = window.heard")
    expect(page.locator(".stop")).to_be_visible()
    expect(page.locator("#sy-alert")).to_be_hidden()
    expect(page.locator("#sy-question")).to_have_value("")
    page.keyboard.press("Escape")
    live.answered()
    expect(live.card("llm_chain").locator(".status")).to_have_text("stopped")


# ---- one fault


def test_what_every_path_failed_with_is_said_once_with_the_way_to_mend_it(live: Live) -> None:
    page = live.page
    live.asked("unreachable 5")
    expect(page.locator(".trouble")).to_contain_text("The model could not be reached.")
    expect(page.get_by_text("The model could not be reached.")).to_have_count(1)
    expect(live.card("router").locator(".fault")).to_have_text("Like every path, for the reason above.")
    page.get_by_role("button", name="Open the settings").click()
    expect(page.locator('.settings [name="lm"]')).to_be_focused()
    page.locator('.settings [name="lm"]').fill("openai/nothing")
    live.ask("7 * 8")
    expect(page.locator("#sy-alert")).to_contain_text("needs a key")
    expect(page.locator(".trouble")).to_be_hidden()
    page.locator('.settings [name="lm"]').fill("embedded")
    live.asked("broken 5")
    expect(page.locator(".trouble")).to_be_hidden()


# ---- what a visitor should know


def test_the_page_says_what_to_expect_of_a_question_and_of_the_model(live: Live) -> None:
    hints = live.page.locator(".hints")
    expect(hints).to_contain_text("Each question stands alone")
    expect(hints.get_by_text("Weather and Wikipedia need the internet: start with --online.")).to_be_visible()
    hints.get_by_text("What is an LLM chain?").press("Enter")
    expect(hints.get_by_text("One language model called again and again")).to_be_visible()
    hints.get_by_text("Why a 135M stand-in?").press("Enter")
    expect(hints.get_by_text("on any machine without a key")).to_be_visible()


def test_weather_is_not_said_to_be_off_where_the_internet_is_allowed(context: BrowserContext) -> None:
    page = build_page(replace(services(), online=True, model_note=("The model here is a/b.", "")))
    address, _ = frame.serve(page, "127.0.0.1", None)
    visit = context.new_page()
    visit.goto(address)
    expect(visit.locator(".send")).to_be_enabled()
    expect(visit.locator(".hints")).to_contain_text("Each question stands alone")
    expect(visit.locator(".hints .offline")).to_be_hidden()
    expect(visit.locator(".hints .stand-in")).to_be_hidden()
    visit.close()
    page.close()
