"""What a question holds that no call took in: quantities, comparisons, a second rate, another unit than the answer's.

A tool that answers half a question without saying so is worse than an abstention, which hands the question to the
language model. Leaves out telling several requests apart (``english.py``). Rules, not learned: a reader can see why a
question was handed over.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import pairwise
from typing import Any

from router.builtin.currency import lookup as currency_code
from router.builtin.dates import find_dates
from router.builtin.english import ASKS_INSIDE, REQUEST, cleaned, points_back, quantities
from router.builtin.mentions import place_mentions
from router.builtin.moments import name_days
from router.builtin.numbers import plain
from router.builtin.units import symbol_of
from router.tools import Tool
from router.types import Question, ToolCall

_NUMBER = re.compile(
    r"(?<![\w.:/-])(\d+(?:\.\d+)?)(?:km|kg|mi|lbs?|ml|cm|mm|ft|in|oz|[gml]|usd|eur|gbp)?(?![\w:/]|\.\d|-\d)"
    r"(?!\s(?:halves|thirds|quarters|fifths|eighths|tenths)\b)"
)
"""A number, perhaps with its unit written to it; neither a time, a part of a date, nor the top of a fraction."""
_MEASURED = re.compile(r"(?:[$€£¥]\s*\d)|(?:\d\s*°?)(?P<word>[^\W\d_][\w/²³]*|[$€£¥])")
_TIME = re.compile(r"\b\d{1,2}(?:[:.]\d\d)?\s*[ap]\.?m\b\.?|\b\d{1,2}:\d\d\b|\b\d{1,2}\s+o'clock\b")
_DURATION = re.compile(
    r"\b(?!1\s)\d+(?:\.\d+)?[\s-]*(?:hours?|hrs?|minutes?|mins?)\b(?!\s+(?:ahead|behind|earlier|later\s+than))"
)
_RATE = re.compile(r"\b(?:per|an?|each|every)\s+([^\W\d_]+)\b")
_COMPARED = re.compile(
    r"%|\bper\s?cent(?:age)?\b|(?<!rather\s)(?<!other\s)\bthan\b|\b(?:divided|multiplied|twice|ratio\s+of)\b"
    r"|\b(?:half|double|triple)\s+(?:of|the|as|that)\b|\b(?:plus|minus|times)\s+(?:\d|the|as)|\d\s+times\b"
    r"|\btimes\s+(?:larger|bigger|more|smaller)\b|\bdifference\s+between\b|\b(?:together|combined)\b"
    r"|\b(?:sum|average)\s+of\b|\b(?:larger|bigger|smaller|higher|older|more|fewer|less)\b.*\bor\b"
    r"|\bper\s+(?!capita\b|se\b)\w+"
)
"""Words that make something new of a fact."""
_DERIVED = re.compile(r"\b(?:doubled?|tripled?|halved?|twice)\b(?!\s+an?\b)|\bpercentage\b")
"""The same for a quantity that a converter, the calendar or the clock gives: "5 miles in km, doubled"."""
_ASKED_SPAN = re.compile(
    r"\b(?:how\s+many|number\s+of|how\s+old\s+in|in|and)\s+(?:full\s+|whole\s+)?"
    r"(hours|minutes|seconds|days|weeks|months)\b"
)
_GIVEN_SPANS = {"age": (), "days_between": ("days", "weeks"), "days_until": ("days", "weeks")}
"""The spans that the calendar's answers are told in, besides years."""
_TIMES_NUMBER = re.compile(r"\b(?:times|plus|minus|(?:divided|multiplied)\s+by)\s+\d+|\d+(?:\.\d+)?\s*%")
_TARGET = re.compile(r"\b(?:in|to|into)\s+(?:us\s+)?([^\W\d_]{2,})\b")
_TARGETS = re.compile(r"\b(?:in|to|into)\s+(?P<one>[^\W\d_]+)\s+(?:and|or)\s+(?:in\s+|to\s+)?(?P<other>[^\W\d_]+)\b")
_SPAN = re.compile(r"\b(?:day|week|month|year)s?\b")
"""In a date, what tells "in 4 weeks" from "4 May"."""
_COUNTS = frozenset(("calculator", "unit_converter", "currency", "calendar"))
"""Tools that use every quantity of a question that is theirs alone."""
_CONVERTERS = {"unit_converter": partial(symbol_of, fuzzy=False), "currency": currency_code}
"""Tools that turn one quantity into one other, and how each reads a name."""
_COMPOUND = (12, 14, 16, 60)
"""Inches to the foot, pounds to the stone, ounces to the pound, minutes to the hour: two numbers become one value."""
_ISO = re.compile(r"\b(\d{4})-(\d\d-\d\d)\b")
_PARTS = {"days": (1, 7, 14), "months": (1, 12, 120)}
"""A number of days may have been said as weeks or fortnights, one of months as years or decades."""
_TOLD_BEFORE = re.compile(
    r"(?:\b(?:knows?|asks?|asked|wonder(?:ed|s|ing)?|tell\s+me)\b[\s,:]*|[,:;.]\s+(?:so\s+|and\s+|but\s+|now\s+)?)"
    rf"(?={REQUEST})",
    re.IGNORECASE,
)
_TOLD_AFTER = re.compile(r"[,;.?!]\s+(?=(?:i|we|my|our|he|she|they|it|i'm|it's|we're)\b)", re.IGNORECASE)
_ANY_DAY = date(2000, 1, 1)


