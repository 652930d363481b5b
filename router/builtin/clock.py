"""Clock: time and date in a place, differences between zones, a given time carried from one place to another.

Leaves out alarms and calendars. The clock is injected (``ToolConfig.now``), zones are IANA's through zoneinfo, places
are GeoNames'.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from router.builtin import ToolConfig
from router.builtin.numbers import MAX_SHORT, clean, plain
from router.builtin.places import find
from router.tools import Tool, ToolError, shorten

MAX_PLACE = 80
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
ZONES = {
    "utc": "UTC", "gmt": "UTC", "z": "UTC", "zulu": "UTC", "est": "America/New_York", "edt": "America/New_York",
    "et": "America/New_York",
    "eastern": "America/New_York", "cst": "America/Chicago", "cdt": "America/Chicago", "ct": "America/Chicago",
    "central": "America/Chicago", "mst": "America/Denver",
    "mdt": "America/Denver", "mountain": "America/Denver", "pst": "America/Los_Angeles", "pdt": "America/Los_Angeles",
    "pt": "America/Los_Angeles", "pacific": "America/Los_Angeles",
    "cet": "Europe/Paris", "cest": "Europe/Paris", "eet": "Europe/Athens", "bst": "Europe/London",
    "wet": "Europe/Lisbon",
    "ist": "Asia/Kolkata", "jst": "Asia/Tokyo", "kst": "Asia/Seoul", "sgt": "Asia/Singapore", "hkt": "Asia/Hong_Kong",
    "msk": "Europe/Moscow",
    "aest": "Australia/Sydney", "aedt": "Australia/Sydney", "awst": "Australia/Perth", "nzst": "Pacific/Auckland",
    "nzdt": "Pacific/Auckland",
    "akst": "America/Anchorage", "hst": "Pacific/Honolulu", "eastern time": "America/New_York",
    "pacific time": "America/Los_Angeles",
    "central time": "America/Chicago", "mountain time": "America/Denver", "antarctica": "Antarctica/McMurdo",
    "south pole": "Antarctica/McMurdo",
    "east coast": "America/New_York", "west coast": "America/Los_Angeles", "greenwich": "UTC",
}  # fmt: skip


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

    With ``time`` and two places: ``15:00 in London = 02:00 in Sydney (next day)``.
    """
    moment = now()
    name, zone = _zone(place, moment) if place else ("here", moment.tzinfo or timezone.utc)
    if ask == "difference" or (time and (place or other_place)):
        other, other_zone = _zone(other_place, moment) if other_place else ("here", moment.tzinfo or timezone.utc)
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
    return f"{start:%H:%M} in {first[0]} = {end:%H:%M} in {second[0]} ({day})"


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
        return "here", moment.tzinfo or timezone.utc
    if key in ZONES or key.removesuffix(" time") in ZONES:
        zone = ZONES.get(key) or ZONES[key.removesuffix(" time")]
        return (place.upper() if len(key) < 5 else place), ZoneInfo(zone)
    offset = re.fullmatch(r"(?:utc|gmt)\s*([+-])\s*(\d{1,2})(?::?(\d\d))?", key)
    if offset and int(offset[2]) < 15:
        gap = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return key.upper().replace(" ", ""), timezone(gap if offset[1] == "+" else -gap)
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
    match = _TIME.fullmatch(text.strip().lower().replace(".", "").replace(" ", ""))
    named = {"noon": (12, 0), "midday": (12, 0), "midnight": (0, 0)}.get(text.strip().lower())
    if named:
        return named
    hour, minute = (int(match[1]), int(match[2] or 0)) if match else (99, 0)
    half = match[3] if match else None
    if half and not 1 <= hour <= 12 or hour > 23 or minute > 59:
        raise ToolError(f"time {shorten(text, 20)!r} is not between 00:00 and 23:59. Write it like 15:30 or 3:30 pm.")
    return (hour % 12 + (12 if half == "pm" else 0) if half else hour), minute


