"""``python -m router handover``: how a hand-over stands, and what a person may do with it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from router.handover import background
from router.handover.gate import SCOPES, Gate, ceiling
from router.handover.journal import Journal, JournalConfig

HEADERS = ("tool", "scope", "state", "compared", "over threshold", "agreed", "at least", "missing", "why")


def parser() -> argparse.ArgumentParser:
    """The arguments of all its commands."""
    top = argparse.ArgumentParser(prog="python -m router handover", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(
        required=True, metavar="status | promote | pause | rollback | erase | export | import | learn"
    )
    _command(commands, "status", _status, "every tool: its state, its proof, what is missing until it is live")
    for name, run, told in (
        ("promote", _promote, "let the router act for a tool though it is not proven; alarms still pause it"),
        ("pause", _pause, "leave all calls of a tool to the LLM, until it is promoted"),
    ):
        _command(commands, name, run, told).add_argument("tool", metavar="TOOL")
    _command(commands, "rollback", _rollback, "put the model before the one that stands in its place")
    _command(commands, "erase", _erase, "delete all rows of a tag").add_argument("tag", metavar="TAG")
    export = _command(commands, "export", _export, "the rows as JSONL")
    export.add_argument("file", type=Path, metavar="FILE")
    export.add_argument("--lessons", action="store_true", help="only rows that teach: what `train` reads")
    import_ = _command(commands, "import", _import, "append the rows of an exported file, or of any log of calls")
    import_.add_argument("file", type=Path, metavar="FILE")
    import_.add_argument(
        "--redact", action="append", default=[], metavar="PATTERN", help="cut out before it is written"
    )
    _command(commands, "learn", _learn, "learn now, at low priority")
    return top


def handover(argv: Sequence[str]) -> int:
    """Run one of them. Returns 0. Raises OSError and ValueError for a person."""
    args = parser().parse_args(argv)
    if not args.journal:
        raise ValueError(f"No journal is named. Give --journal URL, or set {background.JOURNAL_VARIABLE}.")
    if "://" not in args.journal and args.run not in (_import, _learn) and not Path(args.journal).exists():
        raise ValueError(f"There is no journal {args.journal!r}. Give the file or URL of one.")
    journal = Journal(args.journal, JournalConfig(redact=getattr(args, "redact", ())))
    try:
        args.run(args, journal)
    finally:
        journal.close()
    return 0


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace, Journal], None], told: str
) -> argparse.ArgumentParser:
    found: argparse.ArgumentParser = commands.add_parser(name, help=told)
    found.add_argument(
        "--journal", metavar="URL", default=os.environ.get(background.JOURNAL_VARIABLE, ""),
        help=f"file or database URL (default: {background.JOURNAL_VARIABLE})",
    )  # fmt: skip
    found.add_argument("--models", type=Path, metavar="DIR", help="of the models (default: that of the hand-over)")
    found.set_defaults(run=run)
    return found


def _models(args: argparse.Namespace, journal: Journal) -> Path:
    """The folder of the models. Raises ValueError where no hand-over was ever set up with this journal."""
    known = args.models or journal.state().get("models")
    if known is None:
        raise ValueError("The journal does not say where its models are. Give their folder with --models DIR.")
    return Path(known)


def _status(args: argparse.Namespace, journal: Journal) -> None:
    state = journal.state()
    config = background.config_of(state)
    gates = background.gates_of(state, config)
    same, asked = journal.consistency()
    rows = [
        _row(scope, tool, gate)
        for scope in reversed(SCOPES)
        for tool, gate in sorted(gates.gates[scope].items())
    ]
    if rows:
        cells = [HEADERS, *(tuple(row[name] for name in HEADERS) for row in rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(HEADERS) - 1)]
        for row in cells:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) + "  " + row[-1])
    told = {
        "model": state.get("model"),
        "lessons": state.get("lessons", 0),
        "requests": journal.by_mode(),
        "target": config.target,
        "llm_same_when_asked_twice": [same, asked],
        "agreement_possible": ceiling(same, asked),
        "gates": rows,
    }
    print(json.dumps(told, ensure_ascii=False))


def _row(scope: str, tool: str, gate: Gate) -> dict[str, str]:
    proof = gate.proof
    return dict(
        zip(
            HEADERS,
            (
                tool,
                scope,
                gate.state,
                f"{proof.seen:,}",
                f"{proof.accepted:,}",
                "–" if proof.agreement is None else f"{proof.agreement:.1%}",
                f"{proof.bound:.1%}",
                "–" if gate.missing is None else f"{gate.missing:,}",
                gate.reason,
            ),
        )
    )


def _promote(args: argparse.Namespace, journal: Journal) -> None:
    background.change_gates(journal, lambda gates, at: gates.promote(args.tool, at))
    print(json.dumps({"promoted": args.tool}))


def _pause(args: argparse.Namespace, journal: Journal) -> None:
    background.change_gates(journal, lambda gates, at: gates.pause(args.tool, at))
    print(json.dumps({"paused": args.tool}))


def _rollback(args: argparse.Namespace, journal: Journal) -> None:
    print(
        json.dumps(
            {"model": background.rollback(journal, _models(args, journal), background.config_of(journal.state()))}
        )
    )


def _erase(args: argparse.Namespace, journal: Journal) -> None:
    print(json.dumps({"erased": journal.erase(args.tag)}))


def _export(args: argparse.Namespace, journal: Journal) -> None:
    print(json.dumps({"rows": journal.export(args.file, args.lessons)}))


def _import(args: argparse.Namespace, journal: Journal) -> None:
    print(json.dumps({"rows": journal.import_(args.file)}))


def _learn(args: argparse.Namespace, journal: Journal) -> None:
    if hasattr(os, "nice"):
        os.nice(15)
    told = lambda done, of: print(f"model {done} of {of}", file=sys.stderr, flush=True)
    print(
        json.dumps(
            background.learn(journal, _models(args, journal), background.config_of(journal.state()), on_progress=told)
        )
    )
