"""Many visitors on one page at once: does each get the answer to the own question, or a place in the line, and does the
server's memory stay where it was?

The page is launched as its owner would, in a process of its own, and spoken to as browsers do: an event joins Gradio's
queue, its messages come as a stream. Leaves out what a browser draws, and the quality of answers.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from baselines.evaluate.faults import products, resident_mb

ROOT = Path(__file__).resolve().parents[2]
PLACE = re.compile(r"(One|[\d,]+) questions? (?:is|are) before yours")
AT_ONCE = 8
"""Visitors who ask in turns while the memory is watched."""
LEAVERS = 5
"""Visitors who stop, and as many who close their tab, while they wait."""


@dataclass(frozen=True)
class Asked:
    """One visitor's question. ``right``: the router's result is the product that was asked for and the message names no
    other visitor's question; ``place``: the most questions that were said to be before it; times in seconds from
    asking."""

    question: str
    right: bool
    refused: str
    place: int
    first_s: float
    last_s: float


@dataclass(frozen=True)
class VisitorConfig:
    """``visitors`` ask at once; then ``questions`` are asked in turns for the memory. ``paths`` of the race."""

    visitors: int = 100
    questions: int = 2_000
    paths: tuple[str, ...] = ("router",)
    lm: str = "embedded"


class Page:
    """A launched page, as browsers speak to it."""

    def __init__(self, address: str, client: httpx.AsyncClient, config: VisitorConfig) -> None:
        self.address, self.client, self.config = address, client, config
        self.events: dict[str, tuple[int, int]] = {}

    async def open(self) -> None:
        """Learn from the page which event is which."""
        found = (await self.client.get(f"{self.address}config")).json()
        for event in found["dependencies"]:
            for _, name in event["targets"]:
                self.events.setdefault(name, (event["id"], len(event["inputs"])))

    async def ask(self, question: str, race: str = "", leave: asyncio.Event | None = None) -> AsyncIterator[dict]:
        """The stream's messages about one question. ``leave`` closes the connection, as a closed tab does."""
        race, session = race or uuid.uuid4().hex, uuid.uuid4().hex
        settings = {"lm": "", "paths": list(self.config.paths)}
        await self._join("send", session, {"question": question, "race": race, "settings": settings})
        query = {"session_hash": session}
        async with self.client.stream("GET", f"{self.address}gradio_api/queue/data", params=query) as stream:
            async for line in stream.aiter_lines():
                if leave is not None and leave.is_set():
                    return
                if line.startswith("data: "):
                    yield json.loads(line[6:])

    async def halt(self, race: str) -> None:
        await self._join("halt", uuid.uuid4().hex, {"race": race})

    async def _join(self, name: str, session: str, data: dict[str, Any]) -> None:
        number, inputs = self.events[name]
        body = {"data": [None] * inputs, "fn_index": number, "session_hash": session}
        body["event_data"] = data | {"visit": session}
        (await self.client.post(f"{self.address}gradio_api/queue/join", json=body)).raise_for_status()


def measure(config: VisitorConfig) -> dict[str, Any]:
    """What ``config.visitors`` met, and the memory over ``config.questions``. Takes minutes: the model answers one
    after another."""
    with launched(config.lm) as (address, process):
        return asyncio.run(_measure(config, address, process))


async def _measure(config: VisitorConfig, address: str, process: int) -> dict[str, Any]:
    number = config.visitors + config.questions + 1 + 2 * LEAVERS
    questions = iter(q.text for q in products(number))
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:
        page = Page(address, client, config)
        await page.open()
        await one(page, next(questions))  # the model is loaded, and has read what every path sends
        memory = [[1, resident_mb(process)]]
        started = time.perf_counter()
        crowd = [next(questions) for _ in range(config.visitors)]
        asked = await asyncio.gather(*(one(page, question) for question in crowd))
        seconds = time.perf_counter() - started
        memory.append([1 + len(asked), resident_mb(process)])
        left = await leavers(page, [next(questions) for _ in range(2 * LEAVERS)])
        last = list(questions)
        for begin in range(0, len(last), 200):
            part = last[begin : begin + 200]
            for turn in range(0, len(part), AT_ONCE):
                asked += await asyncio.gather(*(one(page, question) for question in part[turn : turn + AT_ONCE]))
            memory.append([1 + len(asked), resident_mb(process)])
            print(f"{len(asked):,} questions asked, {memory[-1][1]:,.0f} MB", file=sys.stderr)
    first = asked[: config.visitors]
    return {
        "config": asdict(config),
        "visitors": len(first),
        "answered": sum(one.right for one in first),
        "refused": sorted({one.refused for one in first if one.refused}),
        "wrong_or_mixed_up": sum(not (one.right or one.refused) for one in asked),
        "deepest_place": max(one.place for one in first),
        "first_message_s": {
            "median": round(median(o.first_s for o in first), 2),
            "most": round(max(o.first_s for o in first), 2),
        },
        "seconds": round(seconds, 1),
        **left,
        "memory_mb": memory,
        "questions": len(asked),
    }


