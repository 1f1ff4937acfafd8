"""$Secure of a new volume: every distinct security descriptor once, with its id."""

from __future__ import annotations

import struct
from typing import NamedTuple

from ntfsbuild.ondisk import security
from ntfsbuild.ondisk.index import ViewEntry
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.security import SecurityEntry

HASH_ENTRY_PADDING = "II".encode("utf-16-le")  # What Windows leaves behind an $SDH entry.


class _Filed(NamedTuple):
    entry: SecurityEntry
    descriptor: bytes


class DescriptorStore:
    """Hands out ids from 0x100 on, in the order in which descriptors are first seen."""

    def __init__(self) -> None:
        self._ids: dict[bytes, int] = {}
        self._filed: list[_Filed] = []
        self._end = 0

    def id_of(self, descriptor: bytes) -> int:
        """The id of a descriptor, filed if it is new."""
        known = self._ids.get(descriptor)
        return self._file(descriptor) if known is None else known

    def _file(self, descriptor: bytes) -> int:
        security_id = security.FIRST_ID + len(self._filed)
        size = SecurityEntry.SIZE + len(descriptor)
        at = place_of_next(self._end, size)
        entry = SecurityEntry(
            hash=security.descriptor_hash(descriptor), security_id=security_id, offset=at, size_bytes=size
        )
        self._ids[descriptor] = security_id
        self._filed.append(_Filed(entry, descriptor))
        self._end = at + size
        return security_id

    def stream(self) -> bytes:
        """The value of $SDS: blocks of entries, each followed by a block that repeats it."""
        data = bytearray(self._end + security.BLOCK_BYTES)
        for entry, descriptor in self._filed:
            piece = entry.pack() + descriptor
            for at in (entry.offset, entry.offset + security.BLOCK_BYTES):
                data[at : at + len(piece)] = piece
        return bytes(data)

    def entries_by_hash(self) -> list[bytes]:
        """The entries of $SDH, sorted by hash and id."""
        filed = sorted(self._filed, key=lambda one: (one.entry.hash, one.entry.security_id))
        return [
            view_entry(
                struct.pack("<II", entry.hash, entry.security_id), entry.pack(), padding=HASH_ENTRY_PADDING
            )
            for entry, _ in filed
        ]

    def entries_by_id(self) -> list[bytes]:
        """The entries of $SII, sorted by id."""
        return [view_entry(struct.pack("<I", entry.security_id), entry.pack()) for entry, _ in self._filed]


def place_of_next(end: int, size_bytes: int) -> int:
    """Where in $SDS an entry goes that follows one which ends at `end`."""
    at = align(end, 16)
    if at % security.BLOCK_BYTES + size_bytes > security.BLOCK_BYTES:
        # An entry never crosses into the block of mirrors; it goes behind that.
        return align(at, security.BLOCK_BYTES) + security.BLOCK_BYTES
    if at and at % security.BLOCK_BYTES == 0:
        return at + security.BLOCK_BYTES
    return at


def view_entry(key: bytes, data: bytes, *, padding: bytes = b"") -> bytes:
    """A whole leaf entry of a view index; `padding` is what fills its end."""
    data_offset = align(ViewEntry.SIZE + len(key), 4)
    length = align(data_offset + len(data), 8)
    head = ViewEntry(
        data_offset=data_offset, data_bytes=len(data), length_bytes=length, key_bytes=len(key), flags=0
    )
    entry = (head.pack() + key).ljust(data_offset, b"\0") + data
    return (entry + padding).ljust(length, b"\0")[:length]
