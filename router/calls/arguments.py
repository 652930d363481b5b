"""Arguments for any tool's call, from what its own ``parse`` reads or from what its schema names.

By schema alone little is sure: a value of an enum where the question says it in its own words, and a number where the
slot's name stands in the question and the number is the only one. All else stays open, and what the question says
besides is told (``unread``), so that nobody acts on half of it.

Leaves out learned arguments, asking a language model for the open slots, and running the tool.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from router.network.features import tokenise
from router.tools import Tool
from router.types import Question

PARSE, QUESTION = "parse", "question"
"""Where a slot's value came from: the tool's own reading, or words of the question."""
_NUMBER = re.compile(r"(?<![\w.,:/-])[-+]?\d+(?:\.\d+)?(?![\w:/]|[.,]\d|-\d)")
"""A number that stands by itself: no time, no date, no part of a name."""
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Filled:
    """``arguments`` fit the schema as far as they go; ``missing`` names the required slots that are open; ``sources``
    says for each argument where its value came from. ``disputed`` names slots for which the question says two values."""

    arguments: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    disputed: tuple[str, ...] = ()


def fill(question: Question, tool: Tool) -> Filled:
    """What ``question`` says about the arguments of ``tool``; never raises, never guesses between two readings."""
    arguments = parsed(tool, question.text)
    if arguments is not None:
        return Filled(arguments, (), dict.fromkeys(arguments, PARSE))
    words = tokenise(question.text)
    numbers = _NUMBER.findall(question.text)
    found: dict[str, Any] = {}
    disputed = []
    for slot, schema in ((slot.name, slot.schema) for slot in tool.slots.values()):
        named = [value for value in schema.get("enum", ()) if _stands_in(_words(value), words)]
        named = [value for value in named if not any(_within(value, other) for other in named)]
        if len(named) > 1:
            disputed.append(slot)
        elif named:
            found[slot] = named[0]
        elif schema.get("type") in ("number", "integer") and len(numbers) == 1 and _stands_in(_words(slot), words):
            value = float(numbers[0])
            found[slot] = int(value) if value.is_integer() else value
    found = {slot: value for slot, value in found.items() if tool.slots[slot].fits(value)}
    missing = tuple(slot.name for slot in tool.slots.values() if slot.required and slot.name not in found)
    return Filled(found, missing, dict.fromkeys(found, QUESTION), tuple(disputed))


def parsed(tool: Tool, text: str) -> dict[str, Any] | None:
    """The tool's own reading of ``text`` where it has one and its schema takes it."""
    if tool.parse is None:
        return None
    try:
        arguments = tool.parse(text)
    except Exception:  # a tool is a guest here too
        return None
    return arguments if arguments is not None and tool.fits(arguments) else None


def unread(question: Question, tool: Tool, arguments: Mapping[str, Any], known: Collection[str]) -> str | None:
    """The first piece of ``question`` that nothing accounts for; None where all is read.

    Accounted for are the words of the arguments, the tool's own words (its name, description and slots) and ``known``
    words; a number only where it is an argument.
    """
    used = {word for value in arguments.values() for word in _words(value)}
    own = {word for slot in tool.slots for word in _words(slot)}
    own |= {*_words(tool.name), *_words(tool.description), *known}
    for piece in question.text.split():
        words = [word for word in tokenise(piece) if word.isalnum()]
        if any(word not in used and (word.isdigit() or word not in own) for word in words):
            return piece.strip(".,;:?!\"'()")
    return None


def takes_text(tool: Tool, missing: Collection[str]) -> bool:
    """Whether an open slot could hold any words of the question: a text without an enum."""
    schemas = [tool.slots[slot].schema for slot in missing]
    return any(s.get("type") not in ("number", "integer", "boolean", "null") and "enum" not in s for s in schemas)


def _words(value: Any) -> list[str]:
    """The words of a name or a value: ``livingRoom_2`` → living, room, 2."""
    if isinstance(value, list | tuple):
        return [word for one in value for word in _words(one)]
    return [word for word in tokenise(_CAMEL.sub(" ", str(value)).replace("_", " ")) if word.isalnum()]


def _stands_in(words: list[str], text: list[str]) -> bool:
    """Whether ``words`` stand in ``text`` one after the other."""
    size = len(words)
    return size > 0 and any(text[at : at + size] == words for at in range(len(text) - size + 1))


def _within(value: Any, other: Any) -> bool:
    """Whether ``value`` is said only as a part of ``other`` ("room" of "living room")."""
    words, longer = _words(value), _words(other)
    return len(words) < len(longer) and _stands_in(words, longer)
