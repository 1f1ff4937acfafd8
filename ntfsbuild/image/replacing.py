"""A new file that takes its place when it is complete, or never existed.

Where the host can (`O_TMPFILE`), the file has no name until then: nobody sees it half written, and a
killed process leaves nothing behind.  Elsewhere it has a name of its own beside its place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from ntfsbuild.errors import HostError, ManifestError
from ntfsbuild.image import syscalls
from ntfsbuild.image.image_file import ImageFile
from ntfsbuild.image.journal_file import journal_beside

_NO_NAMELESS_FILES = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, durable: bool = False) -> Iterator[int]:
    """A descriptor, open for reading and writing, whose file replaces `path` when all went well.

    What is `durable` is on the medium before it gets its name, and has its name for good afterwards.
    Raises ManifestError where `path` cannot be a file's place, HostError where the host refuses to make
    or to name the file; what is raised inside passes through.
    """
    shown, target = os.fspath(path), os.path.realpath(path)
    _check_place(shown, target)
    _undo_interrupted(shown, target)
    descriptor, name = _open_new(shown, os.path.dirname(target))
    try:
        try:
            yield descriptor
        except BaseException:
            _forget(name)
            raise
        with _blaming(shown):
            _put_in_place(descriptor, name, target, durable)
    finally:
        os.close(descriptor)


def _check_place(shown: str, target: str) -> None:
    if not shown:
        raise ManifestError("the output has an empty name")
    if os.path.isdir(target):
        raise ManifestError(f"{shown}: is a directory, not a place for a file")
    if os.path.exists(target) and not os.path.isfile(target):
        raise ManifestError(f"{shown}: is not a regular file, which could be replaced")


def _undo_interrupted(shown: str, target: str) -> None:
    """Undo a change in place of what is replaced: its journal would be taken for one of the new file."""
    journal = journal_beside(target)
    if not os.path.lexists(journal):
        return
    if not os.path.exists(target):
        raise HostError(
            f"{shown}: {journal} is the journal of an interrupted change of an image that is not there "
            "any more: put that image back and read it once, or remove the journal"
        )
    ImageFile.open(target, writable=True).close()


def _open_new(shown: str, folder: str) -> tuple[int, str | None]:
    """A new file without a name, or with the one that is returned."""
    with _blaming(shown):
        if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
            try:
                return syscalls.create(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666), None
            except OSError as error:
                if error.errno not in _NO_NAMELESS_FILES or not os.path.isdir(folder):
                    raise
        number = 0
        while True:
            name = _passing_name(folder, number)
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                return syscalls.create(name, flags, 0o666), name
            except FileExistsError:
                number += 1


def _passing_name(folder: str, number: int) -> str:
    """A name that no other process uses, short whatever the target is called."""
    return os.path.join(folder, f".ntfsbuild-{os.getpid()}-{number}.part")


def _put_in_place(descriptor: int, name: str | None, target: str, durable: bool) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            syscalls.set_mode(descriptor, stat.S_IMODE(os.stat(target).st_mode))
        if durable:
            syscalls.fsync(descriptor)
        if name is None:
            # A link cannot replace a file, a renaming can.
            passing = _passing_name(os.path.dirname(target), descriptor)
            _forget(passing)  # Of a process of the same number, killed between these two steps.
            syscalls.name_file(descriptor, passing)
            name = passing
        syscalls.replace(name, target)
    except BaseException:
        _forget(name)
        raise
    if durable:
        syscalls.fsync_folder(os.path.dirname(target))


def _forget(name: str | None) -> None:
    if name is not None:
        with contextlib.suppress(OSError):
            syscalls.unlink(name)


@contextlib.contextmanager
def _blaming(shown: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HostError(f"{shown}: {error.strerror or error}") from error
