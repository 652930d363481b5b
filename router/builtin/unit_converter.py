"""Unit converter: pint behind the words that people use for units.

Leaves out currencies and arithmetic. A spoon, cup, pint or gallon is the US one unless it is called imperial or UK.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from router.builtin import ToolConfig
from router.builtin.conversions import Conversion, Quantity, begins, conversion
from router.builtin.numbers import AMBIGUOUS, MAX_SHORT, clean, digits, portions, show
from router.builtin.units import symbol_of, vocabulary
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
    source, (target, *smaller) = _symbol(from_unit), _symbols(to_unit)
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
    return f"{show(value)} {_shown(source, value)} = {_quantity(converted, target, smaller)}"


def parse(question: str) -> dict[str, Any] | None:
    """Quantity and units of a conversion that ``question`` asks for, or None."""
    text = prepared(clean(question, MAX_SHORT))
    for powers in (True, False):
        found = conversion(text, senses, powers=powers)
        if arguments := found and _arguments(found):
            return arguments
    return None


def prepared(text: str) -> str:
    """``text`` with its quantities as numbers; "" where one of them can be read in two ways."""
    if AMBIGUOUS.search(text):
        return ""
    text = portions(digits(text), partial(begins, senses=senses))
    text = re.sub(r"(?<!\d )\bpoint\s+(?=\d)", "0.", text)
    return re.sub(r"\b(?:minus|negative)\s+(?=\d)", "-", text, flags=re.IGNORECASE)


def senses(name: str, alone: bool) -> Sequence[str]:
    """The units that ``name`` can mean; a word that stands alone may be misspelt."""
    if name.lower() in _NO_UNITS:
        return ()
    if " and " in name:
        symbols = [symbol_of(part, fuzzy=False) for part in name.split(" and ")]
        return (_AND.join(symbols),) if all(symbols) and _nested(symbols) else ()
    symbol = symbol_of(name, fuzzy=alone and len(name) > 4) or (
        symbol_of(name.replace("°", "")) if "°" in name else None
    )
    return (symbol, *_ALSO.get(name, ())) if symbol else ()


_NO_UNITS = frozenset(("a", "as", "at", "us", "i", "t", "pt"))
_ALSO = {"k": ("K",), "K": ("km",), "m": ("min",), "'": ("min",), '"': ("s",)}
_ALSO |= dict.fromkeys(("deg", "degree", "degrees", "°"), ("°F", "°C"))
"""What else a symbol stands for: 5k, 1h20m, 100 degrees in celsius, 5'30"."""
_NEXT = {"h": (60, "min"), "ft": (12, "in"), "st": (14, "lb"), "lb": (16, "oz"), "min": (60, "s"), "day": (24, "h")}
"""How many of which smaller unit make one: what a bare number behind it counts (5 foot 11)."""


def _arguments(found: Conversion) -> dict[str, Any] | None:
    """The first reading of the names by which all are of one kind."""
    for target in found.target:
        for first in found.quantity[0][1]:
            whole = _whole(found.quantity, first)
            if whole and whole[1] == target and first != target:
                whole = _convert(whole[0], target, first), first  # 5 ft 11 in inches: from feet
            if whole and whole[1] != target and _convertible(whole[1], target.split(_AND)[0]):
                return {"value": whole[0], "from_unit": whole[1], "to_unit": target}
    return None


def _whole(quantity: Quantity, first: str) -> tuple[float | int, str] | None:
    """(value, symbol) of a quantity, of several parts in the smallest unit; None where these do not go together."""
    total, unit = quantity[0][0], first
    for value, names in quantity[1:]:
        smaller = _NEXT.get(unit, (0, ""))
        chain = {smaller[1]: smaller[0]}
        if smaller[1] in _NEXT:
            chain[_NEXT[smaller[1]][1]] = smaller[0] * _NEXT[smaller[1]][0]
        following = next((name for name in names if name in chain), None if names else smaller[1])
        if not following or not 0 <= value < chain[following]:
            return None
        total, unit = total * chain[following] + (value if total >= 0 else -value), following
    if float(total).is_integer() and abs(total) < 1e15:
        return int(total), unit
    return (round(total, 9) if len(quantity) > 1 else total), unit


_AND = " and "
"""Joins the units of a target that is told in several: "h and min"."""


def _symbols(name: str) -> list[str]:
    """The units of a target, the largest first. Raises ToolError."""
    symbols = [_symbol(part) for part in name.split(_AND)]
    if not _nested(symbols):
        raise ToolError(f"{shorten(name, 40)!r} are no units of which each is a whole number of the next. Give one unit.")
    return symbols


def _nested(symbols: Sequence[str]) -> bool:
    """Whether each of ``symbols`` is a whole number, more than one, of the next: "h", "min"."""
    try:
        steps = [_convert(1, larger, smaller) for larger, smaller in zip(symbols, symbols[1:])]
    except ToolError:
        return False
    return all(step > 1.5 and abs(step - round(step)) < 1e-6 * step for step in steps)


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
    if symbol not in _COUNTED or value == 1:
        return symbol
    return symbol[:-1] + "ies" if symbol == "century" else symbol + "s"


_COUNTED = frozenset(
    "cup day week fortnight month year decade century acre byte bit furlong fathom grain barrel".split()
) | {"short ton", "long ton"}


def _quantity(value: float, symbol: str, smaller: Sequence[str] = ()) -> str:
    """``value`` of ``symbol``, its fraction in ``smaller`` units: "5 ft 10.87 in"."""
    if not smaller:
        return f"{show(value)} {_shown(symbol, value)}"
    step = round(_convert(1, symbol, smaller[0]))
    whole, rest = divmod(round(abs(value) * step, 2 if len(smaller) == 1 else 9), step)
    return f"{'-' if value < 0 else ''}{int(whole):,} {_shown(symbol, whole)} {_quantity(rest, smaller[0], smaller[1:])}"


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
