"""``python -m router bench``: the router against its peers on one data set, in one run on one machine.

Accuracy, calibration, abstention, latency from string to decision, throughput, training time, size. Prints a table,
then one JSON document as the last line. Hyper-parameters are chosen on validation data only; test data is read once,
for the figures. Leaves out the benchmark of learning from rewards (``reward.py``).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from router.bench.data import Dataset, read_dataset
from router.bench.measures import latency, machine, say, table_of
from router.bench.peers import PEERS, Peer, Task, TunedMiniLM, confidence_of
from router.learning.cascade import Cascade
from router.learning.distillation import DistillationConfig, fit_distilled, with_seed
from router.learning.training import TrainingConfig, fit_supervised, settings_of
from router.network import Router
from router.network.artifact import ArtifactError
from router.network.calibration import (
    auroc,
    expected_calibration_error,
    fit_temperature,
    label_numbers,
    log_sum_exp,
    macro_f1,
    softmax,
)
from router.tools import sentence
from router.types import Example

COLUMNS = (
    "model", "accuracy", "macro_f1", "ece", "oos_auroc", "oos_recall_at_95", "p50_us", "p99_us", "batch_qps",
    "train_cpu_s", "size_mb",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark. Returns the exit code: 0, or 2 where the data cannot be read."""
    args = _parser().parse_args(argv)
    if args.reinforce:
        from router.bench.reward import run_rewards

        return run_rewards(args.seeds, args.out)
    if args.serve:
        from router.bench.serving import run_serving

        if not args.calls:
            print("Give the log that --serve is to train on and ask from with --calls FILE.", file=sys.stderr)
            return 2
        return run_serving(args.calls, args.rows, args.rate, args.seconds)
    if args.calls:
        from router.bench.calls import run_calls

        return run_calls(args)
    if args.schemas:
        from router.bench.schemas import run_schemas

        return run_schemas(args)
    if args.data is None:
        print(
            "Give --data FILE (CLINC150's JSON, BANKING77's training CSV, or JSONL), --calls FILE, --schemas, or "
            "--reinforce.",
            file=sys.stderr,
        )
        return 2
    try:
        data = read_dataset(Path(args.data), args.test and Path(args.test), args.oos and Path(args.oos))
    except (OSError, ValueError, KeyError) as fault:
        print(
            sentence(fault) if isinstance(fault, OSError) else f"{args.data} cannot be used: {fault}", file=sys.stderr
        )
        return 2
    unknown = [name for name in args.peers if name not in PEERS]
    if unknown:
        print(f"Unknown peers {unknown}. Known: {', '.join(PEERS)}.", file=sys.stderr)
        return 2
    rows = run(data, args.peers, args.seeds, args.cache and Path(args.cache), args.unlabelled)
    print(table_of(COLUMNS, rows))
    document = {"dataset": data.name, "machine": machine(), "rows": rows}
    if args.out:
        about = {"dataset": data.name, "date": date.today().isoformat(), "machine": document["machine"]}
        with open(args.out, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(about | row) + "\n" for row in rows)
    print(json.dumps(document))
    return 0


def run(
    data: Dataset, peers: Sequence[str], seeds: int, cache: Path | None = None, unlabelled_from: str | None = None
) -> list[dict[str, Any]]:
    """Train all, then measure all. One row a model; ours is the mean over ``seeds`` with the spread beside it."""
    task = _task(data)
    fitted: list[tuple[Peer, float]] = []
    teacher: TunedMiniLM | None = None
    teacher_cpu = 0.0
    for name in peers:
        peer = (
            TunedMiniLM(cache and cache / f"{data.name}-teacher.safetensors")
            if name == TunedMiniLM.name
            else PEERS[name]()
        )
        cpu = _train_peer(peer, task, cache and cache / f"{data.name}-{name}.json")
        if cpu is not None:
            fitted.append((peer, cpu))
            if isinstance(peer, TunedMiniLM):
                teacher, teacher_cpu = peer, cpu
    plain = TrainingConfig(out_of_scope=tuple(data.oos_validation))
    ours = {"switchyard": [_supervised(data, replace(plain, seed=seed), cache) for seed in range(seeds)]}
    if teacher is not None:
        known = Remembered(teacher.logits, cache and cache / f"{data.name}-logits.npz")
        config, texts = DistillationConfig(), _unlabelled(unlabelled_from)
        config = replace(config, training=replace(config.training, out_of_scope=plain.out_of_scope))
        ours["switchyard-distilled"] = [
            _distilled(data, known, with_seed(config, seed), texts, cache) for seed in range(seeds)
        ]
    return _measure_all(data, fitted, ours, teacher, teacher_cpu)


