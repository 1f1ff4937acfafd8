"""Clusters allocated for one stream; the caller writes the content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ntfsbuild.image.raw import Storage
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume import run_list
from ntfsbuild.volume.read.records import Attribute


class Extent:
    """Clusters of one stream, in one or more runs, and the size of its content."""

    __slots__ = ("_cluster_bytes", "_storage", "runs", "size_bytes")

    def __init__(self, storage: Storage, runs: Sequence[Run], size_bytes: int, cluster_bytes: int) -> None:
        self._storage = storage
        self.runs = tuple(runs)
        self.size_bytes = size_bytes
        self._cluster_bytes = cluster_bytes

    def _places(self, at: int, size_bytes: int) -> Iterator[tuple[int, int]]:
        for offset, count in run_list.extents(self.runs, self._cluster_bytes, at, size_bytes):
            assert offset is not None, "clusters that were taken are no hole"
            yield offset, count

    def write(self, at: int, data: bytes | bytearray | memoryview) -> None:
        """Write data at byte `at` of the stream."""
        assert at + len(data) <= self.size_bytes
        view = memoryview(data)
        for offset, count in self._places(at, len(data)):
            self._storage.write(offset, view[:count])
            view = view[count:]

    def zero(self, at: int, end: int) -> None:
        """Fill bytes `at` to `end` of the stream with zeros."""
        for offset, count in self._places(at, end - at):
            self._storage.zero(offset, count)

    def copy_from(self, descriptor: int, at: int, size_bytes: int) -> int:
        """Copy from the same offset of an open host file; returns the number of bytes copied."""
        assert at + size_bytes <= self.size_bytes
        copied = 0
        for offset, count in self._places(at, size_bytes):
            came = self._storage.copy_from(descriptor, at + copied, offset, count)
            copied += came
            if came < count:
                break
        return copied

    def finish(self) -> None:
        """Fill the rest of the last cluster with zeros."""
        self.zero(self.size_bytes, run_list.clusters_of(self.runs) * self._cluster_bytes)

    def stream(self, name: str = "") -> Attribute:
        """The stream as an attribute."""
        size = self.size_bytes
        return Attribute(
            attribute.DATA, name, 0, 0, None, runs=self.runs, data_bytes=size, initialized_bytes=size
        )
