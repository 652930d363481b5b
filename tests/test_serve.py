"""The endpoint: what the router may answer, what goes on to the upstream untouched, and what failures become."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from router.serve.callers import Admission, tag
from router.serve.counting import Seen
from router.serve.deciding import RouterDecider
from router.serve.endpoint import Endpoint, ServeConfig
from router.serve.upstream import HttpUpstream
from router.types import Decision

KEY = "sk-the-callers-own-key"
LIGHTS = {
    "type": "function",
    "function": {
        "name": "lights",
        "description": "Switch the lights of a room on or off.",
        "parameters": {
            "type": "object",
            "properties": {
                "room": {"type": "string", "enum": ["kitchen", "bathroom"]},
                "state": {"type": "string", "enum": ["on", "off"]},
            },
            "required": ["room", "state"],
        },
    },
}
ASKED = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "turn the kitchen lights on"}],
    "tools": [LIGHTS],
}
SWITCH = {"room": "kitchen", "state": "on"}


class Sure:
    """A router that is sure of the lights, whatever is asked."""

    threshold = 0.5
    fillers = frozenset("turn the".split())
    label_words = {"lights": frozenset("turn the lights on off".split())}

    def decide(self, question: str) -> Decision:
        if "boom" in question:
            raise RuntimeError("the router is out of order")
        sure = 0.2 if "perhaps" in question else 0.98
        return Decision("lights", {"lights": sure, "none": 1 - sure}, sure, sure < self.threshold)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """``app`` on a free port of loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


def completion(call: dict[str, Any] | None = None, text: str = "Done.") -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if call else text}
    if call:
        function = {"name": "lights", "arguments": json.dumps(call)}
        message["tool_calls"] = [{"id": "call_up", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


class Upstream:
    """A provider on loopback: keeps each request whole, and answers as told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answer: Callable[[Request], Response] = lambda _: JSONResponse(completion(SWITCH))
        self.app = Starlette(routes=[Route("/v1/{path:path}", self.handle, methods=["GET", "POST"])])

    async def handle(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        self.headers.append(dict(request.headers))
        self.paths.append(str(request.url.path) + ("?" + request.url.query if request.url.query else ""))
        answer = self.answer(request)
        return await answer if asyncio.iscoroutine(answer) else answer


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[Upstream, str]]:
    upstream = Upstream()
    with served(upstream.app) as url:
        yield upstream, url


@pytest.fixture
def upstream(provider: tuple[Upstream, str]) -> Upstream:
    fresh = provider[0]
    fresh.bodies, fresh.headers, fresh.paths = [], [], []
    fresh.answer = lambda _: JSONResponse(completion(SWITCH))
    return fresh


@pytest.fixture
def start(provider: tuple[Upstream, str], upstream: Upstream) -> Iterator[Callable[..., tuple[Endpoint, str]]]:
    """Start an endpoint in front of the provider: ``start(mode=..., key=...)`` gives it and its base URL."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def begin(mode: str = "live", key: str | None = None, url: str | None = None, **settings: Any):
            forward = HttpUpstream(url or provider[1], key, settings.pop("silent_s", 30.0))
            endpoint = Endpoint(forward, RouterDecider(Sure()), ServeConfig(mode=mode, **settings))
            return endpoint, stack.enter_context(served(endpoint.app))

        yield begin


def post(url: str, body: Any = ASKED, path: str = "/chat/completions", **more: Any) -> httpx.Response:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"} | more.pop("headers", {})
    return httpx.post(url + path, content=sent, headers=headers, timeout=30, **more)


def seen_by(endpoint: Endpoint) -> Seen:
    """The one request that was noted: that happens when its reply is on its way."""
    until = time.monotonic() + 30
    while not (noted := endpoint.counts.recent()) and time.monotonic() < until:
        time.sleep(0.02)
    (seen,) = noted
    return seen


# ---- live


def test_a_sure_call_is_an_ordinary_completion_and_no_request(start, upstream) -> None:
    _, url = start()
    reply = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0).chat.completions.create(**ASKED)
    (choice,) = reply.choices
    (call,) = choice.message.tool_calls
    assert (choice.finish_reason, call.function.name, json.loads(call.function.arguments)) == (
        "tool_calls",
        "lights",
        SWITCH,
    )
    assert call.id.startswith("call_") and reply.usage.total_tokens == 0
    assert upstream.bodies == []


def test_a_sure_call_streams_as_the_sdk_expects(start, upstream) -> None:
    _, url = start()
    client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
    with client.chat.completions.stream(**ASKED, stream_options={"include_usage": True}) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("lights", SWITCH)
    assert upstream.bodies == []


def test_the_header_says_who_wrote_the_turn(start) -> None:
    _, url = start()
    assert post(url).headers["x-switchyard"] == "live; confidence=0.980"
    unsure = ASKED | {"messages": [{"role": "user", "content": "perhaps the lights"}]}
    assert post(url, unsure).headers["x-switchyard"] == "live; forwarded"


@pytest.mark.parametrize(
    "change",
    [
        {"tools": None},
        {"tools": []},
        {"tools": [{"type": "web_search"}]},
        {"tool_choice": "none"},
        {"tool_choice": {"type": "function", "function": {"name": "other"}}},
        {"n": 2},
        {"logprobs": True},
        {"store": True},
        {"response_format": {"type": "json_object"}},
        {"a_field_of_tomorrow": 1},
        {"messages": []},
        {"messages": "turn the kitchen lights on"},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
        {
            "messages": [
                {"role": "user", "content": "turn the kitchen lights on"},
                {"role": "assistant", "content": "Done."},
            ]
        },
        {"messages": [{"role": "user", "content": "perhaps the lights"}]},
        {"messages": [{"role": "user", "content": "boom"}]},
        {"messages": [{"role": "user", "content": "don't turn the kitchen lights on"}]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_what_is_not_the_routers_goes_on_byte_for_byte(start, upstream, change: dict[str, Any]) -> None:
    _, url = start()
    body = json.dumps(ASKED | change, indent=1).encode()
    reply = post(url, body)
    assert reply.json() == completion(SWITCH)
    assert upstream.bodies == [body]


@pytest.mark.parametrize(
    "change",
    [
        {"tool_choice": "auto"},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "lights"}}},
        {"parallel_tool_calls": False, "temperature": 0, "seed": 1, "max_completion_tokens": 100},
        {"n": 1, "logprobs": False, "response_format": {"type": "text"}, "store": None},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "turn the kitchen lights on"}]}]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_what_is_the_routers_it_answers(start, upstream, change: dict[str, Any]) -> None:
    _, url = start()
    assert post(url, ASKED | change).headers["x-switchyard"].startswith("live; confidence")
    assert upstream.bodies == []


