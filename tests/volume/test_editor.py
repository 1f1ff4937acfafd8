"""Changing formatted volumes: what the project began with, and what must never happen."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild import builder
from ntfsbuild.errors import CorruptVolume, ManifestError, NoRoom, VolumeError
from ntfsbuild.ondisk import attribute
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.write.editor import VolumeEditor
from tests.disks import Disks
from tests.oracle import Reader, judge_all
from tests.oracle.model import file
from tests.volume.changing import SECOND, START, TIMES, PlainStorage, editor
from tests.volume.write.memory import raw_record

CLUSTERS = [512, 1024, 4096, 65536, 2 << 20]


def formatted_by_mkntfs(image: Path, cluster_bytes: int, size_bytes: int = 64 << 20) -> Path:
    with image.open("wb") as out:
        out.truncate(max(size_bytes, 600 * cluster_bytes))
    subprocess.run(
        ["mkntfs", "-Q", "-F", "-q", "-c", str(cluster_bytes), str(image)], check=True, capture_output=True
    )
    return image


needs_mkntfs = pytest.mark.needs("mkntfs")


@pytest.fixture(
    params=[pytest.param(cluster, marks=needs_mkntfs, id=f"mkntfs-{cluster}") for cluster in CLUSTERS]
)
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return formatted_by_mkntfs(tmp_path / "disk.img", request.param)


@pytest.fixture
def ours(tmp_path: Path, disk: Disks) -> Path:
    return disk({}, to=tmp_path / "ours.img", size="32MiB")


# ---- the four that the project began with


def test_a_small_file_changed_inside_its_record(image: Path, judged: Callable[..., None]) -> None:
    with editor(image) as volume:
        volume.make_file("/small.txt", b"before", TIMES, 0x20)
        volume.commit()
        volume.write("/small.txt", 0, b"after!", START + SECOND)
        volume.commit()
    with Volume.open(image) as read:
        assert read.read("/small.txt") == b"after!"
        assert read.stat("/small.txt").streams[0].resident
    judged([(image, {"small.txt": file(b"after!")})])


def test_a_directory_and_a_file_in_it(image: Path) -> None:
    with editor(image) as volume:
        volume.make_directory("/dir", TIMES, 0)
        volume.make_file("/dir/file.txt", b"x", TIMES, 0x20)
        volume.commit()
    with Volume.open(image) as read:
        assert [item.name for item in read.listdir("/dir")] == ["file.txt"]
        assert [item.name for item in read.listdir()] == ["dir"]


def test_nested_paths(image: Path) -> None:
    with editor(image) as volume:
        volume.make_directory("/dir1", TIMES, 0)
        volume.make_directory("/dir1/dir2", TIMES, 0)
        volume.make_file("/dir1/dir2/file.txt", b"deep", TIMES, 0x20)
        assert volume.read("/DIR1/dir2/File.TXT") == b"deep", "before the commit"
        volume.commit()
    with Volume.open(image) as read:
        assert read.read("/dir1/dir2/file.txt") == b"deep"
        assert read.resolve("/dir1/./dir2/../DIR2/file.txt") == "/dir1/dir2/file.txt"


def test_a_large_file_written_at_many_offsets(image: Path, judged: Callable[..., None]) -> None:
    dice, content = random.Random(3), bytearray()
    with editor(image) as volume:
        volume.make_file("/large.bin", b"", TIMES, 0x20)
        for number in range(60):
            at, data = dice.randrange(1_500_000), dice.randbytes(dice.randrange(1, 60_000))
            volume.write("/large.bin", at, data, START + number * SECOND)
            content.extend(bytes(max(0, at + len(data) - len(content))))
            content[at : at + len(data)] = data
            if number % 20 == 7:
                volume.commit()
        volume.commit()
    judged([(image, {"large.bin": file(bytes(content))})])


def with_lists(readers: list[Reader]) -> list[Reader]:
    """GRUB reads no file that has an $ATTRIBUTE_LIST, of ntfs-3g's making neither."""
    return [reader for reader in readers if reader.name != "GRUB"]


# ---- resident and not


def test_a_stream_leaves_its_record_and_comes_back_when_it_is_emptied(ours: Path) -> None:
    with editor(ours) as volume:
        volume.make_file("/a", b"x" * 600, TIMES, 0x20)
        volume.commit()
        assert volume.stat("/a").streams[0].resident
        volume.append("/a", b"y" * 5000, START)
        volume.commit()
        assert not volume.stat("/a").streams[0].resident
        volume.truncate("/a", 10, START)
        volume.commit()
        assert not volume.stat("/a").streams[0].resident, "as Windows leaves it"
        volume.truncate("/a", 0, START)
        volume.commit()
        assert volume.stat("/a").streams[0].resident


