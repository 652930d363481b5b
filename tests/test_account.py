"""What a journal adds up to: who made the calls, whether they agree, and what was saved, from what."""

from __future__ import annotations

from router.handover.account import account
from router.handover.journal import JournalRow
from router.types import ToolCall, Usage

LAMP = ToolCall("lamp", {"room": "hall"})


def usage(calls: int, tokens: int, dollars: float | None = None) -> Usage:
    return Usage(calls, o200k_input=tokens, o200k_output=0, cost_usd=dollars)


def asked(agreed: bool | None = None, mode: str = "shadow", confidence: float = 0.9, **more: object) -> JournalRow:
    """A request whose call the LLM made."""
    both = None if agreed is None else {"tool": True, "call": agreed}
    fields = {"llm_call": LAMP, "router_call": LAMP, "usage": usage(2, 300), "seconds": 3.0}
    return JournalRow("q", mode, agreed=both, confidence={"call": confidence}, **fields | more)


def acted(tokens: int = 100, **more: object) -> JournalRow:
    fields = {"router_call": LAMP, "usage": usage(1, tokens), "seconds": 1.0}
    return JournalRow("q", "act", **fields | more)


def test_what_is_saved_is_the_mean_of_the_llms_calls_of_the_tool_less_what_was_spent() -> None:
    other = asked(llm_call=ToolCall("parcel", {}), usage=usage(2, 9_000), seconds=90.0)
    found = account([asked(), asked(usage=usage(2, 500), seconds=5.0), other, acted(), acted(60)])
    assert (found.saved.calls, found.saved.tokens, found.saved.seconds) == (2, 400 + 400 - 160, 6.0)
    assert found.measured == 0 and found.saved.dollars is None


def test_where_both_were_run_the_saving_is_that_questions_own() -> None:
    both = acted(llm_call=LAMP, usage=usage(1, 240, 0.5), seconds=2.0)
    found = account([both, asked(usage=usage(1, 9_999))])
    assert (found.saved.tokens, found.saved.seconds, found.saved.dollars, found.measured) == (240, 2.0, 0.5, 1)
    assert found.total.calls == 1  # the LLM's answer to the other


def test_without_a_call_of_the_llm_to_go_by_nothing_is_said_to_be_saved() -> None:
    assert account([acted()]).saved.tokens == 0


def test_agreement_counts_where_the_router_had_a_whole_call_and_has_an_interval() -> None:
    found = account([asked(True)] * 9 + [asked(False), asked(True, confidence=0.0), asked(None)])
    assert (found.total.agreed, found.total.compared) == (9, 10)
    low, high = found.total.interval
    assert 0.55 < low < 0.56 and 0.997 < high < 0.998
    assert account([]).total.interval is None


def test_a_curve_says_what_was_lately_and_what_until_then() -> None:
    rows = [asked()] * 137 + [acted()] * 40
    found = account(rows)
    assert [seen for seen, _, _ in found.curve][-1] == 177 and len(found.curve) <= 31
    assert [lately.requests for _, lately, _ in found.curve][:5] == [6, 12, 18, 20, 20]
    assert found.curve[-1][1].handled == 20 and found.curve[-1][2].handled == 40 and found.seen == {"lamp": 177}
