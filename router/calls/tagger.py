"""A question and a tool → the arguments that it is to be called with, learned from a log. numpy only.

On the words and the first convolution of a ``Router`` stand dilated convolutions (Yu and Koltun 2016, "Multi-Scale
Context Aggregation by Dilated Convolutions") and a conditional random field over the tags begin, inside and outside of
each slot, told which tool it reads for (as in Chen et al. 2019, "BERT for Joint Intent Classification and Slot
Filling", without the BERT). Slots whose values do not stand in the question are classes or constants (``slots.py``).

Leaves out training (``router.learning.tagging``), files (``artifact.py``) and what words mean (``values.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from router.calls.alignment import Text, is_amid, known
from router.calls.artifact import CallParts, forget, holds_calls, read, write
from router.calls.classes import WordClasses, class_columns, class_phrases, cues_of, disputed
from router.calls.confidence import Confidence
from router.calls.crf import BANNED, best_path, log_partition
from router.calls.gazetteer import Gazetteer
from router.calls.read import LearnedCall, Place, Read
from router.calls.slots import Slot
from router.network import NewTool, Router
from router.network.artifact import ArtifactError
from router.network.features import tokens
from router.tools import ToolSet


@dataclass(frozen=True)
class _Layer:
    """What reading for one tool needs of the weights. k: tags that the tool has."""

    tags: np.ndarray  # (k,) numbers
    bias: np.ndarray  # (h,) of the hidden layers
    output: np.ndarray  # (m, u, k), divided by m
    output_bias: np.ndarray
    transitions: np.ndarray  # (k, k) to, from
    odds: np.ndarray  # (k, k) exp of from, to
    start: np.ndarray  # (k,)
    classes: WordClasses | None
    phrases: Mapping[str, tuple[int, ...]]  # that name classes → their columns
    slots: Mapping[str, Slot]


class CallModel:
    """A trained reader of calls with the router that it stands on. Immutable, safe to share between threads.

    ``others`` decides on what none of the router's tools serves. Raises ValueError where the parts do not fit each
    other.
    """

    def __init__(self, router: Router, parts: CallParts, others: Router | None = None) -> None:
        self.router, self.parts, self.others = router, parts, others
        self.gazetteer = Gazetteer(len(parts.span_slots), parts.phrases)
        _check(router, parts)
        self._layers = {tool: self._layer(tool) for tool in parts.slots}

    @property
    def tools(self) -> tuple[str, ...]:
        """Labels whose arguments can be read, those without arguments included."""
        return tuple(self.parts.slots)

    @cached_property
    def tool_set(self) -> ToolSet:
        """The tools that the log was of, with nothing to run: a call of them is the caller's to make."""
        return ToolSet.from_json(list(self.parts.tools))

    @property
    def threshold(self) -> float:
        """The confidence under which the router's choice of a tool is not sure, whatever the call."""
        return self.router.threshold

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its training found wrong with it, a sentence each."""
        return self.router.warnings

    def read(self, question: str, tool: str, now: datetime | None = None) -> Read:
        """The arguments for ``tool``; days and times are read as at ``now``, else as at this moment.

        Raises ValueError where the log had no call of it."""
        if tool not in self._layers:
            known = ", ".join(self._layers)
            raise ValueError(f"Tool {tool!r} is not in the log that this was trained on ({known}). Train it again.")
        words, places = tokens(question)
        if not words:
            return self._empty(tool)
        text = Text(question, tuple(words), tuple(places), now or datetime.now())
        return self._read(text, tool, *self.router.contextual(words))

    def call(self, question: str, now: datetime | None = None) -> LearnedCall:
        """The whole call: the router's first tool, its arguments as ``read`` reads them, and the confidence in both."""
        words, places = tokens(question)
        if not words:
            return LearnedCall(None, Read(), 0.0, 0.0, False)
        features, conv = self.router.contextual(words)
        logits = self.router.score(features)
        best = int(logits.argmax())
        share = 1.0 / float(np.exp(logits - logits[best]).sum())
        tool = self.router.labels[best]
        if tool not in self._layers:  # added to the router since
            return LearnedCall(tool, Read(), 0.0, 0.0, False)
        text = Text(question, tuple(words), tuple(places), now or datetime.now())
        read = self._read(text, tool, features, conv)
        probability = share * read.posterior
        confidence = self.parts.confidence.of(probability, read)
        call = LearnedCall(tool, read, probability, confidence, False, self._strange(text, tool, read))
        return replace(call, sure=call.whole and confidence >= self.parts.confidence.least(tool))

    def save(self, folder: str | Path) -> None:
        """Write the router's two files and ``calls.safetensors``, ``calls.json`` into ``folder``."""
        self.router.save_pretrained(folder)
        write(self.parts, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> CallModel:
        """The model saved in ``folder``. Raises ArtifactError where it is missing, damaged, foreign or newer."""
        router, parts = Router.from_pretrained(folder), read(Path(folder))
        try:
            return cls(router, parts)
        except (ValueError, IndexError) as fault:
            raise ArtifactError(f"{folder} does not hold a whole call model ({fault}). Train or restore it.") from fault

    def with_confidence(self, confidence: Confidence) -> CallModel:
        """The same network, calibrated otherwise."""
        return CallModel(self.router, replace(self.parts, confidence=confidence), self.others)

    def beside(self, others: Router) -> CallModel:
        """The same model for its tools, and ``others`` for the questions that it says need none of them."""
        return CallModel(self.router, self.parts, others)

    def add_tool(self, name: str, description: str, examples: Sequence[str] = (), past: Sequence[str] = ()) -> NewTool:
        """``Router.add_tool``: the new tool is recognised, and its arguments are read without having been learned."""
        new = self.router.add_tool(name, description, examples, past)
        return replace(new, router=CallModel(new.router, self.parts, self.others))

    def _strange(self, text: Text, tool: str, read: Read) -> str | None:
        """The first word of ``text`` beside the values of ``read`` that no row of ``tool`` has."""
        known = self.parts.words.get(tool, frozenset())
        taken = [place for places in read.spans.values() for place in places]
        return next(
            (
                word
                for word, (start, _) in zip(text.words, text.places)
                if word.isalpha() and word not in known and not any(a <= start < b for a, b in taken)
            ),
            None,
        )

    def _empty(self, tool: str) -> Read:
        missing = tuple(slot.name for slot in self.parts.slots[tool] if slot.always)
        return Read(missing=missing, posterior=0.0 if missing else 1.0)

    def _read(self, text: Text, tool: str, features: np.ndarray, conv: np.ndarray) -> Read:
        layer = self._layers[tool]
        matches = self.gazetteer.matches(text.words)
        x = self._encode(conv, matches)
        tags, log_p = self._tag(layer, x, features)
        tagged = spans_of(tags)
        arguments: dict[str, Any] = {}
        spans: dict[str, tuple[Place, ...]] = {}
        unread = []
        for number, found in tagged.items():
            slot = layer.slots[self.parts.span_slots[number]]
            values = [slot.form.value(text.of(a, b), text.now) for a, b in found]
            others = (place for other, places in tagged.items() if other != number for place in places)
            if None in values or _unlike(slot, text.beside(others), found):
                unread.append(slot.name)
                continue
            spans[slot.name] = tuple((text.places[a][0], text.places[b - 1][1]) for a, b in found)
            arguments[slot.name] = values if slot.listed or len(values) > 1 else values[0]
        for slot in layer.slots.values():
            value, found = known(text, slot.form) if slot.kind in ("known", "class") else (None, ())
            if value is not None:
                spans[slot.name] = tuple((text.places[a][0], text.places[b - 1][1]) for a, b in found)
                arguments[slot.name] = value
            elif found and slot.kind == "known":
                unread.append(slot.name)
        if layer.classes:
            taken = {i for places in tagged.values() for place in places for i in range(*place)}
            cues = cues_of(text.words, taken, layer.phrases)
            unclear = disputed(self.parts.slots[tool], cues, layer.phrases) - arguments.keys()
            unread += sorted(unclear)
            for slot, value, chance in layer.classes.choose(self.parts.slots[tool], cues):
                if slot.name not in arguments and slot.name not in unclear:
                    log_p += chance
                    arguments |= {slot.name: value} if value is not None else {}
        for slot in layer.slots.values():
            if slot.kind in ("constant", "span") and slot.values and slot.name not in (*arguments, *unread):
                arguments[slot.name] = slot.values[0]
        missing = tuple(
            slot.name
            for slot in layer.slots.values()
            if slot.name in unread or (slot.name not in arguments and (slot.always or slot.kind == "open"))
        )  # an open slot has values in the log that nothing explains: the question may hold one too
        return Read(arguments, spans, min(1.0, math.exp(log_p)), missing, *_strange(tagged, matches))

    def _encode(self, conv: np.ndarray, matches: Sequence[tuple[int, int, int]]) -> np.ndarray:
        """What is known of each word in its place, (m, n, u), after all convolutions."""
        w = self.parts.weights
        if matches:
            conv += self.gazetteer.bits(len(conv), matches) @ w.hints
        m, u = w.hidden.shape[:2]
        x = np.maximum(conv, np.float32(0)).reshape(len(conv), m, u).transpose(1, 0, 2)
        for i, (weight, bias, norm) in enumerate(zip(w.convolutions, w.convolution_bias, w.norms)):
            reach = 2 ** (i + 1)
            taps = x @ weight
            out = taps[..., u : 2 * u] + bias
            if len(conv) > reach:
                out[:, reach:] += taps[:, :-reach, :u]
                out[:, :-reach] += taps[:, reach:, 2 * u :]
            np.maximum(out, np.float32(0), out=out)
            out += x
            out -= np.add.reduce(out, 2, keepdims=True) / np.float32(u)
            spread = np.einsum("mnu,mnu->mn", out, out) / np.float32(u) + np.float32(1e-5)
            out *= (np.float32(1) / np.sqrt(spread))[..., None]
            out *= norm[0]
            out += norm[1]
            x = out
        return x

    def _tag(self, layer: _Layer, x: np.ndarray, features: np.ndarray) -> tuple[list[int], float]:
        """The tags of all words, and the log probability of the path, by the mean of the members."""
        if len(layer.tags) == 1:
            return [0] * x.shape[1], 0.0
        w = self.parts.weights
        hidden = x @ w.hidden
        hidden += (features @ w.context + layer.bias).reshape(len(x), 1, -1)
        np.maximum(hidden, np.float32(0), out=hidden)
        emissions = np.add.reduce(hidden @ layer.output, 0).astype(np.float64) + layer.output_bias
        tags, score = best_path(emissions, layer.transitions, layer.start)
        return layer.tags[tags].tolist(), min(0.0, score - log_partition(emissions, layer.odds, layer.start))

    def _layer(self, tool: str) -> _Layer:
        parts, w = self.parts, self.parts.weights
        slots = {slot.name: slot for slot in parts.slots[tool]}
        tags = np.array([0, *(t for t, name in tag_numbers(parts.span_slots) if _is_span(slots.get(name)))])
        inside = (tags > 0) & (tags % 2 == 0)
        follows = ~inside[None] | (tags[:, None] == tags[None]) | (tags[:, None] == tags[None] - 1)  # from, to
        transitions = np.where(follows, w.transitions[np.ix_(tags, tags)].astype(np.float64), BANNED)
        return _Layer(
            tags=tags,
            bias=w.tools[list(parts.slots).index(tool)],
            output=np.ascontiguousarray(w.output[:, :, tags] / np.float32(len(w.output))),
            output_bias=w.output_bias[:, 0, tags].mean(0),
            transitions=np.ascontiguousarray(transitions.T),
            odds=np.exp(transitions),
            start=np.where(inside, BANNED, w.start[tags].astype(np.float64)),
            classes=parts.classes.get(tool),
            phrases=class_phrases(parts.slots[tool]),
            slots=slots,
        )


def load_router(folder: str | Path) -> Router | CallModel:
    """The model of calls in ``folder``, or the router where it holds no calls. Raises ArtifactError as these do."""
    return CallModel.load(folder) if holds_calls(Path(folder)) else Router.from_pretrained(folder)


def save_router(router: Router | CallModel, folder: str | Path) -> None:
    """Write ``router`` into ``folder``, and nothing of the calls of another one that was there."""
    forget(Path(folder))
    router.save(folder) if isinstance(router, CallModel) else router.save_pretrained(folder)


def tag_numbers(span_slots: Sequence[str]) -> list[tuple[int, str]]:
    """(tag, slot) of all tags but 0, which is outside: 2s + 1 begins slot s, 2s + 2 goes on with it."""
    return [(2 * s + 1 + inside, name) for s, name in enumerate(span_slots) for inside in (0, 1)]


def _unlike(slot: Slot, text: Text, found: Sequence[Place]) -> bool:
    """Whether the words ``found`` are no value such as the log has for ``slot``: several where it has one, some words
    where it has one word, or a part of a number or a date."""
    return (
        (len(found) > 1 and not slot.several)
        or (slot.one_word and slot.form.is_text and any(" " in text.of(*place) for place in found))
        or any(is_amid(text, place, slot.form) for place in found)
    )


def _is_span(slot: Slot | None) -> bool:
    return slot is not None and slot.kind == "span"


def spans_of(tags: Sequence[int]) -> dict[int, list[Place]]:
    """Word spans of each slot, by number, in ``tags``."""
    found: dict[int, list[Place]] = {}
    i = 0
    while i < len(tags):
        tag, start = tags[i], i
        i += 1
        if tag:
            while i < len(tags) and tags[i] == tag + 1:
                i += 1
            found.setdefault((tag - 1) // 2, []).append((start, i))
    return found


def _strange(tagged: Mapping[int, Sequence[Place]], matches: Sequence[tuple[int, int, int]]) -> tuple[int, int]:
    """How many of the values are in the gazetteer for no slot, and for other slots only."""
    known, shown = set(matches), {(start, end) for start, end, _ in matches}
    strange = [place for slot, found in tagged.items() for place in found if (*place, slot) not in known]
    elsewhere = sum(place in shown for place in strange)
    return len(strange) - elsewhere, elsewhere


def _check(router: Router, parts: CallParts) -> None:
    w, d, h = parts.weights, router.weights.norm.shape[1], router.weights.channels
    n_tags = 2 * len(parts.span_slots) + 1
    layers, m = len(w.convolutions), max(1, len(w.hidden))
    u = h // m
    wanted = {
        "hints": (n_tags - 1, h),
        "convolutions": (layers, m, u, 3 * u),
        "convolution_bias": (layers, m, 1, u),
        "norms": (layers, 2, m, 1, u),
        "hidden": (m, u, u),
        "context": (d + h, h),
        "tools": (len(parts.slots), h),
        "output": (m, u, n_tags),
        "output_bias": (m, 1, n_tags),
        "transitions": (n_tags, n_tags),
        "start": (n_tags,),
    }
    wrong = [f"{name} is {getattr(w, name).shape}, wanted {shape}" for name, shape in wanted.items()
             if getattr(w, name).shape != shape]  # fmt: skip
    for tool, own in parts.slots.items():
        classes, columns = parts.classes.get(tool, WordClasses()), class_columns(own)
        shape = (len(classes.cues), columns[-1][2] if columns else 0)
        if classes.weights.shape != shape or classes.bias.shape != shape[1:]:
            wrong.append(f"classes of {tool!r} are {classes.weights.shape}, wanted {shape}")
    if strange := sorted(parts.slots.keys() - set(router.labels)):
        wrong.append(f"slots are those of {strange} too, the router's labels are {sorted(router.labels)}")
    if wrong:
        raise ValueError("Router and call model do not fit each other: " + "; ".join(wrong) + ".")
