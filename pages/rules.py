"""The Rules tab: what the browser has learned, who taught it, what it saved, and what was refused.

Leaves out everything but the component: rules live in the visitor's browser (``assets/gatekeeper.js``), the tab is
drawn there (``assets/rules.js``), and nothing of it reaches Python.
"""

from __future__ import annotations

import gradio as gr

from pages import assets
from pages.services import Services


def build(services: Services) -> None:
    """The tab's one component. Call it inside a ``gr.Blocks``."""
    gr.HTML(
        html_template=assets.template("rules.html"),
        js_on_load="Switchyard.rules(element)",
        head=assets.tab_head("rules"),
        apply_default_css=False,
        elem_classes="sy-rules",
    )
