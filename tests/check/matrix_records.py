"""A mutation for each rule of records, attributes and attribute lists."""

from __future__ import annotations

import struct

from ntfsbuild.ondisk.attribute import non_resident, resident
from ntfsbuild.ondisk.attribute_list import AttributeListEntry
from tests.check.matrix_volume import Mutation, log
from tests.check.mutating import BITMAP, BLOCKS, DATA, LIST, NAME, OBJECT_ID, ROOT, SI, Image

I30 = "$I30"
FREE = 1 << 48 | 23  # A record that is not in use.
PLAIN_USED = 296  # Where the end mark of plain.txt is.


def plain(at: int, form: str, *values: int) -> Mutation:
    return lambda i: i.put(i["plain.txt"], at, form, *values)


def of(path: str, what: tuple[int, str] | int, at: int, form: str, *values: int | bytes) -> Mutation:
    return lambda i: i.attribute(i[path], what, at, form, *values)


def raw(path: str, at: int, data: bytes) -> Mutation:
    """Bytes as they lie on the disk."""

    def mutate(i: Image) -> None:
        place = i.where(i[path]) + at
        i.data[place : place + len(data)] = data

    return mutate


def number_zero(i: Image) -> None:
    place = i.where(i["plain.txt"])
    for at in (0x30, 510, 1022):
        i.data[place + at : place + at + 2] = b"\0\0"


def garbage_in_a_free_record(i: Image) -> None:
    place = i.where(23)
    i.data[place : place + 512] = b"X" * 512


def newer_than_the_log(i: Image) -> None:
    log()(i)
    i.put(i["plain.txt"], 8, "<Q", 1 << 40)


def other_runs(*runs: tuple[int | None, int]) -> Mutation:
    def mutate(i: Image) -> None:
        new = non_resident(DATA, runs, cluster_bytes=i.cluster, data_bytes=20000, instance=2)
        i.replace(i["data.bin"], DATA, new)

    return mutate


# ---- lists


def in_list(path: str, at: int, form: str, *values: int) -> Mutation:
    return lambda i: i.value(i[path], LIST, at, form, *values)


def swapped(i: Image) -> None:
    number = i["pieces.bin"]
    i.value(number, LIST, 0, "<I", 0x30)
    i.value(number, LIST, 0x20, "<I", 0x10)


def listed(i: Image, nth: int) -> tuple[int, int]:
    """The record that holds a piece of pieces.bin, and the piece's first VCN."""
    value = i.get(i["pieces.bin"], LIST)[0x18:]
    vcn, reference = struct.unpack_from("<QQ", value, 0x20 * nth + 8)
    return reference & 0xFFFFFFFF, vcn


def listed_twice(i: Image) -> None:
    value = i.get(i["pieces.bin"], LIST)[0x18:]
    i.value(i["pieces.bin"], LIST, 0x60, "32s", value[0x40:0x60])


def own_list(i: Image) -> None:
    number = i["plain.txt"]
    own = 1 << 48 | number
    entries = [
        AttributeListEntry(
            type_code=code, length_bytes=0x20, name_length=0, lowest_vcn=0, reference=own, instance=instance
        ).pack()
        + bytes(6)
        for code in (SI, NAME, DATA)
        for instance in struct.unpack_from("<H", i.get(number, code), 0x0E)
    ]
    i.put(number, 0x28, "<H", 10)
    i.replace(number, NAME, resident(LIST, b"".join(entries), instance=9), before=True)


def gap(i: Image) -> None:
    """The second piece begins later, in its header and in the list."""
    holder, vcn = listed(i, 3)
    i.attribute(holder, DATA, 0x10, "<Q", vcn + 8)
    i.value(i["pieces.bin"], LIST, 0x68, "<Q", vcn + 8)


def extension(at: int, form: str, *values: int) -> Mutation:
    return lambda i: i.put(listed(i, 3)[0], at, form, *values)


def information_elsewhere(i: Image) -> None:
    holder, _ = listed(i, 3)
    i.add(holder, resident(SI, bytes(48)))


def twice_elsewhere(i: Image) -> None:
    """Two small streams of one name, in different records of a file."""
    number, first, last = i["many.bin"], *("s0\0".encode("utf-16-le"), "s9\0".encode("utf-16-le"))
    at = i.place(number, LIST)
    size = struct.unpack_from("<Q", i.get(number, LIST), 0x30)[0]
    value = bytes(i.data[at : at + size])
    holders = [
        struct.unpack_from("<Q", value, value.index(name) - 0x1A + 0x10)[0] & 0xFFFFFFFF
        for name in (first, last)
    ]
    assert holders[0] != holders[1]
    i.attribute(holders[1], (DATA, "s9"), 0x18, "4s", first[:4])
    place = at + value.index(last)
    i.data[place : place + 4] = first[:4]


