"""Whole calls for one's own tools: learned from a log, made by ``plan`` and ``route``, handed over where in doubt."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from own_log import SCHEMAS, log
from test_readme import example

from router.__main__ import main
from router.builtin import default_tools
from router.calls.confidence import comparable
from router.calls.tagger import CallModel, load_router
from router.learning.log_tools import described
from router.network import Router
from router.pipeline import RouterPipeline
from router.plans import plan
from router.tools import Tool, ToolSet
from router.trace import Trace
from router.types import NON_TOOLS, Example, Plan, Question

pytestmark = pytest.mark.timeout(900)  # the first test trains
ASSETS = Path(__file__).parents[1] / "assets"
TOOLS = ToolSet(
    Tool(name, about, {"type": "object", "properties": slots, "required": required})
    for name, (about, slots, required) in SCHEMAS.items()
)


@cache
def model() -> CallModel:
    """The router of the README's five lines, trained on 300 rows, which is all that it knows of the tools."""
    names: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write(log(300), Path("calls.jsonl"))
        exec(example("calls"), names)
    return names["router"]


def write(rows: list[Example], path: Path) -> Path:
    lines = [json.dumps({"question": row.question, "tool": row.tool, "arguments": dict(row.arguments)}) for row in rows]
    path.write_text("\n".join(lines), "utf-8")
    return path


def calls(found: Plan) -> list[tuple[str, dict[str, Any]]]:
    return [(step.call.tool, dict(step.call.arguments)) for step in found.steps]


def is_right(found: Plan, row: Example) -> bool:
    return comparable(calls(found)) == comparable([(row.tool, dict(row.arguments))])


def test_the_pipeline_hands_a_learned_call_to_its_caller() -> None:
    row = next(row for row in log(400, seed=7) if is_right(plan(row.question, model(), TOOLS), row) and row.arguments)
    trace = Trace("router", row.question)
    answer = RouterPipeline(model(), TOOLS)(question=row.question, trace=trace).answer
    assert json.loads(answer) == {"tool": row.tool, "arguments": dict(row.arguments)}
    assert trace.events[1].data["threshold"] == model().router.threshold


@pytest.mark.parametrize(("held_out", "share"), [(False, 0.8), (True, 0.55)], ids=["wordings of the log", "others"])
def test_calls_on_unseen_questions_are_right(held_out: bool, share: float) -> None:
    rows = log(400, seed=7, held_out=held_out)
    found = [(plan(row.question, model()), row) for row in rows]
    made = [is_right(one, row) for one, row in found if one.outcome == "call"]
    assert len(made) >= share * sum(row.tool not in NON_TOOLS for row in rows)
    assert sum(made) >= 0.97 * len(made)


def test_the_log_says_what_was_found_and_promised() -> None:
    chosen = model().parts.confidence.chosen_on
    assert chosen["questions"] == sum(row.tool not in NON_TOOLS for row in log(300))
    assert chosen["lower_bound"] >= chosen["target"] == 0.97 and chosen["coverage"] >= 0.3
    assert model().warnings == ()


@pytest.mark.parametrize(
    "question",
    [
        "don't turn on the kitchen lights", "never turn the hall lights on", "is the kitchen light on",
        "are the lights on in the hall?", "what happens if I turn off the hall lights",
        "if it gets dark turn on the kitchen lights", "turn on the kitchen lights tomorrow",
        "turn on the kitchen lights at 7 pm", "turn on the kitchen lights, no, turn them off",
        "turn on all the lights except in the kitchen", "who turned on the kitchen lights",
        "set the kitchen lights to 3.5 percent", "turn it on", "how do I open a ticket",
        "delete the ticket about the vpn",
        "don't book Turing for friday", "who has booked Turing on friday", "book a table at the restaurant for friday",
        "i did not pay 12 euros for coffee", "i am not sick", "my dog is sick", "what is a sick day",
        "how many days of holiday do i have left", "what's 20% of 45", "cancel Turing on friday",
        "cancel my holiday from friday",
        "close the ticket: the printer is broken", "tell me a joke", "thanks", "",
        "turn on the kitchen lights " + "please " * 70 + "turn them off",
    ],
)  # fmt: skip
def test_what_is_not_plainly_requested_is_not_called(question: str) -> None:
    assert plan(question, model()).outcome != "call"


