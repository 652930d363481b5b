"""What every form of a row has: a question, tools' names and arguments, read or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from router.tools import shorten
from router.tools.tool import check_name
from router.types import NON_TOOLS

MAX_QUESTION = 20_000
"""Characters of a question that is worth learning from."""


@dataclass(frozen=True)
class Problem:
    """A row that could not be read: its line (from 1) and what to do about it."""

    line: int
    message: str


@dataclass(frozen=True)
class Labelled:
    """A question as a row has it. ``tools``: those chosen for it, in order, or one label that names no tool; empty for
    none, None where the row does not say. ``arguments``: of the first. ``row``: what else a table says, and ``column``:
    where it names the tools."""

    line: int
    question: str
    tools: tuple[str, ...] | None
    arguments: Mapping[str, Any] | None = None
    source: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)
    column: str = ""


class Unfit(ValueError):
    """A row that cannot become an example."""


def read_question(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unfit(f"question is {show(value)}. Give text.")
    if len(value) > MAX_QUESTION:
        raise Unfit(f"question has {len(value):,} characters, more than {MAX_QUESTION:,}. Cut it.")
    return value.strip()


def read_label(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unfit(f"tool is {show(value)}. Give a label's name.")
    return value.strip()


def read_tool(value: Any) -> str:
    """A tool's name, or a label that is none, also as ``None``."""
    name = read_label(value)
    if name.lower() in NON_TOOLS:
        return name.lower()
    try:
        check_name(name)
    except ValueError as fault:
        raise Unfit(str(fault)) from None
    return name


def read_arguments(value: Any) -> dict[str, Any] | None:
    """Arguments as an object, or as the JSON text of one; None where nothing is said."""
    if value is None or isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise Unfit(f"arguments are {show(value)}. Give an object of argument names and values.")
    if not value.strip():
        return None
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Unfit(f"arguments {show(value)} are not a JSON object. Give one, such as {{}}.")
    return read


def first_of(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def names_of(row: Mapping[str, Any]) -> str:
    return shorten(", ".join(map(str, row)), 60) or "nothing"


def show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"
