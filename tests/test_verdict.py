"""The headline: 73 questions with references through every way in which three paths can end, and the words for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from baselines.evaluate.agreement import agree, carries, conclusions
from baselines.evaluate.matching import matches
from baselines.evaluate.questions import Question, from_row, read_questions
from baselines.race import race
from pages.references import reference_of
from pages.services import ASSETS
from pages.verdict import NOT_RUN, OUTCOMES, STOPPED, Terms, Verdict, marks, medians, verdict
from router.types import Decision, RunResult, ToolCall, ToolResult, Usage

PATHS = ("llm_chain", "tool_calling", "router")
SPENT = {"llm_chain": (3, 900, 3.0), "tool_calling": (2, 800, 2.0), "router": (1, 80, 1.0)}
"""LLM calls, tokens and seconds."""
CASES = [json.loads(line) for line in (Path(__file__).parent / "verdict_cases.jsonl").read_text().splitlines()]


def tool_result(output: str | None, tool: str = "calculator", **arguments: Any) -> ToolResult:
    return ToolResult(ToolCall(tool, arguments), output, None if output is not None else "cannot read it", 0.0)


def run(path: str, *results: ToolResult, says: str | None = "It is 11.61.", **more: Any) -> RunResult:
    """A run with its path's usual costs; ``spent`` gives others, ``abstained`` makes it a hand-over."""
    calls, tokens, seconds = more.pop("spent", SPENT[path])
    abstained = more.pop("abstained", False)
    decision = Decision("calculator", {"calculator": 1.0}, 0.96, abstained) if path == "router" else None
    fields = {"question": "18% of 64.50?", "answer": says, "error": None if says is not None else "429"} | more
    usage = Usage(calls, tokens, 0, 0, tokens, 0)
    return RunResult(path=path, decision=decision, tool_results=results, usage=usage, seconds=seconds,
                     first_token_s=None, **fields)  # fmt: skip


def ended(path: str, kind: str, case: dict[str, Any]) -> RunResult:
    """How ``path`` dealt with a case of the table: see SCENARIOS."""
    asked = {"question": case["question"]}
    right = tool_result(_reworded(case["output"], path), case["tool"], asked_by=path)
    wrong = tool_result(case["wrong_output"], case["tool"], asked_by=path)
    match kind:
        case "right":
            return run(path, right, says=case["says"], **asked)
        case "handed":
            return run(path, right, says=case["says"], abstained=True, **asked)
        case "wrong":
            return run(path, wrong, says=case["wrong_says"], **asked)
        case "handed wrong":
            return run(path, wrong, says=case["wrong_says"], abstained=True, **asked)
        case "slip":  # the tool was right, the sentence is not
            return run(path, right, says=case["wrong_says"], **asked)
        case "tool failed":
            return run(path, tool_result(None, case["tool"]), says="Sorry, that failed.", **asked)
        case "no tool":
            return run(path, says="I am unsure.", **asked)
        case "failed":
            return run(path, says=None, **asked)
        case "stopped":
            return run(path, says=None, error=STOPPED, **asked)
        case "not run":
            return run(path, says=None, error=NOT_RUN, **asked)
    raise AssertionError(kind)


def _reworded(output: str, path: str) -> str:
    """The same finding behind another writing of what was asked."""
    return output if path == "router" or " = " not in output else "it = " + output.partition(" = ")[2]


