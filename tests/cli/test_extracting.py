"""extract: what comes out is what is in, and nothing leads out of the directory."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild.builder.safe_names import MAX_BYTES, numbered, safe_name
from tests.command import run
from tests.oracle.tools import missing

Extract = Callable[..., "subprocess.CompletedProcess[str]"]

MANIFEST = """\
ntfsbuild: 1
volume: {size: auto+1MiB}
defaults: {times: 2024-01-01T10:20:30.1234567Z}
tree:
  d/:
    .: {times: 2020-02-02}
    a.txt: {text: "hello\\n", attributes: [readonly], streams: {s: stream, big: {size: 100000, fill: random}}}
    z/b.bin: {size: 300000, fill: random, seed: 3, compressed: true}
  sparse.db: {size: 1GiB, sparse: true, data: [{at: 0, text: head}, {at: 512MiB, hex: "ff"}]}
  one: {text: x, unix: {uid: 12, gid: 34, mode: "0750"}}
  two: {hardlink: one}
  link: {symlink: 'd\\z'}
  up: {symlink: ../../../etc}
  Old: {junction: 'C:\\Users'}
  fifo: {wsl: fifo}
"""


@pytest.fixture(name="image")
def _image(tmp_path: Path) -> Path:
    return built(tmp_path, MANIFEST)


def built(folder: Path, manifest: str) -> Path:
    path, image = folder / "a.yaml", folder / "a.img"
    path.write_text(manifest)
    done = run("build", "-q", path, "-o", image)
    assert done.returncode == 0, done.stderr
    return image


def test_everything_comes_out(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("extract", image, "-o", out)

    assert (done.returncode, done.stderr) == (0, "")
    assert (out / "d/a.txt").read_text() == "hello\n"
    assert (out / "d/a.txt:s").read_text() == "stream"
    assert (out / "d/a.txt:big").stat().st_size == 100_000
    assert not os.stat(out / "d/a.txt").st_mode & 0o222
    assert (out / "d/a.txt").stat().st_mtime_ns == 1_704_104_430_123_456_700
    assert (out / "d").stat().st_mtime_ns == 1_580_601_600 * 10**9
    image_content = run("cat", image, "/d/z/b.bin", text=False)
    assert (out / "d/z/b.bin").read_bytes() == image_content.stdout
    assert os.path.samefile(out / "one", out / "two")
    assert os.readlink(out / "link") == "d/z" and os.readlink(out / "up") == "../../../etc"
    assert os.readlink(out / "Old") == "C:/Users"
    assert stat.S_ISFIFO(os.lstat(out / "fifo").st_mode)
    sparse = (out / "sparse.db").stat()
    assert sparse.st_size == 1 << 30 and sparse.st_blocks * 512 < 1 << 20
    with (out / "sparse.db").open("rb") as file:
        assert file.read(5) == b"head\0"
        file.seek(512 << 20)
        assert file.read(2) == b"\xff\0"


def test_a_part_comes_out_with_its_directories(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("extract", image, "/D/z", "-o", out).returncode == 0
    found = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    assert found == ["d", "d/z", "d/z/b.bin"]


def test_an_archive_holds_it_all(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tar"
    assert run("extract", image, "-o", out).returncode == 0

    with tarfile.open(out) as tar:
        members = {member.name: member for member in tar}
        a = members["d/a.txt"]
        assert tar.extractfile(a).read() == b"hello\n"  # type: ignore[union-attr]
        assert a.pax_headers["mtime"] == "1704104430.123456700"
        assert a.pax_headers["NTFSBUILD.attributes"] == "readonly"
        assert a.pax_headers["LIBARCHIVE.xattr.user.s"] == "c3RyZWFt"
        assert members["d/a.txt:big"].size == 100_000
        assert members["two"].islnk() and members["two"].linkname == "one"
        assert (members["one"].uid, members["one"].gid, members["one"].mode) == (12, 34, 0o750)
        assert members["link"].issym() and members["link"].linkname == "d/z"
        assert members["sparse.db"].size == 1 << 30 and members["sparse.db"].issparse()
        assert members["fifo"].isfifo()
    assert out.stat().st_size < 2 << 20


@pytest.mark.skipif(bool(missing(["ldd"])), reason="GNU's tar comes with GNU's libc")
def test_gnu_tar_unpacks_it(image: Path, tmp_path: Path) -> None:
    out, unpacked = tmp_path / "out.tar", tmp_path / "unpacked"
    unpacked.mkdir()
    assert run("extract", image, "-o", out).returncode == 0
    quiet = "--warning=no-unknown-keyword"
    subprocess.run(["tar", quiet, "-xf", out, "-C", unpacked], check=True, capture_output=True)
    assert run("extract", image, "-o", tmp_path / "out").returncode == 0
    for name in ("d/a.txt", "d/z/b.bin", "sparse.db", "one"):
        subprocess.run(["cmp", unpacked / name, tmp_path / "out" / name], check=True)


HOSTILE = """\
ntfsbuild: 1
defaults: {names: posix, times: 2024-01-01}
tree:
  "a\\\\..\\\\b": backslashes
  "C:": drive
  "CON": device
  "trailing. ": dot and space
  "percent%2F": percent
  "new\\nline": line feed
  "LONG": long
  out: {symlink: /etc}
  OUT/passwd: planted
