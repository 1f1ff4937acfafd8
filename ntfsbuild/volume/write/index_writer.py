"""The index attributes of a record: entries are in the root while they fit, else in index blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.index import IndexHeader, IndexRoot
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.write import index_builder
from ntfsbuild.volume.write.index_builder import PackedIndex

# The most that $INDEX_ALLOCATION and $BITMAP take in the record: their headers with a name of four
# units and one run, or a bitmap of 56 bytes.
_LARGE_EXTRA_BYTES = 2 * 0x58
_RESIDENT_BITMAP_BYTES = 0x38

_LARGEST_NAME_BYTES = 8


class SortedIndex(NamedTuple):
    """An index to be written: its attribute name, what it sorts, and its leaf entries in order."""

    name: str
    indexed_type: int
    collation: int
    entries: Sequence[bytes]


class IndexWriter:
    """Turns indexes into the attributes of their record; `store` puts blocks into new clusters."""

    def __init__(self, store: Callable[[bytes | bytearray], Sequence[Run]], cluster_bytes: int) -> None:
        self.store = store
        self._cluster_bytes = cluster_bytes

    def attributes(self, indexes: Sequence[SortedIndex], room: int, *, large: bool = False) -> list[bytes]:
        """The attributes, in a record's order, within `room` bytes where that is possible.

        The longest indexes get blocks until the rest fits; with `large`, all of them do.  Where there is
        less room than roots need that only point to blocks, something else has to leave the record.
        """
        if len(indexes) == 1 and not large and _small_bytes(indexes[0]) <= room:  # Almost every directory.
            return [self._root(indexes[0], index_builder.pack_small(indexes[0].entries))]
        small = [] if large else list(indexes)
        while small and sum(map(_small_bytes, small)) + self._large_bytes(indexes, small) > room:
            small.remove(max(small, key=_small_bytes))
        spare = max(0, room - sum(map(_small_bytes, small)) - self._large_bytes(indexes, small))
        made: list[bytes] = []
        for index in indexes:
            if index in small:
                made.append(self._root(index, index_builder.pack_small(index.entries)))
            else:
                root_room = index_builder.SMALLEST_LARGE_ROOT + spare
                packed = index_builder.pack_large(index.entries, root_room, self._cluster_bytes)
                spare -= len(packed.root_entries) - index_builder.SMALLEST_LARGE_ROOT
                made += [self._root(index, packed), *self._blocks(index, packed)]
        return sorted(made, key=attribute.sort_key)

    def _large_bytes(self, indexes: Sequence[SortedIndex], small: Sequence[SortedIndex]) -> int:
        """What the indexes that are not small take at least."""
        one = _root_bytes(index_builder.SMALLEST_LARGE_ROOT) + _LARGE_EXTRA_BYTES
        return (len(indexes) - len(small)) * one

    def _root(self, index: SortedIndex, packed: PackedIndex) -> bytes:
        value = index_builder.root_value(packed, index.indexed_type, index.collation, self._cluster_bytes)
        return attribute.resident(attribute.INDEX_ROOT, value, name=index.name)

    def _blocks(self, index: SortedIndex, packed: PackedIndex) -> list[bytes]:
        allocation = self._stream(attribute.INDEX_ALLOCATION, index.name, packed.blocks)
        bitmap = packed.bitmap()
        if len(bitmap) <= _RESIDENT_BITMAP_BYTES:
            return [allocation, attribute.resident(attribute.BITMAP, bitmap, name=index.name)]
        return [allocation, self._stream(attribute.BITMAP, index.name, bitmap)]

    def _stream(self, type_code: int, name: str, data: bytes | bytearray) -> bytes:
        runs = self.store(data)
        return attribute.non_resident(
            type_code, runs, cluster_bytes=self._cluster_bytes, data_bytes=len(data), name=name
        )


def _root_bytes(entries_bytes: int) -> int:
    """The length of an $INDEX_ROOT attribute with that many bytes of entries."""
    head = attribute.ResidentHeader.SIZE + _LARGEST_NAME_BYTES + IndexRoot.SIZE + IndexHeader.SIZE
    return align(head + entries_bytes, 8)


def _small_bytes(index: SortedIndex) -> int:
    return _root_bytes(index_builder.small_root_bytes(index.entries))
