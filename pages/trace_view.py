"""TraceEvents as messages to the page: what each card shows, and what a session keeps.

Leaves out drawing (``assets/cards.js`` does it, with ``textContent`` only) and figures.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baselines.figures.live import ROLES
from pages.services import PATHS
from pages.verdict import NOT_RUN, STOPPED, dollars
from router.trace import first_word_s, fold, own_seconds, waited_s
from router.types import RunResult, TraceEvent, Usage, to_json

Price = Callable[[Usage], float | None]
Counts = Callable[[Usage], tuple[int, int]]
"""The input and output tokens of a usage, by one tokenizer."""

NOT_TOOLS = {"none": "no tool", "smalltalk": "small talk"}
"""What the router's two labels that are no tools are called on screen; ``assets/cards.js`` says the same."""

SHARED = 0.05
"""The share of a path's time beyond which its waits for the model are told beside the headline."""


@dataclass
class Race:
    """One question down several paths: the events so far, and where and how it was run."""

    id: str
    question: str
    at: str
    lm: str
    mode: str
    events: dict[str, list[TraceEvent]]
    why: dict[str, Any] | None = None
    seconds: float = 0.0

    @classmethod
    def of(cls, id: str, question: str, at: str, lm: str, mode: str, paths: Iterable[str]) -> Race:
        """A race that has not begun."""
        return cls(id, question, at, lm, mode, {path: [] for path in paths})

    def add(self, event: TraceEvent) -> None:
        self.events[event.path].append(event)

    def ended(self, path: str) -> bool:
        run = self.events[path]
        return bool(run) and run[-1].kind in ("answer", "error")

    @property
    def results(self) -> dict[str, RunResult]:
        """The paths that have ended."""
        return {path: fold(run) for path, run in self.events.items() if self.ended(path)}

    @property
    def shared(self) -> bool:
        """Whether a path waited for a local model for more than a twentieth of its time."""
        return any(run and waited_s(run) > SHARED * run[-1].elapsed_s for run in self.events.values())

    @property
    def handed_over(self) -> str:
        """Why the router left the question to the LLM; empty where it did not, or where nobody noted why."""
        run = self.events.get("router") or []
        route = next((event.data for event in run if event.kind == "route"), {})
        return str(route.get("reason") or "") if route.get("abstained") else ""

    @property
    def borrowed(self) -> bool:
        """Whether the LLM gave an argument of a tool that the router ran."""
        run = self.events.get("router") or []
        return any("llm" in (event.data.get("sources") or {}).values() for event in run if event.kind == "tool")

    @property
    def lesson(self) -> Mapping[str, Any] | None:
        """What the router path's answer taught, or was refused to teach."""
        run = self.events.get("router") or []
        return run[-1].data.get("lesson") if run and run[-1].kind == "answer" else None


class Session:
    """The races of one visitor since the page was opened, oldest first. Holds no key."""

    def __init__(self) -> None:  # not a dataclass: Gradio would send one's fields to the browser
        self.races: list[Race] = []


def o200k(usage: Usage) -> tuple[int, int]:
    """Counted with o200k_base, so that models compare."""
    return usage.o200k_input, usage.o200k_output


def own(usage: Usage) -> tuple[int, int]:
    """Counted by the model itself."""
    return usage.input_tokens, usage.output_tokens


def card(run: Sequence[TraceEvent], price: Price, counts: Counts = o200k) -> dict[str, Any]:
    """Everything one path's card shows.

    ``state`` is queued | running | done | error | stopped | not_run; a step's ``start`` is in seconds from the path's
    start; ``seconds`` and ``first_token_s`` leave out what the path ``waited`` for a local model; ``tokens`` are
    ``[input, output]``, here and in each step, by ``counts``, and ``own`` by the model itself; of the ``counted`` calls the provider did not say them.
    """
    view: dict[str, Any] = {"state": "queued", "steps": [], "route": None, "answer": "", "message": None}
    usage = Usage()
    for event in run:
        view["state"] = "running"
        data = event.data
        if event.kind == "route":
            view["route"] = dict(data)
            view["steps"].append(_route_step(event))
        elif event.kind in ("lm", "tool") and data["phase"] == "begin":
            view["steps"].append(_begun(event))
        elif event.kind in ("lm", "tool"):
            _end(view["steps"], event, counts)
            if data.get("usage"):
                usage += Usage(**data["usage"])
        elif event.kind == "token":
            view.setdefault("first_token_s", first_word_s(run))
            view["answer"] += data["text"]
        elif event.kind == "answer":
            usage = Usage(**data["usage"])
            view |= {"state": "done", "answer": data["answer"]}
        elif event.kind == "error":
            usage = Usage(**data["usage"])
            ended = {STOPPED: "stopped", NOT_RUN: "not_run"}
            view |= {"state": ended.get(data["message"], "error"), "message": data["message"]}
    if view["state"] in ("error", "stopped"):
        for step in view["steps"]:
            step["state"] = "error" if step["state"] == "running" else step["state"]
    _name_calls(view["steps"], view["state"])
    cost = dollars(usage, price)
    return view | {
        "calls": usage.calls,
        "tokens": list(counts(usage)),
        "own": list(own(usage)),
        "cached": usage.cached_tokens,
        "counted": usage.counted_calls,
        "seconds": own_seconds(run),
        "waited": waited_s(run),
        "cost": cost,
    }


