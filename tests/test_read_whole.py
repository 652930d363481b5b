"""Questions that ask for more than one call of a tool does, or for something else: not answered in part."""

from __future__ import annotations

import pytest

from router.builtin import default_tools
from router.network import Router
from router.plans import plan

ROUTER, TOOLS = Router.from_pretrained(), default_tools()


@pytest.mark.parametrize(
    "question",
    [
        "square root of minus 9",
        "factorial of minus 3",
        "80 is 20% of what",
        "divide 5 into 100",
        "temperature rise of 10 degrees C in F",
        "how many kilometres are not in 5 miles",
        "convert 3 kg to lb and save it",
        "convert 5 miles to km and email it to Bob",
        "spell rhythm and count its vowels",
        "uppercase the word hello and then reverse it",
        "how many letters in hello world without the space",
        "how many letters are in the alphabet",
        "spell the opposite of hot",
        "reverse it",
        "uppercase my name",
        "weather in Oslo tomorrow not today",
        "will it rain in Oslo tomorrow and tell my boss",
        "will it rain tomorrow in Oslo and if so remind me to bring an umbrella",
        "did it rain in London",
        "why is it so hot in Dubai",
    ],
)
def test_what_a_call_does_not_take_in_makes_no_call(question: str) -> None:
    assert plan(question, ROUTER, TOOLS).outcome != "call"


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("5 less than 12", {"expression": "12 - 5"}),
        ("what is 12 less 5", {"expression": "12 - 5"}),
        ("square root of 16", {"expression": "sqrt(16)"}),
        ("30 celsius in fahrenheit", {"value": 30, "from_unit": "°C", "to_unit": "°F"}),
        ("count the words in the quick brown fox", {"operation": "count_words", "text": "the quick brown fox"}),
        ('reverse "it"', {"operation": "reverse", "text": "it"}),
        ("what's the weather in Oslo tomorrow", {"place": "Oslo", "day": "tomorrow"}),
    ],
)
def test_what_is_like_them_and_whole_is_called(question: str, arguments: dict) -> None:
    found = plan(question, ROUTER, TOOLS)
    assert found.outcome == "call" and found.steps[0].call.arguments == arguments
