"""Logits → honest numbers: temperature, confidence, the threshold of abstention, and the measures of all three.

numpy only. Leaves out the choice of data: who calibrates passes logits of examples that were not trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

UNKNOWN = -1
"""Label number of a question that belongs to no label of the router (out of scope)."""
MIN_EVENTS = 20
"""Wrong rows, and right ones, that a fitted confidence needs: ten for each slope (Peduzzi et al. 1996)."""


@dataclass(frozen=True)
class AbstentionTarget:
    """What the threshold is chosen for: keep this share of in-scope questions, or err on at most this share of those
    that are decided. The threshold is never below ``floor``.

    Raises ValueError where ``value`` or ``floor`` is not between 0 and 1.
    """

    kind: Literal["coverage", "error"] = "coverage"
    value: float = 0.95
    floor: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("coverage", "error"):
            raise ValueError(f"Target {self.kind!r} is unknown. Use 'coverage' or 'error'.")
        if not 0 <= self.value <= 1:
            raise ValueError(f"Target {self.kind} is {self.value}, outside 0 to 1. Give a share such as 0.95.")
        if not 0 <= self.floor <= 1:
            raise ValueError(f"Floor {self.floor} is outside 0 to 1. Give a confidence such as 0.5.")

    def __str__(self) -> str:
        return f"{self.kind} {self.value:g}" + (f", at least {self.floor:g}" if self.floor else "")


def log_sum_exp(logits: np.ndarray) -> np.ndarray:
    """log Σ exp over the last axis: the (negative free) energy of logits (n, c) → (n,)."""
    top = logits.max(-1, keepdims=True)
    return (top + np.log(np.exp(logits - top).sum(-1, keepdims=True)))[..., 0]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (n, c) of logits (n, c)."""
    return np.exp(logits - log_sum_exp(logits)[..., None])


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the cross-entropy on in-scope rows (Guo et al. 2017, "On Calibration of Modern
    Neural Networks"). It lies within 0.02 and 50; 1.0 where there is no in-scope row.

    n rows, all right, would have it fall to its bound. They do not show that the next is right for sure: then the right
    label's target is (n + 1) / (n + 2) (Platt 1999, "Probabilistic Outputs for Support Vector Machines").
    """
    inside = labels != UNKNOWN
    z, y = logits[inside].astype(np.float64), labels[inside]
    if not len(y):
        return 1.0
    doubt = 1 / (len(y) + 2) if (z.argmax(1) == y).all() else 0.0
    chosen = z[np.arange(len(y)), y]
    others = (z.sum(1) - chosen) / max(1, z.shape[1] - 1)
    expected = (1 - doubt) * chosen + doubt * others

    def loss(log_t: float) -> float:
        return float((log_sum_exp(z / math.exp(log_t)) - expected / math.exp(log_t)).mean())

    low, high, golden = math.log(0.02), math.log(50.0), (math.sqrt(5) - 1) / 2
    for _ in range(60):  # the loss is convex in 1 / T, hence has one valley
        a, b = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return math.exp((low + high) / 2)


def fit_confidence(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float, float] | None:
    """(a, b, c) of ``Calibration.confidence``: logistic regression of "the top label is right" on energy and log p.

    ``logits`` are divided by the temperature. Out-of-scope rows are wrong by definition. None where fewer than
    MIN_EVENTS rows are right, or wrong, or nothing orders them: then the highest probability serves.
    """
    right = logits.argmax(1) == labels
    if min(right.sum(), (~right).sum()) < MIN_EVENTS:
        return None
    energy = log_sum_exp(logits.astype(np.float64))
    log_p = logits.max(1) - energy
    for used in ((True, True), (True, False), (False, True)):
        a, b, c = logistic_regression(np.stack([energy * used[0], log_p * used[1]], 1), right)
        if min(a, b) >= 0 and max(a, b) > 0:  # more energy or more probability never lowers the confidence
            return a, b, c
    return None


def choose_threshold(confidence: np.ndarray, right: np.ndarray, inside: np.ndarray, target: AbstentionTarget) -> float:
    """The threshold for ``target``. ``right`` and ``inside`` (in scope) are masks (n,).

    For an error target it is the lowest threshold that holds it, which answers most; where none does, the one with
    the least error. Either is raised to the target's floor.
    """
    if target.kind == "coverage":
        kept = confidence[inside]
        return max(target.floor, float(np.quantile(kept, 1 - target.value, method="lower")) if len(kept) else 0.0)
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    last = np.r_[confidence[order][1:] < confidence[order][:-1], True]  # a threshold cannot split equal confidences
    fit = np.flatnonzero(last & (errors <= target.value))
    chosen = fit[-1] if len(fit) else np.flatnonzero(last)[errors[last].argmin()]
    return max(target.floor, float(confidence[order][chosen]))


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins (Guo et al. 2017)."""
    top, right = probabilities.max(1), probabilities.argmax(1) == labels
    place = np.clip(np.ceil(top * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, top - right, bins)
    return float(np.abs(gaps).sum() / len(labels))


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """The chance that a score of ``inside`` exceeds one of ``outside``, ties counting half (Mann-Whitney)."""
    ordered = np.sort(outside)
    below = np.searchsorted(ordered, inside, "left") + np.searchsorted(ordered, inside, "right")
    return float(below.mean() / (2 * len(outside)))


def macro_f1(predicted: np.ndarray, labels: np.ndarray, n_labels: int) -> float:
    """Mean F1 over the labels that occur in ``labels`` or ``predicted``."""
    hits = np.bincount(labels[predicted == labels], minlength=n_labels)
    totals = np.bincount(labels, minlength=n_labels) + np.bincount(predicted, minlength=n_labels)
    return float((2 * hits[totals > 0] / totals[totals > 0]).mean())


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927). (0, 1) where nothing was tried."""
    if not trials:
        return 0.0, 1.0
    share, spread = successes / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def selective(
    confidence: np.ndarray, right: np.ndarray, inside: np.ndarray, threshold: float
) -> dict[str, float | list]:
    """Coverage of in-scope questions, accuracy on all that are answered, each with its 95 % interval."""
    kept = confidence >= threshold
    answered, covered = int(kept.sum()), int((kept & inside).sum())
    correct, scope = int((kept & right).sum()), int(inside.sum())
    return {
        "coverage": covered / max(1, scope),
        "coverage_interval": list(wilson(covered, scope)),
        "selective_accuracy": correct / max(1, answered),
        "selective_accuracy_interval": list(wilson(correct, answered)),
        "answered": answered,
        "questions": len(right),
    }


def label_numbers(labels: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """The number in ``labels`` of each of ``wanted``, UNKNOWN where it is none of them."""
    numbers = {label: i for i, label in enumerate(labels)}
    return np.array([numbers.get(label, UNKNOWN) for label in wanted], np.int64)


def logistic_regression(x: np.ndarray, y: np.ndarray, ridge: float = 1e-3) -> tuple[float, ...]:
    """Ridge logistic regression by Newton's method: coefficients of the columns of ``x`` (n, k), then the intercept."""
    mean, spread = x.mean(0), np.where(x.std(0) > 1e-9, x.std(0), 1.0)
    design = np.c_[(x - mean) / spread, np.ones(len(x))]
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        slope = design.T @ (y - p) / len(y) - ridge * beta
        curve = (design * (p * (1 - p))[:, None]).T @ design / len(y) + ridge * np.eye(len(beta))
        step = np.linalg.solve(curve, slope)
        beta += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    slopes = beta[:-1] / spread
    return (*map(float, slopes), float(beta[-1] - slopes @ mean))
