"""The LLM behind the endpoint: requests go on to it as they came, replies come back as they are.

The address is configuration, never a request's. Leaves out what requests say.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

CONNECT_S, SILENT_S = 10.0, 600.0
"""Seconds to a connection, and without a byte, after which the upstream has failed."""
IDLE_S = 4.0
"""Seconds after which an idle connection is not used again: many servers close theirs after five."""
PIECE = 65_536
Headers = list[tuple[str, str]]
HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer trailers "
    "transfer-encoding upgrade".split()
)
"""Headers of one connection (RFC 9110, 7.6.1), which a proxy does not pass on."""
OURS = frozenset({"host", "content-length"})
"""Headers that the next connection writes anew."""


class UpstreamError(Exception):
    """The upstream gave no reply. ``status``: what the client is told, 502 or 504."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """The upstream's reply as it comes in: ``pieces`` are the bytes of its body, still packed."""

    status: int
    headers: Headers
    pieces: AsyncIterator[bytes]

    def header(self, name: str) -> str:
        """The first header of that name, or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def check_address(address: str) -> str:
    """``address`` without a slash at its end. Raises ValueError where it is no base URL."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(
            f"--upstream {address!r} is no base URL. Give one such as https://api.openai.com/v1, without a key in it."
        )
    return address.rstrip("/")


class HttpUpstream:
    """An upstream at ``address``, which ends where OpenAI's and Anthropic's SDKs' base URLs end, in ``/v1`` mostly.

    ``key`` stands in for what callers send, where there is one. Use ``open`` and ``close`` on the loop that asks.
    """

    def __init__(self, address: str, key: str | None = None, silent_s: float = SILENT_S) -> None:
        self.address, self._key, self._silent_s = check_address(address), key, silent_s
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready to ask."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=self._silent_s),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def ask(self, method: str, path: str, query: str, headers: Headers, body: bytes) -> AsyncIterator[Reply]:
        """Send one request to ``path`` below the address. Leaving the block ends the request, also before its end.

        Raises UpstreamError where no reply comes, and from ``pieces`` where it breaks off.
        """
        if self._session is None:
            raise RuntimeError("The upstream is not open. Await open() first.")
        url = URL(self.address + path + (f"?{query}" if query else ""), encoded=True)
        try:
            reply = await self._session.request(
                method, url, data=body or None, headers=self._sent(headers), allow_redirects=False
            )
        except TimeoutError as fault:
            raise UpstreamError(504, f"The upstream did not answer within {self._silent_s:.0f} s.") from fault
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise UpstreamError(502, f"The upstream cannot be reached ({type(fault).__name__}).") from fault
        try:
            yield Reply(reply.status, passed_on(reply.headers.items()), _pieces(reply))
        finally:
            reply.close() if not reply.content.at_eof() else reply.release()

    def _sent(self, headers: Headers) -> Headers:
        sent = [(name, value) for name, value in passed_on(headers) if name.lower() not in OURS]
        if self._key is None:
            return sent
        anthropic = any(name.lower() in ("x-api-key", "anthropic-version") for name, _ in sent)
        own = ("x-api-key", self._key) if anthropic else ("authorization", f"Bearer {self._key}")
        return [(n, v) for n, v in sent if n.lower() not in ("authorization", "x-api-key", "api-key")] + [own]


def passed_on(headers: Iterable[tuple[str, str]]) -> Headers:
    """``headers`` without those of one connection."""
    kept = [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]
    named = {n.strip().lower() for name, value in headers if name.lower() == "connection" for n in value.split(",")}
    return [(name, value) for name, value in kept if name.lower() not in named]


async def _pieces(reply: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in reply.content.iter_any():
            yield piece
    except TimeoutError as fault:
        raise UpstreamError(504, "The upstream fell silent in the middle of its reply.") from fault
    except (aiohttp.ClientError, OSError) as fault:
        raise UpstreamError(502, f"The upstream broke off its reply ({type(fault).__name__}).") from fault
