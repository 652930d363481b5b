"""A model server that fails at every tenth call: nothing is lost, nothing counted twice, retries are paid for."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from baselines.evaluate.command import Setting, race_paths
from baselines.evaluate.faults import FAULTS, MODEL, PATHS, FaultConfig, faulty_server, products, stress
from baselines.evaluate.runs import read_rows
from baselines.race import build_paths
from router.builtin import default_tools
from router.lms import make_lm
from router.network import DEFAULT_ROUTER, Router


def test_products_are_different_and_carry_their_answer() -> None:
    questions = products(1000)
    assert len({q.text for q in questions}) == 1000 and questions == products(1000)
    assert all(q.tools == ("calculator",) and q.answers for q in questions)


def test_a_run_through_faults_ends_every_row_once_and_counts_retries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FaultConfig(share=0.3, silence_s=0.3, delay_s=0.02)
    with faulty_server(config) as (address, served):
        for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
            monkeypatch.setenv(name, address)
        tools = {"calculator": default_tools()["calculator"]}
        paths = build_paths(PATHS, tools, Router.from_pretrained(DEFAULT_ROUTER))
        setting = Setting(make_lm(MODEL, "not-a-key"), False, paths)
        found = stress(8, tmp_path / "runs.jsonl", partial(race_paths, setting, True, 60.0, threading.Event()))
    assert (found["rows"], found["missing"], found["twice"], found["neither_answer_nor_error"]) == (24, 0, 0, 0)
    assert found["interrupts"] == 1 and found["unpriced"] == 0
    assert set(FAULTS) & set(served.kinds) and found["retried_calls"] > 0 and found["answered"] >= 12
    # every request is in a row, but those of the path that Ctrl-C cut short
    assert 0 < found["calls"] <= served.requests
    rows, _ = read_rows(tmp_path / "runs.jsonl")
    assert all(row.result.usage.calls == len(row.lm_calls) for row in rows)
    assert not [row for row in rows if "not-a-key" in str(row)]
