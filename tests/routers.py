"""What tests train: a small router on the project's synthetic questions, and questions of three other tools."""

from __future__ import annotations

import random
from functools import cache

import torch

from router.learning import synthetic
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


PATTERNS = {
    "lights": (
        "[turn|switch] [on|off] the ROOM [lights|lamp]",
        "[dim|brighten] the ROOM [lights|lamp]",
        "lights [on|off] in the ROOM",
        "set the ROOM lights to NUMBER percent",
    ),
    "parcel": (
        "where is my [parcel|package] NUMBER",
        "track [parcel|order] NUMBER",
        "has [order|parcel] NUMBER [shipped|arrived]",
        "when will [package|parcel] NUMBER arrive",
    ),
    "ticket": (
        "open a ticket: the THING [fails|is broken]",
        "report a [bug|problem] with the THING",
        "file the THING as [an urgent|a high] priority [ticket|issue]",
    ),
}
WORDS = {
    "ROOM": ("kitchen", "living room", "bedroom", "hall", "office", "garage"),
    "THING": ("printer", "login page", "export", "vpn", "screen", "search box"),
}


def own_rows(count: int, seed: int = 0) -> list[Example]:
    """``count`` different questions of each of three tools."""
    found = []
    for label, patterns in PATTERNS.items():
        rng = random.Random(f"{label}/{seed}")
        made: dict[str, None] = {}
        while len(made) < count:
            question = synthetic.expand(rng.choice(patterns), rng).replace("NUMBER", str(rng.randrange(1_000, 99_999)))
            for name, words in WORDS.items():
                question = question.replace(name, rng.choice(words))
            made[question] = None
        found += [Example(question, label) for question in made]
    return found


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
