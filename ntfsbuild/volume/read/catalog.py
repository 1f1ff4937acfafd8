"""Records, directory entries and view indexes of a volume, as stored on disk.

`Catalog` is the interface of a reader; a change that is not yet committed has the same interface.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Protocol

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_record, fixups, upcase
from ntfsbuild.ondisk.file_record import reference
from ntfsbuild.ondisk.index import vcn_unit
from ntfsbuild.ondisk.standard_information import SHORT_SIZE, StandardInformation, Ticks4
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.boot import Reader, read_boot
from ntfsbuild.volume.read.damage import Damage
from ntfsbuild.volume.read.gathering import attribute_list_of, gathered, select
from ntfsbuild.volume.read.indexes import Index, NameEntry, name_entries, times_of, view_data
from ntfsbuild.volume.read.paths_above import path_of
from ntfsbuild.volume.read.plain import PlainRecord, plain_record
from ntfsbuild.volume.read.records import Attribute, Record, joined, parse_record
from ntfsbuild.volume.read.security import BY_ID, STREAM, SecurityReader
from ntfsbuild.volume.read.streams import StreamReader

INDEX_NAME = "$I30"
_MOST_CACHED_DIRECTORIES = 256
_LARGE_INDEX_BYTES = 256 << 10  # Some 2,500 entries.
_MOST_DESCENTS = 16
_AHEAD_BYTES = 256 << 10
_MOST_CHUNKS = 16  # Files of one directory may have records in several of them.
_LARGEST_BITMAP_BYTES = 1 << 24  # $BITMAP of an index; a limit, since damage must not fill the memory.


class Catalog(Protocol):
    """The contents of a volume, by record numbers and file references."""

    @property
    def geometry(self) -> Geometry:
        """The sizes of the volume."""

    @property
    def storage(self) -> Reader:
        """The bytes of the volume."""

    @property
    def streams(self) -> StreamReader:
        """The reader of attribute values."""

    @property
    def mft(self) -> Attribute:
        """The $DATA of $MFT."""

    @property
    def case(self) -> dict[int, int]:
        """The volume's own $UpCase."""

    @property
    def root_reference(self) -> int:
        """The file reference of the root directory."""

    def record(self, number: int) -> Record:
        """A record, taken apart."""

    def referenced(self, meant: int) -> Record:
        """The record that a reference means; raises CorruptVolume where something else is there by now."""

    def plain(self, meant: int) -> PlainRecord | None:
        """The record that a reference means, if it is that of a plain file and is read ahead."""

    def attributes(self, record: Record) -> list[Attribute]:
        """All attributes of a file, those of its other records included, pieces joined."""

    def entries(self, directory: Record) -> Iterator[NameEntry]:
        """The entries of a directory in collation order."""

    def look_up(self, directory: int, name: str, path: str) -> NameEntry:
        """The entry of a name in a directory; raises VolumeError with `path` if there is none."""

    def descriptor_of(self, security_id: int) -> bytes | None:
        """The security descriptor that has an id; None where none has it."""

    def view_data(self, number: int, name: str, key: bytes) -> bytes | None:
        """The data of a key of a view index."""

    def read_ahead(self) -> None:
        """Say that most records will be asked for, in their order or nearly so."""

    @property
    def damage(self) -> Damage:
        """The damage that was skipped while reading."""

    @property
    def index_block_bytes(self) -> int:
        """The size of an index block."""

    def times_of_entry(self, number: int, entry: NameEntry, times: Ticks4) -> Ticks4:
        """The times that an entry of a file has, or gets by a change; `times` are the file's times."""


