"""What comparisons of the router with the LLM prove, however often one looks, and alarms of a known rate.

Leaves out what is compared and what follows from it (``gate``). numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from router.network.calibration import wilson

NEVER = 2.0
"""A threshold that no confidence reaches."""
STARTS = (0.2, 0.6)
"""Shares of the comparisons, the most confident first, from which a sequence of tests sets out."""
STEP = 0.01
"""Share of the comparisons that each test of a sequence takes in more."""
WORSE = (0.1, 0.2, 0.4)
"""By how much of what is left to 1 a share has risen when it has: an alarm listens for each alike."""

UNEASY = 20.0
"""Evidence for a rise (as a likelihood ratio) from which it is looked at more closely."""
EVEN_LOOKS = 7
"""Looks that may all spend alike."""
SATURATED = 0.99
"""A usual share over which nothing can be heard to rise."""


def spent(alpha: float, look: int) -> float:
    """The part of the error ``alpha`` that look number ``look`` (from 1) may spend; all looks together spend alpha.

    Alpha spending (Lan and DeMets 1983, "Discrete Sequential Boundaries for Clinical Trials"), so that nobody needs to
    know how many looks there will be: an eighth at each of the first seven, of the last eighth 1 / (k · (k + 1)) at the
    k-th after them. The learner comes when the lessons have grown by a factor, so seven looks go a long way.
    """
    later = look - EVEN_LOOKS
    return alpha / (EVEN_LOOKS + 1) / (later * (later + 1) if later > 0 else 1)


def least_share(hits: int, trials: int, alpha: float) -> float:
    """The lower bound of a share that is over it with probability 1 - ``alpha`` (Clopper and Pearson 1934)."""
    return 1.0 - greatest_share(trials - hits, trials, alpha)


def greatest_share(hits: int, trials: int, alpha: float) -> float:
    """The upper bound, likewise; 1 where nothing was tried."""
    if hits >= trials:
        return 1.0
    low, high = hits / trials, 1.0
    for _ in range(30):
        share = (low + high) / 2
        low, high = (share, high) if _at_most(hits, trials, share) > alpha else (low, share)
    return high


def proves(hits: int, trials: int, target: float, alpha: float) -> bool:
    """Whether ``least_share`` is ``target`` or more."""
    return hits > 0 and _at_most(trials - hits, trials, 1 - target) <= alpha


def _at_most(hits: int, trials: int, share: float) -> float:
    """The chance of so few hits, or fewer, where each trial is one with the chance ``share``."""
    counts = np.arange(hits + 1)
    logs = _log_factorials(1 << trials.bit_length())
    ways = logs[trials] - logs[counts] - logs[trials - counts]
    return float(np.exp(ways + counts * math.log(share) + (trials - counts) * math.log1p(-share)).sum())


@cache
def _log_factorials(n: int) -> np.ndarray:
    return np.r_[0.0, np.cumsum(np.log(np.arange(1, n + 1)))]


@dataclass(frozen=True)
class Proof:
    """What the comparisons from ``threshold`` on show: ``agreed`` of ``accepted``, hence ``bound`` at least.

    ``seen``: comparisons that there were. Where nothing is ``proven``, it is the threshold that came nearest, and
    ``lacking`` so many more calls would prove it, if all of them agree and are as sure as any.
    """

    threshold: float = NEVER
    accepted: int = 0
    agreed: int = 0
    seen: int = 0
    bound: float = 0.0
    proven: bool = False
    lacking: int = 0

    @property
    def coverage(self) -> float:
        """Share of the comparisons from the threshold on."""
        return self.accepted / self.seen if self.seen else 0.0

    @property
    def agreement(self) -> float | None:
        """Share that agreed of those; None where there are none."""
        return self.agreed / self.accepted if self.accepted else None


def prove(confidences: Sequence[float], agreed: Sequence[bool], target: float, alpha: float) -> Proof:
    """The lowest threshold whose agreement is proven to be ``target`` or more, with an error of at most ``alpha``.

    Fixed-sequence testing (Angelopoulos et al. 2021, "Learn then Test"): from the most confident comparisons on, ever
    more are taken in until one test fails, so that many thresholds cost no more than one. There are several sequences,
    each with its part of alpha, for a few unlucky rows at the top shall not end them all. Confidence 0 is never taken.
    """
    scores, hits, sizes = _ranked(confidences, agreed)
    if not sizes:
        return Proof(seen=len(scores))
    best = 0
    for start in STARTS:
        for n in (n for n in sizes if n >= start * sizes[-1]):
            if not proves(int(hits[n - 1]), n, target, alpha / len(STARTS)):
                break
            best = max(best, n)
    n = best or max(sizes, key=lambda n: wilson(int(hits[n - 1]), n)[0])
    right_ones = int(hits[n - 1])
    return Proof(
        threshold=float(scores[n - 1]),
        accepted=n,
        agreed=right_ones,
        seen=len(scores),
        bound=least_share(right_ones, n, alpha / len(STARTS)),
        proven=best > 0,
    )


def lacking(confidences: Sequence[float], agreed: Sequence[bool], target: float, alpha: float) -> int:
    """How many more calls, all of them agreeing and as sure as any, would let ``prove`` prove ``target``."""

    def short(more: int) -> bool:
        _, hits, sizes = _ranked(np.r_[np.full(more, NEVER), confidences], np.r_[np.full(more, True), agreed])
        firsts = [next(n for n in sizes if n >= start * sizes[-1]) for start in STARTS if sizes]
        return not any(proves(int(hits[n - 1]), n, target, alpha / len(STARTS)) for n in firsts)

    if not short(0):
        return 0
    low, high = 0, 1
    while short(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if short(middle) else (low, middle)
    return high


def measured(confidences: Sequence[float], agreed: Sequence[bool], threshold: float, alpha: float = 0.05) -> Proof:
    """What the comparisons from ``threshold`` on show by now; ``bound`` is one-sided, with the error ``alpha``."""
    over = [right for confidence, right in zip(confidences, agreed) if confidence >= threshold]
    bound = least_share(sum(over), len(over), alpha) if over else 0.0
    return Proof(threshold, len(over), sum(over), len(confidences), bound)


def _ranked(confidences: Sequence[float], agreed: Sequence[bool]) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The confidences from the highest on, how many of the first n agreed, and the n at which a sequence tests."""
    order = np.argsort(-np.asarray(confidences, float), kind="stable")
    scores, right = np.asarray(confidences, float)[order], np.asarray(agreed, bool)[order]
    usable = int((scores > 0).sum())
    hits = np.cumsum(right)
    last = np.flatnonzero(np.r_[scores[1:] < scores[:-1], True][:usable]) + 1  # equal confidences cannot be split
    sizes = {int(last[np.searchsorted(last, min(n, last[-1]))]) for n in _grid(usable)} if usable else ()
    return scores, hits, sorted(sizes)


