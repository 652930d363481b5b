"""Numbers as people write and say them: "1,234.5", "2,5", "1.5k", "two hundred and five", "half a dozen".

Shared by the tools' parsers; leaves out ordinals (dates read their own) and every language but English.
"""

from __future__ import annotations

import re
import unicodedata

MAX_QUESTION = 2_000
"""Characters of a question that parsers read: beyond it no parser is sure of anything."""

MAX_SHORT = 300
"""Characters of a question that asks for a conversion, a time or the weather; a longer one is a story."""

UNSIGNED = r"(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d{1,3})?"
NUMBER = rf"[-+]?{UNSIGNED}"
"""A number after ``plain``: no separators, a point for decimals."""

_UNITS = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split(),
        range(20),
    )
)
_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10)))
_TENS["fourty"] = 40
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_SCALES |= {"dozens": 12, "hundreds": 100, "thousands": 1_000, "millions": 10**6, "billions": 10**9, "score": 20}
_SMALL = _UNITS | _TENS
_PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourths": 4, "fifth": 5}
_PARTS |= {"fifths": 5, "sixth": 6, "eighth": 8, "eighths": 8, "tenth": 10, "tenths": 10}
_WORD = "|".join(sorted((*_SMALL, *_SCALES), key=len, reverse=True))
_RUN = re.compile(
    rf"(?<![\w.])(?:(?:an?\s+)?(?:hundred|thousand|million|billion|trillion|dozen)|{'|'.join(_SMALL)}"
    rf"|\d+(?:\.\d+)?(?=\s+(?:{'|'.join(_SCALES)})\b))"
    rf"(?:[\s-]+(?:and\s+)?(?:point\s+)?(?:{_WORD})\b)*(?![\w])"
)
_FRACTION = re.compile(
    rf"\b(an?|{'|'.join(_UNITS)}|\d+)[\s-]+({'|'.join(_PARTS)})(?:\s+of)?(?:\s+an?)?\s+(?=[\w$£€.(])"
)
_GLYPHS = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8"}


class Clean(str):
    """Text that ``clean`` has gone over."""

    __slots__ = ()


def clean(question: str, limit: int = MAX_QUESTION) -> Clean:
    """``question`` on one line, with straight quotes, plain minus signs and single spaces.

    Returns "" for a question of more than ``limit`` characters: no parser is sure of such a one.
    """
    if len(question) > limit:
        return Clean()
    return question if isinstance(question, Clean) else _normalised(question)


def _normalised(question: str) -> Clean:
    for glyph, ascii_form in _GLYPHS.items():
        if glyph in question:
            question = re.sub(rf"(\d)\s*{glyph}", lambda m, f=ascii_form: f"{m[1]} {f}", question)
            question = question.replace(glyph, ascii_form)
    question = question.translate(_QUOTES)
    question = unicodedata.normalize("NFKC", question)
    return Clean(" ".join(question.split()))


_QUOTES = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "′": "'", "″": '"', "−": "-", "–": "-", "—": "-"}
)


def plain(text: str) -> str:
    """Lower-case ``text`` with every number written as digits: "Two hundred and five" → "205", "1,500" → "1500"."""
    text = _unseparate(text.lower())
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)k(?=\s+(?!in\b|to\b|as\b|into\b)[a-z]|\s*(?:[-+*/)?]|$))", _kilo, text)
    text = re.sub(r"(?<![\w.])(\d+)\s+(\d)/(\d+)(?![\d/.])", lambda m: _trim(int(m[1]) + _ratio(m[2], m[3])), text)
    text = re.sub(r"\b(half)\s+(?:a\s+)?dozen\b", "6", text)
    text = re.sub(r"\bhalf\s+an?\s+(hundred|thousand|million|billion|trillion)\b", r"0.5 \1", text)
    text = re.sub(r"(?<=\d)\s+grand\b", " thousand", text)
    text = re.sub(r"\ba\s+couple(?:\s+of)?\b", "2", text)
    text = _RUN.sub(lambda m: _trim(_value(m[0])), text)
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)\s+and\s+an?\s+half\b", lambda m: _trim(float(m[1]) + 0.5), text)
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)\s+and\s+(?:a\s+)?quarter\b", lambda m: _trim(float(m[1]) + 0.25), text)
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)\s+and\s+(\d)\s+quarters\b", _quarters, text)
    text = re.sub(r"\b(?:one|1|a)\s+(\w+)\s+and\s+a\s+half\b", r"1.5 \1", text)
    return text


