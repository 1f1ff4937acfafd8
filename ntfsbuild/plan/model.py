"""The operations of a plan, with everything resolved.

Operations are named tuples: a plan of a million files is read as it is made, one light object a file.
Paths begin with `/`; times are four FILETIMEs (created, modified, changed, accessed) in ticks, those that
are None stay as they are.  `ticks` is the time at which an operation happens.

A plan formats a volume, or opens a base; then comes the tree, then the steps.
`origin` is the packed position in the manifest that asked for it, 0 when nobody did.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ntfsbuild.content.model import Content
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.plan.features import NO_FEATURES, Features


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
    object_id: bytes | None = None  # Of the volume: 16 or 64 bytes.
    short_names: bool = False  # Whether the volume says that names get short ones.


class MakeDirectory(NamedTuple):
    """Create a directory; its parent came earlier.  The path `/`, which is the first, sets up the root."""

    path: str
    times: Ticks4
    attributes: int
    posix_names: bool  # The names inside need only be legal for NTFS, not for Win32.
    origin: int
    features: Features = NO_FEATURES


class MakeFile(NamedTuple):
    """Create a file with its content: all that is known of it, so that its record is packed once."""

    path: str
    content: Content
    times: Ticks4
    attributes: int
    origin: int
    features: Features = NO_FEATURES


class LinkFile(NamedTuple):
    """Give the file at `to`, which came earlier or is on the base, one more name."""

    path: str
    to: str
    times: Ticks4  # Of the new name.
    posix_names: bool
    origin: int
    features: Features = NO_FEATURES  # Of a name: its short name, and times of its own.


# ---------------------------------------------------------------------- on an existing volume


class OpenBase(NamedTuple):
    """Change the volume that this plan was made for: it is known by its serial number.

    `directories` and `files` count those of the tree.
    """

    serial: int
    label: str | None  # None: it keeps its name.
    ticks: int
    directories: int
    files: int
    origin: int
    object_id: bytes | None = None
    short_names: bool | None = None


class Keep(NamedTuple):
    """Leave a file or a directory as it is; `times` of a directory hold after what changes in it."""

    path: str
    directory: bool
    times: SomeTicks
    origin: int


class ReplaceFile(NamedTuple):
    """Overwrite a file; attributes that are None stay, but for the archive bit."""

    path: str
    content: Content
    times: SomeTicks
    attributes: int | None
    ticks: int
    origin: int
    features: Features = NO_FEATURES


class SetMetadata(NamedTuple):
    """Set times and attributes of a directory or file; of a directory they hold after what changes in it."""

    path: str
    directory: bool
    times: SomeTicks
    attributes: int | None
    ticks: int
    origin: int
    features: Features = NO_FEATURES


class Remove(NamedTuple):
    """Take away a file, or a directory with all that is in it."""

    path: str
    directory: bool
    ticks: int
    origin: int


# ---------------------------------------------------------------------- history


class WriteStep(NamedTuple):
    """Write at a byte of a stream (None: behind its end); the file is made when it is not there."""

    path: str
    at: int | None
    content: Content
    stream: str
    posix_names: bool
    ticks: int
    origin: int


class TruncateStep(NamedTuple):
    """Cut a stream, or extend it by zeros."""

    path: str
    size_bytes: int
    stream: str
    ticks: int
    origin: int


class RenameStep(NamedTuple):
    """Give a file or directory another name, perhaps in another directory."""

    path: str
    to: str
    replace: bool
    posix_names: bool
    ticks: int
    origin: int


class LinkStep(NamedTuple):
    """One more name for a file."""

    path: str
    to: str
    posix_names: bool
    ticks: int
    origin: int
    short_name: str | None = None  # `*`: the volume makes it.


class DeleteStep(NamedTuple):
    """Take a name away, or only a named stream."""

    path: str
    stream: str
    recursive: bool
    ticks: int
    origin: int


class MkdirStep(NamedTuple):
    """Create a directory in an existing directory."""

    path: str
    times: Ticks4
    attributes: int
    posix_names: bool
    ticks: int
    origin: int
    features: Features = NO_FEATURES


class SetStep(NamedTuple):
    """Set times and attributes."""

    path: str
    times: SomeTicks
    attributes: int | None
    ticks: int
    origin: int
    features: Features = NO_FEATURES


class LabelStep(NamedTuple):
    """Name the volume."""

    label: str
    ticks: int
    origin: int


TreeOperation: TypeAlias = MakeDirectory | MakeFile | LinkFile | Keep | ReplaceFile | SetMetadata | Remove
Step: TypeAlias = (
    WriteStep | TruncateStep | RenameStep | LinkStep | DeleteStep | MkdirStep | SetStep | LabelStep
)
Operation: TypeAlias = Format | OpenBase | TreeOperation | Step


class Plan(NamedTuple):
    """A header and a sequence of operations; the sequence can be read once, and may be lazy."""

    manifest_file: str  # The name used in error messages.
    manifest_digest: bytes
    operations: Iterator[Operation]
