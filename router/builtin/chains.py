"""Questions that need two or three tools, resolved without a language model in between.

"20 % of the population of Malta": the span "population of Malta" is a question of its own; its tool runs, its value
takes the span's place, and "20 % of 483,530" is routed again, until one tool is left to answer (after least-to-most
decomposition, Zhou et al. 2023, with a router in the place of the language model). A span is taken only where the
router and the tool's own parser agree on it, and a chain only where every step down to the last is sure of itself.

Leaves out the LLM's part: slots that a single tool's parser missed are reported as pending. A question with the cues
of one tool costs one decision and a few regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from router.builtin.clauses import halves, points_back, requests
from router.builtin.cues import FACTS, QUERY, QUOTED, composed, cues_of, embeds_fact
from router.builtin.dates import find_dates
from router.builtin.leftovers import cores, crowded, reckons, unused
from router.builtin.places import find as find_place
from router.builtin.readers import readers_of
from router.builtin.slots import ASSUMED, PARSE, Filled, fill
from router.builtin.values import number_in, value_of
from router.network import Router
from router.tools import Tool, shorten
from router.types import NON_TOOLS, Decision, ToolCall, ToolResult

_READS_ONE = frozenset(("text", "unit_converter", "currency"))
"""Tools whose parsers are content with one request of two ("100 usd in gbp and 100 usd in jpy")."""
MAX_STEPS = 4
MAX_LENGTH = 300
"""Characters of a question that is searched for spans."""
MAX_RUNS = 24
"""Tool runs that one question may cost, dead ends included."""
SURE = 0.5
"""Calibrated probability that a span must have for its tool."""
EXACT = 0.9
"""Score that a search result must have to stand for its span."""


class Decides(Protocol):
    """What chains need of a router (``router.network.Router`` is one)."""

    def decide(self, question: str) -> Decision: ...


@dataclass(frozen=True)
class Resolution:
    """How a question was resolved.

    ``steps`` are the tools' results in the order of running, ``spans`` the text that each of them answered and
    ``sources`` where its arguments came from. ``decision`` is the router's on the question as asked. Where one tool is
    right but slots are open, nothing has run and ``pending`` holds what is known. ``abstained``: the language model
    has to choose, for ``reason``. No steps, nothing pending and not abstained: no tool is needed.
    """

    steps: tuple[ToolResult, ...]
    decision: Decision
    abstained: bool = False
    reason: str = ""
    spans: tuple[str, ...] = ()
    sources: tuple[Mapping[str, str], ...] = ()
    pending: Filled | None = None


def resolve(
    question: str,
    router: Decides,
    tools: Mapping[str, Tool],
    decision: Decision | None = None,
    max_steps: int = MAX_STEPS,
) -> Resolution:
    """Route ``question``, fill, run, and where one tool's result is another's input, go on; never calls an LM.

    ``decision`` is the router's on the question, where the caller has it already (perhaps under its own threshold).
    """
    decision = router.decide(question) if decision is None else decision
    if len(question) > MAX_LENGTH:
        return _one(question, decision, router, tools, max_steps)
    parts = requests(question)
    if len(parts) > 1 and not _is_text(parts, decision, tools):
        found = _each(parts, decision, router, tools, max_steps)
        if found is not None:
            return found
    whole = _one(question, decision, router, tools, max_steps)
    read_as_one = _certain(whole) and len(whole.steps) == 1 and decision.tool not in _READS_ONE
    if decision.tool in NON_TOOLS or read_as_one:
        return whole
    joined = _joined(question, router, tools, max_steps)
    return whole if joined is None else _concatenated(joined, decision, max_steps)


def _is_text(parts: Sequence[str], decision: Decision, tools: Mapping[str, Tool]) -> bool:
    """Whether what looks like a further request is text to work on: "count the words in what is it and how is it"."""
    if decision.tool != "text" or "text" not in tools:
        return False
    return parts[-1].rstrip("?!. ") in str(fill(" and ".join(parts), tools["text"]).arguments.get("text", ""))


def _each(
    parts: Sequence[str], decision: Decision, router: Decides, tools: Mapping[str, Tool], max_steps: int
) -> Resolution | None:
    """The requests of one question, each resolved by itself; abstained where one cannot be. None where the question as
    a whole needs no tool and no request in it is sure of one."""
    found: list[Resolution] = []
    reason = ""
    for part in parts:
        if found and points_back(part):
            reason = reason or f"{shorten(part, 80)!r} builds on an answer that is not there yet."
            continue
        found.append(_one(part, router.decide(part), router, tools, max_steps))
        if not found[-1].steps:
            reason = reason or f"Of several requests, {shorten(part, 80)!r} is not sure."
    if decision.tool in NON_TOOLS and not any(_certain(one) for one in found):
        return None
    return Resolution((), decision, True, reason) if reason else _concatenated(found, decision, max_steps)


def _joined(question: str, router: Decides, tools: Mapping[str, Tool], max_steps: int) -> list[Resolution] | None:
    """Requests that no asking word sets apart ("time in Tokyo and capital of Japan"), each of them certain by itself
    and with a cue of its own; None where the question is not made of such."""

    def alone(text: str) -> Resolution | None:
        if not cues_of(text):
            return None
        one = _one(text, router.decide(text), router, tools, max_steps)
        return one if _certain(one) else None

    for before, after in halves(question):
        first = alone(before)
        if first is None or any(" " in str(s.call.arguments.get("text", "")) for s in first.steps):
            continue  # the words after "and" could be more of a text to count or to spell
        rest = _joined(after, router, tools, max_steps) or [alone(after)]
        if rest[0] is not None:
            return [first, *rest]
    return None


def _concatenated(found: Sequence[Resolution], decision: Decision, max_steps: int) -> Resolution:
    """Independent requests as one resolution, in the order asked."""
    if sum(len(one.steps) for one in found) > max_steps:
        return Resolution((), decision, True, f"More than {max_steps} tools would have to run.")
    return Resolution(
        tuple(step for one in found for step in one.steps),
        decision,
        spans=tuple(span for one in found for span in one.spans),
        sources=tuple(sources for one in found for sources in one.sources),
    )


def _certain(found: Resolution) -> bool:
    """Whether tools resolved it on their parsers' own readings, and no search result is merely alike."""
    read = all(set(sources.values()) <= {PARSE, ASSUMED} for sources in found.sources)
    return bool(found.steps) and read and all(s.call.tool != "search" or _exact(s) for s in found.steps)


