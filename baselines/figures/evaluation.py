"""Figures of a question set: cost against quality, accuracy, time, tokens, stability, break-even.

Leaves out adding up: summaries come from ``baselines.evaluate.statistics``. Where there is nothing to draw, a figure
says so in its summary and stays empty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from baselines.figures.style import (
    COLORS,
    DASHES,
    PALE,
    SYMBOLS,
    Figure,
    axis,
    count,
    figure,
    listing,
    money,
    name,
    seconds,
)

Summary = Mapping[str, Mapping[str, Any]]
"""path → what ``statistics.summarise`` says of it."""

ACCURACIES = {
    "tool_accuracy": "right tool",
    "result_accuracy": "right result",
    "answer_accuracy": "right answer",
}
MAX_STEPS = 200
"""Points of a distribution's line: more cannot be seen."""
LEGEND = {"showlegend": True, "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0}}


def color(path: str, table: Mapping[str, str] = COLORS) -> str:
    return table.get(path, "#8b8f98")


def percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def cost_quality(
    summary: Summary, curve: Sequence[tuple[float, Mapping[str, Any]]] = (), threshold: float | None = None
) -> Figure:
    """Each path a point, with the interval of its accuracy; the router a curve over its threshold.

    ``curve``: (threshold, what the summary says of the router there). Costs are per 1,000 questions; where a path has
    no known price, all are drawn by tokens a question instead.
    """
    priced = all(_cost(s) is not None for s in summary.values())
    traces: list[dict[str, Any]] = []
    points = [(at, s) for at, s in curve if s.get("answer_accuracy") is not None]
    if points:
        traces.append(_threshold_curve(points, priced))
    told = []
    all_spent = [x for s in summary.values() if (x := _price_or_tokens(s, priced)) is not None]
    for path, values in summary.items():
        right, spent = values["answer_accuracy"], _price_or_tokens(values, priced)
        if right is None or spent is None:
            continue
        said = f"{money(spent)} per 1,000 questions" if priced else f"{count(spent)} tokens a question"
        told.append(f"{name(path)} {percent(right)} right for {said}")
        label = name(path) + (f" (threshold {threshold:.2f})" if path == "router" and threshold is not None else "")
        traces.append(
            {
                "type": "scatter",
                "mode": "markers+text",
                "name": name(path),
                "x": [spent],
                "y": [right],
                "text": [f"  {label}  "],
                "textposition": f"middle {_free_side(spent, all_spent)}",
                "textfont": {"color": color(path)},
                "customdata": [said],
                "hovertemplate": f"{name(path)}<br>%{{y:.0%}} right<br>%{{customdata}}<extra></extra>",
                "marker": {"color": color(path), "symbol": SYMBOLS.get(path, "circle"), "size": 14},
                "error_y": _error([right], [values["intervals"]["answer_accuracy"]], color(path)),
            }
        )
    title = "cost of 1,000 questions" if priced else "tokens a question (o200k)"
    spans = [x for trace in traces for x in trace["x"] if x is not None]
    return figure(
        traces,
        {
            "xaxis": axis(
                title={"text": title, "standoff": 8},
                range=[0, max(spans, default=1) * 1.6],
                nticks=6,
                **({"tickprefix": "$"} if priced else {"tickformat": ",d"}),
            ),
            "yaxis": axis(
                title={"text": "right answers", "standoff": 8}, tickformat=".0%", range=[-0.04, 1.06], nticks=6
            ),
        },
        f"Cost against quality: {listing(told) or 'no answers with a reference yet'}.",
    )


def _threshold_curve(points: Sequence[tuple[float, Mapping[str, Any]]], priced: bool) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "Router, other thresholds",
        "x": [_price_or_tokens(s, priced) for _, s in points],
        "y": [s["answer_accuracy"] for _, s in points],
        "customdata": [f"{at:.2f}" for at, _ in points],
        "hovertemplate": "Router at threshold %{customdata}<br>%{y:.0%} right<extra></extra>",
        "line": {"color": color("router", PALE), "width": 3},
    }


