"""What the tab "Your tools" shows of tools, rows and trainings: JSON values, made by pure functions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from baselines.figures.handover import percent
from baselines.figures.workbench import calibration, trade, training_curve
from pages.workbench_projects import Project
from router.calls.tagger import CallModel
from router.tools import Tool
from router.tools.schema import Slot
from router.workbench.examples import Examination
from router.workbench.tools import has_effects, remarks

TARGET = re.compile(r"--target (0\.\d+)")
PAGE = 6
"""Rows that are shown at a time."""
EFFECTS = {False: "read-only", True: "destructive", None: "unknown"}


def tool_view(tool: Tool, found: Examination) -> dict[str, Any]:
    """One tool's card: what it is, what is unclear in it, and what the rows show of it."""
    coverage = found.slots.get(tool.name, {})
    return {
        "name": tool.name,
        "description": tool.description,
        "effects": EFFECTS[has_effects(tool)],
        "remarks": remarks(tool),
        "rows": found.rows.get(tool.name, 0),
        "slots": [slot_view(slot) | asdict(coverage[slot.name]) for slot in tool.slots.values()],
    }


def slot_view(slot: Slot) -> dict[str, Any]:
    """One slot: its name, type, description and, where the schema lists them, its values."""
    schema = slot.schema
    types = schema.get("type", "string" if all(isinstance(one, str) for one in schema.get("enum", [0])) else "any")
    return {
        "name": slot.name,
        "required": slot.required,
        "type": types if isinstance(types, str) else " or ".join(types),
        "description": str(schema.get("description") or ""),
        "choices": schema.get("enum"),
    }


def rows_view(project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
    """Some rows, the newest first, each with what is wrong with it: those of ``tool``, with ``text`` in the question,
    or with anything wrong (``odd``); from number ``from`` on."""
    rows, found = project.examined()
    notes: dict[int, list[str]] = defaultdict(list)
    for a, b in found.contradictions:
        for i, j in ((a, b), (b, a)):
            notes[i].append(f"Row {j + 1} asks the same and calls something else.")
    for a, b in found.near_duplicates:
        notes[b].append(f"Nearly the same as row {a + 1}.")
    for i, fault in found.misfits:
        notes[i].append(fault)
    for i, row in enumerate(rows):
        if row.tool in found.strangers:
            notes[i].append(f"{row.tool!r} is not in your list of tools. Add it there, or give the row another tool.")
    wanted, tool = str(data.get("text") or "").casefold(), data.get("tool")
    chosen = [
        i
        for i in reversed(range(len(rows)))
        if (not tool or rows[i].tool == tool)
        and (not wanted or wanted in rows[i].question.casefold())
        and (not data.get("odd") or i in notes)
    ]
    first = max(0, min(int(data.get("from") or 0), (len(chosen) - 1) // PAGE * PAGE))
    shown = [
        {
            "at": i,
            "question": rows[i].question,
            "tool": rows[i].tool,
            "arguments": None if rows[i].arguments is None else dict(rows[i].arguments),
            "notes": notes[i],
        }
        for i in chosen[first : first + PAGE]
    ]
    return {"shown": shown, "from": first, "of": len(chosen), "page": PAGE}


def training_view(told: Mapping[str, Any]) -> dict[str, Any]:
    """How a training goes, with its curve."""
    shown = {name: value for name, value in told.items() if name != "points"}
    return shown | {"figure": training_curve(told["points"])}


def report_view(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report without its rows, with its figures; its warnings speak of the form and not of the command line."""
    shown = {name: value for name, value in report.items() if name not in ("rows", "calibration", "curve")}
    figures = {}
    if report["calibration"]:
        figures["calibration"] = calibration(report["calibration"])
    if any(point["coverage"] for point in report["curve"]):
        figures["trade"] = trade(report["curve"], report["threshold"])
    return shown | {"figures": figures, "warnings": [_of_the_form(words) for words in report["warnings"]]}


def _of_the_form(words: str) -> str:
    words = TARGET.sub(lambda found: f"a share of {percent(float(found[1]))}", words)
    return words.replace("--target", "share")


def read_call(model: CallModel, question: str) -> dict[str, Any]:
    """The call that the model reads in a question, whether or not it is sure enough of it to make it."""
    call = model.call(question)
    spans = {slot: [list(place) for place in places] for slot, places in call.read.spans.items()}
    return {
        "tool": call.tool,
        "arguments": dict(call.read.arguments),
        "places": spans,
        "missing": list(call.read.missing),
        "confidence": call.confidence,
        "strange": call.strange,
    }
