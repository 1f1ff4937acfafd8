"""Content on its way into clusters that were taken for it."""

from __future__ import annotations

import os
from typing import Protocol

from ntfsbuild.content import host_file
from ntfsbuild.content.model import Content, HostFile
from ntfsbuild.content.outputs import ensure_path_is_no_output
from ntfsbuild.content.problems import shown
from ntfsbuild.content.read import pieces
from ntfsbuild.errors import ManifestError
from ntfsbuild.executor.placing import Teller

_TELL_EVERY_BYTES = 64 << 20


class Space(Protocol):
    """Clusters of one stream, in one run or in several."""

    size_bytes: int

    def write(self, at: int, data: bytes | memoryview) -> None:
        """Write data at byte `at` of the stream."""

    def zero(self, at: int, end: int) -> None:
        """Let bytes `at` to `end` of the stream read as zeros."""

    def copy_from(self, descriptor: int, at: int, size_bytes: int) -> int:
        """Copy from the same place of an open host file; returns how many bytes there were."""

    def finish(self) -> None:
        """Clear what is left of the last cluster."""


class OpenedFile:
    """A regular file of the host whose size is what was expected; the kernel copies it into a space."""

    def __init__(self, content: HostFile) -> None:
        self.path = content.path
        self._descriptor, self.size_bytes = host_file.open_regular(content.path)
        if content.size_bytes is not None and self.size_bytes != content.size_bytes:
            self.close()
            raise host_file.changed(self.path, content.size_bytes, self.size_bytes)

    def fill(self, space: Space, teller: Teller) -> None:
        """Let the kernel copy what is data; holes stay holes of the image."""
        size, end = self.size_bytes, 0
        for begin, next_end in host_file.extents(self._descriptor, os.fstat(self._descriptor), self.path):
            space.zero(end, begin)
            for at in range(begin, next_end, _TELL_EVERY_BYTES):
                count = min(_TELL_EVERY_BYTES, next_end - at)
                copied = space.copy_from(self._descriptor, at, count)
                if copied != count:
                    raise host_file.changed(self.path, size, at + copied)
                teller.data_bytes += count
                teller.tell()
            end = next_end
        space.zero(end, size)
        if os.fstat(self._descriptor).st_size != size:
            raise host_file.changed(self.path, size, os.fstat(self._descriptor).st_size)
        space.finish()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def fill_from_pieces(space: Space, content: Content, teller: Teller) -> None:
    """Write a content piece by piece, zeros between them."""
    end = 0
    for at, data in pieces(content):
        space.zero(end, at)
        space.write(at, data)
        end = at + len(data)
        teller.data_bytes += len(data)
        if at % _TELL_EVERY_BYTES == 0:
            teller.tell()
    space.zero(end, space.size_bytes)
    space.finish()


def can_be_copied(content: Content) -> bool:
    """Whether the kernel may copy it: nobody wants to know its digest."""
    return isinstance(content, HostFile) and content.sha256 is None


def refuse_own_image(content: Content, target: bytes | None) -> None:
    """An image cannot be its own source, whatever the name is under which it is one."""
    if isinstance(content, HostFile):
        ensure_path_is_no_output(content.path)
        if content.path == target:
            raise ManifestError(f"{shown(content.path)} is the image itself, which this changes")
