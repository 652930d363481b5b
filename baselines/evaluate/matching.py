"""Is an answer right? Numbers are compared as numbers, text as whole words.

Leaves out meaning: a right answer in other words than the reference's is the business of ``judge``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache

Reference = str | int | float | Sequence[str | int | float]
"""Text or a number that a right answer contains, or several of which it must contain one."""

_GROUP = "[,'\u00a0\u2009\u202f]"
_DIGITS = rf"\d{{1,3}}(?:{_GROUP}\d{{3}})+(?!\d)(?:\.\d+)?|(?<!\d,)\d+,\d{{1,2}}(?![\d,.]\d|\d)|\d+(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>(?<![^\s(=:])[-\u2212])?(?P<digits>{_DIGITS})(?P<exponent>[eE][-+]?\d{{1,3}}(?!\w))?"
)
_CURRENCY = r"(?:[$€£¥₹]|[A-Z]{2,3}\$?)"
_QUANTITY = re.compile(rf"{_CURRENCY}?\s*([-\u2212]?(?:{_DIGITS}))\s*([^\d\s,.:;][^\d:;]*)?")
_NOT_UNITS = frozenset(
    "am pm a.m p.m january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec st nd rd th".split()
)
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b(?:\s+of\b)?", re.IGNORECASE)


def numbers(text: str) -> list[Decimal]:
    """The numbers that ``text`` states, in order.

    ``1,234.5``, ``1'234.5`` and ``1234.50`` are one number; ``12,5`` is 12.5; ``1e6`` is a million; a hyphen is a
    minus only where no digit or word stands before it, so that ``2025-04-15`` is 2025, 4 and 15.
    """
    text = _ORDINAL.sub(r"\1", text)
    text = re.sub(r"(?<=[\w)])-(?=\d)", " \u2010 ", text)  # a hyphen behind a word or digit is no minus
    return [_decimal(m["digits"], bool(m["sign"]), m["exponent"] or "") for m in _NUMBER.finditer(text)]


def matches(answer: str | None, reference: Reference, exact_case: bool = False) -> bool:
    """Whether ``answer`` contains the reference (one of them, where there are several).

    A number matches the same number however it is written and whatever unit word follows, on either side: ``1,234.5
    km`` and ``1234.50``; never a part of a longer one: ``16`` is not in ``160``. A reference with decimals also
    matches a number that rounds to it: ``21.0824`` for ``21.08``. Text matches whole words, without regard to case
    (unless ``exact_case``), accents, runs of space or the ending of ``4th of``.
    """
    if answer is None:
        return False
    if not isinstance(reference, str) and isinstance(reference, Sequence):
        return any(matches(answer, one, exact_case) for one in reference)
    return _contains(answer, str(reference).strip(), exact_case)


@lru_cache(maxsize=20_000)
def _contains(answer: str, wanted: str, exact_case: bool) -> bool:
    """Remembered, since one run is scored again for every threshold."""
    number = _as_quantity(wanted)
    if number is not None:
        return any(_rounds_to(found, number) for found in numbers(answer))
    words = _words(wanted, exact_case)
    return bool(words) and re.search(rf"(?<!\w){re.escape(words)}(?!\w)", _words(answer, exact_case)) is not None


def foreign_numbers(answer: str, sources: Iterable[str]) -> list[Decimal]:
    """The numbers in ``answer`` that none of ``sources`` states: the model made them up.

    A number that is a rounding of a stated one (to at least one digit fewer) is not foreign.
    """
    stated = [number for source in sources for number in numbers(source)]
    return [
        found
        for found in numbers(answer)
        if not any(found == number or _rounds_to(number, found, whole=True) for number in stated)
    ]


def same_number(one: Decimal, other: Decimal) -> bool:
    """Whether two stated numbers are equal, or one of them is the other rounded to its decimals (never to a whole
    number)."""
    return _rounds_to(one, other) or _rounds_to(other, one)


def _rounds_to(found: Decimal, wanted: Decimal, whole: bool = False) -> bool:
    """Equal, or ``found`` rounds half up or half even to ``wanted`` at its decimals. Whole numbers only match
    themselves, unless ``whole``."""
    if found == wanted:
        return True
    decimals = -int(wanted.as_tuple().exponent)
    if decimals <= 0 and not whole:
        return False
    return abs(found - wanted) <= Decimal(5).scaleb(-max(decimals, 0) - 1)


def _as_quantity(text: str) -> Decimal | None:
    """The number of a reference that is one number, perhaps with a currency before or unit words behind it."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    words = set(re.findall(r"[^\W\d_.]+(?:\.[^\W\d_]+)*", (match[2] or "").casefold()))
    if words & _NOT_UNITS:
        return None
    sign = match[1][0] in "-\u2212"
    return _decimal(match[1].lstrip("-\u2212"), sign)


def _decimal(digits: str, negative: bool, exponent: str = "") -> Decimal:
    if re.fullmatch(r"\d+,\d{1,2}", digits):
        digits = digits.replace(",", ".")
    value = Decimal(re.sub(_GROUP, "", digits) + exponent)
    return -value if negative else value


def _words(text: str, exact_case: bool) -> str:
    text = unicodedata.normalize("NFKD", text).replace("\u2019", "'")
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = " ".join(_ORDINAL.sub(r"\1", text).split())
    return text if exact_case else text.casefold()
