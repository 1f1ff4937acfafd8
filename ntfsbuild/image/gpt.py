"""The partition table of UEFI: a header and an array of entries, and a second pair at the end."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from ntfsbuild.image.partition import Partition, Read
from ntfsbuild.named_tuple import NamedTuple

_MAGIC = b"EFI PART"
_SECTORS = (512, 4096)
_HEADER = struct.Struct("<8s4xIIIQQ32xQIII")
_ENTRY = struct.Struct("<16s16xQQ")
_ENTRY_BYTES_MAX = 4096
_ARRAY_BYTES_MAX = 4 << 20


class Header(NamedTuple):
    """What of it matters here; sectors are of the disk's size."""

    magic: bytes
    header_bytes: int
    header_crc: int
    reserved: int
    sector: int  # Its own.
    other_sector: int
    array_sector: int
    entry_count: int
    entry_bytes: int
    array_crc: int


def partitions(read: Read, size_bytes: int) -> Iterator[Partition] | None:
    """The partitions of the first table that is whole, as they lie in its array; None where none is."""
    for sector_bytes, sector in _places(size_bytes):
        header = _header(read, sector, sector_bytes)
        if header is not None:
            array = read(header.array_sector * sector_bytes, header.entry_count * header.entry_bytes)
            if zlib.crc32(array) == header.array_crc:
                return _partitions(array, header.entry_bytes, sector_bytes)
    return None


def _places(size_bytes: int) -> Iterator[tuple[int, int]]:
    """Where a header may lie: sector size and number; those at the end only count when none else does."""
    for sector_bytes in _SECTORS:
        yield sector_bytes, 1
    for sector_bytes in _SECTORS:
        yield sector_bytes, size_bytes // sector_bytes - 1


def _header(read: Read, sector: int, sector_bytes: int) -> Header | None:
    data = read(max(0, sector) * sector_bytes, sector_bytes)
    if len(data) < sector_bytes or not data.startswith(_MAGIC):
        return None
    header = Header._make(_HEADER.unpack_from(data))
    whole = (
        header.sector == sector
        and _HEADER.size <= header.header_bytes <= sector_bytes
        and _ENTRY.size <= header.entry_bytes <= _ENTRY_BYTES_MAX
        and header.entry_count * header.entry_bytes <= _ARRAY_BYTES_MAX
    )
    if not whole:
        return None
    checked = data[:16] + bytes(4) + data[20 : header.header_bytes]  # Its own checksum counts as zeros.
    return header if zlib.crc32(checked) == header.header_crc else None


def _partitions(array: bytes, entry_bytes: int, sector_bytes: int) -> Iterator[Partition]:
    for number, at in enumerate(range(0, len(array), entry_bytes), 1):
        kind, first, last = _ENTRY.unpack_from(array, at)
        if any(kind) and first <= last:
            size_bytes = (last - first + 1) * sector_bytes
            yield Partition(number, first * sector_bytes, size_bytes, _guid(kind))


def _guid(data: bytes) -> str:
    first, second, third, rest = *struct.unpack_from("<IHH", data), data[8:].hex().upper()
    return f"{first:08X}-{second:04X}-{third:04X}-{rest[:4]}-{rest[4:]}"
