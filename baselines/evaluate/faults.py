"""A model server that fails at every tenth call, and a run of questions against it: what is lost, twice, or not
counted?

The server speaks OpenAI's chat format on loopback, streamed or not, and answers by a Course. Its faults are those of
real providers: 429, 500, silence, a body that is no JSON, a dropped connection; slow replies besides. Leaves out
quality.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tqdm import tqdm

from baselines.evaluate.questions import Question
from baselines.evaluate.runs import RunConfig, read_rows, run
from baselines.evaluate.scripted import Course, CourseStep, Said, next_reply
from router.types import TraceEvent

PATHS = ("llm_chain", "tool_calling", "router")
FAULTS = ("429", "500", "silence", "malformed", "dropped")
MODEL = "openai/gpt-4o-mini"
"""What the run believes it talks to: a model with tools, signatures and a known price."""


@dataclass(frozen=True)
class FaultConfig:
    """``share`` of the calls fails, each kind equally often; ``slow`` of the others take ``delay_s``. ``silence_s``:
    how long a silent connection stays open."""

    share: float = 0.10
    slow: float = 0.05
    delay_s: float = 0.2
    silence_s: float = 4.0
    seed: int = 0


@dataclass
class Served:
    """What the server did, by kind."""

    requests: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


def product(question: str) -> Course:
    """The course of ``What is 17 * 23?``: one call of the calculator."""
    a, b = map(int, re.findall(r"\d+", question)[:2])
    step = CourseStep("calculator", f"{a} * {b}", {"expression": f"{a} * {b}"})
    return Course(question, (step,), f"{a} * {b} is {a * b}.")


def products(number: int, seed: int = 0) -> list[Question]:
    """``number`` different questions of that kind."""
    pairs = [(a, b) for a in range(11, 100) for b in range(a, 100)]
    if number > len(pairs):
        raise ValueError(f"{number:,} different questions cannot be made; there are {len(pairs):,}. Give fewer.")
    pairs = random.Random(seed).sample(pairs, number)
    return [Question(f"What is {a} * {b}?", ("calculator",), (str(a * b),), "calculator") for a, b in pairs]


@contextmanager
def faulty_server(config: FaultConfig = FaultConfig()) -> Iterator[tuple[str, Served]]:
    """A server on a free loopback port: its base address and what it did so far."""
    served, generator, lock = Served(), random.Random(config.seed), threading.Lock()

    def choose() -> str:
        with lock:
            served.requests += 1
            draw = generator.random()
            kind = FAULTS[int(draw / config.share * len(FAULTS))] if draw < config.share else "answer"
            if kind == "answer" and generator.random() < config.slow:
                kind = "slow"
            served.kinds[kind] += 1
            return kind

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                _answer(self, asked, choose(), config)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="faulty-server", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", served
    finally:
        server.shutdown()
        server.server_close()


def stress(number: int, out: Path, race: Any, progress: Any = iter) -> dict[str, Any]:
    """Run ``number`` questions into ``out``, interrupted by Ctrl-C half-way in the middle of a question, then resumed.

    ``race``: as for ``runs.run``. Returns what a sceptic wants to know: see ``faults_command``.
    """
    questions = products(number)
    config = RunConfig(PATHS, out)
    memory: list[float] = []
    lost = Counter()

    def interrupted(question: str, names: Sequence[str]) -> Iterator[TraceEvent]:
        for event in race(question, names):
            if question == questions[number // 2].text and event.kind == "lm" and event.data["phase"] == "end":
                lost["calls"] += 1  # of a path that makes no row
                raise KeyboardInterrupt
            yield event

    started = time.perf_counter()
    for attempt in (interrupted, race):
        try:
            for row in progress(run(questions, attempt, config)):
                if row.path == PATHS[-1]:
                    memory.append(resident_mb())
        except KeyboardInterrupt:
            lost["interrupts"] += 1
    rows, problems = read_rows(out)
    keys = Counter(row.key for row in rows)
    wanted = {(path, q.text, 0, 0) for q in questions for path in PATHS}
    fifth = max(1, len(memory) // 5)
    return {
        "questions": number,
        "rows": len(rows),
        "missing": len(wanted - set(keys)),
        "twice": sum(n - 1 for n in keys.values()),
        "unreadable": len(problems),
        "neither_answer_nor_error": sum((r.result.answer is None) == (r.result.error is None) for r in rows),
        "answered": sum(r.result.answer is not None for r in rows),
        "errors": dict(Counter(r.result.error for r in rows if r.result.error)),
        "calls": sum(r.result.usage.calls for r in rows),
        "retried_calls": sum(bool(c["error"]) for r in rows for c in r.lm_calls),
        "unpriced": sum(r.result.usage.calls > 0 and r.result.usage.cost_usd is None for r in rows),
        "interrupts": lost["interrupts"],
        "memory_mb": {"after_a_fifth": memory[fifth - 1], "at_the_end": memory[-1], "most": max(memory)},
        "seconds": round(time.perf_counter() - started, 1),
    }


def faults_command(out: Path | None, number: int) -> int:
    """The stress run as a benchmark: a table of what happened, then one JSON document."""
    from baselines.evaluate.command import Setting, race_paths
    from baselines.race import build_paths
    from router.builtin import default_tools
    from router.lms import make_lm
    from router.network import DEFAULT_ROUTER, Router

    with faulty_server() as (address, served), tempfile.TemporaryDirectory() as folder:
        os.environ["OPENAI_BASE_URL"] = os.environ["OPENAI_API_BASE"] = address
        lm = make_lm(MODEL, "not-a-key")
        tools = default_tools()
        setting = Setting(lm, False, build_paths(PATHS, tools, Router.from_pretrained(DEFAULT_ROUTER)))
        race = partial(race_paths, setting, False, 3.0, threading.Event())
        bar = partial(tqdm, total=number * len(PATHS), unit="run", file=sys.stderr)
        found = stress(number, out or Path(folder) / "stress.jsonl", race, bar)
    found |= {"requests": served.requests, "served": dict(served.kinds), "share_failed": round(_failed(served), 4)}
    for name, value in found.items():
        print(f"{name:<26}{value}")
    print(json.dumps(found))
    return 0 if not (found["missing"] or found["twice"] or found["neither_answer_nor_error"]) else 1


def resident_mb(process: int | str = "self") -> float:
    """Memory of ``process`` that is in RAM now, in MB; 0 where the system does not say."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        return 0.0
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def _failed(served: Served) -> float:
    return sum(served.kinds[kind] for kind in FAULTS) / max(1, served.requests)


