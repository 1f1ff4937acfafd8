"""What a volume tells of a file: plain data for people and programs."""

from __future__ import annotations

from typing import NamedTuple

from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import Form, Traits


class DirectoryItem(NamedTuple):
    """One entry of a directory, as its index has it."""

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
    """One $DATA stream; the main one has no name.  `runs` is empty when it is resident.

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
    """Everything about one file or directory.  Times and attributes are $STANDARD_INFORMATION's.

    `reparse_tag` is 0 where there is no reparse point, `object_id` empty where there is none, and
    `ea_bytes` the size of all extended attributes.
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
    """A file or directory with all that it has; what is damaged is left out and said in `faults`.

    `entries` are what directories have for the `names` of `info`, `records` the numbers of all records,
    the file's own first.  `faults` has names of traits, and `names` with the number of the name.
    """

    info: FileInfo
    traits: Traits
    entries: tuple[DirectoryItem | None, ...]
    records: tuple[int, ...]
    has_attribute_list: bool
    faults: dict[str, str]
