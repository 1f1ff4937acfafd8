"""The partition table of a PC: four entries in the first sector, and chains of further ones."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ntfsbuild.image.partition import Partition, Read
from ntfsbuild.named_tuple import NamedTuple

SECTOR_BYTES = 512
PROTECTIVE = 0xEE
_EXTENDED = (0x05, 0x0F, 0x85)
_TABLE_AT = 446
_ENTRY = struct.Struct("<B3xB3xII")
_LOGICAL_FROM = 5
_LOGICAL_MAX = 1024  # A chain that is longer leads nowhere good.


class PartitionEntry(NamedTuple):
    """One of the four of a sector; sectors count from where the entry's own table says."""

    status: int
    type: int
    first_sector: int
    sector_count: int

    @property
    def is_extended(self) -> bool:
        """Whether a chain of logical partitions begins, or goes on, there."""
        return self.type in _EXTENDED and self.sector_count > 0

    def partition(self, number: int, base: int) -> Partition:
        """The partition that it names."""
        offset = (base + self.first_sector) * SECTOR_BYTES
        return Partition(number, offset, self.sector_count * SECTOR_BYTES, f"{self.type:#04x}")


def entries(sector: bytes) -> list[PartitionEntry]:
    """The four entries of a table; none where the sector holds no table, but say a FAT volume's code."""
    if sector[510:512] != b"\x55\xaa":
        return []
    found = [PartitionEntry._make(fields) for fields in _ENTRY.iter_unpack(sector[_TABLE_AT:510])]
    return found if all(entry.status in (0x00, 0x80) for entry in found) else []


def partitions(read: Read, table: list[PartitionEntry]) -> Iterator[Partition]:
    """Primary partitions as they stand in the table, then logical ones, as they follow one another."""
    for number, entry in enumerate(table, 1):
        if entry.type and entry.sector_count and not entry.is_extended:
            yield entry.partition(number, 0)
    number = _LOGICAL_FROM
    for entry in table:
        if entry.is_extended:
            for partition in _logical(read, entry.first_sector, number):
                yield partition
                number = partition.number + 1


def _logical(read: Read, first_sector: int, number: int) -> Iterator[Partition]:
    """Each sector of the chain names a partition, counted from itself, and the next, from the first."""
    here, seen = first_sector, set[int]()
    while here not in seen and len(seen) < _LOGICAL_MAX:
        seen.add(here)
        following = None
        for entry in entries(read(here * SECTOR_BYTES, SECTOR_BYTES)):
            if entry.is_extended:
                following = following or entry
            elif entry.type and entry.sector_count:
                yield entry.partition(number, here)
                number += 1
        if following is None:
            return
        here = first_sector + following.first_sector
