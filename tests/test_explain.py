"""Explanations are exact: what the words added is the margin."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routers import examples, small_router

from router.network.explain import explain
from router.network.features import tokenise

WORDS = ["what", "is", "the", "time", "weather", "in", "paris", "2", "+", "?", "flurb", "euro"]
QUESTIONS = [e.question for e in examples()[1]]


@pytest.mark.parametrize("question", QUESTIONS[::10])
def test_contributions_add_up_to_the_margin(question: str) -> None:
    why = explain(small_router(), question)
    probabilities = sorted(why.decision.probabilities.values(), reverse=True)
    assert why.base + sum(w.contribution for w in why.words) == pytest.approx(why.margin, abs=1e-4)
    assert why.margin >= 0
    assert probabilities[0] == why.decision.probabilities[why.tool]
    assert probabilities[1] == pytest.approx(why.decision.probabilities[why.runner_up], rel=1e-5)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=70))
def test_contributions_add_up_for_any_row_of_words(words: list[str]) -> None:
    why = explain(small_router(), " ".join(words), n_nearest=0)
    assert [w.word for w in why.words] == tokenise(" ".join(words))
    assert why.base + sum(w.contribution for w in why.words) == pytest.approx(why.margin, abs=1e-4)


def test_the_word_that_names_the_tool_speaks_for_it() -> None:
    why = explain(small_router(), "what is the weather in Oslo")
    assert why.tool == "weather"
    assert max(why.words, key=lambda w: w.contribution).word == "weather"


def test_any_label_can_be_compared_with() -> None:
    why = explain(small_router(), "what is the weather in Oslo", against="clock")
    assert why.runner_up == "clock"
    assert why.base + sum(w.contribution for w in why.words) == pytest.approx(why.margin, abs=1e-4)


def test_the_nearest_of_a_training_question_is_itself() -> None:
    question, label = small_router().memory[7]
    first = explain(small_router(), question).nearest[0]
    assert (first.question, first.tool) == (question, label)
    assert first.likeness == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("question", "against"), [("", None), ("time in paris", "nonsense")])
def test_what_cannot_be_explained_is_refused(question: str, against: str | None) -> None:
    with pytest.raises(ValueError):
        explain(small_router(), question, against=against)
