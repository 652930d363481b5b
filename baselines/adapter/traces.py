"""Synthetic agent traces: what a competent model writes on every path, for every prompt of ``router/prompts.py``.

A trace is a transcript in the chat format whose assistant messages are to be learned. Prompts come from the functions
that the paths call, results from the tools that the paths run, so training and use cannot drift apart. One transcript
holds several replies where a path asks several times: the chain's plan, finding and answer, a tool call and its answer.

    role     replies in the transcript                                     share of the traces
    plan     the plan alone                                                a fifth
    chain    plan, interpretation and answer, for one to three tools       a twelfth
    call     the tool call, often with the answer from its result          over a quarter
    write    the answer from one to three results                          a twenty-fifth
    teach    the reply to small talk, with or without a lesson             a tenth
    verdict  the beginning of that reply, which says whether a lesson      a quarter, of few tokens
             comes: learned slowly, and cheap
    fill     the arguments that the question's parser missed               a thirtieth
    chat     the answer where no tool serves                               a thirtieth
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from baselines.adapter.cases import Case, Source, balanced, cases
from baselines.adapter.results import altered, broken, forecast
from baselines.adapter.sentences import sentence
from baselines.adapter.talk import Talk, look_alikes, open_questions, small_talk
from router.builtin import ToolConfig, default_tools
from router.lms import prompts
from router.lms.prompts import ChainStep
from router.tools import Tool
from router.types import NONE

SHARES = {
    "plan": 0.21, "chain": 0.08, "call": 0.26, "write": 0.04, "teach": 0.1, "verdict": 0.25, "fill": 0.03, "chat": 0.03,
}  # fmt: skip
_MORE = {"calculator": 1.6, "calendar": 1.6, "text": 1.5, "clock": 1.3, "currency": 1.3, "unit_converter": 1.2}
"""Tools with more kinds of calls get more cases."""
_ALTERED, _BROKEN, _TALK, _SECOND, _ALIKE = 0.3, 0.07, 0.17, 0.12, 0.4
"""Shares: altered results, errors, questions without a tool, questions for a second tool, and what only looks like
small talk among what the teacher is asked."""


NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
"""What the clock says while traces are made, so that the same seed makes the same ones on any day."""


def still_tools() -> dict[str, Tool]:
    """The tools that ship, with their clock stopped at ``NOW``."""
    return default_tools(ToolConfig(now=lambda: NOW))


@dataclass(frozen=True)
class Trace:
    """A transcript. ``messages`` begins with the system message and ends with a reply to be learned, of which only the
    beginning is there unless it is ``whole``."""

    role: str
    messages: tuple[Mapping[str, str], ...]
    source: str
    whole: bool = True

    @property
    def replies(self) -> int:
        return sum(message["role"] == "assistant" for message in self.messages)


@dataclass(frozen=True)
class Material:
    """What traces of one side of the split are made from."""

    cases: tuple[Case, ...]
    talk: tuple[Talk, ...]
    alike: tuple[Talk, ...]
    questions: tuple[tuple[str, str], ...]


def material(tools: Mapping[str, Tool], count: int, source: Source) -> Material:
    """About ``count`` cases over all tools, and as much talk as goes with them."""
    seed, held_out = source.seed, source.held_out
    per_tool = max(8, count // len(tools))
    found = []
    for label in sorted(tools):
        wanted = int(per_tool * _MORE.get(label, 1.0))
        found += balanced(list(cases(tools, label, 3 * wanted, source)), wanted)
    talk = small_talk(count, seed, held_out)
    alike = look_alikes([case.question for case in found], count, source)
    return Material(tuple(found), tuple(talk), tuple(alike), tuple(open_questions(count // 4, seed, held_out)))


def traces(
    tools: Mapping[str, Tool], count: int, seed: int, held_out: bool = False, words: Sequence[str] = ()
) -> list[Trace]:
    """``count`` traces in the order of training; roles are spread evenly over it. ``words``: those of the model's
    vocabulary, to be copied."""
    source = material(tools, max(80, count // 2), Source(seed, held_out, tuple(words)))
    rng = random.Random(f"{seed}/traces/{held_out}")
    make = {
        "plan": _plan,
        "chain": _chain,
        "call": _call,
        "write": _write,
        "teach": _teach,
        "verdict": _verdict,
        "fill": _fill,
        "chat": _chat,
    }
    made: list[tuple[float, Trace]] = []
    for role, share in SHARES.items():
        wanted = round(count * share)
        for position in range(wanted):
            made.append(((position + rng.random()) / wanted, make[role](tools, source, rng)))
    return [trace for _, trace in sorted(made, key=lambda pair: pair[0])]


def data_hash(made: Iterable[Trace]) -> str:
    """SHA-256 over all transcripts, in order."""
    digest = hashlib.sha256()
    for trace in made:
        digest.update(json.dumps([trace.role, list(map(dict, trace.messages))], ensure_ascii=False).encode())
    return digest.hexdigest()


def _plan(tools: Mapping[str, Tool], source: Material, rng: random.Random) -> Trace:
    if rng.random() < _TALK:
        return _chain_talk(tools, source, rng, planned=True)
    case = rng.choice(source.cases)
    question = case.question
    if rng.random() < _SECOND:
        question, _ = _joined(case, _another(case, source, rng), rng)
    step = ChainStep(case.result.call.tool, case.words, case.result.text)
    messages = prompts.interpret(question, tools, [step]).messages[:3]  # system, question, plan
    return Trace("plan", messages, case.source)


def _chain(tools: Mapping[str, Tool], source: Material, rng: random.Random) -> Trace:
    if rng.random() < _TALK:
        return _chain_talk(tools, source, rng, planned=False)
    question, parts = _question(source, rng)
    steps = []
    for number, case in enumerate(parts, 1):
        finding = sentence(case.question, case.result)
        call = case.result.call
        steps.append(ChainStep(call.tool, case.words, case.result.text, finding, done=number == len(parts)))
    messages = prompts.conclude(question, tools, steps).messages
    return Trace("chain", (*messages, _assistant(_answer(parts))), parts[0].source)


def _chain_talk(tools: Mapping[str, Tool], source: Material, rng: random.Random, planned: bool) -> Trace:
    question, reply = _no_tool(source, rng)
    messages = prompts.conclude(question, tools, ()).messages
    if planned:
        return Trace("plan", messages[:3], NONE)
    return Trace("chain", (*messages, _assistant(reply)), NONE)


def _call(tools: Mapping[str, Tool], source: Material, rng: random.Random) -> Trace:
    if rng.random() < _TALK:
        question, reply = _no_tool(source, rng)
        return Trace("call", (*prompts.call(question, tools).messages, _assistant(reply)), NONE)
    question, parts = _question(source, rng)
    while not all(case.fit_for_call for case in parts):
        question, parts = _question(source, rng)
    messages = prompts.call(question, tools, [case.result for case in parts]).messages
    if len(parts) == 1 and rng.random() < 0.5:
        return Trace("call", messages[:3], parts[0].source)  # system, question, call
    return Trace("call", (*messages, _assistant(_answer(parts))), parts[0].source)


def _write(tools: Mapping[str, Tool], source: Material, rng: random.Random) -> Trace:
    question, parts = _question(source, rng)
    messages = prompts.write(question, [case.result for case in parts]).messages
    return Trace("write", (*messages, _assistant(_answer(parts))), parts[0].source)


def _chat(tools: Mapping[str, Tool], source: Material, rng: random.Random) -> Trace:
    question, reply = _no_tool(source, rng, talk=0.15)
    return Trace("chat", (*prompts.chat(question).messages, _assistant(reply)), NONE)


def _teach(tools: Mapping[str, Tool], source: Material, rng: random.Random) -> Trace:
    talk = rng.choice(source.alike if rng.random() < _ALIKE else source.talk)
    messages = prompts.teach(talk.phrase).messages
    return Trace("teach", (*messages, _assistant(lesson(talk))), "smalltalk")


_VERDICT = re.compile(r'\{"\w+')


def _verdict(tools: Mapping[str, Tool], source: Material, rng: random.Random) -> Trace:
    taught = _teach(tools, source, rng)
    *prompt, reply = taught.messages
    begun = _assistant(_VERDICT.match(reply["content"])[0])
    return Trace("verdict", (*prompt, begun), taught.source, whole=False)


def lesson(talk: Talk) -> str:
    """The teacher's reply as JSON, its verdict first."""
    taught = {"command": "LEARN_SIMPLE_PHRASE", "query": talk.phrase, "response": talk.reply}
    reply = {"learningInstruction": taught} if talk.simple else {}
    return json.dumps({**reply, "userResponse": talk.reply}, ensure_ascii=False)


