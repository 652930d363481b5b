"""What a log shows about each slot of each tool: where its values come from, and where they stand in the question.

A value either comes from words of the question that a tagger finds (a span: it stands there, or a ``Form`` turns them
into it) or that always stand for it (known words), is one of a few that the log repeats (a class), is always the same
(a constant), or is none of these: then it cannot be learned from here, and the slot stays open.

Leaves out how words become a value (``values.py``), and how that is learned (``alignment.py``).
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from router.calls.alignment import (
    SOMEDAY,
    Place,
    Shown,
    Text,
    day_of,
    is_moment,
    known,
    learn_aliases,
    learn_case,
    learn_form,
    origins,
    stands_alone,
)  # fmt: skip
from router.calls.values import Form
from router.network.features import tokenise, tokens
from router.types import NON_TOOLS, Example

Kind = Literal["span", "known", "class", "constant", "open"]
SPAN_SHARE = 0.9
"""Share of a slot's values that must stand in their questions for the slot to be read from there."""
REPEATED_SHARE = 0.5
"""Share of a slot's rows whose value must occur again for its values to be classes."""
MAX_CLASSES = 200
READ = ("number", "duration", "time")
"""What is mostly read of words, and is therefore never guessed among values seen."""
LEAST_UNSAID = 3
"""Rows that must have the same value, and no words for it, for it to be what is meant where nothing is said."""
ROWS_A_CLASS = 8
"""Rows a value from which values are few: where no words say which, it is told from all of the question."""


@dataclass(frozen=True)
class Slot:
    """One slot of one tool. ``values``: the classes of a class slot by frequency, the constant, or what a span slot has
    where no words say it. ``always``: every row of the log has it; ``listed``: its values are always lists,
    ``several``: some are; ``one_word``: all are texts without a space; ``form``: how words become a value."""

    name: str
    kind: Kind
    values: tuple[Any, ...] = ()
    always: bool = False
    listed: bool = False
    form: Form = Form()
    several: bool = False
    one_word: bool = False


@dataclass(frozen=True)
class Row:
    """One call of a log. ``arguments`` is None where the log does not say them; ``places`` has for each slot the token
    spans of its values, None where one is not found."""

    text: Text
    tool: str
    arguments: Mapping[str, Any] | None
    places: Mapping[str, tuple[Place, ...] | None]

    @property
    def words(self) -> tuple[str, ...]:
        return self.text.words

    def text_for(self, slot: str) -> Text:
        """The text in which the words of all other slots' values are taken."""
        return self.text.beside(_taken(self, slot))


def read_row(example: Example) -> Row:
    """The row of a log with its values found in the question. A row of no tool has no arguments."""
    words, spans = tokens(example.question)
    text = Text(example.question, tuple(words), tuple(spans), asked_at(example, SOMEDAY))
    arguments = {} if example.tool in NON_TOOLS else example.arguments
    if arguments is None:
        return Row(text, example.tool, None, {})
    arguments = stated(arguments)
    return Row(text, example.tool, arguments, _find(text, arguments))


def asked_at(example: Example, day: datetime) -> datetime:
    """When ``example`` was asked, by its own clock; ``day`` where it does not say."""
    return datetime.fromisoformat(example.at).replace(tzinfo=None) if example.at else day


def asked_on(rows: Sequence[Row]) -> datetime:
    """The one day on which most of the ``rows`` that do not say when they were asked would say their dates (see
    ``day_of``)."""
    return day_of([(row.text, one) for row in rows if row.text.now == SOMEDAY for name, places in row.places.items()
                   if places is None for one in _scalars(row.arguments[name])])  # fmt: skip


def dated(rows: Sequence[Row], day: datetime) -> list[Row]:
    """``rows``, as asked on ``day`` where they do not say when."""
    return [replace(row, text=replace(row.text, now=day)) if row.text.now == SOMEDAY else row for row in rows]


def placed(row: Row, slots: Sequence[Slot]) -> Row:
    """``row`` with the words found that the forms of ``slots`` turn into its values, none used twice. What a slot has
    where nothing is said has no words."""
    open_ = {slot.name: slot for slot in slots if slot.kind == "span" and slot.name in row.places
             and not (slot.form.is_text and row.places[slot.name])}  # fmt: skip
    places = {name: found for name, found in row.places.items() if name not in open_}
    taken = {i for found in places.values() for a, b in found or () for i in range(a, b)}
    wanted = [(name, n, origins(row.text, one, slot.form)) for name, slot in open_.items()
              for n, one in enumerate(_scalars(row.arguments[name]))]  # fmt: skip
    found: dict[tuple[str, int], Place] = {}
    for name, n, options in sorted(wanted, key=lambda want: (not want[2], len(want[2]), want[:2])):
        if not options:
            beside = replace(row.text, taken=frozenset(taken))
            options = origins(beside, _scalars(row.arguments[name])[n], open_[name].form)
        free = [place for place in options if not taken & set(range(*place))]
        if free:
            found[name, n] = free[0]
            taken |= set(range(*free[0]))
    for name, slot in open_.items():
        own = [found.get((name, n)) for n in range(len(_scalars(row.arguments[name])))]
        unsaid = () if row.arguments[name] in slot.values else None
        places[name] = unsaid if None in own else tuple(own)
    return replace(row, places=places)


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


