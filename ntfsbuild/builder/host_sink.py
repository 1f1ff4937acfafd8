"""Items put into a directory of the host.

Every directory is opened inside the one before, and no link on the way is followed: names, links and
whoever else writes there cannot lead out of it.  Symbolic links are made last, when nothing follows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ntfsbuild.builder.extraction import Item, Note, Stream
from ntfsbuild.builder.safe_names import numbered, safe_name
from ntfsbuild.errors import HostError
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.filetime import unix_ns_from_filetime
from ntfsbuild.ondisk.standard_information import Ticks4

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READONLY = int(FileAttributes.READONLY)
_MOST_TWINS = 10_000


class HostSink:
    """Writes into an empty directory, which is given by an open descriptor."""

    def __init__(self, descriptor: int, note: Note) -> None:
        self._root = descriptor
        self._note = note
        self._names: dict[str, str] = {"/": "."}  # Of what was put: its path on the host.
        self._folder_path, self._folder = "/", os.dup(descriptor)
        self._links: list[Item] = []
        self._folders: list[Item] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._folder)

    def put(self, item: Item) -> None:
        """Put one item; its directory came before."""
        above, _, name = item.path.rpartition("/")
        self._enter(above or "/")
        match item.kind:
            case "directory":
                self._make(item.path, name, lambda safe: os.mkdir(safe, 0o755, dir_fd=self._folder))
                self._folders.append(item)
            case "symlink":
                self._links.append(item)
            case "fifo":
                self._make(item.path, name, lambda safe: os.mkfifo(safe, 0o644, dir_fd=self._folder))
            case "hardlink":
                self._link(item, name)
            case "file":
                safe = self._make_file(item.path, name, item.main)
                self._set_times(safe, item.times)
                if item.attributes & _READONLY:
                    os.chmod(safe, 0o444, dir_fd=self._folder)
        for stream in item.streams if item.kind != "symlink" else ():
            safe = self._make_file(f"{item.path}:{stream.name}", f"{name}:{stream.name}", stream)
            self._set_times(safe, item.times)

    def finish(self) -> None:
        """Make the symbolic links, then set the times of directories."""
        for item in self._links:
            above, _, name = item.path.rpartition("/")
            self._enter(above or "/")
            target = item.target.encode("utf-8", "surrogatepass")
            if b"\0" in target:
                self._note(item.path, "the target of its link holds U+0000")
                continue

            def link(safe: str, target: bytes = target) -> None:
                os.symlink(target, safe.encode(), dir_fd=self._folder)

            self._make(item.path, name, link)
            self._set_times(os.path.basename(self._names[item.path]), item.times)
        for item in reversed(self._folders):
            above = item.path.rpartition("/")[0]
            self._enter(above or "/")
            self._set_times(os.path.basename(self._names[item.path]), item.times)

    # ------------------------------------------------------------------ on the host

    def _enter(self, path: str) -> None:
        """Open the directory of the host for a path of the volume."""
        if path == self._folder_path:
            return
        descriptor = os.dup(self._root)
        for part in self._names[path].split("/"):
            below = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        os.close(self._folder)
        self._folder_path, self._folder = path, descriptor

    def _make(self, path: str, name: str, make: Callable[[str], object]) -> str:
        """Make something under a name that nothing has yet, also where the host ignores case."""
        wanted = safe_name(name)
        for number in range(1, _MOST_TWINS):
            safe = numbered(wanted, number)
            try:
                make(safe)
            except FileExistsError:
                continue
            above = self._names[self._folder_path]
            self._names[path] = safe if above == "." else f"{above}/{safe}"
            return safe
        raise HostError(f"{path}: the host has no name left for it")

    def _make_file(self, path: str, name: str, content: Stream | None) -> str:
        opened: list[int] = []
        safe = self._make(
            path, name, lambda safe: opened.append(os.open(safe, _NEW_FILE, 0o644, dir_fd=self._folder))
        )
        with os.fdopen(opened[0], "wb", buffering=0) as file:
            if content is not None:
                for at, data in content.pieces():
                    view = memoryview(data)
                    while view:
                        count = os.pwrite(file.fileno(), view, at)
                        at, view = at + count, view[count:]
                os.ftruncate(file.fileno(), content.size_bytes)
        return safe

    def _link(self, item: Item, name: str) -> None:
        there = self._names[item.target]

        def link(safe: str) -> None:
            os.link(there, safe, src_dir_fd=self._root, dst_dir_fd=self._folder, follow_symlinks=False)

        self._make(item.path, name, link)

    def _set_times(self, safe: str, times: Ticks4) -> None:
        accessed, modified = (unix_ns_from_filetime(times[k]) for k in (3, 1))
        try:
            os.utime(safe, ns=(accessed, modified), dir_fd=self._folder, follow_symlinks=False)
        except OverflowError:
            self._note(safe, "the host cannot have its times")
