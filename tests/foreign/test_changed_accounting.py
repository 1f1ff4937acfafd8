"""The books: of other makers' volumes they find nothing, of planted damage everything, of ours nothing."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.foreign.breaking import (
    CLUSTER,
    ROOT,
    TREE,
    Volume,
    break_backup_boot_sector,
    break_index_fixup,
    break_mirror,
    change_a_name_in_the_index,
    free_a_used_cluster,
    point_past_the_end,
    shorten_file,
    use_a_free_cluster,
)
from tests.foreign.changed import read_all, sound, unlike
from tests.foreign.makers import MAKERS
from tests.foreign.real_volumes import VOLUMES, unpack, unpacked
from tests.oracle import Reader, menagerie, specimen
from tests.oracle.accounting import faults
from tests.volume.changing import Driver, Model, editor

KIB, MIB = 1 << 10, 1 << 20
pytestmark = pytest.mark.needs(*menagerie.TOOLS)
BITS, BLOCKS = 0xB0, 0xA0


# ---- nothing to say of what others made


def test_fresh_volumes_of_mkntfs(tmp_path: Path) -> None:
    for sector in (512, 1024, 2048, 4096):
        for cluster in [512 << shift for shift in range(13) if 512 << shift >= sector]:
            image = tmp_path / "fresh.img"
            specimen.make(image, {}, size=max(8 * MIB, 600 * cluster), sector=sector, cluster=cluster)
            sound([image])
            image.unlink()


@pytest.mark.parametrize("maker", MAKERS)
def test_volumes_in_use(tmp_path: Path, maker: str) -> None:
    sound([MAKERS[maker](tmp_path / "used.img")])


@pytest.mark.parametrize("name", VOLUMES)
def test_real_volumes(volumes: Path, name: str) -> None:
    sound([unpacked(volumes / name)])


# ---- everything that is broken


def put(at: int, form: str, value: int) -> Callable[[Volume, int], None]:
    return lambda volume, record: struct.pack_into(form, volume.data, record + at, value)


def in_file(change: Callable[[Volume, int], None]) -> Callable[[Volume], None]:
    return lambda volume: change(volume, volume.record(volume.by_name("resident.txt")))


def flip_mft_bit(number: int) -> Callable[[Volume], None]:
    def flip(volume: Volume) -> None:
        volume.data[volume.first_cluster(0, BITS) + number // 8] ^= 1 << number % 8

    return flip


def swap_attributes(volume: Volume, record: int) -> None:
    """The first two change places, each whole."""
    data, first = volume.data, record + 0x38
    second = first + struct.unpack_from("<I", data, first + 4)[0]
    other = struct.unpack_from("<I", data, second + 4)[0]
    data[first : second + other] = data[second : second + other] + data[first:second]


def same_instance(volume: Volume, record: int) -> None:
    first = record + 0x38
    second = first + struct.unpack_from("<I", volume.data, first + 4)[0]
    volume.data[second + 0x0E : second + 0x10] = volume.data[first + 0x0E : first + 0x10]


def not_indexed(volume: Volume) -> None:
    volume.data[volume.attribute(volume.by_name("resident.txt"), 0x30) + 0x16] = 0


def root_block(volume: Volume) -> int:
    return volume.first_cluster(ROOT, BLOCKS, "$I30")


def entry_of(volume: Volume, name: str) -> int:
    """Where an entry of the root's only block begins."""
    return volume.data.index(name.encode("utf-16-le"), root_block(volume)) - 0x52


def stale_reference(volume: Volume) -> None:
    volume.data[entry_of(volume, "clusters.bin") + 6] += 1


def stale_parent(volume: Volume) -> None:
    volume.data[entry_of(volume, "clusters.bin") + 0x16] += 1


def swap_entries(volume: Volume) -> None:
    at = entry_of(volume, "clusters.bin")
    length = struct.unpack_from("<H", volume.data, at + 8)[0]
    other = struct.unpack_from("<H", volume.data, at + length + 8)[0]
    data = volume.data
    data[at : at + length + other] = data[at + length : at + length + other] + data[at : at + length]


def free_index_block(volume: Volume) -> None:
    at = volume.attribute(ROOT, BITS, "$I30")
    volume.data[at + struct.unpack_from("<H", volume.data, at + 0x14)[0]] = 0


