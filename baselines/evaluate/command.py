"""The run command: real paths, tools, router and model put together; a progress bar, a table, one JSON document.

Leaves out the flags (``__main__``) and the engine (``runs``).
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from baselines.evaluate.provenance import provenance
from baselines.evaluate.questions import Question, read_questions
from baselines.evaluate.runs import Row, RunConfig, read_rows, remaining, run
from baselines.evaluate.statistics import StatisticsConfig, summarise
from router.tools import ToolSet
from router.types import TraceEvent

DEFAULT_PRICE = "gpt-4o"
"""What the tokens of a model without a bill are priced as."""


@dataclass(frozen=True)
class RunOrder:
    """What ``python -m baselines run`` was asked for; see its ``--help``."""

    paths: tuple[str, ...]
    lm: str
    input: Path
    out: Path
    limit: int | None = None
    repeat: int = 1
    sequential: bool = False
    concurrent: bool = False
    branches: bool = False
    judge: str | None = None
    timeout: float = 180.0
    router: Path | None = None
    tools: Path | None = None
    knowledge: Path | None = None
    online: bool = False
    priced_as: str | None = None
    cached_prices: bool = False


@dataclass
class Setting:
    """The rooms that a run needs, put together once."""

    lm: Any
    local: bool
    paths: Mapping[str, Any]
    meta: Mapping[str, Any] = field(default_factory=dict)


def run_command(order: RunOrder) -> int:
    """Run, show, and print the summary; 0 when all was run, 130 after Ctrl-C (what was finished is kept)."""
    tools = _tools(order)
    read = read_questions(order.input, tuple(tools))
    for problem in read.problems:
        print(f"{order.input.name} {problem} It is left out.", file=sys.stderr)
    for note in read.notes:
        print(f"{order.input.name} {note}", file=sys.stderr)
    questions = read.questions[: order.limit]
    if not questions:
        raise ValueError(f"{order.input} holds no question that can be run. See the lines above.")
    setting = assemble(order, tools)
    config = RunConfig(order.paths, order.out, order.repeat, order.branches, _judge(order.judge), setting.meta)
    sequential = order.sequential or (setting.local and not order.concurrent)
    race = partial(race_paths, setting, sequential, order.timeout, config.stop)
    stopped = _work(questions, race, config)
    rows, _ = read_rows(order.out)
    _show(_asked(rows, questions, order), pricing(rows, order.priced_as, order.cached_prices))
    return 130 if stopped else 0


def assemble(order: RunOrder, tools: Mapping[str, Any]) -> Setting:
    """Model, router and paths, with the branches of the router where they are wanted."""
    from baselines.race import build_paths
    from router.lms import capabilities, make_lm
    from router.network import DEFAULT_ROUTER, Router
    from router.plans import warm

    directory = order.router or DEFAULT_ROUTER
    router = Router.from_pretrained(directory)
    warm(router, tools)
    names = (*order.paths, *(("router/abstained", "router/routed") if order.branches else ()))
    lm = make_lm(order.lm)
    meta = provenance(
        lm=order.lm,
        router=_digest(directory),
        threshold=router.threshold,
        tools=sorted(tools),
        online=order.online,
        seed=StatisticsConfig.seed,
        prices={"table": f"litellm {version('litellm')}", "read": date.today().isoformat()},
    )
    return Setting(lm, capabilities(lm).local, build_paths(names, tools, router), meta)


def race_paths(
    setting: Setting, sequential: bool, timeout_s: float, stop: threading.Event, question: str, names: Sequence[str]
) -> Iterator[TraceEvent]:
    """One question down some of the paths: ``runs.Race`` once the first four are given."""
    from baselines.race import RaceConfig, race

    chosen = {name: setting.paths[name] for name in names}
    return race(question, setting.lm, chosen, RaceConfig(sequential=sequential, timeout_s=timeout_s, stop=stop))


def pricing(rows: Sequence[Row], priced_as: str | None, cached: bool) -> StatisticsConfig:
    """How rows are priced: as ``priced_as``, else by the model's own bill, else (it has none) as DEFAULT_PRICE."""
    from router.lms import price

    if priced_as is None and any(row.result.usage.cost_usd is not None for row in rows):
        return StatisticsConfig()
    model = priced_as or DEFAULT_PRICE
    label = model + (", cached-input prices" if cached else "")
    return StatisticsConfig(price=lambda usage: price(usage, model, cached), priced_as=label)


def table(summary: Mapping[str, Mapping[str, Any]]) -> str:
    """The summary as text, one path a line."""
    head = (
        "path",
        "runs",
        "errors",
        "calls",
        "in",
        "out",
        "cost $",
        "p50 s",
        "p95 s",
        "first s",
        "tool",
        "result",
        "answer",
        "$ / right",
    )
    lines = [head]
    for path, s in summary.items():
        lines.append(
            (
                path,
                *(f"{s[k]:,}" for k in ("runs", "errors", "calls", "input_tokens", "output_tokens")),
                _number(s["cost_usd"], ".4f"),
                _number(s["seconds"]["p50"], ".2f"),
                _number(s["seconds"]["p95"], ".2f"),
                _number(s["first_token"]["p50"], ".2f"),
                *(_number(s[f"{k}_accuracy"], ".0%") for k in ("tool", "result", "answer")),
                _number(s["cost_per_right_answer"], ".6f"),
            )
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))) for line in lines
    )


def _tools(order: RunOrder) -> ToolSet:
    from router.builtin import ToolConfig, default_tools

    if order.tools is None:
        return default_tools(ToolConfig(knowledge=order.knowledge, online=order.online))
    if order.knowledge or order.online:
        raise ValueError("--knowledge and --online are for the tools that ship. Leave them out beside --tools.")
    return ToolSet.read(order.tools)


def _work(questions: Sequence[Question], race: Any, config: RunConfig) -> bool:
    """Run what is missing under a progress bar; whether Ctrl-C ended it."""
    with tqdm(total=remaining(questions, config), unit="run", file=sys.stderr, dynamic_ncols=True) as bar:
        try:
            for row in run(questions, race, config):
                bar.set_postfix_str(row.path, refresh=False)
                bar.update("/" not in row.path)
        except KeyboardInterrupt:
            config.stop.set()
            bar.write(
                f"Stopped. What was finished is in {config.out}; the same command goes on from there.", file=sys.stderr
            )
            return True
    return False


def _show(rows: Sequence[Row], config: StatisticsConfig) -> None:
    from baselines.evaluate.wording import comparison_sentences

    summary = summarise(rows, config)
    print(table(summary))
    print("\n".join(comparison_sentences(summary)))
    print(json.dumps(summary, ensure_ascii=False))


def _asked(rows: Sequence[Row], questions: Sequence[Question], order: RunOrder) -> list[Row]:
    """Of what the file holds, what this command asked for."""
    texts = {question.text for question in questions}
    return [row for row in rows if row.question.text in texts and row.path in order.paths and row.repeat < order.repeat]


def _judge(spec: str | None) -> Any:
    if spec is None:
        return None
    from baselines.evaluate.judge import make_judge
    from router.lms import make_lm

    return make_judge(make_lm(spec), spec)


def _digest(directory: Path) -> str:
    """A short name of a router's files, so that rows of two routers are not taken for one's."""
    digest = hashlib.sha256()
    for file in sorted(p for p in directory.iterdir() if p.is_file()):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
