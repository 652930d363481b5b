"""Right answers of questions that are known beforehand, so that the page can mark what is right."""

from __future__ import annotations

from functools import cache

from baselines.evaluate.questions import Question, read_questions
from pages.services import ASSETS


def reference_of(question: str) -> Question | None:
    """The question of ``assets/questions.jsonl`` with this very text, where it has a right answer that is known."""
    return _known().get(question.strip())


@cache
def _known() -> dict[str, Question]:
    questions, _ = read_questions(ASSETS / "questions.jsonl")
    return {one.text.strip(): one for one in questions if one.answers}
