"""A provider over HTTP (OpenAI's protocol on loopback): streaming, tool calls, usage, and every way to fail."""

from __future__ import annotations

import contextvars
import gc
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dspy
import pytest
from dspy import lm15
from test_paths import TOOLS, FakeRouter, steps

from baselines.race import RaceConfig, build_paths, race
from router.lms import ask, explain, make_lm, prompts
from router.trace import Trace, fold

KEY = "sk-loopback-secret-key"


class Provider:
    """Replies in order: a list of chunks to stream, or (status, headers, body) to fail with, or what makes one of these
    of a request."""

    def __init__(self) -> None:
        self.replies: list = []
        self.requests: list[dict] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked = json.loads(body)
                provider.requests.append(asked | {"authorization": self.headers["Authorization"]})
                reply = provider.replies.pop(0)
                provider.serve(self, reply(asked) if callable(reply) else reply)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, handler: BaseHTTPRequestHandler, reply) -> None:
        status, headers, body = (200, {}, reply) if isinstance(reply, list) else reply
        handler.send_response(status)
        streams = isinstance(body, list)
        handler.send_header("Content-Type", "text/event-stream" if streams else "application/json")
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        for piece in body if streams else [body]:
            if isinstance(piece, float):
                time.sleep(piece)
                continue
            try:
                handler.wfile.write((f"data: {piece}\n\n" if streams else piece).encode())
                handler.wfile.flush()
            except (BrokenPipeError, ConnectionResetError):
                return


