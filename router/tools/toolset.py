"""Several tools as one value, and the ways in which people have them: functions, JSON, a running MCP server.

Leaves out each way itself (``functions``, ``formats``, ``mcp``), which is loaded when it is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.tools.tool import Tool

if TYPE_CHECKING:
    from router.tools.mcp import McpConnection


class ToolSet(Mapping[str, Tool]):
    """Tools by name, in the order given; it does not change.

    ``tools`` are Tools, or a mapping of names to Tools such as another set. ``a | b`` (or ``a + b``) has the tools of
    both. Two sets are equal, and have one ``id``, where their tools have the same names, descriptions, schemas and
    marks, in whatever order; what runs behind a name is no part of it.

    Raises ValueError where two tools have one name.
    """

    def __init__(self, tools: Iterable[Tool] | Mapping[str, Tool] = ()) -> None:
        named: dict[str, Tool] = {}
        for tool in tools.values() if isinstance(tools, Mapping) else tools:
            if tool.name in named:
                raise ValueError(f"Two tools are named {tool.name!r}. Leave one out, or rename it.")
            named[tool.name] = tool
        self._tools = named

    @classmethod
    def from_functions(cls, functions: Iterable[Callable[..., Any] | Tool]) -> ToolSet:
        """Python functions as tools: the signature becomes the schema, the docstring says what they do.

        ``dspy.Tool`` objects and Tools are taken too. Raises ValueError as ``router.tools.functions.from_function``.
        """
        from router.tools.functions import from_function

        return cls([f if isinstance(f, Tool) else from_function(f) for f in functions])

    @classmethod
    def from_json(cls, value: Any) -> ToolSet:
        """Described tools from what OpenAI, Anthropic or MCP call a list of tools; see ``router.tools.formats``."""
        from router.tools.formats import read_tools

        return cls(read_tools(value))

    @classmethod
    def from_text(cls, text: str) -> ToolSet:
        """``from_json`` of JSON text. Raises ValueError where it is none, or holds no tool."""
        try:
            tools = cls.from_json(json.loads(text))
        except json.JSONDecodeError as fault:
            where = f"line {fault.lineno}, column {fault.colno}"
            raise ValueError(f"not JSON at {where}: {fault.msg}. Give one list of tools.") from fault
        except RecursionError as fault:
            raise ValueError("the JSON is nested too deep. Make it flatter.") from fault
        if not tools:
            raise ValueError("the list holds no tool. Give at least one.")
        return tools

    @classmethod
    def read(cls, path: str | Path) -> ToolSet:
        """``from_text`` of a file. Raises OSError, and ValueError that begins with the file's name."""
        path = Path(path)
        try:
            return cls.from_text(path.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as fault:
            raise ValueError(f"{path.name}: byte {fault.start} is not UTF-8. Save the file as UTF-8 text.") from fault
        except ValueError as fault:
            raise ValueError(f"{path.name}: {fault}") from fault

    @classmethod
    def from_mcp(cls, server: McpConnection) -> ToolSet:
        """The tools of a running MCP server; calling them calls it, as long as the connection is open.

        Raises ValueError where it lists none that can be read, ToolError where it does not answer.
        """
        return cls(replace(t, run=server.runner(t.name)) for t in cls.from_json(server.list_tools()).values())

    def as_json(self) -> list[dict[str, Any]]:
        """The set as MCP lists it, which ``from_json`` reads back: all of the tools but what runs them, and rules of
        their own."""
        return [
            {
                "name": tool.name,
                "description": tool.description,
                "inputSchema": {"type": "object"} if tool.parameters is True else dict(tool.parameters),
                "annotations": {"readOnlyHint": not tool.effects, "destructiveHint": tool.destructive},
            }
            for tool in self.values()
        ]

    @cached_property
    def id(self) -> str:
        """A short name of the set's content, the same in every process: 16 hexadecimal digits."""
        content = [
            [t.name, t.description, t.parameters, t.effects, t.destructive]
            for t in sorted(self._tools.values(), key=lambda t: t.name)
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=dict).encode()).hexdigest()[:16]

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def __or__(self, other: Mapping[str, Tool]) -> ToolSet:
        if not isinstance(other, Mapping):
            return NotImplemented
        return ToolSet([*self.values(), *other.values()])

    __add__ = __or__

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, ToolSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"ToolSet({', '.join(self)})"
