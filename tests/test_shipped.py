"""The router that ships: its weights hold what is said of them, and one command makes their like."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from routers import own_rows

from router.__main__ import main
from router.learning.data import read_examples, synthetic_examples, write_examples
from router.learning.shipped import check_clinc, check_questions, clinc_labels
from router.learning.synthetic import LABELS
from router.network import DEFAULT_ROUTER, Router

ASSETS = Path(__file__).parents[1] / "assets"
ROUTER = Router.from_pretrained()


def test_tools_of_the_hand_written_questions() -> None:
    examples, problems = read_examples(ASSETS / "questions.jsonl", question_set=True)
    report = check_questions(ROUTER, examples)
    assert problems == [] and report["questions"] >= 100
    assert report["accuracy"] >= 0.95
    assert report["abstained"] <= 0.05


def test_the_weights_are_small_and_know_the_ten_labels() -> None:
    assert sum(file.stat().st_size for file in DEFAULT_ROUTER.iterdir()) <= 12_000_000
    assert set(ROUTER.labels) == set(LABELS)
    assert ROUTER.provenance["data_sha256"] and ROUTER.calibration.chosen_on["target"]


def test_no_evaluation_question_is_among_the_remembered_training_questions() -> None:
    questions = {
        e.question.lower()
        for name in ("questions", "chains")
        for e in read_examples(ASSETS / f"{name}.jsonl", question_set=True)[0]
    }
    assert questions.isdisjoint(question.lower() for question, _ in ROUTER.memory)


@pytest.mark.parametrize(
    "phrase",
    [
        *("thx", "hello there", "merci beaucoup", "danke dir", "gracias amigo", "grazie mille", "muito obrigado"),
        *(
            "dank je wel",
            "dziękuję bardzo",
            "tack så mycket",
            "спасибо",
            "ありがとうございます",
            "谢谢你",
            "감사합니다",
        ),
        *("شكرا", "धन्यवाद", "teşekkürler", "kiitos", "ok cool", "good night", "hahaha", "👍"),
    ],
)
def test_small_talk_in_many_languages(phrase: str) -> None:
    assert ROUTER.decide(phrase).tool == "smalltalk"


@pytest.mark.parametrize(
    "question",
    [
        "qwzx plorf gnarble",
        "the sad lamp dreams of gravel",
        "set an alarm for 6",
        "what's my account balance",
        "play some jazz",
        "how do I become a calculator engineer",
        "write a sonnet about Paris in the rain",
        "why do we have leap years",
        "how does a thermometer work",
        "book me a table for two",
        "is honesty important",
    ],
)
def test_what_no_tool_serves_is_none_or_abstained(question: str) -> None:
    decision = ROUTER.decide(question)
    assert decision.tool == "none" or decision.abstained


@pytest.mark.parametrize(
    ("question", "tool"),
    [
        ("what is 5 miles in km", "unit_converter"),
        ("what is 5 dollars in euros", "currency"),
        ("what's the temperature in Oslo", "weather"),
        ("what is 30 celsius in fahrenheit", "unit_converter"),
        ("how many people live in Oslo", "search"),
        ("how many letters are in Oslo", "text"),
        ("what time is it in Oslo", "clock"),
        ("how long until Easter", "calendar"),
        ("the weight of a pound in grams", "unit_converter"),
        ("the value of a pound in dollars", "currency"),
    ],
)
def test_look_alikes_are_told_apart(question: str, tool: str) -> None:
    assert ROUTER.decide(question).tool == tool


def route(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: bytes) -> list[dict]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))
    assert main(["route"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_route_gives_one_json_line_a_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = route(monkeypatch, capsys, "what is 20% of 45?\r\nthx\n\nnaïve \xff café".encode("latin-1"))
    assert [set(row) for row in rows] == [
        {
            "question",
            "outcome",
            "tool",
            "arguments",
            "missing",
            "sources",
            "places",
            "shortlist",
            "steps",
            "confidence",
            "abstained",
            "reason",
            "probabilities",
            "microseconds",
        }
    ] * 4
    assert [row["outcome"] for row in rows] == ["call", "none", "abstain", rows[3]["outcome"]]
    assert [row["tool"] for row in rows[:3]] == ["calculator", "smalltalk", "none"]
    assert rows[0]["arguments"] and rows[1]["arguments"] == {}
    assert rows[2]["abstained"] and rows[2]["question"] == ""
    assert abs(sum(rows[0]["probabilities"].values()) - 1) < 1e-4


def test_route_reads_a_file_and_stops_quietly_when_nobody_listens(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text("hi\n" * 3_000, "utf-8")
    shell = f"{sys.executable} -m router route {path} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shell],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ASSETS.parent,
    )
    assert json.loads(done.stdout)["tool"] == "smalltalk"
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments", [["route", "absent.txt"], ["route", "--router", "absent"], ["train", "absent.jsonl", "--out", "x"]]
)
def test_a_missing_file_is_one_sentence_and_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "absent" in error and "Traceback" not in error


def test_explain_names_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "how many feet in a mile"]) == 0
    assert "unit_converter" in (out := capsys.readouterr().out) and "feet" in out
    assert main(["explain", "--json", "thx"]) == 0
    assert json.loads(capsys.readouterr().out)["tool"] == "smalltalk"


def test_train_makes_a_router_from_a_file_and_reports_bad_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "mine.jsonl"
    rows = [e for e in synthetic_examples(seed=2, per_label=60) if e.tool in ("clock", "text")]
    write_examples(rows, data)
    data.write_text(data.read_text("utf-8") + "broken\n", "utf-8")
    assert main(["train", str(data), "--out", str(tmp_path / "router"), "--epochs", "2"]) == 0
    captured = capsys.readouterr()
    assert f"{data}:{len(rows) + 1}: not JSON" in captured.err
    report = json.loads(captured.out.splitlines()[-1])
    assert report["labels"] == 4 and report["megabytes"] < 12
    assert report["held_out"]["rows"] == len(rows) and "warnings" in report
    router = Router.from_pretrained(tmp_path / "router")
    assert router.decide("what time is it in Rome").tool == "clock"
    assert {("clock", "ask"), ("text", "operation")} <= router.readers.keys()


TOOLS = {
    "lights": (
        "Switches the lights of a room on or off, or dims them.",
        "turn the kitchen lights on",
        "switch off the lamp in the bedroom",
        "dim the living room lights to 40 percent",
        "lights off in the hall please",
    ),
    "parcel": (
        "Where a parcel is, by its tracking number.",
        "where is my parcel RR123456789",
        "track my package DX12345",
        "has my order 4411 shipped",
        "when will parcel CD987 arrive",
    ),
    "ticket": (
        "Opens a support ticket with a title and a priority.",
        "open a ticket: the printer is broken",
        "report a bug, the login page is blank, high priority",
        "file an urgent ticket about the wifi",
        "please create a support ticket, my screen flickers",
    ),
}


def test_three_new_tools_are_recognised_and_take_no_question_of_the_eight() -> None:
    grown = ROUTER
    for name, (description, *given) in TOOLS.items():
        new = grown.add_tool(name, description, given)
        assert new.changes == () and new.recognised == 1
        grown = new.router
    asked = [e.question for e in read_examples(ASSETS / "questions.jsonl", question_set=True)[0]]
    before, after = ROUTER.decide_batch(asked), grown.decide_batch(asked)
    assert [q for q, a, b in zip(asked, before, after) if (a.tool, a.abstained) != (b.tool, b.abstained)] == []
    own = own_rows(30, seed=1)
    decided = [None if d.abstained else d.tool for d in grown.decide_batch([e.question for e in own])]
    assert sum(tool == e.tool for tool, e in zip(decided, own)) >= 0.75 * len(own)
    assert [e for tool, e in zip(decided, own) if tool in TOOLS and tool != e.tool] == []
    assert grown.readers == ROUTER.readers and grown.fillers == ROUTER.fillers


def test_the_router_that_ships_has_readers_and_fillers_and_no_warning() -> None:
    assert {"calculator", "calendar", "clock", "text"} == {tool for tool, _ in ROUTER.readers}
    assert {"please", "hey", "the"} <= ROUTER.fillers and not {"weather", "not", "euros"} & ROUTER.fillers
    assert ROUTER.warnings == ()


def test_check_reports_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["bad_rows"] == 0 and report["latency"]["decide_ms_p50"] > 0 and report["chains"]["questions"] == 60


def test_the_clinc_mapping_names_labels_of_the_router(tmp_path: Path) -> None:
    mapping = clinc_labels()
    assert {label for labels in mapping["labels"].values() for label in labels} <= set(LABELS)
    assert set(mapping["labels"]).isdisjoint(mapping["left_out"])
    document = {
        "val": [
            ["hi there", "greeting"],
            ["add 3 and 4", "calculator"],
            ["play a song", "play_music"],
            ["how far", "distance"],
        ],
        "oos_val": [["what is the best sea to sail", "oos"]],
        "oos_train": [],
    }
    path = tmp_path / "data_full.json"
    path.write_text(json.dumps(document), "utf-8")
    report = check_clinc(ROUTER, path)
    assert report["plain"]["sentences"] == 2 and report["plain"]["accuracy"] == 1.0
    assert report["other_intents"]["sentences"] == 1 and report["out_of_scope"]["sentences"] == 1


def test_a_foreign_document_is_no_clinc(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[]", "utf-8")
    with pytest.raises(ValueError, match="no CLINC150 document"):
        check_clinc(ROUTER, path)
