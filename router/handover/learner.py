"""Lessons → a candidate: a model that may act, and what models that had not seen them read in the same lessons.

A lesson is a request that the LLM answered. It is read by the model of the fold that it was held out of, which has
learned from all the others; the candidate itself has learned from all. Leaves out when that happens and in which
process (``background``), and what follows from it (``gate``). torch loads when training begins.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.calls.confidence import fit_call_confidence, is_right
from router.calls.read import LearnedCall
from router.calls.slots import asked_at
from router.calls.tagger import CallModel
from router.handover.evidence import greatest_share
from router.handover.gate import Comparison, Scope, Usual
from router.network.features import MAX_LETTERS, tokenise
from router.types import NON_TOOLS, NONE, Example

if TYPE_CHECKING:
    from router.learning.tagging import CallTrainingConfig

FOLD_ROWS = 12_800
"""Lessons times folds, within the bounds for these: so many that a proof does not cost ever more."""
COMPARED = "candidate.json"


@dataclass(frozen=True)
class LearnerConfig:
    """``training``: how a model is trained (None: as is best for so many lessons). ``folds``: at least and at most so
    many; the more, the nearer a fold's model is to one that has learned from all. ``workers``: processes that train at a
    time, which changes no result; they stay for the next candidate."""

    training: CallTrainingConfig | None = None
    folds: tuple[int, int] = (3, 8)
    workers: int = 1

    def folds_for(self, lessons: int) -> int:
        """Into how many folds so many lessons fall."""
        least, most = self.folds
        return max(least, min(most, FOLD_ROWS // max(1, lessons)))


@dataclass(frozen=True)
class Lesson:
    """What a request teaches. ``row``: its number; ``example``: what the LLM called for it; ``proof``: whether the LLM
    answered it whatever the router thought of it (see ``gate``)."""

    row: int
    example: Example
    proof: bool = True


@dataclass(frozen=True)
class Candidate:
    """A model that has learned from so many ``rows`` in ``seconds`` of this processor's time, with its proof."""

    model: CallModel
    comparisons: tuple[Comparison, ...]
    usual: Usual
    rows: int
    seconds: float

    def save(self, folder: Path) -> None:
        """Write the model's files and ``candidate.json`` into ``folder``."""
        self.model.save(folder)
        about = {
            "rows": self.rows,
            "seconds": self.seconds,
            "unseen": self.usual.unseen,
            "comparisons": [[one.row, one.tool, one.confidence, one.agreed] for one in self.comparisons],
        }
        (folder / COMPARED).write_text(json.dumps(about), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Candidate:
        """The inverse of ``save``. Raises OSError and ArtifactError where something is missing or damaged."""
        about = _about(folder)
        comparisons, usual = compared(folder)
        return cls(CallModel.load(folder), comparisons, usual, about["rows"], about["seconds"])


def compared(folder: Path) -> tuple[tuple[Comparison, ...], Usual]:
    """The comparisons of the candidate in ``folder``, and what is usual for it, without its model. Raises OSError."""
    about = _about(folder)
    return tuple(Comparison(*one) for one in about["comparisons"]), Usual(about["unseen"])


def _about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / COMPARED).read_text(encoding="utf-8"))


def confidences(call: LearnedCall) -> dict[Scope, float]:
    """How sure ``call`` is of its tool, and of all of it; 0 where a slot is missing that calls of the tool have."""
    tool = call.probability / call.read.posterior if call.read.posterior else 0.0
    return {"tool": min(1.0, tool), "call": 0.0 if call.read.missing else call.confidence}


def compare(row: int, call: LearnedCall, example: Example) -> Comparison:
    """``call``, which was read from ``example``'s question, beside what the LLM called."""
    agreed: dict[Scope, bool] = {"tool": call.tool == example.tool, "call": is_right(call, example)}
    return Comparison(row, str(call.tool), confidences(call), agreed)


def read_as_of_then(model: CallModel, example: Example) -> LearnedCall:
    """What ``model`` reads in the question of ``example`` as of when it was asked: "tomorrow" was another day then."""
    return model.call(example.question, asked_at(example, datetime.fromisoformat(model.parts.asked_on)))


def words_of(model: CallModel) -> frozenset[str]:
    """The words that ``model`` has learned from."""
    return frozenset(model.router.vocabulary.words)


def unseen(words: frozenset[str], question: str) -> bool:
    """Whether ``question`` has a word that is not among ``words``."""
    return any(word[:MAX_LETTERS] not in words for word in tokenise(question))


def digest(lessons: Sequence[Lesson]) -> str:
    """A short name of what is learned from, equal in every process."""
    rows = [
        [one.row, one.example.question, one.example.tool, one.example.arguments, one.example.at, one.proof]
        for one in lessons
    ]
    return hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()[:16]


