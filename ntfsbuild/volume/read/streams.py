"""Reads the value of an attribute: resident, in clusters, sparse or compressed."""

from __future__ import annotations

from collections.abc import Iterator

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.ondisk import attribute, lznt1
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume import run_list
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.boot import Reader
from ntfsbuild.volume.read.records import Attribute

_PIECE_BYTES = 1 << 20


class StreamReader:
    """Reads streams of one volume."""

    def __init__(self, storage: Reader, geometry: Geometry) -> None:
        self._storage = storage
        self._geometry = geometry

    def read(self, stream: Attribute) -> bytes:
        """The whole value, in memory: for metadata and small files."""
        return b"".join(self.pieces(stream))

    def pieces(self, stream: Attribute) -> Iterator[bytes]:
        """The value in pieces of at most 1 MiB; bytes behind the initialized size are zeros."""
        self.refuse_encrypted(stream)
        if stream.value is not None:
            if stream.value:
                yield stream.value
            return
        if stream.initialized_bytes > stream.data_bytes:
            raise CorruptVolume(
                f"{stream.initialized_bytes} bytes initialized of a stream of {stream.data_bytes}"
            )
        self._check_runs(stream)
        compressed = stream.flags & attribute.COMPRESSION_MASK and stream.compression_unit
        found = self._compressed(stream) if compressed else self._plain(stream.runs)
        done = 0
        for piece in found:
            here = piece[: max(0, stream.initialized_bytes - done)]
            if here:
                yield here
                done += len(here)
            if done == stream.initialized_bytes:
                break
        if done < stream.initialized_bytes:
            raise CorruptVolume(f"the run list ends after {done} bytes of {stream.initialized_bytes}")
        yield from _zeros(stream.data_bytes - done)

    @staticmethod
    def refuse_encrypted(stream: Attribute) -> None:
        """Raise VolumeError if a stream is encrypted."""
        if stream.flags & attribute.ENCRYPTED and stream.type_code == attribute.DATA and stream.size_bytes:
            raise VolumeError("the content is encrypted, and no key was given")

    def _check_runs(self, stream: Attribute) -> None:
        """Check size and runs against the volume: damage must not make endless streams."""
        clusters = sum(count for _, count in stream.runs)
        if stream.data_bytes > clusters * self._geometry.cluster_bytes:
            raise CorruptVolume(f"{stream.data_bytes} bytes in {clusters} clusters")
        if not stream.flags & (attribute.SPARSE | attribute.COMPRESSION_MASK):
            most = self._geometry.cluster_count
            if clusters > most:
                raise CorruptVolume(f"a run list of {clusters} clusters, the volume has {most}")

    def read_at(self, stream: Attribute, offset: int, size_bytes: int) -> bytes:
        """A part of a plain non-resident stream, read from its clusters; it ends with the last cluster."""
        cluster_bytes = self._geometry.cluster_bytes
        if len(stream.runs) == 1:  # Nearly always.
            lcn, clusters = stream.runs[0]
            if lcn is not None and offset + size_bytes <= clusters * cluster_bytes:
                return self._read(lcn * cluster_bytes + offset, size_bytes)
        found = run_list.extents(stream.runs, cluster_bytes, offset, size_bytes)
        parts = [bytes(count) if at is None else self._read(at, count) for at, count in found]
        return b"".join(parts)

    def part(self, stream: Attribute, at: int, size_bytes: int) -> bytes:
        """A part of any stream's content; holes and bytes behind the initialized size are zeros."""
        self.refuse_encrypted(stream)
        if stream.value is not None:
            return stream.value[at : at + size_bytes].ljust(size_bytes, b"\0")
        there = max(0, min(size_bytes, stream.initialized_bytes - at))
        if not there:
            return bytes(size_bytes)
        if not stream.flags & attribute.COMPRESSION_MASK:
            found = self.read_at(stream, at, there)
            return found if len(found) == size_bytes else found.ljust(size_bytes, b"\0")
        unit_clusters = 1 << stream.compression_unit
        unit_bytes = unit_clusters * self._geometry.cluster_bytes
        first, after = at // unit_bytes, -(-(at + there) // unit_bytes)
        runs = run_list.part(stream.runs, first * unit_clusters, after * unit_clusters)
        data = b"".join(self._compressed(stream._replace(runs=tuple(runs))))
        begin = at - first * unit_bytes
        return data[begin : begin + there].ljust(size_bytes, b"\0")

    def _read(self, offset: int, size_bytes: int) -> bytes:
        data = self._storage.read(offset, size_bytes)
        if len(data) < size_bytes:
            raise CorruptVolume(f"the volume ends at {offset + len(data):#x}, in the middle of a stream")
        return data

    def _plain(self, runs: tuple[Run, ...]) -> Iterator[bytes]:
        cluster_bytes = self._geometry.cluster_bytes
        for lcn, clusters in runs:
            if lcn is None:
                yield from _zeros(clusters * cluster_bytes)
                continue
            if lcn + clusters > self._geometry.cluster_count:
                raise CorruptVolume(
                    f"a run ends at cluster {lcn + clusters}, the volume has {self._geometry.cluster_count}"
                )
            for at in range(0, clusters * cluster_bytes, _PIECE_BYTES):
                count = min(_PIECE_BYTES, clusters * cluster_bytes - at)
                yield self._read(lcn * cluster_bytes + at, count)

    def _compressed(self, stream: Attribute) -> Iterator[bytes]:
        """Read units: one with all clusters is stored, one with none is zeros, else it is compressed."""
        unit_clusters = 1 << stream.compression_unit
        unit_bytes = unit_clusters * self._geometry.cluster_bytes
        if unit_clusters != lznt1.UNIT_CLUSTERS or unit_bytes > lznt1.LARGEST_UNIT_BYTES:
            raise CorruptVolume(f"a compression unit of {unit_clusters} clusters")
        for runs in _units(stream.runs, unit_clusters):
            here = sum(count for lcn, count in runs if lcn is not None)
            data = b"".join(self._plain(tuple(run for run in runs if run[0] is not None)))
            if here == 0:
                yield bytes(unit_bytes)
            elif here == unit_clusters:
                yield data
            else:
                yield lznt1.decompress(data, unit_bytes).ljust(unit_bytes, b"\0")


def _units(runs: tuple[Run, ...], unit_clusters: int) -> Iterator[list[Run]]:
    """The runs, cut at the boundaries of compression units."""
    unit: list[Run] = []
    room = unit_clusters
    for lcn, clusters in runs:
        while clusters:
            count = min(clusters, room)
            unit.append((lcn, count))
            lcn, clusters, room = None if lcn is None else lcn + count, clusters - count, room - count
            if not room:
                yield unit
                unit, room = [], unit_clusters
    if unit:
        yield unit


def _zeros(size_bytes: int) -> Iterator[bytes]:
    while size_bytes > 0:
        count = min(size_bytes, _PIECE_BYTES)
        yield bytes(count)
        size_bytes -= count
