"""The days that a question names, however said: "the third friday of march", "two weeks before last christmas".

Plain dates and holidays are found first; each then stands in the text as one sign, and rules that say how a day follows
from another are applied to what is written around these signs until none applies. What is left of the text is all that
its days do not account for. Leaves out what is asked of them (``calendar.py``) and times of day (``times.py``).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from router.builtin.dates import ABSOLUTE, MONTHS, WEEKDAYS, numeric_readings, shift
from router.builtin.holiday_names import HOLIDAY, country_code, holiday_date, holiday_named

FIRST_SIGN = 0xE000
"""Signs of days in a masked text: the private use area of Unicode, one sign a day."""
D = r"[\ue000-\uefff]+"
MAX_SHIFT = 3_660_000

Year = Callable[[int], "date | None"]


@dataclass(frozen=True)
class Moment:
    """A day that ``text[start:end]`` names.

    ``day`` is None where there is no such day; then ``fault`` holds the words that say it, and ``ambiguous`` tells of
    those that may say two. ``plain``: it is said by day and month, in words or digits. ``in_year`` gives the day in
    another year where none was said. A holiday keeps its ``holiday``, ``country`` and ``year``; a day that is said from
    another keeps that one as ``base``, with the ``days`` and ``months`` between them.
    """

    start: int
    end: int
    day: date | None
    in_year: Year | None = None
    fault: str = ""
    ambiguous: bool = False
    plain: bool = False
    holiday: str | None = None
    country: str | None = None
    year: int | None = None
    base: Moment | None = None
    days: int = 0
    months: int = 0

    def after(self, today: date) -> date | None:
        """The day itself, or where no year was said its next one, ``today`` included."""
        return self._nearest(today, range(today.year, today.year + 9), lambda day: day >= today)

    def before(self, today: date) -> date | None:
        """The day itself, or where no year was said its last one before ``today``."""
        return self._nearest(today, range(today.year, today.year - 9, -1), lambda day: day < today)

    def _nearest(self, today: date, years: range, fits: Callable[[date], bool]) -> date | None:
        if self.in_year is None:
            return self.day
        return next((day for year in years if (day := self.in_year(year)) and fits(day)), None)


@dataclass(frozen=True)
class Named:
    """A text and the days in it, in order. ``rest`` is the text with one sign for each day."""

    text: str
    rest: str
    moments: tuple[Moment, ...]


def name_days(text: str, today: date) -> Named:
    """The days that ``text`` (lower case, numbers in digits) names."""
    board = _Board(text, today)
    for rule in _ATOMS:
        board.apply(*rule)
    changed = True
    while changed:
        changed = any([board.apply(*rule) for rule in _RULES])
    signs = list(re.finditer(D, board.masked))
    moments = tuple(replace(board.days[m[0][0]], start=m.start(), end=m.end()) for m in signs)
    rest = re.sub(D, lambda m: m[0][0], board.masked)
    return _with_far_year(Named(text, rest, moments), today)


def _with_far_year(named: Named, today: date) -> Named:
    """A year that stands away from its day: "what day does christmas fall on in 2027"."""
    years = list(_FAR_YEAR.finditer(named.rest))
    open_days = [i for i, moment in enumerate(named.moments) if moment.in_year]
    if len(years) != 1 or len(open_days) != 1:
        return named
    moment, (start, end) = named.moments[open_days[0]], years[0].span()
    year = int(years[0]["y"]) if years[0]["y"] else today.year + _which(years[0]["whose"])
    moments = list(named.moments)
    moments[open_days[0]] = _set(moment, year, f"{named.text[moment.start : moment.end]} {years[0]['y'] or ''}".strip())
    return replace(named, rest=named.rest[:start] + named.rest[end:], moments=tuple(moments))


def name_day(text: str, today: date) -> Moment | None:
    """The one day that ``text`` is, its weekday and "on the" aside; None where it is none or more than one."""
    named = name_days(text.strip(" .,?!"), today)
    if len(named.moments) != 1:
        index = next((i for i, day in enumerate(WEEKDAYS) if text.strip() in (day, day[:3])), None)
        ahead = None if index is None else today + timedelta(days=(index - today.weekday()) % 7 or 7)
        return ahead and Moment(0, len(text), ahead)
    around = re.sub(rf"\b(?:on|the|{WEEKDAY})\b|[\s,]|{D}", "", named.rest)
    return None if around else named.moments[0]


class _Board:
    """The text under work: what is read of it is covered by a run of one sign, so that places stay what they were."""

    def __init__(self, text: str, today: date) -> None:
        self.masked, self.today = text, today
        self.days: dict[str, Moment] = {}

    def apply(self, pattern: re.Pattern[str], read: Callable[[re.Match[str], _Board], Moment | None]) -> bool:
        """Cover all that ``pattern`` finds and ``read`` makes a day of; whether anything was."""
        at, changed = 0, False
        while (match := pattern.search(self.masked, at)) is not None and len(self.days) < 200:
            at = match.end()
            moment = read(match, self)
            if moment is None:
                at = match.start() + 1
                continue
            sign = chr(FIRST_SIGN + len(self.days))
            self.days[sign] = moment
            start, end = moment.start, moment.end
            self.masked = self.masked[:start] + sign * (end - start) + self.masked[end:]
            changed = True
        return changed

    def day(self, signs: str) -> Moment:
        return self.days[signs[0]]


# ------------------------------------------------------------------ days that are said by themselves

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
WEEKDAY = "|".join((*WEEKDAYS, "mon", "tues?", "weds?", "thur?s?", "fri"))
_WHICH = r"this\s+coming|this\s+past|coming|upcoming|next|last|this|previous|past"
_STEPS = {"next": 1, "coming": 1, "upcoming": 1, "last": -1, "previous": -1, "past": -1, "this past": -1, "this": 0}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1, "final": -1}
_NTH = r"first|second|third|fourth|fifth|last|final|[1-5](?:st|nd|rd|th)"
_DAY_WORDS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_DAY_WORD = rf"(?:[23]0[-\s])?(?:{'|'.join(_DAY_WORDS)})"
_NOT = r"(?<![\w\ue000-\uefff.])"
_END = r"(?![\w\ue000-\uefff])"


def _rule(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"{_NOT}(?:{pattern}){_END}")


def _on(month: int, day: int) -> Year:
    def in_year(year: int) -> date | None:
        try:
            return date(year, month, day)
        except ValueError:
            return None

    return in_year


def _plain(match: re.Match[str], board: _Board) -> Moment | None:
    """A date in digits, or by day and month."""
    said = {name: value for name, value in match.groupdict().items() if value}
    start, end = match.span()
    if "a" in said:
        readings = numeric_readings(said["a"], said["sep"], said["b"], said["y"])
        day = readings[0] if len(readings) == 1 else None
        return Moment(start, end, day, None, "" if day else match[0], len(readings) > 1, plain=True)
    month = MONTHS[said["mon"]] if "mon" in said else int(said["m"])
    return _monthday(match, board, month, int(said["d"]))


def _monthday(match: re.Match[str], board: _Board, month: int, number: int) -> Moment:
    """A day of a month, in the year that ``match`` says or in this one."""
    in_year = _on(month, number)
    if match["y"] or in_year(2000) is None:  # a leap year: where not even that has it, no year does
        day = in_year(int(match["y"])) if match["y"] else None
        return Moment(*match.span(), day, fault="" if day else match[0], plain=True)
    return Moment(*match.span(), in_year(board.today.year), in_year, plain=True)


def _relative(match: re.Match[str], board: _Board) -> Moment:
    days = {"yesterday": -1, "today": 0, "tonight": 0, "now": 0}.get(match[0], 1)
    if match.groupdict().get("far"):
        days = 2 if "after" in match["far"] else -2
    return Moment(*match.span(), board.today + timedelta(days=days))


def _which(words: str | None) -> int:
    return _STEPS.get(" ".join((words or "this").split()), 1)


def _weekday(match: re.Match[str], board: _Board) -> Moment:
    """ "next friday", "on friday": the nearest one; "friday next week": that of the calendar's week."""
    index, today, said = _index(match["wd"]), board.today, match.groupdict()
    if said.get("week"):
        monday = today + timedelta(days=7 * _which(said["week"]) - today.weekday())
        return Moment(*match.span(), monday + timedelta(days=index))
    ahead = (index - today.weekday()) % 7 or 7
    days = ahead if _which(said["which"]) >= 0 else ahead - 7 or -7
    return Moment(*match.span(), today + timedelta(days=days))


