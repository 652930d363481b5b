"""``Handover``: journal, gates and model together, for requests as they come from many threads.

``consider`` says what becomes of a request, ``record`` what became of it. Leaves out asking the LLM and running tools
(``router.pipeline``), and learning, which is a process of its own (``background``).
"""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from router.calls.tagger import CallModel
from router.handover import background
from router.handover.desk import Desk, Opinion, Reads, Standing
from router.handover.gate import Comparison, GateConfig, Gates
from router.handover.journal import Journal, JournalRow, schemas_of
from router.handover.learner import compare
from router.network.artifact import ArtifactError
from router.tools import Tool, ToolSet
from router.types import NON_TOOLS, NONE, Example, ToolCall

SEVERAL = "several tools"
"""What is noted, and learned, where the LLM called more than one tool: no tool's name, so nobody acts on it."""
LOOK_S = 1.0
"""Seconds after which a request looks whether the state has changed."""

LOOK_LESSONS = 10
"""Lessons after which it is seen whether the learner is due."""


def one_call(calls: Sequence[ToolCall]) -> ToolCall:
    """What an LLM called in one turn, as a router would have to: one tool, or "none"; SEVERAL where it called more."""
    if len(calls) > 1:
        return ToolCall(SEVERAL, {})
    return calls[0] if calls else ToolCall(NONE, {})


@dataclass(frozen=True)
class HandoverConfig:
    """``models``: folder of the models. ``twice``: share of the requests to the LLM that are to be asked again, which
    shows how consistent it is. ``learns``: whether the learner is started from here when it is due."""

    models: Path
    gate: GateConfig = GateConfig()
    twice: float = 0.02
    learns: bool = True


