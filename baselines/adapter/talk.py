"""Phrases without a tool: small talk with its replies and verdicts, and questions that only talk can answer.

Leaves out what a router needs to know them apart; ``smalltalk.txt`` and ``none.txt`` hold the words.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from router import synthetic
from router.synthetic.noise import garble
from router.synthetic.slots import FILLERS

_HELD_OUT = 8
"""One phrase in eight, and one question template in eight, is kept for validation."""


@dataclass(frozen=True)
class Talk:
    """A phrase, its reply, and whether a gatekeeper may learn to answer it."""

    phrase: str
    reply: str
    simple: bool


@cache
def _groups() -> tuple[tuple[bool, str, tuple[str, ...]], ...]:
    """(simple, reply, phrases) of every group."""
    found = []
    for line in _lines("smalltalk.txt"):
        kind, reply, phrases = (part.strip() for part in line.split("|", 2))
        found.append((kind.startswith("+"), reply, tuple(phrase.strip() for phrase in phrases.split(", "))))
    return tuple(found)


@cache
def _questions() -> tuple[tuple[str, str], ...]:
    pairs = (line.rpartition(" | ") for line in _lines("none.txt"))
    return tuple((pattern.strip(), reply.strip()) for pattern, _, reply in pairs)


def _lines(name: str) -> list[str]:
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def small_talk(count: int, seed: int, held_out: bool) -> list[Talk]:
    """``count`` phrases, half of them simple: in the writing of people in a hurry, or plain."""
    rng = random.Random(f"{seed}/smalltalk/{held_out}")
    pools: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    for simple, reply, phrases in _groups():
        for position, phrase in enumerate(phrases):
            if (position % _HELD_OUT == _HELD_OUT - 1) == held_out:
                pools[simple].append((phrase, reply))
    found = []
    for _ in range(count):
        simple = rng.random() < 0.55
        phrase, reply = rng.choice(pools[simple])
        if simple and rng.random() < 0.1 and phrase.isascii():
            phrase = _two(phrase, rng.choice(pools[True])[0], rng)
        found.append(Talk(_written(phrase, rng), reply, simple))
    return found


def _two(first: str, second: str, rng: random.Random) -> str:
    """Two simple phrases in one, where they are short: "ok, thanks"."""
    return f"{first}{rng.choice((', ', ' ', '! '))}{second}" if len(first + second) < 22 and second.isascii() else first


def _written(phrase: str, rng: random.Random) -> str:
    if rng.random() < 0.35:
        phrase = phrase[:1].upper() + phrase[1:]
    elif rng.random() < 0.08:
        phrase = phrase.upper()
    if phrase[-1:].isalpha() and rng.random() < 0.4:
        phrase += rng.choice(("!", ".", "!!", " :)", "...", " 😊", " 🙏", "!!!"))
    return phrase


_TAILS = (
    "{talk}, and {question}", "{talk}, but {question}", "{talk}. {question}?", "{talk}! {question}",
    "{talk}, now {question}", "{talk} and then {question}", "{talk} - {question}?",
    "{talk}, one more thing: {question}", "{talk} so {question}",
)  # fmt: skip
_ABOUT = (
    "{talk} world in python", "say {talk} to {name}", "what does {talk} mean", "how do you say {talk} in french",
    "spell {talk}", "translate {talk}", "why do people say {talk}", "write {talk} backwards",
    "how many letters in {talk}", "is {talk} a word", "{talk} {thing}", "{talk} {noun}", "print {talk}", "who said {talk}",
    "don't say {talk}", "{talk} is not a greeting", "how do I reply to {talk}", "no {talk}", "not {talk}",
    "{talk} for nothing", "{talk} who", "{talk} {number}", "my name is {name}", "i'm {name}",
    "{talk}, my name is {name}", "i said {talk}", "{talk} {name} called", "tell {name} {talk}",
)  # fmt: skip
_BARE = 0.15
"""Share of look-alikes that are a bare noun or name: as short as a greeting, and none."""
_WHAT = "Please tell me more exactly what you mean."
_AGAIN = "Please ask me that by itself, so that I can look it up."


def look_alikes(questions: Sequence[str], count: int, seed: int, held_out: bool) -> list[Talk]:
    """Phrases that begin like small talk and are more than that: never simple."""
    rng = random.Random(f"{seed}/look-alikes/{held_out}")
    simple = [phrase for good, _, phrases in _groups() if good for phrase in phrases[:6] if phrase.isascii()]
    found = []
    for _ in range(count):
        talk, kind = rng.choice(simple), rng.random()
        if rng.random() < _BARE:
            kinds = rng.choices(
                ("thing", "noun", "name", "city", "topic", "food", "cur", "weekday"), k=rng.randint(1, 2)
            )
            phrase = " ".join(FILLERS[kind](rng, {}).surface for kind in kinds)
            found.append(Talk(_written(phrase, rng), _WHAT, False))
            continue
        if kind < 0.4:
            pattern = _TAILS[rng.randrange(len(_TAILS))]
            phrase = pattern.format(talk=talk, question=rng.choice(questions).rstrip("?!."))
            found.append(Talk(_written(phrase, rng), _AGAIN, False))
            continue
        if kind < 0.55:
            found.append(Talk(_written(rng.choice(questions), rng), _AGAIN, False))
            continue
        pattern = rng.choice(_ABOUT)
        name = FILLERS["name"](rng, {}).surface
        thing, noun = (FILLERS[kind](rng, {}).surface for kind in ("thing", "noun"))
        phrase = pattern.format(talk=talk, name=name, number=rng.randint(2, 99), thing=thing, noun=noun)
        reply = f"Nice to meet you, {name}!" if "name is" in pattern or pattern.startswith("i'm") else _WHAT
        found.append(Talk(_written(phrase, rng), reply, False))
    return found


def open_questions(count: int, seed: int, held_out: bool) -> list[tuple[str, str]]:
    """(question, honest reply) pairs that no tool serves."""
    rng = random.Random(f"{seed}/none/{held_out}")
    chosen = [
        pair for i, pair in enumerate(_questions()) if held_out is None or (i % _HELD_OUT == _HELD_OUT - 1) == held_out
    ]
    found = []
    for _ in range(count):
        pattern, reply = rng.choice(chosen)
        question, _ = synthetic.fill(synthetic.Template("none", pattern, None, 0), rng)
        if rng.random() < 0.4:
            question = garble(question, "none", rng)
        found.append((question, reply))
    return found
