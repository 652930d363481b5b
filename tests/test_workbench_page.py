"""The tab "Your tools" without a browser: who may open what, what is refused and why, how trainings wait."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pages.door import Door
from pages.services import Limits
from pages.workbench import Workbench
from pages.workbench_projects import PUBLIC, Projects
from pages.workbench_training import ENDED
from pages.workbench_view import report_view
from tests.browser.scripted import services

LAMP = {
    "name": "lamp",
    "description": "Switches a lamp.",
    "input_schema": {
        "type": "object",
        "properties": {"room": {"type": "string"}, "lit": {"type": "boolean"}},
        "required": ["room"],
    },
}
TOOLS = json.dumps([LAMP, {"name": "parcel", "description": "Sends a parcel."}])
ROW = {"question": "light in the hall", "tool": "lamp", "arguments": {"room": "hall", "lit": True}}
PROGRAM = """
import json, sys, time
step = {"part": 1, "parts": 1, "epoch": 1, "epochs": 2, "loss": 0.5, "validation": None}
print(json.dumps({"phase": "training", **step}), flush=True)
time.sleep(%s)
print(json.dumps({"phase": "%s", "message": "Why."}), flush=True)
"""


class Tab(Workbench):
    """The tab on a folder of its own."""

    def __init__(self, folder: Path, limits: Limits = Limits(), program: str = PROGRAM % (0, "failed")) -> None:
        offered = replace(services(limits), projects=folder, train=(sys.executable, "-c", program))
        super().__init__(offered, Door(offered), Projects(offered))

    def do(self, what: str, id: str | None = None, **data: Any) -> dict[str, Any]:
        """The answer to one question of the page."""
        sent = {"do": what, "re": 7, "id": id, **data}
        answer = json.loads(self.ask(SimpleNamespace(_data={"text": json.dumps(sent)}))["text"])
        assert answer["re"] == 7
        return answer

    def given(self) -> str:
        """The id of a project with the two tools."""
        return self.do("tools", text=TOOLS)["project"]["id"]

    def followed(self, id: str) -> Iterator[dict[str, Any]]:
        for letter in self.follow(SimpleNamespace(_data={"text": json.dumps({"id": id})})):
            yield json.loads(letter["text"])


@pytest.fixture
def tab(tmp_path: Path) -> Tab:
    return Tab(tmp_path)


def test_tools_are_described_and_rows_are_kept_changed_and_deleted(tab: Tab) -> None:
    id = tab.given()
    assert len(id) == 32
    tab.do("put", id, **ROW)
    project = tab.do("put", id, at=0, was=ROW["question"], **ROW | {"question": "light in the attic"})["project"]
    lamp = project["tools"][0]
    assert (lamp["rows"], lamp["effects"], lamp["slots"][0]["different"]) == (1, "unknown", 1)
    assert "string without a description" in lamp["remarks"][0]
    (shown,) = tab.do("rows", id)["rows"]["shown"]
    assert (shown["question"], shown["arguments"]) == ("light in the attic", ROW["arguments"])
    assert tab.do("drop", id, at=0, was="light in the attic")["project"]["rows"] == 0


def test_a_slot_called_path_travels(tab: Tab) -> None:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    text = json.dumps({"name": "read", "description": "Reads.", "parameters": schema})
    id = tab.do("tools", text=text)["project"]["id"]
    tab.do("put", id, question="read a.txt", tool="read", arguments={"path": "a.txt"})
    assert tab.do("rows", id)["rows"]["shown"][0]["arguments"] == {"path": "a.txt"}


@pytest.mark.parametrize("id", [None, "", "..", "0" * 32, "../own", "A" * 32, 7])
def test_who_has_no_id_reaches_no_project(tab: Tab, id: Any) -> None:
    tab.given()
    for what in ("open", "rows", "zip", "share", "forget", "train"):
        assert "not on this server any more" in tab.do(what, id)["fault"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"question": ""}, "empty"),
        ({"question": "x" * 2001}, "2,001 characters; the limit is 2,000"),
        ({"tool": "nothing"}, "no tool 'nothing'"),
        ({"arguments": {"lit": True}}, "'room' is a required property"),
        ({"arguments": {"room": 5}}, "5 is not of type 'string'"),
        ({"at": 3, "was": "light in the hall"}, "changed elsewhere"),
        ({"at": 0, "was": "another"}, "changed elsewhere"),
    ],
)
def test_an_unfit_row_is_refused_in_one_sentence_and_nothing_is_lost(tab: Tab, data: dict[str, Any], said: str) -> None:
    id = tab.given()
    tab.do("put", id, **ROW)
    assert said in tab.do("put", id, **ROW | data)["fault"]
    assert tab.do("open", id)["project"]["rows"] == 1


def test_a_log_says_which_lines_were_bad_and_repeats_are_found(tab: Tab) -> None:
    id = tab.given()
    other = ROW | {"arguments": {"room": "attic"}}
    lines = [json.dumps(ROW), "{", json.dumps(other), json.dumps(ROW | {"tool": "kettle"})]
    answer = tab.do("add", id, name="log.jsonl", text="\n".join(lines))
    assert answer["added"] == 3 and [one["line"] for one in answer["problems"]] == [2]
    assert answer["project"]["strangers"] == {"kettle": 1}
    assert answer["project"]["counts"]["contradictions"] >= 1
    odd = tab.do("rows", id, odd=True)["rows"]["shown"]
    assert len(odd) == 3
    (stranger,) = tab.do("rows", id, tool="kettle", odd=True)["rows"]["shown"]
    assert any("not in your list of tools" in note for note in stranger["notes"])


def test_a_public_page_has_limits_and_connects_to_nothing(tmp_path: Path) -> None:
    tab = Tab(tmp_path, Limits(public=True))
    assert "connects to no MCP server" in tab.do("tools", source="mcp", server="sh -c true")["fault"]
    id = tab.given()
    assert f"the limit is {PUBLIC.characters:,}" in tab.do("add", id, text="x" * (PUBLIC.characters + 1))["fault"]
    rows = "\n".join(json.dumps(ROW | {"question": f"light {i}"}) for i in range(PUBLIC.rows + 5))
    answer = tab.do("add", id, name="log.jsonl", text=rows)
    assert answer["added"] == PUBLIC.rows and "5 rows were left out" in answer["problems"][0]["message"]
    assert "2,000 rows, which is the limit" in tab.do("put", id, **ROW)["fault"]


def test_an_mcp_server_lists_its_tools(tab: Tab) -> None:
    command = f"{sys.executable} {Path(__file__).with_name('mcp_server.py')}"
    tools = tab.do("tools", source="mcp", server=command)["project"]["tools"]
    assert {tool["effects"] for tool in tools} >= {"read-only", "unknown"}
    assert "no command" in tab.do("tools", source="mcp", server="")["fault"]
    assert "cannot be reached" in tab.do("tools", source="mcp", server="http://127.0.0.1:9/mcp")["fault"]


def test_a_project_that_nobody_used_is_deleted(tmp_path: Path) -> None:
    now = [0.0]
    projects = Projects(replace(services(Limits(public=True)), projects=tmp_path), lambda: now[0])
    old, kept = projects.new(), projects.new()
    projects.open(old.id), projects.open(kept.id)
    now[0] = PUBLIC.life_s
    projects.open(kept.id)
    now[0] += 1
    projects.new()
    assert not old.folder.exists() and kept.folder.exists()


def test_a_training_goes_on_unwatched_and_the_next_one_waits(tmp_path: Path) -> None:
    tab = Tab(tmp_path, program=PROGRAM % (0.6, "failed"))
    first, second = tab.given(), tab.given()
    assert "give one from 0.5 to 0.99" in tab.do("train", first, target=2)["fault"]
    tab.do("train", first, target=0.9)
    assert "trained already" in tab.do("train", first, target=0.9)["fault"]
    tab.do("train", second, target=0.9)
    told = list(tab.followed(second))
    assert told[0]["phase"] == "waiting" and told[-1]["message"] == "Why."
    assert tab.trainings.of(tab.projects.open(first)).told["phase"] in ENDED
    assert [one for one in told if one["phase"] == "training"][-1]["figure"]["data"][0]["y"] == [0.5]


def test_a_training_that_breaks_off_says_so_and_can_be_started_again(tmp_path: Path) -> None:
    tab = Tab(tmp_path, program="import sys; sys.exit(3)")
    id = tab.given()
    for _ in range(2):
        tab.do("train", id, target=0.9)
        assert "fault in this program" in list(tab.followed(id))[-1]["message"]


def test_what_was_deleted_is_gone_and_its_training_ends(tmp_path: Path) -> None:
    tab = Tab(tmp_path, program=PROGRAM % (60, "done"))
    id = tab.given()
    tab.do("train", id, target=0.9)
    training = tab.trainings.of(tab.projects.open(id))
    tab.do("forget", id)
    assert list(training.follow())[-1]["phase"] == "stopped" and list((tmp_path / "own").iterdir()) == []
    assert tab.do("open", id)["gone"]


def test_edits_from_many_windows_are_all_kept(tab: Tab) -> None:
    id = tab.given()
    with ThreadPoolExecutor(8) as windows:
        list(windows.map(lambda i: tab.do("put", id, **ROW | {"question": f"light number {i}"}), range(24)))
    assert tab.do("open", id)["project"]["rows"] == 24


def test_who_follows_no_training_is_told(tab: Tab) -> None:
    assert "Train again" in next(tab.followed(tab.given()))["message"]
    assert "not on this server" in next(tab.followed("0" * 32))["message"]


def test_warnings_speak_of_the_form() -> None:
    report = dict.fromkeys(("warnings", "calibration", "curve"), ()) | {
        "warnings": ["Give more rows, or --target 0.74.", "Or a lower --target."]
    }
    assert report_view(report)["warnings"] == ["Give more rows, or a share of 74 %.", "Or a lower share."]


def test_a_training_that_is_stopped_as_it_starts_has_not_failed(tmp_path: Path) -> None:
    tab = Tab(tmp_path, program="import time; time.sleep(60)")
    id = tab.given()
    tab.do("train", id, target=0.9)
    tab.do("stop", id)
    end = list(tab.followed(id))[-1]
    assert end["phase"] == "stopped" and "before" in end["message"]


def test_what_needs_a_router_says_that_none_is_trained(tab: Tab) -> None:
    id = tab.given()
    for what in ("try", "zip", "share"):
        assert "No router is trained" in tab.do(what, id, question="light")["fault"]
