"""The gate: what is proven acts, looking often proves nothing more, and what changes is noticed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from router.handover.evidence import NEVER, Alarm, greatest_share, least_share, prove, spent
from router.handover.gate import SCOPES, Comparison, GateConfig, Gates, Usual, ceiling


def comparisons(n: int, agreement: float, tool: str = "lamp", start: int = 0, seed: int = 0) -> list[Comparison]:
    """Comparisons that agree alike whatever their confidence."""
    pick = random.Random(seed)
    found = []
    for row in range(start, start + n):
        agreed = pick.random() < agreement
        found.append(
            Comparison(row, tool, dict.fromkeys(SCOPES, 0.5 + pick.random() / 2), dict.fromkeys(SCOPES, agreed))
        )
    return found


def live(gates: Gates, tool: str = "lamp") -> dict[str, bool]:
    return {scope: gates.gate(scope, tool).state == "live" for scope in SCOPES}


# ---------------------------------------------------------------- evidence


@pytest.mark.parametrize(
    ("hits", "trials", "bound"), [(59, 59, 0.9505), (0, 10, 0.0), (95, 100, 0.8977), (10, 10, 0.7411)]
)
def test_the_bound_is_clopper_and_pearsons(hits: int, trials: int, bound: float) -> None:
    assert least_share(hits, trials, 0.05) == pytest.approx(bound, abs=2e-4)


def test_the_upper_bound_of_nothing_tried_is_one() -> None:
    assert greatest_share(0, 0, 0.05) == 1.0


def test_all_looks_together_spend_no_more_than_the_error() -> None:
    assert sum(spent(0.05, look) for look in range(1, 10_000)) == pytest.approx(0.05, rel=1e-3)


def test_thresholds_tried_on_chance_prove_a_target_no_more_often_than_the_error_allows() -> None:
    pick, false = random.Random(1), 0
    for _ in range(200):  # the true agreement is just under the target, at every threshold
        scores = [pick.random() for _ in range(300)]
        false += prove(scores, [pick.random() < 0.949 for _ in scores], 0.95, 0.05).proven
    assert false <= 18  # 10 expected at most; more than 18 have a chance under 1 %


def test_the_threshold_takes_in_what_agrees_and_leaves_out_what_does_not() -> None:
    scores = [i / 1000 for i in range(1000)]
    proof = prove(scores, [score >= 0.5 for score in scores], 0.95, 0.05)
    assert proof.proven and 0.46 < proof.threshold < 0.53 and proof.bound >= 0.95


def test_a_confidence_of_zero_is_never_taken_in() -> None:
    assert prove([0.0] * 500, [True] * 500, 0.95, 0.05).accepted == 0


def test_an_alarm_is_silent_while_nothing_changes_and_rings_soon_after() -> None:
    pick, rang = random.Random(2), 0
    for _ in range(40):
        alarm = Alarm(0.05, 2_000)
        rang += any(alarm.hear(pick.random() < 0.05) for _ in range(1_000))
    assert rang <= 20  # at 1 in 2,000 at most half of them
    alarm, heard = Alarm(0.05, 2_000), 0
    while not alarm.hear(pick.random() < 0.25):
        heard += 1
    assert heard < 120


# ---------------------------------------------------------------- states


def test_a_tool_that_agrees_goes_live_and_one_that_does_not_stays_in_shadow() -> None:
    gates = Gates(GateConfig(own=300))
    gates.judge(comparisons(500, 0.995) + comparisons(500, 0.8, "parcel", 500), at=1_000)
    assert live(gates) == {"tool": True, "call": True}
    assert live(gates, "parcel") == {"tool": False, "call": False}
    assert gates.gate("call", "parcel").state == "shadow" and gates.gate("call", "parcel").threshold == NEVER


def test_a_tool_that_no_model_reads_is_collecting() -> None:
    assert Gates().gate("call", "lamp").state == "collecting"


def test_tools_of_few_comparisons_share_a_proof() -> None:
    gates = Gates()
    gates.judge([one for i in range(10) for one in comparisons(40, 1.0, f"tool{i}", 40 * i)], at=400)
    assert live(gates, "tool3") == {"tool": True, "call": True} and gates.gate("call", "tool3").shared


def test_too_few_comparisons_prove_nothing_and_cost_no_look() -> None:
    gates = Gates()
    gates.judge(comparisons(50, 1.0), at=50)
    assert not any(live(gates).values()) and gates.looks == {"tool": 0, "call": 0}


def test_looking_after_every_few_rows_does_not_make_a_bad_router_live() -> None:
    false = 0
    for seed in range(12):
        gates, every = Gates(), comparisons(1_500, 0.945, seed=seed)
        for n in range(100, 1_500, 100):
            gates.judge(every[:n], at=n)
            if live(gates)["call"]:
                false += 1
                break
    assert false <= 3


@pytest.mark.parametrize(("before", "agreement"), [(5, 1.0), (40, 1.0), (200, 0.9)])
def test_so_many_more_agreeing_calls_as_are_missing_prove_it_and_fewer_do_not(before: int, agreement: float) -> None:
    def after(more: int) -> Gates:
        gates = Gates(GateConfig(own=1))
        assert gates.gate("call", "lamp").missing is None
        gates.judge(old, at=before)
        sure = [replace(one, confidence=dict.fromkeys(SCOPES, 1.0)) for one in comparisons(more, 1.0, start=before)]
        gates.judge(old + sure, at=before + more)
        return gates

    old = comparisons(before, agreement, seed=3)
    missing = after(0).gate("call", "lamp").missing
    assert live(after(missing))["call"] and not live(after(missing - 1))["call"]


def test_a_target_above_the_llms_own_consistency_is_refused_with_the_reason() -> None:
    gates = Gates(GateConfig(target=0.98))
    gates.judge(comparisons(2_000, 1.0), at=2_000, ceiling=ceiling(180, 200))
    assert not any(live(gates).values())
    assert "asked twice" in gates.gate("call", "lamp").reason and "98.0%" in gates.gate("call", "lamp").reason


def test_consistency_bounds_agreement_by_its_root() -> None:
    assert ceiling(0, 0) == 1.0
    assert ceiling(9_025, 10_000) == pytest.approx(0.95, abs=0.005)


# ---------------------------------------------------------------- alarms


def ready(**config: float) -> Gates:
    gates = Gates(GateConfig(**config))
    gates.judge(comparisons(2_000, 0.99), at=2_000, usual=Usual(0.1))
    assert all(live(gates).values())
    return gates


def until_paused(gates: Gates, agreement: float, most: int = 3_000) -> int | None:
    for i, one in enumerate(comparisons(most, agreement, start=2_000, seed=5)):
        gates.compare(replace(one, confidence=dict.fromkeys(SCOPES, 1.0)), drawn=True)
        if not live(gates)["call"]:
            return i
    return None


def test_less_agreement_than_proven_pauses_at_once() -> None:
    assert (until_paused(ready(), 0.8) or 999) < 100


def test_the_agreement_that_was_proven_does_not_pause() -> None:
    assert until_paused(ready(), 0.99) is None


def test_before_it_pauses_the_audit_sample_becomes_everything() -> None:
    gates = ready()
    assert not gates.uneasy
    for one in comparisons(2, 0.0, start=2_000):
        gates.compare(replace(one, confidence=dict.fromkeys(SCOPES, 1.0)), drawn=True)
    assert gates.uneasy and all(live(gates).values())


@pytest.mark.parametrize(("confidence", "unseen"), [(0.0, False), (1.0, True)])
def test_questions_in_doubt_or_of_unseen_words_pause(confidence: float, unseen: bool) -> None:
    gates, heard = ready(), 0
    while live(gates)["tool"]:
        gates.watch("lamp", dict.fromkeys(SCOPES, confidence), unseen, 2_000 + heard)
        heard += 1
        assert heard < 60
    assert "changed" in gates.gate("tool", "lamp").reason


def test_a_changed_schema_pauses_its_tool_and_no_other() -> None:
    gates = Gates(GateConfig(own=300))
    gates.judge(comparisons(500, 1.0) + comparisons(500, 1.0, "parcel", 500), at=1_000)
    gates.schema_changed("lamp", 1_000)
    assert not any(live(gates).values()) and all(live(gates, "parcel").values())
    assert gates.gate("call", "lamp").state == "paused"


def test_a_further_look_takes_nothing_back_and_lets_the_alarms_go_on() -> None:
    gates = ready()
    for one in comparisons(1, 0.0, start=2_000):
        gates.compare(replace(one, confidence=dict.fromkeys(SCOPES, 1.0)), drawn=True)
    heard, looks = gates.alarms["call"].raised, gates.looks["call"]
    gates.judge_again(comparisons(200, 0.9), at=2_001)
    assert all(live(gates).values()) and gates.looks["call"] == looks + 1
    assert gates.alarms["call"].raised == heard != (0.0,) * 3


def test_a_further_look_proves_what_more_comparisons_show() -> None:
    gates, few = Gates(), comparisons(60, 1.0)
    gates.judge(few, at=60)
    gates.judge_again(few + comparisons(200, 1.0, start=60), at=260)
    assert all(live(gates).values())


def test_what_is_shown_of_more_comparisons_decides_nothing() -> None:
    gates = Gates(GateConfig(own=1))
    gates.judge(comparisons(20, 1.0), at=20)
    seen = gates.shown(comparisons(400, 1.0))
    assert seen.gate("call", "lamp").proof.seen == 400 and not any(live(seen).values())
    assert gates.gate("call", "lamp").proof.seen == 20 and gates.looks == seen.looks == {"tool": 0, "call": 0}


def test_what_was_proven_before_a_pause_is_void_after_it() -> None:
    gates, old = ready(), comparisons(2_000, 0.99)
    gates.schema_changed("lamp", 2_000)
    gates.judge(old, at=2_001)
    assert not any(live(gates).values())
    gates.judge(old + comparisons(500, 1.0, start=2_001), at=2_501)
    assert all(live(gates).values())


def test_a_person_pauses_and_promotes_whatever_is_proven() -> None:
    gates = ready()
    gates.pause("lamp", 2_000)
    gates.judge(comparisons(2_000, 1.0), at=2_001)
    assert not any(live(gates).values())
    gates.promote("lamp", 2_002)
    gates.judge(comparisons(2_000, 0.8), at=2_003)
    assert all(live(gates).values())
    with pytest.raises(ValueError, match="no gate for 'oven'"):
        gates.pause("oven", 0)


def test_gates_come_back_from_json_as_they_were() -> None:
    gates = ready()
    again = Gates.from_json(gates.as_json())
    assert (again.gates, again.looks, again.alarms) == (gates.gates, gates.looks, gates.alarms)


@pytest.mark.parametrize("target", [0.0, 1.0, 1.5])
def test_a_target_that_is_no_share_is_refused(target: float) -> None:
    with pytest.raises(ValueError, match="target is"):
        GateConfig(target=target)
