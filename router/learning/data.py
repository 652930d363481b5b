"""Examples to train a router on: those of logs (``router.learning.logs``), made from templates, split.

Leaves out what a language model writes (``synthetic/written.py``) and the training itself. An Example has the first of
a question's tools; ``logs.read_labelled`` gives all.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from router.calls.slots import stated
from router.learning import synthetic
from router.learning.logs import (
    LABEL_COLUMNS,
    OFFER,
    Labelled,
    Problem,
    Unfit,
    names_of,
    read_labelled,
    read_text,
    show,
)
from router.tools import Tool, ToolError
from router.types import NONE, Example

AT_COLUMNS = ("at", "timestamp", "created_at")
"""When a row's question was asked, in ISO 8601 or in seconds since 1970."""
_LINE = re.compile(r":\d+$")
"""The line at the end of a source."""


def read_examples(
    path: str | Path, question_set: bool = False, tools: Mapping[str, Tool] | None = None
) -> tuple[list[Example], list[Problem]]:
    """``parse_examples`` of a file. Raises OSError where it cannot be read and ValueError where it is not UTF-8."""
    path = Path(path)
    return parse_examples(read_text(path), path.name, question_set, tools)


def parse_examples(
    text: str, name: str, question_set: bool = False, tools: Mapping[str, Tool] | None = None
) -> tuple[list[Example], list[Problem]]:
    """Examples of the text of a file called ``name`` (every form that ``router.learning.logs`` reads) and the rows that
    were unfit.

    ``question_set``: a column ``tools`` names those that a question needs. Anywhere else it is what was on offer, and
    no label. ``tools``: those that the rows call; a call that does not fit its tool's schema is a problem too, and its
    row teaches which tool is right, and no arguments.
    """
    labelled, problems = read_labelled(text, name)
    if labelled and all(one.tools is None for one in labelled):
        said = f"none of {len(labelled)} rows names a tool. Name a column of them one of {', '.join(LABEL_COLUMNS)}."
        return [], sorted([*problems, Problem(labelled[0].line, said)], key=lambda p: p.line)
    examples = []
    for one in labelled:
        try:
            example = _example(one, question_set)
        except Unfit as fault:
            problems.append(Problem(one.line, str(fault)))
            continue
        if fault := misfit(example, tools or {}):
            problems.append(Problem(one.line, f"{fault} The row teaches the tool alone."))
            example = replace(example, arguments=None)
        examples.append(example)
    return examples, sorted(problems, key=lambda p: p.line)


def misfit(example: Example, tools: Mapping[str, Tool]) -> str | None:
    """Why the call of ``example`` does not fit its tool's schema, in a sentence; None where it fits, is not known, or
    its tool is not among ``tools``. An argument that is null is not there."""
    if example.tool not in tools or example.arguments is None:
        return None
    try:
        tools[example.tool].check(stated(example.arguments))
    except ToolError as fault:
        return str(fault)
    return None


def read_each(path: Path) -> Iterator[Example]:
    """The examples of a JSONL file one by one, however long it is.

    Raises OSError, and ValueError that names the line where a row cannot be read.
    """
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            labelled, problems = read_labelled(line, path.name)
            try:
                if problems:
                    raise Unfit(problems[0].message)
                yield from [_example(one, False) for one in labelled]
            except Unfit as fault:
                raise ValueError(f"{path.name}, line {number}: {fault}") from fault


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


def origins(examples: Iterable[Example]) -> dict[str, dict[str, int]]:
    """Per label how many examples come from where: a file, "templates", or what a row's own ``source`` says."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        made = example.source.startswith("synthetic:")
        found[example.tool]["templates" if made else _LINE.sub("", example.source) or "unknown"] += 1
    return {label: dict(found[label].most_common()) for label in sorted(found)}


def write_examples(examples: Iterable[Example], path: str | Path) -> int:
    """Examples as JSONL that ``read_examples`` reads back; returns how many there were."""
    lines = []
    for e in examples:
        row: dict[str, Any] = {"question": e.question, "tool": e.tool}
        row |= {"arguments": dict(e.arguments)} if e.arguments is not None else {}
        row |= {"reward": e.reward} if e.reward is not None else {}
        row |= {"at": e.at} if e.at else {}
        lines.append(json.dumps(row | {"source": e.source}, ensure_ascii=False))
    Path(path).write_text("".join(line + "\n" for line in lines), "utf-8")
    return len(lines)


def _key(question: str) -> str:
    return " ".join(question.lower().split())


def _example(labelled: Labelled, question_set: bool) -> Example:
    """What one question teaches: its first tool. Raises Unfit where it says none, or its reward is no number."""
    row, reward = labelled.row, labelled.row.get("reward")
    if labelled.tools is None:
        raise Unfit(f"no tool: the row has {names_of(row)}. Give it one, in a column called 'tool'.")
    if labelled.column == OFFER and not question_set:
        raise Unfit(f"'{OFFER}' is what was on offer, and not what was right. Name that in a column called 'tool'.")
    if reward is not None:
        try:
            reward = float(reward)
        except (TypeError, ValueError):
            raise Unfit(f"reward is {show(reward)}. Give a number.") from None
    tool, at = (labelled.tools or (NONE,))[0], next((row[name] for name in AT_COLUMNS if row.get(name)), None)
    return Example(labelled.question, tool, labelled.arguments, reward, labelled.source, _moment(at))


def _moment(value: Any) -> str:
    """``value`` in ISO 8601, by the clock of its zone; "" where it is no moment."""
    try:
        seconds = isinstance(value, int | float) and not isinstance(value, bool)
        return (datetime.fromtimestamp(value, timezone.utc) if seconds else datetime.fromisoformat(value)).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
