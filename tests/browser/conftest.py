"""A server with the scripted race, one Chromium, and a page that fails its test on any fault it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from app import build_page
from pages import frame
from tests.browser.scripted import services

expect.set_options(timeout=40_000)  # a busy machine is slow, not wrong

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    page = build_page(services())
    address, _ = frame.serve(page, "127.0.0.1", None)
    yield address
    page.close()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield program
        program.close()


class Live:
    """The Race tab as a visitor uses it, and what it asked of the network."""

    def __init__(self, page: Page, url: str) -> None:
        self.url = url
        self.faults: list[str] = []
        self.requests: list[Request] = []
        self.leaving = False
        self.page = page
        self.page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        self.page.on("console", lambda line: self._hear(line.type, line.text))
        self.page.on("request", self._ask)
        self.open()

    def open(self) -> None:
        self.leaving = True  # what a reload cuts off, Gradio reports as an error
        self.page.goto(self.url)
        self.leaving = False
        expect(self.page.locator(".card")).to_have_count(3)
        expect(self.page.locator(".pill")).to_contain_text("hit")

    def ask(self, question: str, by: str = "Enter") -> None:
        box = self.page.locator("#sy-question")
        box.fill(question)
        box.press("Enter") if by == "Enter" else self.page.locator(".send").click()

    def answered(self) -> None:
        expect(self.page.locator(".send")).to_be_visible()

    def asked(self, question: str) -> None:
        self.ask(question)
        expect(self.page.locator(".verdict .asked")).to_contain_text(question[:20])
        self.answered()

    def card(self, path: str):
        return self.page.locator(f'.card[data-path="{path}"]')

    def quiet(self, milliseconds: int = 250) -> list[str]:
        """The requests that are made from now on."""
        self.page.wait_for_timeout(50)
        self.requests.clear()
        self.page.wait_for_timeout(milliseconds)
        return [request.url for request in self.requests]

    def _hear(self, kind: str, text: str) -> None:
        cut_off = self.leaving and ("AbortError" in text or "errored out" in text)
        if kind == "error" and "ERR_INTERNET_DISCONNECTED" not in text and not cut_off:
            self.faults.append(f"console: {text}")

    def _ask(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.faults.append(f"outside request: {request.url}")


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One profile for all tests: its cache spares each the page's files. Storage is emptied before every test."""
    opened = browser.new_context(reduced_motion="reduce")
    yield opened
    opened.close()


@pytest.fixture
def live(context: BrowserContext, url: str) -> Iterator[Live]:
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(url + "empty")  # same origin, no script of ours
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
    shown = Live(page, url)
    yield shown
    context.set_offline(False)
    page.close()
    assert shown.faults == []
