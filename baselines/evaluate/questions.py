"""Question sets: JSONL or CSV in, Questions and a list of what was wrong with the rest out.

Leaves out guessing: a row that cannot be read is reported with its line and left out; the others are kept.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.types import NON_TOOLS

MAX_QUESTION = 2_000
"""Characters of a question: what the paths' prompts leave room for in a small model's context."""
MAX_BYTES = 20_000_000
"""Size of a question file."""
SEPARATOR = ";"
"""Between several tools, or several right answers, in one CSV cell."""


@dataclass(frozen=True)
class Question:
    """A question and how to tell whether it was dealt with well.

    ``tools``: the names of all tools that it needs; empty if it needs none (the labels ``smalltalk`` and ``none``
    name no tool and stay in ``label``); None if that is not known. ``answers``: texts or numbers of which a right
    answer contains one; empty if there is no reference. ``label``: what the router should decide, None where several
    tools are needed or it is not known.
    """

    text: str
    tools: tuple[str, ...] | None = None
    answers: tuple[str, ...] = ()
    label: str | None = None

    @property
    def exact_case(self) -> bool:
        """The question already holds its answer in another case, so the case is what was asked for."""
        lowered = self.text.casefold()
        return any(a.casefold() in lowered and a not in self.text for a in self.answers)


def read_questions(path: str | Path, tools: Collection[str] = ()) -> tuple[list[Question], list[str]]:
    """The questions of a file, and one sentence for each row that was left out.

    JSONL: ``{"question": text, "tools": ["calculator"], "answer": text, number or list of them}``; CSV: the same
    columns, with ``;`` between several tools or answers. ``tools`` and ``answer`` may be missing. ``["smalltalk"]``,
    ``["none"]`` and ``[]`` all say that no tool is needed. Where the names in ``tools`` are given, another one is a
    problem.

    Raises FileNotFoundError, and ValueError when the file is no text, too large or a CSV without a question column.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path.name} has {size:,} bytes; at most {MAX_BYTES:,} are read. Split it.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    return parse_questions(text, path.name, tools)


def parse_questions(text: str, name: str, tools: Collection[str] = ()) -> tuple[list[Question], list[str]]:
    """The same from the text of a file called ``name``."""
    rows = _csv(text, name) if name.lower().endswith(".csv") else _jsonl(text)
    questions, problems = [], []
    for line, row in rows:
        try:
            questions.append(_question(row, tools))
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    return questions, problems


def to_row(question: Question) -> dict[str, Any]:
    """The inverse of reading: a JSON row."""
    row: dict[str, Any] = {"question": question.text}
    if question.tools is not None:
        row["tools"] = list(question.tools or ((question.label,) if question.label else ()))
    if question.answers:
        row["answer"] = list(question.answers) if len(question.answers) > 1 else question.answers[0]
    return row


def from_row(row: Mapping[str, Any]) -> Question:
    """A Question from a JSON row. Raises ValueError that says what is wrong with it."""
    return _question(row, ())


def _question(row: Any, known: Collection[str]) -> Question:
    if isinstance(row, ValueError):
        raise row
    if not isinstance(row, Mapping):
        raise ValueError(f'a {type(row).__name__} instead of an object. Write {{"question": ...}}.')
    text = row.get("question")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"question is {_short(text)}. Give a text that is not empty.")
    if len(text) > MAX_QUESTION:
        raise ValueError(f"question has {len(text):,} characters; at most {MAX_QUESTION:,} are allowed. Shorten it.")
    tools = _names(row.get("tools"))
    unknown = sorted(set(tools or ()) - set(known) - set(NON_TOOLS)) if known else []
    if unknown:
        raise ValueError(f"unknown tool {unknown[0]!r}. Known are {', '.join(known)}, {', '.join(NON_TOOLS)}.")
    needed = None if tools is None else tuple(t for t in tools if t not in NON_TOOLS)
    if needed and len(needed) < len(tools or ()):
        raise ValueError(f"tools {_short(tools)} name a tool together with {' or '.join(NON_TOOLS)}. Choose one.")
    label = tools[0] if tools and len(tools) == 1 else None
    return Question(text, needed, _answers(row.get("answer")), label)


def _names(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"tools is {_short(value)}. Give a list of tool names.")
    return tuple(dict.fromkeys(value))


def _answers(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, str | int | float) or not str(one).strip():
            raise ValueError(f"answer is {_short(value)}. Give a text, a number or a list of them.")
    return tuple(str(one) for one in values)


def _jsonl(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                yield number, ValueError(f"no JSON ({str(error)[:80]}): {_short(line)}. Write one object a line.")


def _csv(text: str, name: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text), strict=False)
    columns = reader.fieldnames or []
    if "question" not in columns:
        raise ValueError(f"{name} has the columns {_short(columns)}; one must be called question. Add a header line.")
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, ValueError(f"no CSV: {error}. Quote the cell.")
            continue
        if None in row:
            yield (
                reader.line_num,
                ValueError(f"more cells than columns: {_short(row[None])}. Quote a cell with commas."),
            )
            continue
        yield (
            reader.line_num,
            {
                "question": row["question"],
                "tools": _cells(row.get("tools")),
                "answer": _cells(row.get("answer")),
            },
        )


def _cells(cell: str | None) -> list[str] | None:
    return [part.strip() for part in cell.split(SEPARATOR) if part.strip()] if cell and cell.strip() else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
