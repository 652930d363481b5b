"""Rows of a question, a tool and its arguments: read, and looked at before anything is trained on them.

Leaves out the forms that a log may have (``router.learning.logs``), and training.
"""

from __future__ import annotations

import itertools
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


class _Asked:
    """The rows that ask one question, and what they call: which of them a further row contradicts is looked up, however
    many they are."""

    def __init__(self) -> None:
        self._tools: dict[str, int] = {}
        self._calls: dict[tuple[str, str | None], dict[str, int]] = defaultdict(dict)  # by tool and day, and by tool

    def add(self, i: int, row: Example) -> None:
        self._tools.setdefault(row.tool, i)
        if row.arguments is not None:
            for day in {row.at[:10], None}:
                self._calls[row.tool, day].setdefault(call_key(row), i)

    def contradicted(self, row: Example) -> int | None:
        """The first row that calls another tool than ``row``, or, unless both say that they were asked on different
        days, the same tool with other arguments: on another day the same words may mean other values."""
        other = next((i for tool, i in self._tools.items() if tool != row.tool), None)
        if other is not None or row.arguments is None:
            return other
        days = (row.at[:10], "") if row.at else (None,)
        called = (item for day in days for item in itertools.islice(self._calls[row.tool, day].items(), 2))
        return next((i for call, i in called if call != call_key(row)), None)


def contradictions(rows: Sequence[Example]) -> list[tuple[int, int]]:
    """(an earlier row, a later one) that ask the same and call something else; of a row's earlier ones the first."""
    asked: dict[str, _Asked] = defaultdict(_Asked)
    found = []
    for i, row in enumerate(rows):
        before = asked[question_key(row.question)]
        if (j := before.contradicted(row)) is not None:
            found.append((j, i))
        before.add(i, row)
    return found


def settled(rows: Sequence[Example], tools: ToolSet) -> list[Example]:
    """``rows`` as they are learned from: of two that contradict each other the later one, which is the correction;
    without arguments that do not fit the tool's schema, so that the row teaches the tool alone; and with no arguments
    where the tool has none and the row does not say."""
    kept: list[Example] = []
    asked: dict[str, _Asked] = defaultdict(_Asked)
    for i, row in enumerate(reversed(rows)):
        later = asked[question_key(row.question)]
        if later.contradicted(row) is not None:
            continue
        later.add(i, row)
        if row.tool in tools and row.arguments is None and not tools[row.tool].slots:
            row = replace(row, arguments={})
        kept.append(replace(row, arguments=None) if misfit(row, tools) else row)
    return kept[::-1]


def near_duplicates(rows: Sequence[Example]) -> list[tuple[int, int]]:
    """(an earlier row, a later one) that make one call of the same words in whatever order, or of LEAST_WORDS and more
    but for one that was added, left out or replaced. Rows that do not say their arguments are compared by all words."""
    first: dict[tuple[str, str | int], int] = {}
    found = []
    for i, row in enumerate(rows):
        call, question = call_key(row), question_key(row.question)
        keys = _near(question.split()) if row.arguments is not None or row.tool in NON_TOOLS else {question}
        if near := [first[call, key] for key in keys if (call, key) in first]:
            found.append((min(near), i))
        for key in keys:
            first.setdefault((call, key), i)
    return found


def _near(words: Sequence[str]) -> set[int]:
    """Numbers of which two questions share one where they are near: the sum of the words' hashes, whatever their order,
    and that without each of them."""
    total = sum(map(hash, words))
    return {total, *(total - hash(word) for word in words if len(words) >= LEAST_WORDS)}


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
