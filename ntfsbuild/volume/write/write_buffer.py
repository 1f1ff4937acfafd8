"""Joins many small writes in ascending order to few large ones, in front of any storage."""

from __future__ import annotations

from ntfsbuild.errors import ClosedVolume
from ntfsbuild.image.raw import ChangeableStorage

LANDING_BYTES = 256 << 10  # The most that one small file may bring.
_BUFFER_BYTES = 1 << 20
_GATHERED_BYTES = 64 << 10  # What is longer is written at once.
_ZEROS = memoryview(bytes(4096))


class WriteBuffer:
    """Storage in front of other storage: it keeps what is written in a row, until something else is asked.

    A file's bytes can be read straight to where they will be written from: `landing()` is memory behind
    what is gathered, `take_landed` keeps what was put there.
    """

    def __init__(self, storage: ChangeableStorage) -> None:
        self._storage = storage
        self._view = memoryview(bytearray(_BUFFER_BYTES))
        self._base = 0  # Where the buffer's first byte lies on the volume.
        self._filled = 0
        self._landing: memoryview | None = None
        self._is_closed = False

    def flush(self) -> None:
        """Write what is gathered."""
        if self._filled:
            self._storage.write(self._base, self._view[: self._filled])
            self._filled = 0
        self._landing = None

    # ------------------------------------------------------------------ small files

    def landing(self) -> memoryview:
        """Memory for `LANDING_BYTES`, good until the next call of any other method here."""
        if self._landing is None:
            if self._filled > _BUFFER_BYTES - LANDING_BYTES:
                self.flush()
            self._landing = self._view[self._filled : self._filled + LANDING_BYTES]
        return self._landing

    def take_landed(self, offset: int, size_bytes: int, room_bytes: int) -> None:
        """Write the first bytes of the landing to `offset`, and zeros behind them up to `room_bytes`."""
        at = self._filled
        self._landing = None
        if offset != self._base + at:
            # What has landed lies behind what is gathered, which goes elsewhere.
            if at:
                self._storage.write(self._base, self._view[:at])
                self._view[:size_bytes] = bytes(self._view[at : at + size_bytes])
                at = 0
            self._base = offset
        end = at + size_bytes
        padding = room_bytes - size_bytes
        if padding <= len(_ZEROS):
            self._view[end : end + padding] = _ZEROS[:padding]
            self._filled = end + padding
        else:
            self._filled = end
            self.flush()
            self._storage.zero(offset + size_bytes, padding)

    # ------------------------------------------------------------------ storage

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""
        if self._is_closed:
            raise ClosedVolume("the volume is closed")
        size = len(data)
        self._landing = None
        if size > _GATHERED_BYTES:
            self.flush()
            self._storage.write(offset, data)
            return
        end = self._filled + size
        if offset != self._base + self._filled or end > _BUFFER_BYTES - LANDING_BYTES:
            self.flush()
            self._base, end = offset, size
        self._view[self._filled : end] = data
        self._filled = end

    def zero(self, offset: int, size_bytes: int) -> None:
        """Make a region read as zeros; a short one is written with what lies before it."""
        if 0 < size_bytes <= len(_ZEROS) and self._filled and offset == self._base + self._filled:
            self.write(offset, _ZEROS[:size_bytes])
        elif size_bytes:
            self.flush()
            self._storage.zero(offset, size_bytes)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""
        self.flush()
        return self._storage.read(offset, size_bytes)

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        """Copy from an open file of the host; returns how many bytes there were."""
        self.flush()
        return self._storage.copy_from(descriptor, source_offset, offset, size_bytes)

    def set_size(self, size_bytes: int) -> None:
        """Give the image its final size."""
        self.flush()
        self._storage.set_size(size_bytes)

    @property
    def size_bytes(self) -> int:
        """The size of the storage."""
        return self._storage.size_bytes

    def declare_free(self, offset: int, size_bytes: int) -> None:
        """Declare that a region was free at the last commit, so that its content may be lost."""
        self._storage.declare_free(offset, size_bytes)

    def commit(self) -> None:
        """Commit all changes since the last commit."""
        self.flush()
        self._storage.commit()

    def close(self) -> None:
        """Discard uncommitted changes, and close the image."""
        self._filled, self._is_closed = 0, True
        self._storage.close()
