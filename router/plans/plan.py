"""One question → one plan: which tools to call with what, or that the language model has to choose.

The general way, for a tool of which nothing is known but its schema and some examples: the router chooses, what the
question says fills the slots (``calls``), and a plan stands only where the whole question is read. A negation, a second
request, two values for one slot or a piece that nothing accounts for hand over. Tools that bring a reading of their own
plan by it (``router.tools.reading``). Leaves out running anything that has effects, and the language model's part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from router.builtin.english import MOOD, halves, moment, moods, negation, points_back, polite, refers_back, takes_time
from router.calls.arguments import PARSE, SHORT, Filled, fill, pieces, takes_text, unread, values_of, words_of
from router.calls.tagger import CallModel
from router.plans.desk import Decides, PlanDesk
from router.plans.learned import is_one_call, learned_call, unfit_for_any_call
from router.plans.narrow import by_schema
from router.tools import Tool, shorten
from router.types import NON_TOOLS, SMALLTALK, Decision, Plan, Question, Step, ToolCall

MAX_STEPS = 4
"""Calls that one question may make without a language model."""


def plan(
    question: Question | str,
    router: Decides | CallModel,
    tools: Mapping[str, Tool] | None = None,
    threshold: float | None = None,
) -> Plan:
    """The plan for ``question``: its ``outcome`` is call, partial, abstain or none.

    ``router`` may be a ``CallModel``, which has learned whole calls, and brings the ``tools`` of its log where none are
    given. ``threshold`` (a confidence) stands in for the router's own. Pure: only tools without effects may run, where
    a later step needs their result, and each of them once. Safe to call from several threads. Raises ValueError where
    no tools are given and the router has none.
    """
    question = Question(question) if isinstance(question, str) else question
    if tools is None:
        if not isinstance(router, CallModel):
            raise ValueError("No tools are given, and a router of labels alone brings none. Give the tools on offer.")
        tools = router.tool_set
    desk = PlanDesk(router, tools, threshold)
    started = time.perf_counter()
    decision = desk.decide(question)
    spent = time.perf_counter() - started
    found = _planned(question, decision, desk)
    return replace(found, steps=tuple(map(desk.known, found.steps)), decision_s=spent)


def warm(router: Decides | CallModel, tools: Mapping[str, Tool]) -> None:
    """Load what planning looks things up in (places, rates, an index), so that no question waits for it: the tools'
    descriptions, planned like questions, touch it all."""
    for tool in tools.values():
        plan(tool.description, router, tools)


def _planned(question: Question, decision: Decision, desk: PlanDesk) -> Plan:
    if desk.threshold == math.inf:
        return Plan(decision, abstained=True, reason="The threshold leaves every question to the LLM.")
    if said := refers_back(question):
        return _handed_over(decision, f"{said!r} speaks of a turn before this one, which the router does not read.")
    if desk.strangers and (found := by_schema(question, decision, desk)):
        return found
    if all(tool.reading is not None for tool in desk.tools.values()):
        return _one(question, desk)
    whole = _one(question, desk)
    if whole.outcome == "call" and _is_general(decision, desk) and not desk.learned(decision):
        return whole  # one call takes all of it in, so it is one request
    parts = _requests(question, decision, desk)
    if isinstance(parts, Plan):
        return parts
    if not _is_general(decision, desk) and not whole.abstained and decision.tool != SMALLTALK:
        if len(parts) == 1 and (named := _named(question, whole, desk)):
            if decision.tool in NON_TOOLS:
                return _handed_over(decision, f"The router chose no tool, yet {named!r} may ask for one.")
            return _handed_over(decision, f"{decision.tool} does not take {named!r} in.")
    return whole if len(parts) == 1 else _together([_one(part, desk) for part in parts], parts, decision)


def _one(question: Question, desk: PlanDesk) -> Plan:
    """One request, by the reading of the tool that the router chose, or by the general way."""
    decision = desk.decide(question)
    tool = desk.tools.get(decision.tool)
    if tool is not None and tool.reading is None:
        way = learned_call if desk.learned(decision) else _general
        return way(question, decision, tool, desk)
    readings = [tool.reading] if tool else [t.reading for t in desk.tools.values() if t.reading is not None]
    if readings and (tool or decision.tool in NON_TOOLS or decision.tool is None):
        return readings[0].plan(question, decision, desk.of(readings[0]))
    if decision.abstained:
        return _handed_over(decision, decision.doubt)
    if decision.tool in NON_TOOLS:
        return Plan(decision)
    return _handed_over(decision, f"The router chose {decision.tool!r}, which is not among the tools given.")


def _general(question: Question, decision: Decision, tool: Tool, desk: PlanDesk) -> Plan:
    """One request for a tool without a reading of its own."""
    if reason := unfit_for_any_call(question, decision, tool):
        return _handed_over(decision, reason)
    learned = _label_words(desk.router).get(tool.name, frozenset())
    fillers = frozenset(getattr(desk.router, "fillers", ()))
    filled = fill(question, tool, fillers, learned)
    if filled.disputed:
        return _handed_over(decision, f"The question names two values for {filled.disputed[0]!r} of {tool.name}.")
    if reason := _misread(question, tool, filled, learned, fillers):
        return _handed_over(decision, reason)
    if not filled.missing and not tool.fits(filled.arguments):
        return _handed_over(decision, f"What the question says does not make a call that fits {tool.name}'s schema.")
    step = Step(ToolCall(tool.name, filled.arguments), filled.sources, question.text)
    reason = f"Open slots: {', '.join(filled.missing)}." if filled.missing else ""
    return Plan(decision, (step,), filled.missing, reason=reason)


def _misread(
    question: Question, tool: Tool, filled: Filled, learned: frozenset[str], fillers: frozenset[str]
) -> str | None:
    """Why a call of ``tool`` would not do what ``question`` says, though its slots are filled; None where it would.

    ``learned`` are the words of the tool's examples, ``fillers`` words without consequence for the choice of any tool.
    They may be of consequence for acting: words that ask, suppose or report count only where the examples have them.
    """
    if said := negation(question):
        return f"It says {said!r}, and what is not to be done is for the LLM to tell."
    if tool.effects and (mood := next((word for word in moods(question) if word not in learned), None)):
        return f"It says {mood!r}: it may ask or suppose, and not request."
    by_tool = PARSE in filled.sources.values()
    if tool.effects and not by_tool and not takes_time(tool.slots) and (when := moment(question)):
        return f"It says {when!r}, and {tool.name} has no slot for a time."
    if takes_text(tool, filled.missing):
        first = next((piece for piece in pieces(question)), None)
        if first and first.word not in {*learned, *words_of(tool), *fillers} and not polite(question):
            return f"{tool.name} has no example that begins with {first.text!r}."
        return None  # the rest may be the text
    known = {*learned, *words_of(tool), *((fillers - MOOD) if tool.effects else fillers)}
    if polite(question):
        known |= {"can", "could", "would", "will", "you"}
    asked = not tool.effects or polite(question) or "?" in learned
    left = unread(question, filled, known, asked)
    return f"{tool.name} does not take {left!r} in." if left else None


def _requests(question: Question, decision: Decision, desk: PlanDesk) -> list[Question] | Plan:
    """The requests of a question of which at least one is for a tool without a reading: itself, or its parts where the
    router is sure of each; a plan that hands over where a part is surely for something else than the rest."""
    for before, after in halves(question):
        first, second = question.part(before), question.part(after)
        sides = [desk.decide(first), desk.decide(second)]
        if desk.learned(decision) and is_one_call(question, first, second, desk):
            continue
        if any(_is_general(side, desk) and not side.abstained for side in sides):
            if points_back(after):
                return _handed_over(decision, f"{shorten(after, 80)!r} builds on what comes before it.")
            if not _is_general(decision, desk) and any(side.abstained for side in sides):
                part = first if _is_general(sides[0], desk) else second
                return _handed_over(decision, f"Of several requests, {shorten(part.text, 80)!r} is not sure.")
        if any(side.abstained or side.tool == SMALLTALK for side in sides):
            continue
        if not any(_is_general(side, desk) for side in sides):
            continue
        if all(side.tool in desk.tools for side in sides):
            rest = _requests(second, sides[1], desk)
            return rest if isinstance(rest, Plan) else [first, *rest]
        if all(side.tool in desk.tools or side.tool in NON_TOOLS for side in sides):
            part = first if sides[0].tool in NON_TOOLS else second
            return _handed_over(decision, f"No tool takes {shorten(part.text, 80)!r} in.")
    return [question]


def _named(question: Question, whole: Plan, desk: PlanDesk) -> str | None:
    """A word of ``question`` that names a tool without a reading (or, where ``whole`` makes no call, a value of its slots)
    and stands in no example of the tools that have one; None where there is none."""
    general = [tool for tool in desk.tools.values() if tool.reading is None]
    words = {
        word for tool in general for word in words_of(tool) | (values_of(tool) if whole.outcome != "call" else set())
    }
    known = _label_words(router := desk.others or desk.router)
    others = frozenset(getattr(router, "fillers", ())).union(
        *(found for label, found in known.items() if label not in {*NON_TOOLS, *(tool.name for tool in general)})
    )
    named = {word for word in words - others if len(word) > SHORT}
    return next((piece.text for piece in pieces(question) if piece.word in named), None)


def _label_words(router: Decides) -> Mapping[str, frozenset[str]]:
    return getattr(router, "label_words", {})


def _is_general(decision: Decision, desk: PlanDesk) -> bool:
    tool = desk.tools.get(decision.tool)
    return tool is not None and tool.reading is None


def _together(plans: Sequence[Plan], parts: Iterable[Question], decision: Decision) -> Plan:
    """Independent requests as one plan, in the order asked; handed over where one of them is not sure."""
    for one, part in zip(plans, parts, strict=True):
        if one.outcome != "call":
            return _handed_over(decision, f"Of several requests, {shorten(part.text, 80)!r} is not sure. {one.reason}")
    known = [one.call_confidence for one in plans if one.call_confidence is not None]
    steps = tuple({step.key: step for one in plans for step in one.steps}.values())
    if len(steps) < sum(len(one.steps) for one in plans):
        return _handed_over(decision, "The same call is asked for twice.")
    if len(steps) > MAX_STEPS:
        return _handed_over(decision, f"More than {MAX_STEPS} tools would have to run.")
    return Plan(decision, steps, call_confidence=math.prod(known) if known else None)


def _handed_over(decision: Decision, reason: str) -> Plan:
    return Plan(decision, abstained=True, reason=reason.strip())
