"""Examples to train a router on: read from logs and tables, made from templates, split.

Leaves out what a language model writes (``synthetic/written.py``) and the training itself. What cannot be read is
reported by line, never dropped in silence.

    format            one row is                                         label
    JSONL, JSON, CSV  {"question" or "text", "tool" or "label", ...}     the column
    traces            TraceEvents of a run, start … answer               the first tool that ran without an error
    runs              a RunResult                                        the same; else the router's, else none
    chat logs         {"messages": [...]} as OpenAI's API has them       the first tool call after a user's message
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.learning import synthetic
from router.types import NONE, Example

QUESTION_COLUMNS = ("question", "text", "query", "sentence", "prompt", "input")
TOOL_COLUMNS = ("tool", "label", "category", "intent", "tools")
MAX_QUESTION = 20_000
"""Characters of a question that is worth learning from."""


@dataclass(frozen=True)
class Problem:
    """A row that could not be read: its line (from 1) and what to do about it."""

    line: int
    message: str


class _Unfit(ValueError):
    """A row that cannot become an example."""


def read_examples(path: str | Path) -> tuple[list[Example], list[Problem]]:
    """Examples of a file (JSONL, JSON, CSV, TSV; tables, traces, runs, chat logs) and the rows that were unfit.

    Raises OSError where the file cannot be read and ValueError where it is not UTF-8 text.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ValueError(f"{path.name}: byte {fault.start} is not UTF-8. Save the file as UTF-8 text.") from fault
    problems: list[Problem] = []
    if path.suffix.lower() in (".csv", ".tsv"):
        rows = _table(text, "\t" if path.suffix.lower() == ".tsv" else ",", problems)
    else:
        rows = _json_rows(text, problems)
    examples = list(_examples(rows, path.name, problems))
    return examples, sorted(problems, key=lambda p: p.line)


def synthetic_examples(seed: int = 0, per_label: int = 1_500, held_out: bool | None = None) -> list[Example]:
    """Template questions for the eight shipped tools, ``smalltalk`` and ``none``; see ``router.learning.synthetic``.

    ``held_out`` True or False takes one side of the templates' fixed split (a fifth is held out), None all.
    """
    return [e for label in synthetic.LABELS for e in synthetic.generate(label, per_label, seed, held_out)]


def split(examples: Sequence[Example], seed: int = 0, share: float = 0.1) -> tuple[list[Example], list[Example]]:
    """(training, validation) with about ``share`` of each label held out, never the same question on both sides.

    Synthetic examples of one template stay together, so that validation asks in words that training never saw.
    """
    groups = _groups(examples)
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


def folds(examples: Sequence[Example], count: int, seed: int = 0) -> list[list[Example]]:
    """``examples`` in ``count`` parts with about the same share of each label, kept together as ``split`` does."""
    parts: list[list[Example]] = [[] for _ in range(count)]
    for label, groups in sorted(_groups(examples).items()):
        names = sorted(groups)
        random.Random(f"{seed}/{label}").shuffle(names)
        sizes = [0] * count
        for name in names:
            smallest = sizes.index(min(sizes))
            parts[smallest] += groups[name]
            sizes[smallest] += len(groups[name])
    return parts


