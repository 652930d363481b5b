"""Text: counts and transforms the letters and words of a text.

Leaves out meaning: no translation, no summary. The text is what stands in quotes, after a colon, or at the place that
the phrasing gives it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from router.builtin import ToolConfig
from router.builtin.numbers import clean
from router.tools import Tool, ToolError

MAX_TEXT = 1_000
OPERATIONS = (
    "count_letter", "count_letters", "count_words", "count_vowels", "count_consonants", "reverse", "palindrome",
    "uppercase", "lowercase", "title_case", "spell",
)  # fmt: skip
PARAMETERS = {
    "type": "object",
    "properties": {
        "operation": {"enum": list(OPERATIONS)},
        "text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "description": "The word or sentence"},
        "letter": {"type": "string", "minLength": 1, "maxLength": 20, "description": "What count_letter counts"},
    },
    "required": ["operation", "text"],
    "additionalProperties": False,
}


def build(config: ToolConfig) -> Tool:
    """The text tool. It needs nothing from ``config``."""
    description = "Counts letters, vowels or words, reverses, spells, checks palindromes, changes case of a given text."
    return Tool("text", description, PARAMETERS, run, parse, effects=False)


def run(operation: str, text: str, letter: str | None = None) -> str:
    """What ``operation`` gives for ``text``, as ``letter "r" in "strawberry" = 3``. Raises ToolError."""
    if len(text) > MAX_TEXT:
        raise ToolError(f"text has {len(text)} characters; the limit is {MAX_TEXT}. Give a shorter one.")
    if operation not in OPERATIONS:
        raise ToolError(f"operation {operation!r} is not one of {', '.join(OPERATIONS)}. Choose one of them.")
    if operation == "count_letter":
        if not letter:
            raise ToolError(f"count_letter of {_quote(text)} has no letter. Give the letter to count, e.g. 'r'.")
        kind = "letter" if len(letter) == 1 and letter.isalpha() else "text"
        return f"{kind} {_quote(letter)} in {_quote(text)} = {_fold(text).count(_fold(letter))}"
    return _RUN[operation](text)


def _letters(text: str) -> list[str]:
    return [char for char in text if char.isalpha()]


def _palindrome(text: str) -> str:
    bare = [char for char in _fold(text) if char.isalnum()]
    if not bare:
        raise ToolError(f"{_quote(text)} has no letter or digit; a palindrome needs at least 1. Give a word.")
    return f"is {_quote(text)} a palindrome? = {'yes' if bare == bare[::-1] else 'no'} (reversed: {_reverse(text)})"


def _reverse(text: str) -> str:
    """``text`` backwards, with accents kept on their letters."""
    return unicodedata.normalize("NFC", text)[::-1]


_VOWELS = frozenset("aeiou")
_RUN = {
    "count_letters": lambda t: f"letters in {_quote(t)} = {len(_letters(t))}",
    "count_words": lambda t: f"words in {_quote(t)} = {len(re.findall(_WORD, t))}",
    "count_vowels": lambda t: f"vowels in {_quote(t)} = {sum(c in _VOWELS for c in _fold(t))}",
    "count_consonants": lambda t: f"consonants in {_quote(t)} = {sum(c not in _VOWELS for c in _letters(_fold(t)))}",
    "reverse": lambda t: f"{_quote(t)} reversed = {_reverse(t)}",
    "palindrome": lambda t: _palindrome(t),
    "uppercase": lambda t: f"{_quote(t)} in upper case = {t.upper()}",
    "lowercase": lambda t: f"{_quote(t)} in lower case = {t.lower()}",
    "title_case": lambda t: f"{_quote(t)} in title case = {' '.join(w[:1].upper() + w[1:] for w in t.split(' '))}",
    "spell": lambda t: (
        f"{_quote(t)} spelled out = {'-'.join(t.upper().replace(' ', '_')) if len(t) > 1 else t.upper()}"
    ),
}
_WORD = r"[^\W_]+(?:['’-][^\W_]+)*"


def _fold(text: str) -> str:
    """Lower case without accents, so that "é" counts as an "e"."""
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))


def _quote(text: str) -> str:
    return f'"{text}"'


def parse(question: str) -> dict[str, Any] | None:
    """Operation and text of ``question``, or None."""
    flat = clean(question)
    flat = re.sub(
        r"^(?:(?:please|pls|hey|hi|ok(?:ay)?|so|can you|could you|would you|will you|tell me|i want to "
        r"know|i need|quick(?:ly)?)\b[\s,:]*)+",
        "",
        flat,
        flags=re.I,
    )
    flat = re.sub(r"[\s,]*\b(?:please|pls|thanks|thank you|thx|for me)\b[\s.!?]*$", "", flat, flags=re.I)
    for operation, patterns in _PATTERNS:
        for pattern in patterns:
            match = pattern.search(flat)
            if not match:
                continue
            parts = match.groupdict()
            text = _text(parts["text"])
            if not text or len(text) > MAX_TEXT:
                continue
            if unclear(question, text):
                return None
            arguments: dict[str, Any] = {"operation": operation, "text": text}
            if operation == "count_letter":
                arguments["letter"] = _NAMED.get(parts["letter"].lower(), parts["letter"])
            return arguments
    return None


_CHARACTERS = re.compile(r"\bcharacters?\b|\bchars\b", re.I)
"""Of a word they are its letters; spaces and signs are characters too, which no operation counts."""
_SPOKEN_OF = re.compile(
    r"^(?:it|that|this|them|(?:the\s+)?words?)$|^(?:my|your|his|our|their)\s|^(?:this|that|these|those)\s"
    r"|^the\s+(?:\w+\s+){0,3}(?:of|in)\b|^(?:the\s+)?alphabet$|\bwithout\b|\beverything\b|^out\s"
    r"|\bthis\s+(?:sentence|word|text|phrase|paragraph|essay|letter)$"
    r"|\b(?:and|then|but)\s+(?:then\s+)?(?:spell|count|reverse|upper|lower|capital|tell|use|say|how\s|write|make|give|translate)",
    re.IGNORECASE,
)
"""A text that stands for another ("my name", "the opposite of hot", "it"), or a second request behind it."""
_MEANING = re.compile(r"\bwhat\s+(?:does|do|did)\b[^\"':]*\bmean\b|\bmeaning\s+of\b|\bdefin(?:e|ition)\b", re.IGNORECASE)
_TRANSFORMS = ("revers|backward", "upper|capital|caps", "lower", "title", "palindrom")


def unclear(question: str, text: str = "") -> str | None:
    """What ``question`` asks for besides one operation on ``text``: a transform of what another gives ("uppercase the
    reverse of"), what a word means, characters where there are others than letters, a text that is spoken of and not given;
    None where there is no such thing."""
    if meaning := _MEANING.search(question):
        return meaning[0]
    rest = question.replace(text, " ") if text else question
    given = re.search(rf"[\"'`:]\s*{re.escape(text)}", question)
    if text and not given and (spoken := _SPOKEN_OF.search(text)):
        return spoken[0]
    named = [match[0] for names in _TRANSFORMS if (match := re.search(rf"\b(?:{names})\w*", rest, re.I))]
    counted = _CHARACTERS.search(rest)
    return named[1] if len(named) > 1 else counted[0] if counted and not text.isalpha() else None


_NAMED = {"space": " ", "spaces": " ", "comma": ",", "commas": ",", "double u": "w"}


def _text(raw: str) -> str:
    """The text itself: without "the word", quotes, and a question's punctuation."""
    raw = raw.strip()
    raw = re.sub(
        r"^(?:in\s+)?(?:the\s+|this\s+|my\s+)?(?:following\s+)?(?:word|words|phrase|sentence|string|text|"
        r"name|letters)\b(?:\s+(?:is|of|in))?[\s:,]*(?=\S)",
        "",
        raw,
        flags=re.I,
    )
    quoted = re.fullmatch(r"[\"'`](.+?)[\"'`][\s?.!]*", raw)
    if quoted:
        return quoted[1].strip() or quoted[1]
    inner = re.search(r"\"(.+)\"", raw)
    if inner:
        return inner[1]
    return raw.strip(' ?!.,:;"`').strip() if len(raw.split()) < 4 else raw.strip().rstrip("?").strip(' "`')


def _compile(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.I) for pattern in patterns)


