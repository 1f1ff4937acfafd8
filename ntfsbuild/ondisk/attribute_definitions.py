"""$AttrDef: the table of attribute types.  specs/ondisk/attribute_definitions.md"""

from __future__ import annotations

import functools
import struct

from ntfsbuild.ondisk import attribute

_INDEXABLE = 0x02
_MUST_BE_RESIDENT = 0x40
_MAY_BE_NON_RESIDENT = 0x80
_NO_LIMIT = -1

# Name (64 code units), type, display rule, collation, flags, smallest and largest value in bytes.
_ENTRY = struct.Struct("<128sIIIIqq")

_ROWS = [
    (attribute.STANDARD_INFORMATION, _MUST_BE_RESIDENT, 48, 72),
    (attribute.ATTRIBUTE_LIST, _MAY_BE_NON_RESIDENT, 0, _NO_LIMIT),
    (attribute.FILE_NAME, _MUST_BE_RESIDENT | _INDEXABLE, 68, 578),
    (attribute.OBJECT_ID, _MUST_BE_RESIDENT, 0, 256),
    (attribute.SECURITY_DESCRIPTOR, _MAY_BE_NON_RESIDENT, 0, _NO_LIMIT),
    (attribute.VOLUME_NAME, _MUST_BE_RESIDENT, 2, 256),
    (attribute.VOLUME_INFORMATION, _MUST_BE_RESIDENT, 12, 12),
    (attribute.DATA, 0, 0, _NO_LIMIT),
    (attribute.INDEX_ROOT, _MUST_BE_RESIDENT, 0, _NO_LIMIT),
    (attribute.INDEX_ALLOCATION, _MAY_BE_NON_RESIDENT, 0, _NO_LIMIT),
    (attribute.BITMAP, _MAY_BE_NON_RESIDENT, 0, _NO_LIMIT),
    (attribute.REPARSE_POINT, _MAY_BE_NON_RESIDENT, 0, 16384),
    (attribute.EA_INFORMATION, _MUST_BE_RESIDENT, 8, 8),
    (attribute.EA, 0, 0, 65536),
    (attribute.LOGGED_UTILITY_STREAM, _MAY_BE_NON_RESIDENT, 0, 65536),
]

TABLE_BYTES = (len(_ROWS) + 1) * _ENTRY.size


@functools.cache
def table() -> bytes:
    """The 2560 bytes of $AttrDef; an entry of zeros ends it."""
    entries = [
        _ENTRY.pack(attribute.TYPE_NAMES[code].encode("utf-16-le"), code, 0, 0, flags, smallest, largest)
        for code, flags, smallest, largest in _ROWS
    ]
    return b"".join(entries) + bytes(_ENTRY.size)
