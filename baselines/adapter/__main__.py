"""``python -m baselines train-adapter``: make traces, train, write the adapter and its record."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from router.lms.model_file import ADAPTER

KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""glibc, in the training's processes: keep freed memory. Giving it back at every step is a third of their time."""
PACKAGES = ("torch", "gguf", "tokenizers", "xllamacpp", "numpy")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read by torch and llama.cpp when they load
    for name, value in KEEP_MEMORY.items():
        os.environ.setdefault(name, value)
    if arguments.evaluate_only:
        return _evaluate_only(arguments)
    from baselines.adapter.export import write_adapter
    from baselines.adapter.model import LoraConfig, LoraLlama, read_gguf
    from baselines.adapter.traces import data_hash, still_tools, traces
    from baselines.adapter.train import TrainConfig, encode, load_trained, losses_by_role, train
    from router.lms.model_file import SHA256, embedded_model

    base, tools, lora = embedded_model(), still_tools(), LoraConfig(seed=arguments.seed)
    config = TrainConfig(
        steps=arguments.steps,
        decay=arguments.decay,
        minutes=arguments.minutes,
        processes=arguments.processes,
        seed=arguments.seed,
    )
    checkpoint = _checkpoints(arguments.checkpoints) / "run.pt"
    print(f"Making {arguments.traces:,} traces ...", flush=True)
    shape, weights, tokenizer = read_gguf(base)
    made = _kept_traces(checkpoint, lambda: traces(tools, arguments.traces, arguments.seed, words=tokenizer.words()))
    held_out = traces(tools, arguments.held_out, arguments.seed + 1, held_out=True, words=tokenizer.words())
    samples = encode(made, tokenizer)
    print(f"Training; checkpoints in {checkpoint.parent} ...", flush=True)
    outcome = train(base, samples, checkpoint, config, lora)
    model = LoraLlama(shape, weights, lora)
    load_trained(model, checkpoint)
    size = write_adapter(model, arguments.out)
    losses = losses_by_role(model, encode(held_out, tokenizer))
    seen = min(len(made), outcome.steps * config.traces_per_step)
    record: dict[str, Any] = {
        "base": {"file": base.name, "sha256": SHA256},
        "adapter_bytes": size,
        "lora": asdict(lora),
        "training": asdict(config)
        | {"minutes": None, "steps": outcome.steps, "decay": outcome.steps - outcome.decay_from},
        "data": {
            "traces": len(made),
            "traces_seen": seen,
            "replies_seen": sum(t.replies for t in made[:seen]),
            "sha256": data_hash(made),
        },
        "earlier_phases": outcome.phases,
        "tokens": outcome.tokens,
        "seconds": round(outcome.seconds),
        "loss_first_steps": round(sum(outcome.losses[:10]) / len(outcome.losses[:10]), 4),
        "loss_last_steps": round(sum(outcome.losses[-50:]) / len(outcome.losses[-50:]), 4),
        "held_out_loss": {role: round(loss, 4) for role, loss in losses.items()},
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }
    _record(arguments, record)  # the measuring below takes a while, and an adapter goes nowhere without its record
    _record(arguments, record | {"held_out": _measure(base, arguments.out, held_out, tools, arguments)})
    return 0


def _evaluate_only(arguments: argparse.Namespace) -> int:
    from baselines.adapter.model import read_gguf
    from baselines.adapter.traces import still_tools, traces
    from router.lms.model_file import embedded_model

    tools = still_tools()
    adapter = None if arguments.base else arguments.out
    words = read_gguf(embedded_model())[2].words()
    held_out = traces(tools, arguments.held_out, arguments.seed + 1, held_out=True, words=words)
    found = _measure(embedded_model(), adapter, held_out, tools, arguments)
    if arguments.base:
        print(json.dumps(found, indent=2))
        return 0
    _record(arguments, json.loads(arguments.out.with_suffix(".json").read_text("utf-8")) | {"held_out": found})
    return 0