def test_a_turn_after_a_tools_result_is_the_upstreams(start, upstream) -> None:
    _, url = start()
    call = completion(SWITCH)["choices"][0]["message"]
    told = {"role": "tool", "tool_call_id": "call_up", "content": "on"}
    post(url, ASKED | {"messages": [*ASKED["messages"], call, told]})
    assert len(upstream.bodies) == 1


# ---- Anthropic


ANTHROPIC = {
    "model": "claude",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "turn the kitchen lights on"}],
    "tools": [{"name": "lights", "description": "Switch lights.", "input_schema": LIGHTS["function"]["parameters"]}],
}


def test_anthropics_messages_get_a_tool_use_block(start, upstream) -> None:
    _, url = start()
    reply = post(url, ANTHROPIC, "/messages").json()
    (block,) = reply["content"]
    assert (reply["stop_reason"], block["type"], block["name"], block["input"]) == (
        "tool_use",
        "tool_use",
        "lights",
        SWITCH,
    )
    assert upstream.bodies == []


def test_anthropics_stream_has_its_events_in_order(start) -> None:
    _, url = start()
    text = post(url, ANTHROPIC | {"stream": True}, "/messages").text
    kinds = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert kinds == ["message_start", *block, "message_delta", "message_stop"]


@pytest.mark.parametrize(
    "change", [{"thinking": {"type": "enabled"}}, {"tools": [{"type": "web_search_20250305", "name": "w"}]}]
)
def test_anthropics_own_extras_are_the_upstreams(start, upstream, change: dict[str, Any]) -> None:
    _, url = start()
    post(url, ANTHROPIC | change, "/messages")
    assert len(upstream.bodies) == 1


# ---- shadow


