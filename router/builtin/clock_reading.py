"""What a question asks of the clock: the places and times that it names, how it asks, and no word left over.

Leaves out telling the time (``clock.py``). What is named gives the kind of call; the words around must be such as
questions of that kind are made of (``said.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from router.builtin.numbers import MAX_SHORT, clean, plain
from router.builtin.places import find
from router.builtin.said import foreign, unread, words_of
from router.builtin.times import Time, find_times, spoken
from router.builtin.zones import ZONES, is_offset

MAX_PLACE = 80
SMALL = 300_000
"""Inhabitants below which a name in lower case is a place only behind a word such as "in"."""
_PLACE_SIGN, _TIME_SIGN = "\ue000", "\ue001"
_TOKEN = re.compile(r"(?:utc|gmt)\s*[+-]\s*\d{1,2}(?::?\d\d)?|[^\W\d_][\w'’.-]*(?:/[A-Z]\w+)*", re.IGNORECASE)
_BEFORE = re.compile(
    r"\b(?:in|at|for|of|to|from|between|and|over|near|vs\.?|is|are|than|phone|leaves)\s+(?:the\s+)?$|[,:/=>]\s*$"
)
_HERE = re.compile(r"\b(?:here|for\s+(?:me|us)|my\s+(?:time|place|zone)|local(?:ly)?|at\s+home)\b")
_DATE = re.compile(
    r"\b(?:date|day|today|month|year|weekday|tomorrow|yesterday|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"
)
_WEEKDAY = re.compile(r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b")
_TIME = re.compile(
    r"\b(?:time|clock|o'?clock|hour|late|now|early|noon|midnight|morning|night|dark|evening|asleep|awake|open|call)\b"
)
_DIFFERENCE = re.compile(
    r"\b(?:difference|diff|gap|lag|offset|ahead|behind|earlier|later|same|compare|vs|versus|watch)\b"
    r"|\b(?:hours?|zones?)\b.*\b(?:between|apart)\b|\b(?:between|apart)\b.*\bhours?\b"
)
_CHATTER = re.compile(
    r"^(?:(?:please|pls|hey|hi|ok(?:ay)?|so|um+|quick(?:ly)?|do\s+you\s+know"
    r"|(?:can|could|would|will)\s+you\s+(?:\w+\s+)?(?:tell|give|show)(?:\s+me)?|(?:tell|give|show)\s+me"
    r"|i\s+(?:need|want)(?:\s+to\s+know)?)\b[\s,:]*)+"
    r"|[\s,]*(?:please|pls|thanks|thank\s+you|atm|exactly|currently|right\s+now|at\s+the\s+moment)\W*$",
    re.IGNORECASE,
)
_THEN = re.compile(r"(?:\b(?:was|will|would|be)\b)")
_NAMES_TIME = re.compile(r"(?:'s)?\s+(?:local\s+|current\s+)*(?:time|clock)\b|\W+vs\b")
_TIMES = ("time", "time place", "time other_place place time")
_EQUALS = re.compile(r"[=>→]|\bto\b")
_AHEAD = re.compile(r"\b(?:ahead|behind|difference)\b")
_SWAPPED = re.compile(rf"\b(?:behind|ahead\s+of)\s+{_PLACE_SIGN}+\s+is\s+{_PLACE_SIGN}")
Arguments = dict[str, Any]


@dataclass(frozen=True)
class Spot:
    """``text[start:end]`` is the place, zone or offset ``name``."""

    start: int
    end: int
    name: str


@dataclass(frozen=True)
class Asked:
    """A question to the clock: ``rest`` is its text with a run of one sign for each of its ``times`` and ``spots``."""

    rest: str
    times: list[Time]
    spots: list[Spot]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(spot.name for spot in self.spots))


def parse(question: str) -> Arguments | None:
    """What to tell the time of, or None where ``question`` says more than that, or something else."""
    asked = _asked(question)
    names, time = asked.names, asked.times[0] if asked.times else None
    if not asked.rest or len(asked.times) > 1 or len(names) > 2 or any(len(name) > MAX_PLACE for name in names):
        return None
    if time and time.minutes is None:
        return None
    if time and time.shift:
        return _shifted(asked.rest, time, names)
    if time:
        return _carried(asked.rest, time, asked.spots)
    if len(names) == 2:
        return _difference(asked.rest, names)
    return _told(asked.rest, names)


def left_over(question: str) -> str | None:
    """A word of ``question`` that no question to the clock has."""
    return foreign(_asked(question).rest, "clock")


def _asked(question: str) -> Asked:
    text = _digits(spoken(_CHATTER.sub("", clean(question, MAX_SHORT)).strip(" ?!.")))
    times = find_times(text)
    rest = _masked(text, [(time.start, time.end) for time in times], _TIME_SIGN)
    spots = list(_spots(rest))
    return Asked(_masked(rest, [(spot.start, spot.end) for spot in spots], _PLACE_SIGN).lower(), times, spots)


def _digits(text: str) -> str:
    """``text`` with its numbers in digits and its capitals kept where it has no number in words."""
    lowered = plain(text)
    return text if lowered == text.lower() else lowered


def _masked(text: str, spans: list[tuple[int, int]], sign: str) -> str:
    for start, end in spans:
        text = text[:start] + sign * (end - start) + text[end:]
    return text


def _spots(text: str) -> Iterator[Spot]:
    """The places and zones of ``text``, the longest names first."""
    tokens = list(_TOKEN.finditer(text))
    at = 0
    while at < len(tokens):
        for size in range(min(4, len(tokens) - at), 0, -1):
            start, end = tokens[at].start(), tokens[at + size - 1].end()
            name = text[start:end].strip(".'’-")
            between = text[start:end]
            if re.search(r"[;:?!\ue001]", between) and not is_offset(name):
                continue
            if _is_place(name, text[:start], text[end:], size):
                yield Spot(start, start + len(between.rstrip(".'’-")), name)
                at += size - 1
                break
        at += 1


def _is_place(name: str, before: str, after: str, size: int) -> bool:
    key = " ".join(name.lower().split())
    if is_offset(key):
        return True
    words = key.split()
    introduced = (_BEFORE.search(before.lower()) or _NAMES_TIME.match(after.lower())) is not None
    if key in ZONES and (
        len(words) > 1 or name.isupper() or key not in _ENGLISH or re.match(r"\s+time\b", after.lower())
    ):
        return True
    if words[0] in words_of("clock") or words[-1] in words_of("clock") or "in" in words:
        return False
    if size == 1 and len(key) < 4 and not (name.isupper() or introduced):
        return False
    place = find(name, fuzzy=False)
    if place is None:
        return size == 1 and len(key) > 4 and introduced and find(name) is not None
    lower = name == key and size == 1
    return not lower or place.population >= SMALL or introduced or not before.strip() or not after.strip()


_ENGLISH = frozenset("et ct pt z central mountain pacific eastern est greenwich wet zulu".split())
"""Zone names that are also words or names of something else."""


def _account(rest: str, *kinds: str, besides: re.Pattern[str] | None = None) -> bool:
    """Whether every word of ``rest`` belongs to questions of ``kinds``, or is one of ``besides``."""
    return not unread(besides.sub("", rest) if besides else rest, "clock", *kinds)


def _shifted(rest: str, time: Time, names: list[str]) -> Arguments | None:
    """The time so many minutes from now."""
    if len(names) > 1 or not re.search(r"\b(?:time|hour|clock)\b", rest) or not _account(rest, "time", "time place", besides=_THEN):
        return None
    return {"ask": "time", **({"place": names[0]} if names else {}), "time": time.said}


def _carried(rest: str, time: Time, spots: list[Spot]) -> Arguments | None:
    """A time of one place in another: the time belongs to the place that stands nearest to it."""
    names = list(dict.fromkeys(spot.name for spot in spots))
    here = _HERE.search(rest)
    if (
        not names
        or len(names) + bool(here) != 2
        or not re.search(r"\b(?:what|which|when|convert|change|to|in|as|how)\b|[=>→,]", rest)
    ):
        return None
    if not _account(rest, *_TIMES, besides=_EQUALS):
        return None
    if len(names) == 1:
        place, other = names[0], None
        if abs(here.start() - time.start) < min(abs(spot.start - time.start) for spot in spots):
            place, other = "here", names[0]
    else:
        near = min(spots, key=lambda spot: _distance(rest, spot, time))
        place, other = near.name, next(name for name in names if name != near.name)
    return {"ask": "time", "place": place, **({"other_place": other} if other else {}), "time": time.said}


def _distance(rest: str, spot: Spot, time: Time) -> float:
    """Words between a place and the time; a place behind the time is nearer than one as far before it, and a clause
    between parts them."""
    after = spot.start >= time.end
    between = rest[time.end : spot.start] if after else rest[spot.end : time.start]
    apart = re.search(r"[,;?]|\b(?:if|when|what|which)\b", between) is not None
    return len(between.split()) + 5 * apart + (0 if after else 0.5)


def _difference(rest: str, names: list[str]) -> Arguments | None:
    bare = not re.search(r"\w", re.sub(r"\band\b|\ue000", "", rest))
    if not bare and not (_DIFFERENCE.search(rest) and _account(rest, "difference")):
        return None
    first, second = reversed(names) if _SWAPPED.search(rest) else names
    return {"ask": "difference", "place": first, "other_place": second}


def _told(rest: str, names: list[str]) -> Arguments | None:
    """The time or the date, here or in a place."""
    place = {"place": names[0]} if names else {}
    slots = " place" if names else ""
    if _DATE.search(rest) and re.search(r"\btime\b(?!\s+zone)", rest) and _account(rest, "date", "time"):
        return {"ask": "time", **place}  # which tells the date too
    if re.search(r"\b(?:tomorrow|yesterday|did)\b", rest) and not re.search(r"\bis(?:n't)?\s+it\b", rest):
        return None  # "the date tomorrow in Tokyo", "what time did it get"
    if _DATE.search(rest) and _account(rest, f"date{slots}", "date", besides=_WEEKDAY):
        return {"ask": "date", **place}
    if names and not re.search(r"\w", rest.replace(_PLACE_SIGN, "")):
        return {"ask": "time", **place}
    if names and _AHEAD.search(rest):
        return {"ask": "difference", **place} if _account(rest, "difference") else None
    if (names or _TIME.search(rest)) and _account(rest, f"time{slots}", "time"):
        return {"ask": "time", **place}
    return None
