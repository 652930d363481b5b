"""A trained router as the model that a hand-over begins with: what it plans, read as a call.

Leaves out planning (``router.plans``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from router.calls.read import LearnedCall, Read
from router.calls.tagger import CallModel
from router.handover.handover import SEVERAL
from router.plans import Decides, plan
from router.tools import Tool
from router.types import NON_TOOLS, NONE


class Given:
    """The plans of ``router`` for ``tools``. Of a question that it leaves to the LLM the call has the confidence 0."""

    def __init__(self, router: Decides | CallModel, tools: Mapping[str, Tool]) -> None:
        self.router, self.tools = router, tools

    def call(self, question: str, now: datetime | None = None) -> LearnedCall:
        """The call that is planned for ``question``, as of this moment whatever ``now`` is."""
        found = plan(question, self.router, self.tools)
        if len(found.steps) > 1:
            return LearnedCall(SEVERAL, Read(), 0.0, 0.0, False)
        if found.abstained or not found.steps:
            tool = found.decision.tool
            sure = 0.0 if found.abstained else found.confidence
            return LearnedCall(NONE if tool in NON_TOOLS else tool, Read(), sure, sure, False)
        (step,) = found.steps
        read = Read(step.call.arguments, step.places, missing=found.missing)
        return LearnedCall(step.call.tool, read, found.confidence, found.confidence, not found.missing)
