"""Slots that no mention gives away, read by a linear layer on the router's own features.

An operation ("reverse", "days_until") or the shape of an expression ("{0} / {1}") is said by the whole question and
not by one word of it. The features that chose the tool know it; one softmax layer a slot is enough, and costs a
matrix-vector product. Learned from examples whose arguments are known; what they leave open is a class of its own, so
that a reader can say that it does not know.

Leaves out slots that are found by looks (numbers, places, dates: ``slots.py``) and the tools themselves.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router.builtin.leftovers import accounts, residue
from router.builtin.numbers import NUMBER, PARTS, clean, number, plain
from router.builtin.slots import fill
from router.builtin.values import value_of
from router.network import Router
from router.network.artifact import Head
from router.network.features import tokenise
from router.tools import Tool
from router.types import Example, Question, ToolCall

OPEN = "?"
"""The class of questions whose slot the examples leave open."""
MIN_EXAMPLES = 6
"""A value or shape that fewer examples show is not learned."""
MIN_READ = 2
"""Examples in which a word has to have been read right."""
COMMON = 4
"""Tools from which a word counts as one that goes with any."""
_MARKS = frozenset(".,;:!?'\"-()")
_OPERATORS = frozenset("*/^+=<>×÷√")
SURE = 0.85
"""Probability from which a reading counts."""


@dataclass(frozen=True)
class Readers:
    """The heads that a router keeps, at work on questions. Immutable and safe to share between threads.

    A question that says no more than "what is 9" asks for no operation, the signs of one that is written out mean what
    they mean, and thirds and dozens are numbers that only a reader of numbers knows: of these nothing is read.
    """

    router: Router

    def read(self, question: str, tool: str, slot: str) -> str | None:
        """The slot's value where the head is sure of it; numbers of the question stand in their places."""
        head = self.router.readers.get((tool, slot))
        said = {word for word in tokenise(plain(clean(question))) if not word.isdigit()} - _MARKS
        if head is None or said <= self.router.fillers or said & (PARTS | _OPERATORS):
            return None
        value, probability = head.read(self.router.features([question])[0])
        if probability < SURE or value == OPEN:
            return None
        return _filled(value, question)


def readers_of(router: Router) -> Readers | None:
    """The readers of ``router``; None where it has none."""
    return Readers(router) if router.readers else None


def fit_readers(router: Router, examples: Sequence[Example], tools: Mapping[str, Tool]) -> Router:
    """``router`` with a head for every required slot of ``tools`` that is an enum, or a text with a number in it, and
    with the words that the readings of ``tools`` understand."""
    by_tool: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_tool[example.tool].append(example)
    heads = {}
    for name in sorted(by_tool.keys() & tools.keys()):
        for slot in _learnable(tools[name]):
            rows = by_tool[name]
            labels = [
                _shape(e.arguments[slot], e.question) if e.arguments and slot in e.arguments else OPEN for e in rows
            ]
            counts = Counter(labels)
            values = tuple(sorted(v for v, n in counts.items() if n >= MIN_EXAMPLES and v is not None))
            kept = [i for i, label in enumerate(labels) if label in values]
            if len(values) < 2:
                continue
            features = router.features([rows[i].question for i in kept])
            targets = np.array([values.index(labels[i]) for i in kept])
            heads[name, slot] = _softmax_regression(features, targets, values)
    router = router.having(readers=heads)
    return router.having(understood=understood(router, examples, tools))


def understood(router: Router, examples: Sequence[Example], tools: Mapping[str, Tool]) -> dict[str, frozenset[str]]:
    """By tool, the words that say nothing more than what its reading makes of a question: they stand in MIN_READ
    examples or more whose reading is what is meant. What goes with COMMON tools or more goes with all.
    """
    readers = readers_of(router)
    counts = {name: Counter[str]() for name, tool in tools.items() if not accounts(tool)}
    for example in examples:
        if example.arguments and example.tool in counts:
            question, tool = Question(example.question), tools[example.tool]
            filled = fill(question, tool, readers)
            if not filled.missing and _same(tool, filled.arguments, example.arguments):
                _, words = residue(question, ToolCall(tool.name, filled.arguments), tool)
                counts[tool.name].update({match[0].lower() for match in words})
    found = {name: {word for word, n in words.items() if n >= MIN_READ} for name, words in counts.items()}
    common = {word for word, n in Counter(word for words in found.values() for word in words).items() if n >= COMMON}
    return {name: frozenset(words | common) for name, words in found.items() if words}


