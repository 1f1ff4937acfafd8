"""An index packed bottom-up from its sorted entries: no splits, no rebalancing.

Leaves are filled to the brim; the entry that no longer fits becomes the separator in the parent (an
NTFS index is a B-tree: a key stands in one place only).  `specs/ondisk/index.md` has the layout.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import fixups
from ntfsbuild.ondisk.index import (
    BLOCK_BYTES,
    BLOCK_USA_OFFSET,
    ENTRIES_AT,
    ENTRY_HAS_CHILD,
    ENTRY_IS_LAST,
    HAS_CHILDREN,
    IndexBlock,
    IndexEntry,
    IndexHeader,
    IndexRoot,
    vcn_unit,
)

_END_BYTES = IndexEntry.SIZE
_CHILD_BYTES = 8
_END = IndexEntry(reference=0, length_bytes=_END_BYTES, key_bytes=0, flags=ENTRY_IS_LAST).pack()
_LEAF_ROOM = BLOCK_BYTES - ENTRIES_AT - _END_BYTES
_INNER_ROOM = _LEAF_ROOM - _CHILD_BYTES

_child_vcn = struct.Struct("<Q")
_length_at = IndexEntry.offset_of("length_bytes")
_flags_at = IndexEntry.offset_of("flags")

SMALLEST_LARGE_ROOT = _END_BYTES + _CHILD_BYTES


class PackedIndex(NamedTuple):
    """An index as bytes: the entries of its root, and its blocks (empty for a small index)."""

    root_entries: bytes
    blocks: bytearray

    @property
    def block_count(self) -> int:
        """How many INDX blocks there are."""
        return len(self.blocks) // BLOCK_BYTES

    def bitmap(self) -> bytes:
        """The index $BITMAP: one bit a block, a multiple of eight bytes."""
        bits = (1 << self.block_count) - 1
        return bits.to_bytes(-(-self.block_count // 64) * 8, "little")


def small_root_bytes(entries: Sequence[bytes]) -> int:
    """The room that the entries need when all of them lie in the root."""
    return sum(map(len, entries)) + _END_BYTES


def pack_small(entries: Sequence[bytes]) -> PackedIndex:
    """The index whose entries all lie in its root."""
    return PackedIndex(b"".join(entries) + _END, bytearray())


def pack_large(entries: Sequence[bytes], root_room: int, cluster_bytes: int) -> PackedIndex:
    """The index whose root, of at most `root_room` bytes of entries, points to blocks.

    `entries` are whole leaf entries in collation order.  As many levels as it takes.
    """
    assert root_room >= SMALLEST_LARGE_ROOT
    unit = BLOCK_BYTES // vcn_unit(cluster_bytes)
    blocks: list[bytes] = []

    def add(parts: Sequence[bytes], end: bytes, flags: int) -> int:
        vcn = len(blocks) * unit
        blocks.append(_block(vcn, b"".join(parts) + end, flags))
        return vcn

    row = _Row(list(entries), [])
    row = _parents(row, _LEAF_ROOM, lambda parts, _: add(parts, _END, 0))
    while not row.fits(root_room):
        row = _parents(row, _INNER_ROOM, lambda parts, child: add(parts, _end_with(child), HAS_CHILDREN))
    root = b"".join(row.with_children()) + _end_with(row.children[-1])
    packed = bytearray(b"".join(blocks))
    fixups.protect(packed, BLOCK_BYTES, BLOCK_USA_OFFSET)
    return PackedIndex(root, packed)


class _Row(NamedTuple):
    """One level: its entries and, above the leaves, the VCN of a child for each and one for the end."""

    entries: list[bytes]
    children: list[int]

    def with_children(self) -> list[bytes]:
        if not self.children:
            return self.entries
        return [_with_child(entry, vcn) for entry, vcn in zip(self.entries, self.children, strict=False)]

    def fits(self, room: int) -> bool:
        return small_root_bytes(self.entries) + _CHILD_BYTES * (len(self.entries) + 1) <= room


def _parents(row: _Row, room: int, add: Callable[[Sequence[bytes], int], int]) -> _Row:
    """Put a row into blocks by `add(entries, child of the end)`; returns the separators as the next row."""
    entries = row.with_children()
    ends = list(accumulate(map(len, entries), initial=0))
    separators: list[bytes] = []
    vcns: list[int] = []
    first, count = 0, len(entries)
    while True:
        after = bisect_right(ends, ends[first] + room) - 1
        if after >= count:
            vcns.append(add(entries[first:], row.children[-1] if row.children else 0))
            return _Row(separators, vcns)
        if after == count - 1:
            after -= 1  # Its separator would leave nothing for the last block.
        vcns.append(add(entries[first:after], row.children[after] if row.children else 0))
        separators.append(row.entries[after])
        first = after + 1


def _with_child(entry: bytes, vcn: int) -> bytes:
    """A leaf entry turned into one that has a child."""
    changed = bytearray(entry)
    changed[_length_at : _length_at + 2] = (len(entry) + _CHILD_BYTES).to_bytes(2, "little")
    changed[_flags_at] |= ENTRY_HAS_CHILD
    return bytes(changed) + _child_vcn.pack(vcn)


def _end_with(vcn: int) -> bytes:
    """The end entry of a node with children."""
    return _with_child(_END, vcn)


def _block(vcn: int, entries: bytes, flags: int) -> bytes:
    """One INDX block, its update sequence not yet in place."""
    header = IndexHeader(
        entries_offset=ENTRIES_AT - IndexBlock.SIZE,
        length_bytes=ENTRIES_AT - IndexBlock.SIZE + len(entries),
        allocated_bytes=BLOCK_BYTES - IndexBlock.SIZE,
        flags=flags,
    )
    head = IndexBlock(vcn=vcn).pack() + header.pack()
    return (head.ljust(ENTRIES_AT, b"\0") + entries).ljust(BLOCK_BYTES, b"\0")


def root_value(index: PackedIndex, indexed_type: int, collation: int, cluster_bytes: int) -> bytes:
    """The value of $INDEX_ROOT."""
    length = IndexHeader.SIZE + len(index.root_entries)
    header = IndexHeader(
        entries_offset=IndexHeader.SIZE,
        length_bytes=length,
        allocated_bytes=length,
        flags=HAS_CHILDREN if index.blocks else 0,
    )
    root = IndexRoot(
        indexed_type=indexed_type,
        collation=collation,
        clusters_per_block=BLOCK_BYTES // vcn_unit(cluster_bytes),
    )
    return root.pack() + header.pack() + index.root_entries
