"""What the benchmarks share: latency taken in turns, the machine, a table of rows."""

from __future__ import annotations

import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def latency(
    deciders: dict[str, Callable[[str], Any]], questions: Sequence[str], repeats: int = 3
) -> dict[str, dict[str, float]]:
    """Microseconds from string to decision, warm: percentiles 50 and 99 of the best of ``repeats`` passes, in which the
    models take turns, so that a busy moment of the machine does not hit one alone.
    """
    best: dict[str, dict[str, float]] = {}
    for turn in range(repeats + 1):
        for name, decide in deciders.items():
            slow = name.startswith(("minilm", "tfidf"))
            asked = questions[: 200 if slow else 3_000]
            times = np.empty(len(asked))
            gc.collect()
            gc.disable()
            for i, question in enumerate(asked):
                begun = time.perf_counter_ns()
                decide(question)
                times[i] = time.perf_counter_ns() - begun
            gc.enable()
            p50, p99 = np.percentile(times, [50, 99]) / 1e3
            if turn and (name not in best or p50 < best[name]["p50_us"]):  # the first pass warms up
                best[name] = {"p50_us": float(p50), "p99_us": float(p99), "mean_us": float(times.mean() / 1e3)}
    return best


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load_average": round(os.getloadavg()[0], 1),
    }


def table_of(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """The rows as text, one a model."""
    cells = [list(columns)] + [[_cell(column, row.get(column)) for column in columns] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return "\n".join(
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))) for row in cells
    )


def say(text: str) -> None:
    """Progress, for a person."""
    print(text, file=sys.stderr, flush=True)


_UNITS = ("_us", "_ms", "_s", "_mb", "_qps")
"""How columns end that are no shares."""


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str | int):
        return str(value)
    if not column.endswith(_UNITS):
        return f"{value:.4f}"
    return f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"
