"""Examples: read from every log format, made from templates, split; nothing bad is dropped in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.learning.data import parse_examples, read_examples, split, synthetic_examples, write_examples
from router.tools import Tool, ToolSet
from router.trace import Trace
from router.types import Decision, Example, RunResult, ToolCall, ToolResult, Usage, to_json


def written(tmp_path: Path, name: str, *rows: object) -> Path:
    path = tmp_path / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def pairs(examples: list[Example]) -> list[tuple[str, str]]:
    return [(e.question, e.tool) for e in examples]


def test_jsonl_rows_become_examples(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.jsonl",
        {"question": "2+2", "tool": "calculator", "arguments": {"expression": "2+2"}, "reward": 0.5},
    )
    (example,), problems = read_examples(path)
    assert example == Example("2+2", "calculator", {"expression": "2+2"}, 0.5, "a.jsonl:1")
    assert problems == []


def test_columns_go_by_their_common_names(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.jsonl",
        {"text": "hi", "label": "smalltalk"},
        {"query": "why", "intent": "none"},
        {"prompt": "x", "category": "none"},
    )
    assert pairs(read_examples(path)[0]) == [("hi", "smalltalk"), ("why", "none"), ("x", "none")]


def test_csv_with_a_byte_order_mark_and_quoted_commas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\ufeffText,Category\n"well, hello",smalltalk\n', "utf-8")
    assert pairs(read_examples(path)[0]) == [("well, hello", "smalltalk")]


def test_bad_rows_are_reported_by_line_and_good_ones_kept(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.jsonl",
        {"question": "2+2", "tool": "calculator"},
        "{broken",
        {"question": "", "tool": "x"},
        {"tool": "x"},
        [1],
        {"question": "a", "tool": 3},
        {"question": "a", "tool": "x", "arguments": "[1]"},
        {"question": "a", "tool": "x", "reward": "much"},
        {"question": "y" * 30_000, "tool": "x"},
        {"question": "3+3", "tool": "calculator"},
    )
    examples, problems = read_examples(path)
    assert pairs(examples) == [("2+2", "calculator"), ("3+3", "calculator")]
    assert [p.line for p in problems] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert all(p.message.endswith(".") for p in problems)


def test_a_csv_without_the_columns_says_which_it_found(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("foo,bar\n1,2\n", "utf-8")
    examples, (problem,) = read_examples(path)
    assert examples == [] and problem.line == 1 and "foo, bar" in problem.message


def test_csv_rows_with_too_many_fields_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("question,tool\na,b,c\nd,e\n", "utf-8")
    examples, problems = read_examples(path)
    assert pairs(examples) == [("d", "e")] and [p.line for p in problems] == [2]


def test_a_file_that_is_no_text_names_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"question": "\xff"}')
    with pytest.raises(ValueError, match="byte 14 is not UTF-8"):
        read_examples(path)


def trace_of(question: str, tool: str | None, error: str | None = None, fails: bool = False) -> Trace:
    trace = Trace("router", question)
    trace.emit(
        "route", tool=tool or "none", confidence=0.9, abstained=False, threshold=0.5, probabilities={}, microseconds=9
    )
    if tool:
        with trace.step("tool", tool=tool, arguments={"a": 1}, sources={}) as outcome:
            outcome |= {"output": None if error else "ok", "error": error}
    trace.fail("no") if fails else trace.answer("done")
    return trace


def test_traces_become_examples_also_where_paths_interleave(tmp_path: Path) -> None:
    first, second = trace_of("2+2", "calculator"), trace_of("why", None)
    events = [to_json(e) for e in first.events], [{**to_json(e), "path": "llm_chain"} for e in second.events]
    mixed = [e for pair in zip(events[0], events[1]) for e in pair] + events[0][len(events[1]) :]
    examples, problems = read_examples(written(tmp_path, "t.jsonl", *mixed))
    assert sorted(pairs(examples)) == [("2+2", "calculator"), ("why", "none")]
    assert next(e for e in examples if e.tool == "calculator").arguments == {"a": 1}
    assert problems == []


def test_a_trace_whose_tool_failed_or_that_was_cut_teaches_nothing_and_says_so(tmp_path: Path) -> None:
    failed, cut = trace_of("x", "calculator", error="bad"), trace_of("y", "clock")
    rows = [to_json(e) for e in failed.events] + [to_json(e) for e in cut.events[:-1]]
    examples, problems = read_examples(written(tmp_path, "t.jsonl", *rows))
    assert examples == []
    assert [p.line for p in problems] == [5, 6]


def test_a_page_export_of_events_is_read_like_a_log(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps({"events": [to_json(e) for e in trace_of("2+2", "calculator").events]}), "utf-8")
    assert pairs(read_examples(path)[0]) == [("2+2", "calculator")]


def run(question: str, decision: Decision | None, *results: ToolResult, error: str | None = None) -> dict:
    answer = None if error else "a"
    return to_json(RunResult("p", question, answer, error, decision, results, Usage(), 1.0, None))


def test_runs_teach_the_first_tool_that_served(tmp_path: Path) -> None:
    bad = ToolResult(ToolCall("search", {}), None, "nothing", 0.1)
    good = ToolResult(ToolCall("clock", {"ask": "time"}), "12:00", None, 0.1)
    path = written(
        tmp_path,
        "r.jsonl",
        run("time?", None, bad, good),
        run("hi", Decision("smalltalk", {}, 0.9, False)),
        run("hm", Decision("smalltalk", {}, 0.1, True)),
        run("x", None, bad),
        run("y", None, error="timeout"),
    )
    examples, problems = read_examples(path)
    assert pairs(examples) == [("time?", "clock"), ("hi", "smalltalk"), ("hm", "none")]
    assert [p.line for p in problems] == [4, 5]


def test_chat_logs_with_tool_calls(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "clock", "arguments": '{"ask": "time"}'}}
    chat = {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "time?"}]},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "content": "12:00"},
            {"role": "assistant", "content": "noon"},
            {"role": "user", "content": "thanks"},
            {"role": "assistant", "content": "sure"},
        ]
    }
    old = {
        "messages": [
            {"role": "user", "content": "2+2"},
            {"role": "assistant", "function_call": {"name": "calculator", "arguments": ""}},
        ]
    }
    unfit = {"messages": [{"role": "user", "content": "x"}]}
    examples, problems = read_examples(written(tmp_path, "c.jsonl", chat, old, unfit))
    assert pairs(examples) == [("time?", "clock"), ("thanks", "none"), ("2+2", "calculator")]
    assert examples[0].arguments == {"ask": "time"}
    assert [p.line for p in problems] == [3]


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda s: (
                st.lists(s, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "question",
                            "tool",
                            "messages",
                            "kind",
                            "path",
                            "data",
                            "role",
                            "content",
                            "tool_results",
                            "tool_calls",
                            "call",
                            "answer",
                        ]
                    ),
                    s,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ),
        max_size=5,
    )
)
@settings(max_examples=150, deadline=None)
def test_every_row_ends_as_an_example_or_a_problem_and_nothing_raises(
    tmp_path_factory: pytest.TempPathFactory, rows: list
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "f.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    examples, problems = read_examples(path)
    assert all(isinstance(e.question, str) and isinstance(e.tool, str) and e.question for e in examples)
    assert all(p.line >= 1 and p.message for p in problems)


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    examples = synthetic_examples(seed=1, per_label=20)
    path = tmp_path / "e.jsonl"
    assert write_examples(examples, path) == len(examples) == 200
    assert read_examples(path) == (examples, [])


def test_a_split_keeps_a_template_on_one_side_and_loses_nothing() -> None:
    examples = synthetic_examples(seed=1, per_label=120)
    training, validation = split(examples, seed=0, share=0.15)
    assert len(training) + len(validation) == len(examples)
    assert {e.source for e in training}.isdisjoint(e.source for e in validation)
    assert {e.tool for e in validation} == {e.tool for e in examples}
    assert 0.1 < len(validation) / len(examples) < 0.2


def test_a_split_of_logs_never_has_a_question_on_both_sides() -> None:
    examples = [Example(f"q{i % 7}", "t", source=str(i)) for i in range(50)]
    training, validation = split(examples, seed=3, share=0.3)
    assert {e.question for e in training}.isdisjoint(e.question for e in validation) and validation


def test_an_intent_needs_no_name_that_a_tool_could_have(tmp_path: Path) -> None:
    file = tmp_path / "intents.csv"
    file.write_text("text,category\nwhere is my money,reverted_card_payment?\n", "utf-8")
    examples, problems = read_examples(file)
    assert [e.tool for e in examples] == ["reverted_card_payment?"] and problems == []


def test_a_call_that_does_not_fit_its_schema_is_reported_by_line_and_teaches_the_tool_alone() -> None:
    tools = ToolSet([Tool("timer", "Rings.", {"type": "object", "properties": {"minutes": {"type": "integer"}}})])
    calls = [{"minutes": 3}, {"minutes": "3"}, {"minutes": None}]
    text = "\n".join(json.dumps({"question": f"ring {n}", "tool": "timer", "arguments": a}) for n, a in enumerate(calls))
    examples, (problem,) = parse_examples(text, "t.jsonl", tools=tools)
    assert (problem.line, problem.message.split(". ")[0]) == (2, "timer: minutes: '3' is not of type 'integer'")
    assert [example.arguments for example in examples] == [{"minutes": 3}, None, {"minutes": None}]
