"""Unit converter: pint behind the words that people use for units.

Leaves out currencies and arithmetic. A spoon, cup, pint or gallon is the US one unless it is called imperial or UK.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

from router.builtin import ToolConfig
from router.builtin.numbers import MAX_SHORT, NUMBER, UNSIGNED, clean, fractions, number, plain, show
from router.builtin.units import FEET_INCHES, symbol_of, vocabulary
from router.tools import Tool, ToolError, shorten

MAX_UNIT = 40
PARAMETERS = {
    "type": "object",
    "properties": {
        "value": {"type": "number", "description": "The quantity in from_unit"},
        "from_unit": {"type": "string", "minLength": 1, "maxLength": MAX_UNIT, "description": "e.g. mi, °F, lb, cup"},
        "to_unit": {"type": "string", "minLength": 1, "maxLength": MAX_UNIT, "description": "e.g. km, °C, kg, ml"},
    },
    "required": ["value", "from_unit", "to_unit"],
    "additionalProperties": False,
}


def build(config: ToolConfig) -> Tool:
    """The unit converter. It needs nothing from ``config``."""
    description = "Converts a quantity between units of measure, e.g. 26.2 miles to km, 350 F to C."
    return Tool("unit_converter", description, PARAMETERS, run, parse, effects=False)


def run(value: float, from_unit: str, to_unit: str) -> str:
    """``26.2 mi = 42.1648 km``. Raises ToolError for unknown units and units of different kinds."""
    source, target = _symbol(from_unit), _symbol(to_unit)
    if not math.isfinite(value) or abs(value) > 1e100:
        raise ToolError(f"value {value} is out of range: the limit is 1e100. Give a smaller number.")
    if (
        {source, target} == {"oz", "ml"}
        or (source == "oz" and _is_volume(target))
        or (target == "oz" and _is_volume(source))
    ):
        source, target = (("fl oz" if unit == "oz" else unit) for unit in (source, target))
    converted = _convert(value, source, target)
    if source in ("K",) and value < 0 or target == "K" and converted < 0:
        raise ToolError(
            f"{show(value)} {source} lies below absolute zero (0 K = -273.15 °C). Give a higher temperature."
        )
    return f"{show(value)} {_shown(source, value)} = {_quantity(converted, target)}"


def parse(question: str) -> dict[str, Any] | None:
    """Quantity and units of a conversion that ``question`` asks for, or None."""
    text = clean(question, MAX_SHORT)
    text = re.sub(r"°\s*([CFKcfk])\b", r" \1 ", text).replace("º", "°")
    text = plain(text)
    text = re.sub(r"\bhalf\s+(?:of\s+)?an?\s+(?=[a-z])", "0.5 ", fractions(text)).replace("0.5 of ", "0.5 ")
    text = re.sub(r"(\d) of (?=[a-z])", r"\1 ", text)
    text = re.sub(r"\b(?:minus|negative)\s+(?=[\d.])", "-", text)
    text = re.sub(r"\b(?:a\s+)?quarter\s+(?:of\s+)?(?:an?\s+)?(?=[a-z])", "0.25 ", text)
    text = re.sub(rf"({NUMBER})\s+from\s+(?=[a-z])", r"\1 ", text)
    text = _TAIL.sub("", _HEAD.sub("", text.strip(" ?!.,=")).strip(" ?!.,=")).strip(" ?!.,=")
    for pattern in _SHAPES:
        match = pattern.search(text)
        if not match:
            continue
        parts = match.groupdict()
        if parts.get("unit"):
            parts["quantity"] = f"{parts['number']} {parts['unit']}"
        quantity = _quantity_of(parts["quantity"], parts.get("to") or "") if parts.get("quantity") else None
        if quantity is None and re.fullmatch(r"[a-z][a-z ]*", parts.get("quantity") or ""):
            quantity = _quantity_of(f"1 {parts['quantity']}", parts.get("to") or "")
        if quantity is None:
            continue
        target = _target(parts["to"], quantity[1])
        if target is None or target == quantity[1] or not _convertible(quantity[1], target):
            continue
        return {"value": quantity[0], "from_unit": quantity[1], "to_unit": target}
    return None


_HEAD = re.compile(
    r"^(?:(?:please|pls|hey|hi|can|could|would|you|i|need|want|to|know|tell|me|convert|conversion|change|turn|"
    r"translate|transform|express|"
    r"what(?:'s|s)?|is|are|the|calculate|compute|quick|quickly|so|ok|um|do|does|if|it's|its|it|a temperature of|a "
    r"distance of|"
    r"equivalent of|value of|height of|weight of|give|show|tall|long|heavy|far|hot|much|wide|fast|how(?= (?:tall|"
    r"long|heavy|far|hot|much|wide|fast|big|cold)\b)|big|cold)\b[\s,:]*)+"
)
_TAIL = re.compile(
    r"[\s,]*\b(?:please|pls|thanks|thank you|thx|for me|exactly|approximately|roughly|conversion|convert|equals?|is|"
    r"are|"
    r"are there|is that|would that be|does that make|make|makes|equal|there|about|now|be|i need|that)$"
)
_QUANTITY = rf"(?:{NUMBER}|\ban?\b|\b1\b)[^?]*?"
_LINK = r"(?:=\s*\?|\bin(?:to)?\b|\bto\b|\bas\b|=|->|\bequals?\b|\bis\s+how\s+many\b|\bis\s+what\s+in\b|\bexpressed\s+in\b|\bconverted\s+to\b|\bis\s+what\b)"
_SHAPES = [
    re.compile(pattern)
    for pattern in [
        # how many cups (are there) in 2 litres
        rf"how\s+(?:many|much)\s+(?P<to>[a-z°²³/][\w°²³/ .^]*?)\s+(?:(?:are|is|do|does|would|will|can|fit)\s+)*"
        rf"(?:there\s+|you\s+get\s+|i\s+get\s+|it\s+take\s+)*(?:in(?:side)?|into|to|from|make(?:s)?(?:\s+up)?|"
        rf"equals?|for|per|of|are|is|=)\s+(?P<quantity>{_QUANTITY})$",
        rf"how\s+(?:many|much)\s+(?P<to>[a-z°²³/][\w°²³/ .^]*?)\s+(?P<quantity>(?:{NUMBER}|\ban\b|\ba\b)[^?]*)$",
        rf"(?:number|amount)\s+of\s+(?P<to>[a-z][\w ]*?)\s+(?:there\s+are\s+)?in\s+(?P<quantity>{_QUANTITY})$",
        # light year in miles
        r"^(?P<quantity>[a-z]+(?:\s+[a-z]+)?)\s+(?:in|to|into)\s+(?P<to>[a-z][\w°²³/ ^]*)$",
        # 26.2 miles to km
        rf"(?P<quantity>{_QUANTITY})\s*{_LINK}\s*(?:how\s+many\s+)?(?P<to>[^?]+)$",
        rf"(?P<quantity>{NUMBER}\s*[a-z°][\w°²³/ ^]*?)\s*[,.;:]+\s*(?:so\s+|and\s+)?(?:what|how\s+\w+)(?:'s|\s+is|"
        rf"\s+would)?\s+(?:that|it|this)?\s*(?:be\s+)?in\s+(?P<to>[a-z][\w°²³/ ^]*)$",
        rf"^(?:[a-z]+\s+){{1,4}}of\s+(?P<quantity>{NUMBER}\s*[a-z°][\w°²³/ ^]*?)\s+{_LINK}\s+(?P<to>[a-z][\w°²³/ ^]*)$",
        rf"(?P<quantity>{NUMBER}\s*[a-z°][\w°²³/ ^]*?)(?:\s+of\s+\w+)?\s+(?:make|equal|be|give)s?\s+(?:in"
        rf"\s+)?(?P<to>[a-z][\w°²³/ ^]*)$",
        rf"(?:in|to|into)\s+(?P<to>[a-z°²³/][\w°²³/ ^]*?)\s*,?\s+(?:(?:what|how\s+much|how\s+\w+)(?:'s|\s+is)?"
        rf"\s+)?(?P<quantity>{_QUANTITY})$",
        rf"(?P<quantity>{NUMBER}\s*[a-z°][\w°²³/ ^]*?)\s*[,.;:]?\s+(?:so\s+|and\s+)?(?:how\s+(?:many|much)|what)"
        rf"\s+(?P<to>[a-z][\w°²³/ ^]*?)(?:\s+(?:is|are|does|would|in|did)\b.*)?$",
        rf"(?P<unit>[a-z°][\w°²³/ ]*?)\s+{_LINK}\s+(?P<to>[a-z°][\w°²³/ ]*?)[\s:,]+(?P<number>{NUMBER})$",
        rf"(?P<to>[a-z°][\w°²³/ ]*?)\s+(?:in|from)\s+(?P<quantity>{_QUANTITY})$",
    ]
]
_FEET_INCHES = re.compile(
    rf"({UNSIGNED})\s*(?:'|ft\.?|feet|foot)\s*(?:and\s+)?({UNSIGNED})?\s*(?:\"|''|in(?:ches|ch|\.)?|)?(?:\s+(?:tall|"
    rf"high|long))?$"
)
_STONE_POUNDS = re.compile(rf"({UNSIGNED})\s*(?:st|stones?)\s*(?:and\s+)?({UNSIGNED})\s*(?:lbs?|pounds?)?$")
_POUNDS_OUNCES = re.compile(rf"({UNSIGNED})\s*(?:lbs?|pounds?)\s*(?:and\s+)?({UNSIGNED})\s*(?:oz|ounces?)$")
_HOURS_MINUTES = re.compile(rf"({UNSIGNED})\s*(?:h|hrs?|hours?)\s*(?:and\s+)?({UNSIGNED})\s*(?:m|mins?|minutes?)$")
_COMPOUND = (
    (_FEET_INCHES, 12, "in"),
    (_STONE_POUNDS, 14, "lb"),
    (_POUNDS_OUNCES, 16, "oz"),
    (_HOURS_MINUTES, 60, "min"),
)
_SIMPLE = re.compile(rf"(?P<value>{NUMBER}|an?\b)\s*(?:of\s+)?(?:an?\s+)?(?P<unit>[a-zµ°\"'][\w°²³/ .^\"']*?)\.?$")


def _quantity_of(text: str, target: str) -> tuple[float, str] | None:
    """(value, symbol) of "26.2 miles", "5'11", "a mile", "10 stone 4"."""
    text = re.sub(
        r"\b(?:tall|high|long|heavy|wide|of\s+(?:water|milk|flour|sugar|rice|butter|oil|beer|wine|gas|"
        r"petrol))$",
        "",
        text.strip(),
    ).strip(" ,")
    for pattern, factor, unit in _COMPOUND:
        match = pattern.fullmatch(text)
        if match and match[2]:
            total = number(match[1]) * factor + number(match[2])
            return (int(total) if float(total).is_integer() else round(total, 9)), unit
    match = _SIMPLE.fullmatch(text)
    if not match:
        return None
    unit = symbol_of(match["unit"])
    if unit == "deg" and symbol_of(target) in ("°C", "°F", "K"):
        unit = "°C" if symbol_of(target) == "°F" else "°F"
    if unit == "km" and match["unit"] == "k" or unit == "K":
        unit = "K" if symbol_of(target) in ("°C", "°F", "K") else "km"
    if unit is None:
        return None
    return (1 if match["value"] in ("a", "an") else number(match["value"])), unit


def _target(text: str, source: str) -> str | None:
    text = re.sub(r"^(?:an?|the|how\s+many|unit\s+of)\s+", "", text.strip(" ?.,"))
    text = re.sub(r"\s+(?:is\s+(?:it|that)|are\s+(?:there|they)|would\s+(?:it|that)\s+be)$", "", text)
    unit = symbol_of(text)
    if unit is None and " " in text:
        words = text.split()
        unit = symbol_of(" ".join(words[:2]), fuzzy=False) or symbol_of(words[0])
    temperatures = ("°C", "°F", "K", "°R")
    if source in temperatures and text in ("k", "c", "f"):
        return symbol_of({"k": "kelvin", "c": "c", "f": "f"}[text])
    return "km" if text == "k" else unit


def _symbol(name: str) -> str:
    symbol = symbol_of(name)
    if symbol is None:
        raise ToolError(
            f"The unit {shorten(name, 40)!r} is not known; {len(vocabulary()[1])} units are. "
            "Use a common name such as km, mile, kg, lb, °C, °F, cup, ml, GB or mph."
        )
    return symbol


def _shown(symbol: str, value: float = 1) -> str:
    """The symbol, or the word in singular or plural where a unit has no symbol ("3 cups")."""
    if symbol == FEET_INCHES:
        return "ft"
    if symbol not in _COUNTED or value == 1:
        return symbol
    return symbol[:-1] + "ies" if symbol == "century" else symbol + "s"


_COUNTED = frozenset(
    "cup day week fortnight month year decade century acre byte bit furlong fathom grain barrel".split()
) | {"short ton", "long ton"}


def _quantity(value: float, symbol: str) -> str:
    if symbol != FEET_INCHES:
        return f"{show(value)} {_shown(symbol, value)}"
    inches = round(abs(value) * 12, 2)
    sign = "-" if value < 0 else ""
    return f"{sign}{int(inches // 12):,} ft {show(round(inches % 12, 2))} in"


def _is_volume(symbol: str) -> bool:
    return symbol in ("ml", "cl", "dl", "L", "cup", "tbsp", "tsp", "pt", "qt", "gal", "imp gal", "imp pt", "m³", "cm³")


def _convertible(source: str, target: str) -> bool:
    try:
        run(1.0 if source != "K" else 300.0, source, target)
    except ToolError:
        return False
    return True


def _convert(value: float, source: str, target: str) -> float:
    names = vocabulary()[1]
    registry = _registry()
    import pint

    try:
        if source == _CONSUMPTION:
            return float(registry.Quantity(100 / value, "kilometer/liter").to(names[target]).magnitude)
        if target == _CONSUMPTION:
            return 100 / float(registry.Quantity(value, names[source]).to("kilometer/liter").magnitude)
        return float(registry.Quantity(value, names[source]).to(names[target]).magnitude)
    except pint.DimensionalityError:
        kinds = f"{_kind(source)} and {_kind(target)}"
        raise ToolError(
            f"Cannot convert {_shown(source)} to {_shown(target)}: they measure different things ({kinds}). "
            "Give two units of the same kind."
        ) from None
    except (OverflowError, ZeroDivisionError):
        raise ToolError(
            f"value {value} is out of range for {source}: the limit is 1e100. Give another number."
        ) from None


_CONSUMPTION = "L/100km"
"""The one unit that is inverse to its peers: mpg and km/l are distance over volume."""


_KINDS = {
    "m": "length",
    "kg": "mass",
    "m²": "area",
    "m³": "volume",
    "K": "temperature",
    "s": "time",
    "byte": "data",
    "km/h": "speed",
    "Hz": "rate",
    "J": "energy",
    "W": "power",
    "N": "force",
    "Pa": "pressure",
    "V": "voltage",
    "A": "current",
    "g/cm³": "density",
    "mpg": "consumption",
}
"""A unit of each kind, and what the kind is called."""


def _kind(symbol: str) -> str:
    """What a unit measures, in a word."""

    def dimensions(of: str) -> object:
        return _registry().parse_units(vocabulary()[1][of]).dimensionality

    return next(word for unit, word in _KINDS.items() if dimensions(unit) == dimensions(symbol))


@cache
def _registry() -> Any:
    """pint's registry: 0.3 s to make, so it waits for the first conversion."""
    import pint

    return pint.UnitRegistry(cache_folder=None, autoconvert_offset_to_baseunit=True)
