"""Every prompt of every path, one function a role, so that training and use of the embedded model cannot drift.

These are the prompts for models without native tool calling (the embedded one above all). A role's system message
never changes between questions, so that a prefix cache keeps it; what varies comes last. Capable models are asked
through DSPy signatures and provider tool calls instead.

    role       path          asks for                                      reply
    plan       llm_chain     the next tool and its input in words          JSON
    interpret  llm_chain     what the result says, and whether it is done  JSON
    conclude   llm_chain     the answer                                    text
    call       tool_calling  a tool call, or the answer (also the router's LLM choice when it abstains)  JSON or text
    write      router        the answer, from results                      text
    chat       router        the answer, no tool                           text
    teach      router        a small-talk reply, with a lesson if the phrase is simple   JSON
    fill       router        the arguments that the question's parser missed   JSON
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from router.tools import Tool
from router.types import NONE, ToolResult

ANSWER = (
    "Answer in one or two short sentences. Copy numbers and names exactly from the result. "
    "Without a result, say what you know, or that you do not know."
)
"""The same final-answer instruction on every path, whether a tool ran or not."""
MAX_REPLY = 160
"""Tokens that a reply may have."""
BLANK = "\ue000"
"""Stands for a question where only what comes before it counts. A character of private use: no question begins so."""


@dataclass(frozen=True)
class Prompt:
    """Messages in the chat format, and what the reply must look like.

    ``schema`` is the JSON schema of a JSON reply, None for plain text. ``or_text``: plain text is allowed too (text
    that does not begin with a brace).
    """

    role: str
    messages: tuple[Mapping[str, str], ...]
    schema: Mapping[str, Any] | None = None
    or_text: bool = False


@dataclass(frozen=True)
class ChainStep:
    """One finished turn of the chain: the plan, its result and, once made, its interpretation."""

    tool: str
    input: str
    result: str
    finding: str | None = None
    done: bool = False


def plan(question: str, tools: Mapping[str, Tool], steps: Sequence[ChainStep] = ()) -> Prompt:
    """The chain's plan. Reply: ``{"tool": name or "none", "input": words}``."""
    schema = _object(tool={"enum": [*tools, NONE]}, input={"type": "string", "maxLength": 200})
    return Prompt("plan", _chain(question, tools, steps), schema)


def interpret(question: str, tools: Mapping[str, Tool], steps: Sequence[ChainStep]) -> Prompt:
    """The chain's reading of its last result. Reply: ``{"finding": sentence, "done": whether it can answer now}``."""
    schema = _object(finding={"type": "string", "maxLength": 300}, done={"type": "boolean"})
    return Prompt("interpret", _chain(question, tools, steps), schema)


def conclude(question: str, tools: Mapping[str, Tool], steps: Sequence[ChainStep]) -> Prompt:
    """The chain's answer, after all it did."""
    messages = _chain(question, tools, steps)
    if not steps:
        messages += (_assistant(_json({"tool": NONE, "input": ""})),)
    elif not steps[-1].done:  # the step limit ended the loop
        messages = messages[:-1]
    return Prompt("conclude", (*messages, _user("Answer.")))


def call(question: str, tools: Mapping[str, Tool], results: Sequence[ToolResult] = ()) -> Prompt:
    """Tool calling. Reply: ``{"name": tool, "arguments": {...}}``, or the answer as text."""
    system = (
        'Call a tool with JSON {"name": ..., "arguments": {...}}, or answer without one. ' + ANSWER + "\nTools:\n"
    ) + "\n".join(f"{signature(t)}: {t.description}" for t in tools.values())
    messages = [_system(system), _user(question)]
    for result in results:
        arguments = _in_order(tools.get(result.call.tool), result.call.arguments)
        request = {"name": result.call.tool, "arguments": arguments}
        messages += [_assistant(_json(request)), _user(f"Result: {result.text}")]
    schema = {"anyOf": [_object(name={"const": t.name}, arguments=dict(t.schema)) for t in tools.values()]}
    return Prompt("call", tuple(messages), schema, or_text=True)


