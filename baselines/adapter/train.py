"""Training of the adapter: packed traces, AdamW, warm-up, a constant rate, and a decay to nothing.

Leaves out everything that a GPU would want. Processes share the work by prefixes, one thread each: under load that is
faster than one process with two threads, which wait for each other at every product. A step's gradient is the sum over
processes, so the result does not depend on their number beyond rounding. The rate is held until the decay starts, so
that a run can be ended early at a good point (Hu et al. 2024, https://arxiv.org/abs/2404.06395).
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F

from baselines.adapter.model import Branch, Group, LoraConfig, LoraLlama, Shape, fast_products, read_gguf
from baselines.adapter.tokenizer import ChatTokenizer
from baselines.adapter.traces import Trace

DECAY_SHARE = 0.2
"""Share of a time limit that the decay takes."""


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast.

    ``decay`` steps at the end lower the rate to nothing; with ``minutes`` the clock decides on both, and the decay
    takes the last fifth of the time. Prefixes are computed anew every ``prefix_every`` steps. ``distractors``
    vocabulary entries that the traces do not use stand in each step's softmax beside those that they do.
    """

    steps: int = 1103
    decay: int = 223
    minutes: float | None = None
    traces_per_step: int = 16
    prefix_every: int = 8
    rate: float = 1.5e-3
    warm_up: int = 8
    clip: float = 1.0
    processes: int = 2
    distractors: int = 3_000
    seed: int = 0


@dataclass(frozen=True)
class Sample:
    """A trace as ids, with its role for the figures."""

    role: str
    prefix: tuple[int, ...]
    branch: Branch


@dataclass(frozen=True)
class Outcome:
    """What a run did: its steps, the step at which the decay began, the loss of each in nats per reply token.

    ``phases``: (first step of the decay, last step) of each earlier end, where a finished run was made to go on.
    """

    steps: int
    decay_from: int
    losses: tuple[float, ...]
    seconds: float
    tokens: int
    phases: tuple[tuple[int, int], ...] = ()


def encode(traces: Sequence[Trace], tokenizer: ChatTokenizer) -> list[Sample]:
    """Traces as ids. Every assistant message is a target, with its end mark if it is whole."""
    samples = []
    for trace in traces:
        ids: list[int] = []
        targets: list[bool] = []
        for message in trace.messages[1:]:
            if message["role"] == "assistant":
                mark = tokenizer.reply_mark()
                reply = tokenizer.reply(message["content"]) if trace.whole else tokenizer.encode(message["content"])
                end = tokenizer.encode("\n")
                ids += mark + reply + end
                targets += [False] * len(mark) + [True] * len(reply) + [False] * len(end)
            else:
                part = tokenizer.message(message)
                ids += part
                targets += [False] * len(part)
        samples.append(
            Sample(trace.role, tuple(tokenizer.message(trace.messages[0])), Branch(tuple(ids), tuple(targets)))
        )
    return samples


def pack(samples: Sequence[Sample]) -> list[Group]:
    """Samples grouped by their prefix, the dearest group first."""
    groups: dict[tuple[int, ...], list[Branch]] = {}
    for sample in samples:
        groups.setdefault(sample.prefix, []).append(sample.branch)
    packed = [Group(prefix, tuple(branches)) for prefix, branches in groups.items()]
    return sorted(packed, key=_cost, reverse=True)


def _cost(group: Group) -> float:
    """Tokens, where those of a prefix are cheap: most steps find it computed."""
    return 0.1 * len(group.prefix) + sum(len(branch.ids) for branch in group.branches)


def _dealt(groups: Sequence[Group], processes: int) -> list[list[Group]]:
    hands: list[list[Group]] = [[] for _ in range(processes)]
    for group in groups:
        min(hands, key=lambda hand: sum(map(_cost, hand))).append(group)
    return hands


def used_ids(samples: Sequence[Sample]) -> torch.Tensor:
    """Sorted ids that occur in any of the samples."""
    return torch.tensor(sorted({number for sample in samples for number in sample.branch.ids}))


