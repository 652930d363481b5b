"""Messages and items of language models' APIs, as what was asked, called and said.

Chat messages of OpenAI (``tool_calls``, ``function_call``), Anthropic (content blocks) and Gemini (``parts``), items of
OpenAI's Responses, messages of LangChain (plain or serialised) and of ShareGPT. Of a reply nothing is passed over: what
is not known is Bad.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from router.learning.logs.conversation import Bad, Call, Item, Reply, User
from router.learning.logs.values import show
from router.learning.logs.written import call_of, is_result, read_fields

USERS = ("user", "human", "humanmessage", "humanmessagechunk")
MODELS = (
    "assistant",
    "ai",
    "aimessage",
    "aimessagechunk",
    "model",
    "gpt",
    "chatgpt",
    "llm",
    "bot",
    "chatbot",
    "function_call",
    "tool_call",
)
OTHERS = (
    "system", "developer", "systemmessage", "tool", "function", "toolmessage", "functionmessage", "ipython",
    "observation", "tool_response", "tool_result", "function_response", "tool_output", "remove",
)  # fmt: skip
"""Who neither asks nor chooses: instructions, and what tools gave."""
ROLES = (*USERS, *MODELS, *OTHERS)
TEXTS = ("text", "input_text", "output_text")
SILENT = ("thinking", "redacted_thinking", "reasoning", "reasoning_content", "thought", "step-start", "step-finish",
          "item_reference", "mcp_list_tools", "compaction")  # fmt: skip
"""Parts and items that choose nothing."""
CALLS = (
    "tool_use",
    "tool_call",
    "tool-call",
    "tool-invocation",
    "function_call",
    "custom_tool_call",
    "mcp_approval_request",
)
RESULTS = ("tool_result", "tool-result", "_output", "function_response", "mcp_approval_response")
KEYED = {"functionCall": "function_call", "toolUse": "tool_use", "functionResponse": "tool_result",
         "toolResult": "tool_result", "reasoningContent": "reasoning"}  # fmt: skip
"""Parts that are named by a key and not by a type."""
QUESTION_FIELDS = ("question", "query", "user_request", "input", "message")
"""Fields of a DSPy signature that hold what was asked, the first that is there."""


def is_message(value: Any) -> bool:
    """Whether ``value`` is a message of a chat, or an item of OpenAI's Responses."""
    return isinstance(value, Mapping) and (_role(value) is not None or _is_item(value))


def is_conversation(value: Any) -> bool:
    """Whether ``value`` is a list of messages."""
    return isinstance(value, list) and bool(value) and all(map(is_message, value))


def is_pair(value: Any) -> bool:
    """Whether ``value`` is a role and a text, as LangChain writes messages in short."""
    return isinstance(value, list) and len(value) == 2 and str(value[0]).lower() in ROLES and isinstance(value[1], str)


def items_of(messages: list[Any]) -> Iterator[Item]:
    """What was asked, called and said in a list of messages or items."""
    for message in messages:
        if isinstance(message, str):
            yield Bad(f"message {show(message)} does not say whose it is. Give role and content.")
        elif is_pair(message):
            yield from items_of_message({"role": message[0], "content": message[1]})
        elif not isinstance(message, Mapping):
            yield Bad(f"message {show(message)} is not an object. Give role and content.")
        else:
            yield from items_of_message(message)


def items_of_message(message: Mapping[str, Any]) -> Iterator[Item]:
    """The same of one."""
    role, message = _role(message), _body(message)
    content = message.get("content", message.get("parts", message.get("value", message.get("text"))))
    if role is None and _is_item(message):
        yield from _part(message, message.get("type"))
    elif role in USERS:
        text = _text(content)
        if not _only_results(content) and not is_result(text):
            yield from _asked(text)
    elif role in MODELS:
        yield from _reply(message, content)
    elif role not in OTHERS:
        yield Bad(f"nobody knows who {show(role)} is. Give each message the role user, assistant, system or tool.")


def _reply(message: Mapping[str, Any], content: Any) -> Iterator[Item]:
    """What a model's message says and calls."""
    parts = [item for part in (content if isinstance(content, list) else [content]) for item in _part(part)]
    calls = list(_calls(message))
    if calls:  # LangChain gives them a second time, as parts
        parts = [item for item in parts if not isinstance(item, Call)]
    yield from [*calls, *parts] or [Reply("")]
    for call in message.get("invalid_tool_calls") or ():
        yield Bad(f"tool call {show(call)} is invalid, as its log says itself. Mend or remove it.")
    if message.get("refusal"):
        yield Bad("the model refused to reply, so the turn shows no choice. Remove it.")


