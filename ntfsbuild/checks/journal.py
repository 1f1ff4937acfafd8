"""$UsnJrnl: records of what changed, each at the offset that is its number."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ntfsbuild.checks.state import CheckedFile, CheckedStream, Examination, label
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk.layout import align

_J, _MAX = "$J".encode("utf-16-le"), "$Max".encode("utf-16-le")
_MAX_BYTES = 32
_PAGE_BYTES = 4096
_LEAST_RECORD_BYTES = 0x3C
_FIELDS = {  # By version: the record's number, bytes and place of its name, which begins behind that.
    2: struct.Struct("<24xQ24xHH"),
    3: struct.Struct("<40xQ24xHH"),
}
_CHUNK_BYTES = 1 << 20
_MOST_BYTES = 64 << 20  # Of what is allocated: a journal of Windows has 32 MiB.
_VERSIONS = (2, 3, 4)


def check_journal(examination: Examination, file: CheckedFile) -> None:
    """The journal's two streams."""
    say, number, what = examination.say, file.number, label(kinds.DATA, _J)
    maximum = examination.content(file.stream(kinds.DATA, _MAX), _MAX_BYTES)
    if len(maximum) != _MAX_BYTES:
        say("Y35", number, f"{_MAX_BYTES} bytes", len(maximum), label(kinds.DATA, _MAX))
    stream = file.stream(kinds.DATA, _J)
    if stream is None:
        say("Y40", number, "a stream $J", "none")
        return
    if stream.first.resident:
        if stream.size:
            say("Y36", number, "records in clusters", f"{stream.size} bytes in the record", what)
        return
    extents = examination.extents(stream)
    looked_at = 0
    for first, last in _spans(stream, examination.geometry.cluster_bytes):
        for begin in range(first, last, _CHUNK_BYTES):
            piece = extents.read(begin, min(_CHUNK_BYTES, last - begin))
            if looked_at > _MOST_BYTES or not _check_piece(examination, number, piece, begin, what):
                return
            looked_at += len(piece)


def _spans(stream: CheckedStream, cluster_bytes: int) -> Iterator[tuple[int, int]]:
    """Where there are whole pages between holes, however many runs they lie in."""
    end = min(stream.first.initialized, stream.size)
    at = begin = 0
    for lcn, count in (*stream.runs, (None, 0)):
        if lcn is None:
            first = align(begin, _PAGE_BYTES)
            if first < min(at, end):
                yield first, min(at, end)
            begin = at + count * cluster_bytes
        at += count * cluster_bytes


def _check_piece(examination: Examination, number: int, piece: bytes, begin: int, what: str) -> bool:
    """Every page of a piece; False where no sense can be made of one."""
    return all(
        _check_page(examination, number, piece[at : at + _PAGE_BYTES], begin + at, what)
        for at in range(0, len(piece), _PAGE_BYTES)
    )


def _check_page(examination: Examination, number: int, page: bytes, begin: int, what: str) -> bool:
    """The records of a page; behind the last one it is empty."""
    say, at, stop = examination.say, 0, len(page)
    while at + 8 <= stop:
        length = int.from_bytes(page[at : at + 4], "little")
        if length == 0:
            if page.count(0, at) != stop - at:
                say("Y36", number, "zeros behind the last record of a page", "something", what, begin + at)
                return False
            break
        if length % 8 or length < _LEAST_RECORD_BYTES or at + length > stop:
            say("Y36", number, "a record in its page", f"{length} bytes", what, begin + at)
            return False
        major = page[at + 4] | page[at + 5] << 8
        if major not in _VERSIONS:
            say("Y38", number, "version 2 to 4", major, what, begin + at)
            return False
        fields = _FIELDS.get(major)
        if fields is not None:
            if length < fields.size:
                say("Y36", number, f"{fields.size} bytes at least", length, what, begin + at)
                return False
            usn, size, name_at = fields.unpack_from(page, at)
            if usn != begin + at:
                say("Y37", number, begin + at, usn, what, begin + at)
            if not size or size % 2 or name_at < fields.size or name_at + size > length:
                found = f"{size} bytes at {name_at:#x}"
                say("Y46", number, f"a name in {length} bytes", found, what, begin + at)
        at += length
    return True
