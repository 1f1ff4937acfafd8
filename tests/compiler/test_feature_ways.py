"""Every feature, said in the tree, laid over a base, and by a step: the same comes of it each time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")

import ntfsbuild
from ntfsbuild.manifest.features import FEATURE_KEYS
from tests.images import FOLDER
from tests.oracle.accounting import faults

GUID = "6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11"
CONTENT = {"size": 300000, "fill": "random"}
ENCRYPTED = {"to": "files/alice.pem"}
# By key: what is said of a file with that content; of a directory.
OF_FILES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "streams": (CONTENT, [{"s": "text", "t": {"size": 100000, "sparse": True}}]),
    "sparse": ({"size": 300000, "data": [{"at": 200000, "text": "x"}]}, [True]),
    "compressed": (CONTENT, [True]),
    "encrypted": (CONTENT, [ENCRYPTED]),
    "valid_data": (CONTENT, [5000]),
    "symlink": ({}, ["other.txt"]),
    "wsl_symlink": ({}, ["other.txt"]),
    "wsl": ({}, ["fifo", {"char": [1, 3]}]),
    "app_exec_link": ({}, [{"package": "p", "entry_point": "e", "target": "C:\\t.exe"}]),
    "reparse": (CONTENT, [{"tag": "0x8000001B"}, {"tag": "0x00000345", "guid": GUID, "data": {"hex": "00"}}]),
    "security": (CONTENT, ["O:SYG:SYD:PAI(A;;FA;;;SY)", "read_only", "D:AI(A;;FR;;;WD)"]),
    "short_name": (CONTENT, ["X.TXT", True]),
    "ea": (CONTENT, [{"user.a": "b", "c": {"text": "x" * 5000}}]),
    "unix": (CONTENT, [{"uid": 1, "gid": 2, "mode": "0644"}]),
    "object_id": (CONTENT, [GUID]),
    "name_times": (CONTENT, ["2001-01-01", {"modified": "2001-01-01"}]),
    "entry_times": (CONTENT, ["2001-01-01", {"modified": "2001-01-01"}]),
    **{
        key: (CONTENT, [77])
        for key in ("owner_id", "quota_charged", "usn", "version_max", "version", "class_id")
    },
}
OF_DIRECTORIES: dict[str, list[Any]] = {
    "junction": ["C:\\there"],
    "mount_point": [GUID],
    "symlink": ["other"],
    "reparse": [{"tag": "0x80000099"}],
    "compressed": [True],
    "encrypted": [ENCRYPTED],
    "case_sensitive": [True],
    "streams": [{"s": "text"}],
    **{
        key: OF_FILES[key][1]
        for key in ("security", "short_name", "ea", "unix", "object_id", "name_times", "entry_times", "usn")
    },
}  # fmt: skip
NOT_OF_STEPS = {"hardlink"}  # A step of its own, `link`.
CASES = [
    *((key, "file", value) for key, (_, values) in OF_FILES.items() for value in values),
    *((key, "directory", value) for key, values in OF_DIRECTORIES.items() for value in values),
]


def test_every_feature_is_here() -> None:
    assert {*OF_FILES, *OF_DIRECTORIES} == FEATURE_KEYS - NOT_OF_STEPS


@pytest.mark.parametrize(("key", "kind", "value"), CASES, ids=[f"{key}-{kind}" for key, kind, _ in CASES])
def test_all_ways_lead_to_the_same(tmp_path: Path, key: str, kind: str, value: Any) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/alice.pem").write_bytes((FOLDER / "files/alice.pem").read_bytes())
    name, content = "a long name.text", OF_FILES[key][0] if kind == "file" else {}
    plain = said(name, kind, content)
    feature = said(name, kind, {**content, key: value})
    target = build(tmp_path / "target", feature)
    base = build(tmp_path / "base", plain)
    assert list(ntfsbuild.diff(base, target)), "it changes nothing"

    by_step = build(tmp_path / "by_step", plain, [{"set": name, key: value}])
    assert differences(by_step, target) == []

    over = manifest(tmp_path / "over", tree=feature)
    assert ntfsbuild.apply(over, base).changed
    assert differences(base, target) == []
    assert not ntfsbuild.apply(over, base).changed
    assert faults(base) == faults(by_step) == []
    if kind == "directory" and key not in ("case_sensitive",):
        made = build(tmp_path / "made", {}, [{"mkdir": name, key: value}])
        assert differences(made, target) == []


def said(name: str, kind: str, what: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}/": {".": what} if what else {}} if kind == "directory" else {name: what or None}


def manifest(stem: Path, **sections: Any) -> Path:
    path = stem.with_suffix(".yaml")
    path.write_text(json.dumps({"ntfsbuild": 1, **sections}))
    return path


def build(stem: Path, tree: dict[str, Any], steps: list[Any] | None = None) -> Path:
    image = stem.with_suffix(".img")
    more = {"steps": steps} if steps else {}
    ntfsbuild.build(manifest(stem, volume={"size": "4MiB"}, tree=tree, **more), image)
    return image


def differences(one: Path, other: Path) -> list[str]:
    """But for what keys have made of a content: they are another manifest's."""
    found = [(item.path, change) for item in ntfsbuild.diff(one, other) for change in item.changes]
    keys_differ = any(change.field == "efs" for _, change in found)
    return [f"{path}: {one}" for path, one in found if not (keys_differ and one.field in ("efs", "content"))]
