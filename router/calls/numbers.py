"""Numbers in digits and in words: "1,200.50", "5k", "twenty five", by Babel and text2num."""

from __future__ import annotations

import re
from functools import lru_cache

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl")
"""Those in which numbers and moments are read, in the order of trying."""
LANGUAGE = LANGUAGES[0]
KEPT = 2**14
"""Readings that are kept, so that the same words are read once."""
_DIGITS = re.compile(r"[-+]?[\d.,]*\d", re.ASCII)
_JOINED = re.compile(r"\d+(?:\.\d+)?(?: \d+(?:\.\d+)?)?", re.ASCII)


def number(text: str, language: str = LANGUAGE) -> int | float | None:
    """The number that ``text`` is, in digits or words: "1,200.50", "5k", "twenty five", "three point five"; or None."""
    text = " ".join(text.split())
    digits = text.removesuffix(thousand).strip() if (thousand := _thousand(text[-1:], language)) else text
    if not _DIGITS.fullmatch(digits):
        return _words(text, language)
    value = _digits(digits, language)
    return value if value is None or not thousand else whole(value * 1_000)


def whole(value: int | float) -> int | float:
    """``value``, as an int where it is whole."""
    return int(value) if float(value).is_integer() else value


def may_say_number(word: str, language: str = LANGUAGE) -> bool:
    """Whether ``word``, a word or a sign of a question, can begin or end a number."""
    return word.isdigit() or (word.isalpha() and _words(word.lower(), language) is not None)


def digits(text: str, language: str = LANGUAGE) -> str:
    """``text`` with number words as digits: "twenty ninth november" → "29th november"."""
    from text_to_num import alpha2digit

    return alpha2digit(text, language)


@lru_cache(KEPT)
def _thousand(sign: str, language: str) -> str:
    """``sign`` where it is the letter for thousands ("5k"), else ""."""
    from babel import Locale

    short = str(Locale.parse(language).compact_decimal_formats["short"]["other"]["1000"].pattern)
    return sign if sign.isalpha() and short.strip("0 \xa0").lower() == sign.lower() else ""


def _digits(text: str, language: str) -> int | float | None:
    from babel.numbers import NumberFormatError, parse_decimal

    try:
        value = parse_decimal(text, locale=language, strict=True)
    except NumberFormatError:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


@lru_cache(KEPT)
def _words(text: str, language: str) -> int | float | None:
    from text_to_num import text2num

    try:
        return text2num(text.lower(), language)
    except ValueError:
        said = digits(text.lower(), language)
    if not _JOINED.fullmatch(said):
        return None
    parts = [float(part) for part in said.split()]
    if len(parts) == 1 or (len(parts) == 2 and 0 < parts[0] < parts[1] and str(int(parts[1])).strip("0") == "1"):
        value = parts[0] * (parts[1] if len(parts) == 2 else 1)  # "2 million"
        return whole(value)
    return None
