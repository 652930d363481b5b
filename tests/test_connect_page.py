"""The Connect tab: code that works as it stands, a list without texts, and one process for the page and the endpoint."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import gradio as gr
import httpx
import pytest
from serving import ASKED, KEY, SWITCH, Sure, completion, post, seen_by

from pages import connect, frame
from pages.services import Limits, Options, Services
from pages.wiring import endpoint as wired
from router.serve.counting import Seen
from router.serve.deciding import RouterDecider
from router.serve.endpoint import Endpoint
from router.serve.local import LocalUpstream
from router.serve.upstream import HttpUpstream

NEEDED = ("router", "tools", "make_lm", "is_local", "ready", "race", "explain", "plan", "price", "priced_as", "on_tools")
PAGE = Services(**dict.fromkeys(NEEDED), default_lm="embedded")


def filled(sdk: str, base: str, services: Services) -> str:
    """The code of the tab, as its script fills in the page's own address."""
    code = connect.page_of(services)["code"][sdk]
    return code.replace("{base}", base).replace("{root}", base.removesuffix("/v1"))


def test_the_page_and_the_endpoint_are_one_process(provider: tuple[Any, str]) -> None:
    provider[0].renew()
    own = Endpoint(HttpUpstream(provider[1]), RouterDecider(Sure()))
    with gr.Blocks(analytics_enabled=False) as page:
        gr.HTML("here")
    address, _ = frame.serve(page, "127.0.0.1", None, endpoint=own)
    try:
        base = f"{address}v1"
        assert post(base).json() == completion(SWITCH) and httpx.get(address).status_code == 200
        assert httpx.get(base + "/models", headers={"origin": "http://evil.example"}).status_code == 403
        services = replace(PAGE, endpoint=own)
        called: dict[str, Any] = {}
        exec(filled("OpenAI", base, services), called)
        reply = called["client"].chat.completions.create(**ASKED)
        assert reply.choices[0].message.tool_calls[0].function.name == "lights"
        rows = connect.Log(services).told()["rows"]
        assert [row["called"] for row in rows][-1] == ["lights"] and len(rows) >= 1
    finally:
        page.close()


@pytest.mark.parametrize(
    ("sdk", "address"),
    [
        ("Anthropic", lambda found: found["client"].base_url),
        ("LangChain", lambda found: found["model"].openai_api_base),
        ("DSPy", lambda found: found["dspy"].settings.lm.kwargs["api_base"]),
    ],
    ids=["Anthropic", "LangChain", "DSPy"],
)
def test_the_code_of_an_sdk_points_it_at_the_endpoint(sdk: str, address: Any) -> None:
    found: dict[str, Any] = {}
    exec(filled(sdk, "http://127.0.0.1:7860/v1", PAGE), found)
    expected = "http://127.0.0.1:7860" + ("" if sdk == "Anthropic" else "/v1")
    assert str(address(found)).rstrip("/") == expected


def test_of_a_request_neither_its_text_nor_its_key_is_shown(start, upstream) -> None:
    endpoint, url = start("shadow")
    post(url)
    row = connect.row_of(seen_by(endpoint))
    assert row["called"] == ["lights"] and row["agreed"] is True and row["tokens"] == 109
    shown = json.dumps(row)
    assert KEY not in shown and "kitchen" not in shown


def test_a_request_that_is_passed_on_says_why(start, upstream) -> None:
    endpoint, url = start("shadow")
    post(url, ASKED | {"tools": None})
    assert connect.row_of(seen_by(endpoint))["reason"] == "no tools"
    assert connect.row_of(Seen(0.0, "", "", "router", "call", 0.1, reason="about you"))["reason"] == ""


def test_what_stands_behind_the_page_is_its_own_model_or_the_upstream_that_is_named() -> None:
    local, named = wired(Options()), wired(Options(lm="openai/gpt-4o-mini", upstream="https://api.example.com/v1/"))
    assert isinstance(local.upstream, LocalUpstream) and named.upstream.address == "https://api.example.com/v1"
    assert local.config.mode == named.config.mode == "shadow"
    assert wired(Options(lm="openai/gpt-4o-mini")) is None
    told = connect.page_of(replace(PAGE, endpoint=named))
    assert "https://api.example.com/v1" in told["commands"]["live"] and told["local"] == ""
    with pytest.raises(ValueError, match="base URL"):
        wired(Options(upstream="api.example.com"))


def test_a_public_page_takes_no_requests() -> None:
    told = connect.page_of(replace(PAGE, limits=Limits(public=True)))
    assert (told["here"], told["public"]) == (False, True) and connect.Log(PAGE).told()["rows"] == []
