"""Locates records on the volume, and finds the owner of a cluster."""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import attribute, file_name, file_record
from ntfsbuild.volume.read.catalog import Catalog
from ntfsbuild.volume.read.indexes import name_of_value
from ntfsbuild.volume.read.records import Attribute, Record
from ntfsbuild.volume.run_list import extents

_MOST_LEVELS = 4096
_PIECE_BYTES = 1 << 20


class Owner(NamedTuple):
    """The owner of a cluster: the record of the file, the piece of an attribute, the VCN in it."""

    record: int
    attribute: Attribute
    vcn: int


class Locator:
    """Answers questions about locations; each of them may read the whole $MFT."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._storage, self._streams, self._mft = catalog.storage, catalog.streams, catalog.mft
        self._record = catalog.record
        self.geometry = catalog.geometry
        self.index_block_bytes = catalog.index_block_bytes
        self.record_count = self._mft.data_bytes // self.geometry.record_bytes

    def bytes_at(self, at: int, size_bytes: int) -> bytes:
        """Raw bytes of the volume."""
        return self._storage.read(at, size_bytes)

    def raw_record(self, number: int) -> bytes:
        """The raw bytes of a record in $MFT."""
        size = self.geometry.record_bytes
        return self._streams.read_at(self._mft, number * size, size)

    def record(self, number: int) -> Record:
        """A parsed record."""
        return self._record(number)

    def offset_of_record(self, number: int) -> int:
        """The offset of a record on the volume."""
        size = self.geometry.record_bytes
        found = extents(self._mft.runs, self.geometry.cluster_bytes, number * size, size)
        place, _ = next(found, (None, 0))
        if place is None:
            raise CorruptVolume(f"record {number}: $MFT has no cluster for it")
        return place

    def record_at(self, at: int) -> int | None:
        """The number of the record that contains a byte of the volume; None if there is none."""
        before = 0
        for lcn, clusters in self._mft.runs:
            size = clusters * self.geometry.cluster_bytes
            begin = (lcn or 0) * self.geometry.cluster_bytes
            if lcn is not None and begin <= at < begin + size:
                number = (before + at - begin) // self.geometry.record_bytes
                return number if number < self.record_count else None
            before += size
        return None

    def unlisted(self, listed: Container[int]) -> Iterator[int]:
        """The base records in use, system files excepted, that are not among the listed ones."""
        size = self.geometry.record_bytes
        heads = struct.Struct(f"<4s18xH8xQ{size - 0x28}x")
        per_piece = _PIECE_BYTES // size
        for first in range(0, self.record_count, per_piece):
            count = min(per_piece, self.record_count - first)
            piece = self._streams.read_at(self._mft, first * size, count * size)
            for number, (magic, flags, base) in enumerate(heads.iter_unpack(piece), first):
                # Almost all are listed: only the others are taken apart.
                if not flags & file_record.IN_USE or base or number in listed:
                    continue
                is_file = magic == file_record.MAGIC and number >= file_record.FIRST_FREE
                if is_file and self._is_sound(number):
                    yield number

    def _is_sound(self, number: int) -> bool:
        try:
            return self._record(number).in_use
        except CorruptVolume:
            return False

    def owner_of(self, lcn: int) -> Owner | None:
        """The owner of a cluster; None if it is free, or if no file has it."""
        for record in self._records():
            base = record.base_reference & file_record.NUMBER_MASK
            for one in record.attributes:
                vcn = one.lowest_vcn
                for first, count in one.runs:
                    if first is not None and first <= lcn < first + count:
                        return Owner(base or record.number, one, vcn + lcn - first)
                    vcn += count
        return None

    def _records(self) -> Iterator[Record]:
        for number in range(self.record_count):
            try:
                record = self._record(number)
            except CorruptVolume:
                continue
            if record.in_use:
                yield record

    def records_of(self, number: int) -> list[int]:
        """The records of a file, its base record first."""
        return [number] + [
            one.number
            for one in self._records()
            if one.base_reference & file_record.NUMBER_MASK == number and one.base_reference
        ]

    def path_of(self, number: int) -> str | None:
        """A path of a file, from the names in the records; None if there is none."""
        parts: list[str] = []
        while number != file_record.ROOT and len(parts) < _MOST_LEVELS:
            found = self._name_of(number)
            if found is None:
                return None
            name, number = found
            parts.append(name)
        return "/" + "/".join(reversed(parts))

    def _name_of(self, number: int) -> tuple[str, int] | None:
        try:
            record = self._record(number)
            if record.base_reference:  # An extension record: the name is in the base record.
                record = self._record(record.base_reference & file_record.NUMBER_MASK)
            for one in record.attributes:
                if one.type_code == attribute.FILE_NAME and one.value is not None:
                    found = name_of_value(one.value)
                    if found.namespace != file_name.DOS:
                        return found.name, found.parent_reference & file_record.NUMBER_MASK
        except CorruptVolume:
            pass
        return None
