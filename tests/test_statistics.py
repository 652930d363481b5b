"""Figures say what happened, with intervals; what is not known is None and never 0."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_race import Act, Script, ScriptedRace

from baselines.evaluate.questions import Question
from baselines.evaluate.replay import replay, thresholds
from baselines.evaluate.runs import Row, RunConfig, run
from baselines.evaluate.statistics import (
    StatisticsConfig,
    bootstrap,
    break_even,
    disagreements,
    score,
    stability,
    summarise,
)

NUMBERS = range(10, 50)
QUESTIONS = [Question(f"what is {n} + {n}", ("calculator",), (str(2 * n),), "calculator") for n in NUMBERS]


def rows(script: Script, questions: list[Question] = QUESTIONS, **config: object) -> list[Row]:
    return list(run(questions, ScriptedRace(script), RunConfig(("llm_chain", "router"), **config)))  # type: ignore[arg-type]


def paths(path: str, question: str) -> Act:
    """The chain: 3 calls of 200 tokens, wrong for every fourth question. The router: 1 call, wrong for every tenth."""
    n = int(question.split()[2])
    if path == "llm_chain":
        right = n % 4 != 0
        return Act(
            {"calculator" if right else "search": str(2 * n) if right else "?"},
            f"{2 * n}" if right else "no idea",
            None,
            3,
            600,
            0.006,
            3.0,
        )
    return Act({"calculator": str(2 * n)}, f"{2 * n if n % 10 else 7}", None, 1, 100, 0.001, 1.0, 0.5 + n / 100)


def test_a_summary_counts_what_happened() -> None:
    summary = summarise(rows(paths))
    chain, router = summary["llm_chain"], summary["router"]
    assert (chain["runs"], chain["errors"], chain["calls"], chain["input_tokens"], chain["output_tokens"]) == (
        40,
        0,
        120,
        22800,
        1200,
    )
    assert chain["cost_usd"] == pytest.approx(0.24) and router["cost_usd"] == pytest.approx(0.04)
    assert chain["seconds"] == {"p50": 3.0, "p95": 3.0} and router["first_token"]["p50"] == 1.0
    assert (chain["tool_accuracy"], chain["result_accuracy"], chain["answer_accuracy"]) == (0.75, 0.75, 0.75)
    assert (router["tool_accuracy"], router["result_accuracy"], router["answer_accuracy"]) == (1.0, 1.0, 0.9)
    assert chain["cost_per_right_answer"] == pytest.approx(0.24 / 30)
    assert (
        router["decision_accuracy"] == 1.0 and chain["decision_accuracy"] is None and chain["judged_accuracy"] is None
    )


def test_intervals_hold_the_value() -> None:
    chain = summarise(rows(paths))["llm_chain"]
    low, high = chain["intervals"]["answer_accuracy"]
    assert 0.55 < low < 0.75 < high < 0.92
    low, high = chain["intervals"]["cost_per_right_answer"]
    assert low < chain["cost_per_right_answer"] < high


def test_paths_are_compared_on_the_questions_both_ran() -> None:
    some = [row for row in rows(paths) if row.path == "router" or int(row.question.text.split()[2]) < 30]
    versus = summarise(some)["router"]["versus"]["llm_chain"]
    assert versus["cases"] == 20
    assert versus["ratios"]["calls"] == {"value": 3.0, "interval": (3.0, 3.0)}
    assert versus["ratios"]["cost"]["value"] == pytest.approx(6.0)
    assert versus["differences"]["answer_accuracy"]["value"] == pytest.approx(0.9 - 0.75)
    low, high = versus["differences"]["answer_accuracy"]["interval"]
    assert low < 0.15 < high


def test_an_error_is_a_wrong_answer() -> None:
    failing = rows(lambda path, question: Act({}, error="timeout"))
    assert summarise(failing)["router"]["answer_accuracy"] == 0.0 and summarise(failing)["router"]["errors"] == 40


def test_an_unknown_price_is_none_and_never_zero() -> None:
    summary = summarise(rows(lambda path, question: Act({}, "x", cost=None)))
    assert summary["router"]["cost_usd"] is None and summary["router"]["cost_per_right_answer"] is None
    assert "cost" not in summary["router"]["versus"]["llm_chain"]["ratios"]


def test_a_path_without_calls_costs_nothing() -> None:
    assert summarise(rows(lambda path, question: Act({}, "x", calls=0)))["router"]["cost_usd"] == 0.0


def test_costs_can_be_priced_as_another_model() -> None:
    config = StatisticsConfig(price=lambda usage: usage.o200k_input * 1e-6, priced_as="some-model")
    router = summarise(rows(paths), config)["router"]
    assert router["cost_usd"] == pytest.approx(40 * 90e-6) and router["priced_as"] == "some-model"


def test_tools_are_right_when_just_those_needed_were_called() -> None:
    def called(*tools: str) -> Row:
        return rows(lambda path, question: Act(dict.fromkeys(tools, "1"), "1"), [question])[0]

    question = Question("both", ("search", "currency"), ())
    assert score(called("search", "currency")).tool and not score(called("search")).tool
    question = Question("hi", (), (), "smalltalk")
    assert score(called()).tool and not score(called("text")).tool
    question = Question("unlabelled")
    assert score(called("text")).tool is None and score(called("text")).answer is None


def test_repeats_are_no_further_evidence() -> None:
    once, thrice = summarise(rows(paths)), summarise(rows(paths, repeats=3))
    assert thrice["llm_chain"]["runs"] == 120
    assert thrice["llm_chain"]["intervals"]["answer_accuracy"] == once["llm_chain"]["intervals"]["answer_accuracy"]


def test_the_bootstrap_covers_the_mean_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    config = StatisticsConfig(resamples=400)
    hits = 0
    for _ in range(200):
        low, high = bootstrap(generator.random(60) < 0.7, lambda drawn: drawn.mean(axis=1), config) or (1.0, 0.0)
        hits += low <= 0.7 <= high
    assert 0.88 <= hits / 200 <= 0.99


def test_one_case_has_no_interval() -> None:
    assert summarise(rows(paths, QUESTIONS[:1]))["router"]["intervals"]["answer_accuracy"] is None


def test_disagreements_stand_side_by_side() -> None:
    found = disagreements(rows(paths))
    assert {int(d["question"].split()[2]) for d in found} == {n for n in NUMBERS if n % 4 == 0 or n % 10 == 0}
    assert found[0]["paths"]["llm_chain"]["answer"] != found[0]["paths"]["router"]["answer"]


def test_stability_counts_the_questions_on_which_a_path_changed() -> None:
    seen: dict[tuple[str, str], int] = {}

    def fickle(path: str, question: str) -> Act:
        seen[path, question] = seen.get((path, question), 0) + 1
        odd = path == "llm_chain" and int(question.split()[2]) < 20 and seen[path, question] == 2
        return Act({"search" if odd else "calculator": "1"}, "a  b" if seen[path, question] == 1 else "a b")

    found = stability(rows(fickle, repeats=3))
    assert found["llm_chain"] == {"cases": 40, "repeats": 3, "tool_changed": 0.25, "answer_changed": 0.0}
    assert found["router"]["tool_changed"] == 0.0
    assert stability(rows(paths)) == {}


def test_break_even_is_reached_only_where_something_is_saved() -> None:
    assert break_even(1.0, 0.003) == 334
    assert break_even(1.0, 0.0) is None and break_even(1.0, -0.1) is None
    assert break_even(0.0, 0.1) == 0


def branched(path: str, question: str) -> Act:
    """The router alone is right above a confidence of .7; the LLM is always right but costs three times as much."""
    n = int(question.split()[2])
    confidence = 0.5 + n / 100
    if path == "router/abstained":
        return Act(
            {"calculator": "r"}, str(2 * n), calls=2, tokens=300, cost=0.003, confidence=confidence, abstained=True
        )
    return Act({"calculator": "r"}, str(2 * n) if confidence > 0.7 else "wrong", confidence=confidence)


def test_the_threshold_moves_without_a_call() -> None:
    all_rows = rows(branched, branches=True)
    for threshold, accuracy, calls in ((0.0, 29 / 40, 40), (0.7001, 1.0, 40 + 11), (1.0, 1.0, 80)):
        replayed = replay(all_rows, threshold)
        summary = summarise(replayed.rows)["router"]
        assert not replayed.missing
        assert (summary["answer_accuracy"], summary["calls"]) == (pytest.approx(accuracy), calls)
    assert thresholds(all_rows)[0] == 0.0 and thresholds(all_rows)[-1] == 1.0 and len(thresholds(all_rows, 10)) <= 12


def test_what_cannot_be_replayed_is_said() -> None:
    replayed = replay(rows(branched), 0.7001)
    assert len(replayed.missing) == 11 and len(replayed.rows) == 29


def test_a_question_left_to_the_llm_for_another_reason_stays_with_it() -> None:
    def sure_but_unable(path: str, question: str) -> Act:
        return Act({}, "x", calls=2, tokens=300, confidence=0.9, abstained=True)

    all_rows = rows(sure_but_unable, branches=True)
    assert {row.path for row in all_rows} == {"llm_chain", "router"}
    for threshold in (0.1, 0.95):
        replayed = replay(all_rows, threshold)
        assert not replayed.missing and all(row.result.decision.abstained for row in replayed.rows)


def test_the_own_threshold_replays_the_run_itself() -> None:
    all_rows = rows(branched, branches=True)
    own = [row for row in all_rows if row.path == "router"]
    assert list(replay(all_rows, 0.5).rows) == own
