"""Compressed streams: the units of LZNT1, and the chunks of WOF."""

from __future__ import annotations

from collections.abc import Iterator

from ntfsbuild.checks.state import CheckedFile, CheckedStream, Examination, label
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute as kinds
from ntfsbuild.ondisk import lznt1, lzx, xpress
from ntfsbuild.ondisk.runs import Run

_UNIT = lznt1.UNIT_CLUSTERS
_CHUNK = lznt1.CHUNK_BYTES
_COMPRESSED, _LENGTH_MASK = 0x8000, 0x0FFF  # In the header of a chunk.
_SIGNATURE, _SIGNATURE_MASK = 0x3000, 0x7000
_UNITS_DECODED = 64  # Of a volume: decoding is slow; of all others the chunks are counted.
_WOF_STREAM = "WofCompressedData".encode("utf-16-le")
_WOF_CHUNKS = {0: 4096, 1: 32768, 2: 8192, 3: 16384}
_WOF_FILE = 2
_LARGE = 1 << 32
_MOST_TABLE_BYTES = 1 << 24
_WOF_LZX = 1
_CHUNKS_DECODED = 64  # Of a volume, as of units; of each file the first and the last come before all others.


def check_units(examination: Examination, number: int, stream: CheckedStream) -> None:
    """Each unit is 16 clusters: all there, none, or the first of them with compressed data."""
    say, what = examination.say, stream.first.label
    cluster = examination.geometry.cluster_bytes
    extents = examination.extents(stream)
    for vcn, there, sound in _units(stream.runs):
        if not sound:
            say("F17", number, "holes at the end of a unit", f"others in the unit at VCN {vcn}", what)
            return
        size = min(_UNIT * cluster, stream.first.initialized - vcn * cluster)
        if not 0 < there < _UNIT or size <= 0:
            continue
        problem = _unit_problem(examination, extents.read(vcn * cluster, there * cluster), size)
        if problem:
            say("F16", number, f"{size} bytes of LZNT1", f"the unit at VCN {vcn}: {problem}", what)


def _units(runs: list[Run]) -> Iterator[tuple[int, int, bool]]:
    """For each unit its VCN, how many clusters it has, and whether these come first.

    Long runs are no long lists: what is whole, or nowhere, is passed over.
    """
    vcn = there = filled = 0
    sound = True
    for lcn, count in runs:
        left = count
        while left:
            if filled == 0 and left >= _UNIT:
                whole = left // _UNIT
                vcn += whole * _UNIT
                left -= whole * _UNIT
                continue
            step = min(left, _UNIT - filled)
            if lcn is not None:
                sound = sound and there == filled
                there += step
            filled += step
            left -= step
            if filled == _UNIT:
                yield vcn, there, sound
                vcn, there, filled, sound = vcn + _UNIT, 0, 0, True
    if filled:
        yield vcn, there, False


def _unit_problem(examination: Examination, data: bytes, size: int) -> str:
    """What is wrong with a compressed unit."""
    if problem := _chunk_problem(data, size):
        return problem
    examination.units_decoded += 1
    if examination.units_decoded <= _UNITS_DECODED:
        try:
            lznt1.decompress(data, size)
        except (CorruptVolume, IndexError) as error:
            return str(error)
    return ""


def _chunk_problem(data: bytes, size: int) -> str:
    """What is wrong with the headers of a unit's chunks, of which each stands for 4096 bytes."""
    at = chunks = 0
    while chunks * _CHUNK < size:
        header = int.from_bytes(data[at : at + 2], "little")
        if not header:
            return f"it ends behind {chunks} chunks"
        if header & _SIGNATURE_MASK != _SIGNATURE:
            return f"chunk {chunks} has the header {header:#06x}"
        if not header & _COMPRESSED and header & _LENGTH_MASK != _CHUNK - 1:
            return f"chunk {chunks} is not compressed, and has {(header & _LENGTH_MASK) + 1} bytes"
        at += 3 + (header & _LENGTH_MASK)
        if at > len(data):
            return f"chunk {chunks} ends behind it"
        chunks += 1
    return ""


def check_wof(examination: Examination, file: CheckedFile, data: bytes) -> None:
    """A file that Windows compressed as a whole: its data is a hole, its chunks lie in a stream."""
    say, number = examination.say, file.number
    main, packed = file.stream(kinds.DATA), file.stream(kinds.DATA, _WOF_STREAM)
    if len(data) < 16 or int.from_bytes(data[4:8], "little") != _WOF_FILE:
        return
    if int.from_bytes(data[:4], "little") != 1 or int.from_bytes(data[8:12], "little") != 1:
        found = f"{int.from_bytes(data[:4], 'little')} and {int.from_bytes(data[8:12], 'little')}"
        say("F14", number, "versions 1 and 1", found, label(kinds.REPARSE_POINT))
    what = label(kinds.DATA, _WOF_STREAM)
    chunk = _WOF_CHUNKS.get(int.from_bytes(data[12:16], "little"), 0)
    if main is None or packed is None or not chunk:
        say("F14", number, "$DATA and its compressed chunks", "not both", what)
        return
    if any(lcn is not None for lcn, _ in main.runs):
        say("F35", number, "a hole", "clusters", label(kinds.DATA))
    count = -(-main.size // chunk)
    width = 8 if main.size >= _LARGE else 4
    table_bytes = max(0, count - 1) * width
    if table_bytes > packed.size:
        say("F15", number, f"a table of {table_bytes} bytes", packed.size, what)
        return
    if table_bytes > _MOST_TABLE_BYTES:
        return
    table = examination.content(packed, table_bytes)[:table_bytes]
    before = 0
    spans: list[tuple[int, int]] = []
    ends = [int.from_bytes(table[at : at + width], "little") for at in range(0, table_bytes, width)]
    for place, end in enumerate([*ends, packed.size - table_bytes]):
        if not before <= end <= packed.size - table_bytes or end - before > chunk:
            say("F15", number, f"chunks of {chunk} bytes at most", f"chunk {place}: {before} to {end}", what)
            return
        spans.append((before, end))
        before = end
    _check_chunks(examination, number, packed, spans, main.size, int.from_bytes(data[12:16], "little"))


def _check_chunks(
    examination: Examination,
    number: int,
    packed: CheckedStream,
    spans: list[tuple[int, int]],
    size_bytes: int,
    algorithm: int,
) -> None:
    """Whether the chunks can be decompressed; `spans` are theirs in the stream behind its table."""
    chunk = _WOF_CHUNKS[algorithm]
    decompress = lzx.decompress if algorithm == _WOF_LZX else xpress.decompress
    table_bytes = packed.size - spans[-1][1] if spans else 0
    extents = None if packed.first.resident else examination.extents(packed)
    for place in sorted(range(len(spans)), key=lambda one: (0 < one < len(spans) - 1, one)):
        begin, end = spans[place]
        size = min(chunk, size_bytes - place * chunk)
        if size <= 0 or end - begin == size:
            continue  # There is none, or it is stored as it is.
        if examination.chunks_decoded >= _CHUNKS_DECODED:
            return
        examination.chunks_decoded += 1
        at = table_bytes + begin
        raw = extents.read(at, end - begin) if extents else packed.first.value[at : table_bytes + end]
        try:
            decompress(raw, size)
        except CorruptVolume as error:
            examination.say(
                "F40", number, f"{size} bytes", f"chunk {place}: {error}", label(kinds.DATA, _WOF_STREAM)
            )
