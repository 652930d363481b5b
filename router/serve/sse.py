"""Server-sent events: written, and read from pieces that may be cut anywhere. Replies, heard while they pass."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from router.serve.wire import Said
from router.types import ToolCall, Usage

MOST_HEARD = 8_000_000
"""Bytes of one reply that are read along; a longer one passes through unheard."""
READABLE = ("gzip", "x-gzip", "deflate", "identity")
"""Encodings of a reply that are read."""


def event(data: Any, name: str | None = None) -> bytes:
    """One event with ``data`` as JSON; a string stands as it is."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {text}\n\n".encode()


def readable(accepted: str) -> str:
    """Of the encodings that a client accepts, those in READABLE; "identity" where there is none."""
    kept = [one.strip() for one in accepted.split(",") if one.split(";")[0].strip().lower() in READABLE]
    return ", ".join(kept) or "identity"


class Unpacked:
    """The bytes of a reply as they were before ``encoding`` (one of READABLE, or none), kept up to MOST_HEARD."""

    def __init__(self, encoding: str = "") -> None:
        self._readable = encoding in ("", *READABLE)
        packed = self._readable and encoding not in ("", "identity")
        self._unzip = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None
        self._kept = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take the next piece. Never raises."""
        if not self._readable:
            return
        try:
            self._kept += self._unzip.decompress(piece, MOST_HEARD) if self._unzip else piece
        except zlib.error:
            self._readable = False
        if len(self._kept) > MOST_HEARD or (self._unzip and self._unzip.unconsumed_tail):
            self._readable = False
        if not self._readable:
            self._kept.clear()

    @property
    def whole(self) -> bytes | None:
        """All bytes so far; None where they cannot be read."""
        return bytes(self._kept) if self._readable else None

    def events(self) -> Iterator[Any]:
        """The JSON of each event so far. Raises ValueError where one is none."""
        for line in (self.whole or b"").splitlines():
            if line.startswith(b"data:") and (data := line[5:].strip()) != b"[DONE]":
                yield json.loads(data)


class Listener(Unpacked):
    """A reply in one wire format, a document or, where ``streamed``, events. A format says where in it what stands."""

    def __init__(self, streamed: bool, encoding: str) -> None:
        super().__init__(encoding)
        self._streamed = streamed

    def said(self) -> Said | None:
        """The turn; None where it is no whole one, or cannot be read."""
        try:
            told = list(self.events()) if self._streamed else [json.loads(self.whole or b"")]
            calls = self.streamed_calls(told) if self._streamed else self.calls(told[0])
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
            return None
        if calls is None:
            return None
        try:
            tokens = [int(count or 0) for count in self.tokens(told)]
        except (ValueError, TypeError, AttributeError):
            tokens = []
        return Said(tuple(calls), Usage(1, *tokens))

    def calls(self, told: Any) -> list[ToolCall]:
        """The calls of a document. Raises what reading JSON of another form raises."""
        raise NotImplementedError

    def streamed_calls(self, told: Sequence[Any]) -> list[ToolCall] | None:
        """The calls of events; None where the last one is missing."""
        raise NotImplementedError

    def tokens(self, told: Sequence[Mapping[str, Any]]) -> tuple[Any, Any]:
        """Input and output tokens, as the reply has them."""
        raise NotImplementedError
