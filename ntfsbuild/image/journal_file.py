"""A rollback journal as a file: written in batches, read only as far as it is sealed.  specs/journal.md"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.image import syscalls
from ntfsbuild.image.journal_format import (
    DIGEST_BYTES,
    ENTRY,
    ENTRY_BYTES_MAX,
    HEADER,
    MAGIC,
    MARK,
    MARK_AT,
    SEAL,
    SECTOR_BYTES,
    SUFFIX,
    VERSION,
    BatchEntry,
    BatchSeal,
    JournalHeader,
    SealMark,
    checksums,
    digest_of,
    padding,
    piece_count,
)
from ntfsbuild.image.open_file import CHUNK_BYTES, OpenFile, refused
from ntfsbuild.named_tuple import NamedTuple

_ROOT = 0  # Root may write every image.
_WRITABLE_BY_OTHERS = 0o022
_OPEN_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def journal_beside(path: str | os.PathLike[str]) -> str:
    """The path of the journal of an image file: beside the file itself, not beside a link to it."""
    return os.path.realpath(path) + SUFFIX


class JournalWriter:
    """A new journal.  `seal` makes the added regions valid; `remove` ends the change."""

    def __init__(self, file: OpenFile, header: JournalHeader) -> None:
        self._file = file  # Its name is its path.
        first = header.pack()
        self._header_digest = self._previous = first[-DIGEST_BYTES:]
        self._header = first
        self._number = 0
        file.write(0, first.ljust(SECTOR_BYTES, b"\0"))
        self._begin(SECTOR_BYTES)

    @classmethod
    def create(cls, path: str, image: OpenFile, header: JournalHeader) -> JournalWriter:
        """Make the file, which must not exist; nothing of it has to be on the medium yet.

        Its read permissions are those of the image; only its owner may write it.  If the host allows that, it
        belongs to the owner of the image, who otherwise could not undo the change.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN_FLAGS
        like = os.fstat(image.descriptor)
        try:
            descriptor = syscalls.create(path, flags, like.st_mode & 0o666 & ~_WRITABLE_BY_OTHERS)
        except OSError as error:
            raise refused(path, error) from error
        try:
            if os.fstat(descriptor).st_uid != like.st_uid:
                with contextlib.suppress(OSError):
                    os.fchown(descriptor, like.st_uid, -1)
            return cls(OpenFile(descriptor, path), header)
        except BaseException:
            os.close(descriptor)
            raise

    def _begin(self, at: int) -> None:
        self._seal_at, self._at = at, at + SECTOR_BYTES
        self._entry_count = 0
        self._digest = hashlib.sha256(self._previous)

    def add(self, offset: int, old: bytes, new: bytes | bytearray) -> None:
        """Save the content of a region of the image, before `new` is written there."""
        sums = checksums(offset, new)
        data = BatchEntry(offset, len(old), piece_count(offset, len(old))).pack() + sums + old
        self._entry_count += 1
        self._file.write(self._at, data)
        self._digest.update(data)
        self._at += len(data)

    def seal(self) -> None:
        """Return when all added regions and their seal are on the medium."""
        body_bytes = self._at - self._seal_at - SECTOR_BYTES
        if padding(body_bytes):
            self._file.write(self._at, bytes(padding(body_bytes)))
        self._file.sync()
        self._number += 1
        if self._number == 1:
            _sync_folder(self._file.shown)
        seal = BatchSeal(self._number, self._entry_count, body_bytes, self._digest.digest())
        data = seal.pack(self._previous)
        self._file.write(self._seal_at, data.ljust(SECTOR_BYTES, b"\0"))
        self._file.sync()
        mark = SealMark(self._number).pack(self._header_digest)
        # Need not be on the medium before anything else: it only tells damage from a change that never began.
        self._file.write(0, (self._header.ljust(MARK_AT, b"\0") + mark).ljust(SECTOR_BYTES, b"\0"))
        self._previous = data[-DIGEST_BYTES:]
        self._begin(self._at + padding(body_bytes))

    def remove(self) -> None:
        """Remove the journal: after this there is nothing to roll back."""
        remove(self._file.shown)

    def close(self) -> None:
        """Close the file, whether it was removed or not."""
        with contextlib.suppress(OSError):
            os.close(self._file.forget())


def remove(path: str) -> None:
    """Remove a journal, and return when this is on the medium."""
    try:
        with contextlib.suppress(FileNotFoundError):
            syscalls.unlink(path)
    except OSError as error:
        raise refused(path, error) from error
    _sync_folder(path)


def _sync_folder(path: str) -> None:
    try:
        syscalls.fsync_folder(os.path.dirname(path) or os.curdir)
    except OSError as error:
        raise refused(path, error) from error


# ---------------------------------------------------------------------- reading


class SavedRegion(NamedTuple):
    """A region of the image, and where the journal has its checksums and its former content."""

    offset: int
    size_bytes: int
    checksums_at: int
    data_at: int


class Journal(NamedTuple):
    """The sealed part of a journal: its image, and the regions in the order in which they were saved."""

    header: JournalHeader
    regions: list[SavedRegion]


