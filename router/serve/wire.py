"""What a request asks, whatever its wire format, and what a wire format has to tell of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from router.tools import ToolSet
from router.types import ToolCall, Usage


class Forwarded(Exception):
    """A request that is the upstream's alone. The message is the reason, a few words without any of the request's."""


@dataclass(frozen=True)
class Asked:
    """A request whose next turn may be a tool call of ours.

    ``history``: the turns before the question, as chat messages of text. ``tools``: those on offer. ``allowed``: the
    names that may be called. ``several``: whether one turn may hold several calls. ``usage_told``: whether a stream
    ends with a chunk of usage.
    """

    question: str
    history: tuple[Mapping[str, str], ...]
    tools: ToolSet
    allowed: frozenset[str]
    model: str
    streamed: bool
    several: bool = True
    usage_told: bool = False


@dataclass(frozen=True)
class Said:
    """A turn of the upstream: its tool calls, none where it is text, and what it says that it cost, as one call; no
    tokens where it does not say."""

    calls: tuple[ToolCall, ...]
    usage: Usage = Usage(1)


class Heard(Protocol):
    """A reply of the upstream, heard piece by piece while it passes through."""

    def feed(self, piece: bytes) -> None: ...

    def said(self) -> Said | None:
        """The turn; None where it is no whole one, or cannot be read."""


class Wire(Protocol):
    """One wire format. ``path`` is the endpoint's below the base URL."""

    path: str

    def read(self, body: Mapping[str, Any], tools: Tools) -> Asked:
        """What ``body`` asks. Raises Forwarded where the next turn is not ours to write."""

    def reply(self, asked: Asked, calls: Sequence[ToolCall]) -> dict[str, Any]:
        """The turn that makes ``calls``, as the provider would send it; it cost no token."""

    def stream(self, asked: Asked, calls: Sequence[ToolCall]) -> Iterator[bytes]:
        """The same turn as server-sent events."""

    def heard(self, streamed: bool, encoding: str) -> Heard: ...

    def fault(self, status: int, message: str) -> dict[str, Any]:
        """The body of an error in the provider's form."""


class Tools(Protocol):
    """Reads a request's list of tools. Raises Forwarded where it holds one that is no function."""

    def __call__(self, listed: Any) -> ToolSet: ...


def text_of(content: Any) -> str | None:
    """The text of a message's content; None where it has another part than text (an image, a file, audio)."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        return None
    texts = [part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
    return "\n".join(texts) if len(texts) == len(content) and all(isinstance(t, str) for t in texts) else None


def one_tool(body: bytes, tool: str) -> bytes:
    """A request with the one of its tools that is called ``tool``; all else as it was, in its order."""
    request = json.loads(body)
    request["tools"] = [one for one in request["tools"] if one.get("function", one).get("name") == tool]
    return json.dumps(request, separators=(",", ":")).encode()


SPEAKERS = ("user", "assistant")


def turns(messages: Any) -> tuple[str, tuple[dict[str, str], ...]]:
    """The question, which is the last turn, and the text of the turns before it."""
    if not isinstance(messages, list) or not messages or not all(isinstance(m, Mapping) for m in messages):
        raise Forwarded("no messages")
    *before, last = messages
    if last.get("role") != "user":
        raise Forwarded("the last turn is not the user's")
    question = text_of(last.get("content"))
    if not question or not question.strip():
        raise Forwarded("the last turn is more than text" if question is None else "the last turn is empty")
    said = [(m.get("role"), text_of(m.get("content"))) for m in before]
    return question, tuple({"role": role, "content": text} for role, text in said if role in SPEAKERS and text)
