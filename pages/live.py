"""The Race tab: composer, cards, timeline, charts, history. Its events, and nothing that can be tested without Gradio.

Leaves out the gatekeeper: it lives in the browser, and what it answers never comes here.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import gradio as gr

from baselines.figures.live import browser_answers, timeline
from pages import assets, board
from pages.door import Door, visit_of
from pages.services import PATHS, RaceOptions, Services
from pages.settings import Settings, read_question, read_settings
from pages.trace_view import Race, Session, export_csv, export_json, race_from_json
from pages.turns import Turns
from pages.workbench_projects import Projects
from router.types import TraceEvent

log = logging.getLogger(__name__)

YIELDS_PER_SECOND = 12
DRAWS_PER_SECOND = 3
STILL_S = 0.5
"""Seconds between two yields while nothing happens: the running bar of the timeline grows."""
KEPT_RACES = 300
Note = Callable[[str, Race], None]
"""Takes a visit and a race of it that has ended."""
RACES_AT_ONCE = 4
MOST_WAITING = 200
"""Races at a time, those that run among them."""


def build(services: Services, door: Door, projects: Projects, note: Note) -> None:
    """The tab's components and events; each race that has ended goes to ``note``. Call it inside a ``gr.Blocks``."""
    session = gr.State(Session())
    page = {
        "lm": services.default_lm,
        "priced_as": list(services.priced_as),
        "limit": services.limits.question_chars,
        "paths": PATHS,
        "browser": browser_answers(),
        "note": services.model_note,
        "online": services.online,
    }
    composer = gr.HTML(
        value=page,
        html_template=assets.template("composer.html"),
        js_on_load="Switchyard.composer(element, trigger, props.value)"
        " /* 'send' 'halt' 'reprice' 'show' 'export' 'restore' */",
        head=assets.head(),
        apply_default_css=False,
        elem_classes="sy-composer",
    )
    view = gr.HTML(
        value=None,
        html_template=assets.template("board.html"),
        js_on_load="Switchyard.board(element); watch('value', () => Switchyard.show(props.value));",
        head=assets.head(),
        apply_default_css=False,
        elem_classes="sy-board",
    )
    live = Live(services, door, projects, note)
    # "multiple": an event is never dropped because the one before has not quite ended; the page asks one at a time.
    quiet = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
    composer.send(live.send, session, view, concurrency_limit=None, **quiet)  # they wait in a line of their own
    composer.halt(live.halt, None, None, queue=False, **quiet)
    composer.reprice(live.redraw, session, view, **quiet)
    composer.show(live.redraw, session, view, **quiet)
    composer.export(live.export, session, view, **quiet)
    composer.restore(live.restore, session, view, **quiet)


@dataclass(frozen=True)
class Entry:
    """A question whose turn it is: the services with the tools that it is for, the race's id, the model, what stops it,
    and what the browser sent."""

    services: Services
    race: str
    lm: Any
    stop: threading.Event
    data: dict[str, Any] = field(repr=False)


