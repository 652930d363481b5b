"""Phrases: the form they are compared by, and what makes one too telling to be answered without a language model.

The twin of the phrase part of ``assets/gatekeeper.js``, step by step, so that Python refuses what the browser would
refuse; a shared fixture and the same lexicon hold the two together. Leaves out fuzzy matching: two phrases are the
same when their normal forms are.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

LEXICON = Path(__file__).with_name("lexicon.json")

MAX_PHRASE = 40
"""Characters of a phrase's normal form."""
MAX_WORDS = 6
MAX_TEXT = 200
"""Characters of a text that can be a taught phrase, however stretched."""
MAX_RESPONSE = 200
"""Characters of a reply."""
_MAX_STRETCHED = 4

_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff\U0001f3fb-\U0001f3ff\u2640\u2642"
    "\u0640\u064b-\u0652\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]"
)
_SPACE = re.compile("[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u02bb\u00b4\u02c8\u2032]")
_QUESTIONS = re.compile("[\u061f\u055e\u2e2e\u203d]")
_SEPARATORS = re.compile("[,\u060c\u3001;\u061b]")
_STOPS = frozenset(" .!~\u3002\u0964\u0965\u06d4\u0589\u104b\u1362\u301c")
_WIDE_STOPS = re.compile("([\u3002\u0964\u0965])")
_HYPHENS = frozenset("-\u2010\u2013")
_FACES = (":)", ":-)", ";)", ";-)", "=)", "^^", "^_^", "(:", " :d", " :-d", " ;d", " =d", " xd")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af]"
)
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e0fff]")
_MARKUP = re.compile(r"<[a-z!/?]|&[a-z]+;|&#|\$\{|\{\{|`|\]\(|\]\[", re.IGNORECASE | re.ASCII)
_LINK = re.compile(r"://|\bwww\.|\b(?:javascript|data|vbscript|mailto):", re.IGNORECASE | re.ASCII)
_SENTENCE = re.compile("[^.!?\n\u3002\u0964]+[.!?\n\u3002\u0964]*")


@cache
def _lexicon() -> dict[str, tuple[str, ...]]:
    return {name: tuple(entries) for name, entries in json.loads(LEXICON.read_text(encoding="utf-8")).items()}


@cache
def _known(name: str) -> frozenset[str]:
    return frozenset(_lexicon()[name])


def normalise(text: str) -> str:
    """The form that phrases are compared by; "" where nothing is left. Idempotent: it returns fixed points only.

    Unicode NFKC, lower case, invisible characters and optional vowel marks gone, final punctuation and friendly emoji
    trimmed, runs of a letter cut to three (``lookup_forms`` reads them as stretched), laughter cut to two syllables.
    """
    for _ in range(6):
        form = _normalise_once(text)
        if form == text:
            return form
        text = form
    return ""


def _normalise_once(text: str) -> str:
    s = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _APOSTROPHES.sub("'", text)).lower())
    s = _IGNORED.sub("", s.replace("i\u0307", "i")).replace("ß", "ss").replace("ς", "σ")
    if _GREEK.search(s):
        s = s.replace(";", "?")
    s = _SPACE.sub(" ", _WIDE_STOPS.sub(r"\1 ", _SEPARATORS.sub(" ", _QUESTIONS.sub("?", s))))
    body, question = _trim_ends(s)
    if not body:
        return _emoji_only(s)
    form = " ".join(word for word in map(_trim_word, body.split(" ")) if word)
    return _with_question_mark(form) if question else form


def _trim_ends(s: str) -> tuple[str, bool]:
    """Cut spaces, final punctuation, friendly emoji and smileys off both ends. Also tells whether it is a question."""
    friendly = _known("friendlyEmoji")
    start, end, question = 0, len(s), False
    while start < end and (s[start] in "¿¡ " or s[start] in friendly):
        question = question or s[start] == "¿"
        start += 1
    before = -1
    while before != end:
        before = end
        while end > start and (s[end - 1] in _STOPS or s[end - 1] == "?" or s[end - 1] in friendly):
            question = question or s[end - 1] == "?"
            end -= 1
        tail = s[max(start, end - 4) : max(start, end)]
        end -= next((len(face) for face in _FACES if tail.endswith(face)), 0)
    return s[start : max(start, end)], question


