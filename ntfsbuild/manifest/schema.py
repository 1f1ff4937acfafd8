"""Checks the structure of a manifest against its JSON Schema; the only module that imports jsonschema.

The schema alone decides which keys, types and words are allowed.  Its titles are part of the messages:
`title` ends the sentence "... is not".  `pattern` and `minimum` are in the schema for editors; here
the parser of each value checks strings and numbers, with better messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from ntfsbuild.errors import Problem
from ntfsbuild.manifest import structure
from ntfsbuild.manifest.node import Node, step_path
from ntfsbuild.manifest.schema_files import schema_text
from ntfsbuild.manifest.source import Data, Document
from ntfsbuild.manifest.words import listed, nearest, quoted, shown
from ntfsbuild.named_tuple import NamedTuple

# The keywords that are checked here.  All of them depend only on keys, types and `enum` words, so two values
# with the same shape have the same result, and only one of them is checked.
STRUCTURE_KEYWORDS = list(structure.CHECKS)
_DEPTH_MAX = 6  # No valid value is deeper, apart from directories, which are never validated whole.
_SHAPES_MAX = 10_000
_FAULTS_MAX = 50  # Of one node; each costs a walk over it.
_UNKNOWN_KEYS_MAX = 10
_KNOWN_KEYS_MAX = 13


@cache
def manifest_schema() -> dict[str, Any]:
    """The published schema, as data."""
    schema: dict[str, Any] = json.loads(schema_text("manifest"))
    return schema


@cache
def schema_words() -> frozenset[str]:
    """Every word that the schema knows: keys of mappings and `enum` words."""
    return frozenset(_words(manifest_schema()))


def is_sound(definition: str, value: Data) -> bool:
    """Whether a value has the structure of `definition` (empty: of a whole manifest)."""
    schema = manifest_schema()
    return structure.holds(schema["$defs"][definition] if definition else schema, value, schema["$defs"])


class Fault(NamedTuple):
    """A problem with the structure, and the index of the value that cannot be used."""

    at: int
    problem: Problem


class StructureCheck:
    """Checks nodes of one document; a shape that was found valid is not checked again."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._words = schema_words()
        self._sound: set[tuple[str, Any]] = set()

    def faults(self, definition: str, node: Node) -> list[Fault]:
        """What is wrong with a node that should be `definition` (empty: a whole manifest)."""
        shape = (definition, _shape(node.data, self._words, _DEPTH_MAX))
        if shape in self._sound:
            return []
        faults = self._faults(definition, node)
        if not faults and len(self._sound) < _SHAPES_MAX:
            self._sound.add(shape)
        return faults

    def _faults(self, definition: str, node: Node) -> list[Fault]:
        value = _pruned(node.data, _DEPTH_MAX)
        if is_sound(definition, value):
            return []
        faults: dict[object, Fault] = {}
        for error in _validator(definition).iter_errors(value):
            for steps, is_key, message in _explain(error):
                fault = self._fault(node, steps, is_key, message)
                if error.validator == "not":  # Each of two contents excludes the other: name the last.
                    place = (tuple(steps[:-1]), message)
                    faults[place] = max(fault, faults.get(place, fault), key=lambda fault: fault.problem)
                else:
                    faults.setdefault(fault.problem.mark, fault)
            if len(faults) >= _FAULTS_MAX:
                return [*faults.values(), self._fault(node, [], False, "there may be more wrong with it")]
        return list(faults.values())

    def _fault(self, node: Node, steps: list[Any], is_key: bool, message: str) -> Fault:
        """A fault at the value to which `steps` lead, or at its key."""
        document = self._document
        owner, index = document.find(node.data, node.at, steps[:-1] if is_key else steps)
        index = document.find_key(owner, index, steps[-1]) if is_key else index
        problem = Problem(document.mark(index), step_path(node.path, steps), message)
        return Fault(index + is_key, problem)


