"""How the tools that ship plan a question: one request or several, one call or a chain, or none that is sure.

Leaves out the search for a chain's steps (``chains.py``), what is read of its text (``english.py``), reading one
call's arguments (``slots.py``) and finding what a call does not take in (``leftovers.py``). A question with the cues of one tool
costs one decision and a few regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from router.builtin import calendar_reading, clock_reading, search
from router.builtin.chains import MAX_STEPS, Search, dangling, exact
from router.builtin.conversions import names
from router.builtin.english import bare, composed, cues_in, embeds_fact, halves, points_back, requests
from router.builtin.leftovers import CONVERTERS, SENSES, cores, reckons, unread, unused
from router.builtin.mentions import place_mentions
from router.builtin.moments import name_days
from router.builtin.places import find as find_place
from router.builtin.slots import RESPELLED, as_said, fill
from router.calls.arguments import PARSE, Filled
from router.tools import Tool, shorten
from router.tools.reading import Desk
from router.types import NON_TOOLS, SMALLTALK, Decision, Plan, Question, Step, ToolCall

_READS_ONE = frozenset(("text", "unit_converter", "currency"))
"""Tools whose parsers are content with one request of two ("100 usd in gbp and 100 usd in jpy")."""
_READS_WHOLE = {"calendar": calendar_reading.left_over, "clock": clock_reading.left_over}
"""Tools whose own parsers account for every word (what these do not read is not read), and how each tells of a word."""
_COMPARES = re.compile(
    r"\b(?:between|differences?|than|together|combined|total|sum|average|apart|versus|vs|or|from|both|same)\b"
    r"|\bwhich\s+(?:one\s+)?(?:is|are|has|have)\b",
    re.IGNORECASE,
)
"""Words that take two things together."""
_COUNTED = re.compile(r"\b(?:how\s+(?:many|much)|number\s+of|convert)\b", re.IGNORECASE)
MAX_LENGTH = 300
"""Characters of a question that is searched for spans."""


class English:
    """The reading that the eight tools share."""

    def plan(self, question: Question, decision: Decision, desk: Desk) -> Plan:
        """The plan for ``question``; where one tool is sure but slots are open it is partial."""
        if len(question.text) > MAX_LENGTH:
            return _one(question, decision, desk)
        parts = requests(question)
        if len(parts) > 1 and not _is_text(question, parts, decision, desk):
            found = _each([question.part(part) for part in parts], decision, desk)
            if found is not None:
                return found
        whole = _one(question, decision, desk)
        read_as_one = _certain(whole) and len(whole.steps) == 1 and decision.tool not in _READS_ONE
        if decision.tool in NON_TOOLS or read_as_one:
            return whole
        joined = _distributed(question, desk) or _joined(question, desk)
        return whole if joined is None else _concatenated(joined, decision)


ENGLISH = English()
"""The one instance: tools share a reading by identity."""


def _is_text(question: Question, parts: Sequence[str], decision: Decision, desk: Desk) -> bool:
    """Whether what looks like a further request is text to work on: "count the words in what is it and how is it"."""
    if decision.tool != "text" or "text" not in desk.tools:
        return False
    whole = question.part(" and ".join(parts))
    return parts[-1].rstrip("?!. ") in str(fill(whole, desk.tools["text"]).arguments.get("text", ""))


def _each(parts: Sequence[Question], decision: Decision, desk: Desk) -> Plan | None:
    """The requests of one question, each planned by itself; abstained where one cannot be. None where the question as
    a whole needs no tool and no request in it is sure of one."""
    found: list[Plan] = []
    reason = ""
    for part in parts:
        if found and points_back(part.text):
            reason = reason or f"{shorten(part.text, 80)!r} builds on an answer that is not there yet."
            continue
        found.append(_one(part, desk.decide(part), desk))
        if found[-1].outcome != "call":
            reason = reason or f"Of several requests, {shorten(part.text, 80)!r} is not sure."
    if decision.tool in NON_TOOLS and not any(_certain(one) for one in found):
        return None
    return Plan(decision, abstained=True, reason=reason) if reason else _concatenated(found, decision)


def _joined(question: Question, desk: Desk) -> list[Plan] | None:
    """Requests that no asking word sets apart ("time in Tokyo and capital of Japan"), each of them certain by itself
    and with a cue of its own; None where the question is not made of such."""

    def alone(part: Question) -> Plan | None:
        if not cues_in(part):
            return None
        one = _one(part, desk.decide(part), desk)
        return one if _certain(one) else None

    for before, after in halves(question):
        first = alone(question.part(before))
        if first is None or any(" " in str(step.call.arguments.get("text", "")) for step in first.steps):
            continue  # the words after "and" could be more of a text to count or to spell
        rest = _joined(question.part(after), desk) or [alone(question.part(after))]
        if rest[0] is not None:
            return [first, *rest]
    return None


def _distributed(question: Question, desk: Desk) -> list[Plan] | None:
    """One request about two things of a kind ("capital of Bolivia and Chile", "100 usd in gbp and eur") as a request about
    each of them, both certain; None where the question is none."""
    text = bare(question)
    if _COMPARES.search(text):
        return None
    for first, second in _coordinated(text):
        parts = [question.part(text[: first[1]] + text[second[1] :]), question.part(text[: first[0]] + text[second[0] :])]
        asked = [_one(part, desk.decide(part), desk) for part in parts]
        if all(map(_certain, asked)) and len({step.call.tool for one in asked for step in one.steps}) == 1:
            return asked
    return None


def _coordinated(text: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """The (start, end) of each two places, units, currencies or days of ``text`` that "and" or a comma joins."""
    kinds = (
        place_mentions(text),
        *(list(names(text, senses)) for senses in SENSES.values()),
        name_days(text.lower(), date(2000, 1, 1)).moments,
    )
    for kind in kinds:
        for one, other in zip(kind, kind[1:]):
            joined = re.fullmatch(r"\s*(?:,|&|,?\s*\band\b)\s*(?:in|of|to|for|and)?\s*", text[one.end : other.start])
            if joined and " and " not in text[other.start : other.end]:
                yield (one.start, one.end), (other.start, other.end)


def _concatenated(found: Sequence[Plan], decision: Decision) -> Plan:
    """Independent requests as one plan, in the order asked; what is asked twice is answered once."""
    steps = tuple({step.key: step for one in found for step in one.steps}.values())
    if len(steps) > MAX_STEPS:
        return Plan(decision, abstained=True, reason=f"More than {MAX_STEPS} tools would have to run.")
    return Plan(decision, steps)


def _certain(found: Plan) -> bool:
    """Whether tools serve it on their parsers' own readings, and no search result is merely alike."""
    return found.outcome == "call" and all(
        set(step.sources.values()) <= {PARSE}
        and (step.call.tool != "search" or (step.result is not None and exact(step.result)))
        for step in found.steps
    )


