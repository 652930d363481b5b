"""The race: every path ends once, failures stay on their own card, stopping is prompt."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

import dspy
import pytest
from dspy import lm15
from scripted_lm import ScriptedEngine, field, scripted_lm
from test_paths import TOOLS, FakeRouter, plan

from baselines.race import PATHS, RaceConfig, build_paths, race
from router.trace import Trace, fold

ENDINGS = ("answer", "error")


class Answers(dspy.Module):
    """A path that asks once and answers, after ``seconds`` in which it does not react to anything."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        super().__init__()
        self.seconds, self.error = seconds, error

    def forward(self, question: str, trace: Trace) -> dspy.Prediction:
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        trace.answer("done")
        return dspy.Prediction(answer="done")


def endings(events) -> dict[str, str]:
    ended = [e for e in events if e.kind in ENDINGS]
    assert max(Counter(e.path for e in ended).values()) == 1
    return {e.path: e.data.get("answer") or e.data["message"] for e in ended}


def paths(*names: str):
    return build_paths(names or PATHS, TOOLS, FakeRouter("calculator"))


@pytest.mark.parametrize("sequential", [True, False])
def test_every_path_ends_in_one_answer(sequential: bool) -> None:
    call = json.dumps({"name": "calculator", "arguments": {"expression": "17*23"}})
    events = list(race("17*23", _by_role(call), paths(), RaceConfig(sequential)))
    assert set(endings(events)) == set(PATHS)
    results = {name: fold([e for e in events if e.path == name]) for name in PATHS}
    assert {name: r.usage.calls for name, r in results.items()} == {"llm_chain": 3, "tool_calling": 2, "router": 1}
    assert {r.tool_results[0].output for r in results.values()} == {"17*23 = 391"}


def _by_role(call: str) -> dspy.LM:
    """A model that answers by role, so that concurrent paths cannot take each other's replies."""

    class ByRole(ScriptedEngine):
        def stream(self, request, cancelled=None):
            role, last = request.config.extensions["role"], request.messages[-1].text
            said = {
                "plan": plan("calculator", "17*23"),
                "interpret": json.dumps({"finding": "391", "done": True}),
                "call": "391." if last.startswith("Result") else call,
            }.get(role, "391.")
            self.enqueue(said)
            yield from super().stream(request, cancelled)

    return dspy.LM("local/scripted", engine=ByRole(local=True), cache=False, num_retries=0)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (lm15.RateLimitError("slow down", status=429, retry_after=0.01), "rate of requests (429)"),
        (lm15.AuthError("Incorrect API key provided: sk-abcdefghijkl", status=401), "refused the API key (401)"),
        (lm15.TimeoutError("timed out"), "did not answer in time"),
        (lm15.TransportError("Connection refused"), "could not be reached"),
        (lm15.ServerError("upstream exploded", status=503, retry_after=0.01), "The provider failed"),
        (lm15.StreamAssemblyError("cut"), "broke off"),
        (ValueError("key=sk-abcdefghijkl is odd"), "ValueError"),
    ],
)
def test_one_paths_failure_is_one_clear_message_without_secrets(error: Exception, says: str) -> None:
    lm = scripted_lm(error, error, local=True)
    modules = {"router": paths("router")["router"], "other": Answers()}
    ended = endings(race("17*23", lm, modules, RaceConfig()))
    assert says in ended["router"] and "sk-abc" not in ended["router"]
    assert ended["other"] == "done"


def test_malformed_json_ends_one_path_and_names_the_reply() -> None:
    modules = {"llm_chain": paths("llm_chain")["llm_chain"], "other": Answers()}
    ended = endings(race("17*23", scripted_lm('{"tool": "cal', local=True), modules))
    assert "does not have the form asked for" in ended["llm_chain"] and ended["other"] == "done"


def test_a_bug_in_a_path_is_an_error_event() -> None:
    ended = endings(race("x", scripted_lm(), {"a": Answers(error=RuntimeError("boom")), "b": Answers()}))
    assert ended == {"a": "RuntimeError: boom", "b": "done"}


