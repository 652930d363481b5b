"""Question sets through the paths: reading, running, judging, summing up, and replaying without calls.

matching     is an answer right?
questions    question sets from JSONL and CSV
runs         the engine: paths × questions → one row a line, resumable
judge        an LLM's verdict where there is no reference
statistics   rows → figures with intervals, comparisons, disagreements, stability, break-even
replay       the abstention threshold moved without new calls
growth       tokens and context over tools needed and tools on offer
day          self-delegation over a scripted day of messages
tables       Markdown tables from committed rows
"""

from __future__ import annotations

from baselines.evaluate.matching import foreign_numbers, matches, numbers
from baselines.evaluate.questions import Question, read_questions
from baselines.evaluate.runs import Row, RunConfig, read_rows, run

__all__ = [
    "Question",
    "Row",
    "RunConfig",
    "foreign_numbers",
    "matches",
    "numbers",
    "read_questions",
    "read_rows",
    "run",
]
