"""Anthropic's messages: requests read, tool calls written and heard.

Source: https://docs.anthropic.com/en/api/messages. A field that is not known here, or that asks for more than a tool call
can give, leaves the request to the upstream.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from router.serve.sse import Listener, event
from router.serve.wire import Asked, Forwarded, Tools, turns
from router.types import ToolCall

PATH = "/messages"
SAMPLING = frozenset(
    "model messages tools tool_choice stream system temperature top_p top_k max_tokens stop_sequences metadata "
    "service_tier".split()
)
"""Fields that say nothing about what form the turn has beyond what is read here."""


class Anthropic:
    """``POST /v1/messages``."""

    path = PATH

    def read(self, body: Mapping[str, Any], tools: Tools) -> Asked:
        """What ``body`` asks. Raises Forwarded."""
        if not body.get("tools"):
            raise Forwarded("no tools")
        if any(name not in SAMPLING and value not in (None, {"type": "disabled"}) for name, value in body.items()):
            raise Forwarded("a field that is not known here")
        listed = body["tools"]
        if not isinstance(listed, list) or any(isinstance(t, Mapping) and "input_schema" not in t for t in listed):
            raise Forwarded("a tool that the provider runs")
        offered = tools(listed)
        question, history = turns(body.get("messages"))
        allowed, several = _allowed(body.get("tool_choice"), frozenset(offered))
        return Asked(
            question=question,
            history=history,
            tools=offered,
            allowed=allowed,
            model=str(body.get("model", "")),
            streamed=body.get("stream") is True,
            several=several,
        )

    def reply(self, asked: Asked, calls: Sequence[ToolCall]) -> dict[str, Any]:
        """The message that makes ``calls``."""
        return _message(asked) | {"content": _written(calls), "stop_reason": "tool_use"}

    def stream(self, asked: Asked, calls: Sequence[ToolCall]) -> Iterator[bytes]:
        """The same as events: a block for each call, its input in one piece."""
        yield _told("message_start", message=_message(asked) | {"content": [], "stop_reason": None})
        for index, block in enumerate(_written(calls)):
            given = json.dumps(block["input"], ensure_ascii=False)
            yield _told("content_block_start", index=index, content_block=block | {"input": {}})
            yield _told("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": given})
            yield _told("content_block_stop", index=index)
        yield _told(
            "message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage={"output_tokens": 0}
        )
        yield _told("message_stop")

    def heard(self, streamed: bool, encoding: str = "") -> _Heard:
        return _Heard(streamed, encoding)

    def fault(self, status: int, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": "switchyard_error", "message": message}}


class _Heard(Listener):
    """The calls of a message, whole or in events."""

    def calls(self, told: Any) -> list[ToolCall]:
        return _used(told["content"])

    def streamed_calls(self, told: Sequence[Any]) -> list[ToolCall] | None:
        blocks: dict[int, dict[str, Any]] = {}
        written: dict[int, str] = {}
        ended = False
        for one in told:
            kind = one.get("type")
            ended |= kind == "message_stop"
            if kind == "content_block_start":
                blocks[one["index"]] = dict(one["content_block"])
            elif kind == "content_block_delta" and one["delta"].get("type") == "input_json_delta":
                written[one["index"]] = written.get(one["index"], "") + one["delta"]["partial_json"]
        for index, text in written.items():
            blocks[index]["input"] = json.loads(text or "{}")
        return _used([blocks[i] for i in sorted(blocks)]) if ended else None

    def tokens(self, told: Sequence[Mapping[str, Any]]) -> tuple[Any, Any]:
        found: dict[str, Any] = {}
        for one in told:
            found |= (one.get("message") or {}).get("usage") or {}
            found |= one.get("usage") or {}
        return found.get("input_tokens"), found.get("output_tokens")


def _used(blocks: Sequence[Any]) -> list[ToolCall]:
    return [ToolCall(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]


def _message(asked: Asked) -> dict[str, Any]:
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _written(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    return [
        {"type": "tool_use", "id": f"toolu_{secrets.token_hex(12)}", "name": call.tool, "input": dict(call.arguments)}
        for call in calls
    ]


def _told(kind: str, **data: Any) -> bytes:
    return event({"type": kind} | data, kind)


def _allowed(choice: Any, offered: frozenset[str]) -> tuple[frozenset[str], bool]:
    """The names that may be called, and whether one turn may hold several calls."""
    if choice is None:
        return offered, True
    if not isinstance(choice, Mapping) or choice.get("type") not in ("auto", "any", "tool"):
        raise Forwarded("a tool choice that is not known here")
    several = choice.get("disable_parallel_tool_use") is not True
    if choice["type"] != "tool":
        return offered, several
    if choice.get("name") not in offered:
        raise Forwarded("a tool choice that is not known here")
    return frozenset({choice["name"]}), several
