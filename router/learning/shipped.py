"""The router that ships: how it is trained, and what it is measured on.

Leaves out the learning itself (``training.py``) and the questions (``data.py``). ``python -m router train`` runs
``train``, ``python -m router check`` runs the rest.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from router.builtin.readers import readers_of
from router.builtin.slots import fill
from router.builtin.values import value_of
from router.learning import synthetic
from router.learning.data import split, synthetic_examples
from router.learning.training import Progress, TrainingConfig, fit_supervised, having_seen, nobody
from router.network import Router
from router.network.calibration import AbstentionTarget, wilson
from router.network.module import NetworkConfig
from router.plans import plan
from router.tools import Tool
from router.types import NONE, SMALLTALK, Example, Question, Step, ToolResult

PER_LABEL = 1_500
SHARES = {NONE: 3, SMALLTALK: 2}
"""These labels have as many questions as this many tools: the world outside and its languages are the wider ones."""
PHRASES = 5_000
"""Phrases of small talk, as good as all that its templates give: each language has a few."""
COVERAGE = 0.96
"""Share of validation questions (of unseen templates) that the threshold lets through."""


def examples(seed: int = 0, per_label: int = PER_LABEL) -> list[Example]:
    """The shipped router's examples: ``per_label`` a label, and as many times that as SHARES says."""
    return synthetic_examples(seed, per_label) + [
        e
        for label, share in SHARES.items()
        for part in range(1, share)
        for e in synthetic.generate(label, per_label, seed + 1_000 * part)
    ]


def said_words(tools: Mapping[str, Tool]) -> dict[str, dict[str, list[str]]]:
    """What ``builtin/said.json`` holds: for each of ``tools`` with a required enum, and each kind of its calls (the value
    of the enum and the names of the other slots), the words of the templates that give such a call, besides their fillers;
    under "" those of the templates whose call is not known."""
    found: dict[str, dict[str, set[str]]] = {}
    for label, tool in tools.items():
        asks = next((name for name, slot in tool.slots.items() if slot.required and "enum" in slot.schema), None)
        for template in synthetic.templates(label) if asks else ():
            arguments = template.arguments or {}
            slots = sorted(slot.rstrip("?") for slot in arguments if slot != asks)
            words = re.findall(r"[^\W\d_]+", re.sub(r"\{[^}]*\}", " ", template.pattern.lower()))
            kind = " ".join((arguments.get(asks, ""), *slots))
            found.setdefault(label, {}).setdefault(kind, set()).update(words)
    return {label: {kind: sorted(words) for kind, words in kinds.items()} for label, kinds in found.items()}


def train(
    seed: int = 0, epochs: int = 8, on_progress: Callable[[Progress], None] = nobody, talk: Iterable[str] = ()
) -> Router:
    """A router like the one that ships, calibrated on templates that it did not learn from. ``talk``: more phrases of small
    talk, whose words it is to know where it decides them right."""
    training, validation = split(examples(seed), seed)
    config = TrainingConfig(
        network=NetworkConfig(dropout=0.4, word_dropout=0.2),
        epochs=epochs,
        seed=seed,
        target=AbstentionTarget("coverage", COVERAGE),
    )
    router = fit_supervised(training, config, on_progress, validation)
    phrases = synthetic.generate(SMALLTALK, PHRASES, seed, noise=0.0)
    return having_seen(router, [*phrases, *(Example(phrase, SMALLTALK) for phrase in talk)])


def check_questions(router: Router, questions: Iterable[Example]) -> dict[str, Any]:
    """Tool accuracy and abstentions on labelled questions, with the confusions as counts.

    ``accuracy`` counts an abstention with the right label as right; ``accuracy_kept`` looks at what was not
    abstained.
    """
    rows = [(e.tool, router.decide(e.question)) for e in questions]
    right = sum(d.tool == tool for tool, d in rows)
    kept = [(tool, d) for tool, d in rows if not d.abstained]
    return {
        "questions": len(rows),
        "accuracy": right / max(1, len(rows)),
        "accuracy_interval": list(wilson(right, len(rows))),
        "abstained": (len(rows) - len(kept)) / max(1, len(rows)),
        "accuracy_kept": sum(d.tool == tool for tool, d in kept) / max(1, len(kept)),
        "confusions": {
            f"{a} as {b}": n for (a, b), n in Counter((t, d.tool) for t, d in rows if d.tool != t).most_common()
        },
    }


def clinc_labels() -> Mapping[str, Any]:
    """The published mapping of CLINC150 intents to labels: {"labels": {intent: [label, ...]}, "left_out": [...]}."""
    return json.loads(resources.files("router.learning.synthetic").joinpath("clinc_labels.json").read_text("utf-8"))


