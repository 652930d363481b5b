"""Where a request is decided on: the model that stands, its gates, and the coin of the audit sample.

The same for requests as they come (``Handover``) and for a log that is played back (``replay``). Leaves out the
journal, and whether a tool may be called at all.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from router.calls.read import LearnedCall
from router.calls.tagger import CallModel
from router.handover.evidence import NEVER
from router.handover.gate import SCOPES, Comparison, Gates, Scope
from router.handover.learner import Candidate, compare, confidences, read_as_of_then, unseen, words_of
from router.types import NON_TOOLS, Example

Mode = Literal["collecting", "shadow", "ask", "audit", "partial", "act"]
"""What becomes of a request. On "act" the router calls; else the LLM does: there is no model yet (collecting), the tool
is not live (shadow), the call is in doubt (ask), or the coin drew it (audit). On "partial" the router names the tool, which
is proven, and the LLM its arguments."""
REASONS: dict[Mode, str] = {
    "collecting": "Nothing is learned yet, so the LLM chooses.",
    "shadow": "The tool is not handed over, so the LLM chooses.",
    "ask": "The call is in doubt, so the LLM chooses.",
    "audit": "Drawn into the audit sample: the LLM chooses, and both calls are compared.",
    "partial": "The tool is proven and its arguments are not: the LLM gives these, seeing one schema.",
}
"""Why the router does not make the call itself, by mode."""
PROOF: tuple[Mode, ...] = ("collecting", "shadow", "audit")
"""Modes that do not depend on how sure the router was."""


@dataclass(frozen=True)
class Opinion:
    """What the router would call for request number ``row``, how sure it is, and what becomes of the request.

    ``sure``: by scope, whether the tool is live and the call over its threshold. ``model``: the number of the model.
    ``threshold``: from which a whole call of the tool is sure. ``seconds`` that reading it took.
    """

    row: int
    mode: Mode
    call: LearnedCall | None = None
    confidence: Mapping[Scope, float] = field(default_factory=lambda: dict.fromkeys(SCOPES, 0.0))
    sure: Mapping[Scope, bool] = field(default_factory=lambda: dict.fromkeys(SCOPES, False))
    model: int | None = None
    threshold: float = NEVER
    seconds: float = 0.0

    @property
    def tool(self) -> str | None:
        return self.call.tool if self.call else None


class Reads(Protocol):
    """What a hand-over needs of a model: the call that it reads in a question."""

    def call(self, question: str, now: datetime | None = None) -> LearnedCall: ...


@dataclass(frozen=True)
class Standing:
    """A model with what is asked of it at every request. It is exchanged as a whole, never in parts."""

    number: int
    model: Reads
    words: frozenset[str]

    @classmethod
    def of(cls, number: int, model: CallModel) -> Standing:
        return cls(number, model, words_of(model))


class Desk:
    """Decides on requests. One thread at a time."""

    def __init__(self, gates: Gates, seed: int | None = None) -> None:
        self.gates, self.standing = gates, None
        self._coin = random.Random(seed)

    def install(self, number: int, candidate: Candidate, at: int, ceiling: float = 1.0) -> None:
        """Put ``candidate`` in the place of the model that stands, at request ``at``, and judge its proof."""
        self.gates.judge(candidate.comparisons, at, ceiling, candidate.usual)
        self.standing = Standing.of(number, candidate.model)

    def decide(
        self, row: int, question: str, standing: Standing | None, call: LearnedCall | None, fills: bool = False
    ) -> Opinion:
        """What becomes of request ``row``, in which ``standing`` has read ``call``. ``fills``: whether the LLM can be asked
        for the arguments of one tool."""
        if standing is None or call is None:
            return Opinion(row, "collecting")
        gates = self.gates
        drawn = self._coin.random() < gates.config.audit or gates.uneasy
        confidence = confidences(call)
        gates.watch(call.tool, confidence, unseen(standing.words, question), row)
        sure = {scope: gates.sure(scope, call.tool, confidence[scope]) for scope in SCOPES}
        mode: Mode = "act" if sure["call"] else "ask"
        if gates.gate("call", call.tool).state != "live":
            mode = "shadow"
        elif drawn:
            mode = "audit"
        if fills and not drawn and call.tool not in NON_TOOLS:
            mode = self._partly(mode, call.tool, sure["tool"])
        threshold = gates.gate("call", call.tool).threshold
        return Opinion(row, mode, call, confidence, sure, standing.number, threshold)

    def _partly(self, mode: Mode, tool: str | None, sure: bool) -> Mode:
        """``mode``, or "partial" where the tool is proven and its whole call is not. What the LLM is asked of one tool says
        nothing of the tool; so a coin, and not how sure the router is, leaves enough requests that prove the whole call."""
        if mode not in ("ask", "shadow") or self.gates.gate("tool", tool).state != "live":
            return mode
        if mode == "shadow" and self._coin.random() >= self.gates.config.partial:
            return mode
        return "partial" if sure else "ask"

    def consider(self, row: int, asked: Example) -> Opinion:
        """What becomes of request ``row``, the question of ``asked``, which the model reads as of when it was asked."""
        call = read_as_of_then(self.standing.model, asked) if self.standing else None
        return self.decide(row, asked.question, self.standing, call)

    def hear(self, opinion: Opinion, called: Example) -> Comparison | None:
        """Take in what the LLM called for a request; None where there was nothing to compare it with."""
        if opinion.call is None:
            return None
        found = compare(opinion.row, opinion.call, called)
        self.gates.compare(found, opinion.mode in PROOF)
        return found
