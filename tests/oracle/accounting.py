"""The books of a volume: every bit, name, link and entry has what it stands for, and the other way round.

Written from the format, held to what mkntfs, ntfs-3g, ntfs3 and Windows make: of their volumes it has
nothing to say.  `python -m tests.oracle.accounting IMAGE…` prints what it finds.
"""

import mmap
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.oracle.bare import (
    BITMAP,
    BLOCKS,
    DATA,
    NAME,
    RECORD_MASK,
    ROOT,
    Bare,
    Broken,
    Node,
    parse_node,
    restored,
    u16,
    u32,
    u64,
)
from tests.oracle.books import INFORMATION, OBJECT_ID, Books

MIRROR, ROOT_DIRECTORY, CLUSTER_BITMAP, SECURE, UPCASE, EXTEND = 1, 5, 6, 9, 10, 11
REPARSE_POINT = 0xC0
LAST_RESERVED = 23
DIRECTORY_INDEX, VIEW_INDEX = 0x1000_0000, 0x2000_0000  # In $FILE_NAME alone.
COPIED_ATTRIBUTES = DIRECTORY_INDEX | VIEW_INDEX
FILE_NAME, ULONG, HASH, ULONGS = 1, 0x10, 0x12, 0x13  # Collations.
MIRRORED = 24  # Where clusters are large, the file has room for more, which Windows does not keep up.
FAULTS_MAX = 200


def faults(image: Path) -> list[str]:
    """What is wrong, one line each; empty for a sound volume."""
    with image.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return Accounting(Bare(data)).run()[:FAULTS_MAX]  # type: ignore[arg-type]
        except Broken as why:
            return [f"the volume: {why}"]


class Accounting(Books):
    """What stands in one place and is counted, listed or repeated in another."""

    def __init__(self, volume: Bare) -> None:
        super().__init__(volume)
        self.entries: dict[int, list[tuple[int, bytes]]] = {}  # Of $I30: reference and key, in order.

    def run(self) -> list[str]:
        self.account_for_clusters()
        self.upcase = self.content(UPCASE, DATA)
        for record in self.records.values():
            self.check_order(record)
        for number in self.files:
            self.check_file(number)
            self.check_indexes(number)
        self.check_names()
        self.check_listings()
        self.check_views()
        self.check_copies()
        return self.faults

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

    def check_indexes(self, number: int) -> None:
        try:
            for code, name in self.files[number]:
                if code == ROOT:
                    self.check_index(number, name)
        except Broken as why:
            self.say(number, f"index: {why}")

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
            self.say(reference & RECORD_MASK, f"{text(name)!a} is not in its directory {parent:#x}")
        for parent, reference, name in listed - named:
            self.say(parent & RECORD_MASK, f"{text(name)!a} leads to {reference:#x}, which has no such name")

    def check_listings(self) -> None:
        """Entries repeat what the file says of itself; below $Extend Windows does not keep that up.

        Nor does anybody keep up the times of all files, or the size of extended attributes.
        """
        pending, below = [ROOT_DIRECTORY], {EXTEND}
        while pending:
            number = pending.pop()
            for reference, key in self.entries.get(number, []):
                child = reference & RECORD_MASK
                if child > LAST_RESERVED and child in self.files:
                    self.check_listing(child, key)
                    if child in self.entries and child not in below:
                        below.add(child)
                        pending.append(child)

    def check_listing(self, number: int, key: bytes) -> None:
        pieces = self.files[number]
        main = pieces.get((DATA, ""))
        allocated = size = 0
        if main and number not in self.entries:
            size, allocated = main[0].size, main[0].allocated
            if main[0].value is not None:
                allocated = (size + 7) & ~7
            elif main[0].stored is not None:
                allocated = main[0].stored
        if (u64(key, 0x28), u64(key, 0x30)) != (allocated, size):
            listed = f"{u64(key, 0x30)} bytes in {u64(key, 0x28)}"
            self.say(number, f"is listed with {listed}, has {size} in {allocated}")
        attributes = u32(self.content(number, INFORMATION), 0x20) & ~COPIED_ATTRIBUTES
        if number in self.entries:
            attributes |= DIRECTORY_INDEX
        if u32(key, 0x38) & ~VIEW_INDEX != attributes:
            self.say(number, f"is listed with attributes {u32(key, 0x38):#x}, has {attributes:#x}")

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
            if text(key[0x40:]) == owner:
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


def text(name: bytes) -> str:
    return name[2:].decode("utf-16-le", "surrogatepass")


EIGHT = [bytes(byte >> bit & 1 for bit in range(8)) for byte in range(256)]

if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(argument, *faults(Path(argument)), sep="\n  ")
