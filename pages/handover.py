"""The Hand-over tab: a recorded stream played down the hand-over's own code, with its figures while it runs and after.

Each play is a process of its own (``router.handover.watch``), one at a time on this server; the others wait for their
turn. Leaves out what is played (``router.handover``), the figures (``baselines.figures.handover``) and the drawing
(``assets/handover.js``).
"""

from __future__ import annotations

import json
import logging
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from baselines.figures.handover import panel
from pages import assets, traffic
from pages.assets import message
from pages.door import Door, visit_of
from pages.journals import Journals
from pages.live import END, STILL_S, next_of, pump
from pages.own_log import MOST_BYTES, MOST_ROWS, own_log
from pages.processes import launch, lines
from pages.services import Services
from pages.turns import Turns
from router.handover.watch import LEAST_ROWS

log = logging.getLogger(__name__)

TARGETS = (0.90, 0.99)
PACES = (0, 100, 30)
"""Requests a second that a visitor may choose from; 0 is as fast as they can be read."""
MOST_WAITING = 4
"""Plays at a time, the one that runs among them."""
LONGEST_S = 1_800.0
"""After so long a play is ended, so that those who wait get their turn."""
KILLED = "ignore::UserWarning:multiprocessing.resource_tracker"
"""A play is ended by killing it, and what its workers shared is freed then; Python's warning of it is no news."""
TAB = "handover"
HEAR = "const hear = () => Switchyard.handoverMessage(props.value); watch('value', hear); hear();"


def build(services: Services, door: Door, journals: Journals) -> None:
    """The tab's components and events. Call it inside a ``gr.Blocks``."""
    traffic.build(services, journals)
    page = {"of": requests_in(services.stream), "counts": services.limits.questions_per_session is not None}
    page["own"] = {"bytes": MOST_BYTES, "rows": MOST_ROWS, "least": LEAST_ROWS}
    tab = Handover(services, door)
    form = gr.HTML(
        value=page,
        html_template=assets.template("handover.html"),
        js_on_load="Switchyard.handover(element, (name, data) => trigger(name, data), props.value)"
        " /* trigger('handover') trigger('halt') */",
        head=assets.tab_head(TAB),
        apply_default_css=False,
        elem_classes="sy-handover",
    )
    messages = assets.mailbox(HEAR, TAB)
    quiet = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
    form.handover(tab.start, None, messages, concurrency_limit=2 * MOST_WAITING, **quiet)
    form.halt(tab.halt, None, None, queue=False, **quiet)


def requests_in(stream: Path) -> int:
    """How many rows ``stream`` has."""
    with open(stream, encoding="utf-8") as file:
        return sum(bool(line.strip()) for line in file)


class Handover:
    """The tab's events, as Gradio calls them: with what the browser sent."""

    def __init__(self, services: Services, door: Door) -> None:
        self.services, self.door = services, door
        self.turns = Turns(MOST_WAITING, "plays")
        self.stops: dict[str, threading.Event] = {}

    def start(self, event: gr.EventData) -> Iterator[dict[str, Any]]:
        """Play the stream, or the visitor's own log, and yield the figures as they change. What was played when it is stopped stays."""
        data = event._data or {}
        run_id = str(data.get("run") or "")[:64]
        stop = self.stops[run_id] = threading.Event()
        try:
            target, pace = read_order(data)
            with tempfile.TemporaryDirectory(prefix="switchyard-") as folder:
                own = own_log(data["log"], Path(folder)) if data.get("log") else None
                self.turns.join(stop)
                self.door.count(visit_of(data), 1)
                if own is not None and own.left_out:
                    yield message("log", words=own.left_out)
                while ahead := self.turns.ahead(stop):
                    if stop.wait(STILL_S):
                        yield message("done", stopped=True)
                        return
                    yield message("waiting", ahead=ahead)
                yield from follow(self.services, own.file if own else self.services.stream, (target, pace), stop)
        except (ValueError, OSError) as fault:
            yield message("refused", message=str(fault))
        except Exception:
            log.exception("The play failed")
            yield message(
                "refused", message="The play broke off because of a fault in this program; the server's log says more."
            )
        finally:
            stop.set()
            self.turns.leave(stop)
            self.stops.pop(run_id, None)

    def halt(self, event: gr.EventData) -> None:
        """Ask a play to stop; what was played stays."""
        stop = self.stops.get(str((event._data or {}).get("run") or ""))
        if stop is not None:
            stop.set()


def read_order(data: Mapping[str, Any]) -> tuple[float, int]:
    """The form's target and pace. Raises ValueError with the value, the limit and the remedy."""
    least, most = TARGETS
    try:
        target = float(data.get("target"))
    except (TypeError, ValueError):
        target = 0.0
    if not least <= target <= most:
        raise ValueError(f"The target is {data.get('target')!r}; give a share from {least} to {most}, such as 0.95.")
    if data.get("pace") not in PACES:
        raise ValueError(
            f"The speed is {data.get('pace')!r} requests a second; choose one of {', '.join(map(str, PACES))}."
        )
    return target, data["pace"]


def follow(
    services: Services, stream: Path, order: tuple[float, int], stop: threading.Event
) -> Iterator[dict[str, Any]]:
    """The messages of a play of ``stream`` at the target and the pace of ``order``. Its process is ended when the play is stopped, takes too long or is no longer watched."""
    told: dict[str, Any] | None = None
    (target, pace), late = order, False
    ends = time.monotonic() + LONGEST_S
    process = start_play(services, stream, target, pace)
    try:
        yield message("running", panel=None, progress=progress(None, target))
        inbox = pump(lines(process), json.loads)
        while (line := next_of(inbox, STILL_S)) is not END:
            if isinstance(line, Exception):
                raise line
            if stop.is_set() or (late := time.monotonic() > ends):
                break
            told = line or told
            found = panel(line, target) if line else None  # a message all the same: only there does Gradio end it
            yield message("running", panel=found, progress=progress(told, target))
        if not stop.is_set() and not late and process.wait() != 0:
            raise RuntimeError(f"The play's process ended with status {process.returncode}.")
        found = panel(told, target) if told else None
        done = told is not None and told["phase"] == "done"
        limit = f"It ran for {LONGEST_S / 60:.0f} minutes, which is the limit here." if late else ""
        yield message("done", stopped=not done, panel=found, progress=progress(told, target), limit=limit)
    finally:
        process.kill()
        process.wait()


def start_play(services: Services, stream: Path, target: float, pace: int) -> subprocess.Popen[str]:
    """Start the play's process."""
    return launch([*services.watch, str(stream), "--target", str(target), "--pace", str(pace)], PYTHONWARNINGS=KILLED)


def progress(told: Mapping[str, Any] | None, target: float) -> dict[str, Any]:
    """How far a play is: requests played, and what it does now."""
    if told is None:
        return {"seen": 0, "of": 0, "target": target, "doing": "starting", "words": ""}
    seen = told["total"]["requests"]
    return {"seen": seen, "of": told["of"], "target": target, "doing": told["phase"], "words": told["words"]}
