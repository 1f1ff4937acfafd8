"""Stores content in compression units of 16 clusters: zeros become holes, the rest is compressed if smaller.

`store` allocates clusters and writes data to them; it pads the last cluster with zeros.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from ntfsbuild.ondisk import lznt1
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.run_list import merged

Piece: TypeAlias = tuple[int, bytes]  # Where it begins in the stream.
Store: TypeAlias = Callable[[bytes | bytearray], Sequence[Run]]
CompressMany: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]

_STORE_BYTES = 4 << 20  # A multiple of every cluster size.


def one_by_one(units: Iterable[bytes]) -> Iterator[bytes]:
    """Compress units in this process; `UnitPool.compress_many` uses several."""
    return map(lznt1.compress, units)


def sparse_runs(pieces: Iterable[Piece], size_bytes: int, cluster_bytes: int, store: Store) -> list[Run]:
    """A sparse stream, always of whole units: those of nothing but zeros are holes.

    Windows takes clusters so, the last unit included, and 7-Zip reads no other.  Pieces are in ascending
    order and do not overlap; what no piece covers is zero.
    """
    gathered = _Gathered(store, cluster_bytes)
    unit_bytes = lznt1.UNIT_CLUSTERS * cluster_bytes
    for at, data in _filled_units(pieces, unit_bytes):
        gathered.hole(at // cluster_bytes - gathered.clusters)
        gathered.data(data)
    gathered.hole(-(-size_bytes // unit_bytes) * lznt1.UNIT_CLUSTERS - gathered.clusters)
    return gathered.runs()


def compressed_runs(
    pieces: Iterable[Piece],
    size_bytes: int,
    cluster_bytes: int,
    store: Store,
    compress_many: CompressMany = one_by_one,
) -> list[Run]:
    """A compressed stream, always of whole units: each is a hole, or compressed, or stored in 16 clusters.

    The last unit is compressed without what lies behind the stream's end.
    """
    gathered = _Gathered(store, cluster_bytes)
    unit_bytes = lznt1.UNIT_CLUSTERS * cluster_bytes
    assert unit_bytes <= lznt1.LARGEST_UNIT_BYTES
    taken: deque[Piece] = deque()  # What the compressor has been given, and not yet given back.

    def plain() -> Iterator[bytes]:
        for at, data in _filled_units(pieces, unit_bytes):
            taken.append((at, data[: size_bytes - at]))
            yield taken[-1][1]

    for chunks in compress_many(plain()):
        at, data = taken.popleft()
        gathered.hole(at // cluster_bytes - gathered.clusters)
        if len(chunks) > unit_bytes - cluster_bytes:
            chunks = data.ljust(unit_bytes, b"\0")
        gathered.data(chunks)
        gathered.hole(-gathered.clusters % lznt1.UNIT_CLUSTERS)
    gathered.hole(-(-size_bytes // unit_bytes) * lznt1.UNIT_CLUSTERS - gathered.clusters)
    return gathered.runs()


def _filled_units(pieces: Iterable[Piece], unit_bytes: int) -> Iterator[Piece]:
    """The units that hold something else than zeros, whole, with where they begin."""
    zeros = bytes(unit_bytes)
    begun, unit = -1, bytearray()
    for at, data in pieces:
        view = memoryview(data)
        while view:
            inside = at % unit_bytes
            part = bytes(view[: unit_bytes - inside])
            if begun >= 0 and begun != at - inside:
                if unit != zeros:
                    yield begun, bytes(unit)
                begun = -1
            if len(part) == unit_bytes:
                if part != zeros:
                    yield at, part
            else:
                if begun < 0:
                    begun, unit = at - inside, bytearray(unit_bytes)
                unit[inside : inside + len(part)] = part
            at += len(part)
            view = view[len(part) :]
    if begun >= 0 and unit != zeros:
        yield begun, bytes(unit)


class _Gathered:
    """Collects data and holes of a stream; data is stored in large pieces, so that its runs are few."""

    def __init__(self, store: Store, cluster_bytes: int) -> None:
        self.clusters = 0
        self._store = store
        self._cluster_bytes = cluster_bytes
        self._runs: list[Run] = []
        self._buffer = bytearray()
        self._layout: list[tuple[bool, int]] = []  # Whether it has data, and clusters.

    def hole(self, clusters: int) -> None:
        """So many clusters that are not there; none is nothing."""
        if clusters:
            self._layout.append((False, clusters))
            self.clusters += clusters

    def data(self, data: bytes) -> None:
        """The next clusters; only the last one may be incomplete, and is filled up with zeros."""
        for at in range(0, len(data), _STORE_BYTES):
            part = data[at : at + _STORE_BYTES]
            self._buffer += bytes(-len(self._buffer) % self._cluster_bytes)
            if len(self._buffer) + len(part) > _STORE_BYTES:
                self._flush()
            self._buffer += part
            clusters = -(-len(part) // self._cluster_bytes)
            self._layout.append((True, clusters))
            self.clusters += clusters

    def runs(self) -> list[Run]:
        """The runs of everything so far."""
        self._flush()
        return list(merged(self._runs))

    def _flush(self) -> None:
        stored = deque(self._store(self._buffer)) if self._buffer else deque()
        for has_data, clusters in self._layout:
            if not has_data:
                self._runs.append((None, clusters))
                continue
            while clusters:
                lcn, count = stored.popleft()
                assert lcn is not None, "data is not stored in a hole"
                if count > clusters:
                    stored.appendleft((lcn + clusters, count - clusters))
                    count = clusters
                self._runs.append((lcn, count))
                clusters -= count
        assert not stored
        self._buffer, self._layout = bytearray(), []
