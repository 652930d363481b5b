"""Tools that the router was never trained for: chosen, or narrowed to a few, by their schemas alone.

Such a tool's slots are the language model's to fill, and so is what to do with them: nothing here runs. Leaves out the
scores (``router.network.zero_shot``) and tools that the router knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from router.builtin.english import halves, negation
from router.network.zero_shot import SchemaRouter
from router.plans.desk import PlanDesk
from router.tools import Tool
from router.types import SMALLTALK, Decision, Plan, Question, Step, ToolCall

SHORTLIST = 5
"""Tools that the language model is shown where none is sure."""
SETS_KEPT = 8


def by_schema(question: Question, decision: Decision, desk: PlanDesk) -> Plan | None:
    """The plan for a question that the router's own ``decision`` gives to no tool on offer: partial, with the one tool
    that its schema makes sure of; or abstained, with the best few, where the router knows none of the tools. None where
    the decision stands.

    The few keep the order of the tools on offer, so that what a provider has cached of a prompt stays the same.
    """
    if decision.tool in desk.tools or (decision.tool == SMALLTALK and not decision.abstained):
        return None
    router = _router_of(_Offered(tuple(desk.tools.values())))
    threshold = router.threshold if desk.threshold is None else desk.threshold

    def decide(text: str) -> Decision:
        found = router.decide(text)
        return replace(found, abstained=found.confidence < threshold)

    found = decide(question.text)
    tool = desk.tools[found.tool]
    if reason := _unsure(question, found, tool, desk) or _several(question, decide):
        if len(desk.strangers) < len(desk.tools):
            return None
        best = sorted(found.probabilities, key=found.probabilities.__getitem__, reverse=True)[:SHORTLIST]
        few = tuple(name for name in desk.tools if name in best)
        return Plan(replace(found, abstained=True), abstained=True, reason=reason, shortlist=few)
    wanted = tuple(name for name, slot in tool.slots.items() if slot.required) or tuple(tool.slots)
    step = Step(ToolCall(tool.name, {}), {}, question.text)
    reason = f"Chosen by its schema alone. Open slots: {', '.join(wanted)}."
    return Plan(found, (step,), wanted, reason=reason, shortlist=(tool.name,))


def _unsure(question: Question, decision: Decision, tool: Tool, desk: PlanDesk) -> str | None:
    """Why ``tool``, the likeliest by its schema, is not to be named alone; None where it is."""
    if decision.abstained:
        return "The router was not trained for these tools, and their schemas do not make one sure."
    if tool.name not in desk.strangers:
        return f"Its schema speaks for {tool.name}, and the router, which knows that tool, does not."
    if tool.destructive:
        return f"{tool.name} is destructive: the LLM decides whether to call it."
    if not tool.slots:
        return f"{tool.name} takes no arguments, and a schema alone is too little to run it."
    if said := negation(question):
        return f"It says {said!r}, and what is not to be done is for the LLM to tell."
    return None


def _several(question: Question, decide: Callable[[str], Decision]) -> str | None:
    """Why ``question`` is for more than one tool; None where it is not."""
    for parts in halves(question):
        first, second = map(decide, parts)
        if first.tool != second.tool and not (first.abstained or second.abstained):
            return f"It asks for {first.tool} and for {second.tool}."
    return None


@dataclass(frozen=True, eq=False)
class _Offered:
    """The tools on offer as a key: the same where each of them is the same object."""

    tools: tuple[Tool, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Offered) and tuple(map(id, self.tools)) == tuple(map(id, other.tools))

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.tools)))


@lru_cache(SETS_KEPT)
def _router_of(offered: _Offered) -> SchemaRouter:
    """Built once for a set of tools."""
    return SchemaRouter({tool.name: tool for tool in offered.tools})
