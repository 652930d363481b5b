"""A linear-chain conditional random field (Lafferty et al. 2001) at run time: the best path, and how probable it is.

numpy only, float64. Leaves out learning (``router.learning.tagging``).
"""

from __future__ import annotations

import math

import numpy as np

BANNED = -1e4
"""The score of what may not be."""
SCALED = 8
"""Steps after which the forward algorithm scales: few enough for float64, many enough to be quick."""


def best_path(emissions: np.ndarray, transitions: np.ndarray, start: np.ndarray) -> tuple[list[int], float]:
    """The tags with the highest score, and that score (Viterbi 1967).

    ``emissions`` (n, k), ``transitions`` (k, k) *to* a tag (row) *from* a tag (column), ``start`` (k,); n is 1 or more.
    """
    score = emissions[0] + start
    scores = [score]
    for emission in emissions[1:]:
        score = np.maximum.reduce(transitions + score, 1) + emission
        scores.append(score)
    tag = int(score.argmax())
    best, tags = float(score[tag]), [tag]
    for score in scores[-2::-1]:  # only the steps of the best path need to be known
        tag = int((transitions[tag] + score).argmax())
        tags.append(tag)
    return tags[::-1], best


def log_partition(emissions: np.ndarray, odds: np.ndarray, start: np.ndarray) -> float:
    """log Σ exp(score) over all paths, by the forward algorithm in scaled probabilities (Rabiner 1989).

    As ``best_path``, but ``odds`` (k, k) is exp(transitions) *from* a tag (row) *to* a tag (column).
    """
    tops = emissions.max(1)
    tops[0] = (emissions[0] + start).max()
    weights = np.exp(emissions - tops[:, None])
    forward = np.exp(emissions[0] + start - tops[0])
    total = float(np.add.reduce(tops))
    for i, weight in enumerate(weights[1:], start=1):
        forward = forward @ odds
        forward *= weight
        if i % SCALED == 0:
            scale = float(np.add.reduce(forward))
            forward /= scale
            total += math.log(scale)
    return total + math.log(np.add.reduce(forward))
