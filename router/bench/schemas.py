"""``python -m router bench --schemas``: a tool chosen from schemas alone, beside BM25 and MiniLM.

On BFCL (Patil et al. 2025, "The Berkeley Function Calling Leaderboard", Apache-2.0): the right tool among those on
offer, and how well the best score tells questions that a tool serves from those that none does. On CLINC150: intents by
their names, with 0, 1, 5 and 10 examples each. Weights and thresholds were chosen on the crafted parts of BFCL; its
live parts and CLINC150's test rows are only reported. Leaves out arguments, several turns and several calls.
"""

from __future__ import annotations

import importlib.util
import json
import random
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from router.bench.measures import latency, machine, say, table_of
from router.network.artifact import Calibration
from router.network.calibration import (
    UNKNOWN,
    AbstentionTarget,
    auroc,
    choose_threshold,
    fit_confidence,
    fit_temperature,
)
from router.network.zero_shot import Bm25, FewShotRouter, SchemaRouter, different_words, schema_words
from router.tools import Tool, sentence
from router.types import Example

COLUMNS = (
    "model", "multiple", "live_multiple", "irrelevance_auroc", "irrelevance_at_95", "live_irrelevance_auroc",
    "live_irrelevance_at_95", "clinc_0", "clinc_1", "clinc_5", "clinc_10", "p50_us", "p99_us",
)  # fmt: skip
SHOTS = (1, 5, 10)
MANY = 50
"""Tools of the set on which the time is taken, and among which the threshold is chosen."""
TARGET = AbstentionTarget("error", 0.1)
GET_BFCL = "Run `pip install --no-deps bfcl-eval==2026.3.23` (only its data files are read), or give --bfcl FOLDER."


class Scores(Protocol):
    """A way to score tools for a question."""

    def scores(self, question: str) -> np.ndarray: ...


@dataclass(frozen=True)
class Row:
    """A question of BFCL, the tools on offer, and the numbers of those that serve it: none where none does."""

    question: str
    tools: tuple[Tool, ...]
    right: frozenset[int]


def run_schemas(args: Namespace) -> int:
    """Run the benchmark. Returns the exit code: 0, or 2 where the data cannot be read."""
    unknown = [name for name in args.peers if name not in PEERS]
    if unknown:
        print(f"Unknown peers {unknown}. Known: {', '.join(PEERS)}.", file=sys.stderr)
        return 2
    try:
        folder = Path(args.bfcl) if args.bfcl else _bfcl_folder()
        data = {name: read_bfcl(folder, name) for name in PARTS}
        clinc = json.loads(Path(args.clinc).read_text(encoding="utf-8")) if args.clinc else None
    except (OSError, ValueError, KeyError, ImportError) as fault:
        print(sentence(fault) if isinstance(fault, OSError) else str(fault), file=sys.stderr)
        return 2
    rows = run(data, clinc, args.peers, args.seeds)
    print(table_of(COLUMNS, rows))
    document = {"date": date.today().isoformat(), "machine": machine()}
    document |= {"calibration": calibrate(data).__dict__, "rows": rows}
    if args.out:
        about = {key: document[key] for key in ("date", "machine")}
        with open(args.out, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(about | row) + "\n" for row in rows)
    print(json.dumps(document))
    return 0


def run(
    data: Mapping[str, Sequence[Row]], clinc: Mapping[str, Any] | None, peers: Sequence[str], seeds: int
) -> list[dict[str, Any]]:
    """One row a model; its figures with examples are means over ``seeds`` draws of them."""
    rows, timed = [], {}
    questions = [row.question for row in data["multiple"]]
    for name in (*peers, "switchyard"):
        say(f"measuring {name}")
        try:
            model = PEERS[name]()
        except ImportError as fault:
            say(f"{name} is left out: {fault}")
            continue
        asked = [row.question for part in data.values() for row in part]
        model.read(asked + [question for question, _ in (clinc or {"test": ()})["test"]])
        rows.append({"model": name, **on_bfcl(model, data), **(on_clinc(model, clinc, seeds) if clinc else {})})
        model.forget()
        timed[name] = model.zero_shot(_pool(data)[:MANY]).scores
    speed = latency(timed, questions)
    return [row | speed[row["model"]] for row in rows]


