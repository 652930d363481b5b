"""One tool: a named function with a JSON schema. Leaves out where tools come from and what they are for.

A tool is checked when it is built, its arguments when it is called, and no exception of a tool escapes ``call``: an
error is a result that an LLM can speak about.
"""

from __future__ import annotations

import json
import re
import time
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jsonschema

from router.tools.reading import Reading
from router.tools.schema import Parameters, Slot, read_parameters
from router.types import NON_TOOLS, ToolCall, ToolResult

NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
"""What OpenAI's API and MCP allow as a tool's name; logs and training examples follow the same rule."""
MAX_OUTPUT = 2_000
"""Characters of a tool's output that are kept: a result must fit a small model's context."""


class ToolError(ValueError):
    """A tool cannot serve these arguments. The message gives the value, the limit and the remedy."""


@dataclass(frozen=True)
class Tool:
    """A named function with a JSON schema.

    ``parameters`` is the JSON schema of the arguments: one that takes an object, or True for any arguments. ``run``
    takes the arguments by name, returns text and raises ToolError; without it the tool is only *described*, and a call
    of it is the caller's to make. ``parse``, where a tool brings one, reads arguments from a question and returns None
    where it is not sure.

    ``effects``: running it changes something, so it runs once, as a step of the final plan; a tool without effects may
    be run while planning. ``destructive``: the router never calls it; only a language model does, or the user.
    ``reading``: rules of the tool's own for planning questions that it serves (``router.tools.reading``).

    Raises ValueError when the name or the schema is unfit, the latter with the path within the schema.
    """

    name: str
    description: str
    parameters: Mapping[str, Any] | bool
    run: Callable[..., str] | None = None
    parse: Callable[[str], dict[str, Any] | None] | None = None
    effects: bool = True
    destructive: bool = False
    reading: Reading | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.description.strip():
            raise ValueError(f"Tool {self.name!r} has no description. Say in one sentence what it does.")
        try:
            _ = self._parameters
        except ValueError as fault:
            raise ValueError(f"Tool {self.name!r}: {fault}") from fault

    @cached_property
    def _parameters(self) -> Parameters:
        return read_parameters(self.parameters)

    @property
    def slots(self) -> Mapping[str, Slot]:
        """The arguments by name, in the order of the schema."""
        return self._parameters.slots

    @property
    def schema(self) -> Mapping[str, Any]:
        """``parameters`` as one schema of type object with properties and without references; for models to read."""
        return self._parameters.schema

    @property
    def described(self) -> bool:
        """Whether the tool has no function to run, so that a call of it is the caller's to make."""
        return self.run is None

    def fits(self, arguments: Mapping[str, Any]) -> bool:
        """Whether ``arguments`` fit the schema."""
        return self._parameters.validator.is_valid(dict(arguments))

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise ToolError where ``arguments`` do not fit the schema."""
        fault = jsonschema.exceptions.best_match(self._parameters.validator.iter_errors(dict(arguments)))
        if fault is not None:
            where = ".".join(map(str, fault.absolute_path)) or "arguments"
            message = shorten(fault.message.replace(repr(fault.instance), shorten(repr(fault.instance), 60)))
            if fault.validator in ("minLength", "maxLength", "minimum", "maximum"):
                message += f" ({fault.validator} {fault.validator_value:,})"
            raise ToolError(f"{self.name}: {where}: {message}. Give arguments that fit the tool's schema.")

    def call(self, arguments: Mapping[str, Any]) -> ToolResult:
        """Check ``arguments``, run, and time it. Never raises: a failure becomes ``ToolResult.error``.

        A described tool's output is the call itself, as JSON.
        """
        started = time.perf_counter()
        output = error = None
        arguments = arguments if isinstance(arguments, Mapping) else {}
        try:
            self.check(arguments)
            if self.run is None:
                output = json.dumps({"tool": self.name, "arguments": dict(arguments)}, ensure_ascii=False)
            else:
                output = shorten(_as_text(self.run(**arguments)), MAX_OUTPUT)
        except ToolError as fault:
            error = printable(str(fault))
        except (Exception, SystemExit, CancelledError) as fault:  # a tool is a guest: its bugs must not end the run
            error = f"{self.name} failed: {type(fault).__name__}{_told(fault)}"
        return ToolResult(ToolCall(self.name, dict(arguments)), output, error, time.perf_counter() - started)


def _as_text(value: object) -> str:
    """A tool's result as text that any model may be sent; a tool that returns nothing has done its work."""
    if value is None:
        return "Done."
    return printable(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _told(fault: BaseException) -> str:
    try:
        return f": {shorten(printable(str(fault)))}"
    except Exception:  # its words fail too
        return ""


def printable(text: str) -> str:
    """``text`` without lone surrogates, which no encoding holds."""
    return text.encode("utf-8", "replace").decode("utf-8")


def check_name(name: object) -> None:
    """Raise ValueError where ``name`` cannot be a tool's."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        shown = shorten(repr(name), 140)
        raise ValueError(f"Tool name {shown} is not 1 to 128 of letters, digits, '_', '.', '-'. Rename the tool.")
    if name in NON_TOOLS:
        raise ValueError(f"Tool name {name!r} is reserved for questions that no tool serves. Rename the tool.")


def shorten(text: str, limit: int = 200) -> str:
    """``text``, cut with an ellipsis where it is longer than ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def sentence(fault: Exception) -> str:
    """What is wrong and what helps. An error of the operating system says it in the words of a manual; any other
    error raised here for a person says it already."""
    if isinstance(fault, OSError) and fault.strerror and fault.filename is not None:
        return f"{str(fault.filename)!r} cannot be used: {fault.strerror}. Check the path and its permissions."
    return str(fault)
