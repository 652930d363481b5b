"""A log → what tells the values of its class slots (``router.calls.classes``), by L-BFGS on a convex loss."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from router.calls.classes import WordClasses, class_columns, class_phrases, cues_of
from router.calls.slots import Row, Slot, key
from router.learning.call_log import CallLog

RIDGE = 0.05
"""Beside the sum of the rows' losses: the weights' prior variance is 20. Measured on held-out wordings of 300 rows."""
SAID = 4.0
"""What the words of a value add to its score before anything is learned."""
STEPS = 100
OPEN, UNKNOWN = 0, -1
"""The class number of a row without the slot, and of one whose value is none of its classes."""


def fit_classes(log: CallLog) -> dict[str, WordClasses]:
    """For each tool with class slots what tells their values."""
    return {
        tool: _fit([row for row in log.rows if row.tool == tool and row.arguments is not None], own)
        for tool, own in log.slots.items() if class_columns(own)
    }  # fmt: skip


def _fit(rows: list[Row], slots: tuple[Slot, ...]) -> WordClasses:
    phrases = class_phrases(slots)
    said = [sorted(cues_of(row.words, taken(row, slots), phrases)) for row in rows]
    cues = {cue: i for i, cue in enumerate(sorted(set().union(*said)))}
    ids = torch.tensor([cues[cue] for own in said for cue in own], dtype=torch.long)
    starts = torch.tensor(np.cumsum([0, *map(len, said)])[:-1])
    columns = class_columns(slots)
    prior = torch.zeros(len(cues), columns[-1][2], dtype=torch.float64)
    for phrase in phrases.keys() & cues.keys():
        prior[cues[phrase], list(phrases[phrase])] = SAID
    weights = prior.clone().requires_grad_()
    bias = torch.zeros(columns[-1][2], dtype=torch.float64, requires_grad=True)
    labels = [(start, end, torch.tensor([_number(row, slot) for row in rows])) for slot, start, end in columns]
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=STEPS, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = F.embedding_bag(ids, weights, starts, mode="sum") + bias
        total = RIDGE / 2 * ((weights - prior) ** 2).sum()
        for start, end, wanted in labels:
            total = total + F.cross_entropy(logits[:, start:end], wanted, reduction="sum", ignore_index=UNKNOWN)
        total.backward()
        return total

    optimizer.step(loss)
    return WordClasses(cues, weights.detach().numpy().astype(np.float32), bias.detach().numpy().astype(np.float32))


def taken(row: Row, slots: tuple[Slot, ...]) -> set[int]:
    """The numbers of the words of ``row`` that are values of span slots."""
    spans = {slot.name for slot in slots if slot.kind == "span"}
    return {i for name in spans & row.places.keys() for place in row.places[name] or () for i in range(*place)}


def _number(row: Row, slot: Slot) -> int:
    if slot.name not in row.arguments:
        return OPEN
    wanted = key(row.arguments[slot.name])
    return next((i for i, value in enumerate(slot.values, start=1) if key(value) == wanted), UNKNOWN)
