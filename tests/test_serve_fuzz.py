"""Anything that may be asked of the endpoint, drawn at random: no failure of its own, nothing smuggled, one upstream."""

from __future__ import annotations

import json
import logging
import socket
import string
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import ANTHROPIC, ASKED, KEY, SWITCH, Sure, completion, post, served

from router.serve.deciding import RouterDecider
from router.serve.endpoint import Endpoint, ServeConfig
from router.serve.upstream import Reply

CASES = 25
"""Requests of each kind: well formed or not, of each path."""
FAST = settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
ANYTHING: dict[str, Any] = {}
TEXT = {"type": "string"}
CONTENT = {
    "oneOf": [
        TEXT,
        {"type": "null"},
        {"type": "array", "items": {"type": "object", "required": ["type"], "properties": {
            "type": {"enum": ["text", "image_url", "tool_result", "tool_use"]}, "text": TEXT}}},
    ]
}  # fmt: skip
MESSAGES = {"type": "array", "items": {"type": "object", "required": ["role", "content"], "properties": {
    "role": {"enum": ["system", "developer", "user", "assistant", "tool"]}, "content": CONTENT}}}  # fmt: skip
SCHEMA = {"type": "object", "properties": {
    "type": {"enum": ["object", "string"]}, "properties": {"type": "object"}, "required": ANYTHING}}  # fmt: skip
OPENAI_TOOL = {"type": "object", "required": ["type", "function"], "properties": {
    "type": {"enum": ["function", "web_search", "custom"]},
    "function": {"type": "object", "required": ["name"], "properties": {
        "name": TEXT, "description": TEXT, "parameters": SCHEMA}}}}  # fmt: skip
ANTHROPIC_TOOL = {"type": "object", "required": ["name", "input_schema"], "properties": {
    "name": TEXT, "input_schema": SCHEMA}}  # fmt: skip
CHOICE = {"oneOf": [{"enum": ["auto", "none", "required"]}, {"type": "object", "properties": {
    "type": {"enum": ["auto", "any", "tool", "function"]}, "name": TEXT, "function": ANYTHING}}]}  # fmt: skip