SCENARIOS = {  # chain, tool calling, router: outcome as the page sees it, and with the reference
    ("right", "right", "right"): ("same", "right"),
    ("tool failed", "right", "right"): ("same", "right"),
    ("failed", "right", "right"): ("same", "right"),
    ("right", "slip", "right"): ("same", "right"),
    ("wrong", "right", "right"): ("differ", "right"),
    ("wrong", "wrong", "right"): ("differ", "right"),
    ("right", "right", "wrong"): ("differ", "wrong"),
    ("right", "wrong", "wrong"): ("differ", "wrong"),
    ("right", "right", "slip"): ("differ", "wrong"),
    ("slip", "slip", "right"): ("differ", "right"),
    ("right", "right", "tool failed"): ("tool_failed", "wrong"),
    ("tool failed", "tool failed", "tool failed"): ("tool_failed", "wrong"),
    ("tool failed", "tool failed", "right"): ("unconfirmed", "right"),
    ("tool failed", "no tool", "wrong"): ("unconfirmed", "wrong"),
    ("no tool", "no tool", "no tool"): ("unconfirmed", "wrong"),
    ("right", "right", "no tool"): ("differ", "wrong"),
    ("right", "right", "handed"): ("handed_over", "handed_over"),
    ("right", "wrong", "handed wrong"): ("handed_over", "handed_over"),
    ("right", "right", "failed"): ("failed", "failed"),
    ("failed", "failed", "failed"): ("failed", "failed"),
    ("failed", "failed", "right"): ("alone", "alone"),
    ("right", "right", "stopped"): ("stopped", "stopped"),
    ("stopped", "not run", "not run"): ("stopped", "stopped"),
}  # fmt: skip


def reference(case: dict[str, Any]) -> Question:
    return from_row({"question": case["question"], "answer": case["answer"]})


def test_the_table_has_73_questions_whose_reference_tells_right_from_wrong() -> None:
    assert len({case["question"] for case in CASES}) == 73
    for case in CASES:
        known = reference(case)
        assert matches(case["says"], known.answers, known.exact_case), case
        assert not matches(case["wrong_says"], known.answers, known.exact_case), case


@pytest.mark.parametrize("kinds", SCENARIOS, ids="/".join)
def test_no_headline_is_green_over_a_wrong_failed_or_differing_answer(kinds: tuple[str, ...]) -> None:
    seen, known = SCENARIOS[kinds]
    for case in CASES:
        results = {path: ended(path, kind, case) for path, kind in zip(PATHS, kinds)}
        plain = verdict(results)
        told = verdict(results, Terms(reference=reference(case)))
        assert (plain.outcome, told.outcome) == (seen, known), case["question"]
        assert plain.good == (seen == "same") and told.good == (known == "right"), case["question"]
        assert not plain.good or kinds[2] == "right"


def test_what_is_wrong_in_the_same_way_is_called_the_same_and_never_right() -> None:
    """Nothing on the page can see it without a reference, so the page does not say more than it knows."""
    for case in CASES:
        results = {path: ended(path, "wrong", case) for path in PATHS}
        assert verdict(results).headline == "Same result as the LLM chain and tool calling."
        told = verdict(results, Terms(reference=reference(case)))
        assert (told.outcome, told.good) == ("wrong", False)
        assert told.headline == "The router's answer is wrong, as are the LLM chain's and tool calling's."


# ------------------------------------------------------------------ the words

TIP = tool_result("18% of 64.50 = 11.61")


def race_of(**changed: RunResult) -> dict[str, RunResult]:
    return {path: run(path, TIP) for path in PATHS} | changed


def test_the_cheapest_rival_is_named_with_tokens_dollars_and_seconds_in_one_order() -> None:
    found = verdict(race_of(), Terms(price=lambda use: use.o200k_input / 1000))
    assert found.headline == "Same result as the LLM chain and tool calling."
    assert found.cost == (
        "Against tool calling, the cheapest rival: "
        "1 LLM call instead of 2, 10× fewer tokens, 10× cheaper, 2.0× faster."
    )
    assert found.lines == (
        "Against the LLM chain: 1 LLM call instead of 3, 11× fewer tokens, 11× cheaper, 3.0× faster.",
    )


