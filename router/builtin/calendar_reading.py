"""What a question asks of the calendar: the days that it names, what is to be told of them, and no word left over.

Leaves out naming the days (``moments.py``) and telling (``calendar.py``). A form says what is asked; the words around
it must be such as questions of that form are made of (``said.py``), or the form is not what was asked.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from router.builtin.dates import MONTHS
from router.builtin.moments import WEEKDAY, Moment, Named, name_days
from router.builtin.numbers import clean, plain
from router.builtin.said import foreign, unread

_CHATTER = re.compile(
    r"[\s,]*\b(?:please|pls|thanks|thank you|thx)$|^(?:(?:please|pls|hey|hi|so|ok|quick|tell me|do you know"
    r"|(?:can|could|would|will) you (?:\w+ )?tell me)\b[\s,:]*)+"
)
Arguments = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A question to the calendar: ``rest`` is its text with a sign in the place of each of its ``days``."""

    rest: str
    days: tuple[Moment, ...]
    named: Named
    today: date

    def text(self, moment: Moment) -> str:
        return self.named.text[moment.start : moment.end]


@dataclass(frozen=True)
class Form:
    """A way of asking: ``pattern`` is searched in the rest of a question with so many ``days``; what its groups take is
    accounted for, and every other word must be one of those of ``kinds`` (for ``tells`` see ``unread``)."""

    kinds: tuple[str, ...]
    days: Sequence[int]
    pattern: re.Pattern[str]
    read: Callable[[Asked, re.Match[str]], Arguments | None]
    tells: bool = False


def parse(now: Callable[[], datetime], question: str) -> Arguments | None:
    """What ``question`` asks of the calendar, or None."""
    today = now().date()
    named = _named(question, today)
    days = {(moment.day, moment.holiday): moment for moment in reversed(named.moments)}
    asked = Asked(named.rest, tuple(list(days.values())[::-1]), named, today)
    if any(moment.ambiguous for moment in asked.days):
        return None
    if absent := next((moment for moment in asked.days if moment.fault), None):
        return {"operation": "weekday", "date": absent.fault[:40]}  # the tool says that there is no such day
    for form in _FORMS:
        match = form.pattern.search(asked.rest) if len(asked.days) in form.days else None
        if match and (arguments := form.read(asked, match)) and not _unread(asked, form, match):
            return arguments
    return None


def left_over(question: str) -> str | None:
    """A word of ``question`` that no question to the calendar has."""
    return foreign(_named(question, date(2000, 1, 1)).rest, "calendar")


def _named(question: str, today: date) -> Named:
    text = plain(clean(question)).strip(" ?!.").replace("'s", " is").replace("’", "'")
    return name_days(_CHATTER.sub("", text), today)


def _unread(asked: Asked, form: Form, match: re.Match[str]) -> list[str]:
    """The words of the question that neither the form nor its kind accounts for."""
    taken = [match.span(group) for group in range(1, form.pattern.groups + 1) if match[group]]
    return [
        word
        for place, word in unread(asked.rest, "calendar", *form.kinds, tells=form.tells)
        if not any(start <= place < end for start, end in taken)
    ]


# ------------------------------------------------------------------ arguments


def _day(moment: Moment, day: date | None, asked: Asked) -> str:
    """``day`` as an argument: the word that says it, or YYYY-MM-DD."""
    text = asked.text(moment)
    return text if text in ("today", "tomorrow", "yesterday") else (day or moment.day).isoformat()


def _holiday(moment: Moment) -> Arguments:
    slots = (("holiday", moment.holiday), ("country", moment.country), ("year", moment.year))
    return {name: value for name, value in slots if value is not None}


def _is_holiday(moment: Moment) -> bool:
    return moment.holiday is not None and moment.base is None


def _year_of(asked: Asked, match: re.Match[str]) -> int:
    """The year that ``match`` says in digits, or by this, next or last."""
    said_year = match.groupdict().get("y")
    return int(said_year) if said_year else asked.today.year + {"next": 1, "last": -1}.get(match["whose"] or "", 0)


