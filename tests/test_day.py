"""A scripted day: what was taught is answered by the page's own gatekeeper, everything else reaches the router path."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from baselines.evaluate.day import Message, read_day, simulate
from router.trace import Trace
from router.types import TraceEvent, Usage, to_json


def teacher(text: str, previous: str | None) -> Iterator[TraceEvent]:
    """Answers everything; teaches thanks and greetings."""
    trace = Trace("router", text)
    usage = to_json(Usage(1, 90, 10, 0, 90, 10))
    with trace.step("lm", role="teach") as outcome:
        outcome |= {"usage": usage, "reply": "Sure!"}
    lesson = None
    if text in ("thanks", "hello"):
        instruction = {"command": "LEARN_SIMPLE_PHRASE", "query": text, "response": "You're welcome!"}
        lesson = {"instruction": instruction, "accepted": True, "reason": "", "taught_by": "scripted", "usage": usage}
        lesson |= {"method": "by script", "id": uuid.uuid4().hex}
    trace.answer("You're welcome!" if lesson else "It is 42.", lesson)
    yield from trace.events


def test_a_taught_phrase_is_answered_in_the_browser_from_then_on(node: str) -> None:
    texts = ["hello", "what is 6 * 7", "thanks", "Thanks!", "hello", "what is 6 * 7"]
    found = simulate([Message(f"09:{i:02}", text) for i, text in enumerate(texts)], teacher, lambda usage: 0.5)
    assert [turn["in_browser"] for turn in found["turns"]] == [False, False, False, True, True, False]
    assert (found["in_browser"], found["sent"], found["share"]) == (2, 4, 2 / 6)
    assert (found["tokens_sent"], found["tokens_saved"]) == (400, 200)
    assert (found["cost_usd_sent"], found["cost_usd_saved"], found["lessons_accepted"]) == (2.0, 1.0, 2)


def test_the_script_is_a_day_in_order() -> None:
    day = read_day()
    assert len(day) > 100 and [m.milliseconds for m in day] == sorted(m.milliseconds for m in day)
