"""Lessons → a candidate: a model that may act, and what models that had not seen them read in the same lessons.

A lesson is a request that the LLM answered. It is read by the model of the fold that it was held out of, which has
learned from all the others; the candidate itself has learned from all. Leaves out when that happens and in which
process (``background``), and what follows from it (``gate``). torch loads when training begins.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.calls.confidence import fit_call_confidence, is_right
from router.calls.read import LearnedCall
from router.calls.slots import asked_at
from router.calls.tagger import CallModel
from router.handover.evidence import greatest_share
from router.handover.gate import Comparison, Scope, Usual
from router.network.features import MAX_LETTERS, tokenise
from router.types import Example

if TYPE_CHECKING:
    from router.learning.tagging import CallTrainingConfig

FOLD_ROWS = 12_800
"""Lessons times folds, within the bounds for these: so many that a proof does not cost ever more."""
COMPARED = "candidate.json"


@dataclass(frozen=True)
class LearnerConfig:
    """``training``: how a model is trained (None: as is best for so many lessons). ``folds``: at least and at most so
    many; the more, the nearer a fold's model is to one that has learned from all."""

    training: CallTrainingConfig | None = None
    folds: tuple[int, int] = (3, 8)

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
        about: dict[str, Any] = json.loads((folder / COMPARED).read_text(encoding="utf-8"))
        comparisons = tuple(Comparison(*one) for one in about["comparisons"])
        return cls(CallModel.load(folder), comparisons, Usual(about["unseen"]), about["rows"], about["seconds"])


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

    Raises ValueError where there are too few of them to train on.
    """
    from router.learning.tagging import CallTrainingConfig, fit_calls

    started = time.process_time()
    examples = [lesson.example for lesson in lessons]
    lesson_of = {id(lesson.example): lesson for lesson in lessons}
    parts = _folds(examples, config.folds_for(len(examples)))
    if len(parts) < 2:
        raise ValueError(f"{len(lessons)} lessons; a model and its proof need several of two tools. Add examples.")
    training = config.training or CallTrainingConfig.of(len(examples))
    held: list[tuple[Example, LearnedCall]] = []
    strange, temperatures = 0, []
    for number, part in enumerate(parts):
        rest = [example for other in parts if other is not part for example in other]
        model = fit_calls(rest, training, validation=part)
        held += [(example, read_as_of_then(model, example)) for example in part]
        words = words_of(model)
        strange += sum(unseen(words, example.question) for example in part)
        temperatures.append(model.router.calibration.temperature)
        on_progress(number + 1, len(parts) + 1)
    model = fit_calls(examples, training, validation=parts[-1])  # calibrated on what it has learned: that is put right
    temperature = math.exp(sum(map(math.log, temperatures)) / len(temperatures))
    router = model.router.with_calibration(replace(model.router.calibration, temperature=temperature))
    confidence = fit_call_confidence([call for _, call in held], [example for example, _ in held])
    held = [(e, replace(call, confidence=confidence.of(call.probability, call.read))) for e, call in held]
    on_progress(len(parts) + 1, len(parts) + 1)
    return Candidate(
        model=CallModel(router, replace(model.parts, confidence=confidence)),
        comparisons=tuple(
            compare(lesson.row, call, example) for example, call in held if (lesson := lesson_of[id(example)]).proof
        ),
        usual=Usual(greatest_share(strange, len(held), 0.01)),
        rows=len(lessons),
        seconds=time.process_time() - started,
    )


def _folds(examples: Sequence[Example], count: int) -> list[list[Example]]:
    """``examples`` in ``count`` parts, every tool spread evenly. Equal questions are not kept together: that a question
    comes again is as likely for the next request as it was for these."""
    shuffled = list(examples)
    random.Random(0).shuffle(shuffled)
    shuffled.sort(key=lambda example: example.tool)
    return [part for part in (shuffled[i::count] for i in range(count)) if part]
