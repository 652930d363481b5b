"""A router for somebody's own tools: their rows, the world outside them, and what held-out rows say of the result.

Rows of tools alone cannot teach that a question belongs to none of them. So they are mixed with small talk and with
questions that no tool serves, to which those of the built-in tools belong where these are not trained. Rows with
arguments teach the whole call. Leaves out the router that ships (``shipped.py``).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from router.calls.confidence import ONE_SIDED
from router.calls.tagger import CallModel
from router.learning import synthetic
from router.learning.data import folds, split
from router.learning.log_tools import described
from router.learning.tagging import CallProgress, CallTrainingConfig, JudgedCalls, fit_and_judge
from router.learning.training import (
    FILLER_TEXTS,
    Progress,
    TrainingConfig,
    find_fillers,
    fit_on_folds,
    fit_supervised,
    nobody,
)
from router.network import Router
from router.network.calibration import AbstentionTarget, wilson
from router.network.features import tokenise
from router.tools import ToolSet
from router.types import NON_TOOLS, NONE, SMALLTALK, Example

TARGET = AbstentionTarget("coverage", 0.96, floor=0.5)
"""A call that is likelier wrong than right is not made, whatever the coverage."""
FEW = 1_000
"""Rows below which each is held out once, in FOLDS trainings: a tenth of them would be too few to judge by."""
FOLDS = 5
MANY = 5_000
"""Rows of tools from which a tenth of them is enough to judge calls by."""
LEAST_STEPS = 250
"""Steps of a training of calls, so that FOLDS more of them are made within a minute."""
NONE_ROWS = (400, 4_000)
"""At least and at most so many rows of ``none``; between these, twice as many as the tools have. Small talk: half."""
LIKE = 0.5
"""Cosine of two questions' words, rare words weighing more, from which one may be the other tool's."""
OVERLAP = 0.15
"""Share of a label's rows with a like question of a built-in tool, at least two, from which that tool is not the world
outside. Of eight tools' own questions a quarter to two thirds have one, of other tools' up to a tenth.
"""
SAMPLE = 200
"""Questions a label by which the world's words are counted and overlaps are looked for."""
COMPARED = 4_000
"""Rows of tools that likeness is looked for in."""
SOUND = 0.6
"""Share of held-out rows of the tools that a sound router has right, at 95 % confidence."""
ENOUGH = 20
"""Rows a label that are asked for."""
MIN_FILLERS = 20
"""Fillers below which the rows are too few to show them."""
LEAST_TARGET = 0.5
"""A target that is worth naming: calls likelier right than wrong."""
SCARCE = 10
"""Rows a label below which a warning names it."""


