"""The headers of attributes; packs whole attributes.  specs/ondisk/attribute.md"""

from __future__ import annotations

from collections.abc import Sequence

from ntfsbuild.ondisk.layout import OnDisk, align, raw, u8, u16, u32, u64
from ntfsbuild.ondisk.runs import Run, encode_runs

STANDARD_INFORMATION = 0x10
ATTRIBUTE_LIST = 0x20
FILE_NAME = 0x30
OBJECT_ID = 0x40
SECURITY_DESCRIPTOR = 0x50
VOLUME_NAME = 0x60
VOLUME_INFORMATION = 0x70
DATA = 0x80
INDEX_ROOT = 0x90
INDEX_ALLOCATION = 0xA0
BITMAP = 0xB0
REPARSE_POINT = 0xC0
EA_INFORMATION = 0xD0
EA = 0xE0
LOGGED_UTILITY_STREAM = 0x100
END = 0xFFFFFFFF

TYPE_NAMES = {
    STANDARD_INFORMATION: "$STANDARD_INFORMATION",
    ATTRIBUTE_LIST: "$ATTRIBUTE_LIST",
    FILE_NAME: "$FILE_NAME",
    OBJECT_ID: "$OBJECT_ID",
    SECURITY_DESCRIPTOR: "$SECURITY_DESCRIPTOR",
    VOLUME_NAME: "$VOLUME_NAME",
    VOLUME_INFORMATION: "$VOLUME_INFORMATION",
    DATA: "$DATA",
    INDEX_ROOT: "$INDEX_ROOT",
    INDEX_ALLOCATION: "$INDEX_ALLOCATION",
    BITMAP: "$BITMAP",
    REPARSE_POINT: "$REPARSE_POINT",
    EA_INFORMATION: "$EA_INFORMATION",
    EA: "$EA",
    LOGGED_UTILITY_STREAM: "$LOGGED_UTILITY_STREAM",
}

COMPRESSED = 0x0001
COMPRESSION_MASK = 0x00FF
ENCRYPTED = 0x4000
SPARSE = 0x8000


FLAG_NAMES = {0x0001: "compressed", 0x4000: "encrypted", 0x8000: "sparse"}
FORM_NAMES = {0: "resident", 1: "non-resident"}


class AttributeHeader(OnDisk, size=0x10):
    """The first fields of every attribute."""

    type_code: int = u32(at=0x00, codes=TYPE_NAMES)
    length_bytes: int = u32(at=0x04)
    non_resident: int = u8(at=0x08, codes=FORM_NAMES)
    name_length: int = u8(at=0x09)  # In UTF-16 code units.
    name_offset: int = u16(at=0x0A)
    flags: int = u16(at=0x0C, default=0, flags=FLAG_NAMES)
    instance: int = u16(at=0x0E)


class ResidentHeader(OnDisk, size=0x18):
    """The header of an attribute whose value lies in the record."""

    type_code: int = u32(at=0x00, codes=TYPE_NAMES)
    length_bytes: int = u32(at=0x04)
    non_resident: int = u8(at=0x08, default=0, codes=FORM_NAMES)
    name_length: int = u8(at=0x09)
    name_offset: int = u16(at=0x0A)
    flags: int = u16(at=0x0C, default=0, flags=FLAG_NAMES)
    instance: int = u16(at=0x0E)
    value_bytes: int = u32(at=0x10)
    value_offset: int = u16(at=0x14)
    indexed: int = u8(at=0x16, default=0)  # 1 on $FILE_NAME, else 0.
    reserved: int = u8(at=0x17, default=0)


class NonResidentHeader(OnDisk, size=0x40):
    """The header of an attribute whose value lies in clusters.

    `compressed_bytes` (u64 at 0x40) follows when the flags say compressed or sparse and this is the
    first piece.
    """

    type_code: int = u32(at=0x00, codes=TYPE_NAMES)
    length_bytes: int = u32(at=0x04)
    non_resident: int = u8(at=0x08, default=1, codes=FORM_NAMES)
    name_length: int = u8(at=0x09)
    name_offset: int = u16(at=0x0A)
    flags: int = u16(at=0x0C, default=0, flags=FLAG_NAMES)
    instance: int = u16(at=0x0E)
    lowest_vcn: int = u64(at=0x10, default=0)
    highest_vcn: int = u64(at=0x18)  # 2**64 - 1 if there are no clusters.
    runs_offset: int = u16(at=0x20)
    compression_unit: int = u8(at=0x22, default=0)  # log2 of clusters.
    reserved: bytes = raw(5, at=0x23, default=bytes(5))
    allocated_bytes: int = u64(at=0x28)
    data_bytes: int = u64(at=0x30)
    initialized_bytes: int = u64(at=0x38)


