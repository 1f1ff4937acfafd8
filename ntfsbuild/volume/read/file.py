"""One file of a volume: its records, its directory entries, and the contents of its streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.ondisk import attribute, file_name, file_record
from ntfsbuild.ondisk.file_record import reference
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.lznt1 import UNIT_CLUSTERS
from ntfsbuild.ondisk.reparse_tags import where_content_is
from ntfsbuild.ondisk.standard_information import StandardInformation
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.volume.arguments import size_of
from ntfsbuild.volume.read.catalog import Catalog, standard_information, stream_named
from ntfsbuild.volume.read.gathering import records_of, select
from ntfsbuild.volume.read.indexes import NameEntry, name_of_value
from ntfsbuild.volume.read.info import (
    DirectoryItem,
    FileDetails,
    FileInfo,
    described,
    listed,
    plain_info,
)
from ntfsbuild.volume.read.plain import PlainRecord
from ntfsbuild.volume.read.records import Attribute, Record
from ntfsbuild.volume.read.streams import StreamReader
from ntfsbuild.volume.read.traits import (
    EFS_NAME,
    Found,
    Sources,
    information_times,
    plain_traits,
    read_traits,
)
from ntfsbuild.volume.run_list import clusters_of, data_extents

if TYPE_CHECKING:
    from ntfsbuild.crypto import PrivateKey

_OBJECT_IDS = "$ObjId"
_PIECE_BYTES = 1 << 20
_RAW_UNIT_BYTES = 512  # Encrypted data.


class File:
    """One file or directory: its metadata, its streams and their content, read when they are needed.

    `path` is the path by which it was found.  `place` is the reference of that path's directory, and the
    name in it; `entry` is the directory entry, if it was already read.
    """

    __slots__ = (
        "_attributes",
        "_catalog",
        "_entry",
        "_information",
        "_place",
        "_plain",
        "_record",
        "path",
        "reference",
    )

    def __init__(
        self,
        catalog: Catalog,
        reference: int,
        path: str,
        place: tuple[int, str] | None = None,
        entry: NameEntry | None = None,
    ) -> None:
        self._catalog = catalog
        self.reference = reference
        self.path = path
        self._record: Record | None = None
        self._plain: PlainRecord | Literal[False] | None = False  # Not read yet.
        self._place = place
        self._entry = entry
        self._attributes: list[Attribute] | None = None
        self._information: StandardInformation | None = None

    @property
    def record(self) -> Record:
        """Its base record; raises CorruptVolume if the record now belongs to another file."""
        if self._record is None:
            self._record = self._catalog.referenced(self.reference)
        return self._record

    @property
    def number(self) -> int:
        """The number of its base record."""
        return self.reference & file_record.NUMBER_MASK

    @property
    def plain(self) -> PlainRecord | None:
        """Its record if it is a plain file and records are read ahead: the fast path of all questions."""
        if self._plain is False:
            self._plain = self._catalog.plain(self.reference)
        return self._plain

    @property
    def is_directory(self) -> bool:
        """Whether it has an `$I30` index."""
        return self.plain is None and self.record.is_directory

    @property
    def attributes(self) -> list[Attribute]:
        """Its NTFS attributes, with those in extension records."""
        if self._attributes is None:
            self._attributes = self._catalog.attributes(self.record)
        return self._attributes

    @property
    def information(self) -> StandardInformation:
        """Its $STANDARD_INFORMATION."""
        if self._information is None:
            self._information = standard_information(self.record, self.attributes)
        return self._information

    @property
    def reparse_tag(self) -> int:
        """The tag of its reparse point; 0 if there is none."""
        return reparse_tag_of(self.attributes, self._catalog.streams)

    @property
    def is_linked(self) -> bool:
        """Whether it is a file with several names; a short name counts."""
        return self.plain is None and self.record.link_count > 1 and not self.record.is_directory

    def info(self) -> FileInfo:
        """The metadata in its records, as plain data."""
        cluster_bytes = self._catalog.geometry.cluster_bytes
        plain = self.plain
        if plain is not None:
            return plain_info(self.path, plain, cluster_bytes)
        return described(
            self.path, self.record, self.attributes, self.information, self.reparse_tag, cluster_bytes
        )

    @property
    def item(self) -> DirectoryItem:
        """Its directory entry as plain data."""
        return listed(self.entry)

    def items(self, *, system: bool = False) -> list[DirectoryItem]:
        """The entries of a directory, in the order of its index, without DOS aliases and the root's `.`."""
        return [listed(entry) for entry in self.entries(system=system)]

    def entries(self, *, system: bool = False) -> list[NameEntry]:
        """The same as `NameEntry`; system files are included with `system` only."""
        if not self.record.is_directory:
            raise VolumeError(f"{self.path}: is not a directory")
        return [
            entry
            for entry in self._catalog.entries(self.record)
            if entry.namespace != file_name.DOS
            and (number := entry.reference & file_record.NUMBER_MASK) != file_record.ROOT
            and (system or number > file_record.LAST_RESERVED)
        ]

    # ------------------------------------------------------------------ traits

    def traits(self, faults: dict[str, str] | None = None) -> Traits:
        """Its metadata besides times and attributes, as stored on disk.

        Damage raises CorruptVolume, or is noted in `faults` by the name of the trait.
        """
        entry, plain = self.entry, self.plain
        if plain is not None:
            found_traits = plain_traits(plain, entry, self._catalog.descriptor_of)
            if found_traits is not None:
                return found_traits
        times = self._catalog.times_of_entry(self.number, entry, information_times(self.information))
        found = Found(self.record, self.attributes, self.information, entry, times)
        catalog = self._catalog
        sources = Sources(catalog.streams.read, catalog.descriptor_of, self._object_id_entry)
        return read_traits(found, sources, faults)

    def _object_id_entry(self, key: bytes) -> bytes | None:
        """The entry of an object id in $ObjId:$O."""
        catalog, path = self._catalog, f"/$Extend/{_OBJECT_IDS}"
        extend = catalog.record(file_record.EXTEND)
        try:
            found = catalog.look_up(reference(extend.number, extend.sequence), _OBJECT_IDS, path)
        except CorruptVolume:
            raise
        except VolumeError:  # $ObjId is optional.
            return None
        return catalog.view_data(found.reference & file_record.NUMBER_MASK, "$O", key)

    @property
    def entry(self) -> NameEntry:
        """The directory entry of the name by which it was found; the root is in its own index."""
        if self._entry is None:
            self._entry = self._found_entry()
        return self._entry

    def _found_entry(self) -> NameEntry:
        if self._place is not None:
            return self._catalog.look_up(*self._place, self.path)
        names = select(self.attributes, attribute.FILE_NAME, "")
        if not names or names[0].value is None:
            raise CorruptVolume(f"record {file_record.ROOT}: no $FILE_NAME")
        own = name_of_value(names[0].value, self.reference)
        return next((one for one in self._catalog.entries(self.record) if one.name == own.name), own)

    def details(self) -> FileDetails:
        """All metadata, raw; damage of a part is noted in `faults`."""
        info = self.info()
        faults: dict[str, str] = {}
        traits = self.traits(faults)
        entries = tuple(self._entry_for(info, number, faults) for number in range(len(info.names)))
        return FileDetails(
            info, traits, entries, *records_of(self.record, self._catalog.streams.read), faults
        )

    def _entry_for(self, info: FileInfo, number: int, faults: dict[str, str]) -> DirectoryItem | None:
        """The directory entry of one of its names; an error is noted."""
        name = info.names[number]
        try:
            above = reference(name.parent_record, name.parent_sequence)
            entry = self._catalog.look_up(above, name.name, f"record {name.parent_record}: {name.name}")
            if (entry.name, entry.reference) == (name.name, self.reference):
                return listed(entry)
            faults[f"names {number}"] = f"record {name.parent_record} has another file under this name"
        except VolumeError as error:
            faults[f"names {number}"] = str(error)
        return None

    # ------------------------------------------------------------------ content

    def stream(self, name: str = "") -> Attribute:
        """The attribute of a stream, found ignoring case; raises VolumeError if there is none."""
        if not name and self.plain is not None:
            return self.plain.data
        found = stream_named(self.attributes, name, self._catalog.case) if name else self._main()
        if found is None:
            if self.is_directory and not name:
                raise VolumeError(f"{self.path}: is a directory")
            raise VolumeError(f"{self.path}: it has no stream {name!r}")
        clusters = clusters_of(found.runs)
        most = min(clusters * self._catalog.geometry.cluster_bytes, SIZE_MAX)
        if found.value is None and found.data_bytes > most:
            raise CorruptVolume(f"record {self.number}: {found.data_bytes} bytes in {clusters} clusters")
        return found

    def _main(self) -> Attribute | None:
        found = select(self.attributes, attribute.DATA, "")
        return found[0] if found else None

    def pieces(self, stream: str = "", *, key: PrivateKey | bytes | None = None) -> Iterator[bytes]:
        """The content of a stream, in pieces; `stream` is empty for the unnamed data stream.

        `key` decrypts an encrypted stream: a private key, or the file key.
        """
        found = self.stream(stream)
        streams, cluster_bytes = self._catalog.streams, self._catalog.geometry.cluster_bytes
        if not stream:
            self.refuse_external()
        if key is None or not found.flags & attribute.ENCRYPTED or not found.size_bytes:
            return streams.pieces(found)
        from ntfsbuild.volume.read.encrypted import (
            file_key,
            plain_pieces,
        )  # Imported late: few files are encrypted.

        if isinstance(key, bytes):
            return plain_pieces(streams, found, cluster_bytes, key)
        efs = select(self.attributes, attribute.LOGGED_UTILITY_STREAM, EFS_NAME)
        if not efs:
            raise CorruptVolume(f"record {self.number}: it is encrypted and has no {EFS_NAME}")
        opened = file_key(streams.read(efs[0]), key, self.path)
        return plain_pieces(streams, found, cluster_bytes, opened)

    def read(self, stream: str = "", *, key: PrivateKey | bytes | None = None) -> bytes:
        """The whole content of a stream, in memory."""
        return b"".join(self.pieces(stream, key=key))

    def read_at(self, at: int, size_bytes: int, stream: str = "") -> bytes:
        """A part of a stream's content; holes and bytes behind its end are zeros."""
        at, size_bytes = size_of("at", at), size_of("size_bytes", size_bytes)
        found = self.stream(stream)
        if not stream:
            self.refuse_external()
        return self._catalog.streams.part(found, at, size_bytes)

    def part_reader(self, stream: str = "") -> Callable[[int, int], bytes]:
        """A function that reads a part of a stream, by offset and size; VolumeError if it is unreadable."""
        found, streams = self.stream(stream), self._catalog.streams
        if not stream:
            self.refuse_external()
        streams.refuse_encrypted(found)

        def read(at: int, size_bytes: int) -> bytes:
            return streams.part(found, at, size_bytes)

        return read

    def data_pieces(
        self, stream: str = "", *, key: PrivateKey | bytes | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The data of a stream with its offsets, without holes and uninitialized bytes."""
        plain = None if stream else self.plain
        if plain is not None:
            end = plain.valid_bytes
            if end <= _PIECE_BYTES:
                return iter(((0, self._catalog.streams.part(plain.data, 0, end)),) if end else ())
        return self._data_pieces(self.stream(stream), stream, key)

    def _data_pieces(
        self, found: Attribute, stream: str, key: PrivateKey | bytes | None
    ) -> Iterator[tuple[int, bytes]]:
        if found.value is not None or found.flags & attribute.ENCRYPTED:
            at = 0
            for piece in self.pieces(stream, key=key):
                yield at, piece
                at += len(piece)
            return
        if not stream:
            self.refuse_external()
        end = min(found.data_bytes, found.initialized_bytes)
        unit = UNIT_CLUSTERS if found.flags & attribute.COMPRESSION_MASK else 1
        for begin, after in data_extents(found.runs, self._catalog.geometry.cluster_bytes, end, unit):
            for at in range(begin, after, _PIECE_BYTES):
                yield at, self._catalog.streams.part(found, at, min(_PIECE_BYTES, after - at))

    def raw_pieces(self, stream: str = "") -> Iterator[bytes]:
        """The raw bytes of a stream's clusters, still compressed or encrypted, in pieces of 1 MiB."""
        return self._raw_pieces(self.stream(stream))

    def _raw_pieces(self, found: Attribute) -> Iterator[bytes]:
        if found.value is not None:
            yield found.value
            return
        mapped = clusters_of(found.runs) * self._catalog.geometry.cluster_bytes
        end = min(mapped, align(found.data_bytes, _RAW_UNIT_BYTES))
        for at in range(0, end, _PIECE_BYTES):
            yield self._catalog.streams.read_at(found, at, min(_PIECE_BYTES, end - at))

    def refuse_external(self) -> None:
        """Raise VolumeError if the content of the file is not in its unnamed stream."""
        if self.plain is not None:
            return
        tag = self.reparse_tag
        if tag and (why := where_content_is(tag, self.information.attributes)):
            raise VolumeError(f"{self.path}: {why}")


def reparse_tag_of(attributes: Sequence[Attribute], streams: StreamReader) -> int:
    """The tag of the reparse point among the attributes of a file; 0 if there is none."""
    found = select(attributes, attribute.REPARSE_POINT, "")
    return int.from_bytes(streams.part(found[0], 0, 4), "little") if found else 0
