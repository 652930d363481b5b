"""What the tab "Your tools" draws: how a training goes, and whether the router's confidence can be believed.

Takes what ``router.workbench`` tells. Leaves out the confusion matrix, which is a table.
"""

from __future__ import annotations

from collections.abc import Sequence

from baselines.figures.evaluation import LEGEND
from baselines.figures.style import COLORS, Figure, axis, figure


def training_curve(points: Sequence[Sequence[float | None]]) -> Figure:
    """Loss of training and validation by epoch; ``points`` are (epoch, loss, validation loss or None)."""
    epochs = [point[0] for point in points]
    kinds = (("Training", 1, COLORS["router"], "solid"), ("Validation", 2, COLORS["gatekeeper"], "dash"))
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(points) < 20 else "lines",
            "name": name,
            "x": epochs,
            "y": [point[column] for point in points],
            "line": {"color": color, "dash": dash, "width": 2.5},
        }
        for name, column, color, dash in kinds
        if any(point[column] is not None for point in points)
    ]
    summary = "Nothing is trained yet."
    if points:
        last = [f"{name.lower()} loss {points[-1][at]:.3f}" for name, at, _, _ in kinds if points[-1][at] is not None]
        summary = f"After {epochs[-1]} epochs: {', '.join(last)}."
    layout = LEGEND | {
        "xaxis": axis(title={"text": "Epoch"}, rangemode="tozero", dtick=None if len(points) > 9 else 1),
        "yaxis": axis(title={"text": "Loss"}, rangemode="tozero"),
    }
    return figure(traces, layout, summary)
