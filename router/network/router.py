"""The router: text in, a calibrated decision over tools out. numpy only; what learns is in ``module.py``.

Four layers (after Kim 2014, "Convolutional Neural Networks for Sentence Classification"): word vector → projection and
gate → width-3 convolution → linear. All that comes before pooling depends on one word alone, so it is folded into one
row a word, and a decision is a few look-ups and one small matrix-vector product.

Leaves out training, the files (``artifact.py``) and batched products: a batch is decided question by question, which is
what makes a decision the same bits in any thread, batch or order.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from router.network.artifact import ArtifactError, Calibration, Parts, read, write
from router.network.features import MAX_LETTERS, ngrams, static_vectors, tokenise
from router.network.prototype import prototype
from router.network.unread import share
from router.types import NON_TOOLS, Decision

DEFAULT_ROUTER = Path(__file__).parents[1] / "builtin" / "weights"
MAX_LABELS = 1_000
MEMO_WORDS = 8_192
"""Rows kept for words outside the vocabulary; beyond these a new word is computed each time it is seen."""
GATE_FLOOR = np.float32(0.5)
"""Keeps the gated mean of few, weakly gated words small."""


@dataclass(frozen=True)
class RouteChange:
    """A past question whose label would change."""

    question: str
    before: str
    after: str


@dataclass(frozen=True)
class NewTool:
    """A router that knows one tool more, and what that changes. Nothing is accepted until ``router`` is used.

    ``changes``: past questions that would go elsewhere, of ``past`` questions in all. ``recognised`` is the share of
    the given examples that now reach the tool.
    """

    router: Router
    name: str
    changes: tuple[RouteChange, ...]
    past: int
    recognised: float


class Router:
    """A trained router: ``parts``, ready to decide. Immutable after construction and safe to share between threads.

    ``labels``, ``vocabulary``, ``weights``, ``calibration``, ``provenance``, ``memory``, ``readers``, ``fillers`` and
    ``understood`` are those of ``parts``. Raises ValueError where these do not fit each other.
    """

    def __init__(self, parts: Parts) -> None:
        _check(parts)
        self.parts = parts
        self.labels, self.vocabulary, self.weights = parts.labels, parts.vocabulary, parts.weights
        self.calibration, self.provenance, self.memory = parts.calibration, parts.provenance, parts.memory
        self.readers, self.fillers, self.understood = parts.readers, parts.fillers, parts.understood
        vocabulary, weights, calibration = parts.vocabulary, parts.weights, parts.calibration
        self._head = np.ascontiguousarray(weights.head / np.float32(calibration.temperature))
        self._head_bias = weights.head_bias / np.float32(calibration.temperature)
        self._word_rows = {word: i for i, word in enumerate(vocabulary.words)}
        self._gram_rows = {gram: i for i, gram in enumerate(vocabulary.grams)}
        # Row i < n words belongs to a known word; the rows after these are handed out to new words as they come.
        rows = len(vocabulary.words) + MEMO_WORDS
        self._table = np.zeros((rows, 3 * weights.channels + len(weights.norm[0]) + 1), np.float32)
        self._next_row = len(vocabulary.words)
        self._ready: dict[str, int] = {}
        self._lock = threading.Lock()

    @cached_property
    def label_words(self) -> Mapping[str, frozenset[str]]:
        """The words of the questions that the router remembers, by label."""
        found: dict[str, set[str]] = {}
        for question, label in self.memory:
            found.setdefault(label, set()).update(tokenise(question))
        return {label: frozenset(words) for label, words in found.items()}

    @property
    def threshold(self) -> float:
        """The confidence below which the router abstains."""
        return self.calibration.threshold

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its training found wrong with it, a sentence each; nothing of a router to rely on."""
        return tuple(self.provenance.get("warnings", ()))

    def decide(self, question: str) -> Decision:
        """The decision on ``question``. Text without a word, number or sign abstains with confidence 0."""
        logits = self._logits(question)
        if logits is None:
            return self._undecided
        best = int(logits.argmax())
        unread = self.unread(question, self.labels[best])
        top = float(logits[best])
        np.subtract(logits, logits[best], out=logits)
        np.exp(logits, out=logits)
        total = float(np.add.reduce(logits))
        confidence = self.calibration.score(top, total)
        logits /= np.float32(total)
        probabilities = dict(zip(self.labels, logits.tolist()))
        if unread > self.calibration.unread:
            reason = f"Of its words {unread:.0%} are unknown to the router, which decides on up to {self.calibration.unread:.0%}."
            return Decision(self.labels[best], probabilities, 0.0, True, reason)
        return Decision(self.labels[best], probabilities, confidence, confidence < self.calibration.threshold)

    def unread(self, question: str, label: str | None = None) -> float:
        """The share of ``question``, decided as ``label``, that is made of words unknown to the network (``unread.py``)."""
        return share(question, self._word_rows, () if label in NON_TOOLS else self._gram_rows, self.parts.seen)

    def decide_batch(self, questions: Iterable[str]) -> list[Decision]:
        """``decide`` for each of ``questions``: the same bits as one by one."""
        return [self.decide(question) for question in questions]

    def logits(self, questions: Sequence[str]) -> np.ndarray:
        """Logits (n, labels) divided by the temperature; for text without a word, the head's bias."""
        rows = [self._logits(question) for question in questions]
        return np.stack([self._head_bias if row is None else row for row in rows]) if rows else self._nothing

    def features(self, questions: Sequence[str]) -> np.ndarray:
        """What the last layer sees, (n, d + h): the gated mean of the words, then the convolution's maxima."""
        out = np.zeros((len(questions), len(self.weights.head)), np.float32)
        for row, question in zip(out, questions):
            words = tokenise(question)
            if words:
                row[:] = self.contextual(words)[0]
        return out

    def contextual(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(features (d + h,), convolution before ReLU (n, h)) of a question of n words, one or more."""
        h = self.weights.channels
        rows = self.word_rows(words)  # (n, 3h + d + 1)
        conv = rows[:, h : 2 * h]
        if len(rows) > 1:
            conv[1:] += rows[:-1, :h]
            conv[:-1] += rows[1:, 2 * h : 3 * h]
        gated = np.add.reduce(rows[:, 3 * h :], 0)
        d = len(gated) - 1
        features = np.empty(d + h, np.float32)
        np.divide(gated[:d], gated[d] + GATE_FLOOR, out=features[:d])
        np.maximum(np.maximum.reduce(conv, 0), np.float32(0), out=features[d:])
        return features, conv

    def score(self, features: np.ndarray) -> np.ndarray:
        """Logits (labels,) of a question's features (d + h,), divided by the temperature."""
        logits = features @ self._head
        logits += self._head_bias
        return logits

    def word_vector(self, word: str) -> np.ndarray:
        """Vector (d,) of one word of ``tokenise``, known or not: the row's source."""
        w, word = self.weights, word[:MAX_LETTERS]
        row = self._word_rows.get(word)
        if row is not None:
            return w.words[row].astype(np.float32) * w.word_scale[row]
        vector = static_vectors(word) @ w.projection
        grams = [i for i in map(self._gram_rows.get, ngrams(word)) if i is not None]
        if grams:
            rows = w.grams[grams].astype(np.float32) * w.gram_scale[grams, None]
            vector = vector + rows.sum(0) / np.float32(math.sqrt(len(grams)))
        centred = vector - vector.mean()
        return centred / np.sqrt((centred * centred).mean() + np.float32(1e-5)) * w.norm[0] + w.norm[1]

    def word_rows(self, words: Sequence[str]) -> np.ndarray:
        """Folded rows (n, 3h + d + 1) of ``words``: a copy that the caller may change."""
        ready = self._ready.get
        rows: list[int] = [ready(word) for word in words]  # type: ignore[misc]
        if None in rows:
            return np.stack([self._row(word) for word in words])
        return self._table.take(rows, 0)

    def with_calibration(self, calibration: Calibration) -> Router:
        """The same network, calibrated otherwise."""
        return self.having(calibration=calibration)

    def having(self, **parts: Any) -> Router:
        """The same router but for the given fields of ``Parts``."""
        return Router(replace(self.parts, **parts))

    def add_tool(self, name: str, description: str, examples: Sequence[str] = (), past: Sequence[str] = ()) -> NewTool:
        """A router that also knows the tool ``name``, by its description and, better, some ``examples``; no training.

        ``past`` questions, beside those that the router remembers, are to keep their labels; those that do not are
        reported. Raises ValueError where the name is taken, the description is empty, there are too many labels, or
        there is no question to keep in place.
        """
        if name in self.labels:
            raise ValueError(f"The router already has a label {name!r}. Choose another name, or train it again.")
        if not description.strip():
            raise ValueError(f"Tool {name!r} has no description. Say in one sentence what it does.")
        if len(self.labels) >= MAX_LABELS:
            raise ValueError(f"The router has {len(self.labels)} labels, the limit is {MAX_LABELS}. Remove one first.")
        known = [*dict.fromkeys([*(question for question, _ in self.memory), *past])]
        if not known:
            raise ValueError("The router remembers no question to keep in place. Give some past questions.")
        given = [description, *examples]
        column, offset = prototype(self.features(known), self.features(given), self.logits([*known, *given]))
        temperature = np.float32(self.calibration.temperature)
        head = np.c_[self.weights.head, column * temperature]
        bias = np.append(self.weights.head_bias, offset * temperature)
        added = [*self.provenance.get("added", []), {"tool": name, "examples": len(examples)}]
        grown = self.having(
            labels=(*self.labels, name),
            weights=replace(self.weights, head=head, head_bias=bias),
            provenance={**self.provenance, "added": added},
            memory=(*self.memory, *((question, name) for question in examples)),
        )
        before, after = (router.logits(known).argmax(1) for router in (self, grown))
        changes = (
            RouteChange(question, self.labels[a], grown.labels[b])
            for question, a, b in zip(known, before, after)
            if a != b
        )
        reached = grown.logits(list(examples) or [description]).argmax(1) == len(self.labels)
        return NewTool(grown, name, tuple(changes), len(known), float(reached.mean()))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``router.safetensors`` and ``config.json`` into ``folder``, which is made where it is missing."""
        write(self.parts, Path(folder))

    @classmethod
    def from_pretrained(cls, folder: str | Path = DEFAULT_ROUTER) -> Router:
        """The router in ``folder``. Raises ArtifactError where it is missing, damaged, foreign or of another version."""
        folder = Path(folder)
        parts = read(folder)
        try:
            return cls(parts)
        except ValueError as fault:
            raise ArtifactError(f"{folder} does not hold a whole router ({fault}). Train or restore it.") from fault

    def __deepcopy__(self, memo: dict[int, Any]) -> Router:
        return self  # immutable; agent frameworks copy their modules

    def __reduce__(self) -> tuple[Any, ...]:
        return Router, (self.parts,)

    @property
    def _undecided(self) -> Decision:
        even = 1.0 / len(self.labels)
        return Decision(None, dict.fromkeys(self.labels, even), 0.0, True)

    @property
    def _nothing(self) -> np.ndarray:
        return np.zeros((0, len(self.labels)), np.float32)

    def _logits(self, question: str) -> np.ndarray | None:
        words = tokenise(question)
        if not words:
            return None
        return self.score(self.contextual(words)[0])

    def _row(self, word: str) -> np.ndarray:
        """The folded row (3h + d + 1,) of ``word``; kept in the table while there is room."""
        word = word[:MAX_LETTERS]
        row = self._ready.get(word)
        if row is not None:
            return self._table[row]
        values = self._fold(self.word_vector(word))
        with self._lock:
            if word not in self._ready:
                row = self._word_rows.get(word)
                if row is None and self._next_row < len(self._table):
                    row, self._next_row = self._next_row, self._next_row + 1
                if row is not None:
                    self._table[row] = values  # written before its number is published: a reader needs no lock
                    self._ready[word] = row
        return values

    def _fold(self, vector: np.ndarray) -> np.ndarray:
        """[taps (3h), gate · vector (d), gate] of a word vector (d,)."""
        taps = vector @ self.weights.taps + self.weights.taps_bias
        gate = np.float32(1.0) / (np.float32(1.0) + np.exp(-taps[-1:]))
        return np.concatenate([taps[:-1], gate * vector, gate])


def quantise(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``table`` (n, d) as int8 and one scale a row, (n,) float32."""
    scale = np.maximum(np.abs(table).max(1, initial=0.0), 1e-12).astype(np.float32) / np.float32(127)
    return np.round(table / scale[:, None]).astype(np.int8), scale


def _check(parts: Parts) -> None:
    labels, vocabulary, weights = parts.labels, parts.vocabulary, parts.weights
    if not 2 <= len(labels) <= MAX_LABELS:
        raise ValueError(f"{len(labels)} labels given; a router has 2 to {MAX_LABELS}. Give that many.")
    if len(set(labels)) != len(labels) or not all(isinstance(label, str) and label for label in labels):
        raise ValueError("Labels must be different, non-empty strings. Rename or merge those that are not.")
    d, h, w = weights.norm.shape[1], weights.channels, weights
    wanted = {
        "words": (w.words, (len(vocabulary.words), d)),
        "word_scale": (w.word_scale, (len(vocabulary.words),)),
        "grams": (w.grams, (len(vocabulary.grams), d)),
        "gram_scale": (w.gram_scale, (len(vocabulary.grams),)),
        "projection": (w.projection, (w.projection.shape[0], d)),
        "taps": (w.taps, (d, 3 * h + 1)),
        "taps_bias": (w.taps_bias, (3 * h + 1,)),
        "head": (w.head, (d + h, len(labels))),
        "head_bias": (w.head_bias, (len(labels),)),
    }
    for (tool, slot), reader in parts.readers.items():
        wanted[f"reader of {tool}.{slot}"] = (reader.weights, (d + h, len(reader.values)))
    for name, (array, shape) in wanted.items():
        if array.shape != shape:
            raise ValueError(f"Weights {name!r} have shape {array.shape}, but labels and vocabulary ask for {shape}.")
