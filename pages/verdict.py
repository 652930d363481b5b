"""What a race showed, in plain words: first whether the question was answered, then what that cost.

A pure function of how the paths ended, as ready to say that the router lost. Without a reference nothing here says
"right": paths that are wrong in the same way agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from baselines.evaluate.agreement import agree, carries, conclusions
from baselines.evaluate.matching import matches
from baselines.evaluate.questions import Question
from baselines.figures.style import listing
from router.types import RunResult, ToolResult, Usage

LABELS = {"llm_chain": "the LLM chain", "tool_calling": "tool calling", "router": "the router"}
STOPPED = "Stopped."
NOT_RUN = "Stopped before it began."
"""The messages of a path that somebody stopped, and of one whose turn had not come (``baselines.race``)."""
CLOSE = 1.05
"""Figures whose ratio is below this are called equal."""

OUTCOMES = {
    "right": "Right",
    "wrong": "Wrong",
    "same": "Same result",
    "differ": "Results differ",
    "unconfirmed": "Not confirmed",
    "tool_failed": "Tool failed",
    "nothing_found": "Nothing found",
    "failed": "Failed",
    "handed_over": "Handed over",
    "alone": "Nothing to compare",
    "stopped": "Stopped",
}
"""How a race can have ended for the router, as the page labels it."""


@dataclass(frozen=True)
class Terms:
    """What results are weighed by.

    ``tokens``: input and output tokens of a usage, by the tokenizer that the visitor chose; ``price``: dollars, None
    where unknown. ``reference``: the question with its right answers, where they are known. ``reason``: why the router
    handed over. ``borrowed``: the LLM gave arguments of the router's tool, so that a rival which asked the same LLM
    confirms nothing. ``sequential``: whether the paths' seconds are their own.
    """

    tokens: Callable[[Usage], int] = lambda use: use.o200k_input + use.o200k_output
    price: Callable[[Usage], float | None] = lambda use: use.cost_usd
    reference: Question | None = None
    reason: str = ""
    borrowed: bool = False
    sequential: bool = True


@dataclass(frozen=True)
class Verdict:
    """``outcome``: a key of OUTCOMES, ``label`` its words; ``headline``: whether the question was answered; ``cost``:
    against the cheapest rival; ``lines``: the other rivals, then notes. No rival is in either where a saving would mean
    nothing.
    ``good``: the router's answer stands and it spent less than each rival that answered; only then the headline is
    green."""

    outcome: str
    label: str
    headline: str
    cost: str
    lines: tuple[str, ...]
    good: bool = False


def verdict(results: Mapping[str, RunResult], terms: Terms = Terms()) -> Verdict:
    """Judge a race by the paths that have ended; those that failed or were stopped are named, not compared.

    A reference decides where there is one. Else the router's result counts as confirmed where a rival's tool found the
    same from arguments of its own, none found something else, and both paths' sentences repeat it. The cost is told
    against the cheapest rival that answered: where that is known a right one, else one whose tool gave a result, if the
    router's did.
    """
    answered = {path: run for path, run in results.items() if run.error is None}
    router, rivals = answered.get("router"), {p: r for p, r in answered.items() if p != "router"}
    notes = _unfinished(results)
    if router is None or not rivals:
        outcome, told = _alone(results, answered, terms)
        return Verdict(outcome, OUTCOMES[outcome], told, "", tuple(notes))
    if _abstained(router) and terms.reason:
        notes = [f"Why it was handed over: {terms.reason}", *notes]
    if not terms.sequential:
        notes.append("The paths ran at the same time, so their seconds include each other's load.")
    right = marks(answered, terms.reference)
    outcome, told = _by_reference(right) if right else _by_results(router, rivals)
    if outcome == "same" and terms.borrowed and not _abstained(router):
        outcome, told = "unconfirmed", f"{told}, but from the same LLM: it gave the router's tool its input too"
    spared = outcome not in ("wrong", "tool_failed", "nothing_found")
    if _abstained(router):
        told = f"It got the {told[0].lower()}{told[1:]}" if outcome == "same" else told
        told = f"The router handed over to the LLM, so it saved nothing against tool calling. {told}"
        outcome = "handed_over"
    fit, kind = _measure(router, rivals, right)
    cheapest = _cheapest(fit, terms)
    lines = {
        path: _against(path, router, run, terms, kind if path == cheapest else "")
        for path, run in rivals.items()
        if spared
    }
    cost = lines.pop(cheapest) if outcome in ("right", "same", "differ", "unconfirmed") else ""
    good = outcome in ("right", "same") and all(_beats(router, rival, terms) for rival in rivals.values())
    return Verdict(outcome, OUTCOMES[outcome], f"{told}.", cost, (*lines.values(), *notes), good)


def marks(results: Mapping[str, RunResult], reference: Question | None) -> dict[str, bool]:
    """Path → whether its answer is right, for the paths that answered; empty where no reference is known."""
    if reference is None or not reference.answers:
        return {}
    return {
        path: matches(run.answer, reference.answers, reference.exact_case)
        for path, run in results.items()
        if run.error is None
    }


# ---------------------------------------------------------------- whether the question was answered


def _alone(results: Mapping[str, RunResult], answered: Mapping[str, RunResult], terms: Terms) -> tuple[str, str]:
    """The router or its rivals are missing."""
    stopped = any(run.error in (STOPPED, NOT_RUN) for run in results.values())
    if not answered:
        return ("stopped", "Stopped before a path had answered.") if stopped else ("failed", "No path answered.")
    who, right = _names(answered), marks(answered, terms.reference)
    judged = [f"{LABELS[path]} is {'right' if good else 'wrong'}" for path, good in right.items()]
    mark = f" By the reference {listing(judged)}." if judged else ""
    if "router" not in results:
        return "alone", f"The router did not run: nothing to compare {who} with.{mark}"
    if "router" not in answered:
        if results["router"].error in (STOPPED, NOT_RUN):
            return "stopped", f"Stopped before the router had answered; {who} did.{mark}"
        return "failed", f"The router failed; {who} answered.{mark}"
    only = "Only the router " + ("answered" if len(results) > 1 else "ran")
    return ("stopped" if stopped else "alone"), f"{only}: nothing to compare.{mark}"


def _by_reference(right: Mapping[str, bool]) -> tuple[str, str]:
    ours, theirs = ("right", "wrong") if right["router"] else ("wrong", "right")
    like = [f"{LABELS[p]}'s" for p, mark in right.items() if p != "router" and mark == right["router"]]
    unlike = [f"{LABELS[p]}'s" for p, mark in right.items() if mark != right["router"]]
    told = f"The router's answer is {ours}"
    if like:
        told += f", {'as is' if len(like) == 1 else 'as are'} {listing(like)}"
    if unlike:
        told += f"; {listing(unlike)} {'is' if len(unlike) == 1 else 'are'} {theirs}"
    return ours, told


def _by_results(router: RunResult, rivals: Mapping[str, RunResult]) -> tuple[str, str]:
    """What the tools' results and the sentences about them vouch for."""
    ran = {p: r for p, r in rivals.items() if r.tool_results}
    found = {p: r for p, r in ran.items() if _found(r)}
    if not router.tool_results:
        if ran:
            return "differ", f"The router answered without a tool, {_names(ran)} with one"
        return "unconfirmed", "No tool ran: each answer is the model's own"
    missed = [r for r in router.tool_results if not _holds(r)]
    if missed and not (_abstained(router) and _found(router)):  # the router's own plan needs each of its calls
        failed = any(r.output is None for r in missed)
        which = "The router's tool" if len(missed) == len(router.tool_results) else "A tool of the router's"
        others = f"; {_names(found)} got a result" if found else ", and no other path got a result"
        how = ("tool_failed", "failed") if failed else ("nothing_found", "found nothing")
        return how[0], f"{which} {how[1]}{others}"
    if not found:
        why = "no other path's tool gave one" if ran else "no other path ran a tool"
        return "unconfirmed", f"Only the router got a tool's result: {why}"
    same = {p: r for p, r in found.items() if same_results(router, r)}
    if len(same) < len(found):
        others = _names(p for p in found if p not in same)
        if same:
            return "differ", f"{_first(_names(same))} got the router's result, {others} another"
        return "differ", f"The router got another result than {others}"
    if not _carries(router):
        return "differ", "The router's sentence does not repeat what its tool found"
    repeated = {p: r for p, r in same.items() if _carries(r)}
    if not repeated:
        return "differ", f"The tools found the same, but {_names(same)} did not repeat it"
    return "same", f"Same result as {_names(repeated)}"


