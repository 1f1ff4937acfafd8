"""Differences between volumes as text and as data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from ntfsbuild.builder.differences import Difference, FieldChange
from ntfsbuild.ondisk import object_id, reparse_point
from ntfsbuild.ondisk.file_attributes import attribute_names
from ntfsbuild.report.traits import ea_data, efs_data, security_data
from ntfsbuild.report.words import escaped, exact_time, size_text

_SIGNS = {"added": "+", "removed": "-", "changed": "!"}
_SIZES = ("content", "streams.")
_SHOWN_BYTES = 32
_DECODERS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "reparse": reparse_point.decode,
    "ea": ea_data,
    "object_id": object_id.decode,
    "efs": efs_data,
}
_TIMES = ("entry_times", "name_times")


def difference_data(difference: Difference) -> dict[str, Any]:
    """One difference as JSON's types."""
    data: dict[str, Any] = {
        "path": difference.path or None,
        "kind": difference.kind,
        "type": "directory" if difference.is_directory else "file",
    }
    if difference.kind == "changed":
        data["changes"] = [_change_data(change) for change in difference.changes]
    return data


def _change_data(change: FieldChange) -> dict[str, Any]:
    data = {"field": change.field, "a": _value(change.field, change.a), "b": _value(change.field, change.b)}
    return data if change.at is None else data | {"at": change.at}


def _value(field: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if field == "attributes":
        return attribute_names(value)
    if field.startswith("times."):
        return exact_time(value)
    if field in _TIMES and value is not None:
        return [None if ticks is None else exact_time(ticks) for ticks in value]
    if field.endswith(".runs"):
        return [{"lcn": lcn, "clusters": clusters} for lcn, clusters in value]
    return value


def difference_lines(difference: Difference) -> list[str]:
    """One difference as lines: the path, then each part that differs."""
    path = difference.path or "(the volume)"
    slash = "/" if difference.is_directory and path != "/" else ""
    lines = [f"{_SIGNS[difference.kind]} {escaped(path)}{slash}"]
    return lines + [f"    {escaped(_change_text(change))}" for change in difference.changes]


def _change_text(change: FieldChange) -> str:
    field, a, b = change.field, change.a, change.b
    if change.at is not None:
        sizes = size_text(a) if a == b else f"{size_text(a)} and {size_text(b)}"
        return f"{field}: different from byte {change.at} on ({sizes})"
    if field == "same_file_as":
        return f"is one file with {a} in the first only"
    if field.startswith(_SIZES) and "." not in field.removeprefix("streams."):
        only = "first" if b is None else "second"
        return f"{field}: in the {only} only ({size_text(b if a is None else a)})"
    return f"{field}: {_shown(field, a)} -> {_shown(field, b)}"


def _shown(field: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bytes):
        return _bytes_text(field, value)
    data = _value(field, value)
    if isinstance(data, list):
        return " ".join(map(str, data)) or "none"
    return str(data)


def _bytes_text(field: str, value: bytes) -> str:
    """The bytes of a value decoded as text, if this is possible."""
    decoded: dict[str, Any] = {}
    if field == "security":
        decoded = security_data(value)
        if decoded.get("sddl"):
            return str(decoded["sddl"])
    elif field in _DECODERS:
        decoded = _DECODERS[field](value)
    if decoded and "malformed" not in decoded:
        return json.dumps(decoded, ensure_ascii=False)
    return (
        value.hex() if len(value) <= _SHOWN_BYTES else f"{value[:_SHOWN_BYTES].hex()}… ({len(value)} bytes)"
    )


def summary(found: Iterable[Difference]) -> str:
    """The number of paths that differ."""
    counts = Counter(one.kind for one in found)
    return ", ".join(f"{counts[kind]:,} {kind}" for kind in ("added", "removed", "changed"))
