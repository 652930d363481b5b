"""Examples that a language model writes: kept when new, clean and clear; every other one is accounted for."""

from __future__ import annotations

import json

import dspy
import pytest
from scripted_lm import ScriptedEngine

from router.builtin import default_tools
from router.learning.data import read_examples, write_examples
from router.learning.synthesize import Likeness, SynthesisConfig, synthesize
from router.network import Router

TOOLS = {"clock": default_tools()["clock"]}


def lm_of(*replies: str) -> dspy.LM:
    return dspy.LM("local/scripted", engine=ScriptedEngine(*replies, local=True), cache=False, num_retries=0)


def said(*questions: str) -> str:
    return json.dumps({"questions": list(questions)})


def test_duplicates_leaks_and_other_labels_are_dropped_and_counted(tmp_path) -> None:
    replies = [
        said(
            "is it teatime in Leeds yet",
            "Is it teatime in Leeds, yet?",
            "what does the clock on the wall of my held-out house say",
        ),
        said("what is 17 times 4", "how late is it over in Busan"),
        said("cheers mate, you're a star"),
        said("help me phrase a toast for a wedding"),
    ]
    config = SynthesisConfig(per_label=2, batch=3, patience=1)
    report_of = synthesize(
        lm_of(*replies, *[said("x")] * 9),
        TOOLS,
        ["what does the clock on the wall of my held out house say?"],
        config,
        Router.from_pretrained(),
    )
    examples, report = report_of
    assert [(e.question, e.tool) for e in examples[:2]] == [
        ("is it teatime in Leeds yet", "clock"),
        ("how late is it over in Busan", "clock"),
    ]
    assert report.dropped["like one that is known"] >= 1
    assert report.dropped["like a held-out question"] == 1
    assert report.dropped["another label in the router's eyes"] >= 1
    assert report.written == sum(report.kept.values()) + sum(report.dropped.values())
    assert report.usage.calls == report.requests
    path = tmp_path / "written.jsonl"
    write_examples(examples, path)
    assert read_examples(path) == (examples, [])


def test_replies_out_of_form_are_counted_and_end_after_patience() -> None:
    config = SynthesisConfig(per_label=5, patience=2)
    examples, report = synthesize(lm_of(*["no json"] * 6), TOOLS, [], config)
    assert examples == [] and report.requests == report.malformed == 6


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("What time is it in Rome?", "what time is it in rome", True),
        ("in rome what time is it", "what time is it in rome", True),
        ("what tme is it in rome", "what time is it in rome", True),
        ("what time is it in Osaka tomorrow", "what time is it in rome", False),
    ],
)
def test_likeness_forgives_case_order_and_a_slip_but_not_other_words(a: str, b: str, same: bool) -> None:
    assert Likeness([b]).holds(a) is same
