"""The writer of all volumes, existing and new: it combines the parts of a change.

Paths begin with `/`.  Names are not checked again here: those of a plan were checked with the plan, and
`VolumeEditor` checks those of its callers.
"""

from __future__ import annotations

from collections.abc import Sequence

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute, file_record
from ntfsbuild.ondisk.file_attributes import SETTABLE_ATTRIBUTES, FileAttributes
from ntfsbuild.ondisk.index import COLLATE_FILE_NAME
from ntfsbuild.ondisk.standard_information import Ticks4
from ntfsbuild.ondisk.traits import NO_TRAITS, Form, SomeTicks, Traits
from ntfsbuild.ondisk.volume_information import what_is_wrong_with_label
from ntfsbuild.volume.geometry import Geometry
from ntfsbuild.volume.read.catalog import INDEX_NAME
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.read.volume import VolumeReader
from ntfsbuild.volume.write import index_builder
from ntfsbuild.volume.write.attributes import EA_BIT, SPARSE_BIT, information
from ntfsbuild.volume.write.commit import Commit
from ntfsbuild.volume.write.directories import Directory
from ntfsbuild.volume.write.extend_views import unlist_reparse_point
from ntfsbuild.volume.write.extent import Extent
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.forms import Forms, refuse_external
from ntfsbuild.volume.write.names import Names
from ntfsbuild.volume.write.plain_files import PlainFiles, encode_name
from ntfsbuild.volume.write.secure import Secure
from ntfsbuild.volume.write.stream_maker import FLAGS, StreamMaker
from ntfsbuild.volume.write.traits import TraitWriter
from ntfsbuild.volume.write.transaction import Transaction

_OF_WHAT_GOES = EA_BIT | int(FileAttributes.RECALL_ON_DATA_ACCESS)
# What does not outlive that a file is overwritten.
_OVERWRITTEN = (
    attribute.DATA,
    attribute.REPARSE_POINT,
    attribute.EA_INFORMATION,
    attribute.EA,
    attribute.LOGGED_UTILITY_STREAM,
)