def _one(question: Question, decision: Decision, desk: Desk) -> Plan:
    """One request: by a chain of tools, by one tool, by none; or abstained."""

    def handed_over(reason: str) -> Plan:
        return Plan(decision, abstained=True, reason=reason)

    tools, brief = desk.tools, len(question.text) <= MAX_LENGTH
    several = brief and composed(question)
    if several and not _read_whole(question, decision, desk) and (chained := _chain(question, decision, desk)):
        return chained
    if decision.abstained:
        return handed_over(decision.doubt)
    if decision.tool in NON_TOOLS:
        doubt = _doubt(question, decision) if brief else None
        return handed_over(doubt) if doubt else Plan(decision)
    if decision.tool not in tools:
        return handed_over(f"The router chose {decision.tool!r}, which is not among the tools given.")
    if several and embeds_fact(question) and not (decision.tool == "search" and _known_fact(question, desk)):
        return handed_over("The question needs several tools, and one of the steps is not sure.")
    tool = tools[decision.tool]
    filled = fill(question, tool, desk.readers)
    if filled.missing or not _by_parser(filled, tool):
        filled = _core(question, tool, desk) or filled
    if not _by_parser(filled, tool):
        if other := _other(question, tool, desk):
            return Plan(decision, (other,))
        left = _READS_WHOLE[tool.name](question.text)
        return handed_over(f"{tool.name} does not take {left!r} in." if left else f"{tool.name} has no such question.")
    step = Step(ToolCall(tool.name, filled.arguments), filled.sources, question.text)
    if filled.missing and (left := _left(question, step, desk)):
        if other := _other(question, tool, desk):
            return Plan(decision, (other,))
        return handed_over(f"{tool.name} does not take {left!r} in.")
    if len(filled.missing) > 1 and not filled.arguments:
        return handed_over(f"Nothing in the question says what {tool.name} is to do.")
    if filled.missing:
        return Plan(decision, (step,), filled.missing, reason=f"Open slots: {', '.join(filled.missing)}.")
    if left := _left(question, step, desk):
        core = _core(question, tool, desk)
        if core is None or core.arguments != filled.arguments:
            return handed_over(f"{tool.name} does not take {left!r} in.")
    if tool.name == "search" and (probed := desk.probe(step)) is not None:
        fact = probed if exact(probed.result) else Search(desk).closing_fact(question)
        left = None if fact else search.left_over(probed.result.output or "")
        return handed_over(f"search does not take {left!r} in.") if left else Plan(decision, (fact or probed,))
    return Plan(decision, (step,))


