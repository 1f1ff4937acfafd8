"""Changing the bytes of an attribute: in the record, in clusters, over holes and compressed units.

A stream leaves the record when it outgrows it and comes back only when it is cut to nothing: so does
Windows, which makes a stream anew when a file is overwritten but never pulls clusters back in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume.boot import Reader
from ntfsbuild.volume.free_space import FreeSpace
from ntfsbuild.volume.record_reader import Attribute
from ntfsbuild.volume.stream_reader import StreamReader


class Changeable(Reader, Protocol):
    """Storage that is read and changed."""

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` at `offset`."""

    def zero(self, offset: int, size_bytes: int) -> None:
        """Make a region read as zeros."""

    def declare_free(self, offset: int, size_bytes: int) -> None:
        """Say that nothing of the old volume lies here."""

    def commit(self) -> None:
        """Make everything that was written last."""


class StreamEditor:
    """Changes attributes of one volume; each method returns the attribute as it is afterwards."""

    def __init__(
        self,
        storage: Changeable,
        reader: StreamReader,
        space: Callable[[], FreeSpace],
        cluster_bytes: int,
        record_bytes: int,
    ) -> None:
        self._storage = storage
        self._reader = reader
        self._space = space
        self._cluster_bytes = cluster_bytes
        self._record_bytes = record_bytes

    # ------------------------------------------------------------------ clusters

    def take(self, clusters: int) -> list[Run]:
        """New clusters, of which the old volume holds nothing."""
        runs = self._space().take(clusters)
        for lcn, count in runs:
            assert lcn is not None
            self._storage.declare_free(lcn * self._cluster_bytes, count * self._cluster_bytes)
        return runs

    def store(self, data: bytes | bytearray) -> list[Run]:
        """Put a whole value into new clusters."""
        clusters = -(-len(data) // self._cluster_bytes)
        if not clusters:
            return []
        runs = self.take(clusters)
        self._write_runs(runs, 0, data)
        self._zero_runs(runs, len(data), clusters * self._cluster_bytes)
        return runs

    def free(self, one: Attribute) -> None:
        """Give back the clusters of an attribute."""
        self._space().give_back(one.runs)

    def _write_runs(self, runs: Sequence[Run], at: int, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        for offset, count in self._extents(runs, at, len(data)):
            assert offset is not None, "a hole is not written to"
            self._storage.write(offset, view[:count])
            view = view[count:]

    def _zero_runs(self, runs: Sequence[Run], at: int, end: int) -> None:
        for offset, count in self._extents(runs, at, end - at):
            if offset is not None:
                self._storage.zero(offset, count)

    def places(self, one: Attribute, at: int, size_bytes: int) -> list[tuple[int, int]]:
        """Where a part of a stream without holes lies: (offset on the volume, bytes)."""
        return [
            (offset, count) for offset, count in self._extents(one.runs, at, size_bytes) if offset is not None
        ]

    def _extents(self, runs: Sequence[Run], at: int, size_bytes: int) -> list[tuple[int | None, int]]:
        """Where a region of a stream lies on the volume (None: in a hole), run by run."""
        found: list[tuple[int | None, int]] = []
        for lcn, clusters in runs:
            run_bytes = clusters * self._cluster_bytes
            if size_bytes > 0 and at < run_bytes:
                count = min(size_bytes, run_bytes - at)
                found.append((None if lcn is None else lcn * self._cluster_bytes + at, count))
                at, size_bytes = run_bytes, size_bytes - count
            at -= run_bytes
        return found

    # ------------------------------------------------------------------ changes

    def write(self, one: Attribute, at: int, data: bytes | memoryview) -> Attribute:
        """Write `data` at byte `at`; what lies between the end and there reads as zeros."""
        self._refuse_encrypted(one)
        if not data:
            return one
        end = at + len(data)
        if one.value is not None:
            if end <= self._record_bytes:
                value = bytearray(one.value.ljust(end, b"\0"))
                value[at:end] = data
                return one._replace(value=bytes(value))
            one = self.leave_record(one)
        if one.flags & attribute.COMPRESSION_MASK:
            return self._write_compressed(one, at, bytes(data))
        one = self._mapped(one, at, end)
        if one.initialized_bytes < at:
            self._zero_runs(one.runs, one.initialized_bytes, at)
        self._write_runs(one.runs, at, data)
        initialized = max(one.initialized_bytes, end)
        size = max(one.data_bytes, end)
        return one._replace(data_bytes=size, initialized_bytes=initialized)

    def truncate(self, one: Attribute, size_bytes: int) -> Attribute:
        """Cut or extend to `size_bytes`; what is added reads as zeros."""
        self._refuse_encrypted(one)
        if one.value is not None:
            if size_bytes <= self._record_bytes:
                return one._replace(value=one.value[:size_bytes].ljust(size_bytes, b"\0"))
            one = self.leave_record(one)
        sparse = one.flags & (attribute.SPARSE | attribute.COMPRESSION_MASK)
        if size_bytes == 0 and not sparse:
            self.free(one)
            return Attribute(one.type_code, one.name, one.flags, one.instance, b"")
        if size_bytes > one.data_bytes:
            return self._extended(one, size_bytes)._replace(data_bytes=size_bytes)
        return self._cut(one, size_bytes)

    def leave_record(self, one: Attribute) -> Attribute:
        """The same stream in clusters."""
        assert one.value is not None
        size = len(one.value)
        return one._replace(
            value=None, runs=tuple(self.store(one.value)), data_bytes=size, initialized_bytes=size
        )

    def _refuse_encrypted(self, one: Attribute) -> None:
        if one.flags & attribute.ENCRYPTED:
            raise VolumeError("the content is encrypted, and no key was given")

    def _unit_clusters(self, one: Attribute) -> int:
        """Clusters come and go in these units: whole ones where the stream has holes."""
        return 1 << one.compression_unit if one.flags & (attribute.SPARSE | attribute.COMPRESSION_MASK) else 1

    def _extended(self, one: Attribute, size_bytes: int) -> Attribute:
        """With clusters up to `size_bytes`: new ones, or a hole where holes are allowed."""
        have = sum(count for _, count in one.runs)
        unit = self._unit_clusters(one)
        need = -(-size_bytes // (self._cluster_bytes * unit)) * unit
        if need <= have:
            return one
        if one.flags & (attribute.SPARSE | attribute.COMPRESSION_MASK):
            return one._replace(runs=merged([*one.runs, (None, need - have)]))
        taken = self.take(need - have)
        # Nobody may see what lay there before: it is cleared up to the end of the clusters.
        self._zero_runs(taken, 0, (need - have) * self._cluster_bytes)
        return one._replace(runs=merged([*one.runs, *taken]))

    def _mapped(self, one: Attribute, at: int, end: int) -> Attribute:
        """With clusters for every byte from `at` to `end`."""
        have = sum(count for _, count in one.runs)
        unit = self._unit_clusters(one)
        need = -(-end // (self._cluster_bytes * unit)) * unit
        runs = list(one.runs)
        if need > have:
            if unit > 1 or any(lcn is None for lcn, _ in runs):
                runs = list(merged([*runs, (None, need - have)]))
            else:
                taken = self.take(need - have)
                first_byte = have * self._cluster_bytes
                self._zero_runs(taken, 0, max(0, at - first_byte))
                self._zero_runs(taken, max(0, end - first_byte), (need - have) * self._cluster_bytes)
                return one._replace(runs=merged([*runs, *taken]))
        first = at // (self._cluster_bytes * unit) * unit
        return one._replace(runs=self._filled(runs, first, min(need, -(-end // self._cluster_bytes)), unit))

    def _filled(self, runs: Sequence[Run], first: int, after: int, unit: int) -> tuple[Run, ...]:
        """The runs with new, cleared clusters in place of the holes from VCN `first` to `after`."""
        filled: list[Run] = []
        vcn = 0
        for lcn, count in runs:
            begin, end = max(first, vcn), min(-(-after // unit) * unit, vcn + count)
            if lcn is not None or begin >= end:
                filled.append((lcn, count))
            else:
                taken = self.take(end - begin)
                self._zero_runs(taken, 0, (end - begin) * self._cluster_bytes)
                filled += [(None, begin - vcn), *taken, (None, vcn + count - end)]
            vcn += count
        return merged(filled)

    def _cut(self, one: Attribute, size_bytes: int) -> Attribute:
        unit = self._unit_clusters(one)
        keep = -(-size_bytes // (self._cluster_bytes * unit)) * unit
        if one.flags & attribute.COMPRESSION_MASK and size_bytes % (self._cluster_bytes * unit):
            # What is kept of the last unit must not show what was cut when the stream grows again.
            begin = size_bytes // (self._cluster_bytes * unit) * (self._cluster_bytes * unit)
            kept = self._read(one, begin, size_bytes - begin)
            one = self._write_compressed(one._replace(data_bytes=begin), begin, kept)
        kept_runs: list[Run] = []
        freed: list[Run] = []
        vcn = 0
        for lcn, count in one.runs:
            stay = max(0, min(count, keep - vcn))
            kept_runs.append((lcn, stay))
            freed.append((None if lcn is None else lcn + stay, count - stay))
            vcn += count
        self._space().give_back([run for run in freed if run[1]])
        return one._replace(
            runs=merged(kept_runs),
            data_bytes=size_bytes,
            initialized_bytes=min(one.initialized_bytes, size_bytes),
        )

    def _read(self, one: Attribute, at: int, size_bytes: int) -> bytes:
        """A part of a stream, whatever it is made of; zeros behind its end."""
        found = bytearray()
        done = 0
        for piece in self._reader.pieces(one):
            if done + len(piece) > at:
                found += piece[max(0, at - done) :]
            done += len(piece)
            if done >= at + size_bytes:
                break
        return bytes(found[:size_bytes].ljust(size_bytes, b"\0"))

    def _write_compressed(self, one: Attribute, at: int, data: bytes) -> Attribute:
        """The units that are touched are stored as they are, which every reader takes."""
        unit_clusters = 1 << one.compression_unit
        unit_bytes = unit_clusters * self._cluster_bytes
        end = at + len(data)
        first, after = at // unit_bytes, -(-end // unit_bytes)
        have = sum(count for _, count in one.runs)
        runs = list(one.runs)
        if after * unit_clusters > have:
            runs.append((None, after * unit_clusters - have))
        begin = first * unit_bytes
        whole = bytearray(self._read(one, begin, after * unit_bytes - begin))
        whole[at - begin : end - begin] = data
        kept: list[Run] = []
        freed: list[Run] = []
        vcn = 0
        inside = False
        for lcn, count in runs:
            before = max(0, min(count, first * unit_clusters - vcn))
            behind = max(0, min(count, vcn + count - after * unit_clusters))
            middle = count - before - behind
            if before:
                kept.append((lcn, before))
            if middle and not inside:
                kept += self.store(whole)
                inside = True
            if middle and lcn is not None:
                freed.append((lcn + before, middle))
            if behind:
                kept.append((None if lcn is None else lcn + before + middle, behind))
            vcn += count
        self._space().give_back(freed)
        size = max(one.data_bytes, end)
        return one._replace(
            runs=merged(kept), data_bytes=size, initialized_bytes=max(one.initialized_bytes, size)
        )


def merged(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs without empty ones, neighbours joined."""
    out: list[Run] = []
    for lcn, count in runs:
        if not count:
            continue
        if out:
            last, clusters = out[-1]
            if (lcn is None and last is None) or (
                lcn is not None and last is not None and last + clusters == lcn
            ):
                out[-1] = (last, clusters + count)
                continue
        out.append((lcn, count))
    return tuple(out)
