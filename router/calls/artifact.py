"""What a call model consists of beside its router, and its two files: ``calls.safetensors`` and ``calls.json``.

Loading parses JSON and copies arrays; it executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from router.calls.classes import WordClasses
from router.calls.confidence import Confidence
from router.calls.slots import Slot
from router.calls.values import Form, Reader
from router.network.artifact import ArtifactError, Container, decode, encode

_REMEDY = "Train it with `python -m router train`, or restore the folder."
CALL_FILES = Container("switchyard-calls", 3, "calls.safetensors", "calls.json", _REMEDY)


@dataclass(frozen=True)
class CallWeights:
    """The tagger's arrays, float32. d, h: the router's width and channels; m members of u = h / m channels each; t:
    tags. ``tools`` are those of ``CallParts.slots``, in their order.
    """

    hints: np.ndarray  # (2 slots, h) added to the router's convolution where a known value begins, or goes on
    convolutions: np.ndarray  # (layers, m, u, 3u) taps for the word after, the word itself, the word before
    convolution_bias: np.ndarray  # (layers, m, 1, u)
    norms: np.ndarray  # (layers, 2, m, 1, u) LayerNorm's weight and bias
    hidden: np.ndarray  # (m, u, u)
    context: np.ndarray  # (d + h, h) of the router's features
    tools: np.ndarray  # (tools, h) bias of the hidden layers for each tool
    output: np.ndarray  # (m, u, t)
    output_bias: np.ndarray  # (m, 1, t)
    transitions: np.ndarray  # (t, t) from, to
    start: np.ndarray  # (t,)


@dataclass(frozen=True)
class CallParts:
    """All of a call model but its router. ``slots``: those of each tool; ``span_slots``: the names that have tags, in
    their order; ``phrases``: the gazetteer's; ``asked_on``: the day (ISO 8601) on which the log's questions were asked,
    as far as its dates show; ``words``: those of each tool's rows beside their values, with those that half of the labels have;
    ``provenance`` says how it was trained; ``tools``: the tool set that the log was of, as
    ``ToolSet.as_json`` gives it; ``classes``: what tells the values of class slots, by tool."""

    slots: Mapping[str, tuple[Slot, ...]]
    span_slots: tuple[str, ...]
    phrases: Mapping[str, Mapping[int, int]]
    weights: CallWeights
    confidence: Confidence = Confidence()
    asked_on: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    classes: Mapping[str, WordClasses] = field(default_factory=dict)

    def of(self, tools: Sequence[str]) -> CallParts:
        """The same parts for ``tools`` alone."""
        numbers = [i for i, tool in enumerate(self.slots) if tool in tools]
        weights = replace(self.weights, tools=self.weights.tools[numbers])
        slots, classes = ({tool: own for tool, own in of.items() if tool in tools} for of in (self.slots, self.classes))
        return replace(self, slots=slots, weights=weights, classes=classes)


def write(parts: CallParts, folder: Path) -> None:
    """Write ``parts`` into ``folder``. Raises OSError where the folder cannot be written."""
    arrays = dict(vars(parts.weights))
    arrays["phrase_text"] = encode(tuple(parts.phrases))
    counts = [(i, slot, n) for i, slots in enumerate(parts.phrases.values()) for slot, n in slots.items()]
    arrays["phrase_slots"] = np.array(counts, np.int32).reshape(-1, 3)
    for number, own in enumerate(parts.classes.values()):
        arrays |= {f"class_{number}_cues": encode(tuple(own.cues)), f"class_{number}_weights": own.weights,
                   f"class_{number}_bias": own.bias}  # fmt: skip
    config = {
        "slots": {tool: [asdict(slot) for slot in slots] for tool, slots in parts.slots.items()},
        "span_slots": list(parts.span_slots),
        "confidence": asdict(parts.confidence),
        "asked_on": parts.asked_on,
        "provenance": dict(parts.provenance),
        "tools": list(parts.tools),
        "classes": list(parts.classes),
        "words": {tool: sorted(words) for tool, words in parts.words.items()},
    }
    CALL_FILES.write(folder, json.loads(json.dumps(config)), arrays)


def holds_calls(folder: Path) -> bool:
    """Whether ``folder`` has the file of a call model."""
    return (folder / CALL_FILES.config_file).exists()


def forget(folder: Path) -> None:
    """Remove the files of a call model from ``folder``, if there are any."""
    for name in (CALL_FILES.config_file, CALL_FILES.weights_file):
        (folder / name).unlink(missing_ok=True)


def read(folder: Path) -> CallParts:
    """The parts in ``folder``. Raises ArtifactError where they are missing, damaged, foreign or newer."""
    config, arrays = CALL_FILES.read(folder)
    try:
        texts = decode(arrays.pop("phrase_text"))
        phrases: dict[str, dict[int, int]] = {text: {} for text in texts}
        for phrase, slot, n in arrays.pop("phrase_slots").tolist():
            phrases[texts[phrase]][slot] = n
        slots = {
            tool: tuple(Slot(**slot | {"values": tuple(slot["values"]), "form": _form(slot["form"])}) for slot in own)
            for tool, own in config["slots"].items()
        }
        return CallParts(
            slots=slots,
            span_slots=tuple(config["span_slots"]),
            phrases=phrases,
            weights=CallWeights(**{f.name: arrays.pop(f.name) for f in fields(CallWeights)}),
            confidence=Confidence(**config["confidence"]),
            asked_on=str(config["asked_on"]),
            provenance=dict(config["provenance"]),
            tools=tuple(config["tools"]),
            classes={tool: _classes(arrays, number) for number, tool in enumerate(config["classes"])},
            words={tool: frozenset(words) for tool, words in config["words"].items()},
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as fault:
        raise ArtifactError(
            f"{folder} does not hold a whole call model ({type(fault).__name__}: {fault}). {_REMEDY}"
        ) from fault


def _classes(arrays: dict[str, np.ndarray], number: int) -> WordClasses:
    cues = {cue: i for i, cue in enumerate(decode(arrays.pop(f"class_{number}_cues")))}
    return WordClasses(cues, arrays.pop(f"class_{number}_weights"), arrays.pop(f"class_{number}_bias"))


def _form(config: Mapping[str, Any]) -> Form:
    aliases = tuple((str(words), value) for words, value in config["aliases"])
    return Form(tuple(Reader(**reader) for reader in config["readers"]), tuple(config["grains"]), aliases)