def _leap(asked: Asked, match: re.Match[str]) -> Arguments | None:
    if match["any"]:
        year = next(y for y in range(asked.today.year + 1, asked.today.year + 10) if isleap(y))
        return {"operation": "leap_year", "year": year}
    year = _year_of(asked, match)
    return {"operation": "leap_year", "year": year} if year else None


def _leap_day(asked: Asked, match: re.Match[str]) -> Arguments | None:
    """ "does 2028 have a february 29": a year that has none has been refused before."""
    day = asked.days[0].day
    leaps = day is not None and (day.month, day.day) == (2, 29) and asked.days[0].in_year is None
    return {"operation": "leap_year", "year": day.year} if leaps else None


def _days_in_month(asked: Asked, match: re.Match[str]) -> Arguments:
    if match["mon"]:
        year, month = int(match["y"] or asked.today.year), MONTHS[match["mon"]]
    else:
        month = asked.today.month - 1 + {"next": 1, "last": -1}.get(match["whose"], 0)
        year, month = asked.today.year + month // 12, month % 12 + 1
    return {"operation": "days_in_month", "date": f"{year}-{month:02}-01"}


def _days_in_year(asked: Asked, match: re.Match[str]) -> Arguments | None:
    year = _year_of(asked, match)
    if not 0 < year < 9999:
        return None
    if match["unit"] == "days":
        return {"operation": "leap_year", "year": year}
    return {"operation": "days_between", "date": f"{year:04}-01-01", "other_date": f"{year + 1:04}-01-01"}


def _week_number(asked: Asked, match: re.Match[str]) -> Arguments:
    return {"operation": "week_number"} | ({"date": _day(asked.days[0], None, asked)} if asked.days else {})


def _age(asked: Asked, match: re.Match[str]) -> Arguments | None:
    if any(moment.in_year or moment.day is None for moment in asked.days):
        return None
    born, *later = sorted(asked.days, key=lambda moment: moment.day or asked.today)
    if not later and re.search(r"\b(?:week\s*day|day\s+of\s+the\s+week|(?:what|which)\s+day)\b", asked.rest):
        return {"operation": "weekday", "date": _day(born, None, asked)}
    if born.day > asked.today:
        return None
    if re.search(r"\bdays\s+old\b|\bin\s+days\b|\bhow\s+many\s+days\b", asked.rest):
        return None if later else {"operation": "days_until", "date": _day(born, None, asked)}
    if re.search(r"\b(?:wh(?:o|at|ich|ere|y|ose))\b", asked.rest) and not re.search(r"\b(?:old|age|years|turn)\b", asked.rest):
        return None  # "who was born on 4 july 1976"
    return {"operation": "age", "date": _day(born, None, asked), **{"other_date": day.day.isoformat() for day in later}}


def _age_by_year(asked: Asked, match: re.Match[str]) -> Arguments | None:
    years = re.findall(r"(?<!\d)\d{4}(?!\d)", asked.rest)
    return {"operation": "age", "date": f"{years[0]}-01-01"} if len(years) == 1 and int(years[0]) else None


def _between(asked: Asked, match: re.Match[str]) -> Arguments | None:
    """Days from one day to the other; one without a year is the nearest to the other, in the order said."""
    joint = _JOINED.search(asked.rest)
    if not joint or (joint[1] in ("and", "&") and not re.search(r"\b(?:between|from|difference|apart)\b", asked.rest)):
        return None  # "what day was christmas 2 months ago" says one day by two, "until christmas and easter" asks twice
    first, last = asked.days
    start, end = first.day, last.day
    if last.in_year:
        start = start or first.after(asked.today)
        end = start and last.after(start)
        if first.in_year and end and end.year > start.year and "between" in asked.rest and not first.holiday:
            return None  # "between 3 march and 10 february": of which years?
    elif first.in_year:
        start = end and first.before(end)
    if start is None or end is None:
        return None
    if first.holiday and not last.holiday and end < start and first.in_year is None:
        return None
    words = (_day(first, start, asked), _day(last, end, asked))
    if words[0] == "today" and _is_holiday(last):
        return {"operation": "days_until", **_holiday(last)}
    return {"operation": "days_between", "date": words[0], "other_date": words[1]}


