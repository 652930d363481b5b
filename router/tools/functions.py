"""Python functions as tools: the signature becomes the schema, the docstring says what they do.

Leaves out how types become schemas (pydantic) and how docstrings are written (docstring_parser).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docstring_parser
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import ArgsKwargs, PydanticSerializationError, to_json

from router.tools.tool import Tool, ToolError, shorten


def from_function(function: Callable[..., Any], effects: bool = True, destructive: bool = False) -> Tool:
    """A function, or a ``dspy.Tool``, as a tool.

    Its parameters' types are those that pydantic knows; ``Annotated[..., Field(description=...)]`` describes one, and
    so does a docstring in Google's, NumPy's or reST's form. Arguments reach the function as its types ask. What it
    returns becomes text: a string as it is, None "done", all else JSON. A coroutine is run to its end.

    Raises ValueError where a signature makes no schema or a docstring is missing.
    """
    if all(hasattr(function, part) for part in ("func", "name", "desc", "args")):
        return _from_dspy(function, effects, destructive)
    name = getattr(function, "__name__", type(function).__name__)
    adapter, schema = _signature(function, name)
    about = _documented(inspect.getdoc(function), schema)
    run = _runner(lambda arguments: adapter.validate_python(ArgsKwargs((), arguments)), name)
    return Tool(name, about, schema, run, effects=effects, destructive=destructive)


def _from_dspy(tool: Any, effects: bool, destructive: bool) -> Tool:
    slots = {name: dict(schema) for name, schema in tool.args.items()}
    required = [name for name, schema in slots.items() if "default" not in schema]
    schema = {"type": "object", "properties": slots, "required": required}
    about = _documented(tool.desc, schema)
    call = tool.acall if inspect.iscoroutinefunction(tool.func) else tool
    run = _runner(lambda arguments: call(**arguments), tool.name)
    return Tool(tool.name, about, schema, run, effects=effects, destructive=destructive)


def _documented(docstring: str | None, schema: dict[str, Any]) -> str:
    """What a docstring says of the whole; what it says of a parameter goes into ``schema``."""
    doc = docstring_parser.parse(inspect.cleandoc(docstring or ""))
    for param in doc.params:
        slot = schema.get("properties", {}).get(param.arg_name)
        if slot is not None and param.description:
            slot.setdefault("description", param.description)
    return "\n\n".join(filter(None, (doc.short_description, doc.long_description)))


class _Untitled(GenerateJsonSchema):
    """Schemas without the titles that pydantic makes of the names: they say nothing and cost tokens."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _signature(function: Callable[..., Any], name: str) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    """What calls ``function`` with arguments of its types, and their schema."""
    if inspect.isclass(function) or not callable(function):
        raise ValueError(f"{name!r} is no function. Give a function, a dspy.Tool or a Tool.")
    try:
        adapter = TypeAdapter(function if inspect.isroutine(function) else function.__call__)
        schema = adapter.json_schema(schema_generator=_Untitled)
    except (PydanticUserError, NameError, TypeError, ValueError) as fault:
        reason = shorten(str(fault).split("\n")[0])
        raise ValueError(
            f"The signature of {name!r} makes no JSON schema ({reason}). Use types that JSON has."
        ) from fault
    if schema.get("type") != "object":
        raise ValueError(f"{name!r} takes arguments by position only. Let every parameter be given by its name.")
    return adapter, schema


def _runner(call: Callable[[dict[str, Any]], Any], name: str) -> Callable[..., str]:
    def run(**arguments: Any) -> str:
        try:
            result = call(arguments)
        except ValidationError as fault:
            first = fault.errors()[0]
            where = ".".join(map(str, first["loc"])) or "arguments"
            raise ToolError(f"{name}: {where}: {first['msg']}. Give a value of the type that it asks for.") from fault
        if inspect.isawaitable(result):
            with ThreadPoolExecutor(1) as thread:  # this one may have an event loop of its own
                result = thread.submit(asyncio.run, _awaited(result)).result()
        return _text(result)

    return run


async def _awaited(result: Any) -> Any:
    return await result


def _text(result: Any) -> str:
    if result is None:
        return "done"
    if isinstance(result, str):
        return result
    try:
        return to_json(result).decode()
    except PydanticSerializationError:
        return str(result)
