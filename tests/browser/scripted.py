"""Services whose race follows a script, so that the page's tests are fast and the same each time.

The script emits real events through real Traces; a word in the question chooses what goes wrong.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from pages.services import Limits, RaceOptions, Services
from router.builtin import default_tools
from router.plans import row
from router.trace import Cancelled, Trace
from router.types import Decision, Plan, Step, ToolCall, TraceEvent, Usage, to_json

HOSTILE = (
    '<img src=x onerror="window.pwned=1"> ${window.pwned=2} {{pwned}} [click](javascript:window.pwned=3) '
    "<script>pwned</script>"
)
TOOLS = ("calculator", "unit_converter", "clock", "search", "smalltalk", "none")
ROLES = {"llm_chain": ("plan", "interpret", "conclude"), "tool_calling": ("call", "call"), "router": ("write",)}
TOKENS = {
    "plan": (212, 18),
    "interpret": (268, 21),
    "conclude": (301, 16),
    "call": (246, 19),
    "write": (74, 15),
    "teach": (61, 38),
}


def usage(role: str) -> Usage:
    tokens_in, tokens_out = TOKENS[role]
    return Usage(1, tokens_in + 30, tokens_out + 2, tokens_in // 2, tokens_in, tokens_out, None)


def decision(question: str) -> Decision:
    first = "smalltalk" if "thx" in question.lower() else "calculator"
    rest = [name for name in TOOLS if name != first]
    share = 0.03
    odds = {first: 1 - share} | {name: share / len(rest) for name in rest}
    return Decision(first, odds, 1 - share, False)


def plan_row(question: str) -> dict[str, Any]:
    found = decision(question)
    step = Step(ToolCall(found.tool, {"expression": "18/100*64.50"}), {"expression": "question"}, question)
    return row(question, Plan(found, (step,)), 0.0002)


class Script:
    """One path's run."""

    def __init__(self, trace: Trace, stop: threading.Event, pace: float) -> None:
        self.trace, self.stop, self.pace = trace, stop, pace

    def wait(self, seconds: float) -> None:
        if self.stop.wait(seconds * self.pace):
            raise Cancelled("Stopped.")

    def llm(self, role: str, reply: str, stream: bool = False) -> str:
        with self.trace.step("lm", role=role) as outcome:
            self.wait(0.2)
            if stream:
                step = self.trace.events[-1].data["step"]
                for word in reply.split(" "):
                    self.wait(0.03)
                    self.trace.emit("token", step=step, text=word + " ")
            outcome.update(reply=reply, usage=to_json(usage(role)), wait_s=0.0, first_token_s=0.1)
        return reply

    def tool(self, question: str) -> None:
        arguments = {"expression": "18% of 64.50" if self.trace.path == "router" else "18/100*64.50"}
        with self.trace.step(
            "tool", tool="calculator", arguments=arguments, sources={"expression": "question"}
        ) as outcome:
            if "unreadable" in question:
                outcome.update(output=None, error="calculator cannot read it. Write it like 2 + 3 * 4.")
            elif "differ" in question and self.trace.path == "tool_calling":
                outcome.update(output="18% of 64 = 11.52", error=None)
            else:
                outcome.update(output="18% of 64.50 = 11.61", error=None)

    def run(self, question: str) -> None:
        path, text = self.trace.path, "18% of 64.50 is 11.61."
        if "hostile" in question:
            text = HOSTILE
        if "slow" in question:
            text, self.pace = "word " * 60, 10.0
        roles = ROLES[path]
        if path == "router":
            chosen = decision(question)
            handed = "boxes" in question
            if handed:
                chosen, roles = replace(chosen, abstained=True), ROLES["tool_calling"]
            reason = "calculator does not take '3 boxes' in." if handed else ""
            told = to_json(chosen) | {"reason": reason}
            self.trace.emit("route", **told, threshold=0.62, microseconds=58.0)
            if chosen.tool == "smalltalk":
                return self.smalltalk(question)
        if "unreachable" in question:
            with self.trace.step("lm", role=ROLES[path][0]):
                raise RuntimeError("The model could not be reached. Check the network.")
        if "broken" in question and path == "tool_calling":
            raise RuntimeError("The provider answered 429: too many requests. Wait a minute, or choose another model.")
        for role in roles[:-1]:
            self.llm(role, '{"tool": "calculator", "input": "18/100*64.50"}')
            if role in ("plan", "call"):
                self.tool(question)
        if len(roles) == 1:
            self.tool(question)
        self.trace.answer(self.llm(roles[-1], text, stream=True))

    def smalltalk(self, question: str) -> None:
        reply = self.llm("teach", "You're welcome!", stream=True)
        instruction = {"command": "LEARN_SIMPLE_PHRASE", "query": question, "response": reply}
        lesson = {"instruction": instruction, "accepted": True, "reason": "", "taught_by": "scripted"}
        lesson |= {"method": "by script", "usage": to_json(usage("teach")), "id": uuid.uuid4().hex}
        self.trace.answer(reply, lesson)


