"""GUIDs, and the object ids that are made of one or of four."""

from __future__ import annotations

from typing import Final

from ntfsbuild.manifest.node import Node
from ntfsbuild.manifest.values import Values
from ntfsbuild.manifest.words import shown
from ntfsbuild.ondisk import guid, object_id

_PARTS: Final = ("id", "birth_volume", "birth_object", "domain")  # In the order on the disk.


def parse_guid(text: str) -> bytes:
    """The bytes of a GUID, with or without braces."""
    try:
        return guid.parse(text)
    except ValueError:
        example = "6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11"
        raise ValueError(f"{shown(text)} is not a GUID ({example})") from None


def read_object_id(values: Values, node: Node) -> bytes | None:
    """The value under `object_id`: 16 bytes for an id alone, else 64; no bytes for null."""
    if not values.has(node, "object_id"):
        return None
    value = values.child(node, "object_id")
    if value.data is None:
        return b""
    if isinstance(value.data, str):
        return values.parse(value, _parse_id)
    first = values.read(value, "id", _parse_id)
    others = [values.read(value, key, parse_guid) or bytes(guid.BYTES) for key in _PARTS[1:]]
    return None if first is None else first + b"".join(others)


def _parse_id(text: str) -> bytes:
    value = parse_guid(text)
    if problem := object_id.what_is_wrong(value):
        raise ValueError(problem)
    return value