def test_sizes_and_times_in_all_places(ours: Path) -> None:
    with editor(ours) as volume:
        volume.make_directory("/d", TIMES, 0)
        volume.make_file("/d/a", b"x", TIMES, 0)
        volume.commit()
        volume.write("/d/a", 0, b"y" * 5000, START + 7)
        volume.commit()
    with Volume.open(ours) as read:
        info, (item,) = read.stat("/d/a"), read.listdir("/d")
        assert info.times == (START, START + 7, START + 7, START)
        assert info.attributes == 0x20, "a change of the data sets the archive bit"
        assert (item.size_bytes, item.allocated_bytes, item.times) == (5000, 8192, info.times)
        assert read.stat("/d").times == (START, START, START, START), "its own entries did not change"


def test_what_lies_behind_the_written_part_reads_as_zeros(ours: Path) -> None:
    with editor(ours) as volume:
        volume.make_file("/dirt", b"\xd1" * 200_000, TIMES, 0x20)
        volume.commit()
        volume.remove("/dirt", START)
        volume.commit()
        volume.make_file("/a", b"", TIMES, 0x20)
        volume.write("/a", 50_000, b"end", START)
        volume.truncate("/a", 150_000, START)
        volume.commit()
        assert volume.read("/a") == bytes(50_000) + b"end" + bytes(150_000 - 50_003)


# ---- attribute lists, extension records, growth


def test_many_names_and_streams_need_a_list(ours: Path) -> None:
    with editor(ours) as volume:
        volume.make_file("/a", b"x" * 500, TIMES, 0x20)
        for number in range(40):
            volume.link("/a", f"/{'n' * 150}{number}", START)
            volume.write("/a", 0, b"s" * 100, START, f"stream{number}")
        volume.commit()
    with editor(ours) as volume:
        info = volume.stat("/a")
        assert (info.link_count, len(info.streams)) == (41, 41)
        for number in range(40):
            volume.remove(f"/{'n' * 150}{number}", START)
            volume.remove_stream("/a", f"stream{number}", START)
        volume.commit()
        assert volume._transaction.state(info.record).extensions == [], "the list went with its cause"
        assert volume.read("/a") == b"x" * 500


def test_a_file_of_many_fragments_needs_a_list(tmp_path: Path, disk: Disks, readers: list[Reader]) -> None:
    image = disk({}, to=tmp_path / "disk.img", size="23MiB", cluster=512)
    content = random.Random(5).randbytes(2_000_000)
    with editor(image) as volume:
        for number in range(9000):
            volume.make_file(f"/{number:05}", b"\xd1" * 1024, TIMES, 0x20)
        volume.commit()
        for number in range(0, 9000, 2):
            volume.remove(f"/{number:05}", START)
        volume.commit()
        volume.make_file("/scattered", content, TIMES, 0x20)
        volume.commit()
        state = volume._transaction.state(volume.stat("/scattered").record)
        data = state.find(attribute.DATA)
        assert data is not None
        assert len(data.runs) > 1000
        assert state.extensions
    with Volume.open(image) as read:
        assert read.read("/scattered") == content
    expected = {f"{number:05}": file(b"\xd1" * 1024) for number in range(1, 9000, 2)}
    judge_all([(image, {**expected, "scattered": file(content)})], with_lists(readers))


def test_the_mft_grows(ours: Path) -> None:
    with editor(ours) as volume:
        for number in range(3000):
            volume.make_file(f"/f{number}", b"x", TIMES, 0x20)
        volume.commit()
    with Volume.open(ours) as read:
        assert len(read.listdir()) == 3000


def test_an_entry_among_many_costs_little(tmp_path: Path) -> None:
    (tmp_path / "disk.yaml").write_text(
        "ntfsbuild: 1\nvolume: {size: auto+8MiB}\ntree:\n"
        + "".join(f"  d{k // 100:03}/f{k:05}.txt: x\n" for k in range(20_000))
    )
    builder.build(tmp_path / "disk.yaml", tmp_path / "disk.img")
    with VolumeEditor(PlainStorage(tmp_path / "disk.img"), check=False) as volume:
        volume.make_file("/d077/new", b"x", TIMES, 0x20)
        volume.commit()
        assert volume._storage.read_bytes < 1 << 20  # type: ignore[attr-defined]
        assert volume._storage.written_bytes < 1 << 18  # type: ignore[attr-defined]


# ---- what is left behind


def test_a_deleted_file_leaves_what_windows_leaves(ours: Path) -> None:
    with editor(ours) as volume:
        volume.make_file("/gone.txt", b"secret", TIMES, 0x20)
        volume.commit()
        info = volume.stat("/gone.txt")
        before = raw_record(volume._transaction.mft_file, info.record)
        volume.remove("/gone.txt", START)
        volume.commit()
        after = raw_record(volume._transaction.mft_file, info.record)
        assert not volume._transaction.mft_file.is_used(info.record)
    assert after[:4] == b"FILE"
    assert int.from_bytes(after[0x10:0x12], "little") == info.sequence + 1
    assert after[0x16] & 1 == 0
    assert after[0x38:0x1FE] == before[0x38:0x1FE], "name and content stay"
    with editor(ours) as volume:
        volume.make_file("/next.txt", b"", TIMES, 0x20)
        volume.commit()
        again = volume.stat("/next.txt")
        assert (again.record, again.sequence) == (info.record, info.sequence + 1)