def test_the_cheapest_is_told_by_dollars_where_every_price_is_known_and_else_by_tokens() -> None:
    dear = {80: 1.0, 800: 9.0, 900: 2.0}
    assert "the LLM chain, the cheapest rival" in verdict(race_of(), Terms(price=lambda use: dear[use.o200k_input])).cost
    dear[900] = None
    assert "tool calling, the cheapest rival" in verdict(race_of(), Terms(price=lambda use: dear[use.o200k_input])).cost


def test_what_the_router_lost_is_said_and_takes_the_green_away() -> None:
    dearer = verdict(race_of(router=run("router", TIP, spent=(2, 1600, 1.0))))
    assert dearer.cost.endswith("the cheapest rival: 2 LLM calls each, 2.0× faster, but 2.0× more tokens.")
    slower = verdict(race_of(router=run("router", TIP, spent=(1, 80, 2.5))))
    assert slower.cost.endswith("10× fewer tokens, but 1.2× slower.")
    third = verdict(race_of(llm_chain=run("llm_chain", TIP, spent=(3, 900, 0.5))))
    assert third.lines == ("Against the LLM chain: 1 LLM call instead of 3, 11× fewer tokens, but 2.0× slower.",)
    assert not dearer.good and not slower.good and not third.good


def test_a_draw_is_not_green() -> None:
    found = verdict(race_of(router=run("router", TIP, spent=(2, 801, 2.01))))
    assert found.cost.endswith("2 LLM calls each, as many tokens, as fast.") and not found.good


def test_a_hand_over_saved_nothing_says_why_and_claims_no_speed() -> None:
    results = race_of(router=run("router", TIP, abstained=True, spent=(2, 800, 0.5)))
    found = verdict(results, Terms(reason="calculator does not take '3 boxes' in."))
    assert found.headline == (
        "The router handed over to the LLM, so it saved nothing against tool calling. "
        "It got the same result as the LLM chain and tool calling."
    )
    assert found.lines[-1] == "Why it was handed over: calculator does not take '3 boxes' in."
    assert found.cost == "" and "faster" not in " ".join(found.lines)


def test_what_a_path_found_before_its_last_call_failed_is_a_result() -> None:
    tried = run("tool_calling", TIP, tool_result(None))
    broken = run("router", tool_result(None), says="Sorry.")
    found = verdict({"tool_calling": tried, "router": broken})
    assert found.headline == "The router's tool failed; tool calling got a result."
    assert verdict(race_of(tool_calling=tried)).headline == "Same result as the LLM chain and tool calling."
    part = verdict(race_of(router=run("router", TIP, tool_result(None))))
    assert part.headline == "A tool of the router's failed; the LLM chain and tool calling got a result."


def test_after_a_hand_over_a_failed_try_does_not_hide_what_the_llm_found() -> None:
    found = verdict(race_of(router=run("router", tool_result(None), TIP, abstained=True, spent=(3, 900, 2.0))))
    assert found.headline.endswith("It got the same result as the LLM chain and tool calling.")


@pytest.mark.parametrize("tried", [None, "Nothing found for 'atlantis' in 1,804 passages."])
def test_where_the_routers_tool_gave_nothing_no_saving_is_told(tried: str | None) -> None:
    for handed in (False, True):
        empty = {p: run(p, tool_result(tried), says="I do not know.") for p in PATHS}
        empty["router"] = run("router", tool_result(tried), says="I do not know.", abstained=handed)
        found = verdict(empty)
        assert found.outcome == ("handed_over" if handed else "tool_failed" if tried is None else "nothing_found")
        assert found.headline.endswith(", and no other path got a result.")
        assert (found.cost, found.lines, found.good) == ("", (), False)


def test_a_wrong_answer_saves_nothing() -> None:
    known = from_row({"question": "18% of 64.50?", "answer": "11.61"})
    found = verdict(race_of(router=run("router", TIP, says="It is 12.")), Terms(reference=known))
    assert (found.outcome, found.cost, found.lines) == ("wrong", "", ())


