"""The growth benchmark: real paths, a model that never errs, prompts measured."""

from __future__ import annotations

import pytest

from baselines.evaluate.catalogue import SIZES, read_catalogue, registry, schema
from baselines.evaluate.growth import CacheRule, cells, measure, prompts_table, ratios
from baselines.evaluate.scripted import read_courses
from router.builtin import default_tools
from router.types import Decision


class FirstTool:
    """A router that chooses the first tool that a question needs, as sure as it is told to be."""

    threshold = 0.5

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence
        self.first = {course.question: course.steps[0].tool for course in read_courses()}

    def decide(self, question: str) -> Decision:
        if question not in self.first:  # a span of a question
            return Decision("none", {"none": 0.0}, 0.0, True)
        tool = self.first[question]
        return Decision(tool, {tool: self.confidence}, self.confidence, self.confidence < self.threshold)


def test_there_are_200_tools_and_each_size_can_be_made() -> None:
    assert len(read_catalogue()) == 192 and not set(read_catalogue()) & set(default_tools())
    for size in SIZES:
        assert len(registry(size)) == size
    assert list(registry(5, ["text", "search"]))[:2] == ["text", "search"]
    with pytest.raises(ValueError, match="201.*choose from 0 to 200"):
        registry(201)


def test_a_parameter_that_does_not_fit_is_named() -> None:
    assert schema("a:string one; b?:x|y two; c:integer[] three; d:date four")["required"] == ["a", "c", "d"]
    with pytest.raises(ValueError, match="'nonsense'"):
        schema("nonsense")


def test_every_course_runs_as_written() -> None:
    tools = default_tools()
    for course in read_courses():
        for step in course.steps:
            assert tools[step.tool].call(step.arguments).output is not None, (course.question, step)
            assert tools[step.tool].parse(step.input) is not None, (course.question, step.input)


def test_calls_grow_as_they_must_and_the_router_sees_no_registry_unless_it_hands_over() -> None:
    courses = [next(c for c in read_courses() if len(c.steps) == k) for k in (1, 4)]
    rows = list(measure(FirstTool(0.9), (5, 100), courses))
    found = {(r["path"], r["registry"], r["needed"]): r for r in rows}
    assert not [r["error"] for r in rows if r["error"]]
    for k in (1, 4):
        for size in (5, 100):
            assert found["llm_chain", size, k]["calls"] == 2 * k + 1
            assert found["tool_calling", size, k]["calls"] == k + 1
        assert found["tool_calling", 100, k]["context"][0] > 5 * found["tool_calling", 5, k]["context"][0]
        assert found["llm_chain", 100, k]["right_tools"] and found["tool_calling", 100, k]["right_tools"]
    assert found["router", 100, 1]["context"] == found["router", 5, 1]["context"]
    assert found["router", 100, 4]["context"] == found["tool_calling", 100, 4]["context"]  # one tool does not answer it
    assert found["tool_calling", 100, 4]["cached"] > 3 * found["tool_calling", 100, 4]["context"][0] * 0.9
    assert found["tool_calling", 5, 1]["cached"] <= sum(found["tool_calling", 5, 1]["context"])


def test_an_unsure_router_costs_what_tool_calling_costs() -> None:
    course = read_courses()[0]
    rows = {r["path"]: r for r in measure(FirstTool(0.1), (10,), [course])}
    assert rows["router"]["o200k_input"] == rows["tool_calling"]["o200k_input"] and rows["router"]["abstained"]


def test_ratios_have_intervals_and_unknown_prices_are_none() -> None:
    rows = list(measure(FirstTool(0.9), (5,), read_courses()[:5]))
    against = {cell["against"]: cell for cell in ratios(rows, "gpt-4o")}
    assert against["llm_chain"]["calls"]["value"] == pytest.approx(3.0)
    low, high = against["llm_chain"]["tokens"]["interval"]
    assert low <= against["llm_chain"]["tokens"]["value"] <= high
    assert all(cell["cost"] is None for cell in cells(rows, "no/such-model"))
    assert all(cell["cost_cached"] <= cell["cost"] for cell in cells(rows, "gpt-4o"))


def test_the_cache_serves_long_prefixes_only_in_steps() -> None:
    from baselines.evaluate.growth import _cached

    prefix = "one two three four five six seven eight " * 200
    assert _cached([prefix + "a"], prefix + "b") % CacheRule().step == 0 < _cached([prefix + "a"], prefix + "b")
    assert _cached(["short a"], "short b") == 0 and _cached([], prefix) == 0


def test_the_prompts_table_counts_every_prompt() -> None:
    table = prompts_table()
    assert all(
        f"| {role} |" in table for role in ("plan", "interpret", "conclude", "call", "write", "chat", "teach", "fill")
    )
