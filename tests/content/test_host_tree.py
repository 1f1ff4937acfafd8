"""A directory of the host as a source: what is taken, in which order, and what is refused."""

from __future__ import annotations

import os
import random
import resource
import socket
import stat
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from ntfsbuild.content.confinement import Confinement
from ntfsbuild.content.host_tree import HostTree, scan
from ntfsbuild.content.model import LinksRule, SourceLink
from ntfsbuild.content.problems import SourceError
from ntfsbuild.content.read import read
from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk.unix_metadata import UnixMetadata
from tests.content.listing import listed


def make(root: Path, paths: Iterable[str]) -> None:
    """Files with their own path as content; a path that ends in a slash is a directory."""
    for path in paths:
        target = root / path
        (target if path.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
        if not path.endswith("/"):
            target.write_text(path)


def scanned(root: Path, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> list[str]:
    """The paths that a scan finds."""
    fence = Confinement((os.fsencode(root),))
    return list(listed(scan(os.fsencode(root), tuple(include), tuple(exclude), fence)))


def problems(root: Path, *outside: Path) -> list[str]:
    """What a scan complains about, with the root cut off."""
    with pytest.raises(SourceError) as caught:
        scan(os.fsencode(root), (), (), Confinement((os.fsencode(root), *map(os.fsencode, outside))))
    return [message.replace(f"{root}/", "") for message in caught.value.messages]


def test_names_are_sorted_by_code_point_whatever_the_host_says(tmp_path: Path) -> None:
    names = ["Z", "a", "A.txt", "a.txt", "ä", "\U0001f600", "\ufffd", "_", "10", "9"]
    directories = [f"d{name}" for name in names]
    random.Random(1).shuffle(names)
    make(tmp_path, [*names, *(f"{name}/" for name in directories)])

    tree = scan(os.fsencode(tmp_path), (), (), Confinement((os.fsencode(tmp_path),)))

    assert tree.names == sorted(names)
    assert list(tree.directories) == sorted(directories)


def test_content_and_times(tmp_path: Path) -> None:
    make(tmp_path, ["a/b/c.txt"])
    os.utime(tmp_path / "a/b/c.txt", ns=(0, 1_234_567_890_123_456_789))
    os.utime(tmp_path / "a/b", ns=(0, -100))
    (tmp_path / "link").symlink_to("a/b/c.txt")
    tree = scan(os.fsencode(tmp_path), (), (), Confinement((os.fsencode(tmp_path),)))
    inner = tree.directories["a"].directories["b"]

    assert read(inner.content("c.txt")) == read(tree.content("link")) == b"a/b/c.txt"
    assert inner.mtime_ticks("c.txt") == 116_444_736_000_000_000 + 12_345_678_901_234_567
    assert tree.mtime_ticks("link") == inner.mtime_ticks("c.txt")
    assert inner.mtime_ticks("") == 116_444_736_000_000_000 - 1
    assert inner.path == os.fsencode(tmp_path / "a/b")


TREE = ["a.txt", "b.tmp", "docs/c.txt", "docs/d.tmp", "docs/deep/e.txt", "empty/", "src/f.c", "src/obj/f.o"]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ([], ["*.tmp", "src"], "a.txt docs/ docs/c.txt docs/deep/ docs/deep/e.txt empty/"),
        ([], ["docs", "src/"], "a.txt b.tmp empty/"),
        ([], ["docs/deep", "/a.txt", "obj"], "b.tmp docs/ docs/c.txt docs/d.tmp empty/ src/ src/f.c"),
        (["*.txt"], [], "a.txt docs/ docs/c.txt docs/deep/ docs/deep/e.txt"),
        (["*.txt"], ["deep"], "a.txt docs/ docs/c.txt"),
        (["docs/"], [], "docs/ docs/c.txt docs/d.tmp docs/deep/ docs/deep/e.txt"),
        (["docs/"], ["*.tmp"], "docs/ docs/c.txt docs/deep/ docs/deep/e.txt"),
        (["e*/"], [], "empty/"),
        (["docs/*.txt"], [], "docs/ docs/c.txt"),
        (["**/*.o", "b*"], [], "b.tmp src/ src/obj/ src/obj/f.o"),
        (["nothing"], [], ""),
    ],
)  # fmt: skip
def test_include_and_exclude(tmp_path: Path, include: list[str], exclude: list[str], expected: str) -> None:
    make(tmp_path, TREE)
    assert scanned(tmp_path, include, exclude) == expected.split()


