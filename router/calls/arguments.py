"""Arguments for any tool's call, from what its own ``parse`` reads or from what its schema names.

By schema alone little is sure: a value of an enum where the question says it in its own words, and a number that stands
beside its slot's name. All else stays open, and what the question says besides is told (``unread``), so that nobody acts
on half of it.

Leaves out learned arguments, asking a language model for the open slots, and running the tool.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from router.tools import Tool
from router.tools.schema import Slot
from router.types import Question, once

PARSE, QUESTION = "parse", "question"
"""Where a slot's value came from: the tool's own reading, or words of the question."""
SHORT = 2
"""Letters of a value that is as likely a word of the sentence ("a", "is", "it") as the value."""
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PIECE = re.compile(r"[-+]?\d+(?:[.,:/-]\d+)*|[^\W\d_]+|\S")
"""A number with all that is written to it, a word, or a sign."""
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_PLAIN_SIGNS = frozenset(".,;:!'’\"“”()-")
"""Signs that say nothing by themselves behind a word; elsewhere, and beside a number, they do."""


@dataclass(frozen=True)
class Piece:
    """A number, a word or a sign of a question, as it stands there. ``word`` is its lower-case form; ``joined``: a sign
    or a letter is written to it."""

    start: int
    text: str
    joined: bool = False

    @property
    def word(self) -> str:
        return self.text.lower()

    @property
    def is_number(self) -> bool:
        return any(char.isdigit() for char in self.text)


@once
def pieces(question: Question) -> tuple[Piece, ...]:
    """The whole text of ``question``, piece by piece."""
    text, found = question.text, []
    for match in _PIECE.finditer(text):
        around = text[max(0, match.start() - 1) : match.start()] + text[match.end() : match.end() + 1]
        around = around.rstrip(".,;:!?)\"'") if match.end() == len(text) or not text[match.end()].isspace() else around
        found.append(Piece(match.start(), match[0], bool(around.strip(" \t\n("))))
    return tuple(found)


@dataclass(frozen=True)
class Filled:
    """``arguments`` fit the schema as far as they go; ``missing`` names the slots that are open: those required, and
    those that the question names without a value. ``sources`` says for each argument where its value came from, and
    ``places`` are the pieces that became values. ``disputed`` names slots for which the question says two values."""

    arguments: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    disputed: tuple[str, ...] = ()
    places: frozenset[int] = frozenset()


def fill(question: Question, tool: Tool, weak: Collection[str] = (), learned: Collection[str] = ()) -> Filled:
    """What ``question`` says about the arguments of ``tool``; never raises, never guesses between two readings.

    ``weak`` words are as common in any question: a value of them, or of SHORT letters, counts only beside its slot's
    name, or where ``learned``, the words of the tool's examples, hold another value of that slot.
    """
    arguments = parsed(tool, question.text)
    if arguments is not None:
        return Filled(arguments, (), dict.fromkeys(arguments, PARSE))
    read = pieces(question)
    said = [piece.word for piece in read]
    found: dict[str, tuple[Any, range]] = {}
    disputed, missing = [], []
    for slot in tool.slots.values():
        values = list(_values(slot, read, said, weak, learned))
        kinds = {repr(value) for value, _ in values}
        if len(kinds) > 1:
            disputed.append(slot.name)
        elif values and slot.fits(values[0][0]):
            found[slot.name] = values[0]
        elif slot.required or any(True for _ in _stands(_words(slot.name), said)):
            missing.append(slot.name)
    taken = [place for _, places in found.values() for place in places]
    disputed += [name for name, (_, places) in found.items() if any(taken.count(place) > 1 for place in places)]
    named = {i for name in found for places in _stands(_words(name), said) for i in places}
    arguments = {name: value for name, (value, _) in found.items()}
    return Filled(
        arguments, tuple(missing), dict.fromkeys(arguments, QUESTION), tuple(disputed), frozenset({*taken, *named})
    )


def parsed(tool: Tool, text: str) -> dict[str, Any] | None:
    """The tool's own reading of ``text`` where it has one, it is JSON and its schema takes it."""
    if tool.parse is None:
        return None
    try:
        arguments = tool.parse(text)
        if arguments is None or not isinstance(arguments, Mapping) or not all(isinstance(k, str) for k in arguments):
            return None
        json.dumps(dict(arguments))
        return dict(arguments) if tool.fits(arguments) else None
    except Exception:  # a tool is a guest here too
        return None


