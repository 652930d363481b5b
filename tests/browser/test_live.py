"""The Race tab in a real Chromium."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.browser.conftest import Live
from tests.browser.scripted import HOSTILE


def test_a_question_runs_down_all_paths_and_says_who_won(live: Live) -> None:
    live.asked("What is 18% of 64.50?")
    page = live.page
    expect(page.locator(".headline")).to_have_text("Same result as the LLM chain and tool calling.")
    expect(page.locator(".cost")).to_contain_text("Against tool calling, the cheapest rival: 1 LLM call instead of 2, 6.0×")
    expect(page.locator(".verdict .lines li").first).to_contain_text("1 LLM call instead of 3")
    for path, calls, tokens in (("llm_chain", "3", "836"), ("tool_calling", "2", "530"), ("router", "1", "89")):
        card = live.card(path)
        expect(card.locator(".answer")).to_have_text("18% of 64.50 is 11.61.")
        expect(card.locator(".result")).to_have_text("18% of 64.50 = 11.61")
        expect(card.locator(".call")).to_contain_text('calculator(expression="18')
        expect(card.locator('.kpi [data-key="calls"] dd').first).to_have_text(calls)
        expect(card.locator('.kpi [data-key="tokens"] dd').first).to_have_text(tokens)
    expect(live.card("router").locator('.kpi [data-key="cost"] dd')).to_have_text(
        ["$0.00034", "$335 per million questions"]
    )
    expect(live.card("router").locator(".meter")).to_have_attribute("aria-label", "Confidence 97 %, threshold 62 %")
    expect(live.card("router").locator(".why .for")).to_have_text(["18%", "64.50?"])


def test_every_chart_is_drawn_and_says_its_values(live: Live) -> None:
    live.asked("12 * 12")
    page = live.page
    for name in ("timeline", "tokens", "cost", "latency", "browser"):
        expect(page.locator(f'[data-figure="{name}"] svg.main-svg').first).to_be_visible()
    expect(page.locator('[data-figure="tokens"]')).to_have_attribute(
        "aria-label", "This question: LLM chain 836, Tool calling 530 and Router 89."
    )
    page.get_by_label("Running total").check()
    live.asked("26.2 miles in km")
    expect(page.locator('[data-figure="tokens"]')).to_have_attribute(
        "aria-label", "Running total: LLM chain 1,672, Tool calling 1,060 and Router 178."
    )


def test_stop_ends_the_race_and_keeps_what_was_finished(live: Live) -> None:
    live.ask("slow 5")
    expect(live.card("llm_chain").locator(".steps li.tool .result")).to_be_visible()
    live.page.keyboard.press("Escape")
    live.answered()
    expect(live.card("llm_chain").locator(".status")).to_have_text("stopped")
    expect(live.card("llm_chain").locator(".steps li.tool .result")).to_have_text("18% of 64.50 = 11.61")
    for path in ("tool_calling", "router"):
        expect(live.card(path).locator(".status")).to_have_text("not run")
    expect(live.page.locator(".outcome")).to_have_text("Stopped")
    expect(live.page.locator(".headline")).to_have_text("Stopped before a path had answered.")
    expect(live.page.locator(".verdict .lines")).to_contain_text("Tool calling and the router were not run")
    expect(live.page.locator(".history .none")).to_have_text(["stopped", "not run", "not run"])
    expect(live.card("llm_chain").locator(".result.wrong")).to_have_count(0)
    live.asked("12 * 12")
    expect(live.card("router").locator(".answer")).to_have_text("18% of 64.50 is 11.61.")


def test_a_failing_provider_is_one_cards_sentence(live: Live) -> None:
    live.asked("broken 5")
    expect(live.card("tool_calling").locator('.kpi [data-key="cost"] dd').first).to_have_text("–")
    expect(live.card("tool_calling").locator(".fault")).to_contain_text("429: too many requests")
    expect(live.card("llm_chain").locator(".answer")).to_have_text("18% of 64.50 is 11.61.")
    expect(live.page.locator(".verdict .lines")).to_contain_text("Tool calling failed, so it is not")


def test_a_model_that_needs_a_key_says_so_without_showing_the_key(live: Live) -> None:
    page = live.page
    page.locator(".settings summary").click()
    page.locator('[name="lm"]').fill("openai/nothing")
    page.locator('[name="key"]').fill("sk-very-secret-key")
    live.ask("12 * 12")
    expect(page.locator("#sy-alert")).to_contain_text("needs a key")
    assert "sk-very-secret-key" not in page.content()
    assert not any("sk-very" in request.url for request in live.requests)
    expect(page.locator("#sy-question")).to_have_value("12 * 12")


def test_a_huge_question_is_refused_with_the_limit_and_kept(live: Live) -> None:
    text = "x" * 100_000
    live.ask(text)
    expect(live.page.locator("#sy-alert")).to_contain_text("100,000 characters; the limit is 2,000")
    assert live.page.locator("#sy-question").input_value() == text
    live.answered()


def test_hostile_text_is_shown_as_text(live: Live) -> None:
    question = "hostile 5 " + HOSTILE
    live.asked(question)
    page = live.page
    for path in ("llm_chain", "tool_calling", "router"):
        assert live.card(path).locator(".answer").inner_text().strip() == HOSTILE
    expect(page.locator(".verdict .asked")).to_contain_text("{{pwned}} [click](javascript:")
    expect(page.locator(".history .link")).to_contain_text("<img src=x")
    assert page.evaluate("window.pwned") is None
    assert page.locator('.sy img, .sy script, .sy a[href^="javascript"]').count() == 0


def test_a_reload_in_the_middle_leaves_a_working_page_with_its_history(live: Live) -> None:
    live.asked("12 * 12")
    live.ask("slow 5")
    expect(live.card("llm_chain").locator(".steps li").first).to_be_visible()
    live.open()
    expect(live.page.locator(".history tbody tr")).to_have_count(1)
    expect(live.page.locator(".verdict .asked")).to_contain_text("12 * 12")
    live.asked("100 USD in EUR")
    expect(live.page.locator(".history tbody tr")).to_have_count(2)


def test_prices_change_without_a_new_race(live: Live) -> None:
    live.asked("12 * 12")
    page = live.page
    cost = live.card("llm_chain").locator('.kpi [data-key="cost"] dd')
    expect(cost.first).to_have_text("$0.0025")
    page.locator(".settings summary").click()
    page.get_by_label("Prices for cached input").check()
    expect(cost.first).to_have_text("$0.0015")
    page.locator('[name="priced_as"]').select_option("gpt-5")
    expect(cost.nth(1)).to_have_text("no known price")
    page.locator('[name="counts"]').select_option("own")
    expect(live.card("router").locator('.kpi [data-key="tokens"] dd').first).to_have_text("121")
    expect(page.locator(".note-tokens")).to_have_text("counted by the model's own tokenizer")
    expect(page.locator(".history tbody td").nth(8)).to_have_text("121")
    expect(page.locator('.projection tr[data-path="router"] td').nth(1)).to_have_text("12,100,000")
    expect(page.locator(".projection .basis")).to_contain_text("Tokens counted by the model's own tokenizer.")
    expect(live.card("router").locator(".steps small").last).to_have_text("104 in · 17 out")
    expect(page.locator(".history tbody tr")).to_have_count(1)


def test_the_projection_multiplies_the_sessions_medians(live: Live) -> None:
    live.asked("12 * 12")
    page = live.page
    slider = page.get_by_label("Number of questions")
    slider.fill("60")
    expect(page.locator(".projection .number")).to_have_text("1,000,000 questions")
    row = page.locator('.projection tr[data-path="llm_chain"] td')
    expect(row.nth(0)).to_have_text("$2,503")
    expect(row.nth(1)).to_have_text("836,000,000")
    expect(page.locator(".basis")).to_contain_text("medians of this session's 1 question, at the price of gpt-4o")


def test_the_session_can_be_taken_along(live: Live, tmp_path: Path) -> None:
    live.asked("12 * 12")
    for kind in ("json", "csv"):
        with live.page.expect_download() as download:
            live.page.locator(f'[data-export="{kind}"]').click()
        download.value.save_as(tmp_path / f"session.{kind}")
    trace = json.loads((tmp_path / "session.json").read_text())
    events = trace["races"][0]["events"]
    assert [e["kind"] for e in events if e["path"] == "router"][:2] == ["start", "route"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "session.csv").read_text())))
    assert [(row["path"], row["calls"]) for row in rows] == [("llm_chain", "3"), ("tool_calling", "2"), ("router", "1")]


def test_an_earlier_question_can_be_shown_again(live: Live) -> None:
    live.asked("12 * 12")
    live.asked("broken 5")
    live.page.get_by_role("button", name="12 * 12").click()
    expect(live.page.locator(".verdict .asked")).to_have_text("“12 * 12”")
    expect(live.card("tool_calling").locator(".answer")).to_have_text("18% of 64.50 is 11.61.")


def test_the_page_says_what_is_measured_what_is_computed_and_who_answers(live: Live) -> None:
    page = live.page
    notes = page.locator(".notes")
    expect(page.locator(".hints")).to_contain_text("is a 135M stand-in")
    for said in ("Calls, tokens and seconds are measured", "Costs are computed", "list price"):
        expect(notes).to_contain_text(said)
    live.asked("12 * 12")
    expect(page.locator(".verdict .mode")).to_contain_text("Model: embedded (a 135M stand-in).")
    expect(page.locator(".settings .chosen")).to_have_text(
        "embedded (a 135M stand-in) · fair timing · priced as gpt-4o"
    )
    expect(page.locator(".projection .basis")).to_contain_text("Computed, not measured: the medians of")
    expect(live.card("router").locator(".decision")).to_contain_text("below 62 % the LLM chooses")


def test_labels_that_are_no_tools_are_named_in_words(live: Live) -> None:
    live.asked("thx")
    card = live.card("router")
    expect(card.locator(".choice strong")).to_have_text("small talk")
    expect(card.locator(".steps li.route .title")).to_have_text("Route: small talk")


def test_a_figure_is_one_word_in_the_reasons(live: Live) -> None:
    made = """words => {
      const card = Switchyard.ghost("router");
      const route = {tool: "calculator", confidence: 1, threshold: .5, abstained: false, probabilities: {calculator: 1}};
      const why = {words: words.map(word => [word, 1]), tool: "calculator", runner_up: "", nearest: []};
      const view = {state: "done", steps: [], route, why, answer: "", calls: 0, tokens: [0, 0], cost: 0};
      Switchyard.card(card, "router", view, {race: "r", question: "What's 18% of 64.50?", price: {note: ""}, phase: "done"});
      return card.querySelector(".why p").textContent.trim();
    }"""
    words = ["what", "'", "s", "1", "8", "%", "of", "6", "4", ".", "5", "0", "?"]
    assert live.page.evaluate(made, words) == "what's 18% of 64.50?"


def test_what_a_visitor_does_before_the_script_is_there_is_kept(live: Live) -> None:
    page = live.page
    held: list[Route] = []
    page.route("**/composer.js", lambda route: held.append(route))
    page.goto(live.url)
    box = page.locator("#sy-question")
    box.fill("12 * 12")
    expect(page.locator(".send")).to_be_disabled()
    expect(page.locator(".chips button").first).to_be_disabled()
    for route in held:
        route.continue_()
    expect(page.locator(".send")).to_be_enabled()
    expect(box).to_have_value("12 * 12")
    box.press("Enter")
    expect(live.card("router").locator(".answer")).to_have_text("18% of 64.50 is 11.61.")
    live.answered()


def test_the_tab_has_the_pages_own_name_and_icon(live: Live) -> None:
    assert live.page.title() == "Switchyard"
    assert live.page.locator('link[rel="icon"]').last.get_attribute("href").startswith("data:image/svg+xml,")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_text_is_tiny_or_cut(live: Live, width: int) -> None:
    live.page.set_viewport_size({"width": width, "height": 900})
    live.asked("thx")
    live.page.locator(".settings summary").click()
    tiny = """() => [...document.querySelectorAll(".sy *")].filter(e => e.offsetParent && [...e.childNodes].some(n =>
      n.nodeType === 3 && n.textContent.trim()) && parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.className)"""
    assert live.page.evaluate(tiny) == []
    cut = """() => [...document.querySelectorAll(".kpi dd, .kpi dt, .odds li span, .settings summary > span, .pill")].filter(
      e => e.offsetParent && e.scrollWidth > e.clientWidth + 1 && e.clientWidth).map(e => e.textContent)"""
    assert live.page.evaluate(cut) == []


def test_the_keyboard_is_enough(live: Live) -> None:
    page = live.page
    page.locator(".brand").click()
    page.keyboard.press("/")
    expect(page.locator("#sy-question")).to_be_focused()
    page.keyboard.type("12 * 12")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#sy-question")).to_have_value("12 * 12\n")
    page.keyboard.press("Enter")
    expect(live.card("router").locator(".answer")).to_have_text("18% of 64.50 is 11.61.")
    live.answered()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_scrolls_sideways(live: Live, width: int) -> None:
    live.page.set_viewport_size({"width": width, "height": 800})
    spare = "document.documentElement.scrollWidth - innerWidth"
    assert live.page.evaluate(spare) <= 0
    live.asked("hostile 5 " + "wide" * 60)
    live.page.locator(".settings summary").click()
    live.page.wait_for_timeout(300)
    assert live.page.evaluate(spare) <= 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(live: Live, dark: bool) -> None:
    page = live.page
    if dark:
        page.get_by_role("button", name="Switch between light and dark").click()
        expect(page.locator("body")).to_have_class("dark")
    assert serious(page) == []
    live.asked("thx")
    live.ask("thx")
    expect(page.locator(".hit")).to_be_visible()
    live.asked("broken 5")
    live.ask("thx")
    page.locator(".settings summary").click()
    assert serious(page) == []


def serious(page) -> list[str]:
    """Axe's serious and critical findings: the rule, and the first element that broke it."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]


def test_dark_mode_is_kept_and_charts_follow(live: Live) -> None:
    live.asked("12 * 12")
    page = live.page
    label = page.locator('[data-figure="tokens"] .ytick text').first
    light = label.evaluate("e => getComputedStyle(e).fill")
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(label).not_to_have_css("fill", light)
    live.open()
    assert "dark" in (page.locator("body").get_attribute("class") or "")
