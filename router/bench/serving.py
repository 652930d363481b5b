"""``python -m router bench --serve --calls LOG.jsonl``: what the endpoint adds to an upstream's time, under load.

An upstream that answers after UPSTREAM_S, the endpoint in shadow and the endpoint live are a process each, on loopback;
one client asks each of the three at the same rate, in turns, with questions of the log that the router was not trained on.
Requests go out when they are due, whether earlier ones are answered or not. Leaves out the hand-over's journal.
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
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from router.bench.measures import machine, say, table_of
from router.calls.tagger import CallModel, load_router, save_router
from router.learning.data import read_examples
from router.learning.tagging import fit_calls
from router.types import Example

UPSTREAM_S = 0.05
HELD_OUT = 500
TURNS = 4
"""Turns of each way; the first warms up and does not count."""
COLUMNS = (
    "way",
    "requests",
    "lost",
    "mixed_up",
    "by_router",
    "p50_ms",
    "p99_ms",
    "added_p50_ms",
    "added_p99_ms",
    "rss_mb",
)


def run_serving(log: str, rows: int | None, rate: int, seconds: float) -> int:
    """Print the table, then the JSON document. Returns the exit code. Raises OSError, ValueError."""
    examples, _ = read_examples(log)
    random.Random(0).shuffle(examples)
    held_out, training = examples[:HELD_OUT], examples[HELD_OUT : HELD_OUT + (rows or 1_000)]
    say(f"training on {len(training)} rows")
    model = fit_calls(training)
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
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("lost", "mixed_up", "by_router"), 0))
    try:
        bodies = [_body(example.question, model) for example in asked]
        for port in ports.values():
            await _answers(port)
        for turn in range(TURNS):
            for way, port in ports.items():
                say(f"turn {turn}: {way}")
                kept = times[way] if turn else []
                await _load(port, bodies, rate, seconds / (TURNS - 1), kept, counts[way] if turn else defaultdict(int))
        memory = {way: _rss_mb(process.pid) for way, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
    base = np.percentile(times["direct"], [50, 99])
    rows = []
    for way, taken in times.items():
        p50, p99 = np.percentile(taken, [50, 99])
        row = {
            "way": way,
            "requests": len(taken) + counts[way]["lost"],
            **counts[way],
            "p50_ms": 1e3 * p50,
            "p99_ms": 1e3 * p99,
        }
        row |= {"added_p50_ms": 1e3 * (p50 - base[0]), "added_p99_ms": 1e3 * (p99 - base[1]), "rss_mb": memory[way]}
        rows.append(row)
    return rows


async def _load(
    port: int, bodies: Sequence[bytes], rate: int, seconds: float, times: list[float], counts: dict[str, int]
) -> None:
    """Ask at ``rate`` requests a second; ``times`` takes the seconds of each, ``counts`` what went wrong."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:

        async def one(number: int) -> None:
            headers = {"x-number": str(number), "content-type": "application/json"}
            begun = time.perf_counter()
            try:
                url = f"http://127.0.0.1:{port}/v1/chat/completions"
                async with session.post(url, data=bodies[number % len(bodies)], headers=headers) as reply:
                    document = await reply.json()
            except (aiohttp.ClientError, TimeoutError):
                counts["lost"] += 1
                return
            times.append(time.perf_counter() - begun)
            own = reply.headers.get("x-switchyard", "").startswith("live; confidence")
            counts["by_router"] += own
            counts["mixed_up"] += not own and document["choices"][0]["message"]["content"] != str(number)

        tasks, begun = [], time.perf_counter()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one(number)))
        await asyncio.gather(*tasks)


def _body(question: str, model: CallModel) -> bytes:
    tools = [
        {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": dict(t.schema)}}
        for t in model.tool_set.values()
    ]
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": question}]
    return json.dumps({"model": "scripted", "messages": messages, "tools": tools}).encode()


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
        await request.body()
        await asyncio.sleep(UPSTREAM_S)
        message = {"role": "assistant", "content": request.headers["x-number"]}
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
    _run(Endpoint(forward, RouterDecider(load_router(Path(folder))), ServeConfig(mode=mode)).app, port)


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
