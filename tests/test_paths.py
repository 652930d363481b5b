"""The three paths with scripted models: what they ask, in which order, and what it is counted as."""

from __future__ import annotations

import json
from dataclasses import replace

import dspy
import pytest
from scripted_lm import field, scripted_lm

from baselines.llm_chain import LLMChain
from baselines.tool_calling import ToolCalling
from router.builtin import default_tools
from router.lms import MalformedReply, explain, prompts
from router.pipeline import PipelineConfig, RouterPipeline
from router.trace import Trace
from router.types import Decision

TOOLS = {name: tool for name, tool in default_tools().items() if name in ("calculator", "unit_converter")}


class FakeRouter:
    """Decides what it is told to."""

    threshold = 0.5

    def __init__(self, label: str, confidence: float = 0.9) -> None:
        self.decision = Decision(label, {label: confidence}, confidence, confidence < self.threshold)

    def decide(self, question: str) -> Decision:
        return self.decision


def run(module: dspy.Module, lm: dspy.LM, question: str = "what is 17*23", **extra) -> Trace:
    trace = Trace("test", question)
    with dspy.context(lm=lm):
        module(question=question, trace=trace, **extra)
    return trace


def steps(trace: Trace) -> list[str]:
    return [e.data.get("role") or e.data["tool"] for e in trace.events if e.data.get("phase") == "end"]


def plan(tool: str, words: str = "") -> str:
    return json.dumps({"tool": tool, "input": words})


def finding(text: str, done: bool) -> str:
    return json.dumps({"finding": text, "done": done})


# ---------------------------------------------------------------- the router path


def test_the_router_path_makes_one_call_for_one_tool() -> None:
    trace = run(RouterPipeline(FakeRouter("calculator"), TOOLS), scripted_lm("17*23 is 391.", local=True))
    result = trace.result()
    assert (result.answer, result.usage.calls) == ("17*23 is 391.", 1)
    assert [r.output for r in result.tool_results] == ["17*23 = 391"]
    assert steps(trace) == ["calculator", "write"]


def test_a_tools_result_can_be_the_answer_without_any_call() -> None:
    trace = run(RouterPipeline(FakeRouter("calculator"), TOOLS, PipelineConfig(direct=True)), scripted_lm(local=True))
    assert (trace.result().answer, trace.result().usage.calls) == ("17*23 = 391", 0)


def test_a_failed_tool_is_told_by_the_llm_even_when_results_are_answers() -> None:
    lm = scripted_lm("I cannot divide by zero.", local=True)
    trace = run(RouterPipeline(FakeRouter("calculator"), TOOLS, PipelineConfig(direct=True)), lm, "what is 1/0")
    assert trace.result().answer == "I cannot divide by zero."
    assert "Error: " in lm.engine.requests[0].messages[-1].text


def test_missing_slots_cost_one_counted_call() -> None:
    lm = scripted_lm('{"from_unit": "mi", "to_unit": "km"}', "5 mi is 8.05 km.", local=True)
    trace = run(RouterPipeline(FakeRouter("unit_converter"), TOOLS), lm, "convert 5 for me")
    assert steps(trace) == ["fill", "unit_converter", "write"]
    assert trace.result().usage.calls == 2
    tool = next(e for e in trace.events if e.kind == "tool")
    assert tool.data["sources"]["to_unit"] == "llm" and tool.data["sources"]["value"] != "llm"


def test_an_abstaining_router_lets_the_llm_choose_and_counts_it() -> None:
    call = json.dumps({"name": "calculator", "arguments": {"expression": "17*23"}})
    trace = run(RouterPipeline(FakeRouter("unit_converter", 0.2), TOOLS), scripted_lm(call, "391.", local=True))
    assert steps(trace) == ["call", "calculator", "call"]
    assert (trace.result().answer, trace.result().usage.calls) == ("391.", 2)
    assert trace.result().decision.abstained


@pytest.mark.parametrize(("threshold", "expected"), [(float("inf"), ["call"]), (float("-inf"), ["calculator", "write"])])
def test_the_threshold_forces_either_branch(threshold: float, expected: list[str]) -> None:
    module = RouterPipeline(FakeRouter("calculator"), TOOLS, PipelineConfig(threshold=threshold))
    assert steps(run(module, scripted_lm("391.", local=True))) == expected


