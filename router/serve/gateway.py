"""The router inside LiteLLM's gateway, as a custom provider: keys, budgets, fallbacks and replicas are LiteLLM's.

``switchyard/openai/gpt-4o-mini`` is ``openai/gpt-4o-mini`` with the decision in front. For the asynchronous calls that its
proxy makes. Leaves out asking with one tool's schema, which the endpoint does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import litellm
from litellm.llms.custom_llm import CustomLLM

from router.serve.callers import tag
from router.serve.deciding import Decider, Mode, Verdict
from router.serve.openai import OpenAI
from router.serve.wire import Asked, Forwarded, Said
from router.types import ToolCall, Usage

log = logging.getLogger(__name__)
WIRE = OpenAI()


class Gateway(CustomLLM):
    """Asks ``decider`` first and, unless it may act in ``live`` mode, the provider that the model names; what that one
    calls is told to ``decider``. Whatever fails in here goes on to the provider."""

    def __init__(self, decider: Decider, mode: Mode = "shadow") -> None:
        super().__init__()
        self.decider, self.mode = decider, mode

    async def acompletion(self, **given: Any) -> litellm.ModelResponse:
        """The completion, as LiteLLM asks a custom provider for it. Raises what the provider's call raises."""
        turn = _Turn(self, given)
        if (verdict := await turn.decide()) is not None and verdict.acts and self.mode == "live":
            await turn.told(None)
            return litellm.ModelResponse(**WIRE.reply(turn.asked, verdict.calls))
        reply = await litellm.acompletion(**turn.forwarded)
        await turn.told(reply)
        return reply

    async def astreaming(self, **given: Any) -> AsyncIterator[Any]:
        """The same in chunks."""
        turn = _Turn(self, given)
        if (verdict := await turn.decide()) is not None and verdict.acts and self.mode == "live":
            for event in WIRE.stream(turn.asked, verdict.calls):
                if (data := event.removeprefix(b"data: ").strip()) != b"[DONE]":
                    yield litellm.ModelResponseStream(**json.loads(data))
            await turn.told(None)
            return
        chunks = []
        async for chunk in await litellm.acompletion(**turn.forwarded, stream=True):
            chunks.append(chunk)
            yield chunk
        await turn.told(litellm.stream_chunk_builder(chunks))


class _Turn:
    """One request on its way; ``given`` as LiteLLM gives it."""

    def __init__(self, gateway: Gateway, given: Mapping[str, Any]) -> None:
        self.gateway, self.started = gateway, time.perf_counter()
        metadata = (given.get("litellm_params") or {}).get("metadata") or {}
        self.caller = tag(str(metadata.get("user_api_key") or ""))
        options = {k: v for k, v in given["optional_params"].items() if k not in ("stream", "extra_body")}
        asked = {"model": given["model"], "messages": given["messages"]}
        address = {name: given[name] for name in ("api_base", "api_key") if given.get(name)}
        self.forwarded = asked | options | address
        self.asked = self._read(asked | options)
        self.verdict: Verdict | None = None

    def _read(self, body: Mapping[str, Any]) -> Asked | None:
        try:
            return WIRE.read(body, self.gateway.decider.tools)
        except Forwarded:
            return None
        except Exception:
            log.warning("The request cannot be read; it goes on to the provider.")
            return None

    async def decide(self) -> Verdict | None:
        """What the router makes of the request; None where it is the provider's alone."""
        if self.asked is None:
            return None
        try:
            self.verdict = await asyncio.to_thread(self.gateway.decider.decide, self.caller, self.asked)
        except Exception:
            log.warning("The router failed; the request goes on to the provider.")
        return self.verdict

    async def told(self, reply: Any) -> None:
        """Note what was called, by the provider in ``reply`` or, where that is None, by the router. Never raises."""
        if self.verdict is None:
            return
        try:
            seconds = time.perf_counter() - self.started
            said = None if reply is None else _said(reply)
            await asyncio.to_thread(self.gateway.decider.told, self.caller, self.asked, self.verdict, said, seconds)
        except Exception:
            log.warning("The journal failed; the request is answered.")


def _said(reply: Any) -> Said:
    calls = reply.choices[0].message.tool_calls or ()
    usage = getattr(reply, "usage", None)
    counted = (usage.prompt_tokens or 0, usage.completion_tokens or 0) if usage else ()
    return Said(
        tuple(ToolCall(one.function.name, json.loads(one.function.arguments or "{}")) for one in calls),
        Usage(1, *counted),
    )