# ---------------------------------------------------------------- models


class Model(Protocol):
    """A way to choose among tools: by their schemas alone, or with examples. ``read`` may look at texts beforehand,
    which a model that embeds in batches does faster, and ``forget`` drops what it kept, so that times are those of new
    texts.
    """

    def read(self, texts: Iterable[str]) -> None: ...

    def forget(self) -> None: ...

    def zero_shot(self, tools: Sequence[Tool]) -> Scores: ...

    def few_shot(self, tools: Sequence[Tool], examples: Sequence[Example]) -> Scores: ...


class _KeepsNothing:
    def read(self, texts: Iterable[str]) -> None:
        """Every text is read when it is asked."""

    def forget(self) -> None:
        """There is nothing to drop."""


class Ours(_KeepsNothing):
    """``router.network.zero_shot``."""

    def zero_shot(self, tools: Sequence[Tool]) -> SchemaRouter:
        return SchemaRouter(_numbered(tools))

    def few_shot(self, tools: Sequence[Tool], examples: Sequence[Example]) -> FewShotRouter:
        router = SchemaRouter({tool.name: tool for tool in tools})
        return FewShotRouter(router.labels, router.scores, examples)


class Words(_KeepsNothing):
    """BM25 over all words of a schema; examples are words of their tool's."""

    def zero_shot(self, tools: Sequence[Tool]) -> Scores:
        return self.few_shot(tools, ())

    def few_shot(self, tools: Sequence[Tool], examples: Sequence[Example]) -> Scores:
        said: dict[str, list[str]] = {}
        for example in examples:
            said.setdefault(example.tool, []).extend(different_words(example.question))
        index = Bm25([schema_words(tool) + said.get(tool.name, []) for tool in tools])
        return _Scorer(lambda question: index.scores(different_words(question)))


class MiniLMPeer:
    """Cosines of MiniLM's frozen sentence vectors of a question and a tool's name, description and slots; with examples
    the head that ours has, on its vectors."""

    def __init__(self) -> None:
        from router.network.minilm import MiniLM

        self._model = MiniLM(1)
        self._read: dict[str, np.ndarray] = {}

    def read(self, texts: Iterable[str]) -> None:
        new = sorted({*texts} - self._read.keys(), key=len)
        for start in range(0, len(new), 512):
            self._read |= zip(new[start : start + 512], self._model.embed(new[start : start + 512]))

    def zero_shot(self, tools: Sequence[Tool]) -> Scores:
        self.read(map(_told, tools))
        vectors = np.stack([self._read[_told(tool)] for tool in tools])
        return _Scorer(lambda question: vectors @ self._embed(question))

    def few_shot(self, tools: Sequence[Tool], examples: Sequence[Example]) -> Scores:
        self.read([*map(_told, tools), *(example.question for example in examples)])
        vectors = np.stack([self._read[_told(tool)] for tool in tools])
        labels = [tool.name for tool in tools]
        return FewShotRouter(labels, lambda q: PRIOR * (vectors @ self._embed(q)), examples, self._embed)

    def forget(self) -> None:
        self._read.clear()

    def _embed(self, text: str) -> np.ndarray:
        found = self._read.get(text)
        return self._model.embed([text])[0] if found is None else found


PRIOR = 4.0
"""Weight of MiniLM's cosines beside a head on its vectors."""


@dataclass(frozen=True)
class _Scorer:
    scores: Callable[[str], np.ndarray]


PEERS: dict[str, Callable[[], Model]] = {"bm25": Words, "minilm": MiniLMPeer, "switchyard": Ours}


# ---------------------------------------------------------------- BFCL

PARTS = ("simple_python", "multiple", "irrelevance", "live_simple", "live_multiple", "live_irrelevance")
_TYPES = {
    "dict": "object", "HashMap": "object", "float": "number", "double": "number", "tuple": "array", "list": "array",
    "ArrayList": "array", "Array": "array", "String": "string", "str": "string", "char": "string", "int": "integer",
    "long": "integer", "bool": "boolean", "Boolean": "boolean",
}  # fmt: skip
_JSON_TYPES = ("object", "array", "string", "number", "integer", "boolean")


