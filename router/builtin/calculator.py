"""Calculator: arithmetic as people write it, evaluated by simpleeval under caps on size.

Leaves out algebra and units. ``parse`` turns words into an expression ("20% tip on $48.50 split 3 ways" →
"20% of 48.5 / 3"); ``run`` reads that notation, so the answer still shows what was asked.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from router.builtin import ToolConfig
from router.builtin.numbers import AMBIGUOUS, NUMBER, UNSIGNED, clean, fractions, plain, show
from router.tools import Tool, ToolError, shorten

MAX_EXPRESSION = 300
MAX_FACTORIAL = 450
MAX_DIGITS = 1_000
"""Digits of any intermediate result."""

PARAMETERS = {
    "type": "object",
    "properties": {
        "expression": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_EXPRESSION,
            "description": "Arithmetic, e.g. 12*(3+4), 20% of 45, sqrt(2), 5!, 17 mod 5, average(1, 2, 3)",
        }
    },
    "required": ["expression"],
    "additionalProperties": False,
}


def build(config: ToolConfig) -> Tool:
    """The calculator. It needs nothing from ``config``."""
    description = "Evaluates arithmetic, e.g. 12*(3+4), 20% of 45, sqrt(2)."
    return Tool("calculator", description, PARAMETERS, run, parse, effects=False)


def run(expression: str) -> str:
    """``expression = value``. Raises ToolError for what is no arithmetic, too large, or undefined."""
    return f"{' '.join(expression.split())} = {show(evaluate(expression), 10)}"


def evaluate(expression: str) -> float | int:
    """The value of an expression in the calculator's notation. Raises ToolError."""
    if len(expression) > MAX_EXPRESSION:
        raise ToolError(
            f"The expression has {len(expression)} characters; the limit is {MAX_EXPRESSION}. Calculate it in parts."
        )
    text = to_python(expression)
    try:
        value = _Evaluator(operators=_OPERATORS, functions=_FUNCTIONS, names=_NAMES).eval(text)
    except ToolError:
        raise
    except ZeroDivisionError:
        raise ToolError(f"{shorten(expression)!r} divides by zero. Give a divisor other than 0.") from None
    except (OverflowError, RecursionError, MemoryError):
        raise _too_large(expression) from None
    except (InvalidExpression, SyntaxError, ValueError, TypeError, AttributeError, KeyError) as fault:
        reason = str(fault) if isinstance(fault, ValueError) and "math" in str(fault) else "is not arithmetic"
        raise ToolError(
            f"{shorten(expression)!r} {reason}. Use numbers, + - * / ** % ( ), and {', '.join(_SHOWN)}."
        ) from None
    return _check(value, expression)


def to_python(expression: str) -> str:
    """The calculator's notation ("20% of 45", "5!", "2^3", "50 + 10%") as a Python expression."""
    text = fractions(plain(clean(expression))).rstrip("=? ")
    text = text.replace("×", "*").replace("·", "*").replace("÷", "/").replace("^", "**").replace("$", "")
    text = re.sub(r"√\s*(\d+(?:\.\d+)?)", r"sqrt(\1)", text).replace("√", "sqrt")
    text = re.sub(r"(?<=[\d)])\s*x\s*(?=[\d(.])", "*", text)
    text = re.sub(r"\s+(?:mod|modulo)\s+|(?<=[\d)])\s+%\s+(?=-\d)", f" {_MODULO} ", text)
    text = re.sub(r"\bper\s?cent\b", "%", text)
    text = re.sub(rf"({UNSIGNED}|\([^()]*\))\s*%\s*of\s+", r"(\1/100)*", text)
    text = re.sub(r"\s+of\s+(?=[\d(.])", "*", text)
    text = re.sub(r"(.+?)\s*([-+])\s*(\d+(?:\.\d+)?)\s*%(?!\s*[\d(.a-z])", r"(\1)*(1\g<2>\3/100)", text)
    text = re.sub(rf"({UNSIGNED})\s*%(?!\s*[\d(.a-z])", r"(\1/100)", text)
    for _ in range(3):
        text = re.sub(r"(\d+(?:\.\d+)?|\([^()]*\))\s*!(?!=)", r"factorial(\1)", text)
    text = re.sub(r"(?<=[\d)])\s*(?=\()", "*", text)
    text = re.sub(r"\b(sqrt|cbrt|ln|log10|log2|log|factorial|abs|sin|cos|tan)\*\(", r"\1(", text)
    text = re.sub(r"\b(sqrt|cbrt|ln|log|abs|sin|cos|tan)\s+(?:of\s+)?(\d+(?:\.\d+)?)", r"\1(\2)", text)
    return re.sub(r"(?<![\w.])0+(?=\d)", "", text).replace(_MODULO, "%").strip()


