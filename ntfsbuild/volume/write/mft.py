"""Writes $MFT: allocates record numbers, grows $MFT, and writes records.

Records that are complete when they get their number are buffered, and written in large pieces.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.image.raw import Storage
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.ondisk.layout import align
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.streams import StreamReader
from ntfsbuild.volume.run_list import merged
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.record_bitmap import RecordBitmap
from ntfsbuild.volume.write.streams import Streams

TOO_SCATTERED = "the $MFT lies in too many pieces: no record is left that could say where the next one is"

_GROW_RECORDS = 64  # As Windows does.
_RUN_RECORDS = 1024  # Taken at once, at most.
_MANY_RUNS = 8  # Fewer than any record has room for.
_CHUNK_BYTES = 1 << 20
_header = FileRecordHeader.LAYOUT
_INSTANCES = 3  # Of a new file: $STANDARD_INFORMATION, $FILE_NAME and $DATA are 0, 1 and 2.


class Growth(NamedTuple):
    """How $MFT grows: by `records` at least.

    On a new volume $MFT grows by half, and only when records are written: it has no free records before the
    last one in use.
    """

    records: int = _GROW_RECORDS
    is_new: bool = False


AS_WINDOWS_GROWS = Growth()


class Mft:
    """Allocates and writes records.  `state` is the file $MFT itself, which changes when it grows.

    On an existing volume, free records keep their sequence numbers.
    """

    def __init__(
        self,
        state: FileState,
        storage: Storage,
        reader: StreamReader,
        streams: Streams,
        record_bytes: int,
        cluster_bytes: int,
        growth: Growth = AS_WINDOWS_GROWS,
    ) -> None:
        self.state = state
        self._storage = storage
        self._reader = reader
        self._streams = streams
        self.record_bytes = record_bytes
        self._cluster_bytes = cluster_bytes
        self._growth = growth
        self._expected = 0
        self.attributes_offset = file_record.first_attribute_offset(record_bytes)
        self._usa_count = record_bytes // fixups.STRIDE + 1
        self._usa_room = bytes(self.attributes_offset - FileRecordHeader.SIZE)
        self._new_file = _template(self.header(0, 0, 0, file_record.IN_USE, 1, _INSTANCES))
        self._from = file_record.QUOTA  # No record below is ever given to a file.
        # Of numbers freed by this change: the sequence number that their next file gets.
        self._freed: dict[int, int] = {}
        # A run of free numbers, all marked as used: the next one, the one behind the last, and, of those
        # that were used before, the sequence numbers from the next one on, backwards.
        self._next = self._after = 0
        self._sequences: list[int] = []
        self._chunk = bytearray()  # Records in a row, the first and behind the last of them:
        self._chunk_first = self._chunk_end = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """After a commit: what is in use by now was before the next change."""
        bitmap = self.state.find(attribute.BITMAP)
        if bitmap is None:
            raise CorruptVolume("record 0: $MFT has no $BITMAP")
        self._bitmap = RecordBitmap(self._reader.read(bitmap))
        self._freed.clear()
        self._written = self.data.data_bytes // self.record_bytes  # Behind them no record ever was.

    @property
    def data(self) -> Attribute:
        """$MFT's $DATA."""
        found = self.state.find(attribute.DATA)
        assert found is not None
        return found

    @property
    def room(self) -> int:
        """Bytes for attributes in a record, its end marker not counted."""
        return self.record_bytes - self.attributes_offset - len(file_record.END_MARKER)

    # ------------------------------------------------------------------ numbers

    def expect(self, records: int) -> None:
        """Say that about so many records will be taken, so that $MFT grows at once and in one run."""
        self._expected = records

    def take(self) -> tuple[int, int]:
        """The number and the sequence number of a record that is free: the first one.

        Once $MFT lies in many runs, the very first is kept for `take_for_itself`: of those that come
        with the next growth none would do.
        """
        number = self._next
        if number == self._after:
            number = self._open_run()
        self._next = number + 1
        sequences = self._sequences
        return number, sequences.pop() if sequences else 1

    def _open_run(self) -> int:
        if self._growth.is_new:
            self._next, self._after = self._from, self._from + _RUN_RECORDS
            self._from = self._after
            self._bitmap.mark(self._next, self._after, True)
            return self._next
        count = self.data.data_bytes // self.record_bytes
        bitmap, in_many_runs = self._bitmap, len(self.data.runs) > _MANY_RUNS
        number = bitmap.first_free(self._from, count)
        if in_many_runs and number is not None and bitmap.first_free(file_record.FIRST_FREE, number) is None:
            number = bitmap.first_free(number + 1, count)
        if number is None:
            number = count
            self._grow()
            count = self.data.data_bytes // self.record_bytes
        after = self._bitmap.end_of_free(number, min(count, number + _RUN_RECORDS))
        self._bitmap.mark(number, after, True)
        self._sequences = self._sequences_of(number, min(after, max(number, self._written)))
        for k in range(len(self._sequences), after - number if self._freed else 0):
            self._sequences.insert(0, self._freed.pop(number + k, 1))
        self._next, self._after, self._from = number, after, after
        self._expected = max(0, self._expected - (after - number))
        return number

    def _close_run(self) -> None:
        """Return the unused numbers of the current run."""
        if self._next < self._after:
            self._bitmap.mark(self._next, self._after, False)
            for number, sequence in zip(
                range(self._next, self._after), reversed(self._sequences), strict=False
            ):
                if sequence != 1:
                    self._freed[number] = sequence
            self._from = min(self._from, self._next)
            if not self._growth.is_new:
                self._expected += self._after - self._next
        self._next = self._after = 0
        self._sequences = []

    def take_for_itself(self) -> tuple[int, int]:
        """The same for a record that says where a later part of $MFT lies.

        It should lie in the first part: the records before 24 are kept free for that, by everybody.
        """
        self._close_run()
        number = self._bitmap.first_free(file_record.FIRST_FREE, self.data.data_bytes // self.record_bytes)
        if number is None:
            raise VolumeError(TOO_SCATTERED)
        self._bitmap.mark(number, number + 1, True)
        return number, self._sequences_of(number, number + 1)[0]

    def _sequences_of(self, first: int, after: int) -> list[int]:
        """The sequence numbers of the next files in these records, backwards.

        A freed record holds its own already; 1 where no record ever was.
        """
        size, found = self.record_bytes, []
        data = self.read_bytes(first * size, (after - first) * size) if first < after else b""
        for number in range(first, after):
            at = (number - first) * size
            freed = self._freed.pop(number, None)
            if freed is not None or data[at : at + 4] != file_record.MAGIC:
                found.append(freed or 1)
                continue
            header = FileRecordHeader.unpack(data, at)
            if header.flags & file_record.IN_USE:
                raise CorruptVolume(f"record {number}: it is in use, but free in $MFT's $BITMAP")
            found.append(header.sequence or 1)
        return found[::-1]

    def give_back(self, number: int, sequence: int) -> None:
        """Free a record; the next file in it has the following sequence number."""
        self._close_run()
        self._bitmap.mark(number, number + 1, False)
        self._from = min(self._from, number)
        self._freed[number] = next_sequence(sequence)

    def is_used(self, number: int) -> bool:
        """Whether the bitmap says that a record is in use."""
        if self._next <= number < self._after:
            return False
        return self._bitmap.is_used(number)

    def was_used(self, number: int) -> bool:
        """Whether a record was in use at the last commit."""
        return self._bitmap.was_used(number)

    def grow_to(self, records: int) -> None:
        """Let $MFT have room for so many records, at least."""
        missing = records - self.data.data_bytes // self.record_bytes
        if missing > 0:
            self._add_room(missing)

    def _grow(self) -> None:
        """Room for more records behind the last one, cleared."""
        have = self.data.data_bytes // self.record_bytes
        share = -(-have // 2) if self._growth.is_new else 0
        self._add_room(max(self._growth.records, self._expected, share))

    def _add_room(self, records: int) -> None:
        data = self.data
        unit = max(self._cluster_bytes, self.record_bytes)
        more = align(records * self.record_bytes, unit)
        have = sum(count for _, count in data.runs) * self._cluster_bytes
        runs = data.runs
        if have - data.data_bytes < self.record_bytes:
            runs = merged([*runs, *self._streams.take(more // self._cluster_bytes)])
            have += more
        size = have // self.record_bytes * self.record_bytes
        self.state.put(data._replace(runs=runs, data_bytes=size, initialized_bytes=size))
        self._bitmap.cover(size // self.record_bytes)
        for offset, count in self._places(data.data_bytes, size - data.data_bytes):
            self._storage.zero(offset, count)

    def flush_bitmap(self) -> None:
        """Write $MFT's $BITMAP back."""
        self._close_run()
        if not self._bitmap.changed:
            return
        bitmap = self.state.find(attribute.BITMAP)
        assert bitmap is not None
        self.state.put(self._streams.write(bitmap, 0, bytes(self._bitmap.bits)))
        self._bitmap.changed = False

    def marked(self) -> bytes:
        """The bits of the records in use, as $MFT's $BITMAP has them."""
        self._close_run()
        return bytes(self._bitmap.bits)

    @property
    def next_number(self) -> int:
        """The number behind the last record in use."""
        self._close_run()
        return self._bitmap.next_number

    @property
    def bits(self) -> bytes:
        """The value of $MFT's $BITMAP, of a new volume."""
        while self.next_number > self.data.data_bytes // self.record_bytes:
            self._grow()
        return bytes(self._bitmap.bits[: align(-(-self.data.data_bytes // self.record_bytes // 8), 8)])

    def reserve(self, first: int, after: int) -> None:
        """Take certain numbers, which are free: those of the system files of a new volume."""
        self._close_run()
        self._bitmap.mark(first, after, True)
        self._from = max(self._from, after)

    # ------------------------------------------------------------------ records

    def _places(self, at: int, size_bytes: int) -> list[tuple[int, int]]:
        return self._streams.places(self.data, at, size_bytes)

    def read_bytes(self, at: int, size_bytes: int) -> bytes:
        """A part of $MFT as it lies on the disk."""
        self.flush()
        return self._reader.read_at(self.data, at, size_bytes)

    def header(
        self,
        number: int,
        sequence: int,
        body_bytes: int,
        flags: int,
        links: int,
        next_instance: int,
        base_reference: int = 0,
        lsn: int = 0,
    ) -> bytes:
        """What stands before the attributes: the header and the room for its update sequence array.

        `body_bytes` counts the attributes and the end marker.
        """
        return (
            _header.pack(
                file_record.MAGIC,
                FileRecordHeader.SIZE,
                self._usa_count,
                lsn,
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

    def append(self, number: int, record: bytes) -> None:
        """Write a complete new record; this method applies the update sequence."""
        if number != self._chunk_end or not self._chunk:
            self.flush()
            self._chunk_first = number
        self._chunk += record.ljust(self.record_bytes, b"\0")
        self._chunk_end = number + 1
        if len(self._chunk) >= _CHUNK_BYTES:
            self.flush()

    def append_file(self, body: bytes) -> int:
        """Write the record of a new file with one name into a free one; returns its reference."""
        number, sequence = self.take()
        pack, before, between, behind, room = self._new_file
        used = self.attributes_offset + len(body)
        self.append(number, pack(before, sequence, between, used, behind, number & 0xFFFFFFFF, room) + body)
        return sequence << 48 | number

    def flush(self) -> None:
        """Write the records that are gathered."""
        if self._chunk:
            chunk, self._chunk = self._chunk, bytearray()
            fixups.protect(chunk, self.record_bytes, FileRecordHeader.SIZE)
            self._write(self._chunk_first * self.record_bytes, chunk)

    def write(self, number: int, record: bytes, update_number: int) -> None:
        """Put a record in its place, with the update sequence number that it gets."""
        if update_number == fixups.FIRST_NUMBER:
            self.append(number, record)
            return
        buffer = bytearray(record.ljust(self.record_bytes, b"\0"))
        fixups.protect(buffer, self.record_bytes, FileRecordHeader.SIZE, update_number)
        self.write_raw(number, buffer)

    def write_raw(self, number: int, record: bytes | bytearray) -> None:
        """Put a record that is ready in its place."""
        self.flush()
        self._write(number * self.record_bytes, record)

    def _write(self, at: int, data: bytes | bytearray) -> None:
        while at + len(data) > self.data.data_bytes:
            assert self._growth.is_new
            self._grow()
        view = memoryview(data)
        for offset, count in self._places(at, len(data)):
            self._storage.write(offset, view[:count])
            view = view[count:]


def _template(header: bytes) -> tuple[Callable[..., bytes], bytes, bytes, bytes, bytes]:
    """What packs the header of new files, and its parts around sequence number, used bytes and number."""
    sequence, used, number = map(FileRecordHeader.offset_of, ("sequence", "used_bytes", "record_number"))
    before, between = header[:sequence], header[sequence + 2 : used]
    behind, room = header[used + 4 : number], header[number + 4 :]
    form = f"<{len(before)}sH{len(between)}sI{len(behind)}sI{len(room)}s"
    return struct.Struct(form).pack, before, between, behind, room


def next_sequence(sequence: int) -> int:
    """The sequence number after that one; 0 is never used."""
    return sequence + 1 if sequence < 0xFFFF else 1
