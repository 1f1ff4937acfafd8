"""Our quick yes or no about a structure, and that of jsonschema: they are of one mind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import loads, schema
from ntfsbuild.manifest.source import Data
from tests.manifest.cases import INVALID, VALID
from tests.manifest.strategies import DEFINITIONS, GOOD, SCALARS, VALUES, described

IMAGES = sorted((Path(__file__).parents[2] / "specs" / "images").glob("*.yaml"))


def agreed(definition: str, value: Data) -> bool:
    ours = quick(definition, value)
    assert ours == schema._validator(definition).is_valid(value), (definition, value)
    return ours


quick = schema.is_sound


@pytest.mark.parametrize("path", [*VALID, *INVALID, *IMAGES], ids=lambda path: path.stem)
def test_on_every_node_of_every_manifest(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def asking(definition: str, value: Data) -> bool:
        asked.append(agreed(definition, value))
        return asked[-1]

    monkeypatch.setattr(schema, "is_sound", asking)
    with suppress(ManifestError):
        loads(path.read_bytes(), path.name)
    assert asked or path in INVALID


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from([name for name, one in DEFINITIONS.items() if "properties" in one]).flatmap(
        lambda name: st.tuples(st.just(name), described(name))
    )
)
def test_on_what_is_nearly_right(said: tuple[str, dict[str, Any]]) -> None:
    agreed(*said)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(["", *DEFINITIONS]), GOOD | SCALARS | VALUES)
def test_on_anything(definition: str, value: Any) -> None:
    agreed(definition, value)
