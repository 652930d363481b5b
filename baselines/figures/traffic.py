"""What the Hand-over tab shows of a journal, the page's own or an endpoint's: figures in words and two curves; and the
three bands of a visit's self-delegation, which the browser fills.

Takes what ``router.handover.account`` counts. Leaves out where the journal is and the text around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from baselines.figures.evaluation import LEGEND
from baselines.figures.handover import percent
from baselines.figures.style import COLORS, Figure, axis, count, figure, listing, money, seconds

if TYPE_CHECKING:
    from router.handover.account import Account, Counts

FEW = 12
"""Points under which a curve marks each."""
BANDS = (
    ("Left to the LLM", COLORS["llm_chain"], "rgba(221,90,69,.5)"),
    ("Calls made by the router", COLORS["router"], "rgba(17,154,134,.5)"),
    ("Phrases answered in your browser", COLORS["gatekeeper"], "rgba(123,108,240,.5)"),
)
"""From the bottom of the chart to its top: name, line, area."""


def panel(found: Account, target: float) -> dict[str, Any]:
    """``words`` (name, value, from what it is computed) and ``figures``, as JSON values."""
    return {
        "words": words(found, target),
        "figures": {"traffic": share(found.curve), "agreed": agreement(found.curve, target)},
    }


def words(found: Account, target: float) -> list[list[str]]:
    """Handled, agreed, calls a question, saved."""
    total, lately = found.total, found.curve[-1][1] if found.curve else found.total
    recent = lately.requests < total.requests
    late = f"; of the latest {count(lately.requests)}, {percent(lately.handled / lately.requests)}" if recent else ""
    named = f"; of {count(total.partial)} more it named the tool" if total.partial else ""
    rows = [
        [
            "Handled by the router",
            percent(total.handled / total.requests) if total.requests else "–",
            f"{count(total.handled)} of {count(total.requests)} requests{named}{late}",
        ]
    ]
    if total.interval:
        low, high = map(percent, total.interval)
        of = f"{count(total.agreed)} of {count(total.compared)} whole calls that it had ready"
        rows.append(
            [
                "Agreed with the LLM",
                percent(total.agreed / total.compared, 1),
                f"{of}; 95 % interval {low} to {high}, target {percent(target)}",
            ]
        )
    else:
        rows.append(["Agreed with the LLM", "–", f"no call was compared yet; the target is {percent(target)}"])
    each = total.calls / total.requests if total.requests else 0.0
    now = f"; {lately.calls / lately.requests:.2f} each of the latest {count(lately.requests)}" if recent else ""
    rows.append(["LLM calls a question", f"{each:.2f}", f"{count(total.calls)} were made{now}"])
    return rows + [saved(found)]


def saved(found: Account) -> list[str]:
    """What was saved, and by what that is measured."""
    if not found.total.handled + found.total.partial:
        return ["Saved", "–", "nothing is handed over yet"]
    by = "what the LLM’s calls of the same tools cost in the mean, less what was spent in their place"
    if found.measured == found.total.handled + found.total.partial:
        by = "what those calls cost when the LLM made them, on the very questions"
    more = [f"{count(found.saved.calls)} LLM calls", seconds(found.saved.seconds)]
    more += [money(found.saved.dollars)] if found.saved.dollars else []
    return ["Saved", f"{count(found.saved.tokens)} tokens", f"{listing(more)}: {by}"]


def share(curve: Sequence[tuple[int, Counts, Counts]]) -> Figure:
    """By requests seen: the share of the latest that the router handled, and LLM calls a question."""
    seen = [n for n, _, _ in curve]
    handled = [lately.handled / lately.requests for _, lately, _ in curve]
    calls = [lately.calls / lately.requests for _, lately, _ in curve]
    traces = [
        _line("Handled by the router", seen, handled, COLORS["router"]),
        _line("LLM calls a question", seen, calls, COLORS["llm_chain"], dash="dot"),
    ]
    summary = "Nothing was noted yet."
    if curve:
        summary = (
            f"Of the last {count(curve[-1][1].requests)} of {count(seen[-1])} requests the router handled "
            f"{percent(handled[-1])}; {calls[-1]:.2f} LLM calls a question."
        )
    return figure(
        traces, LEGEND | {"xaxis": _seen(seen), "yaxis": axis(range=[0, 1.04 * max([1.0, *calls])], nticks=6)}, summary
    )


def agreement(curve: Sequence[tuple[int, Counts, Counts]], target: float) -> Figure:
    """By requests seen: agreement on all that was compared so far, its 95 % interval, and the target."""
    known = [(n, so_far) for n, _, so_far in curve if so_far.compared]
    seen = [n for n, _ in known]
    shares = [one.agreed / one.compared for _, one in known]
    lows, highs = ([one.interval[end] for _, one in known] for end in (0, 1))
    reach = [0, curve[-1][0]] if curve else [0, 1]
    band = {"mode": "lines", "type": "scatter", "line": {"width": 0}, "hoverinfo": "skip", "x": seen}
    traces = [
        band | {"name": "low", "y": _rounded(lows), "showlegend": False},
        band | {"name": "95 % interval", "y": _rounded(highs), "fill": "tonexty", "fillcolor": "rgba(17,154,134,.18)"},
        _line("Target", reach, [target, target], "#8b8f98", dash="dot"),
        _line("Whole calls agreed", seen, shares, COLORS["router"]),
    ]
    summary = f"No call was compared yet; the target is {percent(target)}."
    if known:
        between = f"95 % interval {percent(lows[-1])} to {percent(highs[-1])}"
        summary = f"{percent(shares[-1], 1)} agreed, {between}; the target is {percent(target)}."
    floor = max(0.0, min([target, *lows]) - 0.05)
    return figure(
        traces,
        LEGEND | {"xaxis": _seen(reach), "yaxis": axis(range=[floor, 1.02], nticks=6, tickformat=".0%")},
        summary,
    )


def bands() -> Figure:
    """The empty chart of a session's self-delegation: LLM calls, or tokens, that the messages so far have cost or would
    have, stacked by who has done the work. The browser fills x and y (``assets/traffic.js``)."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [],
            "y": [],
            "stackgroup": "one",
            "line": {"width": 1.5, "color": line},
            "fillcolor": area,
            "hovertemplate": f"{name}: %{{y:,}}<extra></extra>",
        }
        for name, line, area in BANDS
    ]
    layout = {
        "hovermode": "x unified",
        "xaxis": axis(title={"text": "messages of this visit", "standoff": 6}, rangemode="tozero", tickformat="d"),
        "yaxis": axis(rangemode="tozero", tickformat=",d", nticks=6),
    }
    return figure(traces, LEGEND | layout, "Nothing asked yet.")


def _seen(values: Sequence[int]) -> dict[str, Any]:
    reach = max([1, *values])
    ticks = min(6, reach + 1)  # none between two whole numbers
    return axis(range=[0, reach * 1.01], nticks=ticks, tickformat=",d", title={"text": "requests seen", "standoff": 6})


def _line(name: str, x: Sequence[float], y: Sequence[float], color: str, **line: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(x) < FEW else "lines",
        "name": name,
        "x": list(x),
        "y": _rounded(y),
        "line": {"width": 2.5, "color": color} | line,
        "marker": {"size": 5, "color": color},
        "hovertemplate": f"{name} %{{y:.2f}} after %{{x:,}}<extra></extra>",
    }


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]