_MODULO = "\x01"
"""Stands for the remainder's sign while percentages are read, which have the same."""


def parse(question: str) -> dict[str, Any] | None:
    """The arithmetic in ``question``, or None where there is none, or more story than arithmetic."""
    text = fractions(plain(clean(question)))
    if AMBIGUOUS.search(question) or second_money(text):
        return None
    text = _strip(text)
    if not re.search(r"\d", text) or re.search(r"\d{4}-\d\d-\d\d", text):
        return None  # the hyphens of a date are no minus signs
    if _SPACED.search(question) and _LISTS.search(text):
        return None  # 100 200 300 are three numbers as likely as one
    for pattern, template in _PHRASES:
        match = pattern.fullmatch(text)
        if match:
            expression = template(match) if callable(template) else match.expand(template)
            return _fits(_operators(expression))
    return _fits(_operators(text))


_SPACED = re.compile(r"(?<!\d)\d{1,3}(?: \d{3})+(?!\d)")
_LISTS = re.compile(r"\b(?:average|avg|mean|median|sum|total|add|product|max\w*|min\w*|largest|smallest|gcd|lcm)\b")


def _fits(expression: str) -> dict[str, Any] | None:
    """The arguments if ``expression`` is one that has something to compute, else None."""
    expression = expression.strip(" =?.,")
    if not expression or len(expression) > MAX_EXPRESSION or re.fullmatch(rf"\(*\s*{NUMBER}\s*\)*", expression):
        return None
    if re.search(r"[\d.]\s+[\d.]|%\s*[\d.]", expression.replace("% of", "*")):
        return None  # numbers without a sign between them
    if any(word not in _FUNCTIONS and word not in _NAMES and word not in ("of", "mod") and not re.fullmatch(r"e\d*", word)
           for word in re.findall(r"[a-z][a-z0-9]*", expression)):  # fmt: skip
        return None
    try:
        tree = ast.parse(to_python(expression), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    loose = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in _FUNCTIONS)
    return None if isinstance(tree, ast.Tuple) or set(loose) - called else {"expression": expression}


_MONEY = re.compile(
    r"(?P<usd>\$(?=\s*[\d.])|(?<=\d)\s*(?:dollars?\b|bucks?\b|usd\b|\$))"
    r"|(?P<eur>€(?=\s*[\d.])|(?<=\d)\s*(?:euros?\b|eur\b|€))"
    r"|(?P<gbp>£(?=\s*[\d.])|(?<=\d)\s*(?:pounds?\b|gbp\b|£))|(?P<jpy>¥(?=\s*[\d.])|(?<=\d)\s*(?:yen\b|jpy\b|¥))",
    re.IGNORECASE,
)


def second_money(text: str) -> str | None:
    """The "3 euros" of "5 dollars plus 3 euros", which do not add up; None where ``text`` has one money at most."""
    kinds = {money.lastgroup: money[0].strip() for money in reversed(list(_MONEY.finditer(text)))}
    return next(iter(kinds.values())) if len(kinds) > 1 else None


