"""Changing single fields of a volume in memory, with the update sequences kept right."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

SI, LIST, NAME, OBJECT_ID, SECURITY, VOLUME_NAME, VOLUME_INFORMATION = range(0x10, 0x80, 0x10)
DATA, ROOT, BLOCKS, BITMAP, REPARSE, EA_INFORMATION, EA = range(0x80, 0xF0, 0x10)
UTILITY = 0x100
RECORD, BLOCK = 1024, 4096


class Image:
    """A volume whose fields can be set; `image["path"]` is the record of a file."""

    def __init__(self, data: bytes, numbers: dict[str, int]) -> None:
        self.data = bytearray(data)
        self._numbers = numbers
        sector, per_cluster = struct.unpack_from("<HB", data, 0x0B)
        self.cluster = sector * (per_cluster if per_cluster <= 128 else 1 << 256 - per_cluster)
        self.sector = sector
        self.mft, self.mirror = (one * self.cluster for one in struct.unpack_from("<QQ", data, 0x30))
        self.sectors = struct.unpack_from("<Q", data, 0x28)[0]
        self.clusters = self.sectors * sector // self.cluster

    def __getitem__(self, path: str) -> int:
        return self._numbers[path]

    # ---- the source that a check reads

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, size_bytes: int) -> bytes:
        return bytes(self.data[max(offset, 0) : max(offset, 0) + max(size_bytes, 0)]) if offset >= 0 else b""

    # ---- raw

    def boot(self, at: int, form: str, *values: int | bytes) -> None:
        """A field of the boot sector, and of its backup."""
        struct.pack_into(form, self.data, at, *values)
        struct.pack_into(form, self.data, self.sectors * self.sector + at, *values)

    def where(self, number: int) -> int:
        """Where a record lies, by the runs of the $MFT."""
        for begin, lcn, count in self.runs_of(self.unprotected(self.mft), DATA, ""):
            at = number * RECORD - begin * self.cluster
            if 0 <= at < count * self.cluster:
                return lcn * self.cluster + at
        raise LookupError(number)

    def unprotected(self, at: int, size: int = RECORD) -> bytearray:
        """A structure without its update sequence."""
        data = self.data[at : at + size]
        usa, count = struct.unpack_from("<HH", data, 4)
        for k in range(1, count):
            data[512 * k - 2 : 512 * k] = data[usa + 2 * k : usa + 2 * k + 2]
        return data

    @contextmanager
    def editing(self, at: int, size: int = RECORD) -> Iterator[bytearray]:
        """The same for changing; it is protected again and put back, where it was protected at all."""
        usa, count = struct.unpack_from("<HH", self.data, at + 4)
        if count != size // 512 + 1 or usa > 0x1F0:
            usa, count = 0, 0
        data = self.unprotected(at, size) if count else self.data[at : at + size]
        yield data
        number = data[usa : usa + 2]
        for k in range(1, count):
            data[usa + 2 * k : usa + 2 * k + 2] = data[512 * k - 2 : 512 * k]
            data[512 * k - 2 : 512 * k] = number
        self.data[at : at + size] = data

    # ---- records and attributes

    @contextmanager
    def record(self, number: int) -> Iterator[bytearray]:
        with self.editing(self.where(number)) as record:
            yield record

    def find(self, record: bytes, type_code: int, name: str = "", nth: int = 0) -> int:
        """Where an attribute of a record begins."""
        at = struct.unpack_from("<H", record, 0x14)[0]
        while (found := struct.unpack_from("<I", record, at)[0]) != 0xFFFFFFFF:
            length, _, units, offset = struct.unpack_from("<IBBH", record, at + 4)
            own = bytes(record[at + offset : at + offset + 2 * units]).decode("utf-16-le") if units else ""
            if (found, own) == (type_code, name):
                if not nth:
                    return at
                nth -= 1
            at += length
        raise LookupError(f"attribute {type_code:#x} {name}")

    def put(self, number: int, at: int, form: str, *values: int | bytes) -> None:
        """A field of a record's header."""
        with self.record(number) as record:
            struct.pack_into(form, record, at, *values)

    def attribute(
        self, number: int, what: tuple[int, str] | int, at: int, form: str, *values: int | bytes, nth: int = 0
    ) -> None:
        """A field of an attribute's header."""
        type_code, name = what if isinstance(what, tuple) else (what, "")
        with self.record(number) as record:
            struct.pack_into(form, record, self.find(record, type_code, name, nth) + at, *values)

    def value(
        self, number: int, what: tuple[int, str] | int, at: int, form: str, *values: int | bytes, nth: int = 0
    ) -> None:
        """A field of a resident value."""
        type_code, name = what if isinstance(what, tuple) else (what, "")
        with self.record(number) as record:
            begin = self.find(record, type_code, name, nth)
            begin += struct.unpack_from("<H", record, begin + 0x14)[0]
            struct.pack_into(form, record, begin + at, *values)

    def get(self, number: int, what: tuple[int, str] | int, nth: int = 0) -> bytes:
        """A whole attribute."""
        type_code, name = what if isinstance(what, tuple) else (what, "")
        record = self.unprotected(self.where(number))
        at = self.find(record, type_code, name, nth)
        return bytes(record[at : at + struct.unpack_from("<I", record, at + 4)[0]])

    def replace(
        self, number: int, what: tuple[int, str] | int, new: bytes, nth: int = 0, before: bool = False
    ) -> None:
        """Another attribute in the place of one, or before it; what follows moves."""
        type_code, name = what if isinstance(what, tuple) else (what, "")
        with self.record(number) as record:
            at = struct.unpack_from("<H", record, 0x14)[0]
            if type_code == 0xFFFFFFFF:
                while struct.unpack_from("<I", record, at)[0] != type_code:
                    at += struct.unpack_from("<I", record, at + 4)[0]
                length = 0
            else:
                at = self.find(record, type_code, name, nth)
                length = 0 if before else struct.unpack_from("<I", record, at + 4)[0]
            used = struct.unpack_from("<I", record, 0x18)[0]
            rest = bytes(record[at + length : used])
            end = at + len(new) + len(rest)
            assert end <= len(record), "it does not fit"
            record[at:end] = new + rest
            struct.pack_into("<I", record, 0x18, end)

    def add(self, number: int, new: bytes) -> None:
        """An attribute behind all others, with an id of its own."""
        with self.record(number) as record:
            instance = struct.unpack_from("<H", record, 0x28)[0]
            struct.pack_into("<H", record, 0x28, instance + 1)
        self.replace(number, 0xFFFFFFFF, new[:0x0E] + struct.pack("<H", instance) + new[0x10:])

    def remove(self, number: int, what: tuple[int, str] | int, nth: int = 0) -> None:
        self.replace(number, what, b"", nth)

    # ---- clusters

    def runs_of(self, record: bytes, type_code: int, name: str) -> list[tuple[int, int, int]]:
        """VCN, LCN and count of each run that is no hole."""
        at = self.find(record, type_code, name)
        at += struct.unpack_from("<H", record, at + 0x20)[0]
        vcn, lcn, found = 0, 0, []
        while record[at]:
            lengths, offsets = record[at] & 15, record[at] >> 4
            count = int.from_bytes(record[at + 1 : at + 1 + lengths], "little")
            if offsets:
                delta = record[at + 1 + lengths : at + 1 + lengths + offsets]
                lcn += int.from_bytes(delta, "little", signed=True)
                found.append((vcn, lcn, count))
            vcn += count
            at += 1 + lengths + offsets
        return found

    def place(self, number: int, what: tuple[int, str] | int, offset: int = 0) -> int:
        """Where in the volume a byte of a stream lies."""
        type_code, name = what if isinstance(what, tuple) else (what, "")
        for vcn, lcn, count in self.runs_of(self.unprotected(self.where(number)), type_code, name):
            if vcn * self.cluster <= offset < (vcn + count) * self.cluster:
                return lcn * self.cluster + offset - vcn * self.cluster
        raise LookupError(offset)

    def stream(
        self, number: int, what: tuple[int, str] | int, at: int, form: str, *values: int | bytes
    ) -> None:
        """A field in a stream that lies in clusters."""
        struct.pack_into(form, self.data, self.place(number, what, at), *values)

    def flip(self, number: int, what: tuple[int, str] | int, bit: int) -> None:
        """One bit of a bitmap, resident or not."""
        attribute = self.get(number, what)
        if attribute[8]:
            self.data[self.place(number, what, bit // 8)] ^= 1 << bit % 8
        else:
            at = struct.unpack_from("<H", attribute, 0x14)[0] + bit // 8
            self.attribute(number, what, at, "<B", attribute[at] ^ 1 << bit % 8)

    # ---- indexes

    def block(self, number: int, name: str, which: int, at: int, form: str, *values: int | bytes) -> None:
        """A field of a block of an index."""
        with self.editing(self.place(number, (BLOCKS, name), which * BLOCK), BLOCK) as block:
            struct.pack_into(form, block, at, *values)

    def leaf(self, number: int, name: str = "$I30", *, inner: bool = False) -> int:
        """Which block is a leaf, or an inner node."""
        for which in range(1000):
            block = self.unprotected(self.place(number, (BLOCKS, name), which * BLOCK), BLOCK)
            if bool(block[0x24]) == inner:
                return which
        raise LookupError(name)

    def entries(self, node: bytes, header: int) -> list[int]:
        """Where the entries of a node are, the end mark's the last."""
        at = header + struct.unpack_from("<I", node, header)[0]
        found = [at]
        while not node[at + 0x0C] & 2:
            at += struct.unpack_from("<H", node, at + 8)[0]
            found.append(at)
        return found

    @contextmanager
    def node(
        self, number: int, name: str = "$I30", which: int | None = None
    ) -> Iterator[tuple[bytearray, list[int]]]:
        """A node and its entries: the root, or a block."""
        if which is None:
            with self.record(number) as record:
                at = self.find(record, ROOT, name)
                at += struct.unpack_from("<H", record, at + 0x14)[0]
                yield record, self.entries(record, at + 0x10)
        else:
            with self.editing(self.place(number, (BLOCKS, name), which * BLOCK), BLOCK) as block:
                yield block, self.entries(block, 0x18)

    def entry(
        self, number: int, nth: int, at: int, form: str, *values: int | bytes, name: str = "$I30",
        which: int | None = None,
    ) -> None:  # fmt: skip
        """A field of the nth entry of a node."""
        with self.node(number, name, which) as (node, places):
            struct.pack_into(form, node, places[nth] + at, *values)
