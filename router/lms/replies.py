"""What a model's reply is: its answer apart from its thoughts, and whether it is one at all.

A model that thinks aloud does so in a field of its own (``reasoning_content``), which the provider's dialect reads, or
in its text, between ``<think>`` and ``</think>``, which is read here, piece by piece as it streams. Leaves out what a
reply says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from dspy import lm15

from router.lms.errors import NoAnswer

REMEDY = "Try again or choose another model."
TAGS = ("think", "thinking", "thought", "reasoning")
_OPENING = re.compile(rf"<({'|'.join(TAGS)})>", re.IGNORECASE)
_CLOSING = re.compile(rf"</(?:{'|'.join(TAGS)})>", re.IGNORECASE)
_MARKS = tuple(f"<{slash}{tag}>" for slash in ("", "/") for tag in TAGS)


def thoughts_apart(events: Iterator[lm15.StreamEvent]) -> Iterator[lm15.StreamEvent]:
    """``events`` with the thoughts in their text as thinking, not text. The marks go, also where they are split."""
    apart, last = _Thoughts(), None
    for event in events:
        if event.type == "delta" and event.delta.type == "text":
            last = event
            yield from (_delta(event, text, thought) for text, thought in apart.feed(event.delta.text or ""))
            continue
        if event.type == "end" and last is not None:
            yield from (_delta(last, text, thought) for text, thought in apart.rest())
        yield event


def settled(response: lm15.Response) -> lm15.Response:
    """``response`` with its JSON as text, which the prompts ask for, and with the text before a closing mark that no
    opening one announced as a thought."""
    parts: list[lm15.Part] = []
    for part in response.message.parts:
        if part.type == "data":
            part = lm15.TextPart(text=json.dumps(part.value, ensure_ascii=False))
        if part.type == "text" and _CLOSING.search(part.text):
            *thoughts, answer = _CLOSING.split(part.text)
            parts += [lm15.ThinkingPart(text="".join(thoughts)), lm15.TextPart(text=answer.lstrip())]
        else:
            parts.append(part)
    return replace(response, message=replace(response.message, parts=tuple(parts)))


def text_of(response: lm15.Response) -> str:
    """What a reply says, beside its calls and thoughts."""
    return "".join(part.text for part in response.message.parts if part.type == "text")


def thoughts_of(response: lm15.Response) -> str:
    """What a reply's model thought, as far as it says; empty where it does not."""
    return "".join(part.text or "" for part in response.message.parts if part.type == "thinking").strip()


def written(response: lm15.Response) -> str:
    """The text of a reply, and its tool calls as JSON."""
    calls = [json.dumps({"name": c.name, "arguments": c.input}, ensure_ascii=False) for c in response.tool_calls]
    return "\n".join([*([text_of(response)] if text_of(response) else []), *calls])


def fault_of(response: lm15.Response, request: lm15.Request) -> str:
    """Why a reply to ``request`` is no answer and no call, as a sentence for a person; empty where it is one."""
    nothing = not text_of(response).strip() and not (response.tool_calls and request.tools)
    limit, thought = request.config.max_tokens, bool(thoughts_of(response))
    if response.finish_reason == "content_filter":
        return "The provider's filter withheld the reply (content_filter). Rephrase the question."
    if response.finish_reason == "length":
        at = f" at {limit:,} tokens" if limit else ""
        thoughts = ", before the model had done thinking" if nothing and thought else ""
        return f"The reply was cut off{at} (length){thoughts}. Ask for less, or choose another model."
    if nothing and response.tool_calls:
        return f"The reply is a tool call where an answer was asked for. {REMEDY}"
    if nothing and thought:
        return f"The reply is nothing but thoughts, without an answer. {REMEDY}"
    return f"The reply is empty. {REMEDY}" if nothing else ""


def answered(text: str) -> str:
    """``text`` without the space around it. Raises NoAnswer where nothing is left: a field of a reply may be empty."""
    if not text.strip():
        raise NoAnswer(f"The reply is empty. {REMEDY}")
    return text.strip()


class _Thoughts:
    """Tells thoughts from text while they stream: keeps back what may be the beginning of a mark."""

    def __init__(self) -> None:
        self._pending, self._inside, self._spoken = "", False, False

    def feed(self, piece: str) -> Iterator[tuple[str, bool]]:
        """(text, whether it is thought) of what is certain after one more piece."""
        self._pending += piece
        while found := (_CLOSING if self._inside else _OPENING).search(self._pending):
            yield from self._tell(self._pending[: found.start()])
            self._pending, self._inside = self._pending[found.end() :], not self._inside
        kept = _beginning_of_a_mark(self._pending)
        certain, self._pending = self._pending[: len(self._pending) - kept], self._pending[len(self._pending) - kept :]
        yield from self._tell(certain)

    def rest(self) -> Iterator[tuple[str, bool]]:
        yield from self._tell(self._pending)
        self._pending = ""

    def _tell(self, text: str) -> Iterator[tuple[str, bool]]:
        if not self._inside and not self._spoken:
            text = text.lstrip()  # the line ends between thoughts and answer belong to neither
        self._spoken = self._spoken or (bool(text) and not self._inside)
        if text:
            yield text, self._inside


def _delta(event: lm15.StreamDeltaEvent, text: str, thought: bool) -> lm15.StreamDeltaEvent:
    if thought:
        return replace(event, delta=lm15.ThinkingDelta(text=text, part_index=event.delta.part_index))
    return replace(event, delta=replace(event.delta, text=text))


def _beginning_of_a_mark(text: str) -> int:
    """Length of the longest end of ``text`` that begins a mark."""
    tail = text[text.rfind("<") :].lower() if "<" in text else ""
    return len(tail) if tail and any(mark.startswith(tail) for mark in _MARKS) else 0