def _bare_weekday(match: re.Match[str], board: _Board) -> Moment:
    """ "until friday" is the next one, "since friday" the last."""
    ahead = (_index(match["wd"]) - board.today.weekday()) % 7 or 7
    days = ahead - 7 or -7 if match["since"] else ahead
    return Moment(match.start("wd"), match.end("wd"), board.today + timedelta(days=days))


def _spoken(match: re.Match[str], board: _Board) -> Moment:
    """ "the twenty-first of june"; its tens are digits already."""
    *tens, ones = re.split(r"[-\s]", match["day"])
    day = int(tens[0] if tens else 0) + _DAY_WORDS.index(ones) + 1
    return _monthday(match, board, MONTHS[match["mon"]], day)


def _index(name: str) -> int:
    return next(i for i, day in enumerate(WEEKDAYS) if day.startswith(name[:3]))


def _holiday(match: re.Match[str], board: _Board) -> Moment | None:
    """A holiday with the year or the country beside it; "last" is its last one, "this year's" that of this year."""
    name, today, said = holiday_named(match["name"]), board.today, match.groupdict()
    where = said.get("of") or said.get("where")
    country = country_code(where) if where else None
    if name is None or (where and country is None):
        return None
    year = int(match["y"]) if match["y"] else None
    if match["whose"]:
        year = today.year + _which(match["whose"])

    def in_year(wanted: int) -> date | None:
        found = holiday_date(name, wanted, country)
        return found and found[1]

    moment = Moment(*match.span(), None, in_year, holiday=name, country=country)
    if year is None and match["which"] and _which(match["which"]) < 0:
        found = moment.before(today)
        year = found.year if found else None
    day = in_year(year) if year else moment.after(today)
    if day is None:
        return replace(moment, in_year=None, fault=match[0])
    return replace(moment, day=day, year=year, in_year=None if year else in_year)


