"""A replay before somebody's eyes: what has become of the requests so far, a JSON line at a time.

``python -m router.handover.watch LOG.jsonl --target 0.95 --pace 40`` is a process of its own at low priority, which the
page starts for each play and ends by killing it. The gates, the coin and the training are the replay's. Leaves out
drawing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.handover.desk import Opinion
from router.handover.evidence import least_share
from router.handover.gate import SCOPES, GateConfig, Gates, Scope
from router.handover.learner import LearnerConfig
from router.handover.peers import same_call
from router.handover.replay import Recorded, Replay, ReplayConfig
from router.types import Example

CHECKPOINTS, LEAST_ROWS = (200, 600, 1_600, 2_800), 60
LEARNER = LearnerConfig(folds=(3, 3), workers=min(4, os.cpu_count() or 1))
"""Fewer models than the library trains by default, less often, and several at a time, so that thousands of requests take
minutes."""
BLOCK = 100
"""Requests that are counted together for one point of a curve."""
UNEASY = "The audit sample looks worse than what was proven, so the LLM makes every call and all are compared."
TELL_S = 0.5
"""Seconds between two lines while requests are played; while it learns there is one for each model."""


@dataclass
class Count:
    """So many ``requests``; by scope, how many of them the router handled and in how many of those the tool, or the
    whole call, was as recorded."""

    requests: int = 0
    tool_handled: int = 0
    tool_agreed: int = 0
    call_handled: int = 0
    call_agreed: int = 0

    def add(self, opinion: Opinion, called: Example) -> None:
        """Take in one request: what became of it, and what the log says was called."""
        self.requests += 1
        if opinion.call is None:
            return
        if opinion.sure["tool"]:
            self.tool_handled += 1
            self.tool_agreed += opinion.tool == called.tool
        if opinion.mode == "act":
            self.call_handled += 1
            made = Example(called.question, str(opinion.tool), opinion.call.read.arguments)
            self.call_agreed += same_call(made, called)

    def as_json(self) -> dict[str, int | float | None]:
        """The counts, and by scope the lower bound of agreement (one-sided, 95 %); None where nothing was handled."""
        bounds = {
            f"{scope}_bound": least_share(agreed, handled, 0.05) if handled else None
            for scope, handled, agreed in (
                ("tool", self.tool_handled, self.tool_agreed),
                ("call", self.call_handled, self.call_agreed),
            )
        }
        return vars(self) | bounds


class Watch:
    """One play of ``rows``, told line by line. ``pace``: requests a second, 0 for as fast as they can be read."""

    def __init__(
        self, rows: Sequence[Example], config: ReplayConfig, pace: float, tell: Callable[[dict], None]
    ) -> None:
        self.rows, self.pace = rows, pace
        self.run = Replay(config, self._learning)
        self.total, self.curve = Count(), []
        self.seen = Counter[str]()
        self._block, self._tell, self._told, self._task = Count(), tell, 0.0, ""
        self._coming: Example | None = None
        self.held: list[dict[str, Any]] = []
        self._held: set[str] = set()

    def play(self) -> None:
        """Play all rows; each line goes to ``tell`` as JSON values."""
        for _ in self.run.points(self._arriving()):
            pass
        self._say("done")

    def _arriving(self) -> Iterator[Recorded]:
        for row in self.rows:
            started = time.monotonic()
            self._coming = row
            yield Recorded(row, truth=row)
            self._count()
            if self.pace:
                time.sleep(max(0.0, started + 1 / self.pace - time.monotonic()))

    def _count(self) -> None:
        """Count the row that came last, unless it is counted: it is played when the replay learns or asks for more."""
        row, self._coming = self._coming, None
        if row is None:
            return
        self.seen[row.tool] += 1
        for count in (self.total, self._block):
            count.add(self.run.opinions[-1], row)
        held = held_back(self.run.desk.gates)
        self.held += [{"at": self.total.requests, "reason": reason} for reason in sorted(held - self._held)]
        self._held = held
        if self._block.requests == BLOCK or self.total.requests == len(self.rows):
            self.curve.append({"seen": self.total.requests} | self._block.as_json() | _so_far(self.total))
            self._block = Count()
        if time.monotonic() - self._told >= TELL_S:
            self._say("playing")

    def _learning(self, words: str) -> None:
        """What the replay says: that it learns, from how much, and (indented) how far it is."""
        self._count()
        if not words.startswith(" "):
            self._task = words
        self._say("learning", self._task + (f", {words.strip()} done" if words.startswith(" ") else ""))

    def _say(self, phase: str, words: str = "") -> None:
        self._told = time.monotonic()
        self._tell(
            {
                "phase": phase,
                "words": words,
                "of": len(self.rows),
                "total": self.total.as_json(),
                "curve": self.curve,
                "held": self.held,
                "tools": tools(self.seen, self.run.desk.gates),
            }
        )


def checkpoints(rows: int) -> tuple[int, ...]:
    """After how many of so many requests it learns; of few, after half of them; of fewer than LEAST_ROWS never."""
    few = LEAST_ROWS <= rows <= CHECKPOINTS[0]
    return (rows // 2, *CHECKPOINTS) if few else CHECKPOINTS


def held_back(gates: Gates) -> set[str]:
    """Why calls that were handed over go to the LLM again: the reasons of pauses, and an audit that takes in all."""
    paused = {gate.reason for gate in gates.gates["call"].values() if gate.state == "paused"}
    return paused | ({UNEASY} if gates.uneasy else set())


def tools(seen: Counter[str], gates: Gates) -> list[dict[str, Any]]:
    """Where each tool of ``seen`` (name → requests) stands, in both scopes."""
    return [
        {"name": tool, "seen": seen[tool]} | {scope: _gate(gates, scope, tool) for scope in SCOPES}
        for tool in sorted(seen)
    ]


def _gate(gates: Gates, scope: Scope, tool: str) -> dict[str, Any]:
    gate = gates.gate(scope, tool)
    proof = gate.proof
    return {
        "state": gate.state,
        "compared": proof.seen,
        "accepted": proof.accepted,
        "agreed": proof.agreed,
        "bound": proof.bound,
        "threshold": gate.threshold if gate.state == "live" else None,
        "shared": gate.shared,
        "missing": gate.missing,
        "reason": gate.reason,
        "by_hand": gate.by_hand,
    }


def _so_far(total: Count) -> dict[str, Any]:
    return {f"all_{name}": value for name, value in total.as_json().items()}


def main(argv: Sequence[str] | None = None, learner: LearnerConfig = LEARNER) -> int:
    """Run the command with ``learner``. Returns 0, or 2 where the input was at fault."""
    from router.learning.data import read_each
    from router.tools import sentence

    top = argparse.ArgumentParser(prog="python -m router.handover.watch", description="A replay, told line by line.")
    top.add_argument("log", type=Path, metavar="LOG.jsonl", help="rows of question, tool and arguments")
    top.add_argument("--target", type=float, default=0.95, help="agreement to be proven (default .95)")
    top.add_argument("--pace", type=float, default=0.0, help="requests a second (default 0: as fast as can be)")
    args = top.parse_args(argv)
    if hasattr(os, "nice"):
        os.nice(15)
    try:
        rows = list(read_each(args.log))
        config = ReplayConfig(GateConfig(target=args.target), checkpoints(len(rows)), embed=None, learner=learner)
        Watch(rows, config, args.pace, lambda line: print(json.dumps(line), flush=True)).play()
    except BrokenPipeError:  # nobody watches any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError) as fault:
        print(f"python -m router.handover.watch: {sentence(fault)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