def unused(question: Question, calls: Sequence[ToolCall]) -> str | None:
    """A quantity or a comparison of ``question`` that none of ``calls`` took in, as it stands there; None where all is
    used. Of a text, a fact or a forecast only what reckons on with it counts: other numbers are names or chatter."""
    tools = {call.tool for call in calls}
    said = quantities(question)
    if tools <= {"search"}:
        return _found(_COMPARED, said)
    if "search" in tools and (place := _other_place(cleaned(question), calls)):
        return place
    if "text" in tools and len(calls) == 1:
        return _found(_TIMES_NUMBER, _without(said, str(calls[0].arguments.get("text", ""))))
    if "text" in tools:
        return None if "calculator" in tools else _found(_TIMES_NUMBER, said) or _found(_DERIVED, said)
    if not tools <= {*_COUNTS, "search", "clock"}:
        return None
    derived = None if "calculator" in tools else _found(_DERIVED, said)
    if tools == {"calculator"}:
        derived = _other_measure(said)
    if tools == {"calendar"}:
        said = name_days(said, _ANY_DAY).rest
        derived = derived or _other_span(said, calls[-1].arguments.get("operation"))
    if "clock" in tools and not tools & _COUNTS:
        return derived
    return derived or _unused_number(said, calls) or _unused_measure(said, calls)


def crowded(question: Question, tool: Tool) -> bool:
    """Whether ``question`` names more quantities than ``tool`` has slots for, wants a sum converted, or asks on about a
    number that is no measure ("... has 353574 people, how many is that to the square mile"): filling the open slots of
    one call does not answer it."""
    said = quantities(question)
    if tool.name == "calculator":
        return _converts(said)
    if tool.name in ("calendar", "clock") and (_DURATION.search(said) or _second_time(said)):
        return True
    if tool.name == "calendar" and _other_span(said, None):
        return True
    if tool.name in _CONVERTERS and (_second_target(said, tool.name, ()) or _second_rate(said, ())):
        return True
    kinds = (slot.schema.get("type") for slot in tool.slots.values())
    slots = sum(kind in ("number", "integer") for kind in kinds)
    numbers = _undated_numbers(said, dated="date" in tool.slots)
    asked_on = re.search(r"\b(?:that|those)\b", said) is not None and not _measured(said)
    return slots > 0 and (len(numbers) > slots or (len(numbers) > 0 and asked_on))


def reckons(question: Question) -> bool:
    """Whether several quantities of ``question`` are to become another measure, which is work for tools."""
    said = quantities(question)
    return len(_NUMBER.findall(said)) > 1 and _converts(said)


def cores(question: Question) -> Iterator[str]:
    """The question without what is told before its request ("my son is 7 and asks", "I'm 30,") or after it (", I need
    it by 6"): where a core gives the same call, the rest is no part of what is asked."""
    text = cleaned(question)
    for match in _TOLD_BEFORE.finditer(text):
        if not points_back(rest := text[match.end() :]):
            yield rest
    if match := _TOLD_AFTER.search(text):
        told = plain(text[match.end() :])
        if not (ASKS_INSIDE.search(told) or _converts(told) or _COMPARED.search(told)):
            yield text[: match.start()]


def _undated_numbers(said: str, dated: bool) -> list[str]:
    """The numbers of ``said``, 1 aside, that are no part of a date; "in 4 weeks" is one to a ``dated`` tool only."""
    dates = [d for d in find_dates(said, _ANY_DAY) if dated or not _SPAN.search(said[d[0] : d[1]])]
    found = (m for m in _NUMBER.finditer(said) if not any(start <= m.start() < end for start, end, *_ in dates))
    return [m[1] for m in found if m[1] != "1"]


def _converts(said: str) -> bool:
    return any(_measures(match[1]) for match in _TARGET.finditer(said))


def _measured(said: str) -> bool:
    """Whether a number of ``said`` carries a unit or a currency."""
    return any(m["word"] is None or _measures(m["word"]) for m in _MEASURED.finditer(said))


def _measures(word: str) -> bool:
    return _reading(word) is not None


def _reading(word: str) -> str | None:
    """The unit or currency that ``word`` means."""
    return symbol_of(word, fuzzy=False) or currency_code(word)


