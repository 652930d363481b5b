"""What the reading of the tools that ship takes from a question's text, each computed when first asked for and kept.

The text on one line and without chatter; where one request ends and the next begins; words that hint at tools (cues),
before any router is asked. Leaves out deciding: a cue is a hint, and router and parser have to agree on the span that it
is in (``chains.py``). Rules, not learned: a reader can see why a question was split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from router.builtin.numbers import Clean, clean, plain
from router.types import Question, once

QUOTED = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|“[^”]*”")


@once
def cleaned(question: Question) -> Clean:
    """The text of ``question`` after ``clean``."""
    return clean(question.text)


LEADING = re.compile(
    r"^\W*(?:(?:hey|hi|hello|ok(?:ay)?|so|um+|uh+|well|yo|please|pls|plz|listen|hmm+|wait|actually|seriously"
    r"|sorry|great|cool"
    r"|thanks|now|and|but|also|then|bot|computer|there|assistant|excuse me|come on|be honest|quick question"
    r"|question|one question"
    r"|next|help me|for homework|i forgot|just wondering|do you know|any idea|just|quick one|my \w+ asks|for me"
    r"|(?:can|could|would|will) you(?: please)?(?: tell me| say)?|tell me|i(?:'d| would)? (?:want|need|like"
    r"|wonder|have) (?:to know)?"
    r")\b[\s,:.!-]*)+",
    re.IGNORECASE,
)
TRAILING = re.compile(
    r"(?:[\s,]+(?:please|pls|plz|(?:thanks|thank you|thx)(?:\s+a\s+(?:lot|bunch|million))?|asap|quick(?:ly)?|right now|lol|dude|mate|bro|man|for me"
    r"|tell me|if you can"
    r"|if possible|you idiot|come on|hurry up|thanks in advance|approximately|exactly|roughly|again|any idea"
    r"|do you know|i need it"
    r"|i forgot|:\)))+[\s?!.]*$",
    re.IGNORECASE,
)


def without_chatter(text: str) -> str:
    """``text`` without greetings before and pleas after the question; as it is where nothing else is in it."""
    return TRAILING.sub("", LEADING.sub("", text)) or text


@once
def bare(question: Question) -> Clean:
    """The text of ``question``, normalised and without chatter."""
    return Clean(without_chatter(cleaned(question)))


@once
def quantities(question: Question) -> str:
    """What is read for quantities: numbers in digits, quoted text left out."""
    return plain(QUOTED.sub(" ", cleaned(question)))


# ------------------------------------------------------------------ several requests

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


MOOD = frozenset(
    "how what whats wat which who whose when where why is are was were be do does did can could will would shall "
    "should may might must has have had if whether unless than know tell i we he she they need want so there come "
    "question".split()
)
"""Words that make a question, a condition or a report of what would be a request."""
_POLITE = re.compile(
    r"^\W*(?:(?:hey|hi|hello|ok(?:ay)?|please|pls)\b\W*)*(?:can|could|would|will) you\b", re.IGNORECASE
)
_WHEN = re.compile(
    r"\b(?:tomorrow|tonight|later|soon|daily|weekly|hourly|morning|afternoon|evening|noon|midnight"
    r"|(?:every|each|next)\s+\w+|(?:at|by|before|after|until|till|from|around)\s+(?:\d|noon|\w+day\b)"
    r"|in\s+(?:\d+|an?|half|one|two|three|five|ten|a\s+few)\s+\w+|on\s+\w+days?)\b",
    re.IGNORECASE,
)
_TIMES = frozenset("time times date datetime day days when at start starts end ends due until deadline hour".split())
"""Words in the name of a slot that takes a time."""


def moods(question: Question) -> list[str]:
    """The words by which ``question`` asks, supposes or reports rather than requests, in lower case. "Can you turn ..."
    requests, and what is quoted is no mood of the question's own."""
    text = _POLITE.sub("", QUOTED.sub(" ", cleaned(question)))
    return [word for word in re.findall(r"[^\W\d_]+", text.lower()) if word in MOOD]


def polite(question: Question) -> bool:
    """Whether ``question`` requests in the form of a question ("could you ...?")."""
    return _POLITE.search(cleaned(question)) is not None


def moment(question: Question) -> str | None:
    """When something is to be done, as ``question`` says it; None where it says nothing of time."""
    match = _WHEN.search(cleaned(question))
    return match[0] if match else None


