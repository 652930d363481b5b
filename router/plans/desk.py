"""One plan's desk: each decision made once, each tool without effects probed at most once a call.

Leaves out what to do with either (``plan.py``, and a tool's own reading).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from router.builtin.readers import readers_of
from router.network import Router
from router.tools import Tool
from router.tools.reading import Reading, Reads
from router.types import Decision, Question, Step, ToolResult


class Decides(Protocol):
    """What planning needs of a router (``router.network.Router`` is one)."""

    threshold: float

    def decide(self, question: str) -> Decision: ...


class PlanDesk:
    """``router.tools.reading.Desk`` on a router and tools, for one question.

    ``threshold`` stands in for the router's own, for the question and for every part of it.
    """

    def __init__(self, router: Decides, tools: Mapping[str, Tool], threshold: float | None) -> None:
        self.router, self.tools, self.threshold = router, tools, threshold
        self.readers: Reads | None = readers_of(router) if isinstance(router, Router) else None
        self._decided: dict[str, Decision] = {}
        self._probed: dict[str, tuple[ToolResult, float]] = {}

    @cached_property
    def strangers(self) -> frozenset[str]:
        """The tools on offer that the router was not trained for; none where it does not say which labels it has."""
        labels = getattr(self.router, "labels", None)
        return frozenset() if labels is None else frozenset(self.tools).difference(labels)

    def of(self, reading: Reading) -> PlanDesk:
        """The same desk, with the tools that share ``reading``."""
        desk = PlanDesk.__new__(PlanDesk)
        desk.__dict__ = self.__dict__ | {"tools": {n: t for n, t in self.tools.items() if t.reading is reading}}
        return desk

    def decide(self, question: Question) -> Decision:
        """The router's decision on ``question``, under the threshold of this desk."""
        decision = self._decided.get(question.text)
        if decision is None:
            decision = self.router.decide(question.text)
            if self.threshold is not None:
                decision = replace(decision, abstained=decision.confidence < self.threshold)
            self._decided[question.text] = decision
        return decision

    def probe(self, step: Step) -> Step | None:
        """``step`` with the result of its call; None where the tool has effects or cannot be run here."""
        tool = self.tools.get(step.call.tool)
        if tool is None or tool.effects or tool.described:
            return None
        key = step.key
        if key not in self._probed:
            ran_at = time.perf_counter()
            self._probed[key] = tool.call(step.call.arguments), ran_at
        return self.known(step)

    def known(self, step: Step) -> Step:
        """``step``, with its result where a probe has had it."""
        result, ran_at = self._probed.get(step.key, (step.result, step.ran_at))
        return replace(step, result=result, ran_at=ran_at)
