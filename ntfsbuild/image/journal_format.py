"""The rollback journal as bytes: its structures and its pieces.  specs/journal.md"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

from ntfsbuild.named_tuple import NamedTuple

SUFFIX = ".ntfsbuild-journal"
MAGIC = b"NBJOURNL"
SEAL_MAGIC = b"NBSEALED"
MARK_MAGIC = b"NBMARKED"
VERSION = 1
SECTOR_BYTES = 512  # Of the journal: the header and each seal have one to themselves.
PIECE_BYTES = 512  # Of the image: a power cut leaves it either old or new.
BLOCK_BYTES = 4096  # Of the image: it is saved and overwritten as a whole.
ENTRY_BYTES_MAX = 1 << 20
DIGEST_BYTES = 32

HEADER = struct.Struct("<8sI4xQQQ32s")
SEAL = struct.Struct("<8sIIQ32s")
ENTRY = struct.Struct("<QII")
MARK = struct.Struct("<8sI")
MARK_AT = 0x100  # In the first sector, behind the header.


class JournalHeader(NamedTuple):
    """The first sector: of which image this is the journal."""

    image_bytes: int
    window_offset: int
    window_bytes: int
    identity: bytes  # SHA-256 of the window's first sector.
    version: int = VERSION

    def pack(self) -> bytes:
        """As bytes, its own digest at their end."""
        return signed(
            HEADER.pack(
                MAGIC, self.version, self.image_bytes, self.window_offset, self.window_bytes, self.identity
            )
        )

    @classmethod
    def unpack(cls, data: bytes) -> JournalHeader | None:
        """The header that `data` begins with; None where its digest is another."""
        if not is_signed(data, HEADER.size):
            return None
        _, version, image_bytes, window_offset, window_bytes, identity = HEADER.unpack_from(data)
        return cls(image_bytes, window_offset, window_bytes, identity, version)


class BatchSeal(NamedTuple):
    """The sector before a batch; zeros until the batch is complete on the medium."""

    number: int
    entry_count: int
    body_bytes: int
    body_digest: bytes

    def pack(self, previous: bytes) -> bytes:
        """As bytes, at their end the digest of them and of its forerunner's digest."""
        fields = (self.number, self.entry_count, self.body_bytes, self.body_digest)
        return signed(SEAL.pack(SEAL_MAGIC, *fields), previous)

    @classmethod
    def unpack(cls, data: bytes, previous: bytes) -> BatchSeal | None:
        """The seal that `data` begins with; None where there is no such thing, or another's successor."""
        if not data.startswith(SEAL_MAGIC) or not is_signed(data, SEAL.size, previous):
            return None
        return cls(*SEAL.unpack_from(data)[1:])


class SealMark(NamedTuple):
    """In the first sector: the number of sealed batches, so that a lost seal is noticed."""

    sealed: int

    def pack(self, previous: bytes) -> bytes:
        """As bytes, at their end the digest of them and of the header's digest."""
        return signed(MARK.pack(MARK_MAGIC, self.sealed), previous)

    @classmethod
    def unpack(cls, data: bytes, previous: bytes) -> SealMark | None:
        """The mark that `data` begins with; None where it is broken."""
        if not data.startswith(MARK_MAGIC) or not is_signed(data, MARK.size, previous):
            return None
        return cls(MARK.unpack_from(data)[1])


class BatchEntry(NamedTuple):
    """One saved region: the checksums of its new content follow, then its old content."""

    offset: int
    size_bytes: int
    piece_count: int

    def pack(self) -> bytes:
        """As bytes."""
        return ENTRY.pack(*self)


def signed(content: bytes, previous: bytes = b"") -> bytes:
    """A structure, and the SHA-256 of its forerunner's digest and itself."""
    return content + hashlib.sha256(previous + content).digest()


def is_signed(data: bytes, size_bytes: int, previous: bytes = b"") -> bool:
    """Whether the digest behind a structure of that size is right."""
    return data[: size_bytes + DIGEST_BYTES] == signed(data[:size_bytes], previous)


def digest_of(data: bytes, size_bytes: int) -> bytes:
    """The digest behind a structure of that size."""
    return data[size_bytes : size_bytes + DIGEST_BYTES]


def pieces(offset: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """The pieces of a region of the image, as begin and end within it; they meet where sectors do."""
    begin = 0
    end = PIECE_BYTES - offset % PIECE_BYTES
    while begin < size_bytes:
        yield begin, min(end, size_bytes)
        begin, end = end, end + PIECE_BYTES


def piece_count(offset: int, size_bytes: int) -> int:
    """How many pieces a region of the image has."""
    return -(-(offset % PIECE_BYTES + size_bytes) // PIECE_BYTES)


def checksums(offset: int, data: bytes | bytearray) -> bytes:
    """The CRC-32 of each piece of `data`, which is to be written at `offset` of the image."""
    view = memoryview(data)
    sums = [zlib.crc32(view[begin:end]) for begin, end in pieces(offset, len(data))]
    return struct.pack(f"<{len(sums)}I", *sums)


def parse_checksums(data: bytes) -> tuple[int, ...]:
    """The numbers that `checksums` packed."""
    return struct.unpack(f"<{len(data) // 4}I", data)


def padding(body_bytes: int) -> int:
    """How many bytes are missing to the end of a sector."""
    return -body_bytes % SECTOR_BYTES
