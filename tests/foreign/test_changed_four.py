"""What the project began with, on volumes of every maker: after each change every reader sees it, and
nothing else that it did not see before.

By day all readers look at the last state of each volume, and at one before it, another one for each volume;
our own reader and the books of the volume look at all states.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.conftest import Cases
from tests.depth import is_looked_at
from tests.foreign.changed import (
    ARCHIVE,
    SECOND,
    START,
    Expected,
    Readings,
    pieces,
    read_all,
    snapshot,
    sound,
    unlike,
    witnesses,
)
from tests.foreign.makers import MAKERS
from tests.foreign.real_volumes import VOLUMES, unpack
from tests.oracle import Entry, Reader, directory, file, menagerie, specimen
from tests.oracle.facts import fingerprints, kept_attributes

KIB, MIB = 1 << 10, 1 << 20
TIMES = (START,) * 4
AT_START = dict.fromkeys(("created", "modified", "changed", "accessed"), START)
LARGE_BYTES = 1_300_007
GEOMETRIES = {
    512: [512 << shift for shift in range(13)],
    4096: [4 * KIB << shift for shift in range(10)],
    1024: [1 * KIB, 4 * KIB, 64 * KIB],
    2048: [2 * KIB, 4 * KIB, 1 * MIB],
}


def new(content: bytes | None, **more: Any) -> dict[str, Any]:
    """All that is to be said of a new file, or of a directory."""
    entry = directory(attributes=0) if content is None else file(content, attributes=ARCHIVE, links=1)
    return {name: getattr(entry, name) for name in entry.__slots__} | {"streams": ()} | AT_START | more


# ---- the four changes; each reads back what it wrote


def small_file(volume: VolumeEditor) -> Expected:
    volume.make_file("/small.txt", b"a few bytes", TIMES, ARCHIVE)
    assert volume.read("/small.txt") == b"a few bytes"
    return {"small.txt": new(b"a few bytes")}


def file_in_a_directory(volume: VolumeEditor) -> Expected:
    volume.make_directory("/folder", TIMES, 0)
    volume.make_file("/folder/inside.txt", b"inside" * 1000, TIMES, ARCHIVE)
    assert [item.name for item in volume.listdir("/folder")] == ["inside.txt"]
    return {"folder": new(None), "folder/inside.txt": new(b"inside" * 1000)}


def nested_path(volume: VolumeEditor) -> Expected:
    volume.make_directory("/dir1", TIMES, 0)
    volume.make_directory("/dir1/dir2", TIMES, 0)
    volume.make_file("/dir1/dir2/file.txt", b"deep", TIMES, ARCHIVE)
    assert volume.read("/DIR1/dir2/../dir2/File.TXT") == b"deep"
    return {"dir1": new(None), "dir1/dir2": new(None), "dir1/dir2/file.txt": new(b"deep")}


def large_file(volume: VolumeEditor) -> Expected:
    """Written in pieces, in any order, over several commits; one volume has not the room for more."""
    dice = random.Random(7)
    content = dice.randbytes(min(LARGE_BYTES, volume.geometry.size_bytes // 3))
    volume.make_file("/large.bin", b"", TIMES, ARCHIVE)
    for number, (at, data) in enumerate(pieces(content, dice, 60)):
        volume.write("/large.bin", at, data, START + SECOND)
        if number % 25 == 7:
            volume.commit()
    assert volume.read("/large.bin") == content
    return {"large.bin": new(content, modified=START + SECOND, changed=START + SECOND)}


FOUR: list[Callable[[VolumeEditor], Expected]] = [small_file, file_in_a_directory, nested_path, large_file]
MAY_CHANGE = {"$MFT", "$Secure", ".", "small.txt", "folder", "dir1", "dir2", "large.bin"}


def carry_out(image: Path, change: Callable[[VolumeEditor], Expected]) -> Expected:
    """One of them, after which the records of all other files are what they were, to the byte.

    And so is what directories and $MFT have beside names, times and indexes: security, $TXF_DATA, …
    """
    before, kept = fingerprints(image), kept_attributes(image)
    with Volume.open(image, "r+") as volume:
        expected = change(volume)
        volume.commit()
    after, kept_after = fingerprints(image), kept_attributes(image)
    assert kept_after == {**kept_after, **kept}
    changed = {number for number, known in before.items() if after.get(number) != known}
    names = {before[number][0] for number in changed}
    assert names <= MAY_CHANGE, f"{image.name}: {names - MAY_CHANGE} changed"
    with Volume.open(image) as volume:
        for path in expected:
            assert volume.stat(f"/{path}").times == tuple(AT_START.values()) or path == "large.bin"
    sound([image])
    return expected


# ---- on fresh volumes


@pytest.mark.parametrize("sectors", [[512], [1024, 2048, 4096]], ids=str)
@pytest.mark.needs("mkntfs")
def test_fresh_volumes(tmp_path: Path, judged: Callable[[Cases], None], sectors: list[int]) -> None:
    """All states of all volumes are judged together, in as few runs of the virtual machine as it takes."""
    cases = []
    geometries = [(one, cluster) for one in sectors for cluster in GEOMETRIES[one]]
    for turn, (sector, cluster) in enumerate(geometries):
        image = tmp_path / f"{sector}-{cluster}.img"
        specimen.make(image, {}, size=max(8 * MIB, 600 * cluster), sector=sector, cluster=cluster)
        tree: dict[str, Entry] = {}
        for number, change in enumerate(FOUR):
            tree |= {path: Entry(**fields) for path, fields in carry_out(image, change).items()}
            if is_looked_at(number, FOUR, turn):
                cases.append((snapshot(image, f"{image.stem}-{change.__name__}.img"), dict(tree)))
    judged(cases)


# ---- on volumes that are in use


def compare(what: str, before: Readings, after: Readings, expected: Expected) -> None:
    faults = unlike(witnesses(before), after, expected)
    assert not faults, "\n".join([what, *faults])


@pytest.mark.needs(*menagerie.TOOLS)
def test_volumes_in_use(tmp_path: Path, readers: list[Reader]) -> None:
    """All states of all volumes are read together, as above."""
    images = [maker(tmp_path / f"{name}.img") for name, maker in MAKERS.items()]
    sound(images)
    states = [snapshot(image, f"{image.stem}-before.img") for image in images]
    so_far: list[dict[str, Any]] = [{} for _ in images]
    expected: list[tuple[int, dict[str, Any]]] = []  # With the number of the volume.
    for number, change in enumerate(FOUR):
        for turn, image in enumerate(images):
            so_far[turn] |= carry_out(image, change)
            if is_looked_at(number, FOUR, turn):
                expected.append((turn, dict(so_far[turn])))
                states.append(snapshot(image, f"{image.stem}-{change.__name__}.img"))
    found = read_all(states, readers)
    for state, now, (turn, wanted) in zip(states[len(images) :], found[len(images) :], expected, strict=True):
        compare(state.name, found[turn], now, wanted)


def test_real_volumes(tmp_path: Path, volumes: Path, readers: list[Reader]) -> None:
    """They are large: read after each change, and not copied."""
    images = []
    for name in VOLUMES:
        (tmp_path / name).mkdir()
        images.append(unpack(volumes / name, tmp_path / name))
    sound(images)
    before = read_all(images, readers)
    expected: dict[Path, dict[str, Any]] = {image: {} for image in images}
    for number, change in enumerate(FOUR):
        for image in images:
            expected[image] |= carry_out(image, change)
        asked = [turn for turn in range(len(images)) if is_looked_at(number, FOUR, turn)]
        for turn, now in zip(asked, read_all([images[turn] for turn in asked], readers), strict=True):
            image = images[turn]
            compare(f"{image.parent.name}, {change.__name__}", before[turn], now, expected[image])
