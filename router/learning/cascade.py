"""A second opinion: the questions that the router is least sure of go to a fine-tuned MiniLM before any LLM is asked.

Off by default: it needs torch, MiniLM's weights and 10 ms a question that is passed on. Leaves out training of either
stage.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router.learning.training import fit_calibration
from router.network import Calibration, Router
from router.network.calibration import AbstentionTarget, softmax
from router.network.minilm import MiniLM
from router.types import Decision, Example


class Cascade:
    """Two stages with one interface: ``decide`` as a Router's.

    A question whose confidence lies below ``pass_on`` is decided by the mean of both stages' probabilities; its
    confidence is the mean of both confidences.
    """

    def __init__(self, router: Router, model: MiniLM, calibration: Calibration, pass_on: float) -> None:
        if model.head.out_features != len(router.labels):
            raise ValueError(
                f"MiniLM knows {model.head.out_features} labels, the router {len(router.labels)}. Train both alike."
            )
        self.labels, self.threshold, self.pass_on = router.labels, router.threshold, pass_on
        self._router, self._model, self._calibration = router, model, calibration

    @classmethod
    def fit(
        cls,
        router: Router,
        model: MiniLM,
        examples: Sequence[Example],
        share: float = 0.1,
        target: AbstentionTarget = AbstentionTarget(),
    ) -> Cascade:
        """Calibrate ``model`` on ``examples`` (not trained on) and pass on the least sure ``share`` of them."""
        questions = [example.question for example in examples]
        inside = np.array([example.tool in router.labels for example in examples])
        confidences = np.array([decision.confidence for decision in router.decide_batch(questions)])
        pass_on = float(np.quantile(confidences[inside], share))
        calibration = fit_calibration(model.logits(questions), examples, router.labels, target)
        return cls(router, model, calibration, pass_on)

    def decide(self, question: str) -> Decision:
        """The decision on ``question``, by one stage or by both."""
        first = self._router.decide(question)
        if first.confidence >= self.pass_on or first.tool is None:
            return first
        logits = self._model.logits([question]) / np.float32(self._calibration.temperature)
        second = float(self._calibration.scores(logits)[0])
        mixed = (softmax(logits)[0] + np.fromiter(first.probabilities.values(), np.float64)) / 2
        confidence = (first.confidence + second) / 2
        probabilities = dict(zip(self.labels, mixed.tolist()))
        return Decision(self.labels[int(mixed.argmax())], probabilities, confidence, confidence < self.threshold)
