"""Figures of the running session: one timeline, and tokens, cost and latency of one question or of all.

Leaves out measuring and pricing: values come in per path, None where a path has none (it failed, or no price is known).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from baselines.figures.style import COLORS, DASHES, PALE, SYMBOLS, Figure, axis, figure, listing, name, seconds
from router.types import TraceEvent

Values = Mapping[str, Sequence[float | None]]
"""path → one value a question, all of the same length."""

ROLES = {
    "plan": "Plan: choose a tool",
    "interpret": "Interpret the result",
    "conclude": "Write the answer",
    "call": "Choose a tool or answer",
    "native_call": "Choose a tool or answer",
    "write": "Write the answer",
    "chat": "Answer without a tool",
    "teach": "Reply, and teach the browser",
    "fill": "Fill missing arguments",
}
"""What each role of an LLM call is called on screen."""


SHORT = {
    "plan": "plan",
    "interpret": "interpret",
    "conclude": "answer",
    "call": "call",
    "native_call": "call",
    "write": "answer",
    "chat": "answer",
    "teach": "reply",
    "fill": "fill",
}
"""The same on a bar of the timeline."""


@dataclass(frozen=True)
class Span:
    """One stretch of a path's time, in seconds from the path's own start."""

    path: str
    label: str
    kind: str
    start: float
    seconds: float
    short: str = ""


def spans(events: Sequence[TraceEvent], now: float | None = None) -> list[Span]:
    """The calls, tool runs and decisions of one path; one that has not ended reaches to ``now`` seconds."""
    found: list[Span] = []
    begun: dict[int, TraceEvent] = {}
    for event in events:
        data = event.data
        if event.kind == "route":
            spent = data["microseconds"] / 1e6
            found.append(Span(event.path, "Decide", "route", max(0.0, event.elapsed_s - spent), spent))
        elif event.kind in ("lm", "tool") and data["phase"] == "begin":
            begun[data["step"]] = event
        elif event.kind in ("lm", "tool"):
            begun.pop(data["step"], None)
            found += _ended(event)
    reach = now if now is not None else (events[-1].elapsed_s if events else 0.0)
    for event in begun.values():
        start = event.elapsed_s
        found.append(Span(event.path, _label(event), event.kind, start, max(0.0, reach - start), _short(event)))
    calls = [i for i, span in enumerate(found) if span.kind == "lm"]
    if calls and events[-1].kind == "answer" and found[calls[-1]].short == "call":  # it turned out to be the answer
        found[calls[-1]] = replace(found[calls[-1]], label=ROLES["write"], short=SHORT["write"])
    return found


def timeline(events: Mapping[str, Sequence[TraceEvent]], now: Mapping[str, float] | None = None) -> Figure:
    """Every call and tool run on one axis, each path from its own start. One trace, whatever the number of bars."""
    now = now or {}
    bars = [span for path, run in events.items() for span in spans(run, now.get(path))]
    reach = max((s.start + s.seconds for s in bars), default=1.0) or 1.0
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [name(s.path) for s in bars],
        "base": [round(s.start, 6) for s in bars],
        "x": [round(max(s.seconds, reach / 400), 6) for s in bars],  # a decision of 50 µs stays visible
        "text": [s.short if s.kind == "lm" else "" for s in bars],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "insidetextfont": {"color": "#15120e"},
        "customdata": [[s.label, seconds(s.seconds)] for s in bars],
        "hovertemplate": "%{y}<br>%{customdata[0]}: %{customdata[1]}<extra></extra>",
        "marker": {
            "color": [_shade(s) for s in bars],
            "pattern": {"shape": ["/" if s.kind == "wait" else "" for s in bars], "size": 5, "solidity": 0.25},
            "line": {"width": 0},
            "cornerradius": 4,
        },
    }
    notes = [  # on a pale bar, in the page's own ink
        {"x": s.start + s.seconds / 2, "y": name(s.path), "text": s.short, "showarrow": False}
        for s in bars
        if s.kind == "tool" and s.seconds > reach * (0.01 * len(s.short) + 0.015)
    ]
    summary = "; ".join(
        f"{name(path)}: "
        + (", ".join(f"{s.label} {seconds(s.seconds)}" for s in bars if s.path == path) or "nothing yet")
        for path in events
    )
    return figure(
        [trace],
        {
            "barmode": "overlay",
            "annotations": notes,
            "uniformtext": {"mode": "hide", "minsize": 12},  # a call whose bar is too short for its name goes without
            "xaxis": axis(range=[0, reach * 1.02], ticksuffix=" s", nticks=5, tickangle=0),
            "yaxis": _rows(events),
        },
        f"Timeline. {summary}.",
    )


def one_question(values: Mapping[str, Sequence[tuple[str, float | None]]], say: Callable[[float], str]) -> Figure:
    """Bars of one question: path → its parts ``(label, value)``, stacked; the total stands at the end of the bar."""
    paths = list(values)
    totals = {p: _total(values[p]) for p in paths}
    labels = list(dict.fromkeys(label for parts in values.values() for label, _ in parts))
    traces: list[dict[str, Any]] = []
    for index, label in enumerate(labels):
        pale = index < len(labels) - 1
        heights = [dict(values[p]).get(label) if totals[p] is not None else None for p in paths]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": label,
                "y": [name(p) for p in paths],
                "x": heights,
                "customdata": [say(v) if v is not None else "" for v in heights],
                "hovertemplate": f"%{{y}}<br>{label}: %{{customdata}}<extra></extra>",
                "marker": {
                    "color": [(PALE if pale else COLORS)[p] for p in paths],
                    "line": {"width": 0},
                    "cornerradius": 4,
                },
            }
        )
    reach = max((t for t in totals.values() if t), default=1.0)
    notes = [
        {
            "x": totals[p] or 0,
            "y": name(p),
            "text": f"<b>{say(totals[p])}</b>" if totals[p] is not None else "–",
            "xanchor": "left",
            "xshift": 6,
            "showarrow": False,
        }
        for p in paths
    ]
    summary = listing(f"{name(p)} {say(totals[p]) if totals[p] is not None else 'no value'}" for p in paths)
    return figure(
        traces,
        {
            "barmode": "stack",
            "annotations": notes,
            "xaxis": axis(visible=False, range=[0, reach * (1.08 + 0.07 * max(len(n["text"]) - 7 for n in notes))]),
            "yaxis": _rows(paths),
        },
        f"This question: {summary}.",
    )


def by_question(values: Values, say: Callable[[float], str], tick: Mapping[str, Any] = {}) -> Figure:
    """One group of bars a question."""
    traces = [
        {
            "type": "bar",
            "name": name(path),
            "x": list(range(1, len(series) + 1)),
            "y": list(series),
            "customdata": [say(v) if v is not None else "" for v in series],
            "hovertemplate": f"Question %{{x}}<br>{name(path)}: %{{customdata}}<extra></extra>",
            "marker": {"color": COLORS[path], "line": {"width": 0}, "cornerradius": 3},
        }
        for path, series in values.items()
    ]
    last = listing(f"{name(p)} {say(s[-1])}" for p, s in values.items() if s and s[-1] is not None)
    return figure(
        traces,
        {
            "barmode": "group",
            "bargroupgap": 0.08,
            "xaxis": _questions(values),
            "yaxis": axis(rangemode="tozero", **tick),
        },
        f"By question, latest: {last or 'no value'}.",
    )


def running_total(values: Values, say: Callable[[float], str], tick: Mapping[str, Any] = {}) -> Figure:
    """The sum over the session's questions so far; a question without a value adds nothing, and is counted below."""
    traces, notes, ends = [], [], []
    for path, series in values.items():
        sums, total = [], 0.0
        for value in series:
            total += value or 0.0
            sums.append(total)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name(path),
                "x": list(range(1, len(sums) + 1)),
                "y": sums,
                "customdata": [say(v) for v in sums],
                "hovertemplate": f"After question %{{x}}<br>{name(path)}: %{{customdata}}<extra></extra>",
                "line": {"color": COLORS[path], "width": 2.5, "dash": DASHES[path]},
                "marker": {"symbol": SYMBOLS[path], "size": 7, "color": COLORS[path]},
            }
        )
        if sums:
            missing = sum(v is None for v in series)
            ends.append(f"{name(path)} {say(sums[-1])}" + (f" ({missing} without a value)" if missing else ""))
            notes.append(
                {
                    "x": len(sums),
                    "y": sums[-1],
                    "text": f"<b>{say(sums[-1])}</b>",
                    "font": {"color": COLORS[path]},
                    "xanchor": "left",
                    "xshift": 8,
                    "showarrow": False,
                }
            )
    return figure(
        traces,
        {
            "annotations": notes,
            "margin": {"l": 8, "r": 58, "t": 8, "b": 8},
            "xaxis": _questions(values),
            "yaxis": axis(rangemode="tozero", **tick),
        },
        f"Running total: {listing(ends) or 'no value'}.",
    )


