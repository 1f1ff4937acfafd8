"""Features that meet at random: sound volumes, captured and laid over one another without loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")

import ntfsbuild
from tests.compiler import combinations
from tests.images import FOLDER
from tests.oracle.accounting import faults

SEEDS = range(24)


def manifest(path: Path, **sections: Any) -> Path:
    (path.parent / "files").mkdir(exist_ok=True)
    (path.parent / "files/alice.pem").write_bytes((FOLDER / "files/alice.pem").read_bytes())
    path.write_text(json.dumps({"ntfsbuild": 1, **sections}))
    return path


def assert_sound(image: Path) -> None:
    assert [f"{one.rule} {one.path} {one.found}" for one in ntfsbuild.verify(image).findings] == []
    assert faults(image) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_captured_and_built_again(tmp_path: Path, seed: int) -> None:
    image, copy = tmp_path / "a.img", tmp_path / "b.img"
    volume = {"size": "auto+1MiB", "cluster": [512, 1024, 4096][seed % 3], "record": [1024, 4096][seed % 2]}
    ntfsbuild.build(manifest(tmp_path / "a.yaml", volume=volume, tree=combinations.tree(seed)), image)
    assert_sound(image)
    captured = ntfsbuild.capture(image, tmp_path / "captured")
    assert captured.notes == ()
    ntfsbuild.build(captured.manifest, copy)
    assert list(ntfsbuild.diff(image, copy)) == []


def without_what_is_there_once(tree: dict[str, Any]) -> dict[str, Any]:
    """A volume has each object id once, a directory each short name."""
    for one in tree.values():
        for said in (one, one.get(".", {})):
            said.pop("object_id", None)
            said.pop("short_name", None)
    return tree


@pytest.mark.parametrize("seed", SEEDS)
def test_laid_over_another(tmp_path: Path, seed: int) -> None:
    """Where the other has the same files, other ones, and none."""
    image, tree = tmp_path / "a.img", combinations.tree(seed)
    there = without_what_is_there_once(combinations.tree(seed))
    there = {path: one for path, one in there.items() if len(path) % 3}
    there = {path: one for path, one in there.items() if one.get("hardlink", path) in there}
    volume = {"size": "48MiB", "cluster": [4096, 512][seed % 2]}
    ntfsbuild.build(manifest(tmp_path / "a.yaml", volume=volume, tree=there), image)
    assert_laid_over(image, tree)
    # Names of one file cannot get other contents each.
    linked = {name for path, one in tree.items() if "hardlink" in one for name in (path, one["hardlink"])}
    other = without_what_is_there_once(combinations.tree(seed + 1000))
    other = {path: one for path, one in other.items() if path not in linked}
    assert_laid_over(image, {path: one for path, one in other.items() if one.get("hardlink", path) in other})


def assert_laid_over(image: Path, tree: dict[str, Any]) -> None:
    over = manifest(image.parent / "over.yaml", tree=tree)
    assert ntfsbuild.apply(over, image).changed
    assert_sound(image)
    assert not ntfsbuild.apply(over, image).changed
