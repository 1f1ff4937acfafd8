"""The pages of `specs/ondisk` say what the code declares, and what a volume that was built holds.

`specs/ondisk/README.md` describes what is understood here: tables of structures and constants, and
fenced blocks of bytes.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import re
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import ntfsbuild.ondisk
from ntfsbuild import builder
from ntfsbuild.ondisk import (
    attribute,
    attribute_definitions,
    boot_sector,
    file_record,
    fixups,
    index,
    log_file,
    lznt1,
    names,
    security,
    upcase,
)
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.filetime import format_filetime
from ntfsbuild.ondisk.layout import OnDisk
from ntfsbuild.ondisk.runs import Run, decode_runs, encode_runs
from tests.ondisk.bare_volume import Bare
from tests.ondisk.spec_pages import BLOCKS, FOLDER, PAGES, TABLES, Block, declared, number, tables, text_of

# A page is named as its module.
MODULES = [path.stem for path in PAGES if path.stem not in ("README", "system_files")]

STRUCTURE = ("offset", "size", "field", "meaning")
CONSTANT = ("constant", "value", "meaning")
RECORD = (
    "record",
    "name",
    "sequence",
    "flags",
    "links",
    "security",
    "file attributes",
    "namespace",
    "attributes",
)
READ = {
    STRUCTURE,
    CONSTANT,
    RECORD,
    ("flag", "value", "meaning"),
    ("ticks", "time"),
    ("sectors", "1", "8", "128", "256", "512", "1024", "2048", "4096"),
    ("bytes", "cluster", "value"),
    ("structure", "bytes", "usa_offset", "usa_count", "payload begins"),
    ("runs", "bytes"),
    ("read, never written", "bytes"),
    ("volume", "log"),
    ("name", "win32", "posix"),
    ("type", "name", "flags", "smallest", "largest"),
    ("id", "descriptor", "hash", "bytes", "of"),
    ("first cluster", "clusters", "holds", "how large"),
}
PROSE = {  # Tables that nothing is compared with.
    ("page", "what it is", "code"),
    ("word", "meaning"),
    ("offset", "size", "content"),
    ("with clusters", "the unit is"),
    ("index", "of", "collation", "key", "data", "entry"),
}


# ---------------------------------------------------------------------- pages


def test_there_are_pages_and_the_index_names_them() -> None:
    assert len(PAGES) >= 19
    assert len(BLOCKS) >= 30
    linked = set(re.findall(r"\]\((\w+\.md)\)", text_of("README")))
    assert linked == {path.name for path in PAGES} - {"README.md"}
    for page, _, code in tables("README", "page", "what it is", "code"):
        module = FOLDER.parents[1] / "ntfsbuild" / code
        stem = re.findall(r"\w+", page)[0]
        assert f"specs/ondisk/{stem}.md" in module.read_text(), f"{code} does not name its page"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


def test_every_table_is_read_or_known_to_be_prose() -> None:
    assert {table.head for table in TABLES} == READ | PROSE


# ---------------------------------------------------------------------- structures and constants

TITLES = {
    found[1]: (table, number(found[2]))
    for table in TABLES
    if table.head == STRUCTURE and (found := re.fullmatch(r"`(\w+)`, (0x[0-9A-F]+) bytes", table.title))
}


@pytest.mark.parametrize("structure", declared(), ids=lambda cls: cls.__name__)
def test_every_structure_is_documented_as_it_is_declared(structure: type[OnDisk]) -> None:
    assert structure.__name__ in TITLES, "it has no table: ## `Name`, 0x10 bytes"
    table, size = TITLES[structure.__name__]
    assert table.page == structure.__module__.rpartition(".")[2]
    assert size == structure.SIZE
    written = [
        (number(offset), number(width.split()[0]), width.endswith(" signed"), field)
        for offset, width, field, _ in table.rows
    ]
    assert written == [
        (declared.at, declared.codec.size_bytes, declared.codec.letter in "bhiq", name)
        for name, declared in structure.FIELDS.items()
    ]


def test_no_table_is_left_of_a_structure_that_is_gone() -> None:
    assert set(TITLES) == {cls.__name__ for cls in declared()}
    assert len(TITLES) == sum(table.head == STRUCTURE for table in TABLES)


def module_of(page: str) -> ModuleType:
    return importlib.import_module(f"{ntfsbuild.ondisk.__name__}.{page}")


def defined(module: ModuleType) -> dict[str, int | bytes]:
    """The public constants that a module defines itself; long ones are shown as examples instead."""
    tree = ast.parse(Path(module.__file__ or "").read_text("utf-8"))
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    own = [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
    found = {name: getattr(module, name) for name in own if name.isupper() and not name.startswith("_")}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, int) or (isinstance(value, bytes) and len(value) <= 16)
    }


def same_constant(cell: str, value: int | bytes) -> bool:
    return bytes.fromhex(cell) == value if isinstance(value, bytes) else number(cell) == value


@pytest.mark.parametrize("page", MODULES)
def test_every_public_constant_is_documented(page: str) -> None:
    module = module_of(page)
    constants = defined(module)
    rows = {
        name: cell
        for table in TABLES
        if (table.page, table.head) == (page, CONSTANT)
        for name, cell, _ in table.rows
    }
    assert set(rows) == set(constants)
    assert [name for name, value in constants.items() if not same_constant(rows[name], value)] == []


def test_constants_are_found_at_all() -> None:
    assert {"MAGIC", "FIRST_RESERVED", "LAST_RESERVED", "FIRST_USER"} <= set(defined(file_record))
    assert sum(len(defined(module_of(page))) for page in MODULES) > 80


def test_attribute_types_have_their_names() -> None:
    meanings = {number(cell): meaning for _, cell, meaning in tables("attribute", *CONSTANT)}
    for code, name in attribute.TYPE_NAMES.items():
        assert meanings[code].startswith(f"`{name}`:") or meanings[code].startswith(f"{name}`:"), name


def test_file_attributes_are_all_there() -> None:
    rows = tables("file_attributes", "flag", "value", "meaning")
    assert [(name, number(cell)) for name, cell, _ in rows] == [
        (flag.name, flag.value) for flag in FileAttributes
    ]


# ---------------------------------------------------------------------- bytes of the pages


def build_page_volume(folder: Path, cluster: str) -> Bare:
    """The volume of `system_files.md`, with other clusters perhaps."""
    [manifest] = [block.text for block in BLOCKS if block.words == ["yaml", "manifest"]]
    (folder / "disk.yaml").write_text(manifest.replace("size: auto", f"size: auto, cluster: {cluster}"))
    builder.build(folder / "disk.yaml", folder / "disk.img")
    return Bare((folder / "disk.img").read_bytes())


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    return build_page_volume(tmp_path_factory.mktemp("specs"), "4KiB")


HEX = [block for block in BLOCKS if block.words[0] == "hex"]
VERBS = {"structure", "at", "from", "lznt1", "fixups", "size", "constant"}


def by_option(option: str) -> Any:
    chosen = [block for block in HEX if option in block.options]
    assert chosen, f"no block has {option}"
    return pytest.mark.parametrize("block", chosen, ids=lambda block: f"{block.page}:{block.line}")


def data_of(block: Block) -> bytes:
    data = bytearray()
    for line in block.text.splitlines():
        code = line.partition("#")[0]
        if found := re.match(r"(0x[0-9A-F]+):", code):
            data = data.ljust(number(found[1]), b"\0")
            code = code[found.end() :]
        data += bytes.fromhex(code)
    return bytes(data).ljust(int(block.options.get("size", "0")), b"\0")


def test_every_block_is_understood() -> None:
    for block in HEX:
        where = f"{block.page}.md:{block.line}"
        assert set(block.options) <= VERBS, where
        assert set(block.options) & (VERBS - {"at", "size"}), f"{where}: nothing is done with it"
        assert bool(block.follower) == bool({"structure", "lznt1"} & set(block.options)), where
    others = {block.words[0] for block in BLOCKS if block.words[0] != "hex"}
    assert others == {"yaml", "listing", "order"}


@by_option("structure")
def test_structures_are_unpacked_to_what_the_page_says(block: Block) -> None:
    structure = next(cls for cls in declared() if cls.__name__ == block.options["structure"])
    data, at = data_of(block), number(block.options.get("at", "0"))
    expected = yaml.safe_load(block.follower)
    read = structure.unpack(data, at)
    found = {name: getattr(read, name) for name in expected}
    assert {
        name: value.hex(" ").upper() if isinstance(value, bytes) else value for name, value in found.items()
    } == expected
    assert read.pack() == data[at : at + structure.SIZE]


@by_option("from")
def test_bytes_are_those_of_the_volume(block: Block, volume: Bare) -> None:
    data, at = data_of(block), volume.place(block.options["from"])
    assert volume.data[at : at + len(data)].hex(" ") == data.hex(" ")


@by_option("constant")
def test_bytes_are_those_of_the_constant(block: Block) -> None:
    assert data_of(block) == getattr(module_of(block.page), block.options["constant"])


@by_option("lznt1")
def test_compressed_units(block: Block) -> None:
    expected = yaml.safe_load(block.follower)
    plain = (expected["repeat"].encode() * expected["bytes"])[: expected["bytes"]]
    assert lznt1.decompress(data_of(block), 16 * 4096) == plain


def test_fixups_before_and_after() -> None:
    before, after = (
        next(bytearray(data_of(block)) for block in HEX if block.options.get("fixups") == when)
        for when in ("before", "after")
    )
    protected = bytearray(before)
    fixups.protect(protected, len(before), 0x30)
    assert protected == after
    fixups.restore(protected, "the example")
    before[0x30:0x36] = protected[0x30:0x36]  # The array itself stays.
    assert protected == before


# ---------------------------------------------------------------------- tables


def runs_of(cell: str) -> list[Run]:
    """`2 @ 5, hole 3` as runs."""
    runs: list[Run] = []
    for one in cell.split(", ") if cell != "nothing" else []:
        found = re.fullmatch(r"hole (\d+)|(\d+) @ (\d+)", one)
        assert found, one
        runs.append((None, int(found[1])) if found[1] else (int(found[3]), int(found[2])))
    return runs


@pytest.mark.parametrize(("runs", "data"), tables("runs", "runs", "bytes"))
def test_run_lists(runs: str, data: str) -> None:
    assert encode_runs(runs_of(runs)) == bytes.fromhex(data)
    assert list(decode_runs(bytes.fromhex(data))) == runs_of(runs)


@pytest.mark.parametrize(("runs", "data"), tables("runs", "read, never written", "bytes"))
def test_run_lists_that_only_others_write(runs: str, data: str) -> None:
    assert list(decode_runs(bytes.fromhex(data))) == runs_of(runs)
    assert encode_runs(runs_of(runs)) != bytes.fromhex(data)


def test_times() -> None:
    rows = tables("standard_information", "ticks", "time")
    assert [time for _, time in rows] == [format_filetime(int(ticks)) for ticks, _ in rows]


def test_sizes_in_the_boot_sector() -> None:
    [table] = [one for one in TABLES if one.page == "boot_sector" and one.head[0] == "sectors"]
    for sectors, byte in zip(table.head[1:], table.rows[0][1:], strict=True):
        assert boot_sector.encode_sectors_per_cluster(int(sectors)) == number(byte)
    for size, cluster, value in tables("boot_sector", "bytes", "cluster", "value"):
        assert boot_sector.encode_size(int(size), int(cluster)) == int(value)


def test_places_of_the_update_sequence() -> None:
    head = ("structure", "bytes", "usa_offset", "usa_count", "payload begins")
    for what, size, offset, count, payload in tables("fixups", *head):
        assert number(count) == int(size) // fixups.STRIDE + 1
        if what == "FILE record":
            expected = file_record.FileRecordHeader.SIZE, file_record.first_attribute_offset(int(size))
        else:
            expected = index.BLOCK_USA_OFFSET, index.ENTRIES_AT
        assert (number(offset), number(payload)) == expected


def test_sizes_of_the_log() -> None:
    rows = tables("log_file", "volume", "log")
    assert [int(size) for _, size in rows] == [log_file.log_file_bytes(int(volume)) for volume, _ in rows]


def test_names_that_can_stand() -> None:
    for name, *allowed in tables("names", "name", "win32", "posix"):
        found = [names.what_is_wrong(name, posix=posix) is None for posix in (False, True)]
        assert found == [word == "yes" for word in allowed], name


def test_the_order_of_names() -> None:
    [listed] = [block.text.splitlines() for block in BLOCKS if block.words == ["order"]]
    table = upcase.table()

    def key(name: str) -> tuple[list[int], list[int]]:
        raw = name.encode("utf-16-le")
        units = list(struct.unpack(f"<{len(raw) // 2}H", raw))
        return [struct.unpack_from("<H", table, 2 * unit)[0] for unit in units], units

    assert listed == sorted(listed, key=key)
    assert len({name.lower() for name in listed}) < len(listed) > 12


def test_the_case_table() -> None:
    page = text_of("upcase")
    assert f"`{hashlib.sha256(upcase.table()).hexdigest()}`" in page
    changes = upcase.parse_table(upcase.table())
    assert f"{len(changes)} code units change, in {len(upcase._RUNS.split())} runs" in page
    assert not set(changes.values()) & set(changes), "nothing changes twice"
    by_unicode = {unit: chr(unit).upper() for unit in range(0x10000)}
    differ = sum(upper != chr(changes.get(unit, unit)) for unit, upper in by_unicode.items())
    assert differ > 200 and "more than two hundred" in page


def test_attribute_definitions() -> None:
    table = attribute_definitions.table()
    assert f"`{hashlib.sha256(table).hexdigest()}`" in text_of("attribute_definitions")
    rows = tables("attribute_definitions", "type", "name", "flags", "smallest", "largest")
    packed = [
        struct.pack(
            "<128sIIIIqq", name.encode("utf-16-le"), number(code), 0, 0, number(flags), *map(int, limits)
        )
        for code, name, flags, *limits in rows
    ]
    assert b"".join(packed) + bytes(160) == table


def test_security_ids(volume: Bare) -> None:
    found: dict[int, tuple[int, int, int]] = {}
    for entry in volume.entries(9, "$SII"):
        security_id, hash_, _, offset, size = struct.unpack_from("<IIIQI", entry, 0x10)
        found[security_id] = hash_, offset, size
    sds = volume.stream(9, 0x80, "$SDS").value
    rows = tables("security", "id", "descriptor", "hash", "bytes", "of")
    for security_id, name, hash_, size, _ in rows:
        descriptor = getattr(security, name)
        assert (len(descriptor), security.descriptor_hash(descriptor)) == (int(size), number(hash_))
        if security_id != "own":
            filed_hash, offset, filed_size = found.pop(number(security_id))
            assert (filed_hash, filed_size) == (number(hash_), 20 + len(descriptor))
            for at in (offset, offset + security.BLOCK_BYTES):
                assert sds[at + 20 : at + filed_size] == descriptor
    assert found == {}, "an id that the page does not know"


# ---------------------------------------------------------------------- the system files

TYPES = {name.lstrip("$"): code for code, name in attribute.TYPE_NAMES.items()}


def attributes_of(cell: str) -> list[tuple[int, str, int, list[Run]]]:
    """`DATA $SDS 100 in 1 @ 5, BITMAP 8` as (type, name, size, runs)."""
    found = []
    for one in re.split(r", (?=[A-Z])", cell):
        what, _, runs = one.partition(" in ")
        code, *name, size = what.split()
        found.append((TYPES[code], "".join(name), int(size), runs_of(runs) if runs else []))
    return found


RECORDS = tables("system_files", *RECORD)


def test_all_records_are_told() -> None:
    assert [int(row[0]) for row in RECORDS] == [*range(16), 24, 25, 26]


@pytest.mark.parametrize("row", RECORDS, ids=lambda row: row[0])
def test_records_of_system_files(row: list[str], volume: Bare) -> None:
    _, name, sequence, flags, links, secured, file_attributes, namespace, attributes = row
    record = int(row[0])
    header = struct.unpack_from("<HHHHIIQH", volume.raw(record), 0x10)
    found = volume.attributes(record)
    assert volume.raw(record)[:4] == b"FILE"
    assert header[:2] == (int(sequence), int(links))
    assert header[3] == number(flags)
    assert header[7] == len(found)
    assert [one.instance for one in found] == list(range(len(found)))
    assert [(one.type_code, one.name, one.size, one.runs) for one in found] == attributes_of(attributes)
    information = volume.stream(record, 0x10).value
    assert struct.unpack_from("<I", information, 0x20)[0] == number(file_attributes)
    if secured == "own":
        assert len(information) == 0x30
        descriptor = volume.stream(record, 0x50).value
        own = {5: security.ROOT, 7: security.SYSTEM_READ}.get(record, security.SYSTEM_READ_WRITE)
        assert descriptor == own
    else:
        assert struct.unpack_from("<I", information, 0x34)[0] == number(secured)
    if name:
        check_name(record, name, int(namespace), header[3], number(file_attributes), volume)


def check_name(record: int, name: str, namespace: int, flags: int, attributes: int, volume: Bare) -> None:
    """The $FILE_NAME of a record, and the entry of its directory: the same."""
    value = volume.stream(record, 0x30).value
    parent = 11 if record > 15 else 5
    assert struct.unpack_from("<Q", value)[0] == parent << 48 | parent
    assert value[0x42:].decode("utf-16-le") == name
    assert value[0x41] == namespace
    assert struct.unpack_from("<I", value, 0x38)[0] == attributes | (0x10000000 if flags & 2 else 0)
    data = [one for one in volume.attributes(record) if one[:2] == (0x80, "")]
    clusters = sum(count for one in data for _, count in one.runs)
    sizes = (clusters * volume.cluster, data[0].size) if data else (0, 0)
    assert struct.unpack_from("<QQ", value, 0x28) == sizes
    [entry] = [
        one
        for one in volume.entries(parent, "$I30")
        if struct.unpack_from("<Q", one)[0] & 0xFFFFFFFF == record
    ]
    assert entry[0x10 : 0x10 + len(value)] == value


def test_the_layout_has_no_gap_and_no_stranger(volume: Bare) -> None:
    told = [
        (int(first), int(clusters), what)
        for first, clusters, what, _ in tables(
            "system_files", "first cluster", "clusters", "holds", "how large"
        )
    ]
    found = []
    for record in range(volume.stream(0, 0x80).size // volume.record_bytes):
        if volume.raw(record)[:4] != b"FILE":
            continue
        streams = volume.attributes(record)
        for one in streams:
            name = next((s.value[0x42:].decode("utf-16-le") for s in streams if s.type_code == 0x30), "")
            part = one.name or ("$BITMAP" if one.type_code == 0xB0 else "")
            found += [(lcn, n, f"{name}:{part}".rstrip(":")) for lcn, n in one.runs if lcn is not None]
    assert sorted(found) == told
    ends = [first + clusters for first, clusters, _ in told]
    assert [first for first, _, _ in told] == [0, *ends[:-1]]
    assert ends[-1] == volume.clusters
    page = re.sub(r"\s+", " ", text_of("system_files"))
    assert f"This volume has {volume.clusters} clusters and {volume.sectors + 1} sectors" in page
    assert len(volume.data) == (volume.sectors + 1) * volume.sector


def test_copies_and_what_is_left_empty(volume: Bare) -> None:
    mirror = volume.stream(1, 0x80).value
    assert mirror == volume.data[volume.mft : volume.mft + len(mirror)]
    assert volume.data[-volume.sector :] == volume.data[: volume.sector]
    assert all(not any(volume.raw(record)) for record in range(16, 24))
    assert set(volume.stream(2, 0x80).value) == {log_file.EMPTY_BYTE}
    assert volume.stream(4, 0x80).value == attribute_definitions.table()
    assert volume.stream(10, 0x80).value == upcase.table()
    assert volume.stream(10, 0x80, "$Info").value == upcase.info()


def test_free_records_that_the_mirror_repeats(tmp_path: Path) -> None:
    volume = build_page_volume(tmp_path, "32KiB")
    mirror = volume.stream(1, 0x80).value
    assert mirror == volume.data[volume.mft : volume.mft + len(mirror)]
    bits = int.from_bytes(volume.stream(0, 0xB0).value, "little")
    in_use = [number for number in range(64) if bits >> number & 1]
    assert in_use == [*range(16), *range(24, 35)]
    size = volume.stream(0, 0x80).size // volume.record_bytes
    repeated = len(mirror) // volume.record_bytes
    assert (repeated, size) == (32, 64)
    for record in set(range(size)) - set(in_use):
        raw = volume.raw(record)
        if record >= repeated:
            assert not any(raw)
            continue
        sequence, links, _, flags = struct.unpack_from("<HHHH", raw, 0x10)
        assert (raw[:4], sequence, links, flags) == (b"FILE", record, 0, 0)
        assert [one[:2] for one in volume.attributes(record)] == [
            one[:2] for one in volume.attributes(file_record.FIRST_RESERVED)
        ]


def test_listings(volume: Bare) -> None:
    listings = {int(block.words[1]): block.text.split() for block in BLOCKS if block.words[0] == "listing"}
    assert set(listings) == {5, 11}
    for record, listed in listings.items():
        assert volume.names(record) == listed
