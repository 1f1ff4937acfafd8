"""Checks whether a value has the structure that the JSON Schema requires, without jsonschema and messages.

Importing jsonschema takes longer than a small build, and only its error messages are needed.  A test compares
the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

Check: TypeAlias = Callable[[Any, Any, dict[str, Any], dict[str, Any]], bool]

_REFERENCE = "#/$defs/"
_TYPES: dict[str, Callable[[Any], bool]] = {
    "array": lambda value: type(value) is list,
    "boolean": lambda value: type(value) is bool,
    "integer": lambda value: type(value) is int,
    "null": lambda value: value is None,
    "number": lambda value: type(value) in (int, float),
    "object": lambda value: type(value) is dict,
    "string": lambda value: type(value) is str,
}


def holds(schema: Any, value: Any, definitions: dict[str, Any]) -> bool:
    """Whether `value` meets all keywords of the schema that are known here; the others decide nothing."""
    if isinstance(schema, bool):
        return schema
    for keyword, said in schema.items():
        check = CHECKS.get(keyword)
        if check is not None and not check(said, value, schema, definitions):
            return False
    return True


def _reference(said: str, value: Any, _: dict[str, Any], definitions: dict[str, Any]) -> bool:
    assert said.startswith(_REFERENCE)
    return holds(definitions[said.removeprefix(_REFERENCE)], value, definitions)


def _type(said: str | list[str], value: Any, *_: Any) -> bool:
    return any(_TYPES[one](value) for one in ([said] if isinstance(said, str) else said))


def _enum(said: list[Any], value: Any, *_: Any) -> bool:
    return any(_same(one, value) for one in said)


def _const(said: Any, value: Any, *_: Any) -> bool:
    return _same(said, value)


def _not(said: Any, value: Any, _: dict[str, Any], definitions: dict[str, Any]) -> bool:
    return not holds(said, value, definitions)


def _required(said: list[str], value: Any, *_: Any) -> bool:
    return not isinstance(value, dict) or all(key in value for key in said)


def _properties(said: dict[str, Any], value: Any, _: dict[str, Any], definitions: dict[str, Any]) -> bool:
    return not isinstance(value, dict) or all(
        key not in said or holds(said[key], item, definitions) for key, item in value.items()
    )


def _patterns(said: dict[str, Any], value: Any, _: dict[str, Any], definitions: dict[str, Any]) -> bool:
    return not isinstance(value, dict) or all(
        holds(part, item, definitions)
        for pattern, part in said.items()
        for key, item in value.items()
        if re.search(pattern, key)
    )


def _additional(said: Any, value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    return all(
        key in known or any(re.search(one, key) for one in patterns) or holds(said, item, definitions)
        for key, item in value.items()
    )


def _dependent_required(said: dict[str, list[str]], value: Any, *_: Any) -> bool:
    return not isinstance(value, dict) or all(
        name in value for key, names in said.items() if key in value for name in names
    )


def _dependent_schemas(
    said: dict[str, Any], value: Any, _: dict[str, Any], definitions: dict[str, Any]
) -> bool:
    return not isinstance(value, dict) or all(
        holds(part, value, definitions) for key, part in said.items() if key in value
    )


def _items(said: Any, value: Any, _: dict[str, Any], definitions: dict[str, Any]) -> bool:
    return not isinstance(value, list) or all(holds(said, item, definitions) for item in value)


def _fewest_items(said: int, value: Any, *_: Any) -> bool:
    return not isinstance(value, list) or len(value) >= said


def _fewest_properties(said: int, value: Any, *_: Any) -> bool:
    return not isinstance(value, dict) or len(value) >= said


def _unique(said: bool, value: Any, *_: Any) -> bool:
    if not said or not isinstance(value, list):
        return True
    return not any(_same(one, other) for at, one in enumerate(value) for other in value[:at])


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON has it: a number is no truth value."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


CHECKS: dict[str, Check] = {
    "$ref": _reference,
    "additionalProperties": _additional,
    "const": _const,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "enum": _enum,
    "items": _items,
    "minItems": _fewest_items,
    "minProperties": _fewest_properties,
    "not": _not,
    "patternProperties": _patterns,
    "properties": _properties,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique,
}