def _measure_all(
    data: Dataset,
    fitted: Sequence[tuple[Peer, float]],
    ours: dict[str, list[Router]],
    teacher: TunedMiniLM | None,
    teacher_cpu: float,
) -> list[dict[str, Any]]:
    rows, single = [], {}
    for peer, cpu in fitted:
        say(f"measuring {peer.name}")
        scored, speed, temperature = score(data, peer.logits)
        rows.append({"model": peer.name, **scored, "batch_qps": speed, "train_cpu_s": cpu, "size_mb": peer.size_mb})
        rows[-1] |= {"settings": peer.settings}
        single[peer.name] = getattr(peer, "decide", None) or _decider(peer, temperature)
    for name, routers in ours.items():
        say(f"measuring {name}")
        seeds = [row_of(data, router) for router in routers]
        mean: dict[str, Any] = {k: float(np.mean([s[k] for s in seeds])) for k in seeds[0] if seeds[0][k] is not None}
        spread = {
            k: float(np.std([s[k] for s in seeds], ddof=min(1, len(seeds) - 1)))
            for k in ("accuracy", "oos_auroc", "ece")
            if k in mean
        }
        rows.append({"model": name, **mean, "spread": spread, "seeds": len(seeds), "per_seed": seeds})
        if name == "switchyard-distilled":
            rows[-1]["teacher_cpu_s"] = teacher_cpu
        single[name] = routers[0].decide
    if teacher is not None:
        say("measuring switchyard-cascade")
        validation = [*data.validation, *(Example(q, "") for q in data.oos_validation)]
        seeds = [_cascade_row(data, Cascade.fit(r, teacher.model, validation)) for r in ours["switchyard-distilled"]]
        mean = {k: float(np.mean([s[k] for s in seeds])) for k in seeds[0] if seeds[0][k] is not None}
        rows.append(
            {
                "model": "switchyard-cascade",
                **mean,
                "seeds": len(seeds),
                "per_seed": seeds,
                "batch_qps": 1e6 / mean["mean_us"],
            }
        )
        rows[-1] |= {"train_cpu_s": rows[-2]["train_cpu_s"] + teacher_cpu, "size_mb": rows[-2]["size_mb"] + 90.9}
        single["switchyard-cascade"] = Cascade.fit(ours["switchyard-distilled"][0], teacher.model, validation).decide
    questions = [example.question for example in data.test]
    timed = latency(single, questions)
    return [row | timed[row["model"]] for row in rows]


def score(data: Dataset, logits_of: Callable[[Sequence[str]], np.ndarray]) -> tuple[dict[str, Any], float, float]:
    """Measures of a classifier that gives logits, its batch speed in questions a second, and its temperature.

    The out-of-scope score, highest probability or energy, is the one with the better AUROC on validation data.
    """
    numbers = {
        part: label_numbers(data.labels, [e.tool for e in getattr(data, part)]) for part in ("validation", "test")
    }
    validation = logits_of([e.question for e in data.validation])
    temperature = fit_temperature(validation, numbers["validation"])
    questions = [e.question for e in data.test]
    started = time.process_time()
    test = logits_of(questions) / temperature
    speed = len(questions) / max(1e-9, time.process_time() - started)
    out = _quality(test, numbers["test"])
    if data.oos_test:
        outside = logits_of(data.oos_test) / temperature
        held = logits_of(data.oos_validation) / temperature
        out |= _rejection(
            validation / temperature, held, test, outside, {"probability": confidence_of, "energy": log_sum_exp}
        )
    return out, speed, temperature


