"""Help for small models that were not trained on our prompts: worked examples, and tools chosen by likelihood.

Bound to a grammar alone, the embedded base model writes "calculator" for everything; with examples, and the likelihoods
of the tools' names compared, it is right about half of the time. Capable models, and the embedded one with its adapter,
need none of this. The examples are cut to the tools that are on offer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from router.builtin.solved import EXAMPLES, Solved
from router.lms import prompts
from router.lms.embedded import TEXT, Choice, grammar
from router.lms.prompts import ChainStep, Prompt
from router.types import NONE, ToolCall, ToolResult

_LESSONS = (
    ("cheers!", {"userResponse": "You're welcome!", "learningInstruction": ("cheers!", "You're welcome!")}),
    ("do you like chess?", {"userResponse": "I am a program, so I have no tastes, but many people love chess."}),
)


def with_examples(prompt: Prompt) -> Prompt:
    """``prompt`` with worked examples of its role between the system message and the question."""
    offered = _offered(prompt)
    solved = [e for e in EXAMPLES if e.tool == NONE or offered is None or e.tool in offered]
    system, *turns = prompt.messages
    return replace(prompt, messages=(system, *_turns(prompt.role, solved), *turns))


def choice(prompt: Prompt) -> Choice | None:
    """The beginnings of a reply between which a tool's name decides; None where ``prompt`` asks for no such name.

    A prompt that also takes text gets "none" among the names: choosing it means text.
    """
    schema = prompt.schema
    if schema is None:
        return None
    if prompt.role == "call":
        if any(m["content"].startswith("Result: ") for m in prompt.messages):
            return None  # a result is there: the model says by itself whether it wants another
        named = {s["properties"]["name"]["const"]: grammar(s) for s in schema["anyOf"]} | {NONE: TEXT}
        key = "name"
    elif prompt.role == "plan":
        names = schema["properties"]["tool"]["enum"]
        named = {n: grammar({**schema, "properties": {**schema["properties"], "tool": {"enum": [n]}}}) for n in names}
        key = "tool"
    else:
        return None
    asked = next(m["content"] for m in prompt.messages if m["role"] == "user").split("\n")
    nothing = {"role": "user", "content": "\n".join(["N/A", *asked[1:]])}
    neutral = Prompt(prompt.role, (prompt.messages[0], nothing), schema)
    starts = {f'{{"{key}": {json.dumps(name)},': rule for name, rule in named.items()}
    return Choice(starts, with_examples(neutral).messages)


def _offered(prompt: Prompt) -> set[str] | None:
    """Names of the tools that the prompt's reply may name; None where it names none."""
    schema = prompt.schema
    if schema is not None and prompt.role == "call":
        return {s["properties"]["name"]["const"] for s in schema["anyOf"]} or None
    if schema is not None and prompt.role == "plan":
        return set(schema["properties"]["tool"]["enum"]) - {NONE} or None
    return None


def _turns(role: str, solved: Sequence[Solved]) -> list[Mapping[str, str]]:
    """The examples as turns. Roles that share a slot of the cache get the same ones."""
    turns: list[Mapping[str, str]] = []
    if role == "teach":
        for phrase, reply in _LESSONS:
            turns += [*prompts.teach(phrase).messages[1:], _assistant(json.dumps(_lesson(reply), ensure_ascii=False))]
    elif role == "call":
        for e in solved:
            turns += [*prompts.call(e.question, {}, _results(e)).messages[1:], _assistant(e.answer)]
    elif role in ("write", "chat"):
        for e in solved:
            prompt = prompts.write(e.question, _results(e)) if e.result else prompts.chat(e.question)
            turns += [*prompt.messages[1:], _assistant(e.answer)]
    elif role in ("plan", "interpret", "conclude"):
        for e in solved:
            step = ChainStep(e.tool, e.input, e.result, finding=e.result, done=True)
            chain = prompts.conclude(e.question, {}, [step] if e.result else [])
            turns += [*chain.messages[1:], _assistant(e.answer)]
    return turns


def _results(solved: Solved) -> list[ToolResult]:
    if not solved.result:
        return []
    return [ToolResult(ToolCall(solved.tool, solved.arguments or {}), solved.result, None, 0.0)]


def _lesson(reply: Mapping[str, Any]) -> dict[str, Any]:
    if "learningInstruction" not in reply:
        return dict(reply)
    query, response = reply["learningInstruction"]
    instruction = {"command": "LEARN_SIMPLE_PHRASE", "query": query, "response": response}
    return {"learningInstruction": instruction, "userResponse": reply["userResponse"]}


def _assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}
