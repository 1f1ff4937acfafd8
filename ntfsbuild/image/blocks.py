"""The blocks of a window of an image; a block is saved, and changed, as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ntfsbuild.image.journal_format import BLOCK_BYTES, ENTRY_BYTES_MAX
from ntfsbuild.named_tuple import NamedTuple

_RUN_BLOCKS_MAX = ENTRY_BYTES_MAX // BLOCK_BYTES


class Blocks(NamedTuple):
    """Blocks lie where those of the image do; of the first and the last there is what the window has.

    They count from the one in which the window begins; offsets are those of the window.
    """

    skew: int  # How much of the first block lies before the window.
    size_bytes: int

    @classmethod
    def of_window(cls, offset: int, size_bytes: int) -> Blocks:
        """The blocks of the window that begins at `offset` of an image."""
        return cls(offset % BLOCK_BYTES, size_bytes)

    def touched(self, begin: int, end: int) -> range:
        """The blocks that overlap the bytes between two offsets."""
        return range((begin + self.skew) // BLOCK_BYTES, -(-(end + self.skew) // BLOCK_BYTES))

    def whole(self, begin: int, end: int) -> range:
        """The blocks that lie entirely between two offsets."""
        first = -(-(begin + self.skew) // BLOCK_BYTES) if begin else 0
        last = (end + self.skew) // BLOCK_BYTES
        if end == self.size_bytes:
            last = self.touched(0, end).stop
        return range(first, last)

    def bounds(self, number: int) -> tuple[int, int]:
        """Where a block begins and ends."""
        begin = number * BLOCK_BYTES - self.skew
        return max(0, begin), min(self.size_bytes, begin + BLOCK_BYTES)

    def span(self, numbers: range) -> tuple[int, int]:
        """Where the first of these blocks begins and the last one ends."""
        return self.bounds(numbers.start)[0], self.bounds(numbers.stop - 1)[1]


def runs(numbers: Iterable[int]) -> Iterator[range]:
    """Ascending numbers as runs without a gap, none too long for an entry of the journal."""
    first = last = 0
    for number in numbers:
        if number != last or last - first == _RUN_BLOCKS_MAX:
            if first < last:
                yield range(first, last)
            first = number
        last = number + 1
    if first < last:
        yield range(first, last)
