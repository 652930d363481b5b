"""The door by which a tool brings rules of its own for planning the questions that it serves.

Leaves out every such rule (the tools that ship have theirs in ``router.builtin``) and the general way, which tools
without a reading take (``router.plans``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from router.types import Decision, Plan, Question, Step

if TYPE_CHECKING:
    from router.tools.tool import Tool


class Reads(Protocol):
    """A learned reader of slots that the words of a question do not give away."""

    def read(self, question: str, tool: str, slot: str) -> str | None: ...


class Desk(Protocol):
    """What a reading may use while planning: the tools that share it, and what the router has learned.

    ``decide`` gives the router's decision on a question or a part of one. ``understood`` gives the words that say nothing
    more to a tool than what its reading makes of them; None where the router has learned none. ``probe`` gives the step with its result,
    run once for the whole plan, where its tool has no effects; None where it has.
    """

    tools: Mapping[str, Tool]
    readers: Reads | None

    def decide(self, question: Question) -> Decision: ...

    def understood(self, tool: str) -> frozenset[str] | None: ...

    def probe(self, step: Step) -> Step | None: ...


class Reading(Protocol):
    """Rules that several tools may share; compared by identity."""

    def plan(self, question: Question, decision: Decision, desk: Desk) -> Plan:
        """The plan for ``question``, on which the router's word is ``decision``."""
        ...