def to_number(text: str) -> float | int | None:
    """The one number that ``text`` says, or None."""
    text = plain(clean(text)).strip().replace("−", "-")
    return number(text) if re.fullmatch(NUMBER, text) else None


def number(digits: str) -> float | int:
    """The value of a plain digit string; whole values are ints."""
    value = float(digits)
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def show(value: float | int, digits: int = 6) -> str:
    """A number for people: separators, ``digits`` significant digits, an exponent only where it is very large or small.

    Integers keep every digit up to 10^30.
    """
    if isinstance(value, int) and abs(value) < 10**30:
        return f"{value:,}"
    if isinstance(value, int):
        text = str(value)
        return f"{text[0]}.{text[1:digits]}e+{len(text) - 1 - (value < 0)}" if value > 0 else "-" + show(-value, digits)
    if value == 0:
        return "0"
    if abs(value) >= 1e15 or abs(value) < 1e-6:
        return f"{value:.{digits}g}"
    if float(value).is_integer():
        return f"{int(value):,}"
    decimals = max(digits - len(str(int(abs(value)))), 2) if abs(value) >= 1 else digits + _leading_zeros(value)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _leading_zeros(value: float) -> int:
    text = f"{abs(value):.15f}".split(".")[1]
    return len(text) - len(text.lstrip("0"))


def _unseparate(text: str) -> str:
    text = re.sub(
        r"(?<![\d.,])\d{1,3}(?:\.\d{3})+,\d{1,2}(?![\d,.])", lambda m: m[0].replace(".", "").replace(",", "."), text
    )
    text = re.sub(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?![\d,]*\d{4}|\d)", lambda m: m[1].replace(",", ""), text)
    text = re.sub(r"(?<![\d.,])(\d{1,3}(?:['  _]\d{3})+)(?!\d)", lambda m: re.sub(r"\D", "", m[1]), text)
    return re.sub(r"(?<![\d.,])(\d+),(\d{1,2}|\d{4,})(?![\d,.])", r"\1.\2", text)


def _kilo(match: re.Match[str]) -> str:
    return _trim(float(match[1]) * 1000)


def _quarters(match: re.Match[str]) -> str:
    return _trim(float(match[1]) + int(match[2]) / 4)


def _ratio(numerator: str, denominator: str) -> float:
    return int(numerator) / int(denominator) if int(denominator) else 0.0


def _value(run: str) -> float:
    """The value of a run of number words, after the rule of "two hundred and five thousand point six"."""
    total = current = 0.0
    decimals = ""
    seen_point = False
    for word in re.findall(r"[a-z]+|\d+(?:\.\d+)?", run):
        if word == "point":
            seen_point = True
        elif seen_point and word in _SMALL:
            decimals += str(_SMALL[word])
        elif word in _SMALL:
            current += _SMALL[word]
        elif word[0].isdigit():
            current += float(word)
        elif word in ("hundred", "hundreds", "dozen", "dozens", "score"):
            current = (current or 1) * _SCALES[word]
        elif word in _SCALES:
            point = float(f"0.{decimals}") if decimals else 0.0
            total += ((current or (0 if decimals else 1)) + point) * _SCALES[word]
            current, decimals, seen_point = 0.0, "", False
    return total + current + (float(f"0.{decimals}") if decimals else 0.0)


def _trim(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(round(value, 12))


def fractions(text: str) -> str:
    """ "half of", "a third of", "3 quarters of" as "0.5 of", "(1/3) of"... in a text after ``plain``."""
    text = re.sub(r"\bhalf\s+(?:of\s+)?(?:an?\s+)?(?=[\w$£€.(])", "0.5 of ", text)
    return _FRACTION.sub(lambda m: f"{_share(m[1], m[2])} of ", text)


def _share(count: str, part: str) -> str:
    top = 1 if count in ("a", "an") else _UNITS.get(count, None)
    top = int(count) if top is None else top
    bottom = _PARTS[part]
    return _trim(top / bottom) if bottom in (2, 4, 5, 8, 10) else f"({top}/{bottom})"
