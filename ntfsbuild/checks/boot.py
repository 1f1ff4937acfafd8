"""The boot sector and its backup: from them all else is found."""

from __future__ import annotations

import struct

from ntfsbuild.checks.findings import Findings
from ntfsbuild.checks.state import BootGeometry
from ntfsbuild.checks.storage import Source
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import boot_sector
from ntfsbuild.ondisk.boot_sector import BootSector

_SECTOR_SIZES = (256, 512, 1024, 2048, 4096)
_RECORD_SIZES = (1024, 2048, 4096)
_LARGEST_CLUSTER = 2 << 20
_MOST_CLUSTERS = 1 << 32
_POWERS_BEGIN = 256 - 7  # What is less than 256 sectors is said as it is.
_HEAD_BYTES = 512
_SHORT_JUMP, _NO_OPERATION, _JUMP = 0xEB, 0x90, 0xE9
_WORDS = struct.Struct("<20I")  # Of which the checksum behind them is the sum.


def check_boot(source: Source, findings: Findings) -> BootGeometry:
    """The geometry; raises CorruptVolume where neither the boot sector nor its backup tells one."""
    data = source.read(0, 4096)
    found = Findings()
    geometry = _examined(data, found)
    if geometry is None:
        geometry = _from_backup(source)
        if geometry is None:
            why = "; ".join(f"{one.rule}: {one.found}" for one in found.kept) or "it is empty"
            raise CorruptVolume(f"neither the boot sector nor its backup tells the geometry ({why})")
        found.add("B19", None, "a boot sector", "only its backup makes sense", at=0)
    for one in found.kept:
        findings.add(one.rule, None, one.expected, one.found, one.attribute, one.offset)
    _check_size(source, geometry, data, findings)
    return geometry


def _examined(data: bytes, found: Findings) -> BootGeometry | None:
    """What a boot sector says; None where that is no volume."""
    if len(data) < _HEAD_BYTES:
        return None
    sector = BootSector.unpack(data)
    say = found.add
    if not (data[0] == _SHORT_JUMP and data[2] == _NO_OPERATION) and data[0] != _JUMP:
        say("B22", None, "eb .. 90, or e9", data[:3].hex(" "), at=0)
    if sector.oem_id != boot_sector.OEM_ID:
        say("B01", None, "NTFS", repr(sector.oem_id), at=3)
    if data[0x1FE:0x200] != boot_sector.SIGNATURE:
        say("B02", None, "55aa", data[0x1FE:0x200].hex(), at=0x1FE)
    if sector.reserved_sectors or any(sector.fat_fields) or sector.fat_sectors or sector.fat_total_sectors:
        say("B07", None, "zeros", "something in the fields of FAT", at=0x0E)
    if sector.media != 0xF8:
        say("B08", None, "0xf8", f"{sector.media:#x}", at=0x15)
    if sector.serial == 0:
        say("B17", None, "a serial number", 0, at=0x48)
    total = sum(_WORDS.unpack_from(data)) & 0xFFFFFFFF
    if sector.checksum not in (0, total):
        say("B18", None, f"{total:#x}", f"{sector.checksum:#x}", at=_WORDS.size)
    return _geometry(sector, found)


def _geometry(sector: BootSector, found: Findings) -> BootGeometry | None:
    say = found.add
    per_cluster = boot_sector.decode_sectors_per_cluster(sector.sectors_per_cluster)
    if sector.bytes_per_sector not in _SECTOR_SIZES:
        say("B03", None, "256 to 4096, a power of two", sector.bytes_per_sector, at=0x0B)
        return None
    if per_cluster is None:
        say("B04", None, "a power of two", f"{sector.sectors_per_cluster:#x}", at=0x0D)
        return None
    if sector.sectors_per_cluster >= _POWERS_BEGIN:
        say("B05", None, f"{per_cluster:#x}", f"{sector.sectors_per_cluster:#x}", at=0x0D)
    cluster = sector.bytes_per_sector * per_cluster
    if cluster > _LARGEST_CLUSTER:
        say("B06", None, f"at most {_LARGEST_CLUSTER}", cluster, at=0x0D)
        return None
    record = boot_sector.decode_size(sector.clusters_per_record, cluster)
    block = boot_sector.decode_size(sector.clusters_per_index_block, cluster)
    if record not in _RECORD_SIZES:
        say("B14", None, "1024, 2048 or 4096 bytes", record or "nonsense", at=0x40)
        return None
    if block is None or block % 512 or not 512 <= block <= 65536:
        say("B15", None, "512 to 65536 bytes", block or "nonsense", at=0x44)
        return None
    geometry = BootGeometry(
        sector.bytes_per_sector,
        cluster,
        record,
        block,
        sector.total_sectors,
        sector.mft_lcn,
        sector.mft_mirror_lcn,
    )
    clusters = geometry.clusters
    if clusters >= _MOST_CLUSTERS:
        say("B16", None, f"less than {_MOST_CLUSTERS}", clusters, at=0x28)
        return None
    if not 0 < sector.mft_lcn < clusters:
        say("B12", None, f"1 to {clusters - 1}", sector.mft_lcn, at=0x30)
        return None
    if not 0 < sector.mft_mirror_lcn < clusters or sector.mft_mirror_lcn == sector.mft_lcn:
        say("B13", None, f"1 to {clusters - 1}, other than $MFT's", sector.mft_mirror_lcn, at=0x38)
    return geometry


def _from_backup(source: Source) -> BootGeometry | None:
    """What the backup says, which lies in the last sector, however large that is."""
    for sector_bytes in _SECTOR_SIZES:
        if source.size_bytes < sector_bytes:
            break
        data = source.read(source.size_bytes - sector_bytes, max(sector_bytes, _HEAD_BYTES))
        if data[3:11] == boot_sector.OEM_ID:
            return _examined(data.ljust(_HEAD_BYTES, b"\0"), Findings())
    return None


def _check_size(source: Source, geometry: BootGeometry, data: bytes, findings: Findings) -> None:
    """Whether the image holds the volume, and the backup where it belongs."""
    sector, last = geometry.sector_bytes, geometry.total_sectors
    there = source.size_bytes // sector
    if there < last + 1:
        findings.add("B09", None, f"{last + 1} sectors", there, at=0x28)
        return
    # It belongs behind the volume; there are makers that take its last sector, or that of the partition.
    copies = [
        place for place in (last, last - 1, there - 1) if source.read(place * sector, sector) == data[:sector]
    ]
    if not copies and sector >= _HEAD_BYTES:  # mkntfs puts it elsewhere where they are smaller.
        findings.add("B11", None, "a copy of the first sector", "something else", at=last * sector)
    if there > last + 1 and sector != 256 and there - 1 not in copies:
        findings.add("B10", None, f"{last + 1} sectors", there, at=0x28)
