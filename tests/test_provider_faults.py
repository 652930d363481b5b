"""One server on loopback plays what providers do to the letter of their protocol and beside it, against every path: each
run ends in its answer or in one sentence that says what happened."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import dspy
import pytest
from dspy import lm15
from hypothesis import given
from hypothesis import strategies as st
from scripted_lm import field
from test_paths import TOOLS, FakeRouter
from test_provider import KEY, Provider, lm, provider, refused, said, tool_call

from baselines.race import RaceConfig, build_paths, race
from router.lms import ask, explain, make_lm, prompts
from router.lms.meter import Meter
from router.lms.replies import thoughts_apart
from router.trace import Trace, fold
from router.types import RunResult, TraceEvent

__all__ = ["lm", "provider"]  # fixtures

PATHS = ("llm_chain", "tool_calling", "router")
ANSWER = "It is 4."
USAGE = {"prompt_tokens": 1200, "completion_tokens": 7, "total_tokens": 1207}
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}


def stream(*deltas: Any, finish: str = "stop", usage: Any = USAGE) -> list[str]:
    """Chunks of a reply; a delta that is a list stands for the chunk's choices."""
    rows = [HEAD | {"choices": d if isinstance(d, list) else [{"index": 0, "delta": d}]} for d in deltas]
    rows.append(HEAD | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return [*map(json.dumps, rows if usage is None else [*rows, HEAD | {"choices": [], "usage": usage}]), "[DONE]"]


def wanted(asked: dict[str, Any]) -> str:
    """The answer in the form that a path asks for: as it is, or in the fields of its DSPy signature."""
    return ANSWER if asked.get("tools") else field(tool="none", input="", answer=ANSWER)


def replying(make: Callable[[str], list[str]]) -> Callable[[dict[str, Any]], list[str]]:
    return lambda asked: make(wanted(asked))


def text(value: str | None) -> dict[str, Any]:
    return {"content": value}


def cut(value: str, *marks: str) -> list[dict[str, Any]]:
    """Deltas of a text that is cut in the middle of each mark."""
    for mark in marks:
        value = value.replace(mark, f"{mark[:3]}\0{mark[3:]}")
    return [text(piece) for piece in value.split("\0")]


ANSWERED: dict[str, Callable[[str], list[str]]] = {
    "no usage": lambda t: stream(text(t), usage=None),
    "usage of nulls": lambda t: stream(text(t), usage=dict.fromkeys(USAGE)),
    "half of a usage": lambda t: stream(text(t), usage={"prompt_tokens": 1200}),
    "an odd reason to end": lambda t: stream(text(t), finish="eos_token"),
    "a reason nobody knows": lambda t: stream(text(t), finish="satisfied"),
    "thoughts in the text": lambda t: stream(text(f"<think>2 and 2</think>\n\n{t}")),
    "thoughts cut anywhere": lambda t: stream(*cut(f"<think>2 and 2</think> {t}", "<think>", "</think>")),
    "thoughts under another name": lambda t: stream(text(f"<thinking>2 and 2</thinking>{t}")),
    "thoughts that only end": lambda t: stream(text("2 and 2"), text(f"</think>{t}")),
    "thoughts in a field": lambda t: stream({"reasoning_content": "2 and"}, {"reasoning_content": " 2"}, text(t)),
    "thoughts in another field": lambda t: stream({"reasoning": "2 and 2"}, text(t)),
    "chunks of nothing": lambda t: stream([], {}, text(None), text(""), text(t), []),
    "a null for a delta": lambda t: stream([{"index": 0, "delta": None}], text(t)),
    "fields nobody knows": lambda t: stream(text(t) | {"reasoning_details": [{"type": "x"}], "annotations": [{}]}),
}
COUNTED = ("no usage", "usage of nulls", "half of a usage")

FAILED: dict[str, tuple[Any, str]] = {
    "an empty text": (stream(text("")), "reply is empty"),
    "no text": (stream(text(None)), "reply is empty"),
    "spaces": (stream(text(" \n")), "reply is empty"),
    "thoughts alone": (stream(text("<think>2 and 2</think>\n")), "nothing but thoughts"),
    "thoughts alone in a field": (stream({"reasoning_content": "2 and 2"}), "nothing but thoughts"),
    "thoughts without an end": (stream(text("<think>2 and 2")), "nothing but thoughts"),
    "thoughts that were cut": (stream({"reasoning_content": "2"}, finish="length"), "done thinking"),
    "a reply that was cut": (stream(text("It is"), finish="length"), "cut off at 1,000 tokens (length)"),
    "a reply that was withheld": (stream(text("It is"), finish="content_filter"), "filter withheld"),
    "an error for a chunk": ([json.dumps({"error": {"message": "boom", "code": 500}})], "boom"),
    "an error in mid-stream": ([*stream(text("It"))[:1], json.dumps({"error": {"message": "boom"}})], "boom"),
    "a stream that ends": (stream(text("It is"))[:1], "broke off"),
    "no JSON": (["{broken"], "provider failed"),
    "400": (refused(400, "this model does not support tools"), "does not support tools (status 400)"),
    "401": (refused(401, f"Wrong key {KEY}, see the docs"), "refused the API key (401). Check the key and its rights. It says: Wrong key"),
    "402": (refused(402, "top up at once"), "top up at once"),
    "403": (refused(403, "not in your country"), "(403). Check the key and its rights. It says: not in your country"),
    "404": (refused(404, "no such model"), "no such model (status 404)"),
    "429": (refused(429, "slow down", **{"retry-after": "7200"}), "Wait 2 h and ask again. It says: slow down"),
    "500": (refused(500, "disk full"), "disk full"),
    "a context that is too long": (
        (400, {}, json.dumps({"error": {"message": "maximum context length is 8192 tokens", "code": "context_length_exceeded"}})),
        "context is too long for the model: maximum context length is 8192",
    ),
}  # fmt: skip


def run(
    path: str, lm: dspy.LM, label: str = "none", config: RaceConfig = RaceConfig()
) -> tuple[RunResult, list[TraceEvent]]:
    events = list(race("2 and 2?", lm, build_paths([path], TOOLS, FakeRouter(label)), config))
    return fold(events), events


def ended(events: list[TraceEvent]) -> list[dict[str, Any]]:
    return [dict(e.data) for e in events if e.kind == "lm" and e.data["phase"] == "end"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_is_found_in_an_odd_reply(name: str, path: str, provider: Provider, lm: dspy.LM) -> None:
    provider.replies = [replying(ANSWERED[name])] * 2
    result, events = run(path, lm)
    assert (result.answer, result.error) == (ANSWER, None)
    streamed = "".join(e.data["text"] for e in events if e.kind == "token")
    assert streamed == ANSWER or name == "thoughts that only end"
    thoughts = [step.get("thoughts") for step in ended(events)]
    assert thoughts == ["2 and 2" if "thoughts" in name else None] * len(thoughts)
    assert "2 and 2" not in str([step["reply"] for step in ended(events)])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ANSWERED)
def test_what_a_provider_does_not_count_is_counted_here_and_marked(
    name: str, path: str, provider: Provider, lm: dspy.LM
) -> None:
    provider.replies = [replying(ANSWERED[name])] * 2
    usage = run(path, lm)[0].usage
    assert usage.counted_calls == (usage.calls if name in COUNTED else 0)
    read = 1200 * usage.calls if name not in COUNTED or name == "half of a usage" else usage.o200k_input
    assert usage.input_tokens == read > 0
    assert usage.output_tokens == (usage.o200k_output if name in COUNTED else 7 * usage.calls)
    assert usage.cost_usd == pytest.approx(usage.input_tokens * 0.15e-6 + usage.output_tokens * 0.6e-6)


def test_tool_schemas_are_in_our_own_count(provider: Provider, lm: dspy.LM) -> None:
    provider.replies = [stream(text(ANSWER), usage=None)]
    assert run("tool_calling", lm)[0].usage.input_tokens > 100


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", FAILED)
def test_what_is_no_answer_is_one_sentence_that_says_what_it_is(
    name: str, path: str, provider: Provider, lm: dspy.LM
) -> None:
    reply, says = FAILED[name]
    provider.replies = [reply] * 4
    result, events = run(path, lm)
    assert result.answer is None and says in (result.error or "")
    assert KEY not in str(events) and "\n" not in result.error and len(result.error) < 400
    assert ended(events)[-1]["error"] and result.usage.calls == len(provider.requests)


def test_a_field_of_a_reply_may_be_empty_and_is_no_answer(provider: Provider, lm: dspy.LM) -> None:
    for path in ("llm_chain", "router"):
        provider.replies = [said(field(tool="none", input="", answer="")) for _ in range(4)]
        assert run(path, lm)[0].error is not None


def test_tool_calls_without_end_are_no_answer(provider: Provider, lm: dspy.LM) -> None:
    provider.replies = [tool_call("calculator", {"expression": f"{n}+1"}) for n in range(5)]
    result, _ = run("tool_calling", lm)
    assert result.error.startswith("The model called tools in each of 5 rounds and gave no answer.")
    assert len(result.tool_results) == 4 and result.usage.calls == 5


@pytest.mark.parametrize("arguments", ['{"expression": "17*', "17*23", "[17]"])
def test_arguments_that_are_no_json_object_are_told_to_the_model(
    arguments: str, provider: Provider, lm: dspy.LM
) -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "calculator", "arguments": arguments}}
    provider.replies = [stream({"role": "assistant", "tool_calls": [call]}, finish="tool_calls"), said(ANSWER)]
    result, _ = run("tool_calling", lm)
    assert result.answer == ANSWER and result.tool_results[0].error
    assert provider.requests[1]["messages"][-1]["content"].startswith("[error] Error: ")


