"""Any provider that LiteLLM knows, as a DSPy engine that declares what its model can do.

Leaves out retries, metering and prices (``meter``, ``metering``). The API key stays in here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from dspy import lm15
from dspy.clients._http import finite_seconds, retry_after_seconds
from dspy.clients.engines.lifecycle import closing_stream
from dspy.clients.engines.litellm_engine import LiteLLMEngine, _ChatStream
from dspy.clients.engines.litellm_errors import litellm_errors

CUT = ("length", "content_filter")
"""Reasons to end that no reply is whole with."""
ADORNMENTS = ("reasoning_details", "thinking_blocks", "annotations")
"""Fields of a streamed piece that say again, or more richly, what others do."""
LEAST_KEY = 8
"""Characters from which a text is a key that can be told from others."""
CHOICES = "Write embedded, a .gguf file, or provider/model such as openai/gpt-4o-mini."


class ProviderEngine(LiteLLMEngine):
    """DSPy's LiteLLM engine, stricter with streams: one that ends without a reason to end has broken off, and tokens
    are reported only where the provider did. Its errors say how long to wait, and never the key.

    Raises ValueError when LiteLLM knows no such provider.
    """

    def __init__(self, model: str, **client_options: Any) -> None:
        super().__init__(**client_options)
        self.supports_function_calling, self.supports_response_schema, self.supported_params = _declared(model)

    def stream(self, request: lm15.Request) -> Iterator[lm15.StreamEvent]:
        """The reply, piece by piece. Raises lm15 errors, StreamAssemblyError where it breaks off."""
        import litellm

        with self._faults(request.model):
            source = litellm.completion(**self._arguments(request, streaming=True))
        source._restore_consumer_correlation_context = _leave_context
        with closing_stream(source):
            yield from self._read(source, request)

    def _read(self, source: Any, request: lm15.Request) -> Iterator[lm15.StreamEvent]:
        import litellm

        codec, chunks = _ChatStream(request), iter(source)
        while True:
            with self._faults(request.model):
                chunk = next(chunks, None)
                if chunk is None:
                    break
                if source.received_finish_reason is None and any(c.finish_reason for c in chunk.choices):
                    break  # LiteLLM made this ending up
                events = list(codec.feed(_plain(chunk)))
            yield from events
        if source.received_finish_reason is None:
            raise lm15.StreamAssemblyError("The reply ended without a finish reason.")
        with self._faults(request.model):
            end = codec.finish(litellm)
        reason = source.received_finish_reason
        yield replace(
            end,
            finish_reason=reason if reason in CUT else end.finish_reason,  # also where calls are in the reply
            usage=_reported(end.usage, source.chunks),
        )

    @contextmanager
    def _faults(self, model: str) -> Iterator[None]:
        """What the provider says is wrong, as lm15 errors: with the time to wait, without the key."""
        try:
            with litellm_errors(model=model):
                yield
        except Exception as error:
            error.args = tuple(self._hidden(a) if isinstance(a, str) else a for a in error.args)
            if isinstance(error, lm15.LM15Error):
                error.message = self._hidden(error.message)
                error.retry_after = _retry_after(error)
            raise

    def _hidden(self, text: str) -> str:
        """``text`` without the key, and without the ends of it that a provider may show."""
        key = self.client_options.get("api_key") or ""
        if len(key) < LEAST_KEY:
            return text
        first, last = re.escape(key[:4]), re.escape(key[-4:])
        return re.sub(rf"{re.escape(key)}|\b{first}\S*|\S*{last}\b", "…", text)

    def _arguments(self, request: lm15.Request, *, streaming: bool = False) -> dict[str, Any]:
        # LiteLLM's MCP gateway would be looked for with every request that has tools, and needs a package of its own.
        return super()._arguments(request, streaming=streaming) | {"_skip_mcp_handler": True}


def _leave_context(*, guarded: bool = False) -> None:
    """What LiteLLM's stream does, when it ends and when it is collected, about ids for log lines: nothing.

    They are never set for a stream that is read without asyncio. But to set a context variable in a finalizer crashes
    CPython before 3.12, where a collection may run within ContextVar.set (python/cpython#148891).
    """


def _plain(chunk: Any) -> Any:
    """``chunk`` without what is neither text, nor thought, nor a call."""
    for choice in chunk.choices:
        for name in ADORNMENTS:
            if getattr(choice.delta, name, None):
                setattr(choice.delta, name, None)
        extras = getattr(choice.delta, "provider_specific_fields", None)
        if extras:
            choice.delta.provider_specific_fields = {k: v for k, v in extras.items() if k == "citation"}
    return chunk


def _reported(usage: lm15.Usage | None, chunks: Sequence[Any]) -> lm15.Usage:
    """``usage`` as far as it is the provider's: LiteLLM counts what is missing, and makes zeros of nulls."""
    said = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)]
    known = usage or lm15.Usage()
    return replace(
        known,
        input_tokens=known.input_tokens if any(one.prompt_tokens for one in said) else None,
        output_tokens=known.output_tokens if any(one.completion_tokens for one in said) else None,
        total_tokens=None,
    )


def _retry_after(error: BaseException | None) -> float | None:
    """Seconds that the provider asks to wait, from the headers of the reply beneath ``error``."""
    while error is not None:
        response = getattr(error, "response", None)
        for headers in (getattr(error, "litellm_response_headers", None), getattr(response, "headers", None)):
            named = {str(name).lower(): value for name, value in dict(headers or {}).items()}
            if (ms := finite_seconds(named.get("retry-after-ms"))) is not None:
                return ms / 1000
            if (seconds := retry_after_seconds(named.get("retry-after"))) is not None:
                return seconds
        error = error.__cause__ or error.__context__
    return None


def check_provider(spec: str) -> None:
    """Raise ValueError where ``spec`` is not ``provider/model`` with a provider that LiteLLM knows."""
    provider, _, model = spec.partition("/")
    if not provider or not model:
        raise ValueError(f"{spec!r} names no model. {CHOICES}")
    _declared(spec)


def missing_variables(model: str) -> list[str]:
    """The environment variables that LiteLLM wants for ``model`` and that are not set."""
    _declared(model)
    import litellm

    return litellm.validate_environment(model)["missing_keys"]


def _declared(model: str) -> tuple[bool, bool, frozenset[str]]:
    """Native tools, response schemas and parameters, as LiteLLM's table has them. Raises ValueError for no provider."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # read when litellm loads: the table of the package
    import litellm

    litellm.suppress_debug_info = True  # it would print an advertisement with every error
    try:
        _, provider, _, _ = litellm.get_llm_provider(model)
    except Exception as error:
        raise ValueError(f"{model!r} names no provider that LiteLLM knows. {CHOICES}") from error
    params = litellm.get_supported_openai_params(model=model, custom_llm_provider=provider) or ()
    schema = litellm.supports_response_schema(model=model, custom_llm_provider=provider)
    return bool(litellm.supports_function_calling(model)), bool(schema), frozenset(params)
