"""$Secure of an existing volume: the id of a descriptor, filed if it is new."""

from __future__ import annotations

import functools

from ntfsbuild.errors import CorruptVolume, VolumeError
from ntfsbuild.ondisk import attribute, file_record, security
from ntfsbuild.ondisk.layout import align
from ntfsbuild.ondisk.security import SecurityEntry
from ntfsbuild.volume.read.security import BY_ID, STREAM
from ntfsbuild.volume.write.descriptors import fillers, hash_entry, id_entry, is_misread, place_of_next
from ntfsbuild.volume.write.transaction import Editing

_BY_HASH = "$SDH"
_LAST_ID = 0xFFFFFFFF
_HEAD_ROOM = align(SecurityEntry.SIZE, 16)


class _Filed:
    """What $SII lists: entries in their order in $SDS, and by their hashes."""

    def __init__(self, entries: list[SecurityEntry]) -> None:
        self.entries = sorted(entries, key=lambda entry: entry.offset)
        self.by_hash: dict[int, list[SecurityEntry]] = {}
        for entry in self.entries:
            self.by_hash.setdefault(entry.hash, []).append(entry)
        self.last_id = max((entry.security_id for entry in entries), default=security.FIRST_ID - 1)

    @property
    def end(self) -> int:
        """Where the last entry ends."""
        return self.entries[-1].offset + self.entries[-1].size_bytes if self.entries else 0

    def add(self, entry: SecurityEntry) -> None:
        """Take in one that lies behind all others."""
        self.entries.append(entry)
        self.by_hash.setdefault(entry.hash, []).append(entry)
        self.last_id = entry.security_id


class SecurityEditor:
    """Finds the ids of descriptors, and files new ones as Windows does; `settle` comes before a commit."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing
        self._ids: dict[bytes, int] = {}
        self._settled = True

    def id_of(self, descriptor: bytes) -> int:
        """The id of a descriptor."""
        known = self._ids.get(descriptor)
        if known is None:
            known = self._find(descriptor) or self._file(descriptor)
            self._ids[descriptor] = known
        return known

    def settle(self) -> None:
        """Leave an end of $SDS that every reader understands, after new entries.

        A further entry, which nobody uses, where ntfssecaudit would misread the last one; zeros behind the
        last first copy, where Windows leaves what lay there before.
        """
        if self._settled:
            return
        filed = self._filed
        for descriptor in fillers(filed.entries[-1]):
            if not is_misread(filed.entries, lambda at: self._part(at, 4)):
                break
            if self._find(descriptor) is None:
                self._file(descriptor)
        self._clear_behind(filed.end)
        self._settled = True

    @functools.cached_property
    def _filed(self) -> _Filed:
        view = self._editing.view(file_record.SECURE, BY_ID)
        return _Filed([SecurityEntry.unpack(view.get(key) or b"") for key in view.all_keys()])

    # ------------------------------------------------------------------ the stream

    def _part(self, at: int, size_bytes: int) -> bytes:
        editing = self._editing
        stream = editing.stream_of(editing.state(file_record.SECURE), STREAM)
        return editing.read_part(stream, at, size_bytes)

    def _write(self, at: int, data: bytes) -> None:
        editing = self._editing
        state = editing.state(file_record.SECURE)
        state.put(editing.streams.write(editing.stream_of(state, STREAM), at, data))

    def _clear_behind(self, end: int) -> None:
        """Let no head of an entry stand where the next one is looked for, in this block."""
        at = align(end, 16)
        room = -at % security.BLOCK_BYTES
        if room:
            self._write(end, bytes(at - end + min(_HEAD_ROOM, room)))

    # ------------------------------------------------------------------ entries

    def _find(self, descriptor: bytes) -> int | None:
        for entry in self._filed.by_hash.get(security.descriptor_hash(descriptor), ()):
            if entry.size_bytes != SecurityEntry.SIZE + len(descriptor):
                continue
            if self._editing.descriptors.descriptor_of(entry.security_id) == descriptor:
                return entry.security_id
        return None

    def _file(self, descriptor: bytes) -> int:
        editing, filed = self._editing, self._filed
        state = editing.state(file_record.SECURE)
        stream = state.find(attribute.DATA, STREAM)
        if stream is None or filed.end > stream.size_bytes:
            raise CorruptVolume(f"record {file_record.SECURE}: $Secure has no {STREAM} of {filed.end} bytes")
        if filed.last_id >= _LAST_ID:
            raise VolumeError(f"record {file_record.SECURE}: no security id is left")
        size = SecurityEntry.SIZE + len(descriptor)
        entry = SecurityEntry(
            hash=security.descriptor_hash(descriptor),
            security_id=filed.last_id + 1,
            offset=place_of_next(filed.end, size),
            size_bytes=size,
        )
        if entry.offset >= align(filed.end, security.BLOCK_BYTES) and filed.end:
            self._clear_behind(filed.end)
        for at in (entry.offset, entry.offset + security.BLOCK_BYTES):
            self._write(at, entry.pack() + descriptor)
        editing.view(state.number, BY_ID).put(id_entry(entry))
        editing.view(state.number, _BY_HASH).put(hash_entry(entry))
        filed.add(entry)
        self._settled = False
        return entry.security_id
