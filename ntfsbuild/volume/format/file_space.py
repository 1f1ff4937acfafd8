"""Clusters of a new volume for one stream, filled by whoever has its content."""

from __future__ import annotations

from ntfsbuild.image.raw import Storage


class FileSpace:
    """Clusters taken for one stream that is too large to gather: whoever has the data writes it here."""

    __slots__ = ("_cluster_bytes", "_storage", "clusters", "lcn", "offset", "size_bytes")

    def __init__(self, storage: Storage, run: tuple[int, int], size_bytes: int, cluster_bytes: int) -> None:
        self._storage = storage
        self.lcn, self.clusters = run
        self.size_bytes = size_bytes
        self.offset = self.lcn * cluster_bytes
        self._cluster_bytes = cluster_bytes

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """Where it lies."""
        return ((self.lcn, self.clusters),)

    def write(self, at: int, data: bytes | memoryview) -> None:
        """Write data at byte `at` of the stream."""
        assert at + len(data) <= self.size_bytes
        self._storage.write(self.offset + at, data)

    def zero(self, at: int, end: int) -> None:
        """Let bytes `at` to `end` of the stream read as zeros."""
        if at < end:
            self._storage.zero(self.offset + at, end - at)

    def copy_from(self, descriptor: int, at: int, size_bytes: int) -> int:
        """Copy from the same place of an open host file; returns how many bytes there were."""
        assert at + size_bytes <= self.size_bytes
        return self._storage.copy_from(descriptor, at, self.offset + at, size_bytes)

    def finish(self) -> None:
        """Clear what is left of the last cluster."""
        self.zero(self.size_bytes, self.clusters * self._cluster_bytes)