def row_of(data: Dataset, router: Router) -> dict[str, Any]:
    """Measures of one router. Speed in a batch is that of ``decide_batch``."""
    questions = [e.question for e in data.test]
    router.decide_batch(questions)
    started = time.process_time()
    router.decide_batch(questions)
    speed = len(questions) / (time.process_time() - started)
    test = router.logits(questions)
    out = _quality(test, label_numbers(router.labels, [e.tool for e in data.test]))
    if data.oos_test:
        validation, held = router.logits([e.question for e in data.validation]), router.logits(data.oos_validation)
        scores = {"confidence": router.calibration.scores, "energy": log_sum_exp}
        out |= _rejection(validation, held, test, router.logits(data.oos_test), scores)
    size = sum(array.nbytes for array in vars(router.weights).values())
    size += sum(len(text.encode()) + 1 for text in (*router.vocabulary.words, *router.vocabulary.grams))
    return out | {"batch_qps": speed, "train_cpu_s": router.provenance["train_cpu_s"], "size_mb": size / 1e6}


class Remembered:
    """A teacher whose logits are kept by the text's hash, in memory and in ``file``."""

    def __init__(self, teacher: Callable[[Sequence[str]], np.ndarray], file: Path | None = None) -> None:
        self._teacher, self._file = teacher, file
        self._known: dict[str, np.ndarray] = {}
        if file is not None and file.exists():
            with np.load(file) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["logits"].astype(np.float32)))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        keys = [hashlib.sha1(text.encode()).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts) if key not in self._known}
        if missing:
            self._known |= dict(zip(missing, self._teacher(list(missing.values()))))
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                np.savez(self._file, keys=np.array(list(self._known)), logits=np.stack(list(self._known.values())))
        return np.stack([self._known[key] for key in keys])


def _quality(logits: np.ndarray, numbers: np.ndarray) -> dict[str, float]:
    predicted = logits.argmax(1)
    return {
        "accuracy": float((predicted == numbers).mean()),
        "macro_f1": macro_f1(predicted, numbers, logits.shape[1]),
        "ece": expected_calibration_error(softmax(logits), numbers),
    }


def _rejection(
    validation: np.ndarray,
    held: np.ndarray,
    test: np.ndarray,
    outside: np.ndarray,
    scores: dict[str, Callable[[np.ndarray], np.ndarray]],
) -> dict[str, Any]:
    """AUROC and out-of-scope recall at the threshold that keeps 95 % of in-scope validation questions."""
    chosen = max(scores, key=lambda name: auroc(scores[name](validation), scores[name](held)))
    of = scores[chosen]
    threshold = np.quantile(of(validation), 0.05)
    return {"oos_auroc": auroc(of(test), of(outside)), "oos_recall_at_95": float((of(outside) < threshold).mean())}


def _cascade_row(data: Dataset, cascade: Cascade) -> dict[str, Any]:
    decided = [(cascade.decide(e.question), e.tool) for e in data.test]  # also warms up
    started = time.perf_counter()
    for e in data.test[:1000]:
        cascade.decide(e.question)
    mean_us = (time.perf_counter() - started) / min(1000, len(data.test)) * 1e6
    numbers = label_numbers(cascade.labels, [tool for _, tool in decided])
    probabilities = np.array([list(d.probabilities.values()) for d, _ in decided])
    out = _quality(np.log(probabilities + 1e-12), numbers)
    if data.oos_test:
        inside = np.array([d.confidence for d, _ in decided])
        outside = np.array([cascade.decide(q).confidence for q in data.oos_test])
        kept = np.quantile([cascade.decide(e.question).confidence for e in data.validation], 0.05)
        out |= {"oos_auroc": auroc(inside, outside), "oos_recall_at_95": float((outside < kept).mean())}
    return out | {"mean_us": mean_us}


def _supervised(data: Dataset, config: TrainingConfig, cache: Path | None) -> Router:
    def train() -> Router:
        return fit_supervised(data.train, config, validation=data.validation)

    return _kept(train, config, cache and cache / f"{data.name}-switchyard-{config.seed}")


def _distilled(
    data: Dataset, teacher: Remembered, config: DistillationConfig, unlabelled: Sequence[str], cache: Path | None
) -> Router:
    def train() -> Router:
        return fit_distilled(data.train, teacher, config, validation=data.validation, unlabelled=unlabelled)

    name = f"{data.name}-switchyard-distilled-{config.training.seed}"
    return _kept(train, config.training, cache and cache / name)


