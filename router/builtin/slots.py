"""Arguments for a call of a tool that ships, read from the question without a language model.

The tool's own ``parse`` reads first. Where it is unsure, the question is read again without its chatter and with the
spelling of its key words corrected; then each slot is looked for by what its name and schema ask for: a number, a
unit, a currency, a place, a date, a holiday, one of an enum's values, a quoted text. A slot with two candidates stays
open. What comes out fits the tool's JSON schema or is reported as missing.

Leaves out what any tool's slots have in common (``calls/arguments.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from rapidfuzz import fuzz, process

from router.builtin.english import bare, cleaned
from router.builtin.mentions import (
    FINDERS,
    find_times,
    kind_of,
    number_mentions,
    place_mentions,
)
from router.builtin.numbers import Clean, plain
from router.builtin.places import find as find_place
from router.builtin.said import spelled
from router.calls.arguments import PARSE, QUESTION, Filled, parsed
from router.tools import Tool
from router.tools.reading import Reads
from router.types import Question, once

RESPELLED, READER = "respelled", "reader"
"""Where a slot's value came from besides the tool's own reading and the question's words: the tool's reading of the
question with its slips mended, or a learned reader."""


def fill(question: Question, tool: Tool, readers: Reads | None = None) -> Filled:
    """What ``question`` says about the arguments of ``tool``; never raises, never guesses between two readings.

    ``readers`` read the operations and expressions that neither the tool's parser nor a mention gives.
    """
    return _by_parser(_readings(question), tool) or _from_mentions(question, tool, readers)


def as_said(question: Question, tool: Tool) -> Filled | None:
    """What the tool's own parser makes of ``question`` as it stands; None where it is unsure, or passes a place over."""
    filled = _by_parser(_unmended(question), tool)
    return filled if filled and set(filled.sources.values()) == {PARSE} else None


def _by_parser(readings: Iterable[tuple[str, str]], tool: Tool) -> Filled | None:
    for source, text in readings:
        arguments = parsed(tool, text)
        if arguments is not None and _places_known(tool, arguments):
            return _completed(tool, text, Filled(arguments, (), dict.fromkeys(arguments, source)))
    return None


def _completed(tool: Tool, text: str, filled: Filled) -> Filled:
    """``filled`` with the places that the question names and the tool's own reading passed over."""
    slots = [s for s, slot in tool.slots.items() if kind_of(s, slot.schema) == "place"]
    taken = [s for s in slots if s in filled.arguments]
    mentions = place_mentions(text) if len(taken) < len(slots) else []
    if not len(taken) < len(mentions) <= len(slots):
        return filled
    added: dict[str, Any] = {slot: m.value for slot, m in zip(slots, mentions)}
    if len(mentions) > 1:
        times = [s for s, slot in tool.slots.items() if kind_of(s, slot.schema) == "time"]
        found = find_times(text, times, {}) if times else {}
        if not found:
            return filled
        added |= {slot: value for slot, (value, _) in found.items()}
    arguments = {**filled.arguments, **added}
    if not tool.fits(arguments):
        return filled
    return Filled(arguments, (), {**filled.sources, **dict.fromkeys(added, QUESTION)})


def _places_known(tool: Tool, arguments: Mapping[str, Any]) -> bool:
    """Whether every place is one that exists: a parser took too many words for a name otherwise."""
    places = [s for s, slot in tool.slots.items() if kind_of(s, slot.schema) == "place"]
    names = (arguments[s] for s in places if s in arguments)
    return all(len(str(name).split()) < 4 or find_place(str(name), fuzzy=False) for name in names)


# ------------------------------------------------------------------ other readings of the same question