def test_thoughts_are_no_part_of_a_lesson(provider: Provider, lm: dspy.LM) -> None:
    lesson = {"command": "LEARN_SIMPLE_PHRASE", "query": "hi", "response": "Hello."}
    reply = f"<think>It greets. Say <b>.</think>{field(userResponse='Hello.', learningInstruction=lesson)}"
    provider.replies = [stream(text(reply))]
    events = list(race("hi", lm, build_paths(["router"], TOOLS, FakeRouter("smalltalk"))))
    assert events[-1].data["answer"] == "Hello." and events[-1].data["lesson"]["instruction"] == lesson
    assert ended(events)[0]["thoughts"] == "It greets. Say <b>."


def test_a_key_of_no_known_form_is_in_no_sentence(provider: Provider) -> None:
    odd = "q7Zk1odd9form0key"
    provider.replies = [refused(401, f"invalid key {odd} (shown as q7Zk***0key or q7Zk...)")]
    result, events = run("router", make_lm("openai/gpt-4o-mini", odd))
    assert "invalid key" in result.error and odd not in str(events) and "q7Zk" not in str(events)


# ---------------------------------------------------------------- waiting


def in_(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"Retry-After": "0.25"}, 0.25, 0.25),
        pytest.param({"retry-after": lambda: in_(20)}, 10, 20, id="a date"),
        ({"retry-after-ms": "700"}, 0.7, 0.7),
        ({"retry-after-ms": "700", "retry-after": "1"}, 0.7, 0.7),
        ({"retry-after": "30"}, 30, 30),
        ({"retry-after": "soon"}, 0.05, 0.05),
        ({"retry-after": "-3"}, 0.05, 0.05),
        ({}, 0.05, 0.05),
    ],
    ids=str,
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_pause_is_the_one_that_the_provider_asks_for(
    status: int,
    headers: dict[str, Any],
    low: float,
    high: float,
    provider: Provider,
    lm: dspy.LM,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Meter, "_pause", lambda self, seconds: waited.append(seconds))
    headers = {name: value() if callable(value) else value for name, value in headers.items()}
    provider.replies = [refused(status, "slow down", **headers), said("Hello.")]
    trace = Trace("t", "q")
    assert ask(lm, prompts.chat("hi"), trace) == "Hello."
    assert len(waited) == 1 and low <= waited[0] <= high
    assert "It is tried again in" in ended(trace.events)[0]["error"]


