"""Rows of a question, a tool and its arguments: read, and looked at before anything is trained on them.

Leaves out the forms that a log may have (``router.learning.logs``), and training.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from router.calls.confidence import comparable, given
from router.calls.slots import plain
from router.learning.data import misfit, parse_examples
from router.learning.logs import Problem
from router.tools import ToolSet
from router.types import NON_TOOLS, Example

MOST_ROWS = 20_000
"""Rows that a workbench takes."""
SHOWN = 5
"""Values of a slot that are given as examples, the commonest."""
LEAST_WORDS = 4
"""Words from which two questions that differ in one of them are near-duplicates."""

SIGNS = ".,;:!?¡¿\"'“”‘’()…。、"
"""Signs about a word that change nothing of what is asked."""


@dataclass(frozen=True)
class Coverage:
    """What the rows of a tool show of one slot: how many ``rows`` have it, with how many ``different`` values, the
    commonest of them as JSON in ``values``, and the enum's values that no row has as JSON in ``missing``."""

    rows: int = 0
    different: int = 0
    values: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examination:
    """What is to be known of rows before training. Indexes are places in the rows, from 0.

    ``rows``: label → how many, every tool among them; ``slots``: tool → slot → Coverage; ``without_rows``: tools that
    no row calls; ``strangers``: labels that are no tool's → how many rows. ``near_duplicates``: pairs that make one
    call of nearly the same words; ``contradictions``: pairs that ask the same and call something else, the earlier
    first; ``misfits``: (index, sentence) of the rows whose arguments do not fit their tool's schema.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    slots: Mapping[str, Mapping[str, Coverage]] = field(default_factory=dict)
    without_rows: tuple[str, ...] = ()
    strangers: Mapping[str, int] = field(default_factory=dict)
    near_duplicates: tuple[tuple[int, int], ...] = ()
    contradictions: tuple[tuple[int, int], ...] = ()
    misfits: tuple[tuple[int, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return json.loads(json.dumps(asdict(self)))


def read_rows(text: str, name: str) -> tuple[list[Example], list[Problem]]:
    """The rows in the text of a file called ``name``, in every form that ``router.learning.logs`` reads, and the lines
    that could not be read. From the row after MOST_ROWS on they are left out, which is a problem by itself."""
    rows, problems = parse_examples(text, name)
    if len(rows) > MOST_ROWS:
        said = (
            f"{len(rows):,} rows, more than {MOST_ROWS:,}: the first {MOST_ROWS:,} were taken. Give fewer, or train "
            "on all with: python -m router train FILE --tools TOOLS --out FOLDER"
        )
        rows, problems = rows[:MOST_ROWS], [*problems, Problem(MOST_ROWS + 1, said)]
    return rows, problems


def check(rows: Sequence[Example], tools: ToolSet) -> Examination:
    """What ``rows`` show of ``tools``, and what is wrong with them."""
    counts = Counter(row.tool for row in rows)
    faults = ((i, misfit(row, tools)) for i, row in enumerate(rows))
    return Examination(
        rows={**dict.fromkeys(tools, 0), **counts},
        slots={name: _coverage(tools, name, rows) for name in tools},
        without_rows=tuple(name for name in tools if not counts[name]),
        strangers={label: n for label, n in counts.items() if label not in tools and label not in NON_TOOLS},
        near_duplicates=tuple(near_duplicates(rows)),
        contradictions=tuple(contradictions(rows)),
        misfits=tuple((i, fault) for i, fault in faults if fault),
    )


def question_key(question: str) -> str:
    """Equal for questions of the same words in the same order, whatever their case, spacing and signs about words."""
    words = [word.strip(SIGNS) for word in plain(question).split()]
    return " ".join(filter(None, words)) or plain(question)


def call_key(row: Example) -> str:
    """Equal for rows that make the same call: texts compare without case and spacing, and a row of no tool calls
    nothing. A row that does not say its arguments equals others that do not."""
    arguments = None if row.arguments is None and row.tool not in NON_TOOLS else comparable(given(row))
    return json.dumps([row.tool, {} if row.tool in NON_TOOLS else arguments], sort_keys=True, default=str)


def contradictions(rows: Sequence[Example]) -> list[tuple[int, int]]:
    """(an earlier row, a later one) that ask the same and call something else: another tool, or, on the same day, the
    same with other arguments. Of rows that agree the first stands for all."""
    asked: dict[str, list[int]] = defaultdict(list)
    found = []
    for i, row in enumerate(rows):
        before = asked[question_key(row.question)]
        if all(call_key(rows[j]) != call_key(row) or rows[j].at[:10] != row.at[:10] for j in before):
            found += [(j, i) for j in before if _contradict(rows[j], row)]
            before.append(i)
    return found


def settled(rows: Sequence[Example], tools: ToolSet) -> list[Example]:
    """``rows`` as they are learned from: of two that contradict each other the later one, which is the correction;
    without arguments that do not fit the tool's schema, so that the row teaches the tool alone; and with no arguments
    where the tool has none and the row does not say."""
    kept: list[Example] = []
    later: dict[str, list[Example]] = defaultdict(list)
    for row in reversed(rows):
        after = later[question_key(row.question)]
        if any(_contradict(row, other) for other in after):
            continue
        after.append(row)
        if row.tool in tools and row.arguments is None and not tools[row.tool].slots:
            row = replace(row, arguments={})
        kept.append(replace(row, arguments=None) if misfit(row, tools) else row)
    return kept[::-1]


def _contradict(a: Example, b: Example) -> bool:
    if a.tool != b.tool:
        return True
    said = a.arguments is not None and b.arguments is not None
    return said and a.at[:10] == b.at[:10] and call_key(a) != call_key(b)


def near_duplicates(rows: Sequence[Example]) -> list[tuple[int, int]]:
    """(an earlier row, a later one) that make one call of the same words in whatever order, or of LEAST_WORDS and more
    but for one that was added, left out or replaced. Rows that do not say their arguments are compared by all words."""
    first: dict[tuple[str, ...], int] = {}
    found = []
    for i, row in enumerate(rows):
        call, words = call_key(row), question_key(row.question).split()
        if row.arguments is not None or row.tool in NON_TOOLS:
            words.sort()
            less = len(words) if len(words) >= LEAST_WORDS else 0
            keys = {(call, *words), *((call, *words[:k], *words[k + 1 :]) for k in range(less))}
        else:
            keys = {(call, *words)}
        if near := [first[key] for key in keys if key in first]:
            found.append((min(near), i))
        for key in keys:
            first.setdefault(key, i)
    return found


def _coverage(tools: ToolSet, name: str, rows: Sequence[Example]) -> dict[str, Coverage]:
    calls = [given(row) for row in rows if row.tool == name]
    found = {}
    for slot in tools[name].slots.values():
        values = [call[slot.name] for call in calls if slot.name in call]
        each = [one for value in values for one in (value if isinstance(value, list) else [value])]
        counts = Counter(_shown(one) for one in each)
        choices = [_shown(one) for one in slot.schema.get("enum", ())]
        found[slot.name] = Coverage(
            len(values),
            len(counts),
            tuple(value for value, _ in counts.most_common(SHOWN)),
            tuple(one for one in choices if one not in counts),
        )
    return found


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
