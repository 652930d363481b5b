"""Questions that need two or three of the tools that ship, taken apart without a language model.

"20 % of the population of Malta": the span "population of Malta" is a question of its own; its tool is probed, its value
takes the span's place, and "20 % of 483,530" is routed again, until one tool is left to answer (after least-to-most
decomposition, Zhou et al. 2023, with a router in the place of the language model). A span is taken only where the
router and the tool's own parser agree on it, and a chain only where every step down to the last is sure of itself.

Leaves out when a chain is looked for, and what becomes of it (``reading.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from router.builtin import search
from router.builtin.dates import find_dates
from router.builtin.english import FACTS, QUERY, QUOTED, composed, cues_in, cues_of, embeds_fact, has_cue
from router.builtin.leftovers import CONVERTERS, unread
from router.builtin.places import find as find_place
from router.builtin.slots import as_said, fill
from router.builtin.values import number_in, value_of
from router.tools.reading import Desk
from router.types import NON_TOOLS, Question, Step, ToolCall, ToolResult

MAX_STEPS = 4
MAX_PROBES = 24
"""Tool runs that the search for one question's steps may cost, dead ends included."""
SURE = 0.5
"""Calibrated probability that a span must have for its tool."""
EXACT = 0.9
"""Score that a search result must have to stand for its span."""


def exact(result: ToolResult) -> bool:
    """Whether a result is no search result that is merely alike."""
    if result.output is None or search.left_over(result.output):
        return False
    score = re.search(r"\bscore (\d\.\d+)\)", result.output)
    return not score or float(score[1]) >= EXACT


def dangling(steps: Sequence[Step]) -> str | None:
    """The sum whose value no later step takes in: what was reckoned there is missing from the end of the chain."""
    for place, step in enumerate(steps[:-1], 1):
        number = number_in(_output(step)) if step.call.tool == "calculator" else None
        later = " ".join(str(value) for s in steps[place:] for value in s.call.arguments.values())
        if number and float(number) not in {float(n) for n in re.findall(r"\d+(?:\.\d+)?", later)}:
            return step.span
    return None


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    step: Step
    measure: str = ""  # a unit or currency within an arithmetic span: the tool's result drops it


