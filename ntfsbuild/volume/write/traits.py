"""Everything that files and directories have besides content and times, on a volume that is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ntfsbuild.errors import CorruptVolume, ManifestError, VolumeError
from ntfsbuild.image.raw import ChangeableStorage
from ntfsbuild.ondisk import (
    attribute,
    file_name,
    file_record,
    object_id,
    reparse_point,
    security,
    security_inheritance,
    unix_metadata,
)
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.standard_information import StandardInformation
from ntfsbuild.ondisk.traits import Form, SomeTicks, Traits
from ntfsbuild.volume.read.catalog import entry_key
from ntfsbuild.volume.read.records import Attribute
from ntfsbuild.volume.write import attributes as parts
from ntfsbuild.volume.write.descriptors import view_entry
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.forms import Forming
from ntfsbuild.volume.write.inherited_security import Heritage
from ntfsbuild.volume.write.secure import SecurityEditor

_NAMESPACE_AT = 0x41


class Featuring(Forming):
    """Reads and writes traits; finds out what a directory hands down."""

    def __init__(self, storage: ChangeableStorage) -> None:
        super().__init__(storage)
        self.security = SecurityEditor(self)
        self._heritage = Heritage()

    # ------------------------------------------------------------------ what directories hand down

    def security_id(self, above: FileState, explicit: bytes | None, *, directory: bool) -> int:
        """The id of the descriptor that something in a directory has."""
        handing = self._descriptor_of(above)
        return self.security.id_of(self._heritage.descriptor(handing, explicit, directory=directory))

    def _descriptor_of(self, state: FileState) -> bytes:
        own = state.find(attribute.SECURITY_DESCRIPTOR)
        security_id = state.information().security_id
        filed = self.descriptors.descriptor_of(security_id) if security_id else None
        if filed is not None:
            return filed
        if own is None and security_id:
            raise CorruptVolume(
                f"record {state.number}: $Secure has no descriptor for its id {security_id:#x}"
            )
        return self._streams.read(own) if own is not None else security.DEFAULT_DIRECTORY

    # ------------------------------------------------------------------ new files

    def dress(self, state: FileState, traits: Traits) -> None:
        """Give a file what traits say, but for its security and its names."""
        if traits.reparse is not None:
            self._set_reparse(state, traits.reparse)
        if traits.object_id is not None:
            self._set_object_id(state, traits.object_id)
        if traits.ea is not None:
            self._set_ea(state, traits.ea)
        if traits.unix is not None:
            self._set_unix(state, traits.unix)
        if traits.efs is not None:
            self.replace_value(state, attribute.LOGGED_UTILITY_STREAM, parts.EFS_NAME, traits.efs)
        if said := traits.information():
            self._lengthen(state)
            state.change_information(said)
        if traits.case_sensitive is not None:
            if not state.is_directory:
                raise VolumeError("only directories tell names apart by case")
            self.directory(state.reference).tell_cases_apart(traits.case_sensitive)
        self.stale.add(state.number)

    def follow_bits(self, state: FileState, *, kept: int = 0) -> None:
        """Let the attribute bits that follow from streams and traits say what the file is.

        Bits in `kept` are not taken away: Windows leaves a file sparse whose sparse stream is gone.
        """
        main = state.find(attribute.INDEX_ROOT, "$I30") if state.is_directory else state.find(attribute.DATA)
        reparse = state.find(attribute.REPARSE_POINT) is not None
        traits = Traits(reparse=b"there" if reparse else None)
        bits = parts.bits_of(traits, main.flags if main else 0, state.attributes)
        old = state.information().attributes
        new = old & ~(parts.FOLLOWING_BITS & ~kept) | bits
        if new != old:
            state.change_information({"attributes": new})
            self.stale.add(state.number)

    def put_streams(self, state: FileState, streams: Sequence[Attribute]) -> None:
        """Put streams in place of those of the same names."""
        for one in streams:
            old = self.find_stream(state, one.name)
            if old is not None:
                self.streams.free(old)
                state.drop(attribute.DATA, old.name)
            state.put(one)

    # ------------------------------------------------------------------ files that are there

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
        """Give a file or directory what is said, and leave it the rest; `file_key` encrypts it."""
        state = self.settable_at(path)
        if traits.short_name is not None:
            self._check_named(state, path)
        if form in ("sparse", "sparse_compressed") and state.is_directory:
            raise VolumeError(f"{path}: a directory is not sparse")
        with self.whole_change():
            if traits.security is not None:
                self._secure(state, path, traits.security)
            self.dress(state, traits)
            self.put_streams(state, streams)
            if form == "encrypted" and file_key is not None:
                self.encrypt(state, file_key)
            elif form is not None:
                self.convert(state, form)
            if valid_bytes is not None:
                self.set_valid_data(state, valid_bytes)
            self.follow_bits(state, kept=0 if form or streams else parts.SPARSE_BIT)
            if traits.short_name is not None:
                self._set_short_name(path, traits.short_name, now)
            self.touch(state, now, modified=False)
            if traits.name_times is not None:
                self._set_name_times(state, self._names_here(state, path), traits.name_times)
            if traits.entry_times is not None:
                self._set_entry_times(state, path, traits.entry_times)

    def _check_named(self, state: FileState, path: str) -> None:
        if state.number == file_record.ROOT:
            raise VolumeError(f"{path}: the root's name is NTFS's own")

    def _secure(self, state: FileState, path: str, explicit: bytes) -> None:
        if state.number == file_record.ROOT:
            security_id = self.security.id_of(security_inheritance.of_root(explicit))
        else:
            above = self.settable_at(path.rstrip("/").rpartition("/")[0] or "/")
            security_id = self.security_id(above, explicit, directory=state.is_directory)
        own = state.drop(attribute.SECURITY_DESCRIPTOR)
        if own is not None:
            self.streams.free(own)
        self._lengthen(state)
        state.change_information({"security_id": security_id})

    def _lengthen(self, state: FileState) -> None:
        """Let $STANDARD_INFORMATION have its long form."""
        found = state.find(attribute.STANDARD_INFORMATION)
        assert found is not None
        assert found.value is not None
        if len(found.value) < StandardInformation.SIZE:
            state.put(found._replace(value=found.value.ljust(StandardInformation.SIZE, b"\0")))

    def _ea_of(self, state: FileState) -> bytes:
        there = state.find(attribute.EA)
        return self._streams.read(there) if there else b""

    def _set_ea(self, state: FileState, value: bytes) -> None:
        bits = state.information().attributes & ~parts.EA_BIT | (parts.EA_BIT if value else 0)
        state.change_information({"attributes": bits})
        for one in parts.trait_attributes(Traits(ea=value)):
            self.replace_value(state, one.type_code, "", one.value or b"")
        if not value:
            for type_code in (attribute.EA_INFORMATION, attribute.EA):
                self.replace_value(state, type_code, "", b"")

    def _set_unix(self, state: FileState, entries: bytes) -> None:
        tag = self._reparse_tag_of(state.attributes)
        entries = unix_metadata.typed(entries, tag, directory=state.is_directory)
        try:
            value = unix_metadata.merged(self._ea_of(state), entries)
        except ValueError as error:  # Together they are too long.
            raise VolumeError(str(error)) from None
        self._set_ea(state, value)

    def _set_reparse(self, state: FileState, value: bytes) -> None:
        self.unindex_reparse_point(state)
        self.replace_value(state, attribute.REPARSE_POINT, "", value)
        view = self.view_in_extend("$Reparse", "$R")
        if value and view is not None:
            tag = int.from_bytes(value[:4], "little")
            view.put(view_entry(reparse_point.index_key(tag, state.reference), b""))

    def _set_object_id(self, state: FileState, value: bytes) -> None:
        self.unindex_object_id(state)
        self.replace_value(state, attribute.OBJECT_ID, "", value[: object_id.SHORT_BYTES])
        view = self.view_in_extend("$ObjId", "$O")
        if value and view is not None:
            key, data = object_id.index_entry(value, state.reference)
            if view.get(key) is not None:
                raise ManifestError("another file of the volume has this object id")
            view.put(view_entry(key, data))

    def set_volume_object_id(self, value: bytes) -> None:
        """The object id of the volume itself."""
        with self.whole_change():
            state = self.state(file_record.VOLUME)
            old = state.find(attribute.OBJECT_ID)
            if old is None or old.value != value[: object_id.SHORT_BYTES]:
                self._set_object_id(state, value)

    def _names_here(self, state: FileState, path: str) -> list[bytes]:
        """The $FILE_NAMEs of the name that a path means; the root has its own, which lies in itself."""
        return state.names() if state.number == file_record.ROOT else self._name_at(path)[2]

    def _set_entry_times(self, state: FileState, path: str, times: SomeTicks) -> None:
        """Let the entry of a name have these times."""
        here = self._names_here(state, path)
        own = self.entry_times.setdefault(state.number, {})
        for value in here:
            own[entry_key(int.from_bytes(value[:8], "little"), value[NAME_AT:])] = times

    def _set_name_times(self, state: FileState, here: Iterable[bytes], times: SomeTicks) -> None:
        """Let these $FILE_NAMEs of the record have these times; the entries go on following the file."""
        for value in here:
            raw_name = value[NAME_AT : NAME_AT + 2 * value[0x40]]
            parent = int.from_bytes(value[:8], "little")
            state.remove_name(value)
            state.add_name(self.name_value(state, parent, raw_name, value[_NAMESPACE_AT], times))

    def _set_short_name(self, path: str, short_name: str, now: int) -> None:
        state, parent, here = self._name_at(path)
        long_name = next(value for value in here if value[_NAMESPACE_AT] != file_name.DOS)
        name = long_name[NAME_AT:].decode("utf-16-le", "surrogatepass")
        self._take_names(state, parent, here)
        self.add_name(state, parent, name, now, short_name=short_name)
