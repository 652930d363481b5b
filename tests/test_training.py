"""Training and calibration: repeatable, stoppable, honest about what was chosen on which data."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from routers import SMALL, examples, small_router

from router.learning.data import folds
from router.learning.distillation import DistillationConfig, augment, fit_distilled
from router.learning.training import (
    MEMORY,
    Progress,
    balance,
    calibrate,
    evaluate,
    find_fillers,
    fit_on_folds,
    fit_supervised,
    hold_out,
    remember,
)
from router.network.calibration import (
    UNKNOWN,
    AbstentionTarget,
    auroc,
    choose_threshold,
    expected_calibration_error,
    fit_confidence,
    fit_temperature,
    macro_f1,
    softmax,
    wilson,
)
from router.types import Example

SHORT = replace(SMALL, epochs=2)
FEW = examples()[0][::6]


def test_the_same_seed_gives_the_same_router() -> None:
    first, second, other = (fit_supervised(FEW, replace(SHORT, seed=s)) for s in (1, 1, 2))
    questions = [e.question for e in examples()[1]]
    assert np.array_equal(first.logits(questions), second.logits(questions))
    assert not np.array_equal(first.logits(questions), other.logits(questions))


def test_training_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    fit_supervised(FEW, SHORT)
    assert torch.equal(torch.rand(3), wanted)


def test_a_listener_sees_every_epoch_and_may_break_off() -> None:
    seen: list[Progress] = []
    fit_supervised(FEW, SHORT, seen.append)
    assert [p.epoch for p in seen] == [1, 2]
    assert seen[1].loss < seen[0].loss

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_supervised(FEW, SHORT, stop)


def test_training_stops_early_when_validation_gets_no_better() -> None:
    seen: list[Progress] = []
    shuffled = [replace(e, tool=FEW[-1 - i].tool) for i, e in enumerate(FEW)]  # nothing to learn
    fit_supervised(shuffled, replace(SMALL, epochs=40, patience=2), seen.append)
    assert len(seen) < 40
    best = min(seen, key=lambda p: p.validation_loss).epoch
    assert seen[-1].epoch == best + 2


@pytest.mark.parametrize("few", [[], [Example("a b", "x")] * 4, [Example("a", "x"), Example("b", "y")]])
def test_too_little_data_is_refused(few: list[Example]) -> None:
    with pytest.raises(ValueError, match="examples"):
        fit_supervised(few, SHORT)


def test_held_out_examples_are_of_every_label_and_not_trained_on() -> None:
    training, held = hold_out(FEW, 0.2, seed=0)
    assert {e.tool for e in held} == {e.tool for e in training} == {e.tool for e in FEW}
    assert len(training) + len(held) == len(FEW)
    assert not {id(e) for e in training} & {id(e) for e in held}


def test_each_row_is_held_out_once_by_a_router_that_had_not_seen_it() -> None:
    parts = folds(FEW, 3, seed=0)
    seen: list[Progress] = []
    router, held, right = fit_on_folds(parts, SHORT, seen.append)
    assert sorted(e.question for e in held) == sorted(e.question for e in FEW)
    assert [p.epoch for p in seen] == list(range(1, 9)) and seen[0].epochs == 8
    assert [p.validation_loss is None for p in seen] == [False] * 6 + [True] * 2
    assert router.calibration.chosen_on["questions"] == len(right) == len(FEW)
    learned = [d.tool == e.tool for d, e in zip(router.decide_batch([e.question for e in held]), held)]
    assert np.mean(right) < np.mean(learned)


def test_one_part_is_too_few_to_hold_out() -> None:
    with pytest.raises(ValueError, match="two of each"):
        fit_on_folds([FEW], SHORT)


def test_as_many_questions_of_each_label_are_remembered() -> None:
    rows = [Example(f"question {i} of {label}", label) for label in "abcde" for i in range(2 * MEMORY)]
    kept = [label for _, label in remember(rows, 0)]
    assert len(kept) == MEMORY and kept.count("a") == kept.count("e")


def test_words_that_go_with_every_label_are_fillers() -> None:
    rows = [
        Example(f"please {label} {i} now" if i % 2 else f"{label} {i}", label) for label in "abcd" for i in range(40)
    ]
    rows += [Example("rarely seen", label) for label in "abcd"]
    assert find_fillers(rows) == {"please", "now"}


def test_a_label_with_more_rows_makes_no_word_a_filler_of_its_own() -> None:
    many = [Example("could you sing", "a")] * 300 + [Example("could you hum", "b")] * 30
    assert find_fillers(many) == {"could", "you"}


def test_rare_labels_weigh_more() -> None:
    weights = balance(np.array([0] * 9 + [1]), 2)
    assert weights[9] == pytest.approx(3 * weights[0])
    assert weights.mean() == pytest.approx(1)


def test_a_router_says_where_it_comes_from() -> None:
    about = small_router().provenance
    assert about["examples"] and len(about["data_sha256"]) == 64 and about["settings"]["seed"] == SMALL.seed
    chosen = small_router().calibration.chosen_on
    assert chosen["target"] == "coverage 0.95" and chosen["questions"] and len(chosen["sha256"]) == 64
    low, high = chosen["coverage_interval"]
    assert low <= chosen["coverage"] <= high


def test_a_coverage_target_is_kept_on_the_data_it_was_chosen_on() -> None:
    for value in (0.8, 0.95, 1.0):
        router = calibrate(small_router(), examples()[1], AbstentionTarget("coverage", value))
        assert evaluate(router, examples()[1])["coverage"] == pytest.approx(value, abs=0.01)


def test_an_error_target_is_kept_on_the_data_it_was_chosen_on() -> None:
    strict = calibrate(small_router(), examples()[1], AbstentionTarget("error", 0.02))
    loose = calibrate(small_router(), examples()[1], AbstentionTarget("error", 0.10))
    assert 1 - evaluate(strict, examples()[1])["selective_accuracy"] <= 0.02
    assert evaluate(loose, examples()[1])["coverage"] > evaluate(strict, examples()[1])["coverage"]


def test_a_threshold_is_never_below_its_floor() -> None:
    for kind in ("coverage", "error"):
        target = AbstentionTarget(kind, 0.9, floor=0.97)
        assert calibrate(small_router(), examples()[1], target).threshold >= 0.97


def test_with_little_evidence_the_confidence_is_the_highest_probability() -> None:
    router = calibrate(small_router(), examples()[1][::9])
    assert router.calibration.confidence is None
    for decision in router.decide_batch([e.question for e in examples()[1][:20]]):
        assert decision.confidence == pytest.approx(max(decision.probabilities.values()), rel=1e-5)


def test_unknown_labels_calibrate_as_out_of_scope() -> None:
    outside = [Example(q, "no such tool") for q in ("sing me a song", "paint the fence", "who won the cup")]
    router = calibrate(small_router(), [*examples()[1], *outside])
    assert router.calibration.chosen_on["out_of_scope"] == 3


@pytest.mark.parametrize("target", [("coverage", 1.2), ("error", -0.1), ("speed", 0.5), ("error", 0.1, 2)])
def test_unfit_targets_are_refused(target) -> None:
    with pytest.raises(ValueError):
        AbstentionTarget(*target)


def test_calibrating_on_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to calibrate"):
        calibrate(small_router(), [])


class TestMeasures:
    RNG = np.random.default_rng(0)

    def test_temperature_undoes_a_scaling_of_calibrated_logits(self) -> None:
        z = self.RNG.normal(size=(4000, 5)) * 2
        y = np.array([self.RNG.choice(5, p=p) for p in softmax(z)])
        assert fit_temperature(z, y) == pytest.approx(1, abs=0.1)
        assert fit_temperature(z * 7, y) == pytest.approx(7, rel=0.1)
        assert expected_calibration_error(softmax(z), y) < 0.03 < expected_calibration_error(softmax(z * 7), y)

    def test_a_few_rows_that_are_all_right_prove_no_certainty(self) -> None:
        z = np.eye(3)[[0, 1, 2] * 4] * 2
        p = softmax(z / fit_temperature(z, np.array([0, 1, 2] * 4)))
        assert p.max() == pytest.approx(13 / 14, abs=1e-3)

    def test_confidence_rises_with_energy_and_with_probability(self) -> None:
        z = self.RNG.normal(size=(4000, 5)) * 3
        y = np.array([self.RNG.choice(5, p=p) for p in softmax(z)])
        y[z.max(1) < 1] = UNKNOWN
        a, b, _ = fit_confidence(z, y)
        assert a >= 0 and b >= 0 and a + b > 0

    def test_confidence_is_not_fitted_where_nothing_is_wrong(self) -> None:
        z = np.eye(3)[[0, 1, 2]] * 5
        assert fit_confidence(z, np.array([0, 1, 2])) is None

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=60),
        st.floats(0, 1),
    )
    def test_an_error_target_is_kept_or_out_of_reach(self, rows, value: float) -> None:
        confidence, right = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
        inside = np.ones(len(rows), bool)
        threshold = choose_threshold(confidence, right, inside, AbstentionTarget("error", value))
        errors = [1 - right[confidence >= t].mean() for t in np.unique(confidence)]
        found = 1 - right[confidence >= threshold].mean()
        assert found <= value if min(errors) <= value else found == min(errors)

    def test_auroc_counts_pairs(self) -> None:
        inside, outside = self.RNG.integers(0, 9, 40), self.RNG.integers(0, 7, 30)
        pairs = [(a > b) + 0.5 * (a == b) for a in inside for b in outside]
        assert auroc(inside, outside) == pytest.approx(np.mean(pairs))

    def test_calibration_error_of_one_bin(self) -> None:
        p = np.array([[0.9, 0.1]] * 10)
        assert expected_calibration_error(p, np.array([0] * 6 + [1] * 4)) == pytest.approx(0.3)

    def test_macro_f1_by_hand(self) -> None:
        # label 0: precision 1/2, recall 1 → 2/3; label 1: precision 1, recall 1/2 → 2/3; label 2 never occurs
        assert macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1]), 3) == pytest.approx(2 / 3)

    @given(st.integers(0, 50), st.integers(1, 50))
    def test_an_interval_holds_its_share(self, hits: int, n: int) -> None:
        hits = min(hits, n)
        low, high = wilson(hits, n)
        assert 0 <= low <= hits / n + 1e-9 and hits / n - 1e-9 <= high <= 1
        assert math.isclose(wilson(50, 100)[0], 0.4038, abs_tol=1e-3)


class TestDistillation:
    def test_new_texts_are_new_and_seeded(self) -> None:
        made = augment(FEW, 50, seed=1)
        assert len(made) == len(set(made)) == 50
        assert not {t.lower() for t in made} & {e.question.lower() for e in FEW}
        assert augment(FEW, 50, seed=1) == made != augment(FEW, 50, seed=2)
        assert augment(FEW, 90, seed=1)[:50] == made

    def test_a_student_learns_what_only_the_teacher_knows(self) -> None:
        """The examples' labels are shuffled; the teacher labels by the router trained on the right ones."""
        wrong = [replace(e, tool=FEW[-1 - i].tool) for i, e in enumerate(FEW)]
        config = DistillationConfig(training=replace(SMALL, epochs=9), hard_share=0.0, pool=200)
        student = fit_distilled(wrong, small_router().logits, config, validation=examples()[1])
        assert evaluate(student, examples()[1])["accuracy"] > 0.6

    def test_a_teacher_of_other_labels_is_refused(self) -> None:
        with pytest.raises(ValueError, match="7 labels"):
            fit_distilled(FEW, lambda texts: np.zeros((len(texts), 7)), DistillationConfig(pool=10, training=SHORT))
