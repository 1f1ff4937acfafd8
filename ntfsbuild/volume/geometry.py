"""Sizes of a volume: what its boot sector says and what follows from it."""

from __future__ import annotations

from typing import NamedTuple

from ntfsbuild.ondisk.layout import align

MOST_CLUSTERS = 2**32 - 1  # LCNs fit 32 bits in Windows.


class Geometry(NamedTuple):
    """Bytes a sector, a cluster and an MFT record; whole clusters and sectors of the volume.

    `total_sectors` counts as the boot sector does: without the last one, which holds the backup.
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
        """Whole clusters; what is left behind the last one belongs to no file."""
        return self.total_sectors * self.sector_bytes // self.cluster_bytes

    @property
    def size_bytes(self) -> int:
        """The whole volume, backup boot sector included."""
        return (self.total_sectors + 1) * self.sector_bytes

    def clusters(self, size_bytes: int) -> int:
        """Clusters that `size_bytes` take."""
        return -(-size_bytes // self.cluster_bytes)

    @property
    def mirrored_records(self) -> int:
        """How many records $MFTMirr repeats: four, or all that fit one cluster."""
        return max(4, self.cluster_bytes // self.record_bytes)


def bitmap_bytes(bits: int) -> int:
    """The size of a bitmap: whole bytes, a multiple of eight."""
    return align(-(-bits // 8), 8)
