"""A model in this process as an upstream: chat completions without a key or a network.

It is asked with the prompts that it was trained on, of the last question and the results since; what came before does
not reach it. Leaves out Anthropic's format, and streaming word by word: a reply comes whole.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from router.lms import MalformedReply, ask, explain, make_lm, prompts, read_json
from router.serve.openai import PATH, OpenAI
from router.serve.sse import event
from router.serve.upstream import Headers, Reply
from router.serve.wire import Asked, Forwarded, text_of
from router.tools import ToolError, ToolSet
from router.trace import Trace
from router.types import ToolCall, ToolResult, Usage

_CALL = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}},
    "required": ["name", "arguments"],
}


class LocalUpstream:
    """The model that ``spec`` names, one request at a time; ``load`` gives it whenever it is asked (None: it is loaded
    now, by ``router.lms.make_lm``, which may raise)."""

    def __init__(self, spec: str, load: Callable[[], Any] | None = None) -> None:
        lm = make_lm(spec) if load is None else None
        self._spec, self._load = spec, load or (lambda: lm)
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Nothing is to be opened."""

    async def close(self) -> None:
        """The model ends with the process."""

    @asynccontextmanager
    async def ask(self, method: str, path: str, query: str, headers: Headers, body: bytes) -> AsyncIterator[Reply]:
        """The reply to one request, in OpenAI's form; 404 for another path than models and chat completions."""
        if (method, path) == ("GET", "/models"):
            model = {"id": self._spec, "object": "model", "created": 0, "owned_by": "switchyard"}
            yield _reply(200, {"object": "list", "data": [model]})
            return
        if (method, path) != ("POST", PATH):
            yield _fault(404, f"The model {self._spec!r} answers {PATH} and /models only.")
            return
        async with self._turn:
            yield await asyncio.to_thread(self._completed, body)

    def _completed(self, body: bytes) -> Reply:
        try:
            request = json.loads(body)
            question, results = _conversation(request["messages"])
            tools = ToolSet.from_json(request["tools"]) if request.get("tools") else ToolSet()
        except (ValueError, KeyError, TypeError, Forwarded) as fault:
            return _fault(400, f"The request cannot be read: {fault or type(fault).__name__}.")
        trace = Trace("serve", question)
        prompt = prompts.call(question, tools, results) if tools else prompts.chat(question)
        try:
            text = ask(self._load(), prompt, trace)
        except Exception as fault:  # a model's own failures have many types; ``explain`` knows them
            return _fault(500, explain(fault))
        asked = Asked(question, (), tools, frozenset(tools), str(request.get("model")), request.get("stream") is True)
        return _written(asked, text, trace.usage)


def _conversation(messages: Any) -> tuple[str, list[ToolResult]]:
    """The last question, and the results of the calls made since. Raises Forwarded where there is none."""
    asked = [i for i, message in enumerate(messages) if message.get("role") == "user"]
    question = text_of(messages[asked[-1]].get("content")) if asked else None
    if not question:
        raise Forwarded("no question in text")
    calls: dict[str, ToolCall] = {}
    results = []
    for message in messages[asked[-1] + 1 :]:
        for call in message.get("tool_calls") or ():
            calls[call["id"]] = ToolCall(call["function"]["name"], json.loads(call["function"]["arguments"] or "{}"))
        if message.get("role") == "tool":
            results.append(ToolResult(calls[message["tool_call_id"]], text_of(message.get("content")) or "", None, 0.0))
    return question, results


def _written(asked: Asked, text: str, usage: Usage) -> Reply:
    """The model's text as a completion: a call where it is the JSON of one that fits, else the answer."""
    calls = []
    if asked.tools and text.removeprefix("```json").lstrip().startswith("{"):
        try:
            call = read_json(text, _CALL)
            asked.tools[call["name"]].check(call["arguments"])
            calls = [ToolCall(call["name"], call["arguments"])]
        except (MalformedReply, KeyError, ToolError) as fault:
            return _fault(502, f"The model wrote a call that fits no tool: {fault}")
    counted = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
    counted["total_tokens"] = sum(counted.values())
    whole = OpenAI().reply(asked, calls) | {"usage": counted}
    if not calls:
        message = {"role": "assistant", "content": text, "refusal": None}
        whole["choices"][0] |= {"message": message, "finish_reason": "stop"}
    if not asked.streamed:
        return _reply(200, whole)
    if calls:
        return _stream(b"".join(OpenAI().stream(asked, calls)))
    head = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    deltas = [({"role": "assistant", "content": text}, None), ({}, "stop")]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} for delta, finish in deltas]
    chunks.append({"choices": [], "usage": counted})
    return _stream(b"".join([*(event(head | chunk) for chunk in chunks), event("[DONE]")]))


def _reply(status: int, body: Mapping[str, Any]) -> Reply:
    return Reply(status, [("content-type", "application/json")], _once(json.dumps(body, ensure_ascii=False).encode()))


def _stream(body: bytes) -> Reply:
    return Reply(200, [("content-type", "text/event-stream")], _once(body))


def _fault(status: int, message: str) -> Reply:
    return _reply(status, OpenAI().fault(status, message))


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