_TIME = re.compile(r"(\d{1,2})(?:[:h](\d\d))?(?:o'?clock)?(am|pm)?")
_CLOCK = r"(?P<time>\d{1,2}(?:[:.h]\d\d)?\s*(?:o'?clock)?\s*(?:[ap]\.?m\b\.?)?|noon|midday|midnight)"
_P = r"(?P<place>[^?!]+?)"
_O = r"(?P<other>[^?!]+?)"
_END = r"\s*(?:right\s+now|now|at\s+the\s+moment|currently|today|please|pls|thanks|thank\s+you|atm|exactly)*[\s?!.]*$"
_CARRY = [
    re.compile(pattern, re.I)
    for pattern in [
        rf"\b(?:if|when|assuming|suppose|say)\s+(?:it\s*(?:'s|s|is)\s+|its\s+)?{_CLOCK}\s+(?:in|at|for)\s+{_P}\s*,?"
        rf"\s+(?:then\s+)?(?:what|which)?(?:'s)?\s*(?:time)?\s*(?:is|will|would)?\s*(?:it|that|time|the\s+time)?\s*"
        rf"(?:be)?\s*(?:in|at|for)\s+{_O}{_END}",
        rf"\b{_CLOCK}\s+(?:in|at)\s+{_P}\s*,?\s+(?:is\s+)?(?:what|which)(?:'s|\s+is)?\s+(?:the\s+)?time\s+(?:is\s+|"
        rf"will\s+|would\s+)?(?:it\s+|that\s+)?(?:be\s+)?(?:in|at|for)\s+{_O}{_END}",
        rf"\b(?:what(?:'s|s)?\s+)?(?:time\s+)?(?:is\s+it\s+|is\s+|will\s+it\s+be\s+|would\s+it\s+be\s+)?(?:in|at)"
        rf"\s+{_O}\s+(?:if|when)\s+(?:it\s*(?:'s|s|is)\s+|its\s+)?{_CLOCK}\s+(?:in|at)\s+{_P}{_END}",
        rf"^(?:what(?:'s|\s+is|s)?\s+|convert\s+|change\s+)?{_CLOCK}\s+(?:in\s+|at\s+)?(?:{_P}\s+time|"
        rf"(?P<place2>[^?!]+?))\s+(?:in|to|into|is\s+what\s+time\s+in|=|as)\s+{_O}(?:\s+time)?{_END}",
        rf"^(?:what\s+time\s+is\s+|what(?:'s|s|\s+is)?\s+)?{_CLOCK}\s+{_P}(?:\s+time)?\s*(?:,|->|→|\bin\b|\bto\b)"
        rf"\s*{_O}(?:\s+time)?{_END}",
    ]
]
_DIFFERENCE = [
    re.compile(pattern, re.I)
    for pattern in [
        rf"\b(?:time\s*(?:zone)?|hours?|zone)s?\s+(?:difference|diff|gap)\s+(?:between|from|of)\s+{_P}\s+(?:and|to|"
        rf"vs\.?|&|with)\s+{_O}{_END}",
        rf"\bdifference\s+(?:in\s+)?(?:the\s+)?(?:time|hours|time\s+zones?)\s+(?:between\s+)?{_P}\s+(?:and|to|vs\.?|"
        rf"&)\s+{_O}{_END}",
        rf"\bdifference\s+between\s+{_P}\s+(?:and|&)\s+{_O}\s+(?:time|in\s+hours|time\s*zones?){_END}",
        rf"\bhow\s+(?:many\s+hours|far|much)\s+(?:ahead|behind|earlier|later)?\s*(?:is\s+)?{_P}\s+(?:is\s+)?(?:ahead|"
        rf"behind|earlier|later|in\s+front)?\s*(?:of|from|than|to)\s+{_O}{_END}",
        rf"\bhow\s+(?:far|much|many\s+hours)\s+(?:ahead\s+of|behind)\s+{_O}\s+is\s+{_P}{_END}",
        rf"\bhow\s+many\s+hours\s+(?:are\s+)?(?:there\s+)?between\s+{_P}\s+and\s+{_O}{_END}",
        rf"\b(?:is\s+)?{_P}\s+(?:ahead|behind)\s+(?:of\s+)?{_O}{_END}",
        rf"^{_P}\s+(?:vs\.?|versus)\s+{_O}\s+time{_END}",
        rf"^{_P}\s+(?:and|to)\s+{_O}\s+time\s+(?:difference|diff){_END}",
    ]
]
_TIME_IN = [
    re.compile(pattern, re.I)
    for pattern in [
        rf"\b(?:time|clock|hour|o'clock|oclock)\b.*?\b(?:in|at|for|on|over\s+in)\s+(?:the\s+)?{_P}{_END}",
        rf"^(?:right\s+)?now\s+in\s+{_P}{_END}",
        rf"\b(?:what|how)\s+(?:late|early)\s+is\s+it\s+(?:right\s+now\s+|now\s+)?in\s+{_P}{_END}",
        rf"^(?:what(?:'s|s|\s+is)?\s+)?(?:the\s+)?(?:current\s+|local\s+)*time\s+(?:now\s+)?(?:of\s+)?{_P}{_END}",
        rf"^(?:what(?:'s|s|\s+is)?\s+)?(?:the\s+)?(?:current\s+|local\s+)*{_P}(?:'s)?\s+(?:current\s+|local"
        rf"\s+)*time{_END}",
        rf"\bin\s+{_P},?\s+(?:what(?:'s|s|\s+is)?\s+the\s+time|what\s+time\s+is\s+it){_END}",
    ]
]
_DATE_IN = re.compile(rf"\b(?:date|day|today)\b.*?\b(?:in|at|for)\s+(?:the\s+)?{_P}{_END}", re.I)
_DATE = re.compile(
    r"\b(?:what(?:'s|s|\s+is)?\s+(?:the\s+)?(?:today'?s\s+|current\s+)?(?:date|day)|what\s+(?:date|day|month|year)\s+"
    r"(?:is\s+it|is\s+today|are\s+we|is\s+this)|"
    r"today'?s\s+date|current\s+(?:date|day|year|month)|date\s+today|which\s+(?:day|date|year|month)\s+(?:is|are)\s+"
    r"(?:it|today|we|this)|which\s+day\s+is|what\s+(?:year|month)|(?:the\s+)?date)\b|^(?:today|date)$",
    re.I,
)
_NOW = re.compile(r"\btime\b|\bclock\b|\bo'?clock\b|^now\b|\bhow late\b|\bhour is it\b", re.I)
_FILLER = re.compile(
    r"^(?:(?:please|pls|hey|hi|ok(?:ay)?|so|can|could|would|you|tell|me|give|show|i|need|want|to|know|do|quick"
    r"(?:ly)?|um+)\b[\s,:]*)+",
    re.I,
)


