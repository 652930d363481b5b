"""A log of calls → a trained, calibrated ``CallModel``: the tool, and every argument.

Leaves out the readings that tools bring themselves, and types: a span stays the question's text.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from router.calls.artifact import CallParts
from router.calls.confidence import Confidence, fit_call_confidence, is_right
from router.calls.read import LearnedCall
from router.calls.slots import Row, asked_at
from router.calls.tagger import CallModel
from router.learning.call_log import Batches, CallLog, Drawing
from router.learning.classes import fit_classes
from router.learning.data import folds
from router.learning.tagger import CallNetwork
from router.learning.training import (
    Descent,
    DescentConfig,
    balance,
    calibrate,
    find_fillers,
    fit_calibration,
    hold_out,
    provenance,
    remember,
    seeded,
    smoothed,
)
from router.network.calibration import AbstentionTarget
from router.network.features import Vocabulary
from router.network.module import NetworkConfig
from router.types import NON_TOOLS, Example

SMALL_LOG = 4_000
"""Rows up to which a log is small."""
REPORTS = 20
"""Reports that a listener has of each training."""
WATCHED = 60
"""Held-out rows of tools that a training is watched by."""
LEAST_HELD_OUT = 500
"""Rows without which a held-out share promises too little: a precision of 97 % needs 88 calls without an error."""


@dataclass(frozen=True)
class CallTrainingConfig(DescentConfig):
    """How a call model is trained.

    ``layers`` dilated convolutions stand on the router's, whose channels are divided among ``members``: see
    ``CallNetwork``. ``least_steps`` are made however short the log. ``validation`` is the share of each tool that is
    held out to calibrate, ``folds`` into how many parts a small log falls instead; ``target`` the precision of whole
    calls that a threshold must hold on its lower bound, ``abstention`` what the router's own threshold is for.
    """

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(256, 128, dropout=0.3, word_dropout=0.1))
    members: int = 1
    layers: int = 2
    epochs: int = 14
    least_steps: int = 350
    label_smoothing: float = 0.05
    path_weight: float = 0.5
    drawing: Drawing = Drawing()
    validation: float = 0.1
    folds: int = 3
    target: float = 0.97
    abstention: AbstentionTarget = AbstentionTarget()
    seed: int = 0

    @classmethod
    def of(cls, rows: int, **settings: Any) -> CallTrainingConfig:
        """What is measured to be best for a log of so many rows. A small one is trained for few steps, which want less
        dropout and a higher rate for the tables, and makes two taggers differ enough for a vote to be worth its time.
        """
        if rows > SMALL_LOG:
            return cls(**settings)
        small = {
            "network": NetworkConfig(256, 256, dropout=0.1, word_dropout=0.1),
            "members": 2,
            "table_learning_rate": 5e-3,
            "drawing": Drawing(swapped=0.9, swap=0.8),
        }
        return cls(**small | settings)


@dataclass(frozen=True)
class CallProgress:
    """A bit of training has ended: ``step`` of ``steps`` in training ``part`` of ``parts``, so many passes over its
    rows (``epoch`` of ``epochs``), mean ``loss`` since the last report. ``model`` gives what has been trained so far,
    and ``held_right`` the share of this training's held-out rows that it reads right (None where it has none): both
    cost time, so they are made when they are asked for."""

    part: int
    parts: int
    step: int
    steps: int
    epoch: float
    epochs: float
    loss: float
    seconds: float
    model: Callable[[], CallModel]
    held_right: Callable[[], float | None] = lambda: None


class Enough(Exception):
    """Raised by a listener: no further step is to be made, and the best that was trained so far is kept."""


def nobody(progress: CallProgress) -> None:
    """The listener of a training that nobody watches. A listener may raise to break the training off, or ``Enough`` to
    end it."""


@dataclass(frozen=True)
class JudgedCalls:
    """A trained ``model`` and what it is judged by: ``held``, rows with what a model that had not seen them read, as
    sure as ``model`` takes that to be. ``stopped``: in which training of how many a listener had enough, if one had."""

    model: CallModel
    held: tuple[tuple[Example, LearnedCall], ...]
    stopped: tuple[int, int] | None = None


def fit_calls(
    examples: Sequence[Example],
    config: CallTrainingConfig | None = None,
    on_progress: Callable[[CallProgress], None] = nobody,
    validation: Sequence[Example] | None = None,
) -> CallModel:
    """The model of ``fit_and_judge``."""
    return fit_and_judge(examples, config, on_progress, validation).model


def fit_and_judge(
    examples: Sequence[Example],
    config: CallTrainingConfig | None = None,
    on_progress: Callable[[CallProgress], None] = nobody,
    validation: Sequence[Example] | None = None,
) -> JudgedCalls:
    """A calibrated call model trained on ``examples`` with their arguments, as ``CallTrainingConfig.of`` has it where
    no ``config`` is given.

    Where ``validation`` is not given, a share is held out to calibrate on; of a log too small for that, each of
    ``config.folds`` parts is read by a model that was trained on the others, and the model itself on all. Where a
    listener has had ``Enough``, the model is the best of those trained to the end, and the first as it is where none
    was. Raises ValueError where there are too few examples.
    """
    started = time.process_time()
    config = config or CallTrainingConfig.of(len(examples))
    if validation is None and len(examples) * config.validation >= LEAST_HELD_OUT:
        examples, validation = hold_out(examples, config.validation, config.seed)
    several = [tool for tool, n in Counter(example.tool for example in examples).items() if n > 1]
    if len(several) < 2:
        raise ValueError(
            f"{len(several)} tool with two or more examples among {len(examples)}; a router needs two. Add examples."
        )
    trainings = [*_folds(examples, config), (examples, ())] if validation is None else [(examples, validation)]
    models: list[CallModel] = []
    held: list[_Held] = []
    stopped = None
    for part, (rest, fold) in enumerate(trainings, 1):
        watched = _Watched(on_progress, part, len(trainings), fold)
        model = _fit(rest, config, watched)
        stopped = (part, len(trainings)) if watched.enough else None
        if not stopped or not held:
            models.append(model)
            held += [_read_all(model, fold)] if fold or validation is not None else []
        if stopped:
            break
    model = models[-1] if not stopped else max(zip(models, held), key=lambda pair: pair[1].share_right)[0]
    return _judged(model, held, config, provenance(examples, asdict(config), started), stopped)


def _judged(
    model: CallModel,
    held: Sequence[_Held],
    config: CallTrainingConfig,
    about: dict[str, Any],
    stopped: tuple[int, int] | None,
) -> JudgedCalls:
    """``model`` calibrated on all that was ``held`` out."""
    labels = model.router.labels
    rows = [example for part in held for example in part.examples]
    calls = [call for part in held for call in part.calls]
    logits = np.concatenate([part.logits(labels) for part in held])
    calibration = fit_calibration(logits, rows, labels, config.abstention)
    judged = [labels[best] == row.tool for best, row in zip(logits.argmax(1), rows) if row.tool not in NON_TOOLS]
    about |= {"held_out": {"rows": len(judged), "right": sum(judged)}}
    router = model.router.having(calibration=calibration, provenance=about)
    confidence = fit_call_confidence(calls, rows, config.target)
    found = CallModel(router, replace(model.parts, confidence=confidence, provenance=about))
    return JudgedCalls(found, tuple(zip(rows, (_sure(call, confidence) for call in calls))), stopped)


def _sure(call: LearnedCall, confidence: Confidence) -> LearnedCall:
    """``call`` as sure as ``confidence`` makes it."""
    of = confidence.of(call.probability, call.read) if call.probability else 0.0
    return replace(call, confidence=of, sure=call.whole and of >= confidence.least(call.tool))


class _Watched:
    """Training ``part`` of ``parts`` with its listener: adds what is known of ``fold``, notes Enough."""

    def __init__(
        self, on_progress: Callable[[CallProgress], None], part: int, parts: int, fold: Sequence[Example]
    ) -> None:
        self.enough = False
        self._on_progress, self._part, self._parts = on_progress, part, parts
        tools = [example for example in fold if example.tool not in NON_TOOLS]
        self._sample = random.Random(0).sample(tools, min(WATCHED, len(tools)))

    def __call__(self, progress: CallProgress) -> None:
        right = lambda: _share_right(progress.model(), self._sample)  # noqa: E731
        try:
            self._on_progress(replace(progress, part=self._part, parts=self._parts, held_right=right))
        except Enough:
            self.enough = True
            raise


def _share_right(model: CallModel, examples: Sequence[Example]) -> float | None:
    """The share of ``examples`` that ``model`` reads right, as far as they say; None where there are none."""
    if not examples:
        return None
    return _Held(model, examples, _read(model, examples)).share_right


@dataclass(frozen=True)
class _Held:
    """What a model reads in examples that it was not trained on."""

    model: CallModel
    examples: Sequence[Example]
    calls: Sequence[LearnedCall]

    def logits(self, labels: Sequence[str]) -> np.ndarray:
        """Logits (n, labels) before any temperature; a label that the model does not know has little chance."""
        router = self.model.router
        own = router.logits([e.question for e in self.examples]) * np.float32(router.calibration.temperature)
        out = np.full((len(own), len(labels)), own.min(initial=0.0) - 5, np.float32)
        for column, label in enumerate(labels):
            if label in router.labels:
                out[:, column] = own[:, router.labels.index(label)]
        return out

    @property
    def share_right(self) -> float:
        """The share of calls that are right; of the tool alone where an example does not say its arguments."""
        known = (e.arguments is not None or e.tool in NON_TOOLS for e in self.examples)
        right = [is_right(c, e) if ok else c.tool == e.tool for c, e, ok in zip(self.calls, self.examples, known)]
        return sum(right) / max(1, len(right))


def _fit(
    examples: Sequence[Example], config: CallTrainingConfig, on_progress: Callable[[CallProgress], None]
) -> CallModel:
    """A model trained on ``examples``, not calibrated yet."""
    with seeded(config.seed):
        network, parts = train_network(examples, config, on_progress)
    return CallModel(network.base.fold(memory=remember(examples, config.seed)), parts)


def _read_all(model: CallModel, examples: Sequence[Example]) -> _Held:
    """The calls that ``model`` reads once its tool probabilities are calibrated on the same examples."""
    model = CallModel(calibrate(model.router, examples), model.parts)
    return _Held(model, examples, _read(model, examples))


def _read(model: CallModel, examples: Sequence[Example]) -> list[LearnedCall]:
    day = datetime.fromisoformat(model.parts.asked_on)
    return [model.call(example.question, asked_at(example, day)) for example in examples]


def _folds(examples: Sequence[Example], config: CallTrainingConfig) -> Iterator[tuple[list[Example], list[Example]]]:
    """(the rest, a fold) for each fold that has rows; every tool is spread over them, each wording of it in one."""
    fillers = find_fillers(examples)
    wordings = {id(e): wording(e, row, fillers) for e, row in zip(examples, CallLog.read(examples).rows)}
    parts = folds(examples, config.folds, config.seed, lambda example: wordings[id(example)])
    for i, part in enumerate(parts):
        if part:
            yield [example for k, other in enumerate(parts) if k != i for example in other], part


def wording(example: Example, row: Row, fillers: Collection[str]) -> str:
    """What is left of a question without the values of its call and without ``fillers``: equal for questions that say
    different things in the same words. For a synthetic one, its template. ``row`` is the example's."""
    if example.source.startswith("synthetic:"):
        return example.source
    words: list[str] = [word if word.isalpha() and word not in fillers else "" for word in row.words]
    for slot, places in row.places.items():
        for start, end in places or ():
            words[start:end] = [f"<{slot}>"] + [""] * (end - start - 1)
    return " ".join(filter(None, words))


