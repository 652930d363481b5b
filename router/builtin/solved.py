"""Questions with everything that a path does on them: worked examples for models that were not trained on our prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from router.types import NONE


@dataclass(frozen=True)
class Solved:
    """A question with everything that a path does on it."""

    question: str
    answer: str
    tool: str = NONE
    input: str = ""
    arguments: Mapping[str, Any] | None = None
    result: str = ""


EXAMPLES = (
    Solved("What is 8 * 7?", "8 * 7 is 56.", "calculator", "8 * 7", {"expression": "8 * 7"}, "8 * 7 = 56"),
    Solved(
        "10 kg in pounds",
        "10 kg is 22.0462 lb.",
        "unit_converter",
        "10 kg to pounds",
        {"value": 10, "from_unit": "kg", "to_unit": "lb"},
        "10 kg = 22.0462 lb",
    ),
    Solved(
        "which weekday was 4 July 1976",
        "4 July 1976 was a Sunday.",
        "calendar",
        "weekday of 4 July 1976",
        {"operation": "weekday", "date": "1976-07-04"},
        "weekday of 4 July 1976 = Sunday",
    ),
    Solved(
        "who speaks Maltese, I mean in which country?",
        "Maltese is spoken in Malta.",
        "search",
        "country where Maltese is spoken",
        {"query": "country where Maltese is spoken"},
        "Malta: the languages are Maltese and English.",
    ),
    Solved(
        "what time is it in Lima?",
        "It is 09:15 in Lima.",
        "clock",
        "time in Lima",
        {"ask": "time", "place": "Lima"},
        "Lima: 09:15 on Thursday 5 March 2026 (PET, UTC-5)",
    ),
    Solved("good morning!", "Good morning! How can I help you?"),
    Solved("why do cats purr?", "Cats purr when they are content, and also to calm themselves."),
)
