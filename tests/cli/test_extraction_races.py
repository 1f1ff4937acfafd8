"""Another process swaps what extract has made for a link: nothing outside gets a mode or a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ntfsbuild.builder.extraction import Item, Stream
from ntfsbuild.builder.host_sink import HostSink
from ntfsbuild.errors import HostError
from ntfsbuild.image.folders import new_folder
from ntfsbuild.ondisk.file_attributes import FileAttributes

TICKS = (130_000_000_000_000_000,) * 4
READONLY = int(FileAttributes.READONLY)


class Outside:
    """A file and a directory that are nobody's business, beside the folder that is filled."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "out"
        self.root.mkdir()
        self.file, self.directory = folder / "victim.txt", folder / "victims"
        self.file.write_text("secret")
        self.directory.mkdir()
        (self.directory / "a.txt").write_text("inside")
        for path in (self.file, self.directory, self.directory / "a.txt"):
            path.chmod(0o700 if path.is_dir() else 0o600)
            os.utime(path, (1, 1))
        self.before = self.state()

    def state(self) -> list[tuple[int, int, int, int]]:
        found = [path.stat() for path in (self.file, self.directory, self.directory / "a.txt")]
        return [(one.st_mode, one.st_mtime_ns, one.st_uid, one.st_nlink) for one in found]


@pytest.fixture(name="outside")
def _outside(tmp_path: Path) -> Iterator[Outside]:
    outside = Outside(tmp_path)
    yield outside
    assert outside.state() == outside.before


def swapping(act: Callable[[], None]) -> Stream:
    """A content, in the middle of whose writing somebody does something."""

    def read(at: int, size_bytes: int) -> bytes:
        if at == 0:
            act()
        return b"x" * size_bytes

    return _stream(read)


def _stream(read: Callable[[int, int], bytes]) -> Stream:
    return Stream("", 10, [(0, 10)], read)


def item(path: str, kind: str = "file", main: Stream | None = None, target: str = "") -> Item:
    return Item(path, kind, TICKS, READONLY, main, (), target, is_linked=True)  # type: ignore[arg-type]


def put(root: Path, *items: Item) -> list[tuple[str, str]]:
    notes: list[tuple[str, str]] = []
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with HostSink(descriptor, lambda *note: notes.append(note)) as sink:
            for one in items:
                sink.put(one)
            sink.finish()
    finally:
        os.close(descriptor)
    return notes


@pytest.mark.parametrize("how", [os.symlink, os.link])
def test_a_file_that_becomes_a_link(outside: Outside, how: Callable[[Path, Path], None]) -> None:
    name = outside.root / "a.txt"

    def swap() -> None:
        name.rename(outside.root / "mine")
        how(outside.file, name)

    put(outside.root, item("/a.txt", main=swapping(swap)))
    mine = (outside.root / "mine").stat()
    assert mine.st_mode & 0o777 == 0o444, "what was made has its mode, wherever it is now"
    assert mine.st_mtime_ns > 10**9
    name.unlink()


def test_a_directory_that_becomes_a_link(outside: Outside) -> None:
    def swap() -> None:
        (outside.root / "d").rename(outside.root / "mine")
        (outside.root / "d").symlink_to(outside.directory)

    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        put(outside.root, item("/d", "directory"), item("/b.txt", main=swapping(swap)))


def test_a_directory_that_becomes_another_one(outside: Outside) -> None:
    def swap() -> None:
        (outside.root / "d").rename(outside.root / "mine")
        outside.directory.rename(outside.root / "d")

    with pytest.raises(HostError, match="/d: another process has put something else in its place"):
        put(outside.root, item("/d", "directory"), item("/b.txt", main=swapping(swap)))
    (outside.root / "d").rename(outside.directory)


def test_a_hard_link_to_what_was_swapped(outside: Outside) -> None:
    def swap() -> None:
        (outside.root / "a.txt").unlink()
        os.link(outside.file, outside.root / "a.txt")

    with pytest.raises(HostError, match=r"/a\.txt: another process has put something else in its place"):
        put(
            outside.root,
            item("/a.txt", main=_stream(lambda at, size: b"y" * size)),
            item("/b.txt", main=swapping(swap)),
            item("/c.txt", "hardlink", target="/a.txt"),
        )
    assert sorted(path.name for path in outside.root.iterdir()) == ["a.txt", "b.txt"]
    (outside.root / "a.txt").unlink()


def test_a_hard_link_through_a_directory_that_was_swapped(outside: Outside) -> None:
    def swap() -> None:
        (outside.root / "d").rename(outside.root / "mine")
        (outside.root / "d").symlink_to(outside.directory)

    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        put(
            outside.root,
            item("/d", "directory"),
            item("/d/a.txt", main=_stream(lambda at, size: b"y" * size)),
            item("/b.txt", main=swapping(swap)),
            item("/c.txt", "hardlink", target="/d/a.txt"),
        )


def test_a_symbolic_link_that_becomes_a_file(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.symlink

    def planted(target: bytes, name: bytes, *, dir_fd: int) -> None:
        os.link(outside.file, name, dst_dir_fd=dir_fd)

    monkeypatch.setattr(os, "symlink", planted)
    put(outside.root, item("/link", "symlink", target="elsewhere"))
    monkeypatch.setattr(os, "symlink", real)
    (outside.root / "link").unlink()


def test_a_symbolic_link_has_its_times_and_not_its_target(outside: Outside) -> None:
    put(outside.root, item("/link", "symlink", target=str(outside.file)))
    link = outside.root / "link"
    assert link.is_symlink()
    assert link.lstat().st_mtime_ns > 10**9


def test_the_folder_itself_that_becomes_a_link(outside: Outside) -> None:
    with new_folder(outside.root / "new") as passing:
        Path(passing).rename(outside.root / "mine")
        Path(passing).symlink_to(outside.directory)
    assert (outside.root / "mine").stat().st_mode & 0o777 == 0o755
