"""The one door to language models: who may use which, with whose key, how often and for how many dollars.

Race, Evaluate, its judge and the interface all get their model here. On a public page strangers get the page's own
model, or a hosted provider's with a key of their own: never this machine's files, its network, or a key from its
environment. Leaves out where a provider is: an address that the owner set for it (``OPENAI_BASE_URL``) holds for all.

The limit a visit is for fairness: a browser tab names its own visit, over reloads too, so whoever wants a new one opens
a new tab, and a script makes up as many as it likes. What bounds a script is the limit an hour, which all share. Dollars
are known when they are spent: a question is asked while something is left, so a budget is overdrawn by one at most for
each that runs. A visitor's own key, and a model that runs here, cost the owner nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pages.services import Services
from pages.tally import Allowance, Overdrawn, Tally
from router.lms.provider import missing_variables
from router.lms.specs import BUNDLED, is_file, provider_of, runs_here
from router.types import TraceEvent

if TYPE_CHECKING:
    import gradio as gr

log = logging.getLogger(__name__)

MAX_SPEC = 200
MAX_KEY = 500
MAX_VISIT = 64

HOSTED = (
    "openai",
    "anthropic",
    "gemini",
    "mistral",
    "groq",
    "deepseek",
    "xai",
    "openrouter",
    "together_ai",
    "fireworks_ai",
    "cerebras",
    "perplexity",
    "cohere",
)
"""Providers with an address of their own that a request's key alone opens. Of all others that LiteLLM knows, some need
no key and are on the server's network (``ollama``), and some take what they lack from its environment (``bedrock``)."""

OWN_MACHINE = "run Switchyard on your own machine for as many as you like"


