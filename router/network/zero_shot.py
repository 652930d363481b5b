"""A tool from its schema alone: name, description, slots. Nothing is trained on the tools, and none is filled in.

A tool's score for a question is a sum of three: the cosines of the question's mean word vector with those of the tool's
name and description; late interaction (each word with its nearest of the other side, after Khattab and Zaharia 2020,
"ColBERT"), of the question with either and back; and the logarithm of BM25 over all words of the schema. Words are the
static vectors of ``features``, weighted by length and by rarity in a background of other tools' documents
(``word_counts.json``). Examples, where there are some, join by their nearest and by a linear head. numpy only; leaves
out a scorer trained on other tools: it did no better.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from router.network.artifact import Calibration
from router.network.features import MAX_LETTERS, STATIC_WIDTH, static_vectors, tokenise
from router.tools import Tool
from router.types import Decision, Example

COUNTS_FILE = Path(__file__).with_name("word_counts.json")
CALIBRATION = Calibration(
    temperature=0.2315,
    confidence=(0.3145, 3.9714, -4.5368),
    threshold=0.7002,
    chosen_on={"target": "error 0.1", "rows": 1440},
)
"""Chosen by ``python -m router bench --schemas`` on the crafted parts of BFCL, half of whose rows no tool serves."""
QUESTION_WORDS = 128
"""Different words of a question that are read; the rest is cut."""
PART_WORDS = (12, 64)
"""Words of a name and of a description that are compared by vector; BM25 has all."""
STEM = 5
"""A word's first letters stand for its stem, in whatever language."""
K1, B, AVERAGE_WORDS = 1.2, 0.75, 45
"""BM25's constants, and the words of an average schema."""
COSINE, LATE, BM25, BM25_UNIT = 1.0, 0.5, 1.5, 10.0
HEAD, NEAREST, RIDGE = 12.0, 4.0, 0.3
MEMO_WORDS = 8_192
"""Words whose vectors are kept."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class SchemaRouter:
    """Scores ``tools`` for a question by their schemas; ``decide`` and ``threshold`` are those of a router whose labels
    are the tools. Its confidence is that the likeliest tool is the one that serves: where none does, no tool is sure.

    Immutable after construction and safe to share between threads. Raises ValueError where there is no tool.
    """

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        if not tools:
            raise ValueError("There is no tool to choose from. Give at least one.")
        self.labels = tuple(tools)
        parts = [words for tool in tools.values() for words in _compared(tool)]
        names = {word: i for i, word in enumerate(dict.fromkeys(word for words in parts for word in words))}
        self._vectors = np.stack([_vector(word) for word in names])  # (u, 256) of the different words
        self._places = np.array([names[word] for words in parts for word in words])  # (p,) of each part's words in turn
        sizes = np.array([len(words) for words in parts])
        self._starts = np.r_[0, np.cumsum(sizes)[:-1]]
        weights = np.array([_weight(word) for words in parts for word in words], np.float32)
        self._shares = weights / np.repeat(np.add.reduceat(weights, self._starts) + np.float32(1e-6), sizes)
        means = np.add.reduceat(self._vectors[self._places] * self._shares[:, None], self._starts)
        self._means = _unit(means)  # (2 · tools, 256): names and descriptions in turn
        self._bm25 = Bm25([schema_words(tool) for tool in tools.values()])

    @property
    def threshold(self) -> float:
        """The confidence below which it abstains."""
        return CALIBRATION.threshold

    def scores(self, question: str) -> np.ndarray:
        """How well each tool serves ``question``, (tools,), on a scale that all sets of tools share; zeros for text
        without a word."""
        words = different_words(question)
        if not words:
            return np.zeros(len(self.labels), np.float32)
        weights = np.array([_weight(word) for word in words], np.float32)
        weights /= weights.sum() + np.float32(1e-6)
        vectors = np.stack([_vector(word) for word in words])
        near = np.maximum(vectors @ self._vectors.T, 0)  # (n, u)
        forth = weights @ np.maximum.reduceat(near[:, self._places], self._starts, axis=1)
        back = np.add.reduceat(near.max(0)[self._places] * self._shares, self._starts)
        cosines = self._means @ _unit(weights @ vectors)
        found = (COSINE * cosines + LATE * (forth + back)).reshape(-1, 2).sum(1)
        return found + np.float32(BM25) * np.log1p(self._bm25.scores(words) / np.float32(BM25_UNIT))

    def decide(self, question: str) -> Decision:
        """The decision on ``question``. Text without a word abstains with confidence 0."""
        scores = self.scores(question)
        logits = scores / np.float32(CALIBRATION.temperature)
        best = int(logits.argmax())
        odds = np.exp(logits - logits[best])
        total = float(odds.sum())
        confidence = CALIBRATION.score(float(logits[best]), total) if scores.any() else 0.0
        probabilities = dict(zip(self.labels, (odds / total).tolist()))
        return Decision(self.labels[best], probabilities, confidence, confidence < CALIBRATION.threshold)


class Bm25:
    """BM25 (Robertson and Zaragoza 2009) of ``documents``, lists of words, by the rarity of words in the background."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        found: dict[str, list[tuple[int, float]]] = {}
        for row, words in enumerate(documents):
            lengthy = K1 * (1 - B + B * len(words) / AVERAGE_WORDS)
            for stem, count in Counter(map(_stem, words)).items():
                found.setdefault(stem, []).append((row, count * (K1 + 1) / (count + lengthy)))
        self._postings = {
            stem: (np.array([row for row, _ in pairs]), np.array([gain for _, gain in pairs], np.float32))
            for stem, pairs in found.items()
        }
        self._count = len(documents)

    def scores(self, words: Sequence[str]) -> np.ndarray:
        """The score (documents,) of each document for different ``words``."""
        found = np.zeros(self._count, np.float32)
        for stem, rarity in {_stem(word): _rarity(word) for word in reversed(words)}.items():
            if stem in self._postings:
                rows, gains = self._postings[stem]
                found[rows] += np.float32(rarity) * gains
        return found


