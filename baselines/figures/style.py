"""Palette and layout that every figure shares, live and in reports.

A figure is a dict ``{"data": [...], "layout": {...}, "summary": str}``: Plotly's JSON, and its values in one sentence
for those who cannot see it. Text and grid colours are left to whoever draws it, because the page switches between light and
dark without asking again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Figure = dict[str, Any]

COLORS = {
    "llm_chain": "#dd5a45",
    "tool_calling": "#d99a1c",
    "router": "#119a86",
    "gatekeeper": "#7b6cf0",
}
"""One colour a path. They differ in lightness and in hue, so that they stay apart for colour-blind readers too."""

PALE = {
    "llm_chain": "rgba(221,90,69,.38)",
    "tool_calling": "rgba(217,154,28,.38)",
    "router": "rgba(17,154,134,.38)",
    "gatekeeper": "rgba(123,108,240,.38)",
}
"""The second shade of each: input beside output tokens, waiting beside working."""

NAMES = {"llm_chain": "LLM chain", "tool_calling": "Tool calling", "router": "Router", "gatekeeper": "Your browser"}

DASHES = {"llm_chain": "dot", "tool_calling": "dash", "router": "solid", "gatekeeper": "dashdot"}
SYMBOLS = {"llm_chain": "square", "tool_calling": "diamond", "router": "circle", "gatekeeper": "star"}


def name(path: str) -> str:
    """A path's name on screen; the path's own name where it has none."""
    return NAMES.get(path, path)


def figure(data: list[dict[str, Any]], layout: Mapping[str, Any], summary: str) -> Figure:
    """Traces and layout on the shared ground: no title (the page has headings), no legend unless asked for."""
    base = {
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "bargap": 0.32,
        "hovermode": "closest",
        "dragmode": False,
    }
    return {"data": data, "layout": base | dict(layout), "summary": summary}


def axis(**settings: Any) -> dict[str, Any]:
    """An axis that makes room for its own labels and cannot be zoomed away by a thumb."""
    return {"automargin": True, "zeroline": False, "fixedrange": True} | settings


def seconds(value: float) -> str:
    """A duration for a person: ``310 µs``, ``12 ms``, ``0.84 s``, ``12.4 s``."""
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    if value < 0.1:
        return f"{value * 1e3:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def money(dollars: float) -> str:
    """Dollars with two significant digits below one, so that a single question's price can be read."""
    if dollars == 0:
        return "$0"
    if dollars >= 100:
        return f"${dollars:,.0f}"
    if dollars >= 1:
        return f"${dollars:.2f}"
    digits = max(2, -exponent(dollars) + 1)
    return f"${dollars:.{digits}f}"


def exponent(value: float) -> int:
    """The power of ten of a positive number: 0.00034 → -4."""
    return int(f"{value:e}".split("e")[1])


def count(value: float) -> str:
    """A whole number with thousands separators."""
    return f"{value:,.0f}"


def listing(parts: Iterable[str]) -> str:
    """Words in a row: ``a, b and c``."""
    parts = list(parts)
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
