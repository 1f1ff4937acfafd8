"""A tar archive as a file with random access; a compressed one is unpacked once.

The first bytes of an archive decide its format, not its name.  Archives stay open, so that the bytes read
later are those of the file that was listed.  A compressed one is unpacked to a temporary file without a name.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import IO, Any, Final, TypeAlias

from ntfsbuild.content.file_kinds import BZIP2, GZIP, XZ, ZSTD
from ntfsbuild.content.host_file import open_regular, read_at
from ntfsbuild.content.outputs import ensure_no_output
from ntfsbuild.content.problems import host_failure, shown
from ntfsbuild.errors import HostError, ManifestError
from ntfsbuild.named_tuple import NamedTuple

BLOCK_BYTES = 512
_CHUNK_BYTES = 1 << 20

# What a compressed archive may unpack to; release archives stay below 20 times their size.
UNPACKED_BYTES_MAX: Final = 128 << 20
UNPACKED_RATIO_MAX: Final = 64
_OPEN_MAX = 8

_Identity: TypeAlias = tuple[int, int, int, int]


class Archive:
    """An open archive; `fd` and `size_bytes` are those of the uncompressed tar."""

    __slots__ = ("fd", "identity", "packed_bytes", "path", "size_bytes")

    def __init__(self, path: bytes, fd: int, identity: _Identity) -> None:
        self.path = path
        self.fd = fd
        self.identity = identity
        self.packed_bytes = identity[2]  # What limits are a multiple of.
        self.size_bytes = os.fstat(fd).st_size

    def __del__(self) -> None:
        os.close(self.fd)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly these bytes of the uncompressed archive."""
        return read_at(self.fd, self.path, offset, length, self.size_bytes)


_opened: dict[bytes, Archive] = {}  # The one used last is at the end.
_listed: dict[bytes, _Identity] = {}  # What every archive was when it was opened, long closed ones included.


def open_archive(path: bytes) -> Archive:
    """The archive at `path`, opened again if it is another file than last time."""
    with contextlib.suppress(OSError):
        if path in _opened and _identity(os.lstat(path)) == _opened[path].identity:
            return _used(_opened[path])
    return _used(_open(path))


def listed_archive(path: bytes) -> Archive:
    """The archive that was listed before at this path; it must not have changed since."""
    archive, identity = _opened.get(path), _listed.get(path)
    try:
        if archive is None:
            archive = _open(path)  # For the first time, or again after many others.
            found = archive.identity
        else:
            found = _identity(os.lstat(path))
    except OSError as failure:
        raise host_failure(path, failure) from None
    if identity is not None and found != identity:
        raise ManifestError(f"{shown(path)} changed after it was listed")
    return _used(archive)


def forget_archives() -> None:
    """Close every archive; the temporary files go with them."""
    _opened.clear()
    _listed.clear()


def _used(archive: Archive) -> Archive:
    ensure_no_output(archive.path, *archive.identity[:2])
    _opened.pop(archive.path, None)
    _opened[archive.path] = archive
    _listed[archive.path] = archive.identity
    while len(_opened) > _OPEN_MAX:
        del _opened[next(iter(_opened))]  # Closed when its last reader is gone.
    return archive


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _open(path: bytes) -> Archive:
    fd, _ = open_regular(path)
    try:
        identity = _identity(os.fstat(fd))
        packing = _packing(fd, path)
        if packing is None:
            return Archive(path, os.dup(fd), identity)
        with _scratch(path) as file:
            _unpack(packing, fd, _Scratch(file, path, identity[2]), path)
            return Archive(path, os.dup(file.fileno()), identity)
    except OSError as failure:
        raise host_failure(path, failure) from None
    finally:
        os.close(fd)


def _scratch(path: bytes) -> IO[bytes]:
    with _blaming_the_temporary_folder(path):
        import tempfile  # Imported late: it imports much.

        return tempfile.TemporaryFile(buffering=0)  # Else closing it could fail, too.


class _Scratch:
    """The temporary file that an archive is unpacked into: its size is limited, and zeros become holes."""

    def __init__(self, file: IO[bytes], path: bytes, packed_bytes: int) -> None:
        self._file = file
        self._path = path
        self._end = 0
        self._most = UNPACKED_BYTES_MAX + UNPACKED_RATIO_MAX * packed_bytes

    def put(self, data: bytes) -> None:
        """Append; raises ManifestError for more than an archive of this size may unpack to."""
        self._end += len(data)
        if self._end > self._most:
            raise ManifestError(
                f"{shown(self._path)} unpacks to more than {self._most} bytes ({UNPACKED_BYTES_MAX} and "
                f"{UNPACKED_RATIO_MAX} times its size); a plain archive has no such limit"
            )
        with _blaming_the_temporary_folder(self._path):
            if data.count(0) == len(data):
                self._file.truncate(self._end)
                self._file.seek(self._end)
                return
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]