def _strip(text: str) -> str:
    """``text`` without polite openings, currency signs and closing punctuation."""
    text = _MONEY.sub("", text)
    text = re.sub(r"\bper\s?cents?\b|\bpct\b|\bpercent(?:age)?(?=\s+(?:of|tip|off|discount)\b)", "%", text)
    text = re.sub(r"(?<=[\d)])\s+%\s+(?=-?\d)", " mod ", text)
    text = re.sub(r"(?<=\d)\s+%", "%", text)
    text = text.replace("×", "*").replace("÷", "/").replace("^", "**").replace("plz", "please")
    previous = None
    while previous != text:
        previous = text
        text = _OPENING.sub(
            "", text.strip(" ,:;.!?\"'=") if not text.rstrip(" ?.").endswith("!") else text.strip(" ,:;?.=")
        )
        text = _CLOSING.sub("", text)
    return text.strip()


_OPENING = re.compile(
    r"^(?:please|pls|hey|hi|hello|ok(?:ay)?|so|um+|now|quick(?:ly)?|math|maths|can|could|would|will|you|u|me|i|want|"
    r"need|like|"
    r"to|know|tell|give|show|say|calculate|calc|compute|evaluate|work\s+out|figure\s+out|find(?:\s+out)?|solve|do|"
    r"what(?:'s|s)?|wat|whats|what\s+(?:is|does|would|do|are|will)|is|are|does|would|be|how\s+much(?:\s+(?:is|are|"
    r"does|do|would))?|"
    r"how\s+many(?:\s+is)?|the|answer|result|value|total|of|for|amount|a|an|it|that|just|if|you|get|i\s+get|equals?|"
    r"using|"
    r"calculator|when)(?![\w(])[\s,:]*"
)
_CLOSING = re.compile(
    r"[\s,.?!=]*\b(?:please|pls|thanks|thank\s+you|thx|equals?|equal\s+to|is|are|be|come\s+to|make|makes|for\s+me|in"
    r"\s+total|"
    r"altogether|total|in\s+(?:dollars?|euros?|pounds?|bucks|usd|eur|gbp)|"
    r"right\s+now|exactly|quickly|equals\s+what|is\s+what|as\s+a\s+(?:number|decimal)|what|worth|"
    r",?\s*rounded\s+(?:off\s+)?to\s+(?:\w+\s+)+(?:places?|decimals?|number|digits?|integer)|(?:and\s+)?show\s+(?:me"
    r"\s+)?(?:the\s+)?(?:steps|work))\s*$"
)


def _operators(text: str) -> str:
    """Operator words as signs: "3 plus 4 squared" → "3 + 4**2"."""
    for pattern, sign in _WORDS:
        text = pattern.sub(sign, text)
    return re.sub(r"\s+", " ", text).strip()


