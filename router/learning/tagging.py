"""A log of calls → a trained, calibrated ``CallModel``: the tool, and every argument.

Leaves out the readings that tools bring themselves, and types: a span stays the question's text.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from router.calls.artifact import CallParts, Confidence, log_odds
from router.calls.gazetteer import MAX_PHRASE, Gazetteer
from router.calls.slots import Row, Slot, key, learn_slots, plain, read_row, stated
from router.calls.tagger import CallModel, LearnedCall, class_ranges
from router.learning.tagger import Batch, CallNetwork
from router.learning.training import balance, calibrate, hold_out, provenance, remember, smoothed
from router.network.calibration import label_numbers, logistic_regression, wilson
from router.network.features import MAX_WORDS, Vocabulary
from router.network.module import NetworkConfig
from router.types import Example

ONE_SIDED = 1.645
"""The normal quantile of a lower bound that holds in 95 % of samples."""
NEVER = 2.0
"""A threshold that no confidence reaches."""
UNLABELLED = -1
"""The class number of a row whose value is none of the slot's classes."""


@dataclass(frozen=True)
class CallTrainingConfig:
    """How a call model is trained: AdamW for dense parameters, SparseAdam for tables, cosine decay after a warm-up.

    ``layers`` dilated convolutions stand on the router's. ``swapped`` is the share of a batch's rows whose values are
    exchanged, each with the chance ``swap``, for others of the slot; ``hint_dropout`` the share of rows that do without
    the gazetteer. ``validation`` is the share of each tool that is held out to calibrate; ``target`` the precision of
    whole calls that the threshold must hold on their lower bound.
    """

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(128, 128, dropout=0.3, word_dropout=0.1))
    layers: int = 2
    epochs: int = 14
    least_steps: int = 350
    batch_size: int = 64
    learning_rate: float = 2e-3
    table_learning_rate: float = 5e-4
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    warmup: float = 0.05
    path_weight: float = 0.5
    swapped: float = 0.5
    swap: float = 0.6
    hint_dropout: float = 0.2
    validation: float = 0.1
    target: float = 0.97
    seed: int = 0


@dataclass(frozen=True)
class CallProgress:
    """A part of the training has ended: ``step`` of ``steps``, mean ``loss`` since the last one."""

    step: int
    steps: int
    loss: float
    seconds: float


def nobody(progress: CallProgress) -> None:
    """The listener of a training that nobody watches. A listener may raise to break the training off."""


def fit_calls(
    examples: Sequence[Example],
    config: CallTrainingConfig = CallTrainingConfig(),
    on_progress: Callable[[CallProgress], None] = nobody,
    validation: Sequence[Example] | None = None,
) -> CallModel:
    """A calibrated call model trained on ``examples`` with their arguments; ``validation`` is split off where it is
    not given. Raises ValueError where there are fewer than two tools or no example to validate on.
    """
    if validation is None:
        examples, validation = hold_out(examples, config.validation, config.seed)
    tools = {example.tool for example in examples}
    if len(tools) < 2:
        raise ValueError(f"{len(tools)} tool in {len(examples)} examples; a router needs two or more. Add examples.")
    if not validation:
        raise ValueError(f"{len(examples)} examples leave none to validate on. Give at least two questions a tool.")
    started = time.process_time()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network, parts = train_network(examples, config, on_progress)
    about = provenance(examples, asdict(config), started)
    router = network.base.fold(provenance=about, memory=remember(examples, config.seed))
    model = CallModel(calibrate(router, validation), replace(parts, provenance=about))
    return calibrate_calls(model, validation, config.target)


