"""Examples to train a router on: read from logs and tables, made from templates, split.

Leaves out what a language model writes (``synthetic/written.py``) and the training itself. What cannot be read is
reported by line, never dropped in silence.

    format            one row is                                         tools
    JSONL, JSON, CSV  {"question" or "text", "tool" or "label", ...}     the column
    traces            TraceEvents of a run, start … answer               those that ran without an error
    runs              a RunResult                                        the same; else the router's label, else none
    chat logs         {"messages": [...]} as OpenAI's API has them       those called after a user's message

An Example has the first of the tools; ``read_labelled`` gives all.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router.learning import synthetic
from router.tools import shorten
from router.tools.tool import check_name
from router.types import NON_TOOLS, NONE, Example

QUESTION_COLUMNS = ("question", "text", "query", "sentence", "prompt", "input")
TOOL_COLUMNS = ("tool", "label", "category", "intent", "tools")
SEPARATORS = (",", ";", "\t")
"""Between the cells of a table: the first that makes sense of its first line."""
SEVERAL = ("tools", "answer")
"""Columns of a table whose cells may hold several values, with ``;`` between them."""
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
    none, None where the row does not say. ``arguments``: of the first. ``row``: the rest of what a table says."""

    line: int
    question: str
    tools: tuple[str, ...] | None
    arguments: Mapping[str, Any] | None = None
    source: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)


class _Unfit(ValueError):
    """A row that cannot become an example."""


def read_examples(path: str | Path) -> tuple[list[Example], list[Problem]]:
    """Examples of a file (JSONL, JSON, CSV, TSV; tables, traces, runs, chat logs) and the rows that were unfit.

    Raises OSError where the file cannot be read and ValueError where it is not UTF-8 text.
    """
    path = Path(path)
    labelled, problems = read_labelled(read_text(path), path.name)
    if labelled and all(one.tools is None for one in labelled):
        said = f"no row names a tool. Name a column of them one of {', '.join(TOOL_COLUMNS)}."
        return [], sorted([*problems, Problem(labelled[0].line, said)], key=lambda p: p.line)
    examples = []
    for one in labelled:
        try:
            examples.append(_example(one))
        except _Unfit as fault:
            problems.append(Problem(one.line, str(fault)))
    return examples, sorted(problems, key=lambda p: p.line)


def read_text(path: Path) -> str:
    """A file's text. Raises OSError where it cannot be read and ValueError where it is not UTF-8."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ValueError(f"{path.name}: byte {fault.start} is not UTF-8. Save the file as UTF-8 text.") from fault


def read_labelled(text: str, name: str) -> tuple[list[Labelled], list[Problem]]:
    """The questions in the text of a file called ``name``, with their tools, and the rows that were unfit."""
    problems: list[Problem] = []
    rows = _table(text, problems) if name.lower().endswith((".csv", ".tsv")) else _json_rows(text, problems)
    found = list(_labelled(rows, name, problems))
    return found, sorted(problems, key=lambda p: p.line)


def label_row(row: Mapping[str, Any], line: int = 0, source: str = "") -> Labelled:
    """A table's row. Raises ValueError that says what is wrong with it."""
    text = _first(row, QUESTION_COLUMNS)
    if text is None:
        raise _Unfit(f"no question: the row has {_names(row)}. Give it one, in a column called 'question'.")
    question, tools, arguments = _question(text), _first(row, TOOL_COLUMNS), row.get("arguments")
    if isinstance(tools, str):
        tools = [tools]
    if tools is not None and not isinstance(tools, list):
        raise _Unfit(f"tool is {_show(tools)}. Give a label's name, or a list of them.")
    if isinstance(arguments, str):
        arguments = _arguments(arguments)
    if arguments is not None and not isinstance(arguments, dict):
        raise _Unfit(f"arguments are {_show(arguments)}. Give an object of argument names and values.")
    read = _label if row.get("tool") is None and row.get("tools") is None else _tool  # an intent needs no tool's name
    names = None if tools is None else tuple(dict.fromkeys(map(read, tools)))
    source = row["source"] if isinstance(row.get("source"), str) else source
    return Labelled(line, question, names, arguments, source, row)


def synthetic_examples(seed: int = 0, per_label: int = 1_500, held_out: bool | None = None) -> list[Example]:
    """Template questions for the eight shipped tools, ``smalltalk`` and ``none``; see ``router.learning.synthetic``.

    ``held_out`` True or False takes one side of the templates' fixed split (a fifth is held out), None all.
    """
    return [e for label in synthetic.LABELS for e in synthetic.generate(label, per_label, seed, held_out)]


