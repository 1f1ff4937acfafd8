"""A checked manifest as frozen data; nothing is resolved against the host yet.

Positions are packed integers (`errors.pack_position`): a million of them must stay cheap.  A time is a count
of 100 ns ticks since 1601-01-01 UTC.  None always means "not given here: the next outer default
holds"; the compiler resolves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ntfsbuild.content.model import Content
from ntfsbuild.errors import Mark, unpack_position
from ntfsbuild.manifest.feature_specs import NO_FEATURE_SPEC, FeatureSpec
from ntfsbuild.named_tuple import NamedTuple


class Times(NamedTuple):
    """Four FILETIMEs in ticks; None where the outer default holds."""

    created: int | None = None
    modified: int | None = None
    changed: int | None = None
    accessed: int | None = None


TimesSpec: TypeAlias = Times | Literal["source"] | None
NamesRule: TypeAlias = Literal["win32", "posix"]
SymlinksRule: TypeAlias = Literal["ntfs", "wsl", "follow", "error"]


class Defaults(NamedTuple):
    """Values inherited down the tree; nearest wins, None passes on to the next outer one."""

    times: TimesSpec = None
    names: NamesRule | None = None
    security: bytes | None = None  # A self-relative descriptor.
    short_names: bool | None = None


class Size(NamedTuple):
    """A volume size: exact (`size_bytes`), or the smallest that fits plus room."""

    size_bytes: int | None
    extra_bytes: int = 0
    extra_percent: float = 0.0

    @property
    def auto(self) -> bool:
        """Whether the tree decides the size."""
        return self.size_bytes is None


class BaseSpec(NamedTuple):
    """An existing volume that the tree is applied to; `partition` None: not given."""

    path: bytes  # As written, relative to the manifest's folder.
    partition: int | None
    position: int


class VolumeSpec(NamedTuple):
    """The `volume` section.  `record_bytes` None: 1024, or 4096 where the sector is larger than that."""

    size: Size
    label: str | None = None  # None: not given; a new volume then has no label.
    serial: int | None = None  # None: derived from the manifest's digest.
    cluster_bytes: int = 4096
    sector_bytes: int = 512
    record_bytes: int | None = None
    hidden_sectors: int = 0
    sectors_per_track: int = 63
    heads: int = 255
    position: int = 0
    size_position: int = 0
    base: BaseSpec | None = None  # With it, only `label` and `object_id` may be given.
    object_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the tree.  There may be a million: a tuple would take 16 bytes more."""

    content: Content
    position: int
    times: TimesSpec = None
    attributes: int | None = None  # FILE_ATTRIBUTE bits; None: archive.
    sha256: bytes | None = None
    features: FeatureSpec = NO_FEATURE_SPEC


@dataclass(frozen=True, slots=True)
class SourcedEntry(FileEntry):
    """A file with a source, and where its path stands."""

    source_position: int = 0


class TreeSource(NamedTuple):
    """A host directory or a tar archive whose tree is copied into a directory."""

    path: bytes  # As written, relative to the manifest's folder.
    position: int
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    symlinks: SymlinksRule = "follow"


class AbsentEntry(NamedTuple):
    """A file, or a directory with everything in it, that is removed."""

    position: int
    directory: bool


class DirectoryEntry(NamedTuple):
    """One directory of the tree; `children` in the order in which the manifest has them."""

    position: int
    children: dict[str, FileEntry | DirectoryEntry | AbsentEntry]
    times: TimesSpec = None
    attributes: int | None = None
    defaults: Defaults = Defaults()
    source: TreeSource | None = None
    features: FeatureSpec = NO_FEATURE_SPEC


Entry: TypeAlias = FileEntry | DirectoryEntry | AbsentEntry


class Clock(NamedTuple):
    """The time of step k, counted from 0, is `start_ticks + k * step_ticks`."""

    start_ticks: int
    step_ticks: int


# A step's paths are absolute on the volume and do not end in "/"; "/" alone is the root.  Its `ticks` are
# its own time, or None; its `position` is that of its operation key.


class WriteStepSpec(NamedTuple):
    """Write content at an offset of a stream; the file is made if it does not exist."""

    path: str
    at: int | None  # None: append.
    content: Content
    stream: str  # Empty: the file's own content.
    sha256: bytes | None
    ticks: int | None
    position: int
    source_position: int  # Of the path of the source; `position` without a source.


class TruncateStepSpec(NamedTuple):
    """Give a stream a size; where it grows it reads as zeros."""

    path: str
    size_bytes: int
    stream: str
    ticks: int | None
    position: int


class RenameStepSpec(NamedTuple):
    """Move a file or a directory; with `replace` it replaces an existing one."""

    path: str
    to: str
    replace: bool
    ticks: int | None
    position: int


class LinkStepSpec(NamedTuple):
    """Give a file one more name."""

    path: str
    to: str
    ticks: int | None
    position: int
    short_name: str | Literal[True] | None = None


class DeleteStepSpec(NamedTuple):
    """Delete a name, or only a named stream; with `recursive`, a directory with everything in it."""

    path: str
    stream: str
    recursive: bool
    ticks: int | None
    position: int


class MkdirStepSpec(NamedTuple):
    """Make a directory in an existing one."""

    path: str
    attributes: int | None
    times: TimesSpec  # Never "source".
    ticks: int | None
    position: int
    features: FeatureSpec = NO_FEATURE_SPEC


class TouchStepSpec(NamedTuple):
    """Set times."""

    path: str
    times: Times
    ticks: int | None
    position: int


class SetStepSpec(NamedTuple):
    """Set the attributes to exactly these; set times and features."""

    path: str
    attributes: int | None
    times: Times | None
    ticks: int | None
    position: int
    features: FeatureSpec = NO_FEATURE_SPEC


class LabelStepSpec(NamedTuple):
    """Set the label of the volume; an empty one removes it."""

    label: str
    ticks: int | None
    position: int


Step: TypeAlias = (
    WriteStepSpec
    | TruncateStepSpec
    | RenameStepSpec
    | LinkStepSpec
    | DeleteStepSpec
    | MkdirStepSpec
    | TouchStepSpec
    | SetStepSpec
    | LabelStepSpec
)


class Manifest(NamedTuple):
    """A whole manifest.  `digest` is the SHA-256 of its values, not of its text."""

    file: str
    digest: bytes
    volume: VolumeSpec
    defaults: Defaults
    tree: DirectoryEntry
    clock: Clock | None = None
    steps: tuple[Step, ...] = ()
    size_bytes: int = 0  # Of the file.

    def mark(self, position: int) -> Mark:
        """The place that a packed position means."""
        return Mark(self.file, *unpack_position(position))
