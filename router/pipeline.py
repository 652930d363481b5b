"""RouterPipeline: a plan made without a language model, its tools run, and one LLM call that writes the answer.

Leaves out planning (``plans``). Where the plan hands over, the LLM chooses with the tool-calling loop, and that is
counted like any other call. With a ``Handover`` no plan is made: calls that it has proven are made, the LLM makes all
others, and both are noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dspy
from dspy import lm15

from router.delegation import LessonContext, Said, lesson_for_event, parse_instruction, parse_reply
from router.delegation.teacher import Teacher
from router.handover.desk import REASONS, Opinion
from router.handover.handover import Handover, one_call
from router.handover.journal import JournalRow
from router.lms import MalformedReply, answered, ask, ask_json, capabilities, metered, prompts
from router.lms.calling import answer_with_tools, first_call, handed_back, run_tool, tell
from router.lms.prompts import Prompt
from router.plans import Decides, plan
from router.tools import Tool, printable
from router.trace import Trace
from router.types import NON_TOOLS, NONE, SMALLTALK, Decision, Plan, Step, ToolCall, ToolResult

PATH = "router"
ALWAYS_ABSTAIN = float("inf")
"""The threshold that lets the LLM choose every time; minus infinity never does."""


@dataclass(frozen=True)
class PipelineConfig:
    """``direct``: a tool's output is the answer, without an LLM call. ``threshold``: instead of the router's own.
    ``tag``: whose requests a hand-over's journal says they are."""

    direct: bool = False
    threshold: float | None = None
    tag: str = ""


class RouterPipeline(dspy.Module):
    """plan → the LLM fills what is open → tools → one LLM call; with ``handover``, what that one lets the router call, or
    of which it lets the router name the tool; else the LLM's tool-calling loop. Each makes a row in its journal.

    ``forward(question)`` gives a Prediction with ``answer``, ``decision``, ``tool_results``, ``usage`` and ``lesson``.
    The LM is the one of the context (``dspy.context(lm=make_lm("embedded"))``).
    """

    def __init__(
        self,
        router: Decides,
        tools: Mapping[str, Tool],
        config: PipelineConfig = PipelineConfig(),
        handover: Handover | None = None,
    ) -> None:
        super().__init__()
        self.router, self.tools, self.config, self.handover = router, dict(tools), config, handover

    def beginnings(self) -> list[Prompt]:
        """How this path's prompts begin whatever is asked, one for each kind."""
        kinds = [prompts.chat(prompts.BLANK), prompts.teach(prompts.BLANK), prompts.call(prompts.BLANK, self.tools)]
        return kinds + [prompts.fill(prompts.BLANK, tool, {}, ()) for tool in list(self.tools.values())[:1]]

    def forward(self, question: str, trace: Trace | None = None, previous_turn: str | None = None) -> dspy.Prediction:
        """Answer ``question``; ``previous_turn`` is what the assistant said before, which a lesson is checked against.

        Events go to ``trace``, the last of them ``answer``. Raises dspy's LMError, MalformedReply, Cancelled.
        """
        question = printable(question)
        trace = trace or Trace(PATH, question)
        lm, lesson = dspy.settings.lm, None
        if self.handover is not None:
            answer = self._handed_over(lm, self.handover, question, trace)
        else:
            answer, lesson = self._planned(lm, question, trace, previous_turn)
        trace.answer(answer, lesson)
        run = trace.result()
        return dspy.Prediction(
            answer=answer, decision=run.decision, tool_results=run.tool_results, usage=run.usage, lesson=lesson
        )

    def _planned(
        self, lm: dspy.LM, question: str, trace: Trace, previous_turn: str | None
    ) -> tuple[str, dict[str, Any] | None]:
        """The answer by a plan, and a lesson where one was taught."""
        found = self._plan(question, trace)
        steps = self._filled(lm, question, found, trace)
        if found.abstained or steps is None:
            return answer_with_tools(lm, question, self._shown(found), trace), None
        if results := run_steps(trace, self.tools, steps):
            return self._answer(lm, question, results, trace), None
        if found.decision.tool == SMALLTALK:
            return self._small_talk(lm, found.decision, trace, previous_turn)
        return write(lm, question, [], trace), None

    def _handed_over(self, lm: dspy.LM, handover: Handover, question: str, trace: Trace) -> str:
        """The answer by a call that was proven, or whose tool was, else by the LLM, whose call is noted beside the
        router's."""
        trace.check()
        opinion = handover.consider(question, fills=True)
        trace.emit("route", **_told(opinion))
        row = JournalRow(question, opinion.mode, tag=self.config.tag)
        call = self._call(lm, opinion, question, trace)
        if opinion.mode == "partial" and call is None:
            opinion = replace(opinion, mode="ask")
        if opinion.mode in ("act", "partial"):
            sources = dict.fromkeys(call.arguments, "llm") if opinion.mode == "partial" else {}
            results = run_steps(trace, self.tools, () if call.tool in NON_TOOLS else (Step(call, sources),))
            answer = self._answer(lm, question, results, trace) if results else write(lm, question, [], trace)
            row = replace(row, llm_call=call if opinion.mode == "partial" else None)
        else:
            answer = answer_with_tools(lm, question, self.tools, trace)
            row = replace(row, llm_call=called(trace), same_twice=self._same_again(lm, handover, question, trace))
        failed = any(event.data.get("error") for event in trace.events if event.kind == "tool")
        handover.record(opinion, replace(row, failed=failed, usage=trace.usage, seconds=trace.elapsed_s))
        return answer

    def _call(self, lm: dspy.LM, opinion: Opinion, question: str, trace: Trace) -> ToolCall | None:
        """The call that is to be made: the router's, or its tool with the arguments that the LLM gives for this one schema;
        None where the LLM is to choose, or what it gives does not fit."""
        if opinion.mode == "act":
            return ToolCall(opinion.tool, opinion.call.read.arguments)
        if opinion.mode != "partial":
            return None
        tool = self.tools[opinion.tool]
        try:
            given = ask_json(lm, prompts.fill(question, tool, {}, tuple(tool.slots)), trace)
        except MalformedReply:
            return None
        return ToolCall(tool.name, given) if tool.fits(given) else None

    def _same_again(self, lm: dspy.LM, handover: Handover, question: str, trace: Trace) -> bool | None:
        """Whether the LLM, asked a second time, would call the same; None where it is not asked, or fails."""
        if not handover.asks_twice():
            return None
        try:
            again = first_call(lm, question, self.tools)
        except (MalformedReply, lm15.LM15Error):
            return None
        tools = (event.data for event in trace.events if event.kind == "tool")
        return again == next((ToolCall(data["tool"], data["arguments"]) for data in tools), ToolCall(NONE, {}))

    def _answer(self, lm: dspy.LM, question: str, results: Sequence[ToolResult], trace: Trace) -> str:
        """The answer from results: calls that are the caller's to make as JSON, a result itself if ``direct``, else the
        LLM's sentence."""
        back = [result.text for result in results if handed_back(self.tools, result)]
        if back:
            return back[0] if len(back) == 1 else f"[{', '.join(back)}]"
        if self.config.direct and results[-1].output is not None:
            return results[-1].text
        return write(lm, question, list(results), trace)

    @property
    def threshold(self) -> float:
        return self.router.threshold if self.config.threshold is None else self.config.threshold

    def _plan(self, question: str, trace: Trace) -> Plan:
        """The plan for ``question``, told by a ``route`` event."""
        trace.check()
        found = plan(question, self.router, self.tools, self.config.threshold)
        trace.emit(
            "route",
            outcome=found.outcome,
            tool=found.decision.tool,
            confidence=found.decision.confidence,
            abstained=found.abstained,
            threshold=self.threshold,
            probabilities=dict(found.decision.probabilities),
            microseconds=found.decision_s * 1e6,
            reason=found.reason,
            missing=list(found.missing),
            shortlist=list(found.shortlist),
        )
        return found

    def _shown(self, found: Plan) -> Mapping[str, Tool]:
        """The tools that the LLM chooses from: those of the shortlist, else all."""
        return {name: self.tools[name] for name in found.shortlist} or self.tools

    def _filled(self, lm: dspy.LM, question: str, found: Plan, trace: Trace) -> tuple[Step, ...] | None:
        """The steps of a plan, the open slots of a partial one filled by the LLM, which sees one schema; None where what
        it says does not fit."""
        if found.shortlist:
            return None  # nothing but its schema speaks for the tool: the LLM makes the call, or none
        if found.outcome != "partial":
            return found.steps
        (step,) = found.steps
        prompt = prompts.fill(question, self.tools[step.call.tool], step.call.arguments, found.missing)
        try:
            arguments = {**step.call.arguments, **ask_json(lm, prompt, trace)}
        except MalformedReply:
            return None
        sources = {**step.sources, **dict.fromkeys(found.missing, "llm")}
        return (replace(step, call=ToolCall(step.call.tool, arguments), sources=sources),)

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


