"""Logs of every form: each row is a question with its calls, or a problem with its line and reason. None becomes
``none`` because its form is not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.learning.data import read_examples
from router.learning.logs import read_labelled

ASK = "stock of ACME"
ARGS = {"s": "ACME"}
TEXT = json.dumps(ARGS)
CALL = {"name": "get_stock", "arguments": ARGS}
USER = {"role": "user", "content": ASK}


def chat(*replies: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [USER, *replies], **more}


def said(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def lc(kind: str, **kwargs: Any) -> dict[str, Any]:
    """A message as LangChain serialises it."""
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", kind], "kwargs": kwargs}


def run(kind: str, inputs: Any, outputs: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": kind, "run_type": kind, "inputs": inputs, "outputs": outputs, **more}


def fields(**values: str) -> str:
    return "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in {**values, "completed": ""}.items())


TOOL_RUN = run("tool", {"input": str(ARGS)}, {"output": "9"}, start_time="2") | {"name": "get_stock"}
OPENAI = {"id": "1", "type": "function", "function": {"name": "get_stock", "arguments": TEXT}}
ANTHROPIC = {"type": "tool_use", "id": "t1", "name": "get_stock", "input": ARGS}
REQUEST = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}

CALLED = {
    "a table": {"question": ASK, "tool": "get_stock", "arguments": TEXT},
    "calls in a column": {"query": ASK, "tools": "[]", "answers": json.dumps([CALL])},
    "OpenAI": chat(said(None, tool_calls=[OPENAI])),
    "OpenAI, arguments as an object": chat(said("", tool_calls=[{"function": CALL}])),
    "legacy": chat(said(None, function_call={"name": "get_stock", "arguments": TEXT})),
    "what was on offer beside": chat(said(None, tool_calls=[OPENAI]), tools=[{"function": {"name": "other"}}]),
    "Anthropic": chat(said([ANTHROPIC])),
    "Anthropic, after words": chat(said([{"type": "text", "text": "Let me look."}, ANTHROPIC])),
    "Anthropic, after thoughts": chat(said([{"type": "thinking", "thinking": "hm", "signature": "x"}, ANTHROPIC])),
    "Anthropic, result in a user's place": chat(
        said([ANTHROPIC]),
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "9"}]},
        said([{"type": "text", "text": "It is 9."}]),
    ),
    "Gemini": {"contents": [{"role": "user", "parts": [{"text": ASK}]},
                            {"role": "model", "parts": [{"functionCall": {"name": "get_stock", "args": ARGS}}]}]},
    "Bedrock": chat(said([{"toolUse": {"toolUseId": "1", "name": "get_stock", "input": ARGS}}])),
    "Responses": {"input": ASK, "output": [{"type": "reasoning", "id": "r", "summary": []},
                                           {"type": "function_call", "name": "get_stock", "arguments": TEXT}]},
    "Responses, items in a row": {"input": [USER, {"type": "function_call", "name": "get_stock", "arguments": TEXT},
                                            {"type": "function_call_output", "call_id": "c", "output": "9"}],
                                  "output": [{"type": "message", "role": "assistant",
                                              "content": [{"type": "output_text", "text": "It is 9."}]}]},
    "a request and its response": {"request": {"model": "m", "messages": [USER]},
                                   "response": {"choices": [{"message": said(None, tool_calls=[OPENAI])}]}},
    "a list": [USER, said(None, tool_calls=[OPENAI])],
    "ShareGPT": {"conversations": [{"from": "human", "value": ASK},
                                   {"from": "function_call", "value": json.dumps(CALL)},
                                   {"from": "observation", "value": "9"}, {"from": "gpt", "value": "It is 9."}]},
    "LangChain": {"messages": [{"type": "human", "content": ASK},
                               {"type": "ai", "content": "", "tool_calls": [{"name": "get_stock", "args": ARGS}]}]},
    "LangChain, raw": {"messages": [{"type": "human", "data": {"content": ASK}},
                                    {"type": "ai", "data": {"content": "", "additional_kwargs": {"tool_calls": [OPENAI]}}}]},
    "LangChain, serialised": {"messages": [lc("HumanMessage", content=ASK),
                                           lc("AIMessage", content="", additional_kwargs={"tool_calls": [OPENAI]})]},
    "LangSmith, a model's run": run("llm", {"messages": [[lc("HumanMessage", content=ASK)]]}, {"generations": [[{
        "text": "", "message": lc("AIMessage", content="", additional_kwargs={"tool_calls": [OPENAI]})}]]}),
    "LangSmith, runs within": run("chain", {"input": ASK}, {"output": "It is 9."}, child_runs=[
        run("llm", {}, start_time="1"), TOOL_RUN]),
    "LangSmith, an agent's steps": run("chain", {"input": ASK}, {"output": "9", "intermediate_steps": [
        [{"tool": "get_stock", "tool_input": ARGS, "log": ""}, "9"]]}),
    "DSPy, ReAct": {"prompt": None, "messages": [{"role": "user", "content": fields(question=ASK, trajectory="")}],
                    "outputs": [fields(next_thought="look", next_tool_name="get_stock", next_tool_args=TEXT)]},
    "DSPy, worked examples before": {"messages": [{"role": "user", "content": "another"}, said("done"), USER],
                                     "outputs": [{"text": None, "tool_calls": [OPENAI]}]},
    "MCP beside a question": {"question": ASK, "request": REQUEST},
    "MCP with a question": {"question": ASK, **REQUEST},
    "tags": chat(said(f"I will look.\n<tool_call>\n{json.dumps(CALL)}\n</tool_call>")),
    "tags without an end": chat(said(f"<tool_call>{json.dumps(CALL)}")),
    "tags, named": chat(said("<tool_call><function=get_stock><parameter=s>ACME</parameter></function></tool_call>")),
    "tags, invoked": chat(said('<function_calls><invoke name="get_stock"><parameter name="s">ACME</parameter></invoke>')),
    "Mistral": chat(said(f"[TOOL_CALLS] {json.dumps([CALL])}")),
    "a fence": chat(said(f"Sure:\n```json\n{json.dumps(CALL)}\n```")),
    "a bare object": chat(said(json.dumps({"name": "get_stock", "parameters": ARGS}))),
    "Python": chat(said('[get_stock(s="ACME")]')),
    "ReAct": chat(said(f"Thought: look\nAction: get_stock\nAction Input: {TEXT}")),
    "ReAct, in JSON": chat(said(f'Action:\n```json\n{json.dumps({"action": "get_stock", "action_input": ARGS})}\n```')),
    "ReAct, result in a user's place": chat(said(f"Action: get_stock\nAction Input: {TEXT}"),
                                            {"role": "user", "content": "Observation: 9"}, said("Final Answer: 9")),
    "DSPy, ReAct in JSON": {"messages": [USER], "outputs": [json.dumps({"next_tool_name": "get_stock", "next_tool_args": ARGS})]},
    "DSPy, ReAct in tags": {"messages": [USER], "outputs": [
        f"<next_tool_name>get_stock</next_tool_name>\n<next_tool_args>{TEXT}</next_tool_args>"]},
    "DSPy, ReAct's last step": {
        "messages": [{"role": "user", "content": fields(question=ASK, tool_name_0="get_stock", tool_args_0=TEXT)}],
        "outputs": [fields(next_tool_name="finish", next_tool_args="{}")]},
    "Gemini, a request and its response": {"request": {"contents": [{"role": "user", "parts": [{"text": ASK}]}]},
        "response": {"candidates": [{"content": {"parts": [{"functionCall": {"name": "get_stock", "args": ARGS}}]}}]}},
    "Anthropic, a request and its response": {"request": {"messages": [USER]},
                                              "response": {"stop_reason": "tool_use", "content": [ANTHROPIC]}},
    "LangChain, in short": run("llm", {"messages": [["human", ASK], ["ai", ""]]}, {"tool_calls": [OPENAI]}),
    "a conversation in text": {"messages": json.dumps([USER, said(None, tool_calls=[OPENAI])])},
    "an answer in fields after the call": chat(said(None, tool_calls=[OPENAI]), said(fields(answer="9"))),
    "a prompt and its completion": {"prompt": ASK, "completion": f"<tool_call>{json.dumps(CALL)}</tool_call>"},
}  # fmt: skip

NOT_CALLED = {
    "text": chat(said("It is 9.")),
    "Anthropic": chat(said([{"type": "text", "text": "It is 9."}])),
    "Responses": {"input": ASK, "output": [{"type": "message", "role": "assistant",
                                            "content": [{"type": "output_text", "text": "It is 9."}]}]},
    "a label in Python's words": {"question": ASK, "tool": "None"},
    "a request and its response": {"request": {"messages": [USER]}, "response": "It is 9."},
    "data in JSON": chat(said('{"name": "ACME", "price": 9}')),
    "thoughts of a call": chat(said("<think>maybe <tool_call>{</tool_call></think>It is 9.")),
    "ReAct": chat(said("Thought: I know it\nFinal Answer: 9")),
    "DSPy, ReAct": {"messages": [USER], "outputs": [fields(next_tool_name="finish", next_tool_args="{}")]},
    "LangSmith": run("chain", {"input": ASK}, {"output": "9"}, child_runs=[run("llm", {})]),
}  # fmt: skip

REFUSED = {
    "what was on offer": ({"question": ASK, "tools": ["get_stock", "other"]}, "what was on offer"),
    "one that was on offer": ({"question": ASK, "tools": ["get_stock"]}, "what was on offer"),
    "none that was on offer": ({"question": ASK, "tools": []}, "what was on offer"),
    "schemas on offer": ({"question": ASK, "tools": [{"type": "function", "function": {"name": "f"}}]}, "on offer"),
    "no tool": ({"question": ASK, "answer": "9"}, "names a tool"),
    "an answer": ({"inputs": {"input": ASK}, "outputs": {"output": "9"}}, "no tool was right"),
    "a prompt and its answer": ({"prompt": ASK, "completion": "9"}, "names a tool"),
    "an empty reply": (chat(said(None)), "reply is empty"),
    "an empty list": (chat(said([])), "reply is empty"),
    "thoughts alone": (chat(said("<think>hm</think>")), "reply is empty"),
    "a refusal": (chat(said(None, refusal="no")), "refused"),
    "a part that nobody knows": (chat(said([{"type": "hologram", "data": "x"}])), "unknown type"),
    "a role that nobody knows": (chat({"role": "critic", "content": "x"}), "who"),
    "no reply": ({"messages": [USER]}, "nothing was chosen"),
    "no messages": ({"messages": {}}, "not a list"),
    "a call without a name": (chat(said(None, tool_calls=[{"function": {}}])), "no function"),
    "broken arguments": (chat(said(None, tool_calls=[{"function": {"name": "f", "arguments": "{"}}])), "JSON object"),
    "arguments that are a list": (chat(said([{"type": "tool_use", "name": "f", "input": [1]}])), "arguments"),
    "an invalid call": (chat(said("", invalid_tool_calls=[{"name": "f", "args": "{"}])), "invalid"),
    "a written call that breaks off": (chat(said('<tool_call>{"name": "get_st')), "cannot be read"),
    "fields that name no tool": (chat(said(fields(answer="9"))), "name no tool"),
    "an MCP request alone": (REQUEST, "for which question"),
    "a tool's run alone": (TOOL_RUN, "for which question"),
    "a run that shows nothing": (run("chain", {"input": ASK}, {"output": "9"}), "no choice"),
    "a span": ({"traceId": "1", "spanId": "2", "attributes": {"gen_ai.prompt": ASK}}, "no question"),
}


def read(tmp_path: Path, text: str) -> tuple[list[Any], list[Any]]:
    path = tmp_path / "log.jsonl"
    path.write_bytes(text.encode())
    return read_examples(path)


@pytest.mark.parametrize("row", CALLED.values(), ids=CALLED)
def test_a_call_is_read_with_its_arguments(row: Any, tmp_path: Path) -> None:
    examples, problems = read(tmp_path, json.dumps(row))
    assert [(e.question, e.tool, e.arguments) for e in examples] == [(ASK, "get_stock", ARGS)] and problems == []


@pytest.mark.parametrize("row", NOT_CALLED.values(), ids=NOT_CALLED)
def test_an_answer_without_a_call_is_a_question_that_no_tool_serves(row: Any, tmp_path: Path) -> None:
    examples, problems = read(tmp_path, json.dumps(row))
    assert [(e.question, e.tool) for e in examples] == [(ASK, "none")] and problems == []


@pytest.mark.parametrize(("row", "says"), REFUSED.values(), ids=REFUSED)
def test_what_shows_no_choice_is_a_problem_that_says_why(row: Any, says: str, tmp_path: Path) -> None:
    examples, (problem,) = read(tmp_path, f"\n{json.dumps(row)}")
    assert examples == [] and problem.line == 2 and says in problem.message and problem.message.endswith(".")


def test_a_bad_turn_is_reported_and_the_turns_around_it_are_read(tmp_path: Path) -> None:
    broken = {"function": {"name": "get_stock", "arguments": "{"}}
    turns = [
        *(USER, said(None, tool_calls=[broken])),
        *({"role": "user", "content": "and of B?"}, said(None, tool_calls=[OPENAI])),
        *({"role": "user", "content": "thanks"}, 5, said("sure")),
        *({"role": "user", "content": "bye"}, said("bye")),
    ]
    examples, problems = read(tmp_path, json.dumps({"messages": turns}))
    assert [(e.question, e.tool) for e in examples] == [("and of B?", "get_stock"), ("bye", "none")]
    assert [(p.line, p.message[:6]) for p in problems] == [(1, "turn 1"), (1, "turn 3")]


def test_several_calls_of_a_turn_keep_their_order_and_the_first_is_the_example(tmp_path: Path) -> None:
    other = {"function": {"name": "get_news", "arguments": "{}"}}
    text = json.dumps(
        chat(said(None, tool_calls=[OPENAI]), {"role": "tool", "content": "9"}, said(None, tool_calls=[other]))
    )
    (labelled,), _ = read_labelled(text, "x.jsonl")
    assert labelled.tools == ("get_stock", "get_news") and labelled.arguments == ARGS
    assert [e.tool for e in read(tmp_path, text)[0]] == ["get_stock"]


def test_runs_of_one_trace_are_read_together(tmp_path: Path) -> None:
    parent = run("chain", {"input": ASK}, {"output": "9"}, id="a", trace_id="a", parent_run_id=None)
    model = run("llm", {}, id="b", trace_id="a", parent_run_id="a", start_time="1")
    tool = TOOL_RUN | {"id": "c", "trace_id": "a", "parent_run_id": "b"}
    examples, problems = read(tmp_path, "\n".join(map(json.dumps, (tool, parent, model))))
    assert [(e.tool, e.arguments, e.source) for e in examples] == [("get_stock", ARGS, "log.jsonl:2")] and not problems


# ---------------------------------------------------------------- files

ROWS = [{"question": f"q{i}", "tool": "f", "arguments": {"a": [i]}} for i in range(3)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\n".join(map(json.dumps, ROWS)), [1, 2, 3]),
        ("\r\n".join(map(json.dumps, ROWS)), [1, 2, 3]),
        ("\ufeff" + "\n\n".join(map(json.dumps, ROWS)), [1, 3, 5]),
        (json.dumps(ROWS), [1, 2, 3]),
        (json.dumps(ROWS, indent=2), [2, 11, 20]),
        ("\n".join(json.dumps(row, indent=1) for row in ROWS), [1, 10, 19]),
        (",\n".join(map(json.dumps, ROWS)) + ",\n", [1, 2, 3]),
        ("".join(map(json.dumps, ROWS)), [1, 1, 1]),
        ("\ufeff\n".join(map(json.dumps, ROWS)), [1, 2, 3]),
        (json.dumps({"object": "list", "data": ROWS}), [1, 2, 3]),
    ],
    ids=["lines", "CRLF", "BOM", "array", "pretty array", "pretty objects", "commas", "glued", "BOMs", "wrapped"],
)
def test_rows_are_read_however_they_are_laid_out(text: str, lines: list[int], tmp_path: Path) -> None:
    examples, problems = read(tmp_path, text)
    assert [e.question for e in examples] == ["q0", "q1", "q2"] and problems == []
    assert [int(e.source.rsplit(":", 1)[1]) for e in examples] == lines


def test_a_pretty_printed_conversation_is_one_row(tmp_path: Path) -> None:
    text = json.dumps([USER, said(None, tool_calls=[OPENAI])], indent=2)
    assert [e.tool for e in read(tmp_path, text)[0]] == ["get_stock"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("whole", ["array", "objects"])
@pytest.mark.parametrize("cut", ['"arguments": {', '"tool": "f"'])
def test_a_row_that_breaks_off_is_reported_where_it_began_and_the_next_is_read(
    indent: int | None, whole: str, cut: str, tmp_path: Path
) -> None:
    first, second, third = (json.dumps(row, indent=indent) for row in ROWS)
    second = second[: second.index(cut) + len(cut)]
    body = f"{first}\n{second}\n{third}"
    if whole == "array":
        body = "[\n" + "\n".join(f"  {line}" for line in body.split("\n")) + "\n]"
    examples, problems = read(tmp_path, body)
    kept = [e.question for e in examples]
    at = 1 + first.count("\n") + 1 + (whole == "array")
    assert problems[0].line == at and "JSON" in problems[0].message
    assert kept == ["q0", "q2"] or (indent and cut.endswith("{") and kept == ["q0"])


def test_half_a_character_is_replaced_and_the_row_is_kept(tmp_path: Path) -> None:
    row = '{"question": "cut \\ud83d here \\ud83d\\ude00", "tool": "search", "arguments": {"\\udc00": ["\\ud83d"]}}'
    (example,), problems = read(tmp_path, row)
    assert example.question == "cut ? here \U0001f600" and example.arguments == {"?": ["?"]} and problems == []


def test_json_that_is_nested_too_deep_is_a_problem(tmp_path: Path) -> None:
    examples, problems = read(tmp_path, "[" * 100_000 + "\n" + json.dumps(ROWS[0]))
    assert [e.question for e in examples] == ["q0"] and "too deep" in problems[0].message


WORDS = [
    "question", "tool", "tools", "messages", "kind", "path", "data", "role", "content", "tool_results", "tool_calls",
    "function_call", "function", "name", "arguments", "call", "answer", "type", "text", "input", "inputs", "output",
    "outputs", "run_type", "child_runs", "id", "kwargs", "parts", "request", "response", "choices", "generations",
    "jsonrpc", "params", "additional_kwargs", "intermediate_steps", "trace_id", "parent_run_id", "prompt", "from", "value",
]  # fmt: skip
LEAVES = st.sampled_from(
    ["user", "assistant", "human", "ai", "tool_use", "function_call", "llm", "tool", "f", "{", TEXT, "[[ ## answer ## ]]",
     "<tool_call>", "Action: f", "Action Input: {", "```json\n{}\n```", "\ud83d", "web_search_call", "tool-f", "reasoning"]
) | st.none() | st.booleans() | st.integers() | st.text(max_size=8)  # fmt: skip
JSON = st.recursive(
    LEAVES, lambda s: st.lists(s, max_size=3) | st.dictionaries(st.sampled_from(WORDS), s, max_size=5), max_leaves=20
)


@given(st.lists(JSON, max_size=4), st.sampled_from([None, 2]), st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_json_is_examples_or_problems_and_nothing_raises(rows: list[Any], indent: int | None, array: bool) -> None:
    text = json.dumps(rows, indent=indent) if array else "\n".join(json.dumps(row, indent=indent) for row in rows)
    labelled, problems = read_labelled(text, "f.jsonl")
    assert all(one.question.strip() and one.line >= 1 for one in labelled)
    assert all(p.line >= 1 and p.message.endswith(".") for p in problems)
    assert labelled or problems or array or rows in ([], [[]])
    json.dumps([one.question for one in labelled], ensure_ascii=False).encode()


@given(st.text(alphabet='{}[],:"\\ \n\ta1\ud83d\ufeff', max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_examples_or_problems_and_nothing_raises(text: str) -> None:
    labelled, problems = read_labelled(text, "f.json")
    assert not labelled and all(p.line <= 1 + text.count("\n") for p in problems)
