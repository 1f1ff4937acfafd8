"""The matches and tokens of LZNT1: one source, which runs as Python or as machine code.

The functions use only the Python that `ntfsbuild.compiled.translate` understands.  A step for which CPython
has a function in C is a function of its own (`find`, `common_bytes`, `copy_back`); `lznt1_loops.py` has the
same step as a loop for the compiler.
"""

from __future__ import annotations

from typing import Any

from ntfsbuild.compiled import Shorts

CHUNK_BYTES = 4096
SHORTEST = 3  # Bytes that a token stands for, at least.
GOOD_LENGTH = 18  # The longest in the second half of a chunk; no better one is looked for behind such.

COMPRESSED = 0x8000
LENGTH_MASK = 0x0FFF

# By position in the chunk: the bits of a token's length, and the longest there is.
LENGTH_BITS = [12] * 17
LONGEST = [(1 << 12) + 2] * 17
for _bits in range(11, 3, -1):  # Each time as many positions as there are before, but for the first.
    LENGTH_BITS += [_bits] * (1 << 15 - _bits)
    LONGEST += [(1 << _bits) + 2] * (1 << 15 - _bits)
del LENGTH_BITS[CHUNK_BYTES:], LONGEST[CHUNK_BYTES:]

# To become smaller a chunk must save its flag bytes, and each of its positions saves a byte or less.
HOPELESS_BYTES = CHUNK_BYTES // 8 * 4 // 5 - 8

_number = int.from_bytes

# What `decompress` answers in place of a size.
ENDS_BEHIND_UNIT, ENDS_INSIDE_TOKEN, POINTS_BEFORE_CHUNK, CHUNK_TOO_LONG = -1, -2, -3, -4


def parse(
    data: bytes, size: int, threes: Shorts, fours: Shorts, index: Shorts, starts: Shorts, tokens: Shorts
) -> int:
    """Cut a chunk into tokens and single bytes; gives how many tokens, and where each stands and its value.

    `threes` and `fours` say of each position where its three, its four bytes were seen first: itself, where
    never before.  The parse is lazy: of two positions one after the other, the one with the longer match
    wins.  All distances cost the same, so the first place of the longest match is as good as any.
    """
    last = size - SHORTEST
    at = 0
    count = 0
    while True:
        while at <= last and threes[at] == at:
            at += 1
        if at > last:
            return count
        source = threes[at]
        length = SHORTEST
        better = -1
        if at < last and fours[at] < at:
            better = fours[at]
        while True:
            if better >= 0:
                longest = LONGEST[at]
                if size - at < longest:
                    longest = size - at
            while better >= 0:
                source = better
                length = common_bytes(data, at, source, longest)
                if length >= longest:
                    break
                # The four bytes that end a longer match lie nowhere before they were seen first.
                better = fours[at + length - SHORTEST] - length + SHORTEST
                if better <= source:
                    better = source + 1
                if better >= at:
                    break
                better = find(data, index, at, length + 1, better)
            if length >= GOOD_LENGTH or at >= last:
                break
            behind = at + 1
            better = fours[behind]
            if better == behind or behind + length >= size:
                break
            if length > SHORTEST:
                first = fours[behind + length - SHORTEST] - length + SHORTEST
                if first > better:
                    better = first
                if better >= behind:
                    break
                better = find(data, index, behind, length + 1, better)
                if better < 0:
                    break
            at = behind
        starts[count] = at
        tokens[count] = ((at - source - 1) << LENGTH_BITS[at]) + length - SHORTEST
        count += 1
        at += length


def find(data: bytes, index: Shorts, at: int, count: int, source: int) -> int:
    """The first place from `source` on and before `at` with the same `count` bytes, at least 4; or -1.

    Four bytes are one character of the index, which is quicker to search than the bytes.
    """
    grams: Any = index
    place: int = grams.find(grams[at : at + count - 3], source, at + count - 4)
    return place


def common_bytes(data: bytes, at: int, source: int, longest: int) -> int:
    """How many bytes, at most `longest`, are the same at two positions; looked at in pieces that grow."""
    here = _number(data[at : at + GOOD_LENGTH], "little")
    differing = here ^ _number(data[source : source + GOOD_LENGTH], "little")
    if differing:
        length = (differing & -differing).bit_length() - 1 >> 3
        return length if length < longest else longest
    length = step = GOOD_LENGTH
    while length < longest:
        here = _number(data[at + length : at + length + step], "little")
        differing = here ^ _number(data[source + length : source + length + step], "little")
        if differing:
            length += (differing & -differing).bit_length() - 1 >> 3
            break
        length += step
        step *= 2
    return length if length < longest else longest


def decompress(data: bytes, size: int, out: bytearray, out_size: int) -> int:
    """Unpack the chunks of a unit into `out`; gives how many bytes, or what is wrong (negative).

    `out` holds zeros, and room for `out_size` bytes and one chunk more.
    """
    at = 0
    done = 0
    while at + 2 <= size and done < out_size:
        header = data[at] | data[at + 1] << 8
        if header == 0:
            break
        end = at + 3 + (header & LENGTH_MASK)
        if end > size:
            return ENDS_BEHIND_UNIT
        at += 2
        if header & COMPRESSED:
            done = decompress_chunk(data, at, end, out, done)
            if done < 0:
                return done
            # A chunk that is followed by another one stands for 4096 bytes, whatever it holds.
            done = (done + CHUNK_BYTES - 1) & -CHUNK_BYTES
        else:
            copy_bytes(data, at, end - at, out, done)
            done += end - at
        at = end
    if done > out_size:
        return out_size
    return done


def decompress_chunk(data: bytes, at: int, end: int, out: bytearray, start: int) -> int:
    """Unpack the tokens of one chunk; gives where its bytes end, or what is wrong (negative)."""
    done = start
    limit = start + CHUNK_BYTES
    while at < end:
        tags = data[at] | 0x100
        at += 1
        if tags == 0x100 and at + 8 <= end and done + 8 <= limit:
            copy_bytes(data, at, 8, out, done)
            done += 8
            at += 8
            continue
        while tags > 1 and at < end:
            if done >= limit:
                return CHUNK_TOO_LONG
            if tags & 1:
                if at + 2 > end:
                    return ENDS_INSIDE_TOKEN
                token = data[at] | data[at + 1] << 8
                at += 2
                bits = LENGTH_BITS[done - start]
                distance = (token >> bits) + 1
                length = (token & ((1 << bits) - 1)) + SHORTEST
                if distance > done - start:
                    return POINTS_BEFORE_CHUNK
                if done + length > limit:
                    return CHUNK_TOO_LONG
                copy_back(out, done, distance, length)
                done += length
            else:
                out[done] = data[at]
                at += 1
                done += 1
            tags >>= 1
    return done


def copy_bytes(data: bytes, at: int, count: int, out: bytearray, done: int) -> int:
    """Put `count` bytes of `data` into `out`."""
    out[done : done + count] = data[at : at + count]
    return 0


def copy_back(out: bytearray, done: int, distance: int, length: int) -> int:
    """Repeat `length` bytes from `distance` back; the two may overlap, which repeats them more than once."""
    source = (
        out[done - distance : done - distance + length] if distance >= length else out[done - distance : done]
    )
    if distance < length:
        source = (source * (length // distance + 1))[:length]
    out[done : done + length] = source
    return 0
