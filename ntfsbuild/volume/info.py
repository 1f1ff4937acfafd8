"""What a volume tells of a file: plain data for people and programs."""

from __future__ import annotations

from typing import NamedTuple

from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.standard_information import Ticks4


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


class StreamInfo(NamedTuple):
    """One $DATA stream; the main one has no name.  `runs` is empty when it is resident."""

    name: str
    resident: bool
    size_bytes: int
    allocated_bytes: int
    initialized_bytes: int
    flags: int
    runs: tuple[Run, ...]


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
