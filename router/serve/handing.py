"""The hand-over behind the wire: what callers' LLMs call is learned from, and what is proven is called.

Each caller has a journal, models and gates of its own, unless all share them. Leaves out the gate itself
(``router.handover``) and the wire.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from router.calls.tagger import CallModel
from router.handover.desk import REASONS
from router.handover.desk import Mode as HandoverMode
from router.handover.gate import GateConfig
from router.handover.handover import Handover, HandoverConfig, one_call
from router.handover.journal import Journal, JournalConfig, JournalRow
from router.plans import Decides
from router.serve.callers import ANONYMOUS
from router.serve.deciding import Mode, RouterDecider, ToolLists, Verdict
from router.serve.wire import Asked, Said
from router.types import NON_TOOLS, ToolCall

KEPT = 64
"""Hand-overs in memory; the one not asked for longest goes. What they know stands in their journals."""


@dataclass(frozen=True)
class HandingConfig:
    """``journal``: a file, or a database URL where ``shared``. ``models``: folder of the models. ``shared``: all callers
    teach one router; else each has its own files, named by the caller's tag beside these. ``learns``: whether the
    learner is started from here when it is due."""

    journal: str
    models: Path
    shared: bool = False
    mode: Mode = "shadow"
    gate: GateConfig = GateConfig()
    rows: JournalConfig = JournalConfig()
    learns: bool = True


class NotedDecider(RouterDecider):
    """A trained router that acts as it was trained, with a journal of what it and the upstream called: rows that ``train``
    reads."""

    def __init__(self, router: Decides | CallModel, journal: Journal) -> None:
        super().__init__(router)
        self.journal = journal

    def told(self, caller: str, asked: Asked, verdict: Verdict, said: Said | None, seconds: float) -> None:
        """Write down a request whose turn the upstream ``said``; None where it was the router's."""
        mode: HandoverMode = "act" if said is None else "partial" if verdict.narrows else "shadow"
        row = _row(caller, asked, said, mode, seconds)
        one = verdict.calls[0] if verdict.outcome == "call" and len(verdict.calls) == 1 else None
        agreed = {"call": one == row.llm_call} if one is not None and said and said.calls else None
        confidence = {"call": verdict.confidence}
        self.journal.append(replace(row, router_call=one, confidence=confidence, agreed=agreed), asked.tools)

    def close(self) -> None:
        """Let go of the journal."""
        self.journal.close()


class HandoverDecider(ToolLists):
    """Verdicts of hand-overs, one for each caller and list of tools. Thread-safe.

    Raises ValueError where callers shall be apart in one database.
    """

    def __init__(self, config: HandingConfig) -> None:
        super().__init__()
        if not config.shared and "://" in config.journal:
            raise ValueError(
                f"--journal {config.journal.split('@')[-1]} is one database for all callers. Add --shared, or give a file."
            )
        self.config = config
        self._handovers: OrderedDict[tuple[str, str], Handover] = OrderedDict()
        self._opening = threading.Lock()
        Journal(config.journal, config.rows).close()  # what cannot be opened is told now and not at a request

    def of(self, caller: str, asked: Asked) -> Handover:
        """The hand-over of ``caller`` for the tools on offer, opened where it was not. Raises JournalError, OSError."""
        key = ("" if self.config.shared else caller, asked.tools.id)
        with self._opening:
            found = self._handovers.pop(key, None) or self._opened(key[0], asked)
            self._handovers[key] = found
            while len(self._handovers) > KEPT:
                self._handovers.popitem(last=False)[1].close()
        return found

    def decide(self, caller: str, asked: Asked) -> Verdict:
        """What the caller's router would call, and whether it is proven."""
        fills = self.config.mode == "live" and len(asked.tools) > 1
        opinion = self.of(caller, asked).consider(asked.question, fills)
        if opinion.call is None or opinion.tool is None:
            return Verdict("abstain", (), 0.0, REASONS["collecting"], opinion=opinion)
        confidence = opinion.confidence["call"]
        if opinion.tool in NON_TOOLS:
            return Verdict("none", (), confidence, "", opinion=opinion)
        calls = (ToolCall(opinion.tool, dict(opinion.call.read.arguments)),)
        allowed, reason = opinion.tool in asked.allowed, REASONS.get(opinion.mode, "")
        if opinion.mode == "partial" and allowed:
            return Verdict("partial", calls, opinion.confidence["tool"], reason, narrows=True, opinion=opinion)
        acts = opinion.mode == "act" and allowed
        return Verdict("call" if acts else "abstain", calls, confidence, reason, acts, opinion=opinion)

    def told(self, caller: str, asked: Asked, verdict: Verdict, said: Said | None, seconds: float) -> None:
        """Write down a request whose turn the upstream ``said``; None where it was the router's."""
        opinion = verdict.opinion
        if said is not None and self.config.mode == "shadow" and opinion.mode in ("act", "ask"):
            opinion = replace(opinion, mode="audit")  # the LLM is asked however sure the router is: that is proof
        elif said is not None and opinion.mode in ("act", "partial") and not verdict.narrows:
            opinion = replace(opinion, mode="ask")  # the LLM had all tools after all
        row = _row(caller, asked, said, opinion.mode, seconds)
        self.of(caller, asked).record(opinion, row)

    def close(self) -> None:
        """Let go of all journals."""
        with self._opening:
            for one in self._handovers.values():
                one.close()
            self._handovers.clear()

    def _opened(self, caller: str, asked: Asked) -> Handover:
        own = f"-{caller}" if caller and caller != ANONYMOUS else ""
        journal, models = self.config.journal, self.config.models
        if own:
            file = Path(journal)
            journal, models = str(file.with_name(f"{file.stem}{own}{file.suffix}")), models.with_name(models.name + own)
        # twice 0: a proxy asks nothing that was not asked
        config = HandoverConfig(models, self.config.gate, twice=0.0, learns=self.config.learns)
        opened = Journal(journal, self.config.rows)
        opened.expire()
        return Handover(opened, asked.tools, config)


def _row(caller: str, asked: Asked, said: Said | None, mode: HandoverMode, seconds: float) -> JournalRow:
    """What the upstream called, where it was asked."""
    row = JournalRow(asked.question, mode, tag=caller, history=asked.history, seconds=seconds)
    return row if said is None else replace(row, llm_call=one_call(said.calls), usage=said.usage)
