"""Any provider that LiteLLM knows, as a DSPy engine that declares what its model can do.

Leaves out retries, metering and prices (``meter``, ``metering``). The API key stays in here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from dspy import lm15
from dspy.clients.engines.lifecycle import closing_stream
from dspy.clients.engines.litellm_engine import LiteLLMEngine, _ChatStream
from dspy.clients.engines.litellm_errors import litellm_errors

CHOICES = "Write embedded, a .gguf file, or provider/model such as openai/gpt-4o-mini."


class ProviderEngine(LiteLLMEngine):
    """DSPy's LiteLLM engine, stricter with streams: one that ends without a reason to end has broken off.

    Raises ValueError when LiteLLM knows no such provider.
    """

    def __init__(self, model: str, **client_options: Any) -> None:
        super().__init__(**client_options)
        self.supports_function_calling, self.supports_response_schema, self.supported_params = _declared(model)

    def stream(self, request: lm15.Request) -> Iterator[lm15.StreamEvent]:
        """The reply, piece by piece. Raises lm15 errors, StreamAssemblyError where it breaks off."""
        import litellm

        codec = _ChatStream(request)
        with litellm_errors(model=request.model):
            source = litellm.completion(**self._arguments(request, streaming=True))
        source._restore_consumer_correlation_context = _leave_context
        with closing_stream(source):
            chunks = iter(source)
            while True:
                with litellm_errors(model=request.model):
                    chunk = next(chunks, None)
                if chunk is None:
                    break
                if source.received_finish_reason is None and any(c.finish_reason for c in chunk.choices):
                    break  # LiteLLM made this ending up
                yield from codec.feed(chunk)
            if source.received_finish_reason is None:
                raise lm15.StreamAssemblyError("The reply ended without a finish reason.")
            yield codec.finish(litellm)

    def _arguments(self, request: lm15.Request, *, streaming: bool = False) -> dict[str, Any]:
        # LiteLLM's MCP gateway would be looked for with every request that has tools, and needs a package of its own.
        return super()._arguments(request, streaming=streaming) | {"_skip_mcp_handler": True}


def _leave_context(*, guarded: bool = False) -> None:
    """What LiteLLM's stream does, when it ends and when it is collected, about ids for log lines: nothing.

    They are never set for a stream that is read without asyncio. But to set a context variable in a finalizer crashes
    CPython before 3.12, where a collection may run within ContextVar.set (python/cpython#148891).
    """


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
