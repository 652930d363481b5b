"""The Rules tab shows what the gatekeeper knows, and what a visitor changes there holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Live

SCHOOL = """() => {
  const gate = Gatekeeper.shared();
  const usage = {input_tokens: 119, output_tokens: 12, cost_usd: 0.00042};
  const learn = (query, response, meta) => gate.learn({command: 'LEARN_SIMPLE_PHRASE', query, response},
    {taughtBy: 'a model', method: 'learning instruction', typed: query, usage, ...meta});
  learn('thx', "You're welcome!");
  learn('good morning', 'Good morning!');
  learn('who was napoleon', 'An emperor.');
  learn('ok', 'Great.', {previousTurn: 'Shall I book it?'});
  gate.teach('over to you', 'Thank you.');
  for (let i = 0; i < 5; i++) gate.ask('THX!');
  gate.ask('what is 2+2');
  gate.block('lol');
}"""


@pytest.fixture
def rules(live: Live) -> Page:
    """The open tab of a browser that has learned three phrases."""
    live.page.evaluate(SCHOOL)
    live.page.get_by_role("tab", name="Rules").click()
    expect(live.page.locator(".ru-list tbody tr")).to_have_count(3)
    return live.page


def row(page: Page, phrase: str):
    return page.locator(f'.ru-list tr[data-phrase="{phrase}"]')


def answers(page: Page, text: str) -> str | None:
    return page.evaluate("text => Gatekeeper.shared().ask(text).reply", text)


def test_a_rule_says_who_taught_it_when_what_it_saved_and_until_when(rules: Page) -> None:
    cells = row(rules, "thx").locator("td")
    expect(row(rules, "thx").locator("th")).to_have_text("thx")
    expect(cells.nth(0)).to_have_text("You're welcome!")
    expect(cells.nth(1)).to_contain_text("a model")
    expect(cells.nth(1)).to_contain_text("learning instruction")
    expect(cells.nth(2)).to_have_text(re.compile(r"20\d\d"))
    expect(cells.nth(3)).to_have_text("5")
    expect(cells.nth(4)).to_have_text("655 tokens · $0.0021")
    expect(cells.nth(5)).to_have_text(re.compile(r"20\d\d"))
    expect(row(rules, "over to you")).to_contain_text("you")
    expect(row(rules, "over to you")).to_contain_text("not known")


def test_payback_sets_saving_against_teaching(rules: Page) -> None:
    expect(rules.locator(".ru-verdict")).to_contain_text("paid back 1.3 times over. 5 of 6 messages answered here.")
    expect(rules.locator(".ru-bars .cost")).to_contain_text("524 tokens")
    expect(rules.locator(".ru-bars .saved")).to_contain_text("655 tokens")


def test_rules_taught_by_hand_are_not_called_nothing(live: Live) -> None:
    live.page.get_by_role("tab", name="Rules").click()
    expect(live.page.locator(".ru-verdict")).to_contain_text("Nothing taught yet.")
    live.page.evaluate("Gatekeeper.shared().teach('over to you', 'Thank you.')")
    expect(live.page.locator(".ru-verdict")).to_have_text("Taught at no cost. Nothing answered here yet.")


def test_what_a_rule_saved_is_not_broken_within_its_words(rules: Page) -> None:
    lines = "all => all.map(e => e.getClientRects().length)"
    assert set(rules.locator('td[data-label="Saved"] .ru-number').evaluate_all(lines)) == {1}


def test_refused_lessons_stand_with_their_reasons(rules: Page) -> None:
    refused = rules.locator(".ru-refusals li")
    expect(refused).to_have_count(2)
    expect(refused.nth(0)).to_contain_text("may answer what the assistant asked")
    expect(refused.nth(1)).to_contain_text("question that may expect a fact")
    rules.get_by_role("button", name="Clear").click()
    expect(refused).to_have_count(0)


def test_edit_changes_reply_and_expiry(rules: Page) -> None:
    rules.get_by_role("button", name="Edit “thx”").click()
    form = rules.locator(".ru-edit")
    form.locator('[name="reply"]').fill("<b>bold</b>")
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".ru-fault")).to_contain_text("markup")
    form.locator('[name="reply"]').fill("Any time!")
    form.locator('[name="expiry"]').fill("2099-12-31")
    form.get_by_role("button", name="Save").click()
    expect(row(rules, "thx")).to_contain_text("Any time!")
    expect(row(rules, "thx")).to_contain_text("2099")
    assert answers(rules, "thx 🙏") == "Any time!"


def test_forget_can_be_undone(rules: Page) -> None:
    rules.get_by_role("button", name="Forget “thx”").click()
    expect(row(rules, "thx")).to_have_count(0)
    assert answers(rules, "thx") is None
    rules.get_by_role("button", name="Undo").click()
    expect(row(rules, "thx")).to_have_count(1)
    assert answers(rules, "thx") == "You're welcome!"


def test_forget_all_asks_first(rules: Page) -> None:
    button = rules.get_by_role("button", name="Forget all")
    button.click()
    expect(rules.locator(".ru-list tbody tr")).to_have_count(3)
    rules.get_by_role("button", name="Really forget all?").click()
    expect(rules.locator(".ru-empty").first).to_have_text("No rules yet.")
    rules.get_by_role("button", name="Undo").click()
    expect(rules.locator(".ru-list tbody tr")).to_have_count(3)


def test_an_export_comes_back_through_import(rules: Page, tmp_path: Path) -> None:
    with rules.expect_download() as download:
        rules.get_by_role("button", name="Export JSON").click()
    file = tmp_path / "rules.json"
    download.value.save_as(file)
    exported = json.loads(file.read_text(encoding="utf-8"))
    assert {rule["phrase"] for rule in exported["rules"]} == {"thx", "good morning", "over to you"}
    exported["rules"].append({"phrase": "2+2", "response": "4"})
    file.write_text(json.dumps(exported), encoding="utf-8")
    rules.evaluate("Gatekeeper.shared().forgetAll()")
    rules.locator('.ru [name="file"]').set_input_files(file)
    expect(rules.locator(".ru-note")).to_contain_text("3 rules added, 0 replaced, 1 refused.")
    expect(rules.locator(".ru-problems")).to_contain_text("“2+2”: The phrase holds a number")
    expect(row(rules, "thx")).to_contain_text("655 tokens")


def test_a_file_that_is_none_of_ours_is_refused_in_words(rules: Page, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text("{", encoding="utf-8")
    rules.locator('.ru [name="file"]').set_input_files(file)
    expect(rules.locator(".ru-note")).to_contain_text("Not imported: The file is not JSON")
    expect(rules.locator(".ru-list tbody tr")).to_have_count(3)


def test_a_visitor_teaches_by_hand_and_hostile_text_stays_text(rules: Page) -> None:
    form = rules.locator(".ru-teach")
    form.locator('[name="phrase"]').fill("My hero")
    form.locator('[name="response"]').fill("https://example.org")
    form.get_by_role("button", name="Teach").click()
    expect(form.get_by_role("alert")).to_contain_text("Not taught: The reply holds a link")
    form.locator('[name="response"]').fill("a < b & \"c\" 'x'")
    form.get_by_role("button", name="Teach").click()
    expect(form.locator(".ru-fault")).to_be_empty()
    expect(row(rules, "My hero").locator("td").nth(0)).to_have_text("a < b & \"c\" 'x'")
    rules.evaluate(
        "Gatekeeper.shared().learn({command: 'X', query: '<img src=x onerror=window.hurt=1>', response: '${window.hurt=2}'}, {taughtBy: '<b>m</b>'})"
    )
    expect(rules.locator(".ru-refusals li").first).to_contain_text("<img src=x onerror=window.hurt=1>")
    assert rules.evaluate("window.hurt") is None


def test_a_phrase_that_asks_something_cannot_be_taught_by_hand(rules: Page) -> None:
    form = rules.locator(".ru-teach")
    form.locator('[name="phrase"]').fill("what time is it")
    form.locator('[name="response"]').fill("noon")
    form.get_by_role("button", name="Teach").click()
    expect(form.get_by_role("alert")).to_have_text("Not taught: The phrase is a question that may expect a fact.")
    expect(form.locator('[name="phrase"]')).to_have_value("what time is it")
    assert answers(rules, "what time is it") is None


def test_a_refusal_takes_the_success_before_it_away_and_goes_when_the_text_changes(rules: Page) -> None:
    form, note = rules.locator(".ru-teach"), rules.locator(".ru-note")
    fault = form.locator(".ru-fault")

    def teach(phrase: str) -> None:
        form.locator('[name="phrase"]').fill(phrase)
        form.locator('[name="response"]').fill("Thank you.")
        form.get_by_role("button", name="Teach").click()

    teach("My hero")
    expect(note).to_contain_text("Taught: ")
    teach("what time is it")
    expect(fault).to_contain_text("Not taught: ")
    expect(note).to_be_empty()
    teach("")
    expect(fault).to_be_empty()
    rules.get_by_role("button", name="Forget “thx”").click()
    teach("what time is it")
    expect(fault).to_contain_text("Not taught: ")
    expect(note.get_by_role("button", name="Undo")).to_be_visible()


def test_a_wrong_answer_can_be_allowed_again(rules: Page) -> None:
    expect(rules.locator(".ru-blocked li")).to_have_count(1)
    rules.get_by_role("button", name="Allow “lol” again").click()
    expect(rules.locator(".ru-blocked")).to_be_hidden()


def test_search_finds_rules(rules: Page) -> None:
    rules.locator('.ru [name="filter"]').fill("MORNING")
    expect(rules.locator(".ru-list tbody tr")).to_have_count(1)
    rules.locator('.ru [name="filter"]').fill("nothing like it")
    expect(rules.locator(".ru-empty").first).to_contain_text("No rule holds")


def test_two_tabs_of_the_browser_show_the_same_rules(rules: Page, live: Live) -> None:
    other = rules.context.new_page()
    other.goto(live.url)
    other.get_by_role("tab", name="Rules").click()
    expect(other.locator(".ru-list tbody tr")).to_have_count(3)
    rules.get_by_role("button", name="Forget “thx”").click()
    expect(row(other, "thx")).to_have_count(0)
    assert answers(other, "thx") is None
    other.close()


def test_two_thousand_rules_stay_usable(rules: Page) -> None:
    spent = rules.evaluate("""() => {
      const word = (i) => [...String(i).padStart(4, '0')].map((d) => ['ba','ke','mi','lo','tu','ra','se','ni','po','du'][d]).join('');
      Gatekeeper.shared().importRules({rules: Array.from({length: 1990}, (_, i) => ({phrase: word(i), response: 'x'}))});
      return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(document.querySelectorAll('.ru-list tbody tr').length))));
    }""")
    assert spent == 100
    rules.get_by_role("button", name="Show 100 more").click()
    expect(rules.locator(".ru-list tbody tr")).to_have_count(200)


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_sideways_scrolling(rules: Page, width: int) -> None:
    rules.set_viewport_size({"width": width, "height": 800})
    assert rules.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("dark", [False, True])
def test_axe_has_no_serious_finding(rules: Page, dark: bool) -> None:
    rules.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
    found = Axe().run(rules, context=".ru").response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:120]) for v in found if v["impact"] in ("serious", "critical")] == []
