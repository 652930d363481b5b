"""Engines: how long they live, who lets go of them, and what state of the cache a path finds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import dspy
import pytest
from dspy import lm15
from scripted_lm import ScriptedEngine
from test_paths import TOOLS, FakeRouter

from baselines.race import RaceConfig, build_paths, race
from pages import frame
from router.lms import prompts, ready
from router.lms.embedded import Engines, LlamaEngine, slot_of
from router.lms.llama_server import LlamaServer
from router.trace import Cancelled, fold
from router.types import TraceEvent

ROOT = Path(__file__).parents[1]

# ---------------------------------------------------------------- the server's life


class Native:
    """xllamacpp's server as far as its life goes: ended before its loop has answered, it would wait for ever."""

    freed: list[tuple[str, bool]] = []

    def __init__(self, params: object) -> None:
        self.answered = False
        self.called, self.go_on = threading.Event(), threading.Event()

    def handle_completions(self, body: dict) -> dict:
        self.answered = True
        return {}

    def handle_chat_completions(self, body: dict, receive=None) -> dict:
        self.called.set()
        self.go_on.wait(10)
        assert receive({}) is True
        return {}

    def __del__(self) -> None:
        self.freed.append((threading.current_thread().name, self.answered))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> LlamaServer:
    monkeypatch.setitem(sys.modules, "xllamacpp", SimpleNamespace(Server=Native))
    monkeypatch.setattr(Native, "freed", [])
    server = LlamaServer(SimpleNamespace())
    yield server
    server.close()


def test_a_server_has_answered_before_it_can_be_freed_and_its_keeper_frees_it(server: LlamaServer) -> None:
    server.release()
    server.keeper.join(10)
    assert Native.freed == [("llama-keeper", True)] and server.closed


def test_a_server_outlives_the_call_in_it_which_is_told_to_stop(server: LlamaServer) -> None:
    heard, native = [], server._native

    def ask() -> None:
        with pytest.raises(Cancelled, match="closed"):
            server.chat({}, lambda piece: heard.append(piece))

    caller = threading.Thread(target=ask)
    caller.start()
    native.called.wait(10)
    server.release()
    server.keeper.join(0.2)
    assert server.keeper.is_alive() and not Native.freed
    native.go_on.set()
    del native
    caller.join(10)
    server.keeper.join(10)
    assert heard == [{}] and Native.freed == [("llama-keeper", True)]
    with pytest.raises(Cancelled, match="closed"):
        server.chat({})


# ---------------------------------------------------------------- which engines stay


class Weights:
    """An engine without weights."""

    closed = False

    def __init__(self, path: Path, adapter: Path | None) -> None:
        self.path = path


def test_an_engine_stays_when_nobody_holds_it() -> None:
    made: list[Path] = []
    engines = Engines(most=2, make=lambda path, adapter: made.append(path) or Weights(path, adapter))
    for _ in range(3):
        engines.load(Path("a.gguf"))
    engines.load(Path("a.gguf"), Path("adapter.gguf"))
    engines.load(Path("a.gguf"))
    assert made == [Path("a.gguf")] * 2  # one without the adapter, one with it


def test_the_engine_asked_for_longest_ago_makes_place() -> None:
    engines = Engines(most=2, make=Weights)
    oldest, used = engines.load(Path("a")), engines.load(Path("b"))
    assert engines.load(Path("a")) is oldest
    engines.load(Path("c"))  # b is the oldest now, but still used
    assert engines.load(Path("b")) is used
    assert sorted(path.name for path, _ in engines._kept) == ["b", "c"]


def test_a_closed_engine_is_not_given_again() -> None:
    engines = Engines(make=Weights)
    closed = engines.load(Path("a"))
    closed.closed = True
    assert engines.load(Path("a")) is not closed


def test_the_page_makes_its_own_model_ready() -> None:
    made = []
    frame.warm(SimpleNamespace(make_lm=lambda spec, key: spec, default_lm="embedded", ready=made.append))
    assert made == ["embedded"]


# ---------------------------------------------------------------- the cache before a path


class Prepared(ScriptedEngine):
    """A local model that notes what it was made ready for, and when."""

    def __init__(self, fault: Exception | None = None) -> None:
        super().__init__(local=True)
        self.fault, self.told = fault, []

    def options(self, role: str, *rest: object, **more: object) -> dict[str, str]:
        return {"role": role}

    def ready(self, requests: Sequence[lm15.Request], cancelled: threading.Event) -> None:
        self.told.append([request.config.extensions["role"] for request in requests])
        if isinstance(self.fault, Cancelled):
            cancelled.set()
        if self.fault:
            raise self.fault

    def stream(self, request: lm15.Request, cancelled: threading.Event | None = None):
        self.told.append(request.config.extensions["role"])
        self.enqueue("Well.")
        return super().stream(request, cancelled)


def run(engine: ScriptedEngine, *names: str) -> tuple[list[object], list[TraceEvent]]:
    lm = dspy.LM("local/x", engine=engine, cache=False, num_retries=0)
    events = list(race("dogs", lm, build_paths(names, TOOLS, FakeRouter("none")), RaceConfig()))
    return getattr(engine, "told", []), events


