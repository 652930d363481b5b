"""Which words of a question a value comes from: its own, or words that a ``Reader`` turns into it.

Learns the ``Form`` of a slot: all readers that explain its log equally well. Leaves out what a reader does
(``values.py``), and values that come from no words (``slots.py``).
"""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from math import comb
from typing import Any

from router.calls.moments import FUTURE, ORDERS, PAST, Manner, Said, may_be_moment, may_say_moment, moment
from router.calls.numbers import LANGUAGES, may_say_number
from router.calls.values import CASES, MAX_LETTERS, MOMENTS, NOTATIONS, WRITTEN, Form, Kind, Reader, is_currency, normal
from router.network.features import tokenise

Place = tuple[int, int]
MAX_SPAN = 14
"""Words and signs that a value other than a text is read from."""
MAX_ALIAS = 4
"""Words that stand for a value which they do not say."""
CHANCE = 1e-3
"""How likely words may be to go with one value by chance, and yet be taken to stand for it."""
LATER = timedelta(days=403)
"""Words that mean the same day now, and another one later, do not say the same."""
SOMEDAY = datetime(2001, 1, 1)
"""When rows without dates are read: it does not matter."""
SAMPLE = 60
"""Values of a slot that its form is learned from."""
TRIED = 20
"""Words by which the day of a log is chosen."""


@dataclass(frozen=True)
class Text:
    """A question with its words. ``places``: where each stands in ``text``; ``now``: when it was asked; ``taken``: words
    that say other slots' values, by number."""

    text: str
    words: tuple[str, ...]
    places: tuple[tuple[int, int], ...]
    now: datetime = SOMEDAY
    taken: frozenset[int] = frozenset()

    def of(self, start: int, end: int) -> str:
        """The text of words ``start`` to ``end``."""
        return self.text[self.places[start][0] : self.places[end - 1][1]]

    def beside(self, others: Iterable[Place]) -> Text:
        """The text with ``others``, the places of other slots' values, taken."""
        return replace(self, taken=frozenset(i for place in others for i in range(*place)))


@dataclass(frozen=True)
class Shown:
    """What a row of a tool shows of one slot. ``value`` is None where the slot is not there; ``taken`` are the places
    of other slots' values; ``explained``: the value comes from words already."""

    text: Text
    value: Any
    taken: Sequence[Place]
    explained: bool

    @property
    def phrases(self) -> dict[str, None]:
        """Words that may stand for the value: few, begun and ended by a word, and none of ``taken``."""
        used, words = {i for place in self.taken for i in range(*place)}, self.text.words
        places = (
            (start, end) for start in range(len(words))
            for end in range(start + 1, min(start + MAX_ALIAS, len(words)) + 1)
            if used.isdisjoint(range(start, end)) and _says_something(words[start]) and _says_something(words[end - 1])
        )  # fmt: skip
        return dict.fromkeys(normal(self.text.of(*place)) for place in places)


def learn_form(values: Sequence[tuple[Text, Any]], enough: float) -> tuple[Form | None, float]:
    """The form that explains the most of ``values``, each with its question, and the share that it does.

    Numbers are read as numbers or as durations, texts as dates, times, moments, currencies or numbers, in the first
    language that explains ``enough``. None where nothing is explained.
    """
    best, form, values = 0, None, _sample(values)
    for language in LANGUAGES:
        for kind in _kinds([value for _, value in values]):
            counts: Counter[Reader] = Counter()
            for reader in _readers(kind, [value for _, value in values], language):
                counts[reader] = sum(bool(origins(text, value, Form((reader,)))) for text, value in values)
            if counts and max(counts.values()) > best:
                best = max(counts.values())
                form = Form(tuple(reader for reader, n in counts.items() if n == best))
        if best >= enough * len(values):
            break
    return form and replace(form, grains=tuple(sorted(_grains(values, form)))), best / max(1, len(values))


def learn_aliases(rows: Sequence[Shown], form: Form) -> Form:
    """``form`` with the words that stand for values which no words explain, learned from all ``rows`` of a tool.

    Words stand for a value where they are in no question with another one, and too often in those with it for chance.
    """
    rows_with: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for phrase in row.phrases:
            rows_with[phrase][_key(row.value)] += 1
    counts = Counter(_key(row.value) for row in rows)
    sure = {phrase: said for phrase, of in rows_with.items() for said, n in of.items()
            if len(of) == 1 and comb(counts[said], n) < CHANCE * comb(len(rows), n)}  # fmt: skip
    aliases: dict[str, Any] = {}
    for row in rows:
        own = [phrase for phrase in row.phrases if sure.get(phrase) == _key(row.value)]
        if own and row.value is not None and not row.explained and aliases.keys().isdisjoint(own):
            aliases[max(own, key=lambda phrase: (rows_with[phrase].total(), *_clarity(phrase, sure)))] = row.value
    return replace(form, aliases=tuple(sorted(aliases.items())))


