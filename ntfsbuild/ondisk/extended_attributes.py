"""$EA and $EA_INFORMATION: extended attributes, as in OS/2.  specs/ondisk/extended_attributes.md"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk.layout import OnDisk, align, u8, u16, u32

Entry: TypeAlias = tuple[str | bytes, bytes, int]  # Name, value, flags.

NEED_EA = 0x80  # A program that does not understand this one must not open the file.

MAX_NAME_BYTES = 255
MAX_VALUE_BYTES = 0xFFFF
MAX_BYTES = 0x10000  # Of all entries together; what OS/2 counts is then less than 64 KiB, too.

_PACKED_HEAD_BYTES = 5  # As OS/2 counts: flags, length of the name, of the value, and the name's NUL.

_ILLEGAL = '\\/:*?"<>|,+=[];'  # And control characters: as in an 8.3 name.

_illegal = re.compile(b"[\x00-\x1f\x7f" + re.escape(_ILLEGAL.encode()) + b"]")


class EaInformation(OnDisk, size=0x08):
    """The value of $EA_INFORMATION."""

    packed_bytes: int = u16(at=0x00)
    need_count: int = u16(at=0x02)
    unpacked_bytes: int = u32(at=0x04)


class EaEntry(OnDisk, size=0x08):
    """The header of an entry of $EA; name, NUL, value and padding follow."""

    next_offset: int = u32(at=0x00)  # From this entry to the next: its length.
    flags: int = u8(at=0x04)
    name_bytes: int = u8(at=0x05)
    value_bytes: int = u16(at=0x06)


def name_bytes(name: str | bytes) -> bytes:
    """The stored bytes of a name, with its case kept."""
    return name if isinstance(name, bytes) else name.encode("latin-1")


def windows_name(name: str | bytes) -> bytes:
    """A name in upper case, as Windows stores it: its programs find no other."""
    return name_bytes(name).upper()


def pack(entries: Sequence[Entry]) -> bytes:
    """The value of $EA, in the given order; empty without entries."""
    packed = b"".join(_pack_one(*entry) for entry in entries)
    problem = _too_large(packed)
    if problem:
        raise ValueError(problem)
    return packed


def _pack_one(name: str | bytes, value: bytes, flags: int) -> bytes:
    stored = name_bytes(name)
    if not 1 <= len(stored) <= MAX_NAME_BYTES or len(value) > MAX_VALUE_BYTES or not 0 <= flags <= 0xFF:
        raise ValueError(_what_is_wrong_with(name, value, flags))
    length = align(EaEntry.SIZE + len(stored) + 1 + len(value), 4)
    # The last entry has its length too: so do Windows, ntfs-3g and ntfs3.
    head = EaEntry(next_offset=length, flags=flags, name_bytes=len(stored), value_bytes=len(value))
    return (head.pack() + stored + b"\0" + value).ljust(length, b"\0")


def unpack(data: bytes) -> list[tuple[str, bytes, int]]:
    """The entries of an $EA; raises CorruptVolume if their lengths are wrong."""
    return [(head_name.decode("latin-1"), value, flags) for head_name, value, flags in _walk(data)]


def _walk(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    at = 0
    while at < len(data):
        head = EaEntry.unpack(data, at)
        name_at = at + EaEntry.SIZE
        value_at = name_at + head.name_bytes + 1
        end = value_at + head.value_bytes
        following = at + head.next_offset if head.next_offset else len(data)
        if end > following or following > len(data):
            raise CorruptVolume(
                f"$EA: the entry at {at:#x} ends at {end:#x}, the next begins at {following:#x} "
                f"of {len(data):#x}"
            )
        if not head.name_bytes or data[value_at - 1]:
            raise CorruptVolume(f"$EA: the entry at {at:#x} has no name with a NUL behind it")
        yield data[name_at : value_at - 1], data[value_at:end], head.flags
        at = following


def information(packed: bytes) -> bytes:
    """The value of $EA_INFORMATION that belongs to that $EA."""
    entries = list(_walk(packed))
    return EaInformation(
        packed_bytes=sum(_PACKED_HEAD_BYTES + len(name) + len(value) for name, value, _ in entries),
        need_count=sum(bool(flags & NEED_EA) for _, _, flags in entries),
        unpacked_bytes=len(packed),
    ).pack()


def what_is_wrong(entries: Sequence[Entry]) -> str | None:
    """Why Windows would refuse these entries, as a message; None if it would not."""
    seen: set[bytes] = set()
    for name, value, flags in entries:
        problem = _what_is_wrong_with(name, value, flags)
        if problem:
            return problem
        if windows_name(name) in seen:
            return f"{_shown(name)} is there twice: upper and lower case are the same to Windows"
        seen.add(windows_name(name))
    return _too_large(b"".join(_pack_one(*entry) for entry in entries))


def _what_is_wrong_with(name: str | bytes, value: bytes, flags: int) -> str | None:
    if not name:
        return "the name of an extended attribute cannot be empty"
    if len(name) > MAX_NAME_BYTES:
        return f"the name has {len(name)} bytes, {MAX_NAME_BYTES} are allowed"
    if not name.isascii() or _illegal.search(name_bytes(name)):
        return f"{_shown(name)}: such a name is ASCII, and has none of {_ILLEGAL}"
    if len(value) > MAX_VALUE_BYTES:
        return f"{_shown(name)} has {len(value)} bytes, {MAX_VALUE_BYTES} are allowed"
    if flags not in (0, NEED_EA):
        return f"{_shown(name)}: the flags are 0 or {NEED_EA:#x}, not {flags:#x}"
    return None


def _too_large(packed: bytes) -> str | None:
    if len(packed) > MAX_BYTES:
        return f"the extended attributes have {len(packed)} bytes, {MAX_BYTES} are allowed"
    return None


def _shown(name: str | bytes) -> str:
    return repr(name if isinstance(name, str) else name.decode("latin-1"))
