"""Undoing a change that did not come to its end.  specs/journal.md"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.image.journal_file import Journal, SavedRegion, open_journal, read_journal, remove
from ntfsbuild.image.journal_format import PIECE_BYTES, parse_checksums, pieces
from ntfsbuild.image.open_file import OpenFile
from ntfsbuild.image.saved_content import SavedContent


def roll_back(image: OpenFile, path: str) -> None:
    """Put back what the journal at `path` saved, and remove it, if there is one.

    The caller holds the exclusive lock of the image.  Can be cut short at any moment, and begun anew.
    Raises CorruptVolume, before anything is written, where the journal is damaged or is another image's.
    """
    descriptor = open_journal(path, image)
    if descriptor is None:
        return
    try:
        file = OpenFile(descriptor, path)
        journal = read_journal(file)
        if journal is not None:
            _check_belongs(image, file, journal)
            _put_back(image, file, journal.regions)
            image.sync()
        remove(path)
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def saved_content(image: OpenFile, path: str) -> SavedContent | None:
    """What the journal at `path` saved, for reading the image as it was; None where nothing was overwritten.

    The caller holds a lock of the image.  Raises CorruptVolume as `roll_back` does.
    """
    descriptor = open_journal(path, image)
    if descriptor is None:
        return None
    try:
        file = OpenFile(descriptor, path)
        journal = read_journal(file)
        if journal is not None:
            _check_belongs(image, file, journal)
            return SavedContent(file, journal.regions)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def identity(sector: bytes) -> bytes:
    """By what a journal knows its image again: the SHA-256 of the window's first sector."""
    return hashlib.sha256(sector).digest()


def _put_back(image: OpenFile, file: OpenFile, regions: list[SavedRegion]) -> None:
    for region in reversed(regions):
        data = file.read(region.data_at, region.size_bytes)
        # What is still a hole was never overwritten; to fill it could take room that is not there.  All
        # else is written even where it reads the same: after an I/O error a cache may say so wrongly.
        if any(data) or not image.is_hole(region.offset, region.size_bytes):
            image.write(region.offset, data)


def _check_belongs(image: OpenFile, file: OpenFile, journal: Journal) -> None:
    """Check that the saved data matches the current data of the image."""
    header = journal.header
    if image.size() != header.image_bytes:
        raise _stranger(image, file, f"it was one of {header.image_bytes} bytes, not {image.size()}")
    if identity(_first_sector(image, file, journal)) != header.identity:
        raise _stranger(image, file, f"its volume began with another sector at {header.window_offset}")
    wrong = _foreign_pieces(image, file, journal.regions)
    if wrong:
        raise _stranger(image, file, f"the sector at {min(wrong)} is neither as before nor as changed")


def _first_sector(image: OpenFile, file: OpenFile, journal: Journal) -> bytes:
    """The window's first sector as it would be after the rollback."""
    begin = journal.header.window_offset
    end = begin + min(PIECE_BYTES, journal.header.window_bytes)
    sector = bytearray(image.read(begin, end - begin))
    for region in reversed(journal.regions):
        stop = min(end, region.offset + region.size_bytes)
        if region.offset < end and begin < stop:
            first = max(begin, region.offset)
            saved = file.read(region.data_at + first - region.offset, stop - first)
            sector[first - begin : stop - begin] = saved
    return bytes(sector)


def _foreign_pieces(image: OpenFile, file: OpenFile, regions: list[SavedRegion]) -> set[int]:
    """The offsets of pieces that hold neither saved data nor data of the change.

    A region may have been saved more than once, and the image may hold any of its states.
    """
    wrong: set[int] = set()
    for region in regions:
        wrong.update(_mismatches(image, file, region))
    if wrong:
        for region in regions:
            own = {region.offset + begin for begin, _ in pieces(region.offset, region.size_bytes)}
            wrong -= own - _mismatches(image, file, region)
    return wrong


def _mismatches(image: OpenFile, file: OpenFile, region: SavedRegion) -> set[int]:
    old = file.read(region.data_at, region.size_bytes)
    now = image.read(region.offset, region.size_bytes)
    if now == old:
        return set()
    sums = parse_checksums(file.read(region.checksums_at, region.data_at - region.checksums_at))
    return {
        region.offset + begin
        for (begin, end), checksum in zip(pieces(region.offset, region.size_bytes), sums, strict=True)
        if now[begin:end] != old[begin:end] and zlib.crc32(now[begin:end]) != checksum
    }


def _stranger(image: OpenFile, file: OpenFile, why: str) -> CorruptVolume:
    return CorruptVolume(
        f"{image.shown}: {file.shown} is the journal of an interrupted change, but not of this image: {why}; "
        "remove it if the image was replaced since, and nothing of the change is wanted"
    )
