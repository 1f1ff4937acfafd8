"""Deleted files: files of free records that are not overwritten."""

from __future__ import annotations

from collections.abc import Callable

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_name
from ntfsbuild.ondisk.standard_information import StandardInformation
from ntfsbuild.volume.read.info import FileInfo, described
from ntfsbuild.volume.read.records import Attribute, Record

ReadPart = Callable[[Attribute, int, int], bytes]


class DeletedFile(NamedTuple):
    """A deleted file: the metadata that remain in its record, and a function that reads a part of a stream.

    Its clusters are free, and may have been overwritten.
    """

    info: FileInfo
    name: str
    read: Callable[[str, int, int], bytes]  # Stream, offset, bytes.


def is_deleted_file(record: Record) -> bool:
    """Whether a record is a free one that belonged to a file."""
    return not (record.in_use or record.is_directory or record.base_reference)


def deleted_file(
    record: Record, information: StandardInformation, cluster_bytes: int, read_part: ReadPart
) -> DeletedFile | None:
    """The file of a free record; None if it has no name.  Extension records are not read."""
    tag = 0  # Its extension records are free, too.
    info = described("", record, record.attributes, information, tag, cluster_bytes)
    names = [name for name in info.names if name.namespace != file_name.DOS]
    if not names:
        return None
    streams = {one.name: one for one in record.attributes if one.type_code == attribute.DATA}

    def read(name: str, at: int, size_bytes: int) -> bytes:
        return read_part(streams[name], at, size_bytes)

    return DeletedFile(info, names[0].name, read)