def train_network(
    examples: Sequence[Example],
    config: CallTrainingConfig = CallTrainingConfig(),
    on_progress: Callable[[CallProgress], None] = nobody,
) -> tuple[CallNetwork, CallParts]:
    """A trained network, and what a ``CallModel`` needs besides its router; nothing is calibrated yet."""
    rows = [read_row(example) for example in examples]
    slots = learn_slots(rows)
    names = tuple(sorted({slot.name for own in slots.values() for slot in own if slot.kind == "span"}))
    numbers = {name: i for i, name in enumerate(names)}
    spans = _span_names(slots)
    bank: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for row in rows:
        for name, places in row.places.items():
            if places and name in spans[row.tool]:
                bank[name] += [row.words[a:b] for a, b in places]
    gazetteer = Gazetteer.build(len(names), ((numbers[name], words) for name in names for words in bank[name]))
    network = CallNetwork(
        Vocabulary.build(example.question for example in examples), slots, names, config.network, config.layers
    )
    network.base.count(word for row in rows for word in row.words)
    log = _Log(
        rows,
        label_numbers(tuple(slots), [row.tool for row in rows]),
        [_tags(row, spans[row.tool], numbers) for row in rows],
        np.array([_classes(row, slots) for row in rows], np.int64).reshape(len(rows), -1),
    )
    _optimise(network, _Batches(network, log, gazetteer, dict(bank), names, config), config, on_progress)
    phrases = {phrase: dict(counts) for phrase, counts in gazetteer.phrases.items()}
    return network, CallParts(slots, names, phrases, network.arrays())


def calibrate_calls(model: CallModel, examples: Sequence[Example], target: float = 0.97) -> CallModel:
    """``model`` with confidence and threshold fitted on ``examples`` that it was not trained on. The threshold is the
    lowest over which the lower bound of the share of right calls is ``target`` or more; where none is, no call is sure.
    """
    calls = [model.call(example.question) for example in examples]
    right = np.array([is_right(call, example) for call, example in zip(calls, examples)])
    fitted = _fit_confidence(calls, right)
    scores = np.array([0.0 if call.read.missing else fitted.of(call.probability, call.tool) for call in calls])
    threshold, about = choose_call_threshold(scores, right, target)
    about |= {"target": target, "questions": len(examples)}
    return model.with_confidence(replace(fitted, threshold=threshold, chosen_on=about))


def _fit_confidence(calls: Sequence[LearnedCall], right: np.ndarray) -> Confidence:
    """Logistic regression of "the call is right" on its log odds; as it is where all are right, or all wrong."""
    if right.all() or not right.any():
        return Confidence()
    odds = np.array([log_odds(call.probability) for call in calls])
    slope, intercept = logistic_regression(odds[:, None], right)
    return Confidence(slope, intercept) if slope > 0 else Confidence()


def choose_call_threshold(scores: np.ndarray, right: np.ndarray, target: float) -> tuple[float, dict[str, Any]]:
    """The lowest score over which the lower bound of the share of right ones is ``target``, and what it gives."""
    order = np.argsort(-scores, kind="stable")
    hits, tried = np.cumsum(right[order]), np.arange(1, len(order) + 1)
    last = np.r_[scores[order][1:] < scores[order][:-1], True]  # a threshold cannot split equal scores
    for n in tried[last & (scores[order] > 0)][::-1]:
        if wilson(int(hits[n - 1]), int(n), ONE_SIDED)[0] >= target:
            share = {"coverage": float(n / len(order)), "precision": float(hits[n - 1] / n), "sure": int(n)}
            return float(scores[order][n - 1]), share
    return NEVER, {"coverage": 0.0, "precision": None, "sure": 0}


def is_right(call: LearnedCall, example: Example) -> bool:
    """Whether tool and all arguments are those of ``example``; texts compare without case and spacing."""
    if call.tool != example.tool:
        return False
    return comparable(call.read.arguments) == comparable(given(example))


def given(example: Example) -> dict[str, Any]:
    """The arguments of ``example`` that are there: None and empty lists are not."""
    return stated(example.arguments or {})


