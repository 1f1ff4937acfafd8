"""The clusters of an existing volume: which are free, which a change takes and gives back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ntfsbuild.errors import CorruptVolume, NoRoom
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.geometry import Geometry

_PAGE_BYTES = 1 << 15  # Of the bitmap: 262,144 clusters.
_PAGE_BITS = _PAGE_BYTES * 8
_some_free = re.compile(rb"[^\xff]+")


class FreeSpace:
    """$Bitmap, read page by page as it is asked for.

    What a change frees is taken again before the commit only where nothing else is left: until then the
    old volume must still be there.  `read` gives bytes of $Bitmap's data.
    """

    def __init__(self, geometry: Geometry, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        if size_bytes * 8 < geometry.cluster_count:
            raise CorruptVolume(f"$Bitmap has {size_bytes} bytes for {geometry.cluster_count} clusters")
        self._clusters = geometry.cluster_count
        self._cluster_bytes = geometry.cluster_bytes
        self._read = read
        self._size_bytes = size_bytes
        self._pages: dict[int, bytearray] = {}
        self._changed: dict[int, bytes] = {}  # Pages as they were at the last commit.
        self._freed: list[tuple[int, int]] = []
        self._first_free_page = 0  # All pages before it are full.

    def _page(self, number: int) -> bytearray:
        page = self._pages.get(number)
        if page is None:
            at = number * _PAGE_BYTES
            page = bytearray(self._read(at, min(_PAGE_BYTES, self._size_bytes - at)))
            behind = self._clusters - number * _PAGE_BITS
            if behind < len(page) * 8:
                # Not every maker sets the bits behind the last cluster; here they are never free.
                bits = int.from_bytes(page, "little") | ((1 << len(page) * 8) - (1 << behind))
                page = bytearray(bits.to_bytes(len(page), "little"))
            self._pages[number] = page
        return page

    def take(self, clusters: int) -> tuple[list[Run], list[Run]]:
        """So many clusters, in one run if there is one large enough, else in the first ones there are.

        Those that the old volume holds come apart.  Without them nothing could be deleted from a full
        volume: the directory, too, is written anew.
        """
        pieces: list[tuple[int, int]] = []
        have = 0
        for lcn, count in self._extents():
            if count >= clusters:
                return [self._took(lcn, clusters)], []
            if have < clusters:
                pieces.append((lcn, min(count, clusters - have)))
                have += pieces[-1][1]
        again = self._take_again(clusters - have)
        return [self._took(lcn, count) for lcn, count in pieces], again

    def _take_again(self, clusters: int) -> list[Run]:
        """Clusters that this change has freed; their bits are still set."""
        missing = (clusters - sum(count for _, count in self._freed)) * self._cluster_bytes
        if missing > 0:
            raise NoRoom(f"the volume is full: {missing} bytes are missing", missing)
        self._freed.sort(reverse=True)
        taken: list[Run] = []
        while clusters:
            lcn, count = self._freed.pop()
            taken.append((lcn, min(count, clusters)))
            if count > clusters:
                self._freed.append((lcn + clusters, count - clusters))
            clusters -= min(count, clusters)
        return taken

    def _took(self, lcn: int, clusters: int) -> tuple[int, int]:
        self._set(lcn, clusters, True)
        return lcn, clusters

    def _extents(self) -> Iterator[tuple[int, int]]:
        """The free extents in ascending order, joined across pages."""
        begin = end = -1
        pages = -(-self._size_bytes // _PAGE_BYTES)
        for number in range(self._first_free_page, pages):
            found = False
            for lcn, after in _free_in(self._page(number), number * _PAGE_BITS):
                found = True
                if lcn == end:
                    end = after
                    continue
                if end > begin:
                    yield begin, end - begin
                begin, end = lcn, after
            if not found and number == self._first_free_page:
                self._first_free_page += 1
        if end > begin:
            yield begin, end - begin

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

    def give_back(self, runs: list[Run] | tuple[Run, ...]) -> None:
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

    def _set(self, lcn: int, clusters: int, taken: bool) -> None:
        while clusters:
            number, bit = divmod(lcn, _PAGE_BITS)
            count = min(clusters, _PAGE_BITS - bit)
            page = self._page(number)
            if number not in self._changed:
                self._changed[number] = bytes(page)
            _set_bits(page, bit, count, taken)
            lcn, clusters = lcn + count, clusters - count

    def commit(self) -> Iterator[tuple[int, bytes]]:
        """What changed in $Bitmap, the clusters given back among it: offsets and bytes, ascending."""
        for lcn, count in self._freed:
            self._set(lcn, count, False)
            self._first_free_page = min(self._first_free_page, lcn // _PAGE_BITS)
        self._freed = []
        for number in sorted(self._changed):
            yield number * _PAGE_BYTES, bytes(self._pages[number])
        self._changed = {}


def _not_taken(lcn: int, count: int) -> CorruptVolume:
    return CorruptVolume(f"$Bitmap has clusters free that a file has: {count} from {lcn} on")


def _free_in(page: bytes | bytearray, base: int) -> Iterator[tuple[int, int]]:
    """Begin and end of the free extents of a page, in clusters; those at a byte's edge are not joined."""
    for found in _some_free.finditer(page):
        span = found[0]
        zeros = ~int.from_bytes(span, "little") & (1 << len(span) * 8) - 1
        at = base + found.start() * 8
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