class FewShotRouter:
    """``prior`` scores of ``labels`` for a question, and what ``examples`` of questions with their tools add to them:
    the likeness of each tool's nearest example, and ridge regression on what ``embed`` makes of a question (by default
    the mean of its words' static vectors).

    Examples of other labels are left out. Raises ValueError where none is left.
    """

    def __init__(
        self,
        labels: Sequence[str],
        prior: Callable[[str], np.ndarray],
        examples: Iterable[Example],
        embed: Callable[[str], np.ndarray] | None = None,
    ) -> None:
        self.labels, self._prior, self._embed = tuple(labels), prior, embed or mean_vector
        numbers = {label: i for i, label in enumerate(self.labels)}
        known = sorted((numbers[e.tool], e.question) for e in examples if e.tool in numbers)
        if not known:
            raise ValueError("There is no example of a tool that is on offer. Give at least one.")
        numbered = np.array([label for label, _ in known])
        vectors = np.stack([self._embed(question) for _, question in known])
        self._centre = vectors.mean(0) * np.float32(len(known) > 1)
        self._vectors = _unit(vectors - self._centre)
        self._tools, self._starts = np.unique(numbered, return_index=True)
        target = np.zeros((len(known), len(self.labels)), np.float32)
        target[np.arange(len(known)), numbered] = 1
        gram = self._vectors @ self._vectors.T + np.float32(RIDGE) * np.eye(len(known), dtype=np.float32)
        self._head = self._vectors.T @ np.linalg.solve(gram, target)  # (width, labels)

    def scores(self, question: str) -> np.ndarray:
        """How well each label serves ``question``, (labels,): to rank them, on no scale of its own."""
        vector = _unit(self._embed(question) - self._centre)
        found = self._prior(question) + HEAD * (vector @ self._head)
        found[self._tools] += NEAREST * np.maximum.reduceat(self._vectors @ vector, self._starts)
        return found


