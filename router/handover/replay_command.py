"""``python -m router replay``: arguments, files and printing."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from router.handover.chart import page
from router.handover.gate import GateConfig
from router.handover.peers import static_embed
from router.handover.replay import CHECKPOINTS, Point, Recorded, Replay, ReplayConfig, erring
from router.tools import ToolSet
from router.types import Example, Usage

WHO = {
    "live": "where the router acts, the LLM is not asked, and nothing is learned of it but by audit",
    "all": "the LLM answers everything, and the figures say what the router would have been given",
}
HEADERS = (
    "seen", "learned from", "tool handled", "agreed", "true", "calls handled", "agreed", "true", "audited",
    "LLM calls saved", "tokens saved", "training s",
)  # fmt: skip


def replay_parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m router replay", description="A recorded log as if it arrived live.")
    top.add_argument("log", type=Path, metavar="LOG.jsonl", help="rows of question, tool and arguments")
    top.add_argument("--tools", type=Path, metavar="T.json", help="the tools' schemas, to count the tokens saved by")
    top.add_argument("--target", type=float, default=0.95, help="agreement to be proven (default .95)")
    top.add_argument("--noise", type=float, default=0.0, help="share of wrong calls that the LLM is made to make")
    top.add_argument("--checkpoints", type=_numbers, default=CHECKPOINTS, help="requests after which it is retrained")
    top.add_argument("--shuffle", type=int, metavar="SEED", help="play the rows in another order (reads all of them)")
    top.add_argument(
        "--labels",
        choices=("live", "all"),
        default="live",
        help="live: where the router acts, nothing is learned; all: the LLM answers everything, nothing is handed over",
    )
    top.add_argument("--peers", choices=("static", "minilm", "none"), default="static", help="the peers' embedding")
    top.add_argument("--out", type=Path, required=True, metavar="DIR", help="rows, chart, and models to go on from")
    return top


def replay(argv: Sequence[str]) -> int:
    """Run ``python -m router replay``. Returns 0. Raises OSError and ValueError for a person."""
    from router.learning.data import read_each

    args = replay_parser().parse_args(argv)
    if not 0 <= args.noise < 1:
        raise ValueError(f"--noise is {args.noise}, not from 0 to below 1. Give a share such as 0.05.")
    gate = GateConfig(target=args.target)
    rows: Iterable[Example] = read_each(args.log)
    if args.shuffle is not None:
        rows = list(rows)
        random.Random(args.shuffle).shuffle(rows)
    seed = args.shuffle or 0
    config = ReplayConfig(gate, args.checkpoints, args.labels, seed, args.out / "models", _embedding(args.peers))
    run = Replay(config, lambda text: print(text, file=sys.stderr, flush=True))
    points: list[dict[str, Any]] = []
    print(_line(HEADERS), flush=True)
    for point in run.points(_counted(erring(rows, args.noise, seed), args.tools)):
        points.append(asdict(point) | {"target": args.target})
        print(_line(_cells(point)) + (f"  {point.refused}" if point.refused else ""), flush=True)
    about = {
        "log": args.log.name, "shuffle": args.shuffle, "noise": args.noise, "labels": args.labels, "target": args.target,
        "asked_twice": run.twice.total(), "said_the_same": run.twice[True],
    }  # fmt: skip
    document = about | {"curve": points}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "replay.jsonl").write_text("".join(json.dumps(about | p) + "\n" for p in points), encoding="utf-8")
    order = "" if args.shuffle is None else f", shuffled by seed {args.shuffle}"
    told = f"{args.log.name}{order}; target {args.target:.1%}; the LLM errs in {args.noise:.0%} of its calls; {WHO[args.labels]}."
    chart = page(
        points, HEADERS, [_cells(Point(**{k: v for k, v in p.items() if k != "target"})) for p in points], told
    )
    (args.out / "replay.html").write_text(chart, encoding="utf-8")
    print(json.dumps(document))
    return 0


def _embedding(name: str) -> tuple[str, Any] | None:
    if name == "none":
        return None
    if name == "static":
        return name, static_embed
    from router.network.minilm import MiniLM

    return name, MiniLM(1).embed


def _counted(log: Iterable[Recorded], tools: Path | None) -> Iterator[Recorded]:
    """``log`` with what each call costs the LLM by o200k's count: all schemas and the question in, the call out."""
    if tools is None:
        yield from log
        return
    from router.lms.metering import count_tokens

    offered = ToolSet.read(tools)
    schemas = sum(count_tokens(json.dumps([t.name, t.description, dict(t.schema)])) for t in offered.values())
    for one in log:
        said = count_tokens(json.dumps({"name": one.called.tool, "arguments": dict(one.called.arguments or {})}))
        asked = schemas + count_tokens(one.called.question)
        yield replace(one, usage=Usage(1, asked, said, o200k_input=asked, o200k_output=said))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or list(found) != sorted(set(found)) or found[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no rising list of whole numbers from 1. Try 100,200,400.")
    return found


def _cells(point: Point) -> list[str]:
    share = lambda value: "–" if value is None else f"{value:.1%}"
    return [
        f"{point.seen:,}", f"{point.lessons:,}",
        share(point.tool_coverage), share(point.tool_agreement), share(point.tool_truth),
        share(point.call_coverage), share(point.call_agreement), share(point.call_truth),
        share(point.audited), f"{point.llm_calls_saved:,}",
        "–" if point.tokens_saved is None else f"{point.tokens_saved:,}", f"{point.train_s:.0f}",
    ]  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.rjust(max(7, len(name))) for cell, name in zip(cells, HEADERS))
