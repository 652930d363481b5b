"""Arguments from the question: what fits, where it came from, and what stays open."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.builtin import ToolConfig, default_tools
from router.builtin.slots import RESPELLED
from router.builtin.slots import fill as fill_slots
from router.calls.arguments import PARSE, QUESTION, Filled
from router.learning.synthetic import generate
from router.tools import Tool
from router.types import Question

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
TOOLS = default_tools(ToolConfig(now=lambda: NOW))


def fill(question: str, tool: Tool) -> Filled:
    return fill_slots(Question(question), tool)


def output(question: str, tool: str) -> str:
    filled = fill(question, TOOLS[tool])
    assert filled.missing == (), filled
    return TOOLS[tool].call(filled.arguments).text


def test_the_tools_own_reading_comes_first() -> None:
    filled = fill("what is 20% of 45?", TOOLS["calculator"])
    assert set(filled.sources.values()) == {PARSE} and filled.missing == ()


def test_chatter_around_the_question_is_read_past() -> None:
    assert "= 7" in output("ok so for homework: what is 3 + 4, if you can", "calculator")


def test_slips_in_key_words_are_mended_and_said() -> None:
    filled = fill("26 mutliplied by 3", TOOLS["calculator"])
    assert filled.missing == ()
    assert "= 78" in TOOLS["calculator"].call(filled.arguments).text
    assert set(filled.sources.values()) <= {PARSE, RESPELLED}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("the luggage limit is 50 pounds, how many kg", "22.6796 kg"),
        ("i weigh 80 kilos, what would the scale say in pounds", "176.37 lb"),
        ("my coach ran 10 miles, i only think in km", "16.09"),
        ("what is the hectares equivalent of 100 acres", "40.4687"),
    ],
)
def test_units_are_found_where_no_pattern_fits(question: str, expected: str) -> None:
    assert expected in output(question, "unit_converter")


def test_of_how_many_a_in_b_the_first_is_the_target() -> None:
    filled = fill("number of teaspoons that go per tablespoon", TOOLS["unit_converter"])
    assert (filled.arguments["from_unit"], filled.arguments["to_unit"]) == ("tbsp", "tsp")
    assert filled.arguments["value"] == 1 and filled.sources["value"] == PARSE


def test_an_amount_is_not_taken_from_a_date() -> None:
    filled = fill("on 28 October 2010 i spent 86 british pounds there, in RON please", TOOLS["currency"])
    assert filled.arguments | {"amount": float(filled.arguments["amount"])} == {
        "amount": 86.0,
        "from_currency": "GBP",
        "to_currency": "RON",
        "date": "2010-10-28",
    }


def test_two_numbers_leave_the_slot_open() -> None:
    assert "value" in fill("would 990 millimeters be longer than 12 inches", TOOLS["unit_converter"]).missing


def test_places_are_found_although_the_key_word_is_garbled() -> None:
    filled = fill("wehaterr Lisbon tomorrow", TOOLS["weather"])
    assert filled.arguments == {"place": "Lisbon", "day": "tomorrow"}
    assert filled.missing == ()


def test_a_question_without_a_place_leaves_it_open() -> None:
    filled = fill("will it rain later", TOOLS["weather"])
    assert filled.missing == ("place",)


def test_a_place_that_the_parser_passed_over_is_added() -> None:
    filled = fill("my mother lives in Damascus, what time is it there", TOOLS["clock"])
    assert filled.arguments["place"] == "Damascus"


def test_quoted_text_is_taken_literally() -> None:
    filled = fill('would you kindly print "Hello, World 2" with all of it in uppercase', TOOLS["text"])
    assert filled.arguments["text"] == "Hello, World 2"


def test_a_foreign_schema_is_filled_by_its_types_and_names() -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "nights": {"type": "integer", "minimum": 1, "maximum": 30},
            "room": {"enum": ["single", "double", "suite"]},
            "note": {"type": "string"},
        },
        "required": ["city", "nights", "note"],
        "additionalProperties": False,
    }
    hotel = Tool("hotel", "Books a hotel.", schema, lambda **arguments: "booked")
    filled = fill("a suite in Vienna for 3 nights", hotel)
    assert filled.arguments == {"city": "Vienna", "nights": 3, "room": "suite"}
    assert filled.missing == ("note",)
    assert set(filled.sources.values()) == {QUESTION}


def test_a_value_out_of_range_is_not_filled() -> None:
    schema = {"type": "object", "properties": {"nights": {"type": "integer", "maximum": 30}}, "required": ["nights"]}
    hotel = Tool("hotel", "Books a hotel.", schema, lambda **arguments: "booked")
    assert fill("for 300 nights", hotel).missing == ("nights",)
    assert fill("for 2.5 nights", hotel).missing == ("nights",)


def test_a_parser_that_raises_or_ignores_its_schema_is_not_believed() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }

    def broken(question: str) -> dict:
        raise RuntimeError("bug")

    assert fill("take 5", Tool("a", "A.", schema, str, broken)).arguments == {"n": 5}
    assert fill("take 5", Tool("b", "B.", schema, str, lambda q: {"n": "five"})).arguments == {"n": 5}


@pytest.mark.parametrize("name", sorted(TOOLS))
@given(
    question=st.text(max_size=80)
    | st.sampled_from([e.question for label in ("text", "clock") for e in generate(label, 40, 8)])
)
@settings(max_examples=40, deadline=None)
def test_whatever_is_asked_the_arguments_fit_the_schema_or_a_slot_is_missing(name: str, question: str) -> None:
    filled = fill(question, TOOLS[name])
    assert set(filled.sources) == set(filled.arguments)
    if not filled.missing:
        TOOLS[name].check(filled.arguments)
    assert set(filled.missing).isdisjoint(filled.arguments)


def test_the_templates_arguments_are_found_mostly() -> None:
    """Agreement of the results on questions as garbled as the router's training: a floor, not a target."""
    floors = {"calculator": 0.6, "unit_converter": 0.85, "calendar": 0.7, "currency": 0.85, "text": 0.7}
    for label, floor in floors.items():
        tool = TOOLS[label]
        examples = [e for e in generate(label, 120, seed=23) if e.arguments is not None]
        same = 0
        for example in examples:
            filled = fill(example.question, tool)
            if not filled.missing:
                wanted, got = tool.call(example.arguments).text, tool.call(filled.arguments).text
                same += wanted.split("=")[-1] == got.split("=")[-1]
        assert same >= floor * len(examples), (label, same, len(examples))
