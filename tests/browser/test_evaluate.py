"""The Evaluate tab as a visitor uses it: estimate, run, stop, threshold, files, a saved run without a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from scripted_race import Act, ScriptedRace

from baselines.evaluate.questions import Question
from baselines.evaluate.runs import ABSTAINED, RunConfig, run, write_rows

PATIENT = 60_000
QUESTIONS = [Question(f"what is {n} + {n}", ("calculator",), (str(2 * n),), "calculator") for n in range(10, 30)]


@pytest.fixture
def tab(browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.on(
        "request", lambda r: faults.append(r.url) if not r.url.startswith((url.rstrip("/"), "data:", "blob:")) else None
    )
    page.set_default_timeout(120_000)  # figures are drawn by software here, on a machine that others use too
    page.goto(url)
    page.get_by_role("tab", name="Evaluate").click()
    expect(page.locator(".ev-setup")).to_be_visible(timeout=PATIENT)
    yield page
    context.close()
    assert not faults


def saved_run(path: Path) -> Path:
    """20 questions; the router is sure of half of them, and wrong on some of those."""

    def act(name: str, question: str) -> Act:
        n = int(question.split()[2])
        confidence = 0.5 + n / 100 if name.startswith("router") else None
        right = name != "router" or n % 5 != 0
        calls = {"llm_chain": 3, "tool_calling": 2, ABSTAINED: 3}.get(name, 1)
        answer = str(2 * n) if right else "<img src=x onerror=window.pwned=1> I do not know"
        return Act(
            {"calculator": str(2 * n)},
            answer,
            calls=calls,
            tokens=300 * calls,
            cost=0.001 * calls,
            confidence=confidence,
        )

    config = RunConfig(
        ("llm_chain", "tool_calling", "router"), branches=True, meta={"lm": "some-model", "threshold": 0.5}
    )
    write_rows(run(QUESTIONS, ScriptedRace(act), config), path)
    return path


def open_run(tab: Page, path: Path) -> None:
    tab.locator("[name=saved]").set_input_files(path)
    expect(tab.locator(".ev-result h2")).to_have_text("20 questions with some-model", timeout=PATIENT)


def more_settings(tab: Page) -> None:
    tab.locator(".ev-options > summary").click()


def test_a_bundled_set_runs_to_its_end_and_draws(tab: Page) -> None:
    more_settings(tab)
    tab.locator("[name=branches]").uncheck()
    tab.locator("[name=limit]").fill("3")
    tab.get_by_role("button", name="Run", exact=True).click()
    expect(tab.locator(".ev-progress p")).to_have_text("9 runs done.", timeout=PATIENT)
    expect(tab.locator(".ev-table .scroll >> nth=0").locator("tbody tr")).to_have_count(3, timeout=PATIENT)
    expect(tab.locator(".ev-grid .plot .main-svg").first).to_be_visible(timeout=PATIENT)


def test_stop_keeps_what_was_finished(tab: Page) -> None:
    more_settings(tab)
    tab.locator("[name=branches]").uncheck()
    tab.locator(".ev-setup [name=lm]").fill("unhurried")
    tab.locator("[name=limit]").fill("90")
    tab.get_by_role("button", name="Run", exact=True).click()
    expect(tab.locator(".ev-progress p")).to_contain_text("left", timeout=PATIENT)
    tab.get_by_role("button", name="Stop").click()
    expect(tab.locator(".ev-progress p")).to_contain_text("Stopped after", timeout=PATIENT)
    expect(tab.locator(".ev-table tbody tr").first).to_be_visible(timeout=PATIENT)
    expect(tab.get_by_role("button", name="Run", exact=True)).to_be_enabled(timeout=PATIENT)


def test_the_threshold_redraws_every_figure_without_a_request(tab: Page, tmp_path: Path) -> None:
    open_run(tab, saved_run(tmp_path / "runs.jsonl"))
    calls = tab.locator('.ev-table tr[data-path="router"] td').nth(1)
    expect(calls).to_contain_text("1.00", timeout=PATIENT)
    asked: list[str] = []  # every call of the server begins with a POST; a GET may still be reading the upload's events
    tab.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    slider = tab.locator(".ev-threshold input")
    slider.focus()
    slider.press("End")
    expect(calls).to_contain_text("3.00", timeout=PATIENT)
    expect(tab.locator(".ev-threshold")).to_contain_text("100 % of the questions", timeout=PATIENT)
    slider.press("Home")
    expect(calls).to_contain_text("1.00", timeout=PATIENT)
    assert not asked


def test_the_routers_advantage_stands_with_its_interval_and_follows_the_threshold(tab: Page, tmp_path: Path) -> None:
    open_run(tab, saved_run(tmp_path / "runs.jsonl"))
    cells = tab.locator('.ev-versus tr[data-path="llm_chain"] td')
    expect(cells.nth(0)).to_have_text("3.0×3.0× to 3.0×", timeout=PATIENT)
    expect(cells.nth(4)).to_contain_text("−20 points")
    tab.locator(".ev-threshold input").press("End")  # the LLM chooses everywhere: three calls each
    expect(cells.nth(0)).to_contain_text("1.0×", timeout=PATIENT)


def test_a_run_without_answers_and_without_the_router_claims_nothing_about_them(tab: Page, tmp_path: Path) -> None:
    caveat = tab.locator(".ev-caveat")
    expect(caveat).to_contain_text("; the gap in right answers is mostly the model's.", timeout=PATIENT)
    path, paths = tmp_path / "runs.jsonl", ("llm_chain", "tool_calling")
    race = ScriptedRace(lambda name, question: Act({"calculator": "4"}, "4"))
    questions = [Question(question.text, question.tools) for question in QUESTIONS]
    config = RunConfig(paths, meta={"lm": "embedded", "threshold": 0.5})
    write_rows(run(questions, race, config), path)
    tab.locator("[name=saved]").set_input_files(path)
    expect(tab.locator(".ev-result h2")).to_have_text("20 questions with embedded", timeout=PATIENT)
    expect(tab.locator('.ev-table tr[data-path="llm_chain"]')).to_contain_text("–right answers not known")
    expect(caveat).to_contain_text("time are the paths' own.")
    expect(tab.locator(".ev-threshold")).to_be_hidden()


def test_disagreements_are_text_and_stand_side_by_side(tab: Page, tmp_path: Path) -> None:
    open_run(tab, saved_run(tmp_path / "runs.jsonl"))
    expect(tab.locator(".ev-disagree details")).to_have_count(4, timeout=PATIENT)
    tab.locator(".ev-disagree > summary").click()
    tab.locator(".ev-disagree details > summary").first.click()
    expect(tab.locator(".ev-sides").first).to_contain_text(
        "<img src=x onerror=window.pwned=1> I do not know", timeout=PATIENT
    )
    assert tab.evaluate("window.pwned") is None


def test_the_report_opens_by_itself(tab: Page, tmp_path: Path, browser: Browser) -> None:
    open_run(tab, saved_run(tmp_path / "runs.jsonl"))
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name="Download report").click()
    report = tmp_path / "report.html"
    waiting.value.save_as(report)
    context = browser.new_context(offline=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.goto(report.as_uri())
    expect(page.locator(".ev-result h2")).to_have_text("20 questions with some-model", timeout=PATIENT)
    expect(page.locator(".ev-grid .plot .main-svg").first).to_be_visible(timeout=PATIENT)
    context.close()
    assert not faults


def test_rows_can_be_taken_and_shown_again(tab: Page, tmp_path: Path) -> None:
    source = saved_run(tmp_path / "runs.jsonl")
    open_run(tab, source)
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name="Download rows").click()
    assert Path(waiting.value.path()).read_text(encoding="utf-8") == source.read_text(encoding="utf-8")


def test_bad_rows_of_an_own_set_are_listed_by_line_and_foreign_tools_noted(tab: Page, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    rows = [{"question": "what is 2 + 2"}, {"text": "where is order 4411", "label": "order_status"}]
    file.write_text("nonsense\n".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tab.locator("[name=set]").select_option("own")
    tab.locator("[name=file]").set_input_files(file)
    expect(tab.locator(".ev-problems")).to_contain_text("1 row left outline 2: not JSON", timeout=PATIENT)
    expect(tab.locator(".ev-problems")).to_contain_text("line 3: the tool 'order_status' is not on offer here")
    tab.get_by_role("button", name="Run", exact=True).click()
    expect(tab.locator(".ev-progress p")).to_contain_text("runs done", timeout=PATIENT)


def test_a_file_that_holds_no_runs_says_so(tab: Page, tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    file.write_text("my notes\n", encoding="utf-8")
    tab.locator("[name=saved]").set_input_files(file)
    expect(tab.locator(".ev-fault")).to_contain_text("notes.jsonl holds no runs", timeout=PATIENT)


def test_what_is_typed_and_chosen_before_the_tabs_script_is_there_is_not_lost(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    file = saved_run(tmp_path / "runs.jsonl")
    page = browser.new_page()
    held: list[Route] = []
    page.route("**/evaluate.js", lambda route: held.append(route))
    page.goto(url)
    page.get_by_role("tab", name="Evaluate").click()
    page.locator(".ev-setup [name=lm]").fill("some/model")
    page.locator(".ev-setup [name=saved]").set_input_files(file)
    expect(page.get_by_role("button", name="Open a saved run")).to_be_disabled()
    assert held
    for route in held:
        route.continue_()
    expect(page.locator(".ev-result h2")).to_have_text("20 questions with some-model", timeout=PATIENT)
    expect(page.locator(".ev-setup [name=lm]")).to_have_value("some/model")
    page.close()


def test_the_same_fault_twice_is_said_twice(tab: Page, tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    file.write_text("my notes\n", encoding="utf-8")
    fault = tab.locator(".ev-fault")
    for _ in range(2):
        tab.locator("[name=saved]").set_input_files(file)
        expect(fault).to_contain_text("notes.jsonl holds no runs", timeout=PATIENT)
        tab.evaluate("document.querySelector('.ev-fault').hidden = true")
    tab.locator(".ev-setup [name=lm]").fill("openai/nothing")
    for _ in range(2):
        tab.get_by_role("button", name="Run", exact=True).click()
        expect(fault).to_contain_text("needs a key", timeout=PATIENT)


def test_the_estimate_is_of_the_form_as_it_stands(tab: Page) -> None:
    runs = tab.locator(".ev-estimate dd").first
    expect(runs).to_have_text("40", timeout=PATIENT)
    for number in ("20", "30", "50"):
        tab.locator("[name=limit]").fill(number)
        tab.wait_for_timeout(400)
    expect(runs).to_have_text("200", timeout=PATIENT)
    expect(tab.locator(".ev-basis")).to_contain_text("Estimate, scaled from the measured run on 100 questions")


def test_the_form_is_never_submitted_by_the_browser_itself(tab: Page) -> None:
    tab.locator(".ev-setup [name=key]").fill("sk-very-secret-key")
    before = tab.url
    tab.evaluate("document.querySelector('.ev-setup').submit()")
    tab.wait_for_timeout(500)
    assert tab.url == before and tab.locator(".ev-setup").is_visible()


def test_a_model_that_cannot_be_used_says_why_without_the_key(tab: Page) -> None:
    tab.locator(".ev-setup [name=lm]").fill("openai/nothing")
    tab.locator(".ev-setup [name=key]").fill("sk-very-secret-key")
    tab.get_by_role("button", name="Run", exact=True).click()
    expect(tab.locator(".ev-fault")).to_contain_text("needs a key", timeout=PATIENT)
    assert "sk-very-secret-key" not in tab.locator("body").inner_text()


@pytest.mark.parametrize("width", [360, 768])
def test_narrow_pages_do_not_scroll_sideways(tab: Page, tmp_path: Path, width: int) -> None:
    open_run(tab, saved_run(tmp_path / "runs.jsonl"))
    tab.set_viewport_size({"width": width, "height": 800})
    tab.wait_for_timeout(500)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_tab_has_no_serious_accessibility_fault(tab: Page, tmp_path: Path, dark: bool) -> None:
    from axe_playwright_python.sync_playwright import Axe

    open_run(tab, saved_run(tmp_path / "runs.jsonl"))
    if dark:
        tab.get_by_role("button", name="Switch between light and dark").click()
    found = (
        Axe().run(tab, context=".ev-setup").response["violations"]
        + Axe().run(tab, context=".ev-result").response["violations"]
    )
    assert not [v["id"] + ": " + v["nodes"][0]["html"][:120] for v in found if v["impact"] in ("serious", "critical")]


def test_a_saved_run_that_is_opened_at_once_is_not_replaced_by_the_one_that_ships(
    browser: Browser, url: str, tmp_path: Path
) -> None:
    file = saved_run(tmp_path / "runs.jsonl")
    page = browser.new_page()
    page.goto(url)
    page.get_by_role("tab", name="Evaluate").click()
    page.locator("[name=start]:enabled").wait_for(timeout=PATIENT)  # the form listens; the shipped run is on its way
    page.locator("[name=saved]").set_input_files(file)
    title = page.locator(".ev-result h2")
    expect(title).to_have_text("20 questions with some-model", timeout=PATIENT)
    page.locator(".ev-growth > summary").click()
    expect(page.locator(".ev-growth .plot .main-svg").first).to_be_visible(timeout=PATIENT)
    expect(title).to_have_text("20 questions with some-model")
    page.close()


def test_a_run_that_was_opened_with_the_stand_in_says_what_it_is(tab: Page, tmp_path: Path) -> None:
    caveat = tab.locator(".ev-caveat")
    expect(caveat).to_contain_text("The embedded model is a 135M stand-in", timeout=PATIENT)
    expect(tab.locator(".ev-title .ev-source").first).to_contain_text("measured before, shipped with Switchyard")
    open_run(tab, saved_run(tmp_path / "runs.jsonl"))
    expect(caveat).to_be_empty()
    expect(tab.locator(".ev-title .ev-source").first).not_to_contain_text("shipped")


def test_another_price_reprices_the_run_that_ships(tab: Page) -> None:
    source = tab.locator(".ev-result .ev-source")
    expect(source).to_contain_text("priced as gpt-4o", timeout=PATIENT)
    more_settings(tab)
    tab.locator(".ev-setup [name=priced_as]").select_option("gpt-4o-mini")
    expect(source).to_contain_text("priced as gpt-4o-mini", timeout=PATIENT)
