"""Runs of our own paths: TraceEvents from start to answer, and RunResults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from router.learning.logs.values import Labelled, Unfit, read_arguments, read_question, read_tool, show


def label_run(row: Mapping[str, Any], line: int, source: str) -> Labelled:
    """A RunResult: the tools that served; without one, what the router decided with confidence."""
    question, results, decision = read_question(row.get("question")), row.get("tool_results"), row.get("decision")
    if not isinstance(results, list):
        raise Unfit(f"tool_results are {show(results)}. Give a list.")
    served = []
    for result in results:
        call = result.get("call") if isinstance(result, dict) else None
        if not isinstance(call, dict):
            raise Unfit(f"tool result {show(result)} has no call. Give call, output and error.")
        if result.get("error") is None:
            served.append((read_tool(call.get("tool")), read_arguments(call.get("arguments"))))
    if served:
        return Labelled(line, question, tuple(dict.fromkeys(tool for tool, _ in served)), served[0][1], source)
    if row.get("answer") is None or results:
        raise Unfit("the run ended in an error or its tools failed, so it shows no right choice.")
    if isinstance(decision, dict) and not decision.get("abstained") and decision.get("tool"):
        return Labelled(line, question, (read_tool(decision["tool"]),), None, source)
    return Labelled(line, question, (), None, source)


def label_event(row: Mapping[str, Any], line: int, runs: dict, source: str) -> Iterator[Labelled]:
    path, kind, data = row.get("path"), row.get("kind"), row.get("data")
    if not isinstance(path, str) or not isinstance(data, dict):
        raise Unfit("an event needs a path and data. Write it with router.types.to_json.")
    if kind == "start":
        cut = runs.pop(path, None)
        runs[path] = (line, [data])
        if cut is not None:
            raise Unfit(f"a new run of {path!r} starts before the one of line {cut[0]} has ended. Its log was cut off.")
    elif path not in runs:
        raise Unfit(f"a {kind!r} event of {path!r} before its start. Its log was cut off.")
    elif kind in ("route", "tool"):
        runs[path][1].append(data | {"kind": kind})
    elif kind in ("answer", "error"):
        _, events = runs.pop(path)
        tools = [e for e in events[1:] if e["kind"] == "tool" and e.get("phase") == "end"]
        results = [
            {"call": {"tool": e.get("tool"), "arguments": e.get("arguments")}, "error": e.get("error")} for e in tools
        ]
        decision = next((e for e in events[1:] if e["kind"] == "route"), None)
        question, answer = events[0].get("question"), data.get("answer")
        yield label_run(
            {"question": question, "tool_results": results, "decision": decision, "answer": answer}, line, source
        )
