"""Tool calling: the loop that providers recommend. The model is given the tools' schemas, asks for calls, is told the
results, and answers when it has what it needs.

Native where the model takes tool schemas; where it does not, emulated by a prompt (role ``call``), which the ``lm``
events show. The router path uses the same loop when it abstains. A tool that is only described ends the loop: its call
is the answer, for the caller to make. A destructive tool runs like any other: here it is the model that calls it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import dspy
from dspy import lm15

from router.lms import NoAnswer, ask, capabilities, metered, prompts, read_json
from router.lms.replies import REMEDY
from router.tools import Tool, shorten
from router.trace import Trace
from router.types import NONE, Step, ToolCall, ToolResult

NATIVE_ROLE = "native_call"
MAX_ROUNDS = 4
"""Rounds of tool calls after which the model must answer."""
BROKEN = "partial_json"
"""Under which lm15 keeps arguments that are no JSON."""
MAX_WIRE = 64
"""Characters of a tool's name that OpenAI's and Anthropic's APIs take."""
_WIRE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_WIRE}}}")


def answer_with_tools(
    lm: dspy.LM, question: str, tools: Mapping[str, Tool], trace: Trace, rounds: int = MAX_ROUNDS
) -> str:
    """The model's answer, after at most ``rounds`` rounds of tool calls; or, where it calls a described tool, that call
    as JSON: ``{"tool": ..., "arguments": {...}}``.

    Raises dspy's LMError, MalformedReply, Cancelled, and NoAnswer where the model goes on calling tools.
    """
    kind = _Native if capabilities(lm).native_tools else _Emulated
    talk: _Talk = kind(lm, question, tools, trace)
    for _ in range(rounds):
        calls = talk.turn()
        if not calls:
            return talk.text
        results = []
        for call in calls:
            results.append(run_tool(trace, tools, call, dict.fromkeys(call.arguments, "llm")))
            if handed_back(tools, results[-1]):
                return results[-1].text
        talk.tell(results)
    if talk.turn(final=True):
        raise NoAnswer(f"The model called tools in each of {rounds + 1} rounds and gave no answer. {REMEDY}")
    return talk.text


def first_call(lm: dspy.LM, question: str, tools: Mapping[str, Tool]) -> ToolCall:
    """The first tool that the model would call for ``question``, which is not run; the tool "none" where it would call
    none. Raises as ``answer_with_tools``."""
    kind = _Native if capabilities(lm).native_tools else _Emulated
    calls = kind(lm, question, tools, Trace("again", question)).turn()
    return calls[0] if calls else ToolCall(NONE, {})


def run_tool(trace: Trace, tools: Mapping[str, Tool], call: ToolCall, sources: Mapping[str, str]) -> ToolResult:
    """Run one call as a ``tool`` step of ``trace``. ``sources``: slot → "question" or "llm". A failure is a result."""
    with trace.step("tool", tool=call.tool, arguments=dict(call.arguments), sources=dict(sources)) as outcome:
        tool = tools.get(call.tool)
        if tool is None:
            fault = f"There is no tool {call.tool!r}. Choose one of: {', '.join(tools)}."
            result = ToolResult(call, None, fault, 0.0)
        elif list(call.arguments) == [BROKEN]:
            fault = f"The arguments are no JSON object: {shorten(str(call.arguments[BROKEN]), 80)!r}. Write them again."
            result = ToolResult(call, None, fault, 0.0)
        else:
            result = tool.call(call.arguments)
        outcome |= {"output": result.output, "error": result.error, "seconds": result.seconds}
    return result


def tell(trace: Trace, step: Step) -> ToolResult:
    """Report a step that planning has run as a ``tool`` step of ``trace``, at the time at which it ran."""
    call, result = step.call, step.result
    outcome = {"output": result.output, "error": result.error, "seconds": result.seconds}
    data = {"tool": call.tool, "arguments": dict(call.arguments), "sources": dict(step.sources)}
    trace.told("tool", step.ran_at, outcome, **data)
    return result


