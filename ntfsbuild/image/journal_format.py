"""The rollback journal as bytes: its structures and its pieces.  specs/journal.md"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

from ntfsbuild.ondisk.layout import OnDisk, raw, u32, u64

SUFFIX = ".ntfsbuild-journal"
MAGIC = b"NBJOURNL"
SEAL_MAGIC = b"NBSEALED"
VERSION = 1
SECTOR_BYTES = 512  # Of the journal: the header and each seal have one to themselves.
PIECE_BYTES = 512  # Of the image: what a power cut leaves either old or new.
BLOCK_BYTES = 4096  # Of the image: what is saved and overwritten as a whole.
ENTRY_BYTES_MAX = 1 << 20


class JournalHeader(OnDisk, size=0x68):
    """The first sector: of which image this is the journal."""

    magic: bytes = raw(8, at=0x00, default=MAGIC)
    version: int = u32(at=0x08, default=VERSION)
    reserved: int = u32(at=0x0C, default=0)
    image_bytes: int = u64(at=0x10)
    window_offset: int = u64(at=0x18)
    window_bytes: int = u64(at=0x20)
    identity: bytes = raw(32, at=0x28)
    seal: bytes = raw(32, at=0x48, default=bytes(32))


class BatchSeal(OnDisk, size=0x58):
    """The sector before a batch; zeros until the batch is complete on the medium."""

    magic: bytes = raw(8, at=0x00, default=SEAL_MAGIC)
    number: int = u32(at=0x08)
    entry_count: int = u32(at=0x0C)
    body_bytes: int = u64(at=0x10)
    body_digest: bytes = raw(32, at=0x18)
    seal: bytes = raw(32, at=0x38, default=bytes(32))


class BatchEntry(OnDisk, size=0x10):
    """One saved region: checksums of what will be written there follow, then what was there."""

    offset: int = u64(at=0x00)
    size_bytes: int = u32(at=0x08)
    piece_count: int = u32(at=0x0C)


def sealed(structure: JournalHeader | BatchSeal, previous: bytes) -> bytes:
    """A header or seal as bytes, its last 32 the SHA-256 of what stands before and of its forerunner's."""
    content = structure.pack()[:-32]
    return content + hashlib.sha256(previous + content).digest()


def pieces(offset: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """The pieces of a region of the image, as begin and end within it; they meet where sectors do."""
    begin = 0
    end = PIECE_BYTES - offset % PIECE_BYTES
    while begin < size_bytes:
        yield begin, min(end, size_bytes)
        begin, end = end, end + PIECE_BYTES


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
