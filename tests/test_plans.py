"""Plans are pure, the same for everyone who asks, and stand only where the whole question is read."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import dspy
import pytest
from own_tools import grown_router, own_tools
from scripted_lm import ScriptedEngine

from pages.wiring import plan_row
from router.__main__ import main
from router.builtin import default_tools, numbers
from router.network import Router
from router.pipeline import RouterPipeline
from router.plans import plan
from router.tools import Tool
from router.trace import Cancelled, Trace
from router.types import Plan, Question

ASSETS = Path(__file__).parents[1] / "assets"
TOOLS = {**default_tools(), **own_tools()}
BUNDLED = [
    json.loads(line)["question"]
    for name in ("questions", "chains")
    for line in (ASSETS / f"{name}.jsonl").read_text("utf-8").splitlines()
]


def calls(found: Plan) -> list[tuple[str, dict[str, Any]]]:
    return [(step.call.tool, dict(step.call.arguments)) for step in found.steps]


# ---------------------------------------------------------------- what stands and what hands over


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("turn on the kitchen lights", [("lights", {"room": "kitchen", "state": "on"})]),
        ("lights off in the office please", [("lights", {"room": "office", "state": "off"})]),
        (
            "set the kitchen lights on, brightness 40",
            [("lights", {"room": "kitchen", "state": "on", "brightness": 40})],
        ),
        (
            "turn on the kitchen lights and switch off the bedroom lights",
            [("lights", {"room": "kitchen", "state": "on"}), ("lights", {"room": "bedroom", "state": "off"})],
        ),
        (
            "what time is it in Tokyo and turn on the kitchen lights",
            [("clock", {"ask": "time", "place": "Tokyo"}), ("lights", {"room": "kitchen", "state": "on"})],
        ),
    ],
)
def test_a_tool_known_by_schema_and_examples_is_called_where_all_is_read(question: str, wanted: list) -> None:
    found = plan(question, grown_router(), TOOLS)
    assert (found.outcome, calls(found)) == ("call", wanted), found.reason


@pytest.mark.parametrize(
    ("question", "tool", "known", "missing"),
    [
        ("turn on the lights", "lights", {"state": "on"}, ("room",)),
        ("where is my parcel RR123456789", "parcel", {}, ("number",)),
        ("open a high priority ticket: the screen flickers", "ticket", {"priority": "high"}, ("title",)),
    ],
)
def test_open_slots_are_named_and_left_to_the_language_model(question, tool, known, missing) -> None:
    found = plan(question, grown_router(), TOOLS)
    assert (found.outcome, calls(found), found.missing) == ("partial", [(tool, known)], missing), found.reason


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("turn the kitchen lights on at 7 pm", "'at 7'"),
        ("don't turn on the kitchen lights", '"don\'t"'),
        ("turn on the kitchen lights except on sundays", "'except'"),
        ("kitchen lights on tomorrow", "'tomorrow'"),
        ("turn on the lights and what's the weather in Oslo", "'turn on the lights' is not sure"),
        ("where is my parcel RR123456789 and when is easter", "is not sure"),
        ("give me the kitchen lights on and which book should I read next", "No tool takes"),
        ("give me the kitchen lights on, and what is the meaning of life?", "No tool takes"),
        ("turn on the kitchen lights and the bedroom lights", "is not sure"),
        ("turn the kitchen bedroom lights on", "two values for 'room'"),
    ],
)
def test_what_is_not_wholly_read_is_handed_over_with_the_reason(question: str, reason: str) -> None:
    found = plan(question, grown_router(), TOOLS)
    assert found.outcome == "abstain" and found.steps == (), found
    assert reason in found.reason


def test_a_destructive_tool_is_left_to_the_language_model() -> None:
    tools = TOOLS | {"lights": replace(TOOLS["lights"], destructive=True)}
    found = plan("turn on the kitchen lights", grown_router(), tools)
    assert found.outcome == "abstain" and "destructive" in found.reason


def test_the_eight_tools_plan_as_before_beside_three_others() -> None:
    alone, tools = Router.from_pretrained(), default_tools()
    for question in BUNDLED[:100]:
        before, after = plan(question, alone, tools), plan(question, grown_router(), TOOLS)
        assert (after.outcome, calls(after), after.missing) == (before.outcome, calls(before), before.missing), question


def test_the_threshold_counts_for_every_part_of_a_question() -> None:
    question = "capital of Peru and 17 * 23"
    assert len(plan(question, Router.from_pretrained(), TOOLS).steps) == 2
    for threshold in (1.0, float("inf")):
        assert plan(question, Router.from_pretrained(), TOOLS, threshold).outcome == "abstain"


# ---------------------------------------------------------------- one plan for everyone


def test_pipeline_route_command_and_page_give_one_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    router, tools = Router.from_pretrained(), default_tools()
    file = tmp_path / "questions.txt"
    file.write_text("\n".join(BUNDLED), "utf-8")
    assert main(["route", str(file)]) == 0
    commanded = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(commanded) == len(BUNDLED) == 160
    pipeline = RouterPipeline(router, tools)
    for question, row in zip(BUNDLED, commanded, strict=True):
        shown = plan_row(router, tools, question)
        assert {**row, "microseconds": 0} == {**shown, "microseconds": 0}
        trace = Trace("router", question)
        with dspy.context(lm=obliging()):
            pipeline(question=question, trace=trace)
        told = next(event.data for event in trace.events if event.kind == "route")
        assert {key: told[key] for key in ("outcome", "reason", "missing")} == {
            key: row[key] for key in ("outcome", "reason", "missing")
        }
        if row["outcome"] == "call":
            ran = [(r.call.tool, dict(r.call.arguments)) for r in trace.result().tool_results]
            assert ran == [(step["tool"], step["arguments"]) for step in row["steps"]]


# ---------------------------------------------------------------- purity


class ObligingEngine(ScriptedEngine):
    """Fills what it is asked to fill, and otherwise says "ok"."""

    def options(self, role: str, schema: Any = None, or_text: bool = False, choice: Any = None) -> dict[str, Any]:
        return {"role": role, "schema": json.dumps(schema)}

    def stream(self, request, cancelled=None):
        asked = request.config.extensions
        reply = "ok"
        if asked["role"] == "fill":
            reply = json.dumps({slot: _some(one) for slot, one in json.loads(asked["schema"])["properties"].items()})
        elif asked["role"] == "teach":
            reply = json.dumps({"userResponse": "Hello!"})
        self.enqueue(reply)
        return super().stream(request, cancelled)


def _some(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    return {"number": 1, "integer": 1, "boolean": True}.get(schema.get("type"), "something")


def obliging() -> dspy.LM:
    return dspy.LM("local/obliging", engine=ObligingEngine(local=True), cache=False, num_retries=0, max_tokens=200)


class Ledger:
    """What ran, and when: tools write here from their bodies."""

    def __init__(self) -> None:
        self.trace: Trace | None = None
        self.ran: list[tuple[str, str]] = []
        self.early: list[str] = []

    def body(self, tool: str, **arguments: Any) -> str:
        self.ran.append((tool, json.dumps(arguments, sort_keys=True)))
        if not any(event.kind == "route" for event in self.trace.events):
            self.early.append(tool)
        return f"{tool} done"

    def counted(self, tool: Tool) -> Tool:
        def run(**arguments: Any) -> str:
            self.ran.append((tool.name, json.dumps(arguments, sort_keys=True)))
            return tool.run(**arguments)

        return replace(tool, run=run)


PIECES = {
    "own": [
        "turn on the kitchen lights", "switch the bedroom lights off", "lights on in the hall", "turn the lights off",
        "where is my parcel RR123456789", "track parcel AB12", "open a high priority ticket: the vpn is down",
        "create a ticket", "kitchen lights off", "turn the office lights on",
    ],
    "built in": [
        "what is 17 * 23", "20% of the population of Malta", "time in Tokyo", "capital of Peru", "spell accommodation",
        "10 km in miles", "how many days until christmas", "100 usd in eur", "what's the weather in Oslo",
    ],
    "none": ["what is the meaning of life", "which book should I read next", "write a poem", "thanks", "why is that"],
}  # fmt: skip
JOINTS = (" and ", ", ", "; ", " and then ", "? also ", ". ")
TWISTS = (
    "{}",
    "don't {}",
    "{} at 7 pm",
    "please {}",
    "{} tomorrow",
    "if it rains {}",
    "{} but not now",
    "{} twice",
    "{} {}",
)


def generated(number: int, seed: int = 7) -> list[str]:
    """Requests alone, joined, nested, negated and half understood."""
    rng = random.Random(seed)
    found = []
    while len(found) < number:
        parts = [rng.choice(PIECES[rng.choice(list(PIECES))]) for _ in range(rng.choice((1, 1, 2, 2, 3)))]
        twisted = [rng.choice(TWISTS).replace("{}", part) if rng.random() < 0.4 else part for part in parts]
        found.append(rng.choice(JOINTS).join(twisted))
    return found


def test_no_body_runs_twice_while_planning_or_without_its_event() -> None:
    ledger, outcomes = Ledger(), Counter()
    built_in = {name: ledger.counted(tool) for name, tool in default_tools().items()}
    tools = built_in | own_tools(ledger.body)
    module, router = RouterPipeline(grown_router(), tools), grown_router()
    for number, question in enumerate(generated(2_000)):
        stop = threading.Event()
        halfway = number % 5 == 0
        begun: list[str] = []

        def sink(event, stop=stop, halfway=halfway, begun=begun) -> None:
            if event.kind == "tool" and event.data["phase"] == "begin":
                begun.append(event.data["tool"])
                if halfway:
                    stop.set()

        ledger.ran, ledger.early = [], []
        trace = ledger.trace = Trace("router", question, sink, stop)
        try:
            with dspy.context(lm=obliging()):
                module(question=question, trace=trace)
        except Cancelled:
            outcomes["stopped"] += 1
        told = [e.data for e in trace.events if e.kind == "tool" and e.data["phase"] == "end"]
        route = next(e.data for e in trace.events if e.kind == "route")
        outcomes[route["outcome"]] += 1
        assert ledger.early == [], question
        assert all(count == 1 for count in Counter(ledger.ran).values()), question
        own = [tool for tool, _ in ledger.ran if tool not in built_in]
        assert own == [data["tool"] for data in told if data["tool"] not in built_in], question
        assert len([data for data in told if data["tool"] not in built_in]) <= len(plan(question, router, tools).steps)
        if halfway:
            assert len(begun) <= 1 or all(tool in built_in for tool in begun), question
    assert min(outcomes[kind] for kind in ("call", "partial", "abstain", "none", "stopped")) >= 50, outcomes


def test_a_plan_runs_nothing_that_has_effects() -> None:
    ledger = Ledger()
    tools = default_tools() | own_tools(ledger.body)
    ledger.trace = Trace("router", "")
    for question in generated(300, seed=11):
        plan(question, grown_router(), tools)
    assert ledger.ran == []


def test_a_probed_step_is_told_at_the_time_at_which_it_ran() -> None:
    trace = Trace("router", "20% of the population of Malta")
    with dspy.context(lm=obliging()):
        RouterPipeline(Router.from_pretrained(), default_tools())(question=trace.question, trace=trace)
    route = next(event for event in trace.events if event.kind == "route")
    tools = [event for event in trace.events if event.kind == "tool"]
    assert [event.data["tool"] for event in tools] == ["search", "search", "calculator", "calculator"]
    assert tools[0].elapsed_s <= tools[1].elapsed_s <= tools[2].elapsed_s <= tools[3].elapsed_s <= route.elapsed_s


def test_a_described_tool_ends_the_run_with_its_call() -> None:
    tools = {**default_tools(), **{n: replace(t, run=None) for n, t in own_tools().items()}}
    trace = Trace("router", "turn on the kitchen lights")
    with dspy.context(lm=obliging()):
        found = RouterPipeline(grown_router(), tools)(question=trace.question, trace=trace)
    assert json.loads(found.answer) == {"tool": "lights", "arguments": {"room": "kitchen", "state": "on"}}
    assert trace.usage.calls == 0


# ---------------------------------------------------------------- a question is read once


@pytest.mark.parametrize("question", BUNDLED[::7])
def test_a_questions_text_is_normalised_once(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    normalise = numbers._normalised
    monkeypatch.setattr(numbers, "_normalised", lambda text: seen.append(text) or normalise(text))
    plan(Question(question), Router.from_pretrained(), default_tools())
    assert seen.count(question) <= 1, Counter(seen).most_common(3)


def rooms_of(question: str) -> list[str]:
    """The files of the library whose functions are handed the question, or a part of it, from ``forward`` to the tools'
    results. ``types.py`` is left out: it holds the question itself."""
    library, rooms = f"{Path(numbers.__file__).parents[1]}/", []

    def watch(frame, event, _) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(library) or code.co_filename.endswith("router/types.py"):
            return
        given = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
        if any(isinstance(value, Question) for value in given):
            rooms.append(code.co_filename.removeprefix(library))

    module = RouterPipeline(Router.from_pretrained(), default_tools())
    with dspy.context(lm=obliging()):
        sys.setprofile(watch)
        try:
            module(question=question)
        finally:
            sys.setprofile(None)
    return list(dict.fromkeys(rooms))


@pytest.mark.parametrize("question", BUNDLED[::9])
def test_a_question_passes_at_most_eight_files(question: str) -> None:
    assert 2 <= len(rooms_of(question)) <= 8, rooms_of(question)