def _same(tool: Tool, read: Mapping[str, object], meant: Mapping[str, object]) -> bool:
    if dict(read) == dict(meant):
        return True
    given, wanted = tool.call(read).output, tool.call(meant).output
    return given is not None and wanted is not None and value_of(given) == value_of(wanted)


def _learnable(tool: Tool) -> list[str]:
    return [s for s, slot in tool.slots.items() if slot.required and ("enum" in slot.schema or s == "expression")]


_NUMBER = re.compile(rf"(?<![\w.]){NUMBER}(?!\d)")
_DIGITS = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def _numbers(question: str) -> list[str]:
    return [f"{number(m[0])}" for m in _NUMBER.finditer(plain(clean(question)))]


def _shape(value: object, question: str) -> str | None:
    """``value`` with the question's numbers replaced by their places: "20% of 45" → "{0}% of {1}".

    None where a number of the question has no place in it: then its meaning is not that of its shape."""
    text = str(value)
    numbers = _numbers(question)
    if not numbers or not _DIGITS.search(text):
        return text
    places: dict[str, list[int]] = defaultdict(list)
    for place, shown in enumerate(numbers):
        places[shown].append(place)
    used: set[int] = set()

    def put(match: re.Match[str]) -> str:
        free = places.get(f"{number(match[0])}", [])
        if not free:
            return match[0]
        place = free.pop(0) if len(free) > 1 else free[0]
        used.add(place)
        return f"{{{place}}}"

    shape = _DIGITS.sub(put, text)
    return shape if len(used) == len(numbers) else None


def _filled(shape: str, question: str) -> str | None:
    """The inverse of ``_shape``; None where the question has more or fewer numbers than the shape has places."""
    places = {int(p) for p in re.findall(r"\{(\d)\}", shape)}
    if not places:
        return shape
    numbers = _numbers(question)
    if places != set(range(len(numbers))):
        return None
    return re.sub(r"\{(\d)\}", lambda m: numbers[int(m[1])], shape)


def _softmax_regression(
    features: np.ndarray, targets: np.ndarray, values: tuple[str, ...], decay: float = 3e-4
) -> Head:
    """Multinomial logistic regression with weight decay, by accelerated gradient descent (Nesterov 1983)."""
    n, d = features.shape
    mean, spread = features.mean(0), features.std(0) + np.float32(1e-3)
    features = (features - mean) / spread
    scale = float((features**2).sum(1).mean()) / 4  # a feature among many: the curvature's bound is never met
    counts = np.bincount(targets, minlength=len(values))
    share = (counts[targets] ** -0.5) / (counts[targets] ** -0.5).mean()  # rare operations weigh more
    weights, bias = np.zeros((d, len(values)), np.float32), np.zeros(len(values), np.float32)
    ahead_w, ahead_b, rate = weights, bias, 2.0 / scale
    for step in range(1, 301):
        scores = features @ ahead_w + ahead_b
        p = np.exp(scores - scores.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(n), targets] -= 1
        p *= (share[:, None] / n).astype(np.float32)
        next_w = ahead_w - rate * (features.T @ p + decay * ahead_w)
        next_b = ahead_b - rate * p.sum(0)
        momentum = (step - 1) / (step + 2)
        ahead_w, ahead_b = next_w + momentum * (next_w - weights), next_b + momentum * (next_b - bias)
        weights, bias = next_w, next_b
    weights = (weights / spread[:, None]).astype(np.float16).astype(np.float32)  # as the file will hold them
    return Head(values, weights, (bias - mean @ weights).astype(np.float32))