def _found(run: RunResult) -> bool:
    """Whether any of the path's tool calls gave something: what else it tried is its own affair."""
    return any(_holds(r) for r in run.tool_results)


def _holds(result: ToolResult) -> bool:
    """Whether a call gave something. That a search found nothing is an answer, but nothing to agree on."""
    return result.output is not None and not result.output.startswith("Nothing found")


def same_results(router: RunResult, rival: RunResult) -> bool:
    """Whether the rival found all that the router concludes from, and the rival's last result is among the router's."""
    theirs = [r for r in rival.tool_results if _holds(r)]
    every = all(any(agree(r, t) for t in theirs) for r in _conclusions(router))
    return every and any(agree(r, theirs[-1]) for r in router.tool_results)


def _carries(run: RunResult) -> bool:
    return all(carries(run.answer or "", r, run.question) for r in _conclusions(run))


def _conclusions(run: RunResult) -> list[ToolResult]:
    return conclusions([r for r in run.tool_results if _holds(r)])


# ---------------------------------------------------------------- what it cost


@dataclass(frozen=True)
class Gain:
    """One figure of the router's beside a rival's. ``sign``: 1 where the router's is better, 0 for equal, -1."""

    sign: int
    text: str


def _measure(
    router: RunResult, rivals: Mapping[str, RunResult], right: Mapping[str, bool]
) -> tuple[Mapping[str, RunResult], str]:
    """The rivals that the router may be measured by, and what the cheapest of them is called ("" for a lone rival)."""
    proven = {path: run for path, run in rivals.items() if right.get(path)}
    found = {path: run for path, run in rivals.items() if _found(run) and _found(router)}
    fit = proven or found or rivals
    if len(rivals) == 1 or len(fit) == len(rivals):
        return fit, "the cheapest rival" if len(rivals) > 1 else ""
    what = "right rival" if proven else "rival with a result"
    return fit, f"the {'only' if len(fit) == 1 else 'cheapest'} {what}"


