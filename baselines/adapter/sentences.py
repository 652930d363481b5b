"""The sentence that a good answer is, from a tool's result: it says what the result says and nothing else."""

from __future__ import annotations

import re

from baselines.adapter.results import WEEKDAYS
from router.types import ToolResult

NOTHING = "I found nothing about that."


def sentence(question: str, result: ToolResult) -> str:
    """The answer to ``question`` from one result, or a word about its error."""
    if result.output is None:
        return _failure(result.error or "")
    text, tool = result.output, result.call.tool
    if tool == "search":
        return _fact(question, text)
    if tool == "clock" and " = " not in text:
        return _moment(text)
    left, _, right = text.rpartition(" = ")
    if tool == "calculator":
        return f"{left} is {right}." if len(left) <= 14 else f"The answer is {right}."
    if tool == "clock":
        return _zones(left, right)
    if tool == "calendar":
        return _date(question, left, right)
    if tool == "text":
        return _letters(left, right)
    if tool == "weather":
        return f"The {left}: {right.removesuffix(' (Open-Meteo)')}."
    return f"{left} is {right}."


def _failure(error: str) -> str:
    if error.startswith("No forecast for "):
        place = error.removeprefix("No forecast for ").partition(":")[0]
        return f"Sorry, I have no forecast for {place}: the weather service needs the internet."
    first = re.split(r"(?<=[\w)'\"\]])[.;] (?=[A-Z]|it |cities|the limit)", error.rstrip("."))[0]
    return f"Sorry, that did not work: {first[0].lower() if first[:2].istitle() else first[0]}{first[1:]}."


def _fact(question: str, text: str) -> str:
    if text.startswith("Nothing found"):
        return NOTHING
    fact = text.rpartition(" (source:")[0]
    sentences = re.split(r"(?<=\.) (?=The )", fact)
    return " ".join(sentences[:2])


def _moment(text: str) -> str:
    place, _, rest = text.partition(": ")
    where = "" if place in ("Now", "here") else f" in {place}"
    day = re.fullmatch(r"(\w+ \d+ \w+ \d+) \((\d\d:\d\d), .*\)", rest)
    if day:
        return f"It is {day[1]}{where}."
    return f"It is {rest.partition(' (')[0]}{where}."


def _zones(left: str, right: str) -> str:
    gap = re.fullmatch(r"time difference between (.+) and (.+)", left)
    span, _, side = right.partition(" (")
    if gap:
        first, second = gap.groups()
        if side.startswith("same time"):
            return f"{first} and {second} have the same time."
        way = "ahead of" if "ahead" in side else "behind"
        return f"{first} is {span} {way} {second}."
    return f"When it is {left}, it is {right}."


def _date(question: str, left: str, right: str) -> str:
    if left.startswith("weekday of "):
        answer = f"{left.removeprefix('weekday of ')} falls on a {right}."
        asked = [day for day in WEEKDAYS if day.lower() in question.lower()]
        if asked and re.match(r"(?:is|was|will|did|does)\b", question.lower()):
            answer = f"{'Yes' if right in asked else 'No'}, {answer}"
        return answer
    year = re.fullmatch(r"is (\d+) a leap year\?", left)
    if year:
        count = re.search(r"has (\d+) days", right)
        verdict, negation = _verdict(right)
        return f"{verdict}, {year[1]} is {negation}a leap year: it has {count[1]} days."
    for start, way in (("days until ", "until"), ("days since ", "since")):
        if left.startswith(start):
            verb = "It is" if way == "until" else "It has been"
            return f"{verb} {right} {way} {left.removeprefix(start)}."
    if left.startswith("days from "):
        return f"From {left.removeprefix('days from ')} it is {right}."
    if left.startswith("days in "):
        return f"{left.removeprefix('days in ')} has {right} days."
    if left.startswith("ISO week of "):
        return f"{left.removeprefix('ISO week of ')} is in week {right}."
    born = re.fullmatch(r"age on (.+) of someone born on (.+)", left)
    if born:
        return f"Someone born on {born[2]} is {right} old on {born[1]}."
    if "+" in left or " - " in left:
        return f"{left} is {right}."
    return f"{left} is on {right}."


def _letters(left: str, right: str) -> str:
    letter = re.fullmatch(r'(?:letter|text) (".*?") in (".*")', left)
    if letter:
        return f"The letter {letter[1]} appears {right} time{'' if right == '1' else 's'} in {letter[2]}."
    count = re.fullmatch(r'(letters|words|vowels|consonants) in (".*")', left)
    if count:
        return f"{count[2]} has {right} {count[1] if right != '1' else count[1][:-1]}."
    palindrome = re.fullmatch(r'is (".*") a palindrome\?', left)
    if palindrome:
        verdict, negation = _verdict(right)
        return f"{verdict}, {palindrome[1]} is {negation}a palindrome."
    return f"{left} is {right}."


def _verdict(right: str) -> tuple[str, str]:
    """("Yes", "") or ("No", "not ")."""
    return ("Yes", "") if right.startswith("yes") else ("No", "not ")
