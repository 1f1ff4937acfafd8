"""Sets of bytes or blocks as sorted, disjoint intervals."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Intervals:
    """Half-open intervals of integers; what touches is one."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []

    def add(self, begin: int, end: int) -> None:
        """Take in everything from `begin` up to, not including, `end`."""
        if begin >= end:
            return
        first = bisect_left(self._ends, begin)
        last = bisect_right(self._begins, end)
        if first < last:
            begin = min(begin, self._begins[first])
            end = max(end, self._ends[last - 1])
        self._begins[first:last] = [begin]
        self._ends[first:last] = [end]

    def within(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The intervals that have a part between `begin` and `end`, as they are, in ascending order."""
        at = bisect_right(self._ends, begin)
        while at < len(self._begins) and self._begins[at] < end:
            yield self._begins[at], self._ends[at]
            at += 1

    def clear(self) -> None:
        """Hold nothing."""
        self._begins.clear()
        self._ends.clear()
