"""The endpoint with a model of this process as its upstream: no key, no network."""

from __future__ import annotations

import json
from collections.abc import Iterator

import openai
import pytest
from serving import LIGHTS, served

from router.network import Router
from router.serve.deciding import RouterDecider
from router.serve.endpoint import Endpoint
from router.serve.local import LocalUpstream

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    endpoint = Endpoint(LocalUpstream("embedded"), RouterDecider(Router.from_pretrained()))
    with served(endpoint.app) as url:
        yield openai.OpenAI(base_url=url, api_key="none", max_retries=0)


def test_the_model_is_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["embedded"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_is_answered_in_text(client: openai.OpenAI, stream: bool) -> None:
    asked = {"model": "embedded", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
    reply = client.chat.completions.create(**asked, stream=stream)
    text = (
        "".join(c.choices[0].delta.content or "" for c in reply if c.choices)
        if stream
        else reply.choices[0].message.content
    )
    assert text.strip()


def test_a_call_fits_its_schema_and_its_result_is_spoken_of(client: openai.OpenAI) -> None:
    calculator = {
        "type": "function",
        "function": {
            "name": "calculator",
            "description": "Arithmetic.",
            "parameters": {
                "type": "object",
                "properties": {"expression": {"type": "string"}},
                "required": ["expression"],
            },
        },
    }
    messages = [{"role": "user", "content": "what is 12 * 12"}]
    message = client.chat.completions.create(model="embedded", messages=messages, tools=[calculator]).choices[0].message
    (call,) = message.tool_calls
    assert call.function.name == "calculator" and "expression" in json.loads(call.function.arguments)
    messages += [message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "12 * 12 = 144"}]
    told = client.chat.completions.create(model="embedded", messages=messages, tools=[calculator])
    assert "144" in told.choices[0].message.content and told.usage.prompt_tokens > 0


def test_a_request_that_cannot_be_read_says_so(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="no question in text"):
        client.chat.completions.create(model="embedded", messages=[{"role": "system", "content": "x"}], tools=[LIGHTS])


def test_another_path_is_not_there(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="/chat/completions"):
        client.embeddings.create(model="embedded", input="x")
