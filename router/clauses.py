"""What a question asks besides what a call answers: further requests, and quantities that no call used.

A tool that answers half a question without saying so is worse than an abstention, which hands the question to the
language model. Leaves out resolving (``chains.py``). Rules, not learned: a reader can see why a question was handed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from router.tools import Tool
from router.tools.dates import find_dates
from router.tools.numbers import clean, plain
from router.types import ToolCall

_REQUEST = (
    r"(?:what(?:'s|s)?|which|who(?:'s)?|where|when|how|is|are|was|were|does|do|did|will|convert|calculate|compute|spell"
    r"|count|tell\s+me|give\s+me|find|reverse|translate)\b"
)
_BETWEEN = re.compile(
    rf"(?:[?;]\s*(?:(?:and|also|then|plus)\b,?\s*)*|,\s*(?:(?:and|also|then|plus)\s+)*|\s+(?:and|also|then|plus)\s+(?:also\s+|then\s+)?)"
    rf"(?={_REQUEST})",
    re.IGNORECASE,
)
"""Where one request may end and the next begin: a stop, a comma or "and", and then a word that asks."""
_ASKS = re.compile(rf"\b{_REQUEST}", re.IGNORECASE)
_POINTS_BACK = re.compile(
    r"\b(?:that|those|these|this|them|(?<!are\s)(?<!is\s)there|its|their|both|each\s+of|the\s+(?:same|result|answer))\b"
    r"|(?<!time\sis\s)(?<!late\sis\s)(?<!day\sis\s)(?<!date\sis\s)\bit\b(?!\s+is\b|'s\b)",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)")
_ARITHMETIC = re.compile(
    r"%|\bper\s?cent(?:age)?\b|\b(?:plus|minus|times|divided|multiplied|half|twice|double|ratio|per)\b|\bthan\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.:/-])\d+(?:\.\d+)?(?![\w:/]|-\d)")
_NUMBERS_MATTER = ("calculator", "unit_converter", "currency", "calendar")
"""Tools that use every quantity of a question that is theirs alone."""
_ANY_DAY = date(2000, 1, 1)


def requests(question: str) -> list[str]:
    """The requests in ``question``, in order: one, or several where each begins with a word that asks."""
    text = clean(question)
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    parts, start = [], 0
    for match in _BETWEEN.finditer(text):
        inside = any(a < match.start() < b for a, b in quoted)
        if not inside and _ASKS.search(text[start : match.start()]):
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]] if text else [question]


def points_back(request: str) -> bool:
    """Whether ``request`` speaks of something that an earlier one asked for ("how many seconds are those")."""
    return _POINTS_BACK.search(_QUOTED.sub(" ", request)) is not None


def unused(question: str, calls: Sequence[ToolCall]) -> str | None:
    """A quantity or a comparison of ``question`` that none of ``calls`` took in, as it stands there; None where all is
    used."""
    tools = {call.tool for call in calls}
    text = clean(question)
    if tools == {"search"}:
        compared = _ARITHMETIC.search(_QUOTED.sub(" ", text))
        return compared[0] if compared else None
    if not tools <= {*_NUMBERS_MATTER, "search"} or "text" in tools:
        return None
    said = plain(_QUOTED.sub(" ", text))
    dates = find_dates(said, _ANY_DAY)
    taken = set(_values(calls))
    if _reckoned(said, calls):
        return None
    for start, end, day, *_ in dates:
        if not re.search(r"\d", said[start:end]) or any("holiday" in call.arguments for call in calls):
            continue  # "today" is what a call without a date means, and the 4th of July may be a holiday's name
        if not (taken & {day.isoformat(), day.isoformat()[5:]}) and "calculator" not in tools:
            return said[start:end].strip()
    for match in _NUMBER.finditer(said):
        if any(start <= match.start() < end for start, end, *_ in dates):
            continue
        value = float(match[0])
        if value != 1 and not taken & {value, value / 100}:
            return match[0]
    return None


def crowded(question: str, tool: Tool) -> bool:
    """Whether ``question`` names more quantities than ``tool`` has slots for, or points back to one: then filling the
    open slots of one call does not answer it."""
    said = plain(_QUOTED.sub(" ", clean(question)))
    dates = find_dates(said, _ANY_DAY)
    numbers = [m for m in _NUMBER.finditer(said) if not any(a <= m.start() < b for a, b, *_ in dates)]
    kinds = (schema.get("type") for schema in tool.parameters["properties"].values())
    slots = sum(kind in ("number", "integer") for kind in kinds)
    return slots > 0 and (len(numbers) > slots or points_back(question))


def _reckoned(said: str, calls: Sequence[ToolCall]) -> bool:
    """Whether a value was made of several numbers by reading alone, as 71 inches of "5 foot 11"."""
    values = {float(match[0]) for match in _NUMBER.finditer(said)}
    amounts = [call.arguments["value"] for call in calls if call.tool == "unit_converter"]
    return len(calls) == 1 and any(float(amount) not in values for amount in amounts)


def _values(calls: Iterable[ToolCall]) -> Iterator[float | str]:
    """Numbers and days that the arguments of ``calls`` hold."""
    for call in calls:
        for value in _leaves(call.arguments):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield float(abs(value))
                continue
            for year, day in re.findall(r"\b(\d{4})-(\d\d-\d\d)\b", str(value)):
                yield from (f"{year}-{day}", day, float(year))
            yield from (float(n) for n in re.findall(r"\d+(?:\.\d+)?", plain(str(value))))


def _leaves(arguments: Mapping[str, Any]) -> Iterator[Any]:
    for value in arguments.values():
        yield from value if isinstance(value, list) else [value]
