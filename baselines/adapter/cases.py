"""Cases that traces are made of: a question, the call that serves it, the call in words, and what the tool says.

Leaves out prompts and answers. Questions come from ``router.learning.synthetic``; every call is run on the real tool, and a case
whose call the tool refuses, or whose words the tool's parser reads otherwise, is dropped. So a case is right by test,
not by hope. What stands in a result's place (``results``) comes afterwards.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from router.builtin.numbers import plain
from router.learning import synthetic
from router.learning.synthetic.slots import number_words
from router.tools import Tool
from router.types import Example, ToolCall, ToolResult

_OTHER_TEXT, _OTHER_DATE, _IN_WORDS, _OF_THE_MODEL = 0.8, 0.35, 0.12, 0.6
"""Shares: questions about text with other words to work on, dates in another writing, numbers in words, and words that
are drawn from the model's vocabulary."""
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """``words`` is the chain's input for the tool; ``fit_for_call`` is False where the arguments hold more than the
    question tells (the year of "23 May"), so that only the words can be asked of a model."""

    question: str
    words: str
    result: ToolResult
    fit_for_call: bool
    source: str


@dataclass(frozen=True)
class Source:
    """Where cases come from: one side of the templates' split, a seed, and words to copy beside those of templates."""

    seed: int
    held_out: bool
    words: tuple[str, ...] = ()


def cases(tools: Mapping[str, Tool], label: str, count: int, source: Source) -> Iterator[Case]:
    """At most ``count`` cases of the tool ``label``."""
    tool, rng = tools[label], random.Random(f"{source.seed}/{label}/texts/{source.held_out}")
    for example in synthetic.generate(label, count, source.seed, source.held_out, 0.45, _more(label)):
        if label == "text" and rng.random() < _OTHER_TEXT:
            example = _with_other_text(example, source.words, rng)
        if label in ("calendar", "currency") and rng.random() < _OTHER_DATE:
            example = _with_other_date(example, rng)
        if label == "calculator" and rng.random() < _IN_WORDS:
            example = replace(example, question=re.sub(r"(?<![\d.,])\d{1,5}(?![\d.,%])", _spelled, example.question))
        case = _case(tool, example)
        if case is not None:
            yield case


def balanced(found: Sequence[Case], count: int) -> list[Case]:
    """About ``count`` of ``found``, where a kind of call that is four times as common gets twice as many places."""
    kinds: dict[str, list[Case]] = {}
    for case in found:
        kinds.setdefault(_kind(case), []).append(case)
    share = count / sum(len(cases) ** 0.5 for cases in kinds.values())
    return [case for cases in kinds.values() for case in cases[: math.ceil(share * len(cases) ** 0.5)]]


def _kind(case: Case) -> str:
    """What is asked of the tool: its operation and the arguments given, or the form of an expression."""
    arguments = case.result.call.arguments
    if "expression" in arguments:
        return re.sub(r"\d+(?:\.\d+)?", "n", arguments["expression"])
    return f"{arguments.get('operation', arguments.get('ask'))} {' '.join(sorted(arguments))} {case.fit_for_call}"


@cache
def _more(label: str) -> tuple[synthetic.Template, ...]:
    """This package's own templates for a tool, numbered after those of ``router.learning.synthetic``."""
    text = resources.files(__package__).joinpath("questions.txt").read_text("utf-8")
    parts = dict(part.split("\n", 1) for part in re.split(r"^== ", text, flags=re.MULTILINE)[1:])
    return synthetic.read_templates(label, parts.get(label, ""), len(synthetic.templates(label)))


def _spelled(match: re.Match[str]) -> str:
    return number_words(int(match[0]))


def _with_other_text(example: Example, words: Sequence[str], rng: random.Random) -> Example:
    """``example`` about other words than the few of its slot's list, so that copying is learned and not a list."""
    text = str((example.arguments or {}).get("text", ""))
    if not text or example.question.count(text) != 1:
        return example
    if " " in text:
        other = " ".join(_word(words, rng) for _ in range(rng.randint(2, 13)))
    else:
        other = _word(words, rng) if rng.random() < 0.7 else _word(words, rng) + _word(words, rng)[:6]
    if (example.arguments or {}).get("operation") == "lowercase" or rng.random() < 0.08:
        other = other.upper() if rng.random() < 0.5 else other.title()
    arguments = {**(example.arguments or {}), "text": other}
    if "letter" in arguments:
        arguments["letter"] = rng.choice(other.replace(" ", "")).lower()
    before = (example.arguments or {}).get("letter")
    question = example.question
    if before:
        found = re.compile(rf"\b{re.escape(str(before))}(?=\b|'?s\b)")
        head, _, tail = question.partition(text)
        if len(found.findall(head)) + len(found.findall(tail)) != 1:
            return example
        question = found.sub(arguments["letter"], head) + text + found.sub(arguments["letter"], tail)
    return replace(example, question=question.replace(text, other), arguments=arguments)