def _fill(tools: Mapping[str, Tool], source: Material, rng: random.Random) -> Trace:
    case = rng.choice(source.cases)
    while not case.fit_for_call:
        case = rng.choice(source.cases)
    call = case.result.call
    slots = sorted(call.arguments)
    missing = [slot for slot in call.arguments if slot in rng.sample(slots, rng.randint(1, len(slots)))]
    known = {slot: value for slot, value in call.arguments.items() if slot not in missing}
    prompt = prompts.fill(case.question, tools[call.tool], known, missing)
    reply = json.dumps({slot: call.arguments[slot] for slot in missing}, ensure_ascii=False)
    return Trace("fill", (*prompt.messages, _assistant(reply)), case.source)


def _no_tool(source: Material, rng: random.Random, talk: float = 0.4) -> tuple[str, str]:
    """(phrase, reply) of small talk or of a question that no tool serves."""
    if rng.random() < talk:
        chosen = rng.choice(source.talk)
        return chosen.phrase, chosen.reply
    return rng.choice(source.questions)


def _question(source: Material, rng: random.Random) -> tuple[str, list[Case]]:
    """A question for one tool, or for two or three, and its cases in order."""
    first = _dealt(rng.choice(source.cases), rng)
    if rng.random() >= _SECOND:
        return first.question, [first]
    second = _dealt(_another(first, source, rng), rng)
    question, parts = _joined(first, second, rng)
    if rng.random() < 0.2 and len(question) < 90:
        third = _dealt(_another(second, source, rng), rng)
        return f"{question}, and {third.question}", [*parts, third]
    return question, parts


def _dealt(case: Case, rng: random.Random) -> Case:
    """``case`` with its result as it is, altered, or an error."""
    if case.result.call.tool == "weather" and rng.random() < 0.7:
        case = forecast(case, rng)
    chance = rng.random()
    if chance < _BROKEN:
        return broken(case, rng)
    return altered(case, rng) if chance < _BROKEN + _ALTERED else case


def _another(case: Case, source: Material, rng: random.Random) -> Case:
    while True:
        other = rng.choice(source.cases)
        if other.question != case.question and len(other.question) < 60:
            return other


def _joined(first: Case, second: Case, rng: random.Random) -> tuple[str, list[Case]]:
    link = rng.choice((" and ", ", and ", " and also ", "? And ", ". Also, ", "; ", " plus ", ", then ", "? "))
    return f"{first.question.rstrip('?!. ')}{link}{second.question}", [first, second]


def _answer(parts: Sequence[Case]) -> str:
    return " ".join(sentence(case.question, case.result) for case in parts)


def _assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}