def test_a_model_is_made_ready_before_each_path_and_that_is_no_call() -> None:
    told, events = run(Prepared(), "tool_calling", "router")
    assert told == [["call"], "call", ["chat", "teach", "call", "fill"], "chat"]
    assert [fold([e for e in events if e.path == name]).usage.calls for name in ("tool_calling", "router")] == [1, 1]


def test_a_stop_while_the_model_is_made_ready_ends_the_race() -> None:
    told, events = run(Prepared(Cancelled("Stopped.")), "tool_calling", "router")
    assert told == [["call"]]
    assert [e.data["message"] for e in events if e.kind == "error"] == ["Stopped before it began."] * 2


def test_a_model_that_cannot_be_made_ready_is_asked_all_the_same() -> None:
    told, events = run(Prepared(lm15.ContextLengthError("too long")), "tool_calling")
    assert told == [["call"], "call"] and events[-1].kind == "answer"


def test_a_model_elsewhere_keeps_its_cache_itself() -> None:
    engine = ScriptedEngine()
    ready(dspy.LM("openai/x", engine=engine, cache=False), [prompts.chat(prompts.BLANK)])
    assert not engine.requests


QUESTION = "what is 17*23"
PATHS = ("llm_chain", "tool_calling", "router", "router/abstained")


def calls(lm: dspy.LM, order: Sequence[str], tool: str = "calculator") -> dict[str, list[tuple[int, int]]]:
    """Of each path, tokens asked and tokens found cached, call by call."""
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in order}
    config = RaceConfig(timeout_s=280.0)
    for event in race(QUESTION, lm, build_paths(order, TOOLS, FakeRouter(tool)), config):
        if event.kind == "lm" and event.data["phase"] == "end":
            usage = event.data["usage"]
            found[event.path].append((usage["input_tokens"], usage["cached_tokens"]))
    return found


@pytest.mark.embedded
def test_every_path_finds_its_own_beginning_and_nothing_of_the_question(embedded_lm: dspy.LM) -> None:
    races = [calls(embedded_lm, order) for order in (PATHS, PATHS, PATHS[::-1], (*PATHS[2:], *PATHS[:2]))]
    assert all(found == races[0] for found in races)  # whatever the order, and whatever ran before
    found = races[0] | {"chat": calls(embedded_lm, ("router",), tool="none")["router"]}
    assert found["router/abstained"] == found["tool_calling"]
    unread = {name: asked - cached for name, ((asked, cached), *_) in found.items()}
    assert unread["tool_calling"] == unread["chat"] < 20  # the question and the marks around it
    assert unread["chat"] < unread["llm_chain"] < 25  # it adds a word
    for name in ("llm_chain", "tool_calling"):
        (asked, _), (_, cached) = found[name][:2]
        assert cached >= asked  # what a path asked before, it need not read again


@pytest.mark.embedded
def test_a_slot_that_is_ready_is_not_read_again(embedded_lm: dspy.LM, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    engine = embedded_lm.engine
    plain = engine._chunks
    monkeypatch.setattr(engine, "_chunks", lambda body, *rest: read.append(body.get("id_slot")) or plain(body, *rest))
    beginnings = [prompts.chat(prompts.BLANK), prompts.teach(prompts.BLANK)]
    ready(embedded_lm, beginnings)
    read.clear()
    ready(embedded_lm, beginnings)
    assert not read
    embedded_lm("hello", max_tokens=1)  # names no slot: it may have gone into any
    ready(embedded_lm, beginnings)
    assert read == [None, slot_of("chat"), slot_of("teach")]


# ---------------------------------------------------------------- with real weights, in processes of their own

HELD = """
import threading, time
from router.lms import prompts
from router.lms import ask, make_lm
from router.trace import Trace
lm = make_lm("embedded")
threading.Thread(target=ask, args=(lm, prompts.chat("boats and " * 400), Trace("t", "q")), daemon=True).start()
print("asking", flush=True)
time.sleep(600)
"""


@pytest.mark.embedded
def test_models_come_and_go_without_stopping_python() -> None:
    command = [sys.executable, "-m", "baselines", "bench", "--restarts", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["rounds"] == 5


@pytest.mark.embedded
def test_the_process_ends_when_it_is_interrupted_in_the_middle_of_a_call() -> None:
    child = subprocess.Popen([sys.executable, "-c", HELD], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"asking\n"
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=120)
    finally:
        child.kill()
    assert b"KeyboardInterrupt" in said and child.returncode in (1, -signal.SIGINT, 130)


@pytest.mark.embedded
def test_nobody_else_on_this_machine_can_ask_the_model(embedded_lm: dspy.LM) -> None:
    address = embedded_lm.engine._server._native.listening_address
    request = urllib.request.Request(f"{address}/completion", json.dumps({"prompt": "2+2="}).encode())
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=60)


@pytest.mark.embedded
def test_weights_go_with_the_last_that_uses_them() -> None:
    from router.lms.model_file import embedded_model

    engine = LlamaEngine(embedded_model())
    keeper = engine.keeper
    del engine
    keeper.join(60)
    assert not keeper.is_alive()
