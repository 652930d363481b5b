"""Rows → figures: per path with bootstrap intervals, paired between paths, disagreements, stability, break-even.

Leaves out drawing and any call. The unit of resampling is the question: repeats of one are averaged first, so that
asking three times does not feign three times the evidence. Intervals are percentile bootstrap intervals (Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from baselines.evaluate.matching import matches
from baselines.evaluate.runs import Row
from router.types import Usage

MAX_DRAWN = 2_000_000
"""Values that are resampled at a time: memory stays flat however many questions there are."""

Interval = tuple[float, float]
Case = tuple[str, int]


@dataclass(frozen=True)
class StatisticsConfig:
    """How to sum up. ``price``: dollars of a Usage, None where no price is known (by default the price that was noted
    in the run); ``priced_as`` names what it prices as. ``level``: of the intervals; ``resamples`` and ``seed``:
    theirs."""

    price: Callable[[Usage], float | None] = lambda usage: usage.cost_usd
    priced_as: str | None = None
    resamples: int = 2_000
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Score:
    """Whether a run did well; None where the question cannot tell.

    ``tool``: the tools it called are just those needed. ``result``: the output of a tool contains the answer.
    ``answer``: the answer does; an error is a wrong answer. ``judged``: an LLM judged an answer that has no reference.
    """

    tool: bool | None
    result: bool | None
    answer: bool | None
    judged: bool | None


def score(row: Row) -> Score:
    """One run against its question."""
    question, result = row.question, row.result
    called = {r.call.tool for r in result.tool_results}
    tool = called == set(question.tools) if question.tools is not None else None
    output = answer = None
    if question.answers:
        answer = matches(result.answer, question.answers, question.exact_case)
        if question.tools != ():
            output = any(matches(r.output, question.answers, question.exact_case) for r in result.tool_results)
    judged = row.judged.right if row.judged else None
    return Score(tool, output, answer, judged)


COLUMNS = ("error", "calls", "input_tokens", "output_tokens", "o200k", "cost", "seconds", "first_token") + (
    "tool",
    "result",
    "answer",
    "judged",
    "label",
    "abstained",
)
ACCURACIES = {"tool": "tool", "result": "result", "answer": "answer", "judged": "judged", "decision": "label"}
"""``<name>_accuracy`` → the column it is the mean of. ``decision``: the router's label is the question's."""


def summarise(rows: Sequence[Row], config: StatisticsConfig = StatisticsConfig()) -> dict[str, dict[str, Any]]:
    """Per path: sums over its runs, accuracies, latencies, and 95 % intervals of the means under ``intervals``.

    Counts: ``runs``, ``errors``, ``calls`` (of the LLM), ``input_tokens``, ``output_tokens`` (the model's own count; ours
    for the ``counted_calls`` of which the provider did not say it),
    ``o200k_tokens`` (in and out, by one tokenizer for all models), ``cost_usd`` (None when a price is not known).
    ``seconds`` and ``first_token``: p50 and p95 in seconds. ``*_accuracy``: shares from 0 to 1, None where no question
    tells. ``cost_per_right_answer``: all that was paid over the number of right answers.
    ``versus``: against each other path, on the cases both ran: ratios of sums and differences of means.
    """
    tables = {path: _table(of, config) for path, of in by_path(rows).items()}
    summary = {}
    for path, (cases, table) in tables.items():
        of = [row for row in rows if row.path == path]
        summary[path] = _sums(of, config) | _means(table, config)
        others = {other: _versus(tables[path], tables[other], config) for other in tables if other != path}
        summary[path]["versus"] = {other: values for other, values in others.items() if values}
    return summary


def by_path(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows grouped by path, in order of appearance; runs of a router's other branch (``router/...``) left out."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if "/" not in row.path:
            groups[row.path].append(row)
    return dict(groups)


def bootstrap(
    values: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], config: StatisticsConfig
) -> Interval | None:
    """The percentile interval of ``statistic`` under resampling of cases.

    ``values``: (cases, ...); ``statistic`` maps (resamples, cases, ...) to (resamples,) and may give nan for a resample
    that it is not defined on. None for fewer than two cases, no resamples, or where it is hardly ever defined.
    """
    if len(values) < 2 or not config.resamples:
        return None
    block = max(1, MAX_DRAWN // values.size)
    estimates = np.empty(config.resamples)
    with np.errstate(all="ignore"):
        for start in range(0, config.resamples, block):
            size = (min(block, config.resamples - start), len(values))
            estimates[start : start + block] = statistic(values[_drawn(size, config.seed + start)])
    estimates = estimates[np.isfinite(estimates)]
    if len(estimates) < config.resamples / 2:
        return None
    tail = (1 - config.level) / 2
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=8)
def _drawn(size: tuple[int, int], seed: int) -> np.ndarray:
    """(resamples, cases) indices with replacement; the same ones for every statistic of a table."""
    return np.random.default_rng(seed).integers(0, size[1], size)


def disagreements(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The cases on which paths called different tools, or not all were right (or wrong), or some ended in an error.

    One dict a case: question, tools needed, reference, and ``paths``: path → answer, error, tools with their outputs,
    and the Score's fields. First pass only.
    """
    cases: dict[Case, dict[str, Row]] = defaultdict(dict)
    for path, of in by_path(rows).items():
        for row in of:
            if row.repeat == 0:
                cases[row.case][path] = row
    found = []
    for (question, _), paths in cases.items():
        first = next(iter(paths.values())).question
        views = {path: _view(row) for path, row in paths.items()}
        if len({_verdict(view) for view in views.values()}) > 1:
            found.append({"question": question, "tools": first.tools, "reference": first.answers, "paths": views})
    return found


