"""The records and files of a volume as its books begin with: taken apart, each held to its own rules."""

from collections import Counter, defaultdict

from tests.oracle.bare import (
    BITMAP,
    BLOCKS,
    COMPRESSED,
    LIST,
    NAME,
    RECORD_MASK,
    ROOT,
    SPARSE,
    Bare,
    Broken,
    Piece,
    Record,
    parse_record,
    u16,
)

INFORMATION, OBJECT_ID, VOLUME_NAME, VOLUME_INFORMATION, EA_INFORMATION = 0x10, 0x40, 0x60, 0x70, 0xD0
ALWAYS_RESIDENT = {INFORMATION, NAME, OBJECT_ID, VOLUME_NAME, VOLUME_INFORMATION, ROOT, EA_INFORMATION}
IS_DIRECTORY, HAS_VIEW = 2, 8
Pieces = dict[tuple[int, str], list[Piece]]


class Books:
    """What there is, and what was found to be wrong with it."""

    def __init__(self, volume: Bare) -> None:
        self.volume = volume
        self.faults: list[str] = []
        self.records: dict[int, Record] = {}
        self.files: dict[int, Pieces] = {}  # By the number of the base record.
        self.upcase = b""
        self.read_records()
        self.gather_files()

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
        found: Pieces = defaultdict(list)
        for part in parts:
            for piece in part.pieces:
                found[piece.type_code, piece.name].append(piece)
        return {key: sorted(pieces, key=lambda piece: piece.lowest) for key, pieces in found.items()}

    def check_order(self, record: Record) -> None:
        """By type, name in upper case, and VCN; names of a file may stand in any order."""
        listed = self.volume.listed(record)
        for what, found in (("attributes", record.pieces), ("its list", listed)):
            keys = [
                (one.type_code, [u16(self.upcase, 2 * unit) for unit in units_of(one.name)], one.lowest)
                for one in found
                if one.type_code != NAME
            ]
            if keys != sorted(keys):
                self.say(record.number, f"{what} out of order: {[(k[0], k[2]) for k in keys]}")

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


def units_of(name: str) -> list[int]:
    raw = name.encode("utf-16-le", "surrogatepass")
    return [u16(raw, at) for at in range(0, len(raw), 2)]