def two_owners(volume: Volume) -> None:
    """A file's first cluster is that of another."""
    at = volume.attribute(volume.by_name("a.bin"), 0x80)
    at += struct.unpack_from("<H", volume.data, at + 0x20)[0]
    lengths, offsets = volume.data[at] & 15, volume.data[at] >> 4
    lcn = volume.first_cluster(volume.by_name("b.bin")) // CLUSTER
    volume.data[at + 1 + lengths : at + 1 + lengths + offsets] = lcn.to_bytes(offsets, "little")


NOTICED: dict[str, tuple[Callable[[Volume], None], str]] = {
    "a used cluster is free": (free_a_used_cluster, "in use, but free"),
    "a free cluster is used": (use_a_free_cluster, "leaked"),
    "a cluster has two owners": (two_owners, "some belong to another"),
    "a run ends behind the volume": (point_past_the_end, "behind the end"),
    "a size is wrong": (shorten_file, "is listed with"),
    "a used record is free": (flip_mft_bit(64), "in use, but free in $BITMAP"),
    "a free record is used": (flip_mft_bit(60), "free, but set in $BITMAP"),
    "the mirror differs": (break_mirror, "$MFTMirr differs"),
    "the other boot sector differs": (break_backup_boot_sector, "the copy of the boot sector"),
    "links": (in_file(put(0x12, "<H", 2)), "2 links, 1 names"),
    "used bytes": (in_file(put(0x18, "<I", 0x1F8)), "bytes used, the end marker at"),
    "next instance": (in_file(put(0x28, "<H", 1)), "next instance 1"),
    "instances": (in_file(same_instance), "instances ["),
    "order of attributes": (in_file(swap_attributes), "attributes in the order [48, 16"),
    "record number": (in_file(put(0x2C, "<I", 7)), "says that it is 7"),
    "sequence number": (in_file(put(0x10, "<H", 9)), "is not in its directory"),
    "directory flag": (in_file(put(0x16, "<H", 3)), "the index says otherwise"),
    "indexed flag": (not_indexed, "indexed 0"),
    "a torn record": (in_file(put(0x1FE, "<H", 0xABCD)), "torn in sector 0"),
    "an entry's reference": (stale_reference, "which has no such name"),
    "an entry's parent": (stale_parent, "an entry whose parent is"),
    "an entry's name": (change_a_name_in_the_index, "stands before"),
    "the order of entries": (swap_entries, "stands before"),
    "an index block's bit": (free_index_block, "is not there, or reached twice"),
    "a torn index block": (break_index_fixup, "torn in sector 0"),
}


@pytest.fixture(scope="module")
def sound_volume(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    image = tmp_path_factory.mktemp("specimen") / "sound.img"
    specimen.make(image, TREE, size=4 * MIB, cluster=CLUSTER)
    sound([image])
    data = image.read_bytes()
    image.unlink()
    return data


@pytest.mark.parametrize("damage", NOTICED)
def test_damage_is_noticed(tmp_path: Path, sound_volume: bytes, damage: str) -> None:
    change, wanted = NOTICED[damage]
    volume = Volume(bytearray(sound_volume))
    change(volume)
    assert volume.data != sound_volume
    broken = tmp_path / "broken.img"
    broken.write_bytes(volume.data)
    assert any(wanted in fault for fault in faults(broken)), faults(broken)


# ---- nothing to say of what we changed, at random


CHECKERS = {"ntfsfix", "ntfsresize", "ntfsinfo", "ntfssecaudit", "partclone"}


def change_at_random(image: Path, readers: list[Reader], seed: str) -> None:
    """After each commit the books are in order; in the end no checker has a complaint that is new."""
    checkers = [reader for reader in readers if reader.name in CHECKERS]
    (before,) = read_all([image], checkers)
    with editor(image) as volume:
        driver = Driver(volume, Model(), random.Random(seed))
        for _ in range(6):
            for _ in range(35):
                driver.step()
            volume.commit()
            sound([image])
    (after,) = read_all([image], checkers)
    assert not unlike(before, after, {})


@pytest.mark.parametrize("maker", MAKERS)
def test_random_changes(tmp_path: Path, readers: list[Reader], maker: str) -> None:
    change_at_random(MAKERS[maker](tmp_path / "changed.img"), readers, maker)


@pytest.mark.parametrize("name", VOLUMES)
def test_random_changes_of_real_volumes(
    tmp_path: Path, volumes: Path, readers: list[Reader], name: str
) -> None:
    change_at_random(unpack(volumes / name, tmp_path), readers, name)
