"""GUIDs: sixteen bytes whose first three groups Windows stores as little-endian numbers."""

from __future__ import annotations

import re

BYTES = 16

_form = re.compile(
    r"(\{)?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})(?(1)\})",
    re.IGNORECASE | re.ASCII,
)


def parse(text: str) -> bytes:
    """The bytes of a GUID as Windows stores them; braces around it are allowed."""
    found = _form.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a GUID: 00112233-4455-6677-8899-aabbccddeeff")
    groups = [bytes.fromhex(group) for group in found.groups()[1:]]
    return b"".join(group[::-1] for group in groups[:3]) + groups[3] + groups[4]


def text(data: bytes) -> str:
    """A GUID as it is written, in lower case and without braces."""
    if len(data) != BYTES:
        raise ValueError(f"a GUID has {BYTES} bytes, not {len(data)}")
    groups = (data[3::-1], data[5:3:-1], data[7:5:-1], data[8:10], data[10:])
    return "-".join(group.hex() for group in groups)