def test_an_agreement_with_the_model_that_gave_the_router_its_input_confirms_nothing() -> None:
    found = verdict(race_of(), Terms(borrowed=True))
    assert (found.outcome, found.good) == ("unconfirmed", False)
    assert "but from the same LLM" in found.headline


def test_small_talk_is_neither_confirmed_nor_green() -> None:
    bye = {path: run(path, says="Bye!", spent=spent) for path, spent in
           (("llm_chain", (2, 590, 0.8)), ("tool_calling", (1, 420, 0.2)), ("router", (1, 100, 0.9)))}  # fmt: skip
    found = verdict(bye)
    assert found.headline == "No tool ran: each answer is the model's own."
    assert found.cost == "Against tool calling, the cheapest rival: 1 LLM call each, 4.2× fewer tokens, but 4.5× slower."
    assert found.lines[0].endswith("but 1.1× slower.")
    assert not found.good


def test_two_right_paths_are_compared_and_a_wrong_one_is_no_rival() -> None:
    cheap = run("tool_calling", tool_result("18% of 64 = 11.52"), says="It is 11.52.", spent=(1, 90, 1.1))
    known = from_row({"question": "18% of 64.50?", "answer": "11.61"})
    found = verdict(race_of(tool_calling=cheap), Terms(reference=known))
    assert found.headline == "The router's answer is right, as is the LLM chain's; tool calling's is wrong."
    assert found.cost.startswith("Against the LLM chain, the only right rival: 1 LLM call instead of 3, 11× fewer tokens")


def test_a_rival_whose_tool_failed_is_not_what_the_router_is_measured_by() -> None:
    broken = run("tool_calling", tool_result(None), says="Sorry.", spent=(1, 70, 0.9))
    found = verdict(race_of(tool_calling=broken))
    assert found.cost.startswith("Against the LLM chain, the only rival with a result: ")
    assert found.lines == ("Against tool calling: 1 LLM call each, but 1.1× more tokens, 1.1× slower.",)


def test_failed_and_stopped_paths_are_told_apart_and_not_compared() -> None:
    cut = race_of(llm_chain=run("llm_chain", says=None), tool_calling=run("tool_calling", says=None, error=STOPPED))
    found = verdict(cut)
    assert found.lines == (
        "The LLM chain failed, so it is not compared.",
        "Tool calling was stopped, so it is not compared.",
    )
    begun = {path: run(path, says=None, error=NOT_RUN) for path in PATHS} | {
        "llm_chain": run("llm_chain", TIP, says=None, error=STOPPED)
    }
    found = verdict(begun)
    assert found.headline == "Stopped before a path had answered."
    assert found.lines[-1] == "Tool calling and the router were not run, so they are not compared."


def test_one_path_alone_is_no_victory() -> None:
    assert verdict({"router": run("router", TIP)}).headline == "Only the router ran: nothing to compare."
    assert verdict({"llm_chain": run("llm_chain", TIP)}).outcome == "alone"
    assert verdict({}) == Verdict("failed", OUTCOMES["failed"], "No path answered.", "", ())


def test_a_direct_answer_is_compared_without_dividing_by_zero() -> None:
    found = verdict(race_of(router=run("router", TIP, spent=(0, 0, 0.1))), Terms(price=lambda use: use.calls / 100))
    assert found.cost.endswith("0 LLM calls instead of 2, no tokens, free of charge, 20× faster.") and found.good


def test_the_races_stop_messages_are_the_ones_that_the_page_knows() -> None:
    from threading import Event

    from baselines.race import RaceConfig

    stop = Event()
    stop.set()
    (*_, last) = race("q", None, {"router": None}, RaceConfig(stop=stop))  # type: ignore[dict-item, arg-type]
    assert last.data["message"] == NOT_RUN


