"""An endpoint in front of a provider on loopback, for tests: a sure router, requests and replies. The fixtures are in conftest.py."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from router.serve.counting import Seen
from router.serve.endpoint import Endpoint
from router.types import Decision

KEY = "sk-the-callers-own-key"
PARCEL = {
    "type": "function",
    "function": {
        "name": "parcel",
        "description": "Say where a parcel is.",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
    },
}
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
ANTHROPIC = {
    "model": "claude",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "turn the kitchen lights on"}],
    "tools": [{"name": "lights", "description": "Switch lights.", "input_schema": LIGHTS["function"]["parameters"]}],
}


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


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def served(app: Any) -> Iterator[str]:
    """``app`` on a free port of loopback."""
    port = free_port()
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
        self.app = Starlette(routes=[Route("/v1/{path:path}", self.handle, methods=["GET", "POST"])])
        self.renew()

    def renew(self) -> None:
        """Forget all requests, and call the lights again."""
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answer: Callable[[Request], Response] = lambda _: JSONResponse(completion(SWITCH))

    async def handle(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        self.headers.append(dict(request.headers))
        self.paths.append(str(request.url.path) + ("?" + request.url.query if request.url.query else ""))
        answer = self.answer(request)
        return await answer if asyncio.iscoroutine(answer) else answer


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
