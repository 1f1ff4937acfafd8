"""A new folder of the host: it appears at its path when it is complete, or not at all.

Until then it is a locked folder `.ntfsbuild-*.part` beside that path.  The folder of a killed process has no
lock any more; it is removed when the next folder is made.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ntfsbuild.errors import HostError, ManifestError

_PREFIX, _SUFFIX = ".ntfsbuild-", ".part"
_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def new_folder(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Iterator[str]:
    """A folder to be filled, which becomes `path` on success; `path` may be an empty folder before.

    Raises ManifestError if `path` is anything else, HostError if the host refuses, also for errors inside.
    """
    shown = os.fsdecode(path)
    target = os.path.realpath(shown)
    if os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target)):
        raise ManifestError(f"{shown}: is there already, and is not an empty directory")
    try:
        remove_abandoned(os.path.dirname(target))
        passing, descriptor = _made(os.path.dirname(target))
    except OSError as error:
        raise HostError(f"{shown}: {error.strerror}") from None
    try:
        yield passing
        # By its descriptor: under its name there may be a link to something else by then.
        os.fchmod(descriptor, 0o755)
        os.rename(passing, target)  # An empty directory is replaced.
    except OSError as error:
        _remove_tree(passing)
        raise HostError(f"{shown}: {error.strerror}") from None
    except BaseException:
        _remove_tree(passing)
        raise
    finally:
        os.close(descriptor)


def remove_abandoned(parent: str) -> None:
    """Remove the folders of killed processes: those of this user that are not locked."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        found = [one for one in entries if one.name.startswith(_PREFIX) and one.name.endswith(_SUFFIX)]
        for entry in found:
            with contextlib.suppress(OSError):
                descriptor = os.open(entry.path, _FLAGS)
                try:
                    if _is_ours(descriptor) and _lock(descriptor):
                        _remove_tree(entry.path)
                finally:
                    os.close(descriptor)


def _made(parent: str) -> tuple[str, int]:
    """The path of a new folder, and a descriptor that has it locked, where the file system can lock."""
    while True:
        passing = tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=parent)
        try:
            descriptor = os.open(passing, _FLAGS)
        except FileNotFoundError:
            continue  # Until it is locked, another process may take it for abandoned.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = not os.path.lexists(passing)
        except BlockingIOError:
            taken = True
        except OSError:
            taken = False
        if not taken:
            return passing, descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock exclusively; False if another process has the lock, or if the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_ours(descriptor: int) -> bool:
    status = os.fstat(descriptor)
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _remove_tree(path: str) -> None:
    """Remove as much of a folder as possible, in one loop: it may be deeper than the longest path.

    The content of a directory in it is moved up before the directory is removed.
    """
    with contextlib.suppress(OSError):
        top, number = os.open(path, _FLAGS), 0
        new_name = os.path.basename(path) + "-{}"  # Random, so that nothing in it can have such a name.
        try:
            before: list[str] = []
            while (directories := _without_files(top)) != before:
                for name in directories:
                    number = _emptied(top, name, new_name, number)
                before = directories  # The host refused to remove the rest.
        finally:
            os.close(top)
        os.rmdir(path)


def _without_files(folder: int) -> list[str]:
    """Remove everything but directories; returns the names of these."""
    directories: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                directories.append(entry.name)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.name, dir_fd=folder)
    return directories


def _emptied(top: int, name: str, new_name: str, number: int) -> int:
    """Move the directories of one directory of `top` up to it, and remove it; the next number for a name."""
    with contextlib.suppress(OSError):
        os.chmod(name, 0o700, dir_fd=top)
        folder = os.open(name, _FLAGS, dir_fd=top)
        try:
            for inner in _without_files(folder):
                with contextlib.suppress(OSError):
                    os.chmod(inner, 0o700, dir_fd=folder)
                    os.rename(inner, new_name.format(number), src_dir_fd=folder, dst_dir_fd=top)
                number += 1
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=top)
    return number
