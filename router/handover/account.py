"""What the rows of a journal add up to: who made the calls, whether router and LLM agreed, and what was saved.

Leaves out where the rows come from (``journal``), what they prove (``gate``) and drawing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from router.handover.evidence import greatest_share, least_share
from router.handover.journal import JournalRow
from router.types import Usage

POINTS = 30
"""Points of a curve, at most about so many."""
WINDOW = 20
"""Requests that "lately" means at a point of a curve, at least."""


@dataclass
class Spent:
    """What LLM calls cost: how many, their tokens (o200k's where they were counted, else the model's own), seconds, and
    dollars, None where a price is not known."""

    calls: float = 0
    tokens: float = 0
    seconds: float = 0.0
    dollars: float | None = 0.0

    @classmethod
    def of(cls, usage: Usage, seconds: float) -> Spent:
        tokens = usage.o200k_input + usage.o200k_output or usage.input_tokens + usage.output_tokens
        return cls(usage.calls, tokens, seconds, usage.cost_usd if usage.calls else 0.0)

    def plus(self, other: Spent, times: float = 1.0) -> Spent:
        """The sum with ``times`` the other."""
        unknown = self.dollars is None or other.dollars is None
        dollars = None if unknown else self.dollars + times * other.dollars
        return Spent(
            self.calls + times * other.calls,
            self.tokens + times * other.tokens,
            self.seconds + times * other.seconds,
            dollars,
        )


@dataclass
class Counts:
    """So many ``requests``: calls that the router made of them (``handled``), or named the tool of (``partial``), LLM
    ``calls`` that were made, and of the ``compared`` how many whole calls ``agreed``."""

    requests: int = 0
    handled: int = 0
    partial: int = 0
    calls: float = 0
    compared: int = 0
    agreed: int = 0

    def add(self, row: JournalRow) -> None:
        """Count one row."""
        self.requests += 1
        self.handled += row.mode == "act"
        self.partial += row.mode == "partial"
        self.calls += 0 if is_both(row) else row.usage.calls
        if is_compared(row):
            self.compared += 1
            self.agreed += row.agreed["call"]

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the agreement, 95 %, two-sided (Clopper and Pearson); None where nothing was compared."""
        if not self.compared:
            return None
        return least_share(self.agreed, self.compared, 0.025), greatest_share(self.agreed, self.compared, 0.025)


@dataclass
class Account:
    """``total`` and, by requests seen, ``curve``: (seen, the latest until then, all until then). ``saved``: what the handled calls
    cost when the LLM made them, less what was spent in their place; ``measured`` of them on the very question, the others
    by the mean of the LLM's calls of the same tool. ``seen``: requests by tool, which is what the LLM called or else the router."""

    total: Counts = field(default_factory=Counts)
    curve: list[tuple[int, Counts, Counts]] = field(default_factory=list)
    saved: Spent = field(default_factory=Spent)
    measured: int = 0
    seen: dict[str, int] = field(default_factory=dict)


def is_both(row: JournalRow) -> bool:
    """Whether the router made the call, and the LLM was asked in any case."""
    return row.mode == "act" and row.llm_call is not None


def is_compared(row: JournalRow) -> bool:
    """Whether the router had a whole call of its own beside one that is right."""
    return row.agreed is not None and row.lesson is not None and row.confidence.get("call", 0.0) > 0


def account(rows: Sequence[JournalRow]) -> Account:
    """What ``rows``, in their order, add up to."""
    found, step = Account(), max(1, -(-len(rows) // POINTS))
    means = _means(rows)
    for number, row in enumerate(rows, 1):
        called = row.lesson or row.llm_call or row.router_call
        if called is not None:
            found.seen[called.tool] = found.seen.get(called.tool, 0) + 1
        found.total.add(row)
        if is_both(row):
            found.saved, found.measured = found.saved.plus(Spent.of(row.usage, row.seconds)), found.measured + 1
        elif row.mode in ("act", "partial") and row.router_call is not None:
            usual = means.get(row.router_call.tool) or means.get(None)
            if usual is not None:
                found.saved = found.saved.plus(usual).plus(Spent.of(row.usage, row.seconds), -1.0)
        if number % step == 0 or number == len(rows):
            lately = Counts()
            for one in rows[max(0, number - max(WINDOW, step)) : number]:
                lately.add(one)
            found.curve.append((number, lately, Counts(**vars(found.total))))
    return found


def _means(rows: Iterable[JournalRow]) -> dict[str | None, Spent]:
    """What a request cost in the mean where the LLM chose: by the tool that it called, None for all."""
    own: dict[str | None, list[Spent]] = defaultdict(list)
    for row in rows:
        if row.llm_call is not None and row.mode not in ("act", "partial"):
            spent = Spent.of(row.usage, row.seconds)
            own[row.llm_call.tool].append(spent)
            own[None].append(spent)
    means = {}
    for tool, spent in own.items():
        total = Spent()
        for one in spent:
            total = total.plus(one)
        means[tool] = Spent(dollars=0.0).plus(total, 1 / len(spent))
    return means
