"""What went wrong with a language model, as one sentence for a person, without secrets."""

from __future__ import annotations

import math
import os
import re

from dspy import lm15
from dspy.utils.exceptions import AdapterParseError, LMUnexpectedError

from router.tools import shorten
from router.trace import Cancelled

_SECRET = re.compile(
    r"\b(?:sk|pk|rk|hf|gsk|xai|key)[-_][A-Za-z0-9*_.-]{6,}|\bAIza[\w-]{10,}|(?i:bearer\s+)[\w.~+/=*-]{6,}"
)
_NO_KEY = re.compile(r"missing (?:\w+ )?(?:api key|credentials)", re.IGNORECASE)
_MASKED = re.compile(r"\S*[\w-](?:\*{2,}|\.{3,}|…)[\w-]\S*|\S*\*{3,}\S*")
"""A key of which the provider shows an end or two."""
_MIN_SECRET = 8
_TRY = "Try again or choose a more capable model."


class MalformedReply(ValueError):
    """A model's reply does not have the form that the prompt asks for."""


class NoAnswer(MalformedReply):
    """A model's reply is none: it is empty, withheld, cut off, nothing but thoughts, or calls without end."""


def explain(error: BaseException) -> str:
    """One sentence that says what happened and what helps. Keys are never in it."""
    cause = _cause(error)
    if isinstance(cause, Cancelled):
        return "Stopped."
    if isinstance(cause, AdapterParseError):
        reply = shorten(str(getattr(cause, "lm_response", "")), 120)
        return redact(f"The model's reply does not have the form asked for: {reply!r}. {_TRY}")
    if isinstance(cause, MalformedReply):
        return redact(str(cause))
    if isinstance(cause, lm15.LM15Error):
        found = _kind(cause)
        for kind, sentence in _SENTENCES:
            if issubclass(found, kind):
                status = cause.status or 401
                told = sentence.format(detail=_detail(cause), wait=_wait(cause), said=_said(cause), status=status)
                return redact(told)
        return redact(f"The model failed: {_detail(cause)}")
    return redact(f"{type(cause).__name__}: {_first_line(str(cause))}")


def redact(text: str) -> str:
    """``text`` without API keys: what looks like one, and whatever the environment holds as one."""
    for name, value in os.environ.items():
        if len(value) >= _MIN_SECRET and name.endswith(("_KEY", "_TOKEN", "_SECRET")):
            text = text.replace(value, "…")
    return _SECRET.sub("…", text)


_UNREACHED = (
    "The model could not be reached. Check the network, and the provider's address if you have set one "
    "(OPENAI_API_BASE, OLLAMA_API_BASE, … in the server's environment)."
)
_SENTENCES: tuple[tuple[type[Exception], str], ...] = (  # subclasses stand before their parents
    (lm15.ContextLengthError, "The context is too long for the model: {detail}"),
    (lm15.NotConfiguredError, "No API key is set for this model. Set it in the environment or enter it on the page."),
    (lm15.AuthError, "The provider refused the API key ({status}). Check the key and its rights.{said}"),
    (lm15.BillingError, "The provider says that the account has no credit left. Check its billing.{said}"),
    (lm15.RateLimitError, "The provider limits the rate of requests (429). Wait{wait} and ask again.{said}"),
    (lm15.UnsupportedModelError, "The provider does not know this model (404). Check its name: {detail}"),
    (lm15.TimeoutError, "The model did not answer in time. Try again, or choose another model."),
    (lm15.ServerError, "The provider failed: {detail}. Try again in a moment."),
    (lm15.StreamAssemblyError, "The reply broke off before its end. Try again."),
    (lm15.TransportError, _UNREACHED),
    (lm15.InvalidRequestError, "The model refused the request: {detail}"),
    (lm15.CapabilityError, "The model cannot do this: {detail}"),
)


def _cause(error: BaseException) -> BaseException:
    """The innermost error that says more than the wrappers that DSPy puts around it."""
    seen = error
    while seen is not None:
        if isinstance(seen, (lm15.LM15Error, Cancelled, MalformedReply, AdapterParseError)):
            return seen
        seen = seen.__cause__
    return error.__cause__ if isinstance(error, LMUnexpectedError) and error.__cause__ else error


def _kind(error: lm15.LM15Error) -> type[Exception]:
    """The error's class; the right one where LiteLLM takes a missing key or a refused connection for something else."""
    if _NO_KEY.search(error.message):
        return lm15.NotConfiguredError
    beneath: BaseException | None = error
    while isinstance(error, lm15.ServerError) and beneath is not None:
        if isinstance(beneath, OSError):
            return lm15.TransportError
        beneath = beneath.__cause__ or beneath.__context__
    return type(error)


def _detail(error: lm15.LM15Error) -> str:
    status = f" (status {error.status})" if error.status else ""
    return f"{_message(error) or type(error).__name__}{status}".rstrip(". ")


def _said(error: lm15.LM15Error) -> str:
    """What the provider says, after a sentence of ours."""
    message = _message(error).rstrip(". ")
    return f" It says: {message}." if message else ""


def _message(error: lm15.LM15Error) -> str:
    """The provider's words, without the names of exceptions and parts that hide most of a key."""
    said = re.sub(r"\b(?:litellm\.)?\w*(?:Error|Exception)(?::| -)\s*", "", error.message)
    return _first_line(_MASKED.sub("…", said))


def _wait(error: lm15.LM15Error) -> str:
    return f" {in_words(error.retry_after)}" if error.retry_after else ""


def in_words(seconds: float) -> str:
    """A time to wait: ``7 s``, ``2 h``."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (seconds >= size and not seconds % size):
            return f"{math.ceil(seconds / size):,} {unit}"
    return f"{seconds:.1f} s" if seconds < 1 else f"{math.ceil(seconds)} s"


def _first_line(text: str) -> str:
    return shorten(next((line.strip() for line in text.splitlines() if line.strip()), ""), 160)