def accuracy(summary: Summary) -> Figure:
    """Shares of right tools, tool results and answers, with their intervals."""
    traces, told = [], []
    for path, values in summary.items():
        shares = [values.get(key) for key in ACCURACIES]
        if all(share is None for share in shares):
            continue
        told.append(
            f"{name(path)} "
            + listing(f"{percent(s)} {label}" for s, label in zip(shares, ACCURACIES.values()) if s is not None)
        )
        traces.append(
            {
                "type": "bar",
                "name": name(path),
                "x": list(ACCURACIES.values()),
                "y": shares,
                "text": [percent(s) if s is not None else "" for s in shares],
                "textposition": "inside",
                "insidetextanchor": "start",
                "textangle": 0,
                "insidetextfont": {"color": "#15120e"},
                "hovertemplate": f"{name(path)}, %{{x}}: %{{y:.1%}}<extra></extra>",
                "marker": {"color": color(path), "line": {"width": 0}, "cornerradius": 3},
                "error_y": _error(shares, [values["intervals"].get(key) for key in ACCURACIES], None),
            }
        )
    layout = LEGEND | {
        "barmode": "group",
        "bargroupgap": 0.06,
        "uniformtext": {"mode": "hide", "minsize": 11},  # on a phone the table above says it
        "xaxis": axis(tickangle=0),
        "yaxis": axis(tickformat=".0%", range=[0, 1.05], nticks=6),
    }
    return figure(traces, layout, f"Accuracy: {'; '.join(told) or 'no reference to compare with yet'}.")


def latency(times: Mapping[str, Sequence[float]]) -> Figure:
    """The share of questions that each path had answered within a time. ``times``: seconds a question, by path."""
    traces, told = [], []
    for path, spent in times.items():
        ordered = sorted(spent)
        if not ordered:
            continue
        steps = min(len(ordered), MAX_STEPS)
        shares = [(i + 1) / steps for i in range(steps)]
        told.append(f"{name(path)} half within {seconds(ordered[(len(ordered) - 1) // 2])}")
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name(path),
                "x": [
                    round(ordered[0], 4),
                    *(round(ordered[math.ceil(share * len(ordered)) - 1], 4) for share in shares),
                ],
                "y": [0, *shares],
                "line": {"color": color(path), "width": 2.5, "shape": "hv", "dash": DASHES.get(path, "solid")},
                "hovertemplate": f"{name(path)}: %{{y:.0%}} within %{{x:.2f}} s<extra></extra>",
            }
        )
    most = max((max(s) for s in times.values() if s), default=1.0)
    layout = LEGEND | {
        "xaxis": axis(title={"text": "seconds to the whole answer", "standoff": 8}, range=[0, most * 1.03], nticks=8),
        "yaxis": axis(title={"text": "questions answered", "standoff": 8}, tickformat=".0%", range=[0, 1.03], nticks=6),
    }
    return figure(traces, layout, f"Time to answer: {listing(told) or 'nothing yet'}.")


def per_question(summary: Summary) -> Figure:
    """Tokens a question, in o200k tokens so that models compare, with the calls beside the bar."""
    paths = [p for p, s in summary.items() if s.get("tokens_per_question") is not None]
    values = [summary[p]["tokens_per_question"] for p in paths]
    most = max(values, default=1.0)
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [name(p) for p in paths],
        "x": values,
        "hovertemplate": "%{y}: %{x:,.0f} tokens a question<extra></extra>",
        "marker": {"color": [color(p) for p in paths], "line": {"width": 0}, "cornerradius": 4},
        "error_x": _error(values, [summary[p]["intervals"]["tokens_per_question"] for p in paths], None),
    }
    notes = [
        {
            "x": _high(summary[p]["intervals"]["tokens_per_question"], value),
            "y": name(p),
            "text": f"<b>{count(value)}</b><br>{_calls(summary[p])}",
            "align": "left",
            "xanchor": "left",
            "xshift": 8,
            "showarrow": False,
        }
        for p, value in zip(paths, values)
    ]
    told = (f"{name(p)} {count(v)} in {_calls(summary[p])}" for p, v in zip(paths, values))
    return figure(
        [trace],
        {
            "annotations": notes,
            "xaxis": axis(
                title={"text": "tokens a question (o200k)", "standoff": 8},
                range=[0, most * 1.5],
                nticks=5,
                tickformat=",d",
            ),
            "yaxis": axis(range=[len(paths) - 0.5, -0.5], ticklabelstandoff=8),
        },
        f"Tokens a question: {listing(told) or 'nothing yet'}.",
    )


