"""Canonical prefix codes and their bit reader, for XPRESS and LZX."""

from __future__ import annotations

from collections.abc import Sequence

from ntfsbuild.errors import CorruptVolume

_SYMBOL_SHIFT = 5  # In a table: the symbol above its length in bits.
_LENGTH_MASK = (1 << _SYMBOL_SHIFT) - 1
_WORDS_BEHIND = 2  # Decoders look that far ahead; the bits from there on are zeros, and may not be needed.


class PrefixCode:
    """A code by the lengths of its symbols; codes ascend with length, then with the symbol."""

    def __init__(self, lengths: Sequence[int], what: str) -> None:
        self.bits = max(lengths, default=0)
        table: list[int] = []
        for length in range(1, self.bits + 1):
            for symbol, one in enumerate(lengths):
                if one == length:
                    table += [symbol << _SYMBOL_SHIFT | length] * (1 << self.bits - length)
        if self.bits and len(table) != 1 << self.bits:
            raise CorruptVolume(
                f"the {what} code is {'over' if len(table) > 1 << self.bits else 'in'}complete"
            )
        self.table = table
        self._what = what


class BitReader:
    """Bits of little-endian words, the highest first; bytes may be taken from between the words."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at  # Of the next word.
        self._bits = self._count = 0

    def need(self, count: int) -> None:
        """Read words until there are that many bits."""
        while self._count < count:
            if self.at > len(self._data) + 2 * _WORDS_BEHIND:
                raise CorruptVolume("it ends too early")
            word = int.from_bytes(self._data[self.at : self.at + 2], "little")
            self._bits = self._bits << 16 | word
            self.at += 2
            self._count += 16

    def take(self, count: int) -> int:
        """The next bits as a number."""
        self.need(count)
        self._count -= count
        value = self._bits >> self._count
        self._bits &= (1 << self._count) - 1
        return value

    def symbol(self, code: PrefixCode) -> int:
        """The next symbol of a code."""
        if not code.bits:
            raise CorruptVolume("a symbol of an empty code")
        self.need(code.bits)
        found = code.table[self._bits >> self._count - code.bits]
        self._count -= found & _LENGTH_MASK
        self._bits &= (1 << self._count) - 1
        return found >> _SYMBOL_SHIFT

    def bytes(self, count: int) -> bytes:
        """Bytes from the place of the next word on."""
        found = self._data[self.at : self.at + count]
        if len(found) < count:
            raise CorruptVolume("it ends too early")
        self.at += count
        return found

    def skip_to_word(self) -> None:
        """Skip the word of the next bit, of which nothing or a part was read."""
        self.at = ((8 * self.at - self._count) // 16 + 1) * 2
        self._bits = self._count = 0


def copy_match(out: bytearray, distance: int, length: int, size_bytes: int) -> None:
    """Append `length` bytes from `distance` before the end; the two may overlap."""
    if distance > len(out):
        raise CorruptVolume(f"a match {distance} bytes back, behind {len(out)}")
    if length > size_bytes - len(out):
        raise CorruptVolume(f"a match of {length} bytes ends behind the chunk")
    begin = len(out) - distance
    piece = out[begin : begin + length]
    out += (piece * (length // len(piece) + 1))[:length]