_N = rf"(\(?-?{UNSIGNED}\)?)"
_WORDS = [
    (re.compile(pattern), sign)
    for pattern, sign in [
        (r"(?<=\bof)\s+(?:minus|negative)\s+(?=\d)", " -"),
        (rf"\b({UNSIGNED})\s+less\s+than\s+({UNSIGNED})\b", r"\2 - \1"),
        (r"\b(?:the\s+)?cube\s+root\s+(?:of\s+)?(-?\d+(?:\.\d+)?)", r"cbrt(\1)"),
        (r"\b(?:the\s+)?(\d+)(?:st|nd|rd|th)\s+root\s+of\s+(\d+(?:\.\d+)?)", r"\2**(1/\1)"),
        (r"\b(?:the\s+)?(?:square\s+root|squareroot|sq\s?rt|root)\s+(?:of\s+)?(-?\d+(?:\.\d+)?)", r"sqrt(\1)"),
        (r"\b(?:the\s+)?(?:square\s+root|squareroot|root)\s+(?:of\s+)?\(", "sqrt("),
        (r"\b(?:the\s+)?factorial\s+(?:of\s+)?(\d+)", r"\1!"),
        (r"\b(\d+)\s+factorial\b", r"\1!"),
        (r"\blog(?:arithm)?\s+base\s+(\d+(?:\.\d+)?)\s+(?:of\s+)?(\d+(?:\.\d+)?)", r"log(\2, \1)"),
        (r"\blog(?:arithm)?\s+(?:of\s+)?(\d+(?:\.\d+)?)\s+(?:to|in|with)?\s*(?:the\s+)?base\s+(\d+)", r"log(\1, \2)"),
        (r"\b(?:natural\s+log(?:arithm)?|ln)\s+(?:of\s+)?(\d+(?:\.\d+)?)", r"ln(\1)"),
        (r"\blog(?:arithm)?(?:\s*10)?\s+(?:of\s+)?(\d+(?:\.\d+)?)", r"log(\1)"),
        (r"\b(sin|cos|tan)(?:e|ine|gent)?\s+(?:of\s+)?(\d+(?:\.\d+)?)\s*(?:degrees?|deg|°)", r"\1(radians(\2))"),
        (r"\b(sin|cos|tan)(?:e|ine|gent)?\s+(?:of\s+)?(\d+(?:\.\d+)?)", r"\1(\2)"),
        (r"\b(?:the\s+)?(?:absolute\s+value|abs)\s+of\s+(-?\d+(?:\.\d+)?)", r"abs(\1)"),
        (r"\s*\b(?:raised\s+)?to\s+the\s+(?:power\s+(?:of\s+)?)?(\d+)(?:st|nd|rd|th)(?:\s+power)?\b", r"**\1"),
        (r"\s*\b(?:raised\s+)?to\s+the\s+power\s+(?:of\s+)?|\s*\braised\s+to\s+", "**"),
        (r"\s+squared\b", "**2"),
        (r"\s+cubed\b", "**3"),
        (r"\b(\d+(?:\.\d+)?)\s+square(?=\s|$)", r"\1**2"),
        (r"\b(?:multiplied|times)\s+by\s+|\btimes\s+|\bmultiply\s+by\s+", "* "),
        (r"(?<=[\d)!])\s*\bx\b\s*(?=[\d(.])", " * "),
        (r"(?<=[\d)%!])\s+(?:plus|add(?:ed\s+to)?|and\s+add)\s+", " + "),
        (r"(?<=[\d)%!])\s+(?:minus|less|subtract|take\s+away|takeaway)\s+", " - "),
        (r"\s+(?:divided\s+by|divide\s+by|over)\s+", " / "),
        (r"(?<=[\d)])\s*(?:modulo|modulus|mod)\s*(?=[-\d(])", " mod "),
        (r"\bminus\s+(?=\d)|\bnegative\s+(?=\d)", "-"),
        (r"\bpi\b", "pi"),
        (r"\bdouble\s+(?=\d)|\btwice\s+(?=\d)", "2 * "),
        (r"\b(?:triple|thrice)\s+(?=\d)", "3 * "),
        (r"(\d+(?:\.\d+)?%)\s+(?:from|on|in|out\s+of)\s+(?=\d)", r"\1 of "),
    ]
]


def _list(text: str) -> str:
    return ", ".join(re.findall(rf"{NUMBER}", re.sub(r"\band\b|&", ",", text)))


