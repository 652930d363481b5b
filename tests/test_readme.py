"""The README's Python examples run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import dspy
import pytest

from app import build_page
from pages import frame
from tests.browser.scripted import services
from tests.scripted_lm import field, scripted_lm

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    """The code block after the mark ``<!-- example:name -->``."""
    found = re.search(rf"<!-- example:{name} -->\n```python\n(.*?)```", README, re.DOTALL)
    assert found, f"README.md has no example {name!r}"
    return found[1]


def test_the_client_example_gives_a_route_and_three_answers(capsys: pytest.CaptureFixture[str]) -> None:
    page = build_page(services())
    try:
        address, _ = frame.serve(page, "127.0.0.1", None)
        exec(example("client").replace("http://127.0.0.1:7860/", address), {})
    finally:
        page.close()
    said = capsys.readouterr().out
    assert "'tool': 'calculator'" in said
    assert all(f"'{path}': " in said for path in ("llm_chain", "tool_calling", "router"))


def test_the_example_of_a_tool_of_ones_own_routes_to_it_and_runs_it(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict = {}
    exec("from router.pipeline import RouterPipeline\n" + example("tool"), names)
    changed, past = map(int, re.findall(r"(\d+) of (\d+) remembered", capsys.readouterr().out)[0])
    assert changed <= 0.01 * past
    with dspy.context(lm=scripted_lm(field(answer="RR987654321 is in transit."))):
        run = names["agent"](question="where is my parcel RR987654321")
    assert run.tool_results[0].output == "RR987654321: in transit" and run.answer == "RR987654321 is in transit."


def test_the_example_of_tools_as_people_have_them_says_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    exec(example("toolset"), {})
    printed = [line.split("# ")[1] for line in example("toolset").splitlines() if line.startswith("print")]
    assert capsys.readouterr().out.splitlines() == printed


def test_the_hand_over_of_the_example_notes_what_the_llm_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(example("handover"), names)
    call = {"name": "calculator", "arguments": {"expression": "2+2"}}
    with dspy.context(lm=scripted_lm(call, "It is 4.", call, native_tools=True)):  # it may be asked for the call again
        names["agent"](question="what is 2+2")
    ((_, row),) = names["handover"].journal.rows()
    assert (row.question, row.llm_call.tool, row.mode) == ("what is 2+2", "calculator", "collecting")


def test_every_example_is_marked() -> None:
    blocks, marked = README.count("```python"), len(re.findall(r"<!-- example:\w+ -->\n```python", README))
    assert blocks - marked == 1  # the agent on a router of one's own, which has to be trained first
