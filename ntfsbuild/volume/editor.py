"""A formatted volume of any maker, open for changing: everything in memory until `commit`.

File data goes straight to clusters that the old volume does not use.  Records, indexes and bitmaps are
written once, at the commit, each whole: a directory that changed as a freshly packed tree, a file laid
into as few records as it needs.  Times come from the caller, never from a clock.
"""

from __future__ import annotations

import functools

from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.image.raw import ChangeableStorage
from ntfsbuild.ondisk import attribute, file_name, file_record, names, security
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.file_record import reference
from ntfsbuild.ondisk.index import COLLATE_FILE_NAME
from ntfsbuild.ondisk.standard_information import StandardInformation, Ticks4
from ntfsbuild.ondisk.volume_information import what_is_wrong_with_label
from ntfsbuild.volume import index_builder
from ntfsbuild.volume.committing import Commit
from ntfsbuild.volume.editing import Editing, touched
from ntfsbuild.volume.file_state import FileState
from ntfsbuild.volume.opening import refuse_unsafe
from ntfsbuild.volume.record_reader import Attribute
from ntfsbuild.volume.security_editor import SecurityEditor

_RECORD_MASK = (1 << 48) - 1
_MOST_LINKS = 1024  # What Windows allows.


class VolumeEditor(Editing):
    """Changes a volume.  Paths begin with `/`; a parent directory must be there."""

    def __init__(self, storage: ChangeableStorage, *, force: bool = False) -> None:
        super().__init__(storage)
        refuse_unsafe(self, force=force)
        self._security = SecurityEditor(self)

    def commit(self) -> None:
        """Write everything; afterwards the volume is the new one, and can be changed further."""
        Commit(self).run()

    # ------------------------------------------------------------------ making

    def make_file(
        self, path: str, data: bytes, times: Ticks4, attributes: int, *, posix_names: bool = False
    ) -> None:
        """Create a file with its content; its directory was changed at its time of change."""
        state = self._make(path, times, attributes, posix_names, directory=False)
        state.put(Attribute(attribute.DATA, "", 0, 0, b""))
        state.put(self.streams.write(self.stream_of(state, ""), 0, data))

    def make_directory(self, path: str, times: Ticks4, attributes: int, *, posix_names: bool = False) -> None:
        """Create an empty directory."""
        self._make(path, times, attributes, posix_names, directory=True)

    def _make(
        self,
        path: str,
        times: Ticks4,
        attributes: int,
        posix_names: bool,
        *,
        directory: bool,
    ) -> FileState:
        parent, name = self._place_for(path, posix_names)
        directory_id, file_id = self._default_security
        number, sequence = self.new_record()
        flags = file_record.IN_USE | (file_record.IS_DIRECTORY if directory else 0)
        information = StandardInformation(
            created_ticks=times[0],
            modified_ticks=times[1],
            changed_ticks=times[2],
            accessed_ticks=times[3],
            attributes=attributes,
            security_id=directory_id if directory else file_id,
        )
        state = FileState(number, sequence, flags, [])
        state.put(Attribute(attribute.STANDARD_INFORMATION, "", 0, 0, information.pack()))
        if directory:
            empty = index_builder.pack_small([])
            cluster_bytes = self.geometry.cluster_bytes
            root = index_builder.root_value(empty, attribute.FILE_NAME, COLLATE_FILE_NAME, cluster_bytes)
            state.put(Attribute(attribute.INDEX_ROOT, "$I30", 0, 0, root))
        self.states[number] = state
        self._add_name(state, parent, name, times[2])
        return state

    @functools.cached_property
    def _default_security(self) -> tuple[int, int]:
        """The security ids of new directories and files: both are filed with the first of either.

        ntfssecaudit takes for an entry what its buffer still holds when the only entry that was
        added is a short one.
        """
        return self._security.id_of(security.DEFAULT_DIRECTORY), self._security.id_of(security.DEFAULT_FILE)

    def _place_for(self, path: str, posix_names: bool) -> tuple[FileState, str]:
        """The directory that a new name goes into, and the name, which nothing has yet."""
        above, _, name = path.rstrip("/").rpartition("/")
        if wrong := names.what_is_wrong(name, posix=posix_names):
            raise ManifestError(f"{path}: {wrong}")
        parent = self._directory_at(above or "/", path)
        if parent.number == file_record.ROOT and name.upper() in {one.upper() for one in names.SYSTEM_NAMES}:
            raise ManifestError(f"{path}: is the name of one of NTFS's own files")
        entries = self.directory(parent.reference)
        taken = entries.has_exactly(name) if posix_names else entries.find(name) is not None
        if taken:
            raise VolumeError(f"{path}: is there already")
        return parent, name

    def _directory_at(self, path: str, asked: str) -> FileState:
        state = self.file(self._resolve(path))
        if not state.is_directory:
            raise VolumeError(f"{asked}: {path} is not a directory")
        self._refuse_system(state, asked, root=True)
        return state

    def _refuse_system(self, state: FileState, path: str, *, root: bool = False) -> None:
        """NTFS's own files are nobody's to change but the label."""
        own = state.number <= file_record.LAST_RESERVED or state.flags & file_record.IN_EXTEND
        if own and not (root and state.number == file_record.ROOT):
            raise VolumeError(f"{path}: is one of NTFS's own files")

    def _add_name(self, state: FileState, parent: FileState, name: str, now: int) -> None:
        value = self.name_value(state, parent.reference, name, file_name.POSIX)
        state.add_name(value)
        self.directory(parent.reference).put(value, state.reference)
        self.stale.add(state.number)
        self._touch_directory(parent, now)

    def _touch_directory(self, directory: FileState, now: int) -> None:
        directory.set_information(touched(directory.information(), now, modified=True))
        self.stale.add(directory.number)

    # ------------------------------------------------------------------ contents

    def write(self, path: str, at: int, data: bytes | memoryview, now: int, stream: str = "") -> None:
        """Write at byte `at` of a stream, which a named one is made for."""
        state = self._file_at(path, stream)
        if stream and state.find(attribute.DATA, stream) is None:
            state.put(Attribute(attribute.DATA, stream, 0, 0, b""))
        state.put(self.streams.write(self.stream_of(state, stream), at, data))
        self._changed(state, now)

    def append(self, path: str, data: bytes, now: int, stream: str = "") -> None:
        """Write behind the end."""
        state = self._file_at(path, stream)
        self.write(path, self.stream_of(state, stream).size_bytes, data, now, stream)

    def truncate(self, path: str, size_bytes: int, now: int, stream: str = "") -> None:
        """Cut or extend a stream."""
        state = self._file_at(path, stream)
        state.put(self.streams.truncate(self.stream_of(state, stream), size_bytes))
        self._changed(state, now)

    def remove_stream(self, path: str, stream: str, now: int) -> None:
        """Take a named stream away."""
        state = self._file_at(path, stream)
        assert stream
        self.streams.free(self.stream_of(state, stream))
        state.drop(attribute.DATA, stream)
        self._changed(state, now)

    def _file_at(self, path: str, stream: str = "") -> FileState:
        state = self.file(self._resolve(path))
        self._refuse_system(state, path)
        if state.is_directory and not stream:
            raise VolumeError(f"{path}: is a directory")
        return state

    def _changed(self, state: FileState, now: int) -> None:
        archive = not state.is_directory
        state.set_information(touched(state.information(), now, modified=True, archive=archive))
        self.stale.add(state.number)

    # ------------------------------------------------------------------ names

    def link(self, path: str, to: str, now: int, *, posix_names: bool = False) -> None:
        """One more name for a file."""
        state = self._file_at(path)
        parent, name = self._place_for(to, posix_names)
        if len(state.names()) >= _MOST_LINKS:
            raise VolumeError(f"{path}: has {_MOST_LINKS} names already, which is the most")
        state.set_information(touched(state.information(), now, modified=False))
        self._add_name(state, parent, name, now)

    def rename(
        self, path: str, to: str, now: int, *, replace: bool = False, posix_names: bool = False
    ) -> None:
        """Give a file or a directory another name, perhaps in another directory."""
        state, parent, names_here = self._name_at(path)
        above, _, name = to.rstrip("/").rpartition("/")
        target = self._directory_at(above or "/", to)
        if state.is_directory:
            self._refuse_inside(state, target, path, to)
        there = self.directory(target.reference).find(name)
        if there is not None and there[1] & _RECORD_MASK != state.number:
            if not replace:
                raise VolumeError(f"{to}: is there already")
            self._replace(to, state, now)
        self._take_names(state, parent, names_here)
        target, name = self._place_for(to, posix_names)
        state.set_information(touched(state.information(), now, modified=False))
        self._add_name(state, target, name, now)
        self._touch_directory(parent, now)

    def _replace(self, to: str, by: FileState, now: int) -> None:
        old = self.file(self._resolve(to))
        if old.is_directory != by.is_directory:
            kind = "a directory" if old.is_directory else "a file"
            raise VolumeError(f"{to}: is {kind}, and what would take its place is not")
        self.remove(to, now)

    def _refuse_inside(self, moved: FileState, target: FileState, path: str, to: str) -> None:
        """A directory cannot be moved into itself."""
        seen: set[int] = set()
        while target.number != file_record.ROOT:
            if target.number == moved.number or target.number in seen:
                raise VolumeError(f"{to}: lies inside {path}")
            seen.add(target.number)
            target = self.file(int.from_bytes(target.names()[0][:8], "little"))

    def remove(self, path: str, now: int, *, recursive: bool = False) -> None:
        """Take a name away; with its last one the file goes, and its clusters are free."""
        state, parent, names_here = self._name_at(path)
        if state.is_directory and not self.directory(state.reference).is_empty():
            if not recursive:
                raise VolumeError(f"{path}: the directory is not empty")
            for item in self.listdir(path):
                self.remove(f"{path.rstrip('/')}/{item.name}", now, recursive=True)
        self._take_names(state, parent, names_here)
        self._touch_directory(parent, now)
        if any(value[0x41] != file_name.DOS for value in state.names()):
            state.set_information(touched(state.information(), now, modified=False))
            self.stale.add(state.number)
        else:
            self._delete(state, names_here)

    def _name_at(self, path: str) -> tuple[FileState, FileState, list[bytes]]:
        """A file, the directory of the name asked for, and the $FILE_NAME values of that name.

        A Win32 name and its DOS alias are one: they come and go together.
        """
        way = self._way(path)
        if not way:
            raise VolumeError(f"{path}: is the root")
        state = self.file(way[-1][1])
        self._refuse_system(state, path)
        parent = self.file(way[-2][1] if len(way) > 1 else self._root_reference)
        raw_name = way[-1][0].encode("utf-16-le", "surrogatepass")
        here = [value for value in state.names() if int.from_bytes(value[:8], "little") == parent.reference]
        named = [value for value in here if value[NAME_AT:] == raw_name]
        if not named:
            raise VolumeError(f"{path}: record {state.number} does not know this name of its own")
        if named[0][0x41] in (file_name.WIN32, file_name.DOS):
            named = [value for value in here if value[0x41] in (file_name.WIN32, file_name.DOS)]
        return state, parent, named

    def _take_names(self, state: FileState, parent: FileState, values: list[bytes]) -> None:
        entries = self.directory(parent.reference)
        for value in values:
            entries.remove(value)
            state.remove_name(value)

    def _delete(self, state: FileState, last_names: list[bytes]) -> None:
        """Free what a file has; its record keeps its bytes, as Windows leaves them."""
        object_id = state.find(attribute.OBJECT_ID)
        if object_id is not None and object_id.value is not None:
            self._forget_key("$ObjId", "$O", object_id.value[:16])
        reparse = state.find(attribute.REPARSE_POINT)
        if reparse is not None:
            tag = self.read_part(reparse, 0, 4)
            self._forget_key("$Reparse", "$R", tag + state.reference.to_bytes(8, "little"))
        for one in state.attributes:
            self.streams.free(one)
        if state.list_runs:
            self.space.give_back(state.list_runs)
        for value in last_names:
            state.add_name(value)
        self.directories.pop(state.number, None)
        self.stale.discard(state.number)
        del self.states[state.number]
        self.deleted.append(state)
        self.mft.give_back(state.number, state.sequence)

    def _forget_key(self, owner: str, index: str, key: bytes) -> None:
        """Take a key out of an index in $Extend, where there is such an index."""
        extend = self.directory(reference(file_record.EXTEND, self.state(file_record.EXTEND).sequence))
        found = extend.find(owner)
        if found is not None:
            self.view(self.file(found[1]).number, index).remove(key)

    # ------------------------------------------------------------------ metadata

    def set_times(
        self,
        path: str,
        *,
        created: int | None = None,
        modified: int | None = None,
        changed: int | None = None,
        accessed: int | None = None,
    ) -> None:
        """Set those of the four times that are given."""
        state = self.file(self._resolve(path))
        self._refuse_system(state, path, root=True)
        given = {
            "created_ticks": created,
            "modified_ticks": modified,
            "changed_ticks": changed,
            "accessed_ticks": accessed,
        }
        self._set(state, {name: value for name, value in given.items() if value is not None})

    def set_attributes(self, path: str, attributes: int, mask: int, now: int) -> None:
        """Set the FILE_ATTRIBUTE bits in `mask` to those of `attributes`."""
        state = self.file(self._resolve(path))
        self._refuse_system(state, path, root=True)
        old = state.information().attributes
        self._set(state, {"attributes": old & ~mask | attributes & mask, "changed_ticks": now})

    def _set(self, state: FileState, values: dict[str, int]) -> None:
        information = state.information()
        old = {name: getattr(information, name) for name in information.FIELDS}
        state.set_information(StandardInformation(**(old | values)))
        self.stale.add(state.number)

    def set_label(self, label: str) -> None:
        """Name the volume."""
        if wrong := what_is_wrong_with_label(label):
            raise ManifestError(f"the label {wrong}")
        state = self.state(file_record.VOLUME)
        state.put(Attribute(attribute.VOLUME_NAME, "", 0, 0, label.encode("utf-16-le")))
        self.__dict__.pop("label", None)
