"""Logs and tables as questions with their tools. What cannot be read is reported by line, never dropped in silence.

format            one row is                                         tools
JSONL, JSON, CSV  {"question" or "text", "tool" or "label", ...}     the column
traces            TraceEvents of a run, start … answer               those that ran without an error
runs              a RunResult                                        the same; else the router's label, else none
chat logs         {"messages": [...]} as OpenAI's API has them       those called after a user's message
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from router.learning.logs.chat import label_chat
from router.learning.logs.document import json_rows
from router.learning.logs.runs import label_event, label_run
from router.learning.logs.table import TOOL_COLUMNS, label_row, table_rows
from router.learning.logs.values import Labelled, Problem, Unfit, names_of, show

__all__ = [
    "TOOL_COLUMNS",
    "Labelled",
    "Problem",
    "Unfit",
    "label_row",
    "names_of",
    "read_labelled",
    "read_text",
    "show",
]


def read_text(path: Path) -> str:
    """A file's text. Raises OSError where it cannot be read and ValueError where it is not UTF-8."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ValueError(f"{path.name}: byte {fault.start} is not UTF-8. Save the file as UTF-8 text.") from fault


def read_labelled(text: str, name: str) -> tuple[list[Labelled], list[Problem]]:
    """The questions in the text of a file called ``name``, with their tools, and the rows that were unfit."""
    problems: list[Problem] = []
    rows = table_rows(text, problems) if name.lower().endswith((".csv", ".tsv")) else json_rows(text, problems)
    found = list(_labelled(rows, name, problems))
    return found, sorted(problems, key=lambda p: p.line)


def _labelled(rows: Iterable[tuple[int, Any]], name: str, problems: list[Problem]) -> Iterator[Labelled]:
    runs: dict[str, tuple[int, list[Mapping[str, Any]]]] = {}  # a path's run that has started and not ended
    for line, row in rows:
        source = f"{name}:{line}"
        try:
            if not isinstance(row, dict):
                raise Unfit(f"{show(row)} is not an object. Write one JSON object a line.")
            if "kind" in row and "path" in row:
                yield from label_event(row, line, runs, source)
            elif "messages" in row:
                yield from label_chat(row, line, source)
            elif "tool_results" in row:
                yield label_run(row, line, source)
            else:
                yield label_row(row, line, source)
        except Unfit as fault:
            problems.append(Problem(line, str(fault)))
    for line, events in runs.values():
        problems.append(Problem(line, "the run has no answer or error event. Its log was cut off."))
