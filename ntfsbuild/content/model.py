"""Contents of streams as plain immutable data.

A manifest describes contents, a plan has them, and the executor reads them through `ntfsbuild.content`.
Paths of host files are `bytes`, so that names do not depend on the locale.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from ntfsbuild.named_tuple import NamedTuple

SIZE_MAX: Final = (1 << 63) - 1  # NTFS holds sizes as signed 64-bit integers.


class Inline(NamedTuple):
    """Bytes that stand in the manifest itself (text, hex, base64; an empty file is `Inline(b"")`)."""

    data: bytes


class Fill(NamedTuple):
    """`size_bytes` of zeros, or of SHAKE-128 output when there is a seed."""

    size_bytes: int
    seed: int | None


class HostFile(NamedTuple):
    """A file of the host.  Size and digest are None unless the manifest or a saved plan gives them."""

    path: bytes
    size_bytes: int | None
    sha256: bytes | None


class TarMember(NamedTuple):
    """A regular file inside a tar archive; `offset` counts in the uncompressed archive."""

    archive: bytes
    name: str
    offset: int
    size_bytes: int
    sha256: bytes | None


Part: TypeAlias = Inline | Fill | HostFile | TarMember


class Segment(NamedTuple):
    """A piece of `Segments`: content that begins at byte `at`."""

    at: int
    content: Part


class Segments(NamedTuple):
    """Pieces at given offsets, ascending and not overlapping, with zeros between them."""

    size_bytes: int
    parts: tuple[Segment, ...]


Content: TypeAlias = Part | Segments

EMPTY = Inline(b"")

# What becomes of a source's symbolic links: kept in one way or the other, replaced by what they lead to, or
# refused.  Only `wsl` has a form for other special files.
LinksRule: TypeAlias = Literal["ntfs", "wsl", "follow", "error"]
LinkKind: TypeAlias = Literal["symlink", "socket", "fifo", "char", "block"]


class SourceLink(NamedTuple):
    """A symbolic link or special file of a source that is kept as a link or special file.

    `directory` says that the target is a directory of the same source; only `ntfs` asks for that.
    """

    kind: LinkKind
    target: bytes = b""
    directory: bool = False


NO_LINKS: Final[Mapping[str, SourceLink]] = MappingProxyType({})
