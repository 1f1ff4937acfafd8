"""Explained structures as an annotated hex view, and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ntfsbuild.builder.explanation import Explained
from ntfsbuild.builder.structure_parts import Part
from ntfsbuild.report.words import escaped

_SHOWN_BYTES = 8


def explained_data(found: Explained) -> dict[str, Any]:
    """One structure as JSON's types."""
    return {
        "what": found.what,
        "file": found.file,
        "offset": found.offset,
        "size_bytes": len(found.data),
        "way": [part.name for part in found.way],
        "parts": [_part_data(part, found.data) for part in found.structure.parts],
    }


def _part_data(part: Part, data: bytes) -> dict[str, Any]:
    made: dict[str, Any] = {"name": part.name, "at": part.at, "size_bytes": part.size_bytes}
    if part.parts:
        return made | {"parts": [_part_data(one, data) for one in part.parts]}
    made |= {"hex": data[part.at : part.at + part.size_bytes].hex(), "value": part.value}
    return made | ({"unit": part.unit} if part.unit else {})


def explained_lines(found: Explained) -> Iterator[str]:
    """A heading, then a line for each part: its offset, its first bytes, its name, its meaning."""
    whose = f" of {escaped(found.file)}" if found.file else ""
    yield f"{found.what}{whose}, at {found.offset:#x} of the volume, {len(found.data)} bytes"
    if found.way:
        yield "  the byte lies in: " + ", ".join(escaped(part.name) for part in found.way)
    pointed = {id(part) for part in found.way}
    yield from _lines(found.structure.parts, found.data, 0, pointed)
    if not found.structure.parts:
        yield from _hex_lines(found.data)


def _lines(parts: list[Part], data: bytes, depth: int, pointed: set[int]) -> Iterator[str]:
    for part in parts:
        mark = ">" if id(part) in pointed else " "
        piece = data[part.at : part.at + min(part.size_bytes, _SHOWN_BYTES)]
        shown = "" if part.parts else piece.hex(" ") + ("…" if part.size_bytes > _SHOWN_BYTES else "")
        value = "" if part.value is None else f"  {escaped(str(part.value))} {part.unit or ''}".rstrip()
        name = "  " * depth + escaped(part.name)
        yield f"{mark} {part.at:04x} {part.size_bytes:5}  {shown:24} {name:32}{value}".rstrip()
        yield from _lines(part.parts, data, depth + 1, pointed)


def _hex_lines(data: bytes) -> Iterator[str]:
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        text = row.decode("latin-1").translate(_DOTS)
        yield f"  {at:04x}  {row.hex(' '):47}  {text}"


_DOTS = dict.fromkeys([*range(32), *range(127, 256)], ".")
