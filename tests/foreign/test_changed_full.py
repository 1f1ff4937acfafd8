"""Volumes without a free cluster: what is deleted from them makes its own room, and nothing is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ntfsbuild.errors import NoRoom
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.conftest import Cases
from tests.depth import is_looked_at
from tests.foreign.changed import ARCHIVE, START, World, by_us, snapshot, sound
from tests.oracle import Tree, specimen
from tests.oracle.facts import free_clusters

KIB, MIB = 1 << 10, 1 << 20
TIMES = (START,) * 4
BLOCK_BYTES = 4096
pytestmark = pytest.mark.needs(*specimen.TOOLS)


def full(image: Path, cluster: int) -> World:
    """A directory of several blocks, and one file that has all the rest."""
    specimen.make(image, {}, size=max(4 * MIB, 400 * cluster), cluster=cluster)
    world = World()
    crowd = [world.do("make", f"crowd/{number:03}{'n' * 90}", b"%d" % number) for number in range(120)]
    by_us(image, [world.do("mkdir", "crowd"), *crowd])
    by_us(image, [world.do("make", "rest", b"r" * (free_clusters(image) * cluster))])
    assert free_clusters(image) == 0
    return world


def test_deleting(tmp_path: Path, judged: Callable[[Cases], None]) -> None:
    cases: list[tuple[Path, Tree]] = []
    for turn, cluster in enumerate((512, 4 * KIB, 64 * KIB)):
        image = tmp_path / f"{cluster}.img"
        found = list(states(image, cluster))
        cases += [one for number, one in enumerate(found) if is_looked_at(number, found, 2 * turn)]
        with Volume.open(image, "r+") as volume, pytest.raises(NoRoom):
            volume.make_file("/more", bytes((free_clusters(image) + 4) * cluster), TIMES, ARCHIVE)
    judged(cases)


def states(image: Path, cluster: int) -> Iterator[tuple[Path, Tree]]:
    """Full, with less and less on it, and filled again; each with what it holds."""
    world = full(image, cluster)
    yield snapshot(image, f"{cluster}-full.img"), world.tree()
    names = sorted(world.files)
    for number, gone in enumerate([names[:1], names[1:60], names[60:-1], ["rest"]]):
        by_us(image, [world.do("remove", path) for path in gone])
        sound([image])
        yield snapshot(image, f"{cluster}-{number}.img"), world.tree()
    by_us(image, [world.do("make", "again", b"a" * (free_clusters(image) * cluster))])
    sound([image])
    yield image, world.tree()


def test_deleting_is_undone(tmp_path: Path) -> None:
    """What was freed is overwritten before the commit, which does not come: the journal has it all."""
    image = tmp_path / "full.img"
    full(image, 4 * KIB)
    before = hashlib.sha256(image.read_bytes()).digest()
    storage = JournaledStorage(ImageFile.open(image, writable=True), staged_bytes_max=4 * BLOCK_BYTES)
    storage.commit = _fails  # type: ignore[method-assign]
    with VolumeEditor(storage) as volume:
        for item in volume.listdir("/crowd")[::2]:
            volume.remove(f"/crowd/{item.name}", START)
        with pytest.raises(ZeroDivisionError):
            volume.commit()
        assert hashlib.sha256(image.read_bytes()).digest() != before, "nothing was overwritten"
    assert hashlib.sha256(image.read_bytes()).digest() == before


def _fails() -> None:
    raise ZeroDivisionError