def _bfcl_folder() -> Path:
    spec = importlib.util.find_spec("bfcl_eval")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"BFCL is not installed. {GET_BFCL}")
    return Path(spec.submodule_search_locations[0]) / "data"


def read_bfcl(folder: Path, part: str) -> list[Row]:
    """The questions of one part of BFCL; those that offer no tool are left out.

    Raises OSError, and KeyError or ValueError where a file has another form.
    """
    file = f"BFCL_v4_{part}.json"
    answers = {}
    if "irrelevance" not in part:
        answers = {row["id"]: row["ground_truth"] for row in _jsonl(folder / "possible_answer" / file)}
    found = []
    for row in _jsonl(folder / file):
        names = [function["name"] for function in row["function"]]
        right = frozenset(names.index(name) for call in answers.get(row["id"], ()) for name in call)
        if names:
            tools = tuple(map(_tool, row["function"]))
            said = [message["content"] for message in row["question"][0] if message["role"] == "user"]
            found.append(Row("\n".join(said), tools, right))
    return found


def _tool(function: Mapping[str, Any]) -> Tool:
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", function["name"])[:128]
    return Tool(name, function["description"].strip() or name, _schema(function.get("parameters") or {}))


def _schema(schema: Any) -> Any:
    """A schema of BFCL, which names types as programming languages do, as a JSON schema: its words and structure."""
    if not isinstance(schema, Mapping):
        return {}
    kind = schema.get("type")
    kind = _TYPES.get(kind, kind) if isinstance(kind, str) else None
    out: dict[str, Any] = {"type": kind} if kind in _JSON_TYPES else {}
    if isinstance(schema.get("properties"), Mapping):
        out["properties"] = {name: _schema(part) for name, part in schema["properties"].items()}
    if "items" in schema:
        out["items"] = _schema(schema["items"])
    for key, wanted in (("description", str), ("enum", list), ("required", list)):
        if isinstance(schema.get(key), wanted) and schema[key]:
            out[key] = schema[key]
    return out


def _jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def on_bfcl(model: Model, data: Mapping[str, Sequence[Row]]) -> dict[str, float]:
    """Tool accuracy, and how irrelevant questions are told by the best score, crafted and live."""
    scores = {part: [model.zero_shot(row.tools).scores(row.question) for row in rows] for part, rows in data.items()}
    best = {part: np.array([float(found.max()) for found in rows]) for part, rows in scores.items()}
    out: dict[str, float] = {}
    for live in ("", "live_"):
        served = np.r_[best["live_simple" if live else "simple_python"], best[f"{live}multiple"]]
        none = best[f"{live}irrelevance"]
        hits = [int(s.argmax()) in row.right for s, row in zip(scores[f"{live}multiple"], data[f"{live}multiple"])]
        out[f"{live}multiple"] = float(np.mean(hits))
        out[f"{live}irrelevance_auroc"] = auroc(served, none)
        out[f"{live}irrelevance_at_95"] = float((none < np.quantile(served, 0.05)).mean())
    if isinstance(model, Ours):
        out |= _narrowed(data, ("live_multiple", "live_simple", "live_irrelevance"))
    return out


def _narrowed(data: Mapping[str, Sequence[Row]], parts: Sequence[str]) -> dict[str, float]:
    """The share of questions that are narrowed to one schema at the shipped threshold, by part, and how many of those
    that a tool serves are so rightly; and how often the right tool is among the five that are handed over otherwise."""
    sure, right, listed = {}, [], []
    for part in parts:
        found = [(row, SchemaRouter(_numbered(row.tools)).decide(row.question)) for row in data[part]]
        sure[f"narrowed_{part}"] = float(np.mean([not decision.abstained for _, decision in found]))
        served = [(row, int(decision.tool.split(" ")[0]), decision) for row, decision in found if row.right]
        right += [number in row.right for row, number, decision in served if not decision.abstained]
        for row, _, decision in served:
            order = sorted(decision.probabilities, key=decision.probabilities.__getitem__, reverse=True)[:5]
            listed.append(any(int(name.split(" ")[0]) in row.right for name in order))
    return sure | {"narrowed_right": float(np.mean(right)), "among_five": float(np.mean(listed))}