def test_shadow_changes_nothing_and_notes_both_calls(start, upstream) -> None:
    endpoint, url = start("shadow")
    reply = post(url)
    assert reply.json() == completion(SWITCH) and reply.headers["x-switchyard"] == "shadow; forwarded"
    seen = seen_by(endpoint)
    assert (seen.acted, seen.outcome, seen.agreed) == ("upstream", "call", True)
    assert seen.router == seen.upstream == [{"tool": "lights", "arguments": SWITCH}]
    assert seen.caller == tag(KEY) and KEY not in repr(seen)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_streamed_reply_is_heard_while_it_passes(start, upstream, packed: bool) -> None:
    rows = [
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "lights", "arguments": ""}}]},
                }
            ]
        },
        {
            "choices": [
                {"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": json.dumps(SWITCH)}}]}}
            ]
        },
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    ]
    whole = "".join(f"data: {json.dumps(row)}\n\n" for row in rows).encode() + b"data: [DONE]\n\n"
    sent = gzip.compress(whole) if packed else whole
    headers = {"content-encoding": "gzip"} if packed else {}

    async def pieces():
        for i in range(0, len(sent), 7):
            yield sent[i : i + 7]

    upstream.answer = lambda _: StreamingResponse(pieces(), headers=headers, media_type="text/event-stream")
    endpoint, url = start("shadow")
    assert post(url, ASKED | {"stream": True}).content == whole
    seen = seen_by(endpoint)
    assert seen.agreed is True


def test_another_call_of_the_upstream_is_a_disagreement(start, upstream) -> None:
    upstream.answer = lambda _: JSONResponse(completion({"room": "bathroom", "state": "on"}))
    endpoint, url = start("shadow")
    post(url)
    assert seen_by(endpoint).agreed is False
    assert b'switchyard_agreement_total{agreed="false"} 1.0' in endpoint.counts.text()


# ---- what passes through


def test_other_paths_pass_with_their_query_and_headers(start, upstream) -> None:
    upstream.answer = lambda _: JSONResponse({"data": []}, headers={"x-request-id": "r1"})
    _, url = start()
    reply = httpx.get(url + "/models?limit=2", headers={"authorization": f"Bearer {KEY}", "x-own": "1"})
    assert reply.json() == {"data": []} and reply.headers["x-request-id"] == "r1"
    assert upstream.paths == ["/v1/models?limit=2"]
    assert upstream.headers[0]["authorization"] == f"Bearer {KEY}" and upstream.headers[0]["x-own"] == "1"


def test_the_upstreams_key_stands_in_for_the_callers(start, upstream) -> None:
    _, url = start("shadow", key="sk-upstream")
    post(url)
    assert upstream.headers[0]["authorization"] == "Bearer sk-upstream"
    assert KEY not in json.dumps(upstream.headers)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_the_upstreams_errors_reach_the_client_as_they_are(start, upstream, status: int) -> None:
    upstream.answer = lambda _: JSONResponse({"error": {"message": "no"}}, status, headers={"retry-after": "7"})
    _, url = start("shadow")
    reply = post(url)
    assert (reply.status_code, reply.headers["retry-after"]) == (status, "7")
    assert reply.json() == {"error": {"message": "no"}}


def test_a_redirect_is_not_followed(start, upstream) -> None:
    upstream.answer = lambda _: Response(status_code=302, headers={"location": "http://127.0.0.1:1/"})
    _, url = start("shadow")
    assert post(url).status_code == 302


# ---- failures


def test_an_upstream_that_is_not_there_is_a_bad_gateway(start) -> None:
    _, url = start("shadow", url="http://127.0.0.1:9/v1")
    reply = post(url)
    assert reply.status_code == 502 and "cannot be reached" in reply.json()["error"]["message"]


def test_an_upstream_that_hangs_is_a_timeout(start, upstream) -> None:
    async def hang(_: Request) -> Response:
        await asyncio.sleep(5)
        return Response()

    upstream.answer = hang
    _, url = start("shadow", silent_s=0.3)
    assert post(url).status_code == 504


def test_a_reply_that_breaks_off_breaks_off(start, upstream) -> None:
    async def broken():
        yield b"data: {"
        raise OSError("reset")

    upstream.answer = lambda _: StreamingResponse(broken(), media_type="text/event-stream")
    _, url = start("shadow")
    with pytest.raises(httpx.HTTPError):
        post(url, ASKED | {"stream": True})


