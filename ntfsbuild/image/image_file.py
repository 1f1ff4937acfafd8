"""An existing image, or a window of it: read, or changed where it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Self

from ntfsbuild.errors import HostError
from ntfsbuild.image import locking
from ntfsbuild.image.journal_file import journal_beside
from ntfsbuild.image.open_file import OpenFile
from ntfsbuild.image.rollback import roll_back, saved_content
from ntfsbuild.image.saved_content import SavedContent

_ATTEMPTS = 8


class ImageFile:
    """Bytes at offsets of a window; what lies outside of it can be neither read nor written.

    An open image is locked: shared for reading, so that it does not change meanwhile, exclusively for
    changing.  Opening for changing undoes an interrupted change.  Opening for reading shows the data before
    that change, and writes nothing.
    """

    def __init__(self, file: OpenFile, *, writable: bool, journal_path: str | None = None) -> None:
        self._file = file
        self.writable = writable
        self.journal_path = journal_path  # None for what has no place beside it that lasts.
        self.image_bytes = file.size()
        self.offset_bytes = 0
        self.size_bytes = self.image_bytes
        self.closed = False
        self.saved: SavedContent | None = None  # What an interrupted change has overwritten.

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        offset: int = 0,
        size_bytes: int | None = None,
        writable: bool = False,
        exclusive: bool = False,
        journal_path: str | None = None,
    ) -> Self:
        """Open an image file or block device, or `size_bytes` of it from `offset` on.

        What is open for writing is locked exclusively; for reading that must be asked for (`exclusive`).
        The journal of an interrupted change is looked for beside a file; for a block device it must be
        said where.  Raises HostError where the host refuses or another process is at it, VolumeError
        for what can be no image, CorruptVolume where a change cannot be undone.
        """
        shown = os.fspath(path)
        for _ in range(_ATTEMPTS):
            descriptor = locking.open_locked(path, writable=writable, exclusive=writable or exclusive)
            try:
                file = OpenFile(descriptor, shown)
                journal = journal_path or _journal_of(descriptor, path)
                interrupted = journal is not None and os.path.lexists(journal)
                if writable or not exclusive or not interrupted:
                    image = cls(file, writable=writable, journal_path=journal)
                    image.narrow(offset, size_bytes)
                    if interrupted and writable:
                        image.roll_back()
                    elif journal is not None:
                        image.saved = saved_content(file, journal)
                    return image
            except BaseException:
                locking.close(descriptor)
                raise
            locking.close(descriptor)
            cls._undo_interrupted(path, journal_path)
        raise HostError(f"{shown}: is being changed again and again")

    @classmethod
    def _undo_interrupted(cls, path: str | os.PathLike[str], journal_path: str | None) -> None:
        """Undo an interrupted change of another process before the image is replaced."""
        try:
            cls.open(path, writable=True, journal_path=journal_path).close()
        except HostError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or isinstance(cause, BlockingIOError):
                raise
            raise HostError(
                f"{error}; a change of it was interrupted, and must be undone before it can be replaced"
            ) from error

    def narrow(self, offset: int, size_bytes: int | None = None) -> None:
        """Make the window the `size_bytes` from `offset` of the image on, or what there is of them."""
        there = max(0, self.image_bytes - offset)
        self.offset_bytes = offset
        self.size_bytes = there if size_bytes is None else min(size_bytes, there)

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return self._file.shown

    @property
    def whole(self) -> OpenFile:
        """The whole image, as it lies there."""
        return self._file

    @property
    def descriptor(self) -> int:
        """The open file itself, of the whole image."""
        return self._file.descriptor

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""
        size_bytes = min(size_bytes, self.size_bytes - offset)
        if size_bytes <= 0:
            return b""
        found = self._file.read(self.offset_bytes + offset, size_bytes)
        return found if self.saved is None else self.saved.over(self.offset_bytes + offset, found)

    def holes(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Where between two offsets the host has stored nothing, so that zeros are read there."""
        for first, after in self._file.holes(self.offset_bytes + begin, self.offset_bytes + end):
            yield first - self.offset_bytes, after - self.offset_bytes

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""
        self._file.write(self._place(offset, len(data)), data)

    def zero(self, offset: int, size_bytes: int) -> None:
        """Make a region read as zeros, by a hole where the host can."""
        self._file.zero(self._place(offset, size_bytes), size_bytes)

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy from an open file of the host, by the kernel where it can; returns how many bytes came."""
        return self._file.copy_from(descriptor, source_offset, self._place(offset, size_bytes), size_bytes)

    def set_size(self, size_bytes: int) -> None:
        """Nothing but a check: an existing image keeps its size."""
        if size_bytes > self.size_bytes:
            raise ValueError(f"{self.shown}: {size_bytes} bytes do not fit into {self.size_bytes}")

    def _place(self, offset: int, size_bytes: int) -> int:
        if offset < 0 or offset + size_bytes > self.size_bytes:
            end = offset + size_bytes
            raise ValueError(f"{self.shown}: {offset} to {end} lies outside of {self.size_bytes} bytes")
        return self.offset_bytes + offset

    def sync(self) -> None:
        """Return when what was written is on the medium."""
        self._file.sync()

    def roll_back(self) -> None:
        """Undo a change that was not brought to its end, if there is one; needs the exclusive lock."""
        if self.journal_path is not None:
            roll_back(self._file, self.journal_path)

    def close(self) -> None:
        """Close the file, and let others at it; once, for its descriptor may be another's by then."""
        if not self.closed:
            self.closed = True
            if self.saved is not None:
                self.saved.close()
            locking.close(self._file.forget())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _journal_of(descriptor: int, path: str | os.PathLike[str]) -> str | None:
    regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    return journal_beside(path) if regular else None