MATRIX: dict[str, Mutation] = {
    "R01": raw("plain.txt", 0, b"XXXX"),
    "R02": raw("plain.txt", 0, b"BAAD"),
    "R03": raw("plain.txt", 6, b"\x09"),
    "R04": raw("plain.txt", 510, b"\xee\xee"),
    "R05": number_zero,
    "R06": lambda i: i.flip(0, 0xB0, i["plain.txt"]),
    "R07": plain(0x16, "<H", 0),
    "R08": plain(0x1C, "<I", 4096),
    "R09": plain(0x18, "<I", 4096),
    "R10": plain(0x18, "<I", PLAIN_USED + 16),
    "R11": plain(0x14, "<H", 0x3A),
    "R12": plain(0x2C, "<I", 7),
    "R13": plain(0x10, "<H", 0),
    "R14": lambda i: i.put(4, 0x10, "<H", 9),
    "R15": plain(0x28, "<H", 0),
    "R16": of("plain.txt", DATA, 0x0E, "<H", 0),
    "R17": plain(0x16, "<H", 0x11),
    "R18": plain(0x16, "<H", 3),
    "R19": plain(0x16, "<H", 9),
    "R20": plain(0x12, "<H", 2),
    "R23": plain(0x18, "<I", PLAIN_USED),
    "R24": garbage_in_a_free_record,
    "R26": newer_than_the_log,
    "R27": plain(0x16, "<H", 5),
    "A01": of("plain.txt", DATA, 0, "<I", 0x88),
    "A02": of("plain.txt", DATA, 4, "<I", 13),
    "A03": of("plain.txt", DATA, 8, "<B", 2),
    "A04": of("plain.txt", SI, 8, "<B", 1),
    "A05": of("big", (BLOCKS, I30), 8, "<B", 0),
    "A06": of("plain.txt", SI, 0, "<I", OBJECT_ID),
    "A07": of("streams.txt", (DATA, "one"), 0x0A, "<H", 0x200),
    "A08": of("streams.txt", (DATA, "one"), 0x18, "<H", ord(":")),
    "A09": of("plain.txt", DATA, 0x10, "<I", 4000),
    "A10": of("plain.txt", DATA, 0x14, "<H", 0x1A),
    "A11": of("id.txt", OBJECT_ID, 0x10, "<I", 8),
    "A12": of("plain.txt", NAME, 0x16, "<B", 0),
    "A13": of("streams.txt", (DATA, "two"), 0x18, "6s", "one".encode("utf-16-le")),
    "A13 elsewhere": twice_elsewhere,
    "A14": of("plain.txt", SI, 9, "<B", 1),
    "A15": of("plain.txt", DATA, 0x0C, "<H", 2),
    "A16": of("plain.txt", DATA, 0x0C, "<H", 0x4001),
    "A17": of("plain.txt", SI, 0x0C, "<H", 0x8000),
    "A17 blocks": of("big", (BLOCKS, I30), 0x0C, "<H", 0x4000),
    "A17 view": lambda i: i.attribute(9, (ROOT, "$SII"), 0x0C, "<H", 0x4000),
    "A19": of("data.bin", DATA, 0x20, "<H", 0x41),
    "A20": of("data.bin", DATA, 0x40, "<B", 0xFF),
    "A21": other_runs((10_000_000, 40)),
    "A22": of("data.bin", DATA, 0x18, "<Q", 5),
    "A23": of("data.bin", DATA, 0x38, "<Q", 1 << 20),
    "A24": of("data.bin", DATA, 0x30, "<Q", 1 << 20),
    "A25": of("data.bin", DATA, 0x28, "<Q", 1 << 20),
    "A26": of("sparse.bin", DATA, 0x40, "<Q", 5),
    "A27": of("data.bin", DATA, 0x0C, "<H", 0x8000),
    "A28": of("comp.bin", DATA, 0x22, "<B", 3),
    "A29": of("sparse.bin", DATA, 0x22, "<B", 9),
    "A30": of("data.bin", DATA, 0x22, "<B", 4),
    "A31": other_runs((4000, 10), (None, 30)),
    "A32": of("data.bin", DATA, 0x23, "<B", 1),
    "A33": of("many.bin", LIST, 0x38, "<Q", 8),
    "A33 $MFT": lambda i: i.attribute(0, BITMAP, 0x38, "<Q", 8),
    "A34": of("streams.txt", (DATA, "two"), 0x18, "6s", "ONE".encode("utf-16-le")),
    "L01": in_list("pieces.bin", 4, "<H", 7),
    "L02": swapped,
    "L03": in_list("pieces.bin", 0x20, "<I", LIST),
    "L04": in_list("pieces.bin", 0x50, "<Q", FREE),
    "L05": in_list("pieces.bin", 0x56, "<H", 77),
    "L06": lambda i: i.value(i["pieces.bin"], LIST, 0x50, "<Q", 1 << 48 | i["plain.txt"]),
    "L07": in_list("pieces.bin", 0x58, "<H", 99),
    "L08": in_list("pieces.bin", 0x58, "<H", 99),
    "L09": listed_twice,
    "L10": information_elsewhere,
    "L11": of("many.bin", LIST, 0x30, "<QQ", 1 << 20, 1 << 20),
    "L12": own_list,
    "L13": gap,
    "L14": extension(0x20, "<Q", FREE),
    "L15": lambda i: i.put(listed(i, 3)[0], 0x20, "<Q", 1 << 48 | i["plain.txt"]),
    "L16": extension(0x12, "<H", 1),
    "L18": in_list("pieces.bin", 0x40, "<I", 0x90),
    "L20": extension(0x16, "<H", 9),
    "L19": of("many.bin", LIST, 0x28, "<QQQ", 8192, 8192, 8192),
}
