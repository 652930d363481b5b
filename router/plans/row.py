"""A plan as one JSON row: what ``python -m router route`` prints and ``/route`` answers."""

from __future__ import annotations

from typing import Any

from router.types import NONE, Plan, Question


def row(question: Question | str, plan: Plan, seconds: float) -> dict[str, Any]:
    """The plan for ``question``, made in ``seconds``.

    ``tool`` and ``arguments`` are those of the call that answers, the last of ``steps``; where the plan hands over,
    ``tool`` is the likeliest one and nothing is filled. ``sources`` says of each argument where it is from: words of the
    question (its characters [start, end) in ``places``, counted in the step's ``span``), "learned" from the log, its
    "default", or what the tool's own reading says. ``shortlist`` names the tools that the language model needs to see,
    where they were chosen by their schemas alone; else it is empty.
    """
    decision, last = plan.decision, plan.steps[-1] if plan.steps and not plan.abstained else None
    return {
        "question": question.text if isinstance(question, Question) else question,
        "outcome": plan.outcome,
        "tool": last.call.tool if last else decision.tool or NONE,
        "arguments": dict(last.call.arguments) if last else {},
        "missing": list(plan.missing),
        "shortlist": list(plan.shortlist),
        "sources": dict(last.sources) if last else {},
        "places": {slot: [list(place) for place in found] for slot, found in last.places.items()} if last else {},
        "steps": [{"tool": s.call.tool, "arguments": dict(s.call.arguments), "span": s.span} for s in plan.steps],
        "confidence": plan.confidence,
        "abstained": plan.abstained,
        "reason": plan.reason,
        "probabilities": dict(decision.probabilities),
        "microseconds": seconds * 1e6,
    }
