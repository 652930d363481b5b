"""Cues: words that tell which tools could serve which parts of a question, before any router is asked.

They keep a question of one tool cheap: only where cues of two tools meet is a chain looked for. Leaves out deciding; a
cue is a hint, and router and parser have to agree on the span that it is in (``chains.py``).
"""

from __future__ import annotations

import re

from router.types import Question, once

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
QUOTED = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|“[^”]*”")

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
