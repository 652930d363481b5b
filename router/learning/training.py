"""Labelled examples → a trained, calibrated router; and what it is measured by.

Leaves out learning from a teacher (``distillation.py``) and from rewards (``reinforce.py``).
"""

from __future__ import annotations

import copy
import hashlib
import math
import platform
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from router.network import Calibration, Router
from router.network.calibration import (
    UNKNOWN,
    AbstentionTarget,
    auroc,
    choose_threshold,
    expected_calibration_error,
    fit_confidence,
    fit_temperature,
    label_numbers,
    log_sum_exp,
    macro_f1,
    selective,
    softmax,
)
from router.network.features import Vocabulary, tokenise
from router.network.module import NetworkConfig, RouterNetwork
from router.network.unread import pieces, signs_of
from router.types import Example

UNREAD = 0.01
"""Share of the questions held out that may hold more unknown words than the router decides on: the strangest ones."""
MAY_BE_UNREAD = 0.25
"""Share of unknown words that any question may hold: slips of the pen and names."""
MEMORY = 1_000
"""Training questions that are kept beside the weights, for nearest examples and for adding tools: from 200 alone, a new
tool takes some questions of others."""
MEMORY_PER_LABEL = 20
"""So many of each label are kept at least."""
FILLER_TEXTS = 20
"""Questions that a word must occur in before it can count as a filler, and"""
FILLER_SHARE = 0.005
"""the share of all questions: "morning" opens one in 250 as a greeting, and elsewhere says when."""
FILLER_ENTROPY = 0.85
"""Entropy of the labels that a filler goes with, of the most that there can be."""


@dataclass(frozen=True)
class DescentConfig:
    """AdamW for dense parameters, SparseAdam for tables; ``warmup`` is the share of steps in which the rates rise to
    these peaks, before a cosine decay to nothing."""

    learning_rate: float = 2e-3
    table_learning_rate: float = 5e-4
    weight_decay: float = 0.01
    warmup: float = 0.05


class Descent:
    """Makes ``steps`` steps down a loss of ``network``, all parameters of which are trained; those of ``tables`` have
    sparse gradients."""

    def __init__(self, network: nn.Module, tables: Sequence[nn.Parameter], config: DescentConfig, steps: int) -> None:
        sparse = {id(p) for p in tables}
        dense = [p for p in network.parameters() if id(p) not in sparse]
        self._optimizers = (
            (torch.optim.AdamW(dense, weight_decay=config.weight_decay, fused=True), config.learning_rate),
            (torch.optim.SparseAdam(tables), config.table_learning_rate),
        )
        self._warmup, self._steps, self._step = config.warmup * steps, steps, 0

    def step(self, loss: torch.Tensor) -> None:
        """One step along the gradient of ``loss``."""
        decay = 0.5 * (1 + math.cos(math.pi * self._step / self._steps))
        factor = min(1.0, (self._step + 1) / (self._warmup + 1)) * decay
        for optimizer, peak in self._optimizers:
            optimizer.param_groups[0]["lr"] = peak * factor + 1e-6
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer, _ in self._optimizers:
            optimizer.step()
        self._step += 1


@dataclass(frozen=True)
class TrainingConfig(DescentConfig):
    """How a network is trained.

    ``validation`` is the share of each label that is held out (at least one question where a label has two or more);
    it stops training after ``patience`` epochs without a lower loss (None: never, and the last epoch's weights stay),
    and calibrates. ``out_of_scope`` questions belong to no label; they calibrate the confidence only.
    """

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(dropout=0.4, word_dropout=0.2))
    epochs: int = 8
    batch_size: int = 128
    label_smoothing: float = 0.1
    patience: int | None = 4
    validation: float = 0.1
    target: AbstentionTarget = AbstentionTarget()
    out_of_scope: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """One epoch has ended. The validation's figures are None where nothing is held out."""

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class TrainingSet:
    """Texts with a distribution over labels for each, (n, labels), and a weight each, (n,)."""

    texts: Sequence[str]
    targets: np.ndarray
    weights: np.ndarray


def nobody(progress: Progress) -> None:
    """The listener of a training that nobody watches. A listener may raise to break the training off."""


