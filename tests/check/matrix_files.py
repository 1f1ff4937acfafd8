"""A mutation for each rule of names, indexes and content."""

from __future__ import annotations

import struct
from collections.abc import Callable

from ntfsbuild.ondisk.attribute import COMPRESSED, non_resident, resident
from ntfsbuild.ondisk.efs import Efs, KeyHolder, encode_efs
from ntfsbuild.ondisk.reparse_point import junction
from tests.check.base import CHUNK_BYTES
from tests.check.base import CHUNKS as CHUNKS_OF_WOF
from tests.check.matrix_records import FREE, I30, listed, of
from tests.check.matrix_volume import Mutation, log
from tests.check.mutating import (
    BITMAP,
    BLOCK,
    BLOCKS,
    DATA,
    EA,
    EA_INFORMATION,
    NAME,
    OBJECT_ID,
    REPARSE,
    ROOT,
    SI,
    UTILITY,
    Image,
)

LONG = "A long file name.text"
ROOT_REFERENCE = 5 << 48 | 5
CHUNKS = (DATA, "WofCompressedData")
PLACE = "\\??\\C:\\place"
KEY = 0x10  # Of an entry; a $FILE_NAME.


def in_(
    path: str, what: tuple[int, str] | int, at: int, form: str, *values: int | bytes, nth: int = 0
) -> Mutation:
    return lambda i: i.value(i[path], what, at, form, *values, nth=nth)


def info(at: int, form: str, *values: int) -> Mutation:
    return in_("plain.txt", SI, at, form, *values)


def attributes(bits: int, path: str = "plain.txt") -> Mutation:
    return in_(path, SI, 0x20, "<I", bits)


def name(at: int, form: str, *values: int, path: str = "plain.txt", nth: int = 0) -> Mutation:
    return in_(path, NAME, at, form, *values, nth=nth)


def named(i: Image, path: str, other: str) -> bytes:
    """The $FILE_NAME of a file with another name."""
    value = i.get(i[path], NAME)[0x18:]
    new = value[:0x40] + bytes([len(other)]) + value[0x41:0x42] + other.encode("utf-16-le")
    return resident(NAME, new, instance=2, indexed=True)


def reference(i: Image, path: str) -> int:
    return 1 << 48 | i[path]


def entry(nth: int, at: int, form: str, *values: int) -> Mutation:
    """Of the directory small, whose entries lie in its record: a.txt, b.txt, …"""
    return lambda i: i.entry(i["small"], nth, at, form, *values)


def leaf(at: int, form: str, *values: int) -> Mutation:
    return lambda i: i.block(i["big"], I30, i.leaf(i["big"]), at, form, *values)


def raw_block(at: int, data: bytes) -> Mutation:
    def mutate(i: Image) -> None:
        place = i.place(i["big"], (BLOCKS, I30), i.leaf(i["big"]) * BLOCK) + at
        i.data[place : place + len(data)] = data

    return mutate


def same_but_case(i: Image) -> None:
    for nth in (0, 1):
        i.entry(i["small"], nth, KEY + 0x41, "<B", 1)
    i.entry(i["small"], 1, KEY + 0x42, "<H", ord("A"))


def three_but_case(i: Image) -> None:
    """A name of POSIX between two of Win32."""
    for nth, letter, namespace in ((0, "A", 1), (1, "A", 0), (2, "a", 1)):
        i.entry(i["small"], nth, KEY + 0x41, "<B", namespace)
        i.entry(i["small"], nth, KEY + 0x42, "<H", ord(letter))


def same_child(i: Image) -> None:
    inner = i.leaf(i["big"], inner=True)
    with i.node(i["big"], I30, inner) as (node, places):
        ends = [at + struct.unpack_from("<H", node, at + 8)[0] - 8 for at in places[:2]]
        node[ends[1] : ends[1] + 8] = node[ends[0] : ends[0] + 8]


