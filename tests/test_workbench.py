"""Somebody's own tools and rows, before anything is trained on them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from router.tools import Tool, ToolSet
from router.types import Example
from router.workbench.examples import MOST_ROWS, check, near_duplicates, read_rows, settled
from router.workbench.tools import MOST_BYTES, MOST_TOOLS, alike, has_effects, read_tools, remarks


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


TEXT, SAID = {"type": "string"}, {"type": "string", "description": "The city's name"}
LAMP = Tool("lamp", "Switches a lamp.", schema("room", room=SAID, state={"enum": ["on", "off"]}))
TIMER = Tool("set_timer", "Rings after some minutes.", schema("minutes", minutes={"type": "integer"}))
TOOLS = ToolSet([LAMP, TIMER])


@pytest.mark.parametrize(
    "listed",
    [
        [{"type": "function", "function": {"name": "lamp", "description": "x y", "parameters": schema(room=TEXT)}}],
        [{"name": "lamp", "description": "x y", "input_schema": schema(room=TEXT)}],
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "lamp", "description": "x", "inputSchema": {}}]}},
    ],
    ids=["openai", "anthropic", "mcp"],
)
def test_reads_the_lists_that_people_have(listed: Any) -> None:
    assert list(read_tools("\ufeff" + json.dumps(listed))) == ["lamp"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "The list is empty"),
        ("[]", "holds no tool"),
        ("{", "not JSON at line 1, column 2"),
        ('"lamp"', "is no list of tools"),
        ("[" * 100_000, "nested too deep"),
        (" " * (MOST_BYTES + 1), "1,000,001 bytes, more than 1,000,000"),
        (
            json.dumps([{"name": f"t{i}", "description": "x"} for i in range(MOST_TOOLS + 1)]),
            "129 tools, more than 128",
        ),
    ],
    ids=["empty", "none", "broken", "text", "deep", "long", "many"],
)
def test_says_what_is_wrong_with_a_list_of_tools(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as fault:
        read_tools(text)
    assert str(fault.value).endswith(".") and "\n" not in str(fault.value)


@pytest.mark.parametrize(
    "tool, said",
    [
        (LAMP, []),
        (Tool("send", "Sends a letter.", schema(a=TEXT, b=TEXT, n={"type": "integer"})),
         ["The slots 'a' and 'b' are strings without a description."]),
        (Tool("find", "Finds a flight.", schema(**{"from": TEXT, "to": SAID})),
         ["The slot 'from' is a string without a description."]),
        (Tool("tool_1", "Books a table.", schema()), ["The name 'tool_1' does not say what the tool is for."]),
        (Tool("get_order", "Get the order.", schema()), ["The description says no more than the name."]),
        (Tool("pay", "Pays a bill.", {"type": "object", "required": ["sum"], "properties": {"to": {}}}),
         ["The slot 'sum' is required and not among the properties.", "The slot 'to' has no type, so any value fits."]),
        (Tool("filter", "Shows some rows.", schema(by={"type": "object"})),
         ["The slot 'by' holds an object, so a language model fills it unless the examples always have the same."]),
    ],
    ids=["clear", "two strings", "one string", "name", "description", "required", "object"],
)  # fmt: skip
def test_remarks_what_is_unclear_in_a_tool(tool: Tool, said: list[str]) -> None:
    assert remarks(tool) == said


def test_an_optional_string_is_a_string() -> None:
    tool = Tool("note", "Keeps a remark.", schema(about={"anyOf": [TEXT, {"type": "null"}]}))
    assert remarks(tool) == ["The slot 'about' is a string without a description."]


def test_finds_tools_that_are_easily_confused() -> None:
    named = {"create_ticket": "Create a support ticket.", "close_ticket": "Close a support ticket.",
             "get_weather": "Get the weather of a city."}  # fmt: skip
    tools = ToolSet(Tool(name, about, schema()) for name, about in named.items())
    assert alike(tools) == [("create_ticket", "close_ticket")]


def test_effects_are_known_where_the_list_says_them() -> None:
    hints = [{"readOnlyHint": True}, {"destructiveHint": True}, {}]
    listed = [{"name": f"tool{i}", "description": "x", "annotations": hint} for i, hint in enumerate(hints)]
    assert [has_effects(tool) for tool in read_tools(json.dumps(listed)).values()] == [False, True, None]


def test_reads_rows_and_reports_bad_ones_by_line() -> None:
    rows, problems = read_rows("question,tool\nlight in the hall,lamp\n,lamp\nten minutes,set timer\n", "mine.csv")
    assert [(row.question, row.tool) for row in rows] == [("light in the hall", "lamp")]
    assert [problem.line for problem in problems] == [3, 4]


def test_takes_so_many_rows_and_says_what_it_left_out() -> None:
    rows, problems = read_rows("text,label\n" + "hello,smalltalk\n" * (MOST_ROWS + 2), "mine.csv")
    assert len(rows) == MOST_ROWS
    assert [problem.message.split(":")[0] for problem in problems] == ["20,002 rows, more than 20,000"]


ROWS = [
    Example("light in the hall on", "lamp", {"room": "hall", "state": "on"}),
    Example("Light in the HALL on!", "lamp", {"room": "hall", "state": "on"}),  # 1: the same
    Example("please light in the hall on", "lamp", {"room": "hall", "state": "on"}),  # 2: a word more
    Example("light in the attic on", "lamp", {"room": "attic", "state": "on"}),  # another call
    Example("light in the attic on", "lamp", {"room": "attic", "state": "off"}),  # 4: contradicts 3
    Example("Light in the attic on", "set_timer", {"minutes": 3}),  # 5: contradicts 3, and 4
    Example("wake me", "set_timer", {"minutes": "three"}),  # 6: does not fit
    Example("hall", "lamp", {"state": None}),  # 7: the room is missing
    Example("attic", "lamp"),
    Example("thanks", "smalltalk"),
    Example("open the door", "door", {}),
]


def test_examines_rows_before_training() -> None:
    found = check(ROWS, TOOLS | ToolSet([Tool("idle", "Does nothing at all.", schema())]))
    assert found.rows == {"lamp": 7, "set_timer": 2, "idle": 0, "smalltalk": 1, "door": 1}
    assert found.without_rows == ("idle",) and found.strangers == {"door": 1}
    assert found.near_duplicates == ((0, 1), (0, 2))
    assert found.contradictions == ((3, 4), (3, 5))
    assert [index for index, _ in found.misfits] == [6, 7]
    assert "'three' is not of type 'integer'" in found.misfits[0][1]
    room, state = found.slots["lamp"]["room"], found.slots["lamp"]["state"]
    assert (room.rows, room.different, room.values) == (5, 2, ('"hall"', '"attic"'))
    assert (state.rows, state.missing) == (5, ())
    assert json.loads(json.dumps(found.as_json()))["slots"]["set_timer"]["minutes"]["different"] == 2


def test_names_choices_that_no_row_shows() -> None:
    assert check(ROWS[:4], TOOLS).slots["lamp"]["state"].missing == ('"off"',)


def test_a_day_later_the_same_words_may_mean_another_day() -> None:
    monday, friday = (
        Example("wake me tomorrow", "alarm", {"day": day}, at=f"2026-01-{day - 1:02}T08:00:00") for day in (6, 10)
    )
    assert check([monday, friday], TOOLS).contradictions == ()
    corrected = replace(monday, arguments={"day": 7}, at="")
    assert settled([monday, friday, corrected], TOOLS) == [corrected]


def test_other_values_are_no_duplicates_where_the_call_is_not_known() -> None:
    pair = [Example(f"what is the weather in {city}", "weather") for city in ("Rome", "Oslo")]
    assert near_duplicates(pair) == [] and near_duplicates([*pair, pair[0]]) == [(0, 2)]


@pytest.mark.parametrize("same", [True, False], ids=["one question", "many"])
def test_looks_through_as_many_rows_as_are_taken(same: bool) -> None:
    """In a time that grows as the rows do, whatever they are."""
    asked = (f"light {0 if same else i} in the hall please on " + 400 * "very " for i in range(1_000))
    rows = [Example(question, "lamp", {"room": str(i)}, at=f"{2000 + i}-01-01") for i, question in enumerate(asked)]
    found = check(rows, TOOLS)
    assert (found.near_duplicates, found.contradictions, found.misfits) == ((), (), ())
    assert len(settled(rows, TOOLS)) == len(rows)
    again = [replace(row, at="") for row in rows]
    assert len(settled(again, TOOLS)) == (1 if same else len(rows))
