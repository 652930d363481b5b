"""Search: BM25 (rank-bm25) over short passages, each of which answers one question.

Leaves out reasoning over several passages and semantic vectors. Words of the query that the knowledge base does not
know are forgiven one or two typos; a passage counts as an answer only if it covers enough of what was asked, and a fact
says the word that it does not cover.
Wikipedia is asked where the knowledge base has nothing and ``ToolConfig.online`` allows it.
"""

from __future__ import annotations

import json
import math
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from router.builtin import ToolConfig
from router.builtin.english import without_chatter
from router.builtin.knowledge import Passage, built_in, folder
from router.builtin.numbers import clean
from router.builtin.places import fold
from router.tools import Tool, ToolError, shorten

MAX_QUERY = 300
MIN_COVERAGE = 0.55
"""Share of the query's words, weighted by their rarity, that a passage must contain to be an answer."""
CANDIDATES = 60
TYPO_WEIGHT = 0.025
"""Typos are mended into the words of passages of at least this weight: in small towns' names they would be invented."""
TIMEOUT_S = 8
WIKIPEDIA = "https://en.wikipedia.org/w/api.php"
PARAMETERS = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": MAX_QUERY, "description": "e.g. capital of Malta"}
    },
    "required": ["query"],
    "additionalProperties": False,
}


def build(config: ToolConfig) -> Tool:
    """Search over ``config.knowledge`` (a folder; None is the built-in knowledge base).

    Raises ValueError when the folder cannot serve.
    """
    if config.knowledge is None:
        description = "Looks up facts about countries, cities, chemical elements, e.g. capital of Malta."
        index = _built_in_index
    else:
        description = (
            f"Looks up facts in the documents of {shorten(Path(config.knowledge).name, 40)}, e.g. a name or topic."
        )
        passages = folder(Path(config.knowledge))
        index = _Lazy(lambda: Index(passages))
    return Tool("search", description, PARAMETERS, partial(run, index, config.online), parse, effects=False)


def run(index: Callable[[], Index], online: bool, query: str) -> str:
    """The passage that answers ``query``, with source and score; "nothing found" is an answer too. Raises ToolError."""
    if len(query) > MAX_QUERY:
        raise ToolError(f"query has {len(query)} characters; the limit is {MAX_QUERY}. Ask for one fact at a time.")
    hits = index().search(query)
    if hits:
        text = " ".join(dict.fromkeys(hit.passage.text for hit in hits))
        without = f", without {hits[0].left!r}" if hits[0].left else ""
        return f"{text} (source: {hits[0].passage.source}, score {hits[0].score:.2f}{without})"
    if online:
        return _wikipedia(query)
    return f"Nothing found for {query.strip()!r} in {len(index().passages):,} passages."


_LEFT = re.compile(r"\(source: .*, score \S+, without '(?P<word>[^']+)'\)$|^Nothing found for ['\"](?P<query>.*)['\"] in ")


def left_over(output: str) -> str | None:
    """What of its query the result ``output`` does not answer: a word, or all of it; None where it answers it whole."""
    match = _LEFT.search(output)
    return match["word"] or match["query"] if match else None


def parse(question: str) -> dict[str, Any] | None:
    """The question as a query: without politeness, at most ``MAX_QUERY`` characters; None where nothing is left."""
    text = without_chatter(clean(question)).strip(" ?!.,")
    text = _HEAD.sub("", text).strip(" ?!.,")
    return {"query": text} if re.search(r"\w", text) and len(text) <= MAX_QUERY else None


_HEAD = re.compile(
    r"^(?:(?:i need|look up|look for|search(?: for)?|find(?: out)?|google|give me|show me|what(?:'s|s|\s+is|\s+are|\s+was)"
    r"|wat is|the|remind me)\b[\s,:]*)+(?=\w)",
    re.I,
)


@dataclass(frozen=True)
class Hit:
    """A passage found: ``score`` is the share of the query that it covers (0 to 1), ``rank`` what it was sorted by,
    ``left`` a word of the query that a passage of one fact does not hold."""

    passage: Passage
    score: float
    rank: float
    left: str | None = None


