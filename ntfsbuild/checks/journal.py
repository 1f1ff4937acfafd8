"""$UsnJrnl: records of what changed, each at the offset that is its number."""

from __future__ import annotations

import struct

from ntfsbuild.checks.state import File, Volume, label
from ntfsbuild.ondisk import attribute as kinds

_J, _MAX = "$J".encode("utf-16-le"), "$Max".encode("utf-16-le")
_MAX_BYTES = 32
_PAGE_BYTES = 4096
_RECORD = struct.Struct("<IHHQQQQIIIIHH")
_CHUNK_BYTES = 1 << 20
_MOST_BYTES = 64 << 20  # Of what is allocated: a journal of Windows has 32 MiB.
_VERSIONS = (2, 3, 4)


def check_journal(volume: Volume, file: File) -> None:
    """The journal's two streams."""
    say, number, what = volume.say, file.number, label(kinds.DATA, _J)
    maximum = volume.content(file.stream(kinds.DATA, _MAX), _MAX_BYTES)
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
    extents = volume.extents(stream)
    at, looked_at = 0, 0
    end = min(stream.first.initialized, stream.size)
    for lcn, count in stream.runs:
        size = count * volume.geometry.cluster_bytes
        if lcn is not None:
            for begin in range(at, min(at + size, end), _CHUNK_BYTES):
                piece = extents.read(begin, min(_CHUNK_BYTES, at + size - begin, end - begin))
                if looked_at > _MOST_BYTES or not _check_piece(volume, number, piece, begin, what):
                    return
                looked_at += len(piece)
        at += size


def _check_piece(volume: Volume, number: int, piece: bytes, begin: int, what: str) -> bool:
    """Every page of a piece; False where no sense can be made of one."""
    say = volume.say
    for page in range(0, len(piece), _PAGE_BYTES):
        at, stop = page, min(page + _PAGE_BYTES, len(piece))
        while at + 8 <= stop:
            length = int.from_bytes(piece[at : at + 4], "little")
            if length == 0:
                break
            if length % 8 or length < _RECORD.size or at + length > stop:
                say("Y36", number, "a record in its page", f"{length} bytes", what, begin + at)
                return False
            _, major, _, _, _, usn, _, _, _, _, _, name_bytes, name_at = _RECORD.unpack_from(piece, at)
            if major not in _VERSIONS:
                say("Y38", number, "version 2 to 4", major, what, begin + at)
                return False
            if major == 2:
                if usn != begin + at:
                    say("Y37", number, begin + at, usn, what, begin + at + 0x18)
                if name_at + name_bytes > length:
                    say(
                        "Y46",
                        number,
                        f"a name in {length} bytes",
                        f"{name_bytes} at {name_at:#x}",
                        what,
                        begin + at,
                    )
            at += length
    return True
