"""The MFT of a new volume: records take their places, full chunks go to the disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ntfsbuild.image.raw import Storage
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.ondisk.layout import align
from ntfsbuild.volume.format.size import Space

_CHUNK_BYTES = 1 << 20
_GROW_BYTES = 64 << 10


class RecordStore:
    """Numbers for records, and their bytes.

    Records that are complete when they are numbered (files) are gathered in a chunk and written when it
    is full: a million files never lie in memory.  Those that are completed last (directories, our own)
    are kept until `finish`.  The $MFT is one run when the number of records was said in advance, and
    grows by further runs when it was not.
    """

    def __init__(self, storage: Storage, space: Space, record_bytes: int, expected_records: int) -> None:
        self._storage = storage
        self._space = space
        self.record_bytes = record_bytes
        self.attributes_offset = file_record.first_attribute_offset(self.record_bytes)
        self._header = FileRecordHeader.LAYOUT
        self._usa_count = self.record_bytes // fixups.STRIDE + 1
        self._usa_room = bytes(self.attributes_offset - FileRecordHeader.SIZE)
        self.runs: list[tuple[int, int]] = []
        self._capacity = 0
        self._grow(expected_records * self.record_bytes)
        self.next_number = 0
        self._chunk = bytearray()  # Records in a row, the first and behind the last of them:
        self._chunk_first = self._chunk_end = 0
        self._late: dict[int, bytes] = {}

    def header(
        self,
        number: int,
        body_bytes: int,
        flags: int,
        links: int,
        next_instance: int,
        sequence: int = 1,
        base_reference: int = 0,
    ) -> bytes:
        """What stands before the attributes: the header and the room for its update sequence array.

        `body_bytes` counts the attributes and the end marker.
        """
        return (
            self._header.pack(
                file_record.MAGIC,
                FileRecordHeader.SIZE,
                self._usa_count,
                0,
                sequence,
                links,
                self.attributes_offset,
                flags,
                self.attributes_offset + body_bytes,
                self.record_bytes,
                base_reference,
                next_instance,
                0,
                number & 0xFFFFFFFF,
            )
            + self._usa_room
        )

    @property
    def attribute_room(self) -> int:
        """Bytes for attributes in a record, its end marker not counted."""
        return self.record_bytes - self.attributes_offset - len(file_record.END_MARKER)

    def record(
        self,
        number: int,
        attributes: Sequence[bytes],
        *,
        flags: int = 0,
        links: int = 1,
        base_reference: int = 0,
    ) -> bytes:
        """A whole record; the attributes come in order and get the instance ids 0, 1, 2, …"""
        sequence = file_record.system_sequence(number)
        return self._record(number, attributes, flags | file_record.IN_USE, links, sequence, base_reference)

    def free_record(self, number: int, attributes: Sequence[bytes]) -> bytes:
        """A whole record that nobody uses, as Windows prepares them: its sequence number is its number."""
        return self._record(number, attributes, 0, 0, number)

    def _record(
        self,
        number: int,
        attributes: Sequence[bytes],
        flags: int,
        links: int,
        sequence: int,
        base_reference: int = 0,
    ) -> bytes:
        body = attribute.numbered(attributes)
        assert len(body) <= self.attribute_room, f"record {number}: {len(body)} bytes of attributes"
        body += file_record.END_MARKER
        head = self.header(number, len(body), flags, links, len(attributes), sequence, base_reference)
        return head + body

    def reserve(self, count: int = 1) -> int:
        """The first of `count` numbers whose records come later, by `put_late`."""
        first = self.next_number
        self.next_number += count
        return first

    def put_late(self, number: int, record: bytes) -> None:
        """The record of a number that was reserved."""
        self._late[number] = record

    def append(self, body: bytes, next_instance: int) -> int:
        """Put the complete record of a file, in use and with one name; returns its number.

        `body` is its attributes and the end marker.
        """
        number = self.next_number
        self.append_record(self.header(number, len(body), file_record.IN_USE, 1, next_instance) + body)
        return number

    def append_record(self, record: bytes) -> None:
        """Put a whole record that has the next number."""
        number = self.next_number
        if number != self._chunk_end:  # Numbers were reserved in between.
            self._flush_chunk()
            self._chunk_first = number
        self._chunk += record.ljust(self.record_bytes, b"\0")
        self.next_number = self._chunk_end = number + 1
        if len(self._chunk) >= _CHUNK_BYTES:
            self._flush_chunk()
            self._chunk_first = self._chunk_end

    def _flush_chunk(self) -> None:
        if self._chunk:
            self._write_records(self._chunk_first, self._chunk)
            self._chunk = bytearray()

    def _write_records(self, first: int, records: bytearray) -> None:
        fixups.protect(records, self.record_bytes, FileRecordHeader.SIZE)
        self._write(first * self.record_bytes, records)

    def _extents(self, offset: int, size_bytes: int) -> Iterator[tuple[int, int]]:
        """Where a region of $MFT lies: (offset on the volume, bytes), run by run."""
        for lcn, clusters in self.runs:
            run_bytes = clusters * self._space.cluster_bytes
            if size_bytes > 0 and offset < run_bytes:
                count = min(size_bytes, run_bytes - offset)
                yield lcn * self._space.cluster_bytes + offset, count
                offset, size_bytes = run_bytes, size_bytes - count
            offset -= run_bytes

    def _write(self, offset: int, data: bytes | bytearray) -> None:
        while offset + len(data) > self._capacity:
            self._grow_by_half()
        view = memoryview(data)
        for at, count in self._extents(offset, len(data)):
            self._storage.write(at, view[:count])
            view = view[count:]

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Bytes of $MFT as they were written."""
        return b"".join(self._storage.read(at, count) for at, count in self._extents(offset, size_bytes))

    def _grow_by_half(self) -> None:
        """More room than was said: by ever larger runs, for all of them must fit record 0."""
        self._grow(max(_GROW_BYTES, self._capacity // 2))

    def _grow(self, size_bytes: int) -> None:
        # A whole number of records even where a cluster is smaller than one.
        size_bytes = align(size_bytes, max(self.record_bytes, self._space.cluster_bytes))
        lcn, clusters = self._space.take_bytes(size_bytes)
        if self.runs and sum(self.runs[-1]) == lcn:
            lcn, clusters = self.runs[-1][0], self.runs.pop()[1] + clusters
        self.runs.append((lcn, clusters))
        self._capacity += size_bytes

    @property
    def data_bytes(self) -> int:
        """The size of $MFT's data: all of it is initialized."""
        self._ensure_numbers()
        return self._capacity

    def _ensure_numbers(self) -> None:
        while self.next_number * self.record_bytes > self._capacity:
            self._grow_by_half()

    def bitmap(self) -> bytes:
        """$MFT's $BITMAP value: records in use; 16 to 23 are free."""
        size = align(-(-(self._capacity // self.record_bytes) // 8), 8)
        bits = (1 << self.next_number) - 1
        for number in range(file_record.FIRST_FREE, file_record.LAST_FREE + 1):
            bits &= ~(1 << number)
        return bits.to_bytes(size, "little")

    def finish(self) -> None:
        """Write everything that is still here, and zeros where no record lies."""
        self._flush_chunk()
        size, start = self.record_bytes, 0
        free_first, free_last = file_record.FIRST_FREE, file_record.LAST_FREE
        self._zero(free_first * size, (free_last + 1 - free_first) * size)
        self._zero(self.next_number * size, self._capacity - self.next_number * size)
        numbers = sorted(self._late)
        while start < len(numbers):
            end = start + 1
            while (
                end < len(numbers)
                and numbers[end] == numbers[end - 1] + 1
                and (end - start) * size < _CHUNK_BYTES
            ):
                end += 1
            piece = bytearray((end - start) * size)
            for k, number in enumerate(numbers[start:end]):
                record = self._late[number]
                piece[k * size : k * size + len(record)] = record
            self._write_records(numbers[start], piece)
            start = end
        self._late = {}

    def _zero(self, offset: int, size_bytes: int) -> None:
        for at, count in self._extents(offset, size_bytes):
            self._storage.zero(at, count)