def check_clinc(router: Router, path: str | Path) -> dict[str, Any]:
    """Accuracy on the validation sentences of CLINC150 (data_full.json) under ``clinc_labels``.

    Plainly mapped intents: the label is one of the mapping's. All other intents and the out-of-scope sentences: the
    label is ``none``, or the router abstains. Raises ValueError where the file is no CLINC150 document.
    """
    try:
        document = json.loads(Path(path).read_text("utf-8"))
        validation, outside = document["val"], [*document["oos_val"], *document["oos_train"]]
    except (json.JSONDecodeError, KeyError, TypeError) as fault:
        raise ValueError(f"{path} is no CLINC150 document ({fault!r}). Give its data_full.json.") from fault
    mapping = clinc_labels()
    plain, other = Counter(), Counter()
    intents: dict[str, Counter] = {}
    for sentence, intent in validation:
        if intent in mapping["left_out"]:
            continue
        decision = router.decide(sentence)
        wanted = mapping["labels"].get(intent)
        counts = plain if wanted else other
        counts["n"] += 1
        counts["abstained"] += decision.abstained
        counts["right"] += decision.tool in (wanted or (NONE,))
        counts["declined"] += decision.abstained or decision.tool == NONE
        if wanted:
            intents.setdefault(intent, Counter())[decision.tool] += 1
    declined = [d.abstained or d.tool == NONE for d in router.decide_batch([sentence for sentence, _ in outside])]
    return {
        "plain": {
            "sentences": plain["n"],
            "accuracy": plain["right"] / plain["n"],
            "accuracy_interval": list(wilson(plain["right"], plain["n"])),
            "abstained": plain["abstained"] / plain["n"],
            "intents": {intent: dict(counts.most_common(3)) for intent, counts in intents.items()},
        },
        "other_intents": {
            "sentences": other["n"],
            "none": other["right"] / other["n"],
            "none_or_abstained": other["declined"] / other["n"],
        },
        "out_of_scope": {"sentences": len(declined), "none_or_abstained": sum(declined) / len(declined)},
    }


def check_latency(router: Router, tools: Mapping[str, Tool], questions: list[str]) -> dict[str, float]:
    """Milliseconds from string to decision, to filled arguments and to a whole plan, warm, one by one."""
    decided, filled, planned, readers = [], [], [], readers_of(router)
    for timed in (False, True):
        for text in questions:
            question, started = Question(text), time.perf_counter()
            decision = router.decide(text)
            middle = time.perf_counter()
            if decision.tool in tools:
                fill(question, tools[decision.tool], readers)
            ended = time.perf_counter()
            plan(text, router, tools)
            whole = time.perf_counter() - ended
            if timed:
                decided.append(1e3 * (middle - started))
                filled.append(1e3 * (ended - started))
                planned.append(1e3 * whole)

    def at(times: list[float], share: float) -> float:
        return sorted(times)[min(len(times) - 1, int(share * len(times)))] if times else 0.0

    return {
        "decide_ms_p50": at(decided, 0.5),
        "decide_ms_p99": at(decided, 0.99),
        "decide_and_arguments_ms_p50": at(filled, 0.5),
        "decide_and_arguments_ms_p99": at(filled, 0.99),
        "plan_ms_p50": at(planned, 0.5),
        "plan_ms_p95": at(planned, 0.95),
    }


def check_chains(router: Router, tools: Mapping[str, Tool], path: str | Path) -> dict[str, Any]:
    """Questions of two and three tools, resolved without an LM: the share whose last result holds the answer.

    Rows are ``{"question", "tools": [...], "answer"}``; an answer that depends on the day is null, then the tools must
    be right. ``wrong`` lists the questions that failed.
    """
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines() if line.strip()]
    right, same_tools, abstained, wrong = 0, 0, 0, []
    for row in rows:
        found = plan(row["question"], router, tools)
        steps = found.steps if found.outcome == "call" else ()
        used = [step.call.tool for step in steps]
        last = value_of(_result(steps[-1], tools).output or "") if steps else ""
        tools_fit = sorted(used) == sorted(row["tools"])
        ok = tools_fit if row["answer"] is None else _holds(last, str(row["answer"]))
        right, same_tools, abstained = right + ok, same_tools + tools_fit, abstained + found.abstained
        if not ok:
            wrong.append({"question": row["question"], "tools": used, "result": last, "abstained": found.abstained})
    return {
        "questions": len(rows),
        "right": right / max(1, len(rows)),
        "right_interval": list(wilson(right, len(rows))),
        "same_tools": same_tools / max(1, len(rows)),
        "abstained": abstained / max(1, len(rows)),
        "wrong": wrong,
    }


def _result(step: Step, tools: Mapping[str, Tool]) -> ToolResult:
    return step.result or tools[step.call.tool].call(step.call.arguments)


def _holds(result: str, answer: str) -> bool:
    """Whether ``result`` gives ``answer``: the same number to one part in a thousand, or the same words."""
    number, wanted = _number(result), _number(answer)
    if number is not None and wanted is not None:
        return abs(number - wanted) <= 1e-3 * abs(wanted)
    return answer.casefold() in result.casefold()


def _number(text: str) -> float | None:
    try:
        return float(text.split()[0].replace(",", "")) if text.split() else None
    except ValueError:
        return None
