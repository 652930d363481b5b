"""Who calls: told apart by the hash of their key, admitted, and held to a rate.

Keys are neither kept nor shown; a caller's tag says nothing of the key.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

ANONYMOUS = "anonymous"
CALLERS_KEPT = 10_000
"""Callers whose rate is remembered; the one that has been silent longest goes first."""


def key_of(headers: Callable[[str], str | None]) -> str:
    """The key that a request brings: OpenAI's ``Authorization: Bearer``, Anthropic's ``x-api-key``; or nothing."""
    bearer = headers("authorization") or ""
    scheme, _, token = bearer.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers("x-api-key") or headers("api-key") or ""


def tag(key: str) -> str:
    """A caller's name in journals and logs: 12 hexadecimal digits of the key's hash."""
    return hashlib.sha256(key.encode()).hexdigest()[:12] if key else ANONYMOUS


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def from_elsewhere(origin: str | None) -> bool:
    """Whether a request comes from a web page that is not this machine's: browsers say so in ``Origin``, whatever the
    name by which they have reached this machine."""
    try:
        return origin is not None and not is_loopback(urlsplit(origin).hostname or "")
    except ValueError:
        return True


class Admission:
    """Whose requests are taken. ``keys``: those accepted, all where there is none. ``per_minute``: requests that one
    caller may make in a minute, in bursts of at most as many. Thread-safe.
    """

    def __init__(
        self, keys: Collection[str] = (), per_minute: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys = tuple(key.encode() for key in keys)
        self._rate, self._clock = per_minute, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def asks_keys(self) -> bool:
        return bool(self._keys)

    def known(self, key: str) -> bool:
        """Whether ``key`` is accepted."""
        given = key.encode()
        return not self._keys or any([hmac.compare_digest(given, own) for own in self._keys])

    def wait_s(self, caller: str) -> float:
        """0 where ``caller`` may ask now, which then counts; else the seconds until it may."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(caller, (float(self._rate), now))
            left = min(self._rate, left + (now - at) * self._rate / 60)
            allowed = left >= 1
            self._left[caller] = (left - 1 if allowed else left, now)
            while len(self._left) > CALLERS_KEPT:
                self._left.popitem(last=False)
            return 0.0 if allowed else (1 - left) * 60 / self._rate
