"""The Evaluate tab: a question set through the paths, its figures while it runs and after, the threshold, the report.

Leaves out the engine (``baselines.evaluate``) and the drawing (``assets/evaluate.js``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import gradio as gr

from baselines.evaluate.estimate import REMOTE_CALL_S, estimate, one_off
from baselines.evaluate.growth import cells, read_growth
from baselines.evaluate.provenance import provenance
from baselines.evaluate.questions import Question, parse_questions, read_questions
from baselines.evaluate.runs import ABSTAINED, Judgement, Row, RunConfig, parse_rows, read_rows, rows_text, run
from baselines.evaluate.statistics import StatisticsConfig
from baselines.figures import growth as draw_growth
from baselines.figures import panel as panels
from baselines.figures.report import render
from baselines.figures.style import money
from pages import assets
from pages.door import Door, visit_of
from pages.live import END, STILL_S, next_of, pump, scrub, scrub_event
from pages.services import ASSETS, PATHS, RaceOptions, Services
from router.lms.specs import provider_of, runs_here
from router.network import DEFAULT_ROUTER
from router.types import RunResult, TraceEvent

log = logging.getLogger(__name__)

BUNDLED = ASSETS / "questions.jsonl"
MEASURED = ASSETS / "results" / "race_embedded.jsonl"
GROWTH = ASSETS / "results" / "growth.jsonl"
DRAWS_PER_SECOND = 1.0
MOST_QUESTIONS = 10_000
MOST_REPEATS = 10
PRICED_AS = "gpt-4o"
TAB = "evaluate"
HEAR = "const hear = () => Switchyard.evaluateMessage(props.value); watch('value', hear); hear();"
"""Show a component's messages, the one included that came before its script was there: nothing else would show it."""


class Evaluation:
    """What a visitor's tab holds: the rows of the run that is shown, and how they are priced."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.config = StatisticsConfig()
        self.spent_once = 0.0
        self.problems: list[str] = []

    def panel(self) -> dict[str, Any]:
        return panels.panel(self.rows, self.config, self.spent_once)

    def price(self, services: Services, data: Mapping[str, Any]) -> None:
        """Take the prices that the form says. Raises ValueError."""
        self.config = pricing(services, str(data.get("priced_as") or ""), bool(data.get("cached")))
        self.spent_once = _dollars(data.get("spent_once"))


@dataclass(frozen=True)
class Order:
    """What the visitor asked for, checked."""

    questions: list[Question]
    problems: list[str]
    notes: list[str]
    paths: tuple[str, ...]
    lm: str
    key: str | None = field(repr=False)
    repeats: int
    branches: bool
    judge: str
    priced_as: str
    cached: bool


@dataclass(frozen=True)
class Models:
    """What a run asks: the model of the paths, and the judge of answers without a reference."""

    lm: Any
    judge: Callable[[RunResult], Judgement] | None


@dataclass
class Account:
    """Who runs, and what ends the run: the visitor's stop, or a spent budget, said in ``spent``."""

    door: Door
    visitor: str
    stop: threading.Event
    spent: str = ""

    def allows(self) -> bool:
        """Whether one more question may be asked on the owner's account; if not, the run is ended."""
        try:
            self.door.check_budget(self.visitor)
        except ValueError as fault:
            self.spent = str(fault)
            self.stop.set()
        return not self.spent


def build(services: Services, door: Door) -> None:
    """The tab's components and events. Call it inside a ``gr.Blocks``."""
    held = gr.State(Evaluation())
    page = {
        "lm": services.default_lm,
        "paths": PATHS,
        "priced_as": list(services.priced_as),
        "priced": PRICED_AS if PRICED_AS in services.priced_as else "",
        "spent_once": round(one_off(DEFAULT_ROUTER).usd, 4),
        "most": services.limits.questions_per_session,
    }
    form = gr.HTML(
        value=page,
        html_template=assets.template("evaluate.html"),
        js_on_load="Switchyard.evaluate(element, (name, data) => trigger(name, data), props.value)"
        " /* trigger('greet') trigger('estimate') trigger('start') trigger('halt')"
        " trigger('open') trigger('reprice') trigger('save') */",
        head=assets.tab_head(TAB),
        apply_default_css=False,
        elem_classes="sy-evaluate",
    )
    view = gr.HTML(
        value={"phase": "idle"},
        html_template=assets.template("evaluation.html"),
        js_on_load="Switchyard.evaluation(element);" + HEAR,
        head=assets.tab_head(TAB),
        apply_default_css=False,
        elem_classes="sy-evaluation",
    )
    tab = Evaluate(services, door)
    # "multiple": a click is never dropped because the event before has not quite ended; the page asks one at a time.
    quiet = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
    form.start(tab.start, held, view, concurrency_limit=2, **quiet)
    form.greet(tab.greet, None, assets.mailbox(HEAR, TAB), **quiet)
    form.halt(tab.halt, None, None, queue=False, **quiet)
    form.estimate(tab.foresee, None, assets.mailbox(HEAR, TAB), **quiet)
    form.open(tab.open_saved, held, assets.mailbox(HEAR, TAB), **quiet)
    form.reprice(tab.reprice, held, assets.mailbox(HEAR, TAB), **quiet)
    form.save(tab.save, held, assets.mailbox(HEAR, TAB), **quiet)


