"""The smallest size of a new volume, and the sizes of its log and its bitmap."""

from __future__ import annotations

import math

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.log_file import LOG_PAGE_BYTES, log_file_bytes
from ntfsbuild.volume.geometry import bitmap_bytes


class Tail(NamedTuple):
    """The last parts of a volume of `clusters` clusters: the log and the cluster bitmap."""

    clusters: int
    log_clusters: int
    bitmap_clusters: int

    @property
    def own_clusters(self) -> int:
        """Clusters of the two together."""
        return self.log_clusters + self.bitmap_clusters


def tail_of(clusters: int, cluster_bytes: int) -> Tail:
    """The log and the bitmap of a volume of that many clusters."""
    log = -(-log_file_bytes(clusters * cluster_bytes) // cluster_bytes)
    return Tail(clusters, log, -(-bitmap_bytes(clusters) // cluster_bytes))


def smallest(
    used_clusters: int, cluster_bytes: int, extra_bytes: int = 0, extra_percent: float = 0.0
) -> Tail:
    """The smallest volume with room for `used_clusters`, its log and bitmap, and the extras.

    The log and the bitmap grow with the volume, so this is a least fixed point, reached from below.
    """

    def grow(wanted: int) -> Tail:
        tail = tail_of(wanted, cluster_bytes)
        while wanted + tail.own_clusters > tail.clusters:
            tail = tail_of(wanted + tail.own_clusters, cluster_bytes)
        return tail

    tail = grow(used_clusters)
    extra = -(-extra_bytes // cluster_bytes) + math.ceil(tail.clusters * extra_percent / 100)
    return grow(used_clusters + extra) if extra else tail


def fitting(used_clusters: int, clusters: int, cluster_bytes: int) -> Tail:
    """The log and the bitmap of a volume of a given size, at least `smallest` of what it holds.

    The log is the usual one, or as much smaller as it takes: logs grow in steps, and a volume just above
    a step must not hold less than one just below.
    """
    tail = tail_of(clusters, cluster_bytes)
    room = clusters - used_clusters - tail.bitmap_clusters
    unit = max(1, LOG_PAGE_BYTES // cluster_bytes)
    return tail._replace(log_clusters=min(tail.log_clusters, room // unit * unit))
