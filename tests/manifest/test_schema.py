"""The published schema: described, its examples valid, and of one mind with what we accept."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import loads
from ntfsbuild.manifest.features import FEATURE_KEYS
from ntfsbuild.manifest.schema import STRUCTURE_KEYWORDS
from ntfsbuild.manifest.steps import OPERATIONS
from tests.manifest.strategies import (
    ALL,
    DEFINITIONS,
    GOOD,
    KEYS,
    NAMES,
    SCALARS,
    SCHEMA,
    VALUES,
    described,
    resolved,
)

FOR_EDITORS = "$schema $id $defs title description examples default errorMessage missingKey unknownKey"
DECIDED_BY_MEANING = (
    "pattern minimum maximum minLength maxLength maxItems propertyNames oneOf anyOf if then maxProperties"
)


PROPERTIES = {
    path: one
    for path, one in ALL.items()
    if path.split("/")[-2] in ("properties", "$defs") and "/dependentSchemas/" not in path
}
EXAMPLES = [(path, value) for path, one in ALL.items() for value in one.get("examples", [])]


def test_every_operation_has_its_definition() -> None:
    choices = [one["$ref"] for one in SCHEMA["$defs"]["step"]["oneOf"]]
    assert choices == [f"#/$defs/{operation}_step" for operation in OPERATIONS]
    for operation in OPERATIONS:
        one = SCHEMA["$defs"][f"{operation}_step"]
        assert operation in one["required"]
        assert one["additionalProperties"] is False
        assert not ({*OPERATIONS} - {operation}) & one["properties"].keys()


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"]


@pytest.mark.parametrize("path", PROPERTIES)
def test_everything_is_described_and_named(path: str) -> None:
    one = resolved(PROPERTIES[path])
    assert one["description"].endswith(".")
    assert one["title"]
    assert one.get("examples") or "properties" in one


@pytest.mark.parametrize("path", ALL)
def test_every_keyword_is_known(path: str) -> None:
    # A keyword that is in none of these sets would be ignored when a manifest is checked.
    assert ALL[path].keys() <= {*STRUCTURE_KEYWORDS, *FOR_EDITORS.split(), *DECIDED_BY_MEANING.split()}


@pytest.mark.parametrize("path", ALL)
def test_structure_is_a_matter_of_shapes(path: str) -> None:
    # Only then may a node go unchecked because another one of its shape was sound.
    one = ALL[path]
    assert all(isinstance(word, str) and len(word) < 24 for word in one.get("enum", []))
    assert one.get("const", 1) == 1 or isinstance(one["const"], str)
    if one.get("uniqueItems"):
        assert "enum" in one["items"]


@pytest.mark.parametrize(
    ("path", "value"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_examples_are_valid(path: str, value: Any) -> None:
    validator = Draft202012Validator(SCHEMA)
    assert list(validator.evolve(schema=ALL[path]).iter_errors(value)) == []


def test_examples_are_manifests() -> None:
    definitions = SCHEMA["$defs"]
    whole = [
        *SCHEMA["examples"],
        *({"ntfsbuild": 1, "tree": {"f": value}} for value in definitions["file"]["examples"]),
        *({"ntfsbuild": 1, "tree": {"d/": value}} for value in definitions["directory"]["examples"]),
        *({"ntfsbuild": 1, "tree": {"d/": {".": value}}} for value in definitions["metadata"]["examples"]),
        *(
            {"ntfsbuild": 1, "tree": {"f": {key: value}}}
            for key in FEATURE_KEYS & DEFINITIONS.keys() - {"unix", "valid_data"}
            for value in definitions[key]["examples"]
        ),
        *({"ntfsbuild": 1, "tree": {"f": {"data": [value]}}} for value in definitions["segment"]["examples"]),
        *(
            {"ntfsbuild": 1, "volume": {"base": "x", key: value} if key == "partition" else {key: value}}
            for key, one in definitions["volume"]["properties"].items()
            for value in one["examples"]
        ),
        *({"ntfsbuild": 1, "volume": value} for value in definitions["volume"]["examples"]),
        *({"ntfsbuild": 1, "clock": value} for value in definitions["clock"]["examples"]),
        *(
            {"ntfsbuild": 1, "steps": [value]}
            for name, one in definitions.items()
            if re.search("(^|_)step$", name)
            for value in one["examples"]
        ),
    ]
    assert len(whole) > 70
    for manifest in whole:
        loads(json.dumps(manifest, ensure_ascii=False).encode(), "example")


STEPS = st.fixed_dictionaries(
    {},
    optional={
        key: VALUES | st.sampled_from(["a", "a/b/", "/", "x:y"])
        for key in sorted(
            {key for name in OPERATIONS for key in SCHEMA["$defs"][f"{name}_step"]["properties"]}
        )
    },
)
ONE_STEP = st.sampled_from(OPERATIONS).flatmap(
    lambda name: st.fixed_dictionaries(
        {name: st.sampled_from(["a", "a/b", "/a/", "/", ".", "a//b", "./a"])},
        optional={
            key: SCALARS | st.sampled_from(["a", "b/c", "/"]) | VALUES
            for key in sorted(DEFINITIONS[f"{name}_step"]["properties"])
            if key != name
        },
    )
)
CLOCKS = st.dictionaries(
    st.sampled_from(["start", "step"]), SCALARS | st.sampled_from(["1s", "0s", "1.5h", "50ns"])
)
FILES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)


MANIFESTS = st.fixed_dictionaries(
    {"ntfsbuild": st.just(1)},
    optional={
        "volume": st.dictionaries(
            st.sampled_from(list(SCHEMA["$defs"]["volume"]["properties"])), SCALARS, max_size=3
        ),
        "defaults": st.dictionaries(
            st.sampled_from(["times", "names", "security", "short_names"]), VALUES | GOOD, max_size=2
        ),
        "descriptors": st.dictionaries(st.sampled_from(["mine", "a-b", "0", ""]), VALUES | GOOD, max_size=1),
        "tree": st.dictionaries(NAMES, VALUES | FILES, max_size=4)
        | st.fixed_dictionaries({"f": described("file")})
        | st.fixed_dictionaries({"d/": st.fixed_dictionaries({".": described("metadata")})}),
        "clock": CLOCKS,
        "steps": st.lists(ONE_STEP | STEPS | VALUES, max_size=3)
        | described("set_step").map(lambda step: [{**step, "set": "a"}])
        | described("mkdir_step").map(lambda step: [{**step, "mkdir": "a"}]),
    },
)


@settings(max_examples=400, deadline=None)
@given(MANIFESTS)
def test_what_we_accept_the_schema_accepts(manifest: dict[str, Any]) -> None:
    try:
        loads(json.dumps(manifest, ensure_ascii=False).encode(), "m.yaml")
    except ManifestError:
        return
    errors = [error.message for error in Draft202012Validator(SCHEMA).iter_errors(manifest)]
    assert errors == []


@settings(max_examples=400, deadline=None)
@given(MANIFESTS)
def test_what_we_refuse_for_its_structure_the_schema_refuses(manifest: dict[str, Any]) -> None:
    try:
        loads(json.dumps(manifest, ensure_ascii=False).encode(), "m.yaml")
    except ManifestError as error:
        structural = [p for p in error.problems if "unknown key" in p.message or "is missing" in p.message]
        if structural:
            assert not Draft202012Validator(SCHEMA).is_valid(manifest)
