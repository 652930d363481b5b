"""An LLM's verdict on answers that have no reference. Its calls and costs are kept apart from the paths' own.

Leaves out certainty: a verdict is an opinion of one model, and is shown as such.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from baselines.evaluate.runs import Judgement
from router.lms import ask_json, explain
from router.lms.prompts import Prompt
from router.trace import Trace
from router.types import RunResult

SYSTEM = (
    "You judge the answers of an assistant. An answer is right if it does what the user asked, agrees with the tool "
    "results shown, and invents nothing. Saying honestly that something cannot be done, when no tool result allows it, "
    "is right. "
    'Reply with JSON {"right": true} or {"right": false}.'
)
SCHEMA = {
    "type": "object",
    "properties": {"right": {"type": "boolean"}},
    "required": ["right"],
    "additionalProperties": False,
}


def prompt(result: RunResult) -> Prompt:
    """What the judge sees: the question, what the tools said, and the answer; not which path gave it."""
    tools = "\n".join(f"Tool {r.call.tool}: {r.text}" for r in result.tool_results) or "No tool was used."
    user = f"Question: {result.question}\n{tools}\nAnswer: {result.answer}"
    return Prompt("judge", ({"role": "system", "content": SYSTEM}, {"role": "user", "content": user}), SCHEMA)


def make_judge(lm: Any, name: str) -> Callable[[RunResult], Judgement]:
    """A judge that asks ``lm`` (called ``name`` in the rows) once an answer. A failure is a Judgement without a
    verdict."""

    def judge(result: RunResult) -> Judgement:
        trace = Trace("judge", result.question)
        try:
            right = bool(ask_json(lm, prompt(result), trace)["right"])
        except Exception as error:  # the run goes on: a missing verdict is no fault of the path
            return Judgement(None, trace.usage, name, explain(error))
        return Judgement(right, trace.usage, name)

    return judge
