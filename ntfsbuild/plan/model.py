"""What is to be done, in order, with everything resolved: the operations of a plan.

Operations are named tuples: a plan of a million files is read as it is made, one light object a file.
Paths begin with `/`; times are four FILETIMEs (created, modified, changed, accessed) in ticks.
`origin` is the packed position in the manifest that asked for it, 0 when nobody did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from ntfsbuild.content.model import Content
from ntfsbuild.ondisk.standard_information import Ticks4

# What a user may ask for.  All other bits follow from what a file is, and would lie where it is not that.
ATTRIBUTES: Final = (
    "readonly",
    "hidden",
    "system",
    "archive",
    "temporary",
    "offline",
    "not_content_indexed",
)


class Format(NamedTuple):
    """Make an empty volume.  `size_bytes` None: the smallest that holds the tree, plus the extras.

    `directories` (besides the root) and `files` count what follows, so that the $MFT is laid out in one run.
    """

    size_bytes: int | None
    extra_bytes: int
    extra_percent: float
    label: str
    serial: int
    cluster_bytes: int
    sector_bytes: int
    record_bytes: int
    hidden_sectors: int
    sectors_per_track: int
    heads: int
    times: Ticks4
    directories: int
    files: int
    origin: int


class MakeDirectory(NamedTuple):
    """Create a directory; its parent came earlier.  The path `/`, which is the first, sets up the root."""

    path: str
    times: Ticks4
    attributes: int
    posix_names: bool  # The names inside need only be legal for NTFS, not for Win32.
    origin: int


class MakeFile(NamedTuple):
    """Create a file with its content: all that is known of it, so that its record is packed once."""

    path: str
    content: Content
    times: Ticks4
    attributes: int
    origin: int


Operation: TypeAlias = Format | MakeDirectory | MakeFile


@dataclass(frozen=True, slots=True)
class Plan:
    """A header and a sequence of operations; the sequence can be read once, and may be lazy."""

    manifest_file: str  # The name used in error messages.
    manifest_digest: bytes
    operations: Iterator[Operation]
