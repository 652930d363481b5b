"""The Connect tab as a visitor uses it: copies the address, chooses an SDK, and sees a request come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from serving import SWITCH, Sure, completion, post

from app import build_page
from pages import frame
from router.serve.deciding import RouterDecider
from router.serve.endpoint import Endpoint
from router.serve.upstream import HttpUpstream
from tests.browser.scripted import services
from tests.browser.watching import hear_faults


@pytest.fixture
def address(provider: tuple[Any, str]) -> Iterator[str]:
    provider[0].renew()
    endpoint = Endpoint(HttpUpstream(provider[1]), RouterDecider(Sure()))
    page = build_page(replace(services(), endpoint=endpoint))
    found, _ = frame.serve(page, "127.0.0.1", None, endpoint=endpoint)
    yield found
    page.close()


def test_an_agents_request_appears_while_the_tab_is_open(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800}, reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    faults: list[str] = []
    hear_faults(page, faults)
    page.goto(f"{address}#connect")
    base = f"{address}v1"
    expect(page.locator(".co-url code").first).to_have_text(base, timeout=120_000)
    page.locator("[data-copy=url]").click()
    expect(page.locator("[data-copy=url]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == base
    page.get_by_role("radio", name="OpenAI").press("ArrowRight")
    expect(page.get_by_role("radio", name="Anthropic")).to_be_focused()
    expect(page.locator(".co pre")).to_contain_text(f'base_url="{address.rstrip("/")}"')
    expect(page.locator(".co-empty")).to_be_visible()
    assert post(base).json() == completion(SWITCH)
    row = page.locator(".co-log tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("would have called the same")
    assert "kitchen" not in page.locator(".co-log").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()
    assert faults == []
