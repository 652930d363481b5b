"""What the pages say, checked without a browser: cards, verdicts, limits, exports, secrets."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pages import board
from pages.door import Door
from pages.live import Live, scrub_event
from pages.services import Limits
from pages.settings import Settings, check_question, read_settings
from pages.trace_view import Race, Session, card, export_csv, export_json, race_from_json
from pages.turns import Turns
from pages.wiring import model_note
from pages.workbench_projects import Projects
from router.types import TraceEvent, Usage, to_json
from tests.browser.scripted import services

EMBEDDED = {"lm": "embedded", "priced_as": "gpt-4o"}


def asked(question: str = "12 * 12", session: Session | None = None, **data: Any) -> list[dict[str, Any]]:
    """All messages of one question through the real handler and the scripted race."""
    event = {"question": question, "race": "r1", "settings": EMBEDDED} | data
    handler = Live(services(), Door(services()), Projects(services()))
    return list(handler.send(session or Session(), SimpleNamespace(_data=event)))


def test_a_path_that_failed_has_no_zero_that_looks_like_a_victory() -> None:
    last = asked("broken 5")[-1]
    for name in ("tokens", "cost", "latency"):
        assert "Tool calling no value" in last["figures"][name]["one"]["summary"]


def test_what_every_path_failed_with_is_said_once() -> None:
    last = asked("unreachable 5")[-1]
    assert last["fault"] == "The model could not be reached. Check the network."
    assert "could not be reached" not in json.dumps([last["paths"], last["verdict"]])
    assert asked("broken 5")[-1]["fault"] is None and asked()[-1]["fault"] is None


def test_every_message_of_a_race_is_json_and_the_last_one_is_done() -> None:
    messages = asked()
    assert json.loads(json.dumps(messages))[-1]["phase"] == "done"
    assert {m["phase"] for m in messages[:-1]} <= {"waiting", "running"}
    assert messages[-1]["paths"]["router"]["why"]["words"][0][0] == "12"


def test_a_card_adds_up_its_calls_while_they_run() -> None:
    done = asked()[-1]["paths"]["llm_chain"]
    assert (done["calls"], sum(done["tokens"]), done["state"]) == (3, 836, "done")
    own = asked(settings={**EMBEDDED, "counts": "own"})[-1]
    chain = own["paths"]["llm_chain"]
    assert (sum(chain["tokens"]), chain["steps"][0]["tokens"]) == (932, [242, 20])
    assert [s["title"] for s in done["steps"]] == [
        "Plan: choose a tool", "calculator", "Interpret the result", "Write the answer"
    ]  # fmt: skip


def test_only_the_embedded_model_is_called_a_stand_in() -> None:
    assert "makes the comparison fair" in " ".join(model_note("embedded"))
    assert model_note("openai/gpt-4o") == ("The model here is openai/gpt-4o.", "")


def test_an_unknown_price_is_none_and_never_zero() -> None:
    last = asked(settings={**EMBEDDED, "priced_as": "gpt-5"})[-1]
    assert [path["cost"] for path in last["paths"].values()] == [None, None, None]
    assert [found["cost"] for found in last["medians"].values()] == [None, None, None]


@pytest.mark.parametrize(
    ("question", "said"),
    [("", "empty"), ("  \n", "empty"), ("x" * 2001, "2,001 characters; the limit is 2,000")],
)
def test_an_unfit_question_is_refused_with_value_limit_and_remedy(question: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_question(question, Limits())
    assert said in asked(question)[-1]["message"]


def test_a_model_that_cannot_be_made_is_one_sentence_without_the_key() -> None:
    (last,) = asked(settings={"lm": "openai/nothing", "key": "sk-secret-1"})
    assert last["phase"] == "refused"
    assert "•••" in last["message"] and "sk-secret-1" not in json.dumps(last)


def test_the_key_is_in_no_repr_and_no_event() -> None:
    settings = read_settings({"settings": {"lm": "openai/x", "key": "sk-secret-1"}}, services())
    assert "sk-secret" not in repr(settings)
    event = TraceEvent("router", "lm", 0.0, {"phase": "end", "error": "bad key sk-secret-1", "usage": {"calls": 1}})
    assert "sk-secret" not in json.dumps(to_json(scrub_event(event, "sk-secret-1")))


@pytest.mark.parametrize("paths", [["nonsense"], []])
def test_unfit_settings_raise(paths: list[str]) -> None:
    with pytest.raises(ValueError, match="exists"):
        read_settings({"settings": {"paths": paths}}, services())


def test_an_exported_session_comes_back_as_it_was() -> None:
    session = Session()
    asked(session=session)
    (row,) = json.loads(json.dumps(export_json(session.races)))["races"]
    again = race_from_json(row)
    assert again.results == session.races[0].results
    assert again.why == session.races[0].why


def test_a_forged_or_broken_session_is_left_out() -> None:
    handler, session = Live(services(), Door(services()), Projects(services())), Session()
    good = Session()
    asked(session=good)
    row = export_json(good.races)["races"][0]
    cut = row | {"events": row["events"][:-1]}
    odd = row | {"events": [event | {"path": "elsewhere"} for event in row["events"]]}
    rows = ["", "{", "null", "[]", json.dumps({"id": 1}), json.dumps(cut), json.dumps(odd), json.dumps(row)]
    handler.restore(session, SimpleNamespace(_data={"races": rows, "settings": EMBEDDED}))
    assert [race.question for race in session.races] == ["12 * 12"]


def test_a_table_holds_no_formula() -> None:
    session = Session()
    asked('=HYPERLINK("x")', session=session)
    rows = list(csv.DictReader(io.StringIO(export_csv(session.races, lambda usage: None, "gpt-4o"))))
    assert {row["question"] for row in rows} == {'\'=HYPERLINK("x")'}


def test_a_stopped_step_does_not_run_for_ever() -> None:
    begun = TraceEvent("router", "lm", 0.1, {"phase": "begin", "step": 1, "role": "write"})
    ended = TraceEvent("router", "error", 0.2, {"message": "Stopped.", "usage": to_json(Usage())})
    view = card([TraceEvent("router", "start", 0.0, {"question": "q"}), begun, ended], lambda usage: None)
    assert view["state"] == "stopped"
    assert [step["state"] for step in view["steps"]] == ["error"]


def test_figures_speak_of_one_tokenizer_at_a_time() -> None:
    session = Session()
    asked(session=session)
    race: Race = session.races[0]
    by = {
        counts: board.figures(session, race, services(), Settings("embedded", counts=counts))["tokens"]["one"][
            "summary"
        ]
        for counts in ("o200k", "own")
    }
    assert "Router 89" in by["o200k"] and "Router 121" in by["own"]


def test_own_tokenizer_counts_cards_charts_headline_history_and_projection_alike() -> None:
    last = asked(settings={**EMBEDDED, "counts": "own"})[-1]
    assert sum(last["paths"]["router"]["tokens"]) == 121
    assert "Router 121" in last["figures"]["tokens"]["one"]["summary"]
    assert sum(last["history"][0]["paths"]["router"]["tokens"]) == last["medians"]["router"]["tokens"] == 121
    assert f"{594 / 121:.1f}× fewer tokens" in last["verdict"]["cost"]


def route(**data: Any) -> TraceEvent:
    odds = {"tool": "calculator", "confidence": 0.96, "threshold": 0.6, "probabilities": {}, "microseconds": 50.0}
    return TraceEvent("router", "route", 0.001, odds | data)


def test_the_real_reason_of_a_hand_over_is_on_the_card_and_in_the_headlines_lines() -> None:
    race = Race.of("r", "q", "", "embedded", "sequential", ("router",))
    race.add(TraceEvent("router", "start", 0.0, {"question": "q"}))
    race.add(route(abstained=True, reason="calculator does not take '3 boxes' in."))
    view = card(race.events["router"], lambda usage: None)
    assert view["route"]["reason"] == race.handed_over == "calculator does not take '3 boxes' in."
    assert view["steps"][0]["title"] == "Route: calculator – handed over to the LLM"
    race.events["router"][-1] = route(abstained=False, reason="Open slots: amount.")
    assert race.handed_over == ""


def test_what_the_llm_gave_a_tool_is_known_as_borrowed() -> None:
    race = Race.of("r", "q", "", "embedded", "sequential", ("router",))
    begun = {"phase": "begin", "step": 1, "tool": "calculator", "arguments": {"expression": "1"}}
    race.add(TraceEvent("router", "tool", 0.1, begun | {"sources": {"expression": "question"}}))
    assert not race.borrowed
    race.add(TraceEvent("router", "tool", 0.1, begun | {"sources": {"expression": "llm"}}))
    assert race.borrowed


def test_native_and_emulated_calls_have_one_plain_name() -> None:
    for role in ("call", "native_call"):
        begun = TraceEvent("tool_calling", "lm", 0.1, {"phase": "begin", "step": 1, "role": role})
        (step,) = card([begun], lambda usage: None)["steps"]
        assert step["title"] == "Choose a tool or answer"


def waiting_race(wait: float) -> Race:
    """Tool calling waits ``wait`` seconds before each of two calls of a second; the router calls once at once."""
    race = Race.of("r", "q", "", "embedded", "sequential", ("tool_calling", "router"))
    for path, waits in (("tool_calling", (wait, wait)), ("router", (0.0,))):
        race.add(TraceEvent(path, "start", 0.0, {"question": "q"}))
        at = 0.0
        for step, queued in enumerate(waits, 1):
            begun = {"step": step, "role": "write"}
            race.add(TraceEvent(path, "lm", at, {"phase": "begin", **begun}))
            at += queued + 1.0
            if step == len(waits):
                race.add(TraceEvent(path, "token", at - 0.5, {"step": step, "text": "144"}))
            spent = {"seconds": 1.0, "wait_s": queued, "usage": to_json(Usage(1, 9, 1))}
            race.add(TraceEvent(path, "lm", at, {"phase": "end", **begun, **spent}))
        race.add(TraceEvent(path, "answer", at, {"answer": "144", "usage": to_json(Usage(len(waits), 9, 1))}))
    return race


def test_waits_for_the_model_count_in_no_figure_and_are_told() -> None:
    race, session = waiting_race(10.0), Session()
    session.races.append(race)
    last = board.finished(session, race, services(), Settings("embedded"))
    rival = last["paths"]["tool_calling"]
    assert (rival["seconds"], rival["first_token_s"], rival["waited"]) == (2.0, 1.5, 20.0)
    assert "2.0× faster" in last["verdict"]["cost"] and last["shared"]
    assert last["history"][0]["paths"]["tool_calling"]["seconds"] == last["medians"]["tool_calling"]["seconds"] == 2.0
    assert "Tool calling 2" in last["figures"]["latency"]["one"]["summary"]
    row = next(csv.DictReader(io.StringIO(export_csv([race], lambda usage: None, ""))))
    assert (row["seconds"], row["first_token_s"], row["waited_s"]) == ("2.0", "1.5", "20.0")


def test_a_wait_of_less_than_a_twentieth_makes_no_shared_machine() -> None:
    assert not waiting_race(0.05).shared and waiting_race(0.06).shared


def test_a_path_that_never_began_is_not_run_and_no_failure() -> None:
    begun = TraceEvent("router", "start", 0.0, {"question": "q"})
    ended = TraceEvent("router", "error", 0.0, {"message": "Stopped before it began.", "usage": to_json(Usage())})
    assert card([begun, ended], lambda usage: None)["state"] == "not_run"


def test_a_known_question_is_marked_on_each_card() -> None:
    last = asked("I need to leave an 18% tip on a bill of 64.50, how much is that")[-1]
    assert [view["right"] for view in last["paths"].values()] == [True, True, True]
    assert last["verdict"]["outcome"] == "right"
    assert "right" not in asked("12 * 12")[-1]["paths"]["router"]


def test_a_card_says_which_calls_the_provider_did_not_count_and_keeps_thoughts_apart() -> None:
    said, usage = {"step": 1, "role": "chat", "phase": "end", "reply": "4", "thoughts": "2 and 2"}, Usage(1, 9, 1)
    end = said | {"seconds": 1.0, "usage": to_json(replace(usage, counted_calls=1))}
    events = [
        TraceEvent("router", "start", 0.0, {"question": "2+2"}),
        TraceEvent("router", "lm", 0.1, {"phase": "begin", "step": 1, "role": "chat"}),
        TraceEvent("router", "lm", 1.1, end),
        TraceEvent("router", "answer", 1.2, {"answer": "4", "usage": end["usage"], "lesson": None}),
    ]
    view = card(events, lambda usage: None)
    assert (view["counted"], view["answer"]) == (1, "4")
    assert (view["steps"][0]["thoughts"], view["steps"][0]["reply"]) == ("2 and 2", "4")


def one_at_a_time() -> Live:
    handler = Live(services(), Door(services()), Projects(services()))
    handler.turns = Turns(3, "questions")
    return handler


def question(race: str = "r1") -> SimpleNamespace:
    return SimpleNamespace(_data={"question": "12 * 12", "race": race, "settings": EMBEDDED})


def test_a_question_is_told_its_place_and_comes_on_when_the_one_before_has_left() -> None:
    handler, other = one_at_a_time(), object()
    handler.turns.join(other)
    messages = handler.send(Session(), question())
    assert next(messages)["message"] == "One question is before yours on this server."
    handler.turns.leave(other)
    assert list(messages)[-1]["phase"] == "done" and handler.turns.line == 0


def test_stopping_a_question_that_waits_costs_nothing_and_loses_no_place_of_others() -> None:
    handler, other = one_at_a_time(), object()
    handler.turns.join(other)
    messages = handler.send(Session(), question())
    next(messages)
    handler.halt(SimpleNamespace(_data={"race": "r1"}))
    assert [m["message"] for m in messages] == ["Stopped before it began."]
    assert handler.turns.line == 1


def test_a_tab_that_is_closed_leaves_the_line() -> None:
    handler = one_at_a_time()
    handler.turns.join(object())
    messages = handler.send(Session(), question())
    next(messages)
    messages.close()
    assert handler.turns.line == 1


def test_a_full_line_is_told_and_the_question_kept() -> None:
    handler = one_at_a_time()
    for _ in range(3):
        handler.turns.join(object())
    (refused,) = handler.send(Session(), question())
    assert refused["phase"] == "refused" and "3 questions run or wait on this server already" in refused["message"]


def test_as_many_go_on_at_once_as_the_line_allows() -> None:
    turns, tickets = Turns(9, "questions", at_once=2), [object() for _ in range(4)]
    for ticket in tickets:
        turns.join(ticket)
    assert [turns.ahead(ticket) for ticket in tickets] == [0, 0, 1, 2]
    turns.leave(tickets[0])
    assert [turns.ahead(ticket) for ticket in tickets[1:]] == [0, 0, 1]
