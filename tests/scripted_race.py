"""A race without a model: what each path does with a question is written down beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from router.trace import Trace
from router.types import TraceEvent, Usage, to_json


@dataclass(frozen=True)
class Act:
    """What a path does: the tools it calls (name → output), its answer or error, its LLM calls and their price."""

    tools: Mapping[str, str]
    answer: str | None = None
    error: str | None = None
    calls: int = 1
    tokens: int = 100
    cost: float | None = 0.001
    seconds: float = 1.0
    confidence: float | None = None
    abstained: bool = False


Script = Callable[[str, str], Act]
"""(path, question) → what happens."""


class ScriptedRace:
    """``race(question, paths)`` by a script; counts what it was asked for in ``asked``."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[tuple[str, str]] = []

    def __call__(self, question: str, paths: Sequence[str]) -> Iterator[TraceEvent]:
        for path in paths:
            self.asked.append((path, question))
            yield from events(path, question, self.script(path, question))


def events(path: str, question: str, act: Act) -> list[TraceEvent]:
    """The events of one run, its time running evenly from 0 to ``act.seconds``."""
    ticks = iter([0.0, 0.0, *(act.seconds for _ in range(999))])
    trace = Trace(path, question, clock=lambda: next(ticks))
    if act.confidence is not None:
        label = next(iter(act.tools), "none")
        trace.emit(
            "route",
            tool=label,
            confidence=act.confidence,
            abstained=act.abstained,
            threshold=0.5,
            probabilities={label: act.confidence},
            microseconds=40.0,
        )
    for name, output in act.tools.items():
        with trace.step("tool", tool=name, arguments={}, sources={}) as done:
            done |= {"output": output, "error": None}
    for _ in range(act.calls):
        with trace.step("lm", role="write") as done:
            done |= {"usage": usage(act), "wait_s": 0.0, "first_token_s": 0.1, "reply": act.answer}
    if act.answer is not None:
        trace.emit("token", step=1, text=act.answer)
        trace.answer(act.answer)
    else:
        trace.fail(act.error or "failed")
    return trace.events


def usage(act: Act) -> dict[str, Any]:
    share = act.tokens // max(act.calls, 1)
    cost = None if act.cost is None else act.cost / max(act.calls, 1)
    return to_json(Usage(1, share - 10, 10, 0, share - 10, 10, cost))