def fit_supervised(
    examples: Sequence[Example],
    config: TrainingConfig = TrainingConfig(),
    on_progress: Callable[[Progress], None] = nobody,
    validation: Sequence[Example] | None = None,
) -> Router:
    """A calibrated router trained on ``examples``; ``validation`` is split off where it is not given.

    Rare labels weigh more, by the square root of how rare they are. Raises ValueError where there are fewer than two
    labels or no example to validate on.
    """
    if validation is None:
        examples, validation = hold_out(examples, config.validation, config.seed)
    labels = sorted({example.tool for example in examples})
    if len(labels) < 2:
        raise ValueError(f"{len(labels)} label in {len(examples)} examples; a router needs two or more. Add examples.")
    if not validation:
        raise ValueError(f"{len(examples)} examples leave none to validate on. Give at least two questions a label.")
    router = _fit(examples, labels, config, on_progress, validation)
    outside = [Example(question, "", source="out of scope") for question in config.out_of_scope]
    return calibrate(router, [*validation, *outside], config.target)


def fit_on_folds(
    parts: Sequence[Sequence[Example]],
    config: TrainingConfig = TrainingConfig(),
    on_progress: Callable[[Progress], None] = nobody,
) -> tuple[Router, list[Example], np.ndarray]:
    """(router, held out, right): a router trained on all ``parts``, calibrated on each by one that had not seen it.

    ``right`` (n,) says which of the held-out examples, all of them in the order of ``parts``, were decided right then.
    Every training runs for all epochs: stopping by what is held out would flatter it. Raises ValueError where there are
    fewer than two labels or parts.
    """
    every = [example for part in parts for example in part]
    labels = sorted({example.tool for example in every})
    if len(labels) < 2 or len(parts) < 2:
        raise ValueError(
            f"{len(every)} examples of {len(labels)} labels in {len(parts)} parts: two of each are needed."
        )
    config = replace(config, patience=None)

    def listen(number: int) -> Callable[[Progress], None]:
        before, epochs = number * config.epochs, (len(parts) + 1) * config.epochs
        return lambda progress: on_progress(replace(progress, epoch=before + progress.epoch, epochs=epochs))

    logits, unread = [], []
    for number, part in enumerate(parts):
        others = [example for k, other in enumerate(parts) if k != number for example in other]
        other = _fit(others, labels, config, listen(number), part)
        logits.append(other.logits([e.question for e in part]))
        unread += [other.unread(e.question) for e in part]
    router = _fit(every, labels, config, listen(len(parts)))
    held_out = np.concatenate(logits)
    right = held_out.argmax(1) == label_numbers(labels, [example.tool for example in every])
    calibration = fit_calibration(held_out, every, labels, config.target, np.array(unread))
    return router.with_calibration(calibration), every, right


def _fit(
    examples: Sequence[Example],
    labels: Sequence[str],
    config: TrainingConfig,
    on_progress: Callable[[Progress], None],
    validation: Sequence[Example] = (),
) -> Router:
    """A router trained on ``examples``, not calibrated yet."""
    started = time.process_time()
    texts = [example.question for example in examples]
    numbers = label_numbers(labels, [example.tool for example in examples])
    data = TrainingSet(texts, smoothed(numbers, len(labels), config.label_smoothing), balance(numbers, len(labels)))
    with seeded(config.seed):
        network = RouterNetwork(Vocabulary.build(texts), labels, config.network)
        optimise(network, data, validation, config, on_progress)
    about = provenance(examples, settings_of(config), started)
    router = network.fold(provenance=about, memory=remember(examples, config.seed))
    return router.having(fillers=find_fillers(examples), seen=signs_of(texts))


def calibrate(router: Router, examples: Sequence[Example], target: AbstentionTarget = AbstentionTarget()) -> Router:
    """``router`` with temperature, confidence and threshold fitted on ``examples`` that it was not trained on.

    An example whose tool is none of the router's labels counts as out of scope: every decision on it is wrong.
    Raises ValueError where there is no example.
    """
    if not examples:
        raise ValueError("There is nothing to calibrate on. Give examples that the router was not trained on.")
    texts = [example.question for example in examples]
    logits = router.logits(texts) * np.float32(router.calibration.temperature)
    unread = np.array([router.unread(text) for text in texts])
    return having_seen(router.with_calibration(fit_calibration(logits, examples, router.labels, target, unread)), examples)


def having_seen(router: Router, examples: Sequence[Example]) -> Router:
    """``router``, to which the words of those ``examples`` that it decides right are known, though not learned."""
    right = (example.question for example in examples if router.decide(example.question).tool == example.tool)
    seen = {piece for text in right for piece in pieces(text)}
    return router.having(seen=router.parts.seen | (seen - set(router.vocabulary.words)))


