"""An $MFT in so many pieces that it needs an $ATTRIBUTE_LIST and records to extend it, made by us.

Who cannot read one of ours cannot read one of ntfs-3g's either.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ntfsbuild.errors import NoRoom, VolumeError
from ntfsbuild.ondisk import file_record
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.write import mft as mft_editor
from tests.foreign.changed import Dice, World, all_by_ntfs3, by_ntfs3g, by_us, snapshot, sound
from tests.oracle import READERS, Geometry, Reader, judge_all, menagerie, ntfs3_vm, specimen
from tests.oracle.facts import layout_of_mft
from tests.oracle.judge import examine, verdict

MIB = 1 << 20
BATCH, KEPT = 40, 90
CONTENT = b"small, but not in its record" * 30
pytestmark = pytest.mark.needs(*menagerie.TOOLS, *ntfs3_vm.TOOLS)
# 7-Zip does not open such a volume; libfsntfs takes what lies behind a run for the rest of a record.
CANNOT = {"7-Zip", "libfsntfs"}


def fill(image: Path, world: World, prefix: str, content: bytes) -> None:
    """Files in folders until the volume is full; what no longer fits is not there."""
    for number in range(1000):
        folder = f"{prefix}{number:03}"
        changes = [("mkdir", folder), *(("make", f"{folder}/{k:02}", content) for k in range(BATCH))]
        try:
            by_us(image, changes)
        except NoRoom:
            return
        for change in changes:
            world.do(*change)


def thin(image: Path, world: World, keep: int) -> None:
    """Leave every `keep`-th file."""
    gone = [path for number, path in enumerate(sorted(world.files)) if number % keep]
    by_us(image, [world.do("remove", path) for path in gone])


def scatter(image: Path) -> World:
    """Fill it, free every other cluster, and make $MFT grow there."""
    world = World()
    specimen.make(image, {}, size=4 * MIB, cluster=512)
    fill(image, world, "d", CONTENT)
    thin(image, world, 2)
    fill(image, world, "s", b"")
    thin(image, world, len(world.files) // KEPT)
    return world


def those_who_can(readers: list[Reader]) -> list[Reader]:
    return [reader for reader in readers if reader.name not in CANNOT]


def test_every_reader_that_can_reads_it(tmp_path: Path, readers: list[Reader]) -> None:
    image = tmp_path / "ours.img"
    world = scatter(image)
    pieces, runs = layout_of_mft(image)
    assert pieces > 2
    assert runs > 300
    sound([image])
    cases = [(snapshot(image, "scattered.img"), world.tree())]

    dice = Dice(11)
    by_ntfs3g(image, dice.changes(world, 60))
    sound([image])
    by_us(image, dice.changes(world, 60))
    sound([image])
    cases.append((snapshot(image, "in turn.img"), world.tree()))
    all_by_ntfs3([(image, dice.changes(world, 60))])
    sound([image])
    by_us(image, dice.changes(world, 60))
    sound([image])
    judge_all([*cases, (image, world.tree())], those_who_can(readers))


def test_who_cannot_read_ours_cannot_read_ntfs_3g_s(tmp_path: Path) -> None:
    ours, others = tmp_path / "ours.img", tmp_path / "others.img"
    scatter(ours)
    menagerie.scatter_mft(others, size=8 * MIB)
    assert layout_of_mft(others)[0] > 1
    for image in (ours, others):
        known = examine(READERS[0], image).entries
        assert known
        for reader in READERS:
            if reader.name in CANNOT and not reader.refuses(Geometry.of(image), known):
                assert verdict(reader, examine(reader, image), known), f"{reader.name} reads {image.name}"


def test_one_of_ntfs_3g_s_grows(tmp_path: Path, readers: list[Reader]) -> None:
    image, world = tmp_path / "others.img", World()
    menagerie.scatter_mft(image, size=8 * MIB)
    before = layout_of_mft(image)
    with Volume.open(image, "r+") as volume:
        for item in volume.listdir():
            if item.name.startswith("d") and int(item.name[1:]) % 3:
                volume.remove(f"/{item.name}", 0, recursive=True)
        volume.commit()
        left = [(path.strip("/"), item) for path, item in volume.walk()]
        world.directories = {path for path, item in left if item.is_directory}
        world.files = {path: bytearray(volume.read(path)) for path, item in left if not item.is_directory}
    sound([image])
    fill(image, world, "new", b"")
    sound([image])
    assert layout_of_mft(image)[1] > before[1] + 100
    thin(image, world, len(world.files) // KEPT)
    by_ntfs3g(image, Dice(12).changes(world, 60))
    by_us(image, Dice(13).changes(world, 60))
    sound([image])
    judge_all([(image, world.tree())], those_who_can(readers))


# ---- when the records that everybody keeps free for it are in use


def test_another_record_is_kept_for_it(
    tmp_path: Path, readers: list[Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_record, "FIRST_FREE", file_record.QUOTA)
    image = tmp_path / "ours.img"
    world = scatter(image)
    assert layout_of_mft(image)[0] > 2
    sound([image])
    judge_all([(image, world.tree())], those_who_can(readers))


def test_it_is_refused_where_none_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a volume could not be mounted: the way to a record would begin in that record."""
    monkeypatch.setattr(file_record, "FIRST_FREE", file_record.QUOTA)
    monkeypatch.setattr(mft_editor, "_MANY_RUNS", 1 << 30)
    image = tmp_path / "ours.img"
    with pytest.raises(VolumeError, match=r"the \$MFT lies in too many pieces"):
        scatter(image)
    sound([image])
