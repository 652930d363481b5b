"""The engine: questions × paths × repeats → one Row a line of JSONL, written as each path ends.

Leaves out how a question is raced (that callable comes in) and what the rows mean (``statistics``). A row is written
once: stopping, a crash or Ctrl-C loses no finished one, and running again with the same file makes only those missing.
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from baselines.evaluate.questions import Question, from_row, to_row
from router.trace import fold
from router.types import RunResult, TraceEvent, Usage, run_result_from_json, to_json

Race = Callable[[str, Sequence[str]], Iterator[TraceEvent]]
"""``(question, names of paths) -> events``; every path ends in one ``answer`` or ``error`` event."""

ABSTAINED, ROUTED = "router/abstained", "router/routed"
"""The paths that show what the router's other branch would have given. Their runs serve ``replay``; they are in no
comparison of paths."""

SAME = ("lm", "router", "tools")
"""What must not change within one file of rows (fields of its meta)."""


@dataclass(frozen=True)
class Judgement:
    """An LLM's verdict on an answer that has no reference; ``right`` is None when the judge failed (``error`` says
    how)."""

    right: bool | None
    usage: Usage
    lm: str
    error: str | None = None


@dataclass(frozen=True)
class Row:
    """One run of one path on one question of a set.

    ``occurrence`` counts equal texts in the set, ``repeat`` the passes over it, both from 0. ``lm_calls``: role, o200k
    tokens in and out, seconds and error of each LLM call, retries included. ``threshold``: the router's in this run.
    ``meta`` says where the rows come from:
    commit, versions, model, prices, machine; it is written with the first row of every session.
    """

    result: RunResult
    question: Question
    occurrence: int = 0
    repeat: int = 0
    lm_calls: tuple[Mapping[str, Any], ...] = ()
    judged: Judgement | None = None
    threshold: float | None = None
    meta: Mapping[str, Any] | None = None

    @property
    def below(self) -> bool | None:
        """Whether the confidence was below the threshold; None where nothing was decided. (A router may also leave a
        question to the LLM for other reasons.)"""
        decision = self.result.decision
        if decision is None:
            return None
        return decision.abstained if self.threshold is None else decision.confidence < self.threshold

    @property
    def other_branch(self) -> str | None:
        """The path that shows what another threshold would have given; None where it would have been the same."""
        if self.path != "router" or self.below is None:
            return None
        if self.below:
            return ROUTED
        return None if self.result.decision.abstained else ABSTAINED  # type: ignore[union-attr]

    @property
    def path(self) -> str:
        return self.result.path

    @property
    def case(self) -> tuple[str, int]:
        """What the paths are compared on: the question, once for each time it is in the set."""
        return self.question.text, self.occurrence

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.path, self.question.text, self.occurrence, self.repeat


@dataclass(frozen=True)
class RunConfig:
    """What to run. ``branches``: also run the branch that the router did not take, for ``replay``. ``out``: the file
    that rows are appended to (None keeps nothing). ``judge``: called for answers without a reference."""

    paths: tuple[str, ...]
    out: Path | None = None
    repeats: int = 1
    branches: bool = False
    judge: Callable[[RunResult], Judgement] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)


def run(questions: Sequence[Question], race: Race, config: RunConfig) -> Iterator[Row]:
    """Run what ``config.out`` does not hold yet and yield each new Row once it is written.

    A path that was stopped before its end makes no row. Raises ValueError when the file holds runs of another model or
    router, or is being written by another process.
    """
    with _appending(config) as (done, write):
        meta: Mapping[str, Any] | None = config.meta or None
        for repeat, occurrence, question in _cases(questions, config.repeats):
            for names in _pending(question, occurrence, repeat, config, done):
                for events in _ended(race(question.text, names), names, config.stop):
                    row = replace(_row(events, question, occurrence, repeat, config), meta=meta)
                    meta = None
                    write(row)
                    done[row.key] = row.other_branch
                    yield row
            if config.stop.is_set():
                return


def remaining(questions: Sequence[Question], config: RunConfig) -> int:
    """How many runs of ``config.paths`` the file does not hold yet (other branches not counted)."""
    done = {row.key for row in read_rows(config.out)[0]} if config.out and config.out.exists() else set()
    cases = _cases(questions, config.repeats)
    return sum((path, q.text, nth, repeat) not in done for repeat, nth, q in cases for path in config.paths)


def read_rows(path: str | Path) -> tuple[list[Row], list[str]]:
    """The rows of a file, and one sentence for each line that is none. Raises FileNotFoundError."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        return parse_rows(lines)