def takes_time(slots: Iterable[str]) -> bool:
    """Whether one of ``slots``, by its name, is for a time."""
    return any(_TIMES & set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", s).lower())) for s in slots)


def negation(question: Question) -> str | None:
    """The word by which ``question`` asks for something not to be done; None where there is none."""
    match = _NEGATED.search(QUOTED.sub(" ", cleaned(question)))
    return match[0] if match else None


def points_back(request: str) -> str | None:
    """The words by which ``request`` speaks of something that an earlier one asked for ("how many seconds are those");
    None where it does not."""
    match = _POINTS_BACK.search(QUOTED.sub(" ", request))
    return match[0] if match else None


_LINK = r"(?:and|or|but|ok(?:ay)?|so|then|also|now|well)\b\W*"
_REFERS_BACK = re.compile(
    rf"^\W*(?:{_LINK})*(?:(?:what|how)\s+about\s+(?!you\b)"
    r"|(?:(?:the|do\s+the)\s+)?same\s+(?:for|in|with|on|at|thing|again|but)\b)"
    r"|^\W*(?:and|or|but)\s+(?!you\b)(?=(?:[^\W\d]+\W*){1,5}$)(?!.*\b(?:what|which|how|when|who|is|are)\b)"
    rf"|^\W*(?:{_LINK})+(?:in|for|to|into|with|at|on|of|from|by|as)\s+(?!(?:\w+\W+){{7}})"
    r"(?!.*\b(?:what|which|how|when|who|is|are)\b)"
    r"|^\W*(?:in|into|to|for|as)\s+[^\W\d]+(?:\s+[^\W\d]+)?\s*\?"
    rf"|^\W*(?:{_LINK})*(?:(?:what|how)(?:'s|\s+(?:is|are|was|much|many|about))?\s+(?:\w+\s+)?)?"
    r"(?:(?:is|are|in|of|for|to|convert|double|halve)\s+)?"
    r"(?:that|those|these|them|it|this)\s+"
    r"(?:in|into|to|as|for|from|by|times|plus|minus|instead|again|converted)\b(?!\s+(?:here|the)\b)",
    re.IGNORECASE,
)
"""A question that is one only after the turn before it: "and in metres?", "the same for Oslo", "convert that to euros"."""
_ASKS_NOW = re.compile(
    r"\b(?:time|late|day|date|hour|weather|hot|cold|warm)\b.*\b(?:was|be)\s+it\b|\bis\s+it\b", re.IGNORECASE
)


@once
def refers_back(question: Question) -> str | None:
    """The words by which ``question`` speaks of a turn before it; None where it stands alone."""
    text = QUOTED.sub(" ", cleaned(question))
    match = _REFERS_BACK.search(text)
    if match and not _ASKS_NOW.search(text):
        return match[0].strip(" ,.?!")
    return "that" if _ENDS_BACK.search(text) else None


_ENDS_BACK = re.compile(r"^[^,;:.\d-]*\b(?:of|is|are|than)\s+(?:that|those|these|them)\W*$", re.IGNORECASE)


# ------------------------------------------------------------------ cues of tools

_OF = r"(?:of|in|for)\s+(?:the\s+)?"
_FACT_HEADS = (
    r"capital(?:\s+city)?|population|number\s+of\s+(?:inhabitants|people|residents)|(?:land\s+|total\s+"
    r"|surface\s+)?area|size|currency|money"
    r"|(?:official\s+|main\s+)?languages?|continent|(?:dialling|dialing|calling|phone|country)\s+code|internet\s+domain"
    r"|atomic\s+(?:number|weight|mass)|(?:chemical\s+)?symbol|(?:melting|boiling)\s+point|density"
    r"|(?:year\s+of\s+)?discovery(?:\s+year)?"
    r"|(?:largest|biggest|most\s+populous)\s+city|(?:only\s+)?neighbou?r(?:ing\s+country)?"
)
_ENTITY = r"(?P<entity>[^\W\d_][\w'’.-]*(?:\s+[^\W\d_][\w'’.-]*){0,4})"
FACTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:\bthe\s+)?\b(?P<head>{_FACT_HEADS})\s+{_OF}{_ENTITY}",
        rf"(?:\bthe\s+)?{_ENTITY}['’]s\s+(?P<head>{_FACT_HEADS})\b",
        (
            rf"(?:\bthe\s+)?\b(?P<head>(?:number\s+of\s+)?people)\s+(?:who\s+live|that\s+live"
            rf"|living)\s+in\s+(?:the\s+)?{_ENTITY}"
        ),
        (
            rf"\b(?P<head>(?:what|which)\s+languages?\s+(?:do\s+(?:they|people)\s+speak|(?:is|are)\s+spoken"
            rf"|is\s+used))\s+in\s+(?:the\s+)?{_ENTITY}"
        ),
        (
            rf"\b(?P<head>(?:what|which)\s+(?:currency|money)\s+(?:do\s+(?:they|people)\s+(?:use|pay\s+with)"
            rf"|is\s+used))\s+in\s+(?:the\s+)?{_ENTITY}"
        ),
        rf"\b(?P<head>how\s+many\s+people\s+(?:live|are\s+there|are))\s+in\s+(?:the\s+)?{_ENTITY}",
    )
)
QUERY = {"size": "area", "money": "currency", "people": "population", "number of people": "population"}
_CUES: dict[str, re.Pattern[str]] = {
    tool: re.compile(pattern, re.IGNORECASE)
    for tool, pattern in {
        "search": rf"\b(?:{_FACT_HEADS})s?\s+(?:of|in|for)\b|['’]s\s+(?:{_FACT_HEADS})\b|\bpeople\s+(?:who\s+live"
        rf"|that\s+live|living|live|are)\b"
        r"|\b(?:what|which)\s+(?:languages?|currency|money)\s+(?:do|is|are)\b",
        "calculator": r"%|\bper\s?cent\b|\d\s*[-+*/x×÷^]\s*\d|\b(?:plus|minus|times|multipl\w+|divided?|squared"
        r"|cubed|sqrt|root|half|twice|double"
        r"|triple|quarter|third|fifth|tenth|sum|average|mean|total|add|subtract|factorial|per\s+person|split"
        r"|ratio|product|log)\b",
        "unit_converter": r"\bconvert\b|\b(?:in|to|into|as|many|much)\s+(?:\w+\s+)?(?:square|cubic|sq|kilo\w+"
        r"|miles?|mi|km²?|km2|met(?:er|re)s?|feet|foot|ft|yards?"
        r"|inch(?:es)?|cm|mm|acres?|hectares?|pounds?|lbs?|kg|kilos?|grams?|ounces?|stone|fahrenheit|celsius"
        r"|kelvin|°\w|[fck]\b|gallons?|lit(?:er|re)s?"
        r"|cups?|pints?|ml|hours|minutes|seconds|weeks|mph|km/h|knots)",
        "currency": r"[$€£¥]|\b(?:dollars?|euros?|yen|pounds?\s+sterling|francs?|usd|eur|gbp|jpy|chf|rupees?"
        r"|pesos?|yuan|bucks|krona|zloty|exchange\s+rate)\b",
        "clock": r"\b(?:time|clock|o'clock|date)\s+(?:\w+\s+){0,3}in\b|\btime\s+(?:difference|zone)"
        r"|\bwhat\s+(?:time\b|day\s+is\s+it\b)|\bhow\s+late\b|\bhours?\s+(?:ahead|behind|between)\b",
        "calendar": r"\b(?:days?|weeks|months|sleeps)\s+(?:\w+\s+){0,2}(?:until|till|to|between|from|since|after"
        r"|before)\b|\bweekday\b|\bday\s+of\s+the\s+week\b"
        r"|\bleap\s+year\b|\bhow\s+(?:old|long\s+until|long\s+is\s+it\s+until)\b|\bage\s+of\b|\b(?:christmas"
        r"|easter|halloween|new\s+year)\b",
        "text": r"\b(?:letters?|vowels|consonants|characters|backwards?|reversed?|spell(?:ed|ing)?|palindrome"
        r"|upper\s?case|lower\s?case|capitals|caps)\b",
        "weather": r"\b(?:weather|forecast|rain(?:ing)?|snow(?:ing)?|umbrella|temperature\s+in)\b",
    }.items()
}  # fmt: skip
_ISO = re.compile(r"\b\d{4}-\d{1,2}-\d{1,2}\b")


def cues_of(text: str) -> dict[str, int]:
    """How often each tool's cues occur, outside quotes."""
    text = _ISO.sub(" ", QUOTED.sub(" ", text))
    found = {}
    for tool, pattern in _CUES.items():
        count = sum(1 for _ in pattern.finditer(text))
        if count:
            found[tool] = count
    return found


def has_cue(text: str, tool: str) -> bool:
    """Whether ``cues_of(text)`` has one of ``tool``, for the price of that tool's pattern."""
    return _CUES[tool].search(_ISO.sub(" ", QUOTED.sub(" ", text))) is not None


@once
def cues_in(question: Question) -> dict[str, int]:
    """``cues_of`` the question's text."""
    return cues_of(question.text)


@once
def composed(question: Question) -> bool:
    """Whether the question has the cues of two tools, or those of two facts."""
    cues = cues_in(question)
    return len(cues) > 1 or cues.get("search", 0) > 1


@once
def embeds_fact(question: Question) -> bool:
    return bool(_CUES["search"].search(QUOTED.sub(" ", question.text)))
