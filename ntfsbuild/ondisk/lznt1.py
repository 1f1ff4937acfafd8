"""LZNT1, the compression of NTFS: chunks of 4096 bytes, tokens of 16 bits.  specs/ondisk/lznt1.md"""

from __future__ import annotations

from collections.abc import Sequence
from operator import ne

from ntfsbuild.errors import CorruptVolume

CHUNK_BYTES = 4096
UNIT_CLUSTERS = 16
LARGEST_UNIT_BYTES = UNIT_CLUSTERS * 4096  # Larger clusters are never compressed.

_COMPRESSED = 0x8000
_LENGTH_MASK = 0x0FFF
_SIGNATURE = 0x3000  # In bits 12 to 14 of a chunk's header: log2 of 4096, minus 9.
_STORED = (_SIGNATURE | CHUNK_BYTES - 1).to_bytes(2, "little")
_END = bytes(2)

_SHORTEST = 3  # Bytes that a token stands for, at least.
_SHORTEST_CHUNK = 6  # ntfs-3g refuses a shorter one at the end of its unit.
_GOOD_LENGTH = 18  # The longest in the second half of a chunk; no better one is looked for behind such.
# To become smaller a chunk must save its flag bytes, and each of its positions saves a byte or less.
_HOPELESS = CHUNK_BYTES // 8 * 4 // 5 - 8

# By position in the chunk: the bits of a token's length, and the longest there is.
_LENGTH_BITS = [16 - max(4, (max(at, 1) - 1).bit_length()) for at in range(CHUNK_BYTES)]
_LONGEST = [(1 << bits) + 2 for bits in _LENGTH_BITS]
_POSITIONS = list(range(CHUNK_BYTES))
_BYTES = [bytes((value,)) for value in range(256)]
_DIGITS = b"01" + bytes(254)


def compress(data: bytes | bytearray | memoryview) -> bytes:
    """The chunks of a unit and their end mark; which clusters that saves, if any, is for the caller to see.

    Nothing here differs between machines, as the matches that a zlib finds would.
    """
    data = bytes(data)
    assert len(data) <= LARGEST_UNIT_BYTES
    chunks = [_chunk(data[at : at + CHUNK_BYTES]) for at in range(0, len(data), CHUNK_BYTES)]
    return b"".join([*chunks, _END])


def _chunk(data: bytes) -> bytes:
    """One chunk with its header; stored as it is, in full length as ntfs-3g insists, if that is shorter."""
    size = len(data)
    if size == CHUNK_BYTES and data == data[:1] * size:
        return b"\x03\xb0\x02" + data[:1] + b"\xfc\x0f"
    threes, different = _first_seen(data, 3)
    if size == CHUNK_BYTES and size - different < _HOPELESS:
        return _STORED + data
    items, kinds = _parse(data, threes, _first_seen(data, 4)[0])
    kinds += bytes(-len(kinds) % 8)
    flags = int(kinds[::-1].translate(_DIGITS), 2).to_bytes(len(kinds) // 8, "little")
    body = b"".join([_BYTES[flag] + b"".join(items[8 * at : 8 * at + 8]) for at, flag in enumerate(flags)])
    if len(body) > CHUNK_BYTES:
        return _STORED + data.ljust(CHUNK_BYTES, b"\0")
    if len(body) + 2 < _SHORTEST_CHUNK:
        return _chunk(data.ljust(CHUNK_BYTES, b"\0"))
    return (_COMPRESSED | _SIGNATURE | len(body) - 1).to_bytes(2, "little") + body


def _first_seen(data: bytes, count: int) -> tuple[list[int], int]:
    """For each position, where its `count` (at most 4) bytes were seen first; and how many differ."""
    grams = bytearray(4 * len(data))
    for at in range(count):
        grams[at::4] = data[at:].ljust(len(data), b"\0")
    seen: dict[int, int] = {}
    return list(map(seen.setdefault, memoryview(grams).cast("I").tolist(), _POSITIONS)), len(seen)


def _parse(data: bytes, threes: Sequence[int], fours: Sequence[int]) -> tuple[list[bytes], bytearray]:
    """The chunk as bytes and tokens, with a 1 for each token; lazily: a longer match one later wins.

    All distances cost the same, so the search goes forward from the first place that had the same bytes.
    """
    size = len(data)
    last = size - _SHORTEST
    find, next_match = data.find, bytes(map(ne, threes, _POSITIONS)).find
    items: list[bytes] = []
    kinds = bytearray()
    at = 0
    while at <= last:
        begin, at = at, next_match(1, at, last + 1)
        if at < 0:
            at = begin
            break
        if at > begin:
            items += [_BYTES[value] for value in data[begin:at]]
            kinds += bytes(at - begin)
        if fours[at] < at < last:
            source, length = _longest(data, at, fours[at])
        else:
            source, length = threes[at], _SHORTEST
        while length < _GOOD_LENGTH and at < last:
            behind = at + 1
            better = fours[behind]
            if better == behind or behind + length >= size:
                break
            better = find(data[behind : behind + length + 1], better, behind + length)
            if better < 0:
                break
            items.append(_BYTES[data[at]])
            kinds.append(0)
            at = behind
            source, length = _longest(data, at, better)
        token = (at - source - 1 << _LENGTH_BITS[at]) + length - _SHORTEST
        items.append(token.to_bytes(2, "little"))
        kinds.append(1)
        at += length
    items += [_BYTES[value] for value in data[at:]]
    kinds += bytes(size - at)
    return items, kinds


def _longest(data: bytes, at: int, source: int) -> tuple[int, int]:
    """Where the most bytes are the same as at `at`, `source` or later, and how many a token can say."""
    longest, left = _LONGEST[at], len(data) - at
    if left < longest:
        longest = left
    find, from_bytes = data.find, int.from_bytes
    here = from_bytes(data[at : at + _GOOD_LENGTH], "little")
    while True:
        differing = here ^ from_bytes(data[source : source + _GOOD_LENGTH], "little")
        if differing:
            length = (differing & -differing).bit_length() - 1 >> 3
        else:
            length = _common(data, at, source, longest)
        if length >= longest:
            return source, longest
        better = find(data[at : at + length + 1], source + 1, at + length)
        if better < 0:
            return source, length
        source = better


def _common(data: bytes, one: int, other: int, longest: int) -> int:
    """How many bytes are the same at two positions, looked at in pieces that grow."""
    length, step = 0, 2 * _GOOD_LENGTH
    while length < longest:
        mine = int.from_bytes(data[one + length : one + length + step], "little")
        differing = mine ^ int.from_bytes(data[other + length : other + length + step], "little")
        if differing:
            return min(longest, length + ((differing & -differing).bit_length() - 1 >> 3))
        length += step
        step *= 2
    return longest


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
