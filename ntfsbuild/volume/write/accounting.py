"""Checks before a change which records own which clusters, and compares them with the bitmaps.

Only $MFT and the two bitmaps are read.  A volume of 100,000 files is checked before each change: therefore no
object is made for an attribute, and the second owner of a cluster is searched only if there is one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.runs import decode_runs

PIECE_BYTES = 1 << 20
MOST_FINDINGS = 20

_IN_USE = file_record.IN_USE
_FILE_NAME, _END = attribute.FILE_NAME, attribute.END
_head = struct.Struct("<IIB")  # Of an attribute: its type, its length, whether it is non-resident.
_mapping = struct.Struct("<QQH")  # Of a non-resident one, from 0x10 on: first and last VCN, the run list.
_SMALLEST = 0x18  # Of an attribute.
_BITS = [bytes(value >> bit & 1 for bit in range(8)) for value in range(256)]
_OVERHANG = bytes(_mapping.size + 0x10)  # Behind a piece, so that no field of a broken record ends behind it.


class ClusterOwners:
    """The runs of all records in use, and the names that they have; filled piece by piece."""

    def __init__(self, record_bytes: int, cluster_count: int) -> None:
        self._record_bytes = record_bytes
        self._cluster_count = cluster_count
        self._layout = struct.Struct(f"<4s16xHHI{record_bytes - 0x1C}x")
        self._runs: list[tuple[int, int, int]] = []  # First cluster, end, record.
        self._in_use = bytearray()  # A byte for each record.
        self._findings: list[str] = []
        self.names: dict[int, int] = {}  # How many $FILE_NAMEs name a directory, by its record.

    def add(self, piece: bytes) -> None:
        """Process the next records: raw bytes of $MFT, whole records."""
        size = self._record_bytes
        buffer = bytearray(piece)
        number = len(self._in_use)
        whole = fixups.restore_all(buffer, size)
        buffer += _OVERHANG
        in_use = self._in_use
        heads = self._layout.iter_unpack(memoryview(buffer)[: len(piece)])
        for at, (magic, first, flags, used) in zip(range(0, len(piece), size), heads, strict=True):
            if not flags & _IN_USE or magic != b"FILE":
                in_use.append(0)
                number += 1
                continue
            in_use.append(1)
            try:
                if not whole:
                    record = buffer[at : at + size]
                    fixups.restore(record, f"record {number}")
                    buffer[at : at + size] = record
                self._walk(buffer, at + first, at + min(used, size), number)
            except CorruptVolume as error:
                self._say(str(error))
            number += 1

    def _walk(self, buffer: bytearray, at: int, end: int, number: int) -> None:
        """The attributes of one record, from `at` on."""
        names = self.names
        unpack = _head.unpack_from
        while at + 4 <= end:
            type_code, length, non_resident = unpack(buffer, at)
            if type_code == _END:
                return
            if length < _SMALLEST or at + length > end:
                raise CorruptVolume(
                    f"record {number}: an attribute of {length:#x} bytes at {at % self._record_bytes:#x}"
                )
            if non_resident:
                self._map(buffer, at, at + length, number)
            elif type_code == _FILE_NAME:
                place = at + buffer[at + 0x14]  # The value follows a header of 0x18 bytes.
                parent = int.from_bytes(buffer[place : place + 6], "little")
                names[parent] = names.get(parent, 0) + 1
            at += length
        raise CorruptVolume(f"record {number}: its attributes have no end")

    def _map(self, buffer: bytearray, at: int, end: int, number: int) -> None:
        """The run list of one non-resident attribute."""
        lowest, highest, offset = _mapping.unpack_from(buffer, at + 0x10)
        clusters = (highest + 1) % 2**64 - lowest
        if not clusters:
            return  # ntfs3 leaves the old list where it has emptied a stream.
        here = at + offset
        if here >= end:
            raise CorruptVolume(
                f"record {number}: a run list at {offset:#x} of an attribute of {end - at:#x} bytes"
            )
        sizes = buffer[here]
        middle = here + 1 + (sizes & 15)
        stop = middle + (sizes >> 4)
        if sizes & 0xF0 and stop < end and not buffer[stop]:  # One run: the usual case.
            lcn = int.from_bytes(buffer[middle:stop], "little", signed=True)
            if int.from_bytes(buffer[here + 1 : middle], "little") == clusters and lcn >= 0:
                self._runs.append((lcn, lcn + clusters, number))
                return
        try:
            runs = list(decode_runs(bytes(buffer[here:end])))
        except CorruptVolume as error:
            raise CorruptVolume(f"record {number}: {error}") from None
        self._runs += [(lcn, lcn + count, number) for lcn, count in runs if lcn is not None]
        mapped = sum(count for _, count in runs)
        if mapped != clusters:
            raise CorruptVolume(
                f"record {number}: a run list of {mapped} clusters for VCNs {lowest} to {highest:#x}"
            )

    def _say(self, what: str) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(what)

    # ------------------------------------------------------------------ what is wrong

    def findings(
        self, marked: bytes, taken: TakenClusters, volume_clusters: Iterable[tuple[int, int]]
    ) -> list[str]:
        """The errors, at most 20.

        `marked` is $MFT's $BITMAP.  `volume_clusters` are extents (begin, end) that the volume needs
        independently of its records.
        """
        self._compare_marks(marked)
        for begin, end in (*self._extents(), *volume_clusters):
            last = min(end, self._cluster_count)
            if begin < last and not taken.all(begin, last) and not self._is_full:
                self._say_free(begin, last, taken)
        return self._findings

    @property
    def _is_full(self) -> bool:
        return len(self._findings) >= MOST_FINDINGS

    def _compare_marks(self, marked: bytes) -> None:
        """Compare the bits of $MFT's $BITMAP with the in-use flags of the records."""
        count = len(self._in_use)
        bits = b"".join(map(_BITS.__getitem__, marked[: -(-count // 8)])).ljust(count, b"\0")[:count]
        if bits == self._in_use:
            return
        for number, (bit, used) in enumerate(zip(bits, self._in_use, strict=True)):
            if bit and not used:
                self._say(f"record {number}: it is no record in use, and $MFT's $BITMAP marks it as one")
            elif used and not bit:
                self._say(f"record {number}: it is in use, and free in $MFT's $BITMAP")

    def _extents(self) -> Iterator[tuple[int, int]]:
        """The extents of all records, joined; runs beyond the volume or with two owners are reported."""
        runs = self._runs
        runs.sort()
        begin = end = 0
        for lcn, after, number in runs:
            if lcn == end:
                end = after
                continue
            if lcn < end:
                self._say_owners(lcn, min(after, end), number)
                end = max(end, after)
                continue
            if begin < end:
                yield begin, end
            begin, end = lcn, after
        if begin < end:
            yield begin, end
        if end > self._cluster_count:
            for _, after, number in runs:
                if after > self._cluster_count:
                    most = self._cluster_count
                    self._say(f"record {number}: a run ends at cluster {after}, the volume has {most}")

    def _say_owners(self, first: int, after: int, number: int) -> None:
        if self._is_full:
            return
        others = sorted(self._owners(first, after) - {number}) or [number]
        self._say(f"record {number}: clusters {first} to {after - 1} are those of record {others[0]}, too")

    def _owners(self, first: int, after: int) -> set[int]:
        found = (number for lcn, end, number in self._runs if lcn < after and end > first)
        return set(islice(found, 16))

    def _say_free(self, begin: int, end: int, taken: TakenClusters) -> None:
        """Name the files whose clusters are free in $Bitmap."""
        said = False
        for lcn, after, number in self._runs:
            first, last = max(lcn, begin), min(after, end)
            if first < last and not taken.all(first, last):
                self._say(
                    f"record {number}: $Bitmap has clusters free that a file has: {first} to {last - 1}"
                )
                said = True
                if self._is_full:
                    return
        if not said:
            self._say(f"$Bitmap has clusters free that the volume needs: {begin} to {end - 1}")


class TakenClusters:
    """Looks up extents in $Bitmap; `read` returns bytes of it.  Extents should come in ascending order."""

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        self._read = read
        self._size_bytes = size_bytes
        self._at = 0
        self._piece = b""

    def all(self, begin: int, end: int) -> bool:
        """Whether all clusters from `begin` up to, not including, `end` are taken."""
        while begin < end:
            byte = begin // 8
            if not self._at <= byte < self._at + len(self._piece):
                self._at = byte
                self._piece = self._read(byte, min(PIECE_BYTES, self._size_bytes - byte))
                if not self._piece:
                    return False
            stop = min(end, (self._at + len(self._piece)) * 8)
            if not self._all_set(begin - self._at * 8, stop - self._at * 8):
                return False
            begin = stop
        return True

    def _all_set(self, begin: int, end: int) -> bool:
        first, last = begin >> 3, end >> 3
        piece = self._piece
        head = 0xFF << (begin & 7) & 0xFF
        tail = (1 << (end & 7)) - 1
        if first == last:
            return piece[first] & head & tail == head & tail
        if piece[first] & head != head or (tail and piece[last] & tail != tail):
            return False
        return piece.count(0xFF, first + 1, last) == last - first - 1
