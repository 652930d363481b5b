"""A model that follows a script: it always does the right thing next. For benchmarks that measure prompts, and servers.

Leaves out language: what it does with a question is written down beforehand as a Course, so that tokens, calls and
context are those of a model that never errs. It understands DSPy's ChatAdapter and native tool calls.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from dspy import lm15

from router.types import NONE

GROWTH = Path(__file__).resolve().parents[2] / "assets" / "growth.jsonl"
_FIELD = re.compile(r"`\[\[ ## (\w+) ## \]\]`")
_GIVEN = re.compile(r"\[\[ ## (?P<name>\w+) ## \]\]\n(?P<value>.*?)(?=\n\n\[\[ ##|\n\nRespond with|\Z)", re.DOTALL)


@dataclass(frozen=True)
class CourseStep:
    """One tool call: ``input`` in words (for the chain) and the same as ``arguments``."""

    tool: str
    input: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Course:
    """What a model that never errs does with a question: its tool calls one after another, then its answer."""

    question: str
    steps: tuple[CourseStep, ...]
    answer: str


def read_courses(path: Path = GROWTH) -> list[Course]:
    """The courses of a JSONL file: question, steps (tool, input, arguments) and answer a line."""
    rows = map(json.loads, filter(str.strip, path.read_text(encoding="utf-8").splitlines()))
    return [Course(row["question"], tuple(CourseStep(**step) for step in row["steps"]), row["answer"]) for row in rows]


@dataclass(frozen=True)
class Said:
    """A reply: text, or a tool call."""

    text: str = ""
    call: CourseStep | None = None


def next_reply(
    course: Callable[[str], Course], messages: Sequence[tuple[str, str]], results: int, native: bool
) -> Said:
    """What to say next. ``messages``: (role, text), system left out; ``results``: tool results so far; ``native``: the
    request carries tool schemas."""
    if native:
        found = course(messages[0][1])
        return Said(call=found.steps[results]) if results < len(found.steps) else Said(found.answer)
    asked = messages[-1][1]
    wanted = [name for name in _FIELD.findall(asked) if name != "completed"]
    given = {match["name"]: match["value"].strip() for match in _GIVEN.finditer(asked)}
    if not wanted:
        return _plain(course, asked)
    found = course(given.get("question") or given.get("message", ""))
    done = _steps(given.get("steps", ""))
    values = {
        "tool": found.steps[len(done)].tool if len(done) < len(found.steps) else NONE,
        "input": found.steps[len(done)].input if len(done) < len(found.steps) else "",
        "finding": done[-1].split(": ", 1)[-1] if done else "",
        "done": str(len(done) >= len(found.steps)),
        "answer": found.answer,
        "userResponse": found.answer,
        "learningInstruction": "",
    }
    fields = "\n\n".join(f"[[ ## {name} ## ]]\n{values[name]}" for name in wanted)
    return Said(f"{fields}\n\n[[ ## completed ## ]]\n")


class ScriptedEngine:
    """The scripted model as an engine of ``dspy.LM``: it takes tools natively and follows DSPy signatures."""

    supports_function_calling = True
    supports_response_schema = False
    supports_reasoning = False
    supported_params = frozenset({"tools", "temperature", "max_tokens"})

    def __init__(self, course: Callable[[str], Course]) -> None:
        self._course = course
        self._ids = count(1)

    def complete(self, request: lm15.Request) -> lm15.Response:
        """The next reply of the course, at once. Tokens are left to the meter's tokenizer."""
        messages = [(m.role, "\n".join(getattr(p, "text", "") for p in m.parts)) for m in request.messages]
        results = sum(part.type == "tool_result" for m in request.messages for part in m.parts)
        said = next_reply(self._course, messages, results, bool(request.tools))
        content: Any = said.text
        if said.call:
            name = f"call_{next(self._ids)}"
            content = [lm15.ToolCallPart(id=name, name=said.call.tool, input=dict(said.call.arguments))]
        message = lm15.Message.assistant(content)
        reason = "tool_call" if said.call else "stop"
        return lm15.Response(id=None, model=request.model, message=message, finish_reason=reason, usage=lm15.Usage())

    def stream(self, request: lm15.Request) -> Iterator[lm15.StreamEvent]:
        """The same reply as events."""
        yield from lm15.response_to_events(self.complete(request))


def _plain(course: Callable[[str], Course], asked: str) -> Said:
    """The reply to a prompt of ``router.lms.prompts``: the arguments that are missing, or the answer."""
    question, _, rest = asked.partition("\n")
    found = course(question)
    missing = re.search(r"^Missing: (.*)$", rest, re.MULTILINE)
    if missing is None:
        return Said(found.answer)
    tool = rest.split("(", 1)[0]
    known: Mapping[str, Any] = next((step.arguments for step in found.steps if step.tool == tool), {})
    return Said(json.dumps({slot: known.get(slot, question) for slot in missing[1].split(", ")}))


def _steps(told: str) -> list[str]:
    """The steps that the chain tells: JSON, or a numbered list where DSPy wrote one."""
    try:
        return list(json.loads(told))
    except ValueError:
        return re.findall(r"^\[\d+\] [«\"]*(.*?)[»\"]*$", told, re.MULTILINE)
