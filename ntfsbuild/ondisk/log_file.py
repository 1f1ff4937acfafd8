"""$LogFile: its size, and the content of an empty one.  specs/ondisk/log_file.md"""

from __future__ import annotations

from ntfsbuild.ondisk.layout import align

# A log in which every byte is this has never been used: Windows' own format leaves it so, and every
# driver takes it as clean.
EMPTY_BYTE = 0xFF

_KIB, _MIB = 1 << 10, 1 << 20
LOG_PAGE_BYTES = 4096
LARGEST_BYTES = 64 * _MIB


def log_file_bytes(volume_bytes: int) -> int:
    """The size of the log for a volume, much as mkntfs chooses it, but never less for a larger volume."""
    if volume_bytes < 2 * _MIB:
        return 256 * _KIB
    if volume_bytes < 4 * _MIB:
        return 512 * _KIB
    return min(max(2 * _MIB, align(volume_bytes // 200, LOG_PAGE_BYTES)), LARGEST_BYTES)
