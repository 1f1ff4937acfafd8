"""What is equal is left untouched; the three modes give the same bytes; twice is the same as once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import ntfsbuild
from ntfsbuild.builder import Applied
from ntfsbuild.cli import main
from ntfsbuild.errors import ManifestError
from ntfsbuild.volume.opening import Volume
from tests.applying.bases import base, parameters
from tests.applying.bench import MODES, Bench
from tests.applying.contents import BASE, TREE, write_change, write_manifest
from tests.applying.reading import contents

EVERY = pytest.mark.parametrize("kind", parameters())


class Image:
    """An image in a folder, and manifests that are applied to it."""

    def __init__(self, folder: Path, kind: str, mode: str) -> None:
        self.path = folder / "disk.img"
        self.path.write_bytes(base(kind).data)
        self.mode = mode
        self.output = folder / "other.img" if mode == "output" else None
        self.manifest = write_change(folder)

    @property
    def result(self) -> Path:
        return self.output or self.path

    def apply(self, manifest: Path | None = None, **more: Any) -> Applied:
        in_place = self.mode == "in place"
        return ntfsbuild.apply(manifest or self.manifest, self.path, self.output, in_place=in_place, **more)

    def lay(self, tree: dict[str, Any], **more: Any) -> Applied:
        return self.apply(write_manifest(self.manifest.with_name("tree.yaml"), tree=tree), **more)


@pytest.fixture(name="image", params=MODES)
def _image(request: pytest.FixtureRequest, tmp_path: Path) -> Image:
    return Image(tmp_path, "ours-4096", request.param)


def identity(path: Path) -> tuple[int, int, bytes]:
    """The file itself, when it was written, its bytes."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, path.read_bytes()


@EVERY
def test_the_modes_give_the_same_bytes(tmp_path: Path, kind: str) -> None:
    results = []
    for mode in MODES:
        folder = tmp_path / mode
        folder.mkdir()
        results.append(Bench(folder, kind, mode).new)
    assert results[0] == results[1] == results[2] != base(kind).data


@EVERY
@pytest.mark.parametrize("mode", MODES)
def test_what_is_there_is_not_touched(tmp_path: Path, kind: str, mode: str) -> None:
    image = Image(tmp_path, kind, mode)
    before = identity(image.path)
    done = image.lay({**BASE, "never there.txt": {"absent": True}, "nor/": {".": {"absent": True}}})
    assert not done.changed
    assert (done.created, done.replaced, done.removed, done.steps) == (0, 0, 0, 0)
    assert identity(image.path) == before
    assert image.result.read_bytes() == before[2]


def test_nor_is_what_is_said_of_it_and_true(image: Image) -> None:
    """Times, attributes, the label and the case of names among it."""
    with Volume.open(image.path) as volume:
        times = dict(zip(("created", "modified", "changed", "accessed"), ["2024-01-01"] * 4, strict=True))
        assert volume.label == "BASE"
    tree = {
        "RESIDENT.TXT": {"text": "small", "attributes": ["archive"], "times": times},
        "Old/": {".": {"times": times, "attributes": []}, "A.txt": "a"},
    }
    manifest = write_manifest(image.manifest.with_name("tree.yaml"), volume={"label": "BASE"}, tree=tree)
    before = identity(image.path)
    assert not image.apply(manifest).changed
    assert identity(image.path) == before


@EVERY
@pytest.mark.parametrize("mode", ["copy", "in place"])
def test_twice_is_the_same_as_once(tmp_path: Path, kind: str, mode: str) -> None:
    image = Image(tmp_path, kind, mode)
    assert image.lay(TREE).changed
    once = identity(image.path)
    assert not image.lay(TREE).changed
    assert identity(image.path) == once


def test_what_is_equal_keeps_its_record_among_changes(image: Image) -> None:
    old = contents(image.path)
    image.apply()
    new = contents(image.result)
    for path in ("/few/" + name for name in BASE["few/"]):
        # The entry lies in another place of the index by now, and is the same.
        assert new[path] == old[path]
    assert new["/large.bin"] != old["/large.bin"]


def test_the_source_of_another_image_is_left_alone(tmp_path: Path) -> None:
    image = Image(tmp_path, "ours-4096-mbr", "output")
    assert image.output is not None
    before = identity(image.path)
    image.output.write_bytes(b"something else")
    for _ in range(2):
        assert image.apply().changed
        assert identity(image.path) == before
        assert "/made" in contents(image.output)
    assert sorted(os.listdir(tmp_path)) == ["change.yaml", "disk.img", "host.bin", "other.img"]


# ---- conflicts

OTHER: dict[str, Any] = {
    "resident.txt": "another text",
    "kept.txt": {"text": "nobody changes this", "attributes": ["hidden"]},
    "log.txt/": {"below.txt": "a directory instead of a file"},
    "few": "a file instead of a directory",
    "new.txt": "new",
}


def test_replace(image: Image) -> None:
    done = image.lay(OTHER, on_conflict="replace")
    with Volume.open(image.result) as volume:
        assert volume.read("/resident.txt") == b"another text"
        assert volume.read("/kept.txt") == b"nobody changes this"
        assert volume.stat("/kept.txt").attributes & 0x22 == 0x02
        assert volume.read("/log.txt/below.txt") == b"a directory instead of a file"
        assert volume.read("/few") == b"a file instead of a directory"
        assert volume.read("/new.txt") == b"new"
    assert done.changed


def test_keep(image: Image) -> None:
    old = contents(image.path)
    assert image.lay(OTHER, on_conflict="keep").created == 1
    new = contents(image.result)
    assert new.keys() - old.keys() == {"/new.txt"}
    for path in ("/resident.txt", "/kept.txt", "/log.txt", "/few"):
        assert new[path] == old[path]


def test_keep_of_nothing_new_touches_nothing(image: Image) -> None:
    before = identity(image.path)
    tree = {name: value for name, value in OTHER.items() if name != "new.txt"}
    assert not image.lay(tree, on_conflict="keep").changed
    assert identity(image.path) == before


def test_error(image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    """All conflicts are told, each with its place."""
    before, names = identity(image.path), sorted(os.listdir(image.path.parent))
    with pytest.raises(ManifestError) as told:
        image.lay(OTHER, on_conflict="error")
    assert [(problem.path, problem.message) for problem in told.value.problems] == [
        ("tree/resident.txt", "is there already with other content"),
        ("tree/kept.txt", "is there already with other times or attributes"),
        ("tree/log.txt", "is a file on the base, not a directory"),
        ("tree/few", "is a directory on the base, not a file"),
    ]
    manifest = image.manifest.with_name("tree.yaml")
    assert main(["apply", str(manifest), str(image.path), "--on-conflict", "error"]) == 2
    assert capsys.readouterr().err.count(f"{manifest}:1:") == 4
    assert identity(image.path) == before
    assert sorted(os.listdir(image.path.parent)) == sorted({*names, "tree.yaml"})


def test_error_without_conflicts_is_none(image: Image) -> None:
    assert image.lay({"kept.txt": "nobody changes this", "new.txt": "new"}, on_conflict="error").created == 1
