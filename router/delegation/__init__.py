"""Self-delegation: a language model orders the visitor's browser to answer a phrase for it from now on.

The wire format is ``{"userResponse": ..., "learningInstruction": {"command": "LEARN_SIMPLE_PHRASE", "query": ...,
"response": ...}}``. Here a reply is read, the lesson in it is checked, and its outcome is put into the form that the
``answer`` event carries to ``assets/gatekeeper.js``, which checks once more before it learns. A lesson needs two keys:
the teacher calls the phrase simple, and the router calls it small talk. Leaves out asking a model (``teacher``) and
what a phrase is (``phrases``).
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from router.delegation import phrases
from router.tools import shorten
from router.types import SMALLTALK, Decision, Rule, ToolResult, Usage, to_json

COMMAND = "LEARN_SIMPLE_PHRASE"
EXPIRY_DAYS = 90
_DAY_MS = 86_400_000
_FIELDS = ("command", "query", "response")
_MAX_SHOWN = 1_000
"""Characters of each field of a refused instruction that travel on, so that a hostile one cannot fill the page."""

_FENCE = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)
_ANSWER = re.compile(r'"(?:userResponse|response)"\s*:\s*("(?:[^"\\]|\\.)*)("?)', re.DOTALL)
"""The first text for the user in broken JSON; a lesson, where there is one, has the same."""


class Said(NamedTuple):
    """A reply as it was read: what the user sees, the lesson in it if there is one, a note on what was ignored, and how
    the lesson was made, in words for the page."""

    answer: str
    instruction: Mapping[str, Any] | None = None
    note: str | None = None
    method: str = "written by the model"


@dataclass(frozen=True)
class LessonContext:
    """What a lesson is checked against.

    ``question`` is what the user typed; ``decision`` the router's, compared with ``threshold``; ``previous_turn`` what
    the assistant said before; ``subjects`` more words that belong to tools (the names of the user's own ones).
    """

    question: str
    decision: Decision | None
    threshold: float
    tool_results: tuple[ToolResult, ...] = ()
    previous_turn: str | None = None
    taught_by: str = "unknown"
    subjects: frozenset[str] = frozenset()
    clock_ms: Callable[[], int] = lambda: int(time.time() * 1000)


@dataclass(frozen=True)
class Refusal:
    """A lesson that is not learned, and why, in a sentence for a person."""

    reason: str


def parse_reply(text: str) -> Said:
    """Read a reply in the wire format. Never raises: whatever the model wrote, an answer reaches the user.

    A broken or foreign ``learningInstruction`` is dropped with a note. Text that is no JSON is the answer itself; of
    JSON that breaks off, the ``userResponse`` is saved, or the lesson's ``response`` where that comes first.
    """
    stripped = text.strip()
    fenced = _FENCE.match(stripped)
    body = fenced.group(1) if fenced else stripped
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        if not body.startswith("{"):
            return Said(stripped, None, "The reply is plain text, so it teaches nothing.")
        saved = _ANSWER.search(body)
        return Said(
            _saved(saved) if saved else stripped, None, "The reply is malformed JSON, so its lesson was ignored."
        )
    if not isinstance(value, dict):
        return Said(stripped, None, "The reply is no JSON object, so it teaches nothing.")
    instruction, note = parse_instruction(value.get("learningInstruction"))
    answer = value.get("userResponse")
    if isinstance(answer, str) and answer.strip():
        return Said(answer.strip(), instruction, note)
    if instruction is not None and isinstance(response := instruction.get("response"), str) and response.strip():
        return Said(response.strip(), instruction, "The reply has no userResponse; its lesson's response is shown.")
    return Said(stripped, None, "The reply has no userResponse, so it is shown as it came.")


def parse_instruction(value: Any) -> tuple[Mapping[str, Any] | None, str | None]:
    """A learning instruction as an object or as the JSON of one (a DSPy field), and a note where it was ignored."""
    if isinstance(value, str):
        if value.strip().lower() in ("", "none", "null", "n/a", "{}"):
            return None, None
        fenced = _FENCE.match(value.strip())
        try:
            value = json.loads(fenced.group(1) if fenced else value)
        except (ValueError, RecursionError):
            return None, "The learning instruction is malformed JSON and was ignored."
    if value is None or value == {}:
        return None, None
    if not isinstance(value, dict):
        return None, f"The learning instruction is a {type(value).__name__}, not an object, and was ignored."
    return value, None


def review(instruction: Any, context: LessonContext) -> Rule | Refusal:
    """The rule that ``instruction`` may become, or the first reason why it may not. Never raises."""
    reason = _fault_of_instruction(instruction) or _fault_of_phrase(instruction, context)
    if reason:
        return Refusal(reason)
    now = context.clock_ms()
    return Rule(
        phrase=instruction["query"].strip(),
        response=instruction["response"].strip(),
        taught_by=context.taught_by,
        learned_at=now,
        expires_at=now + EXPIRY_DAYS * _DAY_MS,
    )


def lesson_for_event(said: Said, context: LessonContext, usage: Usage) -> dict[str, Any] | None:
    """The ``lesson`` of an ``answer`` event: what ``Gatekeeper.learnLesson`` takes. None where nothing was taught.

    ``{"instruction", "accepted", "reason", "taught_by", "method", "usage", "id"}``; ``usage`` is what the phrase cost
    in this run, hence what each later hit saves; ``id`` is new each time, against replay.
    """
    if said.instruction is None and said.note is None:
        return None
    if said.instruction is None:
        outcome: Rule | Refusal = Refusal(said.note or "")
    else:
        outcome = review(said.instruction, context)
    return {
        "instruction": said.instruction and _presentable(said.instruction),
        "accepted": isinstance(outcome, Rule),
        "reason": outcome.reason if isinstance(outcome, Refusal) else "",
        "taught_by": context.taught_by,
        "method": said.method,
        "usage": to_json(usage),
        "id": uuid.uuid4().hex,
    }


def _fault_of_instruction(instruction: Any) -> str:
    """Why the instruction itself is unfit, or ""."""
    if not isinstance(instruction, Mapping):
        return "The lesson is no object."
    if odd := next((key for key in instruction if key not in _FIELDS), None):
        return f"The lesson has an unknown field {shorten(repr(odd), 60)}."
    if instruction.get("command") != COMMAND:
        return f"The command {shorten(repr(instruction.get('command')), 60)} is unknown; only {COMMAND} is obeyed."
    query = instruction.get("query")
    if not isinstance(query, str):
        return "The lesson names no phrase."
    if len(query) > phrases.MAX_TEXT:
        return f"The phrase has {len(query)} characters, more than {phrases.MAX_PHRASE}."
    return phrases.fault_of_form(phrases.normalise(query), query) or phrases.fault_of_response(
        instruction.get("response")
    )


def _fault_of_phrase(instruction: Mapping[str, Any], context: LessonContext) -> str:
    """Why this phrase is not to be learned here and now, or ""."""
    form = phrases.normalise(instruction["query"])
    typed = context.question
    if len(typed) > phrases.MAX_TEXT or form not in phrases.lookup_forms(phrases.normalise(typed)):
        return "The lesson is for another phrase than the visitor typed."
    if context.tool_results:
        return f"The tool {context.tool_results[0].call.tool} ran, so the answer is not always the same."
    if phrases.may_answer(form, context.previous_turn):
        return "The phrase may answer what the assistant asked or offered before."
    if reason := phrases.fault_of_meaning(form, context.subjects):
        return reason
    decision = context.decision
    if decision is None or decision.tool != SMALLTALK:
        return f"The router calls the phrase {decision.tool if decision else None!r}, not small talk."
    if decision.reason:
        return decision.reason
    if decision.abstained or decision.confidence < context.threshold:
        return f"The router is not sure that the phrase is small talk ({decision.confidence:.2f}, below {context.threshold:.2f})."
    return ""


def _presentable(instruction: Mapping[str, Any]) -> dict[str, Any]:
    """The instruction with its texts cut: whoever is refused for a megabyte must not send it to the page."""
    shown = {shorten(str(key), 80): value for key, value in list(instruction.items())[:10]}
    return {k: shorten(v if isinstance(v, str) else json.dumps(v, default=str), _MAX_SHOWN) for k, v in shown.items()}


def _saved(match: re.Match[str]) -> str:
    """The text of a ``userResponse`` in broken JSON, also of one that breaks off."""
    try:
        return str(json.loads(match.group(1) + '"')).strip() or match.group(1)[1:]
    except ValueError:
        return match.group(1)[1:].rstrip("\\")


__all__ = [
    "COMMAND",
    "EXPIRY_DAYS",
    "LessonContext",
    "Refusal",
    "Said",
    "lesson_for_event",
    "parse_instruction",
    "parse_reply",
    "review",
]