def comparable(value: Any) -> Any:
    """A JSON value whose texts are ``plain``."""
    if isinstance(value, Mapping):
        return {name: comparable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(one) for one in value]
    return plain(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class _Log:
    """The rows of a log as a network reads them. ``tags``: of each row, None where a value was not found; ``classes``:
    (rows, class slots) the number of the value in its slot, UNLABELLED where the slot is another tool's."""

    rows: Sequence[Row]
    tools: np.ndarray
    tags: Sequence[list[int] | None]
    classes: np.ndarray


class _Batches:
    """Draws training batches: rows of like length together, values swapped, the gazetteer without a row's own."""

    def __init__(
        self, network: CallNetwork, log: _Log, gazetteer: Gazetteer, bank: Mapping[str, Sequence[tuple[str, ...]]],
        names: Sequence[str], config: CallTrainingConfig,
    ) -> None:  # fmt: skip
        self.network, self.log, self.gazetteer, self.bank, self.names = network, log, gazetteer, bank, names
        self.config, self.random = config, random.Random(config.seed)

    def __iter__(self):
        """Batches without end: (Batch, tags, tag weights, row numbers)."""
        size = self.config.batch_size
        while True:
            order = [i for i, row in enumerate(self.log.rows) if row.words]
            self.random.shuffle(order)
            pools = (sorted(order[a : a + 8 * size], key=lambda i: len(self.log.rows[i].words))
                     for a in range(0, len(order), 8 * size))  # fmt: skip
            batches = [pool[a : a + size] for pool in pools for a in range(0, len(pool), size)]
            self.random.shuffle(batches)
            yield from map(self._batch, batches)

    def _batch(self, chosen: Sequence[int]) -> tuple[Batch, torch.Tensor, torch.Tensor, np.ndarray]:
        drawn = [self._drawn(i) for i in chosen]
        longest = max(len(words) for words, _ in drawn)
        tags = np.zeros((len(drawn), longest), np.int64)
        hints = np.zeros((len(drawn), longest, 2 * len(self.names)), np.float32)
        for n, (words, own) in enumerate(drawn):
            tags[n, : len(words)] = own if own is not None else 0
            if self.random.random() >= self.config.hint_dropout:
                matches = self.gazetteer.matches(words, self._own(words, own or []))
                hints[n, : len(words)] = self.gazetteer.bits(len(words), matches)
        batch = Batch(
            [self.network.base.encode_words(words) for words, _ in drawn],
            torch.from_numpy(hints),
            torch.tensor([len(words) for words, _ in drawn]),
            torch.from_numpy(self.log.tools[chosen]),
        )
        weights = torch.tensor([float(own is not None) for _, own in drawn])
        return batch, torch.from_numpy(tags), weights, np.asarray(chosen)

    def _drawn(self, i: int) -> tuple[Sequence[str], list[int] | None]:
        """Words and tags of row ``i``, perhaps with other values in its slots."""
        words, tags = self.log.rows[i].words, self.log.tags[i]
        if not tags or not any(tags) or self.random.random() >= self.config.swapped:
            return words, tags
        new_words: list[str] = []
        new_tags: list[int] = []
        at = 0
        while at < len(words):
            tag, start = tags[at], at
            at += 1
            while tag and at < len(words) and tags[at] == tag + 1:
                at += 1
            value = words[start:at]
            if tag and self.random.random() < self.config.swap:
                value = self.random.choice(self.bank[self.names[(tag - 1) // 2]])
            new_words += value
            new_tags += [tag, *[tag + 1] * (len(value) - 1)] if tag else [0]
        return (new_words, new_tags) if len(new_words) <= MAX_WORDS else (words, tags)

    def _own(self, words: Sequence[str], tags: Sequence[int]) -> Counter[tuple[str, int]]:
        """The values that this row itself has brought into the gazetteer."""
        own: Counter[tuple[str, int]] = Counter()
        for start, tag in enumerate(tags):
            if tag % 2:
                end = start + 1
                while end < len(tags) and tags[end] == tag + 1:
                    end += 1
                if end - start <= MAX_PHRASE:
                    own[" ".join(words[start:end]), (tag - 1) // 2] += 1
        return own


def _optimise(
    network: CallNetwork, batches: _Batches, config: CallTrainingConfig, on_progress: Callable[[CallProgress], None]
) -> None:
    log = batches.log
    tables = {id(p) for p in network.base.tables}
    dense = [p for p in network.parameters() if id(p) not in tables]
    optimizers = (
        torch.optim.AdamW(dense, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True),
        torch.optim.SparseAdam(network.base.tables, lr=config.table_learning_rate),
    )
    peaks = (config.learning_rate, config.table_learning_rate)
    n_tools = len(network.base.labels)
    targets = torch.from_numpy(smoothed(log.tools, n_tools, config.label_smoothing))
    shares = torch.from_numpy(balance(log.tools, n_tools))
    steps = max(config.least_steps, -(-config.epochs * len(log.rows) // config.batch_size))
    report, total, started = max(1, steps // 20), 0.0, time.perf_counter()
    network.train()
    for step, (batch, tags, weights, chosen) in zip(range(steps), batches):
        factor = min(1.0, (step + 1) / (config.warmup * steps + 1)) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for optimizer, peak in zip(optimizers, peaks):
            optimizer.param_groups[0]["lr"] = peak * factor + 1e-6
            optimizer.zero_grad(set_to_none=True)
        scores = network(batch)
        loss = -((targets[chosen] * F.log_softmax(scores.tools, 1)).sum(1) * shares[chosen]).mean()
        loss = loss + config.path_weight * (network.path_loss(scores.tags, tags, batch.mask) * weights).mean()
        loss = loss + _class_loss(scores.classes, log.classes[chosen], network)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        total += float(loss.detach())
        if (step + 1) % report == 0:
            on_progress(CallProgress(step + 1, steps, total / report, time.perf_counter() - started))
            total = 0.0
    network.eval()


def _class_loss(logits: torch.Tensor, classes: np.ndarray, network: CallNetwork) -> torch.Tensor:
    """Cross-entropy of the class slots, each over the rows of its tool."""
    loss = logits.new_zeros(())
    for (start, end), numbers in zip(network.class_columns, classes.T):
        rows = np.flatnonzero(numbers != UNLABELLED)
        if len(rows):
            wanted = torch.from_numpy(numbers[rows])
            loss = loss + F.cross_entropy(logits[rows, start:end], wanted, reduction="sum") / len(logits)
    return loss


def _span_names(slots: Mapping[str, Sequence[Slot]]) -> dict[str, set[str]]:
    return {tool: {slot.name for slot in own if slot.kind == "span"} for tool, own in slots.items()}


def _tags(row: Row, spans: set[str], numbers: Mapping[str, int]) -> list[int] | None:
    if row.arguments is None:
        return None
    tags = [0] * len(row.words)
    for name in spans & row.places.keys():
        places = row.places[name]
        if places is None:
            return None
        for start, end in places:
            tags[start:end] = [2 * numbers[name] + 1] + [2 * numbers[name] + 2] * (end - start - 1)
    return tags


def _classes(row: Row, slots: Mapping[str, Sequence[Slot]]) -> list[int]:
    """The class of each class slot of all tools: 0 open, then the values."""
    numbers = []
    for tool, slot, _, _ in class_ranges(slots):
        if tool != row.tool:
            numbers.append(UNLABELLED)
        elif row.arguments is None:
            numbers.append(UNLABELLED)
        elif slot.name not in row.arguments:
            numbers.append(0)
        else:
            wanted = key(row.arguments[slot.name])
            known = (i for i, value in enumerate(slot.values, start=1) if key(value) == wanted)
            numbers.append(next(known, UNLABELLED))
    return numbers