@cache
def vocabulary() -> tuple[str, ...]:
    """Words to write about: those of the templates of questions."""
    patterns = (re.sub(r"\{.*?\}", "", t.pattern) for label in ("none", "search") for t in synthetic.templates(label))
    return tuple(sorted({word for pattern in patterns for word in re.findall(r"\b[a-z]{2,14}\b", pattern)}))


def _word(words: Sequence[str], rng: random.Random) -> str:
    """A word of the templates, or of ``words``: a model whose token for " word" is not that of '"word' has to learn
    to spell each of them."""
    return rng.choice(words if words and rng.random() < _OF_THE_MODEL else vocabulary())


def _with_other_date(example: Example, rng: random.Random) -> Example:
    """``example`` with a date in digits, or its month in small letters."""
    question = example.question
    for value in (example.arguments or {}).values():
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
            continue
        day = date.fromisoformat(value)
        month = MONTHS[day.month - 1]
        written = re.compile(
            rf"(?:the )?(?:\b{day.day}(?:st|nd|rd|th)?(?: of)? (?:{month}|{month[:3]}),? {day.year}|"
            rf"(?:{month}|{month[:3]}) {day.day}(?:st|nd|rd|th)?,? {day.year}|{value})\b"
        )
        iso, *others = _in_digits(day)
        forms = [iso, f"{day.day} {month.lower()} {day.year}", f"{month[:3].lower()} {day.day} {day.year}"]
        forms += [f"the {_ordinal(day.day)} of {name} {day.year}" for name in (month, month.lower())]
        if day.day > 12:  # no other order of day and month can be read into these
            forms += others
        question = written.sub(rng.choice(forms), question, count=1)
    return replace(example, question=question)


def _ordinal(number: int) -> str:
    return f"{number}{'th' if 10 < number < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _in_digits(day: date) -> tuple[str, str, str]:
    return day.isoformat(), f"{day.day}/{day.month}/{day.year}", f"{day.day}.{day.month}.{day.year}"


_COPIED = ("place", "other_place", "query", "holiday")
"""Arguments that a model may write as the question does: no tool minds their capitals."""
_CLOCK_TIME = re.compile(
    r"\b\d{1,2}(?::\d\d)?\s*(?:[ap]\.?m\b\.?)|\b\d{1,2}:\d\d\b|\b(?:noon|midnight)\b", re.IGNORECASE
)


def _as_written(tool: Tool, arguments: Mapping[str, Any], question: str, output: str | None) -> dict[str, Any]:
    """The arguments with the capitals and the time of the question where the tool gives the same for them: what can be
    copied need not be known."""

    def copied(name: str) -> str:
        at = question.lower().find(name.lower())
        return question[at : at + len(name)] if at >= 0 else name

    written = dict(arguments) | {slot: copied(arguments[slot]) for slot in _COPIED if slot in arguments}
    times = _CLOCK_TIME.findall(question)
    if "time" in written and len(times) == 1:
        written["time"] = times[0]
    if "query" in written:
        written["query"] = re.sub(r"\b[A-Z][\w-]{2,}", lambda name: copied(name[0]), written["query"])
    return written if tool.call(written).output == output else dict(arguments)


def _garbled_name(arguments: Mapping[str, Any], question: str) -> bool:
    """Whether a name stands otherwise in the question: to write what nobody can know is to learn to guess."""
    names = [str(arguments[slot]) for slot in ("place", "other_place") if slot in arguments]
    names += re.findall(r"\b[A-Z]\w{3,}", str(arguments.get("query", "")))
    return any(name.lower() not in question.lower() for name in names)