def train(
    rows: Sequence[Example],
    seed: int = 0,
    epochs: int = 8,
    on_progress: Callable[[Progress], None] = nobody,
) -> Router:
    """A calibrated router for the labels of ``rows``, ``none`` and ``smalltalk``, with ``warnings`` where it is poor.

    Its threshold stands on rows that were held out, all of them where they are fewer than FEW. Raises ValueError where
    no row names a tool.
    """
    tools = _own(rows)
    mixed = [*rows, *world(rows, seed)]
    size = min(128, max(16, len(mixed) // 32))  # some thirty steps an epoch, however few rows there are
    config = TrainingConfig(epochs=epochs, batch_size=size, target=TARGET, seed=seed)
    if len(rows) < FEW:
        router, held, right = fit_on_folds(folds(mixed, FOLDS, seed), config, on_progress)
    else:
        training, held = split(mixed, seed)
        router = fit_supervised(training, config, on_progress, held)
        right = [decision.tool == row.tool for decision, row in zip(router.decide_batch(_questions(held)), held)]
    judged = [ok for row, ok in zip(held, right) if row.tool not in NON_TOOLS]
    about = {
        **router.provenance,
        "own_rows": len(rows),
        "held_out": {"rows": len(judged), "right": int(sum(judged))},
        "warnings": list(_warnings(tools, judged)),
    }
    return router.having(provenance=about, fillers=_fillers(mixed))


@dataclass(frozen=True)
class CallAims:
    """What a call model is trained for: the share of its calls that are to be right, and how: so many ``epochs`` (None:
    as many as ``CallTrainingConfig.of`` has), with this ``seed``."""

    target: float = 0.97
    epochs: int | None = None
    seed: int = 0


def train_calls(
    rows: Sequence[Example],
    tools: ToolSet = ToolSet(),
    aims: CallAims = CallAims(),
    on_progress: Callable[[CallProgress], None] = nobody,
) -> CallModel:
    """The model of ``learn_calls``."""
    return learn_calls(rows, tools, aims, on_progress).model


def learn_calls(
    rows: Sequence[Example],
    tools: ToolSet = ToolSet(),
    aims: CallAims = CallAims(),
    on_progress: Callable[[CallProgress], None] = nobody,
) -> JudgedCalls:
    """A calibrated call model for the labels of ``rows``, ``none`` and ``smalltalk``, with what it read in held-out
    rows, those of ``world`` among them; its ``warnings`` say where it is poor.

    A call is sure where at least ``aims.target`` of the calls on held-out rows were right as a whole, by the lower
    bound of that share. The model keeps ``tools``; those of the rows that are not among them are described from the
    rows. Raises ValueError where no row names a tool, and where there are fewer than two labels of two rows.
    """
    own = _own(rows)
    mixed = [*rows, *world(rows, aims.seed)]
    config = CallTrainingConfig.of(
        len(mixed),
        target=aims.target,
        abstention=TARGET,
        seed=aims.seed,
        validation=0.1 if len(own) >= MANY else 0.0,
        **({"folds": FOLDS} if len(rows) < FEW else {}),
        **({"least_steps": LEAST_STEPS} if aims.epochs is None else {"epochs": aims.epochs, "least_steps": 1}),
    )
    found = fit_and_judge(mixed, config, on_progress)
    model = found.model
    held, chosen = model.parts.provenance["held_out"], model.parts.confidence.chosen_on
    judged = [True] * held["right"] + [False] * (held["rows"] - held["right"])
    about = {"own_rows": len(rows), "warnings": [*_warnings(own, judged), *call_warnings(chosen, found.stopped)]}
    router = model.router.having(provenance={**model.router.provenance, **about}, fillers=_fillers(mixed))
    parts = replace(model.parts, tools=tuple((tools | described(own, tools)).as_json()))
    return replace(found, model=CallModel(router, parts))


def _own(rows: Sequence[Example]) -> list[Example]:
    """The rows of tools. Raises ValueError where there is none."""
    tools = [row for row in rows if row.tool not in NON_TOOLS]
    if not tools:
        raise ValueError(f"{len(rows)} examples name no tool. Give rows whose label is a tool's name.")
    return tools


def world(rows: Sequence[Example], seed: int = 0) -> list[Example]:
    """Small talk and ``none`` to train beside ``rows``, as far as these bring too little of either.

    Half of ``none`` are questions of the built-in tools that ``rows`` do not name. What is like a row of a tool is left
    out, and a built-in tool altogether where the rows of some label are much like its questions.
    """
    tools = [row for row in rows if row.tool not in NON_TOOLS]
    own = Counter(row.tool for row in rows)
    least, most = NONE_ROWS
    wanted = min(most, max(least, 2 * len(tools)))
    missing = wanted - own[NONE]
    found: list[Example] = []
    asked = {label: _questions(synthetic.generate(label, SAMPLE, seed)) for label in synthetic.LABELS}
    likeness = Likeness(tools, [question for questions in asked.values() for question in questions], seed)
    if missing > 0:
        others = asked.keys() - own.keys() - set(NON_TOOLS)
        outside = [label for label in sorted(others) if not likeness.overlaps(asked[label])]
        each = missing // 2 // max(1, len(outside))
        found += [replace(row, tool=NONE) for label in outside for row in synthetic.generate(label, each, seed)]
        found += synthetic.generate(NONE, missing - len(found), seed)
    found += synthetic.generate(SMALLTALK, max(0, wanted // 2 - own[SMALLTALK]), seed)
    return [row for row, score in zip(found, likeness.of(_questions(found))) if score < LIKE]


class Likeness:
    """How like other questions are to rows of tools: the cosine of their words without digits. The rarer a word is in
    the questions of ``world``, the more it weighs.
    """

    def __init__(self, rows: Sequence[Example], world: Sequence[str], seed: int = 0) -> None:
        rows = random.Random(seed).sample(rows, min(COMPARED, len(rows)))
        self._labels = [row.tool for row in rows]
        texts = [_words(row.question) for row in rows]
        self._world = len(world)
        self._in = Counter(word for question in world for word in _words(question))
        self._columns = {word: i for i, word in enumerate(sorted(set().union(*texts)))}
        self._rows = self._matrix(texts)

    def of(self, questions: Sequence[str]) -> np.ndarray:
        """The likeness (n,) of each question to the row that is most like it."""
        parts = [self._cosines(questions[i : i + 500]).max(1) for i in range(0, len(questions), 500)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def overlaps(self, questions: Sequence[str]) -> bool:
        """Whether a share OVERLAP of some label's rows, two or more, have a like question among ``questions``."""
        like = self._cosines(questions).max(0) >= LIKE
        totals, hits = Counter(self._labels), Counter(label for label, hit in zip(self._labels, like) if hit)
        return any(hits[label] >= max(2, OVERLAP * n) for label, n in totals.items())

    def _cosines(self, questions: Sequence[str]) -> np.ndarray:
        return self._matrix([_words(question) for question in questions]) @ self._rows.T

    def _matrix(self, texts: Sequence[set[str]]) -> np.ndarray:
        """Unit rows (n, words); words that no row has count in a text's length only."""
        out = np.zeros((len(texts), len(self._columns)), np.float32)
        for row, text in zip(out, texts):
            weights = {word: math.log((2 + self._world) / (1 + self._in[word])) for word in text}
            length = math.sqrt(sum(weight**2 for weight in weights.values())) or 1.0
            for word in text & self._columns.keys():
                row[self._columns[word]] = weights[word] / length
        return out


def _words(question: str) -> set[str]:
    return {word for word in tokenise(question) if not word.isdigit()}


def _questions(examples: Iterable[Example]) -> list[str]:
    return [example.question for example in examples]


def _fillers(rows: Sequence[Example]) -> frozenset[str]:
    """The rows' own fillers; where they show too few, also the shipped router's that the rows do not contradict."""
    found = find_fillers(rows)
    if len(found) >= MIN_FILLERS:
        return found
    texts = Counter(word for row in rows for word in _words(row.question))
    return found | {word for word in Router.from_pretrained().fillers if texts[word] < FILLER_TEXTS}


def _warnings(tools: Sequence[Example], judged: Sequence[bool]) -> Iterator[str]:
    """What is wrong with a router whose held-out rows of tools were ``judged`` so."""
    right, total = int(sum(judged)), len(judged)
    bound = wilson(right, total)[0]
    if bound < SOUND:
        yield (
            f"{right} of {total} held-out rows of the tools right, at 95 % confidence at least {bound:.0%}; a router "
            f"to rely on has {SOUND:.0%}. Give at least {ENOUGH} rows a label, in the words that people use."
        )
    counts = Counter(row.tool for row in tools)
    scarce = [f"{label} ({n})" for label, n in sorted(counts.items()) if n < SCARCE]
    if scarce:
        shown = ", ".join(scarce[:5]) + (f" and {len(scarce) - 5} more" if len(scarce) > 5 else "")
        yield f"Labels with fewer than {SCARCE} rows: {shown}. Give at least {ENOUGH} a label."


def call_warnings(chosen: Mapping[str, Any], stopped: tuple[int, int] | None) -> Iterator[str]:
    """What ``chosen_on`` of a call model's confidence says against it, and that its training was ``stopped``."""
    target, rows, provable = chosen["target"], chosen["questions"], chosen["provable"]
    if stopped:
        part, parts = stopped
        learned = "with fewer steps than planned" if part == 1 else f"from {parts - 2} of {parts - 1} parts of the rows"
        yield f"Stopped in training {part} of {parts}: it has learned {learned}. Train to the end for a better one."
    if chosen["sure"]:
        return
    needed = math.ceil(ONE_SIDED**2 * target / (1 - target))
    lower = f"--target {provable}, which is the highest that these prove" if provable >= LEAST_TARGET else "better ones"
    what = f"{rows} rows with arguments, {chosen['right']} of them read right as a whole when held out"
    yield (
        f"No call is sure enough to be made: {what}. For a precision of {target:.0%} at 95 % confidence at least "
        f"{needed} held-out calls must be right without an error between. Give more rows, or {lower}."
    )