def _grid(n: int) -> list[int]:
    return [max(1, round(n * STEP * i)) for i in range(1, round(1 / STEP) + 1)]


@dataclass
class Alarm:
    """Rings when a share of events has risen over ``usual``; if it has not, once in ``rate`` observations at most, in
    the mean.

    A CUSUM (Page 1954; Lorden 1971 for its rate) in its form as an e-detector, which needs no more than that the share
    is at most ``usual`` (Shin, Ramdas and Rinaldo 2024, "E-detectors"): the mean of one statistic for each of WORSE.
    """

    usual: float
    rate: float
    raised: tuple[float, ...] = (0.0,) * len(WORSE)

    @property
    def uneasy(self) -> bool:
        """Whether the evidence speaks for a rise, though not loud enough to ring."""
        return sum(self.raised) / len(WORSE) > UNEASY

    def hear(self, event: bool) -> bool:
        """Take one observation in. True where it rings."""
        if self.usual >= SATURATED:
            return False
        usual = max(self.usual, 1e-3)
        ratios = []
        for part in WORSE:
            risen = usual + part * (1 - usual)
            ratios.append(risen / usual if event else (1 - risen) / (1 - usual))
        self.raised = tuple(max(before, 1.0) * ratio for before, ratio in zip(self.raised, ratios))
        return sum(self.raised) / len(WORSE) >= self.rate
