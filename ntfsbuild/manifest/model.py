"""What a manifest means: frozen data, every value checked, nothing resolved against the host.

Positions are packed integers (`errors.pack_position`): a million of them must stay cheap.  A time is a count
of 100 ns ticks since 1601-01-01 UTC.  None always means "not given here: the next outer default
holds"; the compiler resolves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from ntfsbuild.content.model import Content
from ntfsbuild.errors import Mark, unpack_position


class Times(NamedTuple):
    """Four FILETIMEs in ticks; None where the outer default holds."""

    created: int | None = None
    modified: int | None = None
    changed: int | None = None
    accessed: int | None = None


TimesSpec: TypeAlias = Times | Literal["source"] | None
NamesRule: TypeAlias = Literal["win32", "posix"]


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values inherited down the tree; nearest wins, None passes on to the next outer one."""

    times: TimesSpec = None
    names: NamesRule | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """A volume size: exact (`size_bytes`), or the smallest that fits plus room."""

    size_bytes: int | None
    extra_bytes: int = 0
    extra_percent: float = 0.0

    @property
    def auto(self) -> bool:
        """Whether the tree decides."""
        return self.size_bytes is None


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """The `volume` section.  `record_bytes` None: 1024, or 4096 where the sector is larger than that."""

    size: Size
    label: str = ""
    serial: int | None = None  # None: derived from the manifest's digest.
    cluster_bytes: int = 4096
    sector_bytes: int = 512
    record_bytes: int | None = None
    hidden_sectors: int = 0
    sectors_per_track: int = 63
    heads: int = 255
    position: int = 0
    size_position: int = 0


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the tree."""

    content: Content
    position: int
    times: TimesSpec = None
    attributes: int | None = None  # FILE_ATTRIBUTE bits; None: archive.
    sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class TreeSource:
    """A host directory or a tar archive whose tree is laid into a directory."""

    path: bytes  # As written, relative to the manifest's folder.
    position: int
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One directory of the tree; `children` in the order in which the manifest has them."""

    position: int
    children: dict[str, FileEntry | DirectoryEntry] = field(default_factory=dict)
    times: TimesSpec = None
    attributes: int | None = None
    defaults: Defaults = Defaults()
    source: TreeSource | None = None


Entry: TypeAlias = FileEntry | DirectoryEntry


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole manifest.  `digest` is the SHA-256 of what it says (not of how it is spelled)."""

    file: str
    digest: bytes
    volume: VolumeSpec
    defaults: Defaults
    tree: DirectoryEntry

    def mark(self, position: int) -> Mark:
        """The place that a packed position means."""
        return Mark(self.file, *unpack_position(position))
