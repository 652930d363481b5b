"""A connection to a running MCP server, over stdio or streamable HTTP; needs the package ``mcp``.

The package is asynchronous: an event loop on a thread of its own serves it, and callers wait for their answers. Leaves
out what a list of tools means (``formats``).
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from router.tools.tool import ToolError

T = TypeVar("T")

CLOSING_S = 5.0
"""Seconds that a server may take to end before it is left to itself."""
_ADDRESS = re.compile(r"https?://[^\s'\"]+")


class McpConnection:
    """An open connection, which ``close`` or the end of a ``with`` block ends.

    ``server`` is the command of a server that speaks over stdio (``["python", "server.py"]``; its process ends with the
    connection), or the address of one that speaks streamable HTTP. ``timeout_s``: seconds for connecting and for each
    call. ``env``: further environment variables for a command; it gets few of this process's. ``headers``: for an
    address, such as one with a token; they are kept nowhere else.

    Raises ImportError where the package ``mcp`` is missing, ToolError where no server answers, ValueError where
    ``server`` is neither.
    """

    def __init__(
        self,
        server: str | Sequence[str],
        timeout_s: float = 30.0,
        env: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._name, self.timeout_s = _name(server), timeout_s
        _package()
        self._loop = asyncio.new_event_loop()
        self._closing: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"mcp {self._name}", daemon=True)
        self._thread.start()
        opened: Future[Any] = Future()
        self._served = asyncio.run_coroutine_threadsafe(self._serve(_session(server, env, headers), opened), self._loop)
        try:
            self._client = opened.result(timeout_s)
        except BaseException as fault:
            self.close()
            if isinstance(fault, Exception):
                raise ToolError(self._said(fault, "cannot be reached")) from fault
            raise

    def list_tools(self) -> dict[str, Any]:
        """The server's tools as MCP's ``tools/list`` gives them, all pages in one. Raises ToolError."""
        return {"tools": self._wait(_all_tools(self._client))}

    def runner(self, name: str) -> Callable[..., str]:
        """A function that calls the tool ``name`` and returns its result as text, or raises ToolError."""

        def run(**arguments: Any) -> str:
            result = self._wait(self._client.call_tool(name, arguments))
            text = _text(result)
            if result.is_error:
                raise ToolError(f"{name}: {text or 'the server reports an error without words.'}")
            return text

        return run

    def close(self) -> None:
        """End the connection, and the process of a server over stdio. Closing twice is allowed."""
        if self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(lambda: self._closing.set() if self._closing else self._served.cancel())
            self._served.exception(CLOSING_S)
        except (Exception, asyncio.CancelledError):  # what ends it has been told to whoever waited for it
            pass
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSING_S)
        if not self._thread.is_alive():
            self._loop.close()

    def __enter__(self) -> McpConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"McpConnection({self._name!r})"

    async def _serve(self, session: AbstractAsyncContextManager[Any], opened: Future[Any]) -> None:
        """Hold the connection open: it must end in the task that began it."""
        try:
            async with session as client:
                self._closing = asyncio.Event()
                opened.set_result(client)
                await self._closing.wait()
        except BaseException as fault:
            if not opened.done():
                opened.set_exception(fault)
            raise

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._served.done() or self._loop.is_closed():
            work.close()
            raise ToolError(f"The connection to the MCP server {self._name!r} is closed. Open a new one.")
        asked = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return asked.result(self.timeout_s)
        except Exception as fault:
            asked.cancel()
            raise ToolError(self._said(fault, "failed")) from fault

    def _said(self, fault: BaseException, what: str) -> str:
        while isinstance(fault, BaseExceptionGroup):
            fault = fault.exceptions[0]
        if isinstance(fault, TimeoutError):
            return f"The MCP server {self._name!r} did not answer within {self.timeout_s:g} s. Try again or allow more."
        reason = _ADDRESS.sub(self._name, " ".join(str(fault).split())) or type(fault).__name__
        return f"The MCP server {self._name!r} {what}: {reason.rstrip('.')}. Check that it runs."


def _name(server: str | Sequence[str]) -> str:
    """What the server is called in messages: of an address without what may be secret, of a command its beginning."""
    if isinstance(server, str):
        address = urlsplit(server)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(f"{server!r} is no address of an MCP server. Give http://... or a command as a list.")
        return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
    if not server or not all(isinstance(word, str) for word in server):
        raise ValueError(f"{server!r} is no command of an MCP server. Give a list of words, such as ['npx', 'server'].")
    return server[0]


def _package() -> None:
    try:
        from mcp import Client  # noqa: F401
    except ImportError as fault:
        raise ImportError(
            f"MCP servers need the package mcp, version 2 ({fault}). Run: pip install 'mcp>=2'"
        ) from fault


@asynccontextmanager
async def _session(
    server: str | Sequence[str], env: Mapping[str, str] | None, headers: Mapping[str, str] | None
) -> AsyncIterator[Any]:
    import httpx2
    from mcp import Client, StdioServerParameters
    from mcp.client.streamable_http import streamable_http_client

    if not isinstance(server, str):
        command = StdioServerParameters(command=server[0], args=list(server[1:]), env=dict(env or {}))
        async with Client(command, cache=None) as client:
            yield client
        return
    async with httpx2.AsyncClient(headers=dict(headers or {}), timeout=None) as http:  # the caller's timeout counts
        async with Client(streamable_http_client(server, http_client=http), cache=None) as client:
            yield client


async def _all_tools(client: Any) -> list[dict[str, Any]]:
    tools, cursor, seen = [], None, set()
    while cursor not in seen:
        seen.add(cursor)
        page = await client.list_tools(cursor=cursor)
        tools += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            break
    return tools


def _text(result: Any) -> str:
    """The texts of a result, one below another; what is no text is named."""
    parts = [
        part.text
        if part.type == "text"
        else getattr(getattr(part, "resource", None), "text", None) or f"[{part.type.replace('_', ' ')}]"
        for part in result.content
    ]
    if not parts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(parts)
