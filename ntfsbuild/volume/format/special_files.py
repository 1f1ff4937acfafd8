"""Files and directories of a new volume that are more than a name, one stream and the usual metadata.

Their attributes are laid into as many records as they need, by the same rules as on a volume that is
changed.  What almost every file is goes another, faster way: see `new_volume`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from ntfsbuild.errors import ManifestError
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.file_record import reference, system_sequence
from ntfsbuild.ondisk.runs import Run
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import Traits
from ntfsbuild.volume.format.directory_builder import DirectoryBuilder
from ntfsbuild.volume.format.record_store import RecordStore
from ntfsbuild.volume.read.records import Attribute, parse_attribute
from ntfsbuild.volume.write import attributes as parts
from ntfsbuild.volume.write import record_layout
from ntfsbuild.volume.write.descriptors import view_entry
from ntfsbuild.volume.write.directories import by_numbers, key_of
from ntfsbuild.volume.write.index_writer import Index, IndexWriter, directory_index
from ntfsbuild.volume.write.record_layout import Layout
from ntfsbuild.volume.write.stream_maker import StreamMaker


class _OpenFile:
    """A file that gets more names: its record is written when all are known."""

    __slots__ = ("attributes", "bits", "listed", "main", "number", "times", "traits")

    def __init__(
        self,
        number: int,
        attributes: list[Attribute],
        main: Attribute | None,
        times: Ticks4,
        bits: int,
        traits: Traits,
    ) -> None:
        self.number = number
        self.attributes = attributes
        self.main = main
        self.listed: list[tuple[list[bytes], int]] = []  # Where its directories have its names.
        self.times = times
        self.bits = bits
        self.traits = traits

    def names(self) -> int:
        return sum(one.type_code == attribute.FILE_NAME for one in self.attributes)


class SpecialFiles:
    """The special files of one new volume."""

    def __init__(
        self,
        records: RecordStore,
        store: Callable[[bytes | bytearray], Sequence[Run]],
        cluster_bytes: int,
    ) -> None:
        self._records = records
        self._cluster_bytes = cluster_bytes
        self.streams = StreamMaker(store, cluster_bytes)
        # What nobody stores lies so far behind that its runs are as long as they can be.
        self._trying = StreamMaker(lambda data: [(1 << 40, -(-len(data) // cluster_bytes))], cluster_bytes)
        self._open: dict[str, _OpenFile] = {}
        self._object_ids: dict[bytes, bytes] = {}
        self._reparse_points: list[bytes] = []

    # ------------------------------------------------------------------ files

    def make_file(
        self,
        above: DirectoryBuilder,
        name: str,
        streams: Sequence[Attribute],
        times: Ticks4,
        attributes: int,
        security_id: int,
        traits: Traits,
        linked_path: str | None,
    ) -> int:
        """Create a file with its streams, the main one first; with a path it can be linked to."""
        number = self._records.next_number
        main = streams[0] if streams and not streams[0].name else None
        bits = attributes | parts.bits_of(traits, main.flags if main else 0, streams)
        made = [parts.information(times, bits, security_id, traits), *parts.trait_attributes(traits)]
        file = _OpenFile(number, [*made, *streams], main, times, bits, traits)
        self._index(traits, number)
        self._add_names(file, above, name, traits)
        if linked_path is not None:
            self._records.reserve()
            self._open[linked_path] = file
        else:
            self._append(file)
        return number

    def add_link(self, target: str, above: DirectoryBuilder, name: str, traits: Traits) -> None:
        """One more name, which is all that `traits` are about, for a file that can be linked to."""
        file = self._open.get(target)
        if file is None:
            raise ManifestError(f"{target}: no file was made there that can have another name")
        self._add_names(file, above, name, traits)

    def _add_names(self, file: _OpenFile, above: DirectoryBuilder, name: str, traits: Traits) -> None:
        """The $FILE_NAMEs of one name, and their entries in its directory."""
        parent = reference(above.record, system_sequence(above.record))
        sizes = parts.listed_sizes(file.main, self._cluster_bytes)
        packed = parts.tag_or_ea_bytes(file.attributes)
        new = parts.names_of(name, traits.short_name)
        if file.names() + len(new) > parts.MOST_NAMES:
            raise ManifestError(f"{name}: a file can have {parts.MOST_NAMES} names, short ones counted")
        for one, namespace in new:
            raw_name = one.encode("utf-16-le", "surrogatepass")

            def value(times: Ticks4, raw_name: bytes = raw_name, namespace: int = namespace) -> bytes:
                return parts.name_value(parent, times, sizes, file.bits, packed, raw_name, namespace)

            own = value(parts.chosen(file.times, traits.name_times))
            file.attributes.append(Attribute(attribute.FILE_NAME, "", 0, 0, own))
            file.listed.append((above.keys, len(above.keys)))
            above.keys.append(value(parts.chosen(file.times, traits.entry_times)))
            above.references.append(reference(file.number, 1))

    def _settle(self, file: _OpenFile) -> None:
        """Let the main stream leave the record now if it is to: the names say how much it takes there."""
        main = file.main
        if main is None or main.value is None:
            return
        tried = record_layout.lay_out(
            file.attributes,
            self._records.attribute_room,
            self._cluster_bytes,
            self._trying.leave_record,
            lambda place: reference(file.number + place, 1),
        )
        if any(one is main for one in tried.attributes):
            return
        file.main = self.streams.leave_record(main)
        sizes = struct.pack("<2Q", *parts.listed_sizes(file.main, self._cluster_bytes))
        for place, one in enumerate(file.attributes):
            if one is main:
                file.attributes[place] = file.main
            elif one.type_code == attribute.FILE_NAME and one.value is not None:
                file.attributes[place] = one._replace(value=_with_sizes(one.value, sizes))
        for keys, place in file.listed:
            keys[place] = _with_sizes(keys[place], sizes)

    def _append(self, file: _OpenFile) -> None:
        """Write a file whose records follow one another from the next number on."""
        self._settle(file)
        first = file.number

        def reference_of(place: int) -> int:
            return reference(first + place, 1)

        layout = self._laid_out(file.attributes, reference_of)
        for place, record in enumerate(self._packed(file.number, layout, file_record.IN_USE, reference_of)):
            assert self._records.next_number == first + place
            self._records.append_record(record)

    def finish_files(self) -> None:
        """Write the files that are still open: all names are known."""
        for file in self._open.values():
            self._settle(file)
            self._write_late(file.number, file.attributes, file_record.IN_USE)
        self._open.clear()

    # ------------------------------------------------------------------ directories

    def write_directory(
        self, directory: DirectoryBuilder, keys: Sequence[bytes], entries: list[bytes], indexes: IndexWriter
    ) -> None:
        """Write a directory with its own attributes, which its index has to leave room for."""
        base = self._of_directory(directory, keys, directory.attributes)
        made = self._with_index(directory, base, directory_index(entries), indexes, large=False)
        self._write_late(directory.record, made, file_record.IN_USE | file_record.IS_DIRECTORY)

    def root_record(self, root: DirectoryBuilder, key: bytes, index: Index, indexes: IndexWriter) -> bytes:
        """The root's record: it is found by its number, and all that it has must fit it."""
        base = self._of_directory(root, [key], root.attributes)
        made = self._with_index(root, base, index, indexes, large=True)
        leave = StreamMaker(indexes.store, self._cluster_bytes).leave_record  # It is laid out twice.
        layout = record_layout.lay_out(
            made, self._records.attribute_room, self._cluster_bytes, leave, _no_further_record
        )
        pieces = [piece.data for piece in layout.records[0]]
        return self._records.record(root.record, pieces, flags=file_record.IS_DIRECTORY)

    def _of_directory(self, directory: DirectoryBuilder, keys: Sequence[bytes], bits: int) -> list[Attribute]:
        traits, own_descriptor = directory.traits, directory.security_id == 0
        made = [parts.information(directory.times, bits, directory.security_id, traits)]
        if own_descriptor:
            made.append(Attribute(attribute.SECURITY_DESCRIPTOR, "", 0, 0, directory.descriptor))
        made += [Attribute(attribute.FILE_NAME, "", 0, 0, key) for key in keys]
        return [*made, *parts.trait_attributes(traits), *directory.streams]

    def _with_index(
        self,
        directory: DirectoryBuilder,
        base: list[Attribute],
        index: Index,
        indexes: IndexWriter,
        *,
        large: bool,
    ) -> list[Attribute]:
        packed = sum(len(record_layout.pack(one, self._cluster_bytes)) for one in base)
        room = max(0, self._records.attribute_room - packed)
        for data in indexes.attributes([index], room, large=large):
            one = parse_attribute(data)
            if one.type_code == attribute.INDEX_ROOT:
                one = one._replace(flags=directory.flags)
            base.append(one)
        return base

    def add_directory(self, directory: DirectoryBuilder) -> None:
        """Take note of what other indexes know a directory by."""
        self._index(directory.traits, directory.record)

    # ------------------------------------------------------------------ records

    def _laid_out(self, attributes: Sequence[Attribute], reference_of: Callable[[int], int]) -> Layout:
        return record_layout.lay_out(
            attributes,
            self._records.attribute_room,
            self._cluster_bytes,
            self.streams.leave_record,
            reference_of,
        )

    def _write_late(self, number: int, attributes: Sequence[Attribute], flags: int) -> None:
        """Write a file whose number was reserved; further records get numbers as they are needed."""
        references = [reference(number, system_sequence(number))]

        def reference_of(place: int) -> int:
            while len(references) <= place:
                references.append(reference(self._records.reserve(), 1))
            return references[place]

        layout = self._laid_out(attributes, reference_of)
        packed = self._packed(number, layout, flags, reference_of)
        for meant, record in zip(references, packed, strict=True):
            self._records.put_late(meant & file_record.NUMBER_MASK, record)

    def _packed(
        self, number: int, layout: Layout, flags: int, reference_of: Callable[[int], int]
    ) -> list[bytes]:
        base, *extensions = layout.records
        names = sum(piece.type_code == attribute.FILE_NAME for record in layout.records for piece in record)
        records = [self._records.record(number, [piece.data for piece in base], flags=flags, links=names)]
        for place, pieces in enumerate(extensions, 1):
            extension = reference_of(place) & file_record.NUMBER_MASK
            data = [piece.data for piece in pieces]
            records.append(self._records.record(extension, data, links=0, base_reference=reference_of(0)))
        return records

    # ------------------------------------------------------------------ indexes in $Extend

    def _index(self, traits: Traits, number: int) -> None:
        meant = reference(number, system_sequence(number))
        if traits.object_id:
            self.add_object_id(traits.object_id, meant)
        if traits.reparse:
            from ntfsbuild.ondisk.reparse_point import index_key  # Late, as below: few volumes have any.

            tag = int.from_bytes(traits.reparse[:4], "little")
            self._reparse_points.append(view_entry(index_key(tag, meant), b""))

    def add_object_id(self, value: bytes, meant: int) -> None:
        """File an object id; each can be there once."""
        from ntfsbuild.ondisk import object_id

        key, data = object_id.index_entry(value, meant)
        if key in self._object_ids:
            raise ManifestError("another file of the volume has this object id")
        self._object_ids[key] = view_entry(key, data)

    def object_id_entries(self) -> list[bytes]:
        """The entries of $ObjId:$O."""
        return sorted(self._object_ids.values(), key=lambda entry: by_numbers(key_of(entry)))

    def reparse_entries(self) -> list[bytes]:
        """The entries of $Reparse:$R."""
        return sorted(self._reparse_points, key=lambda entry: by_numbers(key_of(entry)))


def _with_sizes(name: bytes, sizes: bytes) -> bytes:
    """A $FILE_NAME with other sizes of the main stream."""
    at = FileName.offset_of("allocated_bytes")
    return name[:at] + sizes + name[at + len(sizes) :]


def _no_further_record(place: int) -> int:
    raise ManifestError("the root directory has more streams or metadata than its record can hold")


def names_in_parent(directory: DirectoryBuilder) -> list[tuple[str, int]]:
    """The names of a directory in the one above, each with its namespace."""
    return parts.names_of(directory.name, directory.traits.short_name)
