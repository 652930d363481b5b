"""What a comparison says in plain words, also where the router loses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {"llm_chain": "LLM chain", "tool_calling": "Tool calling", "router": "Router"}
WORDS = {
    "calls": ("fewer LLM calls", "more LLM calls"),
    "tokens": ("fewer tokens", "more tokens"),
    "cost": ("cheaper", "dearer"),
    "seconds": ("faster", "slower"),
}


def comparison_sentences(summary: Mapping[str, Any], of: str = "router") -> list[str]:
    """What the comparison says in words, also where ``of`` loses."""
    said = []
    for other, values in summary.get(of, {}).get("versus", {}).items():
        parts = []
        for key, (less, more) in WORDS.items():
            found = values["ratios"].get(key)
            if found and found["value"]:
                ratio, words = (found["value"], less) if found["value"] >= 1 else (1 / found["value"], more)
                parts.append(f"{ratio:.1f}× {words}" if ratio >= 1.05 else f"within 5 % in {key}")
        gap = values["differences"].get("answer_accuracy")
        if gap:
            low, high = gap["interval"] or (None, None)
            sure = low is not None and (low > 0 or high < 0)
            points = f"{abs(gap['value']) * 100:.0f} points {'more' if gap['value'] >= 0 else 'fewer'} right answers"
            if round(gap["value"], 3) == 0:
                points = "as many right answers"
            parts.append(points if sure or round(gap["value"], 3) == 0 else f"{points} (not distinguishable from none)")
        said.append(
            f"{NAMES.get(of, of)} against {NAMES.get(other, other)} on {values['cases']} questions: {', '.join(parts)}."
        )
    return said
