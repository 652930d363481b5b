"""The README's result tables, made from the rows that are committed. A test runs the check, which fails on drift.

Leaves out measuring: ``run`` and ``bench`` write ``assets/results``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.evaluate.growth import cells, prompts_table, ratios, read_growth
from baselines.evaluate.router_tables import (
    calls_table,
    handover_table,
    peers_table,
    rewards_table,
    schemas_table,
    serving_table,
)
from baselines.evaluate.runs import Row, read_rows
from baselines.evaluate.statistics import StatisticsConfig, summarise
from baselines.evaluate.wording import NAMES, comparison_sentences
from router.lms import price
from router.lms.model_file import ADAPTER

RESULTS = Path(__file__).resolve().parents[2] / "assets" / "results"
PRICED_AS = "gpt-4o"
_MARKED = re.compile(r"(<!-- results:(?P<name>[\w-]+) -->\n)(?P<text>.*?)(\n?<!-- /results -->)", re.DOTALL)


def tables(folder: Path = RESULTS) -> dict[str, str]:
    """Every table whose rows are there, and that of the prompts: name → Markdown."""
    made = {"prompts": prompts_table()}
    for name, (file, make) in _TABLES.items():
        if (folder / file).is_file():
            made[name] = make(folder / file)
    return made


def check(readme: Path) -> int:
    """0 where every marked table of ``readme`` is what the rows say; else says which is not, and 1."""
    made = tables()
    marked = {m["name"]: m["text"].strip() for m in _MARKED.finditer(readme.read_text(encoding="utf-8"))}
    differ = [name for name, text in marked.items() if made.get(name, "").strip() != text or name not in made]
    for name in differ:
        why = "differs from the rows" if name in made else f"has no rows in {RESULTS.name}"
        remedy = f"Run: python -m baselines tables --write {readme.name}"
        print(f"{readme.name}: the table {name} {why}. {remedy}", file=sys.stderr)
    print(json.dumps({"tables": list(marked), "differ": len(differ)}))
    return 1 if differ else 0


def write(readme: Path) -> int:
    """Put every table between its markers in ``readme``."""
    made = tables()
    text = readme.read_text(encoding="utf-8")
    new = _MARKED.sub(lambda m: m[1] + made.get(m["name"], m["text"]).strip() + "\n<!-- /results -->", text)
    readme.write_text(new, encoding="utf-8")
    print(json.dumps({"written": [m["name"] for m in _MARKED.finditer(new) if m["name"] in made]}))
    return 0


def race_table(path: Path) -> str:
    """The paths on a question set: what they cost and how often they were right, and the comparisons in words."""
    rows, _ = read_rows(path)
    summary = summarise(rows, _priced())
    lines = _head(
        "path|LLM calls a question:|tokens a question:|cost of 1,000 questions:|half within:|95 % within:|right tool:|"
        "right result:|right answer:|errors:"
    )
    for name, s in summary.items():
        tokens = f"{s['tokens_per_question']:,.0f} {_range(s['intervals']['tokens_per_question'], ',.0f')}"
        shares = (_share(s, f"{key}_accuracy") for key in ("tool", "result", "answer"))
        time = (f"{s['seconds'][quantile]:.1f} s" for quantile in ("p50", "p95"))
        cost = _dollars(s["cost_usd_per_question"])
        lines.append(
            _line(NAMES.get(name, name), f"{s['calls_per_question']:.2f}", tokens, cost, *time, *shares, s["errors"])
        )
    said = "\n".join(f"- {sentence}" for sentence in comparison_sentences(summary))
    return "\n".join([*lines, "", said, "", _ratios_of(summary), "", _source(rows, path)])


def base_table(path: Path) -> str:
    """The paths with the embedded model's adapter and without it, on the same questions."""
    rows, _ = read_rows(path)
    ours, _ = read_rows(path.with_name("race_embedded.jsonl"))
    found = {"adapter": summarise(ours, _priced()), "base": summarise(rows, _priced())}
    lines = _head("path|embedded model|tokens a question:|half within:|right tool:|right result:|right answer:|errors:")
    for name in found["adapter"]:
        for told, summary in found.items():
            s = summary[name]
            tokens, half = f"{s['tokens_per_question']:,.0f}", f"{s['seconds']['p50']:.1f} s"
            shares = (_share(s, f"{key}_accuracy") for key in ("tool", "result", "answer"))
            lines.append(_line(NAMES.get(name, name), told, tokens, half, *shares, s["errors"]))
    note = "Without its adapter the model gets worked examples and chooses tools by likelihood, the best that we found for it. "
    return "\n".join([*lines, "", note + _source(rows, path)])


