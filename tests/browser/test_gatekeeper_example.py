"""The gatekeeper in a page without Gradio: the example that ships, in front of a scripted language model."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

ASSETS = Path(__file__).parents[2] / "assets"
FILES = {"gatekeeper-example.html": "text/html; charset=utf-8", "gatekeeper.js": "text/javascript; charset=utf-8"}
REPLIES = {
    "thx": "You're welcome!",
    "hello": "Hello! How can I help you?",
    "hey": "<img src=x onerror=window.hurt=1>",
}


@dataclass
class Chat:
    """A site with the example page, and what its language model was asked."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def chat() -> Iterator[Chat]:
    site = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            known = name in FILES
            self.reply(
                200 if known else 404, FILES.get(name, "text/plain"), (ASSETS / name).read_bytes() if known else b""
            )

        def do_POST(self) -> None:
            typed = self.rfile.read(int(self.headers["Content-Length"])).decode()
            site.asked.append(typed)
            answer = {
                "userResponse": REPLIES.get(typed, f"You said {typed}."),
                "usage": {"input_tokens": 90, "output_tokens": 10, "cost_usd": None},
            }
            if typed in REPLIES:
                answer["learningInstruction"] = {
                    "command": "LEARN_SIMPLE_PHRASE",
                    "query": typed,
                    "response": REPLIES[typed],
                }
            self.reply(200, "application/json", json.dumps(answer).encode())

        def reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site.url = f"http://127.0.0.1:{server.server_port}/gatekeeper-example.html"
    yield site
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(context: BrowserContext, chat: Chat) -> Iterator[Page]:
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(chat.url)
    yield opened
    assert faults == []


def say(page: Page, text: str, count: int, by: str = "Enter") -> None:
    """Send a message and wait for the log's ``count``-th line."""
    page.locator("input").fill(text)
    page.locator("input").press("Enter") if by == "Enter" else page.get_by_role("button", name="Send").click()
    expect(page.locator("li")).to_have_count(count)


def test_the_example_has_fifteen_lines() -> None:
    assert len((ASSETS / "gatekeeper-example.html").read_text(encoding="utf-8").splitlines()) == 15


def test_a_taught_phrase_makes_no_request_by_enter_by_button_offline_and_after_a_reload(page: Page, chat: Chat) -> None:
    say(page, "thx", 1)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for count, (text, by) in enumerate(
        (("thx", "Enter"), (" THX!! ", "button"), ("thx 🙏", "Enter"), ("thxxxx", "button")), start=2
    ):
        say(page, text, count, by)
        expect(page.locator("li").last).to_have_text("You're welcome!")
    page.context.set_offline(True)
    say(page, "Thx.", 6)
    page.context.set_offline(False)
    assert (requests, chat.asked) == ([], ["thx"])
    page.reload()
    requests.clear()
    say(page, "thx", 1)
    assert (requests, chat.asked) == ([], ["thx"])


def test_what_was_not_taught_is_asked(page: Page, chat: Chat) -> None:
    say(page, "thx", 1)
    for count, text in enumerate(("thx 2", "thx, and what's 2+2", "no thx", "thx?"), start=2):
        say(page, text, count)
    assert chat.asked == ["thx", "thx 2", "thx, and what's 2+2", "no thx", "thx?"]


def test_thanks_after_a_question_is_asked(page: Page, chat: Chat) -> None:
    say(page, "thx", 1)
    say(page, "hello", 2)
    say(page, "thx", 3)  # the assistant has just asked how it can help
    assert chat.asked == ["thx", "hello", "thx"]


def test_a_hostile_reply_is_shown_as_text_and_not_learned(page: Page, chat: Chat) -> None:
    say(page, "hey", 1)
    expect(page.locator("li")).to_have_text(REPLIES["hey"])
    say(page, "hey", 2)
    assert chat.asked == ["hey", "hey"]
    assert page.evaluate("window.hurt") is None


def test_a_plain_script_gets_one_global(context: BrowserContext, chat: Chat) -> None:
    page = context.new_page()
    page.goto(chat.url)
    page.set_content("<p>empty</p>")
    page.add_script_tag(path=ASSETS / "gatekeeper.js")
    assert page.evaluate("[typeof Gatekeeper.createGatekeeper, typeof createGatekeeper]") == ["function", "undefined"]


def test_rules_survive_a_browser_that_denies_storage(context: BrowserContext, chat: Chat) -> None:
    page = context.new_page()
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied', 'SecurityError'); }})"
    )
    page.goto(chat.url)
    say(page, "thx", 1)
    say(page, "thx", 2)
    assert chat.asked == ["thx"]
