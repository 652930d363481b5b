"""Whether loading a model and letting go of it ever stops Python: many rounds of both, watched.

A wait with the interpreter lock held stops every thread, so what watches is faulthandler's own: when a round takes too
long, it prints where each thread stands and ends the process with status 1.
"""

from __future__ import annotations

import faulthandler
import statistics
import threading
import time
from typing import Any

from router.lms.embedded import LlamaEngine
from router.lms.model_file import ADAPTER, embedded_model

ROUND_S = 60.0
"""Seconds after which a round counts as frozen."""
TICK_S = 0.001


def measure(rounds: int) -> dict[str, Any]:
    """Load the embedded model and drop its last reference ``rounds`` times, on a thread that others run beside.

    Returns medians and maxima in seconds: of loading, of dropping, and of the longest moment in a drop in which no
    other thread ran.
    """
    path, adapter = embedded_model(), ADAPTER if ADAPTER.is_file() else None
    loads, drops, stalls = [], [], []

    def one_round() -> None:
        started = time.perf_counter()
        engine = LlamaEngine(path, adapter)
        loads.append(time.perf_counter() - started)
        with _Stall() as stall:
            started = time.perf_counter()
            keeper = engine.keeper
            del engine
            drops.append(time.perf_counter() - started)
            keeper.join()
        stalls.append(stall.seconds)

    for _ in range(rounds):
        faulthandler.dump_traceback_later(ROUND_S, exit=True)
        request = threading.Thread(target=one_round)
        request.start()
        request.join()
    faulthandler.cancel_dump_traceback_later()
    return {"rounds": rounds} | {
        f"{name}_{what.__name__}_s": round(what(values), 4)
        for name, values in (("load", loads), ("drop", drops), ("stall", stalls))
        for what in (statistics.median, max)
    }


class _Stall:
    """The longest time between two ticks of a thread of its own within the block."""

    def __enter__(self) -> _Stall:
        self.seconds, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._tick)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _tick(self) -> None:
        last = time.perf_counter()
        while not self._over.wait(TICK_S):
            now = time.perf_counter()
            self.seconds, last = max(self.seconds, now - last), now