def learn_case(said: Sequence[tuple[str, str]], least: float) -> Form:
    """How texts are written, from (words as said, value) pairs: as said, unless another case explains more of them,
    and ``least`` of them all."""
    counts = {case: sum(write(text) == value for text, value in said) for case, write in CASES.items()}
    best = max(counts, key=lambda case: counts[case])
    return Form((Reader("text", best if counts[best] >= least * len(said) else next(iter(CASES))),))


def origins(text: Text, value: Any, form: Form) -> list[Place]:
    """Where ``text`` says ``value``: words that ``form`` turns into it and that are not part of words which say
    another value. The likelier first: the shortest that say no less than the longest. Where there are none, words that
    are part of such only with a word that is taken: "29 October" of "29 October 15 minutes"."""
    if not text.taken:
        return _origins(text, value, form)
    return _origins(replace(text, taken=frozenset()), value, form) or _origins(text, value, form)


def _origins(text: Text, value: Any, form: Form) -> list[Place]:
    places = itertools.chain(*(spans(text, reader) for reader in form.readers[:1]), _known(text, form))
    says = {place: found for place in places if (found := _value(form, text, place, text.now))}
    right = [place for place, found in says.items() if _key(found[0]) == _key(value)]
    whole = [one for one in right if not any(_within(one, other) and says[other] != says[one] for other in says)]
    whole.sort(key=lambda place: place[1] - place[0])
    if len(whole) < 2:
        return whole
    later = {place: _value(form, text, place, text.now + LATER) for place in whole}
    return sorted(whole, key=lambda place: later[place] != later[whole[-1]])


def known(text: Text, form: Form) -> tuple[Any, list[Place]]:
    """The one value for which ``text`` has words that ``form`` knows, and where they stand; None where it has none, or
    words for several."""
    places = list(_known(text, form))
    places = [place for place in places if not any(_within(place, other) for other in places)]
    values = [form.value(text.of(*place), text.now) for place in places]
    return (values[0] if len(set(map(_key, values))) == 1 else None), places


def spans(text: Text, reader: Reader) -> Iterator[Place]:
    """Words of ``text`` that ``reader`` may read, none of them taken: neither begun nor ended amid a number, a date or a
    time."""
    if reader.kind == "text":
        return
    whole, edge, known = is_whole(reader.kind), _says_something, [True] * len(text.words)
    if reader.kind == "number":
        edge = partial(may_say_number, language=reader.language)
    elif reader.kind != "currency code":
        known = [may_say_moment(word, reader.language) for word in text.words]
    for start, word in enumerate(text.words):
        if not edge(word) and not (reader.kind == "number" and word in "+-"):
            continue
        for end in range(start + 1, min(start + MAX_SPAN, len(text.words)) + 1):
            if (
                not known[end - 1]
                or end - 1 in text.taken
                or text.places[end - 1][1] - text.places[start][0] > MAX_LETTERS
            ):
                break
            closes = edge(text.words[end - 1]) or (reader.kind == "number" and len(text.words[end - 1]) == 1)
            if not closes or not whole(text.text, text.places[start][0], text.places[end - 1][1]):
                continue
            timeless = reader.kind in ("number", "currency code")
            if timeless or may_be_moment(text.of(start, end).lower(), reader.language):
                yield start, end


def is_amid(text: Text, place: Place, form: Form) -> bool:
    """Whether ``place`` is a part of words, none of them taken, that say another value than it does: "25" of "125", "5"
    of "5k", "after tomorrow" of "the day after tomorrow"."""
    if form.kind in ("text", None):
        return False
    start, end = place

    def whole(around: Place) -> bool:
        return is_whole(form.kind)(text.text, text.places[around[0]][0], text.places[around[1] - 1][1])

    if not whole(place):
        return True
    own = form.value(text.of(*place), text.now)
    first = max((i + 1 for i in text.taken if i < start), default=0)
    last = min((i for i in text.taken if i >= end), default=len(text.words))
    before = next(filter(whole, ((a, end) for a in range(start - 1, first - 1, -1))), None)
    after = next(filter(whole, ((start, b) for b in range(end + 1, last + 1))), None)
    more = [form.value(text.of(*around), text.now) for around in (before, after) if around]
    return any(value is not None and value != own for value in more)


