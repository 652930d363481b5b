"""The page's services on the real rooms. Heavy imports wait for the first use, so that the page is up before them."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pages.services import PRICED_AS, STAND_IN, Limits, Options, RaceOptions, Services
from router.builtin import ToolConfig, default_tools
from router.calls.tagger import CallModel
from router.lms.metering import price
from router.lms.model_file import ADAPTER
from router.lms.specs import check_spec, runs_here
from router.network import DEFAULT_ROUTER, Router
from router.tools import Tool
from router.types import TraceEvent, Usage

if TYPE_CHECKING:
    from router.serve.endpoint import Endpoint


def load_services(options: Options, limits: Limits = Limits()) -> Services:
    """Load the router and the tools. Raises ValueError or OSError where an option names something unfit."""
    check_spec(options.lm)
    if limits.dollars_per_session is not None:
        check_priced(options.lm)
    router = Router.from_pretrained(options.router or DEFAULT_ROUTER)
    tools = default_tools(ToolConfig(knowledge=options.knowledge, online=options.online))
    return Services(
        **on_tools(router, tools),
        default_lm=options.lm,
        make_lm=make_lm,
        is_local=is_local,
        ready=partial(ready, router, tools),
        on_tools=on_tools,
        price=price,
        priced_as=tuple(model for model in PRICED_AS if price(Usage(1, 1, 1, 0, 1, 1), model) is not None),
        limits=limits,
        endpoint=None if limits.public else endpoint(options),
        online=options.online,
        model_note=model_note(options.lm),
        journal=options.journal,
    )


def on_tools(router: Router | CallModel, tools: Mapping[str, Tool]) -> dict[str, Any]:
    """What of the services depends on the router and the tools, by name."""
    base = router.router if isinstance(router, CallModel) else router
    knows = not tools.keys().isdisjoint(base.labels)
    return {
        "router": router,
        "tools": tools,
        "race": partial(race, router, tools),
        "explain": partial(explain, base) if knows else lambda question: None,
        "plan": partial(plan_row, router, tools),
    }


def check_priced(spec: str) -> None:
    """Raise ValueError where the dollars that ``spec`` costs cannot be counted."""
    if runs_here(spec):
        raise ValueError(f"--demo-budget bounds dollars, and {spec} runs on this machine for none. Use --demo-limit.")
    if price(Usage(1, 1, 1, 0, 1, 1), spec, own=True) is None:
        raise ValueError(f"--demo-budget cannot count what {spec} costs: no price is known for it. Use --demo-limit.")


def model_note(spec: str, adapter: Path = ADAPTER) -> tuple[str, str]:
    """What the default model is, and how its adapter did on held-out questions, from the record beside it."""
    if not spec.startswith("embedded"):
        return f"The model here is {spec}.", ""
    record = adapter.with_suffix(".json")
    if spec != "embedded" or not adapter.is_file() or not record.is_file():
        return "The embedded model, SmolLM2-135M, is a stand-in.", STAND_IN
    roles = json.loads(record.read_text(encoding="utf-8"))["held_out"]["roles"]
    shown = (("plan", "plans"), ("call", "tool calls"), ("write", "answers from a result"))
    shares = [f"{100 * roles[role]['right']:.0f} % of {what}" for role, what in shown if role in roles]
    trained = "It has an adapter trained for these tools on synthetic traces"
    right = f"; on questions kept back from training it gets {', '.join(shares)} right." if shares else "."
    return "The embedded model, SmolLM2-135M, is a stand-in.", f"{trained}{right} {STAND_IN}"


def endpoint(options: Options) -> Endpoint | None:
    """What takes agents' requests on this page: in shadow, with a journal that ends with the process; None where there is
    no upstream. Raises ValueError where the upstream is no base URL."""
    from router.serve.endpoint import Endpoint
    from router.serve.handing import HandingConfig, HandoverDecider
    from router.serve.local import LocalUpstream
    from router.serve.upstream import HttpUpstream

    if options.upstream is not None:
        upstream = HttpUpstream(options.upstream)
    elif options.lm.startswith("embedded") or options.lm.endswith(".gguf"):
        upstream = LocalUpstream(options.lm, partial(make_lm, options.lm, None))
    else:
        return None
    folder = Path(tempfile.mkdtemp(prefix="switchyard-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Endpoint(upstream, HandoverDecider(HandingConfig(str(folder / "calls.db"), folder / "models", shared=True)))


def make_lm(spec: str, api_key: str | None) -> Any:
    from router.lms import make_lm

    return make_lm(spec, api_key)


def is_local(lm: Any) -> bool:
    from router.lms import capabilities

    return capabilities(lm).local


def ready(router: Router, tools: Mapping[str, Tool], lm: Any) -> None:
    """Read what every path always sends into the prefix cache of a local model, and load what plans look things up in."""
    from baselines import race as room
    from router.plans import warm

    warm(router, tools)
    room.ready(lm, room.build_paths(room.PATHS, tools, router).values())


def race(
    router: Router | CallModel, tools: Mapping[str, Tool], question: str, lm: Any, options: RaceOptions
) -> Iterator[TraceEvent]:
    """Race ``question`` down the chosen paths."""
    from baselines import race as room

    paths = room.build_paths(options.paths, tools, router, options.direct)
    config = room.RaceConfig(options.sequential, options.timeout_s, options.stop, options.previous_turn)
    return room.race(question, lm, paths, config)


def explain(router: Router, question: str) -> Any:
    from router.network.explain import explain

    return explain(router, question)


def plan_row(router: Router | CallModel, tools: Mapping[str, Tool], question: str) -> dict[str, Any]:
    """The plan that the router's path makes for ``question``."""
    from router.plans import plan, row

    started = time.perf_counter()
    found = plan(question, router, tools)
    return row(question, found, time.perf_counter() - started)
