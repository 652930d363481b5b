"""Growth: what each path sends to the LLM as questions need more tools and registries grow.

The real paths run with a model that never errs (``scripted``), so that only the prompts differ. Measured: calls, o200k
tokens, the context of every call, the tools that ran. Computed, and said so: cost (list prices), the part of the input
that a provider's prompt cache would serve (CacheRule), and time (Speed). Leaves out a model's mistakes: those are
measured with real models by ``python -m baselines run``.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dspy
from tqdm import tqdm

from baselines.evaluate.catalogue import SIZES, registry
from baselines.evaluate.provenance import provenance
from baselines.evaluate.scripted import Course, ScriptedEngine, read_courses
from baselines.evaluate.statistics import StatisticsConfig, bootstrap, pair_ratio
from router.lms import count_tokens, price
from router.trace import fold
from router.types import Usage

PATHS = ("llm_chain", "tool_calling", "router")


@dataclass(frozen=True)
class CacheRule:
    """What a provider serves from its prompt cache: a prefix that an earlier request had too, of at least ``least``
    tokens, in steps of ``step`` (https://platform.openai.com/docs/guides/prompt-caching)."""

    least: int = 1024
    step: int = 128


@dataclass(frozen=True)
class Speed:
    """A model's speed, to compute time from tokens: seconds a call until it begins to read, tokens read and written a
    second. The defaults are typical of a hosted model of middle size; they are an assumption, not a measurement."""

    call_s: float = 0.4
    read: float = 5_000.0
    write: float = 60.0

    def seconds(self, calls: int, read: int, written: int) -> float:
        return calls * self.call_s + read / self.read + written / self.write


def measure(
    router: Any, sizes: Sequence[int] = SIZES, courses: Sequence[Course] | None = None
) -> Iterator[dict[str, Any]]:
    """One row for each registry size × path × question.

    Fields: path, registry, needed (tool calls that the question needs), question, calls, o200k_input, o200k_output,
    cached (tokens of the input that CacheRule would serve), context (o200k input of each call), tools (that ran),
    abstained (the router's decision, None on other paths), error.
    """
    from baselines.race import build_paths

    courses = courses or read_courses()
    script = {course.question: course for course in courses}
    names = list(dict.fromkeys(step.tool for course in courses for step in course.steps))
    for size in sizes:
        tools = {c.question: registry(size, [s.tool for s in c.steps] if size < len(names) else names) for c in courses}
        for path in PATHS:
            engine = _Recorder(script)
            lm = dspy.LM(
                "scripted/never-errs", engine=engine, cache=False, num_retries=0, temperature=0.0, max_tokens=1000
            )
            for course in courses:
                module = build_paths([path], tools[course.question], router)[path]
                yield {"path": path, "registry": size} | _run(path, module, lm, engine, course)


def cells(rows: Iterable[Mapping[str, Any]], model: str, speed: Speed = Speed()) -> list[dict[str, Any]]:
    """Means over the questions of each (needed, registry, path): calls, tokens, context (the largest of a question's
    calls), cost and cost_cached in dollars (None where ``model`` has no known price), seconds, right_tools (share)."""
    groups: dict[tuple[int, int, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["needed"], row["registry"], row["path"]].append(row)
    return [
        {"needed": needed, "registry": size, "path": path, "questions": len(of)}
        | _means([_values(r, model, speed) for r in of])
        for (needed, size, path), of in groups.items()
    ]


def ratios(
    rows: Sequence[Mapping[str, Any]], model: str, config: StatisticsConfig = StatisticsConfig()
) -> list[dict[str, Any]]:
    """The other paths' sums over the router's, for each (needed, registry, other path): calls, tokens, cost and
    cost_cached, each with its bootstrap interval over the questions."""
    import numpy as np

    values = {(r["registry"], r["path"], r["question"]): _values(r, model, Speed()) for r in rows}
    asked: dict[tuple[int, int], list[str]] = defaultdict(list)
    for row in rows:
        if row["path"] == "router":
            asked[row["needed"], row["registry"]].append(row["question"])
    found = []
    for (needed, size), questions in sorted(asked.items()):
        for other in PATHS[:-1]:
            cell: dict[str, Any] = {"needed": needed, "registry": size, "against": other}
            for key in ("calls", "tokens", "cost", "cost_cached"):
                pairs = [(values[size, "router", q][key], values[size, other, q][key]) for q in questions]
                if all(None not in pair for pair in pairs):
                    table = np.array(pairs, float)
                    cell[key] = {
                        "value": float(pair_ratio(table[None])[0]),
                        "interval": bootstrap(table, pair_ratio, config),
                    }
            found.append(cell)
    return found


def growth_command(out: Path | None, model: str) -> int:
    """Measure, print a table and one JSON document; rows go to ``out``."""
    from router.network import DEFAULT_ROUTER, Router

    router = Router.from_pretrained(DEFAULT_ROUTER)
    total = len(SIZES) * len(PATHS) * len(read_courses())
    rows = list(tqdm(measure(router), total=total, unit="run", file=sys.stderr))
    meta = {"meta": provenance(lm="scripted/never-errs", threshold=router.threshold)}
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in (meta, *rows)), encoding="utf-8")
    found = cells(rows, model)
    row = "{:>6} {:>8} {:<14}{:>6}{:>9}{:>9}{:>10}{:>9}{:>7}".format
    print(row("needed", "registry", "path", "calls", "tokens", "context", "$ / 1000", "cached", "tools"))
    for c in found:
        dollars = ("-" if v is None else f"{1000 * v:.3f}" for v in (c["cost"], c["cost_cached"]))
        counts = (f"{c['calls']:.2f}", f"{c['tokens']:,.0f}", f"{c['context']:,.0f}")
        print(row(c["needed"], c["registry"], c["path"], *counts, *dollars, f"{c['right_tools']:.0%}"))
    print(json.dumps({"priced_as": model, "cells": found, "ratios": ratios(rows, model)}))
    return 0


