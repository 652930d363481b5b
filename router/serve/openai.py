"""OpenAI's chat completions: requests read, tool calls written and heard.

Source: https://platform.openai.com/docs/api-reference/chat. A field that is not known here, or that asks for more than a
tool call can give, leaves the request to the upstream.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from router.serve.sse import Listener, event
from router.serve.wire import Asked, Forwarded, Tools, turns
from router.types import ToolCall

PATH = "/chat/completions"
SAMPLING = frozenset(
    "model messages tools tool_choice parallel_tool_calls stream stream_options temperature top_p max_tokens "
    "max_completion_tokens seed user stop presence_penalty frequency_penalty logit_bias metadata service_tier "
    "prompt_cache_key prompt_cache_retention safety_identifier reasoning_effort verbosity".split()
)
"""Fields that say nothing about what form the turn has beyond what is read here."""
NEUTRAL = {"n": 1, "logprobs": False, "store": False, "response_format": {"type": "text"}, "modalities": ["text"]}
"""Fields that are as good as absent at this value, and at null."""


class OpenAI:
    """``POST /v1/chat/completions``."""

    path = PATH

    def read(self, body: Mapping[str, Any], tools: Tools) -> Asked:
        """What ``body`` asks. Raises Forwarded."""
        if not body.get("tools"):
            raise Forwarded("no tools")
        for name, value in body.items():
            if name not in SAMPLING and value is not None and NEUTRAL.get(name) != value:
                raise Forwarded(f"asks for {name}" if name in NEUTRAL else "a field that is not known here")
        offered = tools(body["tools"])
        question, history = turns(body.get("messages"))
        options = body.get("stream_options")
        return Asked(
            question=question,
            history=history,
            tools=offered,
            allowed=_allowed(body.get("tool_choice"), frozenset(offered)),
            model=str(body.get("model", "")),
            streamed=body.get("stream") is True,
            several=body.get("parallel_tool_calls") is not False,
            usage_told=isinstance(options, Mapping) and options.get("include_usage") is True,
        )

    def reply(self, asked: Asked, calls: Sequence[ToolCall]) -> dict[str, Any]:
        """The completion that makes ``calls``."""
        message = {"role": "assistant", "content": None, "tool_calls": _written(calls), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
        return _head(asked, "chat.completion") | {"choices": [choice], "usage": dict(_NO_USAGE)}

    def stream(self, asked: Asked, calls: Sequence[ToolCall]) -> Iterator[bytes]:
        """The same as chunks: each call by name first, then its arguments."""
        head = _head(asked, "chat.completion.chunk") | ({"usage": None} if asked.usage_told else {})

        def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
            return event(head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})

        yield chunk({"role": "assistant", "content": None})
        for index, call in enumerate(_written(calls)):
            opened = call | {"function": call["function"] | {"arguments": ""}}
            yield chunk({"tool_calls": [{"index": index} | opened]})
            rest = {"index": index, "function": {"arguments": call["function"]["arguments"]}}
            yield chunk({"tool_calls": [rest]})
        yield chunk({}, "tool_calls")
        if asked.usage_told:
            yield event(head | {"choices": [], "usage": dict(_NO_USAGE)})
        yield event("[DONE]")

    def heard(self, streamed: bool, encoding: str = "") -> _Heard:
        return _Heard(streamed, encoding)

    def fault(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "switchyard_error", "param": None, "code": status}}


class _Heard(Listener):
    """The calls of a completion, whole or in chunks."""

    def calls(self, told: Any) -> list[ToolCall]:
        written = told["choices"][0]["message"].get("tool_calls") or ()
        return [_read(call["function"]["name"], call["function"]["arguments"]) for call in written]

    def streamed_calls(self, told: Sequence[Any]) -> list[ToolCall] | None:
        calls: dict[int, dict[str, str]] = {}
        finished = False
        for chunk in told:
            for choice in chunk.get("choices") or ():
                finished |= choice.get("finish_reason") is not None
                for piece in (choice.get("delta") or {}).get("tool_calls") or ():
                    call = calls.setdefault(piece.get("index", 0), {"name": "", "arguments": ""})
                    function = piece.get("function") or {}
                    call["name"] += function.get("name") or ""
                    call["arguments"] += function.get("arguments") or ""
        return [_read(**calls[i]) for i in sorted(calls)] if finished else None

    def tokens(self, told: Sequence[Mapping[str, Any]]) -> tuple[Any, Any]:
        found = next((one["usage"] for one in reversed(told) if one.get("usage")), {})
        return found.get("prompt_tokens"), found.get("completion_tokens")


def _read(name: str, arguments: str | None) -> ToolCall:
    return ToolCall(name, json.loads(arguments or "{}"))


_NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def _head(asked: Asked, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": asked.model,
        "system_fingerprint": None,
    }


def _written(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{secrets.token_hex(12)}",
            "type": "function",
            "function": {"name": call.tool, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)},
        }
        for call in calls
    ]


def _allowed(choice: Any, offered: frozenset[str]) -> frozenset[str]:
    if choice in (None, "auto", "required"):
        return offered
    if choice == "none":
        raise Forwarded("no tool may be called")
    function = choice.get("function") if isinstance(choice, Mapping) else None
    if not isinstance(function, Mapping) or function.get("name") not in offered:
        raise Forwarded("a tool choice that is not known here")
    return frozenset({function["name"]})
