"""Indexes packed bottom-up, read back by the offsets of the format alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from ntfsbuild.ondisk import fixups
from ntfsbuild.ondisk.index import BLOCK_BYTES, COLLATE_ULONG
from ntfsbuild.volume.write.index_builder import (
    SMALLEST_LARGE_ROOT,
    PackedIndex,
    pack_large,
    pack_small,
    root_value,
    small_root_bytes,
)
from tests.volume.write.entries import entry


def node(data: bytes) -> Iterator[tuple[int | None, int | None]]:
    """Key (None: the end) and child (None: a leaf) of each entry of a node."""
    at = 0
    while True:
        length, _, flags = struct.unpack_from("<HHH", data, at + 8)
        child = struct.unpack_from("<Q", data, at + length - 8)[0] if flags & 1 else None
        if flags & 2:
            yield None, child
            return
        yield struct.unpack_from("<Q", data, at + 0x10)[0], child
        at += length


def keys(index: PackedIndex, unit: int) -> Iterator[int]:
    """All keys in order, from the root down; a block that is used twice or never fails."""
    seen = set()

    def walk(data: bytes) -> Iterator[int]:
        for key, child in node(data):
            if child is not None:
                seen.add(child)
                yield from walk(block(child))
            if key is not None:
                yield key

    def block(vcn: int) -> bytes:
        at = vcn * unit
        raw = bytearray(index.blocks[at : at + BLOCK_BYTES])
        fixups.restore(raw, "block")
        assert raw[:4] == b"INDX" and struct.unpack_from("<Q", raw, 0x10)[0] == vcn
        first, length = struct.unpack_from("<II", raw, 0x18)
        return bytes(raw[0x18 + first : 0x18 + length])

    yield from walk(index.root_entries)
    assert seen == {k * BLOCK_BYTES // unit for k in range(index.block_count)}


def test_a_small_index_is_its_entries_and_an_end() -> None:
    entries = [entry(k) for k in range(3)]
    packed = pack_small(entries)
    assert packed.root_entries[:72] == b"".join(entries)
    assert [key for key, _ in node(packed.root_entries)] == [0, 1, 2, None]
    assert (packed.block_count, packed.bitmap()) == (0, b"")
    assert small_root_bytes(entries) == len(packed.root_entries)


@pytest.mark.parametrize("cluster_bytes", [512, 4096, 65536])
@pytest.mark.parametrize("count", [1, 2, 164, 165, 166, 167, 330, 20_000, 30_000])
def test_every_key_stands_once_and_in_order(count: int, cluster_bytes: int) -> None:
    packed = pack_large([entry(k) for k in range(count)], SMALLEST_LARGE_ROOT, cluster_bytes)
    unit = cluster_bytes if cluster_bytes <= BLOCK_BYTES else 512
    assert list(keys(packed, unit)) == list(range(count))


@pytest.mark.parametrize("size", [0x18, 0x60, 0x250])
@pytest.mark.parametrize("room", [SMALLEST_LARGE_ROOT, 200, 700])
def test_the_root_has_no_more_than_its_room(size: int, room: int) -> None:
    packed = pack_large([entry(k, size) for k in range(2000)], room, 4096)
    assert len(packed.root_entries) <= room
    assert list(keys(packed, 4096)) == list(range(2000))


def test_leaves_are_filled_to_the_brim() -> None:
    packed = pack_large([entry(k) for k in range(3300)], 700, 4096)
    assert packed.block_count == 20  # 167 in each with the separator; an even share would need 21.


def test_the_bitmap_has_a_bit_for_each_block() -> None:
    packed = pack_large([entry(k) for k in range(11_000)], 4000, 4096)
    assert int.from_bytes(packed.bitmap(), "little") == (1 << packed.block_count) - 1
    assert len(packed.bitmap()) == -(-packed.block_count // 64) * 8


@pytest.mark.parametrize(("cluster_bytes", "per_block"), [(512, 8), (4096, 1), (65536, 8)])
def test_the_root_value(cluster_bytes: int, per_block: int) -> None:
    for packed, flags in (
        (pack_small([entry(1)]), 0),
        (pack_large([entry(1)], SMALLEST_LARGE_ROOT, cluster_bytes), 1),
    ):
        value = root_value(packed, 0, COLLATE_ULONG, cluster_bytes)
        assert struct.unpack_from("<IIIB", value) == (0, COLLATE_ULONG, 4096, per_block)
        length = 16 + len(packed.root_entries)
        assert struct.unpack_from("<IIIB", value, 0x10) == (0x10, length, length, flags)
        assert value[0x20:] == packed.root_entries