def _groups(examples: Iterable[Example]) -> dict[str, dict[str, list[Example]]]:
    """Per label the examples that belong together: of one template, or the same question."""
    groups: dict[str, dict[str, list[Example]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        group = example.source if example.source.startswith("synthetic:") else _key(example.question)
        groups[example.tool][group].append(example)
    return groups


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


def _table(text: str, separator: str, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    if not set(reader.fieldnames) & set(QUESTION_COLUMNS) or not set(reader.fieldnames) & set(TOOL_COLUMNS):
        found = ", ".join(reader.fieldnames) or "none"
        wanted = f"one of {', '.join(QUESTION_COLUMNS)} and one of {', '.join(TOOL_COLUMNS)}"
        problems.append(Problem(1, f"columns found: {found}. Name in the first line {wanted}."))
        return
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            problems.append(Problem(reader.line_num, f"not CSV: {fault}. Quote fields that hold quotes or line ends."))
            continue
        if None in row:
            problems.append(
                Problem(reader.line_num, f"{len(row[None])} fields too many. Quote fields that hold commas.")
            )
        else:
            yield reader.line_num, {name: value for name, value in row.items() if value}


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


def _examples(rows: Iterable[tuple[int, Any]], name: str, problems: list[Problem]) -> Iterator[Example]:
    runs: dict[str, tuple[int, list[Mapping[str, Any]]]] = {}  # a path's run that has started and not ended
    for line, row in rows:
        source = f"{name}:{line}"
        try:
            if not isinstance(row, dict):
                raise _Unfit(f"{_show(row)} is not an object. Write one JSON object a line.")
            if "kind" in row and "path" in row:
                yield from _trace_event(row, line, runs, source)
            elif "messages" in row:
                yield from _chat(row, source)
            elif "tool_results" in row:
                yield _run(row, source)
            else:
                yield _plain(row, source)
        except _Unfit as fault:
            problems.append(Problem(line, str(fault)))
    for line, events in runs.values():
        problems.append(Problem(line, "the run has no answer or error event. Its log was cut off."))


def _plain(row: Mapping[str, Any], source: str) -> Example:
    arguments, reward = row.get("arguments"), row.get("reward")
    if isinstance(arguments, str):
        arguments = _arguments(arguments)
    if arguments is not None and not isinstance(arguments, dict):
        raise _Unfit(f"arguments are {_show(arguments)}. Give an object of argument names and values.")
    if reward is not None:
        try:
            reward = float(reward)
        except (TypeError, ValueError):
            raise _Unfit(f"reward is {_show(reward)}. Give a number.") from None
    tool = _first(row, TOOL_COLUMNS, "tool")
    if isinstance(tool, list):
        tool = tool[0] if tool else NONE
    source = row["source"] if isinstance(row.get("source"), str) else source
    return Example(_question(_first(row, QUESTION_COLUMNS, "question")), _tool(tool), arguments, reward, source)


def _run(row: Mapping[str, Any], source: str) -> Example:
    """A RunResult: the first tool that served; without one, what the router decided with confidence."""
    question, results, decision = _question(row.get("question")), row.get("tool_results"), row.get("decision")
    if not isinstance(results, list):
        raise _Unfit(f"tool_results are {_show(results)}. Give a list.")
    for result in results:
        call = result.get("call") if isinstance(result, dict) else None
        if not isinstance(call, dict):
            raise _Unfit(f"tool result {_show(result)} has no call. Give call, output and error.")
        if result.get("error") is None:
            return Example(question, _tool(call.get("tool")), _object(call.get("arguments")), None, source)
    if row.get("answer") is None or results:
        raise _Unfit("the run ended in an error or its tools failed, so it shows no right choice.")
    if isinstance(decision, dict) and not decision.get("abstained") and decision.get("tool"):
        return Example(question, _tool(decision["tool"]), None, None, source)
    return Example(question, NONE, None, None, source)


def _trace_event(row: Mapping[str, Any], line: int, runs: dict, source: str) -> Iterator[Example]:
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
        yield _run({"question": question, "tool_results": results, "decision": decision, "answer": answer}, source)


def _chat(row: Mapping[str, Any], source: str) -> Iterator[Example]:
    """Each user message with the first tool call that answers it; ``none`` where text answers it."""
    messages = row["messages"]
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise _Unfit("messages is not a list of objects. Give role and content for each.")
    question = None
    found = False
    for message in messages:
        role = message.get("role")
        if role == "user":
            question = _question(_content(message.get("content")))
        elif role == "assistant" and question is not None:
            calls = message.get("tool_calls") or (
                [{"function": message["function_call"]}] if message.get("function_call") else []
            )
            if calls:
                function = calls[0].get("function") if isinstance(calls, list) and isinstance(calls[0], dict) else None
                if not isinstance(function, dict):
                    raise _Unfit(
                        f"tool call {_show(calls)} has no function. Give function.name and function.arguments."
                    )
                arguments = function.get("arguments")
                arguments = _arguments(arguments) if isinstance(arguments, str) else _object(arguments)
                yield Example(question, _tool(function.get("name")), arguments, None, source)
            else:
                yield Example(question, NONE, None, None, source)
            question, found = None, True
    if not found:
        raise _Unfit("no assistant message follows a user message, so nothing was chosen.")


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


def _tool(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Unfit(f"tool is {_show(value)}. Give a label's name.")
    return value.strip()


def _first(row: Mapping[str, Any], names: Sequence[str], wanted: str) -> Any:
    for name in names:
        if row.get(name) is not None:
            return row[name]
    raise _Unfit(f"no {wanted}: columns are {', '.join(map(str, row)) or 'none'}. Name one of them {wanted!r}.")


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
