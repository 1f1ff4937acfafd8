"""Tar archives of several makers as a source; GNU tar says what is in them."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import IO, Any

import pytest

from ntfsbuild.content import archive
from ntfsbuild.content.confinement import Confinement
from ntfsbuild.content.model import LinksRule, Segments, SourceLink, TarMember
from ntfsbuild.content.problems import SourceError
from ntfsbuild.content.read import pieces, pinned, read, sha256_of, size_of
from ntfsbuild.content.tar_tree import TarTree, scan
from ntfsbuild.errors import HostError, ManifestError
from ntfsbuild.ondisk.unix_metadata import UnixMetadata
from tests.content.listing import listed

UNIX_EPOCH_TICKS = 116_444_736_000_000_000


@pytest.fixture(autouse=True)
def _forget() -> None:
    archive.forget_archives()


def member(name: str, data: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def link(
    name: str, target: str, kind: bytes = tarfile.SYMTYPE, **attributes: object
) -> tuple[tarfile.TarInfo, bytes]:
    info, data = member(name, **attributes)  # type: ignore[arg-type]
    info.type, info.linkname = kind, target
    return info, data


def directory(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.DIRTYPE)


def pack(path: Path, *members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    with tarfile.open(path, "w", format=form) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return os.fsencode(path)


def contents(tree: TarTree, prefix: str = "") -> dict[str, bytes]:
    found = {prefix + name: read(tree.content(name)) for name in tree.names}
    for name, child in tree.directories.items():
        found |= contents(child, f"{prefix}{name}/")
    return found


def problems(path: bytes) -> list[str]:
    with pytest.raises(SourceError) as caught:
        scan(path, (), ())
    return [message.removeprefix(os.fsdecode(path) + ": ") for message in caught.value.messages]


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
@pytest.mark.parametrize("packing", ["", "gzip", "xz", "bzip2", "zstd"])
def test_archives_of_gnu_tar(tmp_path: Path, form: str, packing: str) -> None:
    source = tmp_path / "source"
    long = "" if form in ("v7", "ustar") else "x" * 120 + "/"
    expected = {
        "a.txt": b"hi",
        f"sub/{long}b.bin": bytes(range(256)) * 5000,
        "ünï.txt": b"",
        "z/e/r/o": bytes(9),
    }
    for name, data in expected.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
        os.utime(source / name, (1_700_000_000, 1_700_000_000))
    target = tmp_path / "archive.bin"  # Its name says nothing.
    options = [f"--format={form}", *([f"--{packing}"] if packing else [])]
    if packing and shutil.which(packing) is None:
        pytest.skip(f"needs the program {packing}")
    subprocess.run(["tar", "-C", source, *options, "-cf", target, "."], check=True)

    tree = scan(os.fsencode(target), (), ())

    assert contents(tree) == expected
    assert tree.mtime_ticks("a.txt") == UNIX_EPOCH_TICKS + 1_700_000_000 * 10**7
    content = tree.directories["z"].directories["e"].directories["r"].content("o")
    assert sha256_of(content) == hashlib.sha256(bytes(9)).digest()
    kept = pinned(content)
    archive.forget_archives()  # As a plan that is executed by another process.
    assert isinstance(kept, TarMember) and kept.sha256 == hashlib.sha256(bytes(9)).digest()
    assert read(kept) == bytes(9)


@pytest.mark.parametrize("version", ["gnu", "0.0", "0.1", "1.0"])
def test_sparse_members(tmp_path: Path, version: str) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        for at in range(0, 40 << 20, 2 << 20):
            file.seek(at)
            file.write(b"data at %d" % at)
        file.truncate(50 << 20)
    form = ["--format=gnu"] if version == "gnu" else ["--format=posix", f"--sparse-version={version}"]
    target = tmp_path / "a.tar"
    subprocess.run(["tar", "-C", tmp_path, "-S", *form, "-cf", target, "sparse"], check=True)
    if target.stat().st_size > 10 << 20:
        pytest.skip("needs a file system with holes")

    content = scan(os.fsencode(target), (), ()).content("sparse")

    assert isinstance(content, Segments)
    assert size_of(content) == 50 << 20
    assert sum(len(piece) for _, piece in pieces(content)) < 1 << 20
    assert sha256_of(content) == hashlib.sha256(path.read_bytes()).digest()
    assert read(pinned(content)) == path.read_bytes()


@pytest.mark.parametrize(
    ("mtime", "ticks"),
    [
        ("1700000000.1234567891", 17_000_000_001_234_567),
        ("1700000000.9999999999", 17_000_000_009_999_999),
        ("1700000000", 17_000_000_000_000_000),
        ("-0.00000001", -1),
        ("-1.5", -15_000_000),
        ("9007199254.740993", 90_071_992_547_409_930),
    ],
)
def test_pax_times_are_exact(tmp_path: Path, mtime: str, ticks: int) -> None:
    path = pack(tmp_path / "a.tar", member("a", pax_headers={"mtime": mtime}))
    assert scan(path, (), ()).mtime_ticks("a") == UNIX_EPOCH_TICKS + ticks


@pytest.mark.parametrize("mtime", ["-99999999999", "99999999999999", "soon", "1e5", "nan"])
def test_times_that_ntfs_does_not_hold(tmp_path: Path, mtime: str) -> None:
    path = pack(tmp_path / "a.tar", member("a", pax_headers={"mtime": mtime}))
    assert problems(path) == ["a has a modification time that NTFS does not hold"]


def test_directories_without_a_member_have_no_time(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", member("a/b"), directory("c"))
    tree = scan(path, (), ())
    assert tree.directories["a"].mtime_ticks("") is None
    assert tree.directories["c"].mtime_ticks("") == UNIX_EPOCH_TICKS


def test_the_last_member_with_a_name_counts(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "a.tar",
        member("./a", b"old"),
        link("hard", "a", tarfile.LNKTYPE),
        link("soft", "a"),
        member("a", b"new"),
        member("sub//./b", b"x"),
        directory("./sub/"),
    )
    assert contents(scan(path, (), ())) == {"a": b"new", "hard": b"old", "soft": b"new", "sub/b": b"x"}


def test_links(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "a.tar",
        member("d/file", b"data"),
        link("d/e/up", "../file"),
        link("twice", "d/e/up"),
        link("hard", "twice", tarfile.LNKTYPE),
    )
    assert contents(scan(path, (), ())) == dict.fromkeys(("d/file", "d/e/up", "twice", "hard"), b"data")


def test_what_is_refused(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "a.tar",
        member("/etc/passwd"),
        member("a/../../b"),
        directory("d"),
        member("d"),
        member("f"),
        member("f/g"),
        member("fifo", type=tarfile.FIFOTYPE),
        member("null", type=tarfile.CHRTYPE),
        link("absolute", "/f"),
        link("out", "../f"),
        link("folder", "d"),
        link("gone", "nothing"),
        link("round", "circle"),
        link("circle", "round"),
        link("hard", "later", tarfile.LNKTYPE),
        member("later"),
        member("bad\udcff"),
        form=tarfile.GNU_FORMAT,
    )
    assert problems(path) == [
        "/etc/passwd has an absolute name",
        "a/../../b has a name that goes up with ..",
        "d is a file and a directory at once",
        "f/g lies in f, which is a file",
        "fifo is neither a file nor a directory nor a link",
        "null is neither a file nor a directory nor a link",
        "hard is a hard link to later, which does not come before it",
        "bad\\xff has a name that is not UTF-8",
        "absolute is a symbolic link to /f, outside the archive",
        "out is a symbolic link to ../f, outside the archive",
        "folder is a symbolic link to d, which is not a file in the archive",
        "gone is a symbolic link to nothing, which is not a file in the archive",
        "round is a symbolic link to circle, which leads in a circle",
        "circle is a symbolic link to round, which leads in a circle",
    ]


LINKS = [
    member("f"),
    member("d/e/x"),
    link("a", "f", mtime=7, uid=5),
    link("dir", "d/"),
    link("chain", "dir"),
    link("through", "chain/e/.."),
    link("d/up", "../f"),
    link("d/root", ".."),
    link("out", "../f"),
    link("round", "circle"),
    link("circle", "round"),
    link("gone", "nothing"),
    link("absolute", "/d"),
    link("before", "later"),
    link("hard", "dir", tarfile.LNKTYPE),
    directory("later"),
]


def test_links_that_are_kept(tmp_path: Path) -> None:
    tree = scan(pack(tmp_path / "a.tar", *LINKS), (), (), "ntfs")
    assert {name: (one.target.decode(), one.directory) for name, one in tree.links.items()} == {
        "a": ("f", False),
        "absolute": ("/d", False),
        "before": ("later", True),
        "chain": ("dir", True),
        "circle": ("round", False),
        "dir": ("d/", True),
        "gone": ("nothing", False),
        "hard": ("d/", True),
        "out": ("../f", False),
        "round": ("circle", False),
        "through": ("chain/e/..", True),
    }
    assert tree.names == sorted(["f", *tree.links])
    expected = {"up": SourceLink("symlink", b"../f"), "root": SourceLink("symlink", b"..", True)}
    assert tree.directories["d"].links == expected
    assert tree.mtime_ticks("a") == UNIX_EPOCH_TICKS + 7 * 10**7
    assert tree.unix_metadata("a") == UnixMetadata(5, 0, stat.S_IFLNK | 0o644)


def test_patterns_judge_the_name_of_a_kept_link(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", *LINKS)
    assert list(scan(path, (), ("/d/", "[b-z]*"), "wsl").links) == ["a", "absolute"]
    assert scan(path, ("u*",), (), "ntfs").directories["d"].links.keys() == {"up"}


def test_links_can_be_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", *LINKS)
    with pytest.raises(SourceError) as caught:
        scan(path, (), ("[b-cg-z]*",), "error")
    names = [message.split(": ", 1)[1] for message in caught.value.messages]
    assert names == [f"{name} is a symbolic link" for name in ("a", "absolute", "dir")]
    assert scan(path, ("f", "x"), (), "error").names == ["f"]


def test_special_files_are_kept_for_wsl_only(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "a.tar",
        member("fifo", type=tarfile.FIFOTYPE, mode=0o600),
        member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        member("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=17),
        link("bad", "\udcff"),
        form=tarfile.GNU_FORMAT,
    )
    tree = scan(path, (), (), "wsl")
    assert tree.links == {
        "bad": SourceLink("symlink", b"\xff"),
        "disk": SourceLink("block"),
        "fifo": SourceLink("fifo"),
        "null": SourceLink("char"),
    }
    assert tree.unix_metadata("null") == UnixMetadata(0, 0, stat.S_IFCHR | 0o666, (1, 3))
    assert tree.unix_metadata("fifo") == UnixMetadata(0, 0, stat.S_IFIFO | 0o600)
    others: tuple[LinksRule, ...] = ("ntfs", "error")
    for links in others:
        with pytest.raises(SourceError) as caught:
            scan(path, (), (), links)
        assert len(caught.value.messages) == 3


def test_owner_group_and_mode(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "a.tar",
        member("a", b"x", uid=1000, gid=100, mode=0o4755),
        member("d/b", uid=1000, gid=100, mode=0o4755),
        member("e/", type=tarfile.DIRTYPE, uid=7, mode=0o1777),
        link("link", "a", uid=9),
        link("hard", "a", tarfile.LNKTYPE),
    )
    tree = scan(path, (), ())
    expected = UnixMetadata(1000, 100, stat.S_IFREG | 0o4755)
    assert {tree.unix_metadata(name) for name in ("a", "link", "hard")} == {expected}
    assert tree.unix_metadata("a") is tree.directories["d"].unix_metadata("b")
    assert tree.directories["e"].unix_metadata("") == UnixMetadata(7, 0, stat.S_IFDIR | 0o1777)
    assert tree.unix_metadata("") is None and tree.directories["d"].unix_metadata("") is None


def test_include_and_exclude(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "a.tar",
        *(member(name) for name in ("z.txt", "a.txt", "d/b.txt", "d/c.c", "e/f/g.txt", "h/i.c")),
        directory("empty"),
    )
    assert list(listed(scan(path, ("*.txt",), ("e/",)))) == ["a.txt", "z.txt", "d/", "d/b.txt"]
    assert list(listed(scan(path, ("d/", "em*"), ()))) == ["d/", "d/b.txt", "d/c.c", "empty/"]
    assert list(listed(scan(path, (), ("*.txt", "/h")))) == ["d/", "d/c.c", "e/", "e/f/", "empty/"]


DATA = b"".join(hashlib.sha256(b"%d" % k).digest() for k in range(4000))


@pytest.mark.parametrize("packing", ["", "gz", "xz", "bz2", "zst"])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_archives_that_are_cut_off(tmp_path: Path, packing: str, keep: float) -> None:
    plain = tmp_path / "a.tar"
    pack(plain, member("first", DATA), member("second", DATA))
    data = packed(plain.read_bytes(), packing)
    plain.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(ManifestError, match=r"damaged"):
        scan(os.fsencode(plain), (), ())


def packed(data: bytes, packing: str) -> bytes:
    if packing == "zst":
        zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
        return bytes(zstd.compress(data))
    if packing:
        module = {"gz": "gzip", "xz": "lzma", "bz2": "bz2"}[packing]
        return bytes(pytest.importorskip(module).compress(data))
    return data


def test_an_archive_that_ends_after_a_member_is_cut_off_too(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", member("a", bytes(512)), member("b"))
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:1024])
    with pytest.raises(ManifestError, match="is damaged: it is cut off after 1024 bytes"):
        scan(path, (), ())


@pytest.mark.parametrize("at", [0, 100, 512 + 300, 1024 + 130, 2048 + 5])
def test_damaged_headers(tmp_path: Path, at: int) -> None:
    path = pack(tmp_path / "a.tar", member("a", b"x"), member("b", b"x"), member("c", b"x"))
    data = bytearray((tmp_path / "a.tar").read_bytes())
    data[at] ^= 0x55
    (tmp_path / "a.tar").write_bytes(data)
    if at == 512 + 300:  # Padding of the first member: nobody reads it.
        assert scan(path, (), ()).names == ["a", "b", "c"]
        return
    with pytest.raises(ManifestError, match=r"damaged|neither"):
        scan(path, (), ())


def test_what_is_no_archive(tmp_path: Path) -> None:
    for name, data in {"empty": b"", "text": b"hello\n" * 200, "zip": b"PK\x03\x04" + bytes(600)}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ManifestError, match=f"/{name} is neither a directory nor a tar archive"):
            scan(os.fsencode(tmp_path / name), (), ())
    (tmp_path / "text.gz").write_bytes(packed(b"hello", "gz"))
    with pytest.raises(ManifestError, match="damaged"):
        scan(os.fsencode(tmp_path / "text.gz"), (), ())


def test_an_empty_archive(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(packed(bytes(10240), "gz"))
    assert list(listed(scan(os.fsencode(tmp_path / "a.tar.gz"), (), ()))) == []


def test_an_archive_that_changes_between_listing_and_reading(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", member("a", b"one"))
    content = scan(path, (), ()).content("a")
    pack(tmp_path / "b.tar", member("a", b"two"))
    os.replace(tmp_path / "b.tar", tmp_path / "a.tar")
    with pytest.raises(ManifestError, match="changed after it was listed"):
        list(pieces(content))
    assert read(scan(path, (), ()).content("a")) == b"two"


def test_more_archives_than_are_kept_open(tmp_path: Path) -> None:
    gc.collect()  # The errors that other tests caught hold archives.
    opened = len(os.listdir("/proc/self/fd"))
    trees = [
        scan(pack(tmp_path / f"{k}.tar", member("a", b"%d" % k)), (), ())
        for k in range(40)
    ]  # fmt: skip
    assert len(os.listdir("/proc/self/fd")) < opened + 20
    assert [int(read(tree.content("a"))) for tree in trees] == list(range(40))
    archive.forget_archives()
    assert len(os.listdir("/proc/self/fd")) == opened


def test_a_change_of_an_archive_that_was_closed_in_between(tmp_path: Path) -> None:
    trees = [scan(pack(tmp_path / f"{k}.tar", member("a", b"%d" % k)), (), ()) for k in range(20)]
    pack(tmp_path / "b.tar", member("a", b"x"))
    os.replace(tmp_path / "b.tar", tmp_path / "0.tar")
    with pytest.raises(ManifestError, match=r"/0\.tar changed after it was listed"):
        read(trees[0].content("a"))
    assert read(trees[1].content("a")) == b"1"
    with pytest.raises(ManifestError, match=r"/0\.tar changed after it was listed"):
        read(trees[0].content("a"))


def test_a_digest_judges_an_archive_that_was_listed_before(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", member("a", b"one"))
    kept = pinned(scan(path, (), ()).content("a"))
    pack(tmp_path / "a.tar", member("a", b"one"), member("b", b"more"))
    assert read(kept) == b"one"
    pack(tmp_path / "a.tar", member("a", b"two"))
    with pytest.raises(ManifestError, match=r"a\.tar: a: its SHA-256 is "):
        read(kept)


@pytest.mark.parametrize("blocks", [2, 20, 4096])
@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_an_archive_of_nothing(tmp_path: Path, blocks: int, suffix: str) -> None:
    data = bytes(512 * blocks)
    (tmp_path / f"a.{suffix}").write_bytes(data if suffix == "tar" else packed(data, "gz"))
    tree = scan(os.fsencode(tmp_path / f"a.{suffix}"), (), ())
    assert (tree.names, tree.directories) == ([], {})


def test_an_archive_of_nothing_by_gnu_tar(tmp_path: Path) -> None:
    subprocess.run(["tar", "-cf", tmp_path / "a.tar", "-T", "/dev/null"], check=True)
    assert contents(scan(os.fsencode(tmp_path / "a.tar"), (), ())) == {}


@pytest.mark.parametrize("data", [b"", bytes(512), bytes(1000), bytes(4096) + b"x" + bytes(511)])
def test_zeros_that_are_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ManifestError, match="neither a directory nor a tar archive"):
        scan(os.fsencode(tmp_path / "a"), (), ())


def full(**options: Any) -> IO[bytes]:
    return open("/dev/full", "w+b", **options)


@pytest.mark.parametrize("suffix", ["gz", "xz", "zst"])
@pytest.mark.parametrize("size", [10, 3 << 20])
@pytest.mark.parametrize("by_program", [False, True])
def test_a_full_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, size: int, by_program: bool
) -> None:
    pack(tmp_path / "a.tar", member("a", os.urandom(size)))
    (tmp_path / "a.packed").write_bytes(packed((tmp_path / "a.tar").read_bytes(), suffix))
    if by_program:
        if suffix != "zst" or not shutil.which("zstd"):
            pytest.skip("only zstd may be left to a program, which may not be here")
        monkeypatch.setitem(sys.modules, "backports.zstd", None)
        monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setattr(tempfile, "tempdir", "/the/folder")
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(HostError, match=r"^/the/folder: No space left on device \(.*/a\.packed is unpacked"):
        scan(os.fsencode(tmp_path / "a.packed"), (), ())


def test_no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tgz").write_bytes(packed(bytes(1024), "gz"))
    monkeypatch.setattr(tempfile, "tempdir", "/none")
    with pytest.raises(HostError, match=r"^/none: No such file or directory \(.*/a\.tgz is unpacked there"):
        scan(os.fsencode(tmp_path / "a.tgz"), (), ())


def test_zstd_without_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(tmp_path / "a.tar", member("a", b"data"))
    data = packed((tmp_path / "a.tar").read_bytes(), "zst")
    (tmp_path / "a.tar.zst").write_bytes(data)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    if shutil.which("zstd"):
        assert contents(scan(os.fsencode(tmp_path / "a.tar.zst"), (), ())) == {"a": b"data"}
        (tmp_path / "a.tar.zst").write_bytes(data[:-20])
        with pytest.raises(ManifestError, match="is damaged"):
            scan(os.fsencode(tmp_path / "a.tar.zst"), (), ())
    monkeypatch.setenv("PATH", "/nowhere")
    archive.forget_archives()
    with pytest.raises(HostError, match=r"install ntfsbuild\[zstd\] or the program zstd"):
        scan(os.fsencode(tmp_path / "a.tar.zst"), (), ())


def test_a_tree_is_read_by_what_lies_there(tmp_path: Path) -> None:
    from ntfsbuild.content.tree import scan as scan_any

    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a").touch()
    pack(tmp_path / "a.tar", member("b"))
    fence = Confinement((os.fsencode(tmp_path),))
    assert scan_any(os.fsencode(tmp_path / "tree"), (), (), fence).names == ["a"]
    assert scan_any(os.fsencode(tmp_path / "a.tar"), (), (), fence).names == ["b"]
