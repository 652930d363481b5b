"""What a tool's JSON schema asks for, slot by slot, whatever form the schema takes.

References are followed, schemas that hold together (``allOf``) become one, optional types lose their null, so that a
slot's schema stands by itself. It is a reading: it says what to look for and what to ask a model for. Whether arguments
fit is for the schema as it was given. Leaves out everything that is not JSON schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, specification_with

MAX_SCHEMAS = 5_000
"""Schemas within one tool's schema, once its references are followed: they may multiply one another."""

Read = dict[str, Any] | Literal[False]
"""A schema that was read; False where no value fits."""


@dataclass(frozen=True)
class Slot:
    """One argument of a tool. ``schema`` has no reference in it; ``{}`` fits any value."""

    name: str
    schema: Mapping[str, Any]
    required: bool
    validator: Validator = field(repr=False, compare=False)

    def fits(self, value: Any) -> bool:
        """Whether ``value`` fits the slot's schema."""
        return self.validator.is_valid(value)


@dataclass(frozen=True)
class Parameters:
    """A tool's schema as it was read: its slots, the same as one schema without references, and the ``validator`` of
    the schema as it was given, which fetches nothing."""

    schema: Mapping[str, Any]
    slots: Mapping[str, Slot]
    validator: Validator = field(repr=False, compare=False)


def read_parameters(given: Any, name: str = "parameters") -> Parameters:
    """The slots of ``given``, a JSON schema (or true) that takes an object.

    Raises ValueError, with the path within the schema (which ``name`` begins), where it cannot be read.
    """
    if given is True:
        given = {"type": "object"}
    if not isinstance(given, Mapping):
        raise ValueError(f"{name}: {_show(given)} is no JSON schema of an object. Give an object such as {{}}.")
    root = {key: value for key, value in given.items() if key != "$id"}
    try:
        reader = _Reader(root, name)
        schema = reader.read(root, name)
        if schema is not False:
            schema = _object(schema, name)
    except RecursionError as fault:
        raise ValueError(f"{name}: the schema is nested too deep. Make it flatter.") from fault
    if schema is False:
        raise ValueError(f"{name}: no arguments fit the schema. Give a schema of type 'object'.")
    required = schema.get("required", ())
    slots = {
        slot: Slot(slot, part, slot in required, reader.validator(part)) for slot, part in schema["properties"].items()
    }
    return Parameters(schema, slots, reader.validator({**root, "type": "object"}))


def _object(schema: Mapping[str, Any], at: str) -> dict[str, Any]:
    """``schema`` as one of an object: every property that one of its alternatives names is a property of it."""
    if not _takes_object(schema):
        raise ValueError(
            f"{at}.type: {_show(schema['type'])} is no type for arguments. Give a schema of type 'object'."
        )
    properties, required = dict(schema.get("properties", {})), list(schema.get("required", ()))
    for key in ("anyOf", "oneOf"):
        branches = [_object(part, at) for part in schema.get(key, ()) if _takes_object(part)]
        if key in schema and not branches:
            raise ValueError(f"{at}.{key}: none of the alternatives takes an object. Give one of type 'object'.")
        for slot in dict.fromkeys(slot for branch in branches for slot in branch["properties"]):
            forms = [branch["properties"][slot] for branch in branches if slot in branch["properties"]]
            properties.setdefault(slot, _alternatives("anyOf", forms))
        required += [s for s in properties if branches and all(s in b.get("required", ()) for b in branches)]
    properties |= {slot: {} for slot in required if slot not in properties}
    wanted = {"required": list(dict.fromkeys(required))} if required else {}
    return {**schema, "type": "object", "properties": properties, **wanted}


@dataclass(frozen=True)
class _Place:
    """Where a schema stands. ``here``: the schemas entered for the same value; ``above``: for values around it."""

    at: str
    resolver: Any
    here: frozenset[int] = frozenset()
    above: frozenset[int] = frozenset()

    def entered(self, schema: Mapping[str, Any]) -> _Place:
        return replace(self, here=self.here | {id(schema)})

    def beside(self, step: str) -> _Place:
        """The place of a schema for the same value."""
        return replace(self, at=f"{self.at}{step}")

    def within(self, step: str) -> _Place:
        """The place of a schema for a part of the value."""
        return replace(self, at=f"{self.at}{step}", here=frozenset(), above=self.above | self.here)


_BESIDE = ("not", "if", "then", "else")
_WITHIN = (
    "items", "prefixItems", "contains", "additionalItems", "additionalProperties", "unevaluatedItems",
    "unevaluatedProperties", "propertyNames",
)  # fmt: skip
_NAMED = ("patternProperties", "dependentSchemas", "dependencies")
_LEFT_OUT = ("definitions", "$defs", "$ref", "$schema", "$anchor", "$dynamicAnchor", "$comment", "$vocabulary")


