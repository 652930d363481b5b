"""llama.cpp in this process, as a DSPy engine: GGUF weights, one generation at a time, prefixes kept.

A generation takes all threads, so requests are served one by one, first come, first served, and the time that a request
waited is told apart from the time that it ran. Each group of prompts has a slot of its own in the key-value cache, so
that its system message is read once and stays. Few engines stay in memory (``Engines``). Leaves out GPUs and batching
across requests.
"""

from __future__ import annotations

import json
import os
import queue
import re
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dspy import lm15

from router.lms.llama_server import LlamaServer
from router.lms.model_file import ModelFileError, writes_lessons
from router.lms.prompts import MAX_REPLY
from router.trace import Cancelled

SLOTS = (("plan", "interpret", "conclude"), ("call",), ("write", "chat"), ("teach",), ("fill",))
"""Roles that share a slot because their prompts begin alike. Any other role takes the last slot."""
SLOT_TOKENS = 2_048
"""Context of one slot. Five of them hold 236 MB of keys and values for the embedded model."""
TURN_END = "<|im_end|>"
"""The token that ends a message in ChatML, the chat format of SmolLM2 and many others."""
METADATA_BYTES = 16_000_000
"""Bytes at a file's start that hold a vocabulary of common size."""
BATCH = 128
"""Prompt tokens between two looks at whether the run was stopped."""
JSON_STYLE = {
    "x-guidance": {"lenient": True, "whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
}
"""JSON as ``json.dumps`` writes it, so that a grammar-bound reply reads like the examples in the prompts. Lenient: what
a grammar cannot hold of a schema is left out of it; one such keyword would else leave every tool's call unbound."""
_IRREGULAR = re.compile(r"\(\?(?:<?[=!]|P=)|\\[1-9]")
"""Marks of a pattern that looks around or back, which no grammar holds."""


class Turns:
    """A lock that serves first come, first served, and lets a waiting thread give up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def take(self, cancelled: threading.Event) -> Iterator[None]:
        """Hold the lock. Raises Cancelled when ``cancelled`` is set before the turn comes."""
        turn = threading.Event()
        with self._lock:
            self._queue.append(turn)
            self._queue[0].set()
        try:
            while not turn.wait(0.05):
                if cancelled.is_set():
                    raise Cancelled("Stopped.")
            yield
        finally:
            with self._lock:
                self._queue.remove(turn)
                if self._queue:
                    self._queue[0].set()


@dataclass(frozen=True)
class Choice:
    """Beginnings of a reply, each with the grammar of the whole, of which one is to be chosen by likelihood.

    What counts is by how much the question raises a beginning's log-likelihood over ``neutral``, the same prompt with a
    question that says nothing: small models prefer some names whatever is asked (contextual calibration, Zhao et al.
    2021, https://arxiv.org/abs/2102.09690).
    """

    grammars: Mapping[str, str]
    neutral: Sequence[Mapping[str, str]]


@dataclass
class _Scored:
    values: list[float]
    prompt_tokens: int = 0
    cached_tokens: int = 0


class LlamaEngine:
    """A GGUF model behind DSPy's engine interface (``complete`` and ``stream``).

    ``extensions`` of a request may carry ``grammar`` (GBNF or llguidance), ``id_slot`` and ``choice``; see ``options``.
    Raises ModelFileError when llama.cpp cannot load the file.
    """

    runs_here = True
    follows_signatures = False
    supports_function_calling = False
    supports_reasoning = False
    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "top_p", "stop", "seed", "response_format"})

    def __init__(self, path: Path, adapter: Path | None = None, threads: int | None = None) -> None:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when llama.cpp loads; spinning threads cost 6x
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_parallel = len(SLOTS)
        params.n_ctx = SLOT_TOKENS * len(SLOTS)
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads or min(4, os.cpu_count() or 1)
        params.n_batch = BATCH
        params.cache_ram_mib = 0  # slots keep what is worth keeping; the default would grow to 8 GB
        params.offline, params.verbosity = True, -1
        if adapter is not None:
            lora = xllamacpp.CommonAdapterLoraInfo()
            lora.path, lora.scale = str(adapter), 1.0
            params.lora_adapters = [lora]
        self.untrained = adapter is None
        self.teaches = adapter is not None and writes_lessons(adapter)
        self._base_weights = {"lora": [{"id": 0, "scale": 0.0}]} if adapter else {}
        self._chatml = _speaks_chatml(path)
        try:
            self._server = LlamaServer(params)
        except RuntimeError as error:
            what = f"{path} with the adapter {adapter}" if adapter else str(path)
            raise ModelFileError(
                f"llama.cpp cannot load {what}: damaged, or of a kind it does not know. Fetch it again or choose another file."
            ) from error
        weakref.finalize(self, self._server.release)
        self._turns = Turns()
        self._neutral: dict[tuple[int, tuple[str, ...], str], list[float]] = {}
        self._ready: dict[int, str] = {}
        """For each slot that holds the beginning of a role's prompts and nothing of a question: that prompt."""

    def options(
        self, role: str, schema: Mapping[str, Any] | None = None, or_text: bool = False, choice: Choice | None = None
    ) -> dict[str, Any]:
        """Extensions of a request for a prompt of ``role`` whose reply must fit ``schema`` (``or_text``: or be text).
        Without either the reply is free."""
        options: dict[str, Any] = {"id_slot": slot_of(role)}
        if self._chatml if or_text else schema:
            options["grammar"] = grammar(schema, or_text)
        return options | ({"choice": json.loads(json.dumps(asdict(choice)))} if choice else {})

    def complete(self, request: lm15.Request) -> lm15.Response:
        """One reply. Raises lm15 errors."""
        return lm15.materialize_response(self.stream(request), request)

    def stream(self, request: lm15.Request, cancelled: threading.Event | None = None) -> Iterator[lm15.StreamEvent]:
        """One reply, piece by piece; the last event's ``provider_data`` holds ``wait_s``, the seconds in the queue.

        Setting ``cancelled`` or closing the iterator ends the generation at its next token. Raises lm15 errors.
        """
        cancelled = cancelled or threading.Event()
        body = self._body(request)
        asked = time.perf_counter()
        yield lm15.StreamStartEvent(model=request.model)
        with self._turns.take(cancelled):
            wait_s = time.perf_counter() - asked
            self._spoil(body.get("id_slot"))
            finish, usage = "stop", lm15.Usage()
            cached = None
            if choice := body.pop("choice", None):
                body["grammar"], cached = self._choose(body["messages"], Choice(**choice), body["id_slot"])
            for chunk in self._chunks(body, cancelled):
                if "error" in chunk:
                    raise _error(chunk["error"])
                if chunk.get("usage"):
                    usage = _usage(chunk["usage"], cached)
                for choice in chunk.get("choices") or ():
                    finish = "length" if choice.get("finish_reason") == "length" else finish
                    if text := (choice.get("delta") or {}).get("content"):
                        yield lm15.StreamDeltaEvent(lm15.TextDelta(text))
        if cancelled.is_set():
            raise Cancelled("Stopped.")
        yield lm15.StreamEndEvent(finish_reason=finish, usage=usage, provider_data={"wait_s": wait_s})

    def log_likelihoods(
        self, messages: Sequence[Mapping[str, str]], texts: Sequence[str], slot: int
    ) -> tuple[list[float], int]:
        """Natural log-probability of each text as the reply to ``messages``, and the number of tokens of the prompt.

        Works down the tree of what the texts begin with, one token of the model a step, so that shared beginnings are
        scored once; a token outside the 200 likeliest counts as one less likely than all of these. The base weights are
        asked: what is scored are prompts that no adapter was trained on.
        """
        with self._turns.take(threading.Event()):
            self._spoil(slot)
            scored = self._score(messages, texts, slot)
        return scored.values, scored.prompt_tokens

    def ready(self, requests: Sequence[lm15.Request], cancelled: threading.Event) -> None:
        """Bring the slot of each request to the state that a new question finds in use: it holds how prompts of its
        role begin, and nothing of any question. ``requests`` ask what no question begins with (``prompts.BLANK``).

        Slots that are so already cost nothing. Raises lm15 errors, and Cancelled when ``cancelled`` is set.
        """
        for request in requests:
            body = self._body(request) | {"max_tokens": 1}
            slot, wanted = body["id_slot"], json.dumps(body["messages"])
            choice = body.pop("choice", None)
            body.pop("grammar", None)
            with self._turns.take(cancelled):
                if self._ready.get(slot) == wanted:
                    continue
                self._spoil(slot)
                if choice:
                    self._bias(Choice(**choice), slot)
                for chunk in self._chunks(body, cancelled):
                    if "error" in chunk:
                        raise _error(chunk["error"])
                if cancelled.is_set():
                    raise Cancelled("Stopped.")
                self._ready[slot] = wanted

    def close(self) -> None:
        """Let go of the weights, and wait for it. A call in progress ends at its next token with an error."""
        self._server.close()

    @property
    def closed(self) -> bool:
        return self._server.closed

    @property
    def keeper(self) -> threading.Thread:
        """The thread that frees the weights, and then ends."""
        return self._server.keeper

    def _spoil(self, slot: int | None) -> None:
        """Note that a slot is about to hold something of a question; None: that llama.cpp chooses which."""
        if slot is None:
            self._ready.clear()
        else:
            self._ready.pop(slot, None)

    def _choose(self, messages: Sequence[Mapping[str, str]], choice: Choice, slot: int) -> tuple[str, int]:
        """The grammar of the beginning that the question makes likelier most, and how much of the prompt was cached."""
        starts, biases = tuple(choice.grammars), self._bias(choice, slot)
        scored = self._score(messages, starts, slot)
        gains = [value - bias for value, bias in zip(scored.values, biases, strict=True)]
        return choice.grammars[starts[gains.index(max(gains))]], scored.cached_tokens

    def _bias(self, choice: Choice, slot: int) -> list[float]:
        """How likely the beginnings are after a question that says nothing: scored once."""
        starts = tuple(choice.grammars)
        key = (slot, starts, choice.neutral[0]["content"])
        if key not in self._neutral:
            self._neutral[key] = self._score([dict(m) for m in choice.neutral], starts, slot).values
        return self._neutral[key]

    def _score(self, messages: Sequence[Mapping[str, str]], texts: Sequence[str], slot: int) -> _Scored:
        scored = _Scored([0.0] * len(texts))
        open_nodes = [("", tuple(range(len(texts))))]
        while open_nodes:
            prefix, members = open_nodes.pop()
            if len(members) == 1 and prefix:
                continue  # it is the only text that goes on like this
            reply = [{"role": "assistant", "content": prefix}] if prefix else []
            body = {"messages": [*messages, *reply], "max_tokens": 1, "temperature": 0, "logprobs": True}
            body |= {"top_logprobs": 200, "id_slot": slot, "cache_prompt": True, **self._base_weights}
            answer = self._server.chat(body)
            if "error" in answer:
                raise _error(answer["error"])
            if not scored.prompt_tokens:
                usage = _usage(answer["usage"])
                scored.prompt_tokens, scored.cached_tokens = usage.input_tokens, usage.cache_read_tokens or 0
            top = {t["token"]: t["logprob"] for t in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]}
            branches: dict[str, list[int]] = {}
            for i in members:
                rest = texts[i][len(prefix) :]
                token = max((t for t in top if t and rest.startswith(t)), key=len, default=rest[:1])
                scored.values[i] += top.get(token, min(top.values()))
                if token and rest != token:
                    branches.setdefault(prefix + token, []).append(i)
            open_nodes += [(p, tuple(m)) for p, m in branches.items()]
        return scored

    def _chunks(self, body: dict[str, Any], cancelled: threading.Event) -> Iterator[Mapping[str, Any]]:
        """The server's chunks. The call blocks, so it runs on a thread of its own; its callback says when to stop."""
        chunks: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def receive(chunk: Any) -> bool:
            for one in chunk if isinstance(chunk, list) else [chunk]:
                chunks.put(one)
            return cancelled.is_set()

        def serve() -> None:
            try:
                answer = self._server.chat(body, receive)
                if isinstance(answer, dict) and "error" in answer:
                    chunks.put(answer)
            except Exception as error:  # told to the reader, who raises it
                chunks.put({"error": {"message": str(error)}})
            chunks.put(None)

        worker = threading.Thread(target=serve, name="llama", daemon=True)
        worker.start()
        try:
            while (chunk := chunks.get()) is not None:
                yield chunk
        except GeneratorExit:
            cancelled.set()
            raise
        finally:
            worker.join()

    @staticmethod
    def _body(request: lm15.Request) -> dict[str, Any]:
        config = request.config
        messages = [{"role": "system", "content": _text(request.system)}] if request.system else []
        messages += [{"role": m.role, "content": m.text or ""} for m in request.messages]
        body: dict[str, Any] = {"messages": messages, "stream": True, "stream_options": {"include_usage": True}}
        body |= {"cache_prompt": True, "return_progress": True}
        body |= {"temperature": config.temperature or 0.0, "max_tokens": config.max_tokens or MAX_REPLY}
        if config.top_p is not None:
            body["top_p"] = config.top_p
        if config.seed is not None:
            body["seed"] = config.seed
        if config.stop:
            body["stop"] = list(config.stop)
        if config.response_format:
            body["grammar"] = grammar(config.response_format.get("schema") or {"type": "object"})
        return body | dict(config.extensions or {})


def slot_of(role: str) -> int:
    """The slot of the key-value cache that prompts of ``role`` use."""
    return next((i for i, roles in enumerate(SLOTS) if role in roles), len(SLOTS) - 1)


class Engines:
    """The engines of this process: one for each pair of files, of which the ``most`` last asked for stay in memory.

    An engine that had to make place is found again while an LM uses it; its weights go when the last of these has gone,
    on no request's thread (``LlamaServer``). ``make`` makes an engine of a pair of files.
    """

    def __init__(self, most: int = 2, make: Callable[[Path, Path | None], LlamaEngine] = LlamaEngine) -> None:
        self._most, self._make = most, make
        self._kept: OrderedDict[tuple[Path, Path | None], LlamaEngine] = OrderedDict()
        self._alive: weakref.WeakValueDictionary[tuple[Path, Path | None], LlamaEngine] = weakref.WeakValueDictionary()
        self._loading = threading.Lock()

    def load(self, path: Path, adapter: Path | None = None) -> LlamaEngine:
        """The engine of these files. Raises ModelFileError when llama.cpp cannot load them."""
        key = (path.resolve(), adapter and adapter.resolve())
        with self._loading:
            engine = self._alive.get(key)
            self._kept.pop(key, None)
            while len(self._kept) >= self._most:
                self._kept.popitem(last=False)
            if engine is None or engine.closed:
                engine = self._alive[key] = self._make(path, adapter)
            self._kept[key] = engine
            return engine


ENGINES = Engines()
"""What ``make_lm`` loads from."""


_WORDS = r"/[^{\s](.|\n)*/"
TEXT = f"%llguidance {{}}\nstart: {_WORDS}"
"""The grammar of text that does not begin with a brace."""


def grammar(schema: Mapping[str, Any] | None, or_text: bool = False) -> str:
    """An llguidance grammar (https://github.com/guidance-ai/llguidance) for JSON that fits ``schema``.

    ``or_text``: or for text that does not begin with a brace (without a schema only that), up to the end of a ChatML
    turn. The mark must be named: a special token that a grammar does not name is never sampled, and the text would run
    on to the token limit.
    """
    rules = {}
    if schema:
        rules["json"] = f"%json {json.dumps({**_regular(schema), **JSON_STYLE}, ensure_ascii=False)}"
    if or_text:
        rules |= {"text": f"words {TURN_END}", "words": _WORDS}
    start = " | ".join(name for name in ("json", "text") if name in rules)
    return "\n".join([f"%llguidance {{}}\nstart: {start}", *(f"{name}: {rule}" for name, rule in rules.items())])


def _regular(schema: Any) -> Any:
    """``schema`` without the patterns that a grammar cannot hold."""
    if isinstance(schema, list):
        return [_regular(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: _regular(value)
        for key, value in schema.items()
        if not (key == "pattern" and isinstance(value, str) and _IRREGULAR.search(value))
    }


def _speaks_chatml(path: Path) -> bool:
    """Whether the mark that ends a ChatML turn stands in the file's metadata."""
    with path.open("rb") as file:
        return TURN_END.encode() in file.read(METADATA_BYTES)


def _text(system: Any) -> str:
    return system if isinstance(system, str) else "".join(part.text for part in system)


def _usage(usage: Mapping[str, Any], cached: int | None = None) -> lm15.Usage:
    """``cached``: instead of what the server says, where an earlier pass over the same prompt has warmed its cache."""
    if cached is None:
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    return lm15.Usage(
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        total_tokens=usage["total_tokens"],
        cache_read_tokens=cached,
    )


def _error(error: Any) -> Exception:
    details = error if isinstance(error, Mapping) else {"message": str(error)}
    if details.get("type") == "exceed_context_size_error":
        return lm15.ContextLengthError(
            f"the prompt has {details.get('n_prompt_tokens')} tokens, the local model reads {details.get('n_ctx')}. "
            "Ask less."
        )
    kind = lm15.InvalidRequestError if details.get("code") == 400 else lm15.ServerError
    return kind(str(details.get("message", details)))
