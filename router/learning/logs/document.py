"""JSON rows of a file's text, each with its line: JSONL, an array, objects over many lines, several one after another.

A row that is no JSON is reported, and reading goes on with the next row that begins as far to the left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from router.learning.logs.messages import is_conversation
from router.learning.logs.values import Problem
from router.tools import printable

WRAPPERS = ("events", "runs", "rows", "data", "examples", "history")
"""Where the rows stand in a document that is one object."""
MOST_TRIES = 50
"""Rows of several lines that may break off before all others are taken to end where the next begins."""
_SPACE = re.compile(r"[\s\ufeff,]*")  # a mark of byte order also where files were joined
_LONE = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that may be half of a surrogate pair."""
_DECODER = json.JSONDecoder()


def json_rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """(line, row); the row's number in the place of a line where an array stands on one line or within an object."""
    start = _after_space(text, 0)
    if text[start : start + 1] in ("[", "{"):
        document, end = _decoded(text, start)
        whole = end is not None and _after_space(text, end) == len(text)
        if whole and isinstance(document, dict) and (rows := _wrapped(document)) is not None:
            yield from enumerate(map(_whole, rows), 1)
            return
        if whole and isinstance(document, list) and not is_conversation(document):
            if "\n" not in text[start:end]:
                yield from enumerate(map(_whole, document), 1)
                return
            start += 1
        elif end is None and text[start] == "[":
            start += 1
    yield from _rows(text, start, problems)


def _rows(text: str, at: int, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """The rows from ``at`` on, also within an array."""
    lone = bool(_LONE.search(text))
    line, counted, tries = 1, 0, MOST_TRIES
    while (start := _after_space(text, at)) < len(text):
        line, counted = line + text.count("\n", counted, start), start
        if text[start] == "]":
            at = start + 1
            continue
        line_end = _line_end(text, start)
        row, length = _decoded(text[start:line_end])
        at = line_end
        if length is None and _incomplete(row, text[start:line_end]):
            at = _next_row(text, start, line_end)
            row, length = _decoded(text[start:at], line=line)
            if length is None and tries and _incomplete(row, text[start:at]):  # not laid out as rows are printed
                found, end = _decoded(text, start)
                row, length, tries = (row, None, tries - 1) if end is None else (found, end - start, tries)
        if length is None:
            problems.append(Problem(line, str(row)))
        else:
            yield line, _whole(row) if lone else row
            at = start + length


class _Fault(str):
    """What is wrong with a text, and its ``place`` in it."""

    place: int = 0


def _decoded(text: str, start: int = 0, line: int = 1) -> tuple[Any, int | None]:
    """The JSON value at ``start`` and where it ends; a _Fault and None where there is none. ``line``: the text's first."""
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as fault:
        where = f"column {fault.colno}" if fault.lineno == 1 else f"line {line - 1 + fault.lineno}"
        said = _Fault(f"not JSON: {fault.msg} at {where}. Write one object a line.")
        said.place = fault.pos
    except RecursionError:
        said = _Fault("JSON is nested too deep. Write one flat object a line.")
    except ValueError as fault:  # a whole number with thousands of digits
        said = _Fault(f"not JSON: {fault}. Write one object a line.")
    return said, None


def _incomplete(fault: _Fault, text: str) -> bool:
    """Whether ``text`` is at fault only in that it ends."""
    return fault.place >= len(text.rstrip())


def _next_row(text: str, start: int, line_end: int) -> int:
    """Where the next row begins that stands as far to the left as the one at ``start``."""
    beginning = text.rfind("\n", 0, start) + 1
    indent = len(text[beginning:start]) - len(text[beginning:start].lstrip())
    following = re.compile(rf"\n[ \t]{{0,{indent}}}[\[{{]").search(text, line_end)
    return following.start() if following else len(text)


def _wrapped(document: dict[str, Any]) -> list[Any] | None:
    for name in WRAPPERS:
        rows = document.get(name)
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            return None if is_conversation(rows) else rows
    return None


def _whole(row: Any) -> Any:
    """``row`` without lone surrogates, which no file can hold."""
    try:
        return json.loads(printable(json.dumps(row, ensure_ascii=False)))
    except RecursionError:
        return row


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
