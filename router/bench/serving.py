"""``python -m router bench --serve --calls LOG.jsonl``: what the endpoint adds to an upstream's time, under load.

An upstream that answers after UPSTREAM_S, the endpoint in shadow and the endpoint live are a process each, on loopback;
one client asks each of the three at the same rate, in turns, with questions of the log that the router was not trained on.
Requests go out when they are due, whether earlier ones are answered or not. Live, the router acts on every whole call that
it reads, sure or not: the time of an answer is measured, not whether it is right. Leaves out the hand-over's journal.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import socket
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from router.bench.measures import machine, say, table_of
from router.calls.tagger import CallModel, load_router, save_router
from router.learning.data import read_examples
from router.learning.log_tools import described
from router.learning.tagging import fit_calls
from router.plans import plan
from router.types import Example

UPSTREAM_S = 0.05
HELD_OUT = 500
ACTS_FROM = 0.0
"""The confidence from which the live endpoint acts."""
TURNS = 4
"""Turns of each way; the first warms up and does not count."""
BY = {"live; confidence": "live: made here", "partial": "live: one tool"}
"""Who wrote a reply, by how our header begins; else it was passed on."""
COLUMNS = (
    "way",
    "requests",
    "lost",
    "mixed_up",
    "p50_ms",
    "p99_ms",
    "added_p50_ms",
    "added_p99_ms",
    "rss_from_mb",
    "rss_mb",
)


def run_serving(log: str, rows: int | None, rate: int, seconds: float) -> int:
    """Print the table, then the JSON document. Returns the exit code. Raises OSError, ValueError."""
    examples, _ = read_examples(log)
    random.Random(0).shuffle(examples)
    held_out, training = examples[:HELD_OUT], examples[HELD_OUT : HELD_OUT + (rows or 1_000)]
    say(f"training on {len(training)} rows")
    model = fit_calls(training)
    model = CallModel(model.router, replace(model.parts, tools=tuple(described(training).as_json())))
    with TemporaryDirectory() as folder:
        save_router(model, Path(folder))
        found = asyncio.run(_measure(folder, model, held_out, rate, seconds))
    print(table_of(COLUMNS, found))
    about = {"date": date.today().isoformat(), "machine": machine(), "rate": rate, "upstream_ms": 1e3 * UPSTREAM_S}
    print(json.dumps(about | {"train_rows": len(training), "rows": found}))
    return 0


async def _measure(
    folder: str, model: CallModel, asked: Sequence[Example], rate: int, seconds: float
) -> list[dict[str, Any]]:
    ports = {way: _free_port() for way in ("direct", "shadow", "live")}
    started = multiprocessing.get_context("spawn")
    processes = {"direct": started.Process(target=_upstream, args=(ports["direct"],), daemon=True)}
    for mode in ("shadow", "live"):
        arguments = (folder, mode, ports["direct"], ports[mode])
        processes[mode] = started.Process(target=_endpoint, args=arguments, daemon=True)
    for process in processes.values():
        process.start()
    times: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"lost": 0, "mixed_up": 0})
    before: dict[str, float | None] = {}
    try:
        requests = [(_body(example.question, model), _calls(example.question, model)) for example in asked]
        for port in ports.values():
            await _answers(port)
        for turn in range(TURNS):
            for way, port in ports.items():
                say(f"turn {turn}: {way}")
                found = await _load(port, requests, rate, seconds / (TURNS - 1))
                for by, taken, fault in found if turn else ():
                    written = by or ("live: passed on" if way == "live" else way)
                    times[written] += [taken]
                    if fault:
                        counts[written][fault] += 1
            if not turn:
                before = {way: _rss_mb(process.pid) for way, process in processes.items()}
        memory = {way: _rss_mb(process.pid) for way, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
    base = np.percentile(times["direct"], [50, 99])
    rows = []
    for way, taken in sorted(times.items(), key=lambda one: list(ports).index(one[0].split(":")[0])):
        p50, p99 = np.percentile(taken, [50, 99])
        row = {"way": way, "requests": len(taken), **counts[way], "p50_ms": 1e3 * p50, "p99_ms": 1e3 * p99}
        row |= {"added_p50_ms": 1e3 * (p50 - base[0]), "added_p99_ms": 1e3 * (p99 - base[1])}
        process = way.split(":")[0]
        rows.append(row | {"rss_from_mb": before[process], "rss_mb": memory[process]})
    return rows


async def _load(
    port: int, requests: Sequence[tuple[bytes, list[str]]], rate: int, seconds: float
) -> list[tuple[str, float, str]]:
    """Ask at ``rate`` requests a second; each is a body and what the router would call. Of each request who wrote the reply, as BY has it, the seconds that it took, and
    what went wrong: "lost", "mixed_up" or nothing."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:

        async def one(number: int) -> tuple[str, float, str]:
            headers = {"x-number": str(number), "content-type": "application/json"}
            body, calls = requests[number % len(requests)]
            begun = time.perf_counter()
            try:
                url = f"http://127.0.0.1:{port}/v1/chat/completions"
                async with session.post(url, data=body, headers=headers) as reply:
                    message = (await reply.json())["choices"][0]["message"]
            except (aiohttp.ClientError, TimeoutError, KeyError):
                return "", time.perf_counter() - begun, "lost"
            told = reply.headers.get("x-switchyard", "")
            by = next((way for start, way in BY.items() if told.startswith(start)), "")
            taken = time.perf_counter() - begun
            written = [call["function"]["arguments"] for call in message.get("tool_calls") or ()]
            expected = calls if by == "live: made here" else [json.dumps({"number": number})] if by else []
            right = written == expected and (bool(by) or message["content"] == str(number))
            return by, taken, "" if right else "mixed_up"

        tasks, begun = [], time.perf_counter()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one(number)))
        return await asyncio.gather(*tasks)


