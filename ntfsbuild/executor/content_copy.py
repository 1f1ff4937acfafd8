"""Copies content to the clusters allocated for it."""

from __future__ import annotations

import os

from ntfsbuild.content import host_file
from ntfsbuild.content.model import Content, HostFile
from ntfsbuild.content.outputs import ensure_path_is_no_output
from ntfsbuild.content.problems import shown
from ntfsbuild.content.read import pieces
from ntfsbuild.errors import ManifestError
from ntfsbuild.executor.progress import ProgressCounter
from ntfsbuild.volume.write.extent import Extent

_TELL_EVERY_BYTES = 64 << 20


class OpenedFile:
    """A regular file of the host with the expected size; the kernel copies it to an extent."""

    def __init__(self, content: HostFile) -> None:
        self.path = content.path
        self._descriptor, self.size_bytes = host_file.open_regular(content.path)
        if content.size_bytes is not None and self.size_bytes != content.size_bytes:
            self.close()
            raise host_file.changed(self.path, content.size_bytes, self.size_bytes)

    def fill(self, extent: Extent, progress: ProgressCounter) -> None:
        """Let the kernel copy the data; holes become holes of the image."""
        size, end = self.size_bytes, 0
        for begin, next_end in host_file.extents(self._descriptor, os.fstat(self._descriptor), self.path):
            extent.zero(end, begin)
            for at in range(begin, next_end, _TELL_EVERY_BYTES):
                count = min(_TELL_EVERY_BYTES, next_end - at)
                copied = extent.copy_from(self._descriptor, at, count)
                if copied != count:
                    raise host_file.changed(self.path, size, at + copied)
                progress.data_bytes += count
                progress.report()
            end = next_end
        extent.zero(end, size)
        if os.fstat(self._descriptor).st_size != size:
            raise host_file.changed(self.path, size, os.fstat(self._descriptor).st_size)
        extent.finish()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def fill_from_pieces(extent: Extent, content: Content, progress: ProgressCounter) -> None:
    """Write a content piece by piece, with zeros between the pieces."""
    end = 0
    for at, data in pieces(content):
        extent.zero(end, at)
        extent.write(at, data)
        end = at + len(data)
        progress.data_bytes += len(data)
        if at % _TELL_EVERY_BYTES == 0:
            progress.report()
    extent.zero(end, extent.size_bytes)
    extent.finish()


def can_be_copied(content: Content) -> bool:
    """Whether the kernel may copy it: only if its digest is not needed."""
    return isinstance(content, HostFile) and content.sha256 is None


def refuse_own_image(content: Content, target: bytes | None) -> None:
    """Refuse an image that is its own source, under any name."""
    if isinstance(content, HostFile):
        ensure_path_is_no_output(content.path)
        if content.path == target:
            raise ManifestError(f"{shown(content.path)} is the image itself, which this changes")