def test_stop_is_prompt_and_keeps_what_was_finished() -> None:
    lm = scripted_lm(plan("calculator", "17*23"), "never " * 500, local=True, gap_s=0.02)
    stop = threading.Event()
    events, stopped_at = [], None
    for event in race("17*23", lm, paths("llm_chain"), RaceConfig(stop=stop)):
        events.append(event)
        if event.kind == "tool" and event.data["phase"] == "end":
            stop.set()
            stopped_at = time.perf_counter()
    assert time.perf_counter() - stopped_at < 1.0
    assert endings(events) == {"llm_chain": "Stopped."}
    result = fold(events)
    assert result.tool_results[0].output == "17*23 = 391" and result.usage.calls >= 1


def test_stop_is_prompt_while_tokens_stream() -> None:
    stop, after = threading.Event(), 0
    lm = scripted_lm("never " * 500, local=True, gap_s=0.02)
    for event in race("17*23", lm, paths("router"), RaceConfig(stop=stop)):
        after += stop.is_set()
        if event.kind == "token":
            stop.set()
    assert event.data["message"] == "Stopped." and after < 20


def test_after_stop_the_paths_that_had_not_begun_say_so() -> None:
    stop = threading.Event()
    stop.set()
    ended = endings(race("17*23", scripted_lm(), paths(), RaceConfig(stop=stop)))
    assert set(ended) == set(PATHS) and set(ended.values()) == {"Stopped before it began."}


def test_a_path_that_takes_too_long_is_ended_by_its_limit() -> None:
    lm = scripted_lm("never " * 500, local=True, gap_s=0.02)
    modules = {**paths("router"), "other": Answers()}
    ended = endings(race("17*23", lm, modules, RaceConfig(timeout_s=0.3)))
    assert ended["router"].startswith("No answer within 0.3 s") and ended["other"] == "done"


def test_a_path_that_does_not_react_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines.race.GRACE_S", 0.1)
    started = time.perf_counter()
    ended = endings(race("x", scripted_lm(), {"deaf": Answers(3.0), "b": Answers()}, RaceConfig(timeout_s=0.1)))
    assert time.perf_counter() - started < 2.0
    assert ended["deaf"].startswith("No answer within") and ended["b"] == "done"


def test_closing_the_race_ends_the_model_call() -> None:
    lm = scripted_lm("never " * 500, local=True, gap_s=0.02)
    events = race("17*23", lm, paths("router"))
    next(e for e in events if e.kind == "token")
    events.close()
    until = time.perf_counter() + 2.0
    while not lm.engine.closed and time.perf_counter() < until:
        time.sleep(0.01)
    assert lm.engine.closed == 1


def test_concurrent_paths_overlap_and_sequential_ones_do_not() -> None:
    def spans(sequential: bool) -> tuple[float, int]:
        started = time.perf_counter()
        events = list(race("x", scripted_lm(), {n: Answers(0.3) for n in "abc"}, RaceConfig(sequential)))
        return time.perf_counter() - started, len(endings(events))

    (apart, n), (together, m) = spans(True), spans(False)
    assert n == m == 3 and apart > 0.9 > 0.75 > together


def test_an_unknown_path_is_refused_with_the_names_of_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no path 'shortcut'.*llm_chain"):
        build_paths(["shortcut"], TOOLS, FakeRouter("none"))


def test_a_capable_models_paths_run_through_signatures_and_native_calls() -> None:
    lm = scripted_lm(
        field(tool="calculator", input="17*23"),
        field(finding="391", done=True),
        field(answer="391."),
        {"name": "calculator", "arguments": {"expression": "17*23"}},
        "391.",
        field(answer="391."),
        native_tools=True,
    )
    ended = endings(race("17*23", lm, paths(), RaceConfig(sequential=True)))
    assert ended == dict.fromkeys(PATHS, "391.")


@pytest.mark.embedded
def test_the_embedded_model_runs_every_path(embedded_lm: dspy.LM) -> None:
    events = list(race("What is 17*23?", embedded_lm, paths(), RaceConfig(timeout_s=280.0)))
    results = {name: fold([e for e in events if e.path == name]) for name in PATHS}
    assert set(endings(events)) == set(PATHS)
    assert results["router"].usage.calls == 1 and "391" in results["router"].answer
    assert results["llm_chain"].usage.calls >= 2
    assert all(r.usage.input_tokens > 0 and r.usage.cost_usd is None for r in results.values())
