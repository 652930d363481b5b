"""Help for small models: examples in the form of the prompts, names that may be chosen."""

from __future__ import annotations

import json

import jsonschema
import pytest
from test_paths import TOOLS

from router.builtin import default_tools
from router.lms import prompts
from router.lms.untrained import EXAMPLES, choice, with_examples
from router.types import NONE, ToolCall, ToolResult

RESULT = ToolResult(ToolCall("calculator", {"expression": "1+1"}), "1+1 = 2", None, 0.0)


def test_examples_stand_between_the_system_message_and_the_question() -> None:
    plain = prompts.plan("what is 1+1", TOOLS)
    helped = with_examples(plain)
    assert helped.messages[0] == plain.messages[0] and helped.messages[-1] == plain.messages[-1]
    assert len(helped.messages) > 10 and helped.schema == plain.schema
    roles = [m["role"] for m in helped.messages[1:]]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def test_examples_of_tool_calling_show_whole_calls() -> None:
    said = [json.loads(m["content"]) for m in with_examples(prompts.call("hi", TOOLS)).messages if '"name"' in m["content"][:9]]
    assert {"name": "calculator", "arguments": {"expression": "8 * 7"}} in said


def test_examples_use_only_tools_on_offer() -> None:
    text = json.dumps(with_examples(prompts.plan("x", TOOLS)).messages[1:])
    assert "calculator" in text and '\\"clock\\"' not in text and '\\"search\\"' not in text


def test_every_example_is_a_call_that_its_tool_accepts() -> None:
    tools = default_tools()
    for example in EXAMPLES:
        if example.tool != NONE:
            tools[example.tool].check(example.arguments)


@pytest.mark.parametrize("role", ["plan", "call"])
def test_each_choice_begins_a_reply_that_fits_the_schema(role: str) -> None:
    prompt = getattr(prompts, role)("what is 1+1", TOOLS)
    starts = choice(prompt).grammars
    assert len(starts) == len(TOOLS) + 1  # and none
    names = [json.loads(start.removesuffix(",") + "}") for start in starts]
    assert {next(iter(n.values())) for n in names} == {*TOOLS, NONE}
    whole = {"input": "1+1"} if role == "plan" else {"arguments": {"expression": "1+1"}}
    jsonschema.validate(names[0] | whole, dict(prompt.schema))


def test_the_neutral_prompt_differs_in_the_question_alone() -> None:
    prompt = prompts.plan("what is 1+1", TOOLS)
    neutral, asked = choice(prompt).neutral, with_examples(prompt).messages
    assert neutral[:-1] == asked[:-1] and neutral[-1]["content"] == "N/A\nPlan."


def test_after_a_result_the_model_itself_says_whether_it_wants_more() -> None:
    assert choice(prompts.call("what is 1+1", TOOLS, [RESULT])) is None
    assert choice(prompts.write("what is 1+1", [RESULT])) is None