def is_whole(kind: Kind) -> Callable[[str, int, int], bool]:
    """What says whether a part of a text from start to end is not cut off amid a number, a date or a time."""
    return stands_alone if kind in ("text", "number", "currency code") else _is_apart


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
    dates = _sample([(text, at) for text, value in values for at in _days(value)])
    best, most = SOMEDAY, 0
    for language in LANGUAGES if dates else ():
        said = Counter(
            (text.of(*place).lower(), at) for text, at in dates
            for place in spans(text, Reader("date", "yyyy-MM-dd", language))
            if _day(text.of(*place), at, language) is not None
        )  # fmt: skip
        votes: Counter[datetime] = Counter()
        for (words, at), n in said.items():
            votes[at - (_day(words, at, language).at - at)] += n
        likely = [day for day, _ in votes.most_common(4)]
        likely += [day + timedelta(days=n) for day in likely[:1] for n in range(-6, 7)]
        tried = said.most_common(TRIED)
        for day in dict.fromkeys(likely):
            read = ((at, n, [_day(words, day, language, side) for side in (FUTURE, PAST)]) for (words, at), n in tried)
            right = sum(n for at, n, both in read if any(found is not None and found.at == at for found in both))
            best, most = (day, right) if right > most else (best, most)
        if 2 * most > len(dates):
            break
    return best


def _day(words: str, now: datetime, language: str, prefer: str = FUTURE) -> Said | None:
    return moment(words, now, "date", Manner(language, prefer=prefer))


def _sample(values: Sequence[Any]) -> Sequence[Any]:
    return values[:: max(1, len(values) // SAMPLE)]


def is_moment(value: Any) -> bool:
    """Whether ``value`` is a day of a calendar in one of the notations known."""
    return bool(_days(value))


def _known(text: Text, form: Form) -> Iterator[Place]:
    """Where the words of ``form``'s aliases stand."""
    wanted = {tuple(tokenise(words)) for words in form.known}
    for size in {len(words) for words in wanted}:
        for start in range(len(text.words) - size + 1):
            if text.words[start : start + size] in wanted:
                yield start, start + size


def _clarity(phrase: str, sure: Mapping[str, str]) -> tuple[bool, int]:
    """Whether each word of ``phrase`` stands for its value by itself; then more words are better, else fewer."""
    words = phrase.split()
    clear = all(sure.get(word) == sure[phrase] for word in words)
    return clear, len(words) if clear else -len(words)


def _key(value: Any) -> str:
    """Equal for equal values, whatever their types; true is no number."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value, sort_keys=True, default=str)


def _days(value: Any) -> set[datetime]:
    """The days that ``value`` may be."""
    if not isinstance(value, str):
        return set()
    known = [n for n in NOTATIONS.values() if n.kind in ("date", "datetime") and "y" in n.pattern]
    found = [at for n in known if (at := n.moment(value)) is not None and n.write(at) == value]
    return {at.replace(hour=0, minute=0, second=0) for at in found}


def _kinds(values: Sequence[Any]) -> tuple[Kind, ...]:
    """What ``values`` may be read as."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return ("number", "duration")
    if not all(isinstance(value, str) for value in values):
        return ()
    digits, codes = (2 * sum(map(is_one, values)) > len(values) for is_one in (str.isdecimal, is_currency))
    return (*MOMENTS, *(("currency code",) if codes else ()), *(("number",) if digits else ()))


def _readers(kind: Kind, values: Sequence[Any], language: str) -> Iterator[Reader]:
    """The readers of ``kind`` that could have written most of ``values``."""
    for notation in WRITTEN[kind]:
        if kind in MOMENTS:
            known = NOTATIONS[notation]
            if 2 * sum(known.moment(value) is not None for value in values) > len(values):
                sides = [(ORDERS[0], FUTURE)] if kind == "time" else itertools.product(ORDERS, (FUTURE, PAST))
                yield from (Reader(kind, notation, language, order, prefer) for order, prefer in sides)
        elif kind != "number" or notation == _number_notation(values):
            yield Reader(kind, notation, language)


def _number_notation(values: Sequence[Any]) -> str:
    if all(isinstance(value, str) for value in values):
        return "digits"
    if all(isinstance(value, int) for value in values):
        return "integer"
    return "float" if all(isinstance(value, float) for value in values) else "number"


def _grains(values: Sequence[tuple[Text, Any]], form: Form) -> set[str]:
    """The precisions of the moments in ``values`` that ``form`` explains."""
    if form.kind not in MOMENTS:
        return set()
    found = set()
    for text, value in values:
        for start, end in origins(text, value, form)[:1]:
            said = (moment(text.of(start, end), text.now, reader.kind, reader.manner) for reader in form.readers)
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
