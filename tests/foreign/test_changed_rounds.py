"""The kernel, ntfs-3g and we change the same volumes in turn, and each reads what the others made.

A plain model in memory knows what has to be there; after every turn the books of the volume are in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ntfsbuild.volume.opening import Volume
from tests.foreign.changed import Dice, World, all_by_ntfs3, all_by_ntfs3g, all_by_us, snapshot, sound
from tests.oracle import READERS, Reader, Tree, judge_all, ntfs3_vm, specimen
from tests.oracle.facts import extensions
from tests.oracle.judge import examine, verdict
from tests.oracle.model import Geometry
from tests.oracle.ntfs3_vm.guest.changes import Change

KIB, MIB = 1 << 10, 1 << 20
pytestmark = pytest.mark.needs(*specimen.TOOLS, *ntfs3_vm.TOOLS)
QUICK = {"ntfs-3g", "ntfsfix", "ntfsresize", "wimlib"}
TURNS = [all_by_us, all_by_ntfs3, all_by_us, all_by_ntfs3g, all_by_ntfs3, all_by_us, all_by_ntfs3g, all_by_us]
Turn = Callable[[Sequence[tuple[Path, Sequence[Change]]]], None]


class Volumes:
    """Some volumes, each with its model."""

    def __init__(self, folder: Path, readers: list[Reader], geometries: list[tuple[int, int]]) -> None:
        self.readers = readers
        self.worlds: dict[Path, World] = {}
        self.states: list[tuple[Path, Tree]] = []  # For all readers, at the end.
        for sector, cluster in geometries:
            image = folder / f"{sector}-{cluster}.img"
            specimen.make(image, {}, size=max(24 * MIB, 400 * cluster), sector=sector, cluster=cluster)
            self.worlds[image] = World()

    def turn(self, who: Turn, changes: Callable[[World], list[Change]], *, keep: bool = False) -> None:
        """Let one writer make changes to every volume; look at once, and `keep` a copy for later."""
        who([(image, changes(world)) for image, world in self.worlds.items()])
        sound(self.worlds)
        quick = [reader for reader in self.readers if reader.name in QUICK]
        judge_all([(image, world.tree()) for image, world in self.worlds.items()], quick)
        if keep:
            name = f"state {len(self.states)}.img"
            self.states += [
                (snapshot(i, f"{i.stem} {name}"), world.tree()) for i, world in self.worlds.items()
            ]

    def judge(self) -> None:
        # ntfssecaudit takes for an entry what its buffer still holds behind the last one: where that is of
        # another writer's making, it finds fault with nothing.
        readers = [reader for reader in self.readers if reader.name != "ntfssecaudit"]
        judge_all(self.states, [reader_of_many_blocks(reader) for reader in readers])


def reader_of_many_blocks(reader: Reader) -> Reader:
    """Other writers leave more index blocks than entries would need, and a file may have several names.

    Where a cluster holds several blocks, libfsntfs and The Sleuth Kit lose some of either.
    """
    if reader.name not in ("libfsntfs", "pytsk3", "fls", "GRUB"):
        return reader

    def refuses(geometry: Geometry, paths: Any) -> str | None:
        if geometry.cluster > geometry.index_block or reader.name == "GRUB":
            return "loses entries"
        return reader.refuses(geometry, paths)

    return Reader(reader.name, reader.tools, reader.read, refuses, reader.shown, reader.time_unit)


@pytest.mark.parametrize(
    "geometries", [[(512, 512), (512, 4 * KIB)], [(512, 64 * KIB), (4096, 4 * KIB)]], ids=str
)
def test_anything_in_turn(tmp_path: Path, readers: list[Reader], geometries: list[tuple[int, int]]) -> None:
    volumes = Volumes(tmp_path, readers, geometries)
    dice = Dice(f"{geometries}")
    for number, who in enumerate(TURNS):
        volumes.turn(who, lambda world: dice.changes(world, 70), keep=number in (2, len(TURNS) - 1))
    volumes.judge()


# ---- a directory of more than a thousand entries that shrinks and grows


def crowd(world: World, tag: str, count: int, name_length: int = 0) -> list[Change]:
    return [
        world.do("make", f"crowd/{number * 7919 % count:04}{tag}{'n' * (number % (name_length + 1))}", b"")
        for number in range(count)
    ]


def thin(world: World, keep: int) -> list[Change]:
    """Every `keep`-th stays."""
    names = sorted(path for path in world.files if path.startswith("crowd/"))
    return [world.do("remove", path) for number, path in enumerate(names) if not keep or number % keep]


def test_a_crowd(tmp_path: Path, readers: list[Reader]) -> None:
    volumes = Volumes(tmp_path, readers, [(512, 4 * KIB), (512, 64 * KIB)])
    turns: list[tuple[Turn, Callable[[World], list[Change]]]] = [
        (all_by_us, lambda world: [world.do("mkdir", "crowd"), *crowd(world, "a", 1200)]),
        (all_by_ntfs3, lambda world: thin(world, 5) + crowd(world, "b", 300, 100)),
        (all_by_us, lambda world: thin(world, 200) + crowd(world, "c", 1)),
        (all_by_ntfs3g, lambda world: crowd(world, "d", 1100, 50)),
        (all_by_us, lambda world: thin(world, 2) + crowd(world, "e", 700, 200)),
        (all_by_ntfs3, lambda world: thin(world, 100)),
        (all_by_us, lambda world: [*thin(world, 0), world.do("rmdir", "crowd")]),
        (all_by_ntfs3g, lambda world: [world.do("mkdir", "crowd"), *crowd(world, "f", 100)]),
    ]
    for number, (who, changes) in enumerate(turns):
        volumes.turn(who, changes, keep=number in (1, 4))
    volumes.judge()


# ---- files that grow from their records into many pieces, and back


def grow(world: World, size: int, times: int) -> list[Change]:
    """All of them in turn, so that none finds room behind its end."""
    return [
        world.do("write", path, len(world.files[path]), bytes([len(path), number % 251]) * (size // 2))
        for number in range(times)
        for path in sorted(world.files)
    ]


def cut(world: World, part: int) -> list[Change]:
    return [world.do("truncate", path, len(world.files[path]) // part) for path in sorted(world.files)]


def test_growing_in_pieces(tmp_path: Path, readers: list[Reader]) -> None:
    volumes = Volumes(tmp_path, readers, [(512, 512), (1024, 1024)])
    dice = Dice(5)
    small = [b"%d" % number * 300 for number in range(4)]
    turns: list[tuple[Turn, Callable[[World], list[Change]]]] = [
        (all_by_us, lambda world: [world.do("make", "f" * (k + 1), data) for k, data in enumerate(small)]),
        (all_by_ntfs3, lambda world: grow(world, 200, 2)),
        (all_by_us, lambda world: grow(world, 1600, 330)),
        (all_by_ntfs3g, lambda world: grow(world, 1600, 20) + [dice.overwrite(world) for _ in range(20)]),
        (all_by_us, lambda world: cut(world, 3) + grow(world, 3000, 40)),
        (all_by_ntfs3, lambda world: grow(world, 5000, 40) + cut(world, 2)),
        (all_by_us, lambda world: [dice.overwrite(world) for _ in range(20)] + grow(world, 700, 120)),
        (all_by_ntfs3g, lambda world: cut(world, 50) + grow(world, 900, 2)),
        (all_by_us, lambda world: cut(world, 10_000_000)),
    ]
    most = dict.fromkeys(volumes.worlds, 0)
    for number, (who, changes) in enumerate(turns):
        volumes.turn(who, changes, keep=number in (4, 6, 7, 8))
        for image in volumes.worlds:
            most[image] = max(most[image], extensions(image))
    assert all(most.values()), "no file ever needed a second record"
    volumes.judge()


# ---- streams whose end was never written


def unwritten(world: World) -> list[Change]:
    """Some grow by nothing but a size, in their records and out of them; one is written far behind it."""
    sizes = {"a": (10, 300_000), "b": (5000, 300_000), "c": (0, 70_000), "d": (100_000, 99_000), "e": (3, 20)}
    changes = [world.do("make", name, b"x" * size) for name, (size, _) in sizes.items()]
    changes += [world.do("truncate", name, size) for name, (_, size) in sizes.items()]
    return [*changes, world.do("make", "g", b"start"), world.do("write", "g", 200_000, b"far")]


def written_further(world: World) -> list[Change]:
    return [
        world.do("write", "a", 150_000, b"middle"),
        world.do("write", "b", 299_000, b"end" * 1000),
        world.do("truncate", "c", 35_000),
        world.do("write", "c", 35_000, b"appended"),
        world.do("truncate", "d", 400_000),
        world.do("write", "d", 390_000, b"z"),
        world.do("write", "e", 15, b"y"),
        world.do("write", "g", 100_000, b"hole" * 3000),
        world.do("truncate", "g", 150_000),
        world.do("truncate", "g", 180_000),
    ]


def test_what_ntfs3_has_emptied(tmp_path: Path, readers: list[Reader]) -> None:
    """It leaves a list of runs that are not the file's any more, which some readers take for its content.

    All read it rightly when we have written it again.
    """
    image, world = tmp_path / "emptied.img", World()
    specimen.make(image, {}, size=8 * MIB)
    made = [world.do("make", f"{number}", b"x" * (2000 + 900 * number)) for number in range(12)]
    all_by_ntfs3([(image, made)])
    all_by_ntfs3([(image, [world.do("truncate", f"{number}", 0) for number in range(12)])])
    sound([image])
    pytsk3 = next(reader for reader in READERS if reader.name == "pytsk3")
    assert verdict(pytsk3, examine(pytsk3, image), world.tree()), "the Sleuth Kit reads them, too"
    with Volume.open(image) as volume:
        assert [volume.read(f"/{number}") for number in range(12)] == [b""] * 12
    again = [world.do("write", f"{number}", 0, b"again" * 100 * number) for number in range(9)]
    again += [world.do("rename", "9", "renamed"), world.do("link", "10", "linked"), world.do("remove", "11")]
    all_by_us([(image, again)])
    sound([image])
    judge_all([(image, world.tree())], [one for one in readers if one.name not in LEFT_OUT[all_by_ntfs3]])


# dissect.ntfs and GRUB show what was never written; 7-Zip wants holes of 16 clusters, which ntfs-3g does not;
# ntfssecaudit finds fault with the first thing that ntfs3 files.
LEFT_OUT: dict[Turn, set[str]] = {
    all_by_ntfs3: {"dissect.ntfs", "GRUB", "ntfssecaudit"},
    all_by_ntfs3g: {"dissect.ntfs", "GRUB", "7-Zip"},
}


@pytest.mark.parametrize("who", LEFT_OUT, ids=lambda who: who.__name__)
def test_what_was_never_written(tmp_path: Path, readers: list[Reader], who: Turn) -> None:
    image, world = tmp_path / "unwritten.img", World()
    specimen.make(image, {"dirt": b"\xd1" * (10 * MIB)}, size=16 * MIB)
    all_by_us([(image, [("remove", "dirt")])])
    who([(image, unwritten(world))])
    sound([image])
    cases = [(snapshot(image, "before.img"), world.tree())]
    all_by_us([(image, written_further(world))])
    sound([image])
    judge_all([*cases, (image, world.tree())], [one for one in readers if one.name not in LEFT_OUT[who]])
