"""The metadata of a file as plain data."""

from __future__ import annotations

from typing import NamedTuple

from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import Form, Traits


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
