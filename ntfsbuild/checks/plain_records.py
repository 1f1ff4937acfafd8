"""Records as nearly all of them are: a file with its name and one plain stream, and nothing wrong with it.

They are held to every rule at once, by comparison with what would be no finding.  Of a record that is
otherwise in any way nothing is said and nothing kept here: `False` sends it the long way, rule by rule.
"""

from __future__ import annotations

import re
import struct

from ntfsbuild.checks.clusters import Accounts
from ntfsbuild.checks.information import PLAIN_ATTRIBUTES
from ntfsbuild.checks.names import IN_NAMES_ONLY, LARGEST_TIME, U64_MASK, FoundNames, name_hash
from ntfsbuild.checks.state import HAS_STREAM, Examination
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import names as win32
from ntfsbuild.ondisk.attribute import NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.file_name import DOS, NAME_AT, POSIX, WIN32, WIN32_AND_DOS
from ntfsbuild.ondisk.file_record import (
    END_MARKER,
    EXTEND,
    FIRST_FREE,
    IN_USE,
    MAGIC,
    NUMBER_MASK,
    FileRecordHeader,
    first_attribute_offset,
)
from ntfsbuild.ondisk.runs import Run, read_runs
from ntfsbuild.ondisk.short_names import has_form
from ntfsbuild.ondisk.standard_information import StandardInformation

_unpack_head = FileRecordHeader.LAYOUT.unpack_from
# Of an attribute: type and length in one, non-resident, units of the name, flags, id; then, if resident,
# bytes and place of the value, and whether it is indexed.
_RESIDENT = struct.Struct("<QBB2xHHIHBx")
_unpack_resident = _RESIDENT.unpack_from
_unpack_runs = struct.Struct("<QBB2xHHQQHB5sQQQ").unpack_from
_unpack_information = struct.Struct(_RESIDENT.format + "QQQQI4xI4xII16x").unpack_from
_unpack_name = struct.Struct(_RESIDENT.format + "QQQQQ16xI4xBB").unpack_from
_INFORMATION_BYTES = ResidentHeader.SIZE + StandardInformation.SIZE
_INFORMATION_BEGINS = kinds.STANDARD_INFORMATION | _INFORMATION_BYTES << 32
_NAME_VALUE_AT = ResidentHeader.SIZE + NAME_AT
_U32_MASK = (1 << 32) - 1
_NOT_OF_FILES = IN_NAMES_ONLY
_NO_PAD = bytes(5)
_IDS_WRAP = 0xFFF0  # Behind them ids begin anew.
_END = END_MARKER[:4]

# What begins like a device, and what is not ASCII, is looked at more closely.
_plain = re.compile(
    r"(?!CON|PRN|AUX|NUL|COM|LPT)[ !#$%&'()+,.;=@\[\]^_`{}~0-9A-Z-]*[!#$%&'()+,;=@\[\]^_`{}~0-9A-Z-]",
    re.IGNORECASE | re.ASCII,
)

_Name = tuple[int, int, int, int, bytes]  # Bytes and id of the attribute, parent, namespace, and the rest.
_Data = tuple[int, int, int, list[Run]]  # Its id, bytes, bytes allocated, runs.


