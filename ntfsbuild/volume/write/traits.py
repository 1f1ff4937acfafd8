"""Writes the traits of files and directories (metadata besides times and names) to their attributes."""

from __future__ import annotations

from collections.abc import Iterable

from ntfsbuild.errors import VolumeError
from ntfsbuild.ondisk import attribute, object_id, security_inheritance
from ntfsbuild.ondisk.file_name import NAME_AT
from ntfsbuild.ondisk.standard_information import StandardInformation
from ntfsbuild.ondisk.traits import SomeTicks, Traits
from ntfsbuild.volume.read.file import reparse_tag_of
from ntfsbuild.volume.read.traits import EFS_NAME
from ntfsbuild.volume.write import extend_views
from ntfsbuild.volume.write.attributes import EA_BIT, FOLLOWING_BITS, attribute_bits, ea_attributes
from ntfsbuild.volume.write.directories import name_in
from ntfsbuild.volume.write.file_names import file_name_of
from ntfsbuild.volume.write.file_state import FileState
from ntfsbuild.volume.write.secure import Secure
from ntfsbuild.volume.write.transaction import Transaction

_NAMESPACE_AT = 0x41


class TraitWriter:
    """Sets the traits of files, and derives the FILE_ATTRIBUTE bits that follow from them."""

    def __init__(self, transaction: Transaction, secure: Secure) -> None:
        self._transaction = transaction
        self._streams = transaction.stream_writer
        self._secure = secure

    def apply_traits(self, state: FileState, traits: Traits) -> None:
        """Set the given traits of a file, except its security descriptor and its names."""
        self.refuse_impossible(traits, directory=state.is_directory)
        if traits.reparse is not None:
            self._set_reparse(state, traits.reparse)
        if traits.object_id is not None:
            self.set_object_id(state, traits.object_id)
        if traits.ea is not None:
            self._set_ea(state, traits.ea)
        if traits.unix is not None:
            self._set_unix(state, traits.unix)
        if traits.efs is not None:
            self._streams.replace_value(state, attribute.LOGGED_UTILITY_STREAM, EFS_NAME, traits.efs)
        if said := traits.information():
            self.lengthen(state)
            state.change_information(said)
        if traits.case_sensitive is not None:
            self._transaction.directory(state.reference).tell_cases_apart(traits.case_sensitive)

    @staticmethod
    def refuse_impossible(traits: Traits, *, directory: bool) -> None:
        """Raise VolumeError for traits that only a directory can have; to be called before a change."""
        if traits.case_sensitive is not None and not directory:
            raise VolumeError("only directories tell names apart by case")

    def apply_to_new(self, state: FileState, traits: Traits) -> None:
        """Set the traits of a new file; its bit of extended attributes stays as its creator gives it."""
        given = state.information().attributes & EA_BIT
        self.apply_traits(state, traits)
        if traits.ea or traits.unix:
            bits = state.information().attributes & ~EA_BIT | given
            state.change_information({"attributes": bits})

    def derive_attribute_bits(self, state: FileState, *, kept: int = 0) -> None:
        """Update the FILE_ATTRIBUTE bits that follow from streams and traits.

        Bits in `kept` are not cleared: on Windows a file stays sparse when its sparse stream is removed.
        """
        bits = attribute_bits(state.attributes, directory=state.is_directory)
        old = state.information().attributes
        new = old & ~(FOLLOWING_BITS & ~kept) | bits
        if new != old:
            state.change_information({"attributes": new})
            self._transaction.stale.add(state.number)

    # ------------------------------------------------------------------ security

    def secure(self, state: FileState, above: FileState | None, explicit: bytes) -> None:
        """Give a file in a directory, or the root, a descriptor of its own."""
        if above is None:
            descriptor = security_inheritance.of_root(explicit)
            if not state.information().security_id:  # As it was formatted: it keeps one of its own.
                self._streams.replace_value(state, attribute.SECURITY_DESCRIPTOR, "", descriptor)
                return
            security_id = self._secure.id_of(descriptor)
        else:
            security_id = self._secure.id_in(above, explicit, directory=state.is_directory)
        own = state.drop(attribute.SECURITY_DESCRIPTOR)
        if own is not None:
            self._streams.free(own)
        self.lengthen(state)
        state.change_information({"security_id": security_id})

    @staticmethod
    def lengthen(state: FileState) -> None:
        """Let $STANDARD_INFORMATION have its long form."""
        found = state.find(attribute.STANDARD_INFORMATION)
        assert found is not None
        assert found.value is not None
        if len(found.value) < StandardInformation.SIZE:
            state.put(found._replace(value=found.value.ljust(StandardInformation.SIZE, b"\0")))

    # ------------------------------------------------------------------ values

    def _ea_of(self, state: FileState) -> bytes:
        existing = state.find(attribute.EA)
        return self._transaction.streams.read(existing) if existing else b""

    def _set_ea(self, state: FileState, value: bytes) -> None:
        bits = state.information().attributes & ~EA_BIT | (EA_BIT if value else 0)
        state.change_information({"attributes": bits})
        values = {one.type_code: one.value or b"" for one in ea_attributes(value)} if value else {}
        for type_code in (attribute.EA_INFORMATION, attribute.EA):
            self._streams.replace_value(state, type_code, "", values.get(type_code, b""))

    def _set_unix(self, state: FileState, entries: bytes) -> None:
        from ntfsbuild.ondisk import unix_metadata  # Imported late: few files have any.

        tag = reparse_tag_of(state.attributes, self._transaction.streams)
        entries = unix_metadata.typed(entries, tag, directory=state.is_directory)
        try:
            value = unix_metadata.merged(self._ea_of(state), entries)
        except ValueError as error:  # Together they are too long.
            raise VolumeError(str(error)) from None
        self._set_ea(state, value)

    def _set_reparse(self, state: FileState, value: bytes) -> None:
        extend_views.unlist_reparse_point(self._transaction, state)
        self._streams.replace_value(state, attribute.REPARSE_POINT, "", value)
        if value:
            extend_views.list_reparse_point(self._transaction, state, value)

    def set_object_id(self, state: FileState, value: bytes) -> None:
        """Set an object id of 16 or 64 bytes: what belongs to its birth stands in the index alone."""
        extend_views.unlist_object_id(self._transaction, state)
        self._streams.replace_value(state, attribute.OBJECT_ID, "", value[: object_id.SHORT_BYTES])
        if value:
            extend_views.list_object_id(self._transaction, state, value)

    # ------------------------------------------------------------------ times of names

    def set_entry_times(self, state: FileState, here: Iterable[bytes], times: SomeTicks) -> None:
        """Give the directory entries of these names their own times."""
        for value in here:
            parent = int.from_bytes(value[:8], "little")
            self._transaction.entry_times.set(state.number, parent, value[NAME_AT:], times)
        self._transaction.stale.add(state.number)

    def set_name_times(self, state: FileState, here: Iterable[bytes], times: SomeTicks) -> None:
        """Set the times of these $FILE_NAMEs in the record; the directory entries keep the file's times."""
        for value in here:
            parent = int.from_bytes(value[:8], "little")
            state.remove_name(value)
            state.add_name(
                file_name_of(self._transaction, state, parent, name_in(value), value[_NAMESPACE_AT], times)
            )
