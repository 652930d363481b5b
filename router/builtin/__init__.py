"""The eight tools that ship: one file per tool, and the English that they share (numbers, dates, units, places).

Leaves out what any tool has in common (``router.tools``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from router.tools import Tool


@dataclass(frozen=True)
class ToolConfig:
    """What the tools take from outside: the clock, the knowledge base (None is the built-in one), the internet."""

    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc).astimezone()
    knowledge: Path | None = None
    online: bool = False


def default_tools(config: ToolConfig = ToolConfig()) -> dict[str, Tool]:
    """The eight tools that ship, by name."""
    from router.builtin import calculator, calendar, clock, currency, search, text, unit_converter, weather

    rooms = (calculator, unit_converter, clock, calendar, currency, search, weather, text)
    return {tool.name: tool for tool in (room.build(config) for room in rooms)}
