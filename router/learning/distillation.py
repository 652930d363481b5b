"""Learning from a stronger teacher: its probabilities on the training texts and on unlabelled ones (Hinton et al. 2015,
"Distilling the Knowledge in a Neural Network").

The teacher is any function from texts to logits; ``minilm.MiniLM`` is the one that the benchmark uses. Leaves out the
teacher's own training.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from router.learning.training import (
    Progress,
    TrainingConfig,
    TrainingSet,
    balance,
    calibrate,
    find_fillers,
    hold_out,
    nobody,
    optimise,
    provenance,
    remember,
    seeded,
    settings_of,
    smoothed,
)
from router.network import Router
from router.network.calibration import label_numbers, softmax
from router.network.features import Vocabulary, static_vectors, tokenise
from router.network.module import NetworkConfig, RouterNetwork
from router.types import Example


@dataclass(frozen=True)
class DistillationConfig:
    """``hard_share`` of a training text's target is its label, the rest the teacher's; ``temperature`` softens the
    teacher. ``pool`` unlabelled texts are made from the training texts. ``precision`` of the tables: see ``fold``.
    """

    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            network=NetworkConfig(channels=384, dropout=0.3, word_dropout=0.1),
            epochs=8,
            batch_size=192,
            table_learning_rate=7e-4,
            label_smoothing=0.05,
        )
    )
    hard_share: float = 0.3
    temperature: float = 1.0
    pool: int = 40_000
    pool_seed: int = 0
    precision: str = "int8"


def fit_distilled(
    examples: Sequence[Example],
    teacher: Callable[[Sequence[str]], np.ndarray],
    config: DistillationConfig = DistillationConfig(),
    on_progress: Callable[[Progress], None] = nobody,
    validation: Sequence[Example] | None = None,
    unlabelled: Sequence[str] = (),
) -> Router:
    """A calibrated router taught by ``teacher``: texts → logits (n, labels), labels in sorted order.

    Besides ``examples`` it sees ``unlabelled`` texts and those that ``augment`` makes; their targets are the
    teacher's alone. Raises ValueError as ``fit_supervised`` does, and where the teacher knows other labels.
    """
    training = config.training
    if validation is None:
        examples, validation = hold_out(examples, training.validation, training.seed)
    labels = sorted({example.tool for example in examples})
    if len(labels) < 2 or not validation:
        raise ValueError(
            f"{len(examples)} examples of {len(labels)} labels, {len(validation)} to validate on: too few."
        )
    started = time.process_time()
    texts = [example.question for example in examples]
    pool = [*unlabelled, *augment(examples, config.pool, config.pool_seed)]
    logits = teacher([*texts, *pool])
    if logits.shape[1] != len(labels):
        raise ValueError(
            f"The teacher knows {logits.shape[1]} labels, the examples {len(labels)}. Train it on the same."
        )
    taught = softmax(logits / np.float32(config.temperature))
    numbers = label_numbers(labels, [example.tool for example in examples])
    hard = smoothed(numbers, len(labels), training.label_smoothing)
    mixed = config.hard_share * hard + (1 - config.hard_share) * taught[: len(texts)]
    weights = np.concatenate([balance(numbers, len(labels)), np.ones(len(pool), np.float32)])
    data = TrainingSet([*texts, *pool], np.concatenate([mixed, taught[len(texts) :]]).astype(np.float32), weights)
    with seeded(training.seed):
        network = RouterNetwork(Vocabulary.build(data.texts), labels, training.network)
        optimise(network, data, validation, training, on_progress)
    about = provenance(examples, settings_of(training), started) | {
        "distilled": {"pool": len(pool), "hard_share": config.hard_share}
    }
    router = network.fold(provenance=about, memory=remember(examples, training.seed), precision=config.precision)
    router = router.having(fillers=find_fillers(examples))
    outside = [Example(question, "", source="out of scope") for question in training.out_of_scope]
    return calibrate(router, [*validation, *outside], training.target)


def augment(examples: Sequence[Example], n: int, seed: int) -> list[str]:
    """``n`` new texts from ``examples``, for a teacher to label: half splice two questions of one label, three tenths
    put near neighbours (by static vector) in the place of a fifth of the words, the rest splice any two questions.
    Fewer than ``n`` where the examples do not yield as many.
    """
    rng = random.Random(seed)
    questions = [example.question.split() for example in examples]
    by_label: dict[str, list[int]] = defaultdict(list)
    for i, example in enumerate(examples):
        by_label[example.tool].append(i)
    near = neighbours([example.question for example in examples])
    seen = {example.question.lower() for example in examples}
    made: list[str] = []
    for _ in range(20 * n):
        if len(made) >= n:
            break
        i, kind = rng.randrange(len(questions)), rng.random()
        if kind < 0.5:
            words = _splice(questions[i], questions[rng.choice(by_label[examples[i].tool])], rng)
        elif kind < 0.8:
            words = [
                rng.choice(near[w.lower()]) if w.lower() in near and rng.random() < 0.2 else w for w in questions[i]
            ]
        else:
            words = _splice(questions[i], questions[rng.randrange(len(questions))], rng)
        text = " ".join(words)
        if text and text.lower() not in seen:
            seen.add(text.lower())
            made.append(text)
    return made


def neighbours(texts: Sequence[str], at_least: int = 3, n: int = 6) -> dict[str, list[str]]:
    """The ``n`` nearest words by static vector of each word that occurs in ``at_least`` texts, among those words."""
    counts = Counter(word for text in texts for word in set(tokenise(text)))
    words = sorted(word for word, count in counts.items() if count >= at_least and word.isalpha())
    if len(words) <= n:
        return {}
    vectors = static_vectors.matrix(words)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9
    near = {}
    for start in range(0, len(words), 1024):
        likeness = vectors[start : start + 1024] @ vectors.T
        likeness[np.arange(len(likeness)), np.arange(start, start + len(likeness))] = -1
        for word, row in zip(words[start:], np.argsort(-likeness, 1)[:, :n]):
            near[word] = [words[j] for j in row]
    return near


def with_seed(config: DistillationConfig, seed: int) -> DistillationConfig:
    """``config`` under another seed."""
    return replace(config, training=replace(config.training, seed=seed))


def _splice(first: Sequence[str], second: Sequence[str], rng: random.Random) -> list[str]:
    """The beginning of ``first`` and the end of ``second``; nothing where one has fewer than three words."""
    if len(first) < 3 or len(second) < 3:
        return []
    return [*first[: rng.randint(1, len(first) - 1)], *second[rng.randint(1, len(second) - 1) :]]
