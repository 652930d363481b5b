"""What a workspace comes to: an archive to take home, and what differs between two reports.

Leaves out training, and the archive's place.
"""

from __future__ import annotations

import io
import itertools
import json
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from router.calls.confidence import comparable, given
from router.calls.tagger import CallModel, save_router
from router.network import Router
from router.plans import plan
from router.tools import ToolSet, shorten
from router.types import NON_TOOLS, Example
from router.workbench import folder as files
from router.workbench.examples import question_key, settled

MOST_TESTS = 10
MOST_TRIES = 200
"""Rows of a tool that are tried for the test."""
ANOTHER_DAY = datetime(2001, 2, 3, 4, 5)
README = """\
# A router for {tools}

`router/` is a small network that calls these tools by itself where it is sure, and hands over where it is not.
`tools.json` is the list it was trained for, in the form of MCP's `tools/list`. Where Switchyard is installed:

- Route: `python -m router route QUESTIONS.txt --router router --tools tools.json`, with a question a line.
- Python: `from router.calls.tagger import load_router; from router.plans import plan; from router.tools import ToolSet`
  and `plan({question}, load_router("router"), ToolSet.read("tools.json"))`, which has an `outcome` and `steps`.
- Before your LLM: `python -m router serve --router router --mode live --upstream https://api.openai.com/v1`
- Test: {test}
- Measured: {measured}
- Kept of the log: {kept} words, and values of slots, which it reads by.
"""
TEST = '''\
"""Questions that the router in this folder calls rightly by itself."""

import json
from pathlib import Path

import pytest

from router.calls.confidence import comparable
from router.calls.tagger import load_router
from router.plans import plan
from router.tools import ToolSet

HERE = Path(__file__).parent
ROUTER, TOOLS = load_router(HERE / "router"), ToolSet.read(HERE / "tools.json")
ROWS = [json.loads(row) for row in (
{rows}
)]


@pytest.mark.parametrize(("question", "tool", "arguments"), ROWS)
def test_calls(question, tool, arguments):
    found = plan(question, ROUTER, TOOLS)
    assert found.outcome == "call", found.reason
    (step,) = found.steps
    assert (step.call.tool, comparable(dict(step.call.arguments))) == (tool, comparable(arguments))
'''


def pack(folder: Path) -> bytes:
    """A zip of the router in ``folder``, its tools, a README, and a test of MOST_TESTS rows at most that the router
    calls rightly by itself, of each tool in turn; without such rows there is no test. No other row goes with it.

    Raises OSError, ValueError and ArtifactError where the folder has no tools, router and report that can be read.
    """
    tools, about = files.load_tools(folder), files.load_report(folder)
    router = files.without_log(files.load(folder), tools)
    rows = list(itertools.islice(_called(settled(files.load_rows(folder), tools), router, tools), MOST_TESTS))
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as made, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        save_router(router, made)
        for file in sorted(Path(made).iterdir()):
            archive.write(file, f"{files.ROUTER}/{file.name}")
        archive.writestr(files.TOOLS, json.dumps(tools.as_json(), ensure_ascii=False, indent=1))
        archive.writestr("README.md", _readme(tools, rows, about))
        if rows:
            told = (json.dumps([row.question, row.tool, given(row)], ensure_ascii=False) for row in rows)
            archive.writestr("test_router.py", TEST.format(rows="\n".join(f"    {row!r}," for row in told)))
    return out.getvalue()


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What two reports say differently of the rows that were held out for both: per row its ``question``, what is
    ``wanted`` (as ``b`` has it, which is the later report), and for ``a`` and ``b`` the call that was ``read``, its
    ``confidence``, whether it was ``right`` and would have been made (``called``). Rows of which both say the same, but
    for the confidence, are left out. Of a question that comes several times the last stands."""
    before = {question_key(row["question"]): row for row in a["rows"]}
    after = {question_key(row["question"]): row for row in b["rows"]}
    shown = ("read", "confidence", "right", "called")
    return [
        {"question": row["question"], "wanted": row["wanted"]}
        | {side: {name: one[name] for name in shown} for side, one in (("a", before[key]), ("b", row))}
        for key, row in after.items()
        if key in before and _differs(before[key], row)
    ]


def _differs(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    made = lambda row: (comparable(row["read"]), row["right"], row["called"])  # noqa: E731
    return made(a) != made(b)


def _called(rows: Sequence[Example], router: Router | CallModel, tools: ToolSet) -> Iterator[Example]:
    """Those of ``rows`` that ``router`` calls rightly by itself on any day, of each tool in turn."""
    by_tool: dict[str, list[Example]] = defaultdict(list)
    for row in {question_key(row.question): row for row in rows}.values():
        if row.tool not in NON_TOOLS and row.arguments is not None:
            by_tool[row.tool].append(row)
    right = [(row for row in own[:MOST_TRIES] if _is_called(row, router, tools)) for own in by_tool.values()]
    for turn in itertools.zip_longest(*right):
        yield from filter(None, turn)


def _is_called(row: Example, router: Router | CallModel, tools: ToolSet) -> bool:
    if isinstance(router, CallModel):
        now, then = (router.call(row.question, day).read.arguments for day in (None, ANOTHER_DAY))
        if now != then:
            return False
    found = plan(row.question, router, tools)
    made = [(step.call.tool, comparable(dict(step.call.arguments))) for step in found.steps]
    return found.outcome == "call" and made == [(row.tool, comparable(given(row)))]


def _readme(tools: ToolSet, rows: Sequence[Example], about: Mapping[str, Any]) -> str:
    asked = rows[0].question if rows else next(iter(tools.values())).description
    asked = " ".join(asked.split())
    tested = f"`python -m pytest test_router.py` asks {len(rows)} of your questions that it calls rightly by itself."
    return README.format(
        tools=shorten(", ".join(tools), 100),
        question=json.dumps(asked, ensure_ascii=False),
        test=tested if rows else "none, since it calls none of your questions by itself yet.",
        measured=_measured(about),
        kept="the questions in the test," if rows else "no question, but",
    )


def _measured(about: Mapping[str, Any]) -> str:
    chosen = about["threshold"]
    if not chosen:
        return about["measured_on"]
    said = about["measured_on"]
    if not chosen["sure"]:
        return f"{said} It makes no call by itself yet: too few of them were right to promise {chosen['target']:.0%}."
    return (
        f"{said} It would have made {chosen['sure']} calls, {chosen['coverage']:.0%} of the questions for tools; "
        f"{chosen['precision']:.1%} of them were right ({chosen['lower_bound']:.1%} at 95 % confidence)."
    )
