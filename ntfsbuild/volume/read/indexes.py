"""Reads the index of a directory in order: every entry once; damage is reported."""

from __future__ import annotations

import struct
from codecs import utf_16_le_decode
from collections.abc import Callable, Iterator
from typing import TypeAlias

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import fixups
from ntfsbuild.ondisk.file_name import NAME_AT, FileName
from ntfsbuild.ondisk.index import (
    BLOCK_MAGIC,
    ENTRY_HAS_CHILD,
    ENTRY_IS_LAST,
    IndexBlock,
    IndexEntry,
    IndexHeader,
    IndexRoot,
    ViewEntry,
)
from ntfsbuild.ondisk.standard_information import Ticks4

_SMALLEST_BLOCK_BYTES, LARGEST_BLOCK_BYTES = 512, 2 << 20  # From a sector to the largest cluster.
_DEEPEST = 32  # 2**48 records need far fewer levels.

_FLAGS_AT = IndexEntry.offset_of("flags")
_LENGTH_AT = IndexEntry.offset_of("length_bytes")

_Found: TypeAlias = tuple[bytes | bytearray, int, int, int]  # Node, offset of the entry, key, length.
ReadBlock: TypeAlias = Callable[[int, int], bytes]
PassesOver: TypeAlias = Callable[[bytes | bytearray, int, int, int], bool]  # The same four.

_entry = IndexEntry.LAYOUT
_entry_with_name = struct.Struct("<" + IndexEntry.LETTERS + FileName.LETTERS)
_NAME_IN_ENTRY = IndexEntry.SIZE + NAME_AT
_name = FileName.LAYOUT


class NameEntry(NamedTuple):
    """An entry of a directory: a file reference, and its key, a $FILE_NAME value."""

    reference: int
    parent_reference: int
    created_ticks: int
    modified_ticks: int
    changed_ticks: int
    accessed_ticks: int
    allocated_bytes: int
    data_bytes: int
    attributes: int
    reparse_tag: int
    namespace: int
    name: str


class Index(NamedTuple):
    """The parts of an index.

    `root` is the $INDEX_ROOT value, `read_block(vcn, size)` reads a block of $INDEX_ALLOCATION, `unit_bytes`
    is the unit of a VCN.  `marked()` is the value of $BITMAP; when all entries were read, `lose` is called
    for blocks in use that no entry leads to.
    """

    root: bytes
    read_block: ReadBlock
    unit_bytes: int
    marked: Callable[[], bytes]
    lose: Callable[[str], None]


def name_entries(
    index: Index, what: str, is_before: Callable[[NameEntry], bool] | None = None
) -> Iterator[NameEntry]:
    """The entries of a directory in collation order; those for which `is_before` is true are skipped.

    The child nodes of skipped entries are not read.
    """

    if is_before is None:
        yield from _all_names(index, what)
        return

    def passes_over(data: bytes | bytearray, at: int, key_bytes: int, length: int) -> bool:
        return is_before(_name_entry(data, at + IndexEntry.SIZE, key_bytes, length, 0))

    try:
        walk = _walk(index, passes_over)
        for data, at, key_bytes, length in _node(walk, index.root, IndexRoot.SIZE, 0):
            reference = int.from_bytes(data[at : at + 8], "little")
            yield _name_entry(data, at + IndexEntry.SIZE, key_bytes, length, reference)
    except CorruptVolume as error:
        raise CorruptVolume(f"{what}: $I30: {error}") from None


def _all_names(index: Index, what: str) -> list[NameEntry]:
    """All entries of a directory in collation order; its blocks are compared with its $BITMAP."""
    found: list[NameEntry] = []
    walk = _walk(index)
    try:
        _gather_names(walk, index.root, IndexRoot.SIZE, 0, found)
    except CorruptVolume as error:
        raise CorruptVolume(f"{what}: $I30: {error}") from None
    _check_reached(index, walk)
    return found


