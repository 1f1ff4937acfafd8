"""Values and manifests, right and wrong, drawn by Hypothesis from what the schema says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from ntfsbuild.manifest.schema_files import schema_text

SCHEMA: dict[str, Any] = json.loads(schema_text("manifest"))
DEFINITIONS: dict[str, Any] = SCHEMA["$defs"]


def subschemas(schema: Any, path: str = "#/") -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    yield path, schema
    for keyword in ("properties", "patternProperties", "$defs", "dependentSchemas"):
        for name, part in schema.get(keyword, {}).items():
            yield from subschemas(part, f"{path.rstrip('/')}/{keyword}/{name}")
    for keyword in ("items", "not", "propertyNames", "then"):
        yield from subschemas(schema.get(keyword), f"{path.rstrip('/')}/{keyword}")
    for keyword in ("oneOf", "anyOf"):
        for number, part in enumerate(schema.get(keyword, [])):
            yield from subschemas(part, f"{path.rstrip('/')}/{keyword}/{number}")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return {**SCHEMA["$defs"][reference.removeprefix("#/$defs/")], **schema} if reference else schema


ALL = dict(subschemas(SCHEMA))

# Values that are nearly right: what is made of them is accepted or refused for a reason.
KEYS = sorted({key for one in ALL.values() for key in one.get("properties", {})})
WORDS = "auto auto+1% 1KiB 64MiB source posix zero random ascii utf-8 2024-01-01 2024-01-01T00:00:00Z hidden"
SCALARS = st.sampled_from(
    [None, True, 0, 1, 7, -1, 1.5, 512, 4096, "", "3 MB", "00", "é", "a" * 64, *WORDS.split(" ")]
)

NAMES = st.sampled_from([*KEYS, ".", "a", "b/", "a/b", "c/d/", "/x", "a//b", "..", "", "x-unknown"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)

GOOD = st.sampled_from(
    [
        *[value for one in ALL.values() for value in one.get("examples", [])],
        *["fifo", "true", "0644", 0o644, "CLOUD", "0x10", "C:/x", "O:BA", "everyone_full", [1, 2], ["a.cer"]],
    ]
)


def described(definition: str) -> st.SearchStrategy[dict[str, Any]]:
    """Some keys of a definition, most with a value that fits."""
    properties = DEFINITIONS[definition]["properties"]

    def one(key: str) -> st.SearchStrategy[tuple[str, Any]]:
        examples = resolved(properties[key]).get("examples")
        fitting = [st.just(value) for value in examples or []]
        return st.tuples(st.just(key), st.one_of(*fitting, *fitting, *fitting, GOOD, VALUES))

    keys = st.sampled_from(sorted(properties)).flatmap(one)
    return st.lists(keys, min_size=1, max_size=3).map(dict)
