"""The router's abstention threshold, moved without a call: each case takes the branch that the new threshold asks for.

Leaves out guessing: a case whose branch never ran is counted as missing and stands in no figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from baselines.evaluate.runs import ABSTAINED, ROUTED, Row
from router.types import Decision


@dataclass(frozen=True)
class Replay:
    """The router's rows as they would be at ``threshold``. ``missing``: questions whose branch never ran."""

    threshold: float
    rows: tuple[Row, ...]
    missing: tuple[str, ...]


def replay(rows: Sequence[Row], threshold: float) -> Replay:
    """Choose for each run of the router the branch that ``threshold`` (0 to 1) asks for: the LLM chooses where the
    confidence is below it, or where the router leaves the question to the LLM for another reason. Rows of other paths
    are not looked at."""
    others = {row.key: row for row in rows if row.path in (ABSTAINED, ROUTED)}
    chosen, missing = [], []
    for row in rows:
        decision = row.result.decision
        if row.path != "router" or decision is None:
            continue
        below = decision.confidence < threshold
        taken: Row | None = row
        if below != row.below and not (below and decision.abstained):
            taken = others.get((ABSTAINED if below else ROUTED, *row.key[1:]))
        if taken is None:
            missing.append(row.question.text)
        else:
            abstained = below or (
                taken.result.decision is not None and taken.path != ABSTAINED and taken.result.decision.abstained
            )
            chosen.append(_as_router(taken, replace(decision, abstained=abstained)))
    return Replay(threshold, tuple(chosen), tuple(missing))


def thresholds(rows: Sequence[Row], most: int = 50) -> list[float]:
    """Where the curve can bend: between the confidences that were seen (at most ``most`` of them), and both ends."""
    seen = sorted({row.result.decision.confidence for row in rows if row.path == "router" and row.result.decision})
    between = [(low + high) / 2 for low, high in zip(seen, seen[1:])]
    step = max(1, -(-len(between) // most))
    return [0.0, *between[::step], 1.0]


def _as_router(row: Row, decision: Decision) -> Row:
    return replace(row, result=replace(row.result, path="router", decision=decision))
