"""The records of the $MFT: found, freed of their update sequences, their headers checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from ntfsbuild.checks.attributes import Say, read_attributes
from ntfsbuild.checks.findings import nothing
from ntfsbuild.checks.state import EXTENSION, CheckedAttribute, Examination
from ntfsbuild.checks.storage import Extents, restored
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import file_record
from ntfsbuild.ondisk.file_record import FileRecordHeader, system_sequence
from ntfsbuild.ondisk.fixups import restore_all
from ntfsbuild.ondisk.layout import align

Taker: TypeAlias = Callable[[bytes, int, int], bool]  # Of a chunk, the place and the number of a record.

CHUNK_BYTES = 1 << 20
_HEAD = FileRecordHeader.LAYOUT
_KNOWN_FLAGS = 0xF
_WRAPPED = 0xFFF0  # Ids begin anew behind the largest.
_OLD_USA_OFFSET = 0x2A  # Then a record does not have its number.


class CheckedRecord(NamedTuple):
    """One record, as far as it makes sense."""

    number: int
    sequence: int
    links: int
    flags: int
    base: int
    attributes: list[CheckedAttribute]


class MasterFileTable:
    """The records by number, read in large pieces."""

    def __init__(self, examination: Examination, extents: Extents, count: int) -> None:
        self._examination = examination
        self._extents = extents
        self.count = count
        self._bytes = examination.geometry.record_bytes
        self._begin = 0
        self._chunk = b""

    def chunks(self) -> Iterator[tuple[int, bytes, bool]]:
        """First record, the bytes, and whether all of them are whole and freed of their sequences."""
        per_chunk = CHUNK_BYTES // self._bytes
        for first in range(0, self.count, per_chunk):
            count = min(per_chunk, self.count - first)
            buffer = bytearray(self._extents.read(first * self._bytes, count * self._bytes))
            whole = restore_all(buffer, self._bytes)
            yield first, bytes(buffer), whole

    def raw(self, number: int) -> bytes:
        """The bytes of a record as they lie there."""
        size = self._bytes
        at = number * size - self._begin
        if not 0 <= at < len(self._chunk):
            self._begin = number * size // CHUNK_BYTES * CHUNK_BYTES
            there = min(CHUNK_BYTES, self.count * size - self._begin)
            self._chunk = self._extents.read(self._begin, there)
            at = number * size - self._begin
        return self._chunk[at : at + size]

    def record(self, number: int, *, alone: bool = False) -> CheckedRecord | None:
        """A record that was checked before; None where there is none that is in use.

        `alone`: those beside it will not be asked for.
        """
        raw = self._extents.read(number * self._bytes, self._bytes) if alone else self.raw(number)
        data, problem = restored(raw)
        if (problem and problem.startswith("array")) or data[:4] != file_record.MAGIC:
            return None
        return parse_record(self._examination, data, number, nothing)


def check_records(
    examination: Examination, mft: MasterFileTable, bitmap: bytes, take: Taker
) -> Iterator[CheckedRecord]:
    """Every record that is in use, with all that is wrong with its header and attributes said.

    Those that `take` has found sound are not among them.
    """
    size = examination.geometry.record_bytes
    for first, chunk, whole in mft.chunks():
        for number, at in enumerate(range(0, len(chunk), size), first):
            marked = number // 8 < len(bitmap) and bool(bitmap[number // 8] >> number % 8 & 1)
            if whole and marked and take(chunk, at, number):
                continue
            raw = chunk[at : at + size]
            if not marked and not any(raw[:0x18]):
                continue
            record = _checked(examination, raw, number, marked, whole, take)
            if record is not None:
                examination.sequences[number] = record.sequence
                examination.kinds[number] = record.flags & _KNOWN_FLAGS | (EXTENSION if record.base else 0)
                yield record


def _checked(
    examination: Examination, raw: bytes, number: int, marked: bool, whole: bool, take: Taker
) -> CheckedRecord | None:
    say, magic = examination.say, raw[:4]
    if magic != file_record.MAGIC:
        if magic == b"BAAD":
            say("R02", number, "FILE", "BAAD", at=0)
        elif marked:
            say("R01", number, "FILE", magic.hex(" "), at=0)
        elif magic != b"\0\0\0\0":
            say("R24", number, "FILE or zeros", magic.hex(" "), at=0)
        return None
    in_use = raw[0x16] & file_record.IN_USE
    if not whole:
        raw, problem = restored(raw)
        if problem and (marked or in_use):
            say("R03" if problem.startswith("array") else "R04", number, "whole", problem, at=4)
        if problem.startswith("array"):
            return None
        usa_offset = raw[4] | raw[5] << 8
        if not any(raw[usa_offset : usa_offset + 2]) and in_use:
            say("R05", number, "not 0", 0, at=usa_offset)
        if marked and not problem and take(raw, 0, number):
            return None
    if not in_use:
        if marked:
            say("R07", number, "in use", "free", at=0x16)
        return None
    if not marked:
        say("R06", number, "1 in $MFT:$BITMAP", 0)
    return parse_record(examination, raw, number, say)


def parse_record(examination: Examination, raw: bytes, number: int, say: Say) -> CheckedRecord | None:
    """A record that is in use, without its update sequence; None where it is free."""
    (
        _magic,
        usa_offset,
        usa_count,
        lsn,
        sequence,
        links,
        first,
        flags,
        used,
        allocated,
        base,
        next_instance,
        _,
        own_number,
    ) = _HEAD.unpack_from(raw)
    if not flags & file_record.IN_USE:
        return None
    size = len(raw)
    if allocated != size:
        say("R08", number, size, allocated, at=0x1C)
    if used > size or used % 8 or used < first + 8:
        say("R09", number, f"{first + 8:#x} to {size:#x}, a multiple of 8", f"{used:#x}", at=0x18)
        used = size
    if usa_offset >= FileRecordHeader.SIZE and own_number != number & 0xFFFFFFFF:
        say("R12", number, number, own_number, at=0x2C)
    _check_sequence(number, sequence, say)
    if flags & ~_KNOWN_FLAGS:
        say("R17", number, "1 to 0xf", f"{flags:#x}", at=0x16)
    if examination.log_lsn is not None and lsn > examination.log_lsn:
        say("R26", number, f"at most {examination.log_lsn:#x}", f"{lsn:#x}", at=8)
    least = align(usa_offset + 2 * usa_count, 8)
    if first < least or first % 8 or first >= size:
        say("R11", number, f"{least:#x} or more, a multiple of 8", f"{first:#x}", at=0x14)
        first = least
    attributes, end = read_attributes(examination, raw, number, first, used, say)
    if end >= 0 and end + 8 != used:
        say("R10", number, f"{end + 8:#x}", f"{used:#x}", at=0x18)
    most = max([one.instance for one in attributes], default=-1)
    if next_instance <= most < _WRAPPED:
        say("R15", number, f"more than {most}", next_instance, at=0x28)
    return CheckedRecord(number, sequence, links, flags, base, attributes)


def _check_sequence(number: int, sequence: int, say: Say) -> None:
    if sequence == 0:
        say("R13", number, "not 0", 0, at=0x10)
    elif number <= file_record.LAST_RESERVED and sequence != system_sequence(number):
        say("R14", number, system_sequence(number), sequence, at=0x10)


def mft_data(record: CheckedRecord, name: bytes = b"") -> list[CheckedAttribute]:
    """The pieces of its $DATA that a record holds."""
    return [one for one in record.attributes if (one.type, one.name) == (kinds.DATA, name)]
