"""Everything that may go wrong around the endpoint, drawn at random: each request gets the upstream's reply or its error."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import ANTHROPIC, ASKED, Sure, completion, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from router.serve.deciding import RouterDecider
from router.serve.endpoint import Endpoint, ServeConfig
from router.serve.upstream import HttpUpstream

REQUESTS, AT_ONCE = 2_000, 40
HUGE = 3_000_000


class Trouble:
    """An upstream that does what the request's ``x-fault`` says, and marks every reply with the request's number."""

    def __init__(self) -> None:
        self.app = Starlette(routes=[Route("/v1/{path:path}", self.handle, methods=["POST"])])

    async def handle(self, request: Request) -> Response:
        await request.body()
        kind, number = request.headers["x-fault"], request.headers["x-number"]
        if kind == "hang":
            await asyncio.sleep(8)
        if kind == "busy":
            return JSONResponse({"error": number}, 429, headers={"retry-after": "7"})
        if kind == "garbage":
            return Response(b"\xff\x00<html>" + number.encode(), media_type="application/json")
        if kind == "huge":
            return Response(number.encode().ljust(HUGE, b"x"), media_type="application/json")
        if kind in ("reset", "slow", "left"):
            return StreamingResponse(self._pieces(kind, number), media_type="text/event-stream")
        return JSONResponse(completion(text=number))

    async def _pieces(self, kind: str, number: str):
        yield f"data: {json.dumps({'id': number})}\n\n".encode()
        if kind == "reset":
            raise OSError("reset")
        await asyncio.sleep(0.05 if kind == "slow" else 1)
        yield b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[tuple[Endpoint, str]]:
    with served(Trouble().app) as upstream:
        own = Endpoint(HttpUpstream(upstream, silent_s=4.0), RouterDecider(Sure()), ServeConfig())
        with served(own.app) as url:
            yield own, url


async def outcome(client: httpx.AsyncClient, url: str, kind: str, number: int) -> bool:
    """Whether one request got what its fault leads to."""
    said = "boom" if number % 7 == 0 else "turn the kitchen lights on"  # the router fails too
    body = ASKED | {"messages": [{"role": "user", "content": said}], "stream": kind in ("reset", "slow", "left")}
    headers = {"x-fault": kind, "x-number": str(number)}
    async with client.stream("POST", url + "/chat/completions", json=body, headers=headers) as reply:
        if kind == "left":
            async for piece in reply.aiter_bytes():
                return str(number).encode() in piece
        try:
            content = await reply.aread()
        except httpx.RemoteProtocolError:
            return kind == "reset"
    if kind == "hang":
        return reply.status_code == 504
    if kind == "busy":
        return (reply.status_code, reply.headers["retry-after"], reply.json()["error"]) == (429, "7", str(number))
    if kind == "huge":
        return len(content) == HUGE and content.startswith(str(number).encode())
    return reply.status_code == 200 and str(number).encode() in content and kind != "reset"


def test_two_thousand_requests_through_every_fault_get_the_upstreams_reply(endpoint: tuple[Endpoint, str]) -> None:
    own, url = endpoint
    kinds = ["well"] * 80 + ["busy", "garbage", "slow", "reset", "left"] * 4 + ["huge", "hang"]
    drawn = random.Random(0).choices(kinds, k=REQUESTS)

    async def run() -> list[bool]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, kind: str) -> bool:
            async with gate:
                return await outcome(client, url, kind, number)

        async with httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(*(one(i, kind) for i, kind in enumerate(drawn)))

    right = asyncio.run(run())
    assert [(i, drawn[i]) for i, ok in enumerate(right) if not ok] == []
    assert b'switchyard_faults_total{where="decide"}' in own.counts.text()


_SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8)
_JSON = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_request_holds_it_is_answered_and_nothing_in_here_fails(
    endpoint: tuple[Endpoint, str], data: st.DataObject
) -> None:
    own, url = endpoint
    base = data.draw(st.sampled_from([ASKED, ANTHROPIC]))
    changed = base | {
        name: data.draw(_JSON) for name in data.draw(st.sets(st.sampled_from([*base, "stream", "tool_choice", "x"])))
    }
    path = "/messages" if base is ANTHROPIC else "/chat/completions"
    before = own.counts.text().count(b'where="read"')
    reply = httpx.post(url + path, json=changed, headers={"x-fault": "well", "x-number": "1"})
    assert reply.status_code == 200
    assert own.counts.text().count(b'where="read"') == before
