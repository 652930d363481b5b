"""Calendar: weekdays, spans between dates, dates a number of days away, holidays, leap years, ages.

Leaves out times of day and reading questions (``calendar_reading.py``). Today is read from the injected clock;
holidays come from the ``holidays`` package, Easter from dateutil.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

from dateutil.relativedelta import relativedelta

from router.builtin import ToolConfig
from router.builtin.calendar_reading import parse
from router.builtin.dates import long, shift, short
from router.builtin.holiday_names import country_code, holiday_date
from router.builtin.moments import name_day
from router.builtin.numbers import clean, plain
from router.tools import Tool, ToolError, shorten

MAX_DAYS = 3_660_000
OPERATIONS = (
    "weekday", "days_between", "add_days", "days_until", "holiday_date", "leap_year", "age", "days_in_month",
    "week_number",
)  # fmt: skip
_DATE = {"type": "string", "minLength": 1, "maxLength": 40}
PARAMETERS = {
    "type": "object",
    "properties": {
        "operation": {"enum": list(OPERATIONS)},
        "date": {**_DATE, "description": "YYYY-MM-DD, today, tomorrow or yesterday; left out it is today"},
        "other_date": {**_DATE, "description": "End of days_between, or the day an age is counted to"},
        "days": {"type": "integer", "minimum": -MAX_DAYS, "maximum": MAX_DAYS, "description": "For add_days"},
        "months": {"type": "integer", "minimum": -120_000, "maximum": 120_000, "description": "For add_days"},
        "holiday": {"type": "string", "minLength": 1, "maxLength": 60, "description": "e.g. Christmas, Easter, Diwali"},
        "country": {"type": "string", "minLength": 2, "maxLength": 60, "description": "Whose holiday, e.g. Canada"},
        "year": {"type": "integer", "minimum": 1, "maximum": 9999},
    },
    "required": ["operation"],
    "additionalProperties": False,
}


def build(config: ToolConfig) -> Tool:
    """The calendar, reading today from ``config.now``."""
    description = (
        "Works out weekdays, days between or until dates, holidays, leap years, ages; e.g. days until Christmas."
    )
    return Tool("calendar", description, PARAMETERS, partial(run, config.now), partial(parse, config.now), effects=False)


def run(
    now: Callable[[], datetime],
    operation: str,
    date: str | None = None,
    other_date: str | None = None,
    **rest: Any,
) -> str:
    """The result as ``weekday of 14 July 1789 = Tuesday``. Raises ToolError for dates that do not exist or are missing."""
    today = now().date()
    if operation not in OPERATIONS:
        raise ToolError(f"operation {operation!r} is not one of {', '.join(OPERATIONS)}. Choose one of them.")
    holiday, country, year = rest.get("holiday"), rest.get("country"), rest.get("year")
    try:
        if operation == "leap_year":
            year = year or (_read(date, today).year if date else today.year)
            return f"is {year} a leap year? = {f'yes ({year} has 366 days)' if isleap(year) else f'no ({year} has 365 days)'}"
        if operation == "holiday_date":
            wanted, moment = _holiday(holiday, country, year, today)
            return f"{wanted} {moment.year} = {long(moment)}"
        if operation == "days_until":
            return _until(date, holiday, country, year, today)
        if operation == "days_in_month":
            moment = _read(date, today)
            return f"days in {moment:%B} {moment.year} = {monthrange(moment.year, moment.month)[1]}"
        if holiday and not date:
            wanted, moment = _holiday(holiday, country, year, today)
            wanted = f"{wanted} ({short(moment)})"
        else:
            moment = _read(date, today)
            wanted = short(moment)
        if operation == "weekday":
            return f"weekday of {wanted} = {moment:%A}"
        if operation == "week_number":
            return f"ISO week of {wanted} = {moment.isocalendar().week}"
        if operation == "add_days":
            return _added(moment, rest.get("days") or 0, rest.get("months") or 0)
        end = _read(other_date, today)
        if operation == "age":
            return _age(moment, end)
        return _between(moment, end)
    except OverflowError:
        raise ToolError(f"The result of {operation} lies outside the years 1 to 9999. Give a nearer date.") from None


def _read(text: str | None, today: date) -> date:
    """A date argument; None is today."""
    if text is None:
        return today
    named = name_day(plain(clean(text)), today)
    if named is not None and named.day:
        return named.day
    if re.fullmatch(r"\d{4}", text.strip()) and int(text) > 0:
        return date(int(text), 1, 1)
    said = repr(shorten(text, 40))
    if named is None:
        why = f"{said} is not a date between the years 1 and 9999"
    else:
        why = f"{said} may be two days" if named.ambiguous else f"There is no such date as {said}"
    raise ToolError(f"{why}. Write a day that exists as YYYY-MM-DD, e.g. 2026-12-25.")


def _holiday(name: str | None, country: str | None, year: int | None, today: date) -> tuple[str, date]:
    """(name, date) of a holiday in ``year``, or of the next one where no year is given."""
    if not name:
        raise ToolError("holiday is missing; 1 is needed. Give its name, e.g. 'Christmas' or 'Easter'.")
    code = country_code(country) if country else None
    if country and code is None:
        raise ToolError(f"No holidays are known for {shorten(country, 40)!r}. Give a country, e.g. 'Canada' or 'CA'.")
    for candidate in (year,) if year else (today.year, today.year + 1, today.year + 2):
        found = holiday_date(name, candidate, code)
        if found and (year or found[1] >= today):
            return found
    raise ToolError(
        f"No holiday called {shorten(name, 40)!r} is know"
        f"n{f' in {year}' if year else ''}{f' for {country}' if country else ''}. "
        "Give its common English name, e.g. 'Easter', and the country if it is a national one."
    )


def _until(text: str | None, holiday: str | None, country: str | None, year: int | None, today: date) -> str:
    if holiday:
        name, moment = _holiday(holiday, country, year, today)
        label = f"{name} ({long(moment)})"
    else:
        moment = _read(text, today)
        label = long(moment)
    days = (moment - today).days
    return f"days {'since' if days < 0 else 'until'} {label} = {_days(abs(days))}{_weeks(abs(days))}"


def _between(start: date, end: date) -> str:
    days = abs((end - start).days)
    return f"days from {short(start)} to {short(end)} = {_days(days)}{_weeks(days)}"


def _weeks(days: int) -> str:
    """`` (4 weeks and 5 days)``, or nothing below two weeks."""
    weeks, rest = divmod(days, 7)
    return f" ({weeks:,} weeks{f' and {_days(rest)}' if rest else ''})" if weeks > 1 else ""


def _added(moment: date, days: int, months: int) -> str:
    steps = [(abs(days), "day", days < 0)] if days or not months else []
    steps += (
        [(abs(months) // 12, "year", months < 0)]
        if months and months % 12 == 0
        else [(abs(months), "month", months < 0)]
        if months
        else []
    )
    text = "".join(
        f" {'-' if minus else '+'} {count:,} {unit}{'' if count == 1 else 's'}" for count, unit, minus in steps
    )
    return f"{short(moment)}{text} = {long(shift(moment, days, months))}"


def _age(born: date, day: date) -> str:
    if born > day:
        raise ToolError(f"The birth date {short(born)} lies after {short(day)}. Give a birth date in the past.")
    years = relativedelta(day, born).years
    return f"age on {short(day)} of someone born on {short(born)} = {years} year{'' if years == 1 else 's'}"


def _days(count: int) -> str:
    return f"{count:,} day{'' if count == 1 else 's'}"
