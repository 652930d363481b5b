"""The trainable form of the router's network, in torch. ``fold`` turns it into a ``Router``.

Leaves out optimisation (``training.py``) and any use after training: decisions are the folded form's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from router.network.artifact import Calibration, Parts, Weights
from router.network.features import MAX_LETTERS, STATIC_WIDTH, Vocabulary, ngrams, static_vectors, tokenise
from router.network.router import GATE_FLOOR, Router, quantise


@dataclass(frozen=True)
class NetworkConfig:
    """Shape and regularisation. ``width`` d of a word vector, ``channels`` h of the convolution.

    ``word_dropout`` is the chance that a word of a training text is not seen, and, independently, that a word loses
    its own row and must live on its static vector and n-grams, as an unknown word does.
    """

    width: int = 256
    channels: int = 256
    dropout: float = 0.3
    word_dropout: float = 0.1


class Tail(nn.Module):
    """Word vectors → logits: gate, convolution, pooling, linear layer. All that a question's words share."""

    def __init__(self, width: int, channels: int, n_labels: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, 1)
        self.conv = nn.Linear(width, 3 * channels)  # taps for the word after, the word itself, the word before
        nn.init.zeros_(self.conv.bias)
        self.head = nn.Linear(width + channels, n_labels)

    @classmethod
    def of(cls, router: Router) -> Tail:
        """The tail of a folded router; its head gives calibrated logits."""
        w, temperature = router.weights, router.calibration.temperature
        tail = cls(w.norm.shape[1], w.channels, len(router.labels))
        with torch.no_grad():
            for layer, weight, bias in (
                (tail.conv, w.taps[:, :-1], w.taps_bias[:-1]),
                (tail.gate, w.taps[:, -1:], w.taps_bias[-1:]),
                (tail.head, w.head / temperature, w.head_bias / temperature),
            ):
                layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.T)))
                layer.bias.copy_(torch.from_numpy(np.ascontiguousarray(bias)))
        return tail

    def features(self, vectors: torch.Tensor, place: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """What the last layer sees, (n, d + h): the first of ``contextual``."""
        return self.contextual(vectors, place, seen)[0]

    def contextual(
        self, vectors: torch.Tensor, place: torch.Tensor, seen: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(features, convolution): the gated mean of the words (d) and the maxima over positions of the convolution
        after ReLU (h), (n, d + h); and the convolution itself before ReLU, (n, longest, h). ``vectors`` (words, d),
        ``place`` (n, longest) rows of it, ``seen`` a mask.

        Rows are taken with F.embedding: the gradient of indexing adds in any order when there are several threads.
        """
        mask = seen[..., None].float()
        gate = F.embedding(place, torch.sigmoid(self.gate(vectors))) * mask  # (n, longest, 1)
        mean = (F.embedding(place, vectors) * gate).sum(1) / (gate.sum(1) + float(GATE_FLOOR))
        after, here, before = (F.embedding(place, self.conv(vectors)) * mask).split(self.conv.out_features // 3, 2)
        conv = here + F.pad(after[:, :-1], (0, 0, 1, 0)) + F.pad(before[:, 1:], (0, 0, 0, 1))
        return torch.cat([mean, (F.relu(conv) * mask).amax(1)], 1), conv

    @torch.no_grad()
    def arrays(self) -> dict[str, np.ndarray]:
        """The fields of ``Weights`` that come from here."""
        return {
            "taps": torch.cat([self.conv.weight, self.gate.weight]).numpy().T.copy(),
            "taps_bias": torch.cat([self.conv.bias, self.gate.bias]).numpy(),
            "head": self.head.weight.numpy().T.copy(),
            "head_bias": self.head.bias.numpy().copy(),
        }


def pad(ids: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids as one tensor (n, longest), padded with 0, and the mask of those that are not padding."""
    padded = np.zeros((len(ids), max(1, max(map(len, ids)))), np.int64)
    for row, text in zip(padded, ids):
        row[: len(text)] = text
    tokens = torch.from_numpy(padded)
    return tokens, tokens > 0


class RouterNetwork(nn.Module):
    """Word ids → logits over ``labels``.

    A word's vector is LayerNorm(P · static + own row + Σ n-gram rows / √n), (d,); ``Tail`` does the rest.
    """

    def __init__(self, vocabulary: Vocabulary, labels: Sequence[str], config: NetworkConfig = NetworkConfig()) -> None:
        super().__init__()
        self.vocabulary, self.labels, self.config = vocabulary, tuple(labels), config
        self._words = _WordFeatures(vocabulary)
        d, h = config.width, config.channels
        self.projection = nn.Linear(STATIC_WIDTH, d, bias=False)
        nn.init.eye_(self.projection.weight)
        self.projection.weight.data *= 0.5
        self.own = nn.Embedding(len(vocabulary.words) + 1, d, sparse=True)
        nn.init.normal_(self.own.weight, std=0.02)
        self.grams = nn.EmbeddingBag(len(vocabulary.grams) + 1, d, mode="sum", sparse=True, include_last_offset=True)
        nn.init.normal_(self.grams.weight, std=0.05)
        self.norm = nn.LayerNorm(d)
        self.tail = Tail(d, h, len(self.labels))

    @property
    def tables(self) -> list[nn.Parameter]:
        """Parameters whose gradients are sparse."""
        return [self.own.weight, self.grams.weight]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Word ids of each text; 0 is padding. Unknown words get ids too, without a row of their own."""
        return [self._words.ids(tokenise(text)) for text in texts]

    def encode_words(self, words: Sequence[str]) -> list[int]:
        """The ids of one text's words, as ``tokenise`` gives them."""
        return self._words.ids(words)

    def forward(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """Logits (n, labels)."""
        features, _ = self.contextual(ids)
        return self.tail.head(F.dropout(features, self.config.dropout, self.training))

    def contextual(self, ids: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """``Tail.contextual`` of the texts; in training some of their words are not seen."""
        tokens, seen = pad(ids)
        if self.training and self.config.word_dropout:
            kept = seen & (torch.rand(seen.shape) >= self.config.word_dropout)
            seen = torch.where(kept.any(1, keepdim=True), kept, seen)
        unique, place = torch.unique(tokens, return_inverse=True)
        return self.tail.contextual(self.word_vectors(unique), place, seen)

    def word_vectors(self, ids: torch.Tensor) -> torch.Tensor:
        """Vectors (n, d) after LayerNorm of word ids (n,)."""
        static, grams, ends = self._words.lookup(ids.numpy())
        known = ids <= len(self.vocabulary.words)
        if self.training and self.config.word_dropout:
            known = known & (torch.rand(len(ids)) >= self.config.word_dropout)
        own = self.own(torch.where(known, ids, torch.zeros_like(ids))) * known[:, None]
        counts = (ends[1:] - ends[:-1]).clamp(min=1).sqrt()
        return self.norm(self.projection(static) + own + self.grams(grams, ends) / counts[:, None])

    @torch.no_grad()
    def logits(self, texts: Sequence[str], batch: int = 256) -> np.ndarray:
        """Logits (n, labels) of texts, in evaluation mode."""
        was_training = self.training
        self.eval()
        ids = self.encode(texts)
        out = np.zeros((len(texts), len(self.labels)), np.float32)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            out[chosen] = self([ids[i] for i in chosen]).numpy()
        self.train(was_training)
        return out

    @torch.no_grad()
    def fold(
        self,
        calibration: Calibration = Calibration(),
        provenance: Mapping[str, Any] | None = None,
        memory: Sequence[tuple[str, str]] = (),
        precision: str = "int8",
    ) -> Router:
        """The router for inference. ``precision`` of its tables: "int8" (a quarter of the size) or "float32".

        Raises ValueError for another precision.
        """
        if precision not in ("int8", "float32"):
            raise ValueError(f"Precision {precision!r} is unknown. Use 'int8' or 'float32'.")
        was_training = self.training
        self.eval()
        n = len(self.vocabulary.words)
        words = torch.cat([self.word_vectors(chunk) for chunk in torch.arange(1, n + 1).split(2048)]).numpy()
        grams = self.grams.weight[1:].numpy()
        self.train(was_training)
        pack = quantise if precision == "int8" else _as_is
        (words, word_scale), (grams, gram_scale) = pack(words), pack(grams)
        weights = Weights(
            words=words,
            word_scale=word_scale,
            grams=grams,
            gram_scale=gram_scale,
            projection=self.projection.weight.numpy().T.copy(),
            norm=torch.stack([self.norm.weight, self.norm.bias]).numpy(),
            **self.tail.arrays(),
        )
        return Router(Parts(self.labels, self.vocabulary, weights, calibration, dict(provenance or {}), tuple(memory)))


class _WordFeatures:
    """What is fixed about each word: its static vector and its n-grams' rows. Grows with unknown words."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._gram_rows = {gram: i for i, gram in enumerate(vocabulary.grams, start=1)}
        self._numbers: dict[str, int] = {}
        self._static: list[np.ndarray] = [np.zeros(STATIC_WIDTH, np.float32)]
        self._grams: list[list[int]] = [[]]
        self._packed: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
        for word in vocabulary.words:
            self._add(word)

    def ids(self, words: Iterable[str]) -> list[int]:
        shortened = (word[:MAX_LETTERS] for word in words)
        return [self._numbers.get(word) or self._add(word) for word in shortened]

    def lookup(self, ids: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Static vectors (n, 256), all n-gram rows in one line, and where each word's part ends (n + 1)."""
        if self._packed is None or len(self._packed[0]) < len(self._static):
            counts = np.array([len(rows) for rows in self._grams])
            flat = np.array([row for rows in self._grams for row in rows], np.int64)
            self._packed = np.stack(self._static), flat, counts, np.cumsum(counts) - counts
        static, flat, counts, starts = self._packed
        ends = np.concatenate([[0], np.cumsum(counts[ids])])
        places = np.arange(ends[-1]) - np.repeat(ends[:-1] - starts[ids], counts[ids])
        return torch.from_numpy(static[ids]), torch.from_numpy(flat[places]), torch.from_numpy(ends)

    def _add(self, word: str) -> int:
        number = self._numbers[word] = len(self._static)
        self._static.append(static_vectors(word))
        self._grams.append([row for row in map(self._gram_rows.get, ngrams(word)) if row is not None])
        return number


def _as_is(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return table.astype(np.float32), np.ones(len(table), np.float32)