def _gather_names(
    walk: _Walk, data: bytes | bytearray, header_at: int, depth: int, found: list[NameEntry]
) -> None:
    """Append the entries of a node and of its child nodes: like `_node`, but faster for whole directories."""
    at, end = _bounds(data, header_at, depth)
    unpack, last = _entry_with_name.unpack_from, end - _entry_with_name.size
    make, append = NameEntry._make, found.append
    while at <= last:
        head = unpack(data, at)
        reference, length, key_bytes, flags = head[:4]
        name_end = NAME_AT + 2 * head[14]
        if flags or length % 8 or name_end > key_bytes or key_bytes + 16 > length or at + length > end:
            # The entry has a child, is the last one, or is damaged.
            _check_entry(at, length, end)
            if flags & ENTRY_HAS_CHILD:
                vcn = int.from_bytes(data[at + length - 8 : at + length], "little")
                try:
                    _gather_names(walk, _block(walk, vcn), IndexBlock.SIZE, depth + 1, found)
                except CorruptVolume as error:  # The entries of other blocks are sound.
                    walk.lose(str(error))
            if flags & ENTRY_IS_LAST:
                return
            append(_name_entry(data, at + IndexEntry.SIZE, key_bytes, length, reference))
        else:
            name, _ = utf_16_le_decode(data[at + _NAME_IN_ENTRY : at + 16 + name_end], "surrogatepass", True)
            append(make((reference, *head[5:14], head[15], name)))
        at += length
    # The rest is too short for a name: the end.
    for node, place, key_bytes, length in _node(walk, data, header_at, depth, at):
        reference = int.from_bytes(node[place : place + 8], "little")
        append(_name_entry(node, place + IndexEntry.SIZE, key_bytes, length, reference))


def leaf_entries(index: Index, what: str) -> Iterator[bytes]:
    """The entries of any index in order, each as a leaf entry, without its child's VCN."""
    try:
        walk = _walk(index)
        for data, at, _, length in _node(walk, index.root, IndexRoot.SIZE, 0):
            entry = bytearray(data[at : at + length])
            if entry[_FLAGS_AT] & ENTRY_HAS_CHILD:
                del entry[-8:]
                entry[_FLAGS_AT] &= ~ENTRY_HAS_CHILD
                entry[_LENGTH_AT : _LENGTH_AT + 2] = len(entry).to_bytes(2, "little")
            yield bytes(entry)
    except CorruptVolume as error:
        raise CorruptVolume(f"{what}: {error}") from None
    _check_reached(index, walk)


def view_data(index: Index, what: str, key: bytes) -> bytes | None:
    """The data of a key of a view index, found from the root downwards; its keys are 32-bit numbers."""

    def passes_over(data: bytes | bytearray, at: int, key_bytes: int, length: int) -> bool:
        return _numbers(data[at + ViewEntry.SIZE : at + min(length, ViewEntry.SIZE + key_bytes)]) < wanted

    wanted = _numbers(key)
    try:
        walk = _walk(index, passes_over)
        for data, at, key_bytes, length in _node(walk, index.root, IndexRoot.SIZE, 0):
            if data[at + ViewEntry.SIZE : at + ViewEntry.SIZE + key_bytes] != key:
                return None
            head = ViewEntry.unpack(data, at)
            if head.data_offset + head.data_bytes > length:
                raise CorruptVolume(f"the data of an entry at {at:#x} ends behind it")
            return bytes(data[at + head.data_offset : at + head.data_offset + head.data_bytes])
    except CorruptVolume as error:
        raise CorruptVolume(f"{what}: {error}") from None
    return None


def _numbers(key: bytes | bytearray) -> list[int]:
    return [int.from_bytes(key[at : at + 4], "little") for at in range(0, len(key), 4)]


def _walk(index: Index, passes_over: PassesOver | None = None) -> _Walk:
    block_bytes = IndexRoot.unpack(index.root).block_bytes
    if not _SMALLEST_BLOCK_BYTES <= block_bytes <= LARGEST_BLOCK_BYTES or block_bytes & block_bytes - 1:
        raise CorruptVolume(f"$INDEX_ROOT: blocks of {block_bytes} bytes")
    return _Walk(index.read_block, block_bytes, passes_over, set(), index.lose)


