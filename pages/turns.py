"""A line of visitors who want what the server gives to one at a time. Leaves out what it gives."""

from __future__ import annotations

import threading


class Turns:
    """One play at a time, in the order in which they came. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most, self._line = most, list[object]()
        self._lock = threading.Lock()

    def join(self, play: object) -> None:
        """Put ``play`` at the end of the line. Raises ValueError where the line is full."""
        with self._lock:
            if len(self._line) >= self._most:
                raise ValueError(
                    f"{self._most} plays run or wait on this server already, which is its limit. "
                    "Try again in a few minutes."
                )
            self._line.append(play)

    def ahead(self, play: object) -> int:
        """How many are before ``play``; 0 when it is its turn."""
        with self._lock:
            return self._line.index(play)

    def leave(self, play: object) -> None:
        """Let the next one have its turn."""
        with self._lock:
            if play in self._line:
                self._line.remove(play)
