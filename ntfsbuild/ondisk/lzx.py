"""Decompresses LZX with a window of 32 KiB, as used by WOF."""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk.prefix_codes import BitReader, PrefixCode, copy_match

_VERBATIM, _ALIGNED, _UNCOMPRESSED = 1, 2, 3
_BLOCK_BYTES = 32768  # The size of a block that does not say another.
_LITERALS = 256
_MAIN_SYMBOLS, _LENGTH_SYMBOLS, _ALIGNED_SYMBOLS, _PRE_SYMBOLS = 496, 249, 8, 20
_LEAST_MATCH = 2
_LONG = 7  # A length for which a symbol of the length code follows.
_RECENT = 3  # Slots that repeat a recent distance.
_ALIGNED_SLOT = 8  # From here on, the lowest three bits have a code of their own in aligned blocks.
_EXTRA_BITS = (0, 0, 0, 0, *(bits for pair in range(1, 14) for bits in (pair, pair)))
_CALL = 0xE8
_CALL_BYTES, _CALLS_END = 5, 10  # No call is translated that begins in the last ten bytes.
_FILE_BYTES = 12_000_000  # What calls are translated for, whatever the size of the file is.


def _bases() -> tuple[int, ...]:
    """The least distance of each slot from the fourth on."""
    found, base = [0, 0, 0], 1
    for bits in _EXTRA_BITS[_RECENT:]:
        found.append(base)
        base += 1 << bits
    return tuple(found)


_BASES = _bases()


class _Decoder:
    """The decoder of one chunk; code lengths and recent distances are kept from block to block."""

    def __init__(self, data: bytes, size_bytes: int) -> None:
        self._reader = BitReader(data)
        self._size = size_bytes
        self._main = [0] * _MAIN_SYMBOLS
        self._lengths = [0] * _LENGTH_SYMBOLS
        self._recent = [1, 1, 1]
        self.out = bytearray()

    def block(self) -> None:
        """The next block."""
        reader = self._reader
        kind = reader.take(3)
        size = _BLOCK_BYTES if reader.take(1) else reader.take(16)
        end = len(self.out) + size
        if not size or end > self._size:
            raise CorruptVolume(f"a block of {size} bytes, {self._size - len(self.out)} are left")
        if kind == _UNCOMPRESSED:
            self._uncompressed(size)
        elif kind in (_VERBATIM, _ALIGNED):
            aligned = None
            if kind == _ALIGNED:
                aligned = PrefixCode([reader.take(3) for _ in range(_ALIGNED_SYMBOLS)], "aligned")
            self._read_lengths(self._main, 0, _LITERALS)
            self._read_lengths(self._main, _LITERALS, _MAIN_SYMBOLS)
            self._read_lengths(self._lengths, 0, _LENGTH_SYMBOLS)
            self._compressed(
                end, PrefixCode(self._main, "main"), PrefixCode(self._lengths, "length"), aligned
            )
        else:
            raise CorruptVolume(f"a block of kind {kind}")

    def _uncompressed(self, size: int) -> None:
        reader = self._reader
        reader.skip_to_word()
        self._recent = [int.from_bytes(reader.bytes(4), "little") for _ in range(_RECENT)]
        self.out += reader.bytes(size)
        if size % 2 and len(self.out) < self._size:
            reader.bytes(1)

    def _read_lengths(self, lengths: list[int], begin: int, end: int) -> None:
        """Read code lengths, stored as differences from those of the block before."""
        reader = self._reader
        code = PrefixCode([reader.take(4) for _ in range(_PRE_SYMBOLS)], "pre-")
        while begin < end:
            symbol = reader.symbol(code)
            count, length = 1, (lengths[begin] - symbol) % 17
            if symbol == 17:
                count, length = 4 + reader.take(4), 0
            elif symbol == 18:
                count, length = 20 + reader.take(5), 0
            elif symbol == 19:
                count = 4 + reader.take(1)
                length = (lengths[begin] - reader.symbol(code)) % 17
            if begin + count > end:
                raise CorruptVolume("code lengths for more symbols than there are")
            lengths[begin : begin + count] = [length] * count
            begin += count

    def _compressed(
        self, end: int, main: PrefixCode, lengths: PrefixCode, aligned: PrefixCode | None
    ) -> None:
        reader, out = self._reader, self.out
        while len(out) < end:
            symbol = reader.symbol(main)
            if symbol < _LITERALS:
                out.append(symbol)
                continue
            slot, length = divmod(symbol - _LITERALS, 8)
            if length == _LONG:
                length += reader.symbol(lengths)
            copy_match(out, self._distance(slot, aligned), length + _LEAST_MATCH, end)

    def _distance(self, slot: int, aligned: PrefixCode | None) -> int:
        recent, reader = self._recent, self._reader
        if slot < _RECENT:
            recent[0], recent[slot] = recent[slot], recent[0]
            return recent[0]
        bits = _EXTRA_BITS[slot]
        if aligned is not None and slot >= _ALIGNED_SLOT:
            extra = reader.take(bits - 3) << 3 | reader.symbol(aligned)
        else:
            extra = reader.take(bits)
        self._recent = [_BASES[slot] + extra, recent[0], recent[1]]
        return self._recent[0]


def decompress(data: bytes, size_bytes: int) -> bytes:
    """The `size_bytes` of a chunk; raises CorruptVolume where it is damaged."""
    decoder = _Decoder(data, size_bytes)
    while len(decoder.out) < size_bytes:
        decoder.block()
    _translate_calls(decoder.out)
    return bytes(decoder.out)


def _translate_calls(out: bytearray) -> None:
    """Make the targets of x86 calls relative again, which the packer made absolute."""
    at, end = out.find(_CALL), len(out) - _CALLS_END
    while 0 <= at < end:
        target = int.from_bytes(out[at + 1 : at + _CALL_BYTES], "little", signed=True)
        if -at <= target < _FILE_BYTES:
            target += _FILE_BYTES if target < 0 else -at
            out[at + 1 : at + _CALL_BYTES] = (target & 0xFFFFFFFF).to_bytes(4, "little")
        at = out.find(_CALL, at + _CALL_BYTES)