def race(question: str, lm: Any, options: RaceOptions) -> Iterator[TraceEvent]:
    """Run the script of every path, one after another."""
    inbox: list[TraceEvent] = []
    ready = threading.Condition()

    def sink(event: TraceEvent) -> None:
        with ready:
            inbox.append(event)
            ready.notify()

    def work() -> None:
        for path in options.paths:
            trace = Trace(path, question, sink, options.stop)
            if options.stop.is_set():
                trace.fail("Stopped before it began.")
                continue
            try:
                Script(trace, options.stop, lm.pace).run(question)
            except Exception as fault:
                trace.fail(str(fault))

    threading.Thread(target=work, daemon=True).start()
    open_paths = set(options.paths)
    while open_paths:
        with ready:
            ready.wait_for(lambda: inbox)
            event = inbox.pop(0)
        if event.kind in ("answer", "error"):
            open_paths.discard(event.path)
        yield event


def explain(question: str) -> SimpleNamespace:
    weights = ((word, 0.9 if any(c.isdigit() for c in word) else -0.12) for word in question.split())
    words = tuple(SimpleNamespace(word=word, contribution=weight) for word, weight in weights)
    near = SimpleNamespace(question="what is 15 % of 80", tool="calculator", likeness=0.9)
    chosen = decision(question)
    return SimpleNamespace(words=words, tool=chosen.tool, runner_up="unit_converter", margin=3.1, nearest=(near,))


def make_lm(spec: str, key: str | None) -> SimpleNamespace:
    if spec == "openai/nothing":
        raise ValueError(f"The model 'openai/nothing' needs a key (given: {key}). Paste one in the settings.")
    return SimpleNamespace(spec=spec, pace=1.0 if spec == "unhurried" else 0.15)


def price(use: Usage, model: str, cached: bool) -> float | None:
    return None if model == "gpt-5" else (use.o200k_input * (1.25 if cached else 2.5) + use.o200k_output * 10) / 1e6


def services(limits: Limits = Limits()) -> Services:
    router = SimpleNamespace(decide=decision, labels=TOOLS, threshold=0.62)
    return Services(
        router=router,
        tools=default_tools(),
        default_lm="embedded",
        make_lm=make_lm,
        is_local=lambda lm: True,
        ready=lambda lm: None,
        race=race,
        explain=explain,
        plan=plan_row,
        price=price,
        on_tools=lambda router, tools: {},
        priced_as=("gpt-4o", "gpt-4o-mini", "gpt-5"),
        limits=limits,
    )


if __name__ == "__main__":
    from app import build_page
    from pages import frame

    page = build_page(services())
    print(frame.serve(page, "127.0.0.1", 7899)[0], flush=True)
    time.sleep(36000)
