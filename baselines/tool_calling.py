"""ToolCalling: the loop that providers recommend, as a path of the race; k+1 calls for k tools one after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dspy

from router.lms import prompts
from router.lms.calling import MAX_ROUNDS, answer_with_tools
from router.lms.prompts import Prompt
from router.tools import Tool
from router.trace import Trace

PATH = "tool_calling"


@dataclass(frozen=True)
class CallingConfig:
    """``rounds``: rounds of tool calls after which the model must answer."""

    rounds: int = MAX_ROUNDS


class ToolCalling(dspy.Module):
    """Schemas in the request, tool calls in the reply, results back, until the model answers.

    Native where the LM supports it, emulated by a prompt where it does not: the ``lm`` events' role says which.
    ``forward(question)`` gives a Prediction with ``answer``, ``tool_results`` and ``usage``.
    """

    def __init__(self, tools: Mapping[str, Tool], config: CallingConfig = CallingConfig()) -> None:
        super().__init__()
        self.tools, self.config = dict(tools), config

    def beginnings(self) -> list[Prompt]:
        """How this path's prompts begin whatever is asked, one for each kind."""
        return [prompts.call(prompts.BLANK, self.tools)]

    def forward(self, question: str, trace: Trace | None = None) -> dspy.Prediction:
        """Answer ``question``. Events go to ``trace``, the last of them ``answer``.

        Raises dspy's LMError, MalformedReply, Cancelled.
        """
        trace = trace or Trace(PATH, question)
        trace.answer(answer_with_tools(dspy.settings.lm, question, self.tools, trace, self.config.rounds))
        run = trace.result()
        return dspy.Prediction(answer=run.answer, tool_results=run.tool_results, usage=run.usage)
