"""How much each visitor, and all together, have used of something within an hour. Leaves out what is counted and the
words of a refusal (``pages/door.py``)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

HOUR = 3600.0
MAX_VISITS = 10_000


@dataclass(frozen=True)
class Allowance:
    """What may be used in a visit, and within an hour by all visitors. None is no limit."""

    visit: float | None = None
    hour: float | None = None


class Overdrawn(Exception):
    """More was wanted than is left: ``used`` of ``limit``, of the hour that all share or of the visit; ``minutes`` until
    some of the hour's is free again, None where nothing of it is used."""

    def __init__(self, used: float, limit: float, shared: bool = False, minutes: int | None = None) -> None:
        super().__init__(f"{used} of {limit} used")
        self.used, self.limit, self.shared, self.minutes = used, limit, shared, minutes


@dataclass
class _Visit:
    """``used`` since ``began``, in the clock's seconds."""

    began: float
    used: float = 0.0


class Tally:
    """Counts against an allowance. Thread-safe; what it remembers is bounded.

    A visit is what one visitor uses within an hour from the first use; then the next one begins.
    """

    def __init__(self, allowance: Allowance, clock: Callable[[], float] = time.monotonic) -> None:
        self.allowance = allowance
        self._clock = clock
        self._visits: OrderedDict[str, _Visit] = OrderedDict()  # the oldest first
        self._hour: deque[tuple[float, float]] = deque()
        self._lock = threading.Lock()

    def take(self, visitor: str, amount: float) -> None:
        """Use ``amount``, or nothing of it: raises Overdrawn where it is more than is left."""
        with self._lock:
            self._check(visitor, amount)
            self._add(visitor, amount)

    def add(self, visitor: str, amount: float) -> None:
        """Count ``amount`` that was used already, whatever is left."""
        with self._lock:
            self._add(visitor, amount)

    def check(self, visitor: str) -> None:
        """Raise Overdrawn where nothing is left."""
        with self._lock:
            self._check(visitor, 0.0, empty=True)

    def _check(self, visitor: str, amount: float, empty: bool = False) -> None:
        now, own, hour = self._clock(), self.allowance.visit, self.allowance.hour
        self._forget(now)
        used = self._visits[visitor].used if visitor in self._visits else 0.0
        if own is not None and _over(used, amount, own, empty):
            raise Overdrawn(used, own)
        everyone = sum(amount for _, amount in self._hour)
        if hour is not None and _over(everyone, amount, hour, empty):
            minutes = max(1, round((HOUR - (now - self._hour[0][0])) / 60)) if self._hour else None
            raise Overdrawn(everyone, hour, True, minutes)

    def _add(self, visitor: str, amount: float) -> None:
        now = self._clock()
        if not amount:
            return
        if self.allowance.visit is not None:
            self._visits.setdefault(visitor, _Visit(now)).used += amount
            if len(self._visits) > MAX_VISITS:
                self._visits.popitem(last=False)
        if self.allowance.hour is not None:
            self._hour.append((now, amount))

    def _forget(self, now: float) -> None:
        while self._hour and now - self._hour[0][0] >= HOUR:
            self._hour.popleft()
        while self._visits and now - next(iter(self._visits.values())).began >= HOUR:
            self._visits.popitem(last=False)


def _over(used: float, amount: float, limit: float, empty: bool) -> bool:
    return used >= limit if empty else bool(amount) and used + amount > limit
