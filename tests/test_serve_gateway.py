"""The router as a provider of LiteLLM: the same calls and answers, told to the decider; and the example's configuration."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from serving import ASKED, KEY, SWITCH, Sure
from starlette.responses import Response

from router.handover.journal import Journal
from router.serve.deciding import RouterDecider
from router.serve.handing import NotedDecider
from router.serve.openai import OpenAI
from router.serve.wire import Asked
from router.tools import ToolSet
from router.types import ToolCall

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # read when litellm loads: it would ask the internet
import litellm  # noqa: E402

from router.serve.gateway import Gateway  # noqa: E402

EXAMPLES = Path(__file__).parents[1] / "examples"
CALL = [{"tool": "lights", "arguments": SWITCH}]


class Boom(RouterDecider):
    """One that can neither decide nor be told."""

    def __init__(self) -> None:
        super().__init__(Sure())

    def decide(self, *_: Any) -> Any:
        raise RuntimeError("out of order")


@pytest.fixture
def given() -> Iterator[Any]:
    """Let LiteLLM have a provider."""

    def give(decider: Any, mode: str = "live") -> None:
        litellm.custom_provider_map = [{"provider": "switchyard", "custom_handler": Gateway(decider, mode)}]
        litellm.utils.custom_llm_setup()

    yield give
    litellm.custom_provider_map = []


def ask(url: str, stream: bool, question: str = "turn the kitchen lights on") -> list[dict[str, Any]]:
    """The calls that the model makes."""
    asked = ASKED | {"model": "switchyard/openai/gpt-4o-mini", "messages": [{"role": "user", "content": question}]}

    async def run() -> Any:
        reply = await litellm.acompletion(**asked, api_base=url, api_key=KEY, stream=stream)
        return litellm.stream_chunk_builder([chunk async for chunk in reply]) if stream else reply

    message = asyncio.run(run()).choices[0].message
    return [{"tool": c.function.name, "arguments": json.loads(c.function.arguments)} for c in message.tool_calls or ()]


def streamed(_: Any) -> Response:
    asked = Asked("", (), ToolSet(), frozenset(), "m", True)
    return Response(b"".join(OpenAI().stream(asked, [ToolCall("lights", SWITCH)])), media_type="text/event-stream")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_sure_call_is_made_without_the_provider(given, provider, upstream, stream: bool) -> None:
    given(RouterDecider(Sure()))
    assert ask(provider[1], stream) == CALL and upstream.bodies == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_in_shadow_the_provider_calls_and_is_listened_to(given, provider, upstream, tmp_path, stream: bool) -> None:
    if stream:
        upstream.answer = streamed
    given(NotedDecider(Sure(), journal := Journal(tmp_path / "j.db")), "shadow")
    assert ask(provider[1], stream) == CALL
    (sent,) = upstream.bodies
    assert json.loads(sent)["model"] == "gpt-4o-mini" and json.loads(sent)["tools"] == ASKED["tools"]
    assert upstream.headers[0]["authorization"] == f"Bearer {KEY}"
    ((_, row),) = journal.rows()
    assert (row.mode, row.llm_call, row.agreed) == ("shadow", ToolCall("lights", SWITCH), {"call": True})
    assert KEY.encode() not in (tmp_path / "j.db").read_bytes()


def test_a_router_that_fails_costs_no_request(given, provider, upstream) -> None:
    given(Boom())
    assert ask(provider[1], False) == CALL and len(upstream.bodies) == 1


def test_the_example_names_the_provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from litellm.proxy.types_utils.utils import get_instance_fn

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWITCHYARD_JOURNAL", str(tmp_path / "calls.db"))
    config = yaml.safe_load((EXAMPLES / "litellm.yaml").read_text(encoding="utf-8"))
    (named,) = config["litellm_settings"]["custom_provider_map"]
    found = get_instance_fn(named["custom_handler"], str(EXAMPLES / "litellm.yaml"))
    assert isinstance(found, Gateway) and found.mode == "shadow"
    assert config["model_list"][0]["litellm_params"]["model"].startswith(f"{named['provider']}/")
    found.decider.close()