def losses_by_role(
    model: LoraLlama, samples: Sequence[Sample], candidates: torch.Tensor | None = None
) -> dict[str, float]:
    """Mean loss of reply tokens by role, in nats, over the whole vocabulary unless ``candidates`` are given."""
    found = {}
    for role in dict.fromkeys(sample.role for sample in samples):
        total = count = 0.0
        chosen = [sample for sample in samples if sample.role == role]
        for start in range(0, len(chosen), 12):
            with torch.no_grad():
                hidden, wanted = model(pack(chosen[start : start + 12]))
                total += float(F.cross_entropy(model.logits(hidden, candidates), wanted, reduction="sum"))
            count += len(wanted)
        found[role] = total / count
    return found


def train(base: Path, samples: Sequence[Sample], checkpoint: Path, config: TrainConfig, lora: LoraConfig) -> Outcome:
    """Train on ``samples`` in their order (again from the start when they are used up) and leave the trained pairs in
    ``checkpoint``. A run that was interrupted goes on from there when its data and settings are the same."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    meeting = Path(tempfile.mkdtemp()) / "meeting"
    shape, weights, _ = read_gguf(base)
    job = _Job(str(meeting), (shape, weights), list(samples), checkpoint, config, lora)
    if config.processes == 1:
        _work(0, job)
    else:
        mp.spawn(_work, (job,), nprocs=config.processes)
    state = torch.load(checkpoint, weights_only=True)
    phases = tuple((start, end) for start, end in state.get("phases", []))
    numbers = (state["step"], state["decay_from"], tuple(state["losses"]), state["seconds"], state["tokens"])
    return Outcome(*numbers, phases)


def load_trained(model: LoraLlama, checkpoint: Path) -> None:
    """Put the pairs of a checkpoint into ``model``."""
    model.lora.load_state_dict(torch.load(checkpoint, weights_only=True)["lora"])
    model.forget_prefixes()


@dataclass(frozen=True)
class _Job:
    """What every process of a training is given; ``meeting`` is the file at which they find each other."""

    meeting: str
    base: tuple[Shape, dict[str, torch.Tensor]]
    samples: list[Sample]
    checkpoint: Path
    config: TrainConfig
    lora: LoraConfig


def _work(rank: int, job: _Job) -> None:
    config, samples, checkpoint, lora = job.config, job.samples, job.checkpoint, job.lora
    torch.set_num_threads(1)
    if config.processes > 1:
        dist.init_process_group("gloo", init_method=f"file://{job.meeting}", rank=rank, world_size=config.processes)
    shape, weights = job.base
    model = LoraLlama(shape, weights, lora, fast_products())
    parameters = list(model.lora.values())
    optimizer = torch.optim.AdamW(parameters, lr=config.rate, betas=(0.9, 0.98), weight_decay=0.0)
    state = _resume(model, optimizer, checkpoint, samples, config)
    used = used_ids(samples)
    unused = torch.ones(len(weights["token_embd.weight"]), dtype=torch.bool)
    unused[used] = False
    unused = unused.nonzero()[:, 0]
    started, before = time.monotonic(), state["seconds"]
    recent: deque[float] = deque(maxlen=10)
    while state["step"] < state["steps"]:
        step = state["step"]
        dice = random.Random(f"{config.seed}/{step}")
        chosen = [samples[(step * config.traces_per_step + i) % len(samples)] for i in range(config.traces_per_step)]
        others = unused[torch.tensor(dice.sample(range(len(unused)), min(config.distractors, len(unused))))]
        candidates = torch.cat((used, others)).sort().values
        replies = sum(sum(sample.branch.targets) for sample in chosen)
        rate = config.rate * _rate(step, state, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        if step % config.prefix_every == 0:
            model.forget_prefixes()
        loss = _gradient(model, _dealt(pack(chosen), config.processes)[rank], candidates, replies)
        loss = _summed(parameters, loss, config.processes)
        torch.nn.utils.clip_grad_norm_(parameters, config.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        state["step"] += 1
        state["losses"].append(loss)
        state["tokens"] += sum(len(sample.branch.ids) for sample in chosen)
        recent.append(before + time.monotonic() - started - state["seconds"])
        state["seconds"] += recent[-1]
        _plan_the_end(state, config, recent)
        if rank == 0:
            _report(state, rate, recent)
            if state["step"] % 10 == 0 or state["step"] >= state["steps"]:
                _save(model, optimizer, checkpoint, state)
    if config.processes > 1:
        dist.destroy_process_group()


def _gradient(model: LoraLlama, groups: list[Group], candidates: torch.Tensor, replies: int) -> float:
    if not groups:
        return 0.0
    hidden, wanted = model(groups)
    places = torch.searchsorted(candidates, wanted)
    loss = F.cross_entropy(model.logits(hidden, candidates), places, reduction="sum") / replies
    loss.backward()
    return float(loss.detach())


def _summed(parameters: list[torch.nn.Parameter], loss: float, processes: int) -> float:
    """Sum gradients and loss over the processes."""
    if processes == 1:
        return loss
    flat = torch.cat([p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in parameters])
    flat = torch.cat((flat, torch.tensor([loss])))
    dist.all_reduce(flat)
    for parameter, piece in zip(parameters, flat[:-1].split([p.numel() for p in parameters])):
        parameter.grad = piece.view_as(parameter).clone()
    return float(flat[-1])


def _rate(step: int, state: dict, config: TrainConfig) -> float:
    """Share of the full rate: warm-up, constant, linear to nothing."""
    left = (state["steps"] - step) / max(1, state["steps"] - state["decay_from"])
    return min(1.0, (step + 1) / config.warm_up, left)


def _plan_the_end(state: dict, config: TrainConfig, recent: Sequence[float]) -> None:
    """With a time limit: start the decay when its time has come, with as many steps as fit at the speed of ``recent``
    steps (seconds each). All processes decide alike, by rank 0's clock."""
    if config.minutes is None or state["step"] >= state["decay_from"]:
        return
    left = 60 * config.minutes - state["seconds"]
    fitting = round(left / (sum(recent) / len(recent))) if left < 60 * config.minutes * DECAY_SHARE else 0
    count = torch.tensor(max(5, fitting) if fitting or left < 0 else 0)
    if config.processes > 1:
        dist.broadcast(count, 0)
    if count:
        state["decay_from"], state["steps"] = state["step"], state["step"] + int(count)