def _of_month(match: re.Match[str], board: _Board) -> Moment | None:
    """ "the third friday of march 2027", "the last day of next month"."""
    nth = _ORDINALS.get(match["nth"]) or int(match["nth"][0])
    weekday = None if match["wd"] == "day" else _index(match["wd"])
    return _within(match, board, lambda first, last: _nth(first, last, weekday, nth))


def _edge(match: re.Match[str], board: _Board) -> Moment | None:
    """ "the end of the year", "the start of next month"."""
    return _within(match, board, lambda first, last: last if match["edge"] == "end" else first)


def _within(match: re.Match[str], board: _Board, pick: Callable[[date, date], date | None]) -> Moment | None:
    """The day that ``pick`` takes of the month or year that ``match`` names, by its first and last day."""
    today = board.today
    if match["mon"]:
        month = MONTHS[match["mon"]]

        def in_year(year: int) -> date | None:
            return pick(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))

        year = int(match["y"]) if match["y"] else today.year + _which(match["whose"]) if match["whose"] else None
        if year == 0:
            return None
        day = in_year(year or today.year)
        return Moment(*match.span(), day, None if year else in_year, "" if day or not year else match[0])
    if match["y"]:
        first = date(int(match["y"]), 1, 1) if int(match["y"]) else None
    else:
        whole = match["whole"]
        first = today.replace(day=1) if whole == "month" else date(today.year, 1, 1)
        first = shift(first, months=_which(match["which"]) * (1 if whole == "month" else 12))
    if first is None:
        return None
    months = 1 if match["whole"] == "month" else 12
    day = pick(first, shift(first, months=months) - timedelta(days=1))
    return Moment(*match.span(), day, fault="" if day else match[0])


def _nth(first: date, last: date, weekday: int | None, nth: int) -> date | None:
    if weekday is None:
        day = first + timedelta(days=nth - 1) if nth > 0 else last
    elif nth > 0:
        day = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
    else:
        day = last - timedelta(days=(last.weekday() - weekday) % 7)
    return day if first <= day <= last else None


# ------------------------------------------------------------------ days that are said from another day

_UNITS = {"day": (1, 0), "week": (7, 0), "fortnight": (14, 0), "month": (0, 1), "quarter": (0, 3), "year": (0, 12),
          "decade": (0, 120), "century": (0, 1200), "centurie": (0, 1200)}  # fmt: skip
