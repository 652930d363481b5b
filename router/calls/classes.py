"""Which value a class slot has: multinomial logistic regression on the words of a question that are no other slot's
value.

A word that no row of its tool has keeps a call from being made, so nothing is to be gained from what words mean; and
of few rows a linear model of words learns more than a deep one does. numpy only. Leaves out learning
(``router.learning.classes``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from router.calls.slots import Slot
from router.network.features import tokens

SHORT = 4
"""Letters up to which, with the space before them, the words of a value have no endings: "on" is not in "only"."""
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class WordClasses:
    """One tool's class slots. ``cues``: words, and with a space before them the words of values (see ``cues_of``), each
    the number of its row of ``weights`` (cues, columns); ``bias`` (columns,). Columns: see ``class_columns``."""

    cues: Mapping[str, int] = field(default_factory=dict)
    weights: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    bias: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    def choose(self, slots: Sequence[Slot], cues: Collection[str]) -> Iterator[tuple[Slot, Any, float]]:
        """(slot, value, log probability) of every class slot of ``slots``; the value is None where it is open."""
        rows = [self.cues[cue] for cue in sorted(cues) if cue in self.cues]
        logits = np.add.reduce(self.weights[rows], 0, dtype=np.float64) + self.bias
        for slot, start, end in class_columns(slots):
            scores = logits[start:end]
            best = int(scores.argmax())
            value = slot.values[best - 1] if best else None
            yield slot, value, -math.log(np.exp(scores - scores[best]).sum())


def class_columns(slots: Sequence[Slot]) -> list[tuple[Slot, int, int]]:
    """(slot, start, end) of every class slot: one column for "open", then one a value."""
    found, at = [], 0
    for slot in slots:
        if slot.kind == "class":
            found.append((slot, at, at := at + 1 + len(slot.values)))
    return found


def cues_of(words: Sequence[str], taken: Collection[int], phrases: Collection[str]) -> set[str]:
    """What ``words`` tell of classes: those whose number is not ``taken``, and those of ``phrases`` that stand in
    these, a long one perhaps with an ending: "heat" in "heating"."""
    text = f" {' '.join('' if i in taken else word for i, word in enumerate(words))} "
    said = {phrase for phrase in phrases if (phrase if len(phrase) > SHORT else f"{phrase} ") in text}
    return said.union(word for i, word in enumerate(words) if i not in taken)


def disputed(slots: Sequence[Slot], cues: Collection[str], phrases: Mapping[str, Sequence[int]]) -> set[str]:
    """The class slots of which ``cues`` name two values: "the lawn and the roses" is not one of them."""
    named = {column for phrase in phrases.keys() & set(cues) for column in phrases[phrase]}
    return {slot.name for slot, start, end in class_columns(slots) if len(named.intersection(range(start, end))) > 1}


def class_phrases(slots: Sequence[Slot]) -> dict[str, tuple[int, ...]]:
    """The words that name classes of ``slots``, joined by spaces and with one before them → their columns: a value's
    own, and for true those of its slot."""
    found: dict[str, tuple[int, ...]] = {}
    for slot, start, _ in class_columns(slots):
        for column, value in enumerate(slot.values, start + 1):
            named = slot.name if value is True else value
            if isinstance(named, str | int | float) and named is not False:
                words = tokens(_CAMEL.sub(" ", str(named)).replace("_", " "))[0]
                phrase = f" {' '.join(words)}"
                found[phrase] = (*found.get(phrase, ()), column)
    found.pop(" ", None)
    return found
