"""Logs and tables as questions with their tools. What cannot be read is reported by line, never dropped in silence.

    form              one row is                                              tools
    JSONL, JSON, CSV  {"question" or "text", "tool" or "label", ...}          the column, or calls in a column
    traces            TraceEvents of a run, start … answer                    those that ran without an error
    runs              a RunResult                                             the same; else the router's label, else none
    conversations     {"messages": [...]}, or what a model was sent and       those called after a user's message, also in
                      what it replied: OpenAI, Anthropic, Gemini, LangChain,  the reply's text; none where text answers
                      ShareGPT, an entry of DSPy's history
    LangSmith         a run, with the runs within it                          the tools' runs, else as in a conversation
    MCP               a tools/call request beside a question                  the tool called

Each question has its calls in their order. A row whose form is not known is reported; it is never a question without a
tool. Half of a broken character is read as "?".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from router.learning.logs import langsmith
from router.learning.logs.chat import holds_chat, label_chat, written_call
from router.learning.logs.conversation import label_turns
from router.learning.logs.document import json_rows
from router.learning.logs.messages import is_conversation
from router.learning.logs.runs import label_event, label_run
from router.learning.logs.table import LABEL_COLUMNS, OFFER, QUESTION_COLUMNS, label_row, names_tools, table_rows
from router.learning.logs.values import Labelled, Problem, Unfit, names_of, show
from router.tools import printable

__all__ = [
    "LABEL_COLUMNS",
    "OFFER",
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
    text = printable(text)
    rows = table_rows(text, problems) if name.lower().endswith((".csv", ".tsv")) else json_rows(text, problems)
    found = list(_labelled(rows, name, problems))
    return found, sorted(problems, key=lambda p: p.line)


def _labelled(rows: Iterable[tuple[int, Any]], name: str, problems: list[Problem]) -> Iterator[Labelled]:
    paths: dict[str, tuple[int, list[Mapping[str, Any]]]] = {}  # a path's run that has started and not ended
    traced: list[tuple[int, Mapping[str, Any]]] = []  # LangSmith has a row for each run of a trace
    for line, row in rows:
        if isinstance(row, dict) and langsmith.is_run(row):
            traced.append((line, row))
        else:
            yield from _kept(_read(row, line, f"{name}:{line}", paths), line, problems)
    for line, run in langsmith.trees(traced):
        yield from _kept(langsmith.label_tree(run, line, f"{name}:{line}"), line, problems)
    for line, _ in paths.values():
        problems.append(Problem(line, "the run has no answer or error event. Its log was cut off."))


def _kept(found: Iterable[Labelled | Problem], line: int, problems: list[Problem]) -> Iterator[Labelled]:
    """What could be read; the rest goes to ``problems``."""
    try:
        for one in found:
            if isinstance(one, Problem):
                problems.append(one)
            else:
                yield one
    except Unfit as fault:
        problems.append(Problem(line, str(fault)))
    except RecursionError:
        problems.append(Problem(line, "JSON is nested too deep. Write one flat object a line."))


def _read(row: Any, line: int, source: str, paths: dict) -> Iterator[Labelled | Problem]:
    """What one row says, by its form."""
    if is_conversation(row):
        row = {"messages": row}
    if not isinstance(row, dict):
        raise Unfit(f"{show(row)} is not an object. Write one JSON object a line.")
    if "kind" in row and "path" in row:
        yield from label_event(row, line, paths, source)
    elif "tool_results" in row and not row.get("messages"):
        yield label_run(row, line, source)
    elif "jsonrpc" in row and not any(name in row for name in QUESTION_COLUMNS):
        raise Unfit("a message of MCP says what was called, and not for which question. Give it a 'question' beside.")
    elif names_tools(row):
        yield label_row(row, line, source)
    elif holds_chat(row):
        yield from label_chat(row, line, source)
    elif (items := written_call(row)) is not None:
        yield from label_turns(items, line, source)
    else:
        yield label_row(row, line, source)
