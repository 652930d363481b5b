"""Words → a day, a time or a duration, by dateparser and text2num, with the clock of the question.

What these read wrongly, or what can be meant in two ways, is not read at all: ranges, a day beside another one ("3 days
from today"), a weekday that is not the date's. Leaves out how a moment is written (``values.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from router.calls.numbers import KEPT, LANGUAGE, digits, may_say_number

FUTURE, PAST = "future", "past"
ORDERS = ("MDY", "DMY")
FAR = 50
"""Years from which a day is not meant, unless its year is said."""
_SOME_DAY = datetime(2001, 1, 1, 12)
_ORDINAL = re.compile(r"\d(?:[^\W\d]|\.)")
_NUMERIC = re.compile(r"\d\s*[-/.]\s*\d")
_RANGE = re.compile(r"(?<![-\d])\d{1,2}\s*[-–]\s*\d{1,2}(?![-\d])")


@dataclass(frozen=True)
class Manner:
    """How moments are meant. ``order``: of the parts of a numeric date, "DMY" or "MDY"; ``prefer``: whether a day
    without a year or a week is the next one or the last."""

    language: str = LANGUAGE
    order: str = "MDY"
    prefer: str = FUTURE


@dataclass(frozen=True)
class Said:
    """A moment, and how precisely it was said: day, week, month, part_of_day or time."""

    at: datetime
    grain: str


def moment(text: str, now: datetime, kind: Literal["date", "time", "datetime"], manner: Manner) -> Said | None:
    """The date, the time or both (``kind``) that ``text`` says at ``now``, or None."""
    text, now = " ".join(text.lower().split()), now.replace(tzinfo=None, second=0, microsecond=0)
    if not _NUMERIC.search(text):
        manner = replace(manner, order="DMY")  # "the 5th" is a day
    if _RANGE.search(text):
        return None
    if kind == "date":
        return None if (said := _day(text, now, manner)) is None or _disagrees(text, now, manner) else said
    said = _parsed(text, now, manner)
    timed = said is not None and said.grain in ("time", "part_of_day")
    return None if not timed or (kind == "datetime" and _disagrees(text, now, manner)) else said


@lru_cache(KEPT)
def duration(text: str, language: str = LANGUAGE) -> float | None:
    """The seconds that ``text`` lasts ("90 min", "two hours"), or None: as far ahead as it is back, at any time."""
    gaps = set()
    for start in (_SOME_DAY, _SOME_DAY + timedelta(days=500, hours=5)):
        for prefer, sign in ((FUTURE, 1), (PAST, -1)):
            said = _parsed(text.lower(), start, Manner(language, prefer=prefer))
            gaps.add(said and (said.at - start) * sign)
    gap = gaps.pop()
    return gap.total_seconds() if gap and not gaps and gap > timedelta(0) else None


def may_say_moment(word: str, language: str = LANGUAGE) -> bool:
    """Whether ``word``, a word or a sign of a question, can be a part of a date or a time."""
    return not word.isalpha() or _knows(word.lower(), language)


@lru_cache(KEPT)
def may_be_moment(text: str, language: str = LANGUAGE) -> bool:
    """Whether ``text`` is a date, a time or a duration on any day: most words are not, and need not be read again."""
    return _parsed(text.lower(), _SOME_DAY, Manner(language)) is not None


def _day(text: str, now: datetime, manner: Manner) -> Said | None:
    """The day that ``text`` says, whatever else it says."""
    now = now.replace(hour=0, minute=0)  # words of a day are read once a day
    said = _parsed(text, now, manner)
    if said is None:
        return None
    if said.grain in ("time", "month", "year") and _parsed(text, now, manner, "day") is None:
        return None
    if said.grain == "time" and _parsed(text, now.replace(hour=23), manner).at.date() != said.at.date():
        return None  # so many hours ahead
    if abs(said.at.year - now.year) > FAR and str(said.at.year) not in text:
        return None
    only_day = said.grain in ("day", "month") and _parsed(text, now, manner, "month") is None \
        and _parsed(text, now, manner, "day") is not None  # fmt: skip
    if only_day and not _ORDINAL.search(digits(text, manner.language)):
        return None
    at = _beside(said.at, now, manner) if only_day else said.at
    return Said(at, "day" if only_day or said.grain in ("time", "part_of_day") else said.grain)


def _beside(at: datetime, now: datetime, manner: Manner) -> datetime:
    """``at``, a day of which no month was said, in the month that ``manner`` prefers."""
    from dateutil.relativedelta import relativedelta

    step = {FUTURE: 1, PAST: -1}[manner.prefer]
    return at + relativedelta(months=step) if (at - now).days * step < 0 else at


@lru_cache(KEPT)
def _disagrees(text: str, now: datetime, manner: Manner) -> bool:
    """Whether two parts of ``text`` say two days; a weekday may stand beside its date, and "from now" behind a day."""
    words, whole = text.split(), _day(text, now, manner)
    for i in range(1, len(words)):
        parts = [_day(" ".join(part), now, manner) for part in (words[:i], words[i:])]
        if None in (*parts, whole):
            continue
        day, first, second = (said.at.date() for said in (whole, *parts))
        days = {said.grain for said in parts} == {"day"}
        weekday = days and (first - second).days % 7 == 0 and day in (first, second)
        from_now = day == first > second == now.date()
        if first != second and not weekday and not from_now:
            return True
    return False


@lru_cache(KEPT)
def _parsed(text: str, now: datetime, manner: Manner, part: str = "") -> Said | None:
    """``text`` by dateparser; None too where it says neither ``part`` ("day", "month") nor how far away it is. Numbers
    alone are no moment."""
    from dateparser.date import DateDataParser

    text = digits(text, manner.language)
    if not (any(map(str.isalpha, text)) or ":" in text or _NUMERIC.search(text)):
        return None
    settings = {"RELATIVE_BASE": now, "DATE_ORDER": manner.order, "PREFER_DATES_FROM": manner.prefer,
                "RETURN_AS_TIMEZONE_AWARE": False, "RETURN_TIME_AS_PERIOD": True}  # fmt: skip
    settings |= {"REQUIRE_PARTS": [part]} if part else {}
    data = DateDataParser(languages=[manner.language], settings=settings).get_date_data(text)
    return Said(data.date_obj, data.period) if data.date_obj is not None else None


@lru_cache(KEPT)
def _knows(word: str, language: str) -> bool:
    from dateparser.conf import settings
    from dateparser.languages.loader import default_loader

    (locale,) = default_loader.get_locales(languages=[language])
    return locale.is_applicable(word, strip_timezone=False, settings=settings) or may_say_number(word, language)
