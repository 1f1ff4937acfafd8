"""What the attributes of a file tell, as plain data."""

from __future__ import annotations

from collections.abc import Sequence

from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.standard_information import StandardInformation
from ntfsbuild.ondisk.traits import Form
from ntfsbuild.volume.read.indexes import NameEntry, name_of_value
from ntfsbuild.volume.read.info import DirectoryItem, FileInfo, NameInfo, StreamInfo
from ntfsbuild.volume.read.records import Attribute, Record
from ntfsbuild.volume.read.traits import information_times, times_of
from ntfsbuild.volume.run_list import clusters_of

_DIRECTORY_INDEX, _REPARSE_POINT = int(FileAttributes.DIRECTORY_INDEX), int(FileAttributes.REPARSE_POINT)


def listed(entry: NameEntry) -> DirectoryItem:
    """An entry of a directory, as its index has it."""
    return DirectoryItem(
        entry.name,
        entry.reference & file_record.NUMBER_MASK,
        entry.reference >> 48,
        bool(entry.attributes & _DIRECTORY_INDEX),
        entry.data_bytes,
        entry.allocated_bytes,
        entry.attributes & ~_DIRECTORY_INDEX,
        times_of(entry),
        entry.namespace,
        # Without a reparse point the size of the EAs stands there.
        entry.reparse_tag if entry.attributes & _REPARSE_POINT else 0,
    )


def described(
    path: str,
    record: Record,
    attributes: Sequence[Attribute],
    information: StandardInformation,
    reparse_tag: int,
    cluster_bytes: int,
) -> FileInfo:
    """Everything about a file, whose `attributes` are those of all its records."""

    def of_type(type_code: int) -> list[Attribute]:
        return [one for one in attributes if one.type_code == type_code]

    streams = tuple(_stream_info(one, cluster_bytes) for one in of_type(attribute.DATA))
    main = next((one for one in streams if not one.name), None)
    object_ids = [one.value[:16] for one in of_type(attribute.OBJECT_ID) if one.value]
    return FileInfo(
        path=path,
        record=record.number,
        sequence=record.sequence,
        is_directory=record.is_directory,
        size_bytes=main.size_bytes if main else 0,
        link_count=record.link_count,
        attributes=information.attributes,
        times=information_times(information),
        security_id=information.security_id,
        owner_id=information.owner_id,
        usn=information.usn,
        case_sensitive=record.is_directory and information.is_case_sensitive,
        reparse_tag=reparse_tag,
        object_id=object_ids[0] if object_ids else b"",
        ea_bytes=sum(one.size_bytes for one in of_type(attribute.EA)),
        names=tuple(
            _name_info(name_of_value(one.value))
            for one in of_type(attribute.FILE_NAME)
            if one.value is not None
        ),
        streams=streams,
    )


def _name_info(entry: NameEntry) -> NameInfo:
    return NameInfo(
        entry.name,
        entry.namespace,
        entry.parent_reference & file_record.NUMBER_MASK,
        times_of(entry),
        entry.attributes,
        entry.parent_reference >> 48,
    )


def _stream_info(one: Attribute, cluster_bytes: int) -> StreamInfo:
    size = one.size_bytes
    return StreamInfo(
        one.name,
        one.resident,
        size,
        size if one.resident else clusters_of(one.runs) * cluster_bytes,
        size if one.resident else one.initialized_bytes,
        one.flags,
        one.runs,
        _form(one.flags),
        size if one.resident else clusters_of(run for run in one.runs if run[0] is not None) * cluster_bytes,
    )


def _form(flags: int) -> Form:
    if flags & attribute.ENCRYPTED:
        return "encrypted"
    if flags & attribute.COMPRESSION_MASK:
        return "sparse_compressed" if flags & attribute.SPARSE else "compressed"
    return "sparse" if flags & attribute.SPARSE else "plain"