def browser_answers() -> Figure:
    """The empty chart of what the gatekeeper answered, and below it the tokens that this saved, over the messages so far.

    The browser fills x and y (``assets/composer.js``), since a hit makes no request.
    """
    lines = (
        ("in your browser", "y", COLORS["gatekeeper"], "solid"),
        ("sent to the paths", "y", "#8b8f98", "dot"),
        ("tokens saved", "y2", COLORS["gatekeeper"], "solid"),
    )
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": label,
            "x": [],
            "y": [],
            "yaxis": row,
            "line": {"color": color, "width": 2.5, "dash": dash},
            "marker": {"size": 4, "color": color},
            "hovertemplate": f"%{{y:,d}} {label}<extra></extra>",
        }
        | ({"fill": "tozeroy", "fillcolor": "rgba(123,108,240,.14)"} if row == "y2" else {})
        for label, row, color, dash in lines
    ]
    return figure(
        traces,
        {
            "xaxis": axis(title={"text": "messages", "standoff": 4}, rangemode="tozero", tickformat="d", anchor="y2"),
            "yaxis": axis(rangemode="tozero", tickformat="d", domain=[0.52, 1]),
            "yaxis2": axis(rangemode="tozero", tickformat=",d", nticks=3, domain=[0, 0.36]),
            "annotations": [
                {
                    "xref": "paper",
                    "yref": "paper",
                    "x": 0.02,
                    "y": 0.39,
                    "text": "tokens saved",
                    "showarrow": False,
                    "xanchor": "left",
                    "yanchor": "top",
                }
            ],
        },
        "Nothing asked yet.",
    )


