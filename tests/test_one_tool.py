"""An agent with one tool, which nobody greets: its log has one label, and the world outside is the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from call_log import SMALL, log

from router.handover.learner import LearnerConfig, Lesson, train_candidate
from router.types import NONE, Example

QUICK = LearnerConfig(replace(SMALL, epochs=1, least_steps=50), folds=(2, 2))
LAMP = [example for example in log(200) if example.tool == "lamp"]


@pytest.mark.parametrize("talk", [[], [Example("hello", NONE, {})]], ids=["no talk", "one greeting"])
def test_one_tool_is_learned_and_what_belongs_to_none(talk: list[Example]) -> None:
    lessons = [Lesson(row, example) for row, example in enumerate([*LAMP, *talk], 1)]
    found = train_candidate(lessons, QUICK)
    assert found.rows == len(lessons) == len(found.comparisons)
    assert {one.row for one in found.comparisons} == {lesson.row for lesson in lessons}
    assert sum(one.agreed["tool"] for one in found.comparisons) >= 0.9 * len(lessons)
    assert found.model.router.labels.count("lamp") == 1 and set(found.model.router.labels) == {"lamp", NONE}
    assert found.model.call("please turn on the lights in the attic").tool == "lamp"
    outside = ["what is the capital of france", "how many miles are 10 km", "who wrote hamlet", "good morning"]
    assert [found.model.call(question).tool for question in outside] == 4 * [NONE]


def test_a_log_without_a_tool_teaches_nothing() -> None:
    lessons = [Lesson(row, Example(f"hello {row}", NONE, {})) for row in range(1, 20)]
    with pytest.raises(ValueError, match="a router needs two"):
        train_candidate(lessons, QUICK)
