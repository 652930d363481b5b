"""May the router act? For each tool, for whole calls and for the tool alone: collecting → shadow → live → paused.

A tool is *collecting* until a model reads its calls, in *shadow* while what that model would have called is compared
with what the LLM calls, and *live* from when it is proven that the two agree: over the calls from its threshold on, the
lower bound of a 95 % interval of the agreement is the target or more. Proofs are looked for when the learner has a new
model, and all looks for one gate's proof together err in 5 % of cases (``evidence.spent``); at one look, thresholds
are tried in a fixed sequence (``evidence.prove``). A comparison counts as proof only where

* the call was read by a model that had not been trained on that row (cross-validation, see ``learner``), and
* the LLM answered the row whatever the router thought of it: in shadow, or drawn into the audit sample by a coin that
  is tossed before the router is asked. What the router answered is no proof of it, nor is what it left to the LLM out
  of doubt, which would speak against it.

So a proof is of the learner on such rows; the model that acts was trained on all of them, a little more than those that
were tested. While a tool is live the audit sample goes on, and it becomes everything as soon as what it shows looks
worse than the proof. A tool is *paused* at once, and what was proven before is void, when an alarm of a known rate
rings (less agreement than proven; more questions in doubt, or of unseen words, than there were) or when its schema is
another. Tools with few comparisons share one proof: what it promises, they promise together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from router.handover.evidence import (
    EVEN_LOOKS,
    NEVER,
    Alarm,
    Proof,
    greatest_share,
    lacking,
    measured,
    prove,
    proves,
    spent,
)

Scope = Literal["tool", "call"]
SCOPES: tuple[Scope, ...] = ("tool", "call")
State = Literal["collecting", "shadow", "live", "paused"]
USUAL = 0.01
"""The error of the bound that an alarm takes for the usual share."""


@dataclass(frozen=True)
class GateConfig:
    """What a gate asks for: ``target`` agreement, proven with an ``error`` of at most 5 %.

    ``own``: comparisons from which a tool is proven by itself. ``audit``: share of requests that go to the LLM though
    the router is sure. ``partial``: share of the requests of a tool whose choice is proven and whose whole calls are not,
    of which the LLM is asked for the arguments alone. ``false_agreement`` and ``false_drift``: observations in the mean, at least, until an alarm of
    that kind rings though nothing has changed.

    Raises ValueError where a share is not between 0 and 1.
    """

    target: float = 0.95
    error: float = 0.05
    own: int = 400
    audit: float = 0.05
    partial: float = 0.5
    false_agreement: float = 2_000
    false_drift: float = 20_000

    def __post_init__(self) -> None:
        for name in ("target", "error", "audit", "partial"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, not between 0 and 1. Give a share such as 0.95.")


@dataclass(frozen=True)
class Comparison:
    """What the router would have called for one request, and whether the LLM's tool, and its whole call, were the same.

    ``row``: the request's number. ``confidence`` and ``agreed`` by scope.
    """

    row: int
    tool: str
    confidence: Mapping[Scope, float]
    agreed: Mapping[Scope, bool]


@dataclass(frozen=True)
class Usual:
    """What a model's requests are like: at most so many are of unseen words (``unseen``, a share)."""

    unseen: float = 1.0


@dataclass(frozen=True)
class Gate:
    """Where one tool stands in one scope. ``since``: the request from which it is in this ``state``, for ``reason``.

    ``after``: the last request whose comparison no longer counts. ``by_hand``: a person has paused or promoted it.
    ``shared``: the proof is one that tools of few comparisons share.
    """

    state: State = "collecting"
    proof: Proof = Proof()
    shared: bool = False
    since: int = 0
    after: int = -1
    reason: str = ""
    by_hand: Literal["paused", "promoted"] | None = None

    @property
    def threshold(self) -> float:
        """The confidence from which a call is sure; NEVER where the tool is not live."""
        return self.proof.threshold if self.state == "live" else NEVER

    @property
    def missing(self) -> int | None:
        """Agreeing calls that are missing until live, at least; None where it is live or no call was compared."""
        return None if self.state == "live" or not self.proof.accepted else self.proof.lacking


