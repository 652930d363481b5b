"""Tools are found by their schemas alone, and narrowed to what the language model needs to see."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scripted_lm import scripted_lm
from test_paths import run, steps

from router.__main__ import main
from router.bench.command import main as bench
from router.builtin import default_tools
from router.network import Router
from router.network.zero_shot import FewShotRouter, SchemaRouter
from router.pipeline import RouterPipeline
from router.plans import plan
from router.tools import Tool, ToolSet
from router.types import Example


def tool(name: str, description: str, *slots: str, **more) -> Tool:
    schema = {"type": "object", "properties": {slot: {"type": "string"} for slot in slots}, "required": list(slots)}
    return Tool(name, description, schema, **more)


TOOLS = ToolSet(
    [
        tool("book_flight", "Books a flight between two cities on a date.", "origin", "destination"),
        tool("get_stock_price", "Get the current price of a stock by its ticker symbol.", "symbol"),
        tool("delete_folder", "Deletes all files of a folder for good.", "path", destructive=True),
        tool("restart_server", "Restarts the web server."),
        tool("search_recipes", "Search for cooking recipes by ingredients.", "ingredients"),
        tool("create_event", "Creates an event in the team's calendar.", "title", "start"),
        tool("list_repositories", "List the repositories of a GitHub user.", "user"),
    ]
)
SERVED = {
    "book a flight from Oslo to Rome": "book_flight",
    "what is the stock price of AAPL": "get_stock_price",
    "search for recipes with eggs and flour as ingredients": "search_recipes",
    "list the GitHub repositories of the user torvalds": "list_repositories",
}
UNSERVED = ["who wrote Hamlet", "translate good morning into Welsh", "how tall is the Eiffel tower"]


def planned(question: str, tools=TOOLS, **more):
    return plan(question, Router.from_pretrained(), tools, **more)


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize("question", SERVED)
def test_a_question_finds_the_tool_whose_schema_speaks_of_it(question: str) -> None:
    decision = SchemaRouter(TOOLS).decide(question)
    assert decision.tool == SERVED[question] and not decision.abstained


@pytest.mark.parametrize("question", UNSERVED)
def test_no_tool_is_sure_of_a_question_that_none_serves(question: str) -> None:
    assert SchemaRouter(TOOLS).decide(question).confidence < 0.2


@pytest.mark.parametrize("question", ["", " ", "?!", "\ud800"])
def test_text_without_a_word_abstains(question: str) -> None:
    decision = SchemaRouter(TOOLS).decide(question)
    assert decision.abstained and decision.confidence == 0


def test_a_tools_score_does_not_hang_on_the_tools_beside_it() -> None:
    alone = SchemaRouter({"book_flight": TOOLS["book_flight"]})
    for question in (*SERVED, *UNSERVED):
        assert alone.scores(question)[0] == pytest.approx(SchemaRouter(TOOLS).scores(question)[0], abs=1e-5)


def test_slots_and_their_values_are_read_too() -> None:
    schema = {"properties": {"dish": {"enum": ["goulash", "paella"]}}}
    tools = {"a": Tool("a", "Orders food.", schema), "b": Tool("b", "Orders food.", True)}
    assert SchemaRouter(tools).decide("goulash please").tool == "a"


def test_a_name_in_code_is_read_as_its_words() -> None:
    tools = {name: Tool(name, "Does it.", True) for name in ("getTrainTimetable", "setRoomTemperature")}
    assert SchemaRouter(tools).decide("the timetable of trains").tool == "getTrainTimetable"


def test_scores_are_the_same_in_every_thread() -> None:
    router, questions = SchemaRouter(TOOLS), [*SERVED, *UNSERVED] * 5
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(router.scores, questions))
    assert all(np.array_equal(a, router.scores(q)) for a, q in zip(found, questions))


def test_no_tool_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="Give at least one"):
        SchemaRouter({})


def test_examples_bring_words_that_no_schema_has() -> None:
    router, question = SchemaRouter(TOOLS), "my portfolio, how does Apple trade"
    said = [Example("how does Tesla trade today", "get_stock_price"), Example("a dinner idea", "search_recipes")]
    few = FewShotRouter(router.labels, router.scores, said)
    gain = few.scores(question) - router.scores(question)
    assert few.labels[int(gain.argmax())] == "get_stock_price"
    with pytest.raises(ValueError, match="no example"):
        FewShotRouter(router.labels, router.scores, [Example("hi", "other")])


# ---------------------------------------------------------------- plans


@pytest.mark.parametrize("question", SERVED)
def test_a_sure_tool_is_named_with_its_required_slots_open(question: str) -> None:
    found, wanted = planned(question), TOOLS[SERVED[question]]
    assert (found.outcome, found.steps[0].call.tool, found.shortlist) == ("partial", wanted.name, (wanted.name,))
    assert found.missing == tuple(s.name for s in wanted.slots.values() if s.required)
    assert found.steps[0].call.arguments == {}


@pytest.mark.parametrize("question", UNSERVED)
def test_an_unsure_choice_is_narrowed_to_five_in_the_order_of_the_set(question: str) -> None:
    found = planned(question)
    assert found.outcome == "abstain" and len(found.shortlist) == 5 and found.reason
    assert list(found.shortlist) == [name for name in TOOLS if name in found.shortlist]


@pytest.mark.parametrize(
    "question, words",
    [
        ("delete all files of the folder /tmp for good", "destructive"),
        ("restart the web server", "no arguments"),
        ("do not book a flight from Oslo to Rome", "'not'"),
        ("book a flight from Oslo to Rome and get the stock price of AAPL", "asks for"),
    ],
)
def test_what_a_schema_alone_must_not_start_is_for_the_model(question: str, words: str) -> None:
    found = planned(question, threshold=0.3)
    assert found.outcome == "abstain" and words in found.reason


def test_a_tool_with_optional_slots_only_is_partial_with_all_of_them() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "day": {"type": "string"}}}
    tools = ToolSet([Tool("tide_table", "The times of high and low tide at a city.", schema)])
    assert planned("the times of high tide at the city of Hull", tools, threshold=0.1).missing == ("city", "day")


def test_the_threshold_given_is_the_schemas_too() -> None:
    question = next(iter(SERVED))
    assert planned(question, threshold=0.999).outcome == "abstain"
    assert planned(UNSERVED[0], threshold=-float("inf")).outcome == "partial"


def test_small_talk_stays_small_talk() -> None:
    assert planned("thanks!").outcome == "none" and planned("thanks!").shortlist == ()


@pytest.mark.parametrize("question", ["18% of 64.50", "weather in Oslo", "who wrote Hamlet"])
def test_what_the_router_knows_is_planned_as_without_strangers(question: str) -> None:
    alone, beside = planned(question, default_tools()), planned(question, default_tools() | TOOLS)
    assert (alone.outcome, alone.steps, alone.shortlist) == (beside.outcome, beside.steps, beside.shortlist)


def test_a_stranger_is_found_beside_tools_that_the_router_knows() -> None:
    found = planned("list the GitHub repositories of the user torvalds", default_tools() | TOOLS)
    assert (found.outcome, found.shortlist) in [("partial", ("list_repositories",)), ("abstain", ())]


# ---------------------------------------------------------------- what the model is shown


@pytest.mark.parametrize("question, number", [(next(iter(SERVED)), 1), (UNSERVED[0], 5)])
def test_the_model_is_shown_the_shortlist_and_no_more(question: str, number: int) -> None:
    lm = scripted_lm("No.", native_tools=True)
    trace = run(RouterPipeline(Router.from_pretrained(), TOOLS), lm, question)
    (request,) = lm.engine.requests
    assert [t.name for t in request.tools] == list(planned(question).shortlist) and len(request.tools) == number
    (route,) = [e.data for e in trace.events if e.kind == "route"]
    assert route["shortlist"] == list(planned(question).shortlist)


def test_the_models_call_of_the_one_tool_runs() -> None:
    ran: list[str] = []
    tools = ToolSet([replace(t, run=lambda name=t.name, **slots: ran.append(name) or "done") for t in TOOLS.values()])
    call = {"name": "book_flight", "arguments": {"origin": "Oslo", "destination": "Rome"}}
    lm = scripted_lm(call, "Booked.", native_tools=True)
    trace = run(RouterPipeline(Router.from_pretrained(), tools), lm, next(iter(SERVED)))
    assert trace.result().answer == "Booked." and ran == ["book_flight"] and "book_flight" in steps(trace)


def test_route_prints_the_tool_its_open_slots_and_the_shortlist(tmp_path: Path, capsys) -> None:
    listed = [{"name": t.name, "description": t.description, "input_schema": t.parameters} for t in TOOLS.values()]
    (tmp_path / "tools.json").write_text(json.dumps(listed))
    (tmp_path / "asked").write_text(f"{next(iter(SERVED))}\n{UNSERVED[0]}\n")
    assert main(["route", "--tools", str(tmp_path / "tools.json"), str(tmp_path / "asked")]) == 0
    sure, unsure = map(json.loads, capsys.readouterr().out.splitlines())
    assert (sure["outcome"], sure["tool"], sure["missing"]) == ("partial", "book_flight", ["origin", "destination"])
    assert unsure["outcome"] == "abstain" and len(unsure["shortlist"]) == 5 and not unsure["arguments"]


# ---------------------------------------------------------------- the benchmark


@pytest.fixture
def bfcl(tmp_path: Path) -> Path:
    """A folder in BFCL's form with the tools above."""
    functions = [
        {"name": t.name, "description": t.description, "parameters": {**t.parameters, "type": "dict"}}
        for t in TOOLS.values()
    ]
    (tmp_path / "possible_answer").mkdir()
    for part in ("simple_python", "multiple", "irrelevance"):
        asked = UNSERVED if part == "irrelevance" else SERVED
        rows, answers = [], []
        for i, question in enumerate(list(asked) * 12):
            own = [f for f in functions if f["name"] == SERVED.get(question)]
            rest = [f for f in functions if f not in own]
            offered = (own or rest[:1]) if part != "multiple" else [*rest[:2], *own]
            message = {"role": "user", "content": question}
            rows.append({"id": str(i), "question": [[message]], "function": offered})
            answers.append({"id": str(i), "ground_truth": [{f["name"]: {}} for f in own]})
        for live in ("", "live_"):
            name = f"BFCL_v4_{live}{part.replace('_python', '') if live else part}.json"
            (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
            (tmp_path / "possible_answer" / name).write_text("\n".join(map(json.dumps, answers)))
    return tmp_path


def test_the_bench_ends_in_one_document_of_rows(bfcl: Path, tmp_path: Path, capsys) -> None:
    labels = {"book a trip": "travel", "buy a share": "stocks"}
    rows = [[f"{question} {i}", label] for question, label in labels.items() for i in range(12)]
    (tmp_path / "clinc.json").write_text(json.dumps({"train": rows, "test": rows[::3]}))
    argv = [
        "--schemas",
        "--bfcl",
        str(bfcl),
        "--clinc",
        str(tmp_path / "clinc.json"),
        "--peers",
        "bm25",
        "--seeds",
        "1",
    ]
    assert bench(argv) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    found = {row["model"]: row for row in document["rows"]}
    assert set(found) == {"bm25", "switchyard"} and document["calibration"]["chosen_on"]["target"] == "error 0.1"
    assert found["switchyard"]["multiple"] == found["switchyard"]["live_multiple"] == 1
    assert found["switchyard"]["clinc_10"] == 1 and found["switchyard"]["irrelevance_auroc"] > 0.9


def test_without_bfcl_the_bench_says_how_to_get_it(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert bench(["--schemas"]) == 2
    assert "pip install --no-deps bfcl-eval" in capsys.readouterr().err
    assert bench(["--schemas", "--bfcl", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
