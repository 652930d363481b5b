"""Template questions: many, varied, seeded, and with arguments that the tools accept."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from router.builtin import default_tools
from router.learning import synthetic
from router.learning.synthetic.noise import garble
from router.learning.synthetic.slots import number_words
from tests.phrases import to_number


def test_there_are_150_templates_a_label_and_none_is_faulty() -> None:
    assert len(synthetic.LABELS) == 10
    assert min(synthetic.counts().values()) >= 150
    assert list(synthetic.check()) == []


@pytest.mark.parametrize("label", synthetic.LABELS)
def test_examples_are_different_questions_from_many_templates(label: str) -> None:
    examples = synthetic.generate(label, 600, seed=5)
    assert len({e.question for e in examples}) == len(examples) == 600
    assert len({e.source for e in examples}) >= 100
    assert not any("{" in e.question or "[" in e.question for e in examples)


def test_the_same_seed_gives_the_same_examples_and_another_seed_others() -> None:
    first, again, other = (synthetic.generate("search", 200, seed) for seed in (1, 1, 2))
    assert first == again
    assert len({e.question for e in first} & {e.question for e in other}) < 60


def test_held_out_templates_never_occur_in_training() -> None:
    kept, held = (synthetic.generate("none", 500, seed=1, held_out=side) for side in (False, True))
    assert {e.source for e in kept}.isdisjoint(e.source for e in held)


@pytest.mark.parametrize("label", ["calculator", "unit_converter", "clock", "calendar", "currency", "text"])
def test_arguments_of_clean_questions_run_on_the_tools(label: str) -> None:
    tool = default_tools()[label]
    examples = [e for e in synthetic.generate(label, 150, seed=11, noise=0.0) if e.arguments is not None]
    assert len(examples) > 60
    results = [tool.call(e.arguments) for e in examples]
    # a power may be too large, a place too small to be known; the rest must run
    assert sum(r.error is None for r in results) >= 0.95 * len(results), Counter(r.error for r in results).most_common(
        3
    )


@pytest.mark.parametrize("label", ["search", "weather"])
def test_arguments_of_the_other_tools_fit_their_schemas(label: str) -> None:
    tool = default_tools()[label]
    for example in synthetic.generate(label, 150, seed=11):
        if example.arguments is not None:
            tool.check(example.arguments)


def test_small_talk_is_multilingual() -> None:
    said = " ".join(e.question.lower() for e in synthetic.generate("smalltalk", 3_000, seed=0, noise=0.0))
    words = "hello merci gracias grazie obrigado dank danke tack спасибо ありがとう 谢谢 감사합니다 شكرا धन्यवाद"
    words += " teşekkürler kiitos dzięki ευχαριστώ"
    assert [word for word in words.split() if word not in said] == []


def test_a_literal_text_follows_its_garbled_question() -> None:
    for example in synthetic.generate("text", 500, seed=4, noise=1.0):
        if example.arguments is not None:
            assert example.arguments["text"] in example.question


def test_garbling_never_touches_digits() -> None:
    rng = random.Random(0)
    for _ in range(300):
        assert "12345" in garble("what is 12345 miles in kilometers?", "unit_converter", rng)


@pytest.mark.parametrize("n", [0, 7, 13, 20, 45, 100, 101, 342, 1_000, 1_001, 12_345, 999_999, 2_000_010])
def test_number_words_say_the_number(n: int) -> None:
    assert to_number(number_words(n)) == n
