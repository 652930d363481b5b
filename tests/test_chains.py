"""Chains of tools without a language model: right steps, no steps too many, silence where one is unsure."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.chains import MAX_STEPS, resolve
from router.network import Router
from router.shipped import check_chains
from router.synthetic import generate
from router.tools import ToolConfig, default_tools
from router.types import NON_TOOLS, Decision

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
TOOLS = default_tools(ToolConfig(now=lambda: NOW))
ROUTER = Router.from_pretrained()
CHAINS = Path(__file__).parent.parent / "assets" / "chains.jsonl"


@pytest.mark.parametrize(
    ("question", "tools", "result"),
    [
        ("20 % of the population of Malta", ["search", "calculator"], "20% of "),
        ("area of France in square miles", ["search", "unit_converter"], "mi²"),
        ("time now in the capital of Japan", ["search", "clock"], "Tokyo: 23:00"),
        ("what is the population of the capital of France", ["search", "search"], "Paris"),
        ("how many letters are in the capital of Peru", ["search", "text"], '"Lima" = 4'),
        ("spell the capital of Norway backwards", ["search", "text"], "olsO"),
        ("15% of 200 dollars in euros", ["calculator", "currency"], "30 USD"),
        ("convert 3 times 12 miles to km", ["calculator", "unit_converter"], "57.936"),
        ("how many days until christmas times 24", ["calendar", "calculator"], "= 792"),
        ("how many days until christmas in hours", ["calendar", "unit_converter"], "792 h"),
        ("square root of the atomic number of gold", ["search", "calculator"], "8.888"),
        ("100 dollars in the currency of Japan", ["search", "currency"], "JPY"),
        ("26.2 miles in km divided by 4", ["unit_converter", "calculator"], "10.54"),
        ("population of Malta divided by area of Malta", ["search", "search", "calculator"], " / 316 "),
        ("what is half of the area of Spain in acres", ["search", "calculator", "unit_converter"], "acre"),
    ],
)
def test_a_question_of_several_tools_is_resolved_step_by_step(question: str, tools: list[str], result: str) -> None:
    resolution = resolve(question, ROUTER, TOOLS)
    assert [step.call.tool for step in resolution.steps] == tools
    assert result in resolution.steps[-1].text
    assert len(resolution.spans) == len(resolution.sources) == len(tools)


def test_the_hand_written_questions_end_right_four_times_in_five() -> None:
    report = check_chains(ROUTER, TOOLS, CHAINS)
    assert report["questions"] == 60
    assert report["right"] >= 0.8, report["wrong"]


class Counting:
    """A router that counts its decisions."""

    def __init__(self) -> None:
        self.decisions = 0

    def decide(self, question: str) -> Decision:
        self.decisions += 1
        return ROUTER.decide(question)


@pytest.mark.parametrize(
    "question", ["what is 20% of 45", "time in Tokyo", "how many letters in banana", "thanks!", "why is the sky blue"]
)
def test_a_question_of_one_tool_costs_one_decision(question: str) -> None:
    router = Counting()
    resolve(question, router, TOOLS)
    assert router.decisions == 1


def test_questions_of_one_tool_are_not_taken_apart() -> None:
    apart = []
    for label in ("calculator", "unit_converter", "clock", "calendar", "currency", "search", "text", "weather"):
        for example in generate(label, 40, seed=31):
            if len(resolve(example.question, ROUTER, TOOLS).steps) > 1:
                apart.append(example.question)
    assert len(apart) <= 6, apart  # of 320; some do hold two steps ("what's half of 90 USD in yen")


def test_an_unsure_step_leaves_the_question_to_the_language_model() -> None:
    resolution = resolve("20% of the population of Atlantis", ROUTER, TOOLS)
    assert resolution.abstained and resolution.steps == () and "not sure" in resolution.reason


def test_a_router_that_abstains_is_obeyed() -> None:
    unsure = Decision("calculator", {"calculator": 0.4}, 0.1, True)
    resolution = resolve("what is 2 + 2", ROUTER, TOOLS, decision=unsure)
    assert resolution.abstained and resolution.steps == ()


def test_small_talk_and_questions_without_a_tool_run_nothing() -> None:
    for question in ("thank you so much!", "write a poem about autumn"):
        resolution = resolve(question, ROUTER, TOOLS)
        assert resolution.decision.tool in NON_TOOLS and not resolution.abstained and resolution.steps == ()


def test_open_slots_are_handed_on_and_nothing_runs() -> None:
    resolution = resolve("will it rain tomorrow", ROUTER, TOOLS)
    assert resolution.pending is not None and resolution.pending.missing == ("place",)
    assert resolution.steps == () and resolution.pending.arguments == {"day": "tomorrow"}


def test_quoted_text_is_data_and_no_question() -> None:
    resolution = resolve('how many words are in "the capital of Peru in euros"', ROUTER, TOOLS)
    assert [step.call.tool for step in resolution.steps] == ["text"]


def test_a_tool_that_is_not_on_offer_is_said_so() -> None:
    few = {name: TOOLS[name] for name in ("calculator", "clock")}
    resolution = resolve("capital of Peru", ROUTER, few)
    assert resolution.abstained and "'search'" in resolution.reason


def test_the_number_of_steps_is_limited() -> None:
    question = " plus ".join(f"population of {name}" for name in ("Malta", "Norway", "Peru", "Chile", "Cuba"))
    assert len(resolve(question, ROUTER, TOOLS).steps) <= MAX_STEPS


@pytest.mark.parametrize(
    "question", ["", "   ", "?" * 200, "the capital of " * 60, "% of in to " * 20, "a" * 5_000, "\x00"]
)
def test_odd_questions_end_quietly(question: str) -> None:
    resolution = resolve(question, ROUTER, TOOLS)
    assert len(resolution.steps) <= MAX_STEPS
