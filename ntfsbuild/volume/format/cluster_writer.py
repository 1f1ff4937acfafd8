"""File data on its way to its final clusters: gathered into large writes, in ascending order."""

from __future__ import annotations

from ntfsbuild.image.raw import Storage
from ntfsbuild.volume.format.size import Space

LANDING_BYTES = 256 << 10  # The most that one small file may bring.
_BUFFER_BYTES = 4 << 20
_ZEROS = bytes(4096)


class ClusterWriter:
    """Takes data for new clusters and writes it in a few large pieces.

    A file's bytes can be read straight to where they will lie: `landing()` is the memory for the next
    free cluster, `take(size)` keeps what was put there.
    """

    def __init__(self, storage: Storage, space: Space) -> None:
        self._storage = storage
        self._space = space
        self._cluster_bytes = space.cluster_bytes
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._base = 0  # Where the buffer's first byte lies on the volume.
        self._filled = 0
        self._landing: memoryview | None = None

    def landing(self) -> memoryview:
        """Memory for `LANDING_BYTES`, good until the next call of any other method here."""
        if self._landing is None:
            if self._filled > _BUFFER_BYTES - LANDING_BYTES:
                self.flush()
            self._landing = self._view[self._filled : self._filled + LANDING_BYTES]
        return self._landing

    def take(self, size_bytes: int) -> tuple[int, int]:
        """Keep the first bytes of the landing; returns their run (LCN, clusters)."""
        space, cluster_bytes = self._space, self._cluster_bytes
        lcn = space.next_lcn
        clusters = -(-size_bytes // cluster_bytes)
        space.next_lcn = lcn + clusters
        offset = lcn * cluster_bytes
        at = self._filled
        self._landing = None
        if offset != self._base + at:
            # Somebody else took clusters in between; what has landed stays where it is in memory.
            self._write_out()
            self._storage.write(offset, self._view[at : at + size_bytes])
            self._pad(offset, size_bytes, clusters)
            self._restart()
            return lcn, clusters
        end = at + size_bytes
        padding = clusters * cluster_bytes - size_bytes
        if padding <= 4096:
            self._buffer[end : end + padding] = _ZEROS[:padding]
            self._filled = end + padding
        else:
            self._filled = end
            self._write_out()
            self._pad(offset, size_bytes, clusters)
            self._restart()
        return lcn, clusters

    def put(self, data: bytes | bytearray | memoryview) -> tuple[int, int]:
        """Write a whole stream into clusters of its own; returns its run (LCN, clusters)."""
        size_bytes = len(data)
        if size_bytes <= LANDING_BYTES - 4096:
            self.landing()[:size_bytes] = data
            return self.take(size_bytes)
        lcn, clusters = self._space.take_bytes(size_bytes)
        self.flush()
        offset = lcn * self._cluster_bytes
        self._storage.write(offset, data)
        self._pad(offset, size_bytes, clusters)
        return lcn, clusters

    def put_runs(self, data: bytes | bytearray) -> list[tuple[int, int]]:
        """The same, for those who expect that a stream may take several runs."""
        return [self.put(data)]

    def flush(self) -> None:
        """Write what is gathered, and begin anew at the next free cluster."""
        self._write_out()
        self._restart()

    def _write_out(self) -> None:
        if self._filled:
            self._storage.write(self._base, self._view[: self._filled])

    def _restart(self) -> None:
        self._base, self._filled = self._space.next_lcn * self._cluster_bytes, 0
        self._landing = None

    def _pad(self, offset: int, size_bytes: int, clusters: int) -> None:
        self._storage.zero(offset + size_bytes, clusters * self._cluster_bytes - size_bytes)
