"""Examples written by a language model: asked for in batches, checked, and accounted for row by row.

Each request shows the model what a label means and a few template questions, and asks for others. What comes back is
kept only if it is new, unlike every held-out question, and not plainly another label's in the eyes of a router.
Leaves out training on them; ``python -m router synthesize`` writes them as JSONL for ``python -m router train``.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dspy
from rapidfuzz import fuzz, process, utils

from router.learning import synthetic
from router.lms import MalformedReply, ask_json
from router.lms.prompts import Prompt
from router.network import Router
from router.tools import Tool
from router.trace import Trace
from router.types import NONE, SMALLTALK, Example, Usage

LIKENESS = 88.0
"""Token-sort ratio (0 to 100) from which two questions count as the same."""
MAX_LENGTH = 200
"""Characters of a written question."""
OTHERS = {
    SMALLTALK: "small talk: greetings, thanks, farewells, acknowledgements, in any language; no question",
    NONE: "requests that none of the tools serves: explanations, advice, stories, code, alarms, bookings",
}


@dataclass(frozen=True)
class SynthesisConfig:
    """``per_label`` examples wanted of each label, ``batch`` asked for at a time, at most ``patience`` fruitless
    requests a label in a row."""

    per_label: int = 50
    batch: int = 8
    patience: int = 4
    seed: int = 0


@dataclass
class Report:
    """What became of every question that the model wrote."""

    requests: int = 0
    malformed: int = 0
    written: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)

    def as_dict(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "malformed_replies": self.malformed,
            "written": self.written,
            "kept": dict(self.kept),
            "dropped": dict(self.dropped),
            "calls": self.usage.calls,
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
            "cost_usd": self.usage.cost_usd,
        }


class Likeness:
    """Questions seen so far, and whether another says the same: equal words in any order, up to a slip or two."""

    def __init__(self, questions: Iterable[str] = ()) -> None:
        self._seen: list[str] = []
        self._exact: set[str] = set()
        for question in questions:
            self.add(question)

    def add(self, question: str) -> None:
        key = utils.default_process(question)
        self._seen.append(key)
        self._exact.add(key)

    def holds(self, question: str) -> bool:
        key = utils.default_process(question)
        if key in self._exact:
            return True
        return process.extractOne(key, self._seen, scorer=fuzz.token_sort_ratio, score_cutoff=LIKENESS) is not None


def synthesize(
    lm: dspy.LM,
    tools: Mapping[str, Tool],
    held_out: Sequence[str],
    config: SynthesisConfig = SynthesisConfig(),
    router: Router | None = None,
    on_progress: Callable[[str, int], None] = lambda label, kept: None,
) -> tuple[list[Example], Report]:
    """Examples for every tool, ``smalltalk`` and ``none``, and what became of all that was written.

    ``held_out`` are the questions that nothing may resemble. ``router``, where given, rejects what it confidently
    takes for another label. Raises dspy's LMError where the model cannot be asked.
    """
    report, examples = Report(), []
    leaks, rng = Likeness(held_out), random.Random(config.seed)
    for label in (*tools, SMALLTALK, NONE):
        known = Likeness(e.question for e in _seeds(label, config.seed, 200))
        fruitless = 0
        while report.kept[label] < config.per_label and fruitless < config.patience:
            before = report.kept[label]
            for question in _write(lm, label, tools, config, rng, report):
                if report.kept[label] == config.per_label:
                    break
                report.written += 1
                fault = _fault(question, label, known, leaks, router)
                if fault is not None:
                    report.dropped[fault] += 1
                    continue
                known.add(question)
                report.kept[label] += 1
                examples.append(Example(question, label, None, None, f"written:{lm.model}"))
            fruitless = 0 if report.kept[label] > before else fruitless + 1
            on_progress(label, report.kept[label])
    return examples, report


def prompt(label: str, meaning: str, shown: Sequence[str], count: int) -> Prompt:
    """The request for ``count`` questions of ``label``, after the ``shown`` ones. Reply: ``{"questions": [...]}``."""
    system = 'You write what different people type to an assistant. Reply with JSON {"questions": [...]}.'
    lines = "\n".join(f"- {question}" for question in shown)
    user = f"Kind: {meaning}\nLike these, but in other words and about other things:\n{lines}\nWrite {count} new ones."
    item = {"type": "string", "minLength": 2, "maxLength": MAX_LENGTH}
    array = {"type": "array", "items": item, "minItems": 1, "maxItems": count}
    schema = {
        "type": "object",
        "properties": {"questions": array},
        "required": ["questions"],
        "additionalProperties": False,
    }
    messages = ({"role": "system", "content": system}, {"role": "user", "content": user})
    return Prompt("synthesize", messages, schema)


def _write(
    lm: dspy.LM, label: str, tools: Mapping[str, Tool], config: SynthesisConfig, rng: random.Random, report: Report
) -> Iterator[str]:
    seeds = _seeds(label, rng.randrange(10**6), 5)
    meaning = tools[label].description if label in tools else OTHERS[label]
    trace = Trace("synthesize", label)
    report.requests += 1
    try:
        reply = ask_json(lm, prompt(label, meaning, [e.question for e in seeds], config.batch), trace)
    except MalformedReply:
        report.malformed += 1
        reply = {"questions": []}
    report.usage += trace.usage
    for question in reply["questions"]:
        yield " ".join(question.split())


def _seeds(label: str, seed: int, count: int) -> list[Example]:
    """Template questions of a shipped label; none of a label that has no templates."""
    return synthetic.generate(label, count, seed, noise=0.3) if label in synthetic.LABELS else []


def _fault(question: str, label: str, known: Likeness, leaks: Likeness, router: Router | None) -> str | None:
    """Why ``question`` is dropped, or None."""
    if not 2 <= len(question) <= MAX_LENGTH:
        return "too short or too long"
    if leaks.holds(question):
        return "like a held-out question"
    if known.holds(question):
        return "like one that is known"
    if router is not None and label in router.labels:
        decision = router.decide(question)
        if decision.tool != label and not decision.abstained:
            return "another label in the router's eyes"
    return None
