"""What the pages need from the rooms below, gathered in one value, so that a test can drive them with a scripted race.

Leaves out Gradio: nothing here draws anything.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.tools import Tool
from router.types import TraceEvent, Usage

if TYPE_CHECKING:
    from router.network import Router
    from router.plans import Decides
    from router.serve.endpoint import Endpoint

PRICED_AS = (
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-5",
    "gpt-5-mini",
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
    "claude-opus-4-5",
    "gemini/gemini-2.5-flash",
    "gemini/gemini-2.5-pro",
)
"""Models that costs can be priced as, where the price table knows them."""

PATHS = {"llm_chain": "LLM chain", "tool_calling": "Tool calling", "router": "Router"}
"""The paths of the race, in the order in which the page shows them, with their names on screen."""

STAND_IN = (
    "It makes the race run on any machine without a key; its answers are simple and sometimes wrong. A capable model "
    "(see the settings) makes the comparison fair."
)
"""Why the page starts with so small a model."""

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"


@dataclass(frozen=True)
class Limits:
    """What a visitor may ask of this server. None is no limit.

    ``public``: strangers see the page, so they get its default model, or a provider's with a key of their own: neither
    this machine's files nor the keys in its environment.
    """

    question_chars: int = 2_000
    questions_per_session: int | None = None
    questions_per_hour: int | None = None
    dollars_per_session: float | None = None
    dollars_per_hour: float | None = None
    timeout_s: float = 180.0
    public: bool = False


@dataclass(frozen=True)
class RaceOptions:
    """How one question is raced.

    ``sequential``: one path after another; ``direct``: a tool's full sentence is the answer; ``previous_turn``: what
    the assistant said before, which a lesson is checked against.
    """

    paths: tuple[str, ...] = tuple(PATHS)
    sequential: bool = True
    direct: bool = False
    timeout_s: float = 180.0
    stop: threading.Event = field(default_factory=threading.Event)
    previous_turn: str | None = None


@dataclass(frozen=True)
class Services:
    """Everything a page calls. ``lm`` values are opaque to the pages: they come from ``make_lm`` and go to ``race``.

    race        (question, lm, options) -> events of all paths as they happen; every path ends in one answer | error
    make_lm     (spec, api_key | None) -> lm; raises ValueError with a sentence for the visitor
    ready       lm -> None, once a local model has read what every path always sends
    is_local    lm -> whether it runs on this machine (then concurrent paths disturb each other's timing)
    explain     question -> router.network.explain.Explanation; None where the router has learned none of the tools
    plan        question -> what the router's path would call, without asking an LM, as the row of router.plans.row
    online      whether the tools may use the internet
    model_note  what the default model is, for the page's small print: a claim, and figures for it
    on_tools    (router, tools) -> race, explain and plan for them, with router and tools, to replace those here
    projects    the folder in which visitors' own tools are kept; None for one of this user in the temporary folder
    train       the command that trains a router for them, given a project's folder, --target and maybe --seconds
    stream      the requests that the Hand-over tab plays, a JSONL file
    watch       the command that plays them and tells what becomes of them, given the file, --target and --pace
    journal     file or database of the page's own traffic, or of an endpoint's; "" for a file that goes with the page
    endpoint    takes agents' requests at /v1 of this page; None on public pages, and where it has no upstream
    price       (usage, model, cached) -> dollars for the o200k counts of ``usage``, None where no price is known
    """

    router: Router
    tools: Mapping[str, Tool]
    default_lm: str
    make_lm: Callable[[str, str | None], Any]
    is_local: Callable[[Any], bool]
    ready: Callable[[Any], None]
    race: Callable[[str, Any, RaceOptions], Iterator[TraceEvent]]
    explain: Callable[[str], Any]
    plan: Callable[[str], dict[str, Any]]
    price: Callable[[Usage, str, bool], float | None]
    priced_as: tuple[str, ...]
    on_tools: Callable[[Decides, Mapping[str, Tool]], dict[str, Any]]
    limits: Limits = Limits()
    endpoint: Endpoint | None = None
    online: bool = False
    model_note: tuple[str, str] = ("The embedded model is a 135M stand-in.", STAND_IN)
    projects: Path | None = None
    train: tuple[str, ...] = (sys.executable, "-m", "router.workbench")
    stream: Path = ASSETS / "stream.jsonl"
    watch: tuple[str, ...] = (sys.executable, "-m", "router.handover.watch")
    journal: str = ""


@dataclass(frozen=True)
class Options:
    """What the command line chose. ``knowledge`` and ``router`` None are the ones that ship; ``journal`` "" goes with the
    page. ``upstream``: base URL of the LLM behind the page's endpoint, None for the model itself where it runs here."""

    lm: str = "embedded"
    online: bool = False
    knowledge: Path | None = None
    router: Path | None = None
    journal: str = ""
    upstream: str | None = None
