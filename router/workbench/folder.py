"""A workspace is a folder: the tools, the rows, the router that was trained on them and its report.

What is written is whole or not there: each file, and the router's folder, is made beside and then renamed. Leaves out
training, and what is in the files.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from router.calls.tagger import CallModel, load_router, save_router
from router.learning.data import read_each, write_examples
from router.network import Router
from router.tools import ToolSet
from router.types import Example
from router.workbench.report import without_rows

TOOLS, ROWS, ROUTER, REPORT = "tools.json", "rows.jsonl", "router", "report.json"


def save_tools(tools: ToolSet, folder: Path) -> None:
    """Write ``tools`` as MCP lists them."""
    _whole(folder / TOOLS, lambda path: _write_json(path, tools.as_json()))


def load_tools(folder: Path) -> ToolSet:
    """The tools of ``folder``. Raises OSError and ValueError."""
    return ToolSet.read(folder / TOOLS)


def save_rows(rows: Sequence[Example], folder: Path) -> None:
    """Write ``rows`` as JSONL."""
    _whole(folder / ROWS, lambda path: write_examples(rows, path))


def load_rows(folder: Path) -> list[Example]:
    """The rows of ``folder``, none where it has no file of them. Raises OSError, and ValueError that names the line."""
    path = folder / ROWS
    return list(read_each(path)) if path.exists() else []


def correct(row: Example, folder: Path) -> None:
    """Append ``row`` to the rows of ``folder``. The next training leaves out every earlier row that asks the same and
    calls something else (``examples.settled``), so the correction stands alone for its question."""
    save_rows([*load_rows(folder), row], folder)


def save_report(report: Mapping[str, Any], folder: Path) -> None:
    """Write ``report`` as JSON."""
    _whole(folder / REPORT, lambda path: _write_json(path, report))


def load_report(folder: Path) -> dict[str, Any]:
    """The report of ``folder``. Raises OSError, and ValueError where it is damaged."""
    return json.loads((folder / REPORT).read_text(encoding="utf-8"))


def save(router: Router | CallModel, folder: Path) -> int:
    """Put ``router`` in the place of the one in ``folder``. Returns the bytes of its files."""
    made, before = folder / f"{ROUTER}.new", folder / f"{ROUTER}.old"
    for left in (made, before):
        shutil.rmtree(left, ignore_errors=True)
    made.mkdir(parents=True)
    save_router(router, made)
    if (folder / ROUTER).exists():
        (folder / ROUTER).rename(before)
    made.rename(folder / ROUTER)
    shutil.rmtree(before, ignore_errors=True)
    return sum(file.stat().st_size for file in (folder / ROUTER).iterdir())


def is_trained(folder: Path) -> bool:
    """Whether ``folder`` has a router and its report."""
    return (folder / ROUTER).is_dir() and (folder / REPORT).is_file()


def load(folder: Path) -> Router | CallModel:
    """The router of ``folder``. Raises ArtifactError where it is missing, damaged, foreign or newer."""
    return load_router(folder / ROUTER)


def without_log(router: Router | CallModel, tools: ToolSet) -> Router | CallModel:
    """``router`` without the questions that it remembers: of each label it keeps their words, one by one. What it does
    with a question stays the same, but where a negation or a time counts as known because an example has the same
    words in a row: that goes to the language model. It keeps ``tools`` alone, not those described from rows, and, since
    it reads by them, the values of the slots in the rows."""
    base = router.router if isinstance(router, CallModel) else router
    words = ((word, label) for label, own in sorted(base.label_words.items()) for word in sorted(own))
    base = base.having(memory=tuple(words))
    if not isinstance(router, CallModel):
        return base
    return CallModel(base, replace(router.parts, tools=tuple(tools.as_json())), router.others)


def share(folder: Path, to: Path) -> None:
    """Copy the tools, the router and the report of ``folder`` into ``to``, without a row or a question of one."""
    to.mkdir(parents=True, exist_ok=True)
    tools = load_tools(folder)
    save_tools(tools, to)
    save(without_log(load(folder), tools), to)
    save_report(without_rows(load_report(folder)), to)


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    made = path.with_name(f"{path.name}.new")
    write(made)
    os.replace(made, path)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
