"""Run lists (mapping pairs): which clusters hold a stream.  specs/ondisk/runs.md"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def decode_runs(data: bytes | memoryview) -> Iterator[Run]:
    """The runs of mapping pairs, up to their terminator.

    A delta of -1 from nothing (LCN -1) is how NT4 wrote holes; it is read as one.
    """
    at, lcn = 0, 0
    while True:
        if at >= len(data):
            raise CorruptVolume("a run list has no terminator")
        head = data[at]
        if head == 0:
            return
        length_size, delta_size = head & 15, head >> 4
        end = at + 1 + length_size + delta_size
        if not 1 <= length_size <= 8 or delta_size > 8 or end > len(data):
            raise CorruptVolume(f"a run list has the header byte {head:#04x} at byte {at:#x}")
        clusters = int.from_bytes(data[at + 1 : at + 1 + length_size], "little", signed=True)
        if clusters <= 0:
            raise CorruptVolume(f"a run list has a run of {clusters} clusters at byte {at:#x}")
        if delta_size == 0:
            yield None, clusters
        else:
            delta = int.from_bytes(data[at + 1 + length_size : end], "little", signed=True)
            if lcn + delta == -1:
                yield None, clusters
            elif lcn + delta < 0:
                raise CorruptVolume(f"a run list points to cluster {lcn + delta} at byte {at:#x}")
            else:
                lcn += delta
                yield lcn, clusters
        at = end


def encode_run(lcn: int, clusters: int) -> bytes:
    """The mapping pairs of a stream in one run; the same bytes as `encode_runs`, for the hot path."""
    length_size = (clusters.bit_length() >> 3) + 1
    delta_size = (lcn.bit_length() >> 3) + 1
    return (
        bytes((delta_size << 4 | length_size,))
        + clusters.to_bytes(length_size, "little")
        + lcn.to_bytes(delta_size, "little")
        + b"\0"
    )