def chunks(*deltas: dict, finish: str = "stop") -> list[str]:
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}
    rows = [base | {"choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    rows.append(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    usage = {"prompt_tokens": 1200, "completion_tokens": 7, "total_tokens": 1207}
    usage |= {"prompt_tokens_details": {"cached_tokens": 1024}}
    rows.append(base | {"choices": [], "usage": usage})
    return [*map(json.dumps, rows), "[DONE]"]


def said(*pieces: str) -> list[str]:
    return chunks({"role": "assistant", "content": ""}, *({"content": p} for p in pieces))


def tool_call(name: str, arguments: dict) -> list[str]:
    text = json.dumps(arguments)
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
    pieces = [{"tool_calls": [{"index": 0, "function": {"arguments": t}}]} for t in (text[:5], text[5:])]
    return chunks({"role": "assistant", "content": None, "tool_calls": [call]}, *pieces, finish="tool_calls")


def refused(status: int, message: str, **headers: str) -> tuple:
    return status, headers, json.dumps({"error": {"message": message, "type": "x", "code": None}})


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    provider = Provider()
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
    monkeypatch.setenv("OPENAI_API_BASE", provider.url)
    monkeypatch.setattr("router.lms.meter.PAUSE_S", 0.05)
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture(scope="module")
def lm() -> dspy.LM:
    return make_lm("openai/gpt-4o-mini", KEY)


def test_a_reply_streams_with_the_providers_usage_and_price(provider: Provider, lm: dspy.LM) -> None:
    provider.replies = [said("It is", " 391.")]
    trace = Trace("t", "q")
    assert ask(lm, prompts.chat("17*23?"), trace, stream=True) == "It is 391."
    assert [e.data["text"] for e in trace.events if e.kind == "token"] == ["It is", " 391."]
    usage = trace.usage
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (1200, 1024, 7)
    assert usage.cost_usd == pytest.approx(176 * 0.15e-6 + 1024 * 0.075e-6 + 7 * 0.6e-6)
    (request,) = provider.requests
    assert request["authorization"] == f"Bearer {KEY}" and request["temperature"] == 0.0 and request["stream"]


def test_a_stream_sets_no_context_variable_when_it_is_collected(provider: Provider, lm: dspy.LM) -> None:
    """CPython before 3.12 crashes when one is set while another is being set."""
    provider.replies = [said("It is", " 391.")]
    request = lm15.Request(model="openai/gpt-4o-mini", messages=(lm15.Message.user("17*23?"),))
    context = contextvars.Context()
    gc.disable()
    try:
        assert list(lm.engine.stream(request))
        context.run(gc.collect)
    finally:
        gc.enable()
    assert not list(context)


def test_native_tool_calling_travels_the_wire(provider: Provider, lm: dspy.LM) -> None:
    provider.replies = [tool_call("calculator", {"expression": "17*23"}), said("It is 391.")]
    events = list(race("17*23?", lm, build_paths(["tool_calling"], TOOLS, FakeRouter("none"))))
    result = fold(events)
    assert (result.answer, result.usage.calls, result.tool_results[0].output) == ("It is 391.", 2, "17*23 = 391")
    first, second = provider.requests
    assert [t["function"]["name"] for t in first["tools"]] == list(TOOLS)
    assert second["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "17*23 = 391"}


def test_a_plan_is_bound_to_its_schema_where_prompts_are_used(provider: Provider, lm: dspy.LM) -> None:
    provider.replies = [said('{"tool": "none", "input": ""}')]
    ask(lm, prompts.plan("hello", TOOLS), Trace("t", "q"))
    assert provider.requests[0]["response_format"]["json_schema"]["schema"]["required"] == ["tool", "input"]


def test_a_rate_limit_is_tried_once_more_and_both_attempts_are_steps(provider: Provider, lm: dspy.LM) -> None:
    provider.replies = [refused(429, "slow down", **{"retry-after": "0.01"}), said("Hello.")]
    trace = Trace("t", "q")
    assert ask(lm, prompts.chat("hi"), trace) == "Hello."
    assert steps(trace) == ["chat", "chat"] and trace.usage.calls == 2 and trace.usage.input_tokens == 1200
    assert trace.usage.cost_usd is not None


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (refused(401, f"Incorrect API key provided: {KEY}"), "refused the API key (401)"),
        (refused(429, "slow down"), "(429)"),
        (refused(404, "no such model"), "does not know this model (404)"),
        (refused(503, "overloaded"), "The provider failed"),
        ((200, {}, "<html>not json</html>"), "broke off"),
        (["{broken json"], "provider failed"),
        (said("It is")[:2], "broke off"),
    ],
    ids=["401", "429", "404", "503", "html", "malformed", "dropped"],
)
def test_every_failure_is_one_sentence_without_the_key(provider: Provider, lm: dspy.LM, reply, says: str) -> None:
    provider.replies = [reply, reply]
    with pytest.raises(Exception) as caught:
        ask(lm, prompts.chat("hi"), Trace("t", "q"))
    sentence = explain(caught.value)
    assert says in sentence and KEY not in sentence and "\n" not in sentence and len(sentence) < 400


@pytest.mark.parametrize(
    ("spec", "key", "says"),
    [
        ("openai/gpt-4o-mini", KEY, "could not be reached"),
        ("ollama_chat/llama3.2", None, "could not be reached"),
        ("openai/gpt-4o-mini", None, "No API key is set"),
        ("anthropic/claude-haiku-4-5", None, "No API key is set"),
        ("gemini/gemini-2.5-flash", None, "No API key is set"),
    ],
)
def test_nobody_there_and_no_key_are_told_apart_from_a_providers_fault(
    monkeypatch: pytest.MonkeyPatch, spec: str, key: str | None, says: str
) -> None:
    monkeypatch.setattr("router.lms.meter.MAX_PAUSE_S", 0.05)
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OLLAMA_API_BASE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/v1")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Exception) as caught:
        ask(make_lm(spec, key), prompts.chat("hi"), Trace("t", "q"))
    assert says in explain(caught.value)


def test_stop_ends_a_run_while_the_provider_is_silent(provider: Provider, lm: dspy.LM) -> None:
    provider.replies = [[*said("It is")[:2], 5.0, *said(" 391.")]]
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    started = time.perf_counter()
    paths = build_paths(["tool_calling"], TOOLS, FakeRouter("none"))
    events = list(race("hello", lm, paths, RaceConfig(stop=stop)))
    assert events[-1].data["message"] == "Stopped." and time.perf_counter() - started < 2.0
