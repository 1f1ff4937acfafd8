"""Which index of a record stays in its root, and which gets blocks."""

from __future__ import annotations

from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.index import COLLATE_ULONG
from ntfsbuild.volume.read.records import Attribute, parse_attribute
from ntfsbuild.volume.write.index_writer import IndexWriter, SortedIndex
from tests.volume.write.entries import entry
from tests.volume.write.memory import CLUSTER, MemoryStorage, storing

ROOT, BLOCKS, BITMAP = attribute.INDEX_ROOT, attribute.INDEX_ALLOCATION, attribute.BITMAP


def index(name: str, count: int) -> SortedIndex:
    return SortedIndex(name, 0, COLLATE_ULONG, [entry(k) for k in range(count)])


def written(*indexes: SortedIndex, room: int = 600, large: bool = False) -> list[Attribute]:
    writer = IndexWriter(storing(MemoryStorage()), CLUSTER)
    return [parse_attribute(one) for one in writer.attributes(indexes, room, large=large)]


def kinds(found: list[Attribute]) -> list[tuple[int, str]]:
    return [(one.type_code, one.name) for one in found]


def test_one_that_fits_stays_in_the_root() -> None:
    assert kinds(written(index("$I30", 20))) == [(ROOT, "$I30")]


def test_one_that_does_not_fit_gets_blocks() -> None:
    root, blocks, bitmap = written(index("$I30", 30))
    assert kinds([root, blocks, bitmap]) == [(ROOT, "$I30"), (BLOCKS, "$I30"), (BITMAP, "$I30")]
    assert blocks.data_bytes == 4096 and bitmap.value == b"\x01" + bytes(7)


def test_blocks_where_they_are_asked_for() -> None:
    assert kinds(written(index("$I30", 1), large=True))[1:] == [(BLOCKS, "$I30"), (BITMAP, "$I30")]


def test_of_several_the_longest_goes_first() -> None:
    found = kinds(written(index("$O", 3), index("$Q", 25)))
    assert found == [(ROOT, "$O"), (ROOT, "$Q"), (BLOCKS, "$Q"), (BITMAP, "$Q")]


def test_a_long_bitmap_lies_in_clusters() -> None:
    *_, bitmap = written(index("$I30", 100_000))
    assert bitmap.type_code == BITMAP and not bitmap.resident


def test_what_is_written_fits_the_room() -> None:
    writer = IndexWriter(storing(MemoryStorage()), CLUSTER)
    for count in range(60):
        assert sum(map(len, writer.attributes([index("$I30", count)], 600))) <= 600
