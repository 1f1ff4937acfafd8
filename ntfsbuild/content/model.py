"""Where the bytes of a stream come from, as plain immutable data.

A manifest names contents, a plan carries them, the executor asks `ntfsbuild.content` to read them.
Paths of host files are `bytes`: what a name means must not depend on the locale.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

SIZE_MAX: Final = (1 << 63) - 1  # NTFS holds sizes as signed 64-bit integers.


class Inline(NamedTuple):
    """Bytes that stand in the manifest itself (text, hex, base64; an empty file is `Inline(b"")`)."""

    data: bytes


class Fill(NamedTuple):
    """`size_bytes` of zeros, or of SHAKE-128 output when there is a seed."""

    size_bytes: int
    seed: int | None


class HostFile(NamedTuple):
    """A file of the host.  Size and digest are None until somebody (the user, a saved plan) says them."""

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
    """Pieces at given offsets, ascending and apart; what lies between them reads as zeros."""

    size_bytes: int
    parts: tuple[Segment, ...]


Content: TypeAlias = Part | Segments

EMPTY = Inline(b"")
