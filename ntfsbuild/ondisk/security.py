"""Security descriptors, and how $Secure files them ($SDS, $SDH, $SII).  specs/ondisk/security.md"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from ntfsbuild.ondisk.layout import OnDisk, u32, u64

FIRST_ID = 0x100
BLOCK_BYTES = 0x40000  # $SDS alternates blocks of entries and their mirrors.

_SELF_RELATIVE = 0x8000
_DACL_PRESENT = 0x0004
_DACL_AUTO_INHERITED = 0x0400

_ALLOW = 0
_OBJECT_INHERIT = 0x01
_CONTAINER_INHERIT = 0x02
_INHERITED = 0x10

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
    entries = b"".join(
        struct.pack("<BBHI", _ALLOW, ace.flags, 8 + len(ace.sid), ace.mask) + ace.sid for ace in aces
    )
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(entries), len(aces), 0) + entries
    head_bytes = 20
    owner_at = head_bytes + len(acl)
    control |= _SELF_RELATIVE | _DACL_PRESENT
    head = struct.pack("<BBHIIII", 1, 0, control, owner_at, owner_at + len(owner), 0, head_bytes)
    return head + acl + owner + group


def _system_descriptor(mask: int) -> bytes:
    return descriptor(ADMINISTRATORS, ADMINISTRATORS, [Ace(0, mask, SYSTEM), Ace(0, mask, ADMINISTRATORS)])


# What Windows gives its own files; ids 0x100 and 0x101 on every volume.
SYSTEM_READ = _system_descriptor(READ)
SYSTEM_READ_WRITE = _system_descriptor(READ_WRITE)

# What Windows gives the root of a removable disk, and what files and directories inherit from it.
ROOT = descriptor(
    ADMINISTRATORS, ADMINISTRATORS, [Ace(_OBJECT_INHERIT | _CONTAINER_INHERIT, FULL_CONTROL, EVERYONE)]
)
DEFAULT_DIRECTORY = descriptor(
    ADMINISTRATORS,
    ADMINISTRATORS,
    [Ace(_OBJECT_INHERIT | _CONTAINER_INHERIT | _INHERITED, FULL_CONTROL, EVERYONE)],
    control=_DACL_AUTO_INHERITED,
)
DEFAULT_FILE = descriptor(
    ADMINISTRATORS, ADMINISTRATORS, [Ace(_INHERITED, FULL_CONTROL, EVERYONE)], control=_DACL_AUTO_INHERITED
)


def descriptor_hash(data: bytes) -> int:
    """The hash that $SDH sorts by: rotate left by three, add the next 32-bit word."""
    value = 0
    for (word,) in struct.iter_unpack("<I", data + bytes(-len(data) % 4)):
        value = ((value << 3 | value >> 29) + word) & 0xFFFFFFFF
    return value
