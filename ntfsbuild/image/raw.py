"""A raw image: a sparse file of bytes, written at offsets."""

from __future__ import annotations

from typing import Protocol

from ntfsbuild.image.open_file import CHUNK_BYTES, OpenFile


class Storage(Protocol):
    """Bytes at offsets; what was never written reads as zeros."""

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""

    def zero(self, offset: int, size_bytes: int) -> None:
        """Make a region read as zeros; free where nothing was ever written."""

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy from an open file of the host; returns how many bytes there were."""

    def set_size(self, size_bytes: int) -> None:
        """Give the image its final size."""


class ChangeableStorage(Storage, Protocol):
    """Storage that holds something, and is changed whole or not at all."""

    size_bytes: int  # It keeps its size.

    def declare_free(self, offset: int, size_bytes: int) -> None:
        """Say that a region was free at the last commit, so that its content may be lost."""

    def commit(self) -> None:
        """Make everything take effect that was changed since the last commit."""

    def close(self) -> None:
        """Give up what is not committed, and let go of the image."""


class RawImage(OpenFile):
    """A new sparse image: regions that are not written take no space and read as zeros.

    It is written to an open, empty file, which the caller must close.
    """

    def zero(self, offset: int, size_bytes: int) -> None:
        """Nothing to do: a new file reads as zeros, and no region is written twice."""


class PrefilledImage(OpenFile):
    """An image whose every byte held `fill` before: shows what a writer forgot to write.

    Used by tests; the file grows as it is written, and grows filled.
    """

    def __init__(self, descriptor: int, shown: str, fill: int) -> None:
        super().__init__(descriptor, shown)
        self._filling = bytes([fill]) * CHUNK_BYTES
        self._end = 0

    def _grow(self, end: int) -> None:
        while self._end < end:
            count = min(end - self._end, CHUNK_BYTES)
            super().write(self._end, self._filling[:count])
            self._end += count

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""
        self._grow(offset + len(data))
        super().write(offset, data)

    def zero(self, offset: int, size_bytes: int) -> None:
        """Write zeros."""
        zeros = bytes(CHUNK_BYTES)
        for at in range(0, size_bytes, CHUNK_BYTES):
            self.write(offset + at, zeros[: min(CHUNK_BYTES, size_bytes - at)])

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy from an open file of the host; returns how many bytes there were."""
        self._grow(offset + size_bytes)
        return super().copy_from(descriptor, source_offset, offset, size_bytes)

    def set_size(self, size_bytes: int) -> None:
        """Give the image its final size."""
        self._grow(size_bytes)
        super().set_size(size_bytes)


class BoundedStorage:
    """Storage for a new volume, perhaps with an end: what lies behind it is dropped.

    So a volume that turns out too small is still laid out to its end, and can say by how much.  A new
    volume has nothing to lose: there is nothing to commit.
    """

    def __init__(self, storage: Storage, limit_bytes: int | None) -> None:
        self._storage = storage
        self.size_bytes = 1 << 63 if limit_bytes is None else limit_bytes

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`, if it lies inside."""
        if offset + len(data) <= self.size_bytes:
            self._storage.write(offset, data)

    def zero(self, offset: int, size_bytes: int) -> None:
        """Make a region read as zeros, if it lies inside."""
        if offset + size_bytes <= self.size_bytes:
            self._storage.zero(offset, size_bytes)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""
        return self._storage.read(offset, size_bytes)

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy from an open file of the host, or only say so where it does not fit."""
        if offset + size_bytes <= self.size_bytes:
            return self._storage.copy_from(descriptor, source_offset, offset, size_bytes)
        return size_bytes

    def set_size(self, size_bytes: int) -> None:
        """Give the image its final size."""
        self._storage.set_size(size_bytes)

    def declare_free(self, offset: int, size_bytes: int) -> None:
        """Do nothing: everything is free."""

    def commit(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing: the file is its opener's."""


class NoStorage:
    """Takes everything and keeps nothing: for finding out whether something would work."""

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Drop the data."""

    def zero(self, offset: int, size_bytes: int) -> None:
        """Do nothing."""

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Zeros."""
        return bytes(size_bytes)

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy nothing, and say that all was copied."""
        return size_bytes

    def set_size(self, size_bytes: int) -> None:
        """Do nothing."""