def plain(text: str) -> str:
    """Text for comparison: NFKC, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def _slot(name: str, rows: Sequence[Row]) -> Slot:
    rows = [row for row in rows if row.arguments is not None]
    values = [row.arguments[name] for row in rows if name in row.arguments]
    always = len(values) == len(rows)
    listed = bool(values) and all(isinstance(value, list | tuple) for value in values)
    form, share = _form(name, [row for row in rows if name in row.arguments])
    counts = Counter(map(key, values))
    few = len(values) >= ROWS_A_CLASS * len(counts)
    if share >= SPAN_SHARE and form is not None and not (few and share < 1 and form.is_text):
        return Slot(name, "span", _unsaid(name, rows, form, always), always, listed, form, **_shape(values))
    dates, days = any(map(is_moment, values)), {row.text.now.date() for row in rows}
    if always and len(counts) == 1 and (len(days) > 1 or not dates):  # on another day a date may be another
        return Slot(name, "constant", (values[0],), always)
    said = form is not None and form.kind in READ and 2 * share > 1  # a class would be one of the numbers seen
    repeated = sum(n for n in counts.values() if n > 1)
    classes = repeated >= REPEATED_SHARE * len(values) and not dates and not said
    few = few and classes
    base = form if form is not None and 2 * share > 1 and not (few and form.is_text) else Form(())
    spelled = None if listed else _with_words(name, rows, base, always)
    if spelled is not None and not (few and spelled.kind == "known"):
        return spelled
    if classes:
        common = tuple(json.loads(value) for value, _ in counts.most_common(MAX_CLASSES))
        return Slot(name, "class", common, always, form=spelled.form if spelled else Form(()))
    return Slot(name, "open", (), always)


def _with_words(name: str, rows: Sequence[Row], form: Form, always: bool) -> Slot | None:
    """The slot where words that stand for values, or one value where nothing is said, explain what ``form`` does not;
    None where they do not either."""
    left = set(map(id, _left(name, rows, form)))
    shown = [Shown(row.text, row.arguments.get(name), _taken(row, name) if form.readers else (), id(row) not in left)
             for row in rows]  # fmt: skip
    form = learn_aliases(shown, form)
    usual = _unsaid(name, rows, form, always) if form.readers else ()
    least = SPAN_SHARE * sum(name in row.arguments for row in rows)
    told = sum(name in row.arguments and (row.arguments[name] in usual or _explained(row, name, form)) for row in rows)
    shape = _shape([row.arguments[name] for row in rows if name in row.arguments])
    kind = "span" if form.readers else "known"
    return Slot(name, kind, usual, always, form=form, **shape) if told >= least else None


def _taken(row: Row, name: str) -> list[Place]:
    """The words that are other slots' values."""
    return [place for other, places in row.places.items() if other != name for place in places or ()]


def _shape(values: Sequence[Any]) -> dict[str, bool]:
    """``several`` and ``one_word`` of a slot with ``values``."""
    texts = [one for value in values for one in _scalars(value)]
    return {
        "several": any(isinstance(value, list | tuple) for value in values),
        "one_word": all(isinstance(text, str) and " " not in text.strip() for text in texts),
    }


def _unsaid(name: str, rows: Sequence[Row], form: Form, always: bool) -> tuple[Any, ...]:
    """The one value of the rows whose words do not say it; none where they have several, or there may be no value."""
    left = [row.arguments[name] for row in _left(name, rows, form)] if always else []
    return (left[0],) if len(left) >= LEAST_UNSAID and len(set(map(key, left))) == 1 and not is_moment(left[0]) else ()


def _left(name: str, rows: Sequence[Row], form: Form) -> list[Row]:
    """The rows whose value ``form`` does not explain."""
    return [row for row in rows if name in row.arguments and not _explained(row, name, form)]


def _explained(row: Row, name: str, form: Form) -> bool:
    if form.is_text and row.places[name] is not None:
        return True
    if not form.readers:
        return known(row.text, form)[0] == row.arguments[name]
    return all(origins(row.text_for(name), one, form) for one in _scalars(row.arguments[name]))


def _form(name: str, rows: Sequence[Row]) -> tuple[Form | None, float]:
    """How words become the values of slot ``name``, and for which share of ``rows`` they do."""
    values = [(row.text_for(name), one) for row in rows for one in _scalars(row.arguments[name])]
    found = [row for row in rows if row.places[name] is not None]
    said = [(row.text.of(*place), one) for row in found
            for place, one in zip(row.places[name], _scalars(row.arguments[name]))]  # fmt: skip
    spelled = len(found) / max(1, len(rows)) if any(isinstance(value, str) for _, value in values) else 0.0
    form, share = learn_form(values, SPAN_SHARE) if spelled < SPAN_SHARE else (None, 0.0)
    return (learn_case(said, SPAN_SHARE), spelled) if spelled >= share else (form, share)


def _find(text: Text, arguments: Mapping[str, Any]) -> dict[str, tuple[Place, ...] | None]:
    """Token spans of all values that stand in ``text``, long values first, so that no two share a token."""
    wanted = [
        (slot, place, forms)
        for slot, value in arguments.items()
        for place, one in enumerate(_scalars(value))
        for forms in [[tokenise(form) for form in _forms(one)]]
    ]
    wanted.sort(key=lambda want: -max((len(form) for form in want[2]), default=0))
    taken = [False] * len(text.words)
    found: dict[str, dict[int, Place]] = {slot: {} for slot in arguments}
    for slot, place, forms in wanted:
        exact = {plain(form) for form in _forms(_scalars(arguments[slot])[place])}
        for form in forms:
            for at in _occurrences(form, text.words):
                end = at + len(form)
                start, stop = text.places[at][0], text.places[end - 1][1]
                free = not any(taken[at:end]) and stands_alone(text.text, start, stop)
                if free and plain(text.of(at, end)) in exact:
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


def _scalars(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _forms(value: Any) -> list[str]:
    """How a value may stand in a question."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    return [str(value), str(int(value))] if isinstance(value, float) and value.is_integer() else [str(value)]
