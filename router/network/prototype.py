"""A new label for a trained last layer, without training: a prototype of its description and examples.

The prototype is a linear discriminant (Fisher 1936) between the new label's features and those of known questions; two
numbers, its strength and its offset, are then fitted so that known questions stay where they are; in that fit it weighs
no more than any other label.
"""

from __future__ import annotations

import numpy as np

from router.network.calibration import log_sum_exp

SHRINKAGE = 0.3
"""Weight of the round covariance in the discriminant's: few examples bear no full one."""


def prototype(old: np.ndarray, new: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """(column (f,), offset) of the last layer for a label with features ``new`` (m, f), beside known questions' ``old``
    (n, f). ``logits`` (n + m, labels) are the known labels' for both.
    """
    direction = _discriminant(old, new)
    scores = (np.concatenate([old, new]) @ direction).astype(np.float64)
    strength, offset = _fit(scores, log_sum_exp(logits.astype(np.float64)), len(old), 1 / (1 + logits.shape[1]))
    return direction * np.float32(strength), np.float32(offset)


def _discriminant(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Direction (f,) of unit length that separates features ``new`` (m, f) from ``old`` (n, f)."""
    centred = (old - old.mean(0)).astype(np.float64)
    covariance = centred.T @ centred / max(1, len(old) - 1)
    round_one = np.trace(covariance) / len(covariance) + 1e-6
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * round_one * np.eye(len(covariance))
    direction = np.linalg.solve(covariance, (new.mean(0) - old.mean(0)).astype(np.float64))
    return (direction / np.linalg.norm(direction)).astype(np.float32)


def _fit(scores: np.ndarray, rivals: np.ndarray, n_old: int, share: float) -> tuple[float, float]:
    """(strength, offset) of the new logit ``strength · score + offset`` against the old labels' log Σ exp ``rivals``.

    The new label weighs the ``share`` that one label has; Newton's method on the logistic loss, with a weak pull to
    small strength.
    """
    is_new = np.arange(len(scores)) >= n_old
    weight = np.where(is_new, share / is_new.sum(), (1 - share) / n_old)
    spread = scores.std() + 1e-9
    design = np.c_[scores / spread, np.ones(len(scores))]
    beta, ridge = np.zeros(2), np.array([1e-3, 1e-5])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(design @ beta - rivals, -30, 30)))
        slope = design.T @ (weight * (is_new - p)) - ridge * beta
        curve = (design * (weight * np.maximum(p * (1 - p), 1e-4))[:, None]).T @ design + np.diag(ridge)
        step = np.clip(np.linalg.solve(curve, slope), -2, 2)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return float(beta[0] / spread), float(beta[1])
