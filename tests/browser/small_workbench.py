"""The command that trains a visitor's router, with a network small enough for a test."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import call_log

from router.calls.tagger import CallModel
from router.learning.own import CallAims
from router.learning.tagging import CallProgress, JudgedCalls, fit_and_judge
from router.tools import ToolSet
from router.types import Example
from router.workbench.__main__ import main


def learn(rows: Sequence[Example], tools: ToolSet, aims: CallAims, tell: Callable[[CallProgress], None]) -> JudgedCalls:
    config = replace(call_log.SMALL, members=1, folds=2, epochs=4, least_steps=120, target=aims.target)
    found = fit_and_judge(rows, config, tell)
    parts = replace(found.model.parts, tools=tuple(tools.as_json()))
    return replace(found, model=CallModel(found.model.router, parts))


if __name__ == "__main__":
    sys.exit(main(learn=learn))
