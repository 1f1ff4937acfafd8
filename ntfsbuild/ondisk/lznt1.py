"""LZNT1, the compression of NTFS: chunks of 4096 bytes, tokens of 16 bits.  specs/ondisk/lznt1.md"""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume

CHUNK_BYTES = 4096
UNIT_CLUSTERS = 16
LARGEST_UNIT_BYTES = UNIT_CLUSTERS * 4096  # Larger clusters are never compressed.

_COMPRESSED = 0x8000
_LENGTH_MASK = 0x0FFF


def decompress(data: bytes, size_bytes: int) -> bytes:
    """The plain bytes of one compressed unit, at most `size_bytes`; shorter when the stream ends early."""
    out = bytearray()
    at = 0
    while at + 2 <= len(data) and len(out) < size_bytes:
        header = int.from_bytes(data[at : at + 2], "little")
        if header == 0:
            break
        end = at + 3 + (header & _LENGTH_MASK)
        if end > len(data):
            raise CorruptVolume(f"LZNT1: the chunk at {at:#x} ends behind its unit")
        if header & _COMPRESSED:
            _decompress_chunk(data, at + 2, end, out)
            # A chunk that is followed by another one stands for 4096 bytes, whatever it holds.
            if len(out) % CHUNK_BYTES and len(out) < size_bytes:
                out += bytes(-len(out) % CHUNK_BYTES)
        else:
            out += data[at + 2 : end]
        at = end
    return bytes(out[:size_bytes])


def _decompress_chunk(data: bytes, at: int, end: int, out: bytearray) -> None:
    start = len(out)
    while at < end:
        tags = data[at]
        at += 1
        for bit in range(8):
            if at >= end:
                return
            if not tags >> bit & 1:
                out.append(data[at])
                at += 1
                continue
            if at + 2 > end:
                raise CorruptVolume("LZNT1: a chunk ends inside a token")
            token = data[at] | data[at + 1] << 8
            at += 2
            position = len(out) - start
            displacement_bits = max(4, (position - 1).bit_length())
            length_bits = 16 - displacement_bits
            displacement = (token >> length_bits) + 1
            length = (token & (1 << length_bits) - 1) + 3
            if displacement > position:
                raise CorruptVolume("LZNT1: a token points before its chunk")
            _copy_back(out, displacement, length)


def _copy_back(out: bytearray, displacement: int, length: int) -> None:
    """Append `length` bytes from `displacement` back; the two may overlap, which repeats them."""
    source = out[-displacement:]
    if displacement < length:
        source = source * (length // displacement + 1)
    out += source[:length]