def body(tool: dict[str, Any]) -> dict[str, Any]:
    properties = {"model": TEXT, "messages": MESSAGES, "tools": {"type": "array", "items": tool}, "tool_choice": CHOICE,
                  "stream": {"type": "boolean"}, "stream_options": ANYTHING, "n": {"type": "integer"}}  # fmt: skip
    schema = {"type": "object", "properties": properties, "required": ["model", "messages", "tools"]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


PATHS = {
    "/v1/chat/completions": {"post": {"requestBody": body(OPENAI_TOOL)}},
    "/v1/messages": {"post": {"requestBody": body(ANTHROPIC_TOOL)}},
    "/v1/{path}": {"get": {"parameters": [{"name": "path", "in": "path", "required": True, "schema": TEXT},
                                          {"name": "q", "in": "query", "schema": TEXT}]}},
    "/healthz": {"get": {}},
    "/metrics": {"get": {}},
}  # fmt: skip
for methods in PATHS.values():
    for operation in methods.values():
        operation["responses"] = {"200": {"description": "OK"}}
DOCUMENT = {"openapi": "3.0.3", "info": {"title": "endpoint", "version": "1"}, "paths": PATHS}


class Obliging:
    """An upstream in this process that always answers; ``asked`` keeps paths and headers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    @asynccontextmanager
    async def ask(self, method: str, path: str, query: str, headers: Any, sent: bytes) -> AsyncIterator[Reply]:
        self.asked.append((path, query, dict(headers)))
        yield Reply(200, [("content-type", "application/json"), ("x-name", "日本")], self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield json.dumps(completion(SWITCH)).encode()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[tuple[Endpoint, str]]:
    own = Endpoint(Obliging(), RouterDecider(Sure()), ServeConfig(mode="live"))
    with served(own.app) as url:
        yield own, url.removesuffix("/v1")


def faults(endpoint: Endpoint) -> list[str]:
    return [line for line in endpoint.counts.text().decode().splitlines() if line.startswith("switchyard_faults_total")]


@pytest.mark.parametrize("kind", ["positive", "negative"])
def test_no_request_makes_the_endpoint_fail(endpoint: tuple[Endpoint, str], kind: str) -> None:
    own, url = endpoint
    mode = schemathesis.GenerationMode(kind)
    operations = [found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]
    assert len(operations) == len(PATHS)
    told = 0
    for operation in operations:
        if kind == "negative" and operation.path in ("/healthz", "/metrics"):
            continue  # they take nothing that could be wrong

        @FAST
        @given(case=operation.as_strategy(generation_mode=mode))
        def never_fails(case: schemathesis.Case) -> None:
            nonlocal told
            told += 1
            reply = case.call(base_url=url)
            assert reply.status_code < 500, reply.text

        never_fails()
    assert told >= CASES and faults(own) == []


LINES = st.text('ab:/ \r\n\t\x00é日"\\{}%', max_size=20)


@FAST
@given(tool=LINES, asked=LINES, model=LINES)
def test_nothing_of_a_request_gets_into_headers_or_the_log(
    endpoint: tuple[Endpoint, str], tool: str, asked: str, model: str
) -> None:
    _, url = endpoint
    lights = ASKED["tools"][0]
    named = lights | {"function": lights["function"] | {"name": tool or "x"}}
    sent = ASKED | {
        "model": model,
        "tools": [lights, named],
        "messages": [{"role": "user", "content": asked + " boom"}],
    }
    heard: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = heard.append
    logging.getLogger().addHandler(handler)
    try:
        reply = post(url + "/v1", sent)
    finally:
        logging.getLogger().removeHandler(handler)
    assert reply.status_code == 200
    assert set(reply.headers) <= {
        "content-type",
        "content-length",
        "transfer-encoding",
        "x-switchyard",
        "x-name",
        "date",
        "server",
    }
    for record in heard:
        line = record.getMessage()
        assert "\n" not in line and KEY not in line and "boom" not in line


def raw(url: str, request: bytes) -> int:
    """The status of a request that is sent as it stands."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as wire:
        wire.sendall(request)
        return int(wire.recv(200).split(b" ")[1])


TARGETS = st.text(string.ascii_letters + "/.@:%#?&=\\;~ é", max_size=24).map(lambda text: text.replace(" ", "%20"))
EVIL = "http://169.254.169.254"


@FAST
@given(target=TARGETS, absolute=st.booleans())
def test_whatever_the_target_says_only_the_upstream_is_asked(
    endpoint: tuple[Endpoint, str], target: str, absolute: bool
) -> None:
    own, url = endpoint
    own.upstream.asked.clear()
    line = f"{EVIL if absolute else ''}/v1/{target}"
    status = raw(
        url,
        f"GET {line} HTTP/1.1\r\nHost: 169.254.169.254/x\r\nX-Forwarded-Host: evil\r\nConnection: close\r\n\r\n".encode(),
    )
    assert status in (200, 400, 404)
    for path, query, headers in own.upstream.asked:
        assert path == "/" + target.split("?")[0].split("#")[0] and ".." not in path.split("/")
        assert (path + query).isascii() and "connection" not in query


@pytest.mark.parametrize("field", ["api_base", "base_url", "upstream", "url"])
@pytest.mark.parametrize("asked", [ASKED, ANTHROPIC], ids=["openai", "anthropic"])
def test_no_field_of_a_body_names_the_upstream(endpoint: tuple[Endpoint, str], asked: dict, field: str) -> None:
    own, url = endpoint
    own.upstream.asked.clear()
    path = "/messages" if asked is ANTHROPIC else "/chat/completions"
    assert post(url + "/v1", asked | {field: EVIL}, path).status_code == 200
    assert [found[0] for found in own.upstream.asked] == [path]  # a field that is not known here


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://[", "https://127.0.0.1.evil.example"])
def test_a_web_page_from_elsewhere_asks_nothing(endpoint: tuple[Endpoint, str], origin: str) -> None:
    own, url = endpoint
    own.upstream.asked.clear()
    assert post(url + "/v1", headers={"origin": origin}).status_code == 403
    assert post(url + "/v1", headers={"origin": "http://localhost:3000"}).status_code == 200
    assert own.upstream.asked == []  # the router made the call
