"""The panel, the report, the estimate and the command line: what they show is what the rows say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from scripted_race import Act, ScriptedRace

from baselines.__main__ import main
from baselines.evaluate.estimate import estimate, one_off
from baselines.evaluate.faults import FaultConfig, faulty_server, products
from baselines.evaluate.questions import Question, to_row
from baselines.evaluate.runs import ABSTAINED, Row, RunConfig, run, write_rows
from baselines.evaluate.statistics import summarise
from baselines.evaluate.wording import comparison_sentences
from baselines.figures import evaluation, growth
from baselines.figures.panel import live, panel
from baselines.figures.report import render
from router.network import DEFAULT_ROUTER

HOSTILE = "</script><script>alert(1)</script> ${x} {{y}} {panel}"
KEYS = (
    "runs errors calls input_tokens output_tokens cost_usd seconds first_token tool_accuracy result_accuracy "
    "answer_accuracy"
)


def act(path: str, question: str) -> Act:
    n = int(question.split()[2])
    calls = {"llm_chain": 3, ABSTAINED: 3}.get(path, 1)
    confidence = 0.5 + n / 100 if path.startswith("router") else None
    right = path != "router" or n % 5
    return Act(
        {"calculator": str(2 * n)},
        str(2 * n) if right else HOSTILE,
        calls=calls,
        tokens=300 * calls,
        cost=0.001 * calls,
        confidence=confidence,
    )


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    questions = [Question(f"what is {n} + {n}", ("calculator",), (str(2 * n),), "calculator") for n in range(10, 30)]
    config = RunConfig(
        ("llm_chain", "router"), branches=True, meta={"lm": "some-model", "threshold": 0.5, "commit": "abc"}
    )
    return list(run(questions, ScriptedRace(act), config))


def test_the_panel_is_json_and_has_a_frame_for_every_threshold(rows: list[Row]) -> None:
    shown = json.loads(json.dumps(panel(rows, one_off_usd=0.01), allow_nan=False))
    assert shown["own_threshold"] == 0.5 and shown["questions"] == 20
    assert [f["threshold"] for f in shown["frames"]] == sorted(f["threshold"] for f in shown["frames"])
    calls = [f["summary"]["router"]["calls"] for f in shown["frames"]]
    assert calls[0] == 20 and calls[-1] == 60 and calls == sorted(calls)
    assert not any(f["missing"] for f in shown["frames"])
    assert {"cost_quality", "accuracy", "tokens", "latency", "payback"} <= set(shown["figures"])
    assert len(shown["disagreements"]) == 4


def test_the_payback_moves_with_the_threshold(rows: list[Row]) -> None:
    told = [frame["figures"]["payback"]["summary"] for frame in panel(rows, one_off_usd=0.01)["frames"]]
    assert "against LLM chain after 5 queries" in told[0]
    assert "against LLM chain never" in told[-1]  # the LLM chooses every time, at the chain's own price
    assert len(set(told)) > 3


def test_every_figure_says_its_values_in_a_sentence(rows: list[Row]) -> None:
    shown = panel(rows, one_off_usd=0.01)["figures"]
    assert "Router 80 % right for $1.00 per 1,000 questions" in shown["cost_quality"]["summary"]
    assert "LLM chain 900 in 3 calls" in shown["tokens"]["summary"]
    assert "pays back against LLM chain after 5 queries" in shown["payback"]["summary"]


def test_no_rows_is_an_empty_view_and_no_fault() -> None:
    assert live([], panel.__defaults__[0])["summary"] == {}
    for figure in (
        evaluation.cost_quality({}),
        evaluation.accuracy({}),
        evaluation.latency({}),
        evaluation.per_question({}),
    ):
        assert figure["data"] == [] or not figure["data"][0].get("x")
    assert growth.figures([])["calls"]["data"] == []


def test_a_loss_is_told_as_a_loss(rows: list[Row]) -> None:
    (sentence,) = comparison_sentences(summarise(rows))
    assert "3.0× fewer LLM calls" in sentence and "20 points fewer right answers" in sentence
    (other,) = comparison_sentences(summarise(rows), of="llm_chain")
    assert "3.0× more LLM calls" in other and "dearer" in other


def test_the_report_holds_everything_and_lets_nothing_out(rows: list[Row]) -> None:
    html = render(rows, problems=["line 7: no run"])
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=", html.split("plotly.js v")[0])
    assert "<script>alert(1)" not in html and "\\u003cscript>alert(1)" in html
    data = json.loads(re.search(r'<script type="application/json" id="panel">(.*?)</script>', html, re.DOTALL)[1])  # type: ignore[index]
    assert data["problems"] == ["line 7: no run"] and data["meta"] == [
        {"lm": "some-model", "threshold": 0.5, "commit": "abc"}
    ]


def test_the_report_command_rebuilds_it_from_rows(
    rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(rows, tmp_path / "runs.jsonl")
    assert main(["report", str(tmp_path / "runs.jsonl"), "-o", str(tmp_path / "report.html")]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rows"] == len(rows)
    assert main(["report", str(tmp_path / "nothing.jsonl"), "-o", str(tmp_path / "x.html")]) == 2
    assert "nothing.jsonl" in capsys.readouterr().err


def test_an_estimate_scales_what_was_measured(rows: list[Row]) -> None:
    found = estimate(rows, {"llm_chain": 40, "router": 40}, True, lambda usage: usage.cost_usd)
    assert found is not None
    assert (found.runs, found.calls, found.cost_usd, found.seconds) == (80, 160, pytest.approx(0.16), 80.0)
    assert estimate(rows, {"tool_calling": 1}, True, lambda usage: 0.0) is None
    assert estimate(rows, {"router": 1}, True, lambda usage: None).cost_usd is None  # type: ignore[union-attr]


def test_training_has_its_price() -> None:
    assert 0 < one_off(DEFAULT_ROUTER).usd < 1
    assert one_off(Path("nowhere")).usd == 0


def test_the_run_command_ends_with_one_json_document_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions, out = tmp_path / "q.jsonl", tmp_path / "runs.jsonl"
    lines = [json.dumps(to_row(q)) for q in products(3)]
    questions.write_text("\n".join([*lines, "nonsense"]), encoding="utf-8")
    command = [
        "run",
        "--lm",
        "openai/gpt-4o-mini",
        "--input",
        str(questions),
        "--out",
        str(out),
        "--sequential",
        "--timeout",
        "60",
    ]
    with faulty_server(FaultConfig(share=1e-9, slow=0.0)) as (address, served):
        for name, value in (
            ("OPENAI_BASE_URL", address),
            ("OPENAI_API_BASE", address),
            ("OPENAI_API_KEY", "not-a-key"),
        ):
            monkeypatch.setenv(name, value)
        assert main([*command, "--paths", "tool_calling", "--limit", "2"]) == 0
        before = served.requests
        assert main([*command, "--paths", "tool_calling,router"]) == 0
        assert served.requests - before == 2 + 3  # tool calling on the third question, the router on all
        assert main([*command, "--paths", "tool_calling,router"]) == 0
        assert served.requests - before == 5
    shown = capsys.readouterr()
    document = json.loads(shown.out.splitlines()[-1])
    assert set(document) == {"tool_calling", "router"} and "line 4" in shown.err
    for path, calls in (("tool_calling", 6), ("router", 3)):
        assert set(KEYS.split()) <= set(document[path])
        assert (document[path]["runs"], document[path]["errors"], document[path]["calls"]) == (3, 0, calls)
        assert (
            document[path]["answer_accuracy"]
            == document[path]["tool_accuracy"]
            == document[path]["result_accuracy"]
            == 1.0
        )
        assert set(document[path]["seconds"]) == {"p50", "p95"} and document[path]["cost_usd"] > 0


def test_bad_flags_say_what_would_do(capsys: pytest.CaptureFixture[str]) -> None:
    for bad in (["run", "--out", "x", "--paths", "oracle"], ["run", "--out", "x", "--limit", "0"], ["bench"]):
        with pytest.raises(SystemExit):
            main(bad)
    assert "'oracle' is no path" in capsys.readouterr().err
    assert main(["run", "--out", "x.jsonl", "--input", "missing.jsonl"]) == 2
