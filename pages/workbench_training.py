"""Trainings of visitors' routers: each a process of its own, one at a time, that goes on when nobody watches.

Leaves out what is trained (``router.workbench``) and how it is shown.
"""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from pages.live import STILL_S
from pages.processes import launch, lines
from pages.turns import Turns
from pages.workbench_projects import Project

log = logging.getLogger(__name__)

MOST_WAITING = 4
"""Trainings at a time, the one that runs among them."""
GRACE_S = 60.0
"""Seconds that a training may take longer than it was given, to load, to end and to write its report."""
ENDED = ("done", "stopped", "failed")
UNLEARNED = "It was stopped before anything was learned; what there was before is kept."
FAULT = "The training broke off because of a fault in this program; the server's log says more."


class Training:
    """One training, from its place in the line to its end. ``told`` is what the page shows; others may read it."""

    def __init__(self, project: Project, command: Sequence[str], turns: Turns, seconds: float | None) -> None:
        self.project, self._command, self._turns, self._seconds = project, command, turns, seconds
        self._stop = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._changed = threading.Condition()
        self._version = 0
        self.told: dict[str, Any] = {"phase": "waiting", "ahead": 0, "points": []}
        turns.join(self)
        threading.Thread(target=self._run, daemon=True, name="training").start()

    @property
    def ended(self) -> bool:
        return self.told["phase"] in ENDED

    def stop(self) -> None:
        """Ask it to end; the best that was found is kept."""
        with self._changed:
            self._stop.set()
            if self._process is not None:
                self._process.terminate()

    def abandon(self) -> None:
        """End it at once; nothing is kept."""
        with self._changed:
            self._stop.set()
            if self._process is not None:
                self._process.kill()

    def follow(self) -> Iterator[dict[str, Any]]:
        """What is told, at each change and at least twice a second, until the end."""
        seen = -1
        while True:
            with self._changed:
                if self._version == seen:
                    self._changed.wait(STILL_S)
                seen, told = self._version, self.told
            yield told
            if told["phase"] in ENDED:
                return

    def _tell(self, **news: Any) -> None:
        with self._changed:
            self.told = self.told | news
            self._version += 1
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while ahead := self._turns.ahead(self):
                self._tell(ahead=ahead)
                if self._stop.wait(STILL_S):
                    return self._tell(phase="stopped", message="It was stopped before its turn came.")
            self._train()
        except Exception:
            log.exception("The training failed")
            self._tell(phase="failed", message=FAULT)
        finally:
            self._turns.leave(self)

    def _train(self) -> None:
        stamp = self.project.stamp
        self._tell(phase="starting", ahead=0)
        process = self._start()
        watchdog = threading.Timer((self._seconds or 0) + GRACE_S, process.kill)
        if self._seconds is not None:
            watchdog.start()
        last: dict[str, Any] = {"phase": "starting"}
        try:
            for line in lines(process):
                last = json.loads(line)
                if last["phase"] == "training":
                    point = {name: last[name] for name in ("part", "epoch", "epochs", "loss", "validation")}
                    self._tell(**last, points=[*self.told["points"], point])
        finally:
            watchdog.cancel()
            process.wait() if last["phase"] in ENDED else process.kill()
        if last["phase"] not in ENDED and self._stop.is_set():
            return self._tell(phase="stopped", message=UNLEARNED)
        if last["phase"] not in ENDED:
            raise RuntimeError(f"The training's process ended with status {process.wait()} and no result.")
        if last["phase"] != "failed" and not last.get("kept"):
            self.project.put_stamp(stamp)
        self._tell(**last)

    def _start(self) -> subprocess.Popen[str]:
        """Start the process, and end it at once where it was stopped meanwhile."""
        limit = [] if self._seconds is None else ["--seconds", f"{self._seconds:g}"]
        with self._changed:
            self._process = launch([*self._command, *limit])
            if self._stop.is_set():
                self._process.terminate()
            return self._process


class Trainings:
    """The trainings that run or wait, and how the last one of each project ended."""

    def __init__(self) -> None:
        self.turns = Turns(MOST_WAITING, "trainings")
        self._of: dict[str, Training] = {}
        self._lock = threading.Lock()

    def of(self, project: Project) -> Training | None:
        """The project's last training since this server started."""
        return self._of.get(project.id)

    def forget(self, project: Project) -> None:
        """End the project's training at once."""
        with self._lock:
            training = self._of.pop(project.id, None)
        if training is not None:
            training.abandon()

    def start(self, project: Project, command: Sequence[str], seconds: float | None) -> Training:
        """Train ``project``. Raises ValueError where it is being trained already, or too many wait."""
        with self._lock:
            before = self._of.get(project.id)
            if before is not None and not before.ended:
                raise ValueError("These tools are being trained already. Stop that training, or wait for it.")
            training = self._of[project.id] = Training(project, command, self.turns, seconds)
            return training
