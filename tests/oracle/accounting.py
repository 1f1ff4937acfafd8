"""The books of a volume: every bit, name, link and entry has what it stands for, and the other way round.

Written from the format, held to what mkntfs, ntfs-3g, ntfs3 and Windows make: of their volumes it has
nothing to say.  `python -m tests.oracle.accounting IMAGE…` prints what it finds.
"""

import contextlib
import hashlib
import mmap
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.oracle.bare import (
    BITMAP,
    BLOCKS,
    COMPRESSED,
    DATA,
    LIST,
    NAME,
    RECORD_MASK,
    ROOT,
    SPARSE,
    Bare,
    Broken,
    Node,
    Piece,
    Record,
    parse_node,
    parse_record,
    restored,
    u16,
    u32,
    u64,
)

MIRROR, ROOT_DIRECTORY, CLUSTER_BITMAP, SECURE, UPCASE, EXTEND = 1, 5, 6, 9, 10, 11
INFORMATION, OBJECT_ID, SECURITY, REPARSE_POINT = 0x10, 0x40, 0x50, 0xC0
ALWAYS_RESIDENT = {INFORMATION, NAME, OBJECT_ID, 0x60, 0x70, ROOT, 0xD0}
IS_DIRECTORY, HAS_VIEW = 2, 8
BINARY, FILE_NAME, ULONG, SID, HASH, ULONGS = 0, 1, 0x10, 0x11, 0x12, 0x13
MIRRORED = 24  # Where clusters are large, the file has room for more, which Windows does not keep up.
FAULTS_MAX = 200
Pieces = dict[tuple[int, str], list[Piece]]


def faults(image: Path) -> list[str]:
    """What is wrong, one line each; empty for a sound volume."""
    with image.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return Accounting(Bare(data)).run()[:FAULTS_MAX]  # type: ignore[arg-type]
        except Broken as why:
            return [f"the volume: {why}"]


@contextlib.contextmanager
def _books(image: Path) -> "Iterator[Accounting]":
    """With records and files read, and no fault found yet."""
    with image.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        books = Accounting(Bare(data))  # type: ignore[arg-type]
        books.read_records()
        books.gather_files()
        yield books


def fingerprints(image: Path) -> dict[int, tuple[str, str]]:
    """Of each record in use: a name of its file, and a digest of its bytes, slack and all."""
    found = {}
    with _books(image) as books:
        size = books.volume.record_bytes
        mft = books.volume.content(books.volume.mft_pieces())
        for number, record in books.records.items():
            names = books.files[record.base & RECORD_MASK or number].get((NAME, ""), [])
            digest = hashlib.sha256(mft[number * size : (number + 1) * size]).hexdigest()
            found[number] = _text((names[0].value or b"")[0x40:]) if names else "", digest
    return found


def extensions(image: Path) -> int:
    """How many records are not the first of their file."""
    with _books(image) as books:
        return sum(bool(record.base) for record in books.records.values())


def free_clusters(image: Path) -> int:
    with _books(image) as books:
        bits = books.bits(books.content(CLUSTER_BITMAP, DATA))
        return books.volume.clusters - sum(bit < books.volume.clusters for bit in bits)


def layout_of_mft(image: Path) -> tuple[int, int]:
    """In how many pieces (records) and runs $MFT lies."""
    with _books(image) as books:
        pieces = books.files[0][DATA, ""]
        return len(pieces), sum(len(piece.runs) for piece in pieces)