def _emoji_only(s: str) -> str:
    """Emoji that stand alone are a phrase of their own; a repeated one counts once."""
    emoji = [c for c in s if c in _known("friendlyEmoji")]
    form = "".join(c for i, c in enumerate(emoji) if i == 0 or c != emoji[i - 1])
    return form + "?" if form and "?" in s else form


def _trim_word(word: str) -> str:
    """One word: hyphens between letters become spaces, final stops go, long runs and repeated syllables are cut."""
    chars = list(word)
    while chars and chars[-1] in _STOPS:
        chars.pop()
    for i in range(1, len(chars) - 1):
        if chars[i] in _HYPHENS and _is_letter_or_mark(chars[i - 1]) and _is_letter_or_mark(chars[i + 1]):
            chars[i] = " "
    if (
        len(chars) >= 5
        and chars[0] != chars[1]
        and all(_is_letter(c) and (i < 2 or c == chars[i - 2]) for i, c in enumerate(chars))
    ):
        return "".join(chars[:4])
    return "".join(c for i, c in enumerate(chars) if i < 3 or {c} != set(chars[i - 3 : i]) or not _is_letter(c))


def _with_question_mark(form: str) -> str:
    bare = form.removesuffix("?")
    return bare if bare in _known("socialQuestions") else bare + "?"


def lookup_forms(form: str) -> list[str]:
    """The normal forms under which ``form`` is looked up: itself, then its stretched runs written twice or once."""
    runs, i = [], 0
    while i + 2 < len(form):
        if form[i] == form[i + 1] == form[i + 2] and _is_letter(form[i]):
            runs.append(i)
            i += 2
        i += 1
    if not runs or len(runs) > _MAX_STRETCHED:
        return [form]
    forms = [form]
    for choice in range(2 ** len(runs)):
        chars = list(form)
        for bit, at in enumerate(runs):
            before, after = form[at - 1 : at] or " ", form[at + 3 : at + 4] or " "
            alone = not _is_letter_or_mark(before) and not _is_letter_or_mark(after)
            chars[at + 2] = ""
            if choice & (1 << bit) and not alone:
                chars[at + 1] = ""
        candidate = "".join(chars)
        forms.append(_with_question_mark(candidate) if candidate.endswith("?") else candidate)
    return list(dict.fromkeys(forms))


def _has(form: str, name: str) -> bool:
    return any(f in _known(name) for f in lookup_forms(form))


def mentions(form: str, entries: Iterable[str]) -> str:
    """The first of ``entries`` that stands in ``form`` as a word, or anywhere in scripts without spaces, or ""."""
    words = set(form.removesuffix("?").split(" "))
    return next((e for e in entries if (e in form if _UNSPACED.search(e) else e in words)), "")


def fault_of_form(form: str, text: str) -> str:
    """Why ``form``, the normal form of ``text``, cannot be a phrase at all, or ""."""
    if not form:
        return "The phrase is empty."
    if _has_number(text) or _has_number(form):
        return "The phrase holds a number, so its answer may differ each time."
    if len(form) > MAX_PHRASE:
        return f"The phrase has {len(form)} characters, more than {MAX_PHRASE}."
    if (words := _word_count(form)) > MAX_WORDS:
        return f"The phrase has {words} words, more than {MAX_WORDS}."
    said = form.removesuffix("?")
    odd = next((c for c in said if c not in " '" and not _is_letter_or_mark(c)), None)
    if odd and not all(c in _known("friendlyEmoji") for c in said):
        return f"The phrase holds {json.dumps(odd, ensure_ascii=False)}; only words are learned, no links, code or symbols."
    return ""


