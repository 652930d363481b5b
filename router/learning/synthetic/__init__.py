"""Seeded questions from templates: the shipped router and the embedded model's adapter learn from these.

Leaves out every real user's words: templates and fillers were written for this project. One text file a label, one
template a line:

    @ place={city}; ask=time            arguments of the templates below, until the next line that starts with @
    [what time is it|time] in {city}[|?]

``[a|b|]`` picks one of the alternatives (they nest), ``{slot}`` draws a filler (a digit at the end only keeps two
fillers of a kind apart: ``{city} and {city2}``). ``name?=`` marks an argument that is
left out where the question lacks its slot; a bare ``@`` means that the arguments are unknown to the template.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from router.learning.synthetic.noise import garble
from router.learning.synthetic.slots import FILLERS, Filler, Picks
from router.types import Example

LABELS = (
    "calculator", "unit_converter", "clock", "calendar", "currency", "search", "weather", "text", "smalltalk", "none",
)  # fmt: skip

_SLOT = re.compile(r"\{([a-z_]+?)(\d*)(?:\.([a-z_]+))?\}")
_HELD_OUT = 5
"""One template in five belongs to the held-out half."""


@dataclass(frozen=True)
class Template:
    """A question's pattern, its label and the patterns of its arguments (None: unknown)."""

    label: str
    pattern: str
    arguments: Mapping[str, Any] | None
    number: int

    @property
    def source(self) -> str:
        return f"synthetic:{self.label}:{self.number}"


@cache
def templates(label: str) -> tuple[Template, ...]:
    """All templates of ``label``, in the order of their file. Raises FileNotFoundError for an unknown label."""
    return read_templates(label, resources.files(__name__).joinpath(f"{label}.txt").read_text("utf-8"))


def read_templates(label: str, text: str, first: int = 0) -> tuple[Template, ...]:
    """The templates of ``text``, one a line in the form above, numbered from ``first``."""
    found: list[Template] = []
    arguments: Mapping[str, Any] | None = None
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("@"):
            arguments = _read_arguments(line[1:])
        elif line and not line.startswith("#"):
            found.append(Template(label, line, arguments, first + len(found)))
    return tuple(found)


def generate(
    label: str,
    count: int,
    seed: int,
    held_out: bool | None = None,
    noise: float = 0.6,
    more: Sequence[Template] = (),
) -> list[Example]:
    """``count`` different examples of ``label`` (fewer where its templates, and ``more``, cannot give as many).

    ``held_out`` True takes only every fifth template, False only the others, None all: what is trained on one side
    can be measured on phrasings it never saw. ``noise`` is the share of questions that are garbled: lower case, lost
    punctuation, typos, polite or chatty surroundings.
    """
    rng = random.Random(f"{seed}/{label}/{held_out}")
    chosen = [
        t
        for i, t in enumerate((*templates(label), *more))
        if held_out is None or (i % _HELD_OUT == _HELD_OUT - 1) == held_out
    ]
    examples: dict[str, Example] = {}
    for _ in range(4 * count):
        if len(examples) == count:
            break
        template = rng.choice(chosen)
        question, arguments = fill(template, rng)
        if rng.random() < noise:
            garbled = garble(question, label, rng)
            arguments = _follow(arguments, question, garbled)
            question = garbled
        examples.setdefault(question, Example(question, label, arguments, None, template.source))
    return list(examples.values())


def fill(template: Template, rng: random.Random) -> tuple[str, dict[str, Any] | None]:
    """One question of ``template`` and its arguments."""
    picks: Picks = {}
    filled: dict[str, Filler] = {}

    def draw(match: re.Match[str]) -> str:
        kind, number, _ = match.groups()
        key = kind + number
        if key not in filled:
            filled[key] = FILLERS[kind](rng, picks)
        return filled[key].surface

    question = _SLOT.sub(draw, expand(template.pattern, rng))
    arguments = None
    if template.arguments is not None:
        values = {name: _value(pattern, filled) for name, pattern in template.arguments.items()}
        arguments = {name.rstrip("?"): value for name, value in values.items() if value is not None or name[-1] != "?"}
        arguments = None if None in arguments.values() else arguments
    return " ".join(question.split()), arguments


def _follow(arguments: Mapping[str, Any] | None, question: str, garbled: str) -> Mapping[str, Any] | None:
    """The arguments after garbling: a literal text keeps the case it now has; where it has a slip, they are unknown."""
    literal = (arguments or {}).get("text")
    if literal is None or literal not in question:
        return arguments
    at = garbled.lower().find(literal.lower())
    if at < 0:
        return None
    return {**arguments, "text": garbled[at : at + len(literal)]}


def expand(pattern: str, rng: random.Random) -> str:
    """``pattern`` with one alternative picked of every bracket, the innermost first."""
    while (match := re.search(r"\[([^\[\]]*)\]", pattern)) is not None:
        pattern = pattern[: match.start()] + rng.choice(match[1].split("|")) + pattern[match.end() :]
    return pattern


def _value(pattern: Any, filled: Mapping[str, Filler]) -> Any:
    """An argument: the filler's own value where the pattern is one slot, else the pattern with values put in."""
    if not isinstance(pattern, str):
        return pattern

    def look_up(match: re.Match[str]) -> Any:
        kind, number, part = match.groups()
        value = filled[kind + number].value if kind + number in filled else None
        return value.get(part) if part and isinstance(value, dict) else value

    whole = _SLOT.fullmatch(pattern)
    return look_up(whole) if whole else _SLOT.sub(lambda m: str(look_up(m)), pattern)


def _read_arguments(text: str) -> Mapping[str, Any] | None:
    if not text.strip():
        return None
    pairs = (part.split("=", 1) for part in text.split(";"))
    return {name.strip(): _constant(value.strip()) for name, value in pairs}


def _constant(text: str) -> Any:
    try:
        return text if "{" in text else json.loads(text)
    except json.JSONDecodeError:
        return text


def counts() -> dict[str, int]:
    """Templates per label."""
    return {label: len(templates(label)) for label in LABELS}


def check() -> Iterator[str]:
    """Faults of the template files: unknown slots, unbalanced brackets, arguments that name an absent slot."""
    for label in LABELS:
        for template in templates(label):
            if template.pattern.count("[") != template.pattern.count("]"):
                yield f"{label}: {template.pattern!r}: brackets are not balanced"
            kinds = {m[1] + m[2]: m[1] for m in _SLOT.finditer(template.pattern)}
            for kind in kinds.values():
                if kind not in FILLERS:
                    yield f"{label}: {template.pattern!r}: unknown slot {kind!r}"
            for name, pattern in (template.arguments or {}).items():
                if name.endswith("?"):
                    continue
                for slot in _SLOT.finditer(pattern if isinstance(pattern, str) else ""):
                    if slot[1] + slot[2] not in kinds:
                        yield f"{label}: {template.pattern!r}: the arguments name {slot[0]}, the question does not"
