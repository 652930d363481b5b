"""A tool that is sure and arguments that are not: the upstream is shown that one tool, or all where it makes no call of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import ANTHROPIC, ASKED, LIGHTS, PARCEL, SWITCH, completion, post, seen_by
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from router.calls.read import LearnedCall, Read
from router.handover.desk import Desk, Opinion, Standing
from router.handover.evidence import Proof
from router.handover.gate import Gate, GateConfig, Gates
from router.handover.handover import Handover
from router.handover.journal import Journal
from router.serve.anthropic import Anthropic
from router.serve.deciding import ToolLists
from router.serve.handing import HandingConfig, HandoverDecider
from router.serve.openai import OpenAI
from router.serve.sse import READABLE
from router.serve.wire import Asked, Said
from router.types import ToolCall, Usage

OPEN = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "turn the kitchen lights"}]
"""No word of what state they are to be in."""
WHOLE = ASKED | {"messages": OPEN, "tools": [PARCEL, LIGHTS], "temperature": 0}
USED = {"type": "tool_use", "id": "toolu_up", "name": "lights", "input": SWITCH}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "usage": {"input_tokens": 9, "output_tokens": 2}}


def in_anthropics() -> dict[str, Any]:
    tools = [{"name": t["function"]["name"], "description": t["function"]["description"],
              "input_schema": t["function"]["parameters"]} for t in WHOLE["tools"]]  # fmt: skip
    return ANTHROPIC | {"messages": OPEN[1:], "tools": tools}


FORMS = {
    "openai": ("/chat/completions", WHOLE, completion(SWITCH), completion(None, "Which state?")),
    "anthropic": ("/messages", in_anthropics(), MESSAGE | {"content": [USED]}, MESSAGE | {"content": []}),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_upstream_is_shown_the_one_tool_and_all_else_in_its_order(start, upstream, form: str) -> None:
    path, body, called, _ = FORMS[form]
    upstream.answer = lambda _: JSONResponse(called)
    endpoint, url = start()
    reply = post(url, body, path)
    assert reply.json() == called and reply.headers["x-switchyard"].startswith("partial; confidence=0.")
    (sent,) = upstream.bodies
    assert json.loads(sent) == body | {"tools": [tool for tool in body["tools"] if "lights" in json.dumps(tool)]}
    assert list(json.loads(sent)) == list(body)
    assert b'switchyard_partial_total{result="called"} 1.0' in endpoint.counts.text()
    seen = seen_by(endpoint)
    assert (seen.acted, seen.outcome, seen.upstream[0]["arguments"]) == ("partial", "partial", SWITCH)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("refused", [True, False], ids=["refused", "text"])
def test_what_the_upstream_does_not_call_of_one_tool_it_is_asked_in_full(
    start, upstream, form: str, refused: bool
) -> None:
    path, body, called, text = FORMS[form]

    def answer(_: Request) -> Response:
        if len(json.loads(upstream.bodies[-1])["tools"]) == 2:
            return JSONResponse(called)
        return JSONResponse({"error": {}}, 400) if refused else JSONResponse(text)

    upstream.answer = answer
    endpoint, url = start()
    sent = json.dumps(body, indent=1).encode()
    reply = post(url, sent, path)
    assert reply.json() == called and reply.headers["x-switchyard"] == "live; forwarded"
    assert len(upstream.bodies) == 2 and upstream.bodies[1] == sent
    result = "refused" if refused else "text"
    assert f'switchyard_partial_total{{result="{result}"}} 1.0'.encode() in endpoint.counts.text()
    assert seen_by(endpoint).acted == "upstream"


def test_an_upstream_that_is_busy_is_not_asked_twice(start, upstream) -> None:
    upstream.answer = lambda _: JSONResponse({"error": {}}, 429, headers={"retry-after": "7"})
    _, url = start()
    reply = post(url, WHOLE)
    assert (reply.status_code, reply.headers["retry-after"], len(upstream.bodies)) == (429, "7", 1)


def test_a_streamed_call_of_the_one_tool_arrives_as_the_upstream_wrote_it(start, upstream) -> None:
    asked = Asked("", (), ToolLists().tools(WHOLE["tools"]), frozenset(), "m", True)
    whole = b"".join(OpenAI().stream(asked, [ToolCall("lights", SWITCH)]))
    upstream.answer = lambda _: Response(whole, media_type="text/event-stream")
    _, url = start()
    reply = post(url, WHOLE | {"stream": True})
    assert reply.content == whole and reply.headers["x-switchyard"].startswith("partial")


@pytest.mark.parametrize(("mode", "tools"), [("shadow", [PARCEL, LIGHTS]), ("live", [LIGHTS])])
def test_in_shadow_or_with_one_tool_the_request_stays_as_it_is(start, upstream, mode: str, tools: list) -> None:
    _, url = start(mode)
    sent = json.dumps(WHOLE | {"tools": tools}, indent=1).encode()
    assert post(url, sent).headers["x-switchyard"] == f"{mode}; forwarded"
    assert upstream.bodies == [sent]


def test_a_reply_that_is_to_be_heard_comes_in_an_encoding_that_is_read(start, upstream) -> None:
    _, url = start("shadow")
    for accepted in ("br, gzip;q=0.8, zstd", "br"):
        post(url, WHOLE, headers={"accept-encoding": accepted})
    post(url, WHOLE | {"n": 2}, headers={"accept-encoding": "br"})
    assert [sent["accept-encoding"] for sent in upstream.headers] == ["gzip;q=0.8", "identity", "br"]
    assert "br" not in READABLE


# ---- the hand-over


CALL = LearnedCall("lights", Read({"room": "kitchen"}, missing=("state",)), 0.9, 0.5, False)
LIVE, OUT = Gate("live", Proof(0.5, 99, 99, 99, 0.96, True)), Gate("shadow")


def modes(call: LearnedCall = CALL, whole: Gate = OUT) -> Counter[str]:
    """What becomes of 400 requests for a tool whose choice is proven."""
    gates = Gates(GateConfig())
    gates.gates = {"tool": {"lights": LIVE}, "call": {"lights": whole}}
    desk = Desk(gates, seed=0)
    return Counter(desk.decide(i, "turn", Standing(1, None, frozenset({"turn"})), call, True).mode for i in range(400))


def test_which_requests_prove_does_not_depend_on_how_sure_the_router_is() -> None:
    unsure = modes(replace(CALL, probability=0.1, read=replace(CALL.read, posterior=1.0)))
    assert unsure.keys() == {"ask", "shadow"} and unsure["shadow"] == modes()["shadow"]


def test_a_call_in_doubt_of_a_tool_that_is_live_is_partial() -> None:
    found = modes(whole=LIVE)
    assert found.keys() == {"partial", "audit"} and found["audit"] < 40


@pytest.mark.parametrize(("narrowed", "mode"), [(True, "partial"), (False, "ask")])
def test_what_the_llm_called_of_one_tool_teaches_and_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, narrowed: bool, mode: str
) -> None:
    monkeypatch.setattr(
        Handover, "consider", lambda self, question, fills: Opinion(0, "partial", CALL, {"tool": 0.9, "call": 0.0})
    )
    decider = HandoverDecider(HandingConfig(str(tmp_path / "j.db"), tmp_path / "models", mode="live", learns=False))
    asked = OpenAI().read(WHOLE, decider.tools)
    verdict = decider.decide("", asked)
    assert (verdict.outcome, verdict.narrows, verdict.acts) == ("partial", True, False)
    said = Said((ToolCall("lights", SWITCH),), Usage(1, 100, 9))
    decider.told("", asked, replace(verdict, narrows=narrowed), said, 0.1)
    decider.close()
    ((_, row),) = Journal(tmp_path / "j.db").rows()
    assert (row.mode, row.proof, row.lesson) == (mode, False, ToolCall("lights", SWITCH))


def test_a_tool_that_the_request_does_not_allow_is_not_shown_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handover, "consider", lambda self, question, fills: Opinion(0, "partial", CALL))
    decider = HandoverDecider(HandingConfig(str(tmp_path / "j.db"), tmp_path / "models", mode="live", learns=False))
    asked = Anthropic().read(in_anthropics() | {"tool_choice": {"type": "tool", "name": "parcel"}}, decider.tools)
    assert not decider.decide("", asked).narrows
    decider.close()
