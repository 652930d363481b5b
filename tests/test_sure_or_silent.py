"""What strangers' tools must not be called for: a question, a supposition, a number, a sign or a word that nobody read."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from router.builtin import default_tools
from router.network import Router
from router.plans import plan
from router.tools import Tool, ToolSet


def tool(name: str, description: str, slots: dict[str, Any], required: list[str], **more: Any) -> Tool:
    schema = {"type": "object", "properties": slots, "required": required}
    return Tool(name, description, schema, lambda **arguments: "done", **more)


GATE = tool(
    "gate",
    "Opens or shuts a gate; do not use it to cancel a delivery or to move a fence.",
    {"which": {"enum": ["yard", "street"]}, "action": {"enum": ["open", "shut"]}},
    ["which", "action"],
)
TABLE = tool(
    "table",
    "Reserves a table at the restaurant.",
    {"guests": {"enum": [2, 4, 8, 12]}, "row": {"enum": ["A", "B", "C"]}, "window": {"type": "boolean"}},
    ["guests", "row"],
)
FAN = tool("fan", "Sets a fan.", {"level": {"type": "integer", "minimum": 1, "maximum": 30}}, ["level"])
MEMO = tool("memo", "Keeps a memo.", {"text": {"type": "string"}}, ["text"])
EXAMPLES = {
    "gate": ["open the yard gate", "shut the street gate", "please shut the yard gate now", "gate open, street"],
    "table": [
        "reserve a table for guests 4 in row A",
        "table for 2 guests, row B",
        "a table with a window for 8 guests in row C",
        "reserve row B for guests 12",
    ],
    "fan": ["set the fan to level 3", "fan level 12", "put the fan on level 5", "level 9 on the fan"],
    "memo": ["memo: buy stamps", "keep a memo that the roof leaks", "make a memo about the keys", "memo call Ann back"],
}
TOOLS = default_tools() | ToolSet([GATE, TABLE, FAN, MEMO])


@cache
def grown() -> Router:
    router = Router.from_pretrained()
    for one in (GATE, TABLE, FAN, MEMO):
        router = router.add_tool(one.name, one.description, EXAMPLES[one.name]).router
    return router


def planned(question: str):
    return plan(question, grown(), TOOLS)


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("open the yard gate", {"which": "yard", "action": "open"}),
        ("could you shut the street gate please?", {"which": "street", "action": "shut"}),
        ("table for 12 guests, row B", {"guests": 12, "row": "B"}),
        ("set the fan to level 15", {"level": 15}),
    ],
)
def test_plain_requests_are_called(question: str, arguments: dict[str, Any]) -> None:
    found = planned(question)
    assert found.outcome == "call", found.reason
    assert [step.call.arguments for step in found.steps] == [arguments]


@pytest.mark.parametrize(
    "question",
    [
        # a question, a condition or a report is no request
        "is the yard gate open", "is the yard gate open?", "the yard gate, is it open?", "yard gate open?",
        "how do I open the yard gate", "do I have to shut the street gate", "can the street gate open",
        "what would open the yard gate do", "if you open the yard gate", "I know how to shut the yard gate",
        "tell me if the street gate is open", "does the yard gate open", "are you open on the street gate",
        # signs
        "🚫 open the yard gate", "open the yard gate ❌", "~~open the yard gate~~", "!open the yard gate",
        # the description is no list of harmless words
        "cancel: open the yard gate", "move the yard gate open", "open the yard gate delivery",
        # when
        "open the yard gate tomorrow", "open the yard gate in ten minutes", "open the yard gate in the morning",
        "open the yard gate every day", "shut the street gate at 9",
        # numbers are read whole
        "table for 44 guests, row B", "table for 112 guests, row B", "table for 1.2 guests, row B",
        "set the fan to level -3", "set the fan to level 3%", "set the fan to level 2...9", "level 3 to 9 on the fan",
        # two of everything
        "open the yard gate and the street gate", "open the yard gate, no wait, shut it",
        # a text slot takes no order of its own
        "delete the memo about the keys", "did you keep a memo about the roof", "who wrote the memo",
        "keep a memo about the keys tomorrow", "no memo about the keys", "make a memo about the keys and mail it to Ann",
        # a second request is not lost to a tool that reads its own
        "shut the street gate and what's the weather in Oslo",
        # text behind what the router reads
        "open the yard gate " + "please " * 70 + "shut the yard gate",
    ],
)  # fmt: skip
def test_what_is_not_plainly_requested_is_not_called(question: str) -> None:
    found = planned(question)
    own = [step.call.tool for step in found.steps if step.call.tool in EXAMPLES]
    asked_for_both = [step.call.tool for step in found.steps] == ["gate", "weather"]
    assert own == [] or asked_for_both, (found.outcome, found.steps, found.missing)


def test_a_short_value_is_no_word_of_the_sentence() -> None:
    assert "row" in planned("reserve a table for 4 guests").missing


def test_a_slot_that_is_named_without_a_value_is_open() -> None:
    found = planned("table with a window for 4 guests in row A")
    assert found.outcome == "partial" and found.missing == ("window",)


def test_a_question_that_names_a_tool_is_not_left_without_one() -> None:
    found = planned("why do people like a gate with a street")
    assert found.outcome == "abstain"


@pytest.mark.parametrize(
    "parse", [lambda q: 5, lambda q: {3: 4}, lambda q: {"level": {1, 2}}, lambda q: "x", lambda q: 1 / 0]
)
def test_a_parser_that_gives_no_arguments_is_not_believed(parse) -> None:
    tools = TOOLS.values()
    swapped = ToolSet(
        [
            t if t.name != "fan" else tool("fan", "Sets a fan.", {"level": {"type": "integer"}}, ["level"], parse=parse)
            for t in tools
        ]
    )
    assert plan("set the fan to level 3", grown(), swapped).outcome == "call"


def test_a_call_fits_the_whole_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"level": {"type": "integer"}, "mode": {"enum": ["calm"]}},
        "anyOf": [{"required": ["mode"]}, {"minProperties": 2}],
    }
    fan = Tool("fan", "Sets a fan.", schema, lambda **arguments: "done")
    swapped = ToolSet([t if t.name != "fan" else fan for t in TOOLS.values()])
    found = plan("set the fan to level 3", grown(), swapped)
    assert found.outcome != "call" or fan.fits(found.steps[0].call.arguments)
