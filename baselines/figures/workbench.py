"""What the tab "Your tools" draws: how a training goes, whether the router's confidence can be believed, and what a
threshold buys.

Takes what ``router.workbench`` tells. Leaves out the confusion matrix, which is a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from baselines.figures.evaluation import LEGEND
from baselines.figures.handover import percent
from baselines.figures.style import COLORS, Figure, axis, figure

Points = Sequence[Mapping[str, Any]]


def training_curve(points: Points) -> Figure:
    """Loss and the share of held-out rows that are read right, by epoch over all trainings one after the other."""
    epochs, loss, right = [], [], []
    for before, point in zip([None, *points], points):
        if before and before["part"] != point["part"]:  # another training begins anew
            for values in (epochs, loss, right):
                values.append(None)
        epochs.append((point["part"] - 1) * point["epochs"] + point["epoch"])
        loss.append(point["loss"])
        right.append(point["validation"])
    traces = [_line("Loss", epochs, loss, COLORS["llm_chain"])]
    if any(one is not None for one in right):
        traces.append(_line("Held-out examples read right", epochs, right, COLORS["router"], dash="dash", yaxis="y2"))
    summary = "Nothing is trained yet."
    if points:
        last = points[-1]
        known = "" if last["validation"] is None else f", {percent(last['validation'])} of held-out examples read right"
        summary = f"After {last['epoch']:.0f} epochs of training {last['part']}: loss {last['loss']:.3f}{known}."
    layout = LEGEND | {
        "xaxis": axis(title={"text": "Epochs"}, rangemode="tozero"),
        "yaxis": axis(title={"text": "Loss"}, rangemode="tozero"),
        "yaxis2": axis(overlaying="y", side="right", range=[0, 1.03], dtick=0.5, tickformat=".0%", showgrid=False),
    }
    return figure(traces, layout, summary)


def calibration(bins: Points) -> Figure:
    """By bins of the confidence, the share of calls that were right: on the diagonal it can be believed."""
    sizes = [8 + 18 * (one["n"] / max(other["n"] for other in bins)) ** 0.5 for one in bins]
    traces = [
        _line("believable", [0, 1], [0, 1], "#8b8f98", dash="dot") | {"hoverinfo": "skip"},
        {
            "type": "scatter",
            "mode": "markers+lines",
            "x": [one["confidence"] for one in bins],
            "y": [one["right"] for one in bins],
            "marker": {"size": sizes, "color": COLORS["router"]},
            "line": {"color": COLORS["router"], "width": 1.5},
            "text": [f"{percent(one['right'])} of {one['n']} right" for one in bins],
            "hoverinfo": "text",
        },
    ]
    told = "; ".join(f"{percent(one['confidence'])} sure: {percent(one['right'])} of {one['n']} right" for one in bins)
    layout = {"xaxis": _share("How sure it was"), "yaxis": _share("How often it was right")}
    return figure(traces, layout, f"Calls by how sure the router was. {told}.")


def trade(curve: Points, chosen: Mapping[str, Any]) -> Figure:
    """Over each threshold, how many questions the router would serve by itself and how many of its calls are right."""
    coverage = [point["coverage"] for point in curve]
    traces = [
        _line("Right", coverage, [point["precision"] for point in curve], COLORS["router"]),
        _line(
            "At least, with 95 % confidence", coverage, [p["lower_bound"] for p in curve], COLORS["gatekeeper"], "dash"
        ),
        _line("Asked for", [0, 1], [chosen["target"]] * 2, COLORS["llm_chain"], "dot"),
    ]
    summary = f"Asked for: {percent(chosen['target'])} right. No threshold proves it on these examples."
    if chosen["threshold"] is not None:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "The threshold",
                "x": [chosen["coverage"]],
                "y": [chosen["precision"]],
                "marker": {"size": 13, "color": COLORS["router"], "line": {"width": 2, "color": "#ffffff"}},
            }
        )
        summary = (
            f"Asked for: {percent(chosen['target'])} right. The threshold serves {percent(chosen['coverage'])} of "
            f"questions, {percent(chosen['precision'])} of them right."
        )
    layout = LEGEND | {"xaxis": _share("Calls it makes by itself"), "yaxis": _share("")}
    return figure(traces, layout, summary)


def _share(title: str) -> dict[str, Any]:
    return axis(title={"text": title}, range=[-0.02, 1.05], tickformat=".0%", dtick=0.25)


def _line(
    name: str, x: Sequence[Any], y: Sequence[Any], color: str, dash: str = "solid", **more: Any
) -> dict[str, Any]:
    line = {"color": color, "dash": dash, "width": 2.5}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line} | more
