"""$Secure of an existing volume: the id of a descriptor, filed if it is new."""

from __future__ import annotations

import struct

from ntfsbuild.errors import CorruptVolume
from ntfsbuild.ondisk import attribute, file_record, security
from ntfsbuild.ondisk.security import SecurityEntry
from ntfsbuild.volume.descriptors import HASH_ENTRY_PADDING, place_of_next, view_entry
from ntfsbuild.volume.editing import Editing

_STREAM, _BY_ID, _BY_HASH = "$SDS", "$SII", "$SDH"


class SecurityEditor:
    """Looks descriptors up, and files new ones as Windows does."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing
        self._ids: dict[bytes, int] = {}

    def id_of(self, descriptor: bytes) -> int:
        """The id of a descriptor."""
        known = self._ids.get(descriptor)
        if known is None:
            known = self._find(descriptor) or self._file(descriptor)
            self._ids[descriptor] = known
        return known

    def _entries(self) -> list[SecurityEntry]:
        view = self._editing.view(file_record.SECURE, _BY_ID)
        return [SecurityEntry.unpack(view.get(key) or b"") for key in view.all_keys()]

    def _find(self, descriptor: bytes) -> int | None:
        editing = self._editing
        wanted = security.descriptor_hash(descriptor)
        stream = editing.stream_of(editing.state(file_record.SECURE), _STREAM)
        for entry in self._entries():
            if entry.hash == wanted and entry.size_bytes == SecurityEntry.SIZE + len(descriptor):
                filed = editing.read_part(stream, entry.offset, entry.size_bytes)
                if filed[SecurityEntry.SIZE :] == descriptor:
                    return entry.security_id
        return None

    def _file(self, descriptor: bytes) -> int:
        editing = self._editing
        state = editing.state(file_record.SECURE)
        if state.find(attribute.DATA, _STREAM) is None:
            raise CorruptVolume("record 9: $Secure has no $SDS")
        entries = self._entries()
        size = SecurityEntry.SIZE + len(descriptor)
        end = max((entry.offset + entry.size_bytes for entry in entries), default=0)
        last_id = max((entry.security_id for entry in entries), default=security.FIRST_ID - 1)
        entry = SecurityEntry(
            hash=security.descriptor_hash(descriptor),
            security_id=last_id + 1,
            offset=place_of_next(end, size),
            size_bytes=size,
        )
        for at in (entry.offset, entry.offset + security.BLOCK_BYTES):
            stream = editing.stream_of(state, _STREAM)
            state.put(editing.streams.write(stream, at, entry.pack() + descriptor))
        by_id = struct.pack("<I", entry.security_id)
        by_hash = struct.pack("<II", entry.hash, entry.security_id)
        editing.view(state.number, _BY_ID).put(view_entry(by_id, entry.pack()))
        editing.view(state.number, _BY_HASH).put(
            view_entry(by_hash, entry.pack(), padding=HASH_ENTRY_PADDING)
        )
        return entry.security_id
