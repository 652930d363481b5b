"""Question sets: whatever a router is trained from, in; Questions and what was wrong with the rest, out.

Leaves out reading a file's format (``router.learning.logs``), and guessing: a row that cannot be read is reported with
its line and left out; the others are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from router.learning.logs import Labelled, Problem, label_row, read_labelled, read_text
from router.types import NON_TOOLS

MAX_QUESTION = 2_000
"""Characters of a question: what the paths' prompts leave room for in a small model's context."""
MAX_BYTES = 20_000_000
"""Size of a question file."""
MOST_LINES = 10
"""Lines that a note names."""


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


@dataclass(frozen=True)
class QuestionSet:
    """What a file holds. ``problems``: one sentence for each row that was left out; ``notes``: for what the rows that
    were kept say and cannot be checked here."""

    questions: list[Question]
    problems: list[str]
    notes: list[str]


def read_questions(path: str | Path, tools: Collection[str] = ()) -> QuestionSet:
    """The questions of a file, in any format that ``router.learning.logs`` reads: tables, chat logs, traces, runs.

    A table may have ``answer``, a text, number or list of them; in CSV, ``;`` stands between several tools or answers.
    ``["smalltalk"]``, ``["none"]`` and ``[]`` all say that no tool is needed. Where the names in ``tools`` are given,
    the tools of a question that needs another one are not known (None), and a note says so.

    Raises FileNotFoundError, and ValueError when the file is no text or too large.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path.name} has {size:,} bytes; at most {MAX_BYTES:,} are read. Split it.")
    return parse_questions(read_text(path), path.name, tools)


def parse_questions(text: str, name: str, tools: Collection[str] = ()) -> QuestionSet:
    """The same from the text of a file called ``name``."""
    rows, unfit = read_labelled(text, name)
    questions: list[Question] = []
    foreign: dict[str, list[int]] = {}
    for row in rows:
        try:
            question = _question(row)
        except ValueError as error:
            unfit.append(Problem(row.line, str(error)))
            continue
        unknown = sorted(set(question.tools or ()) - set(tools)) if tools else []
        for tool in unknown:
            foreign.setdefault(tool, []).append(row.line)
        questions.append(replace(question, tools=None, label=None) if unknown else question)
    problems = [f"line {p.line}: {p.message}" for p in sorted(unfit, key=lambda p: p.line)]
    notes = [_note(tool, lines, tools) for tool, lines in foreign.items()]
    return QuestionSet(questions, problems, notes)


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
    return _question(label_row(row))


def _question(row: Labelled) -> Question:
    text, tools = row.question, row.tools
    if len(text) > MAX_QUESTION:
        raise ValueError(f"question has {len(text):,} characters; at most {MAX_QUESTION:,} are allowed. Shorten it.")
    needed = None if tools is None else tuple(t for t in tools if t not in NON_TOOLS)
    if needed and len(needed) < len(tools or ()):
        raise ValueError(f"tools {_short(tools)} name a tool together with {' or '.join(NON_TOOLS)}. Choose one.")
    label = tools[0] if tools and len(tools) == 1 else None
    return Question(text, needed, _answers(row.row.get("answer")), label)


def _answers(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    for one in values:
        if isinstance(one, bool) or not isinstance(one, str | int | float) or not str(one).strip():
            raise ValueError(f"answer is {_short(value)}. Give a text, a number or a list of them.")
    return tuple(str(one) for one in values)


def _note(tool: str, lines: list[int], tools: Collection[str]) -> str:
    more = f" and {len(lines) - MOST_LINES:,} more" if len(lines) > MOST_LINES else ""
    shown = ", ".join(map(str, lines[:MOST_LINES])) + more
    return (
        f"line{'s' if len(lines) > 1 else ''} {shown}: the tool {_short(tool)} is not on offer here, so “right tool” is "
        f"not counted. On offer are {', '.join(tools)}."
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