def _one(question: str, decision: Decision, router: Decides, tools: Mapping[str, Tool], max_steps: int) -> Resolution:
    """One request: by a chain of tools, by one tool, by none; or abstained."""
    several = len(question) <= MAX_LENGTH and composed(question)
    if several:
        attempt = _Attempt(router, tools)
        steps = attempt.solve(" ".join(question.split()), max_steps)
        if steps and len(steps) > 1:
            left = unused(question, [s.result.call for s in steps]) or _dangling(steps)
            if left is None:
                return Resolution(
                    tuple(s.result for s in steps),
                    decision,
                    spans=tuple(s.span for s in steps),
                    sources=tuple(s.sources for s in steps),
                )
            if not _takes_all(question, decision, tools):
                return Resolution((), decision, True, f"No step takes {left!r} in.")
    if decision.abstained:
        return Resolution((), decision, True, "The router is not sure which tool the question needs.")
    if decision.tool in NON_TOOLS and len(question) <= MAX_LENGTH and reckons(question):
        return Resolution((), decision, True, "Quantities are to be converted, and no tool is sure of it.")
    if decision.tool in NON_TOOLS:
        return Resolution((), decision)
    if decision.tool not in tools:
        return Resolution(
            (), decision, True, f"The router chose {decision.tool!r}, which is not among the tools given."
        )
    if several and embeds_fact(question) and not (decision.tool == "search" and _known_fact(question, tools["search"])):
        return Resolution((), decision, True, "The question needs several tools, and one of the steps is not sure.")
    filled = fill(question, tools[decision.tool], readers_of(router) if isinstance(router, Router) else None)
    if filled.missing:
        filled = _core(question, tools[decision.tool]) or filled
    if filled.missing and crowded(question, tools[decision.tool]):
        return Resolution((), decision, True, f"The question holds more than one call of {decision.tool} takes in.")
    if filled.missing:
        return Resolution((), decision, pending=filled, reason=f"Open slots: {', '.join(filled.missing)}.")
    if left := unused(question, [ToolCall(decision.tool, filled.arguments)]):
        core = _core(question, tools[decision.tool])
        if core is None or core.arguments != filled.arguments:
            return Resolution((), decision, True, f"{decision.tool} does not take {left!r} in.")
    result = tools[decision.tool].call(filled.arguments)
    if decision.tool == "search" and not _exact(result) and (fact := _Attempt(router, tools).closing_fact(question)):
        return Resolution((fact.result,), decision, spans=(fact.span,), sources=(fact.sources,))
    return Resolution((result,), decision, spans=(question,), sources=(filled.sources,))


# ------------------------------------------------------------------ how sure a step or a request is


