"""The learner's process: at low priority, one at a time, from the journal to a model that stands, whole or not at all.

A candidate is saved under a name of its own and renamed when it is whole; the state that names it, with its gates, is
exchanged in one transaction. So a process that is killed leaves what stood before. Leaves out training (``learner``).
"""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from router.calls.tagger import CallModel
from router.handover.gate import Comparison, GateConfig, Gates, Usual, ceiling
from router.handover.journal import Journal
from router.handover.learner import (
    Candidate,
    LearnerConfig,
    Lesson,
    compare,
    compared,
    read_as_of_then,
    train_candidate,
)

GIVEN = 0
"""The number of a model that the journal did not teach: what a hand-over was given to begin with."""
KEPT = 5
"""Models that are kept, the one that stands among them."""
FIRST, GROWTH, AFTER_PAUSE = 100, 1.5, 100
"""The learner begins at so many lessons, goes on when they have grown by this factor, and earlier, with so many new ones,
where something was paused since."""
LOOK_AGAIN = GROWTH
"""The model that stands is judged again when its comparisons have grown by this factor since the last look, which they only
have where no new model has come by then: each look leaves less of the error to the later ones."""
WORSE = 0.01
"""The chance under which a candidate that was right less often than the model that stands is not put in its place."""
JOURNAL_VARIABLE = "SWITCHYARD_JOURNAL"
"""The environment variable that names the journal: a URL may hold a password, and arguments are for all to see."""


def due(state: Mapping[str, Any], lessons: int) -> bool:
    """Whether so many lessons are worth a new model."""
    learned = state.get("lessons", 0)
    if not learned:
        return lessons >= FIRST
    gates = state.get("gates", {}).get("gates", {})
    paused = any(gate["state"] == "paused" and not gate["by_hand"] for own in gates.values() for gate in own.values())
    return lessons >= learned * GROWTH or (paused and lessons >= learned + AFTER_PAUSE)


def config_of(state: Mapping[str, Any]) -> GateConfig:
    """What the hand-over that ``state`` is of asks for."""
    return GateConfig(**state.get("gate", {}))


