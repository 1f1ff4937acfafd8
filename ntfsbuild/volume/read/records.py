"""An MFT record taken apart: its header and its attributes."""

from __future__ import annotations

import functools
from typing import NamedTuple

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.attribute import AttributeHeader, NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.ondisk.runs import Run, decode_runs

_NO_NUMBER_USA_OFFSET = 0x2A  # Records of this form have no number of their own.


class Attribute(NamedTuple):
    """One attribute, or one piece of it.  `value` is None when it lies in clusters, as `runs` say."""

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
        """Whether the value lies in the record."""
        return self.value is not None

    @property
    def size_bytes(self) -> int:
        """The size of the value, in the record or not."""
        return self.data_bytes if self.value is None else len(self.value)


class Record(NamedTuple):
    """A record: the fields of its header that matter, and its own attributes in order."""

    number: int
    sequence: int
    link_count: int
    flags: int
    base_reference: int
    attributes: tuple[Attribute, ...]
    lsn: int = 0
    update_number: int = 0  # Of the update sequence.

    @property
    def in_use(self) -> bool:
        """Whether the record describes something that exists."""
        return bool(self.flags & file_record.IN_USE)

    @property
    def is_directory(self) -> bool:
        """Whether it has an `$I30` index."""
        return bool(self.flags & file_record.IS_DIRECTORY)


@functools.lru_cache(maxsize=16)  # Who asks for a file asks again for what is in it.
def parse_record(data: bytes, number: int) -> Record:
    """A record as it lies on the disk; raises CorruptVolume with the record and the offset."""
    buffer = bytearray(data)
    what = f"record {number}"
    header = FileRecordHeader.unpack(buffer)
    if header.magic != file_record.MAGIC:
        raise CorruptVolume(f"{what}: it begins with {header.magic!r}, expected {file_record.MAGIC!r}")
    fixups.restore(buffer, what)
    update_number = int.from_bytes(buffer[header.usa_offset : header.usa_offset + 2], "little")
    if header.usa_offset > _NO_NUMBER_USA_OFFSET and header.record_number != number & 0xFFFFFFFF:
        raise CorruptVolume(f"{what}: it says at 0x2c that it is record {header.record_number}")
    if not header.attributes_offset <= header.used_bytes <= len(buffer):
        raise CorruptVolume(
            f"{what}: {header.used_bytes:#x} bytes in use at 0x18, the record has {len(buffer):#x}"
        )
    attributes = []
    at = header.attributes_offset
    while True:
        if at + 4 > header.used_bytes:
            raise CorruptVolume(f"{what}: no end marker before {header.used_bytes:#x}")
        if int.from_bytes(buffer[at : at + 4], "little") == attribute.END:
            break
        try:
            one, length = _parse_attribute(memoryview(buffer)[: header.used_bytes], at)
        except CorruptVolume as error:
            raise CorruptVolume(f"{what}: attribute at {at:#x}: {error}") from None
        attributes.append(one)
        at += length
    return Record(
        number,
        header.sequence,
        header.link_count,
        header.flags,
        header.base_reference,
        tuple(attributes),
        header.lsn,
        update_number,
    )


def _parse_attribute(record: memoryview, at: int) -> tuple[Attribute, int]:
    head = AttributeHeader.unpack(record, at)
    smallest = NonResidentHeader.SIZE if head.non_resident else ResidentHeader.SIZE
    if head.length_bytes < smallest or head.length_bytes % 8 or at + head.length_bytes > len(record):
        raise CorruptVolume(f"a length of {head.length_bytes:#x} bytes")
    whole = record[at : at + head.length_bytes]
    name_end = head.name_offset + 2 * head.name_length
    if name_end > len(whole):
        raise CorruptVolume(f"a name that ends at {name_end:#x}")
    name = bytes(whole[head.name_offset : name_end]).decode("utf-16-le", "surrogatepass")
    parse = _parse_non_resident if head.non_resident else _parse_resident
    return parse(whole, head, name), head.length_bytes


def _parse_resident(whole: memoryview, head: AttributeHeader, name: str) -> Attribute:
    resident = ResidentHeader.unpack(whole)
    end = resident.value_offset + resident.value_bytes
    if end > len(whole):
        raise CorruptVolume(f"a value that ends at {end:#x}")
    value = bytes(whole[resident.value_offset : end])
    return Attribute(head.type_code, name, head.flags, head.instance, value)


def _parse_non_resident(whole: memoryview, head: AttributeHeader, name: str) -> Attribute:
    header = NonResidentHeader.unpack(whole)
    if header.runs_offset >= len(whole):
        raise CorruptVolume(f"a run list at {header.runs_offset:#x}")
    vcns = (header.highest_vcn + 1) % 2**64 - header.lowest_vcn
    # ntfs3 leaves the old list where it has emptied a stream: those clusters are free.
    runs = tuple(decode_runs(whole[header.runs_offset :])) if vcns else ()
    clusters = sum(count for _, count in runs)
    if vcns != clusters:
        raise CorruptVolume(
            f"a run list of {clusters} clusters for VCNs {header.lowest_vcn} to {header.highest_vcn:#x}"
        )
    return Attribute(
        head.type_code,
        name,
        head.flags,
        head.instance,
        None,
        header.lowest_vcn,
        runs,
        header.compression_unit,
        header.allocated_bytes,
        header.data_bytes,
        header.initialized_bytes,
    )


def parse_attribute(data: bytes) -> Attribute:
    """One packed attribute taken apart."""
    return _parse_attribute(memoryview(data), 0)[0]


def joined(pieces: list[Attribute]) -> Attribute:
    """The pieces of one attribute as one; they must follow each other without a gap."""
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
