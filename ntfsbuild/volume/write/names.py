"""Names on a volume that is being changed: made, moved, taken away; a file goes with its last one."""

from __future__ import annotations

from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.ondisk import attribute, file_name, file_record, names
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.file_record import reference
from ntfsbuild.ondisk.reparse_tags import is_name_surrogate
from ntfsbuild.ondisk.short_names import is_short
from ntfsbuild.ondisk.traits import MADE_SHORT_NAME, SomeTicks
from ntfsbuild.volume.read.catalog import entry_key
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write import attributes as parts
from ntfsbuild.volume.write.attributes import MOST_NAMES
from ntfsbuild.volume.write.directories import ViewState
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.transaction import Editing

_SYSTEM_NAMES = frozenset(names.folded(names.SYSTEM_NAMES))
_NAMESPACE_AT = 0x41
_REPARSE_POINT = int(FileAttributes.REPARSE_POINT)
_PAIRED = (file_name.WIN32, file_name.DOS)


class Naming(Editing):
    """Finds the files that a change is about, and changes their names."""

    # ------------------------------------------------------------------ finding

    def file_at(self, path: str, stream: str = "") -> FileState:
        """The file whose content is to be changed; a directory only where a named stream is meant."""
        state = self._user_state(path)
        if state.is_directory and not stream:
            raise VolumeError(f"{path}: is a directory")
        return state

    def settable_at(self, path: str) -> FileState:
        """The file or directory, perhaps the root, whose metadata are to be changed."""
        way = self._user_way(path)
        return way[-1][1] if way else self._root

    @property
    def _root(self) -> FileState:
        return self.file(self._root_reference)

    def _user_state(self, path: str) -> FileState:
        way = self._user_way(path)
        if not way:
            raise VolumeError(f"{path}: is the root")
        return way[-1][1]

    def _user_way(self, path: str) -> list[tuple[str, FileState]]:
        """Name and state of each step, none for the root; NTFS's own files are nobody's to change."""
        way = [(name, self.file(meant)) for name, meant in self._way(path)]
        for _, state in way:
            if state.number <= file_record.LAST_RESERVED or state.flags & file_record.IN_EXTEND:
                raise VolumeError(f"{path}: is one of NTFS's own files, or lies in one")
        return way

    def existing_stream(self, state: FileState, stream: str, path: str) -> Attribute:
        """A stream that must be there."""
        found = self.find_stream(state, stream)
        if found is None:
            raise VolumeError(f"{path}: it has no stream {stream!r}" if stream else f"{path}: has no content")
        return found

    def place_for(self, path: str, *, posix_names: bool = False) -> tuple[FileState, str]:
        """The directory that a new name goes into, and the name, which nothing has yet."""
        parent, name, found = self._place(path, posix_names)
        if found is not None:
            raise VolumeError(f"{path}: is there already")
        return parent, name

    def _place(self, path: str, posix_names: bool) -> tuple[FileState, str, bytes | None]:
        """The directory and the name that a path means, and the key of what has that name."""
        above, _, name = path.rstrip("/").rpartition("/")
        if wrong := names.what_is_wrong(name, posix=posix_names):
            raise ManifestError(f"{path}: {wrong}")
        way = self._user_way(above)
        parent = way[-1][1] if way else self._root
        if not parent.is_directory:
            raise VolumeError(f"{path}: {above} is not a directory")
        if parent.information().attributes & _REPARSE_POINT and is_name_surrogate(
            self._reparse_tag_of(parent.attributes)
        ):
            raise VolumeError(f"{path}: {above} is a link: what lies in it is somewhere else")
        if parent is self._root and names.folded([name])[0] in _SYSTEM_NAMES:
            raise ManifestError(f"{path}: is the name of one of NTFS's own files")
        found = self.directory(parent.reference).find(name, exactly=posix_names)
        return parent, name, found[0] if found else None

    # ------------------------------------------------------------------ changing

    def add_name(
        self,
        state: FileState,
        parent: FileState,
        name: str,
        now: int,
        *,
        short_name: str | None = None,
        own_times: SomeTicks | None = None,
        entry_times: SomeTicks | None = None,
    ) -> None:
        """Give a file a name in a directory, with a short one beside it where that is said.

        `own_times` are those of $FILE_NAME, `entry_times` those of the entry, where they are not the file's.
        """
        entries = self.directory(parent.reference)
        # As on Windows: a name that Win32 cannot open, or that differs from another in case alone, is POSIX.
        posix_only = short_name and (names.what_is_wrong(name, posix=False) or entries.has_win32(name))
        if short_name == MADE_SHORT_NAME:
            short_name = None if posix_only else name if is_short(name) else entries.short_name(name)
        elif posix_only:
            raise ManifestError(f"{name}: a name that only POSIX allows here has no short name")
        elif short_name and entries.find(short_name) is not None:
            raise ManifestError(f"{name}: the short name {short_name} is in its directory already")
        for one, namespace in parts.names_of(name, short_name):
            raw_name = one.encode("utf-16-le", "surrogatepass")
            if entry_times is not None:
                key = entry_key(parent.reference, raw_name)
                self.entry_times.setdefault(state.number, {})[key] = entry_times
            its_times = self.own_entry_times(state.number, parent.reference, raw_name)
            state.add_name(self.name_value(state, parent.reference, raw_name, namespace, own_times))
            entry = self.name_value(state, parent.reference, raw_name, namespace, its_times)
            entries.put(entry, state.reference)
        if state.is_directory:
            self._ways.clear()  # A spelling that meant another one may mean this from here on.
        self.touch(parent, now, modified=True)

    def link(
        self,
        path: str,
        to: str,
        now: int,
        *,
        posix_names: bool = False,
        short_name: str | None = None,
        name_times: SomeTicks | None = None,
        entry_times: SomeTicks | None = None,
    ) -> None:
        """One more name for a file; it and its entry may have times that are not the file's."""
        state = self.file_at(path)
        parent, name = self.place_for(to, posix_names=posix_names)
        more = len(parts.names_of(name, short_name))
        if len(state.names()) + more > MOST_NAMES:
            raise VolumeError(f"{path}: has {len(state.names())} names, {MOST_NAMES} are the most")
        with self.whole_change():
            self.touch(state, now, modified=False)
            self.add_name(
                state,
                parent,
                name,
                now,
                short_name=short_name,
                own_times=name_times,
                entry_times=entry_times,
            )

    def rename(
        self, path: str, to: str, now: int, *, replace: bool = False, posix_names: bool = False
    ) -> None:
        """Give a file or a directory another name, perhaps in another directory.

        With `replace` it may take the place of a file, a directory that of an empty directory.
        """
        state, parent, names_here = self._name_at(path)
        into, name, there = self._place(to, posix_names)
        taken = there is not None and not any(_same_name(there, value) for value in names_here)
        if taken:
            self._refuse_replacing(to, state, replace)
        if state.is_directory:
            self._refuse_inside(state, into, path, to)
        with self.whole_change():
            if taken:
                self.remove(to, now)
            self._take_names(state, parent, names_here)
            self.touch(state, now, modified=False)
            self.add_name(state, into, name, now)
            self.touch(parent, now, modified=True)

    def _refuse_replacing(self, to: str, by: FileState, replace: bool) -> None:
        if not replace:
            raise VolumeError(f"{to}: is there already")
        old = self._user_state(to)
        if old.is_directory != by.is_directory:
            kind = "a directory" if old.is_directory else "a file"
            raise VolumeError(f"{to}: is {kind}, and what would take its place is not")
        if old.is_directory and not self.directory(old.reference).is_empty():
            raise VolumeError(f"{to}: the directory is not empty")

    def _refuse_inside(self, moved: FileState, into: FileState, path: str, to: str) -> None:
        """A directory cannot be moved into itself."""
        seen: set[int] = set()
        while into.number != file_record.ROOT:
            if into.number == moved.number or into.number in seen:
                raise VolumeError(f"{to}: lies inside {path}")
            seen.add(into.number)
            into = self.file(int.from_bytes(into.names()[0][:8], "little"))

    def remove(self, path: str, now: int, *, recursive: bool = False) -> None:
        """Take a name away; with its last one the file goes, and its clusters are free."""
        state, parent, names_here = self._name_at(path)
        below: list[str] = []
        if state.is_directory and not self.directory(state.reference).is_empty():
            if not recursive:
                raise VolumeError(f"{path}: the directory is not empty")
            below = [one for one, _ in self.walk(path)]
        with self.whole_change():
            for one in reversed(below):
                self._remove(*self._name_at(one), now)
            self._remove(state, parent, names_here, now)

    def _remove(self, state: FileState, parent: FileState, names_here: list[bytes], now: int) -> None:
        self._take_names(state, parent, names_here)
        self.touch(parent, now, modified=True)
        if any(value[_NAMESPACE_AT] != file_name.DOS for value in state.names()):
            self.touch(state, now, modified=False)
        else:
            self._delete(state, names_here)

    def _name_at(self, path: str) -> tuple[FileState, FileState, list[bytes]]:
        """A file, the directory of the name asked for, and the $FILE_NAME values of that name.

        A Win32 name and its DOS alias are one: they come and go together.
        """
        way = self._user_way(path)
        if not way:
            raise VolumeError(f"{path}: is the root")
        name, state = way[-1]
        parent = way[-2][1] if len(way) > 1 else self._root
        raw_name = name.encode("utf-16-le", "surrogatepass")
        here = [value for value in state.names() if int.from_bytes(value[:8], "little") == parent.reference]
        named = [value for value in here if value[NAME_AT:] == raw_name]
        if not named:
            raise VolumeError(f"{path}: record {state.number} does not know this name of its own")
        paired = [value for value in here if value[_NAMESPACE_AT] in _PAIRED]
        long_names = sum(value[_NAMESPACE_AT] == file_name.WIN32 for value in paired)
        if named[0][_NAMESPACE_AT] in _PAIRED and long_names == 1:  # Of several, none is the alias' own.
            named = paired
        return state, parent, named

    def _take_names(self, state: FileState, parent: FileState, values: list[bytes]) -> None:
        entries = self.directory(parent.reference)
        for value in values:
            entries.remove(value)
            state.remove_name(value)
        if state.is_directory:
            self._ways.clear()  # Many of them may lead through here.

    def _delete(self, state: FileState, last_names: list[bytes]) -> None:
        """Free what a file has; its record keeps its bytes, as Windows leaves them."""
        self.unindex_object_id(state)
        self.unindex_reparse_point(state)
        for one in state.attributes:
            self.streams.free(one)
        self.space.give_back(state.list_runs)
        for value in last_names:
            state.add_name(value)
        self.forget(state)

    def unindex_object_id(self, state: FileState) -> None:
        """Take a file out of the index of object ids."""
        object_id = state.find(attribute.OBJECT_ID)
        if object_id is not None and object_id.value is not None:
            self._forget_key("$ObjId", "$O", object_id.value[:16])

    def unindex_reparse_point(self, state: FileState) -> None:
        """Take a file out of the index of reparse points."""
        reparse = state.find(attribute.REPARSE_POINT)
        if reparse is not None:
            tag = self.read_part(reparse, 0, 4)
            self._forget_key("$Reparse", "$R", tag + state.reference.to_bytes(8, "little"))

    def _forget_key(self, owner: str, index: str, key: bytes) -> None:
        """Take a key out of an index in $Extend, where there is such an index."""
        view = self.view_in_extend(owner, index)
        if view is not None:
            view.remove(key)

    def view_in_extend(self, owner: str, index: str) -> ViewState | None:
        """An index of a file in $Extend, where there is one."""
        extend = self.directory(reference(file_record.EXTEND, self.state(file_record.EXTEND).sequence))
        found = extend.find(owner)
        return None if found is None else self.view(self.file(found[1]).number, index)


def _same_name(one: bytes, other: bytes) -> bool:
    """Whether two $FILE_NAME values are the same name in the same directory."""
    return one[:8] == other[:8] and one[NAME_AT:] == other[NAME_AT:]