def _case(tool: Tool, example: Example) -> Case | None:
    arguments = _arguments(tool, example)
    if arguments is None or any(value == "" for value in arguments.values()):
        return None
    if _garbled_name(arguments, example.question):
        return None
    result = tool.call(arguments)
    if result.output is None and tool.name != "weather":
        return None
    if tool.name == "search" and "score 1.00" not in (result.output or ""):
        return None
    if tool.name == "unit_converter":
        arguments = _short_units(arguments, result.text)
        if tool.call(arguments).output != result.output:
            return None
    arguments = _as_written(tool, arguments, example.question, result.output)
    words = _words(tool, arguments, example.question, result)
    if words is None:
        return None
    told = set(re.findall(r"\d+", plain(example.question.lower()) + " " + example.question.replace(",", "")))
    years = re.findall(r"\b(\d{4})-\d\d-\d\d\b", " ".join(str(v) for v in arguments.values()))
    result = ToolResult(ToolCall(tool.name, arguments), result.output, result.error, result.seconds)
    fit = all(number in told for number in (*years, *_given(tool, arguments)))
    if tool.name == "unit_converter" and not fit:
        words = example.question
    return Case(example.question, words, result, fit, example.source)


def _given(tool: Tool, arguments: Mapping[str, Any]) -> list[str]:
    """Digits that a call needs from its question: those of a quantity, which "5 foot 11" gives only by reckoning."""
    return re.findall(r"\d+", str(arguments["value"])) if tool.name == "unit_converter" else []


def _arguments(tool: Tool, example: Example) -> dict[str, Any] | None:
    parsed = _parse(tool, example.question)
    if example.arguments is None and tool.name not in ("calculator", "unit_converter"):
        return None  # templates without a call, where the tool's own parser may not be trusted
    known = dict(example.arguments or parsed or {})
    if not known:
        return None
    if tool.name == "calculator":
        written = re.sub(r"(?<=\d)\.0\b", "", str(known["expression"]))
        known["expression"] = re.sub(r"\s*([-+*/^(),])\s*", r"\1", written)
    if tool.name == "calendar":
        if known.get("operation") == "days_since":
            known["operation"] = "days_until"
        needs_date = known.get("operation") in ("weekday", "days_until", "week_number", "add_days", "days_in_month")
        if needs_date and not {"date", "holiday"} & known.keys():
            if not parsed or parsed["operation"] != known["operation"]:
                return None
            known = parsed
        if re.search(r"\b(?:next|last) year\b", example.question):
            return None
    if tool.name == "weather" and known.get("day") == "today":
        del known["day"]  # what the tool takes without being told
    if tool.name == "text" and known.get("operation") in ("upper", "lower", "title"):
        known["operation"] = {"upper": "uppercase", "lower": "lowercase", "title": "title_case"}[known["operation"]]
    return known


def _parse(tool: Tool, text: str) -> dict[str, Any] | None:
    try:
        return tool.parse(text)
    except Exception:  # noqa: BLE001 - a parser that fails on one question costs one case, not the run
        return None


def _short_units(arguments: Mapping[str, Any], output: str) -> dict[str, Any]:
    """The arguments with the symbols that the tool's output shows: ``degree_Fahrenheit`` becomes ``°F``."""
    left, _, right = output.partition(" = ")
    units = [side.partition(" ")[2] or side.lstrip("-0123456789.,e+") for side in (left, right)]
    if not all(units):
        return dict(arguments)
    return {"value": arguments["value"], "from_unit": units[0], "to_unit": units[1]}


def _words(tool: Tool, arguments: Mapping[str, Any], question: str, result: ToolResult) -> str | None:
    """The call in few words that the tool's parser reads as the same call, or the question if only that is read."""
    phrasings = [*_PHRASINGS[tool.name](dict(arguments)), question]
    for words in (*(_with_digits_of(question, words) for words in phrasings), *phrasings):
        parsed = _parse(tool, words)
        if parsed is None:
            continue
        if parsed == arguments or _tail(tool.call(parsed).text) == _tail(result.text):
            return words
    return None


def _with_digits_of(question: str, words: str) -> str:
    """``words`` with dates in digits where the question has them so."""

    def digits(match: re.Match[str]) -> str:
        day = date(int(match[3]), MONTHS.index(match[2]) + 1, int(match[1]))
        return next((form for form in _in_digits(day) if form in question), match[0])

    return re.sub(rf"\b(\d{{1,2}}) ({'|'.join(MONTHS)}) (\d{{4}})\b", digits, words)


def _tail(text: str) -> str:
    """What a result says, without the way its question was written."""
    return text if text.startswith("Error") else text.rpartition(" = ")[2]


def _calculator(a: Mapping[str, Any]) -> Iterator[str]:
    yield a["expression"]


