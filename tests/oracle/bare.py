"""A volume taken apart by offsets and `struct` alone: records, attributes, runs, index blocks.

Shares no code with what it judges.  Nothing is trusted and nothing is repaired: what cannot be taken
apart raises `Broken`, which says where.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

Run: TypeAlias = tuple[int | None, int]  # LCN (None: a hole), clusters.

STRIDE = 512
RECORD_MASK = (1 << 48) - 1
END = 0xFFFFFFFF
SPARSE, COMPRESSED = 0x8000, 0x00FF
LIST, NAME, DATA, ROOT, BLOCKS, BITMAP = 0x20, 0x30, 0x80, 0x90, 0xA0, 0xB0


class Broken(Exception):
    """Something that has no meaning."""


class Piece(NamedTuple):
    """An attribute, or the part of one that one record has."""

    type_code: int
    name: str
    flags: int
    instance: int
    length: int
    value: bytes | None  # None: it lies in clusters.
    indexed: int = 0
    lowest: int = 0
    highest: int = -1
    runs: tuple[Run, ...] = ()
    unit: int = 0
    allocated: int = 0
    size: int = 0
    initialized: int = 0
    stored: int | None = None  # The size in clusters, where the header has it.

    @property
    def clusters(self) -> int:
        return sum(count for _, count in self.runs)


class Record(NamedTuple):
    """An MFT record that is in use."""

    number: int
    sequence: int
    links: int
    flags: int
    used: int
    allocated: int
    base: int
    next_instance: int
    own_number: int | None  # Not every maker writes it.
    end: int  # Where the end marker lies.
    pieces: tuple[Piece, ...]

    @property
    def reference(self) -> int:
        return self.sequence << 48 | self.number


class IndexEntry(NamedTuple):
    reference: int
    key: bytes
    child: int | None
    is_last: bool


class Node(NamedTuple):
    """The entries of an index root or block, the end entry among them."""

    has_children: bool
    entries: tuple[IndexEntry, ...]


def u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def restored(raw: bytes, magic: bytes) -> bytes:
    """A protected structure without its update sequence."""
    if raw[:4] != magic:
        raise Broken(f"begins with {raw[:4]!r}, not {magic!r}")
    buffer, at, count = bytearray(raw), u16(raw, 4), u16(raw, 6)
    if count != len(raw) // STRIDE + 1 or at % 2 or at + 2 * count > STRIDE - 2:
        raise Broken(f"an update sequence of {count} at {at:#x}")
    for k in range(1, count):
        if raw[STRIDE * k - 2 : STRIDE * k] != raw[at : at + 2]:
            raise Broken(f"torn in sector {k - 1}")
        buffer[STRIDE * k - 2 : STRIDE * k] = raw[at + 2 * k : at + 2 * k + 2]
    return bytes(buffer)


def parse_record(raw: bytes, number: int) -> Record | None:
    """A record in use; None for one that is free."""
    if not any(raw[:4]):
        return None
    data = restored(raw, b"FILE")
    sequence, links, first, flags, used, allocated, base, next_instance = struct.unpack_from(
        "<4H2IQH", data, 0x10
    )
    if not flags & 1:
        return None
    usa_end = u16(data, 4) + 2 * u16(data, 6)
    if first % 8 or not usa_end <= first < used <= len(data):
        raise Broken(f"attributes from {first:#x} to {used:#x}")
    at, pieces = first, []
    while (code := u32(data, at)) != END:
        length = u32(data, at + 4)
        if length % 8 or length < 0x18 or at + length > used - 4:
            raise Broken(f"attribute {code:#x} at {at:#x} is {length} bytes long")
        try:
            pieces.append(parse_attribute(data[at : at + length]))
        except Broken as why:
            raise Broken(f"attribute {code:#x} at {at:#x}: {why}") from None
        at += length
    own_number = u32(data, 0x2C) if u16(data, 4) >= 0x30 else None
    return Record(
        number, sequence, links, flags, used, allocated, base, next_instance, own_number, at, tuple(pieces)
    )


def parse_attribute(data: bytes) -> Piece:
    code, length, outside, units, name_at, flags, instance = struct.unpack_from("<2I2B3H", data)
    if name_at + 2 * units > len(data) or outside > 1:
        raise Broken("a header without meaning")
    name = data[name_at : name_at + 2 * units].decode("utf-16-le", "surrogatepass")
    if not outside:
        size, start, indexed = struct.unpack_from("<IHB", data, 0x10)
        if start % 8 or start < 0x18 + 2 * units or start + size > len(data):
            raise Broken(f"a value of {size} bytes at {start:#x}")
        return Piece(code, name, flags, instance, length, data[start : start + size], indexed, size=size)
    lowest, highest, runs_at, unit = struct.unpack_from("<QqHB", data, 0x10)
    allocated, size, initialized = struct.unpack_from("<3Q", data, 0x28)
    has_stored = bool(flags & (SPARSE | COMPRESSED)) and not lowest
    if runs_at < (0x48 if has_stored else 0x40) + 2 * units or runs_at >= length:
        raise Broken(f"a run list at {runs_at:#x}")
    # Where ntfs3 has emptied a stream it leaves the old list, which counts for nothing.
    runs = tuple(parse_runs(data[runs_at:])) if highest + 1 > lowest else ()
    return Piece(
        code,
        name,
        flags,
        instance,
        length,
        None,
        0,
        lowest,
        highest,
        runs,
        unit,
        allocated,
        size,
        initialized,
        u64(data, 0x40) if has_stored else None,
    )


def parse_runs(data: bytes) -> Iterator[Run]:
    at = lcn = 0
    while True:
        if at >= len(data):
            raise Broken("a run list without an end")
        head = data[at]
        if not head:
            return
        middle = at + 1 + (head & 15)
        at, begin = middle + (head >> 4), at + 1
        count = int.from_bytes(data[begin:middle], "little", signed=True)
        lcn += int.from_bytes(data[middle:at], "little", signed=True)
        if count <= 0 or lcn < 0 or at > len(data):
            raise Broken(f"a run of {count} clusters at {lcn}")
        yield (lcn if head >> 4 else None), count


def parse_node(data: bytes, header: int) -> Node:
    """The entries behind an index header."""
    offset, length, allocated = struct.unpack_from("<3I", data, header)
    if length > allocated or header + allocated > len(data) or offset % 8:
        raise Broken(f"an index of {length} bytes in {allocated}, entries at {offset:#x}")
    at, entries = header + offset, []
    while not entries or not entries[-1].is_last:
        if at + 16 > header + length:
            raise Broken("no end entry")
        size, key_size, flags = struct.unpack_from("<3H", data, at + 8)
        child = u64(data, at + size - 8) if flags & 1 else None
        if size % 8 or size < 16 + key_size + 8 * (flags & 1) or at + size > header + length:
            raise Broken(f"an entry of {size} bytes with a key of {key_size}")
        key = b"" if flags & 2 else data[at + 16 : at + 16 + key_size]
        entries.append(IndexEntry(u64(data, at), key, child, bool(flags & 2)))
        at += size
    if at != header + length:
        raise Broken(f"entries end at {at:#x}, the index at {header + length:#x}")
    return Node(bool(data[header + 0x0C] & 1), tuple(entries))


class Bare:
    """The bytes of a volume, and the ways from one structure to the next."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        if data[3:11] != b"NTFS    ":
            raise Broken("no boot sector")
        self.sector, per_cluster = struct.unpack_from("<HB", data, 0x0B)
        per_cluster = per_cluster if per_cluster <= 0x80 else 1 << 256 - per_cluster
        self.cluster = self.sector * per_cluster
        self.sectors, self.mft_lcn, self.mirror_lcn = struct.unpack_from("<3Q", data, 0x28)
        self.clusters = self.sectors // per_cluster
        self.record_bytes, self.block_bytes = (self._unit(data[at]) for at in (0x40, 0x44))
        # The numbers of index blocks count clusters, or sectors of 512 bytes where those are larger.
        self.block_unit = self.cluster if self.cluster <= self.block_bytes else 512

    def _unit(self, byte: int) -> int:
        return byte * self.cluster if byte < 0x80 else 1 << 256 - byte

    def part(self, runs: tuple[Run, ...], at: int, size: int) -> bytes:
        """Bytes of a stream; a hole reads as zeros."""
        found = []
        for lcn, count in runs:
            length = count * self.cluster
            if at < length and size > 0:
                take = min(length - at, size)
                start = (lcn or 0) * self.cluster + at
                found.append(bytes(take) if lcn is None else self.data[start : start + take])
                at, size = length, size - take
            at -= length
        return b"".join(found)

    def content(self, pieces: list[Piece]) -> bytes:
        """The whole value of an attribute that is not compressed; its pieces are in order."""
        if pieces[0].value is not None:
            return pieces[0].value
        runs = tuple(run for piece in pieces for run in piece.runs)
        whole = self.part(runs, 0, pieces[0].initialized)
        return whole.ljust(pieces[0].size, b"\0")

    def mft_pieces(self) -> list[Piece]:
        """$MFT's own $DATA: record 0 says where the first part is, and that where the next."""
        record = parse_record(self.part(((self.mft_lcn, 1 << 32),), 0, self.record_bytes), 0)
        if record is None:
            raise Broken("record 0 is free")
        pieces = [piece for piece in record.pieces if (piece.type_code, piece.name) == (DATA, "")]
        for listed in self.listed(record):
            if (listed.type_code, listed.name) == (DATA, "") and listed.lowest:
                number = listed.reference & RECORD_MASK
                runs = tuple(run for piece in pieces for run in piece.runs)
                other = parse_record(self.part(runs, number * self.record_bytes, self.record_bytes), number)
                pieces += [
                    piece
                    for piece in (other.pieces if other else ())
                    if (piece.type_code, piece.instance) == (DATA, listed.instance)
                ]
        return pieces

    def listed(self, record: Record) -> "list[Listed]":
        """The entries of a record's $ATTRIBUTE_LIST; none where it has no such list."""
        lists = [piece for piece in record.pieces if piece.type_code == LIST]
        return list(parse_list(self.content(lists))) if lists else []

    def blocks(self, content: bytes) -> Iterator[tuple[int, bytes]]:
        """Index blocks with their own numbers."""
        for at in range(0, len(content), self.block_bytes):
            yield at // self.block_unit, content[at : at + self.block_bytes]


class Listed(NamedTuple):
    """An entry of an $ATTRIBUTE_LIST."""

    type_code: int
    name: str
    lowest: int
    reference: int
    instance: int


def parse_list(data: bytes) -> Iterator[Listed]:
    at = 0
    while at < len(data):
        code, length, units, name_at, lowest, reference, instance = struct.unpack_from("<IHBBQQH", data, at)
        if length % 8 or length < 0x1A + 2 * units or at + length > len(data) or name_at != 0x1A:
            raise Broken(f"an entry of {length} bytes at {at:#x} of the list")
        name = data[at + 0x1A : at + 0x1A + 2 * units].decode("utf-16-le", "surrogatepass")
        yield Listed(code, name, lowest, reference, instance)
        at += length