def read_growth(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of a file of ``growth_command`` and where they come from. Raises OSError, ValueError."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    meta = next((row["meta"] for row in rows if "meta" in row), {})
    return [row for row in rows if "path" in row], meta


def prompts_table() -> str:
    """What each path's prompts for the embedded model hold, and their o200k tokens, for one question with one tool."""
    from router.builtin import default_tools
    from router.lms import prompts
    from router.lms.prompts import ChainStep
    from router.types import ToolCall, ToolResult

    tools, question = default_tools(), "how many km are 26.2 miles?"
    arguments = {"value": 26.2, "from_unit": "mi", "to_unit": "km"}
    output = tools["unit_converter"].call(arguments).text
    planned = ChainStep("unit_converter", "26.2 miles to km", output)
    done = ChainStep("unit_converter", "26.2 miles to km", output, "26.2 miles is 42.1648 km.", True)
    result = ToolResult(ToolCall("unit_converter", arguments), output, None, 0.0)
    shown = [
        ("LLM chain", "every tool's name and description", prompts.plan(question, tools)),
        ("LLM chain", "the same, the plan and its result", prompts.interpret(question, tools, [planned])),
        ("LLM chain", "the same and the finding", prompts.conclude(question, tools, [done])),
        ("Tool calling", "every tool's signature and description", prompts.call(question, tools)),
        ("Tool calling", "the same, the call and its result", prompts.call(question, tools, [result])),
        ("Router", "the call and its result", prompts.write(question, [result])),
        ("Router", "small talk: the message alone", prompts.teach("hello")),
        ("Router", "no tool: the question alone", prompts.chat("why do cats purr?")),
        (
            "Router",
            "a missing argument: one signature",
            prompts.fill(question, tools["unit_converter"], {}, ("to_unit",)),
        ),
    ]
    lines = ["| path | prompt | what it holds besides the question | tokens |", "|---|---|---|---:|"]
    for path, holds, prompt in shown:
        tokens = count_tokens("\n".join(m["content"] for m in prompt.messages))
        lines.append(f"| {path} | {prompt.role} | {holds} | {tokens} |")
    return "\n".join(lines)


class _Recorder(ScriptedEngine):
    """The scripted model, remembering what it was sent in the order in which a provider caches it: tools come first."""

    def __init__(self, script: Mapping[str, Course]) -> None:
        super().__init__(lambda text: script[text.strip()])
        self.sent: list[str] = []

    def complete(self, request: Any) -> Any:
        tools = json.dumps([[t.name, t.description, t.parameters] for t in request.tools])
        said = [f"{m.role}: {[repr(part) for part in m.parts]}" for m in request.messages]
        self.sent.append("\n".join([tools, str(request.system), *said]))
        return super().complete(request)


def _run(path: str, module: Any, lm: Any, engine: _Recorder, course: Course) -> dict[str, Any]:
    from baselines.race import RaceConfig, race

    before = len(engine.sent)
    events = list(race(course.question, lm, {path: module}, RaceConfig()))
    result = fold(events)
    calls = [e.data["usage"] for e in events if e.kind == "lm" and e.data["phase"] == "end"]
    context = [usage["o200k_input"] for usage in calls]
    return {
        "needed": len(course.steps),
        "question": course.question,
        "calls": result.usage.calls,
        "o200k_input": result.usage.o200k_input,
        "o200k_output": result.usage.o200k_output,
        "cached": sum(_cached(engine.sent[:i], text) for i, text in enumerate(engine.sent) if i >= before),
        "context": context,
        "tools": [r.call.tool for r in result.tool_results],
        "right_tools": sorted(r.call.tool for r in result.tool_results) == sorted(s.tool for s in course.steps),
        "abstained": result.decision.abstained if result.decision else None,
        "error": result.error,
    }


def _cached(earlier: Sequence[str], text: str, rule: CacheRule = CacheRule()) -> int:
    """Tokens of ``text`` that the cache serves, given what was sent before."""
    tokens = count_tokens(text[: max((_common(text, other) for other in earlier), default=0)])
    return tokens // rule.step * rule.step if tokens >= rule.least else 0


def _common(one: str, other: str) -> int:
    """Length of the common prefix, by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _values(row: Mapping[str, Any], model: str, speed: Speed) -> dict[str, float | None]:
    read, written = row["o200k_input"], row["o200k_output"]
    usage = Usage(row["calls"], read, written, min(row["cached"], read), read, written)
    free = 0.0 if not row["calls"] else None
    return {
        "calls": row["calls"],
        "tokens": read + written,
        "context": max(row["context"], default=0),
        "cost": free if free is not None else price(usage, model, cached=False),
        "cost_cached": free if free is not None else price(usage, model, cached=True),
        "seconds": speed.seconds(row["calls"], read, written),
        "right_tools": float(row["right_tools"]),
    }


def _means(values: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    def mean(key: str) -> float | None:
        known = [v[key] for v in values]
        return None if None in known else sum(known) / len(known)  # type: ignore[arg-type]

    return {key: mean(key) for key in values[0]}
