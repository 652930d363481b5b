"""Value types that every room shares.

Leaves out behaviour: nothing here runs a tool, calls a model or touches a file. Standard library only, so that a log
reader or a notebook can import these without torch, dspy or gradio.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import wraps
from typing import Any, Literal, TypeVar

T = TypeVar("T")

SMALLTALK = "smalltalk"
"""Label of greetings, thanks and acknowledgements: no tool, a candidate for self-delegation."""
NONE = "none"
"""Label of questions that no tool serves: the LLM answers by itself."""
NON_TOOLS = (SMALLTALK, NONE)

EventKind = Literal["start", "route", "lm", "token", "tool", "answer", "error"]


@dataclass(frozen=True)
class ToolCall:
    """One tool and the arguments it is to run with (they fit the tool's JSON schema)."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class ToolResult:
    """What a tool call gave: exactly one of ``output`` and ``error`` is a string."""

    call: ToolCall
    output: str | None
    error: str | None
    seconds: float

    @property
    def text(self) -> str:
        """The output, or the error as the sentence that an LLM is shown."""
        return self.output if self.output is not None else f"Error: {self.error}"


@dataclass(frozen=True)
class Question:
    """A question on its way from decision to answer, with what was read of it on the way.

    ``history`` holds the turns before it as chat messages (``{"role": ..., "content": ...}``). What rooms read of the
    text is kept with it (``once``), and a part of a question is one value, however many rooms look at it.
    """

    text: str
    history: tuple[Mapping[str, Any], ...] = ()
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    _parts: dict[str, Question] = field(default_factory=dict, repr=False, compare=False)

    def part(self, text: str) -> Question:
        """The question that ``text``, a part of this one or what it becomes, is by itself."""
        if text == self.text:
            return self
        return self._parts.setdefault(text, Question(text, self.history, _parts=self._parts))


def once(read: Callable[[Question], T]) -> Callable[[Question], T]:
    """A reading of a question that is computed when first asked for, and kept with the question."""

    @wraps(read)
    def kept(question: Question) -> T:
        if read not in question.kept:
            question.kept[read] = read(question)
        return question.kept[read]

    return kept


@dataclass(frozen=True)
class Decision:
    """The router's choice for one question.

    ``tool`` is a tool's name, ``smalltalk`` or ``none``: the most probable label, also when the router abstained.
    ``probabilities`` are calibrated and sum to 1; ``confidence`` is what the threshold is compared with. ``reason`` says
    why it abstained, where it does not lie in the probabilities.
    """

    tool: str | None
    probabilities: Mapping[str, float]
    confidence: float
    abstained: bool
    reason: str = ""

    @property
    def doubt(self) -> str:
        """Why it abstained, in a sentence."""
        return self.reason or "The router is not sure which tool the question needs."


Outcome = Literal["call", "partial", "abstain", "none"]
"""call: tools run as planned; partial: the tool is sure, slots are open; abstain: the LLM chooses; none: no tool."""


@dataclass(frozen=True)
class Step:
    """One call of a plan: the text that it answers, and per slot where its argument comes from.

    ``places``: slot → where its values stand in ``span``, as [start, end) in characters. ``result`` is there where
    planning had to know it, which only a tool without effects allows; it ran at ``ran_at`` (seconds of
    ``time.perf_counter``).
    """

    call: ToolCall
    sources: Mapping[str, str] = field(default_factory=dict)
    span: str = ""
    places: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    result: ToolResult | None = None
    ran_at: float | None = None

    @property
    def key(self) -> str:
        """Equal for steps that call the same tool with the same arguments."""
        return json.dumps([self.call.tool, dict(self.call.arguments)], sort_keys=True, default=str)


@dataclass(frozen=True)
class Plan:
    """What is to be done for a question; making it has run no tool that has effects.

    ``decision`` is the router's on the question as asked, ``steps`` the calls in the order of running. ``missing`` names
    the slots that are open in the one step of a partial plan. ``abstained``: the language model has to choose. ``reason``
    says why a plan is partial or abstained. ``shortlist``: where tools were chosen by their schemas alone, those that the
    language model needs to see, in the order in which they are offered. ``decision_s``: seconds that the decision took.
    ``call_confidence``: the probability that tool and all arguments are right, where these were learned from calls.
    """

    decision: Decision
    steps: tuple[Step, ...] = ()
    missing: tuple[str, ...] = ()
    abstained: bool = False
    reason: str = ""
    shortlist: tuple[str, ...] = ()
    decision_s: float = 0.0
    call_confidence: float | None = None

    @property
    def confidence(self) -> float:
        """How sure the plan is: of the whole call where that is known, else of the tool."""
        return self.decision.confidence if self.call_confidence is None else self.call_confidence

    @property
    def outcome(self) -> Outcome:
        if self.abstained:
            return "abstain"
        if not self.steps:
            return "none"
        return "partial" if self.missing else "call"


@dataclass(frozen=True)
class Usage:
    """Tokens and money of one or more LLM calls.

    ``input_tokens``, ``cached_tokens`` (the part of the input that the provider read from its prompt cache) and
    ``output_tokens`` are the model's own counts; ``o200k_*`` count the same texts with OpenAI's o200k_base, so that
    models compare on one tokenizer. The two are never added together. ``cost_usd`` is None when no price is known.
    ``counted_calls``: those of the calls whose tokens the provider did not say, or not all, so that o200k's count stands
    for its own.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    o200k_input: int = 0
    o200k_output: int = 0
    cost_usd: float | None = None
    counted_calls: int = 0

    def __add__(self, other: Usage) -> Usage:
        if not self.calls or not other.calls:
            return other if not self.calls else self
        known = self.cost_usd is not None and other.cost_usd is not None
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            o200k_input=self.o200k_input + other.o200k_input,
            o200k_output=self.o200k_output + other.o200k_output,
            cost_usd=self.cost_usd + other.cost_usd if known else None,
            counted_calls=self.counted_calls + other.counted_calls,
        )


@dataclass(frozen=True)
class TraceEvent:
    """One thing that happened on a path, ``elapsed_s`` seconds after its start. ``data`` holds JSON values only.

    ====== ==================================================================================================
    kind   data
    ====== ==================================================================================================
    start  question
    route  outcome, tool, confidence, abstained, threshold, probabilities, microseconds (of the decision), reason,
           missing, shortlist
    lm     phase "begin": step, role · phase "end": the same and seconds (model time), wait_s (in the queue of
           a local model), first_token_s, reply, thoughts (where the model told some), usage (the fields of Usage),
           error when it failed
    token  step, text (a piece of the final answer)
    tool   phase "begin": step, tool, arguments, sources (slot → "question" | "llm") · phase "end": the same
           and output, error, seconds
    answer answer, usage, lesson (a learningInstruction or None; see ``delegation``)
    error  message (one sentence for a person), usage
    ====== ==================================================================================================
    """

    path: str
    kind: EventKind
    elapsed_s: float
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunResult:
    """How one path dealt with one question: exactly one of ``answer`` and ``error`` is a string.

    ``seconds`` to the end and ``first_token_s`` leave out the time in the queue of a local model.
    """

    path: str
    question: str
    answer: str | None
    error: str | None
    decision: Decision | None
    tool_results: tuple[ToolResult, ...]
    usage: Usage
    seconds: float
    first_token_s: float | None


@dataclass(frozen=True)
class Example:
    """A question with the label it should be routed to.

    ``reward`` is None for a labelled example and the observed reward for a logged decision; ``source`` says where it
    comes from ("synthetic:calculator:17", "trace:runs.jsonl:12", ...). ``at``: when it was asked (ISO 8601), "" where
    that is not known.
    """

    question: str
    tool: str
    arguments: Mapping[str, Any] | None = None
    reward: float | None = None
    source: str = ""
    at: str = ""


@dataclass(frozen=True)
class Rule:
    """A phrase that the gatekeeper answers in the browser. Times are milliseconds since 1970 (as in JavaScript)."""

    phrase: str
    response: str
    taught_by: str
    learned_at: int
    expires_at: int
    hits: int = 0
    saved_usage: Usage = Usage()


def to_json(value: Any) -> Any:
    """A value type as plain dicts, lists and scalars, ready for ``json.dumps``."""
    return asdict(value)


def run_result_from_json(row: Mapping[str, Any]) -> RunResult:
    """The inverse of ``to_json`` for a RunResult.

    Raises KeyError or TypeError when ``row`` lacks a field or has one of another type.
    """
    decision = row["decision"]
    results = (
        ToolResult(ToolCall(r["call"]["tool"], r["call"]["arguments"]), r["output"], r["error"], r["seconds"])
        for r in row["tool_results"]
    )
    return RunResult(
        path=row["path"],
        question=row["question"],
        answer=row["answer"],
        error=row["error"],
        decision=Decision(**decision) if decision else None,
        tool_results=tuple(results),
        usage=Usage(**row["usage"]),
        seconds=row["seconds"],
        first_token_s=row["first_token_s"],
    )
