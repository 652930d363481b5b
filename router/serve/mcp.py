"""The router as an MCP server: ``python -m router mcp``, over stdio; needs the package ``mcp``.

It offers ``route`` and ``explain`` for the tools that it knows. In front of other MCP servers it is a filter: a client
sees three tools instead of all of theirs, asks ``find_tools`` which of them a question needs, and calls one with
``call_tool``. Leaves out deciding (``router.plans``) and connecting (``router.tools.mcp``).
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from router.network import DEFAULT_ROUTER, Router
from router.network.explain import explain
from router.plans import Decides, plan, row
from router.tools import Tool, ToolError, ToolSet
from router.tools.mcp import McpConnection
from router.types import to_json

MOST_FOUND = 5
"""Tools that ``find_tools`` gives at most."""


def main(argv: Sequence[str]) -> int:
    """Serve over stdio until the client ends it. Returns the exit status. Raises ValueError, OSError, ToolError."""
    parser = argparse.ArgumentParser(prog="python -m router mcp", description=__doc__.splitlines()[0])
    parser.add_argument("--router", type=Path, default=DEFAULT_ROUTER, metavar="DIR", help="folder of the weights")
    parser.add_argument(
        "--tools", type=Path, metavar="FILE", help="JSON list of tools on offer instead of those that ship"
    )
    parser.add_argument(
        "--server", action="append", default=[], metavar="COMMAND|URL", help="an MCP server to stand in front of"
    )
    args = parser.parse_args(argv)
    router = Router.from_pretrained(args.router)
    with ExitStack() as connections:
        behind = ToolSet()
        for server in args.server:
            address = server if server.startswith(("http://", "https://")) else shlex.split(server)
            behind |= ToolSet.from_mcp(connections.enter_context(McpConnection(address)))
        build(router, behind or _tools(args.tools), bool(behind)).run("stdio")
    return 0


def _tools(file: Path | None) -> ToolSet:
    from router.builtin import default_tools

    return ToolSet.read(file) if file else default_tools()


def build(router: Decides, tools: ToolSet, in_front: bool) -> Any:
    """The MCP server for ``router`` and ``tools``; with ``in_front`` these are others' and can be found and called."""
    from mcp.server.mcpserver import MCPServer
    from mcp.types import ToolAnnotations

    server = MCPServer("switchyard")
    reads = ToolAnnotations(read_only_hint=True)

    @server.tool(name="route", annotations=reads)
    def routed(question: str) -> dict[str, Any]:
        """Which tool a question needs and with what arguments, decided by the local router. Nothing runs."""
        return row(question, plan(question, router, tools), 0.0)

    if isinstance(router, Router):

        @server.tool(name="explain", annotations=reads)
        def explained(question: str) -> dict[str, Any]:
            """Which words decided for the tool that the router chose."""
            return to_json(explain(router, question))

    if in_front:

        @server.tool(annotations=reads)
        def find_tools(question: str, most: int = MOST_FOUND) -> list[dict[str, Any]]:
            """The tools that a question may need, the likeliest first: name, description and schema of each."""
            return [_shown(tools[name]) for name in likeliest(router, tools, question)[: max(1, most)]]

        @server.tool()
        def call_tool(name: str, arguments: dict[str, Any]) -> str:
            """Call one of the tools that find_tools gave."""
            if name not in tools:
                raise ToolError(f"There is no tool {name!r}. Ask find_tools for those that there are.")
            result = tools[name].call(arguments)
            if result.output is None:
                raise ToolError(result.error)
            return result.output

    return server


def likeliest(router: Decides, tools: Mapping[str, Tool], question: str) -> list[str]:
    """Names of ``tools``, the likeliest for ``question`` first; those that the router does not know keep their order,
    behind the others."""
    known = router.decide(question).probabilities
    return sorted(tools, key=lambda name: -known.get(name, 0.0))


def _shown(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "inputSchema": json.loads(json.dumps(tool.schema))}
