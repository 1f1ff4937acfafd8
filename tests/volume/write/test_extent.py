"""Clusters of one stream in several runs, filled in any way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ntfsbuild.volume.write.extent import Extent
from tests.volume.write.memory import CLUSTER, OLD_BYTE, MemoryStorage

SIZE = 2 * CLUSTER + 100


@pytest.fixture(name="storage")
def _storage() -> MemoryStorage:
    return MemoryStorage(16 * CLUSTER)


@pytest.fixture(name="extent")
def _extent(storage: MemoryStorage) -> Extent:
    return Extent(storage, [(9, 1), (2, 2)], SIZE, CLUSTER)


def whole(storage: MemoryStorage) -> bytes:
    return bytes(storage.data[9 * CLUSTER : 10 * CLUSTER] + storage.data[2 * CLUSTER : 4 * CLUSTER])


def test_data_lies_in_the_runs_in_their_order(storage: MemoryStorage, extent: Extent) -> None:
    data = bytes(range(251)) * (SIZE // 251 + 1)
    extent.write(0, data[:5000])
    extent.write(5000, data[5000:SIZE])
    extent.finish()
    assert whole(storage) == data[:SIZE].ljust(3 * CLUSTER, b"\0")
    assert storage.data[:CLUSTER] == bytes([OLD_BYTE]) * CLUSTER


def test_zeros_and_the_attribute(storage: MemoryStorage, extent: Extent) -> None:
    extent.zero(0, SIZE)
    assert whole(storage)[:SIZE] == bytes(SIZE)
    assert whole(storage)[SIZE:] == bytes([OLD_BYTE]) * (3 * CLUSTER - SIZE)
    made = extent.stream("s")
    assert (made.name, made.runs, made.data_bytes, made.initialized_bytes) == (
        "s",
        ((9, 1), (2, 2)),
        SIZE,
        SIZE,
    )


def test_nothing_is_written_behind_the_size(extent: Extent) -> None:
    with pytest.raises(AssertionError):
        extent.write(SIZE - 1, b"ab")


def test_a_host_file_that_is_too_short_is_noticed(
    storage: MemoryStorage, extent: Extent, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"z" * 5000)
    descriptor = os.open(tmp_path / "a", os.O_RDONLY)
    try:
        assert extent.copy_from(descriptor, 0, 4500) == 4500
        assert extent.copy_from(descriptor, 0, SIZE) == 5000
    finally:
        os.close(descriptor)
    assert whole(storage)[:5000] == b"z" * 5000
