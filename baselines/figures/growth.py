"""Figures of the growth benchmark: tokens and cost over tools on offer, calls over tools needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from baselines.figures.evaluation import LEGEND, color
from baselines.figures.style import DASHES, SYMBOLS, Figure, axis, count, figure, listing, money, name

Cells = Sequence[Mapping[str, Any]]
"""What ``baselines.evaluate.growth.cells`` gives."""


def figures(cells: Cells) -> dict[str, Figure]:
    """All three."""
    return {"tokens": tokens(cells), "cost": cost(cells), "calls": calls(cells)}


def tokens(cells: Cells) -> Figure:
    """Tokens a question over the tools on offer: a panel for the fewest tools needed and one for the most."""
    needs = sorted({c["needed"] for c in cells})
    needs = needs[:1] + needs[1:][-1:]
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = LEGEND | {
        "grid": {"rows": -(-len(needs) // 2) or 1, "columns": 2, "pattern": "independent", "xgap": 0.12, "ygap": 0.28}
    }
    most = max((c["tokens"] for c in cells), default=1.0)
    notes = []
    for i, needed in enumerate(needs, 1):
        tail = "" if i == 1 else str(i)
        layout[f"xaxis{tail}"] = _registry_axis("tools on offer" if i > len(needs) - 2 else "")
        layout[f"yaxis{tail}"] = axis(
            range=[0, most * 1.12], nticks=5, tickformat="~s", title={"text": "tokens" if i % 2 else "", "standoff": 6}
        )
        notes.append(
            {
                "text": f"<b>needs {needed} tool{'s' if needed > 1 else ''}</b>",
                "xref": f"x{tail} domain",
                "yref": f"y{tail} domain",
                "x": 0.04,
                "y": 1.02,
                "xanchor": "left",
                "yanchor": "top",
                "showarrow": False,
            }
        )
        for path in _paths(cells):
            line = _line(cells, path, "tokens", needed)
            traces.append(line | {"xaxis": f"x{tail}", "yaxis": f"y{tail}", "showlegend": i == 1})
    largest = max((c["registry"] for c in cells), default=0)
    told = (
        f"{name(c['path'])} {count(c['tokens'])}"
        for c in cells
        if c["registry"] == largest and needs and c["needed"] == needs[0]
    )
    return figure(
        traces,
        layout | {"annotations": notes},
        f"With {largest} tools and one needed: {listing(told)} tokens a question.",
    )


def cost(cells: Cells) -> Figure:
    """Dollars for 1,000 questions that need two tools, at full and at cached input prices, over the tools on offer."""
    priced = [{**c, **{k: None if c[k] is None else 1000 * c[k] for k in ("cost", "cost_cached")}} for c in cells]
    needed = 2 if any(c["needed"] == 2 for c in cells) else 1
    traces = []
    for path in _paths(cells):
        traces.append(_line(priced, path, "cost", needed) | {"name": name(path)})
        cached = _line(priced, path, "cost_cached", needed)
        if cached["y"] == traces[-1]["y"]:  # too short a prompt to be cached
            continue
        cached |= {"name": f"{name(path)}, cached", "line": {"color": color(path), "width": 2, "dash": "dot"}}
        traces.append(cached | {"marker": cached["marker"] | {"symbol": f"{SYMBOLS.get(path, 'circle')}-open"}})
    largest = max((c["registry"] for c in cells), default=0)
    told = (
        f"{name(c['path'])} {money(c['cost'])}, with prompt caching {money(c['cost_cached'])}"
        for c in priced
        if c["registry"] == largest and c["needed"] == needed and c["cost"] is not None
    )
    layout = LEGEND | {
        "xaxis": _registry_axis("tools on offer"),
        "yaxis": axis(
            title={"text": "cost of 1,000 questions", "standoff": 8},
            tickprefix="$",
            rangemode="tozero",
            nticks=6,
        ),
    }
    return figure(
        traces, layout, f"1,000 questions with {largest} tools on offer: {listing(told) or 'no known price'}."
    )


def calls(cells: Cells) -> Figure:
    """LLM calls a question over the tools needed."""
    needs = sorted({c["needed"] for c in cells})
    sizes = sorted({c["registry"] for c in cells})
    at = sizes[1] if len(sizes) > 1 else sizes[0] if sizes else 0
    traces = []
    for path in _paths(cells):
        values = [
            next((c["calls"] for c in cells if (c["path"], c["registry"], c["needed"]) == (path, at, k)), None)
            for k in needs
        ]
        right = [
            next((c["right_tools"] for c in cells if (c["path"], c["registry"], c["needed"]) == (path, at, k)), 0)
            for k in needs
        ]
        traces.append(
            {
                "type": "bar",
                "name": name(path),
                "x": [f"{k} tool{'s' if k > 1 else ''}" for k in needs],
                "y": values,
                "text": [f"{v:.2g}" if v is not None else "" for v in values],
                "textposition": "outside",
                "cliponaxis": False,
                "customdata": [f"{r:.0%}" for r in right],
                "hovertemplate": f"{name(path)}, %{{x}}: %{{y:.2f}} calls; "
                "all tools called on %{customdata}<extra></extra>",
                "marker": {"color": color(path), "line": {"width": 0}, "cornerradius": 3},
            }
        )
    told = (
        f"{name(c['path'])} {c['calls']:.2g} calls for {c['needed']}, all tools called on {c['right_tools']:.0%}"
        for c in cells
        if c["registry"] == at
    )
    most = max((c["calls"] for c in cells), default=1)
    layout = LEGEND | {
        "barmode": "group",
        "bargroupgap": 0.06,
        "xaxis": axis(title={"text": "tools that the question needs", "standoff": 8}),
        "yaxis": axis(title={"text": "LLM calls a question", "standoff": 8}, range=[0, most * 1.15], nticks=6),
    }
    return figure(traces, layout, f"LLM calls: {'; '.join(told)}.")


def coverage(cells: Cells) -> str:
    """Where the router's low cost is bought with tools that it did not run: in words."""
    shares: dict[int, list[float]] = {}
    for c in cells:
        if c["path"] == "router":
            shares.setdefault(c["needed"], []).append(c["right_tools"])
    told = listing(f"{sum(s) / len(s):.0%} of those that need {k}" for k, s in sorted(shares.items()))
    return f"The router ran just the tools needed on {told}; the other paths always did, since their model never errs."


def _line(cells: Cells, path: str, key: str, needed: int) -> dict[str, Any]:
    points = sorted((c["registry"], c[key]) for c in cells if c["path"] == path and c["needed"] == needed)
    say = "$%{y:,.2f}" if key.startswith("cost") else "%{y:,.0f} tokens"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name(path),
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "hovertemplate": f"{name(path)}, %{{x}} tools on offer: {say}<extra></extra>",
        "line": {"color": color(path), "width": 2.5, "dash": DASHES.get(path, "solid")},
        "marker": {"symbol": SYMBOLS.get(path, "circle"), "size": 7, "color": color(path)},
    }


def _paths(cells: Cells) -> list[str]:
    return list(dict.fromkeys(c["path"] for c in cells))


def _registry_axis(title: str) -> dict[str, Any]:
    return axis(title={"text": title, "standoff": 8}, range=[0, 210], tickvals=[10, 50, 100, 200])
