"""What held-out rows say of a router: per tool, what is taken for what, how far its confidence can be trusted.

JSON values alone, so that a page, a file and a comparison have the same. Leaves out training and files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from router.calls.confidence import NEVER, ONE_SIDED, Confidence, is_right
from router.calls.read import LearnedCall
from router.learning.tagging import JudgedCalls
from router.network.calibration import wilson
from router.network.zero_shot import CALIBRATION
from router.tools import Tool, ToolSet
from router.types import NON_TOOLS, NONE, Example
from router.workbench.tools import alike

MOST_QUESTIONS = 5
"""Questions that are shown of one kind of reading."""
BINS = 10
MOST_POINTS = 50
"""Points of the curve of coverage and precision."""

Held = Sequence[tuple[Example, LearnedCall]]


def report(found: JudgedCalls, rows: Sequence[Example], tools: ToolSet) -> dict[str, Any]:
    """What is known of a router that was trained on ``rows`` for ``tools``, as JSON values.

    ``tools``: label → its ``rows``; how many were ``held_out``; of these, where the tool was right (``right_tool``), in
    how many the arguments are known (``known``) and the whole call was right (``right_call``); for how many the router
    would make a call by itself (``called``), and how many of those calls were right (``called_right``).
    ``confusion``: ``labels``, ``counts`` (wanted, read), and ``questions``: wanted → read → some of them.
    ``outside``: questions that no tool of theirs serves, which were mixed in and held out too: how many were taken for
    a tool, and for how many a call would have been made. ``calibration``: in each bin of the confidence in whole calls
    their mean ``confidence``, the share ``right`` and how many (``n``). ``threshold``: what the router keeps to, on
    what it was chosen. ``curve``: over each threshold the ``coverage`` of the questions for tools, and the
    ``precision`` of calls with its lower bound (one-sided, 95 %). ``rows``: what was read in each held-out row.
    """
    own = {id(row) for row in rows}
    held = [(row, call) for row, call in found.held if id(row) in own]
    others = [(row, call) for row, call in found.held if id(row) not in own]
    return {
        "kind": "calls",
        "measured_on": _measured_on(len(held), len(rows), found.stopped),
        "stopped": list(found.stopped) if found.stopped else None,
        "warnings": list(found.model.warnings),
        "tools": _per_tool(held, rows, tools),
        "confusion": _confusion(held, [*tools, *found.model.router.labels]),
        "outside": _outside(others, tools),
        "calibration": _calibration(found.held),
        "threshold": _threshold(found.model.parts.confidence),
        "curve": _curve(found.held, found.model.parts.confidence.threshold),
        "rows": [_row(row, call, tools) for row, call in held],
    }


def report_of_schemas(tools: ToolSet, known: Collection[str]) -> dict[str, Any]:
    """What is known of tools of which there is no row: nothing that was measured on them. The keys are ``report``'s.
    ``known``: the labels that the router has learned, for other tools than these."""
    chosen = CALIBRATION.chosen_on
    return {
        "kind": "schemas",
        "measured_on": (
            "Nothing of yours: there are no rows. Tools are chosen by their names, descriptions and slots alone, and "
            "the router names one only where it is sure; that threshold was chosen for 9 right ones in 10 on "
            f"{chosen['rows']:,} questions for other people's tools (BFCL). It makes no call by itself: the language "
            "model fills the arguments, seeing one schema instead of all, or the best five where no tool is sure."
        ),
        "stopped": None,
        "warnings": list(_schema_warnings(tools, known)),
        "tools": _per_tool([], [], tools),
        "confusion": {"labels": list(tools), "counts": [[0] * len(tools) for _ in tools], "questions": {}},
        "outside": {"rows": 0, "taken": 0, "called": 0, "questions": []},
        "calibration": [],
        "threshold": None,
        "curve": [],
        "rows": [],
    }


def _schema_warnings(tools: ToolSet, known: Collection[str]) -> Iterator[str]:
    if pairs := [f"{a} and {b}" for a, b in alike(tools)[:MOST_QUESTIONS]]:
        yield f"Alike by name and description, so easily confused: {', '.join(pairs)}."
    if named := [name for name in tools if name in known]:
        yield (
            f"Named as tools that the router has learned: {', '.join(named)}. It takes questions for those to be for "
            "yours, and may make their calls. Give rows, or other names."
        )


def without_rows(found: Mapping[str, Any]) -> dict[str, Any]:
    """A report without any question of a row."""
    return {
        **found,
        "confusion": {**found["confusion"], "questions": {}},
        "outside": {**found["outside"], "questions": []},
        "rows": [],
    }


def would_call(call: LearnedCall, tools: Mapping[str, Tool]) -> bool:
    """Whether the router would make ``call`` by itself, as far as its reading goes: it is sure, the tool is not
    destructive, and the arguments fit. What a whole question says beside (a negation, a second request) may keep it
    from that."""
    tool = tools.get(call.tool)
    return call.sure and tool is not None and not tool.destructive and tool.fits(call.read.arguments)


def _measured_on(held: int, rows: int, stopped: tuple[int, int] | None) -> str:
    if held == rows:
        said = f"Each of your {rows:,} rows was held out once, and read by a router that had learned from others."
    else:
        said = f"{held:,} of your {rows:,} rows were held out, and read by a router that had not learned from them."
    chosen = " The threshold was chosen on the same rows."
    return said + chosen + (" The training was stopped before its end." if stopped else "")


def _per_tool(held: Held, rows: Sequence[Example], tools: Mapping[str, Tool]) -> dict[str, dict[str, int]]:
    counts = Counter(row.tool for row in rows)
    found = {label: dict.fromkeys(_COLUMNS, 0) | {"rows": counts[label]} for label in (*tools, *sorted(counts))}
    for row, call in held:
        known, made = _is_known(row), would_call(call, tools)
        right = known and is_right(call, row)
        gained = (1, call.tool == row.tool, known, right, made, made and right)
        for column, gain in zip(_COLUMNS[1:], gained):
            found[row.tool][column] += int(gain)
    return found


_COLUMNS = ("rows", "held_out", "right_tool", "known", "right_call", "called", "called_right")


def _is_known(row: Example) -> bool:
    return row.arguments is not None or row.tool in NON_TOOLS


def _confusion(held: Held, labels: Sequence[str]) -> dict[str, Any]:
    labels = list(dict.fromkeys([*(label for label in labels if label not in NON_TOOLS), *NON_TOOLS]))
    numbers = {label: i for i, label in enumerate(labels)}
    counts = [[0] * len(labels) for _ in labels]
    questions: dict[str, dict[str, list[str]]] = {}
    for row, call in held:
        read = call.tool or NONE
        counts[numbers[row.tool]][numbers[read]] += 1
        shown = questions.setdefault(row.tool, {}).setdefault(read, [])
        if len(shown) < MOST_QUESTIONS:
            shown.append(row.question)
    return {"labels": labels, "counts": counts, "questions": questions}


def _outside(others: Held, tools: Mapping[str, Tool]) -> dict[str, Any]:
    taken = [(row, call) for row, call in others if call.tool in tools]
    called = [row.question for row, call in taken if would_call(call, tools)]
    shown = dict.fromkeys([*called, *(row.question for row, _ in taken)])
    return {
        "rows": len(others),
        "taken": len(taken),
        "called": len(called),
        "questions": list(shown)[:MOST_QUESTIONS],
    }


def _judged(held: Held) -> Held:
    """What a threshold is chosen on: the calls read where arguments are known. That no tool is needed is no call."""
    return [(row, call) for row, call in held if _is_known(row) and call.tool not in (*NON_TOOLS, None)]


def _calibration(held: Held) -> list[dict[str, float]]:
    scores = np.array([call.confidence for _, call in _judged(held)], np.float64)
    right = np.array([is_right(call, row) for row, call in _judged(held)], bool)
    places = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        {"confidence": float(scores[here].mean()), "right": float(right[here].mean()), "n": int(here.sum())}
        for here in (places == i for i in range(BINS))
        if here.any()
    ]


def _curve(held: Held, threshold: float) -> list[dict[str, float]]:
    """The points from the highest threshold to the lowest, ``threshold`` among them if it is one. A call that is not
    whole is made at none."""
    calls, asked = _judged(held), sum(row.tool not in NON_TOOLS for row, _ in held if _is_known(row))
    scores = np.array([call.confidence if call.whole else 0.0 for _, call in calls], np.float64)
    right = np.array([is_right(call, row) for row, call in calls], bool)
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(right[order])
    last = np.flatnonzero(np.r_[scores[1:] < scores[:-1], True][: len(scores)] & (scores > 0))
    chosen = last[np.unique(np.linspace(0, len(last) - 1, min(MOST_POINTS, len(last))).astype(int))]
    chosen = np.union1d(chosen, last[scores[last] == threshold])
    return [
        {
            "threshold": float(scores[i]),
            "coverage": (i + 1) / max(1, asked),
            "precision": float(hits[i] / (i + 1)),
            "lower_bound": wilson(int(hits[i]), int(i + 1), ONE_SIDED)[0],
            "n": int(i + 1),
        }
        for i in chosen.tolist()
    ]


def _threshold(confidence: Confidence) -> dict[str, Any]:
    """What ``confidence`` keeps to; a threshold is None where no call is sure enough."""
    shown = lambda value: None if value >= NEVER else value  # noqa: E731
    own = {tool: shown(value) for tool, value in confidence.thresholds.items()}
    return {"threshold": shown(confidence.threshold), "own": own, **confidence.chosen_on}


def _row(row: Example, call: LearnedCall, tools: Mapping[str, Tool]) -> dict[str, Any]:
    known = _is_known(row)
    return {
        "question": row.question,
        "wanted": {"tool": row.tool, "arguments": None if row.arguments is None else dict(row.arguments)},
        "read": {"tool": call.tool or NONE, "arguments": dict(call.read.arguments)},
        "confidence": call.confidence,
        "right": is_right(call, row) if known else call.tool == row.tool,
        "called": would_call(call, tools),
    }