def _doubt(question: Question, decision: Decision) -> str | None:
    """Why a question that the router is sure to need no tool may need one; None where nothing says so."""
    if reckons(question):
        return "Quantities are to be converted, and no tool is sure of it."
    if decision.tool == SMALLTALK:
        cities = (place for mention in place_mentions(question.text) if (place := find_place(mention.value, fuzzy=False)))
        named = next((place.name for place in cities if place.population >= clock_reading.SMALL), None)
        return named and f"Small talk does not take {named!r} in."
    return None


def _other(question: Question, tool: Tool, desk: Desk) -> Step | None:
    """The call of a converter that takes in all of a question that ``tool`` cannot read ("how many weeks in 300 days")."""
    for name in CONVERTERS if tool.name in CONVERTERS or _COUNTED.search(question.text) else ():
        if name in desk.tools and name != tool.name and (filled := _whole(question, desk.tools[name], desk)):
            return Step(ToolCall(name, filled.arguments), filled.sources, question.text)
    return None


def _left(question: Question, step: Step, desk: Desk) -> str | None:
    """What of ``question`` the one call of ``step`` does not take in; None where it takes all."""
    tool = desk.tools[step.call.tool]
    return unused(question, [step.call]) or unread(question, step, tool, desk.understood(tool.name))


def _by_parser(filled: Filled, tool: Tool) -> bool:
    """Whether ``filled`` is what the tool's own parser reads, where that alone accounts for every word, slips included."""
    return tool.name not in _READS_WHOLE or (not filled.missing and set(filled.sources.values()) <= {PARSE, RESPELLED})


def _read_whole(question: Question, decision: Decision, desk: Desk) -> bool:
    """Whether the tool that the router is sure of accounts for every word, so that no other has a part in it."""
    if decision.abstained or decision.tool not in desk.tools:
        return False
    if decision.tool in CONVERTERS:
        return not embeds_fact(question) and _takes_all(question, decision, desk)
    return decision.tool in _READS_WHOLE and as_said(question, desk.tools[decision.tool]) is not None


def _chain(question: Question, decision: Decision, desk: Desk) -> Plan | None:
    """The plan of two steps or more that takes all of ``question`` in, abstained where it does not; None where no such
    chain is found, or one tool takes in what the chain lost."""
    steps = Search(desk).solve(question.part(" ".join(question.text.split())), MAX_STEPS)
    if not steps or len(steps) < 2:
        return None
    left = unused(question, [step.call for step in steps]) or dangling(steps)
    if left is None:
        return Plan(decision, tuple(steps))
    if _takes_all(question, decision, desk):
        return None
    return Plan(decision, abstained=True, reason=f"No step takes {left!r} in.")


def _takes_all(question: Question, decision: Decision, desk: Desk) -> bool:
    """Whether one tool's own parser uses every quantity, where a chain lost one ("add 123 days to 24 October 2000")."""
    if decision.tool not in desk.tools or decision.tool == "search":
        return False
    return _whole(question, desk.tools[decision.tool], desk) is not None


def _core(question: Question, tool: Tool, desk: Desk) -> Filled | None:
    """What the tool's own parser makes of the request alone, without what is told around it; None where it makes
    nothing of it or something is left over."""
    for core in cores(question):
        if (filled := _whole(question.part(core), tool, desk)) is not None:
            return filled
    return None


def _whole(question: Question, tool: Tool, desk: Desk) -> Filled | None:
    """The tool's own parser's reading of ``question`` where it leaves nothing over."""
    filled = as_said(question, tool)
    step = filled and Step(ToolCall(tool.name, filled.arguments), filled.sources)
    return filled if step and not _left(question, step, desk) else None


def _known_fact(question: Question, desk: Desk) -> bool:
    """Whether the search answers the whole question, and not only something like it."""
    filled = fill(question, desk.tools["search"])
    probed = desk.probe(Step(ToolCall("search", filled.arguments), filled.sources, question.text))
    return probed is not None and exact(probed.result)
