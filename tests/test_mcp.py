"""Tools of a running MCP server: a real one, over stdio and over streamable HTTP on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_lm import scripted_lm
from test_paths import run

from baselines.tool_calling import ToolCalling
from router.builtin import default_tools
from router.tools import ToolError, ToolSet
from router.tools.mcp import McpConnection

SERVER = [sys.executable, str(Path(__file__).with_name("mcp_server.py"))]
NAMES = ["weather", "lights", "files.delete", "sleep", "leave", "variable"]
LONG_S = 60.0
"""Seconds for a server to start on a busy machine."""


@pytest.fixture(scope="module")
def over_stdio() -> Iterator[ToolSet]:
    with McpConnection(SERVER, timeout_s=LONG_S, env={"SWITCHYARD_TEST": "here"}) as server:
        yield ToolSet.from_mcp(server)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*SERVER, str(port)])
    try:
        deadline = time.monotonic() + LONG_S
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def over_http(address: str) -> Iterator[ToolSet]:
    with McpConnection(address, timeout_s=LONG_S, headers={"Authorization": "Bearer of-the-test"}) as server:
        yield ToolSet.from_mcp(server)


@pytest.fixture(params=["over_stdio", "over_http"])
def tools(request: pytest.FixtureRequest) -> ToolSet:
    return request.getfixturevalue(request.param)


def test_a_servers_tools_are_a_set_with_its_marks(tools: ToolSet) -> None:
    assert list(tools) == NAMES and not any(tool.described for tool in tools.values())
    assert {n: s.required for n, s in tools["weather"].slots.items()} == {"city": True, "days": False}
    assert [n for n, t in tools.items() if not t.effects] == ["weather"]
    assert [n for n, t in tools.items() if t.destructive] == ["files.delete"]
    assert len(default_tools() | ToolSet([tools["lights"]])) == 9


def test_a_call_reaches_the_server_and_its_text_comes_back(tools: ToolSet) -> None:
    assert tools["weather"].call({"city": "Oslo", "days": 2}).output == "Oslo: sunny for 2 day(s)"
    assert json.loads(tools["lights"].call({"room": "hall"}).output)["room"] == "hall"


def test_the_servers_error_is_the_tools(tools: ToolSet) -> None:
    result = tools["files.delete"].call({"path": "/nowhere"})
    assert result.output is None and result.error.startswith("files.delete: ")


def test_unfit_arguments_never_reach_the_server(tools: ToolSet) -> None:
    before = json.loads(tools["lights"].call({"room": "hall"}).output)["times"]
    assert "'room' is a required property" in tools["lights"].call({}).error
    assert json.loads(tools["lights"].call({"room": "hall"}).output)["times"] == before + 1


def test_a_model_calls_a_servers_tool(over_stdio: ToolSet) -> None:
    lm = scripted_lm({"name": "weather", "arguments": {"city": "Oslo"}}, "It is sunny.", native_tools=True)
    result = run(ToolCalling(over_stdio), lm, "weather in Oslo").result()
    assert result.answer == "It is sunny." and result.tool_results[0].output == "Oslo: sunny for 1 day(s)"


def test_the_listed_json_is_the_same_set_but_described(over_stdio: ToolSet) -> None:
    with McpConnection(SERVER, timeout_s=LONG_S) as server:
        listed = ToolSet.from_json({"jsonrpc": "2.0", "id": 1, "result": server.list_tools()})
    assert listed == over_stdio and listed["weather"].described


def test_a_command_gets_its_variables_and_few_others(over_stdio: ToolSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    assert over_stdio["variable"].call({"name": "SWITCHYARD_TEST"}).output == "here"
    assert over_stdio["variable"].call({"name": "SECRET_TOKEN"}).output == "unset"


def test_a_slow_call_ends_at_the_timeout_and_the_connection_lives_on(address: str) -> None:
    with McpConnection(address, timeout_s=LONG_S) as server:
        tools = ToolSet.from_mcp(server)
        server.timeout_s = 0.5
        assert "did not answer within 0.5 s" in tools["sleep"].call({"seconds": 20}).error
        server.timeout_s = LONG_S
        assert tools["weather"].call({"city": "Oslo"}).output == "Oslo: sunny for 1 day(s)"


def test_a_server_that_ends_is_an_error_and_so_is_a_closed_connection() -> None:
    server = McpConnection(SERVER, timeout_s=LONG_S)
    tools = ToolSet.from_mcp(server)
    assert tools["leave"].call({}).error.startswith("The MCP server ")
    assert tools["weather"].call({"city": "Oslo"}).error.startswith("The MCP server ")
    server.close()
    server.close()
    assert "is closed. Open a new one." in tools["weather"].call({"city": "Oslo"}).error


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (["/no/such/program"], "cannot be reached: .*No such file"),
        ([sys.executable, "-c", "pass"], "cannot be reached: "),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "did not answer within 1 s"),
        ("http://127.0.0.1:9/mcp", "cannot be reached: "),
    ],
    ids=["no program", "no server", "silent", "no listener"],
)
def test_a_server_that_is_not_there_is_one_sentence(server: Any, words: str) -> None:
    with pytest.raises(ToolError, match=words) as caught:
        McpConnection(server, timeout_s=1.0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("server", ["server.py", "ftp://a/b", "http://", [], [3]])
def test_what_is_neither_command_nor_address_is_refused(server: Any) -> None:
    with pytest.raises(ValueError, match="of an MCP server. Give "):
        McpConnection(server)


def test_what_may_be_secret_in_an_address_is_not_told(address: str) -> None:
    for there in ("http://127.0.0.1:9/mcp", f"{address}/elsewhere"):
        with pytest.raises(ToolError) as caught:
            McpConnection(f"{there.replace('//', '//user:secret@')}?key=secret", timeout_s=LONG_S)
        assert "secret" not in str(caught.value) and there in str(caught.value)


def test_a_missing_package_is_one_sentence_that_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ImportError, match="need the package mcp.* Run: pip install 'mcp>=2'"):
        McpConnection(SERVER)