def _in_order(tool: Tool | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments in the order of the schema, which is the order that a grammar allows a model to write them in."""
    slots = tool.slots if tool else ()
    return {slot: arguments[slot] for slot in slots if slot in arguments} | dict(arguments)


def write(question: str, results: Sequence[ToolResult]) -> Prompt:
    """The router path's one call: the answer from what the tools gave (a result says by itself what it is a result of)."""
    lines = "\n".join(f"Result: {r.text}" for r in results)
    return Prompt("write", (_system(ANSWER), _user(f"{question}\n{lines}")))


def chat(question: str) -> Prompt:
    """The router path's one call where no tool serves."""
    return Prompt("chat", (_system(ANSWER), _user(question)))


def teach(phrase: str) -> Prompt:
    """The router path's one call for small talk. Reply: ``{"learningInstruction": {...}, "userResponse": ...}``, the
    first only where the phrase is so simple that a browser may answer it alone from now on. It comes first because a
    small model's verdict must be a choice of its own: after a reply it falls with the reply's words."""
    system = (
        'Reply to the message with JSON {"userResponse": ...}. If it is nothing but a greeting, thanks, a farewell or '
        'the like, put "learningInstruction": {"command": "LEARN_SIMPLE_PHRASE", "query": the message, "response": '
        "your reply} first."
    )
    text = {"type": "string", "maxLength": 200}
    instruction = _object(command={"const": "LEARN_SIMPLE_PHRASE"}, query=text, response=text)
    schema = {
        "type": "object",
        "properties": {"learningInstruction": instruction, "userResponse": text},
        "required": ["userResponse"],
        "additionalProperties": False,
    }
    return Prompt("teach", (_system(system), _user(phrase)), schema)


def fill(question: str, tool: Tool, known: Mapping[str, Any], missing: Sequence[str]) -> Prompt:
    """The slots that the local parser left open. Reply: a JSON object with just these."""
    schema = _object(**{slot: tool.slots[slot].schema for slot in missing})
    schema["required"] = [slot for slot in missing if tool.slots[slot].required]
    system = "Fill in the missing arguments of the tool call from the question. Reply with JSON."
    wanted = f"{signature(tool)}\nKnown: {_json(dict(known))}\nMissing: {', '.join(missing)}"
    return Prompt("fill", (_system(system), _user(f"{question}\n{wanted}")), schema)


def signature(tool: Tool) -> str:
    """A tool's schema in one line: ``clock(place: string, other?: string)``."""
    slots = (f"{slot.name}{'' if slot.required else '?'}: {_type(slot.schema)}" for slot in tool.slots.values())
    return f"{tool.name}({', '.join(slots)})"


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    kind = schema.get("type", "any")
    return "|".join(kind) if isinstance(kind, list) else kind


def _chain(question: str, tools: Mapping[str, Tool], steps: Sequence[ChainStep]) -> tuple[Mapping[str, str], ...]:
    """The chain's transcript so far: it grows with every call, as an agent's context does."""
    system = (
        "You answer with the help of tools, step by step.\n"
        'Plan: JSON {"tool": ..., "input": ...}. Interpret: JSON {"finding": ..., "done": ...}. '
        f"Answer: {ANSWER}\nTools:\n"
    ) + "\n".join([*(f"{t.name}: {t.description}" for t in tools.values()), f"{NONE}: no tool is needed"])
    messages = [_system(system), _user(f"{question}\nPlan.")]
    for step in steps:
        messages.append(_assistant(_json({"tool": step.tool, "input": step.input})))
        messages.append(_user(f"Result: {step.result}\nInterpret."))
        if step.finding is not None:
            messages.append(_assistant(_json({"finding": step.finding, "done": step.done})))
            if not step.done:
                messages.append(_user("Plan."))
    return tuple(messages)


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _system(text: str) -> dict[str, str]:
    return {"role": "system", "content": text}


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}
