"""$VOLUME_INFORMATION: the version of NTFS and the volume's flags.  specs/ondisk/volume_information.md"""

from __future__ import annotations

import re

from ntfsbuild.ondisk.layout import OnDisk, raw, u8, u16

DIRTY = 0x0001
NO_SHORT_NAMES = 0x0080  # Windows sets it where it formats with 8.3 names off.

FLAG_NAMES = {
    DIRTY: "dirty",
    0x0002: "resize_log_file",
    0x0004: "upgrade_on_mount",
    0x0008: "mounted_on_nt4",
    0x0010: "delete_usn_underway",
    0x0020: "repair_object_ids",
    NO_SHORT_NAMES: "no_short_names",
    0x4000: "chkdsk_underway",
    0x8000: "modified_by_chkdsk",
}
MAX_LABEL_UNITS = 32  # Windows formats and renames with no longer label.
LARGEST_LABEL_BYTES = 256  # 128 characters, as $AttrDef says.
_control = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class VolumeInformation(OnDisk, size=0x0C):
    """Always resident, in record 3."""

    reserved: bytes = raw(8, at=0x00, default=bytes(8))
    major: int = u8(at=0x08, default=3)
    minor: int = u8(at=0x09, default=1)
    flags: int = u16(at=0x0A, flags=FLAG_NAMES)


def what_is_wrong_with_label(label: str) -> str | None:
    """Why a label is not allowed, in words that follow the label; None if it is."""
    if control := _control.search(label):
        return f"is not a label: it holds the control U+{ord(control[0]):04X}"
    units = len(label.encode("utf-16-le", "surrogatepass")) // 2
    if units > MAX_LABEL_UNITS:
        return f"is longer than a label can be ({units} UTF-16 units, at most {MAX_LABEL_UNITS})"
    return None
