"""Phrases without a tool: small talk with its replies and verdicts, and questions that only talk can answer.

Leaves out what a router needs to know them apart; ``smalltalk.txt``, ``simple.txt``, ``lookalikes.txt`` and
``none.txt`` hold the words.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from baselines.adapter.cases import Source, vocabulary
from router.learning import synthetic
from router.learning.synthetic.noise import garble
from router.learning.synthetic.slots import FILLERS

_HELD_OUT = 8
"""One phrase in eight, and one question template in eight, is kept for validation."""
_SIMPLE, _COMPOSED, _ASKED, _OPEN = 0.75, 0.55, 0.25, 0.15
"""Shares: simple phrases of small talk, and those of them that are put together from ``simple.txt``; look-alikes that
hold a question for a tool, and those that are or hold a question for none."""


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


def _lines(name: str) -> list[str]:
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@cache
def _forms(name: str) -> tuple[dict[str, tuple[str, ...]], tuple[tuple[str, str], ...]]:
    """The lists ("name = item, item") of the file ``name``, and its other lines: (pattern, reply) pairs."""
    lists, pairs = {}, []
    for line in _lines(name):
        if (found := re.match(r"([a-z]+) = (.+)", line)) is not None:
            lists[found[1]] = tuple(found[2].split(", "))
        else:
            found = re.fullmatch(r"(.+) \| ([^\[\]|]+)", line)
            pairs.append((found[1], found[2]) if found else (line, _WHAT))
    return lists, tuple(pairs)


def _listed(name: str) -> tuple[str, ...]:
    return next((lists[name] for lists, _ in map(_forms, ("simple.txt", "lookalikes.txt")) if name in lists), ())


@cache
def _familiar() -> frozenset[str]:
    """Words of simple phrases: one of them in place of any word could make another simple phrase."""
    lists, pairs = _forms("simple.txt")
    texts = [phrase for simple, _, phrases in _groups() if simple for phrase in phrases]
    texts += [pattern for pattern, _ in pairs] + [item for items in lists.values() for item in items]
    return frozenset(re.findall(r"[^\W\d_]+", " ".join(texts).lower()))


@cache
def _judged() -> frozenset[str]:
    """What the teacher is judged by, which is not to be trained on."""
    return frozenset(_bare(line[2:]) for line in _lines("fresh.txt"))


def _bare(phrase: str) -> str:
    return re.sub(r"[\W_]+", " ", phrase.lower()).strip()


def _side(items: Sequence[Any], held_out: bool) -> list[Any]:
    """Every eighth of ``items`` where ``held_out``, else the others."""
    return [item for i, item in enumerate(items) if (i % _HELD_OUT == _HELD_OUT - 1) == held_out]


def _drawn(pattern: str, rng: random.Random, words: Sequence[Sequence[str]] = ()) -> str:
    """``pattern`` with its alternatives picked and its slots filled; ``words`` are lists for {w}, each as likely."""
    text, drawn = synthetic.expand(pattern, rng), {}

    def fill(match: re.Match[str]) -> str:
        kind, key = match[1], match[0]
        if key not in drawn:
            if kind == "w":
                drawn[key] = rng.choice(rng.choice(words))
            else:
                own = _listed(kind)
                drawn[key] = rng.choice(own) if own else FILLERS[kind](rng, {}).surface
        return drawn[key]

    while "{" in text:
        text = re.sub(r"\{([a-z]+)\d?\}", fill, text)
    return " ".join(text.split())


def small_talk(count: int, seed: int, held_out: bool) -> list[Talk]:
    """``count`` phrases, three quarters of them simple: in the writing of people in a hurry, or plain."""
    rng = random.Random(f"{seed}/smalltalk/{held_out}")
    pools: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    for simple, reply, phrases in _groups():
        pools[simple] += [(phrase, reply) for phrase in _side(phrases, held_out)]
    patterns = _side(_forms("simple.txt")[1], held_out)
    found = []
    while len(found) < count:
        simple = rng.random() < _SIMPLE
        phrase, reply = rng.choice(pools[simple])
        if simple and rng.random() < _COMPOSED:
            pattern, reply = rng.choice(patterns)
            phrase = _drawn(pattern, rng)
        if _bare(phrase) and _bare(phrase) in _judged():
            continue
        found.append(Talk(_written(phrase, rng), reply, simple))
    return found


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
    "{talk}, one more thing: {question}", "{talk} so {question}", "{talk} {question}", "{question}", "{question}",
    "{question}",
)  # fmt: skip
_WHAT = "Please tell me more exactly what you mean."
_AGAIN = "Please ask me that by itself, so that I can look it up."


def look_alikes(questions: Sequence[str], count: int, source: Source) -> list[Talk]:
    """Phrases that begin like small talk, or are as short, and ask for something else: never simple."""
    seed, held_out = source.seed, source.held_out
    rng = random.Random(f"{seed}/look-alikes/{held_out}")
    words = [[word for word in pool if word not in _familiar()] for pool in (vocabulary(), source.words) if pool]
    alike = _side(_forms("lookalikes.txt")[1], held_out)
    unanswered = open_questions(max(1, count // 6), seed, held_out)
    found = []
    while len(found) < count:
        kind = rng.random()
        if kind < _ASKED + _OPEN:
            question, reply = (rng.choice(questions), _AGAIN) if kind < _ASKED else rng.choice(unanswered)
            phrase = rng.choice(_TAILS).format(talk=rng.choice(_listed("talk")), question=question.rstrip("?!."))
        else:
            pattern, reply = rng.choice(alike)
            name = FILLERS["name"](rng, {}).surface
            phrase, reply = _drawn(pattern.replace("{name}", name), rng, words), reply.replace("{name}", name)
        if _bare(phrase) not in _judged():
            found.append(Talk(_written(phrase, rng), reply, False))
    return found


def open_questions(count: int, seed: int, held_out: bool) -> list[tuple[str, str]]:
    """(question, honest reply) pairs that no tool serves."""
    rng = random.Random(f"{seed}/none/{held_out}")
    chosen = _side(_forms("none.txt")[1], held_out)
    found = []
    for _ in range(count):
        pattern, reply = rng.choice(chosen)
        question, _ = synthetic.fill(synthetic.Template("none", pattern, None, 0), rng)
        if rng.random() < 0.4:
            question = garble(question, "none", rng)
        found.append((question, reply))
    return found
