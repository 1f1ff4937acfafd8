"""A formatted volume of any maker, open for changing: everything in memory until `commit`.

File data goes straight to clusters that the old volume does not use.  Records, indexes and bitmaps are
written once, at the commit, each whole: a directory that changed as a freshly packed tree, a file laid
into as few records as it needs.  Times come from the caller, never from a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ntfsbuild.content.model import SIZE_MAX
from ntfsbuild.errors import ManifestError, VolumeError
from ntfsbuild.image.raw import ChangeableStorage
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.index import COLLATE_FILE_NAME
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import NO_TRAITS, Form, Traits
from ntfsbuild.ondisk.volume_information import what_is_wrong_with_label
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write import attributes as parts
from ntfsbuild.volume.write import index_builder
from ntfsbuild.volume.write.commit import Commit
from ntfsbuild.volume.write.extent import StreamSpace
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.safety import refuse_misowned, refuse_unsafe
from ntfsbuild.volume.write.traits import Featuring

# What a user may set; all other bits follow from what a file is.
SETTABLE_ATTRIBUTES = int(
    FileAttributes.READONLY
    | FileAttributes.HIDDEN
    | FileAttributes.SYSTEM
    | FileAttributes.ARCHIVE
    | FileAttributes.TEMPORARY
    | FileAttributes.OFFLINE
    | FileAttributes.NOT_CONTENT_INDEXED
    | FileAttributes.INTEGRITY_STREAM
    | FileAttributes.NO_SCRUB_DATA
    | FileAttributes.PINNED
    | FileAttributes.UNPINNED
    | FileAttributes.RECALL_ON_OPEN
    | FileAttributes.RECALL_ON_DATA_ACCESS
)
_OF_WHAT_GOES = parts.EA_BIT | int(FileAttributes.RECALL_ON_DATA_ACCESS)
# What does not outlive that a file is overwritten.
_OVERWRITTEN = (
    attribute.DATA,
    attribute.REPARSE_POINT,
    attribute.EA_INFORMATION,
    attribute.EA,
    attribute.LOGGED_UTILITY_STREAM,
)

Content: TypeAlias = (
    bytes | StreamSpace | Sequence[Attribute]
)  # Of one stream, or all streams that there are.


class VolumeEditor(Featuring):
    """Changes a volume.  Paths begin with `/`; a parent directory must be there.

    A change that is refused (VolumeError, ManifestError) has changed nothing; after one that broke off
    in the middle (no room, damage, the host) the volume can no longer be committed.
    """

    def __init__(
        self,
        storage: ChangeableStorage,
        *,
        force: bool = False,
        check: bool | None = None,
        like: VolumeEditor | None = None,
    ) -> None:
        """`force` lets a dirty volume pass.  `check` says whether all records are held against the bitmaps.

        `like` is an editor of the same bytes elsewhere, of which a copy was made: what it has checked holds.
        """
        super().__init__(storage)
        refuse_unsafe(self, force=force)
        if like is None:
            refuse_misowned(self, check=check)
        elif like.streams.free_is_proven:
            self.accounted(like.names)

    def commit(self) -> None:
        """Write everything; afterwards the volume is the new one, and can be changed further."""
        with self.whole_change():
            self.security.settle()
            Commit(self).run()

    # ------------------------------------------------------------------ making

    def take_space(self, size_bytes: int) -> StreamSpace:
        """Clusters for the content of a file, which the caller writes before the file is made."""
        with self.whole_change():
            return self.streams.take_space(size_bytes)

    def make_file(
        self,
        path: str,
        content: Content,
        times: Ticks4,
        attributes: int,
        *,
        posix_names: bool = False,
        traits: Traits = NO_TRAITS,
    ) -> None:
        """Create a file with its content; its directory was changed at its time of change."""
        parent, name = self.place_for(path, posix_names=posix_names)
        with self.whole_change():
            state = self._new_file(parent, times, attributes, traits, directory=False)
            self.put_streams(state, self._streams_of(content, self.handed_down_form(path)))
            self._finish(state, parent, name, times[2], traits)

    def make_directory(
        self,
        path: str,
        times: Ticks4,
        attributes: int,
        *,
        now: int | None = None,
        posix_names: bool = False,
        traits: Traits = NO_TRAITS,
        streams: Sequence[Attribute] = (),
        form: Form | None = None,
    ) -> None:
        """Create an empty directory, at its time of change or at `now`."""
        parent, name = self.place_for(path, posix_names=posix_names)
        with self.whole_change():
            state = self._new_file(parent, times, attributes, traits, directory=True)
            self.put_streams(state, streams)
            self.hand_down(state, self.handed_down_form(path) if form is None else form)
            self._finish(state, parent, name, times[2] if now is None else now, traits)

    def _new_file(
        self, above: FileState, times: Ticks4, attributes: int, traits: Traits, *, directory: bool
    ) -> FileState:
        security_id = self.security_id(above, traits.security, directory=directory)
        number, sequence = self.new_record()
        flags = file_record.IN_USE | (file_record.IS_DIRECTORY if directory else 0)
        state = FileState(number, sequence, flags, [])
        state.put(parts.information(times, attributes, security_id, NO_TRAITS))
        if directory:
            empty = index_builder.pack_small([])
            cluster_bytes = self.geometry.cluster_bytes
            root = index_builder.root_value(empty, attribute.FILE_NAME, COLLATE_FILE_NAME, cluster_bytes)
            state.put(Attribute(attribute.INDEX_ROOT, "$I30", 0, 0, root))
        self.states[number] = state
        return state

    def _finish(self, state: FileState, parent: FileState, name: str, now: int, traits: Traits) -> None:
        """What comes when a new file has its streams: traits, bits, and last the name that shows them."""
        self.dress(state, traits)
        self.follow_bits(state)
        self.add_name(
            state,
            parent,
            name,
            now,
            short_name=traits.short_name,
            own_times=traits.name_times,
            entry_times=traits.entry_times,
        )

    def _streams_of(self, content: Content, form: Form) -> Sequence[Attribute]:
        """The streams of a content; `form` is that of bytes, what lies in clusters already has its own."""
        if isinstance(content, StreamSpace):
            return [content.stream()]
        if isinstance(content, bytes):
            return [self.streams.write(self.maker.resident("", form, b""), 0, content)]
        return content

    def replace_file(
        self,
        path: str,
        content: Content,
        now: int,
        times: tuple[int | None, ...] = (None,) * 4,
        attributes: int | None = None,
        traits: Traits = NO_TRAITS,
    ) -> None:
        """Overwrite a file as Windows does: it keeps its record, its names and who may do what with it.

        Named streams go, and so does what makes it more than a plain file: reparse point, extended
        attributes, encryption.  Times and attributes that are not given stay, but for what follows from
        the change.
        """
        state = self.file_at(path)
        old = state.information()
        if attributes is None:
            attributes = old.attributes & SETTABLE_ATTRIBUTES & ~_OF_WHAT_GOES | int(FileAttributes.ARCHIVE)
        usual = (old.created_ticks, now, now, old.accessed_ticks)
        created, modified, changed, accessed = (
            mine if given is None else given for given, mine in zip(times, usual, strict=True)
        )
        ticks = created, modified, changed, accessed
        with self.whole_change():
            form = self.form_of(path)
            self.unindex_reparse_point(state)
            for one in [one for one in state.attributes if one.type_code in _OVERWRITTEN]:
                self.streams.free(one)
                state.attributes.remove(one)
            self.put_streams(state, self._streams_of(content, form))
            self._set(state, {"attributes": attributes, **_ticks(ticks)})
            self.follow_bits(state)
        if traits is not NO_TRAITS:
            self.set_traits(path, traits, changed)

    # ------------------------------------------------------------------ contents

    def stream_bytes(self, path: str, stream: str = "") -> int:
        """The size of a stream; 0 where there is none."""
        found = self.find_stream(self.file_at(path, stream), stream)
        return found.size_bytes if found else 0

    def write(self, path: str, at: int, data: bytes | memoryview, now: int, stream: str = "") -> None:
        """Write at byte `at` of a stream; a named one is made when it is not there."""
        _refuse_impossible(at, at + len(data))
        state = self.file_at(path, stream)
        found = self.find_stream(state, stream)
        if found is None:
            if not stream:
                raise VolumeError(f"{path}: it has no content")
            found = Attribute(attribute.DATA, stream, 0, 0, b"")
        self._refuse_unreadable(state, found, path)
        with self.whole_change():
            state.put(self.streams.write(found, at, data))
            self._changed(state, now)

    def append(self, path: str, data: bytes | memoryview, now: int, stream: str = "") -> None:
        """Write behind the end."""
        self.write(path, self.stream_bytes(path, stream), data, now, stream)

    def truncate(self, path: str, size_bytes: int, now: int, stream: str = "") -> None:
        """Cut or extend a stream."""
        _refuse_impossible(size_bytes)
        state = self.file_at(path, stream)
        found = self.existing_stream(state, stream, path)
        self._refuse_unreadable(state, found, path)
        with self.whole_change():
            state.put(self.streams.truncate(found, size_bytes))
            self._changed(state, now)

    def remove_stream(self, path: str, stream: str, now: int) -> None:
        """Take a named stream away."""
        assert stream
        state = self.file_at(path, stream)
        found = self.existing_stream(state, stream, path)
        with self.whole_change():
            self.streams.free(found)
            state.drop(attribute.DATA, found.name)
            self._changed(state, now)

    def _refuse_unreadable(self, state: FileState, stream: Attribute, path: str) -> None:
        """What cannot be read cannot be changed in part."""
        if stream.flags & attribute.ENCRYPTED:
            raise VolumeError(f"{path}: the content is encrypted, and no key was given")
        if not stream.name:
            self._refuse_external(state.attributes, path)

    def _changed(self, state: FileState, now: int) -> None:
        self.touch(state, now, modified=True, archive=not state.is_directory)

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
        state = self.settable_at(path)
        given = _ticks((created, modified, changed, accessed))
        there = state.information()
        new = {name: value for name, value in given.items() if value not in (None, getattr(there, name))}
        if new:  # Else even the entries, which may say other times, stay as they are.
            with self.whole_change():
                self._set(state, new)

    def set_attributes(self, path: str, attributes: int, mask: int, now: int) -> None:
        """Set the FILE_ATTRIBUTE bits in `mask` to those of `attributes`."""
        state = self.settable_at(path)
        old = state.information().attributes
        if state.find(attribute.EA) is not None:
            mask &= ~(parts.EA_BIT & ~attributes)  # It follows from that.
        with self.whole_change():
            self._set(state, {"attributes": old & ~mask | attributes & mask, "changed_ticks": now})

    def _set(self, state: FileState, values: dict[str, int]) -> None:
        state.change_information(values)
        self.stale.add(state.number)

    def set_label(self, label: str) -> None:
        """Name the volume."""
        if wrong := what_is_wrong_with_label(label):
            raise ManifestError(f"the label {wrong}")
        with self.whole_change():
            state = self.state(file_record.VOLUME)
            state.put(Attribute(attribute.VOLUME_NAME, "", 0, 0, label.encode("utf-16-le")))
            self.__dict__.pop("label", None)


def _refuse_impossible(*sizes: int) -> None:
    for size in sizes:
        if not 0 <= size <= SIZE_MAX:
            raise ManifestError(f"{size} is no size that a stream can have")


def _ticks(times: tuple[int | None, ...]) -> dict[str, int]:
    fields = ("created_ticks", "modified_ticks", "changed_ticks", "accessed_ticks")
    return dict(zip(fields, times, strict=True))  # type: ignore[arg-type]
