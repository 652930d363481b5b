"""A real MCP server for tests: ``python mcp_server.py`` over stdio, with a port over streamable HTTP on loopback."""

from __future__ import annotations

import os
import sys
import time

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("tests")
counts = {"lights": 0}


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return f"{city}: sunny for {days} day(s)"


@server.tool()
def lights(room: str, on: bool = True) -> dict[str, object]:
    """Switch the lights of a room."""
    counts["lights"] += 1
    return {"room": room, "on": on, "times": counts["lights"]}


@server.tool(name="files.delete", annotations=ToolAnnotations(destructive_hint=True))
def delete(path: str) -> str:
    """Delete a file."""
    raise ValueError(f"{path} is not there")


@server.tool()
def sleep(seconds: float) -> str:
    """Wait."""
    time.sleep(seconds)
    return "slept"


@server.tool()
def leave() -> str:
    """End the server at once."""
    os._exit(1)


@server.tool()
def variable(name: str) -> str:
    """A variable of the server's environment."""
    return os.environ.get(name, "unset")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
