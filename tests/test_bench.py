"""The benchmark reads what it says it reads, measures peers alike and ends in one JSON document."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from routers import examples, small_router

from router.bench import command as bench
from router.bench.command import COLUMNS, Remembered, main
from router.bench.data import read_dataset
from router.bench.measures import latency
from router.learning.cascade import Cascade
from router.learning.training import TrainingConfig

TRAIN, TEST = examples()


@pytest.fixture
def clinc(tmp_path: Path) -> Path:
    """A file in CLINC150's form with the project's own questions; the label ``none`` is out of scope."""
    rows = lambda part: [[e.question, e.tool] for e in part if e.tool != "none"]  # noqa: E731
    outside = [[e.question, "oos"] for e in TRAIN if e.tool == "none"]
    data = {"train": rows(TRAIN), "val": rows(TEST[::2]), "test": rows(TEST[1::2])}
    data |= {"oos_train": outside[:20], "oos_val": outside[20:40], "oos_test": outside[40:]}
    path = tmp_path / "own" / "data_full.json"
    path.parent.mkdir()
    path.write_text(json.dumps(data))
    return path


def test_the_last_line_is_one_document_with_every_column(clinc: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(bench, "TrainingConfig", lambda **kw: TrainingConfig(epochs=1, **kw))
    assert main(["--data", str(clinc), "--peers", "wordllama,fasttext", "--seeds", "2", "--out", str(clinc) + "l"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["dataset"] == "own"
    rows = {row["model"]: row for row in document["rows"]}
    assert set(rows) == {"wordllama", "fasttext", "switchyard"}
    for row in rows.values():
        assert set(COLUMNS) <= set(row)
        assert all(row[c] is not None and np.isfinite(row[c]) for c in COLUMNS[1:])
        assert 0.5 < row["accuracy"] <= 1 and row["p50_us"] <= row["p99_us"]
    assert rows["switchyard"]["seeds"] == 2 and rows["switchyard"]["spread"]["accuracy"] >= 0
    assert len(Path(str(clinc) + "l").read_text().splitlines()) == 3


def test_a_second_run_reads_what_the_first_one_kept(clinc: Path, capsys, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "TrainingConfig", lambda **kw: TrainingConfig(epochs=1, **kw))
    for _ in range(2):
        assert main(["--data", str(clinc), "--seeds", "1", "--cache", str(tmp_path / "kept")]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
    assert first["rows"][0]["accuracy"] == second["rows"][0]["accuracy"]
    monkeypatch.setattr(bench, "fit_supervised", lambda *a, **kw: pytest.fail("trained again"))
    assert main(["--data", str(clinc), "--seeds", "1", "--cache", str(tmp_path / "kept")]) == 0


def test_banking77s_two_files_and_jsonl_are_read(tmp_path: Path) -> None:
    for name, part in (("bank_train.csv", TRAIN), ("bank_test.csv", TEST)):
        with open(tmp_path / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "category"])
            writer.writerows([e.question, e.tool] for e in part)
    data = read_dataset(tmp_path / "bank_train.csv")
    assert len(data.test) == len(TEST) and len(data.train) + len(data.validation) == len(TRAIN)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"question": e.question, "tool": e.tool}) + "\n" for e in TRAIN))
    data = read_dataset(path)
    assert data.labels == sorted({e.tool for e in TRAIN})
    assert not {e.question for e in data.train} & {e.question for e in data.test}


@pytest.mark.parametrize("argv", [[], ["--data", "no/such.json"], ["--data", __file__]])
def test_what_cannot_be_read_is_an_error_not_a_traceback(argv: list[str], capsys) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err


def test_unknown_peers_are_named(clinc: Path, capsys) -> None:
    assert main(["--data", str(clinc), "--peers", "gpt-9"]) == 2
    assert "gpt-9" in capsys.readouterr().err


def test_a_teacher_is_asked_once_for_each_text(tmp_path: Path) -> None:
    asked: list[str] = []

    def teacher(texts):
        asked.extend(texts)
        return np.array([[len(t), 0.0] for t in texts], np.float32)

    remembered = Remembered(teacher, tmp_path / "logits.npz")
    assert np.array_equal(remembered(["a", "bb"]), teacher(["a", "bb"]))
    asked.clear()
    remembered(["bb", "ccc", "ccc"])
    assert asked == ["ccc"]
    asked.clear()
    assert np.array_equal(Remembered(teacher, tmp_path / "logits.npz")(["ccc", "a"]), [[3, 0], [1, 0]])
    assert not asked


def test_latency_takes_every_model_in_turn() -> None:
    calls: list[str] = []
    timed = latency({"x": lambda q: calls.append("x"), "y": lambda q: calls.append("y")}, ["q"] * 5, repeats=2)
    assert calls == (["x"] * 5 + ["y"] * 5) * 3
    assert set(timed) == {"x", "y"} and timed["x"]["p50_us"] > 0


class TestCascade:
    class Oracle:
        """In MiniLM's place: knows every answer of TEST. ``head`` and ``logits`` as MiniLM has them."""

        asked = 0

        def __init__(self) -> None:
            self.labels = small_router().labels
            self.head = type("Head", (), {"out_features": len(self.labels)})
            self._truth = {e.question: e.tool for e in TEST}

        def logits(self, questions):
            self.asked += len(questions)
            return np.array([[8.0 * (label == self._truth[q]) for label in self.labels] for q in questions], np.float32)

    def test_the_least_sure_are_passed_on_and_no_others(self) -> None:
        oracle = self.Oracle()
        cascade = Cascade.fit(small_router(), oracle, TEST, share=0.2)
        oracle.asked = 0
        decisions = [cascade.decide(e.question) for e in TEST]
        assert oracle.asked == pytest.approx(0.2 * len(TEST), abs=2)
        right = np.mean([d.tool == e.tool for d, e in zip(decisions, TEST)])
        assert right > np.mean([small_router().decide(e.question).tool == e.tool for e in TEST]) + 0.02
        assert all(abs(sum(d.probabilities.values()) - 1) < 1e-5 for d in decisions)

    def test_stages_of_other_labels_are_refused(self) -> None:
        oracle = self.Oracle()
        oracle.head = type("Head", (), {"out_features": 3})
        with pytest.raises(ValueError, match="3 labels"):
            Cascade.fit(small_router(), oracle, TEST)
