"""How sure a whole call is: a calibrated probability, and a threshold that keeps a promise on its lower bound.

numpy only. Leaves out the choice of rows: who calibrates passes calls of examples that were not trained on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import mul
from typing import Any

import numpy as np

from router.calls.read import LearnedCall, Read
from router.calls.slots import plain, stated
from router.network.calibration import logistic_regression, wilson
from router.types import NON_TOOLS, Example

ONE_SIDED = 1.645
"""The normal quantile of a lower bound that holds in 95 % of samples."""
OWN_THRESHOLD = 300
"""Held-out calls of a tool from which it has a threshold of its own."""
RIDGE = 0.02
"""Of the confidence's weights, per row: it is learned from some hundred calls."""
NEVER = 2.0
"""A threshold that no confidence reaches."""


@dataclass(frozen=True)
class Confidence:
    """The probability that a whole call is right: logistic in the log odds of tool × path × classes (``slope``) and of
    what is read given the tool (``posterior``), and in how many slots the question's words fill (``spans``), of whose
    values the log has not shown some (``unseen``), or for other slots only (``elsewhere``).

    The coefficients are fitted on held-out rows. A call under ``threshold`` is not sure; a tool of many rows
    has one of its own in ``thresholds``. ``chosen_on`` says from how many rows, for which target, with what was found.
    """

    slope: float = 1.0
    posterior: float = 0.0
    spans: float = 0.0
    unseen: float = 0.0
    elsewhere: float = 0.0
    intercept: float = 0.0
    threshold: float = NEVER
    thresholds: Mapping[str, float] = field(default_factory=dict)
    chosen_on: Mapping[str, Any] = field(default_factory=dict)

    def of(self, probability: float, read: Read = Read()) -> float:
        """The calibrated confidence in ``read``, of a raw ``probability``."""
        weights = (self.slope, self.posterior, self.spans, self.unseen, self.elsewhere)
        score = sum(map(mul, weights, _evidence(probability, read))) + self.intercept
        return 1.0 / (1.0 + math.exp(-score)) if score > -700 else 0.0

    def least(self, tool: str | None) -> float:
        """The confidence under which a call of ``tool`` is not sure."""
        return self.thresholds.get(tool, self.threshold)


def _evidence(probability: float, read: Read) -> tuple[float, ...]:
    """What a confidence is logistic in, in the order of its weights."""
    return log_odds(probability), log_odds(read.posterior), len(read.spans), read.unseen, read.elsewhere


def log_odds(probability: float) -> float:
    """log(p / (1 - p)), bounded so that neither 0 nor 1 is infinite."""
    return math.log(max(probability, 1e-12)) - math.log(max(1.0 - probability, 1e-12))


def fit_call_confidence(calls: Sequence[LearnedCall], examples: Sequence[Example], target: float = 0.97) -> Confidence:
    """The confidence fitted on ``calls`` that were read from ``examples`` not trained on.

    A threshold is the lowest over which the lower bound of the share of right calls is ``target`` or more; where none
    is, no call is sure. Tools of OWN_THRESHOLD calls have their own, so that a good one does not hide a bad one; the
    rest share theirs. That no tool is needed is no call: it proves nothing of calls. Examples whose arguments are not
    known do not count.
    """
    known = [(c, e) for c, e in zip(calls, examples) if e.arguments is not None or e.tool in NON_TOOLS]
    asked = sum(example.tool not in NON_TOOLS for _, example in known)
    known = [(call, example) for call, example in known if call.tool not in NON_TOOLS]
    calls = [call for call, _ in known]
    right = np.array([is_right(call, example) for call, example in known], bool)
    fitted = _fit_confidence(calls, right)
    scores = np.array([fitted.of(call.probability, call.read) if call.whole else 0.0 for call in calls])
    tools = np.array([str(call.tool) for call in calls])
    many = [tool for tool, n in zip(*np.unique(tools, return_counts=True)) if n >= OWN_THRESHOLD]
    rest = ~np.isin(tools, many)
    threshold = choose_call_threshold(scores[rest], right[rest], target)
    own = {str(tool): choose_call_threshold(scores[tools == tool], right[tools == tool], target) for tool in many}
    chosen = replace(fitted, threshold=threshold, thresholds=own)
    sure = scores >= np.array([chosen.least(tool) for tool in tools])
    about = {
        "target": target,
        "provable": provable_target(scores, right),
        "questions": asked,
        "right": int(right.sum()),
        "sure": int(sure.sum()),
        "coverage": float(sure.sum() / max(1, asked)),
        "precision": float(right[sure].mean()) if sure.any() else None,
        "lower_bound": wilson(int(right[sure].sum()), int(sure.sum()), ONE_SIDED)[0],
    }
    return replace(chosen, chosen_on=about)


def _fit_confidence(calls: Sequence[LearnedCall], right: np.ndarray) -> Confidence:
    """Logistic regression of "the call is right"; the plain probability where all are right, or all wrong."""
    if right.all() or not right.any():
        return Confidence()
    told = [_evidence(call.probability, call.read) for call in calls]
    fitted = Confidence(*logistic_regression(np.array(told, np.float64), right, RIDGE))
    return fitted if fitted.slope > 0 else Confidence()


def choose_call_threshold(scores: np.ndarray, right: np.ndarray, target: float) -> float:
    """The lowest score over which the lower bound of the share of right ones is ``target``; NEVER where none is."""
    order = np.argsort(-scores, kind="stable")
    hits, tried = np.cumsum(right[order]), np.arange(1, len(order) + 1)
    last = np.r_[scores[order][1:] < scores[order][:-1], True][: len(order)]  # equal scores cannot be split
    for n in tried[last & (scores[order] > 0)][::-1]:
        if wilson(int(hits[n - 1]), int(n), ONE_SIDED)[0] >= target:
            return float(scores[order][n - 1])
    return NEVER


def provable_target(scores: np.ndarray, right: np.ndarray) -> float:
    """The highest target, in hundredths, that some threshold of ``scores`` holds; 0 where none holds any."""
    reached = (n for n in range(99, 0, -1) if choose_call_threshold(scores, right, n / 100) != NEVER)
    return next(reached, 0) / 100


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