def empty_leaf(i: Image) -> None:
    which = i.leaf(i["big"])
    with i.node(i["big"], I30, which) as (node, places):
        struct.pack_into("<QHHHH", node, places[0], 0, 0x10, 0, 2, 0)
        struct.pack_into("<I", node, 0x1C, places[0] + 0x10 - 0x18)


def chain(i: Image) -> None:
    """A block below a block below a block…"""
    number = i["big"]
    unit = BLOCK // i.cluster
    count = struct.unpack_from("<Q", i.get(number, (BLOCKS, I30)), 0x30)[0] // BLOCK
    for which in range(count):
        with i.node(number, I30, which) as (node, places):
            struct.pack_into("<QHHHHQ", node, places[0], 0, 0x18, 0, 3, 0, (which + 1) * unit)
            struct.pack_into("<IIB", node, 0x1C, places[0] + 0x18 - 0x18, 0xFE8, 1)
    i.entry(number, 0, 0x10, "<Q", 0)


def listed_in_root(i: Image, path: str, at: int, form: str, *values: int) -> None:
    """A field of the entry of a file in the root directory."""
    wanted = path.encode("utf-16-le")
    for which in (None, *range(100)):
        with i.node(5, I30, which) as (node, places):
            for place in places[:-1]:
                if bytes(node[place + 0x52 : place + 0x52 + len(wanted)]) == wanted:
                    struct.pack_into(form, node, place + at, *values)
                    return
    raise LookupError(path)


def extended(what: bytes, at: int, data: bytes, path: str = "char") -> Mutation:
    """Bytes behind a text in a resident $EA."""

    def mutate(i: Image) -> None:
        begin = i.get(i[path], EA).index(what)
        i.attribute(i[path], EA, begin + at, f"{len(data)}s", data)

    return mutate


def hole_first(i: Image) -> None:
    number = i["comp.bin"]
    lcn = i.place(number, DATA) // i.cluster
    runs = [(None, 8), (lcn, 2), (None, 6)]
    new = non_resident(
        DATA, runs, cluster_bytes=i.cluster, data_bytes=8192, flags=COMPRESSED, compression_unit=4, instance=2
    )
    i.replace(number, DATA, new)


def newer_block(i: Image) -> None:
    log()(i)
    i.block(i["big"], I30, i.leaf(i["big"]), 8, "<Q", 1 << 40)


def number_zero(i: Image) -> None:
    place = i.place(i["big"], (BLOCKS, I30), i.leaf(i["big"]) * BLOCK)
    for at in (0x28, *range(510, BLOCK, 512)):
        i.data[place + at : place + at + 2] = b"\0\0"


def mount_point(at: int, form: str, *values: int) -> Mutation:
    """A sound one but for a field, in the place of a symbolic link."""
    value = bytearray(junction(PLACE.removeprefix("\\??\\")))
    struct.pack_into(form, value, at, *values)
    return lambda i: i.replace(i["link"], REPARSE, resident(REPARSE, bytes(value)))


def chunk_header(change: Callable[[int], int]) -> Mutation:
    """Another header of the first chunk of comp.bin."""

    def mutate(i: Image) -> None:
        at = i.place(i["comp.bin"], DATA)
        struct.pack_into("<H", i.data, at, change(struct.unpack_from("<H", i.data, at)[0]))

    return mutate


def keys(at: int, value: int) -> Mutation:
    """A sound $EFS with keys for two, but for a number."""
    holder = KeyHolder(bytes(20), bytes(range(64)), container="container", provider="provider")
    data = bytearray(encode_efs(Efs(bytes(range(16)), (holder,), (holder,))))
    struct.pack_into("<I", data, at, value)
    return lambda i: i.add(i["plain.txt"], resident(UTILITY, bytes(data), name="$EFS"))


def wof_chunk(nth: int, at: int, data: bytes) -> Mutation:
    """Bytes of a chunk of wof.bin; each of them has the same size."""
    place = 4 * (CHUNKS_OF_WOF - 1) + nth * CHUNK_BYTES + at
    return lambda i: i.stream(i["wof.bin"], CHUNKS, place, f"{len(data)}s", data)