def test_links_inside_are_followed(tmp_path: Path) -> None:
    make(tmp_path, ["data/a.txt", "data/sub/b.txt", "tree/"])
    (tmp_path / "tree/file").symlink_to("../data/a.txt")
    (tmp_path / "tree/twice").symlink_to("file")
    (tmp_path / "tree/folder").symlink_to(tmp_path / "data")

    fence = Confinement((os.fsencode(tmp_path),))
    tree = scan(os.fsencode(tmp_path / "tree"), (), (), fence)

    assert list(listed(tree)) == [
        "file",
        "twice",
        "folder/",
        "folder/a.txt",
        "folder/sub/",
        "folder/sub/b.txt",
    ]
    assert read(tree.content("twice")) == b"data/a.txt"
    assert read(tree.directories["folder"].directories["sub"].content("b.txt")) == b"data/sub/b.txt"
    assert list(listed(scan(os.fsencode(tmp_path / "tree"), (), ("folder/",), fence))) == ["file", "twice"]


def test_links_that_leave_are_refused(tmp_path: Path) -> None:
    make(tmp_path, ["secret/a.txt", "tree/in.txt"])
    (tmp_path / "tree/file").symlink_to("../secret/a.txt")
    (tmp_path / "tree/folder").symlink_to("../secret")
    (tmp_path / "tree/gone").symlink_to("../secret/no-such-file")
    remedy = "leaves the manifest's folder; allow it with --allow-outside DIR"

    assert problems(tmp_path / "tree") == [f"file {remedy}", f"folder {remedy}", f"gone {remedy}"]
    assert problems(tmp_path / "tree", tmp_path / "secret") == ["gone does not exist"]


def test_a_sibling_with_the_same_beginning_is_outside(tmp_path: Path) -> None:
    make(tmp_path, ["tree/", "tree-2/a"])
    (tmp_path / "tree/link").symlink_to("../tree-2/a")
    assert len(problems(tmp_path / "tree")) == 1


def test_loops_are_refused(tmp_path: Path) -> None:
    make(tmp_path, ["a/b/", "c/"])
    (tmp_path / "a/self").symlink_to(".")
    (tmp_path / "a/b/up").symlink_to("../..")
    (tmp_path / "a/over").symlink_to("../c")
    (tmp_path / "c/back").symlink_to("../a")
    (tmp_path / "circle").symlink_to("circle")

    found = problems(tmp_path)

    back = "leads back to"
    assert [message.split(", through")[0] for message in found] == [
        f"a/b/up {back} {tmp_path}",
        f"a/over {back} c",
        f"a/self {back} a",
        f"c/back {back} a",
        "circle is a symbolic link, or leads through too many of them",
    ]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    make(tmp_path, ["good", "sub/good"])
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sub/sock"))
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\n"))).write_text("")

    assert problems(tmp_path) == [
        "bad\\xff\\n has a name that is not UTF-8",
        "dangling does not exist",
        "fifo is not a regular file",
        "sub/sock is not a regular file",
    ]


def test_many_problems_are_counted_in_the_end(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"link{number:02}").symlink_to("nowhere")
    found = problems(tmp_path)
    assert len(found) == 51 and found[-1] == "… and 10 problems more"


def test_what_is_left_out_cannot_be_wrong(tmp_path: Path) -> None:
    make(tmp_path, ["good.txt"])
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert scanned(tmp_path, [], ["fifo", "dang*"]) == scanned(tmp_path, ["*.txt"]) == ["good.txt"]


def test_links_to_directories_outside_can_be_left_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    make(outside, ["a", "b/c"])
    make(root, ["kept", "sub/kept"])
    (root / "dirout").symlink_to(outside)
    (root / "sub/dirout").symlink_to(outside / "b")
    (root / "loop").symlink_to(root)

    assert scanned(root, exclude=["dirout/", "loop/"]) == ["kept", "sub/", "sub/kept"]
    assert scanned(root, exclude=["/dirout/", "sub/*/", "lo*"]) == ["kept", "sub/", "sub/kept"]
    assert scanned(root, include=["kept"]) == ["kept", "sub/", "sub/kept"]
    for include, exclude in (([], ["/dirout/", "loop/"]), (["dirout/"], ["/dirout/"])):
        with pytest.raises(SourceError, match=r"/sub/dirout leaves the manifest's folder[^\n]*$"):
            scanned(root, include, exclude)
    (root / "fileout").symlink_to(outside / "a")
    with pytest.raises(SourceError, match=r"/fileout leaves the manifest's folder[^\n]*$"):
        scanned(root, exclude=["dirout/", "loop/", "fileout/"])


