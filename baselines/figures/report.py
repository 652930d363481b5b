"""The report: one HTML file with the panel, Plotly and the page's own scripts inside. It opens offline.

Leaves out what the figures say (``panel``) and how they are shown (``assets/evaluate.js``, the same as in the page).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from plotly.offline import get_plotlyjs

from baselines.evaluate.runs import Row
from baselines.evaluate.statistics import StatisticsConfig
from baselines.figures.panel import panel

ASSETS = Path(__file__).resolve().parents[2] / "assets"
SCRIPTS = ("page.js", "charts.js", "evaluate.js")
STYLES = ("style.css", "evaluate.css")
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:">
<title>Switchyard: evaluation report</title>
<style>{styles}</style>
</head>
<body class="ev-report">
<script>document.body.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);</script>
<main id="report">{template}</main>
<script type="application/json" id="panel">{panel}</script>
<script>{plotly}</script>
{scripts}
<script>
Switchyard.evaluation(document.getElementById("report"));
Switchyard.evaluated(JSON.parse(document.getElementById("panel").textContent));
</script>
</body>
</html>
"""


def render(
    rows: Sequence[Row],
    config: StatisticsConfig = StatisticsConfig(),
    one_off_usd: float = 0.0,
    problems: Sequence[str] = (),
) -> str:
    """The report of ``rows``. ``problems``: what was left out when they were read; the report says so."""
    shown = panel(rows, config, one_off_usd) | {"problems": list(problems)}
    data = json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c")
    parts = {
        "styles": "\n".join(_text(name) for name in STYLES),
        "template": _text("evaluation.html"),
        "plotly": get_plotlyjs(),
        "scripts": "\n".join(f"<script>{_text(name)}</script>" for name in SCRIPTS),
        "panel": data,
    }
    head, *rest = PAGE.split("{")
    return head + "".join(_fill(piece, parts) for piece in rest)


def _fill(piece: str, parts: dict[str, str]) -> str:
    """``name}text`` with the part of that name in its place; other braces stay."""
    name, closed, text = piece.partition("}")
    return parts[name] + text if closed and name in parts else "{" + piece


def _text(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