def wof_of_lzx(i: Image) -> None:
    """The chunks of another algorithm: four of them, whose ends fit."""
    i.value(i["wof.bin"], REPARSE, 20, "<I", 1)
    i.stream(i["wof.bin"], CHUNKS, 0, "<3I", 300, 600, 900)


MATRIX: dict[str, Mutation] = {
    "N01": lambda i: i.remove(i["plain.txt"], NAME),
    "N02": name(0x40, "<B", 200),
    "N03": name(0x41, "<B", 7),
    "N04": name(0x40, "<B", 0),
    "N05": name(0x42, "<H", ord("/")),
    "N05 two dots": lambda i: i.replace(i["plain.txt"], NAME, named(i, "plain.txt", "..")),
    "N05 one dot": lambda i: i.replace(i["plain.txt"], NAME, named(i, "plain.txt", ".")),
    "N06": name(0x41, "<B", 0, path=LONG, nth=1),
    "N07": name(0x41, "<B", 2, path=LONG, nth=1),
    "N08": name(0x41, "<B", 3, path=LONG, nth=1),
    "N09": name(0x42, "<H", ord("a"), path=LONG),
    "N10": name(0x42, "<H", ord("?"), path=LONG, nth=1),
    "N11": name(0, "<Q", FREE),
    "N12": lambda i: i.value(i["plain.txt"], NAME, 0, "<Q", reference(i, "other.bin")),
    "N13": name(0, "<Q", 9 << 48 | 5),
    "N14": lambda i: i.add(i["small"], i.get(i["plain.txt"], NAME)),
    "N15": name(0x42, "<H", ord("q")),
    "N16": name(0x42, "<H", ord("q")),
    "N17": lambda i: i.value(i["small"], NAME, 0, "<Q", reference(i, "small/inner")),
    "N18": lambda i: i.put(i["plain.txt"], 0x12, "<H", 1025),
    "N19": lambda i: i.add(i["plain.txt"], i.get(i["plain.txt"], NAME)),
    "N20": same_but_case,
    "N21": name(8, "<Q", 1 << 63),
    "N21 entry": entry(0, KEY + 0x18, "<Q", 1 << 63),
    "N23": lambda i: i.value(i[LONG], NAME, 0, "<Q", reference(i, "small")),
    "N24": lambda i: i.value(4, NAME, 0x42, "<H", ord("X")),
    "N20 third": three_but_case,
    "N25": name(0x38, "<I", 0x10000020),
    "N25 directory": name(0x38, "<I", 0, path="small"),
    "N25 view": name(0x38, "<I", 0x20000020),
    "N25 last": name(0x38, "<I", 0x10000020, path="twice.txt", nth=1),
    "N25 in $Extend": lambda i: i.value(24, NAME, 0x38, "<I", 0x26),
    "I01": of("small", (ROOT, I30), 0x10, "<I", 8),
    "I02": in_("small", (ROOT, I30), 0, "<I", 0),
    "I03": in_("small", (ROOT, I30), 8, "<I", 8192),
    "I04": in_("small", (ROOT, I30), 0x0C, "<B", 3),
    "I05": in_("small", (ROOT, I30), 0x14, "<I", 5000),
    "I06": lambda i: i.remove(i["big"], (BITMAP, I30)),
    "I07": in_("small", (ROOT, I30), 4, "<I", 0x10),
    "I08": raw_block(0, b"XXXX"),
    "I09": raw_block(6, b"\x77"),
    "I10": leaf(0x1C, "<I", 5000),
    "I10 left": leaf(0x20, "<I", 0xFE0),
    "I11": entry(0, 8, "<H", 7),
    "I12": entry(-1, 0x0C, "<H", 0),
    "I13": lambda i: i.entry(i["big"], 0, 0x0C, "<H", 2),
    "I14": lambda i: i.entry(i["big"], 0, 0x10, "<Q", 1 << 40),
    "I15": same_child,
    "I16": lambda i: i.flip(i["big"], (BITMAP, I30), i.leaf(i["big"])),
    "I17": lambda i: i.flip(i["big"], (BITMAP, I30), 60),
    "I18": entry(0, KEY + 0x42, "<H", ord("z")),
    "I19": entry(1, KEY + 0x42, "<H", ord("a")),
    "I20": lambda i: i.block(i["big"], I30, i.leaf(i["big"], inner=True), 0x24, "<B", 0),
    "I21": empty_leaf,
    "I22": chain,
    "I23": of("big", (BLOCKS, I30), 0x38, "<Q", BLOCK),
    "I23 size": of("big", (BLOCKS, I30), 0x30, "<QQ", BLOCK - 8, BLOCK - 8),
    "I24": of("big", (BITMAP, I30), 0x10, "<I", 0),
    "I25": raw_block(510, b"\xee\xee"),
    "I26": leaf(0x10, "<Q", 77),
    "I27": entry(0, 0, "<Q", FREE),
    "I28": entry(0, 6, "<H", 9),
    "I29": lambda i: i.entry(i["small"], 0, 0, "<Q", 1 << 48 | listed(i, 3)[0]),
    "I30": entry(0, KEY, "<Q", ROOT_REFERENCE),
    "I31": entry(0, KEY + 0x30, "<Q", 7),
    "I32": entry(0, KEY + 0x38, "<I", 2),
    "I33": lambda i: listed_in_root(i, "link", KEY + 0x3C, "<I", 7),
    "I34": entry(0, KEY + 0x38, "<I", 0x10000020),
    "I34 directory": entry(3, KEY + 0x38, "<I", 0),
    "I34 view": entry(0, KEY + 0x38, "<I", 0x20000020),
    "I36": lambda i: i.entry(9, 0, 0, "<H", 0x200, name="$SII"),
    "I37": entry(-1, 0x0A, "<H", 4),
    "I38": entry(2, 0x0C, "<H", 2),
    "I39": in_("small", (ROOT, I30), 0x0D, "<B", 1),
    "I40": of("big", (BITMAP, I30), 0x10, "<I", 7),
    "I41": entry(0, 0x0A, "<H", 0x44),
    "I42": entry(0, 0x0E, "<H", 1),
    "I42 view": lambda i: i.entry(9, 0, 4, "<I", 1, name="$SII"),
    "I43": leaf(0x25, "<B", 1),
    "I44": entry(4, KEY + 0x30, "<Q", 7),
    "I45": newer_block,
    "I46": number_zero,
    "I47": leaf(0x24, "<B", 2),
    "I47 root": in_("small", (ROOT, I30), 0x1C, "<B", 2),
    "I48": lambda i: i.remove(i["big"], (BITMAP, I30)),
    "I48 blocks": lambda i: i.remove(i["big"], (BLOCKS, I30)),
    "I48 root": lambda i: i.add(i["plain.txt"], resident(BITMAP, bytes(8), name="$X")),
    "F01": lambda i: i.remove(i["plain.txt"], SI),
    "F02": of("plain.txt", SI, 0x10, "<I", 56),
    "F03": attributes(0x420),
    "F04": attributes(0x820, "data.bin"),
    "F05": lambda i: i.remove(i["plain.txt"], DATA),
    "F06": lambda i: i.add(i["small"], i.get(i["plain.txt"], DATA)),
    "F07": in_("link", REPARSE, 4, "<H", 1),
    "F08": in_("link", REPARSE, 8, "<H", 0x101),
    "F08 absolute": in_("link", REPARSE, 0x10, "<I", 0),
    "F08 flags": in_("link", REPARSE, 0x10, "<I", 3),
    "F08 first": mount_point(0x08, "<HH", 2, 8),
    "F08 shown": mount_point(0x0C, "<H", 0),
    "F08 NUL": mount_point(0x10 + 2 * len(PLACE), "<H", ord("x")),
    "F08 end": mount_point(0x12 + 4 * len(PLACE) - 8, "<H", ord("x")),
    "F08 place": mount_point(0x10, "<H", ord("x")),
    "F09": extended(b"$LXMOD\0", 7, struct.pack("<I", 0o010600)),
    "F10": lambda i: i.remove(i["ea.txt"], EA),
    "F11": in_("ea.txt", EA, 0, "<I", 3),
    "F11 NUL": extended(b"ONE", 3, b"X", "ea.txt"),
    "F12": in_("ea.txt", EA_INFORMATION, 0, "<H", 1),
    "F13": in_("ea.txt", EA, 8, "<B", 7),
    "F14": lambda i: i.remove(i["wof.bin"], CHUNKS),
    "F14 version": in_("wof.bin", REPARSE, 8, "<I", 2),
    "F15": lambda i: i.stream(i["wof.bin"], CHUNKS, 0, "<I", 9_999_999),
    "F15 order": lambda i: i.stream(i["wof.bin"], CHUNKS, 4, "<I", 1),
    "F15 last": lambda i: i.stream(i["wof.bin"], CHUNKS, 4 * (CHUNKS_OF_WOF - 2), "<I", 0x7FFF),
    "F16": lambda i: i.stream(i["comp.bin"], DATA, 0, "<H", 0xBFFF),
    "F16 signature": chunk_header(lambda header: header ^ 0x1000),
    "F16 stored": chunk_header(lambda header: header & 0x7FFF),
    "F16 end": chunk_header(lambda header: 0),
    "F17": hole_first,
    "F18": of("data.bin", DATA, 0x0C, "<H", 0x4000),
    "F19": lambda i: i.add(i["plain.txt"], resident(UTILITY, b"xx", name="$EFS")),
    "F19 nobody": keys(0x54, 0),
    "F19 thumbprint": keys(0x58 + 0x14 + 0x1C + 4, 19),
    "F19 key": keys(0x58 + 8, 0),
    "F19 certificate": keys(0x58 + 0x14 + 0x10, 0x10),
    "F19 text": keys(0x58 + 0x14 + 0x1C + 8, 0x14),
    "F19 credential": keys(0x58 + 0x0C, 0x20),
    "F19 lists": keys(0x44, 0x60),
    "F20": lambda i: i.add(i["plain.txt"], resident(UTILITY, b"xx", name="$EFS")),
    "F21": in_("id.txt", OBJECT_ID, 0, "<QQ", 0, 0),
    "F22": lambda i: i.replace(i["id2.txt"], OBJECT_ID, i.get(i["id.txt"], OBJECT_ID)),
    "F25": attributes(0x28),
    "F26": attributes(0x30),
    "F27": info(0, "<Q", 1 << 63),
    "F28": info(0x28, "<I", 1),
    "F30": attributes(0x20, "sparse.bin"),
    "F31": attributes(0x4020, "data.bin"),
    "F32": extended(b"TWO", 0, b"ONE", "ea.txt"),
    "F32 case": extended(b"TWO", 0, b"one", "ea.txt"),
    "F33": lambda i: i.replace(i["fifo"], DATA, i.get(i["plain.txt"], DATA)),
    "F34": extended(b"$LXDEV", 5, b"X"),
    "F36": in_("ea.txt", EA, 4, "<B", 1),
    "F37": attributes(0x4000, "small"),
    "F38": lambda i: i.replace(i["id.txt"], OBJECT_ID, resident(OBJECT_ID, bytes(range(24)))),
    "F40": wof_chunk(0, 0, b"\0"),
    "F40 last": wof_chunk(24, 260, struct.pack("<BH", 0xFF, 5000)),
    "F40 middle": wof_chunk(12, 256, b"\0\x80"),
    "F40 LZX": wof_of_lzx,
    "F39": attributes(0x220, "data.bin"),
    "F39 resident": attributes(0x220),
    "F39 named": attributes(0x20, "sparse stream.txt"),
    "F39 directory": attributes(0, "sparse stream"),
    "F35": lambda i: i.replace(i["wof.bin"], DATA, i.get(i["sparse.bin"], DATA)),
}
