"""The endpoint as an ASGI application: one handler that asks the router first, and passes on everything else.

Never worse than no proxy: what fails in here (router, journal) is counted, and the request goes on to the upstream.
"""

from __future__ import annotations

import asyncio
import json
import logging
import string
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from router.serve.anthropic import Anthropic
from router.serve.callers import Admission, from_elsewhere, key_of, tag
from router.serve.counting import Counts, Seen
from router.serve.deciding import Decider, Mode, Verdict
from router.serve.openai import OpenAI
from router.serve.sse import MOST_HEARD, readable
from router.serve.upstream import Headers, Reply, UpstreamError, passed_on
from router.serve.wire import Asked, Forwarded, Heard, Said, Wire, one_tool
from router.types import Step, ToolCall, Usage

log = logging.getLogger(__name__)
WIRES: Mapping[str, Wire] = {wire.path: wire for wire in (OpenAI(), Anthropic())}
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
HEADER = "x-switchyard"
QUERY = string.punctuation.replace("#", "")
"""What may stand in a query beside letters and digits: one that is well formed goes on as it is."""
REFUSED = frozenset({400, 404, 409, 413, 422})
"""Statuses by which an upstream says that it does not take a request as it is, and might take another one."""
BODY_S = 60.0
"""Seconds in which a request's body must have come."""


class Upstream(Protocol):
    """Where requests go on to (``upstream.HttpUpstream``, ``local.LocalUpstream``)."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def ask(self, method: str, path: str, query: str, headers: Headers, body: bytes) -> Any: ...


@dataclass(frozen=True)
class ServeConfig:
    """``mode``: in ``shadow`` the upstream writes every turn. ``most_bytes``: of a request's body. ``show_questions``:
    whether the latest requests are kept with their questions, to be shown on this machine."""

    mode: Mode = "shadow"
    most_bytes: int = 32_000_000
    show_questions: bool = True
    admission: Admission = field(default_factory=Admission)


class Endpoint:
    """The handlers of one endpoint. ``app`` is the ASGI application; another one may have its ``routes`` below /v1, and
    then its ``life``."""

    def __init__(self, upstream: Upstream, decider: Decider, config: ServeConfig = ServeConfig()) -> None:
        self.upstream, self.decider, self.config = upstream, decider, config
        self.counts = Counts()
        self._threads = ThreadPoolExecutor(2, "decide")
        self._pending: set[asyncio.Task[None]] = set()
        self.routes = [Route("/v1/{path:path}", self._serve, methods=METHODS)]
        told = [Route("/healthz", self._healthy), Route("/metrics", self._metrics)]
        self.app = Starlette(routes=[*told, *self.routes], lifespan=self.life)

    @asynccontextmanager
    async def life(self, _: Starlette) -> AsyncIterator[None]:
        """What is open while requests come; it begins and ends on the loop that serves them."""
        await self.upstream.open()
        try:
            yield
        finally:
            await asyncio.gather(*self._pending)
            await self.upstream.close()
            self._threads.shutdown()
            self.decider.close()

    async def _healthy(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "mode": self.config.mode})

    async def _metrics(self, request: Request) -> Response:
        if not self.config.admission.known(key_of(request.headers.get)):
            return JSONResponse({"error": {"message": "Give a key that this endpoint accepts."}}, 401)
        return Response(self.counts.text(), media_type="text/plain; version=0.0.4")

    async def _serve(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("latin-1").removeprefix("/v1")
        wire = WIRES.get(path) if request.method == "POST" else None
        turn = _Turn(self, request, path, wire or WIRES[OpenAI.path])
        refused = turn.refused() or await turn.receive()
        if refused is not None:
            return turn.count(refused)
        try:
            asked = self._asked(wire, turn) if wire else None
            if asked is not None and (reply := await turn.decide(asked)) is not None:
                return turn.count(reply, "router")
            if asked is not None and (reply := await turn.narrow(asked)) is not None:
                return turn.count(reply, "partial")
            return await turn.forward(asked)
        except ClientDisconnect:
            return turn.count(Response(status_code=499))

    def _asked(self, wire: Wire, turn: _Turn) -> Asked | None:
        """What a request asks; None where it is the upstream's alone, and the turn then has the reason."""
        try:
            if turn.request.headers.get("content-encoding", "identity") != "identity":
                raise Forwarded("a packed body")
            document = json.loads(turn.body)
            if not isinstance(document, dict):
                raise Forwarded("no JSON object")
            return wire.read(document, self.decider.tools)
        except Forwarded as reason:
            turn.forwarded = str(reason)
        except (ValueError, RecursionError):
            turn.forwarded = "no JSON object"
        except Exception:
            turn.forwarded = "it cannot be read"
            self.fault("read")
        self.counts.forwarded.labels(turn.forwarded).inc()
        return None

    def fault(self, where: str) -> None:
        """Count a failure of our own, and tell the log of it; what it says may quote a question, so only when debugging."""
        self.counts.faults.labels(where).inc()
        log.warning("%s failed (%s); the request goes on to the upstream.", where, type(sys.exception()).__name__)
        log.debug("%s failed", where, exc_info=True)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do ``work`` whatever becomes of the request: a client that has its reply is gone."""
        task = asyncio.get_running_loop().create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        """``work(*args)``, off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)


