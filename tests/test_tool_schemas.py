"""Schemas of every shape: read slot by slot, or refused with the path; never another exception."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import dspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.evaluate.catalogue import registry
from router.builtin import default_tools
from router.calls.arguments import fill, unread
from router.lms import ask, prompts
from router.tools import Tool
from router.tools.schema import MAX_SCHEMAS, read_parameters
from router.trace import Trace
from router.types import Question


def slots(schema: Any) -> dict[str, tuple[dict, bool]]:
    return {name: (dict(slot.schema), slot.required) for name, slot in read_parameters(schema).slots.items()}


@pytest.mark.parametrize("schema", [{"type": "object"}, True, {}, {"properties": {}}, {"additionalProperties": False}])
def test_a_schema_without_properties_has_no_slots_and_its_tool_runs(schema: Any) -> None:
    tool = Tool("ping", "Answers.", schema, lambda: "pong")
    assert tool.slots == {} and tool.schema["type"] == "object" and tool.schema["properties"] == {}
    assert tool.call({}).output == "pong"
    assert fill(Question("ping"), tool).missing == ()
    assert prompts.signature(tool) == "ping()"


READ = {
    "optional type": (
        {"properties": {"n": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}}},
        {"n": ({"default": None, "type": "integer"}, False)},
    ),
    "type list": (
        {"properties": {"n": {"type": ["string", "null"]}, "m": {"type": ["string", "integer"]}}},
        {"n": ({"type": "string"}, False), "m": ({"type": ["string", "integer"]}, False)},
    ),
    "reference": (
        {
            "$defs": {"Room": {"enum": ["hall", "attic"]}},
            "properties": {"room": {"$ref": "#/$defs/Room", "description": "where"}},
            "required": ["room"],
        },
        {"room": ({"description": "where", "enum": ["hall", "attic"]}, True)},
    ),
    "old definitions": (
        {"definitions": {"a/b": {"type": "number"}}, "properties": {"x": {"$ref": "#/definitions/a~1b"}}},
        {"x": ({"type": "number"}, False)},
    ),
    "anchor": (
        {"$defs": {"A": {"$anchor": "here", "type": "number"}}, "properties": {"x": {"$ref": "#here"}}},
        {"x": ({"type": "number"}, False)},
    ),
    "reference of the whole": (
        {"$ref": "#/$defs/Args", "$defs": {"Args": {"type": "object", "properties": {"x": {"type": "number"}}}}},
        {"x": ({"type": "number"}, False)},
    ),
    "parts that hold together": (
        {
            "allOf": [
                {"properties": {"n": {"type": "number", "minimum": 1}}, "required": ["n"]},
                {"properties": {"n": {"type": "integer", "minimum": 3}, "m": {}}},
            ]
        },
        {"n": ({"type": "integer", "minimum": 3}, True), "m": ({}, False)},
    ),
    "const": ({"properties": {"kind": {"const": "lamp"}}}, {"kind": ({"enum": ["lamp"]}, False)}),
    "consts in turn": (
        {"properties": {"kind": {"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]}}},
        {"kind": ({"enum": ["a", "b"]}, False)},
    ),
    "int enum": ({"properties": {"n": {"enum": [1, 2, None]}}}, {"n": ({"enum": [1, 2]}, False)}),
    "true and 1": (
        {"properties": {"n": {"anyOf": [{"const": True}, {"const": 1}]}}},
        {"n": ({"enum": [True, 1]}, False)},
    ),
    "nested": (
        {
            "properties": {
                "at": {"type": "object", "properties": {"x": {"type": ["number", "null"]}}, "required": ["x"]}
            }
        },
        {"at": ({"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}, False)},
    ),
    "array": (
        {"$defs": {"T": {"type": "string"}}, "properties": {"tags": {"type": "array", "items": {"$ref": "#/$defs/T"}}}},
        {"tags": ({"type": "array", "items": {"type": "string"}}, False)},
    ),
    "true": ({"properties": {"any": True}, "required": ["any"]}, {"any": ({}, True)}),
    "false": ({"properties": {"never": False, "x": {}}}, {"x": ({}, False)}),
    "required without a schema": ({"required": ["x"]}, {"x": ({}, True)}),
    "one of two": (
        {"properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"a": ({}, False), "b": ({}, False)},
    ),
    "forms of the whole": (
        {
            "oneOf": [
                {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id", "key"]},
                {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name", "key"]},
            ]
        },
        {"id": ({"type": "integer"}, False), "key": ({}, True), "name": ({"type": "string"}, False)},
    ),
    "a choice with any value": (
        {"properties": {"x": {"oneOf": [{"type": "string"}, {"description": "or else"}]}}},
        {"x": ({}, False)},
    ),
    "a tree": (
        {
            "$defs": {"N": {"properties": {"next": {"$ref": "#/$defs/N"}}}},
            "properties": {"root": {"$ref": "#/$defs/N"}},
        },
        {"root": ({"properties": {"next": {}}}, False)},
    ),
    "draft 7": (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {"pair": {"type": "array", "items": [{"type": "string"}, {"type": "number"}]}},
        },
        {"pair": ({"type": "array", "items": [{"type": "string"}, {"type": "number"}]}, False)},
    ),
}


@pytest.mark.parametrize(("schema", "expected"), READ.values(), ids=READ)
def test_a_schema_is_read_slot_by_slot(schema: dict, expected: dict) -> None:
    assert slots(schema) == expected


REFUSED = {
    "no schema": (5, "parameters: 5 is no JSON schema"),
    "false": (False, "parameters: False is no JSON schema"),
    "no object": ({"type": "array"}, "parameters.type: 'array'"),
    "no object among the forms": ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "parameters.anyOf: none"),
    "no type": ({"properties": {"a": {"anyOf": [{}, {"type": "day"}]}}}, "parameters.properties.a.anyOf[1].type:"),
    "properties in a list": ({"properties": [1]}, "parameters.properties:"),
    "remote": ({"properties": {"x": {"$ref": "https://a.b/c"}}}, "parameters.properties.x.$ref: 'https://a.b/c'"),
    "file": ({"properties": {"x": {"$ref": "other.json#/x"}}}, "parameters.properties.x.$ref: 'other.json#/x'"),
    "nowhere": ({"properties": {"x": {"items": {"$ref": "#/$defs/X"}}}}, "parameters.properties.x.items.$ref:"),
    "to no schema": ({"required": ["x"], "properties": {"x": {"$ref": "#/required"}}}, "parameters.properties.x.$ref:"),
    "to itself": ({"properties": {"x": {"$ref": "#/properties/x"}}}, "parameters.properties.x.$ref: the reference"),
    "in a circle": (
        {
            "$defs": {"A": {"allOf": [{"$ref": "#/$defs/B"}]}, "B": {"$ref": "#/$defs/A"}},
            "properties": {"x": {"$ref": "#/$defs/A"}},
        },
        "parameters.properties.x.$ref.allOf[0].$ref.$ref: the reference leads",
    ),
    "dynamic": ({"properties": {"x": {"$dynamicRef": "#x"}}}, "parameters.properties.x.$dynamicRef:"),
    "a base of its own": ({"properties": {"x": {"$id": "y"}}}, "parameters.properties.x.$id:"),
    "pattern": ({"properties": {"a b": {"pattern": "("}}}, "parameters.properties['a b'].pattern: '('"),
    "required and impossible": (
        {"properties": {"x": False}, "required": ["x"]},
        "parameters.properties.x: is required",
    ),
    "draft 3": ({"$schema": "http://json-schema.org/draft-03/schema#"}, "parameters.$schema: draft 3"),
}


@pytest.mark.parametrize(("schema", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_with_its_path(schema: Any, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        Tool("t", "Does.", schema)
    assert str(caught.value).startswith(f"Tool 't': {words}"), caught.value


def test_references_that_multiply_one_another_are_refused_in_time() -> None:
    layers = {f"d{i}": {"properties": {k: {"$ref": f"#/$defs/d{i + 1}"} for k in "ab"}} for i in range(40)}
    with pytest.raises(ValueError, match=rf"more than {MAX_SCHEMAS:,} schemas"):
        read_parameters({"$defs": {**layers, "d40": {}}, "properties": {"x": {"$ref": "#/$defs/d0"}}})


def test_a_schema_that_is_nested_too_deep_is_refused() -> None:
    schema: dict = {}
    for _ in range(5_000):
        schema = {"properties": {"x": schema}}
    with pytest.raises(ValueError, match="^parameters: the schema is nested too deep"):
        read_parameters(schema)


def test_arguments_are_checked_against_the_schema_as_it_was_given() -> None:
    node = {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/Node"}}}
    tool = Tool("t", "Does.", {"$defs": {"Node": node}, "properties": {"n": {"$ref": "#/$defs/Node"}}})
    assert tool.fits({"n": {"v": 1, "next": {"v": 2}}}) and not tool.fits({"n": {"v": 1, "next": {"v": "2"}}})
    assert Tool("t", "Does.", {"properties": {"x": {"type": ["string", "null"]}}}).fits({"x": None})


def test_reading_changes_nothing_about_a_plain_schema() -> None:
    for tool in (*default_tools().values(), *registry(200).values()):
        assert json.dumps(tool.schema) == json.dumps(tool.parameters)


def test_a_tool_can_be_copied() -> None:
    schema = {"$defs": {"A": {"enum": [1, 2]}}, "properties": {"x": {"$ref": "#/$defs/A"}}}
    copy = deepcopy(Tool("t", "Does.", schema))
    assert copy.slots["x"].fits(2) and not copy.fits({"x": 3})


NAMES = st.sampled_from(["a", "b", "a b", "$ref", "", "type", "properties"])
REFERENCES = st.sampled_from(
    [
        "#",
        "#/$defs/a",
        "#/$defs/b",
        "#/properties/a",
        "#/allOf/0",
        "#/$defs/a/items",
        "#/required",
        "#a",
        "http://x/y",
        "[",
    ]
)
TYPES = st.sampled_from(["string", "null", "object", "integer", ["object", "null"], ["string", "integer"]])
LEAVES = st.none() | st.booleans() | st.integers(-2, 3) | REFERENCES | st.sampled_from(["string", "(", "x"])
KEYWORDS = st.sampled_from(
    "$ref $id $defs $schema $anchor type enum const properties required items prefixItems anyOf oneOf allOf not if "
    "then additionalProperties patternProperties pattern minimum maxLength dependentSchemas definitions title".split()
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS | NAMES, inner, max_size=4)
)
LIKELY = st.deferred(
    lambda: (
        st.booleans()
        | st.fixed_dictionaries(
            {},
            optional={
                "type": TYPES,
                "$ref": REFERENCES,
                "$defs": st.dictionaries(st.sampled_from(["a", "b"]), LIKELY, max_size=2),
                "properties": st.dictionaries(NAMES, LIKELY, max_size=3),
                "required": st.lists(NAMES, max_size=2, unique=True),
                "allOf": st.lists(LIKELY, min_size=1, max_size=2),
                "anyOf": st.lists(LIKELY, min_size=1, max_size=3),
                "enum": st.lists(LEAVES, max_size=3),
                "const": LEAVES,
                "items": LIKELY,
                "additionalProperties": LIKELY,
                "not": LIKELY,
                "minimum": st.integers(0, 3),
                "pattern": st.sampled_from(["a+", "[", r"\p{L}"]),
            },
        )
    )
)
"""Schemas more often than not, where any JSON seldom is one."""


@settings(max_examples=200, deadline=None)
@given(JSON | LIKELY, JSON)
def test_any_json_is_read_or_refused_with_a_path_and_nothing_else(schema: Any, value: Any) -> None:
    try:
        tool = Tool("t", "Does.", schema, lambda **_: "ran")
    except ValueError as fault:
        assert str(fault).startswith("Tool 't': parameters"), fault
        return
    for slot in tool.slots.values():
        slot.fits(value)
    result = tool.call(value if isinstance(value, dict) else {})
    assert (result.output is None) != (result.error is None)
    assert prompts.call("q", {"t": tool}).schema
    unread(Question("a question about 3 things"), fill(Question("a 3"), tool), set())


ODD = {
    "not": {"properties": {"x": {"type": "string", "not": {"enum": ["a"]}}}, "required": ["x"]},
    "if": {"properties": {"x": {"type": "string"}}, "if": {"required": ["x"]}, "then": {"required": ["y"]}},
    "look": {"properties": {"x": {"type": "string", "pattern": "^(?=a)[a-z]+$"}}, "required": ["x"]},
    "unique": {"properties": {"x": {"type": "array", "uniqueItems": True, "items": {"type": "integer"}}}},
    "names": {"propertyNames": {"pattern": "^a"}, "additionalProperties": {"type": "string"}},
    "unknown": {"properties": {"x": {"type": "string", "format": "uri-template", "x-own": 3}}},
    "either": {"properties": {"a": {}, "b": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    "tree": {"$defs": {"N": {"properties": {"n": {"$ref": "#/$defs/N"}}}}, "properties": {"n": {"$ref": "#/$defs/N"}}},
}


@pytest.mark.embedded
@pytest.mark.parametrize("name", ODD)
def test_a_schema_that_no_grammar_holds_leaves_the_embedded_models_call_bound(name: str, embedded_lm: dspy.LM) -> None:
    tool = Tool(name, "Does things with a and x.", ODD[name])
    prompt = prompts.call(f"use {name} with 5", {name: tool})
    reply = ask(embedded_lm, replace(prompt, or_text=False), Trace("tool_calling", "q"))
    assert reply.startswith(f'{{"name": "{name}", "arguments": {{'), reply