class Accounting:
    def __init__(self, volume: Bare) -> None:
        self.volume = volume
        self.faults: list[str] = []
        self.records: dict[int, Record] = {}
        self.files: dict[int, Pieces] = {}  # By the number of the base record.
        self.entries: dict[int, list[tuple[int, bytes]]] = {}  # Of $I30: reference and key, in order.

    def run(self) -> list[str]:
        self.read_records()
        self.gather_files()
        self.account_for_clusters()
        self.upcase = self.content(UPCASE, DATA)
        for number in self.files:
            self.check_file(number)
        self.check_names()
        self.check_views()
        self.check_copies()
        return self.faults

    def say(self, number: int, text: str) -> None:
        self.faults.append(f"record {number}: {text}")

    def content(self, number: int, type_code: int, name: str = "") -> bytes:
        pieces = self.files.get(number, {}).get((type_code, name))
        if pieces is None:
            raise Broken(f"record {number} has no attribute {type_code:#x} {name}")
        return self.volume.content(pieces)

    # ---- records

    def read_records(self) -> None:
        volume = self.volume
        pieces = volume.mft_pieces()
        mft = volume.content(pieces)
        if len(mft) % volume.record_bytes:
            self.say(0, f"$MFT has {len(mft)} bytes")
        used = set()
        for number in range(len(mft) // volume.record_bytes):
            raw = mft[number * volume.record_bytes : (number + 1) * volume.record_bytes]
            try:
                record = parse_record(raw, number)
            except Broken as why:
                self.say(number, str(why))
                continue
            if record is not None:
                used.add(number)
                self.records[number] = record
                self.check_record(record)
        bits = self.bits(volume.content([p for p in self.records[0].pieces if p.type_code == BITMAP]))
        for number in sorted(used ^ bits):
            self.say(number, "in use, but free in $BITMAP" if number in used else "free, but set in $BITMAP")

    @staticmethod
    def bits(data: bytes) -> set[int]:
        return {at * 8 + bit for at, byte in enumerate(data) if byte for bit in range(8) if byte >> bit & 1}

    def check_record(self, record: Record) -> None:
        number = record.number
        instances = [piece.instance for piece in record.pieces]
        codes = [piece.type_code for piece in record.pieces]
        for wrong, text in (
            (record.allocated != self.volume.record_bytes, f"{record.allocated} bytes allocated"),
            (
                record.used != record.end + 8,
                f"{record.used:#x} bytes used, the end marker at {record.end:#x}",
            ),
            (record.own_number not in (None, number), f"says that it is {record.own_number}"),
            (record.sequence == 0, "sequence number 0"),
            (0 < number < 16 and record.sequence != number, f"sequence number {record.sequence}"),
            (len(set(instances)) != len(instances), f"instances {instances}"),
            (max(instances, default=-1) >= record.next_instance, f"next instance {record.next_instance}"),
            (codes != sorted(codes), f"attributes in the order {codes}"),
        ):
            if wrong:
                self.say(number, text)
        for piece in record.pieces:
            self.check_piece(number, piece)

    def check_piece(self, number: int, piece: Piece) -> None:
        what = f"attribute {piece.type_code:#x} {piece.name}"
        if piece.indexed != (piece.type_code == NAME):
            self.say(number, f"{what}: indexed {piece.indexed}")
        if piece.value is not None:
            if piece.type_code == BLOCKS:
                self.say(number, f"{what} is resident")
            return
        if piece.type_code in ALWAYS_RESIDENT:
            self.say(number, f"{what} is not resident")
        if piece.highest + 1 - piece.lowest != piece.clusters:
            self.say(number, f"{what}: {piece.clusters} clusters for {piece.lowest} to {piece.highest}")

    # ---- files

    def gather_files(self) -> None:
        extensions: dict[int, list[Record]] = defaultdict(list)
        for record in self.records.values():
            if record.base:
                extensions[record.base & RECORD_MASK].append(record)
        for number, others in extensions.items():
            base = self.records.get(number)
            for other in others:
                if base is None or base.base or other.base != base.reference:
                    self.say(other.number, f"extension of {other.base:#x}, which is something else")
        for record in self.records.values():
            if not record.base:
                parts = [record, *extensions[record.number]]
                self.files[record.number] = self.pieces_of(record, parts)

    def pieces_of(self, base: Record, parts: list[Record]) -> Pieces:
        """By type and name, in the order of their VCNs; held to the list, where there is one."""
        there = [
            (piece.type_code, piece.name, piece.lowest, part.reference, piece.instance)
            for part in parts
            for piece in part.pieces
            if piece.type_code != LIST
        ]
        listed = [tuple(entry) for entry in self.volume.listed(base)]
        has_list = any(piece.type_code == LIST for piece in base.pieces)
        if has_list and Counter(there) != Counter(listed):
            self.say(base.number, f"its list has {listed}, its records {there}")
        if not has_list and len(parts) > 1:
            self.say(base.number, "has extensions and no list")
        keys = [(entry[0], entry[1].upper(), entry[2]) for entry in listed if entry[0] != NAME]
        if keys != sorted(keys):
            self.say(base.number, f"its list is out of order: {keys}")
        if len(parts) == 1:
            ordered = [(p.type_code, p.name.upper(), p.lowest) for p in base.pieces if p.type_code != NAME]
            if ordered != sorted(ordered):
                self.say(base.number, f"attributes out of order: {ordered}")
        found: Pieces = defaultdict(list)
        for part in parts:
            for piece in part.pieces:
                found[piece.type_code, piece.name].append(piece)
        return {key: sorted(pieces, key=lambda piece: piece.lowest) for key, pieces in found.items()}

    def check_file(self, number: int) -> None:
        pieces, record = self.files[number], self.records[number]
        if len(pieces.get((INFORMATION, ""), ())) != 1:
            self.say(number, "not one $STANDARD_INFORMATION")
        names = pieces.get((NAME, ""), [])
        if record.links != len(names):
            self.say(number, f"{record.links} links, {len(names)} names")
        for (code, name), parts in pieces.items():
            if code != NAME:
                self.check_attribute(number, f"attribute {code:#x} {name}", parts)
        try:
            for code, name in pieces:
                if code == ROOT:
                    self.check_index(number, name)
        except Broken as why:
            self.say(number, f"index: {why}")
        if bool(record.flags & IS_DIRECTORY) != ((ROOT, "$I30") in pieces):
            self.say(number, f"flags {record.flags:#x}, but the index says otherwise")
        has_view = any(code == ROOT and name != "$I30" for code, name in pieces)
        if bool(record.flags & HAS_VIEW) != has_view:
            self.say(number, f"flags {record.flags:#x}, but the view index says otherwise")

    def check_attribute(self, number: int, what: str, parts: list[Piece]) -> None:
        first = parts[0]
        if first.value is not None:
            if len(parts) > 1:
                self.say(number, f"{what} is there {len(parts)} times")
            return
        at = 0
        for piece in parts:
            if piece.value is not None or piece.lowest != at:
                self.say(number, f"{what}: a piece from {piece.lowest}, expected {at}")
            at += piece.clusters
        runs = [run for piece in parts for run in piece.runs]
        there = sum(count for lcn, count in runs if lcn is not None) * self.volume.cluster
        holey = first.flags & (SPARSE | COMPRESSED) or what.endswith("$Bad")
        for wrong, text in (
            (first.allocated != at * self.volume.cluster, f"allocated {first.allocated} for {at} clusters"),
            (not first.initialized <= first.size <= first.allocated, f"sizes {first[-4:-1]}"),
            (first.stored not in (None, there), f"stored {first.stored}, has {there}"),
            (not holey and any(lcn is None for lcn, _ in runs), "a hole in a stream that has none"),
        ):
            if wrong:
                self.say(number, f"{what}: {text}")

    # ---- clusters

    def account_for_clusters(self) -> None:
        volume = self.volume
        taken = bytearray(volume.clusters)
        for number, pieces in self.files.items():
            for (code, name), parts in pieces.items():
                for lcn, count in [run for piece in parts for run in piece.runs]:
                    if lcn is None:
                        continue
                    what = f"attribute {code:#x} {name}: {count} clusters from {lcn}"
                    if lcn + count > volume.clusters:
                        self.say(number, f"{what}: behind the end")
                    elif taken.count(1, lcn, lcn + count):
                        self.say(number, f"{what}: some belong to another, too")
                    else:
                        taken[lcn : lcn + count] = b"\1" * count
        bitmap = self.content(CLUSTER_BITMAP, DATA)
        if len(bitmap) * 8 < volume.clusters:
            raise Broken(f"$Bitmap has {len(bitmap)} bytes for {volume.clusters} clusters")
        marked = b"".join(map(EIGHT.__getitem__, bitmap))[: volume.clusters]
        if marked != taken:
            for lcn in range(volume.clusters):
                if marked[lcn] != taken[lcn]:
                    self.faults.append(f"cluster {lcn}: {'leaked' if marked[lcn] else 'in use, but free'}")

    # ---- indexes

    def check_index(self, number: int, name: str) -> None:
        pieces = self.files[number]
        root = self.content(number, ROOT, name)
        kind, collation, block_bytes = u32(root, 0), u32(root, 4), u32(root, 8)
        if block_bytes != self.volume.block_bytes or root[12] * self.volume.block_unit != block_bytes:
            self.say(number, f"{name}: blocks of {block_bytes} bytes, {root[12]} units")
        if (kind, collation == FILE_NAME) != ((NAME, True) if name == "$I30" else (0, False)):
            self.say(number, f"{name}: indexes {kind:#x} by {collation:#x}")
        blocks: dict[int, Node] = {}
        if (BLOCKS, name) in pieces:
            bits = self.bits(self.content(number, BITMAP, name))
            for place, (vcn, raw) in enumerate(self.volume.blocks(self.content(number, BLOCKS, name))):
                if place in bits:
                    bits.remove(place)
                    block = restored(raw, b"INDX")
                    if u64(block, 0x10) != vcn:
                        self.say(number, f"{name}: block {vcn} says that it is {u64(block, 0x10)}")
                    blocks[vcn] = parse_node(block, 0x18)
            if bits:
                self.say(number, f"{name}: bits {sorted(bits)} are set, which no block has")
        entries = list(self.in_order(parse_node(root, 0x10), blocks))
        for vcn in blocks:
            self.say(number, f"{name}: nothing leads to block {vcn}")
        order = self.orders(collation)
        keys = [order(key) for _, key in entries]
        for k in range(len(keys) - 1):
            if not keys[k] < keys[k + 1]:
                self.say(number, f"{name}: {entries[k][1]!r} stands before {entries[k + 1][1]!r}")
        if name == "$I30":
            self.entries[number] = entries

    def in_order(self, node: Node, blocks: dict[int, Node], depth: int = 0) -> Iterator[tuple[int, bytes]]:
        """Reference and key of each entry; blocks that were reached are taken out of `blocks`."""
        if depth and len(node.entries) == 1 and not node.has_children and depth > 1:
            self.faults.append("index: an empty leaf")
        for entry in node.entries:
            if (entry.child is not None) != node.has_children:
                raise Broken(f"an entry with child {entry.child} where the node says {node.has_children}")
            if entry.child is not None:
                below = blocks.pop(entry.child, None)
                if below is None:
                    raise Broken(f"child {entry.child} is not there, or reached twice")
                yield from self.in_order(below, blocks, depth + 1)
            if not entry.is_last:
                yield entry.reference, entry.key

    def orders(self, collation: int):  # type: ignore[no-untyped-def]
        if collation == FILE_NAME:
            return self.by_name
        if collation in (ULONG, HASH, ULONGS):
            return lambda key: [u32(key, at) for at in range(0, len(key), 4)]
        return lambda key: key

    def by_name(self, key: bytes) -> tuple[list[int], list[int]]:
        units = [u16(key, at) for at in range(0x42, 0x42 + 2 * key[0x40], 2)]
        return [u16(self.upcase, 2 * unit) for unit in units], units

    # ---- names

    def check_names(self) -> None:
        """Each name has one entry in its directory, each entry a name in its record."""
        named: Counter[tuple[int, int, bytes]] = Counter()
        for number, pieces in self.files.items():
            for piece in pieces.get((NAME, ""), []):
                value = piece.value or b""
                named[u64(value, 0), self.records[number].reference, value[0x40:]] += 1
        listed: Counter[tuple[int, int, bytes]] = Counter()
        for number, entries in self.entries.items():
            for reference, key in entries:
                listed[self.records[number].reference, reference, key[0x40:]] += 1
                if u64(key, 0) != self.records[number].reference:
                    self.say(number, f"an entry whose parent is {u64(key, 0):#x}")
        for parent, reference, name in named - listed:
            self.say(reference & RECORD_MASK, f"{_text(name)!a} is not in its directory {parent:#x}")
        for parent, reference, name in listed - named:
            self.say(parent & RECORD_MASK, f"{_text(name)!a} leads to {reference:#x}, which has no such name")

    # ---- what is filed elsewhere

    def check_views(self) -> None:
        """Reparse points, object ids and security ids stand in the indexes that list them."""
        reparse, objects, used = set(), set(), set()
        for number, pieces in self.files.items():
            own = self.records[number].reference.to_bytes(8, "little")
            information = self.content(number, INFORMATION)
            if len(information) > 48:
                used.add(u32(information, 0x34))
            if (REPARSE_POINT, "") in pieces:
                reparse.add(self.content(number, REPARSE_POINT)[:4] + own)
            if bool(u32(information, 0x20) & 0x400) != ((REPARSE_POINT, "") in pieces):
                self.say(number, f"attributes {u32(information, 0x20):#x}, but the reparse point is not so")
            if (OBJECT_ID, "") in pieces:
                objects.add(self.content(number, OBJECT_ID)[:16])
        self.compare("$Reparse", "$R", reparse)
        self.compare("$ObjId", "$O", objects)
        known = {u32(key, 0) for key in self.keys(SECURE, "$SII")}
        if unknown := used - known - {0}:
            self.say(SECURE, f"security ids {sorted(unknown)} are not in $SII")

    def compare(self, owner: str, index: str, wanted: set[bytes]) -> None:
        for reference, key in self.entries.get(EXTEND, []):
            if _text(key[0x40:]) == owner:
                number = reference & RECORD_MASK
                for odd in wanted ^ set(self.keys(number, index)):
                    self.say(number, f"{odd.hex()} is {'not ' if odd in wanted else ''}in {index}")

    def keys(self, number: int, name: str) -> list[bytes]:
        blocks = {}
        if (BLOCKS, name) in self.files[number]:
            for vcn, raw in self.volume.blocks(self.content(number, BLOCKS, name)):
                if raw[:4] == b"INDX":
                    blocks[vcn] = parse_node(restored(raw, b"INDX"), 0x18)
        return [key for _, key in self.in_order(parse_node(self.content(number, ROOT, name), 0x10), blocks)]

    # ---- copies

    def check_copies(self) -> None:
        """$MFTMirr, the last sector, and $SDS keep copies."""
        volume = self.volume
        size = min(MIRRORED * volume.record_bytes, self.files[MIRROR][DATA, ""][0].size)
        if self.content(MIRROR, DATA)[:size] != self.content(0, DATA)[:size]:
            self.say(MIRROR, "$MFTMirr differs from $MFT")
        if volume.data[volume.sectors * volume.sector :][: volume.sector] != volume.data[: volume.sector]:
            self.faults.append("the copy of the boot sector differs")
        first = self.files[0][DATA, ""][0].runs[0][0]
        if (first, self.files[MIRROR][DATA, ""][0].runs[0][0]) != (volume.mft_lcn, volume.mirror_lcn):
            self.faults.append("the boot sector names other clusters for $MFT or $MFTMirr")


def _text(name: bytes) -> str:
    return name[2:].decode("utf-16-le", "surrogatepass")


EIGHT = [bytes(byte >> bit & 1 for bit in range(8)) for byte in range(256)]

if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(argument, *faults(Path(argument)), sep="\n  ")
