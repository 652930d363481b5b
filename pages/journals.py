"""The journals of the page's own traffic: what the LLM called in the Race, beside what the router would have called.

On a page of one's own there is one journal: that of ``--journal``, else a file that goes with the page. On a public page
each visit has one, which nobody else sees. A journal of other tools than the page's is an endpoint's: it is shown, and the
Race is not noted in it. Leaves out what a journal adds up to (``router.handover.account``) and the tab (``traffic.py``).
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pages.services import Services
from pages.trace_view import Race
from pages.verdict import same_results
from router.types import RunResult, ToolCall, ToolResult, Usage

if TYPE_CHECKING:
    from router.handover.desk import Opinion
    from router.handover.handover import Handover
    from router.handover.journal import Journal

log = logging.getLogger(__name__)

TEACHER = "tool_calling"
"""The path on which the LLM chooses freely from the tools that the router has."""
VISITS = 200
"""Visits of a public page whose journals are kept; the one not heard of longest goes first."""


@dataclass(frozen=True)
class Opened:
    """A journal that is shown. ``handover``: through which the Race is noted in it; None where it is an endpoint's, or
    where the page is public and the journal its owner's (``read_only``)."""

    journal: Journal
    handover: Handover | None
    read_only: bool = False


class Journals:
    """Opens journals as they are needed. Thread-safe.

    Raises JournalError where the one that the page's owner named cannot be opened.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self._opened: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if services.journal:
            self._opened[""] = self._owners(services.journal)

    def of(self, visit: str) -> Opened | None:
        """The journal that ``visit`` sees; None where nothing was noted yet."""
        with self._lock:
            return self._opened.get(self._key(visit))

    def note(self, visit: str, race: Race) -> None:
        """Write down what the LLM called for a race's question, and what the router would have. A race whose path of tool
        calling did not end teaches nothing. A fault is logged: the race has ended well."""
        try:
            run = race.results.get(TEACHER)
            if run is not None and run.error is None:
                self._note(visit, race, run)
        except Exception:
            log.exception("The race was not noted")

    def _note(self, visit: str, race: Race, run: RunResult) -> None:
        from router.handover.handover import one_call
        from router.handover.journal import JournalRow

        handover = self._for_notes(visit).handover
        if handover is None:
            return
        opinion = handover.consider(race.question)
        made = distinct(result for result in run.tool_results if result.output is not None)
        usage, seconds = choosing(race, bool(run.tool_results))
        called = one_call([result.call for result in made])
        row = JournalRow(
            race.question,
            opinion.mode,
            llm_call=called,
            agreed=agreed(race, opinion, called),
            failed=bool(run.tool_results) and not made,
            tag=visit,
            usage=usage,
            seconds=seconds,
        )
        # the LLM is asked in every race, however sure the router is: so its answer is proof also where it was in doubt
        handover.record(replace(opinion, mode="audit") if opinion.mode == "ask" else opinion, row)

    def _key(self, visit: str) -> str:
        return visit if self.services.limits.public and not self.services.journal else ""

    def _for_notes(self, visit: str) -> Opened:
        from router.handover.journal import Journal

        key = self._key(visit)
        with self._lock:
            found = self._opened.pop(key, None)
            if found is None:
                self._folder = self._folder or tempfile.TemporaryDirectory(prefix="switchyard-")
                file = Path(self._folder.name, f"{sha256(key.encode()).hexdigest()[:24]}.db")
                found = self._noting(Journal(file), file.with_suffix(""))
            self._opened[key] = found
            while len(self._opened) > VISITS:
                _, oldest = self._opened.popitem(last=False)
                oldest.journal.close()
                Path(oldest.journal.url.removeprefix("sqlite:///")).unlink(missing_ok=True)
        return found

    def _owners(self, url: str) -> Opened:
        from router.handover.journal import Journal, schemas_of

        journal = Journal(url)
        state = journal.state()
        if self.services.limits.public:
            return Opened(journal, None, read_only=True)
        known = state.get("schemas")
        own = known == schemas_of(self.services.tools) if known else not journal.count()
        models = state.get("models") or (f"{Path(url).with_suffix('')}-models" if "://" not in url else "models")
        return self._noting(journal, Path(models)) if own else Opened(journal, None)

    def _noting(self, journal: Journal, models: Path) -> Opened:
        from router.handover.given import Given
        from router.handover.handover import Handover, HandoverConfig

        config = HandoverConfig(models, twice=0.0, learns=False)  # a race asks nothing more, and trains nothing beside it
        given = Given(self.services.router, self.services.tools)
        return Opened(journal, Handover(journal, self.services.tools, config, given))


def distinct(results: Iterable[ToolResult]) -> list[ToolResult]:
    """``results`` without those that repeat an earlier call: small models like to."""
    found: list[ToolResult] = []
    for one in results:
        if all(one.call != other.call for other in found):
            found.append(one)
    return found


def choosing(race: Race, called: bool) -> tuple[Usage, float]:
    """What the LLM's choice of tools cost in a race, and its seconds: all its calls but the last, which is the answer. None
    where it ``called`` no tool."""
    ended = [e.data for e in race.events[TEACHER] if e.kind == "lm" and e.data["phase"] == "end"]
    chose = ended[:-1] if called else []
    usage = Usage()
    for data in chose:
        usage += Usage(**(data.get("usage") or {}))
    return usage, sum(data["seconds"] for data in chose)


def agreed(race: Race, opinion: Opinion, called: ToolCall) -> dict[str, bool] | None:
    """That both calls found the same, however their arguments are written; None where that is not known."""
    ours, theirs = race.results.get("router"), race.results[TEACHER]
    if opinion.call is None or ours is None or not ours.tool_results or opinion.tool != called.tool:
        return None
    made = [result.call for result in ours.tool_results]
    is_opinion = len(made) == 1 and dict(made[0].arguments) == dict(opinion.call.read.arguments)
    return {"tool": True, "call": True} if is_opinion and same_results(ours, theirs) else None
