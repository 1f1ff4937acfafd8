"""Symbolic links and special files of a source: what the plan has for them, and what others read."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ntfsbuild import builder
from ntfsbuild.compiler.features import Rules, link_spec
from ntfsbuild.content.model import EMPTY, HostFile, SourceLink
from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest.model import TreeSource
from ntfsbuild.ondisk import extended_attributes, reparse_point, unix_metadata
from ntfsbuild.plan.features import NO_FEATURES
from ntfsbuild.plan.model import MakeDirectory, MakeFile
from tests.compiler.planning import planned, problems
from tests.oracle import ntfs3g
from tests.oracle.tools import run

TARGETS = {
    "to file": "a.txt",
    "to dir": "dir/",
    "chain": "to dir",
    "gone": "no/where",
    "loop": "loop",
    "out": "../..",
    "absolute": "/data/dir",
    "dir/up": "../a.txt",
}
DIRECTORIES = {"to dir", "chain", "absolute"}


@pytest.fixture(params=["directory", "archive"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same tree as a directory of the host and as an archive."""
    root = tmp_path / "src"
    (root / "dir").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "dir/b.txt").write_text("b")
    for name, target in TARGETS.items():
        (root / name).symlink_to(target)
        os.utime(root / name, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    if request.param == "directory":
        return "src"
    with tarfile.open(tmp_path / "src.tar", "w") as tar:
        tar.add(root, ".")
    return "src.tar"


def test_links_of_windows(tmp_path: Path, source: str) -> None:
    found = planned(tmp_path, f"  data/: {{.: {{source: {source}, symlinks: ntfs}}}}\n")
    for name, target in TARGETS.items():
        one = found[f"/data/{name}"]
        assert one.features.traits.reparse == reparse_point.symlink(target), name
        assert isinstance(one, MakeDirectory) == (name in DIRECTORIES), name
        assert one.features.traits.unix is None
        if isinstance(one, MakeFile):
            assert one.content == EMPTY
    assert found["/data/a.txt"].features is NO_FEATURES
    assert len(found) == 1 + 1 + 1 + 2 + len(TARGETS)


def test_links_of_wsl(tmp_path: Path, source: str) -> None:
    found = planned(tmp_path, f"  .: {{source: {source}, symlinks: wsl, times: source}}\n")
    for name, target in TARGETS.items():
        one = found[f"/{name}"]
        assert isinstance(one, MakeFile)
        assert one.features.traits.reparse == reparse_point.wsl_symlink(target)
        assert one.features.traits.unix is None
    # `times` of the directory are its own: what is in it has the default.
    assert found["/gone"].times == found["/a.txt"].times


def test_times_of_links_are_their_own(tmp_path: Path, source: str) -> None:
    text = f"  .: {{source: {source}, symlinks: ntfs, defaults: {{times: source}}}}\n"
    ticks = 116_444_736_000_000_000 + 1_700_000_000 * 10**7
    assert planned(tmp_path, text)["/gone"].times == (ticks,) * 4
    text = (
        f"  .: {{source: {source}, symlinks: ntfs, defaults: {{times: {{created: 2001-01-01T00:00:00Z}}}}}}\n"
    )
    assert planned(tmp_path, text)["/gone"].times == planned(tmp_path, text)["/a.txt"].times


def test_links_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "src/dir").mkdir(parents=True)
    (tmp_path / "src/a").write_text("a")
    (tmp_path / "src/link").symlink_to("a")
    (tmp_path / "src/folder").symlink_to("dir")
    found = planned(tmp_path, "  .: {source: src, symlinks: follow}\n")
    target = found["/link"]
    assert isinstance(target, MakeFile) and isinstance(target.content, HostFile)
    assert target.content.path.endswith(b"/src/a") and target.features is NO_FEATURES
    assert isinstance(found["/folder"], MakeDirectory)
    assert TreeSource(b"src", 0).symlinks == "follow"


