"""What a question names: numbers, units, currencies, places, dates, holidays, quoted texts, values of an enum.

A slot of a JSON schema is looked for by what its name and type ask for; of two candidates for one slot neither is
taken. Leaves out the choice between these finds and a tool's own reading (``slots.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any

from rapidfuzz import fuzz

from router.builtin.dates import find_dates
from router.builtin.english import LEADING, TRAILING
from router.builtin.holiday_names import holiday_in
from router.builtin.numbers import NUMBER, number, plain
from router.builtin.places import Place
from router.builtin.places import find as find_place
from router.calls.arguments import QUESTION


@dataclass(frozen=True)
class Mention:
    """Something that the question names: ``text[start:end]`` means ``value``."""

    start: int
    end: int
    value: Any


_KINDS = {
    "place": "place",
    "city": "place",
    "location": "place",
    "holiday": "holiday",
    "date": "date",
    "query": "query",
    "text": "text",
    "word": "text",
    "string": "text",
    "letter": "letter",
    "time": "time",
}
"""A word in a slot's name → the kind of thing that the slot asks for."""


@cache
def _kind_of_name(name: str) -> str | None:
    return next((kind for word, kind in _KINDS.items() if word in name.split("_")), None)


def kind_of(name: str, schema: Mapping[str, Any]) -> str | None:
    """What a slot asks for, by its schema and name; None: nothing that can be found by looks."""
    if "enum" in schema:
        return "enum"
    types = schema.get("type")
    if types in ("number", "integer"):
        return "number"
    return _kind_of_name(name) if types == "string" else None


Found = dict[str, tuple[Any, str]]


def _find_numbers(text: str, slots: list[str], properties: Mapping[str, Any]) -> Found:
    values = [m.value for m in number_mentions(plain(text))]
    if len(values) != 1 or len(slots) != 1:
        return {}
    value = values[0]
    if properties[slots[0]].get("type") == "integer" and value != int(value):
        return {}
    return {slots[0]: (value, QUESTION)}


def number_mentions(text: str) -> list[Mention]:
    return [Mention(m.start(), m.end(), number(m[0])) for m in re.finditer(rf"(?<![\w.]){NUMBER}(?![\d])", text)]


def _find_enum(text: str, slots: list[str], properties: Mapping[str, Any]) -> Found:
    """A value is named where all its words stand in the question, typos forgiven."""
    words = re.findall(r"[a-z]+", text.lower())
    found: Found = {}
    for slot in slots:
        named = []
        for value in properties[slot]["enum"]:
            parts = re.findall(r"[a-z]+", str(value).lower())
            if parts and all(
                any(_alike(word, form) for word in words for form in _SAME.get(part, (part,))) for part in parts
            ):
                named.append(value)
        if len(named) == 1:
            found[slot] = (named[0], QUESTION)
    return found


_SAME = {
    "count": ("count", "many", "number"),
    "spell": ("spell", "spelling", "spelled"),
    "reverse": ("reverse", "backwards", "backward", "reversed", "flip"),
    "uppercase": ("uppercase", "capitals", "caps", "capital"),
    "lowercase": ("lowercase",),
    "until": ("until", "till"),
}
"""Other words for the parts of common enum values."""


def _alike(word: str, part: str) -> bool:
    return word == part or (len(part) > 4 and len(word) > 3 and fuzz.ratio(word, part) >= 84)


@lru_cache(4096)
def _place(name: str) -> Place | None:
    return find_place(name, fuzzy=False)


_PREPOSITION = re.compile(
    r"\b(?:in|at|for|of|to|from|between|and|over|near|vs|around|bring|is|are|do|does)\s+(?:the\s+)?$", re.IGNORECASE
)
_NOT_PLACES = frozenset([
    "time", "date", "weather", "today", "tomorrow", "now", "the", "me", "of", "same", "man", "most", "hot",
    "rain", "snow", "morning", "here", "there", "home", "work", "day", "night", "nice", "reading", "mobile",
    "split", "orange", "sun", "clock", "hour", "late", "early", "august", "march", "may", "monday", "friday",
    "many", "hat", "male", "bar", "see", "for", "and", "you", "need", "police", "bath", "can", "is", "are",
    "it", "best", "much", "will", "how", "what", "when", "where", "which", "whats", "please", "thanks",
    "difference", "forecast", "temperature",
])  # fmt: skip


def _find_places(text: str, slots: list[str], properties: Mapping[str, Any]) -> Found:
    mentions = place_mentions(text)
    if len(mentions) > len(slots):
        return {}
    return {slot: (m.value, QUESTION) for slot, m in zip(slots, mentions)}