class Live:
    """The tab's events, as Gradio calls them: with the visitor's session and what the browser sent."""

    def __init__(
        self, services: Services, door: Door, projects: Projects, note: Note = lambda visit, race: None
    ) -> None:
        self.services = services
        self.door = door
        self.projects = projects
        self.note = note
        self.turns = Turns(MOST_WAITING, "questions", RACES_AT_ONCE)
        self.stops: dict[str, threading.Event] = {}

    def send(self, session: Session, event: gr.EventData) -> Iterator[dict[str, Any]]:
        """One question: check it, wait for its turn, race it, and yield what the board shall show, at most 12 times a
        second."""
        data = event._data or {}
        race_id, key = str(data.get("race") or "")[:64], settings_key(data)
        try:
            settings = read_settings(data, self.services)
            question = read_question(data, self.services.limits)
            services = self.projects.services_for(data.get("project"))
        except (ValueError, OSError) as fault:
            yield board.refused(scrub(str(fault), key), race_id)
            return
        stop = self.stops[race_id] = threading.Event()
        try:
            self.turns.join(stop)
            while ahead := self.turns.ahead(stop):
                before = "One question is" if ahead == 1 else f"{ahead:,} questions are"
                yield waiting(race_id, f"{before} before yours on this server.")
                if stop.wait(STILL_S):
                    raise ValueError("Stopped before it began.")
            made = pump(iter([0]), lambda _: self.door.open(settings.lm, settings.key, visit_of(data)))
            waited = 0
            while (lm := next_of(made, 1.0)) is None:
                waited += 1
                yield waiting(race_id, f"Loading {settings.lm} … {waited} s")
            if isinstance(lm, Exception):
                raise lm
            yield from self._race(session, question, settings, Entry(services, race_id, lm, stop, data))
        except ValueError as fault:
            yield board.refused(scrub(str(fault), key), race_id)
        except Exception:
            log.exception("The race failed")
            yield board.refused(
                "The race broke off because of a fault in this program; the server's log says more.", race_id
            )
        finally:
            stop.set()
            self.turns.leave(stop)
            self.stops.pop(race_id, None)

    def _race(self, session: Session, question: str, settings: Settings, entry: Entry) -> Iterator[dict[str, Any]]:
        """The race of one question whose turn it is."""
        sequential = settings.mode == "sequential" or (settings.mode == "auto" and self.services.is_local(entry.lm))
        race = Race.of(
            entry.race,
            question,
            datetime.now(timezone.utc).isoformat(timespec="seconds"),
            settings.lm,
            "sequential" if sequential else "concurrent",
            settings.paths,
        )
        turn = str(entry.data.get("previous_turn") or "")[:2_000] or None
        limit = self.services.limits.timeout_s
        options = RaceOptions(settings.paths, sequential, settings.direct, limit, entry.stop, turn)
        session.races = [*session.races, race][-KEPT_RACES:]
        events = entry.services.race(question, entry.lm, options)
        events = self.door.charged(events, visit_of(entry.data), settings.key)
        yield from follow(entry.services, settings, session, race, events)
        if entry.services is self.services:  # of other tools, the page's router has nothing to learn
            self.note(visit_of(entry.data), race)
        last = board.finished(session, race, entry.services, settings)
        yield last | {"keep": json.dumps(export_json([race])["races"][0], ensure_ascii=False)}

    def halt(self, event: gr.EventData) -> None:
        """Ask a race to stop; what it finished stays."""
        stop = self.stops.get(str((event._data or {}).get("race") or ""))
        if stop is not None:
            stop.set()

    def redraw(self, session: Session, event: gr.EventData) -> dict[str, Any]:
        """An earlier race, or the same one under other prices or another tokenizer: nothing runs again."""
        data = event._data or {}
        try:
            settings = read_settings(data, self.services)
        except ValueError as fault:
            return board.refused(str(fault))
        if not session.races:
            return {"phase": "idle", "price": {"label": settings.price_label, "note": board.price_note(settings)}}
        race = next((r for r in session.races if r.id == data.get("race")), session.races[-1])
        return board.finished(session, race, self.services, settings) | {"again": True}

    def export(self, session: Session, event: gr.EventData) -> dict[str, Any]:
        """The session as a file: JSON trace or CSV table."""
        data = event._data or {}
        settings = read_settings(data, self.services)
        if data.get("kind") == "csv":
            text = export_csv(session.races, board.price_of(self.services, settings), settings.price_label)
            file = {"name": "switchyard-session.csv", "type": "text/csv", "text": text}
        else:
            text = json.dumps(export_json(session.races), ensure_ascii=False, indent=1)
            file = {"name": "switchyard-session.json", "type": "application/json", "text": text}
        return {"phase": "file", "file": file, "at": time.time()}

    def restore(self, session: Session, event: gr.EventData) -> dict[str, Any]:
        """Races that the browser kept over a reload, as texts of ``export_json``'s rows; what does not fit is left out.

        They travel as text because Gradio takes any object with a ``path`` for a file.
        """
        data = event._data or {}
        races = []
        for row in (data.get("races") or [])[-KEPT_RACES:]:
            try:
                races.append(race_from_json(json.loads(row)))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        session.races = [*races, *session.races]
        return self.redraw(session, event)


