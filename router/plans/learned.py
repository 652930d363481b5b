"""One request for a tool whose calls the router has learned from a log.

The learned call stands where its confidence is over the threshold that its training chose and its arguments fit the
tool's schema. What no row of the log is like, the confidence cannot know: a negation, a supposition, a time or a number
that became no argument hand over. Leaves out several requests and tools known by schema alone (``plan.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from router.builtin.english import moment, moods, negation, points_back
from router.calls.arguments import pieces
from router.calls.read import LearnedCall
from router.network.features import MAX_WORDS, tokenise
from router.plans.desk import PlanDesk
from router.tools import Tool
from router.types import Decision, Plan, Question, Step, ToolCall

QUESTION, LEARNED, DEFAULT = "question", "learned", "default"
"""Where a slot's value came from: words of the question, the log's values, or the one value that the log always has."""
_TAKEN = "_"
"""Stands for a value that was read, in what is left of the question."""


def learned_call(question: Question, decision: Decision, tool: Tool, desk: PlanDesk) -> Plan:
    """The plan for one request: the learned call, what is open in it, or that the language model has to choose."""
    call = desk.call(question)

    def handed_over(reason: str) -> Plan:
        return Plan(decision, abstained=True, reason=reason, call_confidence=call.confidence)

    if reason := unfit_for_any_call(question, decision, tool) or _unread(question, call, tool, desk):
        return handed_over(reason)
    arguments = call.read.arguments
    unfit = [name for name, value in arguments.items() if name not in tool.slots or not tool.slots[name].fits(value)]
    required = [name for name, slot in tool.slots.items() if slot.required]
    missing = [
        name for name in dict.fromkeys([*required, *call.read.missing]) if name not in arguments or name in unfit
    ]
    if call.confidence < desk.least(tool.name):
        if not missing:
            return handed_over(f"The router is not sure of the arguments of {tool.name}.")
        arguments, missing = {}, list(dict.fromkeys([*required, *call.read.missing, *arguments]))
    elif strange := [name for name in unfit if name not in missing]:
        return handed_over(f"What the question says does not fit {strange[0]!r} in {tool.name}'s schema.")
    arguments = {name: value for name, value in arguments.items() if name not in missing}
    if not missing and not tool.fits(arguments):
        return handed_over(f"What the question says does not make a call that fits {tool.name}'s schema.")
    step = Step(
        ToolCall(tool.name, arguments), _sources(call, arguments, desk), question.text, _places(call, arguments)
    )
    reason = f"Open slots: {', '.join(missing)}." if missing else ""
    return Plan(decision, (step,), tuple(missing), reason=reason, call_confidence=call.confidence)


def unfit_for_any_call(question: Question, decision: Decision, tool: Tool) -> str | None:
    """Why the router makes no call of ``tool`` here, whatever its arguments; None where it may."""
    if decision.abstained:
        return decision.doubt
    if len(tokenise(question.text)) >= MAX_WORDS:
        return f"The router reads the first {MAX_WORDS} words of a question, and this has more."
    if tool.destructive:
        return f"{tool.name} is destructive: the LLM decides whether to call it."
    return None


def is_one_call(question: Question, first: Question, second: Question, desk: PlanDesk) -> bool:
    """Whether the learned call of ``question`` takes in both parts of it: a value stands across the joint, or the parts
    do not name two values for one slot and are for the same tool, or its log has said the second before."""
    call = desk.call(question)
    values = [question.text[start:end] for places in call.read.spans.values() for start, end in places]
    if any(value not in first.text and value not in second.text for value in values):
        return True
    one, other = desk.call(first), desk.call(second)
    if one.tool == other.tool == call.tool:
        both = one.read.spans.keys() & other.read.spans.keys()
        return all(one.read.arguments[slot] == other.read.arguments[slot] for slot in both)
    for value in values:
        second = Question(second.text.replace(value, " "))
    return _heard(second.text, call.tool, desk)


def _unread(question: Question, call: LearnedCall, tool: Tool, desk: PlanDesk) -> str | None:
    """What stands in the question beside the values of ``call`` and no learned call answers; None where nothing
    does."""
    rest = Question(_without_values(question.text, call))
    learned = desk.router.label_words.get(tool.name, frozenset())
    if (said := negation(rest)) and not _heard(_with_next_word(said, rest.text), tool.name, desk):
        return f"It says {said!r}, and what is not to be done is for the LLM to tell."
    if tool.effects and (mood := next((word for word in moods(rest) if word not in learned), None)):
        return f"It says {mood!r}: it may ask or suppose, and not request."
    if tool.effects and (when := moment(rest)) and not _heard(when, tool.name, desk):
        return f"It says {when!r}, and {tool.name} has no slot for a time."
    if (back := points_back(rest.text)) and not set(tokenise(back)) <= learned:
        return f"It says {back!r}, which speaks of something that was said before."
    if call.strange:
        return f"{tool.name} has no example with {call.strange!r}."
    if number := next((piece.text for piece in pieces(rest) if piece.is_number), None):
        return f"{tool.name} does not take {number!r} in."
    return None


def _heard(phrase: str, tool: str, desk: PlanDesk) -> bool:
    """Whether an example of ``tool`` has the words of ``phrase`` one after the other, whatever numbers are between."""
    words = _letters(phrase)
    return bool(words.strip()) and any(words in _letters(said) for said, label in desk.router.memory if label == tool)


def _letters(text: str) -> str:
    return f" {' '.join(word for word in tokenise(text) if word.isalpha())} "


def _with_next_word(word: str, text: str) -> str:
    after = text[text.index(word) + len(word) :].split()
    return f"{word} {after[0]}" if after else word


def _without_values(text: str, call: LearnedCall) -> str:
    taken = {i for places in call.read.spans.values() for place in places for i in range(*place)}  # maybe of two slots
    kept = (sign if i not in taken else "" if i - 1 in taken else _TAKEN for i, sign in enumerate(text))
    return "".join(kept)


def _sources(call: LearnedCall, arguments: Mapping[str, object], desk: PlanDesk) -> dict[str, str]:
    kinds = {slot.name: slot.kind for slot in desk.calls.parts.slots[call.tool]}
    learned = {"class": LEARNED}
    return {name: QUESTION if name in call.read.spans else learned.get(kinds[name], DEFAULT) for name in arguments}


def _places(call: LearnedCall, arguments: Mapping[str, object]) -> dict[str, tuple[tuple[int, int], ...]]:
    return {name: places for name, places in call.read.spans.items() if name in arguments}
