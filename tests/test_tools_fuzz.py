"""Hypothesis against every parser and every run: nothing escapes, and what a parser reads its tool accepts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.builtin import ToolConfig, default_tools
from router.builtin.dates import find_dates, read_date
from router.builtin.numbers import clean, fractions, plain, show
from router.builtin.values import number_in, value_of
from tests.phrases import to_number
from tests.tool_cases import CASES

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=timezone.utc)
TOOLS = default_tools(ToolConfig(now=lambda: NOW))
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

QUESTIONS = [question for cases in CASES.values() for question, *_ in cases]
WORDS = sorted(
    {word for question in QUESTIONS for word in question.split()}
    | set("% ^ ** / - ( ) ' \" $ € ° ½ 1e9 -0 00 9999 0.0".split())
)


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """A real question with characters deleted, doubled or replaced: what fast typing makes of it."""
    text = list(draw(st.sampled_from(QUESTIONS)))
    for _ in range(draw(st.integers(0, 4))):
        i = draw(st.integers(0, max(len(text) - 1, 0)))
        text[i : i + 1] = draw(st.sampled_from([[], text[i : i + 1] * 2, [draw(st.characters())], [" "], ["9"], ["%"]]))
    return "".join(text)


questions = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), mangled())


@pytest.mark.parametrize("name", TOOLS)
@QUICK
@given(question=questions)
def test_what_a_parser_reads_its_tool_accepts(name: str, question: str):
    tool = TOOLS[name]
    arguments = tool.parse(question)
    if arguments is not None:
        tool.check(arguments)
        result = tool.call(arguments)
        assert (result.output is None) != (result.error is None)
        assert " failed: " not in (result.error or ""), (question, arguments, result.error)
        assert value_of(result.text)
        number_in(result.text)


def values(schema: dict) -> st.SearchStrategy:
    """Values that fit one slot of a tool, extremes among them."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "integer":
        return st.integers(schema.get("minimum", -(10**6)), schema.get("maximum", 10**6))
    if schema["type"] == "number":
        return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False) | st.sampled_from(
            [0, 1, 1e-300]
        )
    sensible = [word for word in WORDS if schema.get("minLength", 0) <= len(word) <= schema.get("maxLength", 99)]
    free = st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 60), 60))
    return st.sampled_from(sensible) | free


def arguments_of(tool) -> st.SearchStrategy:
    slots = {name: values(schema) for name, schema in tool.parameters["properties"].items()}
    required = set(tool.parameters["required"])
    return st.fixed_dictionaries(
        {n: s for n, s in slots.items() if n in required},
        optional={n: s for n, s in slots.items() if n not in required},
    )


@pytest.mark.parametrize("name", TOOLS)
@QUICK
@given(data=st.data())
def test_any_arguments_that_fit_the_schema_give_an_output_or_a_tool_error(name: str, data: st.DataObject):
    result = TOOLS[name].call(data.draw(arguments_of(TOOLS[name])))
    assert (result.output is None) != (result.error is None)
    assert " failed: " not in (result.error or ""), result.error


expressions = st.recursive(
    st.integers(0, 10**12).map(str) | st.floats(0, 1e12).map(repr),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", "%", " mod ", "//", "^"]), inner).map(
            lambda t: f"({t[0]}{t[1]}{t[2]})"
        ),
        inner.map(lambda e: f"sqrt({e})"),
        inner.map(lambda e: f"-{e}"),
        inner.map(lambda e: f"({e})!"),
        inner.map(lambda e: f"{e}%"),
        st.tuples(st.sampled_from(["exp", "log", "round", "gcd", "max", "tan", "pow", "nope"]), inner, inner).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=2000)
@given(expression=expressions)
def test_no_expression_hangs_or_breaks_the_calculator(expression: str):
    result = TOOLS["calculator"].call({"expression": expression})
    assert " failed: " not in (result.error or ""), (expression, result.error)


@QUICK
@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_calculator_agrees_with_python(a: int, b: int):
    def answer(text: str) -> float:
        return float(number_in(TOOLS["calculator"].call({"expression": text}).output))

    assert answer(f"{a} + {b}") == a + b and answer(f"{a}-{b}") == a - b
    assert answer(f"{a} mod {b}") == a % b
    assert answer(f"{a}/{b}") == pytest.approx(a / b, rel=1e-8)


@QUICK
@given(
    st.floats(1e-3, 1e6),
    st.sampled_from(
        [("mi", "km"), ("°F", "°C"), ("lb", "kg"), ("cup", "ml"), ("GB", "MB"), ("mph", "m/s"), ("mpg", "L/100km")]
    ),
)
def test_converting_there_and_back_gives_the_same_quantity(value: float, pair: tuple[str, str]):
    def convert(amount: float, source: str, target: str) -> float:
        return float(
            number_in(TOOLS["unit_converter"].call({"value": amount, "from_unit": source, "to_unit": target}).output)
        )

    there = convert(value, *pair)
    back = convert(there, *pair[::-1])
    assert back == pytest.approx(float(value), rel=1e-3, abs=2e-2)


@QUICK
@given(st.dates(), st.integers(-5_000, 5_000))
def test_days_added_and_days_between_agree(day, days: int):
    try:
        end = day + timedelta(days=days)
    except OverflowError:
        return
    added = TOOLS["calendar"].call({"operation": "add_days", "date": f"{day:%Y-%m-%d}".rjust(10, "0"), "days": days})
    between = TOOLS["calendar"].call(
        {"operation": "days_between", "date": day.isoformat(), "other_date": end.isoformat()}
    )
    assert str(end.year) in added.output and f"{end:%A}" in added.output
    assert number_in(between.output) == str(abs(days))


@QUICK
@given(st.dates())
def test_every_way_of_writing_a_date_is_read_alike(day):
    if day.year < 1000:
        return
    today = NOW.date()
    ways = (
        f"{day.isoformat()}",
        f"{day.day} {day:%B} {day.year}",
        f"{day:%B} {day.day}, {day.year}",
        f"{day.day}.{day.month}.{day.year}",
        f"{day.month}/{day.day}/{day.year}",
    )
    assert {read_date(way, today) for way in ways} == {day}
    assert [found[2] for found in find_dates(f"from {ways[1]} to {ways[0]}", today)] == [day, day]


@QUICK
@given(st.text(max_size=120))
def test_number_words_never_fail(text: str):
    assert isinstance(fractions(plain(clean(text))), str)


@QUICK
@given(st.integers(0, 999_999))
def test_numbers_in_words_and_with_separators_are_read(number: int):
    assert to_number(f"{number:,}") == number == to_number(_words(number))


@QUICK
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_shown_numbers_keep_six_digits(value: float):
    assert float(show(value).replace(",", "")) == pytest.approx(value, rel=6e-6, abs=1e-300)


def _words(number: int) -> str:
    """``number`` below a million in English words, as a reference for the reader."""
    small = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    if number < 20:
        return small[number]
    if number < 100:
        return tens[number // 10 - 2] + (f"-{small[number % 10]}" if number % 10 else "")
    if number < 1000:
        return f"{small[number // 100]} hundred" + (f" and {_words(number % 100)}" if number % 100 else "")
    return f"{_words(number // 1000)} thousand" + (f" {_words(number % 1000)}" if number % 1000 else "")
