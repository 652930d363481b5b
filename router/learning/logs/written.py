"""Tool calls that a model wrote into its text: in tags, in fences, as bare JSON, in ReAct's lines, in DSPy's fields.

Text that has the marks of a call which cannot be read is refused, never taken for an answer.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from router.learning.logs.values import Unfit, show

WrittenCall = tuple[Any, Any]
"""A tool's name and its arguments: an object, or the JSON text of one."""
NAMES = ("name", "toolName", "tool_name", "tool", "function", "action", "recipient_name")
ARGUMENTS = ("arguments", "args", "parameters", "input", "tool_input", "action_input", "kwargs")
FREE = ("input", "tool_input", "action_input")
"""Arguments that may be words for the tool's only one."""
INNER = ("function", "custom", "functionCall", "function_call", "toolUse", "tool_call", "toolInvocation", "params")
"""Where an object keeps the call that it stands for."""
FINISH = frozenset(("none", "finish", "final answer", "final_answer", "answer"))
"""Names by which a model says that it calls no tool."""
_THOUGHTS = re.compile(r"<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_MARK = re.compile(
    r"<[|｜]?/?(?:tool[_▁ ]?calls?|function[_▁ ]?calls?|python_tag|tool_code|invoke|function)(?=[\s>=|｜▁_])[^>\n]{0,80}>"
    r"|\[TOOL_CALLS\]|<\|channel\|>commentary\s+to=",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"<(?:function|invoke)(?:=|\s+name\s*=\s*)[\"']?([^\"'>\s]+)[\"']?\s*>(.*?)(?:</(?:function|invoke)>|\Z)", re.DOTALL
)
_PARAMETER = re.compile(r"<parameter(?:=|\s+name\s*=\s*)[\"']?([^\"'>\s]+)[\"']?[^>]*>(.*?)</parameter>", re.DOTALL)
_ADDRESSED = re.compile(r"to=(?:functions\.)?([\w.-]+)[^{]{0,200}<\|message\|>\s*(\{.*)", re.DOTALL)
_FENCE = re.compile(r"```[ \t]*([\w-]*)[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_ACTION = re.compile(
    r"^[ \t>*]*Action[ \t]*\d*[*]*:[*]*[ \t]*(.*)$(?:\n+[ \t>*]*Action[ _]?Input[ \t]*\d*[*]*:[*]*[ \t]*(.*(?:\n(?!\s*\w+:).*)*))?",
    re.MULTILINE | re.IGNORECASE,
)
_ACTION_INPUT = re.compile(r"^[ \t>*]*Action[ _]?Input", re.MULTILINE | re.IGNORECASE)
_BRACKETED = re.compile(r"([\w.-]+)\[(.*)\]\s*$", re.DOTALL)
_FIELD = re.compile(r"^\[\[ ## (\w+) ## \]\]", re.MULTILINE)
_TAGGED_FIELD = re.compile(r"<(next_\w+)>\s*(.*?)\s*</\1>", re.DOTALL)
_RESULT = re.compile(
    r"\s*(?:<tool_response>|<tool_result|<function_results?>|\[TOOL_RESULTS\]|Observation\s*\d*:)", re.IGNORECASE
)
_JSON = re.compile(r"[\[{]")
_DECODER = json.JSONDecoder()


def without_thoughts(text: str) -> str:
    """``text`` without what a model thought aloud."""
    return _THOUGHTS.sub("", text)


def is_result(text: Any) -> bool:
    """Whether a message in a user's place only carries what a tool gave."""
    return isinstance(text, str) and bool(_RESULT.match(text))


def written_calls(text: str) -> list[WrittenCall]:
    """The calls in a reply's text, in their order; none where it is an answer. Raises Unfit for a call that cannot be
    read."""
    text = without_thoughts(text).strip()
    if (fields := read_fields(text)) is not None:
        return _calls_of_fields(fields)
    if _ACTION_INPUT.search(text) or _ACTION.search(text):
        found = list(_react(text))
        if found or not _ACTION_INPUT.search(text):
            return [call for call in found if not _ends(call[0])]
        raise Unfit(f"the reply holds a call that cannot be read: {show(text)}. Give a name and arguments.")
    if _MARK.search(text):
        if found := list(_tagged(text)):
            return found
        raise Unfit(f"the reply holds a call that cannot be read: {show(text)}. Give a name and arguments.")
    return [call for call in _bare(text) if not _ends(call[0])]


def call_of(value: Any) -> WrittenCall | None:
    """The call that an object is, in the words of any API; None where it is none."""
    if not isinstance(value, Mapping):
        return None
    for name in INNER:
        if isinstance(value.get(name), Mapping):
            return call_of(value[name])
    tool = next((value[name] for name in NAMES if isinstance(value.get(name), str)), None)
    if tool is None:
        return None
    held = next((name for name in ARGUMENTS if value.get(name) is not None), None)
    arguments = value[held] if held else None
    if held in FREE and isinstance(arguments, str):
        arguments = _words(arguments)
    return tool, arguments