def stability(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Per path, over the questions asked more than once: ``cases``, ``repeats`` (the most), and the shares of cases on
    which the tools called (``tool_changed``) or the answer's words (``answer_changed``) were not the same every
    time."""
    found = {}
    for path, of in by_path(rows).items():
        cases: dict[Case, list[Row]] = defaultdict(list)
        for row in of:
            cases[row.case].append(row)
        several = [runs for runs in cases.values() if len(runs) > 1]
        if several:
            tools = [len({tuple(r.call.tool for r in row.result.tool_results) for row in runs}) > 1 for runs in several]
            answers = [len({" ".join((row.result.answer or "").split()) for row in runs}) > 1 for runs in several]
            found[path] = {
                "cases": len(several),
                "repeats": max(map(len, several)),
                "tool_changed": sum(tools) / len(several),
                "answer_changed": sum(answers) / len(several),
            }
    return found


def break_even(one_off_usd: float, saved_usd_per_query: float) -> int | None:
    """After how many queries a saving has paid back what was spent once; None where nothing is saved."""
    return math.ceil(one_off_usd / saved_usd_per_query) if saved_usd_per_query > 0 else None


def _table(rows: Sequence[Row], config: StatisticsConfig) -> tuple[list[Case], np.ndarray]:
    """(cases, COLUMNS) of per-question means, nan where not known."""
    cases: dict[Case, list[list[float]]] = defaultdict(list)
    for row in rows:
        cases[row.case].append(_values(row, config))
    with np.errstate(all="ignore"):
        table = np.array([_nanmean(np.array(runs, float)) for runs in cases.values()], float).reshape(-1, len(COLUMNS))
    return list(cases), table


def _values(row: Row, config: StatisticsConfig) -> list[float]:
    usage, result, scored = row.result.usage, row.result, score(row)
    cost = config.price(usage) if usage.calls else 0.0
    decision, label = result.decision, row.question.label
    values = (
        result.error is not None,
        usage.calls,
        usage.input_tokens,
        usage.output_tokens,
        usage.o200k_input + usage.o200k_output,
        cost,
        result.seconds,
        result.first_token_s,
        scored.tool,
        scored.result,
        scored.answer,
        scored.judged,
        decision.tool == label if decision and label else None,
        decision.abstained if decision else None,
    )
    return [math.nan if value is None else float(value) for value in values]


def _sums(rows: Sequence[Row], config: StatisticsConfig) -> dict[str, Any]:
    usages = [row.result.usage for row in rows]
    costs = [config.price(u) if u.calls else 0.0 for u in usages]
    judged = [row.judged for row in rows if row.judged]
    total = {
        "runs": len(rows),
        "answered": sum(row.result.answer is not None for row in rows),
        "errors": sum(row.result.error is not None for row in rows),
        "calls": sum(u.calls for u in usages),
        "input_tokens": sum(u.input_tokens for u in usages),
        "cached_tokens": sum(u.cached_tokens for u in usages),
        "output_tokens": sum(u.output_tokens for u in usages),
        "counted_calls": sum(u.counted_calls for u in usages),
        "o200k_tokens": sum(u.o200k_input + u.o200k_output for u in usages),
        "cost_usd": None if None in costs else sum(costs),
        "priced_as": config.priced_as,
    }
    if judged:
        spent = sum((j.usage for j in judged), Usage())
        total["judge"] = {
            "lm": judged[0].lm,
            "judged": sum(j.right is not None for j in judged),
            "failed": sum(j.right is None for j in judged),
            "calls": spent.calls,
            "input_tokens": spent.input_tokens,
            "output_tokens": spent.output_tokens,
            "cost_usd": spent.cost_usd,
        }
    return total


def _means(table: np.ndarray, config: StatisticsConfig) -> dict[str, Any]:
    column = {name: table[:, i] for i, name in enumerate(COLUMNS)}
    means = {
        "calls_per_question": column["calls"],
        "tokens_per_question": column["o200k"],
        "cost_usd_per_question": column["cost"],
        "error_rate": column["error"],
        "abstained": column["abstained"],
    } | {f"{name}_accuracy": column[key] for name, key in ACCURACIES.items()}
    values: dict[str, Any] = {name: _mean(of) for name, of in means.items()}
    intervals: dict[str, Any] = {name: _interval_of_mean(of, config) for name, of in means.items()}
    for name in ("seconds", "first_token"):
        known = column[name][~np.isnan(column[name])]
        values[name] = {}
        for label, quantile in (("p50", 0.5), ("p95", 0.95)):
            values[name][label] = float(np.quantile(known, quantile)) if len(known) else None
            intervals[f"{name}_{label}"] = bootstrap(
                known, lambda drawn, q=quantile: np.quantile(drawn, q, axis=1), config
            )
    paid = np.stack([column["cost"], column["answer"]], axis=1)[~np.isnan(column["answer"])]
    values["cost_per_right_answer"] = _finite(_per_right(paid[None])[0])
    intervals["cost_per_right_answer"] = bootstrap(paid, _per_right, config)
    return values | {"intervals": intervals}


def _versus(
    mine: tuple[list[Case], np.ndarray], theirs: tuple[list[Case], np.ndarray], config: StatisticsConfig
) -> dict[str, Any] | None:
    """This path against another on the cases both ran: the other's sum over this one's, this mean minus the other's."""
    index = {case: i for i, case in enumerate(theirs[0])}
    both = [(i, index[case]) for i, case in enumerate(mine[0]) if case in index]
    if not both:
        return None
    pairs = np.stack([mine[1][[i for i, _ in both]], theirs[1][[j for _, j in both]]], axis=-1)  # (cases, columns, 2)
    found: dict[str, Any] = {"cases": len(both), "ratios": {}, "differences": {}}
    for name, key in {"calls": "calls", "tokens": "o200k", "cost": "cost", "seconds": "seconds"}.items():
        known = _known(pairs[:, COLUMNS.index(key)])
        if len(known) == len(pairs):
            found["ratios"][name] = {
                "value": _finite(pair_ratio(known[None])[0]),
                "interval": bootstrap(known, pair_ratio, config),
            }
    wanted = {"calls": "calls", "tokens": "o200k", "cost_usd": "cost", "seconds": "seconds"}
    paired = {f"{name}_accuracy": key for name, key in ACCURACIES.items() if name != "decision"}
    for name, key in (wanted | paired).items():
        known = _known(pairs[:, COLUMNS.index(key)])
        if len(known):
            gap = known[:, 0] - known[:, 1]
            found["differences"][name] = {
                "value": float(gap.mean()),
                "interval": bootstrap(gap, lambda drawn: drawn.mean(axis=1), config),
                "cases": len(known),
            }
    return found


def pair_ratio(pairs: np.ndarray) -> np.ndarray:
    """(resamples, cases, 2) → the other's sum over this one's: 4.0 says that this path needs a quarter."""
    with np.errstate(all="ignore"):
        return pairs[..., 1].sum(axis=1) / pairs[..., 0].sum(axis=1)


def _per_right(paid: np.ndarray) -> np.ndarray:
    """(resamples, cases, [cost, right]) → all that was paid over the number of right answers."""
    with np.errstate(all="ignore"):
        return paid[..., 0].sum(axis=1) / paid[..., 1].sum(axis=1)


def _interval_of_mean(values: np.ndarray, config: StatisticsConfig) -> Interval | None:
    return bootstrap(values[~np.isnan(values)], lambda drawn: drawn.mean(axis=1), config)


def _known(pairs: np.ndarray) -> np.ndarray:
    return pairs[~np.isnan(pairs).any(axis=1)]


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _nanmean(runs: np.ndarray) -> np.ndarray:
    """(repeats, columns) → (columns,), nan only where all are."""
    known = ~np.isnan(runs)
    with np.errstate(all="ignore"):
        return np.where(known, runs, 0).sum(axis=0) / known.sum(axis=0)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _view(row: Row) -> dict[str, Any]:
    scored = score(row)
    return {
        "answer": row.result.answer,
        "error": row.result.error,
        "tools": [(r.call.tool, r.text) for r in row.result.tool_results],
        "tool_right": scored.tool,
        "result_right": scored.result,
        "answer_right": scored.answer,
    }


def _verdict(view: Mapping[str, Any]) -> tuple[Any, ...]:
    return frozenset(tool for tool, _ in view["tools"]), view["answer_right"], view["error"] is not None