def _name_calls(steps: list[dict[str, Any]], state: str) -> None:
    """Say what a tool caller's LLM calls turned out to be, and which call wrote the answer (the card shows it)."""
    calls = [i for i, step in enumerate(steps) if step["kind"] == "lm"]
    for i in calls:
        last = i == calls[-1] and state == "done"
        steps[i]["answers"] = last
        if steps[i]["title"] == ROLES["call"] and (last or i + 1 < len(steps)):
            steps[i]["title"] = "Write the answer" if last else "Call a tool"


def _route_step(event: TraceEvent) -> dict[str, Any]:
    data = event.data
    handed = " – handed over to the LLM" if data["abstained"] else ""
    return {
        "kind": "route",
        "title": f"Route: {NOT_TOOLS.get(data['tool'], data['tool'])}{handed}",
        "state": "done",
        "start": max(0.0, event.elapsed_s - data["microseconds"] / 1e6),
        "seconds": data["microseconds"] / 1e6,
    }


def _begun(event: TraceEvent) -> dict[str, Any]:
    data = event.data
    step = {"step": data["step"], "kind": event.kind, "state": "running", "start": event.elapsed_s, "seconds": None}
    if event.kind == "lm":
        return step | {"title": ROLES.get(data["role"], data["role"])}
    return step | {
        "title": data["tool"],
        "arguments": dict(data["arguments"]),
        "sources": dict(data.get("sources") or {}),
    }


def _end(steps: list[dict[str, Any]], event: TraceEvent, counts: Counts) -> None:
    data = event.data
    step = next(s for s in steps if s.get("step") == data["step"])
    step |= {"state": "error" if data.get("error") else "done", "seconds": data["seconds"], "error": data.get("error")}
    if event.kind == "tool":
        step["output"] = data.get("output")
        return
    step |= {"wait": data.get("wait_s") or 0.0, "first_token": data.get("first_token_s")}
    step |= {"reply": data.get("reply"), "thoughts": data.get("thoughts")}
    if data.get("usage"):
        step["tokens"] = list(counts(Usage(**data["usage"])))


def export_json(races: Sequence[Race]) -> dict[str, Any]:
    """The session as a trace that ``router.learning.logs`` and the evaluation read: every event, in order, path by path."""
    return {
        "format": "switchyard-trace",
        "version": 1,
        "races": [
            {
                "id": race.id,
                "question": race.question,
                "at": race.at,
                "lm": race.lm,
                "mode": race.mode,
                "seconds": race.seconds,
                "why": race.why,
                "events": [to_json(event) for run in race.events.values() for event in run],
            }
            for race in races
        ],
    }


def race_from_json(row: Mapping[str, Any]) -> Race:
    """The inverse of ``export_json`` for one race.

    Raises ValueError, KeyError or TypeError where ``row`` is not one, or holds a path that has not ended.
    """
    race = Race.of(str(row["id"]), str(row["question"]), str(row["at"]), str(row["lm"]), str(row["mode"]), ())
    race.why, race.seconds = row.get("why"), float(row.get("seconds") or 0.0)
    for event in row["events"]:
        if event["path"] not in PATHS:
            raise ValueError(f"Path {event['path']!r} is unknown. Choose from {', '.join(PATHS)}.")
        run = race.events.setdefault(event["path"], [])
        run.append(TraceEvent(event["path"], event["kind"], float(event["elapsed_s"]), event["data"]))
    if not race.events or len(race.results) != len(race.events):
        raise ValueError(f"The race {race.question!r} has a path that did not end. Leave it out.")
    for run in race.events.values():
        card(run, lambda usage: usage.cost_usd)  # raises where an event lacks what the page shows
    return race


COLUMNS = (
    "question at lm timing path answer error tool tool_output calls o200k_input o200k_output input_tokens "
    "cached_tokens output_tokens cost_usd priced_as seconds first_token_s waited_s confidence abstained"
).split()


def export_csv(races: Sequence[Race], price: Price, priced_as: str) -> str:
    """One row a path and question. A text that a spreadsheet would run as a formula is led by an apostrophe."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for race in races:
        for path, result in race.results.items():
            usage, decision = result.usage, result.decision
            row = [race.question, race.at, race.lm, race.mode, path, result.answer, result.error]
            row += [
                " | ".join(r.call.tool for r in result.tool_results),
                " | ".join(r.text for r in result.tool_results),
            ]
            row += [usage.calls, usage.o200k_input, usage.o200k_output]
            row += [usage.input_tokens, usage.cached_tokens, usage.output_tokens]
            row += [dollars(usage, price), priced_as, round(result.seconds, 6), result.first_token_s]
            row += [round(waited_s(race.events[path]), 6)]
            row += [decision.confidence, decision.abstained] if decision else [None, None]
            table.writerow(_inert(cell) for cell in row)
    return out.getvalue()


def _inert(cell: Any) -> Any:
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def history_row(race: Race, price: Price, counts: Counts = o200k) -> dict[str, Any]:
    """One line of the history table: the question, and per path its state and figures."""
    cells = {path: card(run, price, counts) for path, run in race.events.items()}
    keep = ("state", "calls", "tokens", "own", "seconds", "cost")
    return {"id": race.id, "question": race.question, "paths": {p: {k: c[k] for k in keep} for p, c in cells.items()}}


__all__ = ["PATHS", "Race", "Session", "card", "export_csv", "export_json", "history_row", "race_from_json"]
