"""``python -m router``: route questions, explain decisions, train, check, benchmark, and have examples written.

Leaves out everything but arguments, files and printing. Results go to standard output, the rest to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from router.calls.tagger import CallModel, load_router, save_router
from router.network import DEFAULT_ROUTER, Router
from router.network.artifact import ArtifactError
from router.tools import ToolSet, sentence
from router.types import NON_TOOLS, Example

ASSETS = Path(__file__).parent.parent / "assets"
CHAINS = ASSETS / "chains.jsonl"
APART = {
    "bench": ("router.bench.command", "main"),
    "replay": ("router.handover.replay_command", "replay"),
    "handover": ("router.handover.command", "handover"),
    "serve": ("router.serve.command", "main"),
    "mcp": ("router.serve.mcp", "main"),
}
"""Commands with options of their own, and what loads only for them."""
CLINC_HELP = "CLINC150's data_full.json (Larson et al. 2019)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, or 2 where the input was at fault."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        if argv[:1] and argv[0] in APART:
            module, name = APART[argv[0]]
            return getattr(import_module(module), name)(argv[1:])
        args = _parser().parse_args(argv)
        return args.run(args)
    except (OSError, ValueError, ArtifactError) as fault:
        print(f"python -m router: {sentence(fault)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m router", description=__doc__.splitlines()[0])
    known = "route | explain | train | check | bench | replay | handover | serve | mcp | synthesize"
    commands = top.add_subparsers(required=True, metavar=known)
    route = commands.add_parser("route", help="one question a line in, one JSON line out")
    route.add_argument(
        "file", nargs="?", default="-", metavar="FILE|-", help="questions, one a line (default: standard input)"
    )
    _add_router(route)
    _add_tools(route)
    route.set_defaults(run=_route)
    explain = commands.add_parser("explain", help="which words decided")
    explain.add_argument("question")
    explain.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    _add_router(explain)
    _add_tools(explain)
    explain.set_defaults(run=_explain)
    train = commands.add_parser("train", help="train a router; without FILE, the one that ships")
    train.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="examples: JSONL, CSV, traces, logs of models"
    )
    train.add_argument("--out", type=Path, required=True, help="folder for the weights")
    train.add_argument("--with-templates", action="store_true", help="the shipped template questions beside FILE")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--epochs", type=_positive, help="default: what was measured best for so many rows")
    train.add_argument(
        "--target", type=_share, default=0.97, help="share of the calls made that are to be right (default: 0.97)"
    )
    _add_tools(train)
    train.set_defaults(run=_train)
    check = commands.add_parser("check", help="accuracy of a router, as JSON")
    check.add_argument("--questions", type=Path, default=ASSETS / "questions.jsonl", help="labelled questions")
    check.add_argument("--chains", type=Path, default=CHAINS, help="questions of two and three tools")
    check.add_argument("--clinc", type=Path, help=CLINC_HELP)
    _add_router(check)
    check.set_defaults(run=_check)
    commands.add_parser("bench", help="the router against its peers (--help lists its options)", add_help=False)
    commands.add_parser(
        "serve", help="an endpoint between an agent and its LLM (--help lists its options)", add_help=False
    )
    commands.add_parser("replay", help="what a hand-over would have done with a log (--help)", add_help=False)
    commands.add_parser("handover", help="how a hand-over stands; pause, promote, roll back", add_help=False)
    write = commands.add_parser("synthesize", help="examples written by a language model")
    write.add_argument("--lm", required=True, help="embedded, a .gguf file, or provider/model")
    write.add_argument("--out", type=Path, required=True, help="JSONL to write")
    write.add_argument("--per-label", type=_positive, default=50)
    write.add_argument("--held-out", type=Path, action="append", help="files whose questions nothing may resemble")
    write.add_argument("--seed", type=int, default=0)
    _add_router(write)
    write.set_defaults(run=_synthesize)
    return top


def _add_router(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--router", type=Path, default=DEFAULT_ROUTER, metavar="DIR", help="folder of the weights")


def _add_tools(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tools",
        type=Path,
        metavar="FILE",
        help="JSON list of tools as OpenAI, Anthropic or MCP have it, on offer instead of those that ship",
    )


def _tools(args: argparse.Namespace, router: Router | CallModel | None = None) -> ToolSet:
    """The tools of ``--tools``; else those that ``router`` has learned to call, if it has; else those that ship."""
    from router.builtin import default_tools

    if args.tools:
        return ToolSet.read(args.tools)
    if not isinstance(router, CallModel):
        return default_tools()
    return router.tool_set | {name: tool for name, tool in default_tools().items() if name in router.router.labels}


def _load(folder: Path) -> Router | CallModel:
    """The router in ``folder``; what its training found wrong with it goes to standard error."""
    router = load_router(folder)
    _warn(router)
    return router


def _warn(router: Router | CallModel) -> None:
    for warning in router.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 1, such as 0.97")
    return value


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _route(args: argparse.Namespace) -> int:
    from router.plans import plan, row

    router = _load(args.router)
    tools = _tools(args, router)
    try:
        for question in _lines(args.file):
            started = time.perf_counter()
            found = plan(question, router, tools)
            print(json.dumps(row(question, found, time.perf_counter() - started), ensure_ascii=False), flush=True)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _lines(file: str) -> Iterator[str]:
    """The lines of a UTF-8 file or of standard input; bytes that are no UTF-8 become U+FFFD."""
    with sys.stdin.buffer if file == "-" else open(file, "rb") as stream:
        for line in stream:
            yield line.decode("utf-8", "replace").rstrip("\r\n")


def _explain(args: argparse.Namespace) -> int:
    from router.network.explain import explain
    from router.types import to_json

    router = _load(args.router)
    tools = _tools(args, router)
    found = explain(router.router if isinstance(router, CallModel) else router, args.question)
    offered = found.tool in tools or found.tool in NON_TOOLS
    if args.json:
        print(json.dumps(to_json(found) | {"offered": offered}, ensure_ascii=False))
        return 0
    decision = found.decision
    state = "abstained" if decision.abstained else "decided"
    print(f"{found.tool} ({state}: confidence {decision.confidence:.3f}, threshold {found.threshold:.3f})")
    if not offered:
        print(f"{found.tool} is not on offer, so the language model would choose. On offer: {', '.join(tools)}.")
    print(f"runner-up {found.runner_up}, {found.margin:+.2f} behind in logits: {found.base:+.2f} before any word, and")
    for word in found.words:
        bar = ("+" if word.contribution > 0 else "-") * min(30, round(abs(word.contribution) * 5))
        print(f"  {word.word:<20} {word.contribution:+7.2f} {bar}")
    for near in found.nearest:
        print(f"like: {near.question!r} ({near.tool}, {near.likeness:.2f})")
    return 0


def _train(args: argparse.Namespace) -> int:
    from router.learning import own, shipped
    from router.learning.data import read_examples

    if args.out.exists() and not args.out.is_dir():
        raise ValueError(f"--out {args.out} is a file. Give a folder, or a name that is free.")
    args.out.mkdir(parents=True, exist_ok=True)  # what cannot be saved is not trained
    tools = ToolSet.read(args.tools) if args.tools else None
    rows = shipped.examples(args.seed) if args.with_templates or not args.files else []
    for path in args.files:
        examples, problems = read_examples(path, tools=tools)
        for problem in problems:
            print(f"{path}:{problem.line}: {problem.message}", file=sys.stderr)
        print(f"{path}: {len(examples)} examples, {len(problems)} bad rows", file=sys.stderr)
        rows += examples
    if not rows:
        raise ValueError(
            f"{', '.join(map(str, args.files))}: no example could be read. Give rows of question and tool."
        )
    for label in sorted({row.tool for row in rows if tools is not None} - {*(tools or ()), *NON_TOOLS}):
        print(f"warning: {label!r} is not among the tools of {args.tools}", file=sys.stderr)
    _tell_origins([*rows, *(own.world(rows, args.seed) if args.files else ())])
    started = time.perf_counter()
    trained = _fitted(rows, tools, args)
    save_router(trained, args.out)
    _warn(trained)
    router = trained.router if isinstance(trained, CallModel) else trained
    size = sum(file.stat().st_size for file in args.out.iterdir()) / 1e6
    summary = {
        "examples": len(rows),
        "labels": len(router.labels),
        "seconds": time.perf_counter() - started,
        "megabytes": size,
        "warnings": router.warnings,
        "held_out": router.provenance.get("held_out"),
        "validation": dict(router.calibration.chosen_on),
        "calls": dict(trained.parts.confidence.chosen_on) if isinstance(trained, CallModel) else None,
    }
    print(json.dumps(summary, ensure_ascii=False))
    return 0


def _fitted(rows: Sequence[Example], tools: ToolSet | None, args: argparse.Namespace) -> Router | CallModel:
    """The router trained on ``rows``, on whole calls where they have arguments for tools without a reading of their
    own; without files the one that ships."""
    from router.builtin import default_tools
    from router.builtin.readers import fit_readers
    from router.delegation.teacher import known_phrases
    from router.learning import own, shipped

    offered = default_tools() if tools is None else tools
    if not args.files:
        return fit_readers(shipped.train(args.seed, args.epochs or 8, _show, known_phrases()), rows, offered)
    read = {name for name, tool in offered.items() if tool.reading is not None}
    taught = [replace(row, arguments=None) if row.tool in read else row for row in rows]
    if not any(row.arguments is not None and row.tool not in NON_TOOLS for row in taught):
        return fit_readers(own.train(rows, args.seed, args.epochs or 8, _show), rows, offered)
    model = own.train_calls(taught, tools or ToolSet(), own.CallAims(args.target, args.epochs, args.seed), _show_calls)
    return CallModel(fit_readers(model.router, rows, offered), model.parts)


def _show_calls(progress: Any) -> None:
    print(
        f"training {progress.part}/{progress.parts}  step {progress.step}/{progress.steps}  loss {progress.loss:.3f}  "
        f"{progress.seconds:.0f} s",
        file=sys.stderr,
        flush=True,
    )


def _tell_origins(rows: Sequence[Example]) -> None:
    """Per label where its rows come from, those that are mixed in among them."""
    from router.learning.data import origins

    for label, found in origins(rows).items():
        print(f"{label}: {', '.join(f'{n} from {origin}' for origin, n in found.items())}", file=sys.stderr)


def _show(progress: Any) -> None:
    held_out = "on all rows"
    if progress.validation_loss is not None:
        held_out = f"validation {progress.validation_loss:.3f}  accuracy {progress.validation_accuracy:.4f}"
    print(
        f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}  {held_out}  {progress.seconds:.0f} s",
        file=sys.stderr,
        flush=True,
    )


def _check(args: argparse.Namespace) -> int:
    from router.builtin import default_tools
    from router.learning import shipped
    from router.learning.data import read_examples

    if not args.questions.exists():
        raise ValueError(f"{args.questions} is not there. Give labelled questions with --questions FILE.")
    router, tools = _load(args.router), default_tools()
    examples, problems = read_examples(args.questions, question_set=True)
    report: dict[str, Any] = {"questions": shipped.check_questions(router, examples), "bad_rows": len(problems)}
    report["latency"] = shipped.check_latency(router, tools, [e.question for e in examples])
    if args.chains.exists() or args.chains != CHAINS:
        report["chains"] = shipped.check_chains(router, tools, args.chains)
    if args.clinc:
        report["clinc"] = shipped.check_clinc(router, args.clinc)
    print(json.dumps(report, ensure_ascii=False))
    return 0


def _synthesize(args: argparse.Namespace) -> int:
    from router.builtin import default_tools
    from router.learning.data import read_examples, write_examples
    from router.learning.synthesize import SynthesisConfig, synthesize
    from router.lms import make_lm

    held_out: list[str] = []
    for path in args.held_out or [p for p in (ASSETS / "questions.jsonl", CHAINS) if p.exists()]:
        examples, _ = read_examples(path, question_set=True)
        held_out += [e.question for e in examples]
    config = SynthesisConfig(per_label=args.per_label, seed=args.seed)
    router = _load(args.router)

    def progress(label: str, kept: int) -> None:
        print(f"{label}: {kept}/{args.per_label}", file=sys.stderr, flush=True)

    examples, report = synthesize(make_lm(args.lm), default_tools(), held_out, config, router, progress)
    write_examples(examples, args.out)
    print(json.dumps(report.as_dict() | {"held_out_questions": len(held_out)}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
