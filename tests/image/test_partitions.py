"""Partition tables of our own bytes, of sfdisk and of Windows: the volume is found, or it is said why not."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import uuid
import zlib
from pathlib import Path

import pytest

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.partitions import Partition, Window, find_volume, partitions
from tests.foreign.real_volumes import PARTITION, VOLUMES, _converted, _opened
from tests.oracle.tools import last_lines, missing, run

NTFS = b"\xeb\x52\x90NTFS    "
SIZE = 16 << 20
BASIC_DATA = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"


class Disk:
    """An image in memory."""

    def __init__(self, size_bytes: int = SIZE) -> None:
        self.data = bytearray(size_bytes)

    def put(self, at: int, data: bytes) -> None:
        self.data[at : at + len(data)] = data

    def read(self, offset: int, size_bytes: int) -> bytes:
        assert offset >= 0
        return bytes(self.data[offset : offset + size_bytes])

    def table(self, sector: int, entries: list[tuple[int, int, int]]) -> None:
        """Of an MBR or one of its chain: type, first sector, sectors."""
        for number, (kind, first, count) in enumerate(entries):
            self.put(
                sector * 512 + 446 + 16 * number,
                bytes([0, 1, 1, 1, kind, 1, 1, 1]) + struct.pack("<II", first, count),
            )
        self.put(sector * 512 + 510, b"\x55\xaa")

    def ntfs(self, *sectors: int, sector_bytes: int = 512) -> None:
        for sector in sectors:
            self.put(sector * sector_bytes, NTFS)

    def gpt(self, entries: dict[int, tuple[int, int]], sector_bytes: int = 512) -> None:
        """Number to first and last sector."""
        self.table(0, [(0xEE, 1, 0xFFFFFFFF)])
        array = bytearray(128 * 128)
        for number, (first, last) in entries.items():
            kind, name = uuid.UUID(BASIC_DATA).bytes_le, bytes(range(16))
            struct.pack_into("<16s16sQQ", array, 128 * (number - 1), kind, name, first, last)
        end, array_sectors = len(self.data) // sector_bytes - 1, len(array) // sector_bytes
        for here, other, at in [(1, end, 2), (end, 1, end - array_sectors)]:
            header = bytearray(92)
            struct.pack_into(
                "<8sIIIIQQQQ", header, 0, b"EFI PART", 0x10000, 92, 0, 0, here, other, 34, end - 34
            )
            struct.pack_into("<QIII", header, 72, at, 128, 128, zlib.crc32(array))
            struct.pack_into("<I", header, 16, zlib.crc32(header))
            self.put(here * sector_bytes, header)
            self.put(at * sector_bytes, array)

    def partitions(self) -> list[Partition]:
        return partitions(self.read, len(self.data))

    def find(self, number: int | None = None) -> Window:
        return find_volume(self.read, len(self.data), number)


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_a_bare_volume_wins_over_what_looks_like_a_table(disk: Disk) -> None:
    disk.table(0, [(7, 2048, 2048)])
    disk.ntfs(0, 2048)
    assert disk.partitions() == []
    assert disk.find() == Window(0, SIZE)
    with pytest.raises(VolumeError, match=r"^there is no partition 1: there are none$"):
        disk.find(1)


@pytest.mark.parametrize("size_bytes", [0, 5, 511, 512, 100_000])
def test_there_is_nothing(size_bytes: int) -> None:
    disk = Disk(size_bytes)
    assert disk.partitions() == []
    message = "^no NTFS volume: neither a boot sector at its start nor an NTFS partition in its MBR/GPT$"
    with pytest.raises(VolumeError, match=message) as caught:
        disk.find()
    assert caught.value.exit_code == 3


def test_primary_and_logical_partitions(disk: Disk) -> None:
    disk.table(0, [(7, 63, 100), (0, 0, 0), (0x0F, 4096, 20_000), (0x83, 2048, 2048)])
    disk.table(4096, [(7, 63, 1000), (5, 3000, 4000)])
    disk.table(4096 + 3000, [(7, 63, 2000), (0x85, 9000, 500)])
    disk.table(4096 + 9000, [(0, 0, 0), (5, 9999, 500)])
    disk.table(4096 + 9999, [(0x27, 1, 7)])
    assert disk.partitions() == [
        Partition(1, 63 * 512, 100 * 512, "0x07"),
        Partition(4, 2048 * 512, 2048 * 512, "0x83"),
        Partition(5, (4096 + 63) * 512, 1000 * 512, "0x07"),
        Partition(6, (4096 + 3063) * 512, 2000 * 512, "0x07"),
        Partition(7, (4096 + 10_000) * 512, 7 * 512, "0x27"),
    ]
    disk.ntfs(4096 + 3063)
    assert disk.find() == disk.find(6) == Window((4096 + 3063) * 512, 2000 * 512)
    with pytest.raises(VolumeError, match=r"^partition 1 \(type 0x07, at 32256\) is not NTFS$"):
        disk.find(1)
    disk.ntfs(63)
    with pytest.raises(VolumeError, match=r"^partitions 1 and 6 are NTFS: say which with --partition$"):
        disk.find()
    disk.ntfs(4096 + 63)
    with pytest.raises(VolumeError, match=r"^partitions 1, 5 and 6 are NTFS: say which"):
        disk.find()
    assert disk.find(1) == Window(63 * 512, 100 * 512)
    known = r"is 1 \(51200 bytes at 32256\), 4 \(1048576 bytes at 1048576\), 5 \("
    for number in (0, 2, 3, 8, -1):
        with pytest.raises(VolumeError, match=f"^there is no partition {number}: there {known}"):
            disk.find(number)


@pytest.mark.parametrize("following", [0, 3000])
def test_chains_that_bite_their_tail(disk: Disk, following: int) -> None:
    disk.table(0, [(5, 4096, 20_000)])
    disk.table(4096, [(7, 63, 1000), (5, following, 4000)])
    disk.table(7096, [(7, 63, 1000), (5, 3000, 4000)])
    assert [one.number for one in disk.partitions()] == [5, 6][: 1 + (following > 0)]


def test_a_chain_longer_than_any() -> None:
    def read(offset: int, size_bytes: int) -> bytes:
        disk = Disk(512)
        disk.table(0, [(5, 1, 9)] if offset == 0 else [(7, 1, 1), (5, offset // 512, 9)])
        return disk.read(0, size_bytes)

    assert len(partitions(read, 1 << 50)) == 1024


def test_code_where_a_table_would_be(disk: Disk) -> None:
    """FAT volumes have the signature, too."""
    disk.put(446, b"Remove disks or other media.\xff\r\nDisk error\xff\r\nPress any key to restart\r\n")
    disk.put(510, b"\x55\xaa")
    assert disk.partitions() == []


def test_partitions_beyond_the_end_are_cut(disk: Disk) -> None:
    disk.table(0, [(7, 2048, 1 << 30), (7, 1 << 20, 2048)])
    assert [(one.number, one.size_bytes) for one in disk.partitions()] == [(1, SIZE - (1 << 20)), (2, 0)]
    for number in (None, 2):
        with pytest.raises(
            VolumeError, match="partition 2 begins at 536870912, but the image ends at 16777216"
        ):
            disk.find(number)
    disk.ntfs(2048)
    assert disk.find() == disk.find(1) == Window(1 << 20, SIZE - (1 << 20))


@pytest.mark.parametrize("sector_bytes", [512, 4096])
def test_a_gpt(disk: Disk, sector_bytes: int) -> None:
    disk.gpt({1: (100, 199), 3: (300, 300), 128: (400, 449)}, sector_bytes)
    assert disk.partitions() == [
        Partition(1, 100 * sector_bytes, 100 * sector_bytes, BASIC_DATA),
        Partition(3, 300 * sector_bytes, sector_bytes, BASIC_DATA),
        Partition(128, 400 * sector_bytes, 50 * sector_bytes, BASIC_DATA),
    ]
    disk.ntfs(400, sector_bytes=sector_bytes)
    assert disk.find() == disk.find(128) == Window(400 * sector_bytes, 50 * sector_bytes)


@pytest.mark.parametrize("sector_bytes", [512, 4096])
def test_a_gpt_that_is_damaged_has_a_second_one(sector_bytes: int) -> None:
    for at in (0, 8, 16, 24, 72, 80, 84, 88, sector_bytes, sector_bytes + 40):  # Header, then array.
        disk = Disk()
        disk.gpt({2: (100, 199)}, sector_bytes)
        whole = disk.partitions()
        disk.data[sector_bytes + at] ^= 0x40
        assert disk.partitions() == whole
        disk.data[-sector_bytes + 20] ^= 1
        with pytest.raises(CorruptVolume, match=r"^the partition table \(GPT\) is damaged: neither"):
            disk.find()


def test_a_gpt_that_claims_too_much(disk: Disk) -> None:
    disk.table(0, [(0xEE, 1, 0xFFFFFFFF)])
    for entry_bytes, count, header_bytes in [(1, 1, 92), (128, 1 << 31, 92), (1 << 31, 1, 92), (128, 1, 600)]:
        header = bytearray(512)
        struct.pack_into("<8sIIIIQ", header, 0, b"EFI PART", 0x10000, header_bytes, 0, 0, 1)
        struct.pack_into("<QIII", header, 72, 1 << 60, count, entry_bytes, 0)
        struct.pack_into("<I", header, 16, zlib.crc32(header[:header_bytes]))
        disk.put(512, header)
        with pytest.raises(CorruptVolume):
            disk.partitions()


# ---------------------------------------------------------------------- tables of other programs


def _tabled(image: Path, script: str, size_bytes: int = 64 << 20) -> list[tuple[int, int, int]]:
    """Let sfdisk write a table; what it says of it: number, offset, size."""
    with image.open("wb") as file:
        file.truncate(size_bytes)
    plan = image.with_suffix(".plan")
    plan.write_text(script)
    done = run(["sh", "-c", f"sfdisk -q '{image}' < '{plan}'"])
    assert done.returncode == 0, last_lines(done.stdout)
    told = json.loads(run(["sfdisk", "-J", image]).stdout)["partitiontable"]["partitions"]
    return [
        (int(one["node"].removeprefix(str(image))), one["start"] * 512, one["size"] * 512)
        for one in told
        if one["type"] not in ("5", "f", "85")
    ]


def _found(image: Path) -> list[tuple[int, int, int]]:
    with ImageFile.open(image) as file:
        return [one[:3] for one in partitions(file.read, file.size_bytes)]


@pytest.mark.needs("sfdisk")
@pytest.mark.parametrize("extended", ["5", "f", "85"])
def test_an_mbr_of_sfdisk(tmp_path: Path, extended: str) -> None:
    image = tmp_path / "disk.img"
    told = _tabled(
        image,
        "label: dos\n"
        "1: start=2048, size=2048, type=7\n"
        f"2: start=8192, size=100000, type={extended}\n"
        "4: start=4096, size=2048, type=83\n"
        "5: start=10240, size=2048, type=7\n"
        "6: start=40960, size=1024, type=83\n"
        "7: start=20480, size=1024, type=7\n",
    )
    assert [number for number, *_ in told] == [1, 4, 5, 6, 7]
    assert _found(image) == told


@pytest.mark.needs("sfdisk")
def test_a_gpt_of_sfdisk(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    told = _tabled(
        image,
        "label: gpt\n"
        "1: start=2048, size=2048, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n"
        f"3: start=40960, size=4096, type={BASIC_DATA}, name=disk\n"
        f"4: start=8192, size=4096, type={BASIC_DATA}\n",
    )
    assert [number for number, *_ in told] == [1, 3, 4]
    assert _found(image) == told
    with image.open("r+b") as file:
        file.seek(512)
        file.write(bytes(16_384))
    assert _found(image) == told, "of the second table"
    with ImageFile.open(image) as one:
        assert partitions(one.read, one.size_bytes)[0].kind == "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"


@pytest.mark.parametrize("name", VOLUMES)
def test_real_disks(volumes: Path, name: str, tmp_path: Path) -> None:
    if absent := missing(["qemu-img"] if ".vhdx" in name else []):
        pytest.skip(absent[0])
    disk = tmp_path / "disk.vhdx" if ".vhdx" in name else tmp_path / "disk.img"
    with _opened(volumes / name) as source, disk.open("xb") as target:
        # Of a raw disk the begin will do: it has a gigabyte of what does not matter here.
        shutil.copyfileobj(source if ".vhdx" in name else io.BytesIO(source.read(4 << 20)), target)
    if ".vhdx" in name:
        disk = _converted(disk).rename(tmp_path / "disk.img")
    else:
        os.truncate(disk, 2 << 30)

    with ImageFile.open(disk) as image:
        window = find_volume(image.read, image.size_bytes)
        assert window.offset_bytes == VOLUMES[name] in (0, PARTITION)
        image.narrow(*window)
        assert image.read(3, 8) == NTFS[3:]
        volume_sectors = int.from_bytes(image.read(0x28, 8), "little") + 1
        room = 0 if VOLUMES[name] else image.size_bytes
        assert volume_sectors * 512 <= image.size_bytes <= volume_sectors * 512 + room
