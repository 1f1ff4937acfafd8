"""$LogFile: unused, or restart pages and log pages that are whole."""

from __future__ import annotations

import struct

from ntfsbuild.checks.state import CheckedStream, Examination, label
from ntfsbuild.checks.storage import Extents, restored
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.file_record import LOG_FILE
from ntfsbuild.ondisk.log_file import EMPTY_BYTE, LOG_PAGE_BYTES

_WHAT = label(kinds.DATA)
_LEAST_BYTES = 256 << 10
_PIECE_BYTES = 1 << 20
_HEAD = struct.Struct("<QIIHhh")  # From 0x08 on: LSN of chkdsk, page sizes, area, versions.
_AREA = struct.Struct("<QHHHHIHHQIHH")
_AREA_BYTES = 0x30
_CLIENT_BYTES = 0xA0
_PREVIOUS_AT = 0x10  # In a client's record.
_FIRST_SECTOR_BYTES = 510  # Up to the update sequence number.
_SEQUENCE_BITS_AND_SIZE_BITS = 67  # An LSN has 64 bits, and counts in units of 8 bytes.
_CLEAN = 2
_NO_CLIENT = 0xFFFF
_VERSIONS = ((1, 0), (1, 1), (2, 0))


class _Area(NamedTuple):
    """A restart area; the clients' records lie behind it."""

    lsn: int
    clients: int
    free: int
    in_use: int
    flags: int
    sequence_bits: int
    length: int
    clients_at: int
    file_size: int
    last_bytes: int
    record_header_bytes: int
    page_data_at: int


def check_log(examination: Examination, stream: CheckedStream | None) -> None:
    """The log as Windows would find it; `examination.log_lsn` is set where records can be held to it."""
    say = examination.say
    if stream is None or stream.first.resident:
        say("Y28", LOG_FILE, "a non-resident $DATA", "none")
        return
    size = stream.size
    if size < _LEAST_BYTES or size % LOG_PAGE_BYTES:
        say("Y29", LOG_FILE, f"{_LEAST_BYTES} or more, whole pages", size, _WHAT)
    extents = examination.extents(stream)
    size = min(size, extents.size_bytes, examination.source.size_bytes)  # A damaged size has no end.
    first, second = (extents.read(at, LOG_PAGE_BYTES) for at in (0, LOG_PAGE_BYTES))
    if first.count(EMPTY_BYTE) == len(first):
        if not _is_empty(extents, size):
            say(
                "Y31", LOG_FILE, "ff or 00 throughout", "an unused first page, and something behind it", _WHAT
            )
        return
    areas = [
        _restart(examination, page, at, stream.size) for page, at in ((first, 0), (second, LOG_PAGE_BYTES))
    ]
    good = [area for area in areas if area is not None]
    if not good:
        say("Y26", LOG_FILE, "ff throughout, or restart pages", first[:16].hex(" "), _WHAT, 0)
        return
    area, _ = max(good, key=lambda one: one[0].lsn)  # Of two of one age the first one counts.
    clean = area.in_use == _NO_CLIENT or bool(area.flags & _CLEAN)
    if not clean:
        say("Y27", LOG_FILE, "closed", f"{area.clients} client in use", _WHAT)
    elif len(good) == len(areas):
        examination.log_lsn = area.lsn
    if len(good) == len(areas) and good[0][0].lsn == good[1][0].lsn and good[0] != good[1]:
        say(
            "Y58",
            LOG_FILE,
            "the same in both pages",
            "something else in the second one",
            _WHAT,
            LOG_PAGE_BYTES,
        )
    _check_pages(examination, extents, size)


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


