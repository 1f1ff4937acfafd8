"""The update sequence: two bytes in every 512 that reveal a torn write.  specs/ondisk/fixups.md

The stride is 512 bytes on every medium, 4096-byte sectors included.
"""

from __future__ import annotations

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.named_tuple import NamedTuple

STRIDE = 512
_BEHIND_ITS_PLACE = 8  # After the fields for the array's offset and length.
_SMALLEST_USA_OFFSET = 0x28  # Behind the fields of a record, and of an index block.
FIRST_NUMBER = 1  # The update sequence number of everything that we write for the first time.


def protect(buffer: bytearray, size_bytes: int, usa_offset: int, number: int = FIRST_NUMBER) -> None:
    """Apply update sequences to a buffer of equal structures, all at once.

    Each of the `len(buffer) // size_bytes` structures has its array at `usa_offset`, with the magic and
    the array's place already written.  The cost is a few strided copies, whatever their number.
    """
    count = len(buffer) // size_bytes
    assert count * size_bytes == len(buffer)
    low, high = bytes([number & 0xFF]) * count, bytes([number >> 8]) * count
    buffer[usa_offset::size_bytes] = low
    buffer[usa_offset + 1 :: size_bytes] = high
    for k in range(1, size_bytes // STRIDE + 1):
        slot, end = usa_offset + 2 * k, STRIDE * k - 2
        buffer[slot::size_bytes] = buffer[end::size_bytes]
        buffer[slot + 1 :: size_bytes] = buffer[end + 1 :: size_bytes]
        buffer[end::size_bytes] = low
        buffer[end + 1 :: size_bytes] = high


def next_number(number: int) -> int:
    """The number after that one: 0 and 0xFFFF are never used."""
    return number + 1 if number < 0xFFFE else FIRST_NUMBER


class UpdateFault(NamedTuple):
    """The fault of an update sequence: a sector was not written (torn), or the array itself is invalid."""

    torn: bool
    text: str


def undo(buffer: bytearray) -> UpdateFault | None:
    """Undo the update sequence of one structure; torn sectors are not changed, the first is returned."""
    if len(buffer) < STRIDE:
        return UpdateFault(False, f"in {len(buffer)} bytes")
    usa_offset = buffer[4] | buffer[5] << 8
    usa_count = buffer[6] | buffer[7] << 8
    if (
        usa_count != len(buffer) // STRIDE + 1
        or usa_offset % 2
        or not _BEHIND_ITS_PLACE <= usa_offset <= STRIDE - 2 - 2 * usa_count
    ):
        return UpdateFault(False, f"{usa_count} numbers at {usa_offset:#x}")
    number = buffer[usa_offset : usa_offset + 2]
    fault, slot = None, usa_offset
    for end in range(STRIDE - 2, len(buffer), STRIDE):
        slot += 2
        if buffer[end : end + 2] == number:
            buffer[end : end + 2] = buffer[slot : slot + 2]
        elif fault is None:
            fault = UpdateFault(True, f"{buffer[end : end + 2].hex()} at {end:#x}, not {number.hex()}")
    return fault


def restore(buffer: bytearray, what: str) -> None:
    """Undo the update sequence of one structure; raises CorruptVolume if it is torn."""
    fault = undo(buffer)
    if fault is None:
        return
    if fault.torn:
        raise CorruptVolume(f"{what}: torn write: {fault.text}")
    needed = len(buffer) // STRIDE + 1
    raise CorruptVolume(f"{what}: its update sequence is {fault.text}, {needed} are needed")


def restore_all(buffer: bytearray, size_bytes: int) -> bool:
    """Undo the update sequences of equal structures at once, if all have the same layout and none is torn.

    Otherwise returns False and changes nothing: each must then be restored on its own.
    """
    count = len(buffer) // size_bytes
    usa_offset = buffer[4] | buffer[5] << 8
    usa_count = size_bytes // STRIDE + 1
    if usa_offset % 2 or not _SMALLEST_USA_OFFSET <= usa_offset <= STRIDE - 2 - 2 * usa_count:
        return False
    for at, value in ((4, usa_offset & 0xFF), (5, usa_offset >> 8), (6, usa_count), (7, 0)):
        if buffer[at::size_bytes].count(value) != count:
            return False
    low, high = buffer[usa_offset::size_bytes], buffer[usa_offset + 1 :: size_bytes]
    ends = range(STRIDE - 2, size_bytes, STRIDE)
    if any(buffer[end::size_bytes] != low or buffer[end + 1 :: size_bytes] != high for end in ends):
        return False
    if any(not one and not other for one, other in zip(low, high, strict=True)):
        return False
    for slot, end in enumerate(ends, 1):
        buffer[end::size_bytes] = buffer[usa_offset + 2 * slot :: size_bytes]
        buffer[end + 1 :: size_bytes] = buffer[usa_offset + 2 * slot + 1 :: size_bytes]
    return True
