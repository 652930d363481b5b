"""The endpoint with a hand-over: what an agent's LLM calls is noted, learned from, and made once it is proven."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from call_log import SMALL
from serving import ASKED, KEY, Sure, Upstream, completion, post, served
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from router.handover import background
from router.handover.gate import GateConfig
from router.handover.journal import Journal, JournalConfig
from router.handover.learner import LearnerConfig
from router.learning.data import read_examples
from router.serve.callers import tag
from router.serve.endpoint import Endpoint, ServeConfig
from router.serve.handing import HandingConfig, HandoverDecider, NotedDecider
from router.serve.upstream import HttpUpstream

WORDINGS = (
    "turn the {room} lights {state}", "switch {state} the lights in the {room}", "{room} lights {state} please",
    "lights {state} in the {room}", "please turn {state} the {room} lights", "can you turn the {room} lights {state}",
    "make it so that the {room} lights are {state}", "the {room} lights should be {state}",
)  # fmt: skip
ASKS = [
    (wording.format(room=room, state=state), {"room": room, "state": state})
    for wording in WORDINGS
    for room in ("kitchen", "bathroom")
    for state in ("on", "off")
]
TALK = [
    f"{hello} {name}"
    for hello in ("hello", "good morning", "how are you", "thanks")
    for name in ("there", "my friend", "you", "all")
]


async def obliging(request: Request) -> Response:
    """An upstream that calls what the question says."""
    question = json.loads(await request.body())["messages"][-1]["content"]
    truth = dict(ASKS).get(question)
    return JSONResponse(completion(truth, "Hello."))


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[Upstream, str]]:
    upstream = Upstream()
    upstream.answer = obliging
    with served(upstream.app) as url:
        yield upstream, url


@pytest.fixture
def start(provider: tuple[Upstream, str], tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start an endpoint in front of the provider, with a journal in ``tmp_path``; gives its base URL."""
    with ExitStack() as stack:

        def begin(mode: str = "live", **settings) -> str:
            config = HandingConfig(str(tmp_path / "journal.db"), tmp_path / "models", mode=mode, **settings)
            endpoint = Endpoint(HttpUpstream(provider[1]), HandoverDecider(config), ServeConfig(mode=mode))
            return stack.enter_context(served(endpoint.app))

        yield begin


def ask(url: str, question: str, key: str = KEY) -> dict:
    reply = post(
        url, ASKED | {"messages": [{"role": "user", "content": question}]}, headers={"authorization": f"Bearer {key}"}
    )
    return reply.json() | {"by": reply.headers["x-switchyard"]}


def journal_of(folder: Path, key: str = KEY, rows: int = 0) -> Journal:
    """The journal of a key, once it has so many rows: they are written when the reply is on its way."""
    journal = Journal(folder / f"journal-{tag(key)}.db")
    return holding(journal, rows)


def holding(journal: Journal, rows: int) -> Journal:
    until = time.monotonic() + 30
    while journal.count() < rows and time.monotonic() < until:
        time.sleep(0.05)
    assert journal.count() == rows or not rows
    return journal


def test_what_the_llm_called_is_noted_and_no_key_is(start: Callable[..., str], tmp_path: Path) -> None:
    url = start("shadow", rows=JournalConfig(redact=[r"kitchen"]))
    ask(url, "turn the kitchen lights on")
    ask(url, "hello there")
    noted = {row.llm_call.tool: row for _, row in journal_of(tmp_path, rows=2).rows()}  # in the order of their ends
    first, second = noted["lights"], noted["none"]
    assert (first.question, first.llm_call.tool, first.tag) == ("turn the […] lights on", "lights", tag(KEY))
    assert (second.llm_call.tool, second.usage.input_tokens) == ("none", 100)
    assert all(KEY.encode() not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_one_callers_traffic_is_in_no_others_journal(start: Callable[..., str], tmp_path: Path) -> None:
    url = start("shadow")
    ask(url, "turn the kitchen lights on")
    ask(url, "hello there", key="sk-another")
    assert journal_of(tmp_path, rows=1).url != journal_of(tmp_path, "sk-another", rows=1).url


def test_callers_share_a_journal_only_where_that_is_asked_for(start: Callable[..., str], tmp_path: Path) -> None:
    url = start("shadow", shared=True)
    ask(url, "turn the kitchen lights on")
    ask(url, "hello there", key="sk-another")
    holding(Journal(tmp_path / "journal.db"), 2)
    with pytest.raises(ValueError, match="--shared"):
        HandoverDecider(HandingConfig("postgresql://user:word@host/db", tmp_path))


def test_a_journal_that_cannot_be_written_costs_no_request(start: Callable[..., str], tmp_path: Path) -> None:
    url = start("live")
    ask(url, "turn the kitchen lights on")
    for file in tmp_path.glob("journal*"):
        file.unlink()
    (tmp_path / f"journal-{tag('sk-another')}.db").mkdir()
    assert ask(url, "turn the kitchen lights on", key="sk-another")["choices"][0]["finish_reason"] == "tool_calls"


def test_a_trained_router_acts_and_its_journal_is_what_training_reads(
    provider: tuple[Upstream, str], tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal.db")
    endpoint = Endpoint(HttpUpstream(provider[1]), NotedDecider(Sure(), journal), ServeConfig(mode="live"))
    with served(endpoint.app) as url:
        assert ask(url, "turn the kitchen lights on")["by"] == "live; confidence=0.980"
        assert ask(url, "perhaps turn the bathroom lights off")["by"] == "live; forwarded"
        holding(journal, 2).export(tmp_path / "rows.jsonl", lessons_only=True)
    noted = {row.mode: row for _, row in Journal(tmp_path / "journal.db").rows()}
    acted, asked = noted["act"], noted["shadow"]
    assert (acted.mode, acted.llm_call, acted.router_call.tool) == ("act", None, "lights")
    assert (asked.mode, asked.llm_call.tool) == ("shadow", "none")
    examples, problems = read_examples(tmp_path / "rows.jsonl")
    assert [example.tool for example in examples] == ["none"] and not problems


def test_the_router_takes_a_tool_over_once_it_is_proven(
    start: Callable[..., str], provider: tuple[Upstream, str], tmp_path: Path
) -> None:
    gate = GateConfig(target=0.8)
    url = start("live", gate=gate, learns=False)
    asked = 4 * [question for question, _ in ASKS] + 2 * TALK
    for question in asked:
        ask(url, question)
    quick = LearnerConfig(replace(SMALL, epochs=1, least_steps=120), folds=(2, 2))
    background.learn(journal_of(tmp_path, rows=len(asked)), tmp_path / f"models-{tag(KEY)}", gate, quick)
    until = time.monotonic() + 60
    while not ask(url, ASKS[0][0])["by"].startswith("live; confidence"):  # the model is loaded beside
        assert time.monotonic() < until, "the router has not taken over"
        time.sleep(0.5)
    provider[0].bodies.clear()
    replies = [ask(url, question) for question, _ in ASKS]
    own = [(reply, truth) for reply, (_, truth) in zip(replies, ASKS) if reply["by"].startswith("live; confidence")]
    # some are drawn for the audit, some to be filled by the LLM as a proof of the rest
    assert len(own) >= len(ASKS) // 4 and len(own) + len(provider[0].bodies) == len(ASKS)
    called = [json.loads(reply["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]) for reply, _ in own]
    assert called == [truth for _, truth in own]
    assert journal_of(tmp_path).by_mode()["act"] >= len(own)
