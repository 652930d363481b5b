"""What the Hand-over tab says, without a browser: words, rows, turns, limits, and a play in its own process."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import call_log
import pytest

from baselines.figures.handover import panel
from pages.door import Door
from pages.handover import MOST_WAITING, Handover
from pages.own_log import own_log
from pages.services import ASSETS, Limits
from pages.turns import Turns
from router.handover.watch import Count, checkpoints
from router.learning.data import read_each
from tests.browser.scripted import services

GATE: dict[str, Any] = {
    "state": "collecting", "compared": 0, "accepted": 0, "agreed": 0, "bound": 0.0, "threshold": None, "shared": True,
    "missing": None, "reason": "", "by_hand": None,
}  # fmt: skip


def told(requests: int, handled: int, right: int, gate: Any = ()) -> dict[str, Any]:
    """A line of a play of 1,000 requests whose one tool stands at ``gate``."""
    total = Count(requests, handled, right, handled, right).as_json()
    curve = [{"seen": requests} | total | {f"all_{name}": value for name, value in total.items()}] if requests else []
    lamp = {"name": "lamp", "seen": requests, "tool": GATE, "call": GATE | dict(gate)}
    return {
        "phase": "playing",
        "words": "",
        "of": 1_000,
        "total": total,
        "curve": curve,
        "held": [{"at": 90, "reason": "Why."}],
        "tools": [lamp],
    }


def test_figures_in_words_say_of_how_many_they_are() -> None:
    handled, agreed, saved = panel(told(500, 200, 196), 0.95)["words"]
    assert handled == ["Handled by the router", "40 %", "200 of 500 calls"]
    assert agreed[:2] == ["Agreed with the record", "98.0 %"] and agreed[2].startswith("196 of those 200; at least 95.")
    assert saved[:2] == ["LLM calls saved", "200"] and saved[2].startswith("300 were still made, 0.60 a question")


def test_what_was_held_back_is_told_with_its_request_and_reason() -> None:
    assert panel(told(100, 0, 0), 0.95)["held"] == ["Held back after 90 requests: Why."]


def test_where_nothing_was_handed_over_no_agreement_is_claimed() -> None:
    for line in (told(0, 0, 0), told(90, 0, 0)):
        shown = panel(line, 0.99)
        assert shown["words"][1] == ["Agreed with the record", "–", "nothing is handed over until 99 % is proven"]
        assert shown["figures"]["agreement"]["summary"] == "Nothing was handed over yet; the target is 99 %."


@pytest.mark.parametrize(
    ("gate", "missing"),
    [
        ({}, "A first model to compare with"),
        (
            {"state": "shadow", "accepted": 40, "agreed": 39, "missing": 62, "shared": False},
            "At least 62 more agreeing calls",
        ),
        ({"state": "live", "shared": False, "threshold": 0.71, "accepted": 90, "agreed": 89}, "Nothing"),
        ({"state": "live", "by_hand": "promoted"}, "Nothing: promoted by hand"),
        ({"state": "paused", "reason": "The schema of lamp has changed."}, "The schema of lamp has changed."),
    ],
)
def test_a_row_says_what_is_missing_until_live(gate: dict[str, Any], missing: str) -> None:
    assert panel(told(100, 0, 0, gate), 0.95)["tools"][0]["missing"] == missing


def test_the_next_in_line_has_its_turn_when_the_first_leaves_and_a_full_line_is_refused() -> None:
    turns = Turns(2, "plays")
    turns.join("first")
    turns.join("second")
    assert turns.ahead("second") == 1
    with pytest.raises(ValueError, match="2 plays run or wait"):
        turns.join("third")
    turns.leave("first")
    assert turns.ahead("second") == 0


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """Fewer rows than anything is learned from."""
    rows = [{"question": e.question, "tool": e.tool, "arguments": e.arguments} for e in call_log.log(60) if e.arguments]
    path = tmp_path / "stream.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def played(tab: Handover, **data: Any) -> list[dict[str, Any]]:
    return list(tab.start(SimpleNamespace(_data={"target": 0.95, "pace": 0, "run": "r"} | data)))


def test_a_play_ends_with_every_request_counted_and_its_messages_are_json(stream: Path) -> None:
    page = replace(services(), stream=stream)
    messages = json.loads(json.dumps(played(Handover(page, Door(page)))))
    rows = len(list(read_each(stream)))
    last = messages[-1]
    assert (last["phase"], last["stopped"], last["progress"]["seen"]) == ("done", False, rows)
    assert last["panel"]["words"][2][2].startswith(f"{rows} were still made")
    assert {row["words"] for row in last["panel"]["tools"]} == {"Collecting"}


def test_a_play_that_nobody_watches_any_more_ends_its_process_and_gives_its_turn_away(stream: Path) -> None:
    page = replace(services(), stream=stream)
    tab = Handover(page, Door(page))
    watched = tab.start(SimpleNamespace(_data={"target": 0.95, "pace": 30, "run": "r"}))
    assert next(watched)["phase"] == "running"
    watched.close()
    tab.turns.join("next")
    assert tab.turns.ahead("next") == 0 and tab.stops == {}


def test_a_play_is_stopped_by_its_name(stream: Path) -> None:
    page = replace(services(), stream=stream)
    tab = Handover(page, Door(page))
    watched = tab.start(SimpleNamespace(_data={"target": 0.95, "pace": 30, "run": "r"}))
    next(watched)
    tab.halt(SimpleNamespace(_data={"run": "r"}))
    last = list(watched)[-1]
    assert last["phase"] == "done" and last["stopped"]


@pytest.mark.parametrize("data", [{"target": 0.5}, {"target": None}, {"target": "nan"}, {"pace": 7}, {"pace": None}])
def test_an_order_that_the_form_cannot_make_is_refused_in_a_sentence(stream: Path, data: dict[str, Any]) -> None:
    page = replace(services(), stream=stream)
    (only,) = played(Handover(page, Door(page)), **data)
    assert only["phase"] == "refused" and repr(next(iter(data.values()))) in only["message"]


def test_a_play_counts_as_a_question_where_questions_are_limited(stream: Path) -> None:
    page = replace(services(Limits(questions_per_session=1)), stream=stream)
    tab = Handover(page, Door(page))
    assert played(tab)[-1]["phase"] == "done"
    assert "limit is 1 a visit" in played(tab)[-1]["message"]


def test_a_full_line_is_said_and_costs_no_question(stream: Path) -> None:
    page = replace(services(Limits(questions_per_session=1)), stream=stream)
    tab = Handover(page, Door(page))
    others = [threading.Event() for _ in range(MOST_WAITING)]
    for other in others:
        tab.turns.join(other)
    assert "Try again in a few minutes" in played(tab)[-1]["message"]
    for other in others:
        tab.turns.leave(other)
    assert played(tab)[-1]["phase"] == "done"


def test_the_stream_that_ships_is_readable_and_no_longer_than_its_licence_note_says() -> None:
    assert len(list(read_each(ASSETS / "stream.jsonl"))) == 4_000


# ---------------------------------------------------------------- an own log


def row(number: int, tool: str = "lamp") -> str:
    return json.dumps({"question": f"light number {number} in the hall", "tool": tool, "arguments": {"room": "hall"}})


ROWS = [row(n, "lamp" if n % 2 else "parcel") for n in range(70)]


COUNTS_ROWS = """
import json, sys
rows = sum(1 for _ in open(sys.argv[1]))
total = {"requests": rows, "call_handled": 0, "call_agreed": 0}
print(json.dumps({"phase": "done", "words": "", "of": rows, "total": total, "curve": [], "held": [], "tools": []}))
"""
"""A command that plays a log without learning from it."""


def test_an_own_log_is_played_and_its_bad_rows_are_told_by_line() -> None:
    page = replace(services(), watch=(sys.executable, "-c", COUNTS_ROWS))
    text = "\n".join([*ROWS[:3], '{"tool": "lamp"}', *ROWS[3:], "not a row"])
    messages = played(Handover(page, Door(page)), log={"name": "", "text": text})
    told = next(one["words"] for one in messages if one["phase"] == "log")
    assert told.startswith("2 rows cannot be read and are left out: line 4: no question") and "line 72" in told
    assert (messages[-1]["phase"], messages[-1]["progress"]["seen"]) == ("done", 70)


def test_a_table_is_read_by_its_name_or_its_look(tmp_path: Path) -> None:
    table = "question,tool\n" + "".join(f"light number {n},{'lamp' if n % 2 else 'parcel'}\n" for n in range(70))
    for name in ("log.csv", ""):
        assert own_log({"name": name, "text": table}, tmp_path).rows == 70


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("  \n", "The log is empty"),
        ("\n".join(ROWS[:9]), "9 rows that can be read; a play needs 60"),
        ("\n".join(ROWS[:9] + ["x"]), "1 more cannot be read: line 10: "),
        ("{}\n[1]", "No row of the log can be read. line 1: "),
        ("\n".join(row(n) for n in range(70)), "All rows of the log call 'lamp'"),
        ("\n".join(row(n, f"t{n % 2}") for n in range(4_001)), "The log has 4,001 rows; the limit here is 4,000."),
        ("x" * 2_000_001, "2,000,001 bytes; the limit here is 2,000,000."),
    ],
    ids=["empty", "few", "few and bad", "bad", "one tool", "rows", "bytes"],
)
def test_a_log_that_cannot_be_played_is_refused_in_a_sentence_and_costs_no_question(text: str, told: str) -> None:
    page = services(Limits(questions_per_session=1))
    tab = Handover(page, Door(page))
    (only,) = played(tab, log={"name": "log.jsonl", "text": text})
    assert only["phase"] == "refused" and told in only["message"] and tab.turns.line == 0


@pytest.mark.parametrize(("rows", "first"), [(59, 200), (60, 30), (200, 100), (201, 200), (4_000, 200)])
def test_few_requests_are_learned_from_after_half_of_them(rows: int, first: int) -> None:
    assert checkpoints(rows)[0] == first and 2 * checkpoints(rows)[-1] >= rows
