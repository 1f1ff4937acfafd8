"""Writes in a row are one write of the storage behind."""

from __future__ import annotations

import pytest

from ntfsbuild.errors import ClosedVolume
from ntfsbuild.volume.write.write_buffer import WriteBuffer
from tests.volume.write.memory import OLD_BYTE, MemoryStorage


@pytest.fixture(name="storage")
def _storage() -> MemoryStorage:
    return MemoryStorage(1 << 20)


def test_what_follows_is_gathered(storage: MemoryStorage) -> None:
    buffer = WriteBuffer(storage)
    for at in range(0, 4096, 512):
        buffer.write(at, bytes([at // 512]) * 512)
    buffer.zero(4096, 100)
    assert storage.written == []
    buffer.flush()
    assert storage.written == [(0, 4196)]
    assert storage.data[3584:4097] == b"\x07" * 512 + b"\0"
    assert storage.data[4196] == OLD_BYTE


def test_what_lies_elsewhere_is_another_write(storage: MemoryStorage) -> None:
    buffer = WriteBuffer(storage)
    buffer.write(0, b"one")
    buffer.write(100, b"two")
    assert buffer.read(0, 3) + buffer.read(100, 3) == b"onetwo", "reading finds what was written"
    assert storage.written == [(0, 3), (100, 3)]


def test_long_writes_pass_through(storage: MemoryStorage) -> None:
    buffer = WriteBuffer(storage)
    buffer.write(0, b"a")
    buffer.write(1, bytes(100_000))
    assert storage.written == [(0, 1), (1, 100_000)]
    buffer.zero(200_000, 5000)
    assert storage.written[2:] == [(200_000, 5000)]


@pytest.mark.parametrize("begin", [0, 10, 4096])
def test_what_has_landed_is_written_with_its_padding(storage: MemoryStorage, begin: int) -> None:
    buffer = WriteBuffer(storage)
    buffer.write(begin, b"x" * 10)
    for offset in (begin + 10, 300_000):
        buffer.landing()[:3] = b"abc"
        buffer.take_landed(offset, 3, 8)
    buffer.commit()
    for offset in (begin + 10, 300_000):
        assert bytes(storage.data[offset : offset + 9]) == b"abc\0\0\0\0\0" + bytes([OLD_BYTE])
    assert storage.commits == 1


def test_a_landing_with_large_padding(storage: MemoryStorage) -> None:
    buffer = WriteBuffer(storage)
    buffer.landing()[:3] = b"abc"
    buffer.take_landed(0, 3, 65536)
    buffer.flush()
    assert bytes(storage.data[:65536]) == b"abc".ljust(65536, b"\0")
    assert storage.data[65536] == OLD_BYTE


def test_nothing_is_written_after_the_end(storage: MemoryStorage) -> None:
    buffer = WriteBuffer(storage)
    buffer.write(0, b"given up")
    buffer.close()
    assert storage.written == [] and storage.is_closed
    with pytest.raises(ClosedVolume):
        buffer.write(0, b"late")