class _Turn:
    """One request on its way."""

    def __init__(self, endpoint: Endpoint, request: Request, path: str, wire: Wire) -> None:
        self.endpoint, self.request, self.path, self.wire = endpoint, request, path, wire
        self.started = time.perf_counter()
        self.key = key_of(request.headers.get)
        self.caller = tag(self.key)
        self.body = b""
        self.verdict: Verdict | None = None
        self.was_asked = self.was_narrowed = False
        self.forwarded = ""

    def refused(self) -> Response | None:
        """The reply to a caller that may not ask now, or that asks for another address than the upstream's."""
        admission = self.endpoint.config.admission
        if not admission.known(self.key):
            return self._fault(401, "Give a key that this endpoint accepts, as an API key.")
        if (wait := admission.wait_s(self.caller)) > 0:
            refusal = self._fault(429, f"Too many requests from this key. Try again in {wait:.0f} s.")
            refusal.headers["retry-after"] = str(int(wait) + 1)
            return refusal
        if not admission.asks_keys and from_elsewhere(self.request.headers.get("origin")):
            return self._fault(403, "A web page may ask an endpoint only where that asks for keys (--keys-env).")
        parts = unquote(self.path[1:]).split("/")
        if not self.path.isascii() or "#" in self.path or any(part in ("..", ".", "") for part in parts):
            return self._fault(404, "There is no such path below /v1.")
        return None

    async def receive(self) -> Response | None:
        """Take the body in; the reply where it is too large or too slow."""
        most = self.endpoint.config.most_bytes
        try:
            async with asyncio.timeout(BODY_S):
                parts, size = [], 0
                async for part in self.request.stream():
                    parts.append(part)
                    size += len(part)
                    if size > most:
                        return self._fault(413, f"The request has over {most:,} bytes, the most that are taken.")
                self.body = b"".join(parts)
        except TimeoutError:
            return self._fault(408, f"The request was not whole after {BODY_S:.0f} s.")
        except ClientDisconnect:
            return Response(status_code=499)
        return None

    async def decide(self, asked: Asked) -> Response | None:
        """The router's turn, where it is sure and may act; in shadow it is asked beside the upstream."""
        if self.endpoint.config.mode != "live":
            return None
        await self._decided(asked)
        try:
            if self.verdict is None or not self.verdict.acts:
                return None
            calls = self.verdict.calls
            headers = {HEADER: f"live; confidence={self.verdict.confidence:.3f}"}
            if asked.streamed:
                body = b"".join(self.wire.stream(asked, calls))
                reply = Response(body, headers=headers | {"cache-control": "no-cache"}, media_type="text/event-stream")
            else:
                reply = JSONResponse(self.wire.reply(asked, calls), headers=headers)
            self.endpoint.later(self._told(asked, "router", None))
            return reply
        except Exception:
            self.endpoint.fault("reply")
            return None

    async def _decided(self, asked: Asked) -> None:
        started, self.was_asked = time.perf_counter(), True
        try:
            self.verdict = await self.endpoint.in_thread(self.endpoint.decider.decide, self.caller, asked)
            self.endpoint.counts.outcomes.labels(self.verdict.outcome).inc()
        except Exception:
            self.endpoint.fault("decide")
        self.endpoint.counts.decided.observe(time.perf_counter() - started)

    async def narrow(self, asked: Asked) -> Response | None:
        """The upstream's reply where it is shown the one tool that the router chose; None where it is to be asked in full:
        where the router is not sure of one, or the upstream refuses the request or calls nothing."""
        verdict = self.verdict
        if self.endpoint.config.mode != "live" or verdict is None or not verdict.narrows or len(asked.tools) < 2:
            return None
        try:
            body = one_tool(self.body, verdict.calls[0].tool)
            reply, whole, said = await self._unless_gone(self._whole(body))
        except UpstreamError as fault:
            return self._fault(fault.status, str(fault))
        except ClientDisconnect:
            raise
        except Exception:
            self.endpoint.fault("narrow")
            return None
        called = said is not None and bool(said.calls)
        result = (
            "refused" if reply.status in REFUSED else "error" if reply.status != 200 else "called" if called else "text"
        )
        self.endpoint.counts.partial.labels(result).inc()
        if result in ("refused", "text"):
            return None
        self.was_narrowed = True
        if called:
            self.endpoint.later(self._told(asked, "partial", said))
        return _passed(Response(whole, reply.status), reply, f"partial; confidence={verdict.confidence:.3f}")

    async def _whole(self, body: bytes) -> tuple[Reply, bytes, Said | None]:
        """The upstream's reply to ``body``, to its end or as far as it can be heard, and what it says."""
        async with self._ask(body, True) as reply:
            heard, pieces, size = self._listener(reply), [], 0
            async for piece in reply.pieces:
                heard.feed(piece)
                pieces.append(piece)
                if (size := size + len(piece)) > MOST_HEARD:
                    return reply, b"", None
        return reply, b"".join(pieces), heard.said() if reply.status == 200 else None

    def _ask(self, body: bytes, hears: bool) -> Any:
        """Ask the upstream; where its reply is to be heard, in an encoding that can be read."""
        headers = list(self.request.headers.items())
        if hears:
            headers = [(n, readable(v) if n.lower() == "accept-encoding" else v) for n, v in headers]
        query = quote(self.request.scope["query_string"], safe=QUERY)
        return self.endpoint.upstream.ask(self.request.method, self.path, query, headers, body)

    def _listener(self, reply: Reply) -> Heard:
        streamed = reply.header("content-type").startswith("text/event-stream")
        return self.wire.heard(streamed, reply.header("content-encoding").lower())

    async def forward(self, asked: Asked | None) -> Response:
        """The upstream's reply, heard on its way where the router was asked too."""
        beside = asyncio.create_task(self._decided(asked)) if asked and not self.was_asked else None
        opened = self._ask(self.body, asked is not None)
        try:
            reply = await self._unless_gone(opened.__aenter__())
        except UpstreamError as fault:
            return self.count(self._fault(fault.status, str(fault)))
        heard = self._listener(reply) if asked and reply.status == 200 else None
        response = StreamingResponse(self._passing(opened, reply, heard, asked, beside), reply.status)
        return _passed(response, reply, f"{self.endpoint.config.mode}; forwarded")

    async def _unless_gone(self, asking: Any) -> Any:
        """What ``asking`` the upstream gives. Raises ClientDisconnect where the client has gone meanwhile."""
        reply = asyncio.ensure_future(asking)
        gone = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait({reply, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not reply.done():
                reply.cancel()
                raise ClientDisconnect
            return reply.result()
        finally:
            gone.cancel()

    async def _gone(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass

    async def _passing(
        self, opened: Any, reply: Reply, heard: Heard | None, asked: Asked | None, beside: asyncio.Task[None] | None
    ) -> AsyncIterator[bytes]:
        status, passed = reply.status, 0
        try:
            async for piece in reply.pieces:
                passed += len(piece)
                if heard is not None:
                    heard.feed(piece)
                yield piece
        except UpstreamError:
            status = 502
            raise  # the reply has begun: the connection is cut, as the upstream's was
        except (asyncio.CancelledError, GeneratorExit):  # the client has gone: with all that it waited for, or before
            if reply.header("content-length") != str(passed):
                status = 499
            raise
        finally:
            await opened.__aexit__(None, None, None)
            self._count(status, "upstream")
            if self.forwarded:
                self._saw("upstream", "forwarded", reason=self.forwarded)
            elif asked is not None and heard is not None:
                self.endpoint.later(self._noted(asked, heard, beside))

    async def _noted(self, asked: Asked, heard: Heard, beside: asyncio.Task[None] | None) -> None:
        if beside is not None:
            await beside
        await self._told(asked, "upstream", heard.said())

    async def _told(self, asked: Asked, acted: str, said: Said | None) -> None:
        """Note what was called, by the router or as the upstream ``said``. Never raises."""
        endpoint, verdict, seconds = self.endpoint, self.verdict, time.perf_counter() - self.started
        if verdict is None:
            return
        usage = said.usage if said is not None else Usage()
        verdict = replace(verdict, narrows=self.was_narrowed)
        try:
            called = said.calls if said is not None else ()
            agreed = _keys(verdict.calls) == _keys(called) if verdict.calls and called else None
            if agreed is not None:
                endpoint.counts.agreement.labels(str(agreed).lower()).inc()
            shows = endpoint.config.show_questions
            self._saw(
                acted,
                verdict.outcome,
                confidence=verdict.confidence,
                question=asked.question if shows else "",
                router=[asdict(call) for call in verdict.calls],
                upstream=None if said is None else [asdict(call) for call in called],
                agreed=agreed,
                reason=verdict.reason if shows else "",
                tokens=0 if acted == "router" else usage.input_tokens + usage.output_tokens or None,
            )
            if acted == "router" or said is not None:  # of no whole reply nobody knows what it called
                await endpoint.in_thread(endpoint.decider.told, self.caller, asked, verdict, said, seconds)
        except Exception:
            endpoint.fault("journal")

    def _saw(self, acted: str, outcome: str, **more: Any) -> None:
        """Keep the request to be shown."""
        seconds = time.perf_counter() - self.started
        self.endpoint.counts.saw(Seen(time.time(), self.caller, self.path, acted, outcome, seconds, **more))

    def count(self, response: Response, acted: str = "none") -> Response:
        """Count a reply that is whole when it is made."""
        self._count(response.status_code, acted)
        return response

    def _count(self, status: int, acted: str) -> None:
        shown = self.path if self.path in WIRES else "other"
        self.endpoint.counts.requests.labels(shown, acted, str(status)).inc()
        self.endpoint.counts.seconds.labels(acted).observe(time.perf_counter() - self.started)

    def _fault(self, status: int, message: str) -> Response:
        return JSONResponse(self.wire.fault(status, message), status, headers={HEADER: "refused"})


def _passed(response: Response, reply: Reply, told: str) -> Response:
    """``response`` with the headers of the upstream's ``reply``, and ours, which says ``told``."""
    response.raw_headers = [(_bytes(n.lower()), _bytes(v)) for n, v in passed_on(reply.headers)]
    response.raw_headers.append((HEADER.encode(), told.encode()))
    return response


def _bytes(header: str) -> bytes:
    """A header as the upstream sent it: aiohttp reads them so."""
    return header.encode("utf-8", "surrogateescape")


def _keys(calls: Iterable[ToolCall]) -> list[str]:
    return sorted(Step(call).key for call in calls)
