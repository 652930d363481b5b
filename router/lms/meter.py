"""Meter: an engine around an engine that turns each LLM call into a step of a Trace.

It times the call (the queue of a local model apart), notes the first token, counts tokens, prices them, retries once
what is worth it, streams the reply without its thoughts, refuses one that is no answer, and ends promptly when the run
is stopped. Leaves out what is asked and why.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from dspy import lm15

from router.lms.errors import NoAnswer, explain, in_words
from router.lms.metering import count_tokens, price
from router.lms.replies import fault_of, settled, thoughts_apart, thoughts_of, written
from router.trace import Cancelled, Trace
from router.types import Usage, to_json

RETRIES = 1
"""Attempts after the first. Each is a step of its own, so its time and tokens are counted."""
PAUSE_S = 0.5
"""Before another attempt, where the provider does not say how long."""
MAX_PAUSE_S = 30.0
"""What a provider may ask to wait for; where it asks for more, the call has failed."""
POLL_S = 0.05
"""How long a stopped run may go on."""
FIELD_MARK = "[[ ##"
"""What begins a field's name in the replies to DSPy's ChatAdapter."""


class Meter:
    """Calls of one role. ``stream``: whether, or which signature field of, the reply becomes ``token`` events."""

    def __init__(self, engine: Any, model: str, trace: Trace, role: str, stream: bool | str = False) -> None:
        self._engine, self._model, self._trace, self._role, self._stream = engine, model, trace, role, stream
        self._local = getattr(engine, "runs_here", False)
        self._cuts = getattr(engine, "untrained", False)  # does not know where to stop, so that we say where
        for hint in ("supports_function_calling", "supports_reasoning", "supports_response_schema"):
            setattr(self, hint, bool(getattr(engine, hint, False)))
        self.supported_params = frozenset(getattr(engine, "supported_params", ()) or ())

    def complete(self, request: lm15.Request) -> lm15.Response:
        """One reply; what may pass (429, 5xx, a broken line) is tried once more, after the pause that the provider asks
        for, up to MAX_PAUSE_S. Raises lm15 errors, NoAnswer, Cancelled."""
        for _ in range(RETRIES):
            try:
                return self._attempt(request, again=True)
            except lm15.RETRYABLE_ERRORS as error:
                pause = _pause_after(error)
                if pause is None:
                    raise
                self._pause(pause)
        return self._attempt(request)

    def stream(self, request: lm15.Request) -> Iterator[lm15.StreamEvent]:
        """The reply as events, after it is complete: the token events have gone out by then."""
        yield from lm15.response_to_events(self.complete(request))

    def score(self, messages: Sequence[Mapping[str, str]], texts: Sequence[str], slot: int) -> dict[str, float]:
        """Log-likelihood of each text as the reply, as one step whose reply is the likeliest text."""
        asked = "\n".join(m["content"] for m in messages)
        with self._trace.step("lm", role=self._role) as outcome:
            values, tokens = self._engine.log_likelihoods(messages, texts, slot)
            scores = dict(zip(texts, values, strict=True))
            reply = max(texts, key=scores.__getitem__)
            spoken = count_tokens(reply)
            usage = Usage(1, tokens, spoken, o200k_input=count_tokens(asked), o200k_output=spoken)
            outcome |= {"wait_s": 0.0, "first_token_s": None, "reply": reply, "usage": to_json(usage)}
        return scores

    def _attempt(self, request: lm15.Request, again: bool = False) -> lm15.Response:
        """One attempt, as a step; ``again``: whether there is another, which the step then says."""
        watch = _Watch(self._trace, self._stream)
        asked = count_tokens(_text_of(request))
        with self._trace.step("lm", role=self._role) as outcome:
            watch.begin()
            try:
                events = watch.note(thoughts_apart(self._events(request)))
                response = settled(lm15.materialize_response(events, request))
            except Exception as error:
                spent = self._spent(error, asked, watch)
                outcome |= {"error": _told(error, again), "reply": watch.text, "usage": to_json(spent)}
                raise
            finally:
                wait_s = watch.wait_s
                first = watch.first_token_s and max(0.0, watch.first_token_s - wait_s)
                outcome |= {"wait_s": wait_s, "first_token_s": first, "seconds": max(0.0, watch.elapsed_s - wait_s)}
            outcome |= {"reply": written(response), "usage": to_json(self._usage(response, asked))}
            if thoughts := thoughts_of(response):
                outcome["thoughts"] = thoughts
            if not self._cuts and (fault := fault_of(response, request)):
                raise NoAnswer(fault)
        return response

    def _events(self, request: lm15.Request) -> Iterator[lm15.StreamEvent]:
        """The engine's events, read by a thread of its own, so that a silent engine cannot keep a stopped run alive."""
        cancelled = threading.Event()
        events: queue.SimpleQueue[lm15.StreamEvent | Exception | None] = queue.SimpleQueue()

        def pump() -> None:
            try:
                with closing(self._source(request, cancelled)) as source:
                    for event in source:
                        events.put(event)
                        if cancelled.is_set():
                            return
                events.put(None)
            except Exception as error:  # raised by the reader
                events.put(error)

        threading.Thread(target=pump, name="lm-events", daemon=True).start()
        try:
            while True:
                self._trace.check()
                try:
                    event = events.get(timeout=POLL_S)
                except queue.Empty:
                    continue
                if event is None:
                    return
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            cancelled.set()

    def _source(self, request: lm15.Request, cancelled: threading.Event) -> Iterator[lm15.StreamEvent]:
        if self._local:
            return self._engine.stream(request, cancelled)
        if callable(getattr(self._engine, "stream", None)):
            return self._engine.stream(request)
        return (event for event in lm15.response_to_events(self._engine.complete(request)))

    def _pause(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self._trace.check()
            time.sleep(min(POLL_S, left))

    def _usage(self, response: lm15.Response, asked: int) -> Usage:
        own, said = response.usage, count_tokens("\n".join(filter(None, (thoughts_of(response), written(response)))))
        usage = Usage(
            calls=1,
            input_tokens=asked if own.input_tokens is None else own.input_tokens,
            output_tokens=said if own.output_tokens is None else own.output_tokens,
            cached_tokens=own.cache_read_tokens or 0,
            o200k_input=asked,
            o200k_output=said,
            counted_calls=int(own.input_tokens is None or own.output_tokens is None),
        )
        return self._priced(usage)

    def _spent(self, error: Exception, asked: int, watch: _Watch) -> Usage:
        """What a failed call used: nothing if it was refused, else what went to and fro, by o200k's count."""
        if not watch.started and not isinstance(error, (lm15.TimeoutError, Cancelled)):
            return self._priced(Usage(calls=1))
        said = count_tokens(watch.text)
        return self._priced(Usage(1, asked, said, o200k_input=asked, o200k_output=said, counted_calls=1))

    def _priced(self, usage: Usage) -> Usage:
        cost = None if self._local else price(usage, self._model, own=True)
        return Usage(**{**to_json(usage), "cost_usd": cost})


class _Watch:
    """The clock and the ear of one attempt. A reply that begins with a brace is not for a reader and not sent."""

    def __init__(self, trace: Trace, stream: bool | str) -> None:
        self._trace, self._field = trace, _Field(stream) if isinstance(stream, str) else None
        self._speaks = bool(stream)
        self.text, self.wait_s, self.first_token_s, self.started = "", 0.0, None, False
        self._began = self._step = 0

    def begin(self) -> None:
        self._began, self._step = time.perf_counter(), self._trace.events[-1].data["step"]

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._began

    def note(self, events: Iterator[lm15.StreamEvent]) -> Iterator[lm15.StreamEvent]:
        for event in events:
            if event.type == "delta":
                self.started = True
                self.first_token_s = self.first_token_s or self.elapsed_s
                if event.delta.type == "text":
                    self._hear(event.delta.text)
            elif event.type == "end":
                self.wait_s = (event.provider_data or {}).get("wait_s", 0.0)
            yield event

    def _hear(self, piece: str) -> None:
        self.text += piece
        if self._speaks and not self.text.lstrip().startswith("{"):
            said = self._field.feed(piece) if self._field else piece
            if not said:
                return
            self._trace.emit("token", step=self._step, text=said)


class _Field:
    """The text of one field in a reply to DSPy's ChatAdapter: ``[[ ## name ## ]]``, text, the next ``[[ ##``."""

    def __init__(self, name: str) -> None:
        self._mark, self._pending, self._inside, self._done = f"{FIELD_MARK} {name} ## ]]", "", False, False

    def feed(self, piece: str) -> str:
        """What of the field's text is certain after one more ``piece`` of the reply."""
        self._pending += piece
        if not self._inside and self._mark in self._pending:
            self._pending, self._inside = self._pending.split(self._mark, 1)[1].lstrip(), True
        if not self._inside or self._done:
            return ""
        text, mark, rest = self._pending.partition(FIELD_MARK)
        self._done = bool(mark)
        # white space and the beginning of a mark may belong to the next field: keep them back
        said = text.rstrip() if mark else text[: len(text) - _overlap(text)].rstrip()
        self._pending = rest if mark else text[len(said) :]
        return said


def _overlap(text: str) -> int:
    """Length of the longest end of ``text`` that begins FIELD_MARK."""
    return next((n for n in range(len(FIELD_MARK) - 1, 0, -1) if text.endswith(FIELD_MARK[:n])), 0)


def _pause_after(error: Exception) -> float | None:
    """Seconds until another attempt may succeed; None where there is none, or where it would take too long."""
    if not isinstance(error, lm15.RETRYABLE_ERRORS):
        return None
    asked = error.retry_after or min(PAUSE_S, MAX_PAUSE_S)
    return asked if asked <= MAX_PAUSE_S else None


def _told(error: Exception, again: bool) -> str:
    """What went wrong, and what happens now."""
    pause = _pause_after(error) if again else None
    return explain(error) + (f" It is tried again in {in_words(pause)}." if pause else "")


def _text_of(request: lm15.Request) -> str:
    """Everything of a request that a provider counts as input: messages, tool calls and results, tool schemas."""
    lines = [request.system] if isinstance(request.system, str) else [p.text for p in request.system or ()]
    for message in request.messages:
        for part in message.parts:
            if part.type == "tool_call":
                lines.append(json.dumps({"name": part.name, "arguments": part.input}, ensure_ascii=False))
            elif part.type == "tool_result":
                lines += [p.text for p in part.content]
            else:
                lines.append(getattr(part, "text", ""))
    for tool in request.tools:
        lines.append(json.dumps({"name": tool.name, "description": tool.description, "parameters": tool.parameters}))
    if request.config.response_format:
        lines.append(json.dumps(request.config.response_format))
    return "\n".join(lines)
