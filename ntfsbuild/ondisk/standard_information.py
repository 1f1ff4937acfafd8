"""$STANDARD_INFORMATION: times, DOS attributes, owner.  specs/ondisk/standard_information.md"""

from __future__ import annotations

from typing import TypeAlias

from ntfsbuild.ondisk.file_attributes import FLAG_NAMES
from ntfsbuild.ondisk.layout import OnDisk, u32, u64

TIME_NAMES = ("created", "modified", "changed", "accessed")
Ticks4: TypeAlias = tuple[int, int, int, int]  # Created, modified, changed, accessed: FILETIMEs in ticks.

SHORT_SIZE = 0x30  # The form of NTFS 1.2, still in use on records with their own security descriptor.


class StandardInformation(OnDisk, size=0x48):
    """The NTFS 3.x form, always resident.  A tick is 100 ns, counted from 1601-01-01 UTC."""

    created_ticks: int = u64(at=0x00)
    modified_ticks: int = u64(at=0x08)
    changed_ticks: int = u64(at=0x10)  # Of the MFT record itself; Explorer never shows it.
    accessed_ticks: int = u64(at=0x18)
    attributes: int = u32(at=0x20, flags=FLAG_NAMES)
    version_max: int = u32(at=0x24, default=0)
    version: int = u32(at=0x28, default=0)
    class_id: int = u32(at=0x2C, default=0)
    owner_id: int = u32(at=0x30, default=0)
    security_id: int = u32(at=0x34)  # A key of $Secure:$SII.
    quota_charged: int = u64(at=0x38, default=0)
    usn: int = u64(at=0x40, default=0)

    @property
    def is_case_sensitive(self) -> bool:
        """Of a directory: whether names in it that differ in case are different names."""
        return self.version_max == 0 and self.version == 1