def resident(
    type_code: int, value: bytes, *, instance: int = 0, name: str = "", indexed: bool = False, flags: int = 0
) -> bytes:
    """A whole resident attribute: header, name, value, padded to 8 bytes."""
    raw_name = name.encode("utf-16-le", "surrogatepass")
    value_offset = align(ResidentHeader.SIZE + len(raw_name), 8)
    length_bytes = align(value_offset + len(value), 8)
    # In the order of the declaration: several of these are made for every directory.
    header = ResidentHeader.LAYOUT.pack(
        type_code,
        length_bytes,
        0,
        len(raw_name) // 2,
        ResidentHeader.SIZE,
        flags,
        instance,
        len(value),
        value_offset,
        indexed,
        0,
    )
    return ((header + raw_name).ljust(value_offset, b"\0") + value).ljust(length_bytes, b"\0")


def non_resident(
    type_code: int,
    runs: Sequence[Run],
    *,
    instance: int = 0,
    cluster_bytes: int,
    data_bytes: int,
    initialized_bytes: int | None = None,
    name: str = "",
    flags: int = 0,
    compression_unit: int = 0,
) -> bytes:
    """A whole non-resident attribute in one piece; `runs` are (LCN, clusters), LCN None for a hole."""
    clusters = sum(count for _, count in runs)
    tail = b""
    if flags & (COMPRESSION_MASK | SPARSE):
        there = sum(count for lcn, count in runs if lcn is not None)
        tail = (there * cluster_bytes).to_bytes(8, "little")
    sizes = (
        clusters * cluster_bytes,
        data_bytes,
        data_bytes if initialized_bytes is None else initialized_bytes,
    )
    return _non_resident(type_code, runs, 0, sizes, tail, instance, name, flags, compression_unit)


def continuation(
    type_code: int, runs: Sequence[Run], *, lowest_vcn: int, instance: int = 0, name: str = "", flags: int = 0
) -> bytes:
    """A further piece of a non-resident attribute; only the first piece has the sizes."""
    return _non_resident(type_code, runs, lowest_vcn, (0, 0, 0), b"", instance, name, flags, 0)


def _non_resident(
    type_code: int,
    runs: Sequence[Run],
    lowest_vcn: int,
    sizes: tuple[int, int, int],
    tail: bytes,
    instance: int,
    name: str,
    flags: int,
    compression_unit: int,
) -> bytes:
    raw_name = name.encode("utf-16-le", "surrogatepass")
    mapping = encode_runs(runs)
    clusters = sum(count for _, count in runs)
    name_offset = NonResidentHeader.SIZE + len(tail)
    runs_offset = align(name_offset + len(raw_name), 8)
    header = NonResidentHeader(
        type_code=type_code,
        length_bytes=align(runs_offset + len(mapping), 8),
        name_length=len(raw_name) // 2,
        name_offset=name_offset,
        flags=flags,
        instance=instance,
        lowest_vcn=lowest_vcn,
        highest_vcn=(lowest_vcn + clusters - 1) % 2**64,
        runs_offset=runs_offset,
        compression_unit=compression_unit,
        allocated_bytes=sizes[0],
        data_bytes=sizes[1],
        initialized_bytes=sizes[2],
    )
    head = (header.pack() + tail + raw_name).ljust(runs_offset, b"\0")
    return (head + mapping).ljust(header.length_bytes, b"\0")


def numbered(attributes: Sequence[bytes]) -> bytes:
    """The attributes of a record one after the other, with the instance ids 0, 1, 2, …"""
    at = AttributeHeader.offset_of("instance")
    return b"".join(
        one[:at] + instance.to_bytes(2, "little") + one[at + 2 :] for instance, one in enumerate(attributes)
    )


def sort_key(attribute: bytes) -> tuple[int, bytes]:
    """Orders attributes whose names are ASCII as a record holds them: by type, then by name."""
    header = AttributeHeader.unpack(attribute)
    name = attribute[header.name_offset : header.name_offset + 2 * header.name_length]
    return header.type_code, name.decode("utf-16-le").upper().encode("utf-16-be")