# ---- refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.make_file("/A", b"", TIMES, 0), "/A: is there already"),
        (lambda v: v.make_file("/x/y", b"", TIMES, 0), "/x/y|/x: not found"),
        (lambda v: v.make_file("/a/y", b"", TIMES, 0), "is not a directory"),
        (lambda v: v.make_file("/$mft", b"", TIMES, 0), "one of NTFS's own files"),
        (lambda v: v.make_file("/b:c", b"", TIMES, 0), "Windows allows no :"),
        (lambda v: v.write("/d", 0, b"x", START), "/d: is a directory"),
        (lambda v: v.write("/$MFT", 0, b"x", START), "one of NTFS's own files"),
        (lambda v: v.remove("/d", START), "the directory is not empty"),
        (lambda v: v.remove("/", START), "is the root"),
        (lambda v: v.rename("/d", "/d/e/d", START), "lies inside /d"),
        (lambda v: v.rename("/a", "/b", START), "/b: is there already"),
        (lambda v: v.rename("/a", "/d", START, replace=True), "is a directory, and what would take"),
        (lambda v: v.link("/d", "/e", START), "/d: is a directory"),
        (lambda v: v.truncate("/a", 1 << 40, START), "the volume is full: \\d+ bytes are missing"),
        (lambda v: v.set_label("x" * 33), "longer than a label can be"),
    ],
)
def test_refused_changes_touch_nothing(ours: Path, change: Callable[..., None], message: str) -> None:
    with editor(ours) as volume:
        volume.make_file("/a", b"a", TIMES, 0x20)
        volume.make_file("/b", b"b", TIMES, 0x20)
        volume.make_directory("/d", TIMES, 0)
        volume.make_directory("/d/e", TIMES, 0)
        volume.commit()
    before = ours.read_bytes()
    with editor(ours) as volume, pytest.raises((VolumeError, ManifestError, NoRoom), match=message):
        change(volume)
    assert ours.read_bytes() == before


def test_a_rename_that_changes_only_the_case(ours: Path) -> None:
    with editor(ours) as volume:
        volume.make_file("/name.txt", b"x", TIMES, 0x20)
        volume.rename("/name.txt", "/NAME.txt", START)
        volume.commit()
        assert [item.name for item in volume.listdir()] == ["NAME.txt"]


def patched(image: Path, at: int, data: bytes) -> Path:
    with image.open("r+b") as out:
        out.seek(at)
        out.write(data)
    return image


def volume_flags_at(image: Path) -> int:
    data = image.read_bytes()
    with editor(image) as volume:
        at = (
            volume.geometry.cluster_bytes * (volume._transaction.mft.runs[0][0] or 0)
            + 3 * volume._transaction.mft_file.record_bytes
        )
    return data.index(bytes(8) + bytes.fromhex("03018000"), at) + 10


def test_a_dirty_volume_is_refused_unless_forced(ours: Path) -> None:
    patched(ours, volume_flags_at(ours), b"\x81\x00")
    with pytest.raises(VolumeError, match="marked dirty"):
        editor(ours)
    with editor(ours, force=True) as volume:
        volume.make_file("/a", b"", TIMES, 0x20)
        volume.commit()


def test_an_unknown_version_is_refused(ours: Path) -> None:
    patched(ours, volume_flags_at(ours) - 2, b"\x04\x00")
    with pytest.raises(VolumeError, match=r"NTFS 4\.0 is not a version"):
        editor(ours)


def test_a_hibernated_volume_is_refused(ours: Path) -> None:
    with editor(ours) as volume:
        volume.make_file("/hiberfil.sys", b"HIBR" + bytes(5000), TIMES, 0x20)
        volume.commit()
    with pytest.raises(VolumeError, match="hibernated"):
        editor(ours)


def test_damage_on_the_way_is_refused(ours: Path) -> None:
    with editor(ours) as volume:
        volume.make_file("/a", b"", TIMES, 0x20)
        volume.commit()
        at = (
            volume.geometry.cluster_bytes * (volume._transaction.mft.runs[0][0] or 0)
            + volume.stat("/a").record * 1024
        )
    patched(ours, at + 510, b"\xff\xff")
    with pytest.raises(CorruptVolume, match="torn write"):
        editor(ours)
    with (
        VolumeEditor(PlainStorage(ours), check=False) as volume,
        pytest.raises(CorruptVolume, match="torn write"),
    ):
        volume.write("/a", 0, b"x", START)