def test_links_can_be_refused(tmp_path: Path, source: str) -> None:
    found = problems(
        tmp_path, f"  data/: {{.: {{source: {source}, symlinks: error, exclude: ['[a-k]*']}}}}\n"
    )
    assert [one.rpartition("/")[2].rpartition(": ")[2] for one in found] == [
        f"{name} is a symbolic link" for name in ("loop", "out", "to dir", "to file")
    ]


def test_a_directory_of_the_manifest_counts(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/link").symlink_to("../made")
    (tmp_path / "src/other").symlink_to("/made/file")
    (tmp_path / "src/root").symlink_to("/")
    found = planned(tmp_path, "  made/: {file: x}\n  data/: {.: {source: src, symlinks: ntfs}}\n")
    kinds = {name: isinstance(found[f"/data/{name}"], MakeDirectory) for name in ("link", "other", "root")}
    assert kinds == {"link": True, "other": False, "root": True}


def test_what_the_manifest_says_hides_a_link(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a").symlink_to("C:relative")  # A problem, were it taken.
    (tmp_path / "src/b").symlink_to("x\\y")
    text = "  .: {source: src, symlinks: ntfs}\n  a: text\n  b: {absent: true}\n"
    found = planned(tmp_path, text)
    assert list(found) == ["/", "/a"] and found["/a"].features is NO_FEATURES


def test_the_last_source_counts(tmp_path: Path) -> None:
    for name in ("one/sub", "two/sub"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "one/sub/a").symlink_to("first")
    (tmp_path / "two/sub/a").write_text("file")
    (tmp_path / "one/sub/b").write_text("file")
    (tmp_path / "two/sub/b").symlink_to("second")
    (tmp_path / "one/sub/c").symlink_to("first")
    (tmp_path / "two/sub/c").symlink_to("second")
    text = "  .: {source: one, symlinks: ntfs}\n  sub/: {.: {source: two/sub, symlinks: wsl}}\n"
    found = planned(tmp_path, text)
    assert found["/sub/a"].features is NO_FEATURES
    for name in "bc":
        assert found[f"/sub/{name}"].features.traits.reparse == reparse_point.wsl_symlink("second")


def test_a_link_and_a_directory_with_one_name(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a").symlink_to("b")
    (found,) = problems(tmp_path, "  .: {source: src, symlinks: ntfs}\n  a/: {}\n")
    assert found.startswith("tree/a: is a file here and a directory in a source")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (b"bad\xff", "is a symbolic link to bad\\xff, which is not UTF-8"),
        (b"a\\b", "is a symbolic link to a\\b, which means something else to Windows"),
        (b"C:/x", "is a symbolic link to C:/x, which means something else to Windows"),
        (b"c:x", "is a symbolic link to c:x: 'c:x' depends on the current directory of a drive"),
        (b"\\\\host\\share", "is a symbolic link to \\\\host\\share, which means something else to Windows"),
        (b"x" * 4000, "the target is too long: a reparse point has 16384 bytes at most"),
    ],
)
def test_targets_that_are_none_of_windows(tmp_path: Path, target: bytes, message: str) -> None:
    (tmp_path / "src").mkdir()
    os.symlink(target, os.fsencode(tmp_path / "src/link"))
    if len(target) > 3000:  # Two names of two bytes a character, and the heads, fit with 4000.
        assert planned(tmp_path, "  .: {source: src, symlinks: ntfs}\n")["/link"].features.traits.reparse
        with pytest.raises(ManifestError, match=message):
            link_spec(SourceLink("symlink", target * 3), "ntfs", lambda: None, Rules())
    else:
        assert problems(tmp_path, "  .: {source: src, symlinks: ntfs}\n") == [f"tree/link: {message}"]
    value = planned(tmp_path, "  .: {source: src, symlinks: wsl}\n")["/link"].features.traits.reparse
    assert value == reparse_point.wsl_symlink(target)


def test_special_files(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    os.mkfifo(tmp_path / "src/fifo", 0o600)
    with tarfile.open(tmp_path / "dev.tar", "w") as tar:
        for name, kind, major, minor in (
            ("null", tarfile.CHRTYPE, 1, 3),
            ("disk", tarfile.BLKTYPE, 8, 17),
            ("pipe", tarfile.FIFOTYPE, 0, 0),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.devmajor, info.devminor, info.mode, info.uid = kind, major, minor, 0o620, 5
            tar.addfile(info)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "src/sock"))
    text = "  .: {source: src, symlinks: wsl}\n  dev/: {.: {source: dev.tar, symlinks: wsl}}\n"
    found = planned(tmp_path, text)
    for path, kind, mode, device in (
        ("/fifo", "fifo", stat.S_IFIFO, None),
        ("/sock", "socket", stat.S_IFSOCK, None),
        ("/dev/pipe", "fifo", stat.S_IFIFO, None),
        ("/dev/null", "char", stat.S_IFCHR, (1, 3)),
        ("/dev/disk", "block", stat.S_IFBLK, (8, 17)),
    ):
        traits = found[path].features.traits
        entries = unix_metadata.extended_attributes(None, None, mode | 0o644, device)
        assert traits.reparse == reparse_point.wsl_special(kind)  # type: ignore[arg-type]
        assert traits.unix == extended_attributes.pack(entries), path
    for rule in ("ntfs", "follow", "error"):
        found_problems = problems(tmp_path, f"  .: {{source: src, symlinks: {rule}}}\n")
        assert [one.rpartition("/")[2] for one in found_problems] == [
            f"{name} is not a regular file" for name in ("fifo", "sock")
        ]


def test_links_get_what_their_directory_hands_down(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a long name of a link").symlink_to("x")
    text = "  .: {source: src, symlinks: ntfs, compressed: true, defaults: {short_names: true}}\n"
    features = planned(tmp_path, text)["/a long name of a link"].features
    assert features.form is None and features.traits.short_name == "ALONGN~1"


# ---------------------------------------------------------------------- what others read


@pytest.fixture
def image(tmp_path: Path, source: str) -> Iterator[Path]:
    text = "".join(f"  {rule}/: {{.: {{source: {source}, symlinks: {rule}}}}}\n" for rule in ("ntfs", "wsl"))
    with tarfile.open(tmp_path / "special.tar", "w") as extra:
        for name, kind in (("fifo", tarfile.FIFOTYPE), ("null", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.devmajor, info.devminor = kind, 1, 3
            extra.addfile(info)
    text += "  dev/: {.: {source: special.tar, symlinks: wsl}}\n  data/: {dir/: {}}\n"
    (tmp_path / "disk.yaml").write_text(f"ntfsbuild: 1\ntree:\n{text}")
    builder.build(tmp_path / "disk.yaml", tmp_path / "disk.img")
    yield tmp_path / "disk.img"


@pytest.mark.needs("ntfs-3g")
def test_ntfs_3g_reads_the_links(image: Path) -> None:
    with ntfs3g.mounted(image) as top:
        for name, target in TARGETS.items():
            read = os.readlink(top / "wsl" / name)
            assert read == target, name
            if name not in ("loop", "out", "gone", "absolute"):
                assert (top / "ntfs" / name).is_dir() == (name in DIRECTORIES), name
                assert stat.S_ISLNK(os.lstat(top / "ntfs" / name).st_mode)
        assert os.readlink(top / "ntfs/dir/up") == "../a.txt"
        assert os.readlink(top / "ntfs/chain") == "to dir"
        assert (top / "ntfs/dir/up").read_text() == "a"
        assert stat.S_ISFIFO(os.lstat(top / "dev/fifo").st_mode)
        assert (top / "ntfs/chain/b.txt").read_text() == "b"


@pytest.mark.needs("7z")
def test_7_zip_reads_the_links(image: Path, tmp_path: Path) -> None:
    assert b"Everything is Ok" in run(["7z", "t", image]).stdout
    out = tmp_path / "out"
    subprocess.run(["7z", "x", "-snl", f"-o{out}", image, "-x![SYSTEM]"], check=False, capture_output=True)
    # Links that go up it does not make, for fear of where they lead.
    assert os.readlink(out / "ntfs/to file") == "a.txt"
    assert os.readlink(out / "ntfs/chain") == "to dir"
