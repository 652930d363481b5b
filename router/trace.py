"""Trace: a clock and a sink for the TraceEvents of one run of one path.

A path's module reports what it does to its Trace; the page, the command line and the evaluation all read the same
events. A Trace also carries the wish to stop: ``check`` raises Cancelled between steps and between tokens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from router.types import Decision, EventKind, RunResult, ToolCall, ToolResult, TraceEvent, Usage, to_json


class Cancelled(Exception):
    """The run was stopped by the user; what it had finished stays in its events."""


def ignore(event: TraceEvent) -> None:
    """The sink of a Trace that nobody listens to."""


class Trace:
    """Events of one run: ``emit`` records and forwards them, ``result`` folds them into a RunResult.

    One run happens on one thread, so a Trace needs no lock; ``sink`` is called on that thread and must not block.
    ``stop`` is an Event that another thread may set.
    """

    def __init__(
        self,
        path: str,
        question: str,
        sink: Callable[[TraceEvent], None] = ignore,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.path = path
        self.question = question
        self.events: list[TraceEvent] = []
        self._sink = sink
        self._stop = stop or threading.Event()
        self._clock = clock
        self._started = clock()
        self._steps = 0
        self.emit("start", question=question)

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._started

    def emit(self, kind: EventKind, **data: Any) -> TraceEvent:
        """Record one event now and hand it to the sink."""
        event = TraceEvent(self.path, kind, self.elapsed_s, data)
        self.events.append(event)
        self._sink(event)
        return event

    @contextmanager
    def step(self, kind: EventKind, **data: Any) -> Iterator[dict[str, Any]]:
        """Bracket a call of an LLM or a tool by a "begin" and an "end" event.

        Yields a dict to fill with what the end shall say besides ``data``. An exception is told by the end event
        (``error``) and goes on.
        """
        self.check()
        self._steps += 1
        data = {"step": self._steps, **data}
        self.emit(kind, phase="begin", **data)
        started = self._clock()
        outcome: dict[str, Any] = {}
        try:
            yield outcome
        except Exception as error:
            outcome.setdefault("error", str(error) or type(error).__name__)
            raise
        finally:
            outcome.setdefault("seconds", self._clock() - started)
            self.emit(kind, phase="end", **data, **outcome)

    def told(self, kind: EventKind, began: float, outcome: Mapping[str, Any], **data: Any) -> None:
        """A step that has run already: its "begin" and "end" events, at the times of the trace's clock at which it
        ``began`` and, ``outcome["seconds"]`` later, ended."""
        self.check()
        self._steps += 1
        at = began - self._started
        for phase, elapsed, more in (("begin", at, {}), ("end", at + outcome["seconds"], outcome)):
            event = TraceEvent(self.path, kind, elapsed, {"phase": phase, "step": self._steps, **data, **more})
            self.events.append(event)
            self._sink(event)

    def check(self) -> None:
        """Raise Cancelled if somebody asked this run to stop."""
        if self._stop.is_set():
            raise Cancelled("Stopped.")

    @property
    def usage(self) -> Usage:
        """What the finished LLM calls of this run used so far."""
        total = Usage()
        for event in self._ended("lm"):
            if event.data.get("usage"):
                total += Usage(**event.data["usage"])
        return total

    def answer(self, text: str, lesson: Mapping[str, Any] | None = None) -> None:
        """End the run well."""
        self.emit("answer", answer=text, usage=to_json(self.usage), lesson=lesson)

    def fail(self, message: str) -> None:
        """End the run with a message for a person."""
        self.emit("error", message=message, usage=to_json(self.usage))

    def result(self) -> RunResult:
        """The run as one value. Raises ValueError if it has not ended with an ``answer`` or ``error`` event."""
        return fold(self.events)

    def _ended(self, kind: EventKind) -> list[TraceEvent]:
        return _ended(self.events, kind)


def fold(events: Sequence[TraceEvent]) -> RunResult:
    """The events of one run of one path, from its ``start`` on, as one value.

    Its seconds are the run's own: without what it waited for a local model that others were using. Raises ValueError if
    the last event is not an ``answer`` or ``error``.
    """
    first, last = events[0], events[-1]
    if last.kind not in ("answer", "error"):
        raise ValueError(f"The run of {first.path!r} has not ended: its last event is {last.kind!r}.")
    route = next((e.data for e in events if e.kind == "route"), None)
    return RunResult(
        path=first.path,
        question=first.data["question"],
        answer=last.data.get("answer"),
        error=last.data.get("message"),
        decision=route and Decision(route["tool"], route["probabilities"], route["confidence"], route["abstained"]),
        tool_results=tuple(
            ToolResult(ToolCall(e.data["tool"], e.data["arguments"]), e.data.get("output"), e.data.get("error"), e.data["seconds"])
            for e in _ended(events, "tool")
        ),
        usage=Usage(**last.data["usage"]),
        seconds=own_seconds(events),
        first_token_s=first_word_s(events),
    )


def waited_s(events: Sequence[TraceEvent]) -> float:
    """Seconds that a run's ended LLM calls spent in the queue of a local model."""
    return sum(e.data.get("wait_s") or 0.0 for e in _ended(events, "lm"))


def own_seconds(events: Sequence[TraceEvent]) -> float:
    """Seconds from the start to the last event, without the waits; what a run that has not ended took so far."""
    return max(0.0, events[-1].elapsed_s - waited_s(events)) if events else 0.0


def first_word_s(events: Sequence[TraceEvent]) -> float | None:
    """Seconds to the first piece of the answer, without the waits before it; None where there is none."""
    token = next((e for e in events if e.kind == "token"), None)
    if token is None:
        return None
    before = [e for e in events if e.kind == "lm" and e.data["step"] <= token.data["step"]]
    return max(0.0, token.elapsed_s - waited_s(before))


def _ended(events: Sequence[TraceEvent], kind: EventKind) -> list[TraceEvent]:
    return [e for e in events if e.kind == kind and e.data.get("phase") == "end"]
