"""``python -m router replay``: a recorded log, played back as if it arrived live.

The code is that of a hand-over that runs: the same gates, alarms, coin and training. What the log says stands in for
the LLM. Where the router acts, the LLM is not asked, and nothing is learned of that request; what the log says of it is
only looked at to measure. With ``labels`` "all" the LLM answers everything, as before a hand-over, and the figures say
what the router would have been given. Leaves out printing (``command``) and drawing (``chart``).
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from router.handover.desk import Desk, Opinion
from router.handover.gate import SCOPES, GateConfig, Gates, ceiling
from router.handover.learner import Candidate, LearnerConfig, Lesson, digest, train_candidate
from router.handover.peers import Embed, measure, same_call, static_embed
from router.types import Example, Usage

CHECKPOINTS = (100, 200, 400, 800, 1_600, 3_200, 6_400)
RECENT = 500
"""Requests back from which a wrong call of the LLM is taken."""


@dataclass(frozen=True)
class Recorded:
    """A request of a log. ``called``: what the LLM called for it, ``again``: what it called when asked a second time;
    ``truth``: what is right, where that is known. ``schemas``: digests of the tools on offer, by name, where known."""

    called: Example
    again: Example | None = None
    truth: Example | None = None
    schemas: Mapping[str, str] = field(default_factory=dict)
    usage: Usage = Usage()


@dataclass(frozen=True)
class ReplayConfig:
    """``checkpoints``: requests after which the learner has a new model. ``seed``: of the coin. ``folder``: where models are kept, so that a
    replay that broke off goes on. ``embed``: the peers', with its name."""

    gate: GateConfig = GateConfig()
    checkpoints: Sequence[int] = CHECKPOINTS
    labels: Literal["live", "all"] = "live"
    seed: int = 0
    folder: Path | None = None
    embed: tuple[str, Embed] | None = ("static", static_embed)
    learner: LearnerConfig = LearnerConfig()


@dataclass
class Point:
    """What happened from one checkpoint, at which ``seen`` requests had come, to the next.

    ``lessons``: requests that could be learned from; ``requests``: those of the block. Coverage is the share of them
    that the router handled: acted on or, by tool, would have chosen the tool for; with labels "all", would have handled.
    Agreement is with what the LLM called for those, ``truth`` with what is right. None where nothing was handled.
    """

    seen: int
    lessons: int = 0
    train_s: float = 0.0
    requests: int = 0
    tool_coverage: float = 0.0
    tool_agreement: float | None = None
    tool_truth: float | None = None
    call_coverage: float = 0.0
    call_agreement: float | None = None
    call_truth: float | None = None
    audited: float = 0.0
    llm_calls_saved: int = 0
    tokens_saved: int | None = None
    refused: str = ""
    paused: list[dict[str, Any]] = field(default_factory=list)
    peers: dict[str, Any] = field(default_factory=dict)