def _measure(
    base: Path, adapter: Path | None, held_out: Sequence[Any], tools: Any, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Held-out figures; every reply goes to ``--replies`` for reading, the wrong ones first."""
    from baselines.adapter.evaluate import Verdict, asked, fresh_phrases, judge, replies, summary
    from router.lms import prompts

    questions = [question for trace in held_out for question in asked(trace)]
    phrases = {file: fresh_phrases(file) for file in ("fresh.txt", "unseen.txt")}
    wanted = [(question.role, question.messages) for question in questions]
    wanted += [("teach", prompts.teach(phrase).messages) for pairs in phrases.values() for phrase, _ in pairs]
    said = []
    for reply in replies(base, adapter, wanted, arguments.processes):
        said.append(reply)
        if len(said) % 25 == 0:
            print(f"{len(said)}/{len(wanted)} prompts", flush=True)
    judged = [judge(question, reply, tools) for question, reply in zip(questions, said)]
    rest = iter(said[len(questions) :])
    teacher, unseen = ([Verdict(*pair, next(rest)) for pair in pairs] for pairs in phrases.values())
    if arguments.replies is not None:
        rows = [
            {
                "role": one.asked.role,
                "right": one.right,
                "claims": dict(one.claims),
                "asked": one.asked.messages[-1]["content"],
                "expected": one.asked.expected,
                "reply": one.reply,
            }
            for one in sorted(judged, key=lambda one: one.right)
        ]
        rows += [
            {"role": "fresh", "right": one.taught == one.simple, "asked": one.phrase, "reply": one.reply}
            for one in [*teacher, *unseen]
        ]
        arguments.replies.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return summary(judged, teacher, unseen)


def _record(arguments: argparse.Namespace, record: dict[str, Any]) -> None:
    path = arguments.out.with_suffix(".json")
    path.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(json.dumps(record.get("held_out", {"adapter_bytes": record["adapter_bytes"]})))


def _checkpoints(folder: Path | None) -> Path:
    import platformdirs

    folder = folder or Path(platformdirs.user_cache_dir("switchyard")) / "adapter"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _kept_traces(checkpoint: Path, make: Callable[[], list[Any]]) -> list[Any]:
    """The run's traces, kept beside the checkpoint so that a resumed run need not make them again."""
    from baselines.adapter.traces import Trace

    path = checkpoint.with_suffix(".jsonl")
    if path.exists():
        rows = (json.loads(line) for line in path.read_text("utf-8").splitlines())
        return [Trace(**row | {"messages": tuple(row["messages"])}) for row in rows]
    made = make()
    lines = (json.dumps(asdict(t) | {"messages": [dict(m) for m in t.messages]}, ensure_ascii=False) for t in made)
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return made


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m baselines train-adapter", description=__doc__)
    top.add_argument("--out", type=Path, default=ADAPTER)
    top.add_argument("--traces", type=int, default=21_000, help="synthetic traces to make")
    top.add_argument("--held-out", type=int, default=320, help="traces from held-out templates to measure with")
    top.add_argument("--steps", type=int, default=1103, help="optimizer steps of 16 traces")
    top.add_argument("--decay", type=int, default=223, help="steps at the end that lower the rate to nothing")
    top.add_argument(
        "--minutes", type=float, help="end about then, in place of after --steps; the last fifth lowers the rate"
    )
    top.add_argument("--processes", type=int, default=2, help="processes of one thread each, to train and to measure")
    top.add_argument("--checkpoints", type=Path, help="directory to resume from (default: the user's cache)")
    top.add_argument("--seed", type=int, default=0)
    top.add_argument(
        "--evaluate-only", action="store_true", help="measure the adapter at --out again and update its record"
    )
    top.add_argument("--base", action="store_true", help="with --evaluate-only: measure the model without an adapter")
    top.add_argument("--replies", type=Path, help="where to write every measured reply, the wrong ones first")
    return top


if __name__ == "__main__":
    sys.exit(main())