class Writer:
    """Changes a volume through one transaction.

    `file_…` methods take a file that was found by `names`, all others paths.
    """

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.secure = Secure(transaction)
        self.names = Names(transaction)
        self.forms = Forms(transaction)
        self.traits = TraitWriter(transaction, self.secure)
        self.plain_files = PlainFiles(transaction, self.secure, self._make_scattered)
        self._commit = Commit(transaction)

    @property
    def geometry(self) -> Geometry:
        """The sizes of the volume."""
        return self.transaction.geometry

    @property
    def reader(self) -> VolumeReader:
        """The volume with all changes, for reading."""
        self.plain_files.settle()
        return VolumeReader(self.transaction.storage, self.transaction)

    @property
    def cluster_bytes(self) -> int:
        """The size of a cluster."""
        return self.transaction.geometry.cluster_bytes

    @property
    def maker(self) -> StreamMaker:
        """Makes new streams."""
        return self.forms.maker

    def take_extent(self, size_bytes: int) -> Extent:
        """Clusters for the content of a file, which the caller writes before the file is made."""
        with self.transaction.whole_change():
            return self.transaction.stream_writer.take_extent(size_bytes)

    def commit(self) -> None:
        """Commit all changes; afterwards the volume can be changed further."""
        with self.transaction.whole_change():
            self.plain_files.settle()
            self.secure.settle()
            self._commit.run()

    # ------------------------------------------------------------------ making

    def directory_at(self, path: str) -> Directory:
        """The entries of the directory at a path, in which files will be made."""
        state = self.names.settable_at(path)
        if not state.is_directory:
            raise VolumeError(f"{path}: is not a directory")
        self.names.refuse_link(state, path)
        return self.transaction.directory(state.reference)

    def make_file(
        self,
        above: Directory,
        name: str,
        streams: Sequence[Attribute],
        times: Ticks4,
        file_attributes: int,
        traits: Traits = NO_TRAITS,
        *,
        keep_open: bool = False,
    ) -> int:
        """Create a file with its streams; returns its reference.

        It is written at once, unless `keep_open` says that something more will happen to it soon.
        """
        encode_name(name)
        self.plain_files.settle()
        self.traits.refuse_impossible(traits, directory=False)
        with self.transaction.whole_change():
            parent = self.transaction.file(above.reference)
            state = self._new_file(parent, times, file_attributes, traits, directory=False)
            self._put_streams(state, streams)
            self._name(state, parent, name, times[2], traits)
            if not keep_open:
                self._commit.write_now(state)
        return state.reference

    def _make_scattered(
        self, above: Directory, name: str, stream: Attribute, times: Ticks4, file_attributes: int
    ) -> None:
        self.make_file(above, name, [stream], times, file_attributes)

    def make_directory(
        self,
        above: Directory,
        name: str,
        times: Ticks4,
        file_attributes: int,
        *,
        now: int | None = None,
        posix_names: bool = False,
        traits: Traits = NO_TRAITS,
        streams: Sequence[Attribute] = (),
        form: Form | None = None,
    ) -> FileState:
        """Create an empty directory, at its time of change or at `now`.

        With `posix_names`, the names in it need only be legal for NTFS, not for Win32.
        """
        encode_name(name)
        self.plain_files.settle()
        with self.transaction.whole_change():
            parent = self.transaction.file(above.reference)
            state = self._new_file(parent, times, file_attributes, traits, directory=True)
            self.transaction.directory(state.reference).posix_names = posix_names
            self._put_streams(state, streams)
            self.forms.set_inherited_form(state, self.forms.inherited(parent) if form is None else form)
            self._name(state, parent, name, times[2] if now is None else now, traits)
        return state

    def _new_file(
        self, above: FileState, times: Ticks4, file_attributes: int, traits: Traits, *, directory: bool
    ) -> FileState:
        transaction = self.transaction
        security_id = self._security_id(above, traits.security, directory=directory)
        number, sequence = transaction.new_record()
        flags = file_record.IN_USE | (file_record.IS_DIRECTORY if directory else 0)
        state = FileState(number, sequence, flags, [information(times, file_attributes, security_id)])
        state.changed = True
        transaction.add(state)
        if directory:
            state.put(empty_index_root(transaction.geometry.cluster_bytes))
            transaction.add_directory(state)
        return state

    def _security_id(self, above: FileState, explicit: bytes | None, *, directory: bool) -> int:
        """The id of the descriptor of something new in a directory."""
        if directory and self.transaction.disk is None:
            # On a new volume the descriptor that files inherit is added at once, even for an empty directory.
            self.secure.file_inherited(above, explicit)
        if explicit is not None or directory:
            return self.secure.id_in(above, explicit, directory=directory)
        entries = self.transaction.directory(above.reference)
        if entries.file_security_id is None:
            entries.file_security_id = self.secure.id_in(above, None, directory=False)
        return entries.file_security_id

    def _name(self, state: FileState, parent: FileState, name: str, now: int, traits: Traits) -> None:
        """What comes when a new file has its streams: traits, bits, and last the name that shows them."""
        self.traits.apply_to_new(state, traits)
        self.traits.derive_attribute_bits(state)
        self.names.add_name(
            state,
            parent,
            name,
            now,
            short_name=traits.short_name,
            own_times=traits.name_times,
            entry_times=traits.entry_times,
        )

    def close_files(self) -> None:
        """Write the new files that were kept open: nothing more will happen to them."""
        self.plain_files.settle()
        with self.transaction.whole_change():
            for _, state in sorted(self.transaction.states.items()):
                if state.is_new and not state.is_directory:
                    self._commit.write_now(state)

    def replace_file(
        self,
        path: str,
        streams: Sequence[Attribute],
        now: int,
        times: SomeTicks = (None, None, None, None),
        file_attributes: int | None = None,
        traits: Traits = NO_TRAITS,
    ) -> None:
        """Overwrite a file as Windows does: it keeps its record, its names and its security descriptor.

        Alternate data streams, reparse point, extended attributes and encryption are removed.  Times and
        attributes that are not given stay, unless the overwriting itself changes them.
        """
        state = self.names.file_at(path)
        transaction, old = self.transaction, state.information()
        if file_attributes is None:
            kept = old.attributes & SETTABLE_ATTRIBUTES & ~_OF_WHAT_GOES
            file_attributes = kept | int(FileAttributes.ARCHIVE)
        usual = (old.created_ticks, now, now, old.accessed_ticks)
        ticks = tuple(mine if given is None else given for given, mine in zip(times, usual, strict=True))
        with transaction.whole_change():
            unlist_reparse_point(transaction, state)
            for one in [one for one in state.attributes if one.type_code in _OVERWRITTEN]:
                transaction.stream_writer.free(one)
                state.attributes.remove(one)
            self._put_streams(state, streams)
            self._set(state, {"attributes": file_attributes, **named_ticks(ticks)})
            self.traits.derive_attribute_bits(state)
        if traits is not NO_TRAITS:
            self.set_traits(path, traits, ticks[2])

    def _put_streams(self, state: FileState, streams: Sequence[Attribute]) -> None:
        """Replace the streams of the same names."""
        for one in streams:
            old = self.names.find_stream(state, one.name)
            if old is not None:
                self.transaction.stream_writer.free(old)
                state.drop(attribute.DATA, old.name)
            state.put(one)

    # ------------------------------------------------------------------ contents

    def stream_bytes(self, path: str, stream: str = "") -> int:
        """The size of a stream; 0 if there is none."""
        found = self.names.find_stream(self.names.file_at(path, stream), stream)
        return found.size_bytes if found else 0

    def write(self, path: str, at: int, data: bytes | memoryview, now: int, stream: str = "") -> None:
        """Write at byte `at` of a stream; a missing alternate data stream is created."""
        state = self.names.file_at(path, stream)
        found = self.names.find_stream(state, stream)
        if found is None:
            if not stream:
                raise VolumeError(f"{path}: it has no content")
            found = Attribute(attribute.DATA, stream, 0, 0, b"")
        self._refuse_unreadable(state, found, path)
        with self.transaction.whole_change(of_content=True):
            new = self.transaction.stream_writer.write(found, at, data)
        with self.transaction.whole_change():
            state.put(new)
            self._changed(state, now)

    def truncate(self, path: str, size_bytes: int, now: int, stream: str = "") -> None:
        """Cut or extend a stream."""
        state = self.names.file_at(path, stream)
        found = self.names.existing_stream(state, stream, path)
        self._refuse_unreadable(state, found, path)
        with self.transaction.whole_change(of_content=True):
            new = self.transaction.stream_writer.truncate(found, size_bytes)
        with self.transaction.whole_change():
            state.put(new)
            self._changed(state, now)

    def remove_stream(self, path: str, stream: str, now: int) -> None:
        """Remove an alternate data stream."""
        assert stream
        state = self.names.file_at(path, stream)
        found = self.names.existing_stream(state, stream, path)
        with self.transaction.whole_change():
            self.transaction.stream_writer.free(found)
            state.drop(attribute.DATA, found.name)
            self._changed(state, now)

    def _refuse_unreadable(self, state: FileState, stream: Attribute, path: str) -> None:
        """Refuse a change of a part of content that cannot be read."""
        if stream.flags & attribute.ENCRYPTED:
            raise VolumeError(f"{path}: the content is encrypted, and no key was given")
        if not stream.name:
            refuse_external(state, path, self.transaction.streams)

    def _changed(self, state: FileState, now: int) -> None:
        self.transaction.touch(state, now, modified=True, archive=not state.is_directory)

    # ------------------------------------------------------------------ metadata

    def set_traits(
        self,
        path: str,
        traits: Traits,
        now: int,
        streams: Sequence[Attribute] = (),
        form: Form | None = None,
        *,
        file_key: bytes | None = None,
        valid_bytes: int | None = None,
    ) -> None:
        """Set the given metadata of a file or directory, and keep the rest; `file_key` encrypts it."""
        state = self.names.settable_at(path)
        is_root = state.number == file_record.ROOT
        if is_root and traits.short_name is not None:
            raise VolumeError(f"{path}: the root's name is NTFS's own")
        if form in ("sparse", "sparse_compressed") and state.is_directory:
            raise VolumeError(f"{path}: a directory is not sparse")
        self.traits.refuse_impossible(traits, directory=state.is_directory)
        self.names.refuse_short_name(path, traits.short_name)
        with self.transaction.whole_change():
            if is_root:
                self.traits.lengthen(state)
            if traits.security is not None:
                above = path.rstrip("/").rpartition("/")[0] or "/"
                parent = None if is_root else self.names.settable_at(above)
                self.traits.secure(state, parent, traits.security)
                if state.is_directory:
                    self.transaction.directory(state.reference).file_security_id = None
            self.traits.apply_traits(state, traits)
            self._put_streams(state, streams)
            if form == "encrypted" and file_key is not None:
                self.forms.encrypt(state, file_key)
            elif form is not None:
                self.forms.convert(state, form)
            if valid_bytes is not None:
                self.forms.set_valid_data(state, valid_bytes)
            self.traits.derive_attribute_bits(state, kept=0 if form or streams else SPARSE_BIT)
            if traits.short_name is not None:
                self.names.set_short_name(path, traits.short_name, now)
            self.transaction.touch(state, now, modified=False)
            here = state.names() if is_root else self.names.name_at(path)[2]
            if traits.name_times is not None:
                self.traits.set_name_times(state, here, traits.name_times)
            if traits.entry_times is not None:
                self.traits.set_entry_times(state, here, traits.entry_times)

    def set_times(
        self,
        path: str,
        *,
        created: int | None = None,
        modified: int | None = None,
        changed: int | None = None,
        accessed: int | None = None,
    ) -> None:
        """Set the given times, up to four."""
        state = self.names.settable_at(path)
        given = named_ticks((created, modified, changed, accessed))
        existing = state.information()
        new = {name: ticks for name, ticks in given.items() if ticks not in (None, getattr(existing, name))}
        if new:  # Else even the entries, which may say other times, stay as they are.
            with self.transaction.whole_change():
                self._set(state, new)

    def set_attributes(self, path: str, file_attributes: int, mask: int, now: int) -> None:
        """Set the FILE_ATTRIBUTE bits in `mask` to those of `file_attributes`."""
        state = self.names.settable_at(path)
        old = state.information().attributes
        if state.find(attribute.EA) is not None:
            mask &= ~(EA_BIT & ~file_attributes)  # It follows from them.
        with self.transaction.whole_change():
            self._set(state, {"attributes": old & ~mask | file_attributes & mask, "changed_ticks": now})

    def _set(self, state: FileState, values: dict[str, int]) -> None:
        state.change_information(values)
        self.transaction.stale.add(state.number)

    def set_label(self, label: str) -> None:
        """Set the label of the volume."""
        assert what_is_wrong_with_label(label) is None
        with self.transaction.whole_change():
            state = self.transaction.state(file_record.VOLUME)
            state.put(Attribute(attribute.VOLUME_NAME, "", 0, 0, label.encode("utf-16-le")))

    def set_volume_object_id(self, value: bytes) -> None:
        """The object id of the volume itself."""
        with self.transaction.whole_change():
            state = self.transaction.state(file_record.VOLUME)
            old = state.find(attribute.OBJECT_ID)
            if old is None or old.value != value[:16]:
                self.traits.set_object_id(state, value)


def empty_index_root(cluster_bytes: int, form: Form = "plain") -> Attribute:
    """The `$I30` of an empty directory."""
    empty = index_builder.pack_small([])
    root = index_builder.root_value(empty, attribute.FILE_NAME, COLLATE_FILE_NAME, cluster_bytes)
    return Attribute(attribute.INDEX_ROOT, INDEX_NAME, FLAGS[form], 0, root)


def named_ticks(times: tuple[int | None, ...]) -> dict[str, int]:
    """Four times under their names in $STANDARD_INFORMATION."""
    fields = ("created_ticks", "modified_ticks", "changed_ticks", "accessed_ticks")
    return dict(zip(fields, times, strict=True))  # type: ignore[arg-type]
