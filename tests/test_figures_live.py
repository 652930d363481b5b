"""Figures of the session are valid Plotly, say their values, and never invent one."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from baselines.figures import live, style
from router.trace import Trace
from router.types import TraceEvent, to_json
from tests.browser.scripted import usage


def run_of(path: str, *, wait: float = 0.0) -> list[TraceEvent]:
    """One LLM call of 1 s (after ``wait`` in the queue), a tool of 10 ms, a decision of 50 µs before them."""
    ticks = iter(
        (0.0, 0.5, 0.5, 0.5, 1.5 + wait, 1.5 + wait, 1.5 + wait, 1.5 + wait, 1.51 + wait, 1.51 + wait, 2.0 + wait)
    )
    trace = Trace(path, "q", clock=lambda: next(ticks))
    trace.emit("route", tool="calculator", microseconds=50.0)
    with trace.step("lm", role="plan") as outcome:
        outcome.update(seconds=1.0, wait_s=wait, usage=to_json(usage("plan")))
    with trace.step("tool", tool="calculator", arguments={}) as outcome:
        outcome.update(output="4", error=None, seconds=0.01)
    return trace.events


def valid(figure: style.Figure) -> go.Figure:
    """The figure, as plotly's own classes accept it."""
    return go.Figure(figure["data"], figure["layout"])


def test_timeline_is_one_trace_with_a_bar_for_each_step() -> None:
    figure = live.timeline({"router": run_of("router"), "llm_chain": run_of("llm_chain")})
    (trace,) = valid(figure).data
    assert list(trace.y) == ["Router"] * 3 + ["LLM chain"] * 3
    assert figure["summary"] == (
        "Timeline. Router: Decide 50 µs, Plan: choose a tool 1.00 s, calculator 10 ms; "
        "LLM chain: Decide 50 µs, Plan: choose a tool 1.00 s, calculator 10 ms."
    )


def test_time_in_a_models_queue_is_a_bar_of_its_own_before_the_call() -> None:
    wait, work = [s for s in live.spans(run_of("router", wait=0.4)) if s.kind in ("wait", "lm")]
    assert wait.label == "Waited for the model"
    assert wait.seconds == pytest.approx(0.4)
    assert wait.start + wait.seconds == pytest.approx(work.start)


def test_a_running_step_reaches_to_now() -> None:
    trace = Trace("router", "q", clock=iter((0.0, 1.0, 1.0, 1.0)).__next__)
    events = [*trace.events, TraceEvent("router", "lm", 1.0, {"phase": "begin", "step": 1, "role": "write"})]
    (span,) = live.spans(events, now=3.5)
    assert (span.start, span.seconds) == (1.0, 2.5)


def test_an_empty_race_has_an_empty_timeline() -> None:
    figure = live.timeline({"router": [], "llm_chain": []})
    valid(figure)
    assert figure["layout"]["yaxis"]["categoryarray"] == ["Router", "LLM chain"]


def test_a_missing_value_is_a_dash_and_not_a_zero() -> None:
    figure = live.one_question({"llm_chain": [("cost", None)], "router": [("cost", 0.0003)]}, style.money)
    valid(figure)
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["–", "<b>$0.00030</b>"]
    assert figure["summary"] == "This question: LLM chain no value and Router $0.00030."


def test_parts_of_a_bar_are_stacked_and_their_total_is_said() -> None:
    figure = live.one_question({"router": [("input", 74), ("output", 15)]}, style.count)
    assert [trace.x[0] for trace in valid(figure).data] == [74, 15]
    assert figure["layout"]["barmode"] == "stack"
    assert "Router 89" in figure["summary"]


def test_the_running_total_counts_what_has_no_value() -> None:
    figure = live.running_total({"router": [1.0, None, 2.0]}, style.count)
    (trace,) = valid(figure).data
    assert list(trace.y) == [1.0, 1.0, 3.0]
    assert figure["summary"] == "Running total: Router 3 (1 without a value)."


def test_questions_stand_on_whole_numbers() -> None:
    figure = live.by_question({"router": [1.0, 2.0], "llm_chain": [3.0, None]}, style.count, {"tickformat": ",d"})
    traces = valid(figure).data
    assert [list(trace.x) for trace in traces] == [[1, 2], [1, 2]]
    assert figure["layout"]["xaxis"]["dtick"] == 1


def test_a_calls_name_stands_in_its_bar_and_a_tools_beside_it() -> None:
    figure = live.timeline({"router": run_of("router")})
    (trace,) = valid(figure).data
    assert list(trace.text) == ["", "plan", ""]  # the decision, the call, the tool: 10 ms are too short for a name
    assert figure["layout"]["uniformtext"]["mode"] == "hide"


def test_the_browsers_chart_comes_empty() -> None:
    assert all(list(trace.x) == [] for trace in valid(live.browser_answers()).data)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "$0"), (0.00034, "$0.00034"), (0.0066, "$0.0066"), (0.25, "$0.25"), (12.5, "$12.50"), (2503.4, "$2,503")],
)
def test_money_keeps_two_significant_digits(value: float, said: str) -> None:
    assert style.money(value) == said


@pytest.mark.parametrize(("value", "said"), [(58e-6, "58 µs"), (0.012, "12 ms"), (0.84, "0.84 s"), (12.44, "12.4 s")])
def test_durations_are_said_in_a_fitting_unit(value: float, said: str) -> None:
    assert style.seconds(value) == said
