"""Sizes of a volume: the values of its boot sector, and values computed from them."""

from __future__ import annotations

from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk.layout import align

MOST_CLUSTERS = 2**32 - 1  # LCNs fit 32 bits in Windows.


class Geometry(NamedTuple):
    """Bytes of a sector, a cluster and an MFT record; sectors and whole clusters of the volume.

    `total_sectors` is the boot sector's value: without the last sector, which holds the backup.
    """

    sector_bytes: int
    cluster_bytes: int
    record_bytes: int
    total_sectors: int
    serial: int
    hidden_sectors: int = 0
    sectors_per_track: int = 63
    heads: int = 255

    @property
    def cluster_count(self) -> int:
        """The number of whole clusters; sectors behind the last one belong to no file."""
        return self.total_sectors * self.sector_bytes // self.cluster_bytes

    @property
    def size_bytes(self) -> int:
        """The size of the volume, with the backup boot sector."""
        return (self.total_sectors + 1) * self.sector_bytes

    def clusters(self, size_bytes: int) -> int:
        """The number of clusters for `size_bytes`."""
        return -(-size_bytes // self.cluster_bytes)

    @property
    def mirrored_records(self) -> int:
        """The number of records in $MFTMirr: four, or as many as one cluster holds."""
        return max(4, self.cluster_bytes // self.record_bytes)


def bitmap_bytes(bits: int) -> int:
    """The size of a bitmap in bytes, a multiple of eight."""
    return align(-(-bits // 8), 8)
