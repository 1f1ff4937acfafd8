"""A small volume, and single things in it that are broken."""

import struct

from tests.foreign.manifests import pattern

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


def point_past_the_end(volume: Volume) -> None:
    at = volume.attribute(volume.by_name("clusters.bin"), 0x80)
    at += struct.unpack_from("<H", volume.data, at + 0x20)[0]
    lengths, offsets = volume.data[at] & 15, volume.data[at] >> 4
    volume.data[at + lengths + offsets] = 0x7F
