"""Parses an MFT record: its header and its attributes."""

from __future__ import annotations

import functools
import struct

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.attribute import AttributeHeader, NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.ondisk.runs import Run, decode_runs

_NO_NUMBER_USA_OFFSET = 0x2A  # Record headers of this form do not contain the record number.
_END = attribute.END.to_bytes(4, "little")

# The hot path of every reader: the declared layouts, but no object for each header.
_record_header = FileRecordHeader.LAYOUT
_head = AttributeHeader.LAYOUT
_resident_tail = struct.Struct("<" + ResidentHeader.LETTERS[len(AttributeHeader.LETTERS) :][:2])
_mapped_tail = struct.Struct("<" + NonResidentHeader.LETTERS[len(AttributeHeader.LETTERS) :])
assert _resident_tail.size == ResidentHeader.offset_of("indexed") - AttributeHeader.SIZE
assert _mapped_tail.size == NonResidentHeader.SIZE - AttributeHeader.SIZE


class Attribute(NamedTuple):
    """One attribute, or one piece of it.  `value` is None if it is non-resident, with `runs`."""

    type_code: int
    name: str
    flags: int
    instance: int
    value: bytes | None
    lowest_vcn: int = 0
    runs: tuple[Run, ...] = ()
    compression_unit: int = 0
    allocated_bytes: int = 0
    data_bytes: int = 0
    initialized_bytes: int = 0

    @property
    def resident(self) -> bool:
        """Whether the value is in the record."""
        return self.value is not None

    @property
    def size_bytes(self) -> int:
        """The size of the value, resident or not."""
        return self.data_bytes if self.value is None else len(self.value)


class Record(NamedTuple):
    """A record: the needed fields of its header, and its own attributes in order."""

    number: int
    sequence: int
    link_count: int
    flags: int
    base_reference: int
    attributes: tuple[Attribute, ...]
    lsn: int = 0
    update_number: int = 0  # Update sequence number.

    @property
    def in_use(self) -> bool:
        """Whether the record is in use."""
        return bool(self.flags & file_record.IN_USE)

    @property
    def is_directory(self) -> bool:
        """Whether it has an `$I30` index."""
        return bool(self.flags & file_record.IS_DIRECTORY)


@functools.lru_cache(maxsize=16)  # A file's record is often read several times.
def parse_record(data: bytes, number: int) -> Record:
    """Parse a record as stored on disk; CorruptVolume carries the record and the offset."""
    buffer = bytearray(data)
    if len(buffer) < FileRecordHeader.SIZE:
        raise CorruptVolume(f"record {number}: it has {len(buffer):#x} bytes")
    magic, usa_offset, _, lsn, sequence, links, at, flags, used, _, base, _, _, own_number = (
        _record_header.unpack_from(buffer)
    )
    if magic != file_record.MAGIC:
        raise CorruptVolume(f"record {number}: it begins with {magic!r}, expected {file_record.MAGIC!r}")
    fixups.restore(buffer, f"record {number}")
    update_number = buffer[usa_offset] | buffer[usa_offset + 1] << 8
    if usa_offset > _NO_NUMBER_USA_OFFSET and own_number != number & 0xFFFFFFFF:
        raise CorruptVolume(f"record {number}: it says at 0x2c that it is record {own_number}")
    if not at <= used <= len(buffer):
        raise CorruptVolume(
            f"record {number}: {used:#x} bytes in use at 0x18, the record has {len(buffer):#x}"
        )
    attributes = []
    record = bytes(buffer[:used])
    while True:
        if at + 4 > used:
            raise CorruptVolume(f"record {number}: no end marker before {used:#x}")
        if record[at : at + 4] == _END:
            break
        try:
            one, length = _parse_attribute(record, at)
        except CorruptVolume as error:
            raise CorruptVolume(f"record {number}: attribute at {at:#x}: {error}") from None
        attributes.append(one)
        at += length
    return Record(number, sequence, links, flags, base, tuple(attributes), lsn, update_number)


def _parse_attribute(record: bytes, at: int) -> tuple[Attribute, int]:
    """The attribute at an offset of a record, and its length."""
    if at + AttributeHeader.SIZE > len(record):
        raise CorruptVolume(f"{len(record) - at:#x} bytes are left for its header")
    type_code, length, non_resident, units, name_at, flags, instance = _head.unpack_from(record, at)
    smallest = NonResidentHeader.SIZE if non_resident else ResidentHeader.SIZE
    if length < smallest or length % 8 or at + length > len(record):
        raise CorruptVolume(f"a length of {length:#x} bytes")
    name = ""
    if units:
        name_end = name_at + 2 * units
        if name_end > length:
            raise CorruptVolume(f"a name that ends at {name_end:#x}")
        name = record[at + name_at : at + name_end].decode("utf-16-le", "surrogatepass")
    if non_resident:
        return _parse_mapped(record[at : at + length], type_code, name, flags, instance), length
    size, value_at = _resident_tail.unpack_from(record, at + AttributeHeader.SIZE)
    if value_at + size > length:
        raise CorruptVolume(f"a value that ends at {value_at + size:#x}")
    value = record[at + value_at : at + value_at + size]
    return Attribute(type_code, name, flags, instance, value), length


def _parse_mapped(whole: bytes, type_code: int, name: str, flags: int, instance: int) -> Attribute:
    lowest, highest, runs_at, unit, _, allocated, size, initialized = _mapped_tail.unpack_from(
        whole, AttributeHeader.SIZE
    )
    if runs_at >= len(whole):
        raise CorruptVolume(f"a run list at {runs_at:#x}")
    vcns = (highest + 1) % 2**64 - lowest
    # ntfs3 leaves the old run list when it empties a stream: those clusters are free.
    runs = tuple(decode_runs(whole[runs_at:])) if vcns else ()
    clusters = sum([count for _, count in runs])
    if vcns != clusters:
        raise CorruptVolume(f"a run list of {clusters} clusters for VCNs {lowest} to {highest:#x}")
    return Attribute(type_code, name, flags, instance, None, lowest, runs, unit, allocated, size, initialized)


def parse_attribute(data: bytes) -> Attribute:
    """Parse one packed attribute."""
    return _parse_attribute(data, 0)[0]


def joined(pieces: list[Attribute]) -> Attribute:
    """Join the pieces of one attribute, which must follow each other without a gap."""
    pieces = sorted(pieces, key=lambda piece: piece.lowest_vcn)
    first = pieces[0]
    if len(pieces) == 1 and not first.lowest_vcn:
        return first
    runs: list[Run] = []
    vcn = 0
    for piece in pieces:
        if piece.lowest_vcn != vcn or piece.value is not None:
            raise CorruptVolume(
                f"{attribute.TYPE_NAMES.get(first.type_code, hex(first.type_code))}: "
                f"a piece begins at VCN {piece.lowest_vcn}, expected {vcn}"
            )
        runs += piece.runs
        vcn += sum(count for _, count in piece.runs)
    return first._replace(runs=tuple(runs))