class Evaluate:
    """The tab's events, as Gradio calls them: with what the visitor's tab holds and what the browser sent."""

    def __init__(self, services: Services, door: Door) -> None:
        self.services = services
        self.door = door
        self.stops: dict[str, threading.Event] = {}

    def greet(self) -> Iterator[dict[str, Any]]:
        """What is shown before anything was run; made when the tab is first opened, the quicker part first."""
        yield {"phase": "idle", "panel": bundled_growth()}
        yield {"phase": "idle", "panel": bundled_growth() | bundled_panel()}

    def start(self, held: Evaluation, event: gr.EventData) -> Iterator[dict[str, Any]]:
        """Run the set and yield the figures as they change. What was finished when it is stopped stays."""
        data = event._data or {}
        run_id = str(data.get("run") or "")[:64]
        stop = self.stops[run_id] = threading.Event()
        key = None
        try:
            order = read_order(data, self.services)
            key = order.key
            held.price(self.services, data)
            visitor = visit_of(data)
            judge = judge_of(self.door, order, visitor)
            lm = self.door.open(order.lm, key, visitor, len(order.questions) * order.repeats)
            held.rows, held.problems = [], order.problems + order.notes
            yield from follow(Account(self.door, visitor, stop), held, order, Models(lm, judge))
        except (ValueError, OSError) as fault:
            yield refused(scrub(str(fault), key))
        except Exception:
            log.exception("The evaluation failed")
            yield refused("The run broke off because of a fault in this program; the server's log says more.")
        finally:
            stop.set()
            self.stops.pop(run_id, None)

    def halt(self, event: gr.EventData) -> None:
        """Ask a run to stop; what it finished stays."""
        stop = self.stops.get(str((event._data or {}).get("run") or ""))
        if stop is not None:
            stop.set()

    def foresee(self, event: gr.EventData) -> dict[str, Any]:
        """Calls, tokens, time and cost of the run that the form describes, and the rows that would be left out."""
        data = event._data or {}
        message = {"phase": "estimate", "asked": data.get("asked"), "items": [], "problems": [], "notes": []}
        try:
            order = read_order(data, self.services)
        except ValueError as fault:
            return message | {"basis": str(fault)}
        message |= {"problems": order.problems, "notes": order.notes}
        runs = {path: len(order.questions) * order.repeats for path in order.paths}
        if order.branches and "router" in runs:
            runs[ABSTAINED] = runs["router"]
        local = runs_here(order.lm)
        found = estimate(measured(), runs, local, pricing(self.services, order.priced_as, order.cached, order.lm).price)
        number = f"{len(order.questions)} question{'s' if len(order.questions) != 1 else ''}"
        branch = f", {runs[ABSTAINED]:,} for the other branch" if ABSTAINED in runs else ""
        if found is None:
            basis = f"{number}. There is no measured run to estimate from; the first rows will show the time left."
            return message | {"basis": basis}
        items = [
            ["Runs", f"{found.runs:,}", number + branch],
            ["LLM calls", f"{found.calls:,.0f}", ""],
            [
                "Tokens",
                f"{found.input_tokens + found.output_tokens:,.0f}",
                f"{found.output_tokens:,.0f} of them output",
            ],
            ["Time", f"{found.seconds:.0f} s" if found.seconds < 120 else f"{found.seconds / 60:,.0f} min", ""],
            ["Cost", "no known price" if found.cost_usd is None else money(found.cost_usd), order.priced_as],
        ]
        pace = "" if local else f"; time at an assumed {REMOTE_CALL_S:g} s a call"
        basis = (
            f"Estimate, scaled from the measured run on {found.measured_on} questions with the embedded model{pace}."
        )
        return message | {"items": items, "basis": basis}

    def open_saved(self, held: Evaluation, event: gr.EventData) -> dict[str, Any]:
        """Show a saved run again: no model, no key, no call."""
        data = event._data or {}
        file = data.get("file") or {}
        rows, problems = parse_rows(str(file.get("text") or "").split("\n"))
        if not rows:
            first = f" {problems[0]}" if problems else ""
            return refused(f"{str(file.get('name'))[:80]} holds no runs.{first} Choose a file of rows from a run.")
        try:
            held.price(self.services, data)
        except ValueError as fault:
            return refused(str(fault))
        held.rows, held.problems = rows, problems
        return {"phase": "done", "panel": held.panel(), "at": time.time()}

    def reprice(self, held: Evaluation, event: gr.EventData) -> dict[str, Any]:
        """The same rows at other prices: the visitor's, or those of the run that ships."""
        try:
            held.price(self.services, event._data or {})
        except ValueError as fault:
            return refused(str(fault))
        rows = held.rows or measured()
        shown = panels.panel(rows, held.config, held.spent_once) | {"shipped": not held.rows} if rows else None
        return {"phase": "done", "panel": shown, "at": time.time()}

    def save(self, held: Evaluation, event: gr.EventData) -> dict[str, Any]:
        """The report or the rows, as a file."""
        rows = held.rows or measured()
        if (event._data or {}).get("kind") == "rows":
            file = {"name": "switchyard-runs.jsonl", "type": "application/jsonl", "text": rows_text(rows)}
        else:
            config = held.config if held.rows else pricing(self.services, PRICED_AS, False)
            file = {
                "name": "switchyard-report.html",
                "type": "text/html",
                "text": render(rows, config, held.spent_once, held.problems),
            }
        return {"phase": "file", "file": file, "at": time.time()}