class Door:
    """Hands out models, counts questions and what they cost. Thread-safe; what it remembers is bounded."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        limits = services.limits
        self.services = services
        self._questions = Tally(Allowance(limits.questions_per_session, limits.questions_per_hour), clock)
        self._dollars = Tally(Allowance(limits.dollars_per_session, limits.dollars_per_hour), clock)

    def open(self, spec: str, key: str | None, visitor: str, questions: int = 1) -> Any:
        """The model that ``spec`` names (the page's own if empty), once ``visitor`` may ask it ``questions``.

        ``key`` is what the visitor typed. The questions are counted last, so a model that cannot be had costs none.
        Raises ValueError, with one sentence, where the model, the key or the number is refused, or the budget is spent.
        """
        spec, key = self.admit(spec, key)
        if not (key or runs_here(spec)):
            self.check_budget(visitor)
        try:
            lm = self.services.make_lm(spec, key)
        except (ValueError, OSError) as fault:
            raise ValueError(str(fault)) from fault
        except Exception as fault:
            log.exception("No model %r", spec)
            raise ValueError(
                f"The model {spec!r} could not be loaded: {type(fault).__name__}. Check its name; the server's log "
                "says more."
            ) from fault
        self.count(visitor, questions)
        return lm

    def admit(self, spec: str, key: str | None) -> tuple[str, str | None]:
        """The model's name and key without the space around them. Raises ValueError where they may not be used."""
        spec, key = spec.strip() or self.services.default_lm, (key or "").strip() or None
        if len(spec) > MAX_SPEC:
            raise ValueError(
                f"The model's name has {len(spec):,} characters; the limit is {MAX_SPEC}. Give provider/model."
            )
        if key and len(key) > MAX_KEY:
            raise ValueError(f"The key has {len(key):,} characters; the limit is {MAX_KEY}. Paste the key alone.")
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError("The key holds spaces or characters that no key has. Paste the key alone.")
        if self.services.limits.public and spec not in (self.services.default_lm, *BUNDLED):
            self._admit_stranger(spec, key)
        return spec, key

    def _admit_stranger(self, spec: str, key: str | None) -> None:
        if is_file(spec):
            raise ValueError(
                f"The model {spec!r} is a file, which this public page does not load. Run Switchyard yourself for that."
            )
        if provider_of(spec) not in HOSTED:
            raise ValueError(
                f"The model {spec!r} is none that this public page offers. Write {self.services.default_lm}, or "
                f"provider/model with a key of your own; the providers are {', '.join(HOSTED)}."
            )
        if not key:
            raise ValueError(
                f"The model {spec!r} needs an API key of your own on this public page. Enter one beside the model's "
                "name, or send it as api_key."
            )

    def count(self, visitor: str, questions: int) -> None:
        """Count ``questions``, or none of them: raises ValueError where they are more than are left."""
        try:
            self._questions.take(visitor, questions)
        except Overdrawn as full:
            asked, limit = int(full.used), int(full.limit)
            if full.shared:
                raise ValueError(_hour_is_full(asked, questions, limit, full.minutes)) from None
            raise ValueError(_visit_is_full(asked, questions, limit)) from None

    def check_budget(self, visitor: str) -> None:
        """Raise ValueError, saying what a visitor can do, where the owner's dollars are spent."""
        try:
            self._dollars.check(visitor)
        except Overdrawn as full:
            raise ValueError(_budget_is_spent(full)) from None

    def charged(self, events: Iterable[TraceEvent], visitor: str, key: str | None) -> Iterator[TraceEvent]:
        """``events`` as they come; what their calls cost the owner is counted: nothing where ``key`` is the visitor's."""
        for event in events:
            if event.kind == "lm" and event.data.get("usage"):
                self.charge(visitor, key, event.data["usage"].get("cost_usd"))
            yield event

    def charge(self, visitor: str, key: str | None, dollars: float | None) -> None:
        """Count what one call cost, None where it has no price."""
        if not key and dollars:
            self._dollars.add(visitor, dollars)


def _visit_is_full(asked: int, questions: int, own: int) -> str:
    if asked >= own:
        return (
            f"You have asked {_plural(asked)}; this public demo's limit is {own} a visit. "
            f"{OWN_MACHINE[0].upper()}{OWN_MACHINE[1:]}."
        )
    return (
        f"This run asks {_plural(questions)}; this public demo's limit is {own} a visit, of which you have "
        f"{own - asked} left. Ask fewer, or {OWN_MACHINE}."
    )


def _hour_is_full(sent: int, questions: int, hourly: int, minutes: int | None) -> str:
    if sent >= hourly:
        return (
            f"This public demo has been asked {_plural(sent)} within the last hour, which is its limit. "
            f"Try again in {minutes} min, or {OWN_MACHINE}."
        )
    later = f" now or try again in {minutes} min" if minutes else ""
    return (
        f"This run asks {_plural(questions)}; this public demo's limit is {hourly} an hour from all visitors, of which "
        f"{hourly - sent} {'is' if hourly - sent == 1 else 'are'} left. Ask fewer{later}, or {OWN_MACHINE}."
    )


def _budget_is_spent(full: Overdrawn) -> str:
    if full.shared:
        return (
            f"This public demo has spent ${full.used:.2f} within the last hour; its budget is ${full.limit:.2f}. Enter an "
            f"API key of your own, choose the model embedded, or try again in {full.minutes} min."
        )
    return (
        f"Your questions have cost this public demo ${full.used:.2f}; its budget is ${full.limit:.2f} a visit. Enter an "
        f"API key of your own, choose the model embedded, or {OWN_MACHINE}."
    )


def _plural(questions: int) -> str:
    return f"{questions:,} question{'' if questions == 1 else 's'}"


def missing_key(spec: str) -> str | None:
    """The environment variable that would hold the key of a hosted provider's model, if it is not set; else None."""
    return " or ".join(missing_variables(spec)) or None if provider_of(spec) in HOSTED else None


def visit_of(data: Mapping[str, Any]) -> str:
    """Who visits, for the page's own events: the name that the tab gave its visit (``assets/keep.js``).

    Not Gradio's session, which ends with a reload. Events without a name count as one visit.
    """
    return f"visit {str(data.get('visit') or '')[:MAX_VISIT]}"


def address_of(request: gr.Request | None) -> str:
    """Who visits, for the interface: the client's address.

    Not the session, because Gradio gives every plain HTTP call a new one. All behind one address share a visit. Behind
    a proxy, name it in ``FORWARDED_ALLOW_IPS`` (uvicorn's variable), so that the address is the client's and not the
    proxy's; nobody else's ``X-Forwarded-For`` is believed.
    """
    return f"address {getattr(getattr(request, 'client', None), 'host', None) or ''}"