def fault_of_meaning(form: str, subjects: Iterable[str] = ()) -> str:
    """Why a phrase of this form is not small talk, or "". ``subjects``: more words that belong to tools."""
    if any(_has(form, name) for name in ("socialQuestions", "salutations", "negationsFine")):
        return ""
    if form.endswith("?"):
        return "The phrase is a question that may expect a fact."
    if form in _known("bare"):
        return "The phrase means something only after what was said before."
    lexicon = _lexicon()
    if mentions(form, lexicon["questionWords"]):
        return "The phrase is a question that may expect a fact."
    if word := mentions(form, lexicon["negations"]):
        return f'The phrase says no ("{word}"), which depends on what was said before.'
    if word := mentions(form, lexicon["commands"]):
        return f'The phrase asks for something ("{word}").'
    if word := mentions(form, (*lexicon["subjects"], *subjects)):
        return f'The phrase touches a tool\'s subject ("{word}").'
    return ""


def fault_of_response(response: object) -> str:
    """Why ``response`` cannot be a reply, or ""."""
    if not isinstance(response, str) or not response.strip():
        return "The reply is empty."
    if len(response) > MAX_RESPONSE:
        return f"The reply has {len(response)} characters, more than {MAX_RESPONSE}."
    if _CONTROLS.search(response):
        return "The reply holds control characters."
    if _MARKUP.search(response):
        return "The reply holds markup or code; only plain text is learned."
    if _LINK.search(response):
        return "The reply holds a link; only plain text is learned."
    if _has_number(response):
        return "The reply holds a number, which may not be true the next time."
    return ""


def asks_something(turn: str | None) -> str:
    """Whether a turn of the assistant leaves something to answer: "open" for a question or an offer, "help" where it
    only asks how it can help or how one is (a greeting is no answer to that), "" for neither."""
    if not turn:
        return ""
    found, lexicon = "", _lexicon()
    plain = _APOSTROPHES.sub("'", re.sub(r"\S+://\S+", " ", turn[-4000:]))
    plain = _QUESTIONS.sub("?", _IGNORED.sub("", unicodedata.normalize("NFKC", plain).lower()))
    for sentence in _SENTENCE.findall(plain):
        words = "".join(c if _is_letter_or_mark(c) or c in "'-" else " " for c in sentence).split()
        padded = f" {' '.join(words)} "
        asks = (
            "?" in sentence
            or (";" in sentence and _GREEK.search(sentence))
            or any(f" {a}" in padded for a in lexicon["asks"])
            or any(a in sentence for a in lexicon["asksAnywhere"])
        )
        if not asks:
            continue
        if not any((h in sentence) if _UNSPACED.search(h) else (f" {h}" in padded) for h in lexicon["help"]):
            return "open"
        found = "help"
    return found


def may_answer(form: str, previous_turn: str | None) -> bool:
    """Whether a phrase may be the answer to what the assistant asked or offered in its last turn."""
    asked = asks_something(previous_turn)
    return asked == "open" or (asked == "help" and not _has(form, "salutations"))


def is_social_question(form: str) -> bool:
    """Whether ``form`` is a question such as "how are you", which asks for no fact."""
    return _has(form, "socialQuestions")


def _word_count(form: str) -> int:
    """Words; in a script without spaces three characters count as one."""
    unspaced = (sum(1 for c in word if _UNSPACED.match(c) and _is_letter(c)) for word in form.split(" "))
    return sum(-(-n // 3) if n else 1 for n in unspaced)


def _is_letter(c: str) -> bool:
    return unicodedata.category(c)[0] == "L"


def _is_letter_or_mark(c: str) -> bool:
    return unicodedata.category(c)[0] in "LM"


def _has_number(text: str) -> bool:
    return any(unicodedata.category(c)[0] == "N" for c in text)