def test_the_root_itself(tmp_path: Path) -> None:
    make(tmp_path, ["tree/a", "file"])
    (tmp_path / "link").symlink_to("tree")
    fence = Confinement((os.fsencode(tmp_path),))
    assert scan(os.fsencode(tmp_path / "link"), (), (), fence).path == os.fsencode(tmp_path / "tree")
    for path, message in {"none": "does not exist", "..": "leaves the manifest's folder"}.items():
        with pytest.raises(ManifestError, match=message):
            scan(os.fsencode(tmp_path / path), (), (), fence)
    with pytest.raises(ManifestError, match="does not exist: a part of its path is not a directory"):
        scan(os.fsencode(tmp_path / "file"), (), (), fence)


def test_many_files_cost_little(tmp_path: Path) -> None:
    for directory in range(20):
        (tmp_path / str(directory)).mkdir()
        for number in range(1000):
            os.close(os.open(tmp_path / f"{directory}/file{number:05}.txt", os.O_CREAT))
    fence = Confinement((os.fsencode(tmp_path),))
    scan(os.fsencode(tmp_path), (), (), fence)

    tracemalloc.start()
    tree = scan(os.fsencode(tmp_path), (), (), fence)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    begin = time.process_time()
    scan(os.fsencode(tmp_path), (), (), fence)
    seconds = time.process_time() - begin

    assert sum(len(child.names) for child in tree.directories.values()) == 20_000
    assert used < 20_000 * 100
    assert seconds < 0.25  # Five times what a hundred thousand files may take.


def test_sixteen_thousand_directories_inside_each_other(tmp_path: Path) -> None:
    """Deeper than Python recurses and with paths longer than the kernel takes, in few descriptors."""
    depth = 16_000
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    with os.fdopen(os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=fd), "wb") as file:
        file.write(b"found")
    os.close(fd)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        begin = time.process_time()
        tree = scan(os.fsencode(tmp_path), (), (), Confinement((os.fsencode(tmp_path),)))
        seconds = time.process_time() - begin
        for _ in range(depth):
            tree = tree.directories["d"]
        assert tree.names == ["bottom"]
        assert read(tree.content("bottom")) == b"found"
        assert tree.mtime_ticks("bottom") > tree.mtime_ticks("") - 10**9
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.system(f"rm -rf '{tmp_path}/d'")
    assert seconds < 10


KEEPING: tuple[LinksRule, ...] = ("ntfs", "wsl")
NOT_WSL: tuple[LinksRule, ...] = ("ntfs", "error", "follow")