def _answer(handler: BaseHTTPRequestHandler, asked: dict[str, Any], kind: str, config: FaultConfig) -> None:
    if kind == "dropped":
        handler.close_connection = True
        handler.connection.close()
    elif kind == "silence":
        time.sleep(config.silence_s)
        handler.close_connection = True
    elif kind in ("429", "500"):
        _send(handler, int(kind), json.dumps({"error": {"message": f"injected {kind}"}}), {"Retry-After": "0"})
    elif kind == "malformed":
        _send(handler, 200, '{"choices": [{"mess')
    else:
        if kind == "slow":
            time.sleep(config.delay_s)
        said = next_reply(product, *_read(asked))
        _send(handler, 200, *(_stream(said, asked) if asked.get("stream") else (json.dumps(_whole(said, asked)),)))


def _read(asked: dict[str, Any]) -> tuple[list[tuple[str, str]], int, bool]:
    messages = asked["messages"]
    spoken = [(m["role"], _text(m.get("content"))) for m in messages if m["role"] not in ("system", "developer")]
    return spoken, sum(m["role"] == "tool" for m in messages), bool(asked.get("tools"))


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""


def _message(said: Said) -> dict[str, Any]:
    if said.call is None:
        return {"role": "assistant", "content": said.text}
    function = {"name": said.call.tool, "arguments": json.dumps(dict(said.call.arguments))}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}],
    }


def _usage(said: Said, asked: dict[str, Any]) -> dict[str, int]:
    read, written = len(json.dumps(asked["messages"])) // 4, len(said.text) // 4 + 1
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _whole(said: Said, asked: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "message": _message(said), "finish_reason": "tool_calls" if said.call else "stop"}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [choice],
        "usage": _usage(said, asked),
    }


def _stream(said: Said, asked: dict[str, Any]) -> tuple[str, dict[str, str]]:
    head = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": asked["model"]}
    end = "tool_calls" if said.call else "stop"
    chunks = [
        head | {"choices": [{"index": 0, "delta": _message(said), "finish_reason": None}]},
        head | {"choices": [{"index": 0, "delta": {}, "finish_reason": end}]},
        head | {"choices": [], "usage": _usage(said, asked)},
    ]
    text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return text, {"Content-Type": "text/event-stream"}


def _send(handler: BaseHTTPRequestHandler, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    body = text.encode()
    handler.send_response(status)
    for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
