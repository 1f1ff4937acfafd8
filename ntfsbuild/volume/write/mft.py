"""The $MFT of an existing volume: numbers for new records, room for them, records written back."""

from __future__ import annotations

import re

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.image.raw import ChangeableStorage
from ntfsbuild.ondisk import attribute, file_record, fixups
from ntfsbuild.ondisk.file_record import FileRecordHeader
from ntfsbuild.ondisk.layout import align
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.streams import StreamReader
from ntfsbuild.volume.run_list import merged
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.streams import StreamEditor

TOO_SCATTERED = "the $MFT lies in too many pieces: no record is left that could say where the next one is"

_GROW_RECORDS = 64  # As Windows does.
_MANY_RUNS = 8  # Fewer than any record has room for.
_not_full = re.compile(rb"[^\xff]")


class MftEditor:
    """Allocates and writes records.  `state` is $MFT's own file, changed as it grows."""

    def __init__(
        self,
        state: FileState,
        storage: ChangeableStorage,
        reader: StreamReader,
        streams: StreamEditor,
        record_bytes: int,
        cluster_bytes: int,
    ) -> None:
        self.state = state
        self._storage = storage
        self._reader = reader
        self._streams = streams
        self.record_bytes = record_bytes
        self._cluster_bytes = cluster_bytes
        self.attributes_offset = file_record.first_attribute_offset(record_bytes)
        bitmap = state.find(attribute.BITMAP)
        if bitmap is None:
            raise CorruptVolume("record 0: $MFT has no $BITMAP")
        self._bits = bytearray(reader.read(bitmap))
        self._bits_changed = False
        self._from = file_record.QUOTA  # No record below is ever given to a file.
        # Of numbers freed by this change: the sequence number that their next file gets.
        self._freed: dict[int, int] = {}

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

    def take(self) -> tuple[int, int]:
        """The number and the sequence number of a record that is free: the first one.

        Once $MFT lies in many runs, the very first is kept for `take_for_itself`: of those that come
        with the next growth none would do.
        """
        count = self.data.data_bytes // self.record_bytes
        number = self._first_free(self._from, count)
        if number is not None and len(self.data.runs) > _MANY_RUNS and self._is_first(number):
            number = self._first_free(number + 1, count)
        if number is None:
            number = count
            self._grow()
        self._from = number + 1
        return self._taken(number)

    def _is_first(self, number: int) -> bool:
        return self._first_free(file_record.FIRST_FREE, number) is None

    def take_for_itself(self) -> tuple[int, int]:
        """The same for a record that says where a later part of $MFT lies.

        It should lie in the first part: the records before 24 are kept free for that, by everybody.
        """
        number = self._first_free(file_record.FIRST_FREE, self.data.data_bytes // self.record_bytes)
        if number is None:
            raise VolumeError(TOO_SCATTERED)
        return self._taken(number)

    def _taken(self, number: int) -> tuple[int, int]:
        self._mark(number, True)
        return number, self._freed.pop(number, None) or self._next_sequence(number)

    def _first_free(self, first: int, after: int) -> int | None:
        """The first number from `first` on, below `after`, whose bit is clear."""
        self._cover(after)
        byte, bit = divmod(first, 8)
        if byte < len(self._bits):
            value = self._bits[byte] | (1 << bit) - 1
            if value == 0xFF:
                found = _not_full.search(self._bits, byte + 1)
                if found is None:
                    return None
                byte = found.start()
                value = self._bits[byte]
            number = byte * 8 + (~value & value + 1).bit_length() - 1
            return number if number < after else None
        return None

    def _next_sequence(self, number: int) -> int:
        """The number that a freed record holds already; 1 where no record ever was."""
        data = self.read_raw(number)
        if data[:4] != file_record.MAGIC:
            return 1
        header = FileRecordHeader.unpack(data)
        if header.flags & file_record.IN_USE:
            raise CorruptVolume(f"record {number}: it is in use, but free in $MFT's $BITMAP")
        return header.sequence or 1

    def give_back(self, number: int, sequence: int) -> None:
        """Free a record; the next file in it has the following sequence number."""
        self._mark(number, False)
        self._from = min(self._from, number)
        self._freed[number] = next_sequence(sequence)

    def is_used(self, number: int) -> bool:
        """Whether the bitmap says that a record is in use."""
        return number // 8 < len(self._bits) and bool(self._bits[number // 8] >> number % 8 & 1)

    def marked(self) -> bytes:
        """The bits of the records in use, as $MFT's $BITMAP has them."""
        return bytes(self._bits)

    def _mark(self, number: int, used: bool) -> None:
        self._cover(number + 1)
        byte, bit = divmod(number, 8)
        self._bits[byte] = self._bits[byte] | 1 << bit if used else self._bits[byte] & ~(1 << bit)
        self._bits_changed = True

    def _cover(self, records: int) -> None:
        """Let the bitmap have a bit for every record: whole bytes, a multiple of eight."""
        more = align(-(-records // 8), 8) - len(self._bits)
        if more > 0:
            self._bits.extend(bytes(more))
            self._bits_changed = True

    def _grow(self) -> None:
        """Room for more records behind the last one, cleared."""
        data = self.data
        unit = max(self._cluster_bytes, self.record_bytes)
        more = align(_GROW_RECORDS * self.record_bytes, unit)
        have = sum(count for _, count in data.runs) * self._cluster_bytes
        runs = data.runs
        if have - data.data_bytes < self.record_bytes:
            runs = merged([*runs, *self._streams.take(more // self._cluster_bytes)])
            have += more
        size = have // self.record_bytes * self.record_bytes
        self.state.put(data._replace(runs=runs, data_bytes=size, initialized_bytes=size))
        self._cover(size // self.record_bytes)
        for offset, count in self._places(data.data_bytes, size - data.data_bytes):
            self._storage.zero(offset, count)

    def flush_bitmap(self) -> None:
        """Write $MFT's $BITMAP back."""
        if not self._bits_changed:
            return
        bitmap = self.state.find(attribute.BITMAP)
        assert bitmap is not None
        self.state.put(self._streams.write(bitmap, 0, bytes(self._bits)))
        self._bits_changed = False

    # ------------------------------------------------------------------ records

    def _places(self, at: int, size_bytes: int) -> list[tuple[int, int]]:
        return self._streams.places(self.data, at, size_bytes)

    def read_raw(self, number: int) -> bytes:
        """A record as it lies on the disk, its update sequence in place."""
        return self._reader.read_at(self.data, number * self.record_bytes, self.record_bytes)

    def read_bytes(self, at: int, size_bytes: int) -> bytes:
        """A part of $MFT as it lies on the disk."""
        return self._reader.read_at(self.data, at, size_bytes)

    def write(self, header: FileRecordHeader, attributes: bytes, update_number: int) -> None:
        """Put a record in its place: a header, its attributes, the end marker, the update sequence."""
        number = header.record_number
        record = header.pack().ljust(self.attributes_offset, b"\0") + attributes + file_record.END_MARKER
        buffer = bytearray(record.ljust(self.record_bytes, b"\0"))
        fixups.protect(buffer, self.record_bytes, FileRecordHeader.SIZE, update_number)
        self.write_raw(number, bytes(buffer))

    def write_raw(self, number: int, record: bytes) -> None:
        """Put a record that is ready in its place."""
        view = memoryview(record)
        for offset, count in self._places(number * self.record_bytes, len(record)):
            self._storage.write(offset, view[:count])
            view = view[count:]


def next_sequence(sequence: int) -> int:
    """The sequence number after that one; 0 is never used."""
    return sequence + 1 if sequence < 0xFFFF else 1
