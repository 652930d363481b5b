"""What is read of a question: the arguments for one tool, and the whole call. Value types, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Place = tuple[int, int]


@dataclass(frozen=True)
class Read:
    """The arguments read for one tool. ``spans``: slot → where its values stand in the question, ``text[a:b]`` each;
    slots without one are learned values. ``posterior``: the probability of all of it, given the tool. ``missing``:
    slots that are open though the log always has them, or though the question has words for them.
    Of the values in ``spans`` the log has not shown ``unseen``, and ``elsewhere`` for other slots only."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    spans: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    posterior: float = 1.0
    missing: tuple[str, ...] = ()
    unseen: int = 0
    elsewhere: int = 0


@dataclass(frozen=True)
class LearnedCall:
    """The whole call read from a question. ``probability``: the network's of tool, path and classes; ``confidence``:
    the calibrated probability that all of it is right; ``sure``: that is over the threshold, nothing is missing and no
    word is strange. ``strange``: a word beside the values that no row of the tool has. ``tool`` is None for text
    without a word."""

    tool: str | None
    read: Read
    probability: float
    confidence: float
    sure: bool
    strange: str | None = None

    @property
    def whole(self) -> bool:
        """Whether no slot is open and no word is strange: without that no confidence makes a call sure."""
        return not self.read.missing and self.strange is None