def read_fields(text: str) -> dict[str, str] | None:
    """The fields of a text in the form of DSPy's ChatAdapter, or of its others for ReAct; None where it is in none."""
    marks = list(_FIELD.finditer(text))
    if not marks:
        value = read_json(text) if text.startswith("{") else dict(_TAGGED_FIELD.findall(text))
        return value if isinstance(value, dict) and "next_tool_name" in value else None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return {mark[1]: text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)}


def _calls_of_fields(fields: Mapping[str, str]) -> list[WrittenCall]:
    """The calls that DSPy's ReAct and ToolCalls put into fields of their own."""
    if tool := fields.get("next_tool_name"):
        return [] if _ends(tool) else [(tool, fields.get("next_tool_args"))]
    if "tool_calls" in fields:
        value = read_json(fields["tool_calls"])
        return list(_called(value.get("tool_calls") if isinstance(value, Mapping) else value, fields["tool_calls"]))
    raise Unfit(f"the reply's fields {', '.join(fields)} name no tool. Remove the row, or name one in 'tool'.")


def _react(text: str) -> Iterator[WrittenCall]:
    for match in _ACTION.finditer(text):
        name, words = match[1].strip(" `*\"'"), match[2]
        if words is None and (bracketed := _BRACKETED.match(name)):
            yield bracketed[1], _words(bracketed[2])
        elif words is not None:
            yield name, _words(words.strip().removeprefix("```json").strip("`").strip())
        elif not name or name.startswith("```"):
            yield from _fenced(text[match.start() :])
        elif name.startswith("{"):
            yield from _called(read_json(name), name)


def _tagged(text: str) -> Iterator[WrittenCall]:
    named = list(_NAMED.finditer(text))
    for match in named:
        parameters = {name: _value(value) for name, value in _PARAMETER.findall(match[2])}
        yield match[1], parameters or match[2].strip() or None
    if named:
        return
    if match := _ADDRESSED.search(text):
        yield match[1], _first_json(match[2], 0)[0]
        return
    at = 0
    for mark in _MARK.finditer(text):
        if mark.start() < at or "/" in mark[0][:3]:
            continue
        start = _JSON.search(text, mark.end())
        if start is None:
            return
        value, at = _first_json(text, start.start())
        yield from _called(value, text[mark.start() :])


def _bare(text: str) -> Iterator[WrittenCall]:
    """Calls where the whole text, or a fence in it, is the JSON of calls, or calls as Python writes them."""
    if text[:1] in ("{", "["):
        value, end = _first_json(text, 0)
        if not text[end:].strip():
            yield from _if_calls(value)
        yield from _python(text)
    yield from _fenced(text)


def _fenced(text: str) -> Iterator[WrittenCall]:
    for language, body in _FENCE.findall(text):
        if language.lower() == "tool_code":
            if not (found := list(_python(body))):
                raise Unfit(f"the reply holds a call that cannot be read: {show(body)}. Give a name and arguments.")
            yield from found
        else:
            yield from _if_calls(read_json(body))


def _if_calls(value: Any) -> Iterator[WrittenCall]:
    """The calls in a JSON value that may as well be data: only what has a name and arguments counts."""
    if isinstance(value, Mapping) and "tool_calls" in value:
        value = value["tool_calls"]
    for one in value if isinstance(value, list) else [value]:
        wrapped = isinstance(one, Mapping) and any(isinstance(one.get(name), Mapping) for name in INNER)
        if isinstance(one, Mapping) and (wrapped or any(isinstance(one.get(n), Mapping | str) for n in ARGUMENTS)):
            call = call_of(one)
            if call:
                yield call


def _called(value: Any, text: str) -> Iterator[WrittenCall]:
    """The calls in a JSON value that stands in a call's place. Raises Unfit where it is none."""
    for one in value if isinstance(value, list) else [value]:
        call = call_of(one)
        if call is None:
            raise Unfit(f"the reply holds a call that cannot be read: {show(text)}. Give a name and arguments.")
        yield call


def _python(text: str) -> Iterator[WrittenCall]:
    """``name(key=value)``, alone, in a list or printed."""
    try:
        body = ast.parse(text.strip(), mode="exec").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for statement in body:
        value = getattr(statement, "value", None)
        for node in value.elts if isinstance(value, ast.List) else [value]:
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print" and node.args:
                node = node.args[0]
            if isinstance(node, ast.Call) and not node.args:
                try:
                    arguments = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
                except ValueError:
                    continue
                yield ast.unparse(node.func), arguments


def _first_json(text: str, start: int) -> tuple[Any, int]:
    """The JSON value at ``start``, and where it ends; None where there is none."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start


def read_json(text: str) -> Any:
    """The JSON value that a whole text is; None where it is none."""
    value, end = _first_json(text.strip(), 0)
    return None if text.strip()[end:].strip() else value


def _words(text: str) -> Any:
    """What stands in an input's place: an object, or words for the tool's only argument."""
    value, _ = _first_json(text.strip(), 0)
    if isinstance(value, Mapping):
        return value
    if text.lstrip().startswith("{"):
        return text  # an object that is broken: whoever reads the arguments says so
    return {"input": text.strip().strip("\"'")} if text.strip() else None


def _value(text: str) -> Any:
    value = read_json(text)
    return text.strip() if value is None else value


def _ends(tool: Any) -> bool:
    return isinstance(tool, str) and tool.strip().lower() in FINISH
