"""A line of visitors who want what the server gives to few at a time. Leaves out what it gives."""

from __future__ import annotations

import threading


class Turns:
    """``at_once`` may go on, the others wait in the order in which they came. Thread-safe.

    ``most`` go on or wait; ``what`` they are, in a plural for the one who finds the line full.
    """

    def __init__(self, most: int, what: str, at_once: int = 1) -> None:
        self._most, self._what, self._at_once = most, what, at_once
        self._line: list[object] = []
        self._lock = threading.Lock()

    @property
    def line(self) -> int:
        """How many go on or wait."""
        return len(self._line)

    def join(self, ticket: object) -> None:
        """Put ``ticket`` at the end of the line. Raises ValueError where the line is full."""
        with self._lock:
            if len(self._line) >= self._most:
                raise ValueError(
                    f"{self._most} {self._what} run or wait on this server already, which is its limit. "
                    "Try again in a few minutes."
                )
            self._line.append(ticket)

    def ahead(self, ticket: object) -> int:
        """How many must leave before ``ticket`` may go on; 0 when it may."""
        with self._lock:
            return max(0, self._line.index(ticket) + 1 - self._at_once)

    def leave(self, ticket: object) -> None:
        """Let the next one go on."""
        with self._lock:
            if ticket in self._line:
                self._line.remove(ticket)