def handed_back(tools: Mapping[str, Tool], result: ToolResult) -> bool:
    """Whether ``result`` is a fit call of a described tool, which is for the caller to make: its text is the call."""
    tool = tools.get(result.call.tool)
    return tool is not None and tool.described and result.output is not None


def wire_names(names: Iterable[str]) -> dict[str, str]:
    """Each name → the one that providers are told, of letters, digits, "_" and "-"; no two are the same."""
    given = list(names)
    wired = {name: name for name in given if _WIRE.fullmatch(name)}
    for name in given:
        if name not in wired:
            short = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:MAX_WIRE]
            if short in wired.values():
                digest = hashlib.sha256(name.encode()).hexdigest()[:8]
                short = f"{short[: MAX_WIRE - 9]}_{digest}"
            wired[name] = short
    return wired


class _Talk(Protocol):
    text: str

    def turn(self, final: bool = False) -> list[ToolCall]: ...

    def tell(self, results: list[ToolResult]) -> None: ...


class _Native:
    """Provider tool calling: schemas in the request, tool calls in the reply, results as tool messages."""

    def __init__(self, lm: dspy.LM, question: str, tools: Mapping[str, Tool], trace: Trace) -> None:
        self._lm, self._trace, self.text = lm, trace, ""
        names = wire_names(tools)
        self._names = {wired: name for name, wired in names.items()}
        self._tools = tuple(lm15.FunctionTool(names[t.name], t.description, dict(t.schema)) for t in tools.values())
        self._messages = [lm15.Message.user(question)]
        self._ids: list[str] = []

    def turn(self, final: bool = False) -> list[ToolCall]:
        choice = {"tool_choice": lm15.ToolChoice(mode="none")} if final else {}
        settings = self._lm.kwargs
        limit = settings.get("max_tokens") or settings.get("max_completion_tokens")
        config = lm15.Config(max_tokens=limit, temperature=settings.get("temperature"), **choice)
        request = lm15.Request(self._lm.model, tuple(self._messages), prompts.ANSWER, self._tools, config)
        with metered(self._lm, self._trace, NATIVE_ROLE, stream=True) as lm:
            response = lm(request)
        self._messages.append(response.message)
        self._ids = [call.id for call in response.tool_calls]
        self.text = (response.text or "").strip()
        return [ToolCall(self._names.get(call.name, call.name), dict(call.input)) for call in response.tool_calls]

    def tell(self, results: list[ToolResult]) -> None:
        told = zip(self._ids, results, strict=True)
        parts = [lm15.tool_result(i, r.text, is_error=r.output is None) for i, r in told]
        self._messages.append(lm15.Message.tool(parts))


class _Emulated:
    """Tool calling by a prompt: a reply is the JSON of one call, or the answer."""

    def __init__(self, lm: dspy.LM, question: str, tools: Mapping[str, Tool], trace: Trace) -> None:
        self._lm, self._question, self._tools, self._trace = lm, question, tools, trace
        self._results: list[ToolResult] = []
        self.text = ""

    def turn(self, final: bool = False) -> list[ToolCall]:
        prompt = prompts.call(self._question, self._tools, self._results)
        if final:
            prompt = replace(prompt, schema=None, or_text=False)
        self.text = ask(self._lm, prompt, self._trace, stream=True)
        if not self.text.removeprefix("```json").lstrip().startswith("{"):
            return []
        request: dict[str, Any] = read_json(self.text, _CALL)
        return [ToolCall(request["name"], request["arguments"])]

    def tell(self, results: list[ToolResult]) -> None:
        self._results += results


_CALL = json.loads(
    '{"type": "object", "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}}, '
    '"required": ["name", "arguments"]}'
)
"""What a reply must have to be a call. Whether the arguments fit is for the tool to say, as a result."""
