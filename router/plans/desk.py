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
from router.calls.read import LearnedCall
from router.calls.tagger import CallModel
from router.network import Router
from router.tools import Tool
from router.tools.reading import Reading, Reads
from router.types import NON_TOOLS, Decision, Question, Step, ToolResult


class Decides(Protocol):
    """What planning needs of a router (``router.network.Router`` is one)."""

    threshold: float

    def decide(self, question: str) -> Decision: ...


class PlanDesk:
    """``router.tools.reading.Desk`` on a router and tools, for one question.

    ``threshold`` stands in for the router's own, for the question and for every part of it. ``calls``: the router as one
    that has learned whole calls; None where it has not.
    """

    def __init__(self, router: Decides | CallModel, tools: Mapping[str, Tool], threshold: float | None) -> None:
        self.calls = router if isinstance(router, CallModel) else None
        self.router = router.router if isinstance(router, CallModel) else router
        self.others = router.others if isinstance(router, CallModel) else None
        self.tools, self.threshold = tools, threshold
        self.readers: Reads | None = None
        if isinstance(known := self.others or self.router, Router):
            self.readers = readers_of(known)
        self._called: dict[str, LearnedCall] = {}
        self._decided: dict[str, Decision] = {}
        self._probed: dict[str, tuple[ToolResult, float]] = {}

    @cached_property
    def strangers(self) -> frozenset[str]:
        """The tools on offer without a reading that the router was not trained for; none where it does not say which
        labels it has."""
        known = [getattr(router, "labels", None) for router in (self.router, self.others) if router is not None]
        if None in known:
            return frozenset()
        return frozenset(n for n, tool in self.tools.items() if tool.reading is None).difference(*known)

    def of(self, reading: Reading) -> PlanDesk:
        """The same desk, with the tools that share ``reading`` and the router that knows these."""
        desk = PlanDesk.__new__(PlanDesk)
        desk.__dict__ = self.__dict__ | {"tools": {n: t for n, t in self.tools.items() if t.reading is reading}}
        if self.others is not None:
            desk.__dict__ |= {"router": self.others, "others": None, "_decided": {}}
        return desk

    def decide(self, question: Question) -> Decision:
        """The router's decision on ``question``, under the threshold of this desk."""
        decision = self._decided.get(question.text)
        if decision is None:
            decision = self._decide(self.router, question)
            if self.others is not None and (decision.abstained or self._doubts(decision, question)):
                other = self._decide(self.others, question)
                sure = not other.abstained and other.tool not in NON_TOOLS
                decision = other if sure or decision.tool in (*NON_TOOLS, None) else decision
            self._decided[question.text] = decision
        return decision

    def _doubts(self, decision: Decision, question: Question) -> bool:
        """Whether ``decision`` is for no tool, or for one whose learned call has an open slot or a strange word."""
        return decision.tool in NON_TOOLS or (self.learned(decision) and not self.call(question).whole)

    def understood(self, tool: str) -> frozenset[str] | None:
        """The words that the reading of ``tool`` has been seen to read right, and those without consequence; None where
        the router has learned none."""
        words = getattr(self.router, "understood", {}).get(tool)
        return None if words is None else words | self.router.fillers

    def _decide(self, router: Decides, question: Question) -> Decision:
        decision = router.decide(question.text)
        if self.threshold is None:
            return decision
        return replace(decision, abstained=decision.confidence < self.threshold)

    def learned(self, decision: Decision) -> bool:
        """Whether the calls of the decision's tool are learned, and no reading of its own comes first."""
        tool = self.tools.get(decision.tool)
        own = tool is not None and tool.reading is None and tool.parse is None
        return own and self.calls is not None and tool.name in self.calls.tools

    def call(self, question: Question) -> LearnedCall:
        """What the model of calls reads in ``question``; there has to be one."""
        call = self._called.get(question.text)
        if call is None:
            call = self._called[question.text] = self.calls.call(question.text)
        return call

    def least(self, tool: str) -> float:
        """The confidence under which a learned call of ``tool`` is not sure."""
        return self.calls.parts.confidence.least(tool) if self.threshold is None else self.threshold

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
