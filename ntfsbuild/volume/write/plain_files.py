"""Makes files with one plain stream and the usual metadata, as almost all files are.

This is the hot path, for new and for existing volumes.  A file's record is written right after its content;
only its directory entry stays in memory.
"""

from __future__ import annotations

import struct
from codecs import utf_16_le_encode
from collections.abc import Callable, Iterable
from typing import TypeAlias

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk import attribute, file_name, names
from ntfsbuild.ondisk.attribute import NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.file_record import END_MARKER
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.names import MAX_NAME_UNITS
from ntfsbuild.ondisk.runs import encode_runs
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.attributes import information
from ntfsbuild.volume.write.directories import Directory
from ntfsbuild.volume.write.record_layout import pack
from ntfsbuild.volume.write.secure import Secure
from ntfsbuild.volume.write.transaction import Transaction
from ntfsbuild.volume.write.write_buffer import LANDING_BYTES

_MAX_NAME_BYTES = 2 * MAX_NAME_UNITS
_PADDING = [bytes(k) for k in range(8)]
_MOST_RUNS = 16  # Always fit beside the longest name.

_new_data_sizes = struct.Struct("<QQ")  # Of the data, and of what of it is initialized.
_name_head = struct.Struct("<5Q")
_name_tail = struct.Struct("<QQIIBB")
assert _name_head.size + _name_tail.size == FileName.SIZE
assert NonResidentHeader.LAYOUT.format.endswith("QQ")


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
        # By clusters << 4 | bytes of the first cluster's number: what of a mapped $DATA lies around these.
        self._name_parts: dict[int, tuple[int, bytes, bytes]] = {}
        self._data_heads: dict[int, bytes] = {}
        self._mapped_parts: dict[int, tuple[bytes, bytes, bytes]] = {}
        self._directory: Directory | None = None
        self._times: Ticks4 | None = None
        self._attributes = 0
        self._touched_ticks = 0
        self._keys: list[bytes | None] = []

    def _prepare_name(self, name_bytes: int) -> tuple[int, bytes, bytes]:
        """What depends on the length of a name: the room for resident data; what lies around $FILE_NAME."""
        key_bytes = FileName.SIZE + name_bytes
        whole = attribute.resident(attribute.FILE_NAME, bytes(key_bytes), instance=1, indexed=True)
        information_bytes = ResidentHeader.SIZE + StandardInformation.SIZE
        room = self._mft.room - information_bytes - len(whole) - ResidentHeader.SIZE
        padding = bytes(len(whole) - ResidentHeader.SIZE - key_bytes)
        parts = self._name_parts[name_bytes] = room, whole[: ResidentHeader.SIZE], padding
        return parts

    def _prepare_data(self, size: int) -> bytes:
        """The head of a resident $DATA."""
        whole = attribute.resident(attribute.DATA, bytes(size), instance=2)
        head = self._data_heads[size] = whole[: ResidentHeader.SIZE]
        return head

    def _resident_room(self, name_bytes: int) -> int:
        return (self._name_parts.get(name_bytes) or self._prepare_name(name_bytes))[0]

    # ------------------------------------------------------------------ files

    def make(self, directory: Directory, name: str, data: bytes, times: Ticks4, attributes: int) -> None:
        """Create a file with its whole content."""
        raw_name = encode_name(name)
        size = len(data)
        if size <= self._resident_room(len(raw_name)):
            self._make_resident(directory, raw_name, data, times, attributes)
        elif size <= LANDING_BYTES - 4096:
            self._buffer.landing()[:size] = data
            self.make_landed(directory, ((name, size, times),), attributes)
        else:
            self._store(directory, name, data, times, attributes)

    def _store(self, directory: Directory, name: str, data: bytes, times: Ticks4, attributes: int) -> None:
        extent = self._transaction.stream_writer.take_extent(len(data))
        extent.write(0, data)
        extent.finish()
        self.make_mapped(directory, name, extent.stream(), times, attributes)

    def landing(self) -> memoryview:
        """Memory for the content of the next file; see `make_landed`."""
        return self._buffer.landing()

    def make_landed(
        self, directory: Directory, landed: Iterable[tuple[str, int, Ticks4]], attributes: int
    ) -> None:
        """Create files by name, size and times; each one's content is in `landing()` when it is its turn."""
        clusters, cluster_bytes = self._clusters, self._cluster_bytes
        resident_room, parts_of = self._resident_room, self._mapped_parts.get
        resident_most = resident_room(0)  # Of the shortest name.
        take_landed, pack_sizes = self._buffer.take_landed, _new_data_sizes.pack
        for name, size, times in landed:
            raw_name = utf_16_le_encode(name, "surrogatepass")[0]  # Without the search for a codec.
            if not 0 < len(raw_name) <= _MAX_NAME_BYTES:
                raw_name = encode_name(name)  # It says what is wrong.
            if size <= resident_most and size <= resident_room(len(raw_name)):
                data = bytes(self._buffer.landing()[:size])
                self._make_resident(directory, raw_name, data, times, attributes)
                continue
            count = -(-size // cluster_bytes)
            lcn = clusters.next_lcn
            if clusters.limit_lcn - lcn < count:
                if not clusters.open_extent(count):
                    self._store(directory, name, bytes(self._buffer.landing()[:size]), times, attributes)
                    continue
                lcn = clusters.next_lcn
            clusters.next_lcn = lcn + count
            take_landed(lcn * cluster_bytes, size, count * cluster_bytes)
            lcn_bytes = (lcn.bit_length() >> 3) + 1
            parts = parts_of(count << 4 | lcn_bytes) or self._prepare_mapped(count, lcn, lcn_bytes)
            before, run_head, after = parts
            packed = before + pack_sizes(size, size) + run_head + lcn.to_bytes(lcn_bytes, "little") + after
            self._add(directory, raw_name, size, count * cluster_bytes, packed, times, attributes)

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

    def _prepare_mapped(self, count: int, lcn: int, lcn_bytes: int) -> tuple[bytes, bytes, bytes]:
        """What files have in common that lie in so many clusters, in one run."""
        mapping = encode_runs([(lcn, count)])
        run_head, after = mapping[: -1 - lcn_bytes], mapping[-1:]
        length = align(NonResidentHeader.SIZE + len(mapping), 8)
        header = NonResidentHeader.LAYOUT.pack(
            attribute.DATA,
            length,
            1,
            0,
            NonResidentHeader.SIZE,
            0,
            2,
            0,
            count - 1,
            NonResidentHeader.SIZE,
            0,
            b"",
            count * self._cluster_bytes,
            0,
            0,
        )
        before = header[: -_new_data_sizes.size]
        after += bytes(length - NonResidentHeader.SIZE - len(mapping))
        parts = self._mapped_parts[count << 4 | lcn_bytes] = before, run_head, after
        return parts

    def _make_resident(
        self, directory: Directory, raw_name: bytes, data: bytes, times: Ticks4, attributes: int
    ) -> None:
        size = len(data)
        padding = _PADDING[-size & 7]
        packed = (self._data_heads.get(size) or self._prepare_data(size)) + data + padding
        self._add(directory, raw_name, size, size + len(padding), packed, times, attributes)

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
        name_tail = _name_tail.pack(allocated, size, attributes, 0, name_bytes >> 1, file_name.POSIX)
        key = self._name_head + name_tail + raw_name
        _, head, padding = self._name_parts.get(name_bytes) or self._prepare_name(name_bytes)
        body = b"".join((self._information, head, key, padding, data_attribute, END_MARKER))
        self._append_reference(self._mft.append_file(body))
        self._append_key(key)


def encode_name(name: str) -> bytes:
    """A name as it lies on the disk; raises ManifestError where none can be that long, or empty."""
    raw_name = utf_16_le_encode(name, "surrogatepass")[0]
    if not 0 < len(raw_name) <= _MAX_NAME_BYTES:
        raise ManifestError(f"{name!r}: {names.what_is_wrong(name, posix=True)}")
    return raw_name
