"""Regular files of the host: opened without following links, read without their holes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Final, cast

from ntfsbuild.content.host_directories import open_directories
from ntfsbuild.content.model import LinkKind
from ntfsbuild.content.outputs import ensure_no_output
from ntfsbuild.content.problems import host_failure, shown
from ntfsbuild.errors import HostError, ManifestError
from ntfsbuild.ondisk.filetime import filetime_from_unix_ns
from ntfsbuild.ondisk.unix_metadata import UnixMetadata

PIECE_BYTES = 1 << 20

OPEN_FLAGS = (
    os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
)  # A FIFO must not block.

_SPARSE_WORTH_BYTES = 1 << 16

_SPECIAL_KINDS: Final[dict[int, LinkKind]] = {
    stat.S_IFLNK: "symlink",
    stat.S_IFSOCK: "socket",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}


def open_path(path: bytes, flags: int) -> int:
    """`os.open` for a real path of any length: no part of it may be a symbolic link."""
    with open_directories() as directories:
        return directories.open(path, flags)


def open_given(path: str | bytes | os.PathLike[str] | os.PathLike[bytes], what: str) -> int:
    """A file descriptor of `what` a user named: links are followed, and a pipe is allowed.

    A FIFO without a writer reads as empty, instead of waiting for one.
    """
    name = os.fsdecode(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError):
        raise ManifestError(f"{name}: no such file") from None
    except OSError as error:
        raise HostError(f"{name}: {error.strerror}") from None
    except ValueError:
        raise ManifestError(f"{name!r} is not a path") from None  # U+0000 in it.
    mode = os.fstat(fd).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        os.close(fd)
        kind = "a directory" if stat.S_ISDIR(mode) else "a device"
        raise ManifestError(f"{name}: {kind}, not {what}")
    os.set_blocking(fd, True)
    return fd


def open_regular(path: bytes) -> tuple[int, int]:
    """A file descriptor of a regular file, and its size; the caller closes it.

    The last part of the path must not be a symbolic link.
    """
    status = _opened(path)
    return status[0], status[1].st_size


def _opened(path: bytes) -> tuple[int, os.stat_result]:
    try:
        fd = open_path(path, OPEN_FLAGS)
    except OSError as failure:
        raise host_failure(path, failure) from None
    status = os.fstat(fd)
    try:
        check_regular(path, status)
        ensure_no_output(path, status.st_dev, status.st_ino)
    except ManifestError:
        os.close(fd)
        raise
    return fd, status


def check_regular(path: bytes, status: os.stat_result) -> None:
    """Raise ManifestError unless it is a regular file."""
    if not stat.S_ISREG(status.st_mode):
        kind = "is a directory, not a file" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
        raise ManifestError(f"{shown(path)} {kind}")


def size_bytes(path: bytes) -> int:
    """The size of a regular file."""
    fd, size = open_regular(path)
    os.close(fd)
    return size


def mtime_ticks(path: bytes) -> int:
    """When a file or directory was last modified, in 100 ns ticks since 1601; links are not followed."""
    try:
        return filetime_from_unix_ns(status(path).st_mtime_ns)
    except ValueError as failure:
        raise ManifestError(f"{shown(path)}: its modification time is {failure}") from None


def unix_metadata(path: bytes) -> UnixMetadata:
    """Owner, group, mode, and the numbers of a device; links are not followed."""
    found = status(path)
    mode, device = found.st_mode, None
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        device = os.major(found.st_rdev), os.minor(found.st_rdev)
    return UnixMetadata(found.st_uid, found.st_gid, mode, device)


def special_kind(path: bytes) -> LinkKind | None:
    """The kind of a special file; None for a kind without a name here."""
    return _SPECIAL_KINDS.get(stat.S_IFMT(status(path).st_mode))


def link_target(path: bytes) -> bytes:
    """The target of a symbolic link."""
    try:
        with open_directories() as directories:
            return directories.link_target(path)
    except OSError as failure:
        if failure.errno == errno.EINVAL:
            raise ManifestError(f"{shown(path)} is no symbolic link any more") from None
        raise host_failure(path, failure) from None


def status(path: bytes) -> os.stat_result:
    """The status of a file or directory; links are not followed."""
    try:
        with open_directories() as directories:
            return directories.status(path)
    except OSError as failure:
        raise host_failure(path, failure) from None


def has_holes(path: bytes) -> bool:
    """Whether a file has holes, according to its file system."""
    fd, status = _opened(path)
    try:
        return sum(end - begin for begin, end in extents(fd, status, path)) < status.st_size
    finally:
        os.close(fd)


def pieces(path: bytes, expected_size: int | None) -> Iterator[tuple[int, bytes]]:
    """The data of a file with its offsets; holes are skipped, a size that changes is an error."""
    size, found = sized_pieces(path)
    if expected_size is not None and size != expected_size:
        raise changed(path, expected_size, size)
    yield from found


def sized_pieces(path: bytes) -> tuple[int, Iterator[tuple[int, bytes]]]:
    """The size of a file that was opened once, and its data with offsets, holes left out."""
    fd, status = _opened(path)
    found = _pieces_of(fd, status, path)
    next(found)
    return status.st_size, cast(Iterator[tuple[int, bytes]], found)


def _pieces_of(fd: int, status: os.stat_result, path: bytes) -> Iterator[tuple[int, bytes] | None]:
    """The pieces of an open file, which is closed at the end; None comes first, before any reading."""
    try:
        yield None
        size = status.st_size
        for begin, end in extents(fd, status, path):
            for offset in range(begin, end, PIECE_BYTES):
                yield offset, read_at(fd, path, offset, min(PIECE_BYTES, end - offset), size)
        now = os.fstat(fd).st_size
        if now != size:
            raise changed(path, size, now)
    finally:
        os.close(fd)


def read_at(fd: int, path: bytes, offset: int, length: int, size: int) -> bytes:
    """Exactly `length` bytes at `offset` of a file that had `size` bytes when it was opened."""
    try:
        data = os.pread(fd, length, offset)
        while len(data) < length:
            more = os.pread(fd, length - len(data), offset + len(data))
            if not more:
                raise changed(path, size, offset + len(data))
            data += more
    except OSError as failure:
        raise host_failure(path, failure) from None
    return data


def changed(path: bytes, expected_size: int, found_size: int) -> ManifestError:
    """The error for a file whose size has changed."""
    return ManifestError(f"{shown(path)} changed: {expected_size} bytes expected, {found_size} found")


def extents(fd: int, status: os.stat_result, path: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of all data that is not in holes."""
    size = status.st_size
    if size <= _SPARSE_WORTH_BYTES or status.st_blocks * 512 >= size:
        yield 0, size
        return
    end = 0
    while end < size:
        try:
            begin = os.lseek(fd, end, os.SEEK_DATA)
            end = min(os.lseek(fd, begin, os.SEEK_HOLE), size)
        except OSError as failure:
            if failure.errno == errno.ENXIO:  # Only a hole is left.
                return
            if failure.errno != errno.EINVAL:
                raise host_failure(path, failure) from None
            begin, end = end, size  # A file system without holes.
        if begin < end:
            yield begin, end
