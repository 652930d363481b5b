"""Two endpoints on one PostgreSQL: one is killed under load, and what was noted stays; a new model reaches both."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pgserver
import pytest
from call_log import SMALL
from serving import ASKED, free_port, post
from test_serve_handing import ASKS, TALK, holding, obliging

from router.handover import background
from router.handover.gate import Comparison, GateConfig, Usual
from router.handover.journal import Journal
from router.handover.learner import Candidate
from router.learning.tagging import fit_calls
from router.types import NONE, Example

ROOT = Path(__file__).parents[1]
FIRST, UNDER_LOAD, AT_ONCE = 20, 60, 6
SOON_S = 10.0
"""Seconds in which a new model has to be everywhere."""


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"))
    yield Journal(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    server.cleanup()


class Replica:
    """A process that can be killed and begun again, at the same address."""

    def __init__(self, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        script = str(Path(__file__).with_name("replica.py"))
        self._command = [sys.executable, script, *arguments, str(self.port)]
        self.begin()

    def begin(self) -> None:
        self._process = subprocess.Popen(self._command, env=os.environ | {"PYTHONPATH": str(ROOT)})

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def answers(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                httpx.get(self.url.replace("/v1", "/healthz")).raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise TimeoutError(self.url)


@pytest.fixture
def replicas(journal: Journal, provider: tuple[Any, str], tmp_path: Path) -> Iterator[tuple[Replica, Replica]]:
    provider[0].renew()
    provider[0].answer = obliging
    both = [Replica(journal.url, str(tmp_path / "models"), provider[1]) for _ in range(2)]
    for one in both:
        one.answers()
    yield tuple(both)
    for one in both:
        one.kill()


def ask(replicas: tuple[Replica, Replica], number: int) -> tuple[Replica, httpx.Response]:
    """Ask one replica, and the other where that is gone, as what stands before replicas does."""
    question, _ = ASKS[number % len(ASKS)]
    turns = [{"role": "assistant", "content": f"number {number}"}, {"role": "user", "content": question}]
    for one in (replicas[number % 2], replicas[1 - number % 2]):
        try:
            return one, post(one.url, ASKED | {"messages": turns})
        except httpx.HTTPError:
            continue
    raise AssertionError("no replica answered")


def noted(journal: Journal) -> set[str]:
    return {row.history[0]["content"] for _, row in journal.rows()}


def model() -> Candidate:
    """A model of the lights, with a proof that lets it make every call."""
    rows = [Example(question, "lights", call) for question, call in ASKS] + [Example(talk, NONE, {}) for talk in TALK]
    fitted = fit_calls(rows, replace(SMALL, epochs=1, least_steps=80), validation=rows)
    agreed = [
        Comparison(row, "lights", {"tool": 0.01, "call": 0.01}, {"tool": True, "call": True}) for row in range(99)
    ]
    return Candidate(fitted, tuple(agreed), Usual(), len(rows), 0.0)


def test_what_is_noted_outlives_a_replica_and_a_new_model_reaches_both(
    replicas: tuple[Replica, Replica], journal: Journal, tmp_path: Path
) -> None:
    for number in range(FIRST):
        ask(replicas, number)
    before = noted(holding(journal, FIRST))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(ask, replicas, number) for number in range(FIRST, FIRST + UNDER_LOAD)]
        asked[UNDER_LOAD // 3].result()
        replicas[0].kill()
        answers = [one.result() for one in asked]
    calls = [reply.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] for _, reply in answers]
    assert calls == ["lights"] * UNDER_LOAD
    other = {f"number {n}" for n, (one, _) in enumerate(answers, FIRST) if one is replicas[1]}
    assert len(other) > UNDER_LOAD // 2
    until = time.monotonic() + 30
    while not before | other <= noted(journal) and time.monotonic() < until:
        time.sleep(0.1)
    assert before | other <= noted(journal)

    replicas[0].begin()
    replicas[0].answers()
    candidate, models = model(), tmp_path / "models"
    candidate.save(background.folder_of(models, 1))
    background.stand(journal, 1, candidate, GateConfig(target=0.8), {})
    until = time.monotonic() + SOON_S
    waiting = set(replicas)
    while waiting and time.monotonic() < until:
        waiting = {one for one in waiting if not _acts(one)}
    assert not waiting


def _acts(one: Replica) -> bool:
    return post(one.url, ASKED).headers["x-switchyard"].startswith("live; confidence")
