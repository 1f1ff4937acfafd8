"""Manifests in files: those in `valid/` beside what they mean, those in `invalid/` beside all messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest import loads
from tests.manifest.cases import HERE, INVALID, VALID
from tests.manifest.render import rendered


def test_there_are_cases() -> None:
    assert len(VALID) > 5
    assert len(INVALID) > 50


def test_every_expectation_has_its_case() -> None:
    expected = {path.with_suffix(".yaml") for path in HERE.glob("*valid/*") if path.suffix != ".yaml"}
    assert expected == {*VALID, *INVALID}


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid(path: Path) -> None:
    manifest = loads(path.read_bytes(), path.name)

    assert rendered(manifest) == json.loads(path.with_suffix(".json").read_text("utf-8"))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid(path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        loads(path.read_bytes(), path.name)

    assert str(caught.value) == path.with_suffix(".txt").read_text("utf-8").removesuffix("\n")
    assert caught.value.exit_code == 2