def test_a_client_that_goes_frees_the_upstream(start, upstream) -> None:
    ended = threading.Event()

    async def slow():
        try:
            while True:
                yield b": still here\n\n"
                await asyncio.sleep(0.02)
        finally:
            ended.set()

    upstream.answer = lambda _: StreamingResponse(slow(), media_type="text/event-stream")
    _, url = start("shadow")
    with httpx.stream("POST", url + "/chat/completions", json=ASKED | {"stream": True}) as reply:
        next(reply.iter_bytes())
    assert ended.wait(10)


def test_a_router_that_fails_is_counted_and_the_request_goes_on(start, upstream) -> None:
    endpoint, url = start()
    assert post(url, ASKED | {"messages": [{"role": "user", "content": "boom"}]}).status_code == 200
    assert len(upstream.bodies) == 1
    assert b'switchyard_faults_total{where="decide"} 1.0' in endpoint.counts.text()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'"x"', b'{"tools": 3}', b"[" * 10_000])
def test_garbage_is_the_upstreams_to_refuse(start, upstream, body: bytes) -> None:
    _, url = start()
    assert post(url, body).status_code == 200
    assert upstream.bodies == [body]


# ---- who may ask


def test_a_body_over_the_limit_is_refused_with_the_limit(start, upstream) -> None:
    _, url = start(most_bytes=1_000)
    reply = post(url, b"x" * 1_001)
    assert reply.status_code == 413 and "1,000 bytes" in reply.json()["error"]["message"]
    assert upstream.bodies == []


def test_only_accepted_keys_are_served(start) -> None:
    _, url = start(admission=Admission(["sk-accepted"]))
    assert post(url).status_code == 401
    assert post(url, headers={"authorization": "Bearer sk-accepted"}).status_code == 200
    assert (
        post(url, ANTHROPIC, "/messages", headers={"authorization": "", "x-api-key": "sk-accepted"}).status_code == 200
    )


def test_each_key_has_its_own_rate(start) -> None:
    _, url = start(admission=Admission(per_minute=2))
    codes = [post(url).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert int(post(url).headers["retry-after"]) >= 1
    assert post(url, headers={"authorization": "Bearer another"}).status_code == 200


def test_a_rate_fills_up_again() -> None:
    now = [0.0]
    admission = Admission(per_minute=60, clock=lambda: now[0])
    assert all(admission.wait_s("a") == 0 for _ in range(60))
    assert admission.wait_s("a") > 0
    now[0] = 1.0
    assert admission.wait_s("a") == 0 and admission.wait_s("a") > 0


@pytest.mark.parametrize("path", ["/../secret", "/%2e%2e/secret", "/a/../../b", "//127.0.0.1:1/x", "/./models"])
def test_no_path_leaves_the_upstreams_base(start, upstream, path: str) -> None:
    _, url = start()
    with socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0]))) as raw:
        raw.sendall(f"GET /v1{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        status = raw.recv(100).split(b" ")[1]
    assert status == b"404" and upstream.paths == []


def test_off_loopback_a_key_is_asked_for() -> None:
    from router.serve.command import build, parser

    with pytest.raises(ValueError, match="--keys-env"):
        build(parser().parse_args(["--upstream", "http://127.0.0.1:9/v1", "--host", "0.0.0.0"]))


@pytest.mark.parametrize("address", ["ftp://x", "api.openai.com", "https://key@host/v1", "https://h/v1?x=1", ""])
def test_an_upstream_that_is_no_base_url_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        HttpUpstream(address)


def test_forty_askers_at_once_each_get_their_own_reply(start, upstream) -> None:
    async def echo(request: Request) -> Response:
        said = json.loads(await request.body())["messages"][-1]["content"]
        await asyncio.sleep(0.05)
        return JSONResponse(completion(text=said))

    upstream.answer = echo
    _, url = start("shadow")

    async def all_of_them() -> list[str]:
        async with httpx.AsyncClient(timeout=30) as client:
            bodies = [ASKED | {"messages": [{"role": "user", "content": f"perhaps {i}"}]} for i in range(40)]
            replies = await asyncio.gather(*(client.post(url + "/chat/completions", json=body) for body in bodies))
        return [reply.json()["choices"][0]["message"]["content"] for reply in replies]

    assert asyncio.run(all_of_them()) == [f"perhaps {i}" for i in range(40)]