def parse(question: str) -> dict[str, Any] | None:
    """What to tell the time of, or None where ``question`` asks neither for a time nor for today's date."""
    flat = clean(question, MAX_SHORT)
    text = _FILLER.sub("", flat)
    lower = re.sub(r"\b(\d{1,2})\.(\d\d)\s*(?=[ap]m|in\b)", r"\1:\2 ", _spoken_times(text))
    for pattern in _CARRY:
        match = pattern.search(lower)
        if match:
            first = _place(match["place"] or match.groupdict().get("place2"))
            second = _place(match["other"])
            time = _readable(match["time"])
            if first and second and time and _known(first) and _known(second):
                return {"ask": "time", "place": first, "other_place": second, "time": time}
    for pattern in _DIFFERENCE:
        match = pattern.search(text)
        if match:
            first, second = _place(match["place"]), _place(match["other"])
            if first and second and _known(first) and _known(second):
                return {"ask": "difference", "place": first, "other_place": second}
    pair = re.search(r"\btime\s*(?:zone\s*)?(?:difference|diff|gap)\s+(?:for\s+|in\s+)?(.+)", text, re.I)
    if pair:
        words = pair[1].strip(" ?!.").split()
        for cut in range(1, len(words)):
            first, second = " ".join(words[:cut]), " ".join(words[cut:])
            if _known(first, fuzzy=False) and _known(second, fuzzy=False):
                return {"ask": "difference", "place": first, "other_place": second}
        return {"ask": "difference", "place": _place(pair[1])} if _known(_place(pair[1])) else None
    if re.search(
        r"\b(?:days?|weeks?|months?|years?)\s+(?:until|till|between|since|from|after|before)\b|\d{4}", text, re.I
    ):
        return None
    part_of_day = re.search(
        rf"^is\s+it\s+(?:still\s+|already\s+)?(?:late|early|morning|afternoon|evening|night|"
        rf"midnight|daytime|dark)\b.*?\bin\s+{_P}{_END}",
        text,
        re.I,
    )
    if part_of_day and _known(part_of_day["place"]):
        return {"ask": "time", "place": _place(part_of_day["place"])}
    match = _DATE_IN.search(text)
    if match and not re.search(r"\btime\b", text, re.I) and _known(match["place"]):
        return {"ask": "date", "place": _place(match["place"])}
    for pattern in _TIME_IN:
        match = pattern.search(text)
        place = match and _place(match["place"])
        if place and (" in " in f" {text} " or _known(place)):
            return {"ask": "time", "place": place}
    if _NOW.search(text) and not re.search(r"\d", text) and len(text.split()) < 12:
        return {"ask": "time"}
    if (
        _DATE.search(text)
        and not re.search(r"\d|\btomorrow\b|\byesterday\b|\bchristmas\b|\beaster\b", text, re.I)
        and len(text.split()) < 12
    ):
        return {"ask": "date"}
    return _bare(text)