@pytest.mark.parametrize("value", ["31", "7200", "1e9", lambda: in_(7200)])
def test_a_wait_that_is_too_long_fails_at_once_and_is_told(value: Any, provider: Provider, lm: dspy.LM) -> None:
    provider.replies = [refused(429, "slow down", **{"retry-after": value() if callable(value) else value})]
    with pytest.raises(Exception) as caught:
        ask(lm, prompts.chat("hi"), Trace("t", "q"))
    assert "Wait " in explain(caught.value) and len(provider.requests) == 1


def test_a_wait_ends_when_the_run_is_stopped(provider: Provider, lm: dspy.LM) -> None:
    stop = threading.Event()
    provider.replies = [
        lambda _: (threading.Timer(0.2, stop.set).start(), refused(429, "x", **{"retry-after": "25"}))[1]
    ]
    result, _ = run("router", lm, config=RaceConfig(stop=stop))
    assert result.error == "Stopped." and len(provider.requests) == 1


# ---------------------------------------------------------------- thoughts, cut anywhere


@given(
    st.lists(
        st.sampled_from(["<", "think", "<think>", "</think>", "a", " b\n", "</thin", "<Thinking>", ">"]), max_size=9
    )
)
def test_thoughts_are_told_apart_alike_wherever_the_stream_is_cut(pieces: list[str]) -> None:
    def heard(texts: list[str]) -> tuple[str, str]:
        events = [
            *(lm15.StreamDeltaEvent(lm15.TextDelta(t)) for t in texts if t),
            lm15.StreamEndEvent(finish_reason="stop"),
        ]
        deltas = [e.delta for e in thoughts_apart(iter(events)) if e.type == "delta"]
        return tuple("".join(d.text for d in deltas if d.type == kind) for kind in ("text", "thinking"))

    whole = "".join(pieces)
    assert heard([whole]) == heard(pieces) == heard(list(whole))