def called(trace: Trace) -> ToolCall:
    """What the LLM called in a run, as a router would have to (``one_call``)."""
    begun = [event.data for event in trace.events if event.kind == "tool" and event.data["phase"] == "begin"]
    return one_call([ToolCall(data["tool"], data["arguments"]) for data in begun])


def _told(opinion: Opinion) -> dict[str, Any]:
    """The data of the ``route`` event of a hand-over's opinion."""
    live, partial = opinion.mode == "act", opinion.mode == "partial"
    return {
        "outcome": "call" if live else "partial" if partial else "abstain",
        "tool": opinion.tool,
        "confidence": opinion.confidence["call"],
        "abstained": not (live or partial),
        "threshold": opinion.threshold,
        "probabilities": {str(opinion.tool): opinion.confidence["tool"]},
        "microseconds": opinion.seconds * 1e6,
        "reason": "" if live else REASONS[opinion.mode],
        "missing": list(opinion.call.read.missing) if opinion.call else [],
    }


def run_steps(trace: Trace, tools: Mapping[str, Tool], steps: Sequence[Step]) -> list[ToolResult]:
    """Run ``steps`` in order, each once and each a ``tool`` step of ``trace``; what planning had to run is told with the
    time at which it ran.

    Raises Cancelled before a tool that has not begun when the run is stopped.
    """
    results = []
    for step in steps:
        if step.result is None:
            results.append(run_tool(trace, tools, step.call, step.sources))
        else:
            results.append(tell(trace, step))
    return results


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
        return answered(dspy.Predict(WriteAnswer)(question=question, results=[r.text for r in results]).answer)


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
        said = Said(answered(reply.userResponse), instruction, note)
    trace.emit("token", step=trace.events[-1].data["step"], text=said.answer)
    return said
