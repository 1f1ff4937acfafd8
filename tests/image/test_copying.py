"""Copies of images: the same bytes, no more room, whatever the host can and cannot do."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild.errors import HostError
from ntfsbuild.image import syscalls
from ntfsbuild.image.copying import copy_image
from ntfsbuild.image.open_file import OpenFile
from tests.image.faults import count_calls, failing

MIB = 1 << 20
SIZE = 12 * MIB + 777


def _refusing(number: int) -> Callable[..., int]:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.fixture(params=["as the host can", "extents", "reads of extents", "blocks"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to copy; what is better is said to be impossible."""
    if request.param != "as the host can":
        monkeypatch.setattr(syscalls, "clone", _refusing(errno.EOPNOTSUPP))
    if request.param == "reads of extents":
        monkeypatch.setattr(syscalls, "copy_file_range", _refusing(errno.EXDEV))
    if request.param == "blocks":
        real = os.lseek

        def seek(descriptor: int, offset: int, how: int) -> int:
            if how in (os.SEEK_DATA, os.SEEK_HOLE):
                raise OSError(errno.EINVAL, "Invalid argument")
            return real(descriptor, offset, how)

        monkeypatch.setattr(os, "lseek", seek)
    return str(request.param)


def copy(source: Path, target: Path) -> None:
    one, two = os.open(source, os.O_RDONLY), os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        copy_image(OpenFile(one, str(source)), OpenFile(two, str(target)))
    finally:
        os.close(one)
        os.close(two)


def sparse(path: Path, size_bytes: int, places: list[int]) -> None:
    chance = random.Random(5)
    with path.open("wb") as file:
        for place in places:
            file.seek(place)
            file.write(chance.randbytes(70_000))
        file.truncate(size_bytes)


@pytest.mark.parametrize(
    "places",
    [[], [0], [0, 65_000, 3 * MIB + 5, 9 * MIB], [SIZE - 70_000], list(range(0, SIZE - 70_000, 70_000))],
    ids=["empty", "begin", "scattered", "end", "full"],
)
def test_a_copy_is_the_same_and_as_sparse(way: str, places: list[int], tmp_path: Path) -> None:
    assert way
    sparse(tmp_path / "source.img", SIZE, places)
    copy(tmp_path / "source.img", tmp_path / "copy.img")

    assert (tmp_path / "copy.img").read_bytes() == (tmp_path / "source.img").read_bytes()
    room = (tmp_path / "source.img").stat().st_blocks
    assert (tmp_path / "copy.img").stat().st_blocks <= room + len(places) * 2 * 65_536 // 512


def test_an_empty_file(way: str, tmp_path: Path) -> None:
    assert way
    (tmp_path / "source.img").touch()
    copy(tmp_path / "source.img", tmp_path / "copy.img")
    assert (tmp_path / "copy.img").stat().st_size == 0


def test_a_terabyte_of_nothing_takes_no_time(tmp_path: Path) -> None:
    sparse(tmp_path / "source.img", 1 << 40, [0, 1 << 39])
    copy(tmp_path / "source.img", tmp_path / "copy.img")
    assert (tmp_path / "copy.img").stat().st_size == 1 << 40
    assert (tmp_path / "copy.img").stat().st_blocks < 1000


def test_a_source_that_becomes_shorter(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "as the host can":  # To share blocks is one step.
        monkeypatch.setattr(syscalls, "clone", _refusing(errno.EOPNOTSUPP))
    source = tmp_path / "source.img"
    sparse(source, SIZE, list(range(0, SIZE - 70_000, 70_000)))
    real = OpenFile.set_size

    def meanwhile(self: OpenFile, size_bytes: int) -> None:
        real(self, size_bytes)
        os.truncate(source, MIB)

    monkeypatch.setattr(OpenFile, "set_size", meanwhile)
    with pytest.raises(HostError, match=r"source\.img: changed its size while it was copied"):
        copy(source, tmp_path / "copy.img")


def test_where_blocks_can_be_shared_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clone(source: int, target: int) -> None:
        os.pwrite(target, os.pread(source, SIZE, 0), 0)

    monkeypatch.setattr(syscalls, "clone", clone)
    sparse(tmp_path / "source.img", SIZE, [0, 3 * MIB + 5])
    assert count_calls(lambda: copy(tmp_path / "source.img", tmp_path / "copy.img")) == 1
    assert (tmp_path / "copy.img").read_bytes() == (tmp_path / "source.img").read_bytes()


def test_every_failure_is_told(tmp_path: Path, way: str) -> None:
    assert way
    source, target = tmp_path / "source.img", tmp_path / "copy.img"
    sparse(source, SIZE, [0, 3 * MIB + 5, 9 * MIB])
    calls = count_calls(lambda: copy(source, target))
    for at in range(calls):
        with pytest.raises(HostError, match=r"copy\.img: No space left"), failing(at, "enospc"):
            copy(source, target)
