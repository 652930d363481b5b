"""JSON rows of a file's text, each with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from router.learning.logs.values import Problem


def json_rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """(line, row) of JSONL; of a JSON document, its rows with their number in the place of a line."""
    if text.lstrip()[:1] in ("[", "{"):
        try:
            document = json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            document = None
        if isinstance(document, dict) and isinstance(document.get("events"), list):
            document = document["events"]
        if isinstance(document, list):
            yield from enumerate(document, 1)
            return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as fault:
                problems.append(
                    Problem(number, f"not JSON: {fault.msg} at column {fault.colno}. Write one object a line.")
                )
            except RecursionError:
                problems.append(Problem(number, "JSON is nested too deep. Write one flat object a line."))
