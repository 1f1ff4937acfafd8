"""Volumes in memory: storage that is a byte array, and the parts of the writer over it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from ntfsbuild.ondisk import attribute, lznt1
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.volume.format.formatter import Formatter
from ntfsbuild.volume.format.options import FormatOptions
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.streams import StreamReader
from ntfsbuild.volume.write.clusters import FreeClusters, NewClusters
from ntfsbuild.volume.write.existing import writer_of
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.mft import Mft
from ntfsbuild.volume.write.streams import Streams
from ntfsbuild.volume.write.writer import Writer

NOW = 133_000_000_000_000_000
LATER = NOW + 10_000_000
TIMES: Ticks4 = (NOW, NOW, NOW, NOW)
CLUSTER = 4096
UNIT = lznt1.UNIT_CLUSTERS
OLD_BYTE = 0xD1  # What lies where nobody has written.


class MemoryStorage:
    """Bytes in memory; every write is remembered as (offset, size)."""

    def __init__(self, data: bytes | int = b"") -> None:
        self.data = bytearray([OLD_BYTE]) * data if isinstance(data, int) else bytearray(data)
        self.free: list[tuple[int, int]] = []
        self.written: list[tuple[int, int]] = []
        self.commits = 0
        self.is_closed = False

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, size_bytes: int) -> bytes:
        return bytes(self.data[offset : offset + size_bytes])

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        self.written.append((offset, len(data)))
        self.set_size(max(len(self.data), offset + len(data)))
        self.data[offset : offset + len(data)] = data

    def zero(self, offset: int, size_bytes: int) -> None:
        self.write(offset, bytes(size_bytes))

    def copy_from(self, descriptor: int, source_offset: int, offset: int, size_bytes: int) -> int:
        data = os.pread(descriptor, size_bytes, source_offset)
        self.write(offset, data)
        return len(data)

    def set_size(self, size_bytes: int) -> None:
        self.data.extend(bytes(size_bytes - len(self.data)))

    def declare_free(self, offset: int, size_bytes: int) -> None:
        self.free.append((offset, size_bytes))

    def commit(self) -> None:
        self.commits += 1

    def close(self) -> None:
        self.is_closed = True


def geometry(clusters: int = 256, cluster_bytes: int = CLUSTER) -> Geometry:
    """A volume of so many clusters."""
    return Geometry(512, cluster_bytes, 1024, clusters * cluster_bytes // 512, serial=1)


def free_clusters(clusters: int, taken: Iterable[range] = ()) -> tuple[FreeClusters, list[tuple[int, int]]]:
    """Clusters of an existing volume, and the list of what is declared as free."""
    bits = bytearray(-(-clusters // 64) * 8)
    for one in taken:
        for lcn in one:
            bits[lcn // 8] |= 1 << lcn % 8
    declared: list[tuple[int, int]] = []
    made = FreeClusters(
        geometry(clusters),
        lambda at, size: bytes(bits[at : at + size]),
        len(bits),
        lambda lcn, count: declared.append((lcn, count)),
    )
    return made, declared


def streams_over(
    clusters: int = 256, taken: Iterable[range] = ()
) -> tuple[Streams, MemoryStorage, FreeClusters, StreamReader]:
    """What changes streams, on a volume in memory that holds nothing."""
    storage = MemoryStorage(clusters * CLUSTER)
    free, _ = free_clusters(clusters, taken)
    reader = StreamReader(storage, geometry(clusters))
    return Streams(storage, reader, lambda: free, CLUSTER, 1024), storage, free, reader


def storing(storage: MemoryStorage, first_lcn: int = 1) -> Callable[[bytes | bytearray], Sequence[Run]]:
    """Puts values into clusters one behind the other."""
    clusters = NewClusters(CLUSTER)
    clusters.next_lcn = first_lcn

    def store(data: bytes | bytearray) -> Sequence[Run]:
        runs = clusters.take(-(-len(data) // CLUSTER))
        for lcn, _ in runs:
            assert lcn is not None
            storage.write(lcn * CLUSTER, bytes(data).ljust(-(-len(data) // CLUSTER) * CLUSTER, b"\0"))
        return runs

    return store


def resident(value: bytes, name: str = "", type_code: int = attribute.DATA) -> Attribute:
    return Attribute(type_code, name, 0, 0, value)


def mapped(*runs: Run, size: int | None = None, name: str = "", flags: int = 0) -> Attribute:
    size = sum(count for _, count in runs) * CLUSTER if size is None else size
    unit = 4 if flags else 0
    return Attribute(
        attribute.DATA, name, flags, 0, None, runs=runs, compression_unit=unit, data_bytes=size,
        initialized_bytes=size,
    )  # fmt: skip


class Disk:
    """Clusters that are handed out one behind the other, or with a gap after each `step` clusters."""

    def __init__(self, cluster: int, step: int | None = None) -> None:
        self.cluster, self.step = cluster, step
        self.data: dict[int, bytes] = {}
        self.next = 100
        self.stored: list[int] = []

    def store(self, data: bytes | bytearray) -> Sequence[Run]:
        assert data
        self.stored.append(len(data))
        runs: list[Run] = []
        for at in range(0, len(data), self.cluster):
            lcn = self.next
            self.data[lcn] = bytes(data[at : at + self.cluster]).ljust(self.cluster, b"\0")
            runs.append((lcn, 1))
            self.next += 1
            if self.step and (at // self.cluster + 1) % self.step == 0:
                self.next += 1
        return runs

    def clusters(self, runs: Iterable[Run]) -> Iterator[bytes | None]:
        for lcn, count in runs:
            yield from (None if lcn is None else self.data[lcn + k] for k in range(count))

    def sparse(self, runs: Iterable[Run]) -> bytes:
        return b"".join(bytes(self.cluster) if one is None else one for one in self.clusters(runs))

    def compressed(self, runs: Iterable[Run]) -> bytes:
        found = list(self.clusters(runs))
        assert len(found) % UNIT == 0
        out = []
        for at in range(0, len(found), UNIT):
            unit = [one for one in found[at : at + UNIT] if one is not None]
            assert all(one is None for one in found[at + len(unit) : at + UNIT]), "a hole is at a unit's end"
            data, size = b"".join(unit), UNIT * self.cluster
            out.append(data if len(unit) == UNIT else lznt1.decompress(data, size).ljust(size, b"\0"))
        return b"".join(out)


# ---- whole volumes


def formatter(
    storage: MemoryStorage, size_bytes: int | None = None, cluster_bytes: int = CLUSTER
) -> Formatter:
    options = FormatOptions(size_bytes=size_bytes, times=TIMES, serial=1, cluster_bytes=cluster_bytes)
    return Formatter(storage, options)


@functools.cache
def _formatted(size_bytes: int) -> bytes:
    storage = MemoryStorage()
    made = formatter(storage, size_bytes)
    made.set_root(TIMES, 0x06, False)
    made.commit()
    return bytes(storage.data.ljust(size_bytes, b"\0"))


def formatted(size_bytes: int = 4 << 20) -> MemoryStorage:
    """A volume with nothing on it."""
    return MemoryStorage(_formatted(size_bytes))


def open_writer(storage: MemoryStorage | None = None) -> Writer:
    """The writer of a volume in memory: of an empty one, or of that in `storage`."""
    return writer_of(formatted() if storage is None else storage)


def made_file(writer: Writer, name: str, *streams: Attribute, above: str = "/") -> FileState:
    """A new file, still open."""
    directory = writer.directory_at(above)
    made = writer.make_file(directory, name, streams or [resident(b"")], TIMES, 0x20, keep_open=True)
    return writer.transaction.file(made)


def raw_record(mft: Mft, number: int) -> bytes:
    """A record as it lies on the disk, its update sequence in place."""
    return mft.read_bytes(number * mft.record_bytes, mft.record_bytes)
