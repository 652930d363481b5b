"""Several requests in one question, told apart by how requests begin and by what may join them.

Leaves out resolving them (``chains.py``) and what a call does not take in of one request (``leftovers.py``). Rules, not
learned: a reader can see why a question was split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from router.builtin.cues import QUOTED
from router.builtin.mentions import bare, without_chatter
from router.builtin.numbers import cleaned
from router.types import Question, once

REQUEST = (
    r"(?:what(?:'s|s)?|which|who(?:'s)?|where|when|how|is|are|was|were|does|do|did|will|convert|calculate|compute|spell"
    r"|count|tell\s+me|give\s+me|find|reverse|translate)\b"
)
_BETWEEN = re.compile(
    r"(?:[?;]\s*(?:(?:and|also|then|plus)\b,?\s*)*|,\s*(?:(?:and|also|then|plus)\s+)*"
    rf"|\s+(?:and|also|then|plus)\s+(?:also\s+|then\s+)?)(?={REQUEST})",
    re.IGNORECASE,
)
"""Where one request may end and the next begin: a stop, a comma or "and", and then a word that asks."""
_ASKS = re.compile(rf"(?!when\b(?!\s+(?:is|are|was|were|do|does|did|will)\b)){REQUEST}", re.IGNORECASE)
"""How a request begins; "when it is noon in Rome, ..." is a condition."""
ASKS_INSIDE = re.compile(r"\b(?:what|what's|whats|how\s+(?:many|much|long|far|old|late))\b", re.IGNORECASE)
"""What asks wherever it stands: "it is noon in Rome: what time is it in Oslo"."""
_JOINT = re.compile(
    r"\s*[?;]\s*(?:(?:and|also|then)\b,?\s*)*|,?\s+(?:and|also|then)\s+(?:also\s+|then\s+)?|,\s+", re.IGNORECASE
)
_BETWEEN_AND = re.compile(r"\bbetween\b", re.IGNORECASE)
MAX_JOINTS = 6
"""Places of one question that are tried as the end of a request."""
_POINTS_BACK = re.compile(
    r"\b(?:that|those|these|this(?!\s+(?:year|month|week|morning|evening|time)\b)|them|(?<!are\s)(?<!is\s)there"
    r"|its|their|both|each\s+of|the\s+(?:same|result|answer))\b"
    r"|(?<!time\sis\s)(?<!late\sis\s)(?<!day\sis\s)(?<!date\sis\s)\bit\b(?!\s+is\b|'s\b)",
    re.IGNORECASE,
)


_NEGATED = re.compile(
    r"\b(?:not|never|no\s+longer|without|except|unless|\w+n't|dont|doesnt|cant|wont|shouldnt)\b", re.IGNORECASE
)


@once
def requests(question: Question) -> list[str]:
    """The requests in ``question``, in order: one, or several where each begins with a word that asks. A statement or a
    condition belongs to the request that follows it ("if it is noon in Rome, what time is it in Oslo")."""
    text = bare(question)
    quoted = [match.span() for match in QUOTED.finditer(text)]
    parts, start = [], 0
    for match in _BETWEEN.finditer(text):
        inside = any(a < match.start() < b for a, b in quoted)
        if not inside and _asks(text[start : match.start()]):
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]] if parts else [question.text]


def halves(question: Question) -> Iterator[tuple[str, str]]:
    """What stands before and after each "and", comma or stop of ``question``, outside quotes: perhaps two requests."""
    text = bare(question)
    quoted = [match.span() for match in QUOTED.finditer(text)]
    joints = [m for m in _JOINT.finditer(text) if not any(a < m.start() < b for a, b in quoted)]
    for match in joints[:MAX_JOINTS]:
        before, after = text[: match.start()].strip(), text[match.end() :].strip()
        ranges = len(_BETWEEN_AND.findall(before))  # "days between 1 May and 9 June" has one "and" of its own
        if len(before.split()) > 1 and len(after.split()) > 1 and ranges <= before.lower().count(" and "):
            yield before, after


def _asks(text: str) -> bool:
    return bool(_ASKS.match(without_chatter(text)) or ASKS_INSIDE.search(text))


def negation(question: Question) -> str | None:
    """The word by which ``question`` asks for something not to be done; None where there is none."""
    match = _NEGATED.search(QUOTED.sub(" ", cleaned(question)))
    return match[0] if match else None


def points_back(request: str) -> bool:
    """Whether ``request`` speaks of something that an earlier one asked for ("how many seconds are those")."""
    return _POINTS_BACK.search(QUOTED.sub(" ", request)) is not None
