"""A log of calls as a network reads it, and the batches that are drawn from it.

In a drawn row values may be exchanged for others of their slot, and the gazetteer does not count what the row itself
has brought in. Leaves out the network and its optimisation.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import torch

from router.calls.gazetteer import Gazetteer
from router.calls.slots import Row, Slot, asked_on, dated, learn_slots, placed, read_row
from router.calls.tagger import spans_of
from router.learning.tagger import Batch
from router.network.calibration import label_numbers
from router.network.features import MAX_WORDS
from router.network.module import RouterNetwork
from router.types import Example


def _span_names(slots: Mapping[str, Sequence[Slot]]) -> dict[str, set[str]]:
    return {tool: {slot.name for slot in own if slot.kind == "span"} for tool, own in slots.items()}


LEAST_BATCH = 16


@dataclass(frozen=True)
class Drawing:
    """How batches are drawn. They have ``batch_size`` rows, in a small log fewer. ``swapped`` is the share of rows
    whose values are exchanged, each with the chance ``swap``; ``hint_dropout`` that of rows without the gazetteer.
    """

    batch_size: int = 64
    swapped: float = 0.5
    swap: float = 0.6
    hint_dropout: float = 0.2


@dataclass(frozen=True)
class CallLog:
    """The rows of a log as numbers. ``asked_on``: the day that its dates go by. ``values``: the words of all values of
    each span slot. ``tools`` (rows,) label numbers. ``tags``: those of each row, None where a value is not known or not
    found."""

    rows: Sequence[Row]
    asked_on: datetime
    slots: Mapping[str, tuple[Slot, ...]]
    span_slots: tuple[str, ...]
    values: Sequence[Sequence[tuple[str, ...]]]
    gazetteer: Gazetteer
    tools: np.ndarray
    tags: Sequence[list[int] | None]

    @property
    def spoken(self) -> dict[str, frozenset[str]]:
        """The words of each tool's rows beside their values, with those that half of the labels have: these say nothing
        of any tool."""
        own: dict[str, set[str]] = {tool: set() for tool in self.slots}
        for row, tags in zip(self.rows, self.tags):
            beside = (word for word, tag in zip(row.words, tags or [0] * len(row.words)) if not tag)
            own[row.tool].update(word for word in beside if word.isalpha())
        labels = Counter(word for words in own.values() for word in words)
        common = {word for word, n in labels.items() if 2 * n >= len(own)}
        return {tool: frozenset(words | common) for tool, words in own.items()}

    @property
    def known(self) -> tuple[str, ...]:
        """The tools whose arguments at least one row says."""
        said = {row.tool for row in self.rows if row.arguments is not None}
        return tuple(tool for tool in self.slots if tool in said)

    @classmethod
    def read(cls, examples: Sequence[Example]) -> CallLog:
        """What ``examples`` show."""
        rows = [read_row(example) for example in examples]
        day = asked_on(rows)
        rows = dated(rows, day)
        slots = learn_slots(rows)
        rows = [placed(row, slots[row.tool]) for row in rows]
        names = tuple(sorted({slot.name for own in slots.values() for slot in own if slot.kind == "span"}))
        numbers = {tool: {slot.name: names.index(slot.name) for slot in own if slot.kind == "span"}
                   for tool, own in slots.items()}  # fmt: skip
        tags = [_tags(row, numbers[row.tool]) for row in rows]
        values: list[list[tuple[str, ...]]] = [[] for _ in names]
        for row, own in zip(rows, tags):
            for slot, places in spans_of(own or []).items():
                values[slot] += [row.words[a:b] for a, b in places]
        return cls(
            rows=rows,
            asked_on=day,
            slots=slots,
            span_slots=names,
            values=values,
            gazetteer=Gazetteer.build(len(names), ((i, words) for i, own in enumerate(values) for words in own)),
            tools=label_numbers(tuple(slots), [row.tool for row in rows]),
            tags=tags,
        )


Drawn = tuple[Sequence[str], Sequence[int] | None]
"""Words and tags of a row, perhaps with other values in its slots; None where a value is not known or not found."""


class Batches:
    """Draws training batches without end: rows of like length together."""

    def __init__(self, log: CallLog, drawing: Drawing, seed: int) -> None:
        self.log, self.drawing, self.random = log, drawing, random.Random(seed)
        self.size = min(drawing.batch_size, max(LEAST_BATCH, len(log.rows) // 16))

    def __iter__(self) -> Iterator[tuple[list[int], list[Drawn]]]:
        """Batches without end: row numbers, and what is drawn of each."""
        order, size = [i for i, row in enumerate(self.log.rows) if row.words], self.size
        while order:
            self.random.shuffle(order)
            pools = (sorted(order[a : a + 8 * size], key=lambda i: len(self.log.rows[i].words))
                     for a in range(0, len(order), 8 * size))  # fmt: skip
            batches = [pool[a : a + size] for pool in pools for a in range(0, len(pool), size)]
            self.random.shuffle(batches)
            for chosen in batches:
                yield chosen, [self._drawn(i) for i in chosen]

    def read(
        self, chosen: Sequence[int], drawn: Sequence[Drawn], network: RouterNetwork
    ) -> tuple[Batch, torch.Tensor, torch.Tensor]:
        """What ``network`` reads of rows drawn; their tags (n, longest), and whether these are known (n,), 1 or 0."""
        longest = max(len(words) for words, _ in drawn)
        tags = np.zeros((len(drawn), longest), np.int64)
        hints = np.zeros((len(drawn), longest, 2 * len(self.log.span_slots)), np.float32)
        for n, (words, own) in enumerate(drawn):
            tags[n, : len(words)] = own if own is not None else 0
            if self.random.random() >= self.drawing.hint_dropout:
                matches = self.log.gazetteer.matches(words, self._brought(words, own or []))
                hints[n, : len(words)] = self.log.gazetteer.bits(len(words), matches)
        batch = Batch(
            [network.encode_words(words) for words, _ in drawn],
            torch.from_numpy(hints),
            torch.tensor([len(words) for words, _ in drawn]),
            torch.from_numpy(self.log.tools[chosen]),
        )
        known = torch.tensor([float(own is not None) for _, own in drawn])
        return batch, torch.from_numpy(tags), known

    def _drawn(self, i: int) -> Drawn:
        words, tags = self.log.rows[i].words, self.log.tags[i]
        if not tags or not any(tags) or self.random.random() >= self.drawing.swapped:
            return words, tags
        new_words, new_tags = list(words), list(tags)
        places = sorted(((a, b, slot) for slot, found in spans_of(tags).items() for a, b in found), reverse=True)
        for start, end, slot in places:  # from the right, so that places to the left stay where they are
            if self.random.random() < self.drawing.swap:
                value = self.random.choice(self.log.values[slot])
                new_words[start:end] = value
                new_tags[start:end] = _tagged(slot, len(value))
        return (new_words, new_tags) if len(new_words) <= MAX_WORDS else (words, tags)

    def _brought(self, words: Sequence[str], tags: Sequence[int]) -> Counter[tuple[str, int]]:
        """The values that a row itself has brought into the gazetteer."""
        return Counter(
            (" ".join(words[start:end]), slot) for slot, places in spans_of(tags).items() for start, end in places
        )


def _tags(row: Row, numbers: Mapping[str, int]) -> list[int] | None:
    if row.arguments is None:
        return None
    tags = [0] * len(row.words)
    for name in sorted(numbers.keys() & row.places.keys()):
        places = row.places[name]
        if places is None:
            return None
        for start, end in places:
            tags[start:end] = _tagged(numbers[name], end - start)
    return tags


def _tagged(slot: int, size: int) -> list[int]:
    return [2 * slot + 1] + [2 * slot + 2] * (size - 1)
