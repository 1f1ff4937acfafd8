"""A copy of an image that costs as little as the host allows: shared blocks, else without its holes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from ntfsbuild.errors import HostError
from ntfsbuild.image import syscalls
from ntfsbuild.image.open_file import CHUNK_BYTES, OpenFile, refused

_BLOCK_BYTES = 1 << 16
_ZEROS = bytes(_BLOCK_BYTES)
_CLONES_NOT = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM)
_KNOWS_NO_HOLES = (errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP, errno.ENOSYS)


def copy_image(source: OpenFile, target: OpenFile) -> None:
    """Make `target`, a new and empty file, hold what `source`, a file or block device, holds.

    Raises HostError where the host refuses, also when the source changes its size meanwhile.
    """
    if _clone(source, target):
        return
    size_bytes = source.size()
    target.set_size(size_bytes)
    extents = _data(source, size_bytes)
    if extents is None:
        _copy_blocks(source, target, size_bytes)
    else:
        for begin, end in extents:
            target.copy_from(source.descriptor, begin, begin, end - begin)
    if source.size() != size_bytes:
        raise HostError(f"{source.shown}: changed its size while it was copied")


def _clone(source: OpenFile, target: OpenFile) -> bool:
    """Share all blocks, in one step; whether the host can."""
    try:
        syscalls.clone(source.descriptor, target.descriptor)
    except OSError as error:
        if error.errno in _CLONES_NOT:
            return False
        raise refused(target.shown, error) from error
    return True


def _data(source: OpenFile, size_bytes: int) -> Iterator[tuple[int, int]] | None:
    """Where a file holds data, ascending; None where the host cannot say."""
    try:
        os.lseek(source.descriptor, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno in _KNOWS_NO_HOLES:
            return None
        if error.errno != errno.ENXIO:  # It has none at all.
            raise refused(source.shown, error) from error
    return _extents(source, size_bytes)


def _extents(source: OpenFile, size_bytes: int) -> Iterator[tuple[int, int]]:
    end = 0
    while end < size_bytes:
        try:
            begin = os.lseek(source.descriptor, end, os.SEEK_DATA)
            end = min(os.lseek(source.descriptor, begin, os.SEEK_HOLE), size_bytes)
        except OSError as error:
            if error.errno == errno.ENXIO:  # Nothing but a hole up to the end.
                return
            raise refused(source.shown, error) from error
        if begin < end:
            yield begin, end


def _copy_blocks(source: OpenFile, target: OpenFile, size_bytes: int) -> None:
    """Read all of it, and write what is not zeros."""
    for offset in range(0, size_bytes, CHUNK_BYTES):
        data = source.read(offset, min(CHUNK_BYTES, size_bytes - offset))
        for begin, end in _filled(data):
            target.write(offset + begin, memoryview(data)[begin:end])


def _filled(data: bytes) -> Iterator[tuple[int, int]]:
    """The runs of blocks that are not all zeros."""
    first = None
    for begin in range(0, len(data), _BLOCK_BYTES):
        block = data[begin : begin + _BLOCK_BYTES]
        if block == _ZEROS[: len(block)]:
            if first is not None:
                yield first, begin
            first = None
        elif first is None:
            first = begin
    if first is not None:
        yield first, len(data)
