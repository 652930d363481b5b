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

from router.builtin.english import halves, negation
from router.calls.arguments import fill, takes_text, unread
from router.network.features import tokenise
from router.plans.desk import Decides, PlanDesk
from router.tools import Tool, shorten
from router.types import NON_TOOLS, SMALLTALK, Decision, Plan, Question, Step, ToolCall

MAX_STEPS = 4
"""Calls that one question may make without a language model."""


def plan(question: Question | str, router: Decides, tools: Mapping[str, Tool], threshold: float | None = None) -> Plan:
    """The plan for ``question``; ``threshold`` (a confidence) stands in for the router's own.

    Pure: only tools without effects may run, where a later step needs their result, and each of them once.
    """
    question = Question(question) if isinstance(question, str) else question
    desk = PlanDesk(router, tools, threshold)
    started = time.perf_counter()
    decision = desk.decide(question)
    spent = time.perf_counter() - started
    found = _planned(question, decision, desk)
    return replace(found, steps=tuple(map(desk.known, found.steps)), decision_s=spent)


def _planned(question: Question, decision: Decision, desk: PlanDesk) -> Plan:
    if desk.threshold == math.inf:
        return Plan(decision, abstained=True, reason="The threshold leaves every question to the LLM.")
    if all(tool.reading is not None for tool in desk.tools.values()):
        return _one(question, desk)
    whole = _one(question, desk)
    if whole.outcome == "call" and _is_general(decision, desk):
        return whole  # one call takes all of it in, so it is one request
    parts = _requests(question, decision, desk)
    if isinstance(parts, Plan):
        return parts
    return whole if len(parts) == 1 else _together([_one(part, desk) for part in parts], parts, decision)


def _one(question: Question, desk: PlanDesk) -> Plan:
    """One request, by the reading of the tool that the router chose, or by the general way."""
    decision = desk.decide(question)
    tool = desk.tools.get(decision.tool)
    if tool is not None and tool.reading is None:
        return _general(question, decision, tool, desk)
    readings = [tool.reading] if tool else [t.reading for t in desk.tools.values() if t.reading is not None]
    if readings and (tool or decision.tool in NON_TOOLS or decision.tool is None):
        return readings[0].plan(question, decision, desk.of(readings[0]))
    if decision.abstained:
        return _handed_over(decision, "The router is not sure which tool the question needs.")
    if decision.tool in NON_TOOLS:
        return Plan(decision)
    return _handed_over(decision, f"The router chose {decision.tool!r}, which is not among the tools given.")


def _general(question: Question, decision: Decision, tool: Tool, desk: PlanDesk) -> Plan:
    """One request for a tool without a reading of its own."""
    if decision.abstained:
        return _handed_over(decision, "The router is not sure which tool the question needs.")
    if tool.destructive:
        return _handed_over(decision, f"{tool.name} is destructive: the LLM decides whether to call it.")
    if said := negation(question):
        return _handed_over(decision, f"It says {said!r}, and what is not to be done is for the LLM to tell.")
    filled = fill(question, tool)
    if filled.disputed:
        return _handed_over(decision, f"The question names two values for {filled.disputed[0]!r} of {tool.name}.")
    if not takes_text(tool, filled.missing):
        if left := unread(question, tool, filled.arguments, _vocabulary(desk.router, tool.name)):
            return _handed_over(decision, f"{tool.name} does not take {left!r} in.")
    step = Step(ToolCall(tool.name, filled.arguments), filled.sources, question.text)
    reason = f"Open slots: {', '.join(filled.missing)}." if filled.missing else ""
    return Plan(decision, (step,), filled.missing, reason=reason)


def _requests(question: Question, decision: Decision, desk: PlanDesk) -> list[Question] | Plan:
    """The requests of a question of which at least one is for a tool without a reading: itself, or its parts where the
    router is sure of each; a plan that hands over where a part is surely for something else than the rest."""
    for before, after in halves(question):
        first, second = question.part(before), question.part(after)
        sides = [desk.decide(first), desk.decide(second)]
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


def _is_general(decision: Decision, desk: PlanDesk) -> bool:
    tool = desk.tools.get(decision.tool)
    return tool is not None and tool.reading is None


def _together(plans: Sequence[Plan], parts: Iterable[Question], decision: Decision) -> Plan:
    """Independent requests as one plan, in the order asked; handed over where one of them is not sure."""
    for one, part in zip(plans, parts, strict=True):
        if one.outcome != "call":
            return _handed_over(decision, f"Of several requests, {shorten(part.text, 80)!r} is not sure. {one.reason}")
    steps = tuple({step.key: step for one in plans for step in one.steps}.values())
    if len(steps) < sum(len(one.steps) for one in plans):
        return _handed_over(decision, "The same call is asked for twice.")
    if len(steps) > MAX_STEPS:
        return _handed_over(decision, f"More than {MAX_STEPS} tools would have to run.")
    return Plan(decision, steps)


def _handed_over(decision: Decision, reason: str) -> Plan:
    return Plan(decision, abstained=True, reason=reason.strip())


def _vocabulary(router: Decides, tool: str) -> set[str]:
    """Words that change nothing about a call of ``tool``: those without consequence for any tool, and those of the
    tool's own examples. Empty where the router has learned none."""
    examples = [question for question, label in getattr(router, "memory", ()) if label == tool]
    return {word for example in examples for word in tokenise(example)}.union(getattr(router, "fillers", ()))
