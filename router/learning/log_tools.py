"""Tools as a log shows them: where nobody gives a schema, its rows say which slots there are and what fits them.

Leaves out whatever a log cannot show: what a tool is for beyond the questions that it was called for, and running it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from router.calls.slots import stated
from router.tools import Tool, ToolSet, shorten
from router.tools.tool import NAME
from router.types import Example

SHOWN = 10
"""Values of a slot that its description gives as examples."""


def described(rows: Sequence[Example], known: Collection[str] = ()) -> ToolSet:
    """The tools of ``rows`` but the ``known``, described: slots and their types from the arguments, required where
    every row with arguments has them. Left out are those whose arguments no row says, and whose name no tool can have.
    Calling one has effects, as far as anybody knows."""
    by_tool: dict[str, list[Example]] = defaultdict(list)
    for row in rows:
        by_tool[row.tool].append(row)
    shown = {
        name for name, own in by_tool.items() if NAME.fullmatch(name) and any(r.arguments is not None for r in own)
    }
    return ToolSet(_tool(name, own) for name, own in by_tool.items() if name in shown - set(known))


def _tool(name: str, rows: Sequence[Example]) -> Tool:
    calls = [stated(row.arguments) for row in rows if row.arguments is not None]
    values: dict[str, list[Any]] = defaultdict(list)
    for call in calls:
        for slot, value in call.items():
            values[slot].append(value)
    schema = {
        "type": "object",
        "properties": {slot: _schema(found) for slot, found in values.items()},
        "required": [slot for slot, found in values.items() if len(found) == len(calls)],
    }
    return Tool(name, f"Called for questions such as {shorten(rows[0].question, 80)!r}.", schema)


def _schema(values: Sequence[Any]) -> dict[str, Any]:
    """What fits each of ``values``, with some of them as examples; any value where they are of several types."""
    examples = list({repr(value): value for value in values}.values())[:SHOWN]
    return {**_type(values), "examples": examples}


def _type(values: Sequence[Any]) -> dict[str, Any]:
    if all(isinstance(value, bool) for value in values):
        return {"type": "boolean"}
    if all(isinstance(value, str) for value in values):
        return {"type": "string"}
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return {"type": "integer" if all(isinstance(value, int) for value in values) else "number"}
    if all(isinstance(value, list) for value in values):
        return {"type": "array", "items": _type([one for value in values for one in value])}
    return {}
