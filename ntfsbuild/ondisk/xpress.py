"""Decompresses XPRESS with Huffman codes, as used by WOF in chunks of 4, 8 and 16 KiB."""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk.prefix_codes import BitReader, PrefixCode, copy_match

_TABLE_BYTES = 256  # 512 lengths of 4 bits, the lower half of a byte first.
_LITERALS = 256
_LEAST_MATCH = 3
_LONG, _LONGER = 15, 255  # Lengths for which a byte follows, and for that a word.
_AHEAD_BITS = 16  # So many are always at hand: it decides which bytes lie between the words.


def decompress(data: bytes, size_bytes: int) -> bytes:
    """The `size_bytes` of a chunk; raises CorruptVolume where it is damaged."""
    if len(data) < _TABLE_BYTES:
        raise CorruptVolume(f"{len(data)} bytes are less than a table of code lengths")
    code = PrefixCode([half for one in data[:_TABLE_BYTES] for half in (one & 15, one >> 4)], "XPRESS")
    reader, out = BitReader(data, _TABLE_BYTES), bytearray()
    reader.need(2 * _AHEAD_BITS)
    while len(out) < size_bytes:
        symbol = reader.symbol(code)
        reader.need(_AHEAD_BITS)
        if symbol < _LITERALS:
            out.append(symbol)
            continue
        distance_bits, length = divmod(symbol - _LITERALS, 16)
        if length == _LONG:
            length = _long_length(reader)
        distance = (1 << distance_bits) + reader.take(distance_bits)
        reader.need(_AHEAD_BITS)
        copy_match(out, distance, length + _LEAST_MATCH, size_bytes)
    return bytes(out)


def _long_length(reader: BitReader) -> int:
    (more,) = reader.bytes(1)
    if more < _LONGER:
        return _LONG + more
    length = int.from_bytes(reader.bytes(2), "little")
    if length < _LONG:
        raise CorruptVolume(f"a long match of {length} bytes")
    return length
