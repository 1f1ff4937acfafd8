"""A file of the host that is open: whole reads and writes, and one kind of error."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from ntfsbuild.errors import ClosedVolume, HostError
from ntfsbuild.image import syscalls

CHUNK_BYTES = 1 << 20
_COPY_BYTES = 1 << 16
_PUNCH_WORTH_BYTES = 1 << 13
_KERNEL_COPIES_NOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
_PUNCHES_NOT = (errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ENODEV)


class OpenFile:
    """Bytes at offsets of an open descriptor, which stays its opener's to close.

    Raises HostError, with the name that the user knows, where the host refuses.
    """

    def __init__(self, descriptor: int, shown: str) -> None:
        self._descriptor = descriptor
        self.shown = shown  # Its name in messages.
        self._kernel_copies = syscalls.copy_file_range is not None
        self._punches = True

    @property
    def descriptor(self) -> int:
        """The descriptor of the host; raises ClosedVolume after `forget`."""
        if self._descriptor < 0:
            raise ClosedVolume(f"{self.shown}: is closed")
        return self._descriptor

    def forget(self) -> int:
        """Let go of the descriptor, which may be another file's soon, and return it to be closed."""
        descriptor, self._descriptor = self.descriptor, -1
        return descriptor

    def size(self) -> int:
        """How many bytes it has; also right for block devices, whose stat has no size."""
        try:
            return os.lseek(self.descriptor, 0, os.SEEK_END)
        except OSError as error:
            raise refused(self.shown, error) from error

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""
        try:
            data = os.pread(self.descriptor, size_bytes, offset)
            if 0 < len(data) < size_bytes:
                data = self._read_on(offset, size_bytes, data)
        except OSError as error:
            raise refused(self.shown, error) from error
        return data

    def _read_on(self, offset: int, size_bytes: int, data: bytes) -> bytes:
        parts, got = [data], len(data)
        while got < size_bytes and (data := os.pread(self.descriptor, size_bytes - got, offset + got)):
            parts.append(data)
            got += len(data)
        return b"".join(parts)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""
        try:
            written = syscalls.pwrite(self.descriptor, data, offset)
            if written < len(data):
                view = memoryview(data)
                while written < len(view):
                    written += syscalls.pwrite(self.descriptor, view[written:], offset + written)
        except OSError as error:
            raise refused(self.shown, error) from error

    def zero(self, offset: int, size_bytes: int) -> None:
        """Make a region read as zeros, by a hole where the host can and it is worth it."""
        if self._punches and size_bytes >= _PUNCH_WORTH_BYTES:
            try:
                syscalls.punch_hole(self.descriptor, offset, size_bytes)
                return
            except OSError as error:
                if error.errno not in _PUNCHES_NOT:
                    raise refused(self.shown, error) from error
                self._punches = False
        zeros = memoryview(bytes(min(size_bytes, CHUNK_BYTES)))
        for done in range(0, size_bytes, CHUNK_BYTES):
            self.write(offset + done, zeros[: size_bytes - done])

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
        if self._kernel_copies and syscalls.copy_file_range is not None:
            try:
                return syscalls.copy_file_range(
                    descriptor, self.descriptor, size_bytes, source_offset, offset
                )
            except OSError as error:
                if error.errno not in _KERNEL_COPIES_NOT:
                    raise refused(self.shown, error) from error
                self._kernel_copies = False
        try:
            data = os.pread(descriptor, min(size_bytes, CHUNK_BYTES), source_offset)
        except OSError as error:
            raise refused(self.shown, error) from error
        self.write(offset, data)
        return len(data)

    def is_hole(self, offset: int, size_bytes: int) -> bool:
        """Whether the host says that nothing was ever stored in a region; False where it does not know."""
        try:
            return os.lseek(self.descriptor, offset, os.SEEK_DATA) >= offset + size_bytes
        except OSError as error:
            return error.errno == errno.ENXIO  # No data from there to the end.

    def holes(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The regions between two offsets of which the host says that nothing was ever stored in them."""
        while begin < end:
            try:
                data = os.lseek(self.descriptor, begin, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO and begin < self.size():
                    yield begin, end  # No data from there to the end.
                return
            if data > begin:
                yield begin, min(data, end)
            if data >= end:
                return
            begin = os.lseek(self.descriptor, data, os.SEEK_HOLE)

    def set_size(self, size_bytes: int) -> None:
        """Make the file as long as that."""
        try:
            syscalls.set_size(self.descriptor, size_bytes)
        except OSError as error:
            raise refused(self.shown, error) from error

    def sync(self) -> None:
        """Return when what was written is on the medium."""
        try:
            syscalls.fsync(self.descriptor)
        except OSError as error:
            raise refused(self.shown, error) from error


def refused(shown: str, error: OSError | ValueError) -> HostError:
    """What to say when the host refuses something about a file."""
    reason = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) == errno.EFBIG:
        reason += ": the host's file system holds no file of that size"
    return HostError(f"{shown}: {reason}")
