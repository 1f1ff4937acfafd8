"""$Quota of a new volume: the first entries, as Windows and mkntfs write them."""

from __future__ import annotations

import struct

from ntfsbuild.ondisk import security
from ntfsbuild.volume.write.descriptors import view_entry

_DEFAULT_LIMITS = 1
_DEFAULTS_ID = 1
_FIRST_OWNER_ID = 0x100
_NO_LIMIT = -1

# Version, flags, bytes used, time, threshold, limit, time when the limit was passed.
_control = struct.Struct("<IIQQqqQ")


def entries_by_owner(created_ticks: int) -> list[bytes]:
    """The entries of $Q: the defaults, and the quota of the Administrators."""
    control = _control.pack(2, _DEFAULT_LIMITS, 0, created_ticks, _NO_LIMIT, _NO_LIMIT, 0)
    return [
        view_entry(struct.pack("<I", _DEFAULTS_ID), control),
        view_entry(struct.pack("<I", _FIRST_OWNER_ID), control + security.ADMINISTRATORS),
    ]


def entries_by_sid() -> list[bytes]:
    """The entries of $O: the owner id of the Administrators."""
    data = struct.pack("<I", _FIRST_OWNER_ID)
    # Windows repeats the data's offset behind it.
    return [view_entry(security.ADMINISTRATORS, data, padding=struct.pack("<I", 0x20))]
