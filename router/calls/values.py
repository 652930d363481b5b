"""The words of a question → a value as the log writes it: numbers, dates, times, durations, currencies.

A ``Reader`` is a reading (``numbers.py``, ``moments.py``) and a notation, both of a closed set. A
``Form`` holds all readers that explain a slot's log equally well, and gives a value only where they agree: whether
"friday" is the next one or the last, "05/12" May or December, is known from the log or not at all.

Libraries are imported when a slot first needs them. Leaves out finding the words, which is the tagger's, and learning
which form a slot has (``alignment.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Literal

from router.calls.moments import FUTURE, ORDERS, PAST, Manner, duration, moment
from router.calls.numbers import LANGUAGE, LANGUAGES, number, whole

Kind = Literal["text", "number", "date", "time", "datetime", "duration", "currency code"]
MAX_LETTERS = 60
"""Letters of the words that a value other than a text is read from."""


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
MOMENTS = ("date", "time", "datetime")
SECONDS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400, "milliseconds": 0.001}
CASES: Mapping[str, Callable[[str], str]] = {"said": str, "lower": str.lower, "upper": str.upper, "title": str.title}
NUMBERS = ("integer", "number", "float", "digits")
WRITTEN: Mapping[Kind, tuple[str, ...]] = {
    "text": tuple(CASES),
    "number": NUMBERS,
    "duration": tuple(SECONDS),
    "currency code": ("code",),
    **{kind: tuple(n.name for n in NOTATIONS.values() if n.kind == kind) for kind in MOMENTS},
}
"""The notations of each kind, the likelier first. "number" is an integer where it is whole, "digits" is text."""


@dataclass(frozen=True)
class Reader:
    """One way to read words (``order`` and ``prefer``: see ``Manner``) and to write what they say.

    Raises ValueError where one of these is not of its closed set.
    """

    kind: Kind = "text"
    notation: str = "said"
    language: str = LANGUAGE
    order: str = "MDY"
    prefer: str = FUTURE

    def __post_init__(self) -> None:
        if self.notation not in WRITTEN.get(self.kind, ()):
            raise ValueError(f"{self.kind!r} has no notation {self.notation!r}. Known: {WRITTEN}.")
        if self.language not in LANGUAGES or self.order not in ORDERS or self.prefer not in (FUTURE, PAST):
            raise ValueError(f"{self.manner} is not known. Languages: {LANGUAGES}.")

    @property
    def manner(self) -> Manner:
        """How moments are meant."""
        return Manner(self.language, self.order, self.prefer)

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
        said = moment(text, now, self.kind, self.manner)
        if said is None or (grains and said.grain not in grains):
            return None
        return _written(NOTATIONS[self.notation], said.at, self.language)


@dataclass(frozen=True)
class Form:
    """How a slot's values come from words. ``readers`` explain the log equally well, none where it is by ``aliases``
    alone; ``grains``: the precisions of moments that it shows ("day", "time", "week" …); ``aliases``: (words, the value
    that the log has for them)."""

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


def normal(text: str) -> str:
    """``text`` in lower case and with single spaces, as aliases are kept."""
    return " ".join(text.lower().split())


def written_number(value: int | float | None, notation: str) -> int | float | str | None:
    """``value`` as an integer (None where it is not whole), a float, digits, or as what it is."""
    if value is None:
        return None
    if notation == "integer":
        return int(value) if float(value).is_integer() else None
    if notation == "float":
        return float(value)
    return str(whole(value)) if notation == "digits" else whole(value)


def currency(text: str, language: str = LANGUAGE) -> str | None:
    """The ISO code of the one currency that ``text`` is a symbol, a name or the code of, or None."""
    codes = _currencies(language).get(normal(text), frozenset())
    return next(iter(codes)) if len(codes) == 1 else None


def is_currency(text: str) -> bool:
    """Whether ``text`` is the code of a currency in use."""
    return text.isupper() and text in _currencies(LANGUAGE).get(text.lower(), ())


def _written(notation: Notation, at: datetime, language: str) -> str | None:
    """``at`` in ``notation``, or None where it would lose minutes that were said."""
    loses = notation.kind != "date" and "mm" not in notation.pattern and at.minute
    return None if loses else notation.write(at, language)


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
