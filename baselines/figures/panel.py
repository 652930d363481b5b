"""Everything that the page and the report show of a set of rows, as one JSON value: ``assets/evaluate.js`` draws it.

Leaves out running and asking. Moving the threshold is choosing another of ``frames``: no call is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from baselines.evaluate.replay import Replay, replay, thresholds
from baselines.evaluate.runs import Row
from baselines.evaluate.statistics import (
    StatisticsConfig,
    break_even,
    by_path,
    disagreements,
    stability,
    summarise,
)
from baselines.evaluate.wording import comparison_sentences
from baselines.figures import evaluation as draw
from baselines.figures.style import NAMES

FRAMES = 24
"""Thresholds that the slider offers, besides the run's own."""
FRAME_RESAMPLES = 400


def panel(
    rows: Sequence[Row], config: StatisticsConfig = StatisticsConfig(), one_off_usd: float = 0.0
) -> dict[str, Any]:
    """The finished view: the run as it was, and a frame for every threshold that the slider offers.

    ``one_off_usd``: what training and synthesis of the router cost, for the break-even figure.
    """
    shown = live(rows, config)
    curve = _curve(rows, config)
    own = _own_threshold(rows)
    again = stability(rows)
    summary = shown["summary"]
    shown["figures"]["cost_quality"] = draw.cost_quality(summary, curve, own)
    shown["figures"] |= {"stability": draw.changed(again)} if again else {}
    shown["figures"] |= _payback(summary, one_off_usd)
    return shown | {
        "frames": [_frame(rows, at, curve, config, one_off_usd) for at in _offered(rows)],
        "own_threshold": own,
        "one_off_usd": one_off_usd,
        "disagreements": disagreements(rows),
        "stability": again,
    }


def live(rows: Sequence[Row], config: StatisticsConfig) -> dict[str, Any]:
    """The view while rows come in: summary and figures, nothing that needs all of them."""
    summary = summarise(rows, config)
    return {
        "names": NAMES,
        "questions": len({row.case for row in rows if row.path in summary}),
        "priced_as": config.priced_as,
        "summary": summary,
        "sentences": comparison_sentences(summary),
        "figures": _figures(rows, summary),
        "meta": [dict(row.meta) for row in rows if row.meta],
    }


def _figures(rows: Sequence[Row], summary: Mapping[str, Any]) -> dict[str, Any]:
    times = {path: [row.result.seconds for row in of] for path, of in by_path(rows).items()}
    return {
        "cost_quality": draw.cost_quality(summary),
        "accuracy": draw.accuracy(summary),
        "latency": draw.latency(times),
        "tokens": draw.per_question(summary),
    }


def _curve(rows: Sequence[Row], config: StatisticsConfig) -> list[tuple[float, Mapping[str, Any]]]:
    """The router's summary at every threshold at which all its runs can be replayed."""
    points = []
    for at in thresholds(rows):
        found = replay(rows, at)
        if found.rows and not found.missing:
            points.append((at, summarise(found.rows, replace(config, resamples=0))["router"]))
    return points


def _offered(rows: Sequence[Row]) -> list[float]:
    own = _own_threshold(rows)
    return sorted({*thresholds(rows, FRAMES), *([own] if own is not None else [])}) if own is not None else []


def _frame(
    rows: Sequence[Row],
    at: float,
    curve: Sequence[tuple[float, Mapping[str, Any]]],
    config: StatisticsConfig,
    one_off_usd: float,
) -> dict[str, Any]:
    found: Replay = replay(rows, at)
    others = [row for row in rows if row.path != "router"]
    moved = [*others, *found.rows]
    order = list(by_path(rows))
    summary = summarise(moved, replace(config, resamples=FRAME_RESAMPLES))
    summary = {path: summary[path] for path in order if path in summary}
    figures = _figures(sorted(moved, key=lambda row: order.index(row.path) if row.path in order else 99), summary)
    figures["cost_quality"] = draw.cost_quality(summary, curve, at)
    figures |= {"payback": None} | _payback(summary, one_off_usd)  # None: the run's own figure does not stand here
    sentences = comparison_sentences(summary)
    return {
        "threshold": at,
        "summary": summary,
        "sentences": sentences,
        "figures": figures,
        "missing": list(found.missing),
    }


def _own_threshold(rows: Sequence[Row]) -> float | None:
    """The threshold that the run was made with, as its meta says it; else between the confidences on either side of
    it."""
    noted = [row.meta["threshold"] for row in rows if row.meta and row.meta.get("threshold") is not None]
    if noted:
        return float(noted[-1])
    decisions = [row.result.decision for row in rows if row.path == "router" and row.result.decision]
    if not decisions:
        return None
    below = [d.confidence for d in decisions if d.abstained]
    above = [d.confidence for d in decisions if not d.abstained]
    return (max(below, default=0.0) + min(above, default=1.0)) / 2


def _payback(summary: Mapping[str, Any], one_off_usd: float) -> dict[str, Any]:
    costs = {path: values["cost_usd_per_question"] for path, values in summary.items()}
    if not one_off_usd or "router" not in costs or None in costs.values():
        return {}
    after = {path: break_even(one_off_usd, cost - costs["router"]) for path, cost in costs.items() if path != "router"}
    return {"payback": draw.payback(costs, one_off_usd, after)} if after else {}
