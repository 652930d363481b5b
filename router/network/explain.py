"""Why the router decided as it did: what each word added, the nearest questions it was trained on, the runner-up.

The contributions are exact, not estimated: the gated mean is a sum over words, and each maximum of the convolution is
the sum of at most three words' taps at one position. Leaves out how they are shown.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from router.network.features import tokenise
from router.network.router import GATE_FLOOR, Router
from router.types import Decision


@dataclass(frozen=True)
class WordContribution:
    """What ``word`` added to the tool's logit beyond the runner-up's; negative speaks for the runner-up."""

    word: str
    contribution: float


@dataclass(frozen=True)
class Neighbour:
    """A question of the training data; ``likeness`` is the cosine of the two questions' features."""

    question: str
    tool: str
    likeness: float


@dataclass(frozen=True)
class Explanation:
    """Why ``tool`` and not ``runner_up``: ``margin`` = ``base`` + Σ contributions, in calibrated logits.

    ``base`` is what the two labels differ by before any word is read. ``nearest`` is empty where the router keeps no
    training questions.
    """

    question: str
    tool: str
    runner_up: str
    margin: float
    base: float
    words: tuple[WordContribution, ...]
    nearest: tuple[Neighbour, ...]
    decision: Decision
    threshold: float


def explain(router: Router, question: str, n_nearest: int = 3, against: str | None = None) -> Explanation:
    """Explain the router's decision on ``question``, against the runner-up or the label ``against``.

    Raises ValueError where the question has no word, or ``against`` is no other label of the router.
    """
    words = tokenise(question)
    if not words:
        raise ValueError(f"{question!r} has no word, number or sign, so nothing decided. Ask a question.")
    logits = router.logits([question])[0]
    order = np.argsort(-logits, kind="stable")
    best, second = int(order[0]), int(order[1])
    if against is not None:
        if against not in router.labels or against == router.labels[best]:
            raise ValueError(f"{against!r} is not another label than {router.labels[best]!r}. Labels: {router.labels}.")
        second = router.labels.index(against)
    head = router.weights.head / np.float32(router.calibration.temperature)
    bias = router.weights.head_bias / np.float32(router.calibration.temperature)
    return Explanation(
        question=question,
        tool=router.labels[best],
        runner_up=router.labels[second],
        margin=float(logits[best]) - float(logits[second]),
        base=float(bias[best]) - float(bias[second]),
        words=tuple(
            map(WordContribution, words, contributions(router, words, head[:, best] - head[:, second]).tolist())
        ),
        nearest=nearest(router, question, n_nearest),
        decision=router.decide(question),
        threshold=router.threshold,
    )


def contributions(router: Router, words: Sequence[str], direction: np.ndarray) -> np.ndarray:
    """What each of ``words`` adds to features · ``direction`` (d + h,): (n,) float64, which sum to that product."""
    h = router.weights.channels
    rows = router.word_rows(words).astype(np.float64)  # (n, 3h + d + 1)
    after, here, before, gated = rows[:, :h], rows[:, h : 2 * h], rows[:, 2 * h : 3 * h], rows[:, 3 * h :]
    d = gated.shape[1] - 1
    added = gated[:, :d] @ direction[:d].astype(np.float64) / (gated[:, d].sum() + float(GATE_FLOOR))
    conv = here.copy()
    conv[1:] += after[:-1]
    conv[:-1] += before[1:]
    peak, channel = conv.argmax(0), np.arange(h)  # the position that each channel's maximum comes from
    slope = np.where(conv[peak, channel] > 0, direction[d:], 0.0)
    np.add.at(added, peak, slope * here[peak, channel])
    left, right = peak > 0, peak < len(words) - 1
    np.add.at(added, peak[left] - 1, (slope * after[peak - 1, channel])[left])
    np.add.at(added, peak[right] + 1, (slope * before[(peak + 1) % len(words), channel])[right])
    return added


def nearest(router: Router, question: str, n: int = 3) -> tuple[Neighbour, ...]:
    """The ``n`` training questions that the router keeps whose features are most like those of ``question``."""
    if not router.memory or n < 1:
        return ()
    kept, mean = _memory_features(router)
    feature = router.features([question])[0] - mean
    likeness = kept @ (feature / (np.linalg.norm(feature) + 1e-9))
    chosen = np.argsort(-likeness, kind="stable")[:n]
    return tuple(Neighbour(*router.memory[i], float(likeness[i])) for i in chosen)


@functools.lru_cache(maxsize=4)
def _memory_features(router: Router) -> tuple[np.ndarray, np.ndarray]:
    """Centred, unit-length features (n, d + h) of the kept questions, and their mean."""
    features = router.features([question for question, _ in router.memory])
    mean = features.mean(0)
    features = features - mean
    return features / (np.linalg.norm(features, axis=1, keepdims=True) + 1e-9), mean
