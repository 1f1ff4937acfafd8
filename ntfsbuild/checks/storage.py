"""Reading what may be damaged: nothing here raises because of what a volume holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ntfsbuild.ondisk import fixups
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.run_list import RunPlaces


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


class Extents:
    """The bytes of a non-resident stream, by its runs."""

    def __init__(self, source: Source, runs: Sequence[Run], cluster_bytes: int) -> None:
        self._source = source
        self._places = RunPlaces(runs, cluster_bytes)
        self.size_bytes = self._places.size_bytes

    def read(self, offset: int, size_bytes: int) -> bytes:
        """So many bytes from there on; zeros in holes and where nothing is mapped."""
        found = self._places.find(offset, size_bytes)
        parts = [bytes(size) if at is None else read_whole(self._source, at, size) for at, size in found]
        return b"".join(parts).ljust(size_bytes, b"\0")


def restored(raw: bytes) -> tuple[bytes, str]:
    """A protected structure without its update sequence, and what is wrong with that."""
    buffer = bytearray(raw)
    fault = fixups.undo(buffer)
    return bytes(buffer), "" if fault is None else f"{'torn' if fault.torn else 'array'}: {fault.text}"
