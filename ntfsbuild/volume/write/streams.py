"""Changes the bytes of an attribute: resident, in clusters, sparse or compressed.

A stream becomes non-resident when its record is too small for it, and resident again only when it is cut to
zero bytes.  So does Windows: it makes a new stream when a file is overwritten, but never makes an existing
stream resident again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ntfsbuild.image.raw import Storage
from ntfsbuild.ondisk import attribute
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.volume import run_list
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.streams import StreamReader
from ntfsbuild.volume.run_list import clusters_of, merged
from ntfsbuild.volume.write.clusters import Clusters
from ntfsbuild.volume.write.compression_units import compressed_runs
from ntfsbuild.volume.write.extent import Extent
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.stream_maker import COMPRESSION_UNIT, StreamMaker

_HOLEY = attribute.SPARSE | attribute.COMPRESSION_MASK


class Streams:
    """Changes attributes of one volume; each method returns the changed attribute.

    The caller must refuse encrypted streams.
    """

    def __init__(
        self,
        storage: Storage,
        reader: StreamReader,
        clusters: Callable[[], Clusters],
        cluster_bytes: int,
        record_bytes: int,
    ) -> None:
        self._storage = storage
        self._reader = reader
        self._clusters = clusters
        self._cluster_bytes = cluster_bytes
        self._record_bytes = record_bytes
        self.moves = 0  # How often clusters were taken or given back.

    # ------------------------------------------------------------------ clusters

    def take(self, clusters: int) -> list[Run]:
        """New clusters, in one run if there is one."""
        runs = self._clusters().take(clusters)
        self.moves += bool(runs)
        return runs

    def take_extent(self, size_bytes: int) -> Extent:
        """Clusters for a stream whose owner writes it himself."""
        runs = self.take(-(-size_bytes // self._cluster_bytes))
        return Extent(self._storage, runs, size_bytes, self._cluster_bytes)

    def store(self, data: bytes | bytearray) -> list[Run]:
        """Put a whole value into new clusters."""
        extent = self.take_extent(len(data))
        extent.write(0, data)
        extent.finish()
        return list(extent.runs)

    def free(self, one: Attribute) -> None:
        """Give back the clusters of an attribute."""
        self._give_back(one.runs)

    def _give_back(self, runs: Sequence[Run]) -> None:
        if runs:
            self.moves += 1
            self._clusters().give_back(runs)

    def _write_runs(self, runs: Sequence[Run], at: int, data: bytes | memoryview) -> None:
        view = memoryview(data)
        for offset, count in run_list.extents(runs, self._cluster_bytes, at, len(data)):
            assert offset is not None, "a hole is not written to"
            self._storage.write(offset, view[:count])
            view = view[count:]

    def _zero_runs(self, runs: Sequence[Run], at: int, end: int) -> None:
        for offset, count in run_list.extents(runs, self._cluster_bytes, at, end - at):
            if offset is not None:
                self._storage.zero(offset, count)

    def places(self, one: Attribute, at: int, size_bytes: int) -> list[tuple[int, int]]:
        """Where a part of a stream without holes lies: (offset on the volume, bytes)."""
        found = run_list.extents(one.runs, self._cluster_bytes, at, size_bytes)
        return [(offset, count) for offset, count in found if offset is not None]

    def read_part(self, one: Attribute, at: int, size_bytes: int) -> bytes:
        """A part of a stream without holes, as it lies in its record or its clusters."""
        if one.value is not None:
            return one.value[at : at + size_bytes]
        return self._reader.read_at(one, at, size_bytes)

    # ------------------------------------------------------------------ changes

    def replace_value(self, state: FileState, type_code: int, name: str, value: bytes) -> None:
        """Replace the value of an attribute of a file, or remove the attribute if there is no value."""
        old = state.drop(type_code, name)
        if old is not None:
            self.free(old)
        if value:
            state.put(Attribute(type_code, name, 0, 0, value))

    def write(self, one: Attribute, at: int, data: bytes | memoryview) -> Attribute:
        """Write `data` at byte `at`; what lies between the end and there reads as zeros."""
        if not data:
            return one
        end = at + len(data)
        if one.value is not None:
            if end <= self._record_bytes:
                value = bytearray(one.value.ljust(end, b"\0"))
                value[at:end] = data
                return one._replace(value=bytes(value))
            one, value_before = _outside(one), one.value
            if not one.flags & _HOLEY:
                one = self._mapped(one, 0, end)  # All clusters at once, so that they lie together.
            if value_before:
                one = self._write_outside(one, 0, value_before)
        return self._write_outside(one, at, data)

    def _write_outside(self, one: Attribute, at: int, data: bytes | memoryview) -> Attribute:
        if one.flags & attribute.COMPRESSION_MASK:
            return self._write_units(one, at, bytes(data))
        end = at + len(data)
        one = self._mapped(one, at, end)
        if one.initialized_bytes < at:
            self._zero_runs(one.runs, one.initialized_bytes, at)
        self._write_runs(one.runs, at, data)
        return one._replace(
            data_bytes=max(one.data_bytes, end), initialized_bytes=max(one.initialized_bytes, end)
        )

    def truncate(self, one: Attribute, size_bytes: int) -> Attribute:
        """Cut or extend to `size_bytes`; added bytes are zeros."""
        if one.value is not None:
            if size_bytes <= self._record_bytes:
                return one._replace(value=one.value[:size_bytes].ljust(size_bytes, b"\0"))
            outside = _outside(one)
            outside = self._extended(outside, size_bytes)
            if one.value:
                outside = self._write_outside(outside, 0, one.value)
            return outside._replace(data_bytes=size_bytes)
        if size_bytes == 0 and not one.flags & _HOLEY:
            self.free(one)
            return Attribute(one.type_code, one.name, one.flags, one.instance, b"")
        if size_bytes > one.data_bytes:
            return self._extended(one, size_bytes)._replace(data_bytes=size_bytes)
        return self._cut(one, size_bytes)

    def leave_record(self, one: Attribute) -> Attribute:
        """The same attribute with its value in clusters."""
        return StreamMaker(self.store, self._cluster_bytes).leave_record(one)

    # ------------------------------------------------------------------ clusters of a stream

    def _units_up_to(self, one: Attribute, size_bytes: int) -> int:
        """How many clusters a stream of that size spans: whole units where it may have holes."""
        unit = 1 << one.compression_unit if one.flags & _HOLEY else 1
        return -(-size_bytes // (self._cluster_bytes * unit)) * unit

    def _extended(self, one: Attribute, size_bytes: int) -> Attribute:
        """With clusters up to `size_bytes`: new ones, or a hole where holes are allowed.

        What lies between the initialized and the new size is cleared: not every reader knows better.
        """
        have, need = clusters_of(one.runs), self._units_up_to(one, size_bytes)
        fresh: list[Run] = []
        if need > have:
            fresh = [(None, need - have)] if one.flags & _HOLEY else self.take(need - have)
        if not one.flags & attribute.COMPRESSION_MASK:
            self._zero_runs(one.runs, one.initialized_bytes, min(size_bytes, have * self._cluster_bytes))
        self._zero_runs(fresh, 0, clusters_of(fresh) * self._cluster_bytes)
        return one._replace(runs=merged([*one.runs, *fresh]))

    def _mapped(self, one: Attribute, at: int, end: int) -> Attribute:
        """With clusters for every byte from `at` to `end`."""
        have, need = clusters_of(one.runs), self._units_up_to(one, end)
        if not one.flags & _HOLEY and not run_list.has_holes(one.runs):
            if need <= have:
                return one
            taken = self.take(need - have)
            first_byte = have * self._cluster_bytes
            self._zero_runs(taken, 0, max(0, at - first_byte))
            self._zero_runs(taken, max(0, end - first_byte), (need - have) * self._cluster_bytes)
            return one._replace(runs=merged([*one.runs, *taken]))
        runs = merged([*one.runs, (None, max(0, need - have))])
        unit = 1 << one.compression_unit
        first = at // (self._cluster_bytes * unit) * unit
        return one._replace(runs=self._filled(runs, first, max(need, first)))

    def _filled(self, runs: Sequence[Run], first: int, after: int) -> tuple[Run, ...]:
        """The runs with new, cleared clusters in place of the holes from VCN `first` to `after`."""
        filled: list[Run] = []
        for lcn, count in run_list.part(runs, first, after):
            if lcn is not None:
                filled.append((lcn, count))
                continue
            taken = self.take(count)
            self._zero_runs(taken, 0, count * self._cluster_bytes)
            filled += taken
        return run_list.replaced(runs, first, after, filled)

    def _cut(self, one: Attribute, size_bytes: int) -> Attribute:
        keep = self._units_up_to(one, size_bytes)
        if one.flags & attribute.COMPRESSION_MASK:
            unit_bytes = self._cluster_bytes << one.compression_unit
            if size_bytes % unit_bytes:
                # What is kept of the last unit must not show what was cut when the stream grows again.
                begin = size_bytes // unit_bytes * unit_bytes
                kept = self._reader.part(one, begin, size_bytes - begin)
                one = self._write_units(one, begin, kept.ljust(unit_bytes, b"\0"))
        self._give_back(list(run_list.part(one.runs, keep, max(keep, clusters_of(one.runs)))))
        return one._replace(
            runs=tuple(run_list.part(one.runs, 0, keep)),
            data_bytes=size_bytes,
            initialized_bytes=min(one.initialized_bytes, size_bytes),
        )

    def _write_units(self, one: Attribute, at: int, data: bytes) -> Attribute:
        """The units that are touched are compressed anew."""
        unit_clusters = 1 << one.compression_unit
        unit_bytes = unit_clusters * self._cluster_bytes
        size, end = one.data_bytes, at + len(data)
        if one.initialized_bytes // unit_bytes < at // unit_bytes:
            one = self._cut(one, one.initialized_bytes)  # What lay behind must not come to light.
        first, after = at // unit_bytes, -(-end // unit_bytes)
        missing = after * unit_clusters - clusters_of(one.runs)
        runs = merged([*one.runs, (None, max(0, missing))])
        begin = first * unit_bytes
        whole = bytearray(self._reader.part(one, begin, after * unit_bytes - begin))
        whole[at - begin : end - begin] = data
        first, after = first * unit_clusters, after * unit_clusters
        self._give_back(list(run_list.part(runs, first, after)))
        new = compressed_runs([(0, bytes(whole))], len(whole), self._cluster_bytes, self.store)
        runs = run_list.replaced(runs, first, after, new)
        span = self._units_up_to(one, size) - clusters_of(runs)
        return one._replace(
            runs=merged([*runs, (None, max(0, span))]),
            data_bytes=max(size, end),
            initialized_bytes=max(one.initialized_bytes, end),
        )


def _outside(one: Attribute) -> Attribute:
    """The attribute in clusters, still without any."""
    unit = COMPRESSION_UNIT if one.flags & _HOLEY else 0
    return one._replace(value=None, runs=(), data_bytes=0, initialized_bytes=0, compression_unit=unit)
