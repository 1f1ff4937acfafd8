"""One damaged file or directory: readers take the rest, name what they could not read, and exit with 1."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild import builder
from ntfsbuild.errors import HostError
from ntfsbuild.ondisk.attribute import non_resident, resident
from ntfsbuild.volume.opening import Volume
from tests.check.mutating import (
    DATA,
    LIST,
    NAME,
    OBJECT_ID,
    REPARSE,
    ROOT,
    VOLUME_NAME,
    Image,
)
from tests.cli.conftest import Run

MANIFEST = """\
ntfsbuild: 1
volume: {size: 8MiB, cluster: 512, serial: 1}
defaults: {times: 2024-01-01}
tree:
  a.txt: first
  bad.txt: hello
  packed.bin: {size: 200000, data: [{at: 0, text: head}], compressed: true}
  sub/: {in.txt: inside, deeper/: {b.txt: below}}
  wide/: {WIDE}
  z.txt: last
"""
I30 = "$I30"
Break = Callable[[Image], None]


@pytest.fixture(scope="module", name="sound")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, int]]:
    folder = tmp_path_factory.mktemp("damaged")
    wide = ", ".join(f'"name {number:03}.txt": "{number}"' for number in range(60))
    (folder / "disk.yaml").write_text(MANIFEST.replace("WIDE", wide))
    builder.build(folder / "disk.yaml", folder / "disk.img")
    with Volume.open(folder / "disk.img") as volume:
        numbers = {path.strip("/"): item.record for path, item in volume.walk(system=True)}
    return (folder / "disk.img").read_bytes(), numbers


@pytest.fixture(name="damage")
def _damage(sound: tuple[bytes, dict[str, int]], folder: Path) -> Callable[[Break], None]:
    """Write `disk.img`, damaged, and `sound.img`."""

    def write(break_it: Break) -> None:
        image = Image(*sound)
        break_it(image)
        (folder / "disk.img").write_bytes(image.data)
        (folder / "sound.img").write_bytes(sound[0])

    return write


def field(path: str, at: int, form: str, *values: int | bytes) -> Break:
    """A field of a record."""

    def break_it(image: Image) -> None:
        with image.record(image[path]) as record:
            struct.pack_into(form, record, at, *values)

    return break_it


def renamed_in_root(image: Image) -> None:
    """A slash in the entry of a file, in the index of the root directory."""
    old, new = "a.txt".encode("utf-16-le"), "a/txt".encode("utf-16-le")
    image.data = image.data.replace(old, new)


FILES: dict[str, tuple[Break, str]] = {
    "no record": (field("bad.txt", 0, "<4s", b"BAAD"), "/bad.txt"),
    "freed": (field("bad.txt", 0x16, "<H", 0), "/bad.txt"),
    "another sequence": (field("bad.txt", 0x10, "<H", 9), "/bad.txt"),
    "no end": (field("bad.txt", 0x18, "<I", 0x60), "/bad.txt"),
    "no information": (lambda i: i.remove(i["bad.txt"], 0x10), "/bad.txt"),
    "no record of a directory": (field("sub", 0, "<4s", b"BAAD"), "/sub"),
    "no index": (lambda i: i.remove(i["sub"], (ROOT, I30)), "/sub"),
    "large blocks": (lambda i: i.value(i["wide"], (ROOT, I30), 8, "<I", 1 << 30), "/wide"),
    "a slash": (renamed_in_root, "/"),
}


def test_the_other_blocks_of_an_index_are_listed(
    run: Run, folder: Path, damage: Callable[[Break], None]
) -> None:
    def break_it(image: Image) -> None:
        place = image.data.index(b"INDX", image.data.index("name 01".encode("utf-16-le")) - 4096)
        image.data[place : place + 4] = b"XXXX"

    damage(break_it)
    names = run("ls", "disk.img", "/wide").stdout.splitlines()
    assert 0 < len(names) < 60
    assert run("extract", "disk.img", "-o", "out").returncode == 1
    assert len(list((folder / "out/wide").iterdir())) == len(names)
    (folder / "more.yaml").write_text("ntfsbuild: 1\ntree: {wide/new.txt: x}\n")
    assert run("apply", "more.yaml", "disk.img").returncode == 3


@pytest.mark.parametrize("which", FILES)
def test_the_rest_is_read(run: Run, folder: Path, damage: Callable[[Break], None], which: str) -> None:
    break_it, where = FILES[which]
    damage(break_it)
    taken = run("extract", "disk.img", "-o", "out")
    assert taken.returncode == 1
    assert where in taken.stderr
    assert (folder / "out/z.txt").read_text() == "last"
    below = folder / "out/sub/in.txt"
    assert below.exists() == (where != "/sub")
    captured = run("capture", "disk.img", "-o", "captured")
    assert captured.returncode == 1, captured.stderr
    assert where in captured.stderr
    assert "z.txt" in (folder / "captured/manifest.yaml").read_text()
    assert run("build", "captured/manifest.yaml", "-o", "again.img").returncode == 0
    if where != "/bad.txt":
        listed = run("tree", "disk.img")
        assert (listed.returncode, "z.txt" in listed.stdout) == (1, True)
        assert where in listed.stderr
    compared = run("diff", "disk.img", "sound.img")
    assert compared.returncode == 1
    assert where in compared.stderr


def test_a_part_of_a_content_is_replaced_by_zeros(
    run: Run, folder: Path, damage: Callable[[Break], None]
) -> None:
    def break_it(image: Image) -> None:
        _, lcn, _ = image.runs_of(image.unprotected(image.where(image["packed.bin"])), DATA, "")[0]
        image.data[lcn * 512 : lcn * 512 + 512] = b"\xff" * 512

    damage(break_it)
    for out in ("out", "out.tar"):
        done = run("extract", "disk.img", "-o", out)
        assert done.returncode == 1
        assert "/packed.bin: bytes 0 to" in done.stderr
    assert (folder / "out/packed.bin").stat().st_size == 200_000
    assert (folder / "out/z.txt").exists()


def test_a_file_that_the_host_cannot_hold(
    folder: Path, damage: Callable[[Break], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(lambda image: None)

    def pwrite(descriptor: int, data: bytes, at: int, real: Callable[..., int] = os.pwrite) -> int:
        if data == b"hello":
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return real(descriptor, data, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    done = builder.extract(folder / "disk.img", folder / "out")
    assert done.notes == (("/bad.txt", "the host cannot hold it: File too large"),)
    assert not (folder / "out/bad.txt").exists()
    assert (folder / "out/z.txt").read_text() == "last"


def test_a_full_host_still_ends_everything(
    folder: Path, damage: Callable[[Break], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(lambda image: None)

    def pwrite(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(HostError, match="No space left"):
        builder.extract(folder / "disk.img", folder / "out")
    assert not (folder / "out").exists()


def test_deep_directories_are_opened_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = 400
    (folder / "deep.yaml").write_text(
        "ntfsbuild: 1\ntree:\n  ? " + "/".join(["d"] * levels) + "/f.txt\n  : x\n"
    )
    builder.build(folder / "deep.yaml", folder / "deep.img")
    opened: list[str] = []

    def spied(path: str, *rest: int, real: Callable[..., int] = os.open, **more: int) -> int:
        opened.append(path)
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", spied)
    assert builder.extract(folder / "deep.img", folder / "out").items == levels + 1
    assert opened.count("d") < 5 * levels


def test_hard_links_of_symbolic_links(run: Run, folder: Path) -> None:
    (folder / "m.yaml").write_text(
        "ntfsbuild: 1\ntree:\n  a: {symlink: target}\n  b: {hardlink: a}\n  d/c: {hardlink: a}\n"
    )
    assert run("build", "m.yaml", "-o", "m.img").returncode == 0
    assert run("extract", "m.img", "-o", "out").returncode == 0
    names = [folder / "out" / name for name in ("a", "b", "d/c")]
    assert [os.readlink(name) for name in names] == ["target"] * 3
    assert len({name.lstat().st_ino for name in names}) == 1


# ---- sizes that no volume has


def large_list(image: Image) -> None:
    runs = [(None, 1 << 21)]
    new = non_resident(LIST, runs, cluster_bytes=512, data_bytes=1 << 30, initialized_bytes=1 << 30)
    image.replace(image["bad.txt"], NAME, new, before=True)


def large_label(image: Image) -> None:
    runs = [(None, 1 << 21)]
    new = non_resident(VOLUME_NAME, runs, cluster_bytes=512, data_bytes=1 << 30, initialized_bytes=1 << 30)
    image.replace(3, VOLUME_NAME, new)


def endless_mft(image: Image) -> None:
    with image.record(0) as record:
        at = image.find(record, DATA)
        lowest, highest = struct.unpack_from("<QQ", record, at + 0x10)
        place = at + struct.unpack_from("<H", record, at + 0x20)[0]
        while record[place]:
            place += 1 + (record[place] & 15) + (record[place] >> 4)
        record[place : place + 8] = b"\x06" + (1 << 40).to_bytes(6, "little") + b"\0"
        clusters = highest + 1 - lowest + (1 << 40)
        struct.pack_into("<Q", record, at + 0x18, clusters - 1)
        struct.pack_into("<QQQ", record, at + 0x28, *[clusters * 512] * 3)


@pytest.mark.parametrize("break_it", [large_list, large_label, endless_mft])
def test_sizes_are_bounded(run: Run, folder: Path, damage: Callable[[Break], None], break_it: Break) -> None:
    damage(break_it)
    for command in (
        ["ls", "-R", "disk.img"],
        ["stat", "disk.img", "/bad.txt"],
        ["explain", "disk.img", "0"],
        ["explain", "disk.img", "/z.txt"],
        ["extract", "disk.img", "-o", "out", "--deleted"],
        ["capture", "disk.img", "-o", "captured"],
        ["verify", "disk.img"],
    ):
        done = run(*command)
        assert done.returncode in (0, 1, 3), (command, done.stderr)
    (folder / "more.yaml").write_text("ntfsbuild: 1\ntree: {bad.txt: other}\n")
    before = (folder / "disk.img").read_bytes()
    done = run("apply", "more.yaml", "disk.img")
    assert (done.returncode, (folder / "disk.img").read_bytes() == before) == (
        3,
        True,
    ) or done.returncode == 0


# ---- values that are cut


def test_cut_values_are_noted_by_capture(run: Run, folder: Path, damage: Callable[[Break], None]) -> None:
    def break_it(image: Image) -> None:
        image.add(image["a.txt"], resident(OBJECT_ID, bytes(40)))
        reparse = struct.pack("<IHH", 0x00000099, 8, 0) + bytes(8)
        image.add(image["z.txt"], resident(REPARSE, reparse))

    damage(break_it)
    done = run("capture", "disk.img", "-o", "captured")
    assert done.returncode in (0, 1)
    assert "/a.txt: its object id: an object id has 16 or 64 bytes, not 40" in done.stderr
    assert "/z.txt: its reparse point has only 16 bytes" in done.stderr


@pytest.mark.parametrize(
    "break_it",
    [
        lambda i: i.entry(i["sub"], 0, 0x0A, "<H", 0x30),
        lambda i: i.entry(i["sub"], 0, 0x50, "<B", 90),
    ],
    ids=["cut key", "name behind its key"],
)
def test_cut_entries_are_refused_by_apply(
    run: Run, folder: Path, damage: Callable[[Break], None], break_it: Break
) -> None:
    damage(break_it)
    before = (folder / "disk.img").read_bytes()
    (folder / "more.yaml").write_text("ntfsbuild: 1\ntree: {sub/new.txt: x}\n")
    done = run("apply", "more.yaml", "disk.img", "--in-place")
    assert done.returncode == 3
    assert "$I30" in done.stderr
    assert (folder / "disk.img").read_bytes() == before


def test_explain_of_what_has_no_structure(run: Run, folder: Path, damage: Callable[[Break], None]) -> None:
    damage(lambda i: i.value(i["bad.txt"], NAME, 0x40, "<B", 200))
    assert run("explain", "disk.img", "/z.txt").returncode == 0
    number = json.loads(run("stat", "--json", "sound.img", "/bad.txt").stdout)["record"]
    assert run("explain", "disk.img", str(number)).returncode == 0


def test_extension_records_that_name_each_other(
    run: Run, folder: Path, damage: Callable[[Break], None]
) -> None:
    def break_it(image: Image) -> None:
        for one, other in (("a.txt", "bad.txt"), ("bad.txt", "a.txt")):
            with image.record(image[one]) as record:
                struct.pack_into("<Q", record, 0x20, 1 << 48 | image[other])

    damage(break_it)
    number = json.loads(run("stat", "--json", "sound.img", "/a.txt").stdout)["record"]
    assert run("explain", "disk.img", str(number)).returncode == 0


def test_cat_of_a_large_hole(run: Run, folder: Path) -> None:
    (folder / "m.yaml").write_text(
        "ntfsbuild: 1\ntree:\n  large: {size: 6TiB, sparse: true, data: [{at: 5TiB, text: end}]}\n"
        "  huge: {size: 8191PiB, sparse: true}\n"
    )
    assert run("build", "m.yaml", "-o", "m.img").returncode == 0
    assert run("cat", "m.img", "/large", "-o", "large").returncode == 0
    found = (folder / "large").stat()
    assert (found.st_size, found.st_blocks < 1000) == (6 << 40, True)
    with (folder / "large").open("rb") as file:
        file.seek(5 << 40)
        assert file.read(4) == b"end\0"
    done = run("cat", "m.img", "/huge", "-o", "huge")
    assert done.returncode == 4 or (folder / "huge").stat().st_size == 8191 << 50
    with subprocess.Popen(
        [sys.executable, "-m", "ntfsbuild", "cat", folder / "m.img", "/huge"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as piped:
        assert piped.stdout is not None and piped.stderr is not None
        assert piped.stdout.read(8) == bytes(8)
        piped.stdout.close()
        assert b"note: /huge has 8 EiB" in piped.stderr.read()


def test_zeros_become_holes(run: Run, folder: Path) -> None:
    (folder / "m.yaml").write_text("ntfsbuild: 1\ntree: {z: {size: 64MiB}, e: {size: 3MiB, fill: random}}\n")
    assert run("build", "m.yaml", "-o", "m.img").returncode == 0
    assert run("extract", "m.img", "-o", "out").returncode == 0
    assert run("capture", "m.img", "-o", "captured").returncode == 0
    contents = sorted((folder / "captured/content").iterdir(), key=lambda path: path.stat().st_size)
    for path in (folder / "out/z", contents[-1]):
        assert (path.stat().st_size, path.stat().st_blocks) == (64 << 20, 0)
    assert run("build", "captured/manifest.yaml", "-o", "again.img").returncode == 0
    assert run("diff", "m.img", "again.img").returncode == 0


@pytest.mark.parametrize("name", ["out.tar.gz", "out.TGZ", "out.tar.zst", "out.zip"])
def test_packed_archives_are_refused(
    run: Run, folder: Path, damage: Callable[[Break], None], name: str
) -> None:
    damage(lambda image: None)
    done = run("extract", "disk.img", "-o", name)
    assert (done.returncode, (folder / name).exists()) == (2, False)
    assert "its name ends in .tar" in done.stderr
