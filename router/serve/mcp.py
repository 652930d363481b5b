"""The router as an MCP server: ``python -m router mcp``, over stdio; needs the package ``mcp``.

It offers ``route`` and ``explain`` for the tools that it knows. In front of other MCP servers it is a filter: a client
sees three tools instead of all of theirs, asks ``find_tools`` which of them a question needs, and calls one with
``call_tool``. Leaves out deciding (``router.plans``) and connecting (``router.tools.mcp``).
"""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from router.calls.tagger import CallModel, load_router
from router.network import DEFAULT_ROUTER, Router
from router.network.explain import explain
from router.network.zero_shot import SchemaRouter
from router.plans import plan, row
from router.tools import Tool, ToolSet
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
    router = load_router(args.router)
    with ExitStack() as connections:
        behind = ToolSet()
        for server in args.server:
            address = server if server.startswith(("http://", "https://")) else shlex.split(server)
            behind |= ToolSet.from_mcp(connections.enter_context(McpConnection(address)))
        build(router, behind or _tools(args.tools, router), bool(behind)).run("stdio")
    return 0


def _tools(file: Path | None, router: Router | CallModel) -> ToolSet:
    from router.builtin import default_tools

    if file is not None:
        return ToolSet.read(file)
    return router.tool_set if isinstance(router, CallModel) else default_tools()


def build(router: Router | CallModel, tools: ToolSet, in_front: bool) -> Any:
    """The MCP server for ``router`` and ``tools``; with ``in_front`` these are others' and can be found and called."""
    from mcp.server.mcpserver import MCPServer
    from mcp.types import ToolAnnotations

    server = MCPServer("switchyard")
    reads = ToolAnnotations(read_only_hint=True)

    @server.tool(name="route", annotations=reads)
    def routed(question: str) -> dict[str, Any]:
        """Which tool a question needs and with what arguments, decided by the local router. Nothing runs."""
        started = time.perf_counter()
        found = plan(question, router, tools)
        return row(question, found, time.perf_counter() - started)

    @server.tool(name="explain", annotations=reads)
    def explained(question: str) -> dict[str, Any]:
        """Which words decided for the tool that the router chose."""
        return to_json(explain(router.router if isinstance(router, CallModel) else router, question))

    if in_front:
        _offer_others(server, tools, reads)
    return server


def _offer_others(server: Any, tools: ToolSet, reads: Any) -> None:
    from mcp.server.mcpserver.exceptions import ToolError as Told  # the words of any other error are withheld

    by_schema = SchemaRouter(tools)

    @server.tool(annotations=reads)
    def find_tools(question: str, most: int = MOST_FOUND) -> list[dict[str, Any]]:
        """The tools that a question may need, the likeliest first: name, description and schema of each."""
        found = by_schema.decide(question).probabilities
        likeliest = sorted(tools, key=lambda name: -found.get(name, 0.0))
        return [_shown(tools[name]) for name in likeliest[: max(1, most)]]

    @server.tool()
    def call_tool(name: str, arguments: dict[str, Any]) -> str:
        """Call one of the tools that find_tools gave."""
        if name not in tools:
            raise Told(f"There is no tool {name!r}. Ask find_tools for those that there are.")
        result = tools[name].call(arguments)
        if result.output is None:
            raise Told(result.error)
        return result.output


def _shown(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "inputSchema": json.loads(json.dumps(tool.schema))}
