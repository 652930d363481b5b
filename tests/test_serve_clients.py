"""Agents of seven client libraries over the endpoint, unchanged but for the base URL: same calls, same answers.

The agent has two tools; the upstream is scripted: it calls ``lights`` and, told the result, answers. In shadow it does
so for real; live, the router makes the call and the upstream only answers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from serving import KEY, LIGHTS, PARCEL, Sure, served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from router.serve.anthropic import Anthropic
from router.serve.deciding import RouterDecider
from router.serve.endpoint import Endpoint, ServeConfig
from router.serve.openai import OpenAI
from router.serve.sse import event
from router.serve.upstream import HttpUpstream
from router.serve.wire import Asked
from router.tools import ToolSet
from router.types import ToolCall

QUESTION, RESULT, ANSWER = "turn the kitchen lights on", "The kitchen lights are on.", "Done: the kitchen is lit."
ROOM, STATE = Literal["kitchen", "bathroom"], Literal["on", "off"]
Run = Callable[[str, str, bool], tuple[list[dict[str, Any]], str]]


class Script:
    """The upstream's part in both wire formats; ``asked`` counts the requests."""

    def __init__(self) -> None:
        self.asked = 0
        self.app = Starlette(routes=[Route("/v1/{path:path}", self.handle, methods=["POST"])])

    async def handle(self, request: Request) -> Response:
        self.asked += 1
        body = await request.json()
        wire = Anthropic() if request.url.path.endswith("/messages") else OpenAI()
        last = body["messages"][-1]
        told = last["role"] == "tool" or (
            isinstance(last["content"], list) and last["content"][0]["type"] == "tool_result"
        )
        asked = Asked(QUESTION, (), ToolSet(), frozenset(), "scripted", bool(body.get("stream")))
        call = ToolCall("lights", {"room": "kitchen", "state": "on"})
        if not told:
            whole = (
                b"".join(wire.stream(asked, [call]))
                if asked.streamed
                else json.dumps(wire.reply(asked, [call])).encode()
            )
        elif isinstance(wire, Anthropic):
            whole = _said_by_anthropic(wire, asked)
        else:
            whole = _said_by_openai(wire, asked)
        return Response(whole, media_type="text/event-stream" if asked.streamed else "application/json")


