"""Indexes as trees: nodes, entries, order, bitmaps.  What the entries mean is for others."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeAlias

from ntfsbuild.checks.attributes import Say
from ntfsbuild.checks.state import I30, CheckedFile, Examination, label, text_of
from ntfsbuild.checks.storage import restored
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import index
from ntfsbuild.ondisk.index import IndexBlock, IndexEntry, IndexHeader, IndexRoot

MOST_LEVELS = 10  # A block has 6 entries at least: that is a tree of 60 million names.
_MOST_BITMAP_BYTES = 1 << 24
_ROOT = IndexRoot.LAYOUT
_HEADER = IndexHeader.LAYOUT
_ENTRY = struct.Struct("<QHHHH")
_VIEW = struct.Struct("<HHI")
_U64 = struct.Struct("<Q")
_LSN_AND_VCN = struct.Struct("<QQ")
_U32 = struct.Struct("<I")
_NAME_LENGTH_AT, _NAME_AT = 0x40, 0x42
_BETWEEN = "/".encode("utf-16-le")  # No name holds it.
_LAST_OF_BMP = "\uffff"
_COLLATIONS = {
    "$SII": index.COLLATE_ULONG,
    "$SDH": index.COLLATE_SECURITY_HASH,
    "$R": index.COLLATE_ULONGS,
    "$Q": index.COLLATE_ULONG,
}
_COLLATIONS_OF_O = {"$Quota": index.COLLATE_SID, "$ObjId": index.COLLATE_ULONGS}


class _Sid(NamedTuple):
    """The key of an owner: SIDs ascend as bytes, or as numbers; which of the two nobody has written down."""

    raw: bytes

    def __lt__(self, other: object) -> bool:
        assert isinstance(other, _Sid)
        return self.raw < other.raw or _numbers(self.raw) < _numbers(other.raw)


Key: TypeAlias = tuple[bytes, bytes] | tuple[int, ...] | _Sid | None


# What an entry names (-1: it ends its node), its key, its data, and its child's VCN (-1: it has none).
Entry: TypeAlias = tuple[int, bytes, bytes, int]
_NO_ONE = -1


class Stretch(NamedTuple):
    """Entries that follow each other in one node, its end not among them."""

    entries: list[Entry]
    apart: bool  # Their names and the one before them ascend even with case aside.


class Tree:
    """One index of a file, walked in the order of its keys."""

    def __init__(
        self, examination: Examination, file: CheckedFile, name: bytes, say: Say, owner: str = ""
    ) -> None:
        """`owner`: the name of one of NTFS's own files; what "$O" is sorted by depends on it."""
        self._examination = examination
        self._say = say
        self._number = file.number
        self._name = name
        self._what = label(kinds.INDEX_ROOT, name)
        self._blocks_what = label(kinds.INDEX_ALLOCATION, name)
        self._is_directory = name == I30
        self._owner = owner
        self._blocks = file.stream(kinds.INDEX_ALLOCATION, name)
        self._bitmap_stream = file.stream(kinds.BITMAP, name)
        self._bitmap = examination.content(self._bitmap_stream, _MOST_BITMAP_BYTES)
        self._root = file.streams[kinds.INDEX_ROOT, name].first.value
        self._reached: set[int] = set()
        self._before: bytes | None = None  # The key before those that come next.
        self._leaf_depth = -1
        self._collation = index.COLLATE_FILE_NAME
        self._key: Callable[[bytes], Key] = self._name_key
        self._block_count = 0
        if self._blocks is not None and not self._blocks.first.resident:
            self._extents = examination.extents(self._blocks)
            there = min(self._blocks.size, self._extents.size_bytes)
            self._block_count = there // examination.geometry.block_bytes

    def entries(self) -> Iterator[Entry]:
        """All entries in order, with what is wrong with the tree said on the way."""
        for stretch in self.stretches():
            yield from stretch.entries

    def stretches(self) -> Iterator[Stretch]:
        """The same, as many at once as follow each other in one node."""
        say, number, what = self._say, self._number, self._what
        root = self._root
        if len(root) < IndexRoot.SIZE + IndexHeader.SIZE:
            say("I01", number, "an index root", f"{len(root)} bytes", what)
            return
        kind, self._collation, block_bytes, per_block, reserved = _ROOT.unpack_from(root)
        self._check_root(kind, block_bytes, per_block)
        self._key = self._key_of()
        flags = root[IndexRoot.SIZE + 0x0C]
        self._check_large(bool(flags & index.HAS_CHILDREN))
        header = _HEADER.unpack_from(root, IndexRoot.SIZE)
        offset, length, allocated, _, more = header
        if flags > index.HAS_CHILDREN:
            say("I47", number, "0 or 1", flags, what, 0x1C)
        if any(reserved) or any(more):
            say("I39", number, "zeros", (reserved + more).hex(), what, 0x0D)
        there = len(root) - IndexRoot.SIZE
        if not IndexHeader.SIZE <= offset <= length <= allocated <= there or offset % 8 or length % 8:
            say("I05", number, f"up to {there:#x}", f"{offset:#x}, {length:#x}, {allocated:#x}", what, 0x10)
            length = min(length, there)
            offset = IndexHeader.SIZE
        node = self._node(root, IndexRoot.SIZE + offset, IndexRoot.SIZE + length, bool(flags & 1), what)
        yield from self._walk(node)
        self._check_bitmap()

    def _walk(self, root: list[Entry]) -> Iterator[Stretch]:
        say, number = self._say, self._number
        stack = [(root, 0)]
        while stack:
            node, begin = stack.pop()
            end = begin
            while end < len(node) and node[end][3] < 0:
                end += 1
            entries = node[begin:end]
            if entries and entries[-1][0] == _NO_ONE:
                entries.pop()
            if entries:
                yield Stretch(entries, self._is_apart(entries) or self._check_order(entries))
            if end == len(node):
                continue
            if len(stack) >= MOST_LEVELS:
                say("I22", number, f"at most {MOST_LEVELS} levels", "more", self._blocks_what)
                return
            reference, key, data, child = node[end]
            below = self._block(child, len(stack) + 1)
            node[end] = reference, key, data, -1  # It comes behind what lies below it.
            stack.append((node, end))
            stack.append((below, 0))

    def _is_apart(self, entries: list[Entry]) -> bool:
        """Whether the names ascend, case aside, so that there is nothing more to ask about their order."""
        keys = [entry[1] for entry in entries]
        if not self._is_directory or min(map(len, keys)) <= _NAME_AT:
            return False
        if self._collation != index.COLLATE_FILE_NAME or any(
            len(key) != _NAME_AT + 2 * key[_NAME_LENGTH_AT] for key in keys
        ):
            return False
        text = _BETWEEN.join([key[_NAME_AT:] for key in keys]).decode("utf-16-le", "surrogatepass")
        if not text.isascii() and max(text) > _LAST_OF_BMP:  # Then characters sort otherwise than code units.
            return False
        names = self._examination.upper(text).split("/")
        if len(names) != len(keys) or not all(map(operator.lt, names, islice(names, 1, None))):
            return False
        if self._before is not None and self._name_key(self._before)[0] >= self._name_key(keys[0])[0]:
            return False
        self._before = keys[-1]
        return True

    def _check_order(self, entries: list[Entry]) -> bool:
        """Compare each key with the one before it; always False."""
        before = self._key(self._before) if self._before is not None else None
        for _, raw, _, _ in entries:
            key = self._key(raw)
            if before is not None and key is not None and not before < key:  # type: ignore[operator]
                rule = "I19" if before == key else "I18"
                self._say(rule, self._number, "keys that ascend", self._shown(raw), self._what)
            before = key
        self._before = entries[-1][1]
        return False

    def _block(self, vcn: int, depth: int) -> list[Entry]:
        say, number, what = self._say, self._number, self._blocks_what
        geometry = self._examination.geometry
        place, rest = divmod(vcn * geometry.vcn_unit, geometry.block_bytes)
        if rest or place >= self._block_count:
            say("I14", number, f"one of {self._block_count} blocks", f"VCN {vcn}", what)
            return []
        if place in self._reached:
            say("I15", number, "one way to each block", f"another to VCN {vcn}", what)
            return []
        self._reached.add(place)
        at = place * geometry.block_bytes
        if not (place // 8 < len(self._bitmap) and self._bitmap[place // 8] >> place % 8 & 1):
            say("I16", number, f"a one for block {place}", 0, label(kinds.BITMAP, self._name))
        raw = self._extents.read(at, geometry.block_bytes)
        if raw[:4] != index.BLOCK_MAGIC:
            say("I08", number, "INDX", raw[:4].hex(" "), what, at)
            return []
        data, problem = restored(raw)
        if problem:
            say("I25" if problem.startswith("torn") else "I09", number, "whole", problem, what, at)
            if not problem.startswith("torn"):
                return []
        lsn, own_vcn = _LSN_AND_VCN.unpack_from(data, 8)
        if self._examination.log_lsn is not None and lsn > self._examination.log_lsn:
            say("I45", number, f"at most {self._examination.log_lsn:#x}", f"{lsn:#x}", what, at + 8)
        usa_offset = raw[4] | raw[5] << 8
        if not any(raw[usa_offset : usa_offset + 2]):
            say("I46", number, "not 0", 0, what, at + usa_offset)
        if own_vcn != vcn:
            say("I26", number, vcn, own_vcn, what, at + 0x10)
        return self._block_entries(data, at, depth)

    def _block_entries(self, data: bytes, at: int, depth: int) -> list[Entry]:
        say, number, what = self._say, self._number, self._blocks_what
        offset, length, allocated, flags, reserved = _HEADER.unpack_from(data, IndexBlock.SIZE)
        if flags > index.HAS_CHILDREN:
            say("I47", number, "0 or 1", flags, what, at + 0x24)
        if any(reserved):
            say("I43", number, "zeros", reserved.hex(), what, at + 0x25)
        there = len(data) - IndexBlock.SIZE
        usa_end = (data[4] | data[5] << 8) + 2 * (data[6] | data[7] << 8)
        sound = usa_end - IndexBlock.SIZE <= offset <= length <= allocated == there
        if not sound or offset % 8 or length % 8:
            say(
                "I10",
                number,
                f"up to {there:#x}",
                f"{offset:#x}, {length:#x}, {allocated:#x}",
                what,
                at + 0x18,
            )
            length = min(length, there)
            if not IndexHeader.SIZE <= offset <= there or offset % 8:
                return []
        begin, end = IndexBlock.SIZE + offset, IndexBlock.SIZE + length
        node = self._node(data, begin, end, bool(flags & index.HAS_CHILDREN), what, at)
        if not flags & index.HAS_CHILDREN:
            if self._leaf_depth not in (-1, depth):
                say("I20", number, f"leaves at level {self._leaf_depth}", f"one at {depth}", what, at)
            self._leaf_depth = depth
            if len(node) == 1 and len(self._reached) > 1:
                say("I21", number, "entries", "none", what, at)
        return node

    def _node(
        self, data: bytes, at: int, end: int, has_children: bool, what: str, place: int = 0
    ) -> list[Entry]:
        """The entries of a node, up to the first that makes no sense."""
        say, number = self._say, self._number
        found: list[Entry] = []
        plain = self._is_directory and not has_children
        unpack, head = _ENTRY.unpack_from, IndexEntry.SIZE
        while True:
            if at + head > end:
                say("I12", number, "an end mark", "none", what, place + at)
                return found
            reference, length, key_bytes, flags, reserved = unpack(data, at)
            if (
                plain
                and not flags | reserved
                and at + length < end
                and length >= head + key_bytes
                and not length % 8
            ):
                found.append((reference, data[at + head : at + head + key_bytes], b"", -1))
                at += length
                continue
            child = flags & index.ENTRY_HAS_CHILD
            needed = IndexEntry.SIZE + 8 * child
            last = flags & index.ENTRY_IS_LAST
            if not last:
                needed += key_bytes
            if length < needed or length % 8 or at + length > end or flags > 3:
                say("I11", number, f"{needed} to {end - at}", f"{length}, flags {flags:#x}", what, place + at)
                return found
            if reserved:
                say("I42", number, 0, reserved, what, place + at + 0x0E)
            if bool(child) != has_children:
                say("I13", number, has_children, bool(child), what, place + at)
            vcn = _U64.unpack_from(data, at + length - 8)[0] if child else -1
            if last:
                if key_bytes or length != needed:
                    say("I37", number, f"{needed} bytes, no key", f"{length}, {key_bytes}", what, place + at)
                if at + length != end:
                    say("I38", number, f"{end:#x}", f"{at + length:#x}", what, place + at)
                found.append((_NO_ONE, b"", b"", vcn))
                return found
            key = data[at + 0x10 : at + 0x10 + key_bytes]
            if self._is_directory:
                found.append((reference, key, b"", vcn))
            else:
                found.append(self._view_entry(data, at, length - 8 * child, key, vcn, what, place))
            at += length

    def _view_entry(
        self, data: bytes, at: int, length: int, key: bytes, vcn: int, what: str, place: int
    ) -> Entry:
        data_at, size, reserved = _VIEW.unpack_from(data, at)
        if reserved:
            self._say("I42", self._number, 0, reserved, what, place + at + 4)
        if size and not IndexEntry.SIZE + len(key) <= data_at <= length - size:
            found = f"{size} bytes at {data_at:#x}"
            self._say("I36", self._number, f"inside {length} bytes", found, what, place + at)
            size = 0
        return (0, key, data[at + data_at : at + data_at + size], vcn)

    # ---- the root and the bitmap

    def _check_root(self, kind: int, block_bytes: int, per_block: int) -> None:
        say, number, what = self._say, self._number, self._what
        geometry = self._examination.geometry
        wanted = kinds.FILE_NAME if self._is_directory else 0
        if kind != wanted:
            say("I02", number, f"{wanted:#x}", f"{kind:#x}", what, 0)
        name = text_of(self._name)
        known = _COLLATIONS.get(name) or _COLLATIONS_OF_O.get(self._owner if name == "$O" else "")
        collation = index.COLLATE_FILE_NAME if self._is_directory else known or self._collation
        if self._collation != collation:
            say("I07", number, f"{collation:#x}", f"{self._collation:#x}", what, 4)
        if block_bytes != geometry.block_bytes:
            say("I03", number, geometry.block_bytes, block_bytes, what, 8)
        if per_block * geometry.vcn_unit != geometry.block_bytes:
            say("I04", number, geometry.block_bytes // geometry.vcn_unit, per_block, what, 0x0C)

    def _check_large(self, large: bool) -> None:
        say, number = self._say, self._number
        if large and (self._blocks is None or self._bitmap_stream is None):
            say("I06", number, "blocks and a bitmap", "none", self._what, 0x1C)
        if self._blocks is None or self._blocks.first.resident:
            return
        size, first = self._examination.geometry.block_bytes, self._blocks.first
        in_use = int.from_bytes(self._bitmap, "little").bit_length() * size
        if first.size % size:
            say("I23", number, f"a multiple of {size}", first.size, self._blocks_what, first.at + 0x30)
        elif first.initialized < min(in_use, first.size):  # Makers leave blocks behind for later.
            expected, found = f"initialized up to {min(in_use, first.size)}", first.initialized
            say("I23", number, expected, found, self._blocks_what, first.at + 0x38)
        if len(self._bitmap) * 8 < self._block_count:
            found_bits = 8 * len(self._bitmap)
            say("I24", number, f"{self._block_count} bits", found_bits, label(kinds.BITMAP, self._name))

    def _check_bitmap(self) -> None:
        if self._bitmap_stream is None:
            return
        what = label(kinds.BITMAP, self._name)
        if len(self._bitmap) % 8:
            self._say("I40", self._number, "a multiple of 8 bytes", len(self._bitmap), what)
        bits = bytearray(self._bitmap)
        for place in self._reached:
            if place < 8 * len(bits):
                bits[place // 8] &= ~(1 << place % 8)
        if left := bits.lstrip(b"\0"):
            place = 8 * (len(bits) - len(left)) + (left[0] & -left[0]).bit_length() - 1
            self._say("I17", self._number, f"a zero for block {place}", "a one, and no way to it", what)

    # ---- keys

    def _key_of(self) -> Callable[[bytes], Key]:
        if self._collation == index.COLLATE_FILE_NAME:
            return self._name_key
        if self._collation == index.COLLATE_SID:
            return _Sid
        numbers = (index.COLLATE_ULONG, index.COLLATE_SECURITY_HASH, index.COLLATE_ULONGS)
        return _numbers if self._collation in numbers else _no_order

    def _name_key(self, key: bytes) -> tuple[bytes, bytes]:
        name = key[_NAME_AT : _NAME_AT + 2 * key[_NAME_LENGTH_AT]] if len(key) > _NAME_AT else b""
        name = name[: len(name) & ~1]
        text = name.decode("utf-16-le", "surrogatepass")
        return self._examination.folded(name), text.encode("utf-16-be", "surrogatepass")

    def _shown(self, key: bytes) -> str:
        return repr(text_of(key[_NAME_AT:])) if self._is_directory else key.hex()


def _numbers(key: bytes) -> tuple[int, ...]:
    return tuple(one[0] for one in _U32.iter_unpack(key[: len(key) & ~3]))


def _no_order(key: bytes) -> Key:
    return None