def _report(state: dict, rate: float, recent: Sequence[float]) -> None:
    losses, pace = state["losses"][-10:], sum(recent) / len(recent)
    speed = state["tokens"] / state["step"] / pace
    left = f", {(state['steps'] - state['step']) * pace / 60:.0f} min left" if state["steps"] < 10**6 else ""
    print(
        f"step {state['step']} loss {losses[-1]:.3f} (last {len(losses)}: {sum(losses) / len(losses):.3f}) "
        f"rate {rate:.1e} {speed:.0f} tokens/s, {state['seconds'] / 60:.1f} min{left}",
        flush=True,
    )


def _fingerprint(samples: Sequence[Sample], config: TrainConfig) -> str:
    settings = {"seed": config.seed, "traces_per_step": config.traces_per_step, "rate": config.rate}
    return json.dumps(
        [len(samples), hash(samples[0].branch.ids), hash(samples[-1].branch.ids), settings], sort_keys=True
    )


def _resume(
    model: LoraLlama, optimizer: torch.optim.Optimizer, checkpoint: Path, samples: Sequence[Sample], config: TrainConfig
) -> dict:
    print_of_run = _fingerprint(samples, config)
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["run"] != print_of_run:
            raise ValueError(
                f"{checkpoint.name} is of another run. Remove it, or give another directory for checkpoints."
            )
        model.lora.load_state_dict(saved["lora"])
        optimizer.load_state_dict(saved["optimizer"])
        kept = ("run", "step", "steps", "decay_from", "losses", "seconds", "tokens")
        state = {name: saved[name] for name in kept} | {"phases": saved.get("phases", [])}
        if state["step"] == state["steps"] < config.steps:  # a finished run is to go on: at the full rate, then decay
            state["phases"] = [*state["phases"], [state["decay_from"], state["steps"]]]
            state |= {"steps": config.steps, "decay_from": max(state["step"], config.steps - config.decay)}
        return state
    steps, decay_from = config.steps, max(0, config.steps - config.decay)
    if config.minutes is not None:
        steps = decay_from = 10**6  # until the clock says otherwise
    return {
        "run": print_of_run, "step": 0, "steps": steps, "decay_from": decay_from, "losses": [], "seconds": 0.0,
        "tokens": 0,
    }  # fmt: skip


def _save(model: LoraLlama, optimizer: torch.optim.Optimizer, checkpoint: Path, state: dict) -> None:
    partial = checkpoint.with_suffix(".partial")
    torch.save({**state, "lora": model.lora.state_dict(), "optimizer": optimizer.state_dict()}, partial)
    os.replace(partial, checkpoint)
