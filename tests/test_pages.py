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
from pages.verdict import medians, verdict
from pages.wiring import model_note
from router.types import RunResult, ToolCall, ToolResult, TraceEvent, Usage, to_json
from tests.browser.scripted import services

EMBEDDED = {"lm": "embedded", "priced_as": "gpt-4o"}


def result(
    path: str, tokens: int, calls: int = 1, seconds: float = 1.0, tool: str | None = "11.61", **more: Any
) -> RunResult:
    tools = (ToolResult(ToolCall("calculator", {}), tool, None, 0.0),) if tool else ()
    usage = Usage(calls, tokens, 0, 0, tokens, 0)
    fields = {"answer": "a", "error": None, "decision": None, "tool_results": tools, "first_token_s": None} | more
    return RunResult(path=path, question="q", usage=usage, seconds=seconds, **fields)


def asked(question: str = "12 * 12", session: Session | None = None, **data: Any) -> list[dict[str, Any]]:
    """All messages of one question through the real handler and the scripted race."""
    event = {"question": question, "race": "r1", "settings": EMBEDDED} | data
    handler = Live(services(), Door(services()))
    return list(handler.send(session or Session(), SimpleNamespace(_data=event)))


def test_the_verdict_names_the_ratios_of_the_run() -> None:
    found = verdict({"llm_chain": result("llm_chain", 900, 3, 3.2), "router": result("router", 90)}, sequential=True)
    assert found.winner == "router"
    assert found.headline == "The router used 10× fewer tokens than the LLM chain, and was 3.2× faster."
    assert found.lines == (
        "Against the LLM chain: 1 call instead of 3, 10× fewer tokens, 3.2× faster, same tool result.",
    )


def test_the_verdict_says_when_the_router_loses() -> None:
    found = verdict({"tool_calling": result("tool_calling", 100), "router": result("router", 250, 2, 2.0)}, True)
    assert found.winner == "tool_calling"
    assert found.headline == "The router lost: tool calling used 2.5× fewer tokens."
    assert "2 calls instead of 1, 2.5× more tokens, 2.0× slower" in found.lines[0]


def test_the_verdict_calls_a_draw_a_draw() -> None:
    found = verdict({"tool_calling": result("tool_calling", 101), "router": result("router", 100)}, True)
    assert found.winner is None
    assert found.headline.startswith("A draw on tokens")


def test_fewer_tokens_but_slower_is_said_in_the_headline() -> None:
    found = verdict({"llm_chain": result("llm_chain", 900, 3, 1.0), "router": result("router", 90, 1, 2.0)}, True)
    assert found.headline.endswith("but took longer.")


def test_a_failed_path_is_named_and_not_compared() -> None:
    broken = result("tool_calling", 0, 0, answer=None, error="429")
    found = verdict(
        {"tool_calling": broken, "llm_chain": result("llm_chain", 900, 3), "router": result("router", 90)}, True
    )
    assert found.lines[-1] == "Tool calling did not finish, so it is not compared."
    assert not any("Against tool calling" in line for line in found.lines)


def test_nothing_to_compare_is_no_victory() -> None:
    assert verdict({"router": result("router", 90)}, True).winner is None
    assert verdict({}, True).headline == "No path answered."


def test_other_or_failed_tool_results_are_pointed_out() -> None:
    rival = result("llm_chain", 900, 3, tool="12")
    assert "different tool results" in verdict({"llm_chain": rival, "router": result("router", 90)}, True).lines[0]
    failed = ToolResult(ToolCall("currency", {}), None, "cannot read", 0.0)
    rival = replace(rival, tool_results=(failed,))
    assert "its tool call failed" in verdict({"llm_chain": rival, "router": result("router", 90)}, True).lines[0]


def test_one_value_in_other_words_is_the_same_tool_result() -> None:
    ours = result("router", 90, tool="18% of 64.50 = 11.61")
    rival = result("llm_chain", 900, 3, tool="18%*64.50 = 11.61")
    assert "same tool result" in verdict({"llm_chain": rival, "router": ours}, True).lines[0]


def test_nobody_is_called_the_llm_in_lower_case() -> None:
    stopped = {path: result(path, 0, 0, answer=None, error="Stopped.") for path in ("llm_chain", "router")}
    assert verdict(stopped, True).lines == ("The LLM chain and the router did not finish, so they are not compared.",)


def test_a_path_that_failed_has_no_zero_that_looks_like_a_victory() -> None:
    last = asked("broken 5")[-1]
    for name in ("tokens", "cost", "latency"):
        assert "Tool calling no value" in last["figures"][name]["one"]["summary"]


def test_what_every_path_failed_with_is_said_once() -> None:
    last = asked("unreachable 5")[-1]
    assert last["fault"] == "The model could not be reached. Check the network."
    assert "could not be reached" not in json.dumps([last["paths"], last["verdict"]])
    assert asked("broken 5")[-1]["fault"] is None and asked()[-1]["fault"] is None


def test_a_direct_answer_without_a_call_is_compared_without_dividing_by_zero() -> None:
    found = verdict({"llm_chain": result("llm_chain", 900, 3), "router": result("router", 0, 0, 0.1)}, True)
    assert found.headline == "The router answered without the LLM."
    assert "0 calls instead of 3, no tokens" in found.lines[0]


def test_every_message_of_a_race_is_json_and_the_last_one_is_done() -> None:
    messages = asked()
    assert json.loads(json.dumps(messages))[-1]["phase"] == "done"
    assert {m["phase"] for m in messages[:-1]} <= {"waiting", "running"}
    assert messages[-1]["paths"]["router"]["why"]["words"][0][0] == "12"


def test_a_card_adds_up_its_calls_while_they_run() -> None:
    done = asked()[-1]["paths"]["llm_chain"]
    assert (done["calls"], sum(done["tokens"]), done["state"]) == (3, 836, "done")
    assert done["tokens"] != done["own"]
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
    handler, session = Live(services(), Door(services())), Session()
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


def test_medians_leave_out_what_failed() -> None:
    done = {"state": "done", "tokens": [10, 5], "seconds": 2.0, "cost": 0.1}
    rows = [{"paths": {"router": done}}, {"paths": {"router": done | {"state": "error", "tokens": [0, 0]}}}]
    assert medians(rows)["router"] == {"questions": 1, "tokens": 15, "seconds": 2.0, "cost": 0.1}


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