@contextlib.contextmanager
def _blaming_the_temporary_folder(path: bytes) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        import tempfile

        folder = shown(os.fsencode(tempfile.tempdir)) if tempfile.tempdir else "the temporary folder"
        reason = failure.strerror or failure
        hint = f"{shown(path)} is unpacked there; the variable TMPDIR names another one"
        raise HostError(f"{folder}: {reason} ({hint})") from None


class _Packing(NamedTuple):
    """A kind of compression: the first bytes of a file, and the modules that can read it."""

    name: str
    magic: bytes
    modules: tuple[str, ...]


# The modules are imported when they are needed: a Python may have been built without one of them.
_PACKINGS = (
    _Packing("gzip", GZIP, ("gzip",)),
    _Packing("xz", XZ, ("lzma",)),
    _Packing("bzip2", BZIP2, ("bz2",)),
    _Packing("zstd", ZSTD, ("compression.zstd", "backports.zstd")),
)


def _packing(fd: int, path: bytes) -> _Packing | None:
    """How a tar archive is compressed; None: not at all."""
    head = os.pread(fd, BLOCK_BYTES, 0)
    for packing in _PACKINGS:
        if head.startswith(packing.magic):
            return packing
    if head[257:262] == b"ustar" or has_tar_checksum(head) or _is_empty_tar(fd, head):
        return None
    raise ManifestError(
        f"{shown(path)} is neither a directory nor a tar archive (plain, or of gzip, xz, bzip2 or zstd)"
    )


def has_tar_checksum(block: bytes) -> bool:
    """Whether a block is a header: it has the sum of its bytes, which some programs add up as signed."""
    said = block[148:156].strip(b" \0")
    if not said or said.strip(b"01234567") or len(block) < BLOCK_BYTES:
        return False
    expected, found = int(said, 8), sum(block) - sum(block[148:156]) + 8 * 0x20
    if found == expected:
        return True
    signed = sum(byte > 127 for byte in block[:148] + block[156:])
    return found - 256 * signed == expected


def _is_empty_tar(fd: int, head: bytes) -> bool:
    """Nothing but the zero blocks at its end, of which there are two at least."""
    size, offset = os.fstat(fd).st_size, 0
    if any(head) or size % BLOCK_BYTES or size < 2 * BLOCK_BYTES:
        return False
    while chunk := os.pread(fd, _CHUNK_BYTES, offset):
        if any(chunk):
            return False
        offset += len(chunk)
    return True


def _unpack(packing: _Packing, fd: int, scratch: _Scratch, path: bytes) -> None:
    for module in packing.modules:
        try:
            unpacker: Any = importlib.import_module(module)
        except ImportError:
            continue
        with os.fdopen(os.dup(fd), "rb") as packed, unpacker.open(packed) as plain:
            while chunk := _unpacked(plain, path):
                scratch.put(chunk)
        return
    _unpack_by_program(packing, fd, scratch, path)


def _unpacked(plain: IO[bytes], path: bytes) -> bytes:
    try:
        return plain.read(_CHUNK_BYTES)
    except OSError as failure:
        if failure.errno is not None:
            raise
        raise ManifestError(f"{shown(path)} is damaged: {failure}") from None
    except MemoryError:
        raise
    except Exception as failure:  # EOFError, and one error of its own for each module.
        raise ManifestError(f"{shown(path)} is damaged: {failure}") from None


def _unpack_by_program(packing: _Packing, fd: int, scratch: _Scratch, path: bytes) -> None:
    import shutil
    import subprocess

    program = shutil.which(packing.name)
    if program is None:
        remedy = "ntfsbuild[zstd] or " if packing.name == "zstd" else ""
        raise HostError(
            f"{shown(path)} is compressed with {packing.name}, which this Python cannot read: "
            f"install {remedy}the program {packing.name}"
        )
    with subprocess.Popen(
        [program, "-dcq"], stdin=fd, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        try:
            while chunk := process.stdout.read(_CHUNK_BYTES):
                scratch.put(chunk)
        except BaseException:
            process.kill()
            raise
        words = process.stderr.read()
    if process.returncode:
        reason = words.decode("utf-8", "backslashreplace").strip().replace("\n", "; ")
        raise ManifestError(f"{shown(path)} is damaged: {reason or packing.name + ' cannot read it'}")
