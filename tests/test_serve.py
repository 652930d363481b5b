"""The endpoint: what the router may answer, and what goes on to the upstream untouched."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import openai
import pytest
from serving import ANTHROPIC, ASKED, KEY, SWITCH, completion, post, seen_by
from starlette.responses import JSONResponse, Response, StreamingResponse

from router.serve.callers import tag

# ---- live


def test_a_sure_call_is_an_ordinary_completion_and_no_request(start, upstream) -> None:
    _, url = start()
    reply = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0).chat.completions.create(**ASKED)
    (choice,) = reply.choices
    (call,) = choice.message.tool_calls
    assert (choice.finish_reason, call.function.name, json.loads(call.function.arguments)) == (
        "tool_calls",
        "lights",
        SWITCH,
    )
    assert call.id.startswith("call_") and reply.usage.total_tokens == 0
    assert upstream.bodies == []


def test_a_sure_call_streams_as_the_sdk_expects(start, upstream) -> None:
    _, url = start()
    client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
    with client.chat.completions.stream(**ASKED, stream_options={"include_usage": True}) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("lights", SWITCH)
    assert upstream.bodies == []


def test_the_header_says_who_wrote_the_turn(start) -> None:
    _, url = start()
    assert post(url).headers["x-switchyard"] == "live; confidence=0.980"
    unsure = ASKED | {"messages": [{"role": "user", "content": "perhaps the lights"}]}
    assert post(url, unsure).headers["x-switchyard"] == "live; forwarded"


@pytest.mark.parametrize(
    "change",
    [
        {"tools": None},
        {"tools": []},
        {"tools": [{"type": "web_search"}]},
        {"tool_choice": "none"},
        {"tool_choice": {"type": "function", "function": {"name": "other"}}},
        {"n": 2},
        {"logprobs": True},
        {"store": True},
        {"response_format": {"type": "json_object"}},
        {"a_field_of_tomorrow": 1},
        {"messages": []},
        {"messages": "turn the kitchen lights on"},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
        {
            "messages": [
                {"role": "user", "content": "turn the kitchen lights on"},
                {"role": "assistant", "content": "Done."},
            ]
        },
        {"messages": [{"role": "user", "content": "perhaps the lights"}]},
        {"messages": [{"role": "user", "content": "boom"}]},
        {"messages": [{"role": "user", "content": "don't turn the kitchen lights on"}]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_what_is_not_the_routers_goes_on_byte_for_byte(start, upstream, change: dict[str, Any]) -> None:
    _, url = start()
    body = json.dumps(ASKED | change, indent=1).encode()
    reply = post(url, body)
    assert reply.json() == completion(SWITCH)
    assert upstream.bodies == [body]


@pytest.mark.parametrize(
    "change",
    [
        {"tool_choice": "auto"},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "lights"}}},
        {"parallel_tool_calls": False, "temperature": 0, "seed": 1, "max_completion_tokens": 100},
        {"n": 1, "logprobs": False, "response_format": {"type": "text"}, "store": None},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "turn the kitchen lights on"}]}]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_what_is_the_routers_it_answers(start, upstream, change: dict[str, Any]) -> None:
    _, url = start()
    assert post(url, ASKED | change).headers["x-switchyard"].startswith("live; confidence")
    assert upstream.bodies == []


def test_a_turn_after_a_tools_result_is_the_upstreams(start, upstream) -> None:
    _, url = start()
    call = completion(SWITCH)["choices"][0]["message"]
    told = {"role": "tool", "tool_call_id": "call_up", "content": "on"}
    post(url, ASKED | {"messages": [*ASKED["messages"], call, told]})
    assert len(upstream.bodies) == 1


# ---- Anthropic


def test_anthropics_messages_get_a_tool_use_block(start, upstream) -> None:
    _, url = start()
    reply = post(url, ANTHROPIC, "/messages").json()
    (block,) = reply["content"]
    assert (reply["stop_reason"], block["type"], block["name"], block["input"]) == (
        "tool_use",
        "tool_use",
        "lights",
        SWITCH,
    )
    assert upstream.bodies == []


def test_anthropics_stream_has_its_events_in_order(start) -> None:
    _, url = start()
    text = post(url, ANTHROPIC | {"stream": True}, "/messages").text
    kinds = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert kinds == ["message_start", *block, "message_delta", "message_stop"]


@pytest.mark.parametrize(
    "change", [{"thinking": {"type": "enabled"}}, {"tools": [{"type": "web_search_20250305", "name": "w"}]}]
)
def test_anthropics_own_extras_are_the_upstreams(start, upstream, change: dict[str, Any]) -> None:
    _, url = start()
    post(url, ANTHROPIC | change, "/messages")
    assert len(upstream.bodies) == 1


# ---- shadow


def test_shadow_changes_nothing_and_notes_both_calls(start, upstream) -> None:
    endpoint, url = start("shadow")
    reply = post(url)
    assert reply.json() == completion(SWITCH) and reply.headers["x-switchyard"] == "shadow; forwarded"
    seen = seen_by(endpoint)
    assert (seen.acted, seen.outcome, seen.agreed) == ("upstream", "call", True)
    assert seen.router == seen.upstream == [{"tool": "lights", "arguments": SWITCH}]
    assert seen.caller == tag(KEY) and KEY not in repr(seen)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_streamed_reply_is_heard_while_it_passes(start, upstream, packed: bool) -> None:
    rows = [
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "lights", "arguments": ""}}]},
                }
            ]
        },
        {
            "choices": [
                {"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": json.dumps(SWITCH)}}]}}
            ]
        },
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    ]
    whole = "".join(f"data: {json.dumps(row)}\n\n" for row in rows).encode() + b"data: [DONE]\n\n"
    sent = gzip.compress(whole) if packed else whole
    headers = {"content-encoding": "gzip"} if packed else {}

    async def pieces():
        for i in range(0, len(sent), 7):
            yield sent[i : i + 7]

    upstream.answer = lambda _: StreamingResponse(pieces(), headers=headers, media_type="text/event-stream")
    endpoint, url = start("shadow")
    assert post(url, ASKED | {"stream": True}).content == whole
    seen = seen_by(endpoint)
    assert seen.agreed is True


def test_another_call_of_the_upstream_is_a_disagreement(start, upstream) -> None:
    upstream.answer = lambda _: JSONResponse(completion({"room": "bathroom", "state": "on"}))
    endpoint, url = start("shadow")
    post(url)
    assert seen_by(endpoint).agreed is False
    assert b'switchyard_agreement_total{agreed="false"} 1.0' in endpoint.counts.text()


# ---- what passes through


def test_other_paths_pass_with_their_query_and_headers(start, upstream) -> None:
    upstream.answer = lambda _: JSONResponse({"data": []}, headers={"x-request-id": "r1"})
    _, url = start()
    reply = httpx.get(url + "/models?limit=2", headers={"authorization": f"Bearer {KEY}", "x-own": "1"})
    assert reply.json() == {"data": []} and reply.headers["x-request-id"] == "r1"
    assert upstream.paths == ["/v1/models?limit=2"]
    assert upstream.headers[0]["authorization"] == f"Bearer {KEY}" and upstream.headers[0]["x-own"] == "1"


def test_the_upstreams_key_stands_in_for_the_callers(start, upstream) -> None:
    _, url = start("shadow", key="sk-upstream")
    post(url)
    assert upstream.headers[0]["authorization"] == "Bearer sk-upstream"
    assert KEY not in json.dumps(upstream.headers)


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_the_upstreams_errors_reach_the_client_as_they_are(start, upstream, status: int) -> None:
    upstream.answer = lambda _: JSONResponse({"error": {"message": "no"}}, status, headers={"retry-after": "7"})
    _, url = start("shadow")
    reply = post(url)
    assert (reply.status_code, reply.headers["retry-after"]) == (status, "7")
    assert reply.json() == {"error": {"message": "no"}}


def test_a_redirect_is_not_followed(start, upstream) -> None:
    upstream.answer = lambda _: Response(status_code=302, headers={"location": "http://127.0.0.1:1/"})
    _, url = start("shadow")
    assert post(url).status_code == 302
