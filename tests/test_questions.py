"""Question sets are read row by row; what is wrong is said with its line and costs no other row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.evaluate.questions import Question, from_row, read_questions, to_row

BUNDLED = Path(__file__).parents[1] / "assets" / "questions.jsonl"
TOOLS = ("calculator", "unit_converter", "clock", "calendar", "currency", "search", "weather", "text")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_bundled_set_has_100_different_questions_over_all_labels() -> None:
    questions, problems = read_questions(BUNDLED, TOOLS)
    assert not problems
    assert len({q.text for q in questions}) == 100
    labels = Counter(q.label for q in questions)
    assert set(labels) == {*TOOLS, "smalltalk", "none"}
    assert all(labels[name] >= 8 for name in labels if name != "weather")


def test_a_bad_row_is_named_by_its_line_and_the_others_are_kept(tmp_path: Path) -> None:
    file = write(
        tmp_path / "q.jsonl",
        '{"question": "2+2", "tools": ["calculator"], "answer": 4}\n\nnot json\n{"question": ""}\n[1]\n'
        '{"question": "x", "tools": ["abacus"]}\n{"question": "y", "tools": ["none", "text"]}\n'
        '{"question": "z", "answer": {"a": 1}}\n{"question": "' + "long " * 900 + '"}\n{"question": "hi"}\n',
    )
    questions, problems = read_questions(file, TOOLS)
    assert questions == [Question("2+2", ("calculator",), ("4",), "calculator"), Question("hi")]
    assert [p.split(":")[0] for p in problems] == [f"line {n}" for n in (3, 4, 5, 6, 7, 8, 9)]


def test_csv_has_the_same_columns(tmp_path: Path) -> None:
    file = write(
        tmp_path / "q.csv",
        '\ufeffquestion,tools,answer\n"1,5 + 2?",calculator,3.5; 3\u00bd\nhi,smalltalk,\n'
        "both,search;currency,\n,,\na,b,c,d\n",
    )
    questions, problems = read_questions(file)
    assert questions == [
        Question("1,5 + 2?", ("calculator",), ("3.5", "3\u00bd"), "calculator"),
        Question("hi", (), (), "smalltalk"),
        Question("both", ("search", "currency"), (), None),
    ]
    assert [p.split(":")[0] for p in problems] == ["line 5", "line 6"]


def test_a_csv_without_a_question_column_says_which_it_has(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="text.*question.*header"):
        read_questions(write(tmp_path / "q.csv", "text,tools\nhi,\n"))


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
        questions, _ = read_questions(file)
    except ValueError as error:
        assert str(error).startswith(name)
    else:
        assert [from_row(to_row(q)) for q in questions] == questions
