"""The words that questions of one kind are made of, besides what they name: learned from questions with known calls.

A question with another word says something that its call does not do, unless the word is told beside the question
("my visa runs out on 3 may, which day is that"), is a slip of the pen, or goes with any question at all. Leaves out
where the words come from (``router.learning.shipped`` makes ``said.json``, training the fillers).
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from pathlib import Path

from rapidfuzz.distance import OSA

from router.network.features import static_vectors

HERE = Path(__file__).parent
SAID, ROUTER = HERE / "said.json", HERE / "weights" / "config.json"
CHANGES = frozenset("next last this previous coming half every".split())
"""Words that turn what is named into another thing: whatever reads a name reads them with it, or they are unread."""
_CLAUSE = re.compile(r"[,;:.?!]+(?=\s)")
_TELLS = re.compile(
    r"\s*(?:(?:so|and|but|ok(?:ay)?)\s+)*(?:my|our|his|her|their|i|i'm|we|he|she|they|the|a|an|it|it's)\b"
)
_ASKS = re.compile(r"\b(?:what|which|how|when|who|where|why|is\s+(?:it|that|there)|does|do|did|will|can)\b")
_WORD = re.compile(r"[^\W\d_\ue000-\uefff]+|\d[\d.,:/]*|[%$€£¥+*/=<>^]")
_ENDING = re.compile(r"(?<=\w\w)(?:ing|ed|s)$")
MIN_LETTERS = 4
"""Letters of a word of which one may be wrong, or missing."""


def unread(rest: str, tool: str, *kinds: str, tells: bool = False) -> list[tuple[int, str]]:
    """(place, word) of what ``rest``, a question without what it names, says besides the words of ``kinds`` of calls of
    ``tool``. ``tells``: such a call's answer says what it is about, so that only the tool's own words can change it."""
    known, told = said(tool, *kinds), _clauses(rest)
    return [
        (match.start(), match[0])
        for match in _WORD.finditer(rest)
        if not (_is_known(match[0], known) or _is_told(match, told) or (tells and _is_foreign(match[0], tool)))
    ]


@cache
def said(tool: str, *kinds: str) -> frozenset[str]:
    """The words of questions whose call of ``tool`` is of one of ``kinds``, and words that go with any question. A kind is
    a value of the tool's enum and the names of the other slots ("time place"), or the value for all kinds that have it.
    """
    names = kinds_of(tool)
    wanted = {name for kind in kinds for name in ([kind] if kind in names else names) if f"{name} ".startswith(f"{kind} ")}
    return (_fillers() | {word for name in wanted for word in _all()[tool][name]}) - CHANGES


def foreign(rest: str, tool: str) -> str | None:
    """A number or a word of ``rest`` that no question with a known call of ``tool`` has; a number before a word."""
    words = [word for _, word in unread(rest, tool, *kinds_of(tool))]
    return min(words, key=str.isalpha, default=None)


@cache
def kinds_of(tool: str) -> tuple[str, ...]:
    """The kinds of known calls of ``tool``."""
    return tuple(kind for kind in _all()[tool] if kind)


@cache
def words_of(tool: str) -> frozenset[str]:
    """The words of all questions whose call of ``tool`` is known."""
    return frozenset(word for kind, words in _all()[tool].items() if kind for word in words)


def _clauses(rest: str) -> list[tuple[int, int]]:
    """Where ``rest`` tells something beside what it asks."""
    ends = [*(match.start() for match in _CLAUSE.finditer(rest)), len(rest)]
    spans = list(zip([0, *(end + 1 for end in ends[:-1])], ends))
    if len(spans) < 2:
        return []
    return [(a, b) for a, b in spans if _TELLS.match(rest[a:b]) and not _ASKS.search(rest[a:b])]


def _is_told(word: re.Match[str], told: list[tuple[int, int]]) -> bool:
    """Whether ``word`` is told beside the question."""
    return _may_be_idle(word[0]) and any(start <= word.start() < end for start, end in told)


def _is_foreign(word: str, tool: str) -> bool:
    """Whether ``word`` is none of those by which questions to ``tool`` ask for what no known call gives."""
    return _may_be_idle(word) and word not in _trade(tool)


def _may_be_idle(word: str) -> bool:
    return word.isalpha() and word not in CHANGES and word != "not"


@lru_cache(4096)
def _is_known(word: str, known: frozenset[str]) -> bool:
    if word in known or _ENDING.sub("", word) in known:
        return True
    if len(word) < MIN_LETTERS - 1 or word in CHANGES or word in spelled():
        return False
    near = [other for other in known if len(other) >= MIN_LETTERS and OSA.distance(word, other, score_cutoff=1) <= 1]
    return any(sorted(other) == sorted(word) for other in near) or (bool(near) and not static_vectors.has(word))


@cache
def _trade(tool: str) -> frozenset[str]:
    """Words of the tool's questions that no known call has."""
    return frozenset(_all()[tool][""]) - words_of(tool) - _fillers()


@cache
def spelled() -> frozenset[str]:
    """Words that are spelled right: those of all templates."""
    return frozenset(word for kinds in _all().values() for words in kinds.values() for word in words)


@cache
def _all() -> dict[str, dict[str, list[str]]]:
    return json.loads(SAID.read_text(encoding="utf-8"))


@cache
def _fillers() -> frozenset[str]:
    return frozenset(json.loads(ROUTER.read_text(encoding="utf-8"))["fillers"])