def _dangling(steps: Sequence[Step]) -> str | None:
    """The sum whose value no later step takes in: what was reckoned there is missing from the end of the chain."""
    for place, step in enumerate(steps[:-1], 1):
        number = number_in(step.result.output or "") if step.result.call.tool == "calculator" else None
        later = " ".join(str(value) for s in steps[place:] for value in s.result.call.arguments.values())
        if number and float(number) not in {float(n) for n in re.findall(r"\d+(?:\.\d+)?", later)}:
            return step.span
    return None


def _takes_all(question: str, decision: Decision, tools: Mapping[str, Tool]) -> bool:
    """Whether one tool's own parser uses every quantity, where a chain lost one ("add 123 days to 24 October 2000")."""
    if decision.tool not in tools or decision.tool == "search":
        return False
    filled = fill(question, tools[decision.tool])
    return set(filled.sources.values()) == {PARSE} and not unused(question, [ToolCall(decision.tool, filled.arguments)])


def _core(question: str, tool: Tool) -> Filled | None:
    """What the tool's own parser makes of the request alone, without what is told around it; None where it makes
    nothing of it or something is left over."""
    for core in cores(question):
        filled = fill(core, tool)
        if set(filled.sources.values()) == {PARSE} and not unused(core, [ToolCall(tool.name, filled.arguments)]):
            return filled
    return None


def _known_fact(question: str, search: Tool) -> bool:
    """Whether the search answers the whole question, and not only something like it."""
    return _exact(search.call(fill(question, search).arguments))


def _exact(result: ToolResult) -> bool:
    """Whether a result is no search result that is merely alike."""
    score = re.search(r"\bscore (\d\.\d+)\)", result.output or "")
    return (
        result.output is not None
        and not result.output.startswith("Nothing found")
        and (not score or float(score[1]) >= EXACT)
    )


# ------------------------------------------------------------------ the search for steps


@dataclass(frozen=True)
class Step:
    """One tool run: the text that it answered, its result, where its arguments came from."""

    span: str
    result: ToolResult
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    step: Step
    measure: str = ""  # a unit or currency within an arithmetic span: the tool's result drops it


class _Attempt:
    """The depth-first search for one question; remembers what it has run."""

    def __init__(self, router: Decides, tools: Mapping[str, Tool]) -> None:
        self.router, self.tools = router, tools
        self.runs = 0
        self.ran: dict[tuple[str, str], Step | None] = {}
        self.tried: set[str] = set()

    def solve(self, question: str, steps_left: int) -> list[Step] | None:
        """The steps that resolve ``question``, the last of them answering it; None where one is unsure."""
        if steps_left < 1 or question in self.tried:
            return None
        self.tried.add(question)
        if composed(question):
            for span in self._spans(question):
                for value in _forms(span):
                    rest = self.solve(_splice(question, span, value), steps_left - 1)
                    if rest:
                        return [span.step, *rest]
            if embeds_fact(question):
                return None
        decision = self.router.decide(question)
        if decision.abstained or decision.tool in NON_TOOLS or decision.tool not in self.tools:
            return None
        step = self._run(decision.tool, question, loose=True)
        return [step] if step else None

    def closing_fact(self, question: str) -> Step | None:
        """The fact that a question ends with after a preamble ("I'm 30 and want to know the capital of Peru")."""
        question = question.rstrip(" ?!.")
        for span in self._facts(question):
            if span.end == len(question) and _LEADS_TO_FACT.search(question[: span.start]):
                return span.step
        return None

    def _spans(self, question: str) -> Iterator[_Span]:
        yield from self._facts(question)
        cues = cues_of(question)
        for name in ("calculator", "calendar", "text", "clock", "unit_converter", "currency"):
            if name in cues and name in self.tools:
                yield from self._parsed(question, name)

    def _facts(self, question: str) -> Iterator[_Span]:
        """Facts about a place or an element that is named, the innermost (rightmost) first."""
        if "search" not in self.tools:
            return
        quoted = [(m.start(), m.end()) for m in QUOTED.finditer(question)]
        matches = []
        for pattern in FACTS:
            at = 0
            while (match := pattern.search(question, at)) is not None:
                matches.append((pattern, match))
                at = match.start("head") + 1
        for pattern, match in sorted(matches, key=lambda m: -m[1].start("head")):
            start, end = match.span()
            if any(a < end and start < b for a, b in quoted):
                continue
            head = " ".join(match["head"].lower().split())
            possessive = match.start("entity") < match.start("head")
            for entity, cut in _entities(match["entity"], from_left=not possessive):
                step = self._fact(head, entity)
                if step is not None:
                    if possessive:
                        yield _Span(match.start("entity") + cut, end, step)
                    else:
                        yield _Span(start, match.end("entity") - cut, step)
                    break

    def _fact(self, head: str, entity: str) -> Step | None:
        asked = re.match(r"how many people|(?:what|which) (language|currency|money)", head)
        head = (asked[1] or "population") if asked else head
        head = QUERY.get(head, head)
        return self._run("search", f"{head} of {entity}")

    def _parsed(self, question: str, name: str) -> Iterator[_Span]:
        """Proper parts of the question that the tool's parser reads as a whole, the longest first."""
        words = list(re.finditer(r"\S+", question))
        closed = [(m.start(), m.end()) for m in QUOTED.finditer(question)]
        dates = [(start, end) for start, end, *_ in find_dates(question, _ANY_DAY)]
        for size in range(min(len(words) - 1, 14), 1, -1):
            for first in range(len(words) - size + 1):
                start, end = words[first].start(), words[first + size - 1].end()
                end -= len(question[start:end]) - len(question[start:end].rstrip("?,.!;:"))
                span = question[start:end]
                cues = set(cues_of(span))
                if name not in cues or cues - {name} - _MEASURES or (name == "unit_converter" and "currency" in cues):
                    continue
                if name == "calculator" and any(a < end and start < b for a, b in dates):
                    continue  # the hyphens of a date are no minus signs
                if (
                    any(a < start < b or a < end < b for a, b in (*closed, *dates))
                    or span.split()[0].lower() in _WEAK_START
                    or (span.endswith("%") and _TAIL_OF_PERCENT.match(question, end))
                ):
                    continue
                step = self._run(name, span)
                if step is not None:
                    the = re.search(r"\bthe\s+$", question[:start], re.IGNORECASE)
                    measure = _MEASURE.search(span) if name == "calculator" else None
                    yield _Span(the.start() if the else start, end, step, measure[0] if measure else "")

    def _run(self, name: str, span: str, loose: bool = False) -> Step | None:
        """The tool's result for ``span`` where router and parser are sure of it; ``loose`` forgives slips."""
        key = (name, span.lower())
        if key not in self.ran:
            self.ran[key] = self._sure(name, span, loose)
        return self.ran[key]

    def _sure(self, name: str, span: str, loose: bool) -> Step | None:
        filled = fill(span, self.tools[name])
        if filled.missing or (not loose and set(filled.sources.values()) - {PARSE, ASSUMED}):
            return None
        if self.router.decide(span).probabilities.get(name, 0.0) < SURE or self.runs >= MAX_RUNS:
            return None
        self.runs += 1
        result = self.tools[name].call(filled.arguments)
        if result.output is None and not (loose and name == "weather"):
            return None
        if result.output is not None and not _exact(result):
            return None
        return Step(span, result, filled.sources)


