"""Deliberate damage, and who has to notice it: a reader that overlooks everything proves nothing."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.foreign.manifests import pattern
from tests.oracle import READERS, Reader, Tree, specimen
from tests.oracle.judge import examine, verdict
from tests.oracle.tools import run

pytestmark = pytest.mark.needs(*specimen.TOOLS)

CLUSTER, RECORD = 4096, 1024
ROOT, BITMAP, SECURE = 5, 6, 9
MARK = b"content that is easy to find "
TREE = {
    "resident.txt": MARK + b"resident",
    "clusters.bin": MARK * 1000,
    "folder": None,
    "folder/a.bin": pattern(5000, 1),
    "folder/b.bin": pattern(5000, 2),
}
CONTENT = ["ntfs-3g", "pytsk3", "libfsntfs", "7-Zip", "wimlib", "dissect.ntfs", "GRUB", "ntfs3"]


class Volume:
    """A volume made by others, in memory, with just enough understanding to break it."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        mft: int
        mirror: int
        (mft,) = struct.unpack_from("<Q", data, 0x30)
        (mirror,) = struct.unpack_from("<Q", data, 0x38)
        self.mft, self.mirror = mft * CLUSTER, mirror * CLUSTER

    def record(self, number: int) -> int:
        return self.mft + number * RECORD

    def attribute(self, number: int, type_code: int, name: str = "") -> int:
        at = self.record(number)
        at += int(struct.unpack_from("<H", self.data, at + 0x14)[0])
        while (found := struct.unpack_from("<I", self.data, at)[0]) != 0xFFFFFFFF:
            length, _, units, offset = struct.unpack_from("<IBBH", self.data, at + 4)
            own = self.data[at + offset : at + offset + 2 * units].decode("utf-16-le")
            if (found, own) == (type_code, name):
                return at
            at += length
        raise LookupError(f"record {number} has no attribute {type_code:#x} {name}")

    def first_cluster(self, number: int, type_code: int = 0x80, name: str = "") -> int:
        """Where a stream's first run begins."""
        at = self.attribute(number, type_code, name)
        at += struct.unpack_from("<H", self.data, at + 0x20)[0]
        lengths, offsets = self.data[at] & 15, self.data[at] >> 4
        run_at = at + 1 + lengths
        return int.from_bytes(self.data[run_at : run_at + offsets], "little", signed=True) * CLUSTER

    def by_name(self, name: str) -> int:
        """The record of a user's file."""
        wanted = name.encode("utf-16-le")
        for number in range(24, 200):
            at = self.record(number)
            if self.data[at : at + 4] == b"FILE" and self.data[at + 0x16] & 1:
                value = self.attribute(number, 0x30) + 0x18
                if self.data[value + 0x42 : value + 0x42 + len(wanted)] == wanted:
                    return number
        raise LookupError(name)


def flip_resident_content(volume: Volume) -> None:
    at = volume.attribute(volume.by_name("resident.txt"), 0x80)
    volume.data[at + 0x18] ^= 1


def flip_cluster_content(volume: Volume) -> None:
    volume.data[volume.first_cluster(volume.by_name("clusters.bin")) + 5] ^= 1


def shorten_file(volume: Volume) -> None:
    at = volume.attribute(volume.by_name("clusters.bin"), 0x80)
    size = struct.unpack_from("<Q", volume.data, at + 0x30)[0] - 1
    struct.pack_into("<QQ", volume.data, at + 0x30, size, size)


def free_a_used_cluster(volume: Volume) -> None:
    cluster = volume.first_cluster(volume.by_name("clusters.bin")) // CLUSTER
    volume.data[volume.first_cluster(BITMAP) + cluster // 8] &= ~(1 << cluster % 8) & 0xFF


def use_a_free_cluster(volume: Volume) -> None:
    bitmap = volume.first_cluster(BITMAP)
    free = volume.data.index(0, bitmap)
    volume.data[free] |= 8


def break_mirror(volume: Volume) -> None:
    volume.data[volume.mirror + RECORD + 0x60] ^= 1


def break_backup_boot_sector(volume: Volume) -> None:
    volume.data[-512 + 0x30] ^= 1


def change_a_name_in_the_index(volume: Volume) -> None:
    """The entry is now out of order, and differs from the $FILE_NAME of its record."""
    block = volume.first_cluster(ROOT, 0xA0, "$I30")
    at = volume.data.index("folder".encode("utf-16-le"), block)
    volume.data[at : at + 2] = b"z\0"


def break_index_fixup(volume: Volume) -> None:
    block = volume.first_cluster(ROOT, 0xA0, "$I30")
    volume.data[block + 510] ^= 0xFF


def break_security_hash(volume: Volume) -> None:
    volume.data[volume.first_cluster(SECURE, 0x80, "$SDS")] ^= 1


def lose_boot_signature(volume: Volume) -> None:
    volume.data[0x1FE] = 0


def point_past_the_end(volume: Volume) -> None:
    at = volume.attribute(volume.by_name("clusters.bin"), 0x80)
    at += struct.unpack_from("<H", volume.data, at + 0x20)[0]
    lengths, offsets = volume.data[at] & 15, volume.data[at] >> 4
    volume.data[at + lengths + offsets] = 0x7F


NOTICED_BY: dict[Callable[[Volume], None], list[str]] = {
    flip_resident_content: CONTENT,
    flip_cluster_content: CONTENT,
    shorten_file: [*CONTENT, "fls"],
    free_a_used_cluster: ["ntfsresize"],
    use_a_free_cluster: ["ntfsresize"],
    break_mirror: ["ntfsfix", "ntfs-3g"],
    break_backup_boot_sector: ["ntfsfix"],
    change_a_name_in_the_index: ["ntfs-3g", "fls", "libfsntfs", "GRUB"],
    break_index_fixup: ["ntfs-3g", "pytsk3", "ntfs3"],
    break_security_hash: ["ntfssecaudit"],
    lose_boot_signature: ["fls", "pytsk3", "7-Zip"],
    point_past_the_end: [*CONTENT, "ntfsresize"],
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Tree]]:
    image = tmp_path_factory.mktemp("specimen") / "original.img"
    yield image, specimen.make(image, TREE, size=16 << 20, cluster=CLUSTER)
    image.unlink()


@pytest.mark.parametrize("damage", NOTICED_BY, ids=lambda damage: damage.__name__)
def test_damage_is_noticed(
    tmp_path: Path, original: tuple[Path, Tree], damage: Callable[[Volume], None], readers: list[Reader]
) -> None:
    image, known = original
    volume = Volume(bytearray(image.read_bytes()))
    damage(volume)
    broken = tmp_path / "broken.img"
    broken.write_bytes(volume.data)
    asked = [reader for reader in readers if reader.name in NOTICED_BY[damage]]
    overlooked = [r.name for r in asked if not verdict(r, examine(r, broken), known)]
    assert not overlooked


def test_every_reader_has_something_to_notice() -> None:
    """ntfsinfo and partclone look at too little to find any of this; they count for what they refuse."""
    noticing = {name for names in NOTICED_BY.values() for name in names}
    assert {reader.name for reader in READERS} - noticing == {"ntfsinfo", "partclone"}


def test_nothing_is_noticed_where_nothing_is_broken(
    original: tuple[Path, Tree], readers: list[Reader]
) -> None:
    image, known = original
    before = image.read_bytes()
    assert not [fault for r in readers for fault in verdict(r, examine(r, image), known)]
    assert image.read_bytes() == before, "a reader wrote to the image"
    assert run(["umount", image]).returncode, "a mount was left behind"
