"""As much of a reader as the tests of the specification need: offsets and `struct`, nothing of ours."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

Run: TypeAlias = tuple[int | None, int]  # LCN (None: a hole), clusters.


class Stream(NamedTuple):
    """An attribute as the bare reader finds it."""

    type_code: int
    name: str
    instance: int
    size: int
    runs: list[Run]  # Empty when it is resident.
    value: bytes


class Bare:
    """As much NTFS as is needed here, by offsets alone."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sector, per_cluster = struct.unpack_from("<HB", data, 0x0B)
        self.cluster = self.sector * per_cluster
        self.sectors, mft = struct.unpack_from("<QQ", data, 0x28)
        self.clusters = self.sectors // per_cluster
        self.record_bytes = 1 << -struct.unpack_from("<b", data, 0x40)[0]
        self.mft = mft * self.cluster

    def raw(self, record: int) -> bytes:
        at = self.mft + record * self.record_bytes
        return self.data[at : at + self.record_bytes]

    @staticmethod
    def whole(raw: bytes) -> bytes:
        """A protected structure without its update sequence."""
        buffer = bytearray(raw)
        at, count = struct.unpack_from("<HH", raw, 4)
        for k in range(1, count):
            assert raw[512 * k - 2 : 512 * k] == raw[at : at + 2]
            buffer[512 * k - 2 : 512 * k] = raw[at + 2 * k : at + 2 * k + 2]
        return bytes(buffer)

    def attributes(self, record: int) -> list[Stream]:
        data, found = self.whole(self.raw(record)), []
        at = struct.unpack_from("<H", data, 0x14)[0]
        while (code := struct.unpack_from("<I", data, at)[0]) != 0xFFFFFFFF:
            length, outside, units, name_at, _, instance = struct.unpack_from("<IBBHHH", data, at + 4)
            name = data[at + name_at : at + name_at + 2 * units].decode("utf-16-le")
            if outside:
                runs = self.runs(data[at + struct.unpack_from("<H", data, at + 0x20)[0] : at + length])
                size = struct.unpack_from("<Q", data, at + 0x30)[0]
                value = b"".join(
                    self.data[lcn * self.cluster :][: n * self.cluster] for lcn, n in runs if lcn is not None
                )
                found.append(Stream(code, name, instance, size, runs, value[:size]))
            else:
                size, start = struct.unpack_from("<IH", data, at + 0x10)
                value = data[at + start : at + start + size]
                found.append(Stream(code, name, instance, size, [], value))
            at += length
        assert struct.unpack_from("<I", data, 0x18)[0] == at + 8
        return found

    def stream(self, record: int, type_code: int, name: str = "") -> Stream:
        return next(one for one in self.attributes(record) if one[:2] == (type_code, name))

    @staticmethod
    def runs(data: bytes) -> list[Run]:
        runs: list[Run] = []
        at = lcn = 0
        while head := data[at]:
            middle = at + 1 + (head & 15)
            end = middle + (head >> 4)
            lcn += int.from_bytes(data[middle:end], "little", signed=True)
            runs.append((lcn if head >> 4 else None, int.from_bytes(data[at + 1 : middle], "little")))
            at = end
        return runs

    def entries(self, record: int, name: str) -> Iterator[bytes]:
        """The entries of an index in order, end entries left out."""
        streams = {one.type_code: one.value for one in self.attributes(record) if one.name == name}
        unit = self.cluster if self.cluster <= 4096 else 512

        def node(data: bytes, header: int) -> Iterator[bytes]:
            at = header + struct.unpack_from("<I", data, header)[0]
            while True:
                length, _, flags = struct.unpack_from("<HHH", data, at + 8)
                if flags & 1:
                    child = struct.unpack_from("<Q", data, at + length - 8)[0] * unit
                    yield from node(self.whole(streams[0xA0][child : child + 4096]), 0x18)
                if flags & 2:
                    return
                yield data[at : at + length]
                at += length

        yield from node(streams[0x90], 0x10)

    def names(self, record: int) -> list[str]:
        return [one[0x52:][: 2 * one[0x50]].decode("utf-16-le") for one in self.entries(record, "$I30")]

    def place(self, text: str) -> int:
        """Where something lies, in the words of `from=`."""
        base, _, offset = text.partition("+")
        record, _, code = base.partition("/")
        if code:
            lcn = next(
                one.runs[0][0] for one in self.attributes(int(record)) if one.type_code == int(code, 16)
            )
            return (lcn or 0) * self.cluster + int(offset, 0)
        return (0 if base == "boot" else self.mft + int(record) * self.record_bytes) + int(offset, 0)
