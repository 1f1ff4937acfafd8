"""The header of an MFT record.  specs/ondisk/file_record.md"""

from __future__ import annotations

from ntfsbuild.ondisk.layout import OnDisk, align, raw, u16, u32, u64

MAGIC = b"FILE"

IN_USE = 0x1
IS_DIRECTORY = 0x2  # It has an $I30 index.
IN_EXTEND = 0x4  # It lives in $Extend.
HAS_VIEW_INDEX = 0x8  # It has an index that is not $I30.

NUMBER_MASK = (1 << 48) - 1  # Of a file reference.
END_MARKER = b"\xff\xff\xff\xff\0\0\0\0"

MFT = 0
MFT_MIRROR = 1
LOG_FILE = 2
VOLUME = 3
ATTRIBUTE_DEFINITIONS = 4
ROOT = 5
BITMAP = 6
BOOT = 7
BAD_CLUSTERS = 8
SECURE = 9
UPCASE = 10
EXTEND = 11
FIRST_RESERVED, LAST_RESERVED = 12, 15
FIRST_FREE, LAST_FREE = 16, 23
QUOTA = 24
OBJECT_IDS = 25
REPARSE_POINTS = 26
FIRST_USER = 27

FLAG_NAMES = {
    IN_USE: "in_use",
    IS_DIRECTORY: "directory",
    IN_EXTEND: "in_extend",
    HAS_VIEW_INDEX: "view_index",
}


class FileRecordHeader(OnDisk, size=0x30):
    """The fixed part; the update sequence array follows, then the attributes."""

    magic: bytes = raw(4, at=0x00, default=MAGIC)
    usa_offset: int = u16(at=0x04, default=0x30)
    usa_count: int = u16(at=0x06)
    lsn: int = u64(at=0x08, default=0)
    sequence: int = u16(at=0x10)
    link_count: int = u16(at=0x12)  # $FILE_NAME attributes, DOS names included.
    attributes_offset: int = u16(at=0x14)
    flags: int = u16(at=0x16, flags=FLAG_NAMES)
    used_bytes: int = u32(at=0x18)  # Up to and including the 8 bytes of the end marker.
    allocated_bytes: int = u32(at=0x1C)
    base_reference: int = u64(at=0x20, default=0)
    next_instance: int = u16(at=0x28)
    reserved: int = u16(at=0x2A, default=0)
    record_number: int = u32(at=0x2C)


def reference(record: int, sequence: int) -> int:
    """The 64-bit file reference: record number below, sequence number in the upper 16 bits."""
    return sequence << 48 | record


def system_sequence(record: int) -> int:
    """The sequence number of one of our own records: its number for the first 16, else 1."""
    return max(record, 1) if record <= LAST_RESERVED else 1


def first_attribute_offset(record_bytes: int) -> int:
    """The offset of the first attribute: after the update sequence array, aligned to 8."""
    return align(FileRecordHeader.SIZE + 2 * (record_bytes // 512 + 1), 8)
