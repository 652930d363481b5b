"""Chat logs: messages as OpenAI's API has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from router.learning.logs.values import Labelled, Unfit, as_object, read_arguments, read_question, read_tool, show


def label_chat(row: Mapping[str, Any], line: int, source: str) -> Iterator[Labelled]:
    """Each user message that was replied to, with the tools called until the next one; none where text answers it."""
    messages = row["messages"]
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise Unfit("messages is not a list of objects. Give role and content for each.")
    turns: list[tuple[Any, list[Mapping[str, Any]]]] = []
    for message in messages:
        if message.get("role") == "user":
            turns.append((_content(message.get("content")), []))
        elif message.get("role") == "assistant" and turns:
            turns[-1][1].append(message)
    if not any(replies for _, replies in turns):
        raise Unfit("no assistant message follows a user message, so nothing was chosen.")
    for text, replies in turns:
        if replies:
            calls = [call for reply in replies for call in _calls(reply)]
            tools = tuple(dict.fromkeys(tool for tool, _ in calls))
            yield Labelled(line, read_question(text), tools, calls[0][1] if calls else None, source)


def _calls(message: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """(tool, arguments) of each call in an assistant's message."""
    calls = message.get("tool_calls") or (
        [{"function": message["function_call"]}] if message.get("function_call") else []
    )
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise Unfit(f"tool call {show(calls)} has no function. Give function.name and function.arguments.")
        arguments = function.get("arguments")
        yield (
            read_tool(function.get("name")),
            read_arguments(arguments) if isinstance(arguments, str) else as_object(arguments),
        )


def _content(content: Any) -> Any:
    """A message's text, also where it stands in parts."""
    if isinstance(content, list):
        return " ".join(p["text"] for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return content
