"""Makes files with one plain stream and the usual metadata, as almost all files are.

This is the hot path, for new and for existing volumes.  A file's record is written right after its content;
only its directory entry stays in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk import attribute, file_name, file_record, names
from ntfsbuild.ondisk.attribute import NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.file_record import END_MARKER
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.names import MAX_NAME_UNITS
from ntfsbuild.ondisk.runs import encode_run
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.attributes import information
from ntfsbuild.volume.write.directories import Directory
from ntfsbuild.volume.write.record_layout import pack
from ntfsbuild.volume.write.secure import Secure
from ntfsbuild.volume.write.transaction import Transaction
from ntfsbuild.volume.write.write_buffer import LANDING_BYTES

_INSTANCES = 3  # $STANDARD_INFORMATION, $FILE_NAME, $DATA: 0, 1, 2.
_PADDING = [bytes(k) for k in range(8)]
_MOST_RUNS = 16  # Always fit beside the longest name.

_name_head = struct.Struct("<5Q")
_name_tail = struct.Struct("<QQIIBB")
assert _name_head.size + _name_tail.size == FileName.SIZE
_mapped_header = NonResidentHeader.LAYOUT


# Makes a file whose stream lies in so many runs that its record may not hold them.
MakeScattered: TypeAlias = Callable[[Directory, str, Attribute, Ticks4, int], None]


class PlainFiles:
    """Makes plain files in directories that are loaded; `settle` lets a directory know that it changed."""

    def __init__(self, transaction: Transaction, secure: Secure, make_scattered: MakeScattered) -> None:
        self._transaction = transaction
        self._secure = secure
        self._make_scattered = make_scattered
        self._clusters = transaction.clusters
        self._cluster_bytes = transaction.geometry.cluster_bytes
        self._mft = transaction.mft_file
        self._buffer = transaction.storage
        self._directory: Directory | None = None
        self._times: Ticks4 | None = None
        self._attributes = 0
        self._touched_ticks = 0
        self._keys: list[bytes | None] = []
        self._prepare_lengths()

    def _prepare_lengths(self) -> None:
        """Everything about a file's record that depends on lengths alone, made once."""
        room = self._mft.room
        information_bytes = ResidentHeader.SIZE + StandardInformation.SIZE
        self._name_heads: list[bytes] = []
        self._name_padding: list[bytes] = []
        self._resident_room: list[int] = []
        for name_bytes in range(2 * MAX_NAME_UNITS + 1):
            key_bytes = FileName.SIZE + name_bytes
            whole = attribute.resident(attribute.FILE_NAME, bytes(key_bytes), instance=1, indexed=True)
            self._name_heads.append(whole[: ResidentHeader.SIZE])
            self._name_padding.append(bytes(len(whole) - ResidentHeader.SIZE - key_bytes))
            self._resident_room.append(room - information_bytes - len(whole) - ResidentHeader.SIZE)
        self._data_heads = [
            attribute.resident(attribute.DATA, bytes(size), instance=2)[: ResidentHeader.SIZE]
            for size in range(self._resident_room[0] + 1)
        ]

    # ------------------------------------------------------------------ files

    def make(self, directory: Directory, name: str, data: bytes, times: Ticks4, attributes: int) -> None:
        """Create a file with its whole content."""
        raw_name = encode_name(name)
        size = len(data)
        if size <= self._resident_room[len(raw_name)]:
            self._make_resident(directory, raw_name, data, times, attributes)
        elif size <= LANDING_BYTES - 4096:
            self._buffer.landing()[:size] = data
            self._make_landed(directory, raw_name, size, times, attributes)
        else:
            self._store(directory, name, data, times, attributes)

    def _store(self, directory: Directory, name: str, data: bytes, times: Ticks4, attributes: int) -> None:
        extent = self._transaction.stream_writer.take_extent(len(data))
        extent.write(0, data)
        extent.finish()
        self.make_mapped(directory, name, extent.stream(), times, attributes)

    def landing(self) -> memoryview:
        """Memory for the content of the next file; see `make_from_landing`."""
        return self._buffer.landing()

    def make_from_landing(
        self, directory: Directory, name: str, size_bytes: int, times: Ticks4, attributes: int
    ) -> None:
        """Create a file whose content was put into `landing()`."""
        raw_name = encode_name(name)
        if size_bytes <= self._resident_room[len(raw_name)]:
            data = bytes(self._buffer.landing()[:size_bytes])
            self._make_resident(directory, raw_name, data, times, attributes)
        else:
            self._make_landed(directory, raw_name, size_bytes, times, attributes)

    def make_mapped(
        self, directory: Directory, name: str, stream: Attribute, times: Ticks4, attributes: int
    ) -> None:
        """Create a file whose content was written to clusters."""
        if len(stream.runs) > _MOST_RUNS:
            self.settle()
            self._make_scattered(directory, name, stream, times, attributes)
            return
        raw_name = encode_name(name)
        packed = bytearray(pack(stream, self._cluster_bytes))
        packed[0x0E:0x10] = (2).to_bytes(2, "little")
        allocated = sum(count for _, count in stream.runs) * self._cluster_bytes
        self._add(directory, raw_name, stream.data_bytes, allocated, bytes(packed), times, attributes)

    def _make_landed(
        self, directory: Directory, raw_name: bytes, size: int, times: Ticks4, attributes: int
    ) -> None:
        clusters, cluster_bytes = self._clusters, self._cluster_bytes
        count = -(-size // cluster_bytes)
        lcn = clusters.next_lcn
        if clusters.limit_lcn - lcn < count:
            if not clusters.open_extent(count):
                name = raw_name.decode("utf-16-le", "surrogatepass")
                self._store(directory, name, bytes(self._buffer.landing()[:size]), times, attributes)
                return
            lcn = clusters.next_lcn
        clusters.next_lcn = lcn + count
        room_bytes = count * cluster_bytes
        self._buffer.take_landed(lcn * cluster_bytes, size, room_bytes)
        mapping = encode_run(lcn, count)
        self._add_mapped(directory, raw_name, size, room_bytes, mapping, times, attributes)

    def _make_resident(
        self, directory: Directory, raw_name: bytes, data: bytes, times: Ticks4, attributes: int
    ) -> None:
        size = len(data)
        padding = _PADDING[-size & 7]
        packed = self._data_heads[size] + data + padding
        self._add(directory, raw_name, size, size + len(padding), packed, times, attributes)

    def _add_mapped(
        self,
        directory: Directory,
        raw_name: bytes,
        size: int,
        allocated: int,
        mapping: bytes,
        times: Ticks4,
        attributes: int,
    ) -> None:
        length = align(NonResidentHeader.SIZE + len(mapping), 8)
        packed = (
            _mapped_header.pack(
                attribute.DATA,
                length,
                1,
                0,
                NonResidentHeader.SIZE,
                0,
                2,
                0,
                allocated // self._cluster_bytes - 1,
                NonResidentHeader.SIZE,
                0,
                b"",
                allocated,
                size,
                size,
            )
            + mapping
            + bytes(length - NonResidentHeader.SIZE - len(mapping))
        )
        self._add(directory, raw_name, size, allocated, packed, times, attributes)

    # ------------------------------------------------------------------ directories

    def settle(self) -> None:
        """Tell the directory of the last files that it has changed; the next one may be another."""
        directory, self._directory = self._directory, None
        if directory is not None:
            state = self._transaction.file(directory.reference)
            self._transaction.touch(state, self._touched_ticks, modified=True)

    def _enter(self, directory: Directory, times: Ticks4, attributes: int) -> None:
        """What files in one directory, with the same times and attributes, have in common."""
        if directory is not self._directory:
            self.settle()
            self._directory = directory
            directory.changed = True
            if directory.file_security_id is None:
                above = self._transaction.file(directory.reference)
                directory.file_security_id = self._secure.id_in(above, None, directory=False)
            self._append_key, self._append_reference = directory.keys.append, directory.references.append
        assert directory.file_security_id is not None
        self._times, self._attributes = times, attributes
        self._touched_ticks = times[2]
        self._name_head = _name_head.pack(directory.reference, *times)
        made = information(times, attributes, directory.file_security_id)
        self._information = pack(made, self._cluster_bytes)

    def _add(
        self,
        directory: Directory,
        raw_name: bytes,
        size: int,
        allocated: int,
        data_attribute: bytes,
        times: Ticks4,
        attributes: int,
    ) -> None:
        """Pack the record and the index key of a file; the hottest function there is."""
        if times is not self._times or attributes != self._attributes or directory is not self._directory:
            self._enter(directory, times, attributes)
        name_bytes = len(raw_name)
        key = (
            self._name_head
            + _name_tail.pack(allocated, size, attributes, 0, name_bytes >> 1, file_name.POSIX)
            + raw_name
        )
        body = (
            self._information
            + self._name_heads[name_bytes]
            + key
            + self._name_padding[name_bytes]
            + data_attribute
            + END_MARKER
        )
        mft = self._mft
        number, sequence = mft.take()
        head = mft.header(number, sequence, len(body), file_record.IN_USE, 1, _INSTANCES)
        mft.append(number, head + body)
        self._append_key(key)
        self._append_reference(sequence << 48 | number)


def encode_name(name: str) -> bytes:
    """A name as it lies on the disk; raises ManifestError where none can be that long, or empty."""
    raw_name = name.encode("utf-16-le", "surrogatepass")
    if not 0 < len(raw_name) <= 2 * MAX_NAME_UNITS:
        raise ManifestError(f"{name!r}: {names.what_is_wrong(name, posix=True)}")
    return raw_name
