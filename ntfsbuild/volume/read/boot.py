"""Reads and checks the boot sector of a volume."""

from __future__ import annotations

from typing import Protocol

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import boot_sector
from ntfsbuild.ondisk.boot_sector import CLUSTER_SIZES, BootSector
from ntfsbuild.volume.geometry import Geometry

_SECTOR_SIZES = (256, 512, 1024, 2048, 4096)
_INDEX_BLOCK_SIZES = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
_RECORD_SIZES = (512, 1024, 2048, 4096)


class Reader(Protocol):
    """Bytes at offsets, for reading."""

    @property
    def size_bytes(self) -> int:
        """The number of bytes."""

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read `size_bytes`; fewer only at the end."""

    def close(self) -> None:
        """Close the source of the bytes."""


class Boot(NamedTuple):
    """The geometry, and the LCN of $MFT."""

    geometry: Geometry
    mft_lcn: int
    index_block_bytes: int


def read_boot(storage: Reader) -> Boot:
    """The boot sector of a volume; raises CorruptVolume if it is not an NTFS boot sector."""
    data = storage.read(0, 512)
    if len(data) < 512:
        raise CorruptVolume(f"not an NTFS volume: it has {len(data)} bytes")
    sector = BootSector.unpack(data)
    if sector.oem_id != boot_sector.OEM_ID:
        raise CorruptVolume(
            f"not an NTFS volume: the boot sector says {sector.oem_id!r} at 0x3, not {boot_sector.OEM_ID!r}"
        )
    per_cluster = boot_sector.decode_sectors_per_cluster(sector.sectors_per_cluster)
    if sector.bytes_per_sector not in _SECTOR_SIZES or per_cluster is None:
        raise CorruptVolume(
            f"boot sector: {sector.bytes_per_sector} bytes a sector at 0xb, "
            f"{sector.sectors_per_cluster:#x} sectors a cluster at 0xd"
        )
    cluster_bytes = sector.bytes_per_sector * per_cluster
    if cluster_bytes > CLUSTER_SIZES[-1]:
        most = CLUSTER_SIZES[-1]
        raise CorruptVolume(f"boot sector: a cluster of {cluster_bytes} bytes, {most} is the most")
    record_bytes = boot_sector.decode_size(sector.clusters_per_record, cluster_bytes)
    block_bytes = boot_sector.decode_size(sector.clusters_per_index_block, cluster_bytes)
    if record_bytes not in _RECORD_SIZES or block_bytes not in _INDEX_BLOCK_SIZES:
        raise CorruptVolume(
            f"boot sector: MFT records of {record_bytes} bytes, index blocks of {block_bytes}"
        )
    geometry = Geometry(
        sector_bytes=sector.bytes_per_sector,
        cluster_bytes=cluster_bytes,
        record_bytes=record_bytes,
        total_sectors=sector.total_sectors,
        serial=sector.serial,
        hidden_sectors=sector.hidden_sectors,
        sectors_per_track=sector.sectors_per_track,
        heads=sector.heads,
    )
    if not 0 < sector.mft_lcn < geometry.cluster_count:
        raise CorruptVolume(
            f"boot sector: $MFT at cluster {sector.mft_lcn}, the volume has {geometry.cluster_count}"
        )
    return Boot(geometry, sector.mft_lcn, block_bytes)
