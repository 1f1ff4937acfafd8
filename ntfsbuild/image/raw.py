"""A raw image: a sparse file of bytes, written at offsets."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Protocol

from ntfsbuild.errors import HostError, VolumeError

_CHUNK_BYTES = 1 << 20
_COPY_BYTES = 1 << 16
_KERNEL_COPIES_NOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)


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
    """A new image, sparse: regions that nobody writes take no room and read as zeros.

    It is written to an open, empty file, which stays its opener's to close.
    """

    def __init__(self, descriptor: int, shown: str) -> None:
        self._descriptor = descriptor
        self._shown = shown  # Its name in messages.
        self._kernel_copies = hasattr(os, "copy_file_range")

    def _refused(self, error: OSError) -> HostError:
        reason = error.strerror or str(error)
        if error.errno == errno.EFBIG:
            reason += ": the host's file system holds no file of that size"
        return HostError(f"{self._shown}: {reason}")

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""
        try:
            written = os.pwrite(self._descriptor, data, offset)
            if written < len(data):
                view = memoryview(data)
                while written < len(view):
                    written += os.pwrite(self._descriptor, view[written:], offset + written)
        except OSError as error:
            raise self._refused(error) from error

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
                if error.errno not in _KERNEL_COPIES_NOT:
                    raise self._refused(error) from error
                self._kernel_copies = False
        try:
            data = os.pread(descriptor, min(size_bytes, _CHUNK_BYTES), source_offset)
        except OSError as error:
            raise self._refused(error) from error
        self.write(offset, data)
        return len(data)

    def set_size(self, size_bytes: int) -> None:
        """Give the image its final size."""
        try:
            os.ftruncate(self._descriptor, size_bytes)
        except OSError as error:
            raise self._refused(error) from error


class PrefilledImage(RawImage):
    """An image whose every byte held `fill` before: shows what a writer forgot to write.

    Used by tests; the file grows as it is written, and grows filled.
    """

    def __init__(self, descriptor: int, shown: str, fill: int) -> None:
        super().__init__(descriptor, shown)
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


class ImageReader:
    """An existing image, or what lies behind `offset` in it, open for reading.

    Raises HostError where the host refuses, VolumeError for what is neither a file nor a block device.
    """

    def __init__(self, path: str | os.PathLike[str], offset: int = 0) -> None:
        self._shown = os.fspath(path)
        try:
            # A FIFO must not make us wait.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            raise self._refused(error) from None
        kind = stat.S_IFMT(os.fstat(self._descriptor).st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFBLK):
            self.close()
            if kind == stat.S_IFDIR:
                raise HostError(f"{self._shown}: {os.strerror(errno.EISDIR)}")
            raise VolumeError("not an NTFS volume: neither a file nor a block device")
        self._offset = offset
        # Also right for block devices, whose stat has no size.
        self.size_bytes = max(0, os.lseek(self._descriptor, 0, os.SEEK_END) - offset)

    def _refused(self, error: OSError | ValueError) -> HostError:
        return HostError(f"{self._shown}: {getattr(error, 'strerror', None) or error}")

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""
        size_bytes = min(size_bytes, self.size_bytes - offset)
        parts = []
        offset += self._offset
        while size_bytes > 0:
            try:
                part = os.pread(self._descriptor, size_bytes, offset)
            except OSError as error:
                raise self._refused(error) from error
            if not part:
                break
            parts.append(part)
            offset, size_bytes = offset + len(part), size_bytes - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
