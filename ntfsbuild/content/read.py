r"""Reads any content: its size, its bytes and its digest.

Random fill is the same everywhere and forever: its block k of 2**20 bytes (the last one is cut) is the
output of SHAKE-128 for the ASCII text "seed/k".  The first 3 MiB of seed 7 are

    b"".join(hashlib.shake_128(b"7/%d" % k).digest(1 << 20) for k in range(3))
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from ntfsbuild.content import archive, host_file
from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Part, Segment, Segments, TarMember
from ntfsbuild.content.problems import shown, wrong_digest
from ntfsbuild.errors import ManifestError

if TYPE_CHECKING:
    from hashlib import _Hash

FILL_BLOCK_BYTES = 1 << 20

Piece: TypeAlias = tuple[int, bytes]

_ZEROS = bytes(1 << 20)


def size_of(content: Content) -> int:
    """The size of the content in bytes; for a host file without a given size the host is asked."""
    match content:
        case Inline(data):
            return len(data)
        case HostFile(path, None, _):
            return host_file.size_bytes(path)
        case _:
            size = content.size_bytes
            assert size is not None
            return size


def pieces(content: Content) -> Iterator[Piece]:
    """Offsets and data of at most 1 MiB, ascending, with zeros between them.

    Size and digest, where the content carries them, are checked on the way: the digest can only fail
    after the last piece.
    """
    match content:
        case Inline(data):
            return iter(((0, data),) if data else ())
        case Fill(_, None):
            return iter(())
        case Fill(size, seed):
            return _random(size, f"{seed}/")
        case HostFile(path, size, sha256):
            found = host_file.pieces(path, size)
            return found if sha256 is None else _checked(found, size_of(content), sha256, path)
        case TarMember():
            return _member_pieces(content)
        case Segments():
            return _segment_pieces(content)


def read(content: Content) -> bytes:
    """The whole content in memory."""
    if isinstance(content, Inline):
        return content.data
    data = bytearray(size_of(content))
    for offset, piece in pieces(content):
        data[offset : offset + len(piece)] = piece
    return bytes(data)


def sha256_of(content: Content) -> bytes:
    """The SHA-256 of the whole content, zeros included."""
    digest = hashlib.sha256()
    end = 0
    for offset, piece in pieces(content):
        _hash_zeros(digest, offset - end)
        digest.update(piece)
        end = offset + len(piece)
    _hash_zeros(digest, size_of(content) - end)
    return digest.digest()


def is_content(
    content: Content, size_bytes: int, there: Iterable[Piece], valid_bytes: int | None = None
) -> bool:
    """Whether a stream of that size with these pieces has that content; holes are not read.

    If `valid_bytes` is given, only that many bytes of the content count, and zeros follow.
    """
    if isinstance(content, HostFile) and content.size_bytes is None and content.sha256 is None:
        size, found = host_file.sized_pieces(content.path)
    else:
        size, found = size_of(content), pieces(content)
    return size == size_bytes and same_pieces(there, _valid(found, valid_bytes))


def same_pieces(one: Iterable[Piece], other: Iterable[Piece]) -> bool:
    """Whether two ascending sequences of pieces have the same bytes, with zeros between pieces."""
    ones, others = iter(one), iter(other)
    left, right = next(ones, None), next(others, None)
    while left is not None or right is not None:
        if left is None or right is None:
            rest = left or right
            if rest is not None and _is_data(rest[1]):
                return False
            left, right = next(ones, None), next(others, None)
            continue
        at = min(left[0], right[0])
        if left[0] != right[0]:  # Up to where both have something, one has to have zeros.
            first = left if left[0] == at else right
            count = min(len(first[1]), abs(left[0] - right[0]))
            if _is_data(first[1][:count]):
                return False
        else:
            count = min(len(left[1]), len(right[1]))
            if left[1] == right[1]:  # At once, without copies.
                left, right = next(ones, None), next(others, None)
                continue
            if left[1][:count] != right[1][:count]:
                return False
        left = _after(left, at + count) or next(ones, None)
        right = _after(right, at + count) or next(others, None)
    return True


def _after(piece: Piece, at: int) -> Piece | None:
    """The part of a piece from an offset on."""
    begin, data = piece
    if at <= begin:
        return piece
    return (at, data[at - begin :]) if at < begin + len(data) else None


def _is_data(data: bytes) -> bool:
    return data.count(0) != len(data)


def valid_pieces(content: Content, valid_bytes: int | None) -> Iterator[Piece]:
    """The pieces of a content, up to its valid data length."""
    return _valid(pieces(content), valid_bytes)


def _valid(found: Iterable[Piece], valid_bytes: int | None) -> Iterator[Piece]:
    for at, data in found:
        if valid_bytes is not None and at + len(data) > valid_bytes:
            if at < valid_bytes:
                yield at, data[: valid_bytes - at]
            return
        yield at, data


def pinned(content: Content) -> Content:
    """The same content with the size and digest of every source in it, so that a change is noticed."""
    if isinstance(content, Segments):
        return content._replace(parts=tuple(Segment(at, _pinned(part)) for at, part in content.parts))
    return _pinned(content)


def _pinned(part: Part) -> Part:
    if isinstance(part, HostFile):
        part = part._replace(size_bytes=size_of(part))
    if isinstance(part, HostFile | TarMember) and part.sha256 is None:
        part = part._replace(sha256=sha256_of(part))
    return part


def _random(size: int, prefix: str) -> Iterator[Piece]:
    for offset in range(0, size, FILL_BLOCK_BYTES):
        block = hashlib.shake_128(f"{prefix}{offset // FILL_BLOCK_BYTES}".encode("ascii"))
        yield offset, block.digest(min(FILL_BLOCK_BYTES, size - offset))


def _member_pieces(member: TarMember) -> Iterator[Piece]:
    # A digest judges the bytes, whichever archive they were listed in.
    find = archive.listed_archive if member.sha256 is None else archive.open_archive
    opened = find(member.archive)
    if member.offset + member.size_bytes > opened.size_bytes:
        raise ManifestError(f"{shown(member.archive)} changed: {member.name} lies beyond its end")
    found = _archive_pieces(opened, member.offset, member.size_bytes)
    if member.sha256 is None:
        return found
    name = member.archive + b": " + member.name.encode("utf-8", "backslashreplace")
    return _checked(found, member.size_bytes, member.sha256, name)


def _archive_pieces(opened: archive.Archive, begin: int, size: int) -> Iterator[Piece]:
    for offset in range(0, size, host_file.PIECE_BYTES):
        yield offset, opened.read(begin + offset, min(host_file.PIECE_BYTES, size - offset))


def check_segments(content: Segments) -> None:
    """Raise ManifestError where pieces overlap or go past the end: a host file's size is known only now."""
    end = 0
    for at, part in content.parts:
        if at < end:
            raise ManifestError(f"the data at {at} begins inside the data before it, which ends at {end}")
        end = at + size_of(part)
        if end > content.size_bytes:
            raise ManifestError(f"the data at {at} ends at {end}, after the end at {content.size_bytes}")


def _segment_pieces(content: Segments) -> Iterator[Piece]:
    check_segments(content)
    for at, part in content.parts:
        for offset, piece in pieces(part):
            yield at + offset, piece


def _checked(found: Iterable[Piece], size: int, expected: bytes, path: bytes) -> Iterator[Piece]:
    digest = hashlib.sha256()
    end = 0
    for offset, piece in found:
        _hash_zeros(digest, offset - end)
        digest.update(piece)
        end = offset + len(piece)
        yield offset, piece
    _hash_zeros(digest, size - end)
    if digest.digest() != expected:
        raise wrong_digest(path, expected, digest.digest())


def _hash_zeros(digest: _Hash, count: int) -> None:
    while count > 0:
        step = min(count, len(_ZEROS))
        digest.update(_ZEROS if step == len(_ZEROS) else _ZEROS[:step])
        count -= step