def test_a_lesson_reaches_the_answer_event_with_its_cost() -> None:
    instruction = {"command": "LEARN_SIMPLE_PHRASE", "query": "thx", "response": "You're welcome!"}
    reply = json.dumps({"userResponse": "You're welcome!", "learningInstruction": instruction})
    trace = run(RouterPipeline(FakeRouter("smalltalk"), TOOLS), scripted_lm(reply, local=True), "thx")
    answer = trace.events[-1].data
    assert answer["answer"] == "You're welcome!"
    assert answer["lesson"]["accepted"] and answer["lesson"]["instruction"] == instruction
    assert answer["lesson"]["usage"]["calls"] == 1


def test_a_phrase_that_answers_a_question_is_not_learned() -> None:
    instruction = {"command": "LEARN_SIMPLE_PHRASE", "query": "thanks", "response": "You're welcome!"}
    reply = json.dumps({"userResponse": "You're welcome!", "learningInstruction": instruction})
    module = RouterPipeline(FakeRouter("smalltalk"), TOOLS)
    trace = run(module, scripted_lm(reply, local=True), "thanks", previous_turn="Shall I convert it to miles?")
    assert not trace.events[-1].data["lesson"]["accepted"]


def test_a_capable_model_teaches_through_a_signature() -> None:
    instruction = '{"command": "LEARN_SIMPLE_PHRASE", "query": "thx", "response": "Sure!"}'
    lm = scripted_lm(field(userResponse="Sure!", learningInstruction=instruction))
    trace = run(RouterPipeline(FakeRouter("smalltalk"), TOOLS), lm, "thx")
    assert trace.events[-1].data["answer"] == "Sure!" and trace.events[-1].data["lesson"]["accepted"]


# ---------------------------------------------------------------- the chain


def test_the_chain_makes_three_calls_for_one_tool() -> None:
    lm = scripted_lm(plan("calculator", "17*23"), finding("17*23 = 391", True), "17*23 is 391.", local=True)
    trace = run(LLMChain(TOOLS), lm)
    assert steps(trace) == ["plan", "calculator", "interpret", "conclude"]
    assert (trace.result().usage.calls, trace.result().answer) == (3, "17*23 is 391.")


def test_the_chains_context_grows_with_every_call() -> None:
    replies = [plan("calculator", "2*3"), finding("6", False), plan("calculator", "6+1"), finding("7", True), "It is 7."]
    lm = scripted_lm(*replies, local=True)
    trace = run(LLMChain(TOOLS), lm)
    assert trace.result().usage.calls == 5
    sizes = [len(r.messages) for r in lm.engine.requests]
    assert sizes == sorted(set(sizes))
    assert [r.output for r in trace.result().tool_results] == ["2*3 = 6", "6+1 = 7"]


def test_the_chain_stops_at_its_limit_and_answers() -> None:
    again = [plan("calculator", "1+1"), finding("2", False)]
    trace = run(LLMChain(TOOLS), scripted_lm(*again * 4, "I could not finish.", local=True))
    assert trace.result().usage.calls == 9 and trace.result().answer == "I could not finish."


def test_an_input_that_no_tool_can_read_is_a_result_that_the_chain_sees() -> None:
    lm = scripted_lm(plan("calculator", "the moon"), finding("no", True), "I cannot.", local=True)
    trace = run(LLMChain(TOOLS), lm)
    assert "cannot read the input 'the moon'" in trace.result().tool_results[0].error
    assert "cannot read" in lm.engine.requests[1].messages[-1].text


def test_a_capable_model_runs_the_chain_through_signatures() -> None:
    lm = scripted_lm(
        field(tool="calculator", input="17*23"), field(finding="391", done=True), field(answer="17*23 is 391.")
    )
    trace = run(LLMChain(TOOLS), lm)
    assert steps(trace) == ["plan", "calculator", "interpret", "conclude"]
    assert trace.result().answer == "17*23 is 391."
    said = "".join(e.data["text"] for e in trace.events if e.kind == "token")
    assert said == "17*23 is 391."  # no field marks on screen


