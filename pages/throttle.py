"""Limits for a public demo: how many questions one visitor, and all of them within an hour, may send."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from pages.services import Limits

HOUR = 3600.0


class Throttle:
    """Counts the questions of the last hour on this server. Thread-safe."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()

    def admit(self, asked: int = 0) -> None:
        """Count one question of a visitor who has asked ``asked`` before. Raises ValueError at a limit."""
        own, hourly = self._limits.questions_per_session, self._limits.questions_per_hour
        if own is not None and asked >= own:
            raise ValueError(
                f"You have asked {asked} questions; this public demo's limit is {own} a visit. "
                "Run Switchyard on your own machine for as many as you like."
            )
        now = self._clock()
        with self._lock:
            while self._sent and now - self._sent[0] >= HOUR:
                self._sent.popleft()
            if hourly is not None and len(self._sent) >= hourly:
                minutes = max(1, round((HOUR - (now - self._sent[0])) / 60))
                raise ValueError(
                    f"This public demo has answered {hourly} questions within the last hour, which is its limit. "
                    f"Try again in {minutes} min, or run Switchyard on your own machine."
                )
            self._sent.append(now)