def changed(stability: Mapping[str, Mapping[str, Any]]) -> Figure:
    """How often a path changed its tool or its answer when asked the same again."""
    paths = list(stability)
    kinds = {"tool_changed": ("other tools", COLORS), "answer_changed": ("other words", PALE)}
    traces = [
        {
            "type": "bar",
            "name": label,
            "x": [name(p) for p in paths],
            "y": [stability[p][key] for p in paths],
            "text": [percent(stability[p][key]) for p in paths],
            "textposition": "outside",
            "cliponaxis": False,
            "hovertemplate": f"%{{x}}, {label}: %{{y:.0%}} of questions<extra></extra>",
            "marker": {"color": [color(p, table) for p in paths], "line": {"width": 0}, "cornerradius": 3},
        }
        for key, (label, table) in kinds.items()
    ]
    told = (
        f"{name(p)} other tools on {percent(s['tool_changed'])}, "
        f"other words on {percent(s['answer_changed'])} of {s['cases']}"
        for p, s in stability.items()
    )
    highest = max((s[key] for s in stability.values() for key in kinds), default=0.0)
    layout = {
        "barmode": "group",
        "xaxis": axis(),
        "yaxis": axis(
            title={"text": "questions", "standoff": 8}, tickformat=".0%", range=[0, max(0.1, highest * 1.15)], nticks=6
        ),
    }
    return figure(traces, layout, f"Asked again: {listing(told) or 'no question was asked twice'}.")


def _free_side(x: float, others: Sequence[float]) -> str:
    """Where a point's label does not run into the next point: "left" where one follows closely."""
    width = max(others)
    return "left" if x > 0.4 * width and any(0 < other - x < 0.3 * width for other in others) else "right"


def payback(costs: Mapping[str, float], one_off_usd: float, after: Mapping[str, int | None]) -> Figure:
    """What each path has cost after so many queries, the router's one-off cost included.

    ``costs``: dollars a query by path; ``after``: other path → queries after which the router is cheaper, None for
    never.
    """
    reached = [n for n in after.values() if n]
    most = max([10, *(2 * n for n in reached)])
    traces = []
    for path, cost in costs.items():
        start = one_off_usd if path == "router" else 0.0
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name(path),
                "x": [0, most],
                "y": [start, start + cost * most],
                "line": {"color": color(path), "width": 2.5, "dash": DASHES.get(path, "solid")},
                "hovertemplate": f"{name(path)}: $%{{y:,.4f}} after %{{x:,d}} queries<extra></extra>",
            }
        )
    crossed: dict[int, list[str]] = {}
    for path, n in after.items():
        if n and path in costs:
            crossed.setdefault(n, []).append(path)
    note = {  # in the corner that the lines leave free
        "xref": "paper",
        "yref": "paper",
        "x": 1,
        "y": 0.15,
        "text": "<br>".join(
            ("pays back" if len(crossed) == 1 else listing([name(p) for p in paths]))
            + f"<br><b>after {count(n)} {'query' if n == 1 else 'queries'}</b>"
            for n, paths in sorted(crossed.items())
        ),
        "showarrow": False,
        "align": "right",
        "xanchor": "right",
        "yanchor": "bottom",
    }
    notes = [note] if crossed else []
    told = (
        f"against {name(p)} after {count(n)} queries" if n is not None else f"against {name(p)} never"
        for p, n in after.items()
    )
    layout = LEGEND | {
        "annotations": notes,
        "xaxis": axis(title={"text": "queries", "standoff": 8}, range=[0, most], nticks=6, tickformat=",d"),
        "yaxis": axis(title={"text": "spent so far", "standoff": 8}, tickprefix="$", rangemode="tozero", nticks=6),
    }
    return figure(traces, layout, f"The router pays back {listing(told) or 'nothing yet: no price is known'}.")


def _error(
    values: Sequence[float | None], intervals: Sequence[tuple[float, float] | None], shade: str | None
) -> dict[str, Any]:
    """Plotly's error bars for values with intervals."""
    known = [(v, i) if v is not None and i is not None else (0.0, (0.0, 0.0)) for v, i in zip(values, intervals)]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [max(0.0, high - v) for v, (_, high) in known],
        "arrayminus": [max(0.0, v - low) for v, (low, _) in known],
        "thickness": 1.5,
        "width": 5,
    }
    return bars | {"color": shade or "#7d8088"}


def _cost(values: Mapping[str, Any]) -> float | None:
    cost = values.get("cost_usd_per_question")
    return None if cost is None else 1000 * cost


def _price_or_tokens(values: Mapping[str, Any], priced: bool) -> float | None:
    return _cost(values) if priced else values.get("tokens_per_question")


def _calls(values: Mapping[str, Any]) -> str:
    number = f"{values['calls_per_question']:.2g}"
    return f"{number} call" + ("" if number == "1" else "s")


def _high(interval: tuple[float, float] | None, value: float) -> float:
    return max(value, interval[1]) if interval else value