class Handover:
    """The hand-over of the calls of ``tools``. Safe to share between threads; several processes may share a journal.

    A decision is made by one model and one state of the gates: both are exchanged together. ``given``: what reads calls
    until the learner has put a model in place, a trained router's plans (``Given``); it is judged like any model.
    """

    def __init__(
        self, journal: Journal, tools: Mapping[str, Tool], config: HandoverConfig, given: Reads | None = None
    ) -> None:
        self.journal, self.config = journal, config
        self._given = None if given is None else Standing(background.GIVEN, given, frozenset())
        self.tools = tools if isinstance(tools, ToolSet) else ToolSet(tools)
        self._lock = threading.Lock()
        self._coin = random.Random()
        self._learner: subprocess.Popen[bytes] | None = None
        self._changes, self._looked, self._loading, self._asked = -1, 0.0, False, 0
        self._compared, self._next_look, self._judging = 0, 1, False
        self._desk = Desk(Gates(config.gate))
        self._last, self._lessons = journal.last(), sum(n for mode, n in journal.by_mode().items() if mode != "act")
        self._offer()
        self._adopt(journal.state())

    @property
    def gates(self) -> Gates:
        return self._desk.gates

    @property
    def model(self) -> int | None:
        """The number of the model that stands, GIVEN for the one that was given; None where there is none yet."""
        return self._desk.standing.number if self._desk.standing else None

    @property
    def standing(self) -> Reads | None:
        """The model that stands."""
        return self._desk.standing.model if self._desk.standing else None

    def consider(self, question: str, fills: bool = False) -> Opinion:
        """What becomes of ``question``. Only for "act" the router's call is to be made; it fits the tool's schema. "partial"
        only comes where the caller ``fills`` the arguments of one tool by asking the LLM for them."""
        self._look()
        desk, standing = self._desk, self._desk.standing
        started = time.perf_counter()
        call = standing and standing.model.call(question)
        spent = time.perf_counter() - started
        with self._lock:
            if desk is not self._desk:  # exchanged while this was reading
                desk, standing = self._desk, self._desk.standing
                call = standing and standing.model.call(question)
            before = self._paused(desk.gates)
            opinion = desk.decide(self._last, question, standing, call, fills)
            changed = self._paused(desk.gates) != before
        if changed:
            self._keep(desk)
        refused = opinion.mode in ("act", "partial") and not self._may_act(opinion)
        return replace(opinion, seconds=spent, mode="ask" if refused else opinion.mode)

    def record(self, opinion: Opinion, row: JournalRow) -> int:
        """Write ``row``, the request of ``opinion``, and take in what the LLM called for it. Returns its number.

        Whether both agree is told by ``row.agreed`` where somebody knows better than their texts do.
        """
        found = None
        if row.llm_call is not None and opinion.call is not None:
            called = Example(row.question, row.llm_call.tool, row.llm_call.arguments)
            found = compare(opinion.row, opinion.call, called)
            found = replace(found, agreed=row.agreed or found.agreed)
        row = replace(
            row,
            mode=opinion.mode,
            router_call=opinion.call and ToolCall(str(opinion.tool), dict(opinion.call.read.arguments)),
            confidence=dict(opinion.confidence),
            agreed=dict(found.agreed) if found and opinion.mode != "partial" else None,
            model=opinion.model,
        )
        number = self.journal.append(row, self.tools)
        with self._lock:
            desk, self._last = self._desk, max(self._last, number)
            self._lessons += row.lesson is not None
            before = self._paused(desk.gates)
            if found is not None and not row.failed and opinion.model == self.model:
                desk.gates.compare(replace(found, row=number), row.proof)
                self._compared += row.proof
            changed = self._paused(desk.gates) != before
        if changed:
            self._keep(desk)
        self._judge_again()
        self._learn()
        return number

    def correct(self, number: int, call: ToolCall) -> None:
        """Note that ``call`` would have been right for row ``number``: the row teaches that from now on, and says it of the
        model that stood. Raises JournalError where there is no such row."""
        row = self.journal.correct(number, call)
        if row.agreed is None or row.model != self.model:
            return
        found = Comparison(number, row.router_call.tool, row.confidence, row.agreed)
        with self._lock:
            desk = self._desk
            before = self._paused(desk.gates)
            desk.gates.compare(found, True)
            changed = self._paused(desk.gates) != before
        if changed:
            self._keep(desk)

    def asks_twice(self) -> bool:
        """Whether the LLM is to be asked a second time for a request: a coin."""
        return self._coin.random() < self.config.twice

    def close(self) -> None:
        """Let go of the journal; a learner that is at work goes on."""
        self.journal.close()

    def _may_act(self, opinion: Opinion) -> bool:
        """Whether the call is one that may be made at all: a tool on offer, not destructive, with fit arguments unless the
        LLM gives them."""
        if opinion.tool in NON_TOOLS:
            return True
        tool = self.tools.get(opinion.tool)
        fit = opinion.mode == "partial" or (tool is not None and tool.fits(opinion.call.read.arguments))
        return tool is not None and not tool.destructive and fit

    def _offer(self) -> None:
        """Note the tools on offer and what is asked for, for the learner and the command; what was proven of a schema that
        is another now is void."""
        schemas = schemas_of(self.tools)

        def change(state: dict[str, Any]) -> dict[str, Any]:
            known = state.get("schemas", {})
            gates = Gates.from_json(state["gates"], self.config.gate) if "gates" in state else Gates(self.config.gate)
            for tool in [tool for tool in schemas if known.get(tool, schemas[tool]) != schemas[tool]]:
                gates.schema_changed(tool, self._last)
            changes = state.get("changes", 0) + (known != schemas)
            own = {
                "keep_days": self.journal.config.keep_days,
                "schemas": schemas,
                "gate": asdict(self.config.gate),
                "models": str(self.config.models.absolute()),
            }
            return state | own | {"gates": gates.as_json(), "changes": changes}

        self.journal.update(change)

    def _look(self) -> None:
        """Now and then, see whether a learner or a person has changed the state; a new model is loaded on a thread."""
        now = time.monotonic()
        with self._lock:
            if self._loading or now - self._looked < LOOK_S:
                return
            self._looked = now
        self.follow()

    def follow(self) -> None:
        """See whether a learner or a person has changed the state, and go by it."""
        state = self.journal.state()
        if state.get("changes", 0) == self._changes:
            return
        if self._stands(state.get("model")):
            self._adopt(state)
        else:
            self._loading = True
            threading.Thread(target=self._load, args=(state,), daemon=True).start()

    def _stands(self, number: int | None) -> bool:
        return (number or (None if self._given is None else background.GIVEN)) == self.model

    def _load(self, state: Mapping[str, Any]) -> None:
        try:
            self._adopt(state)
        except (OSError, ArtifactError):  # it is gone by now: the next look finds the one that stands
            pass
        finally:
            self._loading = False

    def _adopt(self, state: Mapping[str, Any]) -> None:
        """Put the model and the gates of ``state`` in place of those here, both at once."""
        number, standing = state.get("model"), self._desk.standing
        same = standing is not None and self._stands(number)
        if not number:
            standing = self._given
        elif not same:
            standing = Standing.of(number, CallModel.load(background.folder_of(self.config.models, number)))
        desk = Desk(Gates.from_json(state["gates"], self.config.gate))
        desk.standing = standing
        with self._lock:
            if same:
                desk.gates.hear_on(self._desk.gates.alarms)
            self._desk, self._changes = desk, state.get("changes", 0)
            self._compared = state.get("compared", 0)
            self._next_look = background.next_look(self._compared)

    def _keep(self, desk: Desk) -> None:
        """Write what ``desk`` has paused into the state."""

        def change(state: dict[str, Any]) -> dict[str, Any]:
            gates = Gates.from_json(state["gates"], self.config.gate)
            with self._lock:
                gates.take_pauses(desk.gates)
                if desk.standing is not None and desk.standing.number == (state.get("model") or background.GIVEN):
                    gates.alarms = {name: one for name, one in gates.alarms.items() if name in desk.gates.alarms}
            return state | {"gates": gates.as_json()}

        self.journal.update(change)

    @staticmethod
    def _paused(gates: Gates) -> int:
        return sum(gate.after for own in gates.gates.values() for gate in own.values())

    def _judge_again(self) -> None:
        """Have the model that stands judged again where enough comparisons have come, on a thread of its own."""
        with self._lock:
            if self._judging or self._compared < self._next_look:
                return
            self._judging = True
        threading.Thread(target=self._judge, daemon=True).start()

    def _judge(self) -> None:
        try:
            background.look_again(self.journal, self.config.models, self.config.gate)
        except (OSError, ArtifactError):  # it is gone by now: the one that stands is judged by the next request
            pass
        finally:
            self._next_look, self._judging = background.next_look(self._compared), False

    def _learn(self) -> None:
        """Start the learner where it is due and none is at work."""
        if not self.config.learns:
            return
        with self._lock:
            if self._learner is not None and self._learner.poll() is None:
                return
            if self._lessons < self._asked + LOOK_LESSONS:
                return
            self._asked = self._lessons
        if background.due(self.journal.state(), self._lessons):
            with self._lock:
                self._learner = background.start(self.journal, self.config.models)
