"""Streams that are sparse and compressed (0x8001): made, changed, captured, and read by others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ntfsbuild
from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.volume.opening import Volume
from tests.oracle import ntfs3g

BOTH = {"sparse": True, "compressed": True}
FLAGS = 0x8001
BITS = int(FileAttributes.SPARSE | FileAttributes.COMPRESSED)
TEXT = "compressible text " * 40
CONTENTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "in the record": {"text": "x"},
    "text": {"data": [{"at": 0, "text": TEXT}], "size": 300_000},
    "pieces": {
        "size": 900_000,
        "data": [{"at": 0, "text": TEXT}, {"at": 700_000, "size": 99, "fill": "random"}],
    },
    "random": {"size": 150_000, "fill": "random"},
    "zeros": {"size": 200_000},
    "in part": {"size": 200_000, "fill": "random", "valid_data": 70_000},
}


def written(folder: Path, name: str, said: dict[str, Any]) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"ntfsbuild": 1, **said}))
    return path


def built(folder: Path, name: str, tree: dict[str, Any]) -> Path:
    image = folder / f"{name}.img"
    ntfsbuild.build(written(folder, name, {"volume": {"size": "8MiB"}, "tree": tree}), image)
    return image


def flags(image: Path, path: str) -> dict[str, int]:
    with Volume.open(image) as volume:
        return {one.name: one.flags for one in volume.stat(path).streams}


@pytest.mark.parametrize("kind", CONTENTS)
def test_it_comes_back_and_is_applied(tmp_path: Path, kind: str) -> None:
    content = CONTENTS[kind]
    plain = {key: value for key, value in content.items() if key != "valid_data"}
    tree = {"main": content | BOTH, "named": {"text": "x", "streams": {"s": plain | BOTH}}}
    image = built(tmp_path, "image", tree)
    assert flags(image, "/main") == {"": FLAGS}
    assert flags(image, "/named") == {"": 0, "s": FLAGS}
    assert not ntfsbuild.verify(image).findings
    with Volume.open(image) as volume:
        assert volume.stat("/main").attributes & BITS == BITS
        assert volume.stat("/named").attributes & BITS == FileAttributes.SPARSE

    captured = ntfsbuild.capture(image, tmp_path / "captured")
    assert not captured.notes
    ntfsbuild.build(captured.manifest, tmp_path / "back.img")
    assert (tmp_path / "back.img").read_bytes() == image.read_bytes()

    over = built(tmp_path, "over", {})
    ntfsbuild.apply(captured.manifest, over)
    assert flags(over, "/main") == {"": FLAGS}
    assert flags(over, "/named") == {"": 0, "s": FLAGS}
    assert not ntfsbuild.apply(captured.manifest, over).changed
    assert not ntfsbuild.verify(over).findings


@pytest.mark.parametrize("before", [{}, {"sparse": True}, {"compressed": True}, BOTH])
@pytest.mark.parametrize("after", [{"sparse": True}, {"compressed": True}, BOTH, {"sparse": False}])
def test_from_each_form_to_each(tmp_path: Path, before: dict[str, bool], after: dict[str, bool]) -> None:
    content = CONTENTS["pieces"]
    image = built(tmp_path, "image", {"a": content | before})
    with Volume.open(image) as volume:
        data = volume.read("/a")
    steps = [{"set": "a", **after}]
    ntfsbuild.apply(written(tmp_path, "steps", {"steps": steps}), image)
    wanted = (0x8000 if after.get("sparse") else 0) | (1 if after.get("compressed") else 0)
    assert flags(image, "/a") == {"": wanted}
    steps = [{"append": "a", "text": "more"}, {"truncate": "a", "size": 950_000}]
    ntfsbuild.apply(written(tmp_path, "steps", {"steps": steps}), image)
    assert flags(image, "/a") == {"": wanted}
    with Volume.open(image) as volume:
        assert volume.read("/a") == (data + b"more").ljust(950_000, b"\0")
    assert not ntfsbuild.verify(image).findings


@pytest.mark.needs("ntfs-3g", "mounting")
def test_ntfs_3g_reads_it(tmp_path: Path) -> None:
    tree = {kind: content | BOTH for kind, content in CONTENTS.items()}
    image = built(tmp_path, "image", tree)
    with Volume.open(image) as volume:
        wanted = {kind: volume.read(f"/{kind}") for kind in CONTENTS}
    assert ntfs3g_contents(image, list(CONTENTS)) == wanted


def ntfs3g_contents(image: Path, names: list[str]) -> dict[str, bytes]:
    with ntfs3g.mounted(image) as folder:
        return {name: (Path(folder) / name).read_bytes() for name in names}


@pytest.mark.parametrize("other", [{"sparse": "auto", "compressed": True}, {"sparse": True, "encrypted": {}}])
def test_no_other_pair_is_possible(tmp_path: Path, other: dict[str, Any]) -> None:
    with pytest.raises(ManifestError):
        built(tmp_path, "image", {"a": {"size": 5} | other})