def _ended(event: TraceEvent) -> list[Span]:
    """The span of an ended step, with the wait in a local model's queue before it."""
    spent, wait = event.data["seconds"], event.data.get("wait_s") or 0.0
    start = max(0.0, event.elapsed_s - spent)
    work = Span(event.path, _label(event), event.kind, start, spent, _short(event))
    if wait <= 0.001:
        return [work]
    return [Span(event.path, "Waited for the model", "wait", max(0.0, start - wait), wait), work]


def _label(event: TraceEvent) -> str:
    if event.kind == "tool":
        return event.data["tool"]
    role = event.data["role"]
    return ROLES.get(role, role)


def _short(event: TraceEvent) -> str:
    return _label(event) if event.kind == "tool" else SHORT.get(event.data["role"], event.data["role"])


def _shade(span: Span) -> str:
    return COLORS[span.path] if span.kind in ("lm", "route") else PALE[span.path]


def _total(parts: Sequence[tuple[str, float | None]]) -> float | None:
    known = [value for _, value in parts]
    return None if not known or any(v is None for v in known) else sum(known)


def _rows(paths: Collection[str]) -> dict[str, Any]:
    """One row a path, the first on top, also for paths that have no bar yet."""
    rows = [name(path) for path in paths]
    order = {"type": "category", "categoryorder": "array", "categoryarray": rows}
    return axis(range=[len(rows) - 0.5, -0.5], ticklabelstandoff=8, showgrid=False, **order)


def _questions(values: Values) -> dict[str, Any]:
    number = max((len(s) for s in values.values()), default=0)
    return axis(
        title={"text": "question", "standoff": 6},
        range=[0.4, max(number, 1) + 0.6],
        tickformat="d",
        nticks=8,
        **({"dtick": 1} if number <= 8 else {}),
    )
