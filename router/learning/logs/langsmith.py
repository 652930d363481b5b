"""Runs of LangSmith: a tree in one row (``child_runs``), or a row for each run of a trace."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from router.learning.logs.chat import asked, label_chat
from router.learning.logs.conversation import Call, Item, Reply, label_turns
from router.learning.logs.values import Labelled, Problem, Unfit, first_of
from router.learning.logs.written import call_of

ANSWERS = ("output", "answer", "result", "text", "content")
"""Where a chain's outputs have its answer."""


def is_run(row: Mapping[str, Any]) -> bool:
    """Whether a row is a run of LangSmith."""
    return isinstance(row.get("run_type"), str)


def trees(rows: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line, run) of the runs that no other run of ``rows`` has called, each with those of its trace that others have."""
    known = {_id(run, "id") for _, run in rows} - {None}
    called: dict[str | None, list[Mapping[str, Any]]] = {}
    for _, run in rows:
        if _parent(run) in known:
            called.setdefault(_id(run, "trace_id"), []).append(run)
    for line, run in rows:
        if _parent(run) not in known:
            inside = run.get("child_runs")
            mine = called.get(_id(run, "trace_id"), []) if _id(run, "id") else []
            yield line, {**run, "child_runs": [*(inside if isinstance(inside, list) else ()), *mine]}


def _parent(run: Mapping[str, Any]) -> str | None:
    parent = _id(run, "parent_run_id")
    return None if parent == _id(run, "id") else parent


def _id(run: Mapping[str, Any], name: str) -> str | None:
    """An id of a run; None where it has none."""
    value = run.get(name)
    return value if isinstance(value, str) and value else None


def label_tree(run: Mapping[str, Any], line: int, source: str) -> Iterator[Labelled | Problem]:
    """What a run's question was answered with: its runs of tools; else what its model replied."""
    if run["run_type"] == "tool":
        raise Unfit("a tool's run says what was called, and not for which question. Give the run that called it.")
    inputs, outputs = (_object(run.get(name)) for name in ("inputs", "outputs"))
    below = list(_below(run))
    calls = [*_steps(outputs.get("intermediate_steps")), *_tools(below)]
    if calls:
        yield from label_turns([*asked(inputs), *calls], line, source)
    elif isinstance(answer := first_of(outputs, ANSWERS), str) and any(one["run_type"] == "llm" for one in below):
        yield from label_turns([*asked(inputs), Reply(answer)], line, source)
    elif run["run_type"] == "llm" or "messages" in outputs:
        yield from label_chat({"inputs": inputs, "outputs": outputs}, line, source)
    else:
        raise Unfit("the run has neither messages nor runs of a model or a tool, so it shows no choice.")


def _below(run: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    inside = run.get("child_runs")
    for one in inside if isinstance(inside, list) else ():
        if isinstance(one, Mapping) and is_run(one):
            yield one
            yield from _below(one)


def _tools(runs: Sequence[Mapping[str, Any]]) -> list[Item]:
    """The calls of runs of tools, in the order in which they began."""
    tools = sorted((run for run in runs if run["run_type"] == "tool"), key=lambda run: str(run.get("start_time") or ""))
    return [Call(run.get("name"), _arguments(_object(run.get("inputs")))) for run in tools]


def _steps(value: Any) -> list[Item]:
    """The calls of an agent's ``intermediate_steps``: pairs of an action and what it gave."""
    actions = (
        [step[0] if isinstance(step, list) and step else step for step in value] if isinstance(value, list) else []
    )
    return [Call(*call) for action in actions if (call := call_of(_object(action).get("kwargs") or action))]


def _arguments(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool's inputs; where they stand in one text, as LangChain writes them, those."""
    if list(inputs) != ["input"] or not isinstance(inputs["input"], str):
        return inputs
    try:
        read = ast.literal_eval(inputs["input"])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return inputs
    return read if isinstance(read, dict) else inputs


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
