"""A conversation whatever its form: who asked, what was called, what was said; and what each question's turn shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from router.learning.logs.values import Labelled, Problem, Unfit, read_arguments, read_question, read_tool
from router.learning.logs.written import without_thoughts, written_calls


@dataclass(frozen=True)
class User:
    """What a person asked. ``bare``: a text in a column, of which nothing says that it went to a model with tools."""

    text: Any
    bare: bool = False


@dataclass(frozen=True)
class Call:
    """A tool call as the log has it: ``arguments`` are an object, or the JSON text of one."""

    tool: Any
    arguments: Any = None


@dataclass(frozen=True)
class Reply:
    """What the model wrote: an answer, or a call in its words. ``bare``: a text in a column."""

    text: str
    bare: bool = False


@dataclass(frozen=True)
class Bad:
    """What cannot be read of a turn, and why."""

    reason: str


Item = User | Call | Reply | Bad


def label_turns(items: Iterable[Item], line: int, source: str) -> Iterator[Labelled | Problem]:
    """Each question that was replied to, with the tools called until the next one; none where text answers it. A turn
    that cannot be read is a Problem, and the others are read. Raises Unfit where no turn has a reply."""
    turns: list[tuple[User, list[Item]]] = []
    before: list[Bad] = []
    for item in items:
        if isinstance(item, User):
            turns.append((item, []))
        elif turns:
            turns[-1][1].append(item)
        elif isinstance(item, Bad):
            before.append(item)
    replied = [(number, user, replies) for number, (user, replies) in enumerate(turns, 1) if replies]
    if not replied:
        raise Unfit(before[0].reason if before else "no reply follows a user's message, so nothing was chosen.")
    for number, user, replies in replied:
        try:
            yield _turn(user, replies, line, source)
        except Unfit as fault:
            yield Problem(line, f"turn {number}: {fault}" if len(turns) > 1 else str(fault))


def _turn(user: User, replies: list[Item], line: int, source: str) -> Labelled:
    question, calls = read_question(user.text), []
    if bad := next((item for item in replies if isinstance(item, Bad)), None):
        raise Unfit(bad.reason)
    for item in replies:
        if isinstance(item, Call):
            calls.append((item.tool, item.arguments))
            continue
        try:
            calls += written_calls(item.text)
        except Unfit:
            if not calls:  # after a call that is known, what was written further is of no consequence
                raise
    if not calls and not any(without_thoughts(item.text).strip() for item in replies):
        raise Unfit("the reply is empty, so it shows no choice. Remove the row.")
    if not calls and user.bare and all(item.bare for item in replies):
        raise Unfit("an answer beside a question does not say that no tool was right. Name that in a column 'tool'.")
    read = [(read_tool(tool), read_arguments(arguments)) for tool, arguments in calls]
    tools = tuple(dict.fromkeys(tool for tool, _ in read))
    return Labelled(line, question, tools, read[0][1] if read else None, source)