_KEYWORDS = [
    "plus", "minus", "times", "divided", "multiply", "multiplied", "subtract", "percent", "percentage",
    "average", "square", "root", "squared", "cubed", "power", "factorial", "remainder", "modulo", "product",
    "difference", "between", "double", "half", "twice", "triple", "split", "discount", "convert", "miles",
    "kilometers", "meters", "centimeters", "inches", "feet", "yards", "pounds", "kilograms", "ounces", "grams",
    "stone", "gallons", "liters", "cups", "tablespoons", "teaspoons", "fahrenheit", "celsius", "kelvin",
    "degrees", "acres", "hectares", "gigabytes", "megabytes", "minutes", "seconds", "hours", "days", "weeks",
    "months", "years", "many", "much", "time", "date", "timezone", "clock", "tomorrow", "today", "yesterday",
    "weekday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january",
    "february", "march", "april", "june", "july", "august", "september", "october", "november", "december",
    "christmas", "easter", "halloween", "thanksgiving", "since", "until", "leap", "year", "born", "after",
    "before", "dollars", "euros", "pounds", "rupees", "exchange", "rate", "currency", "worth", "capital",
    "population", "language", "borders", "continent", "symbol", "atomic", "number", "weather", "temperature",
    "forecast", "raining", "snowing", "sunny", "cloudy", "windy", "umbrella", "letters", "words", "vowels",
    "consonants", "characters", "reverse", "backwards", "spell", "spelled", "palindrome", "uppercase",
    "lowercase", "count", "appear", "appears", "letter", "word", "sentence",
]  # fmt: skip


def _unmended(question: Question) -> Iterator[tuple[str, Clean]]:
    text, core = cleaned(question), bare(question)
    yield PARSE, text
    if core and core != text:
        yield PARSE, core


def _readings(question: Question) -> Iterator[tuple[str, Clean]]:
    yield from _unmended(question)
    if (core := bare(question)) and (respelled := _respelled(question)) != core:
        yield RESPELLED, respelled


@once
def _respelled(question: Question) -> Clean:
    return Clean(_respell(bare(question)))


def _respell(text: str) -> str:
    """``text`` with slips in key words mended, outside quotes: a word of four letters or more, one or two edits off."""

    def mend(match: re.Match[str]) -> str:
        word = match[0]
        if len(word) < 4 or word.lower() in _known() or word[0] in "\"'" or find_place(word, fuzzy=False):
            return word
        found = process.extractOne(word.lower(), _KEYWORDS, scorer=fuzz.ratio, score_cutoff=80)
        return found[0] if found else word

    return re.sub(r"\"[^\"]*\"|'[^']*'(?!\w)|[A-Za-z]+", mend, text)


@cache
def _known() -> frozenset[str]:
    return spelled() | frozenset(_KEYWORDS) | frozenset(
        ["spelling", "sized", "timed", "rated", "word", "words", "hour", "hots", "rain", "snow", "euro", "mile", "year"]
    )


# ------------------------------------------------------------------ slot by slot


def _from_mentions(question: Question, tool: Tool, readers: Reads | None) -> Filled:
    """Every slot from what the question names, in the order of mention where a tool has two slots of a kind."""
    text = bare(question)
    properties = {name: slot.schema for name, slot in tool.slots.items()}
    required = tuple(name for name, slot in tool.slots.items() if slot.required)
    by_kind: dict[str, list[str]] = {}
    for name, schema in properties.items():
        kind = kind_of(name, schema)
        if kind is not None:
            by_kind.setdefault(kind, []).append(name)
    found: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for kind, slots in by_kind.items():
        for slot, (value, source) in FINDERS[kind](text, slots, properties).items():
            if tool.slots[slot].fits(value):
                found[slot], sources[slot] = value, source
    for slot in required if readers else ():
        if (
            slot not in found
            and (value := readers.read(text, tool.name, slot)) is not None
            and tool.slots[slot].fits(value)
        ):
            found[slot], sources[slot] = value, READER
    if set(found) <= set(by_kind.get("enum", ())) and found and re.search(r"\d", plain(text)):
        found.clear(), sources.clear()  # an operation alone, while the question's numbers found no slot
    elif len(number_mentions(plain(text))) > len(by_kind.get("number", ())) and by_kind.get("number"):
        for slot in by_kind["number"]:
            found.pop(slot, None), sources.pop(slot, None)
    missing = tuple(slot for slot in required if slot not in found)
    return Filled(found, missing, sources)
