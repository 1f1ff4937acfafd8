"""A new folder of the host: it appears when all is in it, or not at all.

Until then it is a `.ntfsbuild-*.part` beside its place, and locked.  What a killed process left there has
no lock any more, and goes when the next folder is made.
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
    """A folder to be filled, which becomes `path` when all went well; there may be an empty one.

    Raises ManifestError where something else is there, HostError for what the host refuses, inside, too.
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
    """Remove the folders of killed processes: those of this user that nobody has locked."""
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
    """Lock exclusively; False if somebody else has it, or if the file system cannot."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_ours(descriptor: int) -> bool:
    status = os.fstat(descriptor)
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _remove_tree(path: str) -> None:
    """Remove what can be removed of a folder: in one loop, because it may be deeper than a path is long.

    What lies in a directory in it is moved up before the directory goes.
    """
    with contextlib.suppress(OSError):
        top, number = os.open(path, _FLAGS), 0
        new_name = os.path.basename(path) + "-{}"  # Random, so that nothing in it can have such a name.
        try:
            before: list[str] = []
            while (directories := _without_files(top)) != before:
                for name in directories:
                    number = _emptied(top, name, new_name, number)
                before = directories  # What is there still, the host keeps.
        finally:
            os.close(top)
        os.rmdir(path)


def _without_files(folder: int) -> list[str]:
    """Remove all that is no directory; the names of the directories."""
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
