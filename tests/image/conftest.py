"""An image with something on it, and a change of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal import JournaledStorage
from ntfsbuild.image.journal_file import journal_beside
from ntfsbuild.image.raw import ChangeableStorage

IMAGE_BYTES = 200_704  # 49 blocks.
HOLE = range(131_072, 196_608)


def content() -> bytes:
    noise = bytearray(random.Random(7).randbytes(IMAGE_BYTES))
    noise[HOLE.start : HOLE.stop] = bytes(len(HOLE))
    return bytes(noise)


def put(path: Path, data: bytes) -> None:
    """Write a file, with its hole; what lay beside it is not touched."""
    with path.open("wb") as file:
        file.write(data[: HOLE.start])
        if any(data[HOLE.start : HOLE.stop]):
            file.write(data[HOLE.start : HOLE.stop])
        file.seek(HOLE.stop)
        file.write(data[HOLE.stop :])


def change(storage: ChangeableStorage) -> None:
    """Some of everything: whole blocks and parts, twice in one place, over a hole, to the last byte."""
    chance = random.Random(8)
    for offset, size_bytes in [
        (0, 600),
        (4096, 16_384),
        (5000, 10),
        (30_000, 20_000),
        (8192, 4096),
        (135_000, 12_000),
        (IMAGE_BYTES - 700, 700),
    ]:
        storage.write(offset, chance.randbytes(size_bytes))
    storage.zero(60_000, 9000)
    storage.write(4096, chance.randbytes(4096))


def changed(before: bytes) -> bytes:
    """What an image holds after `change`; found without what is tested."""
    after = bytearray(before)

    class Plain:
        def write(self, offset: int, data: bytes) -> None:
            after[offset : offset + len(data)] = data

        def zero(self, offset: int, size_bytes: int) -> None:
            after[offset : offset + size_bytes] = bytes(size_bytes)

    change(Plain())  # type: ignore[arg-type]
    return bytes(after)


def change_in_place(path: Path, times: int = 1) -> None:
    """Change an image and commit; so little fits into memory that one commit takes several batches."""
    with JournaledStorage(ImageFile.open(path, writable=True), staged_bytes_max=6 * 4096) as storage:
        for _ in range(times):
            change(storage)
            storage.commit()


def read_back(path: Path) -> bytes:
    """What somebody finds who opens the image to read it, and then who opens it to change it: the same.

    The first one writes nothing; the second one leaves no journal.
    """
    data = read_only(path)
    with ImageFile.open(path, writable=True) as image:
        assert image.read(0, image.size_bytes) == data == path.read_bytes()
    assert not Path(journal_beside(path)).exists()
    return data


def read_only(path: Path) -> bytes:
    """What somebody finds who opens the image to read it; nothing is written."""
    journal = Path(journal_beside(path))
    before = path.read_bytes(), journal.read_bytes() if journal.exists() else None
    with ImageFile.open(path) as image:
        data = image.read(0, image.size_bytes)
        assert b"".join(image.read(at, 1000) for at in range(0, image.size_bytes, 1000)) == data
    assert before == (path.read_bytes(), journal.read_bytes() if journal.exists() else None)
    return data


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    put(path, content())
    return path


Restore = Callable[[], None]


@pytest.fixture
def restore(image: Path) -> Restore:
    """Make all as it was."""

    def again() -> None:
        Path(journal_beside(image)).unlink(missing_ok=True)
        put(image, content())

    return again
