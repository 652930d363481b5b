"""RouterPipeline: a small local network chooses the tool, a parser fills its arguments, one LLM call writes the answer.

Leaves out the choosing, parsing and chaining (``network``, ``arguments``, ``chains``). Where the router is not
sure, the LLM chooses with the tool-calling loop, and that is counted like any other call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import dspy

from router import prompts
from router.chains import Resolution, resolve
from router.delegation import LessonContext, Said, lesson_for_event, parse_instruction, parse_reply
from router.delegation.teacher import Teacher
from router.lms import ask, ask_json, capabilities, metered
from router.lms.calling import answer_with_tools, run_tool, tell
from router.prompts import Prompt
from router.tools import Tool
from router.trace import Trace
from router.types import SMALLTALK, Decision, ToolCall, ToolResult

PATH = "router"
ALWAYS_ABSTAIN = float("inf")
"""The threshold that lets the LLM choose every time; minus infinity never does."""


class Decides(Protocol):
    """What the pipeline needs of a router (``router.network.Router`` is one)."""

    threshold: float

    def decide(self, question: str) -> Decision: ...


@dataclass(frozen=True)
class PipelineConfig:
    """``direct``: a tool's output is the answer, without an LLM call. ``threshold``: instead of the router's own."""

    direct: bool = False
    threshold: float | None = None


class RouterPipeline(dspy.Module):
    """decide → arguments → tool (or a chain of tools) → one LLM call.

    ``forward(question)`` gives a Prediction with ``answer``, ``decision``, ``tool_results``, ``usage`` and ``lesson``.
    The LM is the one of the context (``dspy.context(lm=make_lm("embedded"))``).
    """

    def __init__(self, router: Decides, tools: Mapping[str, Tool], config: PipelineConfig = PipelineConfig()) -> None:
        super().__init__()
        self.router, self.tools, self.config = router, dict(tools), config

    def beginnings(self) -> list[Prompt]:
        """How this path's prompts begin whatever is asked, one for each kind."""
        kinds = [prompts.chat(prompts.BLANK), prompts.teach(prompts.BLANK), prompts.call(prompts.BLANK, self.tools)]
        return kinds + [prompts.fill(prompts.BLANK, tool, {}, ()) for tool in list(self.tools.values())[:1]]

    def forward(self, question: str, trace: Trace | None = None, previous_turn: str | None = None) -> dspy.Prediction:
        """Answer ``question``; ``previous_turn`` is what the assistant said before, which a lesson is checked against.

        Events go to ``trace``, the last of them ``answer``. Raises dspy's LMError, MalformedReply, Cancelled.
        """
        trace = trace or Trace(PATH, question)
        lm, lesson = dspy.settings.lm, None
        resolved = self._resolve(question, trace)
        if resolved.abstained:
            answer = answer_with_tools(lm, question, self.tools, trace)
        elif results := self._results(lm, question, resolved, trace):
            direct = self.config.direct and results[-1].output is not None
            answer = results[-1].text if direct else write(lm, question, results, trace)
        elif resolved.decision.tool == SMALLTALK:
            answer, lesson = self._small_talk(lm, resolved.decision, trace, previous_turn)
        else:
            answer = write(lm, question, [], trace)
        trace.answer(answer, lesson)
        run = trace.result()
        return dspy.Prediction(
            answer=answer, decision=run.decision, tool_results=run.tool_results, usage=run.usage, lesson=lesson
        )

    @property
    def threshold(self) -> float:
        return self.router.threshold if self.config.threshold is None else self.config.threshold

    def _resolve(self, question: str, trace: Trace) -> Resolution:
        """Decide, and run the tools that need no LLM; the ``route`` event says what came of it."""
        trace.check()
        started = trace.elapsed_s
        decision = self.router.decide(question)
        microseconds = (trace.elapsed_s - started) * 1e6
        if self.config.threshold is not None:
            decision = replace(decision, abstained=decision.confidence < self.threshold)
        if self.threshold == ALWAYS_ABSTAIN:
            resolved = Resolution((), decision, abstained=True, reason="The threshold leaves every question to the LLM.")
        else:
            resolved = resolve(question, self.router, self.tools, decision)
        trace.emit(
            "route",
            tool=decision.tool,
            confidence=decision.confidence,
            abstained=resolved.abstained,
            threshold=self.threshold,
            probabilities=dict(decision.probabilities),
            microseconds=microseconds,
            reason=resolved.reason,
        )
        return resolved

    def _results(self, lm: dspy.LM, question: str, resolved: Resolution, trace: Trace) -> list[ToolResult]:
        """The tools' results: those of ``resolved``, or of the one call whose open slots the LLM fills."""
        if resolved.pending is None:
            for result, sources in zip(resolved.steps, resolved.sources, strict=True):
                tell(trace, result, sources)
            return list(resolved.steps)
        tool, filled = self.tools[resolved.decision.tool], resolved.pending
        arguments = dict(filled.arguments)
        arguments |= ask_json(lm, prompts.fill(question, tool, arguments, filled.missing), trace)
        sources = {**filled.sources, **dict.fromkeys(filled.missing, "llm")}
        return [run_tool(trace, self.tools, ToolCall(tool.name, arguments), sources)]

    def _small_talk(
        self, lm: dspy.LM, decision: Decision, trace: Trace, previous_turn: str | None
    ) -> tuple[str, dict[str, Any] | None]:
        said = reply_and_teach(lm, trace.question, trace)
        context = LessonContext(
            question=trace.question,
            decision=decision,
            threshold=self.threshold,
            previous_turn=previous_turn,
            taught_by=lm.model,
            subjects=frozenset(self.tools),
        )
        return said.answer, lesson_for_event(said, context, trace.usage)


class WriteAnswer(dspy.Signature):
    __doc__ = prompts.ANSWER
    question: str = dspy.InputField()
    results: list[str] = dspy.InputField(desc="what the tools gave")
    answer: str = dspy.OutputField()


class ReplyAndTeach(dspy.Signature):
    """Reply to the message. If it is nothing but a greeting, thanks, a farewell or the like, order the user's browser to
    answer this very message by itself from now on."""

    message: str = dspy.InputField()
    userResponse: str = dspy.OutputField(desc="one short sentence")
    learningInstruction: str = dspy.OutputField(
        desc='{"command": "LEARN_SIMPLE_PHRASE", "query": the message, "response": the reply}, or empty'
    )


def write(lm: dspy.LM, question: str, results: list[ToolResult], trace: Trace) -> str:
    """The router path's one call: the answer from ``results``, or without one."""
    if not capabilities(lm).signatures:
        prompt = prompts.write(question, results) if results else prompts.chat(question)
        return ask(lm, prompt, trace, stream=True)
    with metered(lm, trace, "write" if results else "chat", stream="answer"):
        return dspy.Predict(WriteAnswer)(question=question, results=[r.text for r in results]).answer.strip()


def reply_and_teach(lm: dspy.LM, message: str, trace: Trace) -> Said:
    """The router path's one call for small talk: the reply, and a lesson where the model gives one."""
    able = capabilities(lm)
    if not able.teaches:
        said = Teacher(lm).say(message, trace)
    elif not able.signatures:
        said = parse_reply(ask(lm, prompts.teach(message), trace))
    else:
        with metered(lm, trace, "teach"):
            reply = dspy.Predict(ReplyAndTeach)(message=message)
        instruction, note = parse_instruction(reply.learningInstruction)
        said = Said(reply.userResponse.strip(), instruction, note)
    trace.emit("token", step=trace.events[-1].data["step"], text=said.answer)
    return said
