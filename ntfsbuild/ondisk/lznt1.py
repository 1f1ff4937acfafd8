"""LZNT1, the compression of NTFS: chunks of 4096 bytes, tokens of 16 bits.  specs/ondisk/lznt1.md

With the extra `fast` the same functions run as machine code (`ntfsbuild.compiled`); the bytes are the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from ntfsbuild.compiled import kernel
from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import lznt1_loops as loops
from ntfsbuild.ondisk import lznt1_tokens as tokens
from ntfsbuild.ondisk.lznt1_tokens import COMPRESSED, HOPELESS_BYTES, LENGTH_BITS, SHORTEST

Squeeze: TypeAlias = Callable[[bytes], bytes | bytearray]  # A chunk's flags and items; nothing if hopeless.

CHUNK_BYTES = tokens.CHUNK_BYTES
UNIT_CLUSTERS = 16
LARGEST_UNIT_BYTES = UNIT_CLUSTERS * 4096  # Larger clusters are never compressed.

_SIGNATURE = 0x3000  # In bits 12 to 14 of a chunk's header: log2 of 4096, minus 9.
_STORED = (_SIGNATURE | CHUNK_BYTES - 1).to_bytes(2, "little")
_END = bytes(2)
_SHORTEST_CHUNK = 6  # ntfs-3g refuses a shorter one at the end of its unit.
_PADDING = bytes(3)  # Behind a chunk: its last positions have four bytes, too.

_POSITIONS = list(range(CHUNK_BYTES))
_BYTES = [bytes((value,)) for value in range(256)]
_ITEM_BYTES = [8 + flags.bit_count() for flags in range(256)]  # Of the eight items behind a byte of flags.
_NO_FLAGS = bytes(CHUNK_BYTES)
_DIGITS = b"01" + bytes(254)

_PROBLEMS = {
    tokens.ENDS_BEHIND_UNIT: "a chunk ends behind its unit",
    tokens.ENDS_INSIDE_TOKEN: "a chunk ends inside a token",
    tokens.POINTS_BEFORE_CHUNK: "a token points before its chunk",
    tokens.CHUNK_TOO_LONG: "a chunk stands for more than 4096 bytes",
}


def compress(data: bytes | bytearray | memoryview) -> bytes:
    """The chunks of a unit and their end mark; the caller checks whether this saves clusters.

    The result is the same on every machine; matches found by zlib would differ between its versions.
    """
    data = bytes(data)
    assert len(data) <= LARGEST_UNIT_BYTES
    squeeze = _squeezer()
    chunks = [_chunk(data[at : at + CHUNK_BYTES], squeeze) for at in range(0, len(data), CHUNK_BYTES)]
    return b"".join([*chunks, _END])


def is_compiled() -> bool:
    """Whether the functions run as machine code, which releases the GIL."""
    return kernel.available()


def _chunk(data: bytes, squeeze: Squeeze) -> bytes:
    """One chunk with its header; stored as it is, in full length as ntfs-3g insists, if that is shorter."""
    size = len(data)
    if size == CHUNK_BYTES and data == data[:1] * size:
        return b"\x03\xb0\x02" + data[:1] + b"\xfc\x0f"
    body = squeeze(data)
    if not 0 < len(body) <= CHUNK_BYTES:
        return _STORED + data.ljust(CHUNK_BYTES, b"\0")
    if len(body) + 2 < _SHORTEST_CHUNK:
        return _chunk(data.ljust(CHUNK_BYTES, b"\0"), squeeze)
    return (COMPRESSED | _SIGNATURE | len(body) - 1).to_bytes(2, "little") + body


def squeezed(data: bytes) -> bytes:
    """The flags and items of one chunk, by Python; nothing where they cannot become shorter than the data."""
    size = len(data)
    grams = _grams(data, 3)
    threes, different = _first_seen(grams)
    if size == CHUNK_BYTES and size - different < HOPELESS_BYTES:
        return b""
    fours, _ = _first_seen(_grams(data, 4, grams))
    index: Any = array("H", fours).tobytes().decode("utf-16-le")  # No position is a surrogate.
    starts, values = [0] * (size // SHORTEST), [0] * (size // SHORTEST)
    count = tokens.parse(data, size, threes, fours, index, starts, values)
    return _packed(data, starts[:count], values)


def _grams(data: bytes, count: int, known: bytearray | None = None) -> bytearray:
    """For each position its `count` (at most 4) bytes as a number; `known` has those of one byte less."""
    grams = bytearray(4 * len(data)) if known is None else known
    for at in range(count) if known is None else (count - 1,):
        grams[at::4] = data[at:].ljust(len(data), b"\0")
    return grams


def _first_seen(grams: bytearray) -> tuple[list[int], int]:
    """For each position, where its number was seen first; and how many differ."""
    seen: dict[int, int] = {}
    return list(map(seen.setdefault, memoryview(grams).cast("I").tolist(), _POSITIONS)), len(seen)


def _packed(data: bytes, starts: list[int], values: list[int]) -> bytes:
    """Single bytes and tokens, in groups of eight behind a byte of flags."""
    items, kinds = bytearray(), bytearray()
    at = 0
    for start, value in zip(starts, values, strict=False):
        if at < start:
            items += data[at:start]
            kinds += _NO_FLAGS[at:start]
        items += value.to_bytes(2, "little")
        kinds.append(1)
        at = start + SHORTEST + (value & (1 << LENGTH_BITS[start]) - 1)
    items += data[at:]
    kinds += bytes(len(data) - at + -(len(kinds) + len(data) - at) % 8)
    flags = int(kinds[::-1].translate(_DIGITS), 2).to_bytes(len(kinds) // 8, "little")
    parts: list[bytes | bytearray] = []
    at = 0
    for one in flags:
        end = at + _ITEM_BYTES[one]
        parts.append(_BYTES[one])
        parts.append(items[at:end])
        at = end
    return b"".join(parts)


def decompress(data: bytes, size_bytes: int) -> bytes:
    """The plain bytes of one compressed unit, at most `size_bytes`; shorter when the stream ends early."""
    out = bytearray(size_bytes + CHUNK_BYTES)
    compiled = _compiled_decompress()
    if compiled is not None:
        done = compiled(bytes(data), len(data), _address(out), size_bytes)
    else:
        done = tokens.decompress(data, len(data), out, size_bytes)
    if done < 0:
        raise CorruptVolume(f"LZNT1: {_PROBLEMS[done]}")
    return bytes(out[:done])


@cache
def _compiled_squeeze() -> Any:
    """The machine code, compiled on first use; None without the extra `fast`."""
    return kernel.compile_function(loops.compress_chunk, loops.INSTEAD)


@cache
def _compiled_decompress() -> Any:
    return kernel.compile_function(tokens.decompress, loops.INSTEAD)


def _squeezer() -> Squeeze:
    """The function that makes the flags and items of chunks, with its own memory for each thread."""
    compiled = _compiled_squeeze()
    if compiled is None:
        return squeezed
    sizes = (CHUNK_BYTES, CHUNK_BYTES, loops.WORK_SHORTS, CHUNK_BYTES, CHUNK_BYTES)
    out, *shorts = arrays = [bytearray(2 * count) for count in (CHUNK_BYTES, *sizes)]
    places = [_address(one) for one in arrays]

    def squeeze(data: bytes) -> bytearray:
        assert shorts  # They live as long as this function.
        return out[: compiled(data + _PADDING, len(data), *places)]

    return squeeze


def _address(array: bytearray) -> int:
    """The address of the bytes; it is valid until their number changes."""
    import ctypes  # Imported late: only machine code needs it.

    return ctypes.addressof(ctypes.c_char.from_buffer(array))
