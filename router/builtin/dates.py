"""Dates as people write them: ISO, "14 July 1789", "July 14th", "25/12/2026", "next friday", "in 3 weeks".

Shared by calendar and currency; leaves out times of day and holidays. Where day and month could be swapped
(03/04/2026) the month comes first, as in US English, unless the first number exceeds 12 or points separate them.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

MONTHS = {name: i for i, name in enumerate(
    "january february march april may june july august september october november december".split(), 1)}  # fmt: skip
MONTHS |= {name[:3]: number for name, number in MONTHS.items()} | {"sept": 9, "febuary": 2, "feburary": 2, "agust": 8}
MONTHS |= {"januar": 1, "septembre": 9, "setember": 9, "ocotber": 10, "novemeber": 11, "decembre": 12, "decmber": 12}
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
_WEEKDAY = "|".join((*WEEKDAYS, *(day[:3] for day in WEEKDAYS), "tues", "thurs", "thur", "weds"))
ABSOLUTE = (
    r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})",
    r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|\d{2})",
    rf"(?:the\s+)?{_DAY}\s*(?:of\s+)?[-\s]?(?P<mon>{_MONTH})\b\.?(?:\s*,?\s*(?:of\s+|in"
    rf"\s+)?[-\s]?(?P<y>\d{{4}})(?!\d))?",
    rf"(?P<mon>{_MONTH})\b\.?\s*(?:the\s+)?{_DAY}(?!\d)(?:\s*,?\s*(?:of\s+|in\s+)?(?P<y>\d{{4}})(?!\d))?",
    rf"(?P<y>\d{{4}})\s+(?P<mon>{_MONTH})\b\.?\s+{_DAY}",
)
"""Dates that need no today, besides a year: in digits, or by day and month."""
_PATTERNS = [
    re.compile(rf"(?<![\w.]){pattern}(?![\w])", re.I)
    for pattern in [
        *ABSOLUTE,
        r"(?P<rel>the\s+day\s+after\s+tomorrow|day\s+after\s+tomorrow|the\s+day\s+before\s+yesterday|day\s+before"
        r"\s+yesterday|today|tomorrow|tommorow|tomorow|yesterday|tonight|now)",
        rf"(?P<which>next|last|this|coming|this\s+coming|previous|past|on)\s+(?P<wd>{_WEEKDAY})",
        r"(?P<n>\d{1,5})\s+(?P<unit>day|week|month|year)s?\s+(?P<dir>ago)|in\s+(?P<n2>\d{1,5})\s+(?P<unit2>day|week|"
        r"month|year)s?(?:'?\s+time)?",
    ]
]
_RELATIVE = {"today": 0, "tonight": 0, "now": 0, "tomorrow": 1, "tommorow": 1, "tomorow": 1, "yesterday": -1,
             "day after tomorrow": 2, "day before yesterday": -2}  # fmt: skip


def find_dates(text: str, today: date) -> list[tuple[int, int, date, bool]]:
    """(start, end, date, whether the year was said) of every date in ``text``, in order. A date without a year gets
    today's; impossible dates (30 February) are left out."""
    found: list[tuple[int, int, date, bool]] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < end and start < match.end() for start, end, *_ in found):
                continue
            moment = _date_of(match.groupdict(), today)
            if moment is not None:
                parts = match.groupdict()
                said = bool(parts.get("y")) or not (parts.get("mon"))
                found.append((match.start(), match.end(), moment, said))
    return _with_shared_years(text, sorted(found))


_SPAN = re.compile(r"\s*(?:and|to|until|till|through|-)\s*(?:the\s+)?", re.IGNORECASE)


def _with_shared_years(
    text: str, found: list[tuple[int, int, date, bool]]
) -> list[tuple[int, int, date, bool]]:
    """"3 march to 5 june 2024" begins in 2024, "3 december to 5 june 2024" the year before."""
    for i in range(len(found) - 2, -1, -1):
        (start, end, first, said), (then, stop, last, _) = found[i], found[i + 1]
        if said or not re.search(r"\d{4}", text[then:stop]) or not _SPAN.fullmatch(text[end:then]):
            continue
        day = (first.month, first.day)
        year = last.year - (day > (last.month, last.day))
        if day != (2, 29) or calendar.isleap(year):
            found[i] = (start, end, first.replace(year=year), True)
    return found


def read_date(text: str, today: date) -> date | None:
    """The one date that ``text`` is, or None."""
    text = text.strip(" .,?!")
    found = find_dates(text, today)
    if len(found) == 1 and not re.sub(
        rf"\b(?:on|the|{_WEEKDAY})\b|[\s,]", "", text[: found[0][0]] + text[found[0][1] :], flags=re.I
    ):
        return found[0][2]
    return next_weekday(text, today)


def next_weekday(text: str, today: date) -> date | None:
    """The next date on the weekday that ``text`` names, or None."""
    name = text.strip().lower()
    index = next((i for i, day in enumerate(WEEKDAYS) if name in (day, day[:3])), None)
    return None if index is None else today + timedelta(days=(index - today.weekday()) % 7 or 7)


def long(moment: date) -> str:
    """``Sunday 22 November 2026``."""
    return f"{moment:%A} {short(moment)}"


def short(moment: date) -> str:
    """``22 November 2026``."""
    return f"{moment.day} {moment:%B} {moment.year}"


def shift(moment: date, days: int = 0, months: int = 0) -> date:
    """``moment`` moved; the last day of a month stays within it. Raises OverflowError outside the years 1 to 9999."""
    try:
        return moment + relativedelta(months=months) + timedelta(days=days)
    except (ValueError, OverflowError) as fault:
        raise OverflowError(str(fault)) from None


def _date_of(parts: dict[str, str | None], today: date) -> date | None:
    try:
        if parts.get("rel"):
            return today + timedelta(days=_RELATIVE[" ".join(parts["rel"].lower().split()).removeprefix("the ")])
        if parts.get("wd"):
            return _weekday(parts["which"].lower(), parts["wd"].lower(), today)
        if parts.get("n") or parts.get("n2"):
            count = -int(parts["n"]) if parts.get("n") else int(parts["n2"])
            unit = parts.get("unit") or parts["unit2"]
            return shift(
                today,
                days=count * {"day": 1, "week": 7}.get(unit.lower(), 0),
                months=count * {"month": 1, "year": 12}.get(unit.lower(), 0),
            )
        year = int(parts["y"]) if parts.get("y") else today.year
        if parts.get("a"):
            return next(iter(numeric_readings(parts["a"], parts["sep"], parts["b"], parts["y"])), None)
        month = MONTHS[parts["mon"].lower()] if parts.get("mon") else int(parts["m"])
        return date(year, month, int(parts["d"]))
    except (ValueError, OverflowError, KeyError):
        return None


def numeric_readings(first: str, sign: str, second: str, year: str) -> list[date]:
    """The days that ``first/second/year`` may mean, the likeliest first: month first, and day first; behind points only
    day first."""
    number = int(year)
    number += (2000 if number < 50 else 1900) if len(year) < 3 else 0
    found = []
    for month, day in ((first, second), (second, first))[sign == "." :]:
        try:
            found.append(date(number, int(month), int(day)))
        except ValueError:
            continue
    return list(dict.fromkeys(found))


def _weekday(which: str, name: str, today: date) -> date:
    index = next(i for i, day in enumerate(WEEKDAYS) if day.startswith(name[:3]))
    ahead = (index - today.weekday()) % 7
    if which in ("last", "previous", "past"):
        return today - timedelta(days=(today.weekday() - index) % 7 or 7)
    return today + timedelta(days=ahead or 7)
