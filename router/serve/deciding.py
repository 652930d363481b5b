"""What the router would call for a request, and whether it may.

Leaves out the wire and the upstream.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from router.calls.tagger import CallModel
from router.plans import Decides, plan
from router.serve.wire import Asked, Forwarded, Said
from router.tools import ToolSet
from router.types import Outcome, Question, ToolCall

Mode = Literal["shadow", "live"]
SETS_KEPT = 256
"""Lists of tools that are kept read: an agent sends the same one with every request."""


@dataclass(frozen=True)
class Verdict:
    """What the router makes of a request: its plan's outcome, the calls of it, and how sure it is of them.

    ``reason`` says why there is no whole call, in words that may quote the question. ``acts``: whether the calls may be
    made, in live mode. ``narrows``: whether the upstream may be shown the tool of the call alone and, once the request is
    answered, whether it was. ``opinion``: a hand-over's, which its journal wants back.
    """

    outcome: Outcome
    calls: tuple[ToolCall, ...]
    confidence: float
    reason: str
    acts: bool = False
    narrows: bool = False
    opinion: Any = None


class ToolLists:
    """Lists of tools as requests bring them, each read once. Thread-safe."""

    def __init__(self) -> None:
        self._sets: OrderedDict[str, ToolSet | Forwarded] = OrderedDict()
        self._lock = threading.Lock()

    def tools(self, listed: Any) -> ToolSet:
        """The tools of a request. Raises Forwarded where one of them cannot be read."""
        key = json.dumps(listed, ensure_ascii=False)
        with self._lock:
            known = self._sets.get(key)
        if known is None:
            try:
                known = ToolSet.from_json(listed)
            except (ValueError, RecursionError):
                known = Forwarded("a tool that cannot be read")
        with self._lock:
            self._sets[key] = known
            self._sets.move_to_end(key)
            while len(self._sets) > SETS_KEPT:
                self._sets.popitem(last=False)
        if isinstance(known, Forwarded):
            raise known
        return known


class Decider(Protocol):
    """Who decides, and is told what became of it. Thread-safe."""

    def tools(self, listed: Any) -> ToolSet: ...

    def decide(self, caller: str, asked: Asked) -> Verdict: ...

    def told(self, caller: str, asked: Asked, verdict: Verdict, said: Said | None, seconds: float) -> None:
        """``said``: the upstream's turn; None where the router wrote it."""

    def close(self) -> None: ...


class RouterDecider(ToolLists):
    """A trained router, which acts where its plan is a whole call and learns nothing.

    ``threshold`` (a confidence) stands in for the router's own.
    """

    def __init__(self, router: Decides | CallModel, threshold: float | None = None) -> None:
        super().__init__()
        self.router, self.threshold = router, threshold

    def decide(self, caller: str, asked: Asked) -> Verdict:
        """The router's verdict on ``asked``; nothing runs."""
        found = plan(Question(asked.question, asked.history), self.router, asked.tools, self.threshold)
        calls = tuple(step.call for step in found.steps)
        outcome, reason = found.outcome, found.reason
        if outcome == "call" and len(calls) > 1 and not asked.several:
            outcome, reason = "abstain", "Several calls are needed, and one turn may hold one."
        if outcome in ("call", "partial") and not {call.tool for call in calls} <= asked.allowed:
            outcome, reason = "abstain", "The request does not allow the tool."
        return Verdict(outcome, calls, found.confidence, reason, outcome == "call", outcome == "partial")

    def told(self, caller: str, asked: Asked, verdict: Verdict, said: Said | None, seconds: float) -> None:
        """Nothing is learned from it."""

    def close(self) -> None:
        """Nothing is open."""
