"""Self-delegation over a scripted day: a plain list of messages that one person might send, answered by the page's own
gatekeeper (in Node.js) where it was taught to, else by the router path with a real model, whose lessons teach it.

Leaves out realism beyond the script: nobody's day was recorded, and the share of messages that are small talk is the
script's. What is measured is what the gatekeeper and the model make of it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tqdm import tqdm

from baselines.evaluate.provenance import provenance
from router.trace import fold
from router.types import TraceEvent, Usage, to_json

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "assets" / "day.jsonl"
BRIDGE = Path(__file__).with_name("gatekeeper.mjs")
DATE = datetime(2026, 3, 4, tzinfo=timezone.utc)

Gate = Callable[..., dict[str, Any]]
"""``gate(op, at, **data)``: one request to the gatekeeper."""


@dataclass(frozen=True)
class Message:
    """What the person typed, and when (``HH:MM``)."""

    at: str
    text: str

    @property
    def milliseconds(self) -> int:
        hours, minutes = map(int, self.at.split(":"))
        return int(DATE.timestamp() * 1000) + (hours * 60 + minutes) * 60_000


def read_day(path: Path = SCRIPT) -> list[Message]:
    """The messages of a JSONL file. Raises OSError, ValueError."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Message(**json.loads(line)) for line in lines if line.strip()]


@contextmanager
def gatekeeper() -> Iterator[Gate]:
    """The gatekeeper of ``assets/gatekeeper.js`` in a Node.js process. Raises ValueError where Node.js is missing."""
    node = shutil.which("node")
    if node is None:
        raise ValueError(
            "Node.js is missing; the day runs the page's own gatekeeper in it. Install Node.js 20 or newer."
        )
    process = subprocess.Popen(
        [node, str(BRIDGE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stdin and process.stdout

    def ask(op: str, at: int, **data: Any) -> dict[str, Any]:
        process.stdin.write(json.dumps({"op": op, "at": at, **data}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise ValueError(f"The gatekeeper ended (status {process.wait()}) at {op} of {data.get('text')!r}.")
        return json.loads(line)

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def simulate(
    messages: list[Message],
    race: Callable[[str, str | None], Iterator[TraceEvent]],
    price: Callable[[Usage], float | None],
) -> dict[str, Any]:
    """The day: ``race(text, previous turn)`` gives the events of the router path for what the gatekeeper does not
    answer.

    Returns ``turns`` (one a message: who answered, reply, tokens, lesson) and sums: messages, in_browser, share, sent,
    tokens_sent (o200k, what the model used), tokens_saved (of each phrase answered in the browser, what its teaching
    call used: what the model would have used again), cost_usd_sent, cost_usd_saved, lessons accepted and refused.
    """
    turns: list[dict[str, Any]] = []
    taught: dict[str, Usage] = {}
    spent, saved = Usage(), Usage()
    costs: dict[str, float | None] = {"sent": 0.0, "saved": 0.0}
    previous: str | None = None
    with gatekeeper() as gate:
        for message in tqdm(messages, unit="message", file=sys.stderr):
            found = gate("ask", message.milliseconds, text=message.text, previousTurn=previous)
            turn: dict[str, Any] = {"at": message.at, "text": message.text, "in_browser": bool(found["hit"])}
            if found["hit"]:
                usage = taught[found["rule"]["phrase"]]
                saved += usage
                costs["saved"] = _plus(costs["saved"], price(usage))
                turn |= {"reply": found["reply"], "tokens_saved": usage.o200k_input + usage.o200k_output}
            else:
                usage, more = _sent(message, previous, race, gate, taught)
                spent += usage
                costs["sent"] = _plus(costs["sent"], price(usage) if usage.calls else 0.0)
                turn |= more | {"miss": found["reason"]}
            previous = turn["reply"] or previous
            turns.append(turn)
        stats = gate("stats", messages[-1].milliseconds)
    browser = sum(turn["in_browser"] for turn in turns)
    lessons = [turn["lesson"] for turn in turns if turn.get("lesson")]
    return {
        "messages": len(turns),
        "in_browser": browser,
        "share": browser / len(turns),
        "sent": len(turns) - browser,
        "calls_sent": spent.calls,
        "tokens_sent": spent.o200k_input + spent.o200k_output,
        "tokens_saved": saved.o200k_input + saved.o200k_output,
        "cost_usd_sent": costs["sent"],
        "cost_usd_saved": costs["saved"],
        "lessons_accepted": sum(lesson["accepted"] for lesson in lessons),
        "lessons_refused": sum(not lesson["accepted"] for lesson in lessons),
        "gatekeeper": {key: stats[key] for key in ("hits", "misses", "rules", "refused")},
        "turns": turns,
    }


def day_command(out: Path | None, spec: str, model: str) -> int:
    """Simulate the day with a real model and router; the document goes to ``out``, its sums to standard output."""
    from baselines.race import RaceConfig, build_paths, race
    from router.builtin import default_tools
    from router.lms import make_lm, price
    from router.network import DEFAULT_ROUTER, Router

    router = Router.from_pretrained(DEFAULT_ROUTER)
    lm, paths = make_lm(spec), build_paths(["router"], default_tools(), router)

    def send(text: str, previous: str | None) -> Iterator[TraceEvent]:
        return race(text, lm, paths, RaceConfig(previous_turn=previous))

    found = simulate(read_day(), send, lambda usage: price(usage, model, cached=False))
    meta = provenance(lm=spec, threshold=router.threshold, script=str(SCRIPT.relative_to(ROOT)), priced_as=model)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"meta": meta} | found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sums = {key: value for key, value in found.items() if key != "turns"}
    for key, value in sums.items():
        print(f"{key:<18}{value}")
    print(json.dumps(sums))
    return 0


def _sent(
    message: Message,
    previous: str | None,
    race: Callable[[str, str | None], Iterator[TraceEvent]],
    gate: Gate,
    taught: dict[str, Usage],
) -> tuple[Usage, Mapping[str, Any]]:
    """What the router path said, and what of it the gatekeeper learned."""
    events = list(race(message.text, previous))
    result = fold(events)
    lesson = events[-1].data.get("lesson")
    turn: dict[str, Any] = {
        "reply": result.answer,
        "error": result.error,
        "tool": result.decision.tool if result.decision else None,
        "usage": to_json(result.usage),
    }
    if lesson:
        learned = gate("lesson", message.milliseconds, text=message.text, previousTurn=previous, lesson=lesson)
        if learned["accepted"]:
            taught[learned["rule"]["phrase"]] = result.usage
        turn["lesson"] = {"accepted": bool(learned["accepted"]), "reason": learned["reason"]}
    return result.usage, turn


def _plus(total: float | None, more: float | None) -> float | None:
    return None if total is None or more is None else total + more
