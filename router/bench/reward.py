"""``python -m router bench --reinforce``: does a router with bad labels recover from rewards alone?

40 % of its training labels are corrupted, at random or by exchanging four of ten labels among themselves. Then it acts
on new questions and sees nothing but rewards: prompt, two rounds late, for a quarter of its decisions, or wrong one
time in five. Data: the project's own synthetic questions, so that anybody can repeat it. Accuracy is measured on other
questions with right labels. Leaves out logged episodes, which the tests cover.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from router.learning.data import synthetic_examples
from router.learning.reinforce import ReinforceConfig, fit_live
from router.learning.training import TrainingConfig, evaluate, fit_supervised
from router.network import Router
from router.network.module import NetworkConfig
from router.types import Example

CORRUPTED = 0.4
PRICE = 0.1
"""What the path costs, in units of a right result: the reward is right (1) or wrong (0) less this."""
NETWORK = TrainingConfig(
    network=NetworkConfig(width=128, channels=64, dropout=0.3, word_dropout=0.1),
    epochs=6,
    batch_size=64,
    table_learning_rate=2e-3,
)


@dataclass(frozen=True)
class Condition:
    """How labels are corrupted and how rewards come back."""

    corruption: str
    name: str
    delay: int = 0
    observed: float = 1.0
    flipped: float = 0.0


CONDITIONS = (
    Condition("random", "prompt"),
    Condition("random", "two rounds late", delay=2),
    Condition("random", "a quarter observed", observed=0.25),
    Condition("random", "a fifth wrong", flipped=0.2),
    Condition("exchanged", "prompt"),
    Condition("exchanged", "two rounds late", delay=2),
    Condition("exchanged", "a quarter observed", observed=0.25),
    Condition("exchanged", "a fifth wrong", flipped=0.2),
)


def run_rewards(seeds: int, out: str | None) -> int:
    """Print the table and the JSON document; append a row a run to ``out``. Returns the exit code."""
    rows = []
    for seed in range(seeds):
        training, live, test = _data(seed)
        clean = evaluate(fit_supervised(training, replace(NETWORK, seed=seed)), test)["accuracy"]
        start = {
            kind: fit_supervised(corrupt(training, kind, seed), replace(NETWORK, seed=seed))
            for kind in ("random", "exchanged")
        }
        for condition in CONDITIONS:
            rows.append(_recover(start[condition.corruption], condition, seed, live, test) | {"clean_labels": clean})
            print(_line(rows[-1]), flush=True)
            if out:
                with open(out, "a", encoding="utf-8") as file:
                    file.write(json.dumps({"dataset": "synthetic rewards", **rows[-1]}) + "\n")
    print(json.dumps({"dataset": "synthetic rewards", "corrupted": CORRUPTED, "rows": rows}))
    return 0


def corrupt(examples: Sequence[Example], kind: str, seed: int) -> list[Example]:
    """``examples`` with 40 % of the labels wrong: "random" ones, or four of ten labels "exchanged" in a ring."""
    rng, labels = random.Random(seed), sorted({e.tool for e in examples})
    if kind == "exchanged":
        ring = rng.sample(labels, round(CORRUPTED * len(labels)))
        other = dict(zip(ring, ring[1:] + ring[:1]))
        return [replace(e, tool=other.get(e.tool, e.tool)) for e in examples]
    wrong = set(rng.sample(range(len(examples)), round(CORRUPTED * len(examples))))
    return [
        replace(e, tool=rng.choice([label for label in labels if label != e.tool])) if i in wrong else e
        for i, e in enumerate(examples)
    ]


def reward_of(truth: dict[str, str], condition: Condition, seed: int) -> Callable[[str, str], float | None]:
    """The reward of a decision under ``condition``: right or wrong less the price, or None where it is not seen."""
    rng = random.Random(seed)

    def reward(question: str, tool: str) -> float | None:
        right = truth[question] == tool
        if rng.random() >= condition.observed:
            return None
        return float(right != (rng.random() < condition.flipped)) - PRICE

    return reward


def _recover(
    start: Router, condition: Condition, seed: int, live: Sequence[Example], test: Sequence[Example]
) -> dict[str, Any]:
    truth = {e.question: e.tool for e in live}
    curve = [(0, evaluate(start, test)["accuracy"])]
    fit_live(
        start,
        list(truth),
        reward_of(truth, condition, seed),
        ReinforceConfig(seed=seed),
        condition.delay,
        lambda r: curve.append((r.episodes, evaluate(r.router, test)["accuracy"])),
    )
    return {
        "corruption": condition.corruption,
        "rewards": condition.name,
        "seed": seed,
        "before": curve[0][1],
        "after": curve[-1][1],
        "lowest": min(accuracy for _, accuracy in curve),
        "curve": curve,
    }


def _data(seed: int) -> tuple[list[Example], list[Example], list[Example]]:
    """(training, live, test): 600, 4000 and 800 questions, none twice."""
    unique = {e.question: e for e in synthetic_examples(seed, per_label=600)}
    rows = [unique[q] for q in sorted(unique)]
    np.random.default_rng(seed).shuffle(rows)
    return rows[:600], rows[600:4600], rows[4600:5400]


def _line(row: dict[str, Any]) -> str:
    points = " ".join(f"{accuracy:.2f}" for _, accuracy in row["curve"])
    return f"{row['corruption']:10} {row['rewards']:20} seed {row['seed']}  clean {row['clean_labels']:.3f}  {points}"