def train_network(
    examples: Sequence[Example],
    config: CallTrainingConfig = CallTrainingConfig(),
    on_progress: Callable[[CallProgress], None] = nobody,
) -> tuple[CallNetwork, CallParts]:
    """A trained network, and what a ``CallModel`` needs besides its router; nothing is calibrated yet."""
    log = CallLog.read(examples)
    vocabulary = Vocabulary.build(example.question for example in examples)
    network = CallNetwork(vocabulary, log.slots, log.span_slots, config.network, config.members, config.layers)
    phrases = {phrase: dict(counts) for phrase, counts in log.gazetteer.phrases.items()}
    asked_on = log.asked_on.isoformat()
    about = {"asked_on": asked_on, "words": log.spoken, "classes": fit_classes(log)}

    def parts() -> CallParts:
        return CallParts(log.slots, log.span_slots, phrases, network.arrays(), **about).of(log.known)

    _optimise(network, log, config, on_progress, lambda: CallModel(network.base.fold(), parts()))
    return network, parts()


def _optimise(
    network: CallNetwork,
    log: CallLog,
    config: CallTrainingConfig,
    on_progress: Callable[[CallProgress], None],
    trained: Callable[[], CallModel],
) -> None:
    """Train ``network`` on ``log``. ``trained`` gives the model that it is so far."""
    batches = Batches(log, config.drawing, config.seed)
    n_tools = len(network.base.labels)
    targets = torch.from_numpy(smoothed(log.tools, n_tools, config.label_smoothing))
    shares = torch.from_numpy(balance(log.tools, n_tools))
    steps = max(config.least_steps, -(-config.epochs * len(log.rows) // batches.size))
    descent = Descent(network, network.base.tables, config, steps)
    report, total, started = max(1, steps // REPORTS), 0.0, time.perf_counter()
    network.train()
    for step, (chosen, drawn) in zip(range(steps), batches):
        batch, tags, known = batches.read(chosen, drawn, network.base)
        scores = network(batch)
        loss = -((targets[chosen] * F.log_softmax(scores.tools, 1)).sum(1) * shares[chosen]).mean()
        if len(read := scores.read):
            tags, known, mask = tags[read], known[read] / len(chosen), batch.mask[read]
            paths = ((network.path_loss(emissions, tags, mask) * known).sum() for emissions in scores.tags)
            loss = loss + config.path_weight * sum(paths)
        descent.step(loss)
        total += float(loss.detach())
        if (step + 1) % report == 0:
            passes, spent = batches.size / len(log.rows), time.perf_counter() - started
            progress = CallProgress(
                1, 1, step + 1, steps, (step + 1) * passes, steps * passes, total / report, spent, trained
            )
            try:
                on_progress(progress)
            except Enough:
                break
            total = 0.0
    network.eval()
