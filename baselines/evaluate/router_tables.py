"""README tables of what ``python -m router bench`` measures: the router beside its peers, schemas alone, and rewards.

Leaves out measuring; ``tables.py`` puts the tables into the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

NAMES: Mapping[str, str] = {
    "article": "article's minimal network",
    "fasttext": "fastText",
    "tfidf": "TF-IDF + logistic regression",
    "wordllama": "WordLlama mean + logistic regression",
    "minilm": "MiniLM, frozen + logistic regression",
    "minilm-finetuned": "MiniLM, fine-tuned (the teacher)",
    "switchyard": "**Switchyard**, labels only",
    "switchyard-distilled": "**Switchyard**, distilled",
    "switchyard-cascade": "**Switchyard**, distilled, with the teacher behind it",
}
CALL_NAMES: Mapping[str, str] = {
    "tfidf-lookup": "TF-IDF + logistic regression, known values looked up",
    "minilm-cache": "semantic cache: MiniLM's cosine ≥ .95",
    "minilm-joint": "MiniLM, fine-tuned for tool and tags at once",
    "switchyard": "**Switchyard**",
}
DATASETS: Mapping[str, str] = {"clinc150": "CLINC150", "banking77": "BANKING77", "snips": "SNIPS"}


def peers_table(path: Path) -> str:
    """Accuracy, calibration, rejection, speed and size of every model, by data set."""
    rows = _read(path)
    lines = [
        "| data | model | accuracy | ECE | out of scope: AUROC | found at 95 % coverage | one question, half within "
        "| 99 % within | questions a second, batch | training, CPU | size |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        spread = (row.get("spread") or {}).get("accuracy")
        cells = (
            DATASETS.get(row["dataset"], row["dataset"]),
            NAMES.get(row["model"], row["model"]),
            f"{row['accuracy']:.1%}" + (f" ± {spread * 100:.1f}" if spread is not None else ""),
            f"{row['ece']:.3f}",
            "–" if row.get("oos_auroc") is None else f"{row['oos_auroc']:.3f}",
            "–" if row.get("oos_recall_at_95") is None else f"{row['oos_recall_at_95']:.0%}",
            _micro(row["p50_us"]),
            _micro(row["p99_us"]),
            f"{row['batch_qps']:,.0f}",
            f"{row['train_cpu_s']:,.0f} s",
            f"{row['size_mb']:.1f} MB",
        )
        lines.append(f"| {' | '.join(cells)} |")
    first = rows[0]
    seeds = max((row.get("seeds") or 1) for row in rows)
    note = (
        f"{first['date']}, {first['machine']['cores']} cores, one thread a model. Ours: mean of {seeds} seeds, ± their "
        "standard deviation; latencies from string to decision, models taking turns in one run. Hyper-parameters were "
        f"chosen on validation data. Rows: [{path.name}](assets/results/{path.name})."
    )
    return "\n".join([*lines, "", *_speed_sentences(rows), "", note])


SCHEMA_NAMES: Mapping[str, str] = {"bm25": "BM25", "minilm": "MiniLM, frozen", "switchyard": "**Switchyard**"}


def schemas_table(path: Path) -> str:
    """Tools chosen from schemas alone: BFCL, and CLINC150's intents by their names and few examples."""
    rows = _read(path)
    lines = [
        "| model | right tool, crafted | live | no tool serves: AUROC, crafted | live | found at 95 % kept, crafted "
        "| live | CLINC150, 0 examples | 1 | 5 | 10 | of 50 tools, half within |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [SCHEMA_NAMES[row["model"]]]
        cells += [f"{row[f'{live}multiple']:.1%}" for live in ("", "live_")]
        cells += [f"{row[f'{live}irrelevance_auroc']:.3f}" for live in ("", "live_")]
        cells += [f"{row[f'{live}irrelevance_at_95']:.0%}" for live in ("", "live_")]
        cells += [f"{row[f'clinc_{shots}']:.1%}" for shots in (0, 1, 5, 10)]
        lines.append(f"| {' | '.join([*cells, _micro(row['p50_us'])])} |")
    ours = next(row for row in rows if row["model"] == "switchyard")
    note = (
        f"BFCL (bfcl-eval 2026.3.23) and CLINC150's test rows, {ours['date']}, {ours['machine']['cores']} cores, one "
        "thread; nothing was trained on either's tools, and weights were chosen on BFCL's crafted parts. At the "
        f"shipped threshold the router names one tool for {ours['narrowed_live_multiple']:.0%} of the live questions "
        f"with several on offer (and, wrongly, for {ours['narrowed_live_irrelevance']:.0%} of those that none serves); "
        f"of the questions that a tool serves it is then right for {ours['narrowed_right']:.1%}, and the best five "
        f"hold the right one for {ours['among_five']:.1%}. Rows: [{path.name}](assets/results/{path.name})."
    )
    return "\n".join([*lines, "", note])


def calls_table(path: Path) -> str:
    """Whole calls learned from a log: accuracy, what is acted on at the target, speed and size, by rows of the log."""
    rows = _read(path)
    lines = [
        "| rows of the log | model | tool | slots, F1 | whole call | acts on | right of these | one question, "
        "half within | 99 % within | training, CPU | size |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        spread = row["spread"]["call_exact"] if row.get("seeds", 1) > 1 else None
        cells = (
            f"{row['train_rows']:,}",
            CALL_NAMES.get(row["model"], row["model"]),
            f"{row['tool_accuracy']:.1%}",
            f"{row['slot_f1']:.1%}",
            f"{row['call_exact']:.1%}" + (f" ± {spread * 100:.1f}" if spread is not None else ""),
            f"{row['coverage']:.0%}",
            "–" if row["precision"] is None else f"{row['precision']:.1%}",
            _micro(row["p50_us"]),
            _micro(row["p99_us"]),
            f"{row['train_cpu_s']:,.0f} s",
            f"{row['size_mb']:.1f} MB",
        )
        lines.append(f"| {' | '.join(cells)} |")
    first, seeds = rows[0], {row["train_rows"]: row["seeds"] for row in rows if row["model"] == "switchyard"}
    said = ", ".join(f"{n} seed{'s' if n > 1 else ''} at {size:,} rows" for size, n in sorted(seeds.items()))
    note = (
        f"{DATASETS.get(first['dataset'], first['dataset'])}, {first['date']}, {first['machine']['cores']} cores, one "
        "thread a model, latencies from string to call, models taking turns. A call is right when the tool and every "
        "argument are. The threshold to act is chosen on validation rows, so that the lower bound of the precision "
        f"there is 97 %. Ours: {said}, ± their standard deviation. Rows: [{path.name}](assets/results/{path.name})."
    )
    return "\n".join([*lines, "", note])


def serving_table(path: Path) -> str:
    """What the endpoint adds to an upstream's time, in shadow and live."""
    document = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        "| way | requests | lost | mixed up | half within | 99 % within | beside direct: half | 99 % | memory, first and last |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in document["rows"]:
        cells = [row["way"], *(f"{row[name]:,}" for name in ("requests", "lost", "mixed_up"))]
        cells += [f"{row[name]:.1f} ms" for name in ("p50_ms", "p99_ms")]
        cells += [f"{row[name]:+.1f} ms" for name in ("added_p50_ms", "added_p99_ms")]
        cells.append(f"{row['rss_from_mb']:.0f} MB, {row['rss_mb']:.0f} MB")
        lines.append(f"| {' | '.join(cells)} |")
    note = (
        f"{document['date']}, {document['machine']['cores']} cores for upstream, endpoint and client together, "
        f"{document['rate']} requests a second against an upstream that takes {document['upstream_ms']:.0f} ms, in turns; "
        f"load average {document['machine']['load_average']:.1f}. The router was trained on {document['train_rows']:,} rows of "
        "SNIPS and made every whole call that it read, sure or not. `python -m router bench --serve --calls LOG` makes "
        f"the rows: [{path.name}](assets/results/{path.name})."
    )
    return "\n".join([*lines, "", note])


def handover_table(path: Path) -> str:
    """What a recorded log would have handed over, block by block."""
    rows = _read(path)
    lines = [
        "| learned from | the next | tool sure and proven | agreed | whole calls made | agreed | training, CPU |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [f"{row['lessons']:,} calls", f"{row['requests']:,}"]
        cells += [_share(row[f"{scope}_{what}"]) for scope in ("tool", "call") for what in ("coverage", "agreement")]
        lines.append(f"| {' | '.join(cells)} | {row['train_s']:.0f} s |")
    note = (
        f"{sum(row['requests'] for row in rows) + rows[0]['seen']:,} rows of SNIPS' training set in one seeded order, their "
        f"recorded calls standing in for an LLM's; {rows[0]['target']:.0%} agreement to be proven. `python -m router replay "
        f"LOG` makes the rows: [{path.name}](assets/results/{path.name})."
    )
    return "\n".join([*lines, "", note])


def rewards_table(path: Path) -> str:
    """Accuracy before and after learning from rewards alone, by how labels were spoiled and rewards came back."""
    rows = _read(path)
    lines = [
        "| labels spoiled (40 %) | rewards | before | after 4,000 episodes | lowest on the way | seeds |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for corruption, rewards in dict.fromkeys((row["corruption"], row["rewards"]) for row in rows):
        chosen = [row for row in rows if (row["corruption"], row["rewards"]) == (corruption, rewards)]
        after = [row["after"] for row in chosen]
        span = f" ({min(after):.1%}–{max(after):.1%})" if len(after) > 1 else ""
        shares = (f"{mean(row[key] for row in chosen):.1%}" for key in ("before", "after", "lowest"))
        before, learned, lowest = shares
        lines.append(f"| {corruption} | {rewards} | {before} | {learned}{span} | {lowest} | {len(chosen)} |")
    clean = mean(row["clean_labels"] for row in rows)
    note = (
        f"Ten synthetic labels, 600 training questions; with right labels the same network reaches {clean:.1%}. Curves of "
        f"every seed: [{path.name}](assets/results/{path.name}), made by `python -m router bench --reinforce`."
    )
    return "\n".join([*lines, "", note])


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _speed_sentences(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The router's latency beside those of the quickest peer, the best linear one and the teacher, by data set."""
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        times = {row["model"]: row["p50_us"] for row in rows if row["dataset"] == dataset}
        ours = times.get("switchyard-distilled", times.get("switchyard"))
        others = [name for name in ("fasttext", "tfidf", "minilm-finetuned") if name in times]
        if ours and others:
            said = ", ".join(f"{NAMES[name]} takes {times[name] / ours:,.1f}× as long" for name in others)
            yield f"- {DATASETS.get(dataset, dataset)}: half of the decisions within {_micro(ours)}; {said}."


def _micro(microseconds: float) -> str:
    return f"{microseconds:.0f} µs" if microseconds < 1_000 else f"{microseconds / 1_000:.1f} ms"


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
