"""Cluster accounting before a change: who owns what, by the records alone."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild import builder
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.runs import Run, encode_runs
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write import safety
from ntfsbuild.volume.write.accounting import MOST_FINDINGS, ClusterOwners, TakenClusters
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.volume.changing import START, PlainStorage

CLUSTERS = 1000
RECORD_BYTES = 1024


def mapped(runs: list[Run], clusters: int | None = None) -> bytes:
    """A non-resident $DATA."""
    count = sum(length for _, length in runs) if clusters is None else clusters
    body = encode_runs(runs)
    length = (0x40 + len(body) + 7) // 8 * 8
    head = struct.pack(
        "<IIBBHHHQQHH4xQQQ", attribute.DATA, length, 1, 0, 0, 0, 0, 0, count - 1, 0x40, 0, 0, 0, 0
    )
    return (head + body).ljust(length, b"\0")


def named(parent: int) -> bytes:
    """A $FILE_NAME in a directory."""
    value = struct.pack("<Q", 7 << 48 | parent).ljust(0x48, b"\0")
    head = struct.pack("<IIBBHHHIHBB", attribute.FILE_NAME, 0x60, 0, 0, 0, 0, 0, len(value), 0x18, 1, 0)
    return head + value


def record(*attributes: bytes, flags: int = file_record.IN_USE, size_bytes: int = RECORD_BYTES) -> bytes:
    """A record that has these."""
    first = file_record.first_attribute_offset(size_bytes)
    body = b"".join(attributes) + file_record.END_MARKER
    usa_count = size_bytes // 512 + 1
    head = struct.pack(
        "<4sHHQHHHHIIQ", b"FILE", 0x30, usa_count, 0, 1, 1, first, flags, first + len(body), size_bytes, 0
    )
    buffer = bytearray((head.ljust(first, b"\0") + body).ljust(size_bytes, b"\0"))
    fixups.protect(buffer, size_bytes, 0x30)
    return bytes(buffer)


def bitmap(*used: tuple[int, int], size: int = CLUSTERS) -> bytes:
    bits = 0
    for begin, end in used:
        bits |= (1 << end) - (1 << begin)
    return bits.to_bytes(-(-size // 64) * 8, "little")


def findings(
    records: list[bytes],
    clusters: bytes,
    marked: bytes | None = None,
    needed: list[tuple[int, int]] | None = None,
    size_bytes: int = RECORD_BYTES,
) -> list[str]:
    accounts = ClusterOwners(size_bytes, CLUSTERS)
    for at in range(0, len(records), 3):  # In pieces: a record's number counts on.
        accounts.add(b"".join(records[at : at + 3]))
    if marked is None:
        marked = bitmap((0, len(records)))
    taken = TakenClusters(lambda at, count: clusters[at : at + count], len(clusters))
    return accounts.findings(marked, taken, needed or [])


A, B = mapped([(10, 5)]), mapped([(15, 5), (None, 16), (40, 2)])


@pytest.mark.parametrize("size_bytes", [512, 1024, 4096])
def test_what_is_right_has_no_findings(size_bytes: int) -> None:
    records = [record(named(5), one, size_bytes=size_bytes) for one in (A, B)]
    records += [record(mapped([(10, 5)]), flags=0, size_bytes=size_bytes), bytes(size_bytes)]
    clusters = bitmap((0, 1), (10, 20), (40, 42))
    assert findings(records, clusters, bitmap((0, 2)), [(0, 1)], size_bytes) == []


WRONG: dict[str, tuple[list[bytes], bytes, bytes | None, str]] = {
    "free": (
        [record(A)],
        bitmap((10, 14)),
        None,
        "record 0: $Bitmap has clusters free that a file has: 10 to 14",
    ),
    "free in a later run": (
        [record(A), record(B)],
        bitmap((10, 20), (40, 41)),
        None,
        "record 1: $Bitmap has",
    ),
    "free, between others": (
        [record(A), record(mapped([(15, 2)])), record(mapped([(17, 3)]))],
        bitmap((10, 15), (17, 20)),
        None,
        "record 1: $Bitmap has clusters free that a file has: 15 to 16",
    ),
    "twice": (
        [record(A), record(A)],
        bitmap((10, 15)),
        None,
        "record 1: clusters 10 to 14 are those of record 0",
    ),
    "twice in a record": (
        [record(A, A)],
        bitmap((10, 15)),
        None,
        "clusters 10 to 14 are those of record 0, too",
    ),
    "one inside another": (
        [record(mapped([(10, 9)])), record(), record(), record(mapped([(12, 1)])), record(mapped([(18, 3)]))],
        bitmap((10, 21)),
        None,
        "record 4: clusters 18 to 18 are those of record 0, too",
    ),
    "beyond": (
        [record(mapped([(CLUSTERS - 1, 2)]))],
        bitmap((CLUSTERS - 1, CLUSTERS)),
        None,
        "ends at cluster 1001",
    ),
    "far beyond": ([record(mapped([(1 << 40, 2)]))], bitmap(), None, f"ends at cluster {(1 << 40) + 2}"),
    "unmarked": (
        [record(), record()],
        bitmap(),
        bitmap((0, 1)),
        "record 1: it is in use, and free in $MFT's $BITMAP",
    ),
    "marked": (
        [record(), record(flags=0)],
        bitmap(),
        None,
        "record 1: it is no record in use, and $MFT's $BITMAP",
    ),
    "marked zeros": ([record(), bytes(RECORD_BYTES)], bitmap(), None, "record 1: it is no record in use"),
    "short bitmap": ([record()] * 70, bitmap(), bitmap((0, 64))[:8], "record 64: it is in use, and free"),
    "torn": (
        [record(), record(A)[:510] + b"xx" + record(A)[512:]],
        bitmap((10, 15)),
        None,
        "record 1: torn write",
    ),
    "run list": (
        [record(mapped([(10, 5)], 6))],
        bitmap((10, 15)),
        None,
        "record 0: a run list of 5 clusters for",
    ),
    "attribute": (
        [record(b"\x80\0\0\0\x04\0\0\0")],
        bitmap(),
        None,
        "record 0: an attribute of 0x4 bytes at",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found(name: str) -> None:
    records, clusters, marked, said = WRONG[name]
    found = findings(records, clusters, marked)
    assert any(said in one for one in found), found


def test_what_the_volume_needs_is_found_without_a_record() -> None:
    assert findings([record()], bitmap(), None, [(0, 2)]) == [
        "$Bitmap has clusters free that the volume needs: 0 to 1"
    ]


def test_there_are_not_endless_findings() -> None:
    assert len(findings([record(A)] * 400, bitmap(), bitmap())) == MOST_FINDINGS


def test_names_are_counted_by_directory() -> None:
    accounts = ClusterOwners(RECORD_BYTES, CLUSTERS)
    accounts.add(record(named(5), named(5)) + record(named(70_000)) + record(named(5), flags=0))
    assert accounts.names == {5: 2, 70_000: 1}


def test_extents_are_asked_for_to_the_bit() -> None:
    dice = random.Random(7)
    for _ in range(300):
        size = dice.randrange(1, 200)
        bits = [dice.random() < 0.97 for _ in range(size)]
        data = sum(bit << at for at, bit in enumerate(bits)).to_bytes(-(-size // 8), "little")
        pieces = dice.choice([1, 3, 64])
        taken = TakenClusters(
            lambda at, count, data=data, pieces=pieces: data[at : at + min(count, pieces)], len(data)
        )  # type: ignore[misc]
        for _ in range(20):
            begin = dice.randrange(size)
            end = dice.randrange(begin, size) + 1
            assert taken.all(begin, end) == all(bits[begin:end]), (begin, end)
    assert not TakenClusters(lambda at, count: b"\xff"[at : at + count], 1).all(0, 9)


# ---------------------------------------------------------------------- before a change

DAMAGES: dict[str, Callable[[Volume, bytearray], str]] = {}


def damage(function: Callable[[Volume, bytearray], str]) -> Callable[[Volume, bytearray], str]:
    DAMAGES[function.__name__] = function
    return function


def clear(image: bytearray, place: int, first: int, count: int) -> None:
    for bit in range(first, first + count):
        image[place + bit // 8] &= ~(1 << bit % 8)


def data_place(volume: Volume, path: str) -> int:
    lcn = volume.stat(path).streams[0].runs[0][0]
    assert lcn is not None
    return lcn * volume.geometry.cluster_bytes


def record_place(volume: Volume, path: str) -> int:
    return data_place(volume, "/$MFT") + volume.stat(path).record * volume.geometry.record_bytes


@damage
def boot_sector_is_free(volume: Volume, image: bytearray) -> str:
    clear(image, data_place(volume, "/$Bitmap"), 0, 2)
    return "$Bitmap has clusters free that a file has: 2 from 0 on"


@damage
def system_file_is_free(volume: Volume, image: bytearray) -> str:
    lcn, count = volume.stat("/$UpCase").streams[0].runs[0]
    assert lcn is not None
    clear(image, data_place(volume, "/$Bitmap"), lcn, count)
    return "$Bitmap has clusters free that a file has"


@damage
def file_is_free(volume: Volume, image: bytearray) -> str:
    lcn, count = volume.stat("/precious.bin").streams[0].runs[0]
    assert lcn is not None
    clear(image, data_place(volume, "/$Bitmap"), lcn + count - 1, 1)
    return "$Bitmap has clusters free that a file has"


def index_blocks(volume: Volume) -> Attribute:
    """The blocks of the index of /d."""
    attributes = volume.open_file("/d").attributes
    return next(one for one in attributes if one.type_code == attribute.INDEX_ALLOCATION)


@damage
def index_block_is_free(volume: Volume, image: bytearray) -> str:
    blocks = index_blocks(volume)
    lcn, count = blocks.runs[0]
    assert lcn is not None
    clear(image, data_place(volume, "/$Bitmap"), lcn, count)
    return "$Bitmap has clusters free that a file has"


@damage
def record_is_free(volume: Volume, image: bytearray) -> str:
    number = volume.stat("/precious.bin").record
    bits = next(one for one in volume._catalog.record(0).attributes if one.type_code == attribute.BITMAP)
    assert bits is not None
    assert bits.runs[0][0] is not None
    clear(image, bits.runs[0][0] * volume.geometry.cluster_bytes, number, 1)
    return "it is in use, and free in $MFT's $BITMAP"


@damage
def two_files_have_the_same(volume: Volume, image: bytearray) -> str:
    other = record_place(volume, "/other.bin")
    mine = encode_runs(list(volume.stat("/precious.bin").streams[0].runs))
    theirs = encode_runs(list(volume.stat("/other.bin").streams[0].runs))
    at = image.index(theirs, other)
    image[at : at + len(theirs)] = mine.ljust(len(theirs), b"\0")
    return "are those of record"


@damage
def name_in_a_block_is_lost(volume: Volume, image: bytearray) -> str:
    """Not a block that nothing leads to: its first entry is cut out."""
    blocks = index_blocks(volume)
    assert blocks.runs[0][0] is not None
    at = blocks.runs[0][0] * volume.geometry.cluster_bytes
    block = image[at : at + 4096]
    fixups.restore(block, "block")
    first = 0x18 + int.from_bytes(block[0x18:0x1C], "little")
    end = 0x18 + int.from_bytes(block[0x1C:0x20], "little")
    length = int.from_bytes(block[first + 8 : first + 10], "little")
    block[first:end] = block[first + length : end] + bytes(length)
    block[0x1C:0x20] = (end - length - 0x18).to_bytes(4, "little")
    fixups.protect(block, 4096, int.from_bytes(block[4:6], "little"))
    image[at : at + 4096] = block
    return "/d: record "


@pytest.fixture(name="disk", scope="module")
def _disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accounting")
    names = {f"a name of some length, so that blocks are full {number:03}": "x" for number in range(80)}
    lines = "".join(f'    "{name}": x\n' for name in names)
    (folder / "base.yaml").write_text(
        "ntfsbuild: 1\nvolume: {size: 8MiB}\ntree:\n"
        "  precious.bin: {size: 100KiB, fill: random, seed: 1}\n"
        "  other.bin: {size: 100KiB, fill: random, seed: 2}\n"
        "  d/:\n" + lines
    )
    builder.build(folder / "base.yaml", folder / "base.img")
    return folder / "base.img"


def damaged(disk: Path, image: Path, name: str) -> str:
    data = bytearray(disk.read_bytes())
    with Volume.open(disk) as volume:
        said = DAMAGES[name](volume, data)
    assert data != disk.read_bytes()
    image.write_bytes(data)
    return said


CHANGE = "ntfsbuild: 1\ntree: {new.bin: {size: 8KiB, fill: random, seed: 3}, d/new.txt: x}\n"


@pytest.mark.parametrize("mode", ["copy", "output", "in place", "build", "editor"])
@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_damaged_is_refused_and_no_byte_changes(
    disk: Path, tmp_path: Path, name: str, mode: str
) -> None:
    image, change = tmp_path / "disk.img", tmp_path / "change.yaml"
    said = damaged(disk, image, name)
    change.write_text(CHANGE)
    before = image.read_bytes()
    with pytest.raises(CorruptVolume) as refused:
        if mode == "editor":
            with Volume.open(image, "r+") as volume:
                volume.make_file("/d/new.txt", b"x", (START,) * 4, 0x20)
                volume.commit()
        elif mode == "build":
            change.write_text(CHANGE.replace("tree:", "volume: {base: disk.img}\ntree:"))
            builder.build(change, tmp_path / "out.img")
        else:
            out = tmp_path / "out.img" if mode == "output" else None
            builder.apply(change, image, out, in_place=mode == "in place")
    assert said in str(refused.value)
    assert image.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"disk.img", "change.yaml"}


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("name", DAMAGES)
def test_large_volumes_are_checked_when_it_is_asked(
    disk: Path, tmp_path: Path, name: str, in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safety, "UNASKED_RECORDS", 10)
    image, change = tmp_path / "disk.img", tmp_path / "change.yaml"
    said = damaged(disk, image, name)
    change.write_text(CHANGE)
    before = image.read_bytes()
    with pytest.raises(CorruptVolume) as refused:
        builder.apply(change, image, in_place=in_place, check=True)
    assert said in str(refused.value)
    assert image.read_bytes() == before


@pytest.mark.parametrize("name", ["boot_sector_is_free", "system_file_is_free", "index_block_is_free"])
def test_system_files_and_what_is_loaded_are_checked_on_large_volumes_too(
    disk: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safety, "UNASKED_RECORDS", 10)
    image, change = tmp_path / "disk.img", tmp_path / "change.yaml"
    said = damaged(disk, image, name)
    change.write_text(CHANGE)
    before = image.read_bytes()
    for in_place in (False, True):
        with pytest.raises(CorruptVolume) as refused:
            builder.apply(change, image, in_place=in_place)
        assert said in str(refused.value)
        assert image.read_bytes() == before


def test_what_is_not_proven_free_is_saved_in_the_journal(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for most, expected in ((10, False), (100_000, True)):
        monkeypatch.setattr(safety, "UNASKED_RECORDS", most)
        storage = PlainStorage(disk)
        with VolumeEditor(storage) as volume:
            volume.make_file("/new.bin", bytes(100_000), (START,) * 4, 0x20)
            assert bool(storage.free) == expected


def test_a_directory_that_is_made_in_the_record_of_another_is_no_damage(disk: Path, tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(disk.read_bytes())
    with Volume.open(image, "r+") as volume:
        volume.remove("/d", START, recursive=True)
        for number in range(90):
            volume.make_directory(f"/n{number}", (START,) * 4, 0)
            volume.make_file(f"/n{number}/a", b"x", (START,) * 4, 0x20)
        volume.commit()
        volume.make_file("/n5/b", b"x", (START,) * 4, 0x20)
        volume.commit()
    with Volume.open(image) as volume:
        assert [item.name for item in volume.listdir("/n5")] == ["a", "b"]
