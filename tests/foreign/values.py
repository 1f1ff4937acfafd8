"""Values as the disk has them, by the specifications of Microsoft: descriptors and EAs."""

from __future__ import annotations

import struct

SIDS = {
    "BA": "01020000000000052000000020020000",
    "SY": "010100000000000512000000",
    "WD": "010100000000000100000000",
}


def descriptor(control: int, owner: str, group: str, aces: list[tuple[int, int, int, str]] | None) -> bytes:
    """As Windows lays it out: the ACL before the owner and the group."""
    packed = b""
    for kind, flags, mask, sid in aces or []:
        raw = bytes.fromhex(SIDS.get(sid, sid))
        packed += struct.pack("<BBHI", kind, flags, 8 + len(raw), mask) + raw
    acl = b"" if aces is None else struct.pack("<BBHHH", 2, 0, 8 + len(packed), len(aces), 0) + packed
    one, two = bytes.fromhex(SIDS[owner]), bytes.fromhex(SIDS[group])
    at = 20 + len(acl)
    head = struct.pack("<BBH4I", 1, 0, 0x8000 | control, at, at + len(one), 0, 20 if acl else 0)
    return head + acl + one + two


FA, FR, USER = 0x1F01FF, 0x120089, "010500000000000515000000010000000200000003000000"


def ea_list(data: bytes) -> dict[str, tuple[int, bytes]]:
    """FILE_FULL_EA_INFORMATION: flags and value by name."""
    found, at = {}, 0
    while at < len(data):
        step, flags, units, size = struct.unpack_from("<IBBH", data, at)
        value_at = at + 8 + units + 1
        found[data[at + 8 : at + 8 + units].decode()] = (flags, data[value_at : value_at + size])
        assert not step or (step >= value_at + size - at and step % 4 == 0)
        at += step or len(data)
    return found
