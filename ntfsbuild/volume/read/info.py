"""The metadata of a file as plain data."""

from __future__ import annotations

from collections.abc import Sequence

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4
from ntfsbuild.ondisk.traits import Form, Traits
from ntfsbuild.volume.read.indexes import NameEntry, name_of_value, times_of
from ntfsbuild.volume.read.plain import PlainRecord
from ntfsbuild.volume.read.records import Attribute, Record
from ntfsbuild.volume.read.traits import information_times
from ntfsbuild.volume.run_list import clusters_of

DIRECTORY_INDEX, _REPARSE_POINT = int(FileAttributes.DIRECTORY_INDEX), int(FileAttributes.REPARSE_POINT)


class DirectoryItem(NamedTuple):
    """One entry of a directory, with the values in its index."""

    name: str
    record: int
    sequence: int
    is_directory: bool
    size_bytes: int
    allocated_bytes: int
    attributes: int
    times: Ticks4
    namespace: int
    reparse_tag: int


class NameInfo(NamedTuple):
    """One $FILE_NAME of a file."""

    name: str
    namespace: int
    parent_record: int
    times: Ticks4
    attributes: int
    parent_sequence: int


class StreamInfo(NamedTuple):
    """One $DATA stream; the unnamed one has an empty name.  `runs` is empty if it is resident.

    `allocated_bytes` counts holes, `occupied_bytes` does not.
    """

    name: str
    resident: bool
    size_bytes: int
    allocated_bytes: int
    initialized_bytes: int
    flags: int
    runs: tuple[Run, ...]
    form: Form
    occupied_bytes: int


class FileInfo(NamedTuple):
    """The metadata of one file or directory.  Times and attributes are those of $STANDARD_INFORMATION.

    `reparse_tag` is 0 if there is no reparse point, `object_id` is empty if there is none, and `ea_bytes` is
    the size of all extended attributes.
    """

    path: str
    record: int
    sequence: int
    is_directory: bool
    size_bytes: int
    link_count: int
    attributes: int
    times: Ticks4
    security_id: int
    owner_id: int
    usn: int
    case_sensitive: bool
    reparse_tag: int
    object_id: bytes
    ea_bytes: int
    names: tuple[NameInfo, ...]
    streams: tuple[StreamInfo, ...]


class FileDetails(NamedTuple):
    """All metadata of a file or directory; damaged parts are omitted and noted in `faults`.

    `entries` are the directory entries of the `names` of `info`; `records` are the numbers of all records,
    the base record first.  The keys of `faults` are names of traits, or `names` with the number of the name.
    """

    info: FileInfo
    traits: Traits
    entries: tuple[DirectoryItem | None, ...]
    records: tuple[int, ...]
    has_attribute_list: bool
    faults: dict[str, str]


def listed(entry: NameEntry) -> DirectoryItem:
    """A directory entry as plain data."""
    return DirectoryItem(
        entry.name,
        entry.reference & file_record.NUMBER_MASK,
        entry.reference >> 48,
        bool(entry.attributes & DIRECTORY_INDEX),
        entry.data_bytes,
        entry.allocated_bytes,
        entry.attributes & ~DIRECTORY_INDEX,
        times_of(entry),
        entry.namespace,
        # Without a reparse point this field holds the size of the extended attributes.
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
    """The metadata of a file; `attributes` are those of all its records."""
    streams: list[StreamInfo] = []
    names: list[NameInfo] = []
    size_bytes = ea_bytes = 0
    object_id = b""
    for one in attributes:
        if one.type_code == attribute.DATA:
            streams.append(_stream_info(one, cluster_bytes))
            if not one.name:
                size_bytes = one.size_bytes
        elif one.type_code == attribute.FILE_NAME:
            if one.value is not None:
                names.append(_name_info(name_of_value(one.value)))
        elif one.type_code == attribute.EA:
            ea_bytes += one.size_bytes
        elif one.type_code == attribute.OBJECT_ID and one.value and not object_id:
            object_id = one.value[:16]
    return FileInfo(
        path=path,
        record=record.number,
        sequence=record.sequence,
        is_directory=record.is_directory,
        size_bytes=size_bytes,
        link_count=record.link_count,
        attributes=information.attributes,
        times=information_times(information),
        security_id=information.security_id,
        owner_id=information.owner_id,
        usn=information.usn,
        case_sensitive=record.is_directory and information.is_case_sensitive,
        reparse_tag=reparse_tag,
        object_id=object_id,
        ea_bytes=ea_bytes,
        names=tuple(names),
        streams=tuple(streams),
    )


def plain_info(path: str, plain: PlainRecord, cluster_bytes: int) -> FileInfo:
    """The same of a plain file, as fast as can be."""
    parent = plain.parent_reference
    name = NameInfo(
        plain.name,
        plain.namespace,
        parent & file_record.NUMBER_MASK,
        plain.name_times,
        plain.name_attributes,
        parent >> 48,
    )
    stream = _stream_info(plain.data, cluster_bytes)
    # fmt: off
    return FileInfo(
        path, plain.number, plain.sequence, False, stream.size_bytes, 1, plain.attributes, plain.times,
        plain.security_id, plain.owner_id, plain.usn, False, 0, b"", 0, (name,), (stream,),
    )
    # fmt: on


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
    form: Form = _form(one.flags) if one.flags else "plain"
    if one.value is not None:
        size = len(one.value)
        return StreamInfo(one.name, True, size, size, size, one.flags, (), form, size)
    allocated = clusters_of(one.runs) * cluster_bytes
    holes = sum([count for lcn, count in one.runs if lcn is None])
    return StreamInfo(
        one.name,
        False,
        one.data_bytes,
        allocated,
        one.initialized_bytes,
        one.flags,
        one.runs,
        form,
        allocated - holes * cluster_bytes,
    )


def _form(flags: int) -> Form:
    if flags & attribute.ENCRYPTED:
        return "encrypted"
    if flags & attribute.COMPRESSION_MASK:
        return "sparse_compressed" if flags & attribute.SPARSE else "compressed"
    return "sparse" if flags & attribute.SPARSE else "plain"
