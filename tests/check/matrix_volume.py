"""A mutation for each rule of the volume: boot sector, clusters, security, view indexes, NTFS's own files."""

from __future__ import annotations

import struct
from collections.abc import Callable

from ntfsbuild.ondisk.attribute import non_resident, resident
from tests.check.mutating import (
    BITMAP,
    DATA,
    NAME,
    RECORD,
    ROOT,
    SECURITY,
    SI,
    VOLUME_INFORMATION,
    VOLUME_NAME,
    Image,
)

Mutation = Callable[[Image], object]

SDS = (DATA, "$SDS")
J, MAX = (DATA, "$J"), (DATA, "$Max")
PAGE = 4096
AREA, CLIENT = 0x30, 0x70  # In a restart page.


def first_sector(at: int, form: str, value: int) -> Mutation:
    """In the first sector alone, so that the backup is still right."""
    return lambda i: struct.pack_into(form, i.data, at, value)


def same_clusters_of_256(i: Image) -> None:
    i.boot(0x0B, "<H", 256)
    i.boot(0x0D, "<B", 0xFF)
    i.boot(0x28, "<Q", 2 * i.sectors)


def huge_clusters(i: Image) -> None:
    struct.pack_into("<HB", i.data, 0x0B, 4096, 0xF4)


def cut(i: Image) -> None:
    del i.data[-512:]


def longer(i: Image) -> None:
    i.data += bytes(4096)