def _calls(message: Mapping[str, Any]) -> Iterator[Item]:
    """The calls in a message's own fields, from the first of them that has any."""
    more = message.get("additional_kwargs")
    for fields in (message, more if isinstance(more, Mapping) else {}):
        for name in ("tool_calls", "function_call", "toolInvocations", "tool_call"):
            if calls := fields.get(name):
                yield from map(_call, calls if isinstance(calls, list) else [calls])
                return


def _call(value: Any) -> Item:
    call = call_of(value)
    if call is None:
        return Bad(f"tool call {show(value)} has no function. Give function.name and function.arguments.")
    return Call(*call)


def _part(part: Any, kind: Any = None) -> Iterator[Item]:
    """One part of a model's message, or one item of a reply."""
    if part is None or isinstance(part, str):
        yield from [Reply(part)] if part else []
        return
    if not isinstance(part, Mapping):
        yield Bad(f"part {show(part)} of the reply is no text and no object. Give text or a call.")
        return
    kind = kind or _kind(part)
    if kind in TEXTS:
        yield from [] if part.get("thought") else [Reply(str(part.get("text") or ""))]
    elif kind == "message":
        yield from _reply(part, part.get("content"))
    elif kind in SILENT or _ends(kind, RESULTS):
        return
    elif _ends(kind, CALLS):
        yield _call(part)
    elif kind.startswith("tool-"):
        yield Call(kind.removeprefix("tool-"), part.get("input", part.get("args")))
    elif kind.endswith("_call"):  # a tool that the provider runs, such as web_search_call
        yield Call(part.get("name") or kind.removesuffix("_call"), part.get("arguments"))
    else:
        yield Bad(f"the reply has a part of the unknown type {show(kind)}. Give text or a call.")


def _kind(part: Mapping[str, Any]) -> str:
    keyed = next((kind for key, kind in KEYED.items() if key in part), None)
    kind = part.get("type")
    return keyed or (kind if isinstance(kind, str) else "text" if isinstance(part.get("text"), str) else "unknown")


def _ends(kind: str, endings: tuple[str, ...]) -> bool:
    return kind.endswith(endings)


def _is_item(value: Mapping[str, Any]) -> bool:
    kind = value.get("type")
    return isinstance(kind, str) and (kind in SILENT[3:] or kind.endswith(("_call", "_call_output")))


def _role(message: Mapping[str, Any]) -> str | None:
    """Who speaks, in small letters; None where the message does not say."""
    kind = message.get("type")
    if isinstance(message.get("kwargs"), Mapping) and isinstance(message.get("id"), list) and message["id"]:
        return str(message["id"][-1]).lower()  # LangChain's serialised form
    for name in ("role", "from"):
        if isinstance(message.get(name), str):
            return message[name].lower()
    if (
        isinstance(kind, str)
        and kind.lower() in ROLES
        and ("content" in message or isinstance(message.get("data"), Mapping))
    ):
        return kind.lower()
    return None


def _body(message: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("kwargs", "data"):
        if isinstance(message.get(name), Mapping) and "content" not in message:
            return message[name]
    return message


def _text(content: Any) -> Any:
    """A person's words, also where they stand in parts."""
    if isinstance(content, Mapping):
        content = [content]
    if isinstance(content, list):
        texts = [
            part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | Mapping)
        ]
        return " ".join(text for text in texts if isinstance(text, str))
    return content


def _only_results(content: Any) -> bool:
    """Whether a message in a user's place only brings what tools gave, as Anthropic's API has it."""
    parts = content if isinstance(content, list) else [content]
    return bool(parts) and all(isinstance(part, Mapping) and _ends(_kind(part), RESULTS) for part in parts)


def _asked(text: Any) -> Iterator[Item]:
    """The question in a person's text; where that is in DSPy's form, with the calls of ReAct's trajectory so far."""
    fields = read_fields(text) if isinstance(text, str) else None
    name = next((name for name in QUESTION_FIELDS if name in fields), None) if fields else None
    if not fields or not name:
        yield User(text)
        return
    yield User(fields[name])
    for number in range(len(fields)):
        if tool := fields.get(f"tool_name_{number}"):
            yield Call(tool, fields.get(f"tool_args_{number}"))
