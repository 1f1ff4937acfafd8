"""$VOLUME_INFORMATION: the version of NTFS and the volume's flags.  specs/ondisk/volume_information.md"""

from __future__ import annotations

from ntfsbuild.ondisk.layout import OnDisk, raw, u8, u16

DIRTY = 0x0001
NO_SHORT_NAMES = 0x0080  # Windows sets it where it formats with 8.3 names off.

MAX_LABEL_UNITS = 128


class VolumeInformation(OnDisk, size=0x0C):
    """Always resident, in record 3."""

    reserved: bytes = raw(8, at=0x00, default=bytes(8))
    major: int = u8(at=0x08, default=3)
    minor: int = u8(at=0x09, default=1)
    flags: int = u16(at=0x0A)
