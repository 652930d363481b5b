"""Text → words → what is known of a word before training: a static vector and character n-grams.

Leaves out everything learned. The static vectors are those that the package ``wordllama`` ships (a 32,000 × 256 table
for Llama's sub-word pieces, MIT licence); its files are read directly, because its own loader asks the network.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

STATIC_WIDTH = 256
MAX_WORDS = 64
"""Words of a text that are read; the rest is cut."""
MAX_CHARACTERS = 4_096
"""Characters of a text that are read: bounds the time that any text can take."""
MAX_LETTERS = 40
"""Letters of a word that are read."""

# A run of letters, one digit, one sign; scripts written without spaces are read letter by letter.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSEEN = "\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"  # control and format characters
_WORD = re.compile(rf"[^\W\d_{_UNSPACED}]+|[{_UNSPACED}]|\d|[^\w\s{_UNSEEN}]")
_JOINING = re.compile("[\u1160-\u11ff\uff9e\uff9f]")  # no marks, and yet composed with the sign before
_QUOTES = str.maketrans("’‘“”", "''\"\"")


def tokenise(text: str, limit: int = MAX_WORDS) -> list[str]:
    """Lower-case words, single digits and single signs of ``text``, at most ``limit``. Empty text has none.

    >>> tokenise("What's 20% of 45?")
    ['what', "'", 's', '2', '0', '%', 'of', '4', '5', '?']
    """
    text = text[:MAX_CHARACTERS]
    if not text.isascii():
        text = _normal(text)
    return _WORD.findall(text.lower())[:limit]


def tokens(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """The words of ``tokenise``, and where each stands in ``text``: ``text[start:end]``, whatever its script.

    Signs that become several words ("½") give each of them the same place.

    >>> tokens("20 km")
    (['2', '0', 'km'], [(0, 1), (1, 2), (3, 5)])
    """
    text = text[:MAX_CHARACTERS]
    origin: list[tuple[int, int]] | None = None
    if text.isascii():
        lowered = text.lower()
    else:
        lowered, origin = _lowered(text)
    words, places = [], []
    for match in islice(_WORD.finditer(lowered), MAX_WORDS):
        words.append(match[0])
        start, end = match.span()
        places.append((start, end) if origin is None else (origin[start][0], origin[end - 1][1]))
    return words, places


def _lowered(text: str) -> tuple[str, list[tuple[int, int]]]:
    """``text`` as ``tokenise`` reads it, and for each of its characters the part of ``text`` that it comes from."""
    starts = [i for i, sign in enumerate(text) if not i or not _joins(sign)]
    pieces = [(_normal(text[a:b]), (a, b)) for a, b in zip(starts, [*starts[1:], len(text)])]
    whole = _normal(text)
    if "".join(piece for piece, _ in pieces) != whole:  # characters join across clusters: only the whole is sure
        pieces = [(whole, (0, len(text)))]
    return whole.lower(), [span for piece, span in pieces for sign in piece for _ in sign.lower()]


def _joins(sign: str) -> bool:
    """Whether ``sign`` may be composed with the one before it."""
    return unicodedata.category(sign)[0] == "M" or _JOINING.match(sign) is not None


def _normal(text: str) -> str:
    text = text.encode("utf-8", "ignore").decode()  # half of a surrogate pair, as JSON may carry, is no text
    return unicodedata.normalize("NFKC", text).translate(_QUOTES)


def ngrams(word: str) -> list[str]:
    """The marked word and its character 3- to 5-grams (Bojanowski et al. 2017, "Enriching Word Vectors with Subword
    Information").

    >>> ngrams("tip")
    ['<tip>', '<ti', 'tip', 'ip>', '<tip', 'tip>']
    """
    marked = f"<{word[:MAX_LETTERS]}>"
    pieces = [marked]
    for size in range(3, min(5, len(marked) - 1) + 1):
        pieces += [marked[i : i + size] for i in range(len(marked) - size + 1)]
    return pieces


@dataclass(frozen=True)
class Vocabulary:
    """The words and n-grams that have learned rows, in row order."""

    words: tuple[str, ...]
    grams: tuple[str, ...]

    @classmethod
    def build(cls, texts: Iterable[str], min_words: int = 1, min_grams: int = 2) -> Vocabulary:
        """Words in at least ``min_words`` texts, n-grams in at least ``min_grams``, sorted."""
        in_texts: Counter[str] = Counter()
        for text in texts:
            in_texts.update({word[:MAX_LETTERS] for word in tokenise(text)})
        grams: Counter[str] = Counter()
        for word, count in in_texts.items():
            for gram in set(ngrams(word)):
                grams[gram] += count
        words = sorted(w for w, n in in_texts.items() if n >= min_words)
        return cls(tuple(words), tuple(sorted(g for g, n in grams.items() if n >= min_grams)))


class StaticVectors:
    """WordLlama's table: the mean of a word's sub-word rows. Thread-safe; loaded at the first word."""

    @functools.cached_property
    def _loaded(self) -> tuple[np.ndarray, Tokenizer, np.float32]:
        folder = static_folder()
        table = load_file(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]  # (32000, 256) f16
        tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return table, tokenizer, np.float32(table[::16].astype(np.float32).std())

    def __call__(self, word: str) -> np.ndarray:
        """Vector (256,) of ``word``, of unit variance over the table; zeros where the word has no known piece."""
        table, tokenizer, spread = self._loaded
        ids = tokenizer.encode(word[:MAX_LETTERS], add_special_tokens=False).ids
        return table[ids].astype(np.float32).mean(0) / spread if ids else np.zeros(STATIC_WIDTH, np.float32)

    def has(self, word: str) -> bool:
        """Whether the table has a row for ``word`` as a whole: a common word, and hardly the slip of another."""
        return len(self._loaded[1].encode(word, add_special_tokens=False).ids) == 1

    @functools.cached_property
    def mean(self) -> np.ndarray:
        """The mean row (256,) of the table, on the scale of a word's vector."""
        table, _, spread = self._loaded
        return table.mean(0, dtype=np.float32) / spread

    def matrix(self, words: Sequence[str]) -> np.ndarray:
        """Vectors (n, 256) of ``words``."""
        return np.stack([self(word) for word in words]) if words else np.zeros((0, STATIC_WIDTH), np.float32)


static_vectors = StaticVectors()


def static_folder() -> Path:
    """The folder of the package ``wordllama``. Raises ImportError with the remedy where it is missing."""
    spec = importlib.util.find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "The word vectors are not installed. Run `pip install wordllama` (they come inside the wheel)."
        )
    return Path(spec.submodule_search_locations[0])
