"""Packs and unpacks security descriptors: owner, group, DACL and SACL.

`specs/ondisk/security.md` has the layout.  Damaged descriptors raise ValueError.
"""

from __future__ import annotations

import struct

from ntfsbuild.named_tuple import NamedTuple

SELF_RELATIVE = 0x8000
DACL_PRESENT, SACL_PRESENT = 0x0004, 0x0010
DACL_INHERIT_REQUESTED, SACL_INHERIT_REQUESTED = 0x0100, 0x0200
DACL_AUTO_INHERITED, SACL_AUTO_INHERITED = 0x0400, 0x0800
DACL_PROTECTED, SACL_PROTECTED = 0x1000, 0x2000

OBJECT_INHERIT, CONTAINER_INHERIT, NO_PROPAGATE, INHERIT_ONLY, INHERITED = 0x01, 0x02, 0x04, 0x08, 0x10

ALLOW, DENY, AUDIT = 0x00, 0x01, 0x02
CALLBACK_KINDS = frozenset({0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10})
MANDATORY_LABEL, RESOURCE_ATTRIBUTE, SCOPED_POLICY, TRUST_LABEL, ACCESS_FILTER = 0x11, 0x12, 0x13, 0x14, 0x15
OBJECT_KINDS = frozenset({0x05, 0x06, 0x07, 0x08, 0x0B, 0x0C, 0x0F, 0x10})
# A mask and one SID, GUIDs between them in object entries; 4 has two SIDs, and nobody knows more.
KNOWN_KINDS = frozenset(range(0x16)) - {0x04}

LARGEST_BYTES = 0xFFEC  # With its head in $SDS 64 KiB, which is what ntfs-3g reads at most.
MOST_SUB_AUTHORITIES = 15

_HEAD = struct.Struct("<BBHIIII")
_ACL = struct.Struct("<BBHHH")
_ACE = struct.Struct("<BBH")
_MASK = struct.Struct("<I")
_GUID_BYTES = 16
_OBJECT_TYPE, _INHERITED_TYPE = 1, 2  # Which of the two GUIDs an object entry has.


class Entry(NamedTuple):
    """An access control entry (ACE); for an unknown type, `data` is all bytes after its header."""

    kind: int
    flags: int
    mask: int
    sid: bytes
    object_type: bytes = b""
    inherited_type: bytes = b""
    data: bytes = b""  # Behind the SID: a condition, a claim.


class Acl(NamedTuple):
    """An ACL; `revision` 0 stands for the lowest revision that its entries allow."""

    entries: tuple[Entry, ...]
    revision: int = 0


class Descriptor(NamedTuple):
    """A descriptor; `dacl` None with DACL_PRESENT in `control` is a NULL DACL, which allows everything."""

    control: int
    owner: bytes = b""
    group: bytes = b""
    dacl: Acl | None = None
    sacl: Acl | None = None


# ---------------------------------------------------------------------- to bytes


def pack(descriptor: Descriptor) -> bytes:
    """A self-relative descriptor in Windows' order: SACL, DACL, owner, group."""
    parts = (
        pack_acl(descriptor.sacl) if descriptor.sacl is not None else b"",
        pack_acl(descriptor.dacl) if descriptor.dacl is not None else b"",
        descriptor.owner,
        descriptor.group,
    )
    offsets, at = [], _HEAD.size
    for part in parts:
        offsets.append(at if part else 0)
        at += len(part)
    if at > LARGEST_BYTES:
        raise ValueError(f"the descriptor has {at} bytes, at most {LARGEST_BYTES} are possible")
    sacl, dacl, owner, group = offsets
    control = descriptor.control | SELF_RELATIVE
    return _HEAD.pack(1, 0, control, owner, group, sacl, dacl) + b"".join(parts)


def pack_acl(acl: Acl) -> bytes:
    """A list of entries as bytes."""
    entries = b"".join(map(pack_entry, acl.entries))
    size = _ACL.size + len(entries)
    if size > 0xFFFF:
        raise ValueError(f"a list of entries has {size} bytes, at most {0xFFFF} are possible")
    smallest = 4 if any(entry.kind in OBJECT_KINDS for entry in acl.entries) else 2
    return _ACL.pack(acl.revision or smallest, 0, size, len(acl.entries), 0) + entries


def pack_entry(entry: Entry) -> bytes:
    """An entry as bytes, a multiple of four."""
    body = entry.data
    if entry.kind in KNOWN_KINDS:
        guids = b""
        if entry.kind in OBJECT_KINDS:
            there = _OBJECT_TYPE * bool(entry.object_type) | _INHERITED_TYPE * bool(entry.inherited_type)
            guids = _MASK.pack(there) + entry.object_type + entry.inherited_type
        body = _MASK.pack(entry.mask) + guids + entry.sid + entry.data
    body += bytes(-len(body) % 4)
    size = _ACE.size + len(body)
    if size > 0xFFFF:
        raise ValueError(f"an entry has {size} bytes, at most {0xFFFF} are possible")
    return _ACE.pack(entry.kind, entry.flags, size) + body


