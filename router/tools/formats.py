"""Lists of tools in the forms that language models' providers and MCP give them, as described Tools.

========= ================================================================== =====================
form      a tool of the list                                                 the list stands in
========= ================================================================== =====================
OpenAI    ``{"type": "function", "function": {"name", "parameters", ...}}``  ``tools``
Responses ``{"type": "function", "name", "parameters", ...}``                ``tools``
functions ``{"name", "parameters", ...}``, OpenAI's old form                 ``functions``
Anthropic ``{"name", "input_schema", ...}``                                  ``tools``
MCP       ``{"name", "inputSchema", "annotations", ...}``                    ``tools``, ``result``
========= ================================================================== =====================

The list may come alone, or in the request or reply that it belongs to. Leaves out running anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from router.tools.tool import Tool, shorten

_REMEDY = "Give a list of tools as OpenAI, Anthropic or MCP (tools/list) have it."
_SCHEMAS = ("parameters", "input_schema", "inputSchema")


def read_tools(value: Any) -> list[Tool]:
    """The described tools of ``value``, which is JSON in one of the forms above.

    Of MCP's annotations ``readOnlyHint: true`` makes a tool free of effects and ``destructiveHint: true`` a destructive
    one. MCP takes a tool that says nothing for destructive; here only one that says so is, since most servers say
    nothing and the router would serve none of them.

    Raises ValueError with the place of the tool at fault, and the path within its schema.
    """
    items, where = _list(value)
    return [_tool(item, f"{where}[{i}]") for i, item in enumerate(items)]


def _list(value: Any, where: str = "") -> tuple[list[Any], str]:
    if isinstance(value, list):
        return value, where or "tools"
    if isinstance(value, Mapping):
        if isinstance(error := value.get("error"), Mapping):
            raise ValueError(
                f"the reply is an error of the server: {_show(error.get('message', error))}. Ask it again."
            )
        for key in ("result", "tools", "functions"):
            if key in value:
                return _list(value[key], f"{where}.{key}".lstrip("."))
        if any(key in value for key in (*_SCHEMAS, "function")):
            return [value], where or "tools"
    raise ValueError(f"{where + ': ' if where else ''}{_show(value)} is no list of tools. {_REMEDY}")


def _tool(item: Any, at: str) -> Tool:
    if not isinstance(item, Mapping):
        raise ValueError(f"{at}: {_show(item)} is no tool. {_REMEDY}")
    inner = item.get("function", item)
    if not isinstance(inner, Mapping) or "name" not in inner:
        raise ValueError(f"{at}: {_show(item)} has no name. {_REMEDY}")
    keys = [key for key in _SCHEMAS if key in inner]
    if not keys and item.get("type", "function") != "function":
        raise ValueError(
            f"{at}: a tool of type {_show(item['type'])} is run by its provider and has no schema. Leave it out."
        )
    hints = item.get("annotations")
    hints = hints if isinstance(hints, Mapping) else {}
    schema = inner[keys[0]] if keys else None
    about = next((t for t in (inner.get("description"), item.get("title"), hints.get("title")) if t), "")
    if not isinstance(about, str):
        raise ValueError(f"{at}: the description is {_show(about)}. Give text.")
    try:
        return Tool(
            inner["name"],
            about,
            {"type": "object", "properties": {}} if schema is None else schema,
            effects=hints.get("readOnlyHint") is not True,
            destructive=hints.get("destructiveHint") is True and hints.get("readOnlyHint") is not True,
        )
    except ValueError as fault:
        raise ValueError(f"{at}: {fault}") from fault


def _show(value: Any) -> str:
    return shorten(repr(value), 80)