def _left(asked: Asked, match: re.Match[str]) -> Arguments | None:
    """Days left of this year or month."""
    if _other_unit(asked.rest):
        return None
    year, month = asked.today.year, asked.today.month
    last = date(year, 12, 31) if match["whole"] == "year" else _last_day(year, month)
    return {"operation": "days_until", "date": last.isoformat()}


def _last_day(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1).fromordinal(
        date(year + month // 12, month % 12 + 1, 1).toordinal() - 1
    )


def _other_unit(rest: str) -> bool:
    """Whether a span is asked for in another unit than days and weeks."""
    return (
        re.search(r"\bhow\s+many\s+(?:more\s+|full\s+|whole\s+)?(?!days|weeks|sleeps|nights|more)\w+", rest) is not None
    )


def _span(asked: Asked, match: re.Match[str]) -> Arguments | None:
    """How long until or since a day."""
    (moment,) = asked.days
    if _other_unit(asked.rest):
        return None
    past = re.search(r"\b(?:since|ago|passed)\b", asked.rest)
    day = moment.before(asked.today) if past else moment.after(asked.today)
    if day is None or (past and day > asked.today):
        return None
    if _is_holiday(moment):
        year = {"year": day.year} if past or moment.year else {}
        return {"operation": "days_until", **_holiday(moment), **year}
    return {"operation": "days_until", "date": _day(moment, day, asked)}


def _moved(asked: Asked, match: re.Match[str]) -> Arguments | None:
    """The day that is so far from another."""
    (moment,) = asked.days
    if moment.base is None:
        return None
    steps = {name: count for name, count in (("days", moment.days), ("months", moment.months)) if count}
    base, day = moment.base, moment.base.day
    if _is_holiday(base):
        return {"operation": "add_days", **_holiday(base), **steps}
    tomorrow = day.toordinal() - asked.today.toordinal()
    word = {0: None, 1: "tomorrow", -1: "yesterday"}.get(tomorrow, day.isoformat())
    return {"operation": "add_days", **({"date": word} if word else {}), **steps}


def _date_of(asked: Asked, match: re.Match[str]) -> Arguments | None:
    """The date of a day that is said in words."""
    (moment,) = asked.days
    if _is_holiday(moment):
        return {"operation": "holiday_date", **_holiday(moment)}
    day = moment.after(asked.today)
    if day is None or moment.plain:
        return None
    return {"operation": "add_days", "days": (day - asked.today).days}


def _weekday(asked: Asked, match: re.Match[str]) -> Arguments | None:
    """The weekday of a day."""
    (moment,) = asked.days
    if _is_holiday(moment):
        asks_week = re.search(r"\bweek", asked.rest)
        return {"operation": "weekday" if asks_week else "holiday_date", **_holiday(moment)}
    if not moment.plain and re.search(WEEKDAY, asked.text(moment)):
        return _date_of(asked, match)  # its weekday is said: the date is asked for
    day = moment.day or moment.after(asked.today)
    return {"operation": "weekday", "date": _day(moment, day, asked)} if day else None


# ------------------------------------------------------------------ forms

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_D = r"[\ue000-\uefff]"
_THERE = r"(?:\s+(?:are|is|does|has|do))?(?:\s+there)?\s+"
_SOME_YEAR = r"(?:the\s+year\s+)?(?P<y>\d{4})|(?P<whose>this|next|last)\s+year"
_TIMED = r"(?:second|minute|min|hour|hr|day|week|month|year)s?\b"
_JOINED = re.compile(rf"{_D}\W*([-–&]|\b(?:to|until|till?|and|minus|through|since|from|vs)\b).*{_D}", re.DOTALL)
_BORN = r"\b(?:born|birthday|birth\s*date|date\s+of\s+birth|dob|b-?day|age|how\s+old)\b"


def _form(
    kinds: str,
    days: Sequence[int],
    pattern: str,
    read: Callable[[Asked, re.Match[str]], Arguments | None],
    tells: bool = False,
) -> Form:
    return Form(tuple(kinds.split()), days, re.compile(pattern), read, tells)


_FORMS = (
    _form("leap_year", (1,), r"\b(?:have|has|had|there)\b", _leap_day),
    _form("leap_year holiday_date", (0,), r"(?P<any>\bnext\s+leap|\bin\s+a\s+leap)\s+year", _leap),
    _form("leap_year", (0,), rf"(?P<any>(?!))?(?:\b(?:{_SOME_YEAR}).*\bleap\b)", _leap),
    _form("leap_year", (0,), r"(?P<any>(?!))?(?P<whose>(?!))?\bleap\b.*?\b(?P<y>\d{3,4})\b", _leap),
    _form(
        "leap_year",
        (0,),
        rf"\b(?P<asked>(?:how\s+many\s+|number\s+of\s+)?days){_THERE}(?:in|of)?\s*(?:the\s+month\s+of\s+)?"
        rf"(?:(?P<mon>{_MONTH})\b(?:\s+(?:of\s+|in\s+)?(?P<y>\d{{4}}))?(?!\s+\d)|(?P<whose>this|next|last)\s+month)",
        _days_in_month,
    ),
    _form(
        "leap_year",
        (0,),
        rf"\b(?:how\s+many|number\s+of)\s+(?P<unit>days|weeks){_THERE}(?:in\s+)?(?:{_SOME_YEAR})(?!\d|\s*{_TIMED})",
        _days_in_year,
    ),
    _form(
        "weekday",
        (0, 1),
        r"(?P<asked>\b(?:(?:which|what)\s+)?(?:calendar\s+)?week\s*(?:number|no\.?|#)"
        r"|\b(?:which|what)\s+week\b(?!\s*day)|\bcalendar\s+week\b|\bweek\s+of\s+the\s+year\b)",
        _week_number,
    ),
    _form("age", (1, 2), rf"(?!.*\b(?:until|till?|to)\b).*{_BORN}", _age, tells=True),
    _form("age", (0,), rf"(?!.*\b(?:until|till?|to)\b)(?=.*{_BORN}).*?\b(?P<y>\d{{4}})\b", _age_by_year),
    _form(
        "days_between",
        (2,),
        r"\b(?P<asked>days?|weeks?|how\s+(?:long|far|many|much)|difference|time|to|until|till?|between|count)\b|^\W+$",
        _between,
    ),
    _form(
        "days_until",
        (0,),
        r"(?P<left>\bleft|\bremain(?:s|ing)?|\bmore\s+days|\bdays)\s+"
        r"(?P<to>(?:in|of|to|until|till?|are|do\s+we\s+have)\s+)*"
        r"(?P<whose>the|this)\s+(?P<whole>year|month)\b",
        _left,
    ),
    _form(
        "days_until days_between",
        (1,),
        r"(?=.*\b(?:until|till?|untill|before|to|go|left|away|from|since|ago|passed|countdown|up|in\s+how\s+many|soon"
        r"|how\s+far)\b)"
        r".*\b(?P<asked>how\s+(?:many|long|far|much)|soon|away|number\s+of|days?|weeks?|countdown|time|nights|sleeps"
        r"|months?|years?)\b",
        _span,
    ),
    _form("add_days weekday", (1,), r"", _moved),
    _form(
        "weekday", (1,), r"^(?!.*\bhow\s+m)(?=.*\b(?:week\s*day|day\s+of\s+(?:the\s+)?week)\b)", _weekday, tells=True
    ),
    _form(
        "weekday",
        (1,),
        r"\b(?P<asked>week\s*day|day\s+of\s+(?:the\s+)?week|(?:what|which|wat)\s+(?:week)?day|day(?!\s+of\s+(?:the\s+)?year|\s+number)"
        rf"|(?:an?|on)\s+(?:{WEEKDAY}|weekend))\b",
        _weekday,
    ),
    _form("holiday_date", (1,), r"", _date_of),
    _form("weekday", (1,), rf"^\W*(?:for|of|on|is|the)?\W*{_D}\W*$", _weekday),
)
"""The ways of asking, the surest first."""
