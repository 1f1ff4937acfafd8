"""An image read through the journal of an interrupted change: as it was before, and nothing is written."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ntfsbuild.errors import HostError
from ntfsbuild.image.intervals import Intervals
from ntfsbuild.image.journal_file import SavedRegion
from ntfsbuild.image.open_file import CHUNK_BYTES, OpenFile
from ntfsbuild.named_tuple import NamedTuple


class _Part(NamedTuple):
    """A region of the image, and where the journal has its content."""

    begin: int
    end: int
    data_at: int


class SavedContent:
    """What counts instead of what the image holds now; `regions` are in the order of their saving."""

    def __init__(self, journal: OpenFile, regions: Sequence[SavedRegion]) -> None:
        self._journal = journal
        covered = Intervals()
        parts: list[_Part] = []
        for region in regions:  # What was saved first is the oldest content.
            end = region.offset + region.size_bytes
            for begin, stop in _gaps(covered, region.offset, end):
                parts.append(_Part(begin, stop, region.data_at + begin - region.offset))
            covered.add(region.offset, end)
        self._parts = sorted(parts)
        self._begins = [part.begin for part in self._parts]

    def over(self, offset: int, data: bytes) -> bytes:
        """What was read at an offset of the image, as it was before the change."""
        end = offset + len(data)
        at = max(0, bisect_right(self._begins, offset) - 1)
        changed: bytearray | None = None
        while at < len(self._parts) and self._parts[at].begin < end:
            part = self._parts[at]
            first, stop = max(offset, part.begin), min(end, part.end)
            if first < stop:
                changed = bytearray(data) if changed is None else changed
                changed[first - offset : stop - offset] = self._read(part, first, stop)
            at += 1
        return data if changed is None else bytes(changed)

    def copy_to(self, target: OpenFile) -> None:
        """Make a copy of the image what the image was."""
        for part in self._parts:
            for at in range(part.begin, part.end, CHUNK_BYTES):
                target.write(at, self._read(part, at, min(at + CHUNK_BYTES, part.end)))

    def _read(self, part: _Part, begin: int, end: int) -> bytes:
        data = self._journal.read(part.data_at + begin - part.begin, end - begin)
        if len(data) != end - begin:
            raise HostError(f"{self._journal.shown}: has become shorter")
        return data

    def close(self) -> None:
        """Close the journal, which stays where it is."""
        with contextlib.suppress(OSError):
            os.close(self._journal.forget())


def _gaps(covered: Intervals, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """What of a region nothing covers yet."""
    for first, after in covered.within(begin, end):
        if begin < first:
            yield begin, first
        begin = max(begin, after)
    if begin < end:
        yield begin, end
