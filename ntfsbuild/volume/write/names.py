"""Creates, renames and removes names; a file is deleted with its last name."""

from __future__ import annotations

from collections.abc import Iterator

from ntfsbuild.errors import CorruptVolume, ManifestError, VolumeError
from ntfsbuild.ondisk import attribute, file_name, file_record, names
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.reparse_tags import is_name_surrogate
from ntfsbuild.ondisk.short_names import is_short
from ntfsbuild.ondisk.traits import MADE_SHORT_NAME, SomeTicks, Traits
from ntfsbuild.volume.read.catalog import stream_named
from ntfsbuild.volume.read.file import reparse_tag_of
from ntfsbuild.volume.read.paths import Paths, Way
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write.attributes import MOST_NAMES, names_of
from ntfsbuild.volume.write.directories import Directory, name_in
from ntfsbuild.volume.write.extend_views import unlist_object_id, unlist_reparse_point
from ntfsbuild.volume.write.file_names import file_name_of
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.transaction import Transaction

_SYSTEM_NAMES = frozenset(names.folded(names.SYSTEM_NAMES))
_NAMESPACE_AT = 0x41
_REPARSE_POINT = int(FileAttributes.REPARSE_POINT)
_PAIRED = (file_name.WIN32, file_name.DOS)


class Names:
    """Finds the files of a change, and changes their names."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.paths = Paths(transaction)
        self._users: set[int] = set()  # Directories, by reference, that lie in none of NTFS's own.

    # ------------------------------------------------------------------ finding

    def file_at(self, path: str, stream: str = "") -> FileState:
        """The file whose content is to be changed; a directory only for an alternate data stream."""
        state = self._user_state(path)
        if state.is_directory and not stream:
            raise VolumeError(f"{path}: is a directory")
        return state

    def settable_at(self, path: str) -> FileState:
        """The file or directory, perhaps the root, whose metadata are to be changed."""
        return self._last(self._user_way(path))

    def _user_state(self, path: str) -> FileState:
        way = self._user_way(path)
        if not way:
            raise VolumeError(f"{path}: is the root")
        return self._last(way)

    def _last(self, way: Way) -> FileState:
        return self._transaction.file(way[-1][1]) if way else self._transaction.root

    def _user_way(self, path: str) -> Way:
        """Name and reference of each step, none for the root; changing a system file is refused."""
        way, known = self.paths.way(path), self._users
        for _, meant in reversed(way):
            if meant in known:
                break  # And so all above it: in a deep tree each is checked once.
            state = self._transaction.file(meant)
            if state.number <= file_record.LAST_RESERVED or state.flags & file_record.IN_EXTEND:
                raise VolumeError(f"{path}: is one of NTFS's own files, or lies in one")
        for _, meant in reversed(way[:-1]):
            if meant in known:
                break
            known.add(meant)
        return way

    def existing_stream(self, state: FileState, stream: str, path: str) -> Attribute:
        """A stream that must be there."""
        found = self.find_stream(state, stream)
        if found is None:
            raise VolumeError(f"{path}: it has no stream {stream!r}" if stream else f"{path}: has no content")
        return found

    def find_stream(self, state: FileState, name: str) -> Attribute | None:
        """A $DATA stream by its name: the exact name if there is one, else ignoring case."""
        found = state.find(attribute.DATA, name)
        return stream_named(state.attributes, name, self._transaction.case) if found is None else found

    def place_for(self, path: str, *, posix_names: bool = False) -> tuple[FileState, str]:
        """The directory of a new name, and the name, which must be unused."""
        parent, name, found = self._place(path, posix_names)
        if found is not None:
            raise VolumeError(f"{path}: is there already")
        return parent, name

    def _place(self, path: str, posix_names: bool) -> tuple[FileState, str, bytes | None]:
        """The directory and the name of a path, and the key of the existing entry, if any."""
        above, _, name = path.rstrip("/").rpartition("/")
        if wrong := names.what_is_wrong(name, posix=posix_names):
            raise ManifestError(f"{path}: {wrong}")
        parent = self._last(self._user_way(above))
        if not parent.is_directory:
            raise VolumeError(f"{path}: {above} is not a directory")
        self.refuse_link(parent, path)
        if parent.number == file_record.ROOT and names.folded([name])[0] in _SYSTEM_NAMES:
            raise ManifestError(f"{path}: is the name of one of NTFS's own files")
        found = self._transaction.directory(parent.reference).find(name, exactly=posix_names)
        return parent, name, found[0] if found else None

    def refuse_link(self, state: FileState, path: str) -> None:
        """Raise VolumeError if a directory is a link: no file can be made in it."""
        if state.information().attributes & _REPARSE_POINT and is_name_surrogate(
            reparse_tag_of(state.attributes, self._transaction.streams)
        ):
            above = self._transaction.path_of(state)
            raise VolumeError(f"{path}: {above} is a link: what lies in it is somewhere else")

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
        """Give a file a name in a directory, and a short name if one is given.

        `own_times` are those of $FILE_NAME, `entry_times` those of the entry, if they differ from the file's.
        """
        transaction = self._transaction
        entries = transaction.directory(parent.reference)
        short_name = self.short_name_for(parent, name, short_name)
        for one, namespace in names_of(name, short_name):
            raw_name = one.encode("utf-16-le", "surrogatepass")
            if entry_times is not None:
                transaction.entry_times.set(state.number, parent.reference, raw_name, entry_times)
            its_times = transaction.entry_times.of(state.number, parent.reference, raw_name)
            own = file_name_of(transaction, state, parent.reference, raw_name, namespace, own_times)
            state.add_name(own)
            entry = file_name_of(transaction, state, parent.reference, raw_name, namespace, its_times)
            entries.put(entry, state.reference)
        transaction.touch(parent, now, modified=True)

    def link(
        self, path: str, to: str, now: int, *, posix_names: bool = False, short_name: str | None = None
    ) -> None:
        """One more name for a file."""
        state = self.file_at(path)
        parent, name = self.place_for(to, posix_names=posix_names)
        above = self._transaction.directory(parent.reference)
        above.posix_names |= posix_names
        self.short_name_for(parent, name, short_name)
        self.link_file(state, above, name, now, Traits(short_name=short_name))

    def link_file(
        self,
        state: FileState,
        above: Directory,
        name: str,
        now: int,
        traits: Traits,
        *,
        keeps_times: bool = False,
    ) -> None:
        """One more name for a file, in a directory; `traits` has its short name and its times.

        With `keeps_times` the file is new, and the name does not change its given times.
        """
        more = len(names_of(name, traits.short_name))
        if len(state.names()) + more > MOST_NAMES:
            raise VolumeError(
                f"{name}: the file has {len(state.names())} names: {MOST_NAMES} are the most, "
                "short ones counted"
            )
        with self._transaction.whole_change():
            if not keeps_times:
                self._transaction.touch(state, now, modified=False)
            self.add_name(
                state,
                self._transaction.file(above.reference),
                name,
                now,
                short_name=traits.short_name,
                own_times=traits.name_times,
                entry_times=traits.entry_times,
            )

    def rename(
        self, path: str, to: str, now: int, *, replace: bool = False, posix_names: bool = False
    ) -> None:
        """Rename a file or a directory, or move it to another directory.

        With `replace` a file may replace an existing file, a directory an existing empty directory.
        """
        state, parent, names_here = self.name_at(path)
        into, name, there = self._place(to, posix_names)
        taken = there is not None and not any(_same_name(there, value) for value in names_here)
        if taken:
            self._refuse_replacing(to, state, replace)
        if state.is_directory:
            self._refuse_inside(state, into, path, to)
        self._transaction.directory(into.reference).posix_names |= posix_names
        with self._transaction.whole_change():
            if taken:
                self.remove(to, now)
            self.take_names(state, parent, names_here)
            self._transaction.touch(state, now, modified=False)
            self.add_name(state, into, name, now)
            self._transaction.touch(parent, now, modified=True)

    def short_name_for(self, parent: FileState, name: str, short_name: str | None) -> str | None:
        """The short name that a new name in a directory gets; raises ManifestError if it cannot be used."""
        if not short_name:
            return short_name
        entries = self._transaction.directory(parent.reference)
        # As on Windows: a name that Win32 cannot open, or that differs from another in case alone, is POSIX.
        posix_only = names.what_is_wrong(name, posix=False) or entries.has_win32(name)
        if short_name == MADE_SHORT_NAME:
            return None if posix_only else name if is_short(name) else entries.short_name(name)
        if posix_only:
            raise ManifestError(f"{name}: a name that only POSIX allows here has no short name")
        if entries.find(short_name) is not None:
            raise ManifestError(f"{name}: the short name {short_name} is in its directory already")
        return short_name

    def refuse_short_name(self, path: str, short_name: str | None) -> None:
        """Raise ManifestError if another file of the directory has this short name."""
        if not short_name or short_name == MADE_SHORT_NAME:
            return
        _, parent, here = self.name_at(path)
        found = self._transaction.directory(parent.reference).find(short_name)
        if found is not None and found[0][NAME_AT:] not in [value[NAME_AT:] for value in here]:
            raise ManifestError(f"{path}: the short name {short_name} is in its directory already")

    def set_short_name(self, path: str, short_name: str, now: int) -> None:
        """Change or remove the short name of a name."""
        state, parent, here = self.name_at(path)
        long_name = next(value for value in here if value[_NAMESPACE_AT] != file_name.DOS)
        self.take_names(state, parent, here)
        name = name_in(long_name).decode("utf-16-le", "surrogatepass")
        self.add_name(state, parent, name, now, short_name=short_name)

    def _refuse_replacing(self, to: str, by: FileState, replace: bool) -> None:
        if not replace:
            raise VolumeError(f"{to}: is there already")
        old = self._user_state(to)
        if old.is_directory != by.is_directory:
            kind = "a directory" if old.is_directory else "a file"
            raise VolumeError(f"{to}: is {kind}, and what would take its place is not")
        if old.is_directory and not self._transaction.directory(old.reference).is_empty():
            raise VolumeError(f"{to}: the directory is not empty")

    def _refuse_inside(self, moved: FileState, into: FileState, path: str, to: str) -> None:
        """A directory cannot be moved into itself."""
        seen: set[int] = set()
        while into.number != file_record.ROOT:
            if into.number == moved.number or into.number in seen:
                raise VolumeError(f"{to}: lies inside {path}")
            seen.add(into.number)
            into = self._transaction.file(int.from_bytes(into.names()[0][:8], "little"))

    def remove(self, path: str, now: int, *, recursive: bool = False) -> None:
        """Remove a name; with its last name the file is deleted, and its clusters are freed."""
        state, parent, names_here = self.name_at(path)
        below: list[tuple[FileState, FileState, bytes]] = []
        if state.is_directory and not self._transaction.directory(state.reference).is_empty():
            if not recursive:
                raise VolumeError(f"{path}: the directory is not empty")
            below = list(self._names_below(state))
        with self._transaction.whole_change():
            for file, above, raw_name in reversed(below):
                self._remove(file, above, self._named(file, above, raw_name, path), now)
            self._remove(state, parent, names_here, now)

    def _names_below(self, top: FileState) -> Iterator[tuple[FileState, FileState, bytes]]:
        """File, directory and raw name of each name below a directory but short ones; parents first."""
        transaction = self._transaction
        pending, seen = [top], {top.number}
        while pending:
            above = pending.pop()
            for key, meant in transaction.directory(above.reference).pairs():
                if key[_NAMESPACE_AT] == file_name.DOS:
                    continue
                state = transaction.file(meant)
                yield state, above, name_in(key)
                if state.is_directory:
                    if state.number in seen:
                        raise CorruptVolume(f"record {state.number} is listed in two places")
                    seen.add(state.number)
                    pending.append(state)

    def _remove(self, state: FileState, parent: FileState, names_here: list[bytes], now: int) -> None:
        self.take_names(state, parent, names_here)
        self._transaction.touch(parent, now, modified=True)
        if any(value[_NAMESPACE_AT] != file_name.DOS for value in state.names()):
            self._transaction.touch(state, now, modified=False)
        else:
            self._delete(state, names_here)

    def name_at(self, path: str) -> tuple[FileState, FileState, list[bytes]]:
        """A file, the directory of the name asked for, and the $FILE_NAME values of that name.

        A Win32 name and its DOS alias are one: they come and go together.
        """
        way = self._user_way(path)
        if not way:
            raise VolumeError(f"{path}: is the root")
        name, state, parent = way[-1][0], self._last(way), self._last(way[:-1])
        raw_name = name.encode("utf-16-le", "surrogatepass")
        return state, parent, self._named(state, parent, raw_name, path)

    @staticmethod
    def _named(state: FileState, parent: FileState, raw_name: bytes, path: str) -> list[bytes]:
        """The $FILE_NAME values of a name in a directory, its DOS alias among them."""
        here = [value for value in state.names() if int.from_bytes(value[:8], "little") == parent.reference]
        named = [value for value in here if value[NAME_AT:] == raw_name]
        if not named:
            raise VolumeError(f"{path}: record {state.number} does not know this name of its own")
        paired = [value for value in here if value[_NAMESPACE_AT] in _PAIRED]
        long_names = sum(value[_NAMESPACE_AT] == file_name.WIN32 for value in paired)
        if named[0][_NAMESPACE_AT] in _PAIRED and long_names == 1:  # Of several, none is the alias' own.
            return paired
        return named

    def take_names(self, state: FileState, parent: FileState, values: list[bytes]) -> None:
        """Remove these $FILE_NAME values of a directory from a file."""
        entries = self._transaction.directory(parent.reference)
        for value in values:
            entries.remove(value)
            state.remove_name(value)
        if state.is_directory:
            self.paths.forget()  # Many of them may lead through here.
            self._users.clear()

    def _delete(self, state: FileState, last_names: list[bytes]) -> None:
        """Free what a file has; its record keeps its bytes, as Windows leaves them."""
        transaction = self._transaction
        unlist_object_id(transaction, state)
        unlist_reparse_point(transaction, state)
        for one in state.attributes:
            transaction.stream_writer.free(one)
        transaction.clusters.give_back(state.list_runs)
        for value in last_names:
            state.add_name(value)
        transaction.forget(state)


def _same_name(one: bytes, other: bytes) -> bool:
    """Whether two $FILE_NAME values are the same name in the same directory."""
    return one[:8] == other[:8] and one[NAME_AT:] == other[NAME_AT:]
