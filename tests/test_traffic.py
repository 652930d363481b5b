"""The page's own traffic, without a browser: what a race leaves in the journal, who sees it, and what a person may change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pages.door import Door, visit_of
from pages.journals import Journals
from pages.live import Live
from pages.services import Limits
from pages.trace_view import Session
from pages.traffic import Traffic
from pages.workbench_projects import Projects
from router.handover.gate import GateConfig
from router.handover.handover import Handover, HandoverConfig
from router.handover.journal import Journal, JournalRow
from router.tools import Tool, ToolSet
from router.types import ToolCall
from tests.browser.scripted import services

PERCENT = "what is 18% of 64.50"


class Page:
    """The Race and the Hand-over tab on one server, as a browser drives them."""

    def __init__(self, limits: Limits = Limits(), journal: Path | str = "") -> None:
        self.services = replace(services(limits), journal=str(journal))
        self.journals = Journals(self.services)
        self.race, self.tab = Live(self.services, Door(self.services), Projects(self.services), self.journals.note), Traffic(
            self.services, self.journals
        )

    def ask(self, question: str = PERCENT, visit: str = "a", **settings: Any) -> None:
        data = {"question": question, "race": "r", "visit": visit, "settings": {"lm": "embedded"} | settings}
        assert list(self.race.send(Session(), SimpleNamespace(_data=data)))[-1]["phase"] == "done"

    def hear(self, visit: str = "a", **data: Any) -> dict[str, Any]:
        return json.loads(json.dumps(self.tab.hear(SimpleNamespace(_data={"visit": visit} | data))))

    def view(self, visit: str = "a") -> dict[str, Any]:
        return self.hear(visit)["view"]

    def handover(self, visit: str = "a") -> Handover:
        found = self.journals.of(visit_of({"visit": visit})).handover
        while found._judging:
            pass
        return found


@pytest.fixture
def page() -> Iterator[Page]:
    yield Page()


def test_a_race_is_noted_with_both_calls_and_what_the_llms_choice_cost(page: Page) -> None:
    page.ask()
    (row,) = (row for _, row in page.handover().journal.rows())
    assert (row.llm_call.tool, row.router_call.tool) == ("calculator", "calculator")
    assert row.tag == "visit a" and row.usage.calls == 1 and 0 < row.seconds and row.model == 0 and row.proof
    shown = page.view()
    assert [name for name, _, _ in shown["words"]] == [
        "Handled by the router", "Agreed with the LLM", "LLM calls a question", "Saved",
    ]  # fmt: skip
    (one,) = shown["decisions"]
    assert one["question"] == PERCENT and one["llm"].startswith("calculator(") and one["verdict"] == "agree"


def test_calls_that_are_written_otherwise_agree_where_both_found_the_same(page: Page) -> None:
    page.ask()
    page.ask("differ: what is 18% of 64.50")
    page.ask(paths=["tool_calling"])
    first, second, third = (row.agreed for _, row in page.handover().journal.rows())
    assert first == {"tool": True, "call": True}
    assert not second["call"] and third["tool"]


def test_a_race_without_the_llms_free_choice_or_that_failed_is_not_noted(page: Page) -> None:
    page.ask(paths=["router"])
    page.ask("broken 5")
    assert page.journals.of("visit a") is None and page.hear()["view"] is None


def test_on_a_public_page_nobody_sees_anothers_questions_and_at_home_all_share_one_journal(page: Page) -> None:
    public = Page(Limits(public=True))
    for one in (page, public):
        one.ask(visit="a")
        one.ask(visit="b")
    assert len(page.view("a")["decisions"]) == len(page.view("b")["decisions"]) == 2
    assert len(public.view("a")["decisions"]) == len(public.view("b")["decisions"]) == 1
    assert public.hear("c")["view"] is None
    number = public.view("a")["decisions"][0]["row"]
    public.hear("b", act="wrong", row=number, right="none")
    assert public.view("a")["decisions"][0]["right"] == ""


def test_a_tool_says_what_is_missing_is_promoted_paused_and_acts_by_it(page: Page) -> None:
    page.ask()
    page.handover()
    (tool,) = page.view()["tools"]
    assert tool["state"] == "shadow" and "more agreeing calls" in tool["missing"] and tool["hand"]["promote"]
    assert "by your hand" in page.hear(act="promote", tool="calculator")["did"]
    page.ask()
    shown = page.view()
    assert shown["words"][0][1:] == ["50 %", "1 of 2 requests"] and shown["decisions"][0]["mode"] == "act"
    assert "on the very questions" in shown["words"][3][2] and shown["words"][3][1].endswith("265 tokens")
    page.hear(act="pause", tool="calculator")
    page.ask()
    assert page.view()["decisions"][0]["mode"] == "shadow" and page.view()["tools"][0]["state"] == "paused"


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"act": "promote", "tool": "oven"}, "no gate for 'oven'"),
        ({"act": "rollback"}, "no model before number 0"),
        ({"act": "dance"}, "'dance' is nothing to do here"),
        ({"act": "wrong", "row": 99, "right": "none"}, "no row 99"),
        ({"act": "wrong", "row": 1, "right": "everything"}, "'everything' says no call"),
        ({"act": "wrong", "row": 1, "right": "other", "tool": "clock", "arguments": "Oslo"}, "no JSON object: 'Oslo'"),
        ({"act": "wrong", "row": 1, "right": "other", "tool": "oven"}, "no tool 'oven'"),
        ({"act": "wrong", "row": 1, "right": "other", "tool": "clock", "arguments": '{"when": 3}'}, "does not fit"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(page: Page, order: dict[str, Any], told: str) -> None:
    page.ask()
    found = page.hear(**order)
    assert found["phase"] == "refused" and told in found["message"] and "\n" not in found["message"]


def test_this_was_wrong_teaches_and_counts_against_the_agreement(page: Page) -> None:
    page.ask()
    order = {"right": "other", "tool": "calculator", "arguments": '{"expression": "1 + 1"}'}
    found = page.hear(act="wrong", row=1, **order)
    (one,) = found["view"]["decisions"]
    assert one["right"] == "calculator(expression: 1 + 1)" and one["verdict"] == "tool"
    assert found["view"]["words"][1][1] == "0.0 %" and "0 of 1" in found["view"]["words"][1][2]
    (lesson,) = page.handover().journal.lessons({})
    assert lesson.example.arguments == {"expression": "1 + 1"}


def test_why_names_the_words_that_spoke_for_the_tool(page: Page) -> None:
    page.ask()
    assert page.hear(act="why", row=1)["words"].startswith("Words for calculator rather than unit_converter:")
    assert "sure of its whole call" in page.view()["decisions"][0]["why"][1]


LAMP = Tool("lamp", "Turns a lamp on.", {"type": "object", "properties": {"room": {"type": "string"}}})


@pytest.fixture
def endpoints(tmp_path: Path) -> Path:
    """A journal that an endpoint of other tools has written."""
    path = tmp_path / "endpoint.db"
    journal = Journal(path)
    Handover(journal, ToolSet([LAMP]), HandoverConfig(tmp_path / "models", GateConfig(target=0.9), learns=False))
    call = ToolCall("lamp", {"room": "hall"})
    journal.append(JournalRow("light please", "collecting", llm_call=call, tag="caller"), ToolSet([LAMP]))
    journal.close()
    return path


def test_an_endpoints_journal_is_shown_and_the_race_is_not_noted_in_it(endpoints: Path) -> None:
    page = Page(journal=endpoints)
    page.ask()
    shown = page.view()
    assert (shown["source"], [one["question"] for one in shown["decisions"]]) == ("endpoint", ["light please"])
    assert shown["offered"] == ["lamp"] and "target is 90 %" in shown["words"][1][2]
    assert page.hear(act="wrong", row=1, right="none")["view"]["decisions"][0]["right"] == "no tool"


def test_on_a_public_page_the_owners_journal_is_only_looked_at(endpoints: Path) -> None:
    page = Page(Limits(public=True), endpoints)
    shown = page.view()
    assert (shown["source"], shown["decisions"], shown["changes"], shown["name"]) == ("public", [], False, "")
    assert "light please" not in json.dumps(shown)
    for order in ({"act": "pause", "tool": "lamp"}, {"act": "why", "row": 1}):
        assert "own machine" in page.hear(**order)["message"]


def test_a_journal_by_name_outlives_the_page(tmp_path: Path) -> None:
    Page(journal=tmp_path / "own.db").ask()
    again = Page(journal=tmp_path / "own.db")
    again.ask()
    assert [one["question"] for one in again.view()["decisions"]] == [PERCENT] * 2


def test_the_visit_not_heard_of_longest_is_forgotten_with_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.journals.VISITS", 1)
    page = Page(Limits(public=True))
    page.ask(visit="a")
    file = Path(page.handover().journal.url.removeprefix("sqlite:///"))
    page.ask(visit="b")
    assert page.hear("a")["view"] is None and not file.exists() and len(page.view("b")["decisions"]) == 1
