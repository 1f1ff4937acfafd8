"""A raw image: a sparse file of bytes, written at offsets."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import Protocol, Self

_CHUNK_BYTES = 1 << 20
_COPY_BYTES = 1 << 16


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


class RawImage:
    """A new image file, sparse: regions that nobody writes take no room and read as zeros.

    The file is emptied if it is there, and locked: BlockingIOError tells that somebody else writes it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._descriptor).st_size:
                # Not otherwise: ext4 takes it for the replacing of a file, and writes all out on close.
                os.ftruncate(self._descriptor, 0)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._kernel_copies = hasattr(os, "copy_file_range")

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""
        written = os.pwrite(self._descriptor, data, offset)
        if written < len(data):
            view = memoryview(data)
            while written < len(view):
                written += os.pwrite(self._descriptor, view[written:], offset + written)

    def zero(self, offset: int, size_bytes: int) -> None:
        """Nothing to do: a new file reads as zeros, and no region is written twice."""

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""
        return os.pread(self._descriptor, size_bytes, offset)

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy from an open file of the host, by the kernel where it can; returns how many bytes came."""
        copied = 0
        while copied < size_bytes:
            # The kernel copies 64 KiB at a time: a third faster where these are whole in the image.
            step = -(offset + copied) % _COPY_BYTES or size_bytes
            step = min(step, size_bytes - copied)
            count = self._copy_some(descriptor, source_offset + copied, offset + copied, step)
            if count == 0:
                break
            copied += count
        return copied

    def _copy_some(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        if self._kernel_copies:
            try:
                return os.copy_file_range(descriptor, self._descriptor, size_bytes, source_offset, offset)
            except OSError as error:
                if error.errno not in (
                    errno.EXDEV,
                    errno.EINVAL,
                    errno.ENOSYS,
                    errno.EOPNOTSUPP,
                    errno.EPERM,
                ):
                    raise
                self._kernel_copies = False
        data = os.pread(descriptor, min(size_bytes, _CHUNK_BYTES), source_offset)
        self.write(offset, data)
        return len(data)

    def set_size(self, size_bytes: int) -> None:
        """Give the image its final size."""
        os.ftruncate(self._descriptor, size_bytes)

    def sync(self) -> None:
        """Bring everything to the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PrefilledImage(RawImage):
    """An image whose every byte held `fill` before: shows what a writer forgot to write.

    Used by tests; the file grows as it is written, and grows filled.
    """

    def __init__(self, path: str | os.PathLike[str], fill: int) -> None:
        super().__init__(path)
        self._filling = bytes([fill]) * _CHUNK_BYTES
        self._end = 0

    def _grow(self, end: int) -> None:
        while self._end < end:
            count = min(end - self._end, _CHUNK_BYTES)
            super().write(self._end, self._filling[:count])
            self._end += count

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""
        self._grow(offset + len(data))
        super().write(offset, data)

    def zero(self, offset: int, size_bytes: int) -> None:
        """Write zeros."""
        zeros = bytes(_CHUNK_BYTES)
        for at in range(0, size_bytes, _CHUNK_BYTES):
            self.write(offset + at, zeros[: min(_CHUNK_BYTES, size_bytes - at)])

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy from an open file of the host; returns how many bytes there were."""
        self._grow(offset + size_bytes)
        return super().copy_from(descriptor, source_offset, offset, size_bytes)

    def set_size(self, size_bytes: int) -> None:
        """Give the image its final size."""
        self._grow(size_bytes)
        super().set_size(size_bytes)


class BoundedStorage:
    """Storage with an end: what lies behind it is dropped.

    So a volume that turns out too small is still laid out to its end, and can say by how much.
    """

    def __init__(self, storage: Storage, limit_bytes: int) -> None:
        self._storage = storage
        self._limit_bytes = limit_bytes

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`, if it lies inside."""
        if offset + len(data) <= self._limit_bytes:
            self._storage.write(offset, data)

    def zero(self, offset: int, size_bytes: int) -> None:
        """Make a region read as zeros, if it lies inside."""
        if offset + size_bytes <= self._limit_bytes:
            self._storage.zero(offset, size_bytes)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""
        return self._storage.read(offset, size_bytes)

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy from an open file of the host, or only say so where it does not fit."""
        if offset + size_bytes <= self._limit_bytes:
            return self._storage.copy_from(descriptor, source_offset, offset, size_bytes)
        return size_bytes

    def set_size(self, size_bytes: int) -> None:
        """Give the image its final size."""
        self._storage.set_size(size_bytes)


class ImageReader:
    """An existing image, or what lies behind `offset` in it, open for reading."""

    def __init__(self, path: str | os.PathLike[str], offset: int = 0) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._offset = offset
        # Also right for block devices, whose stat has no size.
        self.size_bytes = max(0, os.lseek(self._descriptor, 0, os.SEEK_END) - offset)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""
        parts = []
        offset += self._offset
        while size_bytes > 0:
            part = os.pread(self._descriptor, size_bytes, offset)
            if not part:
                break
            parts.append(part)
            offset, size_bytes = offset + len(part), size_bytes - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