# ---------------------------------------------------------------------- from bytes


def unpack(data: bytes) -> Descriptor:
    """An unpacked self-relative descriptor; raises ValueError if it is damaged."""
    if len(data) < _HEAD.size:
        raise ValueError(f"{len(data)} bytes, a descriptor has {_HEAD.size} at least")
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"{len(data)} bytes, a descriptor has {LARGEST_BYTES} at most")
    revision, _, control, owner, group, sacl, dacl = _HEAD.unpack_from(data)
    if revision != 1:
        raise ValueError(f"revision {revision}, expected 1")
    if not control & SELF_RELATIVE:
        raise ValueError(f"control {control:#06x} lacks {SELF_RELATIVE:#06x}: it is not self-relative")
    for what, at in (("owner", owner), ("group", group), ("SACL", sacl), ("DACL", dacl)):
        if at and (at < _HEAD.size or at % 4 or at >= len(data)):
            raise ValueError(f"the {what} at {at:#x}: not a multiple of 4 inside of {len(data):#x} bytes")
    if dacl and not control & DACL_PRESENT:
        raise ValueError(f"a DACL at {dacl:#x}, but control {control:#06x} lacks {DACL_PRESENT:#06x}")
    if sacl and not control & SACL_PRESENT:
        raise ValueError(f"a SACL at {sacl:#x}, but control {control:#06x} lacks {SACL_PRESENT:#06x}")
    return Descriptor(
        control,
        _sid_at(data, owner, len(data), "owner") if owner else b"",
        _sid_at(data, group, len(data), "group") if group else b"",
        _acl_at(data, dacl, "DACL") if dacl else None,
        _acl_at(data, sacl, "SACL") if sacl else None,
    )


def what_is_wrong(data: bytes) -> str | None:
    """Why these bytes are no valid self-relative descriptor, or None."""
    if len(data) % 4:
        return f"{len(data)} bytes, not a multiple of 4"
    try:
        unpack(data)
    except ValueError as error:
        return str(error)
    return None


def sid_bytes(data: bytes, at: int, end: int) -> int:
    """The length of the SID at `at`; raises ValueError if there is none."""
    if at + 8 > end:
        raise ValueError(f"at {at:#x} a SID has no room")
    if data[at] != 1 or data[at + 1] > MOST_SUB_AUTHORITIES:
        raise ValueError(f"at {at:#x} a SID of revision {data[at]} with {data[at + 1]} sub-authorities")
    size = 8 + 4 * data[at + 1]
    if at + size > end:
        raise ValueError(f"the SID at {at:#x} ends at {at + size:#x}, behind {end:#x}")
    return size


def _sid_at(data: bytes, at: int, end: int, what: str) -> bytes:
    try:
        return data[at : at + sid_bytes(data, at, end)]
    except ValueError as error:
        raise ValueError(f"the {what}: {error}") from None


def _acl_at(data: bytes, at: int, what: str) -> Acl:
    if at + _ACL.size > len(data):
        raise ValueError(f"the {what} at {at:#x} has no room for its head")
    revision, _, size, count, _ = _ACL.unpack_from(data, at)
    end = at + size
    if revision not in (2, 4):
        raise ValueError(f"the {what} at {at:#x} has revision {revision}, expected 2 or 4")
    if size < _ACL.size or end > len(data):
        raise ValueError(f"the {what} at {at:#x} has {size} bytes, {len(data) - at} are there")
    entries, at = [], at + _ACL.size
    for number in range(1, count + 1):
        try:
            entry, at = _entry_at(data, at, end)
        except ValueError as error:
            raise ValueError(f"the {what}, entry {number}: {error}") from None
        entries.append(entry)
    return Acl(tuple(entries), revision)


def _entry_at(data: bytes, at: int, end: int) -> tuple[Entry, int]:
    if at + _ACE.size > end:
        raise ValueError(f"at {at:#x} there is no room for it")
    kind, flags, size = _ACE.unpack_from(data, at)
    after = at + size
    if size < _ACE.size or size % 4 or after > end:
        raise ValueError(f"at {at:#x} {size} bytes: not a multiple of 4 that ends before {end:#x}")
    at += _ACE.size
    if kind not in KNOWN_KINDS:
        return Entry(kind, flags, 0, b"", data=data[at:after]), after
    if at + 4 > after:
        raise ValueError(f"it ends at {after:#x}, in its mask")
    mask = int.from_bytes(data[at : at + 4], "little")
    at += 4
    guids = [b"", b""]
    if kind in OBJECT_KINDS:
        there = int.from_bytes(data[at : at + 4], "little")
        if there > (_OBJECT_TYPE | _INHERITED_TYPE):
            raise ValueError(f"unknown flags {there:#x} of an object entry")
        at += 4
        for place, bit in enumerate((_OBJECT_TYPE, _INHERITED_TYPE)):
            if there & bit:
                guids[place] = data[at : at + _GUID_BYTES]
                at += _GUID_BYTES
    size = sid_bytes(data, at, after)
    return Entry(kind, flags, mask, data[at : at + size], guids[0], guids[1], data[at + size : after]), after
