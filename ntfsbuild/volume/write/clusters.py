"""Allocates and frees the clusters of a change, on an existing or a new volume.

Clusters are taken at a cursor: `next_lcn` is the next free cluster, `limit_lcn` the end of its free extent.
A caller that takes many small runs advances `next_lcn` itself while there is room.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ntfsbuild.errors import CorruptVolume, NoRoom
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.geometry import Geometry

_PAGE_BYTES = 1 << 15  # Of the bitmap: 262,144 clusters.
_PAGE_BITS = _PAGE_BYTES * 8
_SPAN_BYTES = 512  # Of a page, looked at as one number.
_STRETCH_CLUSTERS = 1 << 16  # What the cursor gets at most at once, where less is asked for.
_ENDLESS = 1 << 62
_some_free = re.compile(rb"[^\xff]+")


class Clusters(Protocol):
    """The allocator of clusters."""

    cluster_bytes: int
    next_lcn: int
    limit_lcn: int

    def open_extent(self, clusters: int) -> bool:
        """Let the cursor stand where that many clusters are free in a row; False where nowhere."""

    def take(self, clusters: int) -> list[Run]:
        """So many clusters, in one run if there is one; raises NoRoom."""

    def give_back(self, runs: Sequence[Run]) -> None:
        """Free these clusters with the commit; holes are none."""

    def check(self, runs: Sequence[Run]) -> None:
        """Raise CorruptVolume where clusters of an existing file do not count as taken."""

    def commit(self) -> Iterator[tuple[int, bytes]]:
        """What changed in $Bitmap: offsets and bytes, ascending."""


class NewClusters:
    """The clusters of a volume that is being made: taken in ascending order.

    Nothing is ever freed while a volume is made, so what is taken is one extent from cluster 0 on and
    every allocation is one run.
    """

    def __init__(self, cluster_bytes: int) -> None:
        self.cluster_bytes = cluster_bytes
        self.next_lcn = 0
        self.limit_lcn = _ENDLESS

    def open_extent(self, clusters: int) -> bool:
        """Nothing to do: all clusters from the cursor on are free."""
        return True

    def take(self, clusters: int) -> list[Run]:
        """The next clusters, as one run."""
        lcn = self.next_lcn
        self.next_lcn += clusters
        return [(lcn, clusters)] if clusters else []

    def give_back(self, runs: Sequence[Run]) -> None:
        """Refuse: a new volume has nothing to free."""
        assert not runs, "clusters of a new volume are not given back"

    def check(self, runs: Sequence[Run]) -> None:
        """Nothing to check: everything here is new."""

    def commit(self) -> Iterator[tuple[int, bytes]]:
        """Nothing: the formatter writes $Bitmap."""
        return iter(())


class FreeClusters:
    """The free clusters of an existing volume: $Bitmap, read page by page when needed.

    The cursor advances from its position, and once around the volume: next fit.  Clusters freed by a change
    are taken again before the commit only if no others are left: until then the old volume must stay intact.
    `read` returns bytes of $Bitmap's data; `declare` is called with every extent (LCN, clusters) that is free
    on the old volume when the cursor reaches it.
    """

    def __init__(
        self,
        geometry: Geometry,
        read: Callable[[int, int], bytes],
        size_bytes: int,
        declare: Callable[[int, int], None],
    ) -> None:
        if size_bytes * 8 < geometry.cluster_count:
            raise CorruptVolume(f"$Bitmap has {size_bytes} bytes for {geometry.cluster_count} clusters")
        self._clusters = geometry.cluster_count
        self.cluster_bytes = geometry.cluster_bytes
        self._read = read
        self._size_bytes = size_bytes
        self._declare = declare
        self._pages: dict[int, bytearray] = {}
        self._changed: dict[int, bytes] = {}  # Pages as they were at the last commit.
        self._freed: list[tuple[int, int]] = []
        self._no_run_of: int | None = None  # The fewest clusters that are known to lie nowhere in a row.
        self.next_lcn = self.limit_lcn = 0  # All clusters between them are marked as taken.

    # ------------------------------------------------------------------ pages

    def _page(self, number: int) -> bytearray:
        page = self._pages.get(number)
        if page is None:
            at = number * _PAGE_BYTES
            page = bytearray(self._read(at, min(_PAGE_BYTES, self._size_bytes - at)))
            behind = self._clusters - number * _PAGE_BITS
            if behind < len(page) * 8:
                # Not every maker sets the bits behind the last cluster; here they are never free.
                bits = int.from_bytes(page, "little") | ((1 << len(page) * 8) - (1 << max(behind, 0)))
                page = bytearray(bits.to_bytes(len(page), "little"))
            self._pages[number] = page
        return page

    def _set(self, lcn: int, clusters: int, taken: bool) -> None:
        while clusters:
            number, bit = divmod(lcn, _PAGE_BITS)
            count = min(clusters, _PAGE_BITS - bit)
            page = self._page(number)
            if number not in self._changed:
                self._changed[number] = bytes(page)
            _set_bits(page, bit, count, taken)
            lcn, clusters = lcn + count, clusters - count

    def _free_from(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The free extents from cluster `begin` up to `end`, ascending, cut at the edges of spans."""
        for number in range(begin // _PAGE_BITS, -(-end // _PAGE_BITS)):
            base = number * _PAGE_BITS
            for first, after in _free_in(self._page(number), base, max(0, begin - base) // 8):
                first, after = max(first, begin), min(after, end)
                if first < after:
                    yield first, after

    def _joined(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The free extents there, those that touch joined; none is longer than a stretch."""
        first = after = -1
        for lcn, stop in self._free_from(begin, end):
            if lcn == after and after - first < _STRETCH_CLUSTERS:
                after = stop
                continue
            if after > first:
                yield first, after
            first, after = lcn, stop
        if after > first:
            yield first, after

    # ------------------------------------------------------------------ taking

    def open_extent(self, clusters: int) -> bool:
        """Let the cursor stand where that many clusters are free in a row; False where nowhere."""
        if self._no_run_of is not None and clusters >= self._no_run_of:
            return False
        self._close_extent()
        here = self.next_lcn
        found = self._find(clusters, here, self._clusters)
        if found is None:  # Once around; a run may lie across the place where that began.
            found = self._find(clusters, 0, min(self._clusters, here + clusters))
        if found is None:
            self._no_run_of = clusters
            return False
        first, after = found
        self._open(first, min(after, first + max(clusters, _STRETCH_CLUSTERS)))
        return True

    def _find(self, clusters: int, begin: int, end: int) -> tuple[int, int] | None:
        first = after = -1
        for lcn, stop in self._free_from(begin, end):
            if lcn != after:
                if after - first >= clusters:
                    return first, after
                first = lcn
            after = stop
            if after - first >= max(clusters, _STRETCH_CLUSTERS):
                break
        return (first, after) if after - first >= clusters and after > first else None

    def _open(self, first: int, after: int) -> None:
        self._set(first, after - first, True)
        self._declare(first, after - first)
        self.next_lcn, self.limit_lcn = first, after

    def _close_extent(self) -> None:
        """Return the rest of the cursor's extent."""
        if self.limit_lcn > self.next_lcn:
            self._set(self.next_lcn, self.limit_lcn - self.next_lcn, False)
        self.limit_lcn = self.next_lcn

    def take(self, clusters: int) -> list[Run]:
        """Take clusters: one run if there is one large enough, else the next free runs.

        Clusters that the old volume uses, and this change has freed, are taken last.  Without them nothing
        could be deleted from a full volume, since the changed directory is rewritten, too.
        """
        if not clusters:
            return []
        if self.limit_lcn - self.next_lcn >= clusters or self.open_extent(clusters):
            lcn = self.next_lcn
            self.next_lcn += clusters
            return [(lcn, clusters)]
        return self._take_pieces(clusters)

    def _take_pieces(self, clusters: int) -> list[Run]:
        self._close_extent()
        here, taken, have = self.next_lcn, [], 0
        for begin, end in ((here, self._clusters), (0, here)):
            for first, after in self._joined(begin, end):
                count = min(after - first, clusters - have)
                taken.append((first, count))
                have += count
                if have == clusters:
                    break
            if have == clusters:
                break
        again = self._take_again(clusters - have)
        for lcn, count in taken:
            self._set(lcn, count, True)
            self._declare(lcn, count)
        if taken:
            self.next_lcn = self.limit_lcn = sum(taken[-1])
        return [*taken, *again]

    def _take_again(self, clusters: int) -> list[tuple[int, int]]:
        """Clusters that this change has freed; their bits are still set."""
        missing = (clusters - sum(count for _, count in self._freed)) * self.cluster_bytes
        if missing > 0:
            raise NoRoom(f"the volume is full: {missing} bytes are missing", missing)
        self._freed.sort(reverse=True)
        taken: list[tuple[int, int]] = []
        while clusters:
            lcn, count = self._freed.pop()
            taken.append((lcn, min(count, clusters)))
            if count > clusters:
                self._freed.append((lcn + clusters, count - clusters))
            clusters -= min(count, clusters)
        return taken

    # ------------------------------------------------------------------ giving back

    def check(self, runs: Sequence[Run]) -> None:
        """Raise CorruptVolume where clusters that a file had at the last commit were not taken then."""
        for lcn, count in runs:
            if lcn is not None:
                self._check_inside(lcn, count)
                if not self._is_taken(lcn, count, formerly=True):
                    raise _not_taken(lcn, count)

    def _check_inside(self, lcn: int, count: int) -> None:
        if lcn + count > self._clusters:
            raise CorruptVolume(f"a run ends at cluster {lcn + count}, the volume has {self._clusters}")

    def give_back(self, runs: Sequence[Run]) -> None:
        """Free these clusters with the commit; holes are none."""
        for lcn, count in runs:
            if lcn is not None:
                self._check_inside(lcn, count)
                if not self._is_taken(lcn, count):
                    raise _not_taken(lcn, count)
                self._freed.append((lcn, count))

    def _is_taken(self, lcn: int, clusters: int, *, formerly: bool = False) -> bool:
        while clusters:
            number, bit = divmod(lcn, _PAGE_BITS)
            count = min(clusters, _PAGE_BITS - bit)
            page = self._changed.get(number) if formerly else None
            if not _all_set(self._page(number) if page is None else page, bit, count):
                return False
            lcn, clusters = lcn + count, clusters - count
        return True

    def commit(self) -> Iterator[tuple[int, bytes]]:
        """What changed in $Bitmap, the clusters given back among it: offsets and bytes, ascending."""
        self._close_extent()
        for lcn, count in self._freed:
            self._set(lcn, count, False)
        self._freed = []
        self._no_run_of = None
        self.next_lcn = self.limit_lcn = 0
        for number in sorted(self._changed):
            if self._changed[number] != self._pages[number]:
                yield number * _PAGE_BYTES, bytes(self._pages[number])
        self._changed = {}


def _not_taken(lcn: int, count: int) -> CorruptVolume:
    return CorruptVolume(f"$Bitmap has clusters free that a file has: {count} from {lcn} on")


def _free_in(page: bytes | bytearray, base: int, first_byte: int) -> Iterator[tuple[int, int]]:
    """Begin and end of the free extents of a page, in clusters; not joined at the edges of spans."""
    for found in _some_free.finditer(page, first_byte):
        for begin in range(found.start(), found.end(), _SPAN_BYTES):
            end = min(begin + _SPAN_BYTES, found.end())
            zeros = ~int.from_bytes(page[begin:end], "little") & (1 << (end - begin) * 8) - 1
            at = base + begin * 8
            while zeros:
                skip = (zeros & -zeros).bit_length() - 1
                zeros >>= skip
                at += skip
                ones = (~zeros & zeros + 1).bit_length() - 1
                yield at, at + ones
                zeros >>= ones
                at += ones


def _all_set(page: bytes | bytearray, bit: int, count: int) -> bool:
    first, last = bit // 8, (bit + count - 1) // 8
    mask = ((1 << count) - 1) << bit % 8
    return int.from_bytes(page[first : last + 1], "little") & mask == mask


def _set_bits(page: bytearray, bit: int, count: int, taken: bool) -> None:
    first, last = bit // 8, (bit + count - 1) // 8
    mask = ((1 << count) - 1) << bit % 8
    value = int.from_bytes(page[first : last + 1], "little")
    value = value | mask if taken else value & ~mask
    page[first : last + 1] = value.to_bytes(last + 1 - first, "little")
