"""The eight tools that ship: one file per tool, and the English that they share (numbers, dates, units, places).

Leaves out what any tool has in common (``router.tools``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from router.tools import ToolSet


@dataclass(frozen=True)
class ToolConfig:
    """What the tools take from outside: the clock, the knowledge base (None is the built-in one), the internet."""

    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc).astimezone()
    knowledge: Path | None = None
    online: bool = False


def default_tools(config: ToolConfig = ToolConfig()) -> ToolSet:
    """The eight tools that ship, by name."""
    # imported here, so that importing one room of these does not import all
    from router.builtin import calculator, calendar, clock, currency, search, text, unit_converter, weather
    from router.builtin.reading import ENGLISH

    rooms = (calculator, unit_converter, clock, calendar, currency, search, weather, text)
    return ToolSet(replace(room.build(config), reading=ENGLISH) for room in rooms)
