"""Messages to the board: JSON values that ``assets/board.js`` shows. Pure functions of a session and its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from baselines.figures import live as draw
from baselines.figures.style import Figure, count, money, seconds
from pages.references import reference_of
from pages.services import Services
from pages.settings import Settings
from pages.trace_view import Counts, Price, Race, Session, card, history_row, o200k, own
from pages.verdict import Terms, dollars, marks, medians, verdict
from router.types import RunResult, Usage

SAID_ABOVE = "Like every path, for the reason above."
Parts = Callable[[RunResult], list[tuple[str, float | None]]]


@dataclass(frozen=True)
class Metric:
    """One chart of the live page: how to read it from a run, how to say a value, and its axis."""

    parts: Parts
    say: Callable[[float], str]
    tick: Mapping[str, Any]


def price_of(services: Services, settings: Settings) -> Price:
    """The price of a usage under the visitor's settings: a chosen model's, or the model's own (None where unknown)."""
    if not settings.priced_as:
        return lambda usage: usage.cost_usd
    return lambda usage: services.price(usage, settings.priced_as, settings.cached)


def price_note(settings: Settings) -> str:
    """The small print of every cost."""
    if settings.priced_as:
        cached = "cached-input prices" if settings.cached else "full input prices"
        return f"priced as {settings.priced_as}, from o200k counts, {cached}"
    return "the model's own price and token counts; “no known price” where there is none"


def counts_of(settings: Settings) -> Counts:
    """The tokenizer that the visitor chose: cards, charts, headline, history and projection all count with it."""
    return own if settings.counts == "own" else o200k


def metrics(price: Price, settings: Settings) -> dict[str, Metric]:
    """Tokens, cost and latency."""
    counts = counts_of(settings)

    def tokens(run: RunResult) -> list[tuple[str, float | None]]:
        return list(zip(("input", "output"), counts(run.usage)))

    return {
        "tokens": Metric(tokens, count, {"tickformat": ",d"}),
        "cost": Metric(lambda r: [("cost", dollars(r.usage, price))], money, {"tickprefix": "$", "tickformat": "~f"}),
        "latency": Metric(lambda r: [("seconds", r.seconds)], seconds, {"ticksuffix": " s"}),
    }


def parts_of(key: str, metric: Metric, run: RunResult) -> list[tuple[str, float | None]]:
    """A run's parts. A path that failed has no time to the whole answer, and without a call it has spent nothing: a zero
    would look like a victory."""
    if run.error is not None and (key == "latency" or not run.usage.calls):
        return [(label, None) for label, _ in metric.parts(run)]
    return metric.parts(run)


def charts(session: Session, race: Race, key: str, metric: Metric) -> dict[str, Figure]:
    """One metric three ways: this question, question by question, and summed over the session."""
    results = race.results
    bars = {path: parts_of(key, metric, results[path]) if path in results else [] for path in race.events}
    paths = list(dict.fromkeys(path for r in session.races for path in r.events)) or list(race.events)
    runs = [r.results for r in session.races]
    values = {path: [_sum(key, metric, found.get(path)) for found in runs] for path in paths}
    return {
        "one": draw.one_question(bars, metric.say),
        "each": draw.by_question(values, metric.say, metric.tick),
        "total": draw.running_total(values, metric.say, metric.tick),
    }


def figures(session: Session, race: Race, services: Services, settings: Settings) -> dict[str, Any]:
    """All figures for ``race``, with the session around it."""
    price = price_of(services, settings)
    found: dict[str, Any] = {key: charts(session, race, key, m) for key, m in metrics(price, settings).items()}
    return found | {"timeline": draw.timeline(race.events)}


def cards(race: Race, services: Services, settings: Settings) -> dict[str, Any]:
    """Every path's card, with ``right`` where a reference tells; the router's also says why."""
    price, counts = price_of(services, settings), counts_of(settings)
    views = {path: card(run, price, counts) for path, run in race.events.items()}
    for path, right in marks(race.results, reference_of(race.question)).items():
        views[path]["right"] = right
    if "router" in views:
        views["router"]["why"] = race.why
    return views


def shared_fault(views: Mapping[str, dict[str, Any]]) -> str | None:
    """The one sentence that every path failed with, or None. Cards and steps lose it: it is said once, above them."""
    said = {view["message"] for view in views.values()}
    if len(said) != 1 or any(view["state"] != "error" for view in views.values()):
        return None
    fault = said.pop()
    for view in views.values():
        view["message"] = SAID_ABOVE
        view["steps"] = [step | {"error": None} if step.get("error") == fault else step for step in view["steps"]]
    return fault


def finished(session: Session, race: Race, services: Services, settings: Settings) -> dict[str, Any]:
    """Everything the board shows of a race that has ended, and of the session so far."""
    price, counts = price_of(services, settings), counts_of(settings)
    rows = [history_row(r, price, counts) for r in session.races]
    views = cards(race, services, settings)
    terms = Terms(
        tokens=lambda usage: sum(counts(usage)),
        price=price,
        reference=reference_of(race.question),
        reason=race.handed_over,
        borrowed=race.borrowed,
        sequential=race.mode == "sequential",
    )
    return {
        "phase": "done",
        "race": race.id,
        "question": race.question,
        "lm": race.lm,
        "mode": race.mode,
        "shared": race.shared,
        "seconds": race.seconds,
        "fault": shared_fault(views),
        "paths": views,
        "figures": figures(session, race, services, settings),
        "verdict": asdict(verdict(race.results, terms)) if race.events else None,
        "history": rows,
        "medians": medians(rows),
        "price": {"label": settings.price_label, "note": price_note(settings)},
        "counts": settings.counts,
        "lesson": priced_lesson(race, price),
    }


def priced_lesson(race: Race, price: Price) -> dict[str, Any] | None:
    """The race's lesson, with what the phrase cost under the visitor's prices: that is what each later hit saves."""
    lesson = race.lesson
    if not lesson or not lesson.get("usage"):
        return lesson and dict(lesson)
    usage = Usage(**lesson["usage"])
    return {**lesson, "usage": {**lesson["usage"], "cost_usd": dollars(usage, price)}}


def running(race: Race, services: Services, settings: Settings, elapsed: float) -> dict[str, Any]:
    """The cards while the race runs."""
    return {
        "phase": "running",
        "race": race.id,
        "question": race.question,
        "lm": race.lm,
        "mode": race.mode,
        "shared": race.shared,
        "seconds": elapsed,
        "paths": cards(race, services, settings),
        "price": {"label": settings.price_label, "note": price_note(settings)},
        "counts": settings.counts,
    }


def refused(message: str, race: str | None = None) -> dict[str, Any]:
    """One clear sentence instead of a race; the page keeps the visitor's text."""
    return {"phase": "refused", "race": race, "message": message}


def _sum(key: str, metric: Metric, run: RunResult | None) -> float | None:
    parts: Sequence[float | None] = [] if run is None else [value for _, value in parts_of(key, metric, run)]
    return None if not parts or None in parts else sum(parts)


__all__ = ["cards", "figures", "finished", "price_of", "refused", "running"]
