"""$Boot: the BIOS parameter block in the first sector, its copy in the last.  specs/ondisk/boot_sector.md"""

from __future__ import annotations

from ntfsbuild.ondisk.layout import OnDisk, raw, s8, u8, u16, u32, u64

OEM_ID = b"NTFS    "
SIGNATURE = b"\x55\xaa"
SIGNATURE_AT = 0x1FE
BOOT_FILE_BYTES = 8192  # The size of $Boot:$DATA, or one cluster if clusters are larger.

# Of new volumes; volumes of other makers may have other sizes.
SECTOR_SIZES = (512, 1024, 2048, 4096)
CLUSTER_SIZES = tuple(512 << shift for shift in range(13))
RECORD_SIZES = (1024, 2048, 4096)

# New volumes have no boot loader: halt, and halt again after every interrupt.
_HALT_FOREVER = b"\xf4\xeb\xfd"


class BootSector(OnDisk, size=0x54):
    """The first 84 bytes of the volume; a sector is `bytes_per_sector`, the rest follows from it."""

    jump: bytes = raw(3, at=0x00, default=b"\xeb\x52\x90")
    oem_id: bytes = raw(8, at=0x03, default=OEM_ID)
    bytes_per_sector: int = u16(at=0x0B)
    sectors_per_cluster: int = u8(at=0x0D)  # Above 128: two to the power of (256 - value).
    reserved_sectors: int = u16(at=0x0E, default=0)
    fat_fields: bytes = raw(5, at=0x10, default=bytes(5))
    media: int = u8(at=0x15, default=0xF8)
    fat_sectors: int = u16(at=0x16, default=0)
    sectors_per_track: int = u16(at=0x18)
    heads: int = u16(at=0x1A)
    hidden_sectors: int = u32(at=0x1C)
    fat_total_sectors: int = u32(at=0x20, default=0)
    drive: bytes = raw(4, at=0x24, default=b"\x80\x00\x80\x00")
    total_sectors: int = u64(at=0x28)  # Without the last one, which holds the backup.
    mft_lcn: int = u64(at=0x30)
    mft_mirror_lcn: int = u64(at=0x38)
    clusters_per_record: int = s8(at=0x40)
    reserved_1: bytes = raw(3, at=0x41, default=bytes(3))
    clusters_per_index_block: int = s8(at=0x44)
    reserved_2: bytes = raw(3, at=0x45, default=bytes(3))
    serial: int = u64(at=0x48)
    checksum: int = u32(at=0x50, default=0)

    def sector(self) -> bytes:
        """The whole first sector: the block, code that halts the machine, and the signature."""
        code = self.pack() + _HALT_FOREVER
        return (code.ljust(SIGNATURE_AT, b"\0") + SIGNATURE).ljust(self.bytes_per_sector, b"\0")


def encode_sectors_per_cluster(sectors: int) -> int:
    """The byte for a power of two: itself up to 128, above that a negative power of two."""
    return sectors if sectors <= 128 else 256 - (sectors.bit_length() - 1)


def decode_sectors_per_cluster(value: int) -> int | None:
    """Sectors in a cluster, or None if the byte is invalid."""
    if value > 0x80:
        return 1 << (256 - value) if value >= 0xF4 else None
    return value if value and value & (value - 1) == 0 else None


def encode_size(size_bytes: int, cluster_bytes: int) -> int:
    """The byte for a record or index block: its clusters, or minus log2 of its bytes if less than one."""
    if size_bytes >= cluster_bytes:
        return size_bytes // cluster_bytes
    return -(size_bytes.bit_length() - 1)


def decode_size(value: int, cluster_bytes: int) -> int | None:
    """Bytes of a record or index block, or None if the byte is invalid."""
    if value > 0:
        return value * cluster_bytes
    return 1 << -value if -31 < value < 0 else None
