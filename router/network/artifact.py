"""What a router consists of, and its two files: ``router.safetensors`` (arrays, words), ``config.json`` (all else).

Leaves out compatibility with other versions of the format: these are refused by number. Loading parses JSON and copies
arrays; it executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as tensors

from router.network.features import Vocabulary

FORMAT = "switchyard-router"
VERSION = 2
WEIGHTS_FILE = "router.safetensors"
CONFIG_FILE = "config.json"
_REMEDY = "Train a router with `python -m router train`, or restore the folder."


class ArtifactError(ValueError):
    """A saved router that cannot be loaded. The message names the file, what is wrong with it and the remedy."""


@dataclass(frozen=True)
class Weights:
    """The folded network's arrays, float32 unless said. d: width of a word vector, h: channels, c: labels.

    A table may be int8 with one scale a row. ``head`` is not divided by the temperature.
    """

    words: np.ndarray  # (n words, d) vectors after LayerNorm, int8 or float32
    word_scale: np.ndarray  # (n words,)
    grams: np.ndarray  # (n grams, d) learned n-gram vectors, int8 or float32
    gram_scale: np.ndarray  # (n grams,)
    projection: np.ndarray  # (256, d) of the static vector
    norm: np.ndarray  # (2, d) LayerNorm's weight and bias
    taps: np.ndarray  # (d, 3h + 1) convolution taps for the word after, the word itself, the word before; the gate
    taps_bias: np.ndarray  # (3h + 1,)
    head: np.ndarray  # (d + h, c)
    head_bias: np.ndarray  # (c,)

    @property
    def channels(self) -> int:
        return (self.taps.shape[1] - 1) // 3


@dataclass(frozen=True)
class Calibration:
    """How logits become probabilities, a confidence and an abstention.

    ``temperature`` divides the logits (Guo et al. 2017). ``confidence`` holds (a, b, c): the confidence is
    1 / (1 + exp(-(a · energy + b · log p + c))), the probability that the most probable label is right, where energy
    is log Σ exp(logit) (Liu et al. 2020, "Energy-based Out-of-distribution Detection") and p the highest
    probability; None where nothing was fitted, then the confidence is p itself. A confidence below ``threshold``
    abstains, and so does a text of which more than the share ``unread`` is of unknown words. ``chosen_on`` says from which data and for which target, with the metrics found there.
    """

    temperature: float = 1.0
    confidence: tuple[float, float, float] | None = None
    threshold: float = 0.0
    unread: float = 1.0
    chosen_on: Mapping[str, Any] = field(default_factory=dict)

    def score(self, top: float, total: float) -> float:
        """The confidence from the highest calibrated logit and Σ exp(logit - top)."""
        if self.confidence is None:
            return 1.0 / total
        a, b, c = self.confidence
        log_total = math.log(total)
        score = a * (top + log_total) - b * log_total + c
        return 1.0 / (1.0 + math.exp(-score)) if score > -700 else 0.0

    def scores(self, logits: np.ndarray) -> np.ndarray:
        """The confidence (n,) of each row of calibrated logits (n, labels)."""
        tops = logits.max(1)
        totals = np.exp(logits - tops[:, None]).sum(1)
        return np.array([self.score(float(a), float(b)) for a, b in zip(tops, totals)])


@dataclass(frozen=True)
class Head:
    """One softmax layer on a router's features that reads a tool's slot: ``values`` (k,), ``weights`` (d + h, k) and
    ``bias`` (k,). The weights are float32 of half precision, which is what the file holds.
    """

    values: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray

    def read(self, features: np.ndarray) -> tuple[str, float]:
        """The likeliest value and its probability for ``features`` (d + h,)."""
        scores = features @ self.weights + self.bias
        scores = np.exp(scores - scores.max())
        best = int(scores.argmax())
        return self.values[best], float(scores[best] / scores.sum())


@dataclass(frozen=True)
class Parts:
    """All that makes a router.

    ``provenance`` says how it was trained; ``memory`` keeps some training questions with their labels; ``readers`` are
    the heads of (tool, slot); ``fillers`` are words that go with every label alike, so that none hangs on them;
    ``understood`` are, by tool, the words of the examples that the tool's own reading read right.
    ``seen`` are words that are not in the vocabulary and runs of signs that are no words (``unread.py``).
    """

    labels: tuple[str, ...]
    vocabulary: Vocabulary
    weights: Weights
    calibration: Calibration = Calibration()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    memory: tuple[tuple[str, str], ...] = ()
    readers: Mapping[tuple[str, str], Head] = field(default_factory=dict)
    fillers: frozenset[str] = frozenset()
    understood: Mapping[str, frozenset[str]] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Container:
    """Two files that belong together: arrays in safetensors, all else in JSON, which holds the arrays' SHA-256.

    ``format`` and ``version`` are written into the JSON and checked at reading; ``remedy`` ends every error.
    """

    format: str
    version: int
    weights_file: str
    config_file: str
    remedy: str

    def write(self, folder: Path, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Write both into ``folder``, the JSON last, so that a broken-off save is noticed at loading.

        Raises OSError where the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        content = tensors.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        about = {"format": self.format, "version": self.version, **config}
        about["weights_sha256"] = hashlib.sha256(content).hexdigest()
        (folder / self.config_file).unlink(missing_ok=True)
        (folder / self.weights_file).write_bytes(content)
        text = json.dumps(about, ensure_ascii=False, indent=1) + "\n"
        (folder / self.config_file).write_text(text, encoding="utf-8")

    def read(self, folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(config, arrays). Raises ArtifactError where they are missing, damaged, foreign or newer."""
        config = self._config(folder / self.config_file)
        path = folder / self.weights_file
        try:
            content = path.read_bytes()
        except OSError as fault:
            raise ArtifactError(f"{path} cannot be read ({fault.strerror}). {self.remedy}") from fault
        found = hashlib.sha256(content).hexdigest()
        if found != config.get("weights_sha256"):
            raise ArtifactError(
                f"{path} ({len(content)} bytes) is truncated, or not the file that {self.config_file} was written "
                f"with: its SHA-256 begins {found[:12]}, expected {str(config.get('weights_sha256'))[:12]}. "
                f"{self.remedy}"
            )
        try:
            return config, tensors.load(content)
        except SafetensorError as fault:
            raise ArtifactError(f"{path} holds no arrays ({fault}). {self.remedy}") from fault

    def _config(self, path: Path) -> dict[str, Any]:
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except OSError as fault:
            raise ArtifactError(f"{path} cannot be read ({fault.strerror}). {self.remedy}") from fault
        except ValueError as fault:
            raise ArtifactError(f"{path} is not JSON, perhaps truncated ({fault}). {self.remedy}") from fault
        kind = config.get("format") if isinstance(config, dict) else None
        if kind != self.format:
            raise ArtifactError(
                f"{path} describes something else: its format is {kind!r}, wanted {self.format!r}. {self.remedy}"
            )
        version = config.get("version")
        if version != self.version:
            raise ArtifactError(
                f"{path} has format version {version!r}; this program reads version {self.version}. Train the router "
                "again, or use the program that wrote it."
            )
        return config