class _Reader:
    """Reads one root schema and what its references lead to, all within it."""

    def __init__(self, root: Mapping[str, Any], name: str) -> None:
        dialect = root.get("$schema")
        dialect = dialect if isinstance(dialect, str) else ""
        self._validator = _validator_of(dialect, f"{name}.$schema")
        self._checked: set[int] = set()
        self._check(root, name)
        resource = specification_with(dialect, default=DRAFT202012).create_resource(root)
        self._resolver = Registry().with_resource("", resource).resolver()
        self._count = 0

    def validator(self, schema: Mapping[str, Any]) -> Validator:
        return self._validator(schema, registry=Registry())

    def read(self, schema: Any, at: str) -> Read:
        return self._read(schema, _Place(at, self._resolver))

    def _read(self, schema: Any, place: _Place) -> Read:
        self._count += 1
        if self._count > MAX_SCHEMAS:
            raise ValueError(
                f"{_shortened(place.at)}: references make more than {MAX_SCHEMAS:,} schemas of this one. Simplify it."
            )
        if isinstance(schema, bool):
            return {} if schema else False
        if id(schema) in place.here:
            raise ValueError(f"{place.at}: the reference leads back to itself. Let it lead to a schema.")
        if id(schema) in place.above:
            return {}  # a schema within itself, as of a tree: read once, then open
        place = place.entered(schema)
        found = self._plain(schema, place)
        for other in self._beside(schema, place):
            found = _both(found, other)
        return found

    def _beside(self, schema: Mapping[str, Any], place: _Place) -> Iterator[Read]:
        """The further schemas that a value of ``schema`` has to fit."""
        if "$ref" in schema:
            yield self._followed(schema["$ref"], place.beside(".$ref"))
        for i, part in enumerate(schema.get("allOf", ())):
            yield self._read(part, place.beside(f".allOf[{i}]"))
        for key in ("anyOf", "oneOf"):
            if key in schema:
                parts = [self._read(part, place.beside(f".{key}[{i}]")) for i, part in enumerate(schema[key])]
                yield _alternatives(key, [part for part in parts if part is not False])

    def _followed(self, ref: str, place: _Place) -> Read:
        try:
            found = place.resolver.lookup(ref)
        except (Unresolvable, ValueError, LookupError, TypeError, AttributeError):
            raise ValueError(
                f"{place.at}: {_show(ref)} leads nowhere within this schema, and others are not fetched. "
                "Put what it means under $defs."
            ) from None
        self._check(found.contents, place.at)
        return self._read(found.contents, replace(place, resolver=found.resolver))

    def _plain(self, schema: Mapping[str, Any], place: _Place) -> Read:
        """``schema`` without the keywords that lead to further schemas for the same value."""
        for key in ("$id", "$dynamicRef", "$recursiveRef"):
            if key in schema:
                raise ValueError(
                    f"{place.at}.{key}: {_show(schema[key])} is not read. Use $ref with a path from the root."
                )
        found: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _LEFT_OUT or key in ("allOf", "anyOf", "oneOf"):
                continue
            if key not in self._validator.VALIDATORS:
                found[key] = value
            elif key == "properties":
                found[key] = self._properties(schema, place)
            elif key in _NAMED:
                step = place.within if key == "patternProperties" else place.beside
                found[key] = {k: self._nested(v, step(f".{key}{_step(k)}")) for k, v in value.items()}
            elif key in _BESIDE or key in _WITHIN:
                step = place.beside if key in _BESIDE else place.within
                found[key] = self._nested(value, step(f".{key}"))
            else:
                found[key] = value
        for pattern in (*([schema["pattern"]] if "pattern" in schema else ()), *schema.get("patternProperties", ())):
            _check_pattern(pattern, place.at)
        found = _without_null(found)
        return False if found.get("enum") == [] else found

    def _properties(self, schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
        read = {
            name: self._read(part, place.within(f".properties{_step(name)}"))
            for name, part in schema["properties"].items()
        }
        for name, part in read.items():
            if part is False and name in schema.get("required", ()):
                raise ValueError(
                    f"{place.at}.properties{_step(name)}: is required, and no value fits. Mend its schema."
                )
        return {name: part for name, part in read.items() if part is not False}

    def _nested(self, value: Any, place: _Place) -> Any:
        if isinstance(value, Mapping | bool):
            return value if isinstance(value, bool) else self._read(value, place)
        if isinstance(value, list) and all(isinstance(part, Mapping | bool) for part in value):
            return [self._nested(part, place.beside(f"[{i}]")) for i, part in enumerate(value)]
        return value  # names of properties: an old form of "dependencies"

    def _check(self, schema: Any, at: str) -> None:
        """Raise ValueError where ``schema`` breaks the rules of JSON schema."""
        if id(schema) in self._checked:
            return
        if not isinstance(schema, Mapping | bool):
            raise ValueError(f"{at}: {_show(schema)} is no schema. Give an object or true.")
        fault = jsonschema.exceptions.best_match(_meta_validator(self._validator).iter_errors(schema))
        if fault is not None:
            where = "".join(_step(step) for step in fault.absolute_path)
            raise ValueError(f"{at}{where}: {_shortened(fault.message)}. See https://json-schema.org.")
        self._checked.add(id(schema))


def _both(a: Read, b: Read) -> Read:
    """A schema that fits what fits ``a`` and ``b``; the words of ``a`` win."""
    if a is False or b is False:
        return False
    merged, rest = dict(a), {}
    for key, value in b.items():
        if key not in a or key in _WORDS or _same(a[key], value):
            merged.setdefault(key, value)
        elif key in _MERGES:
            merged[key] = _MERGES[key](a[key], value)
        elif key == "properties":
            pairs = {**value, **{k: _both(v, value.get(k, {})) for k, v in a[key].items()}}
            merged[key] = {k: v for k, v in pairs.items() if v is not False}
        else:
            rest[key] = value
    if rest:
        merged["allOf"] = [*merged.get("allOf", ()), rest]
    return False if [] in (merged.get("type"), merged.get("enum")) else merged


@cache
def _meta_validator(dialect: type[Validator]) -> Validator:
    return dialect(dialect.META_SCHEMA)


def _validator_of(dialect: str, at: str) -> type[Validator]:
    """The validator of a ``$schema``; that of draft 2020-12 where none is named or it is not known."""
    try:
        found = validator_for({"$schema": dialect}, default=jsonschema.Draft202012Validator)
    except ValueError:
        raise ValueError(f"{at}: {_show(dialect)} is no URI. Leave it out.") from None
    if found is jsonschema.Draft3Validator:
        raise ValueError(f"{at}: draft 3 of JSON schema is not read. Write the schema in draft 2020-12.")
    return found


def _common_types(a: Any, b: Any) -> Any:
    a, b = ([x] if isinstance(x, str) else list(x) for x in (a, b))
    wide = lambda types: {*types, *(["integer"] if "number" in types else ())}  # noqa: E731
    common = [t for t in dict.fromkeys([*a, *b]) if t in wide(a) and t in wide(b)]
    return common[0] if len(common) == 1 else common


_WORDS = frozenset(("title", "description", "default", "examples", "format", "deprecated", "readOnly", "writeOnly"))
_MERGES: Mapping[str, Callable[[Any, Any], Any]] = {
    "type": _common_types,
    "enum": lambda a, b: [x for x in a if any(_same(x, y) for y in b)],
    "required": lambda a, b: list(dict.fromkeys([*a, *b])),
    "allOf": lambda a, b: [*a, *b],
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}


def _alternatives(key: str, parts: Sequence[dict[str, Any]]) -> Read:
    """The schema of a choice between ``parts``: one where one is left without null, an enum where all are enums, any
    where one takes any."""
    if not parts:
        return False
    parts = [part for part in parts if not _is_null(part)] or list(parts[:1])
    if all(_same(part, parts[0]) for part in parts):
        return parts[0]
    if any(not part.keys() - _WORDS for part in parts):
        return {}
    if all("enum" in part and not part.keys() - _WORDS - {"enum", "type"} for part in parts):
        types = [part.get("type") for part in parts]
        values: list[Any] = []
        for value in (value for part in parts for value in part["enum"]):
            if not any(_same(value, other) for other in values):
                values.append(value)
        return {**({"type": types[0]} if all(t == types[0] for t in types) and types[0] else {}), "enum": values}
    return {key: list(parts)}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """``schema`` with its const as an enum of one, and without null among several types or values."""
    if "const" in schema:
        const = schema.pop("const")
        schema["enum"] = [x for x in schema["enum"] if _same(x, const)] if "enum" in schema else [const]
    if isinstance(types := schema.get("type"), list):
        kept = [t for t in types if t != "null"] or types
        schema["type"] = kept[0] if len(kept) == 1 else kept
    if "enum" in schema:
        schema["enum"] = [x for x in schema["enum"] if x is not None] or schema["enum"]
    return schema


def _is_null(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "null" or schema.get("enum") == [None]


def _takes_object(schema: Mapping[str, Any]) -> bool:
    types = schema.get("type", "object")
    return types == "object" or (isinstance(types, list) and "object" in types)


def _same(a: Any, b: Any) -> bool:
    """Whether two JSON values are one: for Python, true is 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b


def _check_pattern(pattern: str, at: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as fault:
        raise ValueError(f"{at}.pattern: {_show(pattern)} is no regular expression ({fault}). Mend it.") from None


def _step(key: Any) -> str:
    """One step of a path: ``.name``, ``[2]`` or ``['a b']``."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if re.fullmatch(r"[\w$-]+", key) else f"[{key!r}]"


def _show(value: Any) -> str:
    return _shortened(repr(value))


def _shortened(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