""".replace("LONG", "ü" * 255)


@pytest.mark.parametrize("kind", ["out", "out.tar"])
def test_no_name_leads_out(tmp_path: Path, kind: str) -> None:
    image, out = built(tmp_path, HOSTILE), tmp_path / kind
    before = set(tmp_path.iterdir())

    done = run("extract", image, "-o", out)

    assert done.returncode == 0, done.stderr
    assert set(tmp_path.iterdir()) - before == {out}
    if kind == "out":
        names = {path.name for path in out.iterdir()}
        assert {"a\\..\\b", "C:", "CON", "percent%252F", "new%0Aline", "trailing. "} < names
        assert (out / "OUT/passwd").read_text() == "planted"
        assert any(name.startswith("üüü") and "~" in name for name in names)
    else:
        with tarfile.open(out) as tar:
            for member in tar:
                assert not member.name.startswith("/") and ".." not in member.name.split("/")


def test_names_are_safe_and_apart() -> None:
    assert safe_name("..") == "%2E%2E" and safe_name(".") == "%2E" and safe_name("a/b\0") == "a%2Fb%00"
    assert safe_name("\ud800") == "%uD800"
    long = "x" * 300
    assert len(safe_name(long).encode()) <= MAX_BYTES and safe_name(long) != safe_name(long + "y")
    assert numbered("a.txt", 2) == "a~2.txt" and numbered("a", 3) == "a~3"


def test_what_is_there_is_not_touched(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("mine")

    done = run("extract", image, "-o", out)

    assert done.returncode == 2 and "is there already" in done.stderr
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    manifest = "ntfsbuild: 1\ntree: {a.rp: {reparse: {tag: 0x123, guid: %s, data: {hex: '00'}}}, b: x}\n"
    image = built(tmp_path, manifest % "6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f2b11")

    done = run("extract", "--json", image, "-o", tmp_path / "out")

    assert done.returncode == 1
    (note,) = json.loads(done.stdout)["notes"]
    assert note["path"] == "/a.rp" and (tmp_path / "out/b").read_text() == "x"


def test_deleted_files_come_along_when_asked_for(tmp_path: Path) -> None:
    manifest = """\
ntfsbuild: 1
tree: {small.txt: still there, large.bin: {size: 50000, fill: random, seed: 1}, kept: x}
steps: [{delete: small.txt}, {delete: large.bin}]
"""
    image, out = built(tmp_path, manifest), tmp_path / "out"

    assert run("extract", image, "-o", out).returncode == 0
    assert not (out / "$Deleted").exists()
    assert run("extract", "--deleted", image, "-o", tmp_path / "again").returncode == 0
    found = {path.name.partition("-")[2]: path for path in (tmp_path / "again/$Deleted").iterdir()}
    assert set(found) == {"small.txt", "large.bin"}
    assert found["small.txt"].read_text() == "still there"
    assert found["large.bin"].stat().st_size == 50_000


def test_long_names_of_sparse_files(tmp_path: Path) -> None:
    """Python and GNU's tar have to take them from where sparse archives say them."""
    manifest, image, out = tmp_path / "a.yaml", tmp_path / "a.img", tmp_path / "out.tar"
    name = "d/" + "ü" * 120 + ".db"
    spec = "{size: 64MiB, sparse: true, data: [{at: 32MiB, text: there}]}"
    manifest.write_text(f"ntfsbuild: 1\ntree: {{{name}: {spec}}}\n", "utf-8")
    assert run("build", "-q", manifest, "-o", image).returncode == 0
    assert run("extract", image, "-o", out).returncode == 0
    with tarfile.open(out) as tar:
        found = {member.name: member.size for member in tar if member.isfile()}
    assert found == {name: 64 << 20}
    if not missing(["ldd"]):  # It comes with GNU's libc.
        command = ["tar", "--quoting-style=literal", "-tf", out]
        assert name.encode() in subprocess.run(command, capture_output=True, check=True).stdout
