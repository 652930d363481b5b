"""Public data sets as the benchmark reads them: CLINC150 (Larson et al. 2019), BANKING77 (Casanueva et al. 2020), or
rows of one's own. Leaves out downloading: the files are given.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from router.learning.data import read_examples
from router.learning.training import hold_out
from router.types import Example


@dataclass(frozen=True)
class Dataset:
    """In-scope examples and out-of-scope questions, each in three parts."""

    name: str
    train: list[Example]
    validation: list[Example]
    test: list[Example]
    oos_validation: list[str]
    oos_test: list[str]

    @property
    def labels(self) -> list[str]:
        return sorted({example.tool for example in self.train})


def read_dataset(path: Path, test: Path | None = None, oos: Path | None = None) -> Dataset:
    """CLINC150's ``data_full.json``; BANKING77's training CSV with its test CSV beside it; or rows of
    ``{"question", "tool"}``. Where parts are missing they are split off by label. ``oos`` is a JSON file in CLINC150's
    format whose out-of-scope questions are used.

    Raises ValueError or KeyError where the file has another form.
    """
    outside = json.loads((oos or path).read_text(encoding="utf-8")) if oos or path.suffix == ".json" else {}
    oos_validation, oos_test = ([q for q, _ in outside.get(f"oos_{part}", [])] for part in ("val", "test"))
    if path.suffix == ".json":
        parts = ([Example(q, tool) for q, tool in outside[part]] for part in ("train", "val", "test"))
        return Dataset(path.parent.name, *parts, oos_validation, oos_test)
    if path.suffix == ".csv":
        test = test or path.with_name(path.name.replace("train", "test"))
        if test == path:
            raise ValueError("the test file is not known. Give --test FILE.")
        rest, tested = _read_csv(path), _read_csv(test)
    else:
        rest, problems = read_examples(path)
        if problems:
            raise ValueError(f"{len(problems)} rows cannot be read, the first: {problems[0]}. Mend or remove them.")
        if test is None:
            rest, tested = hold_out(rest, 0.2, seed=1)
        else:
            tested, _ = read_examples(test)
    train, validation = hold_out(rest, 0.1, seed=0)
    return Dataset(
        path.parent.name if path.suffix == ".csv" else path.stem, train, validation, tested, oos_validation, oos_test
    )


def _read_csv(path: Path) -> list[Example]:
    with open(path, encoding="utf-8", newline="") as file:
        return [Example(" ".join(row["text"].split()), row["category"]) for row in csv.DictReader(file)]