def _explain(error: Any) -> Iterator[tuple[list[Any], bool, str]]:
    """An error of jsonschema as a message: path, whether it concerns the key, problem."""
    steps, schema, value = list(error.absolute_path), error.schema, error.instance
    match error.validator:
        case "additionalProperties":
            known = schema["properties"]
            unknown = [key for key in value if key not in known]
            for key in unknown[:_UNKNOWN_KEYS_MAX]:
                yield [*steps, key], True, _unknown_key(key, schema, len(unknown) - _UNKNOWN_KEYS_MAX)
        case "dependentRequired":
            for key, needed in schema["dependentRequired"].items():
                missing = [name for name in needed if name not in value]
                if key in value and missing:
                    yield [*steps, key], True, f"needs {listed(missing)} beside it"
        case "required":
            for key in [key for key in schema["required"] if key not in value]:
                said = schema["properties"][key]
                yield steps, False, said.get("missingKey") or f"{key} is missing: {said['title']}"
        case "minItems" | "minProperties":
            yield steps, False, f"something is missing: {schema['title']}"
        case "uniqueItems":
            yield steps, False, "the same is there twice"
        case "not" | "const" if "errorMessage" in schema:
            yield steps, error.validator == "not", schema["errorMessage"]
        case "enum":
            allowed = f"{schema['title']}: {listed(schema['enum'])}"
            near = nearest(value, schema["enum"]) if isinstance(value, str) else None
            hint = f"; did you mean {quoted(near)}?" if near else ""
            yield steps, False, f"{shown(value)} is not {allowed}{hint}"
        case _:
            yield steps, False, f"{shown(value)} is not {schema['title']}"


def _unknown_key(key: str, schema: Any, more: int) -> str:
    known = list(schema["properties"])
    near = nearest(key, known)
    rest = len(known) - _KNOWN_KEYS_MAX
    shown_keys = known if rest < 2 else [*known[:_KNOWN_KEYS_MAX], f"and {rest} more"]
    hint = f"did you mean {quoted(near)}?" if near else f"known are {', '.join(shown_keys)}"
    remark = "" if near else schema.get("unknownKey", "")
    return f"unknown key: {hint}{remark}" + (f" (and {more} more that are not shown)" if more > 0 else "")


def _shape(value: Data, words: frozenset[str], depth: int) -> Any:
    """Keys, types and known words: all that the structure keywords look at, as a hashable value."""
    kind = type(value)
    if kind is dict and depth:
        parts: list[Any] = []
        for key, item in value.items():  # type: ignore[union-attr]
            parts.append(key)
            if type(item) is str:
                parts.append(item if len(item) < 24 and item in words else str)
            else:
                parts.append(_shape(item, words, depth - 1))
        return tuple(parts)
    if kind is list and depth:
        return (list, *[_shape(item, words, depth - 1) for item in value])  # type: ignore[union-attr]
    if kind is str:
        return value if value in words else str
    return (kind, value) if kind is int and value == 1 else kind


def _pruned(value: Data, depth: int) -> Data:
    """A copy without deeply nested values: jsonschema is recursive, and prints values that it refuses."""
    if isinstance(value, dict):
        return {key: _pruned(item, depth - 1) for key, item in value.items()} if depth else {}
    if isinstance(value, list):
        return [_pruned(item, depth - 1) for item in value] if depth else []
    return value


@cache
def _validator(definition: str) -> Any:
    from jsonschema import Draft202012Validator, validators

    full: Any = Draft202012Validator
    kind = validators.create(
        meta_schema=full.META_SCHEMA,
        validators={word: full.VALIDATORS[word] for word in STRUCTURE_KEYWORDS},
        type_checker=full.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
        version="manifest structure",
    )
    whole = kind(manifest_schema())
    return whole.evolve(schema={"$ref": f"#/$defs/{definition}"}) if definition else whole


def _words(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        yield from (word for word in schema.get("enum", ()) if isinstance(word, str))
        yield from filter(lambda word: isinstance(word, str), [schema.get("const")])
        for part in schema.values():
            yield from _words(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _words(part)
