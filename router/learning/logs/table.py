"""Tables: CSV, TSV, and JSON objects that have a question and a tool by name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from router.learning.logs.values import (
    Labelled,
    Problem,
    Unfit,
    first_of,
    names_of,
    read_arguments,
    read_label,
    read_question,
    read_tool,
    show,
)
from router.learning.logs.written import call_of
from router.tools import shorten

QUESTION_COLUMNS = ("question", "text", "query", "sentence", "prompt", "input")
LABEL_COLUMNS = ("tool", "label", "category", "intent")
CALL_COLUMNS = (
    "tool_calls",
    "function_call",
    "function_calls",
    "tool_call",
    "calls",
    "call",
    "answers",
    "request",
    "params",
)
"""Columns that may hold what was called, each call with its arguments."""
OFFER = "tools"
"""In a question set the tools that a question needs; in a log those that were on offer, which is no label."""
SEPARATORS = (",", ";", "\t")
"""Between the cells of a table: the first that makes sense of its first line."""
SEVERAL = ("tools", "answer")
"""Columns of a table whose cells may hold several values, with ``;`` between them."""


def label_row(row: Mapping[str, Any], line: int = 0, source: str = "") -> Labelled:
    """A table's row. Raises ValueError that says what is wrong with it."""
    text = first_of(row, QUESTION_COLUMNS)
    if text is None:
        raise Unfit(f"no question: the row has {names_of(row)}. Give it one, in a column called 'question'.")
    source = row["source"] if isinstance(row.get("source"), str) else source
    question, column = read_question(text), _column(row)
    if column in CALL_COLUMNS:
        calls = calls_of(row[column])
        tools = tuple(dict.fromkeys(read_tool(tool) for tool, _ in calls))
        arguments = read_arguments(calls[0][1]) if calls else None
    else:
        tools = _tools(row[column], column) if column else None
        arguments = read_arguments(first_of(row, ("arguments", "args")))
    return Labelled(line, question, tools, arguments, source, row, column)


def names_tools(row: Mapping[str, Any]) -> bool:
    """Whether a row has a question in words, and says beside it which tools are right."""
    return isinstance(first_of(row, QUESTION_COLUMNS), str) and _column(row) not in ("", OFFER)


def _column(row: Mapping[str, Any]) -> str:
    """Which column names the tools, or holds calls; empty where none does."""
    held = [name for name in (*LABEL_COLUMNS, *CALL_COLUMNS, OFFER) if row.get(name) is not None]
    return next((name for name in held if name not in CALL_COLUMNS or calls_of(row[name]) is not None), "")


def _tools(value: Any, column: str) -> tuple[str, ...]:
    """The tools that a cell names."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        raise Unfit(f"{column} is {show(value)}. Give a label's name, or a list of them.")
    if column == OFFER and any(isinstance(name, dict) for name in names):
        raise Unfit(f"{OFFER} holds schemas, so it is what was on offer. Name the right one in a column called 'tool'.")
    read = read_tool if column in ("tool", OFFER) else read_label  # an intent needs no tool's name
    return tuple(dict.fromkeys(map(read, names)))


def calls_of(value: Any) -> list[tuple[Any, Any]] | None:
    """The calls in a cell, as objects or as JSON text; None where it holds something else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    values = value if isinstance(value, list) else [value]
    calls = [call_of(one) for one in values]
    return None if None in calls else calls


def table_rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    reader = _reader(text, problems)
    while reader is not None:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            problems.append(Problem(reader.line_num, f"not CSV: {fault}. Quote fields that hold quotes or line ends."))
            continue
        if None in row:
            problems.append(
                Problem(reader.line_num, f"{len(row[None])} fields too many. Quote fields that hold separators.")
            )
        else:
            row = {name: value for name, value in row.items() if value}
            yield reader.line_num, row | {name: _cells(row[name]) for name in SEVERAL if name in row}


def _reader(text: str, problems: list[Problem]) -> csv.DictReader | None:
    """A table's reader by the separator that its first line is written with; None where it names no question."""
    for separator in SEPARATORS:
        reader = csv.DictReader(io.StringIO(text), delimiter=separator)
        try:
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        except csv.Error as fault:
            problems.append(Problem(1, f"not CSV: {fault}. Quote fields that hold quotes or line ends."))
            return None
        if set(reader.fieldnames) & set(QUESTION_COLUMNS):
            return reader
    found = shorten(", ".join(text.split("\n")[0].strip().split(",")), 60) or "none"
    problems.append(Problem(1, f"columns found: {found}. Name in the first line one of {', '.join(QUESTION_COLUMNS)}."))
    return None


def _cells(cell: str) -> list[str]:
    """The values of a cell that may hold several."""
    return [part.strip() for part in cell.split(";") if part.strip()]
