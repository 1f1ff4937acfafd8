"""Editing where volumes differ: a $Bitmap in its record, cases told apart, streams of every form, costs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import ntfsbuild
from ntfsbuild.errors import CorruptVolume, HostError, ManifestError, NoRoom, VolumeError
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.volume.opening import Volume
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write import safety
from tests.depth import by_day
from tests.disks import Disks
from tests.oracle import Reader, judge_all
from tests.oracle.model import file
from tests.volume.changing import SECOND, START, TIMES, editor

SPARSE, COMPRESSED = attribute.SPARSE, attribute.COMPRESSED


@pytest.fixture
def image(tmp_path: Path, disk: Disks) -> Path:
    return disk({}, to=tmp_path / "disk.img", size="16MiB")


def built(folder: Path, text: str) -> Path:
    (folder / "disk.yaml").write_text("ntfsbuild: 1\n" + text)
    ntfsbuild.build(folder / "disk.yaml", folder / "disk.img")
    return folder / "disk.img"


# ---- opening


def test_a_volume_is_changed_whole_or_not_at_all(image: Path) -> None:
    before = image.read_bytes()
    with Volume.open(image, "r+") as volume:
        volume.make_file("/a", b"x" * 5000, TIMES, 0x20)
    with Volume.open(image) as read:
        assert not read.exists("/a"), "it was not committed"
    assert image.read_bytes()[:0x200] == before[:0x200]
    with Volume.open(image, "r+") as volume:
        volume.make_file("/a", b"x" * 5000, TIMES, 0x20)
        volume.commit()
    with Volume.open(image) as read:
        assert read.read("/a") == b"x" * 5000
    assert [one.name for one in image.parent.glob("*journal*")] == []


def test_the_only_ntfs_partition_is_found(image: Path, tmp_path: Path) -> None:
    begin = 1 << 20
    entry = bytes([0, 0, 2, 0, 7, 0, 0, 0]) + (begin // 512).to_bytes(4, "little")
    entry += (image.stat().st_size // 512).to_bytes(4, "little")
    table = (bytes(0x1BE) + entry).ljust(0x1FE, b"\0") + b"\x55\xaa"
    disk = tmp_path / "disk.raw"
    disk.write_bytes(table.ljust(begin, b"\0") + image.read_bytes() + bytes(1 << 20))
    with Volume.open(disk, "r+") as volume:
        volume.make_file("/a", b"in a partition", TIMES, 0x20)
        volume.commit()
    with Volume.open(disk, partition=1) as read, Volume.open(disk, offset=begin) as same:
        assert read.read("/a") == same.read("/a") == b"in a partition"
    with pytest.raises(VolumeError, match="there is no partition 2"):
        Volume.open(disk, partition=2)
    with pytest.raises(ValueError, match="mode is 'w'"):
        Volume.open(disk, "w")  # type: ignore[call-overload]


def test_a_change_that_broke_off_cannot_be_committed(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise HostError("no space")

    with editor(image) as volume:
        volume.make_file("/a", b"a", TIMES, 0x20)
        with pytest.raises(VolumeError, match="not found"):
            volume.write("/b", 0, b"x", START)
        monkeypatch.setattr(volume._transaction.storage, "write", refuse)
        with pytest.raises(HostError, match="no space"):
            volume.write("/a", 0, b"x" * 9000, START)
        with pytest.raises(VolumeError, match="broke off"):
            volume.commit()


def test_a_content_without_room_changes_nothing(image: Path) -> None:
    huge = bytes(20 << 20)
    with editor(image) as volume:
        volume.make_file("/a", b"a", TIMES, 0x20)
        volume.make_file("/b", b"b" * 9000, TIMES, 0x20)
        free = (Traits(short_name="A"), Traits(case_sensitive=True))
        for change in (
            lambda: volume.truncate("/a", 10**12, START),
            lambda: volume.truncate("/b", 10**12, START),
            lambda: volume.write("/a", 10**12, b"x", START),
            lambda: volume.write("/b", 0, huge, START, "stream"),
            lambda: volume.append("/b", huge, START),
            lambda: volume.replace_file("/b", huge, START),
            lambda: volume.make_file("/c", huge, TIMES, 0x20),
        ):
            with pytest.raises(NoRoom, match="missing"):
                change()
        for change in (
            lambda: volume.make_file("/c", b"", TIMES, 0x20, traits=free[0]),
            lambda: volume.make_directory("/c", TIMES, 0, traits=free[0]),
            lambda: volume.link("/b", "/c", START, short_name="A"),
            lambda: volume.make_file("/c", b"x" * 9000, TIMES, 0x20, traits=free[1]),
            lambda: volume.set_traits("/b", free[1], START),
            lambda: volume.set_traits("/b", free[0], START),
            lambda: volume.replace_file("/b", b"x" * 9000, START, traits=free[0]),
        ):
            with pytest.raises((ManifestError, VolumeError), match=r"short name|directories"):
                change()
        volume.make_file("/d", b"d" * 50_000, TIMES, 0x20)
        volume.commit()
    with Volume.open(image) as read:
        assert [item.name for item in read.listdir()] == ["a", "b", "d"]
        assert (read.read("/a"), read.read("/b"), read.read("/d")) == (b"a", b"b" * 9000, b"d" * 50_000)
        assert read.stat("/b").times == TIMES
    assert ntfsbuild.verify(image).is_clean


# ---- $Bitmap in its record


def test_a_bitmap_that_lies_in_its_record(tmp_path: Path, disk: Disks, readers: list[Reader]) -> None:
    image = disk({}, to=tmp_path / "disk.img", size="8MiB")
    with editor(image) as volume:
        state = volume._transaction.state(file_record.BITMAP)
        outside = state.stream("")
        value = volume._transaction.streams.read(outside)
        volume._transaction.stream_writer.free(outside)
        state.put(Attribute(attribute.DATA, "", 0, 0, value))
        volume.commit()
    with editor(image) as volume:
        assert volume._transaction.state(file_record.BITMAP).stream("").resident
        volume.make_file("/a", b"x" * 50_000, TIMES, 0x20)
        volume.commit()
        volume.make_file("/b", b"y" * 50_000, TIMES, 0x20)
        volume.remove("/a", START)
        volume.commit()
    with Volume.open(image) as read:
        assert read.read("/b") == b"y" * 50_000
        (bitmap,) = (one for one in read.open_file("/$Bitmap").attributes if one.type_code == attribute.DATA)
        assert bitmap.value is not None
        bits = int.from_bytes(bitmap.value, "little")
        ((lcn, count),) = read.stat("/b").streams[0].runs
        assert lcn is not None
        assert all(bits >> one & 1 for one in range(lcn, lcn + count))
    # The kernel's ntfs3 and The Sleuth Kit want it in clusters.
    kept = [one for one in readers if one.name in ("ntfs-3g", "7-Zip", "dissect.ntfs", "ntfsfix")]
    judge_all([(image, {"b": file(b"y" * 50_000)})], kept)


# ---- names


def test_a_directory_that_tells_cases_apart(image: Path) -> None:
    with editor(image) as volume:
        volume.make_directory("/cs", TIMES, 0)
        volume.set_traits("/cs", Traits(case_sensitive=True), START)
        volume.make_file("/cs/a", b"small", TIMES, 0x20)
        volume.make_file("/cs/A", b"capital", TIMES, 0x20)
        with pytest.raises(VolumeError, match="not found"):
            volume.read("/cs/B")
        volume.commit()
    with Volume.open(image) as read:
        assert (read.read("/cs/a"), read.read("/CS/A")) == (b"small", b"capital")
        with pytest.raises(VolumeError, match="not found"):
            read.read("/cs/á")
        assert [item.name for item in read.listdir("/cs")] == ["A", "a"]
    with editor(image) as volume:
        volume.remove("/cs/A", START)
        with pytest.raises(VolumeError, match="not found"):
            volume.remove("/cs/A", START)
        volume.commit()


def test_stream_names_are_the_same_in_any_case(image: Path) -> None:
    with editor(image) as volume:
        volume.make_file("/a", b"", TIMES, 0x20)
        volume.write("/a", 0, b"one", START, "Zone")
        volume.write("/a", 0, b"two", START, "ZONE")
        volume.commit()
        assert [(one.name, one.size_bytes) for one in volume.stat("/a").streams if one.name] == [("Zone", 3)]
        assert volume.read("/a", "zone") == b"two"


# ---- forms of streams


def flagged(image: Path, flags: int, size: int) -> None:
    """A resident stream of a compressed or sparse file, as a directory hands the flag down."""
    with editor(image) as volume:
        volume.make_file("/f", b"r" * size, TIMES, 0x20)
        state = volume._writer.names.file_at("/f")
        state.put(state.stream("")._replace(flags=flags))
        bit = FileAttributes.SPARSE if flags == SPARSE else FileAttributes.COMPRESSED
        volume._writer._set(state, {"attributes": 0x20 | int(bit)})
        volume.commit()


@pytest.mark.parametrize("flags", [SPARSE, COMPRESSED], ids=["sparse", "compressed"])
@pytest.mark.parametrize("seed", range(3))
def test_compressed_and_sparse_streams_take_any_change(
    image: Path, readers: list[Reader], flags: int, seed: int
) -> None:
    flagged(image, flags, 100)
    content, dice = bytearray(b"r" * 100), random.Random(seed)
    with editor(image) as volume:
        for number in range(40):
            now = START + number * SECOND
            if dice.random() < 0.3:
                size = dice.choice([0, 1, 5000, 65_536, len(content) // 2, len(content) + 100_000])
                volume.truncate("/f", size, now)
                content.extend(bytes(max(0, size - len(content))))
                del content[size:]
            else:
                at, data = dice.randrange(400_000), dice.randbytes(dice.randrange(1, 70_000))
                volume.write("/f", at, data, now)
                content.extend(bytes(max(0, at + len(data) - len(content))))
                content[at : at + len(data)] = data
            if number % 13 == 5:
                volume.commit()
            assert volume.read("/f") == content, number
        volume.commit()
        main = volume.stat("/f").streams[0]
        assert main.resident or sum(count for _, count in main.runs) % 16 == 0, "whole units"
    judge_all([(image, {"f": file(bytes(content))})], readers)


def test_what_somebody_left_behind_the_initialized_size_never_shows(image: Path) -> None:
    with editor(image) as volume:
        volume.make_file("/f", b"\xd1" * 40_000, TIMES, 0x20)
        state = volume._writer.names.file_at("/f")
        state.put(state.stream("")._replace(initialized_bytes=10_000))
        volume.commit()
        volume.write("/f", 30_000, b"new", START)
        volume.commit()
        expected = b"\xd1" * 10_000 + bytes(20_000) + b"new" + bytes(9_997)
        assert volume.read("/f") == expected
        assert volume.stat("/f").streams[0].initialized_bytes == 30_003


@pytest.mark.parametrize(
    ("tag", "message"),
    [(0x80000017, "Windows compressed it"), (0x9000301A, "in a cloud"), (0x80000013, "deduplicated")],
)
def test_content_that_lies_elsewhere_is_refused(image: Path, tag: int, message: str) -> None:
    with editor(image) as volume:
        volume.make_file("/f", b"", TIMES, 0x20)
        state = volume._writer.names.file_at("/f")
        value = tag.to_bytes(4, "little") + bytes(4)
        state.put(Attribute(attribute.REPARSE_POINT, "", 0, 0, value))
        volume._writer._set(state, {"attributes": 0x400420})  # To be recalled, if it is in a cloud.
        volume.commit()
        assert volume.listdir()[0].reparse_tag == tag
        volume.rename("/f", "/g", START)
        volume.commit()
        assert volume.listdir()[0].reparse_tag == tag, "a new name knows it, too"
        with pytest.raises(VolumeError, match=message):
            volume.write("/g", 0, b"x", START)
    with Volume.open(image) as read, pytest.raises(VolumeError, match=message):
        read.read("/g")
    with editor(image) as volume:
        volume.replace_file("/g", b"plain", START)
        volume.commit()
        assert volume.read("/g") == b"plain"
        assert volume.stat("/g").attributes == 0x20


def test_encrypted_content_is_refused(image: Path) -> None:
    with editor(image) as volume:
        volume.make_file("/f", b"x" * 5000, TIMES, 0x20)
        state = volume._writer.names.file_at("/f")
        state.put(state.stream("")._replace(flags=attribute.ENCRYPTED))
        volume.commit()
        for change in (
            lambda: volume.read("/f"),
            lambda: volume.write("/f", 0, b"x", START),
            lambda: volume.truncate("/f", 1, START),
        ):
            with pytest.raises(VolumeError, match="the content is encrypted"):
                change()


def test_a_cluster_that_is_said_to_be_free_is_damage(image: Path) -> None:
    with editor(image) as volume:
        volume.make_file("/f", b"x" * 5000, TIMES, 0x20)
        volume.commit()
        ((lcn, count),) = volume.stat("/f").streams[0].runs
        assert lcn is not None
        volume._transaction.clusters._set(lcn, count, False)
        with pytest.raises(CorruptVolume, match=r"\$Bitmap has clusters free that a file has"):
            volume.remove("/f", START)


# ---- what lookups and changes cost


def test_names_in_a_large_directory_are_found_from_its_root_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"Name {k:05} {'ÿŸß'[k % 3]}\U0001f600" for k in range(9000)]
    tree = "".join(f'    "{name}": "{name}"\n' for name in names)
    cases = "".join(f"    {name}: content of {name}\n" for name in ("same", "SAME", "Same"))
    big = f"  big/:\n    .: {{names: posix}}\n{tree}{cases}"
    image = built(tmp_path, f"volume: {{size: auto+8MiB}}\ntree:\n{big}")
    counted = [0]
    read = ImageFile.read

    def counting(self: ImageFile, offset: int, size_bytes: int) -> bytes:
        counted[0] += size_bytes
        return read(self, offset, size_bytes)

    monkeypatch.setattr(ImageFile, "read", counting)
    dice = random.Random(1)
    for mode in ("r", "r+"):
        for _ in range(8):
            with Volume.open(image, mode) as volume:  # type: ignore[call-overload]
                for name in dice.sample(names, 3):
                    volume.exists("/big")
                    counted[0] = 0
                    assert volume.read(f"/BIG/{name.lower()}") == name.encode()
                    assert counted[0] < 1 << 17
                assert volume.read("/big/Same") == b"content of Same"
                assert volume.read("/big/SAME") == b"content of SAME"
                assert volume.read("/big/sAmE") == b"content of SAME", "the first of them"
                assert not volume.exists("/big/Name 1")
                assert not volume.exists("/big/zzz")
                assert not volume.exists("/big/!")
    with Volume.open(image) as volume:
        for name in dice.sample(names, 100):  # Asked for so often, it is read as a whole.
            assert volume.exists(f"/big/{name.lower()}")
        counted[0] = 0
        assert volume.exists(f"/big/{names[4]}") and counted[0] == 0


def test_lookups_among_many_directories_read_each_directory_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = by_day(50_000, 100_000)
    directories = "".join(f"  {k // 1000:03}/{k % 1000 // 10:03}/{k % 10}/:\n" for k in range(count))
    image = built(tmp_path, "volume: {size: auto+4MiB}\ntree:\n" + directories)
    counted = [0, 0]
    read = ImageFile.read

    def counting(self: ImageFile, offset: int, size_bytes: int) -> bytes:
        counted[0] += 1
        counted[1] += size_bytes
        return read(self, offset, size_bytes)

    monkeypatch.setattr(safety, "UNASKED_RECORDS", count // 2)
    monkeypatch.setattr(ImageFile, "read", counting)
    with Volume.open(image) as volume:
        assert volume.exists("/042/017/3")
        first = tuple(counted)
        assert first[0] < 40 and first[1] < 1 << 20, "three directories on the way, and the volume's own"
        for k in range(1000):
            assert volume.exists(f"/042/017/{k % 10}")
        assert tuple(counted) == first
    counted[:] = [0, 0]
    with Volume.open(image, "r+") as volume:
        volume.make_file("/042/017/3/new.txt", b"x", TIMES, 0x20)
        volume.commit()
    assert counted[1] < 1 << 20