class Search:
    """The depth-first search for the steps of one question; remembers what it has tried."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.tools = desk, desk.tools
        self.probes = 0
        self.found: dict[tuple[str, str], Step | None] = {}
        self.tried: set[str] = set()

    def solve(self, question: Question, steps_left: int) -> list[Step] | None:
        """The steps that resolve ``question``, the last of them answering it; None where one is unsure."""
        if steps_left < 1 or question.text in self.tried:
            return None
        self.tried.add(question.text)
        if composed(question):
            for span in self._spans(question):
                for value in _forms(span, question.text[: span.start] + question.text[span.end :]):
                    rest = self.solve(question.part(_splice(question.text, span, value)), steps_left - 1)
                    if rest:
                        return [span.step, *rest]
            if embeds_fact(question):
                return None
        decision = self.desk.decide(question)
        if decision.abstained or decision.tool in NON_TOOLS or decision.tool not in self.tools:
            return None
        step = self._step(decision.tool, question, loose=True)
        return [step] if step else None

    def closing_fact(self, question: Question) -> Step | None:
        """The fact that a question ends with after a preamble ("I'm 30 and want to know the capital of Peru")."""
        core = question.part(question.text.rstrip(" ?!."))
        for span in self._facts(core):
            if span.end == len(core.text) and _LEADS_TO_FACT.search(core.text[: span.start]):
                return span.step
        return None

    def _spans(self, question: Question) -> Iterator[_Span]:
        yield from self._facts(question)
        cues = cues_in(question)
        for name in ("calculator", "calendar", "text", "clock", "unit_converter", "currency"):
            if name in cues and name in self.tools:
                yield from self._parsed(question, name)

    def _facts(self, question: Question) -> Iterator[_Span]:
        """Facts about a place or an element that is named, the innermost (rightmost) first."""
        if "search" not in self.tools:
            return
        quoted = [(m.start(), m.end()) for m in QUOTED.finditer(question.text)]
        matches = []
        for pattern in FACTS:
            at = 0
            while (match := pattern.search(question.text, at)) is not None:
                matches.append((pattern, match))
                at = match.start("head") + 1
        for pattern, match in sorted(matches, key=lambda m: -m[1].start("head")):
            start, end = match.span()
            if any(a < end and start < b for a, b in quoted):
                continue
            head = " ".join(match["head"].lower().split())
            possessive = match.start("entity") < match.start("head")
            for entity, cut in _entities(match["entity"], from_left=not possessive):
                step = self._fact(question, head, entity)
                if step is not None:
                    if possessive:
                        yield _Span(match.start("entity") + cut, end, step)
                    else:
                        yield _Span(start, match.end("entity") - cut, step)
                    break

    def _fact(self, question: Question, head: str, entity: str) -> Step | None:
        asked = re.match(r"how many people|(?:what|which) (language|currency|money)", head)
        head = (asked[1] or "population") if asked else head
        head = QUERY.get(head, head)
        return self._step("search", question.part(f"{head} of {entity}"))

    def _parsed(self, question: Question, name: str) -> Iterator[_Span]:
        """Proper parts of the question that the tool's parser reads as a whole, the longest first."""
        text = question.text
        words = list(re.finditer(r"\S+", text))
        closed = [(m.start(), m.end()) for m in QUOTED.finditer(text)]
        dates = [(start, end) for start, end, *_ in find_dates(text, _ANY_DAY)]
        for size in range(min(len(words) - 1, 14), 1, -1):
            for first in range(len(words) - size + 1):
                start, end = words[first].start(), words[first + size - 1].end()
                end -= len(text[start:end]) - len(text[start:end].rstrip("?,.!;:"))
                span = text[start:end]
                if {words[first][0].lower(), words[first + size - 1][0].lower()} & _WEAK:
                    continue
                if name == "calculator" and any(a < end and start < b for a, b in dates):
                    continue  # the hyphens of a date are no minus signs
                if name in _MEASURES and re.search(r"\d\s*$", text[:start]):
                    continue  # the unit of a number is not one of its own
                if any(a < start < b or a < end < b for a, b in (*closed, *dates)):
                    continue
                if span.endswith("%") and _TAIL_OF_PERCENT.match(text, end):
                    continue
                if name == "calculator" and _MEASURE.search(span) and _is_measured(text, end):
                    continue  # of "5 dollars plus 3 euros" the 3 has a measure of its own
                joined = _COORDINATED.match(text, end) if name in CONVERTERS else None
                if joined and CONVERTERS[name](joined["name"]):
                    continue  # of "in pounds and euros" the pounds are not converted on
                if not has_cue(span, name):
                    continue
                cues = set(cues_of(span))
                if cues - {name} - _MEASURES or (name == "unit_converter" and "currency" in cues):
                    continue
                step = self._step(name, question.part(span))
                if step is not None and not _torn(step, text[:start], text[end:]):
                    the = re.search(r"\bthe\s+$", text[:start], re.IGNORECASE)
                    measure = _MEASURE.search(span) if name == "calculator" else None
                    yield _Span(the.start() if the else start, end, step, measure[0] if measure else "")

    def _step(self, name: str, span: Question, loose: bool = False) -> Step | None:
        """The probed step for ``span`` where router and parser are sure of it; ``loose`` forgives slips."""
        key = (name, span.text.lower())
        if key not in self.found:
            self.found[key] = self._sure(name, span, loose)
        return self.found[key]

    def _sure(self, name: str, span: Question, loose: bool) -> Step | None:
        if self.desk.decide(span).probabilities.get(name, 0.0) < SURE or self.probes >= MAX_PROBES:
            return None
        filled = (fill if loose else as_said)(span, self.tools[name])
        if filled is None or filled.missing:
            return None
        step = Step(ToolCall(name, filled.arguments), filled.sources, span.text)
        if unread(span, step, self.tools[name], self.desk.understood(name), part=not loose):
            return None
        self.probes += 1
        step = self.desk.probe(step)
        if step is None or step.result is None:
            return None
        if step.result.output is None:
            return step if loose and name == "weather" else None
        return step if exact(step.result) else None