def _restart(examination: Examination, page: bytes, at: int, size: int) -> tuple[_Area, bytes] | None:
    """The restart area of a page, and its bytes with those of the clients; None where it is none."""
    say = examination.say
    if page[:4] not in (b"RSTR", b"CHKD"):
        say("Y32", LOG_FILE, "RSTR", page[:4].hex(" "), _WHAT, at)
        return None
    data, problem = restored(page)
    if problem:
        say("Y41", LOG_FILE, "a whole restart page", problem, _WHAT, at)
        return None
    chkdsk_lsn, system_page, log_page, area_at, minor, major = _HEAD.unpack_from(data, 8)
    if system_page != LOG_PAGE_BYTES or log_page != LOG_PAGE_BYTES or (major, minor) not in _VERSIONS:
        found = f"pages of {system_page} and {log_page}, version {major}.{minor}"
        say("Y42", LOG_FILE, "pages of 4096, version 1.0, 1.1 or 2.0", found, _WHAT, at)
        return None
    if chkdsk_lsn and page[:4] == b"RSTR":
        say("Y62", LOG_FILE, 0, f"{chkdsk_lsn:#x}", _WHAT, at + 8)
    if area_at % 8 or not 0x30 <= area_at <= len(data) - _AREA_BYTES:
        say("Y43", LOG_FILE, "a restart area in its page", f"{area_at:#x}", _WHAT, at + 0x18)
        return None
    area = _Area(*_AREA.unpack_from(data, area_at))
    if area.file_size > size:
        say("Y44", LOG_FILE, f"at most {size}", area.file_size, _WHAT, at + area_at)
    _check_numbers(examination, area, at + area_at)
    if _check_extent(examination, area, at, area_at):
        _check_clients(examination, area, data[area_at + area.clients_at :], at + area_at)
    return area, data[area_at : area_at + max(area.length, _AREA_BYTES)]


def _check_numbers(examination: Examination, area: _Area, at: int) -> None:
    bits = _SEQUENCE_BITS_AND_SIZE_BITS - area.file_size.bit_length()
    if area.sequence_bits != bits:
        examination.say("Y61", LOG_FILE, f"{bits} sequence bits", area.sequence_bits, _WHAT, at + 0x10)
    if area.record_header_bytes % 8 or area.page_data_at % 8:
        found = f"{area.record_header_bytes:#x}, {area.page_data_at:#x}"
        examination.say("Y61", LOG_FILE, "multiples of 8", found, _WHAT, at + 0x24)


def _check_extent(examination: Examination, area: _Area, at: int, area_at: int) -> bool:
    """Whether the area, and the clients in it, end in their page."""
    needed = area.clients_at + area.clients * _CLIENT_BYTES
    sound = (
        not area.clients_at % 8
        and area.clients_at >= _AREA.size
        and area_at + area.clients_at <= _FIRST_SECTOR_BYTES
        and needed <= area.length <= LOG_PAGE_BYTES - area_at
    )
    if not sound:
        found = f"{area.length:#x} bytes, {area.clients} clients from {area.clients_at:#x} on"
        examination.say("Y59", LOG_FILE, "an area that holds its clients", found, _WHAT, at + area_at)
    return sound


def _check_clients(examination: Examination, area: _Area, records: bytes, at: int) -> None:
    for first in (area.free, area.in_use):
        if first == _NO_CLIENT:
            continue
        if first >= area.clients:
            examination.say("Y60", LOG_FILE, f"one of {area.clients} clients", first, _WHAT, at + 0x0A)
            continue
        place = first * _CLIENT_BYTES + _PREVIOUS_AT
        previous = int.from_bytes(records[place : place + 2], "little")
        if previous != _NO_CLIENT:
            found = f"client {previous}"
            examination.say(
                "Y60", LOG_FILE, f"no client before client {first}", found, _WHAT, at + area.clients_at
            )


def _check_pages(examination: Examination, extents: Extents, size: int) -> None:
    for begin in range(2 * LOG_PAGE_BYTES, size - LOG_PAGE_BYTES + 1, _PIECE_BYTES):
        piece = extents.read(begin, min(_PIECE_BYTES, size - begin))
        for at in range(0, len(piece) - LOG_PAGE_BYTES + 1, LOG_PAGE_BYTES):
            magic = piece[at : at + 4]
            if magic == b"RCRD":
                _, problem = restored(piece[at : at + LOG_PAGE_BYTES])
                if problem:
                    examination.say("Y30", LOG_FILE, "a whole page", problem, _WHAT, begin + at)
            elif magic not in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"CHKD"):
                examination.say("Y45", LOG_FILE, "RCRD, or unused", magic.hex(" "), _WHAT, begin + at)
