"""A language model whose replies are written down beforehand, as a DSPy engine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import dspy
from dspy import lm15


class ScriptedEngine:
    """Gives what was enqueued, in that order: text, a tool call ({"name", "arguments"}), or an exception to raise.

    ``local``: declares itself a model in this process that is asked with our prompts; else it follows DSPy signatures.
    ``gap_s``: seconds before each piece of a reply. ``requests`` keeps what was asked.
    """

    supports_reasoning = False
    supported_params = frozenset({"temperature", "max_tokens", "response_format"})

    def __init__(self, *replies: Any, local: bool = False, native_tools: bool = False, gap_s: float = 0.0) -> None:
        self.runs_here, self.follows_signatures, self.untrained = local, not local, False
        self.supports_function_calling, self.supports_response_schema = native_tools, True
        self.gap_s, self.requests = gap_s, []
        self._replies = list(replies)
        self._lock = threading.Lock()
        self.closed = 0

    def enqueue(self, *replies: Any) -> None:
        with self._lock:
            self._replies += replies

    def options(self, role: str, schema: Any = None, or_text: bool = False, choice: Any = None) -> dict[str, Any]:
        return {"role": role}

    def complete(self, request: lm15.Request) -> lm15.Response:
        return lm15.materialize_response(self.stream(request), request)

    def stream(self, request: lm15.Request, cancelled: threading.Event | None = None) -> Iterator[lm15.StreamEvent]:
        with self._lock:
            self.requests.append(request)
            assert self._replies, f"nothing is enqueued for {request.messages[-1].text!r}"
            reply = self._replies.pop(0)
        try:
            yield lm15.StreamStartEvent(model=request.model)
            pieces = list(_pieces(reply))
            for piece in pieces:
                time.sleep(self.gap_s)
                if isinstance(piece, Exception):
                    raise piece
                yield lm15.StreamDeltaEvent(piece)
            finish = "tool_call" if isinstance(reply, Mapping) else "stop"
            usage = lm15.Usage(input_tokens=100, output_tokens=len(pieces), cache_read_tokens=40)
            yield lm15.StreamEndEvent(finish_reason=finish, usage=usage)
        finally:
            self.closed += 1


def _pieces(reply: Any) -> Iterator[Any]:
    for i, one in enumerate(reply if isinstance(reply, list) else [reply]):
        if isinstance(one, Mapping):
            yield lm15.ToolCallDelta(json.dumps(one["arguments"]), part_index=i, id=f"call_{i + 1}", name=one["name"])
        elif isinstance(one, str):
            for at in range(0, len(one), 4):
                yield lm15.TextDelta(one[at : at + 4])
        else:
            yield one


def scripted_lm(*replies: Any, model: str = "openai/gpt-4o", **options: Any) -> dspy.LM:
    engine = ScriptedEngine(*replies, **options)
    return dspy.LM(model, engine=engine, cache=False, num_retries=0, temperature=0.0, max_tokens=200)


def field(**values: Any) -> str:
    """A reply in the form of DSPy's ChatAdapter."""
    text = "\n\n".join(f"[[ ## {k} ## ]]\n{v if isinstance(v, str) else json.dumps(v)}" for k, v in values.items())
    return f"{text}\n\n[[ ## completed ## ]]"