class PlainRecords:
    """Takes the records that need no more than a comparison."""

    def __init__(self, examination: Examination, accounts: Accounts, names: FoundNames) -> None:
        geometry = examination.geometry
        self._examination = examination
        self._accounts = accounts
        self._names = names
        self._record_bytes = geometry.record_bytes
        self._first = first_attribute_offset(geometry.record_bytes)
        self._cluster_bytes = geometry.cluster_bytes
        self._clusters = geometry.clusters

    def take(self, chunk: bytes, at: int, number: int) -> bool:
        """Whether a record, in use and freed of its update sequence, breaks no rule; then it is entered."""
        examination, size, begin = self._examination, self._record_bytes, at + self._first
        (magic, usa_offset, _, lsn, sequence, links, first, flags, used, allocated, base, next_id, _, own) = (
            _unpack_head(chunk, at)
        )
        if (
            flags != IN_USE
            or base
            or number < FIRST_FREE
            or magic != MAGIC
            or usa_offset != FileRecordHeader.SIZE
            or own != number & _U32_MASK
            or not sequence
            or first != self._first
            or allocated != size
            or used > size
            or used % 8
            or (examination.log_lsn is not None and lsn > examination.log_lsn)
        ):
            return False
        # fmt: off
        (begins, non_resident, units, flags, own_id, value_bytes, value_at, indexed, created, modified,
         changed, accessed, attributes, version, owner_id, security_id) = _unpack_information(chunk, begin)
        # fmt: on
        if (
            begins != _INFORMATION_BEGINS
            or non_resident
            or units
            or flags
            or value_bytes != StandardInformation.SIZE
            or value_at != ResidentHeader.SIZE
            or indexed
            or (created | modified | changed | accessed) >= LARGEST_TIME
            or attributes & ~PLAIN_ATTRIBUTES
            or version == 1
            or not security_id
        ):
            return False
        begin, end = begin + _INFORMATION_BYTES, at + used - len(END_MARKER)
        name = self._name(chunk, begin, end)
        if name is None:
            return False
        begin += name[0]
        other = None
        if name[3] in (WIN32, DOS):  # Either has the other beside it.
            other = self._name(chunk, begin, end)
            if other is None or name[3] + other[3] != WIN32 + DOS or name[2] != other[2]:
                return False
            begin += other[0]
        data = self._data(chunk, begin, end)
        if data is None or links != 1 + (other is not None):
            return False
        ids = {own_id, name[1], data[0]} if other is None else {own_id, name[1], other[1], data[0]}
        if len(ids) != 2 + links or next_id <= max(ids) < _IDS_WRAP:
            return False
        examination.sequences[number] = sequence
        examination.attributes[number] = attributes
        if security_id not in examination.used_security_ids:
            examination.used_security_ids[security_id] = number
        if owner_id and owner_id not in examination.owner_ids:
            examination.owner_ids[owner_id] = number
        self._enter(number, data, name, other)
        return True

    def _enter(self, number: int, data: _Data, name: _Name, other: _Name | None) -> None:
        """What others may expect of the file."""
        examination, accounts = self._examination, self._accounts
        _, examination.sizes[number], examination.allocated[number], runs = data
        for lcn, count in runs:
            assert lcn is not None
            accounts.enter(lcn, count, number)
        examination.kinds[number] = IN_USE | HAS_STREAM
        parent = name[2]
        examination.parents[number] = parent & NUMBER_MASK
        unlisted = name_hash(parent, name[4])
        self._names.enter(parent, number)
        if other is not None:
            unlisted += name_hash(parent, other[4])
            self._names.enter(parent, number)
        examination.unlisted[number] = unlisted & U64_MASK

    def _name(self, chunk: bytes, at: int, end: int) -> _Name | None:
        """The $FILE_NAME there; None where it is none, or not sound."""
        if at + _NAME_VALUE_AT > end:
            return None
        # fmt: off
        (begins, non_resident, units, flags, own_id, value_bytes, value_at, indexed, parent, created,
         modified, changed, accessed, attributes, length, namespace) = _unpack_name(chunk, at)
        # fmt: on
        size = begins >> 32
        if (
            begins & _U32_MASK != kinds.FILE_NAME
            or non_resident
            or units
            or flags
            or indexed != 1
            or value_at != ResidentHeader.SIZE
            or value_bytes != NAME_AT + 2 * length
            or size < value_at + value_bytes
            or size % 8
            or at + size > end
            or (created | modified | changed | accessed) >= LARGEST_TIME
            or attributes & _NOT_OF_FILES
            or parent & NUMBER_MASK == EXTEND
        ):
            return None
        text = chunk[at + _NAME_VALUE_AT : at + ResidentHeader.SIZE + value_bytes].decode(
            "utf-16-le", "surrogatepass"
        )
        if not self._is_legal(text, namespace):
            return None
        return (
            size,
            own_id,
            parent,
            namespace,
            chunk[at + _NAME_VALUE_AT - 2 : at + ResidentHeader.SIZE + value_bytes],
        )

    def _is_legal(self, text: str, namespace: int) -> bool:
        if text in (".", ".."):
            return False
        if namespace in (WIN32_AND_DOS, DOS):
            if not has_form(text):
                return False
            if namespace == DOS:
                return text == self._examination.upper(text)
        elif namespace == POSIX:
            return bool(text) and "\0" not in text and "/" not in text
        return namespace <= WIN32_AND_DOS and (
            _plain.fullmatch(text) is not None or win32.what_is_wrong(text, posix=False) is None
        )

    def _data(self, chunk: bytes, at: int, end: int) -> _Data | None:
        """The unnamed $DATA there, with the end mark behind it; None where that is not so."""
        if at + ResidentHeader.SIZE > end or chunk[end : end + 4] != _END:
            return None
        begins, non_resident, units, flags, own_id, size, value_at, indexed = _unpack_resident(chunk, at)
        length = begins >> 32
        if begins & _U32_MASK != kinds.DATA or at + length != end or length % 8 or units or flags:
            return None
        if not non_resident:
            if indexed or value_at % 8 or value_at < ResidentHeader.SIZE or value_at + size > length:
                return None
            return own_id, size, (size + 7) & ~7, []
        if length < NonResidentHeader.SIZE:
            return None
        # fmt: off
        (_, non_resident, _, _, _, lowest, highest, runs_at, unit, pad, allocated, size,
         initialized) = _unpack_runs(chunk, at)
        # fmt: on
        if (
            non_resident != 1
            or lowest
            or unit
            or pad != _NO_PAD
            or not NonResidentHeader.SIZE <= runs_at < length
            or runs_at % 8
            or not initialized <= size <= allocated
        ):
            return None
        runs, problem, _ = read_runs(chunk, at + runs_at, end)
        total = 0
        for lcn, count in runs:
            total += count
            if lcn is None or lcn + count > self._clusters:
                return None
        if problem or highest + 1 != total or allocated != total * self._cluster_bytes:
            return None
        return own_id, size, allocated, runs
