"""The door by which a tool brings rules of its own for planning the questions that it serves.

Leaves out every such rule (the tools that ship have theirs in ``router.builtin``) and the general way, which tools
without a reading take (``router.plans``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from router.types import Decision, Plan, Question, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.tools.tool import Tool


class Desk(Protocol):
    """What a reading may use while planning.

    ``tools`` are those on offer. ``decide`` is the router's decision on a question or a part of one, made once.
    ``probe`` gives the result of a step whose tool has no effects, running it once for the whole plan; None where the
    tool may not be run while planning.
    """

    tools: Mapping[str, Tool]

    def decide(self, question: Question) -> Decision: ...

    def probe(self, step: Step) -> Step | None: ...


class Reading(Protocol):
    """Rules that several tools may share; compared by identity."""

    def plan(self, question: Question, decision: Decision, desk: Desk) -> Plan:
        """The plan for ``question``, which the router gave ``decision`` and which only tools of this reading serve."""
        ...
