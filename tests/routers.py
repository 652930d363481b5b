"""A small router for tests, trained once a run on the project's own synthetic questions."""

from __future__ import annotations

from functools import cache

import torch

from router.learning.data import synthetic_examples
from router.learning.training import TrainingConfig, fit_supervised, hold_out
from router.network import Router
from router.network.module import NetworkConfig, RouterNetwork
from router.types import Example

SMALL = TrainingConfig(
    network=NetworkConfig(width=64, channels=32, dropout=0.2, word_dropout=0.1),
    epochs=6,
    batch_size=32,
    learning_rate=4e-3,
    table_learning_rate=4e-3,
)


@cache
def examples() -> tuple[list[Example], list[Example]]:
    """(training, held out): 60 and 20 questions a label."""
    return hold_out(synthetic_examples(seed=3, per_label=80), 0.25, seed=0)


@cache
def small_router() -> Router:
    torch.set_num_threads(1)
    return fit_supervised(examples()[0], SMALL)


@cache
def small_network() -> RouterNetwork:
    """The same shape, untrained, with weights that are not zero anywhere."""
    from router.network.features import Vocabulary

    torch.manual_seed(0)
    texts = [e.question for e in examples()[0]]
    return RouterNetwork(Vocabulary.build(texts), sorted({e.tool for e in examples()[0]}), SMALL.network).eval()