def _kept(train: Callable[[], Router], config: TrainingConfig, folder: Path | None) -> Router:
    """The router in ``folder`` where it was trained under ``config``; else a new one, which is saved there."""
    if folder is not None and folder.exists():
        try:
            router = Router.from_pretrained(folder)
            if router.provenance["settings"] == json.loads(json.dumps(settings_of(config))):
                say(f"{folder} holds a router of these settings")
                return router
        except ArtifactError as fault:
            say(str(fault))
    say(f"training {folder.name if folder else 'switchyard'}, seed {config.seed}")
    router = train()
    if folder is not None:
        router.save_pretrained(folder)
    return router


def _train_peer(peer: Peer, task: Task, notes: Path | None) -> float | None:
    """CPU seconds of training, None where a package is missing. ``notes`` keeps them beside a cached model."""
    say(f"training {peer.name}")
    started = time.process_time()
    try:
        peer.fit(task, 0)
    except ImportError as fault:
        say(f"{peer.name} is left out: {fault}. It needs `pip install {peer.needs}`.")
        return None
    cpu = time.process_time() - started
    if notes is not None and getattr(peer, "from_cache", False):
        return json.loads(notes.read_text())["train_cpu_s"] if notes.exists() else cpu
    if notes is not None and isinstance(peer, TunedMiniLM):
        notes.write_text(json.dumps({"train_cpu_s": cpu}))
    return cpu


def _decider(peer: Peer, temperature: float) -> Callable[[str], tuple[int, float]]:
    def decide(text: str) -> tuple[int, float]:
        logits = peer.logits([text])[0] / temperature
        best = int(logits.argmax())
        return best, float(1 / np.exp(logits - logits[best]).sum())

    return decide


def _task(data: Dataset) -> Task:
    train, held = ([e.question for e in part] for part in (data.train, data.validation))
    numbers = (label_numbers(data.labels, [e.tool for e in part]) for part in (data.train, data.validation))
    return Task(train, next(numbers), held, next(numbers), len(data.labels))


def _unlabelled(path: str | None) -> list[str]:
    """2,000 questions of another data set, drawn at random, their labels unread."""
    if path is None:
        return []
    questions = [example.question for example in read_dataset(Path(path)).train]
    random.Random(0).shuffle(questions)
    return questions[:2_000]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m router bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", help="CLINC150's JSON, BANKING77's training CSV, or JSONL of question and tool")
    parser.add_argument("--test", help="the test file, where --data does not imply it; the test rows of --calls")
    parser.add_argument("--oos", help="a JSON file in CLINC150's format with out-of-scope questions")
    parser.add_argument("--unlabelled", help="another data set whose questions, without labels, join the distillation")
    parser.add_argument(
        "--peers",
        type=lambda text: [p for p in text.split(",") if p],
        default=[],
        help=f"{', '.join(PEERS)}; with --calls tfidf-lookup, minilm-cache, minilm-joint; with --schemas bm25, minilm",
    )
    parser.add_argument("--seeds", type=int, default=3, help="how often ours is trained (default 3)")
    parser.add_argument("--cache", help="a folder that keeps the fine-tuned MiniLM and its logits between runs")
    parser.add_argument("--out", help="a JSONL file that the rows are appended to")
    parser.add_argument("--calls", metavar="TRAIN.jsonl", help="benchmark whole calls: rows with tool and arguments")
    parser.add_argument("--valid", help="rows to choose the threshold of --calls on")
    parser.add_argument("--rows", type=int, help="train --calls on this many rows, drawn anew for each seed")
    parser.add_argument("--schemas", action="store_true", help="benchmark tools chosen by their schemas alone, on BFCL")
    parser.add_argument("--bfcl", help="the data folder of bfcl-eval, where the package is not installed")
    parser.add_argument("--clinc", help="CLINC150's data_full.json, for --schemas with 0 to 10 examples an intent")
    parser.add_argument("--serve", action="store_true", help="benchmark the endpoint with a router trained on --calls")
    parser.add_argument("--rate", type=int, default=200, help="requests a second of --serve (default 200)")
    parser.add_argument("--seconds", type=float, default=60, help="seconds that --serve asks each way (default 60)")
    parser.add_argument("--reinforce", action="store_true", help="benchmark learning from rewards instead")
    return parser
