"""An answer is right when it contains the reference: numbers as numbers, text as whole words."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.evaluate.matching import foreign_numbers, matches, numbers


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("It is 1234.50 km.", "1,234.5"),
        ("1,234.5", 1234.5),
        ("That makes 1234.50.", "1'234.5"),
        ("16 km", "16"),
        ("It's 16km away", "16 miles"),
        ("42.165 kilometres", "42.165 km"),
        ("21.0824 km", "21.08"),
        ("€89.91 on 2 March", "89.91 EUR"),
        ("The total is $11.61.", "$11.61"),
        ("x = -5", "-5"),
        ("−5 degrees", -5),
        ("2^20 = 1,048,576", "1048576"),
        ("12,5 kg", "12.5"),
        ("1e6 people", "1,000,000"),
        ("It falls on April 15th, 2025", "April 15"),
        ("the 15th of April", "15 April"),
        ("on 2025-04-15", "2025-04-15"),
        ("The capital is ASUNCIÓN", "Asuncion"),
        ("it's   South\nAmerica", "south america"),
        ("No, 1900 is not a leap year", ["no", "not"]),
        ("about 4 PM", "4 pm"),
    ],
)
def test_matches(answer: str, reference: object) -> None:
    assert matches(answer, reference)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("160", "16"),
        ("1.16", "16"),
        ("0.16", "16"),
        ("16.4", "16"),
        ("-5", "5"),
        ("B16", "16"),
        ("version 1.16.2", "16"),
        ("21.09 km", "21.08"),
        ("Romania", "Oman"),
        ("25 April", "5 April"),
        ("about 4 AM", "4 pm"),
        ("1,234", "234"),
        ("", "1"),
        (None, "1"),
        ("anything", ""),
        ("please do not", "PLEASE DO"),
    ],
)
def test_does_not_match(answer: str | None, reference: str) -> None:
    assert not matches(answer, reference, exact_case=reference.isupper())


def test_a_hyphen_between_digits_is_no_minus() -> None:
    assert numbers("10-5 on 2025-04-15") == [10, 5, 2025, 4, 15]


@given(st.decimals(-(10**9), 10**9, places=2))
def test_every_way_to_write_a_number_is_the_same_number(value: Decimal) -> None:
    written = [f"{value}", f"{value:,}", f"it is {value:,} km.", f"({value:.4f})", f"{value:,}".replace("-", "\u2212")]
    assert all(matches(text, str(value)) for text in written)
    assert not any(matches(text, str(value + 10)) for text in written)


@given(st.text(), st.text())
def test_any_text_can_be_matched(answer: str, reference: str) -> None:
    assert matches(answer, reference) in (True, False)
    numbers(answer)


def test_foreign_numbers_are_those_that_no_source_states() -> None:
    assert foreign_numbers("42.2 km, so 7 laps", ["26.2 mi = 42.165 km"]) == [7]
    assert foreign_numbers("26.2 miles is 42.165 km", ["how far is 26.2 mi", "26.2 mi = 42.165 km"]) == []
