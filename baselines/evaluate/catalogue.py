"""Registries of 1 to 200 tools: those that ship, and schemas written for the purpose that no question here needs.

Leaves out running the others: they are what an agent's prompt carries around, and answer with an error if called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from router.builtin import default_tools
from router.tools import Tool, ToolError

CATALOGUE = Path(__file__).resolve().parents[2] / "assets" / "catalogue.txt"
SIZES = (5, 10, 50, 100, 200)
_PARAMETER = re.compile(r"\s*(?P<name>[a-z_]+)(?P<optional>\?)?:(?P<type>\S+)\s+(?P<description>.+?)\s*")
_PLAIN = {"string", "number", "integer", "boolean"}


def registry(size: int, needed: Sequence[str] = ()) -> dict[str, Tool]:
    """``size`` tools: those ``needed`` first, then the other tools that ship, then the catalogue's.

    Raises ValueError where so many do not exist.
    """
    shipped, further = default_tools(), _catalogue()
    tools = {name: shipped[name] for name in dict.fromkeys([*needed, *shipped])} | further
    if not len(set(needed)) <= size <= len(tools):
        raise ValueError(f"A registry of {size} tools cannot be made: choose from {len(set(needed))} to {len(tools)}.")
    return dict(list(tools.items())[:size])


@cache
def _catalogue() -> dict[str, Tool]:
    return read_catalogue()


def read_catalogue(path: Path = CATALOGUE) -> dict[str, Tool]:
    """The tools of a catalogue file: ``name | description | parameter:type description; ...`` a line.

    Raises ValueError that names the line at fault.
    """
    tools = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|", 2)]
        if len(parts) != 3 or parts[0] in tools:
            raise ValueError(
                f"{path.name}, line {number}: not a new tool as name | description | parameters: {line[:60]!r}."
            )
        try:
            tools[parts[0]] = Tool(parts[0], parts[1], schema(parts[2]), _refuse)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from None
    return tools


def schema(text: str) -> dict[str, Any]:
    """The JSON schema of ``parameter:type description; ...``. Raises ValueError for a parameter that does not fit."""
    properties: dict[str, Any] = {}
    required = []
    for part in filter(str.strip, text.split(";")):
        match = _PARAMETER.fullmatch(part)
        if match is None:
            raise ValueError(f"{part.strip()!r} is no parameter. Write name:type description.")
        properties[match["name"]] = _type(match["type"]) | {"description": match["description"]}
        if not match["optional"]:
            required.append(match["name"])
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _type(name: str) -> Mapping[str, Any]:
    if name.endswith("[]"):
        return {"type": "array", "items": dict(_type(name[:-2]))}
    if name == "date":
        return {"type": "string", "format": "date"}
    if name in _PLAIN:
        return {"type": name}
    if "|" in name:
        return {"type": "string", "enum": name.split("|")}
    raise ValueError(f"{name!r} is no type. Write string, number, integer, boolean, date, a|b or one of them with [].")


def _refuse(**arguments: Any) -> str:
    raise ToolError("This tool is part of a benchmark's registry and does nothing. Use one that the question needs.")