def open_journal(path: str, image: OpenFile) -> int | None:
    """A descriptor of the journal of an image, None if there is none.

    Raises VolumeError if another user may have made the journal, to have the image overwritten.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _OPEN_FLAGS)
    except OSError as error:
        if not os.path.lexists(path):
            return None  # Also where the name would be too long for one.
        raise refused(path, error) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise _damaged(path, "it is not a regular file")
    if wrong := _why_not_trusted(found, os.fstat(image.descriptor).st_uid):
        os.close(descriptor)
        raise VolumeError(
            f"{path}: it lies where the journal of an interrupted change does, and is not taken for one: "
            f"{wrong}; remove it if no change was interrupted"
        )
    return descriptor


def _why_not_trusted(found: os.stat_result, image_owner: int) -> str | None:
    """Why the journal may be made by a user who may not write the image; None if it is trusted."""
    if found.st_uid not in (image_owner, os.geteuid(), _ROOT):
        return f"it belongs to the user {found.st_uid}, who neither owns the image nor opens it"
    if found.st_mode & _WRITABLE_BY_OTHERS:
        return f"others than its owner may write it (mode {stat.S_IMODE(found.st_mode):04o})"
    if found.st_nlink > 1:
        return f"it has {found.st_nlink} names (hard links)"
    return None


def read_journal(file: OpenFile) -> Journal | None:
    """The checked content of a journal; None if nothing was overwritten yet when it was interrupted.

    Raises CorruptVolume if it is damaged.
    """
    found = _read_header(file)
    if found is None:
        return None
    header, previous = found
    regions: list[SavedRegion] = []
    at, number, end = SECTOR_BYTES, 0, file.size()
    while first := _read_seal(file, at, previous):
        seal, digest = first
        number += 1
        body_at = at + SECTOR_BYTES
        if seal.number != number or seal.body_bytes > end - body_at:
            raise _damaged(file.shown, f"batch {number} at {at:#x} is not whole")
        if _digest(file, body_at, seal.body_bytes, previous) != seal.body_digest:
            raise _damaged(file.shown, f"batch {number} at {at:#x} has another SHA-256")
        batch = _read_regions(file, body_at, seal.body_bytes, header)
        if len(batch) != seal.entry_count:
            raise _damaged(file.shown, f"batch {number} has {len(batch)} entries, not {seal.entry_count}")
        regions += batch
        previous = digest
        at = body_at + seal.body_bytes + padding(seal.body_bytes)
    sealed = _read_mark(file, found[1])
    if number < sealed:
        raise _damaged(file.shown, f"it is not whole: it has {number} sealed batches, and had {sealed}")
    return Journal(header, regions) if regions else None


def _read_mark(file: OpenFile, header_digest: bytes) -> int:
    """The number of batches that were sealed at least."""
    data = file.read(MARK_AT, MARK.size + DIGEST_BYTES)
    if not any(data):
        return 0
    mark = SealMark.unpack(data, header_digest)
    if mark is None:
        raise _damaged(file.shown, "the mark of its seals is broken")
    return mark.sealed


def _read_header(file: OpenFile) -> tuple[JournalHeader, bytes] | None:
    """The header and its digest; None where no seal follows it, when it may not be whole yet."""
    data = file.read(0, 2 * SECTOR_BYTES)
    begins_as_one = MAGIC.startswith(data[: len(MAGIC)]) or not any(data[:SECTOR_BYTES])
    if len(MAGIC) < len(data) < SECTOR_BYTES:  # The first sector is written at once.
        raise _damaged(file.shown, f"it is cut off after {len(data)} bytes")
    if begins_as_one and not any(data[MARK_AT:]):
        return None
    if not data.startswith(MAGIC):
        raise _damaged(file.shown, "it does not begin as one")
    header = JournalHeader.unpack(data)
    if header is None:
        raise _damaged(file.shown, "its header has another SHA-256")
    if header.version != VERSION:
        raise CorruptVolume(
            f"{file.shown}: the journal of an interrupted change, of version {header.version}; "
            f"{VERSION} is the one that is understood"
        )
    if header.window_offset + header.window_bytes > header.image_bytes:
        raise _damaged(file.shown, "its window is larger than its image")
    return header, digest_of(data, HEADER.size)


def _read_seal(file: OpenFile, at: int, previous: bytes) -> tuple[BatchSeal, bytes] | None:
    """The seal at `at` and its digest; None if there is none: then the rest of the journal is not valid."""
    data = file.read(at, SECTOR_BYTES)
    if not any(data):
        return None
    seal = BatchSeal.unpack(data, previous)
    if seal is None:
        raise _damaged(file.shown, f"the seal at {at:#x} is broken")
    return seal, digest_of(data, SEAL.size)


def _digest(file: OpenFile, at: int, size_bytes: int, previous: bytes) -> bytes:
    digest = hashlib.sha256(previous)
    for done in range(0, size_bytes, CHUNK_BYTES):
        digest.update(file.read(at + done, min(CHUNK_BYTES, size_bytes - done)))
    return digest.digest()


def _read_regions(file: OpenFile, at: int, size_bytes: int, header: JournalHeader) -> list[SavedRegion]:
    regions = []
    end = at + size_bytes
    window_end = header.window_offset + header.window_bytes
    while at < end:
        entry = BatchEntry._make(ENTRY.unpack(file.read(at, ENTRY.size).ljust(ENTRY.size, b"\0")))
        checksums_at = at + ENTRY.size
        data_at = checksums_at + 4 * entry.piece_count
        inside = header.window_offset <= entry.offset <= window_end - entry.size_bytes
        if not inside or not 0 < entry.size_bytes <= ENTRY_BYTES_MAX or data_at + entry.size_bytes > end:
            raise _damaged(file.shown, f"the entry at {at:#x} leads out of it")
        if entry.piece_count != piece_count(entry.offset, entry.size_bytes):
            raise _damaged(file.shown, f"the entry at {at:#x} has {entry.piece_count} checksums")
        regions.append(SavedRegion(entry.offset, entry.size_bytes, checksums_at, data_at))
        at = data_at + entry.size_bytes
    return regions


def _damaged(shown: str, what: str) -> CorruptVolume:
    return CorruptVolume(
        f"{shown}: the journal of an interrupted change is damaged: {what}; nothing was changed"
    )
