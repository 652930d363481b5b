"""A list of tools as somebody gives it, and what is unclear in it to whoever has to choose among them.

Leaves out the forms that a list may have (``router.tools.formats``).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping

import numpy as np

from router.network.features import tokenise
from router.network.zero_shot import tool_vector
from router.tools import Tool, ToolSet
from router.tools.schema import Slot

MOST_TOOLS = 128
"""Tools of one list: as many as OpenAI's API takes."""
MOST_BYTES = 1_000_000
"""Bytes of a list in UTF-8."""
ALIKE = 0.7
"""Cosine of what two tools' names and descriptions say from which one is easily taken for the other: above it lie
``create_ticket`` and ``close_ticket``, below it tools for different things."""
BARE = frozenset("a api call do execute f fn foo func function get helper method my new run test the tool".split())
"""Words of a name that say nothing of what a tool is for."""
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def read_tools(text: str) -> ToolSet:
    """The tools of a list in OpenAI's, Anthropic's or MCP's form (``tools/list``), as JSON text.

    Raises ValueError with what is wrong, the limit where there is one, and what helps.
    """
    if (size := len(text.encode("utf-8", "replace"))) > MOST_BYTES:
        raise ValueError(f"The list has {size:,} bytes, more than {MOST_BYTES:,}. Leave tools out, or shorten schemas.")
    if not text.strip():
        raise ValueError("The list is empty. Give tools as OpenAI, Anthropic or MCP (tools/list) have them.")
    tools = ToolSet.from_text(text.lstrip("\ufeff"))
    if len(tools) > MOST_TOOLS:
        raise ValueError(f"The list has {len(tools):,} tools, more than {MOST_TOOLS}. Leave some out.")
    return tools


def has_effects(tool: Tool) -> bool | None:
    """False where the tool is said to be read-only, True where it is said to be destructive, None where it says
    neither: then it is taken to change something."""
    if tool.destructive:
        return True
    return None if tool.effects else False


def alike(tools: Mapping[str, Tool]) -> list[tuple[str, str]]:
    """Pairs of tools whose names and descriptions say much the same, the most alike first."""
    vectors = {name: tool_vector(tool) for name, tool in tools.items()}
    found = [(float(np.dot(vectors[a], vectors[b])), a, b) for a, b in itertools.combinations(vectors, 2)]
    return [(a, b) for likeness, a, b in sorted(found, key=lambda pair: -pair[0]) if likeness >= ALIKE]


def remarks(tool: Tool) -> list[str]:
    """What is unclear in ``tool``, a sentence each; nothing where all is clear."""
    return [*_of_words(tool), *_of_slots(tool)]


def _of_words(tool: Tool) -> Iterator[str]:
    name = _words(tool.name)
    if all(word in BARE or not word.isalpha() for word in name):
        yield f"The name {tool.name!r} does not say what the tool is for."
    if set(_words(tool.description)) <= {*name, *BARE}:
        yield "The description says no more than the name."


def _of_slots(tool: Tool) -> Iterator[str]:
    raw = tool.parameters if isinstance(tool.parameters, Mapping) else {}
    listed = raw.get("properties", {})
    lost = [name for name in raw.get("required", ()) if name not in listed and not tool.slots[name].schema]
    if lost:
        yield _said(lost, "is required and not among the properties", "are required and not among the properties")
    open_ = [slot.name for slot in tool.slots.values() if slot.name not in lost and not _types(slot)]
    if open_:
        yield _said(open_, "has no type, so any value fits", "have no type, so any value fits")
    bare = [slot.name for slot in tool.slots.values() if "string" in _types(slot) and not _told(slot)]
    if bare:
        yield _said(bare, "is a string without a description", "are strings without a description")
    nested = [slot.name for slot in tool.slots.values() if _nested(slot)]
    if nested:
        what = "so a language model fills {} unless the examples always have the same"
        yield _said(nested, f"holds an object, {what.format('it')}", f"hold objects, {what.format('them')}")


def _types(slot: Slot) -> set[str]:
    """The types that the slot's schema names, or those of its values."""
    schemas = [slot.schema, *slot.schema.get("anyOf", ()), *slot.schema.get("oneOf", ())]
    named = [schema["type"] for schema in schemas if isinstance(schema, Mapping) and "type" in schema]
    found = {one for types in named for one in ([types] if isinstance(types, str) else types)}
    return found | ({"enum"} if "enum" in slot.schema else set())


def _told(slot: Slot) -> bool:
    """Whether something beside its type says what a slot takes."""
    return any(slot.schema.get(key) for key in ("description", "enum", "format", "pattern", "examples"))


def _nested(slot: Slot) -> bool:
    items = slot.schema.get("items")
    within = isinstance(items, Mapping) and items.get("type") == "object"
    return "object" in _types(slot) or within


def _words(text: str) -> list[str]:
    return tokenise(_CAMEL.sub(" ", text).replace("_", " ").replace(".", " ").replace("-", " "))


def _said(names: list[str], one: str, several: str) -> str:
    shown = [repr(name) for name in names]
    if len(names) == 1:
        return f"The slot {shown[0]} {one}."
    return f"The slots {', '.join(shown[:-1])} and {shown[-1]} {several}."