class Gates:
    """All gates of both scopes, their alarms and their looks. One thread at a time: ``Handover`` holds a lock."""

    def __init__(self, config: GateConfig = GateConfig()) -> None:
        self.config = config
        self.gates: dict[Scope, dict[str, Gate]] = {scope: {} for scope in SCOPES}
        self.looks = dict.fromkeys(SCOPES, 0)
        self.alarms: dict[str, Alarm] = {}

    def gate(self, scope: Scope, tool: str | None) -> Gate:
        return self.gates[scope].get(tool, Gate())

    def sure(self, scope: Scope, tool: str | None, confidence: float) -> bool:
        """Whether the tool is live and the call over its threshold."""
        return confidence >= self.gate(scope, tool).threshold

    @property
    def uneasy(self) -> bool:
        """Whether the audit sample looks worse than what was proven, so that every request belongs into it."""
        return any(self.alarms[name].uneasy for name in (*SCOPES, "left") if name in self.alarms)

    def judge(self, comparisons: Sequence[Comparison], at: int, ceiling: float = 1.0, usual: Usual = Usual()) -> None:
        """Look for proofs in ``comparisons`` at request ``at``, when a new model is there.

        ``ceiling``: no router can agree more with this LLM, by its own consistency; a target above it is refused.
        """
        self._look(comparisons, at, ceiling)
        self._listen(comparisons, usual)

    def judge_again(
        self, comparisons: Sequence[Comparison], at: int, ceiling: float = 1.0, usual: Usual = Usual()
    ) -> None:
        """A further look, when more comparisons of the same model are there. What was proven of it stays so, alarms apart,
        and these go on from what they have heard."""
        proven = {(scope, tool) for scope in SCOPES for tool, one in self.gates[scope].items() if one.state == "live"}
        self._look(comparisons, at, ceiling, proven)
        heard = self.alarms
        self._listen(comparisons, usual)
        self.hear_on(heard)

    def hear_on(self, heard: Mapping[str, Alarm]) -> None:
        """Let the alarms go on from what those of the same model have ``heard``."""
        for name, alarm in self.alarms.items():
            if name in heard:
                alarm.raised = heard[name].raised

    def shown(self, comparisons: Sequence[Comparison]) -> Gates:
        """These gates with what ``comparisons`` show by now, for somebody to see: nothing is decided, no look is spent."""
        seen = Gates(self.config)
        seen.looks, seen.gates = dict(self.looks), {scope: dict(own) for scope, own in self.gates.items()}
        for scope in SCOPES:
            for shared, group in self._groups(scope, comparisons):
                columns = _columns(group)
                found = self._found(scope, *columns)
                for tool in group:
                    gate = self.gate(scope, tool)
                    proof = measured(*columns, gate.threshold) if gate.state == "live" else found
                    seen.gates[scope][tool] = replace(gate, proof=proof, shared=shared)
        return seen

    def _look(
        self,
        comparisons: Sequence[Comparison],
        at: int,
        ceiling: float,
        proven: Collection[tuple[Scope, str]] = (),
    ) -> None:
        for scope in SCOPES:
            groups = self._groups(scope, comparisons)
            looked = any(self._can_prove(sum(map(len, group.values()))) for _, group in groups)
            self.looks[scope] += looked
            for shared, group in groups:
                proof = self._found(scope, *_columns(group))
                proof = replace(proof, proven=looked and proof.proven and self.config.target <= ceiling)
                for tool in (tool for tool in group if (scope, tool) not in proven):
                    self._settle(scope, tool, proof, shared, at, looked)
            if self.config.target > ceiling:
                self._refuse(scope, ceiling)

    def _found(self, scope: Scope, confidences: Sequence[float], agreed: Sequence[bool]) -> Proof:
        """What the comparisons show, by the error that the look so far may spend, and what the next one lacks."""
        looks, (target, error) = self.looks[scope], (self.config.target, self.config.error)
        proof = prove(confidences, agreed, target, spent(error, max(1, looks)))
        if proof.proven or not proof.accepted:
            return proof
        return replace(proof, lacking=lacking(confidences, agreed, target, spent(error, looks + 1)))

    def _groups(
        self, scope: Scope, comparisons: Sequence[Comparison]
    ) -> list[tuple[bool, dict[str, list[tuple[float, bool]]]]]:
        """What is proven together: a tool by itself, or all tools of few comparisons (then True), with the confidence and
        the agreement of each comparison."""
        by_tool: dict[str, list[Comparison]] = defaultdict(list)
        for one in comparisons:
            by_tool[one.tool]
            if one.row > self.gate(scope, one.tool).after:
                by_tool[one.tool].append(one)
        counted = {tool: [(one.confidence[scope], one.agreed[scope]) for one in own] for tool, own in by_tool.items()}
        few = {tool: own for tool, own in counted.items() if len(own) < self.config.own}
        groups = [(False, {tool: own}) for tool, own in counted.items() if tool not in few]
        return groups + ([(True, few)] if few else [])

    def _can_prove(self, trials: int) -> bool:
        """Whether so many comparisons could prove the target if all agreed: else a look would be spent on nothing."""
        return proves(trials, trials, self.config.target, self.config.error / (EVEN_LOOKS + 1))

    def _settle(self, scope: Scope, tool: str, proof: Proof, shared: bool, at: int, looked: bool) -> None:
        gate = self.gate(scope, tool)
        if gate.by_hand == "paused":
            state, reason = "paused", gate.reason
        elif gate.by_hand == "promoted":
            state, reason = "live", gate.reason
        elif proof.proven:
            state, reason = "live", f"{proof.agreed} of {proof.accepted} calls agreed, {proof.bound:.1%} at least."
        elif gate.state == "paused" and not (looked and proof.accepted):
            state, reason = "paused", gate.reason
        else:
            state = "shadow" if proof.seen else "collecting"
            reason = f"An agreement of {self.config.target:.0%} is not proven yet."
        since = gate.since if state == gate.state else at
        self.gates[scope][tool] = replace(gate, state=state, proof=proof, shared=shared, since=since, reason=reason)

    def _refuse(self, scope: Scope, ceiling: float) -> None:
        reason = (
            f"The LLM itself is not so consistent: asked twice, it lets no router agree in more than {ceiling:.1%}, and "
            f"the target is {self.config.target:.1%}. Give a lower one."
        )
        own = self.gates[scope]
        own |= {tool: replace(gate, reason=reason) for tool, gate in own.items() if not gate.by_hand}

    def _listen(self, comparisons: Sequence[Comparison], usual: Usual) -> None:
        """Set the alarms by what is usual now."""
        config = self.config
        self.alarms = {"unseen": Alarm(usual.unseen, config.false_drift)}
        for scope in SCOPES:
            live = {tool: gate for tool, gate in self.gates[scope].items() if gate.state == "live"}
            worst = max((1 - self._promise(gate) for gate in live.values()), default=1.0)
            self.alarms[scope] = Alarm(worst, config.false_agreement)
            for tool, gate in live.items():
                self.alarms[f"{scope}:{tool}"] = Alarm(1 - self._promise(gate), config.false_agreement)
            doubtful = sum(not self.sure(scope, one.tool, one.confidence[scope]) for one in comparisons)
            self.alarms[f"doubt {scope}"] = Alarm(greatest_share(doubtful, len(comparisons), USUAL), config.false_drift)
        left = [one for one in comparisons if not self.sure("call", one.tool, one.confidence["call"])]
        other = sum(not one.agreed["tool"] for one in left)
        self.alarms["left"] = Alarm(greatest_share(other, len(left), USUAL), config.false_agreement)

    def _promise(self, gate: Gate) -> float:
        return gate.proof.bound if gate.proof.proven else self.config.target

    def watch(self, tool: str | None, confidence: Mapping[Scope, float], unseen: bool, at: int) -> None:
        """Take in a request as it comes, before anybody has answered it: does the input drift?"""
        scopes = [scope for scope in SCOPES if self.gate(scope, tool).state != "paused"]  # not usual, and known
        events = {f"doubt {scope}": not self.sure(scope, tool, confidence[scope]) for scope in scopes}
        events["unseen"] = unseen
        for name, event in events.items():
            if name in self.alarms and self.alarms[name].hear(event):
                what = "of unseen words" if name == "unseen" else "in doubt"
                self._pause(name.endswith("call"), f"The input has changed: more questions {what} than there were.", at)

    def compare(self, one: Comparison, drawn: bool) -> None:
        """Take in what the LLM called for a request while the router knew what it would have called.

        ``drawn``: the LLM was asked whatever the router thought of the request.
        """
        if not self.alarms:
            return
        if not drawn:
            self._hear("left", not one.agreed["tool"], one)
            return
        for scope in SCOPES:
            if self.sure(scope, one.tool, one.confidence[scope]):
                self._hear(scope, not one.agreed[scope], one)
                self._hear(f"{scope}:{one.tool}", not one.agreed[scope], one)

    def _hear(self, name: str, event: bool, one: Comparison) -> None:
        if name not in self.alarms or not self.alarms[name].hear(event):
            return
        only = one.tool if ":" in name else None
        reason = "The LLM and the router agree less than was proven" + (f" for {only}." if only else ".")
        self._pause(name.startswith("call"), reason, one.row, only)

    def _pause(self, calls_only: bool, reason: str, at: int, only: str | None = None) -> None:
        """Pause what is live: whole calls and, unless ``calls_only``, tools too, since a call has a tool."""
        for scope in SCOPES if not calls_only else SCOPES[1:]:
            for tool, gate in self.gates[scope].items():
                if only in (None, tool):
                    live = gate.state == "live"
                    state = {"state": "paused", "since": at, "reason": reason, "by_hand": None} if live else {}
                    self.gates[scope][tool] = replace(gate, after=at, **state)
            for name in list(self.alarms):  # a new proof sets them again
                if (scope in name or not calls_only) if only is None else name == f"{scope}:{only}":
                    del self.alarms[name]

    def schema_changed(self, tool: str, at: int) -> None:
        """Pause ``tool``: what was proven is of another schema."""
        self._pause(False, f"The schema of {tool} has changed.", at, tool)

    def pause(self, tool: str, at: int, reason: str = "Paused by hand.") -> None:
        """Let the LLM make all calls of ``tool`` until a person promotes it. Raises ValueError where it is unknown."""
        self._by_hand(tool, "paused", "paused", at, reason)

    def promote(self, tool: str, at: int) -> None:
        """Let the router act for ``tool`` from the threshold on that came nearest, proven or not; alarms still pause
        it. Raises ValueError where the tool is unknown or no call of it was ever compared."""
        if not any(self.gate(scope, tool).proof.accepted for scope in SCOPES) and tool in self.gates["tool"]:
            raise ValueError(f"No call of {tool!r} was compared yet, so there is no threshold. Let it run in shadow.")
        self._by_hand(tool, "live", "promoted", at, "Promoted by hand.")

    def _by_hand(self, tool: str, state: State, by_hand: str, at: int, reason: str) -> None:
        if tool not in self.gates["tool"]:
            known = ", ".join(self.gates["tool"]) or "none yet"
            raise ValueError(f"There is no gate for {tool!r}. Known: {known}.")
        for scope in SCOPES:
            gate = self.gate(scope, tool)
            self.gates[scope][tool] = replace(gate, state=state, since=at, reason=reason, by_hand=by_hand)

    def take_pauses(self, other: Gates) -> None:
        """Pause what ``other``, of an earlier model, has paused since."""
        for scope, own in other.gates.items():
            for tool, gate in own.items():
                mine = self.gate(scope, tool)
                if gate.after > mine.after:
                    state = {"state": "paused", "reason": gate.reason, "by_hand": None} if mine.state == "live" else {}
                    self.gates[scope][tool] = replace(mine, after=gate.after, **state)

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values; ``from_json`` is the inverse."""
        return {
            "gates": {scope: {tool: asdict(gate) for tool, gate in own.items()} for scope, own in self.gates.items()},
            "looks": dict(self.looks),
            "alarms": {name: asdict(alarm) for name, alarm in self.alarms.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], config: GateConfig = GateConfig()) -> Gates:
        found = cls(config)
        for scope, own in value["gates"].items():
            found.gates[scope] = {t: Gate(**gate | {"proof": Proof(**gate["proof"])}) for t, gate in own.items()}
        found.looks = dict(value["looks"])
        found.alarms = {name: Alarm(a["usual"], a["rate"], tuple(a["raised"])) for name, a in value["alarms"].items()}
        return found


def _columns(group: Mapping[str, Sequence[tuple[float, bool]]]) -> tuple[list[float], list[bool]]:
    pairs = [pair for own in group.values() for pair in own]
    return [confidence for confidence, _ in pairs], [agreed for _, agreed in pairs]


def ceiling(same: int, asked: int) -> float:
    """The agreement that no router can exceed, if an LLM asked twice for the same said the same in ``same`` of
    ``asked`` cases: 1 where it was not asked.

    A router says one thing for one question, so it agrees at most with the LLM's likeliest answer, of probability m;
    two askings agree with probability c = Σ p² ≥ m², hence m ≤ √c. Of c it is the upper bound of a 95 % interval.
    """
    return math.sqrt(greatest_share(same, asked, 0.05)) if asked else 1.0