def start(journal: Journal, models: Path) -> subprocess.Popen[bytes]:
    """Start ``python -m router handover learn`` in a process of its own."""
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "router", "handover", "learn", "--models", str(models)]
    environment = os.environ | {"PYTHONPATH": paths, JOURNAL_VARIABLE: journal.url, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def learn(
    journal: Journal,
    models: Path,
    gate: GateConfig,
    config: LearnerConfig = LearnerConfig(),
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """Learn from the journal, and put the candidate in the place of the model that stands unless it is worse.

    Returns what came of it: ``number``, ``lessons``, ``seconds`` and ``kept``, which is False where it was worse.
    Raises ValueError where another learner is at work or there are too few lessons.
    """
    models.mkdir(parents=True, exist_ok=True)
    with _alone(models):
        for left in models.glob("*.partial"):
            shutil.rmtree(left)
        state = journal.state()
        journal.expire(state.get("keep_days"))
        lessons = journal.lessons(state.get("schemas", {}))
        candidate = train_candidate(lessons, config, on_progress)
        number = max(numbers(models), default=0) + 1
        partial = folder_of(models, number).with_suffix(".partial")
        partial.mkdir()
        candidate.save(partial)
        partial.rename(folder_of(models, number))
        kept = not worse(candidate, right_before(journal, models, lessons))
        learned = {"lessons": len(lessons), "learned_to": max(lesson.row for lesson in lessons)}
        if kept:
            stand(journal, number, candidate, gate, learned)
        else:
            shutil.rmtree(folder_of(models, number))
            journal.update(lambda state: state | learned)
        _forget(models, journal.state().get("model"))
    return {"number": number, "lessons": len(lessons), "seconds": candidate.seconds, "kept": kept}


def comparisons_of(journal: Journal, models: Path, number: int) -> tuple[list[Comparison], Usual]:
    """What is known of how far model ``number`` agrees: by the models of its folds, and since it stands by itself. A model
    that was given, number GIVEN, has no folds. Raises OSError and ArtifactError where it is gone."""
    fresh = journal.comparisons(number)
    if number == GIVEN:
        return fresh, Usual()
    learned, usual = compared(folder_of(models, number))
    return [*learned, *fresh], usual


def look_again(journal: Journal, models: Path, gate: GateConfig) -> bool:
    """Judge the model that stands again, where enough comparisons have come since the last look. Returns whether it did.

    What it would have called since it stands is proof of it, for it has learned from none of it. Raises OSError and
    ArtifactError where the model is gone.
    """
    before = journal.state()
    number = before.get("model") or GIVEN
    found, usual = comparisons_of(journal, models, number)
    if not _worth_a_look(before, len(found)):
        return False
    at, limit, looked = journal.last(), ceiling(*journal.consistency()), False

    def change(state: dict[str, Any]) -> dict[str, Any]:
        nonlocal looked
        looked = (state.get("model") or GIVEN) == number and _worth_a_look(state, len(found))
        if not looked:  # another process has looked, or another model stands
            return state
        gates = gates_of(state, gate)
        gates.judge_again(found, at, limit, usual)
        return state | _changed(state, gates) | {"compared": len(found)}

    journal.update(change)
    return looked


def change_gates(journal: Journal, act: Callable[[Gates, int], None]) -> None:
    """Let a person ``act`` on the gates at the last request: every process that shares the journal follows."""
    at = journal.last()

    def change(state: dict[str, Any]) -> dict[str, Any]:
        gates = gates_of(state, config_of(state))
        act(gates, at)
        return state | _changed(state, gates)

    journal.update(change)


def gates_of(state: Mapping[str, Any], gate: GateConfig) -> Gates:
    """The gates in a journal's state."""
    return Gates.from_json(state["gates"], gate) if "gates" in state else Gates(gate)


def _changed(state: Mapping[str, Any], gates: Gates) -> dict[str, Any]:
    return {"gates": gates.as_json(), "changes": state.get("changes", 0) + 1}


def next_look(compared: int) -> int:
    """How many comparisons there must be for a look after the one at which there were ``compared``."""
    return max(compared + 1, math.ceil(compared * LOOK_AGAIN))


def _worth_a_look(state: Mapping[str, Any], comparisons: int) -> bool:
    return comparisons >= next_look(state.get("compared", 0))


def rollback(journal: Journal, models: Path, gate: GateConfig) -> int:
    """Put the model before the one that stands in its place. Returns its number. Raises ValueError where there is none."""
    standing = journal.state().get("model") or 0
    before = [number for number in numbers(models) if number < standing]
    if not before:
        raise ValueError(f"There is no model before number {standing} in {models}. {KEPT} are kept.")
    candidate = Candidate.load(folder_of(models, before[-1]))
    stand(journal, before[-1], candidate, gate, {})
    return before[-1]


def stand(journal: Journal, number: int, candidate: Candidate, gate: GateConfig, learned: Mapping[str, int]) -> None:
    """Judge ``candidate``'s proof, and let it be the model that stands, in one transaction."""
    at, limit = journal.last(), ceiling(*journal.consistency())
    known = [*candidate.comparisons, *journal.comparisons(number)]  # it may have stood before

    def change(state: dict[str, Any]) -> dict[str, Any]:
        gates = gates_of(state, gate)
        gates.judge(known, at, limit, candidate.usual)
        return state | learned | _changed(state, gates) | {"model": number, "compared": len(known)}

    journal.update(change)


def worse(candidate: Candidate, before: Mapping[int, bool]) -> bool:
    """Whether ``candidate`` was right in fewer of the lessons than the model that stands was (``before``: lesson → whether
    it was, where it had not learned from it; nor had the models of the candidate's folds), by more than chance: an exact
    sign test of the calls that only one of them had right (McNemar 1947)."""
    own = {one.row: one.agreed["call"] for one in candidate.comparisons}
    lost = sum(right and not own[row] for row, right in before.items() if row in own)
    won = sum(own[row] and not right for row, right in before.items() if row in own)
    differing = lost + won
    chance = sum(math.comb(differing, k) for k in range(lost, differing + 1)) / 2**differing
    return chance < WORSE


def right_before(journal: Journal, models: Path, lessons: Sequence[Lesson]) -> dict[int, bool]:
    """Of the lessons that the model that stands has not learned from: whether it has the whole call right."""
    state = journal.state()
    number = state.get("model")
    if not number:
        return {one.row: one.agreed["call"] for one in journal.comparisons(GIVEN)}
    model, learned_to = CallModel.load(folder_of(models, number)), state.get("learned_to", 0)
    new = [lesson for lesson in lessons if lesson.row > learned_to]
    return {one.row: compare(one.row, read_as_of_then(model, one.example), one.example).agreed["call"] for one in new}


def folder_of(models: Path, number: int) -> Path:
    return models / f"{number:06d}"


def numbers(models: Path) -> list[int]:
    """The numbers of the models that are there, rising."""
    return sorted(int(path.name) for path in models.glob("[0-9]*") if path.name.isdigit())


def _forget(models: Path, standing: int | None) -> None:
    for number in numbers(models)[:-KEPT]:
        if number != standing:
            shutil.rmtree(folder_of(models, number))


@contextmanager
def _alone(models: Path) -> Iterator[None]:
    """Hold the lock of ``models``; the system lets go of it when the process ends, however it does."""
    with open(models / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            raise ValueError(f"Another learner is at work in {models}. Wait until it has ended.") from fault
        yield
