"""A run writes each row once: stopping, crashing or starting again loses none and repeats none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from scripted_race import Act, ScriptedRace, events

from baselines.evaluate.questions import Question
from baselines.evaluate.runs import Judgement, RunConfig, read_rows, remaining, row_from_json, row_to_json, run
from router.types import RunResult, TraceEvent, Usage, run_result_from_json

PATHS = ("llm_chain", "tool_calling", "router")
QUESTIONS = [Question(f"what is {n} + {n}", ("calculator",), (str(2 * n),), "calculator") for n in range(10, 20)]


def add(path: str, question: str) -> Act:
    n = int(question.split()[2])
    confidence = 0.9 if path.startswith("router") else None
    return Act({"calculator": f"{n} + {n} = {2 * n}"}, f"{2 * n}.", confidence=confidence)


def keys(path: Path) -> list[tuple]:
    rows, problems = read_rows(path)
    assert not problems
    return [row.key for row in rows]


def test_every_path_writes_one_row_a_question(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    rows = list(run(QUESTIONS, ScriptedRace(add), RunConfig(PATHS, out)))
    assert keys(out) == [row.key for row in rows] and len(set(keys(out))) == 30
    assert [row_from_json(row_to_json(row)) for row in rows] == rows
    assert all(isinstance(run_result_from_json(json.loads(line)), RunResult) for line in out.open())


def test_running_again_runs_nothing_twice(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    list(run(QUESTIONS, ScriptedRace(add), RunConfig(PATHS, out)))
    again = ScriptedRace(add)
    assert list(run(QUESTIONS, again, RunConfig(PATHS, out))) == [] and again.asked == []


def test_a_longer_set_runs_only_what_is_new(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    list(run(QUESTIONS[:4], ScriptedRace(add), RunConfig(PATHS[:2], out)))
    assert remaining(QUESTIONS, RunConfig(PATHS, out)) == 22
    race = ScriptedRace(add)
    list(run(QUESTIONS, race, RunConfig(PATHS, out)))
    assert len(race.asked) == 22 and len(set(keys(out))) == len(keys(out)) == 30


@pytest.mark.parametrize("raised", [KeyboardInterrupt, MemoryError])
def test_an_interrupt_in_the_middle_of_a_question_keeps_the_paths_that_ended(
    tmp_path: Path, raised: type[BaseException]
) -> None:
    out = tmp_path / "runs.jsonl"

    def interrupted(question: str, paths: Sequence[str]) -> Iterator[TraceEvent]:
        for path in paths:
            if question == QUESTIONS[3].text and path == "tool_calling":
                yield events(path, question, add(path, question))[0]
                raise raised
            yield from events(path, question, add(path, question))

    with pytest.raises(raised):
        list(run(QUESTIONS, interrupted, RunConfig(PATHS, out)))
    assert len(keys(out)) == 10 and keys(out)[-1][:2] == ("llm_chain", QUESTIONS[3].text)
    list(run(QUESTIONS, ScriptedRace(add), RunConfig(PATHS, out)))
    assert len(set(keys(out))) == len(keys(out)) == 30


def test_a_line_that_a_crash_cut_short_is_run_again(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    list(run(QUESTIONS, ScriptedRace(add), RunConfig(PATHS, out)))
    whole = out.read_bytes()
    out.write_bytes(whole[:-37])
    race = ScriptedRace(add)
    list(run(QUESTIONS, race, RunConfig(PATHS, out)))
    assert race.asked == [("router", QUESTIONS[-1].text)] and out.read_bytes() == whole


def test_stop_writes_no_row_of_a_path_that_it_cut_short(tmp_path: Path) -> None:
    stop = threading.Event()
    out = tmp_path / "runs.jsonl"

    def stopped(question: str, paths: Sequence[str]) -> Iterator[TraceEvent]:
        yield from events("llm_chain", question, add("llm_chain", question))
        stop.set()
        for path in paths[1:]:
            yield from events(path, question, Act({}, error="Stopped."))

    assert [row.path for row in run(QUESTIONS, stopped, RunConfig(PATHS, out, stop=stop))] == ["llm_chain"]
    assert len(keys(out)) == 1


def test_an_error_is_a_row(tmp_path: Path) -> None:
    race = ScriptedRace(lambda path, question: Act({}, error="The model did not answer within 3 s."))
    (row,) = run(QUESTIONS[:1], race, RunConfig(PATHS[:1], tmp_path / "runs.jsonl"))
    assert row.result.answer is None and row.result.error == "The model did not answer within 3 s."


def test_a_path_that_never_ends_is_a_fault_and_no_row(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="without an answer or error of router"):
        list(run(QUESTIONS, lambda question, paths: iter(()), RunConfig(("router",))))


def test_equal_questions_are_told_apart(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    list(run([QUESTIONS[0]] * 3, ScriptedRace(add), RunConfig(("router",), out, repeats=2)))
    assert len(set(keys(out))) == 6


def test_the_branch_not_taken_is_run_once(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"

    def half(path: str, question: str) -> Act:
        n = int(question.split()[2])
        return Act({"calculator": str(2 * n)}, "x", confidence=0.3 if n % 2 else 0.9, abstained=bool(n % 2))

    config = RunConfig(("router",), out, branches=True)
    list(run(QUESTIONS, ScriptedRace(half), config))
    others = [key for key in keys(out) if key[0] != "router"]
    assert {key[0] for key in others if int(key[1].split()[2]) % 2} == {"router/routed"}
    assert {key[0] for key in others if not int(key[1].split()[2]) % 2} == {"router/abstained"} and len(others) == 10
    assert list(run(QUESTIONS, ScriptedRace(half), config)) == []


def test_rows_of_another_model_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    list(run(QUESTIONS[:1], ScriptedRace(add), RunConfig(PATHS, out, meta={"lm": "embedded"})))
    with pytest.raises(ValueError, match="'embedded'.*'openai/x'.*another --out"):
        list(run(QUESTIONS, ScriptedRace(add), RunConfig(PATHS, out, meta={"lm": "openai/x"})))


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    first = run(QUESTIONS, ScriptedRace(add), RunConfig(PATHS, out))
    next(first)
    with pytest.raises(ValueError, match="written by another run"):
        next(run(QUESTIONS, ScriptedRace(add), RunConfig(PATHS, out)))
    first.close()
    assert not list(tmp_path.glob("*.lock"))


def test_a_file_that_holds_no_runs_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "notes.jsonl"
    out.write_text("my notes\n")
    with pytest.raises(ValueError, match="no file of runs: line 1"):
        list(run(QUESTIONS, ScriptedRace(add), RunConfig(PATHS, out)))
    assert out.read_text() == "my notes\n"


def test_the_judge_is_asked_only_where_there_is_no_reference(tmp_path: Path) -> None:
    asked = []

    def judge(result: RunResult) -> Judgement:
        asked.append(result.question)
        return Judgement(True, Usage(1, 10, 1), "judge")

    out = tmp_path / "runs.jsonl"
    questions = [Question("what is 1 + 1", answers=("2",)), Question("what is 2 + x")]
    rows = list(run(questions, ScriptedRace(add), RunConfig(("router",), out, judge=judge)))
    assert asked == ["what is 2 + x"] and rows[1].judged is not None
    assert read_rows(out)[0] == rows


def test_where_the_rows_come_from_stands_once_a_session(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    config = RunConfig(PATHS, out, meta={"lm": "embedded", "commit": "abc"})
    list(run(QUESTIONS[:2], ScriptedRace(add), config))
    list(run(QUESTIONS, ScriptedRace(add), config))
    assert [bool(row.meta) for row in read_rows(out)[0]].count(True) == 2
