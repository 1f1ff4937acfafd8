"""Security descriptors, and their storage in $Secure ($SDS, $SDH, $SII).  specs/ondisk/security.md"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import security_descriptor as sd
from ntfsbuild.ondisk.layout import OnDisk, u32, u64
from ntfsbuild.ondisk.security_descriptor import Acl, Descriptor, Entry

FIRST_ID = 0x100
BLOCK_BYTES = 0x40000  # $SDS alternates blocks of entries and their mirrors.

FULL_CONTROL = 0x1F01FF
READ = 0x120089
READ_WRITE = 0x12019F


class SecurityEntry(OnDisk, size=0x14):
    """The header of an $SDS entry; also the data of the entries of $SDH and $SII."""

    hash: int = u32(at=0x00)
    security_id: int = u32(at=0x04)
    offset: int = u64(at=0x08)  # Of the primary copy in $SDS, in the mirror too.
    size_bytes: int = u32(at=0x10)  # This header included.


class Ace(NamedTuple):
    """An access-allowed entry: flags, access mask, SID as bytes."""

    flags: int
    mask: int
    sid: bytes


def sid(authority: int, *sub_authorities: int) -> bytes:
    """A SID as bytes; the authority alone is big-endian."""
    head = struct.pack(">BBHI", 1, len(sub_authorities), authority >> 32, authority & 0xFFFFFFFF)
    return head + struct.pack(f"<{len(sub_authorities)}I", *sub_authorities)


EVERYONE = sid(1, 0)
SYSTEM = sid(5, 18)
ADMINISTRATORS = sid(5, 32, 544)


def descriptor(owner: bytes, group: bytes, aces: Sequence[Ace], *, control: int = 0) -> bytes:
    """A self-relative security descriptor in Windows' order: DACL, owner, group."""
    entries = tuple(Entry(sd.ALLOW, ace.flags, ace.mask, ace.sid) for ace in aces)
    return sd.pack(Descriptor(control | sd.DACL_PRESENT, owner, group, Acl(entries)))


def _system_descriptor(mask: int) -> bytes:
    return descriptor(ADMINISTRATORS, ADMINISTRATORS, [Ace(0, mask, SYSTEM), Ace(0, mask, ADMINISTRATORS)])


# What Windows gives its own files; ids 0x100 and 0x101 on every volume.
SYSTEM_READ = _system_descriptor(READ)
SYSTEM_READ_WRITE = _system_descriptor(READ_WRITE)

_TO_ALL = sd.OBJECT_INHERIT | sd.CONTAINER_INHERIT

# What Windows gives the root of a removable disk, and what files and directories inherit from it.
ROOT = descriptor(ADMINISTRATORS, ADMINISTRATORS, [Ace(_TO_ALL, FULL_CONTROL, EVERYONE)])
DEFAULT_DIRECTORY = descriptor(
    ADMINISTRATORS,
    ADMINISTRATORS,
    [Ace(_TO_ALL | sd.INHERITED, FULL_CONTROL, EVERYONE)],
    control=sd.DACL_AUTO_INHERITED,
)
DEFAULT_FILE = descriptor(
    ADMINISTRATORS,
    ADMINISTRATORS,
    [Ace(sd.INHERITED, FULL_CONTROL, EVERYONE)],
    control=sd.DACL_AUTO_INHERITED,
)


def descriptor_hash(data: bytes) -> int:
    """The hash that $SDH sorts by: rotate left by three, add the next 32-bit word."""
    value = 0
    for (word,) in struct.iter_unpack("<I", data + bytes(-len(data) % 4)):
        value = ((value << 3 | value >> 29) + word) & 0xFFFFFFFF
    return value