class Index:
    """BM25 over passages. Immutable once made; reading is thread-safe."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        from rank_bm25 import BM25Okapi

        self.passages = list(passages)
        documents = [_tokens_of(passage) for passage in self.passages]
        self._words = [frozenset(words) for words in documents]
        self._subjects = [[frozenset(words) for name in p.subjects if (words := _tokens(name))] for p in self.passages]
        frequency = Counter(word for words in self._words for word in words)
        self._rare = math.log(1 + len(documents))
        self._idf = {word: math.log(1 + len(documents) / count) for word, count in frequency.items()}
        self._asks = [next(iter(_tokens(p.asks)), None) for p in self.passages]
        common = (
            w
            for p in self.passages
            if p.weight >= TYPO_WEIGHT
            for text in (*p.subjects, p.asks, p.text)
            for w in _tokens(text)
        )
        self._long = [word for word in dict.fromkeys(common) if len(word) > 3]
        self._bm25 = BM25Okapi(documents, k1=1.2, b=0.5)

    def search(self, query: str) -> list[Hit]:
        """The best passage, or up to four about the same subject where the query names a subject and no more."""
        spoken = frozenset(_tokens(query))
        said = {self._known(_stem(word)): word for word in fold(query).split() if word not in _STOP}
        words = list(said)
        known = [word for word in words if word in self._idf]
        if not known:
            return []
        scores = self._bm25.get_scores(known)
        total = sum(self._idf.get(word, self._rare) for word in words)
        asked = frozenset(known)
        hits = []
        for i in scores.argsort()[::-1][:CANDIDATES]:
            if scores[i] <= 0:
                break
            coverage = sum(self._idf[word] for word in known if word in self._words[i]) / total
            subject = max((len(asked & name) / len(name) for name in self._subjects[i]), default=0.0)
            direct = 1.15 if self._asks[i] in spoken or self._asks[i] in asked else 1.0
            rank = float(scores[i]) * (0.4 + 0.6 * subject) * (0.3 + coverage) * direct + 0.5 * self.passages[i].weight
            left = next((said[word] for word in words if word not in self._words[i]), None)
            hits.append(Hit(self.passages[i], coverage, rank, left if self.passages[i].asks else None))
        hits = sorted((hit for hit in hits if hit.score >= MIN_COVERAGE), key=lambda hit: (hit.left is not None, -hit.rank))
        if not hits:
            return []
        first = hits[0]
        alike = (hit for hit in hits if (hit.left, _about(hit)) == (first.left, _about(first)))
        best = max(alike, key=lambda hit: hit.passage.weight)  # of two Londons the larger, however long their countries' names
        if any(asked <= name for name in map(frozenset, map(_tokens, best.passage.subjects))):
            return [hit for hit in hits if hit.passage.subjects == best.passage.subjects][:4]
        return [best]

    def _known(self, word: str) -> str:
        """``word``, or the word of the knowledge base that it most likely misspells."""
        if word in self._idf or len(word) < 4 or word.isdigit():
            return word
        found = process.extractOne(word, self._long, scorer=fuzz.ratio, score_cutoff=84)
        return found[0] if found and found[0][0] == word[0] else word


def _about(hit: Hit) -> tuple[tuple[str, ...], str]:
    return hit.passage.subjects, hit.passage.asks


class _Lazy:
    """A value made once, on first use, also when several threads ask at the same time."""

    def __init__(self, make: Callable[[], Index]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: Index | None = None

    def __call__(self) -> Index:
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value


_built_in_index = _Lazy(lambda: Index(built_in()))
_STOP = frozenset(
    "a an the of is are was were be been do does did in on at to for from by with and or it its it's they them their "
    "there this that "
    "these those i you we me my your our he she what whats what's which who whose whom how tell give show please wat "
    "about can could would will "
    "should has have had s name called any some get got one also as if so than then us need want take find please "
    "thing there's".split()
) - {"us"}  # fmt: skip


def _tokens_of(passage: Passage) -> list[str]:
    """Words of a passage for BM25: its names twice, since they tell passages apart."""
    names = [word for name in passage.subjects for word in _tokens(name)]
    words = [word for word in fold(passage.text).split() if word not in _STOP]
    if passage.asks:  # figures are what is asked for, not what is asked with
        words = [word for word in words if not word.isdigit()]
    return [*names, *names, *_tokens(passage.asks), *map(_stem, words)]


@lru_cache(maxsize=50_000)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(_stem(word) for word in fold(text).split())


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    """Plural and verb endings off: "borders" → "border", "countries" → "country", "speaks" → "speak"."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "as", "os")):
        return word[:-1]
    return word


def _wikipedia(query: str) -> str:
    """The first two sentences of the English Wikipedia article that its search puts first. Raises ToolError."""
    options = {
        "action": "query", "format": "json", "generator": "search", "gsrsearch": query, "gsrlimit": 1,
        "prop": "extracts",
        "exintro": 1, "explaintext": 1, "exsentences": 2, "redirects": 1,
    }  # fmt: skip
    request = urllib.request.Request(
        f"{WIKIPEDIA}?{urllib.parse.urlencode(options)}", headers={"User-Agent": "switchyard/1.0"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            pages = json.load(reply).get("query", {}).get("pages", {})
    except (urllib.error.URLError, TimeoutError, OSError, ValueError) as fault:
        raise ToolError(
            f"Wikipedia did not answer within {TIMEOUT_S} s ({shorten(str(fault), 80)}). Check the connection."
        ) from None
    page = next(iter(pages.values()), None)
    if not page or not page.get("extract"):
        return f"Nothing found for {query.strip()!r} in Wikipedia."
    return f"{shorten(page['extract'], MAX_QUERY * 2)} (source: Wikipedia, {page['title']})"