def _cheapest(runs: Mapping[str, RunResult], terms: Terms) -> str:
    """By dollars where every price is known, else by tokens; then by calls and seconds."""
    costs = {path: dollars(run.usage, terms.price) for path, run in runs.items()}
    known = None not in costs.values()

    def key(path: str) -> tuple[float, ...]:
        run = runs[path]
        return (costs[path] or 0.0) if known else 0.0, terms.tokens(run.usage), run.usage.calls, run.seconds

    return min(runs, key=key)


def _gains(router: RunResult, rival: RunResult, terms: Terms) -> list[Gain]:
    """LLM calls, tokens, dollars (where a price is known) and seconds: the page always tells them in this order."""
    many, theirs = router.usage.calls, rival.usage.calls
    sign = (theirs > many) - (theirs < many)
    found = [Gain(sign, f"{calls(many)} instead of {theirs}" if sign else f"{calls(many)} each")]
    tokens = [terms.tokens(run.usage) for run in (rival, router)]
    found.append(_gain(*tokens, "fewer tokens", "more tokens", "as many tokens", "no tokens"))
    spent = [dollars(run.usage, terms.price) for run in (rival, router)]
    if None not in spent:
        found.append(_gain(*spent, "cheaper", "dearer", "at the same price", "free of charge"))
    return [*found, _gain(rival.seconds, router.seconds, "faster", "slower", "as fast", "at once")]


def _gain(theirs: float, ours: float, less: str, more: str, equal: str, nothing: str) -> Gain:
    if not ours or not theirs:
        return Gain(0, equal) if ours == theirs else Gain(-1, more) if ours else Gain(1, nothing)
    ratio = theirs / ours
    if 1 / CLOSE < ratio < CLOSE:
        return Gain(0, equal)
    return Gain(1, f"{times(ratio)} {less}") if ratio > 1 else Gain(-1, f"{times(1 / ratio)} {more}")


def _beats(router: RunResult, rival: RunResult, terms: Terms) -> bool:
    """Whether the router spent less of something than the rival and more of nothing."""
    signs = [gain.sign for gain in _gains(router, rival, terms)]
    return min(signs) >= 0 and max(signs) > 0


def _against(path: str, router: RunResult, rival: RunResult, terms: Terms, kind: str) -> str:
    """``Against tool calling, the cheapest rival: 1 LLM call instead of 2, 10× fewer tokens, but 2.1× slower.``

    ``kind``: why the router is measured by this rival. After a hand-over the calls are the LLM's own on both paths, so
    that their seconds are no merit of the router's.
    """
    gains = _gains(router, rival, terms)[: -1 if _abstained(router) else None]
    gained, lost = (", ".join(g.text for g in gains if (g.sign < 0) == below) for below in (False, True))
    told = f"{gained}, but {lost}" if gained and lost else gained or lost
    return f"Against {LABELS[path]}{f', {kind}' if kind else ''}: {told}."


def dollars(usage: Usage, price: Callable[[Usage], float | None]) -> float | None:
    """The cost of a usage: nothing without a call, None where no price is known."""
    return price(usage) if usage.calls else 0.0


def times(ratio: float) -> str:
    """``4.1×``, ``23×``."""
    return f"{ratio:.1f}×" if ratio < 10 else f"{ratio:.0f}×"


def calls(number: int) -> str:
    return f"{number} LLM call" + ("" if number == 1 else "s")


def _abstained(router: RunResult) -> bool:
    return router.decision is not None and router.decision.abstained


def _unfinished(results: Mapping[str, RunResult]) -> list[str]:
    """One sentence each for the paths that failed, were stopped or never began."""
    kinds = {STOPPED: ("was stopped", "were stopped"), NOT_RUN: ("was not run", "were not run")}
    found: dict[tuple[str, str], list[str]] = {}
    for path, run in results.items():
        if run.error is not None:
            found.setdefault(kinds.get(run.error, ("failed", "failed")), []).append(path)
    return [
        f"{_first(_names(paths))} {kind[len(paths) > 1]}, so {'it is' if len(paths) == 1 else 'they are'} not compared."
        for kind, paths in found.items()
    ]


def _names(paths: Iterable[str]) -> str:
    return listing(LABELS[path] for path in paths)


def _first(text: str) -> str:
    return text[0].upper() + text[1:]  # not capitalize(): it would write "The llm chain"


# ---------------------------------------------------------------- the session


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
