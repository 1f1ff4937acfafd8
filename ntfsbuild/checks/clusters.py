"""Clusters and records: who has them, and what the two bitmaps say."""

from __future__ import annotations

from array import array

from ntfsbuild.checks.findings import PER_RULE
from ntfsbuild.checks.state import CheckedFile, CheckedStream, Examination, label
from ntfsbuild.checks.storage import Extents
from ntfsbuild.ondisk.layout import align

_PIECE_BYTES = 1 << 16  # Of the bitmap, compared at once.
_BITS = [bytes(at for at in range(8) if value >> at & 1) for value in range(256)]


class Accounts:
    """Which clusters belong to which record."""

    def __init__(self) -> None:
        self._begins = array("Q")
        self._counts = array("Q")
        self._owners = array("Q")

    def add(self, file: CheckedFile) -> None:
        """Enter all clusters of a file."""
        for one in file.attributes:
            for lcn, count in one.runs:
                if lcn is not None:
                    self.enter(lcn, count, file.number)

    def enter(self, lcn: int, count: int, number: int) -> None:
        """Enter one run of a file."""
        self._begins.append(lcn)
        self._counts.append(count)
        self._owners.append(number)

    def settle(self, examination: Examination) -> list[tuple[int, int]]:
        """The clusters in use as begin and end, in order; clusters with two owners are told."""
        merged: list[tuple[int, int]] = []
        begin = end = 0
        owner = -1
        begins = self._begins
        for at in sorted(range(len(begins)), key=begins.__getitem__):
            lcn, stop = begins[at], begins[at] + self._counts[at]
            if lcn < end:
                last = min(end, stop) - 1
                found = f"clusters {lcn} to {last} are those of record {owner}, too"
                examination.say("C03", self._owners[at], "clusters of its own", found)
            if lcn > end:
                if end > begin:
                    merged.append((begin, end))
                begin = lcn
            if stop > end:
                end, owner = stop, self._owners[at]
        if end > begin:
            merged.append((begin, end))
        return merged


def check_cluster_bitmap(
    examination: Examination, number: int, stream: CheckedStream | None, used: list[tuple[int, int]]
) -> None:
    """$Bitmap against what is in use, in both directions."""
    say, clusters, what = examination.say, examination.geometry.clusters, label(0x80)
    needed = align(-(-clusters // 8), 8)
    if stream is None or stream.first.resident:
        say("C10", number, "a non-resident $DATA", "none", what)
        return
    if stream.size < needed:
        say("C04", number, needed, stream.size, what)
    elif stream.size % 8:
        say("C08", number, "a multiple of 8", stream.size, what)
    if stream.first.initialized < min(stream.size, needed):
        say("C12", number, stream.size, stream.first.initialized, what)
    extents = examination.extents(stream)
    place = 0
    for at in range(0, -(-clusters // 8), _PIECE_BYTES):
        size = min(_PIECE_BYTES, -(-clusters // 8) - at)
        marked = _initialized(extents, stream, at, size)
        expected, place = _expected(used, place, 8 * at, 8 * size)
        if at + size >= -(-clusters // 8) and clusters % 8:
            mask = (1 << clusters % 8) - 1
            if marked[-1] | mask != 0xFF:
                say("C05", number, "ones behind the last cluster", f"{marked[-1]:#04x}", what, at + size - 1)
            marked = marked[:-1] + bytes((marked[-1] & mask,))
            expected[-1] &= mask
        if marked != expected:
            _say_differences(examination, number, marked, expected, 8 * at)
    tail = _initialized(extents, stream, -(-clusters // 8), max(0, min(needed, stream.size) + clusters // -8))
    if tail.count(0xFF) != len(tail):
        say("C05", number, "ones behind the last cluster", tail.hex(), what, -(-clusters // 8))


def _initialized(extents: Extents, stream: CheckedStream, at: int, size: int) -> bytes:
    there = max(0, min(size, stream.first.initialized - at, stream.size - at))
    return extents.read(at, there).ljust(size, b"\0")


def _expected(used: list[tuple[int, int]], place: int, first: int, count: int) -> tuple[bytearray, int]:
    """Bits for the clusters from `first` on; and which of `used` is the first that reaches further."""
    bits = bytearray(count // 8)
    stop = first + count
    while place < len(used) and used[place][0] < stop:
        begin, end = used[place]
        _set(bits, max(begin, first) - first, min(end, stop) - first)
        if end > stop:
            break
        place += 1
    return bits, place


def _set(bits: bytearray, begin: int, end: int) -> None:
    first, last = begin >> 3, end >> 3
    if first == last:
        bits[first] |= (1 << end % 8) - (1 << begin % 8)
        return
    bits[first] |= 0xFF << begin % 8 & 0xFF
    bits[first + 1 : last] = b"\xff" * (last - first - 1)
    if end % 8:
        bits[last] |= (1 << end % 8) - 1


def _say_differences(
    examination: Examination, number: int, marked: bytes, expected: bytes | bytearray, first: int
) -> None:
    """Ranges of clusters that are lost, or in use and yet free."""
    counts = examination.findings.counts
    if min(counts["C01"], counts["C02"]) > PER_RULE:  # It is garbage: what is there is counted.
        differing = (int.from_bytes(marked, "little") ^ int.from_bytes(expected, "little")).bit_count()
        examination.say(
            "C02", number, "what is in use", f"{differing} clusters otherwise", label(0x80), first // 8
        )
        return
    begin = end = -1
    rule = ""
    for at, (one, other) in enumerate(zip(marked, expected, strict=True)):
        if one == other:
            continue
        for bit in _BITS[one ^ other]:
            lcn = first + 8 * at + bit
            kind = "C02" if one >> bit & 1 else "C01"
            if lcn != end or kind != rule:
                _say_range(examination, number, rule, begin, end)
                begin, rule = lcn, kind
            end = lcn + 1
    _say_range(examination, number, rule, begin, end)


def _say_range(examination: Examination, number: int, rule: str, begin: int, end: int) -> None:
    if not rule:
        return
    which = f"cluster {begin}" if end == begin + 1 else f"clusters {begin} to {end - 1}"
    if rule == "C01":
        examination.say(rule, number, f"{which}: in use", "free", label(0x80), begin // 8)
    else:
        examination.say(rule, number, f"{which}: free", "in use, but nobody's", label(0x80), begin // 8)


def check_record_bitmap(examination: Examination, bitmap: bytes, size: int) -> None:
    """$MFT:$BITMAP covers the records, and nothing behind them."""
    what = label(0xB0)
    if size * 8 < examination.records:
        examination.say("C06", 0, f"{-(-examination.records // 8)} bytes", size, what)
    if size % 8:
        examination.say("C11", 0, "a multiple of 8 bytes", size, what)
    tail = int.from_bytes(bitmap, "little") >> examination.records
    if tail:
        last = examination.records + tail.bit_length() - 1
        examination.say("C07", 0, "zeros behind the last record", f"a one for record {last}", what, last // 8)