def split(examples: Sequence[Example], seed: int = 0, share: float = 0.1) -> tuple[list[Example], list[Example]]:
    """(training, validation) with about ``share`` of each label held out, never the same question on both sides.

    Synthetic examples of one template stay together, so that validation asks in words that training never saw.
    """
    groups = _groups(examples, _same)
    training: list[Example] = []
    validation: list[Example] = []
    for label in sorted(groups):
        names = sorted(groups[label])
        random.Random(f"{seed}/{label}").shuffle(names)
        wanted = share * sum(map(len, groups[label].values()))
        held = 0
        for position, name in enumerate(names):
            rows = groups[label][name]
            take = held < wanted and position < len(names) - 1
            (validation if take else training).extend(rows)
            held += len(rows) if take else 0
    return training, validation


def folds(
    examples: Sequence[Example], count: int, seed: int = 0, alike: Callable[[Example], str] | None = None
) -> list[list[Example]]:
    """``examples`` in ``count`` parts with about the same share of each label, kept together as ``split`` does, or all
    those of a label for which ``alike`` gives the same text."""
    parts: list[list[Example]] = [[] for _ in range(count)]
    for label, groups in sorted(_groups(examples, alike or _same).items()):
        names = sorted(groups)
        random.Random(f"{seed}/{label}").shuffle(names)
        sizes = [0] * count
        for name in names:
            smallest = sizes.index(min(sizes))
            parts[smallest] += groups[name]
            sizes[smallest] += len(groups[name])
    return parts


