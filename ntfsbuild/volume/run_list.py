"""Arithmetic on run lists: locating parts of a stream; joining, cutting and replacing runs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from ntfsbuild.ondisk.runs import Run


def clusters_of(runs: Iterable[Run]) -> int:
    """The number of clusters (VCNs) in a run list, holes included."""
    return sum([count for _, count in runs])  # A list is quicker: runs are few.


def merged(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs without empty ones; adjacent runs are joined."""
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


def part(runs: Iterable[Run], first: int, after: int) -> Iterator[Run]:
    """The runs from VCN `first` up to, not including, `after`."""
    vcn = 0
    for lcn, count in runs:
        begin, end = max(first, vcn), min(after, vcn + count)
        if begin < end:
            yield None if lcn is None else lcn + begin - vcn, end - begin
        vcn += count


def replaced(runs: Sequence[Run], first: int, after: int, new: Iterable[Run]) -> tuple[Run, ...]:
    """The runs with those from VCN `first` up to, not including, `after` replaced by `new`."""
    return merged([*part(runs, 0, first), *new, *part(runs, after, max(after, clusters_of(runs)))])


class RunPlaces:
    """Maps offsets of a stream to offsets of the volume, by binary search in the runs."""

    def __init__(self, runs: Iterable[Run], cluster_bytes: int) -> None:
        self._begins: list[int] = []  # In the stream.
        self._runs: list[tuple[int | None, int]] = []  # In the volume, and the end in the stream.
        at = 0
        for lcn, clusters in runs:
            self._begins.append(at)
            at += clusters * cluster_bytes
            self._runs.append((None if lcn is None else lcn * cluster_bytes, at))
        self.size_bytes = at

    def find(self, at: int, size_bytes: int) -> Iterator[tuple[int | None, int]]:
        """A region as pieces, up to the end of the runs: (offset in the volume, None in a hole; bytes)."""
        nth, stop = bisect_right(self._begins, at) - 1, min(at + size_bytes, self.size_bytes)
        while at < stop:
            begin, (where, end) = self._begins[nth], self._runs[nth]
            count = min(end, stop) - at
            yield None if where is None else where + at - begin, count
            at, nth = at + count, nth + 1


def extents(
    runs: Iterable[Run], cluster_bytes: int, at: int, size_bytes: int
) -> Iterator[tuple[int | None, int]]:
    """The pieces of one region, for a single lookup."""
    return RunPlaces(runs, cluster_bytes).find(at, size_bytes)


def data_extents(
    runs: Iterable[Run], cluster_bytes: int, size_bytes: int, unit_clusters: int = 1
) -> list[tuple[int, int]]:
    """The byte ranges of a stream that have clusters, up to a size: (begin, end), adjacent ones joined.

    In a compressed stream a compression unit with at least one cluster counts as a whole.
    """
    found: list[tuple[int, int]] = []
    at, unit = 0, unit_clusters * cluster_bytes
    for lcn, clusters in runs:
        begin, end = at, at + clusters * cluster_bytes
        at = end
        begin, end = begin // unit * unit, min(-(-end // unit) * unit, size_bytes)
        if lcn is None or begin >= end:
            continue
        if found and found[-1][1] >= begin:
            begin = found.pop()[0]
        found.append((begin, end))
    return found


def has_holes(runs: Iterable[Run]) -> bool:
    """Whether a part of the stream has no clusters."""
    return any(lcn is None for lcn, _ in runs)