class Replay:
    """One log played back. ``points`` yields as each block ends; ``opinions`` keeps what became of each request."""

    def __init__(self, config: ReplayConfig = ReplayConfig(), on_progress: Callable[[str], None] = lambda text: None):
        self.config, self.desk = config, Desk(Gates(config.gate), config.seed)
        self.lessons: list[tuple[Lesson, str]] = []
        self.opinions: list[Opinion] = []
        self.twice = Counter[bool]()
        self._schemas: dict[str, str] = {}
        self._say = on_progress

    def points(self, log: Iterable[Recorded]) -> Iterator[Point]:
        """Play ``log`` back, each request as it comes. The last block is as long as all that came before it, if the log
        is."""
        requests = enumerate(log)
        cuts = [*self.config.checkpoints, 2 * self.config.checkpoints[-1]]
        seen: list[Example] = []
        point = Point(0)
        for start, end in zip([0, *cuts], cuts):
            told = [(self._play(row, one), one) for row, one in islice(requests, end - start)]
            block = [one.called for _, one in told]
            self._sum_up(point, told)
            if point.seen and block and self.config.embed:
                self._say(f"peers after {start:,} requests")
                name, embed = self.config.embed
                found = measure(seen, block, self.config.gate.target, embed, name)
                point.peers = {peer: asdict(figures) for peer, figures in found.items()}
            if point.seen and block:
                yield point
            if len(block) < end - start or end == cuts[-1]:
                return
            seen += block
            point = self._learn(end)

    def _play(self, row: int, one: Recorded) -> Opinion:
        for tool, schema in one.schemas.items():
            if self._schemas.setdefault(tool, schema) != schema:
                self._schemas[tool] = schema
                self.desk.gates.schema_changed(tool, row)
        opinion = self.desk.consider(row, one.called)
        self.opinions.append(opinion)
        whole = self.config.labels == "all"
        if whole or opinion.mode != "act":
            self.desk.hear(opinion, one.called)
            proof = whole or opinion.mode != "ask"
            self.lessons.append((Lesson(row, one.called, proof), one.schemas.get(one.called.tool, "")))
            if one.again is not None:
                self.twice[same_call(one.called, one.again)] += 1
        return opinion

    def _learn(self, seen: int) -> Point:
        """The checkpoint after ``seen`` requests: a model of all lessons of schemas that still hold."""
        lessons = [one for one, schema in self.lessons if self._schemas.get(one.example.tool, schema) == schema]
        limit = ceiling(self.twice[True], self.twice.total())
        point = Point(seen, len(lessons))
        try:
            candidate = self._candidate(lessons)
        except ValueError as fault:  # too few lessons yet
            self._say(str(fault))
            return point
        self.desk.install(seen, candidate, seen - 1, limit)
        point.train_s = candidate.seconds
        if self.config.gate.target > limit:
            point.refused = next(iter(self.desk.gates.gates["call"].values())).reason
        return point

    def _candidate(self, lessons: Sequence[Lesson]) -> Candidate:
        folder = self.config.folder and self.config.folder / digest(lessons)
        if folder and folder.exists():
            return Candidate.load(folder)
        self._say(f"learning from {len(lessons):,} requests")
        told = lambda done, of: self._say(f"  model {done} of {of}")
        candidate = train_candidate(lessons, self.config.learner, told)
        if folder:
            partial = folder.with_suffix(".partial")
            partial.mkdir(parents=True, exist_ok=True)
            candidate.save(partial)
            partial.rename(folder)
        return candidate

    def _sum_up(self, point: Point, told: Sequence[tuple[Opinion, Recorded]]) -> None:
        point.requests = len(told)
        whole = self.config.labels == "all"
        handled = {
            "tool": [(o, one) for o, one in told if o.sure["tool"]],
            "call": [(o, one) for o, one in told if (o.sure["call"] if whole else o.mode == "act")],
        }
        for scope in SCOPES:
            pairs = [(self._made(o, one), one) for o, one in handled[scope]]
            setattr(point, f"{scope}_coverage", len(pairs) / max(1, len(told)))
            agree = same_call if scope == "call" else lambda a, b: a.tool == b.tool
            for name, wanted in (("agreement", lambda one: one.called), ("truth", lambda one: one.truth)):
                hits = [agree(made, wanted(one)) for made, one in pairs if wanted(one)]
                setattr(point, f"{scope}_{name}", sum(hits) / len(hits) if hits else None)
        point.audited = sum(o.mode == "audit" for o, _ in told) / max(1, len(told))
        point.llm_calls_saved = len(handled["call"])
        if all(one.usage.calls for _, one in told):
            point.tokens_saved = sum(one.usage.o200k_input + one.usage.o200k_output for _, one in handled["call"])
        point.paused = [
            {"scope": scope, "tool": tool, "at": gate.since, "reason": gate.reason}
            for scope in SCOPES
            for tool, gate in self.desk.gates.gates[scope].items()
            if gate.state == "paused"
        ]

    @staticmethod
    def _made(opinion: Opinion, one: Recorded) -> Example:
        return Example(one.called.question, str(opinion.tool), opinion.call.read.arguments)


def erring(rows: Iterable[Example], noise: float, seed: int = 0, twice: float = 0.05) -> Iterator[Recorded]:
    """``rows`` as a log of an LLM that errs in a share ``noise`` of its calls: then it makes the call of another recent
    request. A share ``twice`` of the requests it is asked for a second time. Nothing errs where ``noise`` is 0."""
    pick, recent = random.Random(seed), deque[Example](maxlen=RECENT)

    def called(row: Example) -> Example:
        wrong = [one for one in pick.sample(recent, min(4, len(recent))) if not same_call(one, row)]
        if not wrong or pick.random() >= noise:
            return row
        return replace(row, tool=wrong[0].tool, arguments=wrong[0].arguments)

    for row in rows:
        again = called(row) if noise and pick.random() < twice else None
        yield Recorded(called(row) if noise else row, again, row)
        recent.append(row)
