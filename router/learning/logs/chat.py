"""Rows that hold a conversation: a list of messages, or what was sent to a model beside what it replied.

Chat logs, requests with their responses (OpenAI's chat and Responses APIs, Anthropic, Gemini), generations of
LangChain, entries of DSPy's history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from router.learning.logs.conversation import Bad, Item, Reply, User, label_turns
from router.learning.logs.messages import is_conversation, is_message, is_pair, items_of, items_of_message
from router.learning.logs.table import QUESTION_COLUMNS
from router.learning.logs.values import Labelled, Problem, Unfit, first_of, show
from router.learning.logs.written import read_json, written_calls

CONVERSATIONS = ("messages", "conversations", "conversation", "contents")
SENT = ("request", "body", "inputs", "input", "prompt")
REPLIED = ("response", "outputs", "output", "completion", "choices", "candidates", "generations", "message")


def asked(inputs: Mapping[str, Any]) -> list[User]:
    """The last question of what was sent to a model; empty where there is none."""
    return [item for item in _sent(inputs) if isinstance(item, User)][-1:]


def holds_chat(row: Mapping[str, Any]) -> bool:
    """Whether a row is a conversation, or has one beside its reply."""
    return any(name in row for name in CONVERSATIONS) or any(
        isinstance(row.get(name), Mapping | list) for name in (*SENT, *REPLIED)
    )


def written_call(row: Mapping[str, Any]) -> list[Item] | None:
    """A question and its reply, both plain text, where the text holds a call; None where it does not."""
    sent, replied = first_of(row, QUESTION_COLUMNS), first_of(row, REPLIED)
    if isinstance(sent, str) and isinstance(replied, str) and written_calls(replied):
        return [User(sent), Reply(replied)]
    return None


def label_chat(row: Mapping[str, Any], line: int, source: str) -> Iterator[Labelled | Problem]:
    """Each question of a row's conversation. Raises Unfit where nobody asks, or nothing replies."""
    if "outputs" in row and ("messages" in row or isinstance(row.get("prompt"), str)):
        yield from label_turns(_history(row), line, source)
    else:
        yield from label_turns([*_sent(row), *_replied(row)], line, source)


def _history(entry: Mapping[str, Any]) -> list[Item]:
    """An entry of DSPy's history: one question and its reply; messages before these are worked examples."""
    outputs = entry["outputs"]
    first = outputs[0] if isinstance(outputs, list) and outputs else outputs
    items = list(_sent(entry))
    last = max((i for i, item in enumerate(items) if isinstance(item, User)), default=0)
    return [*(User(i.text) if isinstance(i, User) else i for i in items[last:]), *_said(first)]


def _sent(row: Mapping[str, Any]) -> Iterator[Item]:
    """What went to the model, a person's words alone too."""
    for name in CONVERSATIONS:
        if name in row:
            yield from _conversation(row[name], name)
            return
    for name in SENT:
        value = row.get(name)
        if isinstance(value, str):
            yield User(value, bare=True)
            return
        if isinstance(value, list):
            yield from _conversation(value, name)
            return
        if isinstance(value, Mapping):
            yield from items_of_message(value) if is_message(value) else _sent(value)
            return
    if (text := first_of(row, QUESTION_COLUMNS)) is not None:
        yield User(text, bare=True)


def _conversation(value: Any, name: str) -> Iterator[Item]:
    if isinstance(value, str):
        value = read_json(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list) and not is_pair(value[0]):
        value = value[0]  # LangChain batches
    if not isinstance(value, list) or not value:
        raise Unfit(f"{name} is {show(value)} and not a list of messages. Give role and content for each.")
    yield from items_of(value)


def _replied(row: Mapping[str, Any]) -> Iterator[Item]:
    """What came back: the first place that holds something."""
    for name in REPLIED:
        if row.get(name) is not None:
            yield from _said(row[name])
            return


def _said(value: Any) -> Iterator[Item]:
    """A reply in whatever wrapping: the first of several candidates."""
    while isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, str):
        yield Reply(value, bare=True)
    elif isinstance(value, list) and is_conversation(value):
        yield from items_of(value)
    elif isinstance(value, list) and value and _wraps(value[0]):
        yield from _said(value[0])
    elif isinstance(value, list):
        yield from items_of_message({"role": "assistant", "content": value})
    elif isinstance(value, Mapping) and is_message(value):
        yield from items_of_message(value)
    elif isinstance(value, Mapping):
        yield from _unwrapped(value)
    else:
        yield Bad(f"the reply is {show(value)}. Give text or calls.")


def _unwrapped(value: Mapping[str, Any]) -> Iterator[Item]:
    content = value.get("content")
    for inner in (*(value.get(name) for name in (*CONVERSATIONS, *REPLIED, "body")), content):
        if inner is not None and (inner is not content or isinstance(inner, Mapping)):
            yield from _said(inner)
            return
    if any(name in value for name in ("content", "parts", "text", "tool_calls", "function_call")):
        yield from items_of_message({**value, "role": "assistant"})
    else:
        yield Bad(f"the reply {show(value)} is of an unknown form. Give text or calls.")


def _wraps(value: Any) -> bool:
    """Whether ``value`` is one of several candidates and not a part of a reply."""
    if not isinstance(value, Mapping):
        return False
    part = isinstance(value.get("type"), str) and "message" not in value
    return not part and any(name in value for name in ("message", "content", "tool_calls"))
