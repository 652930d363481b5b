"""The race: one question down several paths, their events in the order in which they happen.

Each path runs on a thread of its own with its own Trace, LM and DSPy context. One path's failure touches no other; each
ends in exactly one ``answer`` or ``error`` event, also when it is stopped, takes too long or breaks.

Every path starts from the same state of a local model's prefix cache, the one that real use has: how its own prompts
begin is in it, and nothing of any question (``ready``). That is made before the path's clock runs. It holds for one
path after another on a model that nobody else asks. When paths or visitors share the model at the same moment, the
beginnings are still in the cache, but what one call left for the next may be gone, or be another path's on the same
question.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import dspy
from dspy import lm15

from baselines.llm_chain import LLMChain
from baselines.tool_calling import ToolCalling
from router import lms
from router.lms import explain
from router.lms.prompts import Prompt
from router.pipeline import Decides, PipelineConfig, RouterPipeline
from router.tools import Tool
from router.trace import Cancelled, Trace
from router.types import TraceEvent, to_json

PATHS = ("llm_chain", "tool_calling", "router")
BRANCHES = {"router/abstained": float("inf"), "router/routed": float("-inf")}
"""The router path with its other branch forced, by the threshold that does it."""
POLL_S = 0.05
GRACE_S = 2.0
"""How long a path that was told to stop may take to say so, before it is declared ended and left to itself."""


@dataclass(frozen=True)
class RaceConfig:
    """How a question is raced.

    ``sequential``: one path after another, so that local models do not disturb each other's timing. ``timeout_s``:
    seconds for each path. ``stop``: set it from any thread to end the race. ``previous_turn``: what the assistant said
    before, for the router path's lesson.
    """

    sequential: bool = True
    timeout_s: float = 180.0
    stop: threading.Event = field(default_factory=threading.Event)
    previous_turn: str | None = None


def build_paths(
    names: Sequence[str], tools: Mapping[str, Tool], router: Decides, direct: bool = False
) -> dict[str, dspy.Module]:
    """The modules of the named paths (PATHS, and BRANCHES for replays). Raises ValueError for another name."""
    known = (*PATHS, *BRANCHES)
    if odd := [name for name in names if name not in known]:
        raise ValueError(f"There is no path {odd[0]!r}. Choose from: {', '.join(known)}.")
    make = {
        "llm_chain": lambda: LLMChain(tools),
        "tool_calling": lambda: ToolCalling(tools),
        "router": lambda: RouterPipeline(router, tools, PipelineConfig(direct)),
    } | {
        name: lambda at=threshold: RouterPipeline(router, tools, PipelineConfig(direct, at))
        for name, threshold in BRANCHES.items()
    }
    return {name: make[name]() for name in names}


def race(
    question: str, lm: dspy.LM, paths: Mapping[str, dspy.Module], config: RaceConfig = RaceConfig()
) -> Iterator[TraceEvent]:
    """Events of all paths as they happen. Closing the iterator stops every path."""
    groups = [[name] for name in paths] if config.sequential else [list(paths)]
    for group in groups:
        if not config.stop.is_set():
            ready(lm, [paths[name] for name in group], config.stop)
        if config.stop.is_set():
            yield from _not_run(question, group)
            continue
        heat = _Heat(question, lm, {name: paths[name] for name in group}, config)
        try:
            yield from heat.events()
        finally:
            heat.stop()


def ready(lm: dspy.LM, paths: Iterable[dspy.Module], stop: threading.Event | None = None) -> None:
    """Put what ``paths`` always send into a local model's prefix cache, and what they once sent out of it.

    Ends early when ``stop`` is set, or when the model does not take such prompts: a path will say so on its own card.
    """
    beginnings = [prompt for path in paths if isinstance(path, _Begins) for prompt in path.beginnings()]
    with suppress(Cancelled, lm15.LM15Error):
        lms.ready(lm, beginnings, stop)


@runtime_checkable
class _Begins(Protocol):
    """A path whose prompts begin alike."""

    def beginnings(self) -> list[Prompt]: ...


def _not_run(question: str, names: Sequence[str]) -> Iterator[TraceEvent]:
    for name in names:
        trace = Trace(name, question)
        trace.fail("Stopped before it began.")
        yield from trace.events


class _Heat:
    """Paths that run at the same time."""

    def __init__(self, question: str, lm: dspy.LM, paths: Mapping[str, dspy.Module], config: RaceConfig) -> None:
        self._config = config
        self._events: queue.SimpleQueue[TraceEvent] = queue.SimpleQueue()
        self._runs = {name: _Run(name, question, self._events.put) for name in paths}
        for name, module in paths.items():
            threading.Thread(
                target=self._runs[name].run, args=(module, lm, config.previous_turn), name=f"path-{name}", daemon=True
            ).start()

    def events(self) -> Iterator[TraceEvent]:
        started, told = time.perf_counter(), None
        running = dict(self._runs)
        while running:
            now = time.perf_counter()
            if told is None and (self._config.stop.is_set() or now - started > self._config.timeout_s):
                told = now
                limit = f"No answer within {self._config.timeout_s:g} s. Raise the limit or choose a faster model."
                self.stop("Stopped." if self._config.stop.is_set() else limit)
            if told is not None and now - told > GRACE_S:
                for name in list(running):
                    yield running.pop(name).give_up()
                return
            try:
                event = self._events.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if event.path in running:
                if event.kind in ("answer", "error"):
                    del running[event.path]
                yield event

    def stop(self, reason: str = "Stopped.") -> None:
        for run in self._runs.values():
            run.reason = run.reason or reason
            run.stop.set()


class _Run:
    """One path on its thread."""

    def __init__(self, path: str, question: str, sink: Callable[[TraceEvent], None]) -> None:
        self.stop, self.reason = threading.Event(), ""
        self._path, self._question, self._sink = path, question, sink
        self._trace: Trace | None = None

    def run(self, module: dspy.Module, lm: dspy.LM, previous_turn: str | None) -> None:
        self._trace = trace = Trace(self._path, self._question, self._sink, self.stop)
        extra = {"previous_turn": previous_turn} if isinstance(module, RouterPipeline) else {}
        try:
            with dspy.context(lm=lm.copy(), disable_history=True, trace=[]):
                module(question=self._question, trace=trace, **extra)
            if trace.events[-1].kind != "answer":
                trace.fail(f"The path {self._path} ended without an answer.")
        except Exception as error:  # a path is a guest: whatever breaks it is told on its own card
            trace.fail(self.reason if self.stop.is_set() else explain(error))

    def give_up(self) -> TraceEvent:
        """The ending of a path that does not react: its thread is left to itself and nobody listens to it any more."""
        trace = Trace(self._path, self._question) if self._trace is None else self._trace
        return TraceEvent(self._path, "error", trace.elapsed_s, {"message": self.reason, "usage": to_json(trace.usage)})