def test_a_slot_that_is_open_is_named_and_left_to_the_language_model() -> None:
    found = plan("open a ticket please", model())
    assert found.outcome in ("partial", "abstain") and (found.outcome == "abstain" or "title" in found.missing)


def test_every_argument_says_where_it_is_from() -> None:
    found = next(
        one for row in log(300) if (one := plan(row.question, model())).outcome == "call" and row.tool == "expense"
    )
    (step,) = found.steps
    assert set(step.sources) == set(step.call.arguments) and set(step.sources.values()) <= {
        "question",
        "learned",
        "default",
    }
    for slot, places in step.places.items():
        assert step.sources[slot] == "question" and all(0 <= a < b <= len(step.span) for a, b in places)
    ((start, end),) = step.places["what"]
    assert step.span[start:end] == step.call.arguments["what"]


def test_the_tools_that_ship_answer_as_before_beside_learned_ones() -> None:
    alone, tools = Router.from_pretrained(), default_tools()
    beside = model().beside(alone)
    questions = [json.loads(line)["question"] for name in ("questions", "chains")
                 for line in (ASSETS / f"{name}.jsonl").read_text("utf-8").splitlines()]  # fmt: skip
    for question in questions:
        before, after = plan(question, alone, tools), plan(question, beside, tools | model().tool_set)
        assert (after.outcome, calls(after), after.missing) == (before.outcome, calls(before), before.missing), question
    assert plan("turn off the lights in the hall", beside, tools | model().tool_set).steps[0].call.tool == "lights"


def test_a_destructive_tool_is_left_to_the_language_model() -> None:
    tools = ToolSet.from_json([one | {"annotations": {"destructiveHint": True}} for one in TOOLS.as_json()])
    for row in log(30):
        assert plan(row.question, model(), tools).outcome != "call"


def test_arguments_fit_the_schema_that_is_given() -> None:
    made = [plan(row.question, model(), TOOLS) for row in log(200, seed=9)]
    assert sum(one.outcome == "call" for one in made) > 60
    assert all(TOOLS[s.call.tool].fits(s.call.arguments) for one in made if one.outcome == "call" for s in one.steps)
    assert plan("set the kitchen lights to 300 percent", model(), TOOLS).outcome != "call"


def test_a_saved_model_plans_the_same_and_brings_its_tools(tmp_path: Path) -> None:
    model().save(tmp_path)
    loaded = load_router(tmp_path)
    assert (
        isinstance(loaded, CallModel) and loaded.tool_set == model().tool_set and set(loaded.tool_set) == set(SCHEMAS)
    )
    for row in log(60, seed=5):
        assert replace(plan(row.question, loaded), decision_s=0) == replace(plan(row.question, model()), decision_s=0)


def test_threads_plan_the_same() -> None:
    rows, found = log(60, seed=6), {}

    def work(name: int) -> None:
        found[name] = [calls(plan(row.question, model())) for row in rows]

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == found[2] == found[3] and any(found[0])


def test_an_added_tool_is_recognised_and_its_arguments_are_not_invented() -> None:
    new = model().add_tool("siren", "Sounds the siren.", ["sound the siren", "let the siren howl", "siren on now"])
    siren = Tool("siren", "Sounds the siren.", {"type": "object", "properties": {"seconds": {"type": "integer"}}})
    tools = model().tool_set | ToolSet([siren])
    assert new.recognised == 1 and len(new.changes) <= 0.05 * new.past
    assert new.router.call("sound the siren").tool == "siren" and not new.router.call("sound the siren").sure
    assert calls(plan("sound the siren", new.router, tools)) == [("siren", {})]
    for row in log(40, seed=4):
        assert new.router.call(row.question).read == model().call(row.question).read or row.tool in NON_TOOLS


def test_a_router_of_labels_alone_asks_for_the_tools() -> None:
    with pytest.raises(ValueError, match="Give the tools on offer"):
        plan(Question("hello"), Router.from_pretrained())


