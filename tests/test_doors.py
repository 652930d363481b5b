"""Every way to a language model, as a stranger finds it on a public page: whose key travels, and how often one may ask.

The page is launched for real and asked as a browser or a client asks it; the provider is a server on loopback that
keeps what it receives. Its owner's key stands in the environment.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from dspy import lm15
from gradio_client import Client
from gradio_client.exceptions import AppError
from test_provider import said

from app import build_page
from pages import frame
from pages.door import HOSTED, Door
from pages.services import Limits, Options
from pages.wiring import load_services
from router.lms.provider import ProviderEngine
from tests.browser import scripted

ROOT = Path(__file__).parents[1]
OWNER, VISITOR = "sk-the-owners-own-key", "sk-what-the-visitor-typed"
ROW = json.dumps({"question": "18% of 64.50"})


class Recorder:
    """OpenAI's protocol on loopback: keeps each request whole, and always says what a judge could say too."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                recorder.requests.append(f"{self.path}\n{self.headers}\n{body.decode()}")
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for piece in said('{"right": true}'):
                    self.wfile.write(f"data: {piece}\n\n".encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.setenv(name, recorder.url)
    monkeypatch.setenv("OPENAI_API_KEY", OWNER)
    yield recorder
    recorder.close()


class Visitor:
    """Someone in front of a launched page. Each way in returns its refusal, or None where the question was answered."""

    def __init__(self, address: str, page: Any) -> None:
        self.address, self.page, self.visit = address, page, uuid.uuid4().hex
        self.reload()

    def reload(self) -> None:
        """Gradio gives a page that is loaded anew another session."""
        self.session = uuid.uuid4().hex

    def race(self, lm: str, key: str = "") -> str | None:
        settings = {"lm": lm, "key": key, "paths": ["router"]}
        last = self._event("send", {"question": "18% of 64.50", "race": uuid.uuid4().hex, "settings": settings})
        return last["message"] if last["phase"] == "refused" else None

    def evaluate(self, lm: str, key: str = "", judge: str = "", repeats: int = 1) -> str | None:
        last = self.evaluation(lm, key, judge, repeats)
        return last["message"] if last["phase"] == "refused" else None

    def evaluation(self, lm: str, key: str = "", judge: str = "", repeats: int = 1) -> dict[str, Any]:
        order = {"own": True, "file": {"name": "q.jsonl", "text": ROW}, "limit": 1, "repeats": repeats}
        order |= {"paths": ["router"], "lm": lm, "key": key, "judge": judge, "run": uuid.uuid4().hex}
        return self._event("start", order)

    def judge(self, lm: str, key: str = "") -> str | None:
        return self.evaluate(self.page.default_lm, key, judge=lm)

    def api(self, lm: str, key: str = "") -> str | None:
        try:
            Client(self.address, verbose=False).predict("18% of 64.50", lm, key, "router", api_name="/race")
        except AppError as fault:
            return str(fault)
        return None

    def _event(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """One event as the browser sends it; returns the last value that the page shows."""
        (event,) = (i for i, fn in self.page.blocks.fns.items() if any(t[1] == name for t in fn.targets))
        inputs = [None] * len(self.page.blocks.fns[event].inputs)
        body = {
            "data": inputs,
            "event_data": data | {"visit": self.visit},
            "fn_index": event,
            "session_hash": self.session,
        }
        queue = f"{self.address}gradio_api/queue/"
        httpx.post(queue + "join", json=body).raise_for_status()
        with httpx.stream("GET", queue + "data", params={"session_hash": self.session}, timeout=120) as stream:
            messages = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
            return next(m for m in messages if m["msg"] == "process_completed")["output"]["data"][0]


class Page:
    def __init__(self, limits: Limits, lm: str = "embedded") -> None:
        services = load_services(Options(lm=lm), limits)
        self.default_lm = lm
        self.blocks = build_page(services)
        self.address, _ = frame.serve(self.blocks, "127.0.0.1", None)

    def visitor(self) -> Visitor:
        return Visitor(self.address, self)


Launch = Callable[..., Page]
WAYS = ("race", "evaluate", "judge", "api")


@pytest.fixture
def launch() -> Iterator[Launch]:
    pages: list[Page] = []

    def start(*args: Any, **options: Any) -> Page:
        pages.append(Page(*args, **options))
        return pages[-1]

    yield start
    for page in pages:
        page.blocks.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_stranger_never_spends_the_owners_key(way: str, provider: Recorder, launch: Launch) -> None:
    visitor = launch(Limits(public=True)).visitor()
    assert "API key of your own" in (getattr(visitor, way)("openai/gpt-4o-mini") or "")
    assert not provider.requests


@pytest.mark.parametrize("way", WAYS)
def test_a_visitors_key_travels_alone(way: str, provider: Recorder, launch: Launch) -> None:
    visitor = launch(Limits(public=True)).visitor()
    assert getattr(visitor, way)("openai/gpt-4o-mini", VISITOR) is None
    assert provider.requests
    for request in provider.requests:
        assert VISITOR in request and OWNER not in request


@pytest.mark.parametrize("way", ["race", "evaluate", "api"])
def test_three_of_six_pass_where_three_are_allowed(way: str, provider: Recorder, launch: Launch) -> None:
    visitor = launch(
        Limits(questions_per_session=3, questions_per_hour=10, public=True), "openai/gpt-4o-mini"
    ).visitor()
    assert [getattr(visitor, way)("openai/gpt-4o-mini") for _ in range(3)] == [None] * 3
    before = len(provider.requests)
    for _ in range(3):
        assert "limit is 3 a visit" in (getattr(visitor, way)("openai/gpt-4o-mini") or "")
    assert len(provider.requests) == before


def test_what_an_evaluation_asks_is_counted_before_it_starts(provider: Recorder, launch: Launch) -> None:
    limits = Limits(questions_per_session=3, questions_per_hour=10, public=True)
    visitor = launch(limits, "openai/gpt-4o-mini").visitor()
    assert visitor.race("") is None
    before = len(provider.requests)
    assert "3 a visit, of which you have 2 left" in (visitor.evaluate("", repeats=3) or "")
    assert len(provider.requests) == before
    assert visitor.evaluate("", repeats=2) is None


@pytest.mark.parametrize("way", ["race", "evaluate"])
def test_a_reload_does_not_begin_a_new_visit(way: str, provider: Recorder, launch: Launch) -> None:
    visitor = launch(Limits(questions_per_session=1, public=True), "openai/gpt-4o-mini").visitor()
    assert getattr(visitor, way)("") is None
    visitor.reload()
    assert "limit is 1 a visit" in (getattr(visitor, way)("") or "")


def test_made_up_visits_end_at_the_limit_an_hour(provider: Recorder, launch: Launch) -> None:
    page = launch(Limits(questions_per_session=1, questions_per_hour=2, public=True), "openai/gpt-4o-mini")
    assert [page.visitor().race("") for _ in range(2)] == [None, None]
    assert "within the last hour" in (page.visitor().evaluate("") or "")


def test_a_new_visit_at_the_interface_is_not_had_by_calling_again(provider: Recorder, launch: Launch) -> None:
    """Gradio gives each plain HTTP call a session of its own."""
    page = launch(Limits(questions_per_session=1, public=True), "openai/gpt-4o-mini")
    call = f"{page.address}gradio_api/call/race"
    for refused in (False, True):
        event = httpx.post(call, json={"data": ["18% of 64.50", "", "", "router", True]}).json()["event_id"]
        said = httpx.get(f"{call}/{event}", timeout=60).text
        assert ("limit is 1 a visit" in said) is refused, said


@pytest.mark.parametrize(("proxies", "second_is_refused"), [(None, True), ("127.0.0.1", False)])
def test_a_client_does_not_choose_its_address_unless_it_is_the_owners_proxy(
    proxies: str | None,
    second_is_refused: bool,
    provider: Recorder,
    launch: Launch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if proxies:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", proxies)
    else:
        monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    page = launch(Limits(questions_per_session=1, public=True), "openai/gpt-4o-mini")
    call = f"{page.address}gradio_api/call/race"
    for number, refused in enumerate((False, second_is_refused)):
        forged = {"X-Forwarded-For": f"203.0.113.{number}"}
        body = {"data": ["18% of 64.50", "", "", "router", True]}
        event = httpx.post(call, json=body, headers=forged).json()["event_id"]
        said = httpx.get(f"{call}/{event}", headers=forged, timeout=60).text
        assert ("limit is 1 a visit" in said) is refused, said


def test_monitoring_is_closed(launch: Launch, capfd: pytest.CaptureFixture[str]) -> None:
    page = launch(Limits(public=True))
    assert httpx.get(f"{page.address}monitoring").status_code == 403
    assert httpx.get(f"{page.address}monitoring/summary").status_code == 403
    assert "onitoring URL" not in capfd.readouterr().out


def test_a_judge_of_another_provider_does_not_get_the_models_key(provider: Recorder, launch: Launch) -> None:
    visitor = launch(Limits(public=True)).visitor()
    assert "API key of your own" in (visitor.evaluate("groq/llama-3", VISITOR, judge="openai/gpt-4o-mini") or "")
    assert not provider.requests


def test_the_page_answers_for_its_own_model_with_its_owners_key(provider: Recorder, launch: Launch) -> None:
    visitor = launch(Limits(public=True), "openai/gpt-4o-mini").visitor()
    assert visitor.race("openai/gpt-4o-mini") is None
    assert all(f"Bearer {OWNER}" in request for request in provider.requests)
    assert "API key of your own" in (visitor.race("openai/gpt-4o") or "")


@pytest.mark.parametrize("name", HOSTED)
def test_a_hosted_provider_is_sent_no_secret_of_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, model = Recorder(), f"{name}/some-model"
    engine = ProviderEngine(model, timeout=5.0, api_key=VISITOR, api_base=recorder.url)
    for secret in secrets_that_litellm_reads():
        monkeypatch.setenv(secret, OWNER)
    with contextlib.suppress(lm15.LM15Error):  # not all speak OpenAI's protocol: what counts is what they were sent
        list(engine.stream(lm15.Request(model=model, messages=(lm15.Message.user("hi"),))))
    recorder.close()
    assert len(recorder.requests) == 1
    assert VISITOR in recorder.requests[0] and OWNER not in recorder.requests[0]


def secrets_that_litellm_reads() -> set[str]:
    """The names of secrets in the source of the package; few of them are a hosted provider's, and none may travel."""
    package = Path(importlib.util.find_spec("litellm").submodule_search_locations[0])
    name = re.compile(r"""["\']([A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD))["\']""")
    texts = (file.read_text(encoding="utf-8") for file in (package / "llms").rglob("*.py"))
    found = {match for text in texts for match in name.findall(text)} | {"OPENAI_API_KEY"}
    assert {"ANTHROPIC_API_KEY", "MISTRAL_API_KEY"} <= found
    return found


def test_a_spent_budget_is_told_with_what_the_visitor_can_do(provider: Recorder, launch: Launch) -> None:
    page = launch(Limits(dollars_per_session=1e-9, public=True), "openai/gpt-4o-mini")
    visitor = page.visitor()
    assert visitor.race("") is None
    for way in ("race", "evaluate", "judge"):
        said = getattr(visitor, way)(page.default_lm)
        assert "budget is" in (said or "") and "key of your own" in said, way
    assert visitor.race("openai/gpt-4o-mini", VISITOR) is None, "a visitor's own key costs the owner nothing"
    assert page.visitor().race("") is None, "another visit has its own budget"


def test_an_evaluation_stops_where_the_budget_ends(provider: Recorder, launch: Launch) -> None:
    page = launch(Limits(dollars_per_hour=1e-9, public=True), "openai/gpt-4o-mini")
    visitor = page.visitor()
    last = visitor.evaluation("", repeats=3)
    assert last["stopped"] and last["progress"]["done"] == 1 and "within the last hour" in last["reason"]
    assert "try again in 60 min" in (page.visitor().api("") or "")


# The door itself, on a race that is scripted.


def public(**limits: Any) -> Door:
    return Door(scripted.services(Limits(public=True, **limits)))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("/etc/model.gguf", "is a file"),
        ("hf:a/b/c.gguf", "is a file"),
        ("hf:a/b", "is a file"),
        ("openai/gpt-4o", "API key of your own"),
        ("ollama/llama3.2", "none that this public page offers"),
        ("ollama_chat/llama3.2", "none that this public page offers"),
        ("lm_studio/x", "none that this public page offers"),
        ("hosted_vllm/x", "none that this public page offers"),
        ("bedrock/anthropic.claude-v2", "none that this public page offers"),
        ("vertex_ai/gemini-pro", "none that this public page offers"),
        ("azure/gpt-4o", "none that this public page offers"),
        ("huggingface/http://127.0.0.1:8080/x", "none that this public page offers"),
        ("OpenAI/gpt-4o", "none that this public page offers"),
        ("gpt-4o", "none that this public page offers"),
        ("openai/", "none that this public page offers"),
        ("openai/" + "x" * 194, "201 characters; the limit is 200"),
    ],
)
def test_a_public_page_lends_neither_files_nor_keys_nor_its_network(spec: str, says: str) -> None:
    key = None if says == "API key of your own" else VISITOR
    with pytest.raises(ValueError, match=says):
        public().open(f" {spec} ", key, "v")


def test_a_page_of_ones_own_refuses_no_model() -> None:
    door = Door(scripted.services())
    for spec in ("/etc/model.gguf", "ollama/llama3.2", "openai/gpt-4o"):
        assert door.open(spec, None, "v").spec == spec
    assert door.open("", None, "v").spec == "embedded"


@pytest.mark.parametrize("key", ["k" * 501, "sk-a b", "sk-ü", "sk-a\nX-Header: b"])
def test_a_key_that_is_none_is_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(ValueError, match="Paste the key alone") as refused:
        public().open("openai/gpt-4o", key, "v")
    assert key not in str(refused.value)


def test_a_demo_stops_a_visitor_and_then_everybody() -> None:
    now = [0.0]
    limits = Limits(questions_per_session=2, questions_per_hour=3)
    door = Door(scripted.services(limits), lambda: now[0])
    door.open("", None, "first", 2)
    with pytest.raises(ValueError, match="asked 2 questions; .* limit is 2 a visit"):
        door.open("", None, "first")
    with pytest.raises(ValueError, match="asks 2 questions; .* limit is 3 an hour .* of which 1 is left"):
        door.open("", None, "second", 2)
    door.open("", None, "second")
    with pytest.raises(ValueError, match="asked 3 questions within the last hour.*Try again in 60 min"):
        door.open("", None, "third")
    now[0] = 3600.0
    door.open("", None, "first", 2)


def test_a_model_that_cannot_be_had_costs_no_question() -> None:
    door = Door(scripted.services(Limits(questions_per_session=1)))
    with pytest.raises(ValueError):
        door.open("openai/nothing", "sk-1", "v")
    door.open("", None, "v")


def test_many_at_once_get_no_more_than_the_limit() -> None:
    door = Door(scripted.services(Limits(questions_per_session=1_000, questions_per_hour=50)))

    def ask(number: int) -> bool:
        try:
            door.open("", None, f"v{number % 7}")
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(400))) == 50


def test_what_the_door_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.tally.MAX_VISITS", 5)
    door = Door(scripted.services(Limits(questions_per_session=1)))
    for number in range(100):
        door.open("", None, f"v{number}")
    with pytest.raises(ValueError):
        door.open("", None, "v99")
    assert len(door._questions._visits) <= 5


def test_no_page_makes_a_model_but_at_the_door() -> None:
    """``frame.warm`` loads the page's own one before anybody came; ``wiring`` is what the door calls."""
    makers = set()
    for file in (ROOT / "pages").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and "make_lm" in ast.unparse(node.func):
                makers.add(file.name)
    assert makers == {"door.py", "frame.py", "wiring.py"}
