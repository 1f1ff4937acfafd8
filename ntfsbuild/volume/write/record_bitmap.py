"""$MFT's $BITMAP while records are taken and given back: a bit for each record, set where it is in use."""

from __future__ import annotations

import re

from ntfsbuild.ondisk.layout import align

_not_full = re.compile(rb"[^\xff]")


class RecordBitmap:
    """The bits, and what they were at the last commit."""

    def __init__(self, value: bytes) -> None:
        self.bits = bytearray(value)
        self._bits_before = bytes(value)
        self.changed = False

    def is_used(self, number: int) -> bool:
        """Whether a record is in use."""
        return _bit(self.bits, number)

    def was_used(self, number: int) -> bool:
        """Whether a record was in use at the last commit."""
        return _bit(self._bits_before, number)

    @property
    def next_number(self) -> int:
        """The number behind the last record in use."""
        return int.from_bytes(self.bits, "little").bit_length()

    def first_free(self, first: int, after: int) -> int | None:
        """The first number from `first` on, below `after`, whose bit is clear."""
        self.cover(after)
        byte, bit = divmod(first, 8)
        if byte < len(self.bits):
            value = self.bits[byte] | (1 << bit) - 1
            if value == 0xFF:
                found = _not_full.search(self.bits, byte + 1)
                if found is None:
                    return None
                byte = found.start()
                value = self.bits[byte]
            number = byte * 8 + (~value & value + 1).bit_length() - 1
            return number if number < after else None
        return None

    def end_of_free(self, first: int, after: int) -> int:
        """Behind the last of the free numbers that follow `first` without a gap, `after` at most."""
        begin, end = first // 8, -(-after // 8)
        used = int.from_bytes(self.bits[begin:end], "little") >> first % 8
        if not used:
            return after
        return min(after, first + (used & -used).bit_length() - 1)

    def mark(self, first: int, after: int, used: bool) -> None:
        """Set or clear the bits from `first` up to, not including, `after`."""
        self.cover(after)
        begin, end = first // 8, -(-after // 8)
        mask = ((1 << after - first) - 1) << first % 8
        value = int.from_bytes(self.bits[begin:end], "little")
        value = value | mask if used else value & ~mask
        self.bits[begin:end] = value.to_bytes(end - begin, "little")
        self.changed = True

    def cover(self, records: int) -> None:
        """Let there be a bit for every record: whole bytes, a multiple of eight."""
        more = align(-(-records // 8), 8) - len(self.bits)
        if more > 0:
            self.bits.extend(bytes(more))
            self.changed = True


def _bit(bits: bytes | bytearray, number: int) -> bool:
    return number // 8 < len(bits) and bool(bits[number // 8] >> number % 8 & 1)
