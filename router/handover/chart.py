"""The curve of a replay as one HTML file: SVG and a table, without a script, so that it opens anywhere and offline.

Leaves out how the figures come about (``replay``).
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 560, 320, 48, 34, 14, 40
STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5c6675; --line: #d5dae1; --handled: #1f6feb; --agree: #1a7f37;
  --peer: #8a6d3b; --ground: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --dim: #9aa4b2; --line: #3a424e; --handled: #6aa5ff;
  --agree: #56d364; --peer: #d2b074; --ground: #14181f } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 1180px;
  margin: 1.5rem auto; padding: 0 1rem }
.charts { display: flex; flex-wrap: wrap; gap: 1rem } svg { max-width: 100%; height: auto; flex: 1 1 340px }
svg text { fill: var(--dim); font-size: 12px } svg .title { fill: var(--ink); font-size: 15px; font-weight: 600 }
svg .grid { stroke: var(--line) } svg .target { stroke: var(--dim); stroke-dasharray: 2 4 }
svg polyline { fill: none; stroke-width: 2.5 } .handled { stroke: var(--handled); color: var(--handled) }
.agree { stroke: var(--agree); color: var(--agree); stroke-dasharray: 7 4 }
.peer { stroke: var(--peer); color: var(--peer); stroke-width: 1.5 } circle { fill: currentColor; stroke: none }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-top: 1rem;
  font-size: 13px }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th { color: var(--dim); font-weight: 600 } .key span { margin-right: 1.2rem; stroke: none }
"""
TITLES = {"tool": "The tool alone", "call": "Whole calls: tool and every argument"}


def page(points: Sequence[Mapping[str, Any]], headers: Sequence[str], rows: Sequence[Sequence[str]], about: str) -> str:
    """The HTML of ``points``, those of a replay as JSON, with a table under ``headers``. ``about``: what was played
    back, and the target as ``points``' ``target`` has it."""
    charts = "".join(_chart(scope, points) for scope in TITLES)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in headers)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Switchyard: hand-over, replayed</title><style>{STYLE}</style></head><body>
<h1>Hand-over, replayed</h1><p>{html.escape(about)}</p>
<p class="key"><span class="handled">● handled by the router</span><span class="agree">● agreement on these</span>
<span class="peer">● handled by the best peer that agrees as asked</span> <span>┄ the target</span></p>
<div class="charts">{charts}</div>
<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></body></html>
"""


def _chart(scope: str, points: Sequence[Mapping[str, Any]]) -> str:
    places = [_x(i, len(points)) for i in range(len(points))]
    parts = [f'<text class="title" x="{LEFT}" y="18">{TITLES[scope]}</text>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _y(share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    for x, point in zip(places, points):
        parts.append(f'<text x="{x}" y="{HEIGHT - 20}" text-anchor="middle">{point["seen"]:,}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 4}" text-anchor="middle">requests seen</text>')
    if points:
        y = _y(points[0]["target"])
        parts.append(f'<line class="target" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
    peers = [_best_peer(scope, point) for point in points]
    for kind, what, values in (
        ("peer", "handled by the best peer", peers),
        ("agree", "agreement", [point[f"{scope}_agreement"] for point in points]),
        ("handled", "handled", [point[f"{scope}_coverage"] for point in points]),
    ):
        parts.append(_line(kind, what, places, values, points))
    label = html.escape(f"{TITLES[scope]}: share handled and agreement by requests seen; the table has the figures")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _best_peer(scope: str, point: Mapping[str, Any]) -> float | None:
    """The most that a peer handles of those whose agreement there is the target."""
    agreeing = [
        figures[f"{scope}_coverage"]
        for figures in point["peers"].values()
        if figures[f"{scope}_agreement"] is not None and figures[f"{scope}_agreement"] >= point["target"]
    ]
    return max(agreeing, default=0.0) if point["peers"] else None


def _line(
    kind: str, what: str, places: Sequence[float], values: Sequence[float | None], points: Sequence[Mapping[str, Any]]
) -> str:
    known = [(x, value, point["seen"]) for x, value, point in zip(places, values, points) if value is not None]
    path = " ".join(f"{x:.1f},{_y(value):.1f}" for x, value, _ in known)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{_y(value):.1f}" r="4"><title>{what}: {value:.1%} after {seen:,}</title></circle>'
        for x, value, seen in known
    )
    return f'<g class="{kind}"><polyline points="{path}"/>{dots}</g>'


def _x(i: int, n: int) -> float:
    """Checkpoints stand at equal distances: they are mostly doublings."""
    return LEFT + 24 + (WIDTH - LEFT - RIGHT - 48) * (i / (n - 1) if n > 1 else 0.5)


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)
