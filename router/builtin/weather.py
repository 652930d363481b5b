"""Weather: Open-Meteo's forecast for a place, with the internet only.

Leaves out history and anything beyond tomorrow. Places are GeoNames'; without the internet the tool says so.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from functools import partial
from typing import Any

from router.builtin import ToolConfig
from router.builtin.numbers import MAX_SHORT, clean
from router.builtin.places import find
from router.tools import Tool, ToolError, shorten

URL = "https://api.open-meteo.com/v1/forecast"
TIMEOUT_S = 8
PARAMETERS = {
    "type": "object",
    "properties": {
        "place": {"type": "string", "minLength": 1, "maxLength": 80, "description": "A city or country"},
        "day": {"enum": ["today", "tomorrow"]},
    },
    "required": ["place"],
    "additionalProperties": False,
}
# WMO code table 4677 as Open-Meteo uses it
_SKY = {
    0: "clear sky", 1: "mostly clear", 2: "partly cloudy", 3: "overcast", 45: "fog", 48: "freezing fog", 51: "light drizzle", 53: "drizzle",
    55: "heavy drizzle", 56: "freezing drizzle", 57: "freezing drizzle", 61: "light rain", 63: "rain", 65: "heavy rain", 66: "freezing rain",
    67: "freezing rain", 71: "light snow", 73: "snow", 75: "heavy snow", 77: "snow grains", 80: "light showers", 81: "showers",
    82: "violent showers", 85: "snow showers", 86: "heavy snow showers", 95: "thunderstorm", 96: "thunderstorm with hail", 99: "thunderstorm with hail",
}  # fmt: skip


def build(config: ToolConfig) -> Tool:
    """The weather tool; ``config.online`` decides whether it may ask Open-Meteo."""
    description = "Forecasts temperature, rain, wind in a place today or tomorrow, e.g. Lisbon tomorrow."
    return Tool("weather", description, PARAMETERS, partial(run, config.online), parse, effects=False)


def run(online: bool, place: str, day: str = "today") -> str:
    """``weather in Lisbon today = partly cloudy, 14 to 21 °C, ...``. Raises ToolError offline and for unknown places."""
    found = find(place)
    if found is None:
        raise ToolError(
            f"The place {shorten(place, 60)!r} is not known; cities of 15,000 people and more are. Give "
            f"a larger city nearby."
        )
    if not online:
        raise ToolError(
            f"No forecast for {found.name}: the weather service Open-Meteo needs the internet, and 0 of its "
            f"forecasts are "
            "kept offline. Start with --online."
        )
    daily = "weather_code,temperature_2m_max,temperature_2m_min,precipitation_sum,precipitation_probability_max,wind_speed_10m_max"
    query = {
        "latitude": found.latitude, "longitude": found.longitude, "timezone": found.zone, "forecast_days": 2,
        "daily": daily,
        "current": "temperature_2m,weather_code",
    }  # fmt: skip
    data = _fetch(f"{URL}?{urllib.parse.urlencode(query)}")
    return describe(found.name, day, data)


def describe(name: str, day: str, data: dict[str, Any]) -> str:
    """One line from Open-Meteo's answer. Raises ToolError where a field is missing."""
    try:
        index = 1 if day == "tomorrow" else 0
        row = {key: values[index] for key, values in data["daily"].items()}
        sky = _SKY.get(int(row["weather_code"]), "unknown sky")
        parts = [sky, f"{row['temperature_2m_min']:.0f} to {row['temperature_2m_max']:.0f} °C"]
        if day == "today" and "current" in data:
            parts.append(f"now {data['current']['temperature_2m']:.0f} °C")
        chance = row.get("precipitation_probability_max")
        parts.append(
            f"rain {row['precipitation_sum']:g} mm" + (f" ({chance:.0f}% chance)" if chance is not None else "")
        )
        parts.append(f"wind up to {row['wind_speed_10m_max']:.0f} km/h")
    except (KeyError, IndexError, TypeError, ValueError) as fault:
        raise ToolError(
            f"Open-Meteo's answer lacks {shorten(str(fault), 60)}; 2 days are needed. Try again later."
        ) from None
    return f"weather in {name} {day} = {', '.join(parts)} (Open-Meteo)"


