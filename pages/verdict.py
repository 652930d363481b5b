"""Who won, in plain words: a pure function of how the paths ended, as ready to say that the router lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from baselines.figures.style import listing
from router.types import RunResult

LABELS = {"llm_chain": "the LLM chain", "tool_calling": "tool calling", "router": "the router"}


@dataclass(frozen=True)
class Verdict:
    """``headline`` for the eye, ``lines`` one comparison each; ``winner`` is a path, or None for a tie or no race."""

    headline: str
    lines: tuple[str, ...]
    winner: str | None


def verdict(results: Mapping[str, RunResult], sequential: bool) -> Verdict:
    """Compare the router with every baseline that answered.

    The winner is the path that used the fewest tokens; ratios below 1.05 are called equal. Paths that failed are named,
    not compared.
    """
    failed = [LABELS.get(p, p) for p, r in results.items() if r.error is not None]
    answered = {p: r for p, r in results.items() if r.error is None}
    notes = []
    if failed:
        who = listing(failed)  # not capitalize(): it would write "The llm chain"
        notes = [
            f"{who[0].upper()}{who[1:]} did not finish, so {'it is' if len(failed) == 1 else 'they are'} not compared."
        ]
    router = answered.get("router")
    rivals = {p: r for p, r in answered.items() if p != "router"}
    if router is None or not rivals:
        only = listing(LABELS.get(p, p) for p in answered)
        headline = f"Only {only} answered: nothing to compare." if answered else "No path answered."
        return Verdict(headline, tuple(notes), None)
    best = min(answered, key=lambda p: (_tokens(answered[p]), answered[p].usage.calls))
    lines = [_compare(router, rival, LABELS[path]) for path, rival in rivals.items()]
    if router.decision is not None and router.decision.abstained:
        notes.append("The router was unsure and handed the choice to the LLM; that cost is counted.")
    if not sequential:
        notes.append("The paths ran at the same time, so their seconds include each other's load.")
    if best != "router" and _tokens(answered[best]) < _tokens(router) / 1.05:
        return Verdict(_lost(router, answered[best], LABELS[best]), (*lines, *notes), best)
    close = [r for r in rivals.values() if _tokens(r) <= _tokens(router) * 1.05]
    if close:
        return Verdict("A draw on tokens: the router saved nothing here.", (*lines, *notes), None)
    most = max(rivals.values(), key=_tokens)
    return Verdict(_won(router, most), (*lines, *notes), "router")


def _won(router: RunResult, rival: RunResult) -> str:
    slower = router.seconds > rival.seconds * 1.05
    if not _tokens(router):
        return "The router answered without the LLM" + (", but took longer." if slower else ".")
    ratio = times(_tokens(rival) / _tokens(router))
    if slower:
        return f"The router used {ratio} fewer tokens than {LABELS[rival.path]}, but took longer."
    return f"The router used {ratio} fewer tokens than {LABELS[rival.path]}, and was {_speed(router, rival)}."


def _lost(router: RunResult, rival: RunResult, label: str) -> str:
    if not _tokens(rival):
        return f"The router lost: {label} used no tokens, the router {_tokens(router):,}."
    return f"The router lost: {label} used {times(_tokens(router) / _tokens(rival))} fewer tokens."


def _compare(router: RunResult, rival: RunResult, label: str) -> str:
    """``Against the LLM chain: 1 call instead of 3, 4.1× fewer tokens, 3.2× faster, same tool result.``"""
    parts = [f"{calls(router.usage.calls)} instead of {rival.usage.calls}"]
    if router.usage.calls == rival.usage.calls:
        parts = [f"{calls(router.usage.calls)} each"]
    parts.append(_ratio(_tokens(rival), _tokens(router), "fewer tokens", "more tokens", "as many tokens"))
    parts.append(_speed(router, rival))
    parts.append(_same(router, rival))
    return f"Against {label}: " + ", ".join(p for p in parts if p) + "."


def _speed(router: RunResult, rival: RunResult) -> str:
    return _ratio(rival.seconds, router.seconds, "faster", "slower", "as fast")


def _same(router: RunResult, rival: RunResult) -> str:
    """What is known of the tools' results; whether the sentences are right is for the reader."""
    ours, theirs = (run.tool_results[-1:] for run in (router, rival))
    if not ours and not theirs:
        return "no tool on either"
    if not ours or not theirs:
        return "a tool ran on " + ("the router's path only" if ours else "its path only")
    failed = [who for who, (last,) in (("the router's", ours), ("its", theirs)) if last.output is None]
    if failed:
        return "both tool calls failed" if len(failed) == 2 else f"{failed[0]} tool call failed"
    same = _value(ours[0].text) == _value(theirs[0].text)
    return "same tool result" if same else "different tool results – compare them in the cards"


def _value(text: str) -> str:
    """What a tool found, without the question that it repeats: ``18% of 64.50 = 11.61`` and ``18%*64.50 = 11.61`` agree."""
    return text.rpartition(" = ")[2].strip()


def _ratio(theirs: float, ours: float, less: str, more: str, equal: str) -> str:
    if not ours or not theirs:
        return (
            equal if ours == theirs else ("no tokens" if not ours else f"{ours:,.0f} instead of 0") * ("tokens" in less)
        )
    ratio = theirs / ours
    if 1 / 1.05 < ratio < 1.05:
        return equal
    return f"{times(ratio)} {less}" if ratio > 1 else f"{times(1 / ratio)} {more}"


def _tokens(result: RunResult) -> int:
    """One tokenizer for all: o200k."""
    return result.usage.o200k_input + result.usage.o200k_output


def times(ratio: float) -> str:
    """``4.1×``, ``23×``."""
    return f"{ratio:.1f}×" if ratio < 10 else f"{ratio:.0f}×"


def calls(number: int) -> str:
    return f"{number} call" + ("" if number == 1 else "s")


def medians(rows: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Per path the medians of a session's finished questions, for the projection: tokens, seconds and cost of one.

    A path's cost is None as soon as one of its questions has no known price.
    """
    found: dict[str, dict[str, float | None]] = {}
    for path in dict.fromkeys(p for row in rows for p in row["paths"]):
        done = [row["paths"][path] for row in rows if row["paths"].get(path, {}).get("state") == "done"]
        if not done:
            continue
        costs = [c["cost"] for c in done]
        found[path] = {
            "questions": len(done),
            "tokens": median(sum(c["tokens"]) for c in done),
            "seconds": median(c["seconds"] for c in done),
            "cost": None if None in costs else median(costs),
        }
    return found
