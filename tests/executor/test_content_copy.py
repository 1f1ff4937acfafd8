"""Content on its way into clusters: all of it or an error, whatever the host does meanwhile."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ntfsbuild.content.host_directories import OpenDirectories
from ntfsbuild.content.model import Content, Fill, HostFile, Inline, Segment, Segments
from ntfsbuild.content.read import read
from ntfsbuild.errors import HostError, ManifestError
from ntfsbuild.executor import content_copy
from ntfsbuild.executor.content_copy import (
    OpenedFile,
    SmallFiles,
    can_be_copied,
    fill_from_pieces,
    refuse_own_image,
)
from ntfsbuild.executor.progress import Progress, ProgressCounter
from ntfsbuild.volume.write.extent import Extent
from tests.volume.write.memory import CLUSTER, MemoryStorage

ROOM = 64


class Volume:
    """An extent in two runs, the second before the first, on storage full of old bytes."""

    def __init__(self, size_bytes: int) -> None:
        self.storage = MemoryStorage(ROOM * CLUSTER)
        half = max(1, size_bytes // CLUSTER // 2)
        self.extent = Extent(self.storage, [(ROOM // 2, half), (1, ROOM // 2 - 2)], size_bytes, CLUSTER)
        self.half = half * CLUSTER
        self.seen: list[Progress] = []
        self.progress = ProgressCounter(self.seen.append, 1)

    def content(self) -> bytes:
        at = ROOM // 2 * CLUSTER
        first = self.storage.data[at : at + min(self.half, self.extent.size_bytes)]
        return bytes(first + self.storage.data[CLUSTER:][: self.extent.size_bytes - len(first)])


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> Path:
    return tmp_path / "host.bin"


def host_file(path: Path, size: int | None = None, sha256: bytes | None = None) -> HostFile:
    return HostFile(os.fsencode(path), size, sha256)


# ---- piece by piece


@pytest.mark.parametrize(
    "content",
    [
        Inline(b""),
        Inline(b"x" * 5000),
        Fill(70_000, 3),
        Fill(70_000, None),
        Segments(70_000, (Segment(5, Inline(b"five")), Segment(40_000, Fill(20_000, 1)))),
        Segments(9000, ()),
    ],
    ids=lambda content: type(content).__name__,
)
def test_pieces_and_the_zeros_between_them(content: Content) -> None:
    """Nothing of what lay there before shows in the content."""
    data = read(content)
    volume = Volume(len(data))
    fill_from_pieces(volume.extent, content, volume.progress)
    assert volume.content() == data


# ---- files of the host


def opened(content: HostFile) -> Iterator[OpenedFile]:
    one = OpenedFile(content)
    try:
        yield one
    finally:
        one.close()


@pytest.mark.parametrize("size", [1, CLUSTER, 70_001])
def test_a_file_is_copied_with_its_holes(host: Path, size: int) -> None:
    data = bytearray(os.urandom(size))
    with host.open("wb") as file:
        file.write(data[: size // 3])
        file.seek(size - 1)
        file.write(data[-1:])
    wanted = bytes(data[: size // 3]).ljust(size - 1, b"\0") + bytes(data[-1:])
    volume = Volume(size)
    for one in opened(host_file(host, size)):
        assert one.size_bytes == size
        one.fill(volume.extent, volume.progress)
    assert volume.content() == wanted


def test_progress_is_told_in_between(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_copy, "_TELL_EVERY_BYTES", 10_000)
    host.write_bytes(b"d" * 45_000)
    volume = Volume(45_000)
    for one in opened(host_file(host)):
        one.fill(volume.extent, volume.progress)
    assert [seen.data_bytes for seen in volume.seen] == [10_000, 20_000, 30_000, 40_000, 45_000]
    assert volume.content() == b"d" * 45_000


def test_a_file_of_another_size_is_refused(host: Path) -> None:
    host.write_bytes(b"four")
    with pytest.raises(ManifestError, match=r"host\.bin"):
        OpenedFile(host_file(host, 5))


@pytest.mark.parametrize("becomes", [3000, 9000])
def test_a_file_that_changes_meanwhile_is_refused(host: Path, becomes: int) -> None:
    host.write_bytes(b"c" * 6000)
    volume = Volume(6000)
    for one in opened(host_file(host)):
        os.truncate(host, becomes)
        with pytest.raises(ManifestError, match=rf"host\.bin .*{becomes}"):
            one.fill(volume.extent, volume.progress)


def test_what_may_be_copied(host: Path) -> None:
    assert can_be_copied(host_file(host))
    assert not can_be_copied(host_file(host, 1, b"d" * 32)), "its digest is needed"
    assert not can_be_copied(Inline(b"x"))


def test_an_image_is_not_its_own_source(host: Path) -> None:
    refuse_own_image(host_file(host), None)
    refuse_own_image(Inline(b""), os.fsencode(host))
    with pytest.raises(ManifestError, match="is the image itself"):
        refuse_own_image(host_file(host), os.fsencode(host))


# ---- small files, read whole


@pytest.fixture(name="small")
def _small() -> Iterator[SmallFiles]:
    directories = OpenDirectories()
    yield SmallFiles(directories, b"/the/image")
    directories.close()


def landed(small: SmallFiles, content: HostFile, room: int = 100) -> bytes:
    landing = bytearray(room)
    size = small.read(content, memoryview(landing))
    return bytes(landing[:size])


@pytest.mark.parametrize("size", [0, 1, 99, 100, 150])
def test_a_small_file_is_read_as_far_as_there_is_room(small: SmallFiles, host: Path, size: int) -> None:
    host.write_bytes(b"s" * size)
    assert landed(small, host_file(host)) == b"s" * min(size, 100)


def test_a_small_file_is_what_was_planned(small: SmallFiles, host: Path) -> None:
    host.write_bytes(b"same")
    digest = hashlib.sha256(b"same").digest()
    assert landed(small, host_file(host, 4, digest)) == b"same"
    with pytest.raises(ManifestError, match=r"host\.bin"):
        landed(small, host_file(host, 5))
    with pytest.raises(ManifestError, match=r"host\.bin"):
        landed(small, host_file(host, 4, hashlib.sha256(b"other").digest()))


def test_a_file_system_may_give_less_than_was_asked_for(
    small: SmallFiles, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.write_bytes(bytes(range(90)))
    readv = os.readv
    monkeypatch.setattr(os, "readv", lambda fd, buffers: readv(fd, [buffers[0][:7]]))
    assert landed(small, host_file(host)) == bytes(range(90))


def test_what_is_no_small_file(small: SmallFiles, host: Path) -> None:
    with pytest.raises((ManifestError, HostError), match=r"host\.bin"):
        landed(small, host_file(host))
    os.mkfifo(host)
    with pytest.raises((ManifestError, HostError), match=r"host\.bin"):
        landed(small, host_file(host))
    with pytest.raises(ManifestError, match="is the image itself"):
        landed(small, HostFile(b"/the/image", None, None))
