"""Run lists (mapping pairs): which clusters hold a stream.  specs/ondisk/runs.md"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from ntfsbuild.errors import CorruptVolume

Run: TypeAlias = tuple[int | None, int]  # LCN (None: a hole), clusters.


def _signed_size(value: int) -> int:
    """The fewest bytes that hold `value` and its sign."""
    return (value if value >= 0 else ~value).bit_length() // 8 + 1


def encode_runs(runs: Iterable[Run]) -> bytes:
    """Mapping pairs with their terminator; every number in the fewest bytes that keep its sign."""
    out = bytearray()
    previous_lcn = 0
    for lcn, clusters in runs:
        length_size = _signed_size(clusters)
        if lcn is None:
            out.append(length_size)
            out += clusters.to_bytes(length_size, "little")
            continue
        delta = lcn - previous_lcn
        delta_size = _signed_size(delta)
        out.append(delta_size << 4 | length_size)
        out += clusters.to_bytes(length_size, "little")
        out += delta.to_bytes(delta_size, "little", signed=True)
        previous_lcn = lcn
    out.append(0)
    return bytes(out)


def read_runs(data: bytes | memoryview, at: int, end: int) -> tuple[list[Run], str, int]:
    """The runs of mapping pairs up to the first fault, the fault, and its offset.

    A delta of -1 from nothing (LCN -1) is how NT4 wrote holes; it is read as one.
    """
    runs: list[Run] = []
    lcn, from_bytes = 0, int.from_bytes
    while at < end:
        head = data[at]
        if not head:
            return runs, "", at
        length_at = at + 1
        delta_at = length_at + (head & 15)
        following = delta_at + (head >> 4)
        if not 0 < head & 15 <= 8 or head >> 4 > 8 or following > end:
            return runs, f"header byte {head:#04x}", at
        count = from_bytes(data[length_at:delta_at], "little", signed=True)
        if count <= 0:
            return runs, f"a run of {count} clusters", at
        delta = from_bytes(data[delta_at:following], "little", signed=True)
        if following == delta_at or lcn + delta == -1:
            runs.append((None, count))
        else:
            lcn += delta
            if lcn < 0:
                return runs, f"cluster {lcn}", at
            runs.append((lcn, count))
        at = following
    return runs, "no end", at


def decode_runs(data: bytes | memoryview) -> list[Run]:
    """The runs of mapping pairs, up to their terminator; raises CorruptVolume at a fault."""
    runs, problem, at = read_runs(data, 0, len(data))
    if problem:
        raise CorruptVolume(f"a run list has {problem} at byte {at:#x}")
    return runs
