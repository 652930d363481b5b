"""Sets of tools, from Python functions and from the JSON that people have; described tools; names on the wire."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from scripted_lm import scripted_lm
from test_paths import plan, run, steps

from baselines.llm_chain import LLMChain
from baselines.tool_calling import ToolCalling
from router.__main__ import main
from router.builtin import default_tools
from router.learning.data import read_examples
from router.lms.calling import MAX_WIRE, wire_names
from router.tools import Tool, ToolSet
from router.tools.functions import from_function


def tool(name: str = "lights", **fields: Any) -> Tool:
    return replace(Tool(name, "Switches the lights.", {"properties": {"on": {"type": "boolean"}}}), **fields)


# ---------------------------------------------------------------- the set


def test_a_set_stands_wherever_a_dict_of_tools_does() -> None:
    tools = ToolSet([tool("b"), tool("a")])
    assert list(tools) == ["b", "a"] and tools["a"].name == "a" and "c" not in tools and tools.get("c") is None
    assert {**default_tools(), "a": tools["a"]}["a"] is tools["a"] and len(default_tools()) == 8
    with pytest.raises(TypeError):
        tools["c"] = tool("c")  # type: ignore[index]


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="Two tools are named 'lights'. Leave one out, or rename it."):
        ToolSet([tool(), tool(description="Others.")])
    with pytest.raises(ValueError, match="'clock'"):
        default_tools() | {"clock": tool("clock")}


def test_a_union_has_the_tools_of_both_in_order() -> None:
    assert list(ToolSet([tool("b")]) | ToolSet([tool("a")])) == ["b", "a"]
    assert ToolSet([tool("b")]) + {"a": tool("a")} == ToolSet([tool("a"), tool("b")])


def test_a_set_is_known_by_its_content() -> None:
    one = ToolSet([tool(parameters={"type": "object", "properties": {"a": {"type": "string"}, "b": {}}}), tool("x")])
    other = ToolSet([tool("x"), tool(parameters={"properties": {"b": {}, "a": {"type": "string"}}, "type": "object"})])
    assert one == other and one.id == other.id and len({one, other}) == 1 and one == deepcopy(one)
    changed = {"name": "lamp", "description": "Else.", "parameters": True, "effects": False, "destructive": True}
    ids = {ToolSet([tool(**{key: value})]).id for key, value in changed.items()} | {ToolSet([tool()]).id}
    assert len(ids) == 6 and ToolSet([tool(run=lambda on: "done")]).id == ToolSet([tool()]).id


def test_a_sets_id_is_the_same_in_another_process() -> None:
    code = "from router.builtin import default_tools; print(default_tools().id)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == default_tools().id


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["get-weather", "github.create_issue", "getWeather", "x" * 128])
def test_names_that_openai_and_mcp_allow_are_tools_and_labels(name: str, tmp_path: Path) -> None:
    assert tool(name).name == name
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "lights please", "tool": name}))
    assert [e.tool for e in read_examples(path)[0]] == [name]


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "naïve", "a/b", None])
def test_other_names_are_neither(name: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Rename the tool"):
        tool(name)
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "lights please", "tool": name}))
    assert read_examples(path)[0] == [] and len(read_examples(path)[1]) == 1


@pytest.mark.parametrize("name", ["none", "smalltalk"])
def test_the_labels_without_a_tool_are_no_names_of_tools(name: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        tool(name)


@given(st.lists(st.text("ab._-", min_size=1, max_size=6) | st.just("x" * 70) | st.just("x" * 71), unique=True))
def test_every_name_has_one_of_its_own_on_the_wire(names: list[str]) -> None:
    wired = wire_names(names)
    assert list(sorted(wired)) == sorted(names) and len(set(wired.values())) == len(names)
    assert all(0 < len(w) <= MAX_WIRE and set(w) <= set("abx_-0123456789cdef") for w in wired.values())
    assert all(wired[n] == n for n in names if "." not in n and len(n) <= MAX_WIRE)


def test_a_providers_call_is_brought_back_to_the_tools_own_name() -> None:
    ran = []
    tools = ToolSet(
        [tool("home.lights", run=lambda **a: ran.append("dot") or "on"), tool("home_lights", run=lambda **a: "no")]
    )
    names = wire_names(tools)
    lm = scripted_lm({"name": names["home.lights"], "arguments": {"on": True}}, "They are on.", native_tools=True)
    trace = run(ToolCalling(tools), lm, "lights on")
    assert ran == ["dot"] and trace.result().tool_results[0].call.tool == "home.lights"
    assert [t.name for t in lm.engine.requests[0].tools] == [names["home.lights"], "home_lights"]
    assert "." not in names["home.lights"]


# ---------------------------------------------------------------- functions


class Colour(Enum):
    red = "red"
    blue = "blue"


@dataclass
class Point:
    x: float
    y: float = 0.0


def paint(room: str, colour: Colour, coats: Annotated[int, Field(ge=1, description="how often")] = 1) -> str:
    """Paint a room.

    All of its walls.

    Args:
        room: the room's name
        coats: not this
    """
    return f"{room}: {colour.name} x {coats}"


def test_a_function_becomes_a_tool_by_its_signature_and_docstring() -> None:
    made = from_function(paint)
    assert (made.name, made.description) == ("paint", "Paint a room.\n\nAll of its walls.")
    assert {n: s.required for n, s in made.slots.items()} == {"room": True, "colour": True, "coats": False}
    assert made.slots["room"].schema == {"type": "string", "description": "the room's name"}
    assert made.slots["coats"].schema["description"] == "how often" and made.slots["coats"].schema["minimum"] == 1
    assert made.slots["colour"].schema["enum"] == ["red", "blue"]
    assert made.call({"room": "hall", "colour": "red"}).output == "hall: red x 1"
    assert "not one of" in made.call({"room": "hall", "colour": "pink"}).error


DOCSTRINGS = {
    "google": "Go.\n\n    Args:\n        to (str): the goal\n    ",
    "numpy": "Go.\n\n    Parameters\n    ----------\n    to : str\n        the goal\n    ",
    "rest": "Go.\n\n    :param to: the goal\n    ",
}


@pytest.mark.parametrize("docstring", DOCSTRINGS.values(), ids=DOCSTRINGS)
def test_a_docstring_describes_parameters_in_three_forms(docstring: str) -> None:
    def go(to: str) -> None: ...

    go.__doc__ = docstring
    made = from_function(go)
    assert (made.description, made.slots["to"].schema["description"]) == ("Go.", "the goal")


def test_arguments_reach_a_function_as_its_types_ask_and_its_result_is_text() -> None:
    def move(at: Point, when: date, how: Literal["fast", "slow"] | None = None) -> dict[str, Any]:
        """Move."""
        return {"x": at.x, "weekday": when.weekday(), "how": how}

    made = from_function(move)
    result = made.call({"at": {"x": 2}, "when": "2026-11-28"})
    assert json.loads(result.output) == {"x": 2.0, "weekday": 5, "how": None}
    assert made.slots["how"].schema["enum"] == ["fast", "slow"]
    assert "move: when: Input should be a valid date" in made.call({"at": {"x": 2}, "when": "today"}).error


def test_a_coroutine_runs_to_its_end_also_beside_a_running_loop() -> None:
    import asyncio

    async def double(n: int) -> int:
        """Double."""
        await asyncio.sleep(0)
        return 2 * n

    made = from_function(double)

    async def within() -> str | None:
        return made.call({"n": 4}).output

    assert made.call({"n": 3}).output == "6" and asyncio.run(within()) == "8"


def test_methods_callables_and_dspy_tools_are_functions_too() -> None:
    class Lamp:
        """A lamp."""

        def __call__(self, on: bool) -> None: ...

        def dim(self, to: int) -> None:
            """Dim the lamp."""

    def wait(seconds: float, why: str = "") -> str:
        """Wait.

        Args:
            seconds: how long
        """
        return f"waited {seconds:g}"

    tools = ToolSet.from_functions([Lamp(), Lamp().dim, dspy.Tool(wait, name="pause"), tool("plain")])
    assert list(tools) == ["Lamp", "dim", "pause", "plain"]
    assert tools["dim"].call({"to": 3}).output == "done" and tools["pause"].call({"seconds": 2.0}).output == "waited 2"
    assert [s.required for s in tools["pause"].slots.values()] == [True, False]
    assert tools["pause"].slots["seconds"].schema["description"] == "how long" and tools["pause"].description == "Wait."


def test_a_functions_marks_are_the_users_word() -> None:
    assert from_function(paint).effects and not from_function(paint, effects=False).effects
    assert from_function(paint, destructive=True).destructive


class Opaque: ...


def undocumented(a: int) -> None: ...


def opaque(a: Opaque) -> None:
    """O."""


def unnamed(a: int, /) -> None:
    """U."""


def test_what_makes_no_tool_is_refused_in_one_sentence() -> None:
    for function, words in (
        (undocumented, "'undocumented' has no description"),
        (opaque, "The signature of 'opaque' makes no JSON schema"),
        (unnamed, "'unnamed' takes arguments by position only"),
        (Opaque, "'Opaque' is no function"),
        (3, "'int' is no function"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            ToolSet.from_functions([function])  # type: ignore[list-item]
        assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- JSON

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ABOUT = {"name": "get_weather", "description": "The weather."}
FORMS: dict[str, Any] = {
    "openai": [{"type": "function", "function": {**ABOUT, "parameters": SCHEMA, "strict": True}}],
    "openai request": {"model": "gpt-4o", "tools": [{"type": "function", "function": {**ABOUT, "parameters": SCHEMA}}]},
    "responses": [{"type": "function", **ABOUT, "parameters": SCHEMA, "strict": True}],
    "functions": {"functions": [{**ABOUT, "parameters": SCHEMA}]},
    "anthropic": [{**ABOUT, "input_schema": SCHEMA}],
    "anthropic request": {"model": "claude", "tools": [{"type": "custom", **ABOUT, "input_schema": SCHEMA}]},
    "mcp": {"tools": [{**ABOUT, "inputSchema": SCHEMA}], "nextCursor": "2"},
    "json-rpc": {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{**ABOUT, "inputSchema": SCHEMA}]}},
    "alone": {**ABOUT, "input_schema": SCHEMA},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_a_list_gives_the_same_described_tool(form: Any, tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(form), encoding="utf-8-sig")
    tools = ToolSet.read(path)
    assert tools == ToolSet([Tool("get_weather", "The weather.", SCHEMA)]) == ToolSet.from_json(form)
    assert tools["get_weather"].described


def test_a_tool_without_parameters_takes_none() -> None:
    (made,) = ToolSet.from_json([{"type": "function", "function": {"name": "ping", "description": "Pings."}}]).values()
    assert made.slots == {}


@pytest.mark.parametrize(
    ("hints", "effects", "destructive"),
    [
        (None, True, False),
        ({}, True, False),
        ({"readOnlyHint": True}, False, False),
        ({"readOnlyHint": False, "destructiveHint": True}, True, True),
        ({"readOnlyHint": True, "destructiveHint": True}, False, False),
        ({"destructiveHint": False}, True, False),
        ({"readOnlyHint": "yes"}, True, False),
    ],
)
def test_mcps_annotations_mark_a_tool(hints: Any, effects: bool, destructive: bool) -> None:
    (made,) = ToolSet.from_json([{**ABOUT, "inputSchema": SCHEMA, "annotations": hints}]).values()
    assert (made.effects, made.destructive) == (effects, destructive)


BAD: dict[str, tuple[Any, str]] = {
    "text": ("x", "t.json: 'x' is no list of tools"),
    "object": ({"a": 1}, "t.json: {'a': 1} is no list of tools"),
    "tools no list": ({"tools": 3}, "t.json: tools: 3 is no list of tools"),
    "no tool": ([3], r"t.json: tools\[0\]: 3 is no tool"),
    "no name": ({"result": {"tools": [{"inputSchema": {}}]}}, r"t.json: result.tools\[0\]: .* has no name"),
    "bad name": ([{**ABOUT, "name": "a b", "input_schema": SCHEMA}], r"tools\[0\]: Tool name 'a b'"),
    "bad schema": (
        [{**ABOUT, "input_schema": {"properties": {"x": {"anyOf": [True, {"type": 1}]}}}}],
        r"tools\[0\]: Tool 'get_weather': parameters.properties.x.anyOf\[1\].type: 1",
    ),
    "schema no object": ([{**ABOUT, "parameters": "x"}], r"tools\[0\]: Tool 'get_weather': parameters: 'x'"),
    "no description": ([{"name": "a", "parameters": {}}], r"tools\[0\]: Tool 'a' has no description"),
    "description no text": ([{"name": "a", "description": 3, "parameters": {}}], r"tools\[0\]: the description is 3"),
    "of the provider": ([{"type": "web_search", "name": "s"}], r"tools\[0\]: a tool of type 'web_search' is run by"),
    "error": ({"jsonrpc": "2.0", "error": {"code": 1, "message": "no"}}, "the reply is an error of the server: 'no'"),
    "twice": ([{**ABOUT, "parameters": {}}] * 2, "Two tools are named 'get_weather'"),
}


@pytest.mark.parametrize(("form", "words"), BAD.values(), ids=BAD)
def test_what_is_no_list_of_tools_is_refused_with_its_place(form: Any, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(form))
    with pytest.raises(ValueError, match=words) as caught:
        ToolSet.read(tmp_path / "t.json")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "t.json: not JSON at line 1"), (b"\xff\xff", "byte 0 is not UTF-8"), (b"[" * 100_000, "nested too deep")],
)
def test_a_file_that_is_no_json_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        ToolSet.read(tmp_path / "t.json")


KEYS = "tools result functions function type name description parameters input_schema annotations".split()
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(KEYS),
        inner,
        max_size=4,
    ),
)  # fmt: skip


@given(ANY_JSON)
def test_any_json_is_a_set_or_one_sentence(value: Any) -> None:
    try:
        assert isinstance(ToolSet.from_json(value), ToolSet)
    except ValueError as fault:
        assert str(fault)


# ---------------------------------------------------------------- described tools on the paths of the model

CALL = {"tool": "lights", "arguments": {"on": True}}


@pytest.mark.parametrize("native", [True, False])
def test_the_models_call_of_a_described_tool_is_the_answer(native: bool) -> None:
    request = {"name": "lights", "arguments": {"on": True}}
    lm = scripted_lm(request if native else json.dumps(request), native_tools=native, local=not native)
    trace = run(ToolCalling(ToolSet([tool()])), lm, "lights on")
    assert json.loads(trace.result().answer) == CALL and len(lm.engine.requests) == 1
    (result,) = trace.result().tool_results
    assert result.call.arguments == {"on": True} and json.loads(result.output) == CALL and result.error is None


def test_an_unfit_call_of_a_described_tool_goes_back_to_the_model() -> None:
    wrong, right = ({"name": "lights", "arguments": {"on": on}} for on in ("yes", True))
    lm = scripted_lm(wrong, right, native_tools=True)
    trace = run(ToolCalling(ToolSet([tool()])), lm, "lights on")
    assert json.loads(trace.result().answer) == CALL
    assert [r.error is None for r in trace.result().tool_results] == [False, True]


def test_calls_after_that_of_a_described_tool_are_not_made() -> None:
    ran: list[str] = []
    tools = ToolSet([tool(), tool("bell", run=lambda **_: ran.append("bell") or "rang")])
    calls = [{"name": name, "arguments": {"on": True}} for name in ("lights", "bell")]
    trace = run(ToolCalling(tools), scripted_lm(calls, native_tools=True), "lights on, then ring")
    assert json.loads(trace.result().answer) == CALL and ran == []


def test_the_chain_ends_at_a_described_tool_whose_arguments_the_model_writes() -> None:
    lm = scripted_lm(plan("lights", "on"), '{"on": true}', local=True)
    trace = run(LLMChain(ToolSet([tool()])), lm, "lights on")
    assert json.loads(trace.result().answer) == CALL and steps(trace) == ["plan", "fill", "lights"]


def test_the_chain_asks_for_no_arguments_where_a_tool_takes_none() -> None:
    lm = scripted_lm(plan("lights"), local=True)
    trace = run(LLMChain(ToolSet([tool(parameters={"type": "object"})])), lm, "lights")
    assert json.loads(trace.result().answer) == {"tool": "lights", "arguments": {}} and steps(trace) == [
        "plan",
        "lights",
    ]


def test_the_model_may_call_a_destructive_tool() -> None:
    ran: list[bool] = []
    tools = ToolSet([tool(destructive=True, run=lambda on: ran.append(on) or "done")])
    lm = scripted_lm({"name": "lights", "arguments": {"on": True}}, "Done.", native_tools=True)
    assert run(ToolCalling(tools), lm, "lights on").result().answer == "Done." and ran == [True]


# ---------------------------------------------------------------- the command line


def test_explain_says_when_the_chosen_tool_is_not_on_offer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.json").write_text(json.dumps(FORMS["openai"]))
    assert main(["explain", "what's 20% of 45", "--tools", str(tmp_path / "t.json")]) == 0
    assert "calculator is not on offer" in capsys.readouterr().out
    assert main(["explain", "what's 20% of 45", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["offered"] is True


def test_a_bad_file_of_tools_is_one_sentence_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.json").write_text("[3]")
    assert main(["explain", "hello", "--tools", str(tmp_path / "t.json")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("python -m router: t.json: tools[0]: 3 is no tool.") and said.count("\n") == 1
