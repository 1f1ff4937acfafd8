"""$FILE_NAME: a name, its parent, and a copy of times, sizes and attributes.  specs/ondisk/file_name.md

The same value is the key of the parent's `$I30` index.
"""

from __future__ import annotations

from collections.abc import Callable

from ntfsbuild.ondisk.file_attributes import FLAG_NAMES
from ntfsbuild.ondisk.layout import OnDisk, u8, u32, u64

POSIX = 0
WIN32 = 1
DOS = 2
WIN32_AND_DOS = 3

NAMESPACE_NAMES = {POSIX: "POSIX", WIN32: "Win32", DOS: "DOS", WIN32_AND_DOS: "Win32 and DOS"}


class FileName(OnDisk, size=0x42):
    """The fixed part; `name_length` UTF-16 code units follow."""

    parent_reference: int = u64(at=0x00)
    created_ticks: int = u64(at=0x08)
    modified_ticks: int = u64(at=0x10)
    changed_ticks: int = u64(at=0x18)
    accessed_ticks: int = u64(at=0x20)
    allocated_bytes: int = u64(at=0x28)  # Of the unnamed $DATA; 0 for directories.
    data_bytes: int = u64(at=0x30)
    attributes: int = u32(at=0x38, flags=FLAG_NAMES)
    reparse_tag: int = u32(at=0x3C, default=0)  # Or the packed size of the EAs.
    name_length: int = u8(at=0x40)
    namespace: int = u8(at=0x41, codes=NAMESPACE_NAMES)


NAME_AT = FileName.SIZE
_MOST_LEVELS = 256


def path_upwards(at: int, root: int, named: Callable[[int], tuple[int, str] | None]) -> tuple[str, bool]:
    """The path of a record, found from parent to parent, and whether it begins at the root.

    `named` returns the parent and the name of a record, None if it has none; `?` then replaces the rest.
    """
    parts: list[str] = []
    while at != root:
        found = named(at) if len(parts) < _MOST_LEVELS else None  # Parents may form a loop.
        if found is None:
            return "/".join(["", "?", *reversed(parts)]), False
        at, name = found
        parts.append(name)
    return "/" + "/".join(reversed(parts)), True
