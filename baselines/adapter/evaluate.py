"""Held-out figures of an adapter, measured through llama.cpp as the paths use it, on templates never trained on.

Replies are sampled greedily and without a grammar, so that validity is the model's own merit. Leaves out the paths
themselves: ``python -m baselines run`` measures those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dspy import lm15

from baselines.adapter.traces import Trace
from router.lms import prompts
from router.lms.embedded import LlamaEngine
from router.tools import Tool, ToolError
from router.types import NONE

_NUMBER = re.compile(r"\d[\d,.:]*")


@dataclass(frozen=True)
class Asked:
    """One prompt and the reply that its trace has, ``expected``. ``role`` is that of ``router.lms.prompts``."""

    role: str
    messages: tuple[Mapping[str, str], ...]
    expected: str


@dataclass(frozen=True)
class Judged:
    """A reply, with the claims that were checked on it."""

    asked: Asked
    reply: str
    claims: Mapping[str, bool]

    @property
    def right(self) -> bool:
        return all(self.claims.values())


class Local:
    """The base model, with or without an adapter, in this process; replies are greedy and bound to no grammar."""

    def __init__(self, base: Path, adapter: Path | None, threads: int | None = None) -> None:
        self._engine = LlamaEngine(base, adapter, threads)

    def reply(self, role: str, messages: Sequence[Mapping[str, str]], limit: int = prompts.MAX_REPLY) -> str:
        """The reply to a prompt of ``role``. Raises lm15 errors."""
        system, *turns = messages
        speak = {"user": lm15.Message.user, "assistant": lm15.Message.assistant}
        config = lm15.Config(temperature=0.0, max_tokens=limit, extensions=self._engine.options(role))
        said = tuple(speak[turn["role"]](turn["content"]) for turn in turns)
        request = lm15.Request(model="local", messages=said, system=system["content"], config=config)
        return (self._engine.complete(request).message.text or "").strip()


def asked(trace: Trace) -> list[Asked]:
    """Every prompt of a transcript with its reply; none where the reply is only begun."""
    if not trace.whole:
        return []
    found, chain = [], trace.role in ("plan", "chain")
    for place, message in enumerate(trace.messages):
        if message["role"] == "assistant":
            before = trace.messages[place - 1]["content"]
            role = trace.role
            if chain:
                role = "interpret" if before.endswith("Interpret.") else "conclude" if before == "Answer." else "plan"
            found.append(Asked(role, trace.messages[:place], message["content"]))
    return found


def judge(question: Asked, reply: str, tools: Mapping[str, Tool]) -> Judged:
    """Check ``reply`` against what its role asks for."""
    text_wanted = question.role in ("conclude", "write", "chat") or not question.expected.startswith("{")
    if text_wanted:
        claims = {"text": not reply.startswith("{")} | _sentence_claims(question, question.expected, reply)
    else:
        wanted, got = json.loads(question.expected), _json(reply)
        claims = {"valid": isinstance(got, dict)}
        if isinstance(got, dict):
            claims |= _json_claims(question, wanted, got, tools)
    return Judged(question, reply, claims)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _json_claims(
    question: Asked, wanted: dict[str, Any], got: dict[str, Any], tools: Mapping[str, Tool]
) -> dict[str, bool]:
    if question.role == "plan":
        right = got.get("tool") == wanted["tool"]
        same = right and (
            wanted["tool"] == NONE or _same_words(tools[wanted["tool"]], wanted["input"], str(got.get("input")))
        )
        return {"tool": right, "arguments": same}
    if question.role == "interpret":
        claims = _sentence_claims(question, wanted["finding"], str(got.get("finding")))
        return claims | {"done": got.get("done") == wanted["done"]}
    if question.role == "call":
        right = got.get("name") == wanted["name"]
        return {
            "tool": right,
            "arguments": right and _same_call(tools[wanted["name"]], wanted["arguments"], got.get("arguments")),
        }
    if question.role == "teach":
        lesson = got.get("learningInstruction")
        claims = {"verdict": (lesson is not None) == ("learningInstruction" in wanted)}
        if isinstance(lesson, dict) and claims["verdict"]:
            claims["query"] = lesson.get("query") == wanted["learningInstruction"]["query"]
        return claims
    return {"arguments": got == wanted}


def _same_words(tool: Tool, wanted: str, got: str) -> bool:
    if wanted == got:
        return True
    first, second = tool.parse(wanted), tool.parse(got)
    return first is not None and second is not None and _same_call(tool, first, second)


def _same_call(tool: Tool, wanted: Mapping[str, Any], got: Any) -> bool:
    if wanted == got:
        return True
    if not isinstance(got, dict):
        return False
    try:
        tool.check(got)
    except ToolError:
        return False
    first, second = tool.call(wanted), tool.call(got)
    return first.output is not None and second.output is not None and _tail(first.output) == _tail(second.output)


def _tail(output: str) -> str:
    return output.rpartition(" = ")[2]


def numbers(text: str) -> set[str]:
    """The numbers of a text, without thousands separators and final points."""
    return {match.rstrip(".,:").replace(",", "") for match in _NUMBER.findall(text)}


def _sentence_claims(question: Asked, wanted: str, got: str) -> dict[str, bool]:
    seen = " ".join(message["content"] for message in question.messages[1:])
    words = set(re.findall(r"\w+", wanted.lower()))
    shared = len(words & set(re.findall(r"\w+", got.lower()))) / max(1, len(words))
    carries = numbers(wanted) <= numbers(got) and (bool(numbers(wanted)) or shared >= 0.7)
    if question.role == "chat" or (question.role in ("call", "conclude") and "Result: " not in seen):
        return {"sane": bool(got.strip()) and numbers(got) <= numbers(seen) | numbers(wanted)}
    return {"carries the result": carries, "no foreign number": numbers(got) <= numbers(seen)}


def fresh_phrases(file: str = "fresh.txt") -> list[tuple[str, bool]]:
    """(phrase, may be taught) pairs for the teacher's verdict, none of them in the training data."""
    lines = resources.files(__package__).joinpath(file).read_text("utf-8").splitlines()
    return [(line[2:], line.startswith("+")) for line in lines if line[:2] in ("+ ", "- ")]


