"""A conversion as people ask for one, in whatever order they name its ends: how much, of what, into what.

Shared by the unit and the currency converter; leaves out what the names mean, and the words around them
(``leftovers.py``). Nothing is guessed: a question with two quantities, two targets or a number too many is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from router.builtin.numbers import number

MAX_NAME = 5
"""Tokens of a name: "us fluid ounces", "l/100km", "miles per hour"."""
SIGNS = "$€£¥₹₩₪₺₽₱฿"
_TOKEN = re.compile(
    rf"(?P<number>(?:(?<![\w).])[-+])?\d+(?:\.\d+)?(?:e[+-]?\d{{1,3}})?)|(?P<sign>(?:[A-Za-z]{{1,3}})?[{SIGNS}]|[\"'])"
    r"|(?P<word>°\s?[cfkr]?\b|[^\W\d_]+(?:[.'][^\W\d_]+)*[²³]?|°)|(?P<link>->|=>|→)|(?P<mark>\S)",
    re.IGNORECASE,
)
_RECKONS = frozenset("%*+^<>")
"""Marks of something else than a conversion."""
_INTO = frozenset(("in", "to", "into", "as", "->", "=>", "→"))
_ASKED = re.compile(r"\b(?:how\s+(?:many|much)|number\s+of|amount\s+of)\s+(?:\w+\s+)?$", re.IGNORECASE)

Senses = Callable[[str, bool], Sequence[str]]
"""What a name can mean, likeliest first; nothing where it is no name. ``True``: it stands alone and may hold a slip."""


@dataclass(frozen=True)
class Token:
    """A number, a name with its senses, a word or a mark of a text."""

    start: int
    end: int
    text: str
    value: float | int | None = None
    senses: tuple[str, ...] = ()


Quantity = tuple[tuple[float | int, tuple[str, ...]], ...]
"""Numbers and the senses of their names, as "5 ft 11 in" has two."""


@dataclass(frozen=True)
class Conversion:
    """``quantity`` is to become one of ``target``."""

    quantity: Quantity
    target: tuple[str, ...]


def conversion(text: str, senses: Senses, prefixed: bool = False, powers: bool = True) -> Conversion | None:
    """The conversion that ``text`` (after ``digits``) asks for; None where there is none, or more than one.

    ``prefixed``: a name may stand before its number ("EUR 50"). ``powers``: "ft2" is a name, and not 2 inches more.
    """
    tokens = list(_named(text, senses, powers))
    quantities, used = _quantities(tokens, prefixed)
    bare = [i for i, token in enumerate(tokens) if token.senses and i not in used]
    free = [i for i, token in enumerate(tokens) if token.value is not None and i not in used]
    if not quantities and len(_different(tokens, bare)) == 2 and len(free) < 2:
        first, second = _different(tokens, bare)
        if _ASKED.search(text[: tokens[first].start]) or tokens[second - 1].text.lower() == "from":
            first, second = second, first
        value = tokens[free[0]].value if free else 1
        quantities = [((value, tokens[first].senses),)]
        bare, used = [i for i in bare if tokens[i].senses[:1] != tokens[first].senses[:1]], {*used, *free, *bare}
        free = []
    single = quantities[0][0][1] if quantities and len(quantities[0]) == 1 else None
    ends = [i for i in bare if tokens[i].senses != single]
    targets = _different(tokens, ends)
    reckons = any(token.text in _RECKONS for token in tokens)
    if reckons or len(quantities) != 1 or len(targets) != 1 or any(tokens[i].value != 1 for i in free):
        return None
    return Conversion(quantities[0], tokens[targets[0]].senses)


def begins(text: str, senses: Senses) -> bool:
    """Whether ``text`` begins with a name."""
    found = list(_TOKEN.finditer(text[:80]))[:MAX_NAME]
    return bool(found) and found[0].start() == 0 and bool(_name(text, found, 0, senses, powers=True)[1])


def names(text: str, senses: Senses) -> Iterator[Token]:
    """The names in ``text``, the longest first, without overlap."""
    return (token for token in _named(text, senses, powers=True) if token.senses)


def _named(text: str, senses: Senses, powers: bool) -> Iterator[Token]:
    """The tokens of ``text``; those that make one name together are one."""
    found = list(_TOKEN.finditer(text))
    before: Token | None = None
    at = 0
    while at < len(found):
        size, known = _name(text, found, at, senses, powers)
        if known and found[at + size - 1][0].lower() in ("in", '"', "'") and size == 1:
            known = known if _is_inch(before, found[at + 1 :], text, senses, powers) else ()
        match, last = found[at], found[at + max(size, 1) - 1]
        token = Token(match.start(), last.end(), text[match.start() : last.end()])
        if known:
            before = replace(token, senses=tuple(known))
        elif match["number"]:
            before = replace(token, value=number(match["number"]))
        else:
            before = token
        yield before
        at += max(size, 1)


def _name(
    text: str, found: Sequence[re.Match[str]], at: int, senses: Senses, powers: bool
) -> tuple[int, Sequence[str]]:
    """(tokens, senses) of the longest name that begins at token ``at``; (1, ()) where none does."""
    if found[at]["number"] or found[at]["mark"]:
        return 1, ()
    for size in range(min(MAX_NAME, len(found) - at), 0, -1):
        words = text[found[at].start() : found[at + size - 1].end()]
        if size > 1 and (re.search(r"[,;:?!()]", words) or not powers and re.search(r"\d$", words)):
            continue
        if size > 1 and found[at + size - 1]["number"] and re.search(r"\s\S+$", words):
            continue
        if known := senses(words, size == 1):
            return size, known
    return 1, ()


def _is_inch(before: Token | None, after: Sequence[re.Match[str]], text: str, senses: Senses, powers: bool) -> bool:
    """Whether "in", or a quotation mark, is a measure: behind a number, and not before the name of another."""
    rest = list(after)
    if before is None or before.value is None:
        return not rest and before is not None and before.text.lower() in _INTO  # "12 mm to in"
    return (
        not rest or not _name(text, rest, 0, senses, powers)[1] or rest[0][0].lower() in _INTO or bool(rest[0]["sign"])
    )


def _quantities(tokens: Sequence[Token], prefixed: bool) -> tuple[list[Quantity], set[int]]:
    """The quantities of ``tokens``, and the places of the tokens that say them."""
    found: list[Quantity] = []
    used: set[int] = set()
    at = 0
    while at < len(tokens):
        token, after = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else None
        if token.value is not None and after and after.senses:
            end = _compound(tokens, at)
            pairs = [i for i in range(at, end) if tokens[i].value is not None]
            parts = tuple((tokens[i].value, tokens[i + 1].senses if i + 1 < end else ()) for i in pairs)
            found.append(parts)
            used |= set(range(at, end))
            at = end
        elif prefixed and token.senses and after and after.value is not None and not _suffixed(tokens, at + 1):
            if not _is_target(tokens, at):
                found.append(((after.value, token.senses),))
                used |= {at, at + 1}
                at += 1
            at += 1
        elif token.text.lower() in ("a", "an") and after and after.senses:
            found.append(((1, after.senses),))
            used |= {at, at + 1}
            at += 2
        else:
            at += 1
    return found, used


def _compound(tokens: Sequence[Token], at: int) -> int:
    """Where the quantity ends that begins at ``at``: "5 ft 11 in", "5 foot 11", "1 h and 20 min"."""
    end = at + 2
    while end < len(tokens):
        joint = 1 if tokens[end].text.lower() in ("and", ",") else 0
        following = tokens[end + joint] if end + joint < len(tokens) else None
        if following is None or following.value is None:
            break
        if _suffixed(tokens, end + joint):
            end += joint + 2
        elif not joint:
            return end + 1
        else:
            break
    return end


def _suffixed(tokens: Sequence[Token], at: int) -> bool:
    return at + 1 < len(tokens) and bool(tokens[at + 1].senses)


def _is_target(tokens: Sequence[Token], at: int) -> bool:
    """Whether the name at ``at``, with a number behind it, is what another is converted to: "usd to eur 200"."""
    linked = at >= 2 and tokens[at - 1].text.lower() in ("to", "into", "in", "->", "=>", "→", "/")
    return linked and bool(tokens[at - 2].senses) and tokens[at].text not in SIGNS


def _different(tokens: Sequence[Token], places: Sequence[int]) -> list[int]:
    """The first of ``places`` for each meaning."""
    return list({tokens[i].senses[0]: i for i in reversed(places)}.values())[::-1]
