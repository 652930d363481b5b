"""Training in a folder, told a JSON line at a time: from tools and rows to a router and its report.

Leaves out the command line and signals (``__main__``), and what the report says (``report``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from router.learning.own import CallAims, learn_calls
from router.learning.tagging import CallProgress, Enough, JudgedCalls
from router.network import Router
from router.tools import ToolSet
from router.types import NON_TOOLS, Example
from router.workbench import folder as files
from router.workbench.examples import settled
from router.workbench.report import report, report_of_schemas

Learn = Callable[[Sequence[Example], ToolSet, CallAims, Callable[[CallProgress], None]], JudgedCalls]


UNJUDGED = "It was stopped before the new router could be judged; the one from before is kept."


class Watch:
    """Tells each step of a training as JSON values, and has enough where ``enough`` says so or ``seconds`` are over."""

    def __init__(
        self, tell: Callable[[dict[str, Any]], None], enough: Callable[[], bool], seconds: float | None = None
    ) -> None:
        self._tell, self._enough, self._seconds = tell, enough, seconds
        self._started = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds since this began."""
        return time.monotonic() - self._started

    def say(self, phase: str, **values: Any) -> None:
        """Tell that ``phase`` has been reached."""
        self._tell({"phase": phase, **values, "seconds": self.spent})

    def step(self, progress: CallProgress) -> None:
        """Tell that ``progress`` was made. ``validation``: the share of this training's held-out rows that are read
        right. Raises Enough."""
        done = (progress.part - 1) * progress.steps + progress.step
        self.say(
            "training",
            part=progress.part,
            parts=progress.parts,
            epoch=progress.epoch,
            epochs=progress.epochs,
            loss=progress.loss,
            validation=progress.held_right(),
            left=progress.seconds / progress.step * (progress.parts * progress.steps - done),
        )
        if self._enough() or (self._seconds is not None and self.spent > self._seconds):
            raise Enough


def train(folder: Path, watch: Watch, target: float = 0.97, learn: Learn = learn_calls) -> None:
    """Train on the tools and rows of ``folder``, and write its router and report there. Without a row for a tool the
    router is the one that ships, which knows the tools by their schemas alone.

    ``target``: the share of the calls made that are to be right. The last line says ``done``, or ``stopped`` where
    there was enough before the end; an earlier router is kept, said by ``kept``, where the new one was not judged yet. Raises OSError and ValueError where the folder cannot be used, as ``learn`` does.
    """
    tools, rows = files.load_tools(folder), files.load_rows(folder)
    kept = settled(rows, tools)
    asked = sum(row.tool not in NON_TOOLS for row in kept)
    watch.say("starting", tools=len(tools), rows=len(rows), contradicted=len(rows) - len(kept))
    if asked:
        found = learn(kept, tools, CallAims(target), watch.step)
        if found.stopped and found.stopped[0] == 1 and files.is_trained(folder):
            return watch.say("stopped", kept=True, message=UNJUDGED)
        router, about = found.model, report(found, kept, tools)
    else:
        router = Router.from_pretrained()
        about = report_of_schemas(tools, router.labels)
    size = files.save(router, folder)
    about |= {"target": target, "contradicted": len(rows) - len(kept), "seconds": watch.spent, "bytes": size}
    files.save_report(about, folder)
    watch.say("stopped" if about["stopped"] else "done", bytes=size, warnings=about["warnings"])
