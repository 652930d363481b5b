"""Values that the log has shown for each slot, found again in a question (a gazetteer).

A match is a hint for the tagger, never an answer. In training a row's own values do not count once, so that a value
is known there as often as it will be later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

MAX_PHRASE = 8
"""Words of a value that are kept; longer values are not."""


class Gazetteer:
    """Phrases of each slot. Immutable, safe to share between threads.

    ``phrases``: words joined by spaces → the slots (by number) that had them as value, with how often.
    """

    def __init__(self, n_slots: int, phrases: Mapping[str, Mapping[int, int]]) -> None:
        self.n_slots = n_slots
        self.phrases = {phrase: tuple(sorted(slots.items())) for phrase, slots in phrases.items()}
        longest: dict[str, int] = defaultdict(int)
        for phrase in self.phrases:
            words = phrase.split(" ")
            longest[words[0]] = max(longest[words[0]], len(words))
        self._longest = dict(longest)

    @classmethod
    def build(cls, n_slots: int, values: Iterable[tuple[int, Sequence[str]]]) -> Gazetteer:
        """From (slot number, words of a value) pairs."""
        phrases: dict[str, Counter[int]] = defaultdict(Counter)
        for slot, words in values:
            if 0 < len(words) <= MAX_PHRASE:
                phrases[" ".join(words)][slot] += 1
        return cls(n_slots, phrases)

    def matches(
        self, words: Sequence[str], own: Mapping[tuple[str, int], int] | None = None
    ) -> list[tuple[int, int, int]]:
        """(start, end, slot) in ``words``: per slot the longest phrases from the left. ``own``: (phrase, slot) → how
        many of its occurrences in the log do not count."""
        found = []
        covered: dict[int, int] = {}
        n = len(words)
        for i, word in enumerate(words):
            for size in range(min(self._longest.get(word, 0), n - i), 0, -1):
                phrase = word if size == 1 else " ".join(words[i : i + size])
                for slot, count in self.phrases.get(phrase, ()):
                    if covered.get(slot, 0) <= i and (own is None or count > own.get((phrase, slot), 0)):
                        covered[slot] = i + size
                        found.append((i, i + size, slot))
        return found

    def columns(self, matches: Iterable[tuple[int, int, int]]) -> tuple[list[int], list[int]]:
        """Word numbers and feature numbers of ``matches``: feature 2s begins, 2s + 1 goes on with, slot s's value."""
        rows, features = [], []
        for start, end, slot in matches:
            for i in range(start, end):
                rows.append(i)
                features.append(2 * slot + (i > start))
        return rows, features

    def bits(self, n: int, matches: Iterable[tuple[int, int, int]]) -> np.ndarray:
        """``columns`` as a matrix (n, 2 slots) of 0 and 1."""
        out = np.zeros((n, 2 * self.n_slots), np.float32)
        out[self.columns(matches)] = 1
        return out
