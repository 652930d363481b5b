"""Learning from rewards alone: a policy gradient over the router's own decisions, live or logged.

No label is used: an episode is a question, the tool that was chosen, the probability with which it was, and the reward
that came back (right or wrong, less the price of the path). Live learning is logged learning repeated: act, wait for
the rewards, learn from all that is known so far with importance weights, so that rewards may come late, for a few
decisions only, or wrong at times.

Sources: Williams 1992 (REINFORCE); Swaminathan and Joachims 2015, "Counterfactual Risk Minimization" and "The
Self-Normalized Estimator for Counterfactual Learning"; Ionides 2008, "Truncated Importance Sampling". Word vectors stay
as they are; gate, convolution and the linear layer learn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional as F

from router.learning.training import seeded
from router.network import Router
from router.network.calibration import label_numbers, softmax
from router.network.features import tokenise
from router.network.module import Tail, pad


@dataclass(frozen=True)
class Episode:
    """One decision and what came of it. ``probability``: with which the acting policy chose ``tool``."""

    question: str
    tool: str
    probability: float
    reward: float


@dataclass(frozen=True)
class ReinforceConfig:
    """``clip`` truncates importance weights; ``entropy`` and ``kl`` (to the router at the start) keep the policy from
    collapsing; ``explore`` is the share of live decisions that are drawn evenly from all tools. A share ``validation``
    of the episodes judges the result. Live: ``rounds`` rounds, learning from everything after each.
    """

    epochs: int = 3
    batch_size: int = 128
    learning_rate: float = 3e-3
    clip: float = 10.0
    entropy: float = 0.003
    kl: float = 0.1
    explore: float = 0.1
    validation: float = 0.1
    rounds: int = 8
    seed: int = 0


@dataclass(frozen=True)
class Round:
    """One round of live learning has ended: ``episodes`` rewards are known, ``reward`` is what the policy earned on
    average in this round, before it learned from it.
    """

    round: int
    rounds: int
    episodes: int
    reward: float
    router: Router


def ignore(progress: Round) -> None:
    """The listener of a training that nobody watches."""


def fit_reinforce(
    router: Router,
    episodes: Sequence[Episode],
    config: ReinforceConfig = ReinforceConfig(),
) -> Router:
    """``router``, improved from logged ``episodes``; ``router`` itself where the held-out ones show a loss of more than
    one standard error.

    The confidence and threshold stay: calibrate anew where labelled examples exist. Raises ValueError where an episode
    has a probability outside (0, 1], a reward that is not finite or a tool the router does not know, or where there
    are fewer than 20.
    """
    _check(router, episodes)
    if len(episodes) < 20:
        raise ValueError(f"{len(episodes)} episodes are too few to learn from and to judge by. Give 20 or more.")
    order = np.random.default_rng(config.seed).permutation(len(episodes))
    n_held = max(5, round(config.validation * len(episodes)))
    held, used = [episodes[i] for i in order[:n_held]], [episodes[i] for i in order[n_held:]]
    started = time.process_time()
    learned = _learn(router, router, used, config)
    before, after, error = _compare(router, learned, held)
    if after + error < before:
        return router
    about = {
        "episodes": len(episodes),
        "value_before": before,
        "value_after": after,
        "seed": config.seed,
        "train_cpu_s": round(time.process_time() - started, 1),
    }
    return learned.having(provenance={**learned.provenance, "reinforced": about})


def fit_live(
    router: Router,
    questions: Sequence[str],
    reward: Callable[[str, str], float | None],
    config: ReinforceConfig = ReinforceConfig(),
    delay: int = 0,
    on_progress: Callable[[Round], None] = ignore,
) -> Router:
    """Improve ``router`` by letting it act on ``questions``, split over ``config.rounds`` rounds.

    ``reward(question, tool)`` is the reward of a decision, or None where none is ever observed. Rewards arrive
    ``delay`` rounds late. ``on_progress`` may raise to break off. Returns ``router`` itself where the last round earned
    clearly less than the first. Raises ValueError where a reward is not finite.
    """
    rng = np.random.default_rng(config.seed)
    acting, known, waiting, earned = router, [], [], []
    for number, chunk in enumerate(np.array_split(rng.permutation(len(questions)), config.rounds), start=1):
        acted = act(acting, [questions[i] for i in chunk], rng, config.explore)
        answered = [(q, tool, p, reward(q, tool)) for q, tool, p in acted]
        fresh = [Episode(q, tool, p, float(r)) for q, tool, p, r in answered if r is not None]
        _check(router, fresh)
        earned.append([e.reward for e in fresh])
        waiting.append(fresh)
        if len(waiting) > delay:
            known += waiting.pop(0)
        if known:
            acting = _learn(acting, router, known, replace(config, seed=config.seed + number))
        on_progress(Round(number, config.rounds, len(known), float(np.mean(earned[-1] or [np.nan])), acting))
    known += [episode for fresh in waiting for episode in fresh]
    if delay:
        acting = _learn(acting, router, known, config)
    first, last = (np.array(rewards or [0.0]) for rewards in (earned[0], earned[-1]))
    if last.mean() + 2 * (first.std() + last.std()) / np.sqrt(min(len(first), len(last))) < first.mean():
        return router
    about = {
        "episodes": len(known),
        "value_before": float(first.mean()),
        "value_after": float(last.mean()),
        "seed": config.seed,
    }
    return acting.having(provenance={**acting.provenance, "reinforced": about})


def act(
    router: Router, questions: Sequence[str], rng: np.random.Generator, explore: float = 0.0
) -> list[tuple[str, str, float]]:
    """(question, tool, probability) for each question: a tool drawn from the router's probabilities, mixed with the
    even distribution by the share ``explore``.
    """
    policy = softmax(router.logits(questions).astype(np.float64)) * (1 - explore) + explore / len(router.labels)
    drawn = (policy.cumsum(1) > rng.random((len(questions), 1)) * policy.sum(1, keepdims=True)).argmax(1)
    return [(q, router.labels[k], float(policy[i, k])) for i, (q, k) in enumerate(zip(questions, drawn))]


def policy_value(router: Router, episodes: Sequence[Episode], clip: float = 50.0) -> float:
    """Self-normalised importance-sampling estimate of the reward that ``router``'s probabilities would earn."""
    ours = softmax(router.logits([e.question for e in episodes]).astype(np.float64))
    chosen = ours[np.arange(len(episodes)), label_numbers(router.labels, [e.tool for e in episodes])]
    weights = np.minimum(chosen / np.array([e.probability for e in episodes]), clip)
    rewards = np.array([e.reward for e in episodes])
    return float((weights * rewards).sum() / max(weights.sum(), 1e-12))