def unread(question: Question, filled: Filled, known: Collection[str], asked: bool = False) -> str | None:
    """The first piece of ``question`` that nothing accounts for; None where all is read.

    Accounted for are pieces that became values or name a filled slot, ``known`` words, plain signs behind a word, and
    where ``asked`` (the question may be one) question marks. A number is only as a value, or where the tool's own reading
    gave the values.
    """
    by_tool = PARSE in filled.sources.values()
    for place, piece in enumerate(pieces(question)):
        if place in filled.places or (by_tool if piece.is_number else piece.word in known):
            continue
        behind = piece.start > 0 and not question.text[piece.start - 1].isspace()
        opens = piece.text in "(\"'“‘"
        if piece.text in _PLAIN_SIGNS and (behind or opens or piece.text == "-") and not piece.is_number:
            continue
        if piece.text == "?" and asked:
            continue
        return piece.text
    return None


def takes_text(tool: Tool, missing: Collection[str]) -> bool:
    """Whether an open slot could hold any words of the question: a text without an enum."""
    closed = ("number", "integer", "boolean", "null")
    schemas = [tool.slots[slot].schema for slot in missing]
    return any(schema.get("type") not in closed and "enum" not in schema for schema in schemas)


def words_of(tool: Tool) -> set[str]:
    """The words of the tool's name."""
    return set(_words(tool.name))


def values_of(tool: Tool) -> set[str]:
    """The words of all values that the tool's enums have."""
    return {word for slot in tool.slots.values() for value in slot.schema.get("enum", ()) for word in _words(value)}


def _values(
    slot: Slot, read: Sequence[Piece], said: Sequence[str], weak: Collection[str], learned: Collection[str]
) -> Iterator[tuple[Any, range]]:
    """(value, pieces that say it) for one slot."""
    names = [places for places in _stands(_words(slot.name), said)]
    if "enum" in slot.schema:
        found = [(value, at) for value in slot.schema["enum"] for at in _stands(_words(value), said)]
        bare = _said_bare(slot, weak, learned)
        for value, at in found:
            within = any(at[0] >= o[0] and at[-1] <= o[-1] and len(at) < len(o) for _, o in found)
            common = all(len(said[i]) <= SHORT or said[i] in weak for i in at) and not read[at[0]].is_number
            joined = any(read[i].is_number and read[i].joined for i in at)
            if not within and not joined and (not common or bare or any(_beside(at, name, said) for name in names)):
                yield value, at
    elif slot.schema.get("type") in ("number", "integer"):
        for i, piece in enumerate(read):
            at = range(i, i + 1)
            if _NUMBER.fullmatch(piece.text) and not piece.joined and any(_beside(at, name, said) for name in names):
                value = float(piece.text)
                yield (int(value) if value.is_integer() else value), at


def _said_bare(slot: Slot, weak: Collection[str], learned: Collection[str]) -> bool:
    """Whether the examples hold a value of ``slot`` that no other word could be."""
    plain = [_words(v) for v in slot.schema["enum"] if not all(len(w) <= SHORT or w in weak for w in _words(v))]
    return any(words and set(words) <= set(learned) for words in plain)


def _beside(at: range, name: range, said: Sequence[str]) -> bool:
    """Whether a value stands before or behind its slot's name, at most one word between them."""
    between = said[name[-1] + 1 : at[0]] if name[-1] < at[0] else said[at[-1] + 1 : name[0]]
    apart = min(abs(at[0] - name[-1]), abs(name[0] - at[-1])) - 1
    return apart <= 1 and not any(char.isdigit() for word in between for char in word)


def _words(value: Any) -> list[str]:
    """The words and numbers of a name or a value: ``livingRoom_2`` → living, room, 2."""
    if isinstance(value, list | tuple):
        return [word for one in value for word in _words(one)]
    return [m[0].lower() for m in _PIECE.finditer(_CAMEL.sub(" ", str(value)).replace("_", " ")) if m[0][-1].isalnum()]


def _stands(words: Sequence[str], text: Sequence[str]) -> Iterator[range]:
    """Where ``words`` stand in ``text`` one after the other."""
    size = len(words)
    for at in range(len(text) - size + 1 if size else 0):
        if list(text[at : at + size]) == list(words):
            yield range(at, at + size)