# ------------------------------------------------------------------ agreement


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("18% of 64.50 = 11.61", "18%*64.50 = 11.61", True),
        ("26.2 mi = 42.1648 km", "26.2 * 1.609 = 42.16", True),
        ("100 USD = 89.91 EUR (ECB rate of 2 March 2020)", "100 USD = 92.74 EUR (ECB rate of 23 March 2020)", False),
        ("5 km = 5 km", "5 miles = 5 miles", False),
        ("a = 16.4", "a = 16", False),
        ("is 1900 a leap year? = no", "is 1900 a leap year? = yes", False),
        ("The capital of Peru is Lima. (source: GeoNames, score 1.00)", "The capital of Peru is Lima.", True),
        ("The languages are German.", "The languages are German and French.", False),
        ('"quiet" in upper case = QUIET', '"quiet" in lower case = quiet', False),
    ],
)
def test_results_agree_by_what_they_found(one: str, other: str, same: bool) -> None:
    left, right = tool_result(one, q=1), tool_result(other, q=2)
    assert agree(left, right) == agree(right, left) == same


def test_the_same_call_found_the_same_although_the_clock_went_on() -> None:
    early, late = (tool_result(f"Tokyo: 15:{m} on Friday", "clock", place=p) for m, p in ((24, "Tokyo"), (25, "tokyo")))
    assert agree(early, late) and not agree(early, replace(late, output=None))


def test_steps_on_the_way_need_not_be_repeated_but_every_request_does() -> None:
    people = tool_result("The population of Malta is 483,530.", "search", query="population of Malta")
    share = tool_result("20% of 483,530 = 96,706", expression="20% of 483530")
    assert conclusions([people, share]) == [share]
    lima, square = tool_result("The capital of Peru is Lima.", "search"), tool_result("12*12 = 144", expression="12*12")
    assert conclusions([lima, square]) == [lima, square]
    question = "capital of Peru and 12*12"
    whole, half = run("router", lima, square, says="Lima, and 144.", question=question), "Only 144."
    rival = run("llm_chain", lima, square, says="Lima; 144.", question=question)
    assert verdict({"llm_chain": rival, "router": whole}).outcome == "same"
    assert verdict({"llm_chain": rival, "router": replace(whole, answer=half)}).outcome == "differ"


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ("Tokyo is 3 hours ahead of Delhi.", "time difference between Tokyo and Delhi = 3 hours 30 minutes"),
        ("In upper case it is PLEASURE.", '"feed the ducks" in upper case = FEED THE DUCKS'),
        ("The languages are Portuguese.", "The languages of Mozambique are Portuguese and Makhuwa."),
    ],
)
def test_a_sentence_that_loses_part_of_the_finding_does_not_carry_it(answer: str, output: str) -> None:
    assert not carries(answer, tool_result(output), "which?")


# ------------------------------------------------------------------ references and medians


def test_a_known_question_marks_each_path_and_any_other_text_none() -> None:
    known = reference_of(" whats 17 times 23 ")
    assert known is not None and known.answers == ("391",)
    results = race_of(router=run("router", says="17 * 23 is 391."), llm_chain=run("llm_chain", says=None))
    assert marks(results, known) == {"tool_calling": False, "router": True}
    assert reference_of("whats 17 times 24") is None and marks(results, None) == {}
    assert reference_of("write me a haiku about rain") is None  # its tools are known, its answer is not


def test_every_example_with_a_reference_is_one_of_the_pages() -> None:
    shown = (ASSETS / "composer.html").read_text(encoding="utf-8")
    for example in read_questions(ASSETS / "examples.jsonl").questions:
        assert f">{example.text}</button>" in shown and reference_of(example.text) == example


def test_medians_leave_out_what_failed() -> None:
    done = {"state": "done", "tokens": [10, 5], "seconds": 2.0, "cost": 0.1}
    rows = [{"paths": {"router": done}}, {"paths": {"router": done | {"state": "error", "tokens": [0, 0]}}}]
    assert medians(rows)["router"] == {"questions": 1, "tokens": 15, "seconds": 2.0, "cost": 0.1}
