"""Copies content to the clusters allocated for it."""

from __future__ import annotations

import hashlib
import os

from ntfsbuild.content import host_file
from ntfsbuild.content.host_directories import OpenDirectories
from ntfsbuild.content.model import Content, HostFile
from ntfsbuild.content.outputs import ensure_no_output, outputs_exist
from ntfsbuild.content.problems import host_failure, shown, wrong_digest
from ntfsbuild.content.read import pieces
from ntfsbuild.errors import ManifestError
from ntfsbuild.executor.progress import ProgressCounter
from ntfsbuild.volume.write.extent import Extent

_TELL_EVERY_BYTES = 64 << 20


class SmallFiles:
    """Reads small files of the host whole; `target` is the path of the image, which is none of them."""

    __slots__ = ("_has_output", "_open", "_target")

    def __init__(self, directories: OpenDirectories, target: bytes | None) -> None:
        self._open = directories.open
        self._target = target
        self._has_output = outputs_exist()

    def read(self, content: HostFile, landing: memoryview) -> int:
        """Read a file to the beginning of `landing`; returns its size, or that of `landing` if it is full."""
        path, expected_bytes, sha256 = content
        if path == self._target and not self._has_output:
            raise _own_image(path)
        most = len(landing)
        try:
            descriptor = self._open(path, host_file.OPEN_FLAGS)
            try:
                if self._has_output:
                    found = os.fstat(descriptor)
                    ensure_no_output(path, found.st_dev, found.st_ino)
                size = os.readv(descriptor, (landing,))
                if not size:
                    host_file.check_regular(path, os.fstat(descriptor))  # A FIFO reads as empty, too.
                # Some file systems give less than was asked for: only nothing is the end.
                while size < most and (more := os.read(descriptor, 1)):
                    landing[size] = more[0]
                    size += 1 + os.readv(descriptor, (landing[size + 1 :],))
            finally:
                os.close(descriptor)
        except OSError as failure:
            raise host_failure(path, failure) from None
        if size < most:
            if expected_bytes is not None and size != expected_bytes:
                raise host_file.changed(path, expected_bytes, size)
            if sha256 is not None and (digest := hashlib.sha256(landing[:size]).digest()) != sha256:
                raise wrong_digest(path, sha256, digest)
        return size


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
        status = os.fstat(self._descriptor)
        if status.st_size != size:  # Since it was opened.
            raise host_file.changed(self.path, size, status.st_size)
        for begin, next_end in host_file.extents(self._descriptor, status, self.path):
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
    """Refuse an image that is its own source, although it is not there yet.

    An image that is there is known when it is opened as a source, under any name.
    """
    if isinstance(content, HostFile) and content.path == target and not outputs_exist():
        raise _own_image(content.path)


def _own_image(path: bytes) -> ManifestError:
    return ManifestError(f"{shown(path)} is the image itself, which this changes")
