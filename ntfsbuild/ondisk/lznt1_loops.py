"""Steps of LZNT1 for which CPython has functions in C, written as loops for the compiler.

Each does the same as the function of its name in `lznt1_tokens.py` or `lznt1.py`; a test compares them.
"""

from __future__ import annotations

from ntfsbuild.compiled import Shorts
from ntfsbuild.ondisk.lznt1_tokens import CHUNK_BYTES, HOPELESS_BYTES, LENGTH_BITS, SHORTEST, parse

_HASH_BITS = 13
_HASH_SIZE = 1 << _HASH_BITS
_HASH_SHIFT = 32 - _HASH_BITS
_HASH_FACTOR = 2654435761  # Knuth's: 2**32 divided by the golden ratio.
_HASH_MASK = 0xFFFFFFFF

_THREE_BYTES = 0xFFFFFF
_NONE = 0xFFFF

# In `work`, one after the other, each as long as a chunk:
_LINKS = _HASH_SIZE  # The next position with the same four bytes; before it are the heads of the hashes.
_COUNTS = _LINKS + CHUNK_BYTES  # How often four bytes are there, by their first position.
_LATEST = _COUNTS + CHUNK_BYTES  # Where four bytes were seen last, by their first position.
_CHAIN = _LATEST + CHUNK_BYTES  # The next first position with the same hash.
_FIRSTS = _CHAIN + CHUNK_BYTES  # What `fours` holds, too.
WORK_SHORTS = _FIRSTS + CHUNK_BYTES


def compress_chunk(
    data: bytes,
    size: int,
    out: bytearray,
    threes: Shorts,
    fours: Shorts,
    work: Shorts,
    starts: Shorts,
    tokens: Shorts,
) -> int:
    """The flags and items of one chunk in `out`; gives how many bytes, 0 where it cannot become smaller.

    Three zeros lie behind the data.
    """
    different = first_threes(data, size, threes, work)
    if size == CHUNK_BYTES and size - different < HOPELESS_BYTES:
        return 0
    first_fours(data, size, threes, fours, work)
    count = parse(data, size, threes, fours, work, starts, tokens)
    return pack(data, size, starts, tokens, count, out)


def four_bytes(data: bytes, at: int) -> int:
    """Four bytes as one number: the compiler makes one load of it."""
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24


def first_threes(data: bytes, size: int, threes: Shorts, work: Shorts) -> int:
    """Where each position's three bytes were seen first; gives how many different ones there are."""
    at = 0
    while at < _HASH_SIZE:
        work[at] = _NONE
        at += 1
    different = 0
    at = 0
    while at < size:
        gram = four_bytes(data, at) & _THREE_BYTES
        key = (gram * _HASH_FACTOR & _HASH_MASK) >> _HASH_SHIFT
        seen = work[key]
        while seen != _NONE and four_bytes(data, seen) & _THREE_BYTES != gram:
            seen = work[_CHAIN + seen]
        if seen == _NONE:
            work[_CHAIN + at] = work[key]
            work[key] = at
            different += 1
            seen = at
        threes[at] = seen
        at += 1
    return different


def first_fours(data: bytes, size: int, threes: Shorts, fours: Shorts, work: Shorts) -> int:
    """Where each position's four bytes were seen first; links the positions with the same ones."""
    at = 0
    while at < _HASH_SIZE:
        work[at] = _NONE
        at += 1
    at = 0
    while at < size:
        gram = four_bytes(data, at)
        key = (gram * _HASH_FACTOR & _HASH_MASK) >> _HASH_SHIFT
        seen = work[key]
        if threes[at] == at:
            seen = _NONE
        while seen != _NONE and four_bytes(data, seen) != gram:
            seen = work[_CHAIN + seen]
        work[_LINKS + at] = _NONE
        if seen == _NONE:
            work[_CHAIN + at] = work[key]
            work[key] = at
            work[_COUNTS + at] = 1
            work[_LATEST + at] = at
            seen = at
        else:
            work[_LINKS + work[_LATEST + seen]] = at
            work[_LATEST + seen] = at
            work[_COUNTS + seen] += 1
        fours[at] = seen
        work[_FIRSTS + at] = seen
        at += 1
    return 0


def find(data: bytes, index: Shorts, at: int, count: int, source: int) -> int:
    """The first place from `source` on and before `at` with the same `count` bytes, at least 4; or -1.

    Goes along the places of those four of the bytes that are the rarest.
    """
    rare = at
    fewest = index[_COUNTS + index[_FIRSTS + at]]
    other = at + 1
    while fewest > 1 and other <= at + count - 4:
        places = index[_COUNTS + index[_FIRSTS + other]]
        if places < fewest:
            fewest = places
            rare = other
        other += 1
    offset = rare - at
    place = index[_FIRSTS + rare]
    while place < source + offset:
        place = index[_LINKS + place]
    while place < rare:
        if common_bytes(data, at, place - offset, count) == count:
            return place - offset
        place = index[_LINKS + place]
    return -1


def common_bytes(data: bytes, at: int, source: int, longest: int) -> int:
    """How many bytes, at most `longest`, are the same at two positions."""
    length = 0
    while length + 4 <= longest and four_bytes(data, at + length) == four_bytes(data, source + length):
        length += 4
    while length < longest and data[at + length] == data[source + length]:
        length += 1
    return length


def pack(data: bytes, size: int, starts: Shorts, tokens: Shorts, count: int, out: bytearray) -> int:
    """Single bytes and tokens, in groups of eight behind a byte of flags; gives how many bytes."""
    at = 0
    written = 1
    flags_at = 0
    flags = 0
    bit = 1
    number = 0
    while at < size:
        if bit == 0x100:
            out[flags_at] = flags
            flags_at = written
            written += 1
            flags = 0
            bit = 1
        if number < count and at == starts[number]:
            out[written] = tokens[number] & 0xFF
            out[written + 1] = tokens[number] >> 8
            written += 2
            flags |= bit
            at += (tokens[number] & ((1 << LENGTH_BITS[at]) - 1)) + SHORTEST
            number += 1
        else:
            out[written] = data[at]
            written += 1
            at += 1
        bit <<= 1
    out[flags_at] = flags
    return written


def copy_bytes(data: bytes, at: int, count: int, out: bytearray, done: int) -> int:
    """Put `count` bytes of `data` into `out`."""
    copied = 0
    while copied < count:
        out[done + copied] = data[at + copied]
        copied += 1
    return 0


def copy_back(out: bytearray, done: int, distance: int, length: int) -> int:
    """Repeat `length` bytes from `distance` back; the two may overlap, which repeats them more than once."""
    copied = 0
    while copied < length:
        out[done + copied] = out[done - distance + copied]
        copied += 1
    return 0


# What the functions of `lznt1_tokens.py` call, and what is called in its place.
INSTEAD = {one.__name__: one for one in (find, common_bytes, copy_bytes, copy_back)}