def _compare(old: Router, new: Router, episodes: Sequence[Episode]) -> tuple[float, float, float]:
    """Estimated values of two policies, and the standard error of the better informed half of the comparison."""
    before, after = policy_value(old, episodes), policy_value(new, episodes)
    rewards = np.array([e.reward for e in episodes])
    return before, after, float(rewards.std() / np.sqrt(len(rewards)))


def _learn(router: Router, anchor: Router, episodes: Sequence[Episode], config: ReinforceConfig) -> Router:
    """Gradient ascent on Σ min(π / p, clip) · advantage · log π, with an entropy bonus and a pull to ``anchor``."""
    ids, vectors = _vectors(router, [e.question for e in episodes])
    actions = torch.from_numpy(label_numbers(router.labels, [e.tool for e in episodes]))
    behaviour = torch.tensor([e.probability for e in episodes])
    rewards = torch.tensor([e.reward for e in episodes])
    advantage = (rewards - rewards.mean()) / rewards.std().clamp(min=1e-3)
    start = F.log_softmax(torch.from_numpy(anchor.logits([e.question for e in episodes])), 1)
    with seeded(config.seed):
        tail = Tail.of(router).train()
        optimizer = torch.optim.Adam(tail.parameters(), lr=config.learning_rate, fused=True)
        steps, step = config.epochs * -(-len(ids) // config.batch_size), 0
        for _ in range(config.epochs):
            for chosen in torch.randperm(len(ids)).split(config.batch_size):
                tokens, seen = pad([ids[i] for i in chosen.tolist()])
                log_pi = F.log_softmax(tail.head(F.dropout(tail.features(vectors, tokens, seen), 0.1)), 1)
                taken = log_pi.gather(1, actions[chosen, None])[:, 0]
                weight = (taken.detach().exp() / behaviour[chosen]).clamp(max=config.clip)
                gain = (weight * advantage[chosen] * taken).mean()
                entropy = -(log_pi.exp() * log_pi).sum(1).mean()
                drift = (start[chosen].exp() * (start[chosen] - log_pi)).sum(1).mean()
                loss = -gain - config.entropy * entropy + config.kl * drift
                optimizer.param_groups[0]["lr"] = config.learning_rate * 0.5 * (1 + np.cos(np.pi * step / steps))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(tail.parameters(), 1.0)
                optimizer.step()
                step += 1
    old = router.calibration
    calibration = replace(old, temperature=1.0)  # the tail's head has T inside
    weights = replace(router.weights, **tail.arrays())
    return router.having(weights=weights, calibration=calibration, readers={})  # readers know the old features only


def _vectors(router: Router, questions: Iterable[str]) -> tuple[list[list[int]], torch.Tensor]:
    """Word numbers of each question (0 is padding) and the router's vectors of these words, (words, d)."""
    numbers: dict[str, int] = {}
    ids = [[numbers.setdefault(word, len(numbers) + 1) for word in tokenise(question)] for question in questions]
    width = router.weights.norm.shape[1]
    return ids, torch.from_numpy(np.stack([np.zeros(width, np.float32), *map(router.word_vector, numbers)]))


def _check(router: Router, episodes: Sequence[Episode]) -> None:
    for i, e in enumerate(episodes):
        if not 0 < e.probability <= 1:
            raise ValueError(
                f"Episode {i}: probability {e.probability} is outside (0, 1]. Log the acting policy's own."
            )
        if not np.isfinite(e.reward):
            raise ValueError(f"Episode {i}: reward {e.reward} is not a finite number. Leave the episode out.")
        if e.tool not in router.labels:
            raise ValueError(f"Episode {i}: tool {e.tool!r} is none of the router's labels {router.labels}.")
