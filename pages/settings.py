"""What a visitor chose in the page, read from an event of the browser and checked.

An API key passes through here: it is kept out of ``repr`` and nothing here stores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pages.services import PATHS, Limits, Services

MODES = ("auto", "sequential", "concurrent")
COUNTS = ("o200k", "own")


@dataclass(frozen=True)
class Settings:
    """How questions are run (``lm``, ``key``, ``mode``, ``paths``, ``direct``) and how figures are shown."""

    lm: str
    key: str | None = field(default=None, repr=False)
    mode: str = "auto"
    paths: tuple[str, ...] = tuple(PATHS)
    direct: bool = False
    priced_as: str = ""
    cached: bool = False
    counts: str = "o200k"

    @property
    def price_label(self) -> str:
        return (self.priced_as or "the model itself") + (", cached-input prices" if self.cached else "")


def read_settings(data: Mapping[str, Any], services: Services) -> Settings:
    """Settings from the browser's event. Raises ValueError with the value, the limit and the remedy.

    Whether the model may be used is not asked here: ``Door.open`` does, when it is.
    """
    given = data.get("settings") or {}
    lm = str(given.get("lm") or "").strip() or services.default_lm
    key = str(given.get("key") or "").strip() or None
    wanted = given.get("paths")
    paths = tuple(p for p in PATHS if wanted is None or p in wanted)
    if not paths:
        raise ValueError(f"No path is chosen that exists. Tick at least one of {', '.join(PATHS.values())}.")
    priced_as = str(given.get("priced_as") or "")
    return Settings(
        lm=lm,
        key=key,
        mode=_one_of(given.get("mode"), MODES),
        paths=paths,
        direct=bool(given.get("direct")),
        priced_as=priced_as if priced_as in services.priced_as else "",
        cached=bool(given.get("cached")),
        counts=_one_of(given.get("counts"), COUNTS),
    )


def read_question(data: Mapping[str, Any], limits: Limits) -> str:
    """The question from the browser's event. Raises ValueError where it is empty or too long."""
    return check_question(str(data.get("question") or ""), limits)


def check_question(text: str, limits: Limits) -> str:
    """``text`` without the space around it. Raises ValueError where it is empty or too long."""
    text = text.strip()
    if not text:
        raise ValueError("The question is empty. Type one, or choose an example.")
    if len(text) > limits.question_chars:
        raise ValueError(
            f"The question has {len(text):,} characters; the limit is {limits.question_chars:,}. "
            "Shorten it and send it again."
        )
    return text


def _one_of(value: Any, allowed: tuple[str, ...]) -> str:
    return value if value in allowed else allowed[0]
