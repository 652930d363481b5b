"""Calendar: weekdays, spans between dates, dates a number of days away, holidays, leap years, ages.

Leaves out times of day. Today is read from the injected clock; holidays come from the ``holidays`` package, Easter
from dateutil.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from dateutil.relativedelta import relativedelta

from router.builtin import ToolConfig
from router.builtin.dates import MONTHS, find_dates, long, next_weekday, read_date, shift, short
from router.builtin.holiday_names import country_code, holiday_date, holiday_in
from router.builtin.numbers import clean, fractions, plain
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
    moment = read_date(plain(clean(text)), today)
    if moment is None and re.fullmatch(r"\d{4}", text.strip()) and int(text) > 0:
        return date(int(text), 1, 1)
    if moment is None:
        raise ToolError(
            f"{shorten(text, 40)!r} is not a date between the years 1 and 9999. Write it as YYYY-MM-DD, e.g. "
            f"2026-12-25."
        )
    return moment


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


_UNTIL = re.compile(r"\b(?:until|till|til|untill|before|to\s+go|left|away|to|from\s+now|countdown|up\s+to)\b")
_SPAN = re.compile(
    r"\b(?:how\s+(?:many|long|far)|number\s+of|days?|weeks?|countdown|time|nights|sleeps|months?|"
    r"years?)\b"
)
_OFFSET = re.compile(
    r"(?:(?P<n>\d{1,6})|\b(?P<one>a|an))\s+(?P<unit>day|week|fortnight|month|year|decade)s?\s+(?P<way>after|from|"
    r"before|prior\s+to|since|past|later\s+than|earlier\s+than|following)\s+(?P<rest>.+)"
)
_PLUS = re.compile(
    r"^(?P<base>.+?)\s*(?P<sign>[+-]|\bplus\b|\bminus\b)\s*(?P<n>\d{1,6})\s*(?P<unit>day|week|month|"
    r"year)s?$"
)
_AGO = re.compile(
    r"\b(?:what|which|date|day)\b.*?\b(?:(?P<n>\d{1,6})|(?P<one>a))\s+(?P<unit>day|week|fortnight|"
    r"month|year|decade)s?\s+(?P<way>ago|later|earlier|hence)|(?:what|which|date|day|when)\b.*?\bin"
    r"\s+(?P<n2>\d{1,6})\s+(?P<unit2>day|week|month|year)s?"
)
_ADD = re.compile(
    r"\b(?P<verb>add|subtract|take)\s+(?P<n>\d{1,6})\s+(?P<unit>day|week|month|year)s?\s+(?:to|from|"
    r"onto)\s+(?P<rest>.+)"
)
_BORN = re.compile(r"\b(?:born|birthday|birth\s*date|birthdate|date\s+of\s+birth|dob|b-?day)\b")
_DAYS_IN = re.compile(
    rf"\b(?:how\s+many\s+days|number\s+of\s+days|days)\b(?:\s+(?:are|is|does|has))?(?:\s+there)?\s+"
    rf"(?:in|has|does|of)?\s*(?:the\s+month\s+of\s+)?(?P<mon"
    rf">{'|'.join(sorted(MONTHS, key=len, reverse=True))})\b(?:\s+(?:of\s+|in"
    rf"\s+)?(?P<y>\d{{4}}))?(?!\s+\d)(?:\s+have)?\s*$"
)


def parse(now: Callable[[], datetime], question: str) -> dict[str, Any] | None:
    """What ``question`` asks of the calendar, or None."""
    today = now().date()
    text = fractions(plain(clean(question))).strip(" ?!.").replace("'s", " is").replace("’", "'")
    text = re.sub(
        r"[\s,]*\b(?:please|pls|thanks|thank you|thx)$|^(?:(?:please|pls|hey|hi|so|ok|quick|tell me|can "
        r"you tell me|do you know)\b[\s,:]*)+",
        "",
        text,
    )
    dates = find_dates(text, today)
    holiday, country, year = holiday_in(text)
    if re.search(r"\b(?:working|business|work|week)\s?days\b", text):
        return None  # the calendar does not know them
    if re.search(r"\bleap\b", text):
        return _leap(text, today)
    month = _DAYS_IN.search(text)
    if month:
        return {"operation": "days_in_month", "date": f"{month['y'] or today.year}-{MONTHS[month['mon']]:02}-01"}
    for read in (_read_offset, _read_age):
        if arguments := read(text, dates, today, holiday):
            return arguments
    if re.search(
        r"\bweek\s*(?:number|no\.?|#)|\b(?:which|what)\s+week\b|\bcalendar\s+week\b|\bweek\s+of\s+the"
        r"\s+year\b",
        text,
    ):
        return {"operation": "week_number"} | ({"date": _iso(dates[0], text)} if dates else {})
    if len(dates) >= 2:
        return {"operation": "days_between", "date": _iso(dates[0], text), "other_date": _iso(dates[1], text)}
    asked = _Asked(text, today, dates, holiday, country, year)
    for read in (_between_holidays, _to_the_end, _span, _day_of, _one_date):
        if arguments := read(asked):
            return arguments
    return None


@dataclass(frozen=True)
class _Asked:
    """A question to the calendar: its text in digits, the dates in it, and the holiday that it names."""

    text: str
    today: date
    dates: list[tuple[int, int, date, bool]]
    holiday: str | None
    country: str | None
    year: int | None

    @property
    def named(self) -> dict[str, Any]:
        slots = (("holiday", self.holiday), ("country", self.country), ("year", self.year))
        return {name: value for name, value in slots if value is not None}

    @property
    def span(self) -> bool:
        return _SPAN.search(self.text) is not None and (_UNTIL.search(self.text) or _SINCE.search(self.text)) is not None


_WEEKDAY_ASKED = re.compile(
    r"\b(?:weekday|day\s+of\s+(?:the\s+)?week|(?:what|which|wat)\s+(?:week)?day|(?:what|which)\s+is\s+the\s+day"
    r"|day\s+(?:was|is|will|does|did)|on\s+what\s+day|dayofweek)\b"
)
_SINCE = re.compile(r"\bsince\b|\bbetween\b|\bfrom\b|\bago\b|\bpassed\b|\bcountdown\b")
_END = re.compile(
    r"\b(?:left|remain\w*|until|till|to)\b.*\b(?:the\s+)?(?:end\s+of\s+)?(?:the|this)\s+(year|month)\b"
)
_DAY_NAMED = re.compile(r"\b(?:day|weekday|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b")
_DATE_ASKED = re.compile(
    r"\b(?:when|what\s+date)\s+(?:is|was)\s+(?:the\s+)?(?:day\s+after\s+)?(?:tomorrow|yesterday|next|last|this)\b"
    r"|\bdate\b"
)


def _between_holidays(asked: _Asked) -> dict[str, Any] | None:
    second = _second_holiday(asked.text, asked.holiday, asked.today)
    if not (asked.holiday and second and re.search(r"\bbetween\b|\bfrom\b.*\bto\b", asked.text)):
        return None
    if not (first := holiday_date(asked.holiday, asked.year or asked.today.year)):
        return None
    return {"operation": "days_between", "date": first[1].isoformat(), "other_date": second(first[1]).isoformat()}


def _to_the_end(asked: _Asked) -> dict[str, Any] | None:
    """Days left of this year or month."""
    end, today = _END.search(asked.text), asked.today
    if not end or asked.dates or asked.holiday:
        return None
    month = 12 if end[1] == "year" else today.month
    last = date(today.year, month, monthrange(today.year, month)[1])
    return {"operation": "days_until", "date": last.isoformat()}


def _span(asked: _Asked) -> dict[str, Any] | None:
    """How long until or since a date or a holiday."""
    if not asked.span:
        return None
    if asked.dates and asked.holiday:
        return _to_holiday(asked.dates[0], asked.text, asked.today, asked.holiday, asked.country, asked.year)
    if asked.holiday:
        return {"operation": "days_until", **asked.named}
    if not asked.dates:
        return None
    first = asked.dates[0]
    past = re.search(r"\bsince\b|\bago\b|\bpassed\b", asked.text)
    day = first[2] if past else _future(first, asked.today)
    return {"operation": "days_until", "date": _iso((*first[:2], day, True), asked.text)}


def _day_of(asked: _Asked) -> dict[str, Any] | None:
    """The day of a holiday or a date."""
    text, dates = asked.text, asked.dates
    if asked.holiday:
        return {"operation": "weekday" if _WEEKDAY_ASKED.search(text) and "week" in text else "holiday_date", **asked.named}
    if not dates:
        return None
    wants_date = re.search(r"\b(?:what|which)\s+(?:is\s+the\s+)?date\b|\bwhen\s+is\b", text)
    if wants_date and re.search(r"\b(?:next|last|this|tomorrow|yesterday)\b", text):
        return {"operation": "add_days", "days": (dates[0][2] - asked.today).days}
    if _WEEKDAY_ASKED.search(text) or _DAY_NAMED.search(text):
        return {"operation": "weekday", "date": _iso(dates[0], text)}
    return None


def _one_date(asked: _Asked) -> dict[str, Any] | None:
    """What a question that says little besides a date can only mean."""
    text, dates = asked.text, asked.dates
    until = re.search(r"\b(?:until|till|til|to|before)\s+(?:next\s+)?(\w+)$", text)
    moment = until and next_weekday(until[1], asked.today)
    if moment and _SPAN.search(text):
        return {"operation": "days_until", "date": moment.isoformat()}
    if not dates:
        return None
    bare = re.fullmatch(r"(?:weekday|day|date)?\s*(?:of\s+|for\s+|on\s+)?.{0,2}", text[: dates[0][0]])
    if bare and dates[0][1] >= len(text) - 1:
        return {"operation": "weekday", "date": _iso(dates[0], text)}
    if _DATE_ASKED.search(text):
        return {"operation": "add_days", "days": (dates[0][2] - asked.today).days}
    return None


def _leap(text: str, today: date) -> dict[str, Any] | None:
    years = re.findall(r"(?<!\d)(\d{3,4})(?!\d)", text)
    if years:
        return {"operation": "leap_year", "year": int(years[0])} if int(years[0]) else None
    step = 1 if re.search(r"\bnext\s+year\b", text) else -1 if re.search(r"\blast\s+year\b", text) else 0
    if re.search(
        r"\bnext\s+leap\b|\bwhen\s+is\s+the\s+next\b|\bdays\s+(?:are\s+(?:there\s+)?)?(?:in|has|does)\s+a"
        r"\s+leap\b",
        text,
    ):
        return {"operation": "leap_year", "year": next(y for y in range(today.year + 1, today.year + 10) if isleap(y))}
    return {"operation": "leap_year", "year": today.year + step}


def _read_offset(text: str, dates: list[Any], today: date, holiday: str | None) -> dict[str, Any] | None:
    """ "45 days after 1 June 2026", "3 weeks from today", "2026-06-01 + 45 days", "add 10 days to May 3", "100 days ago"."""
    match = _ADD.search(text) or _OFFSET.search(text) or _PLUS.search(text) or _AGO.search(text)
    if not match:
        return None
    parts = match.groupdict()
    count = int(parts.get("n") or parts.get("n2") or 1)
    unit = parts.get("unit") or parts["unit2"]
    word = parts.get("way") or parts.get("verb") or parts.get("sign") or "in"
    if word in ("before", "earlier", "ago", "subtract", "take", "-", "minus", "earlier than") or word.startswith(
        "prior"
    ):
        count = -count
    step = {"day": 1, "week": 7, "fortnight": 14}.get(unit)
    moved = {"days": count * step} if step else {"months": count * {"month": 1, "year": 12, "decade": 120}[unit]}
    if abs(next(iter(moved.values()))) > (MAX_DAYS if step else 120_000):
        return None
    if parts.get("way") in ("ago", "later", "earlier", "hence") or parts.get("n2"):
        return {"operation": "add_days", **moved}
    rest = parts.get("rest") or parts.get("base") or ""
    base = find_dates(rest, today)
    if base:
        first = base[0]
        return {"operation": "add_days", **({} if first[2] == today else {"date": _iso(first, rest)}), **moved}
    if holiday_in(rest)[0]:
        name, _, year = holiday_in(rest)
        return {"operation": "add_days", "holiday": name, **({"year": year} if year else {}), **moved}
    moment = next_weekday(rest, today)
    return {"operation": "add_days", "date": moment.isoformat(), **moved} if moment else None


def _read_age(text: str, dates: list[Any], today: date, holiday: str | None) -> dict[str, Any] | None:
    if not (_BORN.search(text) or re.search(r"\bage\b|\bhow\s+old\b", text)) or re.search(
        r"\b(?:until|till|til|to)\b", text
    ):
        return None
    asks_day = re.search(r"\b(?:week\s*day|day\s+of\s+the\s+week|(?:what|which)\s+day)\b", text)
    if dates and (asks_day or dates[0][2] > today):
        return {"operation": "weekday", "date": _iso(dates[0], text)}
    if dates and re.search(r"\bdays\s+old\b|\bin\s+days\b|\bhow\s+many\s+days\b", text):
        return {"operation": "days_until", "date": _iso(dates[0], text)}
    if dates:
        late = f", {dates[1][2].isoformat()}" if len(dates) > 1 else ""
        return {"operation": "age", "date": _iso(dates[0], text)} | ({"other_date": late[2:]} if late else {})
    year = re.search(r"(?<!\d)(\d{4})(?!\d)", text)
    return {"operation": "age", "date": f"{year[1]}-01-01"} if year and int(year[1]) else None


def _to_holiday(
    first: Any, text: str, today: date, holiday: str, country: str | None, year: int | None
) -> dict[str, Any] | None:
    """Days between a date and a holiday: the calendar has no slot for both, so the holiday becomes its date."""
    start = first[2]
    for candidate in (year,) if year else (start.year, start.year + 1):
        found = holiday_date(holiday, candidate, country_code(country) if country else None)
        if found and (year or found[1] >= start):
            if start == today:
                return {"operation": "days_until", "holiday": holiday} | ({"year": year} if year else {})
            return {"operation": "days_between", "date": start.isoformat(), "other_date": found[1].isoformat()}
    return None


def _second_holiday(text: str, holiday: str | None, today: date) -> Callable[[date], date] | None:
    """Where ``text`` names another holiday after the first: a function from a date to that holiday's next date."""
    names = text.split(" and ", 1) if " and " in text else text.split(" to ", 1)
    name = holiday_in(names[1])[0] if holiday and len(names) == 2 else None
    if name is None or name == holiday:
        return None
    return lambda start: next(
        (found[1] for year in (start.year, start.year + 1) if (found := holiday_date(name, year)) and found[1] > start),
        start,
    )


def _future(found: tuple[int, int, date, bool], today: date) -> date:
    """The next occurrence of a date said without its year."""
    moment, said = found[2], found[3]
    if said or moment >= today:
        return moment
    return shift(moment, months=12)


def _iso(found: tuple[int, int, date, bool], text: str) -> str:
    word = text[found[0] : found[1]]
    return word if word in ("today", "tomorrow", "yesterday") else found[2].isoformat()
