"""Numbers, units and money are right or handed over: what was got wrong once by its kind, and phrases whose value is known."""

from __future__ import annotations

import random
import re
from datetime import datetime, timezone
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.builtin import ToolConfig, default_tools
from router.builtin import currency as currency_room
from router.builtin.numbers import to_number
from router.network import Router
from router.plans import plan
from router.types import Question
from tests.phrases import KINDS, RATES

NOW = datetime(2026, 11, 28, 10, 0, tzinfo=timezone.utc)
TOOLS = default_tools(ToolConfig(now=lambda: NOW))


@pytest.fixture(autouse=True)
def round_rates(monkeypatch):
    """Rates that a phrase's value can be reckoned with, and 7 for a euro of any other currency."""
    monkeypatch.setattr(currency_room, "_rate", lambda converter, code, day: (RATES.get(code, 7.0), day))


@cache
def router() -> Router:
    return Router.from_pretrained()


def answer(question: str) -> float | None:
    """The number that the plan for ``question`` ends with; None where it makes no call, or the call says an error."""
    made = plan(question, router(), TOOLS)
    if made.outcome != "call":
        return None
    step = made.steps[-1]
    output = (step.result or TOOLS[step.call.tool].call(step.call.arguments)).output
    if output is None:
        return None
    found = re.search(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?", output.rsplit(" = ", 1)[-1])
    return float(found[0].replace(",", "")) if found else None


VALUES = {
    # leading points and commas, separators
    ".5 miles in km": 0.804672, "what's .5% of 200": 1, ",89 EUR in USD": 1.11, "convert .75 inches to mm": 19.05,
    "$.99 in euros": 0.79, "-.5 C in F": 31.1, ".5 + .25": 0.75, ",5 km in miles": 0.310686, "2,5 kg in pounds": 5.51156,
    "1.234.567 yen in euros": 7716.04, "1,00,000 rupees in euros": 1000, "1 234,56 EUR in USD": 1543.2, "1.609 km in miles": 0.999786,
    # scale words and suffixes
    "$1bn in euros": 8e8, "1 lakh rupees in euros": 1000, "3 crore rupees in euros": 300_000, "2.5 mn dollars in euros": 2e6,
    "half a million yen in euros": 3125, "two dozen kg in pounds": 52.9109, "three score miles in km": 96.5606, "$2.5k in euros": 2000,
    "five score and seven plus 3": 110, "USD 1.5M in EUR": 1.2e6,
    # fractions in words and signs, mixed numbers
    "two and one half inches in cm": 6.35, "two thirds of a cup in ml": 157.725, "½ cup in ml": 118.294, "2½ cups in ml": 591.471,
    "three quarters of a mile in metres": 1207.01, "half a litre in cups": 2.11338, "a third of 90": 30, "⅔ of 90": 60,
    "2 1/2 miles in km": 4.02336, "3-1/2 miles in km": 5.6327, "two and a quarter hours in minutes": 135, "two thirds plus one third": 1,
    "how many kg are there in ⅕ pounds?": 0.0907185, "1 ¾ cups in ml": 414.029, "quarter of a pound in grams": 113.398, "what is 3²": 9,
    # powers of ten
    "1e3 m in km": 1, "1.5 x 10^3 kg in tonnes": 1.5, "5E3 km in miles": 3106.86, "1.5 × 10⁶ m in km": 1500, "multiply 5 x 10^3 by 26": 130_000,
    # negative operands, remainders, percentages
    "17 modulo -5": -3, "-17 mod 5": 3, "17 % 5": 2, "17 mod minus 5": -3, "100 minus -3": 103, "remainder of 17 divided by -5": -3,
    "20% off 80": 64, "add 20% to 50": 60, "½% of 200": 1, "what is 50 plus 10%": 55,
    # bits and bytes, capitals that change a unit
    "100 MB in Mb": 800, "100 Mb in MB": 12.5, "1 GiB in MB": 1073.74, "500 Mbps in MB/s": 62.5, "8 Mbit in kB": 1000, "10 Gb to GB": 1.25,
    # several units for one quantity
    "convert 1h20m to minutes": 80, "1h20 in minutes": 80, "5ft11 in cm": 180.34, "6'2\" in cm": 187.96, "2lb 3oz in kg": 0.992233,
    "10st 4lb in kg": 65.3173, "2 days 3 hours in hours": 51, "5 foot 11 in centimetres": 180.34, "90m in hours": 1.5, "4'2\" to inches": 50,
    "-40 F in C": -40, "minus 10 degrees celsius in fahrenheit": 14, "3 cubic inches in cubic cm": 49.1612, "5 metres squared in square feet": 53.8196,
    # a conversion's two ends, in every order
    "JPY 5000 in EUR": 31.25, "in EUR 5000 JPY": 31.25, "5000¥ to €": 31.25, "how many euros is £50": 62.5, "dollars for 20 euros": 25,
    "EUR 50 in dollars": 62.5, "usd to eur 200": 160, "how many yen in 5 dollars": 640, "CA$30 in euros": 20, "yen to euros 5000": 31.25,
    "how many dollars do i get for 100 euros": 125, "miles to km 26.2": 42.1648, "in kg, 10 pounds": 4.53592,
    "100 usd to eur and gbp": 64, "in eur and in usd 100 gbp": 156.25, "90 in euros from dollars": 72,
    "i got two thousand yen from my trip, what's that in euros": 12.5, "how many km is a half marathon if its 13.1 miles": 21.0824,
}  # fmt: skip

HANDED_OVER = {
    "€2.500 in pounds": "2.500", "£3.750 to euros": "3.750", "12.000 m in km": "12.000",
    "5-10 miles in km": "5", "between 5 and 10 kg in pounds": "between", "5 to 10 dollars in euros": "5", "47-75 pounds in grams": "47",
    "several hundred dollars in euros": "hundred", "thousands of dollars in euros": "thousands", "a few miles in km": "few",
    "what is 9": "9", "9": "9", "what's 12?": "12", "what is thirty?": "30", "/17*3": "3", "50 bitcoin in dollars": "bitcoin", "10 old pounds in euros": "old",
    "10 zimbabwe dollars in euros": "10", "5 ounces of gold in grams": "gold", "5 kg in km": "5", "3 hours in kg": "3",
    "how many miles in a kilogram": "miles", "5 miles in km doubled": "doubled", "100 usd to eur or gbp": "or", "10 in cm": "10",
    "what is 75 kg in pounds if i lose 10 percent": "in pounds", "100 usd in eur last year": "last",
    "how many characters in hello world": "characters", "uppercase the reverse of abc": "uppercase", "nineteen ninety nine plus 1": "19",
}  # fmt: skip


@pytest.mark.parametrize(("question", "value"), VALUES.items(), ids=VALUES)
def test_a_quantity_is_read_as_it_is_meant(question: str, value: float):
    assert answer(question) == pytest.approx(value, rel=1e-4, abs=0.005)


@pytest.mark.parametrize(("question", "said"), HANDED_OVER.items(), ids=HANDED_OVER)
def test_what_is_not_understood_is_handed_over_and_named(question: str, said: str):
    made = plan(question, router(), TOOLS)
    assert made.abstained and f"does not take {said!r} in" in made.reason, (made.steps, made.reason)


def test_a_follow_up_that_names_one_unit_alone_is_handed_over():
    before = (
        {"role": "user", "content": "How tall is 5 foot 11 in centimetres?"},
        {"role": "assistant", "content": "180.34 cm"},
    )
    assert plan(Question("and in metres?", before), router(), TOOLS).abstained


@pytest.mark.parametrize(
    "question",
    ["a room of 70 square meters in square feet", "my gran's recipe says 350 fahrenheit, what do i set my oven to in C",
     "how much was 50 pounds in euro on the day of the brexit vote, 23/6/2016", "the taxi was 30 euros, what's that in dollars"],
)  # fmt: skip
def test_scenery_does_not_keep_a_conversion_from_being_read(question: str):
    assert answer(question) is not None


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_a_phrase_is_given_its_value_or_handed_over(kind: str, seed: int):
    question, value = KINDS[kind](random.Random(seed))
    given = answer(question)
    if given is not None:
        assert value is not None, (question, given)
        assert given == pytest.approx(value, rel=6e-3, abs=0.0051 if abs(value) > 0.009 else 1e-9), question


@pytest.mark.parametrize(
    ("said", "value"),
    [("two hundred and five", 205), ("a thousand and one", 1001), ("three million two hundred thousand", 3_200_000), ("twenty-six point two", 26.2),
     ("hundred million", 10**8), ("5 lakh", 500_000), ("1.5bn", 1.5e9), ("two and a half", 2.5), ("half a dozen", 6), ("7⅜", 7.375)],
)  # fmt: skip
def test_number_words_are_one_number(said: str, value: float):
    assert to_number(said) == value


@pytest.mark.parametrize(
    "said", ["one two three", "nineteen eighty four", "several hundred", "thousands", "2.5.1", "5 or 6"]
)
def test_words_that_make_no_one_number_make_none(said: str):
    assert to_number(said) is None


def test_the_words_that_readings_understand_are_kept_with_the_router(tmp_path):
    router().save_pretrained(tmp_path)
    assert Router.from_pretrained(tmp_path).understood == router().understood and router().understood["unit_converter"]


def test_without_learned_words_none_is_missed():
    """A router that has learned no words of readings (trained before there were any) acts as the parsers read."""
    assert plan("a 12 mile stroll in kilometers", router().having(understood={}), TOOLS).outcome == "call"
    assert plan("a 12 mile stroll in kilometers", router(), TOOLS).abstained
