"""How people really type: operators that garble a clean question without changing what it asks for.

Leaves out translation and paraphrase: other wordings are templates of their own.
"""

from __future__ import annotations

import random
import re

from router.learning.synthetic.slots import listed

_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    letter: [row[j] for j in (i - 1, i + 1) if 0 <= j < len(row)] for row in _KEYBOARD for i, letter in enumerate(row)
}
_SHORT = {
    "you": "u",
    "are": "r",
    "please": "pls",
    "what": "wat",
    "what's": "whats",
    "how's": "hows",
    "it's": "its",
    "i'm": "im",
    "and": "&",
    "with": "w/",
    "because": "cuz",
    "tomorrow": "tmrw",
    "today": "2day",
    "people": "ppl",
    "thanks": "thx",
    "is": "iz",
    "weather": "wether",
    "that's": "thats",
    "don't": "dont",
    "who's": "whos",
    "where's": "wheres",
}
_WORD = re.compile(r"[A-Za-z']+")


def garble(question: str, label: str, rng: random.Random) -> str:
    """``question`` after one to three operators; what a tool reads as data (digits, quotes) stays as it is."""
    operators = [_lower, _strip, _surround, _typo, _upper, _shorten, _spaces, _sentence]
    weights = [5, 5, 4, 4, 1, 1, 1, 2]
    for operator in rng.choices(operators, weights, k=rng.choice((1, 1, 2, 3))):
        if operator is _surround and label == "smalltalk":
            continue
        if operator is _shorten and label in ("calculator", "unit_converter"):
            continue
        question = operator(question, rng)
    return question.strip() or question


def _lower(text: str, rng: random.Random) -> str:
    return text.lower()


def _upper(text: str, rng: random.Random) -> str:
    return text.upper() if rng.random() < 0.4 else text.title() if rng.random() < 0.4 else text


def _sentence(text: str, rng: random.Random) -> str:
    return text[:1].upper() + text[1:]


def _strip(text: str, rng: random.Random) -> str:
    text = text.rstrip("?!. ")
    return (
        text.replace("'", "").replace(",", " ") if rng.random() < 0.3 and not re.search(r"\d,\d|'\w+'", text) else text
    )


def _spaces(text: str, rng: random.Random) -> str:
    return rng.choice((text + " ", "  " + text, text.replace(" ", "  ", 1), text.replace("?", " ?")))


def _surround(text: str, rng: random.Random) -> str:
    if rng.random() < 0.6:
        text = rng.choice(listed()["before"]) + " " + (text if text[:1] == "I" else text[:1].lower() + text[1:])
    else:
        text = text.rstrip("?!. ") + rng.choice(listed()["after"]) + rng.choice(("", "", "?"))
    return text


def _shorten(text: str, rng: random.Random) -> str:
    return _WORD.sub(lambda m: _SHORT.get(m[0].lower(), m[0]) if rng.random() < 0.7 else m[0], text)


def _typo(text: str, rng: random.Random) -> str:
    """One slip in one or two words of four letters and more."""
    for _ in range(rng.choice((1, 1, 2))):
        words = [
            m for m in _WORD.finditer(text) if len(m[0]) >= 4 and text[m.start() - 1 : m.start()] not in ("'", '"')
        ]
        if not words:
            return text
        match = rng.choice(words)
        text = text[: match.start()] + _slip(match[0], rng) + text[match.end() :]
    return text


def _slip(word: str, rng: random.Random) -> str:
    i = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(5)
    if kind == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 1:
        return word[:i] + word[i + 1 :]
    if kind == 2:
        return word[:i] + word[i] + word[i:]
    if kind == 3:
        return word[:i] + rng.choice(_NEIGHBOURS.get(word[i].lower(), [word[i]])) + word[i + 1 :]
    return word[:-1] if len(word) > 4 else word[:i] + word[i + 1 :]