def train_candidate(
    lessons: Sequence[Lesson],
    config: LearnerConfig = LearnerConfig(),
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Candidate:
    """A candidate that has learned from ``lessons``; ``on_progress`` is told how many of how many models are trained.

    Where they are of one tool only, it learns as well what belongs to none (``router.learning.own.world``), which proves
    nothing. Raises ValueError where there are too few lessons to train on.
    """
    from router.learning.tagging import CallTrainingConfig

    examples = [lesson.example for lesson in lessons]
    lesson_of = {id(lesson.example): lesson for lesson in lessons}
    parts = _folds(examples, config.folds_for(len(examples)))
    if len(parts) < 2:
        raise ValueError(f"{len(lessons)} lessons; a model and its proof need several of two tools. Add examples.")
    outside = _folds(_outside(examples, len(parts)), len(parts)) or [[] for _ in parts]
    training = config.training or CallTrainingConfig.of(len(examples) + sum(map(len, outside)))
    whole_rows = [*examples, *(example for part in outside for example in part)]
    # the candidate itself is calibrated on what it has learned, which is put right below
    jobs = [Job(whole_rows, parts[-1], outside[-1], training)]
    for part, beside in zip(parts, outside):
        rest = [example for i, other in enumerate(parts) if other is not part for example in (*other, *outside[i])]
        jobs.append(Job(rest, part, beside, training))
    (whole, *fitted) = _trained(jobs, config.workers, on_progress)
    held = [(example, call) for part, one in zip(parts, fitted) for example, call in zip(part, one.calls)]
    strange = sum(one.strange for one in fitted)
    temperature = math.exp(sum(math.log(one.model.router.calibration.temperature) for one in fitted) / len(fitted))
    model = whole.model
    router = model.router.with_calibration(replace(model.router.calibration, temperature=temperature))
    confidence = fit_call_confidence([call for _, call in held], [example for example, _ in held])
    held = [(e, replace(call, confidence=confidence.of(call.probability, call.read))) for e, call in held]
    return Candidate(
        model=CallModel(router, replace(model.parts, confidence=confidence)),
        comparisons=tuple(
            compare(lesson.row, call, example) for example, call in held if (lesson := lesson_of[id(example)]).proof
        ),
        usual=Usual(greatest_share(strange, len(held), 0.01)),
        rows=len(lessons),
        seconds=sum(one.seconds for one in (whole, *fitted)),
    )


@dataclass(frozen=True)
class _Fitted:
    """A model, what it reads in the examples that it was held from, how many of these have a word that it does not know,
    and the processor's seconds that it took."""

    model: CallModel
    calls: list[LearnedCall]
    strange: int
    seconds: float


@dataclass(frozen=True)
class Job:
    """What a model learns from, what it is calibrated on and reads then, what it is calibrated on besides, and how it is
    trained."""

    examples: Sequence[Example]
    part: Sequence[Example]
    outside: Sequence[Example]
    training: CallTrainingConfig


def _fit(job: Job) -> _Fitted:
    from router.learning.tagging import fit_calls

    started = time.process_time()
    model = fit_calls(job.examples, job.training, validation=[*job.part, *job.outside])
    words = words_of(model)
    calls = [read_as_of_then(model, example) for example in job.part]
    strange = sum(unseen(words, example.question) for example in job.part)
    return _Fitted(model, calls, strange, time.process_time() - started)


def _trained(jobs: Sequence[Job], workers: int, on_progress: Callable[[int, int], None]) -> list[_Fitted]:
    """What comes of ``jobs``, in their order."""
    if workers < 2:
        found = []
        for job in jobs:
            found.append(_fit(job))
            on_progress(len(found), len(jobs))
        return found
    begun = [_pool(workers).submit(_fit, job) for job in jobs]
    for done, _ in enumerate(as_completed(begun), 1):
        on_progress(done, len(jobs))
    return [one.result() for one in begun]


@cache
def _pool(workers: int) -> ProcessPoolExecutor:
    """Processes that end with this one, also where it is killed."""
    return ProcessPoolExecutor(workers, get_context("spawn"), _end_with_parent)


def _end_with_parent() -> None:
    def wait() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _folds(examples: Sequence[Example], count: int) -> list[list[Example]]:
    """``examples`` in ``count`` parts, every tool spread evenly. Equal questions are not kept together: that a question
    comes again is as likely for the next request as it was for these."""
    shuffled = list(examples)
    random.Random(0).shuffle(shuffled)
    shuffled.sort(key=lambda example: example.tool)
    return [part for part in (shuffled[i::count] for i in range(count)) if part]


def _outside(examples: Sequence[Example], folds: int) -> list[Example]:
    """Questions that belong to no tool, where without one fold of ``examples`` fewer than two labels have two rows: a
    router tells at least two apart."""
    from router.learning.own import world

    counts = Counter(example.tool for example in examples)
    enough = [tool for tool, n in counts.items() if n - math.ceil(n / folds) >= 2]
    if len(enough) >= 2 or not counts.keys() - set(NON_TOOLS):
        return []
    return [replace(example, tool=NONE) for example in world(examples)]
