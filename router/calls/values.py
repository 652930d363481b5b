"""The words of a question → a value as the log writes it: numbers, dates, times, durations, currencies.

A ``Reader`` is a reading by a kept library (text2num, dateparser, Babel) and a notation, both of a closed set. A
``Form`` holds all readers that explain a slot's log equally well, and gives a value only where they agree: whether
"friday" is the next one or the last, "05/12" May or December, is known from the log or not at all.

Libraries are imported when a slot first needs them. Leaves out finding the words, which is the tagger's, and learning
which form a slot has (``alignment.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Literal

Kind = Literal["text", "number", "date", "time", "datetime", "duration", "currency code"]
LANGUAGE = "en"
FUTURE, PAST = "future", "past"
KEPT = 2**14
"""Readings that are kept, so that the same words are read once."""
MAX_LETTERS = 60
"""Letters of the words that a value other than a text is read from."""
_DIGITS = re.compile(r"[-+]?[\d.,]*\d")
_JOINED = re.compile(r"[\d.]+(?: [\d.]+)*")


@dataclass(frozen=True)
class Notation:
    """How a moment is written: by Babel's ``pattern`` (LDML), perhaps in lower case; ``parse`` is the same for
    ``strptime``."""

    kind: Kind
    pattern: str
    parse: str
    lower: bool = False

    @property
    def name(self) -> str:
        return self.pattern + (" lower" if self.lower else "")

    def write(self, moment: datetime, language: str = LANGUAGE) -> str:
        """``moment`` in this notation."""
        from babel.dates import format_datetime

        text = format_datetime(moment, self.pattern, locale=language)
        return text.lower() if self.lower else text

    def moment(self, text: str) -> datetime | None:
        """The moment that ``text`` is in this notation, or None."""
        try:
            return datetime.strptime(text.strip(), self.parse)
        except ValueError:
            return None


_DATES = {
    "yyyy-MM-dd": "%Y-%m-%d", "dd/MM/yyyy": "%d/%m/%Y", "d/M/yyyy": "%d/%m/%Y", "MM/dd/yyyy": "%m/%d/%Y",
    "M/d/yyyy": "%m/%d/%Y", "dd.MM.yyyy": "%d.%m.%Y", "d.M.yyyy": "%d.%m.%Y", "dd-MM-yyyy": "%d-%m-%Y",
    "MM-dd-yyyy": "%m-%d-%Y", "yyyy/MM/dd": "%Y/%m/%d", "yyyyMMdd": "%Y%m%d", "dd/MM/yy": "%d/%m/%y",
    "MM/dd/yy": "%m/%d/%y", "d MMMM yyyy": "%d %B %Y", "d MMM yyyy": "%d %b %Y", "MMMM d, yyyy": "%B %d, %Y",
    "MMM d, yyyy": "%b %d, %Y", "EEEE": "%A",
}  # fmt: skip
_TIMES = {
    "HH:mm": "%H:%M", "H:mm": "%H:%M", "HH:mm:ss": "%H:%M:%S", "HH.mm": "%H.%M", "HHmm": "%H%M", "h:mm a": "%I:%M %p",
    "hh:mm a": "%I:%M %p", "h:mma": "%I:%M%p", "h a": "%I %p", "ha": "%I%p",
}  # fmt: skip
_DATETIMES = {
    f"{date}{gap}{time}{zone}": f"{_DATES[date]}{gap.strip(chr(39))}{_TIMES[time]}{zone.strip(chr(39))}"
    for date in ("yyyy-MM-dd", "dd/MM/yyyy", "MM/dd/yyyy", "dd.MM.yyyy")
    for gap in ("'T'", " ")
    for time in ("HH:mm", "HH:mm:ss")
    for zone in ("", "'Z'")
}
NOTATIONS: Mapping[str, Notation] = {
    notation.name: notation
    for kind, table in (("date", _DATES), ("time", _TIMES), ("datetime", _DATETIMES))
    for pattern, parse in table.items()
    for lower in ((False, True) if "a" in pattern or "MMM" in pattern or "EEE" in pattern else (False,))
    for notation in [Notation(kind, pattern, parse, lower)]
}
SECONDS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400, "milliseconds": 0.001}
CASES: Mapping[str, Callable[[str], str]] = {"said": str, "lower": str.lower, "upper": str.upper, "title": str.title}
NUMBERS = ("integer", "number", "float", "digits")
WRITTEN: Mapping[Kind, tuple[str, ...]] = {
    "text": tuple(CASES),
    "number": NUMBERS,
    "duration": tuple(SECONDS),
    "currency code": ("code",),
    **{kind: tuple(n.name for n in NOTATIONS.values() if n.kind == kind) for kind in ("date", "time", "datetime")},
}
"""The notations of each kind, the likelier first. "number" is an integer where it is whole, "digits" is text."""


@dataclass(frozen=True)
class Reader:
    """One way to read words and to write what they say. ``order``: of the parts of a numeric date, "DMY" or "MDY";
    ``prefer``: whether a day without a year or a week is the next one or the last.

    Raises ValueError where kind or notation are not of the closed set.
    """

    kind: Kind = "text"
    notation: str = "said"
    language: str = LANGUAGE
    order: str = "MDY"
    prefer: str = FUTURE

    def __post_init__(self) -> None:
        if self.notation not in WRITTEN.get(self.kind, ()):
            raise ValueError(f"{self.kind!r} has no notation {self.notation!r}. Known: {WRITTEN}.")

    def read(self, text: str, now: datetime, grains: frozenset[str] = frozenset()) -> Any:
        """The value that ``text`` says at ``now``, or None. Of moments only those of ``grains`` count, if given."""
        if self.kind == "text":
            return CASES[self.notation](text)
        if len(text) > MAX_LETTERS:
            return None
        if self.kind == "number":
            return written_number(number(text, self.language), self.notation)
        if self.kind == "currency code":
            return currency(text, self.language)
        if self.kind == "duration":
            found = duration(text, self.language)
            return None if found is None else written_number(found / SECONDS[self.notation], "number")
        said = moment(text, now, self)
        if said is None or (grains and said.grain not in grains):
            return None
        return _written(NOTATIONS[self.notation], said.at, self.language)


@dataclass(frozen=True)
class Form:
    """How a slot's values come from words. ``readers`` explain the log equally well, none where it is by ``aliases``
    alone; ``grains``: the precisions of
    moments that it shows ("day", "time", "week" …); ``aliases``: (words, the value that the log has for them)."""

    readers: tuple[Reader, ...] = (Reader(),)
    grains: tuple[str, ...] = ()
    aliases: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def known(self) -> Mapping[str, Any]:
        """``aliases`` by their words."""
        return dict(self.aliases)

    @property
    def kind(self) -> Kind | None:
        """What the words are read as; None where only ``aliases`` are known."""
        return self.readers[0].kind if self.readers else None

    @property
    def is_text(self) -> bool:
        """Whether values are the words themselves."""
        return self.kind == "text"

    def value(self, text: str, now: datetime) -> Any:
        """The value of ``text`` at ``now``; None where no reader can read it, or two readers differ."""
        if self.aliases and (words := normal(text)) in self.known:
            return self.known[words]
        grains = frozenset(self.grains)
        found = [value for reader in self.readers if (value := reader.read(text, now, grains)) is not None]
        return found[0] if found and all(value == found[0] for value in found) else None


@dataclass(frozen=True)
class Said:
    """A moment, and how precisely it was said: day, week, month, part_of_day or time."""

    at: datetime
    grain: str


def normal(text: str) -> str:
    """``text`` in lower case and with single spaces, as aliases are kept."""
    return " ".join(text.lower().split())


def number(text: str, language: str = LANGUAGE) -> int | float | None:
    """The number that ``text`` is, in digits or words: "1,200.50", "5k", "twenty five", "three point five"; or None."""
    text = " ".join(text.split())
    digits = text.removesuffix(thousand).strip() if (thousand := _thousand(text[-1:], language)) else text
    if not _DIGITS.fullmatch(digits):
        return _words(text, language)
    value = _digits(digits, language)
    return value if value is None or not thousand else _whole(value * 1_000)


def written_number(value: int | float | None, notation: str) -> int | float | str | None:
    """``value`` as an integer (None where it is not whole), a float, digits, or as what it is."""
    if value is None:
        return None
    if notation == "integer":
        return int(value) if float(value).is_integer() else None
    if notation == "float":
        return float(value)
    return str(_whole(value)) if notation == "digits" else _whole(value)


def moment(text: str, now: datetime, reader: Reader) -> Said | None:
    """The date, the time or both that ``text`` says at ``now``, as far as ``reader.kind`` asks for them."""
    text, now = text.lower(), now.replace(tzinfo=None, second=0, microsecond=0)
    if reader.kind != "date":
        said = _moment(text, now, reader)
        return said if said is not None and said.grain in ("time", "part_of_day") else None
    now = now.replace(hour=0, minute=0)  # words of a day are read once a day
    said = _moment(text, now, reader)
    vague = said is not None and said.grain in ("time", "month", "year")
    if said is None or (vague and _moment(text, now, reader, "day") is None):
        return None
    grain = "day" if said.grain in ("time", "part_of_day") else said.grain
    return Said(_preferred(text, said.at, now, reader), grain)


@lru_cache(KEPT)
def duration(text: str, language: str = LANGUAGE) -> float | None:
    """The seconds that ``text`` lasts ("90 min", "two hours"), or None."""
    reader, start, later = Reader("duration", "seconds", language), _SOME_DAY, timedelta(days=500, hours=5)
    if not _LETTER.search(text) or (first := _moment(text.lower(), start, reader)) is None:
        return None
    gap = first.at - start
    second = _moment(text.lower(), start + later, reader)
    same = second is not None and second.at - start - later == gap  # else it is a day or a time
    return abs(gap.total_seconds()) if same and gap else None


def currency(text: str, language: str = LANGUAGE) -> str | None:
    """The ISO code of the one currency that ``text`` is a symbol, a name or the code of, or None."""
    codes = _currencies(language).get(normal(text), frozenset())
    return next(iter(codes)) if len(codes) == 1 else None


def may_say_moment(word: str, language: str = LANGUAGE) -> bool:
    """Whether ``word``, a word or a sign of a question, can be a part of a date or a time."""
    return not word.isalpha() or _knows(word.lower(), language)


@lru_cache(KEPT)
def may_be_moment(text: str, language: str = LANGUAGE) -> bool:
    """Whether ``text``, in lower case, is a date, a time or a duration on any day: most words are not, and need not be
    read for each."""
    return not _BARE.fullmatch(text) and _parsed(text, _SOME_DAY, language, "MDY", FUTURE, "") is not None


def may_say_number(word: str, language: str = LANGUAGE) -> bool:
    """Whether ``word``, a word or a sign of a question, can begin or end a number."""
    return word.isdigit() or (word.isalpha() and _words(word.lower(), language) is not None)


_SOME_DAY = datetime(2001, 1, 1, 12)
_LETTER = re.compile(r"[^\W\d_]")
_BARE = re.compile(r"\W*\d*\W*")


@lru_cache(KEPT)
def _thousand(sign: str, language: str) -> str:
    """``sign`` where it is the letter for thousands ("5k"), else ""."""
    from babel import Locale

    short = str(Locale.parse(language).compact_decimal_formats["short"]["other"]["1000"].pattern)
    return sign if sign.isalpha() and short.strip("0 \xa0").lower() == sign.lower() else ""


def _whole(value: int | float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _digits(text: str, language: str) -> int | float | None:
    from babel.numbers import NumberFormatError, parse_decimal

    try:
        value = parse_decimal(text, locale=language, strict=True)
    except NumberFormatError:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


@lru_cache(KEPT)
def _words(text: str, language: str) -> int | float | None:
    from text_to_num import alpha2digit, text2num

    try:
        return text2num(text.lower(), language)
    except ValueError:
        said = alpha2digit(text.lower(), language)
    if not _JOINED.fullmatch(said):
        return None
    parts = [float(part) for part in said.split()] if said.count(".") <= said.count(" ") + 1 else []
    if len(parts) == 1 or (len(parts) == 2 and 0 < parts[0] < parts[1] and str(int(parts[1])).strip("0") == "1"):
        value = parts[0] * (parts[1] if len(parts) == 2 else 1)  # "2 million"
        return _whole(value)
    return None


def _moment(text: str, now: datetime, reader: Reader, part: str = "") -> Said | None:
    """``text`` by dateparser; None too where it says neither ``part`` ("day", "month") nor how far away it is. A bare
    number is no moment."""
    if _BARE.fullmatch(text):
        return None
    return _parsed(text, now, reader.language, reader.order, reader.prefer, part)


@lru_cache(KEPT)
def _parsed(text: str, now: datetime, language: str, order: str, prefer: str, part: str) -> Said | None:
    from dateparser.date import DateDataParser

    settings = {"RELATIVE_BASE": now, "DATE_ORDER": order, "PREFER_DATES_FROM": prefer,
                "RETURN_AS_TIMEZONE_AWARE": False, "RETURN_TIME_AS_PERIOD": True}  # fmt: skip
    parser = DateDataParser(languages=[language], settings=settings | ({"REQUIRE_PARTS": [part]} if part else {}))
    data = parser.get_date_data(_ordinals(text, language))
    return Said(data.date_obj, data.period) if data.date_obj is not None else None


def _preferred(text: str, at: datetime, now: datetime, reader: Reader) -> datetime:
    """``at``, in the month before or after where only the day of a month is said."""
    step = {FUTURE: 1, PAST: -1}[reader.prefer]
    if (at - now).days * step >= 0:
        return at
    if _moment(text, now, reader, "day") is None or _moment(text, now, reader, "month") is not None:
        return at
    from dateutil.relativedelta import relativedelta

    return at + relativedelta(months=step)


def _ordinals(text: str, language: str) -> str:
    """``text`` with number words as digits: "twenty ninth november" → "29th november"."""
    from text_to_num import alpha2digit

    return alpha2digit(text, language)


def _written(notation: Notation, at: datetime, language: str) -> str | None:
    """``at`` in ``notation``, or None where it would lose minutes that were said."""
    loses = notation.kind != "date" and "mm" not in notation.pattern and at.minute
    return None if loses else notation.write(at, language)


@lru_cache(KEPT)
def _knows(word: str, language: str) -> bool:
    from dateparser.conf import settings
    from dateparser.languages.loader import default_loader

    (locale,) = default_loader.get_locales(languages=[language])
    return locale.is_applicable(word, strip_timezone=False, settings=settings) or may_say_number(word, language)


@lru_cache(8)
def _currencies(language: str) -> dict[str, frozenset[str]]:
    """Codes, symbols, names and the last words of names of the currencies in use → their codes."""
    from babel import Locale
    from babel.numbers import get_currency_name, get_currency_symbol, get_territory_currencies

    codes = {code for place in Locale.parse(LANGUAGE).territories for code in get_territory_currencies(place)}
    found: dict[str, set[str]] = {}
    for code in codes:
        names = [get_currency_name(code, count=count, locale=language) for count in (None, 1, 2)]
        for form in (code, get_currency_symbol(code, locale=language), *names, *(n.split()[-1] for n in names)):
            found.setdefault(form.lower(), set()).add(code)
    return {form: frozenset(codes) for form, codes in found.items()}