_TEXT = r"(?P<text>\S.*?)\s*$"
_L = r"[\"'`]?(?P<letter>[^\W_]|space|comma|[.,!?-])[\"'`]?"
_LS = rf"{_L}(?:'?s)?"
_IN = r"(?:(?:are|is|do|does|can|appear|appears|occur|occurs|exist|you|see|we|i|find|have|there|used|u|r)\s+)*(?:in(?:side)?|within|of|from)\s+"
_TAIL = r"(?:\s+(?:have|has|contain|contains|got|include|includes))?[\s?.!]*$"
_PATTERNS = (
    ("count_vowels", _compile(
        rf"\bvowels?\s+{_IN}{_TEXT}", rf"how many vowels\s+(?:does|do|has|have)\s+(?P<text>\S.*?){_TAIL}", rf"\bvowel count\s+(?:of|for|in)\s+{_TEXT}",
        rf"\bcount\s+(?:the\s+)?vowels?\b[\s:]*(?:in|of)?[\s:]*{_TEXT}")),
    ("count_consonants", _compile(
        rf"\bconsonants?\s+{_IN}{_TEXT}", rf"how many consonants\s+(?:does|do|has|have)\s+(?P<text>\S.*?){_TAIL}")),
    ("count_letter", _compile(
        rf"how\s+(?:many|much)\s+(?:times\s+(?:does\s+|is\s+)?)(?:the\s+)?(?:letter\s+)?{_LS}\s+(?:appears?|occurs?|"
        rf"used|shows?\s+up|come|comes|is)?\s*(?:up\s+)?(?:in|within)\s+{_TEXT}",
        rf"how\s+(?:many|much)\s+(?:of\s+)?(?:the\s+)?(?:letters?\s+)?{_LS}\s+{_IN}{_TEXT}",
        rf"how\s+(?:many|much)\s+(?:letter\s+)?{_LS}\s+(?:does|do|has|have)\s+(?P<text>\S.*?){_TAIL}",
        rf"\b(?:count|number\s+of|find|occurrences\s+of|count\s+of)\s+(?:all\s+)?(?:the\s+)?(?:number\s+of\s+)?"
        rf"(?:occurrences\s+of\s+)?(?:times\s+)?(?:the\s+)?(?:letters?\s+)?{_LS}\s+(?:appears\s+)?{_IN}{_TEXT}",
        rf"\bletter\s+{_L}\s+(?:count\s+)?{_IN}{_TEXT}",
        rf"^{_L}'?s\s+in\s+{_TEXT}",
        rf"^(?:does|do|has|is it true that)\s+(?P<text>\S.*?)\s+(?:really\s+)?(?:contains?|have|has)\s+(?:\d+|one|"
        rf"two|three|four|five|an?|any)\s+(?:letters?\s+)?{_LS}[\s?.!]*$")),
    ("count_words", _compile(
        rf"\b(?:how many|number of|count(?:\s+up)?(?:\s+the)?(?:\s+number\s+of)?)\s+(?:the\s+)?words?\b\s*(?:{_IN}|"
        rf"[:,]\s*)(?::\s*)?{_TEXT}", rf"\bword\s?count\s*(?:of|for|in)?\s*:?\s*{_TEXT}",
        rf"how many words\s+(?:does|do|has|have)\s+(?P<text>\S.*?){_TAIL}")),
    ("count_letters", _compile(
        rf"\b(?:how many|number of|count(?:\s+up)?(?:\s+all)?(?:\s+the)?(?:\s+number\s+of)?)\s+(?:the\s+)?(?:letters|"
        rf"characters|chars|letter)\b\s*(?:{_IN}|[:,]\s*)(?::\s*)?{_TEXT}",
        rf"how many (?:letters|characters|chars)\s+(?:does|do|has|have)\s+(?P<text>\S.*?){_TAIL}",
        rf"\b(?:letter|character)\s?count\s*(?:of|for|in)?\s*:?\s*{_TEXT}",
        r"\b(?:how long is|length of)\s+(?:the\s+)?(?:word|string|phrase|name|text)\s+(?P<text>\S.*?)\s*$",
        r"\blength of\s+(?P<text>[\"'`].+[\"'`])[\s?.!]*$")),
    ("palindrome", _compile(
        r"^(?:is|are|was|if|whether|check\s+(?:if|whether)|does|would)\s+(?P<text>\S.*?)\s+(?:(?:is|are|be|count"
        r"\s+as|also)\s+)?(?:a\s+|an\s+)?palindromes?\b",
        r"(?:if|whether|is|isn't)\s+(?P<text>\S.*?)\s+(?:is\s+)?(?:a\s+)?palindromes?\b",
        rf"\bpalindrome(?:\s+(?:check|test))?(?:\s+(?:for|of|on))?\s*[:?]?\s*{_TEXT}",
        r"(?P<text>\S+?)\s+(?:is\s+)?(?:a\s+)?palindrome\b",
        r"(?:does|do|is)\s+(?P<text>\S.*?)\s+(?:reads?\s+)?(?:the\s+)?same\s+(?:backwards?|both ways|forwards?|in "
        r"reverse)")),
    ("reverse", _compile(
        r"\b(?:spell|write|say|type|read|put|show|what(?:'s|\s+is)?|how\s+do\s+(?:you|i)\s+(?:spell|write|say))\s+"
        r"(?:out\s+)?(?:me\s+)?(?P<text>\S.*?)\s+(?:spelled\s+|spelt\s+|written\s+)?(?:backwards?|in\s+reverse(?:"
        r"\s+order)?|reversed|from\s+(?:back|end)\s+to\s+(?:front|start))\b",
        r"\b(?:reverse|flip|invert|mirror)\s+(?:the\s+)?(?:order\s+of\s+)?(?:(?:letters|characters|string|word|text)"
        r"\s+(?:of|in)\s+)?(?P<text>\S.*?)\s*$",
        rf"\b(?:reverse|reversed|reversal|backwards?)\s+(?:version\s+)?(?:of|for|spelling\s+of)?\s*:?\s*{_TEXT}",
        r"^(?P<text>\S.*?)\s+(?:spelled\s+|spelt\s+|written\s+)?(?:backwards?|in\s+reverse|reversed)\b")),
    ("uppercase", _compile(
        rf"\b(?:upper\s?case|capitali[sz]e\s+(?:all|every)|caps)\s*(?:of|for|this|the\s+letters\s+(?:of|in))?\s*:"
        rf"\s*{_TEXT}",
        r"\b(?:make|put|convert|turn|change|write|transform|type|set|say|what(?:'s|\s+is))\s+(?:this\s+)?:?"
        r"\s*(?P<text>\S.*?)\s+(?:to|in|into|all|as)?\s*(?:all\s+)?(?:upper[\s-]?case|capitals?|capital\s+letters|"
        r"(?:all\s+)?caps|big\s+letters)\b",
        rf"\b(?:upper[\s-]?case|capitali[sz]e|all\s+caps|to\s+upper)\s*:?\s+(?:(?:all|every)\s+(?:the\s+)?letters?\s+"
        rf"(?:of|in)\s+)?(?:version\s+of\s+|of\s+|for\s+|this\s+)?{_TEXT}",
        r"^(?P<text>\S.*?)\s+(?:to|in|into)\s+(?:all\s+)?(?:upper[\s-]?case|capitals|capital\s+letters|(?:all"
        r"\s+)?caps)\b")),
    ("lowercase", _compile(
        rf"\b(?:lower\s?case)\s*(?:of|for|this)?\s*:\s*{_TEXT}",
        r"\b(?:make|put|convert|turn|change|write|transform|type|set|what(?:'s|\s+is))\s+(?:this\s+)?:?"
        r"\s*(?P<text>\S.*?)\s+(?:to|in|into|all|as)?\s*(?:all\s+)?(?:lower[\s-]?case|small\s+letters)\b",
        rf"\b(?:lower[\s-]?case)\s+(?:version\s+of\s+|of\s+|for\s+|this\s+)?{_TEXT}",
        r"^(?P<text>\S.*?)\s+(?:to|in|into)\s+(?:all\s+)?(?:lower[\s-]?case|small\s+letters)\b")),
    ("title_case", _compile(
        r"\b(?:make|put|convert|turn|change|write)\s+(?P<text>\S.*?)\s+(?:to|in|into|as)?\s*title[\s-]?case\b",
        rf"\btitle[\s-]?case\s*(?:of|for|this)?\s*:?\s*{_TEXT}")),
    ("spell", _compile(
        r"\bhow\s+(?:do|would|does|can|should)\s+(?:you|i|one|u|we|ya)\s+(?:correctly\s+)?spell\s+(?:out"
        r"\s+)?(?P<text>\S.*?)\s*$",
        r"\bhow\s+(?:is|to|are)\s+(?P<text>\S.*?)\s+(?:spelled|spelt)\b",
        r"\bhow\s+to\s+spell\s+(?P<text>\S.*?)\s*$",
        r"\bspell(?:\s+out)?(?:\s+the\s+letters\s+of)?[\s:]+(?P<text>\S.*?)(?:\s+(?:out|letter\s+by\s+letter|for"
        r"\s+(?:me|us|him|her|my\s.*)|one\s+letter\s+at\s+a\s+time|out\s+loud))*[\s?.!]*$",
        r"\bspelling\s+of\s+(?P<text>\S.*?)\s*$")),
)  # fmt: skip
