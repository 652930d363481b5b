"""Do two tool results say the same, and does a sentence repeat what its tool found?

Leaves out truth: two paths that are wrong in the same way agree. Whether an answer is right only a reference can tell
(``matching``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

from baselines.evaluate.matching import matches, numbers, same_number
from router.types import ToolResult

MOVING = frozenset(("clock",))
"""Tools that rightly answer the same call with another time."""
_NOTE = re.compile(r"(?:\s*\([^()]*\))+\s*$")
"""What a tool adds in brackets: a source, the day of a rate, the other way of saying a duration."""
_WORD = re.compile(r"[^\W\d_][\w'/²³]*|[%°€$£¥][^\W\d_]?")
_NAME = re.compile(r"(?<=\s)[^\W\d_][\w'-]*")
_NEGATION = re.compile(r"\b(?:no|not|cannot)\b|n['’]t\b", re.IGNORECASE)


def finding(text: str) -> str:
    """What a tool found, without the question that it repeats and the notes behind it: ``11.61`` of ``18% of 64.50 =
    11.61``, ``89.91 EUR`` of ``100 USD = 89.91 EUR (ECB rate of 2 March 2020)``."""
    return _NOTE.sub("", text).rpartition(" = ")[2].strip()


def agree(one: ToolResult, other: ToolResult) -> bool:
    """Whether two calls that succeeded found the same.

    The numbers must be the same, one perhaps a rounding of the other, and the words too; of a number the words (its
    unit, its weekday) may be missing on one side, but not differ. The clock may have gone on between two equal calls.
    """
    if one.output is None or other.output is None:
        return False
    if one.call.tool in MOVING and _call(one) == _call(other):
        return True
    left, right = finding(one.output), finding(other.output)
    ours, theirs = numbers(left), numbers(right)
    if len(ours) != len(theirs) or not all(same_number(a, b) for a, b in zip(ours, theirs)):
        return False
    if not ours:
        return _plain(left) == _plain(right)
    first, second = (set(_WORD.findall(_plain(text))) for text in (left, right))
    return first <= second or second <= first


def conclusions(results: Sequence[ToolResult]) -> list[ToolResult]:
    """The results that no later call took in: what the answer is made of, however many steps led there."""
    found = [result for result in results if result.output is not None]
    return [result for place, result in enumerate(found) if not any(_takes(r, result) for r in found[place + 1 :])]


def carries(answer: str, result: ToolResult, question: str) -> bool:
    """Whether ``answer`` repeats what ``result`` found: its numbers (rounded, perhaps) or its words, as far as the
    question does not hold them already. A failed call has nothing to repeat."""
    if result.output is None:
        return False
    found = finding(result.output)
    if wanted := _beyond(numbers(found.partition(" on ")[0]), numbers(question)):  # the day of a time may be left out
        stated = numbers(answer)
        return all(any(same_number(number, one) for one in stated) for number in wanted)
    if found.lower() in ("yes", "no"):
        return bool(_NEGATION.search(answer)) == (found.lower() == "no")
    if " = " in result.output:
        return matches(answer, [found], exact_case=True)
    return all(matches(answer, [name]) for name in _names(found) if not matches(question, [name]))


def _takes(later: ToolResult, result: ToolResult) -> bool:
    """Whether a call was given what another one found."""
    given = " ".join(str(value) for value in later.call.arguments.values())
    found = finding(result.output or "")
    stated = numbers(given)
    return any(n in stated for n in numbers(found)) or any(matches(given, [name]) for name in _names(found))


def _names(text: str) -> list[str]:
    """The capitalised words of a sentence, but for its first."""
    return [name for name in _NAME.findall(text) if name[0].isupper()]


def _beyond(found: Sequence[Decimal], given: Sequence[Decimal]) -> Sequence[Decimal]:
    """The numbers that were not given; all, where each was."""
    return [number for number in found if number not in given] or found


def _call(result: ToolResult) -> tuple[str, dict[str, object]]:
    given = result.call.arguments
    return result.call.tool, {k: v.casefold() if isinstance(v, str) else v for k, v in given.items()}


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).rstrip(". ").split())
