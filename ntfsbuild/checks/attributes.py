"""The attributes of one record: headers, names, values, run lists."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

from ntfsbuild.checks.state import I30, CheckedAttribute, Examination, label
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.attribute import AttributeHeader, NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.file_record import BAD_CLUSTERS, FIRST_FREE, MFT
from ntfsbuild.ondisk.file_record import BITMAP as BITMAP_FILE
from ntfsbuild.ondisk.runs import read_runs

Say: TypeAlias = Callable[..., None]

_END = 0xFFFFFFFF
_HEAD = AttributeHeader.LAYOUT
_RESIDENT = struct.Struct("<IHBB")  # What follows the common head.
_NON_RESIDENT = struct.Struct("<QQHB5xQQQ")
_U64 = struct.Struct("<Q")

_METHOD_LZNT1 = 1
_UNIT = 4
_LARGEST_COMPRESSED_CLUSTER = 4096
_KNOWN_FLAGS = kinds.COMPRESSION_MASK | kinds.ENCRYPTED | kinds.SPARSE

_ALWAYS_RESIDENT = frozenset(
    {
        kinds.STANDARD_INFORMATION,
        kinds.FILE_NAME,
        kinds.OBJECT_ID,
        kinds.VOLUME_NAME,
        kinds.VOLUME_INFORMATION,
        kinds.INDEX_ROOT,
        kinds.EA_INFORMATION,
    }
)
_NEVER_NAMED = _ALWAYS_RESIDENT - {kinds.INDEX_ROOT} | {
    kinds.ATTRIBUTE_LIST,
    kinds.SECURITY_DESCRIPTOR,
    kinds.REPARSE_POINT,
    kinds.EA,
}
_OF_DIRECTORIES = (kinds.INDEX_ROOT, I30)  # Its flags are those that new files get.
_SIZES = {  # By $AttrDef; a name of no units is no exception in any volume.
    kinds.FILE_NAME: (0x44, 0x240),
    kinds.OBJECT_ID: (16, 256),
    kinds.VOLUME_NAME: (0, 256),
    kinds.VOLUME_INFORMATION: (12, 12),
    kinds.REPARSE_POINT: (8, 16384),
    kinds.EA_INFORMATION: (8, 8),
    kinds.EA: (0, 65536),
    kinds.SECURITY_DESCRIPTOR: (20, 1 << 20),
    kinds.INDEX_ROOT: (0x30, 1 << 20),
}
_INITIALIZED = frozenset(
    {
        kinds.ATTRIBUTE_LIST,
        kinds.SECURITY_DESCRIPTOR,
        kinds.DATA,
        kinds.BITMAP,
        kinds.REPARSE_POINT,
        kinds.EA,
        kinds.LOGGED_UTILITY_STREAM,
    }
)
_MAY_END_BEFORE = (MFT, BITMAP_FILE)  # Rules of their own say how far these go.
_BAD = "$Bad".encode("utf-16-le")
_ILLEGAL_UNITS = {0: "NUL", 0x2F: "/", 0x3A: ":"}


def read_attributes(
    examination: Examination, record: bytes, number: int, first: int, used: int, say: Say
) -> tuple[list[CheckedAttribute], int]:
    """The attributes of a record, and where its end mark is; -1 where there is none."""
    found: list[CheckedAttribute] = []
    at, end = first, min(used, len(record))
    instances = set()
    unpack, from_bytes = _HEAD.unpack_from, int.from_bytes
    while True:
        if at + 4 > end:
            say("R23", number, "ff ff ff ff", "nothing", "", at)
            return found, -1
        code = from_bytes(record[at : at + 4], "little")
        if code == _END:
            break
        length = from_bytes(record[at + 4 : at + 8], "little") if at + 8 <= end else 0
        if length < ResidentHeader.SIZE or length % 8 or at + length > end:
            say(
                "A02",
                number,
                f"{ResidentHeader.SIZE} to {end - at}, a multiple of 8",
                length,
                label(code),
                at,
            )
            return found, -1
        _, _, non_resident, units, name_at, flags, instance = unpack(record, at)
        name = record[at + name_at : at + name_at + 2 * units] if units else b""
        one = CheckedAttribute(code, name, flags, instance, at, number)
        one.length = length
        if instance in instances:
            say("R16", number, "an id of its own", instance, one.label, at + 0x0E)
        instances.add(instance)
        _check_head(number, one, non_resident, say)
        if non_resident:
            _read_non_resident(examination, record, one, units, name_at, say)
        else:
            _read_resident(record, one, units, name_at, say)
        found.append(one)
        at += length
    if len(found) > 1:
        _check_order(examination, number, found, say)
    return found, at


def _check_head(number: int, one: CheckedAttribute, non_resident: int, say: Say) -> None:
    code, flags = one.type, one.flags
    if code not in kinds.TYPE_NAMES:
        say("A01", number, "a type of $AttrDef", f"{code:#x}", "", one.at)
    if non_resident > 1:
        say("A03", number, "0 or 1", non_resident, one.label, one.at + 8)
    if non_resident and code in _ALWAYS_RESIDENT:
        say("A04", number, "resident", "non-resident", one.label, one.at + 8)
    if not non_resident and code == kinds.INDEX_ALLOCATION:
        say("A05", number, "non-resident", "resident", one.label, one.at + 8)
    if one.name:
        if code in _NEVER_NAMED:
            say("A14", number, "no name", "a name", one.label, one.at + 9)
        for unit, shown in _ILLEGAL_UNITS.items():
            if unit in memoryview(one.name[: len(one.name) & ~1]).cast("H"):
                say("A08", number, "a legal name", f"one with {shown}", one.label, one.at)
    if flags:
        if flags & ~_KNOWN_FLAGS or flags & kinds.COMPRESSION_MASK > _METHOD_LZNT1:
            say("A15", number, "1, 0x4000 or 0x8000", f"{flags:#x}", one.label, one.at + 0x0C)
        if flags & kinds.COMPRESSION_MASK and flags & kinds.ENCRYPTED:
            say("A16", number, "compressed or encrypted", "both", one.label, one.at + 0x0C)
        if code != kinds.DATA and (code, one.name) != _OF_DIRECTORIES:
            say("A17", number, 0, f"{flags:#x}", one.label, one.at + 0x0C)


def _read_resident(record: bytes, one: CheckedAttribute, units: int, name_at: int, say: Say) -> None:
    at, number = one.at, one.holder
    size, value_at, indexed, _ = _RESIDENT.unpack_from(record, at + 0x10)
    if units and not 0x18 <= name_at <= min(value_at, one.length) - 2 * units:
        say("A07", number, f"0x18 to {value_at:#x}", f"{name_at:#x}, {units} units", one.label, at + 0x0A)
        one.name = b""
    if value_at + size > one.length or value_at < 0x18:
        say("A09", number, f"up to {one.length:#x}", f"{size} bytes at {value_at:#x}", one.label, at + 0x10)
        size = max(0, min(size, one.length - value_at))
    elif value_at % 8:
        say("A10", number, "a multiple of 8", f"{value_at:#x}", one.label, at + 0x14)
    if (indexed == 1) != (one.type == kinds.FILE_NAME) or indexed > 1:
        say("A12", number, int(one.type == kinds.FILE_NAME), indexed, one.label, at + 0x16)
    one.value = record[at + value_at : at + value_at + size]
    _check_size(one, size, say)


def _check_size(one: CheckedAttribute, size: int, say: Say) -> None:
    least, most = _SIZES.get(one.type, (0, 1 << 63))
    if not least <= size <= most:
        say("A11", one.holder, f"{least} to {most} bytes", size, one.label, one.at + 0x10)


def _read_non_resident(
    examination: Examination, record: bytes, one: CheckedAttribute, units: int, name_at: int, say: Say
) -> None:
    one.resident = False
    at, number = one.at, one.holder
    if one.length < NonResidentHeader.SIZE:
        say("A02", number, f"at least {NonResidentHeader.SIZE}", one.length, one.label, at + 4)
        one.name = b""  # It was not looked at, and may be half of one.
        return
    fields = _NON_RESIDENT.unpack_from(record, at + 0x10)
    one.lowest, highest, runs_at, one.unit, one.allocated, one.size, one.initialized = fields
    # In resident headers ntfs-3g leaves what was there.
    if any(record[at + 0x23 : at + 0x28]):
        say("A32", number, "zeros", record[at + 0x23 : at + 0x28].hex(), one.label, at + 0x23)
    one.highest = highest if highest < 1 << 63 else highest - (1 << 64)
    squeezed = one.flags & (kinds.COMPRESSION_MASK | kinds.SPARSE)
    head = NonResidentHeader.SIZE
    if squeezed and not one.lowest:
        head += 8
        if runs_at < head or (units and name_at < head):
            say("A27", number, f"a header of {head:#x} bytes", f"{min(runs_at, name_at or runs_at):#x}",
                one.label, at + 0x20)  # fmt: skip
            head -= 8
        else:
            (one.stored,) = _U64.unpack_from(record, at + 0x40)
    if units and not head <= name_at <= min(runs_at, one.length) - 2 * units:
        say("A07", number, f"{head:#x} to {runs_at:#x}", f"{name_at:#x}, {units} units", one.label, at + 0x0A)
        one.name = b""
    if not head <= runs_at < one.length or runs_at % 8:
        say("A19", number, f"{head:#x} to {one.length:#x}", f"{runs_at:#x}", one.label, at + 0x20)
        return
    one.runs, problem, _ = read_runs(record, at + runs_at, at + one.length)
    if problem:
        say("A20", number, "runs and a zero byte", problem, one.label, at + runs_at)
    _check_runs(examination, one, bool(problem), say)
    _check_sizes(examination, one, bool(squeezed), say)


def _check_runs(examination: Examination, one: CheckedAttribute, broken: bool, say: Say) -> None:
    clusters, number = examination.geometry.clusters, one.holder
    total = 0
    holes = False
    sound = True
    for lcn, count in one.runs:
        total += count
        if lcn is None:
            holes = True
        elif lcn + count > clusters:
            sound = False
            say("A21", number, f"less than {clusters}", f"{lcn} to {lcn + count - 1}", one.label, one.at)
    if not sound:
        one.runs = [_inside(run, clusters) for run in one.runs]
    if not broken and one.highest + 1 - one.lowest != total:
        found = f"VCN {one.lowest} to {one.highest}"
        say("A22", number, f"{total} clusters", found, one.label, one.at + 0x10)
    squeezed = one.flags & (kinds.COMPRESSION_MASK | kinds.SPARSE)
    if holes and not squeezed and (number != BAD_CLUSTERS or one.name != _BAD):
        say("A31", number, "no holes", "holes", one.label, one.at)


def _inside(run: tuple[int | None, int], clusters: int) -> tuple[int | None, int]:
    """What lies on no volume reads as a hole."""
    lcn, count = run
    return run if lcn is None or lcn + count <= clusters else (None, count)


def _check_sizes(examination: Examination, one: CheckedAttribute, squeezed: bool, say: Say) -> None:
    number, at = one.holder, one.at
    if one.unit and not squeezed and not one.lowest:
        say("A30", number, 0, one.unit, one.label, at + 0x22)
    if one.lowest:
        return
    if one.flags & kinds.COMPRESSION_MASK:
        if one.unit != _UNIT or examination.geometry.cluster_bytes > _LARGEST_COMPRESSED_CLUSTER:
            found = f"{one.unit}, clusters of {examination.geometry.cluster_bytes}"
            say("A28", number, f"{_UNIT}, clusters of 4096 at most", found, one.label, at + 0x22)
    elif one.unit > _UNIT:
        say("A29", number, f"0 to {_UNIT}", one.unit, one.label, at + 0x22)
    if one.initialized > one.size:
        say("A23", number, f"at most {one.size}", one.initialized, one.label, at + 0x38)
    elif one.initialized < one.size and one.type in _INITIALIZED:
        _check_initialized(examination, one, say)
    if one.size > one.allocated:
        say("A24", number, f"at most {one.allocated}", one.size, one.label, at + 0x30)
    _check_size(one, one.size, say)


def _check_initialized(examination: Examination, one: CheckedAttribute, say: Say) -> None:
    """What drivers write as a whole; of files only data may end before its size."""
    number, own_bitmap = one.holder, (MFT, kinds.BITMAP)
    if one.type == kinds.DATA:
        if number < FIRST_FREE and number not in _MAY_END_BEFORE and one.name != _BAD:
            say("Y57", number, one.size, one.initialized, one.label, one.at + 0x38)
    # That of the $MFT may have room behind the last record.
    elif (number, one.type) != own_bitmap or one.initialized * 8 < examination.records:
        say("A33", number, one.size, one.initialized, one.label, one.at + 0x38)


def _check_order(examination: Examination, number: int, found: list[CheckedAttribute], say: Say) -> None:
    """Types ascend, then names; FILE_NAMEs come as they like."""
    before = found[0]
    for one in found[1:]:
        if one.type <= before.type and one.type != kinds.FILE_NAME:
            if one.type < before.type:
                say("A06", number, f"behind {before.label}", "before it", one.label, one.at)
            elif one.name == before.name:
                if one.lowest <= before.lowest or one.resident or before.resident:
                    say("A13", number, "one of each", "two", one.label, one.at)
            elif _order(examination, one) < _order(examination, before):
                say("A06", number, f"behind {before.label}", "before it", one.label, one.at)
        elif one.type < before.type:
            say("A06", number, f"behind {before.label}", "before it", one.label, one.at)
        before = one


def _order(examination: Examination, one: CheckedAttribute) -> tuple[bytes, bytes]:
    return examination.folded(one.name), one.name