def fit_calibration(
    logits: np.ndarray,
    examples: Sequence[Example],
    labels: Sequence[str],
    target: AbstentionTarget,
    unread: np.ndarray | None = None,
) -> Calibration:
    """The calibration of raw ``logits`` (n, labels) of ``examples``; any classifier's will do. ``unread`` (n,) is the
    share of each that is made of unknown words; all but the strangest UNREAD of those in scope are to be decided."""
    numbers = label_numbers(labels, [example.tool for example in examples])
    temperature = fit_temperature(logits, numbers)
    scaled = logits / np.float32(temperature)
    fitted = Calibration(temperature, fit_confidence(scaled, numbers))
    confidence, right, inside = fitted.scores(scaled), scaled.argmax(1) == numbers, numbers != UNKNOWN
    threshold, limit = choose_threshold(confidence, right, inside, target), 1.0
    if unread is not None and inside.any():
        limit = max(MAY_BE_UNREAD, float(np.quantile(unread[inside], 1 - UNREAD, method="higher")))
        confidence = np.where(unread > limit, 0.0, confidence)
    chosen_on = {
        "target": str(target),
        "questions": len(examples),
        "out_of_scope": int((~inside).sum()),
        "sha256": data_hash(examples),
        **selective(confidence, right, inside, threshold),
    }
    return Calibration(temperature, fitted.confidence, threshold, limit, chosen_on)


def evaluate(router: Router, examples: Sequence[Example]) -> dict[str, Any]:
    """Measures of a calibrated router: see ``measure``; and coverage and selective accuracy at its threshold."""
    numbers = label_numbers(router.labels, [example.tool for example in examples])
    logits = router.logits([example.question for example in examples])
    unread = np.array([router.unread(e.question, router.labels[i]) for e, i in zip(examples, logits.argmax(1))])
    confidence = np.where(unread > router.calibration.unread, 0.0, router.calibration.scores(logits))
    right = logits.argmax(1) == numbers
    return measure(logits, confidence, numbers) | selective(confidence, right, numbers != UNKNOWN, router.threshold)


def measure(logits: np.ndarray, confidence: np.ndarray, numbers: np.ndarray) -> dict[str, float | None]:
    """accuracy, macro_f1 and ece on in-scope rows; AUROC of in scope against out of scope by ``confidence`` and by
    energy (None without out-of-scope rows). ``logits`` (n, labels) are calibrated, ``numbers`` (n,) label numbers.
    """
    inside = numbers != UNKNOWN
    z, y = logits[inside], numbers[inside]
    energy = log_sum_exp(logits)
    return {
        "accuracy": float((z.argmax(1) == y).mean()),
        "macro_f1": macro_f1(z.argmax(1), y, logits.shape[1]),
        "ece": expected_calibration_error(softmax(z), y),
        "oos_auroc": None if inside.all() else auroc(confidence[inside], confidence[~inside]),
        "oos_auroc_energy": None if inside.all() else auroc(energy[inside], energy[~inside]),
    }


