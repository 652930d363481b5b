"""A visitor's own log for the Hand-over tab's play: read as ``train`` reads it, checked, and written for the play.

Leaves out playing it (``handover.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.handover.watch import LEAST_ROWS

MOST_BYTES, MOST_ROWS = 2_000_000, 4_000
TOLD = 5
"""Rows that could not be read of which the line and the fault are told."""
LONGER = "Play a part of it, or all of it with python -m router replay."


@dataclass(frozen=True)
class OwnLog:
    """A log that is ready to be played: its file, its rows, and what is to be said of those that could not be read."""

    file: Path
    rows: int
    left_out: str = ""


def own_log(data: Mapping[str, Any], folder: Path) -> OwnLog:
    """The log of the browser's event, ``{"name": ..., "text": ...}``, written into ``folder``.

    Raises ValueError, with the value, the limit and the remedy, where it cannot be played.
    """
    from router.learning.data import read_examples, write_examples

    text = str(data.get("text") or "")
    size = len(text.encode("utf-8", "replace"))
    if not text.strip():
        raise ValueError("The log is empty. Choose a file, or paste rows of question, tool and arguments.")
    if size > MOST_BYTES:
        raise ValueError(f"The log has {size:,} bytes; the limit here is {MOST_BYTES:,}. {LONGER}")
    given = folder / f"log{_suffix(str(data.get('name') or ''), text)}"
    given.write_text(text, encoding="utf-8", errors="replace")
    examples, problems = read_examples(given)
    faults = [f"line {one.line}: {one.message}" for one in problems[:TOLD]]
    if not examples:
        raise ValueError(f"No row of the log can be read. {_sentence('; '.join(faults))}")
    if len(examples) > MOST_ROWS:
        raise ValueError(f"The log has {len(examples):,} rows; the limit here is {MOST_ROWS:,}. {LONGER}")
    if len(examples) < LEAST_ROWS:
        told = f" {len(problems):,} more cannot be read: {_sentence('; '.join(faults))}" if problems else ""
        raise ValueError(
            f"The log has {len(examples):,} rows that can be read; a play needs {LEAST_ROWS}, so that something is "
            f"learned.{told} Add rows."
        )
    if len(tools := {one.tool for one in examples}) < 2:
        raise ValueError(f"All rows of the log call {next(iter(tools))!r}; a router chooses between two tools. Add rows.")
    file = folder / "play.jsonl"
    write_examples(examples, file)
    return OwnLog(file, len(examples), _left_out(len(problems), faults))


def _left_out(number: int, faults: list[str]) -> str:
    if not number:
        return ""
    rows = "1 row cannot be read and is" if number == 1 else f"{number:,} rows cannot be read and are"
    more = f"; and {number - TOLD:,} more" if number > TOLD else ""
    return f"{rows} left out: {_sentence('; '.join(faults) + more)}"


def _sentence(text: str) -> str:
    return text if text.endswith(".") else text + "."


def _suffix(name: str, text: str) -> str:
    """The form of a log by the name of its file, else by how its text begins."""
    known = Path(name).suffix.lower()
    if known in (".csv", ".tsv", ".json", ".jsonl"):
        return known
    return ".jsonl" if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") else ".csv"