def test_a_malformed_plan_is_an_error_that_shows_the_reply() -> None:
    with pytest.raises(MalformedReply, match="does not have the form asked for.*calculat"):
        run(LLMChain(TOOLS), scripted_lm('{"tool": "calculat', local=True))


# ---------------------------------------------------------------- tool calling


def test_native_tool_calling_sends_schemas_and_results() -> None:
    lm = scripted_lm({"name": "calculator", "arguments": {"expression": "17*23"}}, "391.", native_tools=True)
    trace = run(ToolCalling(TOOLS), lm)
    assert steps(trace) == ["native_call", "calculator", "native_call"]
    first, second = lm.engine.requests
    assert [t.name for t in first.tools] == list(TOOLS)
    assert second.messages[-1].role == "tool" and second.messages[-1].parts[0].content[0].text == "17*23 = 391"
    assert trace.result().answer == "391."


def test_emulated_tool_calling_names_itself_in_the_trace() -> None:
    call = json.dumps({"name": "calculator", "arguments": {"expression": "17*23"}})
    trace = run(ToolCalling(TOOLS), scripted_lm(call, "391.", local=True))
    assert steps(trace) == ["call", "calculator", "call"]


def test_bad_arguments_are_a_result_that_the_model_sees() -> None:
    call = json.dumps({"name": "calculator", "arguments": {"formula": "1"}})
    lm = scripted_lm(call, "I cannot.", local=True)
    trace = run(ToolCalling(TOOLS), lm)
    assert trace.result().tool_results[0].error and trace.result().answer == "I cannot."
    assert "Error" in lm.engine.requests[1].messages[-1].text


def test_an_unknown_tool_is_answered_with_the_names_of_the_known_ones() -> None:
    lm = scripted_lm({"name": "rocket", "arguments": {}}, "I cannot.", native_tools=True)
    assert "calculator, unit_converter" in run(ToolCalling(TOOLS), lm).result().tool_results[0].error


def test_calls_without_end_stop_at_the_limit() -> None:
    call = json.dumps({"name": "calculator", "arguments": {"expression": "1+1"}})
    trace = run(ToolCalling(TOOLS), scripted_lm(*[call] * 4, "Two.", local=True))
    assert (trace.result().usage.calls, trace.result().answer) == (5, "Two.")


# ---------------------------------------------------------------- what all have in common


def test_every_path_is_given_the_same_instruction_for_its_answer() -> None:
    chain, calling = prompts.conclude("q", TOOLS, []), prompts.call("q", TOOLS)
    for prompt in (chain, calling, prompts.chat("q"), prompts.write("q", [])):
        assert prompts.ANSWER in prompt.messages[0]["content"]


def test_a_roles_system_message_does_not_depend_on_the_question() -> None:
    for make in (prompts.plan, prompts.call):
        assert make("a", TOOLS).messages[0] == make("b", TOOLS).messages[0]
    step = prompts.ChainStep("calculator", "1+1", "1+1 = 2")
    done = replace(step, finding="2", done=True)
    shared = [
        prompts.plan("q", TOOLS),
        prompts.interpret("q", TOOLS, [step]),
        prompts.conclude("q", TOOLS, [done]),
    ]
    assert len({p.messages[0]["content"] for p in shared}) == 1
    assert shared[1].messages[:2] == shared[0].messages  # what the cache holds is a prefix of what comes next
    assert shared[2].messages[:4] == shared[1].messages


def test_a_reply_that_a_signature_cannot_read_costs_a_second_counted_call() -> None:
    lm = scripted_lm("no marks at all", '{"answer": "It is 391."}')
    trace = run(RouterPipeline(FakeRouter("calculator"), TOOLS), lm)
    assert trace.result().answer == "It is 391." and trace.result().usage.calls == 2
    assert lm.engine.requests[1].config.response_format


def test_a_reply_that_stays_unreadable_is_told_with_what_was_said() -> None:
    with pytest.raises(Exception) as caught:
        run(RouterPipeline(FakeRouter("calculator"), TOOLS), scripted_lm("no marks", "no braces"))
    assert "does not have the form asked for" in explain(caught.value) and "no braces" in explain(caught.value)
