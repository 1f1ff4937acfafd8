"""$LogFile: unused, or restart pages and log pages that are whole."""

from __future__ import annotations

import struct

from ntfsbuild.checks.state import Stream, Volume, label
from ntfsbuild.checks.storage import Extents, restored
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.file_record import LOG_FILE
from ntfsbuild.ondisk.log_file import EMPTY_BYTE, LOG_PAGE_BYTES

_WHAT = label(kinds.DATA)
_LEAST_BYTES = 256 << 10
_PIECE_BYTES = 1 << 20
_HEAD = struct.Struct("<QIIHhh")  # From 0x08 on: LSN of chkdsk, page sizes, area, versions.
_AREA = struct.Struct("<QHHHHIHHQ")  # LSN, clients, lists, flags, sequence bits, lengths, file size.
_CLEAN = 2
_NO_CLIENT = 0xFFFF
_VERSIONS = ((1, 0), (1, 1), (2, 0))


def check_log(volume: Volume, stream: Stream | None) -> None:
    """The log as Windows would find it; `volume.log_lsn` is set where records can be held to it."""
    say = volume.say
    if stream is None or stream.first.resident:
        say("Y28", LOG_FILE, "a non-resident $DATA", "none")
        return
    size = stream.size
    if size < _LEAST_BYTES or size % LOG_PAGE_BYTES:
        say("Y29", LOG_FILE, f"{_LEAST_BYTES} or more, whole pages", size, _WHAT)
    extents = volume.extents(stream)
    size = min(size, extents.size_bytes, volume.source.size_bytes)  # A damaged size has no end.
    first, second = (extents.read(at, LOG_PAGE_BYTES) for at in (0, LOG_PAGE_BYTES))
    if first.count(EMPTY_BYTE) == len(first):
        if not _is_empty(extents, size):
            say(
                "Y31", LOG_FILE, "ff or 00 throughout", "an unused first page, and something behind it", _WHAT
            )
        return
    areas = [_restart(volume, page, at, stream.size) for page, at in ((first, 0), (second, LOG_PAGE_BYTES))]
    good = [area for area in areas if area is not None]
    if not good:
        say("Y26", LOG_FILE, "ff throughout, or restart pages", first[:16].hex(" "), _WHAT, 0)
        return
    lsn, clients, in_use, flags = max(good)
    clean = in_use == _NO_CLIENT or bool(flags & _CLEAN)
    if not clean:
        say("Y27", LOG_FILE, "closed", f"{clients} client in use", _WHAT)
    elif len(good) == len(areas):
        volume.log_lsn = lsn
    _check_pages(volume, extents, size)


def _is_empty(extents: Extents, size: int) -> bool:
    """Whether there are no pages; images of metadata alone have zeros where nobody would look for one."""
    for at in range(0, size, _PIECE_BYTES):
        piece = extents.read(at, min(_PIECE_BYTES, size - at))
        empty, zeros = piece.count(EMPTY_BYTE), piece.count(0)
        if len(piece) not in (empty, zeros) and (
            empty + zeros != len(piece)
            or any(
                piece[sector : sector + 512].count(piece[sector]) != 512
                for sector in range(0, len(piece), 512)
            )
        ):
            return False
    return True


def _restart(volume: Volume, page: bytes, at: int, size: int) -> tuple[int, int, int, int] | None:
    """LSN, clients, list and flags of a restart page; None where it is none."""
    say = volume.say
    if page[:4] not in (b"RSTR", b"CHKD"):
        say("Y32", LOG_FILE, "RSTR", page[:4].hex(" "), _WHAT, at)
        return None
    data, problem = restored(page)
    if problem:
        say("Y41", LOG_FILE, "a whole restart page", problem, _WHAT, at)
        return None
    _, system_page, log_page, area_at, minor, major = _HEAD.unpack_from(data, 8)
    if system_page != LOG_PAGE_BYTES or log_page != LOG_PAGE_BYTES or (major, minor) not in _VERSIONS:
        found = f"pages of {system_page} and {log_page}, version {major}.{minor}"
        say("Y42", LOG_FILE, "pages of 4096, version 1.0, 1.1 or 2.0", found, _WHAT, at)
        return None
    if area_at % 8 or not 0x30 <= area_at <= len(data) - _AREA.size:
        say("Y43", LOG_FILE, "a restart area in its page", f"{area_at:#x}", _WHAT, at + 0x18)
        return None
    lsn, clients, _, in_use, flags, _, _, _, file_size = _AREA.unpack_from(data, area_at)
    if file_size > size:
        say("Y44", LOG_FILE, f"at most {size}", file_size, _WHAT, at + area_at)
    return lsn, clients, in_use, flags


def _check_pages(volume: Volume, extents: Extents, size: int) -> None:
    for begin in range(2 * LOG_PAGE_BYTES, size - LOG_PAGE_BYTES + 1, _PIECE_BYTES):
        piece = extents.read(begin, min(_PIECE_BYTES, size - begin))
        for at in range(0, len(piece) - LOG_PAGE_BYTES + 1, LOG_PAGE_BYTES):
            magic = piece[at : at + 4]
            if magic == b"RCRD":
                _, problem = restored(piece[at : at + LOG_PAGE_BYTES])
                if problem:
                    volume.say("Y30", LOG_FILE, "a whole page", problem, _WHAT, begin + at)
            elif magic not in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"CHKD"):
                volume.say("Y45", LOG_FILE, "RCRD, or unused", magic.hex(" "), _WHAT, begin + at)