def adapter_table(path: Path) -> str:
    """What the adapter's record says: its training, and held-out figures by prompt."""
    record = json.loads(path.read_text(encoding="utf-8"))
    lines = _head("prompt|asked:|right in all:|of which")
    for role, found in record["held_out"]["roles"].items():
        claims = [f"{claim} {share:.0%}" for claim, share in found.items() if claim not in ("asked", "right")]
        lines.append(_line(role, found["asked"], f"{found['right']:.0%}", ", ".join(claims)))
    training, teacher, unseen = record["training"], *(record["held_out"][n] for n in ("teacher", "teacher_unseen"))
    note = (
        f"{training['steps']:,} steps over {record['data']['traces_seen']:,} traces, {record['seconds'] / 60:.0f} minutes on "
        f"{training['processes']} cores, {record['adapter_bytes'] / 1e6:.1f} MB. Templates of these questions were kept from "
        f"training; replies are greedy and bound to no grammar. On {teacher['phrases']} fresh phrases the teacher's verdict "
        f"(nothing but small talk, or more than that) has a precision of {teacher['precision']:.2f} at a recall of "
        f"{teacher['recall']:.2f}; on {unseen['phrases']} more, written when the data was finished, of "
        f"{unseen['precision']:.2f} at {unseen['recall']:.2f}."
    )
    return "\n".join([*lines, "", note])


def growth_table(path: Path) -> str:
    """Tokens a question over tools needed and on offer, with calls, the largest context and whether all tools ran."""
    rows, meta = read_growth(path)
    found = {(c["needed"], c["registry"], c["path"]): c for c in cells(rows, PRICED_AS)}
    sizes = sorted({size for _, size, _ in found})
    shown = [s for s in sizes if s in (10, 50, 200)] or sizes
    offers = "|".join(f"tokens, {s} tools on offer:" for s in shown)
    lines = _head(
        f"tools needed:|path|LLM calls:|{offers}|context of one call, {shown[-1]}:|ran just the tools needed:"
    )
    for needed in sorted({needed for needed, _, _ in found}):
        for name in dict.fromkeys(p for _, _, p in found):
            last = found[needed, shown[-1], name]
            tokens = (f"{found[needed, s, name]['tokens']:,.0f}" for s in shown)
            calls = f"{found[needed, shown[0], name]['calls']:.1f}"
            context, right = f"{last['context']:,.0f}", f"{last['right_tools']:.0%}"
            lines.append(_line(needed, NAMES.get(name, name), calls, *tokens, context, right))
    note = (
        f"The real paths with a model that never errs, {meta.get('date', '')[:10]}, commit {meta.get('commit')}: "
        f"calls, tokens (o200k) and context are measured, over {_questions(rows)}. Of those that need several tools, half "
        "join requests or nest facts, and half are word problems."
    )
    return "\n".join([*lines, "", note])


def claim_table(path: Path) -> str:
    """ "At least three times cheaper": the other paths' sums over the router's, with intervals."""
    rows, _ = read_growth(path)
    shown = [c for c in ratios(rows, PRICED_AS) if c["registry"] in (10, 50)]
    served = {(c["needed"], c["registry"]): c["right_tools"] for c in cells(rows, PRICED_AS) if c["path"] == "router"}
    lines = _head(
        "tools needed:|on offer:|router against|calls:|tokens:|cost:|cost, cached input:|three times cheaper?"
    )
    for c in shown:
        low, high = (c.get("cost") or {}).get("interval") or (0.0, 0.0)
        verdict = "yes" if low >= 3 else "no" if high < 3 else "not certain"
        if (share := served[c["needed"], c["registry"]]) < 1:
            verdict += f", but the router ran the tools needed on {share:.0%} only"
        values = (_ratio(c.get(key)) for key in ("calls", "tokens", "cost", "cost_cached"))
        lines.append(_line(c["needed"], c["registry"], NAMES[c["against"]], *values, verdict))
    note = (
        f"Ratios of sums, 95 % bootstrap intervals over {_questions(rows)}; costs computed from {PRICED_AS}'s list prices, "
        "with a model that never errs. A question that the router hands over costs what tool calling costs: there the "
        "claim fails."
    )
    return "\n".join([*lines, "", note])


