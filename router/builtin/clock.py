"""Clock: time and date in a place, differences between zones, a given time carried from one place to another.

Leaves out alarms and calendars. The clock is injected (``ToolConfig.now``), zones are IANA's through zoneinfo, places
are GeoNames'.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from router.builtin import ToolConfig
from router.builtin.clock_reading import MAX_PLACE, parse
from router.builtin.places import find
from router.builtin.times import find_times, spoken
from router.builtin.zones import ZONES, offset
from router.tools import Tool, ToolError, shorten

PARAMETERS = {
    "type": "object",
    "properties": {
        "ask": {"enum": ["time", "date", "difference"]},
        "place": {"type": "string", "minLength": 1, "maxLength": MAX_PLACE, "description": "City, country or zone"},
        "other_place": {"type": "string", "minLength": 1, "maxLength": MAX_PLACE, "description": "Second place"},
        "time": {"type": "string", "maxLength": 20, "description": "Time in place to carry to other_place, e.g. 15:00"},
    },
    "required": ["ask"],
    "additionalProperties": False,
}


def build(config: ToolConfig) -> Tool:
    """The clock, reading ``config.now``."""
    description = "Tells today's date, the time in a place, or time differences, e.g. time in Tokyo."
    return Tool("clock", description, PARAMETERS, partial(run, config.now), parse, effects=False)


def run(
    now: Callable[[], datetime],
    ask: str,
    place: str | None = None,
    other_place: str | None = None,
    time: str | None = None,
) -> str:
    """``Paris: 14:05 on Sunday 22 November 2026 (CET, UTC+1)``. Raises ToolError for unknown places and times.

    With ``time`` and two places: ``15:00 in London = 02:00 in Sydney (next day)``; ``time`` may be minutes from now, as
    ``+90 minutes``.
    """
    moment = now()
    if time and (shift := _SHIFT.fullmatch(time)):
        return _shifted(int(shift[1] + shift[2]), moment, place)
    name, zone = _zone(place or "here", moment)
    if ask == "difference" or (time and (place or other_place)):
        other, other_zone = _zone(other_place or "here", moment)
        if place is None:
            raise ToolError(
                f"ask is {ask!r} but place is missing; at least 1 place is needed. Give place, e.g. 'Tokyo'."
            )
        if time:
            return _carried(time, moment, (name, zone), (other, other_zone))
        return _difference(moment, (name, zone), (other, other_zone))
    local = moment.astimezone(zone)
    where = "Now" if place is None else name
    if ask == "date":
        return f"{where}: {_date(local)} ({local:%H:%M}, {_offset(local)})"
    return f"{where}: {local:%H:%M} on {_date(local)} ({_offset(local)})"


def _shifted(minutes: int, moment: datetime, place: str | None) -> str:
    """``90 minutes from now in Tokyo = 20:30 on Saturday 28 November 2026 (JST, UTC+9)``."""
    name, zone = _zone(place, moment) if place else ("", moment.tzinfo or timezone.utc)
    local = (moment.astimezone(timezone.utc) + timedelta(minutes=minutes)).astimezone(zone)
    span, side = _span(timedelta(minutes=abs(minutes))), "ago" if minutes < 0 else "from now"
    return f"{span} {side}{f' in {name}' if name else ''} = {local:%H:%M} on {_date(local)} ({_offset(local)})"


def _difference(moment: datetime, first: tuple[str, tzinfo], second: tuple[str, tzinfo]) -> str:
    gap = moment.astimezone(first[1]).utcoffset() - moment.astimezone(second[1]).utcoffset()
    span = _span(abs(gap))
    side = "same time" if not gap else f"{first[0]} is {'ahead' if gap > timedelta(0) else 'behind'}"
    return f"time difference between {first[0]} and {second[0]} = {span} ({side})"


def _carried(time: str, moment: datetime, first: tuple[str, tzinfo], second: tuple[str, tzinfo]) -> str:
    hour, minute = _time(time)
    start = moment.astimezone(first[1]).replace(hour=hour, minute=minute, second=0, microsecond=0)
    end = start.astimezone(second[1])
    days = (end.date() - start.date()).days
    day = {0: "same day", 1: "next day", -1: "previous day"}[days]
    return f"{start:%H:%M} {_in(first[0])} = {end:%H:%M} {_in(second[0])} ({day})"


def _in(name: str) -> str:
    return name if name.startswith("here (") else f"in {name}"


def _span(gap: timedelta) -> str:
    hours, minutes = divmod(int(gap.total_seconds()) // 60, 60)
    text = f"{hours} hour{'' if hours == 1 else 's'}"
    return text if not minutes else f"{text} {minutes} minutes" if hours else f"{minutes} minutes"


def _date(moment: datetime) -> str:
    return f"{moment:%A} {moment.day} {moment:%B} {moment.year}"


def _offset(moment: datetime) -> str:
    """``CET, UTC+1``."""
    minutes = int((moment.utcoffset() or timedelta(0)).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    utc = "UTC" if not minutes else f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02}" if rest else "")
    name = moment.tzname() or ""
    return f"{name}, {utc}" if name.isalpha() and name != "UTC" else utc


def _zone(place: str, moment: datetime) -> tuple[str, tzinfo]:
    """(name to show, zone) of a place, zone abbreviation, IANA name or UTC offset."""
    key = " ".join(place.lower().split()).strip(" .?!")
    if key in ("here", "local", "my place", "home"):
        return f"here ({_offset(moment)})", moment.tzinfo or timezone.utc
    if key in ZONES or key.removesuffix(" time") in ZONES:
        zone = ZONES.get(key) or ZONES[key.removesuffix(" time")]
        return (place.upper() if len(key) < 5 else place), ZoneInfo(zone)
    if (fixed := offset(key)) is not None:
        return key.upper().replace(" ", ""), fixed
    if "/" in place:
        try:
            return place, ZoneInfo(place)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    found = find(place)
    if found is None:
        raise ToolError(
            f"The place {shorten(place, 60)!r} is not known; cities of 15,000 people and more, countries and zones "
            f"are. "
            "Give a larger city nearby, a country or a zone such as UTC+2."
        )
    return found.name, ZoneInfo(found.zone)


def _time(text: str) -> tuple[int, int]:
    said = spoken(text.strip())
    found = [time for time in find_times(said) if (time.start, time.end) == (0, len(said)) and not time.shift]
    if not found or found[0].minutes is None:
        raise ToolError(f"time {shorten(text, 20)!r} is not between 00:00 and 23:59. Write it like 15:30 or 3:30 pm.")
    return divmod(found[0].minutes, 60)


_SHIFT = re.compile(r"\s*([+-])\s*(\d{1,7})\s*min(?:ute)?s?\s*")