def test_tools_are_described_as_the_log_shows_them() -> None:
    rows = [Example("a", "one", {"n": 1, "on": True, "who": ["x"]}), Example("b", "one", {"n": 2.5, "who": ["y", "z"]}),
            Example("c", "two"), Example("d", "no name", {}), Example("e", "given", {})]  # fmt: skip
    tools = described(rows, known=("given",))
    assert list(tools) == ["one"] and "'a'" in tools["one"].description
    types = {name: slot.schema["type"] for name, slot in tools["one"].slots.items()}
    assert types == {"n": "number", "on": "boolean", "who": "array"}
    assert {name for name, slot in tools["one"].slots.items() if slot.required} == {"n", "who"}
    assert tools == ToolSet.from_json(tools.as_json())


# ---------------------------------------------------------------- the command line


def _route(folder: Path, questions: list[str], capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    file = folder.parent / "questions.txt"
    file.write_text("\n".join(questions), "utf-8")
    assert main(["route", "--router", str(folder), *more, str(file)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_route_makes_the_calls_of_the_log_without_being_given_tools(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model().save(folder := tmp_path / "router")
    rows = log(100, seed=11)
    routed = _route(folder, [row.question for row in rows], capsys)
    wanted = {"question", "outcome", "tool", "arguments", "missing", "confidence", "reason", "sources", "microseconds"}
    assert all(wanted <= set(row) for row in routed)
    made = [(one, row) for one, row in zip(routed, rows) if one["outcome"] == "call"]
    assert len(made) >= 40
    for one, _ in made:
        assert (
            one["confidence"] >= model().parts.confidence.least(one["tool"])
            and one["sources"].keys() == one["arguments"].keys()
        )
    assert all(one["reason"] for one in routed if one["outcome"] in ("partial", "abstain"))


def test_train_says_that_a_log_is_too_small_for_its_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS.as_json()))
    folder, file = tmp_path / "router", write(log(40), tmp_path / "log.jsonl")
    asked = ["train", str(file), "--tools", str(tmp_path / "tools.json"), "--target", "0.95", "--epochs", "1"]
    assert main([*asked, "--out", str(folder)]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out.splitlines()[-1])
    assert {"examples", "labels", "seconds", "megabytes", "warnings", "held_out", "validation", "calls"} == set(told)
    assert told["calls"]["target"] == 0.95 and told["calls"]["sure"] == 0
    warning = next(one for one in told["warnings"] if "No call is sure" in one)
    assert "95%" in warning and "at least 52 held-out calls" in warning and f"warning: {warning}" in captured.err
    assert told["calls"]["provable"] < 0.5 and warning.endswith("Give more rows, or better ones.")
    assert load_router(folder).tool_set == TOOLS
    assert {row["outcome"] for row in _route(folder, [row.question for row in log(20)], capsys)} <= {
        "abstain",
        "partial",
        "none",
    }


def test_a_router_of_labels_takes_the_place_of_one_of_calls(tmp_path: Path) -> None:
    model().save(folder := tmp_path / "router")
    rows = [Example(row.question, row.tool) for row in log(60)]
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps({"question": r.question, "tool": r.tool}) for r in rows))
    assert main(["train", str(tmp_path / "log.jsonl"), "--out", str(folder), "--epochs", "1"]) == 0
    assert isinstance(load_router(folder), Router)


@pytest.mark.parametrize("target", ["0", "1", "97", "x"])
def test_a_target_that_is_no_share_is_refused(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "x.jsonl", "--target", target, "--out", "y"])
    assert "no share between 0 and 1, such as 0.97" in capsys.readouterr().err


def test_routing_loads_no_torch(tmp_path: Path) -> None:
    model().save(tmp_path)
    program = (
        "import sys\nfrom router.__main__ import main\n"
        f"main(['route', '--router', {str(tmp_path)!r}])\n"
        "assert not {'torch', 'dspy', 'gradio'} & set(sys.modules), 'loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input="turn on the kitchen lights\n", text=True,
                          capture_output=True, cwd=Path(__file__).parents[1])  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tool"] == "lights"


def test_the_readme_brings_tools_in_five_lines() -> None:
    assert len([line for line in example("calls").splitlines() if line]) == 5
    assert plan("lights on in the hall", model()).steps[0].call.arguments == {"room": "hall", "state": "on"}


def test_a_question_of_one_line_is_routed_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model().save(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"lights on in the hall\n")))
    assert main(["route", "--router", str(tmp_path), "-"]) == 0
    assert json.loads(capsys.readouterr().out)["tool"] == "lights"
