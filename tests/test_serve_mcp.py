"""The router as an MCP server, asked by a real client; and as a filter in front of another server."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.tools import ToolError, ToolSet
from router.tools.mcp import McpConnection

OTHER = shlex.join([sys.executable, str(Path(__file__).with_name("mcp_server.py"))])
OWN = [sys.executable, "-m", "router", "mcp"]
LONG_S = 120.0
ROOT = str(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def alone() -> Iterator[ToolSet]:
    with McpConnection(OWN, timeout_s=LONG_S, env={"PYTHONPATH": ROOT}) as server:
        yield ToolSet.from_mcp(server)


@pytest.fixture(scope="module")
def in_front() -> Iterator[ToolSet]:
    with McpConnection([*OWN, "--server", OTHER], timeout_s=LONG_S, env={"PYTHONPATH": ROOT}) as server:
        yield ToolSet.from_mcp(server)


def test_it_routes_and_explains_without_running_anything(alone: ToolSet) -> None:
    assert list(alone) == ["route", "explain"] and not any(tool.effects for tool in alone.values())
    found = json.loads(alone["route"].call({"question": "what is 20% of 45"}).output)
    assert (found["outcome"], found["tool"], found["arguments"]) == ("call", "calculator", {"expression": "20% of 45"})
    assert json.loads(alone["explain"].call({"question": "what is 20% of 45"}).output)["tool"] == "calculator"


def test_in_front_of_a_server_a_client_sees_four_tools_instead_of_all(in_front: ToolSet) -> None:
    assert list(in_front) == ["route", "explain", "find_tools", "call_tool"]
    found = in_front["find_tools"].call({"question": "how is the weather in Oslo", "most": 2}).output
    assert '"weather"' in found and "inputSchema" in found and found.index('"weather"') < 60


def test_a_found_tool_is_called_at_the_server_behind(in_front: ToolSet) -> None:
    called = in_front["call_tool"].call({"name": "weather", "arguments": {"city": "Oslo", "days": 2}})
    assert called.output == "Oslo: sunny for 2 day(s)"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("nothing", {}, "There is no tool"),
        ("weather", {"days": 2}, "city"),
        ("files.delete", {"path": "x"}, "files.delete"),
    ],
)
def test_what_fails_behind_is_said_in_front(in_front: ToolSet, name: str, arguments: dict, said: str) -> None:
    assert said in in_front["call_tool"].call({"name": name, "arguments": arguments}).error


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    from router.serve.mcp import main

    with pytest.raises(ToolError, match="cannot be reached"):
        main(["--server", f"{sys.executable} -c pass"])
