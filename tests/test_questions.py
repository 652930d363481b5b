"""Question sets are read row by row; what is wrong is said with its line and costs no other row."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_race import Act, events

from baselines.evaluate.questions import Question, from_row, read_questions, to_row
from baselines.evaluate.runs import Row
from baselines.evaluate.statistics import score
from router.learning.data import read_examples
from router.types import NONE, RunResult, ToolCall, ToolResult, Usage, run_result_from_json, to_json

BUNDLED = Path(__file__).parents[1] / "assets" / "questions.jsonl"
TOOLS = ("calculator", "unit_converter", "clock", "calendar", "currency", "search", "weather", "text")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_bundled_set_has_100_different_questions_over_all_labels() -> None:
    read = read_questions(BUNDLED, TOOLS)
    assert not read.problems and not read.notes
    assert len({q.text for q in read.questions}) == 100
    labels = Counter(q.label for q in read.questions)
    assert set(labels) == {*TOOLS, "smalltalk", "none"}
    assert all(labels[name] >= 8 for name in labels if name != "weather")


def test_a_bad_row_is_named_by_its_line_and_the_others_are_kept(tmp_path: Path) -> None:
    file = write(
        tmp_path / "q.jsonl",
        '{"question": "2+2", "tools": ["calculator"], "answer": 4}\n\nnot json\n{"question": ""}\n[1]\n'
        '{"question": "x", "tools": [{}]}\n{"question": "y", "tools": ["none", "text"]}\n'
        '{"question": "z", "answer": {"a": 1}}\n{"question": "' + "long " * 900 + '"}\n{"question": "hi"}\n',
    )
    read = read_questions(file, TOOLS)
    assert read.questions == [Question("2+2", ("calculator",), ("4",), "calculator"), Question("hi")]
    assert [p.split(":")[0] for p in read.problems] == [f"line {n}" for n in (3, 4, 5, 6, 7, 8, 9)]


def test_csv_has_the_same_columns(tmp_path: Path) -> None:
    file = write(
        tmp_path / "q.csv",
        '\ufeffquestion,tools,answer\n"1,5 + 2?",calculator,3.5; 3\u00bd\nhi,smalltalk,\n'
        "both,search;currency,\n,,\na,b,c,d\n",
    )
    read = read_questions(file)
    assert read.questions == [
        Question("1,5 + 2?", ("calculator",), ("3.5", "3\u00bd"), "calculator"),
        Question("hi", (), (), "smalltalk"),
        Question("both", ("search", "currency"), (), None),
    ]
    assert [p.split(":")[0] for p in read.problems] == ["line 5", "line 6"]


def test_a_csv_without_a_question_column_says_which_it_has(tmp_path: Path) -> None:
    read = read_questions(write(tmp_path / "q.csv", "foo,tools\nhi,\n"))
    assert not read.questions and "foo, tools" in read.problems[0] and "question" in read.problems[0]


CHAT = {
    "messages": [
        {"role": "user", "content": "what is 2+2 in words"},
        {"role": "assistant", "tool_calls": [{"function": {"name": "calculator", "arguments": "{}"}}]},
        {"role": "tool", "content": "4"},
        {"role": "assistant", "tool_calls": [{"function": {"name": "text", "arguments": "{}"}}]},
        {"role": "assistant", "content": "four"},
        {"role": "user", "content": "thanks"},
        {"role": "assistant", "content": "sure"},
    ]
}
RUN = to_json(
    RunResult(
        "p", "time?", "noon", None, None, (ToolResult(ToolCall("clock", {}), "12:00", None, 0.1),), Usage(), 1.0, None
    )
)
TRACE = [to_json(event) for event in events("router", "2+2", Act({"calculator": "4"}, "4"))]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.jsonl", '{"text": "2+2", "label": "calculator"}\n{"query": "hi", "intent": "smalltalk"}\n'),
        ("labels.json", '[{"prompt": "2+2", "tool": "calculator"}, {"prompt": "x", "tool": "none"}]'),
        ("semicolons.csv", "Text;Category\n2,5+2;calculator\nhi;smalltalk\n"),
        ("tabs.tsv", "question\ttool\n2+2\tcalculator\n"),
        ("chat.jsonl", json.dumps(CHAT) + "\n"),
        ("runs.jsonl", json.dumps(RUN) + "\n"),
        ("trace.json", json.dumps({"events": TRACE})),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_whatever_a_router_is_trained_from_is_a_question_set(tmp_path: Path, name: str, text: str) -> None:
    file = write(tmp_path / name, text)
    examples, problems = read_examples(file)
    read = read_questions(file, TOOLS)
    assert examples and not problems and not read.problems and not read.notes
    assert [q.text for q in read.questions] == [e.question for e in examples]
    for question, example in zip(read.questions, examples):
        assert (question.tools or (question.label or NONE,))[0] == example.tool


def test_a_chat_needs_all_the_tools_that_it_called(tmp_path: Path) -> None:
    asked, thanked = read_questions(write(tmp_path / "c.jsonl", json.dumps(CHAT))).questions
    assert (asked.tools, asked.label) == (("calculator", "text"), None)
    assert thanked == Question("thanks", ())


def test_a_tool_that_is_not_on_offer_is_a_question_without_an_expected_tool(tmp_path: Path) -> None:
    rows = [{"question": f"order {n}?", "tool": "order_status", "answer": "sent"} for n in range(12)]
    rows += [{"question": "both", "tools": ["calculator", "refund"]}, {"question": "2+2", "tool": "calculator"}]
    read = read_questions(write(tmp_path / "own.jsonl", "\n".join(map(json.dumps, rows))), TOOLS)
    assert len(read.questions) == 14 and not read.problems
    assert read.questions[0] == Question("order 0?", None, ("sent",), None)
    assert read.questions[12].tools is None and read.questions[13].tools == ("calculator",)
    orders, refunds = read.notes
    assert orders.startswith("lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more: the tool 'order_status' is not on offer")
    assert refunds.startswith("line 13: the tool 'refund' is not on offer here, so “right tool” is not counted.")
    assert score(Row(run_result_from_json(RUN), read.questions[0])).tool is None


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_questions(tmp_path / "q.jsonl")


def test_the_case_of_a_reference_counts_where_the_case_is_the_question() -> None:
    assert Question("shout hello", answers=("HELLO",)).exact_case
    assert not Question("capital of france", answers=("Paris",)).exact_case


@given(st.binary(max_size=300), st.sampled_from(["q.jsonl", "q.csv"]))
def test_any_file_gives_questions_and_problems_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    file = tmp_path_factory.mktemp("any") / name
    file.write_bytes(data)
    try:
        questions = read_questions(file).questions
    except ValueError as error:
        assert str(error).startswith(name)
    else:
        assert [from_row(to_row(q)) for q in questions] == questions
