"""Server-sent events: written, and read from pieces that may be cut anywhere."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any

MOST_HEARD = 8_000_000
"""Bytes of one reply that are read along; a longer one passes through unheard."""


def event(data: Any, name: str | None = None) -> bytes:
    """One event with ``data`` as JSON; a string stands as it is."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {text}\n\n".encode()


class Unpacked:
    """The bytes of a reply as they were before ``encoding`` (gzip, deflate or none), kept up to MOST_HEARD."""

    def __init__(self, encoding: str = "") -> None:
        self._unzip = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in ("gzip", "deflate", "x-gzip") else None
        self._readable = self._unzip is not None or encoding in ("", "identity")
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
