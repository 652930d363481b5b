"""Tables: CSV, TSV, and JSON objects that have a question and a tool by name."""

from __future__ import annotations

import csv
import io
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
from router.tools import shorten

QUESTION_COLUMNS = ("question", "text", "query", "sentence", "prompt", "input")
TOOL_COLUMNS = ("tool", "label", "category", "intent", "tools")
SEPARATORS = (",", ";", "\t")
"""Between the cells of a table: the first that makes sense of its first line."""
SEVERAL = ("tools", "answer")
"""Columns of a table whose cells may hold several values, with ``;`` between them."""


def label_row(row: Mapping[str, Any], line: int = 0, source: str = "") -> Labelled:
    """A table's row. Raises ValueError that says what is wrong with it."""
    text = first_of(row, QUESTION_COLUMNS)
    if text is None:
        raise Unfit(f"no question: the row has {names_of(row)}. Give it one, in a column called 'question'.")
    question, tools, arguments = read_question(text), first_of(row, TOOL_COLUMNS), row.get("arguments")
    if isinstance(tools, str):
        tools = [tools]
    if tools is not None and not isinstance(tools, list):
        raise Unfit(f"tool is {show(tools)}. Give a label's name, or a list of them.")
    if isinstance(arguments, str):
        arguments = read_arguments(arguments)
    if arguments is not None and not isinstance(arguments, dict):
        raise Unfit(f"arguments are {show(arguments)}. Give an object of argument names and values.")
    intent = row.get("tool") is None and row.get("tools") is None  # needs no tool's name
    read = read_label if intent else read_tool
    names = None if tools is None else tuple(dict.fromkeys(map(read, tools)))
    source = row["source"] if isinstance(row.get("source"), str) else source
    return Labelled(line, question, names, arguments, source, row)


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
