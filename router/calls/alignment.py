"""Which words of a question a value comes from: its own, or words that a ``Reader`` turns into it.

Learns the ``Form`` of a slot: all readers that explain its log equally well. Leaves out what a reader does
(``values.py``), and values that come from no words (``slots.py``).
"""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from router.calls.values import (
    CASES, FUTURE, LANGUAGE, MAX_LETTERS, NOTATIONS, PAST, WRITTEN, Form, Kind, Reader, may_say_moment,
    may_say_number, moment,
)  # fmt: skip

Place = tuple[int, int]
MAX_SPAN = 14
"""Words and signs that a value other than a text is read from."""
LATER = timedelta(days=403)
"""Words that mean the same day now, and another one later, do not say the same."""
SOMEDAY = datetime(2001, 1, 1)
"""When rows without dates are read: it does not matter."""
MOMENTS = ("date", "time", "datetime")
ORDERS = ("MDY", "DMY")
SAMPLE = 60
"""Values of a slot that its form is learned from."""
TRIED = 20
"""Words by which the day of a log is chosen."""


@dataclass(frozen=True)
class Text:
    """A question with its words. ``places``: where each stands in ``text``; ``now``: when it was asked."""

    text: str
    words: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    now: datetime = SOMEDAY

    def of(self, start: int, end: int) -> str:
        """The text of words ``start`` to ``end``."""
        return self.text[self.places[start][0] : self.places[end - 1][1]]


def learn_form(values: Sequence[tuple[Text, Any]], least: float) -> Form | None:
    """The form that explains the share ``least`` or more of ``values``, each with its question; else None.

    Numbers are read as numbers or as durations, texts as dates, times, moments, currencies or numbers: whichever
    explains most.
    """
    best, form, values = 0, None, _sample(values)
    for kind in _kinds([value for _, value in values]):
        counts: Counter[Reader] = Counter()
        for reader in _readers(kind, [value for _, value in values], least):
            counts[reader] = sum(bool(origins(text, value, Form((reader,)))) for text, value in values)
        if not counts:
            continue
        most = max(counts.values())
        if most > best and most >= least * len(values):
            best, form = most, Form(tuple(reader for reader, n in counts.items() if n == most))
    return form and Form(form.readers, tuple(sorted(_grains(values, form))))


def learn_case(said: Sequence[tuple[str, str]], least: float) -> Form:
    """How texts are written, from (words as said, value) pairs: as said, unless another case explains more of them,
    and ``least`` of them all."""
    counts = {case: sum(write(text) == value for text, value in said) for case, write in CASES.items()}
    best = max(counts, key=lambda case: counts[case])
    return Form((Reader("text", best if counts[best] >= least * len(said) else next(iter(CASES))),))


def origins(text: Text, value: Any, form: Form) -> list[Place]:
    """Where ``text`` says ``value``: words that ``form`` turns into it and that are not part of words which say
    another value. The likelier first: the shortest that say no less than the longest."""
    says = {place: found for place in spans(text, form.readers[0]) if (found := _value(form, text, place, text.now))}
    right = [place for place, found in says.items() if found[0] == value and type(found[0]) is type(value)]
    whole = [place for place in right if not any(_within(place, other) and says[other] != says[place] for other in says)]
    whole.sort(key=lambda place: place[1] - place[0])
    if len(whole) < 2:
        return whole
    later = {place: _value(form, text, place, text.now + LATER) for place in whole}
    return sorted(whole, key=lambda place: later[place] != later[whole[-1]])


def spans(text: Text, reader: Reader) -> Iterator[Place]:
    """Words of ``text`` that ``reader`` may read: neither begun nor ended amid a number, a date or a time."""
    whole, edge, known = stands_alone, _says_something, [True] * len(text.words)
    if reader.kind == "number":
        edge = partial(may_say_number, language=reader.language)
    elif reader.kind != "currency code":
        whole, known = _is_apart, [may_say_moment(word, reader.language) for word in text.words]
    for start, word in enumerate(text.words):
        if not edge(word) and not (reader.kind == "number" and word in "+-"):
            continue
        for end in range(start + 1, min(start + MAX_SPAN, len(text.words)) + 1):
            if not known[end - 1] or text.places[end - 1][1] - text.places[start][0] > MAX_LETTERS:
                break
            if edge(text.words[end - 1]) and whole(text.text, text.places[start][0], text.places[end - 1][1]):
                yield start, end


