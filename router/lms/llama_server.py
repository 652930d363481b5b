"""llama.cpp's server in this process, and how it is let go of.

xllamacpp ends a server by telling its loop to stop and waiting for it, with Python's interpreter lock held. An order
that comes before the loop has begun is lost (``server_queue::start_loop`` sets ``running`` whatever was said before),
the wait has no end, and all of Python stands still. So a server is handed out once it has answered, which only its loop
can do; and it is freed on a thread of its own, when no call is in it. Leaves out prompts and replies.
"""

from __future__ import annotations

import atexit
import queue
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

from router.trace import Cancelled

CLOSE_S = 10.0
"""Seconds that ``close`` waits for a call in progress to end."""


class LlamaServer:
    """One ``xllamacpp.Server``. Whoever drops this object drops no weights: ``release`` or ``close`` do.

    ``params``: xllamacpp's CommonParams. ``keeper``: the thread that frees the weights, and then ends.
    Raises RuntimeError when llama.cpp cannot load what ``params`` names.
    """

    def __init__(self, params: Any) -> None:
        import xllamacpp

        params.api_keys = [secrets.token_hex(16)]  # xllamacpp also listens on loopback: for nobody
        self._native = xllamacpp.Server(params)
        self._in_use = threading.Lock()
        self._ending = False
        self._native.handle_completions({"prompt": ".", "n_predict": 1, "id_slot": 0})  # proves that its loop runs
        self._released: queue.SimpleQueue[None] = queue.SimpleQueue()  # of all signals only this suits a finalizer
        self.keeper = threading.Thread(target=self._keep, name="llama-keeper", daemon=True)
        self.keeper.start()
        atexit.register(self.close)  # llama.cpp's threads must not outlive what they use

    def chat(self, body: Mapping[str, Any], receive: Callable[[Any], bool] | None = None) -> Any:
        """llama.cpp's answer to a chat completion; with ``receive`` piece by piece, until that gives True.

        Raises Cancelled when the server was let go of before the end.
        """
        hear = (lambda piece: receive(piece) or self._ending) if receive else None
        with self._in_use:
            answer = None if self._ending else self._native.handle_chat_completions(body, hear)
        if self._ending:
            raise Cancelled("The model was closed.")
        return answer

    def release(self) -> None:
        """Free the weights soon, on the keeper's thread; a call in progress ends at its next token. Never waits, so
        that a finalizer may call it on any thread."""
        self._ending = True
        self._released.put(None)

    def close(self) -> None:
        """Free the weights and wait until it is done, at most CLOSE_S."""
        self.release()
        self.keeper.join(CLOSE_S)

    @property
    def closed(self) -> bool:
        return self._ending

    def _keep(self) -> None:
        self._released.get()
        with self._in_use:
            del self._native
        atexit.unregister(self.close)