def _check_reached(index: Index, walk: _Walk) -> None:
    """Compare the blocks that entries lead to with those that $BITMAP marks as in use.

    If no entry leads to a block in use, the entries in that block are lost.
    """
    marked = index.marked()
    reached = bytearray(len(marked))
    for vcn in walk.seen:
        place = vcn * index.unit_bytes // walk.block_bytes
        if place >= len(marked) * 8:
            index.lose(f"the block at VCN {vcn} is in use, and its $BITMAP ends before it")
            return
        reached[place // 8] |= 1 << place % 8
    if reached == marked:
        return
    lost = int.from_bytes(marked, "little") & ~int.from_bytes(reached, "little")
    if lost:
        first = ((lost & -lost).bit_length() - 1) * walk.block_bytes // index.unit_bytes
        index.lose(
            f"no entry leads to {lost.bit_count()} of the blocks that its $BITMAP marks, the first at VCN "
            f"{first}: entries are missing"
        )
    else:
        index.lose("entries lead to blocks that its $BITMAP marks as free")


class _Walk(NamedTuple):
    """The values shared by all nodes of one walk."""

    read_block: ReadBlock
    block_bytes: int
    passes_over: PassesOver | None
    seen: set[int]
    lose: Callable[[str], None]


def _bounds(data: bytes | bytearray, header_at: int, depth: int) -> tuple[int, int]:
    """The begin and the end of a node's entries."""
    if depth > _DEEPEST:
        raise CorruptVolume(f"more than {_DEEPEST} levels")
    header = IndexHeader.unpack(data, header_at)
    at, end = header_at + header.entries_offset, header_at + header.length_bytes
    if end > len(data):
        raise CorruptVolume(f"entries end at {end:#x}, the node has {len(data):#x} bytes")
    return at, end


def _check_entry(at: int, length: int, end: int) -> None:
    if length < IndexEntry.SIZE or length % 8 or at + length > end:
        raise CorruptVolume(f"an entry of {length} bytes at {at:#x}")


def _node(
    walk: _Walk, data: bytes | bytearray, header_at: int, depth: int, begin: int | None = None
) -> Iterator[_Found]:
    """The entries of a node, from the first one or from `begin` on, and those of its child nodes."""
    at, end = _bounds(data, header_at, depth)
    at = at if begin is None else begin
    while True:
        if at + IndexEntry.SIZE > end:
            raise CorruptVolume(f"no end entry before {end:#x}")
        _, length, key_bytes, flags, _ = _entry.unpack_from(data, at)
        _check_entry(at, length, end)
        passes = walk.passes_over
        if passes is not None and not flags & ENTRY_IS_LAST and passes(data, at, key_bytes, length):
            at += length
            continue
        if flags & ENTRY_HAS_CHILD:
            vcn = int.from_bytes(data[at + length - 8 : at + length], "little")
            yield from _node(walk, _block(walk, vcn), IndexBlock.SIZE, depth + 1)
        if flags & ENTRY_IS_LAST:
            return
        yield data, at, key_bytes, length
        at += length


def _block(walk: _Walk, vcn: int) -> bytearray:
    """The block at a VCN, with its update sequence undone."""
    if vcn in walk.seen:
        raise CorruptVolume(f"two entries point to the block at VCN {vcn}")
    walk.seen.add(vcn)
    block = bytearray(walk.read_block(vcn, walk.block_bytes))
    head = IndexBlock.unpack(block)
    if head.magic != BLOCK_MAGIC or len(block) < walk.block_bytes:
        raise CorruptVolume(f"the block at VCN {vcn} begins with {head.magic!r}, expected {BLOCK_MAGIC!r}")
    fixups.restore(block, f"the block at VCN {vcn}")
    if head.vcn != vcn:
        raise CorruptVolume(f"the block at VCN {vcn} says that it is {head.vcn}")
    return block


def _name_entry(data: bytes | bytearray, at: int, key_bytes: int, length: int, reference: int) -> NameEntry:
    if key_bytes < NAME_AT or key_bytes > length - IndexEntry.SIZE:
        raise CorruptVolume(f"a key of {key_bytes} bytes at {at:#x}")
    fields = _name.unpack_from(data, at)
    name_end = at + NAME_AT + 2 * fields[9]
    if name_end > at + key_bytes:
        raise CorruptVolume(f"a name of {fields[9]} units in a key of {key_bytes} bytes at {at:#x}")
    name = data[at + NAME_AT : name_end].decode("utf-16-le", "surrogatepass")
    return NameEntry._make((reference, *fields[:9], fields[10], name))


def name_of_value(value: bytes, reference: int = 0) -> NameEntry:
    """A parsed $FILE_NAME value, with the file reference that the caller gives."""
    if len(value) < NAME_AT:
        raise CorruptVolume(f"a $FILE_NAME of {len(value)} bytes")
    return _name_entry(value, 0, len(value), len(value) + IndexEntry.SIZE, reference)


def times_of(entry: NameEntry) -> Ticks4:
    """The times of a name, or of an entry of a directory."""
    return entry.created_ticks, entry.modified_ticks, entry.changed_ticks, entry.accessed_ticks
