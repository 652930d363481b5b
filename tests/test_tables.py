"""The README's tables are what the committed rows say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from baselines.evaluate import tables
from baselines.evaluate.router_tables import calls_table, peers_table, rewards_table, schemas_table

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_does_not_drift_from_the_rows() -> None:
    assert tables.check(README) == 0


def test_drift_is_found_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results:growth -->\nold\n<!-- /results -->\nafter\n", encoding="utf-8")
    assert tables.check(readme) == 1 and "growth differs" in capsys.readouterr().err
    assert tables.write(readme) == 0 and tables.check(readme) == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n") and "| Tool calling |" in text


def test_a_table_without_rows_is_a_fault(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- results:nothing -->\n<!-- /results -->\n", encoding="utf-8")
    assert tables.check(readme) == 1


def test_the_peers_table_has_a_row_a_model_and_says_how_the_latencies_compare(tmp_path: Path) -> None:
    about = {"dataset": "clinc150", "date": "2026-01-02", "machine": {"cores": 2}}
    speed = {"p99_us": 90.0, "batch_qps": 20_000.0, "train_cpu_s": 12.0, "size_mb": 9.0, "ece": 0.0123}
    rows = [
        about | speed | {"model": "fasttext", "accuracy": 0.886, "p50_us": 25.0, "oos_auroc": None},
        about
        | speed
        | {"model": "switchyard-distilled", "accuracy": 0.951, "p50_us": 50.0, "oos_auroc": 0.9612}
        | {"oos_recall_at_95": 0.83, "seeds": 3, "spread": {"accuracy": 0.0014}},
    ]
    path = tmp_path / "bench.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = peers_table(path)
    assert "| CLINC150 | fastText | 88.6% | 0.012 | – | – | 25 µs |" in table
    assert "| 95.1% ± 0.1 | 0.012 | 0.961 | 83% | 50 µs |" in table
    assert "fastText takes 0.5× as long" in table and "mean of 3 seeds" in table


def test_the_calls_table_has_a_row_a_model_and_a_dash_where_nothing_is_acted_on(tmp_path: Path) -> None:
    about = {"dataset": "snips", "train_rows": 1000, "date": "2026-01-02", "machine": {"cores": 2}}
    shared = {
        "tool_accuracy": 0.968,
        "slot_f1": 0.8,
        "p50_us": 250.0,
        "p99_us": 900.0,
        "train_cpu_s": 25.0,
        "size_mb": 4,
    }
    rows = [
        about | shared | {"model": "minilm-cache", "call_exact": 0.049, "coverage": 0.0, "precision": None},
        about
        | shared
        | {"model": "switchyard", "call_exact": 0.64, "coverage": 0.2, "precision": 0.98, "seeds": 3}
        | {"spread": {"call_exact": 0.005}},
    ]
    path = tmp_path / "calls.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = calls_table(path)
    assert "| 1,000 | semantic cache: MiniLM's cosine ≥ .95 | 96.8% | 80.0% | 4.9% | 0% | – |" in table
    assert "| 64.0% ± 0.5 | 20% | 98.0% | 250 µs | 900 µs |" in table and "3 seeds at 1,000 rows" in table


def test_the_rewards_table_joins_the_seeds_of_a_condition(tmp_path: Path) -> None:
    shared = {"corruption": "random", "rewards": "prompt", "clean_labels": 0.91}
    rows = [
        shared | {"before": 0.60, "after": 0.80, "lowest": 0.59},
        shared | {"before": 0.62, "after": 0.84, "lowest": 0.61},
    ]
    path = tmp_path / "rewards.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    table = rewards_table(path)
    assert "| random | prompt | 61.0% | 82.0% (80.0%–84.0%) | 60.0% | 2 |" in table and "91.0%" in table


def test_the_schemas_table_has_a_row_a_model_and_says_what_narrowing_costs(tmp_path: Path) -> None:
    shares = {f"{live}multiple": 0.9 for live in ("", "live_")} | {f"clinc_{shots}": 0.5 for shots in (0, 1, 5, 10)}
    for live in ("", "live_"):
        shares |= {f"{live}irrelevance_auroc": 0.94, f"{live}irrelevance_at_95": 0.8}
    shares |= {"narrowed_live_multiple": 0.7, "narrowed_live_irrelevance": 0.1, "narrowed_right": 0.98, "among_five": 0.99}
    about = {"date": "2026-01-02", "machine": {"cores": 2}, "p50_us": 240.0}
    path = tmp_path / "schemas.jsonl"
    path.write_text("".join(json.dumps(about | shares | {"model": m}) + "\n" for m in ("bm25", "switchyard")))
    table = schemas_table(path)
    assert "| **Switchyard** | 90.0% | 90.0% | 0.940 | 0.940 | 80% | 80% | 50.0% |" in table
    assert "wrongly, for 10%" in table and "98.0%" in table and table.count("\n| ") == 2
