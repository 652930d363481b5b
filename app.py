"""The page: builds it, reads the flags, launches. ``python app.py --help``."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported: no request to anyone

import gradio as gr

from pages import api, frame, live
from pages.door import Door, missing_key
from pages.journals import Journals
from pages.services import Limits, Options, Services
from pages.workbench_projects import Projects
from router.tools import sentence

LOCAL = ("127.0.0.1", "localhost", "::1")
MAX_PORT = 65_535
VISITS_AN_HOUR = 20
"""A demo's limits an hour, in whole visits, where its owner names none."""


def build_page(services: Services) -> gr.Blocks:
    """The whole page on ``services``, ready to launch."""
    door, projects, journals = Door(services), Projects(services), Journals(services)
    with gr.Blocks(title="Switchyard", analytics_enabled=False) as page:
        frame.header()
        with gr.Tabs(elem_classes="sy-tabs"):
            with gr.Tab("Race", id="race"):
                live.build(services, door, projects, journals.note)
            for label, build in frame.more_tabs(door, projects, journals):
                with gr.Tab(label, id=frame.tab_id(label)):
                    build(services)
        api.build(services, door)
    return page


def flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="app.py", description="Race three ways to answer a question, in your browser."
    )
    parser.add_argument(
        "--lm", default="embedded", help="language model: embedded, FILE.gguf, hf:REPO/FILE.gguf or provider/model"
    )
    parser.add_argument(
        "--port",
        type=port,
        default=os.environ.get("PORT"),
        help="port (default: $PORT, or the first free one from 7860)",
    )
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1; 0.0.0.0 in a Space)")
    parser.add_argument(
        "--share", action="store_true", help="also give a public gradio.live address (needs the internet)"
    )
    parser.add_argument(
        "--demo-limit",
        metavar="VISIT[/HOUR]",
        type=demo_limit,
        default=(None, None),
        help="for a public page: questions per visitor, and per hour from all visitors, e.g. 20/200 "
        f"(default for HOUR: {VISITS_AN_HOUR} times VISIT)",
    )
    parser.add_argument(
        "--demo-budget",
        metavar="VISIT[/HOUR]",
        type=demo_budget,
        default=(None, None),
        help="for a public page on your key: dollars that a visitor's questions may cost, and those of all within an hour, "
        f"e.g. 0.05/2 (default for HOUR: {VISITS_AN_HOUR} times VISIT)",
    )
    parser.add_argument(
        "--upstream",
        metavar="URL",
        help="base URL of your agents' LLM, such as https://api.openai.com/v1, for the tab Connect (default: the model "
        "here, where it runs on this machine)",
    )
    parser.add_argument("--online", action="store_true", help="let the tools use the internet: weather and Wikipedia")
    parser.add_argument("--knowledge", type=Path, metavar="DIR", help="search this folder of text and Markdown instead")
    parser.add_argument(
        "--router", type=Path, metavar="DIR", help="a router saved by save_pretrained (default: the one that ships)"
    )
    parser.add_argument(
        "--journal", metavar="URL", default="", help="file or database where the Race's calls are noted, or an endpoint's "
        "whose traffic the tab Hand-over shows (default: a file that goes with the page)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def demo_limit(text: str) -> tuple[int, int]:
    """``20`` or ``20/200``: questions a visit, and an hour."""
    return _allowance(text, int, 1, "whole numbers from 1. Try 20 or 20/200.")


def demo_budget(text: str) -> tuple[float, float]:
    """``0.05`` or ``0.05/2``: dollars a visit, and an hour."""
    return _allowance(text, float, 0.001, "dollars from 0.001. Try 0.05 or 0.05/2.")


def _allowance(text: str, kind: Callable[[str], Any], least: float, remedy: str) -> tuple[Any, Any]:
    try:
        numbers = [kind(part) for part in text.split("/")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 2 or not all(least <= number < math.inf for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not VISIT or VISIT/HOUR with {remedy}")
    return numbers[0], numbers[1] if len(numbers) > 1 else VISITS_AN_HOUR * numbers[0]


def port(text: str) -> int:
    """A port to listen on, in decimal."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a whole number from 1 to {MAX_PORT}, such as 7860")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until it is interrupted. Returns the exit status: 0, or 2 where a flag was at fault."""
    chosen = flags(arguments)
    visit, hour = chosen.demo_limit
    dollars, dollars_an_hour = chosen.demo_budget
    named = ("lm", "online", "knowledge", "router", "journal", "upstream")
    options = Options(**{name: getattr(chosen, name) for name in named})
    from pages.wiring import load_services

    host = chosen.host or ("0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1")
    limits = Limits(
        questions_per_session=visit,
        questions_per_hour=hour,
        dollars_per_session=dollars,
        dollars_per_hour=dollars_an_hour,
        public=bool(chosen.share or visit or dollars or host not in LOCAL),
    )
    try:
        services = load_services(options, limits)
        for warning in services.router.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        if missing := missing_key(chosen.lm):
            print(
                f"warning: {chosen.lm} needs an API key and {missing} is not set. Set it, or each visitor must enter "
                "a key of their own.",
                file=sys.stderr,
            )
        if visit:
            print(f"Limits: {visit:,} questions a visit, {hour:,} an hour from all visitors.")
        if dollars:
            print(f"Budget: ${dollars:,.2f} a visit, ${dollars_an_hour:,.2f} an hour from all visitors.")
        page = build_page(services)
        frame.launch(page, services, host=host, port=chosen.port, share=chosen.share)
    except (ValueError, OSError) as fault:
        print(f"app.py: {sentence(fault)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
