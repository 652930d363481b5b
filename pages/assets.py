"""Where the page's scripts and styles are, and how a component asks for them.

Everything below ``assets/`` is public, and so is the ``plotly.min.js`` that the plotly package ships: nothing comes
from another host.
"""

from __future__ import annotations

import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from pages.services import ASSETS

ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 44 44' fill='none' stroke-width='5' stroke-linecap='round'>"
    "<path d='M3 36H14C24 36 22 8 32 8H41' stroke='#dd5a45'/><path d='M3 36H16C26 36 24 22 33 22H41' stroke='#d99a1c'/>"
    "<path d='M3 36H41' stroke='#119a86'/></svg>"
)
"""The header's rails, for the browser's tab."""
SCRIPTS = tuple(f"{name}.js" for name in "gatekeeper page tabs keep charts cards board settings composer".split())


@cache
def plotly_script() -> Path:
    """The ``plotly.min.js`` inside the plotly package, found without importing it."""
    spec = find_spec("plotly")
    if spec is None or not spec.origin:
        raise ModuleNotFoundError("The package plotly is missing: it holds plotly.min.js. Run: pip install plotly")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


def address(file: Path) -> str:
    """A public file's address, relative to the page: it survives a reverse proxy's prefix."""
    return "gradio_api/file=" + quote(str(file))


def head() -> str:
    """The ``head=`` of every ``gr.HTML`` that uses our scripts; Gradio loads each file once and waits for it.

    Scripts then offer ``Gatekeeper.shared()``, ``Switchyard.draw(element, figure)`` and the parts of the live page.
    """
    scripts = "".join(f'<script src="{address(ASSETS / name)}"></script>' for name in SCRIPTS)
    return f'<script>window.SwitchyardPlotly = "{address(plotly_script())}";</script>{scripts}'


def tab_head(tab: str, *more: str) -> str:
    """``head`` with the style and the script that ``tab`` has of its own, and ``more`` scripts after these."""
    scripts = "".join(f'<script src="{address(ASSETS / name)}.js"></script>' for name in (tab, *more))
    return f'{head()}<link rel="stylesheet" href="{address(ASSETS / tab)}.css">{scripts}'


def mailbox(hear: str, tab: str) -> gr.HTML:
    """An invisible component that hands its messages to the page by the script ``hear``: one for each event that may come
    while another is under way, because of two values at once a component shows the last only."""
    return gr.HTML(
        value={"phase": "none"},
        html_template="<div></div>",
        js_on_load=hear,
        head=tab_head(tab),
        apply_default_css=False,
        elem_classes="sy-mailbox",
    )


def message(phase: str, **more: Any) -> dict[str, Any]:
    """One message to the page; stamped, because a component does not show the same value twice."""
    return {"phase": phase, "at": time.time(), **more}


def style() -> str:
    """The page's own head: the stylesheet, there before anything is painted, the tab's icon and what the page is."""
    icon = "data:image/svg+xml," + quote(ICON)
    return (
        f'<link rel="stylesheet" href="{address(ASSETS / "style.css")}"><link rel="icon" href="{icon}">'
        '<meta name="description" content="One question, three ways to answer it: what it costs when the language '
        'model chooses its tools, and what it costs when a small local network does.">'
    )


def template(name: str) -> str:
    """A static template from ``assets/``. Raises ValueError where Gradio would read code in it."""
    text = (ASSETS / name).read_text(encoding="utf-8")
    for code in ("`", "${", "{{", "\\"):
        if code in text:
            raise ValueError(f"assets/{name} contains {code!r}, which Gradio would evaluate. Keep templates static.")
    return text


def publish() -> None:
    """Let Gradio serve what the page loads, and nothing else."""
    gr.set_static_paths([ASSETS, plotly_script()])