ROUTER_FILES = Container(FORMAT, VERSION, WEIGHTS_FILE, CONFIG_FILE, _REMEDY)


def write(router: Parts, folder: Path) -> None:
    """Write ``router`` into ``folder``. Raises OSError where the folder cannot be written."""
    arrays = dict(vars(router.weights))
    arrays["word_text"] = encode(router.vocabulary.words)
    arrays["gram_text"] = encode(router.vocabulary.grams)
    for number, head in enumerate(router.readers.values()):
        arrays[f"reader_{number}_weights"] = head.weights.astype(np.float16)
        arrays[f"reader_{number}_bias"] = head.bias
    config = {
        "labels": list(router.labels),
        "calibration": asdict(router.calibration),
        "provenance": dict(router.provenance),
        "memory": [list(pair) for pair in router.memory],
        "readers": [
            {"tool": tool, "slot": slot, "values": list(head.values)} for (tool, slot), head in router.readers.items()
        ],
        "fillers": sorted(router.fillers),
        "understood": {tool: " ".join(sorted(words)) for tool, words in router.understood.items()},
        "seen": " ".join(sorted(router.seen)),
    }
    ROUTER_FILES.write(folder, config, arrays)


def read(folder: Path) -> Parts:
    """The router in ``folder``. Raises ArtifactError where it is missing, damaged, foreign or of another version."""
    config, arrays = ROUTER_FILES.read(folder)
    try:
        vocabulary = Vocabulary(decode(arrays.pop("word_text")), decode(arrays.pop("gram_text")))
        weights = Weights(**{f.name: arrays.pop(f.name) for f in fields(Weights)})
        calibration = dict(config["calibration"])
        if calibration["confidence"] is not None:
            calibration["confidence"] = tuple(calibration["confidence"])
        memory = tuple((question, label) for question, label in config["memory"])
        return Parts(
            tuple(config["labels"]),
            vocabulary,
            weights,
            Calibration(**calibration),
            dict(config["provenance"]),
            memory,
            _readers(config["readers"], arrays),
            frozenset(config["fillers"]),
            {tool: frozenset(words.split()) for tool, words in config.get("understood", {}).items()},
            seen=frozenset(config.get("seen", "").split()),
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise ArtifactError(
            f"{folder} does not hold a whole router ({type(fault).__name__}: {fault}). {_REMEDY}"
        ) from fault


def _readers(rows: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]) -> dict[tuple[str, str], Head]:
    return {
        (row["tool"], row["slot"]): Head(
            tuple(row["values"]),
            arrays[f"reader_{number}_weights"].astype(np.float32),
            arrays[f"reader_{number}_bias"],
        )
        for number, row in enumerate(rows)
    }


def encode(texts: Sequence[str]) -> np.ndarray:
    """``texts`` (none holds a line break) as UTF-8 bytes, one a line."""
    return np.frombuffer("\n".join(texts).encode(), np.uint8)


def decode(content: np.ndarray) -> tuple[str, ...]:
    text = content.tobytes().decode()
    return tuple(text.split("\n")) if text else ()
