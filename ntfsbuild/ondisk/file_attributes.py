"""FILE_ATTRIBUTE bits as $STANDARD_INFORMATION and $FILE_NAME hold them.  specs/ondisk/file_attributes.md"""

from __future__ import annotations

from enum import IntFlag
from typing import Final


class FileAttributes(IntFlag):
    """The bits that NTFS stores; `DIRECTORY_INDEX` and `VIEW_INDEX` exist on disk only."""

    READONLY = 0x1
    HIDDEN = 0x2
    SYSTEM = 0x4
    ARCHIVE = 0x20
    DEVICE = 0x40
    NORMAL = 0x80
    TEMPORARY = 0x100
    SPARSE = 0x200
    REPARSE_POINT = 0x400
    COMPRESSED = 0x800
    OFFLINE = 0x1000
    NOT_CONTENT_INDEXED = 0x2000
    ENCRYPTED = 0x4000
    INTEGRITY_STREAM = 0x8000
    NO_SCRUB_DATA = 0x20000
    RECALL_ON_OPEN = 0x40000
    EA = 0x40000  # The same bit: Windows sets it where there are extended attributes.
    PINNED = 0x80000
    UNPINNED = 0x100000
    RECALL_ON_DATA_ACCESS = 0x400000
    DIRECTORY_INDEX = 0x10000000
    VIEW_INDEX = 0x20000000


# What a user may set; all other bits follow from what a file is.
SETTABLE_NAMES: Final = (
    "readonly",
    "hidden",
    "system",
    "archive",
    "temporary",
    "offline",
    "not_content_indexed",
    "integrity_stream",
    "no_scrub_data",
    "pinned",
    "unpinned",
    "recall_on_open",
    "recall_on_data_access",
)
SETTABLE_ATTRIBUTES = sum(int(FileAttributes[name.upper()]) for name in SETTABLE_NAMES)

FLAG_NAMES = {int(flag): flag.name.lower() for flag in FileAttributes if flag.name}
_KNOWN = sum(FLAG_NAMES)


def attribute_names(value: int) -> list[str]:
    """The lower-case names of the bits set, in ascending order; unknown bits as hex."""
    names = [name for bit, name in FLAG_NAMES.items() if value & bit]
    unknown = value & ~_KNOWN
    return [*names, f"{unknown:#x}"] if unknown else names
