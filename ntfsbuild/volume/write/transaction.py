"""The transaction of a change: the loaded and changed files, until they are committed.

It has the interface of a catalog: a reader that uses it sees the volume after the change.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ntfsbuild.errors import CorruptVolume, NoRoom, VolumeError
from ntfsbuild.ondisk import file_record, upcase
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.index import BLOCK_BYTES
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import chosen
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.catalog import INDEX_NAME, DiskCatalog, no_directory, not_referenced, picked
from ntfsbuild.volume.read.damage import Damage
from ntfsbuild.volume.read.indexes import NameEntry, leaf_entries, name_of_value, times_of
from ntfsbuild.volume.read.paths_above import path_of
from ntfsbuild.volume.read.records import Attribute, Record
from ntfsbuild.volume.read.streams import StreamReader
from ntfsbuild.volume.write.clusters import Clusters
from ntfsbuild.volume.write.directories import Directory, ViewIndex, by_numbers
from ntfsbuild.volume.write.entry_times import EntryTimes
from ntfsbuild.volume.write.file_state import FileState, loaded_state
from ntfsbuild.volume.write.mft import AS_WINDOWS_GROWS, Growth, Mft
from ntfsbuild.volume.write.streams import Streams
from ntfsbuild.volume.write.write_buffer import WriteBuffer

_DIRECTORY_INDEX = int(FileAttributes.DIRECTORY_INDEX)
_REPARSE_POINT = int(FileAttributes.REPARSE_POINT)
_ARCHIVE = int(FileAttributes.ARCHIVE)


class Transaction:
    """The unit of work: before the commit it writes nothing except data in free clusters.

    `disk` is the volume before the change; a new volume has none.
    """

    def __init__(
        self,
        storage: WriteBuffer,
        geometry: Geometry,
        clusters: Clusters,
        mft_state: FileState,
        disk: DiskCatalog | None,
        growth: Growth = AS_WINDOWS_GROWS,
    ) -> None:
        self.storage = storage
        self.geometry = geometry
        self.clusters = clusters
        self.disk = disk
        self.damage = Damage() if disk is None else disk.damage
        self.index_block_bytes = BLOCK_BYTES if disk is None else disk.index_block_bytes
        self.streams = StreamReader(storage, geometry)
        self.stream_writer = Streams(
            storage, self.streams, lambda: self.clusters, geometry.cluster_bytes, geometry.record_bytes
        )
        self.states: dict[int, FileState] = {mft_state.number: mft_state}
        self.directories: dict[int, Directory] = {}
        self.views: dict[tuple[int, str], ViewIndex] = {}
        self.stale: set[int] = set()  # Files whose entries in their directories are to be renewed.
        self.entry_times = EntryTimes()
        self.new_descriptors: dict[int, bytes] = {}  # By the ids that they got.
        self.deleted: list[FileState] = []  # Their numbers may belong to new files already.
        self._deleted_numbers: set[int] = set()
        self._broken = False
        # How many names files have in each directory, until the first commit; None where nobody counted.
        self.counted_names: dict[int, int] | None = None
        self.free_is_proven = False  # What $Bitmap says of free clusters was held against all records.
        self.mft_file = Mft(
            mft_state,
            storage,
            self.streams,
            self.stream_writer,
            geometry.record_bytes,
            geometry.cluster_bytes,
            growth,
        )

    @contextlib.contextmanager
    def whole_change(self, *, of_content: bool = False) -> Iterator[None]:
        """A context: if an error interrupts it, the volume can no longer be committed.

        If only the content of a stream is changed in it (`of_content`), a NoRoom before any clusters were
        taken has changed nothing.
        """
        if self._broken:
            raise VolumeError("an earlier change broke off: the volume cannot be committed any more")
        before = self.stream_writer.moves
        try:
            yield
        except BaseException as error:
            harmless = of_content and isinstance(error, NoRoom) and self.stream_writer.moves == before
            self._broken = not harmless
            raise

    # ------------------------------------------------------------------ the interface of a catalog

    @property
    def mft(self) -> Attribute:
        """The $DATA of $MFT."""
        return self.mft_file.data

    @property
    def case(self) -> dict[int, int]:
        """The volume's own $UpCase."""
        return upcase.standard() if self.disk is None else self.disk.case

    @property
    def root_reference(self) -> int:
        """The file reference of the root directory."""
        if self.disk is not None:
            return self.disk.root_reference
        return file_record.reference(file_record.ROOT, file_record.ROOT)

    def record(self, number: int) -> Record:
        """A record after the change; for a loaded file it has all attributes of the file."""
        state = self.states.get(number)
        if state is not None:
            return state.record()
        if number in self._deleted_numbers:
            raise CorruptVolume(f"record {number}: it was deleted by this change")
        return self._record_on_disk(number)

    def _record_on_disk(self, number: int) -> Record:
        if self.disk is None:
            raise CorruptVolume(f"record {number}: it is written already")
        self.mft_file.flush()
        self.disk.mft = self.mft_file.data  # It may have grown.
        return self.disk.record(number)

    def referenced(self, meant: int) -> Record:
        """The record that a reference means; raises CorruptVolume where something else is there by now."""
        record = self.record(meant & file_record.NUMBER_MASK)
        if not record.in_use or record.sequence != meant >> 48:
            raise not_referenced(record, meant >> 48)
        return record

    def plain(self, meant: int) -> None:
        """None: records change while they are read."""

    def attributes(self, record: Record) -> list[Attribute]:
        """All attributes of a file, those of its other records included, pieces joined."""
        if record.number in self.states or self.disk is None:
            return list(record.attributes)
        return self.disk.attributes(record)

    def entries(self, directory: Record) -> Iterator[NameEntry]:
        """The entries of a directory in collation order."""
        loaded = self.directories.get(directory.number)
        if loaded is None:
            assert self.disk is not None
            yield from self.disk.entries(directory)
            return
        for key, meant in loaded.pairs():
            yield name_of_value(key, meant)

    def look_up(self, directory: int, name: str, path: str) -> NameEntry:
        """One name in a directory; raises VolumeError, naming `path`, where there is none."""
        state = self.file(directory)
        if not state.is_directory:
            raise no_directory(path, name)
        if state.number not in self.directories and self.disk is not None:
            found_below = self.disk.descend(directory, name)
            if found_below is not None:
                return picked(found_below, name, state.information().is_case_sensitive, path)
        found = self.directory(directory).find(name)
        if found is None:
            raise VolumeError(f"{path}: not found")
        return name_of_value(*found)

    def descriptor_of(self, security_id: int) -> bytes | None:
        """The security descriptor that has an id; None where none has it."""
        new = self.new_descriptors.get(security_id)
        return self.disk.descriptor_of(security_id) if new is None and self.disk is not None else new

    def view_data(self, number: int, name: str, key: bytes) -> bytes | None:
        """The data of a key of a view index."""
        changed = self.views.get((number, name))
        if changed is not None or self.disk is None:
            return None if changed is None else changed.get(key)
        return self.disk.view_data(number, name, key)

    def read_ahead(self) -> None:
        """Nothing: records change while they are read."""

    def times_of_entry(self, number: int, entry: NameEntry, times: Ticks4) -> Ticks4:
        """The times that an entry of a file has, or gets by this change."""
        if number not in self.stale:
            return times_of(entry)
        raw_name = entry.name.encode("utf-16-le", "surrogatepass")
        return chosen(times, self.entry_times.of(number, entry.parent_reference, raw_name))

    # ------------------------------------------------------------------ loading

    def state(self, number: int) -> FileState:
        """A file by its record number."""
        state = self.states.get(number)
        if state is None:
            if number in self._deleted_numbers:
                raise CorruptVolume(f"record {number}: it was deleted by this change")
            assert self.disk is not None
            state = loaded_state(self.disk, self._record_on_disk(number))
            if self.mft_file.was_used(number):
                self.clusters.check(state.runs())
            self.states[number] = state
        return state

    def file(self, meant: int) -> FileState:
        """A file by its reference; raises CorruptVolume where something else is there by now."""
        number = meant & file_record.NUMBER_MASK
        if number not in self.states:
            self.referenced(meant)
        state = self.state(number)
        if state.sequence != meant >> 48:
            raise CorruptVolume(
                f"record {number}: its sequence number is {state.sequence}, a reference expects {meant >> 48}"
            )
        return state

    @property
    def root(self) -> FileState:
        """The root directory."""
        return self.file(self.root_reference)

    def directory(self, meant: int) -> Directory:
        """The entries of a directory, loaded once."""
        loaded = self.directories.get(meant & file_record.NUMBER_MASK)
        if loaded is None or loaded.reference != meant:
            state = self.file(meant)
            loaded = Directory(
                state.reference,
                _index_entries(self.disk, state, INDEX_NAME),
                lambda: self.case,
                case_sensitive=state.information().is_case_sensitive,
            )
            self._check_count(state, len(loaded.keys))
            # Names are not checked here: those of a plan were checked with the plan, others by the caller.
            loaded.posix_names = True
            self.directories[state.number] = loaded
        return loaded

    def accounted(self, names: dict[int, int] | None) -> None:
        """Note that all records were compared with the bitmaps; `names` counts names by directory."""
        self.free_is_proven = True
        self.counted_names = None if names is None else dict(names)
        for number, loaded in self.directories.items():
            self._check_count(self.states[number], len(loaded.keys))

    def _check_count(self, state: FileState, listed: int) -> None:
        """Compare the entries of a directory with its files' names: entries may be lost or stale."""
        if self.counted_names is not None and listed != (have := self.counted_names.get(state.number, 0)):
            self.damage.lose(
                self.path_of(state),
                f"record {state.number}: it lists {listed} names, files have {have} names in it",
            )

    def view(self, number: int, name: str) -> ViewIndex:
        """The entries of a view index whose keys are numbers, loaded once."""
        loaded = self.views.get((number, name))
        if loaded is None:
            loaded = ViewIndex(_index_entries(self.disk, self.state(number), name), by_numbers)
            self.views[number, name] = loaded
        return loaded

    def path_of(self, state: FileState) -> str:
        """A path of a file, for messages."""
        return path_of(state.record(), self.attributes, self.referenced)

    # ------------------------------------------------------------------ changes

    def add(self, state: FileState) -> None:
        """Take in a new file."""
        state.is_new = True
        self.states[state.number] = state

    def add_directory(self, state: FileState) -> Directory:
        """The entries of a new directory: none."""
        made = Directory(state.reference, (), lambda: self.case)
        made.changed = True
        self.directories[state.number] = made
        return made

    def forget(self, state: FileState) -> None:
        """Forget a deleted file; its record is freed, and its content written back as a free record."""
        self.directories.pop(state.number, None)
        self.stale.discard(state.number)
        self.entry_times.forget(state.number)
        if self.counted_names is not None:
            self.counted_names.pop(state.number, None)
        del self.states[state.number]
        self.deleted.append(state)
        self._deleted_numbers.add(state.number)
        self.mft_file.give_back(state.number, state.sequence)

    def begin_anew(self) -> None:
        """After a commit: loaded files equal those on disk, deleted ones are forgotten."""
        self.counted_names = None
        self.deleted.clear()
        self._deleted_numbers.clear()
        self.stale.clear()
        self.entry_times.clear()
        for state in self.states.values():
            state.is_new = False
        for directory in self.directories.values():
            directory.settle()
        self.mft_file.begin_anew()
        if self.disk is not None:
            self.disk.mft = self.mft_file.data

    def new_record(self) -> tuple[int, int]:
        """Number and sequence number for a new record."""
        number, sequence = self.mft_file.take()
        self._deleted_numbers.discard(number)
        return number, sequence

    def touch(self, state: FileState, now: int, *, modified: bool, archive: bool = False) -> None:
        """Set the times after a change: of the record always, of the data where it changed."""
        if state.keeps_times:
            return
        information = state.information()
        attributes = information.attributes | (_ARCHIVE if archive else 0)
        self.stale.add(state.number)  # Its sizes may be others, too.
        modified_ticks = now if modified else information.modified_ticks
        new = now, modified_ticks, attributes
        if new != (information.changed_ticks, information.modified_ticks, information.attributes):
            fields = ("changed_ticks", "modified_ticks", "attributes")
            state.change_information(dict(zip(fields, new, strict=True)))


def _index_entries(disk: DiskCatalog | None, state: FileState, name: str) -> Iterator[bytes]:
    """The entries of an index as stored on disk."""
    assert disk is not None
    return leaf_entries(disk.index(state.record(), name), f"record {state.number}: {name}")
