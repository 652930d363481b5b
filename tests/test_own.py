"""A router for one's own tools: it knows what none of them serves, and says how good it is."""

from __future__ import annotations

import io
import json
import random
import sys
from functools import cache
from pathlib import Path

import pytest
from routers import own_rows as rows

from router.__main__ import main
from router.learning import synthetic
from router.learning.data import read_examples
from router.learning.own import ENOUGH, LIKE, NONE_ROWS, TARGET, Likeness, call_warnings, train, world
from router.network import Router
from router.types import NON_TOOLS, NONE, SMALLTALK, Example

QUESTIONS = [
    e.question for e in read_examples(Path(__file__).parents[1] / "assets" / "questions.jsonl", question_set=True)[0]
]


@cache
def trained() -> Router:
    return train(rows(30))


def test_what_no_own_tool_serves_goes_to_none() -> None:
    decisions = trained().decide_batch(QUESTIONS)
    assert sum(d.tool in NON_TOOLS for d in decisions) >= 0.95 * len(QUESTIONS)
    assert [d for d in decisions if d.tool not in NON_TOOLS and not d.abstained] == []
    decision = trained().decide("20 % of 45")
    assert decision.tool == NONE and not decision.abstained


def test_own_tools_are_recognised_in_other_words() -> None:
    asked = rows(30, seed=1)
    right = [
        d.tool == e.tool and not d.abstained for d, e in zip(trained().decide_batch([e.question for e in asked]), asked)
    ]
    assert sum(right) >= 0.95 * len(asked)


def test_a_threshold_stands_on_every_row_and_has_a_floor() -> None:
    assert trained().provenance["held_out"]["rows"] == 90
    assert trained().threshold >= TARGET.floor == 0.5
    assert trained().warnings == ()


def test_small_talk_and_none_are_mixed_in_as_far_as_they_are_missing() -> None:
    own = rows(10)
    counts = {label: sum(e.tool == label for e in world(own)) for label in NON_TOOLS}
    assert counts[NONE] >= 0.9 * NONE_ROWS[0] and counts[SMALLTALK] >= 0.4 * NONE_ROWS[0]
    some = synthetic.generate(NONE, 300, seed=5) + synthetic.generate(SMALLTALK, 100, seed=5)
    topped = world([*own, *some])
    assert 80 <= sum(e.tool == NONE for e in topped) <= 100 and 80 <= sum(e.tool == SMALLTALK for e in topped) <= 100
    enough = synthetic.generate(NONE, 400, seed=5) + synthetic.generate(SMALLTALK, 200, seed=5)
    assert world([*own, *enough]) == []


def sources(found: list[Example]) -> set[str]:
    return {e.source.split(":")[1] for e in found}


def test_a_built_in_tool_that_is_trained_is_not_the_world_outside() -> None:
    sums = synthetic.generate("calculator", 40, seed=5)
    assert "calculator" not in sources(world(sums)) and "clock" in sources(world(sums))


def test_a_built_in_tool_under_another_name_is_not_the_world_outside() -> None:
    own = [Example(e.question, "forecast") for e in synthetic.generate("weather", 40, seed=5)]
    assert "weather" not in sources(world(own)) and "clock" in sources(world(own))


def test_what_is_like_a_row_of_an_own_tool_is_not_taught_as_none() -> None:
    without = {e.question for e in world(rows(10))}
    own = [Example(e.question, "mine") for e in synthetic.generate(NONE, 200, seed=0)[:40]]
    assert len(without & {e.question for e in own}) >= 35
    assert not {e.question for e in world(own)} & {e.question for e in own}
    likeness = Likeness([Example(f"set an alarm for {hour} am", "alarm") for hour in range(5, 9)], QUESTIONS)
    like, unlike = likeness.of(["Set an alarm for 9 pm", "what is the meaning of life"])
    assert like >= LIKE > unlike


def test_too_few_rows_are_told_with_the_figure_and_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, folder = tmp_path / "few.jsonl", tmp_path / "router"
    labels = [e.tool for e in rows(3)]
    random.Random(1).shuffle(labels)  # nothing to learn
    lines = [json.dumps({"question": e.question, "tool": label}) for e, label in zip(rows(3), labels)]
    data.write_text("\n".join(lines), "utf-8")
    assert main(["train", str(data), "--out", str(folder), "--epochs", "1"]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out.splitlines()[-1])["warnings"]
    assert "of 9 held-out rows" in told[0] and f"at least {ENOUGH} rows a label" in told[0]
    assert "lights (3), parcel (3), ticket (3)" in told[1]
    assert all(f"warning: {warning}" in captured.err for warning in told)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"where is my order 4411\nhi\n")))
    assert main(["route", "--router", str(folder)]) == 0
    captured = capsys.readouterr()
    assert captured.err.count(f"warning: {told[0]}") == 1
    decided = json.loads(captured.out.splitlines()[0])
    assert decided["abstained"] or decided["tool"] == NONE
    assert Router.from_pretrained(folder).fillers >= {"please", "know"}  # from the router that ships: too few rows


@pytest.mark.parametrize(
    ("provable", "remedy"),
    [(0.93, "Give more rows, or --target 0.93, which is the highest that these prove."),
     (0.3, "Give more rows, or better ones.")],
)  # fmt: skip
def test_a_log_too_small_for_its_target_names_the_one_it_proves(provable: float, remedy: str) -> None:
    chosen = {"target": 0.97, "questions": 90, "right": 80, "sure": 0, "provable": provable}
    (warning,) = call_warnings(chosen, None)
    assert "at least 88 held-out calls" in warning and warning.endswith(remedy)
    assert not list(call_warnings(chosen | {"sure": 89}, None))


def test_rows_without_a_tool_are_refused() -> None:
    with pytest.raises(ValueError, match="name no tool"):
        train([Example("hello", SMALLTALK), Example("why", NONE)])


def test_a_training_is_checked_before_and_saved_whatever_a_label_or_a_character_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, folder = tmp_path / "odd.jsonl", tmp_path / "router"
    odd = ["where is my money?", "a/b \U0001f984", "x" * 300]
    lines = [json.dumps({"question": e.question, "label": odd[i % 3]}) for i, e in enumerate(rows(4))]
    data.write_text("\n".join([*lines, '{"question": "cut \\ud83d here", "label": "a/b"}', "{"]), "utf-8")
    assert main(["train", str(data), "--out", str(folder), "--epochs", "1"]) == 0
    assert set(odd) <= set(Router.from_pretrained(folder).labels)
    told = capsys.readouterr().err
    assert "odd.jsonl:14: not JSON" in told and "a/b: 1 from odd.jsonl\n" in told
    assert f"{odd[0]}: 4 from odd.jsonl\n" in told and f"{NONE}: " in told.split("epoch 1/1")[0]


def test_a_training_that_cannot_be_saved_does_not_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, taken = tmp_path / "a.jsonl", tmp_path / "taken"
    data.write_text("\n".join(json.dumps({"question": e.question, "tool": e.tool}) for e in rows(4)), "utf-8")
    taken.touch()
    assert main(["train", str(data), "--out", str(taken)]) == 2
    told = capsys.readouterr().err
    assert "taken is a file. Give a folder" in told and "epoch" not in told