def _unit_converter(a: Mapping[str, Any]) -> Iterator[str]:
    yield f"{a['value']} {a['from_unit']} to {a['to_unit']}"


def _clock(a: Mapping[str, Any]) -> Iterator[str]:
    place, other = a.get("place"), a.get("other_place")
    if a.get("time"):
        yield f"{a['time']} in {place} to {other}"
        yield f"if it is {a['time']} in {place} what time is it in {other}"
    elif a["ask"] == "difference":
        yield f"time difference between {place} and {other}"
    elif place:
        yield f"{a['ask']} in {place}"
        yield f"what {a['ask']} is it in {place}"
    else:
        yield f"{a['ask']} now"
        yield f"what is the {a['ask']}"


def _day(text: str) -> str:
    match = re.fullmatch(r"(\d+)-(\d\d)-(\d\d)", text)
    return f"{int(match[3])} {MONTHS[int(match[2]) - 1]} {match[1]}" if match else text


def _calendar(a: Mapping[str, Any]) -> Iterator[str]:
    what = a.get("holiday") or _day(a.get("date") or "today")
    if a.get("holiday"):
        what += f" in {a['country']}" if a.get("country") else ""
        what += f" {a['year']}" if a.get("year") else ""
    operation = a["operation"]
    if operation == "weekday":
        yield f"weekday of {what}"
        yield f"what day of the week is {what}"
    elif operation == "days_between":
        yield f"days from {what} to {_day(a.get('other_date') or 'today')}"
    elif operation == "days_until":
        bare = re.sub(r" \d{4}$", "", what)
        yield from (f"days until {bare}", f"days until {what}", f"days since {what}", f"how many days since {what}")
    elif operation == "add_days":
        count, unit = (a["days"], "days") if a.get("days") else (a.get("months") or 0, "months")
        yield f"{what} {'-' if count < 0 else '+'} {abs(count)} {unit}"
        yield f"{abs(count)} {unit} {'before' if count < 0 else 'after'} {what}"
        if count > 0:
            yield f"what date is it in {count} {unit}"
        yield f"what date was {abs(count)} {unit} ago"
    elif operation == "holiday_date":
        if a.get("year"):
            yield f"date of {a['holiday']}{' in ' + a['country'] if a.get('country') else ''} in {a['year']}"
        yield what
        yield f"when is {what}"
        yield f"date of {what}"
    elif operation == "leap_year":
        yield f"leap year {a['year']}" if a.get("year") else "is this a leap year"
    elif operation == "age":
        yield f"age of someone born {what}" + (f" on {_day(a['other_date'])}" if a.get("other_date") else "")
    elif operation == "days_in_month":
        yield f"days in {what.partition(' ')[2]}"
    elif operation == "week_number":
        yield f"week number of {what}"


def _currency(a: Mapping[str, Any]) -> Iterator[str]:
    day = f" on {_day(a['date'])}" if a.get("date") else ""
    yield f"{a['amount']} {a['from_currency']} to {a['to_currency']}{day}"


def _search(a: Mapping[str, Any]) -> Iterator[str]:
    yield a["query"]


def _weather(a: Mapping[str, Any]) -> Iterator[str]:
    day = f" {a['day']}" if a.get("day") else ""
    yield f"{a['place']}{day}"
    yield f"weather in {a['place']}{day}"


def _text(a: Mapping[str, Any]) -> Iterator[str]:
    quoted, operation = f'"{a["text"]}"', a["operation"]
    yield {
        "count_letter": f"letter {a.get('letter')} in {quoted}",
        "count_letters": f"letters in {quoted}",
        "count_words": f"words in {quoted}",
        "count_vowels": f"vowels in {quoted}",
        "count_consonants": f"consonants in {quoted}",
        "reverse": f"reverse {quoted}",
        "palindrome": f"is {quoted} a palindrome",
        "uppercase": f"uppercase {quoted}",
        "lowercase": f"lowercase {quoted}",
        "title_case": f"title case {quoted}",
        "spell": f"spell {quoted}",
    }[operation]
    if operation == "count_letter":
        yield f"how many {a.get('letter')} in {quoted}"
    elif operation.startswith("count_"):
        yield f"how many {operation.removeprefix('count_')} in {quoted}"


_PHRASINGS = {
    "calculator": _calculator, "unit_converter": _unit_converter, "clock": _clock, "calendar": _calendar,
    "currency": _currency, "search": _search, "weather": _weather, "text": _text,
}  # fmt: skip
