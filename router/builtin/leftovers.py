"""What a question holds that no call took in: words, quantities, comparisons, another unit than the answer's.

A tool that answers half a question without saying so is worse than an abstention, which hands the question to the
language model. Leaves out telling several requests apart (``english.py``). Rules, not learned: a reader can see why a
question was handed over.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from rapidfuzz.distance import OSA

from router.builtin import calculator, currency, unit_converter, weather
from router.builtin.conversions import names
from router.builtin.currency import lookup as currency_code
from router.builtin.dates import find_dates
from router.builtin.english import ASKS_INSIDE, MOOD, REQUEST, bare, cleaned, points_back, quantities
from router.builtin.mentions import kind_of, place_mentions
from router.builtin.moments import name_days
from router.builtin.numbers import PARTS, digits, plain
from router.builtin.places import find as find_place
from router.builtin.slots import READER
from router.builtin.text import unclear
from router.builtin.units import symbol_of
from router.tools import Tool
from router.types import Question, Step, ToolCall

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
_TURNED = re.compile(
    r"\bof\s+(?:what|which)\b|\bwith\s+(?:a\s+|the\s+)?remainders?\b|\bdivide\s+\d\S*\s+into\b|\b(?:factorial|root)\s+of\s+(?:minus|negative)\b"
)
"""The unknown of "80 is 20% of what", the order of "divide 5 into 100", two results for one, what no number has."""
_DIFFERENCE = re.compile(r"\b(?:rise|drop|fall|change|difference|increase|decrease|(?:warm|hott|cold|cool)er)\b")
"""Ten degrees more in Celsius are eighteen more in Fahrenheit, and not fifty."""
_NO_FORECAST = re.compile(r"\b(?:did|was|were|has|had|why|always|ever|yesterday)\b")
"""What has been, why and how often is no forecast."""
_JOINT = re.compile(r"\b(?:and|or|then|but)\b")
_NOT = re.compile(r"\bnot\b(?!\s+(?:sure|know|certain))", re.IGNORECASE)
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
CONVERTERS = {"unit_converter": partial(symbol_of, fuzzy=False), "currency": currency_code}
"""Tools that turn one quantity into one other, and how each reads a name."""
_PREPARED = {"unit_converter": unit_converter.prepared, "currency": currency.prepared}
SENSES = {"unit_converter": unit_converter.senses, "currency": currency.senses}
_ACCOUNT = frozenset(("calendar", "clock"))
"""Tools whose own parsers account for every word."""
_ISO = re.compile(r"\b(\d{4})-(\d\d-\d\d)\b")
_PARTS = {"days": (1, 7, 14), "months": (1, 12, 120)}
"""A number of days may have been said as weeks or fortnights, one of months as years or decades."""
_TOLD_BEFORE = re.compile(
    r"(?:\b(?:knows?|asks?|asked|wonder(?:ed|s|ing)?|tell\s+me)\b[\s,:]*|[,:;.]\s+(?:so\s+|and\s+|but\s+|now\s+)?)"
    rf"(?={REQUEST})",
    re.IGNORECASE,
)
_TOLD_AFTER = re.compile(
    r"[,;.?!]\s+(?=(?:i|we|my|our|he|she|they|it|i'm|it's|we're"
    r"|need|walking|flying|going|travell?ing|driving|heading|leaving|moving)\b)",
    re.IGNORECASE,
)
_ANY_DAY = date(2000, 1, 1)


def unused(question: Question, calls: Sequence[ToolCall]) -> str | None:
    """A quantity or a comparison of ``question`` that none of ``calls`` took in, as it stands there; None where all is
    used. Of a text, a fact or a forecast only what reckons on with it counts: other numbers are names or chatter."""
    tools = {call.tool for call in calls}
    said = quantities(question)
    if tools <= {"search"}:
        return _found(_COMPARED, said)
    if tools == {"weather"}:
        return _found(_NO_FORECAST, said) or weather.left_over(cleaned(question))
    if "search" in tools and (place := _other_place(cleaned(question), calls)):
        return place
    if "text" in tools and len(calls) == 1:
        said_text = str(calls[0].arguments.get("text", ""))
        return unclear(cleaned(question), said_text) or _found(_TIMES_NUMBER, _without(said, said_text))
    if "text" in tools:
        return None if "calculator" in tools else _found(_TIMES_NUMBER, said) or _found(_DERIVED, said)
    if not tools <= {*_COUNTS, "search", "clock"}:
        return None
    derived = None if "calculator" in tools else _found(_DERIVED, said)
    if len(calls) == 1 and tools <= CONVERTERS.keys():  # a conversion is read with all numbers or not at all
        degrees = str(calls[0].arguments.get("from_unit", "")).startswith("°")
        return derived or (_found(_DIFFERENCE, said) if degrees else None)
    if tools == {"calculator"}:
        derived = _found(_TURNED, said) or calculator.second_money(said) or _other_measure(said)
    if tools == {"calendar"}:
        said = name_days(said, _ANY_DAY).rest
        derived = derived or _other_span(said, calls[-1].arguments.get("operation"))
    if "clock" in tools and not tools & _COUNTS:
        return derived
    return derived or _unused_number(said, calls)


def unread(
    question: Question, step: Step, tool: Tool, understood: Collection[str] | None, part: bool = False
) -> str | None:
    """The first word of ``question`` that nothing accounts for; None where all are read.

    Accounted for are the words of values, what an arithmetic grammar or a query takes whole, words ``understood`` to
    say nothing more, and slips of these. Another word counts where it may qualify: beside a value or what is asked for
    ("how many working days"), and anywhere in a ``part`` of a question, where a text is worked on, a learned reader
    said what is to be done, or slots are open, in a last clause without any value ("and tell my boss"), which may be
    a request, and behind what a conversion ends with ("in dollars in words"). Elsewhere it is scenery ("the taxi was 30 euros"). A text that is open
    may be any words.
    """
    arguments = step.call.arguments
    missing = [name for name, slot in tool.slots.items() if slot.required and name not in arguments]
    by_reader = READER in step.sources.values()
    by_grammar = "expression" in arguments and not by_reader
    open_text = missing and all(kind_of(name, tool.slots[name].schema) == "text" for name in missing)
    if understood is None or accounts(tool) or by_grammar or open_text:
        return None
    if place := _unused_place(question, step.call, tool):
        return place
    if negated := _found(_NOT, _without(bare(question), str(arguments.get("text", "")))):
        return negated
    said, words = residue(question, step.call, tool)
    apart = min(_apart(said), said.rfind(_VALUE) if tool.name in CONVERTERS else math.inf)
    strict = part or bool(missing) or by_reader or tool.name not in _COUNTS
    for match in words:
        word = match[0].lower()
        known = word in understood or word in _IDLE or (tool.name == "weather" and weather.TELLS.fullmatch(word)) or _slip(word, _IDLE, 3) or _slip(word, understood, 6)
        if not known and (strict or match.start() >= apart or _qualifies(said, match, tool)):
            return match[0]
    if tool.name == "currency" and (second := _second_rate(said)):
        return second
    reckons = tool.name in CONVERTERS or "expression" in missing
    return _unconverted(question, tool.name) if missing and reckons else None


def _apart(said: str) -> float:
    """Where the last clause of ``said`` begins, if no value stands in it."""
    joints = list(_JOINT.finditer(said))
    start = joints[-1].end() if joints else len(said)
    return start if joints and not re.search(f"[{_VALUE}{_NUMBER_MARK}]", said[start:]) else math.inf


def accounts(tool: Tool) -> bool:
    """Whether the own parser of ``tool`` accounts for every word, or takes them as they are."""
    return tool.name in _ACCOUNT or any(kind_of(name, slot.schema) == "query" for name, slot in tool.slots.items())


def _qualifies(said: str, match: re.Match[str], tool: Tool) -> bool:
    """Whether a word of ``said`` stands where it may change the value beside it, or what is asked for."""
    before, after = said[: match.start()].rstrip(" -"), said[match.end() :].lstrip(" -")
    if before.removesuffix(" of")[-1:] in (_VALUE, _NUMBER_MARK) or after[:1] == _VALUE or _ASKS_FOR.search(before):
        return True
    part = match[0].lower() in PARTS and (after[:1] == _NUMBER_MARK or re.match(r"of\b", after) is not None)
    return part or (after[:1] == _NUMBER_MARK and tool.name not in CONVERTERS)


def _second_rate(said: str) -> str | None:
    """The gallon of "1.75 euros a litre, what does a gallon cost": money for one measure becomes money for another."""
    rates = {symbol: m[0] for m in _RATE.finditer(said) if (symbol := symbol_of(m[1], fuzzy=False))}
    return list(rates.values())[-1] if len(rates) > 1 else None


def _unconverted(question: Question, tool: str) -> str | None:
    """The first number, or else the first unit or currency, of a question that is no conversion and no arithmetic."""
    text = bare(question)
    if tool in CONVERTERS and (second := _second_target(text, tool, ())):
        return second
    number = re.search(r"\d[\d.,]*", text) or re.search(r"\d[\d.]*", digits(text))
    named = names(text, SENSES[tool]) if tool in SENSES else ()
    return number[0] if number else next((token.text for token in named), None)


_VALUE = "\x00"
"""Stands for a value that a call took in."""
_NUMBER_MARK = "\x01"
"""The same of a number. Before that of a conversion stand verbs ("got 50 yen left"): what alters it is read as such."""
_RATE = re.compile(r"\b(?:per|an?|each|every)\s+([^\W\d_]+)", re.IGNORECASE)
_ASKS_FOR = re.compile(r"\b(?:how\s+(?:many|much)|which)$", re.IGNORECASE)
_IDLE = MOOD | frozenset(
    "it its u about around roughly exactly approximately please pls plz thanks thx left name out up back over away "
    "still just only".split()
)
"""Words of the grammar, which say nothing by themselves."""


def residue(question: Question, call: ToolCall, tool: Tool) -> tuple[str, list[re.Match[str]]]:
    """(text of ``question`` with a mark in the place of each value, its words): what ``call`` does not hold."""
    senses = SENSES.get(call.tool)
    said = re.sub(r"'(?:s|re|ve|ll|d|m)\b", " ", bare(question))
    said = _PREPARED.get(call.tool, digits)(said)
    said = said.replace(str(call.arguments.get("text") or _VALUE), _VALUE)
    spans = [(start, end) for start, end, *_ in find_dates(said, _ANY_DAY)] if "date" in call.arguments else []
    spans += [(token.start, token.end) for token in (names(said, senses) if senses else ())]
    for start, end in spans:
        said = f"{said[:start]}{_VALUE * (end - start)}{said[end:]}"
    said = re.sub(r"[-+]?\d+(?:[.,:]\d+)*(?:e[+-]?\d+)?", lambda match: _NUMBER_MARK * len(match[0]), said)
    held = [str(v) for name, v in call.arguments.items() if "enum" not in tool.slots[name].schema]
    own = {word for value in held for word in re.findall(r"[^\W\d_]+", value.lower())}
    found = list(re.finditer(r"[^\W\d_]+", said))
    words = []
    for match in found:
        word = match[0].lower()
        if word in own:
            said = f"{said[: match.start()]}{_VALUE * len(word)}{said[match.end() :]}"
        else:
            words.append(match)
    return said, words


def _unused_place(question: Question, call: ToolCall, tool: Tool) -> str | None:
    """A place that ``question`` names and a call of ``tool``, which has slots for places, does not hold."""
    slots = [name for name, slot in tool.slots.items() if kind_of(name, slot.schema) == "place"]
    held = [str(call.arguments[name]) for name in slots if name in call.arguments]
    places, text = {find_place(name) for name in held}, " ".join(held).casefold()
    for mention in place_mentions(bare(question)) if slots else ():
        if mention.value.casefold() not in text and find_place(mention.value) not in places:
            return mention.value
    return None


def _slip(word: str, known: Collection[str], least: int) -> bool:
    """Whether ``word`` is one of ``known`` with two letters swapped, or, from ``least`` letters on, one letter off."""
    letters = sorted(word) if len(word) > 3 else None
    return any(
        sorted(other) == letters
        or (
            min(len(word), len(other)) >= least
            and other[0] == word[0]
            and OSA.distance(word, other, score_cutoff=1) < 2
        )
        for other in known
        if abs(len(other) - len(word)) < 2
    )


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


def _converts(said: str) -> bool:
    return any(_measures(match[1]) for match in _TARGET.finditer(said))


def _measures(word: str) -> bool:
    return _reading(word) is not None


def _reading(word: str) -> str | None:
    """The unit or currency that ``word`` means."""
    return symbol_of(word, fuzzy=False) or currency_code(word)


def _unused_number(said: str, calls: Sequence[ToolCall]) -> str | None:
    """A date or a number of ``said`` that is in no argument. A span from today counts as used by any date; a date may
    be a holiday's name (the 4th of July) or, to a calculator, what an earlier step used."""
    said = _TIME.sub(" ", said)
    taken = set(_values(calls))
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


def _second_target(said: str, tool: str, ends: Collection[str]) -> str | None:
    """The yen of "in euros and yen". ``ends`` are the conversion's, where known."""
    for match in _TARGETS.finditer(said):
        one, other = CONVERTERS[tool](match["one"]), CONVERTERS[tool](match["other"])
        if one and other and one != other and (not ends or one in ends) and other not in ends:
            return match["other"]
    return None


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
