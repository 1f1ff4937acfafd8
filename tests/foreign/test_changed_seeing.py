"""The comparison itself: what it lets pass, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ntfsbuild.volume.opening import Volume
from tests.foreign.changed import Dice, Reading, World, by_us, sound, unlike, witnesses
from tests.oracle import READERS, Tree, directory, file, specimen
from tests.oracle.accounting import faults
from tests.oracle.judge import examine

READER = "ntfs-3g"
XY = file(b"xy")
BEFORE: Tree = {"a": file(b"a", links=1, streams=()), "d": directory(), "d/b": file(b"b", links=2)}


def seen(after: Tree, complaints: list[str], expected: dict[str, object]) -> list[str]:
    before = {READER: Reading(BEFORE, ["as ever"])}
    return unlike(before, {READER: Reading(after, complaints)}, expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BEFORE, {}),
        (BEFORE | {"new": file(b"x")}, {"new": {"kind": "file", "size": 1}}),
        (BEFORE | {"a": replace(XY, links=1, streams=())},
         {"a": {"size": 2, "sha256": XY.sha256, "sha1": XY.sha1}}),
        ({"a": BEFORE["a"], "e": directory(), "e/b": BEFORE["d/b"]},
         {"d": None, "d/b": None, "e": ("d", {}), "e/b": ("d/b", {})}),
        (BEFORE | {"a": directory()}, {"a": directory()}),
    ],
)  # fmt: skip
def test_what_is_as_it_should_be(after: Tree, expected: dict[str, object]) -> None:
    assert not seen(after, ["as ever"], expected)


@pytest.mark.parametrize(
    ("after", "expected", "wanted"),
    [
        ({"a": BEFORE["a"], "d": BEFORE["d"]}, {}, "'d/b' is not there"),
        (BEFORE | {"x": directory()}, {}, "'x' should not be there"),
        (BEFORE | {"a": file(b"b", links=1)}, {}, "'a': sha256"),
        (BEFORE | {"a": replace(BEFORE["a"], streams=(("s", 1, ""),))}, {}, "'a': streams"),
        (BEFORE | {"a": replace(BEFORE["a"], links=2)}, {"a": {"size": 1}}, "'a': links"),
        (BEFORE, {"a": None}, "'a' should not be there"),
        (BEFORE, {"new": {"kind": "file"}}, "'new' is not there"),
        (BEFORE, {"a": {"size": 7}}, "'a': size 1, should be 7"),
    ],
)
def test_what_is_not(after: Tree, expected: dict[str, object], wanted: str) -> None:
    assert any(wanted in fault for fault in seen(after, ["as ever"], expected))


def test_complaints() -> None:
    assert not seen(BEFORE, [], {})
    assert seen(BEFORE, ["as ever", "as ever"], {}) == ["ntfs-3g: complains anew: as ever"]
    assert seen(BEFORE, ["other"], {}) == ["ntfs-3g: complains anew: other"]


def test_witnesses() -> None:
    blind, checker = Reading({}, ["cannot open it"]), Reading(None, ["leaks"])
    found = witnesses({READER: Reading(dict(BEFORE)), "7-Zip": blind, "ntfsfix": checker})
    assert found.keys() == {READER, "ntfsfix"}
    assert witnesses({READER: blind}) == {READER: blind}, "nobody saw more"


# ---- the model


def test_the_world_does_what_a_file_system_does(tmp_path: Path) -> None:
    world, dice = World(), Dice(1)
    for change in dice.changes(world, 400):
        assert change[0] in ("mkdir", "make", "write", "truncate", "rename", "link", "remove", "rmdir")
    assert len(world.files) > 20
    assert any(entry.links and entry.links > 1 for entry in world.tree().values())
    assert all(path.rpartition("/")[0] in {"", *world.directories} for path in world.tree())


# ---- an $UpCase of its own


@pytest.mark.needs(*specimen.TOOLS)
def test_the_order_follows_the_volume_s_own_upcase(tmp_path: Path) -> None:
    """On this one é has no capital: it stands behind all letters that have one."""
    image = tmp_path / "upcase.img"
    specimen.make(image, {}, size=8 << 20)
    table = _table(image)
    _patch(image, table + 2 * ord("é"), "é")
    names = ["aé", "aê", "aÉ", "aa", "aë"]
    by_us(image, [("make", name, name.encode()) for name in names])
    sound([image])
    with Volume.open(image) as volume:
        assert [item.name for item in volume.listdir()] == ["aa", "aÉ", "aê", "aë", "aé"]
    reading = examine(READERS[0], image)
    assert (set(reading.entries or {}), reading.complaints) == (set(names), [])
    _patch(image, table + 2 * ord("é"), "É")
    assert any("stands before" in fault for fault in faults(image)), "with the usual table it is out of order"


def _table(image: Path) -> int:
    """Where $UpCase lies: it begins with the units that are their own capitals."""
    return image.read_bytes().index(b"".join(unit.to_bytes(2, "little") for unit in range(ord("a"))))


def _patch(image: Path, at: int, letter: str) -> None:
    with image.open("r+b") as f:
        f.seek(at)
        f.write(letter.encode("utf-16-le"))