class DiskCatalog:
    """The catalog of a volume as stored on disk."""

    def __init__(self, storage: Reader) -> None:
        self.storage = storage
        self.damage = Damage()
        self._gathered: tuple[Record, list[Attribute]] | None = None  # The last file with an $ATTRIBUTE_LIST.
        boot = read_boot(storage)
        self.geometry: Geometry = boot.geometry
        self.index_block_bytes = boot.index_block_bytes
        self._index_unit = vcn_unit(boot.geometry.cluster_bytes, boot.index_block_bytes)
        self.streams = StreamReader(storage, boot.geometry)
        self._clusters = boot.geometry.cluster_count
        self._ahead_records = 0
        self._chunks: dict[int, _Chunk] = {}  # Of records that are read ahead, the least recently used first.
        self.mft = self._find_mft(boot.mft_lcn)  # Reads records, where $MFT has several.
        self._names: dict[int, _Names] = {}
        self._asked: dict[int, int] = {}  # Number of lookups in a large directory.

    # ------------------------------------------------------------------ records

    def _find_mft(self, lcn: int) -> Attribute:
        """The $DATA of $MFT: its first piece is in record 0, the others may be in any later record."""
        size = self.geometry.record_bytes
        first = parse_record(self.storage.read(lcn * self.geometry.cluster_bytes, size), file_record.MFT)
        pieces = select(first.attributes, attribute.DATA, "")
        if not pieces or pieces[0].resident:
            raise CorruptVolume("record 0: $MFT has no $DATA in clusters")
        self.mft = joined(pieces)
        listed = attribute_list_of(first, self.streams.read)
        # Each piece maps at least the record that contains the next piece.
        for entry in listed or ():
            if entry.type_code == attribute.DATA and entry.name_length == 0 and entry.lowest_vcn:
                record = self.referenced(entry.reference)
                pieces += [
                    one
                    for one in select(record.attributes, attribute.DATA, "")
                    if one.lowest_vcn == entry.lowest_vcn
                ]
                self.mft = joined(pieces)
        return self._without_holes(self.mft)

    def _without_holes(self, mft: Attribute) -> Attribute:
        """$MFT up to its first hole: it has none on a sound volume, and a hole can have any size."""
        clusters = sum(count for _, count in itertools.takewhile(lambda run: run[0] is not None, mft.runs))
        most = min(clusters, self._clusters) * self.geometry.cluster_bytes
        if mft.data_bytes <= most:
            return mft
        self.damage.tell("/$MFT", f"it has {mft.data_bytes} bytes, and clusters for the first {most}")
        return mft._replace(data_bytes=most)

    def record(self, number: int) -> Record:
        """A record, taken apart."""
        size = self.geometry.record_bytes
        if (number + 1) * size > self.mft.data_bytes:
            raise CorruptVolume(f"record {number}: $MFT has {self.mft.data_bytes // size} records")
        if not self._ahead_records:
            return parse_record(self.streams.read_at(self.mft, number * size, size), number)
        chunk = self._chunk_of(number)
        at = (number - chunk.first) * size
        return parse_record(chunk.raw[at : at + size], number)

    def plain(self, meant: int) -> PlainRecord | None:
        """The record that a reference means, if it is that of a plain file and is read ahead."""
        number, (_, cluster_bytes, size, *_) = meant & file_record.NUMBER_MASK, self.geometry
        if not self._ahead_records or (number + 1) * size > self.mft.data_bytes:
            return None
        chunk = self._chunk_of(number)
        at, data = (number - chunk.first) * size, chunk.records
        if not data:
            alone = bytearray(chunk.raw[at : at + size])
            if fixups.undo(alone) is not None:
                return None
            at, data = 0, bytes(alone)
        found = plain_record(data, at, number, size, cluster_bytes, self._clusters)
        return found if found is not None and found.sequence == meant >> 48 else None

    def _chunk_of(self, number: int) -> _Chunk:
        """The chunk of $MFT that holds a record."""
        nth = number // self._ahead_records
        found = self._chunks.pop(nth, None)
        if found is None:
            size, first = self.geometry.record_bytes, nth * self._ahead_records
            count = min(self._ahead_records * size, self.mft.data_bytes // size * size - first * size)
            raw = self.streams.read_at(self.mft, first * size, count)
            records = bytearray(raw)
            found = _Chunk(first, raw, bytes(records) if fixups.restore_all(records, size) else b"")
            if len(self._chunks) >= _MOST_CHUNKS:
                del self._chunks[next(iter(self._chunks))]
        self._chunks[nth] = found
        return found

    def read_ahead(self) -> None:
        """Say that most records will be asked for, in their order or nearly so."""
        self._ahead_records = _AHEAD_BYTES // self.geometry.record_bytes

    def referenced(self, meant: int) -> Record:
        """The record that a reference means; raises CorruptVolume where something else is there by now."""
        number, sequence = meant & file_record.NUMBER_MASK, meant >> 48
        record = self.record(number)
        if not record.in_use or record.sequence != sequence:
            raise not_referenced(record, sequence)
        return record

    @functools.cached_property
    def root_reference(self) -> int:
        """The file reference of the root directory."""
        return reference(file_record.ROOT, self.record(file_record.ROOT).sequence)

    def attributes(self, record: Record) -> list[Attribute]:
        """All attributes of a file, those of its other records included, pieces joined."""
        if self._gathered is None or self._gathered[0] != record:
            found = gathered(record, self.streams.read, self.referenced)
            if not select(record.attributes, attribute.ATTRIBUTE_LIST, ""):
                return found
            self._gathered = record, found  # Often read again, for other streams or names of the file.
        return list(self._gathered[1])

    @functools.cached_property
    def case(self) -> dict[int, int]:
        """The volume's own $UpCase."""
        found = select(self.attributes(self.record(file_record.UPCASE)), attribute.DATA, "")
        if not found or found[0].size_bytes != upcase.TABLE_BYTES:
            raise CorruptVolume(f"record {file_record.UPCASE}: $UpCase has not {upcase.TABLE_BYTES} bytes")
        return upcase.parse_table(self.streams.read(found[0]))

    # ------------------------------------------------------------------ indexes

    def index(self, record: Record, name: str) -> Index:
        """An index; entries that cannot be found are reported as damage of its directory."""
        attributes = self.attributes(record)
        roots = select(attributes, attribute.INDEX_ROOT, name)
        if not roots or roots[0].value is None:
            raise CorruptVolume(f"record {record.number}: no $INDEX_ROOT {name!r}")
        found = select(attributes, attribute.INDEX_ALLOCATION, name)
        blocks = found[0] if found else None

        def read_block(vcn: int, size_bytes: int) -> bytes:
            if blocks is None or vcn * self._index_unit + size_bytes > blocks.data_bytes:
                raise CorruptVolume(f"an entry points to VCN {vcn}, behind the end of the index")
            return self.streams.read_at(blocks, vcn * self._index_unit, size_bytes)

        def marked() -> bytes:
            bitmaps = select(attributes, attribute.BITMAP, name) if blocks else []
            if not bitmaps or bitmaps[0].size_bytes > _LARGEST_BITMAP_BYTES:
                return b""
            return self.streams.read(bitmaps[0])

        def lose(what: str) -> None:
            path = path_of(record, self.attributes, self.referenced)
            self.damage.lose(path, f"record {record.number}: {name}: {what}")

        return Index(roots[0].value, read_block, self._index_unit, marked, lose)

    def entries(self, directory: Record) -> Iterator[NameEntry]:
        """The entries of a directory in collation order."""
        return name_entries(self.index(directory, INDEX_NAME), f"record {directory.number}")

    def view_data(self, number: int, name: str, key: bytes) -> bytes | None:
        """The data of a key of a view index, found from its root down."""
        return view_data(self.index(self.record(number), name), f"record {number}: {name}", key)

    def descriptor_of(self, security_id: int) -> bytes | None:
        """The security descriptor that has an id; None where none has it."""
        return self.security.descriptor_of(security_id)

    @functools.cached_property
    def security(self) -> SecurityReader:
        """Reads $Secure."""
        return SecurityReader(self.streams, self._security_entry, self._security_stream, self.damage.tell)

    def _security_entry(self, key: bytes) -> bytes | None:
        return self.view_data(file_record.SECURE, BY_ID, key)

    def _security_stream(self) -> Attribute | None:
        found = select(self.attributes(self.record(file_record.SECURE)), attribute.DATA, STREAM)
        return found[0] if found else None

    # ------------------------------------------------------------------ names

    def look_up(self, directory: int, name: str, path: str) -> NameEntry:
        """The entry of a name in a directory: the exact name if there is one, else ignoring case."""
        known = self._names.pop(directory, None)
        if known is None:
            found = self.descend(directory, name)
            if found is not None:
                return picked(found, name, self.is_case_sensitive(directory), path)
            known = self._load_names(directory, name, path)
            if len(self._names) >= _MOST_CACHED_DIRECTORIES:
                del self._names[next(iter(self._names))]  # The least recently used directory.
        self._names[directory] = known
        found = known.folded.get(upcase.upper(name, self.case), [])
        return picked(found, name, known.case_sensitive, path)

    def descend(self, directory: int, name: str) -> list[NameEntry] | None:
        """The entries of a name, ignoring case, found by descending the B-tree of a large directory.

        None if the directory is small, or used so often that reading it completely is faster.
        """
        asked = self._asked.get(directory, 0)
        if asked >= _MOST_DESCENTS:
            return None
        record = self.referenced(directory)
        blocks = select(self.attributes(record), attribute.INDEX_ALLOCATION, INDEX_NAME)
        if not blocks or blocks[0].size_bytes < _LARGE_INDEX_BYTES:
            return None
        self._asked[directory] = asked + 1
        wanted = upcase.upper(name, self.case)
        key = upcase.code_units(wanted)

        def is_before(entry: NameEntry) -> bool:
            return upcase.code_units(upcase.upper(entry.name, self.case)) < key

        found = name_entries(self.index(record, INDEX_NAME), f"record {record.number}", is_before)
        return list(itertools.takewhile(lambda entry: upcase.upper(entry.name, self.case) == wanted, found))

    def is_case_sensitive(self, directory: int) -> bool:
        """Whether the names of a directory are case-sensitive."""
        record = self.referenced(directory)
        return standard_information(record, self.attributes(record)).is_case_sensitive

    def _load_names(self, directory: int, name: str, path: str) -> _Names:
        record = self.referenced(directory)
        if not record.is_directory:
            raise no_directory(path, name)
        folded: dict[str, list[NameEntry]] = {}
        for entry in self.entries(record):
            folded.setdefault(upcase.upper(entry.name, self.case), []).append(entry)
        return _Names(folded, self.is_case_sensitive(directory))

    # ------------------------------------------------------------------ without a change

    def times_of_entry(self, number: int, entry: NameEntry, times: Ticks4) -> Ticks4:
        """The times that an entry of a file has."""
        return times_of(entry)


class _Chunk(NamedTuple):
    """A piece of $MFT: its first record, its bytes as stored, and these with all update sequences undone.

    `records` is empty if its records are not all alike, and must be looked at one by one.
    """

    first: int
    raw: bytes
    records: bytes


class _Names(NamedTuple):
    """The entries of a directory, by names in upper case."""

    folded: dict[str, list[NameEntry]]
    case_sensitive: bool


def not_referenced(record: Record, sequence: int) -> CorruptVolume:
    """The error for a record whose sequence number differs from that of the reference."""
    state = "in use" if record.in_use else "free"
    return CorruptVolume(
        f"record {record.number}: it is {state} with sequence number {record.sequence}, "
        f"a reference expects {sequence}"
    )


def no_directory(path: str, name: str) -> VolumeError:
    """The error for a path that leads through a file."""
    return VolumeError(f"{path}: not found: there is no directory on the way to {name!r}")


def picked(found: list[NameEntry], name: str, case_sensitive: bool, path: str) -> NameEntry:
    """Choose one of the entries that differ from a name only in case."""
    exact = [entry for entry in found if entry.name == name]
    if not exact and (case_sensitive or not found):
        raise VolumeError(f"{path}: not found")
    return (exact or found)[0]


def standard_information(record: Record, attributes: list[Attribute]) -> StandardInformation:
    """$STANDARD_INFORMATION; the short form of NTFS 1.2 is padded with zeros."""
    found = select(attributes, attribute.STANDARD_INFORMATION, "")
    if not found or found[0].value is None or len(found[0].value) < SHORT_SIZE:
        raise CorruptVolume(f"record {record.number}: no $STANDARD_INFORMATION of {SHORT_SIZE} bytes")
    return StandardInformation.unpack(found[0].value.ljust(StandardInformation.SIZE, b"\0"))


def stream_named(attributes: list[Attribute], name: str, case: dict[int, int]) -> Attribute | None:
    """A $DATA stream: the one with the exact name if there is one, else ignoring case."""
    found = select(attributes, attribute.DATA, name)
    if not found and name:
        folded = upcase.upper(name, case)
        found = [
            one
            for one in attributes
            if one.type_code == attribute.DATA and upcase.upper(one.name, case) == folded
        ]
    return found[0] if found else None
