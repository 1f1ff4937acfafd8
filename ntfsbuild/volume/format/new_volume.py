"""A volume made from nothing: formatted, filled, and written at `commit`.

The layout, in ascending order: $Boot, $MFTMirr, $UpCase, $AttrDef, $MFT, the files' data as it comes,
then at commit the directories' index blocks, $Secure, the MFT bitmap, the root's index blocks, $LogFile
and $Bitmap.  What depends on the size of the volume comes last, so that the smallest one needs no second
pass.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ntfsbuild.errors import ManifestError, NoRoom
from ntfsbuild.image.raw import BoundedStorage, NoStorage, Storage
from ntfsbuild.ondisk import attribute, file_name, file_record, names, security
from ntfsbuild.ondisk.attribute import NonResidentHeader, ResidentHeader
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import FileName
from ntfsbuild.ondisk.file_record import END_MARKER, reference, system_sequence
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.names import MAX_NAME_UNITS
from ntfsbuild.ondisk.runs import encode_run
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4
from ntfsbuild.ondisk.traits import NO_TRAITS, Form, SomeTicks, Traits
from ntfsbuild.volume.format.cluster_writer import ClusterWriter
from ntfsbuild.volume.format.directory_builder import DirectoryBuilder
from ntfsbuild.volume.format.file_space import FileSpace
from ntfsbuild.volume.format.options import FormatOptions
from ntfsbuild.volume.format.path_cache import PathCache
from ntfsbuild.volume.format.record_store import RecordStore
from ntfsbuild.volume.format.size import Space, Tail, fitting, smallest, tail_of
from ntfsbuild.volume.format.special_files import SpecialFiles, names_in_parent
from ntfsbuild.volume.format.system_files import (
    SYSTEM_ATTRIBUTES,
    ExtendViews,
    SystemFiles,
    standard_information,
)
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write import attributes as parts
from ntfsbuild.volume.write.descriptors import DescriptorStore
from ntfsbuild.volume.write.index_writer import IndexWriter, directory_index
from ntfsbuild.volume.write.inherited_security import Heritage
from ntfsbuild.volume.write.stream_maker import FLAGS, StreamMaker

_DIRECTORY_INDEX = int(FileAttributes.DIRECTORY_INDEX)
_FIRST_SEQUENCE = reference(0, 1)
_FILE_INSTANCES = 3  # $STANDARD_INFORMATION, $FILE_NAME, $DATA: 0, 1, 2.
_PADDING = [bytes(k) for k in range(8)]

_name_head = struct.Struct("<5Q")
_name_tail = struct.Struct("<QQIIBB")
assert _name_head.size + _name_tail.size == FileName.SIZE


class NewVolume:
    """The writer of fresh volumes.  Directories are made before what lies in them."""

    def __init__(self, storage: Storage, options: FormatOptions) -> None:
        self._options = options
        limit = options.geometry()
        self._storage = storage if limit is None else BoundedStorage(storage, limit.size_bytes)
        self._space = Space(options.cluster_bytes)
        self._system = SystemFiles(self._storage, self._space, options)
        self._records = RecordStore(
            self._storage,
            self._space,
            options.record_bytes,
            file_record.FIRST_USER + options.expected_records,
        )
        self._records.reserve(file_record.FIRST_USER)
        self._clusters = ClusterWriter(self._storage, self._space)
        self._clusters.flush()
        self._descriptors = DescriptorStore()
        for descriptor in (security.SYSTEM_READ, security.SYSTEM_READ_WRITE):
            self._descriptors.id_of(descriptor)
        for descriptor in (security.DEFAULT_DIRECTORY, security.DEFAULT_FILE):
            self._descriptors.id_of(descriptor)
        self._heritage = Heritage()
        self._special = SpecialFiles(self._records, self._clusters.put_runs, options.cluster_bytes)
        self._root = DirectoryBuilder(
            file_record.ROOT, file_record.ROOT, ".", options.times, SYSTEM_ATTRIBUTES, False
        )
        self._secure_directory(self._root, security.ROOT)
        self._directories = {file_record.ROOT: self._root}
        self._paths = PathCache(self._directories)
        self._prepare_layouts()

    # ------------------------------------------------------------------ directories

    def set_root(
        self,
        times: Ticks4,
        attributes: int,
        posix_names: bool,
        traits: Traits = NO_TRAITS,
        streams: Sequence[Attribute] = (),
        form: Form = "plain",
    ) -> None:
        """The root's own metadata."""
        root = self._root
        root.times = times
        root.attributes = attributes
        root.posix_names = posix_names
        if traits.security is not None:
            from ntfsbuild.ondisk import security_inheritance

            self._secure_directory(root, security_inheritance.of_root(traits.security))
        self._describe(root, traits, streams, form)
        self._prepare_siblings(file_record.ROOT, times, 0)

    def make_directory(
        self,
        parent: int,
        name: str,
        times: Ticks4,
        attributes: int,
        posix_names: bool = False,
        traits: Traits = NO_TRAITS,
        streams: Sequence[Attribute] = (),
        form: Form = "plain",
    ) -> int:
        """Create an empty directory in the directory with record number `parent`; returns its own."""
        above = self._directories[parent]
        number = self._records.reserve()
        directory = DirectoryBuilder(number, parent, name, times, attributes, posix_names)
        explicit = traits.security
        self._secure_directory(
            directory, self._heritage.descriptor(above.descriptor, explicit, directory=True)
        )
        self._describe(directory, traits, streams, form)
        self._directories[number] = directory
        above.subdirectories[name] = number
        for one, namespace in names_in_parent(directory):
            above.keys.append(self._directory_key(directory, one, namespace, traits.entry_times))
            above.references.append(reference(number, system_sequence(number)))
        return number

    def _secure_directory(self, directory: DirectoryBuilder, descriptor: bytes) -> None:
        """Give it a descriptor, and find out which one a file in it has that says nothing of its own."""
        directory.descriptor = descriptor
        handed_down = self._heritage.descriptor(descriptor, None, directory=False)
        directory.file_security_id = self._descriptors.id_of(handed_down)
        if directory.record != file_record.ROOT:
            directory.security_id = self._descriptors.id_of(descriptor)

    def _describe(
        self, directory: DirectoryBuilder, traits: Traits, streams: Sequence[Attribute], form: Form
    ) -> None:
        directory.traits, directory.streams, directory.flags = traits, streams, FLAGS[form]
        if not directory.is_plain:
            directory.attributes |= parts.bits_of(traits, directory.flags, streams)
            self._special.add_directory(directory)

    def find_directory(self, path: str) -> int:
        """The record number of the directory at `path`, which begins with `/`; cached."""
        return self._paths.find(path)

    def _directory_key(
        self, directory: DirectoryBuilder, name: str, namespace: int, own_times: SomeTicks | None
    ) -> bytes:
        raw_name = _encode_name(name)
        parent = reference(directory.parent, system_sequence(directory.parent))
        attributes = directory.attributes | _DIRECTORY_INDEX
        times = parts.chosen(directory.times, own_times)
        packed = 0 if directory.is_plain else parts.tag_or_ea_bytes(parts.trait_attributes(directory.traits))
        return parts.name_value(parent, times, (0, 0), attributes, packed, raw_name, namespace)

    # ------------------------------------------------------------------ files

    def _prepare_layouts(self) -> None:
        """Everything about a file's record that depends on lengths alone, made once."""
        room = self._records.attribute_room
        information_bytes = ResidentHeader.SIZE + StandardInformation.SIZE
        self._name_attribute_heads: list[bytes] = []
        self._name_attribute_padding: list[bytes] = []
        self._resident_room: list[int] = []
        for name_bytes in range(2 * MAX_NAME_UNITS + 1):
            key_bytes = FileName.SIZE + name_bytes
            whole = attribute.resident(attribute.FILE_NAME, bytes(key_bytes), instance=1, indexed=True)
            self._name_attribute_heads.append(whole[: ResidentHeader.SIZE])
            self._name_attribute_padding.append(bytes(len(whole) - ResidentHeader.SIZE - key_bytes))
            self._resident_room.append(room - information_bytes - len(whole) - ResidentHeader.SIZE)
        self._data_heads = [
            attribute.resident(attribute.DATA, bytes(size), instance=2)[: ResidentHeader.SIZE]
            for size in range(self._resident_room[0] + 1)
        ]
        self._prepare_siblings(file_record.ROOT, self._options.times, 0)

    def make_file(self, parent: int, name: str, data: bytes, times: Ticks4, attributes: int) -> int:
        """Create a file with its whole content; returns its record number."""
        raw_name = _encode_name(name)
        if len(data) <= self._resident_room[len(raw_name)]:
            return self._make_resident(parent, raw_name, data, times, attributes)
        run = self._clusters.put(data)
        return self._make_non_resident(parent, raw_name, len(data), run, times, attributes)

    def landing(self) -> memoryview:
        """Memory for the content of the next file; see `make_landed_file`."""
        return self._clusters.landing()

    def make_landed_file(
        self, parent: int, name: str, landing: memoryview, size_bytes: int, times: Ticks4, attributes: int
    ) -> int:
        """Create a file whose content was put into `landing()`; returns its record number."""
        raw_name = _encode_name(name)
        if size_bytes <= self._resident_room[len(raw_name)]:
            return self._make_resident(parent, raw_name, bytes(landing[:size_bytes]), times, attributes)
        run = self._clusters.take(size_bytes)
        return self._make_non_resident(parent, raw_name, size_bytes, run, times, attributes)

    def take_space(self, size_bytes: int) -> FileSpace:
        """Clusters for a stream that its owner will write himself; see `make_spaced_file`."""
        self._clusters.flush()
        run = self._space.take_bytes(size_bytes)
        return FileSpace(self._storage, run, size_bytes, self._space.cluster_bytes)

    def make_spaced_file(
        self, parent: int, name: str, space: FileSpace, times: Ticks4, attributes: int
    ) -> int:
        """Create a file whose content was written to `space`; returns its record number."""
        raw_name = _encode_name(name)
        run = space.lcn, space.clusters
        return self._make_non_resident(parent, raw_name, space.size_bytes, run, times, attributes)

    def make_special_file(
        self,
        parent: int,
        name: str,
        streams: Sequence[Attribute],
        times: Ticks4,
        attributes: int,
        traits: Traits,
        linked_path: str | None = None,
    ) -> int:
        """Create a file of any streams and traits; its path is said where it will get more names."""
        _encode_name(name)
        above = self._directories[parent]
        security_id = above.file_security_id
        if traits.security is not None:
            descriptor = self._heritage.descriptor(above.descriptor, traits.security, directory=False)
            security_id = self._descriptors.id_of(descriptor)
        return self._special.make_file(
            above, name, streams, times, attributes, security_id, traits, linked_path
        )

    def add_link(self, target: str, parent: int, name: str, traits: Traits) -> None:
        """Give a file that was made with its path one more name."""
        _encode_name(name)
        self._special.add_link(target, self._directories[parent], name, traits)

    @property
    def cluster_bytes(self) -> int:
        """The size of a cluster."""
        return self._space.cluster_bytes

    @property
    def maker(self) -> StreamMaker:
        """Makes the streams of special files."""
        return self._special.streams

    def _make_resident(
        self, parent: int, raw_name: bytes, data: bytes, times: Ticks4, attributes: int
    ) -> int:
        size = len(data)
        padding = _PADDING[-size & 7]
        data_attribute = self._data_heads[size] + data + padding
        return self._add_file(parent, raw_name, size, size + len(padding), data_attribute, times, attributes)

    def _make_non_resident(
        self, parent: int, raw_name: bytes, size: int, run: tuple[int, int], times: Ticks4, attributes: int
    ) -> int:
        lcn, clusters = run
        mapping = encode_run(lcn, clusters)
        allocated = clusters * self._space.cluster_bytes
        length = align(NonResidentHeader.SIZE + len(mapping), 8)
        data_attribute = (
            NonResidentHeader.LAYOUT.pack(
                attribute.DATA,
                length,
                1,
                0,
                NonResidentHeader.SIZE,
                0,
                2,
                0,
                clusters - 1,
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
        return self._add_file(parent, raw_name, size, allocated, data_attribute, times, attributes)

    def _prepare_siblings(self, parent: int, times: Ticks4, attributes: int) -> None:
        """What files in one directory, with the same times and attributes, have in common."""
        self._parent = self._directories[parent]
        self._times, self._attributes = times, attributes
        self._name_head = _name_head.pack(reference(parent, system_sequence(parent)), *times)
        self._information = standard_information(times, attributes, self._parent.file_security_id)

    def _add_file(
        self,
        parent: int,
        raw_name: bytes,
        size: int,
        allocated: int,
        data_attribute: bytes,
        times: Ticks4,
        attributes: int,
    ) -> int:
        """Pack the record and the index key of a file; the hottest function there is."""
        if times is not self._times or attributes != self._attributes or parent != self._parent.record:
            self._prepare_siblings(parent, times, attributes)
        name_bytes = len(raw_name)
        key = (
            self._name_head
            + _name_tail.pack(allocated, size, attributes, 0, name_bytes >> 1, file_name.POSIX)
            + raw_name
        )
        body = (
            self._information
            + self._name_attribute_heads[name_bytes]
            + key
            + self._name_attribute_padding[name_bytes]
            + data_attribute
            + END_MARKER
        )
        number = self._records.append(body, _FILE_INSTANCES)
        self._parent.keys.append(key)
        self._parent.references.append(_FIRST_SEQUENCE | number)
        return number

    # ------------------------------------------------------------------ commit

    def commit(self) -> Geometry:
        """Write everything that is still in memory; raises NoRoom where the volume is too small."""
        indexes = IndexWriter(self._clusters.put_runs, self._space.cluster_bytes)
        self._special.finish_files()
        for directory in self._directories.values():
            if directory is not self._root:
                self._write_directory(directory, indexes)
        self._clusters.flush()
        system, records = self._system, self._records
        system.write_secure(self._descriptors, records, indexes)
        if self._options.object_id:
            volume = reference(file_record.VOLUME, system_sequence(file_record.VOLUME))
            self._special.add_object_id(self._options.object_id, volume)
        views = ExtendViews(self._special.object_id_entries(), self._special.reparse_entries())
        system.write_extend(records, indexes, views)
        system.take_mft_bitmap(records)
        tail = self._find_tail()
        geometry = self._options.geometry() or self._options.geometry_of(tail.clusters)
        records.put_late(file_record.ROOT, self._root_record(indexes, tail))
        self._clusters.flush()
        system.write_tail(tail)
        system.write_records(records, tail)
        records.finish()
        system.finish(records, geometry)
        return geometry

    def _find_tail(self) -> Tail:
        """How many clusters the volume has; raises NoRoom where they are too few."""
        cluster_bytes = self._space.cluster_bytes
        # The root's index lists the sizes of $LogFile and $Bitmap, and its own size matters for theirs:
        # it is packed once for its size alone.
        scratch = Space(cluster_bytes)
        nowhere = ClusterWriter(NoStorage(), scratch)
        self._root_record(IndexWriter(nowhere.put_runs, cluster_bytes), tail_of(1, cluster_bytes))
        used = self._space.next_lcn + scratch.next_lcn
        options = self._options
        limit = options.geometry()
        if limit is None:
            tail = smallest(used, cluster_bytes, options.extra_bytes, options.extra_percent)
            if problem := options.problem_of(options.geometry_of(tail.clusters)):
                raise ManifestError(problem)
            return tail
        least = smallest(used, cluster_bytes)
        if limit.cluster_count >= least.clusters:
            return fitting(used, limit.cluster_count, cluster_bytes)
        needed = options.geometry_of(least.clusters).size_bytes
        missing = needed - limit.size_bytes
        raise NoRoom(
            f"{limit.size_bytes} bytes are too few by {missing}: the smallest volume that holds all this "
            f"has {needed} bytes",
            missing,
        )

    def _root_record(self, indexes: IndexWriter, tail: Tail) -> bytes:
        """The root's record, its index written: it lists the system files and itself besides its own."""
        root, records = self._root, self._records
        key = self._root_key(root.traits.entry_times)
        own = [(file.key(self._options.times), file.record) for file in self._system.in_root(tail)]
        own.append((key, file_record.ROOT))
        entries = root.sorted_root_entries(
            [(one, reference(number, system_sequence(number))) for one, number in own]
        )
        index = directory_index(entries)
        if not root.is_plain:
            return self._special.root_record(root, self._root_key(root.traits.name_times), index, indexes)
        base = [
            standard_information(root.times, root.attributes, 0),
            attribute.resident(attribute.FILE_NAME, key, indexed=True),
            attribute.resident(attribute.SECURITY_DESCRIPTOR, root.descriptor),
        ]
        room = records.attribute_room - sum(map(len, base))
        attributes = base + indexes.attributes([index], room, large=True)
        return records.record(file_record.ROOT, attributes, flags=file_record.IS_DIRECTORY)

    def _root_key(self, own_times: SomeTicks | None) -> bytes:
        return self._directory_key(self._root, ".", file_name.WIN32_AND_DOS, own_times)

    def _write_directory(self, directory: DirectoryBuilder, indexes: IndexWriter) -> None:
        entries = directory.sorted_entries(lambda: self._path_of(directory))
        if directory.is_plain:
            key = self._directory_key(directory, directory.name, file_name.POSIX, None)
            base = [
                standard_information(directory.times, directory.attributes, directory.security_id),
                attribute.resident(attribute.FILE_NAME, key, indexed=True),
            ]
            room = self._records.attribute_room - sum(map(len, base))
            attributes = base + indexes.attributes([directory_index(entries)], room)
            record = self._records.record(directory.record, attributes, flags=file_record.IS_DIRECTORY)
            self._records.put_late(directory.record, record)
        else:
            own_times = directory.traits.name_times
            keys = [self._directory_key(directory, *one, own_times) for one in names_in_parent(directory)]
            self._special.write_directory(directory, keys, entries, indexes)
        directory.forget_entries()

    def _path_of(self, directory: DirectoryBuilder) -> str:
        names: list[str] = []
        while directory is not self._root:
            names.append(directory.name)
            directory = self._directories[directory.parent]
        return "/" + "/".join(reversed(names))


def _encode_name(name: str) -> bytes:
    raw_name = name.encode("utf-16-le", "surrogatepass")
    if not 0 < len(raw_name) <= 2 * MAX_NAME_UNITS:
        raise ManifestError(f"{name!r}: {names.what_is_wrong(name, posix=True)}")
    return raw_name
