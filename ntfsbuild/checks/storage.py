"""Reading what may be damaged: nothing here raises because of what a volume holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ntfsbuild.ondisk.fixups import STRIDE
from ntfsbuild.ondisk.runs import Run

MOST_RUNS = 1 << 20  # Of one attribute: a list of them lies in a record.


class Source(Protocol):
    """Bytes at offsets of a volume."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""


def read_whole(source: Source, offset: int, size_bytes: int) -> bytes:
    """So many bytes; zeros behind the end of the image."""
    return source.read(offset, size_bytes).ljust(size_bytes, b"\0")


def decode_runs(data: bytes, at: int, end: int) -> tuple[list[Run], str]:
    """The runs of mapping pairs as far as they go, and what is wrong with the rest."""
    runs: list[Run] = []
    lcn = 0
    while at < end:
        head = data[at]
        if head == 0:
            return runs, ""
        length_at = at + 1
        delta_at = length_at + (head & 15)
        at = delta_at + (head >> 4)
        if not 0 < head & 15 <= 8 or head >> 4 > 8 or at > end:
            return runs, f"header byte {head:#04x}"
        count = int.from_bytes(data[length_at:delta_at], "little", signed=True)
        if count <= 0:
            return runs, f"a run of {count} clusters"
        if head >> 4 == 0:
            runs.append((None, count))
            continue
        delta = int.from_bytes(data[delta_at:at], "little", signed=True)
        if lcn + delta == -1:  # A hole, as NT4 wrote it.
            runs.append((None, count))
            continue
        lcn += delta
        if lcn < 0:
            return runs, f"cluster {lcn}"
        runs.append((lcn, count))
    return runs, "no end"


class Extents:
    """The bytes of a non-resident stream, by its runs."""

    def __init__(self, source: Source, runs: Sequence[Run], cluster_bytes: int) -> None:
        self._source = source
        self._cluster_bytes = cluster_bytes
        self._pieces: list[tuple[int, int, int | None]] = []  # Begin, end, where in the volume.
        at = 0
        for lcn, count in runs:
            size = count * cluster_bytes
            self._pieces.append((at, at + size, None if lcn is None else lcn * cluster_bytes))
            at += size
        self.size_bytes = at

    def read(self, offset: int, size_bytes: int) -> bytes:
        """So many bytes from there on; zeros in holes and where nothing is mapped."""
        pieces = self._pieces
        if len(pieces) == 1:
            begin, end, where = pieces[0]
            if where is not None and offset + size_bytes <= end:
                return read_whole(self._source, where + offset, size_bytes)
        out, stop = [], offset + size_bytes
        low, high = 0, len(pieces)
        while low < high:
            middle = (low + high) // 2
            if pieces[middle][1] <= offset:
                low = middle + 1
            else:
                high = middle
        at = offset
        for begin, end, where in pieces[low:]:
            if at >= stop:
                break
            size = min(end, stop) - at
            out.append(bytes(size) if where is None else read_whole(self._source, where + at - begin, size))
            at += size
        return b"".join(out).ljust(size_bytes, b"\0")


def restored(raw: bytes) -> tuple[bytes, str]:
    """A protected structure without its update sequence, and what is wrong with that."""
    buffer = bytearray(raw)
    usa_offset = buffer[4] | buffer[5] << 8
    usa_count = buffer[6] | buffer[7] << 8
    strides = len(buffer) // STRIDE
    if usa_count != strides + 1 or usa_offset % 2 or not 8 <= usa_offset <= STRIDE - 2 - 2 * usa_count:
        return bytes(buffer), f"array: {usa_count} numbers at {usa_offset:#x}"
    number = bytes(buffer[usa_offset : usa_offset + 2])
    torn = ""
    slot = usa_offset
    for end in range(STRIDE - 2, len(buffer), STRIDE):
        slot += 2
        if buffer[end : end + 2] != number:
            torn = torn or f"torn: {buffer[end : end + 2].hex()} at {end:#x}, not {number.hex()}"
            continue
        buffer[end : end + 2] = buffer[slot : slot + 2]
    return bytes(buffer), torn
