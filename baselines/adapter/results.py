"""Results in place of a case's own: altered ones, forecasts as they come online, and errors.

A model that has to copy a wrong result learns to copy, and one that has seen errors learns to report them.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

from baselines.adapter.cases import MONTHS, Case

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SKIES = (
    "clear sky", "partly cloudy", "overcast", "fog", "light rain", "rain", "heavy rain", "light snow", "snow",
    "rain showers", "thunderstorm", "drizzle", "mainly clear",
)  # fmt: skip


def altered(case: Case, rng: random.Random) -> Case:
    """``case`` with another result of the same form: other numbers, times, weekdays, months, names."""
    text = case.result.output
    if text is None:
        return case
    if case.result.call.tool == "search":
        text = _other_fact(text, rng)
    elif case.result.call.tool == "clock":
        text = _other_numbers(text, rng)
    elif " = " in text and "yes (" not in text and "no (" not in text:
        left, right = text.rsplit(" = ", 1)
        text = f"{left} = {_other_numbers(right, rng)}"
    return replace(case, result=replace(case.result, output=text))


def _other_numbers(text: str, rng: random.Random) -> str:
    def number(match: re.Match[str]) -> str:
        digits = "".join(rng.choice("0123456789") if c.isdigit() else c for c in match[0])
        return re.sub(r"^0(?=\d)", str(rng.randint(1, 9)), digits)

    def clock(match: re.Match[str]) -> str:
        return f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"

    text = re.sub(r"\b\d\d:\d\d\b", clock, text)
    text = re.sub(r"(?<![\d:+-])\d[\d,.]*(?![\d:])\b", number, text) if not re.search(r"\d:\d", text) else text
    text = re.sub(r"\b(?:" + "|".join(WEEKDAYS) + r")\b", lambda _: rng.choice(WEEKDAYS), text)
    return re.sub(r"\b(?:" + "|".join(MONTHS) + r")\b", lambda _: rng.choice(MONTHS), text)


_NAMES = (
    "Paris", "Lima", "Oslo", "Hanoi", "Quito", "Vienna", "Cairo", "Dakar", "Bergen", "Krakow", "Porto", "Tampere",
    "Valparaiso", "Kumasi", "Mombasa", "Izmir", "Pune", "Cebu", "Osaka", "Perth", "Adelaide", "Calgary", "Leeds",
)  # fmt: skip


def _other_fact(text: str, rng: random.Random) -> str:
    """The passage with other digits, or with another name after "is"."""
    fact, _, tail = text.rpartition(" (source:")
    if re.search(r"\d", fact):
        return f"{_other_numbers(fact, rng)} (source:{tail}"
    name = rng.choice(_NAMES)
    return re.sub(r"^(The capital of .+ is ).+\.$", lambda m: f"{m[1]}{name}.", fact) + f" (source:{tail}"


def forecast(case: Case, rng: random.Random) -> Case:
    """A weather case with a forecast in the form that the tool gives when it is online."""
    arguments = case.result.call.arguments
    day = arguments.get("day", "today")
    low = rng.randint(-15, 30)
    high = low + rng.randint(1, 12)
    parts = [rng.choice(_SKIES), f"{low} to {high} °C"]
    parts += [f"now {rng.randint(low, high)} °C"] if day == "today" else []
    rain = round(rng.choice((0.0, 0.0, rng.uniform(0.1, 3), rng.uniform(1, 30))), 1)
    parts.append(f"rain {rain:g} mm ({rng.randint(0, 100)}% chance)")
    parts.append(f"wind up to {rng.randint(3, 70)} km/h")
    place = str(arguments["place"]).title()
    output = f"weather in {place} {day} = {', '.join(parts)} (Open-Meteo)"
    return replace(case, result=replace(case.result, output=output, error=None))


_FAULTS = (
    "{tool} failed: TimeoutError: timed out after {n} s",
    "{tool} did not answer within {n} s. Check the connection and try again.",
    "The service answered with status {n}. Try again later.",
    "{tool} is not available right now. Try again later.",
    "Too many requests: the limit is {n} an hour. Try again later.",
    "The {slot} {value} is not known. Give another one.",
    "{value} cannot be read as {slot}. Write it in another form.",
)
_FITTING: dict[str, tuple[str, ...]] = {
    "calculator": (
        "Division by zero in {value}. Give a divisor other than 0.",
        "The result of {value} is too large; the limit is 1e300. Give smaller numbers.",
    ),
    "clock": ("The place {value} is not known; cities of 15,000 people and more are. Give a larger city nearby.",),
    "currency": ("The European Central Bank quotes no rate of {value}; it knows 41 currencies. Give one of them.",),
}


def broken(case: Case, rng: random.Random) -> Case:
    """``case`` with an error in place of its result."""
    call = case.result.call
    slot, value = rng.choice(sorted(call.arguments.items()))
    pattern = rng.choice(_FAULTS + 2 * _FITTING.get(call.tool, ()))
    error = pattern.format(tool=call.tool, n=rng.choice((5, 8, 10, 30, 429, 500, 503)), slot=slot, value=repr(value))
    return replace(case, result=replace(case.result, output=None, error=error))
