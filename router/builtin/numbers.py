"""Numbers as people write and say them: "1,234.5", ".5", "2,5", "1.5k", "1 lakh", "two and one half", "2½", "3 x 10^4".

Shared by the tools' parsers; leaves out ordinals (dates read their own) and every language but English. Words that
make no number together stay apart ("nineteen eighty" is 19 80), so that what nobody takes in is seen to be left over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from fractions import Fraction

MAX_QUESTION = 2_000
"""Characters of a question that parsers read: beyond it no parser is sure of anything."""

MAX_SHORT = 300
"""Characters of a question that asks for a conversion, a time or the weather; a longer one is a story."""

AMBIGUOUS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}\.\d\d0(?![\d.,]*\d)")
"""2.500 is two and a half to some and two thousand five hundred to others."""
UNSIGNED = r"(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d{1,3})?"
NUMBER = rf"[-+]?{UNSIGNED}"
"""A number after ``plain``: no separators, a point for decimals."""

_ONES = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split(),
        range(20),
    )
)
_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10))) | {"fourty": 40}
_SMALL = _ONES | _TENS
_SCALES = {"hundred": 100, "thousand": 10**3, "lakh": 10**5, "lac": 10**5, "million": 10**6, "crore": 10**7}
_SCALES |= {"billion": 10**9, "trillion": 10**12, "quadrillion": 10**15, "dozen": 12}
_OPENS = frozenset(_SCALES)
"""Scale words that a number may begin with; "thousands of" says no number."""
_VAGUE = frozenset(("several", "few", "some", "many"))
"""Words that leave open how many hundreds there are."""
_SCALES |= {f"{word}s": value for word, value in _SCALES.items()} | {"score": 20, "gross": 144, "grand": 1_000}
_SUFFIXES = {"k": 10**3, "m": 10**6, "mn": 10**6, "mln": 10**6, "mio": 10**6, "b": 10**9, "bn": 10**9}
_SUFFIXES |= {"t": 10**12, "tn": 10**12, "trn": 10**12}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8}
_PARTS |= {"ninth": 9, "tenth": 10, "twelfth": 12, "sixteenth": 16, "hundredth": 100, "thousandth": 1000}
_PARTS |= {f"{word}s": value for word, value in _PARTS.items()} | {"halves": 2}
PARTS = frozenset((*_PARTS, *_SCALES))
"""Words that make another quantity of one."""
_PART = rf"({'|'.join(sorted(_PARTS, key=len, reverse=True))})\b"
_PLAIN = r"(?<![\w.])(\d+(?:\.\d+)?)"
_OVER = r"(\d{1,3})/(\d{1,3})(?![\d/.])"
_SIGNS = "$€£¥₹"
_QUOTES = {"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "′": "'", "″": '"'}
_STRAIGHT = str.maketrans(_QUOTES | dict.fromkeys("−–—‐‑", "-"))


class Clean(str):
    """Text that ``clean`` has gone over."""

    __slots__ = ()


def clean(question: str, limit: int = MAX_QUESTION) -> Clean:
    """``question`` on one line, with straight quotes, plain minus signs, "1/2" for ½, "^2" for a number's ² and single
    spaces.

    Returns "" for a question of more than ``limit`` characters: no parser is sure of such a one.
    """
    if len(question) > limit:
        return Clean()
    return question if isinstance(question, Clean) else _normalised(question)


def _normalised(question: str) -> Clean:
    if not question.isascii():
        question = re.sub(r"(\d?)(\s*)([\u00bc-\u00be\u2150-\u215e])", _glyph, question)
        question = re.sub(r"(?<=[\d)])[⁻⁰¹²³⁴-⁹]+", r"^\g<0>", question).translate(_STRAIGHT)
        question = unicodedata.normalize("NFKC", question).translate(_STRAIGHT)
    return Clean(" ".join(question.split()))


def _glyph(match: re.Match[str]) -> str:
    part = Fraction(unicodedata.numeric(match[3])).limit_denominator(10)
    return f"{match[1]}{' ' if match[1] else match[2]}{part.numerator}/{part.denominator}"


def plain(text: str) -> str:
    """Lower-case text after ``digits``."""
    return digits(text.lower())


def digits(text: str) -> str:
    """``text`` with every number written as digits: "Two hundred and five" → "205", "1,500" → "1500", ".5" → "0.5"."""
    text = _unseparate(text)
    for pattern, put in _WRITTEN:
        text = pattern.sub(put, text)
    text = _spoken(text)
    for pattern, put in _MIXED:
        text = pattern.sub(put, text)
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
    for pattern, put in _SEPARATED:
        text = pattern.sub(put, text)
    return text


def _joined(match: re.Match[str]) -> str:
    return re.sub(r"[^\d]", "", match[0])


def _continental(match: re.Match[str]) -> str:
    return match[0].replace(".", "").replace(" ", "").replace(",", ".")


def _leading(match: re.Match[str]) -> str:
    """The 0.89 of ",89"; the comma of "3 ,5 and 7" only separates."""
    return match[0] if match.string[: match.start()].rstrip()[-1:].isdigit() else f"0.{match[1]}"


_SEPARATED = [
    (re.compile(pattern), put)
    for pattern, put in [
        (r"(?<![\d.,])\d{1,3}(?:\.\d{3})+,\d+(?![\d,.])|(?<![\d.,])\d{1,3}(?: \d{3})+,\d{1,2}(?![\d,.])", _continental),
        (r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![\d.,]*\d)", _joined),
        (r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,]*\d{4}|\d)|(?<![\d.,])\d{1,2}(?:,\d\d)+,\d{3}(?![\d,]*\d)", _joined),
        (r"(?<![\d.,])(?<!\d )\d{1,3}(?:['_ ]\d{3})+(?!\d)(?! \d)", _joined),
        (r"(?<![\d.,(])(\d+),(\d{1,2}|\d{4,})(?![\d,.])", r"\1.\2"),
        (r"(?<![\w.,)]),(\d{1,2})(?![\d,.])", _leading),
        (r"(?<![\w.,)])\.(?=\d)", "0."),
    ]
]


def _scaled(match: re.Match[str]) -> str:
    *before, count, suffix = match.groups()
    return "".join(before) + _trim(float(count) * _SUFFIXES[suffix.lower()])


def _power(match: re.Match[str]) -> str:
    return _trim(float(Fraction(match[1]) * Fraction(10) ** int(match[2])))


_WRITTEN = [
    (re.compile(pattern, re.IGNORECASE), put)
    for pattern, put in [
        (r"(?<![.^*/]\s)(?<![\w.^*/])(\d+(?:\.\d+)?)\s?[x×*·]\s?10\s?(?:\^|\*\*)\s?([-+]?\d{1,2})(?![\w.])", _power),
        (r"(?<![.^*/]\s)(?<![\w.^*/])10\s?(?:\^|\*\*)\s?(-?\d{1,2})(?=\s+[a-z])", lambda m: _trim(10.0 ** int(m[1]))),
        (r"(?<=\d)e(?=[+-]?\d)", "e"),
        (rf"{_PLAIN}(k)(?=\s+(?!in\b|to\b|as\b|into\b)[a-z]|\s*(?:[-+*/)?]|$))", _scaled),
        (rf"{_PLAIN}\s?(mn|mln|mio|bn|trn)\b", _scaled),
        (rf"([{_SIGNS}]\s?)(\d+(?:\.\d+)?)\s?({'|'.join(_SUFFIXES)})\b", _scaled),
        (r"\bhalf\s+(?:a\s+)?dozen\b", "6"),
        (rf"\bhalf\s+an?\s+({'|'.join(_OPENS)})\b", r"0.5 \1"),
        (r"\ba\s+couple(?:\s+of)?\b", "2"),
        (rf"{_PLAIN}\s+point\s+(\d+)\b", r"\1.\2"),
    ]
]


def _spoken(text: str) -> str:
    """``text`` with its number words in digits."""
    words = list(re.finditer(r"[^\W\d_]+|(?<![\d.])\d+(?:\.\d+)?", text))
    said = [word[0].lower() for word in words]
    follows = [
        i > 0 and re.fullmatch(r"[\s-]+", text[words[i - 1].end() : words[i].start()]) for i in range(len(words))
    ]
    out, at, i = [], 0, 0
    while i < len(words):
        end, value = _cardinal(said, follows, i)
        if end > i:
            out += [text[at : words[i].start()], _trim(value)]
            at, i = words[end - 1].end(), end
        else:
            i += 1
    return "".join([*out, text[at:]])


def _cardinal(said: Sequence[str], follows: Sequence[object], first: int) -> tuple[int, float]:
    """(end, value) of the number in words that begins at ``first``, where ``end`` is ``first`` if none does. It is as
    long as its words make one number by the rule of "two hundred and five thousand point six"."""
    word, after = said[first], said[first + 1] if first + 1 < len(said) and follows[first + 1] else ""
    total = current = 0.0
    room = 0.0  # what the next small word has to be below
    if word in ("a", "an") and after in _OPENS or word[0].isdigit() and after in _SCALES:
        current, end = (float(word) if word[0].isdigit() else 1.0), first + 1
    elif word in _SMALL:
        current, end, room = float(_SMALL[word]), first + 1, (10.0 if word in _TENS else 0.0)
    elif word in _OPENS and (not first or said[first - 1] not in _VAGUE):
        current, end = 1.0, first
    else:
        return first, 0.0
    while end < len(said) and (follows[end] or end == first):
        word = said[end]
        linked = word == "and" and said[end - 1] in _SCALES and end + 1 < len(said) and said[end + 1] in _SMALL
        if linked and 0 < _SMALL[said[end + 1]] < room and follows[end + 1]:
            end, word = end + 1, said[end + 1]
        if word in _SCALES and _SCALES[word] < 10**3 and current < 10**3:
            current, room = current * _SCALES[word], float(_SCALES[word])
        elif word in _SCALES and current:
            total, current, room = total + current * _SCALES[word], 0.0, float(_SCALES[word])
        elif word in _SCALES and said[end - 1] in _SCALES:
            total, room = total * _SCALES[word], float(_SCALES[word])
        elif word in _SMALL and 0 < _SMALL[word] < room:
            current, room = current + _SMALL[word], (10.0 if word in _TENS else 0.0)
        elif word in ("hundred", "thousand") or word != "point":
            break
        else:
            tail = end + 1
            while tail < len(said) and follows[tail] and _ONES.get(said[tail], 10) < 10:
                tail += 1
            if tail == end + 1:
                break
            current += float("0." + "".join(str(_ONES[digit]) for digit in said[end + 1 : tail]))
            end, room = tail - 1, 0.0
        end += 1
    return end, total + current


def _sum(match: re.Match[str]) -> str:
    """The 2.5 of "2 1/2" and of "2 and a half"."""
    whole, top, bottom = match[1], match[2] or "1", match[3]
    bottom = _PARTS[bottom.lower()] if bottom.lower() in _PARTS else int(bottom)
    fits = whole.isdigit() and top.isdigit() and 0 < int(top) < bottom
    return _trim(float(int(whole) + Fraction(int(top), bottom))) if fits else match[0]


def _unit_and_part(match: re.Match[str]) -> str:
    """The 1.5 hours of "an hour and a half"."""
    whole = 1 if match[1].lower() in ("a", "an") else float(match[1])
    return f"{_trim(whole + 1 / _PARTS[match[3].lower()])} {match[2]}"


_MIXED = [
    (re.compile(pattern, re.IGNORECASE), put)
    for pattern, put in [
        (r"(?<![\w./^*])(\d+)(?:\s+and\s+|\s+|-(?=\d+/\d+\s*[a-z°\"']))" + _OVER, _sum),
        (rf"(?<![\w./^*])(\d+)[\s-]+and[\s-]+(?:an?|(\d+))[\s-]+{_PART}(?!\s+(?:past|to)\b)", _sum),
        (rf"\b(an?|\d+)\s+([a-z]+)\s+and\s+an?\s+{_PART}(?=\s+(?:in|into|to|as|is|from|ago)\b|\W*$)", _unit_and_part),
        (
            r"(?<![\w./])(\d+)/(\d+)(?=\s*(?:%|per\s?cent))",
            lambda m: _trim(int(m[1]) / int(m[2])) if int(m[2]) else m[0],
        ),
        (r"\bhalf\s+a\s+(?=per\s?cent)", "0.5 "),
    ]
]


def _trim(value: float) -> str:
    value = float(value)
    return (
        str(int(value))
        if value.is_integer() and abs(value) < 1e21
        else repr(round(value, 12) if abs(value) > 1e-3 else value)
    )


def fractions(text: str) -> str:
    """ "half of", "a third of", "3 quarters of" as "0.5 of", "(1/3) of"... in a text after ``plain``."""

    def exact(top: int, bottom: int) -> str:
        return f"{_trim(top / bottom)} of " if bottom in (2, 4, 5, 8, 10) else f"({top}/{bottom}) of "

    text = _ALONE.sub(lambda m: f"({m[1] if m[1].isdigit() else 1}/{_PARTS[m[2]]})", text)
    return _shares(text, exact)


def portions(text: str, named: Callable[[str], bool]) -> str:
    """``text`` after ``digits``, with the part of a thing as a number before it: "half a cup" → "0.5 cup".

    ``named`` says whether a text begins with the name of such a thing: "a half marathon" is no half of one.
    """

    def portion(match: re.Match[str]) -> str:
        top, bottom = match[1] or "1", match[2] or match[3] or match[4]
        top = match[5] or top
        bottom = _PARTS[bottom.lower()] if bottom.lower() in _PARTS else int(bottom)
        rest = text[match.end() :]
        return f"{_trim(float(top if top.isdigit() else 1) / bottom)} " if bottom and named(rest) else match[0]

    text = _PORTION.sub(portion, text)
    return re.sub(r"(?<=\d)\s+of\s+(?:an?\s+)?(?=[^\W\d_])", lambda m: " " if named(text[m.end() :]) else m[0], text)


_ALONE = re.compile(rf"\b(an?|\d+)[\s-]+{_PART}(?=\s+(?:plus|minus|times|divided|multiplied|over)\b|\s*(?:[-+*/)?]|$))")
_OF_A = r"(?:\s+of)?(?:\s+(?:an?|1)\b)?"
_PORTION = re.compile(
    rf"\b(?:(an?|\d+)[\s-]+{_PART}|(half|quarter)\b){_OF_A}\s+|(?<![\w./])(?=\d+/(\d+))(\d+)/\d+(?![\d/.]){_OF_A}\s*",
    re.IGNORECASE,
)
_SHARE = re.compile(
    rf"\b(?:(an?|\d+)[\s-]+{_PART}|(half|quarter)\b){_OF_A}\s+(?=[\w$£€.(])(?!(?:past|to|in|and|is)\b)",
    re.IGNORECASE,
)


def _shares(text: str, put: Callable[[int, int], str]) -> str:
    def share(match: re.Match[str]) -> str:
        top, part = match[1] or "1", match[2] or match[3]
        return put(int(top) if top.isdigit() else 1, _PARTS[part.lower()])

    return _SHARE.sub(share, text)
