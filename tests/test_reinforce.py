"""Learning from rewards: it recovers, from live and from logged decisions, and does not collapse."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from routers import SMALL, examples, small_router

from router.bench.reward import Condition, corrupt, reward_of
from router.learning.reinforce import Episode, ReinforceConfig, act, fit_live, fit_reinforce, policy_value
from router.learning.training import evaluate, fit_supervised
from router.network import Router

TRAINING, TEST = examples()
TRUTH = {e.question: e.tool for e in TRAINING}
CONFIG = ReinforceConfig(rounds=4, batch_size=64)


@pytest.fixture(scope="module")
def corrupted() -> Router:
    """A router whose training had 40 % of its labels wrong."""
    torch.set_num_threads(1)
    return fit_supervised(corrupt(TRAINING[::2], "random", seed=0), SMALL)


def logged(router: Router, seed: int = 0) -> list[Episode]:
    acted = act(router, list(TRUTH), np.random.default_rng(seed), explore=0.3)
    return [Episode(q, tool, p, float(TRUTH[q] == tool)) for q, tool, p in acted]


def accuracy(router: Router) -> float:
    return evaluate(router, TEST)["accuracy"]


def test_rewards_repair_corrupted_labels(corrupted: Router) -> None:
    repaired = fit_live(corrupted, list(TRUTH), lambda q, tool: float(TRUTH[q] == tool) - 0.1, CONFIG)
    assert accuracy(repaired) > accuracy(corrupted) + 0.05
    assert repaired.provenance["reinforced"]["episodes"] == len(TRUTH)


def test_logged_decisions_repair_them_too(corrupted: Router) -> None:
    episodes = [e for seed in range(3) for e in logged(corrupted, seed)]
    assert accuracy(fit_reinforce(corrupted, episodes, CONFIG)) > accuracy(corrupted) + 0.03


@pytest.mark.parametrize(
    "condition",
    [Condition("", "late", delay=2), Condition("", "sparse", observed=0.3), Condition("", "noisy", flipped=0.2)],
)
def test_late_sparse_and_noisy_rewards_do_not_make_it_collapse(condition: Condition) -> None:
    start = small_router()
    after = fit_live(start, list(TRUTH), reward_of(TRUTH, condition, 0), CONFIG, condition.delay)
    assert accuracy(after) > accuracy(start) - 0.05
    assert len({d.tool for d in after.decide_batch([e.question for e in TEST])}) == len(start.labels)


def test_constant_rewards_teach_nothing() -> None:
    start = small_router()
    after = fit_reinforce(start, [replace(e, reward=1.0) for e in logged(start)], CONFIG)
    assert accuracy(after) == pytest.approx(accuracy(start), abs=0.04)


def test_a_loss_on_held_out_episodes_keeps_the_old_router() -> None:
    rng = random.Random(0)
    start = small_router()
    lies = [Episode(e.question, e.tool, 0.1, float(TRUTH[e.question] != e.tool)) for e in logged(start)]
    rng.shuffle(lies)
    held = round(0.1 * len(lies))
    order = np.random.default_rng(CONFIG.seed).permutation(len(lies))
    for i in order[:held]:  # learning from lies, judged by the truth
        lies[i] = replace(lies[i], reward=1 - lies[i].reward)
    assert fit_reinforce(start, lies, replace(CONFIG, learning_rate=2e-2)) is start


def test_actions_come_with_the_probability_they_were_drawn_with() -> None:
    rng = np.random.default_rng(0)
    question = TEST[0].question
    drawn = [act(small_router(), [question], rng, explore=0.5)[0] for _ in range(2000)]
    for label in small_router().labels:
        p = 0.5 * small_router().decide(question).probabilities[label] + 0.5 / len(small_router().labels)
        mine = [d for d in drawn if d[1] == label]
        assert len(mine) / 2000 == pytest.approx(p, abs=0.05)
        assert all(d[2] == pytest.approx(p, abs=1e-4) for d in mine)


def test_a_policys_value_is_estimated_from_another_policys_log() -> None:
    acting = fit_supervised(TRAINING[::5], replace(SMALL, epochs=1))
    log = [e for seed in range(8) for e in logged(acting, seed)]
    probabilities = [d.probabilities[TRUTH[q]] for q, d in zip(TRUTH, small_router().decide_batch(list(TRUTH)))]
    assert policy_value(small_router(), log) == pytest.approx(np.mean(probabilities), abs=0.06)


def test_the_same_seed_learns_the_same(corrupted: Router) -> None:
    log, questions = logged(corrupted), [e.question for e in TEST]
    first, second = (fit_reinforce(corrupted, log, CONFIG).logits(questions) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"probability": 0.0}, "probability"),
        ({"probability": 1.5}, "probability"),
        ({"reward": float("nan")}, "reward"),
        ({"tool": "nonsense"}, "none of the router's labels"),
    ],
)
def test_unfit_episodes_are_refused_by_number(wrong, says: str) -> None:
    episodes = logged(small_router())[:30]
    episodes[7] = replace(episodes[7], **wrong)
    with pytest.raises(ValueError, match=f"Episode 7.*{says}"):
        fit_reinforce(small_router(), episodes)


def test_too_few_episodes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 episodes"):
        fit_reinforce(small_router(), logged(small_router())[:3])