def follow(
    services: Services, settings: Settings, session: Session, race: Race, events: Iterator[TraceEvent]
) -> Iterator[dict[str, Any]]:
    """Add the events to ``race`` as they come and yield the board: 12 times a second, figures 3 times."""
    started = shown = time.perf_counter()
    drawn, ended = 0.0, -1
    begun: dict[str, float] = {}
    inbox = pump(events)
    fresh = True
    while True:
        pause = max(0.0, shown + 1 / YIELDS_PER_SECOND - time.perf_counter()) if fresh else STILL_S
        event = next_of(inbox, max(pause, 0.001))
        if isinstance(event, Exception):
            raise event
        if event is END:
            race.seconds = time.perf_counter() - started
            return
        if event is not None:
            if settings.key:
                event = scrub_event(event, settings.key)
            race.add(event)
            begun.setdefault(event.path, time.perf_counter() - event.elapsed_s)
            if event.path == "router" and event.kind == "answer":
                race.why = why(services, race.question)
            fresh = True
        now = time.perf_counter()
        if now - shown < (1 / YIELDS_PER_SECOND if fresh else STILL_S):
            continue
        message = board.running(race, services, settings, now - started)
        if len(race.results) != ended:
            message["figures"] = board.figures(session, race, services, settings)
            ended, drawn = len(race.results), now
        elif now - drawn >= 1 / DRAWS_PER_SECOND:
            running = {path: now - start for path, start in begun.items() if not race.ended(path)}
            message["figures"] = {"timeline": timeline(race.events, running)}
            drawn = now
        yield message
        shown, fresh = time.perf_counter(), False


END = object()


def pump(items: Iterator[Any], make: Callable[[Any], Any] = lambda item: item) -> queue.Queue[Any]:
    """Read ``items`` on a thread of their own, so that what came last is shown without waiting for what comes next.

    The queue gives each item, then ``END``; or the exception that broke it off. So a generator that Gradio runs can yield
    in between, and only there does Gradio end it when its visitor has left.
    """
    inbox: queue.Queue[Any] = queue.Queue()

    def read() -> None:
        try:
            for item in items:
                inbox.put(make(item))
            inbox.put(END)
        except Exception as fault:
            inbox.put(fault)

    threading.Thread(target=read, daemon=True, name="pump").start()
    return inbox


def next_of(inbox: queue.Queue[Any], seconds: float) -> Any:
    """The next item, or None if none comes within ``seconds``."""
    try:
        return inbox.get(timeout=seconds)
    except queue.Empty:
        return None


def why(services: Services, question: str) -> dict[str, Any] | None:
    """Which words decided, as the card shows it; None where the router cannot say."""
    try:
        found = services.explain(question)
    except Exception:
        log.exception("No explanation")
        return None
    return found and {
        "words": [[w.word, round(float(w.contribution), 4)] for w in found.words],
        "tool": found.tool,
        "runner_up": found.runner_up,
        "nearest": [[n.question, n.tool] for n in found.nearest[:1]],
    }


def waiting(race: str, words: str) -> dict[str, Any]:
    """The message of a race that has not begun, and why."""
    return {"phase": "waiting", "race": race, "message": words, "at": time.time()}


def settings_key(data: dict[str, Any]) -> str | None:
    return str((data.get("settings") or {}).get("key") or "").strip() or None


def scrub(text: str, key: str | None) -> str:
    """``text`` without the API key, which providers like to quote in their errors."""
    return text.replace(key, "•••") if key and len(key) >= 4 else text


def scrub_event(event: TraceEvent, key: str) -> TraceEvent:
    """An event whose texts do not hold the API key."""
    if event.kind == "token" or len(key) < 4:
        return event
    return replace(event, data=_scrub(event.data, key))


def _scrub(value: Any, key: str) -> Any:
    if isinstance(value, str):
        return value.replace(key, "•••")
    if isinstance(value, dict):
        return {k: _scrub(v, key) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_scrub(v, key) for v in value]
    return value