def _torn(step: Step, before: str, after: str) -> bool:
    """Whether ``step`` adds up what stands between ``before`` and ``after``, where one of them takes hold of a term of it:
    "200 plus 5" of "10% of 200 plus 5"."""
    added = re.search(r"[\d)%]\s*[-+]", str(step.call.arguments.get("expression", "")))
    if not added or _TAKEN_TOGETHER.match(step.span):
        return False
    return bool(_BINDS_BEFORE.search(before) or _BINDS_BEHIND.match(after))


def _is_measured(text: str, end: int) -> bool:
    """Whether the number that ends at ``end`` has a unit or a currency behind it."""
    name = re.compile(r"(?<=\d)\s*(?!in\b)([^\W\d_]+|[$€£¥])").match(text, end)
    return name is not None and any(meaning(name[1]) for meaning in CONVERTERS.values())


_MEASURES = frozenset(("unit_converter", "currency"))
_MEASURE = re.compile(
    r"(?<=\d)\s*(?:dollars?|euros?|pounds?|yen|francs?|bucks|miles?|km|kilomet\w+|met(?:er|re)s?|feet|kg|kilos?"
    r"|grams?|lit(?:er|re)s?|gallons?|cups?)\b|[$€£¥]",
    re.IGNORECASE,
)
_LEADS_TO_FACT = re.compile(r"(?:\bknows?|\btell\s+me|\bwhat(?:'s|\s+is|\s+are)?|[:,])\s*$", re.IGNORECASE)
_BINDS_BEFORE = re.compile(r"(?:\b(?:of|times|by|over|half|twice|double|triple|root|minus|less)|[*/^×÷-])\s*(?:the\s+)?$", re.IGNORECASE)
_BINDS_BEHIND = re.compile(r"\s*(?:times\b|multiplied\b|divided\b|squared\b|cubed\b|[*/^×÷])", re.IGNORECASE)
_TAKEN_TOGETHER = re.compile(r"(?:the\s+)?(?:sum|total|difference|average|mean)\b|\(", re.IGNORECASE)
_TAIL_OF_PERCENT = re.compile(r"\s+(?:vat|tax|gst|tip|fee|duty|interest|commission|off|discount)\b", re.IGNORECASE)
"""Whether 21 % is added or taken away stands behind it: a span must not end before."""
_ANY_DAY = date(2000, 1, 1)
"""Stands in for today: only where dates stand matters."""
_COORDINATED = re.compile(r"\s*(?:,|/|&|\b(?:and|or)\b)\s*(?:(?:and|or|in|to|into)\s+)*(?P<name>[^\W\d_]+|[$€£¥])", re.IGNORECASE)
_WEAK = frozenset("of in and or to for by as on at from is are does do the a".split())
"""Words that neither begin nor end a question of its own."""


def _entities(words: str, from_left: bool) -> Iterator[tuple[str, int]]:
    """(name, characters cut off) for the known places and the single words that ``words`` begins (or ends) with, the
    longest first. Single words may be elements; the search's score decides."""
    tokens = list(re.finditer(r"\S+", words))
    for size in range(len(tokens), 0, -1):
        chosen = tokens[:size] if from_left else tokens[-size:]
        name = words[chosen[0].start() : chosen[-1].end()].rstrip(".,")
        if find_place(name, fuzzy=False) is not None or size == 1:
            yield name, (len(words) - chosen[0].start() - len(name)) if from_left else chosen[0].start()


def _forms(span: _Span, rest: str) -> Iterator[str]:
    """What can stand in the span's place: the value as given (with the measure that arithmetic dropped), then its bare
    number, if no other measure stands in the ``rest`` of the question for it to be added to."""
    value = value_of(_output(span.step))
    if span.measure:
        yield f"{value} {span.measure}"
    if value and len(value) <= 80:
        yield value
    number = number_in(_output(span.step))
    if span.step.call.tool in CONVERTERS and _MEASURE.search(rest):
        return
    if number is not None and number != value.replace(",", ""):
        yield number


def _splice(question: str, span: _Span, value: str) -> str:
    """The question with ``value`` for the span, without the comma that set the span off."""
    after = re.sub(
        r"^,\s*(?=(?:and\s+)?(?:times|plus|minus|divided|multiplied|in|to|into|converted|squared)\b)",
        " ",
        question[span.end :],
        flags=re.IGNORECASE,
    )
    return " ".join(f"{question[: span.start]}{value}{after}".split())


def _output(step: Step) -> str:
    return (step.result.output if step.result else None) or ""
