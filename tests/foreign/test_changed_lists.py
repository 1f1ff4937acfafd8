"""Files of other makers whose attributes fill several records: they grow, gain and lose names and streams,
until one record is enough again; after every step every reader finds them whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.depth import is_looked_at
from tests.foreign.changed import (
    SECOND,
    START,
    World,
    all_by_ntfs3,
    read_all,
    snapshot,
    sound,
    unlike,
    witnesses,
)
from tests.foreign.makers import by_wimlib
from tests.oracle import Reader, file, menagerie, ntfs3_vm, specimen
from tests.oracle.facts import listed_files
from tests.oracle.model import stream

MIB = 1 << 20
pytestmark = pytest.mark.needs(*menagerie.TOOLS, *ntfs3_vm.TOOLS)


# ---- the volumes, and the files on them that have a list


def of_ntfs3g(image: Path) -> list[str]:
    menagerie.make(image, size=32 * MIB)
    return ["streams", "large streams", "names"]


def of_ntfs3g_in_pieces(image: Path) -> list[str]:
    menagerie.scatter_files(image, {"one": b"1" * 820_001}, size=8 * MIB)
    return ["one"]


def of_wimlib(image: Path) -> list[str]:
    by_wimlib(image)
    return ["streams", "large streams", "names"]


def of_ntfs3(image: Path) -> list[str]:
    specimen.make(image, {}, size=16 * MIB)
    world = World()
    links = [("link", "many", f"{'n' * 150}{number}") for number in range(14)]
    all_by_ntfs3([(image, [world.do("make", "many", b"of many names"), *links])])
    return ["many"]


MAKERS: list[Callable[[Path], list[str]]] = [of_ntfs3g, of_ntfs3g_in_pieces, of_wimlib, of_ntfs3]


# ---- a file with a list, and what is done to it


class Subject:
    """What one file has to be, under each name that it has or had."""

    def __init__(self, volume: VolumeEditor, path: str) -> None:
        info = volume.stat(f"/{path}")
        self.path, self.record = path, info.record
        self.content = bytearray(volume.read(f"/{path}"))
        self.old_names = {found[1:] for found, item in volume.walk() if item.record == info.record}
        self.names = dict.fromkeys(self.old_names, True)
        self.streams = {one.name: volume.read(f"/{path}", one.name) for one in info.streams if one.name}
        self.modified, self.changed = info.times[1:3]
        self.folders: dict[str, dict[str, int]] = {}  # Other than the root, and when they changed.

    def touch(self, now: int, *, modified: bool = True) -> int:
        self.changed = now
        self.modified = now if modified else self.modified
        return now

    def expected(self) -> dict[str, dict[str, Any] | None]:
        entry = file(bytes(self.content))
        fields = {"size": entry.size, "sha256": entry.sha256, "sha1": entry.sha1}
        fields |= {"modified": self.modified, "changed": self.changed, "record": self.record}
        fields["links"] = sum(self.names.values())
        fields["streams"] = tuple(sorted(stream(name, [data]) for name, data in self.streams.items()))
        as_new = {"kind": "file", **fields}
        named = {
            name: (fields if name in self.old_names else as_new) if there else None
            for name, there in self.names.items()
        }
        return {**self.folders, **named}


def grow(volume: VolumeEditor, one: Subject, now: int) -> None:
    data = b"grown" * 5000
    volume.append(f"/{one.path}", data, one.touch(now))
    one.content += data


def more_names(volume: VolumeEditor, one: Subject, now: int) -> None:
    for number in range(15):
        name = f"{one.path} {'long' * 20} {number}"
        volume.link(f"/{one.path}", f"/{name}", one.touch(now, modified=False))
        one.names[name] = True


def more_streams(volume: VolumeEditor, one: Subject, now: int) -> None:
    for number in range(15):
        one.streams[f"new {number}"] = b"%d" % number * 150
        volume.write(f"/{one.path}", 0, b"%d" % number * 150, one.touch(now), f"new {number}")


def fewer_streams(volume: VolumeEditor, one: Subject, now: int) -> None:
    for name in list(one.streams)[1:]:
        volume.remove_stream(f"/{one.path}", name, one.touch(now))
        del one.streams[name]


def fewer_names(volume: VolumeEditor, one: Subject, now: int) -> None:
    """All but one go, those that others gave it among them."""
    for name, there in one.names.items():
        if there and name != one.path:
            volume.remove(f"/{name}", one.touch(now, modified=False))
            one.names[name] = False
            if folder := name.rpartition("/")[0]:
                one.folders[folder] = {"modified": now, "changed": now}


def cut(volume: VolumeEditor, one: Subject, now: int) -> None:
    """To nothing but a few bytes, in one cluster."""
    volume.truncate(f"/{one.path}", 10, one.touch(now))
    del one.content[10:]


STEPS = [grow, more_names, more_streams, fewer_streams, fewer_names, cut]


class State(NamedTuple):
    """A copy of a volume after a step, and what has changed since `begin`, the number of its first state."""

    image: Path
    begin: int
    old_names: set[str]
    expected: dict[str, dict[str, Any] | None]


def states_of(image: Path, paths: list[str], begin: int) -> Iterator[State]:
    sound([image])
    with Volume.open(image, "r+") as volume:
        subjects = [Subject(volume, path) for path in paths]
    records = {one.record for one in subjects}
    old_names = {name for one in subjects for name in one.old_names}
    assert records <= listed_files(image), "not the files that this is about"
    yield State(snapshot(image, f"{image.stem}, before.img"), begin, old_names, {})
    for number, step in enumerate(STEPS):
        with Volume.open(image, "r+") as volume:
            for one in subjects:
                step(volume, one, START + number * SECOND)
            volume.commit()
        sound([image])
        expected = {path: fields for one in subjects for path, fields in one.expected().items()}
        yield State(snapshot(image, f"{image.stem}, {step.__name__}.img"), begin, old_names, expected)
    assert not records & listed_files(image), "one record would do"


def test_files_with_lists_of_other_makers(tmp_path: Path, readers: list[Reader]) -> None:
    """By those who can read such files where others made them.

    GRUB reads none, dissect.ntfs not all: it overlooks the content of ntfs-3g's file of many names.
    """
    states: list[State] = []
    for maker in MAKERS:
        image = tmp_path / f"{maker.__name__}.img"
        found = list(states_of(image, maker(image), len(states)))
        turn = 2 * MAKERS.index(maker)
        states += [found[0], *(one for k, one in enumerate(found[1:]) if is_looked_at(k, STEPS, turn))]
    seen = read_all([state.image for state in states], [one for one in readers if one.name != "GRUB"])
    faults = []
    for state, now in zip(states, seen, strict=True):
        able = {
            name: reading
            for name, reading in witnesses(seen[state.begin]).items()
            if reading.entries is None or state.old_names <= reading.entries.keys()
        }
        assert len(able) > 10, "too few can read it to begin with"
        faults += [f"{state.image.name}: {fault}" for fault in unlike(able, now, state.expected)]
    assert not faults, "\n".join(faults[:20])
