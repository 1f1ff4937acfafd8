"""Entries of $SDS and of the indexes of $Secure: their offsets, and the end of the stream."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from ntfsbuild.ondisk import security
from ntfsbuild.ondisk.index import ViewEntry
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.security import SecurityEntry

HASH_ENTRY_PADDING = "II".encode("utf-16-le")  # What Windows leaves behind an $SDH entry.


_UNIT = 16  # Entries begin at multiples of it.
_LARGEST_READ = 0x10010  # By ntfssecaudit.
_SMALLEST_FILLER = 96


def place_of_next(end: int, size_bytes: int) -> int:
    """Where in $SDS an entry goes that follows one which ends at `end`."""
    at = align(end, _UNIT)
    if at % security.BLOCK_BYTES + size_bytes > security.BLOCK_BYTES:
        # An entry never crosses into the block of mirrors; it goes behind that.
        return align(at, security.BLOCK_BYTES) + security.BLOCK_BYTES
    if at and at % security.BLOCK_BYTES == 0:
        return at + security.BLOCK_BYTES
    return at


def is_misread(entries: Sequence[SecurityEntry], word_at: Callable[[int], bytes]) -> bool:
    """Whether ntfssecaudit finds fault with the end of the stream, where there is none.

    It reads the head of the next entry together with an entry.  Behind the last one there is nothing to
    read: it looks at what its buffer still holds of the last entry that reached so far, and takes it for
    an entry unless the place of the size holds 0, or a size for which there is nothing to read either.
    `entries` are in their order, `word_at(at)` is four bytes of the stream.
    """
    size_at = align(entries[-1].size_bytes, _UNIT) + SecurityEntry.offset_of("size_bytes")
    for one in reversed(entries[:-1]):
        if align(one.size_bytes, _UNIT) >= align(entries[-1].size_bytes, _UNIT):
            size = int.from_bytes(word_at(one.offset + security.BLOCK_BYTES + size_at), "little")
            return size != 0 and not SecurityEntry.SIZE < size <= _LARGEST_READ
    return False  # It still holds the zeros behind the first copy.


def fillers(last: SecurityEntry) -> Iterator[bytes]:
    """Unused descriptors, any of which makes the end readable; if it is too small, two of them.

    They are as long as the last entry: what ntfssecaudit then finds in its buffer is their own head.
    """
    size = max(align(last.size_bytes, _UNIT), _SMALLEST_FILLER) - SecurityEntry.SIZE
    owner = security.SYSTEM
    for mask in range(1, 0x200):
        ace = struct.pack("<BBHI", 0, 0, 8 + len(owner), mask) + owner
        acl_bytes = size - 20 - 2 * len(owner)
        acl = struct.pack("<BBHHH", 2, 0, acl_bytes, 1, 0) + ace
        owner_at = 20 + acl_bytes
        head = struct.pack("<BBHIIII", 1, 0, 0x8004, owner_at, owner_at + len(owner), 0, 20)
        yield head + acl.ljust(acl_bytes, b"\0") + 2 * owner


def hash_entry(entry: SecurityEntry) -> bytes:
    """The entry of $SDH."""
    key = struct.pack("<II", entry.hash, entry.security_id)
    return view_entry(key, entry.pack(), padding=HASH_ENTRY_PADDING)


def id_entry(entry: SecurityEntry) -> bytes:
    """The entry of $SII."""
    return view_entry(struct.pack("<I", entry.security_id), entry.pack())


def view_entry(key: bytes, data: bytes, *, padding: bytes = b"") -> bytes:
    """A whole leaf entry of a view index; `padding` is what fills its end."""
    data_offset = align(ViewEntry.SIZE + len(key), 4)
    length = align(data_offset + len(data), 8)
    head = ViewEntry(
        data_offset=data_offset, data_bytes=len(data), length_bytes=length, key_bytes=len(key), flags=0
    )
    entry = (head.pack() + key).ljust(data_offset, b"\0") + data
    return (entry + padding).ljust(length, b"\0")[:length]
