"""Volumes that several writers change in turn: a plain model of them, and what readers see of a change.

A change is what `tests.oracle.ntfs3_vm.guest.changes` says it is, whoever carries it out.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.oracle import (
    READERS,
    Entry,
    Geometry,
    Reader,
    Reading,
    Tree,
    accounting,
    directory,
    file,
    ntfs3_vm,
)
from tests.oracle.judge import COMPLAINT_MAX, differences, examine
from tests.oracle.ntfs3_vm.guest.changes import Change, perform
from tests.oracle.ntfs3g import mounted
from tests.oracle.tools import last_lines, run

START = 133_500_000_000_000_000
ARCHIVE = 0x20
SECOND = 10_000_000


# ---- a plain model, and changes that fit it


class World:
    """Directories, and files by their paths; those with several names share their bytes."""

    def __init__(self) -> None:
        self.directories: set[str] = set()
        self.files: dict[str, bytearray] = {}

    def do(self, *change: Any) -> Change:
        """Carry out a change here; whoever is to carry it out elsewhere gets it back."""
        verb, path, *more = change
        match verb:
            case "mkdir":
                self.directories.add(path)
            case "make":
                self.files[path] = bytearray(more[0])
            case "write":
                at, data = more
                content = self.files[path]
                content.extend(bytes(max(0, at - len(content))))
                content[at : at + len(data)] = data
            case "truncate":
                content = self.files[path]
                content.extend(bytes(max(0, more[0] - len(content))))
                del content[more[0] :]
            case "rename":
                self._rename(path, more[0])
            case "link":
                self.files[more[0]] = self.files[path]
            case "remove":
                del self.files[path]
            case "rmdir":
                self.directories.remove(path)
        return change

    def _rename(self, path: str, to: str) -> None:
        if path in self.files:
            self.files[to] = self.files.pop(path)
            return

        def moved(one: str) -> str:
            return to + one[len(path) :] if f"{one}/".startswith(f"{path}/") else one

        self.directories = set(map(moved, self.directories))
        self.files = {moved(one): content for one, content in self.files.items()}

    def tree(self) -> Tree:
        """What every reader has to find."""
        links = Counter(map(id, self.files.values()))
        tree = {path: file(bytes(data), links=links[id(data)]) for path, data in self.files.items()}
        return tree | {path: directory() for path in self.directories}


class Dice(random.Random):
    """Random changes to a world.

    What is cut short is not written to again by the same writer: ntfs3 of Linux 6.12 loses what it appends
    to a file that it has just cut, whoever made the file.
    """

    def __init__(self, seed: int | str) -> None:
        super().__init__(seed)
        self.cut: set[int] = set()

    def changes(self, world: World, count: int) -> list[Change]:
        self.cut.clear()
        verbs: list[Callable[[World], Change | None]] = [self.make] * 5 + [self.grow] * 6 + [self.shrink] * 2
        verbs += [self.overwrite, self.rename, self.rename, self.link, self.remove, self.remove]
        verbs += [self.mkdir, self.move, self.rmdir]
        found = (self.choice(verbs)(world) for _ in range(count))
        return [change for change in found if change is not None]

    def any_file(self, world: World) -> str | None:
        return self.choice(sorted(world.files)) if world.files else None

    def place(self, world: World) -> str:
        """A path that was never used: writers differ about names that differ by case."""
        folder = self.choice(["", *sorted(world.directories)])
        stem = self.choice(["f", "Ünï ", "日本語", "\U0001f600", "x" * self.randrange(1, 180)])
        return f"{folder}/{stem}{self.getrandbits(40):x}".lstrip("/")

    def make(self, world: World) -> Change:
        size = self.choice([0, 1, 100, 600, 700, 3000, 5000, 40_000])
        return world.do("make", self.place(world), self.randbytes(size))

    def grow(self, world: World) -> Change | None:
        """A little, so that many writes to many files leave all of them in pieces."""
        path = self.any_file(world)
        if path is None or id(world.files[path]) in self.cut:
            return None
        size = self.choice([1, 300, 2000, 4096, 20_000])
        return world.do("write", path, len(world.files[path]), self.randbytes(size))

    def overwrite(self, world: World) -> Change | None:
        path = self.any_file(world)
        if path is None or not world.files[path] or id(world.files[path]) in self.cut:
            return None
        at = self.randrange(len(world.files[path]))
        return world.do("write", path, at, self.randbytes(self.choice([1, 700, 9000])))

    def shrink(self, world: World) -> Change | None:
        """Not to nothing: of that ntfs3 makes what others complain of."""
        path = self.any_file(world)
        if path is None or not world.files[path]:
            return None
        self.cut.add(id(world.files[path]))
        return world.do("truncate", path, self.randrange(1, len(world.files[path]) + 1))

    def rename(self, world: World) -> Change | None:
        path, other = self.any_file(world), self.any_file(world)
        if path is None or other is None:
            return None
        replaces = self.random() < 0.2 and world.files[path] is not world.files[other]
        return world.do("rename", path, other if replaces else self.place(world))

    def link(self, world: World) -> Change | None:
        path = self.any_file(world)
        return path and world.do("link", path, self.place(world))

    def remove(self, world: World) -> Change | None:
        path = self.any_file(world)
        return path and world.do("remove", path)

    def mkdir(self, world: World) -> Change | None:
        return world.do("mkdir", self.place(world)) if len(world.directories) < 12 else None

    def move(self, world: World) -> Change | None:
        path, to = self.choice(["", *sorted(world.directories)]), self.place(world)
        inside = f"{to}/".startswith(f"{path}/")
        return world.do("rename", path, to) if path and not inside else None

    def rmdir(self, world: World) -> Change | None:
        used = {path.rpartition("/")[0] for path in [*world.files, *world.directories]}
        empty = sorted(world.directories - used)
        return world.do("rmdir", self.choice(empty)) if empty else None


# ---- who carries changes out


def by_us(image: Path, changes: Sequence[Change]) -> None:
    with Volume.open(image, "r+") as volume:
        for number, change in enumerate(changes):
            _by_us(volume, START + number * SECOND, *change)
            if number % 500 == 250:
                volume.commit()
        volume.commit()


def _by_us(volume: VolumeEditor, now: int, verb: str, path: str, *more: Any) -> None:  # type: ignore[misc]
    path = f"/{path}"
    match verb:
        case "mkdir":
            volume.make_directory(path, (now,) * 4, 0)
        case "make":
            volume.make_file(path, more[0], (now,) * 4, ARCHIVE)
        case "write":
            volume.write(path, more[0], more[1], now)
        case "truncate":
            volume.truncate(path, more[0], now)
        case "rename":
            volume.rename(path, f"/{more[0]}", now, replace=True)
        case "link":
            volume.link(path, f"/{more[0]}", now)
        case _:
            volume.remove(path, now)


def by_ntfs3g(image: Path, changes: Sequence[Change]) -> None:
    with mounted(image, "rw") as top:
        perform(bytes(top), changes)


Cases = Sequence[tuple[Path, Sequence[Change]]]


def all_by_us(cases: Cases) -> None:
    for image, changes in cases:
        by_us(image, changes)


def all_by_ntfs3g(cases: Cases) -> None:
    for image, changes in cases:
        by_ntfs3g(image, changes)


def all_by_ntfs3(cases: Cases) -> None:
    """In one boot; the driver complains of nothing that it finds when it mounts the images again."""
    for (image, _), reading in zip(cases, ntfs3_vm.change(cases), strict=True):
        assert not reading.complaints, (image.name, reading.complaints)


def snapshot(image: Path, name: str) -> Path:
    """A copy beside it, as full of holes."""
    copy = image.with_name(name)
    done = run(["cp", "--sparse=always", "--reflink=auto", image, copy])
    assert done.returncode == 0, last_lines(done.stdout)
    return copy


def sound(images: Iterable[Path]) -> None:
    faults = [f"{image.name}: {fault}" for image in images for fault in accounting.faults(image)]
    assert not faults, "\n".join(faults[:20])


# ---- what a change changes, as each reader sees it

Readings = dict[str, Reading]
Fields = Mapping[str, Any]
# By path: fields that changed, an entry that is another altogether, what came from another path and which of
# its fields changed, or None where there is none any more.
Expected = Mapping[str, Fields | Entry | tuple[str, Fields] | None]


def read_all(images: Sequence[Path], readers: Iterable[Reader] = READERS) -> list[Readings]:
    """What each reader says of each image; those that do not manage it are not asked."""
    readers = list(readers)
    with ThreadPoolExecutor(2) as pool:
        together = [pool.submit(_read_together, reader, images) for reader in readers if reader.read_many]
        in_turn = [pool.submit(_read_in_turn, image, readers) for image in images]
    found = [job.result() for job in in_turn]
    for job in together:
        for readings, more in zip(found, job.result(), strict=True):
            readings |= more
    return found


def _read_together(reader: Reader, images: Sequence[Path]) -> list[Readings]:
    assert reader.read_many
    return [{reader.name: reading} for reading in reader.read_many(images)]


def _read_in_turn(image: Path, readers: Sequence[Reader]) -> Readings:
    geometry, paths, found = Geometry.of(image), [], {}
    for reader in readers:
        if not reader.read_many and reader.refuses(geometry, paths) is None:
            found[reader.name] = examine(reader, image)
            paths = paths or list(found[reader.name].entries or ())
    return found


def witnesses(before: Readings) -> Readings:
    """Without those who saw nothing of a volume but a reason to complain, as 7-Zip does of a sparse file."""
    seen = any(reading.entries for reading in before.values())
    return {
        name: reading
        for name, reading in before.items()
        if reading.entries != {} or not (seen and reading.complaints)
    }


def unlike(before: Readings, after: Readings, expected: Expected) -> list[str]:
    """Where a reader sees anything but what it saw before and the change, or has a new complaint."""
    faults = []
    for reader in READERS:
        if reader.name not in before or reader.name not in after:
            continue
        old, new = before[reader.name], after[reader.name]
        more = Counter(new.complaints) - Counter(old.complaints)
        found = [f"complains anew: {complaint[:COMPLAINT_MAX]}" for complaint in more]
        if old.entries is not None and new.entries is not None:
            found += differences(reader, new.entries, after_change(reader, old.entries, expected))
        faults += [f"{reader.name}: {fault}" for fault in found]
    return faults


def after_change(reader: Reader, entries: Tree, expected: Expected) -> Tree:
    tree = {path: entry for path, entry in entries.items() if path not in map(reader.shown, expected)}
    for path, change in expected.items():
        origin, fields = change if isinstance(change, tuple) else (path, change)
        old = entries.get(reader.shown(origin))
        if isinstance(fields, Entry):
            tree[path] = fields
        elif fields is not None:
            tree[path] = Entry(**fields) if old is None else dataclasses.replace(old, **known(old, fields))
    return tree


def known(entry: Entry, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that this reader has something to say of."""
    return {name: value for name, value in fields.items() if getattr(entry, name) is not None}


def pieces(data: bytes, dice: random.Random, count: int) -> Iterator[tuple[int, bytes]]:
    """The data in so many pieces, in any order: where each belongs, and its bytes."""
    cuts = sorted(dice.sample(range(1, len(data)), count - 1))
    places = list(zip([0, *cuts], [*cuts, len(data)], strict=True))
    dice.shuffle(places)
    return ((begin, data[begin:end]) for begin, end in places)
