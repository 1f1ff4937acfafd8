"""Makes a new volume: an empty transaction on new clusters, and its commit.

The layout, in ascending order: $Boot, $MFTMirr, $UpCase, $AttrDef, $MFT, the files' data in the order of
writing, then at commit the directories' index blocks, $Secure, the MFT bitmap, the root's index blocks,
$LogFile and $Bitmap.  Structures that depend on the size of the volume come last, so that the smallest
volume needs no second pass.
"""

from __future__ import annotations

from collections.abc import Sequence

from ntfsbuild.errors import ManifestError, NoRoom
from ntfsbuild.image.raw import BoundedStorage, Storage
from ntfsbuild.ondisk import attribute, file_name, file_record, security
from ntfsbuild.ondisk.file_record import IN_USE, IS_DIRECTORY, reference, system_sequence
from ntfsbuild.ondisk.index import COLLATE_SECURITY_HASH, COLLATE_SID, COLLATE_ULONG, COLLATE_ULONGS
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import NO_TRAITS, Form, Traits
from ntfsbuild.volume.format import quota
from ntfsbuild.volume.format.options import FormatOptions
from ntfsbuild.volume.format.size import Tail, fitting, smallest, tail_of
from ntfsbuild.volume.format.system_files import (
    EXTEND,
    OBJECT_IDS,
    QUOTA,
    REPARSE_POINTS,
    SECURE,
    SYSTEM_ATTRIBUTES,
    SystemFile,
    SystemFiles,
)
from ntfsbuild.volume.geometry import MOST_CLUSTERS, Geometry
from ntfsbuild.volume.read.catalog import INDEX_NAME
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.security import BY_ID, STREAM
from ntfsbuild.volume.write import index_builder, record_layout
from ntfsbuild.volume.write.attributes import information
from ntfsbuild.volume.write.clusters import NewClusters
from ntfsbuild.volume.write.commit import Commit
from ntfsbuild.volume.write.directories import Directory, ViewIndex, by_numbers
from ntfsbuild.volume.write.file_names import file_name_of
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.mft import Growth
from ntfsbuild.volume.write.secure import BY_HASH
from ntfsbuild.volume.write.stream_maker import StreamMaker
from ntfsbuild.volume.write.transaction import Transaction
from ntfsbuild.volume.write.write_buffer import WriteBuffer
from ntfsbuild.volume.write.writer import Writer, empty_index_root, named_ticks

_GROW_BYTES = 64 << 10
_ROOT_NAME = ".".encode("utf-16-le")


