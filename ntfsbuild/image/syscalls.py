"""The calls by which image/ changes what the host keeps, in one place.

Everything that could be cut short by a kill, a full disk or a power cut goes through here, so that
tests can count these calls and end the world at any of them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable

# linux/falloc.h and linux/fs.h; a host without them answers ENOTTY.
_FS_IOC_UNRESVSP64 = 0x4030582B
_SPACE_RESV = struct.Struct("=hhiqqiI16x")
_FICLONE = 0x40049409
_FOLDERS_CANNOT = (errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF)

create: Callable[[str, int, int], int] = os.open
pwrite: Callable[[int, bytes | bytearray | memoryview, int], int] = os.pwrite
set_size: Callable[[int, int], None] = os.ftruncate
unlink: Callable[[str], None] = os.unlink
replace: Callable[[str, str], None] = os.replace
set_mode: Callable[[int, int], None] = os.fchmod
copy_file_range: Callable[[int, int, int, int, int], int] | None = getattr(os, "copy_file_range", None)


def fsync(descriptor: int) -> None:
    """Return when what was written to a file is on the medium."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)  # On macOS fsync only hands it to the drive.


def fsync_folder(folder: str) -> None:
    """Return when the names in a folder are on the medium, where the host can say so."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _FOLDERS_CANNOT:
            raise
    finally:
        os.close(descriptor)


def name_file(descriptor: int, path: str) -> None:
    """Give a file that has no name (`O_TMPFILE`) one."""
    # With a (needless) directory Python calls linkat; only linkat obeys the flag for following links.
    os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)


def punch_hole(descriptor: int, offset: int, size_bytes: int) -> None:
    """Give a region of a regular file back to the host: it reads as zeros and takes no room."""
    fcntl.ioctl(descriptor, _FS_IOC_UNRESVSP64, _SPACE_RESV.pack(0, 0, 0, offset, size_bytes, 0, 0))


def clone(source: int, target: int) -> None:
    """Make a file share the blocks of another one until either is written."""
    fcntl.ioctl(target, _FICLONE, source)
