"""Features of files on a volume that is changed: what a change of one thing leaves of another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ntfsbuild
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.volume.opening import Volume
from tests.oracle.accounting import faults


def changed(folder: Path, tree: dict[str, Any], steps: list[dict[str, Any]]) -> Path:
    """A volume, and steps in one go on it."""
    image = folder / "disk.img"
    for said in ({"volume": {"size": "auto+2MiB"}, "tree": tree}, {"steps": steps}):
        manifest = folder / "manifest.json"
        manifest.write_text(json.dumps({"ntfsbuild": 1, **said}))
        if "tree" in said:
            ntfsbuild.build(manifest, image)
        else:
            ntfsbuild.apply(manifest, image)
        assert faults(image) == []
    return image


def test_times_of_an_entry_go_with_the_file(tmp_path: Path) -> None:
    """Not to the next one that has its record."""
    steps = [{"set": "a", "entry_times": "2016-01-01"}, {"delete": "a"}, {"write": "b", "text": "b"}]
    with Volume.open(changed(tmp_path, {"a": "a"}, steps)) as volume:
        assert volume.traits("/b").entry_times is None


def test_a_bit_says_that_there_are_extended_attributes(tmp_path: Path) -> None:
    tree = {name: {"text": "a", "unix": {"uid": 1}} for name in "abc"}
    steps: list[dict[str, Any]] = [
        {"set": "a", "ea": None},
        {"set": "b", "ea": {"x": "1"}},
        {"set": "c", "unix": {"uid": 2}},
    ]
    with Volume.open(changed(tmp_path, tree, steps)) as volume:
        found = [bool(volume.stat(f"/{name}").attributes & FileAttributes.EA) for name in "abc"]
    assert found == [False, True, True]


def test_the_size_of_extended_attributes_is_no_tag(tmp_path: Path) -> None:
    """An entry has them in one place."""
    tree = {"d/": {".": {"ea": {"user.a": "b"}}}, "link": {"wsl_symlink": "/etc"}}
    with Volume.open(changed(tmp_path, tree, [])) as volume:
        assert {item.name: item.reparse_tag for item in volume.listdir()} == {"d": 0, "link": 0xA000001D}


def test_a_descriptor_is_inherited_by_the_name_that_is_said(tmp_path: Path) -> None:
    tree = {
        "a": "a",
        "d/": {".": {"security": "O:BAG:BAD:PAI(A;OICI;FR;;;WD)"}},
        "d/b": {"hardlink": "a"},
        "d/c": {"security": "O:BAG:BAD:AI"},
    }
    steps = [{"set": "d/b", "security": "O:BAG:BAD:AI"}]
    with Volume.open(changed(tmp_path, tree, steps)) as volume:
        assert volume.traits("/d/b").security == volume.traits("/d/c").security


SPARSE = {"size": 300000, "sparse": True}


def sparse_bits(image: Path) -> dict[str, tuple[bool, bool]]:
    """By name: whether $STANDARD_INFORMATION and the entry of the directory say that it is sparse."""
    bit = int(FileAttributes.SPARSE)
    with Volume.open(image) as volume:
        return {
            item.name: (bool(volume.stat(f"/{item.name}").attributes & bit), bool(item.attributes & bit))
            for item in volume.listdir()
        }


def test_a_file_is_sparse_when_one_of_its_streams_is(tmp_path: Path) -> None:
    """The same for new volumes, over a base, and by a step."""
    tree: dict[str, Any] = {
        "main": SPARSE,
        "first": {"text": "x", "streams": {"a": SPARSE, "b": "plain"}},
        "last": {"text": "x", "streams": {"a": "plain", "b": SPARSE}},
        "linked": {"hardlink": "last"},
        "directory/": {".": {"streams": {"a": SPARSE}}},
    }
    others: dict[str, Any] = {
        "plain": {"text": "x", "streams": {"a": "plain"}},
        "squeezed": {"text": "x", "streams": {"a": {"size": 300000, "compressed": True}}},
    }
    wanted = {name.rstrip("/"): (True, True) for name in tree} | dict.fromkeys(others, (False, False))
    (tmp_path / "built").mkdir()
    assert sparse_bits(changed(tmp_path / "built", tree | others, [])) == wanted
    steps: list[dict[str, Any]] = [
        {"set": name.rstrip("/"), "streams": said.get(".", said)["streams"]}
        for name, said in (tree | others).items()
        if "streams" in said.get(".", said)
    ]
    plain: dict[str, Any] = {"main": SPARSE, "linked": {"hardlink": "last"}, "directory/": {}}
    plain |= {name: {"text": "x"} for name in ("first", "last", "plain", "squeezed")}
    assert sparse_bits(changed(tmp_path, plain, steps)) == wanted


def test_when_a_file_stops_being_sparse(tmp_path: Path) -> None:
    tree: dict[str, Any] = {
        "replaced": {"text": "x", "streams": {"a": SPARSE}},
        "one of two": {"text": "x", "streams": {"a": SPARSE, "b": SPARSE}},
        "deleted": {"text": "x", "streams": {"a": SPARSE}},
        "formed": SPARSE,
        "formed in part": SPARSE | {"streams": {"a": SPARSE}},
    }
    steps: list[dict[str, Any]] = [
        {"set": "replaced", "streams": {"a": "plain"}},
        {"set": "one of two", "streams": {"a": "plain"}},
        {"delete": "deleted", "stream": "a"},
        {"set": "deleted", "attributes": ["hidden"]},
        {"set": "deleted", "object_id": "6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11"},
        {"set": "formed", "sparse": False},
        {"set": "formed in part", "sparse": False},
    ]
    assert sparse_bits(changed(tmp_path, tree, steps)) == {
        "replaced": (False, False),
        "one of two": (True, True),
        "deleted": (True, True),
        "formed": (False, False),
        "formed in part": (True, True),
    }
