"""Reading volumes of other makers, and damaged ones: what is there, or an error that says where."""

from __future__ import annotations

import gzip
import lzma
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from ntfsbuild.errors import CorruptVolume, ManifestError, NtfsBuildError, VolumeError
from ntfsbuild.volume.opening import Volume
from tests.disks import Disks

TREE = """\
  hello.txt: "Hello\\n"
  docs/deep/a.txt: nested
  big.bin: {size: 200KB, fill: random, seed: 1}
  many/:
""" + "".join(f"    entry-{number:03}.txt: '{number}'\n" for number in range(120))


@pytest.fixture
def image(disk: Disks) -> Path:
    return disk(TREE, label="Größe")


def test_paths_are_found_as_windows_finds_them(image: Path) -> None:
    with Volume.open(image) as volume:
        assert volume.label == "Größe"
        assert volume.read("/HELLO.TXT") == b"Hello\n"
        assert volume.read("docs/Deep/../deep/./A.txt") == b"nested"
        assert volume.read("/../hello.txt") == b"Hello\n"
        assert [item.name for item in volume.listdir()] == ["big.bin", "docs", "hello.txt", "many"]
        assert "$MFT" in [item.name for item in volume.listdir(system=True)]
        assert len(list(volume.walk())) == 4 + 2 + 120


def test_a_part_of_a_content(image: Path) -> None:
    with Volume.open(image) as volume:
        assert volume.read_at("/hello.txt", 2, 3) == b"llo"
        assert volume.read_at("/hello.txt", 4, 5) == b"o\n\0\0\0", "zeros behind the end"
        assert volume.read_at("/big.bin", 0, 200_000) == volume.read("/big.bin")
        assert volume.read_at("/big.bin", 1 << 40, 3) == bytes(3)
        for at, size_bytes, name in [
            (-1, 3, "at"),
            (0, -3, "size_bytes"),
            ("0", 3, "at"),
            (0, 3.0, "size_bytes"),
        ]:
            with pytest.raises(ManifestError, match=f"^{name} is .* not a number of bytes: an int from 0"):
                volume.read_at("/hello.txt", at, size_bytes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/nothing", "/nothing: not found"),
        ("/hello.txt/more", "not found: there is no directory on the way to 'more'"),
        ("/docs", "/docs: is a directory"),
    ],
)
def test_what_is_not_there(image: Path, path: str, message: str) -> None:
    with Volume.open(image) as volume, pytest.raises(VolumeError, match=message):
        volume.read(path)


def test_a_stream_that_is_not_there(image: Path) -> None:
    with Volume.open(image) as volume, pytest.raises(VolumeError, match="it has no stream 'x'"):
        volume.read("/hello.txt", "x")


def unpacked(volumes: Path, name: str, folder: Path) -> Path:
    opened = lzma.open if name.endswith(".xz") else gzip.open
    with opened(volumes / name, "rb") as packed, (folder / "volume.img").open("wb") as out:
        while piece := packed.read(1 << 20):
            if piece.strip(b"\0"):
                out.write(piece)
            else:
                out.seek(len(piece), 1)
        out.truncate()
    return folder / "volume.img"


@pytest.mark.parametrize(
    ("name", "offset", "entries", "content_bytes"),
    [
        ("ntfs-lastaccess.raw.gz", 65536, 8, 360),
        ("ntfs-ptrn.raw.gz", 65536, 9, 1405),
        ("ntfs-2m.raw.gz", 65536, 3, 88),
        ("colinfinck-testfs1.raw.xz", 0, 517, 501010),
    ],
)
def test_volumes_of_other_makers(
    volumes: Path, tmp_path: Path, name: str, offset: int, entries: int, content_bytes: int
) -> None:
    with Volume.open(unpacked(volumes, name, tmp_path), offset=offset) as volume:
        found = list(volume.walk())
        contents = [volume.read(path) for path, item in found if not item.is_directory]
        assert all(volume.stat(path).record == item.record for path, item in found)
    assert len(found) == entries
    assert sum(map(len, contents)) == content_bytes


def test_a_file_of_many_names(tmp_path: Path) -> None:
    """wimlib spreads the names over records of the file; each has the id 0 in its own."""
    if not shutil.which("wimapply") or not shutil.which("mkntfs"):
        pytest.skip("wimlib or mkntfs is not installed; the foreign tests insist on them")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("hi")
    for number in range(12):
        (tree / f"{'n' * 200}{number}").hardlink_to(tree / "a")
    image = tmp_path / "disk.img"
    with image.open("wb") as out:
        out.truncate(8 << 20)
    for command in (
        ["wimcapture", tree, tmp_path / "t.wim"],
        ["mkntfs", "-Q", "-F", "-q", image],
        ["wimapply", tmp_path / "t.wim", "1", image],
    ):
        subprocess.run(command, check=True, capture_output=True)
    with Volume.open(image) as volume:
        info = volume.stat("/a")
        assert info.link_count == len(info.names) == 13
        assert volume.read(f"/{'N' * 200}11") == b"hi"


def touch_everything(path: Path) -> None:
    with Volume.open(path) as volume:
        assert isinstance(volume.label, str)
        for found, item in volume.walk(system=True):
            volume.stat(found)
            if not item.is_directory and not item.name.startswith("$"):
                for _ in volume.pieces(found):
                    pass


@pytest.mark.parametrize("seed", range(300))
def test_damage_is_an_error_and_nothing_worse(image: Path, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(image.read_bytes())
    # Where structures lie: the boot sector, $MFT, index blocks.
    places = [0, *(at for at in range(0, len(data), 512) if data[at : at + 4] in (b"FILE", b"INDX"))]
    for _ in range(dice.choice((1, 3, 30))):
        at = dice.choice(places) + dice.randrange(1024)
        data[at % len(data)] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    damaged = tmp_path / "damaged.img"
    damaged.write_bytes(data)
    try:
        touch_everything(damaged)
    except NtfsBuildError as error:
        assert error.exit_code == 3
        assert str(error)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 4096, 100_000])
def test_a_volume_that_was_cut_off(image: Path, tmp_path: Path, size: int) -> None:
    cut = tmp_path / "cut.img"
    cut.write_bytes(image.read_bytes()[:size])
    with pytest.raises(CorruptVolume if size > 1 else VolumeError):
        touch_everything(cut)


def test_a_stale_reference_is_noticed(image: Path, tmp_path: Path) -> None:
    data = bytearray(image.read_bytes())
    with Volume.open(image) as volume:
        number = volume.stat("/hello.txt").record
    at = data.index(b"FILE0\0", data.index(b"Hello\n") - 1024)
    assert int.from_bytes(data[at + 0x2C : at + 0x30], "little") == number
    data[at + 0x10] += 1
    stale = tmp_path / "stale.img"
    stale.write_bytes(data)
    with Volume.open(stale) as volume, pytest.raises(CorruptVolume, match="a reference expects 1"):
        volume.read("/hello.txt")
