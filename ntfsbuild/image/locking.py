"""Opens and locks an image: no process changes it during a read, and only one process changes it.

The lock is flock's, on the image itself: it ends with the process in any case, and does not affect programs
that do not use it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat

from ntfsbuild.errors import HostError, VolumeError
from ntfsbuild.image.open_file import refused

_HELD = (errno.EWOULDBLOCK, errno.EACCES)
_ATTEMPTS = 8


def open_locked(path: str | os.PathLike[str], *, writable: bool, exclusive: bool) -> int:
    """A descriptor of a regular file or block device, with a shared or an exclusive lock on it.

    Raises HostError where the host refuses or another process is at it, VolumeError for what can be no
    image.
    """
    for _ in range(_ATTEMPTS):
        descriptor = _open(path, writable)
        try:
            _lock(descriptor, os.fspath(path), exclusive)
            if _is_still_at(descriptor, path):
                return descriptor
        except BaseException:
            close(descriptor)
            raise
        close(descriptor)  # The image was replaced between opening and locking.
    raise HostError(f"{os.fspath(path)}: is being replaced again and again")


def close(descriptor: int) -> None:
    """Close a descriptor, and with it what it has locked."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


def _open(path: str | os.PathLike[str], writable: bool) -> int:
    shown = os.fspath(path)
    flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags)  # Without waiting for who may write to a FIFO.
    except (OSError, ValueError) as error:
        raise refused(shown, error) from error
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind in (stat.S_IFREG, stat.S_IFBLK):
        return descriptor
    close(descriptor)
    if kind == stat.S_IFDIR:
        raise HostError(f"{shown}: {os.strerror(errno.EISDIR)}")
    raise VolumeError("not an NTFS volume: neither a file nor a block device")


def _lock(descriptor: int, shown: str, exclusive: bool) -> None:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD:
            if exclusive:
                raise HostError(f"{shown}: the host cannot lock it: {error.strerror}") from error
            return  # Such a host has no writers of ours, either.
        doing = "read" if exclusive and _may_share(descriptor) else "changed"
        raise HostError(f"{shown}: is being {doing} by another process") from error


def _may_share(descriptor: int) -> bool:
    """Whether those who hold the lock are readers."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_still_at(descriptor: int, path: str | os.PathLike[str]) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False