_NUMS = r"((?:-?\d[\d.]*[\s,;&]*(?:and\s+)?){2,}(?:-?\d[\d.]*)?)"
_PERSONS = r"(?:people|persons|friends|ways|guys|of\s+us|kids|children|roommates|colleagues|times|equal\s+parts|parts)"
_PHRASES: list[tuple[re.Pattern[str], Any]] = [
    (re.compile(pattern), template)
    for pattern, template in [
        # tips and bills
        (rf"{_N}%\s+tip\s+(?:on|of|for|from)\s+(?:an?\s+)?(?:bill\s+(?:of|for)\s+)?{_N}(?:\s+(?:bill|meal|dinner|"
         rf"check|tab|order|lunch))?(?:,?\s*(?:and\s+)?(?:split|shared|divided)\s+(?:it\s+)?(?:by|between|among|"
         rf"amongst|in)?\s*{_N}\s*{_PERSONS}?)?",
         lambda m: f"{m[1]}% of {m[2]}" + (f" / {m[3]}" if m[3] else "")),
        (rf"tip\s+(?:on|for)\s+(?:an?\s+)?(?:bill\s+(?:of|for)\s+)?{_N}(?:\s+(?:bill|meal|dinner|check|tab))?\s+"
         rf"(?:at|with|of)\s+{_N}%", r"\2% of \1"),
        (rf".*?{_N}[^\d]*[.,;?]\s+(?:what.s|what is|how much is)\s+(?:a\s+)?{_N}%\s+(?:of|tip on)\s+(?:that|it|this)", r"\2% of \1"),
        (rf"(?:tip|leave)\s+{_N}%\s+on\s+(?:an?\s+)?{_N}(?:\s+\w+)?", r"\1% of \2"),
        (rf"(?:bill\s+(?:of\s+)?)?{_N}(?:\s+bill)?\s*,?\s+(?:plus|with|and|including|incl\.?)\s+(?:an?\s+)?{_N}%\s+"
         rf"(?:tip|tax|vat|gst|sales\s+tax|service(?:\s+charge)?)(?:\s+(?:added|included|on\s+top))?(?:,?\s*(?:and"
         rf"\s+)?(?:split|shared|divided)\s+(?:it\s+)?(?:by|between|among|in)?\s*{_N}\s*{_PERSONS}?)?",
         lambda m: f"({m[1]} + {m[2]}%) / {m[3]}" if m[3] else f"{m[1]} + {m[2]}%"),
        (rf"(?:split|share|divide)\s+(?:a\s+)?(?:bill\s+(?:of\s+)?)?{_N}(?:\s+\w+){{0,2}}?\s+(?:up\s+)?(?:by|between|"
         rf"among|amongst|into|in|with|across|evenly\s+between)\s+{_N}(?:\s*{_PERSONS})?", r"\1 / \2"),
        (rf"(?:a\s+)?(?:bill\s+of\s+)?{_N}(?:\s+bill)?\s+(?:split|shared|divided)\s+(?:evenly\s+)?(?:by|between|"
         rf"among|amongst|into|in)?\s*{_N}(?:\s*{_PERSONS})?", r"\1 / \2"),
        (rf"(?:split|share|divide)\s+(?:a\s+|an\s+)?{_N}(?:\s+bill)?\s+{_N}\s+ways", r"\1 / \2"),
        # discounts and changes
        (rf"(?:the\s+)?(?:sale\s+|final\s+)?(?:price|cost)?\s*(?:of\s+)?(?:an?\s+)?{_N}(?:\s+\w+){{0,3}}?\s+(?:after|"
         rf"with|at|minus|less)\s+(?:an?\s+)?{_N}%\s*(?:off|discount|reduction|sale)?(?:\s+discount)?", r"\1 - \2%"),
        (rf"{_N}%\s+(?:off|discount\s+(?:on|from|of)|discount|less\s+than|reduction\s+(?:on|of))\s*(?:of\s+|from\s+|"
         rf"on\s+)?(?:an?\s+)?{_N}(?:\s+\w+){{0,2}}", r"\2 - \1%"),
        (rf"(?:increase|raise)\s+{_N}\s+by\s+{_N}%|{_N}\s+(?:increased|raised|up|plus)\s+(?:by\s+)?{_N}%",
         lambda m: f"{m[1] or m[3]} + {m[2] or m[4]}%"),
        (rf"(?:decrease|reduce|lower|cut)\s+{_N}\s+by\s+{_N}%|{_N}\s+(?:decreased|reduced|lowered|down)\s+(?:by"
         rf"\s+)?{_N}%",
         lambda m: f"{m[1] or m[3]} - {m[2] or m[4]}%"),
        (rf"{_N}%\s+(?:more|higher|greater)\s+than\s+{_N}", r"\2 + \1%"),
        (rf"(?:the\s+)?(?:%|percent(?:age)?)\s+(?:change|increase|decrease|difference|growth|drop)\s+(?:from|between)"
         rf"\s+{_N}\s+(?:to|and)\s+{_N}",
         r"(\2 - \1) / \1 * 100"),
        (rf"(?:what\s+)?(?:%|percent(?:age)?)\s+(?:of\s+)?{_N}\s+is\s+{_N}", r"\2 / \1 * 100"),
        (rf"{_N}\s+(?:is\s+)?(?:what|which)\s+(?:%|percent(?:age)?)\s+(?:of\s+)?{_N}", r"\1 / \2 * 100"),
        (rf"(?:what\s+)?(?:%|percent(?:age)?)\s+is\s+{_N}\s+(?:out\s+)?of\s+{_N}", r"\1 / \2 * 100"),
        (rf"{_N}\s+(?:out\s+of|of)\s+{_N}\s+(?:as\s+a|in|is\s+what)\s+(?:%|percent(?:age)?)", r"\1 / \2 * 100"),
        (rf"{_N}\s+(?:as\s+a|in)\s+(?:%|percent(?:age)?)\s+of\s+{_N}", r"\1 / \2 * 100"),
        (rf"(?:add|put)\s+{_N}%\s+(?:(?:sales\s+)?(?:vat|tax|gst|tip)\s+)?"
         rf"(?:to|on(?:to)?|on\s+top\s+of)\s+{_N}", r"\2 + \1%"),
        (rf"(?:subtract|take|remove|deduct)\s+{_N}%\s+(?:off|from|off\s+of)\s+{_N}", r"\2 - \1%"),
        (rf"(?:increase|raise)\s+of\s+{_N}\s+by\s+{_N}%", r"\1 + \2%"),
        (rf"{_N}%\s+(?:vat|tax|gst|sales\s+tax|commission|interest|service\s+charge|deposit|fee|duty)\s+(?:on|of|for)"
         rf"\s+{_N}", r"\1% of \2"),
        (rf"(?:if\s+)?(?:\w+\s+){{0,4}}?(?:costs?|priced\s+at|was|sells\s+for)\s+{_N}\s*,?\s+(?:and\s+)?(?:it\s+)?"
         rf"(?:is|it's|with|has|now|on\s+sale\s+for)?\s*(?:an?\s+)?{_N}%\s+(?:off|discount(?:ed)?|sale)\b.*", r"\1 - \2%"),
        (rf"{_N}\s*/\s*{_N}\s+(?:as|in|to)\s+(?:an?\s+)?(?:%|percent(?:age)?)", r"\1 / \2 * 100"),
        (rf"{_N}\s+(?:divisible|evenly\s+divisible)\s+by\s+{_N}", r"\1 mod \2"),
        (rf"{_N}\s+choose\s+{_N}", r"comb(\1, \2)"),
        (r"(?:sum|total)\s+of\s+(?:all\s+)?(?:the\s+)?(?:numbers\s+|integers\s+)?(?:from\s+)?(\d+)\s+(?:to|through)"
         r"\s+(\d+)", r"(\1 + \2) * (\2 - \1 + 1) / 2"),
        (rf"{_N}\s+(?:by|multiply)\s+{_N}", r"\1 * \2"),
        (rf"{_N}\s+between\s+{_N}\s*{_PERSONS}?", r"\1 / \2"),
        (rf"(?:would\s+|do\s+|does\s+|will\s+)?(?:buy(?:ing)?\s+)?{_N}\s+[a-z]+(?:\s+[a-z]+)?\s+(?:at|for|@)"
         rf"\s+{_N}\s*(?:each|apiece|per\s+\w+)\s*(?:cost|be|come\s+to)?", r"\1 * \2"),
        (rf"{_N}\s+[a-z]+\s+(?:at|for|@)\s+{_N}\s*(?:each|apiece)\s*(?:and|plus|,)\s*{_N}\s+[a-z]+\s+(?:at|for|@)"
         rf"\s+{_N}\s*(?:each|apiece)(?:\s+cost)?", r"\1 * \2 + \3 * \4"),
        # lists
        (rf"(?:average|mean|avg)\s+(?:of\s+|for\s+)?(?:the\s+numbers\s+|these(?:\s+numbers)?:?\s+)?{_NUMS}", lambda m: f"average({_list(m[1])})"),
        (rf"median\s+(?:of\s+)?{_NUMS}", lambda m: f"median({_list(m[1])})"),
        (rf"(?:sum|total)\s+(?:of\s+)?{_NUMS}|add(?:\s+up)?\s+(?:together\s+)?{_NUMS}(?:together|up)?",
         lambda m: _list(m[1] or m[2]).replace(", ", " + ")),
        (rf"product\s+of\s+{_NUMS}|multiply\s+{_NUMS}", lambda m: _list(m[1] or m[2]).replace(", ", " * ")),
        (rf"(?:the\s+)?(?:max(?:imum)?|largest|biggest|highest)\s+of\s+{_NUMS}", lambda m: f"max({_list(m[1])})"),
        (rf"(?:the\s+)?(?:min(?:imum)?|smallest|lowest)\s+of\s+{_NUMS}", lambda m: f"min({_list(m[1])})"),
        (rf"(?:difference|diff)\s+between\s+{_N}\s+and\s+{_N}", lambda m: f"abs({m[1]} - {m[2]})"),
        (rf"(?:quotient|ratio)\s+of\s+{_N}\s+(?:and|to|by)\s+{_N}", r"\1 / \2"),
        (rf"(?:greatest\s+common\s+(?:divisor|factor)|gcd|gcf|hcf)\s+(?:of\s+|\()?{_NUMS}\)?", lambda m: f"gcd({_list(m[1])})"),
        (rf"(?:least|lowest)\s+common\s+multiple\s+(?:of\s+)?{_NUMS}|lcm\s*(?:of\s+|\()?{_NUMS}\)?", lambda m: f"lcm({_list(m[1] or m[2])})"),
        # verbs
        (rf"(?:multiply)\s+{_N}\s+(?:by|and|with|times)\s+{_N}", r"\1 * \2"),
        (rf"divide\s+{_N}\s+(?:by|with)\s+{_N}", r"\1 / \2"),
        (rf"(?:subtract|take(?:\s+away)?)\s+{_N}\s+(?:away\s+)?from\s+{_N}", r"\2 - \1"),
        (rf"(?:add)\s+{_N}\s+(?:and|to|with|plus)\s+{_N}", r"\1 + \2"),
        (rf"(?:the\s+)?(?:remainder|rest)\s+(?:of|when|if)\s+{_N}\s*(?:is\s+)?(?:/|divided\s+by|by|over)\s*{_N}", r"\1 mod \2"),
        (rf"(?:how\s+many\s+|times\s+|does\s+|can\s+|do\s+)*{_N}\s+(?:go|goes|fit|fits)\s+in(?:to)?\s+{_N}", r"\2 / \1"),
        (rf"(?:square)\s+{_N}|{_N}\s+squared|square\s+of\s+{_N}", lambda m: f"{m[1] or m[2] or m[3]}**2"),
        (rf"cube\s+(?:of\s+)?{_N}", r"\1**3"),
        # prices
        (rf"(?:the\s+)?(?:cost\s+of\s+|price\s+of\s+|buy\s+|i\s+buy\s+)?{_N}\s+[a-z]+(?:\s+[a-z]+)?\s+(?:at|for|cost|"
         rf"costing|@)\s+{_N}\s*(?:each|apiece|per\s+\w+|a\s+piece|every)(?:\s*,?\s*(?:how\s+much.*)?)", r"\1 * \2"),
    ]
]  # fmt: skip