def _bare(text: str) -> dict[str, Any] | None:
    """ "Paris" and "Paris, Tokyo": the terse inputs of an agent that has chosen the clock already."""
    parts = [part.strip(" .?!") for part in re.split(r"\s*(?:,|\band\b|\bvs\b|->|→)\s*", text)]
    if len(text) > MAX_PLACE or not all(parts):
        return None
    if len(parts) == 1 and _known(text, fuzzy=False):
        return {"ask": "time", "place": text.strip(" .?!")}
    if len(parts) == 2 and all(_known(part, fuzzy=False) for part in parts):
        return {"ask": "difference", "place": parts[0], "other_place": parts[1]}
    return None


def _place(text: str | None) -> str | None:
    """The place in ``text`` without "the city of", "right now" and the like; None where nothing is left."""
    text = re.sub(
        r"^(?:the\s+|in\s+|city\s+of\s+|time\s+in\s+)+|\s+(?:right\s+now|now|time|today|currently|please|"
        r"local)$",
        "",
        (text or "").strip(" ,.?!'\""),
        flags=re.I,
    )
    if not text or len(text) > MAX_PLACE or not re.search(r"[^\W\d]", text):
        return None
    if text.lower() in (
        "it",
        "is it",
        "what",
        "the moment",
        "moment",
        "is",
        "my",
        "this",
        "that",
        "now",
        "here",
        "the",
    ):
        return None
    return text


def _known(place: str | None, fuzzy: bool = True) -> bool:
    key = (_place(place) or "").lower()
    return bool(key) and (
        key in ZONES or bool(re.fullmatch(r"(?:utc|gmt)\s*[+-]\s*\d{1,2}", key)) or find(key, fuzzy) is not None
    )


def _spoken_times(text: str) -> str:
    """Hours in words as digits: "three pm" → "3 pm", "half past three" → "3:30"."""
    if not re.search(r"\b(?:[ap]\.?m|o'?clock|past|to|if|when)\b", text, re.I):
        return text
    words = "one two three four five six seven eight nine ten eleven twelve".split()
    spoken = re.sub(
        rf"\b({'|'.join(words)})\b(?=\s*(?:[ap]\.?m|o'?clock|in\b|thirty|fifteen|forty))",
        lambda m: str(words.index(m[1].lower()) + 1),
        text,
        flags=re.I,
    )
    spoken = re.sub(r"\bhalf\s+past\s+(\w+)", lambda m: f"{plain(m[1])}:30", spoken, flags=re.I)
    spoken = re.sub(r"\bquarter\s+past\s+(\w+)", lambda m: f"{plain(m[1])}:15", spoken, flags=re.I)
    return re.sub(
        r"\b(\d{1,2})\s+(thirty|fifteen|forty[\s-]five)\b", lambda m: f"{m[1]}:{plain(m[2])}", spoken, flags=re.I
    )


def _readable(text: str) -> str | None:
    """``text`` as HH:MM, or None."""
    try:
        hour, minute = _time(text.replace("h", ":") if re.fullmatch(r"\d{1,2}h\d\d", text.strip()) else text)
    except ToolError:
        return None
    return f"{hour:02}:{minute:02}"
