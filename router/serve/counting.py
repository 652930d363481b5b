"""What the endpoint counts for Prometheus, and the requests that it shows. Neither holds a key or, unless asked to, a word."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

SHOWN = 200
"""Requests that are kept to be shown."""
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


@dataclass(frozen=True)
class Seen:
    """One request in a wire format, after its end. ``acted``: who wrote the turn, "router", "upstream", or "partial", the
    upstream with the router's tool. ``outcome``: what the router made of it, or "forwarded", where it is the upstream's
    alone. ``router`` and ``upstream`` are the calls of each, as names and arguments; None where nobody listened, or there
    was no whole reply. ``agreed``: whether both made the same calls, None where one made none. ``tokens``: as the upstream
    counts them, None where it did not say."""

    at: float
    caller: str
    path: str
    acted: str
    outcome: str
    seconds: float
    confidence: float = 0.0
    question: str = ""
    router: list[dict[str, Any]] = field(default_factory=list)
    upstream: list[dict[str, Any]] | None = None
    agreed: bool | None = None
    reason: str = ""
    tokens: int | None = None


class Counts:
    """Counters of one endpoint in a registry of its own. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        one = {"registry": self.registry}
        self.requests = Counter("switchyard_requests", "Requests by path, who wrote the turn, and status",
                                ["path", "acted", "status"], **one)  # fmt: skip
        self.outcomes = Counter("switchyard_outcomes", "What the router made of requests for a tool call",
                                ["outcome"], **one)  # fmt: skip
        self.forwarded = Counter("switchyard_forwarded", "Requests that are the upstream's alone, by reason",
                                 ["reason"], **one)  # fmt: skip
        self.agreement = Counter("switchyard_agreement", "Router's call against the upstream's", ["agreed"], **one)
        self.partial = Counter("switchyard_partial", "Requests asked with one tool, by what came of it",
                               ["result"], **one)  # fmt: skip
        self.faults = Counter(
            "switchyard_faults", "Failures in here, after which the request went on", ["where"], **one
        )
        self.seconds = Histogram("switchyard_seconds", "From the request to the end of its reply", ["acted"],
                                 buckets=_BUCKETS, **one)  # fmt: skip
        self.decided = Histogram("switchyard_decision_seconds", "The router's part of it", buckets=_BUCKETS, **one)
        self._seen: deque[Seen] = deque(maxlen=SHOWN)
        self._lock = threading.Lock()

    def saw(self, seen: Seen) -> None:
        """Keep one request to be shown."""
        with self._lock:
            self._seen.append(seen)

    def recent(self) -> list[Seen]:
        """The latest requests, the newest first."""
        with self._lock:
            return list(reversed(self._seen))

    def text(self) -> bytes:
        """All counters in Prometheus' text format."""
        return generate_latest(self.registry)