"""A unit in (days, months)."""
_STEP = rf"(?:\d+(?:\.\d+)?|half\s+an?|1/2\s+an?|half|an?)(?:\s+(?:more|full|whole))?[\s-]*(?:{'|'.join(_UNITS)})s?"
_SPAN = rf"(?P<span>{_STEP}(?:\s*(?:,|,?\s*and|\+|plus)\s*{_STEP})*)"
_BASE = rf"(?:the\s+|on\s+)?(?P<base>{D})"
_BACK = re.compile(r"before|ago|earlier|prior|subtract|take|minus|-")


def _shift_of(span: str) -> tuple[int, int] | None:
    """(days, months) of "2.5 weeks", "1 year and 3 days"; half a day is cut, half a month is nothing for sure."""
    days = months = 0.0
    for count, unit in re.findall(
        rf"(\d+(?:\.\d+)?|half|1/2|an?)(?:\s+an?)?(?:\s+\w+)?[\s-]+({'|'.join(_UNITS)})", span
    ):
        many = {"half": 0.5, "1/2": 0.5, "a": 1.0, "an": 1.0}.get(count) or float(count)
        days, months = days + many * _UNITS[unit][0], months + many * _UNITS[unit][1]
    if not months.is_integer() or not (2 * days).is_integer() or max(days, 30 * months) > MAX_SHIFT:
        return None
    if not days.is_integer() and "week" not in span and "fortnight" not in span:
        return None
    return int(days), int(months)


def _moved(match: re.Match[str], board: _Board) -> Moment | None:
    """A day so many days, weeks, months or years from another, or from today."""
    said = match.groupdict()
    if said.get("span") and (found := _shift_of(said["span"])) is None:
        return None
    days, months = found if said.get("span") else (1, 0)
    if said.get("into") and _COUNTED.search(board.masked[: match.start()]):
        return None  # "how many days in 3 weeks"
    if _BACK.search(said.get("way") or ""):
        days, months = -days, -months
    base = board.day(said["base"]) if said.get("base") else Moment(*match.span(), board.today)
    if base.day is None:
        return replace(base, start=match.start(), end=match.end())
    try:
        day = shift(base.day, days, months)
    except OverflowError:
        return Moment(*match.span(), None, fault=match[0])
    return Moment(*match.span(), day, base=base, days=days, months=months)


def _weekday_beside(match: re.Match[str], board: _Board) -> Moment | None:
    """ "the monday after easter", "the second friday before 1 may"."""
    base = board.day(match["base"])
    if base.day is None:
        return replace(base, start=match.start(), end=match.end())
    nth = _ORDINALS.get(match["nth"] or "first") or int(match["nth"][0])
    back = _BACK.search(match["way"]) is not None
    if nth < 0 and not back:
        return None
    gap = (
        (base.day.weekday() - _index(match["wd"])) % 7 or 7
        if back
        else (_index(match["wd"]) - base.day.weekday()) % 7 or 7
    )
    gap += 7 * (abs(nth) - 1)
    days = -gap if back else gap
    return Moment(*match.span(), base.day + timedelta(days=days), base=base, days=days)


def _in_year(match: re.Match[str], board: _Board) -> Moment | None:
    """ "5 may next year", "christmas 2 years ago"."""
    base = board.day(match["base"])
    if base.in_year is None:
        return None
    years = -int(match["ago"]) if "ago" in match.groupdict() else _which(match["whose"])
    return replace(_set(base, board.today.year + years, match[0]), start=match.start(), end=match.end())


def _set(moment: Moment, year: int, said: str) -> Moment:
    """``moment`` in ``year``, which ``said`` says."""
    day = moment.in_year(year) if moment.in_year and year else None
    return replace(moment, day=day, in_year=None, year=year if moment.holiday else None, fault="" if day else said)


