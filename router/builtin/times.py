"""Times of day and spans of hours as people say them: "half past 8", "quarter to nine in the evening", "an hour and a
half ago". Leaves out days (``moments.py``) and zones (``clock.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HOURS = dict(zip("one two three four five six seven eight nine ten eleven twelve".split(), range(1, 13)))
_MINUTES = {"fifteen": 15, "thirty": 30, "forty-five": 45, "forty five": 45, "twenty": 20, "ten": 10, "fifty": 50}
_NAMED = {"noon": 12 * 60, "midday": 12 * 60, "midnight": 0}
_PARTS = {"quarter": 15, "half": 30}
SPOKEN_DIGITS = re.compile(
    rf"\b({'|'.join(_HOURS)})\s+({'|'.join(_MINUTES)})\b(?!\s*(?:minutes?|mins?|hours?|past|to)\b)"
)
"""Hours and minutes in words, which are no sum: "eight thirty"."""
_AM_PM = r"(?P<half>[ap])\.?\s?m\b\.?"
_DAY_PART = r"(?:in\s+the\s+|at\s+|this\s+|to)(?P<part>morning|afternoon|evening|night)"
_END = rf"(?:\s*(?:o'?\s?clock))?(?:\s*(?:{_AM_PM}|{_DAY_PART}))?(?![\w:])"
_TIMES = [
    re.compile(rf"(?<![\w:.+-]){pattern}", re.IGNORECASE)
    for pattern in (
        rf"(?P<past>quarter|half|\d{{1,2}})(?:\s+minutes?)?\s+(?P<side>past|after|to|before|till?)\s+"
        rf"(?P<hour>\d{{1,2}}|noon|midday|midnight)(?!\s*[:.]\d){_END}",
        r"(?P<named>(?:12\s+)?(?:noon|midday|midnight))\b(?!-)",
        rf"(?P<hour>\d{{1,2}})\s?[:h.](?P<minute>\d\d)(?!\s*%){_END}",
        r"(?P<hour>[0-2]\d)(?P<minute>[0-5]\d)\s*(?:hours|hrs|h)\b",
        rf"(?P<hour>\d{{1,2}})(?=\s*(?:o'?\s?clock|[ap]\.?\s?m\b|h\b|{_DAY_PART.replace('?P<part>', '?:')}))"
        rf"(?:h\b)?{_END}",
        r"(?P<hour>\d{1,2})(?=\s+in\s+(?:the\s+)?[^\W\d_]{2,})(?<!in\s\d)(?<!in\s\d\d)",
    )
]
_UNITS = {"h": 60, "m": 1}
_COUNT = r"(?:\d+(?:\.\d+)?|half\s+an?|1/2\s+an?|an?)"
_STEP = rf"{_COUNT}[\s-]*(?:hours?|hrs?|h|minutes?|mins?)(?:\s+and\s+a\s+half)?"
_SPAN = rf"(?P<span>{_STEP}(?:\s*(?:,|and|,\s*and)?\s*{_STEP})*)"
_SHIFTS = [
    re.compile(rf"(?<![\w.:]){pattern}(?!\w)", re.IGNORECASE)
    for pattern in (
        rf"{_SPAN}\s+(?P<way>ago|earlier|from\s+now|hence|later)",
        rf"(?P<way>in)\s+{_SPAN}(?:'?\s*time)?",
    )
]


@dataclass(frozen=True)
class Time:
    """``text[start:end]`` is a time of day, in minutes after midnight, or with ``shift`` so many minutes from now.

    ``minutes`` is None where there is no such time: "25:00"."""

    start: int
    end: int
    minutes: int | None
    shift: bool = False

    @property
    def said(self) -> str:
        """The time as an argument: ``08:30``, ``+90 minutes``."""
        if self.minutes is None:
            return ""
        return f"{self.minutes:+} minutes" if self.shift else f"{self.minutes // 60:02}:{self.minutes % 60:02}"


def spoken(text: str) -> str:
    """``text`` with hours and minutes in words as digits: "eight thirty" → "8:30". To be done before numbers are read."""
    return SPOKEN_DIGITS.sub(lambda m: f"{_HOURS[m[1].lower()]}:{_MINUTES[m[2].lower()]:02}", text)


def find_times(text: str) -> list[Time]:
    """The times and the spans from now that ``text`` (numbers in digits) says, in order."""
    found: list[Time] = []
    for moment in (*_shifts(text), *_of_day(text)):
        if not any(moment.start < other.end and other.start < moment.end for other in found):
            found.append(moment)
    return sorted(found, key=lambda moment: moment.start)


def _of_day(text: str) -> Iterator[Time]:
    for pattern in _TIMES:
        for match in pattern.finditer(text):
            yield Time(*match.span(), _minutes({k: v.lower() for k, v in match.groupdict().items() if v}))


def _minutes(said: dict[str, str]) -> int | None:
    if "named" in said:
        return _NAMED[said["named"].split()[-1]]
    if said["hour"] in _NAMED:
        hour = _NAMED[said["hour"]]
    else:
        number = int(said["hour"])
        if number > 23 or ("half" in said and not 1 <= number <= 12):
            return None
        hour = 60 * _hour(number, said)
    minute = int(said.get("minute", 0))
    if "past" in said:
        minute = _PARTS.get(said["past"]) or int(said["past"])
        if said["past"] == "half" and said["side"] not in ("past", "after"):
            return None
    if minute > 59:
        return None
    back = said.get("side", "past") in ("to", "before", "till", "til")
    return (hour + (-minute if back else minute)) % (24 * 60)


def _hour(number: int, said: dict[str, str]) -> int:
    if "half" in said:
        return number % 12 + (12 if said["half"] == "p" else 0)
    part = said.get("part")
    if part in ("afternoon", "evening") or (part == "night" and 5 < number < 12):
        return number if number > 12 else number % 12 + 12
    return 0 if number == 12 and part in ("morning", "night") else number


def _shifts(text: str) -> Iterator[Time]:
    for pattern in _SHIFTS:
        for match in pattern.finditer(text):
            total = 0.0
            for count, unit, half in re.findall(
                r"(\d+(?:\.\d+)?|half|1/2|an?)(?:\s+an?)?[\s-]*(h|m)[a-z]*(\s+and\s+a\s+half)?", match["span"].lower()
            ):
                many = {"half": 0.5, "1/2": 0.5, "a": 1.0, "an": 1.0}.get(count) or float(count)
                total += (many + (0.5 if half else 0)) * _UNITS[unit]
            if total.is_integer() and total < 1e6:
                back = match["way"].lower() in ("ago", "earlier")
                yield Time(*match.span(), int(-total if back else total), shift=True)
