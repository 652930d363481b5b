"""What a run will take, before it starts: calls, tokens, time and cost, scaled from a run that was measured.

Leaves out what only the run can tell: another model writes longer or shorter answers. The basis is always named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from baselines.evaluate.runs import Row
from baselines.evaluate.statistics import by_path
from router.types import Usage

REMOTE_CALL_S = 1.5
"""Seconds of one call of a hosted model: an assumption, until the run's first rows are in."""

CORE_HOUR_USD = 0.05
"""Dollars of an hour of one processor core: an assumption, what clouds ask for a small machine."""


@dataclass(frozen=True)
class Estimate:
    """Sums over the whole run. ``cost_usd`` is None where no price is known; ``seconds`` counts one path after
    another."""

    runs: int
    calls: float
    input_tokens: float
    output_tokens: float
    cost_usd: float | None
    seconds: float
    measured_on: int


def estimate(
    measured: Sequence[Row],
    runs: dict[str, int],
    local: bool,
    price: Callable[[Usage], float | None],
) -> Estimate | None:
    """``runs``: how many runs of each path there will be. Scales each path's mean in ``measured`` (rows of an earlier
    run); None where a path has no row there."""
    groups = by_path(measured)
    for row in measured:  # branches have rows of their own where they were run; else count as tool calling
        if "/" in row.path:
            groups.setdefault(row.path, []).append(row)
    calls = read = written = seconds = 0.0
    cost: float | None = 0.0
    for path, number in runs.items():
        of = groups.get(path) or groups.get("tool_calling" if "/" in path else path)
        if not of:
            return None
        share = number / len(of)
        usages = [row.result.usage for row in of]
        calls += share * sum(u.calls for u in usages)
        read += share * sum(u.o200k_input for u in usages)
        written += share * sum(u.o200k_output for u in usages)
        seconds += share * (
            sum(r.result.seconds for r in of) if local else REMOTE_CALL_S * sum(u.calls for u in usages)
        )
        prices = [price(u) if u.calls else 0.0 for u in usages]
        cost = None if cost is None or None in prices else cost + share * sum(prices)  # type: ignore[arg-type]
    number = len({row.case for row in measured})
    return Estimate(sum(runs.values()), calls, read, written, cost, seconds, number)


@dataclass(frozen=True)
class OneOff:
    """What a router cost before its first question: CPU seconds of training, in dollars at CORE_HOUR_USD. Its examples
    come from templates, which cost nothing to synthesise."""

    usd: float
    cpu_seconds: float


def one_off(directory: Path) -> OneOff:
    """Of the router saved in ``directory``; nothing where it does not say how it was trained."""
    try:
        record = json.loads((directory / "config.json").read_text(encoding="utf-8")).get("provenance") or {}
    except (OSError, ValueError):
        record = {}
    seconds = float(record.get("train_cpu_s") or 0.0)
    return OneOff(seconds / 3600 * CORE_HOUR_USD, seconds)