def refused(message: str) -> dict[str, Any]:
    """One clear sentence; stamped, because a component does not show the same value twice."""
    return {"phase": "refused", "message": message, "at": time.time()}


def follow(account: Account, held: Evaluation, order: Order, models: Models) -> Iterator[dict[str, Any]]:
    """The run's messages: figures at most once a second, the whole panel at the end.

    Raises what the run raises.
    """
    services, stop, owners = account.door.services, account.stop, on_owners_account(order)
    sequential = services.is_local(models.lm)
    options = RaceOptions(sequential=sequential, timeout_s=services.limits.timeout_s, stop=stop)

    def race(question: str, names: Sequence[str]) -> Iterator[TraceEvent]:
        if owners and not account.allows():
            return iter(())
        events = services.race(question, models.lm, replace(options, paths=tuple(names)))
        events = account.door.charged(events, account.visitor, order.key)
        return (scrub_event(e, order.key) for e in events) if order.key else events

    meta = provenance(
        lm=order.lm,
        threshold=services.router.threshold,
        tools=sorted(services.tools),
        mode="one path after another" if sequential else "all paths at once",
        seed=held.config.seed,
    )
    config = RunConfig(order.paths, None, order.repeats, order.branches, models.judge, meta, stop)
    total = len(order.questions) * len(order.paths) * order.repeats
    began = drawn = time.perf_counter()
    done = 0
    progress: dict[str, Any] = {"done": 0, "total": total, "left": None}
    yield {"phase": "running", "progress": progress, "panel": None}
    inbox = pump(run(order.questions, race, config))
    while (row := next_of(inbox, STILL_S)) is not END:
        if isinstance(row, Exception):
            raise row
        if row is None:
            yield {"phase": "running", "progress": progress, "panel": None}
            continue
        held.rows.append(row)
        done += "/" not in row.path
        now = time.perf_counter()
        if now - drawn >= 1 / DRAWS_PER_SECOND:
            drawn = now
            left = (now - began) / done * (total - done) if done else None
            progress = {"done": done, "total": total, "left": left}
            yield {"phase": "running", "progress": progress, "panel": panels.live(held.rows, held.config)}
    progress = {"done": done, "total": total, "left": 0.0}
    yield {
        "phase": "done",
        "stopped": done < total,
        "reason": account.spent,
        "progress": progress,
        "panel": held.panel(),
    }