_MEASURES = frozenset(("unit_converter", "currency"))
_MEASURE = re.compile(
    r"(?<=\d)\s*(?:dollars?|euros?|pounds?|yen|francs?|bucks|miles?|km|kilomet\w+|met(?:er|re)s?|feet|kg|kilos?"
    r"|grams?|lit(?:er|re)s?|gallons?|cups?)\b|[$€£¥]",
    re.IGNORECASE,
)
_LEADS_TO_FACT = re.compile(r"(?:\bknows?|\btell\s+me|\bwhat(?:'s|\s+is|\s+are)?|[:,])\s*$", re.IGNORECASE)
_TAIL_OF_PERCENT = re.compile(r"\s+(?:vat|tax|gst|tip|fee|duty|interest|commission|off|discount)\b", re.IGNORECASE)
"""Whether 21 % is added or taken away stands behind it: a span must not end before."""
_ANY_DAY = date(2000, 1, 1)
"""Stands in for today: only where dates stand matters."""
_WEAK_START = frozenset(
    ["of", "in", "and", "to", "for", "by", "as", "on", "at", "from", "is", "are", "does", "do", "the", "a"]
)


def _entities(words: str, from_left: bool) -> Iterator[tuple[str, int]]:
    """(name, characters cut off) for the known places and the single words that ``words`` begins (or ends) with, the
    longest first. Single words may be elements; the search's score decides."""
    tokens = list(re.finditer(r"\S+", words))
    for size in range(len(tokens), 0, -1):
        chosen = tokens[:size] if from_left else tokens[-size:]
        name = words[chosen[0].start() : chosen[-1].end()].rstrip(".,")
        if find_place(name, fuzzy=False) is not None or size == 1:
            yield name, (len(words) - chosen[0].start() - len(name)) if from_left else chosen[0].start()


def _forms(span: _Span) -> Iterator[str]:
    """What can stand in the span's place: the value as given (with the measure that arithmetic dropped), then its bare
    number."""
    value = value_of(span.step.result.output or "")
    if span.measure:
        yield f"{value} {span.measure}"
    if value and len(value) <= 80:
        yield value
    number = number_in(span.step.result.output or "")
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
