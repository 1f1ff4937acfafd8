"""What is known of a volume while it is changed: files, directories and view indexes, loaded once.

Reading goes through here, too, so that a change can be read before it is committed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.image.raw import ChangeableStorage
from ntfsbuild.ondisk import attribute, attribute_list, file_record, upcase
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.traits import SomeTicks
from ntfsbuild.volume.read.indexes import NameEntry, leaf_entries, name_of_value
from ntfsbuild.volume.read.paths_above import path_of
from ntfsbuild.volume.read.records import Attribute, Record
from ntfsbuild.volume.read.volume import Volume
from ntfsbuild.volume.write import attributes as parts
from ntfsbuild.volume.write.clusters import FreeSpace
from ntfsbuild.volume.write.directories import DirectoryState, ViewState, by_numbers, key_of
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.mft import MftEditor
from ntfsbuild.volume.write.streams import StreamEditor

_INDEX_NAME = "$I30"
_DIRECTORY_INDEX = int(FileAttributes.DIRECTORY_INDEX)
_REPARSE_POINT = int(FileAttributes.REPARSE_POINT)
_ARCHIVE = int(FileAttributes.ARCHIVE)


class Editing(Volume):
    """The unit of work: nothing of it is on the disk before the commit but data in free clusters."""

    def __init__(self, storage: ChangeableStorage) -> None:
        self.states: dict[int, FileState] = {}
        self.deleted: list[FileState] = []  # Their numbers may belong to new files already.
        self._deleted_numbers: set[int] = set()
        self._broken = False
        self.names: dict[int, int] | None = None  # By directory, until the first commit.
        self.directories: dict[int, DirectoryState] = {}
        self.views: dict[tuple[int, str], ViewState] = {}
        self.stale: set[int] = set()  # Files whose entries in their directories are to be renewed.
        super().__init__(storage)
        self.damage.refuses = True
        geometry = self.geometry
        self.storage = storage
        self.streams = StreamEditor(
            storage, self._streams, lambda: self.space, geometry.cluster_bytes, geometry.record_bytes
        )
        for number in (file_record.MFT, file_record.BITMAP):
            self.states[number] = self._loaded(number)
        self.mft = MftEditor(
            self.state(file_record.MFT),
            storage,
            self._streams,
            self.streams,
            geometry.record_bytes,
            geometry.cluster_bytes,
        )
        bitmap = self.stream_of(self.state(file_record.BITMAP), "")
        self.space = FreeSpace(geometry, lambda at, size: self.read_part(bitmap, at, size), bitmap.size_bytes)
        for state in self.states.values():
            self._check_clusters(state)

    def accounted(self, names: dict[int, int] | None) -> None:
        """Take it that all records were held against the bitmaps; `names` is how many a directory has."""
        self.streams.free_is_proven = True
        self.names = None if names is None else dict(names)
        for number, loaded in self.directories.items():
            self._check_count(self.states[number], len(loaded.entries()))

    @contextlib.contextmanager
    def whole_change(self) -> Iterator[None]:
        """What is done inside is done whole, or the volume can no longer be committed."""
        if self._broken:
            raise VolumeError("an earlier change broke off: the volume cannot be committed any more")
        try:
            yield
        except BaseException:
            self._broken = True
            raise

    # ------------------------------------------------------------------ reading what is changed

    def _record(self, number: int) -> Record:
        state = self.states.get(number)
        if state is not None:
            return state.record()
        if number in self._deleted_numbers:
            raise CorruptVolume(f"record {number}: it was deleted by this change")
        return super()._record(number)

    def _entries(self, directory: Record) -> Iterator[NameEntry]:
        loaded = self.directories.get(directory.number)
        if loaded is None:
            yield from super()._entries(directory)
            return
        for entry in loaded.in_order():
            yield name_of_value(key_of(entry), int.from_bytes(entry[:8], "little"))

    def _look_up(self, directory: int, name: str, path: str) -> NameEntry:
        state = self.file(directory)
        if not state.is_directory:
            raise VolumeError(f"{path}: not found: there is no directory on the way to {name!r}")
        if state.number not in self.directories:
            found_below = self._descend(directory, name)
            if found_below is not None:
                return self._picked(found_below, name, state.information().is_case_sensitive, path)
        found = self.directory(directory).find(name)
        if found is None:
            raise VolumeError(f"{path}: not found")
        return name_of_value(*found)

    def find_stream(self, state: FileState, name: str) -> Attribute | None:
        """A $DATA stream by its name: as it is spelled if it is there so, else in any case."""
        found = state.find(attribute.DATA, name)
        if found is None and name:
            folded = upcase.upper(name, self._case)
            for one in state.attributes:
                if one.type_code == attribute.DATA and upcase.upper(one.name, self._case) == folded:
                    return one
        return found

    # ------------------------------------------------------------------ loading

    def state(self, number: int) -> FileState:
        """A file by its record number."""
        state = self.states.get(number)
        if state is None:
            state = self._loaded(number)
            self._check_clusters(state)
            self.states[number] = state
        return state

    def _check_clusters(self, state: FileState) -> None:
        """A file whose clusters somebody else may get is damaged."""
        for one in state.attributes:
            self.space.check(one.runs)

    def _loaded(self, number: int) -> FileState:
        record = super()._record(number)
        if not record.in_use or record.base_reference:
            raise CorruptVolume(f"record {number}: it is free or an extension, a file was expected")
        state = FileState(
            number,
            record.sequence,
            record.flags,
            self._attributes(record),
            lsn=record.lsn,
            update_number=record.update_number,
        )
        for one in record.attributes:
            if one.type_code == attribute.ATTRIBUTE_LIST:
                state.list_runs = one.runs
                listed = attribute_list.entries(self._streams.read(one))
                others = {entry.reference for entry in listed} - {state.reference}
                state.extensions = sorted(others, key=lambda meant: meant & file_record.NUMBER_MASK)
        return state

    def file(self, meant: int) -> FileState:
        """A file by its reference; raises CorruptVolume where something else is there by now."""
        number = meant & file_record.NUMBER_MASK
        if number not in self.states:
            self._referenced(meant)
        state = self.state(number)
        if state.sequence != meant >> 48:
            raise CorruptVolume(
                f"record {number}: its sequence number is {state.sequence}, a reference expects {meant >> 48}"
            )
        return state

    def stream_of(self, state: FileState, name: str) -> Attribute:
        """A $DATA stream that must be there."""
        found = state.find(attribute.DATA, name)
        if found is None:
            raise CorruptVolume(f"record {state.number}: no $DATA {name!r}")
        return found

    def read_part(self, stream: Attribute, at: int, size_bytes: int) -> bytes:
        """A part of a stream without holes, as it lies in its clusters."""
        if stream.value is not None:
            return stream.value[at : at + size_bytes]
        return self._streams.read_at(stream, at, size_bytes)

    def directory(self, meant: int) -> DirectoryState:
        """The entries of a directory, loaded once."""
        state = self.file(meant)
        loaded = self.directories.get(state.number)
        if loaded is None:
            loaded = DirectoryState(
                self._index_entries(state, _INDEX_NAME),
                lambda name: upcase.upper(name, self._case),
                case_sensitive=state.information().is_case_sensitive,
            )
            self._check_count(state, len(loaded.entries()))
            self.directories[state.number] = loaded
        return loaded

    def _check_count(self, state: FileState, listed: int) -> None:
        """A directory that lists fewer names than files have in it has lost some, of more some are stale."""
        if self.names is not None and listed != (have := self.names.get(state.number, 0)):
            path = path_of(state.record(), self._attributes, self._referenced)
            self.damage.lose(
                path, f"record {state.number}: it lists {listed} names, files have {have} names in it"
            )

    def view(self, number: int, name: str) -> ViewState:
        """The entries of a view index whose keys are numbers, loaded once."""
        loaded = self.views.get((number, name))
        if loaded is None:
            loaded = ViewState(self._index_entries(self.state(number), name), by_numbers)
            self.views[number, name] = loaded
        return loaded

    def _index_entries(self, state: FileState, name: str) -> Iterator[bytes]:
        return leaf_entries(self._index(state.record(), name), f"record {state.number}: {name}")

    # ------------------------------------------------------------------ records

    def forget(self, state: FileState) -> None:
        """Let go of a file that is deleted; its record is freed, and what it holds written back so."""
        self.directories.pop(state.number, None)
        self.stale.discard(state.number)
        self.entry_times.pop(state.number, None)  # Another file may get the number.
        if self.names is not None:
            self.names.pop(state.number, None)
        del self.states[state.number]
        self.deleted.append(state)
        self._deleted_numbers.add(state.number)
        self.mft.give_back(state.number, state.sequence)

    def begin_anew(self) -> None:
        """After a commit: what was deleted is gone, what is loaded is what is on the disk."""
        self.names = None
        self.deleted.clear()
        self._deleted_numbers.clear()
        self.stale.clear()
        self.entry_times.clear()

    def touch(self, state: FileState, now: int, *, modified: bool, archive: bool = False) -> None:
        """Set the times after a change: of the record always, of the data where it changed."""
        information = state.information()
        attributes = information.attributes | (_ARCHIVE if archive else 0)
        self.stale.add(state.number)  # Its sizes may be others, too.
        modified_ticks = now if modified else information.modified_ticks
        new = now, modified_ticks, attributes
        if new != (information.changed_ticks, information.modified_ticks, information.attributes):
            fields = ("changed_ticks", "modified_ticks", "attributes")
            state.change_information(dict(zip(fields, new, strict=True)))

    def new_record(self) -> tuple[int, int]:
        """Number and sequence number for a new record."""
        taken = self.mft.take()
        self.refresh_mft()
        return taken

    def refresh_mft(self) -> None:
        """Read records where $MFT has them now."""
        self._mft = self.mft.data

    def renew_entries(self, state: FileState) -> None:
        """Let the entries of a file in its directories say what it is now."""
        for value in state.names():
            parent = int.from_bytes(value[:8], "little")
            directory = self.directory(parent)
            raw_name = value[NAME_AT : NAME_AT + 2 * value[0x40]]
            own_times = self.own_entry_times(state.number, parent, raw_name)
            directory.put(self.name_value(state, parent, raw_name, value[0x41], own_times), state.reference)

    def name_value(
        self,
        state: FileState,
        parent: int,
        raw_name: bytes,
        namespace: int,
        own_times: SomeTicks | None = None,
    ) -> bytes:
        """A $FILE_NAME value with the times, sizes and attributes that a file has now."""
        now = state.information()
        times = now.created_ticks, now.modified_ticks, now.changed_ticks, now.accessed_ticks
        attributes = now.attributes
        if state.find(attribute.INDEX_ROOT, _INDEX_NAME) is not None:
            attributes |= _DIRECTORY_INDEX
        main = None if state.is_directory else state.find(attribute.DATA)
        return parts.name_value(
            parent,
            parts.chosen(times, own_times),
            parts.listed_sizes(main, self.geometry.cluster_bytes),
            attributes,
            self._tag_or_ea_bytes(state, now.attributes),
            raw_name,
            namespace,
        )

    def _tag_or_ea_bytes(self, state: FileState, attributes: int) -> int:
        """The tag of a reparse point; of other files the packed size of their extended attributes."""
        if attributes & _REPARSE_POINT:
            return self._reparse_tag_of(state.attributes)
        return parts.tag_or_ea_bytes(
            one for one in state.attributes if one.type_code == attribute.EA_INFORMATION
        )