class _Evaluator(SimpleEval):
    """simpleeval without strings, comprehensions or attribute access; only numbers may appear."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        allowed = (ast.Expression, ast.Expr, ast.Constant, ast.UnaryOp, ast.BinOp, ast.Call, ast.Name)
        self.nodes = {kind: visit for kind, visit in self.nodes.items() if kind in allowed}

    def _eval_constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise InvalidExpression("only numbers")
        return node.value


def _power(base: float, exponent: float) -> float | int:
    if abs(base) > 1 and exponent * math.log10(abs(base)) > MAX_DIGITS:
        raise OverflowError
    return _real(base**exponent)


def _factorial(n: float) -> int:
    if n != int(n) or not 0 <= n <= MAX_FACTORIAL:
        raise ToolError(f"factorial({show(n)}): the limit is 0 to {MAX_FACTORIAL}, whole. Give a smaller whole number.")
    return math.factorial(int(n))


def _times(a: float, b: float) -> float | int:
    return _bounded(a * b)


def _bounded(value: float | int) -> float | int:
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        raise OverflowError
    return value


def _real(value: Any) -> float | int:
    if isinstance(value, complex):
        raise ValueError("math domain error: has no real value")
    return _bounded(value)


def _divide(a: float, b: float) -> float | int:
    if isinstance(a, int) and isinstance(b, int) and b and a % b == 0:
        return a // b
    return a / b


def _comb(n: float, k: float) -> int:
    if not (0 <= k <= n <= MAX_FACTORIAL) or n != int(n) or k != int(k):
        raise ToolError(
            f"comb({show(n)}, {show(k)}): the limit is 0 to {MAX_FACTORIAL}, whole. Give smaller whole numbers."
        )
    return math.comb(int(n), int(k))


def _cbrt(value: float) -> float:
    root = round(math.cbrt(value))
    return root if root**3 == value else math.cbrt(value)


def _sqrt(value: float) -> float | int:
    if isinstance(value, int) and value >= 0 and math.isqrt(value) ** 2 == value:
        return math.isqrt(value)
    return math.sqrt(value)


def _average(*values: float) -> float:
    return _divide(sum(values), len(values))


def _median(*values: float) -> float:
    ranked, middle = sorted(values), len(values) // 2
    return ranked[middle] if len(ranked) % 2 else _divide(ranked[middle - 1] + ranked[middle], 2)


def _log(value: float, base: float = 10) -> float:
    return math.log10(value) if base == 10 else math.log2(value) if base == 2 else math.log(value, base)


def _check(value: Any, expression: str) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ToolError(f"{shorten(expression)!r} does not give a number. Use numbers and + - * / ** % ( ).")
    if isinstance(value, float) and not math.isfinite(value):
        raise _too_large(expression)
    _bounded(value)
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def _too_large(expression: str) -> ToolError:
    return ToolError(f"{shorten(expression)!r} is too large: the limit is {MAX_DIGITS} digits. Use smaller numbers.")


_SHOWN = ("sqrt", "cbrt", "log", "ln", "abs", "average", "factorial")
_FUNCTIONS = {
    "sqrt": _sqrt, "cbrt": _cbrt, "ln": math.log, "log": _log, "log10": math.log10, "log2": math.log2, "exp": math.exp,
    "abs": abs, "round": round, "floor": math.floor, "ceil": math.ceil, "min": min, "max": max,
    "sum": lambda *v: sum(v),
    "average": _average, "mean": _average, "median": _median, "factorial": _factorial, "sin": math.sin, "cos": math.cos,
    "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan, "radians": math.radians, "comb": _comb,
    "degrees": math.degrees, "gcd": math.gcd, "lcm": math.lcm, "pow": _power,
}  # fmt: skip
_NAMES = {"pi": math.pi, "e": math.e, "tau": math.tau}
_OPERATORS = {
    ast.Add: lambda a, b: _bounded(a + b), ast.Sub: lambda a, b: _bounded(a - b), ast.Mult: _times, ast.Div: _divide,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: _power, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
