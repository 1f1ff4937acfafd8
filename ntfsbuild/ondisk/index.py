"""$INDEX_ROOT, INDX blocks and their entries.  specs/ondisk/index.md"""

from __future__ import annotations

from ntfsbuild.ondisk.attribute import TYPE_NAMES
from ntfsbuild.ondisk.layout import OnDisk, raw, u8, u16, u32, u64

BLOCK_MAGIC = b"INDX"
BLOCK_BYTES = 4096
BLOCK_USA_OFFSET = 0x28
ENTRIES_AT = 0x40  # Where a block's entries begin; offset 0x28 from its index header.

HAS_CHILDREN = 1  # In an index header: the root of a large index, or an inner block.
ENTRY_HAS_CHILD = 1
ENTRY_IS_LAST = 2

COLLATE_FILE_NAME = 0x01
COLLATE_ULONG = 0x10
COLLATE_SID = 0x11
COLLATE_SECURITY_HASH = 0x12
COLLATE_ULONGS = 0x13

FLAG_NAMES = {HAS_CHILDREN: "has_children"}
ENTRY_FLAG_NAMES = {ENTRY_HAS_CHILD: "has_child", ENTRY_IS_LAST: "last"}
COLLATION_NAMES = {
    COLLATE_FILE_NAME: "FILE_NAME",
    COLLATE_ULONG: "ULONG",
    COLLATE_SID: "SID",
    COLLATE_SECURITY_HASH: "SECURITY_HASH",
    COLLATE_ULONGS: "ULONGS",
}


class IndexRoot(OnDisk, size=0x10):
    """The header of the $INDEX_ROOT value; an index header follows."""

    indexed_type: int = u32(at=0x00, codes=TYPE_NAMES)  # $FILE_NAME for directories, 0 for view indexes.
    collation: int = u32(at=0x04, codes=COLLATION_NAMES)
    block_bytes: int = u32(at=0x08, default=BLOCK_BYTES)
    clusters_per_block: int = u8(at=0x0C)  # Units of 512 bytes when a cluster is larger than a block.
    reserved: bytes = raw(3, at=0x0D, default=bytes(3))


class IndexHeader(OnDisk, size=0x10):
    """The place of the entries; offsets are relative to this header."""

    entries_offset: int = u32(at=0x00)
    length_bytes: int = u32(at=0x04)
    allocated_bytes: int = u32(at=0x08)
    flags: int = u8(at=0x0C, flags=FLAG_NAMES)
    reserved: bytes = raw(3, at=0x0D, default=bytes(3))


class IndexBlock(OnDisk, size=0x18):
    """The header of an INDX block; an index header follows."""

    magic: bytes = raw(4, at=0x00, default=BLOCK_MAGIC)
    usa_offset: int = u16(at=0x04, default=BLOCK_USA_OFFSET)
    usa_count: int = u16(at=0x06, default=BLOCK_BYTES // 512 + 1)
    lsn: int = u64(at=0x08, default=0)
    vcn: int = u64(at=0x10)


class IndexEntry(OnDisk, size=0x10):
    """The header of a directory entry; the key (a $FILE_NAME value) and perhaps the VCN of a child follow."""

    reference: int = u64(at=0x00)
    length_bytes: int = u16(at=0x08)
    key_bytes: int = u16(at=0x0A)
    flags: int = u16(at=0x0C, flags=ENTRY_FLAG_NAMES)
    reserved: int = u16(at=0x0E, default=0)


class ViewEntry(OnDisk, size=0x10):
    """The header of an entry of a view index; the key follows, then the data."""

    data_offset: int = u16(at=0x00)
    data_bytes: int = u16(at=0x02)
    reserved_1: int = u32(at=0x04, default=0)
    length_bytes: int = u16(at=0x08)
    key_bytes: int = u16(at=0x0A)
    flags: int = u16(at=0x0C, flags=ENTRY_FLAG_NAMES)
    reserved: int = u16(at=0x0E, default=0)


def vcn_unit(cluster_bytes: int, block_bytes: int = BLOCK_BYTES) -> int:
    """Bytes that one VCN of an index counts: a cluster, or 512 where clusters are larger than a block."""
    return cluster_bytes if cluster_bytes <= block_bytes else 512
