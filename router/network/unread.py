"""How much of a text is made of words that a network has never seen.

A word outside the vocabulary still has a vector, so every text gets a decision; of a script or a language that training
never saw that decision says nothing, however sure it is. What counts as seen: words of the vocabulary, words of texts on
which the decision was found right, and of any other word the share of its n-grams that have been learned. A word that
``tokenise`` takes apart sign by sign (Chinese, Thai, Hindi) is read by runs of three of its signs. Where no tool is chosen
nothing else reads the text, and a word counts as seen whole or not at all: "wie viele Tage" is no small talk because
"wie geht es dir" is. Leaves out the limit, which is calibrated (``Calibration.unread``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable

from router.network.features import MAX_CHARACTERS, MAX_LETTERS, ngrams, tokenise


def pieces(text: str) -> list[str]:
    """The words of ``text``, and of those that are read sign by sign the runs of three signs, marked at the ends.

    >>> pieces("20 km")
    ['2', '0', 'km']
    >>> pieces("你好")
    ['^你好', '你好$']
    """
    text = text[:MAX_CHARACTERS]
    if text.isascii():
        return tokenise(text)
    found: list[str] = []
    for word in text.split():
        signs = tokenise(word)
        if any(len(a) == len(b) == 1 and _is_letter(a) and _is_sign(b) for a, b in zip(signs, signs[1:])):
            marked = ["^", *signs, "$"]
            found += ["".join(marked[i : i + 3]) for i in range(len(signs))]
        else:
            found += signs
    return found


def share(text: str, words: Collection[str], grams: Collection[str], seen: Collection[str]) -> float:
    """The share (0 to 1) of ``text`` that is unread; 0 for a text without a word. Without ``grams`` words count whole."""
    found = pieces(text)
    unknown = [piece for piece in found if piece[:MAX_LETTERS] not in words and piece not in seen]
    if not unknown:
        return 0.0
    unread = 0.0
    for piece in unknown:
        whole = ngrams(piece)
        unread += 1 - sum(gram in grams for gram in whole) / len(whole)
    return unread / len(found)


def signs_of(texts: Iterable[str]) -> frozenset[str]:
    """The runs of signs in ``texts``: what a vocabulary of words does not hold."""
    return frozenset(piece for text in texts if not text.isascii() for piece in {*pieces(text)} - {*tokenise(text)})


def _is_letter(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "L"


def _is_sign(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LM"