def free_cluster(i: Image) -> int:
    """One that nobody uses."""
    place = i.place(6, DATA)
    return next(lcn for lcn in range(i.clusters) if not i.data[place + lcn // 8] >> lcn % 8 & 1)


def size_of(i: Image, number: int, what: tuple[int, str] | int) -> int:
    return int(struct.unpack_from("<Q", i.get(number, what), 0x30)[0])


def resize(i: Image, number: int, what: tuple[int, str] | int, by: int, *, initialized: bool = True) -> None:
    """Another data size, and perhaps initialized size, in the header alone."""
    size = size_of(i, number, what) + by
    i.attribute(number, what, 0x30, "<QQ" if initialized else "<Q", *[size] * (1 + initialized))


def spoil_descriptor(at: int) -> Mutation:
    """A byte of the first descriptor, in both copies."""

    def mutate(i: Image) -> None:
        for copy in (0, 0x40000):
            i.stream(9, SDS, copy + 0x14 + at, "<B", 0x77)

    return mutate


def same_place(i: Image) -> None:
    """The second descriptor where the first is."""
    i.entry(9, 1, 0x1C, "<Q", 0, name="$SII")


def tracked_owner(i: Image) -> None:
    i.entry(24, 0, 0x18, "<I", 0x11, name="$Q")
    i.value(i["plain.txt"], SI, 0x30, "<I", 0x999)


def bad(*runs: tuple[int | None, int]) -> Mutation:
    """Another $Bad; -1 stands for what is left."""

    def mutate(i: Image) -> None:
        left = i.clusters - sum(count for _, count in runs if count > 0)
        whole = [(lcn, left if count < 0 else count) for lcn, count in runs]
        size = sum(count for _, count in whole) * i.cluster
        new = non_resident(
            DATA, whole, cluster_bytes=i.cluster, data_bytes=size, initialized_bytes=0, name="$Bad"
        )
        i.replace(8, (DATA, "$Bad"), new)

    return mutate


# ---- the log


def log_page(magic: bytes, usa: int, fill: bytes) -> bytearray:
    page = bytearray(fill.ljust(PAGE, b"\0"))
    struct.pack_into("<4sHH", page, 0, magic, usa, 9)
    struct.pack_into("<H", page, usa, 1)
    for k in range(1, 9):
        page[usa + 2 * k : usa + 2 * k + 2] = page[512 * k - 2 : 512 * k]
        page[512 * k - 2 : 512 * k] = b"\1\0"
    return page


def restart_page(size: int, *, version: int = 1, area: int = AREA, flags: int = 2) -> bytearray:
    page = bytearray(0x200)
    struct.pack_into("<QIIHhh", page, 8, 0, PAGE, PAGE, area, 1, version)
    counts = 1, 0xFFFF, 0, flags, 67 - size.bit_length(), 0xE0, 0x40
    struct.pack_into("<QHHHHIHHQIHH", page, AREA, 0x100, *counts, size, 0x70, 0x30, 0x40)
    struct.pack_into("<QQHHH6xI8s", page, CLIENT, 0, 0, 0xFFFF, 0xFFFF, 0, 8, "NTFS".encode("utf-16-le"))
    return log_page(b"RSTR", 0x1E, bytes(page))


def log(change: Callable[[list[bytearray]], object] | None = None, more: int = 0, **fields: int) -> Mutation:
    """A log that is in use: two restart pages, three log pages, nothing else."""

    def mutate(i: Image) -> None:
        size = size_of(i, 2, DATA) + more
        pages = [restart_page(size, **fields), restart_page(size, **fields)]
        pages += [log_page(b"RCRD", 0x28, b"") for _ in range(3)]
        if change is not None:
            change(pages)
        at = i.place(2, DATA)
        i.data[at : at + PAGE * len(pages)] = b"".join(pages)

    return mutate


def spoil(which: int, at: int, data: bytes) -> Mutation:
    def change(pages: list[bytearray]) -> None:
        pages[which][at : at + len(data)] = data

    return log(change)


def in_restart(at: int, form: str, value: int, which: slice = slice(2)) -> Mutation:
    """A field of restart pages; none of these lies at the end of a sector."""

    def change(pages: list[bytearray]) -> None:
        for page in pages[which]:
            struct.pack_into(form, page, at, value)

    return log(change)


def garbage_log(i: Image) -> None:
    at = i.place(2, DATA)
    i.data[at : at + 4 * PAGE] = b"\x5a" * (4 * PAGE)


# ---- the journal


def journal(change: Mutation | None = None) -> Mutation:
    """Ours lies in the root, for no manifest puts one into $Extend."""

    def mutate(i: Image) -> None:
        number = i["$UsnJrnl"]
        i.value(number, NAME, 0, "<Q", 11 << 48 | 11)
        if change is not None:
            change(i)

    return mutate


def in_journal(at: int, form: str, value: int) -> Mutation:
    return journal(lambda i: i.stream(i["$UsnJrnl"], J, at, form, value))


def journal_of_version_3(at: int, form: str, value: int) -> Mutation:
    """One record, of which a field is changed."""
    name = "one.txt".encode("utf-16-le")
    record = struct.pack("<IHH16s16sQQIIIIHH", 0x60, 3, 0, b"\x1e", b"\5", 0, 0, 1, 0, 0, 0, len(name), 0x4C)
    data = bytearray((record + name).ljust(0x60, b"\0").ljust(512, b"\0"))
    struct.pack_into(form, data, at, value)
    return journal(lambda i: i.stream(i["$UsnJrnl"], J, 0, "512s", bytes(data)))


def owners_in_disorder(i: Image) -> None:
    """Two in $Quota:$O, the greater one first."""
    value = i.get(24, (ROOT, "$O"))
    value = bytearray(value[struct.unpack_from("<H", value, 0x14)[0] :])
    entry = bytearray(value[0x20:0x48])
    entry[0x1C] -= 1
    value[0x48:0x48] = entry
    struct.pack_into("<II", value, 0x14, len(value) - 0x10, len(value) - 0x10)
    i.replace(24, (ROOT, "$O"), resident(ROOT, bytes(value), name="$O"))


def extend_without(name: str) -> Mutation:
    """$Extend with that file under another name, which is none of NTFS's own."""
    raw, other = name.encode("utf-16-le"), name.replace("$", "!").encode("utf-16-le")

    def mutate(i: Image) -> None:
        for number in range(24, 27):
            if raw in i.get(number, NAME):
                i.value(number, NAME, 0x42, f"{len(raw)}s", other)
        with i.node(11, "$I30", None) as (node, places):
            for place in places[:-1]:
                if bytes(node[place + 0x52 : place + 0x52 + len(raw)]) == raw:
                    node[place + 0x52 : place + 0x52 + len(raw)] = other

    return mutate


MATRIX: dict[str, Mutation] = {
    "B01": lambda i: i.boot(3, "4s", b"XTFS"),
    "B02": lambda i: i.boot(0x1FE, "<B", 0),
    "B03": first_sector(0x0B, "<H", 1000),
    "B04": first_sector(0x0D, "<B", 3),
    "B05": same_clusters_of_256,
    "B06": huge_clusters,
    "B07": lambda i: i.boot(0x0E, "<H", 1),
    "B08": lambda i: i.boot(0x15, "<B", 0),
    "B09": cut,
    "B10": longer,
    "B11": lambda i: struct.pack_into("<B", i.data, len(i.data) - 300, 1),
    "I07 $Quota": lambda i: i.value(24, (ROOT, "$O"), 4, "<I", 0x13),
    "I07 $ObjId": lambda i: i.value(25, (ROOT, "$O"), 4, "<I", 0x10),
    "I18 $Quota": owners_in_disorder,
    "B12": first_sector(0x30, "<Q", 0),
    "B13": lambda i: i.boot(0x38, "<Q", 0),
    "B14": first_sector(0x40, "<b", 3),
    "B15": first_sector(0x44, "<b", 0),
    "B16": first_sector(0x28, "<Q", 1 << 40),
    "B17": lambda i: i.boot(0x48, "<Q", 0),
    "B18": lambda i: i.boot(0x50, "<I", 1),
    "B19": lambda i: i.data.__setitem__(slice(0x0B, 512), bytes(501)),
    "B20": lambda i: i.boot(0x30, "<Q", i.mirror // i.cluster),
    "B21": lambda i: i.boot(0x38, "<Q", i.mirror // i.cluster + 1),
    "B22": lambda i: i.boot(0, "<B", 0),
    "B22 short": lambda i: i.boot(2, "<B", 0),
    "C01": lambda i: i.flip(6, DATA, i.place(i["data.bin"], DATA) // i.cluster),
    "C02": lambda i: i.flip(6, DATA, free_cluster(i)),
    "C03": lambda i: i.replace(i["other.bin"], DATA, i.get(i["data.bin"], DATA)),
    "C04": lambda i: resize(i, 6, DATA, -64),
    "C05": lambda i: i.flip(6, DATA, i.clusters),
    "C06": lambda i: i.attribute(0, BITMAP, 0x30, "<QQ", 8, 8),
    "C07": lambda i: i.flip(0, BITMAP, size_of(i, 0, DATA) // RECORD),
    "C08": lambda i: resize(i, 6, DATA, 1),
    "C10": lambda i: i.remove(6, DATA),
    "C11": lambda i: resize(i, 0, BITMAP, 1),
    "C12": lambda i: i.attribute(6, DATA, 0x38, "<Q", 8),
    "S01": lambda i: i.remove(9, (ROOT, "$SDH")),
    "S02": lambda i: i.entry(9, 0, 0x1C, "<Q", 1 << 40, name="$SII"),
    "S03": lambda i: i.stream(9, SDS, 4, "<I", 999),
    "S04": spoil_descriptor(0x20),
    "S05": lambda i: i.stream(9, SDS, 0x40000, "<I", 0),
    "S06": lambda i: i.entry(9, 0, 0x1C, "<Q", 8, name="$SII"),
    "S07": same_place,
    "S08": lambda i: resize(i, 9, SDS, 4096),
    "S09": lambda i: i.entry(9, 0, 0x10, "<I", 5, name="$SII"),
    "S10": spoil_descriptor(0),
    "S12": lambda i: i.value(i["plain.txt"], SI, 0x34, "<I", 0x999),
    "S13": lambda i: i.value(i["plain.txt"], SI, 0x34, "<I", 0),
    "S13 root": lambda i: i.remove(5, SECURITY),
    "S14": lambda i: i.value(7, SECURITY, 0, "<B", 9),
    "S15": lambda i: i.entry(9, 0, 0x28, "<I", 5, name="$SDH"),
    "S16": lambda i: i.replace(9, SDS, resident(DATA, b"", name="$SDS")),
    "S17": lambda i: i.entry(9, 0, 0x14, "<I", 0x999, name="$SDH"),
    "S18": lambda i: i.value(7, SECURITY, 4, "<I", 0),
    "S18 in $SDS": lambda i: i.stream(9, SDS, 0x14 + 8, "<I", 0),
    "V01": lambda i: i.entry(9, 0, 2, "<H", 16, name="$SII"),
    "V02": lambda i: i.entry(9, 0, 2, "<H", 16, name="$SDH"),
    "V03": lambda i: i.entry(26, 0, 0x0A, "<H", 8, name="$R"),
    "V04": lambda i: i.entry(25, 0, 2, "<H", 0x30, name="$O"),
    "V05": lambda i: i.entry(24, 0, 2, "<H", 2, name="$O"),
    "V06": lambda i: i.entry(24, 0, 0x0A, "<H", 8, name="$Q"),
    "V08": lambda i: i.entry(9, 0, 0x10, "<I", 1, name="$SDH"),
    "V09": lambda i: i.entry(26, 0, 0x10, "<I", 0x80000099, name="$R"),
    "V10": lambda i: i.entry(26, 0, 0x10, "<I", 0x80000099, name="$R"),
    "V11": lambda i: i.entry(25, 0, 0x10, "<I", 0x99, name="$O"),
    "V12": lambda i: i.entry(25, 0, 0x10, "<I", 0x99, name="$O"),
    "V13": lambda i: i.entry(24, 0, 0x10, "<I", 2, name="$Q"),
    "V14": lambda i: i.entry(24, 0, 0x20, "<I", 0x999, name="$O"),
    "V15": lambda i: i.entry(24, 1, 0x46, "<B", 9, name="$Q"),
    "V16": tracked_owner,
    "V17": lambda i: i.entry(25, 0, 0x20, "<Q", 5, name="$O"),
    "V18": lambda i: i.entry(24, 0, 2, "<H", 16, name="$Q"),
    "V19": lambda i: i.entry(24, 0, 0x14, "<I", 9, name="$Q"),
    "V20": lambda i: i.entry(24, 1, 0x46, "<B", 9, name="$Q"),
    "Y01": lambda i: i.put(4, 0x16, "<H", 0),
    "Y57": lambda i: i.attribute(9, SDS, 0x38, "<Q", 512),
    "Y57 log": lambda i: i.attribute(2, DATA, 0x38, "<Q", 0),
    "Y04": lambda i: struct.pack_into("<B", i.data, i.mirror + RECORD + 0x60, 0x77),
    "Y05": lambda i: i.attribute(1, DATA, 0x30, "<QQ", RECORD, RECORD),
    "Y06": lambda i: resize(i, 0, DATA, 100, initialized=False),
    "Y07": lambda i: i.remove(0, BITMAP),
    "Y08": lambda i: resize(i, 0, DATA, 1024, initialized=False),
    "Y09": lambda i: i.attribute(7, DATA, 0x42, "<B", 1),
    "Y09 behind": lambda i: i.replace(
        7,
        DATA,
        non_resident(
            DATA, [(0, 8), (free_cluster(i), 8)], cluster_bytes=i.cluster, data_bytes=8192, instance=9
        ),
    ),
    "Y10": lambda i: i.attribute(7, DATA, 0x30, "<QQ", 512, 512),
    "Y11": bad((None, 100)),
    "Y12": lambda i: i.replace(8, DATA, resident(DATA, b"x")),
    "Y13": bad((None, 4000), (4000, 1), (None, -1)),
    "Y14": lambda i: i.attribute(10, DATA, 0x30, "<Q", 100),
    "Y15": lambda i: i.stream(10, DATA, 2 * 0x61, "<H", 0x61),
    "Y16": lambda i: i.stream(10, DATA, 2 * 0x100, "<H", 0x61),
    "Y17": lambda i: i.stream(10, DATA, 2 * 0x100, "<H", 0x41),
    "Y18": lambda i: i.value(10, (DATA, "$Info"), 8, "<Q", 1),
    "Y19": lambda i: i.stream(4, DATA, 0x80, "<I", 0x20),
    "Y20": lambda i: i.stream(4, DATA, 0x90 + 160, "<Q", 5),
    "Y21": lambda i: i.remove(3, VOLUME_INFORMATION),
    "Y22": lambda i: i.value(3, VOLUME_INFORMATION, 8, "<BB", 3, 2),
    "Y23": lambda i: i.value(3, VOLUME_INFORMATION, 10, "<H", 1),
    "Y24": lambda i: i.value(3, VOLUME_INFORMATION, 10, "<H", 0x4000),
    "Y25": lambda i: i.replace(3, VOLUME_NAME, resident(VOLUME_NAME, b"abc")),
    "Y26": garbage_log,
    "Y27": log(flags=0),
    "Y27 first": in_restart(AREA + 0x0E, "<H", 0, slice(1)),
    "Y28": lambda i: i.remove(2, DATA),
    "Y29": lambda i: resize(i, 2, DATA, -100),
    "Y30": spoil(2, 510, b"\xee\xee"),
    "Y31": lambda i: i.stream(2, DATA, 100_000, "<B", 0),
    "Y32": spoil(1, 0, b"XXXX"),
    "Y33": lambda i: i.remove(26, (ROOT, "$R")),
    "Y34": lambda i: i.put(26, 0x16, "<H", 9),
    "Y35": journal(lambda i: i.replace(i["$UsnJrnl"], MAX, resident(DATA, bytes(8), name="$Max"))),
    "Y36": in_journal(0, "<I", 12),
    "Y36 behind": in_journal(0x50, "<I", 0),
    "Y36 version 3": journal_of_version_3(0, "<I", 0x48),
    "Y37": in_journal(0x18, "<Q", 8),
    "Y37 version 3": journal_of_version_3(0x28, "<Q", 8),
    "Y38": in_journal(4, "<H", 9),
    "Y39": lambda i: i.add(12, i.get(i["plain.txt"], NAME)),
    "Y40": journal(lambda i: i.attribute(i["$UsnJrnl"], J, 0x42, "<H", ord("K"))),
    "Y41": spoil(1, 510, b"\xee\xee"),
    "Y42": log(version=9),
    "Y43": log(area=0x1000),
    "Y44": log(more=4096),
    "Y45": spoil(3, 0, b"XXXX"),
    "Y46": in_journal(0x38, "<H", 5000),
    "Y46 none": in_journal(0x38, "<H", 0),
    "Y46 odd": in_journal(0x38, "<H", 13),
    "Y46 head": in_journal(0x3A, "<H", 0x38),
    "Y46 version 3": journal_of_version_3(0x4A, "<H", 0x3C),
    "Y47": lambda i: i.put(12, 0x16, "<H", 0),
    "Y48": lambda i: i.value(3, VOLUME_INFORMATION, 10, "<H", 2),
    "Y49": lambda i: i.remove(3, VOLUME_NAME),
    "Y50": lambda i: i.remove(8, (DATA, "$Bad")),
    "Y51": lambda i: resize(i, 8, (DATA, "$Bad"), -512, initialized=False),
    "Y52": bad((None, 4000), (5000, 1), (None, -1)),
    "Y53": lambda i: i.replace(10, (DATA, "$Info"), resident(DATA, bytes(16), name="$Info")),
    "Y54": lambda i: i.put(11, 0x16, "<H", 1),
    "Y55": lambda i: i.put(5, 0x16, "<H", 1),
    "Y58": in_restart(AREA + 0x20, "<I", 0x71, slice(1, 2)),
    "Y59": in_restart(AREA + 0x14, "<H", 0x48),
    "Y59 clients": in_restart(AREA + 0x16, "<H", 0x3C),
    "Y60": in_restart(AREA + 0x0C, "<H", 7),
    "Y60 free": in_restart(AREA + 0x0A, "<H", 1),
    "Y60 first": in_restart(CLIENT + 0x10, "<H", 0),
    "Y61": in_restart(AREA + 0x10, "<I", 1),
    "Y61 record": in_restart(AREA + 0x24, "<H", 0x2F),
    "Y61 page": in_restart(AREA + 0x26, "<H", 0x3F),
    "Y62": in_restart(8, "<Q", 1),
    "Y64": extend_without("$ObjId"),
    "Y64 first": extend_without("$Quota"),
    "Y64 last": extend_without("$Reparse"),
    "Y63": lambda i: i.add(i["plain.txt"], i.get(3, VOLUME_NAME)),
    "Y63 version": lambda i: i.add(i["plain.txt"], i.get(3, VOLUME_INFORMATION)),
    "Y56": lambda i: struct.pack_into("4s", i.data, i.mft, b"XXXX"),
}
