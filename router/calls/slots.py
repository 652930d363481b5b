"""What a log shows about each slot of each tool: where its values come from, and where they stand in the question.

A value either stands in the question (a span), is one of a few that the log repeats (a class), is always the same (a
constant), or is none of these: then it cannot be learned from here, and the slot stays open.

Leaves out converting a span to the slot's type, beyond digits that the log has as numbers.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from router.network.features import tokenise, tokens
from router.types import NON_TOOLS, Example

Kind = Literal["span", "class", "constant", "open"]
SPAN_SHARE = 0.9
"""Share of a slot's values that must stand in their questions for the slot to be read from there."""
REPEATED_SHARE = 0.5
"""Share of a slot's rows whose value must occur again for its values to be classes."""
MAX_CLASSES = 200


@dataclass(frozen=True)
class Slot:
    """One slot of one tool. ``values``: the classes of a class slot by frequency, or the constant. ``always``: every
    row of the log has it; ``listed``: its values are always lists; ``number``: its values are always numbers."""

    name: str
    kind: Kind
    values: tuple[Any, ...] = ()
    always: bool = False
    listed: bool = False
    number: bool = False


@dataclass(frozen=True)
class Row:
    """One call of a log. ``arguments`` is None where the log does not say them; ``places`` has for each slot the token
    spans of its values, None where one is not found."""

    words: tuple[str, ...]
    tool: str
    arguments: Mapping[str, Any] | None
    places: Mapping[str, tuple[tuple[int, int], ...] | None]


def read_row(example: Example) -> Row:
    """The row of a log with its values found in the question. A row of no tool has no arguments."""
    words, spans = tokens(example.question)
    arguments = {} if example.tool in NON_TOOLS else example.arguments
    if arguments is None:
        return Row(tuple(words), example.tool, None, {})
    arguments = stated(arguments)
    return Row(tuple(words), example.tool, arguments, _find(example.question, words, spans, arguments))


def stated(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are there: None and empty lists are not."""
    return {slot: value for slot, value in arguments.items() if value is not None and value != []}


def learn_slots(rows: Sequence[Row]) -> dict[str, tuple[Slot, ...]]:
    """The slots of each tool in ``rows``, by name."""
    by_tool: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_tool[row.tool].append(row)
    return {
        tool: tuple(
            _slot(name, by_tool[tool]) for name in sorted({name for row in by_tool[tool] for name in row.places})
        )
        for tool in sorted(by_tool)
    }


def key(value: Any) -> str:
    """Equal for equal JSON values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def as_number(text: str) -> int | float | str:
    """Digits as a number ("12", "-3", "2.5"); any other text as it is."""
    compact = "".join(text.split())
    for convert in (int, float):
        try:
            value = convert(compact)
        except ValueError:
            continue
        if compact.isascii() and compact.strip("+-").replace(".", "", 1).isdigit():
            return value
    return text


def plain(text: str) -> str:
    """Text for comparison: NFKC, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def _slot(name: str, rows: Sequence[Row]) -> Slot:
    rows = [row for row in rows if row.arguments is not None]
    values = [row.arguments[name] for row in rows if name in row.arguments]
    found = sum(row.places[name] is not None for row in rows if name in row.arguments)
    always = len(values) == len(rows)
    if found >= SPAN_SHARE * len(values):
        scalars = [one for value in values for one in _scalars(value)]
        listed = all(isinstance(value, list | tuple) for value in values)
        number = all(isinstance(one, int | float) for one in scalars)
        return Slot(name, "span", (), always, listed, number)
    counts = Counter(map(key, values))
    if always and len(counts) == 1:
        return Slot(name, "constant", (values[0],), always)
    repeated = sum(n for n in counts.values() if n > 1)
    if repeated >= REPEATED_SHARE * len(values):
        common = tuple(json.loads(value) for value, _ in counts.most_common(MAX_CLASSES))
        return Slot(name, "class", common, always)
    return Slot(name, "open", (), always)


def _find(
    text: str, words: Sequence[str], spans: Sequence[tuple[int, int]], arguments: Mapping[str, Any]
) -> dict[str, tuple[tuple[int, int], ...] | None]:
    """Token spans of all values, long values first, so that no two share a token."""
    wanted = [
        (slot, place, forms)
        for slot, value in arguments.items()
        for place, one in enumerate(_scalars(value))
        for forms in [[tokenise(form) for form in _forms(one)]]
    ]
    wanted.sort(key=lambda want: -max((len(form) for form in want[2]), default=0))
    taken = [False] * len(words)
    found: dict[str, dict[int, tuple[int, int]]] = {slot: {} for slot in arguments}
    for slot, place, forms in wanted:
        exact = {plain(form) for form in _forms(_scalars(arguments[slot])[place])}
        for form in forms:
            for at in _occurrences(form, words):
                end = at + len(form)
                said = plain(text[spans[at][0] : spans[end - 1][1]])
                if said in exact and not any(taken[at:end]) and _stands_alone(text, spans[at][0], spans[end - 1][1]):
                    taken[at:end] = [True] * len(form)
                    found[slot][place] = (at, end)
                    break
            if place in found[slot]:
                break
    return {
        slot: tuple(found[slot][i] for i in range(n)) if len(found[slot]) == (n := len(_scalars(value))) else None
        for slot, value in arguments.items()
    }


def _occurrences(form: Sequence[str], words: Sequence[str]) -> Iterable[int]:
    form = list(form)
    return (i for i in range(len(words) - len(form) + 1) if form and list(words[i : i + len(form)]) == form)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no digit of a longer number touches ``text[start:end]``."""
    if text[start].isdigit():
        before = text[max(0, start - 2) : start]
        if before[-1:].isdigit() or (before[-1:] in (".", ",") and before[:1].isdigit()):
            return False
    if text[end - 1].isdigit():
        after = text[end : end + 2]
        if after[:1].isdigit() or (after[:1] in (".", ",") and after[1:].isdigit()):
            return False
    return True


def _scalars(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _forms(value: Any) -> list[str]:
    """How a value may stand in a question."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    return [str(value), str(int(value))] if isinstance(value, float) and value.is_integer() else [str(value)]
