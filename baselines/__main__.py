"""``python -m baselines``: run question sets through the paths, measure growth, rebuild reports and the README's
tables.

Leaves out the work itself: each command reads its flags, calls one room and prints what it gives.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from router.tools import sentence

ASSETS = Path(__file__).resolve().parents[1] / "assets"
PATHS = ("llm_chain", "tool_calling", "router")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments[:1] == ["train-adapter"]:  # has a parser of its own, and needs libraries that the rest does not
            from baselines.adapter import main as train

            return train(arguments[1:]) or 0
        chosen = parser().parse_args(arguments)
        return chosen.command(chosen) or 0
    except (ValueError, OSError) as error:
        print(f"{parser().prog} {arguments[0]}: {sentence(error)}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m baselines", description="What the router is raced against, measured.")
    commands = top.add_subparsers(required=True, metavar="run | bench | report | tables | prompts | train-adapter")

    _add_run(commands)
    _add_bench(commands)

    report = commands.add_parser("report", help="a self-contained HTML file from the rows of a run")
    report.add_argument("rows", type=Path, metavar="RUNS.jsonl")
    report.add_argument("-o", "--output", type=Path, required=True, metavar="REPORT.html")
    report.add_argument(
        "--one-off-usd", type=float, help="what training and synthesis cost (default: the shipped router's CPU time)"
    )
    _add_prices(report)
    report.set_defaults(command=_report)

    tables = commands.add_parser("tables", help="the README's result tables, from committed rows")
    tables.add_argument(
        "--check", type=Path, metavar="README.md", help="fail if the file's tables differ from the rows"
    )
    tables.add_argument("--write", type=Path, metavar="README.md", help="put the tables between the file's markers")
    tables.set_defaults(command=_tables)

    prompts = commands.add_parser("prompts", help="what each path's prompts hold, and their tokens")
    prompts.set_defaults(command=_prompts)
    commands.add_parser("train-adapter", help="train the embedded model's adapter (see its own --help)", add_help=False)
    return top


def _add_run(commands: argparse._SubParsersAction) -> None:
    run = commands.add_parser("run", help="questions through the paths, one JSON row a run")
    run.add_argument("--paths", type=_paths, default=PATHS, help=f"comma-separated, of {','.join(PATHS)}")
    run.add_argument(
        "--lm", default="embedded", help="embedded, embedded:base, FILE.gguf, hf:REPO/FILE.gguf or provider/model"
    )
    run.add_argument("--input", type=Path, default=ASSETS / "questions.jsonl", help="JSONL or CSV of questions")
    run.add_argument(
        "--out", type=Path, required=True, help="JSONL that rows are appended to; what it holds is not run again"
    )
    run.add_argument("--limit", type=_positive, help="only the first N questions")
    run.add_argument("--repeat", type=_positive, default=1, help="passes over the questions, to measure stability")
    order = run.add_mutually_exclusive_group()
    order.add_argument("--sequential", action="store_true", help="one path after another (default for a local model)")
    order.add_argument("--concurrent", action="store_true", help="all paths at once (default for a remote model)")
    run.add_argument(
        "--branches", action="store_true", help="also run the branch the router did not take, for the threshold"
    )
    run.add_argument("--judge", metavar="LM", help="a model that judges answers without a reference")
    run.add_argument("--timeout", type=float, default=180.0, metavar="S", help="seconds a path may take")
    run.add_argument("--router", type=Path, help="directory of a saved router (default: the one that ships)")
    run.add_argument(
        "--tools",
        type=Path,
        metavar="FILE",
        help="JSON list of tools, on offer instead of those that ship: only described",
    )
    run.add_argument("--knowledge", type=Path, help="folder that the search tool reads (default: the built-in one)")
    run.add_argument("--online", action="store_true", help="let tools use the internet")
    _add_prices(run)
    run.set_defaults(command=_run)


def _add_bench(commands: argparse._SubParsersAction) -> None:
    bench = commands.add_parser("bench", help="growth over tools needed and on offer, or a scripted day of messages")
    which = bench.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--growth", action="store_true", help="tokens, calls, cost and context over 1-4 tools and 5-200 tools"
    )
    which.add_argument(
        "--day", action="store_true", help="self-delegation over a scripted day of messages (needs Node.js)"
    )
    which.add_argument(
        "--faults", action="store_true", help="a run against a model server that fails at every tenth call"
    )
    which.add_argument(
        "--speed", action="store_true", help="the embedded model's time to first token and tokens a second, by prompt"
    )
    which.add_argument(
        "--restarts", type=_positive, metavar="N", help="load the embedded model and let go of it, N times"
    )
    which.add_argument(
        "--visitors",
        type=_positive,
        metavar="N",
        help="N visitors on one page at once, and its memory over --limit questions",
    )
    bench.add_argument("--out", type=Path, help="where the measured rows go")
    bench.add_argument("--limit", type=_positive, default=1000, help="questions of --faults and --visitors")
    bench.add_argument("--lm", default="embedded", help="model of --day and --visitors")
    _add_prices(bench)
    bench.set_defaults(command=_bench)


def _run(chosen: argparse.Namespace) -> int:
    from baselines.evaluate.command import RunOrder, run_command

    order = RunOrder(**{name: getattr(chosen, name) for name in RunOrder.__dataclass_fields__})
    return run_command(order)


def _bench(chosen: argparse.Namespace) -> int:
    if chosen.growth:
        from baselines.evaluate.growth import growth_command

        return growth_command(chosen.out, chosen.priced_as or "gpt-4o")
    if chosen.day:
        from baselines.evaluate.day import day_command

        return day_command(chosen.out, chosen.lm, chosen.priced_as or "gpt-4o")
    if chosen.speed:
        return _speed(chosen.out)
    if chosen.restarts:
        return _restarts(chosen.restarts)
    if chosen.visitors:
        from baselines.evaluate.visitors import VisitorConfig, visitors_command

        return visitors_command(VisitorConfig(chosen.visitors, chosen.limit, lm=chosen.lm), chosen.out)
    from baselines.evaluate.faults import faults_command

    return faults_command(chosen.out, chosen.limit)


def _speed(out: Path | None) -> int:
    from baselines.evaluate.provenance import provenance
    from baselines.evaluate.speed import measure
    from router.builtin import default_tools

    document = {"meta": provenance(lm="embedded"), "rows": measure(default_tools())}
    for row in document["rows"]:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    if out:
        out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document))
    return 0


def _restarts(rounds: int) -> int:
    from baselines.evaluate.restarts import measure

    print(json.dumps(measure(rounds)))
    return 0


def _report(chosen: argparse.Namespace) -> int:
    from baselines.evaluate.command import pricing
    from baselines.evaluate.estimate import one_off
    from baselines.evaluate.runs import read_rows
    from baselines.figures.report import render
    from router.network import DEFAULT_ROUTER

    rows, problems = read_rows(chosen.rows)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not rows:
        raise ValueError(f"{chosen.rows} holds no runs. Make some with python -m baselines run.")
    config = pricing(rows, chosen.priced_as, chosen.cached_prices)
    spent = one_off(DEFAULT_ROUTER).usd if chosen.one_off_usd is None else chosen.one_off_usd
    chosen.output.write_text(render(rows, config, spent, problems), encoding="utf-8")
    print(json.dumps({"report": str(chosen.output), "rows": len(rows), "problems": len(problems)}))
    return 0


def _tables(chosen: argparse.Namespace) -> int:
    from baselines.evaluate.tables import check, tables, write

    if chosen.check:
        return check(chosen.check)
    if chosen.write:
        return write(chosen.write)
    for name, text in tables().items():
        print(f"<!-- results:{name} -->\n{text}\n<!-- /results -->\n")
    return 0


def _prompts(chosen: argparse.Namespace) -> int:
    from baselines.evaluate.growth import prompts_table

    print(prompts_table())
    return 0


def _add_prices(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--priced-as", metavar="MODEL", help="price o200k tokens as this model's (default for a local model: gpt-4o)"
    )
    command.add_argument(
        "--cached-prices", action="store_true", help="price what the model read from its prompt cache as cached input"
    )


def _paths(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in PATHS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{(unknown or [text])[0]!r} is no path. Choose from {', '.join(PATHS)}.")
    return names


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1. Try 10.")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
