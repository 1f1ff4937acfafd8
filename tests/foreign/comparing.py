"""What readers show, without what each shows in a way of its own."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.oracle import Entry, Reader, Reading

# What a reader says of a volume because of what is on it, whoever wrote it.
EXPECTED_COMPLAINTS = {
    "ntfs-3g": ("Could not load plugin", "Hint "),  # It has none for most reparse points.
}

# 7-Zip and ntfs-3g on a file without attributes: "normal".  7-Zip writes those above 0xFFFF in another way.
NORMAL, SHOWN_BY_ALL = 0x80, 0x7FFF
REPARSE_POINT = 0x400


def comparable(reader: Reader, reading: Reading, *, streams: bool = False) -> Reading:
    """Without what readers show in ways of their own: reparse points, and names that DOS has counted."""
    known = EXPECTED_COMPLAINTS.get(reader.name, ())
    reading.complaints = [one for one in reading.complaints if not one.startswith(known or ("\0",))]
    if reading.entries is not None:
        reading.entries = {path: _common(reader, entry, streams) for path, entry in reading.entries.items()}
    return reading


def _common(reader: Reader, entry: Entry, streams: bool) -> Entry:
    attributes = None if entry.attributes is None else entry.attributes & SHOWN_BY_ALL & ~NORMAL
    changes: dict[str, Any] = {"attributes": attributes, "other": None}
    if not streams:
        changes["streams"] = None
    if reader.name in ("wimlib", "ntfs3"):  # They count no short names.
        changes["links"] = None
    if reader.name == "wimlib" and entry.attributes and entry.attributes & REPARSE_POINT:
        changes |= {"size": None, "sha1": None}  # It tells those of the reparse point first.
    if entry.kind not in ("file", "dir"):
        changes |= {"kind": None, "target": None}
    return dataclasses.replace(entry, **changes)
