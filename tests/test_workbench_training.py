"""A workspace from rows to a router that is taken home; trained once, small."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from call_log import SMALL, log

from router.calls.tagger import CallModel
from router.learning.log_tools import described
from router.learning.own import CallAims
from router.learning.tagging import CallProgress, JudgedCalls, fit_and_judge
from router.plans import plan
from router.tools import Tool, ToolSet
from router.types import NON_TOOLS, Example
from router.workbench import folder as files
from router.workbench.__main__ import main
from router.workbench.pack import compare, pack
from router.workbench.report import report_of_schemas

ROWS = log(200)
TOOLS = ToolSet(replace(tool, description=f"A {tool.name}.") for tool in described(ROWS, NON_TOOLS).values())
OUTSIDE = [Example(f"a riddle about {what}", "none", {}) for what in ("rain", "cats", "the sea", "bread")]


def learn(rows: Sequence[Example], tools: ToolSet, aims: CallAims, tell: Callable[[CallProgress], None]) -> JudgedCalls:
    """``own.learn_calls`` with a small network and a small world."""
    found = fit_and_judge([*rows, *OUTSIDE], replace(SMALL, target=aims.target, epochs=6, least_steps=100), tell)
    parts = replace(found.model.parts, tools=tuple(tools.as_json()))
    return replace(found, model=CallModel(found.model.router, parts))


def workspace(folder: Path, rows: Sequence[Example] = ROWS, tools: ToolSet = TOOLS) -> Path:
    files.save_tools(tools, folder)
    files.save_rows(rows, folder)
    return folder


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder = workspace(tmp_path_factory.mktemp("work"))
    out, sys.stdout = sys.stdout, io.StringIO()
    try:
        assert main([str(folder), "--target", "0.9"], learn) == 0
        return folder, [json.loads(line) for line in sys.stdout.getvalue().splitlines()]
    finally:
        sys.stdout = out


def test_tells_each_step_and_the_end(trained: tuple[Path, list[dict[str, Any]]]) -> None:
    _, lines = trained
    assert [line["phase"] for line in (lines[0], lines[-1])] == ["starting", "done"]
    steps = [line for line in lines if line["phase"] == "training"]
    assert {line["part"] for line in steps} == {1, 2, 3, 4} == {steps[0]["parts"], 1, 2, 3}
    assert all(line["loss"] > 0 and line["left"] >= 0 and line["epoch"] <= line["epochs"] for line in steps)
    assert steps[-1]["left"] == 0 and steps[-1]["validation"] is None  # the last training has all rows
    held = [line["validation"] for line in steps if line["part"] == 1]
    assert held[0] < held[-1] <= 1


def test_the_report_adds_up(trained: tuple[Path, list[dict[str, Any]]]) -> None:
    about = files.load_report(trained[0])
    assert about["measured_on"].startswith("Each of your 200 rows was held out once")
    assert len(about["rows"]) == len(ROWS)
    for label, one in about["tools"].items():
        assert one["rows"] == one["held_out"] == sum(row.tool == label for row in ROWS)
        assert one["called_right"] <= one["called"] and one["right_call"] <= one["right_tool"] <= one["held_out"]
    counts = about["confusion"]["counts"]
    assert sum(map(sum, counts)) == len(ROWS)
    for label, row in zip(about["confusion"]["labels"], counts):
        shown = about["confusion"]["questions"].get(label, {})
        assert [min(n, 5) for n in row] == [len(shown.get(read, ())) for read in about["confusion"]["labels"]]
    assert about["outside"]["rows"] == len(OUTSIDE)
    chosen = about["threshold"]
    assert chosen["lower_bound"] >= chosen["target"] == 0.9
    (at,) = (point for point in about["curve"] if point["threshold"] == chosen["threshold"])
    assert (at["n"], at["coverage"], at["precision"]) == (chosen["sure"], chosen["coverage"], chosen["precision"])
    thresholds = [point["threshold"] for point in about["curve"]]
    assert thresholds == sorted(thresholds, reverse=True)
    assert sum(one["n"] for one in about["calibration"]) <= len(ROWS) + len(OUTSIDE)
    assert sum(row["called"] for row in about["rows"]) == sum(one["called"] for one in about["tools"].values()) > 50


def test_the_router_of_a_workspace_makes_calls(trained: tuple[Path, list[dict[str, Any]]]) -> None:
    found = plan("turn on the lamp in the attic", files.load(trained[0]), TOOLS)
    assert found.outcome in ("call", "abstain")  # a wording that no row has
    found = plan("please turn on the lights in the attic", files.load(trained[0]), TOOLS)
    assert found.outcome == "call" and found.steps[0].call.arguments["room"] == "attic"


def unpacked(archive: bytes, to: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        opened.extractall(to)
    return to


def test_what_is_taken_home_makes_the_same_calls_in_a_fresh_process(
    trained: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    home = unpacked(pack(trained[0]), tmp_path)
    assert len((home / "README.md").read_text("utf-8").splitlines()) == 12
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_router.py"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=200)
    assert "10 passed" in ran.stdout, ran.stdout


@pytest.mark.parametrize("way", ["pack", "share"])
def test_no_other_row_leaves_the_workspace(
    trained: tuple[Path, list[dict[str, Any]]], tmp_path: Path, way: str
) -> None:
    if way == "pack":
        unpacked(pack(trained[0]), tmp_path)
        allowed = (tmp_path / "test_router.py").read_text("utf-8")
        (tmp_path / "test_router.py").unlink()
        (tmp_path / "README.md").unlink()
    else:
        files.share(trained[0], tmp_path)
        allowed = ""
        assert {path.name for path in tmp_path.iterdir()} == {"tools.json", "router", "report.json"}
    told = b"\n".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file())
    asked = {row.question for row in ROWS if len(row.question.split()) > 3}
    assert [question for question in asked if question.encode() in told and question not in allowed] == []
    before, after = files.load(trained[0]), files.load(tmp_path)
    for row in ROWS[:60]:
        first, second = (plan(row.question, router, TOOLS) for router in (before, after))
        assert (first.outcome, first.steps) == (second.outcome, second.steps)


def test_sigterm_ends_the_training_and_keeps_the_best_so_far(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken_off(rows: Any, tools: ToolSet, aims: CallAims, tell: Callable[[CallProgress], None]) -> JudgedCalls:
        def stop(progress: CallProgress) -> None:
            if progress.part == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            tell(progress)

        return learn(rows, tools, aims, stop)

    folder, before = workspace(tmp_path, ROWS[:150]), signal.getsignal(signal.SIGTERM)
    assert main([str(folder)], broken_off) == 0
    assert signal.getsignal(signal.SIGTERM) == before
    lines = told(capsys)
    assert lines[-1]["phase"] == "stopped" and max(line.get("part", 0) for line in lines) == 2
    about = files.load_report(folder)
    assert about["stopped"] == [2, 4] and "stopped before its end" in about["measured_on"]
    assert 30 <= len(about["rows"]) < 150  # those that the one whole training had not seen
    assert isinstance(files.load(folder), CallModel)


def test_a_time_limit_ends_the_first_training_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = workspace(tmp_path, ROWS[:150])
    assert main([str(folder), "--seconds", "0"], learn) == 0
    lines = told(capsys)
    assert [line["phase"] for line in lines] == ["starting", "training", "stopped"]
    before = files.load_report(folder)
    assert sum(one["called"] for one in before["tools"].values()) == 0
    assert main([str(folder), "--seconds", "0"], learn) == 0
    end = told(capsys)[-1]
    assert end["kept"] and "the one from before is kept" in end["message"]
    assert files.load_report(folder) == before


def test_without_rows_the_tools_are_known_by_their_schemas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = workspace(tmp_path, ())
    assert main([str(folder)]) == 0
    about = files.load_report(folder)
    assert (about["kind"], about["tools"]["lamp"]["held_out"]) == ("schemas", 0)
    assert about["measured_on"].startswith("Nothing of yours")
    assert plan("send a parcel to Ada", files.load(folder), TOOLS).outcome in ("partial", "abstain")
    home = unpacked(pack(folder), tmp_path / "home")
    assert not (home / "test_router.py").exists() and "Test: none" in (home / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "tools.json").unlink(), "No such file"),
        (lambda folder: (folder / "tools.json").write_text("{"), "tools.json: not JSON"),
        (lambda folder: (folder / "rows.jsonl").write_text("{}\n"), "rows.jsonl, line 1: no question"),
    ],
    ids=["no tools", "broken tools", "broken rows"],
)
def test_says_what_is_wrong_with_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], said: str
) -> None:
    spoil(workspace(tmp_path, ROWS[:3]))
    assert main([str(tmp_path)], learn) == 2
    line = told(capsys)[-1]
    assert line["phase"] == "failed" and said in line["message"] and line["message"].endswith(".")


def test_a_correction_wins_over_what_it_contradicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = Example("have Ada over", "lamp", {"room": "Ada", "lit": True, "source": "voice"})
    folder = workspace(tmp_path, [*ROWS[:150], wrong, wrong])
    files.correct(Example("Have Ada over!", "invite", {"guest": "Ada"}), folder)
    seen: list[Sequence[Example]] = []

    def look(rows: Sequence[Example], *rest: Any) -> JudgedCalls:
        seen.append(rows)
        raise ValueError("Enough was seen.")

    assert main([str(folder)], look) == 2
    asked = [row.tool for row in seen[0] if row.question.lower().startswith("have ada over")]
    assert set(asked) == {"invite"} and told(capsys)[0]["contradicted"] == 2


def test_compares_two_routers_row_by_row_where_they_differ() -> None:
    def row(question: str, tool: str, called: bool, **arguments: Any) -> dict[str, Any]:
        read = {"tool": tool, "arguments": arguments}
        told = {"read": read, "confidence": 0.5, "right": False, "called": called}
        return {"question": question, "wanted": {"tool": "lamp", "arguments": {"room": "hall"}}} | told

    a = {"rows": [row("same", "lamp", True, room="hall"), row("other", "lamp", True), row("gone", "lamp", True)]}
    b = {"rows": [row("SAME ", "lamp", True, room=" Hall"), row("other", "invite", False), row("new", "lamp", True)]}
    (found,) = compare(a, b)
    assert (found["question"], found["a"]["read"]["tool"], found["b"]["read"]["tool"]) == ("other", "lamp", "invite")


def test_without_rows_it_says_which_tools_are_easily_mistaken() -> None:
    schema = {"type": "object", "properties": {}}
    named = {"create_ticket": "Create a support ticket.", "close_ticket": "Close a support ticket.", "label": "Prints."}
    tools = ToolSet(Tool(name, about, schema) for name, about in named.items())
    alike, taken = report_of_schemas(tools, ("label",))["warnings"]
    assert "create_ticket and close_ticket" in alike and "learned: label." in taken
