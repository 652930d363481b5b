"""Language models: make one, know what it can do, ask it, and meter every call.

Every LM is a ``dspy.LM`` around an engine: llama.cpp in this process (``embedded``) or LiteLLM's providers. A call on
behalf of a path goes through a Meter, an engine around the engine, so that a prompt of ours, a DSPy signature and a
native tool call are all timed, counted, streamed and stopped by the same code. Leaves out caching: a race measures.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dspy
import jsonschema
from dspy import lm15
from dspy.clients.backend_selection import CLIENT_KEYS
from dspy.utils.exceptions import LMConfigurationError

from router.lms.embedded import ENGINES, LlamaEngine, slot_of
from router.lms.errors import MalformedReply, NoAnswer, explain, redact
from router.lms.meter import Meter
from router.lms.metering import count_tokens, price
from router.lms.model_file import ADAPTER, ModelFileError, embedded_model, gguf
from router.lms.prompts import MAX_REPLY, Prompt
from router.lms.provider import ProviderEngine, check_provider
from router.lms.replies import answered
from router.lms.untrained import choice, with_examples
from router.tools import shorten
from router.trace import Trace

__all__ = [
    "Capabilities", "MalformedReply", "ModelFileError", "NoAnswer", "answered", "ask", "ask_json", "capabilities",
    "count_tokens", "explain", "make_lm", "metered", "price", "read_json", "ready", "redact", "score",
]  # fmt: skip

EMBEDDED = "embedded"
EMBEDDED_NAME = "SmolLM2-135M-Instruct"
PROVIDER_REPLY = 1_000
"""Tokens that a provider's reply may have."""
UNTRAINED_REPLY = 80
"""Tokens, in one line, that the reply of a model may have which was not trained on the prompts."""
PROVIDER_TIMEOUT_S = 60.0
"""Seconds without a byte from a provider after which a call has failed."""


@dataclass(frozen=True)
class Capabilities:
    """What decides how an LM is asked.

    native_tools     takes tool schemas and returns tool calls; otherwise tool calling is emulated by a prompt
    signatures       follows DSPy signatures; otherwise it is asked with the prompts of ``router.lms.prompts``
    response_schema  its replies can be bound to a JSON schema
    local            runs in this process: concurrent paths disturb each other's timing, and there is no bill
    untrained        does not know these prompts: wants worked examples, and tool names scored rather than written
    teaches          writes learning instructions well; otherwise what it holds likely decides (``delegation.teacher``)
    """

    native_tools: bool
    signatures: bool
    response_schema: bool
    local: bool
    untrained: bool = False
    teaches: bool = True


def make_lm(spec: str, api_key: str | None = None) -> dspy.LM:
    """The LM that ``spec`` names, with sampling off and no response cache.

    ``embedded`` (with the adapter trained for these prompts, where it ships), ``embedded:base`` (without),
    ``path.gguf``, ``hf:owner/name/file.gguf``, or ``provider/model`` in LiteLLM's notation
    (https://docs.litellm.ai/docs/providers); ``api_key`` else comes from the provider's environment variable.

    Raises ModelFileError when weights are missing or bad, ValueError for a spec that names no model.
    """
    spec = spec.strip()
    count_tokens("")  # loads the tokenizer now and not within the first measured call
    if spec in (EMBEDDED, f"{EMBEDDED}:base"):
        adapter = ADAPTER if spec == EMBEDDED and ADAPTER.is_file() else None
        return _local(EMBEDDED_NAME, ENGINES.load(embedded_model(), adapter))
    if spec.endswith(".gguf"):
        path = gguf(spec)
        return _local(path.stem, ENGINES.load(path))
    check_provider(spec)
    engine = ProviderEngine(spec, timeout=PROVIDER_TIMEOUT_S, **({"api_key": api_key} if api_key else {}))
    settings: dict[str, Any] = {"engine": engine, "cache": False, "num_retries": 0}
    try:
        return dspy.LM(spec, temperature=0.0, max_tokens=PROVIDER_REPLY, **settings)
    except LMConfigurationError:  # reasoning models take neither
        return dspy.LM(spec, **settings)


def capabilities(lm: dspy.LM) -> Capabilities:
    """What ``lm`` can do, from what its engine and model declare."""
    return Capabilities(
        native_tools=lm.supports_function_calling,
        signatures=getattr(lm.engine, "follows_signatures", True),
        response_schema=lm.supports_response_schema,
        local=getattr(lm.engine, "runs_here", False),
        untrained=getattr(lm.engine, "untrained", False),
        teaches=getattr(lm.engine, "teaches", True),
    )


