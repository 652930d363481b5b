"""LLMChain: the language model plans a tool, reads its result and answers; 2k+1 calls for k tools, and one more for
each tool that cannot read its input by itself.

The transcript grows with every call, as an agent's context does. Leaves out any local knowledge of which tool serves:
that is what the router is raced against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import dspy

from router.lms import answered, ask, ask_json, capabilities, metered, prompts
from router.lms.calling import handed_back, run_tool
from router.lms.prompts import ChainStep, Prompt
from router.tools import Tool
from router.trace import Trace
from router.types import NONE, ToolCall, ToolResult

PATH = "llm_chain"


@dataclass(frozen=True)
class ChainConfig:
    """``limit``: tools after which the chain must answer."""

    limit: int = 4


class LLMChain(dspy.Module):
    """plan → tool → interpret, again while the plan asks for another tool, then answer. A tool that is only described
    ends the chain: its call, as JSON, is the answer.

    ``forward(question)`` gives a Prediction with ``answer``, ``tool_results`` and ``usage``. The LM is the one of the
    context; capable models are asked through DSPy signatures, others with the prompts of ``router.lms.prompts``.
    """

    def __init__(self, tools: Mapping[str, Tool], config: ChainConfig = ChainConfig()) -> None:
        super().__init__()
        self.tools, self.config = dict(tools), config

    def beginnings(self) -> list[Prompt]:
        """How this path's prompts begin whatever is asked, one for each kind."""
        return [prompts.plan(prompts.BLANK, self.tools)]

    def forward(self, question: str, trace: Trace | None = None) -> dspy.Prediction:
        """Answer ``question``. Events go to ``trace``, the last of them ``answer``.

        Raises dspy's LMError, MalformedReply, Cancelled.
        """
        trace = trace or Trace(PATH, question)
        lm = dspy.settings.lm
        voice: _Voice = (_Signed if capabilities(lm).signatures else _Prompted)(lm, question, self.tools, trace)
        steps: list[ChainStep] = []
        while len(steps) < self.config.limit and not (steps and steps[-1].done):
            tool, words = voice.plan(steps)
            if tool == NONE:
                break
            result = self._run(lm, tool, words, trace)
            if handed_back(self.tools, result):
                return self._answered(result.text, trace)
            steps.append(ChainStep(tool, words, result.text))
            finding, done = voice.interpret(steps)
            steps[-1] = replace(steps[-1], finding=finding, done=done)
        return self._answered(voice.conclude(steps), trace)

    @staticmethod
    def _answered(answer: str, trace: Trace) -> dspy.Prediction:
        trace.answer(answer)
        run = trace.result()
        return dspy.Prediction(answer=run.answer, tool_results=run.tool_results, usage=run.usage)

    def _run(self, lm: dspy.LM, name: str, words: str, trace: Trace) -> ToolResult:
        """Run a tool on an input in words, read by the tool's own parser, or by the model where it has none."""
        tool = self.tools.get(name)
        if tool is None or not tool.slots:
            arguments: dict[str, Any] | None = {}
        elif tool.parse is None:
            arguments = ask_json(lm, prompts.fill(words, tool, {}, tuple(tool.slots)), trace)
        else:
            arguments = tool.parse(words)
        if arguments is not None:
            return run_tool(trace, self.tools, ToolCall(name, arguments), dict.fromkeys(arguments, "llm"))
        with trace.step("tool", tool=name, arguments={"input": words}, sources={"input": "llm"}) as outcome:
            fault = f"{name} cannot read the input {words!r}. Write it like: {tool.description}"
            outcome |= {"output": None, "error": fault, "seconds": 0.0}
        return ToolResult(ToolCall(name, {"input": words}), None, fault, 0.0)


class _Voice(Protocol):
    def plan(self, steps: Sequence[ChainStep]) -> tuple[str, str]: ...

    def interpret(self, steps: Sequence[ChainStep]) -> tuple[str, bool]: ...

    def conclude(self, steps: Sequence[ChainStep]) -> str: ...


class _Prompted:
    """The chain in the words of ``router.lms.prompts``, replies bound to their schemas."""

    def __init__(self, lm: dspy.LM, question: str, tools: Mapping[str, Tool], trace: Trace) -> None:
        self._lm, self._question, self._tools, self._trace = lm, question, tools, trace

    def plan(self, steps: Sequence[ChainStep]) -> tuple[str, str]:
        reply = ask_json(self._lm, prompts.plan(self._question, self._tools, steps), self._trace)
        return reply["tool"], reply["input"]

    def interpret(self, steps: Sequence[ChainStep]) -> tuple[str, bool]:
        reply = ask_json(self._lm, prompts.interpret(self._question, self._tools, steps), self._trace)
        return reply["finding"], reply["done"]

    def conclude(self, steps: Sequence[ChainStep]) -> str:
        return ask(self._lm, prompts.conclude(self._question, self._tools, steps), self._trace, stream=True)


class Plan(dspy.Signature):
    """Plan the next step towards the answer: the tool to use and its input in words, or none."""

    question: str = dspy.InputField()
    tools: dict[str, str] = dspy.InputField()
    steps: list[str] = dspy.InputField(desc="what was done so far")
    tool: str = dspy.OutputField()
    input: str = dspy.OutputField(desc="what the tool is to work on, in words")


class Interpret(dspy.Signature):
    """Say what the last result means for the question, and whether it can be answered now."""

    question: str = dspy.InputField()
    steps: list[str] = dspy.InputField(desc="what was done so far")
    finding: str = dspy.OutputField()
    done: bool = dspy.OutputField()


class Conclude(dspy.Signature):
    __doc__ = prompts.ANSWER
    question: str = dspy.InputField()
    steps: list[str] = dspy.InputField(desc="what was done so far")
    answer: str = dspy.OutputField()


class _Signed:
    """The chain in DSPy signatures."""

    def __init__(self, lm: dspy.LM, question: str, tools: Mapping[str, Tool], trace: Trace) -> None:
        self._lm, self._question, self._trace = lm, question, trace
        self._tools = {t.name: t.description for t in tools.values()} | {NONE: "no tool is needed"}
        choice = Literal[tuple(self._tools)]  # type: ignore[valid-type]
        self._plan = dspy.Predict(Plan.with_updated_fields("tool", type_=choice))
        self._interpret, self._conclude = dspy.Predict(Interpret), dspy.Predict(Conclude)

    def plan(self, steps: Sequence[ChainStep]) -> tuple[str, str]:
        with metered(self._lm, self._trace, "plan"):
            reply = self._plan(question=self._question, tools=self._tools, steps=_told(steps))
        return reply.tool, reply.input

    def interpret(self, steps: Sequence[ChainStep]) -> tuple[str, bool]:
        with metered(self._lm, self._trace, "interpret"):
            reply = self._interpret(question=self._question, steps=_told(steps))
        return reply.finding, reply.done

    def conclude(self, steps: Sequence[ChainStep]) -> str:
        with metered(self._lm, self._trace, "conclude", stream="answer"):
            return answered(self._conclude(question=self._question, steps=_told(steps)).answer)


def _told(steps: Sequence[ChainStep]) -> list[str]:
    """Each step as one line: the call, its result and what was found."""
    return [f"{s.tool}({s.input}): {s.result}" + (f" → {s.finding}" if s.finding else "") for s in steps]
