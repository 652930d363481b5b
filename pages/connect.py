"""The Connect tab: the base URL for an agent, in the code of four SDKs, and the requests that came, as they come.

On a page of one's own the endpoint is the page's (``router.serve``, at /v1); on a public one the tab says how to start it
elsewhere. Of a request it shows who acted and what was called, no text and no key. Leaves out the endpoint itself, and the
drawing (``assets/connect.js``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import gradio as gr

from pages import assets
from pages.services import Services
from router.serve.counting import Seen

TAB = "connect"
HEAR = "const hear = () => Switchyard.connectMessage(props.value); watch('value', hear); hear();"
COMMANDS = {
    "shadow": "python -m router serve --upstream {upstream} --journal calls.db",
    "live": "python -m router serve --upstream {upstream} --journal calls.db --mode live",
}
OPENAI = "https://api.openai.com/v1"
CODE = {
    "OpenAI": """from openai import OpenAI

client = OpenAI(base_url="{base}", api_key="{key}")
""",
    "Anthropic": """from anthropic import Anthropic

client = Anthropic(base_url="{root}", api_key="{key}")
""",
    "LangChain": """from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url="{base}", api_key="{key}", model="{model}")
""",
    "DSPy": """import dspy

dspy.configure(lm=dspy.LM("openai/{model}", api_base="{base}", api_key="{key}"))
""",
}
"""By SDK. "{base}" ends in /v1 and "{root}" does not, as each SDK has it."""


def build(services: Services) -> None:
    """The tab's components and events. Call it inside a ``gr.Blocks``."""
    log = Log(services)
    form = gr.HTML(
        value=page_of(services),
        html_template=assets.template("connect.html"),
        js_on_load="Switchyard.connect(element, (name, data) => trigger(name, data), props.value)"
        " /* trigger('requests') */",
        head=assets.tab_head(TAB),
        apply_default_css=False,
        elem_classes="sy-connect",
    )
    messages = assets.mailbox(HEAR, TAB)
    form.requests(log.told, None, messages, queue=False, show_progress="hidden", api_visibility="private")


def page_of(services: Services) -> dict[str, Any]:
    """What the tab says: ``here``, whether this page takes requests; whether a ``local`` model answers them; the code."""
    endpoint = services.endpoint
    upstream = getattr(endpoint.upstream, "address", None) if endpoint is not None else None
    local = endpoint is not None and upstream is None
    key, model = ("none", services.default_lm) if local else ("your key", "gpt-4o-mini")
    filled = {"upstream": upstream or OPENAI, "key": key, "model": model}
    return {
        "here": endpoint is not None,
        "public": services.limits.public,
        "local": services.default_lm if local else "",
        "upstream": upstream or "",
        "commands": {mode: _filled(text, filled) for mode, text in COMMANDS.items()},
        "code": {sdk: _filled(text, filled) for sdk, text in CODE.items()},
    }


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


class Log:
    """The tab's event, as Gradio calls it."""

    def __init__(self, services: Services) -> None:
        self.endpoint = services.endpoint

    def told(self) -> dict[str, Any]:
        """The latest requests, the newest first."""
        rows = [] if self.endpoint is None else [row_of(seen) for seen in self.endpoint.counts.recent()]
        return {"phase": "requests", "at": time.time(), "rows": rows}


def row_of(seen: Seen) -> dict[str, Any]:
    """What the page shows of one request: names of tools, no text, no key."""
    called = seen.router if seen.acted == "router" else seen.upstream
    return {
        "at": seen.at,
        "called": [call["tool"] for call in called] if called is not None else None,
        "router": [call["tool"] for call in seen.router],
        "acted": seen.acted,
        "outcome": seen.outcome,
        "confidence": seen.confidence,
        "agreed": seen.agreed,
        "seconds": seen.seconds,
        "tokens": seen.tokens,
        "reason": seen.reason if seen.outcome == "forwarded" else "",
    }