def _unused_number(said: str, calls: Sequence[ToolCall]) -> str | None:
    """A date or a number of ``said`` that is in no argument. A span from today counts as used by any date; a date may
    be a holiday's name (the 4th of July) or, to a calculator, what an earlier step used."""
    said = _TIME.sub(" ", said)
    taken = {*_values(calls), *_compounds(said, calls)}
    dated = any({"date", "days", "months", "holiday"} & set(call.arguments) for call in calls)
    reckoned = any(call.tool == "calculator" or "holiday" in call.arguments for call in calls)
    dates = find_dates(said, _ANY_DAY)
    for start, end, day, *_ in dates:
        words = said[start:end]
        numbered = re.search(r"\d", words) is not None
        if not numbered or (dated and _SPAN.search(words)):
            continue  # "today" is what a call without a date means
        if not reckoned and not taken & {day.isoformat(), day.isoformat()[5:]}:
            return words.strip()
    for match in _NUMBER.finditer(said):
        if any(start <= match.start() < end for start, end, *_ in dates):
            continue
        value = float(match[1])
        if value != 1 and not taken & {value, value / 100}:
            return match[0]
    return None


def _other_span(said: str, operation: str | None) -> str | None:
    """The unit that is asked for where the calendar answers in another ("how many hours old am I")."""
    for match in _ASKED_SPAN.finditer(said):
        if operation in _GIVEN_SPANS and match[1] not in _GIVEN_SPANS[operation]:
            return match[0]
        if match[1] in ("hours", "minutes", "seconds"):
            return match[0]
    return None


def _other_measure(said: str) -> str | None:
    """The yen of "add 20 % to 349 dollars and give it in yen": reckoning alone turns no measure into another."""
    given = {_reading(m["word"]) for m in _MEASURED.finditer(said) if m["word"] not in (None, "in")} - {None}
    for match in _TARGET.finditer(said):
        if given and _measures(match[1]) and _reading(match[1]) not in given:
            return match[0]
    return None


def _other_place(question: str, calls: Sequence[ToolCall]) -> str | None:
    """The Portugal of "area of Spain and Portugal" where only Spain was looked up."""
    asked = " ".join(str(value) for call in calls for _, value in _leaves(call.arguments)).casefold()
    for mention in place_mentions(question):
        joined = re.search(r"(?:\band|,)\s+(?:of\s+)?$", question[: mention.start], re.IGNORECASE)
        if joined and mention.value.casefold() not in asked:
            return mention.value
    return None


def _unused_measure(said: str, calls: Sequence[ToolCall]) -> str | None:
    """A second rate or a second thing to convert to, where one conversion is all that runs."""
    if len(calls) != 1 or calls[0].tool not in _CONVERTERS:
        return None
    ends = [str(value) for value in calls[0].arguments.values()]
    return _second_target(said, calls[0].tool, ends) or _second_rate(said, ends)


def _second_target(said: str, tool: str, ends: Collection[str]) -> str | None:
    """The yen of "in euros and yen". ``ends`` are the conversion's, where known."""
    for match in _TARGETS.finditer(said):
        one, other = _CONVERTERS[tool](match["one"]), _CONVERTERS[tool](match["other"])
        if one and other and one != other and (not ends or one in ends) and other not in ends:
            return match["other"]
    return None


def _second_rate(said: str, ends: Collection[str]) -> str | None:
    """The year of "3 miles a day, how many km is that a year"; "60 miles an hour in feet a second" is one rate."""
    rates = {symbol: m[0] for m in _RATE.finditer(said) if (symbol := symbol_of(m[1], fuzzy=False))}
    within = any("/" in end for end in ends) or set(rates) & set(ends)
    return list(rates.values())[-1] if len(rates) > 1 and not within else None


def _compounds(said: str, calls: Iterable[ToolCall]) -> Iterator[float]:
    """The numbers of ``said`` that reading made one value of, as 67 inches of "5 foot 7"."""
    numbers = [float(digits) for digits in re.findall(r"\d+(?:\.\d+)?", said)]
    for value in (call.arguments["value"] for call in calls if call.tool == "unit_converter"):
        for pair in pairwise(numbers):
            if any(pair[0] * factor + pair[1] == float(value) for factor in _COMPOUND):
                yield from pair


def _values(calls: Iterable[ToolCall]) -> Iterator[float | str]:
    """Numbers and days that the arguments of ``calls`` hold; a number of days also as weeks, of months as years."""
    for call in calls:
        for name, value in _leaves(call.arguments):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield from (abs(value) / part for part in _PARTS.get(name, (1,)))
                continue
            for year, day in _ISO.findall(str(value)):
                yield from (f"{year}-{day}", day, float(year))
            yield from (float(n) for n in re.findall(r"\d+(?:\.\d+)?", plain(_ISO.sub(" ", str(value)))))


def _leaves(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in arguments.items():
        yield from ((name, one) for one in (value if isinstance(value, list) else [value]))


def _found(pattern: re.Pattern[str], said: str) -> str | None:
    match = pattern.search(said)
    return match[0] if match else None


def _second_time(said: str) -> str | None:
    """The 5 pm of "from 9 am in Rome to 5 pm in Oslo": the clock carries one time from place to place."""
    times = _TIME.findall(said)
    return times[1] if len(times) > 1 else None


def _without(said: str, text: str) -> str:
    return said.replace(plain(text), " ") if text else said
