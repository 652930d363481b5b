"""The background that says how rare a word is among tools: ``router/network/word_counts.json``.

Made by ``python -m router.learning.word_counts FOLDER`` from Seal-Tools (Wu et al. 2024, fairyshine/Seal-Tools,
Apache-2.0): the documents of its tools and its development questions. Leaves out words of one document, and everything
of the data set but these counts.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from router.network.zero_shot import COUNTS_FILE, different_words, schema_words
from router.tools import Tool

LEAST = 2


def count(folder: Path) -> dict[str, Any]:
    """The counts, with their source, from Seal-Tools' ``tool.jsonl`` and ``dev.jsonl`` in ``folder``.

    Raises OSError, or KeyError where a file holds something else.
    """
    tools, questions = (
        [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]
        for name in ("tool.jsonl", "dev.jsonl")
    )
    documents = [schema_words(_tool(row)) for row in tools] + [different_words(row["query"]) for row in questions]
    counts = Counter(word for words in documents for word in set(words) if word)
    return {
        "source": "Seal-Tools (Wu et al. 2024, github fairyshine/Seal-Tools), Apache-2.0: documents that have a word",
        "documents": len(documents),
        "counts": {word: number for word, number in sorted(counts.items()) if number >= LEAST},
    }


def _tool(row: dict[str, Any]) -> Tool:
    slots = {name: {"description": slot.get("description", "")} for name, slot in row["parameters"].items()}
    return Tool("tool", row["api_description"] or row["api_name"], {"properties": slots | {row["api_name"]: {}}})


if __name__ == "__main__":
    COUNTS_FILE.write_text(json.dumps(count(Path(sys.argv[1])), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
