"""$ATTRIBUTE_LIST: which record holds which attribute of a file.  specs/ondisk/attribute_list.md"""

from __future__ import annotations

from collections.abc import Iterator

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk.attribute import TYPE_NAMES
from ntfsbuild.ondisk.layout import OnDisk, u8, u16, u32, u64

NAME_OFFSET = 0x1A

LARGEST_BYTES = 256 << 10  # Windows makes no larger value.


class AttributeListEntry(OnDisk, size=0x1A):
    """One piece of an attribute; its name follows, padded to 8 bytes."""

    type_code: int = u32(at=0x00, codes=TYPE_NAMES)
    length_bytes: int = u16(at=0x04)
    name_length: int = u8(at=0x06)
    name_offset: int = u8(at=0x07, default=NAME_OFFSET)
    lowest_vcn: int = u64(at=0x08)
    reference: int = u64(at=0x10)  # Of the record that holds the piece.
    instance: int = u16(at=0x18)


def entries(data: bytes) -> Iterator[AttributeListEntry]:
    """The entries of a list's value."""
    at = 0
    while at + AttributeListEntry.SIZE <= len(data):
        entry = AttributeListEntry.unpack(data, at)
        if entry.length_bytes < AttributeListEntry.SIZE:
            raise CorruptVolume(f"$ATTRIBUTE_LIST: an entry of {entry.length_bytes} bytes at {at:#x}")
        yield entry
        at += entry.length_bytes