async def one(page: Page, question: str) -> Asked:
    """Ask and wait for the end."""
    began, first, place, last = time.perf_counter(), 0.0, 0, {}
    async for message in page.ask(question):
        text = json.dumps(message)
        if found := PLACE.search(text):
            place = max(place, 1 if found[1] == "One" else int(found[1].replace(",", "")))
        if message["msg"] in ("process_generating", "process_completed"):
            first = first or time.perf_counter() - began
        if message["msg"] == "process_completed":
            last = message["output"]["data"][0]
            break
    refused = str(last.get("message") or "refused") if last.get("phase") != "done" else ""
    return Asked(question, not refused and _right(question, last), refused, place, first, time.perf_counter() - began)


def _right(question: str, board: dict[str, Any]) -> bool:
    """Whether the last message is about this question alone and holds its product."""
    a, b = map(int, re.findall(r"\d+", question))
    text = json.dumps(board, ensure_ascii=False)
    others = {other for other in re.findall(r"What is \d+ \* \d+\?", text) if other != question}
    return f"{a * b}" in re.sub(r"(?<=\d),(?=\d)", "", text) and not others


async def leavers(page: Page, questions: Sequence[str]) -> dict[str, Any]:
    """How long the last of a line waits until it hears that those before it have stopped, or closed their tabs."""
    gone: dict[str, Any] = {}
    for way in ("stopped", "closed"):
        crowd, questions = questions[:LEAVERS], questions[LEAVERS:]
        leave, races = asyncio.Event(), [uuid.uuid4().hex for _ in crowd]
        fillers = [asyncio.create_task(one(page, "What is 11 * 11?")) for _ in range(2 * AT_ONCE)]
        await asyncio.sleep(0.5)
        tasks = [asyncio.create_task(_until(page.ask(q, race, leave))) for q, race in zip(crowd, races)]
        await asyncio.sleep(0.5)
        watcher = page.ask("What is 12 * 12?")
        before = await _place(watcher)
        began = time.perf_counter()
        if way == "stopped":
            await asyncio.gather(*(page.halt(race) for race in races))
        else:
            leave.set()
            for task in tasks:
                task.cancel()
        while (place := await _place(watcher)) is not None and place > before - LEAVERS:
            pass
        gone[f"{way}_place_free_s"] = round(time.perf_counter() - began, 2)
        await watcher.aclose()
        await asyncio.gather(*fillers, *tasks, return_exceptions=True)
    return gone


async def _until(messages: AsyncIterator[dict]) -> None:
    async for message in messages:
        if message["msg"] == "process_completed":
            return


async def _place(messages: AsyncIterator[dict]) -> int | None:
    """The next place in the line that is told; None where the turn has come."""
    async for message in messages:
        if found := PLACE.search(json.dumps(message)):
            return 1 if found[1] == "One" else int(found[1].replace(",", ""))
        if message["msg"] == "process_completed":
            return None
    return None


@contextmanager
def launched(lm: str) -> Iterator[tuple[str, int]]:
    """The page in a process of its own: its address and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "app.py"), "--lm", lm, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT) as process:
        try:
            yield _up(f"http://127.0.0.1:{port}/", process), process.pid
        finally:
            process.terminate()


def _up(address: str, process: subprocess.Popen[bytes], patience_s: float = 120.0) -> str:
    ends = time.monotonic() + patience_s
    while time.monotonic() < ends and process.poll() is None:
        try:
            httpx.get(address)
            return address
        except httpx.HTTPError:
            time.sleep(0.2)
    raise RuntimeError(f"The page did not come up within {patience_s:g} s.")


def visitors_command(config: VisitorConfig, out: Path | None) -> int:
    """A table of what the visitors met, then one JSON document; exit status 1 where one was answered wrongly."""
    from baselines.evaluate.provenance import provenance

    found = measure(config) | {"meta": provenance(lm=config.lm)}
    for name, value in found.items():
        print(f"{name:<26}{value}")
    if out:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    return 1 if found["wrong_or_mixed_up"] else 0