_SOME_YEAR = r"(?P<y>\d{4})|(?P<whose>this|next|last)\s+year"
_PERIOD = (
    rf"(?P<mon>{_MONTH})\b\.?(?:\s*,?\s*(?:of\s+|in\s+)?(?:{_SOME_YEAR}))?"
    r"|(?:(?P<which>this|next|last)|the)\s+(?P<whole>month|year)"
)
_HOW = rf"(?:(?P<whose>this|next|last)\s+year(?:'s|\s+is)\s+|(?:the\s+)?(?P<which>{_WHICH})\s+)?"
_WHERE = r"\s+in\s+(?:the\s+)?(?P<where>[a-z]+(?:\s(?:states|kingdom|zealand|africa))?)"
_FAR_YEAR = re.compile(
    r"(?:\b(?:in|of)\s+)?(?<![\w.,$€£])(?:(?P<y>[12]\d{3})(?![\w.,]\d|\w)|(?P<whose>this|next|last)\s+year\b(?!'s))"
)
_ATOMS: list[tuple[re.Pattern[str], Callable[[re.Match[str], _Board], Moment | None]]] = [
    (_rule(rf"(?:the\s+)?(?P<nth>{_NTH})\s+(?P<wd>{WEEKDAY}|day)\s+(?:of|in)\s+(?:{_PERIOD})"), _of_month),
    (
        _rule(
            rf"(?:the\s+)?(?P<day>{_DAY_WORD})\s+(?:of\s+)?(?P<mon>{_MONTH})\b"
            r"(?:\s*,?\s*(?:of\s+|in\s+)?(?P<y>\d{4}))?"
        ),
        _spoken,
    ),
    (_rule(rf"(?:the\s+)?(?P<edge>end|start|beginning)\s+of\s+(?:{_PERIOD})"), _edge),
    *((_rule(pattern), _plain) for pattern in ABSOLUTE),
    (_rule(r"(?:the\s+)?day\s+(?P<far>after\s+tomorrow|before\s+yesterday)"), _relative),
    (_rule(r"today|tom+or+ow|yesterday|tonight|now"), _relative),
    (_rule(rf"(?:the\s+)?(?P<wd>{WEEKDAY})\s+(?:of\s+)?(?P<week>next|last|this)\s+week"), _weekday),
    (_rule(rf"(?:the\s+)?(?P<which>{_WHICH})\s+(?P<wd>{WEEKDAY})"), _weekday),
    *(
        (_rule(rf"{_HOW}{of}(?P<name>{HOLIDAY}){where}(?:\s*,?\s*(?:(?:of|in)\s+)?(?P<y>[12]\d{{3}}))?"), _holiday)
        for of, where in ((r"(?P<of>us|uk|[a-z]{3,})\s+", ""), ("", _WHERE), ("", ""))
    ),
]
_RULES: list[tuple[re.Pattern[str], Callable[[re.Match[str], _Board], Moment | None]]] = [
    (_rule(rf"(?:(?P<since>since)|from|after|before|until|till?|to|on|by)\s+(?P<wd>{WEEKDAY})"), _bare_weekday),
    (_rule(rf"{_BASE}\s*,?\s*(?:of\s+)?(?P<whose>this|next|last)\s+year"), _in_year),
    (_rule(rf"{_BASE}\s+(?P<ago>\d{{1,4}})\s+years?\s+ago"), _in_year),
    (
        _rule(
            rf"(?:the\s+)?(?:(?P<nth>{_NTH}|next|previous)\s+)?(?P<wd>{WEEKDAY})\s+"
            rf"(?P<way>after|before|following)\s+{_BASE}"
        ),
        _weekday_beside,
    ),
    (_rule(rf"(?:add|(?P<way>subtract|take))\s+{_SPAN}\s+(?:to|onto|from|off)\s+{_BASE}"), _moved),
    (
        _rule(
            rf"{_SPAN}\s+(?P<way>after|from|following|past|later\s+than|on|before|prior\s+to|earlier\s+than)\s+{_BASE}"
        ),
        _moved,
    ),
    (_rule(rf"(?:the\s+)?day\s+(?P<way>after|before|following)\s+{_BASE}"), _moved),
    (_rule(rf"{_BASE}\s*,?\s*(?:(?P<way>\+|-|plus|minus)|and\s+(?:wait|add))\s*{_SPAN}"), _moved),
    (_rule(rf"{_SPAN}\s+(?P<way>ago|hence|ahead|from\s+here)"), _moved),
    (_rule(rf"(?P<into>in|after)\s+{_SPAN}(?:'?\s*(?:is\s+)?time)?"), _moved),
]
_COUNTED = re.compile(
    r"\b(?:days?|weeks?|months?|years?|hours?|minutes?|seconds?|nights?|many)\s+(?:are\s+|are\s+there\s+)?$"
)
