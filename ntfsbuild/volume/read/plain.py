"""The fast path of every reader: records of plain files, which are nearly all of a volume.

A plain file has $STANDARD_INFORMATION of NTFS 3, one $FILE_NAME, and an unnamed $DATA that is resident or in
clusters without holes, in this order, and nothing else.  For any other record, and for anything unusual in
this one, there is no `PlainRecord`, and the record is parsed attribute by attribute.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.attribute import NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import NAME_AT, FileName
from ntfsbuild.ondisk.file_record import END_MARKER, IN_USE, MAGIC, NUMBER_MASK, FileRecordHeader
from ntfsbuild.ondisk.runs import read_runs
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4
from ntfsbuild.volume.read.indexes import NameEntry
from ntfsbuild.volume.read.records import Attribute

_unpack_head = FileRecordHeader.LAYOUT.unpack_from
# $STANDARD_INFORMATION and the fixed part of $FILE_NAME, which follows it.
_RESIDENT = ResidentHeader.LETTERS
_unpack_both = struct.Struct(
    "<" + _RESIDENT + StandardInformation.LETTERS + _RESIDENT + FileName.LETTERS
).unpack_from
_unpack_resident = ResidentHeader.LAYOUT.unpack_from
_unpack_mapped = NonResidentHeader.LAYOUT.unpack_from
_INFORMATION_BYTES = ResidentHeader.SIZE + StandardInformation.SIZE
_NAME_AT = _INFORMATION_BYTES + ResidentHeader.SIZE + NAME_AT
# The headers of both attributes up to the instance: type, length, resident, without name and flags.
_INFORMATION = kinds.STANDARD_INFORMATION, _INFORMATION_BYTES, 0, 0
_OWN_NUMBER_AT = FileRecordHeader.SIZE  # With an update sequence behind it, the header has the number.
_U32_MASK = (1 << 32) - 1
_END = END_MARKER[:4]
# Bits that say that there is more than the plain record can hold.
_UNUSUAL = int(FileAttributes.REPARSE_POINT | FileAttributes.DIRECTORY_INDEX | FileAttributes.ENCRYPTED)


class PlainRecord(NamedTuple):
    """The fields of a plain file's record; `name_times` to `name` are those of its $FILE_NAME."""

    number: int
    sequence: int
    times: Ticks4
    attributes: int
    version_max: int
    version: int
    class_id: int
    owner_id: int
    security_id: int
    quota_charged: int
    usn: int
    parent_reference: int
    name_times: Ticks4
    name_attributes: int
    namespace: int
    name: str
    data: Attribute

    def is_listed_by(self, entry: NameEntry) -> bool:
        """Whether an entry of a directory has the name, the namespace and the parent of its $FILE_NAME."""
        return (
            entry.name == self.name
            and entry.namespace == self.namespace
            and not (entry.parent_reference ^ self.parent_reference) & NUMBER_MASK
        )


def plain_record(
    chunk: bytes, at: int, number: int, record_bytes: int, cluster_bytes: int, clusters: int
) -> PlainRecord | None:
    """The record at an offset, with its update sequence undone; None if it is not that of a plain file.

    `clusters` is the number of clusters of the volume.
    """
    (magic, usa_offset, _, _, sequence, links, first, flags, used, _, base, _, _, own) = _unpack_head(
        chunk, at
    )
    begin = at + first
    if (
        magic != MAGIC
        or flags != IN_USE
        or base
        or links != 1
        or usa_offset < _OWN_NUMBER_AT
        or own != number & _U32_MASK
        or used > record_bytes
        or first + _NAME_AT > used
    ):
        return None
    # fmt: off
    (kind, length, non_resident, units, _, attribute_flags, _, value_bytes, value_at, _, _,
     created, modified, changed, accessed, attributes, version_max, version, class_id, owner_id, security_id,
     quota_charged, usn,
     name_kind, name_length, name_non_resident, name_units, _, name_flags, _, name_bytes, name_at, _, _,
     parent, *name_times, _, _, name_attributes, _, name_size, namespace) = _unpack_both(chunk, begin)
    # fmt: on
    name_end = begin + _NAME_AT + 2 * name_size
    data_at = begin + _INFORMATION_BYTES + name_length
    if (
        (kind, length, non_resident, units) != _INFORMATION
        or attribute_flags
        or value_bytes != StandardInformation.SIZE
        or value_at != ResidentHeader.SIZE
        or attributes & _UNUSUAL
        or not security_id
        or name_kind != kinds.FILE_NAME
        or name_non_resident
        or name_units
        or name_flags
        or name_at != ResidentHeader.SIZE
        or name_bytes != NAME_AT + 2 * name_size
        or name_length % 8
        or data_at < name_end
    ):
        return None
    data = _data(chunk, data_at, at + used, cluster_bytes, clusters)
    if data is None:
        return None
    name = chunk[begin + _NAME_AT : name_end].decode("utf-16-le", "surrogatepass")
    # fmt: off
    return PlainRecord(
        number, sequence, (created, modified, changed, accessed), attributes, version_max, version, class_id,
        owner_id, security_id, quota_charged, usn, parent, tuple(name_times), name_attributes, namespace,
        name, data,
    )
    # fmt: on


def _data(chunk: bytes, at: int, end: int, cluster_bytes: int, volume_clusters: int) -> Attribute | None:
    """The unnamed $DATA at an offset, if the end marker follows it."""
    if at + ResidentHeader.SIZE > end:
        return None
    kind, length, non_resident, units, _, flags, instance, size, value_at, _, _ = _unpack_resident(chunk, at)
    after = at + length
    if (
        kind != kinds.DATA
        or units
        or flags
        or length % 8
        or after + 4 > end
        or chunk[after : after + 4] != _END
    ):
        return None
    if not non_resident:
        if length < ResidentHeader.SIZE or value_at + size > length:
            return None
        return Attribute(kind, "", 0, instance, chunk[at + value_at : at + value_at + size])
    if length < NonResidentHeader.SIZE:
        return None
    # fmt: off
    (_, _, _, _, _, _, _, lowest, highest, runs_at, unit, _, allocated, size, initialized) = _unpack_mapped(
        chunk, at
    )
    # fmt: on
    if lowest or unit or runs_at >= length or not initialized <= size:
        return None
    runs, problem, _ = read_runs(chunk, at + runs_at, after)
    clusters = 0
    for lcn, count in runs:
        clusters += count
        if lcn is None or lcn + count > volume_clusters:
            return None
    if problem or not clusters or highest + 1 != clusters or size > clusters * cluster_bytes:
        return None
    return Attribute(kind, "", 0, instance, None, 0, tuple(runs), 0, allocated, size, initialized)