def _fetch(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:
            return json.load(reply)
    except (urllib.error.URLError, TimeoutError, OSError, ValueError) as fault:
        raise ToolError(
            f"Open-Meteo did not answer within {TIMEOUT_S} s ({shorten(str(fault), 80)}). Check the connection and "
            f"try again."
        ) from None


_ABOUT = (
    r"weather|wether|wheather|forecast|rain(?:ing|y|s)?|snow(?:ing|y|s)?|sun(?:ny|shine)?|cloud(?:y|s)?|wind(?:y)?|"
    r"storm(?:y|s)?|hot|cold|warm|cool|chilly|humid(?:ity)?|freezing|"
    r"temperatures?|temps?|umbrella|raincoat|coat|jacket|sunscreen|degrees|precipitation|showers?|icy|freeze|sweater|boots|fog(?:gy)?|thunder(?:storm)?s?|hail|dry|"
    r"wet|nice|pour(?:ing)?|drizzl\w+|sunglasses|scarf|shorts|conditions"
)
_WHEN = r"(?:right\s+now|now|today|tonight|tomorrow|tommorow|tomorow|tmrw|tmr|currently|at\s+the\s+moment|this\s+(?:morning|afternoon|evening|week|weekend)|later|outside|please|pls|thanks|thx|be|like|is|going\s+to\s+be|the\s+day|for)"
_NOW = (
    r"now|tod+ay|tonight|tomm?orr?ow|tmrw|tmr|currently|current|outside|morning|afternoon|evening|latest|report|update"
    r"|kind|sort|looking|gonna|wear|take|gets|getting|much"
)
TELLS = re.compile(rf"(?:{_ABOUT}|{_NOW})", re.I)
"""Words of questions that today's or tomorrow's forecast answers."""
_IN = re.compile(
    rf"\b(?:in|at|for|near|around|over|to|of|across|visiting)\s+(?:the\s+)?(?P<place>[^?!,;]+?(?:,"
    rf"\s*[^?!,;]+?)?)(?:\s*,?\s+{_WHEN})*[\s?!.]*$",
    re.I,
)
_PREPOSITION = re.compile(r"\b(?:in|at|for|near|around|over|to|of|across|visiting)\s", re.I)
_LEAD = re.compile(
    r"^(?:(?:what(?:'s|s|\s+is|\s+will)?|how(?:'s|s|\s+is)?|the|will|is|it|going\s+to|be|current|"
    r"today'?s|tomorrow'?s|give\s+me|show\s+me|check|tell\s+me|please|hey|hi|ok|get|can\s+you|do\s+i"
    r"\s+need\s+an?)\s+)*",
    re.I,
)
_BARE = re.compile(
    rf"^(?P<place>[^?!,;\d]+?)(?:'s)?\s+(?:(?:current|weekly|daily|hourly)\s+)?(?:{_ABOUT})(?:"
    rf"\s+{_WHEN}|\s+forecast)*[\s?!.]*$",
    re.I,
)
_AFTER = re.compile(
    rf"^(?:{_ABOUT})(?:\s+(?:forecast|report))?[\s:,-]+(?:{_WHEN}\s+)*(?P<place>[^?!,;\d]+?)(?:\s*,?"
    rf"\s+{_WHEN})*[\s?!.]*$",
    re.I,
)
_MID = re.compile(
    rf"\b(?:in|at)\s+(?P<place>[^?!,;]+?)(?:\s+(?:is|will|does|should|do|going)\b|(?:\s+{_WHEN})*\s*,)", re.I
)


def parse(question: str) -> dict[str, Any] | None:
    """Place and day of the weather that ``question`` asks for, or None where no place is known."""
    text = clean(question, MAX_SHORT)
    text = re.sub(r"^(?:(?:hey|hi|please|pls|so|ok)\b[\s,]*)+", "", text, flags=re.I)
    day = (
        "tomorrow"
        if re.search(r"\b(?:tomm?orr?ow|tmrw|tmr)\b", text, re.I)
        else "today"
        if re.search(r"\b(?:today|tonight|now)\b", text, re.I)
        else None
    )
    starts = [match.start() for match in _PREPOSITION.finditer(text)]
    candidates = [
        match["place"] for start in starts for pattern in (_IN, _MID) if (match := pattern.match(text, start))
    ]
    candidates += [
        candidate.rsplit(",", 1)[1] for candidate in candidates if "," in candidate and not find(candidate, fuzzy=False)
    ]
    candidates.sort(key=lambda candidate: "," not in candidate and any(f"{candidate}," in c for c in (text,)))
    lead = _LEAD.sub("", text)
    candidates += [match["place"] for pattern in (_BARE, _AFTER) if (match := pattern.search(lead))]
    candidates += [re.sub(rf"\b{_WHEN}\b|,\s*$", "", text, flags=re.I)] if len(text.split()) <= 4 else []
    for exact in (True, False):
        for candidate in candidates:
            place = _trim(candidate)
            if place and find(place, fuzzy=not exact):
                return {"place": place} | ({"day": day} if day else {})
    return None


_SUBJECT = re.compile(rf"\b(?:{_ABOUT}|wear|tiempo|temps|wetter|meteo)\b", re.I)


def left_over(question: str) -> str | None:
    """The first words of a ``question`` that names nothing of the weather, and yet says more than a place and a day."""
    asks = re.match(r"(?:is|are|was|will|do|does|can|when|where|who|why|which)\b.{0,20}", question, re.I)
    return asks[0] if asks and not _SUBJECT.search(question) else None


def _trim(text: str) -> str | None:
    text = re.sub(
        rf"\b(?:{_WHEN})\s*$|^(?:the\s+|in\s+|city\s+of\s+)+|\b(?:this\s+weekend|this\s+week)\b",
        "",
        text.strip(" ,.?!'\""),
        flags=re.I,
    ).strip(" ,.?!'\"")
    return text if 1 < len(text) <= 80 else None