def calibrate(data: Mapping[str, Sequence[Row]]) -> Calibration:
    """The calibration that ``zero_shot.CALIBRATION`` records, from the crafted parts of BFCL: one tool, some, and MANY,
    as they are and without the tool that serves."""
    pool, rng = _pool(data), random.Random(0)
    among = [_among(row, rng.sample(pool, min(MANY, len(pool)))) for row in data["multiple"]]
    without = [row for row in map(_without, (*data["multiple"], *among)) if row.tools]
    rows = [*data["simple_python"], *data["multiple"], *among, *data["irrelevance"], *without]
    scores = [SchemaRouter(_numbered(row.tools)).scores(row.question) for row in rows]
    table = np.full((len(rows), max(map(len, scores))), -1e4)
    labels = np.full(len(rows), UNKNOWN)
    for i, (row, found) in enumerate(zip(rows, scores)):
        table[i, : len(found)] = found
        if row.right:
            best = int(found.argmax())
            labels[i] = best if best in row.right else min(row.right)
    temperature = fit_temperature(table, labels)
    logits = table / temperature
    fitted = Calibration(temperature, fit_confidence(logits, labels))
    right = logits.argmax(1) == labels
    threshold = choose_threshold(fitted.scores(logits), right, labels != UNKNOWN, TARGET)
    chosen_on = {"target": str(TARGET), "rows": len(rows)}
    return Calibration(temperature, fitted.confidence, threshold, chosen_on=chosen_on)


def _among(row: Row, others: Sequence[Tool]) -> Row:
    names = {tool.name for tool in row.tools}
    more = [tool for tool in others if tool.name not in names]
    return Row(row.question, (*row.tools, *more)[:MANY], row.right)


def _without(row: Row) -> Row:
    return Row(row.question, tuple(t for i, t in enumerate(row.tools) if i not in row.right), frozenset())


def _pool(data: Mapping[str, Sequence[Row]]) -> list[Tool]:
    """The different tools of the crafted parts."""
    return list({t.name: t for part in ("multiple", "simple_python") for row in data[part] for t in row.tools}.values())


def _numbered(tools: Sequence[Tool]) -> dict[str, Tool]:
    """Tools by names that differ: BFCL offers some twice."""
    return {f"{i} {tool.name}": tool for i, tool in enumerate(tools)}


def _told(tool: Tool) -> str:
    """A tool as a text for an encoder."""
    slots = "; ".join(f"{name}: {slot.schema.get('description', '')}" for name, slot in tool.slots.items())
    return f"{tool.name}: {tool.description} {slots}"


# ---------------------------------------------------------------- CLINC150


def on_clinc(model: Model, clinc: Mapping[str, Any], seeds: int) -> dict[str, float]:
    """Accuracy on the test rows, intents by their names alone and with examples of the training rows."""
    labels = sorted({label for _, label in clinc["train"]})
    tools = [Tool(label, label.replace("_", " "), True) for label in labels]
    by_label: dict[str, list[Example]] = {}
    for question, label in clinc["train"]:
        by_label.setdefault(label, []).append(Example(question, label))

    def accuracy(scorer: Scores) -> float:
        return float(np.mean([labels[int(scorer.scores(q).argmax())] == label for q, label in clinc["test"]]))

    out = {"clinc_0": accuracy(model.zero_shot(tools))}
    for shots in SHOTS:
        drawn = [
            [e for label in labels for e in random.Random(f"{seed} {label}").sample(by_label[label], shots)]
            for seed in range(seeds)
        ]
        out[f"clinc_{shots}"] = float(np.mean([accuracy(model.few_shot(tools, examples)) for examples in drawn]))
    return out