def _groups(examples: Iterable[Example], alike: Callable[[Example], str]) -> dict[str, dict[str, list[Example]]]:
    """Per label the examples that belong together."""
    groups: dict[str, dict[str, list[Example]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        groups[example.tool][alike(example)].append(example)
    return groups


def _same(example: Example) -> str:
    """Equal for examples of one template, and for the same question."""
    return example.source if example.source.startswith("synthetic:") else _key(example.question)


def write_examples(examples: Iterable[Example], path: str | Path) -> int:
    """Examples as JSONL that ``read_examples`` reads back; returns how many there were."""
    lines = []
    for e in examples:
        row: dict[str, Any] = {"question": e.question, "tool": e.tool}
        row |= {"arguments": dict(e.arguments)} if e.arguments is not None else {}
        row |= {"reward": e.reward} if e.reward is not None else {}
        lines.append(json.dumps(row | {"source": e.source}, ensure_ascii=False))
    Path(path).write_text("".join(line + "\n" for line in lines), "utf-8")
    return len(lines)


def _key(question: str) -> str:
    return " ".join(question.lower().split())


def _table(text: str, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
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


def _json_rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """(line, row) of JSONL; of a JSON document, its rows with their number in the place of a line."""
    if text.lstrip()[:1] in ("[", "{"):
        try:
            document = json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            document = None
        if isinstance(document, dict) and isinstance(document.get("events"), list):
            document = document["events"]
        if isinstance(document, list):
            yield from enumerate(document, 1)
            return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as fault:
                problems.append(
                    Problem(number, f"not JSON: {fault.msg} at column {fault.colno}. Write one object a line.")
                )
            except RecursionError:
                problems.append(Problem(number, "JSON is nested too deep. Write one flat object a line."))


def _labelled(rows: Iterable[tuple[int, Any]], name: str, problems: list[Problem]) -> Iterator[Labelled]:
    runs: dict[str, tuple[int, list[Mapping[str, Any]]]] = {}  # a path's run that has started and not ended
    for line, row in rows:
        source = f"{name}:{line}"
        try:
            if not isinstance(row, dict):
                raise _Unfit(f"{_show(row)} is not an object. Write one JSON object a line.")
            if "kind" in row and "path" in row:
                yield from _trace_event(row, line, runs, source)
            elif "messages" in row:
                yield from _chat(row, line, source)
            elif "tool_results" in row:
                yield _run(row, line, source)
            else:
                yield label_row(row, line, source)
        except _Unfit as fault:
            problems.append(Problem(line, str(fault)))
    for line, events in runs.values():
        problems.append(Problem(line, "the run has no answer or error event. Its log was cut off."))


def _example(labelled: Labelled) -> Example:
    """What one question teaches: its first tool. Raises _Unfit where it says none, or its reward is no number."""
    row, reward = labelled.row, labelled.row.get("reward")
    if labelled.tools is None:
        raise _Unfit(f"no tool: the row has {_names(row)}. Give it one, in a column called 'tool'.")
    if reward is not None:
        try:
            reward = float(reward)
        except (TypeError, ValueError):
            raise _Unfit(f"reward is {_show(reward)}. Give a number.") from None
    return Example(labelled.question, (labelled.tools or (NONE,))[0], labelled.arguments, reward, labelled.source)


def _run(row: Mapping[str, Any], line: int, source: str) -> Labelled:
    """A RunResult: the tools that served; without one, what the router decided with confidence."""
    question, results, decision = _question(row.get("question")), row.get("tool_results"), row.get("decision")
    if not isinstance(results, list):
        raise _Unfit(f"tool_results are {_show(results)}. Give a list.")
    served = []
    for result in results:
        call = result.get("call") if isinstance(result, dict) else None
        if not isinstance(call, dict):
            raise _Unfit(f"tool result {_show(result)} has no call. Give call, output and error.")
        if result.get("error") is None:
            served.append((_tool(call.get("tool")), _object(call.get("arguments"))))
    if served:
        return Labelled(line, question, tuple(dict.fromkeys(tool for tool, _ in served)), served[0][1], source)
    if row.get("answer") is None or results:
        raise _Unfit("the run ended in an error or its tools failed, so it shows no right choice.")
    if isinstance(decision, dict) and not decision.get("abstained") and decision.get("tool"):
        return Labelled(line, question, (_tool(decision["tool"]),), None, source)
    return Labelled(line, question, (), None, source)


def _trace_event(row: Mapping[str, Any], line: int, runs: dict, source: str) -> Iterator[Labelled]:
    path, kind, data = row.get("path"), row.get("kind"), row.get("data")
    if not isinstance(path, str) or not isinstance(data, dict):
        raise _Unfit("an event needs a path and data. Write it with router.types.to_json.")
    if kind == "start":
        cut = runs.pop(path, None)
        runs[path] = (line, [data])
        if cut is not None:
            raise _Unfit(
                f"a new run of {path!r} starts before the one of line {cut[0]} has ended. Its log was cut off."
            )
    elif path not in runs:
        raise _Unfit(f"a {kind!r} event of {path!r} before its start. Its log was cut off.")
    elif kind in ("route", "tool"):
        runs[path][1].append(data | {"kind": kind})
    elif kind in ("answer", "error"):
        _, events = runs.pop(path)
        tools = [e for e in events[1:] if e["kind"] == "tool" and e.get("phase") == "end"]
        results = [
            {"call": {"tool": e.get("tool"), "arguments": e.get("arguments")}, "error": e.get("error")} for e in tools
        ]
        decision = next((e for e in events[1:] if e["kind"] == "route"), None)
        question, answer = events[0].get("question"), data.get("answer")
        yield _run(
            {"question": question, "tool_results": results, "decision": decision, "answer": answer}, line, source
        )


def _chat(row: Mapping[str, Any], line: int, source: str) -> Iterator[Labelled]:
    """Each user message that was replied to, with the tools called until the next one; none where text answers it."""
    messages = row["messages"]
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise _Unfit("messages is not a list of objects. Give role and content for each.")
    turns: list[tuple[Any, list[Mapping[str, Any]]]] = []
    for message in messages:
        if message.get("role") == "user":
            turns.append((_content(message.get("content")), []))
        elif message.get("role") == "assistant" and turns:
            turns[-1][1].append(message)
    if not any(replies for _, replies in turns):
        raise _Unfit("no assistant message follows a user message, so nothing was chosen.")
    for text, replies in turns:
        if replies:
            calls = [call for reply in replies for call in _calls(reply)]
            tools = tuple(dict.fromkeys(tool for tool, _ in calls))
            yield Labelled(line, _question(text), tools, calls[0][1] if calls else None, source)


def _calls(message: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """(tool, arguments) of each call in an assistant's message."""
    calls = message.get("tool_calls") or (
        [{"function": message["function_call"]}] if message.get("function_call") else []
    )
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise _Unfit(f"tool call {_show(calls)} has no function. Give function.name and function.arguments.")
        arguments = function.get("arguments")
        yield _tool(function.get("name")), _arguments(arguments) if isinstance(arguments, str) else _object(arguments)


def _content(content: Any) -> Any:
    """A message's text, also where it stands in parts."""
    if isinstance(content, list):
        return " ".join(p["text"] for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return content


def _question(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Unfit(f"question is {_show(value)}. Give text.")
    if len(value) > MAX_QUESTION:
        raise _Unfit(f"question has {len(value):,} characters, more than {MAX_QUESTION:,}. Cut it.")
    return value.strip()


def _label(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Unfit(f"tool is {_show(value)}. Give a label's name.")
    return value.strip()


def _tool(value: Any) -> str:
    name = _label(value)
    if name not in NON_TOOLS:
        try:
            check_name(name)
        except ValueError as fault:
            raise _Unfit(str(fault)) from None
    return name


def _names(row: Mapping[str, Any]) -> str:
    return shorten(", ".join(map(str, row)), 60) or "nothing"


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _arguments(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _Unfit(f"arguments {_show(text)} are not a JSON object. Give one, such as {{}}.")
    return value


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"