def kept(root: Path, links: LinksRule, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> HostTree:
    """What a scan finds that does not follow links."""
    return scan(os.fsencode(root), tuple(include), tuple(exclude), Confinement((os.fsencode(root),)), links)


def make_links(root: Path) -> None:
    make(root, ["a", "d/in", "d/deep/", "skipped/"])
    targets = {"file": "a", "dir": "d", "chain": "dir", "through": "chain/deep/..", "self": "self"}
    targets |= {
        "out": "..",
        "gone": "nowhere",
        "d/up": "..",
        "absolute": str(root / "d"),
        "to skipped": "skipped",
    }
    for name, target in targets.items():
        (root / name).symlink_to(target)


def test_links_that_are_kept_lead_anywhere(tmp_path: Path) -> None:
    make_links(tmp_path)
    tree = kept(tmp_path, "ntfs", exclude=["skipped/"])
    assert {name: (link.kind, link.target.decode(), link.directory) for name, link in tree.links.items()} == {
        "absolute": ("symlink", str(tmp_path / "d"), True),
        "chain": ("symlink", "dir", True),
        "dir": ("symlink", "d", True),
        "file": ("symlink", "a", False),
        "gone": ("symlink", "nowhere", False),
        "out": ("symlink", "..", False),
        "self": ("symlink", "self", False),
        "through": ("symlink", "chain/deep/..", True),
        "to skipped": ("symlink", "skipped", True),
    }
    assert tree.names == sorted(["a", *tree.links])
    assert tree.directories["d"].links == {"up": SourceLink("symlink", b"..", True)}
    assert not any(link.directory for link in kept(tmp_path, "wsl").links.values())


def test_patterns_judge_the_name_of_a_kept_link(tmp_path: Path) -> None:
    make_links(tmp_path)
    names = {"absolute", "chain", "file", "gone", "out", "self", "through", "to skipped"}
    assert set(kept(tmp_path, "wsl", exclude=["/dir", "up"]).links) == names
    assert "dir" in kept(tmp_path, "wsl", exclude=["dir/"]).links, "a link is no directory"
    only = kept(tmp_path, "ntfs", include=["u*"])
    assert (only.names, list(only.directories), list(only.directories["d"].links)) == ([], ["d"], ["up"])
    assert not kept(tmp_path, "ntfs", include=["a"]).links


def test_links_can_be_refused(tmp_path: Path) -> None:
    make_links(tmp_path)
    with pytest.raises(SourceError) as caught:
        kept(tmp_path, "error", exclude=["[a-fs]*", "to skipped"])
    expected = [f"{tmp_path}/{name} is a symbolic link" for name in ("gone", "out", "through")]
    assert caught.value.messages == expected
    with pytest.raises(SourceError, match=r"/d/up is a symbolic link$"):
        kept(tmp_path, "error", include=["up"])
    assert kept(tmp_path, "error", include=["a"]).names == ["a"]


def test_a_target_that_is_not_utf_8_is_kept_as_bytes(tmp_path: Path) -> None:
    os.symlink(b"bad\xff", os.fsencode(tmp_path / "bad"))
    for links in KEEPING:
        assert kept(tmp_path, links).links == {"bad": SourceLink("symlink", b"bad\xff")}


def test_special_files_are_kept_for_wsl_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
    tree = kept(tmp_path, "wsl")
    assert tree.links == {"fifo": SourceLink("fifo"), "sock": SourceLink("socket")}
    assert tree.unix_metadata("fifo").mode == stat.S_IFIFO | 0o600
    for links in NOT_WSL:
        with pytest.raises(SourceError) as caught:
            kept(tmp_path, links)
        assert caught.value.messages == [
            f"{tmp_path}/{name} is not a regular file" for name in ("fifo", "sock")
        ]
        assert kept(tmp_path, links, exclude=["*"]).names == []


def test_devices_have_numbers(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(tmp_path / "disk", stat.S_IFBLK | 0o660, os.makedev(8, 17))
    except PermissionError:
        pytest.skip("only root makes devices")
    tree = kept(tmp_path, "wsl")
    assert {name: link.kind for name, link in tree.links.items()} == {"disk": "block", "null": "char"}
    assert (tree.unix_metadata("null").dev, tree.unix_metadata("disk").dev) == ((1, 3), (8, 17))


def test_owner_group_and_mode(tmp_path: Path) -> None:
    make(tmp_path, ["a", "d/b"])
    os.chmod(tmp_path / "a", 0o4751)
    os.chmod(tmp_path / "d", 0o1770)
    (tmp_path / "link").symlink_to("a")
    owner, group = os.getuid(), os.lstat(tmp_path / "a").st_gid
    followed, link = kept(tmp_path, "follow"), kept(tmp_path, "wsl")
    expected = UnixMetadata(owner, group, stat.S_IFREG | 0o4751)
    assert followed.unix_metadata("a") == followed.unix_metadata("link") == expected
    assert followed.directories["d"].unix_metadata("").mode == stat.S_IFDIR | 0o1770
    assert link.unix_metadata("link").mode == stat.S_IFLNK | 0o777


def test_a_link_deeper_than_the_kernel_takes_paths(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=fd)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.symlink("target", "link", dir_fd=fd)
    os.close(fd)
    try:
        for links in KEEPING:
            tree = kept(tmp_path, links)
            for _ in range(30):
                tree = tree.directories["d" * 200]
            assert tree.links == {"link": SourceLink("symlink", b"target")}
    finally:
        os.system(f"rm -rf '{tmp_path}/'d*")
