"""What the Hand-over tab shows of a play: two figures, three figures in words, a row for each tool.

Takes what ``router.handover.watch`` tells. Leaves out where it runs and the text around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from baselines.figures.evaluation import LEGEND
from baselines.figures.style import COLORS, Figure, axis, count, figure

LATEST = 5
"""Points of the curve that "lately" means, and what is said of the last times that calls were held back."""
STATES = {"collecting": "Collecting", "shadow": "In shadow", "live": "Live", "paused": "Paused"}


def panel(told: Mapping[str, Any], target: float) -> dict[str, Any]:
    """Everything, as JSON values: ``figures``, ``words`` (name, value, from what it is computed), ``held`` (back, when
    and why), ``tools``.
    """
    return {
        "figures": {
            "share": share(told["curve"], told["of"]),
            "agreement": agreement(told["curve"], told["of"], target),
        },
        "words": words(told, target),
        "held": [f"Held back after {count(one['at'])} requests: {one['reason']}" for one in told["held"][-LATEST:]],
        "tools": [row(tool, target) for tool in told["tools"]],
    }


def words(told: Mapping[str, Any], target: float) -> list[list[str]]:
    """Handled, agreed, saved: name, value, and from what it is computed."""
    total, lately = told["total"], told["curve"][-LATEST:]
    requests, handled, agreed = total["requests"], total["call_handled"], total["call_agreed"]
    asked = requests - handled
    recent = sum(point["requests"] for point in lately)
    late = sum(point["call_handled"] for point in lately)
    rows = [["Handled by the router", "–", "no request has come yet"]]
    if requests:
        more = f"; of the latest {count(recent)}, {percent(late / recent)}" if recent < requests and recent else ""
        rows = [
            ["Handled by the router", percent(handled / requests), f"{count(handled)} of {count(requests)} calls{more}"]
        ]
    if handled:
        bound = f"at least {percent(total['call_bound'], 1)} with 95 % confidence"
        rows.append(
            [
                "Agreed with the record",
                percent(agreed / handled, 1),
                f"{count(agreed)} of those {count(handled)}; {bound}",
            ]
        )
    else:
        rows.append(["Agreed with the record", "–", f"nothing is handed over until {percent(target)} is proven"])
    per = f"{asked / requests:.2f} a question" if requests else "one a question"
    now = f", {1 - late / recent:.2f} lately" if handled and recent else ""
    rows.append(["LLM calls saved", count(handled), f"{count(asked)} were still made, {per}{now}"])
    return rows


def share(curve: Sequence[Mapping[str, Any]], of: int) -> Figure:
    """By requests seen: shares of each block that the router handled, and LLM calls a question."""
    seen = [point["seen"] for point in curve]
    call = [point["call_handled"] / point["requests"] for point in curve]
    tool = [point["tool_handled"] / point["requests"] for point in curve]
    traces = [
        _line("Tool alone handled", seen, tool, color=COLORS["gatekeeper"], dash="dash"),
        _line("Whole call handled", seen, call, color=COLORS["router"]),
        _line("LLM calls a question", seen, [1 - one for one in call], color=COLORS["llm_chain"], dash="dot"),
    ]
    summary = "Nothing has been played yet."
    if curve:
        summary = (
            f"After {count(seen[-1])} of {count(of)} requests: in the last {count(curve[-1]['requests'])} the router "
            f"handled {percent(call[-1])} of whole calls and was sure of {percent(tool[-1])} of tools; "
            f"{1 - call[-1]:.2f} LLM calls a question."
        )
    return figure(
        traces, LEGEND | {"xaxis": _seen(of), "yaxis": axis(range=[0, 1.04], nticks=6, tickformat=".0%")}, summary
    )


def agreement(curve: Sequence[Mapping[str, Any]], of: int, target: float) -> Figure:
    """By requests seen: agreement on all that was handled so far, its lower bound, and the target."""
    known = [point for point in curve if point["all_call_handled"]]
    seen = [point["seen"] for point in known]
    shares = [point["all_call_agreed"] / point["all_call_handled"] for point in known]
    bounds = [point["all_call_bound"] for point in known]
    tools = [point for point in curve if point["all_tool_handled"]]
    alone = [point["all_tool_agreed"] / point["all_tool_handled"] for point in tools]
    traces = [
        _line("Target", [0, of], [target, target], color="#8b8f98", dash="dot"),
        _line("Lower bound, whole call", seen, bounds, color=COLORS["router"], dash="dot", width=1.5),
        _line("Tool alone", [point["seen"] for point in tools], alone, color=COLORS["gatekeeper"], dash="dash"),
        _line("Whole call", seen, shares, color=COLORS["router"]),
    ]
    low = min([target, *shares, *bounds, *alone])
    floor = max(0.0, low - 0.25 * (1 - low) - 0.005)
    summary = f"Nothing was handed over yet; the target is {percent(target)}."
    if known:
        summary = (
            f"On all that was handed over so far, {percent(shares[-1], 1)} agreed, at least {percent(bounds[-1], 1)} "
            f"with 95 % confidence; the target is {percent(target)}."
        )
    yaxis = axis(range=[floor, 1 + 0.04 * (1 - floor)], nticks=6, tickformat=".1%" if floor > 0.94 else ".0%")
    return figure(traces, LEGEND | {"xaxis": _seen(of), "yaxis": yaxis}, summary)


def row(tool: Mapping[str, Any], target: float) -> dict[str, Any]:
    """A tool's row: its state in both scopes, and for whole calls what was compared and what is missing."""
    call = tool["call"]
    return {
        "name": tool["name"],
        "seen": count(tool["seen"]),
        "state": call["state"],
        "words": STATES[call["state"]],
        "alone": STATES[tool["tool"]["state"]],
        "compared": count(call["compared"]) + (" shared" if call["shared"] and call["compared"] else ""),
        "agreed": f"{percent(call['agreed'] / call['accepted'], 1)}" if call["accepted"] else "–",
        "of": f"{count(call['agreed'])} of {count(call['accepted'])}, at least {percent(call['bound'], 1)}"
        if call["accepted"]
        else "",
        "threshold": f"{call['threshold']:.2f}" if call["threshold"] is not None else "–",
        "missing": missing(call, target),
    }


def missing(gate: Mapping[str, Any], target: float) -> str:
    """What is missing until the router may make the tool's calls."""
    together = ", of all these tools together" if gate["shared"] else ""
    if gate["state"] == "live":
        return "Nothing: promoted by hand" if gate["by_hand"] else "Nothing"
    if gate["state"] == "paused":
        return gate["reason"]
    if gate["missing"] is None:
        return "A first model to compare with"
    if gate["missing"] == 0:
        return f"A look that proves {percent(target)}: the next comes with the next model"
    return f"At least {count(gate['missing'])} more agreeing calls{together}"


def percent(value: float, digits: int = 0) -> str:
    """A share for a person; rounded down, so that 99.96 % is not all of it."""
    scale = 10 ** (digits + 2)
    return f"{int(value * scale + 1e-9) / 10**digits:.{digits}f} %"


def _seen(of: int) -> dict[str, Any]:
    return axis(range=[0, of * 1.01], nticks=6, tickformat=",d", title={"text": "requests seen", "standoff": 6})


def _line(name: str, x: Sequence[float], y: Sequence[float], **line: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(x),
        "y": [round(value, 4) for value in y],
        "line": {"width": 2.5} | line,
        "hovertemplate": f"{name} %{{y:.1%}} after %{{x:,}}<extra></extra>",
    }