def place_mentions(text: str) -> list[Mention]:
    """Names of known places, the longest first; a name that is also a word needs a capital or a preposition."""
    tokens = list(re.finditer(r"[^\W\d_][\w'’.-]*", text))
    found: list[Mention] = []
    at = 0
    while at < len(tokens):
        for size in range(min(4, len(tokens) - at), 0, -1):
            start, end = tokens[at].start(), tokens[at + size - 1].end()
            name = text[start:end].strip(".'’")
            if re.search(r"[,;:?!]", name) or name.lower() in _NOT_PLACES or (len(name) < 4 and not name.isupper()):
                continue
            place = _place(name)
            if place is None or (" " in name and tokens[at][0].lower() in _NOT_PLACES):
                continue
            lower = name == name.lower() or text == text.upper()
            if lower and size == 1 and place.population < 300_000 and not _PREPOSITION.search(text[:start]):
                continue
            found.append(Mention(start, end, name))
            at += size - 1
            break
        at += 1
    if found:
        return found
    match = re.search(
        r"\b(?:in|at|for|of|to|near|over)\s+(?:the\s+)?([^\W\d_]{5,}(?:\s[^\W\d_]{4,})?)\W*$",
        TRAILING.sub("", text),
        re.IGNORECASE,
    )
    place = find_place(match[1]) if match and match[1].lower() not in _NOT_PLACES else None
    return [Mention(match.start(1), match.end(1), place.name)] if match and place else []


def _find_dates(text: str, slots: list[str], properties: Mapping[str, Any]) -> Found:
    """Dates that need no clock: those with a year, and the words today, tomorrow and yesterday."""
    mentions = [
        text[start:end].lower()
        if re.fullmatch(r"today|tomorrow|yesterday", text[start:end], re.IGNORECASE)
        else day.isoformat()
        for start, end, day, said in find_dates(text, ANY_DAY)
        if said
        and (
            re.search(r"\d{4}", text[start:end])
            or re.fullmatch(r"today|tomorrow|yesterday", text[start:end], re.IGNORECASE)
        )
    ]
    return {slot: (value, QUESTION) for slot, value in zip(slots, mentions)} if len(mentions) <= len(slots) else {}


ANY_DAY = date(2000, 1, 1)
"""Stands in for today where only dates with a year are wanted."""


def _find_holidays(text: str, slots: list[str], properties: Mapping[str, Any]) -> Found:
    holiday, _, _ = holiday_in(text.lower())
    return {slots[0]: (holiday, QUESTION)} if holiday else {}


def _find_query(text: str, slots: list[str], properties: Mapping[str, Any]) -> Found:
    query = TRAILING.sub("", LEADING.sub("", text)).strip(" ?!.") or text
    return {slots[0]: (query[: properties[slots[0]].get("maxLength", 200)], QUESTION)} if query else {}


def _find_text(text: str, slots: list[str], properties: Mapping[str, Any]) -> Found:
    """The quoted text; else the one word after "the word", "spell" or at the very end after of, in, is."""
    quoted = [m[1] or m[2] for m in re.finditer(r"\"([^\"]+)\"|(?<!\w)'([^']{2,})'(?!\w)", text)]
    if len(quoted) == 1:
        return {slots[0]: (quoted[0], QUESTION)}
    bare = TRAILING.sub("", text).strip(" ?!.")
    match = (
        re.search(r"\b(?:word|string|name)\s+([^\W\d_]+)", bare, re.IGNORECASE)
        or re.search(r"\b(?:of|in|spell|does|is)\s+(?:the\s+)?([^\W\d_]{3,})$", bare, re.IGNORECASE)
        or re.search(r"^([^\W\d_]{3,})\s+(?:backwards?|reversed|in\s)", bare, re.IGNORECASE)
    )
    return {slots[0]: (match[1], QUESTION)} if match and not quoted else {}


def _find_letter(text: str, slots: list[str], properties: Mapping[str, Any]) -> Found:
    match = re.search(
        r"\b(?:letter|the|many|often\s+does|does|of|count)\s+['\"]?([a-z])['\"]?(?:'?s)?\b", text, re.IGNORECASE
    )
    return {slots[0]: (match[1], QUESTION)} if match else {}


def find_times(text: str, slots: list[str], properties: Mapping[str, Any]) -> Found:
    times = re.findall(r"\b(?:\d{1,2}:\d{2}(?:\s?[ap]\.?m\b\.?)?|\d{1,2}\s?[ap]\.?m\b\.?)", text, re.IGNORECASE)
    return {slots[0]: (times[0], QUESTION)} if len(times) == 1 else {}


FINDERS: dict[str, Callable[[str, list[str], Mapping[str, Any]], Found]] = {
    "number": _find_numbers,
    "enum": _find_enum,
    "place": _find_places,
    "date": _find_dates,
    "holiday": _find_holidays,
    "query": _find_query,
    "text": _find_text,
    "letter": _find_letter,
    "time": find_times,
}
"""Kind of slot → (question, the slots of that kind, the schema's properties) → what was found for them."""
