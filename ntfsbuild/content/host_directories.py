"""Opens directories of the host part by part, so that no symbolic link in a path is followed.

The paths of sources are real paths: their links were resolved, and the result was checked against the allowed
folders.  After that, another process may replace a directory by a link, which the kernel would follow in a
whole path.  So each part of a path is opened in the directory that was opened before, and a link is an error.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from ntfsbuild.content.problems import shown
from ntfsbuild.errors import ManifestError

# The directories above a file need not be readable.
_STEP_FLAGS: Final = (
    getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
)
_KEPT_OPEN = 32  # A path may have thousands of parts, a process may not have as many descriptors.


class OpenDirectories:
    """The open directories above the last file: the next file often has the same ones.

    Paths are absolute, and of any length.
    """

    __slots__ = ("_ends", "_fds", "_path")

    def __init__(self) -> None:
        self._path: bytes | None = None  # Of the last directory:
        self._fds: list[int] = []  # the descriptors of its last parts,
        self._ends: list[int] = []  # and where in the path each of these ends.

    def open(self, path: bytes, flags: int) -> int:
        """A file descriptor of the file or directory at a path, which must not be a symbolic link."""
        above, _, name = path.rpartition(b"/")
        if above != self._path:
            self._enter(above)
        return os.open(name or b".", flags | os.O_NOFOLLOW, dir_fd=self._fds[-1])

    def status(self, path: bytes) -> os.stat_result:
        """The status of a file or directory; a symbolic link is not followed."""
        above, _, name = path.rpartition(b"/")
        if above != self._path:
            self._enter(above)
        return os.stat(name or b".", dir_fd=self._fds[-1], follow_symlinks=False)

    def link_target(self, path: bytes) -> bytes:
        """The target of a symbolic link."""
        above, _, name = path.rpartition(b"/")
        self._enter(above)
        return os.readlink(name, dir_fd=self._fds[-1])

    def close(self) -> None:
        """Close every directory."""
        self._path = None
        while self._fds:
            os.close(self._fds.pop())
        self._ends.clear()

    def _enter(self, path: bytes) -> None:
        """Go to another directory, from the last one above it that is open."""
        fds, ends, last = self._fds, self._ends, self._path
        while last is not None and fds:
            end = ends[-1]
            if path.startswith(last[:end]) and path[end : end + 1] in (b"", b"/"):
                break
            os.close(fds.pop())
            ends.pop()
        try:
            if not fds:
                fds.append(os.open(b"/", _STEP_FLAGS))
                ends.append(0)
            at = ends[-1]
            while at < len(path):
                end = path.find(b"/", at + 1)
                end = len(path) if end < 0 else end
                fds.append(self._step(path, at + 1, end))
                ends.append(end)
                if len(fds) > _KEPT_OPEN:
                    os.close(fds.pop(0))
                    ends.pop(0)
                at = end
        finally:
            self._path = path[: ends[-1]] if ends else None

    def _step(self, path: bytes, begin: int, end: int) -> int:
        part, above = path[begin:end] or b".", self._fds[-1]
        try:
            return os.open(part, _STEP_FLAGS, dir_fd=above)
        except OSError as failure:
            if failure.errno in (errno.ENOTDIR, errno.ELOOP) and _is_link(part, above):
                raise ManifestError(
                    f"{shown(path[:end])} was replaced by a symbolic link while the sources were read"
                ) from None
            raise


def _is_link(name: bytes, above: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode)
    except OSError:
        return False


_kept: ContextVar[OpenDirectories | None] = ContextVar("kept", default=None)


@contextmanager
def open_directories() -> Iterator[OpenDirectories]:
    """The open directories of this thread; the outermost of nested contexts closes them."""
    kept = _kept.get()
    if kept is not None:
        yield kept
        return
    directories = OpenDirectories()
    token = _kept.set(directories)
    try:
        yield directories
    finally:
        _kept.reset(token)
        directories.close()