def optimise(
    network: RouterNetwork,
    data: TrainingSet,
    validation: Sequence[Example],
    config: TrainingConfig,
    on_progress: Callable[[Progress], None] = nobody,
) -> None:
    """Train ``network`` in place and leave it at the epoch with the lowest validation loss, or at the last one where
    ``config`` has no patience.
    """
    ids = network.encode(data.texts)
    targets, weights = torch.from_numpy(data.targets), torch.from_numpy(data.weights)
    numbers = label_numbers(network.labels, [example.tool for example in validation])
    questions = [example.question for example in validation]
    steps_an_epoch = -(-len(ids) // config.batch_size)
    descent = Descent(network, network.tables, config, config.epochs * steps_an_epoch)
    started = time.perf_counter()
    best, best_loss, best_epoch = None, float("inf"), 0
    for epoch in range(1, config.epochs + 1):
        network.train()
        total = 0.0
        for chosen in torch.randperm(len(ids)).split(config.batch_size):
            log_p = F.log_softmax(network([ids[i] for i in chosen.tolist()]), 1)
            loss = -((targets[chosen] * log_p).sum(1) * weights[chosen]).mean()
            descent.step(loss)
            total += float(loss.detach())
        held_out, accuracy = _validate(network, questions, numbers)
        seconds = time.perf_counter() - started
        on_progress(Progress(epoch, config.epochs, total / steps_an_epoch, held_out, accuracy, seconds))
        if config.patience is None or held_out is None:
            continue
        if held_out < best_loss:
            best, best_loss, best_epoch = copy.deepcopy(network.state_dict()), held_out, epoch
        if epoch - best_epoch >= config.patience:
            break
    if best is not None:
        network.load_state_dict(best)
    network.eval()


def _validate(
    network: RouterNetwork, questions: Sequence[str], numbers: np.ndarray
) -> tuple[float | None, float | None]:
    """Loss and accuracy on the in-scope ones of ``questions``; None without any."""
    inside = numbers != UNKNOWN
    if not inside.any():
        return None, None
    logits, wanted = network.logits(questions)[inside], numbers[inside]
    loss = (log_sum_exp(logits) - logits[np.arange(len(wanted)), wanted]).mean()
    return float(loss), float((logits.argmax(1) == wanted).mean())


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch under ``seed`` and on one thread: the same bits each time, and products so small wait longer for a second
    thread on a busy machine than they gain by it. Seed and threads are as before afterwards.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def hold_out(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """(training, validation): ``share`` of each label, at least one of a label that has two or more."""
    by_label: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_label[example.tool].append(example)
    training: list[Example] = []
    held: list[Example] = []
    for label in sorted(by_label):
        rows = by_label[label]
        random.Random(f"{seed}:{label}").shuffle(rows)
        n = max(1, round(share * len(rows))) if len(rows) > 1 else 0
        held += rows[:n]
        training += rows[n:]
    return training, held


def smoothed(numbers: np.ndarray, n_labels: int, smoothing: float) -> np.ndarray:
    """One-hot rows (n, labels), softened towards the uniform distribution (Szegedy et al. 2016)."""
    targets = np.full((len(numbers), n_labels), smoothing / n_labels, np.float32)
    targets[np.arange(len(numbers)), numbers] += 1 - smoothing
    return targets


def balance(numbers: np.ndarray, n_labels: int) -> np.ndarray:
    """Weights (n,) of mean 1: an example weighs as the inverse square root of its label's frequency."""
    weights = np.bincount(numbers, minlength=n_labels)[numbers].astype(np.float32) ** -0.5
    return weights / weights.mean()


def remember(examples: Sequence[Example], seed: int) -> list[tuple[str, str]]:
    """(question, label) pairs, as many of each label: MEMORY in all, or MEMORY_PER_LABEL of each where that is more."""
    most = max(MEMORY_PER_LABEL, MEMORY // len({example.tool for example in examples}))
    shuffled = list(examples)
    random.Random(seed).shuffle(shuffled)
    taken: Counter[str] = Counter()
    kept = []
    for example in shuffled:
        taken[example.tool] += 1
        if taken[example.tool] <= most:
            kept.append((example.question, example.tool))
    return sorted(kept, key=lambda pair: pair[::-1])


def find_fillers(examples: Sequence[Example]) -> frozenset[str]:
    """Words of letters alone that say nothing of the label: in FILLER_TEXTS questions or more and FILLER_SHARE of them,
    with labels (each label weighing the same) whose normalised entropy is FILLER_ENTROPY or more.
    """
    enough = max(FILLER_TEXTS, FILLER_SHARE * len(examples))
    totals = Counter(example.tool for example in examples)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        for word in set(tokenise(example.question)):
            found[word][example.tool] += 1
    fillers = set()
    for word, counts in found.items():
        if word.isalpha() and counts.total() >= enough:
            rates = [n / totals[label] for label, n in counts.items()]
            entropy = -sum(rate / sum(rates) * math.log(rate / sum(rates)) for rate in rates)
            if entropy >= FILLER_ENTROPY * math.log(len(totals)):
                fillers.add(word)
    return frozenset(fillers)


def provenance(examples: Sequence[Example], settings: Mapping[str, Any], started: float) -> dict[str, Any]:
    """Where a router comes from: hash of the data, settings, versions, CPU seconds since ``started``."""
    return {
        "examples": len(examples),
        "data_sha256": data_hash(examples),
        "settings": dict(settings),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "train_cpu_s": round(time.process_time() - started, 1),
    }


def settings_of(config: TrainingConfig) -> dict[str, Any]:
    """``config`` for the record: plain values, out-of-scope questions as their number."""
    return asdict(config) | {"out_of_scope": len(config.out_of_scope)}


def data_hash(examples: Sequence[Example]) -> str:
    """SHA-256 of questions and labels, whatever their order."""
    rows = sorted(f"{example.tool}\t{example.question}" for example in examples)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