class Formatter:
    """Makes one volume; `writer` makes its files, directories before their entries."""

    def __init__(self, storage: Storage, options: FormatOptions) -> None:
        self._options = options
        limit = options.geometry()
        buffer = WriteBuffer(BoundedStorage(storage, None if limit is None else limit.size_bytes))
        self._clusters = NewClusters(options.cluster_bytes)
        self._system = SystemFiles(buffer, self._clusters, options)
        mft = self._system.state_of(
            SystemFile(file_record.MFT, "$MFT"),
            [_empty_stream(""), Attribute(attribute.BITMAP, "", 0, 0, b"")],
        )
        # Until the size of the volume is known, it is as large as can be.
        geometry = limit or options.geometry_of(MOST_CLUSTERS)
        growth = Growth(records=_GROW_BYTES // options.record_bytes, is_new=True)
        self._transaction = Transaction(buffer, geometry, self._clusters, mft, None, growth)
        records = self._transaction.mft_file
        records.grow_to(file_record.FIRST_USER + options.expected_records)
        records.reserve(0, file_record.FIRST_FREE)
        records.reserve(file_record.QUOTA, file_record.FIRST_USER)
        self._load_secure()
        self._load_extend()
        self._load_root()
        self.writer = Writer(self._transaction)
        for descriptor in (
            security.SYSTEM_READ,
            security.SYSTEM_READ_WRITE,
            security.DEFAULT_DIRECTORY,
            security.DEFAULT_FILE,
        ):
            self.writer.secure.id_of(descriptor)
        self._commit = Commit(self._transaction)
        self._root_traits = NO_TRAITS

    # ------------------------------------------------------------------ the first structures

    def _load(self, state: FileState) -> FileState:
        self._transaction.states[state.number] = state
        return state

    def _empty_view(self, name: str, collation: int) -> Attribute:
        empty = index_builder.pack_small([])
        value = index_builder.root_value(empty, 0, collation, self._options.cluster_bytes)
        return Attribute(attribute.INDEX_ROOT, name, 0, 0, value)

    def _load_views(self, number: int, views: dict[str, Sequence[bytes]]) -> None:
        for name, entries in views.items():
            view = ViewIndex(entries, by_numbers)
            view.changed = True
            self._transaction.views[number, name] = view

    def _load_secure(self) -> None:
        roots = [
            self._empty_view(BY_HASH, COLLATE_SECURITY_HASH),
            self._empty_view(BY_ID, COLLATE_ULONG),
        ]
        flags = file_record.HAS_VIEW_INDEX
        self._load(self._system.state_of(SECURE, [_empty_stream(STREAM), *roots], flags))
        self._load_views(file_record.SECURE, {BY_HASH: (), BY_ID: ()})

    def _load_extend(self) -> None:
        roots = {
            QUOTA.record: [self._empty_view("$O", COLLATE_SID), self._empty_view("$Q", COLLATE_ULONG)],
            OBJECT_IDS.record: [self._empty_view("$O", COLLATE_ULONGS)],
            REPARSE_POINTS.record: [self._empty_view("$R", COLLATE_ULONGS)],
        }
        for state in self._system.states_in_extend(roots):
            self._load(state)
        owners = quota.entries_by_owner(self._options.times[0])
        self._load_views(QUOTA.record, {"$O": quota.entries_by_sid(), "$Q": owners})
        self._load_views(OBJECT_IDS.record, {"$O": ()})
        self._load_views(REPARSE_POINTS.record, {"$R": ()})
        extend = self._load(
            self._system.state_of(EXTEND, [empty_index_root(self._options.cluster_bytes)], IS_DIRECTORY)
        )
        self._list_system(extend, (OBJECT_IDS, QUOTA, REPARSE_POINTS))

    def _list_system(self, directory: FileState, files: Sequence[SystemFile]) -> Directory:
        """A directory that lists these files; their names are not checked."""
        entries = self._transaction.add_directory(directory)
        for file in files:
            meant = reference(file.record, system_sequence(file.record))
            entries.put(file.key(self._options.times), meant)
        entries.settle()
        entries.changed = True
        return entries

    def _load_root(self) -> None:
        options = self._options
        root = FileState(
            file_record.ROOT,
            file_record.ROOT,
            IN_USE | IS_DIRECTORY,
            [
                information(options.times, SYSTEM_ATTRIBUTES, 0),
                Attribute(attribute.SECURITY_DESCRIPTOR, "", 0, 0, security.ROOT),
                empty_index_root(options.cluster_bytes),
            ],
        )
        root.keeps_times = True
        self._load(root)
        files = self._system.in_root(tail_of(1, options.cluster_bytes), self._transaction.mft)
        own = SystemFile(file_record.ROOT, ".")
        self._list_system(root, [*files, own])

    def set_root(
        self,
        times: Ticks4,
        file_attributes: int,
        posix_names: bool,
        traits: Traits = NO_TRAITS,
        streams: Sequence[Attribute] = (),
        form: Form = "plain",
    ) -> None:
        """Set the root's own metadata, before files are made in it."""
        transaction, writer = self._transaction, self.writer
        root = transaction.state(file_record.ROOT)
        entries = transaction.directories[file_record.ROOT]
        root.change_information({"attributes": file_attributes, **named_ticks(times)})
        entries.posix_names = posix_names
        if traits.security is not None:
            from ntfsbuild.ondisk import security_inheritance  # Imported late: few manifests say it.

            own = security_inheritance.of_root(traits.security)
            transaction.stream_writer.replace_value(root, attribute.SECURITY_DESCRIPTOR, "", own)
        entries.file_security_id = writer.secure.id_in(root, None, directory=False)
        if traits is NO_TRAITS and not streams and form == "plain":
            return
        writer.traits.lengthen(root)
        writer.traits.apply_to_new(root, traits)
        for one in streams:
            root.put(one)
        writer.forms.set_inherited_form(root, form)
        writer.traits.derive_attribute_bits(root)
        self._root_traits = traits

    # ------------------------------------------------------------------ the end

    def commit(self) -> Geometry:
        """Write everything that is still in memory; raises NoRoom if the volume is too small."""
        transaction, writer, commit = self._transaction, self.writer, self._commit
        writer.plain_files.settle()
        commit.lay_out_files()
        commit.pack_directories()
        writer.secure.settle()
        commit.pack_views([file_record.SECURE])
        self._load(self._system.volume_state())
        if self._options.object_id:
            writer.set_volume_object_id(self._options.object_id)
        commit.pack_directory(file_record.EXTEND)
        commit.pack_views([OBJECT_IDS.record, QUOTA.record, REPARSE_POINTS.record])
        self._write_mft_bitmap()
        root = transaction.state(file_record.ROOT)
        self._name_root(root)
        tail = self._find_tail(root)
        geometry = self._options.geometry() or self._options.geometry_of(tail.clusters)
        self._list_sizes(tail)
        commit.pack_directory(file_record.ROOT, large=True)
        commit.lay_out(root)
        if root.extensions:
            raise ManifestError("the root directory has more streams or metadata than its record can hold")
        self._system.write_tail(tail)
        for state in self._system.plain_states(tail, transaction.mft):
            self._load(state)
        for state in self._system.free_states(transaction.mft_file.next_number):
            commit.lay_out(state)
        for _, state in sorted(transaction.states.items()):
            if state.changed:
                commit.lay_out(state)
        commit.write_records()
        mirrored = geometry.mirrored_records * geometry.record_bytes
        self._system.write_mirror(transaction.mft_file.read_bytes(0, mirrored))
        lcn = transaction.mft.runs[0][0]
        assert lcn is not None
        self._system.write_boot(geometry, lcn)
        return geometry

    def _write_mft_bitmap(self) -> None:
        """Put $MFT's $BITMAP into clusters; afterwards no record may be taken."""
        transaction = self._transaction
        mft = transaction.mft_file
        bits = mft.bits
        runs = tuple(transaction.stream_writer.store(bits))
        size = len(bits)
        mft.state.put(
            Attribute(attribute.BITMAP, "", 0, 0, None, runs=runs, data_bytes=size, initialized_bytes=size)
        )
        # Its name says how large it is.
        file = self._system.in_root(tail_of(1, self._options.cluster_bytes), mft.data)[0]
        named = mft.state.find(attribute.FILE_NAME)
        assert named is not None
        mft.state.put(named._replace(value=file.key(self._options.times)))

    def _name_root(self, root: FileState) -> None:
        """Give the root its own name, and its entry in its own index."""
        traits = self._root_traits
        own, entry = (
            file_name_of(
                self._transaction,
                root,
                self._transaction.root_reference,
                _ROOT_NAME,
                file_name.WIN32_AND_DOS,
                times,
            )
            for times in (traits.name_times, traits.entry_times)
        )
        root.add_name(own)
        self._transaction.directories[root.number].put(entry, root.reference)

    def _list_sizes(self, tail: Tail) -> None:
        """Put the final sizes of the system files into the root's index."""
        entries = self._transaction.directories[file_record.ROOT]
        for file in self._system.in_root(tail, self._transaction.mft):
            meant = reference(file.record, system_sequence(file.record))
            entries.put(file.key(self._options.times), meant)
        entries.changed = True

    def _find_tail(self, root: FileState) -> Tail:
        """The number of clusters of the volume; raises NoRoom if they are too few."""
        used = self._clusters.next_lcn + self._root_clusters(root)
        options, cluster_bytes = self._options, self._options.cluster_bytes
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

    def _root_clusters(self, root: FileState) -> int:
        """The number of clusters for the root's index, found by a trial packing.

        The index lists the sizes of $LogFile and $Bitmap, which depend on the size of the index.
        """
        scratch = NewClusters(self._options.cluster_bytes)

        def store(data: bytes | bytearray) -> list[tuple[int | None, int]]:
            return scratch.take(-(-len(data) // scratch.cluster_bytes))

        entries = self._transaction.directories[file_record.ROOT].in_order(lambda: "/")
        packed = self._commit.packed(root, {INDEX_NAME: entries}, store, large=True)
        leave = StreamMaker(store, scratch.cluster_bytes).leave_record
        record_layout.lay_out(
            packed, self._transaction.mft_file.room, scratch.cluster_bytes, leave, _no_further_record
        )
        return scratch.next_lcn


def _empty_stream(name: str) -> Attribute:
    """A non-resident stream that has no clusters yet."""
    return Attribute(attribute.DATA, name, 0, 0, None)


def _no_further_record(place: int) -> int:
    raise ManifestError("the root directory has more streams or metadata than its record can hold")