def read_order(data: Mapping[str, Any], services: Services) -> Order:
    """The form's fields. Raises ValueError with the value, the limit and the remedy."""
    most = services.limits.questions_per_session or MOST_QUESTIONS
    limit = _whole(data.get("limit"), "Only the first", most)
    if data.get("own"):
        file = data.get("file") or {}
        read = parse_questions(str(file.get("text") or ""), str(file.get("name") or "file"), tuple(services.tools))
    else:
        read = read_questions(BUNDLED, tuple(services.tools))
    if not read.questions:
        first = f" ({read.problems[0]})" if read.problems else ""
        raise ValueError(
            f"The file holds no question that can be run{first}. Put one JSON object with a question on each line."
        )
    paths = tuple(p for p in PATHS if p in (data.get("paths") or ()))
    if not paths:
        raise ValueError(f"No path is chosen. Choose at least one of {', '.join(PATHS.values())}.")
    return Order(
        questions=read.questions[:limit],
        problems=read.problems,
        notes=read.notes,
        paths=paths,
        lm=str(data.get("lm") or "").strip() or services.default_lm,
        key=str(data.get("key") or "").strip() or None,
        repeats=_whole(data.get("repeats"), "Times each", MOST_REPEATS),
        branches=bool(data.get("branches")) and "router" in paths,
        judge=str(data.get("judge") or "").strip(),
        priced_as=str(data.get("priced_as") or ""),
        cached=bool(data.get("cached")),
    )


def pricing(services: Services, priced_as: str, cached: bool, lm: str = "") -> StatisticsConfig:
    """Prices as a chosen model's, else the model's own bill. ``lm``: price runs not made yet by that model's list."""
    model = priced_as if priced_as in services.priced_as else lm
    if not model:
        return StatisticsConfig()
    return StatisticsConfig(
        price=lambda usage: services.price(usage, model, cached),
        priced_as=model + (", cached-input prices" if cached else ""),
    )


def judge_key(order: Order) -> str | None:
    """The key that the judge gets: the visitor's, where it is for the judge's provider."""
    return order.key if runs_here(order.lm) or provider_of(order.judge) == provider_of(order.lm) else None


def on_owners_account(order: Order) -> bool:
    """Whether a call of the run may cost the page's owner something."""
    asked = ((order.lm, order.key), (order.judge, judge_key(order)))
    return any(spec and not key and not runs_here(spec) for spec, key in asked)


def judge_of(door: Door, order: Order, visitor: str) -> Callable[[RunResult], Judgement] | None:
    """The judge that the form names."""
    if not order.judge:
        return None
    from baselines.evaluate.judge import make_judge

    key = judge_key(order)
    judge = make_judge(door.open(order.judge, key, visitor, questions=0), order.judge)

    def charged(result: RunResult) -> Judgement:
        verdict = judge(result)
        door.charge(visitor, key, verdict.usage.cost_usd)
        return verdict

    return charged


@cache
def measured() -> tuple[Row, ...]:
    """The rows of the run that ships, to estimate from and to show before anything was run."""
    return tuple(read_rows(MEASURED)[0]) if MEASURED.is_file() else ()


@cache
def bundled_panel() -> dict[str, Any]:
    """The run that ships, where there is one."""
    from router.lms.metering import price

    if not measured():
        return {}
    config = StatisticsConfig(price=lambda usage: price(usage, PRICED_AS, False), priced_as=PRICED_AS)
    return panels.panel(measured(), config, one_off(DEFAULT_ROUTER).usd) | {"shipped": True}


@cache
def bundled_growth() -> dict[str, Any]:
    """The growth benchmark that ships, where there is one."""
    if not GROWTH.is_file():
        return {}
    rows, meta = read_growth(GROWTH)
    found = cells(rows, PRICED_AS)
    note = (
        "The real paths with a model that never errs. Tokens, calls and context are measured; costs are computed "
        f"from the list prices of {PRICED_AS}, {meta.get('date', '')[:10]}. {draw_growth.coverage(found)}"
    )
    return {"growth": {"figures": draw_growth.figures(found), "note": note}}


def _dollars(value: Any) -> float:
    try:
        number = float(value or 0)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1e9:
        raise ValueError(f"“Spent once” is {value!r}; give dollars from 0 to 1,000,000,000.")
    return number


def _whole(value: Any, name: str, most: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= most:
        raise ValueError(f"“{name}” is {value!r}; give a whole number from 1 to {most:,}.")
    return number
