"""How fast the embedded model is here: tokens per second and time to first token, by threads and by role.

Leaves out quality. ``python -m baselines bench --speed`` prints what ``measure`` gives.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping
from typing import Any

from dspy import lm15

from router.lms import prompts
from router.lms.embedded import LlamaEngine, grammar, slot_of
from router.lms.metering import count_tokens
from router.lms.model_file import ADAPTER, embedded_model
from router.lms.prompts import ChainStep, Prompt
from router.tools import Tool
from router.types import ToolCall, ToolResult

QUESTIONS = ("What is 17% of 260?", "How much is 17 times 26?", "Divide 17 into 260 parts")
RESULT = ToolResult(ToolCall("calculator", {"expression": "17% of 260"}), "17% of 260 = 44.2", None, 0.0)


def examples(question: str, tools: Mapping[str, Tool]) -> list[Prompt]:
    """One prompt of each role on a question that needs one tool, as the paths send them."""
    step = ChainStep("calculator", "17% of 260", RESULT.text)
    done = ChainStep("calculator", "17% of 260", RESULT.text, RESULT.text, True)
    return [
        prompts.plan(question, tools),
        prompts.interpret(question, tools, [step]),
        prompts.conclude(question, tools, [done]),
        prompts.call(question, tools),
        prompts.call(question, tools, [RESULT]),
        prompts.write(question, [RESULT]),
        prompts.chat(question),
        prompts.teach("thanks!"),
        prompts.fill(question, tools["calculator"], {}, ["expression"]),
    ]


def measure(tools: Mapping[str, Tool], threads: Iterable[int] = (1, 2)) -> list[dict[str, Any]]:
    """One row for each number of threads and role: the model's tokens in and out, o200k tokens in, seconds to the first
    token with a cold and with a warm prefix, and tokens per second of prompt and reply. Medians over three questions.
    """
    rows = []
    for n in threads:
        engine = LlamaEngine(embedded_model(), ADAPTER if ADAPTER.is_file() else None, n)
        by_question = [examples(question, tools) for question in QUESTIONS]
        for alike in zip(*by_question, strict=True):
            _flush(engine, slot_of(alike[0].role))
            runs = [_run(engine, prompt) for prompt in alike]
            cold, warm = runs[0], runs[1:]
            rows.append(
                {
                    "threads": n,
                    "role": alike[0].role,
                    "turns": len(alike[0].messages) - 1,
                    "input_tokens": cold["input"],
                    "o200k_input": count_tokens("\n".join(m["content"] for m in alike[0].messages)),
                    "output_tokens": round(statistics.median(r["output"] for r in runs)),
                    "first_token_cold_s": round(cold["first_s"], 2),
                    "first_token_warm_s": round(statistics.median(r["first_s"] for r in warm), 2),
                    "prompt_per_s": round(cold["input"] / cold["first_s"]),
                    "reply_per_s": round(statistics.median(r["per_s"] for r in runs), 1),
                }
            )
        engine.close()
    return rows


def _flush(engine: LlamaEngine, slot: int) -> None:
    """Fill a slot's cache with something else."""
    config = lm15.Config(max_tokens=1, extensions={"id_slot": slot})
    engine.complete(lm15.Request("speed", (lm15.Message.user("."),), config=config))


def _run(engine: LlamaEngine, prompt: Prompt) -> dict[str, float]:
    options: dict[str, Any] = engine.options(prompt.role)
    if prompt.schema:
        options["grammar"] = grammar(prompt.schema, prompt.or_text)
    system, *turns = prompt.messages
    speak = {"user": lm15.Message.user, "assistant": lm15.Message.assistant}
    messages = tuple(speak[m["role"]](m["content"]) for m in turns)
    config = lm15.Config(max_tokens=48, temperature=0.0, extensions=options)
    started, first, last, usage = time.perf_counter(), None, 0.0, lm15.Usage()
    for event in engine.stream(lm15.Request("speed", messages, system["content"], config=config)):
        last = time.perf_counter()
        if event.type == "delta":
            first = first or last
        elif event.type == "end":
            usage = event.usage
    first = first or last
    output = usage.output_tokens or 0
    return {
        "input": usage.input_tokens,
        "output": output,
        "first_s": first - started,
        "per_s": (output - 1) / (last - first) if output > 1 and last > first else 0.0,
    }