@contextmanager
def metered(lm: dspy.LM, trace: Trace, role: str, stream: bool | str = False) -> Iterator[dspy.LM]:
    """Make ``lm`` the LM of this block, each call of it an ``lm`` step of ``trace``.

    ``stream``: send the reply as ``token`` events too; a string names the field of a DSPy signature to send.
    Raises what the calls raise, NoAnswer where a reply is none, and Cancelled if the run was stopped.
    """
    engine = lm.engine if not isinstance(lm.engine, str) else _provider_engine(lm)
    meter = Meter(engine, lm.model, trace, role, stream)
    options = {k: v for k, v in lm.kwargs.items() if k not in CLIENT_KEYS and v is not None}
    copy = dspy.LM(lm.model, engine=meter, cache=False, num_retries=0, **options)
    with dspy.context(lm=copy, adapter=dspy.ChatAdapter(), disable_history=True, trace=[]):
        try:
            yield copy
        except Exception as error:
            trace.check()  # DSPy wraps what an engine raises, a wish to stop too
            if isinstance(error.__cause__, NoAnswer):
                raise error.__cause__ from None
            raise


def ask(lm: dspy.LM, prompt: Prompt, trace: Trace, stream: bool = False) -> str:
    """The reply to one prompt: one ``lm`` step of ``trace``, and ``token`` events when ``stream``.

    Where the LM allows, the reply is bound to the prompt's schema. Raises dspy's LMError, NoAnswer where the reply is
    none, and Cancelled.
    """
    with metered(lm, trace, prompt.role, stream) as metered_lm:
        return (metered_lm(_request(lm, prompt)).text or "").strip()


def ask_json(lm: dspy.LM, prompt: Prompt, trace: Trace) -> dict[str, Any]:
    """Like ``ask`` for a prompt with a schema. Raises MalformedReply when the reply does not fit it."""
    return read_json(ask(lm, prompt, trace), prompt.schema or {})


def read_json(reply: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of a reply, also from a fenced block. Raises MalformedReply where none fits ``schema``."""
    text = reply.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        value = json.loads(text)
        jsonschema.validate(value, dict(schema))
    except (ValueError, jsonschema.ValidationError) as error:
        reason = getattr(error, "msg", None) or getattr(error, "message", str(error))
        raise MalformedReply(
            f"The model's reply does not have the form asked for ({shorten(reason, 80)}): {shorten(text, 120)!r}. "
            "Try again or choose a more capable model."
        ) from error
    return value


def score(lm: dspy.LM, prompt: Prompt, texts: tuple[str, ...], trace: Trace) -> dict[str, float]:
    """Log-likelihood of each text as the reply to ``prompt``: one ``lm`` step, whose reply is the likeliest text.

    For models in this process. Raises ValueError for others.
    """
    if not capabilities(lm).local:
        raise ValueError(f"{lm.model} does not score replies: only a model in this process does. Ask it instead.")
    meter = Meter(lm.engine, lm.model, trace, prompt.role)
    return meter.score(prompt.messages, texts, slot_of(prompt.role))


def ready(lm: dspy.LM, beginnings: Iterable[Prompt], stop: threading.Event | None = None) -> None:
    """Bring the prefix cache of a model in this process to the state that a new question finds in use: how the prompts
    of these roles begin is in it, and nothing of any question. ``beginnings``: prompts that ask ``prompts.BLANK``.

    Takes a few seconds the first time, then a fraction of one, and is no call of any path. Other models keep their
    caches themselves: nothing is done. Raises lm15 errors, and Cancelled when ``stop`` is set.
    """
    if get_ready := getattr(lm.engine, "ready", None):
        get_ready([_request(lm, prompt) for prompt in beginnings], stop or threading.Event())


def _local(name: str, engine: LlamaEngine) -> dspy.LM:
    return dspy.LM(f"local/{name}", engine=engine, cache=False, num_retries=0, temperature=0.0, max_tokens=MAX_REPLY)


def _provider_engine(lm: dspy.LM) -> ProviderEngine:
    """The engine of an LM that somebody else made with DSPy's own choice of engine."""
    return ProviderEngine(lm.model, **{k: v for k, v in lm.kwargs.items() if k in CLIENT_KEYS})


def _request(lm: dspy.LM, prompt: Prompt) -> lm15.Request:
    able, options = capabilities(lm), {}
    if able.local:
        names = choice(prompt) if able.untrained else None
        options["extensions"] = lm.engine.options(
            prompt.role, prompt.schema, prompt.or_text or not prompt.schema, names
        )
    elif prompt.schema and able.response_schema and not prompt.or_text:
        options["response_format"] = {"type": "json_schema", "name": prompt.role, "schema": dict(prompt.schema)}
    limit = lm.kwargs.get("max_tokens") or lm.kwargs.get("max_completion_tokens")
    if able.untrained:  # it does not know where to stop
        limit, options["stop"] = UNTRAINED_REPLY, ("\n",)
    config = lm15.Config(temperature=lm.kwargs.get("temperature"), max_tokens=limit, **options)
    system, *turns = (with_examples(prompt) if able.untrained else prompt).messages
    speak = {"user": lm15.Message.user, "assistant": lm15.Message.assistant}
    messages = tuple(speak[m["role"]](m["content"]) for m in turns)
    return lm15.Request(model=lm.model, messages=messages, system=system["content"], config=config)