def _is_apart(text: str, start: int, end: int) -> bool:
    """Whether no letter or digit touches ``text[start:end]``, nor a sign between it and one."""
    before, after = text[max(0, start - 2) : start][::-1], text[end : end + 2]
    return not any(
        side[:1].isalnum() or (side[:1] in tuple(".,:/-") and side[1:].isalnum()) for side in (before, after)
    )


def stands_alone(text: str, start: int, end: int) -> bool:
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


def day_of(values: Sequence[tuple[Text, Any]]) -> datetime:
    """The one day on which most of ``values``, each with its question, would be what the question says.

    A log without times is taken to be written on one day: "tomorrow" is the same date in all its rows. A log of many
    days, without times, has no such day, and what is relative in it is not learned.
    """
    said = Counter(
        (text.of(*place).lower(), at) for text, value in _sample(values) for at in _days(value)
        for place in spans(text, _DAY)
        if moment(text.of(*place), at, _DAY) is not None
    )  # fmt: skip
    votes: Counter[datetime] = Counter()
    for (words, at), n in said.items():
        votes[at - (moment(words, at, _DAY).at - at)] += n
    likely = [day for day, _ in votes.most_common(4)]
    likely += [day + timedelta(days=n) for day in likely[:1] for n in range(-6, 7)]

    def right(day: datetime) -> int:
        read = ((at, [moment(words, day, reader) for reader in (_DAY, _LAST_DAY)]) for (words, at), _ in
                said.most_common(TRIED))  # fmt: skip
        return sum(any(found is not None and found.at == at for found in both) for at, both in read)

    return max(dict.fromkeys(likely), key=right, default=SOMEDAY)


_DAY, _LAST_DAY = (Reader("date", "yyyy-MM-dd", prefer=prefer) for prefer in (FUTURE, PAST))


def _sample(values: Sequence[Any]) -> Sequence[Any]:
    return values[:: max(1, len(values) // SAMPLE)]


def _days(value: Any) -> set[datetime]:
    """The days that ``value`` may be."""
    if not isinstance(value, str):
        return set()
    found = {n.moment(value) for n in NOTATIONS.values() if n.kind in ("date", "datetime") and "y" in n.pattern}
    return {at.replace(hour=0, minute=0, second=0) for at in found if at is not None}


def _kinds(values: Sequence[Any]) -> tuple[Kind, ...]:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return ("number", "duration")
    return (*MOMENTS, "currency code", "number") if all(isinstance(value, str) for value in values) else ()


def _readers(kind: Kind, values: Sequence[Any], least: float) -> Iterator[Reader]:
    """The readers of ``kind`` that could have written the share ``least`` of ``values``."""
    for notation in WRITTEN[kind]:
        if kind in MOMENTS:
            known = NOTATIONS[notation]
            if sum(known.moment(value) is not None for value in values) >= least * len(values):
                sides = [(ORDERS[0], FUTURE)] if kind == "time" else itertools.product(ORDERS, (FUTURE, PAST))
                yield from (Reader(kind, notation, LANGUAGE, order, prefer) for order, prefer in sides)
        elif kind != "number" or notation == _number_notation(values):
            yield Reader(kind, notation)


def _number_notation(values: Sequence[Any]) -> str:
    if all(isinstance(value, str) for value in values):
        return "digits"
    if all(isinstance(value, int) for value in values):
        return "integer"
    return "float" if all(isinstance(value, float) for value in values) else "number"


def _grains(values: Sequence[tuple[Text, Any]], form: Form) -> set[str]:
    """The precisions of the moments in ``values`` that ``form`` explains."""
    if form.readers[0].kind not in MOMENTS:
        return set()
    found = set()
    for text, value in values:
        for start, end in origins(text, value, form)[:1]:
            said = (moment(text.of(start, end), text.now, reader) for reader in form.readers)
            found |= {one.grain for one in said if one is not None}
    return found


def _value(form: Form, text: Text, place: Place, now: datetime) -> tuple[Any, ...]:
    """The value that ``form`` reads in ``place``, as a tuple of one; empty where there is none."""
    value = form.value(text.of(*place), now)
    return () if value is None else (value,)


def _within(inner: Place, outer: Place) -> bool:
    return outer != inner and outer[0] <= inner[0] and inner[1] <= outer[1]


def _says_something(word: str) -> bool:
    return unicodedata.category(word[0])[0] in "LNS"