def _compared(tool: Tool) -> tuple[list[str], list[str]]:
    """The words of a tool's name and of its description, one at least each."""
    name, about = different_words(_parted(tool.name)), different_words(tool.description)
    return name[: PART_WORDS[0]] or [""], about[: PART_WORDS[1]] or [""]


def schema_words(tool: Tool) -> list[str]:
    """The words of all parts of a schema, those of a part once: a word in several parts counts more."""
    slots, abouts, values = [], [], []
    for name, schema in _slots(tool.schema, 2):
        slots.append(_parted(name))
        abouts.append(str(schema.get("description", "")))
        values += [_parted(str(value)) for value in schema.get("enum", ())]
    name, about = _compared(tool)
    return [*name, *about, *(word for part in (slots, abouts, values) for word in different_words(" ".join(part)))]


def _slots(schema: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The slots of a schema by name, and within them those of objects and lists, ``depth`` deep."""
    for name, part in (schema.get("properties") or {}).items():
        if not isinstance(part, Mapping):
            continue
        items = part.get("items") if isinstance(part.get("items"), Mapping) else {}
        yield name, {**items, **part}
        if depth > 1:
            yield from _slots(part, depth - 1)
            yield from _slots(items, depth - 1)


def different_words(text: str) -> list[str]:
    """The different words and digits of ``text``, in its order."""
    words = (word[:MAX_LETTERS] for word in tokenise(text, 8 * QUESTION_WORDS) if word[0].isalnum())
    return list(dict.fromkeys(words))[:QUESTION_WORDS]


def _parted(name: str) -> str:
    """A name in code with its words apart.

    >>> _parted("getTicketID")
    'get Ticket ID'
    """
    return _CAMEL.sub(" ", name)


def _stem(word: str) -> str:
    return word[:STEM]


def tool_vector(tool: Tool) -> np.ndarray:
    """What a tool's name and description say, (256,) of unit length: their words' vectors, rare words weighing more."""
    words = different_words(f"{_parted(tool.name)} {tool.description}")
    return _unit(sum((_weight(word) * _vector(word) for word in words), np.zeros(STATIC_WIDTH, np.float32)))


def mean_vector(text: str) -> np.ndarray:
    """The mean (256,) of the static vectors of the words of ``text``; zeros where it has none."""
    words = tokenise(text)
    return np.stack([_static(word) for word in words]).mean(0) if words else np.zeros(STATIC_WIDTH, np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + np.float32(1e-6))


@functools.lru_cache(MEMO_WORDS)
def _static(word: str) -> np.ndarray:
    return static_vectors(word)


@functools.lru_cache(MEMO_WORDS)
def _vector(word: str) -> np.ndarray:
    """The static vector (256,) of ``word`` about the mean of all, of unit length; zeros where it has no known piece."""
    vector = _static(word)
    return _unit(vector - static_vectors.mean) if vector.any() else vector


@functools.lru_cache(MEMO_WORDS)
def _weight(word: str) -> float:
    """How much of what a text is about a word carries: its rarity by its static vector's length."""
    return _rarity(word) / 85 * float(np.linalg.norm(_static(word)))


def _rarity(word: str) -> float:
    """Inverse document frequency (Spärck Jones 1972) in the background; 0 for a digit, which is part of a value."""
    if not word or word[0].isdigit():
        return 0.0
    counts, documents = _background()
    return math.log((documents + 1) / (counts.get(word, 0) + 1))


@functools.cache
def _background() -> tuple[Mapping[str, int], int]:
    """(documents that have each word, documents) of the background."""
    found = json.loads(COUNTS_FILE.read_text(encoding="utf-8"))
    return found["counts"], found["documents"]
