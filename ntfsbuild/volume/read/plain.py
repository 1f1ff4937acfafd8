"""The fast path of every reader: records of plain files, which are nearly all records of a volume.

A plain file has $STANDARD_INFORMATION of NTFS 3, one $FILE_NAME, and an unnamed $DATA that is resident or in
clusters without holes, in this order, and no other attribute.  For any other record, and for unusual values,
there is no `PlainRecord`; the record is then parsed attribute by attribute.
"""

from __future__ import annotations

import struct
from codecs import utf_16_le_decode
from collections.abc import Callable
from functools import cache
from typing import Any

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.attribute import NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.file_record import (
    END_MARKER,
    IN_USE,
    MAGIC,
    NUMBER_MASK,
    FileRecordHeader,
    first_attribute_offset,
)
from ntfsbuild.ondisk.runs import read_runs
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4
from ntfsbuild.volume.read.indexes import NameEntry
from ntfsbuild.volume.read.records import Attribute

# The header of an attribute: type and length, non-resident and length of the name, flags, size and offset of
# the value.  Fields that are not needed are skipped.
_RESIDENT = "QH2xH2xIH2x"
_INFORMATION = "QQQQIIIIIIQQ"
_NAME = "QQQQQ16xI4xBB"
_unpack_resident = struct.Struct("<" + _RESIDENT).unpack_from
_unpack_mapped = struct.Struct("<32xHB5xQQQ").unpack_from  # From the offset of the run list on.
_unpack_vcns = struct.Struct("<16xQQ").unpack_from
_INFORMATION_BYTES = ResidentHeader.SIZE + StandardInformation.SIZE
_INFORMATION_BEGINS = kinds.STANDARD_INFORMATION | _INFORMATION_BYTES << 32
_NAME_AT = _INFORMATION_BYTES + ResidentHeader.SIZE + NAME_AT
_INSTANCE_AT = ResidentHeader.offset_of("instance")
_new = tuple.__new__  # Quicker than the constructor of a NamedTuple, which takes keywords.
_U32_MASK = (1 << 32) - 1
_END = END_MARKER[:4]
# Bits of files that a plain record cannot hold.
_UNUSUAL = int(FileAttributes.REPARSE_POINT | FileAttributes.DIRECTORY_INDEX | FileAttributes.ENCRYPTED)


@cache
def _unpack(record_bytes: int) -> Callable[[bytes, int], tuple[Any, ...]]:
    """Unpacks the header of a record, its $STANDARD_INFORMATION and the fixed part of its $FILE_NAME.

    They have fixed offsets if the first attribute has the offset that all current formatters give it.
    """
    gap = first_attribute_offset(record_bytes) - FileRecordHeader.SIZE
    head = f"4sH10xHHHHI4xQ4xI{gap}x"
    layout = struct.Struct("<" + head + _RESIDENT + _INFORMATION + _RESIDENT + _NAME)
    assert layout.size == first_attribute_offset(record_bytes) + _NAME_AT
    return layout.unpack_from


class PlainRecord(NamedTuple):
    """The fields of a plain file's record; `parent_reference` to `name` are those of its $FILE_NAME."""

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

    @property
    def valid_bytes(self) -> int:
        """The size of its valid data."""
        data = self.data
        return data.initialized_bytes if data.value is None else len(data.value)

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
    # fmt: off
    (magic, usa_offset, sequence, links, first, flags, used, base, own,
     begins, form, attribute_flags, value_bytes, value_at,
     created, modified, changed, accessed, attributes, version_max, version, class_id, owner_id, security_id,
     quota_charged, usn,
     name_begins, name_form, name_flags, name_bytes, name_at,
     parent, name_created, name_modified, name_changed, name_accessed, name_attributes, name_size, namespace,
    ) = _unpack(record_bytes)(chunk, at)
    # fmt: on
    begin = at + first
    name_end = begin + _NAME_AT + 2 * name_size
    name_length = name_begins >> 32
    data_at = begin + _INFORMATION_BYTES + name_length
    if (
        magic != MAGIC
        or flags != IN_USE
        or base
        or links != 1
        or usa_offset != FileRecordHeader.SIZE  # Otherwise the header has no record number.
        or first != first_attribute_offset(record_bytes)
        or own != number & _U32_MASK
        or used > record_bytes
        or begins != _INFORMATION_BEGINS
        or form
        or attribute_flags
        or value_bytes != StandardInformation.SIZE
        or value_at != ResidentHeader.SIZE
        or attributes & _UNUSUAL
        or not security_id
        or name_begins & _U32_MASK != kinds.FILE_NAME
        or name_form
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
    name, _ = utf_16_le_decode(chunk[begin + _NAME_AT : name_end], "surrogatepass", True)
    # fmt: off
    return _new(PlainRecord, (
        number, sequence, (created, modified, changed, accessed), attributes, version_max, version, class_id,
        owner_id, security_id, quota_charged, usn, parent,
        (name_created, name_modified, name_changed, name_accessed), name_attributes, namespace, name, data,
    ))
    # fmt: on


def _data(chunk: bytes, at: int, end: int, cluster_bytes: int, volume_clusters: int) -> Attribute | None:
    """The unnamed $DATA at an offset, if the end marker follows it."""
    if at + ResidentHeader.SIZE > end:
        return None
    begins, form, flags, size, value_at = _unpack_resident(chunk, at)
    length = begins >> 32
    after = at + length
    if begins & _U32_MASK != kinds.DATA or form > 1 or flags or length % 8 or after + 4 > end:
        return None
    if chunk[after : after + 4] != _END:
        return None
    instance = chunk[at + _INSTANCE_AT] | chunk[at + _INSTANCE_AT + 1] << 8
    if not form:
        if length < ResidentHeader.SIZE or value_at + size > length:
            return None
        value = chunk[at + value_at : at + value_at + size]
        return _new(Attribute, (kinds.DATA, "", 0, instance, value, 0, (), 0, 0, 0, 0))
    if length < NonResidentHeader.SIZE:
        return None
    lowest, highest = _unpack_vcns(chunk, at)
    runs_at, unit, allocated, size, initialized = _unpack_mapped(chunk, at)
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
    mapped = tuple(runs)
    return _new(Attribute, (kinds.DATA, "", 0, instance, None, 0, mapped, 0, allocated, size, initialized))
