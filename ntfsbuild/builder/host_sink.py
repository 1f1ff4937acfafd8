"""Writes items to a directory of the host.

Every directory is opened relative to its parent, and no symbolic link is followed: neither names nor links
nor other processes can make this module write outside.  Times and modes are set through the descriptor of the
new file, never by its name, which another process may have replaced.  Symbolic links are made last.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from ntfsbuild.builder.extraction import Item, Note, Stream
from ntfsbuild.builder.safe_names import numbered, safe_name
from ntfsbuild.errors import HostError
from ntfsbuild.image.sparse_file import write_sparse
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.filetime import unix_ns_from_filetime

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READONLY = int(FileAttributes.READONLY)
_MOST_TWINS = 10_000
_MOST_OPEN = 64
# What concerns one file only: its size, its name, the number of its links.
_OF_ONE_FILE = frozenset([errno.EFBIG, errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG, errno.EMLINK])


class HostSink:
    """Writes to an empty directory, which is given by an open descriptor."""

    def __init__(self, descriptor: int, note: Note) -> None:
        self._note = note
        self._names: dict[str, str] = {}  # Name on the host of each directory, and of each linked file.
        # The directories from the root to the current one, each open; of a deep path only the last ones.
        self._open: list[tuple[str, int]] = [("/", os.dup(descriptor))]
        self._made: dict[str, tuple[int, int]] = {}  # Device and inode of each item, by its path.
        self._links: list[Item] = []
        self._folders: list[Item] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, descriptor in self._open:
            os.close(descriptor)

    @property
    def _folder(self) -> int:
        """The current directory of the host."""
        return self._open[-1][1]

    def put(self, item: Item) -> None:
        """Write one item; its directory was written before."""
        above, _, name = item.path.rpartition("/")
        self._enter(above or "/")
        match item.kind:
            case "directory":
                safe = self._make(item.path, name, lambda safe: os.mkdir(safe, 0o755, dir_fd=self._folder))
                self._names[item.path] = safe
                with self._opened(safe, _FOLDER) as descriptor:
                    self._remember(item.path, descriptor)
                self._folders.append(item)
            case "symlink":
                self._links.append(item)
            case "fifo":
                safe = self._make(item.path, name, lambda safe: os.mkfifo(safe, 0o644, dir_fd=self._folder))
                self._names[item.path] = safe
            case "hardlink":
                if item.target in self._names:
                    self._link(item, name)
                else:  # Perhaps a symbolic link, which is made last.
                    self._links.append(item)
            case "file":
                self._make_file(item.path, name, item.main, item)
        for stream in item.streams if item.kind != "symlink" else ():
            self._make_file(f"{item.path}:{stream.name}", f"{name}:{stream.name}", stream, item)

    def finish(self) -> None:
        """Make the symbolic links, then set the times of directories."""
        for item in self._links:
            above, _, name = item.path.rpartition("/")
            self._enter(above or "/")
            if item.kind == "hardlink":
                self._link(item, name)
                continue
            target = item.target.encode("utf-8", "surrogatepass")
            if b"\0" in target:
                self._note(item.path, "the target of its link holds U+0000")
                continue

            def link(safe: str, target: bytes = target) -> None:
                os.symlink(target, safe.encode(), dir_fd=self._folder)

            safe = self._make(item.path, name, link)
            self._names[item.path] = safe
            self._set_link_times(safe, item)
        for item in reversed(self._folders):
            self._enter(item.path)
            self._ensure_same(item.path, self._folder)
            self._set_times(self._folder, item)

    # ------------------------------------------------------------------ on the host

    def _enter(self, path: str) -> None:
        """Open the host's directory for a path of the volume; what is open on the way to it is used."""
        opened = self._open
        if path == opened[-1][0]:
            return
        while len(opened) > 1 and not path.startswith(opened[-1][0] + "/") and path != opened[-1][0]:
            os.close(opened.pop()[1])
        for below in _directories_to(path, len(opened[-1][0]) if len(opened) > 1 else 0):
            opened.append((below, os.open(self._names[below], _FOLDER, dir_fd=opened[-1][1])))
            if len(opened) > _MOST_OPEN:
                os.close(opened.pop(1)[1])

    @contextlib.contextmanager
    def _opened(self, safe: str, flags: int) -> Iterator[int]:
        descriptor = os.open(safe, flags, dir_fd=self._folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _remember(self, path: str, descriptor: int) -> None:
        found = os.fstat(descriptor)
        self._made[path] = found.st_dev, found.st_ino

    def _ensure_same(self, path: str, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if self._made[path] != (found.st_dev, found.st_ino):
            raise HostError(f"{path}: another process has put something else in its place")

    def _make(self, path: str, name: str, make: Callable[[str], object]) -> str:
        """Make a file under an unused name, also if the host ignores case."""
        wanted = safe_name(name)
        for number in range(1, _MOST_TWINS):
            safe = numbered(wanted, number)
            try:
                make(safe)
            except FileExistsError:
                continue
            return safe
        raise HostError(f"{path}: the host has no name left for it")

    def _make_file(self, path: str, name: str, content: Stream | None, item: Item) -> None:
        """Write a file; if the host cannot hold just this one, it is noted."""
        try:
            descriptor, safe = self._new_file(path, name)
        except OSError as error:
            self._note_refused(path, error)
            return
        try:
            if content is not None:
                write_sparse(descriptor, content.pieces(), content.size_bytes)
            if item.is_linked and path == item.path:
                self._remember(path, descriptor)
                self._names[path] = safe
            self._set_times(descriptor, item)
            if item.attributes & _READONLY and path == item.path:
                os.fchmod(descriptor, 0o444)
        except OSError as error:
            self._note_refused(path, error)
            os.unlink(safe, dir_fd=self._folder)
        finally:
            os.close(descriptor)

    def _note_refused(self, path: str, error: OSError) -> None:
        """Note a file that the host cannot hold; raises all other errors, which concern every file."""
        if error.errno not in _OF_ONE_FILE:
            raise error
        self._note(path, f"the host cannot hold it: {error.strerror}")

    def _new_file(self, path: str, name: str) -> tuple[int, str]:
        """A new file, opened, and its name; the first tried name is almost always free."""
        safe = safe_name(name)
        try:
            return os.open(safe, _NEW_FILE, 0o644, dir_fd=self._folder), safe
        except FileExistsError:
            opened: list[int] = []
            safe = self._make(
                path, name, lambda safe: opened.append(os.open(safe, _NEW_FILE, 0o644, dir_fd=self._folder))
            )
            return opened[0], safe

    def _link(self, item: Item, name: str) -> None:
        last = self._names.get(item.target)
        if last is None:
            self._note(item.path, f"{item.target}, the same file, was not extracted")
            return
        source = self._open_folder(item.target.rpartition("/")[0])

        def link(safe: str) -> None:
            os.link(last, safe, src_dir_fd=source, dst_dir_fd=self._folder, follow_symlinks=False)

        try:
            safe = self._make(item.path, name, link)
        except OSError as error:
            self._note_refused(item.path, error)
            return
        finally:
            os.close(source)
        found = os.stat(safe, dir_fd=self._folder, follow_symlinks=False)
        if self._made.get(item.target, (found.st_dev, found.st_ino)) != (found.st_dev, found.st_ino):
            os.unlink(safe, dir_fd=self._folder)
            raise HostError(f"{item.target}: another process has put something else in its place")

    def _open_folder(self, path: str) -> int:
        """The host's directory for a path of the volume; no link is followed."""
        descriptor = os.dup(self._open[0][1])
        for above in _directories_to(path, 0):
            try:
                below = os.open(self._names[above], _FOLDER, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    def _set_times(self, descriptor: int | str, item: Item) -> None:
        _, modified, _, accessed = item.times
        try:
            os.utime(descriptor, ns=(unix_ns_from_filetime(accessed), unix_ns_from_filetime(modified)))
        except OverflowError:
            self._note(item.path, "the host cannot have its times")

    def _set_link_times(self, safe: str, item: Item) -> None:
        """Set the times of a symbolic link itself, if the host can open one."""
        if not hasattr(os, "O_PATH"):
            return
        with self._opened(safe, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC) as descriptor:
            opened = f"/proc/self/fd/{descriptor}"
            if stat.S_ISLNK(os.fstat(descriptor).st_mode) and os.path.lexists(opened):
                self._set_times(opened, item)  # This path leads to the open link itself, not to its target.


def _directories_to(path: str, at: int) -> Iterator[str]:
    """The paths of the directories that lead to a path, itself included, behind its first `at` characters."""
    while at < len(path) and path != "/":
        end = path.find("/", at + 1)
        at = len(path) if end < 0 else end
        yield path[:at]
