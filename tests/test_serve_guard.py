"""The endpoint: who may ask, what a request cannot reach, and what failures become."""

from __future__ import annotations

import asyncio
import json
import socket
import threading

import httpx
import pytest
from serving import ANTHROPIC, ASKED, completion, post
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from router.serve.callers import Admission
from router.serve.upstream import HttpUpstream

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