def _said_by_openai(wire: OpenAI, asked: Asked) -> bytes:
    whole = wire.reply(asked, [])
    message = {"role": "assistant", "content": ANSWER}
    whole["choices"][0] |= {"message": message, "finish_reason": "stop"}
    if not asked.streamed:
        return json.dumps(whole).encode()
    head = {"id": whole["id"], "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    deltas = [(message, None), ({}, "stop")]
    chunks = [head | {"choices": [{"index": 0, "delta": d, "finish_reason": end}]} for d, end in deltas]
    return b"".join([*map(event, chunks), event("[DONE]")])


def _said_by_anthropic(wire: Anthropic, asked: Asked) -> bytes:
    whole = wire.reply(asked, []) | {"content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn"}
    if not asked.streamed:
        return json.dumps(whole).encode()
    told = [
        {"type": "message_start", "message": whole | {"content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ANSWER}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]
    return b"".join(event(row, row["type"]) for row in told)


# ---- the clients: each runs the agent, and gives the calls that it was asked for and its answer


def with_openai(url: str, question: str, stream: bool):
    import openai

    return _loop(openai.OpenAI(base_url=url, api_key=KEY, max_retries=0).chat.completions, question, stream)


def with_litellm(url: str, question: str, stream: bool):
    import litellm

    class Completions:
        @staticmethod
        def create(**asked: Any) -> Any:
            chunks = litellm.completion(**asked | {"model": "openai/scripted"}, api_base=url, api_key=KEY)
            return litellm.stream_chunk_builder(list(chunks)) if asked.get("stream") else chunks

    return _loop(Completions, question, stream, built=True)


def _loop(completions: Any, question: str, stream: bool, built: bool = False):
    """The loop that OpenAI's guide shows."""
    messages: list[Any] = [{"role": "user", "content": question}]
    asked = {"model": "scripted", "tools": [LIGHTS, PARCEL]}
    calls: list[dict[str, Any]] = []
    while True:
        if not stream:
            message = completions.create(**asked, messages=messages).choices[0].message
        elif built:
            message = completions.create(**asked, messages=messages, stream=True).choices[0].message
        else:
            with completions.stream(**asked, messages=messages) as pieces:
                message = pieces.get_final_completion().choices[0].message
        if not message.tool_calls:
            return calls, message.content
        messages.append({"role": "assistant", "tool_calls": [
            {"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}}
            for c in message.tool_calls
        ]})  # fmt: skip
        for call in message.tool_calls:
            calls.append({"tool": call.function.name, "arguments": json.loads(call.function.arguments)})
            messages.append({"role": "tool", "tool_call_id": call.id, "content": RESULT})


def with_langchain(url: str, question: str, stream: bool):
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(base_url=url, api_key=KEY, model="scripted", max_retries=0).bind_tools([LIGHTS, PARCEL])

    def turn() -> Any:
        if not stream:
            return model.invoke(messages)
        first, *rest = model.stream(messages)
        return sum(rest, first)

    messages: list[Any] = [HumanMessage(question)]
    calls: list[dict[str, Any]] = []
    while (message := turn()).tool_calls:
        messages.append(message)
        for call in message.tool_calls:
            calls.append({"tool": call["name"], "arguments": call["args"]})
            messages.append(ToolMessage(RESULT, tool_call_id=call["id"]))
    return calls, message.content


def with_openai_agents(url: str, question: str, stream: bool):
    import agents
    import openai

    calls: list[dict[str, Any]] = []

    @agents.function_tool
    def lights(room: ROOM, state: STATE) -> str:
        """Switch the lights of a room on or off."""
        calls.append({"tool": "lights", "arguments": {"room": room, "state": state}})
        return RESULT

    @agents.function_tool
    def parcel(number: str) -> str:
        """Say where a parcel is."""
        return "Unknown."

    agents.set_tracing_disabled(True)

    async def run() -> str:
        client = openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0)
        model = agents.OpenAIChatCompletionsModel("scripted", client)
        agent = agents.Agent("home", instructions="Be brief.", tools=[lights, parcel], model=model)
        if not stream:
            return (await agents.Runner.run(agent, question)).final_output
        running = agents.Runner.run_streamed(agent, question)
        async for _ in running.stream_events():
            pass
        return running.final_output

    return calls, asyncio.run(run())


def with_pydantic_ai(url: str, question: str, stream: bool):
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    agent = Agent(OpenAIChatModel("scripted", provider=OpenAIProvider(base_url=url, api_key=KEY)))
    calls: list[dict[str, Any]] = []

    @agent.tool_plain
    def lights(room: ROOM, state: STATE) -> str:
        """Switch the lights of a room on or off."""
        calls.append({"tool": "lights", "arguments": {"room": room, "state": state}})
        return RESULT

    @agent.tool_plain
    def parcel(number: str) -> str:
        """Say where a parcel is."""
        return "Unknown."

    async def run() -> str:
        if not stream:
            return (await agent.run(question)).output
        async with agent.run_stream(question) as running:
            return await running.get_output()

    return calls, asyncio.run(run())


def with_dspy(url: str, question: str, stream: bool):
    import dspy

    from router.lms.calling import answer_with_tools
    from router.tools import Tool
    from router.trace import Trace

    calls: list[dict[str, Any]] = []

    def switch(**arguments: str) -> str:
        calls.append({"tool": "lights", "arguments": arguments})
        return RESULT

    given = [ToolSet.from_json([t])[t["function"]["name"]] for t in (LIGHTS, PARCEL)]
    tools = {t.name: Tool(t.name, t.description, t.parameters, switch) for t in given}
    lm = dspy.LM("openai/gpt-4o-mini", api_base=url, api_key=KEY, cache=False)
    return calls, answer_with_tools(lm, question, tools, Trace("t", question))


def with_anthropic(url: str, question: str, stream: bool):
    import anthropic

    client = anthropic.Anthropic(base_url=url.removesuffix("/v1"), api_key=KEY, max_retries=0)
    tools = [{"name": t["function"]["name"], "description": t["function"]["description"],
              "input_schema": t["function"]["parameters"]} for t in (LIGHTS, PARCEL)]  # fmt: skip
    messages: list[Any] = [{"role": "user", "content": question}]
    calls: list[dict[str, Any]] = []
    while True:
        asked = {"model": "scripted", "max_tokens": 200, "messages": messages, "tools": tools}
        if stream:
            with client.messages.stream(**asked) as pieces:
                message = pieces.get_final_message()
        else:
            message = client.messages.create(**asked)
        used = [block for block in message.content if block.type == "tool_use"]
        if not used:
            return calls, message.content[0].text
        calls += [{"tool": block.name, "arguments": block.input} for block in used]
        told = [{"type": "tool_result", "tool_use_id": block.id, "content": RESULT} for block in used]
        messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": told}]


CLIENTS = [with_openai, with_litellm, with_langchain, with_openai_agents, with_pydantic_ai, with_dspy, with_anthropic]


@pytest.fixture(scope="module")
def script() -> Iterator[tuple[Script, str]]:
    upstream = Script()
    with served(upstream.app) as url:
        yield upstream, url


@pytest.fixture(scope="module", params=["shadow", "live"])
def endpoint(request: pytest.FixtureRequest, script: tuple[Script, str]) -> Iterator[tuple[str, str]]:
    own = Endpoint(HttpUpstream(script[1]), RouterDecider(Sure()), ServeConfig(mode=request.param))
    with served(own.app) as url:
        yield request.param, url


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__.removeprefix("with_"))
def test_an_agent_makes_the_same_calls_and_gets_the_same_answer(
    script: tuple[Script, str], endpoint: tuple[str, str], client: Run, stream: bool
) -> None:
    mode, url = endpoint
    script[0].asked = 0
    calls, answer = client(url, QUESTION, stream)
    assert calls == [{"tool": "lights", "arguments": {"room": "kitchen", "state": "on"}}]
    assert answer == ANSWER
    assert script[0].asked == (2 if mode == "shadow" else 1)