def parse_rows(lines: Iterable[str]) -> tuple[list[Row], list[str]]:
    """The same from the lines of a file."""
    rows, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(row_from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            problems.append(f"line {number}: no run ({type(error).__name__}: {str(error)[:80]}). It is left out.")
    return rows, problems


def row_to_json(row: Row) -> dict[str, Any]:
    """The fields of the RunResult, then what the Row adds; ``meta`` only where there is one."""
    data = to_json(row.result) | {k: v for k, v in to_row(row.question).items() if k != "question"}
    data |= {"occurrence": row.occurrence, "repeat": row.repeat, "lm_calls": list(row.lm_calls)}
    data["reference"] = data.pop("answer") if row.question.answers else None
    data["answer"] = row.result.answer
    data |= {"judged": to_json(row.judged) if row.judged else None, "threshold": row.threshold}
    return data | ({"meta": dict(row.meta)} if row.meta else {})


def row_from_json(data: Mapping[str, Any]) -> Row:
    """The inverse. A bare RunResult is a Row too. Raises KeyError, TypeError or ValueError when ``data`` is neither."""
    question = from_row({"question": data["question"], "tools": data.get("tools"), "answer": data.get("reference")})
    judged = data.get("judged")
    return Row(
        result=run_result_from_json(data),
        question=question,
        occurrence=data.get("occurrence", 0),
        repeat=data.get("repeat", 0),
        lm_calls=tuple(data.get("lm_calls", ())),
        judged=Judgement(**{**judged, "usage": Usage(**judged["usage"])}) if judged else None,
        threshold=data.get("threshold"),
        meta=data.get("meta"),
    )


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """A new file with just these rows."""
    path.write_text(rows_text(rows), encoding="utf-8")


def rows_text(rows: Iterable[Row]) -> str:
    """Rows as the lines of a file."""
    return "".join(map(_line, rows))


def _line(row: Row) -> str:
    return json.dumps(row_to_json(row), ensure_ascii=False, allow_nan=False) + "\n"


def _cases(questions: Sequence[Question], repeats: int) -> Iterator[tuple[int, int, Question]]:
    for repeat in range(repeats):
        seen: Counter[str] = Counter()
        for question in questions:
            yield repeat, seen[question.text], question
            seen[question.text] += 1


def _pending(
    question: Question, occurrence: int, repeat: int, config: RunConfig, done: Mapping[tuple, str | None]
) -> Iterator[tuple[str, ...]]:
    """The paths still to run on a case: first those asked for, then the router's other branch."""

    def key(path: str) -> tuple:
        return path, question.text, occurrence, repeat

    if names := tuple(p for p in config.paths if key(p) not in done):
        yield names
    other = done.get(key("router")) if config.branches else None
    if other is not None and key(other) not in done:
        yield (other,)


def _ended(events: Iterator[TraceEvent], names: Sequence[str], stop: threading.Event) -> Iterator[list[TraceEvent]]:
    """The events of each path as it ends; of the tokens only the first. A path that stops before its end is left
    out."""
    runs: dict[str, list[TraceEvent]] = {name: [] for name in names}
    for event in events:
        run = runs[event.path]
        if event.kind != "token" or not any(e.kind == "token" for e in run):
            run.append(event)
        if event.kind == "answer" or (event.kind == "error" and not stop.is_set()):
            yield runs.pop(event.path)
    if runs and not stop.is_set():
        raise RuntimeError(f"The race ended without an answer or error of {', '.join(runs)}.")


def _row(events: list[TraceEvent], question: Question, occurrence: int, repeat: int, config: RunConfig) -> Row:
    result = fold(events)
    judged = config.judge(result) if config.judge and not question.answers and result.answer is not None else None
    calls = (e.data for e in events if e.kind == "lm" and e.data.get("phase") == "end")
    threshold = next((e.data["threshold"] for e in events if e.kind == "route"), None)
    finite = threshold if threshold is not None and math.isfinite(threshold) else None
    return Row(result, question, occurrence, repeat, tuple(map(_call, calls)), judged, finite)


def _call(data: Mapping[str, Any]) -> dict[str, Any]:
    usage = data.get("usage") or {}
    return {
        "role": data.get("role"),
        "o200k_input": usage.get("o200k_input", 0),
        "o200k_output": usage.get("o200k_output", 0),
        "seconds": data.get("seconds"),
        "error": data.get("error"),
    }


@contextmanager
def _appending(config: RunConfig) -> Iterator[tuple[dict[tuple, str | None], Callable[[Row], None]]]:
    """The keys that the file holds (with the router's other branch), and a function that appends a Row to it."""
    if config.out is None:
        yield {}, lambda row: None
        return
    config.out.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{config.out}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"{config.out} is being written by another run. Wait for it, or give another --out.") from None
    try:
        done = _resume(config)
        with open(config.out, "a", encoding="utf-8") as file:
            yield done, lambda row: _append(file, row)
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _append(file: TextIO, row: Row) -> None:
    file.write(_line(row))
    file.flush()


def _resume(config: RunConfig) -> dict[tuple, str | None]:
    """What the file holds; a last line that a crash cut short is removed from it.

    Raises ValueError when the file holds something else than this run's rows.
    """
    out = config.out
    if out is None or not out.exists():
        return {}
    _cut_partial_line(out)
    rows, problems = read_rows(out)
    if problems:
        raise ValueError(f"{out} is no file of runs: {problems[0]} Give another --out, or remove the line.")
    for meta in (row.meta for row in rows if row.meta):
        for name in SAME:
            if name in meta and name in config.meta and meta[name] != config.meta[name]:
                raise ValueError(
                    f"{out} holds runs with {name} {meta[name]!r}; this run has {config.meta[name]!r}. "
                    "Give another --out."
                )
    return {row.key: row.other_branch for row in rows}


def _cut_partial_line(path: Path) -> None:
    with open(path, "rb+") as file:
        end = file.seek(0, os.SEEK_END)
        at = end
        while at > 0:
            step = min(4096, at)
            file.seek(at - step)
            newline = file.read(step).rfind(b"\n")
            if newline >= 0:
                at = at - step + newline + 1
                break
            at -= step
        if at < end:
            file.truncate(at)