def _questions(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many questions a number of tools has: ``5 to 10 questions for each number of tools``."""
    by_needed: dict[int, set[str]] = {}
    for row in rows:
        by_needed.setdefault(row["needed"], set()).add(row["question"])
    sizes = sorted({len(questions) for questions in by_needed.values()})
    return f"{' to '.join(map(str, {sizes[0]: 0, sizes[-1]: 0}))} questions for each number of tools"


def day_table(path: Path) -> str:
    """Self-delegation over the scripted day."""
    day = json.loads(path.read_text(encoding="utf-8"))
    meta, spent, saved = day["meta"], day["tokens_sent"], day["tokens_saved"]
    lines = _head(
        "messages:|answered in the browser:|sent to the model:|LLM calls:|tokens used:|tokens saved:|"
        "lessons accepted:|refused:"
    )
    browser = f"{day['in_browser']} ({day['share']:.0%})"
    share = f"{saved:,} ({saved / max(1, spent + saved):.0%})"
    lessons = (day["lessons_accepted"], day["lessons_refused"])
    lines.append(_line(day["messages"], browser, day["sent"], day["calls_sent"], f"{spent:,}", share, *lessons))
    note = (
        f"A scripted day ([{meta['script']}]({meta['script']})), not a recorded one, with {meta['lm']} on "
        f"{meta['date'][:10]}. Saved: for each phrase answered in the browser, the tokens of the call that "
        "had taught it."
    )
    return "\n".join([*lines, "", note])


def rules_table(path: Path) -> str:
    """The gatekeeper's rule beside the one it replaces: hits on variants of taught phrases, false answers on traps."""
    found = json.loads(path.read_text(encoding="utf-8"))
    lines = ["| rule | hits | with the reply that was taught | false answers |", "|---|---:|---:|---:|"]
    for row in found["rows"]:
        lines.append(
            f"| {row['rule']} | {row['hits']} of {row['variants']} | {row['hits_with_the_taught_reply']} "
            f"| {row['false_answers']} of {row['traps']} |"
        )
    note = (
        f"{found['taught']} phrases taught; both sets of phrases were written beside the rule, so they guard it and do not "
        "estimate it. `node tests/gatekeeper/compare.mjs --write` makes the rows."
    )
    return "\n".join([*lines, "", note])


def speed_table(path: Path) -> str:
    """The embedded model's time to first token and tokens a second, by role and threads."""
    document = json.loads(path.read_text(encoding="utf-8"))
    lines = _head(
        "prompt|its tokens:|threads:|first token, prefix cached:|first token, cold:|prompt tokens a second:|"
        "reply tokens a second:"
    )
    for row in document["rows"]:
        role = row["role"] + (" (after a result)" if row["turns"] > 1 and row["role"] == "call" else "")
        times = (f"{row[key]:.2f} s" for key in ("first_token_warm_s", "first_token_cold_s"))
        lines.append(_line(role, row["input_tokens"], row["threads"], *times, row["prompt_per_s"], row["reply_per_s"]))
    meta = document["meta"]
    note = (
        f"Medians over three questions, {meta['date'][:10]}, {meta['machine']['processor']} with {meta['machine']['cores']} "
        "cores; tokens are the model's own. `python -m baselines bench --speed` makes the rows."
    )
    return "\n".join([*lines, "", note])


def visitors_table(path: Path) -> str:
    """Many visitors on one page at once, and the server's memory."""
    found = json.loads(path.read_text(encoding="utf-8"))
    lines = _head(
        "visitors at once:|answered:|turned away:|wrong or another's:|all answered within:|first word of the page, half "
        "within:|deepest place in the line:|a place is free after Stop:|after a closed tab:|memory, before → after:"
    )
    memory = found["memory_mb"]
    first = found["first_message_s"]
    lines.append(
        _line(
            found["visitors"],
            found["answered"],
            found["visitors"] - found["answered"],
            found["wrong_or_mixed_up"],
            f"{found['seconds']:.0f} s",
            f"{first['median']:.1f} s",
            found["deepest_place"],
            f"{found['stopped_place_free_s']:.1f} s",
            f"{found['closed_place_free_s']:.1f} s",
            f"{memory[0][1]:.0f} → {memory[-1][1]:.0f} MB",
        )
    )
    meta = found["meta"]
    paths = " and ".join(found["config"]["paths"])
    note = (
        f"Path {paths} with {meta['lm']}, which answers one after another; each question from a page of its own, memory from the "
        f"first to the last of {memory[-1][0]:,} questions. {meta['date'][:10]}, {meta['machine']['processor']} with "
        f"{meta['machine']['cores']} cores, other work on the machine. "
        "`python -m baselines bench --visitors 100` makes the rows."
    )
    return "\n".join([*lines, "", note])


_TABLES: Mapping[str, tuple[str | Path, Callable[[Path], str]]] = {
    "race": ("race_embedded.jsonl", race_table),
    "base": ("race_embedded_base.jsonl", base_table),
    "adapter": (ADAPTER.with_suffix(".json"), adapter_table),
    "growth": ("growth.jsonl", growth_table),
    "claim": ("growth.jsonl", claim_table),
    "day": ("delegation_day.json", day_table),
    "rules": ("gatekeeper_rules.json", rules_table),
    "peers": ("router_bench.jsonl", peers_table),
    "calls": ("call_bench.jsonl", calls_table),
    "rewards": ("router_rewards.jsonl", rewards_table),
    "schemas": ("schemas_bench.jsonl", schemas_table),
    "serving": ("serving.json", serving_table),
    "handover": ("handover.jsonl", handover_table),
    "speed": ("speed.json", speed_table),
    "visitors": ("visitors.json", visitors_table),
}


def _priced() -> StatisticsConfig:
    return StatisticsConfig(price=lambda usage: price(usage, PRICED_AS, cached=False), priced_as=PRICED_AS)


def _ratios_of(summary: Mapping[str, Mapping[str, Any]]) -> str:
    lines = _head("router against|calls:|tokens:|cost:|time:|right answers:")
    for other, versus in summary.get("router", {}).get("versus", {}).items():
        values = (_ratio(versus["ratios"].get(key)) for key in ("calls", "tokens", "cost", "seconds"))
        gap = versus["differences"].get("answer_accuracy")
        low, high = (gap or {}).get("interval") or (0.0, 0.0)
        points = f"{gap['value'] * 100:+.0f} points ({low * 100:+.0f} to {high * 100:+.0f})" if gap else "–"
        lines.append(_line(NAMES.get(other, other), *values, points))
    return "\n".join(lines)


def _source(rows: Sequence[Row], path: Path) -> str:
    meta = next((row.meta for row in rows if row.meta), {})
    machine = meta.get("machine") or {}
    number = len({row.case for row in rows})
    return (
        f"{number} questions, model {meta.get('lm')}, commit {meta.get('commit')}, {str(meta.get('date', ''))[:10]}, "
        f"{machine.get('processor')} with {machine.get('cores')} cores; tokens counted with o200k_base and priced as "
        f"{PRICED_AS}, full input prices; in brackets 95 % bootstrap intervals. "
        f"Rows: [{path.name}](assets/results/{path.name})."
    )


def _head(columns: str) -> list[str]:
    """Head and rule of a table from ``name|name:``; a colon sets a column to the right."""
    names = columns.split("|")
    rule = ("---:" if name.endswith(":") else "---" for name in names)
    return [_line(*(name.removesuffix(":") for name in names)), f"|{'|'.join(rule)}|"]


def _line(*values: Any) -> str:
    return f"| {' | '.join(map(str, values))} |"


def _share(summary: Mapping[str, Any], key: str) -> str:
    value, interval = summary[key], summary["intervals"][key]
    return "–" if value is None else f"{value:.0%} {_range(interval, '.0%')}"


def _range(interval: tuple[float, float] | None, form: str) -> str:
    return f"({interval[0]:{form}}–{interval[1]:{form}})" if interval else ""


def _ratio(found: Mapping[str, Any] | None) -> str:
    if not found or found["value"] is None:
        return "–"
    return f"{found['value']:.1f}× {_range(found['interval'], '.1f')}".strip()


def _dollars(cost: float | None) -> str:
    return "no known price" if cost is None else f"${1000 * cost:.2f}"