def _body(question: str, model: CallModel) -> bytes:
    tools = [
        {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": dict(t.schema)}}
        for t in model.tool_set.values()
    ]
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": question}]
    return json.dumps({"model": "scripted", "messages": messages, "tools": tools}).encode()


def _calls(question: str, model: CallModel) -> list[str]:
    """The arguments of the calls that the router makes for ``question``, as JSON."""
    steps = plan(question, model, model.tool_set, ACTS_FROM).steps
    return [json.dumps(dict(step.call.arguments), ensure_ascii=False) for step in steps]


async def _answers(port: int) -> None:
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise OSError(f"Nothing answers on port {port} of loopback after a minute.")


def _upstream(port: int) -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def answer(request: Request) -> JSONResponse:
        shown = json.loads(await request.body())["tools"]
        await asyncio.sleep(UPSTREAM_S)
        number = request.headers["x-number"]
        message: dict[str, Any] = {"role": "assistant", "content": number}
        if len(shown) == 1:  # that one tool is to be called
            function = {"name": shown[0]["function"]["name"], "arguments": json.dumps({"number": int(number)})}
            message = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse(
            {"id": "c", "object": "chat.completion", "created": 1, "model": "scripted", "choices": [choice]}
        )

    _run(Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])]), port)


def _endpoint(folder: str, mode: Any, upstream: int, port: int) -> None:
    from router.serve.deciding import RouterDecider
    from router.serve.endpoint import Endpoint, ServeConfig
    from router.serve.upstream import HttpUpstream

    forward = HttpUpstream(f"http://127.0.0.1:{upstream}/v1")
    decider = RouterDecider(load_router(Path(folder)), ACTS_FROM)
    _run(Endpoint(forward, decider, ServeConfig(mode=mode)).app, port)


def _run(app: Any, port: int) -> None:
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _rss_mb(pid: int | None) -> float | None:
    """Resident memory of a process; None where the system has no /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