@dataclass(frozen=True)
class Verdict:
    """A phrase, whether it may be taught, and the teacher's reply."""

    phrase: str
    simple: bool
    reply: str

    @property
    def taught(self) -> bool:
        got = _json(self.reply)
        return isinstance(got, dict) and isinstance(got.get("learningInstruction"), dict)

    @property
    def valid(self) -> bool:
        got = _json(self.reply)
        return isinstance(got, dict) and isinstance(got.get("userResponse"), str)


def replies(base: Path, adapter: Path | None, asked: Sequence[tuple[str, Any]], processes: int) -> Iterator[str]:
    """The replies to ``asked``, (role, messages) pairs, in order, from ``processes`` processes of one thread each."""
    with ProcessPoolExecutor(processes, get_context("spawn"), _load, (base, adapter)) as pool:
        yield from pool.map(_reply, *zip(*asked, strict=True))


_local: Local | None = None
"""The model of a process of ``replies``."""


def _load(base: Path, adapter: Path | None) -> None:
    global _local
    _local = Local(base, adapter, threads=1)


def _reply(role: str, messages: Sequence[Mapping[str, str]]) -> str:
    return _local.reply(role, messages)


def summary(judged: Sequence[Judged], teacher: Sequence[Verdict], unseen: Sequence[Verdict] = ()) -> dict[str, Any]:
    """Shares by role and claim, and the teacher's precision and recall on both sets of phrases, with the counts they
    stand on.

    A claim's share is over the replies that it applies to; a reply that is no JSON where it should be fails them all.
    """
    roles: dict[str, Any] = {}
    for role in sorted({one.asked.role for one in judged}):
        chosen = [one for one in judged if one.asked.role == role]
        shares = {
            claim: _share(
                [
                    one.claims.get(claim, False)
                    for one in chosen
                    if claim in one.claims or not one.claims.get("valid", True)
                ]
            )
            for claim in sorted({claim for one in chosen for claim in one.claims})
        }
        roles[role] = {"asked": len(chosen), "right": _share([one.right for one in chosen])} | shares
    return {"roles": roles, "teacher": _figures(teacher)} | ({"teacher_unseen": _figures(unseen)} if unseen else {})


def _figures(teacher: Sequence[Verdict]) -> dict[str, Any]:
    taught = [one.simple for one in teacher if one.taught]
    return {
        "phrases": len(teacher),
        "valid": _share([one.valid for one in teacher]),
        "taught": len(taught),
        "precision": _share(taught),
        "recall": _share([one.taught for one in teacher if one.simple]),
    }


def _share(claims: Sequence[bool]) -> float | None:
    """The share of true ones, to four places; None of nothing."""
    return round(sum(claims) / len(claims), 4) if claims else None
